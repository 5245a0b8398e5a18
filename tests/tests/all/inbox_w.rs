//! The routes of the older inbox (docs/WEBHOOKS.md), for clients that were written for it: their
//! answers to the letter, and such a client itself.

use std::path::Path;
use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{MEMBER_PASSWORD, TestApp};
use crate::support::client::{Client, Reply};
use crate::support::engines::TestEngine;
use crate::support::resource::members;
use crate::webhooks::{Hook, any_hook, deliver, id, make_hook, messages, refused, wording};

/// A user as the older inbox knows one: an id and an API key.
struct Caller {
    id: String,
    key: String,
    client: Client,
}

async fn caller(app: &TestApp, name: &str) -> Caller {
    let member = app.member(name).await;
    let id = member.get("/auth/me").await.expect(200).value()["id"].to_string();
    let made = member
        .post(&format!("/users/{id}/api-key"), &json!({}))
        .await
        .expect(201)
        .value();
    let key = made["api_key"].as_str().expect("a key").to_owned();
    Caller {
        client: app.anonymous().basic(&id, &key),
        id,
        key,
    }
}

/// The list that `/whcontent` answers with.
async fn list(client: &Client, query: &str) -> Vec<Value> {
    let value = client
        .get(&format!("/whcontent{query}"))
        .await
        .expect(200)
        .value();
    assert_eq!(members(&value), ["whcontent"]);
    value["whcontent"].as_array().expect("a list").clone()
}

fn ids(list: &[Value]) -> Vec<i64> {
    list.iter().map(id).collect()
}

fn contents(list: &[Value]) -> Vec<&str> {
    list.iter()
        .map(|item| item["content"].as_str().expect("a text"))
        .collect()
}

/// Stores content of one's own, and gives its id.
async fn store(request: reqwest::RequestBuilder) -> i64 {
    let value = Reply::of(request).await.expect(201).value();
    assert_eq!(value, json!({"result": "ok", "id": value["id"]}));
    id(&value)
}

/// Whether it reads `YYYY-MM-DD HH:MM:SS`.
fn is_date_and_time(value: &Value) -> bool {
    let format = "%Y-%m-%d %H:%M:%S";
    value.as_str().is_some_and(|text| {
        chrono::NaiveDateTime::parse_from_str(text, format)
            .is_ok_and(|time| time.format(format).to_string() == text)
    })
}

/// What a client for the older inbox needs to know.
fn python(app: &TestApp, caller: &Caller) -> Command {
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/inbox_w.py");
    let mut command = Command::new("python3");
    command
        .arg(client)
        .env("BASE", app.base())
        .env("ID", &caller.id)
        .env("KEY", &caller.key);
    command
}

