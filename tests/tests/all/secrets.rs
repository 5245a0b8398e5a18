//! Secrets stay where they belong: out of the log, out of the database in clear, out of files
//! that others may read, and out of what the project ships.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, MySqlConnection};

use crate::support::app::{ADMIN_PASSWORD, sign_in};
use crate::support::client::{Client, Reply};
use crate::support::engines::{TestDatabase, TestEngine};
use crate::support::process::{Program, Serving, eventually, password_in};

/// What must not be found, each with what it is.
#[derive(Default)]
struct Secrets(Vec<(String, String)>);

impl Secrets {
    fn keep(&mut self, what: &str, secret: &str) -> String {
        assert!(
            secret.len() >= 8,
            "{what} is too short to be looked for: {secret}"
        );
        self.0.push((what.to_owned(), secret.to_owned()));
        secret.to_owned()
    }

    /// The member of an answer that is a secret.
    fn keep_member(&mut self, value: &Value, member: &str) -> String {
        let secret = value[member]
            .as_str()
            .unwrap_or_else(|| panic!("{member}: {value}"));
        self.keep(member, secret)
    }

    /// A client with HTTP Basic, whose header is kept too.
    fn basic(&mut self, client: &Client, user: &str, password: &str) -> Client {
        use base64::Engine as _;
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        self.keep("an Authorization header", &pair);
        client.basic(user, password)
    }

    /// Where a secret is found in the bytes, as itself or as a form or an address carries it.
    fn found_in(&self, place: &str, bytes: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(bytes);
        self.0
            .iter()
            .filter(|(_, secret)| {
                [
                    secret.clone(),
                    secret.replace(' ', "+"),
                    secret.replace(' ', "%20"),
                ]
                .iter()
                .any(|form| text.contains(form))
            })
            .map(|(what, secret)| format!("{what} ({secret}) in {place}"))
            .collect()
    }
}

