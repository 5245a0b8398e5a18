//! The receiver of the inbox (docs/WEBHOOKS.md): what arrives at `/in/{rid}` is kept to the byte,
//! or refused and not kept; signatures, handshakes, and deliveries that come twice.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use crate::support::app::{ADMIN_PASSWORD, TestApp, sign_in};
use crate::support::client::{Client, Reply};
use crate::support::engines::TestEngine;
use crate::support::process::{Program, eventually};
use crate::support::resource::statuses;
use crate::webhooks::{
    Hook, add_secret, any_hook, assert_not_stored, bytes, deliver, id, make_hook, messages, refused,
};

/// How long something may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

// ---------------------------------------------------------------------------------------------
// Requests that no HTTP library would send.

/// Sends bytes as they are and gives what comes back until the server closes or has said all.
async fn exchange(
    base: &str,
    head: impl Into<Vec<u8>>,
    body: impl FnOnce(&mut TcpStream) -> std::io::Result<()> + Send + 'static,
) -> Answer {
    let (address, head) = (base.trim_start_matches("http://").to_owned(), head.into());
    let work = move || {
        let mut reader = TcpStream::connect(address).expect("a connection");
        reader
            .set_read_timeout(Some(PATIENCE))
            .expect("a time limit");
        let mut writer = reader.try_clone().expect("the same connection");
        // The answer may come, and the connection go, before everything is sent.
        let writing = std::thread::spawn(move || {
            let _ = writer.write_all(&head).and_then(|()| body(&mut writer));
        });
        let mut answer = Answer::default();
        let mut piece = [0; 4096];
        while let Ok(length @ 1..) = reader.read(&mut piece) {
            answer.0 += &String::from_utf8_lossy(&piece[..length]);
            if answer.is_whole() {
                break;
            }
        }
        let _ = reader.shutdown(Shutdown::Both);
        writing.join().expect("the writer ends");
        answer
    };
    tokio::task::spawn_blocking(work)
        .await
        .expect("an exchange")
}

/// A whole answer: a status line, headers, a body.
#[derive(Debug, Default)]
struct Answer(String);

impl Answer {
    fn is_whole(&self) -> bool {
        let Some((head, body)) = self.0.split_once("\r\n\r\n") else {
            return false;
        };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let length = name.eq_ignore_ascii_case("content-length");
            length.then(|| value.trim().parse::<usize>().ok())?
        });
        length.is_some_and(|length| body.len() >= length)
    }

    #[track_caller]
    fn expect(self, status: &[u16]) -> Self {
        let found = self.0.split(' ').nth(1).and_then(|code| code.parse().ok());
        assert!(
            found.is_some_and(|found| status.contains(&found)),
            "{status:?} expected: {self:?}"
        );
        self
    }

    /// Asserts that it is a problem with this status.
    #[track_caller]
    fn problem(self, status: u16) {
        let answer = self.expect(&[status]);
        let (_, body) = answer.0.split_once("\r\n\r\n").expect("a body");
        let problem: Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(problem["status"], status, "{problem}");
        assert!(problem["code"].is_string(), "{problem}");
    }
}

/// The head of a POST to a webhook's address.
fn head(hook: &Hook, fields: &str) -> String {
    format!(
        "POST {} HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n",
        hook.inbox
    )
}

/// Sends a body in chunks of these bytes.
fn in_chunks(
    chunks: Vec<Vec<u8>>,
) -> impl FnOnce(&mut TcpStream) -> std::io::Result<()> + Send + 'static {
    move |stream| {
        for chunk in chunks {
            stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes())?;
            stream.write_all(&chunk)?;
            stream.write_all(b"\r\n")?;
        }
        stream.write_all(b"0\r\n\r\n")
    }
}

// ---------------------------------------------------------------------------------------------
// What a message holds.

/// The values of a header in their order, as text or as what is there in its place.
fn values(message: &Value, name: &str) -> Vec<Value> {
    let headers = message["headers"].as_array().expect("headers");
    let of_name = headers.iter().filter(|header| header["name"] == name);
    of_name
        .map(|header| match header.get("value_base64") {
            Some(encoded) => json!({"value_base64": encoded}),
            None => header["value"].clone(),
        })
        .collect()
}

/// The only message of a webhook.
async fn only(client: &Client, hook: &Hook) -> Value {
    let found = messages(client, hook).await;
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_iter().next().expect("a message")
}

/// What is said of the signatures of all messages, in their order.
async fn verdicts(client: &Client, hook: &Hook) -> Vec<String> {
    let text = |message: &Value| message["signature"].as_str().expect("a text").to_owned();
    messages(client, hook).await.iter().map(text).collect()
}

// ---------------------------------------------------------------------------------------------
// Providers, and how they sign.

/// A provider, from whose documentation its way of signing is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Provider {
    Stripe,
    GitHub,
    Twilio,
    Slack,
    Shopify,
    StandardWebhooks,
    Generic,
}

const PROVIDERS: [Provider; 7] = [
    Provider::Stripe,
    Provider::GitHub,
    Provider::Twilio,
    Provider::Slack,
    Provider::Shopify,
    Provider::StandardWebhooks,
    Provider::Generic,
];

/// A delivery, to be signed.
struct Delivery {
    id: String,
    at: i64,
    body: Vec<u8>,
}

