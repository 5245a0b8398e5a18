//! Rows on SQLite: the store, which finds the file and hands on. Readers and the writer have
//! connections of their own, and do not wait for one another.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::column_type::ColumnType;
use tidegate_domain::gateway::port::{Encoding, RowInput, RowStore, RowsRead, Upserted, Written};
use tidegate_domain::gateway::schema::Table;
use tidegate_domain::idempotency::{Once, Outcome};
use tidegate_domain::query::plan::{DeletePlan, InsertPlan, ReadPlan, UpdatePlan, UpsertPlan};

use super::super::pool::{SqliteDatabase, SqliteFiles};
use super::super::sql::Statement;
use super::fields::arguments;
use super::{insert, read, upsert, write};
use crate::measure::Running;

/// The rows of the databases in a folder.
#[derive(Clone)]
pub struct SqliteRows {
    files: Arc<SqliteFiles>,
}

impl SqliteRows {
    /// Rows of these databases.
    pub fn new(files: Arc<SqliteFiles>) -> Self {
        Self { files }
    }

    async fn database(&self, table: &Table) -> Result<Arc<SqliteDatabase>, StoreError> {
        self.files
            .get(&table.database)
            .await?
            .ok_or(StoreError::Missing { kind: "database" })
    }
}

#[async_trait]
impl RowStore for SqliteRows {
    async fn read(&self, plan: &ReadPlan, encoding: Encoding) -> Result<RowsRead, StoreError> {
        let lease = self.database(plan.table()).await?.local().await?;
        read::read(lease, plan, encoding).await
    }

    async fn insert(
        &self,
        plan: &InsertPlan,
        input: RowInput<'_>,
        encoding: Encoding,
        once: Option<&Once<'_, Written>>,
    ) -> Result<Outcome<Written>, StoreError> {
        let database = self.database(plan.table()).await?;
        insert::insert(&database, plan, input, encoding, once).await
    }

    async fn update(&self, plan: &UpdatePlan, encoding: Encoding) -> Result<Written, StoreError> {
        let database = self.database(plan.table()).await?;
        write::update(&database, plan, encoding).await
    }

    async fn delete(&self, plan: &DeletePlan, encoding: Encoding) -> Result<Written, StoreError> {
        let database = self.database(plan.table()).await?;
        write::delete(&database, plan, encoding).await
    }

    async fn upsert(
        &self,
        plan: &UpsertPlan,
        once: Option<&Once<'_, Upserted>>,
    ) -> Result<Outcome<Upserted>, StoreError> {
        let database = self.database(plan.table()).await?;
        upsert::upsert(&database, plan, once).await
    }
}

/// The types of these columns.
pub(super) fn types(table: &Table, columns: &[usize]) -> Vec<ColumnType> {
    columns
        .iter()
        .filter_map(|at| table.columns.get(*at))
        .map(|column| column.column_type.clone())
        .collect()
}

/// A statement to be run.
pub(super) fn query(
    statement: Statement,
) -> Result<sqlx::query::Query<'static, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>, sqlx::Error> {
    Ok(sqlx::query_with(
        AssertSqlSafe(statement.sql),
        arguments(statement.binds)?,
    ))
}

/// The rows of a statement.
pub(super) async fn fetch(
    connection: &mut SqliteConnection,
    statement: Statement,
) -> Result<Vec<SqliteRow>, sqlx::Error> {
    let _running = Running::of(&statement.sql);
    query(statement)?.fetch(connection).try_collect().await
}
