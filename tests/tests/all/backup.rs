//! Backups through the program itself: made while it serves, put back elsewhere, and every table
//! is what it was.

#![allow(
    clippy::disallowed_methods,
    reason = "tests read their own environment"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection, Row as _, SqliteConnection};

use crate::support::app::{ADMIN_PASSWORD, sign_in};
use crate::support::client::Reply;
use crate::support::engines::{TestDatabase, TestEngine, unique_name};
use crate::support::process::{Program, Serving, eventually};

const PATIENCE: Duration = Duration::from_secs(30);

/// The digest of every table, by database and table: all rows with all columns, and how the table
/// is made.
type Checksums = BTreeMap<String, String>;

fn digest(definition: &str, mut rows: Vec<String>) -> String {
    rows.sort();
    let mut hash = Sha256::new();
    hash.update(definition);
    for row in &rows {
        hash.update(format!("\n{row}"));
    }
    let digits: String = hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{} rows {digits}", rows.len())
}

/// Those of the files of a data folder.
async fn of_files(data_dir: &Path) -> Checksums {
    let mut found = Checksums::new();
    let gateway = fs::read_dir(data_dir.join("databases")).expect("the gateway's files");
    let files = gateway.map(|entry| entry.expect("a file").path());
    let files = files.filter(|path| path.extension().is_some_and(|it| it == "db"));
    for file in files.chain([data_dir.join("tidegate.db")]) {
        let url = format!("sqlite://{}", file.display());
        let mut connection = SqliteConnection::connect(&url).await.expect("a file");
        let sql = "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_stat%'";
        for table in connection.fetch_all(sql).await.expect("the tables") {
            let (name, definition): (String, Option<String>) = (table.get(0), table.get(1));
            let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_xinfo(?)")
                .bind(&name)
                .fetch_all(&mut connection)
                .await
                .expect("the columns");
            let quoted: Vec<String> = columns
                .iter()
                .map(|it| format!("quote(\"{it}\")"))
                .collect();
            let sql = format!("SELECT {} FROM \"{name}\"", quoted.join(" || ',' || "));
            let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql))
                .fetch_all(&mut connection)
                .await
                .expect("the rows");
            let key = format!("{} {name}", file.file_name().expect("a name").display());
            found.insert(key, digest(&definition.unwrap_or_default(), rows));
        }
    }
    found
}

/// Those of all databases of a server whose name begins so.
async fn of_server(server: &str, prefix: &str) -> Checksums {
    let mut connection = MySqlConnection::connect(server).await.expect("the server");
    let sql = "SELECT CAST(table_schema AS CHAR), CAST(table_name AS CHAR) \
         FROM information_schema.tables WHERE LEFT(table_schema, ?) = ?";
    let tables = sqlx::query(sql)
        .bind(i64::try_from(prefix.len()).expect("a length"))
        .bind(prefix)
        .fetch_all(&mut connection)
        .await
        .expect("the tables");
    let mut found = Checksums::new();
    for table in tables {
        let (schema, name): (String, String) = (table.get(0), table.get(1));
        let place = format!("`{schema}`.`{name}`");
        // Not SHOW CREATE TABLE, which tells collations that go without saying now and then.
        let mut definition = Vec::new();
        for sql in [
            "SELECT column_name, ordinal_position, column_default, is_nullable, column_type, \
             collation_name, extra, generation_expression FROM information_schema.columns \
             WHERE table_schema = '{schema}' AND table_name = '{name}' ORDER BY ordinal_position",
            "SELECT index_name, seq_in_index, column_name, non_unique \
             FROM information_schema.statistics \
             WHERE table_schema = '{schema}' AND table_name = '{name}' ORDER BY 1, 2",
            "SELECT constraint_name, column_name, referenced_table_name, referenced_column_name \
             FROM information_schema.key_column_usage \
             WHERE table_schema = '{schema}' AND table_name = '{name}' ORDER BY 1, 2",
        ] {
            let sql = sql.replace("{schema}", &schema).replace("{name}", &name);
            definition.extend(texts(&mut connection, &sql).await);
        }
        let rows = texts(&mut connection, &format!("SELECT * FROM {place}")).await;
        found.insert(
            format!("{schema} {name}"),
            digest(&definition.join("\n"), rows),
        );
    }
    found
}

