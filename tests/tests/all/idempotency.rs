//! `Idempotency-Key` on the routes of resources: nothing is done twice, and the first answer is
//! given again.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::{Client, Reply};
use crate::support::engines::TestEngine;
use crate::support::resource::statuses;

async fn keyed(client: &Client, path: &str, key: &str, body: &Value) -> Reply {
    Reply::of(
        client
            .request(Method::POST, path)
            .header("idempotency-key", key)
            .json(body),
    )
    .await
}

async fn count(client: &Client, path: &str) -> usize {
    let value = client.get(path).await.expect(200).value();
    let list = value.as_array().or_else(|| value["items"].as_array());
    list.expect("a list").len()
}

/// Routes with a body that each takes, and how to count what they make.
fn routes() -> [(&'static str, Value, Value, &'static str); 4] {
    [
        (
            "/items",
            json!({"name": "a"}),
            json!({"name": "b"}),
            "/items",
        ),
        (
            "/posts",
            json!({"title": "a", "content": "x"}),
            json!({"title": "b", "content": "x"}),
            "/posts",
        ),
        (
            "/post/create",
            json!({"title": "c", "content": "x"}),
            json!({"title": "d", "content": "x"}),
            "/posts",
        ),
        (
            "/employees",
            json!({"emp_id": 1, "emp_name": "a", "city": "b", "country": "c", "emp_dob": "1990-01-01"}),
            json!({"emp_id": 2, "emp_name": "a", "city": "b", "country": "c", "emp_dob": "1990-01-01"}),
            "/employees",
        ),
    ]
}