type Headers = Vec<(&'static str, String)>;

impl Provider {
    /// The members of its webhook.
    fn hook(self) -> Value {
        let name = match self {
            Self::Stripe => "stripe",
            Self::GitHub => "github",
            Self::Twilio => "twilio",
            Self::Slack => "slack",
            Self::Shopify => "shopify",
            Self::StandardWebhooks => "standard_webhooks",
            Self::Generic => "generic",
        };
        let mut hook = json!({"name": name, "provider": name});
        if self == Self::Generic {
            hook["delivery_id"] = json!({"header": "X-Id"});
            hook["signature"] = json!({"hmac": {
                "header": "X-Signature", "algorithm": "sha256", "encoding": "hex", "prefix": "sha256=",
                "timestamp": {"header": "X-Timestamp", "tolerance": 300, "signed": "{timestamp}.{body}"},
            }});
        }
        hook
    }

    /// A secret such as it gives.
    fn secret(self, text: &str) -> String {
        match self {
            Self::Stripe => format!("whsec_{text}"),
            Self::StandardWebhooks => format!("whsec_{}", STANDARD.encode(text)),
            _ => text.to_owned(),
        }
    }

    /// Whether what it signs holds the time.
    fn signs_the_time(self) -> bool {
        !matches!(self, Self::GitHub | Self::Twilio | Self::Shopify)
    }

    fn delivery(self, id: &str, at: i64) -> Delivery {
        let body = match self {
            Self::Twilio => format!("To=%2B15550001&Body=low+water&MessageSid={id}"),
            _ => format!("{{\"id\": \"{id}\", \"event_id\": \"{id}\", \"text\": \"low water\"}}"),
        };
        Delivery {
            id: id.to_owned(),
            at,
            body: body.into_bytes(),
        }
    }

    /// The header that the signature stands in.
    fn signature_header(self) -> &'static str {
        match self {
            Self::Stripe => "stripe-signature",
            Self::GitHub => "x-hub-signature-256",
            Self::Twilio => "x-twilio-signature",
            Self::Slack => "x-slack-signature",
            Self::Shopify => "x-shopify-hmac-sha256",
            Self::StandardWebhooks => "webhook-signature",
            Self::Generic => "x-signature",
        }
    }

    /// A value that this header cannot have.
    fn garbage(self) -> &'static str {
        match self {
            Self::Stripe => "garbage",
            Self::GitHub | Self::Generic => "sha256=not-hexadecimal",
            Self::Twilio | Self::Shopify => "!not base64!",
            Self::Slack => "v0=not-hexadecimal",
            Self::StandardWebhooks => "v1,!not-base64!",
        }
    }

    /// The headers of a genuine delivery.
    fn sign(self, secret: &str, url: &str, delivery: &Delivery) -> Headers {
        let Delivery { id, at, body } = delivery;
        let key = secret.as_bytes();
        let mut headers = vec![(
            "content-type",
            match self {
                Self::Twilio => "application/x-www-form-urlencoded",
                _ => "application/json",
            }
            .to_owned(),
        )];
        let signature = match self {
            Self::Stripe => {
                let mac = sha256(key, &[format!("{at}.").as_bytes(), body]);
                format!("t={at},v1={}", hex(&mac))
            }
            Self::GitHub => {
                headers.push(("x-github-event", "push".to_owned()));
                headers.push(("x-github-delivery", id.clone()));
                format!("sha256={}", hex(&sha256(key, &[body])))
            }
            Self::Twilio => {
                headers.push(("i-twilio-idempotency-token", id.clone()));
                // The names of the form in their order, each with its value, behind the address.
                let text = format!("{url}Bodylow waterMessageSid{id}To+15550001");
                STANDARD.encode(sha1(key, &[text.as_bytes()]))
            }
            Self::Slack => {
                headers.push(("x-slack-request-timestamp", at.to_string()));
                let mac = sha256(key, &[format!("v0:{at}:").as_bytes(), body]);
                format!("v0={}", hex(&mac))
            }
            Self::Shopify => {
                headers.push(("x-shopify-topic", "orders/create".to_owned()));
                headers.push(("x-shopify-webhook-id", id.clone()));
                headers.push(("x-shopify-event-id", id.clone()));
                STANDARD.encode(sha256(key, &[body]))
            }
            Self::StandardWebhooks => {
                headers.push(("webhook-id", id.clone()));
                headers.push(("webhook-timestamp", at.to_string()));
                let key = STANDARD
                    .decode(secret.trim_start_matches("whsec_"))
                    .expect("Base64");
                let mac = sha256(&key, &[format!("{id}.{at}.").as_bytes(), body]);
                format!("v1,{}", STANDARD.encode(mac))
            }
            Self::Generic => {
                headers.push(("x-id", id.clone()));
                headers.push(("x-timestamp", at.to_string()));
                let mac = sha256(key, &[format!("{at}.").as_bytes(), body]);
                format!("sha256={}", hex(&mac))
            }
        };
        headers.push((self.signature_header(), signature));
        headers
    }
}

fn sha1(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).expect("a key");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

fn sha256(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

fn sha512(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha512>::new_from_slice(key).expect("a key");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Seconds since 1970: signatures hold the real time.
#[allow(
    clippy::disallowed_methods,
    reason = "what the test signs is checked against the server's clock"
)]
fn now() -> i64 {
    let passed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seconds = passed.expect("a time after 1970").as_secs();
    i64::try_from(seconds).expect("a time of our days")
}

/// A webhook of a provider, with what it takes to send to it.
#[derive(Clone)]
struct Sender {
    provider: Provider,
    client: Client,
    anonymous: Client,
    hook: Hook,
    url: String,
    secret: String,
    secret_id: i64,
}

