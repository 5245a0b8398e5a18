//! The one error of the HTTP layer: a status, a stable code and one sentence to act on.
//!
//! [`mod@table`] turns the kinds of the layers below into it, [`mod@render`] writes it down:
//! as a problem document (RFC 9457), and below `/rest/` with PostgREST's members
//! beside. Handlers return `Result<_, ApiError>` and never build an error body.

pub mod render;
pub mod table;

use std::borrow::Cow;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use serde_json::Value;
use tidegate_domain::error::{Cause, FieldError, InvalidInput};

use crate::error::render::{ErrorContext, render};

/// Why a request was not answered as asked.
#[derive(Debug)]
pub struct ApiError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    status: StatusCode,
    code: Cow<'static, str>,
    detail: String,
    errors: Vec<FieldError>,
    members: Vec<(&'static str, Value)>,
    headers: Vec<(HeaderName, HeaderValue)>,
    bearer_fault: Option<String>,
    rest: RestForm,
    cause: Option<Cause>,
}

/// What differs below `/rest/`, where PostgREST's members and statuses rule.
#[derive(Debug, Default)]
struct RestForm {
    status: Option<StatusCode>,
    code: Option<Cow<'static, str>>,
    message: Option<String>,
    details: Option<Value>,
    hint: Option<String>,
}

impl ApiError {
    /// An error with a stable `code` (lower case words joined by `_`) and one sentence
    /// that says what is wrong and what to do.
    pub fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
    ) -> Self {
        Self(Box::new(Inner {
            status,
            code: code.into(),
            detail: detail.into(),
            errors: Vec::new(),
            members: Vec::new(),
            headers: Vec::new(),
            bearer_fault: None,
            rest: RestForm::default(),
            cause: None,
        }))
    }

    /// Input that does not fit: 422, with a pointer for each fault.
    pub fn invalid(input: InvalidInput) -> Self {
        let detail = input.to_string();
        let mut error = Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "validation_failed",
            detail,
        );
        error.0.errors = input.errors;
        error
    }

    /// A body that is not the format it should be at all: 400.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed_body", detail)
    }

    /// Nothing is there: 404.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// The path exists, the method does not: 405, with `Allow`.
    pub fn method_not_allowed(allow: &str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            format!("This path answers {allow} only"),
        )
        .header(ALLOW, allow)
    }

    /// A fault of the server. The cause goes to the log, never to the client.
    pub fn internal(cause: impl Into<Cause>) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_error",
            "The server failed; its log tells why under this request id",
        )
        .cause(cause)
    }

    /// Adds a response header. A value that no header may hold is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers.push((name, value));
        }
        self
    }

    /// Adds `Retry-After` in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(RETRY_AFTER, &seconds.to_string())
    }

    /// Adds a member to the body, such as OAuth2's `error`.
    #[must_use]
    pub fn member(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.members.push((name, value.into()));
        self
    }

    /// Names the place of the fault by a JSON pointer.
    #[must_use]
    pub fn pointer(mut self, pointer: impl Into<String>) -> Self {
        let detail = self.0.detail.clone();
        self.0.errors.push(FieldError {
            pointer: pointer.into(),
            detail,
        });
        self
    }

    /// What is written to the log and nowhere else.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<Cause>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// The fault of a bearer token, for `WWW-Authenticate` (RFC 6750 section 3).
    #[must_use]
    pub fn bearer_fault(mut self, description: impl Into<String>) -> Self {
        self.0.bearer_fault = Some(description.into());
        self
    }

    /// The `code` below `/rest/`: an SQLSTATE or one of PostgREST's.
    #[must_use]
    pub fn rest_code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.0.rest.code = Some(code.into());
        self
    }

    /// The status below `/rest/`, where it differs.
    #[must_use]
    pub fn rest_status(mut self, status: StatusCode) -> Self {
        self.0.rest.status = Some(status);
        self
    }

    /// The `message` (and `detail`) below `/rest/`, where it differs.
    #[must_use]
    pub fn rest_message(mut self, message: impl Into<String>) -> Self {
        self.0.rest.message = Some(message.into());
        self
    }

    /// PostgREST's `details`: a text, or a list of candidates.
    #[must_use]
    pub fn details(mut self, details: impl Into<Value>) -> Self {
        self.0.rest.details = Some(details.into());
        self
    }

    /// PostgREST's `hint`; elsewhere it follows the detail as a second sentence.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.rest.hint = Some(hint.into());
        self
    }

    /// The status outside `/rest/`.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The sentence for people.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Writes the cause to the log. Called once, where the response is rendered.
    pub(crate) fn log(&self) {
        let Some(cause) = &self.0.cause else { return };
        let cause = chain(cause.as_ref());
        if self.0.status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(code = %self.0.code, cause, "the request failed");
        } else {
            tracing::warn!(code = %self.0.code, cause, "the request failed");
        }
    }
}

/// An error with all that lies below it, in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let line = source.to_string();
        // Many errors repeat their source in their own text.
        if !text.contains(&line) {
            text.push_str(": ");
            text.push_str(&line);
        }
        next = source.source();
    }
    text
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.detail)
    }
}

impl std::error::Error for ApiError {}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.0.status
    }

    /// The error without knowledge of the request. The outermost middleware renders
    /// it again with the request's id and place.
    fn error_response(&self) -> HttpResponse {
        render(self, &ErrorContext::default())
    }
}
