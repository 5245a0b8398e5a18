//! The pool of connections to a MySQL or MariaDB server.

use std::future::poll_fn;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlDatabaseError, MySqlSslMode};
use sqlx::{ConnectOptions, Connection, Executor, Row};
use tidegate_domain::error::StoreError;

use super::exhausted;
use super::home::Home;
use super::homes::{Homes, Slot, Turn};
use super::watch::Watch;
use crate::engine::Server;
use crate::error::store_error;
use crate::measure::{PoolStatus, Running, acquired};

/// What every session is set to, whatever the server's defaults are. The answer is the
/// server's version and the session's id. All of it is one round trip.
///
/// - Times are UTC, so that `TIMESTAMP` means the same to everyone.
/// - `ONLY_FULL_GROUP_BY` and `NO_ZERO_DATE` are left out: the planner groups by all that is
///   shown, and zero dates of older tables have to be read and filtered.
/// - `REPEATABLE READ` is what a consistent snapshot is taken under.
/// - `NO_AUTO_VALUE_ON_ZERO` lets a zero that a client writes be a zero.
const SESSION: &str = "SET NAMES utf8mb4, time_zone = '+00:00', autocommit = 1, \
     sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO'; \
     SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; \
     SELECT VERSION(), CONNECTION_ID()";

/// A connection that rested longer than this is asked for a sign of life before it is used:
/// servers and firewalls close idle ones.
const RESTED: Duration = Duration::from_secs(30);

/// What fits a TLS record of 16 KiB, with some room.
const RECORD: usize = 15 * 1024;

/// How long that may take.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);

/// How the pool reaches the server.
#[derive(Debug, Clone)]
pub struct MySqlPoolOptions {
    /// Address, account, TLS. A default database is not needed and not used.
    pub connect: MySqlConnectOptions,
    /// How many connections there are at most.
    pub max_connections: usize,
    /// How long a caller waits for a connection, opening one included.
    pub acquire_timeout: Duration,
    /// How long a statement that is watched may take.
    pub statement_timeout: Option<Duration>,
}

/// Connections to one server. Nothing is opened before it is needed, so a server that is
/// down at start, or goes away for a while, costs errors only as long as it is away.
#[derive(Clone)]
pub struct MySqlPool {
    homes: Homes<Session>,
    sessions: Arc<Sessions>,
    acquire_timeout: Duration,
}

impl MySqlPool {
    /// A pool without any open connection.
    pub fn new(options: MySqlPoolOptions) -> Self {
        // The session is set up in one statement of our own instead of sqlx's.
        let connect = options
            .connect
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .timezone(None)
            .set_names(false);
        Self {
            homes: Homes::new(options.max_connections),
            sessions: Arc::new(Sessions {
                connect: Arc::new(connect),
                limit: options.statement_timeout,
            }),
            acquire_timeout: options.acquire_timeout,
        }
    }

    /// A connection, idle or new, for use on this thread.
    ///
    /// # Errors
    /// `Unavailable` when none comes free in time or the server cannot be reached, `Denied`
    /// when it refuses the account.
    pub async fn get(&self) -> Result<MySqlLease, StoreError> {
        self.get_at(&self.home()).await
    }

    /// Where this thread's connections live.
    fn home(&self) -> Home {
        Home::here(self.homes.most())
    }

    async fn get_at(&self, home: &Home) -> Result<MySqlLease, StoreError> {
        let began = Instant::now();
        let found = tokio::time::timeout(self.acquire_timeout, self.find(home)).await;
        acquired(began.elapsed(), found.is_ok());
        found.map_err(|_| exhausted("no connection to the server came free in time"))?
    }

    async fn find(&self, home: &Home) -> Result<MySqlLease, StoreError> {
        loop {
            let turn = self.homes.take(home.id).await;
            let turn = turn.map_err(|_| exhausted("the pool of connections was closed"))?;
            let (session, slot, reused) = match turn {
                Turn::Open(slot) => {
                    let opened = home.within(self.sessions.open()).await;
                    (opened.map_err(store_error)?, slot, false)
                }
                Turn::Idle(mut session, since, slot) => {
                    if since.elapsed() >= RESTED && !session.answers().await {
                        continue;
                    }
                    (session, slot, true)
                }
            };
            return Ok(MySqlLease {
                kept: Some((session, slot)),
                reused,
                pool: self.clone(),
            });
        }
    }

