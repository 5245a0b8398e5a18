//! What happens when things end: the database server is killed and comes back, the program is
//! told to stop under load, it starts without a database, without an administrator, or with
//! settings that must not be. All against the program itself.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::support::app::{ADMIN_PASSWORD, sign_in};
use crate::support::client::{Client, Reply};
use crate::support::engines::TestEngine;
use crate::support::process::{Program, Serving, eventually, password_in};
use crate::support::server::OwnServer;

/// How long a server may take to come back and be noticed.
const RECOVERY: Duration = Duration::from_secs(30);

/// Makes of each test one per kind of server, `name::mysql` and `name::mariadb`.
macro_rules! on_every_server {
    ($(async fn $name:ident($engine:ident : $type:ty) $body:block)+) => {$(
        async fn $name($engine: $type) $body

        mod $name {
            use crate::support::engines::TestEngine;

            async fn run(engine: TestEngine) {
                if engine.is_ready() {
                    super::$name(engine).await;
                } else {
                    println!("skipped: engine not ready");
                }
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn mysql() {
                run(TestEngine::MySql).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn mariadb() {
                run(TestEngine::MariaDb).await;
            }
        }
    )+};
}

/// Asserts that an answer says "not now, but soon".
#[track_caller]
fn assert_unavailable(reply: &Reply, what: &str) {
    assert_eq!(reply.status.as_u16(), 503, "{what}: {}", reply.body);
    let seconds: Option<u64> = reply.header("retry-after").parse().ok();
    assert!(
        seconds.is_some_and(|seconds| seconds > 0),
        "{what}: {:?}",
        reply.headers
    );
}

/// A gateway database with a table `t` of a number and a text, made by an administrator.
async fn make_table(admin: &Client, database: &str) {
    admin
        .post("/databases", &json!({"name": database}))
        .await
        .expect(201);
    let table = json!({
        "name": "t",
        "columns": [{"name": "id", "type": "BIGINT", "nullable": false}, {"name": "note", "type": "VARCHAR(40)"}],
        "primary_key": ["id"],
    });
    admin
        .post(&format!("/databases/{database}/tables"), &table)
        .await
        .expect(201);
}

async fn administrator(serving: &Serving) -> Client {
    let anonymous = serving.anonymous();
    anonymous.bearer(&sign_in(&anonymous, "admin", ADMIN_PASSWORD).await)
}

/// The numbers in the table `t`.
async fn stored(admin: &Client, database: &str) -> BTreeSet<i64> {
    let rows = admin
        .get(&format!("/rest/{database}/t?select=id"))
        .await
        .expect(200)
        .value();
    rows.as_array()
        .expect("rows")
        .iter()
        .map(|row| row["id"].as_i64().expect("a number"))
        .collect()
}

// ---------------------------------------------------------------------------------------------
// The database server goes and comes back.

/// Where the server is in its life. While a request sees the same stable phase before and after
/// it, there is one right answer.
mod phase {
    pub(super) const UP: u8 = 0;
    pub(super) const GOING: u8 = 1;
    pub(super) const AWAY: u8 = 2;
    pub(super) const COMING: u8 = 3;
    pub(super) const BACK: u8 = 4;
}

/// One kind of request, sent over and over.
struct Caller {
    name: &'static str,
    client: Client,
    kind: Kind,
}

enum Kind {
    Get(String),
    SignIn,
    Insert(String),
    Live,
}

/// What the callers saw.
#[derive(Default)]
struct Seen {
    /// How often each caller was answered in each stable phase.
    counts: BTreeMap<(&'static str, u8), u32>,
    wrong: Vec<String>,
    acknowledged: BTreeSet<i64>,
}

static NEXT_ID: AtomicI64 = AtomicI64::new(1);

impl Caller {
    async fn call(&self, phase: &AtomicU8, seen: &Mutex<Seen>) {
        let before = phase.load(Ordering::SeqCst);
        let id = NEXT_ID.fetch_add(1, Ordering::SeqCst);
        let request = match &self.kind {
            Kind::Get(path) => self.client.request(Method::GET, path),
            Kind::Live => self.client.request(Method::GET, "/health/live"),
            Kind::SignIn => self
                .client
                .request(Method::POST, "/auth/token")
                .json(&json!({"username": "admin", "password": ADMIN_PASSWORD})),
            Kind::Insert(path) => self
                .client
                .request(Method::POST, path)
                .json(&json!({"id": id, "note": "wave"})),
        };
        let answer = Reply::try_of(request).await;
        let after = phase.load(Ordering::SeqCst);

        let (status, retry_after) = match &answer {
            Ok(reply) => (
                reply.status.as_u16(),
                reply.header("retry-after").parse::<u64>().is_ok(),
            ),
            Err(_) => (0, false),
        };
        let well = (200..300).contains(&status);
        let unavailable = status == 503 && retry_after;
        let right = match (&self.kind, before, after) {
            (Kind::Live, _, _) => status == 200,
            (_, phase::UP, phase::UP) | (_, phase::BACK, phase::BACK) => well,
            (_, phase::AWAY, phase::AWAY) => unavailable,
            _ => well || unavailable,
        };
        let mut seen = seen.lock().await;
        if !right && seen.wrong.len() < 5 {
            let answer = answer.map(|reply| (reply.status, reply.body));
            seen.wrong.push(format!(
                "{} in phase {before} to {after}: {answer:?}",
                self.name
            ));
        }
        if before == after {
            *seen.counts.entry((self.name, before)).or_default() += 1;
        }
        if well && matches!(self.kind, Kind::Insert(_)) {
            seen.acknowledged.insert(id);
        }
    }
}

/// Waits until every caller was answered `times` more in this phase.
async fn everybody_was_answered(
    callers: &[Arc<Caller>],
    seen: &Mutex<Seen>,
    phase: u8,
    times: u32,
) {
    eventually("an answer to everybody", RECOVERY, || async {
        let seen = seen.lock().await;
        callers.iter().all(|caller| {
            seen.counts
                .get(&(caller.name, phase))
                .copied()
                .unwrap_or_default()
                >= times
        })
    })
    .await;
}

on_every_server! {
    async fn a_killed_server_means_503_until_it_is_back(engine: TestEngine) {
        let server = OwnServer::start(engine);
        let directory = tempfile::tempdir().expect("a directory");
        let serving = Program::at(directory.path(), Some(server.url()))
            // Long enough for a machine that is busy with other things.
            .with("database.acquire_timeout_seconds", "5")
            // One caller does nothing but sign in, and must not end the sessions of the others.
            .with("auth.max_sessions", "10000")
            .serve();
        let admin = administrator(&serving).await;
        make_table(&admin, "quay").await;
        admin.post("/rest/quay/t", &json!({"id": 0, "note": "first"})).await.expect(201);
        let key = admin.post("/users/1/api-key", &json!({})).await.expect(201).value()["api_key"].as_str().expect("a key").to_owned();

        let rows = "/rest/quay/t";
        let callers: Vec<Arc<Caller>> = [
            // One user would be shown for a second without a look at the database.
            ("users by token", admin.clone(), Kind::Get("/users".into())),
            ("a user by API key", serving.anonymous().basic("1", &key), Kind::Get("/users/1".into())),
            ("a sign-in", serving.anonymous(), Kind::SignIn),
            ("a read of rows", admin.clone(), Kind::Get(format!("{rows}?id=eq.0"))),
            ("an insert", admin.clone(), Kind::Insert(rows.into())),
            ("readiness", serving.anonymous(), Kind::Get("/health/ready".into())),
            ("life", serving.anonymous(), Kind::Live),
        ]
        .into_iter()
        .map(|(name, client, kind)| Arc::new(Caller { name, client, kind }))
        .collect();
        let phase = Arc::new(AtomicU8::new(phase::UP));
        let (seen, done) = (Arc::new(Mutex::new(Seen::default())), Arc::new(AtomicBool::new(false)));
        let tasks: Vec<_> = callers
            .iter()
            // Two of each, so that the pools hold more than one connection.
            .flat_map(|caller| [Arc::clone(caller), Arc::clone(caller)])
            .map(|caller| {
                let (phase, seen, done) = (Arc::clone(&phase), Arc::clone(&seen), Arc::clone(&done));
                tokio::spawn(async move {
                    while !done.load(Ordering::SeqCst) {
                        caller.call(&phase, &seen).await;
                        // A load, not a contest for the processors.
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                })
            })
            .collect();

        everybody_was_answered(&callers, &seen, phase::UP, 5).await;
        phase.store(phase::GOING, Ordering::SeqCst);
        server.kill();
        phase.store(phase::AWAY, Ordering::SeqCst);
        everybody_was_answered(&callers, &seen, phase::AWAY, 2).await;
        phase.store(phase::COMING, Ordering::SeqCst);
        server.restart();
        for path in ["/health/ready", "/users/1", "/rest/quay/t?limit=1"] {
            eventually(path, RECOVERY, || async { admin.get(path).await.status.as_u16() == 200 }).await;
        }
        phase.store(phase::BACK, Ordering::SeqCst);
        everybody_was_answered(&callers, &seen, phase::BACK, 20).await;
        done.store(true, Ordering::SeqCst);
        for task in tasks {
            task.await.expect("a caller");
        }

        let seen = seen.lock().await;
        assert!(seen.wrong.is_empty(), "{:#?}", seen.wrong);
        // What was acknowledged before the crash is there after it.
        let stored = stored(&admin, "quay").await;
        let lost: Vec<_> = seen.acknowledged.difference(&stored).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        serving.stop();
    }

    async fn a_server_that_is_away_at_the_start_is_waited_for(engine: TestEngine) {
        let server = OwnServer::start(engine);
        server.kill();
        let directory = tempfile::tempdir().expect("a directory");
        let serving = Program::at(directory.path(), Some(server.url())).with("database.acquire_timeout_seconds", "1").serve();
        let anonymous = serving.anonymous();
        let body = json!({"username": "admin", "password": ADMIN_PASSWORD});
        anonymous.get("/health/live").await.expect(200);
        assert_unavailable(&anonymous.get("/health/ready").await, "ready");
        assert_unavailable(&anonymous.post("/auth/token", &body).await, "sign-in");
        assert_unavailable(&anonymous.basic("1", "0123456789abcdef0123456789abcdef").get("/rest/quay/t").await, "rows");

        server.restart();
        // Meanwhile the schema is made: until that is done, the answer is the same as before.
        // Then comes the first administrator, whom nobody knows for a moment.
        eventually("sign-in", RECOVERY, || async {
            let reply = anonymous.post("/auth/token", &body).await;
            let served = reply.status.as_u16() == 200;
            if !served && reply.status.as_u16() != 401 {
                assert_unavailable(&reply, "sign-in, while the start catches up");
            }
            served
        })
        .await;
        anonymous.get("/health/ready").await.expect(200);
        let admin = administrator(&serving).await;
        make_table(&admin, "quay").await;
        admin.post("/rest/quay/t", &json!({"id": 1})).await.expect(201);
        assert_eq!(stored(&admin, "quay").await, BTreeSet::from([1]));
        let versions = anonymous.get("/versions").await.expect(200).value();
        assert_eq!(versions.as_array().map(Vec::len), Some(9), "{versions}");
        serving.stop();
    }
}

// ---------------------------------------------------------------------------------------------
// The program is told to stop.

/// A request whose head the program has taken: it asked to be told to go on before the body, and
/// it was.
struct Held {
    stream: TcpStream,
    body: String,
}

impl Held {
    fn begin(address: SocketAddr, authorization: &str, path: &str, body: &Value) -> Self {
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a limit");
        let body = body.to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {authorization}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).expect("the head is sent");
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"\r\n\r\n") {
            assert_eq!(
                stream.read(&mut byte).expect("an answer"),
                1,
                "closed before the body"
            );
            answer.push(byte[0]);
        }
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 100 "), "{answer}");
        Self { stream, body }
    }

    /// Sends the body and gives the status of the answer.
    fn finish(mut self) -> Result<u16, String> {
        self.stream
            .write_all(self.body.as_bytes())
            .map_err(|error| format!("the body: {error}"))?;
        let mut answer = Vec::new();
        let mut piece = [0; 1024];
        // To the end of the head: the connection may stay open after it.
        while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
            match self.stream.read(&mut piece) {
                Ok(0) => return Err("closed without an answer".into()),
                Ok(length) => answer.extend_from_slice(&piece[..length]),
                Err(error) => return Err(format!("the answer: {error}")),
            }
        }
        let answer = String::from_utf8_lossy(&answer).into_owned();
        answer
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .ok_or(answer)
    }
}

/// What the clients that kept sending saw.
#[derive(Default)]
struct Load {
    acknowledged: BTreeSet<i64>,
    /// Sent, and the connection ended before an answer.
    unanswered: BTreeSet<i64>,
    wrong: Vec<String>,
}

/// Inserts rows until nobody listens any more.
async fn insert_until_refused(
    admin: Client,
    database: String,
    told: Arc<AtomicBool>,
    next: Arc<AtomicI64>,
) -> Load {
    let mut load = Load::default();
    loop {
        let id = next.fetch_add(1, Ordering::SeqCst);
        let request = admin
            .request(Method::POST, &format!("/rest/{database}/t"))
            .json(&json!({"id": id, "note": "wave"}));
        match Reply::try_of(request).await {
            Ok(reply) if reply.status.as_u16() == 201 => {
                load.acknowledged.insert(id);
            }
            Ok(reply) => load.wrong.push(format!("{id}: {reply:?}")),
            Err(error) if !told.load(Ordering::SeqCst) => load
                .wrong
                .push(format!("{id}, before the signal: {error:?}")),
            Err(error) if error.is_connect() => return load,
            Err(_) => {
                load.unanswered.insert(id);
            }
        }
        if load.wrong.len() > 5 {
            return load;
        }
    }
}

on_every_engine! {
    /// "Accepted" is told apart in two ways. A held request was certainly accepted: the program
    /// answered its head with `100 Continue` before the signal, so it must get its answer after
    /// it. Of the others a client alone cannot tell: on a kept connection, or on one that the
    /// system took and the program did not, a request may cross the end of the connection
    /// (RFC 9112 section 9.5), and whoever sent it may send it again. That this is what happened
    /// is seen in the table: a row of an unanswered request there means that the request was
    /// accepted, done, and not answered.
    async fn a_signal_under_load_fails_no_accepted_request(engine: TestEngine) {
        const LIMIT: Duration = Duration::from_secs(20);

        let room = engine.create_database().await;
        let database = room.gateway_name("quay");
        let program = Program::on(&room).with("server.shutdown_timeout_seconds", &LIMIT.as_secs().to_string());
        let serving = program.serve();
        let anonymous = serving.anonymous();
        let token = sign_in(&anonymous, "admin", ADMIN_PASSWORD).await;
        let admin = anonymous.bearer(&token);
        make_table(&admin, &database).await;
        let address: SocketAddr = serving.base().trim_start_matches("http://").parse().expect("an address");

        // Clients with nothing to say must not hold up the end.
        let idle: Vec<Client> = (0..8).map(|_| serving.anonymous()).collect();
        for client in &idle {
            client.get("/health/live").await.expect(200);
        }
        let (told, next) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(1_000)));
        let load: Vec<_> = (0..16)
            .map(|_| {
                let client = Client::anonymous(serving.base()).bearer(&token);
                tokio::spawn(insert_until_refused(client, database.clone(), Arc::clone(&told), Arc::clone(&next)))
            })
            .collect();
        let path = format!("/rest/{database}/t");
        let held: Vec<Held> = (0..16)
            .map(|id| Held::begin(address, &format!("Bearer {token}"), &path, &json!({"id": id, "note": "held"})))
            .collect();
        eventually("some load", RECOVERY, || async { next.load(Ordering::SeqCst) > 1_200 }).await;

        told.store(true, Ordering::SeqCst);
        let start = Instant::now();
        serving.terminate();
        eventually("nobody listens", LIMIT, || async {
            TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err()
        })
        .await;
        let statuses: Vec<_> = held.into_iter().map(Held::finish).collect();
        assert!(statuses.iter().all(|status| *status == Ok(201)), "{statuses:?}");
        let finished = serving.wait(LIMIT);
        finished.success();
        // Well before the moment at which connections are cut.
        assert!(start.elapsed() < LIMIT / 2, "took {:?}", start.elapsed());

        let mut all = Load::default();
        for client in load {
            let mut seen = client.await.expect("a client");
            all.acknowledged.append(&mut seen.acknowledged);
            all.unanswered.append(&mut seen.unanswered);
            all.wrong.append(&mut seen.wrong);
        }
        assert!(all.wrong.is_empty(), "{:#?}", all.wrong);
        assert!(all.acknowledged.len() > 100, "{} requests are no load", all.acknowledged.len());

        let serving = program.serve();
        let stored = stored(&administrator(&serving).await, &database).await;
        assert!((0..16).all(|id| stored.contains(&id)), "a held row is missing");
        let lost: Vec<_> = all.acknowledged.difference(&stored).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        let unanswered: Vec<_> = all.unanswered.intersection(&stored).collect();
        assert!(unanswered.is_empty(), "done and not answered: {unanswered:?}");
        serving.stop();
    }

    // -----------------------------------------------------------------------------------------
    // The program starts.

    async fn a_second_start_makes_no_second_administrator(engine: TestEngine) {
        let room = engine.create_database().await;
        let program = Program::on(&room).without("admin.password");
        let first = program.serve();
        let printed = first.printed();
        let password = password_in(printed.stdout()).unwrap_or_else(|| panic!("no password: {printed:?}")).to_owned();
        assert!(printed.stdout().contains("admin"), "{printed:?}");
        let me = first.anonymous().bearer(&sign_in(&first.anonymous(), "admin", &password).await);
        assert_eq!(me.get("/auth/me").await.expect(200).value()["id"], 1);
        let finished = first.stop();
        // To the terminal once, and not to the log.
        assert_eq!(finished.stdout().matches(&password).count(), 1, "{finished:?}");
        assert!(!finished.stderr().contains(&password), "{finished:?}");

        let second = program.serve();
        let admin = second.anonymous().bearer(&sign_in(&second.anonymous(), "admin", &password).await);
        assert_eq!(admin.get("/users").await.expect(200).value()["total"], 1);
        let printed = second.stop();
        assert_eq!(password_in(printed.stdout()), None, "{printed:?}");
        assert!(!printed.text().contains(&password), "{printed:?}");

        // Not even where the settings name another one.
        let third = program.with("admin.username", "other").with("admin.password", "another good password").serve();
        let body = json!({"username": "other", "password": "another good password"});
        third.anonymous().post("/auth/token", &body).await.expect(401);
        third.stop();
    }

    async fn production_starts_without_an_administrator_and_says_how_to_make_one(engine: TestEngine) {
        let room = engine.create_database().await;
        let program = Program::on(&room).without("admin.password").in_production();
        program.run(&["migrate", "up"]).success();
        let serving = program.serve();
        let printed = serving.printed();
        assert!(printed.text().contains("users create --admin"), "{printed:?}");
        assert_eq!(password_in(printed.stdout()), None, "{printed:?}");
        let anonymous = serving.anonymous();
        anonymous.post("/auth/token", &json!({"username": "admin", "password": ADMIN_PASSWORD})).await.expect(401);

        // Made beside the running program, which needs no restart.
        let made = program.run(&["users", "create", "--admin", "--username", "ada"]);
        let password = password_in(made.success()).unwrap_or_else(|| panic!("no password: {made:?}"));
        assert!(!made.stderr().contains(password), "{made:?}");
        let ada = anonymous.bearer(&sign_in(&anonymous, "ada", password).await);
        assert_eq!(ada.get("/auth/me").await.expect(200).value()["role"], "admin");

        let bob = ["users", "create", "--username", "bob", "--email", "bob@example.org", "--password-stdin"];
        let made = program.run_with_input(&bob, "a password of bob\nanother line\n");
        assert!(!made.text().contains("a password of bob"), "{made:?}");
        made.success();
        let bob = anonymous.bearer(&sign_in(&anonymous, "bob@example.org", "a password of bob").await);
        assert_eq!(bob.get("/auth/me").await.expect(200).value()["role"], "user");

        for (arguments, input, part) in [
            (&["users", "create", "--admin", "--username", "ADA"][..], "", "already"),
            (&["users", "create", "--username", "eve", "--password-stdin"], "short\n", "password"),
            (&["users", "create", "--username", "e@ve"], "", "username"),
        ] {
            let printed = program.run_with_input(arguments, input).failure();
            assert!(printed.to_lowercase().contains(&part.to_lowercase()), "{arguments:?}: {printed}");
        }
        serving.stop();
    }
}

