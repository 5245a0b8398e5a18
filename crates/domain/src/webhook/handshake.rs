//! Answers to providers that ask, before they deliver, whether somebody is there.
//!
//! Each wants a text of its own back. The answer goes to anybody who asks, so it is plain
//! text of harmless characters, which no browser takes for a page. Answering says nothing
//! about keeping: a request that looks like a handshake may be a message as well.
//!
//! Left out are those who want an HMAC of a text they choose (`crc_token` of X,
//! `endpoint.url_validation` of Zoom). Their messages are signed with the same secret, so
//! whoever answers a stranger signs messages for him.

use serde::Deserialize;

use super::form;
use crate::secret::Secret;

/// The longest text that is given back, in characters.
const LONGEST: usize = 1000;

/// The longest body in which a question is looked for; messages are longer.
const LONGEST_BODY: usize = 8192;

/// What came in.
#[derive(Clone, Copy)]
pub struct HandshakeRequest<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The query of the URL as it was sent, without `?`.
    pub query: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// What goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandshakeReply {
    /// The status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// The other headers.
    pub headers: &'static [(&'static str, &'static str)],
    /// The body.
    pub body: String,
}

/// The question in Slack's body.
#[derive(Deserialize)]
struct UrlVerification {
    r#type: String,
    challenge: String,
}

/// The answer, if the request is the handshake of
///
/// - Slack: `{"type": "url_verification", "challenge": …}`
///   (docs.slack.dev/reference/events/url_verification),
/// - Microsoft Graph: `POST ?validationToken=…`
///   (learn.microsoft.com/graph/change-notifications-delivery-webhooks),
/// - Dropbox: `GET ?challenge=…` (dropbox.com/developers/reference/webhooks),
/// - Meta, WhatsApp and WebSub: `GET ?hub.mode=subscribe&hub.challenge=…&hub.verify_token=…`
///   with the token that the webhook's owner chose; without one it is never answered
///   (developers.facebook.com/docs/graph-api/webhooks/getting-started).
pub fn handshake(
    request: &HandshakeRequest<'_>,
    verify_token: Option<&Secret>,
) -> Option<HandshakeReply> {
    let parameter = |name| form::single(request.query.as_bytes(), name);
    let text = match request.method {
        "GET" => match parameter("hub.mode").as_deref() {
            Some("subscribe") => {
                let given = parameter("hub.verify_token")?;
                let expected = verify_token?.reveal();
                if expected.is_empty() || !same(given.as_bytes(), expected.as_bytes()) {
                    return None;
                }
                parameter("hub.challenge")
            }
            Some(_) => None,
            None => parameter("challenge"),
        },
        "POST" => parameter("validationToken").or_else(|| slack(request.body)),
        _ => None,
    }?;
    harmless(&text).then_some(HandshakeReply {
        status: 200,
        content_type: "text/plain",
        headers: &[
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-store"),
        ],
        body: text,
    })
}

