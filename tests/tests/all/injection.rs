//! Hostile texts wherever a request may carry one: in names, values, types, headers. None
//! becomes SQL, none makes the server fail, and what is stored comes back as it was sent.

use std::str::FromStr;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, MySqlConnection};

use crate::support::app::TestApp;
use crate::support::client::Reply;
use crate::support::engines::TestEngine;
use crate::support::rest::{Numbers, ask, column, create_table, ids};

const HOSTILE: &[&str] = &[
    "'",
    "''",
    "\"",
    "\"\"",
    "`",
    "``",
    "\\",
    "\\\\",
    "\\'",
    "\\\"",
    "\\`",
    ";",
    "--",
    "-- ",
    "#",
    "/*",
    "*/",
    "/*!50000 x*/",
    "x' OR '1'='1",
    "x\" OR \"1\"=\"1",
    "x` OR `1`=`1",
    "1 OR 1=1",
    "' OR 1=1 -- ",
    "\\' OR 1=1 -- ",
    "1) OR (1=1",
    "') OR ('1'='1",
    "1; DROP TABLE canary",
    "x'; DROP TABLE canary; --",
    "x`; DROP TABLE canary; --",
    "x\"; DROP TABLE canary; --",
    "id`;drop",
    "' UNION SELECT password_hash FROM users -- ",
    "id,(select 1)",
    "(select 1)",
    "(SELECT version())",
    "@@version",
    "version()",
    "' AND SLEEP(9) AND '1'='1",
    "1;SELECT SLEEP(9)",
    "BENCHMARK(99999999,MD5(1))",
    "randomblob(1000000000)",
    "load_extension('x')",
    "'; ATTACH DATABASE 'evil.db' AS evil; --",
    "' INTO OUTFILE 'evil",
    "LOAD_FILE('/etc/passwd')",
    "0x61646d696e",
    "CHAR(39)",
    "' || '",
    "' + '",
    "'='",
    "'-'",
    "x'||(select 1)||'",
    "ʼ",
    "＇",
    "\u{bf}'",
    "％",
    "\u{202e}",
    "🦀'",
    "a\tb",
    "a\nb",
    "a\r\nb",
    "%",
    "_",
    "*",
    "%27",
    "${7*7}",
    "{{7*7}}",
    "../../etc/passwd",
    "..%2f..",
    "null",
    "NULL",
    "true",
    "-1",
    "1e309",
    "NaN",
    "0x",
    "?",
    "??",
    ":id",
    "$1",
    "@id",
    "id.eq.1",
    "eq.1",
    "not.eq.1",
    "in.(1)",
    "(1,2)",
    "{1,2}",
    "[1]",
    "a.b.c",
    "a->b",
    "a->>b",
    "a::text",
    "a!inner(*)",
    "...a(*)",
    "count()",
];

/// A gateway database with a table of everything to ask about, and a canary.
struct Mine {
    app: TestApp,
    db: String,
}

impl Mine {
    async fn open(engine: TestEngine) -> Self {
        let app = TestApp::start(engine).await;
        let db = app.gateway_database("mine").await;
        create_table(
            &app,
            &db,
            &json!({"name": "canary", "columns": [column("song", "varchar(20)")]}),
        )
        .await;
        app.admin()
            .post(
                &format!("/rest/{db}/canary"),
                &json!({"song": "still alive"}),
            )
            .await
            .expect(201);
        create_table(
            &app,
            &db,
            &json!({
                "name": "t",
                "columns": [
                    {"name": "id", "type": "int", "nullable": false}, column("name", "varchar(200)"), column("n", "bigint"),
                    column("d", "decimal(10,2)"), column("b", "boolean"), column("day", "date"), column("bytes", "varbinary(200)"), column("j", "json"),
                ],
                "primary_key": ["id"],
            }),
        )
        .await;
        let rows: Vec<_> = (0..)
            .zip(HOSTILE)
            .map(|(id, text)| json!({"id": id, "name": text}))
            .collect();
        app.admin()
            .post(&format!("/rest/{db}/t"), &json!(rows))
            .await
            .expect(201);
        Self { app, db }
    }

