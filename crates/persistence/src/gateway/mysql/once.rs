//! Writes that may be repeated, on MySQL and MariaDB.
//!
//! The key's row is inserted before the rows and completed after them, in their transaction.
//! Whoever comes meanwhile asks for it with `NOWAIT`, and is told at once that it is locked.

use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{Executor as _, Row as _};
use tidegate_domain::error::StoreError;
use tidegate_domain::idempotency::{Kept, Once, Outcome};

use super::super::once::Keys;
use super::super::pool::MySqlPool;
use super::super::rows::batch::Fault;
use super::rows::{execute, fetch};
use super::transaction::{Work, number, transact};
use crate::engine::Engine;
use crate::error::is_lock_error;
use crate::idempotency::restored;

/// Claims a key in a transaction in which nothing was done yet; `None` when the write is to be
/// carried out.
pub(super) async fn claim<T>(
    connection: &mut MySqlConnection,
    keys: &Keys,
    once: Option<&Once<'_, T>>,
) -> Result<Option<Outcome<T>>, sqlx::Error> {
    let Some(once) = once else {
        return Ok(None);
    };
    let found = match fetch(connection, &keys.find(once)).await {
        Err(error) if is_lock_error(&error) => return Ok(Some(Outcome::InProgress)),
        found => found?,
    };
    if let Some(row) = found.first()
        && let Some(kept) = kept(row)?
    {
        return Ok(Some(Outcome::Repeated(kept)));
    }
    // A search that finds nothing locks the gap where the row would be, and with it the keys of
    // strangers until the end of the transaction. This end gives the gap back.
    connection.execute("COMMIT AND CHAIN").await?;
    if !found.is_empty() {
        execute(connection, &keys.delete(once)).await?;
    }
    match execute(connection, &keys.claim(once)).await {
        // Somebody was faster between the two statements.
        Err(error) if is_lock_error(&error) || number(&error) == Some(1062) => {
            Ok(Some(Outcome::InProgress))
        }
        done => done.map(|_| None),
    }
}

/// What a row of [`Keys::find`] keeps; `None` when its time is over.
fn kept(row: &MySqlRow) -> Result<Option<Kept>, sqlx::Error> {
    if row.try_get::<i32, _>(0)? == 0 {
        return Ok(None);
    }
    let headers: String = row.try_get(3)?;
    restored(row.try_get(1)?, row.try_get(2)?, &headers, row.try_get(4)?)
        .map(Some)
        .ok_or_else(|| sqlx::Error::Decode("a stored answer is not valid".into()))
}

/// Does work in a transaction of its own, once if it has a key.
pub(super) async fn transact_once<W: Work>(
    pool: &MySqlPool,
    keys: &Keys,
    work: &W,
    once: Option<&Once<'_, W::Outcome>>,
) -> Result<Outcome<W::Outcome>, StoreError> {
    transact(pool, &Claimed { keys, work, once }).await
}

/// Work with its key, so that both are tried again together.
struct Claimed<'w, W: Work> {
    keys: &'w Keys,
    work: &'w W,
    once: Option<&'w Once<'w, W::Outcome>>,
}

impl<W: Work> Work for Claimed<'_, W> {
    type Outcome = Outcome<W::Outcome>;

    async fn run(
        &self,
        connection: &mut MySqlConnection,
        engine: Engine,
    ) -> Result<Self::Outcome, Fault> {
        if let Some(outcome) = claim(connection, self.keys, self.once).await? {
            return Ok(outcome);
        }
        let done = self.work.run(connection, engine).await?;
        if let Some(once) = self.once {
            let keep = self.keys.keep(once, &done)?;
            execute(connection, &keep).await?;
        }
        Ok(Outcome::Done(done))
    }

    fn rolls_back(&self) -> bool {
        self.work.rolls_back()
    }
}
