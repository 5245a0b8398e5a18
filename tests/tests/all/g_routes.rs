//! The eight routes of the first gateway, with their messages and statuses: clients of it
//! move over with the base address and nothing else.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{ADMIN_PASSWORD, MEMBER_PASSWORD, TestApp};
use crate::support::client::{Client, Reply};
use crate::support::engines::TestEngine;
use crate::support::rest::create_table;

/// The message of a success.
#[track_caller]
fn message(reply: Reply, status: u16) -> String {
    let value = reply.expect(status).value();
    assert_eq!(
        value.as_object().map(serde_json::Map::len),
        Some(1),
        "{value}"
    );
    value["message"].as_str().expect("a message").to_owned()
}

/// The detail of a problem.
#[track_caller]
fn detail(reply: Reply, status: u16) -> String {
    let reply = reply.expect(status);
    assert!(
        reply
            .header("content-type")
            .starts_with("application/problem+json"),
        "{:?}",
        reply.headers
    );
    let value = reply.value();
    for member in ["type", "title", "detail", "code", "request_id"] {
        assert!(
            value[member].as_str().is_some_and(|text| !text.is_empty()),
            "{member}: {value}"
        );
    }
    assert_eq!(value["status"], status);
    value["detail"].as_str().expect("a detail").to_owned()
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

async fn token(app: &TestApp, username: &str, password: &str) -> Client {
    let pair = app
        .anonymous()
        .form(
            "/get-token",
            &[("username", username), ("password", password)],
        )
        .await
        .expect(200)
        .value();
    assert_eq!(pair["token_type"], "bearer");
    app.anonymous()
        .bearer(pair["access_token"].as_str().expect("a token"))
}

/// A table made by `/create-table`.
async fn people(app: &TestApp, db: &str) {
    let schema = json!({"id": "INT PRIMARY KEY", "name": "VARCHAR(50) NOT NULL", "age": "INT", "city": "VARCHAR(20) DEFAULT 'Rome'"});
    let body = json!({"db_name": db, "table_name": "people", "table_schema": schema});
    message(app.admin().post("/create-table", &body).await, 201);
}

fn insertion(db: &str, data: Value) -> Value {
    json!({"db_name": db, "table_name": "people", "data": data})
}

fn counts(message: &str) -> (u64, u64) {
    assert!(
        message.starts_with("Data insertion completed "),
        "{message}"
    );
    let (_, counts) = message.rsplit_once(": ").expect("counts");
    let (added, updated) = counts
        .split_once(" records added or unchanged, ")
        .unwrap_or_else(|| panic!("{message}"));
    let updated = updated
        .strip_suffix(" records updated")
        .unwrap_or_else(|| panic!("{message}"));
    (
        added.parse().expect("a number"),
        updated.parse().expect("a number"),
    )
}

on_every_engine! {
    async fn a_client_of_the_first_gateway_works_from_token_to_rows(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let admin = token(&app, "admin", ADMIN_PASSWORD).await;
        let made = admin.post("/register-api-user", &json!({"username": "clerk", "password": MEMBER_PASSWORD})).await;
        assert_eq!(message(made, 201), "User clerk created successfully");
        let again = admin.post("/register-api-user", &json!({"username": "clerk", "password": MEMBER_PASSWORD})).await;
        assert_eq!(detail(again, 400), "User clerk already registered");
        let clerk = token(&app, "clerk", MEMBER_PASSWORD).await;

        let db = app.database().gateway_name("g");
        let made = message(admin.post("/create-database", &json!({"db_name": db})).await, 201);
        assert!(made.ends_with("created successfully") && made.contains(&db), "{made}");
        let again = detail(admin.post("/create-database", &json!({"db_name": db})).await, 400);
        assert!(again.ends_with("already exists") && again.contains(&db), "{again}");

        let schema = json!({"id": "INT PRIMARY KEY", "name": "VARCHAR(50) NOT NULL", "price": "DECIMAL(10,2)"});
        let table = json!({"db_name": db, "table_name": "goods", "table_schema": schema});
        let made = message(admin.post("/create-table", &table).await, 201);
        assert!(made.contains("goods") && made.ends_with("created successfully"), "{made}");
        let again = detail(admin.post("/create-table", &table).await, 400);
        assert!(again.contains("goods") && again.contains("already exists"), "{again}");

        let rows = json!([{"id": 1, "name": "tea", "price": 2.5}, {"id": 2, "name": "salt"}]);
        let body = json!({"db_name": db, "table_name": "goods", "data": rows});
        assert_eq!(counts(&message(admin.post("/insert-data", &body).await, 201)), (2, 0));

        let read = clerk.get(&format!("/get-table/{db}/goods")).await.expect(200);
        assert!(read.header("content-type").starts_with("application/json"), "{:?}", read.headers);
        let price: Value = serde_json::from_str("2.50").unwrap();
        assert_eq!(
            read.value(),
            json!({"goods": {"db_name": db, "table_name": "goods", "data": [
                {"id": 1, "name": "tea", "price": price}, {"id": 2, "name": "salt", "price": null},
            ]}})
        );
        let gone = message(admin.delete(&format!("/delete-table/{db}/goods")).await, 200);
        assert!(gone.contains("goods") && gone.ends_with("deleted successfully"), "{gone}");
        for reply in [admin.delete(&format!("/delete-table/{db}/goods")).await, admin.get(&format!("/get-table/{db}/goods")).await, admin.post("/insert-data", &body).await] {
            let missing = detail(reply, 404);
            assert!(missing.contains("goods") && missing.contains("does not exist"), "{missing}");
        }
    }

    async fn who_may_use_them(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let db = app.gateway_database("g").await;
        people(&app, &db).await;
        let member = app.member("member").await;
        let user = json!({"host": "localhost", "username": "someone", "password": "a good password", "privileges": "SELECT", "db_name": db});
        let routes = [
            (Method::POST, "/register-api-user".to_owned(), json!({"username": "clerk", "password": "a good password"})),
            (Method::POST, "/create-database".to_owned(), json!({"db_name": app.database().gateway_name("other")})),
            (Method::POST, "/create-db-user".to_owned(), user),
            (Method::POST, "/create-table".to_owned(), json!({"db_name": db, "table_name": "other", "table_schema": {"id": "INT"}})),
            (Method::POST, "/insert-data".to_owned(), insertion(&db, json!([{"id": 1, "name": "x"}]))),
            (Method::DELETE, format!("/delete-table/{db}/people"), Value::Null),
            (Method::GET, format!("/get-table/{db}/people"), Value::Null),
        ];
        for (method, path, body) in &routes {
            let anonymous = app.anonymous().json(method.clone(), path, body).await;
            assert!(anonymous.header("www-authenticate").starts_with("Bearer"), "{path} {:?}", anonymous.headers);
            assert_eq!(detail(anonymous, 401), "Not authenticated", "{path}");
            // Rights come before what is in the body.
            let reply = Reply::of(app.anonymous().request(method.clone(), path).header("content-type", "application/json").body("{")).await;
            assert_eq!(detail(reply, 401), "Not authenticated", "{path}");
            let reply = member.json(method.clone(), path, body).await;
            if *method == Method::GET {
                reply.expect(200);
            } else {
                assert_eq!(detail(reply, 403), "Unauthorised access", "{path}");
                let reply = Reply::of(member.request(method.clone(), path).header("content-type", "application/json").body("{")).await;
                assert_eq!(detail(reply, 403), "Unauthorised access", "{path}");
            }
        }
        for (username, password) in [("admin", "wrong password"), ("nobody", ADMIN_PASSWORD)] {
            let reply = app.anonymous().form("/get-token", &[("username", username), ("password", password)]).await;
            assert_eq!(detail(reply, 401), "Invalid username or password");
        }
        let read = app.admin().get(&format!("/get-table/{db}/people")).await.expect(200).value();
        assert_eq!(read["people"]["data"], json!([]));
        assert_eq!(app.admin().get(&format!("/databases/{db}/tables")).await.expect(200).value().as_array().map(Vec::len), Some(1));
    }

    async fn nothing_has_a_silent_default(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let db = app.gateway_database("g").await;
        people(&app, &db).await;
        let admin = app.admin();
        let bodies = [
            ("/register-api-user", json!({"username": "clerk", "password": "a good password"})),
            ("/create-database", json!({"db_name": app.database().gateway_name("other")})),
            ("/create-db-user", json!({"host": "localhost", "username": "someone", "password": "a good password", "privileges": "SELECT", "db_name": db})),
            ("/create-table", json!({"db_name": db, "table_name": "other", "table_schema": {"id": "INT"}})),
            ("/insert-data", insertion(&db, json!([]))),
        ];
        for (path, body) in &bodies {
            for member in body.as_object().expect("an object").keys() {
                let mut less = body.clone();
                less.as_object_mut().expect("an object").remove(member);
                assert_eq!(pointers(admin.post(path, &less).await), [format!("/{member}")], "{path}");
                let mut null = body.clone();
                null[member] = Value::Null;
                assert_eq!(pointers(admin.post(path, &null).await), [format!("/{member}")], "{path}");
                let mut wrong = body.clone();
                wrong[member] = json!([{"a": 1}, 5]);
                let found = pointers(admin.post(path, &wrong).await);
                assert!(found.iter().all(|pointer| pointer.starts_with(&format!("/{member}"))), "{path} {found:?}");
            }
            let mut more = body.clone();
            more["colour"] = json!("red");
            assert_eq!(pointers(admin.post(path, &more).await), ["/colour"], "{path}");
            for text in ["", "{", "nonsense", "{\"db_name\": \"a\",}"] {
                let reply = admin.text(path, "application/json", text).await.expect(400);
                assert!(reply.header("content-type").starts_with("application/problem+json"));
            }
            admin.text(path, "application/json", "[1]").await.expect(422);
        }
        let form = app.anonymous().form("/get-token", &[("username", "admin")]).await;
        assert_eq!(pointers(form), ["/password"]);
        admin.get(&format!("/get-table/{db}/other")).await.expect(404);
    }

    async fn their_rule_of_names(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let db = app.gateway_database("g").await;
        let admin = app.admin();
        for name in ["", "Abc", "abC", "1a", "_a", "a-b", "a b", "a.b", "a$", "ä", "a'b", "a`b", "a\"b", "a\0", "a;b", "🦀", &"a".repeat(31)] {
            assert_eq!(pointers(admin.post("/create-database", &json!({"db_name": name})).await), ["/db_name"], "{name:?}");
            let table = json!({"db_name": db, "table_name": name, "table_schema": {"id": "INT"}});
            assert_eq!(pointers(admin.post("/create-table", &table).await), ["/table_name"], "{name:?}");
            let column = json!({"db_name": db, "table_name": "t", "table_schema": {"id": "INT", name: "INT"}});
            let found = pointers(admin.post("/create-table", &column).await);
            assert!(found.len() == 1 && found[0].starts_with("/table_schema"), "{name:?} {found:?}");
        }
        for reserved in ["mysql", "information_schema", "performance_schema", "sys", "main", "temp", "sqlite_x"] {
            assert_eq!(pointers(admin.post("/create-database", &json!({"db_name": reserved})).await), ["/db_name"], "{reserved}");
            for reply in [
                admin.get(&format!("/get-table/{reserved}/user")).await,
                admin.delete(&format!("/delete-table/{reserved}/user")).await,
                admin.post("/insert-data", &json!({"db_name": reserved, "table_name": "user", "data": [{"a": 1}]})).await,
                admin.post("/create-table", &json!({"db_name": reserved, "table_name": "evil", "table_schema": {"id": "INT"}})).await,
            ] {
                let missing = detail(reply, 404);
                assert!(missing.contains("does not exist"), "{missing}");
            }
        }
        admin.post("/create-table", &json!({"db_name": db, "table_name": "a".repeat(30), "table_schema": {"b": "INT"}})).await.expect(201);
        assert_eq!(admin.get(&format!("/databases/{db}/tables")).await.expect(200).value().as_array().map(Vec::len), Some(1));
    }

    async fn definitions_are_parsed_and_never_pasted(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let db = app.gateway_database("g").await;
        let admin = app.admin();
        let schema = json!({
            "id": "int unsigned not null auto_increment primary key",
            "code": "CHAR(3) NOT NULL UNIQUE",
            "price": "Decimal(10, 2) DEFAULT 1.50",
            "kind": "ENUM('a','it''s') NOT NULL DEFAULT 'a'",
            "at": "DATETIME(3) NULL",
            "flag": "BOOLEAN DEFAULT TRUE",
            "note": "TEXT COMMENT 'it''s a note'",
        });
        admin.post("/create-table", &json!({"db_name": db, "table_name": "goods", "table_schema": schema})).await.expect(201);
        let table = admin.get(&format!("/databases/{db}/tables/goods")).await.expect(200).value();
        let columns = table["columns"].as_array().expect("columns");
        let types: Vec<_> = columns.iter().map(|column| (column["name"].as_str().unwrap(), column["type"].as_str().unwrap(), column["nullable"].as_bool().unwrap())).collect();
        assert_eq!(
            types,
            [
                ("id", "int unsigned", false), ("code", "char(3)", false), ("price", "decimal(10,2)", true), ("kind", "enum('a','it''s')", false),
                ("at", "datetime(3)", true), ("flag", "tinyint(1)", true), ("note", "text", true),
            ]
        );
        assert_eq!((&table["primary_key"], &columns[0]["auto_increment"], &columns[1]["unique"]), (&json!(["id"]), &json!(true), &json!(true)));
        assert_eq!(columns[6]["comment"], "it's a note");
        let body = json!({"db_name": db, "table_name": "goods", "data": [{"code": "abc"}]});
        admin.post("/insert-data", &body).await.expect(201);
        let price: Value = serde_json::from_str("1.50").unwrap();
        let read = admin.get(&format!("/get-table/{db}/goods")).await.expect(200).value();
        assert_eq!(read["goods"]["data"], json!([{"id": 1, "code": "abc", "price": price, "kind": "a", "at": null, "flag": true, "note": null}]));

        for definition in [
            "", "INT, DROP TABLE x", "INT; DROP TABLE goods", "INT) ENGINE=MyISAM; --", "INT PRIMARY KEY, evil INT", "INT REFERENCES goods(id)", "INT CHECK (1=1)", "INT DEFAULT (SELECT 1)",
            "INT DEFAULT sleep(9)", "INT DEFAULT 'x", "VARCHAR(10) CHARACTER SET latin1", "INT GENERATED ALWAYS AS (1)", "INT PRIMARY KEY PRIMARY KEY WHAT", "varchar", "geometry", "PRIMARY KEY", "'INT'", "INT COMMENT x",
            "INT DEFAULT 'abc'", "INT NOT NULL DEFAULT NULL", "DATE DEFAULT '2023-02-30'", "TEXT AUTO_INCREMENT PRIMARY KEY",
        ] {
            let table = json!({"db_name": db, "table_name": "evil", "table_schema": {"id": "INT", "bad": definition}});
            let reply = admin.post("/create-table", &table).await;
            assert_eq!(reply.status.as_u16(), 422, "{definition}: {}", reply.body);
            let problem = reply.problem(422, "validation_failed");
            assert!(problem["errors"].to_string().contains("bad"), "{definition}: {problem}");
        }
        assert_eq!(pointers(admin.post("/create-table", &json!({"db_name": db, "table_name": "evil", "table_schema": {}})).await), ["/table_schema"]);
        let two_keys = json!({"db_name": db, "table_name": "pairs", "table_schema": {"a": "INT PRIMARY KEY", "b": "INT PRIMARY KEY"}});
        admin.post("/create-table", &two_keys).await.expect(422);
        admin.get(&format!("/get-table/{db}/evil")).await.expect(404);
        assert!(detail(admin.post("/create-table", &json!({"db_name": "nowhere_at_all", "table_name": "t", "table_schema": {"id": "INT"}})).await, 404).contains("does not exist"));
    }

    async fn data_is_stored_by_key(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let db = app.gateway_database("g").await;
        people(&app, &db).await;
        let admin = app.admin();
        let send = async |data: Value| admin.post("/insert-data", &insertion(&db, data)).await;
        assert_eq!(counts(&message(send(json!([])).await, 201)), (0, 0));
        assert_eq!(counts(&message(send(json!([{"id": 1, "name": "Ann", "age": 30}, {"id": 2, "name": "Bob"}])).await, 201)), (2, 0));
        // One new, one equal, one changed; each names other columns.
        let mixed = json!([{"id": 3, "name": "Cid", "city": "Oslo"}, {"id": 1, "name": "Ann"}, {"id": 2, "name": "Bob", "age": 40}]);
        assert_eq!(counts(&message(send(mixed).await, 201)), (2, 1));
        // The same key twice: the later row meets the earlier one.
        assert_eq!(counts(&message(send(json!([{"id": 4, "name": "Dot"}, {"id": 4, "name": "Dora"}])).await, 201)), (1, 1));
        let read = admin.get(&format!("/get-table/{db}/people")).await.expect(200).value();
        assert_eq!(
            read["people"]["data"],
            json!([
                {"id": 1, "name": "Ann", "age": 30, "city": "Rome"}, {"id": 2, "name": "Bob", "age": 40, "city": "Rome"},
                {"id": 3, "name": "Cid", "age": null, "city": "Oslo"}, {"id": 4, "name": "Dora", "age": null, "city": "Rome"},
            ])
        );
        let good = json!({"id": 50, "name": "Eve"});
        for bad in [
            json!({"id": 51, "name": null}),
            json!({"id": 51}),
            json!({"id": "x", "name": "Fay"}),
            json!({"id": 51, "name": "Fay", "age": "old"}),
            json!({"id": 51, "name": "x".repeat(51)}),
            json!({"id": 51, "name": "Fay", "age": 2_147_483_648_i64}),
            json!({"id": 51, "name": "Fay", "colour": "red"}),
            json!({"id": 51, "name": "Fay", "age": [5]}),
            json!(5),
        ] {
            let reply = send(json!([good, bad])).await;
            assert_eq!(reply.status.as_u16(), 422, "{bad}: {}", reply.body);
            detail(reply, 422);
        }
        assert_eq!(admin.get(&format!("/get-table/{db}/people")).await.expect(200).value(), read);
    }

    async fn keys_of_other_tables_and_unique_columns_hold(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let db = app.gateway_database("g").await;
        let admin = app.admin();
        let column = |name: &str, unique: bool| json!({"name": name, "type": "int", "nullable": false, "unique": unique});
        create_table(&app, &db, &json!({"name": "parents", "columns": [column("id", false)], "primary_key": ["id"]})).await;
        create_table(
            &app,
            &db,
            &json!({
                "name": "people",
                "columns": [column("id", false), column("code", true), column("parent", false)],
                "primary_key": ["id"],
                "foreign_keys": [{"columns": ["parent"], "references": "parents", "referenced_columns": ["id"]}],
            }),
        )
        .await;
        admin.post("/insert-data", &json!({"db_name": db, "table_name": "parents", "data": [{"id": 1}]})).await.expect(201);
        let send = async |data: Value| admin.post("/insert-data", &insertion(&db, data)).await;
        send(json!([{"id": 1, "code": 10, "parent": 1}])).await.expect(201);
        // The key is the primary key; another unique column is no key to store by.
        send(json!([{"id": 2, "code": 20, "parent": 1}, {"id": 3, "code": 10, "parent": 1}])).await.problem(409, "duplicate_key");
        send(json!([{"id": 2, "code": 20, "parent": 1}, {"id": 3, "code": 30, "parent": 9}])).await.problem(409, "missing_parent");
        let read = admin.get(&format!("/get-table/{db}/people")).await.expect(200).value();
        assert_eq!(read["people"]["data"], json!([{"id": 1, "code": 10, "parent": 1}]));
    }

    async fn tables_are_read_in_windows(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let db = app.gateway_database("g").await;
        people(&app, &db).await;
        let admin = app.admin();
        let rows: Vec<_> = (1..=25).map(|id| json!({"id": id, "name": format!("n{id}")})).collect();
        admin.post("/insert-data", &insertion(&db, json!(rows))).await.expect(201);
        let ids = async |query: &str| -> Vec<i64> {
            let value = admin.get(&format!("/get-table/{db}/people{query}")).await.expect(200).value();
            value["people"]["data"].as_array().expect("rows").iter().map(|row| row["id"].as_i64().expect("an id")).collect()
        };
        assert_eq!(ids("").await.len(), 25);
        assert_eq!(ids("?limit=3").await, [1, 2, 3]);
        assert_eq!(ids("?limit=3&offset=20").await, [21, 22, 23]);
        assert_eq!(ids("?offset=23").await, [24, 25]);
        assert_eq!(ids("?offset=500&limit=1").await, Vec::<i64>::new());
        assert_eq!(ids("?limit=999999999").await.len(), 25);
        for (bad, pointer) in [("limit=0", "/limit"), ("limit=-1", "/limit"), ("limit=x", "/limit"), ("offset=-1", "/offset"), ("offset=1.5", "/offset")] {
            assert_eq!(pointers(admin.get(&format!("/get-table/{db}/people?{bad}")).await), [pointer], "{bad}");
        }
        assert!(detail(admin.get("/get-table/nowhere/people").await, 404).contains("does not exist"));
    }

    async fn database_users_of_early_clients(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let db = app.gateway_database("g").await;
        let admin = app.admin();
        let username = app.database().gateway_name("u");
        let body = |privileges: &str| json!({"host": "localhost", "username": username, "password": "a good password", "privileges": privileges, "db_name": db});
        if engine == TestEngine::Sqlite {
            assert!(detail(admin.post("/create-db-user", &body("SELECT")).await, 501).contains("SQLite"));
            return;
        }
        let made = message(admin.post("/create-db-user", &body("SELECT, insert")).await, 201);
        assert!(made.contains(&username) && made.ends_with("created successfully"), "{made}");
        let again = message(admin.post("/create-db-user", &body("UPDATE")).await, 201);
        assert!(again.contains(&username) && again.ends_with("already exists"), "{again}");
        let users = admin.get(&format!("/databases/{db}/users")).await.expect(200).value();
        assert_eq!(users, json!([{"username": username, "host": "localhost", "privileges": ["SELECT", "INSERT", "UPDATE"]}]));
        for privileges in ["", "SUPER", "SELECT, FILE", "SELECT; DROP", "GRANT OPTION", "SELECT,,INSERT"] {
            assert_eq!(pointers(admin.post("/create-db-user", &body(privileges)).await), ["/privileges"], "{privileges}");
        }
        let mut nowhere = body("SELECT");
        nowhere["db_name"] = json!("nowhere");
        detail(admin.post("/create-db-user", &nowhere).await, 404);
        admin.delete(&format!("/databases/{db}/users/{username}@localhost")).await.expect(204);
    }
}