impl Sender {
    /// A webhook with a secret, that refuses or keeps what is not verified.
    async fn new(app: &TestApp, client: &Client, provider: Provider, unverified: &str) -> Self {
        let mut body = provider.hook();
        body["unverified"] = json!(unverified);
        let hook = make_hook(client, &body).await;
        let secret = provider.secret("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let secret_id = add_secret(client, &hook, &secret, "signature").await;
        Self {
            provider,
            client: client.clone(),
            anonymous: app.anonymous(),
            url: format!("{}{}", app.base(), hook.inbox),
            hook,
            secret,
            secret_id,
        }
    }

    /// A genuine delivery of this moment.
    fn genuine(&self, id: &str) -> (Headers, Vec<u8>) {
        self.signed_at(id, now())
    }

    fn signed_at(&self, id: &str, at: i64) -> (Headers, Vec<u8>) {
        let delivery = self.provider.delivery(id, at);
        let headers = self.provider.sign(&self.secret, &self.url, &delivery);
        (headers, delivery.body)
    }

    async fn send(&self, (headers, body): (Headers, Vec<u8>)) -> Reply {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        deliver(&self.anonymous, &self.hook, &headers, body).await
    }

    /// Deliveries that are not good.
    fn bad(&self) -> Vec<Bad> {
        let header = self.provider.signature_header();
        let instead = |id: &str, value: Option<&str>| {
            let (mut headers, body) = self.genuine(id);
            headers.retain(|(name, _)| *name != header);
            headers.extend(value.map(|value| (header, value.to_owned())));
            (headers, body)
        };
        let other = self.provider.secret("AfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let delivery = self.provider.delivery("bad-1", now());
        let forged = self.provider.sign(&other, &self.url, &delivery);
        let (headers, mut body) = self.genuine("bad-2");
        let word = body.windows(3).position(|word| word == b"low");
        body[word.expect("a word")] = b'L';
        let mut bad = vec![
            Bad::new("another secret", &["wrong"], (forged, delivery.body)),
            Bad::new("a changed byte", &["wrong"], (headers, body)),
            Bad::new("no signature", &["missing"], instead("bad-3", None)),
            Bad::new(
                "garbage",
                &["malformed"],
                instead("bad-4", Some(self.provider.garbage())),
            ),
            Bad::new(
                "nothing in the header",
                &["malformed", "missing"],
                instead("bad-5", Some("")),
            ),
        ];
        if self.provider.signs_the_time() {
            let at = now();
            let time = |id: &str, value: &str| {
                let (mut headers, body) = self.signed_at(id, at);
                for (_, text) in &mut headers {
                    *text = text.replace(&at.to_string(), value);
                }
                (headers, body)
            };
            bad.extend([
                Bad::new(
                    "an old time",
                    &["expired"],
                    self.signed_at("bad-6", at - 330),
                ),
                Bad::new(
                    "a time to come",
                    &["expired", "wrong", "malformed"],
                    self.signed_at("bad-7", at + 3600),
                ),
                Bad::new(
                    "a time that was not signed",
                    &["wrong"],
                    time("bad-8", &(at - 10).to_string()),
                ),
                Bad::new("a time that is none", &["malformed"], time("bad-9", "soon")),
            ]);
        }
        bad
    }
}

/// A delivery that is not good.
struct Bad {
    /// What is wrong with it.
    what: &'static str,
    /// What may be said of its signature.
    says: &'static [&'static str],
    signed: (Headers, Vec<u8>),
}

impl Bad {
    fn new(what: &'static str, says: &'static [&'static str], signed: (Headers, Vec<u8>)) -> Self {
        Self { what, says, signed }
    }
}

// ---------------------------------------------------------------------------------------------
// The program's memory.

/// The id of the process that works in this folder.
fn process_in(folder: &Path) -> u32 {
    let folder = folder.canonicalize().expect("a folder");
    let entries = std::fs::read_dir("/proc").expect("a Linux").flatten();
    let mut ids = entries.filter_map(|entry| {
        let works_in = std::fs::read_link(entry.path().join("cwd")).ok()?;
        let id = entry.file_name().to_str()?.parse().ok()?;
        (works_in == folder).then_some(id)
    });
    ids.next().expect("a process")
}

/// Kilobytes that a process holds (`VmRSS`), or has held at most (`VmHWM`).
fn memory(process: u32, name: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).expect("a process");
    let line = text.lines().find(|line| line.starts_with(name));
    let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    number.expect("a number of kilobytes")
}

on_every_engine! {
    // -----------------------------------------------------------------------------------------
    // What is kept.

    async fn a_message_is_kept_as_it_came(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let hook = any_hook(&ann).await;
        let headers = [("content-type", "application/json"), ("user-agent", "Tide/1.0")];
        let reply = deliver(&app.anonymous(), &hook, &headers, r#"{"id":"evt_1"}"#).await.expect(200);
        assert_eq!(reply.body, "");
        let message = only(&ann, &hook).await;
        for (member, value) in [
            ("webhook_id", json!(hook.id)), ("method", json!("POST")), ("path", json!("")), ("query", json!("")), ("address", json!("127.0.0.1")),
            ("body", json!("eyJpZCI6ImV2dF8xIn0=")), ("size", json!(14)), ("signature", json!("unchecked")), ("delivery_id", Value::Null),
        ] {
            assert_eq!(message[member], value, "{member}");
        }
        assert_eq!(values(&message, "content-type"), ["application/json"]);
        assert_eq!(values(&message, "user-agent"), ["Tide/1.0"]);
    }

    async fn any_method_is_taken(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let hook = any_hook(&ann).await;
        let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "BREW"];
        for method in methods {
            let request = app.anonymous().request(Method::from_bytes(method.as_bytes()).expect("a method"), &hook.inbox);
            let reply = Reply::of(request.body(format!("by {method}"))).await.expect(200);
            assert_eq!(reply.body, "", "{method}");
        }
        app.anonymous().send(Method::HEAD, &hook.inbox).await.expect(200);
        let found = messages(&ann, &hook).await;
        let seen: Vec<_> = found.iter().map(|message| (message["method"].as_str().expect("a method").to_owned(), bytes(message))).collect();
        let mut sent: Vec<_> = methods.iter().map(|method| ((*method).to_owned(), format!("by {method}").into_bytes())).collect();
        sent.push(("HEAD".to_owned(), Vec::new()));
        assert_eq!(seen, sent);
    }

    async fn what_stands_behind_the_address_stays_raw(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let hook = any_hook(&ann).await;
        let sent = [
            ("", ""), ("/", ""), ("/a/b", "c=d"), ("/a%2Fb/%41//c;d", "x=%7e&y=a+b&&=%ZZ"), ("/%C3%A9/%ff/%2e%2e/~", "%"), ("/a/", "?"), ("", "challenges=1&a=1&a=2"),
        ];
        for (path, query) in sent {
            let mark = if query.is_empty() { "" } else { "?" };
            let head = format!("POST {}{path}{mark}{query} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", hook.inbox);
            exchange(app.base(), head, |_| Ok(())).await.expect(&[200]);
        }
        let found = messages(&ann, &hook).await;
        let seen: Vec<_> = found.iter().map(|message| (message["path"].as_str().expect("a path"), message["query"].as_str().expect("a query"))).collect();
        assert_eq!(seen, sent);
    }

    async fn bodies_are_kept_to_the_byte(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let hook = any_hook(&ann).await;
        let all: Vec<u8> = (0..=255).collect();
        let bodies = [
            all.repeat(300), Vec::new(), b"\xff\xfe\xc3\x28\x00".to_vec(), b"\xef\xbb\xbf{\"b\": 1,  \"a\":1.0}\r\n".to_vec(), b"%25+&=\\'\"`;--".to_vec(),
        ];
        for body in &bodies {
            deliver(&app.anonymous(), &hook, &[], body.clone()).await.expect(200);
        }
        // Whatever the type says of them.
        for media_type in ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain; charset=utf-16", "no type"] {
            deliver(&app.anonymous(), &hook, &[("content-type", media_type)], bodies[2].clone()).await.expect(200);
        }
        let found = messages(&ann, &hook).await;
        let sent: Vec<_> = bodies.iter().chain(std::iter::repeat_n(&bodies[2], 5)).collect();
        assert_eq!(found.len(), sent.len());
        for (message, sent) in found.iter().zip(sent) {
            assert!(bytes(message) == *sent, "{message}");
            assert_eq!(message["size"], sent.len());
            let raw = ann.request(Method::GET, &format!("{}/messages/{}/body", hook.path, message["id"])).send().await.expect("an answer");
            assert!(raw.bytes().await.expect("a body") == sent[..], "{message}");
        }
        assert_eq!(values(&found[0], "content-type"), Vec::<Value>::new());
    }

    async fn compressed_and_chunked_bodies_are_kept(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let hook = any_hook(&ann).await;
        // What only says that it is compressed is kept as well.
        for body in [GZIP, b"not compressed"] {
            deliver(&app.anonymous(), &hook, &[("content-encoding", "gzip")], body).await.expect(200);
        }
        let chunks = vec![b"low ".to_vec(), vec![0, 13, 10, 255], b"water".repeat(5000)];
        let whole = chunks.concat();
        exchange(app.base(), head(&hook, "Transfer-Encoding: chunked"), in_chunks(chunks)).await.expect(&[200]);
        exchange(app.base(), head(&hook, "Transfer-Encoding: chunked"), in_chunks(Vec::new())).await.expect(&[200]);
        let found = messages(&ann, &hook).await;
        let seen: Vec<_> = found.iter().map(bytes).collect();
        assert!(seen == [GZIP.to_vec(), b"not compressed".to_vec(), whole, Vec::new()], "{found:?}");
        assert_eq!(values(&found[0], "content-encoding"), ["gzip"]);
    }

    async fn headers_are_kept_and_credentials_hidden(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let hook = any_hook(&ann).await;
        let secret = "s3cret-of-a-provider";
        let request = app.anonymous().request(Method::POST, &hook.inbox).body("Plainly readable body")
            .header("X-Latin", HeaderValue::from_bytes(b"caf\xe9").expect("a value"))
            .header("X-Twice", "one").header("X-Other", HeaderValue::from_bytes("\u{e9}t\u{e9}".as_bytes()).expect("a value")).header("X-Twice", "two, three").header("X-Twice", HeaderValue::from_bytes(b"\xff").expect("a value"))
            .header("X-Empty", "")
            .header("Authorization", format!("Bearer {secret}")).header("Proxy-Authorization", format!("Basic {secret}"))
            .header("Cookie", format!("a={secret}")).header("Cookie", HeaderValue::from_bytes(b"b=\xff").expect("a value")).header("X-Api-Key", secret);
        Reply::of(request).await.expect(200);
        let message = only(&ann, &hook).await;
        assert_eq!(values(&message, "x-latin"), [json!({"value_base64": STANDARD.encode(b"caf\xe9")})]);
        assert_eq!(values(&message, "x-twice"), [json!("one"), json!("two, three"), json!({"value_base64": STANDARD.encode(b"\xff")})]);
        assert_eq!(values(&message, "x-other"), ["\u{e9}t\u{e9}"]);
        assert_eq!(values(&message, "x-empty"), [""]);
        for (name, times) in [("authorization", 1), ("proxy-authorization", 1), ("cookie", 2), ("x-api-key", 1)] {
            assert_eq!(values(&message, name), vec!["***"; times], "{name}");
        }
        for header in message["headers"].as_array().expect("headers") {
            assert_eq!(header.as_object().map(serde_json::Map::len), Some(2), "a name and one of the two values: {header}");
        }
        assert_not_stored(app.database(), "Plainly readable body", secret).await;
    }

