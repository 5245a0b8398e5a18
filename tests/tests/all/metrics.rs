//! Metrics: what a scrape says after things happened, that it has a listener of its own, and
//! that its series do not grow with what clients ask for.

use std::time::Duration;

use serde_json::json;
use tidegate::app::App;

use crate::support::app::{MEMBER_PASSWORD, TestApp, sign_in, test_settings};
use crate::support::client::{Client, Reply};
use crate::support::engines::TestEngine;
use crate::support::process::{Program, eventually};
use crate::webhooks::{any_hook, deliver};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A scrape.
struct Scrape(String);

impl Scrape {
    async fn of(app: &TestApp) -> Self {
        let address = app.metrics_address().expect("a listener");
        let client = Client::anonymous(&format!("http://{address}"));
        let reply = client.get("/metrics").await.expect(200);
        assert_eq!(
            reply.header("content-type"),
            "text/plain; version=0.0.4; charset=utf-8"
        );
        Self(reply.body)
    }

    /// The sum of the series of this name that have all these labels.
    fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        self.series(name)
            .filter(|line| labels.iter().all(|label| line.contains(label)))
            .map(|line| line.rsplit_once(' ').expect("a value").1)
            .map(|value| value.parse::<f64>().expect("a number"))
            .sum()
    }

    fn series<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.lines().filter(move |line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(['{', ' ']))
        })
    }
}

/// Whether this test has the process for itself, as cargo-nextest gives it: metrics are of a whole
/// process, and other tests in it count, too.
#[allow(
    clippy::disallowed_methods,
    reason = "the runner says by a variable that it is the one"
)]
fn alone() -> bool {
    std::env::var_os("NEXTEST").is_some()
}

/// Asserts that so many were counted, or more where others count as well.
#[track_caller]
fn counted(counted: f64, expected: f64) {
    assert!(
        counted == expected || !alone() && counted > expected,
        "{counted} instead of {expected}"
    );
}

async fn app(engine: TestEngine, settings: &[(&str, &str)]) -> TestApp {
    let own = [("metrics.address", "127.0.0.1:0")];
    TestApp::start_with(engine, &[&own, settings].concat()).await
}

