//! How the row interface says that it cannot: PostgREST's codes, and the grammar's errors.

use actix_web::http::StatusCode;

use super::body::csv::CsvError;
use super::grammar::GrammarError;
use crate::error::ApiError;

/// An error with one of PostgREST's codes.
pub(super) fn fault(
    status: StatusCode,
    code: &'static str,
    message: impl Into<String>,
) -> ApiError {
    // The stable word of the problem document's members.
    let word = match (status, code) {
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, _) => "unsupported_media_type",
        (_, "PGRST100") => "invalid_query",
        (_, "PGRST102") => "invalid_body",
        (_, "PGRST103") => "range_not_satisfiable",
        (_, "PGRST106") => "wrong_profile",
        (_, "PGRST107") => "not_acceptable",
        (_, "PGRST108") => "not_embedded",
        (_, "PGRST101" | "PGRST117") => "method_not_allowed",
        (_, "PGRST122") => "invalid_preferences",
        (_, "PGRST127") => "not_implemented",
        _ => "invalid_request",
    };
    ApiError::new(status, word, message).rest_code(code)
}

/// A body that cannot be read.
pub(super) fn bad_body(message: impl Into<String>) -> ApiError {
    fault(StatusCode::BAD_REQUEST, "PGRST102", message)
}

/// Something that PostgREST has and this server has not; `what` is in the plural.
pub(super) fn unsupported(what: &str) -> ApiError {
    fault(
        StatusCode::BAD_REQUEST,
        "PGRST127",
        "Feature not implemented",
    )
    .details(format!("{what} are not supported"))
}

impl From<GrammarError> for ApiError {
    fn from(error: GrammarError) -> Self {
        let status = match error {
            GrammarError::Negative { .. } | GrammarError::EmptyRange => {
                StatusCode::RANGE_NOT_SATISFIABLE
            }
            _ => StatusCode::BAD_REQUEST,
        };
        let mut answer = fault(status, error.code(), error.to_string());
        if let Some(details) = error.details() {
            answer = answer.details(details);
        }
        match error.hint() {
            Some(hint) => answer.hint(hint),
            None => answer,
        }
    }
}

impl From<CsvError> for ApiError {
    fn from(error: CsvError) -> Self {
        bad_body(error.to_string())
    }
}
