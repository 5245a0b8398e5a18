//! Transactions over several of the account ports.

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::{DatabaseTransaction, DbErr};
use tidegate_domain::account::{ApiKeys, Users};
use tidegate_domain::error::StoreError;
use tidegate_domain::session::Sessions;
use tidegate_domain::transaction::{Transaction, UnitOfWork};

use super::{Access, ApiKeyStore, SessionStore, UserStore, VersionStore, begin};
use crate::database::Database;
use crate::error::db_err;

/// The account ports of one database, each call atomic by itself, and transactions over them.
#[derive(Debug, Clone)]
pub struct Accounts {
    database: Database,
}

impl Accounts {
    /// On this database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// The users.
    pub fn users(&self) -> UserStore<Database> {
        UserStore::new(self.database.clone())
    }

    /// The sessions.
    pub fn sessions(&self) -> SessionStore<Database> {
        SessionStore::new(self.database.clone())
    }

    /// The API keys.
    pub fn api_keys(&self) -> ApiKeyStore<Database> {
        ApiKeyStore::new(self.database.clone())
    }

    /// The versions.
    pub fn versions(&self) -> VersionStore<Database> {
        VersionStore::new(self.database.clone())
    }
}

#[async_trait]
impl UnitOfWork for Accounts {
    async fn begin(&self) -> Result<Box<dyn Transaction>, StoreError> {
        let transaction = Arc::new(begin(self.database.writer()).await?);
        Ok(Box::new(OpenTransaction {
            users: UserStore::new(transaction.clone()),
            sessions: SessionStore::new(transaction.clone()),
            api_keys: ApiKeyStore::new(transaction.clone()),
            transaction,
        }))
    }
}

/// A transaction on one connection, rolled back when it is dropped.
pub struct OpenTransaction {
    users: UserStore<Arc<DatabaseTransaction>>,
    sessions: SessionStore<Arc<DatabaseTransaction>>,
    api_keys: ApiKeyStore<Arc<DatabaseTransaction>>,
    transaction: Arc<DatabaseTransaction>,
}

#[async_trait]
impl Transaction for OpenTransaction {
    fn users(&self) -> &dyn Users {
        &self.users
    }

    fn sessions(&self) -> &dyn Sessions {
        &self.sessions
    }

    fn api_keys(&self) -> &dyn ApiKeys {
        &self.api_keys
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        let Self {
            users,
            sessions,
            api_keys,
            transaction,
        } = *self;
        drop((users, sessions, api_keys));
        // The stores held the other references, and nothing lends them out.
        match Arc::into_inner(transaction) {
            Some(transaction) => transaction.commit().await.map_err(db_err),
            None => Err(db_err(DbErr::Custom(
                "a transaction was still in use at its commit".to_owned(),
            ))),
        }
    }
}
