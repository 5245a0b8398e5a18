//! Reads the `Authorization` header. Tokens and keys in the query string are not looked
//! for: they would end up in logs and histories.

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use tidegate_domain::account::UserId;
use tidegate_domain::secret::Secret;

/// What a request presents.
#[derive(Debug, PartialEq, Eq)]
pub enum Credentials<'a> {
    /// Nothing.
    None,
    /// Something that is not understood, or more than one header.
    Malformed,
    /// An access token.
    Bearer(&'a str),
    /// HTTP Basic with an id: an API key.
    ApiKey {
        /// The id.
        id: UserId,
        /// The key.
        key: Secret,
        /// The id as sent.
        sent: String,
    },
    /// HTTP Basic with a user name or e-mail address.
    Password {
        /// The name.
        name: String,
        /// The password.
        password: Secret,
    },
}

impl<'a> Credentials<'a> {
    /// Whether a password is among them.
    pub fn is_password(&self) -> bool {
        matches!(self, Self::Password { .. })
    }

    /// The credentials in `headers`.
    pub fn of(headers: &'a HeaderMap) -> Self {
        let mut values = headers.get_all(AUTHORIZATION);
        let Some(value) = values.next() else {
            return Self::None;
        };
        if values.next().is_some() {
            return Self::Malformed;
        }
        let Some((scheme, rest)) = value
            .to_str()
            .ok()
            .and_then(|text| text.trim().split_once(' '))
        else {
            return Self::Malformed;
        };
        let rest = rest.trim_start();
        if scheme.eq_ignore_ascii_case("bearer") {
            if is_token(rest) {
                Self::Bearer(rest)
            } else {
                Self::Malformed
            }
        } else if scheme.eq_ignore_ascii_case("basic") {
            basic(rest).unwrap_or(Self::Malformed)
        } else {
            Self::Malformed
        }
    }
}

/// The characters of RFC 6750 section 2.1.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(
            |b| matches!(b, b'A'..=b'Z' | b'a'..=b'z' | b'-'..=b'9' | b'_' | b'~' | b'+' | b'='),
        )
}

fn basic(encoded: &str) -> Option<Credentials<'static>> {
    let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
    let (name, secret) = decoded.split_once(':')?;
    let secret = Secret::new(secret);
    if name.is_empty() {
        None
    } else if name.bytes().all(|b| b.is_ascii_digit()) {
        // An id beyond the range belongs to nobody, like 0.
        let id = UserId(name.parse().unwrap_or(0));
        Some(Credentials::ApiKey {
            id,
            key: secret,
            sent: name.to_owned(),
        })
    } else {
        Some(Credentials::Password {
            name: name.to_owned(),
            password: secret,
        })
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn basic_header(text: &str) -> HeaderMap {
        headers(&[&format!("basic {}", BASE64_STANDARD.encode(text))])
    }

    #[test]
    fn a_basic_name_of_digits_is_an_id_and_no_other() {
        let key = Secret::new("k:e:y");
        assert_eq!(
            Credentials::of(&basic_header("12:k:e:y")),
            Credentials::ApiKey {
                id: UserId(12),
                key: key.clone(),
                sent: "12".into()
            }
        );
        for name in [
            "12abc",
            "-12",
            "+12",
            " 12",
            "1.2",
            "ann",
            "ann@example.org",
        ] {
            assert_eq!(
                Credentials::of(&basic_header(&format!("{name}:k:e:y"))),
                Credentials::Password {
                    name: name.into(),
                    password: key.clone()
                }
            );
        }
        let huge = basic_header("99999999999999999999:x");
        assert!(matches!(
            Credentials::of(&huge),
            Credentials::ApiKey { id: UserId(0), .. }
        ));
    }

    #[test]
    fn what_is_not_understood_is_malformed() {
        for bad in [
            "Bearer",
            "Bearer ",
            "Bearer a b",
            "Bearer a\"b",
            "Basic",
            "Basic !!",
            "Basic YQ==",
            "Basic OmE=",
            "Basic /////w==",
            "Digest x",
            "a.b.c",
            "",
        ] {
            assert_eq!(
                Credentials::of(&headers(&[bad])),
                Credentials::Malformed,
                "{bad:?}"
            );
        }
        assert_eq!(
            Credentials::of(&headers(&["Bearer a", "Bearer b"])),
            Credentials::Malformed
        );
        assert_eq!(Credentials::of(&headers(&[])), Credentials::None);
        assert_eq!(
            Credentials::of(&headers(&["bEaReR a.b-c_d"])),
            Credentials::Bearer("a.b-c_d")
        );
    }
}
