//! What holds for all routes: the root, slashes, methods, ids, CORS, limits, malformed
//! requests, headers, health, documentation, files.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{ADMIN_PASSWORD, MEMBER_PASSWORD, TestApp};
use crate::support::client::{Client, Reply};
use crate::support::engines::TestEngine;
use crate::support::rest::{create_table, fault};

/// Sends bytes as they are and gives what comes back until the server closes or has
/// said all: a status line, headers, a body.
async fn raw(
    base: &str,
    head: String,
    body: impl FnOnce(&mut TcpStream) -> std::io::Result<()> + Send + 'static,
) -> String {
    let address = base.trim_start_matches("http://").to_owned();
    let exchange = move || {
        let stream = TcpStream::connect(address).expect("a connection");
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a time limit");
        let mut writer = stream.try_clone().expect("the same connection");
        // The answer may come, and the connection go, before everything is sent.
        let writing = std::thread::spawn(move || {
            let _ = writer
                .write_all(head.as_bytes())
                .and_then(|()| body(&mut writer));
        });
        let mut reader = stream;
        let mut text = Vec::new();
        let mut piece = [0; 4096];
        while let Ok(length @ 1..) = reader.read(&mut piece) {
            text.extend_from_slice(&piece[..length]);
            if is_whole(&text) {
                break;
            }
        }
        let _ = reader.shutdown(Shutdown::Both);
        writing.join().expect("the writer ends");
        String::from_utf8_lossy(&text).into_owned()
    };
    tokio::task::spawn_blocking(exchange)
        .await
        .expect("an exchange")
}

/// Whether the headers are there and as much of the body as they announce.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .and_then(|value| value.trim().parse::<usize>().ok());
    length.is_some_and(|length| body.len() >= length)
}

fn status(answer: &str) -> u16 {
    answer
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or_else(|| panic!("no status line: {answer:?}"))
}

/// Kilobytes of memory that this process, the server among it, holds at most so far.
fn peak_memory() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("a Linux");
    let line = text
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .expect("a peak");
    line.split_whitespace()
        .nth(1)
        .and_then(|number| number.parse().ok())
        .expect("a number")
}

/// Whether no other test runs in this process, so that its memory tells of this one. The
/// runner of `make test` gives each test a process, the one that comes with Cargo does not.
#[allow(
    clippy::disallowed_methods,
    reason = "tests read their own environment"
)]
fn alone() -> bool {
    std::env::var_os("NEXTEST").is_some()
}

async fn with(client: &Client, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
    Reply::of(
        headers
            .iter()
            .fold(client.request(method, path), |request, (name, value)| {
                request.header(*name, *value)
            }),
    )
    .await
}

