//! The errors that follow from the properties of a route, and how they look.

use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::{Content, Ref, Response, ResponseBuilder};

use crate::error::render::Place;
use crate::route::{Access, LimitClass, RouteInfo};

/// A problem document (RFC 9457), the body of every error but for those below `/rest/`.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only its schema is used; the renderer writes the members"
)]
pub(super) struct Problem {
    /// The kind of error, stable.
    r#type: String,
    /// The kind in words, stable.
    title: String,
    /// The status.
    status: u16,
    /// What is wrong and what to do.
    detail: String,
    /// The kind as one word, stable.
    code: String,
    /// The id of the request, for questions about it.
    request_id: Option<String>,
    /// The id of the trace that the request belongs to.
    trace_id: Option<String>,
    /// What does not fit, where the input is at fault.
    errors: Option<Vec<Fault>>,
}

/// One thing that does not fit.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only its schema is used; the renderer writes the members"
)]
pub(super) struct Fault {
    /// Where: a JSON pointer into the body, or the name of a parameter after `/`.
    pointer: String,
    /// What is wrong.
    detail: String,
}

/// The body of an error below `/rest/`: PostgREST's members, and those of a problem document.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only its schema is used; the renderer writes the members"
)]
pub(super) struct RowProblem {
    /// PostgREST's code (`PGRST...`) or an SQLSTATE.
    code: String,
    /// What is wrong.
    message: String,
    /// More about it.
    #[schema(value_type = Value)]
    details: Option<Value>,
    /// What to do.
    hint: Option<String>,
    /// The kind of error, stable.
    r#type: String,
    /// The kind in words, stable.
    title: String,
    /// The status.
    status: u16,
    /// The same as `message`.
    detail: String,
    /// The id of the request, for questions about it.
    request_id: Option<String>,
    /// The id of the trace that the request belongs to.
    trace_id: Option<String>,
}

/// An error: its status, the name of its response, when it comes, and the codes, titles and
/// details of an example: as a problem document and below `/rest/`.
pub(super) struct Error {
    pub(super) status: u16,
    name: &'static str,
    description: &'static str,
    code: &'static str,
    row_code: &'static str,
    detail: &'static str,
}

#[rustfmt::skip]
pub(super) const ERRORS: [Error; 21] = [
    error(400, "Malformed", "Not the format that it should be", "malformed_json", "PGRST100", "The body is not JSON"),
    error(401, "Unauthenticated", "No credentials, or bad ones", "not_authenticated", "PGRST302", "Not authenticated"),
    error(402, "Chosen", "A routine chose this status", "raised", "PT402", "Pay the dues first"),
    error(403, "Forbidden", "A right is missing", "forbidden", "42501", "Unauthorised access"),
    error(404, "NotFound", "Nothing is there", "not_found", "PGRST205", "There is no such record"),
    error(405, "MethodNotAllowed", "A view cannot be written", "read_only", "25006", "`arrivals` is a view, which cannot be written"),
    error(406, "NotAcceptable", "None of the forms that are accepted can be had", "not_acceptable", "PGRST107", "None of these media types are available: text/html"),
    error(408, "TooSlow", "The body did not arrive in time", "request_timeout", "57014", "The body did not arrive in time"),
    error(409, "Conflict", "It cannot be done as things are", "duplicate_key", "23505", "A record with this key exists already"),
    error(412, "PreconditionFailed", "The record has changed since", "precondition_failed", "412", "The record is not the one that If-Match names"),
    error(413, "TooLarge", "The body is over the limit", "payload_too_large", "payload_too_large", "The body may have 10485760 bytes at most"),
    error(414, "UriTooLong", "The path with its query is over the limit", "uri_too_long", "uri_too_long", "The path with its query may have 16384 bytes at most"),
    error(415, "UnsupportedMediaType", "The body is of another media type", "unsupported_media_type", "PGRST102", "Content-Type must be application/json"),
    error(416, "RangeNotSatisfiable", "There are no rows there", "range_not_satisfiable", "PGRST103", "Requested range not satisfiable"),
    error(422, "Invalid", "A value does not fit; `errors` says where", "invalid", "idempotency_key_reused", "The request does not fit: /name is missing"),
    error(426, "UpgradeRequired", "The version in `X-Version` is not supported", "version_not_supported", "version_not_supported", "Version not supported anymore"),
    error(428, "PreconditionRequired", "The server is set up to ask for If-Match", "precondition_required", "428", "Say by If-Match which version you mean"),
    error(429, "TooManyRequests", "The client sent too many requests; see `Retry-After`", "too_many_requests", "too_many_requests", "Too many requests; try again in 20 seconds"),
    error(500, "Failure", "The server failed", "internal", "XX000", "The server failed; the log knows more under this request id"),
    error(501, "NotSupported", "The engine cannot do this", "not_supported", "0A000", "SQLite has no accounts"),
    error(503, "Unavailable", "The database is away; see `Retry-After`", "unavailable", "PGRST001", "The database is not available at the moment; try again"),
];

