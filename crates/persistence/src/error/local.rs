//! Errors of connections that are used without sqlx, in its form: one mapping serves both.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use rusqlite::ErrorCode;
use sqlx::error::{DatabaseError, ErrorKind};

/// What SQLite says of a statement.
#[derive(Debug, Clone)]
struct Said {
    code: i32,
    message: String,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(code: {}) {}", self.code, self.message)
    }
}

impl StdError for Said {}

impl DatabaseError for Said {
    fn message(&self) -> &str {
        &self.message
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(self.code.to_string().into())
    }

    fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn StdError + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

/// An error of SQLite's, in sqlx's form.
pub(crate) fn engine(error: rusqlite::Error) -> sqlx::Error {
    match error {
        rusqlite::Error::SqliteFailure(failure, message) => sqlx::Error::Database(Box::new(Said {
            code: failure.extended_code,
            message: message.unwrap_or_else(|| failure.to_string()),
        })),
        other => sqlx::Error::Decode(other.into()),
    }
}

fn said(error: &sqlx::Error) -> Option<&Said> {
    match error {
        sqlx::Error::Database(error) => error.try_downcast_ref(),
        _ => None,
    }
}

/// The same error once more, for somebody else.
pub(crate) fn repeated(error: &sqlx::Error) -> sqlx::Error {
    match said(error) {
        Some(said) => sqlx::Error::Database(Box::new(said.clone())),
        None => sqlx::Error::Decode(error.to_string().into()),
    }
}

/// The primary result code of such an error.
pub(crate) fn code(error: &sqlx::Error) -> Option<ErrorCode> {
    said(error).map(|said| rusqlite::ffi::Error::new(said.code).code)
}