on_every_engine! {
    async fn a_scrape_tells_what_happened(engine: TestEngine) {
        let app = app(engine, &[("limits.enabled", "true"), ("log.slow_statement_ms", "1")]).await;
        let (admin, anonymous) = (app.admin(), app.anonymous());
        let member = app.member("meg").await;
        let before = Scrape::of(&app).await;
        let grown = |after: &Scrape, name: &str, labels: &[&str]| after.sum(name, labels) - before.sum(name, labels);

        // Requests, by the pattern of their route.
        for id in [1, 2] {
            member.get(&format!("/users/{id}")).await.expect(200);
        }
        member.get("/users/99").await.expect(404);
        anonymous.get("/no/such/path").await.expect(404);
        anonymous.send(reqwest::Method::from_bytes(b"BREW").expect("a method"), "/users").await.expect(405);
        // Accounts.
        let wrong = json!({"username": "meg", "password": "not the password"});
        anonymous.post("/auth/token", &wrong).await.expect(401);
        let token = sign_in(&anonymous, "meg", MEMBER_PASSWORD).await;
        let bearer = anonymous.bearer(&token);
        bearer.post("/auth/logout", &json!({})).await.expect(200);
        bearer.get("/auth/me").await.expect(401);
        anonymous.bearer("no.token").get("/auth/me").await.expect(401);
        // The gateway.
        let database = app.gateway_database("metered").await;
        let table = json!({"name": "gauge", "columns": [{"name": "id", "type": "int"}], "primary_key": ["id"]});
        admin.post(&format!("/databases/{database}/tables"), &table).await.expect(201);
        let path = format!("/rest/{database}/gauge");
        admin.post(&path, &json!([{"id": 1}, {"id": 2}])).await.expect(201);
        admin.get(&path).await.expect(200);
        admin.delete(&format!("{path}?id=eq.2")).await.expect(204);
        // The inbox.
        let hook = any_hook(&member).await;
        for body in ["one", "two", "three"] {
            deliver(&anonymous, &hook, &[], body.to_owned()).await.expect(200);
        }
        let consumer = format!("{}/consumers/meter", hook.path);
        let leased = member.post(&format!("{consumer}/lease"), &json!({"limit": 2})).await.expect(200).value();
        let settle = json!({"lease": leased["lease"], "ids": [leased["messages"][0]["id"]]});
        member.post(&format!("{consumer}/ack"), &settle).await.expect(204);
        // A job.
        admin.post("/admin/jobs/sessions/run", &json!({})).await.expect(202);
        eventually("the job is done", PATIENCE, async || {
            let after = Scrape::of(&app).await;
            grown(&after, "tidegate_job_runs_total", &[r#"job="sessions""#, r#"outcome="success""#]) >= 1.0
        })
        .await;

        let after = Scrape::of(&app).await;
        let grew = |name: &str, labels: &[&str]| grown(&after, name, labels);
        let requests = "tidegate_http_requests_total";
        counted(grew(requests, &[r#"route="/users/{id}""#, r#"method="GET""#, r#"status="200""#]), 2.0);
        counted(grew(requests, &[r#"route="/users/{id}""#, r#"status="404""#]), 1.0);
        counted(grew(requests, &[r#"route="none""#, r#"method="GET""#, r#"status="404""#]), 1.0);
        counted(grew(requests, &[r#"method="OTHER""#, r#"status="405""#]), 1.0);
        counted(grew("tidegate_http_request_duration_seconds_count", &[r#"route="/users/{id}""#, r#"method="GET""#]), 3.0);
        assert!(grew("tidegate_http_response_size_bytes_count", &[r#"method="GET""#]) >= 6.0);
        assert!(grew("tidegate_http_request_size_bytes_sum", &[r#"method="POST""#]) > 100.0);
        if alone() {
            assert_eq!(after.sum("tidegate_http_requests_in_flight", &[]), 0.0);
        }
        counted(grew("tidegate_logins_total", &[r#"outcome="failure""#]), 1.0);
        counted(grew("tidegate_logins_total", &[r#"outcome="success""#]), 1.0);
        counted(grew("tidegate_tokens_refused_total", &[r#"reason="ended""#]), 1.0);
        counted(grew("tidegate_tokens_refused_total", &[r#"reason="invalid""#]), 1.0);
        for (pool, kind) in [("own", "select"), ("own", "insert"), ("gateway", "ddl"), ("gateway", "insert"), ("gateway", "select"), ("gateway", "delete")] {
            let labels = [format!(r#"pool="{pool}""#), format!(r#"kind="{kind}""#)];
            let labels = [labels[0].as_str(), labels[1].as_str()];
            assert!(grew("tidegate_db_statement_duration_seconds_count", &labels) >= 1.0, "{labels:?}");
        }
        for name in ["tidegate_db_pool_connections", "tidegate_db_pool_max"] {
            for pool in [r#"pool="own""#, r#"pool="gateway""#] {
                assert!(after.sum(name, &[pool]) >= 1.0, "{name} {pool}");
            }
        }
        assert!(grew("tidegate_db_pool_acquire_seconds_count", &[r#"pool="gateway""#]) >= 3.0);
        assert!(after.sum("tidegate_catalogue_databases", &[]) >= 1.0);
        assert!(grew("tidegate_catalogue_reloads_total", &[r#"outcome="success""#]) >= 1.0);
        assert!(after.sum("tidegate_job_last_success_timestamp_seconds", &[r#"job="sessions""#]) > 1.7e9);
        counted(grew("tidegate_inbox_received_total", &[r#"outcome="stored""#]), 3.0);
        counted(grew("tidegate_inbox_deliveries_total", &[r#"outcome="first""#]), 2.0);
        counted(grew("tidegate_inbox_settled_total", &[r#"outcome="acknowledged""#]), 1.0);
        if alone() {
            assert_eq!(after.sum("tidegate_inbox_messages", &[]), 3.0);
            // One is leased, one was never handed out.
            assert_eq!(after.sum("tidegate_inbox_unacknowledged", &[]), 2.0);
        }
        let age = after.sum("tidegate_inbox_oldest_unacknowledged_age_seconds", &[]);
        assert!((0.0..60.0).contains(&age), "{age}");
        for name in ["process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds", "tidegate_build_info"] {
            assert!(after.sum(name, &[]) > 0.0, "{name}");
        }
        // Everything that is there is explained.
        for line in after.0.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let name = line.split(['{', ' ']).next().expect("a name");
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
            assert!(after.0.contains(&format!("# HELP {base} ")) || after.0.contains(&format!("# HELP {name} ")), "{line}");
        }
    }

    async fn limits_and_waits_are_counted(engine: TestEngine) {
        let app = app(engine, &[("limits.enabled", "true"), ("limits.credentials_per_minute", "3")]).await;
        let before = Scrape::of(&app).await;
        let wrong = json!({"username": "nobody", "password": "not the password"});
        let mut refused = 0.0;
        for _ in 0..6 {
            refused += f64::from(app.anonymous().post("/auth/token", &wrong).await.status == 429);
        }
        let after = Scrape::of(&app).await;
        let labels = [r#"limit="credentials""#];
        let name = "tidegate_rate_limited_total";
        assert!(refused >= 3.0);
        counted(after.sum(name, &labels) - before.sum(name, &labels), refused);
    }

    async fn series_do_not_grow_with_what_clients_ask_for(engine: TestEngine) {
        let app = app(engine, &[]).await;
        let admin = app.admin();
        let ask = async |from: usize| {
            for n in from..from + 50 {
                for path in [format!("/nothing/{n}"), format!("/users/{}", 1000 + n), format!("/in/rid{n}"), format!("/rest/db{n}/t{n}")] {
                    admin.get(&path).await;
                }
                let method = reqwest::Method::from_bytes(format!("M{n}").as_bytes()).expect("a method");
                admin.send(method, "/users").await;
            }
        };
        ask(0).await;
        let before = Scrape::of(&app).await.0.lines().count();
        ask(50).await;
        let after = Scrape::of(&app).await.0.lines().count();
        assert!(after == before || !alone(), "{before} became {after}");
    }
}

#[tokio::test]
async fn the_api_does_not_show_metrics_and_their_listener_nothing_else() {
    let app = app(TestEngine::Sqlite, &[]).await;
    app.admin().get("/metrics").await.expect(404);
    let address = app.metrics_address().expect("a listener");
    let metrics = Client::anonymous(&format!("http://{address}"));
    for path in ["/", "/users", "/health/live", "/metrics/x"] {
        metrics.get(path).await.expect(404);
    }
    let reply = Reply::of(metrics.request(reqwest::Method::POST, "/metrics")).await;
    assert!([404, 405].contains(&reply.status.as_u16()));
}

#[tokio::test]
async fn an_address_in_use_stops_the_start_only_where_it_was_chosen() {
    let engine = TestEngine::Sqlite;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let database = engine.create_database().await;
    let settings = test_settings(&database, &[("metrics.address", &address)]);
    let mut by_default = settings.clone();
    by_default.metrics.given = false;
    let Err(error) = App::default().start(settings).await else {
        panic!("it started");
    };
    let text = format!("{error:#}");
    assert!(text.contains("metrics.address"), "{text}");
    let running = App::default().start(by_default).await.expect("it starts");
    assert_eq!(running.metrics_address(), None);
    running.shutdown();
}

#[tokio::test]
async fn the_program_says_where_its_metrics_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = Program::at(folder.path(), None).with("metrics.address", "127.0.0.1:0");
    let serving = program.serve();
    eventually("the address is printed", PATIENCE, async || {
        serving.printed().stdout().contains("/metrics")
    })
    .await;
    let printed = serving.printed();
    let line = printed
        .stdout()
        .lines()
        .find(|line| line.contains("/metrics"))
        .expect("a line");
    let url = line.split(' ').next_back().expect("a URL");
    let client = Client::anonymous(url.trim_end_matches("/metrics"));
    let body = client.get("/metrics").await.expect(200).body;
    assert!(body.contains("process_cpu_seconds_total"), "{body}");
    serving.stop();
}