    // -----------------------------------------------------------------------------------------
    // What is not asked for.

    async fn nobody_signs_in_at_the_receiver(engine: TestEngine) {
        let settings = [
            ("limits.enabled", "true"), ("limits.credentials_per_minute", "1000"), ("limits.inbox_source_per_minute", "1000"), ("limits.inbox_owner_per_minute", "1000"),
        ];
        let app = TestApp::start_with(engine, &settings).await;
        let hook = any_hook(&app.admin()).await;
        let wrong = app.anonymous().basic("admin", "wrong password");
        for client in [&wrong, &app.anonymous().basic("1", "no key"), &app.anonymous().bearer("no.such.token"), &app.anonymous().authorization("Nonsense")] {
            for _ in 0..30 {
                client.send(Method::POST, &hook.inbox).await.expect(200);
            }
        }
        sign_in(&app.anonymous(), "admin", ADMIN_PASSWORD).await;
        // At the root as many lock the name.
        for _ in 0..30 {
            let status = wrong.get("/").await.status.as_u16();
            assert!([401, 429].contains(&status), "{status}");
        }
        let body = json!({"username": "admin", "password": ADMIN_PASSWORD});
        app.anonymous().post("/auth/token", &body).await.expect(429);
    }

    async fn versions_and_origins_do_not_matter(engine: TestEngine) {
        let app = TestApp::start_with(engine, &[("cors.origins", "https://one.example")]).await;
        let admin = app.admin();
        let hook = any_hook(&admin).await;
        let old = [("x-version", "0.1")];
        Reply::of(admin.request(Method::GET, "/webhooks").header(old[0].0, old[0].1)).await.expect(426);
        for version in ["0.1", "9.9", "none", ""] {
            deliver(&app.anonymous(), &hook, &[("x-version", version)], "x").await.expect(200);
        }
        deliver(&app.anonymous(), &hook, &[("origin", "https://two.example")], "x").await.expect(200);
        let found = messages(&admin, &hook).await;
        assert_eq!((found.len(), values(&found[0], "x-version")), (5, vec![json!("0.1")]));
    }

    // -----------------------------------------------------------------------------------------
    // What is too much, too slow, or broken.

    async fn a_hundred_megabytes_are_refused_and_not_held(engine: TestEngine) {
        const SIZE: usize = 100 << 20;
        let room = engine.create_database().await;
        let serving = Program::on(&room).serve();
        let admin = serving.anonymous().bearer(&sign_in(&serving.anonymous(), "admin", ADMIN_PASSWORD).await);
        let hook = any_hook(&admin).await;
        // What a first message costs is not the question.
        deliver(&serving.anonymous(), &hook, &[], "small").await.expect(200);
        let process = process_in(room.data_dir());
        let before = memory(process, "VmRSS");

        let all = |stream: &mut TcpStream| (0..SIZE / 65_536).try_for_each(|_| stream.write_all(&[b' '; 65_536]));
        exchange(serving.base(), head(&hook, &format!("Content-Length: {SIZE}")), all).await.problem(413);
        // Refused by what it announces, too, when nothing of it is there yet.
        exchange(serving.base(), head(&hook, &format!("Content-Length: {SIZE}")), |_| Ok(())).await.problem(413);
        let chunks = |stream: &mut TcpStream| {
            (0..SIZE / 65_536).try_for_each(|_| {
                stream.write_all(b"10000\r\n")?;
                stream.write_all(&[b' '; 65_536])?;
                stream.write_all(b"\r\n")
            })?;
            stream.write_all(b"0\r\n\r\n")
        };
        exchange(serving.base(), head(&hook, "Transfer-Encoding: chunked"), chunks).await.problem(413);
        let grown = memory(process, "VmHWM").saturating_sub(before);
        assert!(grown < 50 * 1024, "{grown} kB");
        assert_eq!(bytes(&only(&admin, &hook).await), b"small");
        deliver(&serving.anonymous(), &hook, &[], "still there").await.expect(200);
        serving.stop();
    }

    async fn a_setting_says_how_large_a_body_may_be(engine: TestEngine) {
        // What other routes take is another matter.
        let app = TestApp::start_with(engine, &[("inbox.max_body_bytes", "1000"), ("server.max_body_bytes", "500")]).await;
        let admin = app.admin();
        let hook = any_hook(&admin).await;
        deliver(&app.anonymous(), &hook, &[], vec![b'x'; 1000]).await.expect(200);
        refused(deliver(&app.anonymous(), &hook, &[], vec![b'x'; 1001]).await, 413);
        let sizes = |last: usize| in_chunks(vec![vec![b'x'; 600], vec![b'x'; last]]);
        exchange(app.base(), head(&hook, "Transfer-Encoding: chunked"), sizes(400)).await.expect(&[200]);
        exchange(app.base(), head(&hook, "Transfer-Encoding: chunked"), sizes(401)).await.problem(413);
        let lengths: Vec<_> = messages(&admin, &hook).await.iter().map(|message| message["size"].clone()).collect();
        assert_eq!(lengths, [1000, 1000]);

        let app = TestApp::start(engine).await;
        let hook = any_hook(&app.admin()).await;
        deliver(&app.anonymous(), &hook, &[], vec![b'x'; 5_242_880]).await.expect(200);
        refused(deliver(&app.anonymous(), &hook, &[], vec![b'x'; 5_242_881]).await, 413);
        assert_eq!(only(&app.admin(), &hook).await["size"], 5_242_880);
    }

    async fn a_slow_body_is_given_up(engine: TestEngine) {
        let app = TestApp::start_with(engine, &[("inbox.body_timeout_seconds", "1")]).await;
        let hook = any_hook(&app.admin()).await;
        // It stops arriving.
        exchange(app.base(), head(&hook, "Content-Length: 10"), |stream| stream.write_all(b"low")).await.problem(408);
        exchange(app.base(), head(&hook, "Transfer-Encoding: chunked"), |stream| stream.write_all(b"5\r\nlow")).await.problem(408);
        // It never stops arriving.
        let trickle = |stream: &mut TcpStream| {
            (0..600).try_for_each(|_| {
                std::thread::sleep(Duration::from_millis(100));
                stream.write_all(b"x")
            })
        };
        exchange(app.base(), head(&hook, "Content-Length: 100000"), trickle).await.problem(408);
        assert!(messages(&app.admin(), &hook).await.is_empty());
        deliver(&app.anonymous(), &hook, &[], "in time").await.expect(200);
    }

