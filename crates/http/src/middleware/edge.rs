//! The outermost middleware: it learns what is to be known of a request, and finishes
//! every answer: error bodies, id, security headers, access line.

use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::{
    CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, STRICT_TRANSPORT_SECURITY, USER_AGENT,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpResponse, web};
use ipnet::IpNet;
use tidegate_application::audit;
use tidegate_application::auth::ClientInfo;
use tidegate_domain::system::Randomness;
use tracing::Instrument as _;

use crate::auth::SharedOutcome;
use crate::context::{NO_ADDRESS, RequestContext};
use crate::drain::Leaving;
use crate::error::ApiError;
use crate::error::render::render;
use crate::listeners::UnixPeer;
use crate::middleware::access_log::{AccessLine, LoggedBody};
use crate::middleware::client::{Origin, Peer};
use crate::middleware::gate::VERSION;
use crate::middleware::measure::Measures;
use crate::middleware::request_id::{REQUEST_ID, request_id};
use crate::middleware::trace;
use crate::route::index::{Entry, RouteIndex};

/// How much of a text that a client chose is written to the log.
const LOGGED_LENGTH: usize = 255;

/// What the middleware needs.
pub struct Edge {
    /// Finds routes.
    pub index: Arc<RouteIndex>,
    /// Draws request ids.
    pub randomness: Arc<dyn Randomness>,
    /// Whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The base of links, if it is fixed.
    pub public_url: Option<String>,
    /// Whether errors below `/rest/` tell no more than their code and message.
    pub brief_errors: bool,
    /// Whether each answer is to be the last one of its connection.
    pub leaving: Leaving,
    /// Counts requests.
    pub measures: Arc<Measures>,
}

impl Edge {
    fn context(&self, request: &ServiceRequest) -> RequestContext {
        let unix = request.conn_data::<UnixPeer>().is_some();
        let peer = Peer {
            address: match request.peer_addr() {
                Some(address) => address.ip(),
                None if unix => Ipv4Addr::LOCALHOST.into(),
                None => NO_ADDRESS,
            },
            unix,
            tls: request.app_config().secure(),
        };
        let headers = request.headers();
        let mut origin = Origin::of(peer, headers, &self.trusted_proxies);
        // HTTP/2 has it in its address.
        let authority = || request.uri().authority().map(|it| it.as_str().to_owned());
        origin.host = origin.host.or_else(authority);
        let path = request.match_info().as_str();
        let entry = self.index.find(path);
        RequestContext {
            request_id: request_id(headers, self.randomness.as_ref()),
            base_url: origin.base_url(self.public_url.as_deref()),
            https: origin.https,
            client: ClientInfo {
                address: origin.address,
                agent: text(headers, &USER_AGENT),
            },
            path: without_rid(path),
            route: entry
                .and_then(|entry| entry.route(request.method()))
                .cloned(),
            versioned: entry.is_some_and(|entry| entry.versioned(request.method())),
            challenge: entry.map(Entry::challenge).unwrap_or_default(),
            trace_id: None,
            brief_errors: self.brief_errors,
        }
    }
}