async fn texts(connection: &mut MySqlConnection, sql: &str) -> Vec<String> {
    let rows = connection
        .fetch_all(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())))
        .await;
    let text = |row: &sqlx::mysql::MySqlRow| {
        let fields = (0..row.len()).map(|at| {
            let bytes: Option<Vec<u8>> = row.try_get_unchecked(at).expect("a field");
            format!("{bytes:?}")
        });
        fields.collect::<Vec<_>>().join(",")
    };
    rows.expect("the rows").iter().map(text).collect()
}

/// A Tidegate with something of everything in it.
async fn fill(serving: &Serving, room: &TestDatabase) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/load-example");
    let output = Command::new("bash")
        .arg(script)
        .args([serving.base(), &room.gateway_name("harbour")])
        .env("ADMIN_PASSWORD", ADMIN_PASSWORD)
        .output()
        .expect("bash");
    assert!(output.status.success(), "{output:?}");
    let admin = administrator(serving).await;
    let empty = json!({"name": room.gateway_name("empty")});
    admin.post("/databases", &empty).await.expect(201);
    let ann = json!({"username": "ann", "password": "a password of ann", "role_id": 2});
    admin.post("/users", &ann).await.expect(201);
    let emoji = json!({"name": "海龍丸 🐉 \"it's\" \\", "description": "a\nb\tc"});
    admin.post("/items", &emoji).await.expect(201);
    let webhook = json!({"name": "Tide gauge"});
    let made = admin.post("/webhooks", &webhook).await.expect(201).value();
    let inbox = made["url"].as_str().expect("an address");
    let path = inbox.strip_prefix(serving.base()).expect("an address here");
    for body in ["low water at 14:20", "\0\u{1}binary \u{fffd}"] {
        serving.anonymous().text(path, "text/plain", body).await;
    }
    let told = admin.get("/whcontent").await.expect(200).value();
    assert_eq!(
        told["whcontent"].as_array().map(Vec::len),
        Some(2),
        "{told}"
    );
}

async fn administrator(serving: &Serving) -> crate::support::client::Client {
    let anonymous = serving.anonymous();
    let token = sign_in(&anonymous, "admin", ADMIN_PASSWORD).await;
    anonymous.bearer(&token)
}

/// Tables in which the start and the end of a server are seen.
fn without_traces(mut checksums: Checksums) -> Checksums {
    checksums.retain(|table, _| {
        let name = table.split(' ').next_back().unwrap_or_default();
        !["sessions", "jobs", "job_runs", "audit", "sqlite_sequence"].contains(&name)
    });
    checksums
}

