//! Conditional requests (RFC 9110, section 13): entity tags of representations, 304 for whoever
//! has the present one, 412 for whoever means another.

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, EntityTag, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH,
    VARY,
};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tidegate_application::error::AppError;
use tidegate_domain::error::StoreError;

use crate::app::HttpOptions;
use crate::error::ApiError;

/// What an answer depends on besides its address.
pub(crate) const VARIES: &str = "Authorization, Accept, Prefer";

/// A representation in JSON with its tag.
#[derive(Debug, Clone)]
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
    pub(crate) fn new(value: &impl Serialize) -> Result<Self, StoreError> {
        let body = serde_json::to_vec(value).map_err(|error| StoreError::Internal(error.into()))?;
        // Half of the digest is more than enough to tell versions apart.
        let digest = Sha256::digest(&body);
        let (half, _) = digest.split_at(16);
        Ok(Self {
            tag: EntityTag::new_strong(BASE64_URL_SAFE_NO_PAD.encode(half)),
            body: body.into(),
        })
    }

    /// A 200 with the representation and its tag.
    pub(crate) fn response(self) -> HttpResponse {
        let tag = self.tag.to_string();
        ok().insert_header((ETAG, tag)).body(self.body)
    }

    /// A 200 with the representation alone: to a `PUT` a tag would say that what was sent was
    /// stored to the letter (RFC 9110, section 9.3.4).
    pub(crate) fn untagged(self) -> HttpResponse {
        ok().body(self.body)
    }

    /// The answer to a `GET`: 304 where the client has this representation.
    ///
    /// # Errors
    /// 412 where `If-Match` means another; a header that is no list of entity tags.
    pub(crate) fn answer(self, request: &HttpRequest) -> Result<HttpResponse, ApiError> {
        let Conditions {
            if_match,
            if_none_match,
        } = Conditions::sent(request)?;
        if !if_match.is_none_or(|tags| tags.hold(&self.tag, EntityTag::strong_eq)) {
            return Err(AppError::Precondition.into());
        }
        let known = if_none_match.is_some_and(|tags| tags.hold(&self.tag, EntityTag::weak_eq));
        let mut response = if known {
            HttpResponse::NotModified()
                .insert_header((ETAG, self.tag.to_string()))
                .insert_header((VARY, VARIES))
                .finish()
        } else {
            self.response()
        };
        // Whoever keeps it asks before using it again, and no shared cache keeps it.
        let keep = HeaderValue::from_static("private, no-cache");
        response.headers_mut().insert(CACHE_CONTROL, keep);
        Ok(response)
    }
}

fn ok() -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response
        .insert_header((VARY, VARIES))
        .insert_header((CONTENT_TYPE, "application/json"));
    response
}

/// `*`, or tags.
enum Tags {
    Any,
    These(Vec<EntityTag>),
}

impl Tags {
    /// Those of a header; `None` without it.
    fn of(request: &HttpRequest, name: &HeaderName) -> Result<Option<Self>, ApiError> {
        let lines: Option<Vec<&str>> = request
            .headers()
            .get_all(name)
            .map(|line| line.to_str().ok())
            .collect();
        let parsed = match lines.as_deref() {
            Some([]) => return Ok(None),
            Some(lines) => parse(&lines.join(",")),
            None => None,
        };
        parsed.map(Some).ok_or_else(|| {
            ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_entity_tag",
                format!("{name} must be `*` or a list of entity tags in double quotes"),
            )
        })
    }

    fn hold(&self, present: &EntityTag, equal: impl Fn(&EntityTag, &EntityTag) -> bool) -> bool {
        match self {
            Self::Any => true,
            Self::These(tags) => tags.iter().any(|tag| equal(tag, present)),
        }
    }
}

/// Reads `*` or `#entity-tag` (RFC 9110, section 8.8.3). A tag may hold commas.
fn parse(text: &str) -> Option<Tags> {
    let mut rest = text.trim();
    if rest == "*" {
        return Some(Tags::Any);
    }
    let mut tags = Vec::new();
    while !rest.is_empty() {
        let start = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"')?;
        let length = rest.len() - start.len() + start.find('"')? + 1;
        let (tag, after) = rest.split_at_checked(length)?;
        tags.push(tag.parse().ok()?);
        let after = after.trim_start();
        rest = match after.strip_prefix(',') {
            Some(next) => next.trim_start_matches([',', ' ', '\t']),
            None if after.is_empty() => after,
            None => return None,
        };
    }
    (!tags.is_empty()).then_some(Tags::These(tags))
}

/// On which conditions a record may be changed.
pub(crate) struct Conditions {
    if_match: Option<Tags>,
    if_none_match: Option<Tags>,
}

impl Conditions {
    /// Those of a request.
    ///
    /// # Errors
    /// A header that is no list of entity tags.
    fn sent(request: &HttpRequest) -> Result<Self, ApiError> {
        Ok(Self {
            if_match: Tags::of(request, &IF_MATCH)?,
            if_none_match: Tags::of(request, &IF_NONE_MATCH)?,
        })
    }

    /// Those of a request that changes a record.
    ///
    /// # Errors
    /// 428 where the settings ask for `If-Match` and it is not there; a header that is no list
    /// of entity tags.
    pub(crate) fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        let conditions = Self::sent(request)?;
        let options = request.app_data::<web::Data<HttpOptions>>();
        let required = options.is_some_and(|options| options.require_if_match);
        if required && conditions.if_match.is_none() {
            return Err(ApiError::new(
                StatusCode::PRECONDITION_REQUIRED,
                "precondition_required",
                "Read the record first and send its ETag as If-Match",
            ));
        }
        Ok(conditions)
    }

    /// Compares them with the present representation.
    ///
    /// # Errors
    /// [`AppError::Precondition`] when one does not hold.
    pub(crate) fn check(&self, present: &EntityTag) -> Result<(), AppError> {
        let matches = self.if_match.as_ref();
        let matches = matches.is_none_or(|tags| tags.hold(present, EntityTag::strong_eq));
        let same = self.if_none_match.as_ref();
        let same = same.is_some_and(|tags| tags.hold(present, EntityTag::weak_eq));
        if matches && !same {
            Ok(())
        } else {
            Err(AppError::Precondition)
        }
    }
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
            (r#""a,b", "c\d""#, 200),
            ("no tag", 422),
            (r#""open"#, 422),
            (r#""a" "b""#, 422),
            ("", 422),
        ] {
            assert_eq!(status(sent), expected, "{sent}");
        }
        let wrong = Tagged::new(&value).unwrap();
        let wrong = wrong.answer(&request(&[("if-match", r#""old""#)]));
        assert_eq!(wrong.unwrap_err().status(), 412);
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