    fn path(&self) -> String {
        format!("/rest/{}/t", self.db)
    }

    /// Everything is as it was.
    async fn check(&self) {
        let admin = self.app.admin();
        let canary = admin
            .get(&format!("/rest/{}/canary", self.db))
            .await
            .expect(200)
            .value();
        assert_eq!(canary, json!([{"song": "still alive"}]));
        let rows = admin
            .get(&format!("{}?select=id,name&order=id", self.path()))
            .await
            .expect(200)
            .value();
        let expected: Vec<_> = (0..)
            .zip(HOSTILE)
            .map(|(id, text)| json!({"id": id, "name": text}))
            .collect();
        assert_eq!(rows, json!(expected));
        let tables = admin
            .get(&format!("/databases/{}/tables", self.db))
            .await
            .expect(200)
            .value();
        let names: Vec<_> = tables
            .as_array()
            .expect("tables")
            .iter()
            .map(|table| table["name"].clone())
            .collect();
        assert_eq!(names, [json!("canary"), json!("t")]);
        assert_eq!(admin.get("/users").await.expect(200).value()["total"], 1);
    }
}

/// The server may refuse, but neither fail nor be talked into waiting.
#[track_caller]
fn survived(reply: &Reply, what: &str) {
    assert!(
        reply.status.as_u16() < 500 || reply.status.as_u16() == 501,
        "{what}: {} {}",
        reply.status,
        reply.body
    );
}

fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// The server's log of statements, as long as the value lives.
struct StatementLog(MySqlConnection);

impl StatementLog {
    /// Switches it on; `None` on SQLite.
    async fn open(engine: TestEngine) -> Option<Self> {
        let options = MySqlConnectOptions::from_str(&engine.server_url()?).expect("an address");
        let mut connection = options.connect().await.expect("the server answers");
        for statement in [
            "SET GLOBAL log_output = 'TABLE'",
            "SET GLOBAL general_log = ON",
        ] {
            connection
                .execute(statement)
                .await
                .expect("the account of the tests may log");
        }
        Some(Self(connection))
    }

    /// The statements that hold `marker`, with their kinds; then the log is switched off.
    async fn close(mut self, marker: &str) -> Vec<(String, String)> {
        self.0
            .execute("SET GLOBAL general_log = OFF")
            .await
            .expect("the log ends");
        let rows: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
            "SELECT CAST(command_type AS BINARY), CAST(argument AS BINARY) FROM mysql.general_log WHERE INSTR(argument, ?) > 0",
        )
        .bind(marker)
        .fetch_all(&mut self.0)
        .await
        .expect("the log can be read");
        self.0
            .execute("TRUNCATE TABLE mysql.general_log")
            .await
            .expect("the log is emptied");
        self.0.close().await.expect("the connection ends");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        rows.into_iter()
            .map(|(kind, statement)| (text(kind), text(statement)))
            .collect()
    }
}

/// A statement without its quoted texts, names and bytes.
fn unquoted(statement: &str) -> String {
    let mut rest = String::new();
    let mut characters = statement.chars().peekable();
    while let Some(c) = characters.next() {
        if !matches!(c, '\'' | '"' | '`') {
            rest.push(c);
            continue;
        }
        while let Some(inner) = characters.next() {
            if inner == '\\' && c != '`' {
                characters.next();
            } else if inner == c {
                if characters.peek() != Some(&c) {
                    break;
                }
                characters.next();
            }
        }
    }
    rest
}

#[test]
fn quoted_parts_are_taken_out() {
    assert_eq!(unquoted("a 'b''c\\'d' `e``f` \"g\" h"), "a    h");
    assert_eq!(unquoted("SELECT x' OR"), "SELECT x");
}

