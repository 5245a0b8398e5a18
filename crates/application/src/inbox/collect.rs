//! Collecting: messages by their numbers, or shared by the workers of a consumer; waiting
//! where there are none.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tidegate_domain::error::StoreError;
use tidegate_domain::permission::{Authorized, SignedIn};
use tidegate_domain::webhook::consumer::{
    Consumer, ConsumerKey, ConsumerName, Delivery, LEASE_LENGTH, LeaseRequest, Replay, Settlement,
};
use tidegate_domain::webhook::hook::WebhookId;
use tidegate_domain::webhook::message::{Message, MessageId, Selection};

use super::Inbox;
use crate::crud::now;
use crate::error::AppError;
use crate::webhooks::not_found;

/// A lease of messages.
pub struct Lease {
    /// Its name.
    pub lease: String,
    /// When it is over.
    pub expires_at: DateTime<Utc>,
    /// What was handed out, ascending.
    pub deliveries: Vec<Delivery>,
}

/// What becomes of messages that are leased.
#[derive(Debug, Clone, Copy)]
pub enum Settle {
    /// They are done.
    Ack,
    /// They are handed out again after this time.
    Nack(TimeDelta),
    /// They were not begun: they are handed out again at once, and it does not count.
    Return,
    /// The lease holds for this time from now.
    Extend(TimeDelta),
}

impl Inbox {
    /// Messages of a webhook after a number, ascending; where there are none, those that come
    /// while `wait` lasts.
    ///
    /// # Errors
    /// Not found: the webhook.
    pub async fn messages(
        &self,
        auth: &Authorized<SignedIn>,
        webhook: WebhookId,
        after: MessageId,
        limit: u64,
        wait: Duration,
    ) -> Result<Vec<Message>, AppError> {
        self.in_turn(|| self.max_deliveries(auth, webhook)).await?;
        let of = Selection::Webhook(auth.principal().user, webhook);
        let from = MessageId(after.0.saturating_add(1));
        let found = self.patiently(webhook, wait, async || {
            let found = self.0.messages.list(of, from, limit).await?;
            Ok(match found.is_empty() {
                true => Look::Nothing(None),
                false => Look::Found(found),
            })
        });
        Ok(found.await?.unwrap_or_default())
    }

    /// One message.
    ///
    /// # Errors
    /// Not found: the webhook, or the message.
    pub async fn message(
        &self,
        auth: &Authorized<SignedIn>,
        webhook: WebhookId,
        id: MessageId,
    ) -> Result<Message, AppError> {
        self.max_deliveries(auth, webhook).await?;
        let of = Selection::Webhook(auth.principal().user, webhook);
        let found = self.0.messages.find(of, id).await?;
        found.ok_or_else(|| no_message(id))
    }

