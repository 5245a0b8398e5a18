//! Errors that all ports and value types share.

use std::fmt;

use thiserror::Error;

use crate::query::error::QueryError;

/// What a storage adapter reports. One concrete type for all ports, so that use
/// cases can tell "try again later" from "this is taken" without knowing the engine.
///
/// The text of the engine is kept in `source` for the log; it never reaches a client.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The engine cannot be reached, has no connection free in time, is shutting
    /// down or asked for the work to be tried again (dead lock, busy).
    #[error("the database is not available")]
    Unavailable(#[source] Cause),
    /// A constraint refused the statement.
    #[error("a constraint refused the change: {0}")]
    Constraint(Violation),
    /// The statement ran longer than it may.
    #[error("the statement took too long")]
    Timeout(#[source] Cause),
    /// The engine refused a value that the planner had let through
    /// (out of range, too long, malformed).
    #[error("the database refused a value")]
    Value(Rejection),
    /// What the statement names is not there (dropped behind the catalogue's back).
    #[error("the {kind} does not exist")]
    Missing {
        /// What is missing: `database`, `table`, `column`, `user`.
        kind: &'static str,
    },
    /// What is to be created exists already.
    #[error("the {kind} exists already")]
    Exists {
        /// What exists: `database`, `table`, `user`.
        kind: &'static str,
    },
    /// Something that only reads was about to write.
    #[error("nothing can be written here")]
    ReadOnly(#[source] Cause),
    /// The engine cannot do this at all (database users on SQLite, say).
    #[error("{0}")]
    Unsupported(String),
    /// The account of the gateway lacks the right to do this.
    #[error("the database account of the server may not do this")]
    Denied(#[source] Cause),
    /// A routine or trigger of the database's own gave up, in words meant for whoever called
    /// (`SIGNAL`).
    #[error("{message}")]
    Raised {
        /// The SQLSTATE that it chose.
        state: String,
        /// What it said.
        message: String,
    },
    /// The rows that a caller streams in ended with an error of the caller's.
    #[error("{0}")]
    Input(#[from] QueryError),
    /// A stored value could not be read, or anything else that should not happen.
    #[error("the database failed")]
    Internal(#[source] Cause),
}

/// The engine's own error, boxed; for logs only.
pub type Cause = Box<dyn std::error::Error + Send + Sync + 'static>;

/// The cause of an `Unavailable`, with the SQLSTATE by which clients tell it from others: a
/// deadlock (40P01), a lock (55P03), too many connections (53300).
#[derive(Debug, Error)]
#[error("{cause}")]
pub struct Stated {
    /// The SQLSTATE.
    pub state: &'static str,
    /// The engine's own error.
    #[source]
    pub cause: Cause,
}

/// The kind of a broken constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViolationKind {
    /// A unique or primary key.
    Unique,
    /// A row refers to a parent that is not there.
    ForeignKeyParent,
    /// A row cannot go because children refer to it.
    ForeignKeyChild,
    /// A column that may not be null.
    NotNull,
    /// A check constraint.
    Check,
}

/// A broken constraint, with the name the engine gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What kind of constraint it is.
    pub kind: ViolationKind,
    /// The constraint's or index's name, or the column's (`NotNull`; SQLite also names
    /// the columns of a unique key, `table.column`, comma separated); empty if unknown.
    pub name: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ViolationKind::Unique => "unique key",
            ViolationKind::ForeignKeyParent | ViolationKind::ForeignKeyChild => "foreign key",
            ViolationKind::NotNull => "not null",
            ViolationKind::Check => "check",
        };
        if self.name.is_empty() {
            f.write_str(kind)
        } else {
            write!(f, "{kind} `{}`", self.name)
        }
    }
}

/// A value the engine refused, told apart as PostgreSQL's SQLSTATEs tell them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Why.
    pub kind: RejectionKind,
    /// The column, where the engine names it.
    pub column: Option<String>,
}

/// Why a value was refused by the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectionKind {
    /// Longer than the column (SQLSTATE 22001).
    TooLong,
    /// Outside the column's range (22003).
    OutOfRange,
    /// Not of the column's type (22P02).
    Malformed,
    /// A generated column was written (428C9).
    Generated,
    /// A number was divided by zero (22012).
    Division,
    /// The row is too large, or anything else that is the statement's fault (22000).
    Other,
}

/// Input that does not fit, one entry for each thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error, Default)]
#[error("{}", self.summary())]
pub struct InvalidInput {
    /// The faults, in the order in which they were found; never empty.
    pub errors: Vec<FieldError>,
}

/// One fault of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Where: a JSON pointer (RFC 6901), `` (empty) for the whole input.
    pub pointer: String,
    /// What is wrong and what to do, as one sentence.
    pub detail: String,
}

impl InvalidInput {
    /// One fault at `pointer`.
    pub fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            errors: vec![FieldError {
                pointer: pointer.into(),
                detail: detail.into(),
            }],
        }
    }

    /// One fault of the member `name` of the input's top level.
    pub fn member(name: &str, detail: impl Into<String>) -> Self {
        Self::at(format!("/{}", escape_pointer(name)), detail)
    }

    /// Adds the faults of `result`, moved below `prefix`; gives the value if there is one.
    pub fn collect<T>(&mut self, prefix: &str, result: Result<T, InvalidInput>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(other) => {
                self.errors
                    .extend(other.errors.into_iter().map(|error| FieldError {
                        pointer: format!("{prefix}{}", error.pointer),
                        detail: error.detail,
                    }));
                None
            }
        }
    }

    /// `Ok` when no fault was collected.
    ///
    /// # Errors
    /// Gives itself back when there is a fault.
    pub fn into_result(self) -> Result<(), InvalidInput> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(self)
        }
    }

    fn summary(&self) -> String {
        self.errors
            .iter()
            .map(|error| match error.pointer.as_str() {
                "" => error.detail.clone(),
                pointer => format!("{}: {}", pointer.trim_start_matches('/'), error.detail),
            })
            .collect::<Vec<_>>()
            .join("; ")
    }
}

/// Escapes a member's name for a JSON pointer (RFC 6901 section 3).
pub fn escape_pointer(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
