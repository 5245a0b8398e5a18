//! Several nodes on one database: what one of them ends, changes or takes back holds on all of
//! them soon, and a node that dies leaves its work to the others.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::{Connection, Executor, MySqlConnection};

use crate::support::app::{ADMIN_PASSWORD, MEMBER_PASSWORD, TestApp, sign_in};
use crate::support::client::Client;
use crate::support::engines::{TestDatabase, TestEngine};
use crate::support::process::{Program, Serving, eventually};

/// The promise: what ended on one node has ended everywhere within 5 seconds of the answer.
const PROMISE: Duration = Duration::from_secs(5);

/// Longer than anything else here takes.
const PATIENCE: Duration = Duration::from_secs(40);

struct Nodes([TestApp; 3]);

impl Nodes {
    async fn start(engine: TestEngine, settings: &[(&str, &str)]) -> Self {
        let one = TestApp::start_with(engine, settings).await;
        let two = one.second_node(settings).await;
        let three = one.second_node(settings).await;
        Self([one, two, three])
    }

    fn admin(&self) -> Client {
        self.0[0].admin()
    }

    /// The same credentials at every node.
    fn everywhere(&self, with: impl Fn(&TestApp) -> Client) -> [Client; 3] {
        [0, 1, 2].map(|node| with(&self.0[node]))
    }

    fn bearers(&self, token: &str) -> [Client; 3] {
        self.everywhere(|node| node.anonymous().bearer(token))
    }
}

/// Waits until a request is answered so at every node, no longer than was promised.
async fn answered(what: &str, clients: &[Client; 3], path: &str, status: u16) {
    let since = Instant::now();
    for (node, client) in clients.iter().enumerate() {
        let left = PROMISE.saturating_sub(since.elapsed());
        let so = async || client.get(path).await.status.as_u16() == status;
        eventually(&format!("{what}, node {node}"), left, so).await;
    }
    println!(
        "{what}: everywhere after {} ms",
        since.elapsed().as_millis()
    );
}

async fn id(client: &Client) -> i64 {
    let me = client.get("/auth/me").await.expect(200).value();
    me["id"].as_i64().expect("an id")
}

