//! Collecting from the inbox (docs/WEBHOOKS.md): pages of messages, waiting for one, and
//! consumers, whose workers share the messages of a webhook.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, FixedOffset};
use futures_util::future::{join, join_all};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{ADMIN_PASSWORD, TestApp, sign_in};
use crate::support::client::{Client, Reply};
use crate::support::engines::TestEngine;
use crate::support::process::{Program, eventually};
use crate::support::resource::{is_time, members, statuses};
use crate::webhooks::{Hook, any_hook, bytes, deliver, id, make_hook, messages, refused};

/// How long something may take on a busy machine: much less than the longest wait.
const PATIENCE: Duration = Duration::from_secs(40);

/// The ids of an answer's messages.
fn ids(answer: &Value) -> Vec<i64> {
    let list = answer["messages"].as_array().expect("messages");
    list.iter().map(id).collect()
}

/// Sends so many messages one after the other, and gives their ids.
async fn fill(app: &TestApp, client: &Client, hook: &Hook, count: usize) -> Vec<i64> {
    for n in 0..count {
        let reply = deliver(&app.anonymous(), hook, &[], n.to_string()).await;
        reply.expect(200);
    }
    messages(client, hook).await.iter().map(id).collect()
}

/// Sends so many messages by 32 tasks to one or more nodes; the body of each is its number.
async fn flood(nodes: &[Client], hook: &Hook, count: usize) {
    let next = Arc::new(AtomicUsize::new(0));
    let tasks = (0..32).map(|task| {
        let (client, path) = (nodes[task % nodes.len()].clone(), hook.inbox.clone());
        let next = Arc::clone(&next);
        tokio::spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::SeqCst);
                if n >= count {
                    return;
                }
                let request = client.request(Method::POST, &path).body(n.to_string());
                Reply::of(request).await.expect(200);
            }
        })
    });
    for task in join_all(tasks).await {
        task.expect("a sender");
    }
}

async fn lease(client: &Client, hook: &Hook, consumer: &str, body: Value) -> Value {
    let reply = client.post(&hook.consumer(consumer, "lease"), &body).await;
    reply.expect(200).value()
}

/// `ack`, `nack`, `extend` or `replay` of the consumer `erp`.
async fn settle(client: &Client, hook: &Hook, verb: &str, body: Value) -> Reply {
    client.post(&hook.consumer("erp", verb), &body).await
}

/// What is said of the consumer `erp`.
async fn state(client: &Client, hook: &Hook) -> Value {
    let path = hook.consumer("erp", "");
    client.get(&path).await.expect(200).value()
}

/// The numbers of leased, waiting, dead, and not yet handed out messages of `erp`.
async fn counts(client: &Client, hook: &Hook) -> [u64; 4] {
    let state = state(client, hook).await;
    ["leased", "waiting", "dead", "behind"].map(|name| state[name].as_u64().expect("a number"))
}

/// Waits until `erp` holds no lease any more.
async fn until_over(client: &Client, hook: &Hook) {
    eventually("the lease is over", PATIENCE, || async {
        counts(client, hook).await[0] == 0
    })
    .await;
}

/// Leases for `erp` until something is handed out.
async fn until_leased(client: &Client, hook: &Hook, body: Value) -> Value {
    let found = Mutex::new(Value::Null);
    eventually("something is handed out", PATIENCE, || async {
        let leased = lease(client, hook, "erp", body.clone()).await;
        let some = !leased["lease"].is_null();
        *found.lock().expect("the lock") = leased;
        some
    })
    .await;
    found.into_inner().expect("the lock")
}

fn time(value: &Value) -> DateTime<FixedOffset> {
    DateTime::parse_from_rfc3339(value.as_str().expect("a time")).expect("RFC 3339")
}

/// The deliveries of a lease's messages.
fn deliveries(leased: &Value) -> Vec<u64> {
    let list = leased["messages"].as_array().expect("messages");
    list.iter()
        .map(|message| message["delivery"].as_u64().expect("a number"))
        .collect()
}

/// An administrator of a program of its own.
async fn administrator(anonymous: &Client) -> (Client, String) {
    let token = sign_in(anonymous, "admin", ADMIN_PASSWORD).await;
    (anonymous.bearer(&token), token)
}

/// Sends two requests at once on a connection: the answer to the first says that the server has
/// the second, too.
struct Waiting {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Waiting {
    fn begin(base: &str, token: &str, request: &str, body: &str) -> Self {
        let address = base.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a time limit");
        let requests = format!(
            "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n\
             {request} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(requests.as_bytes()).expect("is sent");
        let mut waiting = Self {
            stream,
            answer: Vec::new(),
        };
        while !waiting.text().contains("{\"status\":\"ok\"}") {
            assert!(waiting.read() > 0, "closed: {}", waiting.text());
        }
        waiting
    }

    fn read(&mut self) -> usize {
        let mut piece = [0; 4096];
        let length = self.stream.read(&mut piece).expect("an answer in time");
        self.answer.extend_from_slice(&piece[..length]);
        length
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.answer).into_owned()
    }

