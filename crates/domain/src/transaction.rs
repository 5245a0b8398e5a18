//! Transactions over several aggregates.

use async_trait::async_trait;

use crate::account::{ApiKeys, Users};
use crate::error::StoreError;
use crate::session::Sessions;

/// Opens transactions. A port call outside one is atomic by itself.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait UnitOfWork: Send + Sync {
    /// Begins a transaction that may write (immediate on SQLite).
    async fn begin(&self) -> Result<Box<dyn Transaction>, StoreError>;
}

/// An open transaction. Dropping it rolls back; `commit` is the last call.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait Transaction: Send + Sync {
    /// The users, inside this transaction.
    fn users(&self) -> &dyn Users;
    /// The sessions, inside this transaction.
    fn sessions(&self) -> &dyn Sessions;
    /// The API keys, inside this transaction.
    fn api_keys(&self) -> &dyn ApiKeys;
    /// Makes the changes durable.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;
}
