//! Forms, as OAuth2 clients send them.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use mime::Mime;
use serde::de::DeserializeOwned;

use crate::error::ApiError;
use crate::extract::body::{BodyLimits, BodyReader, is_utf8, media_type, unsupported};
use crate::extract::json::is_json;
use crate::extract::{fields, json};

type Extracted<T> = Pin<Box<dyn Future<Output = Result<T, ApiError>>>>;

/// An OAuth2 form. Unknown fields are ignored (RFC 6749 section 3.2), and its errors
/// also carry OAuth2's `error` and `error_description`.
#[derive(Debug)]
pub struct Form<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Form<T> {
    type Error = ApiError;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let media_type = media_type(request);
        let reader = BodyReader::new(request, payload.take(), BodyLimits::of(request));
        Box::pin(async move {
            match media_type? {
                Some(found) if is_form(&found) => parse(&reader.read().await?).map(Self),
                _ => Err(unsupported("application/x-www-form-urlencoded")),
            }
        })
    }
}

/// A body that may be JSON or an OAuth2 form; without a media type it is JSON.
#[derive(Debug)]
pub enum JsonOrForm<J, F> {
    /// It was JSON.
    Json(J),
    /// It was a form.
    Form(F),
}

impl<J: DeserializeOwned + 'static, F: DeserializeOwned + 'static> FromRequest
    for JsonOrForm<J, F>
{
    type Error = ApiError;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let media_type = media_type(request);
        let reader = BodyReader::new(request, payload.take(), BodyLimits::of(request));
        Box::pin(async move {
            match media_type? {
                Some(found) if is_form(&found) => parse(&reader.read().await?).map(Self::Form),
                Some(found) if !is_json(&found) => Err(unsupported(
                    "application/json or application/x-www-form-urlencoded",
                )),
                _ => json::object(&reader.read().await?).map(Self::Json),
            }
        })
    }
}

fn is_form(media_type: &Mime) -> bool {
    media_type.essence_str() == mime::APPLICATION_WWW_FORM_URLENCODED.essence_str()
        && is_utf8(media_type)
}

fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, ApiError> {
    fields::parse(text, "form").map_err(|error| oauth2(error, "invalid_request"))
}

/// Adds OAuth2's members (RFC 6749 section 5.2) to an error.
pub fn oauth2(error: ApiError, code: &'static str) -> ApiError {
    // `error_description` may hold neither quotes nor backslashes nor line breaks.
    let description: String = error
        .detail()
        .chars()
        .map(|c| match c {
            '"' | '\\' => '\'',
            ' '..='~' => c,
            _ => ' ',
        })
        .collect();
    error
        .member("error", code)
        .member("error_description", description)
}
