//! Where a path leads in the static folder: to a file, to a folder with an `index.html`, or to
//! nothing. It never leads out of the folder, nor to a hidden file.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use actix_web::http::header::ContentEncoding;

/// The file that stands for its folder.
const INDEX: &str = "index.html";

/// A path of the folder, checked, and not yet looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    folder: PathBuf,
    file: PathBuf,
    slash: bool,
}

/// What is there.
#[derive(Debug)]
pub(super) enum Found {
    /// A file.
    File(Opened),
    /// A folder with an index, whose path lacks the slash at its end: without it the links of
    /// the page would lead elsewhere.
    Folder,
}

/// A file, open.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: File,
    /// The name that the file has, also where it is a compressed form that is open.
    pub(super) path: PathBuf,
    /// In which coding it is.
    pub(super) coding: Option<ContentEncoding>,
    /// Whether there are compressed forms beside it.
    pub(super) has_variants: bool,
}

impl Place {
    /// The place that a request's path names. It is decoded once, so what was encoded twice names
    /// no file.
    pub(super) fn of(folder: &Path, path: &str) -> Option<Self> {
        let path = percent_encoding::percent_decode_str(path)
            .decode_utf8()
            .ok()?;
        let path = path.strip_prefix('/')?;
        let (path, slash) = match path.strip_suffix('/') {
            Some(path) => (path, true),
            None => (path, false),
        };
        let plain = |name: &str| {
            !name.is_empty() && !name.starts_with('.') && !name.contains(['\\', ':', '\0'])
        };
        path.split('/').all(plain).then(|| {
            let mut file = folder.join(path);
            if slash {
                file.push(INDEX);
            }
            Self {
                folder: folder.to_path_buf(),
                file,
                slash,
            }
        })
    }

    /// Looks for it; `accepted` are the codings that the client takes, its favourite first.
    pub(super) fn find(&self, accepted: &[ContentEncoding]) -> io::Result<Found> {
        let folder = self.folder.canonicalize()?;
        let inside = |path: &Path| -> io::Result<PathBuf> {
            // A link in the folder may lead out of it.
            let path = path.canonicalize()?;
            match path.starts_with(&folder) {
                true => Ok(path),
                false => Err(io::ErrorKind::NotFound.into()),
            }
        };
        let plain = inside(&self.file)?;
        if plain.is_dir() {
            let index = !self.slash && inside(&plain.join(INDEX))?.is_file();
            return match index {
                true => Ok(Found::Folder),
                false => Err(io::ErrorKind::NotFound.into()),
            };
        }
        let variants: Vec<(ContentEncoding, PathBuf)> = crate::coding::SMALL
            .iter()
            .filter_map(|coding| {
                let mut name = self.file.as_os_str().to_owned();
                name.push(suffix(*coding)?);
                let path = inside(Path::new(&name)).ok()?;
                path.is_file().then_some((*coding, path))
            })
            .collect();
        let chosen = accepted
            .iter()
            .find_map(|wanted| variants.iter().find(|(coding, _)| coding == wanted));
        let (path, coding) = match chosen {
            Some((coding, path)) => (path, Some(*coding)),
            None => (&plain, None),
        };
        let file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Found::File(Opened {
            file,
            path: self.file.clone(),
            coding,
            has_variants: !variants.is_empty(),
        }))
    }
}

fn suffix(coding: ContentEncoding) -> Option<&'static str> {
    match coding {
        ContentEncoding::Brotli => Some(".br"),
        ContentEncoding::Zstd => Some(".zst"),
        ContentEncoding::Gzip => Some(".gz"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_never_leads_out_of_the_folder() {
        let folder = Path::new("/srv/static");
        let file = |path: &str| Place::of(folder, path).map(|place| place.file);
        assert_eq!(file("/logo.png"), Some(folder.join("logo.png")));
        assert_eq!(file("/a/b%20c.txt"), Some(folder.join("a/b c.txt")));
        assert_eq!(file("/a/"), Some(folder.join("a/index.html")));
        for bad in [
            "/../etc/passwd",
            "/%2e%2e/etc/passwd",
            "/..%2fetc/passwd",
            "/a/../../x",
            "//etc/passwd",
            "//a.example/",
            "/a//b",
            "/a//",
            "/.env",
            "/a/.git/config",
            "/.well-known/",
            "/..\\x",
            "/c:/x",
            "/a%00b",
            "/%ff",
            "/",
        ] {
            assert_eq!(file(bad), None, "{bad}");
        }
        // Encoded twice: a file of that very name, which is not there.
        assert_eq!(file("/%252e%252e/x"), Some(folder.join("%2e%2e/x")));
    }
}
