//! How an error is written down: the only place that builds error bodies.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use serde_json::{Map, Value, json};

use crate::error::ApiError;

/// Which rules a path follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Place {
    /// Everywhere but below `/rest/`: problem documents.
    #[default]
    Api,
    /// Below `/rest/`: PostgREST's members and statuses as well.
    Rest,
}

impl Place {
    /// The place of a path.
    pub fn of(path: &str) -> Self {
        if path.starts_with("/rest/") {
            Self::Rest
        } else {
            Self::Api
        }
    }
}

/// The scheme that a 401 asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Challenge {
    /// `Bearer`.
    #[default]
    Bearer,
    /// `Basic`: the root, the documentation and the webhook inbox.
    Basic,
}

/// What the body of an error needs to know of the request.
#[derive(Debug, Clone, Default)]
pub struct ErrorContext {
    /// The request's id; empty where it is not known.
    pub request_id: String,
    /// The id of the trace that the request belongs to.
    pub trace_id: Option<String>,
    /// Which rules the path follows.
    pub place: Place,
    /// The scheme that a 401 asks for.
    pub challenge: Challenge,
    /// Whether below `/rest/` no more is told than the code and the message.
    pub brief: bool,
}

/// By which clients learn the code of an error whose body they do not get (RFC 9209). They
/// look for PostgREST's name.
const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// The response for `error`.
pub fn render(error: &ApiError, context: &ErrorContext) -> HttpResponse {
    let inner = &error.0;
    let (status, body, media_type) = match context.place {
        Place::Api => (
            inner.status,
            problem(error, context),
            "application/problem+json",
        ),
        Place::Rest => rest(error, context),
    };
    let mut response = HttpResponse::build(status);
    response.insert_header((CONTENT_TYPE, HeaderValue::from_static(media_type)));
    for (name, value) in &inner.headers {
        response.append_header((name.clone(), value.clone()));
    }
    if context.place == Place::Rest
        && let Some(code) = body.get("code").and_then(Value::as_str)
        && let Ok(value) = HeaderValue::from_str(&format!("PostgREST; error={code}"))
    {
        response.insert_header((PROXY_STATUS, value));
    }
    if status == StatusCode::UNAUTHORIZED {
        for challenge in challenges(inner.bearer_fault.as_deref(), context.challenge) {
            response.append_header((WWW_AUTHENTICATE, challenge));
        }
    }
    response.body(Value::Object(body).to_string())
}

fn problem(error: &ApiError, context: &ErrorContext) -> Map<String, Value> {
    let inner = &error.0;
    let detail = match &inner.rest.hint {
        Some(hint) => format!("{}. {hint}", inner.detail.trim_end_matches('.')),
        None => inner.detail.clone(),
    };
    let mut body = common(error, inner.status, &detail, context);
    body.insert("code".into(), json!(inner.code));
    if !inner.errors.is_empty() {
        let errors = inner
            .errors
            .iter()
            .map(|fault| json!({ "pointer": fault.pointer, "detail": fault.detail }))
            .collect();
        body.insert("errors".into(), Value::Array(errors));
    }
    for (name, value) in &inner.members {
        body.insert((*name).to_owned(), value.clone());
    }
    body
}

fn rest(
    error: &ApiError,
    context: &ErrorContext,
) -> (StatusCode, Map<String, Value>, &'static str) {
    let inner = &error.0;
    let status = inner.rest.status.unwrap_or(match inner.status {
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        status => status,
    });
    let message = inner.rest.message.as_deref().unwrap_or(&inner.detail);
    let code = match &inner.rest.code {
        Some(code) => code.as_ref(),
        None => usual_code(status).unwrap_or(&inner.code),
    };
    let mut body = Map::new();
    body.insert("code".into(), json!(code));
    body.insert("message".into(), json!(message));
    if context.brief {
        return (status, body, "application/json");
    }
    body.insert(
        "details".into(),
        inner.rest.details.clone().unwrap_or(Value::Null),
    );
    body.insert("hint".into(), json!(inner.rest.hint));
    body.extend(common(error, status, message, context));
    (status, body, "application/json")
}

/// The members that both forms have.
fn common(
    error: &ApiError,
    status: StatusCode,
    detail: &str,
    context: &ErrorContext,
) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("type".into(), json!(format!("/problems/{}", error.0.code)));
    body.insert("title".into(), json!(title(&error.0.code)));
    body.insert("status".into(), json!(status.as_u16()));
    body.insert("detail".into(), json!(detail));
    if !context.request_id.is_empty() {
        body.insert("request_id".into(), json!(context.request_id));
    }
    if let Some(trace) = &context.trace_id {
        body.insert("trace_id".into(), json!(trace));
    }
    body
}

/// `unknown_table` becomes `Unknown table`: the same for every occurrence of a type.
fn title(code: &str) -> String {
    let mut title = code.replace('_', " ");
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    title
}

