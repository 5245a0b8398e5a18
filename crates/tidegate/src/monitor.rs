//! Metrics for Prometheus: the recorder that the whole program reports to, what is looked at
//! only when somebody asks, and the text that a scrape gets.
//!
//! `docs/OPERATIONS.md` explains every metric; [`DESCRIPTIONS`] is the list of them.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use futures_util::FutureExt as _;
use metrics::{Unit, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;
use tidegate_domain::system::Clock as _;
use tidegate_http::monitor::{Scrape, serve};
use tidegate_persistence::database::Database;
use tidegate_persistence::gateway::open::GatewayGauges;
use tidegate_persistence::inbox::gauges::inbox_gauges;
use tidegate_persistence::measure::{Pool, PoolStatus};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context as LayerContext;

use crate::config::MetricsSettings;

/// How long a scrape waits for what has to be asked of the database.
const PATIENCE: Duration = Duration::from_secs(3);

/// How often samples that wait in memory are sorted into their buckets.
const UPKEEP: Duration = Duration::from_secs(5);

/// The name and waiting times of a pool of sqlx's come as an event of this target.
pub(crate) const ACQUIRE_TARGET: &str = "sqlx::pool::acquire";

const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];
/// What databases do is faster than a request around it.
const SHORT_SECONDS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];
const LONG_SECONDS: &[f64] = &[0.01, 0.1, 1.0, 10.0, 60.0, 300.0, 1800.0];
const BYTES: &[f64] = &[1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8];

