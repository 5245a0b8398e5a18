//! Conditional requests (RFC 9110, section 13): entity tags of representations, 304 for whoever
//! has the present one, 412 for whoever wants to change another.

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CONTENT_TYPE, CacheControl, CacheDirective, ETAG, EntityTag, Header as _, IfMatch, IfNoneMatch,
    VARY,
};
use actix_web::{HttpRequest, HttpResponse, web};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tidegate_application::error::AppError;

use crate::app::HttpOptions;
use crate::error::ApiError;

/// What an answer depends on besides its address.
pub(crate) const VARIES: &str = "Authorization, Accept, Prefer";

/// A representation in JSON with its tag.
pub(crate) struct Tagged {
    /// The JSON.
    pub(crate) body: Bytes,
    /// A strong tag: a digest over the JSON, so that whoever sees something else has another.
    pub(crate) tag: EntityTag,
}

impl Tagged {
    /// The representation of a value.
    ///
    /// # Errors
    /// A value that is no JSON, which is a fault of the server.
    pub(crate) fn new(value: &impl Serialize) -> Result<Self, ApiError> {
        let body = serde_json::to_vec(value).map_err(ApiError::internal)?;
        // Half of the digest is more than enough to tell versions apart.
        let digest = Sha256::digest(&body);
        let (half, _) = digest.split_at(16);
        Ok(Self {
            tag: EntityTag::new_strong(BASE64_URL_SAFE_NO_PAD.encode(half)),
            body: body.into(),
        })
    }

    /// A 200 with the representation.
    pub(crate) fn response(self) -> HttpResponse {
        HttpResponse::Ok()
            .insert_header((ETAG, self.tag.to_string()))
            .insert_header((VARY, VARIES))
            .insert_header((CONTENT_TYPE, "application/json"))
            .body(self.body)
    }

    /// The answer to a `GET`: 304 where the client has this representation.
    ///
    /// # Errors
    /// A header that is no list of entity tags.
    pub(crate) fn answer(self, request: &HttpRequest) -> Result<HttpResponse, ApiError> {
        let known = match if_none_match(request)? {
            None => false,
            Some(IfNoneMatch::Any) => true,
            Some(IfNoneMatch::Items(tags)) => tags.iter().any(|tag| tag.weak_eq(&self.tag)),
        };
        let mut response = if known {
            HttpResponse::NotModified()
                .insert_header((ETAG, self.tag.to_string()))
                .insert_header((VARY, VARIES))
                .finish()
        } else {
            self.response()
        };
        // Whoever keeps it asks before using it again, and no shared cache keeps it.
        let keep = CacheControl(vec![CacheDirective::Private, CacheDirective::NoCache]);
        if let Ok(value) = actix_web::http::header::TryIntoHeaderValue::try_into_value(keep) {
            response
                .headers_mut()
                .insert(actix_web::http::header::CACHE_CONTROL, value);
        }
        Ok(response)
    }
}

/// On which conditions a record may be changed.
pub(crate) struct Conditions {
    if_match: Option<IfMatch>,
    if_none_match: Option<IfNoneMatch>,
}

impl Conditions {
    /// Those of a request.
    ///
    /// # Errors
    /// 428 where the settings ask for `If-Match` and it is not there; 422 for a header that is
    /// no list of entity tags.
    pub(crate) fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        let if_match = match request.headers().contains_key("if-match") {
            false => None,
            // The parser passes over what is no tag.
            true => match IfMatch::parse(request) {
                Ok(IfMatch::Items(tags)) if tags.is_empty() => return Err(malformed("If-Match")),
                parsed => Some(parsed.map_err(|_| malformed("If-Match"))?),
            },
        };
        let options = request.app_data::<web::Data<HttpOptions>>();
        if if_match.is_none() && options.is_some_and(|options| options.require_if_match) {
            return Err(ApiError::new(
                StatusCode::PRECONDITION_REQUIRED,
                "precondition_required",
                "Read the record first and send its ETag as If-Match",
            ));
        }
        Ok(Self {
            if_match,
            if_none_match: if_none_match(request)?,
        })
    }

    /// Compares them with the present representation.
    ///
    /// # Errors
    /// [`AppError::Precondition`] when one does not hold.
    pub(crate) fn check(&self, present: &EntityTag) -> Result<(), AppError> {
        let matches = match &self.if_match {
            None | Some(IfMatch::Any) => true,
            Some(IfMatch::Items(tags)) => tags.iter().any(|tag| tag.strong_eq(present)),
        };
        let differs = match &self.if_none_match {
            None => true,
            Some(IfNoneMatch::Any) => false,
            Some(IfNoneMatch::Items(tags)) => tags.iter().all(|tag| tag.weak_ne(present)),
        };
        if matches && differs {
            Ok(())
        } else {
            Err(AppError::Precondition)
        }
    }
}

fn if_none_match(request: &HttpRequest) -> Result<Option<IfNoneMatch>, ApiError> {
    if !request.headers().contains_key("if-none-match") {
        return Ok(None);
    }
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Items(tags)) if tags.is_empty() => Err(malformed("If-None-Match")),
        parsed => parsed.map(Some).map_err(|_| malformed("If-None-Match")),
    }
}

fn malformed(name: &str) -> ApiError {
    ApiError::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid_entity_tag",
        format!("{name} must be `*` or a list of entity tags in double quotes"),
    )
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn request(headers: &[(&str, &str)]) -> HttpRequest {
        let mut request = TestRequest::get();
        for header in headers {
            request = request.append_header(*header);
        }
        request.to_http_request()
    }

    #[test]
    fn whoever_has_the_present_representation_gets_304() {
        let value = serde_json::json!({"a": 1});
        let tag = Tagged::new(&value).unwrap().tag.to_string();
        let status = |sent: &str| {
            let tagged = Tagged::new(&value).unwrap();
            let answer = tagged.answer(&request(&[("if-none-match", sent)]));
            answer.map(|answer| answer.status().as_u16()).unwrap_or(422)
        };
        let weak = format!("W/{tag}");
        let list = format!(r#""other", {tag}"#);
        for (sent, expected) in [
            (tag.as_str(), 304),
            (&weak, 304),
            (&list, 304),
            ("*", 304),
            (r#""other""#, 200),
            ("no tag", 422),
        ] {
            assert_eq!(status(sent), expected, "{sent}");
        }
        let other = Tagged::new(&serde_json::json!({"a": 2})).unwrap();
        assert_ne!(other.tag.to_string(), tag);
    }

    #[test]
    fn a_change_is_refused_where_the_representation_is_another() {
        let present = EntityTag::new_strong("now".into());
        for (headers, holds) in [
            (&[][..], true),
            (&[("if-match", r#""now""#)], true),
            (&[("if-match", r#""old", "now""#)], true),
            (&[("if-match", "*")], true),
            (&[("if-match", r#""old""#)], false),
            (&[("if-match", r#"W/"now""#)], false),
            (&[("if-none-match", "*")], false),
            (&[("if-none-match", r#""now""#)], false),
            (&[("if-none-match", r#""old""#)], true),
        ] {
            let conditions = Conditions::of(&request(headers)).unwrap();
            assert_eq!(conditions.check(&present).is_ok(), holds, "{headers:?}");
        }
        assert!(Conditions::of(&request(&[("if-match", "now")])).is_err());
    }
}
