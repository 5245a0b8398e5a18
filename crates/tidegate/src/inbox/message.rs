//! A message of the inbox as the server hands it out, and what a command is told about it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Deserializer, Serialize, de};

/// The longest text that Linux lets a variable of the environment have, with its name.
const LONGEST_VARIABLE: usize = 128 * 1024;

/// What stands in place of the value of a header that would let somebody in.
const HIDDEN: &str = "***";

/// A message with its place in the inbox.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Message {
    pub(super) id: u64,
    pub(super) webhook_id: u64,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: Vec<Header>,
    #[serde(deserialize_with = "bytes")]
    pub(super) body: Vec<u8>,
    pub(super) signature: String,
    pub(super) delivery_id: Option<String>,
    /// How often this consumer has got it, with this time.
    pub(super) delivery: u32,
}

/// A header as it came; its value is one of the two.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct Header {
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) value_base64: Option<String>,
}

impl Header {
    /// Name and value for a request; `None` where the value was not kept.
    pub(super) fn to_http(&self) -> Option<(HeaderName, HeaderValue)> {
        let name = HeaderName::try_from(self.name.as_str()).ok()?;
        let value = match (&self.value, &self.value_base64) {
            (Some(value), _) if value == HIDDEN => return None,
            (Some(value), _) => HeaderValue::from_bytes(value.as_bytes()),
            (None, Some(encoded)) => HeaderValue::from_bytes(&STANDARD.decode(encoded).ok()?),
            (None, None) => return None,
        };
        Some((name, value.ok()?))
    }
}

impl Message {
    /// The variables of the environment that tell of it, in the same order always. One that
    /// has no value must not be there: not even with what this program got under its name.
    pub(super) fn environment(&self) -> [(&'static str, Option<String>); 10] {
        let content_type = self
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case("content-type"))
            .and_then(|header| header.value.clone());
        [
            ("TIDEGATE_MESSAGE_ID", Some(self.id.to_string())),
            ("TIDEGATE_WEBHOOK_ID", Some(self.webhook_id.to_string())),
            ("TIDEGATE_METHOD", Some(self.method.clone())),
            ("TIDEGATE_PATH", Some(self.path.clone())),
            ("TIDEGATE_QUERY", Some(self.query.clone())),
            ("TIDEGATE_CONTENT_TYPE", content_type),
            ("TIDEGATE_SIGNATURE", Some(self.signature.clone())),
            ("TIDEGATE_DELIVERY", Some(self.delivery.to_string())),
            ("TIDEGATE_DELIVERY_ID", self.delivery_id.clone()),
            (
                "TIDEGATE_HEADERS",
                serde_json::to_string(&self.headers).ok(),
            ),
        ]
        .map(|(name, value)| (name, value.filter(|value| fits(name, value))))
    }
}

/// Whether the system takes a variable: `name=value` with a NUL at its end, and no other.
fn fits(name: &str, value: &str) -> bool {
    !value.contains('\0') && name.len() + value.len() + 2 <= LONGEST_VARIABLE
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD.decode(text).map_err(de::Error::custom)
}

/// The message of the documentation, with some members replaced.
#[cfg(test)]
pub(super) fn sample(members: serde_json::Value) -> Message {
    let mut message = serde_json::json!({
        "id": 5, "webhook_id": 1, "method": "POST", "path": "", "query": "",
        "address": "192.0.2.7",
        "headers": [{"name": "content-type", "value": "application/json"}],
        "body": "eyJpZCI6ImV2dF8xIn0=", "size": 14, "signature": "verified",
        "delivery_id": "evt_1", "received_at": "2026-03-01T06:40:00.123456Z", "delivery": 1,
    });
    for (name, value) in members.as_object().expect("an object") {
        message[name] = value.clone();
    }
    serde_json::from_value(message).expect("a message")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn environment(message: &Message) -> Vec<String> {
        let line = |(name, value): (&str, Option<String>)| {
            let name = name.strip_prefix("TIDEGATE_").unwrap();
            format!("{name}={}", value.unwrap_or_else(|| "-".into()))
        };
        message.environment().map(line).into()
    }

    #[test]
    fn a_command_is_told_all_about_a_message() {
        assert_eq!(
            environment(&sample(json!({"path": "/a", "query": "b=c"}))),
            [
                "MESSAGE_ID=5",
                "WEBHOOK_ID=1",
                "METHOD=POST",
                "PATH=/a",
                "QUERY=b=c",
                "CONTENT_TYPE=application/json",
                "SIGNATURE=verified",
                "DELIVERY=1",
                "DELIVERY_ID=evt_1",
                r#"HEADERS=[{"name":"content-type","value":"application/json"}]"#,
            ]
        );
        assert_eq!(
            sample(json!({})).body,
            br#"{"id":"evt_1"}"#.to_vec().as_slice()
        );
    }

    #[test]
    fn what_the_environment_cannot_hold_is_left_out() {
        let message = sample(json!({
            "headers": [{"name": "x", "value": "v".repeat(LONGEST_VARIABLE)}],
            "delivery_id": "a\u{0}b",
            "query": "q".repeat(LONGEST_VARIABLE - "TIDEGATE_QUERY=".len() - 1),
        }));
        let lines = environment(&message);
        for line in ["CONTENT_TYPE=-", "DELIVERY_ID=-", "HEADERS=-"] {
            assert!(lines.iter().any(|l| l == line), "{line}");
        }
        assert!(lines.iter().any(|line| line.starts_with("QUERY=qqq")));
        let none = environment(&sample(json!({"delivery_id": null})));
        assert!(none.iter().any(|line| line == "DELIVERY_ID=-"));
    }

    #[test]
    fn headers_are_sent_as_they_came() {
        let header =
            |members: serde_json::Value| -> Header { serde_json::from_value(members).unwrap() };
        let (name, value) = header(json!({"name": "x-note", "value": "é"}))
            .to_http()
            .unwrap();
        assert_eq!(
            (name.as_str(), value.as_bytes()),
            ("x-note", "é".as_bytes())
        );
        let (_, value) = header(json!({"name": "x", "value_base64": "/w=="}))
            .to_http()
            .unwrap();
        assert_eq!(value.as_bytes(), b"\xFF");
        for members in [
            json!({"name": "authorization", "value": "***"}),
            json!({"name": "x"}),
            json!({"name": "x y", "value": "a"}),
            json!({"name": "x", "value": "a\nb: c"}),
            json!({"name": "x", "value_base64": "?"}),
        ] {
            assert!(header(members.clone()).to_http().is_none(), "{members}");
        }
    }

    #[test]
    fn a_body_that_is_not_base64_is_no_message() {
        let broken = json!({"id": 1, "webhook_id": 1, "method": "POST", "path": "", "query": "",
            "headers": [], "body": "?", "signature": "unchecked", "delivery_id": null, "delivery": 1});
        assert!(serde_json::from_value::<Message>(broken).is_err());
    }
}