/// What PostgREST answers with where nothing more is known than the status.
fn usual_code(status: StatusCode) -> Option<&'static str> {
    Some(match status {
        StatusCode::BAD_REQUEST => "PGRST102",
        StatusCode::UNAUTHORIZED => "PGRST301",
        StatusCode::FORBIDDEN => "42501",
        StatusCode::NOT_FOUND => "PGRST125",
        StatusCode::METHOD_NOT_ALLOWED => "PGRST117",
        StatusCode::NOT_ACCEPTABLE => "PGRST107",
        StatusCode::RANGE_NOT_SATISFIABLE => "PGRST103",
        StatusCode::INTERNAL_SERVER_ERROR => "XX000",
        StatusCode::NOT_IMPLEMENTED => "0A000",
        StatusCode::SERVICE_UNAVAILABLE => "PGRST001",
        _ => return None,
    })
}

fn challenges(bearer_fault: Option<&str>, challenge: Challenge) -> Vec<HeaderValue> {
    let mut challenges = Vec::with_capacity(2);
    if challenge == Challenge::Basic {
        challenges.push(HeaderValue::from_static(
            r#"Basic realm="tidegate", charset="UTF-8""#,
        ));
    }
    match bearer_fault {
        Some(fault) => {
            let description = fault.replace(['"', '\\'], "");
            let text = format!(
                r#"Bearer realm="tidegate", error="invalid_token", error_description="{description}""#
            );
            challenges.extend(HeaderValue::from_str(&text));
        }
        None if challenge == Challenge::Bearer => {
            challenges.push(HeaderValue::from_static(r#"Bearer realm="tidegate""#));
        }
        None => {}
    }
    challenges
}

#[cfg(test)]
mod tests {
    use actix_web::body::MessageBody as _;
    use tidegate_domain::error::InvalidInput;

    use super::*;

    fn body(response: HttpResponse) -> Value {
        let bytes = response.into_body().try_into_bytes().unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    fn context(place: Place) -> ErrorContext {
        ErrorContext {
            request_id: "r-1".into(),
            trace_id: None,
            place,
            challenge: Challenge::Bearer,
            brief: false,
        }
    }

    #[test]
    fn a_problem_document_has_all_members() {
        let error = ApiError::invalid(InvalidInput::member("a/b", "must be a number"));
        let response = render(&error, &context(Place::Api));
        assert_eq!(response.status(), 422);
        assert_eq!(
            response.headers().get(CONTENT_TYPE).unwrap(),
            "application/problem+json"
        );
        assert_eq!(
            body(response),
            json!({
                "type": "/problems/validation_failed", "title": "Validation failed", "status": 422,
                "detail": "a~1b: must be a number", "code": "validation_failed", "request_id": "r-1",
                "errors": [{ "pointer": "/a~1b", "detail": "must be a number" }],
            })
        );
    }

    #[test]
    fn below_rest_both_sets_of_members_are_there() {
        let error = ApiError::not_found("no table")
            .rest_code("PGRST205")
            .hint("try b");
        let response = render(&error, &context(Place::Rest));
        assert_eq!(
            response.headers().get(CONTENT_TYPE).unwrap(),
            "application/json"
        );
        assert_eq!(
            body(response),
            json!({
                "code": "PGRST205", "message": "no table", "details": null, "hint": "try b",
                "type": "/problems/not_found", "title": "Not found", "status": 404,
                "detail": "no table", "request_id": "r-1",
            })
        );
        let brief = ErrorContext {
            brief: true,
            ..context(Place::Rest)
        };
        let response = render(&error, &brief);
        assert_eq!(
            response.headers().get(PROXY_STATUS).unwrap(),
            "PostgREST; error=PGRST205"
        );
        assert_eq!(
            body(response),
            json!({"code": "PGRST205", "message": "no table"})
        );
        assert_eq!(
            body(render(&error, &context(Place::Api)))["detail"],
            "no table. try b"
        );
    }

    #[test]
    fn a_401_always_has_a_challenge() {
        let all = |error: &ApiError, challenge| -> Vec<String> {
            let context = ErrorContext {
                challenge,
                ..ErrorContext::default()
            };
            render(error, &context)
                .headers()
                .get_all(WWW_AUTHENTICATE)
                .map(|value| value.to_str().unwrap().to_owned())
                .collect()
        };
        let missing = ApiError::new(StatusCode::UNAUTHORIZED, "not_authenticated", "x");
        assert_eq!(
            all(&missing, Challenge::Bearer),
            [r#"Bearer realm="tidegate""#]
        );
        assert_eq!(
            all(&missing, Challenge::Basic),
            [r#"Basic realm="tidegate", charset="UTF-8""#]
        );
        let bad = missing.bearer_fault("The access token expired");
        let bearer = r#"Bearer realm="tidegate", error="invalid_token", error_description="The access token expired""#;
        assert_eq!(all(&bad, Challenge::Bearer), [bearer]);
        assert_eq!(all(&bad, Challenge::Basic)[1], bearer);
    }
}