/// What a metric is.
enum Kind {
    Counter,
    Gauge,
    /// With the bounds of its buckets.
    Histogram(&'static [f64]),
}

use Kind::{Counter, Gauge, Histogram};

/// Every metric of Tidegate with what it counts. Those of the process are `metrics-process`'s.
const DESCRIPTIONS: &[(&str, Kind, Unit, &str)] = &[
    (
        "tidegate_build_info",
        Gauge,
        Unit::Count,
        "1; the labels say what runs",
    ),
    (
        "tidegate_http_requests_total",
        Counter,
        Unit::Count,
        "Answered requests; 499: the client went away before",
    ),
    (
        "tidegate_http_request_duration_seconds",
        Histogram(SECONDS),
        Unit::Seconds,
        "From a request's head to the last byte of its answer",
    ),
    (
        "tidegate_http_requests_in_flight",
        Gauge,
        Unit::Count,
        "Requests under way, long polls included",
    ),
    (
        "tidegate_http_request_size_bytes",
        Histogram(BYTES),
        Unit::Bytes,
        "Bodies of requests, where their length is given",
    ),
    (
        "tidegate_http_response_size_bytes",
        Histogram(BYTES),
        Unit::Bytes,
        "Bodies of answers as they went out",
    ),
    (
        "tidegate_db_pool_connections",
        Gauge,
        Unit::Count,
        "Open connections",
    ),
    (
        "tidegate_db_pool_idle",
        Gauge,
        Unit::Count,
        "Open connections that nobody uses",
    ),
    (
        "tidegate_db_pool_max",
        Gauge,
        Unit::Count,
        "Connections that there may be",
    ),
    (
        "tidegate_db_pool_waiters",
        Gauge,
        Unit::Count,
        "Callers that wait for a connection",
    ),
    (
        "tidegate_db_pool_acquire_seconds",
        Histogram(SHORT_SECONDS),
        Unit::Seconds,
        "How long a connection was waited for",
    ),
    (
        "tidegate_db_pool_timeouts_total",
        Counter,
        Unit::Count,
        "Callers that no connection came free for in time",
    ),
    (
        "tidegate_db_statement_duration_seconds",
        Histogram(SHORT_SECONDS),
        Unit::Seconds,
        "How long statements took, to their last row",
    ),
    (
        "tidegate_db_slow_statements_total",
        Counter,
        Unit::Count,
        "Statements slower than log.slow_statement_ms",
    ),
    (
        "tidegate_logins_total",
        Counter,
        Unit::Count,
        "Log-ins by name and password",
    ),
    (
        "tidegate_tokens_refused_total",
        Counter,
        Unit::Count,
        "Access tokens that were not good",
    ),
    (
        "tidegate_rate_limited_total",
        Counter,
        Unit::Count,
        "Requests over a limit",
    ),
    (
        "tidegate_catalogue_databases",
        Gauge,
        Unit::Count,
        "Databases that the catalogue of this node describes",
    ),
    (
        "tidegate_catalogue_age_seconds",
        Gauge,
        Unit::Seconds,
        "Age of the oldest description in the catalogue",
    ),
    (
        "tidegate_catalogue_reloads_total",
        Counter,
        Unit::Count,
        "Descriptions read from the databases",
    ),
    (
        "tidegate_catalogue_reload_duration_seconds",
        Histogram(SHORT_SECONDS),
        Unit::Seconds,
        "How long reading a description took",
    ),
    (
        "tidegate_job_runs_total",
        Counter,
        Unit::Count,
        "Runs of jobs on this node",
    ),
    (
        "tidegate_job_duration_seconds",
        Histogram(LONG_SECONDS),
        Unit::Seconds,
        "How long runs of jobs took",
    ),
    (
        "tidegate_job_last_success_timestamp_seconds",
        Gauge,
        Unit::Seconds,
        "When a job last succeeded on this node",
    ),
    (
        "tidegate_inbox_messages",
        Gauge,
        Unit::Count,
        "Messages of webhooks that are kept, a million at most",
    ),
    (
        "tidegate_inbox_unacknowledged",
        Gauge,
        Unit::Count,
        "Messages that consumers have not acknowledged",
    ),
    (
        "tidegate_inbox_oldest_unacknowledged_age_seconds",
        Gauge,
        Unit::Seconds,
        "Age of the oldest of these",
    ),
    (
        "tidegate_inbox_received_total",
        Counter,
        Unit::Count,
        "Messages that came to webhooks",
    ),
    (
        "tidegate_inbox_deliveries_total",
        Counter,
        Unit::Count,
        "Messages that were handed out",
    ),
    (
        "tidegate_inbox_settled_total",
        Counter,
        Unit::Count,
        "Messages whose lease ended by a word of the consumer",
    ),
];

/// Counters that there are from the start: one that appears with its first count seems never to
/// have grown, and alerts look for growth. Jobs bring their own.
const STARTED: &[(&str, &str, &[&str])] = &[
    (
        "tidegate_db_pool_timeouts_total",
        "pool",
        &["own", "gateway"],
    ),
    (
        "tidegate_logins_total",
        "outcome",
        &["success", "failure", "throttled"],
    ),
    (
        "tidegate_tokens_refused_total",
        "reason",
        &["invalid", "expired", "ended"],
    ),
    (
        "tidegate_rate_limited_total",
        "limit",
        &["general", "credentials", "inbox_source", "inbox_owner"],
    ),
    (
        "tidegate_catalogue_reloads_total",
        "outcome",
        &["success", "failure"],
    ),
    (
        "tidegate_inbox_received_total",
        "outcome",
        &["stored", "duplicate", "unverified", "refused"],
    ),
    (
        "tidegate_inbox_deliveries_total",
        "outcome",
        &["first", "again"],
    ),
    (
        "tidegate_inbox_settled_total",
        "outcome",
        &["acknowledged", "returned", "dead"],
    ),
];

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Has the program report its metrics from now on. There is one recorder in a process, so a
/// second call changes nothing.
pub(crate) fn install(profile: &'static str) {
    if RECORDER.get_or_init(recorder).is_none() {
        tracing::warn!("metrics go to a recorder of somebody else's");
    }
    gauge!("tidegate_build_info", "version" => env!("CARGO_PKG_VERSION"), "profile" => profile)
        .set(1.0);
}

fn recorder() -> Option<PrometheusHandle> {
    let mut builder = PrometheusBuilder::new();
    for (name, kind, ..) in DESCRIPTIONS {
        if let Histogram(buckets) = kind {
            let matcher = Matcher::Full((*name).to_owned());
            // Fails for no bucket only.
            builder = builder.set_buckets_for_metric(matcher, buckets).ok()?;
        }
    }
    let handle = builder.install_recorder().ok()?;
    for (name, kind, unit, description) in DESCRIPTIONS {
        match kind {
            Counter => metrics::describe_counter!(*name, *unit, *description),
            Gauge => metrics::describe_gauge!(*name, *unit, *description),
            Histogram(_) => metrics::describe_histogram!(*name, *unit, *description),
        }
    }
    for (name, label, values) in STARTED {
        for value in *values {
            metrics::counter!(*name, *label => *value).increment(0);
        }
    }
    Collector::default().describe();
    Some(handle)
}

/// Keeps the memory that samples take small, for as long as it is polled.
pub(crate) async fn upkeep() {
    let mut interval = tokio::time::interval(UPKEEP);
    loop {
        interval.tick().await;
        if let Some(Some(handle)) = RECORDER.get() {
            handle.run_upkeep();
        }
    }
}

/// What is looked at when somebody asks.
#[derive(Clone)]
pub(crate) struct Observed {
    pub(crate) database: Database,
    pub(crate) gateway: GatewayGauges,
}

impl Observed {
    /// The metrics in Prometheus' text format, version 0.0.4.
    pub(crate) async fn scrape(&self) -> String {
        pool(Pool::Own, self.database.pool_status());
        pool(Pool::Gateway, self.gateway.pool_status());
        let (databases, age) = self.gateway.catalogue();
        gauge!("tidegate_catalogue_databases").set(float(databases));
        gauge!("tidegate_catalogue_age_seconds").set(age.as_secs_f64());
        self.inbox().await;
        Collector::default().collect();
        match RECORDER.get() {
            Some(Some(handle)) => handle.render(),
            _ => String::new(),
        }
    }

