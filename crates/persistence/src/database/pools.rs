//! The port between the adapters and whatever keeps connections, so that the pool can be
//! replaced without touching a query.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::DatabaseConnection;
use tidegate_domain::error::StoreError;

use crate::engine::Engine;
use crate::measure::PoolStatus;

/// Keeps connections to one database. A handle takes a connection for each statement and
/// for each transaction, within a bounded time.
#[async_trait]
pub(crate) trait Pools: Send + Sync {
    /// For statements that only read.
    fn reader(&self) -> &DatabaseConnection;
    /// For statements that write, and for transactions.
    fn writer(&self) -> &DatabaseConnection;
    /// Whether the database answers.
    async fn ping(&self) -> Result<(), StoreError>;
    /// The engine behind it.
    async fn engine(&self) -> Result<Engine, StoreError>;
    /// The database's name on its server.
    fn name(&self) -> Option<&str>;
    /// One connection for changes of the schema, which no other process makes meanwhile.
    async fn exclusive(&self) -> Result<Exclusive, StoreError>;
    /// Writes a copy of the database into an empty file; embedded databases only.
    async fn copy_to(&self, _: &Path) -> Result<(), StoreError> {
        Err(no_files())
    }
    /// Lets the engine refresh what it knows of the tables' contents; embedded databases only.
    async fn optimize(&self) -> Result<(), StoreError> {
        Err(no_files())
    }
    /// How many connections there are.
    fn status(&self) -> PoolStatus;
    /// Closes all connections.
    async fn close(&self);
}

fn no_files() -> StoreError {
    StoreError::Unsupported("a server keeps its files itself".to_owned())
}

/// How long to wait for another process that is changing the schema.
pub(super) const EXCLUSIVE_WAIT: Duration = Duration::from_secs(120);

/// The only connection that changes the schema. Closing or dropping it lets the next
/// process in.
pub(crate) struct Exclusive {
    /// The connection, a pool of one.
    pub(super) connection: DatabaseConnection,
    /// The lock of an embedded database; servers tie theirs to the connection.
    pub(super) _lock: Option<File>,
}

impl Exclusive {
    /// Ends the connection, and the lock with it.
    pub(super) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::warn!(%error, "the connection that changed the schema did not close");
        }
    }
}
