//! The row interface: `/rest/{database}/{table}` in PostgREST's grammar, and the two short
//! routes that read and write rows without it.
//!
//! A request is read in pure steps: [`grammar`] (the query of the URL), [`prefer`],
//! [`range`] and [`media`] (headers), [`body`] (rows). [`read`] and [`mod@write`] put the steps
//! together around the use cases, [`short`] does so for the short routes, and [`handlers`]
//! hangs them into the server.

pub mod body;
mod describe;
mod documents;
mod error;
pub mod grammar;
pub mod handlers;
mod import;
pub mod media;
pub mod prefer;
mod profile;
pub mod range;
pub mod read;
mod repeat;
pub(crate) mod rpc;
pub mod short;
mod strip;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod write;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;
use tidegate_domain::gateway::schema::Table;

/// What an answer depends on beside the URL.
const VARY: &str = "Accept, Accept-Profile, Prefer, Range, Authorization";

/// The methods of a table or view, for `Allow`. Only by a primary key a row can be put.
fn allowed(table: &Table) -> &'static str {
    match (table.writable, table.primary_key.is_empty()) {
        (false, _) => "OPTIONS,GET,HEAD",
        (true, true) => "OPTIONS,GET,HEAD,POST,PATCH,DELETE",
        (true, false) => "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE",
    }
}

/// All headers of one name that are text. Others are as good as absent.
fn texts(request: &HttpRequest, name: HeaderName) -> impl Iterator<Item = &str> {
    request
        .headers()
        .get_all(name)
        .filter_map(|value| value.to_str().ok())
}
