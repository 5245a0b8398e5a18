//! Connections of the data gateway: leases from pools of our own around plain connections
//! of sqlx, whose own pool asks the server for a sign of life at every return.
//!
//! A lease that is simply dropped closes its connection: only [`MySqlLease::end`] and
//! [`SqliteLease::end`], called when the work is over, give it back. So a request that is
//! cut off anywhere can leave neither a half-read result nor an open transaction behind.

mod files;
mod mysql;
mod sqlite;
mod watch;

pub use files::{SqliteFiles, SqliteFilesOptions};
pub use mysql::{MySqlLease, MySqlPool, MySqlPoolOptions};
pub(crate) use sqlite::{STEPS, with_functions};
pub use sqlite::{SqliteDatabase, SqliteLease};
pub(crate) use watch::TooSlow;
pub use watch::Watch;

use tidegate_domain::error::StoreError;

/// That no connection came free, or could be opened, in time.
fn exhausted(what: &'static str) -> StoreError {
    StoreError::Unavailable(what.into())
}
