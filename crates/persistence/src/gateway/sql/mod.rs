//! From plans to SQL text. This is the only place that knows how the engines' dialects
//! differ in what plans can say: [`mysql`] and [`sqlite`] print tests and orders of single
//! values, [`json`], [`search`] and [`scalar`] what is computed, [`printer`] the clauses around
//! them, [`reads`] puts statements of reads together, and those of writes are here.
//!
//! Names come from the catalogue and pass the quoting function; values are bound, always.
//! Texts of statements are stable, so that a connection prepares each of them once.

mod json;
mod mysql;
mod printer;
mod reads;
mod scalar;
mod search;
mod sqlite;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use tidegate_domain::gateway::column_type::ColumnType;
use tidegate_domain::gateway::schema::{Column, Table};
use tidegate_domain::gateway::value::Value;
use tidegate_domain::query::plan::{Cell, DeletePlan, Predicate, Test, UpdatePlan};

use crate::engine::Engine;
use printer::Printer;
pub(crate) use reads::*;
pub(crate) use scalar::{Finish, aggregate_of, finish, types};

/// A statement and the values of its placeholders, in their order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Statement {
    /// The text, with a `?` for each value.
    pub(crate) sql: String,
    /// The values.
    pub(crate) binds: Vec<Value>,
}

/// Whether a select takes locks on its rows until the transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lock {
    /// It does not.
    None,
    /// It does, where the engine locks rows.
    Update,
}

/// These columns of the rows that fit.
pub(crate) fn select_columns(
    engine: Engine,
    table: &Table,
    columns: &[usize],
    predicate: &Predicate,
    lock: Lock,
) -> Statement {
    let mut printer = Printer::new(engine, table);
    printer.push("SELECT ");
    printer.columns(columns);
    printer.from();
    printer.filter(predicate);
    printer.lock(lock);
    printer.done()
}

/// These columns of the rows with any of these keys.
pub(crate) fn select_by_keys(
    engine: Engine,
    table: &Table,
    columns: &[usize],
    key: &[usize],
    keys: &[Vec<Value>],
    lock: Lock,
) -> Statement {
    if let [column] = key {
        let values = keys.iter().flatten().cloned().collect();
        let predicate = Predicate::of(table, *column, Test::In(values));
        return select_columns(engine, table, columns, &predicate, lock);
    }
    let mut printer = Printer::new(engine, table);
    printer.push("SELECT ");
    printer.columns(columns);
    printer.from();
    printer.push(" WHERE ");
    for (at, values) in keys.iter().enumerate() {
        printer.push(if at == 0 { "" } else { " OR " });
        printer.predicate(&key_is(table, key, values));
    }
    printer.lock(lock);
    printer.done()
}

/// The row with this key.
pub(crate) fn key_is(table: &Table, key: &[usize], values: &[Value]) -> Predicate {
    use tidegate_domain::query::ask::Comparison::Eq;
    let test = |(column, value): (&usize, &Value)| {
        let test = match value {
            Value::Null => Test::IsNull,
            value => Test::Compare(Eq, value.clone()),
        };
        Predicate::of(table, *column, test)
    };
    Predicate::All(key.iter().zip(values).map(test).collect())
}

/// What an insert does where a row with the key is there already (SQLite only).
#[derive(Debug, Clone, Copy)]
pub(crate) struct OnKey<'a> {
    /// The key's columns.
    pub(crate) key: &'a [usize],
    /// The columns that the row which is there takes from the new one; with none it stays as
    /// it is.
    pub(crate) take: &'a [usize],
}

/// The text of an insert of `rows` rows, each of which has a value, or the default where the
/// row's entry is false, for each of `columns`. `returning` is for engines that have it.
pub(crate) fn insert(
    engine: Engine,
    table: &Table,
    columns: &[usize],
    rows: &[&[bool]],
    returning: &[usize],
) -> String {
    insert_or(engine, table, columns, rows, None, returning)
}

