//! The result codes of SQLite (primary and extended), and the few plain errors that are
//! told apart only by their text.

use tidegate_domain::error::{RejectionKind, ViolationKind};

use super::{Meaning, TOO_COMPLEX};

/// How the errors begin that tell of a limit of the engine.
const TOO_LARGE: [&str; 6] = [
    "Expression tree is too large",
    "parser stack overflow",
    "too many SQL variables",
    "too many terms in compound",
    "at most 64 tables in a join",
    "too many columns",
];

/// The extended result code of an error; sqlx hands it out as text.
pub(super) fn code(error: &dyn sqlx::error::DatabaseError) -> Option<i32> {
    error.code()?.parse().ok()
}

/// What an error of this code says.
pub(super) fn meaning(code: i32, message: &str) -> Meaning {
    let detail = || {
        message
            .split_once("failed: ")
            .map_or("", |(_, detail)| detail)
            .to_owned()
    };
    // `table.column`, of which the column is the name.
    let column = || detail().rsplit('.').next().unwrap_or_default().to_owned();
    match code {
        // SQLITE_CONSTRAINT_UNIQUE, _PRIMARYKEY, _ROWID.
        2067 | 1555 | 2579 => Meaning::Violation(ViolationKind::Unique, detail()),
        // _FOREIGNKEY; it does not say which side.
        787 => Meaning::Violation(ViolationKind::ForeignKeyParent, String::new()),
        // _TRIGGER: RESTRICT is carried out like a trigger; others are somebody's RAISE.
        1811 if message.starts_with("FOREIGN KEY") => {
            Meaning::Violation(ViolationKind::ForeignKeyChild, String::new())
        }
        1811 => Meaning::Violation(ViolationKind::Check, String::new()),
        // _NOTNULL, _CHECK.
        1299 => Meaning::Violation(ViolationKind::NotNull, column()),
        275 => Meaning::Violation(ViolationKind::Check, detail()),
        // _FUNCTION: a pattern that makes too large a program.
        1043 => Meaning::Raised(
            "54001".into(),
            "the regular expression is too complex".into(),
        ),
        // _DATATYPE: the wrong type in a STRICT table, `... column t.c`.
        3091 => {
            let column = message
                .rsplit_once('.')
                .map(|(_, column)| column.to_owned());
            Meaning::Rejection(RejectionKind::Malformed, column)
        }
        _ => primary(code & 0xff, message),
    }
}

fn primary(code: i32, message: &str) -> Meaning {
    match code {
        1 => plain(message),
        // PERM, AUTH.
        3 | 23 => Meaning::Denied,
        // READONLY.
        8 => Meaning::ReadOnly,
        // BUSY, LOCKED.
        5 | 6 => Meaning::Busy("55P03"),
        // NOMEM, FULL.
        7 => Meaning::Busy("53200"),
        13 => Meaning::Busy("53100"),
        // IOERR, CANTOPEN, PROTOCOL, SCHEMA.
        10 | 14 | 15 | 17 => Meaning::Unavailable,
        // INTERRUPT.
        9 => Meaning::Timeout,
        // TOOBIG.
        18 => Meaning::Rejection(RejectionKind::TooLong, None),
        // MISMATCH: a text as a row id.
        20 => Meaning::Rejection(RejectionKind::Malformed, None),
        _ => Meaning::Internal,
    }
}

/// SQLITE_ERROR: everything that has no code of its own.
fn plain(message: &str) -> Meaning {
    if message.starts_with("no such table") || message.starts_with("no such view") {
        Meaning::Missing("table")
    } else if message.starts_with("no such column") || message.contains(" has no column named ") {
        Meaning::Missing("column")
    } else if message.starts_with("no such index") {
        Meaning::Missing("column or key")
    } else if message.starts_with("there is already") || message.ends_with(" already exists") {
        Meaning::Exists(if message.starts_with("index") {
            "index"
        } else {
            "table"
        })
    } else if message.starts_with("duplicate column name") {
        Meaning::Exists("column")
    } else if message.contains(" generated column ") {
        let column = message.split('"').nth(1).map(str::to_owned);
        Meaning::Rejection(RejectionKind::Generated, column)
    } else if message.starts_with("malformed JSON") || message.starts_with("bad JSON") {
        Meaning::Rejection(RejectionKind::Malformed, None)
    } else if TOO_LARGE.iter().any(|text| message.starts_with(text)) {
        Meaning::Raised("54001".into(), TOO_COMPLEX.into())
    } else if message.starts_with("integer overflow") {
        Meaning::Rejection(RejectionKind::OutOfRange, None)
    } else {
        Meaning::Internal
    }
}

/// BUSY and LOCKED with all that extends them: worth running the transaction again.
pub(super) fn is_contention(code: i32) -> bool {
    matches!(code & 0xff, 5 | 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_texts() {
        let cases = [
            (
                2067,
                "UNIQUE constraint failed: users.email_key",
                Meaning::Violation(ViolationKind::Unique, "users.email_key".into()),
            ),
            (
                1299,
                "NOT NULL constraint failed: t.a",
                Meaning::Violation(ViolationKind::NotNull, "a".into()),
            ),
            (
                1811,
                "FOREIGN KEY constraint failed",
                Meaning::Violation(ViolationKind::ForeignKeyChild, String::new()),
            ),
            (
                3091,
                "cannot store TEXT value in INTEGER column t.a",
                Meaning::Rejection(RejectionKind::Malformed, Some("a".into())),
            ),
            (5, "database is locked", Meaning::Busy("55P03")),
            (261, "database is locked", Meaning::Busy("55P03")),
            (517, "database is locked", Meaning::Busy("55P03")),
            (262, "database table is locked", Meaning::Busy("55P03")),
            (9, "interrupted", Meaning::Timeout),
            (
                1032,
                "attempt to write a readonly database",
                Meaning::ReadOnly,
            ),
            (13, "database or disk is full", Meaning::Busy("53100")),
            (14, "unable to open database file", Meaning::Unavailable),
            (11, "database disk image is malformed", Meaning::Internal),
            (1, "near \"x\": syntax error", Meaning::Internal),
            (
                1,
                "Expression tree is too large (maximum depth 1000)",
                Meaning::Raised("54001".into(), TOO_COMPLEX.into()),
            ),
        ];
        for (code, message, expected) in cases {
            assert_eq!(meaning(code, message), expected, "{code} {message}");
        }
        assert!(is_contention(517) && !is_contention(9));
    }
}
