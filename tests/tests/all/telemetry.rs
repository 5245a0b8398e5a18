//! What the program says while it runs: spans for a collector, trace ids in answers and log, the
//! log's level, and slow statements.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{ADMIN_PASSWORD, TestApp, sign_in};
use crate::support::client::{Client, Reply};
use crate::support::engines::TestEngine;
use crate::support::process::{Program, Serving, eventually};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// The trace that a client began.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn traceparent() -> String {
    format!("00-{TRACE}-b7ad6b7169203331-01")
}

/// Stands in for a collector: keeps the bytes that come to `/v1/traces`.
#[derive(Clone)]
struct Collector {
    address: SocketAddr,
    received: Arc<Mutex<Vec<u8>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let received = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&received);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let keep = Arc::clone(&keep);
                std::thread::spawn(move || {
                    let (mut read, mut piece) = (Vec::new(), [0; 65536]);
                    while let Ok(length @ 1..) = stream.read(&mut piece) {
                        read.extend_from_slice(&piece[..length]);
                        while let Some(end) = whole(&read) {
                            let request: Vec<u8> = read.drain(..end).collect();
                            assert!(request.starts_with(b"POST /v1/traces "));
                            keep.lock().expect("the lock").extend(request);
                            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                            if stream.write_all(answer).is_err() {
                                return;
                            }
                        }
                    }
                });
            }
        });
        Self { address, received }
    }

    fn holds(&self, bytes: &[u8]) -> bool {
        let received = self.received.lock().expect("the lock");
        received.windows(bytes.len()).any(|window| window == bytes)
    }
}

/// Where the first request ends, if all of it is there.
fn whole(read: &[u8]) -> Option<usize> {
    let head = read.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&read[..head]).to_lowercase();
    let length = text
        .split("content-length: ")
        .nth(1)
        .and_then(|rest| rest.split("\r\n").next())
        .and_then(|digits| digits.parse::<usize>().ok())
        .unwrap_or(0);
    (read.len() >= head + length).then_some(head + length)
}

async fn admin(serving: &Serving) -> Client {
    let anonymous = serving.anonymous();
    anonymous.bearer(&sign_in(&anonymous, "admin", ADMIN_PASSWORD).await)
}

fn trace_bytes() -> Vec<u8> {
    (0..TRACE.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&TRACE[at..at + 2], 16).expect("hex"))
        .collect()
}

on_every_engine! {
    async fn a_trace_goes_through_to_the_statements(engine: TestEngine) {
        let collector = Collector::start();
        let database = engine.create_database().await;
        let endpoint = format!("http://{}", collector.address);
        let serving = Program::on(&database).with("traces.endpoint", &endpoint).with("log.format", "json").serve();
        let admin = admin(&serving).await;
        let name = database.gateway_name("traced");
        admin.post("/databases", &json!({"name": name})).await.expect(201);
        let table = json!({"name": "t", "columns": [{"name": "id", "type": "int"}], "primary_key": ["id"]});
        admin.post(&format!("/databases/{name}/tables"), &table).await.expect(201);
        let with_trace = |path: &str| admin.request(Method::GET, path).header("traceparent", traceparent());
        Reply::of(with_trace(&format!("/rest/{name}/t?id=eq.424242"))).await.expect(200);
        Reply::of(with_trace("/items")).await.expect(200);
        // An answer that is an error names the trace, also one that the client did not begin.
        let missing = Reply::of(with_trace("/items/99")).await.problem(404, "not_found");
        assert_eq!(missing["trace_id"], TRACE);
        let own = admin.get("/items/99").await.problem(404, "not_found");
        let own = own["trace_id"].as_str().expect("a trace").to_owned();
        assert!(own.len() == 32 && own != TRACE, "{own}");
        admin.delete(&format!("/databases/{name}?force=true")).await.expect(204);

        let finished = serving.stop();
        // What was not sent before is sent at the end.
        for part in ["GET /rest/{db}/{table}", "GET /items", "authorise", "plan", "statement", "sea_orm.", "tidegate"] {
            assert!(collector.holds(part.as_bytes()), "{part}");
        }
        assert!(collector.holds(&trace_bytes()));
        for secret in [ADMIN_PASSWORD, "424242"] {
            assert!(!collector.holds(secret.as_bytes()), "{secret}");
        }
        // The log names it as well, and none of what is for traces alone.
        let line = |path: &str| {
            let lines = finished.stderr().lines();
            let mut values = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
            values.find(|line| line["target"] == "tidegate::access" && line["path"] == path && line["trace_id"] == TRACE)
        };
        assert!(line("/items").is_some(), "{}", finished.stderr());
        assert!(!finished.stderr().contains("otel."), "{}", finished.stderr());
    }

    async fn slow_statements_are_logged_under_their_request_without_their_text(engine: TestEngine) {
        let database = engine.create_database().await;
        let name = database.gateway_name("slow");
        let program = Program::on(&database).with("log.format", "json");
        let slow = |serving: Serving| -> Vec<Value> {
            let finished = serving.stop();
            let lines = finished.stderr().lines().filter_map(|line| serde_json::from_str(line).ok());
            lines.filter(|line: &Value| line["target"] == "tidegate::slow").collect()
        };
        // 100,000 rows in one statement of the client take longer than a millisecond.
        let body: String = std::iter::once("id\n".to_owned()).chain((0..100_000).map(|n| format!("{n}\n"))).collect();
        let serving = program.clone().with("log.slow_statement_ms", "1").serve();
        let client = admin(&serving).await;
        client.post("/databases", &json!({"name": name})).await.expect(201);
        let table = json!({"name": "t", "columns": [{"name": "id", "type": "int"}], "primary_key": ["id"]});
        client.post(&format!("/databases/{name}/tables"), &table).await.expect(201);
        let reply = client.text(&format!("/rest/{name}/t"), "text/csv", body).await.expect(201);
        let id = reply.header("x-request-id").to_owned();
        let lines = slow(serving);
        let of_it = |line: &&Value| line["span"]["request_id"] == id.as_str();
        let line = lines.iter().find(of_it).unwrap_or_else(|| panic!("{lines:?}"));
        assert_eq!((line["pool"].as_str(), line["level"].as_str()), (Some("gateway"), Some("WARN")), "{line}");
        assert!(line["duration_ms"].as_f64().is_some_and(|took| took >= 1.0), "{line}");
        assert!(lines.iter().all(|line| !line.to_string().to_uppercase().contains("INSERT INTO")), "{lines:?}");

        let serving = program.with("log.slow_statement_ms", "0").serve();
        let client = admin(&serving).await;
        client.get(&format!("/rest/{name}/t")).await.expect(200);
        client.delete(&format!("/databases/{name}?force=true")).await.expect(204);
        assert!(slow(serving).is_empty());
    }
}

