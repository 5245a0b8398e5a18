//! `X-Request-Id`: the client's where it is fit for a log line, else a new one.

use std::sync::Arc;

use actix_web::http::header::{HeaderMap, HeaderName};
use tidegate_domain::system::Randomness;

/// The header's name.
pub static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request: 1 to 128 visible ASCII characters of the client's, or a new UUID.
pub fn request_id(headers: &HeaderMap, randomness: &dyn Randomness) -> Arc<str> {
    let sent = headers.get(&REQUEST_ID).and_then(|id| id.to_str().ok());
    match sent {
        Some(id) if (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()) => {
            id.into()
        }
        _ => randomness.uuid().into(),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use tidegate_domain::system::MockRandomness;

    use super::*;

    #[test]
    fn only_a_short_visible_id_is_taken() {
        let mut randomness = MockRandomness::new();
        randomness.expect_uuid().returning(|| "new".to_owned());
        let id = |value: Option<&[u8]>| {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(REQUEST_ID.clone(), HeaderValue::from_bytes(value).unwrap());
            }
            request_id(&headers, &randomness)
        };
        assert_eq!(&*id(Some(b"abc-1/\"")), "abc-1/\"");
        let longest = "x".repeat(128);
        assert_eq!(*id(Some(longest.as_bytes())), *longest);
        assert_eq!(&*id(None), "new");
        for bad in [
            &b""[..],
            b"a b",
            b"a\tb",
            "\u{e9}".as_bytes(),
            "x".repeat(129).as_bytes(),
        ] {
            assert_eq!(&*id(Some(bad)), "new");
        }
    }
}
