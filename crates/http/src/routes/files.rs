//! Paths without a route: a file of the static folder if there is one, else 404.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use actix_web::http::Method;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::app::HttpOptions;
use crate::error::ApiError;

/// The largest file that is served; what is larger belongs on a file server.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Answers for every path that the table does not hold.
///
/// # Errors
/// 404 where no file has this path.
pub async fn fallback(
    request: HttpRequest,
    options: web::Data<HttpOptions>,
) -> Result<HttpResponse, ApiError> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let file = match &options.static_dir {
        Some(folder) if reads => inside(folder, request.match_info().as_str()),
        _ => None,
    };
    let Some((folder, path)) = file else {
        return Err(nothing());
    };
    let media_type = media_type(&path);
    match web::block(move || read(&folder, &path)).await {
        Ok(Ok(content)) => Ok(HttpResponse::Ok()
            .content_type(media_type)
            .insert_header((CACHE_CONTROL, "public, max-age=300"))
            .body(content)),
        Ok(Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => {
            tracing::warn!(%error, "a static file cannot be read");
            Err(nothing())
        }
        _ => Err(nothing()),
    }
}

fn nothing() -> ApiError {
    ApiError::not_found("There is nothing at this path; /docs lists what there is")
}

/// The file that a path names, or nothing for one that could lead out of the folder or
/// to a hidden file. It is decoded once, so what was encoded twice names no file.
fn inside(folder: &Path, path: &str) -> Option<(PathBuf, PathBuf)> {
    let path = percent_encoding::percent_decode_str(path)
        .decode_utf8()
        .ok()?;
    let names: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    let plain = |name: &&str| {
        !name.is_empty() && !name.starts_with('.') && !name.contains(['\\', ':', '\0'])
    };
    names.iter().all(plain).then(|| {
        let file = names
            .iter()
            .fold(folder.to_path_buf(), |file, name| file.join(name));
        (folder.to_path_buf(), file)
    })
}

/// Reads a file, unless a link in the folder leads out of it.
fn read(folder: &Path, file: &Path) -> io::Result<Vec<u8>> {
    let (folder, file) = (folder.canonicalize()?, file.canonicalize()?);
    let metadata = fs::metadata(&file)?;
    if !file.starts_with(&folder) || !metadata.is_file() || metadata.len() > MAX_FILE_BYTES {
        return Err(io::ErrorKind::NotFound.into());
    }
    fs::read(file)
}

fn media_type(path: &Path) -> &'static str {
    match path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default()
    {
        "html" | "htm" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "txt" | "md" => "text/plain; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "pdf" => "application/pdf",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_never_leads_out_of_the_folder() {
        let folder = Path::new("/srv/static");
        let file = |path: &str| inside(folder, path).map(|(_, file)| file);
        assert_eq!(file("/logo.png"), Some(folder.join("logo.png")));
        assert_eq!(file("/a/b%20c.txt"), Some(folder.join("a/b c.txt")));
        for bad in [
            "/../etc/passwd",
            "/%2e%2e/etc/passwd",
            "/..%2fetc/passwd",
            "/a/../../x",
            "//etc/passwd",
            "/a//b",
            "/.env",
            "/a/.git/config",
            "/..\\x",
            "/c:/x",
            "/a%00b",
            "/%ff",
            "/",
            "/a/",
        ] {
            assert_eq!(file(bad), None, "{bad}");
        }
        // Encoded twice: a file of that very name, which is not there.
        assert_eq!(file("/%252e%252e/x"), Some(folder.join("%2e%2e/x")));
    }
}