on_every_engine! {
    async fn the_root_welcomes_and_checks_credentials(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let anonymous = app.anonymous();
        let welcome = anonymous.get("/").await.expect(200).value();
        assert!(welcome["message"].is_string() && welcome["version"].is_string(), "{welcome}");
        assert!(welcome["docs"].as_str().is_some_and(|docs| docs.ends_with("/docs")), "{welcome}");
        assert!(welcome["openapi"].as_str().is_some_and(|openapi| openapi.ends_with("/openapi.json")), "{welcome}");
        assert_eq!(welcome.as_object().map(serde_json::Map::len), Some(4), "{welcome}");

        let browser = [("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")];
        let sent = with(&anonymous, Method::GET, "/", &browser).await.expect(307);
        assert!(sent.header("location").ends_with("/docs"), "{:?}", sent.headers);

        app.member("ann").await;
        let ann = anonymous.basic("ann", MEMBER_PASSWORD);
        for reply in [ann.get("/").await, with(&ann, Method::GET, "/", &browser).await] {
            let reply = reply.expect(200).value();
            assert_eq!(reply["username"], "ann");
            assert!(reply["message"].is_string(), "{reply}");
        }
        let id = app.admin().get("/users?username=ann").await.expect(200).value()["users"][0]["id"].clone();
        let key = app.admin().post(&format!("/users/{id}/api-key"), &json!({})).await.expect(201).value();
        let by_key = anonymous.basic(&id.to_string(), key["api_key"].as_str().expect("a key"));
        assert_eq!(by_key.get("/").await.expect(200).value()["username"], id.to_string());
        assert_eq!(app.admin().get("/").await.expect(200).value()["username"], "admin");

        for wrong in [
            anonymous.basic("ann", "wrong password"),
            anonymous.basic("nobody", MEMBER_PASSWORD),
            anonymous.basic(&id.to_string(), MEMBER_PASSWORD),
            anonymous.basic(&format!("{id}abc"), "x"),
            anonymous.bearer("no.such.token"),
            anonymous.authorization("Basic !!"),
        ] {
            let reply = wrong.get("/").await.expect(401);
            assert!(reply.header("www-authenticate").starts_with("Basic"), "{:?}", reply.headers);
            assert!(!reply.value()["detail"].as_str().expect("a detail").is_empty());
        }
        // A name and password are for the root and the documentation alone.
        let reply = ann.get("/auth/me").await.expect(401);
        assert!(reply.header("www-authenticate").starts_with("Bearer"), "{:?}", reply.headers);
    }

    async fn a_slash_at_the_end_changes_nothing(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let db = app.gateway_database("slash").await;
        create_table(&app, &db, &json!({"name": "t", "columns": [{"name": "id", "type": "int", "nullable": false}], "primary_key": ["id"]})).await;
        let admin = app.admin();
        for path in [
            "/roles".to_owned(), "/roles/1".to_owned(), "/versions".to_owned(), "/users".to_owned(), "/users/1".to_owned(),
            "/users/me".to_owned(), "/auth/me".to_owned(), "/auth/sessions".to_owned(), "/health/live".to_owned(),
            "/health/ready".to_owned(), "/openapi.json".to_owned(), "/docs".to_owned(),
            format!("/databases/{db}/tables"), format!("/databases/{db}/tables/t"), format!("/rest/{db}/t"), format!("/get-table/{db}/t"),
        ] {
            let (plain, slash) = (admin.get(&path).await.expect(200), admin.get(&format!("{path}/")).await.expect(200));
            assert_eq!(plain.header("content-type"), slash.header("content-type"), "{path}");
            assert_eq!(plain.body.len(), slash.body.len(), "{path}");
        }
        // Tests that run beside this one make and drop databases on the same server.
        for path in ["/databases", "/databases/"] {
            let databases = admin.get(path).await.expect(200).value();
            let names: Vec<_> = databases.as_array().expect("a list").iter().map(|database| &database["name"]).collect();
            assert!(names.contains(&&json!(db)), "{path}: {names:?}");
        }
        admin.post("/databases/", &json!({"name": db})).await.problem(409, "database_exists");
        admin.post(&format!("/rest/{db}/t/"), &json!({"id": 1})).await.expect(201);
        admin.delete(&format!("/databases/{db}/tables/t/")).await.expect(204);
    }

    async fn unknown_paths_and_methods(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        for client in [app.anonymous(), app.admin()] {
            client.get("/nowhere").await.problem(404, "not_found");
            client.post("/nowhere/at/all", &json!({})).await.problem(404, "not_found");
            client.get("/%00").await.expect(404);
            for (method, path, allowed, refused) in [
                (Method::DELETE, "/roles", "GET", "DELETE"),
                (Method::POST, "/roles/1", "GET", "POST"),
                (Method::GET, "/auth/token", "POST", "GET"),
                (Method::PATCH, "/databases", "POST", "PATCH"),
                (Method::POST, "/health/live", "GET", "POST"),
                (Method::from_bytes(b"BREW").expect("a method"), "/roles", "GET", "BREW"),
            ] {
                let reply = client.send(method, path).await;
                let allow: Vec<_> = reply.header("allow").split(',').map(|word| word.trim().to_owned()).collect();
                assert!(allow.contains(&allowed.to_owned()) && !allow.contains(&refused.to_owned()), "{path} {allow:?}");
                reply.problem(405, "method_not_allowed");
            }
        }
        // HEAD is a GET without a body.
        let head = app.anonymous().send(Method::HEAD, "/roles").await.expect(200);
        assert_eq!(head.body, "");
    }

    async fn requests_have_an_id(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let anonymous = app.anonymous();
        let mut seen = Vec::new();
        for path in ["/roles", "/nowhere", "/auth/me", "/rest/a/b"] {
            let sent = with(&anonymous, Method::GET, path, &[("x-request-id", "order-66/a")]).await;
            assert_eq!(sent.header("x-request-id"), "order-66/a", "{path}");
            if path != "/roles" {
                assert_eq!(sent.value()["request_id"], "order-66/a");
            }
            let new = anonymous.get(path).await;
            assert!(new.header("x-request-id").len() >= 16, "{path} {:?}", new.headers);
            seen.push(new.header("x-request-id").to_owned());
            // What would spoil a log line is replaced.
            let bad = with(&anonymous, Method::GET, path, &[("x-request-id", "a b \"x\" {y}")]).await;
            assert!(!bad.header("x-request-id").contains(' ') && !bad.header("x-request-id").is_empty(), "{:?}", bad.headers);
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 4);
    }

    async fn every_origin_may_call_without_credentials_by_default(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let anonymous = app.anonymous();
        let origin = ("origin", "https://page.example");
        for path in ["/roles", "/nowhere", "/auth/me", "/rest/a/b"] {
            let reply = with(&anonymous, Method::GET, path, &[origin]).await;
            assert_eq!(reply.header("access-control-allow-origin"), "*", "{path}");
            assert_eq!(reply.header("access-control-allow-credentials"), "", "{path}");
            let exposed = reply.header("access-control-expose-headers").to_lowercase();
            for header in ["content-range", "content-location", "location", "link", "etag", "x-total-count", "x-request-id", "ratelimit", "retry-after"] {
                assert!(exposed.split(',').any(|word| word.trim() == header), "{header}: {exposed}");
            }
        }
        // Preflights come before authentication, versions and bodies.
        for path in ["/databases", "/rest/a/b", "/users/1"] {
            let headers = [origin, ("access-control-request-method", "PATCH"), ("access-control-request-headers", "authorization,prefer,x-version"), ("x-version", "0.1")];
            let reply = with(&anonymous, Method::OPTIONS, path, &headers).await;
            assert!(reply.status.is_success(), "{path}: {}", reply.status);
            assert_eq!(reply.header("access-control-allow-origin"), "*");
            assert!(reply.header("access-control-allow-methods").contains("PATCH"), "{:?}", reply.headers);
            let allowed = reply.header("access-control-allow-headers").to_lowercase();
            assert!(["authorization", "prefer", "x-version"].iter().all(|word| allowed.contains(word)), "{allowed}");
        }
        assert_eq!(anonymous.get("/roles").await.header("access-control-allow-origin"), "");
    }

    async fn with_a_list_only_listed_origins_may_call(engine: TestEngine) {
        let app = TestApp::start_with(engine, &[("cors.origins", "https://one.example,https://two.example")]).await;
        let anonymous = app.anonymous();
        for path in ["/roles", "/auth/me"] {
            for origin in ["https://one.example", "https://two.example"] {
                let reply = with(&anonymous, Method::GET, path, &[("origin", origin)]).await;
                assert_eq!(reply.header("access-control-allow-origin"), origin);
                assert_eq!(reply.header("access-control-allow-credentials"), "true");
                assert!(reply.headers.get_all("vary").iter().any(|value| value.to_str().is_ok_and(|vary| vary.to_lowercase().contains("origin"))), "{:?}", reply.headers);
            }
            for origin in ["https://three.example", "http://one.example", "https://one.example.evil.example", "https://one.example:444", "null", "*"] {
                let reply = with(&anonymous, Method::GET, path, &[("origin", origin)]).await;
                assert_eq!(reply.header("access-control-allow-origin"), "", "{origin}");
                let preflight = with(&anonymous, Method::OPTIONS, path, &[("origin", origin), ("access-control-request-method", "GET")]).await;
                for header in ["access-control-allow-origin", "access-control-allow-credentials", "access-control-allow-methods"] {
                    assert_eq!(preflight.header(header), "", "{origin}");
                }
            }
        }
        let preflight = with(&anonymous, Method::OPTIONS, "/databases", &[("origin", "https://one.example"), ("access-control-request-method", "POST")]).await;
        assert_eq!((preflight.header("access-control-allow-origin"), preflight.header("access-control-allow-credentials")), ("https://one.example", "true"));
    }

    async fn requests_are_limited_before_authentication(engine: TestEngine) {
        let settings = [("limits.enabled", "true"), ("limits.credentials_per_minute", "4"), ("limits.general_per_minute", "500")];
        let app = TestApp::start_with(engine, &settings).await;
        let anonymous = app.anonymous();
        // Starting took one: the administrator signed in.
        let mut refused = Vec::new();
        for attempt in 0..8 {
            // The address is believed of nobody.
            let forged = format!("198.51.100.{attempt}");
            let headers = [("x-forwarded-for", forged.as_str()), ("forwarded", "for=192.0.2.1"), ("x-real-ip", "192.0.2.1")];
            let reply = with(&anonymous, Method::POST, "/create-database", &headers).await;
            if reply.status.as_u16() == 429 {
                refused.push(reply);
            } else {
                assert!(refused.is_empty(), "attempt {attempt} came through");
                reply.expect(401);
            }
        }
        assert_eq!(refused.len(), 8 - 3);
        for reply in refused {
            let seconds: u64 = reply.header("retry-after").parse().expect("seconds");
            assert!((1..=60).contains(&seconds), "{seconds}");
            assert!(reply.header("ratelimit").contains("r=0"), "{:?}", reply.headers);
            assert!(reply.header("ratelimit-policy").contains("q=4;w=60"), "{:?}", reply.headers);
            reply.problem(429, "rate_limited");
        }
        // Every route of the class draws on the same allowance, the right credentials or not.
        anonymous.post("/auth/token", &json!({"username": "admin", "password": ADMIN_PASSWORD})).await.expect(429);
        app.admin().get("/get-table/a/b").await.expect(429);
        // Other routes have their own.
        anonymous.get("/roles").await.expect(200);
        app.admin().get("/auth/me").await.expect(200);
    }

    async fn the_general_limit_spares_health_checks(engine: TestEngine) {
        let app = TestApp::start_with(engine, &[("limits.enabled", "true"), ("limits.general_per_minute", "3")]).await;
        let anonymous = app.anonymous();
        let mut statuses = Vec::new();
        for _ in 0..5 {
            statuses.push(anonymous.get("/roles").await.status.as_u16());
        }
        assert_eq!(statuses, [200, 200, 200, 429, 429]);
        let rest = fault(app.admin().get("/rest/a/b").await, 429, "rate_limited");
        assert!(rest["message"].as_str().expect("a message").contains('3'), "{rest}");
        anonymous.get("/nowhere").await.expect(429);
        for _ in 0..20 {
            anonymous.get("/health/live").await.expect(200);
            anonymous.get("/health/ready").await.expect(200);
        }
    }

    async fn a_trusted_proxy_names_the_client(engine: TestEngine) {
        let settings = [("limits.enabled", "true"), ("limits.general_per_minute", "2"), ("server.trusted_proxies", "127.0.0.0/8")];
        let app = TestApp::start_with(engine, &settings).await;
        let anonymous = app.anonymous();
        let ask = async |client: &str| with(&anonymous, Method::GET, "/roles", &[("x-forwarded-for", client)]).await.status.as_u16();
        assert_eq!([ask("192.0.2.1").await, ask("192.0.2.1").await, ask("192.0.2.1").await], [200, 200, 429]);
        assert_eq!(ask("192.0.2.2").await, 200);
        // Only what the proxy itself added counts.
        assert_eq!(ask("203.0.113.77, 192.0.2.1").await, 429);
    }

    async fn fifty_megabytes_are_refused_and_not_kept(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let token = app.admin();
        let bearer = token.request(Method::GET, "/").build().expect("a request").headers()["authorization"].to_str().expect("text").to_owned();
        let db = app.gateway_database("big").await;
        create_table(&app, &db, &json!({"name": "t", "columns": [{"name": "id", "type": "int", "nullable": false}], "primary_key": ["id"]})).await;
        const SIZE: usize = 50 << 20;
        let send_all = |stream: &mut TcpStream| (0..SIZE / 65_536).try_for_each(|_| stream.write_all(&[b' '; 65_536]));
        let send_chunks = |stream: &mut TcpStream| {
            (0..SIZE / 65_536).try_for_each(|_| {
                stream.write_all(b"10000\r\n")?;
                stream.write_all(&[b' '; 65_536])?;
                stream.write_all(b"\r\n")
            })?;
            stream.write_all(b"0\r\n\r\n")
        };
        let before = peak_memory();
        for path in ["/auth/token".to_owned(), "/databases".to_owned(), "/insert-data".to_owned(), format!("/rest/{db}/t")] {
            let head = |framing: &str| {
                format!("POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\nContent-Type: application/json\r\n{framing}\r\n\r\n")
            };
            let answer = raw(app.base(), head(&format!("Content-Length: {SIZE}")), send_all).await;
            assert_eq!(status(&answer), 413, "{path}: {answer}");
            let answer = raw(app.base(), head("Transfer-Encoding: chunked"), send_chunks).await;
            assert_eq!(status(&answer), 413, "{path}: {answer}");
            let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
            let body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
            assert_eq!(body["status"], 413);
            assert_eq!(body.get("message").is_some(), path.starts_with("/rest"), "{body}");
        }
        // Many at once.
        let together = (0..8).map(|_| {
            let head = format!("POST /auth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {SIZE}\r\n\r\n");
            raw(app.base(), head, send_all)
        });
        for answer in join_all(together).await {
            assert_eq!(status(&answer), 413, "{answer}");
        }
        let grown = peak_memory() - before;
        assert!(grown < 100 * 1024 || !alone(), "{grown} kB");
        app.admin().get("/auth/me").await.expect(200);
        app.admin().get("/health/ready").await.expect(200);
    }

    async fn bodies_are_limited_and_imports_stream_beyond(engine: TestEngine) {
        let settings = [("server.max_body_bytes", "10000"), ("server.max_import_bytes", "300000")];
        let app = TestApp::start_with(engine, &settings).await;
        let admin = app.admin();
        let db = app.gateway_database("limit").await;
        create_table(&app, &db, &json!({"name": "t", "columns": [{"name": "id", "type": "int", "nullable": false}, {"name": "s", "type": "varchar(100)"}], "primary_key": ["id"]})).await;
        let path = format!("/rest/{db}/t");
        admin.post("/databases", &json!({"name": "x".repeat(20_000)})).await.expect(413);
        let rows: Vec<_> = (0..1000).map(|id| json!({"id": id, "s": "text"})).collect();
        let reply = admin.post(&path, &json!(rows)).await.expect(413);
        assert_eq!((reply.value()["status"].as_u64(), reply.value()["message"].is_string()), (Some(413), true));
        let csv = |rows: usize| (0..rows).fold("id,s\n".to_owned(), |text, id| format!("{text}{id},{}\n", "x".repeat(80)));
        admin.text(&path, "text/csv", csv(3000)).await.expect(201);
        admin.delete(&format!("{path}?id=gte.0")).await.expect(204);
        admin.text(&path, "text/csv", csv(4000)).await.expect(413);
        assert_eq!(admin.get(&path).await.expect(200).value(), json!([]));
    }

    async fn long_urls_deep_json_and_large_headers(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let admin = app.admin();
        let db = app.gateway_database("deep").await;
        create_table(&app, &db, &json!({"name": "t", "columns": [{"name": "id", "type": "int", "nullable": false}, {"name": "j", "type": "json"}], "primary_key": ["id"]})).await;
        let long = "a".repeat(17_000);
        app.anonymous().get(&format!("/roles?x={long}")).await.problem(414, "uri_too_long");
        let reply = admin.get(&format!("/rest/{db}/t?j=eq.{long}")).await.expect(414);
        assert_eq!((reply.value()["status"].as_u64(), reply.value()["message"].is_string()), (Some(414), true));
        app.anonymous().get(&format!("/roles?x={}", &long[..16_000])).await.expect(200);

        let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        for path in ["/auth/token", "/auth/register", "/users"] {
            for body in [deep.clone(), format!("{{\"x\":{deep}}}"), format!("{{\"username\":{deep}}}")] {
                let reply = app.anonymous().text(path, "application/json", body).await.expect(400);
                assert!(reply.header("content-type").starts_with("application/problem+json"));
            }
        }
        let body = format!("{{\"id\":1,\"j\":{deep}}}");
        fault(admin.text(&format!("/rest/{db}/t"), "application/json", body).await, 400, "PGRST102");
        let body = format!("{{\"db_name\":\"{db}\",\"table_name\":\"t\",\"data\":[{{\"id\":1,\"j\":{deep}}}]}}");
        admin.text("/insert-data", "application/json", body).await.expect(400);

        let head = format!("GET /roles HTTP/1.1\r\nHost: x\r\nX-Large: {}\r\n\r\n", "a".repeat(1 << 20));
        let answer = raw(app.base(), head, |_| Ok(())).await;
        assert!([400, 431].contains(&status(&answer)), "{answer}");
        let many: String = (0..2000).map(|n| format!("X-Header-{n}: a\r\n")).collect();
        let answer = raw(app.base(), format!("GET /roles HTTP/1.1\r\nHost: x\r\n{many}\r\n"), |_| Ok(())).await;
        assert!([400, 431].contains(&status(&answer)), "{answer}");
        app.anonymous().get("/roles").await.expect(200);
    }

    async fn bodies_of_the_wrong_kind(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let admin = app.admin();
        for (path, body) in [("/databases", "{\"name\":\"x\"}"), ("/auth/register", "{}"), ("/create-table", "{}"), ("/versions", "{}")] {
            for media_type in ["text/plain", "application/xml", "application/x-www-form-urlencoded", "application/json; charset=latin1"] {
                admin.text(path, media_type, body).await.problem(415, "unsupported_media_type");
            }
        }
        admin.text("/auth/token", "text/plain", "username=admin").await.problem(415, "unsupported_media_type");
        for (path, body) in [
            ("/databases", &b"{\"name\":\"\xff\"}"[..]),
            ("/auth/token", b"{\"username\":\"\xc3\x28\"}"),
            ("/insert-data", b"\x80"),
            ("/databases", b""),
            ("/databases", b"name=x"),
            ("/databases", b"{\"name\":\"x\""),
        ] {
            let reply = admin.text(path, "application/json", body.to_vec()).await.expect(400);
            assert!(reply.header("content-type").starts_with("application/problem+json"), "{:?}", reply.headers);
        }
        let reply = Reply::of(admin.request(Method::POST, "/auth/token").header("content-type", "application/x-www-form-urlencoded").body("username=%ff&password=x")).await;
        reply.expect(400);
        let invalid = admin.post("/databases", &json!({"name": "x", "nmae": 1, "color": "red"})).await.problem(422, "validation_failed");
        assert!(invalid["errors"][0]["pointer"].as_str().is_some_and(|pointer| ["/nmae", "/color"].contains(&pointer)), "{invalid}");
        assert_eq!(admin.post("/databases", &json!({})).await.problem(422, "validation_failed")["errors"][0]["pointer"], "/name");
        // A list of the members' values is no object.
        for list in [json!(["x"]), json!([{"name": "x"}]), json!("x"), json!(5), Value::Null] {
            admin.post("/databases", &list).await.problem(422, "validation_failed");
        }
        assert_eq!(admin.post("/databases", &json!({"name": 5})).await.problem(422, "validation_failed")["errors"][0]["pointer"], "/name");
        admin.get("/roles/%ff").await.expect(422);
        assert_eq!(admin.get("/databases").await.expect(200).body.matches("\"x\"").count(), 0);
    }

    async fn headers_that_protect_and_none_that_tell(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let anonymous = app.anonymous();
        for path in ["/", "/roles", "/auth/me", "/nowhere", "/rest/a/b", "/docs", "/openapi.json", "/health/live"] {
            let reply = anonymous.get(path).await;
            assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
            assert!(!reply.header("server").chars().any(|c| c.is_ascii_digit()), "{path}: {}", reply.header("server"));
            assert_eq!(reply.header("x-powered-by"), "");
            // Nobody speaks TLS here.
            assert_eq!(reply.header("strict-transport-security"), "");
        }
        let docs = app.admin().get("/docs").await.expect(200);
        assert!(docs.header("content-type").starts_with("text/html"), "{:?}", docs.headers);
        assert!(docs.header("content-security-policy").contains("default-src"), "{:?}", docs.headers);
    }

    async fn health_is_for_everybody(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        for path in ["/health/live", "/health/ready"] {
            assert_eq!(app.anonymous().get(path).await.expect(200).value(), json!({"status": "ok"}));
            // Bad credentials are not looked at.
            app.anonymous().bearer("x").get(path).await.expect(200);
        }
    }

    async fn the_documentation_asks_for_a_name_and_password(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        app.member("reader").await;
        for path in ["/docs", "/openapi.json"] {
            let anonymous = app.anonymous();
            for client in [anonymous.clone(), anonymous.basic("reader", "wrong password"), anonymous.basic("", ""), anonymous.bearer("x")] {
                let reply = client.get(path).await.expect(401);
                assert!(reply.header("www-authenticate").starts_with("Basic"), "{:?}", reply.headers);
            }
            anonymous.basic("reader", MEMBER_PASSWORD).get(path).await.expect(200);
            anonymous.basic("READER", MEMBER_PASSWORD).get(path).await.expect(200);
            app.admin().get(path).await.expect(200);
        }
        let reader = app.admin().get("/users?username=reader").await.expect(200).value()["users"][0]["id"].clone();
        app.admin().delete(&format!("/users/{reader}")).await.expect(200);
        app.anonymous().basic("reader", MEMBER_PASSWORD).get("/docs").await.expect(401);

        let open = TestApp::start_with(engine, &[("docs.public", "true")]).await;
        for path in ["/docs", "/openapi.json"] {
            open.anonymous().get(path).await.expect(200);
        }
        let document = open.anonymous().get("/openapi.json").await.expect(200);
        assert!(document.header("content-type").starts_with("application/json"), "{:?}", document.headers);
        assert!(document.value()["openapi"].as_str().is_some_and(|version| version.starts_with("3.")));
    }

    async fn files_are_served_from_their_folder_and_no_other(engine: TestEngine) {
        let room = tempfile::tempdir().expect("a folder");
        let folder = room.path().join("static");
        std::fs::create_dir_all(folder.join("img")).expect("folders");
        std::fs::write(folder.join("logo.png"), b"\x89PNG picture").expect("a file");
        std::fs::write(folder.join("img/a b.txt"), "text").expect("a file");
        std::fs::write(folder.join(".hidden"), "secret").expect("a file");
        std::fs::write(room.path().join("secret.txt"), "secret").expect("a file");
        #[cfg(unix)]
        std::os::unix::fs::symlink(room.path().join("secret.txt"), folder.join("link.txt")).expect("a link");
        let app = TestApp::start_with(engine, &[("static_dir", &folder.display().to_string())]).await;
        let anonymous = app.anonymous();
        let logo = anonymous.get("/logo.png").await.expect(200);
        assert_eq!((logo.header("content-type"), logo.header("x-content-type-options")), ("image/png", "nosniff"));
        assert_eq!(anonymous.get("/img/a%20b.txt").await.expect(200).body, "text");
        for path in [
            "/../secret.txt", "/img/../../secret.txt", "/%2e%2e/secret.txt", "/%2e%2e%2fsecret.txt", "/..%2fsecret.txt", "/%252e%252e/secret.txt",
            "/..%5csecret.txt", "/img/..%2f..%2fsecret.txt", "//secret.txt", "/./../secret.txt", "/.hidden", "/link.txt", "/img", "/", "/logo.png%00.txt",
            "/....//secret.txt", "/etc/passwd", "/static/../../etc/passwd", "//etc/passwd", "/%2fetc%2fpasswd",
        ] {
            let answer = raw(app.base(), format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), |_| Ok(())).await;
            if path != "/" {
                assert!([400, 404].contains(&status(&answer)), "{path}: {answer}");
            }
            assert!(!answer.contains("secret\r") && !answer.ends_with("secret") && !answer.contains("root:"), "{path}: {answer}");
        }
    }
}