    /// A connection inside a transaction that `begin` opens. Where the server closed an idle
    /// connection meanwhile, another is taken: nothing was sent on it that could have counted.
    ///
    /// # Errors
    /// As [`MySqlPool::get`], and what `begin` itself fails with.
    pub async fn begin(&self, begin: &'static str) -> Result<MySqlLease, StoreError> {
        self.begin_at(&self.home(), begin).await
    }

    /// As [`MySqlPool::begin`], for use in a task of its own.
    ///
    /// # Errors
    /// The same.
    pub(crate) async fn begin_shared(&self, begin: &'static str) -> Result<MySqlLease, StoreError> {
        self.begin_at(&Home::SHARED, begin).await
    }

    async fn begin_at(&self, home: &Home, begin: &'static str) -> Result<MySqlLease, StoreError> {
        let mut again = true;
        loop {
            let mut lease = self.get_at(home).await?;
            let running = Running::of(begin);
            let outcome = lease.execute(sqlx::raw_sql(begin)).await;
            drop(running);
            match outcome {
                Ok(_) => return Ok(lease),
                Err(error) if again && lease.is_stale(&error) => again = false,
                Err(error) => return Err(lease.fail(error)),
            }
        }
    }

    /// How large a statement of several rows may be. sqlx leaves Nagle's algorithm on: what is
    /// sent in more than one TLS record waits for an acknowledgement, which peers delay by 40 ms.
    pub(crate) fn piece(&self) -> usize {
        let connect = &self.sessions.connect;
        let plain = connect.get_socket().is_some()
            || matches!(connect.get_ssl_mode(), MySqlSslMode::Disabled);
        if plain { usize::MAX } else { RECORD }
    }

    /// How many connections there are.
    pub(crate) fn status(&self) -> PoolStatus {
        self.homes.status()
    }

    /// Closes all idle connections, and the others as they come back.
    pub fn close(&self) {
        self.homes.close();
    }
}

/// A connection on loan. Dropping it closes the connection; [`MySqlLease::end`] gives it back.
pub struct MySqlLease {
    // Empty only after `end`.
    kept: Option<(Session, Slot<Session>)>,
    reused: bool,
    pool: MySqlPool,
}

impl MySqlLease {
    /// The server at the other end.
    pub fn server(&self) -> Server {
        self.session().server
    }

    /// Watches over statements on this connection.
    pub fn watch(&self) -> Watch {
        let sessions = &self.pool.sessions;
        Watch::session(sessions.limit, &sessions.connect, self.session().id)
    }

    /// Ends the use of the connection with the outcome of its last statement, and passes the
    /// outcome on. The connection goes back to the pool unless the outcome says that it broke.
    /// To be called with no transaction open and no result half read.
    ///
    /// # Errors
    /// The outcome's, translated.
    pub fn end<T>(mut self, outcome: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        match outcome {
            Ok(value) => {
                // Only this path, and a refused statement below, gives the connection back.
                self.put_back();
                Ok(value)
            }
            // The server answered with an error and waits for the next statement. After any
            // other error (a value that cannot be decoded, say) rows may still be under way.
            Err(error) => {
                if is_broken(&error) {
                    self.forget_idle();
                } else if matches!(error, sqlx::Error::Database(_)) {
                    self.put_back();
                }
                Err(store_error(error))
            }
        }
    }

    /// Ends the use with an error inside a transaction: closes the connection, by which the
    /// server rolls back.
    pub fn fail(self, error: sqlx::Error) -> StoreError {
        if is_broken(&error) {
            self.forget_idle();
        }
        store_error(error)
    }

    /// Rolls back after an error inside a transaction and ends the use.
    pub async fn abort(self, error: sqlx::Error) -> StoreError {
        if matches!(error, sqlx::Error::Database(_)) && !is_broken(&error) {
            self.roll_back().await;
            store_error(error)
        } else {
            self.fail(error)
        }
    }

