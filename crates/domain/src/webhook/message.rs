//! Messages of the inbox: what was received, as it was received.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::header::Header;
use super::hook::WebhookId;
use super::signature::Verdict;
use crate::account::UserId;
use crate::error::StoreError;

/// A message's number. Numbers grow in the order in which messages are committed, so who has
/// seen one has seen all before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub i64);

/// About how many bytes of bodies one answer holds, if its first message leaves room.
pub const PAGE_BYTES: u64 = 4 * 1024 * 1024;

/// A message to be stored.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// Whose it is.
    pub owner: UserId,
    /// Where it was received; `None` for content of the owner's own.
    pub webhook: Option<WebhookId>,
    /// The method.
    pub method: String,
    /// What stands behind the webhook's address in the path, as it was sent.
    pub path: String,
    /// The query as it was sent, without `?`.
    pub query: String,
    /// The headers, without credentials.
    pub headers: Vec<Header>,
    /// The body's bytes.
    pub body: Bytes,
    /// What became of the signature; `None` where nothing was verified.
    pub verdict: Option<Verdict>,
    /// The id of the delivery, as it is shown: at most 255 characters.
    pub delivery_id: Option<String>,
    /// What no two messages of a webhook may have in common, a digest of 64 characters.
    pub key: Option<String>,
    /// Where it came from.
    pub address: String,
    /// Whether a provider sent it.
    pub received: bool,
    /// When it came.
    pub received_at: DateTime<Utc>,
}

/// A stored message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its number.
    pub id: MessageId,
    /// Where it was received; `None` for content of the owner's own.
    pub webhook: Option<WebhookId>,
    /// The method.
    pub method: String,
    /// What stood behind the webhook's address in the path.
    pub path: String,
    /// The query.
    pub query: String,
    /// The headers, without credentials.
    pub headers: Vec<Header>,
    /// The body's bytes.
    pub body: Bytes,
    /// What became of the signature; `None` where nothing was verified.
    pub verdict: Option<Verdict>,
    /// The id of the delivery.
    pub delivery_id: Option<String>,
    /// Where it came from.
    pub address: String,
    /// Whether a provider sent it.
    pub received: bool,
    /// When it came.
    pub received_at: DateTime<Utc>,
}

/// What became of a message that was to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It is stored.
    New(MessageId),
    /// One with its key was there.
    Duplicate,
}

/// Which messages are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// All of a user.
    All(UserId),
    /// Content of a user's own.
    Own(UserId),
    /// Those of a user's webhook.
    Webhook(UserId, WebhookId),
}

/// The stored messages.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait Inbox: Send + Sync {
    /// Stores a message; it is durable when this returns. An adapter may commit many together.
    async fn accept(&self, message: NewMessage) -> Result<Accepted, StoreError>;
    /// Messages from a number on, ascending: at most `limit`, and about [`PAGE_BYTES`].
    async fn list(
        &self,
        of: Selection,
        from: MessageId,
        limit: u64,
    ) -> Result<Vec<Message>, StoreError>;
    /// One message.
    async fn find(&self, of: Selection, id: MessageId) -> Result<Option<Message>, StoreError>;
    /// Deletes the messages of a webhook, in small portions.
    async fn delete_all(&self, webhook: WebhookId) -> Result<u64, StoreError>;
    /// Deletes in small portions what is kept no longer: of each webhook by its own rules, of
    /// content of people's own what came before `own`, all messages of webhooks that are gone,
    /// and keys older than `keys`. Returns how many messages were deleted.
    async fn purge(
        &self,
        now: DateTime<Utc>,
        own: DateTime<Utc>,
        keys: DateTime<Utc>,
    ) -> Result<u64, StoreError>;
}

/// Tells of new messages, those that other nodes stored among them.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
pub trait Arrivals: Send + Sync {
    /// Begins to watch a webhook, for so long. Watch first and look then, so that nothing comes
    /// in between.
    fn watch(&self, webhook: WebhookId, wait: Duration) -> Box<dyn Watch>;
    /// Has those on this node who watch a webhook look again, because a message that was
    /// handed out is to be handed out anew.
    fn wake(&self, webhook: WebhookId);
}

/// Watches one webhook until it is dropped.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait Watch: Send {
    /// Waits for something new since the last call, or since it began to watch; or until
    /// `again_in` is over. False when there is no use in looking again: the time is over, or the
    /// server stops.
    async fn changed(&mut self, again_in: Option<Duration>) -> bool;
}