#[test]
fn weak_settings_do_not_start_and_every_fault_is_listed() {
    let directory = tempfile::tempdir().expect("a directory");
    let (secret, password) = ("much-too-short", "Password1234");
    let weak = Program::at(directory.path(), Some("sqlite:"))
        .in_production()
        .with("auth.jwt_secret", secret)
        .with("auth.pepper", &"ab".repeat(20))
        .with("auth.bcrypt_cost", "4")
        .with("admin.password", password)
        .with("server.prot", "80")
        .with("limits.general_per_minute", "many");
    for arguments in [
        &["serve"][..],
        &[],
        &["config", "check"],
        &["migrate", "up"],
    ] {
        let printed = weak.run(arguments).failure();
        for key in [
            "jwt_secret",
            "pepper",
            "bcrypt_cost",
            "admin.password",
            "server.prot",
            "general_per_minute",
        ] {
            assert!(
                printed.contains(key),
                "{arguments:?} does not name {key}: {printed}"
            );
        }
        for value in [secret, password, &"ab".repeat(20)] {
            assert!(
                !printed.contains(value),
                "{arguments:?} prints a secret: {printed}"
            );
        }
    }
    assert!(
        !weak.data_dir().exists(),
        "a refused start has made something"
    );

    // Nothing given at all: each thing that is missing is named.
    let bare = Program::at(directory.path(), None)
        .with("TIDEGATE_PROFILE", "production")
        .without("admin.password");
    let printed = bare.without("auth.bcrypt_cost").run(&["serve"]).failure();
    for key in ["database.url", "auth.jwt_secret", "auth.pepper"] {
        assert!(printed.contains(key), "{key}: {printed}");
    }
}

#[test]
fn an_address_that_is_taken_is_an_error_and_not_a_hang() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let directory = tempfile::tempdir().expect("a directory");
    let printed = Program::at(directory.path(), None)
        .with("server.address", &address)
        .run(&["serve"])
        .failure();
    assert!(printed.contains(&address), "{printed}");
}
