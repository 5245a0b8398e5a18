//! Providers as data: how each signs, and where it writes the id of a delivery.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::form;
use super::header::{self, Header, HeaderName};
use super::pointer;
use super::signature::{Algorithm, Encoding, HmacScheme, Layout, Prefix};
use super::signature::{Scheme, Timestamp, Tolerance};

/// Who sends to a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Stripe.
    Stripe,
    /// GitHub.
    Github,
    /// Twilio.
    Twilio,
    /// Slack.
    Slack,
    /// Shopify.
    Shopify,
    /// Whoever follows standardwebhooks.com, or sends by way of Svix.
    StandardWebhooks,
    /// ActiveCampaign, which documents neither signatures nor delivery ids.
    #[serde(rename = "activecampaign")]
    ActiveCampaign,
    /// Anybody else; scheme and place of the id are the webhook's own settings, if any.
    Generic,
}

/// Where in a message a text is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", try_from = "Unchecked")]
#[schema(example = json!({"pointer": "/event/id"}))]
pub enum Place {
    /// The value of a header.
    Header(HeaderName),
    /// A text or a number in a JSON body, by JSON pointer (RFC 6901).
    #[schema(value_type = String)]
    Pointer(Cow<'static, str>),
    /// A field of a form in the body.
    #[schema(value_type = String)]
    Field(Cow<'static, str>),
}

/// A [`Place`] as a client writes it.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Unchecked {
    Header(HeaderName),
    Pointer(String),
    Field(String),
}

/// What identifies a delivery among those of one webhook, so that a second one can be told.
///
/// Compare it by code point. It comes from the sender and most providers do not sign it, so
/// a message that is not verified must never stand in the way of one that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryId {
    /// Up to [`DeliveryId::MAX`] characters, to be stored as they are.
    Plain(String),
    /// A longer text. Store a digest of it.
    Long(String),
}

impl DeliveryId {
    /// The greatest length of an id that is stored as it is, in characters.
    pub const MAX: usize = 255;

    fn new(text: String) -> Option<Self> {
        if text.is_empty() || text.chars().any(char::is_control) {
            None
        } else if text.chars().nth(Self::MAX).is_some() {
            Some(Self::Long(text))
        } else {
            Some(Self::Plain(text))
        }
    }
}

/// Texts that make an id together.
type Rule = &'static [Place];

const fn in_header(name: &'static str) -> Place {
    Place::Header(HeaderName::of(name))
}

const fn in_body(pointer: &'static str) -> Place {
    Place::Pointer(Cow::Borrowed(pointer))
}

const fn in_form(field: &'static str) -> Place {
    Place::Field(Cow::Borrowed(field))
}

impl Provider {
    /// All of them.
    pub const ALL: [Provider; 8] = [
        Provider::Stripe,
        Provider::Github,
        Provider::Twilio,
        Provider::Slack,
        Provider::Shopify,
        Provider::StandardWebhooks,
        Provider::ActiveCampaign,
        Provider::Generic,
    ];

