//! Paths without a route: a file of the static folder if there is one, else 404.
//!
//! A file is sent in pieces, whatever its size. Entity tags, dates, conditions and ranges are
//! those of `actix-files`; `folder` finds the file, `policy` says how it may be used.

mod folder;
mod policy;

use std::io;

use actix_files::NamedFile;
use actix_web::body::{MessageBody as _, SizedStream};
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_RANGE, CONTENT_SECURITY_POLICY, ETAG, HeaderValue, LAST_MODIFIED,
    LOCATION, VARY,
};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;

use self::folder::{Found, Opened, Place};
use crate::app::HttpOptions;
use crate::coding::{SMALL, accepted};
use crate::error::ApiError;

/// Pages of the folder load and call what is on this server, and show themselves in no other
/// page. Styles may stand in the page.
const PAGE: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'";

/// Answers for every path that the table does not hold.
///
/// # Errors
/// 404 where no file has this path; 412 and 416 where a condition or range does not fit it.
pub async fn fallback(
    request: HttpRequest,
    options: web::Data<HttpOptions>,
) -> Result<HttpResponse, ApiError> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let place = match &options.static_dir {
        Some(folder) if reads => Place::of(folder, request.match_info().as_str()),
        _ => None,
    };
    let Some(place) = place else {
        return Err(nothing());
    };
    let codings = accepted(&request, &SMALL);
    match web::block(move || place.find(&codings)).await {
        Ok(Ok(Found::File(opened))) => send(opened, &request),
        Ok(Ok(Found::Folder)) => Ok(with_slash(&request)),
        Ok(Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => {
            tracing::warn!(%error, "a static file cannot be read");
            Err(nothing())
        }
        _ => Err(nothing()),
    }
}

fn nothing() -> ApiError {
    ApiError::not_found("There is nothing at this path; /docs lists what there is")
        .rest_message("Invalid path specified in request URL")
}

fn send(opened: Opened, request: &HttpRequest) -> Result<HttpResponse, ApiError> {
    let cannot = |error: io::Error| {
        tracing::warn!(%error, "a static file cannot be read");
        nothing()
    };
    let mut file = NamedFile::from_file(opened.file, &opened.path).map_err(cannot)?;
    let media_type = policy::media_type(file.content_type());
    file = file
        .set_content_type(media_type.clone())
        .disable_content_disposition();
    if let Some(coding) = opened.coding {
        file = file.set_content_encoding(coding);
    }
    let length = file.metadata().len();
    let mut response = file.into_response(request);
    if let Some(error) = refusal(&response) {
        return Err(error);
    }
    let headers = response.headers_mut();
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static(policy::cache(&opened.path, &media_type)),
    );
    if policy::is_page(&media_type) {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE));
    }
    if opened.has_variants {
        headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    if request.method() == Method::HEAD && response.status() == StatusCode::OK {
        // The file is not read for an answer that does not hold it.
        let nothing = futures_util::stream::empty::<io::Result<Bytes>>();
        response = response.set_body(SizedStream::new(length, nothing).boxed());
    }
    Ok(response)
}

/// The problem document for a condition or range that does not fit the file.
fn refusal(response: &HttpResponse) -> Option<ApiError> {
    let header = |name| {
        let value = response.headers().get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or("")
    };
    let error = match response.status() {
        StatusCode::RANGE_NOT_SATISFIABLE => ApiError::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "range_not_satisfiable",
            "The file does not have this range of bytes; Content-Range says how long it is",
        )
        .header(CONTENT_RANGE, header(CONTENT_RANGE)),
        StatusCode::PRECONDITION_FAILED => ApiError::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition_failed",
            "The file is not the one that the condition means; read it again",
        ),
        StatusCode::BAD_REQUEST => ApiError::new(
            StatusCode::BAD_REQUEST,
            "malformed_range",
            "The Range header cannot be read",
        ),
        _ => return None,
    };
    Some(
        [ETAG, LAST_MODIFIED]
            .into_iter()
            .fold(error, |error, name| {
                let value = header(name.clone()).to_owned();
                match value.is_empty() {
                    true => error,
                    false => error.header(name, &value),
                }
            }),
    )
}

/// Sends a browser to the path of a folder as its links mean it.
fn with_slash(request: &HttpRequest) -> HttpResponse {
    let mut to = format!("{}/", request.uri().path());
    if let Some(query) = request.uri().query() {
        to.push('?');
        to.push_str(query);
    }
    HttpResponse::TemporaryRedirect()
        .insert_header((LOCATION, to))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .finish()
}
