//! What is around the rows: methods, paths, profiles, the head of answers, the form of errors,
//! `Server-Timing`, and the end of statements that take too long.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::{Client, Reply};
use crate::support::engines::TestEngine;
use crate::support::rest::{column, create_table, fault, raw};

/// Ships with a key and without one, and a view of them.
async fn harbour(app: &TestApp, name: &str) -> String {
    let db = app.gateway_database(name).await;
    let columns =
        json!([{"name": "id", "type": "int", "nullable": false}, column("name", "varchar(40)")]);
    create_table(
        app,
        &db,
        &json!({"name": "ship", "columns": columns, "primary_key": ["id"]}),
    )
    .await;
    create_table(app, &db, &json!({"name": "log", "columns": columns})).await;
    raw(
        app,
        &db,
        &["CREATE VIEW crews AS SELECT name, COUNT(*) AS ships FROM ship GROUP BY name"],
    )
    .await;
    app.admin()
        .post(
            &format!("/rest/{db}/ship"),
            &json!([{"id": 1, "name": format!("Tern of {name}")}, {"id": 2, "name": "Quill"}]),
        )
        .await
        .expect(201);
    db
}

async fn with(client: &Client, method: Method, path: &str, header: (&str, &str)) -> Reply {
    Reply::of(client.request(method, path).header(header.0, header.1)).await
}

