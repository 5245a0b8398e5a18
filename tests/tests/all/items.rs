//! Items (contract of `/items`): the example of a resource with owners.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::{Client, Reply};
use crate::support::engines::TestEngine;
use crate::support::resource::{is_time, members, names, statuses};

async fn make(client: &Client, name: &str, description: Option<&str>) -> Value {
    let body = json!({"name": name, "description": description});
    client.post("/items", &body).await.expect(201).value()
}

on_every_engine! {
    async fn an_item_lives_from_post_to_delete(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let ann_id = ann.get("/auth/me").await.value()["id"].clone();

        let reply = ann.post("/items", &json!({"name": "Lantern"})).await.expect(201);
        let item = reply.value();
        assert_eq!(members(&item), ["created_at", "description", "id", "name", "updated_at", "user_id"]);
        assert_eq!((&item["name"], &item["description"], &item["user_id"], &item["updated_at"]), (&json!("Lantern"), &Value::Null, &ann_id, &Value::Null));
        assert!(is_time(&item["created_at"]), "{item}");
        let path = format!("/items/{}", item["id"]);
        assert_eq!(reply.header("location"), format!("{}{path}", app.base()));

        for path in [path.clone(), format!("{path}/")] {
            let read = ann.get(&path).await.expect(200);
            assert_eq!(read.value(), item);
            assert_eq!(read.header("etag"), reply.header("etag"));
            assert_eq!(read.header("vary"), "Authorization, Accept, Prefer");
        }

        let patched = ann.patch(&path, &json!({"description": "Brass"})).await.expect(200).value();
        assert_eq!((&patched["name"], &patched["description"]), (&json!("Lantern"), &json!("Brass")));
        assert!(is_time(&patched["updated_at"]), "{patched}");
        assert_eq!(ann.get(&path).await.value(), patched);
        let cleared = ann.patch(&path, &json!({"description": null})).await.expect(200).value();
        assert_eq!(cleared["description"], Value::Null);
        // What changes nothing leaves the time of the last change alone.
        assert_eq!(ann.patch(&path, &json!({})).await.expect(200).value(), cleared);
        assert_eq!(ann.patch(&path, &json!({"name": "Lantern"})).await.expect(200).value(), cleared);

        // A PUT replaces: what it leaves out is gone.
        ann.patch(&path, &json!({"description": "Brass"})).await.expect(200);
        let put = ann.json(Method::PUT, &path, &json!({"name": "Lamp"})).await.expect(200).value();
        assert_eq!((&put["name"], &put["description"], &put["created_at"]), (&json!("Lamp"), &Value::Null, &item["created_at"]));

        let deleted = ann.delete(&path).await.expect(200).value();
        assert!(deleted["detail"].is_string(), "{deleted}");
        for method in [Method::GET, Method::DELETE] {
            ann.send(method, &path).await.problem(404, "not_found");
        }
        ann.patch(&path, &json!({"name": "x"})).await.problem(404, "not_found");
        ann.json(Method::PUT, &path, &json!({"name": "x"})).await.problem(404, "not_found");
    }

    async fn only_the_owner_and_administrators_change_an_item(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let (ann, bob) = (app.member("ann").await, app.member("bob").await);
        let item = make(&ann, "Lantern", None).await;
        let path = format!("/items/{}", item["id"]);
        assert_eq!(bob.get(&path).await.expect(200).value(), item);
        bob.patch(&path, &json!({"name": "Mine"})).await.problem(403, "forbidden");
        bob.json(Method::PUT, &path, &json!({"name": "Mine"})).await.problem(403, "forbidden");
        bob.delete(&path).await.problem(403, "forbidden");
        assert_eq!(ann.get(&path).await.value(), item, "nothing has changed");
        // Nobody gives an item away or takes one, or sets what is the server's.
        for member in ["user_id", "id", "created_at", "updated_at"] {
            let body = json!({"name": "x", member: 1});
            let problem = ann.patch(&path, &body).await.problem(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], format!("/{member}"));
            ann.post("/items", &body).await.problem(422, "validation_failed");
        }
        let changed = app.admin().patch(&path, &json!({"name": "Lamp"})).await.expect(200).value();
        assert_eq!(changed["user_id"], item["user_id"], "it stays Ann's");
        app.admin().delete(&path).await.expect(200);
        for (method, path) in [(Method::GET, "/items"), (Method::POST, "/items"), (Method::GET, "/items/1"), (Method::PATCH, "/items/1"), (Method::DELETE, "/items/1")] {
            app.anonymous().send(method, path).await.problem(401, "not_authenticated");
        }
    }

    async fn names_are_unique_whoever_is_faster(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        make(&ann, "Lantern", None).await;
        let problem = ann.post("/items", &json!({"name": "Lantern"})).await.problem(409, "item_name_taken");
        assert!(problem["detail"].as_str().expect("a text").contains("name"));
        let other = make(&ann, "Lamp", None).await;
        ann.patch(&format!("/items/{}", other["id"]), &json!({"name": "Lantern"})).await.problem(409, "item_name_taken");
        let body = json!({"name": "Torch"});
        let replies = futures_util::future::join_all((0..20).map(|_| ann.post("/items", &body))).await;
        assert_eq!(statuses(&replies), [(201, 1), (409, 19)].into());
        assert_eq!(ann.get("/items?name=Torch").await.value()["total"], 1);
    }

    async fn lists_are_pages_with_searches(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let (ann, bob) = (app.member("ann").await, app.member("bob").await);
        for number in 1..=23 {
            make(&ann, &format!("Lamp {number}"), Some("of brass")).await;
        }
        for (name, description) in [("50% off_now", "A\\B"), ("50 off now", "AB"), ("ÅNGSTRÖM*", "Straße")] {
            make(&bob, name, Some(description)).await;
        }
        make(&bob, "bare", None).await;

        let page = ann.get("/items").await.expect(200);
        let value = page.value();
        assert_eq!(members(&value), ["items", "limit", "page", "total"]);
        assert_eq!((&value["page"], &value["limit"], &value["total"]), (&json!(1), &json!(20), &json!(27)));
        assert_eq!(names(&value["items"], "name")[..2], ["Lamp 1", "Lamp 2"]);
        assert_eq!(value["items"].as_array().map(Vec::len), Some(20));
        assert!(page.header("link").contains("page=2&limit=20>; rel=\"next\""), "{}", page.header("link"));
        assert_eq!(page.header("x-total-count"), "");
        let counted = Reply::of(ann.request(Method::GET, "/items?page=2&limit=500").header("prefer", "count=exact")).await.expect(200);
        assert_eq!((counted.header("x-total-count"), &counted.value()["limit"]), ("27", &json!(100)));
        let last = ann.get("/items?page=3&limit=10").await.value();
        assert_eq!(last["items"].as_array().map(Vec::len), Some(7));
        assert_eq!(ann.get("/items?page=9").await.value()["items"], json!([]));
        assert_eq!(ann.get("/items?page=9").await.value()["total"], 27);

        let found = async |query: &str| {
            let value = ann.get(&format!("/items?{query}")).await.expect(200).value();
            assert_eq!(value["total"].as_u64(), value["items"].as_array().map(|items| items.len() as u64), "{query}");
            names(&value["items"], "name")
        };
        assert_eq!(found("name=%25").await, ["50% off_now"], "`%` is itself");
        assert_eq!(found("name=f_n").await, ["50% off_now"], "`_` is itself");
        assert_eq!(found("name=*").await, ["ÅNGSTRÖM*"], "`*` is itself");
        assert_eq!(found("description=A%5CB").await, ["50% off_now"], "a backslash is itself");
        assert_eq!(found("name=%C3%A5ngstr%C3%B6m").await, ["ÅNGSTRÖM*"], "case counts not, marks do");
        assert_eq!(found("name=angstrom").await, Vec::<String>::new());
        assert_eq!(found("name=OFF&description=ab").await, ["50 off now"], "both hold");
        assert_eq!(found("name=lamp%202&description=BRASS").await, ["Lamp 2", "Lamp 20", "Lamp 21", "Lamp 22", "Lamp 23"]);
        assert_eq!(found("name=%27%20OR%201=1").await, Vec::<String>::new());
        assert_eq!(ann.get("/items?name=").await.value()["total"], 27, "an empty part is in all of them");

        for (query, pointer) in [("page=0", "/page"), ("limit=0", "/limit"), ("limit=x", "/limit"), ("skip=1", "/skip"), ("sort_by=name", "/sort_by"), ("page=1&page=2", "/page")] {
            let problem = ann.get(&format!("/items?{query}")).await.problem(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{query}");
        }
        ann.get("/items?name=%ff").await.problem(400, "malformed_body");

        // The same list of one user.
        let bob_id = bob.get("/auth/me").await.value()["id"].clone();
        let of_bob = ann.get(&format!("/users/{bob_id}/items?limit=2")).await.expect(200).value();
        assert_eq!((names(&of_bob["items"], "name"), &of_bob["total"]), (vec!["50% off_now".to_owned(), "50 off now".to_owned()], &json!(4)));
        assert_eq!(ann.get(&format!("/users/{bob_id}/items?name=bare")).await.value()["total"], 1);
        ann.get("/users/987654/items").await.problem(404, "not_found");
        ann.get("/users/x/items").await.problem(422, "validation_failed");
    }

    async fn what_does_not_fit_is_refused_and_changes_nothing(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let item = make(&ann, "Lantern", None).await;
        let path = format!("/items/{}", item["id"]);
        for (body, pointer) in [
            (json!({}), "/name"),
            (json!({"name": null}), "/name"),
            (json!({"name": ""}), "/name"),
            (json!({"name": "   "}), "/name"),
            (json!({"name": "a\nb"}), "/name"),
            (json!({"name": "a\u{0}b"}), "/name"),
            (json!({"name": "x".repeat(256)}), "/name"),
            (json!({"name": 5}), "/name"),
            (json!({"name": "x", "description": 5}), "/description"),
            (json!({"name": "x", "description": "y".repeat(2001)}), "/description"),
            (json!({"name": "x", "nmae": 1}), "/nmae"),
        ] {
            for (method, path) in [(Method::POST, "/items"), (Method::PUT, path.as_str())] {
                let problem = ann.json(method, path, &body).await.problem(422, "validation_failed");
                assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
            }
            if body != json!({}) {
                let problem = ann.patch(&path, &body).await.problem(422, "validation_failed");
                assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
            }
        }
        for body in ["", "{", "[1,", "nope"] {
            ann.text("/items", "application/json", body).await.problem(400, "malformed_body");
        }
        for body in ["[]", "5", "null", "\"x\""] {
            ann.text("/items", "application/json", body).await.problem(422, "validation_failed");
            let patch = ann.request(Method::PATCH, &path).header("content-type", "application/merge-patch+json");
            Reply::of(patch.body(body)).await.problem(422, "validation_failed");
        }
        ann.text("/items", "text/csv", "name\nx").await.problem(415, "unsupported_media_type");
        ann.get("/items/x").await.problem(422, "validation_failed");
        ann.get("/items/99999999999999999999").await.problem(422, "validation_failed");
        ann.get("/items/0").await.problem(404, "not_found");
        assert_eq!(ann.json(Method::OPTIONS, "/items", &json!({})).await.header("allow"), "GET, HEAD, OPTIONS, POST");
        assert_eq!(ann.get("/items").await.value()["items"], json!([item]), "nothing has changed");

        // As long as may be, of any letters.
        let long = "海".repeat(255);
        let made = make(&ann, &long, Some(&"🐉".repeat(2000))).await;
        assert_eq!(ann.get(&format!("/items/{}", made["id"])).await.value(), made);
        // A name is compared by code point.
        make(&ann, "lantern", None).await;
        make(&ann, "Lantern ", None).await;
    }
}