/// Does what people do, well and badly, and gives every secret of it.
async fn live(serving: &Serving, room: &TestDatabase, admin_password: &str) -> Secrets {
    let mut secrets = Secrets::default();
    let anonymous = serving.anonymous();
    secrets.keep("the administrator's password", admin_password);

    // Signing in, well, badly, and in every form.
    let body = json!({"username": "admin", "password": admin_password});
    let pair = anonymous
        .post("/auth/token", &body)
        .await
        .expect(200)
        .value();
    let admin = anonymous.bearer(&secrets.keep_member(&pair, "access_token"));
    secrets.keep_member(&pair, "refresh_token");
    let wrong = secrets.keep("a wrong password", "wrong-password-7Qx2");
    for path in ["/auth/token", "/get-token", "/login"] {
        anonymous
            .form(path, &[("username", "admin"), ("password", &wrong)])
            .await
            .expect(401);
        anonymous
            .form(
                path,
                &[
                    ("username", "nobody"),
                    ("password", &wrong),
                    ("grant_type", "magic"),
                ],
            )
            .await;
    }
    secrets
        .basic(&anonymous, "admin", &wrong)
        .get("/")
        .await
        .expect(401);
    secrets
        .basic(&anonymous, "admin", admin_password)
        .get("/")
        .await
        .expect(200);
    secrets
        .basic(&anonymous, "1", &wrong)
        .get("/auth/me")
        .await
        .expect(401);
    let misplaced = secrets.keep("a key in the query", "misplaced5Kq9Zr3WmN8vB2cX7yT4hL6");
    anonymous
        .get(&format!(
            "/auth/me?api_key={misplaced}&access_token={misplaced}"
        ))
        .await
        .expect(401);
    let forged = secrets.keep(
        "a forged token",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.Zm9yZ2Vk",
    );
    anonymous.bearer(&forged).get("/auth/me").await.expect(401);
    anonymous
        .authorization(&forged)
        .get("/auth/me")
        .await
        .expect(401);

    // Bodies that are wrong and hold a secret all the same.
    let broken = secrets.keep("a password in broken JSON", "broken-json-pass-81");
    let text = format!("{{\"username\": \"eve\", \"password\": \"{broken}\"");
    anonymous
        .text("/auth/token", "application/json", text.clone())
        .await
        .expect(400);
    admin
        .text("/users", "application/json", text)
        .await
        .expect(400);
    let unknown = secrets.keep(
        "a password beside an unknown member",
        "unknown-member-pass-82",
    );
    anonymous
        .post(
            "/auth/register",
            &json!({"username": "eve", "password": unknown, "shoe": 43}),
        )
        .await
        .expect(422);
    anonymous
        .post(
            "/auth/register",
            &json!({"username": {"password": unknown}, "password": 5}),
        )
        .await
        .expect(422);
    let overlong = secrets.keep("a password that is too long", &"too-long-83-".repeat(20));
    anonymous
        .post(
            "/auth/register",
            &json!({"username": "eve", "password": overlong}),
        )
        .await
        .expect(422);

    // A member's life.
    let password = secrets.keep("a member's password", "harbour seal 4417");
    let register = json!({"username": "ann", "password": password, "email": "ann@example.org"});
    anonymous
        .post("/auth/register", &register)
        .await
        .expect(201);
    anonymous
        .post("/auth/register", &register)
        .await
        .expect(409);
    let body = json!({"username": "ann", "password": password});
    let pair = anonymous
        .post("/auth/token", &body)
        .await
        .expect(200)
        .value();
    let ann = anonymous.bearer(&secrets.keep_member(&pair, "access_token"));
    let old = secrets.keep_member(&pair, "refresh_token");
    let pair = anonymous
        .post("/auth/refresh", &json!({"refresh_token": old}))
        .await
        .expect(200)
        .value();
    secrets.keep_member(&pair, "access_token");
    let new = secrets.keep_member(&pair, "refresh_token");
    anonymous
        .post("/auth/refresh", &json!({"refresh_token": old}))
        .await
        .expect(401);
    anonymous
        .form(
            "/auth/token",
            &[("grant_type", "refresh_token"), ("refresh_token", &new)],
        )
        .await
        .expect(400);
    ann.get("/auth/me").await.expect(401);
    let ann = anonymous.bearer(&secrets.keep(
        "an access token",
        &sign_in(&anonymous, "ann", &password).await,
    ));
    let id = ann.get("/auth/me").await.expect(200).value()["id"].clone();
    let changed = secrets.keep("a changed password", "harbour seal 9921");
    let change = json!({"password": changed, "current_password": wrong});
    ann.patch(&format!("/users/{id}"), &change)
        .await
        .expect(422);
    let change = json!({"password": changed, "current_password": password});
    ann.patch(&format!("/users/{id}"), &change)
        .await
        .expect(200);
    let ann = anonymous.bearer(&secrets.keep(
        "an access token",
        &sign_in(&anonymous, "ann", &changed).await,
    ));
    let key = ann
        .post(&format!("/users/{id}/api-key"), &json!({}))
        .await
        .expect(201)
        .value();
    let key = secrets.keep_member(&key, "api_key");
    secrets
        .basic(&anonymous, &id.to_string(), &key)
        .get("/auth/me")
        .await
        .expect(200);
    let made = admin
        .post("/users", &json!({"username": "made", "role_id": 2}))
        .await
        .expect(201)
        .value();
    secrets.keep_member(&made, "password");
    let registered = secrets.keep("a password of the old route", "api user pass 5512");
    admin
        .post(
            "/register-api-user",
            &json!({"username": "olaf", "password": registered, "is_admin": false}),
        )
        .await
        .expect(201);
    ann.post("/auth/logout", &json!({})).await.expect(200);

    databases(&mut secrets, &admin, room).await;
    secrets
}

