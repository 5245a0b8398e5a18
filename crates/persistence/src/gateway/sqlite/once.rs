//! Writes that may be repeated, on SQLite. There is one writer, so nobody comes meanwhile.

use sqlx::Executor as _;
use sqlx::sqlite::SqliteConnection;
use tidegate_domain::idempotency::{Kept, Once};

use super::super::once::{CREATE_HIDDEN, Keys, kept};
use super::rows::{execute, fetch};

/// Claims a key inside the transaction that writes; gives what was kept when the write was
/// carried out before.
pub(super) async fn repeated<T>(
    connection: &mut SqliteConnection,
    once: Option<&Once<'_, T>>,
) -> Result<Option<Kept>, sqlx::Error> {
    let Some(once) = once else {
        return Ok(None);
    };
    let keys = Keys::of_file();
    connection.execute(sqlx::raw_sql(CREATE_HIDDEN)).await?;
    execute(connection, keys.purge(once)).await?;
    let found = fetch(connection, keys.find(once)).await?;
    if let Some(row) = found.first() {
        return kept(row);
    }
    execute(connection, keys.claim(once)).await?;
    Ok(None)
}

/// Keeps what came of a write.
pub(super) async fn keep<T: Sync>(
    connection: &mut SqliteConnection,
    once: Option<&Once<'_, T>>,
    outcome: &T,
) -> Result<(), sqlx::Error> {
    if let Some(once) = once {
        execute(connection, Keys::of_file().keep(once, outcome)?).await?;
    }
    Ok(())
}
