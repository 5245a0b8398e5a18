//! The folder of the gateway's SQLite databases, one file each.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::name::DatabaseName;
use tokio::sync::Mutex;

use super::sqlite::SqliteDatabase;
use crate::measure::PoolStatus;
use crate::private::{create_file, create_folder};

/// How the files are kept and opened.
#[derive(Debug, Clone)]
pub struct SqliteFilesOptions {
    /// The folder; made with the first database.
    pub directory: PathBuf,
    /// The name of Tidegate's own database, which no file here may have.
    pub own_name: String,
    /// How many connections may read one database at a time.
    pub readers: usize,
    /// How long a caller waits for a connection, and a statement for a lock of another process.
    pub acquire_timeout: Duration,
    /// How long a statement about rows may take.
    pub statement_timeout: Option<Duration>,
}

/// All SQLite databases of the gateway.
pub struct SqliteFiles {
    options: SqliteFilesOptions,
    open: RwLock<HashMap<DatabaseName, Arc<SqliteDatabase>>>,
    // Creating, opening and removing follow one another; what is open needs no such lock.
    changes: Mutex<()>,
}

impl SqliteFiles {
    /// The databases in a folder. Nothing is opened yet.
    pub fn new(options: SqliteFilesOptions) -> Self {
        Self {
            options,
            open: RwLock::default(),
            changes: Mutex::default(),
        }
    }

    /// A database, opened if it is there and not open; `None` when there is no such file.
    ///
    /// # Errors
    /// `Unavailable` or `Internal` when the file cannot be opened.
    pub async fn get(
        &self,
        name: &DatabaseName,
    ) -> Result<Option<Arc<SqliteDatabase>>, StoreError> {
        if let Some(database) = self.opened(name) {
            return Ok(Some(database));
        }
        let _changing = self.changes.lock().await;
        if let Some(database) = self.opened(name) {
            return Ok(Some(database));
        }
        let Some(path) = self.path(name) else {
            return Ok(None);
        };
        if !tokio::fs::try_exists(&path).await.map_err(io_error)? {
            return Ok(None);
        }
        let database = Arc::new(SqliteDatabase::new(&path, false, &self.options)?);
        database.prepare().await?;
        self.remember(name, &database);
        Ok(Some(database))
    }

    /// Makes a database.
    ///
    /// # Errors
    /// `Exists` when it is there; `Unavailable` or `Internal` when the file cannot be written.
    pub async fn create(&self, name: &DatabaseName) -> Result<Arc<SqliteDatabase>, StoreError> {
        let path = self
            .path(name)
            .ok_or_else(|| StoreError::Unsupported("this name cannot be a file's".to_owned()))?;
        let _changing = self.changes.lock().await;
        if tokio::fs::try_exists(&path).await.map_err(io_error)? {
            return Err(StoreError::Exists { kind: "database" });
        }
        create_folder(&self.options.directory).map_err(io_error)?;
        // A log that an interrupted removal left behind must not be replayed into the new file.
        remove_logs(&path).await?;
        create_file(&path).map_err(io_error)?;
        let database = Arc::new(SqliteDatabase::new(&path, true, &self.options)?);
        database.prepare().await?;
        self.remember(name, &database);
        Ok(database)
    }

    /// Removes a database with its files, once its connections are idle.
    ///
    /// # Errors
    /// `Missing` when it is not there, `Unavailable` when it stays in use for too long.
    pub async fn remove(&self, name: &DatabaseName) -> Result<(), StoreError> {
        let missing = StoreError::Missing { kind: "database" };
        let Some(path) = self.path(name) else {
            return Err(missing);
        };
        let _changing = self.changes.lock().await;
        let database = self.opened(name);
        // Whoever holds a connection holds the gate; new leases wait behind this one.
        let closed = match &database {
            Some(database) => Some(database.shut(self.options.acquire_timeout).await?),
            None => None,
        };
        if !tokio::fs::try_exists(&path).await.map_err(io_error)? {
            return Err(missing);
        }
        remove_logs(&path).await?;
        tokio::fs::remove_file(&path).await.map_err(io_error)?;
        if let Some(database) = &database {
            database.forget();
            self.open
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(name);
        }
        drop(closed);
        Ok(())
    }

    /// The names of all databases, sorted.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub async fn names(&self) -> Result<Vec<DatabaseName>, StoreError> {
        let mut names = Vec::new();
        let mut entries = match tokio::fs::read_dir(&self.options.directory).await {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(names),
            Err(error) => return Err(io_error(error)),
        };
        while let Some(entry) = entries.next_entry().await.map_err(io_error)? {
            let file = entry.file_name();
            let stem = file.to_str().and_then(|file| file.strip_suffix(".db"));
            names
                .extend(stem.and_then(|stem| DatabaseName::existing(stem, &self.options.own_name)));
        }
        names.sort();
        Ok(names)
    }

    /// How many bytes a database has on disk, its log included; `None` when it is not there.
    ///
    /// # Errors
    /// When the file cannot be looked at.
    pub async fn size(&self, name: &DatabaseName) -> Result<Option<u64>, StoreError> {
        let Some(path) = self.path(name) else {
            return Ok(None);
        };
        let length = |path: PathBuf| async move {
            match tokio::fs::metadata(path).await {
                Ok(metadata) => Ok(Some(metadata.len())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(io_error(error)),
            }
        };
        let log = length(beside(&path, "-wal")).await?.unwrap_or(0);
        Ok(length(path).await?.map(|file| file + log))
    }

    /// How many connections there are to all files that are open.
    pub(crate) fn status(&self) -> PoolStatus {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let start = PoolStatus {
            waiters: Some(0),
            ..PoolStatus::default()
        };
        open.values()
            .fold(start, |sum, database| sum.and(database.status()))
    }

    fn opened(&self, name: &DatabaseName) -> Option<Arc<SqliteDatabase>> {
        self.open
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned()
    }

    fn remember(&self, name: &DatabaseName, database: &Arc<SqliteDatabase>) {
        self.open
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.clone(), Arc::clone(database));
    }

    /// The file of a database. A name is checked where it is made, and once more here, where
    /// it would do harm.
    fn path(&self, name: &DatabaseName) -> Option<PathBuf> {
        let text = name.as_str();
        let harmful = |c: char| c.is_control() || matches!(c, '/' | '\\' | '.' | ':');
        (!text.is_empty() && !text.contains(harmful))
            .then(|| self.options.directory.join(format!("{text}.db")))
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Deletes the write-ahead log and its index where they are.
async fn remove_logs(path: &Path) -> Result<(), StoreError> {
    for suffix in ["-wal", "-shm"] {
        match tokio::fs::remove_file(beside(path, suffix)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error(error)),
            _ => {}
        }
    }
    Ok(())
}

fn io_error(error: io::Error) -> StoreError {
    StoreError::Internal(error.into())
}
