//! Conditional requests on resources: entity tags, 304, 412, 428, and no lost update.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::{Client, Reply};
use crate::support::engines::TestEngine;
use crate::support::resource::statuses;

async fn with(
    client: &Client,
    method: Method,
    path: &str,
    header: (&str, &str),
    body: Option<&Value>,
) -> Reply {
    let request = client.request(method, path).header(header.0, header.1);
    Reply::of(match body {
        Some(body) => request.json(body),
        None => request,
    })
    .await
}

on_every_engine! {
    async fn a_change_names_the_version_that_it_means(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let admin = app.admin();
        for (collection, body, patch) in [
            ("/items", json!({"name": "Lantern"}), json!({"description": "new"})),
            ("/posts", json!({"title": "x", "content": "y"}), json!({"rating": 3})),
            ("/employees", json!({"emp_id": 1, "emp_name": "a", "city": "b", "country": "c", "emp_dob": "1990-01-01"}), json!({"city": "d"})),
        ] {
            let made = admin.post(collection, &body).await.expect(201);
            let old = made.header("etag").to_owned();
            assert!(old.starts_with('"') && old.len() > 10, "a strong tag: {old}");
            let path = made.header("location").trim_start_matches(app.base()).to_owned();

            // Reading.
            let known = with(&admin, Method::GET, &path, ("if-none-match", &old), None).await.expect(304);
            assert_eq!((known.body.as_str(), known.header("etag")), ("", old.as_str()));
            with(&admin, Method::HEAD, &path, ("if-none-match", &format!("W/{old}")), None).await.expect(304);
            with(&admin, Method::GET, &path, ("if-none-match", "\"other\""), None).await.expect(200);
            with(&admin, Method::GET, &path, ("if-none-match", "other"), None).await.problem(422, "invalid_entity_tag");
            let list = admin.get(collection).await.expect(200).header("etag").to_owned();
            with(&admin, Method::GET, collection, ("if-none-match", &list), None).await.expect(304);

            // Changing.
            let new = with(&admin, Method::PATCH, &path, ("if-match", &old), Some(&patch)).await.expect(200).header("etag").to_owned();
            assert_ne!(new, old);
            assert_eq!(admin.get(&path).await.header("etag"), new);
            with(&admin, Method::GET, &path, ("if-none-match", &old), None).await.expect(200);
            with(&admin, Method::GET, collection, ("if-none-match", &list), None).await.expect(200);
            let before = admin.get(&path).await.value();
            with(&admin, Method::PATCH, &path, ("if-match", &old), Some(&json!({}))).await.problem(412, "precondition_failed");
            with(&admin, Method::PUT, &path, ("if-match", &old), Some(&body)).await.problem(412, "precondition_failed");
            with(&admin, Method::DELETE, &path, ("if-match", &old), None).await.problem(412, "precondition_failed");
            with(&admin, Method::PUT, &path, ("if-none-match", "*"), Some(&body)).await.problem(412, "precondition_failed");
            with(&admin, Method::PATCH, &path, ("if-match", &format!("W/{new}")), Some(&patch)).await.problem(412, "precondition_failed");
            with(&admin, Method::PATCH, &path, ("if-match", "x"), Some(&patch)).await.problem(422, "invalid_entity_tag");
            assert_eq!(admin.get(&path).await.value(), before, "nothing has changed");
            with(&admin, Method::PUT, &path, ("if-match", &format!("\"a\", {new}")), Some(&body)).await.expect(200);
            with(&admin, Method::DELETE, &path, ("if-match", "*"), None).await.expect(if collection == "/items" { 200 } else { 204 });
            with(&admin, Method::DELETE, &path, ("if-match", "*"), None).await.problem(404, "not_found");
        }
    }

    async fn a_vote_is_another_representation_of_the_post(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let admin = app.admin();
        let made = admin.post("/posts", &json!({"title": "x", "content": "y"})).await.expect(201);
        let path = format!("/posts/{}", made.value()["id"]);
        admin.post("/vote", &json!({"post_id": made.value()["id"], "dir": 1})).await.expect(201);
        with(&admin, Method::GET, &path, ("if-none-match", made.header("etag")), None).await.expect(200);
    }

    async fn parallel_changes_with_if_match_lose_none(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let admin = app.admin();
        let made = admin.post("/items", &json!({"name": "Counter", "description": "0"})).await.expect(201).value();
        let path = format!("/items/{}", made["id"]);
        // Each adds one to what it read, and tries again when somebody was faster.
        let add = async || {
            let mut refused = 0;
            loop {
                let read = admin.get(&path).await.expect(200);
                let number: u32 = read.value()["description"].as_str().expect("a text").parse().expect("a number");
                let patch = json!({"description": (number + 1).to_string()});
                let reply = with(&admin, Method::PATCH, &path, ("if-match", read.header("etag")), Some(&patch)).await;
                match reply.status.as_u16() {
                    200 => return refused,
                    412 => refused += 1,
                    other => panic!("{other}: {}", reply.body),
                }
            }
        };
        let refused: u32 = join_all((0..20).map(|_| add())).await.into_iter().sum();
        assert_eq!(admin.get(&path).await.value()["description"], "20");
        assert!(refused > 0, "nobody was in anybody's way");
        // Of many that know the same version, one succeeds.
        let tag = admin.get(&path).await.header("etag").to_owned();
        let patches: Vec<Value> = (0..20).map(|n| json!({"description": format!("by {n}")})).collect();
        let replies = join_all(patches.iter().map(|patch| with(&admin, Method::PATCH, &path, ("if-match", &tag), Some(patch)))).await;
        assert_eq!(statuses(&replies), [(200, 1), (412, 19)].into());
    }

    async fn parallel_changes_of_different_members_both_stay(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let admin = app.admin();
        let body = json!({"emp_id": 1, "emp_name": "a", "city": "b", "country": "c", "emp_dob": "1990-01-01"});
        admin.post("/employees", &body).await.expect(201);
        for round in 0..10 {
            let (city, country) = (format!("city {round}"), format!("country {round}"));
            let (one, two) = (json!({"city": city}), json!({"country": country}));
            let replies = join_all([admin.patch("/employees/1", &one), admin.patch("/employees/1", &two)]).await;
            assert_eq!(statuses(&replies), [(200, 2)].into());
            let read = admin.get("/employees/1").await.value();
            assert_eq!((&read["city"], &read["country"]), (&json!(city), &json!(country)));
        }
    }

    async fn early_paths_know_the_same_tags(engine: TestEngine) {
        let app = TestApp::start_with(engine, &[("http.require_if_match", "true")]).await;
        let admin = app.admin();
        let made = admin.post("/post/create", &json!({"title": "x", "content": "y"})).await.expect(201);
        let id = made.value()["data"]["id"].clone();
        let read = admin.get(&format!("/post/{id}")).await.expect(200);
        assert_eq!(read.header("etag"), made.header("etag"));
        assert_eq!(admin.get(&format!("/posts/{id}")).await.header("etag"), made.header("etag"));
        let path = format!("/post/update/{id}");
        let other = json!({"title": "z", "content": "y"});
        with(&admin, Method::PUT, &path, ("if-match", "\"old\""), Some(&other)).await.problem(412, "precondition_failed");
        let put = with(&admin, Method::PUT, &path, ("if-match", read.header("etag")), Some(&other)).await.expect(200);
        // What is stored is not what was sent, to the letter.
        assert_eq!(put.header("etag"), "");
        with(&admin, Method::DELETE, &format!("/post/delete/{id}"), ("if-match", read.header("etag")), None).await.problem(412, "precondition_failed");
        let tag = admin.get(&format!("/post/{id}")).await.header("etag").to_owned();
        with(&admin, Method::GET, &format!("/post/{id}"), ("if-match", read.header("etag")), None).await.problem(412, "precondition_failed");
        with(&admin, Method::DELETE, &format!("/post/delete/{id}"), ("if-match", &tag), None).await.expect(204);
    }

    async fn a_setting_makes_if_match_compulsory(engine: TestEngine) {
        let app = TestApp::start_with(engine, &[("http.require_if_match", "true")]).await;
        let admin = app.admin();
        let made = admin.post("/items", &json!({"name": "Lantern"})).await.expect(201);
        let path = format!("/items/{}", made.value()["id"]);
        admin.patch(&path, &json!({"name": "x"})).await.problem(428, "precondition_required");
        admin.json(Method::PUT, &path, &json!({"name": "x"})).await.problem(428, "precondition_required");
        admin.delete(&path).await.problem(428, "precondition_required");
        with(&admin, Method::DELETE, &path, ("if-match", made.header("etag")), None).await.expect(200);
    }
}
