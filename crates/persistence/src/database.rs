//! Tidegate's own database: an embedded SQLite file, or a database on a MySQL or MariaDB
//! server. Opening does not need the server to be there; until it is, calls give
//! `StoreError::Unavailable`, and the pool connects anew by itself.

mod embedded;
mod migrate;
mod pools;
mod server;
mod tls;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tidegate_domain::error::StoreError;
use tidegate_migrations::Migrator;

pub use self::migrate::{MigrateError, MigrationState, SchemaLock, Target};
pub(crate) use self::pools::Pools;
pub(crate) use self::server::parse as parse_url;
use crate::engine::Engine;
use crate::measure::PoolStatus;

/// How to open the own database.
#[derive(Clone)]
pub struct DatabaseOptions {
    /// `mysql://user:password@host:port/database`; `None` for the embedded database.
    pub url: Option<String>,
    /// Where the embedded database's file lies.
    pub data_dir: PathBuf,
    /// The most connections to a server, or readers of the embedded database.
    pub max_connections: u32,
    /// How long a call waits for a connection before it gives up.
    pub acquire_timeout: Duration,
    /// A connection unused for so long is closed (servers only).
    pub idle_timeout: Duration,
    /// A connection older than this is replaced (servers only).
    pub max_lifetime: Duration,
    /// How long SQLite waits for a lock that another process holds.
    pub busy_timeout: Duration,
    /// The steps of the schema.
    pub migrator: Migrator,
}

impl DatabaseOptions {
    /// The usual settings, for the embedded database in `data_dir` or the server in `url`.
    pub fn new(url: Option<String>, data_dir: impl Into<PathBuf>) -> Self {
        Self {
            url,
            data_dir: data_dir.into(),
            max_connections: 10,
            acquire_timeout: Duration::from_secs(3),
            idle_timeout: Duration::from_secs(600),
            max_lifetime: Duration::from_secs(1800),
            busy_timeout: Duration::from_secs(5),
            migrator: Migrator::default(),
        }
    }
}

impl fmt::Debug for DatabaseOptions {
    /// Without the URL, which holds the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseOptions")
            .field("server", &self.url.is_some())
            .field("data_dir", &self.data_dir)
            .field("max_connections", &self.max_connections)
            .field("acquire_timeout", &self.acquire_timeout)
            .finish_non_exhaustive()
    }
}

/// Why the own database cannot be used, whatever the patience.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The URL is not one of a database on a MySQL or MariaDB server.
    #[error("the database URL {0}")]
    Url(String),
    /// The folder or file of the embedded database cannot be used.
    #[error("cannot use the embedded database {path}: {reason}")]
    File {
        /// The folder or file.
        path: PathBuf,
        /// What the system or SQLite said.
        reason: String,
    },
    /// TLS is not possible as the URL asks for it.
    #[error("TLS to the database server: {0}")]
    Tls(String),
    /// The server is there and refuses.
    #[error("the database server refused: {0}")]
    Refused(String),
}

/// The open database; clones share the connections.
#[derive(Clone)]
pub struct Database {
    pub(crate) pools: Arc<dyn Pools>,
    migrator: Arc<Migrator>,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Database")
    }
}

impl Database {
    /// Opens the database. On a server, creates it if it is missing and the account may;
    /// a server that does not answer is no error.
    ///
    /// # Errors
    /// A wrong URL, a file that cannot be used, an account that is refused.
    pub async fn open(options: DatabaseOptions) -> Result<Self, OpenError> {
        let pools: Arc<dyn Pools> = match &options.url {
            Some(url) => Arc::new(server::ServerPool::open(url, &options).await?),
            None => Arc::new(embedded::EmbeddedPools::open(&options).await?),
        };
        Ok(Self {
            pools,
            migrator: Arc::new(options.migrator),
        })
    }

    /// Whether the database answers, for the readiness check.
    ///
    /// # Errors
    /// `Unavailable` after the acquire timeout at the latest.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.pools.ping().await
    }

    /// The engine; asks a server for its version the first time.
    ///
    /// # Errors
    /// `Unavailable` while the server is away.
    pub async fn engine(&self) -> Result<Engine, StoreError> {
        self.pools.engine().await
    }

    /// The database's own name on its server, which the gateway must hide;
    /// `None` for the embedded database.
    pub fn name(&self) -> Option<&str> {
        self.pools.name()
    }

    /// How many connections there are, for the metrics.
    pub fn pool_status(&self) -> PoolStatus {
        self.pools.status()
    }

    /// Closes all connections after what is under way; later calls are `Unavailable`.
    pub async fn close(&self) {
        self.pools.close().await;
    }
}
