//! Rows on SQLite: inserting, on the one connection that may.
//!
//! A single statement is a transaction by itself; more of them begin as writers.

use std::borrow::Cow;

use futures_util::TryStreamExt as _;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{AssertSqlSafe, Executor};
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::port::{Encoding, RowInput, Written};
use tidegate_domain::gateway::value::Value;
use tidegate_domain::idempotency::{Once, Outcome};
use tidegate_domain::query::change::Resolution;
use tidegate_domain::query::plan::{Cell, InsertPlan};

use super::super::pool::{SqliteDatabase, Watch};
use super::super::rows::batch::{Batches, Fault, Row, is_repeated};
use super::super::rows::field::{Field, Reader as _};
use super::super::rows::meeting::{Meeting, Met};
use super::super::rows::showing::{Showing, nothing, told_apart};
use super::super::sql::{self, Lock, OnKey};
use super::fields::{Columns, bind};
use super::once::{keep, repeated};
use super::rows::{fetch, types};
use super::show;
use super::write::{begin, settle};
use crate::engine::Engine;
use crate::measure::Running;

/// SQLite's own limit.
const PLACEHOLDERS: usize = 32_766;
/// How many rows one statement inserts at most.
const ROWS: usize = 256;

/// Inserts the rows of an input.
pub(super) async fn insert(
    database: &SqliteDatabase,
    plan: &InsertPlan,
    input: RowInput<'_>,
    encoding: Encoding,
    once: Option<&Once<'_, Written>>,
) -> Result<Outcome<Written>, StoreError> {
    // A statement without columns inserts one row of defaults.
    let rows = if plan.columns().is_empty() { 1 } else { ROWS };
    let mut batches = Batches::new(input, plan.columns().len(), PLACEHOLDERS, rows, true);
    let mut inserting = Inserting::new(plan, encoding);
    let (first, second) = (batches.next().await?, batches.next().await?);
    if first.is_none() && once.is_none() {
        plan.ending().check(0)?;
        return Ok(Outcome::Done(Written {
            rows: 0,
            inserted: 0,
            representation: plan
                .returning()
                .map(|returning| nothing(returning, encoding)),
        }));
    }
    if once.is_none()
        && let (Some(batch), None, true) = (&first, &second, inserting.is_plain())
    {
        let mut lease = database.writer().await?;
        let watch = lease.watch();
        let outcome = watch
            .over(inserting.add_new(&mut lease, batch.clone(), None))
            .await;
        lease.end(outcome)?;
        return Ok(Outcome::Done(inserting.plainly()));
    }
    let begun = [first, second].into_iter().flatten();
    let mut lease = begin(database).await?;
    let watch = lease.watch();
    let outcome = streamed(&mut lease, &watch, inserting, begun, batches, once).await;
    settle(lease, outcome, plan.ending().rollback).await
}

/// Inserts rows as they arrive, after those that did. How fast they arrive is up to the client.
async fn streamed(
    connection: &mut SqliteConnection,
    watch: &Watch,
    mut inserting: Inserting<'_>,
    begun: impl Iterator<Item = Vec<Row>>,
    mut batches: Batches<'_>,
    once: Option<&Once<'_, Written>>,
) -> Result<Outcome<Written>, Fault> {
    if let Some(kept) = repeated(connection, once).await? {
        return Ok(Outcome::Repeated(kept));
    }
    for batch in begun {
        watch.over(inserting.add(connection, batch)).await?;
    }
    while let Some(batch) = batches.next().await? {
        watch.over(inserting.add(connection, batch)).await?;
    }
    let written = watch.over(inserting.finish(connection)).await?;
    keep(connection, once, &written).await?;
    Ok(Outcome::Done(written))
}

/// An insert under way.
struct Inserting<'p> {
    plan: &'p InsertPlan,
    encoding: Encoding,
    meeting: Option<Meeting<'p>>,
    rows: u64,
    merged: u64,
    shown: Option<Showing<'p>>,
}

impl<'p> Inserting<'p> {
    fn new(plan: &'p InsertPlan, encoding: Encoding) -> Self {
        Self {
            plan,
            encoding,
            meeting: Meeting::of(plan),
            rows: 0,
            merged: 0,
            shown: plan
                .returning()
                .map(|returning| Showing::new(returning, encoding)),
        }
    }

    /// Whether one statement is all there is to do.
    fn is_plain(&self) -> bool {
        self.meeting.is_none()
            && self.plan.ending().is_plain()
            && !matches!(self.shown, Some(Showing::Keys(_)))
    }

    /// What came of it where that is so.
    fn plainly(self) -> Written {
        Written {
            rows: self.rows,
            inserted: self.rows,
            representation: match self.shown {
                Some(Showing::Columns(collected)) => Some(collected.finish()),
                _ => None,
            },
        }
    }

