//! What is known of a request before its handler runs: id, client, route.

use std::future::{Ready, ready};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use tidegate_application::auth::ClientInfo;

use crate::error::ApiError;
use crate::error::render::{Challenge, ErrorContext, Place};
use crate::route::RouteInfo;

/// The facts of a request, put together once by the outermost middleware.
#[derive(Debug)]
pub struct RequestContext {
    /// `X-Request-Id`, the client's or a new one.
    pub request_id: Arc<str>,
    /// Where the request comes from.
    pub client: ClientInfo,
    /// The scheme and host that clients see, without a slash at the end, for links.
    pub base_url: String,
    /// Whether the client speaks TLS, as a trusted proxy says.
    pub https: bool,
    /// The path as it may be logged: its unreserved characters are decoded, and the unguessable
    /// part of a webhook's address is hidden.
    pub path: Arc<str>,
    /// The place of the path's entry in the table, if the path has one.
    pub(crate) entry: Option<usize>,
    /// The route, if the path and method have one.
    pub route: Option<Arc<RouteInfo>>,
    /// Whether `X-Version` is looked at on this path.
    pub versioned: bool,
    /// The scheme that a 401 asks for on this path.
    pub challenge: Challenge,
    /// The id of the trace that it belongs to, if it belongs to one (W3C Trace Context).
    pub trace_id: Option<Arc<str>>,
    /// Whether errors below `/rest/` tell no more than their code and message.
    pub brief_errors: bool,
}

impl RequestContext {
    /// What an error's body needs to know.
    pub fn error_context(&self) -> ErrorContext {
        ErrorContext {
            request_id: self.request_id.as_ref().to_owned(),
            trace_id: self.trace_id.as_deref().map(str::to_owned),
            place: Place::of(&self.path),
            challenge: self.challenge,
            brief: self.brief_errors,
        }
    }

    /// The context of a request.
    pub fn of(request: &HttpRequest) -> Option<Rc<Self>> {
        request.extensions().get::<Rc<Self>>().cloned()
    }
}

/// Extractor of the [`RequestContext`].
#[derive(Debug, Clone)]
pub struct Context(pub Rc<RequestContext>);

impl FromRequest for Context {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(
            RequestContext::of(request)
                .map(Self)
                .ok_or_else(|| missing("the request context")),
        )
    }
}

/// Extractor of the client's address and agent, as log-ins take it.
#[derive(Debug, Clone)]
pub struct Client(pub ClientInfo);

impl FromRequest for Client {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let client = RequestContext::of(request).map(|context| Self(context.client.clone()));
        ready(client.ok_or_else(|| missing("the request context")))
    }
}

/// The address of a request without one (unit tests only: a socket always has one).
pub(crate) const NO_ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);

/// Something that the wiring of this crate always puts in place.
pub(crate) fn missing(what: &str) -> ApiError {
    ApiError::internal(format!("{what} is not set up"))
}
