//! Connections to one SQLite file that are used on the thread they are needed on: what is read
//! goes through no channel. Short reads are made at once, where the caller stands; one that turns
//! out to be long is given up there, and made again on a thread that may wait.

mod control;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use tidegate_domain::error::StoreError;
use tidegate_domain::request::Current;
use tokio::sync::{OwnedRwLockReadGuard, OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::Span;

use super::exhausted;
use super::functions::add_functions;
use crate::error::{local, store_error};
use crate::measure::{PoolStatus, Running};
pub(crate) use control::Control;

/// After how many steps of its machine the engine asks whether it may go on.
const STEPS: i32 = 1_000;
/// How many reads of all files may be made aside at a time, each of which has a thread for as long
/// as its client takes. The runtime has 512: what writes, and the rest of the program, finds some.
static ASIDE: Semaphore = Semaphore::const_new(384);
/// How many statements a connection keeps prepared.
const PREPARED: usize = 64;

/// How the connections to a file are opened.
#[derive(Debug, Clone)]
pub(super) struct Opening {
    pub(super) path: PathBuf,
    /// Refuses what writes.
    pub(super) reads: bool,
    /// How long a statement waits for a lock of another process.
    pub(super) busy: Duration,
    /// How long a statement may take.
    pub(super) limit: Option<Duration>,
}

/// An open connection, and how long its statement may run.
pub(crate) struct Local {
    pub(crate) connection: Connection,
    pub(crate) control: Arc<Control>,
    limit: Option<Duration>,
    busy: Duration,
}

impl Local {
    pub(super) fn open(opening: &Opening) -> Result<Self, sqlx::Error> {
        let open = || {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(&opening.path, flags)?;
            connection.busy_timeout(opening.busy)?;
            // Durable even where the power fails; the file keeps a write-ahead log already.
            connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")?;
            connection.pragma_update(None, "query_only", opening.reads)?;
            connection.set_prepared_statement_cache_capacity(PREPARED);
            add_functions(&connection)?;
            let control = Arc::new(Control::default());
            let asked = Arc::clone(&control);
            connection.progress_handler(STEPS, Some(move || !asked.allows()))?;
            Ok(Self {
                connection,
                control,
                limit: opening.limit,
                busy: opening.busy,
            })
        };
        open().map_err(local::engine)
    }

    /// What runs from now on may take as long as a statement.
    pub(super) fn limited(&self) {
        self.control.limit(self.limit);
    }

    /// The same, but at most for so long.
    pub(super) fn limited_to(&self, most: Duration) {
        let limit = self.limit.map_or(most, |limit| limit.min(most));
        self.control.limit(Some(limit));
    }

    /// Does work that may take as long as a statement.
    pub(crate) fn within<T>(&mut self, work: impl FnOnce(&mut Connection) -> T) -> T {
        self.limited();
        let outcome = work(&mut self.connection);
        self.control.free();
        outcome
    }

    /// Ends what is open; false when it cannot be ended.
    pub(super) fn clear(&self) -> bool {
        self.control.free();
        self.connection.is_autocommit() || self.connection.execute_batch("ROLLBACK").is_ok()
    }

    /// Does work that waits for nobody; `None` when it would have to, or is long.
    fn at_once<T>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> Result<T, sqlx::Error>,
    ) -> Option<Result<T, sqlx::Error>> {
        // That this can be set is known from the opening.
        let _ = self.connection.busy_timeout(Duration::ZERO);
        self.control.briefly();
        let outcome = work(&mut self.connection);
        let long = self.control.free();
        let _ = self.connection.busy_timeout(self.busy);
        match &outcome {
            Err(error) if long || local::code(error) == Some(ErrorCode::DatabaseBusy) => None,
            _ => Some(outcome),
        }
    }
}

/// Runs a statement of our own, that has neither values nor rows.
pub(crate) fn word(connection: &Connection, sql: &str) -> Result<(), sqlx::Error> {
    let _running = Running::of(sql);
    let mut prepared = connection.prepare_cached(sql).map_err(local::engine)?;
    prepared.raw_execute().map(drop).map_err(local::engine)
}

