//! Measures what the databases are asked: how long each statement takes, which are slow, and
//! a span for a trace. Neither the text of a statement nor its values are in either.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use log::LevelFilter;
use metrics::Histogram;
use sea_orm::DatabaseConnection;
use sqlx::{Database, Pool as SqlxPool};
use tracing::Span;

/// Which connections a statement runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// Those to Tidegate's own database.
    Own,
    /// Those to the databases of the gateway.
    Gateway,
}

impl Pool {
    /// The label `pool` of its metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Gateway => "gateway",
        }
    }
}

/// How many connections there are, for the metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolStatus {
    /// Open connections.
    pub connections: usize,
    /// Those of them that nobody uses.
    pub idle: usize,
    /// How many there may be.
    pub max: usize,
    /// How many callers wait for one; `None` where the pool does not tell.
    pub waiters: Option<usize>,
}

impl PoolStatus {
    /// Both together.
    pub(crate) fn and(self, other: Self) -> Self {
        let waiters = [self.waiters, other.waiters];
        Self {
            connections: self.connections + other.connections,
            idle: self.idle + other.idle,
            max: self.max + other.max,
            waiters: waiters
                .iter()
                .any(Option::is_some)
                .then(|| waiters.into_iter().flatten().sum()),
        }
    }

    /// Of a pool of deadpool's.
    pub(crate) fn of_managed(status: deadpool::Status) -> Self {
        Self {
            connections: status.size,
            idle: status.available,
            max: status.max_size,
            waiters: Some(status.waiting),
        }
    }

    /// Of a pool of sqlx's, which does not tell who waits.
    pub(crate) fn of<DB: Database>(pool: &SqlxPool<DB>) -> Self {
        Self {
            connections: usize::try_from(pool.size()).unwrap_or(usize::MAX),
            idle: pool.num_idle(),
            max: usize::try_from(pool.options().get_max_connections()).unwrap_or(usize::MAX),
            waiters: None,
        }
    }
}

/// At which level sqlx's pools say how long a connection was waited for, in events of the target
/// `sqlx::pool::acquire`. Whoever keeps metrics listens to them; there is no other way to learn it.
pub(crate) const ACQUIRE_LEVEL: LevelFilter = LevelFilter::Trace;

/// The slow statements begin here, in microseconds.
static SLOW_MICROS: AtomicU64 = AtomicU64::new(u64::MAX);

/// Statements that take this long or longer are logged as slow from now on; `None`: none is.
pub fn log_slower_than(threshold: Option<Duration>) {
    let micros = threshold.map_or(u64::MAX, |it| {
        u64::try_from(it.as_micros()).unwrap_or(u64::MAX)
    });
    SLOW_MICROS.store(micros, Ordering::Relaxed);
}

/// What kind of statement this is, by its first word.
pub(crate) fn kind(sql: &str) -> &'static str {
    let word = sql.trim_start().split([' ', '\n', '(', ';']).next();
    let word = word.unwrap_or_default();
    const KINDS: [(&str, &str); 17] = [
        ("SELECT", "select"),
        ("WITH", "select"),
        ("SHOW", "select"),
        ("INSERT", "insert"),
        ("REPLACE", "insert"),
        ("UPDATE", "update"),
        ("DELETE", "delete"),
        ("BEGIN", "begin"),
        ("START", "begin"),
        ("COMMIT", "commit"),
        ("CREATE", "ddl"),
        ("ALTER", "ddl"),
        ("DROP", "ddl"),
        ("RENAME", "ddl"),
        ("TRUNCATE", "ddl"),
        ("GRANT", "ddl"),
        ("REVOKE", "ddl"),
    ];
    KINDS
        .iter()
        .find(|(first, _)| word.eq_ignore_ascii_case(first))
        .map_or("other", |(_, kind)| kind)
}

/// Every kind of statement.
const NAMES: [&str; 9] = [
    "select", "insert", "update", "delete", "begin", "commit", "ddl", "call", "other",
];

/// The histograms of one kind of connections.
struct Histograms {
    by_kind: [OnceLock<Histogram>; NAMES.len()],
    acquired: OnceLock<Histogram>,
}

static KEEPS: AtomicBool = AtomicBool::new(false);
static OWN: Histograms = Histograms::new();
static GATEWAY: Histograms = Histograms::new();

