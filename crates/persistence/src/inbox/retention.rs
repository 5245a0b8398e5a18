//! Deletes what is kept no longer, in portions of some hundred rows with a commit each, so that
//! no lock is held for long. Several nodes may do it at once.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, TryGetable, Value};
use tidegate_domain::error::StoreError;

use crate::access::{Access as _, atomically, stored};
use crate::database::Database;
use crate::statement::{change, get, row, rows};

/// How many rows are deleted at once.
const PORTION: u64 = 500;

/// The messages of one webhook, or content of one user's own.
#[derive(Clone, Copy)]
struct Shelf {
    webhook: i64,
    user: i64,
}

/// What of it goes.
enum Old {
    Before(DateTime<Utc>),
    UpTo(i64),
    All,
}

pub(super) async fn delete_all(database: &Database, webhook: i64) -> Result<u64, StoreError> {
    let sql = "SELECT DISTINCT webhook_id, user_id FROM inbox_messages WHERE webhook_id = ?";
    let mut deleted = 0;
    for shelf in shelves(database, sql, [webhook.into()]).await? {
        deleted += shelf.delete(database, &Old::All).await?;
    }
    delete_keys::<String>(database, "webhook_id = ?", webhook.into(), "digest").await?;
    Ok(deleted)
}

pub(super) async fn purge(
    database: &Database,
    now: DateTime<Utc>,
    own: DateTime<Utc>,
    keys: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let mut deleted = 0;
    let mut last = 0_i64;
    loop {
        let sql = "SELECT id, user_id, retention_days, retention_messages FROM webhooks \
             WHERE id > ? ORDER BY id LIMIT ?";
        let webhooks = rows(database.reader(), sql, [last.into(), PORTION.into()]).await?;
        if webhooks.is_empty() {
            break;
        }
        for webhook in webhooks {
            last = get(&webhook, 0)?;
            let shelf = Shelf {
                webhook: last,
                user: get(&webhook, 1)?,
            };
            let (days, newest) = (get::<Option<i64>>(&webhook, 2)?, get(&webhook, 3)?);
            if let Some(days) = days.and_then(TimeDelta::try_days) {
                deleted += shelf.delete(database, &Old::Before(now - days)).await?;
            }
            if let Some(newest) = newest
                && let Some(id) = shelf.surplus(database.reader(), newest).await?
            {
                deleted += shelf.delete(database, &Old::UpTo(id)).await?;
            }
        }
    }
    let sql = "SELECT DISTINCT webhook_id, user_id FROM inbox_messages WHERE webhook_id = 0";
    for shelf in shelves(database, sql, []).await? {
        deleted += shelf.delete(database, &Old::Before(own)).await?;
    }
    let sql = "SELECT DISTINCT webhook_id, user_id FROM inbox_messages \
         WHERE webhook_id <> 0 AND webhook_id NOT IN (SELECT id FROM webhooks)";
    for shelf in shelves(database, sql, []).await? {
        deleted += shelf.delete(database, &Old::All).await?;
    }
    let keys = stored(keys).into();
    delete_keys::<DateTime<Utc>>(database, "received_at < ?", keys, "received_at").await?;
    Ok(deleted)
}

async fn shelves(
    database: &Database,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<Shelf>, StoreError> {
    let shelf = |row| {
        Ok(Shelf {
            webhook: get(&row, 0)?,
            user: get(&row, 1)?,
        })
    };
    rows(database.reader(), sql, values)
        .await?
        .into_iter()
        .map(shelf)
        .collect()
}

impl Shelf {
    /// The newest message that is one too many.
    async fn surplus(
        self,
        connection: &impl ConnectionTrait,
        newest: i64,
    ) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT id FROM inbox_messages WHERE webhook_id = ? AND user_id = ? \
             ORDER BY id DESC LIMIT 1 OFFSET ?";
        let values = [self.webhook.into(), self.user.into(), newest.into()];
        let found = row(connection, sql, values).await?;
        found.map(|row| get(&row, 0)).transpose()
    }

    /// Deletes its oldest messages, as far as `old` says, and what consumers have of them.
    async fn delete(self, database: &Database, old: &Old) -> Result<u64, StoreError> {
        let mut deleted = 0;
        loop {
            let sql = "SELECT id, received_at FROM inbox_messages \
                 WHERE webhook_id = ? AND user_id = ? ORDER BY id LIMIT ?";
            let values = [self.webhook.into(), self.user.into(), PORTION.into()];
            let mut last = None;
            for row in rows(database.reader(), sql, values).await? {
                let id: i64 = get(&row, 0)?;
                let goes = match old {
                    Old::Before(time) => get::<DateTime<Utc>>(&row, 1)? < *time,
                    Old::UpTo(last) => id <= *last,
                    Old::All => true,
                };
                if !goes {
                    break;
                }
                last = Some(id);
            }
            let Some(last) = last else {
                return Ok(deleted);
            };
            let portion: Result<u64, StoreError> =
                atomically!(database, |tx| self.delete_portion(tx, last).await);
            deleted += portion?;
        }
    }

    /// Deletes messages up to a number, and what consumers have of them.
    async fn delete_portion(self, tx: &impl ConnectionTrait, last: i64) -> Result<u64, StoreError> {
        let sql = "DELETE FROM inbox_messages WHERE webhook_id = ? AND user_id = ? AND id <= ?";
        let values = [self.webhook.into(), self.user.into(), last.into()];
        let deleted = change(tx, sql, values).await?;
        let sql = "DELETE FROM inbox_leases WHERE consumer_id IN \
             (SELECT id FROM inbox_consumers WHERE webhook_id = ?) AND message_id <= ?";
        change(tx, sql, [self.webhook.into(), last.into()]).await?;
        Ok(deleted)
    }
}

/// Deletes the keys that fit a condition with one value, in the order of a column.
async fn delete_keys<T: TryGetable + Into<Value>>(
    database: &Database,
    condition: &str,
    value: Value,
    order: &str,
) -> Result<(), StoreError> {
    let these = format!("FROM inbox_deliveries WHERE {condition}");
    loop {
        let sql = format!("SELECT {order} {these} ORDER BY {order} LIMIT 1 OFFSET ?");
        let last = row(database.reader(), &sql, [value.clone(), PORTION.into()]).await?;
        let Some(last) = last else { break };
        let last: T = get(&last, 0)?;
        let sql = format!("DELETE {these} AND {order} <= ?");
        change(database.writer(), &sql, [value.clone(), last.into()]).await?;
    }
    change(database.writer(), &format!("DELETE {these}"), [value])
        .await
        .map(drop)
}
