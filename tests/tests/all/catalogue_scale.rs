//! The catalogue with many tables, and how it learns of changes: table by table after Tidegate's
//! own, on a timer, and when a request misses something.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::engines::TestEngine;
use crate::support::rest::{column, create_table, unseen};

/// The names of the tables as the catalogue knows them.
async fn known(app: &TestApp, db: &str) -> Vec<String> {
    let list = app.admin().get(&format!("/databases/{db}/tables")).await;
    let list = list.expect(200).value();
    list.as_array()
        .expect("tables")
        .iter()
        .map(|table: &Value| table["name"].as_str().expect("a name").to_owned())
        .collect()
}

on_every_engine! {
    async fn own_changes_are_read_table_by_table_and_others_when_missed(engine: TestEngine) {
        let app = TestApp::start_with(engine, &[("catalogue.reload_seconds", "0")]).await;
        let db = app.gateway_database("many").await;
        assert_eq!(known(&app, &db).await, [""; 0]);
        let statements: Vec<String> = (0..60).map(|n| format!("CREATE TABLE made{n:02} (id INTEGER PRIMARY KEY, c VARCHAR(20))")).collect();
        let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
        unseen(&app, &db, &statements).await;

        // A table of Tidegate's own is known at once; the others are none of its business.
        let own = json!({"name": "own", "columns": [column("c", "int")]});
        create_table(&app, &db, &own).await;
        assert_eq!(known(&app, &db).await, ["own"]);
        // A request for one of them has all of them read, but for one within a second of another
        // reading. So does one for a column.
        let answers = async |path: &str| {
            let patience = Instant::now() + Duration::from_secs(20);
            while app.admin().get(&format!("/rest/{db}/{path}")).await.status != 200 {
                assert!(Instant::now() < patience, "{path} is not found");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        answers("made59").await;
        assert_eq!(known(&app, &db).await.len(), 61);
        unseen(&app, &db, &["ALTER TABLE made00 ADD COLUMN late VARCHAR(20)"]).await;
        answers("made00?late=is.null").await;
    }

    async fn a_timer_finds_what_nobody_tells_of(engine: TestEngine) {
        let app = TestApp::start_with(engine, &[("catalogue.reload_seconds", "1")]).await;
        let db = app.gateway_database("many").await;
        unseen(&app, &db, &["CREATE TABLE quiet (id INTEGER PRIMARY KEY)"]).await;
        let patience = Instant::now() + Duration::from_secs(20);
        while known(&app, &db).await != ["quiet"] {
            assert!(Instant::now() < patience, "the table is not found");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
