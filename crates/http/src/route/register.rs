//! Registers the table at actix: one resource for each path, in the order of matching.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{HttpServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::middleware::{Next, from_fn};
use actix_web::{HttpRequest, HttpResponse, guard, web};
use futures_util::FutureExt as _;

use crate::error::ApiError;
use crate::rest::rpc;
use crate::route::index::patterns;
use crate::route::{RouteInfo, RouteSpec};

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

/// The resources of a sorted table, for one worker. Those that begin with the same word stand in
/// a scope of it: actix tries one after the other, and a word costs far less than a pattern.
pub fn configure(routes: &[RouteSpec], config: &mut web::ServiceConfig) {
    let word = |route: &RouteSpec| literal(&route.info().path).map(str::to_owned);
    for scoped in routes.chunk_by(|a, b| literal(&a.info().path) == literal(&b.info().path)) {
        let same_path = scoped.chunk_by(|a, b| a.info().path == b.info().path);
        match scoped.first().and_then(word) {
            Some(word) => {
                let scope = same_path.fold(web::scope(&word), |scope, group| {
                    scope.service(resource(group, word.len()))
                });
                config.service(scope);
            }
            None => {
                for group in same_path {
                    config.service(resource(group, 0));
                }
            }
        }
    }
}

/// The first segment of a path with its slash, where it is a word.
fn literal(path: &str) -> Option<&str> {
    let end = path.get(1..)?.find('/').map_or(path.len(), |at| at + 1);
    let segment = path.get(..end)?;
    (segment.len() > 1 && !segment.contains(['{', '}'])).then_some(segment)
}

/// The resource of a path, of which the scope has taken so many bytes.
fn resource(group: &[RouteSpec], taken: usize) -> impl HttpServiceFactory + use<> {
    let infos: Vec<Arc<RouteInfo>> = group.iter().map(|route| Arc::clone(&route.info)).collect();
    let own_head = infos.iter().any(|info| info.method == Method::HEAD);
    let path = infos.first().map_or("/", |info| &info.path);
    let mut resource = web::resource(
        patterns(path)
            .iter()
            .filter_map(|pattern| pattern.get(taken..).map(str::to_owned))
            .collect::<Vec<_>>(),
    );
    for route in group {
        let method = route.info.method.clone();
        let made = (route.make)();
        resource = resource.route(if route.info.any_method {
            made
        } else if method == Method::GET && !own_head {
            made.guard(guard::Any(guard::Get()).or(guard::Head()))
        } else {
            made.method(method)
        });
    }
    let allow = allow(&infos);
    resource
        .default_service(web::to(move |request: HttpRequest| {
            let answer = other_method(&request, &allow);
            async move { answer }
        }))
        .wrap(from_fn(catch_panic))
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

fn other_method(request: &HttpRequest, allow: &str) -> Result<HttpResponse, ApiError> {
    if request.method() == Method::OPTIONS {
        Ok(HttpResponse::NoContent()
            .insert_header((ALLOW, allow))
            .finish())
    } else {
        let pattern = request.match_pattern().unwrap_or_default();
        let special = rpc::other_method(&pattern, request.method());
        Err(special.unwrap_or_else(|| ApiError::method_not_allowed(allow)))
    }
}

/// Turns a panic of a handler into a 500 of this request alone.
///
/// It sits at the resource because the request may be kept aside only after actix has
/// matched its path.
async fn catch_panic<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let kept = request.request().clone();
    match AssertUnwindSafe(next.call(request)).catch_unwind().await {
        Ok(answer) => answer.map(ServiceResponse::map_into_left_body),
        Err(panic) => {
            let what = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            let error = ApiError::internal(format!("a handler panicked: {what}"));
            Ok(ServiceResponse::from_err(error, kept).map_into_right_body())
        }
    }
}
