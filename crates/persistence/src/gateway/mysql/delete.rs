//! Rows on MySQL and MariaDB: deleting.

use sqlx::mysql::MySqlConnection;
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::port::{Encoding, Written};
use tidegate_domain::query::plan::DeletePlan;

use super::super::pool::MySqlPool;
use super::super::rows::batch::Fault;
use super::super::rows::field::Reader as _;
use super::super::rows::showing::Showing;
use super::super::sql::{self, Lock};
use super::fields::Columns;
use super::rows::{execute, fetch, types};
use super::show;
use super::transaction::{Work, autocommit, transact};
use crate::engine::Engine;

/// Deletes the rows that fit.
pub(super) async fn delete(
    pool: &MySqlPool,
    plan: &DeletePlan,
    encoding: Encoding,
) -> Result<Written, StoreError> {
    if plan.returning().is_none() && plan.ending().is_plain() {
        let done = autocommit(pool, |engine| sql::delete(engine, plan, &[])).await?;
        return Ok(Written {
            rows: done.rows_affected(),
            inserted: 0,
            representation: None,
        });
    }
    transact(pool, &Whole { plan, encoding }).await
}

/// A delete whose rows are shown as they were, or which may be undone.
struct Whole<'p> {
    plan: &'p DeletePlan,
    encoding: Encoding,
}

impl Work for Whole<'_> {
    type Outcome = Written;

    async fn run(
        &self,
        connection: &mut MySqlConnection,
        engine: Engine,
    ) -> Result<Written, Fault> {
        let (table, plan) = (self.plan.table(), self.plan);
        let mut representation = None;
        if let Some(returning) = plan.returning() {
            let mut showing = Showing::new(returning, self.encoding);
            let columns = showing.columns().to_vec();
            let statement =
                sql::select_columns(engine, table, &columns, plan.predicate(), Lock::Update);
            let mut reader = Columns::new(types(table, &columns));
            for row in fetch(connection, &statement).await? {
                showing.add(showing.len(), |at| reader.field(&row, at))?;
            }
            representation =
                Some(show::document(connection, engine, showing, self.encoding).await?);
        }
        let done = execute(connection, &sql::delete(engine, plan, &[])).await?;
        let rows = done.rows_affected();
        plan.ending().check(rows).map_err(StoreError::from)?;
        Ok(Written {
            rows,
            inserted: 0,
            representation,
        })
    }

    fn rolls_back(&self) -> bool {
        self.plan.ending().rollback
    }
}
