//! Rows on MySQL and MariaDB: updating.

use sqlx::mysql::MySqlConnection;
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::port::{Encoding, Written};
use tidegate_domain::gateway::value::Value;
use tidegate_domain::query::plan::{Returning, UpdatePlan};

use super::super::pool::MySqlPool;
use super::super::rows::batch::Fault;
use super::super::rows::field::{Field, Reader as _};
use super::super::rows::showing::{Showing, nothing};
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
    if plan.set().is_empty() {
        plan.ending().check(0)?;
        return Ok(Written {
            rows: 0,
            inserted: 0,
            representation: plan
                .returning()
                .map(|returning| nothing(returning, encoding)),
        });
    }
    if plan.returning().is_none() && plan.ending().is_plain() {
        let done = autocommit(pool, |engine| sql::update(engine, plan, &[])).await?;
        return Ok(Written {
            rows: done.rows_affected(),
            inserted: 0,
            representation: None,
        });
    }
    transact(pool, &Whole { plan, encoding }).await
}

/// An update whose rows are shown, or which may be undone.
struct Whole<'p> {
    plan: &'p UpdatePlan,
    encoding: Encoding,
}

impl Work for Whole<'_> {
    type Outcome = Written;

    async fn run(
        &self,
        connection: &mut MySqlConnection,
        engine: Engine,
    ) -> Result<Written, Fault> {
        let (rows, representation) = match self.plan.returning() {
            None => (self.change(connection, engine).await?, None),
            Some(returning) => self.shown(connection, engine, returning).await?,
        };
        let representation = match representation {
            Some(showing) => {
                Some(show::document(connection, engine, showing, self.encoding).await?)
            }
            None => None,
        };
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

impl<'p> Whole<'p> {
    /// Updates, and checks how many rows it were.
    async fn change(&self, connection: &mut MySqlConnection, engine: Engine) -> Result<u64, Fault> {
        let done = execute(connection, &sql::update(engine, self.plan, &[])).await?;
        let rows = done.rows_affected();
        self.plan.ending().check(rows).map_err(StoreError::from)?;
        Ok(rows)
    }

    /// What the update sets a column to.
    fn set_to(&self, column: usize) -> Option<&'p Value> {
        let mut set = self.plan.set().iter();
        set.find(|(set, _)| *set == column).map(|(_, value)| value)
    }

    async fn shown(
        &self,
        connection: &mut MySqlConnection,
        engine: Engine,
        returning: &'p Returning,
    ) -> Result<(u64, Option<Showing<'p>>), Fault> {
        let (table, plan) = (self.plan.table(), self.plan);
        let mut showing = Showing::new(returning, self.encoding);
        let key = table.identity();
        // Locks keep these rows, and the gaps beside them, as they are until the update.
        if key.is_empty() {
            // Nothing finds these rows again, so they are shown as they were, with what is set.
            let columns = showing.columns().to_vec();
            let statement =
                sql::select_columns(engine, table, &columns, plan.predicate(), Lock::Update);
            let mut reader = Columns::new(types(table, &columns));
            for row in fetch(connection, &statement).await? {
                showing.add(showing.len(), |at| match self.set_to(columns[at]) {
                    Some(value) => Ok(Field::from_value(
                        &table.columns[columns[at]].column_type,
                        value,
                    )),
                    None => reader.field(&row, at),
                })?;
            }
            let rows = self.change(connection, engine).await?;
            return Ok((rows, Some(showing)));
        }
        let statement = sql::select_columns(engine, table, &key, plan.predicate(), Lock::Update);
        let mut keys = show::values(table, &key, &fetch(connection, &statement).await?)?;
        let rows = self.change(connection, engine).await?;
        // An update may change the key itself.
        for values in &mut keys {
            for (column, value) in key.iter().zip(values) {
                if let Some(new) = self.set_to(*column) {
                    *value = new.clone();
                }
            }
        }
        show::by_keys(connection, engine, table, &key, keys, &mut showing).await?;
        Ok((rows, Some(showing)))
    }
}
