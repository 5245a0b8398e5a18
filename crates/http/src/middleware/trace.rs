//! Trace context (W3C Trace Context, `traceparent`): a request goes on with the trace that its
//! client began, or begins one where traces are collected.

use actix_web::dev::ServiceRequest;
use actix_web::http::header::HeaderMap;
use opentelemetry::Context;
use opentelemetry::global::get_text_map_propagator;
use opentelemetry::propagation::Extractor;
use opentelemetry::trace::TraceContextExt as _;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::context::RequestContext;
use crate::middleware::measure::method_label;

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}

/// The span of a request, which is for traces alone, and the id of its trace: that of the
/// client, or a new one where traces are collected.
pub fn begin(request: &ServiceRequest, context: &RequestContext) -> (Span, Option<String>) {
    let headers = request.headers();
    let remote = headers
        .contains_key("traceparent")
        .then(|| get_text_map_propagator(|propagator| propagator.extract(&Headers(headers))));
    let method = method_label(request.method());
    let route = context.route.as_ref().map(|route| route.path.as_ref());
    let span = tracing::debug_span!(
        target: "tidegate::trace",
        "request",
        otel.name = tracing::field::Empty,
        otel.kind = "server",
        otel.status_code = tracing::field::Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = tracing::field::Empty,
        url.path = &*context.path,
        client.address = %context.client.address,
        tidegate.request_id = &*context.request_id,
    );
    let of_client = remote.as_ref().and_then(id);
    if span.is_disabled() {
        return (span, of_client);
    }
    // "{method} {route}", as the semantic conventions for HTTP spans want it.
    let name = format!("{method} {}", route.unwrap_or_default());
    span.record("otel.name", name.trim_end());
    if let Some(remote) = remote {
        // Refused only where no layer collects the span.
        let _ = span.set_parent(remote);
    }
    let id = id(&span.context()).or(of_client);
    (span, id)
}

fn id(context: &Context) -> Option<String> {
    let span = context.span();
    let context = span.span_context();
    context.is_valid().then(|| context.trace_id().to_string())
}
