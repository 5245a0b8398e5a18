//! Transactions over several aggregates.

use async_trait::async_trait;

use crate::account::{ApiKeys, Users};
use crate::audit::AuditTrail;
use crate::error::StoreError;
use crate::idempotency::IdempotencyKeys;
use crate::session::Sessions;

/// Opens transactions that give what `T` gives. A port call outside one is atomic by itself.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait UnitOfWork<T: ?Sized + Send + Sync + 'static = dyn Transaction>: Send + Sync {
    /// Begins a transaction that may write (immediate on SQLite).
    async fn begin(&self) -> Result<Box<T>, StoreError>;
    /// Whether work that failed for the `attempt`-th time, counted from 0, is to be done again
    /// from the start: after a deadlock, say. Returns after a pause that fits.
    async fn again(&self, attempt: u32, error: &StoreError) -> bool;
}

/// An open transaction. Dropping it rolls back; `commit` or `roll_back` is the last call.
#[async_trait]
pub trait Transactional: Send + Sync {
    /// Makes the changes durable.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;
    /// Undoes the changes. Unlike after a drop, its locks are gone when this returns.
    async fn roll_back(self: Box<Self>) {
        drop(self);
    }
}

/// A transaction of a request that may be repeated.
pub trait Repeatable: Transactional {
    /// The keys of such requests, inside this transaction.
    fn idempotency(&self) -> &dyn IdempotencyKeys;
}

/// A transaction over accounts.
pub trait Transaction: Transactional {
    /// The users, inside this transaction.
    fn users(&self) -> &dyn Users;
    /// The sessions, inside this transaction.
    fn sessions(&self) -> &dyn Sessions;
    /// The API keys, inside this transaction.
    fn api_keys(&self) -> &dyn ApiKeys;
    /// The audit trail, inside this transaction.
    fn audit(&self) -> &dyn AuditTrail;
}