on_every_engine! {
    async fn a_repetition_gets_the_first_answer(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let admin = app.admin();
        for (path, body, other, list) in routes() {
            let before = count(&admin, list).await;
            let first = keyed(&admin, path, "k-1", &body).await.expect(201);
            assert_eq!(first.header("idempotency-replayed"), "");
            // Also with a slash at the end, and with the key as a string of RFC 8941.
            for (path, key) in [(path.to_owned(), "k-1"), (format!("{path}/"), "\"k-1\"")] {
                let again = keyed(&admin, &path, key, &body).await.expect(201);
                assert_eq!(again.body, first.body);
                for name in ["location", "etag", "content-type", "vary"] {
                    assert_eq!(again.header(name), first.header(name), "{path} {name}");
                }
                assert_eq!(again.header("idempotency-replayed"), "true");
            }
            assert_eq!(count(&admin, list).await, before + 1);
            let problem = keyed(&admin, path, "k-1", &other).await.problem(422, "idempotency_key_reused");
            assert!(problem["detail"].as_str().expect("a text").contains("Idempotency-Key"));
            keyed(&admin, path, "k-2", &other).await.expect(201);
            assert_eq!(count(&admin, list).await, before + 2);
        }
        // What was made may have changed or gone since; the answer is the first all the same.
        let made = keyed(&admin, "/items", "k-9", &json!({"name": "gone"})).await.expect(201);
        admin.delete(&format!("/items/{}", made.value()["id"])).await.expect(200);
        assert_eq!(keyed(&admin, "/items", "k-9", &json!({"name": "gone"})).await.expect(201).body, made.body);
    }

    async fn a_vote_is_repeated_without_a_conflict(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let admin = app.admin();
        let post = admin.post("/posts", &json!({"title": "a", "content": "x"})).await.expect(201).value()["id"].clone();
        let body = json!({"post_id": post, "dir": 1});
        let first = keyed(&admin, "/vote", "v", &body).await.expect(201);
        assert_eq!(keyed(&admin, "/vote", "v", &body).await.expect(201).body, first.body);
        keyed(&admin, "/vote", "w", &body).await.problem(409, "already_voted");
        assert_eq!(admin.get(&format!("/posts/{post}")).await.value()["votes"], 1);
        keyed(&admin, "/vote", "v", &json!({"post_id": post, "dir": 0})).await.problem(422, "idempotency_key_reused");
    }

    async fn a_key_belongs_to_who_sent_it_and_where(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let (ann, bob) = (app.member("ann").await, app.member("bob").await);
        let body = json!({"title": "a", "content": "x"});
        let one = keyed(&ann, "/posts", "same", &body).await.expect(201).value();
        let two = keyed(&bob, "/posts", "same", &body).await.expect(201).value();
        assert_ne!(one["id"], two["id"]);
        let three = keyed(&ann, "/post/create", "same", &body).await.expect(201).value();
        assert_ne!(three["data"]["id"], one["id"]);
        // Another session of the same user is the same user.
        let token = crate::support::app::sign_in(&app.anonymous(), "ann", crate::support::app::MEMBER_PASSWORD).await;
        assert_eq!(keyed(&app.anonymous().bearer(&token), "/posts", "same", &body).await.expect(201).value(), one);
        keyed(&app.anonymous(), "/posts", "same", &body).await.problem(401, "not_authenticated");
    }

    async fn a_request_that_failed_keeps_nothing(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let admin = app.admin();
        admin.post("/items", &json!({"name": "taken"})).await.expect(201);
        keyed(&admin, "/items", "k", &json!({"name": "taken"})).await.problem(409, "item_name_taken");
        keyed(&admin, "/items", "k", &json!({"name": ""})).await.problem(422, "validation_failed");
        let made = keyed(&admin, "/items", "k", &json!({"name": "free"})).await.expect(201);
        assert_eq!(keyed(&admin, "/items", "k", &json!({"name": "free"})).await.expect(201).body, made.body);
    }

    async fn fifty_at_once_make_one(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let admin = app.admin();
        for (path, body, _, list) in routes() {
            let before = count(&admin, list).await;
            let replies = join_all((0..50).map(|_| keyed(&admin, path, "burst", &body))).await;
            let found = statuses(&replies);
            assert!(found.keys().all(|status| [201, 409].contains(status)), "{path}: {found:?}");
            let made: Vec<&str> = replies.iter().filter(|reply| reply.status == 201).map(|reply| reply.body.as_str()).collect();
            assert!(!made.is_empty() && made.iter().all(|body| *body == made[0]), "{made:?}");
            assert_eq!(count(&admin, list).await, before + 1, "{path}");
            for reply in replies.into_iter().filter(|reply| reply.status == 409) {
                assert_eq!(reply.header("retry-after"), "1");
                reply.problem(409, "request_in_progress");
            }
        }
    }

    async fn several_nodes_make_one(engine: TestEngine) {
        if !engine.is_server() {
            // The embedded database belongs to one process.
            return;
        }
        let app = TestApp::start(engine).await;
        let other = app.second_node(&[]).await;
        let (one, two) = (app.admin(), other.admin());
        for round in 0..5 {
            let body = json!({"name": format!("item {round}")});
            let key = format!("round {round}");
            let key = format!("\"{key}\"");
            let replies = join_all((0..20).map(|n| keyed(if n % 2 == 0 { &one } else { &two }, "/items", &key, &body))).await;
            let found = statuses(&replies);
            assert!(found.keys().all(|status| [201, 409].contains(status)), "{found:?}");
            let bodies: std::collections::BTreeSet<_> = replies.iter().filter(|reply| reply.status == 201).map(|reply| &reply.body).collect();
            // The address in `Location` is the node's own, the record is the same.
            assert_eq!(bodies.len(), 1, "{bodies:?}");
            assert_eq!(keyed(&two, "/items", &key, &body).await.expect(201).header("idempotency-replayed"), "true");
        }
        assert_eq!(count(&one, "/items").await, 5);
    }

    async fn keys_that_are_none_are_refused(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let admin = app.admin();
        let body = json!({"name": "a"});
        for key in ["", "\"\"", "a b", "\"open", &"x".repeat(256)] {
            keyed(&admin, "/items", key, &body).await.problem(422, "invalid_idempotency_key");
        }
        let twice = admin.request(Method::POST, "/items").header("idempotency-key", "a").header("idempotency-key", "b");
        Reply::of(twice.json(&body)).await.problem(422, "invalid_idempotency_key");
        assert_eq!(count(&admin, "/items").await, 0);
        keyed(&admin, "/items", &"x".repeat(255), &body).await.expect(201);
    }

    async fn other_routes_ignore_the_key_and_say_so(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let admin = app.admin();
        let document = admin.get("/openapi.json").await.expect(200).value();
        let mut ignoring = 0;
        for (path, operations) in document["paths"].as_object().expect("paths") {
            let Some(post) = operations.get("post") else { continue };
            let parameters = post["parameters"].as_array().into_iter().flatten();
            let takes = parameters.clone().any(|parameter| parameter["name"] == "Idempotency-Key");
            let says = post["description"].as_str().is_some_and(|text| text.contains("Idempotency-Key is ignored here"));
            assert!(takes != says, "{path}: it takes the key, or says that it ignores it");
            ignoring += usize::from(says);
        }
        assert!(ignoring >= 10, "{ignoring}");
        // The same key again is a request of its own.
        for _ in 0..2 {
            let credentials = json!({"username": "admin", "password": crate::support::app::ADMIN_PASSWORD});
            let reply = keyed(&app.anonymous(), "/auth/token", "k", &credentials).await.expect(200);
            assert_eq!(reply.header("idempotency-replayed"), "");
        }
        let name = json!({"name": app.database().gateway_name("twice")});
        keyed(&admin, "/databases", "k", &name).await.expect(201);
        keyed(&admin, "/databases", "k", &name).await.expect(409);
    }
}
