//! The requests of one consumer to Tidegate. A server that is away is asked until it is back;
//! what asking again cannot mend is a [`Refusal`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use reqwest::header::AUTHORIZATION;
use reqwest::{Client, ClientBuilder, Response, Url, redirect};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::address::below;
use super::answer::{Failure, Refusal, cause, failure};
use super::backoff::Backoff;
use super::key::Key;
use super::message::Message;
use crate::terminal;

/// How long a server may be silent within an answer, and beyond what it was asked to wait.
const SILENCE: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(10);

/// Messages that nobody else gets while the lease holds.
#[derive(Debug)]
pub(super) struct Lease {
    /// What to name it by.
    pub(super) name: String,
    /// When the server began to answer.
    pub(super) given: Instant,
    pub(super) messages: Vec<Message>,
}

/// One consumer of one webhook.
pub(super) struct Api {
    http: Client,
    consumer: Url,
    key: Key,
    /// Whether the last attempt failed, so that it is told once.
    away: AtomicBool,
}

#[derive(Deserialize)]
struct LeaseAnswer {
    lease: Option<String>,
    #[serde(default)]
    messages: Vec<Message>,
}

impl Api {
    pub(super) fn new(
        server: &Url,
        webhook: u64,
        consumer: &str,
        key: Key,
    ) -> anyhow::Result<Self> {
        let path = format!("/webhooks/{webhook}/consumers/{consumer}/");
        Ok(Self {
            http: client(server).build().context("no HTTP client")?,
            consumer: below(server, &path).context("the consumer has no URL")?,
            key,
            away: AtomicBool::new(false),
        })
    }

    /// Takes messages, up to `limit` for `seconds`; where there are none, the server waits for
    /// one so long. `None`: there was none.
    pub(super) async fn lease(
        &self,
        limit: u32,
        seconds: u32,
        wait: u32,
    ) -> Result<Option<Lease>, Refusal> {
        let body = json!({"limit": limit, "seconds": seconds, "wait": wait});
        let patience = SILENCE + Duration::from_secs(wait.into());
        let (answer, given): (LeaseAnswer, Instant) = self
            .ask("lease", &body, patience, |text| {
                serde_json::from_slice(text)
            })
            .await?;
        Ok(answer.lease.map(|name| {
            let mut messages = answer.messages;
            messages.sort_by_key(|message| message.id);
            Lease {
                name,
                given,
                messages,
            }
        }))
    }

    /// Says that messages are done.
    pub(super) async fn ack(&self, lease: &str, ids: &[u64]) -> Result<(), Refusal> {
        self.tell("ack", &json!({"lease": lease, "ids": ids})).await
    }

    /// Gives messages back, to be handed out again after `delay` seconds.
    pub(super) async fn nack(&self, lease: &str, ids: &[u64], delay: u32) -> Result<(), Refusal> {
        self.tell("nack", &json!({"lease": lease, "ids": ids, "delay": delay}))
            .await
    }

    /// Gives back messages that were not begun, at once and as if they had not been handed out.
    pub(super) async fn give_back(&self, lease: &str, ids: &[u64]) -> Result<(), Refusal> {
        let body = json!({"lease": lease, "ids": ids, "begun": false});
        self.tell("nack", &body).await
    }

    /// Keeps messages for `seconds` from now.
    pub(super) async fn extend(
        &self,
        lease: &str,
        ids: &[u64],
        seconds: u32,
    ) -> Result<(), Refusal> {
        self.tell(
            "extend",
            &json!({"lease": lease, "ids": ids, "seconds": seconds}),
        )
        .await
    }

    /// A request whose answer says nothing more than its status.
    async fn tell(&self, action: &str, body: &Value) -> Result<(), Refusal> {
        let told = self.ask(action, body, SILENCE, |_| Ok(())).await;
        told.map(|((), _)| ())
    }

    /// Asks until there is an answer; when its head came.
    async fn ask<T>(
        &self,
        action: &str,
        body: &Value,
        patience: Duration,
        read: impl Fn(&[u8]) -> serde_json::Result<T>,
    ) -> Result<(T, Instant), Refusal> {
        let mut backoff = Backoff::default();
        loop {
            let (why, asked) = match self.attempt(action, body, patience, &read).await {
                Ok(answer) => {
                    self.is_back();
                    return Ok(answer);
                }
                Err(Failure::Refused(refusal)) => {
                    self.is_back();
                    return Err(refusal);
                }
                Err(Failure::Away(why, asked)) => (why, asked),
            };
            if !self.away.swap(true, Ordering::Relaxed) {
                terminal::line(format_args!("waiting for the server: {why}"));
            }
            tokio::time::sleep(backoff.next(asked)).await;
        }
    }

    fn is_back(&self) {
        if self.away.swap(false, Ordering::Relaxed) {
            terminal::line("the server answers again");
        }
    }

    async fn attempt<T>(
        &self,
        action: &str,
        body: &Value,
        patience: Duration,
        read: impl Fn(&[u8]) -> serde_json::Result<T>,
    ) -> Result<(T, Instant), Failure> {
        let gone = |error: reqwest::Error| Failure::Away(cause(&error), None);
        // An action is the last part of a path that ends with a slash.
        let url = self
            .consumer
            .join(action)
            .map_err(|error| Failure::Refused(Refusal::Fatal(error.to_string())))?;
        let request = self
            .http
            .post(url)
            .header(AUTHORIZATION, self.key.header())
            .json(body);
        // For the head alone: events may be large, and lines slow.
        let mut response = tokio::time::timeout(patience, request.send())
            .await
            .map_err(|_| Failure::Away("no answer in time".into(), None))?
            .map_err(gone)?;
        let began = Instant::now();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = whole(&mut response).await?;
        if status.is_success() {
            return read(&text)
                .map(|answer| (answer, began))
                .map_err(|_| Failure::Away("what answers there is no Tidegate".into(), None));
        }
        Err(failure(status, &headers, &text))
    }
}

/// A client for a server or a URL of this scheme. It never follows a redirect: a key, or an
/// event, goes where it was meant to go and nowhere else.
pub(super) fn client(url: &Url) -> ClientBuilder {
    let builder = Client::builder()
        .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT);
    // Without TLS no certificates are needed, which not every machine has.
    match url.scheme() {
        "http" => builder.tls_certs_only([]),
        _ => builder,
    }
}

/// Reads an answer to its end, however long it takes as long as it goes on.
async fn whole(response: &mut Response) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    loop {
        match tokio::time::timeout(SILENCE, response.chunk()).await {
            Ok(Ok(Some(piece))) => text.extend_from_slice(&piece),
            Ok(Ok(None)) => return Ok(text),
            Ok(Err(error)) => return Err(Failure::Away(cause(&error), None)),
            Err(_) => return Err(Failure::Away("no end of the answer in time".into(), None)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_go_below_the_address_of_the_server() {
        let server = Url::parse("https://example.org/tide").unwrap();
        let key = Key::parse("7:s3cret").unwrap();
        let api = Api::new(&server, 3, "erp", key).unwrap();
        assert_eq!(
            api.consumer.join("lease").unwrap().as_str(),
            "https://example.org/tide/webhooks/3/consumers/erp/lease"
        );
    }
}