/// The same, with what is done where a row is there already.
pub(crate) fn insert_or(
    engine: Engine,
    table: &Table,
    columns: &[usize],
    rows: &[&[bool]],
    on_key: Option<OnKey<'_>>,
    returning: &[usize],
) -> String {
    let mut printer = Printer::new(engine, table);
    printer.push("INSERT INTO ");
    printer.table();
    if columns.is_empty() && engine == Engine::Sqlite {
        printer.push(" DEFAULT VALUES");
    } else {
        printer.push(" (");
        printer.columns(columns);
        printer.push(") VALUES ");
        for (at, row) in rows.iter().enumerate() {
            printer.push(if at == 0 { "(" } else { ", (" });
            for (at, given) in row.iter().enumerate() {
                printer.push(if at == 0 { "" } else { ", " });
                // The sessions take a zero for a zero, and DEFAULT of a column that numbers
                // its rows is one; null asks for a number.
                let numbers = columns
                    .get(at)
                    .and_then(|at| table.columns.get(*at))
                    .is_some_and(|it| it.auto_increment);
                printer.push(match (given, numbers) {
                    (true, _) => "?",
                    (false, true) => "NULL",
                    (false, false) => "DEFAULT",
                });
            }
            printer.push(")");
        }
        if let Some(OnKey { key, take }) = on_key {
            printer.push(" ON CONFLICT (");
            printer.columns(key);
            printer.push(if take.is_empty() {
                ") DO NOTHING"
            } else {
                ") DO UPDATE SET "
            });
            for (at, column) in take.iter().enumerate() {
                printer.push(if at == 0 { "" } else { ", " });
                printer.columns(&[*column]);
                printer.push(" = excluded.");
                printer.columns(&[*column]);
            }
        }
    }
    printer.returning(returning);
    printer.sql
}

/// An update. `returning` is for engines that have it.
pub(crate) fn update(engine: Engine, plan: &UpdatePlan, returning: &[usize]) -> Statement {
    let set: Vec<_> = plan
        .set()
        .iter()
        .map(|(column, value)| (*column, value))
        .collect();
    update_where(engine, plan.table(), &set, plan.predicate(), returning)
}

/// An update of the rows that fit.
pub(crate) fn update_where(
    engine: Engine,
    table: &Table,
    set: &[(usize, &Value)],
    predicate: &Predicate,
    returning: &[usize],
) -> Statement {
    let set = set.iter().map(|(column, value)| (*column, Some(*value)));
    updating(engine, table, set, predicate, returning)
}

/// An update of the rows that fit by the cells of a new row (servers only).
pub(crate) fn update_by(
    engine: Engine,
    table: &Table,
    set: &[(usize, &Cell)],
    predicate: &Predicate,
) -> Statement {
    let set = set.iter().map(|(column, cell)| match cell {
        Cell::Value(value) => (*column, Some(value)),
        Cell::Default => (*column, None),
    });
    updating(engine, table, set, predicate, &[])
}

fn updating<'v>(
    engine: Engine,
    table: &Table,
    set: impl Iterator<Item = (usize, Option<&'v Value>)>,
    predicate: &Predicate,
    returning: &[usize],
) -> Statement {
    let mut printer = Printer::new(engine, table);
    printer.push("UPDATE ");
    printer.table();
    printer.push(" SET ");
    for (at, (column, value)) in set.enumerate() {
        printer.push(if at == 0 { "" } else { ", " });
        printer.columns(&[column]);
        printer.push(" = ");
        let Some(value) = value else {
            printer.push("DEFAULT");
            continue;
        };
        let value = table
            .columns
            .get(column)
            .map_or(Cow::Borrowed(value), |column| stored(engine, column, value));
        printer.bind(value.into_owned());
    }
    printer.filter(predicate);
    printer.returning(returning);
    printer.done()
}

/// A delete. `returning` is for engines that have it.
pub(crate) fn delete(engine: Engine, plan: &DeletePlan, returning: &[usize]) -> Statement {
    let mut printer = Printer::new(engine, plan.table());
    printer.push("DELETE");
    printer.from();
    printer.filter(plan.predicate());
    printer.returning(returning);
    printer.done()
}

/// A value in the form in which the engine takes it for a column.
pub(crate) fn stored<'v>(engine: Engine, column: &Column, value: &'v Value) -> Cow<'v, Value> {
    stored_as(engine, &column.column_type, value)
}

/// A value in the form in which the engine takes it for this type.
fn stored_as<'v>(engine: Engine, column_type: &ColumnType, value: &'v Value) -> Cow<'v, Value> {
    match (column_type, value) {
        // As rows show it; the sessions' zone is UTC, and MariaDB reads no offset.
        (ColumnType::Timestamp(_), Value::Text(text)) if engine.is_server() => {
            match text.strip_suffix("+00:00") {
                Some(text) => Cow::Owned(Value::Text(text.to_owned())),
                None => Cow::Borrowed(value),
            }
        }
        _ => Cow::Borrowed(value),
    }
}
