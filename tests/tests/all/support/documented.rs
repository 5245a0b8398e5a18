//! What the OpenAPI document says. Every answer that a test gets through [`super::client`] is
//! compared with it, so that no status is left out of it.

use std::collections::HashSet;
use std::sync::LazyLock;

use reqwest::Method;
use tidegate::app::App;

/// An operation: its method, the segments of its path, and the statuses that it may answer.
struct Operation {
    method: String,
    path: Vec<String>,
    statuses: HashSet<u16>,
}

static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(|| {
    let table = App::default().table();
    let document = tidegate_http::openapi::document(table.iter().map(AsRef::as_ref), "", "1");
    let document = serde_json::to_value(document).expect("the document");
    let mut operations = Vec::new();
    // Literal segments come before parameters, as in the table.
    for route in &table {
        let path = route.path.replace(":.*}", "}");
        let method = route.method.as_str().to_ascii_lowercase();
        let responses = document["paths"][&path][&method]["responses"].as_object();
        let statuses = responses.into_iter().flat_map(|it| it.keys());
        operations.push(Operation {
            method: route.method.to_string(),
            path: segments(&path).map(str::to_owned).collect(),
            statuses: statuses.filter_map(|status| status.parse().ok()).collect(),
        });
    }
    operations
});

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.trim_matches('/').split('/')
}

fn fits(pattern: &[String], path: &str) -> bool {
    let asked: Vec<&str> = segments(path).collect();
    let rest = pattern.last().is_some_and(|last| last == "{path}");
    let same_length = asked.len() == pattern.len() || (rest && asked.len() > pattern.len());
    same_length
        && pattern
            .iter()
            .zip(asked)
            .all(|(pattern, asked)| pattern.starts_with('{') || pattern == asked)
}

/// Panics where the document does not say that a request may be answered like this. Paths and
/// methods that are not in it are none of its business.
pub fn check(method: &Method, path: &str, status: u16) {
    let method = match *method {
        Method::HEAD => "GET",
        ref method => method.as_str(),
    };
    let path_fits = |operation: &&Operation| fits(&operation.path, path);
    let Some(first) = OPERATIONS.iter().find(path_fits) else {
        return;
    };
    let mut same_path = OPERATIONS.iter().filter(|it| it.path == first.path);
    let Some(operation) = same_path.find(|it| it.method == method) else {
        return;
    };
    // A browser's question before a request is answered before all others.
    let preflight = method == "OPTIONS" && status == 204;
    assert!(
        preflight || operation.statuses.contains(&status),
        "{method} {path} answers {status}, which the OpenAPI document does not say"
    );
}