    /// What came of it, unless the request does not want as much.
    async fn finish(self, connection: &mut SqliteConnection) -> Result<Written, Fault> {
        self.plan
            .ending()
            .check(self.rows)
            .map_err(StoreError::from)?;
        let representation = match self.shown {
            Some(showing) => Some(show::document(connection, showing, self.encoding).await?),
            None => None,
        };
        Ok(Written {
            rows: self.rows,
            inserted: self.rows - self.merged,
            representation,
        })
    }

    async fn add(
        &mut self,
        connection: &mut SqliteConnection,
        rows: Vec<Row>,
    ) -> Result<(), Fault> {
        let Some(meeting) = &mut self.meeting else {
            return Ok(self.add_new(connection, rows, None).await?);
        };
        let met = meeting.of_rows(&rows).map_err(StoreError::from)?;
        let conflict = meeting.conflict();
        let key = conflict.key();
        if conflict.resolution() == Resolution::Ignore {
            let take = OnKey { key, take: &[] };
            return Ok(self.add_new(connection, rows, Some(take)).await?);
        }
        let keys: Vec<Vec<Value>> = (met.into_iter())
            .filter_map(|met| match met {
                Met::Perhaps(key) => Some(key.values),
                Met::Nothing | Met::Before => None,
            })
            .collect();
        let take: Vec<usize> = (rows.first().iter())
            .flat_map(|row| meeting.taken(row))
            .map(|(column, _)| column)
            .collect();
        self.merged += there(connection, self.plan, key, &keys).await?;
        let take = OnKey { key, take: &take };
        Ok(self.add_new(connection, rows, Some(take)).await?)
    }

    /// Inserts rows whose defaults are in the same columns. SQLite has no word for a
    /// default, so those columns are left out.
    async fn add_new(
        &mut self,
        connection: &mut SqliteConnection,
        rows: Vec<Row>,
        on_key: Option<OnKey<'_>>,
    ) -> Result<(), sqlx::Error> {
        let given: Vec<bool> = rows.first().map_or_else(Vec::new, |row| {
            row.iter().map(|cell| *cell != Cell::Default).collect()
        });
        let columns: Vec<usize> = self
            .plan
            .columns()
            .iter()
            .zip(&given)
            .filter(|(_, given)| **given)
            .map(|(column, _)| *column)
            .collect();
        if columns.is_empty() && rows.len() > 1 {
            // Rows of defaults alone have no list form.
            for row in rows {
                Box::pin(self.add_new(connection, vec![row], on_key)).await?;
            }
            return Ok(());
        }
        let count = rows.len();
        let mut arguments = SqliteArguments::default();
        for row in rows {
            for (at, cell) in row.into_iter().enumerate() {
                if let (Cell::Value(value), Some(column)) = (cell, self.plan.column(at)) {
                    let changed = match sql::stored(Engine::Sqlite, column, &value) {
                        Cow::Owned(changed) => Some(changed),
                        Cow::Borrowed(_) => None,
                    };
                    bind(&mut arguments, changed.unwrap_or(value))?;
                }
            }
        }
        let returning = self.shown.as_ref().map_or(&[][..], Showing::columns);
        let all = vec![true; columns.len()];
        let text = sql::insert_or(
            Engine::Sqlite,
            self.plan.table(),
            &columns,
            &vec![all.as_slice(); count],
            on_key,
            returning,
        );
        let query = sqlx::query_with(AssertSqlSafe(text), arguments).persistent(is_repeated(count));
        let _running = Running::new("insert");
        let Some(shown) = &mut self.shown else {
            self.rows += connection.execute(query).await?.rows_affected();
            return Ok(());
        };
        let mut reader = Columns::new(types(self.plan.table(), shown.columns()));
        let mut inserted = query.fetch(connection);
        while let Some(row) = inserted.try_next().await? {
            shown.add(shown.len(), |at| reader.field(&row, at))?;
            self.rows += 1;
        }
        Ok(())
    }
}

/// How many rows are there with these keys. There is one writer, so it stays true.
async fn there(
    connection: &mut SqliteConnection,
    plan: &InsertPlan,
    key: &[usize],
    keys: &[Vec<Value>],
) -> Result<u64, sqlx::Error> {
    if keys.is_empty() {
        return Ok(0);
    }
    let table = plan.table();
    let statement = sql::select_by_keys(Engine::Sqlite, table, key, key, keys, Lock::Update);
    let mut reader = Columns::new(types(table, key));
    let mut found = std::collections::HashSet::new();
    for row in fetch(connection, statement).await? {
        let values = (0..key.len())
            .map(|at| reader.field(&row, at).map(Field::into_value))
            .collect::<Result<Vec<_>, _>>()?;
        found.insert(told_apart(table, key, &values));
    }
    Ok(found.len() as u64)
}