on_every_engine! {
    async fn what_ends_on_one_node_ends_on_all(engine: TestEngine) {
        let nodes = Nodes::start(engine, &[]).await;
        nodes.0[0].member("ann").await;
        let token = async || sign_in(&nodes.0[1].anonymous(), "ann", MEMBER_PASSWORD).await;
        let ended = async |what: &str, token: &str| {
            answered(what, &nodes.bearers(token), "/auth/me", 401).await;
        };

        // One session, and only that one.
        let (gone, stays) = (token().await, token().await);
        let clients = nodes.bearers(&gone);
        answered("a new session is good", &clients, "/auth/me", 200).await;
        clients[2].post("/auth/logout", &json!({})).await.expect(200);
        ended("a session that was ended", &gone).await;
        answered("another one is good", &nodes.bearers(&stays), "/auth/me", 200).await;

        // A changed password ends the others, wherever they began.
        let ann = id(&nodes.bearers(&stays)[0]).await;
        let user = format!("/users/{ann}");
        let change = json!({"password": "quite another one", "current_password": MEMBER_PASSWORD});
        nodes.bearers(&stays)[1].patch(&user, &change).await.expect(200);
        ended("a session before another password", &stays).await;
        let wrong = json!({"username": "ann", "password": MEMBER_PASSWORD});
        for node in &nodes.0 {
            node.anonymous().post("/auth/token", &wrong).await.expect(401);
        }

        // A user who is deactivated is out, with the key.
        let made = nodes.admin().post(&format!("{user}/api-key"), &json!({})).await.expect(201).value();
        let key = made["api_key"].as_str().expect("a key").to_owned();
        let keys = nodes.everywhere(|node| node.anonymous().basic(&ann.to_string(), &key));
        answered("a key is good", &keys, "/auth/me", 200).await;
        let last = sign_in(&nodes.0[2].anonymous(), "ann", "quite another one").await;
        nodes.admin().patch(&user, &json!({"activated": false})).await.expect(200);
        ended("a session of a user who was deactivated", &last).await;
        answered("a key of a user who was deactivated", &keys, "/auth/me", 401).await;
    }

    async fn a_revoked_key_and_a_changed_version_are_known_everywhere(engine: TestEngine) {
        let nodes = Nodes::start(engine, &[]).await;
        let admin = nodes.admin();
        let user = id(&admin).await;
        let path = format!("/users/{user}/api-key");
        let made = admin.post(&path, &json!({})).await.expect(201).value();
        let key = made["api_key"].as_str().expect("a key").to_owned();
        let keys = nodes.everywhere(|node| node.anonymous().basic(&user.to_string(), &key));
        answered("a key is good", &keys, "/auth/me", 200).await;
        nodes.0[1].anonymous().bearer(&sign_in(&nodes.0[1].anonymous(), "admin", ADMIN_PASSWORD).await)
            .delete(&path).await.expect(204);
        answered("a revoked key", &keys, "/auth/me", 401).await;

        let made = admin.post("/versions", &json!({"version": "7.0"})).await.expect(201).value();
        let versioned = async |status: u16| {
            let since = Instant::now();
            for node in &nodes.0 {
                let so = async || {
                    let request = node.admin().request(reqwest::Method::GET, "/auth/me").header("X-Version", "7.0");
                    request.send().await.expect("an answer").status().as_u16() == status
                };
                eventually("the version is known", PROMISE.saturating_sub(since.elapsed()), so).await;
            }
            println!("a version, {status}: everywhere after {} ms", since.elapsed().as_millis());
        };
        versioned(200).await;
        admin.patch(&format!("/versions/{}", made["id"]), &json!({"supported": false})).await.expect(200);
        versioned(426).await;
    }

    async fn wrong_passwords_count_on_every_node(engine: TestEngine) {
        let settings = [("limits.enabled", "true"), ("limits.credentials_per_minute", "1000")];
        let nodes = Nodes::start(engine, &settings).await;
        let admin = nodes.admin();
        let ann = json!({"username": "ann", "password": MEMBER_PASSWORD, "role_id": 2});
        admin.post("/users", &ann).await.expect(201);
        let attempt = async |node: usize, name: &str, password: &str| {
            let body = json!({"username": name, "password": password});
            nodes.0[node].anonymous().post("/auth/token", &body).await.status.as_u16()
        };
        for node in [0, 1, 2] {
            assert_eq!(attempt(node, "ann", MEMBER_PASSWORD).await, 200);
        }
        // So many at one node, at whatever account, and the address is shut out there.
        for number in 0..15 {
            assert_eq!(attempt(0, &format!("somebody{number}"), "a wrong password").await, 401);
        }
        assert_eq!(attempt(0, "ann", MEMBER_PASSWORD).await, 429);
        // At the others it is soon, although no password was wrong there.
        let since = Instant::now();
        for node in [1, 2] {
            let shut = async || attempt(node, "ann", MEMBER_PASSWORD).await == 429;
            eventually("it is shut", PROMISE.saturating_sub(since.elapsed()), shut).await;
        }
        println!("back-off: everywhere after {} ms", since.elapsed().as_millis());
    }

    async fn limits_are_those_of_a_node(engine: TestEngine) {
        // What a client may do at all nodes together is what one allows, times their number; a proxy
        // that keeps a client with one node makes it the same as with one.
        let settings = [("limits.enabled", "true"), ("limits.general_per_minute", "5"), ("limits.credentials_per_minute", "1000")];
        let nodes = Nodes::start(engine, &settings).await;
        for node in &nodes.0 {
            let mut let_through = 0;
            // Bounded, and more than any node lets through.
            for _ in 0..20 {
                let reply = node.anonymous().get("/roles").await;
                let_through += u32::from(reply.status == 200);
                if reply.status == 429 {
                    assert!(!reply.header("retry-after").is_empty());
                }
            }
            assert!((5..=7).contains(&let_through), "{let_through}");
        }
    }
}

