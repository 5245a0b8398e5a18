//! Real data go in through HTTP alone and come back equal: the project's own example
//! (`tests/example`), and any other set of the same form in `TIDEGATE_TEST_DATASET`.
//!
//! A set is a folder with `tables.json`, a list of tables in the order in which they can be made
//! (`table`, `rows`, `columns`, `primary_key`, `foreign_keys`), and a CSV file for each, in which
//! the word `NULL` is the missing value.

#![allow(
    clippy::disallowed_methods,
    reason = "tests read their own environment"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::{Map, Number, Value, json};

use crate::support::app::{ADMIN_PASSWORD, TestApp};
use crate::support::client::Client;
use crate::support::engines::TestEngine;

/// A table as `tables.json` describes it.
#[derive(Deserialize)]
struct Table {
    table: String,
    rows: usize,
    columns: Vec<Value>,
    primary_key: Vec<String>,
    foreign_keys: Vec<ForeignKey>,
}

#[derive(Deserialize)]
struct ForeignKey {
    column: String,
    references: String,
    referenced_column: String,
}

impl Table {
    /// The body that makes the table.
    fn definition(&self) -> Value {
        let foreign_keys: Vec<Value> = self
            .foreign_keys
            .iter()
            .map(|key| {
                json!({
                    "columns": [key.column],
                    "references": key.references,
                    "referenced_columns": [key.referenced_column],
                })
            })
            .collect();
        json!({
            "name": self.table,
            "columns": self.columns,
            "primary_key": self.primary_key,
            "foreign_keys": foreign_keys,
        })
    }

    fn column_type(&self, name: &str) -> String {
        let column = self.columns.iter().find(|column| column["name"] == name);
        let column = column.unwrap_or_else(|| panic!("{}.csv: no column {name}", self.table));
        column["type"].as_str().expect("a type").to_uppercase()
    }

    /// The rows of the file as they must come back.
    fn expected(&self, csv: &str) -> Vec<Value> {
        let mut lines = records(csv).into_iter();
        let header = lines.next().expect("a header");
        let types: Vec<String> = header.iter().map(|name| self.column_type(name)).collect();
        let row = |line: Vec<String>| {
            assert_eq!(line.len(), header.len(), "{}.csv: {line:?}", self.table);
            let values = line
                .iter()
                .zip(&types)
                .map(|(text, column_type)| expected_value(text, column_type));
            Value::Object(header.iter().cloned().zip(values).collect::<Map<_, _>>())
        };
        let rows: Vec<Value> = lines.map(row).collect();
        assert_eq!(
            rows.len(),
            self.rows,
            "{}: tables.json and the file disagree",
            self.table
        );
        rows
    }
}

/// What a field of a CSV file is in JSON, by the type of its column.
fn expected_value(text: &str, column_type: &str) -> Value {
    let word = column_type.split(['(', ' ']).next().unwrap_or_default();
    match word {
        _ if text == "NULL" => Value::Null,
        // Kept as text by the parser, so that 1.10 is not 1.1, and no digit is lost.
        "INTEGER" | "INT" | "SMALLINT" | "TINYINT" | "MEDIUMINT" | "BIGINT" | "DECIMAL"
        | "NUMERIC" => Value::Number(
            text.parse::<Number>()
                .unwrap_or_else(|_| panic!("no number: {text}")),
        ),
        "BOOLEAN" => Value::Bool(text == "true"),
        "DATETIME" => Value::String(text.replace(' ', "T")),
        "JSON" => {
            serde_json::from_str(text).unwrap_or_else(|error| panic!("no JSON ({error}): {text}"))
        }
        _ => Value::String(text.to_owned()),
    }
}

/// The records of a CSV text (RFC 4180).
fn records(csv: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut field) = (Vec::new(), Vec::new(), String::new());
    let mut quoted = false;
    let mut characters = csv.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut field)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            c => field.push(c),
        }
    }
    if !field.is_empty() || !record.is_empty() {
        record.push(field);
        records.push(record);
    }
    records
}

