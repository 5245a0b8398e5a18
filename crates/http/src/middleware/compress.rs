//! Compresses answers for clients that ask for it (RFC 9110, section 8.4).
//!
//! What is compressed is chosen, not what is left out: texts of some size, or of a size that is
//! not known yet. Shorter ones say too that they depend on it: the next one may be longer. Answers that must not be stored hold secrets, and stay as they are: their length
//! would tell of them to whoever makes a browser repeat a request.
//!
//! A compressed answer is another representation, so its entity tag is another one: that of the
//! plain answer with the coding's name. Both mean the same record, so conditions that name the
//! one are read as naming the other as well.

use actix_http::encoding::Encoder;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ContentEncoding, ETAG, HeaderMap,
    HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, VARY,
};
use mime::Mime;

use crate::coding::{FAST, accepted};

/// Answers under this size are not worth it, in bytes.
const WORTH_IT: u64 = 1024;

/// What a request wants to be done with its answer.
pub struct Wanted {
    coding: Option<ContentEncoding>,
    known: Option<HeaderValue>,
}

impl Wanted {
    /// Reads a request. Its conditions are completed on the way.
    pub fn by(request: &mut ServiceRequest) -> Self {
        let coding = accepted(request, &FAST).first().copied();
        let known = request.headers().get(IF_NONE_MATCH).cloned();
        for name in [IF_MATCH, IF_NONE_MATCH] {
            if request.headers().contains_key(&name) {
                also_plain(request.headers_mut(), &name);
            }
        }
        Self { coding, known }
    }
}

/// Compresses an answer, if that was wanted and it is one to be compressed.
pub fn compress(
    wanted: Wanted,
    mut response: ServiceResponse<BoxBody>,
) -> ServiceResponse<BoxBody> {
    let Wanted { coding, known } = wanted;
    if response.status() == StatusCode::NOT_MODIFIED {
        // The tag is the one that the client has, for the answer that it would get.
        tag_as_known(response.headers_mut(), known.as_ref());
        vary(response.headers_mut());
        return response;
    }
    if !is_compressible(&response) {
        return response;
    }
    let worth_it = match response.response().body().size() {
        BodySize::None => false,
        BodySize::Sized(length) => length >= WORTH_IT,
        BodySize::Stream => true,
    };
    let Some(coding) = coding.filter(|_| worth_it) else {
        vary(response.headers_mut());
        return response;
    };
    let headers = response.headers_mut();
    if let Some(tag) = headers.get(ETAG).and_then(|tag| with_coding(tag, coding)) {
        headers.insert(ETAG, tag);
    }
    headers.remove(ACCEPT_RANGES);
    let varied = headers.get_all(VARY).cloned().collect::<Vec<_>>();
    let mut response =
        response.map_body(|head, body| Encoder::response(coding, head, body).boxed());
    // The encoder says it in its own words.
    let headers = response.headers_mut();
    headers.remove(VARY);
    for value in varied {
        headers.append(VARY, value);
    }
    vary(headers);
    response
}

fn vary(headers: &mut HeaderMap) {
    let there = headers
        .get_all(VARY)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|name| name.trim().eq_ignore_ascii_case("accept-encoding"));
    if !there {
        headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
}

/// Whether an answer of some size gains by it and tells nothing by its length.
fn is_compressible(response: &ServiceResponse<BoxBody>) -> bool {
    let (status, headers) = (response.status(), response.headers());
    let text = |name: HeaderName| {
        let value = headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or("")
    };
    let media_type = || text(CONTENT_TYPE).parse::<Mime>();
    status.is_success()
        && status != StatusCode::PARTIAL_CONTENT
        && !headers.contains_key(CONTENT_ENCODING)
        && !text(CACHE_CONTROL).contains("no-store")
        && !text(CACHE_CONTROL).contains("no-transform")
        && media_type().is_ok_and(|media_type| is_text(&media_type))
}

fn is_text(media_type: &Mime) -> bool {
    let suffix = media_type.suffix().map(|suffix| suffix.as_str());
    match media_type.type_() {
        // What is sent event by event must not wait for more of them.
        mime::TEXT => media_type.subtype() != "event-stream",
        _ if matches!(suffix, Some("json" | "xml")) => true,
        mime::APPLICATION => matches!(
            media_type.subtype().as_str(),
            "json" | "xml" | "javascript" | "wasm" | "x-ndjson" | "manifest"
        ),
        _ => false,
    }
}

/// A strong tag of the same record in a coding; a weak one holds for every coding.
fn with_coding(tag: &HeaderValue, coding: ContentEncoding) -> Option<HeaderValue> {
    let inner = tag.to_str().ok()?.strip_prefix('"')?.strip_suffix('"')?;
    HeaderValue::from_str(&format!("\"{inner}-{}\"", coding.as_str())).ok()
}

