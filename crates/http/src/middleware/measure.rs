//! Metrics of requests. Routes are counted by their pattern, so the number of series does not
//! grow with what clients ask for.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use metrics::{Counter, Gauge, Histogram};

use crate::route::{RouteInfo, RouteSpec};

/// What stands for paths without a route.
const NO_ROUTE: &str = "none";

/// The methods that are counted by name.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// The name of a method as a label: there may be any number of others.
pub fn method_label(method: &Method) -> &'static str {
    METHODS
        .into_iter()
        .find(|name| *name == method.as_str())
        .unwrap_or("OTHER")
}

/// The metrics of all routes, looked up once.
pub struct Measures {
    in_flight: Gauge,
    under_way: AtomicUsize,
    request_size: HashMap<&'static str, Histogram>,
    response_size: HashMap<&'static str, Histogram>,
    // By operation.
    routes: HashMap<String, Arc<RouteMeasures>>,
}

/// The metrics of a route and method.
struct RouteMeasures {
    route: String,
    method: &'static str,
    duration: Histogram,
    by_status: RwLock<Vec<(u16, Counter)>>,
}

impl RouteMeasures {
    fn new(route: &str, method: &'static str) -> Self {
        let labels = [("route", route.to_owned()), ("method", method.to_owned())];
        Self {
            route: route.to_owned(),
            method,
            duration: metrics::histogram!("tidegate_http_request_duration_seconds", &labels),
            by_status: RwLock::default(),
        }
    }

    fn answered(&self, status: u16, took: Duration) {
        self.duration.record(took);
        let known = self
            .by_status
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((_, counter)) = known.iter().find(|(known, _)| *known == status) {
            return counter.increment(1);
        }
        drop(known);
        let labels = [
            ("route", self.route.clone()),
            ("method", self.method.to_owned()),
            ("status", status.to_string()),
        ];
        let counter = metrics::counter!("tidegate_http_requests_total", &labels);
        counter.increment(1);
        let mut known = self
            .by_status
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        known.push((status, counter));
    }
}

impl Measures {
    /// The metrics of a table of routes.
    pub fn new(routes: &[RouteSpec]) -> Self {
        let sizes = |name: &'static str| {
            METHODS
                .into_iter()
                .chain(["OTHER"])
                .map(|method| (method, metrics::histogram!(name, "method" => method)))
                .collect()
        };
        let routes = routes.iter().map(|route| {
            let info = route.info();
            let measures = RouteMeasures::new(&plain(&info.path), method_label(&info.method));
            (info.operation_id.clone().into_owned(), Arc::new(measures))
        });
        Self {
            in_flight: metrics::gauge!("tidegate_http_requests_in_flight"),
            under_way: AtomicUsize::new(0),
            request_size: sizes("tidegate_http_request_size_bytes"),
            response_size: sizes("tidegate_http_response_size_bytes"),
            routes: routes.collect(),
        }
    }

    /// Counts a request as under way until the result is dropped.
    pub fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.increment(1);
        self.under_way.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    /// How many requests are under way, whether or not metrics are kept.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }
}

/// A request that is under way.
pub struct InFlight(Arc<Measures>);

impl InFlight {
    /// Counts the answer: its status, its bytes, how long it took, and the bytes that the
    /// request said its body has.
    pub fn answered(
        &self,
        route: Option<&RouteInfo>,
        method: &Method,
        status: StatusCode,
        took: Duration,
        sizes: (Option<u64>, u64),
    ) {
        let (measures, name) = (&self.0, method_label(method));
        // A HEAD counts as such, not as the GET that answers it.
        let known = route
            .filter(|route| route.method == *method)
            .and_then(|route| measures.routes.get(route.operation_id.as_ref()));
        match known {
            Some(known) => known.answered(status.as_u16(), took),
            None => {
                let path = route.map_or_else(|| NO_ROUTE.to_owned(), |route| plain(&route.path));
                RouteMeasures::new(&path, name).answered(status.as_u16(), took);
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53 bytes")]
        let record = |all: &HashMap<&'static str, Histogram>, bytes: u64| {
            if let Some(histogram) = all.get(name) {
                histogram.record(bytes as f64);
            }
        };
        if let Some(bytes) = sizes.0 {
            record(&measures.request_size, bytes);
        }
        record(&measures.response_size, sizes.1);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.decrement(1);
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// `{tail:.*}` is `{tail}` to readers of the metrics.
fn plain(path: &str) -> String {
    path.replace(":.*}", "}")
}