/// The middleware.
///
/// # Errors
/// None in practice: the services inside turn their errors into answers.
pub async fn edge<B: MessageBody + 'static>(
    edge: web::Data<Edge>,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<LoggedBody>, Error> {
    let started = Instant::now();
    let mut context = edge.context(&request);
    let (trace, trace_id) = trace::begin(&request, &context);
    context.trace_id = trace_id;
    let context = Rc::new(context);
    if context.route.as_ref().is_some_and(|route| route.waits) {
        // actix makes room for many headers, 7 KB that would wait with the request.
        let headers = &mut request.head_mut().headers;
        let few: Vec<_> = headers.drain().collect();
        *headers = HeaderMap::with_capacity(few.len());
        let mut last = None;
        for (name, value) in few {
            // Further values of a header come without its name.
            last = name.or(last);
            if let Some(name) = last.clone() {
                headers.append(name, value);
            }
        }
    }
    let mut line = AccessLine {
        context: Rc::clone(&context),
        method: request.method().clone(),
        started,
        version: text(request.headers(), &VERSION),
        request_bytes: text(request.headers(), &CONTENT_LENGTH).and_then(|it| it.parse().ok()),
        in_flight: edge.measures.begin(),
        span: trace.clone(),
        status: None,
        user: None,
        bytes: 0,
        complete: false,
    };
    request.extensions_mut().insert(Rc::clone(&context));
    let span = tracing::info_span!(
        "request",
        request_id = context.request_id,
        method = %request.method(),
        path = context.path,
        trace_id = context.trace_id,
    );
    async {
        let origin = audit::Origin {
            request_id: Some(context.request_id.clone()),
            address: Some(context.client.address.to_string()),
        };
        let response = audit::within(origin, next.call(request)).await?;
        let response = response.map_into_boxed_body();
        let mut response = with_error_body(response, &context);
        finish(response.headers_mut(), &context);
        if edge.leaving.begun() {
            let head = response.response_mut().head_mut();
            head.set_connection_type(ConnectionType::Close);
        }
        line.status = Some(response.status());
        line.user = user(&response);
        Ok(response.map_body(|_, body| LoggedBody::new(body, line)))
    }
    .instrument(span)
    .instrument(trace)
    .await
}

/// Renders the error of a response again, now that the request is known. Errors that are
/// not ours come from actix and have no more to say than their status.
fn with_error_body(
    response: ServiceResponse<BoxBody>,
    context: &RequestContext,
) -> ServiceResponse<BoxBody> {
    let Some(error) = response.response().error() else {
        return response;
    };
    let rendered = match error.as_error::<ApiError>() {
        Some(error) => {
            error.log();
            render(error, &context.error_context())
        }
        None => render(&foreign(error), &context.error_context()),
    };
    let (request, old) = response.into_parts();
    ServiceResponse::new(request, keep_headers(&old, rendered))
}

/// Headers that the middleware inside has added (CORS, limits) stay.
fn keep_headers(old: &HttpResponse, mut new: HttpResponse) -> HttpResponse {
    let own: Vec<HeaderName> = new.headers().keys().cloned().collect();
    for (name, value) in old.headers() {
        if !own.contains(name) {
            new.headers_mut().append(name.clone(), value.clone());
        }
    }
    new
}

fn foreign(error: &Error) -> ApiError {
    let status = error.as_response_error().status_code();
    if status.is_server_error() {
        let error = ApiError::internal(error.to_string());
        error.log();
        return error;
    }
    let reason = status.canonical_reason().unwrap_or("Bad Request");
    ApiError::new(
        status,
        reason.to_ascii_lowercase().replace([' ', '-'], "_"),
        error.to_string(),
    )
}

fn finish(headers: &mut HeaderMap, context: &RequestContext) {
    if let Ok(id) = HeaderValue::from_str(&context.request_id) {
        headers.insert(REQUEST_ID.clone(), id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if context.https {
        headers.insert(
            STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
}

fn user(response: &ServiceResponse<BoxBody>) -> Option<i64> {
    let extensions = response.request().extensions();
    let outcome = extensions.get::<SharedOutcome>()?;
    outcome.user()
}

/// Whoever knows the address of a webhook may send to it, so it is not for every reader of the log.
fn without_rid(path: &str) -> String {
    let mut follows = false;
    let hidden = path.split('/').map(|segment| {
        // Also where a slash is too many, or a prefix is before it.
        let hide = follows && !segment.is_empty();
        follows = segment == "in" || follows && segment.is_empty();
        if hide { "***" } else { segment }
    });
    hidden.collect::<Vec<_>>().join("/")
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let text = String::from_utf8_lossy(headers.get(name)?.as_bytes());
    Some(text.chars().take(LOGGED_LENGTH).collect())
}
