//! What backups are made of and put back into: the files of the embedded engine, copied while
//! they are used, and the databases of a server.

mod server;

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::name::DatabaseName;

use crate::database::Database;
use crate::gateway::pool::SqliteFiles;
use crate::private::{create_file, create_folder};

pub(crate) use self::server::UNFINISHED_TABLE;
pub use self::server::{Found, ServerDatabases};

/// Tidegate's own database in the data folder.
pub const OWN_FILE: &str = "tidegate.db";

/// The folder of the gateway's databases in the data folder.
pub const GATEWAY_FOLDER: &str = "databases";

/// Locked by everybody who has the embedded database open, and alone by who replaces it.
const IN_USE: &str = "tidegate.open";

/// There while the files are being replaced.
const UNFINISHED: &str = "restore.unfinished";

/// The files of the embedded engine.
#[derive(Clone)]
pub struct EmbeddedFiles {
    database: Database,
    gateway: Arc<SqliteFiles>,
}

impl EmbeddedFiles {
    /// Tidegate's own database, and those of the gateway.
    pub fn new(database: Database, gateway: Arc<SqliteFiles>) -> Self {
        Self { database, gateway }
    }

    /// The names of the gateway's databases.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub async fn names(&self) -> Result<Vec<DatabaseName>, StoreError> {
        self.gateway.names().await
    }

    /// Writes a copy of Tidegate's own database: as it is at one moment, whoever writes meanwhile.
    ///
    /// # Errors
    /// When the file is there, or cannot be written.
    pub async fn copy_own(&self, to: &Path) -> Result<(), StoreError> {
        prepare(to)?;
        self.database.pools.copy_to(to).await
    }

    /// The same for a database of the gateway; false when it is gone.
    ///
    /// # Errors
    /// When the file is there, or cannot be written.
    pub async fn copy(&self, name: &DatabaseName, to: &Path) -> Result<bool, StoreError> {
        let Some(database) = self.gateway.get(name).await? else {
            return Ok(false);
        };
        prepare(to)?;
        match database.copy_to(to).await {
            Ok(()) => Ok(true),
            Err(StoreError::Missing { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Has the engine look again at what tables hold, where that would make better plans; how
    /// many files.
    ///
    /// # Errors
    /// What the engine says.
    pub async fn optimize(&self) -> Result<u64, StoreError> {
        self.database.pools.optimize().await?;
        let mut files = 1;
        for name in self.names().await? {
            if let Some(database) = self.gateway.get(&name).await? {
                match database.optimize().await {
                    Ok(()) => files += 1,
                    Err(StoreError::Missing { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(files)
    }

    /// Deletes the keys of requests that were made before, in the files of the gateway; how many.
    ///
    /// # Errors
    /// What the engine says.
    pub async fn purge_keys(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        let mut deleted = 0;
        for name in self.names().await? {
            if let Some(database) = self.gateway.get(&name).await? {
                match database.purge_keys(before).await {
                    Ok(count) => deleted += count,
                    Err(StoreError::Missing { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(deleted)
    }
}

/// An empty file that only its owner can open: the engine would make one for everybody, but
/// fills one that is there.
fn prepare(path: &Path) -> Result<(), StoreError> {
    let fault = |error: io::Error| StoreError::Internal(error.into());
    if path.try_exists().map_err(fault)? {
        return Err(StoreError::Exists { kind: "file" });
    }
    create_file(path).map(drop).map_err(fault)
}

/// The statement that writes a copy, as a whole and without what was deleted.
pub(crate) const COPY: &str = "VACUUM INTO ?";

/// Looks at every table, also those that this connection did not read (0x10000).
pub(crate) const OPTIMIZE: &str = "PRAGMA optimize = 0x10002";

/// The text of a path, as the engine takes it.
pub(crate) fn path_text(path: &Path) -> Result<&str, StoreError> {
    path.to_str()
        .ok_or_else(|| StoreError::Unsupported("the path of the copy is not UTF-8".to_owned()))
}

/// Notes that the embedded database of a folder is open, as long as the file is kept. `None` where
/// the file system has no locks.
///
/// # Errors
/// That its files are being replaced, or were replaced by half.
pub(crate) fn open_folder(data_dir: &Path) -> Result<Option<File>, String> {
    let file = create_file(&data_dir.join(IN_USE)).map_err(|error| error.to_string())?;
    let kept = match file.try_lock_shared() {
        Ok(()) => Some(file),
        Err(TryLockError::WouldBlock) => {
            return Err("a backup is being restored into this folder".to_owned());
        }
        Err(TryLockError::Error(error)) => {
            tracing::debug!(%error, "the data folder cannot be locked");
            None
        }
    };
    match data_dir.join(UNFINISHED).try_exists() {
        Ok(false) => Ok(kept),
        Ok(true) => Err(
            "restoring a backup into this folder was interrupted; do it again: `tidegate restore`"
                .to_owned(),
        ),
        Err(error) => Err(error.to_string()),
    }
}

/// A data folder that nobody else has open, so that its files can be replaced.
pub struct SeizedFolder {
    data_dir: PathBuf,
    _lock: File,
}

impl SeizedFolder {
    /// Takes a folder, and makes it where it is missing. `None` while somebody has its database
    /// open.
    ///
    /// # Errors
    /// A folder that cannot be written, or not be locked.
    pub fn seize(data_dir: &Path) -> io::Result<Option<Self>> {
        create_folder(data_dir)?;
        let lock = create_file(&data_dir.join(IN_USE))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self {
                data_dir: data_dir.to_owned(),
                _lock: lock,
            })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Notes that files are being replaced: until [`Self::finish`] nobody can open them, also
    /// after a crash.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn begin(&self) -> io::Result<()> {
        create_file(&self.data_dir.join(UNFINISHED))?.sync_all()?;
        File::open(&self.data_dir)?.sync_all()
    }

    /// All files are in place.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn finish(self) -> io::Result<()> {
        File::open(&self.data_dir)?.sync_all()?;
        std::fs::remove_file(self.data_dir.join(UNFINISHED))?;
        File::open(&self.data_dir)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_open_to_many_or_seized_by_one() {
        let room = tempfile::tempdir().unwrap();
        let one = open_folder(room.path()).unwrap();
        let two = open_folder(room.path()).unwrap();
        drop(one);
        assert!(SeizedFolder::seize(room.path()).unwrap().is_none());
        drop(two);
        let seized = SeizedFolder::seize(room.path()).unwrap().unwrap();
        assert!(
            open_folder(room.path())
                .unwrap_err()
                .contains("being restored")
        );
        seized.begin().unwrap();
        drop(seized);
        // As after a crash.
        assert!(
            open_folder(room.path())
                .unwrap_err()
                .contains("interrupted")
        );
        let again = SeizedFolder::seize(room.path()).unwrap().unwrap();
        again.begin().unwrap();
        again.finish().unwrap();
        open_folder(room.path()).unwrap();
    }
}
