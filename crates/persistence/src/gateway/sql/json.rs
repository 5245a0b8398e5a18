//! Places in JSON documents, and what documents are asked.
//!
//! SQLite has two collations of ours for it ([`crate::gateway::rows::json`]): `json` compares
//! values as PostgreSQL's `jsonb` does, and by `json_contains` a document is equal to what it
//! contains. MySQL compares by itself within a kind of values; MariaDB's documents are texts.

use tidegate_domain::gateway::value::Value;
use tidegate_domain::query::ask::{Comparison, JsonStep, Nulls};
use tidegate_domain::query::plan::{ColumnRef, OrderColumn, Scalar};

use super::mysql;
use super::printer::Printer;
use crate::engine::Engine;

/// The kinds of values by their order, as the servers name them.
const KINDS: [&[&str]; 6] = [
    &["NULL"],
    &["STRING"],
    &["INTEGER", "UNSIGNED INTEGER", "DOUBLE", "DECIMAL"],
    &["BOOLEAN"],
    &["ARRAY"],
    &["OBJECT"],
];
const STRING: usize = 1;
const NUMBER: usize = 2;
const ARRAY: usize = 4;
const OBJECT: usize = 5;

/// The kind of a canonical document.
fn kind(document: &str) -> usize {
    match document.as_bytes().first() {
        Some(b'n') => 0,
        Some(b'"') => STRING,
        Some(b't' | b'f') => 3,
        Some(b'[') => ARRAY,
        Some(b'{') => OBJECT,
        _ => NUMBER,
    }
}

/// The path of these steps, to be bound.
fn path(engine: Engine, steps: &[JsonStep]) -> Value {
    let mut path = String::from("$");
    for step in steps {
        match step {
            JsonStep::Key(key) => {
                path.push('.');
                path.push_str(&serde_json::Value::from(key.as_str()).to_string());
            }
            JsonStep::Index(at) if *at >= 0 => path.push_str(&format!("[{at}]")),
            JsonStep::Index(at) => {
                let back = at.unsigned_abs();
                path.push_str(&match engine {
                    Engine::Sqlite => format!("[#-{back}]"),
                    Engine::MariaDb => format!("[-{back}]"),
                    Engine::MySql if back == 1 => "[last]".to_owned(),
                    Engine::MySql => format!("[last-{}]", back - 1),
                });
            }
        }
    }
    Value::Text(path)
}

/// What stands at a place; null where there is none.
pub(super) fn place(
    printer: &mut Printer<'_>,
    column: ColumnRef,
    steps: &[JsonStep],
    as_text: bool,
) {
    let path = path(printer.engine, steps);
    if printer.engine == Engine::Sqlite {
        if !as_text {
            printer.push("(");
            printer.column_at(column);
            printer.push(" -> ");
            printer.bind(path);
            return printer.push(")");
        }
        printer.push("CASE json_type(");
        printer.column_at(column);
        printer.push(", ");
        printer.bind(path.clone());
        printer.push(") WHEN 'text' THEN ");
        printer.column_at(column);
        printer.push(" ->> ");
        printer.bind(path.clone());
        printer.push(" WHEN 'null' THEN NULL ELSE ");
        printer.column_at(column);
        printer.push(" -> ");
        printer.bind(path);
        return printer.push(" END");
    }
    // The first and the last element of what is no array are itself to the servers.
    let guarded = (steps.iter().enumerate())
        .filter(|(_, step)| matches!(step, JsonStep::Index(0 | -1)))
        .map(|(at, _)| steps.get(..at).unwrap_or_default());
    let guarded: Vec<_> = guarded.collect();
    if guarded.is_empty() && !as_text {
        return extract(printer, column, path);
    }
    printer.push("CASE WHEN ");
    for (at, prefix) in guarded.iter().enumerate() {
        printer.push(if at == 0 { "" } else { " AND " });
        printer.push("JSON_TYPE(");
        if prefix.is_empty() {
            printer.column_at(column);
        } else {
            let path = self::path(printer.engine, prefix);
            extract(printer, column, path);
        }
        printer.push(") = 'ARRAY'");
    }
    if as_text {
        printer.push(if guarded.is_empty() {
            "JSON_TYPE("
        } else {
            " AND JSON_TYPE("
        });
        extract(printer, column, path.clone());
        printer.push(") <> 'NULL' THEN JSON_UNQUOTE(");
        extract(printer, column, path);
        printer.push(") END");
    } else {
        printer.push(" THEN ");
        extract(printer, column, path);
        printer.push(" END");
    }
}

