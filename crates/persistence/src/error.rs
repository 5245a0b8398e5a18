//! From the errors of sqlx and sea-orm to [`StoreError`], by the engines' own error
//! numbers: the libraries know only some of them, and their texts differ by version.
//!
//! What an engine said stays behind as the cause, for the log. The numbers stand in
//! [`mysql`] and [`sqlite`].

pub(crate) mod local;
mod message;
mod mysql;
mod sqlite;

use sea_orm::{DbErr, RuntimeErr};
use sqlx::mysql::MySqlDatabaseError;
use tidegate_domain::error::{
    Cause, Rejection, RejectionKind, Stated, StoreError, Violation, ViolationKind,
};

use crate::gateway::pool::TooSlow;
use crate::gateway::rows::cast::Uncast;
use crate::measure::{Pool, timed_out};

/// Said of statements that the engine finds too large to carry out.
const TOO_COMPLEX: &str = "the statement is too complex; ask for less at a time";

/// What an error means, before the cause is attached.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Meaning {
    Unavailable,
    // The same, with the SQLSTATE that clients know it by.
    Busy(&'static str),
    ReadOnly,
    Violation(ViolationKind, String),
    Timeout,
    Rejection(RejectionKind, Option<String>),
    Missing(&'static str),
    Exists(&'static str),
    Denied,
    // What a routine or trigger says by itself: its SQLSTATE and its words.
    Raised(String, String),
    Internal,
}

impl Meaning {
    fn with(self, cause: impl Into<Cause>) -> StoreError {
        match self {
            Meaning::Unavailable => StoreError::Unavailable(cause.into()),
            Meaning::Busy(state) => {
                let cause = cause.into();
                StoreError::Unavailable(Stated { state, cause }.into())
            }
            Meaning::ReadOnly => StoreError::ReadOnly(cause.into()),
            Meaning::Violation(kind, name) => StoreError::Constraint(Violation { kind, name }),
            Meaning::Timeout => StoreError::Timeout(cause.into()),
            Meaning::Rejection(kind, column) => StoreError::Value(Rejection { kind, column }),
            Meaning::Missing(kind) => StoreError::Missing { kind },
            Meaning::Exists(kind) => StoreError::Exists { kind },
            Meaning::Denied => StoreError::Denied(cause.into()),
            Meaning::Raised(state, message) => StoreError::Raised { state, message },
            Meaning::Internal => StoreError::Internal(cause.into()),
        }
    }
}

/// The domain's word for an error of sqlx.
///
/// SQLite does not say which side of a foreign key broke: its plain violation is given
/// as `ForeignKeyParent`, and only whoever sent a DELETE knows better.
pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    if let sqlx::Error::AnyDriverError(cause) = &error
        && let Some(Uncast(refused)) = cause.downcast_ref()
    {
        return StoreError::Input(refused.clone());
    }
    meaning(&error).with(error)
}

/// The domain's word for an error of sea-orm.
pub(crate) fn db_err(error: DbErr) -> StoreError {
    let meaning = match &error {
        DbErr::ConnectionAcquire(_) => {
            timed_out(Pool::Own);
            Meaning::Unavailable
        }
        DbErr::Conn(RuntimeErr::SqlxError(inner))
        | DbErr::Exec(RuntimeErr::SqlxError(inner))
        | DbErr::Query(RuntimeErr::SqlxError(inner)) => meaning(inner),
        _ => Meaning::Internal,
    };
    let meaning = match meaning {
        // A server that came back before its schema was made: soon it will be.
        Meaning::Missing("database" | "table") => Meaning::Unavailable,
        // Own tables that are closed to us are the server's fault, never the client's.
        Meaning::Missing(_)
        | Meaning::Exists(_)
        | Meaning::Denied
        | Meaning::Raised(..)
        | Meaning::ReadOnly => Meaning::Internal,
        meaning => meaning,
    };
    meaning.with(error)
}

/// Whether the engine gave up a transaction that would succeed if it were run again:
/// a deadlock, a lock held too long, a busy SQLite file. Trying again does not help
/// when the server is away, so those errors are not among them.
pub(crate) fn is_contention(error: &StoreError) -> bool {
    engines_error(error).is_some_and(
        |error| match error.try_downcast_ref::<MySqlDatabaseError>() {
            Some(error) => mysql::is_contention(error.number()),
            None => sqlite::code(error).is_some_and(sqlite::is_contention),
        },
    )
}

/// Whether a statement that does not wait for locks met one (servers only).
pub(crate) fn is_locked(error: &StoreError) -> bool {
    engines_error(error)
        .and_then(|error| error.try_downcast_ref::<MySqlDatabaseError>())
        .is_some_and(|error| mysql::is_locked(error.number()))
}

/// The same of an error that is not yet the domain's.
pub(crate) fn is_lock_error(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error)
        if error.try_downcast_ref::<MySqlDatabaseError>().is_some_and(|error| mysql::is_locked(error.number())))
}