    /// Messages of the principal from a number on, ascending: of one webhook, content of their
    /// own (webhook 0), or all.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn contents(
        &self,
        auth: &Authorized<SignedIn>,
        webhook: Option<i64>,
        from: MessageId,
        limit: u64,
    ) -> Result<Vec<Message>, AppError> {
        let owner = auth.principal().user;
        let of = match webhook {
            None => Selection::All(owner),
            Some(0) => Selection::Own(owner),
            Some(webhook) => Selection::Webhook(owner, WebhookId(webhook)),
        };
        Ok(self.0.messages.list(of, from, limit).await?)
    }

    /// One message of the principal.
    ///
    /// # Errors
    /// Not found.
    pub async fn content(
        &self,
        auth: &Authorized<SignedIn>,
        id: MessageId,
    ) -> Result<Message, AppError> {
        let of = Selection::All(auth.principal().user);
        let found = self.0.messages.find(of, id).await?;
        found.ok_or_else(|| no_message(id))
    }

    /// The consumers of a webhook, by their names.
    ///
    /// # Errors
    /// Not found: the webhook.
    pub async fn consumers(
        &self,
        auth: &Authorized<SignedIn>,
        webhook: WebhookId,
    ) -> Result<Vec<Consumer>, AppError> {
        self.max_deliveries(auth, webhook).await?;
        let (owner, now) = (auth.principal().user, self.0.clock.now());
        Ok(self.0.consumers.list(owner, webhook, now).await?)
    }

    /// One of them.
    ///
    /// # Errors
    /// Not found: the webhook, or the consumer.
    pub async fn consumer(
        &self,
        auth: &Authorized<SignedIn>,
        webhook: WebhookId,
        name: ConsumerName,
    ) -> Result<Consumer, AppError> {
        let (key, _) = self.key_of(auth, webhook, name).await?;
        let found = self.0.consumers.find(&key, self.0.clock.now()).await?;
        found.ok_or_else(|| no_consumer(&key))
    }

    /// Forgets a consumer: its position, and what it had.
    ///
    /// # Errors
    /// Not found: the webhook, or the consumer.
    pub async fn delete_consumer(
        &self,
        auth: &Authorized<SignedIn>,
        webhook: WebhookId,
        name: ConsumerName,
    ) -> Result<(), AppError> {
        let (key, _) = self.key_of(auth, webhook, name).await?;
        match self.0.consumers.delete(&key).await? {
            true => Ok(()),
            false => Err(no_consumer(&key)),
        }
    }

    /// Hands out messages that no other worker has, for `time`; where there are none, those
    /// that come while `wait` lasts.
    ///
    /// # Errors
    /// Not found: the webhook.
    pub async fn lease(
        &self,
        auth: &Authorized<SignedIn>,
        webhook: WebhookId,
        name: ConsumerName,
        limit: u64,
        time: TimeDelta,
        wait: Duration,
    ) -> Result<Option<Lease>, AppError> {
        let key = self.in_turn(|| self.key_of(auth, webhook, name));
        let (key, max_deliveries) = key.await?;
        self.patiently(webhook, wait, async || {
            let now = now(self.0.clock.as_ref());
            let request = LeaseRequest {
                lease: self.0.randomness.alphanumeric(LEASE_LENGTH),
                limit,
                now,
                expires_at: now + time,
                max_deliveries,
            };
            let leased = match self.0.consumers.lease(&key, &request).await {
                // Deleted since it was looked for.
                Err(error) if AppError::is_missing_parent(&error) => {
                    return Err(not_found(webhook));
                }
                leased => leased?,
            };
            if leased.deliveries.is_empty() {
                let due = leased
                    .due_at
                    .map(|due| (due - now).to_std().unwrap_or_default());
                let again_in = due.map_or(LATEST, |due| due.clamp(SOONEST, LATEST));
                return Ok(Look::Nothing(Some(again_in)));
            }
            let first = leased.deliveries.iter().filter(|it| it.delivery == 1);
            let first = first.count() as u64;
            delivered("first", first);
            delivered("again", leased.deliveries.len() as u64 - first);
            Ok(Look::Found(Lease {
                lease: request.lease,
                expires_at: request.expires_at,
                deliveries: leased.deliveries,
            }))
        })
        .await
    }

    /// Settles messages of a lease, all of them where none are named; until when the lease
    /// holds, where it was extended.
    ///
    /// # Errors
    /// Not found: the webhook, or the consumer. A conflict, and nothing is changed, where one
    /// of the messages is not held under this lease any more.
    pub async fn settle(
        &self,
        auth: &Authorized<SignedIn>,
        webhook: WebhookId,
        name: ConsumerName,
        lease: &str,
        ids: Option<Vec<MessageId>>,
        how: Settle,
    ) -> Result<DateTime<Utc>, AppError> {
        let (key, max_deliveries) = self.key_of(auth, webhook, name).await?;
        let now = now(self.0.clock.as_ref());
        let (settlement, until) = match how {
            Settle::Ack => (Settlement::Ack, now),
            Settle::Return => (Settlement::Return, now),
            Settle::Nack(delay) => {
                let due_at = now + delay;
                let nack = Settlement::Nack {
                    due_at,
                    max_deliveries,
                };
                (nack, due_at)
            }
            Settle::Extend(time) => {
                let expires_at = now + time;
                (Settlement::Extend { expires_at }, expires_at)
            }
        };
        let consumers = self.0.consumers.as_ref();
        if consumers.settle(&key, lease, ids, settlement, now).await? {
            if matches!(how, Settle::Nack(_) | Settle::Return) {
                self.0.arrivals.wake(webhook);
            }
            return Ok(until);
        }
        // Only now: what is settled again and again need not be looked for.
        if consumers.find(&key, now).await?.is_none() {
            return Err(no_consumer(&key));
        }
        Err(AppError::conflict(
            "lease_expired",
            "The lease is over, or was never given, for at least one of these messages; \
             nothing was changed. They are handed out again",
        ))
    }

    /// Has messages handed out again; how many.
    ///
    /// # Errors
    /// Not found: the webhook, or the consumer.
    pub async fn replay(
        &self,
        auth: &Authorized<SignedIn>,
        webhook: WebhookId,
        name: ConsumerName,
        replay: Replay,
    ) -> Result<u64, AppError> {
        let (key, _) = self.key_of(auth, webhook, name).await?;
        let now = self.0.clock.now();
        let replayed = self.0.consumers.replay(&key, replay, now).await?;
        self.0.arrivals.wake(webhook);
        replayed.ok_or_else(|| no_consumer(&key))
    }

    /// Dead messages after a number, ascending.
    ///
    /// # Errors
    /// Not found: the webhook, or the consumer.
    pub async fn dead(
        &self,
        auth: &Authorized<SignedIn>,
        webhook: WebhookId,
        name: ConsumerName,
        after: MessageId,
        limit: u64,
    ) -> Result<Vec<Delivery>, AppError> {
        let (key, _) = self.key_of(auth, webhook, name).await?;
        let now = self.0.clock.now();
        let found = self.0.consumers.dead(&key, after, limit, now).await?;
        found.ok_or_else(|| no_consumer(&key))
    }

    /// A consumer of a webhook that is there, and how often it is handed a message.
    async fn key_of(
        &self,
        auth: &Authorized<SignedIn>,
        webhook: WebhookId,
        name: ConsumerName,
    ) -> Result<(ConsumerKey, u32), AppError> {
        let max_deliveries = self.max_deliveries(auth, webhook).await?;
        let key = ConsumerKey {
            owner: auth.principal().user,
            webhook,
            name,
        };
        Ok((key, max_deliveries))
    }

    async fn max_deliveries(
        &self,
        auth: &Authorized<SignedIn>,
        id: WebhookId,
    ) -> Result<u32, AppError> {
        let found = self.0.webhooks.find(auth.principal().user, id).await?;
        let webhook = found.ok_or_else(|| not_found(id))?;
        Ok(u32::try_from(webhook.draft.max_deliveries.get()).unwrap_or(u32::MAX))
    }

    /// Does what thousands may want at once, a few at a time. The future, which costs memory, is
    /// made when its turn comes.
    async fn in_turn<T>(
        &self,
        work: impl AsyncFnOnce() -> Result<T, AppError>,
    ) -> Result<T, AppError> {
        let turn = tokio::time::timeout(PATIENCE, self.1.acquire()).await;
        let _turn = turn.map_err(|late| StoreError::Unavailable(late.into()))?;
        work().await
    }

    /// Looks for something, again whenever there may be something new, as long as `wait`
    /// lasts. `None` when that is over, or the server stops.
    async fn patiently<T>(
        &self,
        webhook: WebhookId,
        wait: Duration,
        look: impl AsyncFn() -> Result<Look<T>, AppError>,
    ) -> Result<Option<T>, AppError> {
        let mut watch = (!wait.is_zero()).then(|| self.0.arrivals.watch(webhook, wait));
        loop {
            let again_in = match self.in_turn(&look).await? {
                Look::Found(found) => return Ok(Some(found)),
                Look::Nothing(again_in) => again_in,
            };
            let again = match &mut watch {
                Some(watch) => watch.changed(again_in).await,
                None => false,
            };
            if !again {
                return Ok(None);
            }
        }
    }
}

/// How long a turn is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The soonest that is looked again for what is due: a row that is due and that somebody holds
/// locked is passed over.
const SOONEST: Duration = Duration::from_millis(50);

/// The latest: a message that was given back on another node is found so.
const LATEST: Duration = Duration::from_secs(5);

/// What a look came to.
enum Look<T> {
    Found(T),
    /// And when there may be something, even if nothing comes.
    Nothing(Option<Duration>),
}

/// Counts messages that were handed out.
fn delivered(outcome: &'static str, messages: u64) {
    metrics::counter!("tidegate_inbox_deliveries_total", "outcome" => outcome).increment(messages);
}

fn no_message(id: MessageId) -> AppError {
    AppError::NotFound(format!("There is no message {}", id.0))
}

fn no_consumer(key: &ConsumerKey) -> AppError {
    let name = key.name.as_str();
    AppError::NotFound(format!(
        "There is no consumer {name}; its first lease makes it"
    ))
}
