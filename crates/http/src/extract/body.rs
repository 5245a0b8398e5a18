//! Reads request bodies within their limits.

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::{HttpRequest, web};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use mime::Mime;
use tokio::time::Instant;

use crate::app::HttpOptions;
use crate::error::ApiError;

/// The limits of a request's body.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// Bytes at most.
    pub bytes: u64,
    /// How long the next piece may take to arrive.
    pub idle: Duration,
    /// How long all of it may take; `None`: as long as pieces arrive.
    pub total: Option<Duration>,
}

impl BodyLimits {
    /// The limits of ordinary bodies.
    pub fn of(request: &HttpRequest) -> Self {
        let options = options(request);
        Self {
            bytes: options.max_body_bytes,
            idle: options.body_idle_timeout,
            total: None,
        }
    }

    /// The limits of imports, which are streamed.
    pub fn of_import(request: &HttpRequest) -> Self {
        let options = options(request);
        Self {
            bytes: options.max_import_bytes,
            idle: options.body_idle_timeout,
            total: None,
        }
    }

    /// The limits of messages to webhooks.
    pub fn of_message(request: &HttpRequest) -> Self {
        let options = options(request);
        Self {
            bytes: options.max_message_bytes,
            idle: options.body_idle_timeout,
            total: Some(options.message_timeout),
        }
    }
}

fn options(request: &HttpRequest) -> std::borrow::Cow<'_, HttpOptions> {
    request.app_data::<web::Data<HttpOptions>>().map_or_else(
        || std::borrow::Cow::Owned(HttpOptions::default()),
        |o| std::borrow::Cow::Borrowed(o.get_ref()),
    )
}

/// A body that arrives piece by piece, counted.
pub struct BodyReader {
    payload: Payload,
    limits: BodyLimits,
    announced: Option<u64>,
    read: u64,
    encoded: bool,
    deadline: Option<Instant>,
}

impl BodyReader {
    /// A reader of a request's body. Nothing is read, and no error given, before the
    /// first piece is asked for.
    pub fn new(request: &HttpRequest, payload: Payload, limits: BodyLimits) -> Self {
        let announced = request.headers().get(CONTENT_LENGTH);
        let encoding = request.headers().get(CONTENT_ENCODING);
        Self {
            payload,
            limits,
            announced: announced.and_then(|value| value.to_str().ok()?.parse().ok()),
            read: 0,
            encoded: encoding
                .is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity")),
            deadline: limits.total.map(|total| Instant::now() + total),
        }
    }

    /// The same for a body that is taken as it comes, compressed or not.
    pub fn of_any_coding(request: &HttpRequest, payload: Payload, limits: BodyLimits) -> Self {
        Self {
            encoded: false,
            ..Self::new(request, payload, limits)
        }
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// 413 over the limit, 408 when nothing more arrives, 415 for a compressed body, 400
    /// for one that breaks off.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        if self.encoded {
            return Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_content_encoding",
                "Compressed bodies are not taken; send the body as it is",
            )
            .header(ACCEPT_ENCODING, "identity"));
        }
        if self
            .announced
            .is_some_and(|length| length > self.limits.bytes)
        {
            return Err(too_large(self.limits.bytes));
        }
        let idle = Instant::now() + self.limits.idle;
        let until = self.deadline.map_or(idle, |deadline| deadline.min(idle));
        let piece = match tokio::time::timeout_at(until, self.payload.next()).await {
            Ok(Some(Ok(piece))) => piece,
            Ok(Some(Err(error))) => return Err(broken(&error, self.limits.bytes)),
            Ok(None) => return Ok(None),
            Err(_) => {
                return Err(ApiError::new(
                    StatusCode::REQUEST_TIMEOUT,
                    "request_timeout",
                    "The body did not arrive in time",
                ));
            }
        };
        self.read = self.read.saturating_add(piece.len() as u64);
        if self.read > self.limits.bytes {
            return Err(too_large(self.limits.bytes));
        }
        Ok(Some(piece))
    }

    /// The whole body.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn read(mut self) -> Result<Bytes, ApiError> {
        let Some(first) = self.next().await? else {
            return Ok(Bytes::new());
        };
        let Some(second) = self.next().await? else {
            return Ok(first);
        };
        let mut body = BytesMut::from(first);
        body.extend_from_slice(&second);
        while let Some(piece) = self.next().await? {
            body.extend_from_slice(&piece);
        }
        Ok(body.freeze())
    }
}

fn too_large(limit: u64) -> ApiError {
    ApiError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "payload_too_large",
        format!("The body may have {limit} bytes at most; send it in parts"),
    )
}

fn broken(error: &PayloadError, limit: u64) -> ApiError {
    match error {
        PayloadError::Overflow => too_large(limit),
        error => ApiError::malformed(format!("The body could not be read: {error}")),
    }
}

/// The media type of a request's body; `None` where it has none.
///
/// # Errors
/// 415 for a header that is no media type.
pub fn media_type(request: &HttpRequest) -> Result<Option<Mime>, ApiError> {
    let Some(value) = request.headers().get(CONTENT_TYPE) else {
        return Ok(None);
    };
    match value.to_str().ok().and_then(|text| text.parse().ok()) {
        Some(media_type) => Ok(Some(media_type)),
        None => Err(unsupported("a media type")),
    }
}

/// A body of the wrong kind: 415.
pub fn unsupported(wanted: &str) -> ApiError {
    ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        format!("The Content-Type must be {wanted}"),
    )
}

/// Whether a media type's charset, if it names one, is UTF-8.
pub fn is_utf8(media_type: &Mime) -> bool {
    media_type.get_param(mime::CHARSET).is_none_or(|charset| {
        charset == mime::UTF_8 || charset.as_str().eq_ignore_ascii_case("utf8")
    })
}
