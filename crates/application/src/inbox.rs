//! The inbox: receiving messages, collecting them, and what is kept how long.

pub mod collect;
pub mod receive;

use std::sync::Arc;

use chrono::TimeDelta;
use tidegate_domain::account::SecretDigest;
use tidegate_domain::error::StoreError;
use tidegate_domain::system::{Clock, Randomness};
use tidegate_domain::webhook::consumer::Consumers;
use tidegate_domain::webhook::hook::{Receivers, Webhooks};
use tidegate_domain::webhook::message::{Arrivals, Inbox as Messages};
use tidegate_domain::webhook::seal::SecretSealer;
use tidegate_domain::webhook::signature::SignatureVerifier;
use tokio::sync::Semaphore;

/// For how long a delivery's id is remembered: longer than any provider tries again.
const IDS_KEPT: TimeDelta = TimeDelta::days(30);

/// How many look for messages at the same time. Thousands may wait, and be woken at once;
/// those who look cost more than those who wait, and would queue for a connection anyway.
const LOOKERS: usize = 32;

/// The use cases of the inbox.
pub struct Inbox(InboxParts, Semaphore);

/// The ports and settings that [`Inbox`] works on.
pub struct InboxParts {
    /// The webhooks.
    pub webhooks: Arc<dyn Webhooks>,
    /// Finds them by their addresses.
    pub receivers: Arc<dyn Receivers>,
    /// The messages.
    pub messages: Arc<dyn Messages>,
    /// The consumers.
    pub consumers: Arc<dyn Consumers>,
    /// Tells of new messages.
    pub arrivals: Arc<dyn Arrivals>,
    /// Reads secrets again.
    pub sealer: Arc<dyn SecretSealer>,
    /// Verifies signatures.
    pub verifier: Arc<dyn SignatureVerifier>,
    /// Makes one length of ids of any length.
    pub digest: Arc<dyn SecretDigest>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Draws the names of leases.
    pub randomness: Arc<dyn Randomness>,
    /// For how long content of people's own is kept.
    pub own_content: TimeDelta,
}

impl Inbox {
    /// Puts the parts together.
    pub fn new(parts: InboxParts) -> Self {
        Self(parts, Semaphore::new(LOOKERS))
    }

    /// Deletes what is kept no longer; how many messages.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn purge(&self) -> Result<u64, StoreError> {
        let now = self.0.clock.now();
        let (own, ids) = (now - self.0.own_content, now - IDS_KEPT);
        self.0.messages.purge(now, own, ids).await
    }
}

#[cfg(test)]
mod tests;