/// Databases, tables, rows, and accounts of the database server.
async fn databases(secrets: &mut Secrets, admin: &Client, room: &TestDatabase) {
    let database = room.gateway_name("quay");
    admin
        .post("/databases", &json!({"name": database}))
        .await
        .expect(201);
    let table =
        json!({"name": "berth", "columns": [{"name": "id", "type": "INT"}], "primary_key": ["id"]});
    admin
        .post(&format!("/databases/{database}/tables"), &table)
        .await
        .expect(201);
    admin
        .post(
            &format!("/rest/{database}/berth"),
            &json!([{"id": 1}, {"id": 2}]),
        )
        .await
        .expect(201);
    admin
        .post(&format!("/rest/{database}/berth"), &json!({"id": 1}))
        .await
        .expect(409);

    let users = format!("/databases/{database}/users");
    let (first, second, refused) = (
        secrets.keep("a database user's password", "dbuser'pass-3301"),
        secrets.keep("a database user's password", "dbuser-pass-3302"),
        secrets.keep("a refused database user's password", "dbuser-pass-3303"),
    );
    let name = |end: &str| room.gateway_name(end);
    let body = |name: &str, password: &str| json!({"username": name, "host": "localhost", "password": password, "privileges": ["SELECT"]});
    let made = if room.engine().is_server() { 201 } else { 501 };
    admin
        .post(&users, &body(&name("one"), &first))
        .await
        .expect(made);
    let old = json!({
        "host": "localhost", "username": name("two"), "password": second, "privileges": "SELECT,INSERT", "db_name": database,
    });
    admin.post("/create-db-user", &old).await.expect(made);
    let bad = admin.post(&users, &body("bad'name`", &refused)).await;
    assert!([422, 501].contains(&bad.status.as_u16()), "{bad:?}");
    for end in ["one", "two"] {
        if room.engine().is_server() {
            admin
                .delete(&format!("{users}/{}@localhost", name(end)))
                .await
                .expect(204);
        }
    }
}

/// Everything in Tidegate's own database, as bytes, each piece with where it is.
async fn dump(room: &TestDatabase, data: &Path) -> Vec<(String, Vec<u8>)> {
    let Some(url) = room.url() else {
        return files(data)
            .into_iter()
            .filter(|path| path.file_name().is_some_and(|name| name != "secrets.toml"))
            .map(|path| (path.display().to_string(), fs::read(&path).expect("a file")))
            .collect();
    };
    let mut connection = MySqlConnection::connect(url).await.expect("a connection");
    let columns: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
        "SELECT CAST(table_name AS BINARY), CAST(column_name AS BINARY) FROM information_schema.columns \
         WHERE table_schema = DATABASE()",
    )
    .fetch_all(&mut connection)
    .await
    .expect("the columns");
    let mut pieces = Vec::new();
    for (table, column) in columns {
        let [table, column] = [table, column].map(|name| String::from_utf8(name).expect("UTF-8"));
        let statement = format!("SELECT CAST(`{column}` AS BINARY) FROM `{table}`");
        let values: Vec<(Option<Vec<u8>>,)> = sqlx::query_as(AssertSqlSafe(statement))
            .fetch_all(&mut connection)
            .await
            .expect("the values");
        let bytes = values
            .into_iter()
            .filter_map(|(value,)| value)
            .collect::<Vec<_>>()
            .join(&b'\n');
        pieces.push((format!("{table}.{column}"), bytes));
    }
    connection.close().await.expect("the end of the connection");
    pieces
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[cfg(unix)]
fn assert_closed_to_others(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
}

#[cfg(not(unix))]
fn assert_closed_to_others(_path: &Path) {}

