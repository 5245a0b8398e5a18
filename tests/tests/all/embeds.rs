//! Related rows within rows: in portions, in order, with limits of their own, as JSON and CSV,
//! and beside counts; the same on every engine.

use std::fmt::Write as _;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::{Client, Reply};
use crate::support::engines::TestEngine;
use crate::support::rest::{ask, column, create_table};

struct Fleet {
    admin: Client,
    base: String,
    // Held so that the server stays.
    _app: TestApp,
}

impl Fleet {
    async fn open(engine: TestEngine) -> Self {
        let app = TestApp::start(engine).await;
        let db = app.gateway_database("fleet").await;
        let needed =
            |name: &str, kind: &str| json!({"name": name, "type": kind, "nullable": false});
        let key = |columns: &[&str], to: &str, other: &[&str]| json!({"columns": columns, "references": to, "referenced_columns": other});
        for table in [
            json!({"name": "line", "columns": [needed("code", "varchar(10)"), column("since", "date")], "primary_key": ["code"]}),
            json!({
                "name": "ship",
                "columns": [needed("id", "int"), needed("name", "varchar(20)"), column("line", "varchar(10)"), column("price", "decimal(10,2)")],
                "primary_key": ["id"],
                "foreign_keys": [key(&["line"], "line", &["code"])],
            }),
            json!({
                "name": "leg",
                "columns": [needed("ship", "int"), needed("number", "int"), column("miles", "double")],
                "primary_key": ["ship", "number"],
                "foreign_keys": [key(&["ship"], "ship", &["id"])],
            }),
            json!({
                "name": "call",
                "columns": [needed("id", "int"), column("ship", "int"), column("number", "int"), column("at", "datetime"), column("papers", "json")],
                "primary_key": ["id"],
                "foreign_keys": [key(&["ship", "number"], "leg", &["ship", "number"])],
            }),
        ] {
            create_table(&app, &db, &table).await;
        }
        let fleet = Self {
            admin: app.admin(),
            base: format!("/rest/{db}"),
            _app: app,
        };
        fleet
            .store(
                "line",
                json!([{"code": "north", "since": "1999-01-02"}, {"code": "Süd", "since": null}]),
            )
            .await;
        fleet
            .store(
                "ship",
                json!([
                    {"id": 1, "name": "Tern", "line": "north", "price": "10.50"},
                    {"id": 2, "name": "Auk", "line": "north", "price": null},
                    {"id": 3, "name": "Gull", "line": null, "price": "7.00"},
                ]),
            )
            .await;
        fleet
            .store("leg", json!([
                {"ship": 1, "number": 1, "miles": 1.5}, {"ship": 1, "number": 2, "miles": 30}, {"ship": 1, "number": 3, "miles": null},
                {"ship": 2, "number": 1, "miles": 4},
            ]))
            .await;
        fleet
            .store("call", json!([
                {"id": 1, "ship": 1, "number": 1, "at": "2024-05-01T10:00:00", "papers": {"a": [1]}},
                {"id": 2, "ship": 1, "number": 1, "at": null, "papers": null},
                {"id": 3, "ship": 2, "number": 1, "at": null, "papers": [true]},
                {"id": 4, "ship": null, "number": null, "at": null, "papers": null},
            ]))
            .await;
        fleet
    }

    async fn store(&self, table: &str, rows: Value) {
        self.admin
            .post(&format!("{}/{table}", self.base), &rows)
            .await
            .expect(201);
    }

    async fn get(&self, table: &str, query: &[(&str, &str)]) -> Reply {
        ask(&self.admin, &format!("{}/{table}", self.base), query).await
    }

    async fn body(&self, table: &str, query: &[(&str, &str)]) -> String {
        self.get(table, query).await.expect(200).body
    }
}

