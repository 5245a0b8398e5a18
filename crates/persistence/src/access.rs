//! Where the statements of adapters go: the pools of the own database, or one transaction.
//!
//! Adapters of the own database are generic over [`Access`], so that the same code runs on the
//! pool, where each call is atomic by itself, and inside a transaction that a use case opened.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, SubsecRound, Utc};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::name::DatabaseName;

use crate::database::Database;
use crate::engine::Engine;
use crate::error::{db_err, is_contention};
use crate::retry::{TRIES, pause};

/// Where an adapter's statements go: the pools, or one transaction.
#[async_trait]
pub trait Access: Clone + Send + Sync + 'static {
    /// What carries out a statement.
    type Connection: ConnectionTrait
        + TransactionTrait<Transaction = DatabaseTransaction>
        + Send
        + Sync;

    /// For statements that only read.
    fn reader(&self) -> &Self::Connection;

    /// For statements that write.
    fn writer(&self) -> &Self::Connection;

    /// How often a transaction of an adapter's own may be run again after a deadlock.
    fn retries(&self) -> u32;

    /// The engine, and what it calls the database.
    async fn place(&self) -> Result<Place, StoreError>;
}

/// Where tables are, as far as the text of statements depends on it.
#[derive(Debug, Clone)]
pub struct Place {
    /// The engine.
    pub engine: Engine,
    /// The database.
    pub database: DatabaseName,
}

#[async_trait]
impl Access for Database {
    type Connection = DatabaseConnection;

    fn reader(&self) -> &DatabaseConnection {
        self.pools.reader()
    }

    fn writer(&self) -> &DatabaseConnection {
        self.pools.writer()
    }

    fn retries(&self) -> u32 {
        TRIES - 1
    }

    async fn place(&self) -> Result<Place, StoreError> {
        Ok(Place {
            engine: self.engine().await?,
            // An embedded database has no name in statements.
            database: DatabaseName::own(self.name().unwrap_or_default()),
        })
    }
}

/// An open transaction as adapters share it.
///
/// Stores of one's own hold clones of it beside those of Tidegate; [`Self::commit`] is the last
/// call, when all of them are gone.
#[derive(Clone)]
pub struct Inside {
    transaction: Arc<DatabaseTransaction>,
    place: Place,
}

impl Inside {
    /// Begins a transaction that may write (immediate on SQLite).
    ///
    /// # Errors
    /// `Unavailable` when there is no connection in time.
    pub async fn begin(database: &Database) -> Result<Self, StoreError> {
        let place = database.place().await?;
        Ok(Self {
            transaction: Arc::new(begin(database.writer()).await?),
            place,
        })
    }

    /// Makes the changes durable.
    ///
    /// # Errors
    /// What the engine says; clones that are still there, which is a fault of the caller's.
    pub async fn commit(self) -> Result<(), StoreError> {
        match Arc::into_inner(self.transaction) {
            Some(transaction) => transaction.commit().await.map_err(db_err),
            None => Err(db_err(DbErr::Custom(
                "a transaction was still in use at its commit".to_owned(),
            ))),
        }
    }

    /// Undoes the changes. Where that fails the connection is lost, and the engine does it.
    pub async fn roll_back(self) {
        if let Some(transaction) = Arc::into_inner(self.transaction)
            && let Err(error) = transaction.rollback().await
        {
            tracing::debug!(error = %error, "a rollback failed");
        }
    }
}

#[async_trait]
impl Access for Inside {
    type Connection = DatabaseTransaction;

    fn reader(&self) -> &DatabaseTransaction {
        &self.transaction
    }

    fn writer(&self) -> &DatabaseTransaction {
        &self.transaction
    }

    /// A deadlock ends the outer transaction: only its owner can begin again.
    fn retries(&self) -> u32 {
        0
    }

    async fn place(&self) -> Result<Place, StoreError> {
        Ok(self.place.clone())
    }
}

/// Begins a transaction that may write; inside another one, a savepoint.
pub(crate) async fn begin(
    connection: &impl TransactionTrait<Transaction = DatabaseTransaction>,
) -> Result<DatabaseTransaction, StoreError> {
    // A transaction that reads first and writes later would find the file changed in
    // between, and fail at once; an immediate one waits for its turn.
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    connection.begin_with_options(options).await.map_err(db_err)
}

/// Whether to run a transaction again after `error`; waits a little longer each time.
pub(crate) async fn again(attempt: &mut u32, retries: u32, error: &StoreError) -> bool {
    if *attempt >= retries || !is_contention(error) {
        return false;
    }
    *attempt += 1;
    pause(*attempt).await;
    true
}

/// Runs `$body`, an expression of type `Result<_, StoreError>` that works on `$tx`, in one
/// transaction, again after a deadlock. (A macro, because a function would have to name
/// the future of a closure that borrows the transaction.)
macro_rules! atomically {
    ($access:expr, |$tx:ident| $body:expr) => {{
        let mut attempt = 0;
        loop {
            let outcome = async {
                let transaction = $crate::access::begin($access.writer()).await?;
                let $tx = &transaction;
                let value = $body?;
                transaction.commit().await.map_err($crate::error::db_err)?;
                Ok(value)
            };
            match outcome.await {
                Err(error)
                    if $crate::access::again(&mut attempt, $access.retries(), &error).await => {}
                outcome => break outcome,
            }
        }
    }};
}
pub(crate) use atomically;

/// Locks the rows a query selects until the transaction ends. SQLite has one writer and
/// needs no more.
pub(crate) fn locking<S: sea_orm::QuerySelect>(connection: &impl ConnectionTrait, query: S) -> S {
    match connection.get_database_backend() {
        DbBackend::Sqlite => query,
        _ => query.lock_exclusive(),
    }
}

/// A time as all engines keep it: microseconds.
pub(crate) fn stored(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(6)
}

/// A stored value that is not one of the domain.
pub(crate) fn corrupt(what: &str) -> StoreError {
    StoreError::Internal(Box::new(DbErr::Type(format!(
        "a stored {what} is not valid"
    ))))
}