/// The tag of the plain answer, of one with a coding.
fn without_coding(tag: &str) -> Option<String> {
    let inner = tag.strip_suffix('"')?;
    FAST.iter()
        .find_map(|coding| inner.strip_suffix(coding.as_str())?.strip_suffix('-'))
        .map(|plain| format!("{plain}\""))
}

/// Adds to a list of tags the plain ones of those with a coding.
fn also_plain(headers: &mut HeaderMap, name: &HeaderName) {
    let lines: Vec<HeaderValue> = headers.get_all(name).cloned().collect();
    for line in lines.iter().filter_map(|line| line.to_str().ok()) {
        let plain: Vec<String> = line
            .split(',')
            .filter_map(|tag| without_coding(tag.trim()))
            .collect();
        if let Ok(value) = HeaderValue::from_str(&plain.join(", "))
            && !plain.is_empty()
        {
            headers.append(name.clone(), value);
        }
    }
}

/// Gives the tag the coding again with which the client sent it.
fn tag_as_known(headers: &mut HeaderMap, known: Option<&HeaderValue>) {
    let (Some(tag), Some(known)) = (headers.get(ETAG), known) else {
        return;
    };
    let known = known.to_str().unwrap_or_default();
    let sent = |tag: &HeaderValue| {
        let tag = tag.to_str().unwrap_or_default();
        known
            .split(',')
            .any(|it| it.trim().trim_start_matches("W/") == tag)
    };
    if sent(tag) {
        return;
    }
    let coded = FAST
        .iter()
        .find_map(|coding| with_coding(tag, *coding).filter(&sent));
    if let Some(coded) = coded {
        headers.insert(ETAG, coded);
    }
}

#[cfg(test)]
mod tests {
    use actix_web::HttpResponse;
    use actix_web::http::header::ACCEPT_ENCODING;
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_condition_that_names_a_coding_names_the_plain_tag_too() {
        for (sent, expected) in [
            (r#""a-br""#, r#""a-br" "a""#),
            (
                r#""a-zstd", W/"b-gzip", "c""#,
                r#""a-zstd", W/"b-gzip", "c" "a", W/"b""#,
            ),
            (r#""a""#, r#""a""#),
            ("*", "*"),
            (r#""-br""#, r#""-br" """#),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(IF_MATCH, HeaderValue::from_static(sent));
            also_plain(&mut headers, &IF_MATCH);
            let lines: Vec<_> = headers
                .get_all(IF_MATCH)
                .map(|line| line.to_str().unwrap())
                .collect();
            assert_eq!(lines.join(" "), expected, "{sent}");
        }
    }

    #[test]
    fn the_tag_of_a_304_is_the_one_that_the_client_has() {
        for (tag, known, expected) in [
            (r#""a""#, r#""a-br", "b""#, r#""a-br""#),
            (r#""a""#, r#"W/"a-br""#, r#""a-br""#),
            (r#""a""#, r#""a-br", "a""#, r#""a""#),
            (r#""a""#, "*", r#""a""#),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ETAG, HeaderValue::from_static(tag));
            tag_as_known(&mut headers, Some(&HeaderValue::from_static(known)));
            assert_eq!(headers.get(ETAG).unwrap(), expected, "{known}");
        }
    }

    #[test]
    fn a_text_depends_on_what_is_accepted_however_long_it_is() {
        let answer = |media_type: &'static str, length: usize| {
            let mut request = TestRequest::default()
                .insert_header((ACCEPT_ENCODING, "br"))
                .to_srv_request();
            let wanted = Wanted::by(&mut request);
            let answer = HttpResponse::Ok()
                .insert_header((CONTENT_TYPE, media_type))
                .body("x".repeat(length));
            let answer = compress(wanted, request.into_response(answer));
            let has = |name| answer.headers().contains_key(name);
            (has(CONTENT_ENCODING), has(VARY))
        };
        assert_eq!(answer("application/json", 1024), (true, true));
        assert_eq!(answer("application/json", 1023), (false, true));
        assert_eq!(answer("application/json", 0), (false, true));
        assert_eq!(answer("image/png", 4000), (false, false));
    }

    #[test]
    fn texts_are_compressed_and_nothing_else() {
        for (media_type, expected) in [
            ("application/json", true),
            ("application/problem+json", true),
            ("application/vnd.pgrst.object+json; charset=utf-8", true),
            ("text/csv; charset=utf-8", true),
            ("text/html", true),
            ("image/svg+xml", true),
            ("text/event-stream", false),
            ("image/png", false),
            ("application/octet-stream", false),
            ("font/woff2", false),
        ] {
            assert_eq!(
                is_text(&media_type.parse().unwrap()),
                expected,
                "{media_type}"
            );
        }
    }
}
