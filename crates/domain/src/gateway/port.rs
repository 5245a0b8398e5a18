//! Ports of the data gateway.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use super::change::{DatabaseSummary, DatabaseUser, DatabaseUserDraft, TableChange, TableDraft};
use super::name::{DatabaseName, Identifier};
use super::schema::{DatabaseSchema, Table};
use crate::error::StoreError;
use crate::idempotency::{Once, Outcome};
use crate::query::error::QueryError;
use crate::query::plan::{Cell, DeletePlan, InsertPlan, ReadPlan, UpdatePlan, UpsertPlan};

/// What databases hold. Discovered once, cached, and swapped whole, so that a request
/// costs no look-up; the old description serves while a new one is being read.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait SchemaCatalog: Send + Sync {
    /// The schema of a database, from the cache where it is there; `None` when there is no
    /// such database (asked of the engine).
    async fn schema(
        &self,
        database: &DatabaseName,
    ) -> Result<Option<Arc<DatabaseSchema>>, StoreError>;
    /// Reads a database anew; `None` when there is no such database.
    async fn reload(
        &self,
        database: &DatabaseName,
    ) -> Result<Option<Arc<DatabaseSchema>>, StoreError>;
    /// A description that is newer than `known`, for whoever misses something in that one; `None`
    /// where there is none, or where the engine was asked less than a second ago: names come from
    /// requests, and to ask is dear.
    async fn newer(
        &self,
        known: &Arc<DatabaseSchema>,
    ) -> Result<Option<Arc<DatabaseSchema>>, StoreError>;
    /// Reads those anew that were asked for since the last call, and forgets the others. Whoever
    /// asks meanwhile gets the old description. To be called now and then, so that changes become
    /// known of which nobody tells.
    async fn refresh(&self) -> Result<(), StoreError>;
    /// All databases but the reserved ones, by name, with counts and sizes asked of the engine.
    async fn databases(&self) -> Result<Vec<DatabaseSummary>, StoreError>;
}

/// By which nodes learn that another one changed a schema.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait SchemaChanges: Send + Sync {
    /// Notes a change of a database.
    async fn note(&self, database: &DatabaseName) -> Result<(), StoreError>;
    /// For each database that was ever changed a number that grows with every change.
    async fn all(&self) -> Result<HashMap<String, i64>, StoreError>;
}

/// Changes schemas. After each change the catalogue's description is new; calls for one
/// database follow one another.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait SchemaEditor: Send + Sync {
    /// Makes a database. `Exists` when it is there.
    async fn create_database(&self, name: &DatabaseName) -> Result<(), StoreError>;
    /// Drops a database with all it holds. `Missing` when it is not there.
    async fn drop_database(&self, name: &DatabaseName) -> Result<(), StoreError>;
    /// Makes a table, and describes it as the engine then sees it. `Exists` when it is there.
    /// Where a later part fails (an index, say), the table is taken away again.
    async fn create_table(
        &self,
        database: &DatabaseName,
        table: &TableDraft,
    ) -> Result<Arc<Table>, StoreError>;
    /// Changes a table (`current` is its description) and describes the outcome. One
    /// statement on MySQL, one transaction on SQLite: all of it or nothing, but for the
    /// steps that MySQL cannot put into one statement, which come last.
    async fn alter_table(
        &self,
        current: &Table,
        change: &TableChange,
    ) -> Result<Arc<Table>, StoreError>;
    /// Drops a table or view. `Missing` when it is not there.
    async fn drop_table(&self, table: &Table) -> Result<(), StoreError>;
}

/// Database accounts of MySQL and MariaDB. On SQLite every call is `Unsupported`.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait DatabaseUsers: Send + Sync {
    /// Makes an account and gives it privileges in a database. `Exists` when it is there
    /// (its password and privileges then stay).
    async fn create(
        &self,
        database: &DatabaseName,
        user: &DatabaseUserDraft,
    ) -> Result<(), StoreError>;
    /// Gives an existing account privileges. `Missing` when it is not there.
    async fn grant(
        &self,
        database: &DatabaseName,
        user: &DatabaseUserDraft,
    ) -> Result<(), StoreError>;
    /// The accounts that have privileges in exactly this database.
    async fn list(&self, database: &DatabaseName) -> Result<Vec<DatabaseUser>, StoreError>;
    /// Takes the account's privileges in this database away, and the account itself when it
    /// then has none anywhere. False when it had none here.
    async fn remove(
        &self,
        database: &DatabaseName,
        username: &str,
        host: &str,
    ) -> Result<bool, StoreError>;
}

/// How rows are written into an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// A JSON array of objects, members in the order of the plan.
    Json,
    /// CSV (RFC 4180): a header line, `\n` between lines, none at the end.
    Csv,
}

/// A whole document in pieces. An error cuts it; it never ends as a valid shorter one.
/// Dropping it drops the query. One that is made as a whole says so by its size hint, of exactly
/// one piece; one whose rows arrive while it leaves does not.
pub type RowStream = BoxStream<'static, Result<Bytes, StoreError>>;

/// The answer of a read.
pub struct RowsRead {
    /// How many rows the document has.
    pub returned: u64,
    /// How many rows fit in all, where the plan counts.
    pub total: Option<u64>,
    /// The document.
    pub body: RowStream,
}

/// The outcome of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// How many rows were inserted or merged, matched by the update, or deleted.
    pub rows: u64,
    /// How many of them were inserted.
    pub inserted: u64,
    /// The rows as a document, where the plan shows them.
    pub representation: Option<Bytes>,
}

/// The outcome of an upsert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Upserted {
    /// Rows that were new.
    pub inserted: u64,
    /// Rows that were there and already equal.
    pub unchanged: u64,
    /// Rows that were there and now are different.
    pub updated: u64,
}

/// Rows on their way in, in batches, each row with one cell a column of the plan.
pub type RowInput<'a> = BoxStream<'a, Result<Vec<Vec<Cell>>, QueryError>>;

/// Reads and writes rows. Every write is one transaction. One that may be repeated (`once`)
/// claims its key in it first, and nothing is kept of one that fails.
#[async_trait]
pub trait RowStore: Send + Sync {
    /// Reads. The first row has arrived when this returns; rows and count are of one moment.
    async fn read(&self, plan: &ReadPlan, encoding: Encoding) -> Result<RowsRead, StoreError>;
    /// Inserts the rows of `input`. An error of the input, or of any row, stores nothing.
    /// Where it is not carried out, `input` may be left half read.
    async fn insert(
        &self,
        plan: &InsertPlan,
        input: RowInput<'_>,
        encoding: Encoding,
        once: Option<&Once<'_, Written>>,
    ) -> Result<Outcome<Written>, StoreError>;
    /// Updates.
    async fn update(&self, plan: &UpdatePlan, encoding: Encoding) -> Result<Written, StoreError>;
    /// Deletes.
    async fn delete(&self, plan: &DeletePlan, encoding: Encoding) -> Result<Written, StoreError>;
    /// Inserts or changes by primary key.
    async fn upsert(
        &self,
        plan: &UpsertPlan,
        once: Option<&Once<'_, Upserted>>,
    ) -> Result<Outcome<Upserted>, StoreError>;
}

/// The name of an index for which the client gave none: `{table}_{columns}_{suffix}`, cut to
/// 64 characters on a character's boundary.
pub fn default_name(table: &Identifier, columns: &[String], suffix: &str) -> String {
    let stem = format!("{}_{}", table.as_str(), columns.join("_"));
    let room = 64 - suffix.chars().count() - 1;
    format!("{}_{suffix}", stem.chars().take(room).collect::<String>())
}
