//! Rows on SQLite: inserting or changing by primary key, on the one connection that may.

use std::future::ready;

use rusqlite::Connection;
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::port::Upserted;
use tidegate_domain::gateway::schema::Table;
use tidegate_domain::gateway::value::Value;
use tidegate_domain::idempotency::{Once, Outcome};
use tidegate_domain::query::plan::UpsertPlan;

use super::super::pool::{Kind, Local, Pace, SqliteDatabase};
use super::super::rows::batch::Fault;
use super::super::rows::field::{Field, Reader as _};
use super::super::rows::keyed::{Keyed, keyed};
use super::super::sql::{self, Lock, Statement};
use super::fields::Columns;
use super::once::carry_out;
use super::rows::types;
use super::run::{execute, rows};
use super::write::FEW;
use crate::engine::Engine;

/// Stores rows by primary key.
pub(super) async fn upsert(
    database: &SqliteDatabase,
    plan: &UpsertPlan,
    once: Option<&Once<'_, Upserted>>,
) -> Result<Outcome<Upserted>, StoreError> {
    if plan.rows().is_empty() && once.is_none() {
        return Ok(Outcome::Done(Upserted::default()));
    }
    let rows = plan.clone();
    if once.is_some() {
        let work = move |local: &mut Local, _: &mut _| {
            let stored = local.within(|connection| store_all(connection, &rows));
            stored.map_err(Fault::Engine)
        };
        return carry_out(database, once, false, work, |_| ready(Ok(()))).await;
    }
    let work = move |local: &mut Local| store_all(&local.connection, &rows).map_err(Fault::Engine);
    let quick = plan.rows().len() <= FEW;
    let kind = Kind {
        pace: if quick { Pace::Quick } else { Pace::Long },
        undo: false,
    };
    let stored = database.write(kind, work).await?;
    stored.outcome().await.map(Outcome::Done)
}

fn store_all(connection: &Connection, plan: &UpsertPlan) -> Result<Upserted, sqlx::Error> {
    let mut outcome = Upserted::default();
    for row in plan.rows() {
        match keyed(plan.table(), row) {
            Some(row) => store(connection, plan.table(), &row, &mut outcome)?,
            None => new(connection, plan.table(), row, &mut outcome)?,
        }
    }
    Ok(outcome)
}

/// Stores one row that names its key.
fn store(
    connection: &Connection,
    table: &Table,
    row: &Keyed<'_>,
    outcome: &mut Upserted,
) -> Result<(), sqlx::Error> {
    let columns = row.compared();
    let found = rows(
        connection,
        &sql::select_columns(Engine::Sqlite, table, &columns, &row.key, Lock::Update),
    )?;
    let Some(there) = found.first() else {
        return new(connection, table, row.named, outcome);
    };
    let mut reader = Columns::new(types(table, &columns));
    let mut same = true;
    for (at, (column, value)) in row.others.iter().enumerate() {
        let field = reader.field(there, at)?;
        same = same
            && field.same(&Field::from_value(
                &table.columns[*column].column_type,
                value,
            ));
    }
    if same {
        outcome.unchanged += 1;
        return Ok(());
    }
    execute(
        connection,
        &sql::update_where(Engine::Sqlite, table, &row.others, &row.key, &[]),
    )?;
    outcome.updated += 1;
    Ok(())
}

/// Inserts one row.
fn new(
    connection: &Connection,
    table: &Table,
    row: &[(usize, Value)],
    outcome: &mut Upserted,
) -> Result<(), sqlx::Error> {
    let columns: Vec<usize> = row.iter().map(|(column, _)| *column).collect();
    let sql = sql::insert(
        Engine::Sqlite,
        table,
        &columns,
        &[&vec![true; columns.len()]],
        &[],
    );
    let binds = row
        .iter()
        .map(|(column, value)| {
            sql::stored(Engine::Sqlite, &table.columns[*column], value).into_owned()
        })
        .collect();
    execute(connection, &Statement { sql, binds })?;
    outcome.inserted += 1;
    Ok(())
}
