//! One line for each request, when the last byte of its answer is out. It names no
//! query string and no credentials.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::{Method, StatusCode};
use bytes::Bytes;

/// What is written of a request.
#[derive(Debug)]
pub struct AccessLine {
    /// The request's id.
    pub request_id: String,
    /// The method.
    pub method: Method,
    /// The path, without the query.
    pub path: String,
    /// The status.
    pub status: StatusCode,
    /// When it arrived.
    pub started: Instant,
    /// Who asked.
    pub user: Option<i64>,
    /// `X-Version`.
    pub version: Option<String>,
    /// `User-Agent`.
    pub agent: Option<String>,
    /// The client's address.
    pub address: String,
}

/// A response's body that counts itself and writes the line at its end, also when the
/// client goes away before.
pub struct LoggedBody {
    body: BoxBody,
    line: AccessLine,
    bytes: u64,
    complete: bool,
}

impl LoggedBody {
    /// Wraps a body.
    pub fn new(body: BoxBody, line: AccessLine) -> Self {
        // An empty body is never polled.
        let complete = matches!(body.size(), BodySize::None | BodySize::Sized(0));
        Self {
            body,
            line,
            bytes: 0,
            complete,
        }
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
                this.bytes = this.bytes.saturating_add(bytes.len() as u64);
                this.complete |= this.body.size() == BodySize::Sized(this.bytes);
            }
            Poll::Ready(None) => this.complete = true,
            _ => {}
        }
        polled
    }
}

impl Drop for LoggedBody {
    fn drop(&mut self) {
        let line = &self.line;
        // `HEAD` answers have the size of the body that they do not send.
        let complete = self.complete || line.method == Method::HEAD;
        tracing::info!(
            target: "tidegate::access",
            method = %line.method,
            path = line.path,
            status = line.status.as_u16(),
            duration_ms = line.started.elapsed().as_secs_f64() * 1000.0,
            bytes = self.bytes,
            user = line.user,
            version = line.version,
            agent = line.agent,
            address = line.address,
            request_id = line.request_id,
            complete,
            "request"
        );
    }
}