fn slack(body: &[u8]) -> Option<String> {
    if body.len() > LONGEST_BODY {
        return None;
    }
    let question: UrlVerification = serde_json::from_slice(body).ok()?;
    (question.r#type == "url_verification").then_some(question.challenge)
}

/// Compares in a time that tells only the length.
fn same(one: &[u8], other: &[u8]) -> bool {
    let pairs = one.iter().zip(other);
    one.len() == other.len() && pairs.fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

/// Letters, digits and what Base64, identifiers and the sentences of Microsoft's tokens
/// need; nothing that means something in HTML or in a header.
fn harmless(text: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b" -._~:/+=,".contains(&byte);
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(fine)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(method: &str, query: &str, body: &str) -> Option<String> {
        let request = HandshakeRequest {
            method,
            query,
            body: body.as_bytes(),
        };
        let reply = handshake(&request, Some(&Secret::new("meatyhamhock")))?;
        assert_eq!((reply.status, reply.content_type), (200, "text/plain"));
        assert!(
            reply
                .headers
                .contains(&("X-Content-Type-Options", "nosniff"))
        );
        Some(reply.body)
    }

    #[test]
    fn each_provider_gets_its_text_back() {
        // Bodies and queries are those of the providers' pages.
        let slack = r#"{"token": "Jhj5dZrVaK7ZwHHjRyZWjbDl",
            "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P", "type": "url_verification"}"#;
        let meta = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=meatyhamhock";
        let graph = "validationToken=Validation%3A+Testing+client%20application+reachability";
        for (method, query, body, text) in [
            (
                "POST",
                "",
                slack,
                "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P",
            ),
            ("GET", meta, "", "1158201444"),
            (
                "POST",
                graph,
                "",
                "Validation: Testing client application reachability",
            ),
            ("GET", "challenge=abc123", "", "abc123"),
        ] {
            assert_eq!(
                answer(method, query, body).as_deref(),
                Some(text),
                "{query}"
            );
        }
    }

    #[test]
    fn other_requests_are_messages() {
        let slack = r#"{"type": "url_verification", "challenge": "x"}"#;
        let padded = format!("{slack}{}", " ".repeat(LONGEST_BODY));
        for (method, query, body) in [
            ("GET", "", slack),
            ("PUT", "challenge=x&validationToken=x", slack),
            ("POST", "challenge=x", ""),
            (
                "POST",
                "",
                r#"{"type": "event_callback", "challenge": "x"}"#,
            ),
            ("POST", "", r#"{"type": "url_verification"}"#),
            (
                "POST",
                "",
                r#"{"type": "url_verification", "challenge": 7}"#,
            ),
            ("POST", "", &padded),
            ("GET", "validationToken=x", ""),
            ("GET", "challenge=a&challenge=b", ""),
            ("GET", "challenge=", ""),
            (
                "GET",
                "hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=meatyhamhock",
                "",
            ),
            (
                "GET",
                "hub.mode=subscribe&hub.challenge=1&hub.verify_token=meatyhamhocK",
                "",
            ),
            (
                "GET",
                "hub.mode=subscribe&hub.challenge=1&hub.verify_token=",
                "",
            ),
            ("GET", "hub.mode=subscribe&hub.challenge=1&challenge=2", ""),
            (
                "GET",
                "hub.mode=subscribe&hub.verify_token=meatyhamhock",
                "",
            ),
        ] {
            assert_eq!(answer(method, query, body), None, "{method} {query} {body}");
        }
        let request = HandshakeRequest {
            method: "GET",
            query: "hub.mode=subscribe&hub.challenge=1&hub.verify_token=",
            body: b"",
        };
        assert_eq!(handshake(&request, None), None);
        assert_eq!(handshake(&request, Some(&Secret::new(""))), None);
    }

    #[test]
    fn nothing_harmful_is_given_back() {
        for bad in [
            "<b>",
            "a%0D%0AX: y",
            "%22",
            "'",
            "%26",
            "%00",
            "%FF",
            "%C3%A4",
            "%7F",
            "\\",
            "{}",
        ] {
            assert_eq!(
                answer("GET", &format!("challenge=x{bad}"), ""),
                None,
                "{bad}"
            );
        }
        assert!(answer("GET", &format!("challenge={}", "x".repeat(1000)), "").is_some());
        assert_eq!(
            answer("GET", &format!("challenge={}", "x".repeat(1001)), ""),
            None
        );
    }

    proptest! {
        #[test]
        fn no_request_panics(
            method in "GET|POST|",
            query in any::<String>(),
            name in "challenge|validationToken|hub.mode=subscribe&hub.challenge",
            value in any::<String>(),
            body in any::<Vec<u8>>(),
        ) {
            let token = Secret::new("t");
            for query in [query, format!("{name}={value}")] {
                let request = HandshakeRequest { method: &method, query: &query, body: &body };
                if let Some(reply) = handshake(&request, Some(&token)) {
                    prop_assert!(harmless(&reply.body));
                }
            }
        }
    }
}