fn extract(printer: &mut Printer<'_>, column: ColumnRef, path: Value) {
    let counts_back = matches!(&path, Value::Text(path) if path.contains("[-"));
    printer.push("JSON_EXTRACT(");
    printer.column_at(column);
    if printer.engine == Engine::MariaDb && counts_back {
        // A path that is the same for all rows counts back from the end of the first row's array.
        printer.push(", CONCAT(");
        printer.bind(path);
        printer.push(", LEFT(");
        printer.column_at(column);
        return printer.push(", 0)))");
    }
    printer.push(", ");
    printer.bind(path);
    printer.push(")");
}

fn text(document: &str) -> Value {
    Value::Text(document.to_owned())
}

/// A comparison with a document.
pub(super) fn compare(
    printer: &mut Printer<'_>,
    value: &Scalar,
    comparison: Comparison,
    document: &str,
) {
    match (printer.engine, comparison) {
        (Engine::Sqlite, _) => {
            collated(printer, value, "json");
            printer.push(" ");
            printer.push(comparison.sql());
            printer.push(" ");
            printer.bind(text(document));
        }
        (_, Comparison::Eq) => equal(printer, value, document),
        (_, Comparison::Neq) => {
            printer.push("NOT ");
            equal(printer, value, document);
        }
        _ => ordered(printer, value, comparison, document),
    }
}

fn equal(printer: &mut Printer<'_>, value: &Scalar, document: &str) {
    if printer.engine == Engine::MySql {
        printer.push("(");
        printer.value(value);
        printer.push(" = CAST(");
        printer.bind(text(document));
        printer.push(" AS JSON))");
    } else {
        where_there(printer, value, |printer| {
            printer.push("JSON_EQUALS(");
            printer.value(value);
            printer.push(", ");
            printer.bind(text(document));
            printer.push(")");
        });
    }
}

/// A function of JSON, null where the value is. MariaDB takes the outcomes of some for ones that
/// are never null, and then a null beside others for true.
fn where_there(printer: &mut Printer<'_>, value: &Scalar, function: impl FnOnce(&mut Printer<'_>)) {
    if printer.engine != Engine::MariaDb {
        return function(printer);
    }
    printer.push("CASE WHEN ");
    printer.value(value);
    printer.push(" IS NOT NULL THEN ");
    function(printer);
    printer.push(" END");
}

fn is_kind(printer: &mut Printer<'_>, value: &Scalar, word: &str, kinds: &[&[&str]]) {
    printer.push("JSON_TYPE(");
    printer.value(value);
    printer.push(word);
    // No kind is less than null, and the list may not be empty.
    printer.push("('-'");
    for name in kinds.iter().copied().flatten() {
        printer.push(", '");
        printer.push(name);
        printer.push("'");
    }
    printer.push(")");
}

/// A comparison of order on a server: within a kind by value, else by the kinds.
fn ordered(printer: &mut Printer<'_>, value: &Scalar, comparison: Comparison, document: &str) {
    let kind = kind(document);
    let less = matches!(comparison, Comparison::Lt | Comparison::Lte);
    printer.push("CASE WHEN ");
    is_kind(
        printer,
        value,
        ") IN ",
        KINDS.get(kind..=kind).unwrap_or_default(),
    );
    printer.push(" THEN ");
    match (printer.engine, kind) {
        // Arrays and objects are equal or not.
        (_, 0 | ARRAY..) => {
            if matches!(comparison, Comparison::Lt | Comparison::Gt) {
                printer.push("FALSE");
            } else {
                equal(printer, value, document);
            }
        }
        (Engine::MySql, _) => {
            printer.value(value);
            printer.push(" ");
            printer.push(comparison.sql());
            printer.push(" CAST(");
            printer.bind(text(document));
            printer.push(" AS JSON)");
        }
        (_, NUMBER) => {
            number(printer, |printer| printer.value(value));
            printer.push(comparison.sql());
            number(printer, |printer| printer.bind(text(document)));
        }
        _ => {
            unquoted(printer, value);
            printer.push(" ");
            printer.push(comparison.sql());
            printer.push(" ");
            let plain = serde_json::from_str::<String>(document);
            printer.bind(Value::Text(plain.unwrap_or_else(|_| document.to_owned())));
        }
    }
    printer.push(" ELSE ");
    let word = if less { ") IN " } else { ") NOT IN " };
    is_kind(printer, value, word, KINDS.get(..kind).unwrap_or_default());
    printer.push(" END");
}

fn number(printer: &mut Printer<'_>, of: impl FnOnce(&mut Printer<'_>)) {
    printer.push("CAST(");
    of(printer);
    printer.push(" AS DECIMAL(65,30))");
}

fn unquoted(printer: &mut Printer<'_>, value: &Scalar) {
    printer.push("CONVERT(JSON_UNQUOTE(");
    printer.value(value);
    printer.push(") USING utf8mb4)");
    mysql::collate(printer);
}

