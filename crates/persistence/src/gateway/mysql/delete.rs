//! Rows on MySQL and MariaDB: deleting.

use sqlx::mysql::MySqlConnection;
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::port::{Encoding, Written};
use tidegate_domain::query::plan::{DeletePlan, ReadShape};

use super::super::pool::MySqlPool;
use super::super::rows::collect::Collected;
use super::super::rows::field::Reader as _;
use super::super::sql::{self, Lock};
use super::fields::Columns;
use super::rows::{execute, fetch, types};
use super::transaction::{Work, autocommit, transact};
use crate::engine::Engine;

/// Deletes the rows that fit.
pub(super) async fn delete(
    pool: &MySqlPool,
    plan: &DeletePlan,
    encoding: Encoding,
) -> Result<Written, StoreError> {
    match plan.returning() {
        None => {
            let done = autocommit(pool, |engine| sql::delete(engine, plan, &[])).await?;
            Ok(Written {
                rows: done.rows_affected(),
                representation: None,
            })
        }
        Some(shape) => {
            transact(
                pool,
                &Shown {
                    plan,
                    shape,
                    encoding,
                },
            )
            .await
        }
    }
}

/// A delete whose rows are shown as they were.
struct Shown<'p> {
    plan: &'p DeletePlan,
    shape: &'p ReadShape,
    encoding: Encoding,
}

impl Work for Shown<'_> {
    type Outcome = Written;

    async fn run(
        &self,
        connection: &mut MySqlConnection,
        engine: Engine,
    ) -> Result<Written, sqlx::Error> {
        let table = self.plan.table();
        let mut collected = Collected::new(self.shape, self.encoding);
        let columns = collected.columns().to_vec();
        let statement =
            sql::select_columns(engine, table, &columns, self.plan.predicate(), Lock::Update);
        let mut reader = Columns::new(types(table, &columns));
        for row in fetch(connection, &statement).await? {
            collected.add(collected.len(), |at| reader.field(&row, at))?;
        }
        let done = execute(connection, &sql::delete(engine, self.plan, &[])).await?;
        Ok(Written {
            rows: done.rows_affected(),
            representation: Some(collected.finish()),
        })
    }
}
