//! The row interface: `/rest/{database}/{table}` in PostgREST's grammar, and the two short
//! routes that read and write rows without it.
//!
//! A request is read in pure steps: [`grammar`] (the query of the URL), [`prefer`],
//! [`range`] and [`media`] (headers), [`body`] (rows). [`read`] and [`mod@write`] put the steps
//! together around the use cases, [`short`] does so for the short routes, and [`handlers`]
//! hangs them into the server.

pub mod body;
mod documents;
mod error;
pub mod grammar;
pub mod handlers;
mod import;
pub mod media;
pub mod prefer;
pub mod range;
pub mod read;
mod repeat;
pub mod short;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod write;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderName;

use self::error::fault;
use crate::error::ApiError;

/// What an answer depends on beside the URL.
const VARY: &str = "Accept, Prefer, Range, Authorization";

/// The methods of a table that can be written, and of a view that cannot.
const ALLOW_WRITABLE: &str = "OPTIONS,GET,HEAD,POST,PATCH,DELETE";
const ALLOW_READ_ONLY: &str = "OPTIONS,GET,HEAD";

/// All headers of one name that are text. Others are as good as absent.
fn texts(request: &HttpRequest, name: HeaderName) -> impl Iterator<Item = &str> {
    request
        .headers()
        .get_all(name)
        .filter_map(|value| value.to_str().ok())
}

/// PostgREST's choice of a schema, for reads and for writes.
const ACCEPT_PROFILE: HeaderName = HeaderName::from_static("accept-profile");
const CONTENT_PROFILE: HeaderName = HeaderName::from_static("content-profile");

/// The path names the database. A header that names another one must not be passed over:
/// the rows would come from, or go to, the wrong place.
fn check_profile(
    request: &HttpRequest,
    header: HeaderName,
    database: &str,
) -> Result<(), ApiError> {
    let Some(value) = request.headers().get(&header) else {
        return Ok(());
    };
    if value.as_bytes() == database.as_bytes() {
        return Ok(());
    }
    let name = value.as_bytes().iter();
    if !name
        .clone()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_$-".contains(byte))
    {
        return Err(fault(
            StatusCode::BAD_REQUEST,
            "PGRST100",
            format!("{header} is not the name of a database"),
        ));
    }
    let name = String::from_utf8_lossy(value.as_bytes());
    Err(fault(
        StatusCode::NOT_ACCEPTABLE,
        "PGRST106",
        format!("Invalid schema: {name}"),
    )
    .hint(format!(
        "The path chooses the database: this one is {database}"
    )))
}
