//! Reading and writing rows of gateway databases.

use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _};
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::port::{
    Encoding, RowInput, RowStore, RowsRead, SchemaCatalog, Upserted, Written,
};
use tidegate_domain::gateway::schema::{DatabaseSchema, Table};
use tidegate_domain::idempotency::Outcome;
use tidegate_domain::permission::{Authorized, ReadRows, WriteRows};
use tidegate_domain::query::ask::Query;
use tidegate_domain::query::error::QueryError;
use tidegate_domain::query::plan::InsertPlan;
use tidegate_domain::query::planner::{JsonRow, Planner, find_table};

use crate::error::AppError;
use crate::gateway::Gateway;
use crate::idempotency::{Idempotency, RepeatableWrite, Reply};

/// The use cases of rows.
pub struct Rows {
    gateway: Arc<Gateway>,
    catalog: Arc<dyn SchemaCatalog>,
    store: Arc<dyn RowStore>,
    planner: Planner,
    idempotency: Idempotency,
}

impl Rows {
    /// Puts the parts together.
    pub fn new(
        gateway: Arc<Gateway>,
        catalog: Arc<dyn SchemaCatalog>,
        store: Arc<dyn RowStore>,
        planner: Planner,
        idempotency: Idempotency,
    ) -> Self {
        Self {
            gateway,
            catalog,
            store,
            planner,
            idempotency,
        }
    }

    /// Reads rows.
    ///
    /// # Errors
    /// An unknown database or table; a query that does not fit the table.
    pub async fn read(
        &self,
        _: &Authorized<ReadRows>,
        database: &str,
        table: &str,
        query: &Query,
        encoding: Encoding,
    ) -> Result<RowsRead, AppError> {
        let (table, plan) = self
            .plan(database, table, |table| self.planner.read(table, query))
            .await?;
        self.outcome(&table, self.store.read(&plan, encoding).await)
            .await
    }

    /// Plans an insert of rows with these columns; `returning` says how to show them. Its
    /// outcome turns members and fields into cells, and goes to [`Self::insert`].
    ///
    /// # Errors
    /// An unknown database or table; columns that do not fit the table.
    pub async fn plan_insert(
        &self,
        _: &Authorized<WriteRows>,
        database: &str,
        table: &str,
        columns: &[String],
        returning: Option<&Query>,
    ) -> Result<InsertPlan, AppError> {
        let plan = |table: &Arc<Table>| self.planner.insert(table, columns, returning);
        let (_, plan) = self.plan(database, table, plan).await?;
        Ok(plan)
    }

    /// Inserts the rows of `input`, all or none; those of a repetition are only read.
    ///
    /// # Errors
    /// An error of the input; a constraint; a repetition under way or with another content.
    pub async fn insert(
        &self,
        _: &Authorized<WriteRows>,
        plan: &InsertPlan,
        input: RowInput<'_>,
        encoding: Encoding,
        request: Option<&RepeatableWrite<'_, Written>>,
    ) -> Result<Reply<Written>, AppError> {
        let mut input = input.fuse();
        self.idempotency
            .once_by_port(request, async |once| {
                let rows = Box::pin(&mut input);
                let outcome = self.store.insert(plan, rows, encoding, once).await;
                let outcome = self.outcome(plan.table(), outcome).await?;
                if let Outcome::Repeated(_) = outcome {
                    while input.try_next().await?.is_some() {}
                }
                Ok(outcome)
            })
            .await
    }

    /// Changes the rows that `query` filters; with `returning` shows them.
    ///
    /// # Errors
    /// An unknown database or table; values or a query that do not fit; a constraint.
    #[expect(
        clippy::too_many_arguments,
        reason = "what is to be changed, and how, is one flat request"
    )]
    pub async fn update(
        &self,
        _: &Authorized<WriteRows>,
        database: &str,
        table: &str,
        row: &JsonRow,
        query: &Query,
        returning: bool,
        encoding: Encoding,
    ) -> Result<Written, AppError> {
        let plan = |table: &Arc<Table>| self.planner.update(table, row, query, returning);
        let (table, plan) = self.plan(database, table, plan).await?;
        self.outcome(&table, self.store.update(&plan, encoding).await)
            .await
    }

    /// Deletes the rows that `query` filters; with `returning` shows them as they were.
    ///
    /// # Errors
    /// An unknown database or table; a query that does not fit; a constraint.
    pub async fn delete(
        &self,
        _: &Authorized<WriteRows>,
        database: &str,
        table: &str,
        query: &Query,
        returning: bool,
        encoding: Encoding,
    ) -> Result<Written, AppError> {
        let plan = |table: &Arc<Table>| self.planner.delete(table, query, returning);
        let (table, plan) = self.plan(database, table, plan).await?;
        self.outcome(&table, self.store.delete(&plan, encoding).await)
            .await
    }

    /// Stores rows by their primary key; each may name other columns.
    ///
    /// # Errors
    /// An unknown database or table; values that do not fit; a constraint; a repetition under
    /// way or with another content.
    pub async fn upsert(
        &self,
        _: &Authorized<WriteRows>,
        database: &str,
        table: &str,
        rows: &[JsonRow],
        request: Option<&RepeatableWrite<'_, Upserted>>,
    ) -> Result<Reply<Upserted>, AppError> {
        let plan = |table: &Arc<Table>| self.planner.upsert(table, rows);
        let (table, plan) = self.plan(database, table, plan).await?;
        self.idempotency
            .once_by_port(request, async |once| {
                self.outcome(&table, self.store.upsert(&plan, once).await)
                    .await
            })
            .await
    }

    /// Plans on a table as the catalogue knows it.
    async fn plan<T>(
        &self,
        database: &str,
        table: &str,
        plan: impl Fn(&Arc<Table>) -> Result<T, QueryError>,
    ) -> Result<(Arc<Table>, T), AppError> {
        let look = |schema: &DatabaseSchema| {
            let _span = tracing::debug_span!(target: "tidegate::trace", "plan").entered();
            let table = find_table(schema, table)?;
            plan(table).map(|plan| (Arc::clone(table), plan))
        };
        self.gateway
            .look(database, look, QueryError::is_unknown_name)
            .await
    }

    /// Where the engine says that what the catalogue knew is gone, the catalogue is read anew,
    /// so that the next request is right.
    async fn outcome<T>(
        &self,
        table: &Table,
        outcome: Result<T, StoreError>,
    ) -> Result<T, AppError> {
        if let Err(StoreError::Missing { .. }) = &outcome {
            self.catalog.reload(&table.database).await?;
            return Err(AppError::NotFound(format!(
                "The table {} of the database {} was changed by somebody else; try again",
                table.name, table.database
            )));
        }
        Ok(outcome?)
    }
}
