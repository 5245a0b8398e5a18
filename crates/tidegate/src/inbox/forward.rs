//! An event sent on to a URL, as like the one that came as can be.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::header::{CONNECTION, HeaderMap};
use reqwest::{Client, Method, Url};

use super::address::below;
use super::answer::cause;
use super::api::client;
use super::message::{Header, Message};

/// How long the receiver may take in all.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What belongs to one connection, or is made anew with the request.
const NOT_FORWARDED: [&str; 12] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Where events are sent.
pub(super) struct Forward {
    http: Client,
    url: Url,
}

impl Forward {
    pub(super) fn new(url: Url) -> anyhow::Result<Self> {
        let http = client(&url)
            .timeout(TIMEOUT)
            .build()
            .context("no HTTP client")?;
        Ok(Self { http, url })
    }

    /// Sends an event; why it was not taken, if it was not.
    pub(super) async fn send(&self, message: &Message) -> Result<(), String> {
        let url = target(&self.url, message)
            .ok_or("its path leads out of the URL that is forwarded to")?;
        let method = Method::from_bytes(message.method.as_bytes())
            .map_err(|_| "its method cannot be sent")?;
        let mut request = self.http.request(method, url).headers(headers(message));
        if !message.body.is_empty() {
            request = request.body(message.body.clone());
        }
        let response = request.send().await.map_err(|error| cause(&error))?;
        match response.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("it answers {status}")),
        }
    }
}

/// Where an event goes: its path and its query stand behind those of the URL.
fn target(base: &Url, message: &Message) -> Option<Url> {
    let mut url = below(base, &message.path)?;
    let query = match (base.query(), message.query.as_str()) {
        (Some(first), "") => Some(first.to_owned()),
        (Some(first), second) => Some(format!("{first}&{second}")),
        (None, "") => None,
        (None, second) => Some(second.to_owned()),
    };
    url.set_query(query.as_deref());
    Some(url)
}

/// The headers as received, without what is not forwarded (RFC 9110, section 7.6.1).
fn headers(message: &Message) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for (name, value) in message.headers.iter().filter_map(Header::to_http) {
        kept.append(name, value);
    }
    let named: Vec<String> = kept
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    for name in NOT_FORWARDED
        .into_iter()
        .chain(named.iter().map(String::as_str))
    {
        kept.remove(name);
    }
    kept
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::message::sample;
    use super::*;

    fn aim(base: &str, path: &str, query: &str) -> Option<String> {
        let message = sample(json!({"path": path, "query": query}));
        target(&Url::parse(base).unwrap(), &message).map(String::from)
    }

    #[test]
    fn path_and_query_stand_behind_those_of_the_url() {
        for (base, path, query, url) in [
            ("http://h/hooks", "", "", "http://h/hooks"),
            ("http://h", "/a/b", "c=d", "http://h/a/b?c=d"),
            (
                "http://h/hooks/",
                "/a",
                "c=%20&c",
                "http://h/hooks/a?c=%20&c",
            ),
            ("http://h/hooks?k=v", "/a", "", "http://h/hooks/a?k=v"),
            ("http://h/hooks?k=v", "", "c=d", "http://h/hooks?k=v&c=d"),
            ("http://h/hooks", "", "a#b", "http://h/hooks?a%23b"),
        ] {
            assert_eq!(aim(base, path, query).as_deref(), Some(url));
        }
        assert_eq!(aim("http://h/hooks", "/../admin", ""), None);
    }

    #[test]
    fn headers_of_a_connection_and_hidden_ones_stay_behind() {
        let pairs = [
            ("host", "tidegate.example"),
            ("content-length", "16"),
            ("transfer-encoding", "chunked"),
            ("connection", "close, X-Hop"),
            ("keep-alive", "timeout=5"),
            ("x-hop", "1"),
            ("te", "trailers"),
            ("expect", "100-continue"),
            ("authorization", "***"),
            ("content-type", "text/plain"),
            ("content-encoding", "gzip"),
            ("x-two", "1"),
            ("x-two", "2"),
        ];
        let list: Vec<Value> = pairs
            .iter()
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect();
        let headers = headers(&sample(json!({"headers": list})));
        let mut kept: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        kept.sort();
        assert_eq!(
            kept,
            [
                "content-encoding: gzip",
                "content-type: text/plain",
                "x-two: 1",
                "x-two: 2"
            ]
        );
    }
}