/// The engine's own error behind `Unavailable`.
fn engines_error(error: &StoreError) -> Option<&dyn sqlx::error::DatabaseError> {
    let StoreError::Unavailable(cause) = error else {
        return None;
    };
    let cause = cause
        .downcast_ref::<Stated>()
        .map_or(cause, |stated| &stated.cause);
    let inner =
        cause
            .downcast_ref::<sqlx::Error>()
            .or_else(|| match cause.downcast_ref::<DbErr>()? {
                DbErr::Conn(RuntimeErr::SqlxError(inner))
                | DbErr::Exec(RuntimeErr::SqlxError(inner))
                | DbErr::Query(RuntimeErr::SqlxError(inner)) => Some(&**inner),
                _ => None,
            });
    match inner {
        Some(sqlx::Error::Database(error)) => Some(error.as_ref()),
        _ => None,
    }
}

fn meaning(error: &sqlx::Error) -> Meaning {
    match error {
        sqlx::Error::Database(error) => match error.try_downcast_ref::<MySqlDatabaseError>() {
            Some(error) => match mysql::raised(error.number(), error.code()) {
                Some(state) => Meaning::Raised(state.to_owned(), error.message().to_owned()),
                None => mysql::meaning(error.number(), error.message()),
            },
            None => sqlite::code(error.as_ref()).map_or(Meaning::Internal, |code| {
                sqlite::meaning(code, error.message())
            }),
        },
        sqlx::Error::AnyDriverError(error) if error.is::<TooSlow>() => Meaning::Timeout,
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Meaning::Unavailable,
        _ => Meaning::Internal,
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use sea_orm::ConnAcquireErr;

    use super::*;

    #[test]
    fn a_lost_connection_and_an_exhausted_pool_are_unavailable_whichever_library_says_so() {
        let reset = || sqlx::Error::Io(io::Error::from(io::ErrorKind::ConnectionReset));
        assert!(matches!(store_error(reset()), StoreError::Unavailable(_)));
        assert!(matches!(
            store_error(sqlx::Error::PoolTimedOut),
            StoreError::Unavailable(_)
        ));
        assert!(matches!(
            db_err(DbErr::Query(RuntimeErr::SqlxError(Arc::new(reset())))),
            StoreError::Unavailable(_)
        ));
        assert!(matches!(
            db_err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)),
            StoreError::Unavailable(_)
        ));
        assert!(!is_contention(&store_error(reset())));
    }

    #[test]
    fn what_should_not_happen_is_internal() {
        assert!(matches!(
            store_error(sqlx::Error::RowNotFound),
            StoreError::Internal(_)
        ));
        assert!(matches!(
            db_err(DbErr::Custom("x".into())),
            StoreError::Internal(_)
        ));
    }

    #[tokio::test]
    async fn errors_of_a_real_sqlite_are_told_apart() {
        use sqlx::{ConnectOptions, Executor};
        let mut connection = sqlx::sqlite::SqliteConnectOptions::new()
            .in_memory(true)
            .connect()
            .await
            .unwrap();
        connection
            .execute(
                "CREATE TABLE p (id INTEGER PRIMARY KEY);
                 CREATE TABLE c (a INT NOT NULL, b INT CONSTRAINT b_positive CHECK (b > 0), p INT REFERENCES p(id),
                     g INT AS (a + 1), UNIQUE (a, b));
                 INSERT INTO p VALUES (1); INSERT INTO c (a, b, p) VALUES (1, 1, 1)",
            )
            .await
            .unwrap();
        let cases = [
            (
                "INSERT INTO c (a, b) VALUES (1, 1)",
                Meaning::Violation(ViolationKind::Unique, "c.a, c.b".into()),
            ),
            (
                "INSERT INTO c (a) VALUES (NULL)",
                Meaning::Violation(ViolationKind::NotNull, "a".into()),
            ),
            (
                "INSERT INTO c (a, b) VALUES (2, 0)",
                Meaning::Violation(ViolationKind::Check, "b_positive".into()),
            ),
            (
                "INSERT INTO c (a, p) VALUES (3, 9)",
                Meaning::Violation(ViolationKind::ForeignKeyParent, String::new()),
            ),
            (
                "INSERT INTO c (a, g) VALUES (3, 9)",
                Meaning::Rejection(RejectionKind::Generated, Some("g".into())),
            ),
            (
                "UPDATE c SET g = 9",
                Meaning::Rejection(RejectionKind::Generated, Some("g".into())),
            ),
            (
                "INSERT INTO p VALUES ('x')",
                Meaning::Rejection(RejectionKind::Malformed, None),
            ),
            ("SELECT * FROM nowhere", Meaning::Missing("table")),
            ("SELECT no_column FROM c", Meaning::Missing("column")),
            ("CREATE TABLE c (a INT)", Meaning::Exists("table")),
            (
                "SELECT json('{')",
                Meaning::Rejection(RejectionKind::Malformed, None),
            ),
        ];
        for (sql, expected) in cases {
            let error = connection.execute(sql).await.unwrap_err();
            assert_eq!(meaning(&error), expected, "{sql}: {error}");
        }
        let deep = format!("SELECT {}1", "1 + ".repeat(1100));
        let deep = sqlx::raw_sql(sqlx::AssertSqlSafe(deep));
        let error = connection.execute(deep).await.unwrap_err();
        let expected = Meaning::Raised("54001".into(), TOO_COMPLEX.into());
        assert_eq!(meaning(&error), expected, "{error}");
    }
}
