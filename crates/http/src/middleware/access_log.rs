//! One line for each request, when the last byte of its answer is out. It names no
//! query string and no credentials.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::{Method, StatusCode};
use bytes::Bytes;
use tracing::Span;

use crate::context::RequestContext;
use crate::middleware::measure::InFlight;

/// What is written of a request. Dropped, it writes its line, and counts; also when the client
/// went away before there was an answer.
pub struct AccessLine {
    /// What the request is.
    pub context: Rc<RequestContext>,
    /// The method.
    pub method: Method,
    /// When it arrived.
    pub started: Instant,
    /// `X-Version`.
    pub version: Option<String>,
    /// The bytes that the body is said to have.
    pub request_bytes: Option<u64>,
    /// Counts it.
    pub in_flight: InFlight,
    /// The span of its trace.
    pub span: Span,
    /// The status; `None` as long as there is no answer.
    pub status: Option<StatusCode>,
    /// Who asked.
    pub user: Option<i64>,
    /// The bytes of the answer's body that went out.
    pub bytes: u64,
    /// Whether all of it did.
    pub complete: bool,
}

/// What is written where the client went away before there was an answer. The number is nginx's.
const CLIENT_CLOSED_REQUEST: u16 = 499;

impl Drop for AccessLine {
    fn drop(&mut self) {
        let context = &self.context;
        let took = self.started.elapsed();
        let status = self
            .status
            .or(StatusCode::from_u16(CLIENT_CLOSED_REQUEST).ok());
        let status = status.unwrap_or_default();
        self.in_flight.answered(
            context.route.as_deref(),
            &self.method,
            status,
            took,
            (self.request_bytes, self.bytes),
        );
        if !self.span.is_disabled() {
            self.span
                .record("http.response.status_code", status.as_u16());
            if status.is_server_error() {
                self.span.record("otel.status_code", "ERROR");
            }
        }
        // `HEAD` answers have the size of the body that they do not send.
        let complete = self.complete || self.method == Method::HEAD;
        tracing::info!(
            target: "tidegate::access",
            method = %self.method,
            path = &*context.path,
            status = status.as_u16(),
            duration_ms = took.as_secs_f64() * 1000.0,
            bytes = self.bytes,
            user = self.user,
            version = self.version,
            agent = context.client.agent,
            address = context.client.address.to_string(),
            request_id = &*context.request_id,
            trace_id = context.trace_id.as_deref(),
            complete,
            "request"
        );
    }
}

/// A response's body that counts itself, and has its line written at its end.
pub struct LoggedBody {
    body: BoxBody,
    line: AccessLine,
}

impl LoggedBody {
    /// Wraps a body.
    pub fn new(body: BoxBody, mut line: AccessLine) -> Self {
        // An empty body is never polled.
        line.complete = matches!(body.size(), BodySize::None | BodySize::Sized(0));
        Self { body, line }
    }
}

impl MessageBody for LoggedBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.body).poll_next(context);
        match &polled {
            Poll::Ready(Some(Ok(bytes))) => {
                let line = &mut this.line;
                line.bytes = line.bytes.saturating_add(bytes.len() as u64);
                line.complete |= this.body.size() == BodySize::Sized(line.bytes);
            }
            Poll::Ready(None) => this.line.complete = true,
            _ => {}
        }
        polled
    }
}