fn backed_up_to(printed: &str) -> PathBuf {
    let line = printed
        .lines()
        .find_map(|line| line.strip_prefix("backed up to "));
    PathBuf::from(line.expect("the folder"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_backed_up_while_they_are_used_and_put_back_elsewhere() {
    let room = TestEngine::Sqlite.create_database().await;
    let program = Program::on(&room);
    let printed = program.run(&["backup"]).failure();
    assert!(
        printed.contains("there is no embedded database"),
        "{printed}"
    );

    let serving = program.serve();
    fill(&serving, &room).await;
    let printed = program.run(&["backup"]);
    let backup = program
        .data_dir()
        .join("..")
        .join(backed_up_to(printed.success()));
    assert!(printed.stdout().contains("auth.pepper"), "{printed:?}");
    let before = of_files(&program.data_dir()).await;
    assert!(
        before.len() > 20 && before.values().any(|it| !it.starts_with("0 rows")),
        "{before:?}"
    );
    assert_eq!(of_files(&backup).await, before, "the copy, table by table");
    // Nobody else may read what is in it.
    for path in [
        backup.clone(),
        backup.join("tidegate.db"),
        backup.join("databases"),
    ] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
    }
    let printed = program
        .run(&["backup", "--to", &backup.display().to_string()])
        .failure();
    assert!(printed.contains("not empty"), "{printed}");

    // Not while a server has it open, and not over what is there.
    let folder = backup.display().to_string();
    let printed = program
        .run(&["restore", &folder, "--force", "--yes"])
        .failure();
    assert!(printed.contains("stop it first"), "{printed}");
    serving.stop();
    let printed = program.run(&["restore", &folder]).failure();
    assert!(printed.contains("--force --yes"), "{printed}");

    // Elsewhere, with the secrets, as somebody whose machine is lost would do it.
    let other = TestEngine::Sqlite.create_database().await;
    let elsewhere = Program::on(&other);
    fs::create_dir(elsewhere.data_dir()).expect("a folder");
    let secrets = "secrets.toml";
    fs::copy(
        program.data_dir().join(secrets),
        elsewhere.data_dir().join(secrets),
    )
    .expect("the secrets");
    let printed = elsewhere.run(&["restore", &folder]);
    assert!(
        printed.success().contains("restored 3 databases"),
        "{printed:?}"
    );
    assert_eq!(of_files(&elsewhere.data_dir()).await, before);
    let serving = elsewhere.serve();
    let ann = sign_in(&serving.anonymous(), "ann", "a password of ann").await;
    let path = format!("/rest/{}/ship?select=ship_id", room.gateway_name("harbour"));
    serving
        .anonymous()
        .bearer(&ann)
        .get(&path)
        .await
        .expect(200);
    administrator(&serving)
        .await
        .post("/items", &json!({"name": "later"}))
        .await
        .expect(201);
    serving.stop();
    assert_ne!(
        without_traces(of_files(&elsewhere.data_dir()).await),
        without_traces(before.clone())
    );

    // Over what is there: it is moved aside.
    let printed = elsewhere.run(&["restore", &folder, "--force", "--yes"]);
    assert!(printed.success().contains("replaced-"), "{printed:?}");
    assert_eq!(of_files(&elsewhere.data_dir()).await, before);

    // What was damaged on its way is refused before anything is touched.
    let file = backup.join("tidegate.db");
    let mut bytes = fs::read(&file).expect("the file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).expect("the file");
    let printed = elsewhere
        .run(&["restore", &folder, "--force", "--yes"])
        .failure();
    assert!(printed.contains("is damaged"), "{printed}");
    assert_eq!(of_files(&elsewhere.data_dir()).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_meanwhile_is_in_the_copy_or_not_and_nothing_by_half() {
    let room = TestEngine::Sqlite.create_database().await;
    let program = Program::on(&room);
    let serving = program.serve();
    let admin = administrator(&serving).await;
    let post = async |n: usize| {
        let item = json!({"name": format!("item {n}"), "description": "x".repeat(2000)});
        admin.post("/items", &item).await.expect(201);
    };
    for n in 0..50 {
        post(n).await;
    }
    let backup = room.data_dir().join("mine");
    let making = {
        let (program, to) = (program.clone(), backup.display().to_string());
        tokio::task::spawn_blocking(move || program.run(&["backup", "--to", &to]))
    };
    let mut written = 50;
    while !making.is_finished() && written < 5000 {
        post(written).await;
        written += 1;
    }
    making.await.expect("the program").success();
    let url = format!("sqlite://{}", backup.join("tidegate.db").display());
    let mut copy = SqliteConnection::connect(&url).await.expect("the copy");
    let whole: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(&mut copy)
        .await
        .expect("an answer");
    assert_eq!(whole, "ok");
    // The first so many, without a gap.
    let sql = "SELECT COUNT(*), MAX(CAST(SUBSTR(name, 6) AS INTEGER)) FROM items";
    let (count, last): (i64, i64) = sqlx::query_as(sql)
        .fetch_one(&mut copy)
        .await
        .expect("the items");
    assert_eq!(count, last + 1);
    let written = i64::try_from(written).expect("a number");
    assert!((50..=written).contains(&count), "{count} of {written}");
    println!("{} written during the backup", written - 50);
    serving.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_restore_lets_nobody_in() {
    let room = TestEngine::Sqlite.create_database().await;
    let program = Program::on(&room);
    program.run(&["migrate", "up"]).success();
    let backup = room.data_dir().join("mine").display().to_string();
    program.run(&["backup", "--to", &backup]).success();
    fs::write(program.data_dir().join("restore.unfinished"), "").expect("the mark");
    let printed = program.run(&["migrate", "status"]).failure();
    assert!(printed.contains("interrupted"), "{printed}");
    program
        .run(&["restore", &backup, "--force", "--yes"])
        .success();
    program.run(&["migrate", "status"]).success();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_jobs_of_the_embedded_engine_are_done() {
    let room = TestEngine::Sqlite.create_database().await;
    let program = Program::on(&room).with("backup.keep", "2");
    let serving = program.serve();
    fill(&serving, &room).await;
    let admin = administrator(&serving).await;
    let run = async |name: &str| -> Value {
        let path = format!("/admin/jobs/{name}/run");
        let begun = admin.post(&path, &json!({})).await.expect(202).value();
        let last = async || {
            let jobs = admin.get("/admin/jobs").await.expect(200).value();
            let job = jobs["jobs"]
                .as_array()
                .expect("jobs")
                .iter()
                .find(|it| it["name"] == name);
            job.expect("the job")["runs"][0].clone()
        };
        let ended = async || {
            let run = last().await;
            run["id"] == begun["run_id"] && run["state"] != "running"
        };
        eventually("it is done", PATIENCE, ended).await;
        last().await
    };
    let optimized = run("optimize").await;
    assert_eq!(optimized["state"], "succeeded", "{optimized}");
    assert_eq!(optimized["detail"], "3 databases looked at");
    // Keys of requests lie beside the rows that they made, in the file of the database.
    let country = room.gateway_name("harbour");
    for key in ["old", "young"] {
        let row = json!({"code": &key[..2], "name": key, "native_name": key, "flag": "x"});
        let path = format!("/rest/{country}/country");
        let request = admin
            .request(reqwest::Method::POST, &path)
            .header("Idempotency-Key", key);
        let reply = Reply::of(request.json(&row)).await;
        assert!(reply.status.is_success(), "{reply:?}");
    }
    let file = program.data_dir().join(format!("databases/{country}.db"));
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", file.display()))
        .await
        .expect("a file");
    let sql = "UPDATE _tidegate_idempotency SET created_at = '2024-01-01 00:00:00.000000' \
         WHERE id = (SELECT MIN(id) FROM _tidegate_idempotency)";
    connection.execute(sql).await.expect("an old key");
    assert_eq!(run("idempotency-keys").await["detail"], "1 keys deleted");
    let left: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM _tidegate_idempotency")
        .fetch_one(&mut connection)
        .await
        .expect("a number");
    assert_eq!(left, 1);
    connection.close().await.expect("the end of a connection");
    // Names have seconds, so that two in one second would be one.
    let backups = program.data_dir().join("backups");
    for stamp in ["20250101T000000Z", "20250102T000000Z"] {
        let to = backups.join(stamp).display().to_string();
        program.run(&["backup", "--to", &to]).success();
    }
    let made = run("backup").await;
    assert_eq!(made["state"], "succeeded", "{made}");
    let detail = made["detail"].as_str().expect("words");
    assert!(
        detail.starts_with("3 databases copied to 2")
            && detail.ends_with("; 1 older backups removed"),
        "{detail}"
    );
    let mut left: Vec<String> = fs::read_dir(&backups)
        .expect("the backups")
        .map(|entry| entry.expect("an entry").file_name().display().to_string())
        .collect();
    left.sort();
    assert_eq!(
        (left.len(), left[0].as_str()),
        (2, "20250102T000000Z"),
        "{left:?}"
    );
    assert_eq!(
        without_traces(of_files(&backups.join(&left[1])).await),
        without_traces(of_files(&program.data_dir()).await)
    );
    serving.stop();
}

/// An account of a test that sees its own databases only.
struct Account {
    server: String,
    name: String,
}

impl Account {
    /// Makes one; the address of the server as it sees it.
    async fn make(server: &str, prefix: &str) -> (Self, String) {
        let (name, password) = (unique_name(), "it's a \"secret\" \\ #1");
        let mut connection = MySqlConnection::connect(server).await.expect("the server");
        let quoted = password.replace('\\', "\\\\").replace('\'', "''");
        for sql in [
            format!("CREATE USER '{name}'@'%' IDENTIFIED BY '{quoted}'"),
            format!("GRANT ALL PRIVILEGES ON `{prefix}%`.* TO '{name}'@'%'"),
        ] {
            let done = connection.execute(AssertSqlSafe(sql)).await;
            done.expect("an account");
        }
        let encoded = "it%27s%20a%20%22secret%22%20%5C%20%231";
        let (_, place) = server.rsplit_once('@').expect("an address");
        let url = format!("mysql://{name}:{encoded}@{place}");
        let server = server.to_owned();
        (Self { server, name }, url)
    }

    async fn remove(self) {
        let mut connection = MySqlConnection::connect(&self.server)
            .await
            .expect("the server");
        let sql = format!("DROP USER '{}'@'%'", self.name);
        connection
            .execute(AssertSqlSafe(sql))
            .await
            .expect("the end of the account");
    }
}

/// The PATH on which the programs of an engine's makers come first; `None` where they are missing.
fn path_with_tools(engine: TestEngine, room: &Path) -> Option<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let beside = std::env::var_os("TIDEGATE_TEST_MYSQLD").map(PathBuf::from);
    let beside = beside.and_then(|it| Some(it.parent()?.to_owned()));
    let mut folders = beside
        .into_iter()
        .chain(std::env::split_paths(&path))
        .collect::<Vec<_>>()
        .into_iter();
    let (dump, load) = match engine {
        TestEngine::MariaDb => ("mariadb-dump", "mariadb"),
        _ => ("mysqldump", "mysql"),
    };
    let fits = |folder: &PathBuf| {
        let answer = Command::new(folder.join(dump)).arg("--version").output();
        answer.is_ok_and(|it| {
            let text = String::from_utf8_lossy(&it.stdout).into_owned();
            text.contains("MariaDB") == (engine == TestEngine::MariaDb)
        })
    };
    let folder = folders.find(fits)?;
    // A wrapper around a program may keep it from reading files of options, as it is right for a
    // server.
    let tools = room.join("tools");
    fs::create_dir(&tools).expect("a folder");
    for name in [dump, load] {
        let program = folder.join(name);
        match fs::read_to_string(&program) {
            Ok(script) if script.starts_with("#!") && script.contains(" --no-defaults") => {
                let copy = tools.join(name);
                fs::write(&copy, script.replace(" --no-defaults", "")).expect("a script");
                let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
                fs::set_permissions(&copy, mode).expect("a script");
            }
            _ => {
                std::os::unix::fs::symlink(&program, tools.join(name)).expect("a link");
            }
        }
    }
    Some(format!("{}:{path}", tools.display()))
}

async fn a_server_is_backed_up_and_put_back(engine: TestEngine) {
    let room = engine.create_database().await;
    let own = room.url().expect("a URL");
    let (server, prefix) = own.rsplit_once('/').expect("a database");
    let (account, address) = Account::make(server, prefix).await;
    let program = Program::at(room.data_dir(), Some(&format!("{address}/{prefix}")));
    let without = program.clone().with("PATH", "/nowhere");
    let Some(path) = path_with_tools(engine, room.data_dir()) else {
        let wanted = std::env::var("TIDEGATE_TEST_ENGINES").unwrap_or_default();
        let compulsory = wanted.split(',').any(|name| name.trim() == engine.name());
        assert!(!compulsory, "the dump program of {engine} is not installed");
        println!("skipped: the dump program of {engine} is not installed");
        account.remove().await;
        return;
    };
    let program = program.with("PATH", &path);
    let serving = program.serve();
    fill(&serving, &room).await;
    // A view of a table in a database that comes later.
    let mut connection = MySqlConnection::connect(&format!("{address}/{prefix}"))
        .await
        .expect("the server");
    let (empty, harbour) = (room.gateway_name("empty"), room.gateway_name("harbour"));
    let view = format!("CREATE VIEW `{empty}`.fleet AS SELECT name FROM `{harbour}`.ship");
    connection
        .execute(AssertSqlSafe(view))
        .await
        .expect("a view");
    let printed = without.run(&["backup"]).failure();
    assert!(printed.contains("is not on the PATH: install"), "{printed}");
    let backup = room.data_dir().join("mine").display().to_string();
    let printed = program.run(&["backup", "--to", &backup]);
    printed.success();
    assert!(!printed.text().contains("secret\""), "{printed:?}");
    let before = of_server(server, prefix).await;
    assert!(before.len() > 20, "{before:?}");
    administrator(&serving)
        .await
        .post("/items", &json!({"name": "later"}))
        .await
        .expect(201);
    serving.stop();

    let printed = program.run(&["restore", &backup]).failure();
    assert!(printed.contains("--force --yes"), "{printed}");
    assert_ne!(of_server(server, prefix).await, before);
    program
        .run(&["restore", &backup, "--force", "--yes"])
        .success();
    let after = of_server(server, prefix).await;
    for (table, sum) in &before {
        assert_eq!(after.get(table), Some(sum), "{table}");
    }
    assert_eq!(after.len(), before.len());

    // What was replaced was kept, and can be had again; nobody works on what is there by half.
    let mut entries = fs::read_dir(program.data_dir()).expect("the data folder");
    let replaced = entries.find_map(|entry| {
        let path = entry.expect("an entry").path();
        let name = path.file_name()?.display().to_string();
        name.starts_with("replaced-").then_some(path)
    });
    let replaced = replaced.expect("what was replaced").display().to_string();
    room.ask("CREATE TABLE tidegate_restore_unfinished (id INT)")
        .await;
    let printed = program.run(&["migrate", "status"]).failure();
    assert!(printed.contains("interrupted"), "{printed}");
    program
        .run(&["restore", &replaced, "--force", "--yes"])
        .success();
    assert_eq!(
        room.ask("SELECT COUNT(*) FROM items WHERE name = 'later'")
            .await,
        "1\n"
    );
    program.run(&["migrate", "status"]).success();

    // Where nothing is at all.
    let mut connection = MySqlConnection::connect(server).await.expect("the server");
    for name in [
        prefix.to_owned(),
        room.gateway_name("harbour"),
        room.gateway_name("empty"),
    ] {
        let sql = format!("DROP DATABASE `{name}`");
        connection
            .execute(AssertSqlSafe(sql))
            .await
            .expect("the end of a database");
    }
    let printed = program.run(&["restore", &backup]);
    assert!(
        printed.success().contains("restored 3 databases"),
        "{printed:?}"
    );
    assert_eq!(of_server(server, prefix).await, before);
    assert!(room.ask("SHOW TRIGGERS").await.contains("audit_no_update"));
    let serving = program.serve();
    sign_in(&serving.anonymous(), "ann", "a password of ann").await;
    serving.stop();
    account.remove().await;
}

macro_rules! on_servers {
    ($($name:ident: $engine:expr),+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            if $engine.is_ready() {
                a_server_is_backed_up_and_put_back($engine).await;
            } else {
                println!("skipped: engine not ready");
            }
        }
    )+};
}

on_servers! {
    a_server_is_backed_up_and_put_back_mysql: TestEngine::MySql,
    a_server_is_backed_up_and_put_back_mariadb: TestEngine::MariaDb
}