impl Histograms {
    const fn new() -> Self {
        Self {
            by_kind: [const { OnceLock::new() }; NAMES.len()],
            acquired: OnceLock::new(),
        }
    }

    fn of(pool: Pool) -> &'static Self {
        match pool {
            Pool::Own => &OWN,
            Pool::Gateway => &GATEWAY,
        }
    }
}

/// Says that the program's recorder of metrics is in place. From now on metrics are looked up
/// there once, and not with every statement.
pub fn recorder_is_set() {
    KEEPS.store(true, Ordering::Relaxed);
}

/// Records a time, in a histogram that is looked up where it is not kept yet.
fn record(kept: Option<&OnceLock<Histogram>>, find: impl FnOnce() -> Histogram, took: Duration) {
    match kept.filter(|_| KEEPS.load(Ordering::Relaxed)) {
        Some(kept) => kept.get_or_init(find).record(took),
        None => find().record(took),
    }
}

/// Counts a statement that took so long.
pub(crate) fn statement(pool: Pool, kind: &'static str, took: Duration) {
    let labels = [("pool", pool.name()), ("kind", kind)];
    let place = NAMES.iter().position(|name| *name == kind);
    let kept = place.and_then(|at| Histograms::of(pool).by_kind.get(at));
    let find = || metrics::histogram!("tidegate_db_statement_duration_seconds", &labels);
    record(kept, find, took);
    if took.as_micros() >= u128::from(SLOW_MICROS.load(Ordering::Relaxed)) {
        metrics::counter!("tidegate_db_slow_statements_total", &labels).increment(1);
        // Its request is the one that this thread works for.
        tracing::warn!(
            target: "tidegate::slow",
            pool = pool.name(),
            kind,
            duration_ms = took.as_secs_f64() * 1000.0,
            "slow statement"
        );
    }
}

/// A statement on the gateway's connections that is under way; dropped, it is over. So a
/// stream counts until its last row, and what a client breaks off counts as well.
pub(crate) struct Running {
    kind: &'static str,
    began: Instant,
    span: Span,
}

impl Running {
    /// Of this kind, from now on.
    pub(crate) fn new(kind: &'static str) -> Self {
        Self {
            kind,
            began: Instant::now(),
            span: tracing::debug_span!(
                target: "tidegate::trace",
                "statement",
                otel.kind = "client",
                db.operation.name = kind,
            ),
        }
    }

    /// Of the kind that the text says.
    pub(crate) fn of(sql: &str) -> Self {
        Self::new(kind(sql))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.span
            .in_scope(|| statement(Pool::Gateway, self.kind, self.began.elapsed()));
    }
}

/// Counts the time that a caller waited for a connection of the gateway.
pub(crate) fn acquired(waited: Duration, came: bool) {
    let name = Pool::Gateway.name();
    let find = || metrics::histogram!("tidegate_db_pool_acquire_seconds", "pool" => name);
    record(Some(&GATEWAY.acquired), find, waited);
    if !came {
        timed_out(Pool::Gateway);
    }
}

/// Counts a caller whom no connection came for in time.
pub(crate) fn timed_out(pool: Pool) {
    metrics::counter!("tidegate_db_pool_timeouts_total", "pool" => pool.name()).increment(1);
}

/// The connection, with its statements counted.
pub(crate) fn measured(mut connection: DatabaseConnection) -> DatabaseConnection {
    connection.set_metric_callback(|info| {
        statement(Pool::Own, kind(&info.statement.sql), info.elapsed);
    });
    connection
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_told_apart_by_their_first_word() {
        for (sql, expected) in [
            ("SELECT 1", "select"),
            ("  with x AS (SELECT 1) SELECT * FROM x", "select"),
            ("(SELECT 1)", "other"),
            ("REPLACE INTO t VALUES (1)", "insert"),
            ("START TRANSACTION", "begin"),
            ("COMMIT", "commit"),
            ("COMMIT;", "commit"),
            ("create table x (a int)", "ddl"),
            ("SET NAMES utf8mb4", "other"),
            ("", "other"),
        ] {
            assert_eq!(kind(sql), expected, "{sql}");
        }
    }
}
