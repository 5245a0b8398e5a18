//! Several nodes see one another's changes of schemas.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::engines::TestEngine;
use crate::support::process::eventually;

/// Within which time a node learns of a change that no request shows it.
const PROMISED: Duration = Duration::from_secs(5);

on_every_engine! {
    async fn what_one_node_makes_the_other_finds_at_once(engine: TestEngine) {
        let one = TestApp::start(engine).await;
        let two = one.second_node(&[]).await;
        let (first, second) = (one.admin(), two.admin());
        let name = one.gateway_database("shared").await;
        // Known there before there is any table.
        assert_eq!(second.get(&format!("/databases/{name}/tables")).await.expect(200).value(), json!([]));
        second.get(&format!("/rest/{name}/boat")).await.expect(404);
        let table = json!({"name": "boat", "columns": [{"name": "id", "type": "int"}, {"name": "name", "type": "varchar(20)"}], "primary_key": ["id"]});
        first.post(&format!("/databases/{name}/tables"), &table).await.expect(201);
        let path = format!("/rest/{name}/boat");
        second.get(&path).await.expect(200);
        second.post(&path, &json!({"id": 1, "name": "Aurora"})).await.expect(201);

        let change = json!({"add_columns": [{"name": "draught", "type": "int"}]});
        first.patch(&format!("/databases/{name}/tables/boat"), &change).await.expect(200);
        second.patch(&format!("{path}?id=eq.1"), &json!({"draught": 7})).await.expect(204);
        assert_eq!(second.get(&format!("{path}?select=draught")).await.expect(200).value(), json!([{"draught": 7}]));
    }

    async fn what_is_made_behind_the_back_is_found_soon(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let admin = app.admin();
        let name = app.gateway_database("outside").await;
        let path = format!("/rest/{name}/boat");
        admin.get(&path).await.expect(404);
        app.database().behind_the_back(&name, "CREATE TABLE $boat (id INTEGER PRIMARY KEY)").await;
        // A description that was read a moment ago is believed for a second.
        eventually("the table is found", PROMISED, async || admin.get(&path).await.status.as_u16() == 200).await;
    }

    async fn what_one_node_changes_or_drops_the_other_learns(engine: TestEngine) {
        let one = TestApp::start(engine).await;
        let two = one.second_node(&[]).await;
        let (first, second) = (one.admin(), two.admin());
        let name = one.gateway_database("changing").await;
        let tables = format!("/databases/{name}/tables");
        for table in ["boat", "pier"] {
            let table = json!({"name": table, "columns": [{"name": "id", "type": "int"}, {"name": "size", "type": "int"}], "primary_key": ["id"]});
            first.post(&tables, &table).await.expect(201);
        }
        let described = async || {
            let list = second.get(&tables).await.expect(200).value();
            let names = list.as_array().expect("an array").iter().map(|table| table["name"].clone());
            names.collect::<Vec<Value>>()
        };
        eventually("both are there", PROMISED, async || described().await == ["boat", "pier"]).await;
        first.json(Method::PATCH, &format!("{tables}/boat"), &json!({"alter_columns": [{"name": "size", "type": "varchar(10)"}]})).await.expect(200);
        first.delete(&format!("{tables}/pier")).await.expect(204);
        eventually("one is gone", PROMISED, async || described().await == ["boat"]).await;
        let size = async || {
            let table = second.get(&format!("{tables}/boat")).await.expect(200).value();
            let columns = table["columns"].as_array().expect("columns").clone();
            columns.into_iter().find(|column| column["name"] == "size").expect("the column")["type"].clone()
        };
        eventually("the type is known", PROMISED, async || size().await == "varchar(10)").await;
        second.post(&format!("/rest/{name}/boat"), &json!({"id": 1, "size": "huge"})).await.expect(201);
        if engine == TestEngine::Sqlite {
            // Its files belong to one program: another goes on with the file that is gone.
            return;
        }
        first.delete(&format!("/databases/{name}?force=true")).await.expect(204);
        eventually("the database is gone", PROMISED, async || second.get(&tables).await.status.as_u16() == 404).await;
    }
}
