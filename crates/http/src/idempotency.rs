//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07): the name that a client
//! gives a request which it may have to send again.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use sha2::{Digest as _, Sha256};
use tidegate_domain::idempotency::{Answer, RepeatableRequest};
use tidegate_domain::permission::Principal;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use crate::error::ApiError;
use crate::error::render::Place;

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
static REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// When a request with a key is a 409, for the documentation.
pub const UNDER_WAY: &str = "A request with this Idempotency-Key is being carried out";

/// The most characters that a key may have.
const LONGEST: usize = 255;

/// The key of a request, if it has one.
///
/// # Errors
/// 422 for a header that is neither a string of RFC 8941 nor a plain word of visible ASCII
/// characters, 1 to 255 of them, and for one that is sent twice.
pub fn key(request: &HttpRequest) -> Result<Option<String>, ApiError> {
    let mut lines = request.headers().get_all(&IDEMPOTENCY_KEY);
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    let text = line.to_str().ok().filter(|_| lines.next().is_none());
    text.and_then(read)
        .map(Some)
        .ok_or_else(|| {
            ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_idempotency_key",
                "Idempotency-Key must be sent once, as 1 to 255 visible ASCII characters; a random UUID is best",
            )
            .rest_status(StatusCode::UNPROCESSABLE_ENTITY)
        })
}

/// Reads `"a key"` with its escapes, or a word without quotes.
fn read(text: &str) -> Option<String> {
    let text = text.trim();
    let key = match text.strip_prefix('"') {
        None => {
            let plain = text
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'"');
            plain.then(|| text.to_owned())?
        }
        Some(rest) => {
            let (mut key, mut characters) = (String::new(), rest.chars());
            loop {
                match characters.next()? {
                    '"' => break,
                    '\\' => match characters.next()? {
                        c @ ('"' | '\\') => key.push(c),
                        _ => return None,
                    },
                    c @ ' '..='~' => key.push(c),
                    _ => return None,
                }
            }
            characters.next().is_none().then_some(key)?
        }
    };
    (1..=LONGEST).contains(&key.len()).then_some(key)
}

/// The request with its key, if it has one; `body` is what was sent.
///
/// # Errors
/// As [`key`].
pub fn repeatable(
    request: &HttpRequest,
    principal: &Principal,
    body: &[u8],
) -> Result<Option<RepeatableRequest>, ApiError> {
    let Some(key) = key(request)? else {
        return Ok(None);
    };
    let mut fingerprint = Fingerprint::of(request);
    fingerprint.update(body);
    Ok(Some(RepeatableRequest {
        id: request_id(principal, request, None, &key),
        fingerprint: fingerprint.finish(),
    }))
}

/// What names a request: a digest over principal, method, path and key, and over the database
/// where another one than the path's may be chosen.
pub fn request_id(
    principal: &Principal,
    request: &HttpRequest,
    database: Option<&str>,
    key: &str,
) -> String {
    let path = request.uri().path();
    let user = principal.user.0.to_string();
    let parts = [
        user.as_str(),
        request.method().as_str(),
        path.strip_suffix('/').unwrap_or(path),
        key,
    ];
    let parts = parts.into_iter().chain(database);
    let text: String = parts.flat_map(|part| [part, "\0"]).collect();
    hex(Sha256::digest(text))
}

/// A digest over what was sent: query, media type and body, and below `/rest/` what says how
/// the answer is to look.
pub struct Fingerprint(Sha256);

impl Fingerprint {
    /// Of a request whose body is still to come.
    pub fn of(request: &HttpRequest) -> Self {
        let shapes: &[&str] = match Place::of(request.uri().path()) {
            Place::Api => &["content-type"],
            Place::Rest => &["content-type", "accept", "prefer"],
        };
        let mut digest = Sha256::new();
        digest.update(request.query_string());
        digest.update(b"\0");
        for name in shapes {
            // All lines of the name count, as they do where they are read.
            for (at, line) in request.headers().get_all(*name).enumerate() {
                if at > 0 {
                    digest.update(b"\n");
                }
                digest.update(line.as_bytes());
            }
            digest.update(b"\0");
        }
        Self(digest)
    }

    /// With the next piece of the body.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The digest in hexadecimal digits.
    pub fn finish(self) -> String {
        hex(self.0.finalize())
    }
}

fn hex(digest: impl AsRef<[u8]>) -> String {
    digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// An answer as a response.
pub fn response(answer: &Answer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = HttpResponse::build(status);
    for (name, value) in &answer.headers {
        response.insert_header((name.as_str(), value.as_str()));
    }
    response.body(answer.body.clone())
}

/// An answer that is given again.
pub fn replayed(answer: &Answer) -> HttpResponse {
    let mut response = response(answer);
    let headers = response.headers_mut();
    headers.insert(REPLAYED.clone(), HeaderValue::from_static("true"));
    response
}

/// The header in the documentation.
pub fn parameter() -> Parameter {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(LONGEST));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .description(Some(
            "A name of the request, such as a random UUID. Sent again within 24 hours it is carried out once, and answered as the first time with `Idempotency-Replayed: true`. Another body or query under the same key is 422, a repetition while the first is under way 409. Rows of a CSV import, and those of an answer over 8 MiB, are not shown again.",
        ))
        .schema(Some(text.build()))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_strings_or_words() {
        for (text, key) in [
            ("abc-123", Some("abc-123")),
            (r#""a \"b\" \\c""#, Some(r#"a "b" \c"#)),
            (" \"x\" ", Some("x")),
            ("", None),
            (r#""""#, None),
            (r#""open"#, None),
            (r#""a" b"#, None),
            (r#""a\x""#, None),
            ("a b", None),
            (r#"a"b"#, None),
        ] {
            assert_eq!(read(text).as_deref(), key, "{text}");
        }
        assert!(read(&"x".repeat(255)).is_some());
        assert!(read(&"x".repeat(256)).is_none());
    }

    #[test]
    fn a_fingerprint_tells_query_type_and_body_apart() {
        let of = |uri: &str, media_type: &str, body: &str| {
            let request = actix_web::test::TestRequest::with_uri(uri)
                .insert_header(("content-type", media_type))
                .to_http_request();
            let mut fingerprint = Fingerprint::of(&request);
            for byte in body.as_bytes() {
                fingerprint.update(std::slice::from_ref(byte));
            }
            fingerprint.finish()
        };
        let first = of("/x?a=1", "application/json", "{}");
        assert_eq!(first.len(), 64);
        assert_eq!(first, of("/y?a=1", "application/json", "{}"));
        assert_ne!(first, of("/x?a=2", "application/json", "{}"));
        assert_ne!(first, of("/x?a=1", "text/csv", "{}"));
        assert_ne!(first, of("/x?a=1", "application/json", "{} "));
        let preferring = |lines: [&str; 2]| {
            let request = actix_web::test::TestRequest::with_uri("/rest/d/t")
                .append_header(("prefer", lines[0]))
                .append_header(("prefer", lines[1]))
                .to_http_request();
            Fingerprint::of(&request).finish()
        };
        assert_ne!(preferring(["a", "b"]), preferring(["a", "c"]));
        let accepting = |uri: &str, accept: &str| {
            let request = actix_web::test::TestRequest::with_uri(uri)
                .insert_header(("accept", accept))
                .to_http_request();
            Fingerprint::of(&request).finish()
        };
        assert_eq!(accepting("/x", "text/csv"), accepting("/x", "*/*"));
        assert_ne!(
            accepting("/rest/d/t", "text/csv"),
            accepting("/rest/d/t", "*/*")
        );
    }
}
