//! Reading and writing rows of gateway databases.

use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::port::{
    Encoding, RowInput, RowStore, RowsRead, SchemaCatalog, Upserted, Written,
};
use tidegate_domain::gateway::schema::{DatabaseSchema, Table};
use tidegate_domain::idempotency::Outcome;
use tidegate_domain::permission::{Authorized, ReadRows, WriteRows};
use tidegate_domain::query::ask::Query;
use tidegate_domain::query::change::{Ending, OnConflict};
use tidegate_domain::query::error::QueryError;
use tidegate_domain::query::plan::InsertPlan;
use tidegate_domain::query::planner::{JsonRow, Planner, find_table};

use crate::error::AppError;
use crate::gateway::Gateway;
use crate::idempotency::{Idempotency, RepeatableWrite, Reply};
use crate::phase::{self, Phase};

/// How new rows are stored.
#[derive(Debug, Clone, Copy, Default)]
pub struct NewRows<'a> {
    /// How they are shown; `None` shows nothing.
    pub returning: Option<&'a Query>,
    /// What becomes of rows that are there already; `None` makes them a fault.
    pub on_conflict: Option<&'a OnConflict>,
    /// How the transaction ends.
    pub ending: Ending,
}

/// How rows are changed or deleted.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// Which rows, and how they are shown.
    pub query: &'a Query,
    /// Whether they are shown.
    pub returning: bool,
    /// How the transaction ends.
    pub ending: Ending,
    /// How they are written into the answer.
    pub encoding: Encoding,
}

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

    /// The description of a table or view.
    ///
    /// # Errors
    /// An unknown database or table.
    pub async fn table(
        &self,
        _: &Authorized<ReadRows>,
        database: &str,
        table: &str,
    ) -> Result<Arc<Table>, AppError> {
        let (table, ()) = self.plan(database, table, |_, _| Ok(())).await?;
        Ok(table)
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
            .plan(database, table, |schema, table| {
                self.planner.read(Some(schema), table, query)
            })
            .await?;
        self.outcome(&table, self.store.read(&plan, encoding).await)
            .await
    }

    /// Plans an insert of rows with these columns. Its outcome turns members and fields into
    /// cells, and goes to [`Self::insert`].
    ///
    /// # Errors
    /// An unknown database or table; columns that do not fit the table.
    pub async fn plan_insert(
        &self,
        _: &Authorized<WriteRows>,
        (database, table): (&str, &str),
        columns: &[String],
        how: &NewRows<'_>,
    ) -> Result<InsertPlan, AppError> {
        let plan = |schema: &DatabaseSchema, table: &Arc<Table>| {
            let plan = self
                .planner
                .insert(Some(schema), table, columns, how.returning)?
                .ends(how.ending);
            match how.on_conflict {
                Some(wanted) => plan.resolving(wanted),
                None => Ok(plan),
            }
        };
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

    /// Stores one row under the key that the query of `how` names.
    ///
    /// # Errors
    /// An unknown database or table; a row, filters or a key that do not fit; a constraint.
    pub async fn put(
        &self,
        _: &Authorized<WriteRows>,
        (database, table): (&str, &str),
        row: &JsonRow,
        how: &Change<'_>,
    ) -> Result<Written, AppError> {
        let plan = |schema: &DatabaseSchema, table: &Arc<Table>| {
            let planner = &self.planner;
            planner.put(Some(schema), table, row, how.query, how.returning)
        };
        let (table, (plan, cells)) = self.plan(database, table, plan).await?;
        let plan = plan.ends(how.ending);
        let input = Box::pin(stream::iter([Ok(vec![cells])]));
        let outcome = self.store.insert(&plan, input, how.encoding, None).await;
        match self.outcome(&table, outcome).await? {
            Outcome::Done(written) => Ok(written),
            // It has no key by which it could be repeated.
            Outcome::Repeated(_) | Outcome::InProgress => Err(AppError::InProgress),
        }
    }

    /// Changes the rows that the query of `how` filters; sets `defaults` to their defaults.
    ///
    /// # Errors
    /// An unknown database or table; values or a query that do not fit; a constraint.
    pub async fn update(
        &self,
        _: &Authorized<WriteRows>,
        (database, table): (&str, &str),
        (row, defaults): (&JsonRow, &[String]),
        how: &Change<'_>,
    ) -> Result<Written, AppError> {
        let plan = |schema: &DatabaseSchema, table: &Arc<Table>| {
            let set = (row, defaults);
            self.planner
                .update(Some(schema), table, set, how.query, how.returning)
        };
        let (table, plan) = self.plan(database, table, plan).await?;
        let plan = plan.ends(how.ending);
        self.outcome(&table, self.store.update(&plan, how.encoding).await)
            .await
    }

    /// Deletes the rows that the query of `how` filters; shows them as they were.
    ///
    /// # Errors
    /// An unknown database or table; a query that does not fit; a constraint.
    pub async fn delete(
        &self,
        _: &Authorized<WriteRows>,
        (database, table): (&str, &str),
        how: &Change<'_>,
    ) -> Result<Written, AppError> {
        let plan = |schema: &DatabaseSchema, table: &Arc<Table>| {
            let planner = &self.planner;
            planner.delete(Some(schema), table, how.query, how.returning)
        };
        let (table, plan) = self.plan(database, table, plan).await?;
        let plan = plan.ends(how.ending);
        self.outcome(&table, self.store.delete(&plan, how.encoding).await)
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
        let plan = |_: &DatabaseSchema, table: &Arc<Table>| self.planner.upsert(table, rows);
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
        plan: impl Fn(&DatabaseSchema, &Arc<Table>) -> Result<T, QueryError>,
    ) -> Result<(Arc<Table>, T), AppError> {
        let look = |schema: &DatabaseSchema| {
            let _span = tracing::debug_span!(target: "tidegate::trace", "plan").entered();
            let table = find_table(schema, table)?;
            plan(schema, table).map(|plan| (Arc::clone(table), plan))
        };
        phase::ended(Phase::Parse);
        let planned = self
            .gateway
            .look(database, look, QueryError::is_unknown_name)
            .await;
        phase::ended(Phase::Plan);
        planned
    }

    /// Where the engine says that what the catalogue knew is gone, the catalogue is read anew,
    /// so that the next request is right.
    async fn outcome<T>(
        &self,
        table: &Table,
        outcome: Result<T, StoreError>,
    ) -> Result<T, AppError> {
        phase::ended(Phase::Transaction);
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
