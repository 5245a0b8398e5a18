//! Rows on SQLite: inserting, on the one connection that may.
//!
//! A few rows that are all there are written with others that come at the same time; for those that
//! arrive for a while there is a transaction of their own.

use std::collections::HashSet;

use rusqlite::{CachedStatement, Connection};
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::port::{Encoding, RowInput, Written};
use tidegate_domain::gateway::value::Value;
use tidegate_domain::idempotency::{Once, Outcome};
use tidegate_domain::query::change::Resolution;
use tidegate_domain::query::plan::{Cell, InsertPlan};

use super::super::pool::{Local, SqliteDatabase};
use super::super::rows::batch::{Batches, Fault, Row};
use super::super::rows::field::{Field, Reader as _};
use super::super::rows::meeting::{Meeting, Met};
use super::super::rows::showing::{Showing, nothing, told_apart};
use super::super::sql::{self, Lock, OnKey};
use super::fields::{Columns, bound};
use super::once::{Heard, Word, carry_out};
use super::rows::types;
use super::run;
use super::show;
use super::write::kind;
use crate::engine::Engine;
use crate::error::local::engine;
use crate::measure::Running;

/// SQLite's own limit.
const PLACEHOLDERS: usize = 32_766;
/// How many rows are handed to the thread that writes at a time.
const ROWS: usize = 1024;

/// Inserts the rows of an input.
pub(super) async fn insert(
    database: &SqliteDatabase,
    plan: &InsertPlan,
    input: RowInput<'_>,
    encoding: Encoding,
    once: Option<&Once<'_, Written>>,
) -> Result<Outcome<Written>, StoreError> {
    let mut batches = Batches::new(input, plan.columns().len(), PLACEHOLDERS, ROWS, true);
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
    let (ending, all) = (plan.ending(), second.is_none());
    let begun: Vec<_> = [first, second].into_iter().flatten().collect();
    let kind = kind(true, plan.returning(), ending);
    let plan = plan.clone();
    if all && once.is_none() {
        let work = move |local: &mut Local| {
            let mut inserting = Inserting::new(&plan, encoding);
            for batch in &begun {
                inserting.add(&local.connection, batch)?;
            }
            inserting.finish(&mut local.connection)
        };
        let written = database.write(kind, work).await?;
        return written.outcome().await.map(Outcome::Done);
    }
    let work = move |local: &mut Local, heard: &mut Heard| {
        let mut inserting = Inserting::new(&plan, encoding);
        for batch in &begun {
            local.within(|connection| inserting.add(connection, batch))?;
        }
        // How fast they arrive is up to the client.
        while let Some(batch) = heard.rows()? {
            local.within(|connection| inserting.add(connection, &batch))?;
        }
        local.within(|connection| inserting.finish(connection))
    };
    let feed = |say: tokio::sync::mpsc::Sender<Word>| async move {
        while let Some(batch) = batches.next().await? {
            if say.send(Word::Rows(batch)).await.is_err() {
                // The thread tells why it takes no more.
                return Ok(());
            }
        }
        let _ = say.send(Word::End).await;
        Ok(())
    };
    carry_out(database, once, ending.rollback, work, feed).await
}

/// Whether rows of one statement may refer to one another, so that their order does not matter.
fn refers_to_itself(plan: &InsertPlan) -> bool {
    let table = plan.table();
    let mut keys = table.foreign_keys.iter();
    keys.any(|key| key.references.eq_ignore_ascii_case(&table.name))
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

    /// What came of it, unless the request does not want as much.
    fn finish(self, connection: &mut Connection) -> Result<Written, Fault> {
        self.plan
            .ending()
            .check(self.rows)
            .map_err(StoreError::from)?;
        let representation = match self.shown {
            Some(showing) => Some(show::document(connection, showing, self.encoding)?),
            None => None,
        };
        Ok(Written {
            rows: self.rows,
            inserted: self.rows.saturating_sub(self.merged),
            representation,
        })
    }

    fn add(&mut self, connection: &Connection, rows: &[Row]) -> Result<(), Fault> {
        let Some(meeting) = &mut self.meeting else {
            return Ok(self.add_new(connection, rows, None)?);
        };
        let met = meeting.of_rows(rows).map_err(StoreError::from)?;
        let conflict = meeting.conflict();
        let key = conflict.key();
        if conflict.resolution() == Resolution::Ignore {
            let take = OnKey { key, take: &[] };
            return Ok(self.add_new(connection, rows, Some(take))?);
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
        // A list of keys nests as deep as it is long.
        let most = 256.min(PLACEHOLDERS / key.len().max(1));
        for keys in keys.chunks(most) {
            self.merged += there(connection, self.plan, key, keys)?;
        }
        let take = OnKey { key, take: &take };
        Ok(self.add_new(connection, rows, Some(take))?)
    }

    /// Inserts rows whose defaults are in the same columns. SQLite has no word for a
    /// default, so those columns are left out.
    fn add_new(
        &mut self,
        connection: &Connection,
        rows: &[Row],
        on_key: Option<OnKey<'_>>,
    ) -> Result<(), sqlx::Error> {
        let Some(first) = rows.first() else {
            return Ok(());
        };
        let columns: Vec<usize> = (self.plan.columns().iter().zip(first))
            .filter(|(_, cell)| **cell != Cell::Default)
            .map(|(column, _)| *column)
            .collect();
        // Every row by the same statement, which is short; there is no way to save. Rows of
        // defaults alone have no list form.
        let together = if refers_to_itself(self.plan) && !columns.is_empty() {
            rows.len()
        } else {
            1
        };
        let all = vec![true; columns.len()];
        let text = sql::insert_or(
            Engine::Sqlite,
            self.plan.table(),
            &columns,
            &vec![all.as_slice(); together],
            on_key,
            self.shown.as_ref().map_or(&[][..], Showing::columns),
        );
        let _running = Running::new("insert");
        let mut statement = connection.prepare_cached(&text).map_err(engine)?;
        for rows in rows.chunks(together) {
            self.insert(connection, &mut statement, rows)?;
        }
        Ok(())
    }

    /// Inserts the rows of one statement.
    fn insert(
        &mut self,
        connection: &Connection,
        statement: &mut CachedStatement<'_>,
        rows: &[Row],
    ) -> Result<(), sqlx::Error> {
        let values = rows.iter().flat_map(|row| row.iter().enumerate());
        let mut place = 0;
        for (at, cell) in values {
            if let (Cell::Value(value), Some(column)) = (cell, self.plan.column(at)) {
                place += 1;
                let value = sql::stored(Engine::Sqlite, column, value);
                let bound = statement.raw_bind_parameter(place, bound(&value));
                bound.map_err(engine)?;
            }
        }
        let Some(shown) = &mut self.shown else {
            statement.raw_execute().map_err(engine)?;
            self.rows += connection.changes();
            return Ok(());
        };
        let mut inserted = statement.raw_query();
        let mut reader = Columns::new(types(self.plan.table(), shown.columns()));
        while let Some(row) = inserted.next().map_err(engine)? {
            shown.add(shown.len(), |at| reader.field(row, at))?;
            self.rows += 1;
        }
        Ok(())
    }
}

/// How many rows are there with these keys. There is one writer, so it stays true.
fn there(
    connection: &Connection,
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
    let mut found = HashSet::new();
    for row in run::rows(connection, &statement)? {
        let values = (0..key.len())
            .map(|at| reader.field(&row, at).map(Field::into_value))
            .collect::<Result<Vec<_>, _>>()?;
        found.insert(told_apart(table, key, &values));
    }
    Ok(found.len() as u64)
}
