//! The messages: stored by the group, read by their numbers.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, QueryResult, Value};
use serde::{Deserialize, Serialize};
use tidegate_domain::error::StoreError;
use tidegate_domain::webhook::header::Header;
use tidegate_domain::webhook::hook::WebhookId;
use tidegate_domain::webhook::message::{
    Accepted, Inbox, Message, MessageId, NewMessage, PAGE_BYTES, Selection,
};
use tidegate_domain::webhook::signature::Verdict;

use super::arrivals::ArrivalHub;
use super::commit::Committer;
use super::retention;
use crate::access::{Access as _, corrupt};
use crate::database::Database;
use crate::statement::{get, marks, row, rows};

/// The inbox of a database; clones share one queue of messages to be stored.
#[derive(Clone)]
pub struct InboxStore {
    database: Database,
    arrivals: ArrivalHub,
    committer: Arc<OnceLock<Committer>>,
}

impl InboxStore {
    /// On a database; `arrivals` is told of what is stored.
    pub fn new(database: Database, arrivals: ArrivalHub) -> Self {
        Self {
            database,
            arrivals,
            committer: Arc::default(),
        }
    }
}

#[async_trait]
impl Inbox for InboxStore {
    async fn accept(&self, message: NewMessage) -> Result<Accepted, StoreError> {
        // Not before the first message: its task belongs to the runtime that serves.
        let committer = self
            .committer
            .get_or_init(|| Committer::start(self.database.clone(), self.arrivals.clone()));
        committer.accept(message).await
    }

    async fn list(
        &self,
        of: Selection,
        from: MessageId,
        limit: u64,
    ) -> Result<Vec<Message>, StoreError> {
        let (condition, mut values) = condition(of);
        let sql = format!(
            "SELECT id, size FROM inbox_messages WHERE {condition} AND id >= ? ORDER BY id LIMIT ?"
        );
        values.extend([from.0.into(), limit.into()]);
        let connection = self.database.reader();
        let found = sizes(rows(connection, &sql, values).await?)?;
        load(connection, within_page(found, |(_, size)| *size)).await
    }

    async fn find(&self, of: Selection, id: MessageId) -> Result<Option<Message>, StoreError> {
        let (condition, mut values) = condition(of);
        let sql = format!("SELECT {COLUMNS} FROM inbox_messages WHERE {condition} AND id = ?");
        values.push(id.0.into());
        let found = row(self.database.reader(), &sql, values).await?;
        found.as_ref().map(message).transpose()
    }

    async fn delete_all(&self, webhook: WebhookId) -> Result<u64, StoreError> {
        retention::delete_all(&self.database, webhook.0).await
    }

    async fn purge(
        &self,
        now: DateTime<Utc>,
        own: DateTime<Utc>,
        keys: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        retention::purge(&self.database, now, own, keys).await
    }
}

fn condition(of: Selection) -> (&'static str, Vec<Value>) {
    match of {
        Selection::All(owner) => ("user_id = ?", vec![owner.0.into()]),
        Selection::Own(owner) => ("webhook_id = 0 AND user_id = ?", vec![owner.0.into()]),
        Selection::Webhook(owner, webhook) => (
            "webhook_id = ? AND user_id = ?",
            vec![webhook.0.into(), owner.0.into()],
        ),
    }
}

/// Numbers and sizes.
pub(super) fn sizes(rows: Vec<QueryResult>) -> Result<Vec<(i64, i64)>, StoreError> {
    let pair = |row: QueryResult| Ok((get(&row, 0)?, get(&row, 1)?));
    rows.into_iter().map(pair).collect()
}

/// The first ones whose bodies fit into one answer together, and always the very first.
pub(super) fn within_page<T>(found: Vec<T>, size: impl Fn(&T) -> i64) -> impl Iterator<Item = T> {
    within(found, PAGE_BYTES, size)
}

