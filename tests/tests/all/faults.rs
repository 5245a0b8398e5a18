//! What the webhook inbox keeps when things end without a warning: the program and the database
//! server are killed (`SIGKILL`) again and again while events arrive, are collected and are
//! leased. `make test` does it a few times, `make test-faults` often; the numbers are those of
//! `TIDEGATE_TEST_KILLS` and `TIDEGATE_TEST_DATABASE_KILLS`.

#![allow(
    clippy::disallowed_methods,
    reason = "tests read their own environment"
)]

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::task::block_in_place;

use crate::support::app::{ADMIN_PASSWORD, sign_in};
use crate::support::client::{Client, Reply};
use crate::support::engines::TestEngine;
use crate::support::process::{Program, Serving, eventually};
use crate::support::server::OwnServer;

/// Senders, and workers that share the consumer.
const SENDERS: usize = 16;
const WORKERS: usize = 3;

/// How long a lease holds: what a killed program handed out is soon handed out again.
const LEASE: Duration = Duration::from_secs(2);

/// How long anything may take, a database server that comes back on a busy machine included.
const PATIENCE: Duration = Duration::from_secs(90);

/// A pause before what had no answer is tried again, as any client makes one.
const PAUSE: Duration = Duration::from_millis(20);

fn from_environment(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(number) => number.parse().expect("a number"),
        Err(_) => default,
    }
}

/// A port that stays the same when the program starts again. It lies below those that the system
/// gives to connections and those that `scripts/test-db` takes.
fn port() -> u16 {
    let first = u16::try_from(std::process::id() % 4_000).expect("below 4000");
    (0..4_000)
        .map(|at| 11_000 + (first + at) % 4_000)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

/// The body of an event: any bytes, of a length between nothing and more than a packet.
fn body(number: u64) -> Vec<u8> {
    let length = match number % 100 {
        50 => 100_000,
        rest => [0, 1, 100, 700, 2_000, 5_000][(rest % 6) as usize] + number as usize % 13,
    };
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    })
    .take(length)
    .collect()
}

fn delivery_id(number: u64) -> String {
    format!("event-{number}")
}

/// What all tasks share.
struct Run {
    /// The provider, and the address that it was given, from the server's root.
    provider: Client,
    address: String,
    /// Whoever collects.
    owner: Client,
    webhook: i64,
    /// The number of the next event.
    next: AtomicU64,
    /// Answers with 2xx; with 503; none at all, or none that was waited for.
    answered: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    /// Requests for an event that was sent before.
    resent: AtomicU64,
    /// Answers that should never be.
    wrong: Mutex<Vec<String>>,
    /// No new events are sent.
    stop: AtomicBool,
    /// The newest message, once no more come.
    last: AtomicI64,
    /// Every message is done.
    done: AtomicBool,
}

impl Run {
    // -----------------------------------------------------------------------------------------
    // Those who send.

    /// Sends one event after the other, each until it was answered well.
    async fn send(&self) {
        while !self.stop.load(Ordering::SeqCst) {
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            match number % 10 {
                // Twice at the same time.
                3 => {
                    self.resent.fetch_add(1, Ordering::SeqCst);
                    tokio::join!(self.deliver(number), self.deliver(number));
                }
                // Once more after a good answer.
                6 => {
                    self.deliver(number).await;
                    self.resent.fetch_add(1, Ordering::SeqCst);
                    self.deliver(number).await;
                }
                // Given up early, so that the second request may meet the first one.
                9 => {
                    self.attempt(number, Duration::from_millis(number % 29 + 1))
                        .await;
                    self.resent.fetch_add(1, Ordering::SeqCst);
                    self.deliver(number).await;
                }
                _ => self.deliver(number).await,
            }
        }
    }