/// Equal to one of these documents.
pub(super) fn one_of(printer: &mut Printer<'_>, value: &Scalar, values: &[Value]) {
    printer.halves(values, " OR ", &|printer, other| match other {
        Value::Json(document) => compare(printer, value, Comparison::Eq, document),
        _ => printer.push("NULL"),
    });
}

/// One term of an order by JSON values on a server.
fn order_by_kind(printer: &mut Printer<'_>, value: &Scalar, direction: &str) {
    printer.push("CASE JSON_TYPE(");
    printer.value(value);
    printer.push(
        ") WHEN 'NULL' THEN 0 WHEN 'STRING' THEN 1 WHEN 'BOOLEAN' THEN 3 \
         WHEN 'ARRAY' THEN 4 WHEN 'OBJECT' THEN 5 ELSE 2 END",
    );
    printer.push(direction);
    printer.push(", ");
    if printer.engine == Engine::MySql {
        printer.value(value);
        return printer.push(direction);
    }
    printer.push("CASE WHEN ");
    is_kind(
        printer,
        value,
        ") IN ",
        KINDS.get(NUMBER..=NUMBER).unwrap_or_default(),
    );
    printer.push(" THEN ");
    number(printer, |printer| printer.value(value));
    printer.push(" END");
    printer.push(direction);
    printer.push(", ");
    unquoted(printer, value);
    printer.push(direction);
}

/// One term of an order by JSON values.
pub(super) fn order(printer: &mut Printer<'_>, term: &OrderColumn) {
    if printer.engine == Engine::Sqlite {
        return super::sqlite::order(printer, term);
    }
    printer.value(term.value());
    let nulls_last = term.nulls() == Nulls::Last;
    printer.push(if nulls_last {
        " IS NULL, "
    } else {
        " IS NOT NULL, "
    });
    let direction = if term.descending() { " DESC" } else { "" };
    order_by_kind(printer, term.value(), direction);
}

/// A value of SQLite as a text under one of our collations. The cast keeps the engine from
/// looking for an index, which could not be one in this order.
fn collated(printer: &mut Printer<'_>, value: &Scalar, collation: &str) {
    printer.push("CAST(");
    printer.value(value);
    printer.push(" AS TEXT) COLLATE ");
    printer.push(collation);
}

/// Whether a document contains this one.
pub(super) fn contains(printer: &mut Printer<'_>, value: &Scalar, document: &str) {
    if printer.engine == Engine::Sqlite {
        collated(printer, value, "json_contains");
        printer.push(" = ");
        return printer.bind(text(document));
    }
    printer.push("(");
    where_there(printer, value, |printer| {
        printer.push("JSON_CONTAINS(");
        printer.value(value);
        printer.push(", ");
        printer.bind(text(document));
        printer.push(")");
    });
    // To the servers an array contains an object that one of its elements contains.
    let kind = kind(document);
    if kind >= ARRAY {
        printer.push(" AND ");
        is_kind(
            printer,
            value,
            ") IN ",
            KINDS.get(kind..=kind).unwrap_or_default(),
        );
    }
    printer.push(")");
}

/// Whether a document is contained in this one.
pub(super) fn contained(printer: &mut Printer<'_>, value: &Scalar, document: &str) {
    if printer.engine == Engine::Sqlite {
        printer.bind(text(document));
        printer.push(" COLLATE json_contains = CAST(");
        printer.value(value);
        return printer.push(" AS TEXT)");
    }
    printer.push("(");
    where_there(printer, value, |printer| {
        printer.push("JSON_CONTAINS(");
        printer.bind(text(document));
        printer.push(", ");
        printer.value(value);
        printer.push(")");
    });
    printer.push(" AND ");
    match kind(document) {
        OBJECT => is_kind(
            printer,
            value,
            ") IN ",
            KINDS.get(OBJECT..).unwrap_or_default(),
        ),
        _ => is_kind(
            printer,
            value,
            ") NOT IN ",
            KINDS.get(OBJECT..).unwrap_or_default(),
        ),
    }
    printer.push(")");
}

/// Whether an array has an element in common with this one.
pub(super) fn overlaps(printer: &mut Printer<'_>, value: &Scalar, document: &str) {
    if printer.engine == Engine::Sqlite {
        collated(printer, value, "json_overlaps");
        printer.push(" = ");
        return printer.bind(text(document));
    }
    printer.push("(");
    where_there(printer, value, |printer| {
        printer.push("JSON_OVERLAPS(");
        printer.value(value);
        printer.push(", ");
        printer.bind(text(document));
        printer.push(")");
    });
    printer.push(" AND ");
    is_kind(
        printer,
        value,
        ") IN ",
        KINDS.get(ARRAY..=ARRAY).unwrap_or_default(),
    );
    printer.push(")");
}
