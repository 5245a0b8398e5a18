//! `GET /rest/{database}/`: what a database holds and what may be done with it, for programs:
//! OpenAPI 3.1, or Swagger 2.0 with the members that clients of PostgREST read.
//!
//! [`columns`] says what a column is, [`openapi`] and [`swagger`] write the two documents. They
//! are written table by table, so that thousands of tables cost little more than their text.

mod columns;
mod openapi;
mod parameters;
mod swagger;
#[cfg(test)]
mod tests;
mod writer;

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, CONTENT_LOCATION, CONTENT_TYPE, VARY as VARY_NAME};
use actix_web::{HttpRequest, HttpResponse};
use mime::Mime;
use percent_encoding::utf8_percent_encode;
use tidegate_domain::gateway::routine::Routine;
use tidegate_domain::gateway::schema::{DatabaseSchema, Table};

use super::error::fault;
use super::{VARY, grammar, texts};
use crate::context::RequestContext;
use crate::error::ApiError;

/// What is described.
pub(super) struct Described<'a> {
    pub(super) schema: &'a DatabaseSchema,
    pub(super) routines: &'a [Arc<Routine>],
    /// The version of the product.
    pub(super) version: &'a str,
    /// The scheme and host that clients see, without a slash at the end.
    pub(super) base_url: &'a str,
}

impl Described<'_> {
    /// The path below which the tables are.
    fn path(&self) -> String {
        format!("/rest/{}", escaped(self.schema.name.as_str()))
    }

    fn title(&self) -> String {
        format!("The database {}", self.schema.name)
    }
}

/// The document that a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// OpenAPI 3.1 as this media type.
    OpenApi(&'static str),
    /// Swagger 2.0.
    Swagger,
}

impl Form {
    fn media_type(self) -> &'static str {
        match self {
            Self::OpenApi(media_type) => media_type,
            Self::Swagger => "application/openapi+json; charset=utf-8",
        }
    }
}

/// That the settings leave descriptions out.
pub(super) fn switched_off() -> ApiError {
    fault(
        StatusCode::NOT_FOUND,
        "PGRST126",
        "Root endpoint metadata is disabled",
    )
}

/// Answers the description in the form that the request accepts.
///
/// # Errors
/// 406 where it accepts none.
pub(super) fn answer(
    request: &HttpRequest,
    schema: &DatabaseSchema,
    routines: &[Arc<Routine>],
    version: &str,
) -> Result<HttpResponse, ApiError> {
    let form = negotiate(texts(request, ACCEPT))?;
    let context = RequestContext::of(request);
    let described = Described {
        schema,
        routines,
        version,
        base_url: context.as_ref().map_or("", |it| it.base_url.as_str()),
    };
    let body = match form {
        Form::OpenApi(_) => openapi::document(&described),
        Form::Swagger => swagger::document(&described),
    };
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, form.media_type()))
        .insert_header((CONTENT_LOCATION, format!("{}/", described.path())))
        .insert_header((VARY_NAME, VARY))
        .body(body))
}

/// Chooses the form: the highest weight, among equals the one named first.
fn negotiate<'a>(headers: impl IntoIterator<Item = &'a str>) -> Result<Form, ApiError> {
    const JSON: Form = Form::OpenApi("application/json; charset=utf-8");
    let accept = headers.into_iter().collect::<Vec<_>>().join(",");
    let mut ranges = accept
        .split(',')
        .map(str::trim)
        .filter(|range| !range.is_empty())
        .peekable();
    if ranges.peek().is_none() {
        return Ok(JSON);
    }
    let mut best: Option<(f32, Form)> = None;
    for range in ranges {
        let Ok(range) = range.parse::<Mime>() else {
            continue;
        };
        let weight = range
            .get_param("q")
            .map_or(Ok(1.0), |q| q.as_str().parse::<f32>())
            .unwrap_or(0.0);
        let version = range.get_param("version").map(|it| it.as_str().to_owned());
        let is = |wanted: &str| version.as_deref().is_some_and(|it| it.starts_with(wanted));
        let form = match range.essence_str() {
            "application/openapi+json" if is("3.1") => {
                Form::OpenApi("application/openapi+json; version=3.1")
            }
            "application/openapi+json" if version.is_none() || is("2.0") => Form::Swagger,
            "application/vnd.oai.openapi+json" if version.is_none() || is("3.1") => {
                Form::OpenApi("application/vnd.oai.openapi+json; version=3.1")
            }
            "application/json" | "application/*" | "*/*" => JSON,
            _ => continue,
        };
        if weight > 0.0 && best.is_none_or(|(most, _)| weight > most) {
            best = Some((weight, form));
        }
    }
    best.map(|(_, form)| form).ok_or_else(|| {
        let asked: String = accept
            .chars()
            .filter(|c| !c.is_control())
            .take(200)
            .collect();
        fault(
            StatusCode::NOT_ACCEPTABLE,
            "PGRST107",
            format!("None of these media types are available: {asked}"),
        )
        .hint("Ask for application/json, application/openapi+json or application/vnd.oai.openapi+json")
    })
}

/// A name as a segment of a path.
fn escaped(name: &str) -> String {
    utf8_percent_encode(name, &grammar::ESCAPED).to_string()
}

/// What may be done with a table.
struct Methods {
    /// Rows can be inserted, changed and deleted.
    write: bool,
    /// A row can be put in its place, which its primary key names.
    put: bool,
}

impl Methods {
    fn of(table: &Table) -> Self {
        Self {
            write: table.writable,
            put: table.writable && !table.primary_key.is_empty(),
        }
    }
}

/// The first line of a comment, and what follows it.
fn lines(comment: &str) -> (Option<&str>, Option<&str>) {
    let comment = comment.trim();
    if comment.is_empty() {
        return (None, None);
    }
    match comment.split_once('\n') {
        Some((first, rest)) => (Some(first.trim()), Some(rest.trim())),
        None => (Some(comment), None),
    }
}
