//! Path parameters.

use actix_web::HttpRequest;

use crate::error::ApiError;
use crate::error::table::parameter;

/// The number in a path parameter.
///
/// # Errors
/// 422 for a text that is no number, or none of 64 bits.
pub fn id(request: &HttpRequest, name: &str) -> Result<i64, ApiError> {
    let text = request.match_info().get(name).unwrap_or_default();
    // `parse` would take a plus sign, which no link to a record has.
    let number = if text.starts_with('+') {
        None
    } else {
        text.parse().ok()
    };
    number.ok_or_else(|| parameter(name, "must be a whole number of 64 bits"))
}

/// The text of a path parameter, decoded once.
///
/// # Errors
/// 400 where the path is not UTF-8.
pub fn text(request: &HttpRequest, name: &str) -> Result<String, ApiError> {
    let not_utf8 = |_| ApiError::malformed("The path is not UTF-8").rest_code("PGRST125");
    // actix has put replacement characters into what it matched; the path itself tells.
    percent_encoding::percent_decode_str(request.uri().path())
        .decode_utf8()
        .map_err(not_utf8)?;
    let raw = request.match_info().get(name).unwrap_or_default();
    let text = percent_encoding::percent_decode_str(raw).decode_utf8();
    Ok(text.map_err(not_utf8)?.into_owned())
}
