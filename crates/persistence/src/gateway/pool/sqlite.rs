//! The connections to one SQLite file: those that read rows, a few that read whatever else there
//! is, one that writes rows and one that writes the rest. Only one of the two writes at a time.

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use deadpool::managed::{self, Metrics, Object, PoolError, QueueMode, RecycleResult};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor};
use tidegate_domain::error::StoreError;
use tidegate_domain::request::Current;
use tokio::sync::{OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock as Gate};

use super::super::once::{HIDDEN, OLD_HIDDEN, time_text};
use super::super::rows::batch::Fault;
use super::files::SqliteFilesOptions;
use super::functions::with_functions;
use super::local::{Local, LocalLease, Locals, Opening};
use super::watch::{Deadline, Watch};
use super::writer::{Kind, Pending, Writer};
use super::{busy, exhausted};
use crate::backup::{COPY, OPTIMIZE, path_text};
use crate::error::store_error;
use crate::measure::{PoolStatus, Running, acquired};

/// After how many steps of its machine the engine asks whether it may go on: some hundred
/// times a second.
pub(crate) const STEPS: i32 = 100_000;

/// One database file.
pub struct SqliteDatabase {
    readers: managed::Pool<Connections>,
    writer: managed::Pool<Connections>,
    /// What reads rows.
    locals: Arc<Locals>,
    /// What writes rows.
    row_writer: Arc<Writer>,
    connect: SqliteConnectOptions,
    acquire_timeout: Duration,
    // Read-locked by every connection that is on loan or still closing.
    gate: Arc<Gate<()>>,
    gone: AtomicBool,
}

impl SqliteDatabase {
    pub(super) fn new(
        path: &Path,
        create: bool,
        options: &SqliteFilesOptions,
    ) -> Result<Self, StoreError> {
        let patience = options.acquire_timeout.min(Duration::from_secs(60));
        let opening = Opening {
            path: path.to_owned(),
            reads: true,
            busy: patience,
            limit: options.statement_timeout,
        };
        let connect = with_functions(SqliteConnectOptions::new())
            .filename(path)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(patience);
        let pool = |connect: SqliteConnectOptions, size: usize| {
            let limit = options.statement_timeout;
            managed::Pool::builder(Connections { connect, limit })
                .max_size(size.max(1))
                .queue_mode(QueueMode::Lifo)
                .build()
                .map_err(|error| StoreError::Internal(error.into()))
        };
        Ok(Self {
            row_writer: Arc::new(Writer::new(Opening {
                reads: false,
                ..opening.clone()
            })),
            locals: Arc::new(Locals::new(opening, options.readers)),
            connect: connect.clone(),
            readers: pool(
                connect.clone().pragma("query_only", "ON"),
                options.readers.div_ceil(4).max(2),
            )?,
            writer: pool(
                connect
                    .create_if_missing(create)
                    .journal_mode(SqliteJournalMode::Wal),
                1,
            )?,
            acquire_timeout: options.acquire_timeout,
            gate: Arc::default(),
            gone: AtomicBool::new(false),
        })
    }

    /// Opens the writer once, by which the file exists and keeps a write-ahead log: only then
    /// do readers and the writer not wait for one another.
    pub(super) async fn prepare(&self) -> Result<(), StoreError> {
        self.writer().await?.end(Ok(()))
    }

    /// A connection that reads rows.
    ///
    /// # Errors
    /// `Unavailable` when none comes free in time, `Missing` when the database was removed.
    pub(crate) async fn local(&self) -> Result<LocalLease, StoreError> {
        let began = Instant::now();
        let wait = async {
            let passage = self.enter().await?;
            self.locals.lease(passage).await
        };
        let lease = tokio::time::timeout(self.acquire_timeout, wait).await;
        acquired(began.elapsed(), lease.is_ok());
        lease.unwrap_or_else(|_| Err(busy()))
    }

