//! Databases, their accounts and their tables below `/databases`.

use std::str::FromStr;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

use crate::support::app::TestApp;
use crate::support::client::{Client, Reply};
use crate::support::engines::TestEngine;
use crate::support::rest::{column, create_table, raw};

/// Names that nobody may make or see.
const RESERVED: [&str; 12] = [
    "mysql",
    "information_schema",
    "performance_schema",
    "sys",
    "main",
    "temp",
    "sqlite_master",
    "sqlite_x",
    "MySQL",
    "INFORMATION_SCHEMA",
    "Sys",
    "SQLITE_sequence",
];

fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Where the faults of a refused body are.
#[track_caller]
fn pointers(reply: Reply) -> Vec<String> {
    let value = reply.problem(422, "validation_failed");
    value["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .map(|error| error["pointer"].as_str().expect("a pointer").to_owned())
        .collect()
}

/// The entry of a database in the list.
async fn listed(client: &Client, name: &str) -> Option<Value> {
    let list = client.get("/databases").await.expect(200).value();
    let names: Vec<_> = list
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| entry["name"].as_str().expect("a name").to_owned())
        .collect();
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!(names, sorted);
    list.as_array()
        .expect("a list")
        .iter()
        .find(|entry| entry["name"] == name)
        .cloned()
}

/// The name of Tidegate's own database.
fn own(app: &TestApp) -> String {
    app.database()
        .url()
        .and_then(|url| url.rsplit_once('/'))
        .map_or("tidegate", |(_, name)| name)
        .to_owned()
}

