//! What tests of databases, tables and rows share: tables by one call, the form of the row
//! interface's errors, and statements sent to the engine past Tidegate.

use std::str::FromStr;

use serde_json::{Value, json};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

use super::app::TestApp;
use super::client::{Client, Reply};

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
    app.admin()
        .post(&format!("/databases/{database}/reload"), &json!({}))
        .await
        .expect(204);
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