    /// Has rows written, with what else waits to be written. `work` may be called once more,
    /// after what it did was undone.
    ///
    /// # Errors
    /// `Missing` when the database was removed.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        kind: Kind,
        work: impl FnMut(&mut Local) -> Result<T, Fault> + Send + 'static,
    ) -> Result<Pending<T>, StoreError> {
        let entered = tokio::time::timeout(self.acquire_timeout, self.enter()).await;
        let passage = entered.unwrap_or_else(|_| Err(busy()))?;
        Ok(self
            .row_writer
            .write(kind, passage, self.acquire_timeout, work))
    }

    /// Comes in, unless the database was removed; keeps it there until it is dropped.
    async fn enter(&self) -> Result<OwnedRwLockReadGuard<()>, StoreError> {
        let passage = Arc::clone(&self.gate).read_owned().await;
        if self.gone.load(Ordering::Acquire) {
            return Err(StoreError::Missing { kind: "database" });
        }
        Ok(passage)
    }

    /// A connection for what is not rows, that reads.
    ///
    /// # Errors
    /// `Unavailable` when none comes free in time, `Missing` when the database was removed.
    pub async fn reader(&self) -> Result<SqliteLease, StoreError> {
        self.lease(&self.readers, false).await
    }

    /// The connection that writes, first come first served.
    ///
    /// # Errors
    /// `Unavailable` when it does not come free in time, `Missing` when the database was removed.
    pub async fn writer(&self) -> Result<SqliteLease, StoreError> {
        self.lease(&self.writer, true).await
    }

    async fn lease(
        &self,
        pool: &managed::Pool<Connections>,
        writes: bool,
    ) -> Result<SqliteLease, StoreError> {
        let wait = async {
            let passage = self.enter().await?;
            let turn = if writes {
                Some(self.row_writer.exclude().await)
            } else {
                None
            };
            let object = pool.get().await.map_err(|error| match error {
                PoolError::Backend(error) => store_error(error),
                other => StoreError::Unavailable(other.to_string().into()),
            })?;
            Ok(SqliteLease {
                held: Some((object, Passage(turn, passage))),
            })
        };
        let began = Instant::now();
        let lease = tokio::time::timeout(self.acquire_timeout, wait).await;
        acquired(began.elapsed(), lease.is_ok());
        lease.unwrap_or_else(|_| Err(busy()))
    }

    /// How many connections there are.
    pub(super) fn status(&self) -> PoolStatus {
        let [readers, writer] = [self.readers.status(), self.writer.status()];
        self.locals
            .status()
            .and(self.row_writer.status())
            .and(PoolStatus::of_managed(readers))
            .and(PoolStatus::of_managed(writer))
    }

    /// Writes a copy into an empty file, on a connection of its own, so that neither readers nor
    /// the writer wait.
    ///
    /// # Errors
    /// What the engine says; `Missing` when the database was removed.
    pub(crate) async fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        let text = path_text(path)?;
        let passage = self.enter().await?;
        let (connect, to) = (self.connect.clone(), text.to_owned());
        // A caller that goes away does not end the statement, during which the database must stay.
        let copying = tokio::spawn(Current::here().carry(Box::pin(async move {
            let mut connection = connect.connect().await?;
            let copied = sqlx::query(COPY).bind(to).execute(&mut connection).await;
            connection.close().await?;
            drop(passage);
            copied
        })));
        let copied = copying
            .await
            .map_err(|error| StoreError::Internal(error.into()))?;
        copied.map(drop).map_err(store_error)
    }

    /// Lets the engine refresh what it knows of the tables' contents.
    ///
    /// # Errors
    /// What the engine says; `Missing` when the database was removed.
    pub(crate) async fn optimize(&self) -> Result<(), StoreError> {
        let mut writer = self.writer().await?;
        let done = writer.execute(OPTIMIZE).await;
        writer.end(done).map(drop)
    }

    /// Deletes the keys of requests that were made before; how many.
    ///
    /// # Errors
    /// What the engine says; `Missing` when the database was removed.
    pub(crate) async fn purge_keys(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        let mut reader = self.reader().await?;
        let found = sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_master WHERE name = ?")
            .bind(HIDDEN)
            .fetch_one(&mut *reader)
            .await;
        let tables: i64 = reader.end(found)?;
        if tables == 0 {
            return Ok(0);
        }
        let mut writer = self.writer().await?;
        let done = sqlx::query(OLD_HIDDEN)
            .bind(time_text(before))
            .execute(&mut *writer)
            .await;
        Ok(writer.end(done)?.rows_affected())
    }

    /// From now on the database is missing to whoever still holds it.
    pub(super) fn forget(&self) {
        self.gone.store(true, Ordering::Release);
    }

    /// Waits until nobody uses the database, keeps new users waiting, and closes all
    /// connections. What it gives lets them in again when dropped.
    pub(super) async fn shut(
        &self,
        wait: Duration,
    ) -> Result<OwnedRwLockWriteGuard<()>, StoreError> {
        let guard = tokio::time::timeout(wait, Arc::clone(&self.gate).write_owned())
            .await
            .map_err(|_| exhausted("the database is in use"))?;
        self.locals.close();
        self.row_writer.exclude().await.take();
        for pool in [&self.readers, &self.writer] {
            for open in pool.retain(|_, _| false).removed {
                open.connection.close().await.map_err(store_error)?;
            }
        }
        Ok(guard)
    }
}