    /// The name, as it is written and stored.
    pub fn name(self) -> &'static str {
        match self {
            Provider::Stripe => "stripe",
            Provider::Github => "github",
            Provider::Twilio => "twilio",
            Provider::Slack => "slack",
            Provider::Shopify => "shopify",
            Provider::StandardWebhooks => "standard_webhooks",
            Provider::ActiveCampaign => "activecampaign",
            Provider::Generic => "generic",
        }
    }

    /// The one with this name.
    pub fn from_name(name: &str) -> Option<Provider> {
        Provider::ALL.into_iter().find(|it| it.name() == name)
    }

    /// How it signs; `None` where that is the webhook's own setting, if it signs at all.
    pub fn scheme(self) -> Option<Scheme> {
        let hmac = |header, encoding, prefix, timestamp| {
            Scheme::Hmac(HmacScheme {
                header: HeaderName::of(header),
                algorithm: Algorithm::Sha256,
                encoding,
                prefix: Prefix::of(prefix),
                timestamp,
            })
        };
        Some(match self {
            Provider::Stripe => Scheme::Stripe,
            Provider::Twilio => Scheme::Twilio,
            Provider::StandardWebhooks => Scheme::StandardWebhooks,
            // docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
            Provider::Github => hmac("X-Hub-Signature-256", Encoding::Hex, "sha256=", None),
            // shopify.dev/docs/apps/build/webhooks/verify-deliveries
            Provider::Shopify => hmac("X-Shopify-Hmac-SHA256", Encoding::Base64, "", None),
            // docs.slack.dev/authentication/verifying-requests-from-slack
            Provider::Slack => hmac(
                "X-Slack-Signature",
                Encoding::Hex,
                "v0=",
                Some(Timestamp {
                    header: HeaderName::of("X-Slack-Request-Timestamp"),
                    tolerance: Tolerance::DEFAULT,
                    signed: Layout::V0,
                }),
            ),
            Provider::ActiveCampaign | Provider::Generic => return None,
        })
    }

    /// Where its ids are, best first. Of the first rule of which every place holds a text,
    /// these texts make the id.
    fn rules(self) -> &'static [Rule] {
        const STRIPE: &[Rule] = &[&[in_body("/id")]];
        const GITHUB: &[Rule] = &[&[in_header("X-GitHub-Delivery")]];
        // The header is the same in all attempts (twilio.com/docs/usage/webhooks/webhooks-
        // connection-overrides). Without it a message is known by its status; a call only
        // by the number of the callback, since it asks for instructions many times in the
        // same status.
        const TWILIO: &[Rule] = &[
            &[in_header("I-Twilio-Idempotency-Token")],
            &[in_form("MessageSid"), in_form("MessageStatus")],
            &[in_form("MessageSid"), in_form("SmsStatus")],
            &[
                in_form("CallSid"),
                in_form("CallStatus"),
                in_form("SequenceNumber"),
            ],
        ];
        const SLACK: &[Rule] = &[&[in_body("/event_id")]];
        // One event of a shop goes out under several topics, so that its own id needs the
        // topic beside it; the webhook's id is the delivery's already.
        const SHOPIFY: &[Rule] = &[
            &[in_header("X-Shopify-Webhook-Id")],
            &[
                in_header("X-Shopify-Event-Id"),
                in_header("X-Shopify-Topic"),
            ],
        ];
        const STANDARD: &[Rule] = &[&[in_header("webhook-id")], &[in_header("svix-id")]];
        match self {
            Provider::Stripe => STRIPE,
            Provider::Github => GITHUB,
            Provider::Twilio => TWILIO,
            Provider::Slack => SLACK,
            Provider::Shopify => SHOPIFY,
            Provider::StandardWebhooks => STANDARD,
            Provider::ActiveCampaign | Provider::Generic => &[],
        }
    }

    /// The id of a delivery, where the provider writes one. See [`Place::delivery_id`] for
    /// a place of the webhook's own.
    pub fn delivery_id(self, headers: &[Header], body: &[u8]) -> Option<DeliveryId> {
        self.rules().iter().find_map(|rule| {
            let parts = rule.iter().map(|place| place.read(headers, body));
            let parts: Vec<String> = parts.collect::<Option<_>>()?;
            DeliveryId::new(parts.join(":"))
        })
    }
}

impl Place {
    /// The longest JSON pointer: its length and its depth.
    const POINTER: (usize, usize) = (200, 16);

    /// What stands there, as the id of a delivery.
    pub fn delivery_id(&self, headers: &[Header], body: &[u8]) -> Option<DeliveryId> {
        self.read(headers, body).and_then(DeliveryId::new)
    }

    fn read(&self, headers: &[Header], body: &[u8]) -> Option<String> {
        let text = match self {
            Place::Header(name) => {
                let value = header::single(headers, name.as_str()).ok()??;
                String::from_utf8(value.to_vec()).ok()?
            }
            Place::Pointer(pointer) => pointer::scalar(pointer, body)?,
            Place::Field(name) => form::single(body, name)?,
        };
        Some(text).filter(|text| !text.is_empty())
    }
}

impl TryFrom<Unchecked> for Place {
    type Error = &'static str;