/// The connections that read a file.
pub(super) struct Locals {
    opening: Opening,
    idle: Mutex<Vec<Local>>,
    permits: Arc<Semaphore>,
    max: usize,
    waiting: AtomicUsize,
}

impl Locals {
    pub(super) fn new(opening: Opening, max: usize) -> Self {
        let max = max.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            opening,
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(max)),
            max,
            waiting: AtomicUsize::new(0),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Local>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection; the one that was used last, whose pages are still there.
    pub(super) async fn lease(
        self: &Arc<Self>,
        passage: OwnedRwLockReadGuard<()>,
    ) -> Result<LocalLease, StoreError> {
        let permit = match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let _waiting = Waiting::new(&self.waiting);
                let permit = Arc::clone(&self.permits).acquire_owned().await;
                permit.map_err(|error| StoreError::Unavailable(error.into()))?
            }
        };
        let idle = self.idle().pop();
        let local = match idle {
            Some(local) => local,
            None => {
                // It reads the file, and may wait for a lock of it.
                let opening = self.opening.clone();
                let opened = spawn_blocking(move || Local::open(&opening)).await;
                let opened = opened.map_err(|error| StoreError::Internal(error.into()))?;
                opened.map_err(store_error)?
            }
        };
        Ok(LocalLease {
            held: Some(local),
            home: Arc::clone(self),
            _permit: permit,
            _passage: passage,
        })
    }

    pub(super) fn status(&self) -> PoolStatus {
        let idle = self.idle().len();
        let used = self.max.saturating_sub(self.permits.available_permits());
        PoolStatus {
            connections: idle + used,
            idle,
            max: self.max,
            waiters: Some(self.waiting.load(Ordering::Relaxed)),
        }
    }

    /// Closes what nobody uses.
    pub(super) fn close(&self) {
        self.idle().clear();
    }
}

/// Somebody who waits.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection on loan. Dropping it ends what is open and gives it back.
pub(crate) struct LocalLease {
    held: Option<Local>,
    home: Arc<Locals>,
    // What is open is closed before these go.
    _permit: OwnedSemaphorePermit,
    _passage: OwnedRwLockReadGuard<()>,
}

impl LocalLease {
    fn local(&mut self) -> &mut Local {
        #[expect(clippy::expect_used, reason = "the connection leaves with the lease")]
        self.held.as_mut().expect("a lease holds its connection")
    }

    /// Does work on this thread that waits for nobody; `None` when it would have to, or takes
    /// long. Nothing came of it then.
    pub(crate) fn at_once<T>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> Result<T, sqlx::Error>,
    ) -> Option<Result<T, sqlx::Error>> {
        let outcome = self.local().at_once(work);
        if outcome.is_none() {
            self.local().clear();
        }
        outcome
    }

    /// Does work on a thread that may wait, for as long as a statement may take. It is ended
    /// when its caller goes.
    ///
    /// # Errors
    /// That the work broke off, and that no thread came free in time.
    pub(crate) async fn aside<T: Send + 'static>(
        mut self,
        work: impl FnOnce(&mut Local) -> T + Send + 'static,
    ) -> Result<(Self, T), StoreError> {
        let place = timeout(self.home.opening.busy, ASIDE.acquire()).await;
        let place = place
            .map_err(|_| exhausted("no thread for a long read came free in time"))?
            .map_err(|error| StoreError::Unavailable(error.into()))?;
        let control = Arc::clone(&self.local().control);
        let turn = control.limit(self.local().limit);
        let (span, request) = (Span::current(), Current::here());
        let task = spawn_blocking(move || {
            let outcome = request.in_scope(|| span.in_scope(|| work(self.local())));
            self.local().control.free();
            drop(place);
            (self, outcome)
        });
        // Goes before the task: what runs on after this must not be stopped.
        let _stop = Stop(control, turn);
        task.await
            .map_err(|error| StoreError::Internal(error.into()))
    }
}

impl Drop for LocalLease {
    fn drop(&mut self) {
        if let Some(local) = self.held.take()
            && local.clear()
        {
            self.home.idle().push(local);
        }
    }
}

/// Stops what runs when nobody waits for it. What is over has another turn.
struct Stop(Arc<Control>, u64);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.stop(self.1);
    }
}

#[cfg(test)]
mod tests;
