//! How full the inbox is, for the metrics. Every count has an end, so that looking costs little
//! however much is there.

use chrono::{DateTime, Utc};
use tidegate_domain::error::StoreError;

use crate::access::Access as _;
use crate::database::Database;
use crate::statement::{get, row};

/// Counts go no further than this.
const MOST: u64 = 1_000_000;

/// How full the inbox is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InboxGauges {
    /// Messages that are kept, a million at most.
    pub messages: u64,
    /// What consumers have not acknowledged yet, each counted for itself; a million each of what
    /// was handed out and what was not, at most. Dead messages are not among it.
    pub unacknowledged: u64,
    /// When the oldest of these arrived.
    pub oldest: Option<DateTime<Utc>>,
}

/// Looks.
///
/// # Errors
/// When the database fails.
pub async fn inbox_gauges(database: &Database) -> Result<InboxGauges, StoreError> {
    let capped =
        |rows: &str| format!("(SELECT COUNT(*) FROM (SELECT 1 FROM {rows} LIMIT {MOST}) few)");
    let sql = format!(
        "SELECT {}, {}, {}, \
         (SELECT MIN(l.message_id) FROM inbox_leases l WHERE l.dead = 0), \
         (SELECT MIN(next.id) FROM (SELECT (SELECT m.id FROM inbox_messages m \
             WHERE m.webhook_id = c.webhook_id AND m.user_id = w.user_id AND m.id > c.position \
             ORDER BY m.id LIMIT 1) AS id \
             FROM inbox_consumers c JOIN webhooks w ON w.id = c.webhook_id) next)",
        capped("inbox_messages"),
        capped("inbox_leases WHERE dead = 0"),
        capped(
            "inbox_consumers c JOIN webhooks w ON w.id = c.webhook_id \
             JOIN inbox_messages m ON m.webhook_id = c.webhook_id AND m.user_id = w.user_id \
             AND m.id > c.position"
        ),
    );
    let found = row(database.reader(), &sql, []).await?;
    let found = found.ok_or_else(|| StoreError::Internal("a count gave no row".into()))?;
    let count = |column| get::<i64>(&found, column).map(|count| u64::try_from(count).unwrap_or(0));
    let handed_out: Option<i64> = get(&found, 3)?;
    let waiting: Option<i64> = get(&found, 4)?;
    let oldest = match [handed_out, waiting].into_iter().flatten().min() {
        Some(id) => {
            let sql = "SELECT received_at FROM inbox_messages WHERE id = ?";
            let message = row(database.reader(), sql, [id.into()]).await?;
            message.map(|message| get(&message, 0)).transpose()?
        }
        None => None,
    };
    Ok(InboxGauges {
        messages: count(0)?,
        unacknowledged: count(1)? + count(2)?,
        oldest,
    })
}
