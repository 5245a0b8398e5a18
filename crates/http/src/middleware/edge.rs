//! What happens to every request around its handler, as one middleware: each of actix's own kind
//! costs more than what most of these do.
//!
//! It learns what is to be known of a request, has the others do their part in their order, and
//! finishes every answer: error bodies, id, security headers, access line.

use std::borrow::Cow;
use std::net::Ipv4Addr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, ORIGIN, STRICT_TRANSPORT_SECURITY,
    USER_AGENT, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::http::{ConnectionType, Method};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, web};
use ipnet::IpNet;
use tidegate_application::audit;
use tidegate_application::auth::ClientInfo;
use tidegate_domain::request::{Current, Request};
use tidegate_domain::system::Randomness;
use tokio::runtime::Handle;
use tracing::Instrument as _;

use crate::app::HttpOptions;
use crate::auth::SharedOutcome;
use crate::context::{NO_ADDRESS, RequestContext};
use crate::drain::Leaving;
use crate::error::render::Place;
use crate::listeners::UnixPeer;
use crate::middleware::access_log::{AccessLine, LoggedBody};
use crate::middleware::client::{Origin, Peer};
use crate::middleware::compress::{Wanted, compress};
use crate::middleware::cors::Cors;
use crate::middleware::errors::with_error_body;
use crate::middleware::gate::{Gate, VERSION, gate};
use crate::middleware::measure::{Measures, method_label};
use crate::middleware::request_id::{REQUEST_ID, request_id};
use crate::middleware::timing::timing;
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

/// What stands around the handlers of a worker.
pub struct Around {
    /// Outside of all.
    pub edge: Arc<Edge>,
    /// Which origins may call.
    pub cors: Arc<Cors>,
    /// What is checked before a handler runs.
    pub gate: web::Data<Gate>,
    /// The settings.
    pub options: web::Data<HttpOptions>,
    /// Where the sockets and timers are that handlers make.
    pub runtime: Handle,
}

impl Edge {
    fn context(&self, request: &mut ServiceRequest) -> RequestContext {
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
        let found = self.index.find(path);
        let place = found.as_ref().map(|(place, _)| *place);
        let entry = place.and_then(|place| self.index.entries().get(place));
        let context = RequestContext {
            request_id: request_id(headers, self.randomness.as_ref()),
            base_url: origin.base_url(self.public_url.as_deref()),
            https: origin.https,
            client: ClientInfo {
                address: origin.address,
                agent: text(headers, &USER_AGENT),
            },
            path: without_rid(path).into(),
            entry: place,
            route: entry
                .and_then(|entry| entry.route(request.method()))
                .cloned(),
            versioned: entry.is_some_and(|entry| entry.versioned(request.method())),
            challenge: entry.map(Entry::challenge).unwrap_or_default(),
            trace_id: None,
            brief_errors: self.brief_errors,
        };
        let matched = request.match_info_mut();
        for (name, text) in found.into_iter().flat_map(|(_, parameters)| parameters) {
            matched.add_static(name, text);
        }
        context
    }
}

/// The middleware.
///
/// # Errors
/// None in practice: the services inside turn their errors into answers.
pub async fn edge(
    around: Rc<Around>,
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<LoggedBody>, Error> {
    let (started, edge) = (Instant::now(), &around.edge);
    let mut context = edge.context(&mut request);
    let (trace, trace_id) = trace::begin(&request, &context);
    context.trace_id = trace_id.map(Arc::from);
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
        request_bytes: length(request.headers()),
        in_flight: edge.measures.begin(),
        span: trace.clone(),
        status: None,
        user: None,
        bytes: 0,
        complete: false,
    };
    request.extensions_mut().insert(Rc::clone(&context));
    let current = Current::from(Request {
        id: Arc::clone(&context.request_id),
        method: method_name(request.method()),
        path: Arc::clone(&context.path),
        trace_id: context.trace_id.clone(),
    });
    let origin = audit::Origin {
        request_id: Some(Arc::clone(&context.request_id)),
        address: Some(context.client.address),
    };
    // What is around it owns it, so that a request whose client hangs up also ends as itself.
    let work = audit::within(origin, inner(&around, &context, request, &next));
    let work = current.clone().carry(Box::pin(work));
    let response = if trace.is_disabled() {
        work.await?
    } else {
        Box::pin(work.instrument(trace)).await?
    };
    let mut response = current.in_scope(|| with_error_body(response, &context));
    finish(response.headers_mut(), &context);
    if edge.leaving.begun() {
        let head = response.response_mut().head_mut();
        head.set_connection_type(ConnectionType::Close);
    }
    line.status = Some(response.status());
    line.user = user(&response);
    Ok(response.map_body(|_, body| LoggedBody::new(body, line)))
}

/// Compression, what other origins may know, and within them, on the shared runtime, all that may
/// ask a database: the gate, for keys and passwords, and the handler.
async fn inner(
    around: &Around,
    context: &RequestContext,
    mut request: ServiceRequest,
    next: &Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let options = &around.options;
    let wanted = options.compression.then(|| Wanted::by(&mut request));
    let response = if let Some(answer) = around.cors.preflight(&request) {
        request.into_response(answer)
    } else {
        let origin = request.headers().get(ORIGIN).cloned();
        let timed = options.server_timing && Place::of(request.path()) == Place::Rest;
        let mut work = pin!(gate(&around.gate, context, request, next));
        let work = on_runtime(&around.runtime, work.as_mut());
        let mut response = if timed {
            Box::pin(timing(work)).await?
        } else {
            work.await?
        };
        around.cors.finish(origin.as_ref(), response.headers_mut());
        response
    };
    Ok(match wanted {
        Some(wanted) => compress(wanted, response),
        None => response,
    })
}

/// Polls a future with the sockets and timers that it makes on `runtime`.
fn on_runtime<F: Future>(
    runtime: &Handle,
    mut future: Pin<&mut F>,
) -> impl Future<Output = F::Output> {
    std::future::poll_fn(move |context| {
        let _entered = runtime.enter();
        future.as_mut().poll(context)
    })
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
fn without_rid(path: &str) -> Cow<'_, str> {
    if !path.split('/').any(|segment| segment == "in") {
        return Cow::Borrowed(path);
    }
    let mut follows = false;
    let hidden = path.split('/').map(|segment| {
        // Also where a slash is too many, or a prefix is before it.
        let hide = follows && !segment.is_empty();
        follows = segment == "in" || follows && segment.is_empty();
        if hide { "***" } else { segment }
    });
    Cow::Owned(hidden.collect::<Vec<_>>().join("/"))
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    match value.to_str() {
        // Visible ASCII, a byte each.
        Ok(text) => Some(text.get(..LOGGED_LENGTH).unwrap_or(text).to_owned()),
        Err(_) => {
            let text = String::from_utf8_lossy(value.as_bytes());
            Some(text.chars().take(LOGGED_LENGTH).collect())
        }
    }
}

fn method_name(method: &Method) -> Cow<'static, str> {
    match method_label(method) {
        name if name == method.as_str() => Cow::Borrowed(name),
        _ => Cow::Owned(method.as_str().to_owned()),
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