const fn error(
    status: u16,
    name: &'static str,
    description: &'static str,
    code: &'static str,
    row_code: &'static str,
    detail: &'static str,
) -> Error {
    Error {
        status,
        name,
        description,
        code,
        row_code,
        detail,
    }
}

impl Error {
    /// The names of its responses, everywhere and below `/rest/`, with these.
    pub(super) fn responses(&self) -> [(String, Response); 2] {
        [Place::Api, Place::Rest].map(|place| {
            let response = ResponseBuilder::new()
                .description(self.description)
                .content(media_type(place), self.content(place, self.detail))
                .build();
            (self.response_name(place), response)
        })
    }

    pub(super) fn response_name(&self, place: Place) -> String {
        match place {
            Place::Api => self.name.to_owned(),
            Place::Rest => format!("Rows{}", self.name),
        }
    }

    fn content(&self, place: Place, detail: &str) -> Content {
        let mut content = Content::new(Some(Ref::from_schema_name(match place {
            Place::Api => Problem::name(),
            Place::Rest => RowProblem::name(),
        })));
        content.example = Some(self.example(place, detail));
        content
    }

    fn example(&self, place: Place, detail: &str) -> Value {
        let mut words = self.code.replace('_', " ");
        if let Some(first) = words.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let mut body = json!({
            "type": format!("/problems/{}", self.code),
            "title": words,
            "status": self.status,
            "detail": detail,
            "code": self.code,
            "request_id": "0198f3c6-9a51-7c40-8d5e-3b1f2a6c4d70",
        });
        let Some(members) = body.as_object_mut() else {
            return body;
        };
        match place {
            Place::Api if self.status == 422 => {
                members.insert(
                    "errors".to_owned(),
                    json!([{"pointer": "/name", "detail": "is missing"}]),
                );
            }
            Place::Api => {}
            Place::Rest => {
                members.insert("code".to_owned(), json!(self.row_code));
                members.insert("message".to_owned(), json!(detail));
                members.insert("details".to_owned(), Value::Null);
                members.insert("hint".to_owned(), Value::Null);
            }
        }
        body
    }
}

/// The body of an error that a route describes itself, by its status.
pub(super) fn described(
    place: Place,
    status: u16,
    detail: &str,
) -> Option<(&'static str, Content)> {
    let error = ERRORS.iter().find(|error| error.status == status)?;
    Some((media_type(place), error.content(place, detail)))
}

fn media_type(place: Place) -> &'static str {
    match place {
        Place::Api => "application/problem+json",
        Place::Rest => "application/json",
    }
}

/// Whether an error can come of a route as it is described.
pub(super) fn follows(route: &RouteInfo, status: u16) -> bool {
    let has_body = !route.bodies.is_empty();
    let has_parameters = route.path.contains('{') || !route.parameters.is_empty();
    let may_be_refused = matches!(
        route.access,
        Access::Admin
            | Access::AdminOrSelf
            | Access::AdminOrOwner
            | Access::ReadRows
            | Access::WriteRows
    );
    let limited = route.limit != LimitClass::Unlimited;
    let of_rows = Place::of(&route.path) == Place::Rest;
    let writes_rows = of_rows && route.access == Access::WriteRows;
    let takes = |name: &str| route.parameters.iter().any(|it| it.name == name);
    match status {
        400 => has_body || has_parameters,
        401 => route.access != Access::Public,
        403 => may_be_refused,
        404 => route.path.contains('{'),
        405 => writes_rows,
        406 => of_rows && route.method != "OPTIONS",
        408 | 413 | 415 => has_body,
        // `If-Match` is looked at wherever there is something to compare it with.
        412 => takes("If-None-Match"),
        414 => true,
        // Rows that do not fit are 400 there.
        422 if of_rows => takes("Idempotency-Key"),
        422 => has_body || has_parameters,
        426 => route.versioned,
        429 | 500 | 503 => limited,
        _ => false,
    }
}
