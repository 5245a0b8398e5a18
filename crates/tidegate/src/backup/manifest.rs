//! `manifest.json`: what a backup holds, and the digest of every file.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Its name in the folder.
pub(super) const FILE: &str = "manifest.json";

/// The form of backups that this program writes, and the only one that it reads.
const FORMAT: u32 = 1;

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: u32,
    /// The program that wrote it.
    version: String,
    /// The engine: `SQLite`, `MySQL`, `MariaDB`.
    pub(super) engine: String,
    /// When it was begun.
    pub(super) created_at: DateTime<Utc>,
    /// The files.
    pub(super) files: Vec<Entry>,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Where it is, from the folder of the backup.
    pub(super) path: String,
    /// The database of the gateway that it holds; null: Tidegate's own.
    pub(super) database: Option<String>,
    /// The usual collation of a server's database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) collation: Option<String>,
    /// How many bytes it has.
    pub(super) bytes: u64,
    /// Their digest, in hexadecimal digits.
    pub(super) sha256: String,
}

impl Manifest {
    /// Of these files.
    pub(super) fn new(engine: &str, created_at: DateTime<Utc>, files: Vec<Entry>) -> Self {
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            engine: engine.to_owned(),
            created_at,
            files,
        }
    }

    /// That of a backup.
    ///
    /// # Errors
    /// A folder that is no backup, or one of another form.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        let text = std::fs::read_to_string(&path).with_context(|| {
            format!(
                "{} is no backup: {FILE} cannot be read in it",
                folder.display()
            )
        })?;
        let manifest: Self = serde_json::from_str(&text)
            .with_context(|| format!("{} is not what a backup has", path.display()))?;
        ensure!(
            manifest.format == FORMAT,
            "the backup has form {}, and this version of the program reads form {FORMAT}",
            manifest.format
        );
        for entry in &manifest.files {
            let path = Path::new(&entry.path);
            // Nothing outside the folder is read, whatever the manifest says.
            let inside = path
                .components()
                .all(|part| matches!(part, Component::Normal(_)));
            ensure!(inside, "the backup names a file outside its folder");
        }
        let own = manifest.files.iter().filter(|it| it.database.is_none());
        ensure!(
            own.count() == 1,
            "the backup does not hold Tidegate's own database once"
        );
        Ok(manifest)
    }

    /// Looks whether every file is what it was.
    ///
    /// # Errors
    /// The first one that is not.
    pub(super) async fn verify(&self, folder: &Path) -> anyhow::Result<()> {
        for entry in &self.files {
            let path = folder.join(&entry.path);
            let (bytes, sha256) = digest(path.clone())
                .await
                .with_context(|| format!("{} cannot be read", path.display()))?;
            if (bytes, &sha256) != (entry.bytes, &entry.sha256) {
                bail!(
                    "{} is damaged: it is not what was written ({bytes} bytes, SHA-256 {sha256})",
                    path.display()
                );
            }
        }
        Ok(())
    }
}

/// The number of bytes of a file, and their digest. What is read is on the disk afterwards.
pub(super) async fn digest(path: PathBuf) -> io::Result<(u64, String)> {
    let work = move || {
        let mut file = File::open(path)?;
        let (mut hash, mut length, mut piece) = (Sha256::new(), 0, vec![0; 1 << 16]);
        loop {
            let read = file.read(&mut piece)?;
            let Some(bytes @ [_, ..]) = piece.get(..read) else {
                break;
            };
            hash.update(bytes);
            length += bytes.len() as u64;
        }
        let digits = hash.finalize();
        let digits = digits.iter().map(|byte| format!("{byte:02x}"));
        Ok((length, digits.collect()))
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(room: &Path, path: &str, database: Option<&str>) -> Entry {
        Entry {
            path: path.to_owned(),
            database: database.map(str::to_owned),
            collation: None,
            bytes: 3,
            sha256: {
                drop(std::fs::write(room.join("a"), "abc"));
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned()
            },
        }
    }

    fn read(room: &Path, files: Vec<Entry>) -> anyhow::Result<Manifest> {
        let manifest = Manifest::new("SQLite", DateTime::UNIX_EPOCH, files);
        std::fs::write(room.join(FILE), serde_json::to_string(&manifest)?)?;
        Manifest::read(room)
    }

    #[tokio::test]
    async fn a_changed_file_is_seen() {
        let room = tempfile::tempdir().unwrap();
        let manifest = read(room.path(), vec![write(room.path(), "a", None)]).unwrap();
        manifest.verify(room.path()).await.unwrap();
        for (text, part) in [("abd", "damaged"), ("abcd", "damaged")] {
            std::fs::write(room.path().join("a"), text).unwrap();
            let error = manifest.verify(room.path()).await.unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        }
        std::fs::remove_file(room.path().join("a")).unwrap();
        assert!(manifest.verify(room.path()).await.is_err());
    }

    #[test]
    fn what_is_no_backup_is_refused() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path();
        assert!(Manifest::read(path).is_err());
        for outside in ["../a", "/a", "a/../../b"] {
            let files = vec![write(path, "a", None), write(path, outside, Some("x"))];
            let error = read(path, files).unwrap_err();
            assert!(error.to_string().contains("outside"), "{error}");
        }
        assert!(read(path, vec![write(path, "a", Some("x"))]).is_err());
        let two = vec![write(path, "a", None), write(path, "a", None)];
        assert!(read(path, two).is_err());
        let text = std::fs::read_to_string(path.join(FILE)).unwrap();
        std::fs::write(
            path.join(FILE),
            text.replace("\"format\":1", "\"format\":2"),
        )
        .unwrap();
        assert!(
            Manifest::read(path)
                .unwrap_err()
                .to_string()
                .contains("form 2")
        );
    }
}
