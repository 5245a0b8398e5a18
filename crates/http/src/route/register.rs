//! Hands a request to the handler of its route.
//!
//! actix's own router would look for the route again, by trying one regular expression after the
//! other; the outermost middleware has found it already.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_web::dev::{Service, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::{Error, HttpRequest, HttpResponse, Route};
use futures_util::FutureExt as _;
use futures_util::future::{self, CatchUnwind, LocalBoxFuture, Ready, join_all};

use crate::context::RequestContext;
use crate::error::ApiError;
use crate::rest::rpc;
use crate::route::index::RouteIndex;
use crate::route::{RouteInfo, RouteSpec};
use crate::routes::files::fallback;

/// Brings routes into the order of matching: a literal segment before a parameter
/// (`/users/me` before `/users/{id}`), rows first because they are asked most.
pub fn sorted(mut routes: Vec<RouteSpec>) -> Vec<RouteSpec> {
    routes.sort_by_cached_key(|route| {
        let path = &route.info().path;
        let segments: Vec<(u8, String)> = path
            .split('/')
            .map(|segment| (rank(segment), segment.to_owned()))
            .collect();
        (!path.starts_with("/rest/"), segments)
    });
    routes
}

fn rank(segment: &str) -> u8 {
    match segment {
        segment if segment.contains(":.*}") => 2,
        segment if segment.contains('{') => 1,
        _ => 0,
    }
}

/// Makes the [`Dispatch`] of a worker.
pub struct Dispatcher {
    index: Arc<RouteIndex>,
    routes: Arc<[RouteSpec]>,
}

impl Dispatcher {
    /// Of a sorted table and its index.
    pub fn new(index: Arc<RouteIndex>, routes: Arc<[RouteSpec]>) -> Self {
        Self { index, routes }
    }
}

type RouteService = <Route as ServiceFactory<ServiceRequest>>::Service;

/// Calls handlers: what stands inside of all middleware.
pub struct Dispatch {
    index: Arc<RouteIndex>,
    // As the entries of the index and their routes.
    handlers: Vec<Vec<RouteService>>,
    fallback: RouteService,
}

impl ServiceFactory<ServiceRequest> for Dispatcher {
    type Response = ServiceResponse;
    type Error = Error;
    type Config = ();
    type Service = Dispatch;
    type InitError = ();
    type Future = LocalBoxFuture<'static, Result<Dispatch, ()>>;

    fn new_service(&self, (): ()) -> Self::Future {
        let (index, routes) = (Arc::clone(&self.index), Arc::clone(&self.routes));
        Box::pin(async move {
            let mut handlers = Vec::with_capacity(index.entries().len());
            for group in routes.chunk_by(|a, b| a.info.path == b.info.path) {
                let made = group.iter().map(|route| (route.make)().new_service(()));
                let made: Result<Vec<_>, ()> = join_all(made).await.into_iter().collect();
                handlers.push(made?);
            }
            Ok(Dispatch {
                index,
                handlers,
                fallback: Route::new().to(fallback).new_service(()).await?,
            })
        })
    }
}

impl Service<ServiceRequest> for Dispatch {
    type Response = ServiceResponse;
    type Error = Error;
    type Future = Answering;

    // Handlers are always ready.
    actix_web::dev::always_ready!();

    fn call(&self, request: ServiceRequest) -> Answering {
        let found = RequestContext::of(request.request()).and_then(|context| context.entry);
        let Some(place) = found else {
            return Answering::by(&self.fallback, request);
        };
        let entry = self.index.entries().get(place);
        let position = entry.and_then(|entry| entry.position(request.method()));
        let handlers = self.handlers.get(place);
        match handlers.zip(position).and_then(|(all, at)| all.get(at)) {
            Some(handler) => Answering::by(handler, request),
            None => {
                let routes = entry.map_or(&[][..], |entry| entry.routes());
                Answering::At(future::ok(other_method(request, routes)))
            }
        }
    }
}

/// An answer to come. A panic of the handler becomes a 500 of its request alone.
pub enum Answering {
    /// It is there.
    At(Ready<Result<ServiceResponse, Error>>),
    /// By a handler.
    By {
        /// The handler's work.
        work:
            CatchUnwind<AssertUnwindSafe<LocalBoxFuture<'static, Result<ServiceResponse, Error>>>>,
        /// The request, for whom nobody else could answer.
        request: HttpRequest,
    },
}

impl Answering {
    fn by(handler: &RouteService, request: ServiceRequest) -> Self {
        Self::By {
            request: request.request().clone(),
            work: AssertUnwindSafe(handler.call(request)).catch_unwind(),
        }
    }
}

impl Future for Answering {
    type Output = Result<ServiceResponse, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::At(answer) => answer.poll_unpin(context),
            Self::By { work, request } => {
                let answer = ready!(work.poll_unpin(context));
                Poll::Ready(answer.unwrap_or_else(|panic| {
                    let text = format!("a handler panicked: {}", said(&*panic));
                    let error = ApiError::internal(text);
                    Ok(ServiceResponse::from_err(error, request.clone()))
                }))
            }
        }
    }
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or_default()
}

/// The methods of a path, for `Allow`.
fn allow(infos: &[Arc<RouteInfo>]) -> String {
    let mut methods: Vec<&str> = infos.iter().map(|info| info.method.as_str()).collect();
    for (implied, present) in [("HEAD", methods.contains(&"GET")), ("OPTIONS", true)] {
        if present && !methods.contains(&implied) {
            methods.push(implied);
        }
    }
    methods.sort_unstable();
    methods.dedup();
    methods.join(", ")
}

/// Answers a method that a path does not have.
fn other_method(request: ServiceRequest, routes: &[Arc<RouteInfo>]) -> ServiceResponse {
    let allow = allow(routes);
    if request.method() == Method::OPTIONS {
        let answer = HttpResponse::NoContent()
            .insert_header((ALLOW, allow))
            .finish();
        return request.into_response(answer);
    }
    let pattern = routes.first().map_or("", |route| &route.path);
    let special = rpc::other_method(pattern, request.method());
    request.error_response(special.unwrap_or_else(|| ApiError::method_not_allowed(&allow)))
}
