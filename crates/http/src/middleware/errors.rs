//! The bodies of errors, written when all is known of the request that they answer.

use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::HeaderName;
use actix_web::{Error, HttpResponse};

use crate::context::RequestContext;
use crate::error::ApiError;
use crate::error::render::render;

/// Renders the error of a response again, now that the request is known. Errors that are
/// not ours come from actix and have no more to say than their status.
pub(super) fn with_error_body(
    response: ServiceResponse<BoxBody>,
    context: &RequestContext,
) -> ServiceResponse<BoxBody> {
    let Some(error) = response.response().error() else {
        return response;
    };
    let rendered = match error.as_error::<ApiError>() {
        Some(error) => {
            error.log();
            render(error, &context.error_context())
        }
        None => render(&foreign(error), &context.error_context()),
    };
    let (request, old) = response.into_parts();
    ServiceResponse::new(request, keep_headers(&old, rendered))
}

/// Headers that the middleware inside has added (CORS, limits) stay.
fn keep_headers(old: &HttpResponse, mut new: HttpResponse) -> HttpResponse {
    let own: Vec<HeaderName> = new.headers().keys().cloned().collect();
    for (name, value) in old.headers() {
        if !own.contains(name) {
            new.headers_mut().append(name.clone(), value.clone());
        }
    }
    new
}

fn foreign(error: &Error) -> ApiError {
    let status = error.as_response_error().status_code();
    if status.is_server_error() {
        let error = ApiError::internal(error.to_string());
        error.log();
        return error;
    }
    let reason = status.canonical_reason().unwrap_or("Bad Request");
    ApiError::new(
        status,
        reason.to_ascii_lowercase().replace([' ', '-'], "_"),
        error.to_string(),
    )
}
