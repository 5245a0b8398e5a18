//! Statements on a connection of ours, run where the caller stands.

use futures_util::FutureExt as _;
use rusqlite::{Connection, Rows};
use tidegate_domain::gateway::column_type::ColumnType;

use super::super::rows::field::Reader as _;
use super::super::rows::related;
use super::super::sql::Statement;
use super::fields::{Columns, Kept, bound};
use crate::engine::Engine;
use crate::error::local::engine;
use crate::measure::Running;

/// Runs a statement and has its rows read.
pub(super) fn run<T>(
    connection: &Connection,
    statement: &Statement,
    read: impl FnOnce(Rows<'_>) -> Result<T, sqlx::Error>,
) -> Result<T, sqlx::Error> {
    let _running = Running::of(&statement.sql);
    let mut prepared = connection.prepare_cached(&statement.sql).map_err(engine)?;
    for (at, value) in statement.binds.iter().enumerate() {
        prepared
            .raw_bind_parameter(at + 1, bound(value))
            .map_err(engine)?;
    }
    read(prepared.raw_query())
}

/// Runs a statement that gives no rows; how many it changed.
pub(super) fn execute(connection: &Connection, statement: &Statement) -> Result<u64, sqlx::Error> {
    run(connection, statement, |mut rows| {
        while rows.next().map_err(engine)?.is_some() {}
        Ok(())
    })?;
    Ok(connection.changes())
}

/// The rows of a statement.
pub(super) fn rows(
    connection: &Connection,
    statement: &Statement,
) -> Result<Vec<Kept>, sqlx::Error> {
    run(connection, statement, |mut rows| {
        let width = rows.as_ref().map_or(0, |it| it.column_count());
        let mut kept = Vec::new();
        while let Some(row) = rows.next().map_err(engine)? {
            kept.push(Kept::of(row, width)?);
        }
        Ok(kept)
    })
}

/// The one number that a statement gives.
pub(super) fn number(connection: &Connection, statement: &Statement) -> Result<u64, sqlx::Error> {
    run(connection, statement, |mut rows| {
        let row = rows.next().map_err(engine)?;
        Columns::new([]).number(row.ok_or(sqlx::Error::RowNotFound)?, 0)
    })
}

/// A connection for statements that follow each other. Nothing of it waits.
pub(super) struct Session<'c>(pub(super) &'c mut Connection);

impl related::Session for Session<'_> {
    type Reader = Columns<Kept>;

    fn engine(&self) -> Engine {
        Engine::Sqlite
    }

    fn reader(types: Vec<ColumnType>) -> Columns<Kept> {
        Columns::new(types)
    }

    async fn rows(&mut self, statement: Statement) -> Result<Vec<Kept>, sqlx::Error> {
        rows(self.0, &statement)
    }
}

/// What comes of work of which nothing waits, that is written for engines elsewhere as well.
pub(super) fn now<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    // It cannot be that it waits.
    work.now_or_never()
        .unwrap_or_else(|| Err(sqlx::Error::WorkerCrashed))
}
