//! Signatures of received messages: how providers sign, as data, and the port that verifies.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::header::{Header, HeaderName};
use crate::secret::Secret;

/// How a message is signed. Written `"stripe"`, or `{"hmac": {...}}` for one made of data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// `Stripe-Signature: t=…,v1=…`: HMAC-SHA256 in hexadecimal over `{t}.{body}`; several
    /// `v1` while a secret is rolled, other versions are ignored
    /// (docs.stripe.com/webhooks#verify-manually).
    Stripe,
    /// `X-Twilio-Signature`: HMAC-SHA1 in Base64 over the URL and the sorted fields of the
    /// form, or over a URL that holds the body's digest as `bodySHA256`
    /// (twilio.com/docs/usage/security#validating-requests).
    Twilio,
    /// `webhook-signature: v1,… v1,…`: HMAC-SHA256 in Base64 over `{id}.{timestamp}.{body}`,
    /// secrets in Base64 after `whsec_` (standardwebhooks.com, version 1.0.0). The same with
    /// `svix-` in the headers' names is understood as well (docs.svix.com).
    StandardWebhooks,
    /// A header that holds an HMAC over the body, perhaps after a timestamp.
    Hmac(HmacScheme),
}

/// An HMAC in a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"header": "X-Slack-Signature", "algorithm": "sha256", "encoding": "hex", "prefix": "v0=",
    "timestamp": {"header": "X-Slack-Request-Timestamp", "tolerance": 300, "signed": "v0:{timestamp}:{body}"}}))]
pub struct HmacScheme {
    /// The header that holds the signature.
    pub header: HeaderName,
    /// The hash function.
    pub algorithm: Algorithm,
    /// How the signature is written.
    pub encoding: Encoding,
    /// What stands before it, such as `sha256=`.
    #[serde(default)]
    pub prefix: Prefix,
    /// The time of sending, if it is signed too. Without, the body alone is signed: a
    /// timestamp that anybody may alter proves nothing.
    pub timestamp: Option<Timestamp>,
}

/// A hash function for HMAC (RFC 2104).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// SHA-1, still sound in HMAC (RFC 6194 section 3.3).
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Hexadecimal digits in either case.
    Hex,
    /// Base64 with padding (RFC 4648 section 4).
    Base64,
}

/// What stands before a signature: up to 50 visible ASCII characters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, max_length = 50)]
pub struct Prefix(Cow<'static, str>);

/// A timestamp that is part of what is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Timestamp {
    /// The header that holds the seconds since 1970.
    pub header: HeaderName,
    /// How far it may be from the present time.
    #[serde(default)]
    pub tolerance: Tolerance,
    /// What is signed.
    pub signed: Layout,
}

/// How far a timestamp may lie in the past or in the future: 1 to 86400 seconds, else 300.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "u32")]
#[schema(value_type = u32, minimum = 1, maximum = 86400, default = 300)]
pub struct Tolerance(u32);

/// What is signed of a message with a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Layout {
    /// `{timestamp}{body}`
    #[serde(rename = "{timestamp}{body}")]
    Plain,
    /// `{timestamp}.{body}`
    #[serde(rename = "{timestamp}.{body}")]
    Dot,
    /// `{timestamp}:{body}`
    #[serde(rename = "{timestamp}:{body}")]
    Colon,
    /// `v0:{timestamp}:{body}`, as Slack and Zoom do.
    #[serde(rename = "v0:{timestamp}:{body}")]
    V0,
}

impl Scheme {
    /// Whether a secret can be one of this scheme; for when it is stored.
    ///
    /// # Errors
    /// It is empty (anybody could sign), or is not the Base64 that Standard Webhooks wants.
    pub fn check_secret(&self, secret: &Secret) -> Result<(), &'static str> {
        let text = secret.reveal();
        if text.is_empty() {
            return Err("must not be empty");
        }
        if *self == Scheme::StandardWebhooks {
            let digits = text.strip_prefix("whsec_").unwrap_or(text);
            let digits = digits.trim_end_matches('=');
            let base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/".contains(&byte);
            if digits.len() < 2 || digits.len() % 4 == 1 || !digits.bytes().all(base64) {
                return Err("must be Base64, with or without `whsec_` before it");
            }
        }
        Ok(())
    }
}

impl Prefix {
    /// A prefix that is known to be one.
    pub(super) const fn of(prefix: &'static str) -> Self {
        Self(Cow::Borrowed(prefix))
    }

    /// The text, perhaps empty.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Prefix {
    type Error = &'static str;

    fn try_from(prefix: String) -> Result<Self, Self::Error> {
        if prefix.len() <= 50 && prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(prefix.into()))
        } else {
            Err("must be up to 50 visible ASCII characters")
        }
    }
}

impl Tolerance {
    /// Five minutes, which Stripe, Slack and Standard Webhooks recommend.
    pub const DEFAULT: Self = Self(300);

    /// The seconds.
    pub fn seconds(self) -> u32 {
        self.0
    }
}

impl Default for Tolerance {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl TryFrom<u32> for Tolerance {
    type Error = &'static str;

