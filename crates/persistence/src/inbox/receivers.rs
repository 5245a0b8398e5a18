//! Keeps receivers in memory for a moment, so that a message costs no look-up.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use moka::future::Cache;
use tidegate_domain::error::StoreError;
use tidegate_domain::webhook::hook::{Receiver, Receivers, Webhooks};

use super::webhooks::WebhookStore;
use crate::database::Database;

/// For how long. What another node switches off is refused here after so long.
const KEPT: Duration = Duration::from_secs(2);

/// How many addresses are kept, those that are not there among them.
const MOST: u64 = 10_000;

/// The receivers of a database.
#[derive(Clone)]
pub struct CachedReceivers {
    webhooks: WebhookStore<Database>,
    cache: Cache<String, Option<Arc<Receiver>>>,
}

impl CachedReceivers {
    /// With nothing kept.
    pub fn new(database: Database) -> Self {
        Self {
            webhooks: WebhookStore::new(database),
            cache: Cache::builder()
                .max_capacity(MOST)
                .time_to_live(KEPT)
                .build(),
        }
    }
}

#[async_trait]
impl Receivers for CachedReceivers {
    async fn find(&self, rid: &str) -> Result<Option<Arc<Receiver>>, StoreError> {
        let load = async { self.webhooks.receiver(rid).await.map(|it| it.map(Arc::new)) };
        self.cache
            .try_get_with_by_ref(rid, load)
            .await
            // Several may wait for one look-up, and share its error.
            .map_err(|error| match &*error {
                StoreError::Unavailable(cause) => StoreError::Unavailable(cause.to_string().into()),
                other => StoreError::Internal(other.to_string().into()),
            })
    }

    async fn forget(&self, rid: &str) {
        self.cache.invalidate(rid).await;
    }
}
