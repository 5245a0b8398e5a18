//! Requests that may be repeated, kept beside the rows that they write and committed with
//! them: the statements. On servers the table is that of Tidegate's own database, in an SQLite
//! file a hidden one.

use chrono::{DateTime, Utc};
use tidegate_domain::gateway::value::Value;
use tidegate_domain::idempotency::{KEPT, Kept, Once};

use super::ddl::mysql_name;
use super::sql::Statement;
use crate::idempotency::headers_text;

/// The hidden table of an SQLite file, made with the first key.
pub(crate) const CREATE_HIDDEN: &str = "CREATE TABLE IF NOT EXISTS _tidegate_idempotency (\
     id TEXT NOT NULL PRIMARY KEY, created_at TEXT NOT NULL, fingerprint TEXT, status INTEGER, \
     headers TEXT, body BLOB); \
     CREATE INDEX IF NOT EXISTS _tidegate_idempotency_created ON _tidegate_idempotency (created_at)";

/// Its name.
pub(crate) const HIDDEN: &str = "_tidegate_idempotency";

/// Deletes what was made before a time.
pub(crate) const OLD_HIDDEN: &str = "DELETE FROM _tidegate_idempotency WHERE created_at < ?";

/// A table of keys.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    table: String,
    lock: &'static str,
}

impl Keys {
    /// Those of a server, in Tidegate's own database.
    pub(crate) fn of_server(own_name: &str) -> Self {
        Self {
            table: format!("{}.idempotency_keys", mysql_name(own_name)),
            lock: " FOR UPDATE NOWAIT",
        }
    }

    /// Those of an SQLite file, which has one writer and no locks of rows.
    pub(crate) fn of_file() -> Self {
        Self {
            table: HIDDEN.to_owned(),
            lock: "",
        }
    }

    /// Looks for a request: whether its time is not over, and what was kept.
    pub(crate) fn find<T>(&self, once: &Once<'_, T>) -> Statement {
        let Self { table, lock } = self;
        Statement {
            sql: format!(
                "SELECT created_at > ?, fingerprint, status, headers, body FROM {table} WHERE id = ?{lock}"
            ),
            binds: vec![time(once.now - KEPT), text(once.id)],
        }
    }

    /// Deletes the request if its time is over.
    pub(crate) fn delete<T>(&self, once: &Once<'_, T>) -> Statement {
        Statement {
            sql: format!(
                "DELETE FROM {} WHERE id = ? AND created_at <= ?",
                self.table
            ),
            binds: vec![text(once.id), time(once.now - KEPT)],
        }
    }

    /// Deletes all whose time is over.
    pub(crate) fn purge<T>(&self, once: &Once<'_, T>) -> Statement {
        Statement {
            sql: format!("DELETE FROM {} WHERE created_at <= ?", self.table),
            binds: vec![time(once.now - KEPT)],
        }
    }

    /// Notes that the request is being carried out.
    pub(crate) fn claim<T>(&self, once: &Once<'_, T>) -> Statement {
        Statement {
            sql: format!("INSERT INTO {} (id, created_at) VALUES (?, ?)", self.table),
            binds: vec![text(once.id), time(once.now)],
        }
    }

    /// Keeps what came of it.
    pub(crate) fn keep<T>(
        &self,
        once: &Once<'_, T>,
        outcome: &T,
    ) -> Result<Statement, sqlx::Error> {
        let Kept {
            fingerprint,
            answer,
        } = (once.keep)(outcome);
        let headers = headers_text(&answer).map_err(|error| sqlx::Error::Encode(error.into()))?;
        Ok(Statement {
            sql: format!(
                "UPDATE {} SET fingerprint = ?, status = ?, headers = ?, body = ? WHERE id = ?",
                self.table
            ),
            binds: vec![
                Value::Text(fingerprint),
                Value::Int(answer.status.into()),
                Value::Text(headers),
                Value::Bytes(answer.body.into()),
                text(once.id),
            ],
        })
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// A time in the form that servers read and whose texts have its order.
fn time(time: DateTime<Utc>) -> Value {
    Value::Text(time_text(time))
}

/// The same as a text.
pub(crate) fn time_text(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S%.6f").to_string()
}
