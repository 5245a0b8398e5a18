//! The embedded database: one SQLite file, one connection that writes and some that read.
//! A single writer needs no retries inside the process; the busy timeout is for others,
//! such as the command line beside a running server.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::DatabaseConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection as _, Executor as _};
use tidegate_domain::error::StoreError;

use super::pools::{EXCLUSIVE_WAIT, Exclusive};
use super::{DatabaseOptions, OpenError, Pools};
use crate::backup::{COPY, OPTIMIZE, OWN_FILE, open_folder, path_text};
use crate::engine::Engine;
use crate::error::store_error;
use crate::measure::{ACQUIRE_LEVEL, PoolStatus, measured};
use crate::private::{create_file, create_folder};

/// Held by the process that changes the schema.
const LOCK: &str = "tidegate.lock";

/// The pools of the embedded database.
pub(super) struct EmbeddedPools {
    reader: DatabaseConnection,
    writer: DatabaseConnection,
    connect: SqliteConnectOptions,
    lock: PathBuf,
    pools: [SqlitePool; 2],
    _open: Option<File>,
}

impl EmbeddedPools {
    pub(super) async fn open(options: &DatabaseOptions) -> Result<Self, OpenError> {
        let file = options.data_dir.join(OWN_FILE);
        let fault = |path: &Path, error: &dyn std::fmt::Display| OpenError::File {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        create_folder(&options.data_dir).map_err(|error| fault(&options.data_dir, &error))?;
        let open = open_folder(&options.data_dir).map_err(|text| fault(&file, &text))?;
        create_file(&file).map_err(|error| fault(&file, &error))?;

        let connect = SqliteConnectOptions::new()
            .filename(&file)
            .journal_mode(SqliteJournalMode::Wal)
            // An answer "201" must survive a power cut.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(options.busy_timeout)
            // What the SQL printer names.
            .with_regexp()
            .disable_statement_logging();
        // Connections to a file do not go stale: none is replaced, none is tested.
        let pool = || {
            SqlitePoolOptions::new()
                .acquire_timeout(options.acquire_timeout)
                .test_before_acquire(false)
                .acquire_time_level(ACQUIRE_LEVEL)
                .idle_timeout(None)
                .max_lifetime(None)
        };
        let writer = pool()
            .max_connections(1)
            .connect_with(connect.clone())
            .await
            .map_err(|error| fault(&file, &error))?;
        let reader = pool()
            .max_connections(options.max_connections.max(1))
            .connect_lazy_with(connect.clone().pragma("query_only", "ON"));
        Ok(Self {
            reader: measured(reader.clone().into()),
            writer: measured(writer.clone().into()),
            connect,
            lock: options.data_dir.join(LOCK),
            pools: [reader, writer],
            _open: open,
        })
    }
}

/// Waits for the lock on a file; it ends when the file is closed, also by a crash.
async fn lock(path: &Path) -> std::io::Result<File> {
    let file = create_file(path)?;
    let step = Duration::from_millis(50);
    let mut waited = Duration::ZERO;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if waited < EXCLUSIVE_WAIT => {
                tokio::time::sleep(step).await;
                waited += step;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

#[async_trait]
impl Pools for EmbeddedPools {
    fn reader(&self) -> &DatabaseConnection {
        &self.reader
    }

    fn writer(&self) -> &DatabaseConnection {
        &self.writer
    }

    async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1")
            .execute(&self.pools[0])
            .await
            .map(drop)
            .map_err(store_error)
    }

    async fn engine(&self) -> Result<Engine, StoreError> {
        Ok(Engine::Sqlite)
    }

    fn name(&self) -> Option<&str> {
        None
    }

    async fn exclusive(&self) -> Result<Exclusive, StoreError> {
        let lock = lock(&self.lock)
            .await
            .map_err(|error| StoreError::Unavailable(error.into()))?;
        // Not the writer: the schema is changed with the foreign keys off at times.
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(self.connect.clone())
            .await
            .map_err(store_error)?;
        Ok(Exclusive {
            connection: pool.into(),
            _lock: Some(lock),
        })
    }

    async fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        let text = path_text(path)?;
        // A connection of its own: the writer goes on, and readers may not write files.
        let mut connection = self.connect.connect().await.map_err(store_error)?;
        let copied = sqlx::query(COPY).bind(text).execute(&mut connection).await;
        connection.close().await.map_err(store_error)?;
        copied.map(drop).map_err(store_error)
    }

    async fn optimize(&self) -> Result<(), StoreError> {
        self.pools[1]
            .execute(OPTIMIZE)
            .await
            .map(drop)
            .map_err(store_error)
    }

    fn status(&self) -> PoolStatus {
        let [reader, writer] = self.pools.each_ref().map(PoolStatus::of);
        reader.and(writer)
    }

    async fn close(&self) {
        for pool in &self.pools {
            pool.close().await;
        }
    }
}
