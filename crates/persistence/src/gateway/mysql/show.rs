//! Showing rows that were written, which MySQL cannot do while it writes: they are selected
//! again by key in the same transaction.

use std::collections::HashSet;

use bytes::Bytes;
use sqlx::mysql::{MySqlConnection, MySqlRow};
use tidegate_domain::gateway::port::Encoding;
use tidegate_domain::gateway::schema::Table;
use tidegate_domain::gateway::value::Value;
use tidegate_domain::gateway::zone::Zone;
use tidegate_domain::query::plan::Child;

use super::super::rows::field::{Field, Reader as _};
use super::super::rows::related::of_keys;
use super::super::rows::showing::{Showing, places, told_apart};
use super::super::sql::{self, Lock, Statement};
use super::fields::Columns;
use super::rows::{Session, fetch, types};
use crate::engine::Engine;

/// How many rows are selected by key at once.
const KEYS: usize = 500;

/// Adds the rows with these keys, each at its place after those that are there already.
pub(super) async fn by_keys(
    connection: &mut MySqlConnection,
    engine: Engine,
    table: &Table,
    key: &[usize],
    keys: Vec<Vec<Value>>,
    showing: &mut Showing<'_>,
) -> Result<(), sqlx::Error> {
    let collected = match showing {
        Showing::Columns(collected) => collected,
        Showing::Keys(shown) => {
            keys.into_iter().for_each(|key| shown.push(key));
            return Ok(());
        }
    };
    for keys in keys.chunks(KEYS) {
        let start = collected.len();
        let columns: Vec<usize> = key.iter().chain(collected.columns()).copied().collect();
        let statement = sql::select_by_keys(engine, table, &columns, key, keys, Lock::None);
        let rows = fetch(connection, &statement).await?;
        let places = places(table, key, keys, start);
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

/// Adds one row that a condition finds; whether there is one. Of several, any will do where they
/// are `equal`, and else none.
pub(super) async fn one(
    connection: &mut MySqlConnection,
    table: &Table,
    statement: &Statement,
    equal: bool,
    showing: &mut Showing<'_>,
) -> Result<bool, sqlx::Error> {
    let rows = fetch(connection, statement).await?;
    let mut reader = Columns::new(types(table, showing.columns()));
    match rows.as_slice() {
        [] => return Ok(false),
        [_, _, ..] if !equal => return Ok(false),
        [row, ..] => showing.add(showing.len(), |at| reader.field(row, at))?,
    }
    Ok(true)
}

/// The document of written rows.
pub(super) async fn document(
    connection: &mut MySqlConnection,
    engine: Engine,
    showing: Showing<'_>,
    encoding: Encoding,
) -> Result<Bytes, sqlx::Error> {
    match showing {
        Showing::Columns(collected) => Ok(collected.finish()),
        Showing::Keys(keys) => {
            let (child, zone) = (keys.reread().child(), keys.reread().zone());
            related(connection, engine, child, &keys.in_order(), encoding, zone).await
        }
    }
}

/// Rows with these keys as a document, in the order of the keys, or in that of the node.
async fn related(
    connection: &mut MySqlConnection,
    engine: Engine,
    child: &Child,
    keys: &[Vec<Value>],
    encoding: Encoding,
    zone: Option<Zone>,
) -> Result<Bytes, sqlx::Error> {
    of_keys(
        &mut Session { connection, engine },
        child,
        keys,
        encoding,
        zone,
    )
    .await
}

/// Which of these keys are there, told apart; their rows are locked, and the gaps where the
/// others would be.
pub(super) async fn there(
    connection: &mut MySqlConnection,
    engine: Engine,
    table: &Table,
    key: &[usize],
    keys: &[Vec<Value>],
) -> Result<HashSet<String>, sqlx::Error> {
    let mut there = HashSet::with_capacity(keys.len());
    for keys in keys.chunks(KEYS) {
        let statement = sql::select_by_keys(engine, table, key, key, keys, Lock::Update);
        let rows = fetch(connection, &statement).await?;
        let found = values(table, key, &rows)?;
        there.extend(found.iter().map(|values| told_apart(table, key, values)));
    }
    Ok(there)
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
