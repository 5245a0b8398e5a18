//! `X-Request-Id`: the client's where it is fit for a log line, else a new one.

use actix_web::http::header::{HeaderMap, HeaderName};
use tidegate_domain::system::Randomness;

/// The header's name.
pub static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request: 1 to 128 visible ASCII characters of the client's, or a new UUID.
pub fn request_id(headers: &HeaderMap, randomness: &dyn Randomness) -> String {
    match headers.get(&REQUEST_ID).map(|value| value.as_bytes()) {
        Some(id) if (1..=128).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic) => {
            id.iter().copied().map(char::from).collect()
        }
        _ => uuid(&randomness.alphanumeric(24)),
    }
}

/// A random UUID (version 4, RFC 9562) from letters and digits. 24 of them hold over 142
/// bits, of which the lowest 128 are as good as evenly drawn.
fn uuid(drawn: &str) -> String {
    let bits = drawn.bytes().fold(0_u128, |bits, byte| {
        let digit = char::from(byte).to_digit(36).unwrap_or_default();
        let digit = if byte.is_ascii_uppercase() {
            digit + 26
        } else {
            digit
        };
        bits.wrapping_mul(62).wrapping_add(u128::from(digit))
    });
    let bits = bits & !(0xf << 76) | (0x4 << 76);
    let bits = bits & !(0x3 << 62) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use tidegate_domain::system::MockRandomness;

    use super::*;

    #[test]
    fn only_a_short_visible_id_is_taken() {
        let mut randomness = MockRandomness::new();
        randomness
            .expect_alphanumeric()
            .returning(|length| "Zq7".repeat(length / 3));
        let id = |value: Option<&[u8]>| {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(REQUEST_ID.clone(), HeaderValue::from_bytes(value).unwrap());
            }
            request_id(&headers, &randomness)
        };
        assert_eq!(id(Some(b"abc-1/\"")), "abc-1/\"");
        let longest = "x".repeat(128);
        assert_eq!(id(Some(longest.as_bytes())), longest);
        let new = id(None);
        assert_eq!((new.len(), &new[14..15]), (36, "4"));
        assert!("89ab".contains(&new[19..20]));
        for bad in [
            &b""[..],
            b"a b",
            b"a\tb",
            "\u{e9}".as_bytes(),
            "x".repeat(129).as_bytes(),
        ] {
            assert_eq!(id(Some(bad)), new);
        }
    }

    #[test]
    fn every_letter_counts() {
        let letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let ids: std::collections::HashSet<_> = letters
            .chars()
            .map(|c| uuid(&format!("00000000000000000000000{c}")))
            .collect();
        assert_eq!(ids.len(), 62);
    }
}