on_every_engine! {
    async fn hostile_values_are_only_values(engine: TestEngine) {
        let mine = Mine::open(engine).await;
        let admin = mine.app.admin();
        for (id, text) in (0..).zip(HOSTILE) {
            assert_eq!(ids(&admin, &mine.path(), &[("name", &format!("eq.{text}"))]).await, [id], "{text}");
            let quoted = format!("in.(\"{}\")", text.replace('\\', "\\\\").replace('"', "\\\""));
            assert_eq!(ids(&admin, &mine.path(), &[("name", &quoted)]).await, [id], "{quoted}");
            let others = ids(&admin, &mine.path(), &[("name", &format!("neq.{text}")), ("order", "id")]).await;
            assert!(others.len() == HOSTILE.len() - 1 && !others.contains(&id), "{text}");
            let escaped: String = text.chars().flat_map(|c| ['\\', c]).collect();
            assert_eq!(ids(&admin, &mine.path(), &[("name", &format!("like.{escaped}"))]).await, [id], "{escaped}");
            for (column, operator) in [
                ("name", "like"), ("name", "ilike"), ("name", "gt"), ("name", "lte"), ("name", "is"), ("name", "not.in"), ("n", "eq"), ("n", "in"), ("d", "lt"),
                ("b", "is"), ("b", "eq"), ("day", "gte"), ("bytes", "eq"), ("j", "eq"), ("name", "match"), ("name", "fts"),
            ] {
                let reply = ask(&admin, &mine.path(), &[(column, &format!("{operator}.{text}")), ("select", "id")]).await;
                assert!([200, 400].contains(&reply.status.as_u16()), "{column}={operator}.{text}: {} {}", reply.status, reply.body);
            }
        }
        mine.check().await;
    }

    async fn hostile_names_in_reads_are_refused(engine: TestEngine) {
        let mine = Mine::open(engine).await;
        let admin = mine.app.admin();
        for text in HOSTILE.iter().copied().chain(["\0", "a\0b", "id\0"]) {
            for name in [text.to_owned(), format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))] {
                for query in [
                    [("select", name.as_str())], [("select", &format!("id,{name}"))], [("select", &format!("x:{name}"))], [("order", &name)],
                    [("order", &format!("{name}.desc"))], [("order", &format!("id.{name}"))], [(&name, "eq.1")], [("limit", &name)], [("offset", &name)],
                    [("columns", &name)], [("or", &name)], [("on_conflict", &name)],
                ] {
                    let reply = ask(&admin, &mine.path(), &query).await;
                    // `*`, `-1` and the like have a meaning of their own.
                    assert!([200, 400, 416].contains(&reply.status.as_u16()), "{query:?}: {} {}", reply.status, reply.body);
                    if reply.status.as_u16() == 200 {
                        let rows = reply.value();
                        let known = |key: &String| ["id", "name", "n", "d", "b", "day", "bytes", "j", "x", "count"].contains(&key.as_str()) || *key == text;
                        assert!(rows.as_array().expect("rows").iter().all(|row| row.as_object().expect("a row").keys().all(known)), "{query:?}: {rows}");
                    }
                }
            }
            let name = format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
            for query in [
                [("select", format!("x:j->{name}").as_str())], [("select", &format!("x:id::{name}"))], [("select", &format!("id,{name}(id)"))],
                [("select", &format!("id,t!{name}(id)"))], [(&format!("j->>{name}"), "eq.1")], [("name", &format!("fts({name}).word"))],
            ] {
                let reply = ask(&admin, &mine.path(), &query).await;
                assert!([200, 300, 400].contains(&reply.status.as_u16()), "{query:?}: {} {}", reply.status, reply.body);
            }
            for path in [
                format!("/rest/{}/{}", mine.db, encode(text)), format!("/rest/{}/t", encode(text)), format!("/rest/{}/{}", encode(text), encode(text)),
                format!("/get-table/{}/{}", mine.db, encode(text)), format!("/get-table/{}/t", encode(text)),
                format!("/databases/{}/tables", encode(text)), format!("/databases/{}/tables/{}", mine.db, encode(text)),
            ] {
                for method in [Method::GET, Method::DELETE] {
                    let reply = admin.send(method, &path).await;
                    assert!([400, 404, 405].contains(&reply.status.as_u16()), "{path}: {} {}", reply.status, reply.body);
                }
            }
            for (header, value) in [("prefer", format!("return={text}")), ("range", text.to_owned()), ("accept", text.to_owned()), ("x-request-id", text.to_owned()), ("accept-profile", text.to_owned())] {
                if let Ok(value) = reqwest::header::HeaderValue::from_str(&value) {
                    survived(&Reply::of(admin.request(Method::GET, &mine.path()).header(header, value)).await, text);
                }
            }
        }
        mine.check().await;
    }

    async fn hostile_bodies_change_nothing(engine: TestEngine) {
        let mine = Mine::open(engine).await;
        let admin = mine.app.admin();
        for text in HOSTILE.iter().copied().chain(["\0"]) {
            let row = json!({"id": 9000, text: 1});
            assert_eq!(admin.post(&mine.path(), &row).await.status.as_u16(), 400, "{text}");
            assert_eq!(admin.patch(&format!("{}?id=eq.9000", mine.path()), &json!({text: 1})).await.status.as_u16(), 400, "{text}");
            let quoted = text.replace('"', "\"\"");
            assert_eq!(admin.text(&mine.path(), "text/csv", format!("id,\"{quoted}\"\n9000,1\n")).await.status.as_u16(), 400, "{text}");
            let rows = json!({"db_name": mine.db, "table_name": "t", "data": [{"id": 9000, text: 1}]});
            let reply = admin.post("/insert-data", &rows).await;
            assert!((400..500).contains(&reply.status.as_u16()), "{text}: {} {}", reply.status, reply.body);
            for (database, table) in [(text, "t"), (mine.db.as_str(), text), (text, text)] {
                let reply = admin.post("/insert-data", &json!({"db_name": database, "table_name": table, "data": [{"id": 9000}]})).await;
                assert!([404, 422].contains(&reply.status.as_u16()), "{text}: {} {}", reply.status, reply.body);
            }
            for bad in [json!({"id": text}), json!({"id": 9000, "n": text, "d": text, "day": text}), json!([text]), json!(text)] {
                let reply = admin.post(&mine.path(), &bad).await;
                // `-1` and the like are numbers.
                assert!(reply.status.as_u16() == 400 || text == "-1", "{bad}: {} {}", reply.status, reply.body);
            }
            admin.delete(&format!("{}?id=in.(9000,-1)", mine.path())).await.expect(204);
        }
        // As a value it is stored as it is, by JSON, CSV and update alike.
        let csv: String = HOSTILE.iter().enumerate().map(|(at, text)| format!("{},\"{}\"\n", 1000 + at, text.replace('"', "\"\""))).collect();
        let reply = admin.text(&mine.path(), "text/csv", format!("id,name\n{csv}")).await.expect(201);
        drop(reply);
        for (at, text) in HOSTILE.iter().enumerate() {
            let stored = admin.get(&format!("{}?id=eq.{}&select=name", mine.path(), 1000 + at)).await.expect(200).value();
            // The word NULL is null in CSV, quoted or not.
            assert_eq!(stored, if *text == "NULL" { json!([{"name": null}]) } else { json!([{"name": text}]) });
            let changed = format!("{text}{text}");
            let request = admin.request(Method::PATCH, &format!("{}?id=eq.{}&select=name", mine.path(), 1000 + at)).header("prefer", "return=representation");
            let reply = Reply::of(request.json(&json!({"name": changed}))).await.expect(200);
            assert_eq!(reply.value(), json!([{"name": changed}]));
            let upsert = json!({"db_name": mine.db, "table_name": "t", "data": [{"id": 1000 + at, "name": text}]});
            admin.post("/insert-data", &upsert).await.expect(201);
            assert_eq!(ids(&admin, &mine.path(), &[("name", &format!("eq.{text}")), ("id", "gte.1000")]).await, [1000 + i64::try_from(at).unwrap()]);
        }
        admin.delete(&format!("{}?id=gte.1000", mine.path())).await.expect(204);
        mine.check().await;
    }

    async fn hostile_definitions_make_nothing(engine: TestEngine) {
        let mine = Mine::open(engine).await;
        let admin = mine.app.admin();
        let tables = format!("/databases/{}/tables", mine.db);
        let refused = |reply: Reply, what: String| assert_eq!(reply.status.as_u16(), 422, "{what}: {}", reply.body);
        let types = [
            "", "INT, DROP TABLE x", "INT; DROP TABLE canary", "INT) ENGINE=InnoDB; --", "INT) AS SELECT 1", "INT DEFAULT (SELECT 1)", "INT /* x */ UNSIGNED, evil INT",
            "VARCHAR", "VARCHAR(-1)", "VARCHAR(99999999999)", "VARCHAR(5", "VARCHAR(5))", "DECIMAL(66,0)", "DECIMAL(10,31)", "DECIMAL(2,3)", "DECIMAL(x)",
            "ENUM()", "ENUM('a", "ENUM('a');--", "ENUM(a)", "SET()", "BIT(65)", "BIT(0)", "DATETIME(7)", "TIME(-1)", "geometry", "point", "serial", "money", "x",
            "int unsigned zerofill references t(id)", "int primary key", "int not null", "int auto_increment", "int collate binary", "varchar(5) character set latin1",
            "int`", "int'", "int\"", "int\0", "ｉｎｔ", "🦀", "tinyint(1)(2)",
        ];
        for column_type in types {
            refused(admin.post(&tables, &json!({"name": "evil", "columns": [column("a", column_type)]})).await, format!("type {column_type:?}"));
            refused(admin.patch(&format!("{tables}/t"), &json!({"add_columns": [column("evil", column_type)]})).await, format!("added {column_type:?}"));
        }
        for text in ["a'b", "a\"b", "a`b", "a\\b", "a/b", "a.b", " a", "a ", "", "a\0", "a\nb", "🦀", &"x".repeat(65), "`; DROP TABLE canary; --", "'; DROP TABLE canary; --"] {
            let named = |name: &str, columns: Value, more: Value| {
                let mut body = json!({"name": name, "columns": columns});
                body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
                body
            };
            let a = || json!([column("a", "int")]);
            for body in [
                named(text, a(), json!({})),
                named("evil", json!([column(text, "int")]), json!({})),
                named("evil", a(), json!({"primary_key": [text]})),
                named("evil", a(), json!({"indexes": [{"name": text, "columns": ["a"]}]})),
                named("evil", a(), json!({"indexes": [{"columns": [text]}]})),
                named("evil", a(), json!({"foreign_keys": [{"name": text, "columns": ["a"], "references": "t", "referenced_columns": ["id"]}]})),
                named("evil", a(), json!({"foreign_keys": [{"columns": ["a"], "references": text, "referenced_columns": ["id"]}]})),
                named("evil", a(), json!({"foreign_keys": [{"columns": ["a"], "references": "t", "referenced_columns": [text]}]})),
                named("evil", a(), json!({"foreign_keys": [{"columns": ["a"], "references": "t", "referenced_columns": ["id"], "on_delete": text}]})),
            ] {
                refused(admin.post(&tables, &body).await, body.to_string());
            }
            for change in [json!({"rename": text}), json!({"rename_columns": {"n": text}}), json!({"add_columns": [column(text, "int")]}), json!({"drop_columns": [text]}), json!({"drop_indexes": [text]})] {
                let reply = admin.patch(&format!("{tables}/t"), &change).await;
                assert!((400..500).contains(&reply.status.as_u16()), "{change}: {} {}", reply.status, reply.body);
            }
            let reply = admin.post("/databases", &json!({"name": text})).await;
            refused(reply, format!("database {text:?}"));
            let definition = json!({"db_name": mine.db, "table_name": "evil", "table_schema": {"a": format!("INT {text}b")}});
            refused(admin.post("/create-table", &definition).await, definition.to_string());
            let body = json!({"username": "someone", "password": "a good password", "privileges": [text]});
            refused(admin.post(&format!("/databases/{}/users", mine.db), &body).await, body.to_string());
        }
        for text in ["", "a'b", "a\"b", "a`b", "a\\b", "a b", "a\nb", "a\0", "a%b", "a@b", "'@'%", "ä", "🦀", "x' IDENTIFIED BY 'y", "10.%", "a,b", "a;b", "-- "] {
            for (username, host) in [(text, "localhost"), ("someone", text)] {
                let body = json!({"username": username, "host": host, "password": "a good password", "privileges": ["SELECT"]});
                refused(admin.post(&format!("/databases/{}/users", mine.db), &body).await, body.to_string());
                let body = json!({"db_name": mine.db, "username": username, "host": host, "password": "a good password", "privileges": "SELECT"});
                refused(admin.post("/create-db-user", &body).await, body.to_string());
            }
        }
        mine.check().await;
    }

    async fn hostile_comments_and_defaults_are_texts(engine: TestEngine) {
        let mine = Mine::open(engine).await;
        let admin = mine.app.admin();
        let texts: Vec<&str> = HOSTILE.iter().copied().filter(|text| text.len() <= 60).collect();
        // A few at a time: a server's row has its limits.
        for texts in texts.chunks(20) {
            let columns: Vec<_> = texts
                .iter()
                .enumerate()
                .map(|(at, text)| json!({"name": format!("c{at}"), "type": "varchar(60)", "default": text, "comment": text.replace('🦀', "")}))
                .chain([json!({"name": "id", "type": "int", "nullable": false})])
                .collect();
            let made = create_table(&mine.app, &mine.db, &json!({"name": "quoted", "columns": columns, "primary_key": ["id"]})).await;
            let path = format!("/rest/{}/quoted", mine.db);
            admin.post(&path, &json!({"id": 1})).await.expect(201);
            let row = admin.get(&path).await.expect(200).value()[0].clone();
            for (at, text) in texts.iter().enumerate() {
                let comment = text.replace('🦀', "");
                assert_eq!((&made["columns"][at]["default"], &made["columns"][at]["comment"]), (&json!(text), &json!(comment)), "{}", made["columns"][at]);
                assert_eq!(row[format!("c{at}")], *text);
            }
            admin.delete(&format!("/databases/{}/tables/quoted", mine.db)).await.expect(204);
        }
        // Members of an enum: no two that differ in case alone, nothing that no server keeps.
        let mut words: Vec<&str> = Vec::new();
        let keeps = |c: char| !c.is_control() && c != '\\' && u32::from(c) <= 0xffff;
        for text in texts.iter().filter(|text| text.chars().all(keeps) && !text.ends_with(' ')) {
            if words.iter().all(|word| word.to_lowercase() != text.to_lowercase()) {
                words.push(text);
            }
        }
        let quoted: Vec<String> = words.iter().map(|word| format!("'{}'", word.replace('\'', "''"))).collect();
        create_table(&mine.app, &mine.db, &json!({"name": "words", "columns": [column("w", &format!("enum({})", quoted.join(",")))]})).await;
        let rows: Vec<_> = words.iter().map(|word| json!({"w": word})).collect();
        let path = format!("/rest/{}/words", mine.db);
        admin.post(&path, &json!(rows)).await.expect(201);
        for word in words {
            assert_eq!(ask(&admin, &path, &[("w", &format!("eq.{word}"))]).await.expect(200).value(), json!([{"w": word}]), "{word}");
        }
        assert_eq!(admin.post(&path, &json!({"w": "no such word"})).await.status.as_u16(), 400);
        admin.delete(&format!("/databases/{}/tables/words", mine.db)).await.expect(204);
        mine.check().await;
    }

    async fn queries_at_random_never_fail(engine: TestEngine) {
        let mine = Mine::open(engine).await;
        let admin = mine.app.admin();
        let mut numbers = Numbers::new(20_261_121);
        let pieces = ["select", "order", "limit", "id", "name", "d", "\"", "'", "`", ",", ".", "(", ")", "eq.", "in.(", "is.", "not.", "like.", "null", "*", "%", "_", "\\", "1", "-", "->", "::", ":", " ", "desc", "nullsfirst", "🦀", "\u{0}", "=", "&", ";"];
        for round in 0..400 {
            let mut text = |most: usize| -> String { (0..=numbers.below(most)).map(|_| pieces[numbers.below(pieces.len())]).collect() };
            let (key, value, select, order) = (text(3), text(8), text(6), text(6));
            let query = [(key.as_str(), value.as_str()), ("select", select.as_str()), ("order", order.as_str())];
            survived(&ask(&admin, &mine.path(), &query[..1 + round % 3]).await, &format!("{query:?}"));
            let table = text(5);
            survived(&admin.get(&format!("/rest/{}/{}", mine.db, encode(&table))).await, &table);
            let body = format!("{{\"id\":1,\"name\":{}}}", text(6));
            survived(&admin.text(&format!("{}?columns={}", mine.path(), encode(&text(2))), "application/json", body).await, "a body");
        }
        mine.check().await;
    }

    async fn the_statement_log_shows_no_fragment(engine: TestEngine) {
        let mine = Mine::open(engine).await;
        let admin = mine.app.admin();
        let marker = format!("zq{}", &mine.db[2..14]);
        let Some(log) = StatementLog::open(engine).await else { return };
        let mut replies = Vec::new();
        for text in HOSTILE {
            let text = format!("{marker}{text}{marker}");
            for (key, value) in [
                ("name", format!("eq.{text}")), ("name", format!("like.*{text}*")), ("name", format!("in.({text})")), ("select", text.clone()), ("order", text.clone()),
                ("n", format!("eq.{text}")), ("limit", text.clone()), (text.as_str(), "eq.1".to_owned()),
            ] {
                replies.push(ask(&admin, &mine.path(), &[(key, &value)]).await);
            }
            replies.push(admin.get(&format!("/rest/{}/{}", mine.db, encode(&text))).await);
            replies.push(admin.get(&format!("/rest/{}/t", encode(&text))).await);
            replies.push(admin.get(&format!("/databases/{}/tables", encode(&text))).await);
            replies.push(admin.post(&mine.path(), &json!({"id": 7000, "name": text})).await);
            replies.push(admin.patch(&format!("{}?id=eq.7000", mine.path()), &json!({"name": text})).await);
            replies.push(admin.delete(&format!("{}?id=eq.7000", mine.path())).await);
            let table = json!({"name": "evil", "columns": [{"name": "a", "type": format!("int {text}"), "comment": text}]});
            replies.push(admin.post(&format!("/databases/{}/tables", mine.db), &table).await);
            replies.push(admin.delete(&format!("/databases/{}/users/{}@localhost", mine.db, encode(&text))).await);
        }
        let statements = log.close(&marker).await;
        for reply in replies {
            survived(&reply, "while the log was on");
        }
        // The values were bound, so executions show them; the log did log.
        assert!(statements.len() >= HOSTILE.len(), "{}", statements.len());
        for (kind, statement) in statements {
            assert!(!unquoted(&statement).contains(&marker), "{kind}: {statement}");
            // A text that is prepared has places for values, and no value.
            assert!(kind != "Prepare", "{statement}");
        }
        mine.check().await;
    }
}
