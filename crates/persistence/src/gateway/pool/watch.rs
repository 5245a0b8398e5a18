//! How long statements may take, and how those are ended that take longer.
//!
//! SQLite is asked by itself every few thousand steps whether it should go on. A server is
//! told over a connection of its own to end the statement; the connection on which it ran
//! then answers with an error and can be used again. In the same way it is told to end the
//! session of a statement whose caller has gone away.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::mysql::MySqlConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use tidegate_domain::error::StoreError;
use tidegate_domain::request::Current;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::super::rows::batch::Fault;

/// How long the server may take to end a statement.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often it is told: the first word may have come between two statements.
const TIMES: usize = 3;

/// That a statement took too long, and could not be ended.
#[derive(Debug, thiserror::Error)]
#[error("the statement took too long")]
pub(crate) struct TooSlow;

impl From<TooSlow> for sqlx::Error {
    fn from(error: TooSlow) -> Self {
        sqlx::Error::AnyDriverError(error.into())
    }
}

impl From<TooSlow> for Fault {
    fn from(error: TooSlow) -> Self {
        Fault::Engine(error.into())
    }
}

impl From<TooSlow> for StoreError {
    fn from(error: TooSlow) -> Self {
        StoreError::Timeout(error.into())
    }
}

/// Watches over what is done on one connection. It does not borrow the lease, so that the
/// lease can be used, or moved into a task, meanwhile.
#[derive(Clone)]
pub struct Watch(Option<Limit>);

#[derive(Clone)]
enum Limit {
    /// A session of a server, by its id; without a time it is only ended when nobody waits.
    Session(Option<Duration>, Arc<MySqlConnectOptions>, u64),
    /// A connection to a file.
    File(Duration, Arc<Deadline>),
}

impl Watch {
    pub(super) fn none() -> Self {
        Self(None)
    }

    pub(super) fn session(
        limit: Option<Duration>,
        connect: &Arc<MySqlConnectOptions>,
        id: u64,
    ) -> Self {
        Self(Some(Limit::Session(limit, Arc::clone(connect), id)))
    }

    pub(super) fn file(limit: Option<Duration>, deadline: &Arc<Deadline>) -> Self {
        Self(limit.map(|limit| Limit::File(limit, Arc::clone(deadline))))
    }

    /// Does work on the connection, a statement or a few that belong together, and ends it
    /// when it takes longer than a statement may. For a document that leaves in pieces the
    /// work is over with the first piece: how fast the others leave is up to the client.
    ///
    /// # Errors
    /// The work's, and [`StoreError::Timeout`] or what becomes of it.
    pub(crate) async fn over<T, E: From<TooSlow>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        match &self.0 {
            None => work.await,
            Some(Limit::File(limit, deadline)) => {
                deadline.set(*limit);
                let outcome = work.await;
                deadline.clear();
                outcome
            }
            Some(Limit::Session(limit, connect, id)) => {
                let mut abandoned = Abandoned(Some((Arc::clone(connect), *id)));
                let outcome = limited(*limit, connect, *id, work).await;
                if outcome.is_some() {
                    abandoned.0 = None;
                }
                // Whoever dropped the lease has closed the connection.
                outcome.unwrap_or_else(|| Err(TooSlow.into()))
            }
        }
    }

    /// How long work may take that no connection of a pool does.
    pub(crate) fn limit(&self) -> Option<Duration> {
        match &self.0 {
            None => None,
            Some(Limit::Session(limit, ..)) => *limit,
            Some(Limit::File(limit, _)) => Some(*limit),
        }
    }
}

/// Does work on a session; `None` when it took too long and could not be ended.
async fn limited<T>(
    limit: Option<Duration>,
    connect: &MySqlConnectOptions,
    id: u64,
    work: impl Future<Output = T>,
) -> Option<T> {
    let Some(limit) = limit else {
        return Some(work.await);
    };
    let mut work = pin!(work);
    let mut patience = limit;
    for _ in 0..TIMES {
        if let Ok(outcome) = timeout(patience, &mut work).await {
            return Some(outcome);
        }
        patience = PATIENCE;
        match timeout(PATIENCE, end(connect, "KILL QUERY", id)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a slow statement could not be ended"),
            Err(_) => {
                tracing::warn!("a slow statement could not be ended in time");
                // The word may still arrive, and must not meet somebody else's statement.
                return None;
            }
        }
    }
    None
}

/// Ends a session whose statement nobody waits for any more: the server itself notices a
/// closed connection only when it has something to send.
struct Abandoned(Option<(Arc<MySqlConnectOptions>, u64)>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        let (Some((connect, id)), Ok(runtime)) = (self.0.take(), Handle::try_current()) else {
            return;
        };
        runtime.spawn(Current::here().carry(Box::pin(async move {
            // Mostly it is gone already, which is an error of no interest.
            if let Ok(Err(error)) = timeout(PATIENCE, end(&connect, "KILL", id)).await {
                tracing::debug!(%error, "an abandoned session could not be ended");
            }
        })));
    }
}

/// Ends what a session does now, or (`KILL`) the session.
async fn end(connect: &MySqlConnectOptions, kill: &str, id: u64) -> Result<(), sqlx::Error> {
    let mut connection = connect.connect().await?;
    let statement = format!("{kill} {id}");
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(statement)))
        .await?;
    connection.close().await
}

/// Until when the statement of a connection may run. The engine looks at it from its own thread.
pub(super) struct Deadline {
    base: Instant,
    // Milliseconds after `base`.
    end: AtomicU64,
}

impl Deadline {
    pub(super) fn new() -> Self {
        Self {
            base: Instant::now(),
            end: AtomicU64::new(u64::MAX),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.base.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn set(&self, limit: Duration) {
        let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        self.end
            .store(self.now().saturating_add(limit), Ordering::Relaxed);
    }

    fn clear(&self) {
        self.end.store(u64::MAX, Ordering::Relaxed);
    }

    /// Whether the statement may go on.
    pub(super) fn allows(&self) -> bool {
        self.now() <= self.end.load(Ordering::Relaxed)
    }
}