    async fn deliver(&self, number: u64) {
        while !self.attempt(number, Duration::from_secs(20)).await {
            self.resent.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Sends an event once; whether the answer was good.
    async fn attempt(&self, number: u64, patience: Duration) -> bool {
        let request = self
            .provider
            .request(Method::POST, &self.address)
            .header("x-delivery", delivery_id(number))
            .body(body(number))
            .timeout(patience);
        let counter = match Reply::try_of(request).await {
            Ok(reply) if reply.status.is_success() => &self.answered,
            Ok(reply) if reply.status.as_u16() == 503 => &self.refused,
            Ok(reply) => {
                self.complain(format!("event {number}: {reply:?}")).await;
                &self.failed
            }
            Err(_) => &self.failed,
        };
        counter.fetch_add(1, Ordering::SeqCst);
        std::ptr::eq(counter, &self.answered)
    }

    // -----------------------------------------------------------------------------------------
    // Those who collect.

    /// Asks with the owner's key: status and body. `None` where there is no answer or a 503, after
    /// a pause.
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Option<(u16, Value)> {
        let mut request = self
            .owner
            .request(method, &format!("/webhooks/{}{path}", self.webhook));
        if let Some(body) = &body {
            request = request.json(body);
        }
        match Reply::try_of(request).await {
            Ok(reply) if [200, 204, 409].contains(&reply.status.as_u16()) => {
                let value = match reply.body.is_empty() {
                    true => Value::Null,
                    false => reply.value(),
                };
                return Some((reply.status.as_u16(), value));
            }
            Ok(reply) if reply.status.as_u16() == 503 => {}
            Ok(reply) => self.complain(format!("{path}: {reply:?}")).await,
            Err(_) => {}
        }
        tokio::time::sleep(PAUSE).await;
        None
    }

    /// The messages after one, as many as come at once.
    async fn page(&self, after: i64, wait: u64) -> Option<Vec<Value>> {
        let path = format!("/messages?after={after}&limit=100&wait={wait}");
        let (_, answer) = self.ask(Method::GET, &path, None).await?;
        Some(answer["messages"].as_array().expect("messages").clone())
    }

    /// Follows the messages as they come, as a program does that keeps its place by itself.
    async fn follow(&self) -> Vec<i64> {
        let mut seen: Vec<i64> = Vec::new();
        loop {
            let after = seen.last().copied().unwrap_or_default();
            if after >= self.last.load(Ordering::SeqCst) {
                return seen;
            }
            let messages = self.page(after, 1).await.unwrap_or_default();
            seen.extend(messages.iter().map(id));
        }
    }

    /// Leases messages and settles them, until all are done.
    async fn work(&self, worker: usize) -> Vec<Hold> {
        let mut holds = Vec::new();
        for turn in worker.. {
            if self.done.load(Ordering::SeqCst) {
                break;
            }
            let lease = json!({"limit": 1 + turn * 7 % 60, "seconds": LEASE.as_secs(), "wait": 1});
            let path = "/consumers/erp/lease";
            let Some((200, answer)) = self.ask(Method::POST, path, Some(lease)).await else {
                continue;
            };
            let Some(lease) = answer["lease"].as_str() else {
                continue;
            };
            let mut held = Hold::all(&answer);
            // Most are done; some are given back, and of some leases only a part is settled.
            let (action, end) = match turn % 10 {
                4 => ("nack", End::GivenBack),
                _ => ("ack", End::Done),
            };
            let count = match turn % 10 {
                8 => held.len().div_ceil(2),
                _ => held.len(),
            };
            let (settled, _) = held.split_at_mut(count);
            let ids: Vec<i64> = settled.iter().map(|hold| hold.message).collect();
            if self.settle(action, lease, &ids).await || end == End::GivenBack {
                // Whether messages were given back is not known without an answer.
                settled.iter_mut().for_each(|hold| hold.end = end);
            }
            holds.append(&mut held);
        }
        holds
    }

    /// Asks until there is an answer, as whoever did the work must; whether it was a good one.
    async fn settle(&self, action: &str, lease: &str, ids: &[i64]) -> bool {
        let path = format!("/consumers/erp/{action}");
        let body = json!({"lease": lease, "ids": ids});
        loop {
            if let Some((status, _)) = self.ask(Method::POST, &path, Some(body.clone())).await {
                return status == 204;
            }
        }
    }

    // -----------------------------------------------------------------------------------------

    async fn complain(&self, about: String) {
        let mut wrong = self.wrong.lock().await;
        if wrong.len() < 10 {
            eprintln!("{about}");
            wrong.push(about);
        }
    }

    /// Waits until so many more events were answered well.
    async fn answers(&self, more: u64, serving: &Serving) {
        let goal = self.answered.load(Ordering::SeqCst) + more;
        let start = Instant::now();
        while self.answered.load(Ordering::SeqCst) < goal {
            if start.elapsed() > PATIENCE {
                let log = serving.printed().text();
                let lines: Vec<&str> = log.lines().rev().take(30).collect();
                panic!("nothing is answered any more; the last lines first: {lines:#?}");
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

fn id(message: &Value) -> i64 {
    message["id"].as_i64().expect("a number")
}

/// A message in the hands of one worker.
struct Hold {
    message: i64,
    delivery: i64,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    end: End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The answer said that it is done.
    Done,
    /// It was given back, or perhaps not.
    GivenBack,
    /// The lease ran out, or the answer got lost.
    Open,
}

impl Hold {
    fn all(lease: &Value) -> Vec<Self> {
        let until = lease["expires_at"].as_str().expect("a time");
        let until: DateTime<Utc> = until.parse().expect("a time");
        let messages = lease["messages"].as_array().expect("messages");
        messages
            .iter()
            .map(|message| Self {
                message: id(message),
                delivery: message["delivery"].as_i64().expect("a number"),
                from: until - LEASE,
                until,
                end: End::Open,
            })
            .collect()
    }

    /// Whether one that came after another of the same message should not have been.
    fn clashes_with(&self, before: &Self) -> bool {
        let taken = match before.end {
            End::Done => true,
            End::GivenBack => false,
            End::Open => self.from < before.until,
        };
        taken || self.delivery <= before.delivery
    }
}

/// Kills the program (which is what dropping it does) and the server, each so often, the latter
/// evenly spread among the former.
async fn kill(
    run: &Run,
    program: &Program,
    mut serving: Serving,
    server: Option<&OwnServer>,
    (kills, of_server): (u64, u64),
) -> Serving {
    let all = kills + of_server;
    for turn in 0..all {
        // A few events or many, so that the moments differ.
        run.answers(1 + turn * 37 % 97, &serving).await;
        let is_turn_of_server = (turn + 1) * of_server / all > turn * of_server / all;
        match server.filter(|_| is_turn_of_server) {
            Some(server) => block_in_place(|| {
                server.kill();
                server.restart();
            }),
            None => {
                drop(serving);
                serving = block_in_place(|| program.serve());
            }
        }
    }
    run.answers(100, &serving).await;
    serving
}

on_every_engine! {
    async fn what_was_answered_well_is_there_once(engine: TestEngine) {
        let server = engine.is_server().then(|| OwnServer::start(engine));
        let kills = from_environment("TIDEGATE_TEST_KILLS", 4);
        let kills_of_server = match server {
            Some(_) => from_environment("TIDEGATE_TEST_DATABASE_KILLS", 1),
            None => 0,
        };
        let directory = tempfile::tempdir().expect("a directory");
        let program = Program::at(directory.path(), server.as_ref().map(OwnServer::url))
            .with("server.address", &format!("127.0.0.1:{}", port()));

        let serving = program.serve();
        let anonymous = serving.anonymous();
        let admin = anonymous.bearer(&sign_in(&anonymous, "admin", ADMIN_PASSWORD).await);
        let key = admin.post("/users/1/api-key", &json!({})).await.expect(201).value();
        let webhook = json!({"name": "Shop", "delivery_id": {"header": "X-Delivery"}, "max_deliveries": 1000});
        let webhook = admin.post("/webhooks", &webhook).await.expect(201).value();
        let address = webhook["url"].as_str().expect("an address").strip_prefix(serving.base()).expect("a path");
        let run = Arc::new(Run {
            provider: anonymous.clone(),
            address: address.to_owned(),
            owner: anonymous.basic("1", key["api_key"].as_str().expect("a key")),
            webhook: id(&webhook),
            next: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            resent: AtomicU64::new(0),
            wrong: Mutex::new(Vec::new()),
            stop: AtomicBool::new(false),
            last: AtomicI64::new(i64::MAX),
            done: AtomicBool::new(false),
        });

        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                let run = Arc::clone(&run);
                tokio::spawn(async move { run.send().await })
            })
            .collect();
        let follower = tokio::spawn({
            let run = Arc::clone(&run);
            async move { run.follow().await }
        });
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let run = Arc::clone(&run);
                tokio::spawn(async move { run.work(worker).await })
            })
            .collect();
        let serving = kill(&run, &program, serving, server.as_ref(), (kills, kills_of_server)).await;

        // Every event is sent until it is answered well, so all of them must be there.
        run.stop.store(true, Ordering::SeqCst);
        for sender in within(join_all(senders)).await {
            sender.expect("a sender");
        }
        let sent = run.next.load(Ordering::SeqCst);
        let (mut ids, mut stored, mut strange) = (Vec::new(), BTreeSet::new(), Vec::new());
        loop {
            let page = run.page(ids.last().copied().unwrap_or_default(), 0).await.expect("a page");
            if page.is_empty() {
                break;
            }
            for message in page {
                ids.push(id(&message));
                let delivery = message["delivery_id"].as_str().expect("an id");
                let number = delivery.strip_prefix("event-").and_then(|number| number.parse().ok());
                let number: u64 = number.expect("the id of an event");
                stored.insert(number);
                if message["body"] != STANDARD.encode(body(number)) {
                    strange.push(number);
                }
            }
        }
        let lost: Vec<u64> = (0..sent).filter(|number| !stored.contains(number)).collect();
        let doubled = ids.len() - stored.len();

        // Whoever followed has missed nothing, and every message gets done.
        run.last.store(ids.last().copied().expect("a message"), Ordering::SeqCst);
        let seen = within(follower).await.expect("the follower");
        eventually("every message is done", PATIENCE, || async {
            let path = "/consumers/erp";
            let Some((200, consumer)) = run.ask(Method::GET, path, None).await else { return false };
            ["leased", "waiting", "dead", "behind"].iter().all(|member| consumer[member] == 0)
        })
        .await;
        run.done.store(true, Ordering::SeqCst);
        let workers = within(join_all(workers)).await;
        let mut holds: Vec<Hold> = workers.into_iter().flat_map(|holds| holds.expect("a worker")).collect();
        holds.sort_by_key(|hold| (hold.message, hold.from, hold.delivery));
        let worked: BTreeSet<i64> = holds.iter().map(|hold| hold.message).collect();
        let clashes: Vec<_> = holds
            .windows(2)
            .filter(|pair| pair[0].message == pair[1].message && pair[1].clashes_with(&pair[0]))
            .map(|pair| (pair[0].message, pair[0].delivery, pair[1].delivery))
            .collect();

        let count = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        println!(
            "{engine}: {kills} kills of Tidegate, {kills_of_server} of the database server; {sent} events, \
             {} answers 2xx, {} answers 503, {} requests without an answer, {} sent again; \
             {} messages stored, {} lost, {doubled} doubled, {} changed; {} handed out, {} clashes",
            count(&run.answered),
            count(&run.refused),
            count(&run.failed),
            count(&run.resent),
            ids.len(),
            lost.len(),
            strange.len(),
            holds.len(),
            clashes.len(),
        );
        let wrong = run.wrong.lock().await;
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert!(lost.is_empty(), "answered well and lost: {lost:?}");
        assert_eq!(doubled, 0, "stored twice");
        assert!(strange.is_empty(), "other bytes than were sent: {strange:?}");
        assert!(clashes.is_empty(), "two leases at once: {clashes:?}");
        assert!(ids.is_sorted_by(|one, next| one < next), "not in order: {ids:?}");
        assert!(seen == ids, "whoever followed has missed {:?}", missing(&seen, &ids));
        assert!(worked.iter().eq(&ids), "never handed out: {:?}", missing(&worked, &ids));
        serving.stop();
    }
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work)
        .await
        .expect("not within the time")
}

fn missing<'a>(from: impl IntoIterator<Item = &'a i64>, of: &[i64]) -> Vec<i64> {
    let from: BTreeSet<i64> = from.into_iter().copied().collect();
    of.iter().filter(|id| !from.contains(id)).copied().collect()
}