on_every_engine! {
    async fn logs_and_database_hold_no_secret(engine: TestEngine) {
        let ours = "domain application persistence auth http".split(' ').map(|part| format!("tidegate_{part}=trace"));
        let ours = ours.collect::<Vec<_>>().join(",");
        for (level, format) in [("debug".to_owned(), "pretty"), (format!("info,tidegate=trace,{ours}"), "json")] {
            let room = engine.create_database().await;
            let program = Program::on(&room).without("admin.password").with("log.level", &level).with("log.format", format);
            let serving = program.serve();
            let printed = serving.printed();
            let password = password_in(printed.stdout()).unwrap_or_else(|| panic!("{printed:?}")).to_owned();
            let mut secrets = live(&serving, &room, &password).await;

            let data = program.data_dir();
            let made = fs::read_to_string(data.join("secrets.toml")).expect("the generated secrets");
            for line in made.lines().filter(|line| line.contains(" = ")) {
                secrets.keep(line.split(' ').next().expect("a name"), line.split('"').nth(1).expect("a value in quotes"));
            }
            if let Some(url) = room.url() {
                let password = url.split('@').next().and_then(|user| user.rsplit(':').next()).expect("a password");
                secrets.keep("the database's password", password);
            }

            // While it runs, what was written last is still in the write-ahead log.
            let mut pieces = dump(&room, &data).await;
            let held: Vec<u8> = pieces.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
            for part in ["ann@example.org", "$2"] {
                assert!(held.windows(part.len()).any(|window| window == part.as_bytes()), "the dump holds no {part}");
            }
            for path in files(&data) {
                assert_closed_to_others(&path);
            }
            assert_closed_to_others(&data);
            let finished = serving.stop();
            pieces.extend(dump(&room, &data).await);

            let mut found: Vec<String> = pieces.iter().flat_map(|(place, bytes)| secrets.found_in(place, bytes)).collect();
            found.extend(secrets.found_in("the log", finished.stderr().as_bytes()));
            // The one thing that standard output may hold is the administrator's first password.
            let output = finished.stdout().replacen(&password, "", 1);
            found.extend(secrets.found_in("the output", output.as_bytes()));
            let log = finished.stderr().to_lowercase();
            for scheme in ["bearer ", "basic "] {
                let value = |rest: &&str| {
                    rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "+/=._-".contains(*c)).count() > 15
                };
                assert_eq!(log.split(scheme).skip(1).find(value), None, "an Authorization header in the log");
            }
            assert!(found.is_empty(), "at level {level}: {found:#?}");
            // The log that was looked through is one of these requests.
            for part in ["/auth/refresh", "/auth/register", "/create-db-user"] {
                assert!(finished.stderr().contains(part), "the log knows nothing of {part}");
            }
        }
    }

    async fn an_error_shows_nothing_of_what_was_sent(engine: TestEngine) {
        let room = engine.create_database().await;
        let serving = Program::on(&room).serve();
        let secret = "echo-of-a-secret-61";
        let anonymous = serving.anonymous();
        let bodies = [
            format!("{{\"username\": \"eve\", \"password\": \"{secret}\""),
            format!("{{\"username\": \"eve\", \"password\": [\"{secret}\"]}}"),
            format!("{{\"username\": \"eve\", \"password\": \"{}\"}}", secret.repeat(10)),
        ];
        for path in ["/auth/token", "/auth/register"] {
            for body in &bodies {
                let reply = anonymous.text(path, "application/json", body.clone()).await;
                assert!(reply.status.is_client_error(), "{reply:?}");
                assert!(!reply.body.contains(secret), "{path}: {}", reply.body);
            }
        }
        serving.stop();
    }

    async fn a_key_that_is_taken_back_ends_within_five_seconds(engine: TestEngine) {
        let room = engine.create_database().await;
        let serving = Program::on(&room).serve();
        let anonymous = serving.anonymous();
        let token = sign_in(&anonymous, "admin", ADMIN_PASSWORD).await;
        let admin = anonymous.bearer(&token);
        let key = admin.post("/users/1/api-key", &json!({})).await.expect(201).value();
        let holder = anonymous.basic("1", key["api_key"].as_str().expect("a key"));
        holder.get("/auth/me").await.expect(200);
        Reply::of(admin.request(Method::DELETE, "/users/1/api-key")).await.expect(204);
        eventually("the end of the key", Duration::from_secs(5), || async {
            holder.get("/auth/me").await.status.as_u16() == 401
        })
        .await;
        serving.stop();
    }
}

#[tokio::test]
async fn the_files_of_embedded_databases_are_their_owners_in_production_too() {
    let room = TestEngine::Sqlite.create_database().await;
    let program = Program::on(&room).in_production();
    program.run(&["migrate", "up"]).success();
    let serving = program.serve();
    let anonymous = serving.anonymous();
    let admin = anonymous.bearer(&sign_in(&anonymous, "admin", ADMIN_PASSWORD).await);
    let table = json!({"name": "t", "columns": [{"name": "id", "type": "INT"}]});
    admin
        .post("/databases", &json!({"name": "quay"}))
        .await
        .expect(201);
    admin
        .post("/databases/quay/tables", &table)
        .await
        .expect(201);
    let data = program.data_dir();
    let made = files(&data);
    for name in ["tidegate.db", "quay.db"] {
        assert!(
            made.iter().any(|path| path.ends_with(name)),
            "{name}: {made:?}"
        );
    }
    for path in made.iter().chain([&data, &data.join("databases")]) {
        assert_closed_to_others(path);
    }
    serving.stop();
}

// ---------------------------------------------------------------------------------------------
// What the project ships.