fn tables(folder: &Path) -> Vec<Table> {
    let path = folder.join("tables.json");
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn csv(folder: &Path, table: &Table) -> String {
    let path = folder.join(format!("{}.csv", table.table));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The project's own example.
fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("example")
}

/// Makes the tables of a folder and puts their rows in, each file as it is.
async fn load(admin: &Client, database: &str, folder: &Path) {
    for table in tables(folder) {
        let described = admin
            .post(
                &format!("/databases/{database}/tables"),
                &table.definition(),
            )
            .await
            .expect(201)
            .value();
        assert_eq!(described["name"], *table.table, "{described}");
        let path = format!("/rest/{database}/{}", table.table);
        let reply = admin.text(&path, "text/csv", csv(folder, &table)).await;
        assert_eq!(
            reply.status.as_u16(),
            201,
            "{}: {}",
            table.table,
            reply.body
        );
        assert_eq!(reply.body, "", "{}", table.table);
    }
}

/// Reads every row back and compares it with its line.
async fn compare(client: &Client, database: &str, folder: &Path) {
    let mut total = 0;
    for table in tables(folder) {
        let expected = table.expected(&csv(folder, &table));
        let request = client
            .request(
                reqwest::Method::GET,
                &format!("/rest/{database}/{}", table.table),
            )
            .query(&[("order", table.primary_key.join(","))])
            .header("prefer", "count=exact");
        let reply = crate::support::client::Reply::of(request).await.expect(200);
        let count = expected.len();
        assert_eq!(
            reply.header("content-range"),
            format!("0-{}/{count}", count - 1),
            "{}",
            table.table
        );
        let key = |row: &Value| {
            table
                .primary_key
                .iter()
                .map(|column| row[column].to_string())
                .collect::<Vec<_>>()
        };
        let mut rows = reply.value().as_array().expect("rows").clone();
        let mut expected = expected;
        // By key as text: how the engines order is the business of other tests.
        rows.sort_by_key(&key);
        expected.sort_by_key(&key);
        assert_eq!(rows.len(), expected.len(), "{}", table.table);
        for (row, expected) in rows.iter().zip(&expected) {
            assert_eq!(row, expected, "{}", table.table);
        }
        total += rows.len();
    }
    let listed: usize = tables(folder).iter().map(|table| table.rows).sum();
    assert_eq!(total, listed);
}

/// The references are those of the database, not only of the description.
async fn assert_references_hold(admin: &Client, database: &str, folder: &Path) {
    for table in tables(folder) {
        let described = admin
            .get(&format!("/databases/{database}/tables/{}", table.table))
            .await
            .expect(200)
            .value();
        assert_eq!(
            described["primary_key"],
            json!(table.primary_key),
            "{described}"
        );
        let keys = described["foreign_keys"].as_array().expect("foreign keys");
        assert_eq!(keys.len(), table.foreign_keys.len(), "{described}");
        for key in &table.foreign_keys {
            let found = keys
                .iter()
                .find(|found| found["columns"] == json!([key.column]));
            let found =
                found.unwrap_or_else(|| panic!("{}.{}: {described}", table.table, key.column));
            assert_eq!(found["references"], *key.references, "{described}");
            assert_eq!(
                found["referenced_columns"],
                json!([key.referenced_column]),
                "{described}"
            );
            if key.references == table.table {
                continue;
            }
            // The parents cannot go while they have children.
            let path = format!("/databases/{database}/tables/{}", key.references);
            let reply = admin.delete(&path).await;
            assert!(reply.status.is_client_error(), "{path}: {reply:?}");
        }
    }
}

on_every_engine! {
    async fn data_sets_go_in_by_csv_and_come_back_equal(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let foreign = std::env::var_os("TIDEGATE_TEST_DATASET").map(PathBuf::from);
        for (number, folder) in std::iter::once(example()).chain(foreign).enumerate() {
            let database = app.gateway_database(&format!("set{number}")).await;
            load(&app.admin(), &database, &folder).await;
            let reader = app.member(&format!("reader{number}")).await;
            compare(&reader, &database, &folder).await;
            assert_references_hold(&app.admin(), &database, &folder).await;
            println!("{}: {} tables", folder.display(), tables(&folder).len());
        }
    }

    async fn the_loading_script_does_the_same(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let database = app.database().gateway_name("harbour");
        let script = || {
            Command::new("bash")
                .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/load-example"))
                .args([app.base(), &database])
                .env("ADMIN_PASSWORD", ADMIN_PASSWORD)
                .output()
                .expect("bash")
        };
        let output = script();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{text}");
        assert!(!text.contains(ADMIN_PASSWORD), "{text}");
        compare(&app.admin(), &database, &example()).await;
        // The database is there now: a second time is refused and says so.
        let output = script();
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains("409"), "{output:?}");
    }

    async fn a_bad_line_stores_nothing(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let database = app.gateway_database("half").await;
        let tables = tables(&example());
        let country = tables.iter().find(|table| table.table == "country").expect("the table");
        app.admin().post(&format!("/databases/{database}/tables"), &country.definition()).await.expect(201);
        let path = format!("/rest/{database}/country");
        let text = csv(&example(), country);
        let ragged = format!("{text}XX,too few\n");
        app.admin().text(&path, "text/csv", ragged).await.expect(400);
        let twice = format!("{text}NO,Norway again,Norge,x\n");
        app.admin().text(&path, "text/csv", twice).await.expect(409);
        let long = format!("{text}LONG,Nowhere,Nowhere,x\n");
        app.admin().text(&path, "text/csv", long).await.expect(400);
        assert_eq!(app.admin().get(&path).await.expect(200).value(), json!([]));
    }
}

#[test]
fn the_example_holds_what_it_says() {
    let tables = tables(&example());
    let rows: usize = tables
        .iter()
        .map(|table| table.expected(&csv(&example(), table)).len())
        .sum();
    let readme = fs::read_to_string(example().join("README.md")).expect("the description");
    assert!(readme.contains(&format!("{rows} rows")), "{rows}");
    let files = fs::read_dir(example()).expect("the folder").count();
    assert_eq!(
        files,
        tables.len() + 2,
        "a file without a table, or a table without a file"
    );
    assert!(
        tables
            .iter()
            .any(|table| table.primary_key.len() == 2 && table.foreign_keys.len() == 2)
    );
    assert!(tables.iter().any(|table| {
        table
            .foreign_keys
            .iter()
            .any(|key| key.references == table.table)
    }));
}
