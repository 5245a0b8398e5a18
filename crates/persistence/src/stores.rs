//! The ports on Tidegate's own database: each call atomic by itself, or several in one
//! transaction.

use async_trait::async_trait;
use tidegate_domain::account::{ApiKeys, Users};
use tidegate_domain::audit::AuditTrail;
use tidegate_domain::error::StoreError;
use tidegate_domain::idempotency::IdempotencyKeys;
use tidegate_domain::post::{PostRecords, Votes};
use tidegate_domain::resource::{Records, Repository};
use tidegate_domain::session::Sessions;
use tidegate_domain::transaction::{Repeatable, Transaction, Transactional, UnitOfWork};
use tidegate_domain::webhook::hook::{WebhookRecords, Webhooks};

use crate::access::{Inside, again};
use crate::accounts::{ApiKeyStore, SessionStore, UserStore, VersionStore};
use crate::audit::AuditStore;
use crate::database::Database;
use crate::idempotency::IdempotencyStore;
use crate::inbox::webhooks::WebhookStore;
use crate::post::VoteStore;
use crate::resource::{Record, Store};
use crate::retry::TRIES;

/// The ports of one database.
#[derive(Debug, Clone)]
pub struct Stores {
    database: Database,
}

impl Stores {
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

    /// The audit trail.
    pub fn audit(&self) -> AuditStore<Database> {
        AuditStore::new(self.database.clone())
    }

    /// The versions.
    pub fn versions(&self) -> VersionStore<Database> {
        VersionStore::new(self.database.clone())
    }

    /// The records of every resource.
    pub fn records(&self) -> Store<Database> {
        Store::new(self.database.clone())
    }

    /// The votes.
    pub fn votes(&self) -> VoteStore<Database> {
        VoteStore::new(self.database.clone())
    }

    /// The webhooks.
    pub fn webhooks(&self) -> WebhookStore<Database> {
        WebhookStore::new(self.database.clone())
    }

    /// The database itself, for stores that are not lent out by a transaction.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The keys of requests that may be repeated.
    pub fn idempotency(&self) -> IdempotencyStore<Database> {
        IdempotencyStore::new(self.database.clone())
    }

    /// Begins a transaction, for a type of one's own that lends out more stores than those here.
    ///
    /// # Errors
    /// `Unavailable` when there is no connection in time.
    pub async fn begin_inside(&self) -> Result<Inside, StoreError> {
        Inside::begin(&self.database).await
    }

    async fn open(&self) -> Result<OpenTransaction, StoreError> {
        let inside = self.begin_inside().await?;
        Ok(OpenTransaction {
            users: UserStore::new(inside.clone()),
            sessions: SessionStore::new(inside.clone()),
            api_keys: ApiKeyStore::new(inside.clone()),
            audit: AuditStore::new(inside.clone()),
            records: Store::new(inside.clone()),
            votes: VoteStore::new(inside.clone()),
            webhooks: WebhookStore::new(inside.clone()),
            idempotency: IdempotencyStore::new(inside.clone()),
            inside,
        })
    }
}

/// A transaction on one connection, rolled back when it is dropped.
pub struct OpenTransaction {
    users: UserStore<Inside>,
    sessions: SessionStore<Inside>,
    api_keys: ApiKeyStore<Inside>,
    audit: AuditStore<Inside>,
    records: Store<Inside>,
    votes: VoteStore<Inside>,
    webhooks: WebhookStore<Inside>,
    idempotency: IdempotencyStore<Inside>,
    inside: Inside,
}

#[async_trait]
impl Transactional for OpenTransaction {
    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        // The stores held the other references, and nothing lends them out.
        let inside = self.inside.clone();
        drop(self);
        inside.commit().await
    }

    async fn roll_back(self: Box<Self>) {
        let inside = self.inside.clone();
        drop(self);
        inside.roll_back().await;
    }
}

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

    fn audit(&self) -> &dyn AuditTrail {
        &self.audit
    }
}

impl Repeatable for OpenTransaction {
    fn idempotency(&self) -> &dyn IdempotencyKeys {
        &self.idempotency
    }
}

impl<R: Record> Records<R> for OpenTransaction {
    fn records(&self) -> &dyn Repository<R> {
        &self.records
    }
}

impl PostRecords for OpenTransaction {
    fn votes(&self) -> &dyn Votes {
        &self.votes
    }

    fn users(&self) -> &dyn Users {
        &self.users
    }
}

impl WebhookRecords for OpenTransaction {
    fn webhooks(&self) -> &dyn Webhooks {
        &self.webhooks
    }

    fn audit(&self) -> &dyn AuditTrail {
        &self.audit
    }
}

macro_rules! opens {
    ($([$($generics:tt)*] $transaction:ty),+ $(,)?) => {$(
        #[async_trait]
        impl<$($generics)*> UnitOfWork<$transaction> for Stores {
            async fn begin(&self) -> Result<Box<$transaction>, StoreError> {
                Ok(Box::new(self.open().await?))
            }

            async fn again(&self, attempt: u32, error: &StoreError) -> bool {
                let mut attempt = attempt;
                again(&mut attempt, TRIES - 1, error).await
            }
        }
    )+};
}

opens!(
    [] dyn Transaction,
    [R: Record] dyn Records<R>,
    [] dyn PostRecords,
    [] dyn WebhookRecords,
);
