//! Reading and writing rows of gateway databases.

use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _};
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::port::{
    Encoding, RowInput, RowStore, RowsRead, SchemaCatalog, Upserted, Written,
};
use tidegate_domain::gateway::schema::Table;
use tidegate_domain::idempotency::Outcome;
use tidegate_domain::permission::{Authorized, ReadRows, WriteRows};
use tidegate_domain::query::ask::Query;
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
        let table = self.table(database, table).await?;
        let plan = self.planner.read(&table, query)?;
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
        let table = self.table(database, table).await?;
        Ok(self.planner.insert(&table, columns, returning)?)
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
        let table = self.table(database, table).await?;
        let plan = self.planner.update(&table, row, query, returning)?;
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
        let table = self.table(database, table).await?;
        let plan = self.planner.delete(&table, query, returning)?;
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
        let table = self.table(database, table).await?;
        let plan = self.planner.upsert(&table, rows)?;
        self.idempotency
            .once_by_port(request, async |once| {
                self.outcome(&table, self.store.upsert(&plan, once).await)
                    .await
            })
            .await
    }

    async fn table(&self, database: &str, table: &str) -> Result<Arc<Table>, AppError> {
        let schema = self.gateway.schema(database).await?;
        Ok(Arc::clone(find_table(&schema, table)?))
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
