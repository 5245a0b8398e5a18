//! Cross-origin requests (the CORS protocol of the Fetch standard).
//!
//! `*` lets every origin in, without credentials. With a list, a listed origin is echoed
//! with credentials; others get no header at all, and the browser refuses on its own.
//! Preflights are answered here, before versions, limits and credentials.

use std::collections::HashSet;

use actix_web::HttpResponse;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN,
    VARY,
};

/// The headers that a page's script may read.
const EXPOSED: &str = "Content-Encoding, Content-Location, Content-Profile, Content-Range, Content-Type, Date, Location, Link, ETag, Preference-Applied, Proxy-Status, Range-Unit, Server-Timing, X-Total-Count, X-Request-Id, RateLimit, RateLimit-Policy, Retry-After, Idempotency-Replayed";
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
/// A day.
const MAX_AGE: &str = "86400";

/// Which origins may call.
#[derive(Debug)]
pub struct Cors {
    /// `None` lets every origin in.
    listed: Option<HashSet<String>>,
}

impl Cors {
    /// The rule of a list of origins, where `*` stands for all.
    pub fn new(origins: &[String]) -> Self {
        let all = origins.iter().any(|origin| origin == "*");
        let listed = origins
            .iter()
            .map(|origin| origin.trim_end_matches('/').to_owned())
            .collect();
        Self {
            listed: (!all).then_some(listed),
        }
    }

    /// The headers for an origin; false for one that is not let in.
    fn allow(&self, origin: &HeaderValue, headers: &mut HeaderMap) -> bool {
        let Some(listed) = &self.listed else {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            return true;
        };
        let known = origin.to_str().is_ok_and(|origin| listed.contains(origin));
        if known {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(
                ACCESS_CONTROL_ALLOW_CREDENTIALS,
                HeaderValue::from_static("true"),
            );
        }
        known
    }

    /// The answer to a preflight; `None` for any other request.
    pub fn preflight(&self, request: &ServiceRequest) -> Option<HttpResponse> {
        if request.method() != Method::OPTIONS
            || !request
                .headers()
                .contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        {
            return None;
        }
        let origin = request.headers().get(ORIGIN)?;
        let mut response = HttpResponse::NoContent().finish();
        let headers = response.headers_mut();
        if self.allow(origin, headers) {
            headers.insert(
                ACCESS_CONTROL_ALLOW_METHODS,
                HeaderValue::from_static(METHODS),
            );
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
            // Whatever is asked for: `*` would not cover Authorization.
            if let Some(asked) = request.headers().get(ACCESS_CONTROL_REQUEST_HEADERS) {
                headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
            }
        }
        headers.append(
            VARY,
            HeaderValue::from_static("Access-Control-Request-Headers"),
        );
        self.vary(headers);
        Some(response)
    }

    /// Adds to an answer what a page of the request's origin may know.
    pub fn finish(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if let Some(origin) = origin
            && self.allow(origin, headers)
        {
            headers.insert(
                ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static(EXPOSED),
            );
        }
        self.vary(headers);
    }

    /// With a list the answer depends on the origin, also for requests that have none.
    fn vary(&self, headers: &mut HeaderMap) {
        if self.listed.is_some() {
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
    }
}