on_every_engine! {
    async fn methods_and_paths(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let db = harbour(&app, "quay").await;
        let admin = app.admin();
        for (table, allow) in [
            ("ship", "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE"),
            ("log", "OPTIONS,GET,HEAD,POST,PATCH,DELETE"),
            ("crews", "OPTIONS,GET,HEAD"),
        ] {
            let reply = admin.send(Method::OPTIONS, &format!("/rest/{db}/{table}")).await.expect(200);
            assert_eq!(reply.header("allow"), allow, "{table}");
            assert_eq!(reply.body, "");
        }
        let missing = format!("Could not find the table '{db}.shipp' in the schema cache");
        let hint = format!("Perhaps you meant the table '{db}.ship'");
        for method in [Method::OPTIONS, Method::GET, Method::DELETE] {
            let error = fault(admin.send(method, &format!("/rest/{db}/shipp?id=eq.1")).await, 404, "PGRST205");
            assert_eq!((&error["message"], &error["hint"], &error["details"]), (&json!(missing), &json!(hint), &Value::Null));
        }
        // Nothing like it: no hint.
        let error = fault(admin.get(&format!("/rest/{db}/zzzzzzzzzz")).await, 404, "PGRST205");
        assert_eq!(error["hint"], Value::Null);

        for path in [format!("/rest/{db}/ship/1"), format!("/rest/{db}/ship/1/2"), format!("/rest/{db}//ship")] {
            let error = fault(admin.get(&path).await, 404, "PGRST125");
            assert_eq!(error["message"], "Invalid path specified in request URL", "{path}");
        }
        fault(admin.send(Method::TRACE, &format!("/rest/{db}/ship")).await, 405, "PGRST117");
        let unknown = Method::from_bytes(b"PURGE").unwrap();
        let reply = admin.send(unknown, &format!("/rest/{db}/ship")).await;
        assert!(reply.header("allow").contains("PATCH"), "{:?}", reply.headers);
        fault(reply, 405, "PGRST117");
    }

    async fn head_is_get_without_its_body(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let db = harbour(&app, "quay").await;
        let path = format!("/rest/{db}/ship?order=id&limit=1&name=neq.x");
        for (prefer, accept) in [("count=exact", "application/json"), ("", "text/csv")] {
            let ask = |method| Reply::of(app.admin().request(method, &path).header("prefer", prefer).header("accept", accept));
            let (get, head) = (ask(Method::GET).await, ask(Method::HEAD).await);
            assert_eq!((get.status, head.status, head.body.as_str()), (head.status, get.status, ""));
            for name in ["content-type", "content-range", "range-unit", "content-location", "vary", "preference-applied"] {
                assert_eq!(head.header(name), get.header(name), "{name}");
            }
            assert_eq!(get.header("range-unit"), "items");
            assert_eq!(get.header("content-location"), format!("/rest/{db}/ship?limit=1&name=neq.x&order=id"));
            for name in ["Accept", "Accept-Profile", "Prefer", "Range"] {
                assert!(get.header("vary").split(", ").any(|it| it == name), "{}", get.header("vary"));
            }
        }
    }

    async fn errors_have_the_members_that_clients_look_for(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let db = harbour(&app, "quay").await;
        let path = format!("/rest/{db}/ship?nme=eq.1");
        let reply = app.admin().get(&path).await.expect(400);
        assert_eq!(reply.header("proxy-status"), "PostgREST; error=42703");
        let error = fault(reply, 400, "42703");
        assert_eq!(error["message"], "column ship.nme does not exist");
        assert_eq!(error["details"], Value::Null);
        // HEAD tells the code by the header alone.
        let head = app.admin().send(Method::HEAD, &path).await.expect(400);
        assert_eq!((head.header("proxy-status"), head.body.as_str()), ("PostgREST; error=42703", ""));
        let nobody = app.anonymous().get(&path).await.expect(401);
        assert_eq!(nobody.header("proxy-status"), "PostgREST; error=PGRST302");
        // Elsewhere there is no such header.
        assert_eq!(app.admin().get("/users/0").await.expect(404).header("proxy-status"), "");

        let brief = app.second_node(&[("rest.error_verbosity", "minimal")]).await;
        let reply = brief.admin().get(&path).await.expect(400);
        assert_eq!(reply.header("proxy-status"), "PostgREST; error=42703");
        assert_eq!(reply.value(), json!({"code": "42703", "message": "column ship.nme does not exist"}));
    }

    async fn a_profile_names_another_database(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let (one, two) = (harbour(&app, "one").await, harbour(&app, "two").await);
        let admin = app.admin();
        let path = format!("/rest/{one}/ship?select=name&id=eq.1");
        for (profile, name) in [(one.as_str(), "Tern of one"), (&two, "Tern of two"), ("public", "Tern of one")] {
            let reply = with(&admin, Method::GET, &path, ("accept-profile", profile)).await.expect(200);
            assert_eq!(reply.value(), json!([{"name": name}]), "{profile}");
            assert_eq!(reply.header("content-profile"), profile);
        }
        let plain = admin.get(&path).await.expect(200);
        assert_eq!(plain.header("content-profile"), "");
        // The other header is meant for writes, and the other way round.
        let reply = with(&admin, Method::GET, &path, ("content-profile", &two)).await.expect(200);
        assert_eq!(reply.value(), json!([{"name": "Tern of one"}]));

        let request = admin.request(Method::POST, &format!("/rest/{one}/ship")).header("content-profile", &two);
        let reply = Reply::of(request.header("prefer", "return=representation").json(&json!({"id": 9, "name": "Skua"}))).await.expect(201);
        assert_eq!(reply.header("content-profile"), two);
        assert_eq!(admin.get(&format!("/rest/{two}/ship?select=name&id=eq.9")).await.expect(200).value(), json!([{"name": "Skua"}]));
        assert_eq!(admin.get(&format!("/rest/{one}/ship?id=eq.9")).await.expect(200).value(), json!([]));
        let reply = with(&admin, Method::DELETE, &format!("/rest/{one}/ship?id=eq.9"), ("content-profile", &two)).await.expect(204);
        assert_eq!(reply.header("content-profile"), two);
        assert_eq!(admin.get(&format!("/rest/{two}/ship?id=eq.9")).await.expect(200).value(), json!([]));
        // A key is for one database.
        for profile in [&one, &two] {
            let request = admin.request(Method::POST, &format!("/rest/{one}/ship")).header("content-profile", profile);
            let request = request.header("idempotency-key", "k").json(&json!({"id": 20, "name": "Ruff"}));
            assert_eq!(Reply::of(request).await.expect(201).header("idempotency-replayed"), "", "{profile}");
        }
        let reply = with(&admin, Method::OPTIONS, &format!("/rest/{one}/ship"), ("content-profile", &two)).await.expect(200);
        assert_eq!(reply.header("content-profile"), two);

        for profile in ["nowhere", "mysql", "a b", "../x", "", "tidegate"] {
            for (method, header) in [(Method::GET, "accept-profile"), (Method::DELETE, "content-profile")] {
                let reply = with(&admin, method, &path, (header, profile)).await;
                let error = fault(reply, 406, "PGRST106");
                assert_eq!(error["message"], format!("Invalid schema: {profile}"));
            }
        }
        // Who may not read here may not read there.
        let reply = with(&app.anonymous(), Method::GET, &path, ("accept-profile", &two)).await;
        fault(reply, 401, "PGRST302");
    }

    async fn timings_are_told_where_the_settings_say_so(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let db = harbour(&app, "quay").await;
        let path = format!("/rest/{db}/ship");
        assert_eq!(app.admin().get(&path).await.expect(200).header("server-timing"), "");

        let timed = app.second_node(&[("rest.server_timing", "true")]).await;
        let replies = [
            timed.admin().get(&path).await.expect(200),
            timed.admin().post(&path, &json!({"id": 7})).await.expect(201),
            timed.admin().get(&format!("{path}?nothing=eq.1")).await.expect(400),
        ];
        for reply in replies {
            let header = reply.header("server-timing");
            let parts: Vec<(&str, f64)> = header
                .split(", ")
                .map(|part| part.split_once(";dur=").unwrap_or_else(|| panic!("{header:?}")))
                .map(|(name, time)| (name, time.parse().unwrap()))
                .collect();
            let names: Vec<&str> = parts.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, ["jwt", "parse", "plan", "transaction", "response"]);
            assert!(parts.iter().all(|(_, time)| *time >= 0.0), "{header}");
        }
        assert_eq!(timed.admin().get("/users/me").await.header("server-timing"), "");
    }

    async fn a_slow_statement_is_ended(engine: TestEngine) {
        let settings = [("rest.statement_timeout_seconds", "1"), ("database.max_connections", "2")];
        let app = TestApp::start_with(engine, &settings).await;
        let db = harbour(&app, "quay").await;
        let (admin, path) = (app.admin(), |rest: &str| format!("/rest/{db}/{rest}"));
        create_table(&app, &db, &json!({"name": "n", "columns": [{"name": "n", "type": "int", "nullable": false}], "primary_key": ["n"]})).await;
        let numbers: Vec<_> = (0..500).map(|n| json!({"n": n})).collect();
        admin.post(&path("n"), &json!(numbers)).await.expect(201);
        // 500 to the power of 5 rows are never counted to the end.
        let endless = "SELECT SUM((a.n * b.n + c.n * d.n + e.n) % 7) AS total FROM n a, n b, n c, n d, n e";
        let trigger = match engine {
            TestEngine::Sqlite => format!("CREATE TRIGGER slow BEFORE UPDATE ON ship BEGIN {endless}; END"),
            _ => format!("CREATE TRIGGER slow BEFORE UPDATE ON ship FOR EACH ROW SET NEW.name = ({endless})"),
        };
        raw(&app, &db, &[&format!("CREATE VIEW slow AS {endless}"), &trigger]).await;

        // More often than there are connections: none of them is lost.
        for _ in 0..3 {
            let error = fault(admin.get(&path("slow")).await, 500, "57014");
            assert_eq!(error["message"], "The statement took longer than it may; ask for less at a time");
        }
        fault(admin.patch(&path("ship?id=eq.1"), &json!({"name": "Skua"})).await, 500, "57014");
        // Nothing was kept, and others are answered as ever.
        let rows = admin.get(&path("ship?order=id")).await.expect(200).value();
        assert_eq!(rows, json!([{"id": 1, "name": "Tern of quay"}, {"id": 2, "name": "Quill"}]));
        admin.delete(&path("ship?id=eq.2")).await.expect(204);
    }
}
