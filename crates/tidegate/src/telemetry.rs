//! What the program says about itself while it runs: log lines for people or for programs, on
//! standard error, so that standard output stays free for what a command answers; and spans of
//! traces for a collector, where one is named.

mod lines;
mod named;
mod plain;

use std::io::{self, IsTerminal};
use std::panic;
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::Context as _;
use opentelemetry::trace::{Link, SpanKind, TraceContextExt as _, TraceId, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SamplingResult, SdkTracerProvider, ShouldSample};
use tidegate_domain::system::LogLevel;
use tracing_subscriber::filter::{LevelFilter, ParseError, Targets};
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, reload};

use self::lines::Lines;
use self::named::{Form, Named};
use self::plain::{PlainFields, PlainTime};
use crate::config::{LogFormat, LogSettings, TraceSettings};
use crate::monitor::{ACQUIRE_TARGET, Acquired};

/// The part of the program whose spans are for traces alone.
const TRACE_TARGET: &str = "tidegate::trace";

/// The filter of the log that runs.
static RUNNING: OnceLock<Filter> = OnceLock::new();

struct Filter {
    handle: reload::Handle<EnvFilter, Registry>,
    level: Mutex<String>,
}

/// Sends what is left of the traces and of the log when it is dropped.
#[must_use]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
    // Where this one started the log.
    lines: Option<Lines>,
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(provider) = &self.traces
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "the last spans could not be sent");
        }
        if let Some(lines) = &self.lines {
            lines.end();
        }
    }
}

/// Starts the log, and traces where they are wanted. A second call changes nothing: tests call
/// it one after the other.
///
/// # Errors
/// An address of the collector that is none.
pub fn init(log: &LogSettings, traces: &TraceSettings) -> anyhow::Result<Telemetry> {
    // A trace that a client began is named in the log also where none is collected.
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    let provider = provider(traces)?;
    // Checked when the settings were read; the default is for those made by hand.
    let filter = filter(&log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let (filter, handle) = reload::Layer::new(filter);
    let lines = Lines::new(io::stderr());
    let layer = tracing_subscriber::fmt::layer().with_writer(lines.clone());
    let usual = tracing_subscriber::fmt::format().with_timer(PlainTime);
    let layer = match log.format {
        LogFormat::Pretty if io::stderr().is_terminal() => layer
            .with_ansi(true)
            .event_format(Named::new(usual.with_ansi(true), Form::Colours))
            .boxed(),
        LogFormat::Pretty => layer
            .with_ansi(false)
            .fmt_fields(PlainFields)
            .event_format(Named::new(usual.with_ansi(false), Form::Plain))
            .boxed(),
        LogFormat::Json => layer
            .fmt_fields(JsonFields::new())
            .event_format(Named::new(usual.json().flatten_event(true), Form::Json))
            .boxed(),
    };
    let acquired =
        Acquired.with_filter(Targets::new().with_target(ACQUIRE_TARGET, LevelFilter::TRACE));
    // A list and no optional layer: one that is absent would have every span made.
    let mut layers = vec![layer.with_filter(filter).boxed(), acquired.boxed()];
    layers.extend(provider.as_ref().map(|provider| {
        let wanted = Targets::new()
            .with_target(TRACE_TARGET, LevelFilter::DEBUG)
            .with_target("sea_orm::database", LevelFilter::INFO);
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("tidegate"))
            // Places in the source are of no use to operators.
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_filter(wanted)
            .boxed()
    }));
    let started = Registry::default().with(layers).try_init();
    // Fails only where a log was started before.
    let lines = started.is_ok().then_some(lines);
    if let Some(lines) = &lines {
        lines.start();
        // A panic tells of itself past the log: what was logged before it is to come first.
        let (tell, lines) = (panic::take_hook(), lines.clone());
        panic::set_hook(Box::new(move |panic| {
            lines.write_out_if_free();
            tell(panic);
        }));
        let level = Mutex::new(log.level.clone());
        let _ = RUNNING.set(Filter { handle, level });
    }
    Ok(Telemetry {
        traces: provider,
        lines,
    })
}

fn provider(settings: &TraceSettings) -> anyhow::Result<Option<SdkTracerProvider>> {
    let Some(endpoint) = &settings.endpoint else {
        return Ok(None);
    };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint(format!("{endpoint}/v1/traces"))
        .build()
        .context("traces.endpoint cannot be used")?;
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(ByRatio(settings.sample_ratio))
        .with_resource(
            Resource::builder()
                .with_service_name(settings.service_name.clone())
                .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
                .build(),
        )
        .build();
    Ok(Some(provider))
}

/// Samples this part of all traces. A client may ask that a trace of its own is not kept, but
/// not that it is: anybody could fill the queue.
#[derive(Debug, Clone)]
struct ByRatio(f64);

impl ShouldSample for ByRatio {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let of_client = parent.is_some_and(|parent| {
            let span = parent.span();
            span.span_context().is_remote() && span.span_context().is_sampled()
        });
        let by_ratio = Sampler::TraceIdRatioBased(self.0);
        if of_client {
            return by_ratio.should_sample(None, trace_id, name, kind, attributes, links);
        }
        Sampler::ParentBased(Box::new(by_ratio))
            .should_sample(parent, trace_id, name, kind, attributes, links)
    }
}

/// The filter for a level or a list of directives.
///
/// The driver's log of statements stays off unless it is named: a statement may hold the
/// password of a database user. The same with the spans around them, which hold their text, and
/// with those of requests that are for traces.
pub(crate) fn filter(level: &str) -> Result<EnvFilter, ParseError> {
    let builder = EnvFilter::builder();
    let quiet = format!("sea_orm::database=warn,{TRACE_TARGET}=off");
    if level.contains("sqlx") {
        builder.parse(format!("{level},{quiet}"))
    } else {
        builder.parse(format!("{level},sqlx=warn,sqlx::query=off,{quiet}"))
    }
}

/// What is logged by this process.
pub(crate) struct ProcessLog;

impl LogLevel for ProcessLog {
    fn get(&self) -> Option<String> {
        let running = RUNNING.get()?;
        let level = running.level.lock().unwrap_or_else(PoisonError::into_inner);
        Some(level.clone())
    }

    fn set(&self, level: &str) -> Result<bool, String> {
        let filter = crate::config::log_filter(level)?;
        let Some(running) = RUNNING.get() else {
            return Ok(false);
        };
        let mut now = running.level.lock().unwrap_or_else(PoisonError::into_inner);
        running
            .handle
            .reload(filter)
            .map_err(|error| error.to_string())?;
        level.clone_into(&mut now);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_twice_without_harm() {
        for format in [LogFormat::Json, LogFormat::Pretty] {
            let log = LogSettings {
                level: "off".into(),
                format,
                slow_statement: None,
            };
            drop(init(&log, &TraceSettings::default()).unwrap());
        }
        assert!(ProcessLog.set("nonsense=of=course").is_err());
        assert_eq!(ProcessLog.set("warn"), Ok(true));
        assert_eq!(ProcessLog.get().as_deref(), Some("warn"));
    }

    #[test]
    fn statements_are_logged_only_on_demand() {
        let silent = filter("debug").unwrap().to_string();
        assert!(silent.contains("sqlx::query=off"), "{silent}");
        assert!(silent.contains("sea_orm::database=warn"), "{silent}");
        let named = filter("info,sqlx::query=debug").unwrap().to_string();
        assert!(named.contains("sqlx::query=debug"), "{named}");
    }
}