/// The name and value of a line that sets something: `NAME=value`, `name: value`, `ENV NAME value`.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let line = line
        .trim()
        .trim_start_matches("- ")
        .trim_start_matches("export ")
        .trim_start_matches("ENV ");
    let at = line.find(['=', ':', ' '])?;
    let (name, value) = (
        line[..at].trim(),
        line[at + 1..].trim_start_matches(['=', ':', ' ']).trim(),
    );
    let word = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    word.then_some((
        name,
        value
            .trim_end_matches('\\')
            .trim()
            .trim_matches(['"', '\'']),
    ))
}

/// Whether a line gives a secret a fixed value. Taken from elsewhere (`$NAME`, a file, standing
/// words of a text such as `...`) is not fixed.
fn fixes_a_secret(line: &str) -> bool {
    let Some((name, value)) = assignment(line) else {
        return false;
    };
    let name = name.to_lowercase();
    let secret = [
        "password",
        "passwd",
        "secret",
        "pepper",
        "token",
        "api_key",
        "apikey",
        "private_key",
    ];
    // The last one is nginx's, and says nothing but that.
    let apart = [
        "_file",
        "_minutes",
        "_days",
        "_id",
        "_per_minute",
        "_type",
        "server_tokens",
    ];
    if !secret.iter().any(|part| name.contains(part)) || apart.iter().any(|end| name.ends_with(end))
    {
        return false;
    }
    // A word of eight characters or a long phrase; a reference, a path, a type or nothing is neither.
    !(value.is_empty()
        || value.starts_with(['$', '/', '<', '#', '*', '[', '{', '|'])
        || value.contains("...")
        || value.contains("${"))
}

#[test]
fn fixed_secrets_are_recognised() {
    for line in [
        "MYSQL_ROOT_PASSWORD: tidegate",
        "      - TIDEGATE__AUTH__JWT_SECRET=0123456789abcdef",
        "ENV TIDEGATE__AUTH__PEPPER salt-and-pepper \\",
        "export ADMIN_PASSWORD='correct horse'",
        "jwt_secret = \"abcdef\"",
        "API_KEY=abc",
    ] {
        assert!(fixes_a_secret(line), "{line}");
    }
    for line in [
        "MYSQL_ROOT_PASSWORD_FILE: /run/secrets/mysql",
        "MYSQL_PASSWORD: ${MYSQL_PASSWORD:?set it}",
        "TIDEGATE__AUTH__PEPPER=",
        "access_token_minutes = 30",
        "-e TIDEGATE__AUTH__JWT_SECRET=...",
        "workers = 4",
        "TOKEN=$(curl -s http://127.0.0.1:8080)",
        "secrets:",
        "server_tokens off;",
    ] {
        assert!(!fixes_a_secret(line), "{line}");
    }
}

#[test]
fn nothing_that_is_shipped_holds_a_fixed_secret() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut looked_at = BTreeSet::new();
    let mut found = Vec::new();
    let mut paths: Vec<PathBuf> = [
        "README.md",
        ".env.example",
        "Makefile",
        "Procfile",
        "app.json",
    ]
    .map(|name| top.join(name))
    .into();
    for folder in [
        "docker", "docs", "config", "scripts", "deploy", ".ci", ".github",
    ] {
        paths.extend(files(&top.join(folder)));
    }
    for path in paths.into_iter().filter(|path| path.exists()) {
        let name = path
            .strip_prefix(&top)
            .expect("below the top")
            .display()
            .to_string();
        let text = String::from_utf8_lossy(&fs::read(&path).expect("a file")).into_owned();
        let prose = name.ends_with(".md");
        let mut in_code = false;
        for (number, line) in text.lines().enumerate() {
            if prose && line.trim_start().starts_with("```") {
                in_code = !in_code;
            }
            // In prose only what can be copied counts; elsewhere a comment is an example.
            let counts = if prose {
                in_code
            } else {
                !line.trim_start().starts_with(['#', ';'])
            };
            if counts && fixes_a_secret(line) {
                found.push(format!("{name}:{}: {line}", number + 1));
            }
        }
        looked_at.insert(name);
    }
    for name in [
        "config/default.toml",
        ".env.example",
        "docker/Dockerfile",
        "docs/CONFIGURATION.md",
        "README.md",
    ] {
        assert!(looked_at.contains(name), "{name} was not looked at");
    }
    assert!(found.is_empty(), "{found:#?}");
}