/// A connection on loan. Dropping it closes the connection, which rolls back;
/// [`SqliteLease::end`] gives it back.
pub struct SqliteLease {
    // Empty only after `end`.
    held: Option<(Object<Connections>, Passage)>,
}

/// What keeps the database there, and, for who writes, others from writing rows.
struct Passage(
    #[expect(dead_code, reason = "it is held")] Option<OwnedMutexGuard<Option<Local>>>,
    #[expect(dead_code, reason = "it is held")] OwnedRwLockReadGuard<()>,
);

impl SqliteLease {
    /// Watches over statements on this connection.
    pub fn watch(&self) -> Watch {
        let open = self.held.as_ref().map(|(object, _)| object);
        open.map_or_else(Watch::none, |open| Watch::file(open.limit, &open.deadline))
    }

    /// Ends the use of the connection with the outcome of its last statement, and passes the
    /// outcome on. To be called with no transaction open and no result half read.
    ///
    /// # Errors
    /// The outcome's, translated.
    pub fn end<T>(mut self, outcome: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        if matches!(outcome, Ok(_) | Err(sqlx::Error::Database(_))) {
            drop(self.held.take());
        }
        outcome.map_err(store_error)
    }

    /// Rolls back after an error inside a transaction and ends the use.
    pub async fn abort(self, error: sqlx::Error) -> StoreError {
        if matches!(error, sqlx::Error::Database(_)) {
            self.roll_back().await;
        }
        store_error(error)
    }

    /// Commits and ends the use. A commit that fails (a deferred foreign key) is rolled back.
    ///
    /// # Errors
    /// Whatever the engine answers to the commit.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        let running = Running::new("commit");
        let outcome = self.execute("COMMIT").await;
        drop(running);
        match outcome {
            Ok(_) => self.end(Ok(())),
            Err(error) => {
                self.roll_back().await;
                Err(store_error(error))
            }
        }
    }

    /// Rolls back and ends the use. Where that fails the connection is closed, which rolls
    /// back as well; where the engine has rolled back by itself there is nothing to do.
    pub async fn roll_back(mut self) {
        let outcome = self.execute("ROLLBACK").await;
        let nothing_open = |error: &sqlx::Error| matches!(error, sqlx::Error::Database(error) if error.message().contains("no transaction is active"));
        if outcome.as_ref().map_or_else(nothing_open, |_| true) {
            drop(self.held.take());
        }
    }
}

impl Deref for SqliteLease {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        #[expect(
            clippy::expect_used,
            reason = "the object leaves only together with the lease"
        )]
        let (object, _) = self.held.as_ref().expect("a lease holds its connection");
        &object.connection
    }
}

impl DerefMut for SqliteLease {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        #[expect(
            clippy::expect_used,
            reason = "the object leaves only together with the lease"
        )]
        let (object, _) = self.held.as_mut().expect("a lease holds its connection");
        &mut object.connection
    }
}

impl Drop for SqliteLease {
    fn drop(&mut self) {
        let Some((object, passage)) = self.held.take() else {
            return;
        };
        let connection = Object::take(object).connection;
        // The last connection of a file that closes deletes its log by name. It must not do
        // that after another database was made under this name, so the gate stays taken until
        // the connection's thread has ended.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = connection.close().await;
                drop(passage);
            });
        }
    }
}

/// An open connection, and until when its statement may run.
struct Open {
    connection: SqliteConnection,
    deadline: Arc<Deadline>,
    limit: Option<Duration>,
}

/// Opens connections.
struct Connections {
    connect: SqliteConnectOptions,
    limit: Option<Duration>,
}

impl managed::Manager for Connections {
    type Type = Open;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<Open, sqlx::Error> {
        let mut connection = self.connect.connect().await?;
        let deadline = Arc::new(Deadline::new());
        if self.limit.is_some() {
            let looked_at = Arc::clone(&deadline);
            connection
                .lock_handle()
                .await?
                .set_progress_handler(STEPS, move || looked_at.allows());
        }
        Ok(Open {
            connection,
            deadline,
            limit: self.limit,
        })
    }

    async fn recycle(&self, _: &mut Open, _: &Metrics) -> RecycleResult<sqlx::Error> {
        Ok(())
    }
}