    /// What is said until the server closes.
    fn finish(mut self) -> String {
        while self.read() > 0 {}
        self.text()
    }
}

on_every_engine! {
    // -----------------------------------------------------------------------------------------
    // Pages of messages.

    async fn messages_come_in_pages_in_their_order(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let (hook, other) = (any_hook(&ann).await, any_hook(&ann).await);
        assert_eq!(ann.get(&format!("{}/messages", hook.path)).await.expect(200).value(), json!({"messages": []}));
        flood(&[app.anonymous()], &hook, 100).await;
        fill(&app, &ann, &other, 1).await;
        flood(&[app.anonymous()], &hook, 5).await;
        let all: Vec<i64> = messages(&ann, &hook).await.iter().map(id).collect();
        assert!(all.len() == 105 && all.is_sorted_by(|a, b| a < b), "{all:?}");
        let page = async |query: &str| {
            let value = ann.get(&format!("{}/messages{query}", hook.path)).await.expect(200).value();
            assert_eq!(members(&value), ["messages"]);
            ids(&value)
        };
        assert_eq!(page("").await, all[..20]);
        assert_eq!(page("/").await, all[..20]);
        assert_eq!(page("?limit=3").await, all[..3]);
        assert_eq!(page(&format!("?after={}&limit=2&wait=0", all[9])).await, all[10..12]);
        // Any number is a place to go on from, one of another webhook's messages, too.
        assert_eq!(page("?after=0&limit=1").await, all[..1]);
        let foreign = id(&messages(&ann, &other).await[0]);
        let rest: Vec<i64> = all.iter().copied().filter(|id| *id > foreign).collect();
        assert_eq!(page(&format!("?after={foreign}")).await, rest);
        assert_eq!(page(&format!("?after={}", all[104])).await, Vec::<i64>::new());
        assert_eq!(page("?after=9223372036854775807").await, Vec::<i64>::new());
        for query in ["?limit=100", "?limit=101", "?limit=1000", "?limit=2000000000"] {
            assert_eq!(page(query).await, all[..100], "{query}");
        }
        for query in ["limit=0", "limit=-1", "limit=x", "limit=", "limit=1.5", "after=-1", "after=x", "after=99999999999999999999", "wait=-1", "wait=x", "from=1", "offset=1"] {
            ann.get(&format!("{}/messages?{query}", hook.path)).await.problem(422, "validation_failed");
        }
        // Sixty seconds at most: more is lowered or refused.
        let long = ann.get(&format!("{}/messages?wait=61", hook.path)).await.status.as_u16();
        assert!([200, 422].contains(&long), "{long}");
    }

    async fn one_message_is_read_as_it_is_listed(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let (hook, other) = (any_hook(&ann).await, any_hook(&ann).await);
        let page = "<!doctype html><script>alert(1)</script>";
        deliver(&app.anonymous(), &hook, &[("content-type", "text/html")], page).await.expect(200);
        let message = messages(&ann, &hook).await[0].clone();
        assert_eq!(members(&message), [
            "address", "body", "delivery_id", "headers", "id", "method", "path", "query", "received_at", "signature", "size", "webhook_id",
        ]);
        let received = message["received_at"].as_str().expect("a time");
        assert!(is_time(&message["received_at"]) && received.len() == "2026-03-01T06:40:00.123456Z".len(), "{received}");
        let path = format!("{}/messages/{}", hook.path, message["id"]);
        assert_eq!(ann.get(&path).await.expect(200).value(), message);
        assert_eq!(ann.get(&format!("{path}/")).await.expect(200).value(), message);

        // Whoever wrote the body does not say how it is shown.
        let body = ann.get(&format!("{path}/body")).await.expect(200);
        assert_eq!(body.body, page);
        assert_eq!((body.header("content-type"), body.header("x-content-type-options")), ("application/octet-stream", "nosniff"));
        assert!(body.header("content-disposition").starts_with("attachment"), "{:?}", body.headers);

        for path in [format!("{}/messages/{}", other.path, message["id"]), format!("{}/messages/987654", hook.path)] {
            ann.get(&path).await.problem(404, "not_found");
            ann.get(&format!("{path}/body")).await.problem(404, "not_found");
        }
        refused(ann.get(&format!("{}/messages/x", hook.path)).await, 422);
        refused(ann.get(&format!("{}/messages/x/body", hook.path)).await, 422);
        for method in [Method::PUT, Method::PATCH, Method::DELETE] {
            ann.send(method, &path).await.problem(405, "method_not_allowed");
        }
    }

    async fn who_has_seen_one_has_seen_all_before_it(engine: TestEngine) {
        const COUNT: usize = 600;
        let app = TestApp::start(engine).await;
        let mut nodes = vec![app.anonymous()];
        // The embedded database belongs to one process.
        let other = if engine.is_server() { Some(app.second_node(&[]).await) } else { None };
        nodes.extend(other.iter().map(TestApp::anonymous));
        let ann = app.member("ann").await;
        let hook = any_hook(&ann).await;
        let reader = async {
            let mut seen: Vec<i64> = Vec::new();
            while seen.len() < COUNT {
                let after = seen.last().copied().unwrap_or_default();
                let page = ann.get(&format!("{}/messages?after={after}&limit=7&wait=30", hook.path)).await.expect(200).value();
                assert!(!ids(&page).is_empty(), "{} of {COUNT} seen", seen.len());
                seen.extend(ids(&page));
            }
            seen
        };
        let (seen, ()) = join(reader, flood(&nodes, &hook, COUNT)).await;
        let all: Vec<i64> = messages(&ann, &hook).await.iter().map(id).collect();
        assert!(all.is_sorted_by(|a, b| a < b), "{all:?}");
        assert_eq!(seen, all);
    }

    async fn large_messages_come_over_several_pages(engine: TestEngine) {
        const SIZE: usize = 4_500_000;
        let app = TestApp::start_with(engine, &[("inbox.max_body_bytes", "6000000")]).await;
        let ann = app.member("ann").await;
        let hook = any_hook(&ann).await;
        for n in 0..5_u8 {
            deliver(&app.anonymous(), &hook, &[], vec![n; SIZE]).await.expect(200);
        }
        let (mut found, mut pages, mut after) = (Vec::new(), 0, 0);
        loop {
            let reply = ann.get(&format!("{}/messages?after={after}&limit=100", hook.path)).await.expect(200);
            // About 16 MB, whether of the bodies or of their text, and one more at most.
            assert!(reply.body.len() < 28_000_000, "{}", reply.body.len());
            let page = reply.value();
            let Some(last) = ids(&page).last().copied() else { break };
            found.extend(page["messages"].as_array().expect("messages").iter().map(bytes));
            (after, pages) = (last, pages + 1);
        }
        assert!(found == (0..5_u8).map(|n| vec![n; SIZE]).collect::<Vec<_>>(), "{} messages", found.len());
        assert!(pages > 1, "all in one");

        // A lease hands out as much as it can answer with.
        let mut handed_out = Vec::new();
        loop {
            let leased = lease(&ann, &hook, "erp", json!({"limit": 100, "seconds": 600})).await;
            if leased["lease"].is_null() {
                break;
            }
            assert!(leased.to_string().len() < 28_000_000, "{:?}", ids(&leased));
            handed_out.extend(ids(&leased));
            settle(&ann, &hook, "ack", json!({"lease": leased["lease"]})).await.expect(204);
        }
        assert_eq!(handed_out, messages(&ann, &hook).await.iter().map(id).collect::<Vec<_>>());
    }

    // -----------------------------------------------------------------------------------------
    // Waiting.

    async fn who_waits_is_answered_when_a_message_comes(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let other = if engine.is_server() { Some(app.second_node(&[]).await) } else { None };
        let nodes: Vec<Client> = [Some(&app), other.as_ref()].into_iter().flatten().map(TestApp::anonymous).collect();
        let ann = app.member("ann").await;
        let (hook, quiet) = (any_hook(&ann).await, any_hook(&ann).await);
        let mut after = 0;
        for round in 0..6 {
            let (path, body) = (format!("{}/messages?after={after}&wait=60", hook.path), json!({"limit": 1, "wait": 60}));
            let send = async {
                // By now the others wait, most of the times.
                for _ in 0..3 {
                    ann.get(&quiet.path).await.expect(200);
                }
                deliver(&nodes[round % nodes.len()], &hook, &[], format!("{round}")).await.expect(200);
            };
            let waiting = join_all([ann.get(&path), ann.get(&path)]);
            let leasing = lease(&ann, &hook, "erp", body);
            let together = join(join(waiting, leasing), send);
            let ((pages, leased), ()) = tokio::time::timeout(PATIENCE, together).await.expect("an answer before the wait is over");
            let found: Vec<i64> = pages.into_iter().flat_map(|page| ids(&page.expect(200).value())).collect();
            assert!(found.len() == 2 && found[0] == found[1] && found[0] > after, "{found:?}");
            assert_eq!(ids(&leased), [found[0]]);
            settle(&ann, &hook, "ack", json!({"lease": leased["lease"]})).await.expect(204);
            after = found[0];
        }
    }

    async fn who_waits_in_vain_gets_an_empty_list(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let hook = any_hook(&ann).await;
        let page = ann.get(&format!("{}/messages?wait=1", hook.path)).await.expect(200).value();
        assert_eq!(page, json!({"messages": []}));
        let leased = lease(&ann, &hook, "erp", json!({"wait": 1})).await;
        assert_eq!((&leased["lease"], &leased["messages"]), (&Value::Null, &json!([])));
    }

    async fn many_wait_and_nobody_is_in_the_way(engine: TestEngine) {
        let app = TestApp::start_with(engine, &[("database.max_connections", "4"), ("database.acquire_timeout_seconds", "5")]).await;
        let ann = app.member("ann").await;
        let hook = any_hook(&ann).await;
        let waiting: Vec<_> = (0..40)
            .map(|n| {
                let (client, path) = (ann.clone(), format!("{}/messages?wait=60", hook.path));
                let consumer = hook.consumer(&format!("worker-{n}"), "lease");
                tokio::spawn(async move {
                    match n % 2 {
                        0 => client.get(&path).await,
                        _ => client.post(&consumer, &json!({"wait": 60})).await,
                    }
                })
            })
            .collect();
        let work = async {
            for n in 0..20 {
                ann.patch(&hook.path, &json!({"name": format!("Renamed {n}")})).await.expect(200);
            }
            deliver(&app.anonymous(), &hook, &[], "for all").await.expect(200);
            join_all(waiting).await
        };
        let answers = tokio::time::timeout(PATIENCE, work).await.expect("answers before the wait is over");
        for answer in answers {
            let answer = answer.expect("a client").expect(200).value();
            assert_eq!(answer["messages"].as_array().map(Vec::len), Some(1), "{answer}");
        }
    }

    async fn who_hangs_up_while_waiting_is_handed_nothing(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let token = sign_in(&app.anonymous(), "admin", ADMIN_PASSWORD).await;
        let hook = any_hook(&app.admin()).await;
        let request = format!("POST {}", hook.consumer("erp", "lease"));
        let mut gone = Waiting::begin(app.base(), &token, &request, "{\"wait\": 60, \"seconds\": 600}");
        gone.stream.shutdown(Shutdown::Write).expect("an open connection");
        // It closes when it has noticed.
        while gone.read() > 0 {}
        assert!(!gone.text().contains("messages"), "{}", gone.text());
        deliver(&app.anonymous(), &hook, &[], "for who is there").await.expect(200);
        let leased = lease(&app.admin(), &hook, "erp", json!({})).await;
        assert_eq!(deliveries(&leased), [1], "{leased}");
    }

    async fn who_waits_is_answered_when_the_server_stops(engine: TestEngine) {
        let room = engine.create_database().await;
        let serving = Program::on(&room).serve();
        let (admin, token) = administrator(&serving.anonymous()).await;
        let hook = any_hook(&admin).await;
        let page = format!("GET {}/messages?wait=60", hook.path);
        let leased = format!("POST {}", hook.consumer("erp", "lease"));
        let waiting = [
            Waiting::begin(serving.base(), &token, &page, ""),
            Waiting::begin(serving.base(), &token, &leased, "{\"wait\": 60}"),
        ];
        serving.terminate();
        for waiting in waiting {
            let text = waiting.finish();
            assert_eq!(text.matches("HTTP/1.1 200").count(), 2, "{text}");
            assert!(text.contains("\"messages\":[]"), "{text}");
        }
        serving.wait(PATIENCE).success();
    }

    // -----------------------------------------------------------------------------------------
    // Consumers.

    async fn a_consumer_lives_from_its_first_lease(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let hook = any_hook(&ann).await;
        let sent = fill(&app, &ann, &hook, 5).await;
        assert_eq!(ann.get(&hook.consumer("", "")).await.expect(200).value(), json!({"consumers": []}));
        ann.get(&hook.consumer("erp", "")).await.problem(404, "not_found");
        ann.delete(&hook.consumer("erp", "")).await.problem(404, "not_found");

        let leased = lease(&ann, &hook, "erp", json!({"limit": 2, "seconds": 600})).await;
        assert_eq!(members(&leased), ["expires_at", "lease", "messages"]);
        assert_eq!((ids(&leased), deliveries(&leased)), (sent[..2].to_vec(), vec![1, 1]));
        assert!(leased["lease"].as_str().is_some_and(|lease| lease.len() >= 16) && is_time(&leased["expires_at"]), "{leased}");
        // What is handed out is what is listed, and how often it was.
        let mut first = leased["messages"][0].clone();
        first.as_object_mut().expect("a message").remove("delivery");
        assert_eq!(first, messages(&ann, &hook).await[0]);

        let consumer = state(&ann, &hook).await;
        assert_eq!(members(&consumer), ["behind", "created_at", "dead", "leased", "name", "position", "waiting"]);
        assert_eq!((&consumer["name"], &consumer["position"]), (&json!("erp"), &json!(sent[1])));
        assert!(is_time(&consumer["created_at"]), "{consumer}");
        assert_eq!(counts(&ann, &hook).await, [2, 0, 0, 3]);
        assert_eq!(ann.get(&hook.consumer("", "")).await.expect(200).value(), json!({"consumers": [consumer]}));

        settle(&ann, &hook, "nack", json!({"lease": leased["lease"], "ids": [sent[0]]})).await.expect(204);
        assert_eq!(counts(&ann, &hook).await, [1, 1, 0, 3]);
        assert_eq!(settle(&ann, &hook, "ack", json!({"lease": leased["lease"], "ids": [sent[1]]})).await.expect(204).body, "");
        assert_eq!(counts(&ann, &hook).await, [0, 1, 0, 3]);
        let rest = lease(&ann, &hook, "erp", json!({"limit": 100, "seconds": 600})).await;
        let mut again: BTreeMap<i64, u64> = ids(&rest).into_iter().zip(deliveries(&rest)).collect();
        assert_eq!(again.remove(&sent[0]), Some(2));
        assert_eq!(again, sent[2..].iter().map(|id| (*id, 1)).collect());
        let consumer = state(&ann, &hook).await;
        assert_eq!((&consumer["position"], counts(&ann, &hook).await), (&json!(sent[4]), [4, 0, 0, 0]));
        let none = lease(&ann, &hook, "erp", json!({})).await;
        assert_eq!((&none["lease"], &none["messages"]), (&Value::Null, &json!([])));
        settle(&ann, &hook, "ack", json!({"lease": rest["lease"]})).await.expect(204);
        assert_eq!(counts(&ann, &hook).await, [0; 4]);
        // The messages themselves stay.
        assert_eq!(messages(&ann, &hook).await.len(), 5);

        // Another begins with the oldest, by ten where nothing else is said; so does one that was forgotten.
        fill(&app, &ann, &hook, 6).await;
        assert_eq!(lease(&ann, &hook, "crm", json!({})).await["messages"].as_array().map(Vec::len), Some(10));
        assert_eq!(counts(&ann, &hook).await, [0, 0, 0, 6]);
        let names: Vec<_> = ann.get(&hook.consumer("", "")).await.value()["consumers"].as_array().expect("consumers").iter().map(|consumer| consumer["name"].clone()).collect();
        assert_eq!(BTreeSet::from_iter(names.iter().map(Value::to_string)), ["\"crm\"".to_owned(), "\"erp\"".to_owned()].into());
        assert_eq!(ann.delete(&hook.consumer("erp", "")).await.expect(204).body, "");
        ann.get(&hook.consumer("erp", "")).await.problem(404, "not_found");
        let anew = lease(&ann, &hook, "erp", json!({"limit": 1})).await;
        assert_eq!((ids(&anew), deliveries(&anew)), (vec![sent[0]], vec![1]));
    }

    async fn names_of_consumers_count_to_the_letter(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let (hook, other) = (any_hook(&ann).await, any_hook(&ann).await);
        let sent = fill(&app, &ann, &hook, 1).await;
        let long = "x".repeat(64);
        for name in ["erp", "ERP", "erp.", "e-r_p", "1", long.as_str()] {
            assert_eq!(ids(&lease(&ann, &hook, name, json!({"seconds": 600})).await), sent, "{name}");
            assert_eq!(ann.get(&hook.consumer(name, "")).await.expect(200).value()["name"], name);
        }
        // Another webhook's of the same name is another.
        ann.get(&other.consumer("erp", "")).await.problem(404, "not_found");
        for name in ["a%20b", "%C3%A9", "erp%20", "a:b", &"x".repeat(65)] {
            for (method, verb) in [(Method::POST, "lease"), (Method::POST, "ack"), (Method::GET, ""), (Method::DELETE, "")] {
                let request = ann.request(method, &hook.consumer(name, verb)).json(&json!({"lease": "x"}));
                refused(Reply::of(request).await, 422);
            }
        }
        assert_eq!(ann.get(&hook.consumer("", "")).await.value()["consumers"].as_array().map(Vec::len), Some(6));
    }

    async fn requests_of_workers_that_do_not_fit_are_refused(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let hook = any_hook(&ann).await;
        let sent = fill(&app, &ann, &hook, 3).await;
        let leased = lease(&ann, &hook, "erp", json!({"limit": 2, "seconds": 600})).await;
        let held = leased["lease"].clone();
        let with = |member: &str, value: Value| {
            let mut body = json!({"lease": held});
            body[member] = value;
            body
        };
        let mut wrong = vec![
            ("replay", json!({}), ""), ("replay", json!({"to": 5}), ""), ("replay", json!({"from": "x"}), "/from"), ("replay", json!({"from": 1.5}), "/from"),
            ("replay", json!({"from": sent[0], "to": "x"}), "/to"), ("replay", json!({"dead": "yes"}), "/dead"), ("replay", json!({"from": sent[0], "lease": held}), "/lease"),
        ];
        for (member, values) in [
            ("limit", vec![json!(0), json!(-1), json!("x"), json!(1.5), json!(true)]), ("seconds", vec![json!(0), json!(-1), json!("x"), json!(1.5)]),
            ("wait", vec![json!(-1), json!("x"), json!(1.5)]), ("colour", vec![json!("red")]), ("lease", vec![json!("x")]),
        ] {
            let pointer = match member { "limit" => "/limit", "seconds" => "/seconds", "wait" => "/wait", "lease" => "/lease", _ => "/colour" };
            wrong.extend(values.into_iter().map(|value| ("lease", json!({member: value}), pointer)));
        }
        for verb in ["ack", "nack", "extend"] {
            wrong.extend([
                (verb, json!({}), "/lease"), (verb, json!({"lease": 5}), "/lease"), (verb, json!({"lease": null}), "/lease"), (verb, json!({"ids": sent}), "/lease"),
                (verb, with("ids", json!(sent[0])), "/ids"), (verb, with("ids", json!(["x"])), "/ids"), (verb, with("ids", json!([1.5])), "/ids"), (verb, with("colour", json!(1)), "/colour"),
            ]);
        }
        wrong.extend([
            ("nack", with("delay", json!(-1)), "/delay"), ("nack", with("delay", json!("x")), "/delay"), ("nack", with("delay", json!(43_201)), "/delay"),
            ("extend", with("seconds", json!(0)), "/seconds"), ("extend", with("seconds", json!("x")), "/seconds"), ("extend", with("seconds", json!(-1)), "/seconds"),
            ("ack", with("delay", json!(1)), "/delay"), ("ack", with("seconds", json!(1)), "/seconds"),
        ]);
        for (verb, body, pointer) in wrong {
            let problem = settle(&ann, &hook, verb, body.clone()).await.problem(422, "validation_failed");
            let found = problem["errors"][0]["pointer"].as_str().expect("a pointer");
            assert!(found.starts_with(pointer), "{verb} {body}: {found}");
        }
        for verb in ["lease", "ack", "nack", "extend", "replay"] {
            let path = hook.consumer("erp", verb);
            refused(ann.text(&path, "application/json", "{\"lease\":").await, 400);
            refused(ann.text(&path, "application/json", &b"{\"lease\": \"\xff\"}"[..]).await, 400);
            ann.text(&path, "text/plain", "{}").await.problem(415, "unsupported_media_type");
            ann.post(&path, &json!([])).await.problem(422, "validation_failed");
            let get = ann.get(&path).await;
            assert!(get.header("allow").contains("POST"), "{verb}: {:?}", get.headers);
            get.problem(405, "method_not_allowed");
        }
        for query in ["limit=0", "limit=x", "after=-1", "after=x", "wait=1"] {
            ann.get(&format!("{}?{query}", hook.consumer("erp", "dead"))).await.problem(422, "validation_failed");
        }
        // Nobody knows this consumer.
        for verb in ["ack", "nack", "extend"] {
            let status = ann.post(&hook.consumer("nobody", verb), &json!({"lease": held})).await.status.as_u16();
            assert!([404, 409].contains(&status), "{verb}: {status}");
        }
        ann.get(&hook.consumer("nobody", "dead")).await.problem(404, "not_found");
        assert_eq!(counts(&ann, &hook).await, [2, 0, 0, 1], "nothing has changed");
        assert_eq!(ann.get(&hook.consumer("", "")).await.value()["consumers"].as_array().map(Vec::len), Some(1));
        settle(&ann, &hook, "ack", json!({"lease": held})).await.expect(204);
    }

    async fn what_a_lease_does_not_hold_is_not_settled_by_it(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let hook = any_hook(&ann).await;
        let sent = fill(&app, &ann, &hook, 5).await;
        let one = lease(&ann, &hook, "erp", json!({"limit": 2, "seconds": 600})).await["lease"].clone();
        let two = lease(&ann, &hook, "erp", json!({"limit": 2, "seconds": 600})).await["lease"].clone();
        assert_ne!(one, two);
        for verb in ["ack", "nack", "extend"] {
            for ids in [vec![sent[2]], vec![sent[0], sent[2]], vec![sent[0], sent[4]], vec![sent[0], 987_654]] {
                settle(&ann, &hook, verb, json!({"lease": one, "ids": ids})).await.problem(409, "lease_expired");
            }
            for lease in [json!("x"), json!(""), json!(one.as_str().expect("a lease").to_uppercase()), json!(format!("{} ", one.as_str().expect("a lease"))), json!("x".repeat(5000))] {
                let reply = settle(&ann, &hook, verb, json!({"lease": lease})).await;
                assert!([409, 422].contains(&reply.status.as_u16()), "{verb} {lease}: {}", reply.status);
            }
        }
        assert_eq!(counts(&ann, &hook).await, [4, 0, 0, 1]);
        settle(&ann, &hook, "ack", json!({"lease": one, "ids": [sent[0]]})).await.expect(204);
        // Done is done.
        settle(&ann, &hook, "ack", json!({"lease": one, "ids": [sent[0]]})).await.problem(409, "lease_expired");
        settle(&ann, &hook, "nack", json!({"lease": one, "ids": [sent[0], sent[1]]})).await.problem(409, "lease_expired");
        assert_eq!(counts(&ann, &hook).await, [3, 0, 0, 1]);
        settle(&ann, &hook, "nack", json!({"lease": one, "ids": [sent[1]]})).await.expect(204);
        for verb in ["ack", "nack", "extend"] {
            settle(&ann, &hook, verb, json!({"lease": one})).await.problem(409, "lease_expired");
        }
        settle(&ann, &hook, "ack", json!({"lease": two, "ids": [sent[2], sent[3]]})).await.expect(204);
        assert_eq!(counts(&ann, &hook).await, [0, 1, 0, 1]);
        // A lease of another consumer is none of this one's.
        let foreign = lease(&ann, &hook, "crm", json!({"seconds": 600})).await["lease"].clone();
        settle(&ann, &hook, "ack", json!({"lease": foreign})).await.problem(409, "lease_expired");
    }

    async fn a_lease_that_is_over_is_nobodys(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let hook = any_hook(&ann).await;
        let sent = fill(&app, &ann, &hook, 3).await;
        let old = lease(&ann, &hook, "erp", json!({"seconds": 1})).await;
        assert_eq!((ids(&old), deliveries(&old)), (sent.clone(), vec![1; 3]));
        until_over(&ann, &hook).await;
        assert_eq!(counts(&ann, &hook).await, [0, 3, 0, 0]);
        for verb in ["ack", "nack", "extend"] {
            settle(&ann, &hook, verb, json!({"lease": old["lease"]})).await.problem(409, "lease_expired");
            settle(&ann, &hook, verb, json!({"lease": old["lease"], "ids": [sent[0]]})).await.problem(409, "lease_expired");
        }
        assert_eq!(counts(&ann, &hook).await, [0, 3, 0, 0]);

        let new = until_leased(&ann, &hook, json!({"seconds": 600})).await;
        assert_eq!((ids(&new), deliveries(&new)), (sent.clone(), vec![2; 3]));
        assert_ne!(new["lease"], old["lease"]);
        for verb in ["ack", "nack", "extend"] {
            settle(&ann, &hook, verb, json!({"lease": old["lease"]})).await.problem(409, "lease_expired");
        }
        assert_eq!(counts(&ann, &hook).await, [3, 0, 0, 0]);
        settle(&ann, &hook, "ack", json!({"lease": new["lease"]})).await.expect(204);
        assert_eq!(counts(&ann, &hook).await, [0; 4]);
    }

    async fn a_lease_may_be_over_in_part(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let hook = any_hook(&ann).await;
        let sent = fill(&app, &ann, &hook, 3).await;
        let old = lease(&ann, &hook, "erp", json!({"seconds": 5})).await;
        settle(&ann, &hook, "extend", json!({"lease": old["lease"], "ids": [sent[0]], "seconds": 600})).await.expect(200);
        let new = until_leased(&ann, &hook, json!({"seconds": 600})).await;
        assert_eq!(ids(&new), sent[1..]);
        for verb in ["ack", "nack", "extend"] {
            settle(&ann, &hook, verb, json!({"lease": old["lease"], "ids": sent[..2]})).await.problem(409, "lease_expired");
            settle(&ann, &hook, verb, json!({"lease": old["lease"], "ids": sent[1..]})).await.problem(409, "lease_expired");
        }
        assert_eq!(counts(&ann, &hook).await, [3, 0, 0, 0], "nothing has changed");
        settle(&ann, &hook, "ack", json!({"lease": old["lease"], "ids": [sent[0]]})).await.expect(204);
        settle(&ann, &hook, "ack", json!({"lease": new["lease"]})).await.expect(204);
        assert_eq!(counts(&ann, &hook).await, [0; 4]);
    }

    async fn a_worker_gives_messages_back(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let hook = any_hook(&ann).await;
        let sent = fill(&app, &ann, &hook, 3).await;
        let one = lease(&ann, &hook, "erp", json!({"seconds": 600})).await;
        settle(&ann, &hook, "nack", json!({"lease": one["lease"], "ids": [sent[1]]})).await.expect(204);
        let two = lease(&ann, &hook, "erp", json!({"seconds": 600})).await;
        assert_eq!((ids(&two), deliveries(&two)), (vec![sent[1]], vec![2]));
        // Much later, and soon.
        settle(&ann, &hook, "nack", json!({"lease": one["lease"], "ids": [sent[0]], "delay": 43_200})).await.expect(204);
        settle(&ann, &hook, "nack", json!({"lease": one["lease"], "ids": [sent[2]], "delay": 1})).await.expect(204);
        assert_eq!(counts(&ann, &hook).await, [1, 2, 0, 0]);
        let three = until_leased(&ann, &hook, json!({"seconds": 600})).await;
        assert_eq!((ids(&three), deliveries(&three)), (vec![sent[2]], vec![2]));
        assert_eq!(lease(&ann, &hook, "erp", json!({})).await["lease"], Value::Null);
        assert_eq!(counts(&ann, &hook).await, [2, 1, 0, 0]);
        // Who waits is answered when the time has come, or somebody gives one back.
        settle(&ann, &hook, "nack", json!({"lease": three["lease"], "delay": 1})).await.expect(204);
        let waiting = lease(&ann, &hook, "erp", json!({"seconds": 600, "wait": 60}));
        let due = tokio::time::timeout(PATIENCE, waiting).await.expect("an answer before the wait is over");
        assert_eq!((ids(&due), deliveries(&due)), (vec![sent[2]], vec![3]));
        let waiting = lease(&ann, &hook, "erp", json!({"seconds": 600, "wait": 60}));
        let giving = settle(&ann, &hook, "nack", json!({"lease": two["lease"]}));
        let (due, given) = tokio::time::timeout(PATIENCE, join(waiting, giving)).await.expect("an answer before the wait is over");
        given.expect(204);
        assert_eq!((ids(&due), deliveries(&due)), (vec![sent[1]], vec![3]));
    }

    async fn what_was_not_begun_does_not_count(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let hook = make_hook(&ann, &json!({"name": "x", "max_deliveries": 1})).await;
        let sent = fill(&app, &ann, &hook, 2).await;
        for _ in 0..3 {
            let leased = lease(&ann, &hook, "erp", json!({})).await;
            assert_eq!((ids(&leased), deliveries(&leased)), (sent.clone(), vec![1, 1]));
            let both = json!({"lease": leased["lease"], "begun": false, "delay": 5});
            let problem = settle(&ann, &hook, "nack", both).await.problem(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], "/delay");
            settle(&ann, &hook, "nack", json!({"lease": leased["lease"], "begun": false})).await.expect(204);
            assert_eq!(counts(&ann, &hook).await, [0, 2, 0, 0]);
        }
        let leased = lease(&ann, &hook, "erp", json!({})).await;
        let many: Vec<u64> = (1..=101).collect();
        for ids in [json!([]), json!(many)] {
            let problem = settle(&ann, &hook, "ack", json!({"lease": leased["lease"], "ids": ids})).await.problem(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], "/ids");
        }
        settle(&ann, &hook, "nack", json!({"lease": leased["lease"]})).await.expect(204);
        assert_eq!(counts(&ann, &hook).await, [0, 0, 2, 0]);
    }

    async fn a_worker_asks_for_more_time(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let hook = any_hook(&ann).await;
        let sent = fill(&app, &ann, &hook, 2).await;
        let long = lease(&ann, &hook, "erp", json!({"limit": 1, "seconds": 5})).await;
        let reply = settle(&ann, &hook, "extend", json!({"lease": long["lease"], "seconds": 43_200})).await.expect(200).value();
        assert_eq!(members(&reply), ["expires_at"]);
        let gained = time(&reply["expires_at"]) - time(&long["expires_at"]);
        assert!(gained.num_seconds() > 43_000, "{gained}");
        // Another that began later is over, and this one is not.
        let short = lease(&ann, &hook, "erp", json!({"seconds": 5})).await;
        let again = until_leased(&ann, &hook, json!({"seconds": 600})).await;
        assert_eq!((ids(&short), ids(&again)), (vec![sent[1]], vec![sent[1]]));
        settle(&ann, &hook, "ack", json!({"lease": long["lease"]})).await.expect(204);
        // Thirty seconds where nothing else is said; from now, so that it may also be less.
        let reply = settle(&ann, &hook, "extend", json!({"lease": again["lease"]})).await.expect(200).value();
        assert!(time(&reply["expires_at"]) < time(&again["expires_at"]), "{reply}");
        settle(&ann, &hook, "extend", json!({"lease": again["lease"], "seconds": 1})).await.expect(200);
        assert_eq!(ids(&until_leased(&ann, &hook, json!({})).await), [sent[1]]);
    }

    async fn what_never_succeeds_is_dead(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let hook = make_hook(&ann, &json!({"name": "x", "max_deliveries": 2})).await;
        let sent = fill(&app, &ann, &hook, 4).await;
        let dead = async |query: &str| {
            let value = ann.get(&format!("{}{query}", hook.consumer("erp", "dead"))).await.expect(200).value();
            assert_eq!(members(&value), ["messages"]);
            ids(&value)
        };
        // Two are given back twice, one is forgotten twice, and one is done at the second time.
        for delivery in [1, 2] {
            let leased = until_leased(&ann, &hook, json!({"seconds": 5})).await;
            assert_eq!((ids(&leased), deliveries(&leased)), (sent.clone(), vec![delivery; 4]));
            settle(&ann, &hook, "nack", json!({"lease": leased["lease"], "ids": sent[..2]})).await.expect(204);
            if delivery == 2 {
                settle(&ann, &hook, "ack", json!({"lease": leased["lease"], "ids": [sent[3]]})).await.expect(204);
            } else {
                until_over(&ann, &hook).await;
            }
        }
        until_over(&ann, &hook).await;
        assert_eq!(counts(&ann, &hook).await, [0, 0, 3, 0]);
        assert_eq!(lease(&ann, &hook, "erp", json!({})).await["lease"], Value::Null);
        assert_eq!(dead("").await, sent[..3]);
        assert_eq!(dead("/").await, sent[..3]);
        assert_eq!(dead("?limit=2").await, sent[..2]);
        assert_eq!(dead(&format!("?after={}&limit=1", sent[0])).await, [sent[1]]);
        assert_eq!(dead("?limit=1000").await, sent[..3]);
        // They are dead for this consumer alone.
        assert_eq!(ids(&lease(&ann, &hook, "crm", json!({})).await), sent);

        let replay = async |body: Value| settle(&ann, &hook, "replay", body).await.expect(200).value();
        assert_eq!(replay(json!({"from": sent[0], "to": sent[0]})).await, json!({"replayed": 1}));
        assert_eq!(counts(&ann, &hook).await, [0, 1, 2, 0]);
        assert_eq!(replay(json!({"dead": true})).await, json!({"replayed": 2}));
        assert_eq!((dead("").await, replay(json!({"dead": true})).await), (Vec::new(), json!({"replayed": 0})));
        let leased = lease(&ann, &hook, "erp", json!({"seconds": 600})).await;
        assert_eq!(ids(&leased), sent[..3]);
        settle(&ann, &hook, "ack", json!({"lease": leased["lease"]})).await.expect(204);
        assert_eq!(counts(&ann, &hook).await, [0; 4]);
    }

    async fn done_messages_are_handed_out_again_where_that_is_wanted(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let hook = any_hook(&ann).await;
        let sent = fill(&app, &ann, &hook, 6).await;
        let replay = async |body: Value| settle(&ann, &hook, "replay", body).await.expect(200).value()["replayed"].clone();
        let done = lease(&ann, &hook, "erp", json!({"limit": 4})).await;
        settle(&ann, &hook, "ack", json!({"lease": done["lease"]})).await.expect(204);
        let held = lease(&ann, &hook, "erp", json!({"limit": 1, "seconds": 600})).await;
        assert_eq!(counts(&ann, &hook).await, [1, 0, 0, 1]);

        assert_eq!(replay(json!({"from": sent[1], "to": sent[2]})).await, 2);
        assert_eq!(replay(json!({"from": sent[1], "to": sent[2]})).await, 0, "they are to be handed out already");
        assert_eq!(counts(&ann, &hook).await, [1, 2, 0, 1]);
        let again = lease(&ann, &hook, "erp", json!({"limit": 2, "seconds": 600})).await;
        // What waits comes with what is new, and each once.
        let rest = lease(&ann, &hook, "erp", json!({"seconds": 600})).await;
        let both: BTreeSet<i64> = ids(&again).into_iter().chain(ids(&rest)).collect();
        assert_eq!((both, ids(&again).len() + ids(&rest).len()), ([sent[1], sent[2], sent[5]].into(), 3));
        for leased in [&again, &rest] {
            if !leased["lease"].is_null() {
                settle(&ann, &hook, "ack", json!({"lease": leased["lease"]})).await.expect(204);
            }
        }
        // To the newest where no end is given; one that a worker has, or that is in nobody's list, is not meant.
        assert_eq!(replay(json!({"from": sent[3]})).await, 2);
        assert_eq!(replay(json!({"from": sent[5] + 1})).await, 0);
        assert_eq!(counts(&ann, &hook).await, [1, 2, 0, 0]);
        let last = lease(&ann, &hook, "erp", json!({"seconds": 600})).await;
        assert_eq!(ids(&last), [sent[3], sent[5]]);
        settle(&ann, &hook, "ack", json!({"lease": held["lease"]})).await.expect(204);
        settle(&ann, &hook, "ack", json!({"lease": last["lease"]})).await.expect(204);
        assert_eq!(replay(json!({"from": sent[0]})).await, 6);

        let all = lease(&ann, &hook, "erp", json!({"seconds": 600})).await;
        settle(&ann, &hook, "ack", json!({"lease": all["lease"]})).await.expect(204);
        // Who waits gets them, too.
        let waiting = lease(&ann, &hook, "erp", json!({"seconds": 600, "wait": 60}));
        let together = join(waiting, replay(json!({"from": sent[5]})));
        let (due, replayed) = tokio::time::timeout(PATIENCE, together).await.expect("an answer before the wait is over");
        assert_eq!((ids(&due), replayed), (vec![sent[5]], json!(1)));

        // Where some were never handed out, they are handed out once.
        let first = lease(&ann, &hook, "crm", json!({"limit": 2})).await;
        ann.post(&hook.consumer("crm", "ack"), &json!({"lease": first["lease"]})).await.expect(204);
        let reply = ann.post(&hook.consumer("crm", "replay"), &json!({"from": sent[0]})).await.expect(200).value();
        assert_eq!(reply, json!({"replayed": 2}));
        let (mut seen, mut answers) = (Vec::new(), 0);
        while answers < 10 {
            let leased = lease(&ann, &hook, "crm", json!({"limit": 4, "seconds": 600})).await;
            seen.extend(ids(&leased));
            answers += 1;
            if leased["lease"].is_null() {
                break;
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, sent);
    }

    async fn positions_outlive_the_server(engine: TestEngine) {
        let room = engine.create_database().await;
        let program = Program::on(&room);
        let first = program.serve();
        let (admin, _) = administrator(&first.anonymous()).await;
        let hook = any_hook(&admin).await;
        for n in 0..10 {
            deliver(&first.anonymous(), &hook, &[], n.to_string()).await.expect(200);
        }
        let sent: Vec<i64> = messages(&admin, &hook).await.iter().map(id).collect();
        let leased = lease(&admin, &hook, "erp", json!({"limit": 4, "seconds": 600})).await;
        settle(&admin, &hook, "ack", json!({"lease": leased["lease"], "ids": sent[..2]})).await.expect(204);
        settle(&admin, &hook, "nack", json!({"lease": leased["lease"], "ids": [sent[2]]})).await.expect(204);
        let before = state(&admin, &hook).await;
        first.stop();

        let second = program.serve();
        let (admin, _) = administrator(&second.anonymous()).await;
        assert_eq!(state(&admin, &hook).await, before);
        let rest = lease(&admin, &hook, "erp", json!({"limit": 100, "seconds": 600})).await;
        let found: BTreeMap<i64, u64> = ids(&rest).into_iter().zip(deliveries(&rest)).collect();
        let wanted = [(sent[2], 2)].into_iter().chain(sent[4..].iter().map(|id| (*id, 1))).collect();
        assert_eq!(found, wanted);
        settle(&admin, &hook, "ack", json!({"lease": leased["lease"], "ids": [sent[3]]})).await.expect(204);
        settle(&admin, &hook, "ack", json!({"lease": rest["lease"]})).await.expect(204);
        assert_eq!(counts(&admin, &hook).await, [0; 4]);
        // The address is the same, and ids go on.
        deliver(&second.anonymous(), &hook, &[], "after").await.expect(200);
        let new = lease(&admin, &hook, "erp", json!({})).await;
        assert!(ids(&new).len() == 1 && ids(&new)[0] > sent[9], "{new}");
        second.stop();
    }

    async fn many_begin_a_consumer_at_once(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let hook = any_hook(&ann).await;
        let sent = fill(&app, &ann, &hook, 20).await;
        let path = hook.consumer("erp", "lease");
        let body = json!({"limit": 1, "seconds": 600});
        let replies = join_all((0..20).map(|_| ann.post(&path, &body))).await;
        assert_eq!(statuses(&replies), [(200, 20)].into());
        let mut found: Vec<i64> = replies.iter().flat_map(|reply| ids(&reply.value())).collect();
        found.sort_unstable();
        assert_eq!(found, sent);
        assert_eq!(counts(&ann, &hook).await, [20, 0, 0, 0]);
    }

    async fn ten_thousand_messages_are_each_handed_out_once(engine: TestEngine) {
        const COUNT: usize = 10_000;
        let app = TestApp::start(engine).await;
        let other = if engine.is_server() { Some(app.second_node(&[]).await) } else { None };
        let ann = app.member("ann").await;
        let hook = Arc::new(any_hook(&ann).await);
        let nodes: Vec<&TestApp> = [Some(&app), other.as_ref()].into_iter().flatten().collect();
        let senders: Vec<Client> = nodes.iter().map(|node| node.anonymous()).collect();
        let total = Arc::new(AtomicUsize::new(0));
        let workers = [0, 1].map(|n| {
            let node = nodes[n % nodes.len()];
            let (anonymous, hook, total) = (node.anonymous(), Arc::clone(&hook), Arc::clone(&total));
            async move {
                let client = anonymous.bearer(&sign_in(&anonymous, "ann", crate::support::app::MEMBER_PASSWORD).await);
                tokio::spawn(async move {
                    let (mut seen, mut idle) = (Vec::new(), 0);
                    while total.load(Ordering::SeqCst) < COUNT && idle < 10 {
                        let leased = lease(&client, &hook, "erp", json!({"limit": 100, "seconds": 600, "wait": 2})).await;
                        idle = if leased["lease"].is_null() { idle + 1 } else { 0 };
                        if idle > 0 {
                            continue;
                        }
                        total.fetch_add(ids(&leased).len(), Ordering::SeqCst);
                        assert!(ids(&leased).len() <= 100 && deliveries(&leased).iter().all(|delivery| *delivery == 1), "{:?}", ids(&leased));
                        seen.extend(leased["messages"].as_array().expect("messages").iter().map(|message| (id(message), bytes(message))));
                        settle(&client, &hook, "ack", json!({"lease": leased["lease"]})).await.expect(204);
                    }
                    seen
                })
                .await
                .expect("a worker")
            }
        });
        let (found, ()) = join(join_all(workers), flood(&senders, &hook, COUNT)).await;
        assert!(found.iter().all(|seen| !seen.is_empty()), "one did all the work");
        let seen: Vec<(i64, Vec<u8>)> = found.into_iter().flatten().collect();
        let distinct: BTreeSet<i64> = seen.iter().map(|(id, _)| *id).collect();
        let numbers: BTreeSet<usize> = seen.iter().map(|(_, body)| String::from_utf8_lossy(body).parse().expect("a number")).collect();
        assert_eq!((seen.len(), distinct.len()), (COUNT, COUNT));
        assert!(numbers.into_iter().eq(0..COUNT), "some are not those that were sent");
        assert_eq!(counts(&ann, &hook).await, [0; 4]);
        assert_eq!(state(&ann, &hook).await["position"], json!(distinct.last()));
        assert_eq!(lease(&ann, &hook, "erp", json!({})).await["lease"], Value::Null);
    }

    async fn whatever_workers_do_each_message_is_done_once(engine: TestEngine) {
        const COUNT: usize = 240;
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let hook = make_hook(&ann, &json!({"name": "x", "max_deliveries": 1000})).await;
        flood(&[app.anonymous()], &hook, COUNT).await;
        let done = Arc::new(Mutex::new(Vec::<i64>::new()));
        let work = async |worker: usize| {
            let mut turn = worker;
            while done.lock().expect("the lock").len() < COUNT {
                turn += 1;
                let seconds = if turn.is_multiple_of(4) { 1 } else { 600 };
                let leased = lease(&ann, &hook, "erp", json!({"limit": 7, "seconds": seconds, "wait": 1})).await;
                let held = ids(&leased);
                if held.is_empty() {
                    continue;
                }
                let settled = |verb: &'static str, ids: Vec<i64>| settle(&ann, &hook, verb, json!({"lease": leased["lease"], "ids": ids}));
                match turn % 4 {
                    // Forgotten.
                    0 => {}
                    1 => {
                        settled("nack", held).await.expect(204);
                    }
                    2 => {
                        let half = held.len().div_ceil(2);
                        settled("ack", held[..half].to_vec()).await.expect(204);
                        done.lock().expect("the lock").extend(&held[..half]);
                        if half < held.len() {
                            settled("nack", held[half..].to_vec()).await.expect(204);
                        }
                    }
                    _ => {
                        settled("ack", held.clone()).await.expect(204);
                        done.lock().expect("the lock").extend(held);
                    }
                }
            }
        };
        join_all((0..6).map(work)).await;
        let done = done.lock().expect("the lock").clone();
        let distinct: BTreeSet<i64> = done.iter().copied().collect();
        assert_eq!((done.len(), distinct.len()), (COUNT, COUNT), "done twice");
        assert_eq!(counts(&ann, &hook).await, [0; 4]);
        assert_eq!(lease(&ann, &hook, "erp", json!({})).await["lease"], Value::Null);
    }
}