on_every_engine! {
    async fn the_root_and_the_webhooks_answer_as_published(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = caller(&app, "ann").await;
        for path in ["/", ""] {
            assert_eq!(ann.client.get(path).await.expect(200).value()["username"], ann.id);
        }
        assert_eq!(ann.client.get("/webhooks").await.expect(200).value(), json!({"webhooks": []}));
        let (shop, bank) = (make_hook(&ann.client, &json!({"name": "Shop"})).await, make_hook(&ann.client, &json!({"name": "Bank", "status": 0})).await);
        for path in ["/webhooks", "/webhooks/"] {
            let answer = ann.client.get(path).await.expect(200).value();
            assert_eq!(members(&answer), ["webhooks"]);
            let shown: Vec<_> = answer["webhooks"].as_array().expect("webhooks").iter().map(|hook| json!([hook["wh_id"], hook["wh_url"], hook["wh_name"], hook["status"]])).collect();
            let url = |hook: &Hook| format!("{}{}", app.base(), hook.inbox);
            assert_eq!(shown, [json!([shop.id, url(&shop), "Shop", 1]), json!([bank.id, url(&bank), "Bank", 0])]);
        }
    }

    async fn content_is_listed_as_published(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let (ann, bob) = (caller(&app, "ann").await, caller(&app, "bob").await);
        let (one, two, foreign) = (any_hook(&ann.client).await, any_hook(&ann.client).await, any_hook(&bob.client).await);
        assert_eq!(list(&ann.client, "").await, Vec::<Value>::new());
        for n in 0..12 {
            deliver(&app.anonymous(), &one, &[("content-type", "application/json")], format!("{{\"n\":{n}}}")).await.expect(200);
            deliver(&app.anonymous(), &two, &[], format!("two {n}")).await.expect(200);
            deliver(&app.anonymous(), &foreign, &[], "of bob").await.expect(200);
        }
        let own = store(ann.client.request(Method::POST, "/whcontent?content=mine")).await;
        let all = list(&ann.client, "?limit=100").await;
        assert_eq!(all.len(), 25);
        assert!(ids(&all).is_sorted_by(|a, b| a < b), "{:?}", ids(&all));
        for item in &all {
            assert_eq!(members(item), ["api", "content", "dt", "id", "ip", "wh_id"]);
            assert!(is_date_and_time(&item["dt"]), "{item}");
            assert_eq!(item["ip"], "127.0.0.1");
            assert_eq!(item["api"], i32::from(item["id"] != own), "{item}");
        }
        assert_eq!((&all[0]["content"], &all[0]["wh_id"]), (&json!("{\"n\":0}"), &json!(one.id)));
        assert_eq!((&all[1]["content"], &all[1]["wh_id"]), (&json!("two 0"), &json!(two.id)));
        assert_eq!((&all[24]["id"], &all[24]["content"], &all[24]["wh_id"]), (&json!(own), &json!("mine"), &json!(0)));

        let all = ids(&all);
        assert_eq!(ids(&list(&ann.client, "").await), all[..20]);
        assert_eq!(ids(&list(&ann.client, "/").await), all[..20]);
        assert_eq!(ids(&list(&ann.client, "?id=0&limit=20").await), all[..20]);
        // From this id on, which is among them.
        assert_eq!(ids(&list(&ann.client, &format!("?id={}&limit=3", all[10])).await), all[10..13]);
        assert_eq!(ids(&list(&ann.client, &format!("?id={}", all[24])).await), [own]);
        assert_eq!(ids(&list(&ann.client, &format!("?id={}", own + 1)).await), Vec::<i64>::new());
        let of_one = list(&ann.client, &format!("?whid={}&limit=100", one.id)).await;
        assert_eq!(ids(&of_one), messages(&ann.client, &one).await.iter().map(id).collect::<Vec<_>>());
        assert_eq!(ids(&list(&ann.client, &format!("?id={}&whid={}&limit=2", ids(&of_one)[3], one.id)).await), ids(&of_one)[3..5]);
        assert_eq!(ids(&list(&ann.client, "?whid=0").await), [own]);
        for client in [&bob.client, &app.admin()] {
            let seen = list(client, "?limit=100").await;
            assert!(contents(&seen).iter().all(|content| *content == "of bob"), "{seen:?}");
        }
        for query in ["limit=0", "limit=-1", "limit=x", "id=-1", "id=x", "id=1.5", "whid=x", "offset=1", "after=1"] {
            ann.client.get(&format!("/whcontent?{query}")).await.problem(422, "validation_failed");
        }
        // The time is that of the message, to the second.
        let message = messages(&ann.client, &one).await[0].clone();
        let received = message["received_at"].as_str().expect("a time")[..19].replace('T', " ");
        assert_eq!(of_one[0]["dt"], received);
    }

    async fn a_page_holds_a_hundred_at_most(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = caller(&app, "ann").await;
        let hook = any_hook(&ann.client).await;
        for _ in 0..11 {
            let anonymous = app.anonymous();
            let sent = (0..10).map(|_| deliver(&anonymous, &hook, &[], "x"));
            for reply in futures_util::future::join_all(sent).await {
                reply.expect(200);
            }
        }
        let all: Vec<i64> = messages(&ann.client, &hook).await.iter().map(id).collect();
        assert_eq!(all.len(), 110);
        for query in ["?limit=100", "?limit=101", "?limit=100000"] {
            assert_eq!(ids(&list(&ann.client, query).await), all[..100], "{query}");
        }
        assert_eq!(ids(&list(&ann.client, &format!("?id={}&limit=100", all[99])).await), all[99..]);
    }

    async fn content_is_text_whatever_the_bytes_are(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = caller(&app, "ann").await;
        let hook = any_hook(&ann.client).await;
        let bodies: [&[u8]; 5] = [b"low \xff water", b"", "\u{e9}\u{1f30a}".as_bytes(), b"a\x00b\r\n", b"<b>\"&"];
        for body in bodies {
            deliver(&app.anonymous(), &hook, &[], body).await.expect(200);
        }
        let all = list(&ann.client, "").await;
        assert_eq!(contents(&all), ["low \u{fffd} water", "", "\u{e9}\u{1f30a}", "a\0b\r\n", "<b>\"&"]);
        // The exact bytes are beside it.
        let raw = ann.client.request(Method::GET, &format!("{}/messages/{}/body", hook.path, all[0]["id"])).send().await.expect("an answer");
        assert_eq!(raw.bytes().await.expect("a body"), bodies[0]);
    }

    async fn one_content_is_read_as_it_is_listed(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let (ann, bob) = (caller(&app, "ann").await, caller(&app, "bob").await);
        let hook = any_hook(&ann.client).await;
        deliver(&app.anonymous(), &hook, &[], "received").await.expect(200);
        store(ann.client.request(Method::POST, "/whcontent").body("own")).await;
        let all = list(&ann.client, "").await;
        assert_eq!(contents(&all), ["received", "own"]);
        let missing = ann.client.get("/whcontent/987654").await.problem(404, "not_found");
        for item in &all {
            for path in [format!("/whcontent/{}", item["id"]), format!("/whcontent/{}/", item["id"])] {
                assert_eq!(ann.client.get(&path).await.expect(200).value(), *item);
                for other in [&bob.client, &app.admin()] {
                    let theirs = other.get(&path).await.problem(404, "not_found");
                    assert_eq!(wording(theirs), wording(missing.clone()));
                }
            }
        }
        for path in ["/whcontent/x", "/whcontent/1x", "/whcontent/99999999999999999999"] {
            refused(ann.client.get(path).await, 422);
        }
        // With its webhook, what it received is gone.
        ann.client.delete(&hook.path).await.expect(204);
        assert_eq!(contents(&list(&ann.client, "").await), ["own"]);
        ann.client.get(&format!("/whcontent/{}", all[0]["id"])).await.problem(404, "not_found");
    }

    async fn content_of_ones_own_comes_in_three_forms(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let (ann, bob) = (caller(&app, "ann").await, caller(&app, "bob").await);
        let hook = any_hook(&ann.client).await;
        let post = |path: &str| ann.client.request(Method::POST, path);
        let text = "low %+&= \u{e9}\u{1f30a}\n\"water\"";
        let made = [
            store(post("/whcontent").query(&[("content", text)])).await,
            store(post("/whcontent/").json(&json!({"content": text}))).await,
            store(post("/whcontent").body(text)).await,
            store(post("/whcontent").header("content-type", "text/plain; charset=utf-8").body(text)).await,
            store(post("/whcontent").header("content-type", "application/xml").body(text)).await,
        ];
        assert!(made.is_sorted_by(|a, b| a < b), "{made:?}");
        let own = list(&ann.client, "?whid=0").await;
        assert_eq!((ids(&own), contents(&own)), (made.to_vec(), vec![text; 5]));
        for item in &own {
            assert_eq!((&item["wh_id"], &item["api"], &item["ip"]), (&json!(0), &json!(0), &json!("127.0.0.1")));
            assert!(is_date_and_time(&item["dt"]), "{item}");
        }
        // It is no message of a webhook, and nobody else's.
        assert!(messages(&ann.client, &hook).await.is_empty());
        assert!(list(&bob.client, "").await.is_empty());
        let none = ann.client.get("/webhooks/0/messages").await.status.as_u16();
        assert!([404, 422].contains(&none), "{none}");
        // A token does as well.
        let token = crate::support::app::sign_in(&app.anonymous(), "ann", MEMBER_PASSWORD).await;
        let bearer = app.anonymous().bearer(&token);
        store(bearer.request(Method::POST, "/whcontent?content=x")).await;
        assert_eq!(list(&bearer, "?whid=0").await.len(), 6);

        // Nothing at all is no content.
        ann.client.send(Method::POST, "/whcontent").await.problem(422, "validation_failed");
        Reply::of(post("/whcontent").header("content-type", "text/plain")).await.problem(422, "validation_failed");
        ann.client.send(Method::POST, "/whcontent?contents=x").await.problem(422, "validation_failed");
        assert_eq!(list(&ann.client, "?whid=0").await.len(), 6);
    }

    async fn content_of_ones_own_is_limited_in_size(engine: TestEngine) {
        let app = TestApp::start_with(engine, &[("inbox.max_body_bytes", "2000"), ("server.max_body_bytes", "2000")]).await;
        let ann = caller(&app, "ann").await;
        let post = |path: &str, size: usize| ann.client.request(Method::POST, path).body("x".repeat(size));
        store(post("/whcontent", 2000)).await;
        refused(Reply::of(post("/whcontent", 2001)).await, 413);
        refused(Reply::of(post("/whcontent/", 20_000_000)).await, 413);
        assert_eq!(list(&ann.client, "").await.len(), 1);
    }

    async fn who_is_nobody_is_asked_for_basic(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = caller(&app, "ann").await;
        let anonymous = app.anonymous();
        let wrong = [
            anonymous.basic(&ann.id, "wrong"), anonymous.basic(&format!("{}abc", ann.id), &ann.key), anonymous.basic("987654", &ann.key),
            anonymous.basic(&ann.id, &ann.key.to_lowercase()), anonymous.basic(&ann.id, ""), anonymous.bearer("no.such.token"),
        ];
        assert_ne!(ann.key, ann.key.to_lowercase());
        let routes = [(Method::GET, "/whcontent"), (Method::GET, "/whcontent/"), (Method::GET, "/whcontent/1"), (Method::POST, "/whcontent?content=x"), (Method::GET, "/webhooks")];
        for (method, path) in routes {
            for client in wrong.iter().chain([&anonymous, &anonymous.basic("ann", MEMBER_PASSWORD)]) {
                let reply = client.send(method.clone(), path).await;
                assert!(reply.header("www-authenticate").starts_with("Basic"), "{method} {path}: {:?}", reply.headers);
                refused(reply, 401);
            }
        }
        for client in &wrong {
            let reply = client.get("/").await;
            assert!(reply.header("www-authenticate").starts_with("Basic"), "{:?}", reply.headers);
            refused(reply, 401);
        }
        assert!(list(&ann.client, "").await.is_empty());
    }

    async fn a_client_of_the_older_inbox_works(engine: TestEngine) {
        if Command::new("python3").arg("--version").output().is_err() {
            println!("skipped: python3 is not installed");
            return;
        }
        let app = TestApp::start(engine).await;
        let ann = caller(&app, "ann").await;
        make_hook(&ann.client, &json!({"name": "Shop"})).await;
        let mut command = python(&app, &ann);
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("a task").expect("python3");
        assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        // It has seen that a wrong key is refused, so it knows a failure when it sees one.
        let all = list(&ann.client, "?limit=100").await;
        assert_eq!(all.len(), 33, "{all:?}");
        let mut command = python(&app, &ann);
        command.env("KEY", "x".repeat(32));
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("a task").expect("python3");
        assert!(!output.status.success(), "a wrong key is good enough");
    }
}