async fn administrator(serving: &Serving) -> Client {
    let anonymous = serving.anonymous();
    anonymous.bearer(&sign_in(&anonymous, "admin", ADMIN_PASSWORD).await)
}

async fn last_runs(admin: &Client) -> Vec<Value> {
    let jobs = admin.get("/admin/jobs").await.expect(200).value();
    let jobs = jobs["jobs"].as_array().expect("jobs");
    let job = jobs
        .iter()
        .find(|job| job["name"] == "sessions")
        .expect("the job");
    job["runs"].as_array().expect("runs").clone()
}

/// Three real programs, of which the one that does a job is killed in the middle of it.
async fn a_node_that_is_killed_leaves_its_job_to_another(engine: TestEngine) {
    let room: TestDatabase = engine.create_database().await;
    let program = Program::on(&room)
        .with("jobs.lease_seconds", "3")
        .with("jobs.sessions", "never");
    // Nodes share the secrets, which lie in the data folder here.
    let doomed = program.serve();
    let (two, three) = (program.serve(), program.serve());
    let admin = administrator(&two).await;
    let over = administrator(&doomed).await;
    let over = over.get("/auth/sessions").await.expect(200).value();
    let over = over
        .as_array()
        .or_else(|| over["sessions"].as_array())
        .expect("sessions")
        .clone();
    let over = over
        .iter()
        .filter_map(|it| it["id"].as_i64())
        .max()
        .expect("a session");

    // The job has a session to delete, and cannot: somebody holds its row.
    let url = room.url().expect("a URL");
    let mut holder = MySqlConnection::connect(url).await.expect("the server");
    let sql = format!("UPDATE sessions SET expires_at = '2001-01-01' WHERE id = {over}");
    holder
        .execute(sqlx::AssertSqlSafe(sql))
        .await
        .expect("a session that is over");
    holder.execute("BEGIN").await.expect("a transaction");
    let sql = format!("SELECT id FROM sessions WHERE id = {over} FOR UPDATE");
    holder
        .execute(sqlx::AssertSqlSafe(sql))
        .await
        .expect("a lock");
    administrator(&doomed)
        .await
        .post("/admin/jobs/sessions/run", &json!({}))
        .await
        .expect(202);
    let running = async || {
        last_runs(&admin)
            .await
            .first()
            .is_some_and(|run| run["state"] == "running")
    };
    eventually("it is being done", PATIENCE, running).await;
    // As `kill -9` does it.
    drop(doomed);
    holder
        .execute("ROLLBACK")
        .await
        .expect("the end of the lock");

    let done = async || {
        last_runs(&admin)
            .await
            .first()
            .is_some_and(|run| run["state"] == "succeeded")
    };
    eventually("another node does it", PATIENCE, done).await;
    let runs = last_runs(&admin).await;
    assert_eq!(
        (runs.len(), &runs[1]["state"]),
        (2, &json!("abandoned")),
        "{runs:?}"
    );
    assert_ne!(runs[0]["node"], runs[1]["node"]);
    assert!(runs[0]["id"].as_i64() > runs[1]["id"].as_i64());
    for serving in [two, three] {
        serving.stop();
    }
}

macro_rules! on_servers {
    ($($name:ident: $engine:expr),+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            if $engine.is_ready() {
                a_node_that_is_killed_leaves_its_job_to_another($engine).await;
            } else {
                println!("skipped: engine not ready");
            }
        }
    )+};
}

on_servers! {
    a_node_that_is_killed_leaves_its_job_to_another_mysql: TestEngine::MySql,
    a_node_that_is_killed_leaves_its_job_to_another_mariadb: TestEngine::MariaDb
}
