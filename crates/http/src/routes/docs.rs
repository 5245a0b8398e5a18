//! The documentation: the OpenAPI document, and a page that lists its routes.

use std::fmt::Write as _;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use serde_json::Value;
use utoipa::openapi::OpenApi;

use crate::auth::DocsReader;
use crate::route::{Access, RouteSpec};

/// The routes.
pub fn routes() -> Vec<RouteSpec> {
    vec![
        RouteSpec::get("/openapi.json", "openapi", "This document")
            .tag("docs")
            .access(Access::Docs)
            .answers_plain(200, "The OpenAPI 3.1 document")
            .to(openapi),
        RouteSpec::get("/docs", "docs", "The documentation, for people")
            .tag("docs")
            .access(Access::Docs)
            .answers_plain(200, "A page that lists all routes")
            .to(docs),
    ]
}

/// Both forms of the documentation, made once.
#[derive(Debug, Clone)]
pub struct Documentation {
    json: Bytes,
    page: Bytes,
}

impl Documentation {
    /// The forms of a document.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn new(document: &OpenApi) -> Result<Self, serde_json::Error> {
        let value = serde_json::to_value(document)?;
        Ok(Self {
            json: Bytes::from(serde_json::to_vec(&value)?),
            page: Bytes::from(page(&value)),
        })
    }
}

async fn openapi(_: DocsReader, documentation: web::Data<Documentation>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((CACHE_CONTROL, "private, no-cache"))
        .body(documentation.json.clone())
}

async fn docs(_: DocsReader, documentation: web::Data<Documentation>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((CACHE_CONTROL, "private, no-cache"))
        // The page loads nothing and runs nothing.
        .insert_header((
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ))
        .body(documentation.page.clone())
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}\
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ccc;vertical-align:top}\
code{font-size:.95em}.public{color:#666}";

fn page(document: &Value) -> String {
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Tidegate</title><style>",
    );
    page.push_str(STYLE);
    let _ = write!(
        page,
        "</style></head><body><h1>Tidegate {}</h1><p>{}. The same as <a href=\"/openapi.json\">OpenAPI document</a>.</p>\
         <table><thead><tr><th>Route</th><th>What it does</th><th>Who</th></tr></thead><tbody>",
        escape(text(&document["info"]["version"])),
        escape(text(&document["info"]["description"])),
    );
    let empty = serde_json::Map::new();
    for (path, item) in document["paths"].as_object().unwrap_or(&empty) {
        for (method, operation) in item.as_object().unwrap_or(&empty) {
            let _ = write!(
                page,
                "<tr><td><code>{} {}</code></td><td>{}</td><td>{}</td></tr>",
                method.to_uppercase(),
                escape(path),
                escape(text(&operation["summary"])),
                who(operation),
            );
        }
    }
    page.push_str("</tbody></table></body></html>");
    page
}

fn who(operation: &Value) -> &'static str {
    let list = |name: &str| {
        operation[name]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default()
    };
    if list("security").is_empty() {
        "<span class=\"public\">everybody</span>"
    } else if list("tags").contains(&Value::from("admin")) {
        "administrators"
    } else {
        "signed in"
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
