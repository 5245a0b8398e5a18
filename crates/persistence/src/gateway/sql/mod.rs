//! From plans to SQL text. This is the only place that knows how the engines' dialects
//! differ in what plans can say: [`mysql`] and [`sqlite`] print tests and orders of single
//! columns, [`printer`] the clauses around them, and the statements are put together here.
//!
//! Names come from the catalogue and pass the quoting function; values are bound, always.
//! Texts of statements are stable, so that a connection prepares each of them once.

mod mysql;
mod printer;
mod sqlite;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use tidegate_domain::gateway::column_type::ColumnType;
use tidegate_domain::gateway::schema::{Column, Table};
use tidegate_domain::gateway::value::Value;
use tidegate_domain::query::plan::{ColumnTest, DeletePlan, Predicate, ReadPlan, UpdatePlan};

use crate::engine::Engine;
use printer::Printer;

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

/// The rows of a read. With `counted` each row ends with the number of all rows that fit:
/// one statement sees one moment, so page and count agree without a transaction.
pub(crate) fn select(engine: Engine, plan: &ReadPlan, counted: bool) -> Statement {
    let mut printer = Printer::new(engine, plan.table());
    printer.push("SELECT ");
    printer.outputs(plan.output());
    if counted {
        printer.push(", (SELECT COUNT(*)");
        printer.from();
        printer.filter(plan.predicate());
        printer.push(")");
    }
    printer.from();
    printer.filter(plan.predicate());
    printer.order(plan.order());
    printer.page(plan.limit(), plan.offset());
    printer.done()
}

/// How many rows fit, whatever limit and offset say.
pub(crate) fn count(engine: Engine, plan: &ReadPlan) -> Statement {
    let mut printer = Printer::new(engine, plan.table());
    printer.push("SELECT COUNT(*)");
    printer.from();
    printer.filter(plan.predicate());
    printer.done()
}

/// How many rows a read gives.
pub(crate) fn count_page(engine: Engine, plan: &ReadPlan) -> Statement {
    if plan.limit().is_none() && plan.offset() == 0 {
        return count(engine, plan);
    }
    let mut printer = Printer::new(engine, plan.table());
    printer.push("SELECT COUNT(*) FROM (SELECT 1");
    printer.from();
    printer.filter(plan.predicate());
    printer.page(plan.limit(), plan.offset());
    printer.push(") AS page");
    printer.done()
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

/// These columns of one row that fits, whichever.
pub(crate) fn select_one(
    engine: Engine,
    table: &Table,
    columns: &[usize],
    predicate: &Predicate,
) -> Statement {
    let mut statement = select_columns(engine, table, columns, predicate, Lock::None);
    statement.sql.push_str(" LIMIT 1");
    statement
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
        let predicate = Predicate::Test {
            column: *column,
            test: ColumnTest::In(values),
        };
        return select_columns(engine, table, columns, &predicate, lock);
    }
    let mut printer = Printer::new(engine, table);
    printer.push("SELECT ");
    printer.columns(columns);
    printer.from();
    printer.push(" WHERE ");
    for (at, values) in keys.iter().enumerate() {
        printer.push(if at == 0 { "" } else { " OR " });
        printer.predicate(&key_is(key, values));
    }
    printer.lock(lock);
    printer.done()
}

/// The row with this key.
pub(crate) fn key_is(key: &[usize], values: &[Value]) -> Predicate {
    use tidegate_domain::query::ask::Comparison::Eq;
    let test = |(column, value): (&usize, &Value)| Predicate::Test {
        column: *column,
        test: match value {
            Value::Null => ColumnTest::IsNull,
            value => ColumnTest::Compare(Eq, value.clone()),
        },
    };
    Predicate::All(key.iter().zip(values).map(test).collect())
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
    let mut printer = Printer::new(engine, table);
    printer.push("UPDATE ");
    printer.table();
    printer.push(" SET ");
    for (at, (column, value)) in set.iter().enumerate() {
        printer.push(if at == 0 { "" } else { ", " });
        printer.columns(&[*column]);
        printer.push(" = ");
        let value = table
            .columns
            .get(*column)
            .map_or(Cow::Borrowed(*value), |column| {
                stored(engine, column, value)
            });
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
    match (&column.column_type, value) {
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
