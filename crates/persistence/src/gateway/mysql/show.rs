//! Showing rows that were written, which MySQL cannot do while it writes: they are selected
//! again by key in the same transaction.

use std::collections::HashMap;

use sqlx::mysql::{MySqlConnection, MySqlRow};
use tidegate_domain::gateway::schema::Table;
use tidegate_domain::gateway::value::Value;

use super::super::rows::collect::Collected;
use super::super::rows::field::{Field, Reader as _};
use super::super::sql::{self, Lock, Statement};
use super::fields::Columns;
use super::rows::{fetch, types};
use crate::engine::Engine;

/// How many rows are selected by key at once.
const KEYS: usize = 500;

/// Adds the rows with these keys, each at its place after those that are there already.
pub(super) async fn by_keys(
    connection: &mut MySqlConnection,
    engine: Engine,
    table: &Table,
    key: &[usize],
    keys: &[Vec<Value>],
    collected: &mut Collected,
) -> Result<(), sqlx::Error> {
    for keys in keys.chunks(KEYS) {
        let start = collected.len();
        let columns: Vec<usize> = key.iter().chain(collected.columns()).copied().collect();
        let statement = sql::select_by_keys(engine, table, &columns, key, keys, Lock::None);
        let rows = fetch(connection, &statement).await?;
        let places: HashMap<String, usize> = keys
            .iter()
            .enumerate()
            .map(|(at, values)| (told_apart(table, key, values), start + at))
            .collect();
        let mut reader = Columns::new(types(table, &columns));
        for (at, row) in rows.iter().enumerate() {
            let values = (0..key.len())
                .map(|at| reader.field(row, at).map(Field::into_value))
                .collect::<Result<Vec<_>, _>>()?;
            // A key that the server keeps in another form than it was given comes as it comes.
            let place = places
                .get(&told_apart(table, key, &values))
                .copied()
                .unwrap_or(start + at);
            collected.add(place, |at| reader.field(row, key.len() + at))?;
        }
    }
    Ok(())
}

/// Adds one row that a condition finds.
pub(super) async fn one(
    connection: &mut MySqlConnection,
    table: &Table,
    statement: &Statement,
    collected: &mut Collected,
) -> Result<(), sqlx::Error> {
    let rows = fetch(connection, statement).await?;
    let mut reader = Columns::new(types(table, collected.columns()));
    if let Some(row) = rows.first() {
        collected.add(collected.len(), |at| reader.field(row, at))?;
    }
    Ok(())
}

/// The values of these columns.
pub(super) fn values(
    table: &Table,
    columns: &[usize],
    rows: &[MySqlRow],
) -> Result<Vec<Vec<Value>>, sqlx::Error> {
    let mut reader = Columns::new(types(table, columns));
    rows.iter()
        .map(|row| {
            (0..columns.len())
                .map(|at| reader.field(row, at).map(Field::into_value))
                .collect()
        })
        .collect()
}

/// A text that is the same for equal keys, in whatever form they were given.
fn told_apart(table: &Table, key: &[usize], values: &[Value]) -> String {
    let columns = key.iter().filter_map(|at| table.columns.get(*at));
    let fields = columns
        .zip(values)
        .map(|(column, value)| Field::from_value(&column.column_type, value).into_value());
    format!("{:?}", fields.collect::<Vec<_>>())
}
