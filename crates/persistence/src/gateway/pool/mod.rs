//! Connections of the data gateway: leases from pools of our own around plain connections
//! of sqlx, whose own pool asks the server for a sign of life at every return.
//!
//! A lease of sqlx's that is simply dropped closes its connection: only [`MySqlLease::end`] and
//! [`SqliteLease::end`], called when the work is over, give it back. One of our own to a file ends
//! what is open, and goes back. So a request that is cut off anywhere can leave neither a
//! half-read result nor an open transaction behind.

mod files;
mod functions;
mod home;
mod homes;
mod local;
mod mysql;
mod sqlite;
mod watch;
mod writer;

pub use files::{SqliteFiles, SqliteFilesOptions};
pub(crate) use functions::with_functions;
pub use home::settle;
pub(crate) use local::{Local, LocalLease, word};
pub use mysql::{MySqlLease, MySqlPool, MySqlPoolOptions};
pub(crate) use sqlite::STEPS;
pub use sqlite::{SqliteDatabase, SqliteLease};
pub(crate) use watch::TooSlow;
pub use watch::Watch;
pub(crate) use writer::{Kind, Pace};

use tidegate_domain::error::StoreError;

/// That no connection came free, or could be opened, in time.
fn exhausted(what: &'static str) -> StoreError {
    StoreError::Unavailable(what.into())
}

/// That none of those to a file came free in time.
fn busy() -> StoreError {
    exhausted("no connection to the database came free in time")
}