    /// Commits and ends the use.
    ///
    /// # Errors
    /// Whatever the server answers to the commit.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        let running = Running::new("commit");
        let outcome = self.execute("COMMIT").await;
        drop(running);
        match outcome {
            Ok(_) => self.end(Ok(())),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Ends a transaction that only read, and the use. The server's answer is not waited for:
    /// whoever uses the connection next reads it first.
    pub(crate) async fn finish(mut self) {
        let running = Running::new("commit");
        let sent = {
            let mut commit = self.execute(sqlx::raw_sql("COMMIT"));
            poll_fn(|context| Poll::Ready(commit.as_mut().poll(context))).await
        };
        drop(running);
        // Nothing is lost where the server did not hear of it: it ends the transaction then.
        if !matches!(sent, Poll::Ready(Err(_))) {
            self.put_back();
        }
    }

    /// Rolls back and ends the use. A failure needs no word: the connection is closed then,
    /// which rolls back as well.
    pub async fn roll_back(mut self) {
        if self.execute("ROLLBACK").await.is_ok() {
            self.put_back();
        }
    }

    /// Whether the first statement on this lease failed only because the server had closed
    /// the connection while it was idle, so that a caller who may repeat the statement should
    /// try once more on another one. Idle connections of the same age are given up.
    pub fn is_stale(&self, error: &sqlx::Error) -> bool {
        let stale = self.reused && is_broken(error);
        if stale {
            self.forget_idle();
        }
        stale
    }

    /// After one connection broke the others that are idle are most likely gone, too.
    fn forget_idle(&self) {
        self.pool.homes.forget_idle();
    }

    fn put_back(&mut self) {
        if let Some((session, slot)) = self.kept.take() {
            slot.put_back(session);
        }
    }

    fn session(&self) -> &Session {
        // The session is taken only by methods that consume the lease.
        #[expect(
            clippy::expect_used,
            reason = "the session leaves only together with the lease"
        )]
        let (session, _) = self.kept.as_ref().expect("a lease holds its connection");
        session
    }
}

impl Deref for MySqlLease {
    type Target = MySqlConnection;

    fn deref(&self) -> &MySqlConnection {
        &self.session().connection
    }
}

impl DerefMut for MySqlLease {
    fn deref_mut(&mut self) -> &mut MySqlConnection {
        #[expect(
            clippy::expect_used,
            reason = "the session leaves only together with the lease"
        )]
        let (session, _) = self.kept.as_mut().expect("a lease holds its connection");
        &mut session.connection
    }
}

/// Whether an error says that the connection cannot be used any more.
fn is_broken(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::WorkerCrashed => true,
        // Shutting down, killed, aborted, idle for too long: the server says so and hangs up.
        sqlx::Error::Database(error) => error.try_downcast_ref::<MySqlDatabaseError>().is_some_and(
            |error| matches!(error.number(), 1053 | 1077..=1080 | 1152 | 1158..=1161 | 1927 | 4031),
        ),
        _ => false,
    }
}

/// An open connection and what is known of its server.
struct Session {
    connection: MySqlConnection,
    server: Server,
    // By which the server knows it.
    id: u64,
}

/// Opens connections.
struct Sessions {
    connect: Arc<MySqlConnectOptions>,
    limit: Option<Duration>,
}

impl Sessions {
    async fn open(&self) -> Result<Session, sqlx::Error> {
        let mut connection = self.connect.connect().await?;
        let rows = connection.fetch_all(sqlx::raw_sql(SESSION)).await?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        let version = row.try_get_unchecked::<String, _>(0)?;
        let id = row.try_get_unchecked::<u64, _>(1)?;
        let server = Server::parse(&version);
        if !server.is_supported() {
            tracing::warn!(engine = %server.engine, version = ?server.version, "this version of the server is too old");
        }
        Ok(Session {
            connection,
            server,
            id,
        })
    }
}

impl Session {
    /// Whether the server still answers.
    async fn answers(&mut self) -> bool {
        let ping = tokio::time::timeout(SIGN_OF_LIFE, self.connection.ping());
        matches!(ping.await, Ok(Ok(())))
    }
}
