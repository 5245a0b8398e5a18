//! Rows on MySQL and MariaDB: updating.

use sqlx::mysql::MySqlConnection;
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::port::{Encoding, Written};
use tidegate_domain::query::plan::{ReadShape, UpdatePlan};

use super::super::pool::MySqlPool;
use super::super::rows::collect::{Collected, identity, nothing};
use super::super::rows::field::{Field, Reader as _};
use super::super::sql::{self, Lock};
use super::fields::Columns;
use super::rows::{execute, fetch, types};
use super::show;
use super::transaction::{Work, autocommit, transact};
use crate::engine::Engine;

/// Updates the rows that fit. The number is that of the rows matched: the driver asks the
/// server to count so, whether a row changed or had the values already.
pub(super) async fn update(
    pool: &MySqlPool,
    plan: &UpdatePlan,
    encoding: Encoding,
) -> Result<Written, StoreError> {
    match plan.returning() {
        returning if plan.set().is_empty() => Ok(Written {
            rows: 0,
            representation: returning.map(|shape| nothing(shape, encoding)),
        }),
        None => {
            let done = autocommit(pool, |engine| sql::update(engine, plan, &[])).await?;
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

/// An update whose rows are shown.
struct Shown<'p> {
    plan: &'p UpdatePlan,
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
        let (table, plan) = (self.plan.table(), self.plan);
        let mut collected = Collected::new(self.shape, self.encoding);
        let new = |column: usize| {
            plan.set()
                .iter()
                .find(|(set, _)| *set == column)
                .map(|(_, value)| value)
        };
        let key = identity(table);
        // Locks keep these rows, and the gaps beside them, as they are until the update.
        if key.is_empty() {
            // Nothing finds these rows again, so they are shown as they were, with what is set.
            let columns = collected.columns().to_vec();
            let statement =
                sql::select_columns(engine, table, &columns, plan.predicate(), Lock::Update);
            let mut reader = Columns::new(types(table, &columns));
            for row in fetch(connection, &statement).await? {
                collected.add(collected.len(), |at| match new(columns[at]) {
                    Some(value) => Ok(Field::from_value(
                        &table.columns[columns[at]].column_type,
                        value,
                    )),
                    None => reader.field(&row, at),
                })?;
            }
            let done = execute(connection, &sql::update(engine, plan, &[])).await?;
            return Ok(Written {
                rows: done.rows_affected(),
                representation: Some(collected.finish()),
            });
        }
        let statement = sql::select_columns(engine, table, &key, plan.predicate(), Lock::Update);
        let mut keys = show::values(table, &key, &fetch(connection, &statement).await?)?;
        let done = execute(connection, &sql::update(engine, plan, &[])).await?;
        // An update may change the key itself.
        for values in &mut keys {
            for (column, value) in key.iter().zip(values) {
                if let Some(new) = new(*column) {
                    *value = new.clone();
                }
            }
        }
        show::by_keys(connection, engine, table, &key, &keys, &mut collected).await?;
        Ok(Written {
            rows: done.rows_affected(),
            representation: Some(collected.finish()),
        })
    }
}
