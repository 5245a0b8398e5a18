//! What tests of databases, tables and rows share: tables by one call, the form of the row
//! interface's errors, and statements sent to the engine past Tidegate.

use std::str::FromStr;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

use super::app::TestApp;
use super::client::{Client, Reply};
use super::engines::TestEngine;

/// Makes a table and gives its description.
pub async fn create_table(app: &TestApp, database: &str, table: &Value) -> Value {
    app.admin()
        .post(&format!("/databases/{database}/tables"), table)
        .await
        .expect(201)
        .value()
}

/// A column of a new table.
pub fn column(name: &str, column_type: &str) -> Value {
    json!({"name": name, "type": column_type})
}

/// A GET whose query is encoded here, so that values may hold any character.
pub async fn ask(client: &Client, path: &str, query: &[(&str, &str)]) -> Reply {
    Reply::of(client.request(reqwest::Method::GET, path).query(query)).await
}

/// The values of the column `id` of the rows that fit, in their order.
pub async fn ids(client: &Client, path: &str, query: &[(&str, &str)]) -> Vec<i64> {
    let reply = ask(client, path, &[query, &[("select", "id")]].concat())
        .await
        .expect(200);
    let rows = reply.value();
    rows.as_array()
        .expect("rows")
        .iter()
        .map(|row| row["id"].as_i64().expect("an id"))
        .collect()
}

/// Asserts that this is an error of the row interface with this status and code: both sets
/// of members, and nothing of the inside in its text.
#[track_caller]
pub fn fault(reply: Reply, status: u16, code: &str) -> Value {
    let reply = reply.expect(status);
    assert!(
        reply.header("content-type").starts_with("application/json"),
        "{:?}",
        reply.headers
    );
    let value = reply.value();
    assert_eq!(value["code"], code, "{value}");
    assert_eq!(value["status"], status, "{value}");
    for member in ["message", "type", "title", "detail", "request_id"] {
        assert!(
            value[member].as_str().is_some_and(|text| !text.is_empty()),
            "{member}: {value}"
        );
    }
    for member in ["details", "hint"] {
        assert!(value.get(member).is_some(), "{member} is missing: {value}");
    }
    assert_eq!(value["detail"], value["message"], "{value}");
    assert_eq!(value["request_id"], reply.header("x-request-id"), "{value}");
    assert_tells_nothing_of_the_inside(&reply.body);
    value
}

/// No SQL, no source path and no name of a library may leave the server.
#[track_caller]
pub fn assert_tells_nothing_of_the_inside(body: &str) {
    for word in [
        "SELECT ",
        "INSERT INTO",
        "UPDATE `",
        "SQLSTATE",
        "sqlx",
        "sea_orm",
        "src/",
        "panicked",
        "for key '",
        "You have an error",
    ] {
        assert!(!body.contains(word), "{word:?} in {body}");
    }
}

/// Sends statements to a gateway database past Tidegate, and has its catalogue read anew.
pub async fn raw(app: &TestApp, database: &str, statements: &[&str]) {
    unseen(app, database, statements).await;
    app.admin()
        .post(&format!("/databases/{database}/reload"), &json!({}))
        .await
        .expect(204);
}

/// Sends statements to a gateway database past Tidegate, which learns nothing of it.
pub async fn unseen(app: &TestApp, database: &str, statements: &[&str]) {
    match app.engine().server_url() {
        Some(server) => {
            let options =
                MySqlConnectOptions::from_str(&format!("{server}/{database}")).expect("an address");
            let mut connection = options.connect().await.expect("the server answers");
            for statement in statements {
                connection
                    .execute(AssertSqlSafe(*statement))
                    .await
                    .unwrap_or_else(|error| panic!("{statement}: {error}"));
            }
            connection.close().await.expect("the connection ends");
        }
        None => {
            let file = app
                .database()
                .data_dir()
                .join("databases")
                .join(format!("{database}.db"));
            let mut connection = SqliteConnectOptions::new()
                .filename(file)
                .connect()
                .await
                .expect("the file opens");
            for statement in statements {
                connection
                    .execute(AssertSqlSafe(*statement))
                    .await
                    .unwrap_or_else(|error| panic!("{statement}: {error}"));
            }
            connection.close().await.expect("the connection ends");
        }
    }
}

/// Numbers without structure and always the same: a linear congruential generator.
pub struct Numbers(u64);

impl Numbers {
    /// The sequence that begins with `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % end
    }
}

/// A Tidegate with one gateway database of ports and ships, and requests to its tables.
pub struct Yard {
    pub app: TestApp,
    pub db: String,
    pub admin: Client,
}

impl Yard {
    /// `port` (a number as its key, a unique name), `ship` (belongs to a port), `stop` (a key of
    /// two columns) and `log` (no key), with a few rows.
    pub async fn open(engine: TestEngine, settings: &[(&str, &str)]) -> Self {
        let app = TestApp::start_with(engine, settings).await;
        let db = app.gateway_database("yard").await;
        let yard = Self {
            admin: app.admin(),
            app,
            db,
        };
        let id = json!({"name": "id", "type": "int", "nullable": false, "auto_increment": true});
        let name = json!({"name": "name", "type": "varchar(40)", "nullable": false});
        for table in [
            json!({
                "name": "port",
                "columns": [
                    id, name,
                    {"name": "berths", "type": "int", "nullable": false, "default": 3},
                    column("opened", "timestamp(6)"),
                ],
                "primary_key": ["id"],
                "indexes": [{"columns": ["name"], "unique": true}],
            }),
            json!({
                "name": "ship",
                "columns": [id, name, column("port_id", "int"), column("length", "decimal(6,2)"), column("papers", "json")],
                "primary_key": ["id"],
                "foreign_keys": [{"columns": ["port_id"], "references": "port", "referenced_columns": ["id"]}],
            }),
            json!({
                "name": "stop",
                "columns": [
                    {"name": "pier", "type": "varchar(20)", "nullable": false},
                    {"name": "day", "type": "date", "nullable": false},
                    {"name": "note", "type": "varchar(20)", "default": "none"},
                ],
                "primary_key": ["pier", "day"],
            }),
            json!({"name": "log", "columns": [column("line", "varchar(40)"), column("level", "int")]}),
        ] {
            create_table(&yard.app, &yard.db, &table).await;
        }
        let ports = json!([
            {"id": 1, "name": "Oslo", "berths": 12, "opened": "2024-07-01T10:30:00.25+00:00"},
            {"id": 2, "name": "Bergen", "berths": 7, "opened": null},
        ]);
        let ships = json!([
            {"id": 1, "name": "Tern", "port_id": 1, "length": 12.5, "papers": {"flag": "NO", "crew": null}},
            {"id": 2, "name": "Quill", "port_id": 2, "length": null, "papers": null},
            {"id": 3, "name": "Auk", "port_id": null, "length": 30, "papers": null},
        ]);
        for (table, rows) in [("port", ports), ("ship", ships)] {
            yard.send(Method::POST, table, &[], &rows.to_string())
                .await
                .expect(201);
        }
        yard
    }

    /// The path of a table.
    pub fn path(&self, rest: &str) -> String {
        format!("/rest/{}/{rest}", self.db)
    }

    /// A request with these headers; its body is JSON unless they say otherwise.
    pub async fn send(
        &self,
        method: Method,
        rest: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let mut request = self.admin.request(method, &self.path(rest));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_empty() {
            request = request.body(body.to_owned());
        }
        Reply::of(request).await
    }

    /// The rows of a read, as text.
    pub async fn read(&self, rest: &str) -> String {
        self.send(Method::GET, rest, &[], "").await.expect(200).body
    }
}