on_every_engine! {
    async fn related_rows_stand_in_rows(engine: TestEngine) {
        let fleet = Fleet::open(engine).await;
        for (table, query, expected) in [
            // A related row, or null; its own related row within it.
            ("ship", vec![("select", "name,line(since)"), ("order", "id")], r#"[{"name":"Tern","line":{"since":"1999-01-02"}},{"name":"Auk","line":{"since":"1999-01-02"}},{"name":"Gull","line":null}]"#),
            ("call", vec![("select", "id,leg(miles,ship(name,line(code)))"), ("order", "id.desc"), ("limit", "2")], r#"[{"id":4,"leg":null},{"id":3,"leg":{"miles":4,"ship":{"name":"Auk","line":{"code":"north"}}}}]"#),
            // Related rows, in the order asked for, and none.
            ("ship", vec![("select", "name,leg(number,miles)"), ("leg.order", "number.desc"), ("order", "id")], r#"[{"name":"Tern","leg":[{"number":3,"miles":null},{"number":2,"miles":30},{"number":1,"miles":1.5}]},{"name":"Auk","leg":[{"number":1,"miles":4}]},{"name":"Gull","leg":[]}]"#),
            // A limit and an offset for each row by itself.
            ("ship", vec![("select", "id,leg(number)"), ("leg.order", "number.desc"), ("leg.limit", "1"), ("order", "id")], r#"[{"id":1,"leg":[{"number":3}]},{"id":2,"leg":[{"number":1}]},{"id":3,"leg":[]}]"#),
            ("ship", vec![("select", "id,leg(number)"), ("leg.order", "number"), ("leg.limit", "1"), ("leg.offset", "1"), ("order", "id")], r#"[{"id":1,"leg":[{"number":2}]},{"id":2,"leg":[]},{"id":3,"leg":[]}]"#),
            ("ship", vec![("select", "id,leg(number)"), ("leg.order", "number"), ("leg.limit", "2"), ("id", "eq.1")], r#"[{"id":1,"leg":[{"number":1},{"number":2}]}]"#),
            // Keys of a text, and of two columns; three levels deep.
            ("line", vec![("select", "code,ship(id,leg(number,call(id,at,papers)))"), ("order", "code"), ("ship.order", "id"), ("ship.leg.order", "number"), ("ship.leg.call.order", "id.desc"), ("ship.leg.number", "lt.3")], r#"[{"code":"Süd","ship":[]},{"code":"north","ship":[{"id":1,"leg":[{"number":1,"call":[{"id":2,"at":null,"papers":null},{"id":1,"at":"2024-05-01T10:00:00","papers":{"a": [1]}}]},{"number":2,"call":[]}]},{"id":2,"leg":[{"number":1,"call":[{"id":3,"at":null,"papers":[true]}]}]}]}]"#),
            // Only rows with related ones; with filters on those; the other way round.
            ("ship", vec![("select", "id,leg!inner(miles)"), ("leg.miles", "gt.3"), ("order", "id")], r#"[{"id":1,"leg":[{"miles":30}]},{"id":2,"leg":[{"miles":4}]}]"#),
            ("ship", vec![("select", "id,line!inner(code)"), ("line.code", "eq.north"), ("order", "id")], r#"[{"id":1,"line":{"code":"north"}},{"id":2,"line":{"code":"north"}}]"#),
            ("ship", vec![("select", "id,leg()"), ("leg.miles", "gt.3"), ("leg", "is.null"), ("order", "id")], r#"[{"id":3}]"#),
            ("ship", vec![("select", "id,line(code)"), ("line", "not.is.null"), ("order", "id.desc"), ("limit", "1")], r#"[{"id":2,"line":{"code":"north"}}]"#),
            // Members of a related row beside those of the row; arrays of members.
            ("ship", vec![("select", "id,...line(code,since)"), ("order", "id.desc"), ("limit", "2")], r#"[{"id":3,"code":null,"since":null},{"id":2,"code":"north","since":"1999-01-02"}]"#),
            ("ship", vec![("select", "id,...leg(number,miles)"), ("leg.order", "number"), ("order", "id")], r#"[{"id":1,"number":[1,2,3],"miles":[1.5,30,null]},{"id":2,"number":[1],"miles":[4]},{"id":3,"number":[],"miles":[]}]"#),
            // In the order of a related row.
            ("call", vec![("select", "id,leg(number,miles)"), ("order", "leg(miles).desc.nullslast,id")], r#"[{"id":3,"leg":{"number":1,"miles":4}},{"id":1,"leg":{"number":1,"miles":1.5}},{"id":2,"leg":{"number":1,"miles":1.5}},{"id":4,"leg":null}]"#),
            // Casts and places in documents within.
            ("leg", vec![("select", "number::text,call(n:papers->a->0,t:papers->>a,at::date)"), ("call.order", "id"), ("ship", "eq.1"), ("number", "eq.1")], r#"[{"number":"1","call":[{"n":1,"t":"[1]","at":"2024-05-01"},{"n":null,"t":null,"at":null}]}]"#),
        ] {
            // MySQL writes documents in its own way.
            let body = fleet.body(table, &query).await.replace(": ", ":");
            assert_eq!(body, expected.replace(": ", ":"), "{table} {query:?}");
        }
    }

    async fn embeds_go_with_csv_and_with_counts(engine: TestEngine) {
        let fleet = Fleet::open(engine).await;
        let path = format!("{}/ship", fleet.base);
        let csv = fleet.admin.request(Method::GET, &path).header("accept", "text/csv")
            .query(&[("select", "id,line(code),leg(number)"), ("leg.order", "number"), ("order", "id")]);
        let reply = Reply::of(csv).await.expect(200);
        assert_eq!(reply.body, "id,line,leg\n1,\"{\"\"code\"\":\"\"north\"\"}\",\"[{\"\"number\"\":1},{\"\"number\"\":2},{\"\"number\"\":3}]\"\n2,\"{\"\"code\"\":\"\"north\"\"}\",\"[{\"\"number\"\":1}]\"\n3,,[]");
        for (preference, query, status, range) in [
            ("count=exact", vec![("select", "id,leg!inner(number)"), ("limit", "1")], 206, "0-0/2"),
            ("count=exact", vec![("select", "id,leg(number)"), ("offset", "1")], 206, "1-2/3"),
            ("count=exact", vec![("select", "id,line!inner(code)")], 200, "0-1/2"),
            ("count=estimated", vec![("select", "id,leg(number)"), ("limit", "5")], 200, "0-2/3"),
        ] {
            let request = fleet.admin.request(Method::GET, &path).header("prefer", preference).query(&query);
            let reply = Reply::of(request).await.expect(status);
            assert_eq!(reply.header("content-range"), range, "{query:?}");
        }
        // By the server's statistics; how many they have it to be is theirs.
        let request = fleet.admin.request(Method::GET, &path).header("prefer", "count=planned").query(&[("select", "id"), ("limit", "1"), ("id", "gt.0")]);
        let reply = Reply::of(request).await;
        let range = reply.header("content-range").to_owned();
        let total: u64 = range.strip_prefix("0-0/").expect("a range").parse().expect("a number");
        assert!(total < 1000, "{range}");
    }

    async fn many_rows_leave_in_portions(engine: TestEngine) {
        let fleet = Fleet::open(engine).await;
        let ships: Vec<_> = (10..5_210).map(|id| json!({"id": id, "name": format!("s{id}"), "line": if id % 2 == 0 { Some("Süd") } else { None }})).collect();
        fleet.store("ship", json!(ships)).await;
        let legs: Vec<_> = (10..5_210).flat_map(|ship| (0..ship % 3).map(move |number| json!({"ship": ship, "number": number, "miles": ship}))).collect();
        fleet.store("leg", json!(legs)).await;
        let query = [("select", "id,line(code),leg(number)"), ("leg.order", "number"), ("id", "gte.10"), ("order", "id")];
        let mut expected = String::from("[");
        for id in 10..5_210 {
            let line = if id % 2 == 0 { r#"{"code":"Süd"}"# } else { "null" };
            let legs: Vec<_> = (0..id % 3).map(|number| format!(r#"{{"number":{number}}}"#)).collect();
            let comma = if id == 10 { "" } else { "," };
            write!(expected, r#"{comma}{{"id":{id},"line":{line},"leg":[{}]}}"#, legs.join(",")).expect("room");
        }
        expected.push(']');
        let reply = fleet.get("ship", &query).await.expect(200);
        assert_eq!(reply.header("content-range"), "0-5199/*");
        assert!(reply.body == expected, "{:.300}", reply.body);
        let page = fleet.get("ship", &[&query[..], &[("limit", "1000"), ("offset", "4500")]].concat()).await.expect(200);
        assert_eq!((page.header("content-range"), page.value().as_array().map(Vec::len)), ("4500-5199/*", Some(700)));
        // Limits hold for each of many rows.
        let reply = fleet.get("ship", &[&query[..], &[("leg.limit", "1"), ("leg.offset", "1")]].concat()).await.expect(200);
        let rows = reply.value();
        let wrong = rows.as_array().expect("rows").iter().find(|row| {
            let one = row["id"].as_i64().expect("an id") % 3 == 2;
            row["leg"] != if one { json!([{"number": 1}]) } else { json!([]) }
        });
        assert_eq!(wrong, None);
    }
}