#[tokio::test]
async fn a_client_s_trace_is_named_also_where_none_are_collected() {
    let folder = tempfile::tempdir().expect("a folder");
    let serving = Program::at(folder.path(), None).serve();
    let client = serving.anonymous();
    let ask = async |traceparent: &str| {
        let request = client.request(Method::GET, "/nothing");
        let reply = Reply::of(request.header("traceparent", traceparent)).await;
        reply.problem(404, "not_found")["trace_id"].clone()
    };
    assert_eq!(ask(&traceparent()).await, TRACE);
    for bad in [
        "",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "x",
        "00-<script>-b7ad6b7169203331-01",
    ] {
        assert_eq!(ask(bad).await, Value::Null, "{bad}");
    }
    serving.stop();
}

#[tokio::test]
async fn the_log_s_level_changes_while_the_program_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let serving = Program::at(folder.path(), None).serve();
    let admin = admin(&serving).await;
    let level = admin.get("/admin/log-level").await.expect(200).value();
    assert_eq!(level, json!({"level": "info"}));
    let put = async |level: &str| {
        let body = json!({"level": level});
        admin.json(Method::PUT, "/admin/log-level", &body).await
    };
    let seen = |path: &str| serving.printed().stderr().contains(path);

    admin.get("/items").await.expect(200);
    eventually("requests are logged", PATIENCE, async || {
        seen("path=\"/items\"")
    })
    .await;
    put("warn").await.expect(200);
    admin.get("/posts").await.expect(200);
    // Lines are written in order, so the next one shows that this one is not there.
    put("info").await.expect(200);
    admin.get("/employees").await.expect(200);
    eventually("and again", PATIENCE, async || seen("path=\"/employees\"")).await;
    assert!(!seen("path=\"/posts\""), "{}", serving.printed().stderr());

    for bad in [
        "",
        "loud",
        "info,sqlx::query=debug",
        "sea_orm=trace",
        "tidegate::trace=debug",
        "info,[request]=trace",
        "a=b=c",
    ] {
        let problem = put(bad).await.problem(422, "validation_failed");
        assert_eq!(
            problem["errors"][0]["pointer"], "/level",
            "{bad}: {problem}"
        );
    }
    let level = admin.get("/admin/log-level").await.expect(200).value();
    assert_eq!(
        level,
        json!({"level": "info"}),
        "what is refused changes nothing"
    );
    serving.stop();
}

#[tokio::test]
async fn a_library_s_log_is_not_ours_to_change() {
    let app = TestApp::start(TestEngine::Sqlite).await;
    app.admin().get("/admin/log-level").await.expect(501);
}

#[tokio::test]
async fn a_client_that_leaves_early_is_logged_and_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = Program::at(folder.path(), None).with("metrics.address", "127.0.0.1:0");
    let serving = program.serve();
    let address = serving.base().trim_start_matches("http://").to_owned();
    let mut stream = std::net::TcpStream::connect(address).expect("a connection");
    // Half of a body is sent, and then nobody is there.
    stream
        .write_all(b"POST /auth/token HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{")
        .expect("a request");
    drop(stream);
    eventually("the line is written", PATIENCE, async || {
        let printed = serving.printed();
        let mut lines = printed.stderr().lines();
        lines.any(|line| line.contains("path=\"/auth/token\"") && line.contains("complete"))
    })
    .await;
    serving.stop();
}