on_every_engine! {
    async fn a_database_comes_and_goes(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let (admin, member) = (app.admin(), app.member("member").await);
        let name = app.database().gateway_name("shop");
        assert_eq!(listed(&admin, &name).await, None);
        let made = admin.post("/databases", &json!({"name": name})).await.expect(201);
        assert_eq!((made.value(), made.header("location")), (json!({"name": name}), format!("/databases/{name}").as_str()));
        admin.post("/databases", &json!({"name": name})).await.problem(409, "database_exists");
        let entry = listed(&member, &name).await.expect("an entry");
        assert_eq!((&entry["tables"], entry["size_bytes"].is_u64()), (&json!(0), true), "{entry}");
        assert_eq!(admin.get(&format!("/databases/{name}/tables")).await.expect(200).value(), json!([]));

        create_table(&app, &name, &json!({"name": "t", "columns": [column("id", "int")]})).await;
        assert_eq!(listed(&member, &name).await.expect("an entry")["tables"], 1);
        for query in ["", "?force=false"] {
            admin.delete(&format!("/databases/{name}{query}")).await.problem(409, "database_not_empty");
        }
        admin.delete(&format!("/databases/{name}?force=perhaps")).await.problem(422, "validation_failed");
        admin.get(&format!("/databases/{name}/tables/t")).await.expect(200);
        admin.delete(&format!("/databases/{name}?force=true")).await.expect(204);
        assert_eq!(listed(&admin, &name).await, None);
        admin.delete(&format!("/databases/{name}")).await.problem(404, "not_found");
        admin.get(&format!("/databases/{name}/tables")).await.problem(404, "not_found");
        admin.get(&format!("/rest/{name}/t")).await.expect(404);

        // The name is free again, and what it held is gone. An empty one needs no force.
        admin.post("/databases", &json!({"name": name})).await.expect(201);
        assert_eq!(admin.get(&format!("/databases/{name}/tables")).await.expect(200).value(), json!([]));
        admin.delete(&format!("/databases/{name}")).await.expect(204);
    }

    async fn of_many_who_make_one_database_one_does(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let name = app.database().gateway_name("race");
        let requests = (0..8).map(|_| {
            let (admin, body) = (app.admin(), json!({"name": name}));
            async move { admin.post("/databases", &body).await.status.as_u16() }
        });
        let mut statuses = futures_util::future::join_all(requests).await;
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
        let requests = (0..8).map(|n| {
            let (admin, path) = (app.admin(), format!("/databases/{name}/tables"));
            let body = json!({"name": if n % 2 == 0 { "t" } else { "T" }, "columns": [column("id", "int")]});
            async move { admin.post(&path, &body).await.status.as_u16() }
        });
        let mut statuses = futures_util::future::join_all(requests).await;
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
    }

    async fn reserved_names_are_nobodys(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let admin = app.admin();
        let own = own(&app);
        for name in RESERVED.into_iter().chain([own.as_str()]) {
            assert_eq!(pointers(admin.post("/databases", &json!({"name": name})).await), ["/name"], "{name}");
            let table = json!({"name": "t", "columns": [column("id", "int")]});
            let account = json!({"username": "someone", "password": "a good password"});
            for reply in [
                admin.delete(&format!("/databases/{name}")).await,
                admin.delete(&format!("/databases/{name}?force=true")).await,
                admin.post(&format!("/databases/{name}/reload"), &json!({})).await,
                admin.get(&format!("/databases/{name}/tables")).await,
                admin.post(&format!("/databases/{name}/tables"), &table).await,
                admin.get(&format!("/databases/{name}/tables/user")).await,
                admin.patch(&format!("/databases/{name}/tables/users"), &json!({"rename": "x"})).await,
                admin.delete(&format!("/databases/{name}/tables/users")).await,
                admin.get(&format!("/databases/{name}/users")).await,
                admin.post(&format!("/databases/{name}/users"), &account).await,
                admin.delete(&format!("/databases/{name}/users/someone@localhost")).await,
            ] {
                reply.problem(404, "not_found");
            }
            for table in ["users", "user", "sessions", "sqlite_master", "tables"] {
                let path = format!("/rest/{name}/{table}");
                admin.get(&path).await.expect(404);
                admin.post(&path, &json!({"id": 1})).await.expect(404);
                admin.patch(&format!("{path}?id=eq.1"), &json!({"id": 1})).await.expect(404);
                admin.delete(&format!("{path}?id=eq.1")).await.expect(404);
            }
        }
        let list = admin.get("/databases").await.expect(200).value();
        for entry in list.as_array().expect("a list") {
            let name = entry["name"].as_str().expect("a name").to_lowercase();
            assert!(name != own && !["mysql", "information_schema", "performance_schema", "sys", "main", "temp"].contains(&name.as_str()), "{entry}");
        }
        // The engine's own tables in a database of one's own.
        let db = app.gateway_database("mine").await;
        for table in ["sqlite_master", "sqlite_schema", "sqlite_sequence"] {
            admin.get(&format!("/rest/{db}/{table}")).await.expect(404);
            admin.get(&format!("/databases/{db}/tables/{table}")).await.problem(404, "not_found");
            let body = json!({"name": table, "columns": [column("id", "int")]});
            assert_eq!(pointers(admin.post(&format!("/databases/{db}/tables"), &body).await), ["/name"]);
        }
    }

    async fn names_of_databases(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let admin = app.admin();
        for name in ["a'b", "a\"b", "a`b", "a\0b", "a\nb", "🦀", "ä", "a b", "a.b", "a/b", "a\\b", "..", "", " ", "1a", "-a", "$a", &"x".repeat(65)] {
            assert_eq!(pointers(admin.post("/databases", &json!({"name": name})).await), ["/name"], "{name:?}");
            if !name.is_empty() && name != ".." {
                for path in [format!("/databases/{}/tables", encode(name)), format!("/rest/{}/t", encode(name))] {
                    admin.get(&path).await.expect(404);
                }
                admin.delete(&format!("/databases/{}", encode(name))).await.problem(404, "not_found");
            }
        }
        let longest = app.database().gateway_name(&format!("$-{}", "y".repeat(60)))[..64].to_owned();
        admin.post("/databases", &json!({"name": longest})).await.expect(201);
        create_table(&app, &longest, &json!({"name": "t", "columns": [column("id", "int")]})).await;
        assert_eq!(admin.get(&format!("/rest/{}/t", encode(&longest))).await.expect(200).value(), json!([]));
        admin.delete(&format!("/databases/{longest}?force=true")).await.expect(204);
    }

    async fn names_of_tables_and_columns(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let db = app.gateway_database("names").await;
        let admin = app.admin();
        let path = format!("/databases/{db}/tables");
        for name in ["a'b", "a\"b", "a`b", "a\0b", "a\nb", "a/b", "a\\b", "a.b", " a", "a ", "", "🦀", "\u{7f}", &"x".repeat(65), &"ä".repeat(65)] {
            assert_eq!(pointers(admin.post(&path, &json!({"name": name, "columns": [column("a", "int")]})).await), ["/name"], "{name:?}");
            assert_eq!(pointers(admin.post(&path, &json!({"name": "t", "columns": [column(name, "int")]})).await), ["/columns/0/name"], "{name:?}");
        }
        assert_eq!(admin.get(&path).await.expect(200).value(), json!([]));
        for name in ["select", "Größe", "日本", "order details", "a-b", "a$b", "1", "50%", "a;b", "a=b", "a,b(c)", &"ä".repeat(64)] {
            let made = create_table(&app, &db, &json!({"name": name, "columns": [{"name": name, "type": "int", "nullable": false}], "primary_key": [name]})).await;
            assert_eq!((&made["name"], &made["columns"][0]["name"], &made["primary_key"]), (&json!(name), &json!(name), &json!([name])));
            let one = format!("{path}/{}", encode(name));
            assert_eq!(admin.get(&one).await.expect(200).value()["columns"], made["columns"]);
            admin.post(&format!("/rest/{db}/{}", encode(name)), &json!({name: 7})).await.expect(201);
            assert_eq!(admin.get(&format!("/rest/{db}/{}", encode(name))).await.expect(200).value(), json!([{name: 7}]));
            admin.delete(&one).await.expect(204);
        }
        // Columns and tables that differ in case alone are one to some engines, so to all.
        let twice = json!({"name": "t", "columns": [column("a", "int"), column("A", "int")]});
        assert_eq!(pointers(admin.post(&path, &twice).await), ["/columns/1/name"]);
        create_table(&app, &db, &json!({"name": "Goods", "columns": [column("a", "int")]})).await;
        for name in ["Goods", "goods", "GOODS"] {
            admin.post(&path, &json!({"name": name, "columns": [column("a", "int")]})).await.problem(409, "table_exists");
        }
    }

    async fn every_type_is_described_as_it_was_given(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let db = app.gateway_database("types").await;
        let same = [
            "tinyint", "tinyint unsigned", "smallint", "smallint unsigned", "mediumint", "mediumint unsigned", "int", "int unsigned", "bigint", "bigint unsigned",
            "tinyint(1)", "decimal(10,0)", "decimal(65,30)", "decimal(12,4) unsigned", "float", "float unsigned", "double", "double unsigned", "char(1)", "char(255)",
            "varchar(1)", "varchar(255)", "tinytext", "text", "mediumtext", "longtext", "binary(1)", "binary(16)", "varbinary(255)", "tinyblob", "blob",
            "mediumblob", "longblob", "date", "time", "time(3)", "datetime", "datetime(6)", "timestamp", "timestamp(6)", "year", "json", "uuid", "bit(1)", "bit(64)",
            "enum('a','b')", "enum('it''s','b c','ü')", "set('a','b')",
        ];
        let other = [
            ("INTEGER", "int"), ("Int(11) Unsigned", "int unsigned"), ("BOOLEAN", "tinyint(1)"), ("bool", "tinyint(1)"), ("NUMERIC(10, 2)", "decimal(10,2)"), ("decimal", "decimal(10,0)"),
            ("dec(5)", "decimal(5,0)"), ("DOUBLE PRECISION", "double"), ("Char", "char(1)"), ("VARCHAR( 20 )", "varchar(20)"), ("bit", "bit(1)"), ("Year(4)", "year"),
            ("ENUM('A','b')", "enum('A','b')"),
        ];
        let all: Vec<(&str, &str)> = same.iter().map(|name| (*name, *name)).chain(other).collect();
        let columns: Vec<_> = all.iter().enumerate().map(|(at, (given, _))| column(&format!("c{at}"), given)).collect();
        let made = create_table(&app, &db, &json!({"name": "types", "columns": columns})).await;
        for (at, (given, described)) in all.iter().enumerate() {
            let expected = json!({
                "name": format!("c{at}"), "type": described, "nullable": true, "default": null,
                "auto_increment": false, "unique": false, "comment": "", "generated": null,
            });
            assert_eq!(made["columns"][at], expected, "{given}");
        }
        // The same from the engine, once the memory of it is gone.
        let admin = app.admin();
        admin.post(&format!("/databases/{db}/reload"), &json!({})).await.expect(204);
        let read = admin.get(&format!("/databases/{db}/tables/types")).await.expect(200).value();
        assert_eq!(read["columns"], made["columns"]);
    }

    async fn a_whole_table_is_described_back(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let db = app.gateway_database("whole").await;
        let admin = app.admin();
        create_table(&app, &db, &json!({
            "name": "parents",
            "columns": [
                {"name": "a", "type": "int", "nullable": false}, {"name": "b", "type": "varchar(10)", "nullable": false},
                {"name": "code", "type": "char(4)", "nullable": false, "unique": true},
            ],
            "primary_key": ["b", "a"],
        })).await;
        let made = create_table(&app, &db, &json!({
            "name": "children",
            "comment": "it's a table",
            "columns": [
                {"name": "id", "type": "bigint unsigned", "auto_increment": true, "comment": "the \"key\""},
                {"name": "pa", "type": "int"}, {"name": "pb", "type": "varchar(10)"}, {"name": "code", "type": "char(4)"},
                {"name": "n", "type": "int", "nullable": false, "default": -5},
                {"name": "d", "type": "decimal(6,2)", "default": 1.5},
                {"name": "s", "type": "varchar(20)", "nullable": false, "default": "it's \\ \"ü\""},
                {"name": "e", "type": "varchar(20)", "default": ""},
                {"name": "f", "type": "tinyint(1)", "nullable": false, "default": true},
                {"name": "day", "type": "date", "default": "2024-02-29"},
                {"name": "at", "type": "datetime(3)", "default": "CURRENT_TIMESTAMP"},
                {"name": "kind", "type": "enum('x','y')", "default": "y"},
                {"name": "void", "type": "int", "default": null},
                {"name": "parent", "type": "bigint unsigned"},
            ],
            "primary_key": ["id"],
            "indexes": [{"name": "by_n", "columns": ["n", "s"]}, {"name": "once", "columns": ["n", "d"], "unique": true}, {"columns": ["day"]}],
            "foreign_keys": [
                {"name": "to_parent", "columns": ["pb", "pa"], "references": "parents", "referenced_columns": ["b", "a"], "on_delete": "CASCADE", "on_update": "cascade"},
                {"name": "to_code", "columns": ["code"], "references": "parents", "referenced_columns": ["code"], "on_delete": "SET NULL"},
                {"name": "to_self", "columns": ["parent"], "references": "children", "referenced_columns": ["id"], "on_delete": "RESTRICT"},
            ],
        })).await;
        assert_eq!((&made["name"], &made["kind"], &made["comment"]), (&json!("children"), &json!("table"), &json!("it's a table")));
        assert_eq!(made["primary_key"], json!(["id"]));
        let by_name = |name: &str| made["columns"].as_array().expect("columns").iter().find(|column| column["name"] == name).expect("a column").clone();
        let number: Value = serde_json::from_str("1.50").unwrap();
        for (name, nullable, default) in [
            ("id", false, Value::Null), ("pa", true, Value::Null), ("n", false, json!(-5)), ("d", true, number), ("s", false, json!("it's \\ \"ü\"")), ("e", true, json!("")),
            ("f", false, json!(true)), ("day", true, json!("2024-02-29")), ("at", true, json!("CURRENT_TIMESTAMP")), ("kind", true, json!("y")), ("void", true, Value::Null),
        ] {
            let found = by_name(name);
            assert_eq!((&found["nullable"], &found["default"]), (&json!(nullable), &default), "{found}");
        }
        assert_eq!((&by_name("id")["auto_increment"], &by_name("id")["comment"]), (&json!(true), &json!("the \"key\"")));
        let index = |name: &str| made["indexes"].as_array().expect("indexes").iter().find(|index| index["name"] == name).cloned();
        assert_eq!(index("by_n"), Some(json!({"name": "by_n", "columns": ["n", "s"], "unique": false})));
        assert_eq!(index("once"), Some(json!({"name": "once", "columns": ["n", "d"], "unique": true})));
        assert!(made["indexes"].as_array().expect("indexes").iter().any(|index| index["columns"] == json!(["day"])), "{}", made["indexes"]);
        let mut keys = made["foreign_keys"].as_array().expect("keys").clone();
        keys.sort_by_key(|key| key["name"].to_string());
        let key = |name: &str, columns: Value, references: &str, referenced: Value, on_delete: &str, on_update: &str| {
            json!({"name": name, "columns": columns, "references": references, "referenced_columns": referenced, "on_delete": on_delete, "on_update": on_update})
        };
        assert_eq!(keys, [
            key("to_code", json!(["code"]), "parents", json!(["code"]), "SET NULL", "NO ACTION"),
            key("to_parent", json!(["pb", "pa"]), "parents", json!(["b", "a"]), "CASCADE", "CASCADE"),
            key("to_self", json!(["parent"]), "children", json!(["id"]), "RESTRICT", "NO ACTION"),
        ]);
        admin.post(&format!("/databases/{db}/reload"), &json!({})).await.expect(204);
        let mut read = admin.get(&format!("/databases/{db}/tables/children")).await.expect(200).value();
        read["row_estimate"] = made["row_estimate"].clone();
        assert_eq!(read, made);
        let list = admin.get(&format!("/databases/{db}/tables")).await.expect(200).value();
        let names: Vec<_> = list.as_array().expect("tables").iter().map(|table| table["name"].clone()).collect();
        assert_eq!(names, [json!("children"), json!("parents")]);
        let parents = admin.get(&format!("/databases/{db}/tables/parents")).await.expect(200).value();
        assert_eq!((&parents["primary_key"], &parents["columns"][2]["unique"]), (&json!(["b", "a"]), &json!(true)));

        // The actions act, the defaults are filled in, the keys hold.
        let rest = |table: &str| format!("/rest/{db}/{table}");
        admin.post(&rest("parents"), &json!([{"a": 1, "b": "x", "code": "c1"}, {"a": 2, "b": "x", "code": "c2"}])).await.expect(201);
        let row = Reply::of(admin.request(Method::POST, &rest("children")).header("prefer", "return=representation").json(&json!({"pa": 1, "pb": "x", "code": "c2"}))).await.expect(201).value()[0].clone();
        assert_eq!((&row["id"], &row["n"], &row["s"], &row["f"], &row["day"], &row["kind"], &row["e"]), (&json!(1), &json!(-5), &json!("it's \\ \"ü\""), &json!(true), &json!("2024-02-29"), &json!("y"), &json!("")));
        assert!(row["at"].as_str().is_some_and(|at| at.starts_with("20")), "{row}");
        admin.patch(&format!("{}?a=eq.1", rest("parents")), &json!({"a": 11})).await.expect(204);
        assert_eq!(admin.get(&format!("{}?select=pa", rest("children"))).await.expect(200).value(), json!([{"pa": 11}]));
        admin.delete(&format!("{}?a=eq.2", rest("parents"))).await.expect(204);
        assert_eq!(admin.get(&format!("{}?select=code", rest("children"))).await.expect(200).value(), json!([{"code": null}]));
        admin.delete(&format!("{}?a=eq.11", rest("parents"))).await.expect(204);
        assert_eq!(admin.get(&rest("children")).await.expect(200).value(), json!([]));
        // A parent goes after its children.
        admin.delete(&format!("/databases/{db}/tables/parents")).await.problem(409, "table_referenced");
        admin.delete(&format!("/databases/{db}/tables/children")).await.expect(204);
        admin.delete(&format!("/databases/{db}/tables/parents")).await.expect(204);
    }

    async fn bad_tables_are_refused_and_nothing_is_made(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let db = app.gateway_database("bad").await;
        let admin = app.admin();
        let path = format!("/databases/{db}/tables");
        create_table(&app, &db, &json!({"name": "parents", "columns": [{"name": "id", "type": "int", "nullable": false}, column("n", "int")], "primary_key": ["id"]})).await;
        let a = json!([column("a", "int")]);
        let key = |references: &str, columns: Value, referenced: Value| json!([{"columns": columns, "references": references, "referenced_columns": referenced}]);
        for (body, pointer) in [
            (json!({}), "/name"),
            (json!({"name": "t"}), "/columns"),
            (json!({"name": "t", "columns": []}), "/columns"),
            (json!({"name": "t", "columns": a, "colour": 1}), "/colour"),
            (json!({"name": "t", "columns": [{"name": "a", "type": "int", "size": 1}]}), "/columns/0/size"),
            (json!({"name": "t", "columns": [{"name": "a"}]}), "/columns/0/type"),
            (json!({"name": "t", "columns": [{"type": "int"}]}), "/columns/0/name"),
            (json!({"name": "t", "columns": [column("a", "INT, DROP TABLE x")]}), "/columns/0/type"),
            (json!({"name": "t", "columns": [column("a", "int"), column("b", "varchar")]}), "/columns/1/type"),
            (json!({"name": "t", "columns": [{"name": "a", "type": "int", "nullable": "yes"}]}), "/columns/0/nullable"),
            (json!({"name": "t", "columns": [{"name": "a", "type": "int", "default": "x"}]}), "/columns/0/default"),
            (json!({"name": "t", "columns": [{"name": "a", "type": "varchar(2)", "default": "xyz"}]}), "/columns/0/default"),
            (json!({"name": "t", "columns": [{"name": "a", "type": "int", "default": "CURRENT_TIMESTAMP"}]}), "/columns/0/default"),
            (json!({"name": "t", "columns": [{"name": "a", "type": "int", "auto_increment": true}]}), "/columns/0/auto_increment"),
            (json!({"name": "t", "columns": [{"name": "a", "type": "text", "auto_increment": true}], "primary_key": ["a"]}), "/columns/0/auto_increment"),
            (json!({"name": "t", "columns": [{"name": "a", "type": "int", "comment": "x".repeat(1025)}]}), "/columns/0/comment"),
            (json!({"name": "t", "columns": [{"name": "a", "type": "int", "comment": "🦀"}]}), "/columns/0/comment"),
            (json!({"name": "t", "columns": a, "comment": "🦀"}), "/comment"),
            (json!({"name": "t", "columns": [column("a", "enum('🦀')")]}), "/columns/0/type"),
            (json!({"name": "t", "columns": a, "primary_key": ["b"]}), "/primary_key/0"),
            (json!({"name": "t", "columns": a, "indexes": [{"columns": ["b"]}]}), "/indexes/0/columns/0"),
            (json!({"name": "t", "columns": a, "indexes": [{"columns": []}]}), "/indexes/0/columns"),
            (json!({"name": "t", "columns": a, "foreign_keys": key("nowhere", json!(["a"]), json!(["id"]))}), "/foreign_keys/0/references"),
            (json!({"name": "t", "columns": a, "foreign_keys": key("parents", json!(["a"]), json!(["x"]))}), "/foreign_keys/0/referenced_columns/0"),
            (json!({"name": "t", "columns": a, "foreign_keys": key("parents", json!(["a"]), json!(["n"]))}), "/foreign_keys/0/referenced_columns"),
            (json!({"name": "t", "columns": [column("a", "bigint")], "foreign_keys": key("parents", json!(["a"]), json!(["id"]))}), "/foreign_keys/0/columns/0"),
        ] {
            let found = pointers(admin.post(&path, &body).await);
            assert!(found.contains(&pointer.to_owned()), "{body}: {found:?}");
        }
        for body in [
            json!({"name": "t", "columns": a, "foreign_keys": key("parents", json!(["b"]), json!(["id"]))}),
            json!({"name": "t", "columns": a, "foreign_keys": key("parents", json!(["a"]), json!(["id", "n"]))}),
            json!({"name": "t", "columns": a, "foreign_keys": key("parents", json!([]), json!([]))}),
            json!({"name": "t", "columns": [{"name": "a", "type": "int", "nullable": false}], "foreign_keys": [{"columns": ["a"], "references": "parents", "referenced_columns": ["id"], "on_delete": "SET NULL"}]}),
            json!({"name": "t", "columns": a, "foreign_keys": [{"columns": ["a"], "references": "parents", "referenced_columns": ["id"], "on_delete": "EXPLODE"}]}),
            json!({"name": "t", "columns": a, "primary_key": ["a", "a"]}),
            json!({"name": "t", "columns": [column("a", "json")], "primary_key": ["a"]}),
            json!({"name": "t", "columns": [column("a", "longtext")], "indexes": [{"columns": ["a"]}]}),
            json!([]),
        ] {
            admin.post(&path, &body).await.problem(422, "validation_failed");
        }
        // All faults at once.
        let found = pointers(admin.post(&path, &json!({"name": "a`b", "columns": [column("", "int"), column("b", "what")]})).await);
        assert_eq!(found, ["/name", "/columns/0/name", "/columns/1/type"]);
        admin.post(&path, &json!({"name": "parents", "columns": a})).await.problem(409, "table_exists");
        admin.post("/databases/nowhere/tables", &json!({"name": "t", "columns": a})).await.problem(404, "not_found");
        let list = admin.get(&path).await.expect(200).value();
        assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");
    }

    async fn tables_are_changed_part_by_part(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let db = app.gateway_database("alter").await;
        let admin = app.admin();
        let id = || json!({"name": "id", "type": "int", "nullable": false});
        create_table(&app, &db, &json!({"name": "parents", "columns": [id()], "primary_key": ["id"]})).await;
        create_table(&app, &db, &json!({
            "name": "goods",
            "columns": [id(), column("name", "varchar(10)"), column("old", "int"), column("parent", "int")],
            "primary_key": ["id"],
            "indexes": [{"name": "by_name", "columns": ["name"]}],
        })).await;
        admin.post(&format!("/rest/{db}/parents"), &json!({"id": 1})).await.expect(201);
        admin.post(&format!("/rest/{db}/goods"), &json!([{"id": 1, "name": "tea", "old": 5, "parent": 1}, {"id": 2, "name": "salt", "old": null, "parent": null}])).await.expect(201);
        let change = async |table: &str, body: Value| admin.patch(&format!("/databases/{db}/tables/{table}"), &body).await;
        let names = |table: &Value| -> Vec<String> { table["columns"].as_array().expect("columns").iter().map(|column| column["name"].as_str().expect("a name").to_owned()).collect() };

        let table = change("goods", json!({"add_columns": [{"name": "price", "type": "decimal(8,2)", "nullable": false, "default": 9.99}, column("note", "text")]})).await.expect(200).value();
        assert_eq!(names(&table), ["id", "name", "old", "parent", "price", "note"]);
        let table = change("goods", json!({"rename_columns": {"name": "title"}})).await.expect(200).value();
        assert_eq!(names(&table), ["id", "title", "old", "parent", "price", "note"]);
        assert_eq!(table["indexes"], json!([{"name": "by_name", "columns": ["title"], "unique": false}]));
        let table = change("goods", json!({"alter_columns": [{"name": "title", "type": "varchar(50)", "nullable": false, "default": "?", "comment": "what it is"}]})).await.expect(200).value();
        assert_eq!((&table["columns"][1]["type"], &table["columns"][1]["nullable"], &table["columns"][1]["default"], &table["columns"][1]["comment"]), (&json!("varchar(50)"), &json!(false), &json!("?"), &json!("what it is")));
        let table = change("goods", json!({"drop_columns": ["old"]})).await.expect(200).value();
        assert_eq!(names(&table), ["id", "title", "parent", "price", "note"]);
        let table = change("goods", json!({"drop_indexes": ["by_name"], "add_indexes": [{"name": "once", "columns": ["title"], "unique": true}]})).await.expect(200).value();
        assert_eq!(table["indexes"], json!([{"name": "once", "columns": ["title"], "unique": true}]));
        let key = json!({"name": "to_parent", "columns": ["parent"], "references": "parents", "referenced_columns": ["id"], "on_delete": "CASCADE"});
        let table = change("goods", json!({"add_foreign_keys": [key]})).await.expect(200).value();
        assert_eq!((&table["foreign_keys"][0]["name"], &table["foreign_keys"][0]["on_delete"]), (&json!("to_parent"), &json!("CASCADE")));
        admin.post(&format!("/rest/{db}/goods"), &json!({"id": 3, "title": "x", "parent": 77})).await.expect(409);

        // What does not fit the rows or the table changes nothing.
        let before = admin.get(&format!("/databases/{db}/tables/goods")).await.expect(200).value();
        change("goods", json!({"alter_columns": [{"name": "note", "type": "text", "nullable": false}]})).await.expect(409);
        change("goods", json!({"alter_columns": [{"name": "title", "type": "varchar(2)"}]})).await.expect(409);
        change("goods", json!({"add_indexes": [{"columns": ["price"], "unique": true}]})).await.expect(409);
        change("goods", json!({"rename": "parents"})).await.problem(409, "table_exists");
        for (body, pointer) in [
            (json!({"drop_columns": ["nothing"]}), "/drop_columns/0"),
            (json!({"drop_columns": ["id"]}), "/drop_columns/0"),
            (json!({"rename_columns": {"nothing": "x"}}), "/rename_columns/nothing"),
            (json!({"rename_columns": {"title": "a`b"}}), "/rename_columns/title"),
            (json!({"alter_columns": [column("nothing", "int")]}), "/alter_columns/0/name"),
            (json!({"alter_columns": [column("title", "INT, DROP TABLE x")]}), "/alter_columns/0/type"),
            (json!({"drop_indexes": ["nothing"]}), "/drop_indexes/0"),
            (json!({"drop_foreign_keys": ["nothing"]}), "/drop_foreign_keys/0"),
            (json!({"add_indexes": [{"columns": ["nothing"]}]}), "/add_indexes/0/columns/0"),
            (json!({"add_foreign_keys": [{"columns": ["parent"], "references": "nowhere", "referenced_columns": ["id"]}]}), "/add_foreign_keys/0/references"),
            (json!({"rename": "a.b"}), "/rename"),
            (json!({"colour": "red"}), "/colour"),
        ] {
            let found = pointers(change("goods", body.clone()).await);
            assert!(found.contains(&pointer.to_owned()), "{body}: {found:?}");
        }
        change("goods", json!({"add_columns": [column("title", "int")]})).await.expect(422);
        change("nothing", json!({"rename": "x"})).await.problem(404, "not_found");
        let mut after = change("goods", json!({})).await.expect(200).value();
        after["row_estimate"] = before["row_estimate"].clone();
        assert_eq!(after, before);

        let table = change("goods", json!({"drop_foreign_keys": ["to_parent"], "rename": "things"})).await.expect(200).value();
        assert_eq!((&table["name"], &table["foreign_keys"]), (&json!("things"), &json!([])));
        admin.get(&format!("/databases/{db}/tables/goods")).await.problem(404, "not_found");
        let price: Value = serde_json::from_str("9.99").unwrap();
        assert_eq!(
            admin.get(&format!("/rest/{db}/things?order=id")).await.expect(200).value(),
            json!([{"id": 1, "title": "tea", "parent": 1, "price": price, "note": null}, {"id": 2, "title": "salt", "parent": null, "price": price, "note": null}])
        );
        // Several at once, by names old and new.
        let table = change("things", json!({"rename": "goods", "rename_columns": {"title": "name"}, "drop_columns": ["note"], "add_columns": [column("size", "int")], "alter_columns": [{"name": "name", "type": "varchar(60)"}]})).await.expect(200).value();
        assert_eq!((names(&table), &table["columns"][1]["type"]), (vec!["id".to_owned(), "name".to_owned(), "parent".to_owned(), "price".to_owned(), "size".to_owned()], &json!("varchar(60)")));
        // Rows keep to what they were changed to.
        assert_eq!(admin.get(&format!("/rest/{db}/goods?select=name,size&order=id")).await.expect(200).value(), json!([{"name": "tea", "size": null}, {"name": "salt", "size": null}]));
    }

    async fn tables_go_and_what_was_made_elsewhere_is_seen_after_a_reload(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let db = app.gateway_database("drop").await;
        let admin = app.admin();
        raw(&app, &db, &["CREATE TABLE elsewhere (id INTEGER NOT NULL PRIMARY KEY, twice INTEGER GENERATED ALWAYS AS (id * 2) STORED, note VARCHAR(10), CHECK (id > 0))", "CREATE VIEW seen AS SELECT id FROM elsewhere"]).await;
        let table = admin.get(&format!("/databases/{db}/tables/elsewhere")).await.expect(200).value();
        assert_eq!((&table["kind"], &table["primary_key"]), (&json!("table"), &json!(["id"])));
        assert_eq!(table["columns"][1]["generated"]["stored"], true, "{table}");
        assert!(table["columns"][1]["generated"]["expression"].as_str().is_some_and(|text| text.contains('2')), "{table}");
        assert_eq!(table["checks"].as_array().map(Vec::len), Some(1), "{table}");
        let view = admin.get(&format!("/databases/{db}/tables/seen")).await.expect(200).value();
        assert_eq!((&view["kind"], &view["columns"][0]["name"], &view["primary_key"]), (&json!("view"), &json!("id"), &json!([])));
        admin.post(&format!("/rest/{db}/elsewhere"), &json!({"id": -1})).await.expect(400);
        for name in ["seen", "elsewhere"] {
            admin.delete(&format!("/databases/{db}/tables/{name}")).await.expect(204);
            admin.delete(&format!("/databases/{db}/tables/{name}")).await.problem(404, "not_found");
            admin.get(&format!("/rest/{db}/{name}")).await.expect(404);
        }
        // Dropped behind the catalogue's back: no fault of the server, and seen from then on.
        create_table(&app, &db, &json!({"name": "gone", "columns": [column("id", "int")]})).await;
        admin.get(&format!("/rest/{db}/gone")).await.expect(200);
        raw(&app, &db, &["DROP TABLE gone"]).await;
        admin.get(&format!("/rest/{db}/gone")).await.expect(404);
        assert_eq!(admin.get(&format!("/databases/{db}/tables")).await.expect(200).value(), json!([]));
    }

    async fn accounts_of_a_database_can_what_they_may_and_no_more(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let (db, other) = (app.gateway_database("mine").await, app.gateway_database("theirs").await);
        let admin = app.admin();
        let path = format!("/databases/{db}/users");
        let username = app.database().gateway_name("u");
        let body = json!({"username": username, "host": "%", "password": "it's a \\ \"good\" pässword", "privileges": ["select", "INSERT"]});
        // What does not fit is refused on every engine alike.
        for (member, bad) in [
            ("username", json!("")), ("username", json!("a'b")), ("username", json!("root")), ("username", json!("mysql.sys")), ("username", json!("x".repeat(33))),
            ("host", json!("")), ("host", json!("a'b")), ("host", json!("%\n")), ("host", json!("10.%")), ("password", json!("")),
            ("privileges", json!([])), ("privileges", json!(["SUPER"])), ("privileges", json!(["SELECT", "FILE"])), ("privileges", json!(["GRANT OPTION"])), ("privileges", json!(["SELECT, DROP"])),
        ] {
            let mut wrong = body.clone();
            wrong[member] = bad;
            assert_eq!(pointers(admin.post(&path, &wrong).await), [format!("/{member}")], "{wrong}");
        }
        assert_eq!(pointers(admin.post(&path, &json!({"username": "x"})).await), ["/password"]);
        let Some(server) = engine.server_url() else {
            for reply in [admin.post(&path, &body).await, admin.get(&path).await, admin.delete(&format!("{path}/x@localhost")).await] {
                let problem = reply.problem(501, "not_supported");
                assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("SQLite")), "{problem}");
            }
            return;
        };
        create_table(&app, &db, &json!({"name": "t", "columns": [column("id", "int")]})).await;
        create_table(&app, &other, &json!({"name": "t", "columns": [column("id", "int")]})).await;
        assert_eq!(admin.get(&path).await.expect(200).value(), json!([]));
        let made = admin.post(&path, &body).await.expect(201);
        assert_eq!(made.value(), json!({"username": username, "host": "%", "privileges": ["SELECT", "INSERT"]}));
        assert!(!made.body.contains("password"), "{}", made.body);
        admin.post(&path, &body).await.problem(409, "database_user_exists");
        assert_eq!(admin.get(&path).await.expect(200).value(), json!([made.value()]));
        assert_eq!(admin.get(&format!("/databases/{other}/users")).await.expect(200).value(), json!([]));
        admin.post("/databases/nowhere/users", &body).await.problem(404, "not_found");

        let options = |database: &str| MySqlConnectOptions::from_str(&server).expect("an address").username(&username).database(database);
        let mut connection = options(&db).password("it's a \\ \"good\" pässword").connect().await.expect("the account signs in");
        connection.execute("INSERT INTO t VALUES (1)").await.expect("inserting was granted");
        let id: i32 = sqlx::query_scalar("SELECT id FROM t").fetch_one(&mut connection).await.expect("reading was granted");
        assert_eq!(id, 1);
        for statement in ["UPDATE t SET id = 2", "DELETE FROM t", "DROP TABLE t", "CREATE TABLE x (a INT)", "CREATE USER evil@localhost", "GRANT SELECT ON t TO CURRENT_USER"] {
            connection.execute(statement).await.expect_err(statement);
        }
        for table in [format!("`{other}`.t"), "mysql.user".to_owned(), format!("`{}`.users", own(&app))] {
            connection.execute(AssertSqlSafe(format!("SELECT * FROM {table}"))).await.expect_err(&table);
        }
        connection.close().await.expect("the connection ends");
        options(&db).password("another password").connect().await.expect_err("a wrong password");
        options(&other).password("it's a \\ \"good\" pässword").connect().await.expect_err("another database");

        // `_` in a database's name stands for itself: a database of nearly the same name is another.
        admin.delete(&format!("{path}/{username}@{}", encode("%"))).await.expect(204);
        admin.delete(&format!("{path}/{username}@{}", encode("%"))).await.problem(404, "not_found");
        admin.delete(&format!("{path}/{username}")).await.expect(422);
        assert_eq!(admin.get(&path).await.expect(200).value(), json!([]));
        options(&db).password("it's a \\ \"good\" pässword").connect().await.expect_err("the account is gone");

        // Without host and privileges: localhost, reading.
        let made = admin.post(&path, &json!({"username": username, "password": "a good password"})).await.expect(201);
        assert_eq!(made.value(), json!({"username": username, "host": "localhost", "privileges": ["SELECT"]}));
        admin.delete(&format!("{path}/{username}@localhost")).await.expect(204);
    }

    async fn a_right_on_one_database_is_none_on_its_namesake(engine: TestEngine) {
        let Some(server) = engine.server_url() else { return };
        let app = TestApp::start(engine).await;
        let (db, near) = (app.gateway_database("a_b").await, app.gateway_database("axb").await);
        create_table(&app, &near, &json!({"name": "t", "columns": [column("id", "int")]})).await;
        let username = app.database().gateway_name("n");
        let path = format!("/databases/{db}/users");
        app.admin().post(&path, &json!({"username": username, "host": "%", "password": "a good password"})).await.expect(201);
        let options = MySqlConnectOptions::from_str(&server).expect("an address").username(&username).password("a good password");
        let mut connection = options.database(&db).connect().await.expect("the account signs in");
        connection.execute(AssertSqlSafe(format!("SELECT * FROM `{near}`.t"))).await.expect_err("the namesake");
        connection.close().await.expect("the connection ends");
        app.admin().delete(&format!("{path}/{username}@{}", encode("%"))).await.expect(204);
    }

    async fn who_may_see_and_change_schemas(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let db = app.gateway_database("who").await;
        create_table(&app, &db, &json!({"name": "t", "columns": [column("id", "int")]})).await;
        let member = app.member("member").await;
        let (tables, table) = (format!("/databases/{db}/tables"), format!("/databases/{db}/tables/t"));
        for path in ["/databases", &tables, &table] {
            member.get(path).await.expect(200);
            app.anonymous().get(path).await.problem(401, "not_authenticated");
        }
        let body = json!({"name": "x", "columns": [column("id", "int")]});
        for (method, path) in [
            (Method::POST, "/databases"), (Method::POST, &tables), (Method::PATCH, &table), (Method::DELETE, &table), (Method::DELETE, &format!("/databases/{db}?force=true")),
            (Method::POST, &format!("/databases/{db}/reload")), (Method::GET, &format!("/databases/{db}/users")), (Method::POST, &format!("/databases/{db}/users")),
        ] {
            member.json(method.clone(), path, &body).await.problem(403, "forbidden");
            app.anonymous().json(method, path, &body).await.problem(401, "not_authenticated");
        }
        assert_eq!(app.admin().get(&tables).await.expect(200).value().as_array().map(Vec::len), Some(1));
    }
}
