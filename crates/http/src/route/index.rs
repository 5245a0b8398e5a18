//! Finds the route of a request before actix does, so that versions, limits and
//! challenges are known while nothing of the request has been looked at.

use std::collections::HashMap;
use std::sync::Arc;

use actix_web::dev::ResourceDef;
use actix_web::http::Method;

use crate::error::render::Challenge;
use crate::route::{RouteInfo, RouteSpec};

/// The table, by first path segment, then in the order of matching.
pub struct RouteIndex {
    by_segment: HashMap<String, Vec<Entry>>,
}

/// One path with its methods.
pub struct Entry {
    definition: ResourceDef,
    routes: Vec<Arc<RouteInfo>>,
}

impl Entry {
    /// The route of a method; `HEAD` falls back on `GET`.
    pub fn route(&self, method: &Method) -> Option<&Arc<RouteInfo>> {
        let of = |method: &Method| self.routes.iter().find(|route| route.method == *method);
        of(method)
            .or_else(|| {
                if method == Method::HEAD {
                    of(&Method::GET)
                } else {
                    None
                }
            })
            .or_else(|| self.routes.iter().find(|route| route.any_method))
    }

    /// Whether `X-Version` is looked at for a method; for one that the path does not
    /// answer it is, if it is for any other.
    pub fn versioned(&self, method: &Method) -> bool {
        match self.route(method) {
            Some(route) => route.versioned,
            None => self.routes.iter().any(|route| route.versioned),
        }
    }

    /// The scheme that a 401 on this path asks for.
    pub fn challenge(&self) -> Challenge {
        self.routes
            .first()
            .map_or_else(Challenge::default, |route| route.challenge)
    }
}

impl RouteIndex {
    /// The index of a sorted table.
    pub fn new(routes: &[RouteSpec]) -> Self {
        let mut by_segment: HashMap<String, Vec<Entry>> = HashMap::new();
        for route in routes {
            let info = route.info();
            let entries = by_segment
                .entry(first_segment(&info.path).to_owned())
                .or_default();
            match entries
                .iter_mut()
                .find(|entry| entry.routes.iter().any(|r| r.path == info.path))
            {
                Some(entry) => entry.routes.push(Arc::clone(info)),
                None => entries.push(Entry {
                    definition: ResourceDef::new(patterns(&info.path)),
                    routes: vec![Arc::clone(info)],
                }),
            }
        }
        Self { by_segment }
    }

    /// The entry of a path.
    pub fn find(&self, path: &str) -> Option<&Entry> {
        let entries = self.by_segment.get(first_segment(path))?;
        entries.iter().find(|entry| entry.definition.is_match(path))
    }
}

/// The path, and the path with a slash at the end: both answer, without a redirect.
/// Nothing of the path is rewritten, so encoded slashes and blanks below `/rest/` stay.
pub fn patterns(path: &str) -> Vec<String> {
    if path.ends_with('/') || path.contains(":.*}") {
        vec![path.to_owned()]
    } else {
        vec![path.to_owned(), format!("{path}/")]
    }
}

fn first_segment(path: &str) -> &str {
    path.trim_start_matches('/')
        .split('/')
        .next()
        .unwrap_or_default()
}
