//! The folder of a backup, which is there as a whole or not at all.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use chrono::{NaiveDateTime, TimeDelta};

use super::STAMP;
use super::manifest::{self, Entry, Manifest, digest};

/// A backup that is being written. Dropping it removes what is there.
pub(super) struct Draft {
    partial: PathBuf,
    target: PathBuf,
    files: Vec<Entry>,
}

impl Draft {
    /// Begins one that is to lie there.
    ///
    /// # Errors
    /// A folder that is not empty, or cannot be written.
    pub(super) fn begin(target: &Path) -> anyhow::Result<Self> {
        let name = target
            .file_name()
            .context("the folder of a backup needs a name")?
            .to_string_lossy();
        let parent = match target.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let there = fs::read_dir(target).map(|mut entries| entries.next().is_some());
        ensure!(
            !there.unwrap_or(false),
            "{} is not empty; name a new folder",
            target.display()
        );
        let partial = parent.join(format!(".{name}.partial-{}", std::process::id()));
        let made = private_folder(&partial);
        made.with_context(|| format!("cannot write to {}", parent.display()))?;
        Ok(Self {
            partial,
            target: target.to_owned(),
            files: Vec::new(),
        })
    }

    /// Where a file of the backup is to be written; its folder is there.
    pub(super) fn place(&self, path: &str) -> io::Result<PathBuf> {
        let place = self.partial.join(path);
        if let Some(folder) = place.parent() {
            private_folder(folder)?;
        }
        Ok(place)
    }

    /// Takes a file that was written into the manifest.
    pub(super) async fn add(
        &mut self,
        path: String,
        database: Option<String>,
        collation: Option<String>,
    ) -> io::Result<()> {
        let file = self.partial.join(&path);
        File::open(&file)?.sync_all()?;
        let (bytes, sha256) = digest(file).await?;
        self.files.push(Entry {
            path,
            database,
            collation,
            bytes,
            sha256,
        });
        Ok(())
    }

    /// Makes it durable and gives it its name.
    pub(super) fn finish(
        mut self,
        manifest: impl FnOnce(Vec<Entry>) -> Manifest,
    ) -> anyhow::Result<()> {
        let manifest = manifest(std::mem::take(&mut self.files));
        let text = serde_json::to_string_pretty(&manifest)? + "\n";
        let path = self.partial.join(manifest::FILE);
        fs::write(&path, text)?;
        File::open(&path)?.sync_all()?;
        for entry in fs::read_dir(&self.partial)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                sync_folder(&entry.path())?;
            }
        }
        sync_folder(&self.partial)?;
        fs::rename(&self.partial, &self.target)
            .with_context(|| format!("cannot make {}", self.target.display()))?;
        if let Some(parent) = self.partial.parent() {
            sync_folder(parent)?;
        }
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After the end there is nothing under this name.
        drop(fs::remove_dir_all(&self.partial));
    }
}

/// Removes the oldest backups but for so many, and what interrupted ones left; how many.
///
/// # Errors
/// A folder that cannot be read or written.
pub(crate) fn prune(folder: &Path, keep: usize) -> io::Result<usize> {
    let (mut whole, mut partial) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // What has another name was not put there by this program.
        if time(&name).is_some() && entry.path().join(manifest::FILE).exists() {
            whole.push(entry.path());
        } else if let Some((stamp, _)) = name.trim_start_matches('.').split_once(".partial-")
            && time(stamp).is_some()
        {
            partial.push((stamp.to_owned(), entry.path()));
        }
    }
    whole.sort();
    let newest = whole.last().and_then(|path| path.file_name());
    let newest = newest.map(|name| name.to_string_lossy().into_owned());
    for (stamp, path) in partial {
        // A younger one may be being written.
        let newest = newest.as_deref().and_then(time);
        let age = newest.and_then(|newest| Some(newest - time(&stamp)?));
        if age.is_some_and(|age| age > TimeDelta::days(1)) {
            fs::remove_dir_all(path)?;
        }
    }
    let surplus = whole.len().saturating_sub(keep);
    for path in whole.iter().take(surplus) {
        // First what makes it a backup, so that none is ever taken for whole by half.
        fs::remove_file(path.join(manifest::FILE))?;
        fs::remove_dir_all(path)?;
    }
    Ok(surplus)
}

/// The time in the name of a backup; `None` where a name is another.
fn time(name: &str) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(name, STAMP).ok()
}

/// Makes a folder that only its owner can open.
pub(super) fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_newest_are_kept_and_nothing_else_is_touched() {
        let room = tempfile::tempdir().unwrap();
        let make = |name: &str, whole: bool| {
            fs::create_dir(room.path().join(name)).unwrap();
            if whole {
                fs::write(room.path().join(name).join(manifest::FILE), "").unwrap();
            }
        };
        for day in 1..=4 {
            make(&format!("2026110{day}T021300Z"), true);
        }
        make("20261031T021300Z", false);
        make("before-the-move", true);
        make(".20261102T031300Z.partial-7", false);
        make(".20261103T031300Z.partial-8", false);
        assert_eq!(prune(room.path(), 2).unwrap(), 2);
        let left = [
            ".20261103T031300Z.partial-8",
            "20261031T021300Z",
            "20261103T021300Z",
            "20261104T021300Z",
            "before-the-move",
        ];
        assert_eq!(names(room.path()), left);
        assert_eq!(prune(room.path(), 2).unwrap(), 0);
    }

    #[tokio::test]
    async fn a_backup_is_there_as_a_whole_or_not_at_all() {
        let room = tempfile::tempdir().unwrap();
        let target = room.path().join("mine");
        let write = async |end: bool| {
            let mut draft = Draft::begin(&target).unwrap();
            fs::write(draft.place("databases/a.db").unwrap(), "abc").unwrap();
            draft
                .add("databases/a.db".into(), None, None)
                .await
                .unwrap();
            assert!(!target.exists());
            if end {
                draft
                    .finish(|files| Manifest::new("SQLite", chrono::DateTime::UNIX_EPOCH, files))
                    .unwrap();
            }
        };
        write(false).await;
        assert_eq!(names(room.path()), [""; 0]);
        write(true).await;
        assert_eq!(names(room.path()), ["mine"]);
        let manifest = Manifest::read(&target).unwrap();
        manifest.verify(&target).await.unwrap();
        assert!(Draft::begin(&target).is_err(), "it is not overwritten");
    }
}