    /// What cannot be asked for now stays as it was; that the database is away shows elsewhere.
    async fn inbox(&self) {
        let Ok(Ok(inbox)) = tokio::time::timeout(PATIENCE, inbox_gauges(&self.database)).await
        else {
            return;
        };
        let age = inbox.oldest.map_or(0, |oldest| {
            (tidegate_auth::SystemClock.now() - oldest).num_milliseconds()
        });
        gauge!("tidegate_inbox_messages").set(float(inbox.messages));
        gauge!("tidegate_inbox_unacknowledged").set(float(inbox.unacknowledged));
        gauge!("tidegate_inbox_oldest_unacknowledged_age_seconds").set(float(age.max(0)) / 1000.0);
    }
}

/// Listens where the settings say, until `closing`; where nobody chose the address and somebody
/// else has it, the program goes on without metrics.
///
/// # Errors
/// An address in use that was chosen.
pub(crate) fn listen(
    settings: &MetricsSettings,
    observed: Observed,
    closing: CancellationToken,
) -> anyhow::Result<Option<(SocketAddr, JoinHandle<()>)>> {
    let Some(address) = settings.address else {
        return Ok(None);
    };
    let listener = match TcpListener::bind(address) {
        Ok(listener) => listener,
        Err(error) if !settings.given => {
            tracing::warn!(
                %address, %error,
                "there are no metrics: metrics.address is the default and cannot be used"
            );
            return Ok(None);
        }
        Err(error) => {
            return Err(error)
                .with_context(|| format!("metrics.address: cannot listen on {address}"));
        }
    };
    let address = listener.local_addr()?;
    let scrape: Scrape = Arc::new(move || {
        let observed = observed.clone();
        async move { observed.scrape().await }.boxed()
    });
    let server = serve(listener, scrape, closing.cancelled_owned())?;
    let task = tokio::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "the metrics are not served any more");
        }
    });
    Ok(Some((address, task)))
}

fn pool(pool: Pool, status: PoolStatus) {
    let name = pool.name();
    gauge!("tidegate_db_pool_connections", "pool" => name).set(float(status.connections));
    gauge!("tidegate_db_pool_idle", "pool" => name).set(float(status.idle));
    gauge!("tidegate_db_pool_max", "pool" => name).set(float(status.max));
    if let Some(waiters) = status.waiters {
        gauge!("tidegate_db_pool_waiters", "pool" => name).set(float(waiters));
    }
}

/// A number that is far below 2^53.
fn float<T: TryInto<i64>>(number: T) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "see above")]
    let float = number.try_into().unwrap_or(i64::MAX) as f64;
    float
}

/// Learns from the events of sqlx's pools how long a connection was waited for.
pub(crate) struct Acquired;

impl<S: Subscriber> Layer<S> for Acquired {
    fn on_event(&self, event: &Event<'_>, _: LayerContext<'_, S>) {
        struct Waited(Option<f64>);
        impl Visit for Waited {
            fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
            fn record_f64(&mut self, field: &Field, value: f64) {
                if field.name() == "acquired_after_secs" {
                    self.0 = Some(value);
                }
            }
        }
        let mut waited = Waited(None);
        event.record(&mut waited);
        if let Some(seconds) = waited.0 {
            metrics::histogram!("tidegate_db_pool_acquire_seconds", "pool" => Pool::Own.name())
                .record(seconds);
        }
    }
}