    fn try_from(place: Unchecked) -> Result<Self, Self::Error> {
        let (length, depth) = Self::POINTER;
        match place {
            Unchecked::Header(name) => Ok(Self::Header(name)),
            Unchecked::Pointer(pointer)
                if pointer.starts_with('/')
                    && pointer.len() <= length
                    && pointer.split('/').count() <= depth + 1 =>
            {
                Ok(Self::Pointer(pointer.into()))
            }
            Unchecked::Pointer(_) => Err("must be a JSON pointer such as `/event/id`, \
                at most 200 characters and 16 levels"),
            Unchecked::Field(name) if (1..=100).contains(&name.len()) => {
                Ok(Self::Field(name.into()))
            }
            Unchecked::Field(_) => Err("must be a field's name of at most 100 characters"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{from_value, json};

    use super::*;

    fn headers(all: &[(&str, &str)]) -> Vec<Header> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
        all.iter().map(owned).collect()
    }

    fn plain(text: &str) -> Option<DeliveryId> {
        Some(DeliveryId::Plain(text.to_owned()))
    }

    fn place(value: serde_json::Value) -> Place {
        from_value(value).unwrap()
    }

    #[test]
    fn each_provider_has_its_place() {
        type Case<'a> = (Provider, &'a [(&'a str, &'a str)], &'a str, Option<&'a str>);
        let cases: &[Case<'_>] = &[
            (
                Provider::Stripe,
                &[],
                r#"{"data": {"id": "cus_1"}, "id": "evt_1"}"#,
                Some("evt_1"),
            ),
            (
                Provider::Github,
                &[("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")],
                "",
                Some("72d3162e-cc78-11e3-81ab-4c9367dc0958"),
            ),
            (
                Provider::Twilio,
                &[("I-Twilio-Idempotency-Token", "a-b")],
                "MessageSid=SM1&MessageStatus=sent",
                Some("a-b"),
            ),
            (
                Provider::Twilio,
                &[],
                "MessageStatus=sent&SmsStatus=sent&MessageSid=SM1",
                Some("SM1:sent"),
            ),
            (
                Provider::Twilio,
                &[],
                "MessageSid=SM1&SmsStatus=received",
                Some("SM1:received"),
            ),
            (
                Provider::Twilio,
                &[],
                "CallSid=CA1&CallStatus=ringing&SequenceNumber=0",
                Some("CA1:ringing:0"),
            ),
            (
                Provider::Twilio,
                &[],
                "CallSid=CA1&CallStatus=in-progress&Digits=1",
                None,
            ),
            (
                Provider::Slack,
                &[],
                r#"{"event": {}, "event_id": "Ev9UQ52YNA"}"#,
                Some("Ev9UQ52YNA"),
            ),
            (
                Provider::Shopify,
                &[
                    ("X-Shopify-Event-Id", "e"),
                    ("X-Shopify-Topic", "orders/create"),
                    ("X-Shopify-Webhook-Id", "w"),
                ],
                "",
                Some("w"),
            ),
            (
                Provider::Shopify,
                &[
                    ("X-Shopify-Event-Id", "e"),
                    ("X-Shopify-Topic", "orders/create"),
                ],
                "",
                Some("e:orders/create"),
            ),
            (
                Provider::StandardWebhooks,
                &[("webhook-id", "msg_1")],
                "",
                Some("msg_1"),
            ),
            (
                Provider::StandardWebhooks,
                &[("svix-id", "msg_2")],
                "",
                Some("msg_2"),
            ),
            (Provider::ActiveCampaign, &[], "type=subscribe&id=1", None),
            (Provider::Generic, &[], r#"{"id": 1}"#, None),
        ];
        for (provider, all, body, id) in cases {
            assert_eq!(
                provider.delivery_id(&headers(all), body.as_bytes()),
                id.and_then(plain),
                "{provider:?} {all:?} {body}"
            );
        }
    }

    #[test]
    fn names_are_stored_and_read_alike() {
        for provider in Provider::ALL {
            assert_eq!(json!(provider), json!(provider.name()));
            assert_eq!(Provider::from_name(provider.name()), Some(provider));
            for place in provider.rules().iter().copied().flatten() {
                assert_eq!(&from_value::<Place>(json!(place)).unwrap(), place);
            }
        }
        assert_eq!(Provider::from_name("Stripe"), None);
    }

    #[test]
    fn only_sensible_places_are_taken() {
        for bad in [
            json!({"header": "a b"}),
            json!({"pointer": "id"}),
            json!({"pointer": ""}),
            json!({"pointer": "/x".repeat(17)}),
            json!({"pointer": format!("/{}", "x".repeat(200))}),
            json!({"field": ""}),
            json!({"field": "x".repeat(101)}),
            json!({"cookie": "x"}),
            json!("id"),
        ] {
            assert!(from_value::<Place>(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn long_and_doubtful_ids_are_told_apart() {
        let id = |text: &str| {
            Provider::Github.delivery_id(&headers(&[("X-GitHub-Delivery", text)]), b"")
        };
        let (most, more) = ("ä".repeat(255), "ä".repeat(256));
        assert_eq!(id(&most), plain(&most));
        assert_eq!(id(&more), Some(DeliveryId::Long(more)));
        assert_eq!(id("a\nb"), None);
        let twice = headers(&[("X-GitHub-Delivery", "1"), ("x-github-delivery", "2")]);
        assert_eq!(Provider::Github.delivery_id(&twice, b""), None);
    }

    #[test]
    fn a_large_or_deep_body_is_no_trouble() {
        let mut large = br#"{"list": ["#.to_vec();
        large.extend(b"{\"id\": [1, 2.5e7, \"x\"]},".repeat(40_000));
        large.extend(br#"0], "id": "evt"}"#);
        assert_eq!(Provider::Stripe.delivery_id(&[], &large), plain("evt"));
        for deep in ["[".repeat(1_000_000), r#"{"id":"#.repeat(1_000_000)] {
            assert_eq!(Provider::Stripe.delivery_id(&[], deep.as_bytes()), None);
            let place = place(json!({"pointer": "/id".repeat(16)}));
            assert_eq!(place.delivery_id(&[], deep.as_bytes()), None);
        }
        let form = vec![b'&'; 1_000_000];
        assert_eq!(Provider::Twilio.delivery_id(&[], &form), None);
    }

    proptest! {
        #[test]
        fn no_message_panics(
            all in proptest::collection::vec(("[a-zA-Z-]{0,12}", any::<Vec<u8>>()), 0..4),
            body in any::<Vec<u8>>(),
        ) {
            for provider in Provider::ALL {
                let _ = provider.delivery_id(&all, &body);
            }
        }

        #[test]
        fn no_likely_form_panics(body in "[&=%+A-Fa-f0-9]{0,60}", name in "[A-Fa-f0-9]{0,2}") {
            let _ = Place::Field(name.into()).delivery_id(&[], body.as_bytes());
        }
    }
}
