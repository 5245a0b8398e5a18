//! What the printer of SQL and the definitions of columns name, and SQLite lacks.

use std::cmp::Ordering;

use regex::Regex;
use rusqlite::Connection;
use rusqlite::ffi::{self, SQLITE_CONSTRAINT_FUNCTION};
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use tidegate_domain::gateway::value::decimal_cmp;

use super::super::rows::collect::time_order;
use super::super::rows::json::{json_contains, json_order, json_overlaps};

type Collation = (&'static str, fn(&str, &str) -> Ordering);

const COLLATIONS: [Collation; 5] = [
    ("decimal", decimal_cmp),
    ("time", time_order),
    ("json", json_order),
    ("json_contains", json_contains),
    ("json_overlaps", json_overlaps),
];

/// For connections of sqlx's.
pub(crate) fn with_functions(options: SqliteConnectOptions) -> SqliteConnectOptions {
    COLLATIONS
        .into_iter()
        .fold(options, |options, (name, compare)| {
            options.collation(name, compare)
        })
        .with_regexp()
        // Statements may hold what nobody should read in a log.
        .disable_statement_logging()
}

/// The same for a connection of ours.
pub(super) fn add_functions(connection: &Connection) -> rusqlite::Result<()> {
    for (name, compare) in COLLATIONS {
        connection.create_collation(name, compare)?;
    }
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("regexp", 2, flags, matches)
}

/// Whether a text fits a pattern, which is compiled once for a statement; null where either is.
fn matches(context: &Context<'_>) -> rusqlite::Result<Option<bool>> {
    if context.get_raw(0) == ValueRef::Null {
        return Ok(None);
    }
    let pattern = context
        .get_or_create_aux(0, |pattern| {
            Regex::new(text(pattern)?.as_deref().unwrap_or_default()).map_err(|_| refused())
        })
        .map_err(|_| refused())?;
    Ok(text(context.get_raw(1))?.map(|text| pattern.is_match(&text)))
}

/// A value as a text; `None` for null.
fn text(value: ValueRef<'_>) -> rusqlite::Result<Option<std::borrow::Cow<'_, str>>> {
    Ok(match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string().into()),
        ValueRef::Real(number) => Some(real_text(number).into()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            Some(std::str::from_utf8(bytes).map_err(|_| refused())?.into())
        }
    })
}

/// A number as SQLite writes it: with 15 digits and a point.
fn real_text(number: f64) -> String {
    if number == 0.0 {
        return "0.0".to_owned();
    }
    if number.is_infinite() {
        return (if number > 0.0 { "Inf" } else { "-Inf" }).to_owned();
    }
    let text = format!("{number:.14e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    match usize::try_from(14 - exponent) {
        Ok(places @ ..=18) => trimmed(&format!("{number:.places$}")),
        _ => format!("{}e{exponent:+03}", trimmed(digits)),
    }
}

/// Without the zeros at the end, of which one is left after the point.
fn trimmed(number: &str) -> String {
    if !number.contains('.') {
        return format!("{number}.0");
    }
    let trimmed = number.trim_end_matches('0');
    let zero = if trimmed.ends_with('.') { "0" } else { "" };
    format!("{trimmed}{zero}")
}

/// What the mapping of errors knows a pattern by that cannot be used.
fn refused() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(SQLITE_CONSTRAINT_FUNCTION), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_text_that_the_engine_gives_them() {
        let connection = Connection::open_in_memory().unwrap();
        let mut numbers = vec![0.0, -0.0, 0.1 + 0.2, 1.0, -2.5, 1e14, 123_456_789_012_345.6];
        numbers.extend([
            f64::MAX,
            f64::MIN_POSITIVE,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ]);
        numbers.extend([
            1.0 / 3.0,
            200.0 / 3.0,
            9.999_999_999_999_999,
            99_999_999_999_999.96,
        ]);
        numbers.extend((-30..30).flat_map(|exponent| {
            let power = 10_f64.powi(exponent);
            [power, -1.5 * power, 1.234_567_890_123_456_7 * power]
        }));
        for number in numbers {
            let text: String = connection
                .query_row("SELECT CAST(?1 AS TEXT)", [number], |row| row.get(0))
                .unwrap();
            assert_eq!(real_text(number), text, "{number:?}");
        }
        assert_eq!(real_text(0.1 + 0.2), "0.3");
        assert_eq!(real_text(1e16), "1.0e+16");
    }

    #[test]
    fn patterns_fit_whatever_has_a_text() {
        let connection = Connection::open_in_memory().unwrap();
        add_functions(&connection).unwrap();
        let ask = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, Option<bool>>(0));
        for (sql, expected) in [
            ("SELECT 'boat' REGEXP '^b'", Some(true)),
            ("SELECT 'Boat' REGEXP '(?i)^b.*T$'", Some(true)),
            ("SELECT 120 REGEXP '^12'", Some(true)),
            ("SELECT x'6162' REGEXP 'b'", Some(true)),
            ("SELECT 'boat' REGEXP '^o'", Some(false)),
            ("SELECT NULL REGEXP '^o'", None),
            ("SELECT 'boat' REGEXP NULL", None),
        ] {
            assert_eq!(ask(sql), Ok(expected), "{sql}");
        }
        for sql in ["SELECT 'a' REGEXP '('", "SELECT x'ff' REGEXP 'a'"] {
            let error = ask(sql).unwrap_err();
            let code = error.sqlite_error().map(|error| error.extended_code);
            assert_eq!(code, Some(SQLITE_CONSTRAINT_FUNCTION), "{sql}");
        }
    }
}