    async fn a_flood_of_headers_is_refused(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let hook = any_hook(&app.admin()).await;
        let many: String = (0..500).map(|n| format!("X-Header-{n}: a\r\n")).collect();
        exchange(app.base(), head(&hook, &format!("{many}Content-Length: 0")), |_| Ok(())).await.expect(&[400, 431]);
        let large = format!("X-Large: {}\r\nContent-Length: 0", "a".repeat(1 << 20));
        exchange(app.base(), head(&hook, &large), |_| Ok(())).await.expect(&[400, 431]);
        // Both lengths at once are a way to smuggle.
        let both = head(&hook, "Content-Length: 3\r\nTransfer-Encoding: chunked");
        exchange(app.base(), both, in_chunks(vec![b"low".to_vec()])).await.expect(&[400]);
        deliver(&app.anonymous(), &hook, &[], "alive").await.expect(200);
        assert_eq!(bytes(&only(&app.admin(), &hook).await), b"alive");
    }

    async fn a_body_that_breaks_off_is_not_kept(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let hook = any_hook(&app.admin()).await;
        let half = |stream: &mut TcpStream| {
            stream.write_all(b"5\r\nwater")?;
            stream.shutdown(Shutdown::Write)
        };
        for framing in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
            // The server has seen the end when it answers or closes.
            let answer = exchange(app.base(), head(&hook, framing), half).await;
            assert!(!answer.0.starts_with("HTTP/1.1 2"), "{framing}: {answer:?}");
        }
        let broken = |stream: &mut TcpStream| stream.write_all(b"no length\r\nwater\r\n0\r\n\r\n");
        let answer = exchange(app.base(), head(&hook, "Transfer-Encoding: chunked"), broken).await;
        assert!(!answer.0.starts_with("HTTP/1.1 2"), "{answer:?}");
        deliver(&app.anonymous(), &hook, &[], "whole").await.expect(200);
        assert_eq!(bytes(&only(&app.admin(), &hook).await), b"whole");
    }

    // -----------------------------------------------------------------------------------------
    // Addresses.

    async fn an_address_that_is_off_is_as_one_that_never_was(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let (hook, gone) = (any_hook(&ann).await, any_hook(&ann).await);
        ann.delete(&gone.path).await.expect(204);
        let look = async |path: &str| {
            let reply = app.anonymous().text(path, "text/plain", "knock").await;
            // Whether the connection stays depends on how much of the body had arrived.
            let mut names: Vec<_> = reply.headers.keys().map(|name: &HeaderName| name.as_str().to_owned()).filter(|name| name != "connection").collect();
            names.sort();
            let mut problem = reply.problem(404, "not_found");
            problem.as_object_mut().expect("an object").remove("request_id");
            (names, problem)
        };
        deliver(&app.anonymous(), &hook, &[], "one").await.expect(200);
        ann.patch(&hook.path, &json!({"status": 0})).await.expect(200);
        let off = look(&hook.inbox).await;
        assert_eq!(bytes(&only(&ann, &hook).await), b"one", "what it received is there still");
        let rid = hook.inbox.trim_start_matches("/in/");
        let last = if rid.ends_with('a') { 'b' } else { 'a' };
        // Letters count as they are, on every engine.
        let swapped: String = rid.chars().map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }).collect();
        let others = [
            gone.inbox.clone(), format!("{}/a/b?c=d", hook.inbox), format!("/in/{}{last}", &rid[..rid.len() - 1]), format!("/in/{swapped}"), "/in/x".to_owned(),
            format!("/in/{rid}%20"), format!("/in/{rid}x"), format!("/in/{}", "x".repeat(5000)), "/in/%ff".to_owned(), "/in/%27%20OR%201=1".to_owned(),
        ];
        for path in &others {
            assert_eq!(look(path).await, off, "{path}");
        }
        ann.patch(&hook.path, &json!({"status": 1})).await.expect(200);
        for path in &others[2..] {
            assert_eq!(look(path).await, off, "{path}");
        }
        deliver(&app.anonymous(), &hook, &[], "two").await.expect(200);
        let found = messages(&ann, &hook).await;
        assert_eq!(found.iter().map(bytes).collect::<Vec<_>>(), [b"one", b"two"]);
        for path in ["/in", "/in/"] {
            refused(app.anonymous().text(path, "text/plain", "knock").await, 404);
        }
    }

    async fn every_node_learns_that_an_address_is_off(engine: TestEngine) {
        if !engine.is_server() {
            // The embedded database belongs to one process.
            return;
        }
        let app = TestApp::start(engine).await;
        let other = app.second_node(&[]).await;
        let hook = any_hook(&app.admin()).await;
        for (status, expected) in [(1, 200), (0, 404), (1, 200)] {
            app.admin().patch(&hook.path, &json!({"status": status})).await.expect(200);
            eventually("the other node knows", PATIENCE, || async {
                deliver(&other.anonymous(), &hook, &[], "x").await.status == expected
            })
            .await;
        }
    }

    async fn a_client_sends_so_many_a_minute(engine: TestEngine) {
        let settings = [
            ("limits.enabled", "true"), ("limits.inbox_source_per_minute", "3"), ("limits.inbox_owner_per_minute", "1000"), ("server.trusted_proxies", "127.0.0.0/8"),
        ];
        let app = TestApp::start_with(engine, &settings).await;
        let ann = app.member("ann").await;
        let (hook, other) = (any_hook(&ann).await, any_hook(&ann).await);
        assert_limited(&app, &[&hook, &other], 3).await;
        // Another client is another, and who only guesses addresses is counted as well.
        let from = [("x-forwarded-for", "192.0.2.7")];
        for n in 0..6 {
            let guess = Hook { inbox: format!("{}{n}", hook.inbox), ..hook.clone() };
            let reply = deliver(&app.anonymous(), if n == 0 { &hook } else { &guess }, &from, "x").await;
            reply.expect(match n { 0 => 200, 1 | 2 => 404, _ => 429 });
        }
        let addresses: Vec<_> = messages(&ann, &hook).await.iter().map(|message| message["address"].clone()).collect();
        assert_eq!((addresses, messages(&ann, &other).await.len()), (vec![json!("127.0.0.1"), json!("127.0.0.1"), json!("192.0.2.7")], 1));
        // Routes of other kinds have their own allowance.
        ann.get("/webhooks").await.expect(200);
    }

    async fn an_owner_gets_so_many_a_minute(engine: TestEngine) {
        let settings = [("limits.enabled", "true"), ("limits.inbox_source_per_minute", "1000"), ("limits.inbox_owner_per_minute", "4")];
        let app = TestApp::start_with(engine, &settings).await;
        let (ann, bob) = (app.member("ann").await, app.member("bob").await);
        let (one, two, other) = (any_hook(&ann).await, any_hook(&ann).await, any_hook(&bob).await);
        assert_limited(&app, &[&one, &two], 4).await;
        deliver(&app.anonymous(), &other, &[], "x").await.expect(200);
        assert_eq!(messages(&ann, &one).await.len() + messages(&ann, &two).await.len(), 4);
    }

    // -----------------------------------------------------------------------------------------
    // Handshakes.

    async fn handshakes_get_their_text_back(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let anonymous = app.anonymous();
        let slack = Sender::new(&app, &ann, Provider::Slack, "refuse").await;
        let other = Sender::new(&app, &ann, Provider::Generic, "refuse").await;
        add_secret(&ann, &other.hook, "meaty ham+hock", "handshake").await;
        let bare = any_hook(&ann).await;
        let body = json!({"token": "Jhj5dZrVaK7ZwHHjRyZWjbDl", "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P", "type": "url_verification"});
        assert_text(anonymous.post(&slack.hook.inbox, &body).await, "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P");
        // Dropbox.
        assert_text(anonymous.get(&format!("{}?challenge=aBc-1_2.3%7E4", other.hook.inbox)).await, "aBc-1_2.3~4");
        // No page of somebody else's is shown under this address.
        let page = anonymous.get(&format!("{}?challenge=%3Cscript%3Ealert(1)%3C/script%3E", other.hook.inbox)).await;
        assert!(!page.body.contains("<script>"), "{}", page.body);
        // Microsoft Graph.
        let token = "Validation%3A+Testing+client+application%20reachability%2B1";
        assert_text(anonymous.text(&format!("{}?validationToken={token}", other.hook.inbox), "text/plain", "").await, "Validation: Testing client application reachability+1");
        // Meta, whose word is known.
        let meta = |hook: &Hook, word: &str| format!("{}?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={word}", hook.inbox);
        assert_text(anonymous.get(&meta(&other.hook, "meaty%20ham%2Bhock")).await, "1158201444");
        for (hook, word) in [(&other.hook, "meaty+ham"), (&other.hook, ""), (&other.hook, "Meaty+ham%2Bhock"), (&bare, ""), (&bare, "meaty+ham%2Bhock")] {
            let reply = anonymous.get(&meta(hook, word)).await;
            assert!(!reply.body.contains("1158201444"), "{word}: {}", reply.body);
        }
        // A secret for signatures is no word of a handshake.
        let reply = anonymous.get(&meta(&other.hook, &other.secret)).await;
        assert!(!reply.body.contains("1158201444"), "{}", reply.body);
        // What is off does not shake hands.
        ann.patch(&other.hook.path, &json!({"status": 0})).await.expect(200);
        refused(anonymous.get(&meta(&other.hook, "meaty%20ham%2Bhock")).await, 404);
        refused(anonymous.get(&format!("{}?challenge=abc", other.hook.inbox)).await, 404);
    }

    // -----------------------------------------------------------------------------------------
    // Signatures.

    async fn genuine_signatures_are_verified(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        for provider in PROVIDERS {
            for unverified in ["refuse", "keep"] {
                let sender = Sender::new(&app, &ann, provider, unverified).await;
                let reply = sender.send(sender.genuine("evt_1")).await;
                assert_eq!((reply.status.as_u16(), reply.body.as_str()), (200, ""), "{provider:?} {unverified}");
                let message = only(&ann, &sender.hook).await;
                assert_eq!((&message["signature"], &message["delivery_id"]), (&json!("verified"), &json!("evt_1")), "{provider:?}");
                // Clocks differ a little.
                if provider.signs_the_time() {
                    sender.send(sender.signed_at("evt_2", now() - 200)).await.expect(200);
                    assert_eq!(verdicts(&ann, &sender.hook).await, ["verified"; 2], "{provider:?}");
                }
            }
        }
    }

    async fn bad_signatures_are_refused(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        for provider in PROVIDERS {
            let sender = Sender::new(&app, &ann, provider, "refuse").await;
            for bad in sender.bad() {
                let reply = sender.send(bad.signed).await;
                assert_eq!(reply.status.as_u16(), 401, "{provider:?}, {}: {}", bad.what, reply.body);
                refused(reply, 401);
            }
            assert!(messages(&ann, &sender.hook).await.is_empty(), "{provider:?}");
            sender.send(sender.genuine("bad-1")).await.expect(200);
            assert_eq!(verdicts(&ann, &sender.hook).await, ["verified"], "{provider:?}");
        }
    }

    async fn bad_signatures_are_kept_where_that_is_wanted_and_marked(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        for provider in PROVIDERS {
            let sender = Sender::new(&app, &ann, provider, "keep").await;
            let mut wanted = Vec::new();
            for bad in sender.bad() {
                wanted.push((bad.what, bad.says));
                let reply = sender.send(bad.signed).await;
                assert_eq!((reply.status.as_u16(), reply.body.as_str()), (200, ""), "{provider:?}, {}", bad.what);
            }
            let said = verdicts(&ann, &sender.hook).await;
            assert_eq!(said.len(), wanted.len(), "{provider:?}");
            for (said, (what, says)) in said.iter().zip(wanted) {
                assert!(says.contains(&said.as_str()), "{provider:?}, {what}: {said}");
            }
        }
    }

    async fn the_same_bytes_are_verified_however_they_come(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let sender = Sender::new(&app, &ann, Provider::GitHub, "refuse").await;
        let bodies = [
            b"\xef\xbb\xbf{\"a\":1}".to_vec(), b"{\"b\" : 1,\r\n \"a\":1.0, \"a\": 2}\n".to_vec(), Vec::new(), b"\xff\x00\xfe".to_vec(), GZIP.to_vec(), vec![b'x'; 300_000],
        ];
        for body in &bodies {
            let delivery = Delivery { id: "x".into(), at: 0, body: body.clone() };
            let headers: Headers = sender.provider.sign(&sender.secret, &sender.url, &delivery).into_iter().filter(|(name, _)| *name != "x-github-delivery").collect();
            sender.send((headers.clone(), body.clone())).await.expect(200);
            let mut packed = headers.clone();
            packed.push(("content-encoding", "gzip".to_owned()));
            sender.send((packed, body.clone())).await.expect(200);
            let fields: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            let fields = format!("{}\r\nTransfer-Encoding: chunked", fields.join("\r\n"));
            let chunks: Vec<Vec<u8>> = body.chunks(3.max(body.len() / 7)).map(<[u8]>::to_vec).collect();
            exchange(app.base(), head(&sender.hook, &fields), in_chunks(chunks)).await.expect(&[200]);
        }
        let found = messages(&ann, &sender.hook).await;
        assert_eq!(found.len(), 3 * bodies.len());
        for (message, body) in found.iter().zip(bodies.iter().flat_map(|body| [body; 3])) {
            assert!(bytes(message) == *body && message["signature"] == "verified", "{message}");
        }
    }

    async fn while_a_secret_is_replaced_both_are_good(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        for provider in PROVIDERS {
            let old = Sender::new(&app, &ann, provider, "refuse").await;
            let secret = provider.secret("a new secret of this provider...");
            add_secret(&ann, &old.hook, &secret, "signature").await;
            let by_new = |id: &str| {
                let delivery = provider.delivery(id, now());
                (provider.sign(&secret, &old.url, &delivery), delivery.body)
            };
            old.send(old.genuine("evt_1")).await.expect(200);
            old.send(by_new("evt_2")).await.expect(200);
            old.client.delete(&format!("{}/secrets/{}", old.hook.path, old.secret_id)).await.expect(204);
            refused(old.send(old.genuine("evt_3")).await, 401);
            old.send(by_new("evt_4")).await.expect(200);
            assert_eq!(verdicts(&ann, &old.hook).await, ["verified"; 3], "{provider:?}");
        }
    }

    async fn what_becomes_of_bad_messages_may_change(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let sender = Sender::new(&app, &ann, Provider::GitHub, "refuse").await;
        for (n, (unverified, status)) in [("refuse", 401), ("keep", 200), ("refuse", 401)].into_iter().enumerate() {
            ann.patch(&sender.hook.path, &json!({"unverified": unverified})).await.expect(200);
            let (mut headers, body) = sender.genuine(&format!("evt_{n}"));
            headers.pop();
            sender.send((headers, body)).await.expect(status);
        }
        // So may how they are signed.
        let stripe = Sender { provider: Provider::Stripe, ..sender.clone() };
        refused(stripe.send(stripe.genuine("evt_3")).await, 401);
        ann.patch(&sender.hook.path, &json!({"provider": "stripe"})).await.expect(200);
        stripe.send(stripe.genuine("evt_3")).await.expect(200);
        refused(sender.send(sender.genuine("evt_4")).await, 401);
        assert_eq!(verdicts(&ann, &sender.hook).await, ["missing", "verified"]);
    }

    async fn some_send_more_than_one_signature(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let zeros = "0".repeat(64);
        let base64 = STANDARD.encode([0; 32]);
        for (provider, list) in [(Provider::Stripe, format!("v1={zeros},v0={zeros},")), (Provider::StandardWebhooks, format!("v1,{base64} v1a,{base64} "))] {
            let sender = Sender::new(&app, &ann, provider, "refuse").await;
            let with = |id: &str, change: &dyn Fn(&str) -> String| {
                let (mut headers, body) = sender.genuine(id);
                let (_, value) = headers.last_mut().expect("a signature");
                *value = change(value);
                (headers, body)
            };
            let among = |value: &str| match provider {
                Provider::Stripe => value.replace("v1=", &format!("{list}v1=")),
                _ => format!("{list}{value}"),
            };
            sender.send(with("evt_1", &among)).await.expect(200);
            // A scheme of another name is none.
            let renamed = |value: &str| value.replace("v1=", "v0=").replace("v1,", "v0,");
            refused(sender.send(with("evt_2", &renamed)).await, 401);
            assert_eq!(verdicts(&ann, &sender.hook).await, ["verified"], "{provider:?}");
        }
    }

    async fn a_scheme_of_ones_own_is_verified(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let (secret, body) = ("a secret of one's own", b"low \xff water".as_slice());
        for provider in ["generic", "activecampaign"] {
            for (algorithm, mac) in [("sha1", sha1(secret.as_bytes(), &[body])), ("sha256", sha256(secret.as_bytes(), &[body])), ("sha512", sha512(secret.as_bytes(), &[body]))] {
                for (encoding, value) in [("hex", hex(&mac)), ("base64", STANDARD.encode(&mac))] {
                    let scheme = json!({"hmac": {"header": "X-Own-Signature", "algorithm": algorithm, "encoding": encoding}});
                    let hook = make_hook(&ann, &json!({"name": "x", "provider": provider, "signature": scheme})).await;
                    add_secret(&ann, &hook, secret, "signature").await;
                    deliver(&app.anonymous(), &hook, &[("x-own-signature", &value)], body).await.expect(200);
                    refused(deliver(&app.anonymous(), &hook, &[("x-own-signature", &value)], "other").await, 401);
                    assert_eq!(verdicts(&ann, &hook).await, ["verified"], "{algorithm} {encoding}");
                }
            }
        }
    }

    async fn twilio_signs_the_address_that_it_was_given(engine: TestEngine) {
        let app = TestApp::start_with(engine, &[("server.public_url", "https://hooks.example.org")]).await;
        let ann = app.member("ann").await;
        let mut sender = Sender::new(&app, &ann, Provider::Twilio, "refuse").await;
        refused(sender.send(sender.genuine("SM1")).await, 401);
        sender.url = format!("https://hooks.example.org{}", sender.hook.inbox);
        sender.send(sender.genuine("SM1")).await.expect(200);
        // What stands behind the address belongs to it.
        let inbox = sender.hook.inbox.clone();
        sender.hook.inbox = format!("{inbox}/sms?a=%20b&c=d");
        refused(sender.send(sender.genuine("SM2")).await, 401);
        sender.url = format!("https://hooks.example.org{}", sender.hook.inbox);
        sender.send(sender.genuine("SM2")).await.expect(200);
        // A body that is no form is signed by its digest, which stands in the query.
        let body = b"{\"status\": \"low\"}";
        let digest = hex(&Sha256::digest(body));
        sender.hook.inbox = format!("{inbox}?bodySHA256={digest}");
        let url = format!("https://hooks.example.org{}", sender.hook.inbox);
        let signature = STANDARD.encode(sha1(sender.secret.as_bytes(), &[url.as_bytes()]));
        let headers: Headers = vec![("content-type", "application/json".to_owned()), ("x-twilio-signature", signature)];
        sender.send((headers.clone(), body.to_vec())).await.expect(200);
        refused(sender.send((headers, b"{\"status\": \"Low\"}".to_vec())).await, 401);
        assert_eq!(verdicts(&ann, &sender.hook).await, ["verified"; 3]);
    }

    async fn without_a_secret_nothing_is_verified(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        for provider in PROVIDERS {
            let hook = make_hook(&ann, &provider.hook()).await;
            add_secret(&ann, &hook, "the word of a handshake", "handshake").await;
            deliver(&app.anonymous(), &hook, &[], "bare").await.expect(200);
            deliver(&app.anonymous(), &hook, &[(provider.signature_header(), provider.garbage())], "odd").await.expect(200);
            assert_eq!(verdicts(&ann, &hook).await, ["unchecked"; 2], "{provider:?}");
            // From the next request on.
            add_secret(&ann, &hook, &provider.secret("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), "signature").await;
            refused(deliver(&app.anonymous(), &hook, &[], "bare").await, 401);
        }
    }

    // -----------------------------------------------------------------------------------------
    // What is sent twice.

    async fn the_same_delivery_is_kept_once(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        for provider in PROVIDERS {
            let sender = Sender::new(&app, &ann, provider, "refuse").await;
            for _ in 0..2 {
                assert_eq!(sender.send(sender.genuine("evt_1")).await.expect(200).body, "");
            }
            let replies = join_all((0..20).map(|_| sender.send(sender.genuine("evt_2")))).await;
            assert_eq!(statuses(&replies), [(200, 20)].into(), "{provider:?}");
            let found: Vec<_> = messages(&ann, &sender.hook).await.iter().map(|message| message["delivery_id"].clone()).collect();
            assert_eq!(found, ["evt_1", "evt_2"], "{provider:?}");
        }
    }

    async fn the_same_delivery_at_two_nodes_is_kept_once(engine: TestEngine) {
        if !engine.is_server() {
            // The embedded database belongs to one process.
            return;
        }
        let app = TestApp::start(engine).await;
        let other = app.second_node(&[]).await;
        let ann = app.member("ann").await;
        let hook = make_hook(&ann, &json!({"name": "x", "delivery_id": {"header": "X-Id"}})).await;
        for round in 0..10 {
            let name = format!("round {round}");
            let (one, two, fields) = (app.anonymous(), other.anonymous(), [("x-id", name.as_str())]);
            let replies = join_all((0..20).map(|n| deliver(if n % 2 == 0 { &one } else { &two }, &hook, &fields, name.clone()))).await;
            assert_eq!(statuses(&replies), [(200, 20)].into());
        }
        let found: Vec<_> = messages(&ann, &hook).await.iter().map(|message| message["delivery_id"].clone()).collect();
        assert_eq!(found, (0..10).map(|round| format!("round {round}")).collect::<Vec<_>>());
    }

    async fn a_bad_message_is_not_in_the_way_of_a_good_one(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        for provider in PROVIDERS {
            let sender = Sender::new(&app, &ann, provider, "keep").await;
            let forged = || {
                let (mut headers, body) = sender.genuine("evt_1");
                headers.retain(|(name, _)| *name != provider.signature_header());
                (headers, body)
            };
            sender.send(forged()).await.expect(200);
            for _ in 0..3 {
                sender.send(sender.genuine("evt_1")).await.expect(200);
            }
            let said = verdicts(&ann, &sender.hook).await;
            assert_eq!(said, ["missing", "verified"], "{provider:?}");
            // Nor where both come together.
            let mut mixed = Vec::new();
            for n in 0..20 {
                let (mut headers, body) = sender.genuine("evt_2");
                headers.retain(|(name, _)| n % 2 == 1 || *name != provider.signature_header());
                mixed.push(sender.send((headers, body)));
            }
            assert_eq!(statuses(&join_all(mixed).await), [(200, 20)].into(), "{provider:?}");
            let said = verdicts(&ann, &sender.hook).await;
            assert_eq!(said[2..].iter().filter(|said| *said == "verified").count(), 1, "{provider:?}: {said:?}");
        }
    }

    async fn an_id_counts_for_its_webhook_and_to_the_letter(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let body = json!({"name": "x", "delivery_id": {"pointer": "/event/id"}});
        let (one, two) = (make_hook(&ann, &body).await, make_hook(&ann, &body).await);
        let long = "x".repeat(3000);
        let ids = ["evt", "EVT", "evt ", " evt", "\u{e9}vt", "evt\u{301}", "", &format!("{long}1"), &format!("{long}2"), "5"];
        for hook in [&one, &two] {
            for id in ids.iter().chain(&ids) {
                app.anonymous().post(&hook.inbox, &json!({"event": {"id": id}})).await.expect(200);
            }
        }
        for hook in [&one, &two] {
            let sent: BTreeSet<String> = messages(&ann, hook).await.iter().map(|message| String::from_utf8(bytes(message)).expect("UTF-8")).collect();
            for id in ids {
                assert!(sent.contains(&json!({"event": {"id": id}}).to_string()), "{id:?} is lost");
            }
            let found = messages(&ann, hook).await.into_iter().filter(|message| message["delivery_id"] != "" && !message["delivery_id"].is_null());
            // An empty id tells nothing apart, and may stand twice.
            let ids: Vec<_> = found.map(|message| message["delivery_id"].clone()).collect();
            assert_eq!(ids.len(), 9, "{ids:?}");
        }
    }

    async fn ids_are_found_where_the_webhook_says(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let anonymous = app.anonymous();
        let of = |place: Value| json!({"name": "x", "provider": "activecampaign", "delivery_id": place});
        let by_header = make_hook(&ann, &of(json!({"header": "X-Id"}))).await;
        let by_pointer = make_hook(&ann, &of(json!({"pointer": "/events/0/a~1b"}))).await;
        let by_field = make_hook(&ann, &of(json!({"field": "contact[id]"}))).await;
        let nowhere = make_hook(&ann, &of(Value::Null)).await;
        for n in 0..2 {
            deliver(&anonymous, &by_header, &[("x-id", "d-1")], "x").await.expect(200);
            anonymous.post(&by_pointer.inbox, &json!({"n": n, "events": [{"a/b": "d-1"}]})).await.expect(200);
            anonymous.post(&by_pointer.inbox, &json!({"n": n, "events": [{"a/b": 17}]})).await.expect(200);
            anonymous.form(&by_field.inbox, &[("x", "y"), ("contact[id]", "d 1")]).await.expect(200);
            deliver(&anonymous, &nowhere, &[("x-id", "d-1")], "x").await.expect(200);
        }
        let ids = async |hook: &Hook| messages(&ann, hook).await.iter().map(|message| message["delivery_id"].clone()).collect::<Vec<_>>();
        assert_eq!(ids(&by_header).await, ["d-1"]);
        assert_eq!(ids(&by_pointer).await, ["d-1", "17"]);
        assert_eq!(ids(&by_field).await, ["d 1"]);
        assert_eq!(ids(&nowhere).await, [Value::Null, Value::Null]);
        // A message without an id is a message.
        for body in ["{}", "no JSON", "[]", ""] {
            deliver(&anonymous, &by_pointer, &[], body).await.expect(200);
            deliver(&anonymous, &by_header, &[], body).await.expect(200);
            deliver(&anonymous, &by_field, &[], body).await.expect(200);
        }
        assert_eq!((ids(&by_pointer).await.len(), ids(&by_header).await.len(), ids(&by_field).await.len()), (6, 5, 5));
    }

    async fn what_was_answered_is_there_in_its_order(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let hook = any_hook(&ann).await;
        for n in 0..5 {
            deliver(&app.anonymous(), &hook, &[], format!("{n}")).await.expect(200);
            // Before the next is sent it is seen.
            let found = messages(&ann, &hook).await;
            assert_eq!(found.iter().map(bytes).collect::<Vec<_>>(), (0..=n).map(|n| format!("{n}").into_bytes()).collect::<Vec<_>>());
            assert!(found.iter().map(id).is_sorted(), "{found:?}");
        }
    }
}

/// `{"id":"evt_gzip","text":"low water"}`, compressed.
const GZIP: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\xca\x4c\x51\xb2\x52\x4a\x2d\x2b\x89\x4f\xaf\xca\x2c\x50\xd2\x51\x2a\x49\xad\x28\x01\x8a\xe4\xe4\x97\x2b\x94\x27\x96\xa4\x16\x29\xd5\x02\x00\xc6\x7c\x27\x54\x24\x00\x00\x00";

/// Asserts that an answer is this text, and nothing that a browser would show in another way.
#[track_caller]
fn assert_text(reply: Reply, expected: &str) {
    let reply = reply.expect(200);
    assert_eq!(reply.body, expected);
    assert!(
        reply.header("content-type").starts_with("text/plain"),
        "{:?}",
        reply.headers
    );
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
}

/// Asserts that of messages to these addresses in turn so many come through, and that the answer
/// says when to come again.
async fn assert_limited(app: &TestApp, hooks: &[&Hook], allowed: usize) {
    for n in 0..allowed + 4 {
        let hook = hooks[n % hooks.len()];
        let reply = deliver(&app.anonymous(), hook, &[], "x").await;
        if n < allowed {
            reply.expect(200);
        } else {
            let seconds: u64 = reply.header("retry-after").parse().expect("seconds");
            assert!((1..=60).contains(&seconds), "{seconds}");
            reply.problem(429, "rate_limited");
        }
    }
}
