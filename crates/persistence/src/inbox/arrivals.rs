//! Wakes those who wait for messages: at once where this node stored one, and by one look at
//! the sequence for all of them where another node did.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tidegate_domain::error::StoreError;
use tidegate_domain::webhook::hook::WebhookId;
use tidegate_domain::webhook::message::{Arrivals, Watch};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::access::{Access as _, corrupt};
use crate::database::Database;
use crate::statement::{get, row, rows};

/// How often the sequence is looked at while somebody waits.
const INTERVAL: Duration = Duration::from_millis(250);

/// The watchers of a database's inbox.
#[derive(Clone)]
pub struct ArrivalHub(Arc<Shared>);

struct Shared {
    database: Database,
    watched: Mutex<HashMap<i64, Watched>>,
    closing: watch::Sender<bool>,
}

struct Watched {
    changes: watch::Sender<()>,
    watchers: usize,
}

struct Watcher {
    hub: ArrivalHub,
    webhook: i64,
    deadline: Instant,
    changes: watch::Receiver<()>,
    closing: watch::Receiver<bool>,
}

impl ArrivalHub {
    /// With nobody watching.
    pub fn new(database: Database) -> Self {
        Self(Arc::new(Shared {
            database,
            watched: Mutex::default(),
            closing: watch::Sender::new(false),
        }))
    }

    /// Sends home whoever waits, now and later: the server stops.
    pub fn close(&self) {
        self.0.closing.send_replace(true);
    }

    /// Follows what other nodes store, as long as it is polled.
    pub async fn follow(&self) {
        let mut interval = tokio::time::interval(INTERVAL);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut seen = None;
        let mut answering = true;
        loop {
            interval.tick().await;
            if self.watched().is_empty() {
                seen = None;
                continue;
            }
            match self.look(seen).await {
                Ok(newest) => {
                    seen = Some(newest);
                    answering = true;
                }
                // Those who wait find out by themselves when they look.
                Err(error) => {
                    if answering {
                        tracing::warn!(%error, "cannot look for messages of other nodes");
                    }
                    answering = false;
                }
            }
        }
    }

    /// Wakes those for whom something came after `seen`; where that is not known, everybody.
    async fn look(&self, seen: Option<i64>) -> Result<i64, StoreError> {
        let connection = self.0.database.reader();
        let newest = row(
            connection,
            "SELECT value FROM inbox_sequence WHERE id = 1",
            [],
        )
        .await?;
        let newest: i64 = get(&newest.ok_or_else(|| corrupt("sequence"))?, 0)?;
        match seen {
            None => self.watched().values().for_each(Watched::wake),
            Some(seen) if seen < newest => {
                let new = "SELECT DISTINCT webhook_id FROM inbox_messages WHERE id > ? AND id <= ?";
                for row in rows(connection, new, [seen.into(), newest.into()]).await? {
                    self.wake(WebhookId(get(&row, 0)?));
                }
            }
            Some(_) => {}
        }
        Ok(newest)
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<i64, Watched>> {
        self.0
            .watched
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    fn wake(&self) {
        self.changes.send_replace(());
    }
}

impl Arrivals for ArrivalHub {
    fn wake(&self, WebhookId(webhook): WebhookId) {
        if let Some(watched) = self.watched().get(&webhook) {
            watched.wake();
        }
    }

    fn watch(&self, WebhookId(webhook): WebhookId, wait: Duration) -> Box<dyn Watch> {
        let mut all = self.watched();
        let watched = all.entry(webhook).or_insert_with(|| Watched {
            changes: watch::Sender::new(()),
            watchers: 0,
        });
        watched.watchers += 1;
        Box::new(Watcher {
            hub: self.clone(),
            webhook,
            deadline: Instant::now() + wait,
            changes: watched.changes.subscribe(),
            closing: self.0.closing.subscribe(),
        })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut all = self.hub.watched();
        if let Some(watched) = all.get_mut(&self.webhook) {
            watched.watchers -= 1;
            if watched.watchers == 0 {
                all.remove(&self.webhook);
            }
        }
    }
}

#[async_trait]
impl Watch for Watcher {
    async fn changed(&mut self, again_in: Option<Duration>) -> bool {
        let again = again_in.map(|time| Instant::now() + time);
        let until = again.map_or(self.deadline, |again| again.min(self.deadline));
        tokio::select! {
            _ = self.closing.wait_for(|closing| *closing) => false,
            _ = self.changes.changed() => true,
            () = tokio::time::sleep_until(until) => until < self.deadline,
        }
    }
}