/// The first ones that have `most` bytes together, and always the very first.
pub(super) fn within<T>(
    found: Vec<T>,
    most: u64,
    size: impl Fn(&T) -> i64,
) -> impl Iterator<Item = T> {
    let mut total = 0_u64;
    found.into_iter().enumerate().map_while(move |(at, entry)| {
        total = total.saturating_add(u64::try_from(size(&entry)).unwrap_or(0));
        (at == 0 || total <= most).then_some(entry)
    })
}

/// The messages with these numbers, ascending.
pub(super) async fn load(
    connection: &impl ConnectionTrait,
    ids: impl Iterator<Item = (i64, i64)>,
) -> Result<Vec<Message>, StoreError> {
    let ids: Vec<Value> = ids.map(|(id, _)| id.into()).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let list = marks(ids.len());
    let sql = format!("SELECT {COLUMNS} FROM inbox_messages WHERE id IN ({list}) ORDER BY id");
    rows(connection, &sql, ids)
        .await?
        .iter()
        .map(message)
        .collect()
}

const COLUMNS: &str = "id, webhook_id, received, method, path, query, headers, body, verdict, \
     delivery_id, address, received_at";

fn message(row: &QueryResult) -> Result<Message, StoreError> {
    let webhook: i64 = get(row, 1)?;
    let body: Vec<u8> = get(row, 7)?;
    let verdict: Option<String> = get(row, 8)?;
    let verdict = verdict.map(|name| Verdict::from_name(&name).ok_or_else(|| corrupt("verdict")));
    Ok(Message {
        id: MessageId(get(row, 0)?),
        webhook: (webhook != 0).then_some(WebhookId(webhook)),
        received: get(row, 2)?,
        method: get(row, 3)?,
        path: get(row, 4)?,
        query: get(row, 5)?,
        headers: read_headers(&get::<String>(row, 6)?)?,
        body: body.into(),
        verdict: verdict.transpose()?,
        delivery_id: get(row, 9)?,
        address: get(row, 10)?,
        received_at: get(row, 11)?,
    })
}

/// A header's value as it is stored: text where it is UTF-8.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum StoredValue {
    Text(String),
    Bytes(Vec<u8>),
}

/// Headers as they are stored: pairs in JSON.
pub(super) fn write_headers(headers: &[Header]) -> Result<String, StoreError> {
    let pair = |(name, value): &Header| {
        let value = match std::str::from_utf8(value) {
            Ok(text) => StoredValue::Text(text.to_owned()),
            Err(_) => StoredValue::Bytes(value.clone()),
        };
        (name.clone(), value)
    };
    let pairs: Vec<_> = headers.iter().map(pair).collect();
    serde_json::to_string(&pairs).map_err(|error| StoreError::Internal(error.into()))
}

fn read_headers(text: &str) -> Result<Vec<Header>, StoreError> {
    let pairs: Vec<(String, StoredValue)> =
        serde_json::from_str(text).map_err(|_| corrupt("header"))?;
    let header = |(name, value)| match value {
        StoredValue::Text(text) => (name, text.into_bytes()),
        StoredValue::Bytes(bytes) => (name, bytes),
    };
    Ok(pairs.into_iter().map(header).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_byte_for_byte() {
        let headers: Vec<Header> = vec![
            ("x-a".into(), b"plain \"text\"".to_vec()),
            ("x-a".into(), vec![0x61, 0xff, 0x00]),
            ("x-b".into(), "Ærfugl 🐉".into()),
            ("x-c".into(), Vec::new()),
        ];
        let text = write_headers(&headers).unwrap();
        assert_eq!(read_headers(&text).unwrap(), headers);
        assert!(read_headers("{}").is_err());
    }

    #[test]
    fn a_page_holds_what_fits_and_at_least_one() {
        let most = i64::try_from(PAGE_BYTES).unwrap();
        let page = |sizes: &[i64]| within_page(sizes.to_vec(), |size| *size).count();
        assert_eq!(page(&[]), 0);
        assert_eq!(page(&[most + 1, 0]), 1);
        assert_eq!(page(&[most - 1, 1, 1]), 2);
        assert_eq!(page(&[1, most, 1]), 1, "none is passed over");
    }
}
