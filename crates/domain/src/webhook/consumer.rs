//! Consumers: names under which workers share the messages of a webhook, each message leased
//! to one of them at a time.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::hook::WebhookId;
use super::message::{Message, MessageId};
use crate::account::UserId;
use crate::error::StoreError;

/// The characters of a lease's name.
pub const LEASE_LENGTH: usize = 24;

/// A consumer's name: 1 to 64 ASCII letters, digits, `.`, `_` and `-`; not `.` and `..`, which
/// paths cannot hold (RFC 3986, section 5.2.4).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ConsumerName(String);

impl ConsumerName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ConsumerName {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let dots = name == "." || name == "..";
        if (1..=64).contains(&name.len()) && name.bytes().all(fine) && !dots {
            Ok(Self(name))
        } else {
            Err("must be 1 to 64 letters, digits, dots, underscores and hyphens")
        }
    }
}

/// Which consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerKey {
    /// Whose webhook it is.
    pub owner: UserId,
    /// The webhook.
    pub webhook: WebhookId,
    /// The name.
    pub name: ConsumerName,
}

/// A consumer, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Consumer {
    /// Its name.
    pub name: String,
    /// The newest message that was handed out; 0 before the first.
    #[schema(value_type = i64)]
    pub position: MessageId,
    /// Messages that a worker has.
    pub leased: u64,
    /// Messages that are to be handed out again.
    pub waiting: u64,
    /// Messages that were handed out in vain too often.
    pub dead: u64,
    /// Messages that were never handed out.
    pub behind: u64,
    /// When it came into being.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: DateTime<Utc>,
}

/// What is asked of a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRequest {
    /// Its name, drawn at random.
    pub lease: String,
    /// How many messages at most.
    pub limit: u64,
    /// The present time.
    pub now: DateTime<Utc>,
    /// When it is over.
    pub expires_at: DateTime<Utc>,
    /// How often a message is handed out before it is dead.
    pub max_deliveries: u32,
}

/// A message that was handed out.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// How often this consumer has got it.
    pub delivery: u32,
}

/// What a lease came to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Leased {
    /// What was handed out, ascending; perhaps nothing.
    pub deliveries: Vec<Delivery>,
    /// Where nothing was: when a message that is waiting or leased is due.
    pub due_at: Option<DateTime<Utc>>,
}

/// What becomes of messages that are leased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// They are done.
    Ack,
    /// They are handed out again, not before this time; or are dead.
    Nack {
        /// The time.
        due_at: DateTime<Utc>,
        /// How often a message is handed out before it is dead.
        max_deliveries: u32,
    },
    /// They were not begun: they are handed out again at once, and it does not count that they
    /// were.
    Return,
    /// The lease holds until this time.
    Extend {
        /// The time.
        expires_at: DateTime<Utc>,
    },
}

/// Which messages are handed out again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// Those with numbers from one to another, which are done or dead.
    Range(MessageId, MessageId),
    /// Those that are dead.
    Dead,
}

/// The stored consumers. Each call is atomic; positions and leases outlive the server.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait Consumers: Send + Sync {
    /// All of a webhook, by their names.
    async fn list(
        &self,
        owner: UserId,
        webhook: WebhookId,
        now: DateTime<Utc>,
    ) -> Result<Vec<Consumer>, StoreError>;
    /// One.
    async fn find(
        &self,
        key: &ConsumerKey,
        now: DateTime<Utc>,
    ) -> Result<Option<Consumer>, StoreError>;
    /// Forgets one; false when it is not there.
    async fn delete(&self, key: &ConsumerKey) -> Result<bool, StoreError>;
    /// Hands out messages that nobody has: first those that are due again, then new ones.
    /// Makes the consumer where it is missing; `Constraint` of kind `ForeignKeyParent` when
    /// the webhook is gone.
    async fn lease(&self, key: &ConsumerKey, request: &LeaseRequest) -> Result<Leased, StoreError>;
    /// Settles messages of a lease, all of them where none are named. False, and nothing is
    /// changed, where one of them is not held under this lease at `now`, or none is.
    async fn settle(
        &self,
        key: &ConsumerKey,
        lease: &str,
        ids: Option<Vec<MessageId>>,
        settlement: Settlement,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError>;
    /// Has messages handed out again, in portions; how many. `None` when the consumer is not
    /// there.
    async fn replay(
        &self,
        key: &ConsumerKey,
        replay: Replay,
        now: DateTime<Utc>,
    ) -> Result<Option<u64>, StoreError>;
    /// Dead messages after a number, ascending, as [`super::message::Inbox::list`] gives them.
    /// `None` when the consumer is not there.
    async fn dead(
        &self,
        key: &ConsumerKey,
        after: MessageId,
        limit: u64,
        now: DateTime<Utc>,
    ) -> Result<Option<Vec<Delivery>>, StoreError>;
}

/// The longest time that a request waits for a message.
pub const LONGEST_WAIT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_into_a_path() {
        for good in ["erp", "a.B-c_9", &"x".repeat(64)] {
            assert!(ConsumerName::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a b", "ä", "a%20", &"x".repeat(65)] {
            assert!(ConsumerName::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
