//! Headers of a received message: names and raw values, in their order.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A header as it came: its name in any case, its value as bytes.
pub type Header = (String, Vec<u8>);

/// A header's name (a token, RFC 9110 section 5.1), at most 100 characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, max_length = 100)]
pub struct HeaderName(Cow<'static, str>);

impl HeaderName {
    /// A name that is known to be one.
    pub(super) const fn of(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// The name, in the case in which it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for HeaderName {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if (1..=100).contains(&name.len()) && name.bytes().all(token) {
            Ok(Self(name.into()))
        } else {
            Err("must be a header's name of at most 100 characters")
        }
    }
}

/// A header stands there more than once where it may only once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeated;

/// The value of a header that may be there once; an empty one counts as missing.
///
/// # Errors
/// It is there more than once.
pub fn single<'a>(headers: &'a [Header], name: &str) -> Result<Option<&'a [u8]>, Repeated> {
    let mut values = headers
        .iter()
        .filter(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_slice());
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(Repeated),
        (value, None) => Ok(value.filter(|value| !value.is_empty())),
    }
}

/// Headers whose value lets its holder in somewhere. Signatures are not among them: they
/// are worth nothing for another message, and a consumer may want to check them again.
const CREDENTIALS: [&str; 22] = [
    "api-key",
    "apikey",
    "authorization",
    "cookie",
    "ocp-apim-subscription-key",
    "proxy-authorization",
    "set-cookie",
    "x-access-token",
    "x-amz-security-token",
    "x-api-key",
    "x-api-token",
    "x-auth-key",
    "x-auth-token",
    "x-csrf-token",
    "x-gitlab-token",
    "x-goog-channel-token",
    "x-hook-secret",
    "x-secret",
    "x-telegram-bot-api-secret-token",
    "x-vault-token",
    "x-webhook-secret",
    "x-webhook-token",
];

/// Puts `***` in the place of credentials. Order, repetitions and names stay.
///
/// ```
/// use tidegate_domain::webhook::header::hide_credentials;
///
/// let headers = vec![("X-Api-Key".to_owned(), b"secret".to_vec())];
/// assert_eq!(hide_credentials(headers)[0].1, b"***");
/// ```
pub fn hide_credentials(mut headers: Vec<Header>) -> Vec<Header> {
    for (name, value) in &mut headers {
        if CREDENTIALS
            .iter()
            .any(|hidden| name.eq_ignore_ascii_case(hidden))
        {
            *value = b"***".to_vec();
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    fn headers(all: &[(&str, &str)]) -> Vec<Header> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
        all.iter().map(owned).collect()
    }

    #[test]
    fn credentials_are_hidden_and_all_else_stays() {
        let stored = hide_credentials(headers(&[
            ("Accept", "*/*"),
            ("AUTHORIZATION", "Bearer x"),
            ("cookie", "a=1"),
            ("Cookie", "b=2"),
            ("X-Hub-Signature-256", "sha256=00"),
            ("accept", "text/plain"),
            ("x-authorization-note", "kept"),
        ]));
        let expected = headers(&[
            ("Accept", "*/*"),
            ("AUTHORIZATION", "***"),
            ("cookie", "***"),
            ("Cookie", "***"),
            ("X-Hub-Signature-256", "sha256=00"),
            ("accept", "text/plain"),
            ("x-authorization-note", "kept"),
        ]);
        assert_eq!(stored, expected);
    }

    #[test]
    fn a_single_header_is_found_in_any_case() {
        let all = headers(&[("A", "1"), ("b", ""), ("C", "1"), ("c", "")]);
        assert_eq!(single(&all, "a"), Ok(Some(&b"1"[..])));
        assert_eq!(single(&all, "B"), Ok(None));
        assert_eq!(single(&all, "x"), Ok(None));
        assert_eq!(single(&all, "c"), Err(Repeated));
    }

    #[test]
    fn names_are_tokens() {
        assert!(from_value::<HeaderName>(json!("X-Signature_1")).is_ok());
        for bad in ["", "X Signature", "X:", "Ä", "a\r\nb", &"x".repeat(101)] {
            assert!(from_value::<HeaderName>(json!(bad)).is_err(), "{bad:?}");
        }
        assert_eq!(json!(HeaderName::of("X-A")), json!("X-A"));
    }
}