    fn try_from(seconds: u32) -> Result<Self, Self::Error> {
        if (1..=86_400).contains(&seconds) {
            Ok(Self(seconds))
        } else {
            Err("must be 1 to 86400 seconds")
        }
    }
}

impl Layout {
    /// What is signed before the timestamp and between it and the body.
    pub fn around(self) -> (&'static str, &'static str) {
        match self {
            Layout::Plain => ("", ""),
            Layout::Dot => ("", "."),
            Layout::Colon => ("", ":"),
            Layout::V0 => ("v0:", ":"),
        }
    }
}

/// What a signature is verified over, exactly as it was received.
#[derive(Clone, Copy)]
pub struct SignedRequest<'a> {
    /// The whole URL as the sender called it, with its query.
    pub url: &'a str,
    /// All headers.
    pub headers: &'a [Header],
    /// The body after the transfer coding and before anything else: not inflated, not
    /// parsed, nothing cut off.
    pub body: &'a [u8],
}

/// What became of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is right, and fresh where the scheme has a timestamp.
    Verified,
    /// A header that the scheme needs is not there, or is empty.
    Missing,
    /// It was not made with any of the secrets over this message.
    Wrong,
    /// It is right, but its timestamp is too old or lies in the future.
    Expired,
    /// It is not what the scheme writes, or stands there more than once.
    Malformed,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Verdict; 5] = [
        Verdict::Verified,
        Verdict::Missing,
        Verdict::Wrong,
        Verdict::Expired,
        Verdict::Malformed,
    ];

    /// The name, as it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Verified => "verified",
            Verdict::Missing => "missing",
            Verdict::Wrong => "wrong",
            Verdict::Expired => "expired",
            Verdict::Malformed => "malformed",
        }
    }

    /// The one with this name.
    pub fn from_name(name: &str) -> Option<Verdict> {
        Verdict::ALL.into_iter().find(|it| it.name() == name)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Verifies signatures.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
pub trait SignatureVerifier: Send + Sync {
    /// Whether one of the secrets signed this request. An adapter compares in constant time
    /// and tries every secret; an empty one, or none at all, never verifies.
    fn verify<'a>(
        &self,
        scheme: &Scheme,
        secrets: &[Secret],
        request: &SignedRequest<'a>,
        now: DateTime<Utc>,
    ) -> Verdict;
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    #[test]
    fn a_scheme_is_read_from_data_and_written_alike() {
        let slack = json!({"hmac": {"header": "X-Slack-Signature", "algorithm": "sha256", "encoding": "hex",
            "prefix": "v0=", "timestamp": {"header": "X-Slack-Request-Timestamp", "tolerance": 60,
            "signed": "v0:{timestamp}:{body}"}}});
        let scheme: Scheme = from_value(slack.clone()).unwrap();
        assert_eq!(json!(scheme), slack);
        for name in ["stripe", "twilio", "standard_webhooks"] {
            let scheme: Scheme = from_value(json!(name)).unwrap();
            assert_eq!(json!(scheme), json!(name));
        }
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let least = json!({"header": "X-Signature", "algorithm": "sha1", "encoding": "base64"});
        let scheme: HmacScheme = from_value(least).unwrap();
        assert_eq!((scheme.prefix.as_str(), scheme.timestamp), ("", None));
        let stamp: Timestamp =
            from_value(json!({"header": "X-Time", "signed": "{timestamp}.{body}"})).unwrap();
        assert_eq!(stamp.tolerance.seconds(), 300);
    }

    #[test]
    fn other_data_is_refused() {
        let good = json!({"header": "X-S", "algorithm": "sha256", "encoding": "hex",
            "timestamp": {"header": "X-T", "signed": "{timestamp}.{body}"}});
        assert!(from_value::<HmacScheme>(good.clone()).is_ok());
        for (pointer, value) in [
            ("/header", json!("X S")),
            ("/algorithm", json!("md5")),
            ("/encoding", json!("base32")),
            ("/prefix", json!("a b")),
            ("/timestamp/tolerance", json!(0)),
            ("/timestamp/tolerance", json!(86_401)),
            ("/timestamp/signed", json!("{body}")),
            ("/timestamp/more", json!(1)),
            ("/more", json!(1)),
        ] {
            let mut bad = good.clone();
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            let members: &mut Value = bad.pointer_mut(parent).unwrap();
            members[name] = value;
            assert!(from_value::<HmacScheme>(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn secrets_must_fit_the_scheme() {
        let check = |scheme: &Scheme, text: &str| scheme.check_secret(&Secret::new(text)).is_ok();
        assert!(check(&Scheme::Stripe, "whsec_x!") && !check(&Scheme::Stripe, ""));
        for good in ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "AAAA", "AA=="] {
            assert!(check(&Scheme::StandardWebhooks, good), "{good}");
        }
        for bad in ["", "whsec_", "whsec_=", "whsec_AAAAA", "AA-_", "whpk_AAAA"] {
            assert!(!check(&Scheme::StandardWebhooks, bad), "{bad}");
        }
    }

    #[test]
    fn verdicts_have_their_stored_names() {
        for verdict in Verdict::ALL {
            assert_eq!(json!(verdict), json!(verdict.name()));
            assert_eq!(Verdict::from_name(verdict.name()), Some(verdict));
        }
        assert_eq!(Verdict::from_name("other"), None);
    }
}
