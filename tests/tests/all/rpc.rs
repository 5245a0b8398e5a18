//! Stored routines and named statements below `/rest/{db}/rpc/{function}`. SQLite has no
//! routines, so there the same are named statements; what only servers have is tested there.

use std::fs;
use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::Reply;
use crate::support::engines::TestEngine;
use crate::support::rest::{create_table, fault, raw};

/// Statements that are there on every engine.
const ANYWHERE: &str = r#"
[[functions]]
database = "{db}"
name = "names"
sql = "SELECT name FROM ship ORDER BY id"
returns = "values"

[[functions]]
database = "{db}"
name = "named_ships"
sql = "SELECT id, name AS called, draught_m * 2 AS twice FROM ship WHERE name LIKE :pattern ORDER BY id -- :x"
parameters = { pattern = "varchar(40)" }
columns = { twice = "decimal(6,2)" }
comment = "Ships by a pattern"

[[functions]]
database = "{db}"
name = "is_sold"
sql = "SELECT sold FROM ship WHERE id = :id"
parameters = { id = "int" }
returns = "scalar"

[[functions]]
database = "{db}"
name = "forget"
sql = "DELETE FROM ship WHERE id = :id"
parameters = { id = "int" }
returns = "void"
"#;

/// Statements in the place of routines.
const INSTEAD: &str = r#"
[[functions]]
database = "{db}"
name = "add_them"
sql = "SELECT :a + :b"
parameters = { a = "int", b = "int" }
returns = "scalar"

[[functions]]
database = "{db}"
name = "draught_of"
sql = "SELECT draught_m FROM ship WHERE id = :id"
parameters = { id = "int" }
returns = "scalar"

[[functions]]
database = "{db}"
name = "deeper_than"
sql = "SELECT id, name, draught_m, sold, built FROM ship WHERE draught_m > :min_draught ORDER BY id"
parameters = { min_draught = "decimal(4,2)" }

[[functions]]
database = "{db}"
name = "by_name"
sql = "SELECT id, name FROM ship WHERE name = :name"
parameters = { name = "varchar(40)" }

[[functions]]
database = "{db}"
name = "sell"
sql = "UPDATE ship SET sold = 1 WHERE id = :ship_id"
parameters = { ship_id = "int" }
returns = "void"

[[functions]]
database = "{db}"
name = "sell_all"
sql = "UPDATE ship SET sold = 1 RETURNING id, sold"

[[functions]]
database = "{db}"
name = "launch"
sql = "INSERT INTO ship (id, name) VALUES (:id, :name)"
parameters = { id = "int", name = "varchar(40)" }
returns = "void"
"#;

/// The same as routines.
const ROUTINES: [&str; 7] = [
    "CREATE FUNCTION add_them(a INT, b INT) RETURNS INT DETERMINISTIC NO SQL RETURN a + b",
    "CREATE FUNCTION draught_of(id INT) RETURNS DECIMAL(4,2) READS SQL DATA \
     RETURN (SELECT s.draught_m FROM ship s WHERE s.id = id)",
    "CREATE PROCEDURE deeper_than(min_draught DECIMAL(4,2)) READS SQL DATA \
     SELECT id, name, draught_m, sold, built FROM ship WHERE draught_m > min_draught ORDER BY id",
    "CREATE PROCEDURE by_name(name VARCHAR(40)) READS SQL DATA \
     SELECT s.id, s.name FROM ship s WHERE s.name = name",
    "CREATE PROCEDURE sell(ship_id INT) MODIFIES SQL DATA \
     UPDATE ship SET sold = 1 WHERE id = ship_id",
    "CREATE PROCEDURE sell_all() MODIFIES SQL DATA \
     BEGIN UPDATE ship SET sold = 1; SELECT id, sold FROM ship ORDER BY id; END",
    "CREATE PROCEDURE launch(id INT, name VARCHAR(40)) MODIFIES SQL DATA \
     INSERT INTO ship (id, name) VALUES (id, name)",
];

struct Port {
    app: TestApp,
    db: String,
}

impl Port {
    async fn open(engine: TestEngine) -> Self {
        let database = Arc::new(engine.create_database().await);
        let name = database.gateway_name("port");
        let mut text = ANYWHERE.to_owned();
        if !engine.is_server() {
            text += INSTEAD;
        }
        let file = database.data_dir().join("functions.toml");
        fs::write(&file, text.replace("{db}", &name)).expect("a file");
        let file = file.display().to_string();
        let app = TestApp::start_on(database, &[("rest.functions", &file)]).await;
        let db = app.gateway_database("port").await;
        let port = Self { app, db };
        create_table(
            &port.app,
            &port.db,
            &json!({
                "name": "ship",
                "columns": [
                    {"name": "id", "type": "int", "nullable": false},
                    {"name": "name", "type": "varchar(40)", "nullable": false},
                    {"name": "draught_m", "type": "decimal(4,2)"},
                    {"name": "sold", "type": "boolean"},
                    {"name": "built", "type": "date"},
                ],
                "primary_key": ["id"],
            }),
        )
        .await;
        let rows = json!([
            {"id": 1, "name": "Tern", "draught_m": 2.5, "sold": false, "built": "1999-05-01"},
            {"id": 2, "name": "Ærfugl", "draught_m": 8.25, "sold": null, "built": "2003-01-31"},
            {"id": 3, "name": "Quill", "draught_m": 5.1, "sold": true, "built": null},
        ]);
        let path = format!("/rest/{}/ship", port.db);
        port.app.admin().post(&path, &rows).await.expect(201);
        if engine.is_server() {
            raw(&port.app, &port.db, &ROUTINES).await;
        }
        port
    }

    fn path(&self, rest: &str) -> String {
        format!("/rest/{}/rpc/{rest}", self.db)
    }

    async fn get(&self, rest: &str) -> Reply {
        self.app.admin().get(&self.path(rest)).await
    }

    async fn post(&self, rest: &str, body: Value) -> Reply {
        self.app.admin().post(&self.path(rest), &body).await
    }

    async fn with(
        &self,
        method: Method,
        rest: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Reply {
        let mut request = self.app.admin().request(method, &self.path(rest));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        Reply::of(request).await
    }

    async fn sold(&self) -> Value {
        let path = format!("/rest/{}/ship?select=id,sold&order=id", self.db);
        self.app.admin().get(&path).await.expect(200).value()
    }
}

const DEEP: &str = r#"[{"id":2,"name":"Ærfugl","draught_m":8.25,"sold":null,"built":"2003-01-31"},{"id":3,"name":"Quill","draught_m":5.10,"sold":true,"built":null}]"#;

on_every_engine! {
    async fn a_function_gives_a_value_and_a_procedure_rows(engine: TestEngine) {
        let port = Port::open(engine).await;
        let sum = port.post("add_them", json!({"b": "40", "a": 2})).await.expect(200);
        assert_eq!((sum.body.as_str(), sum.header("content-range")), ("42", "0-0/*"));
        assert_eq!(sum.header("content-type"), "application/json; charset=utf-8");
        assert_eq!(sum.header("vary"), "Accept, Accept-Profile, Prefer, Range, Authorization");
        assert_eq!(port.get("add_them?a=-1&a=1&b=2").await.expect(200).body, "3");
        assert_eq!(port.get("draught_of?id=1").await.expect(200).body, "2.50");
        assert_eq!(port.get("draught_of?id=9").await.expect(200).body, "null");
        assert_eq!(port.get("is_sold?id=3").await.expect(200).body, "true");
        let form = port.app.admin().form(&port.path("add_them"), &[("a", "1"), ("b", "1")]).await;
        assert_eq!(form.expect(200).body, "2");
        let csv = port.with(Method::GET, "draught_of?id=1", &[("accept", "text/csv")], None).await.expect(200);
        assert_eq!(csv.body, "pgrst_scalar\n2.50");

        let deep = port.get("deeper_than?min_draught=5").await.expect(200);
        assert_eq!((deep.body.as_str(), deep.header("content-range")), (DEEP, "0-1/*"));
        assert_eq!(port.post("deeper_than", json!({"min_draught": 5})).await.expect(200).body, DEEP);
        let none = port.get("deeper_than?min_draught=50&order=id").await.expect(200);
        assert_eq!((none.body.as_str(), none.header("content-range")), ("[]", "*/*"));
        let head = port.with(Method::HEAD, "deeper_than?min_draught=5", &[], None).await.expect(200);
        assert_eq!((head.body.as_str(), head.header("content-range")), ("", "0-1/*"));
        let csv = port.with(Method::GET, "deeper_than?min_draught=5", &[("accept", "text/csv")], None).await.expect(200);
        assert_eq!(csv.body, "id,name,draught_m,sold,built\n2,Ærfugl,8.25,,2003-01-31\n3,Quill,5.10,t,");

        // Named statements stand beside routines.
        assert_eq!(port.get("names").await.expect(200).body, r#"["Tern","Ærfugl","Quill"]"#);
        let named = port.post("named_ships", json!({"pattern": "%l%"})).await.expect(200);
        assert_eq!(named.body, r#"[{"id":2,"called":"Ærfugl","twice":16.50},{"id":3,"called":"Quill","twice":10.20}]"#);

        // What gives nothing answers nothing; no body is no arguments.
        let sold = port.post("sell", json!({"ship_id": 1})).await.expect(204);
        assert_eq!((sold.body.as_str(), sold.header("content-type"), sold.header("content-range")), ("", "", ""));
        port.post("forget", json!({"id": 2})).await.expect(204);
        assert_eq!(port.sold().await, json!([{"id": 1, "sold": true}, {"id": 3, "sold": true}]));
        assert_eq!(
            port.with(Method::POST, "sell_all", &[], None).await.expect(200).value(),
            json!([{"id": 1, "sold": true}, {"id": 3, "sold": true}])
        );
    }

    async fn rows_are_asked_like_those_of_a_table(engine: TestEngine) {
        let port = Port::open(engine).await;
        for (query, rows) in [
            ("select=*", DEEP),
            ("select=called:name&order=draught_m", r#"[{"called":"Quill"},{"called":"Ærfugl"}]"#),
            ("select=id,draught_m&draught_m=lt.6", r#"[{"id":3,"draught_m":5.10}]"#),
            ("select=id&draught_m=gt.10", "[]"),
            ("select=id&order=name.desc&limit=1", r#"[{"id":2}]"#),
            ("select=id&order=built.asc.nullsfirst", r#"[{"id":3},{"id":2}]"#),
            ("select=id&sold=is.true", r#"[{"id":3}]"#),
            ("select=id&built=lt.2003-02-01", r#"[{"id":2}]"#),
            ("select=id&name=ilike.*FUGL", r#"[{"id":2}]"#),
            ("select=id&or=(id.eq.2,name.like.Q*)&not.and=(id.eq.2)", r#"[{"id":3}]"#),
            ("select=id&id=in.(3,7)", r#"[{"id":3}]"#),
            ("limit=1&offset=1&select=id", r#"[{"id":3}]"#),
            ("offset=1", r#"[{"id":3,"name":"Quill","draught_m":5.10,"sold":true,"built":null}]"#),
            ("select=count()", r#"[{"count":2}]"#),
            ("select=total:draught_m.sum()", r#"[{"total":13.35}]"#),
            ("select=id::text,draught_m::text&id=eq.2", r#"[{"id":"2","draught_m":"8.25"}]"#),
            ("select=draught_m,draught_m,sold&id=eq.3", r#"[{"draught_m":5.10,"sold":true}]"#),
        ] {
            let got = port.get(&format!("deeper_than?min_draught=5&{query}")).await.expect(200);
            assert_eq!(got.body, rows, "GET {query}");
            let got = port.post(&format!("deeper_than?{query}"), json!({"min_draught": 5})).await.expect(200);
            assert_eq!(got.body, rows, "POST {query}");
        }
        let count = [("prefer", "count=exact")];
        let page = port.with(Method::GET, "deeper_than?min_draught=1&order=id.desc&limit=2", &count, None).await.expect(206);
        assert_eq!((page.header("content-range"), page.header("preference-applied")), ("0-1/3", "count=exact"));
        let page = port.with(Method::GET, "deeper_than?min_draught=1", &[("range", "1-1"), ("prefer", "count=exact")], None).await.expect(206);
        assert_eq!((page.header("content-range"), page.value()[0]["id"].as_i64()), ("1-1/3", Some(2)));
        fault(port.with(Method::GET, "deeper_than?min_draught=1&offset=9", &count, None).await, 416, "PGRST103");
        // An argument stands before a column of its name, unless its value is a condition.
        assert_eq!(port.get("by_name?name=Tern&name=neq.Quill").await.expect(200).body, r#"[{"id":1,"name":"Tern"}]"#);
        assert_eq!(port.get("by_name?name=Tern&name=neq.Tern").await.expect(200).body, "[]");
        // On a query the rows of which nobody knows anything before.
        let named = port.get("named_ships?pattern=%25&twice=gt.5&select=called,twice&order=twice.desc").await.expect(200);
        assert_eq!(named.body, r#"[{"called":"Ærfugl","twice":16.50},{"called":"Quill","twice":10.20}]"#);
        assert_eq!(port.get("names?name=gte.T").await.expect(200).body, r#"["Tern","Ærfugl"]"#);

        let one = [("accept", "application/vnd.pgrst.object+json")];
        let single = port.with(Method::GET, "by_name?name=Tern", &one, None).await.expect(200);
        assert_eq!((single.body.as_str(), single.header("content-type")), (r#"{"id":1,"name":"Tern"}"#, "application/vnd.pgrst.object+json; charset=utf-8"));
        fault(port.with(Method::GET, "deeper_than?min_draught=5", &one, None).await, 406, "PGRST116");
        assert_eq!(port.with(Method::GET, "draught_of?id=1", &one, None).await.expect(200).body, "2.50");
        let stripped = [("accept", "application/vnd.pgrst.array+json;nulls=stripped")];
        let rows = port.with(Method::GET, "deeper_than?min_draught=5&select=id,sold", &stripped, None).await.expect(200);
        assert_eq!(rows.body, r#"[{"id":2},{"id":3,"sold":true}]"#);

        fault(port.get("deeper_than?min_draught=5&select=nme").await, 400, "42703");
        fault(port.get("deeper_than?min_draught=5&nme=eq.1").await, 400, "42703");
        fault(port.get("deeper_than?min_draught=5&id=eq.x").await, 400, "22P02");
        fault(port.get("deeper_than?min_draught=5&select=id,owner(name)").await, 400, "PGRST127");
        fault(port.get("add_them?a=1&b=2&sum=eq.3").await, 400, "42703");
    }

    async fn what_cannot_be_called_is_told_with_what_could(engine: TestEngine) {
        let port = Port::open(engine).await;
        let db = port.db.clone();
        let told = fault(port.post("add_them", json!({"b": 1, "c": 2})).await, 404, "PGRST202");
        assert_eq!(told["message"], format!("Could not find the function {db}.add_them(b, c) in the schema cache"));
        assert_eq!(told["details"], format!("Searched for the function {db}.add_them with parameters b, c, but no matches were found in the schema cache."));
        assert_eq!(told["hint"], format!("Perhaps you meant to call the function {db}.add_them(a, b)"));
        let told = fault(port.get("add_thm").await, 404, "PGRST202");
        assert_eq!(told["message"], format!("Could not find the function {db}.add_thm without parameters in the schema cache"));
        assert_eq!(told["hint"], format!("Perhaps you meant to call the function {db}.add_them"));
        let told = fault(port.get("nothing_like_it?x=1").await, 404, "PGRST202");
        assert_eq!((told["details"].as_str(), &told["hint"]), (Some(format!("Searched for the function {db}.nothing_like_it with parameter x, but no matches were found in the schema cache.").as_str()), &Value::Null));
        let told = fault(port.post("add_them", json!({"a": "x", "b": 1})).await, 400, "22P02");
        assert_eq!(told["message"], "invalid input syntax for type int: \"x\"");
        fault(port.post("add_them", json!({"a": 3_000_000_000_i64, "b": 1})).await, 400, "22003");
        for body in ["[1]", "1", "{\"a\":", "[{\"a\":1,\"b\":1},{\"a\":1,\"b\":1}]"] {
            fault(port.app.admin().text(&port.path("add_them"), "application/json", body).await, 400, "PGRST102");
        }
        fault(port.app.admin().text(&port.path("add_them"), "text/csv", "a,b\n1,2\n").await, 415, "PGRST102");
        assert_eq!(port.post("add_them?columns=a,b", json!({"a": 1, "b": 2, "c": 3})).await.expect(200).body, "3");
        fault(port.app.admin().get(&format!("/rest/{db}x/rpc/add_them")).await, 404, "PGRST125");
        for method in [Method::PUT, Method::PATCH, Method::DELETE] {
            let reply = port.with(method.clone(), "add_them", &[], None).await;
            assert_eq!(reply.header("allow"), "OPTIONS,GET,HEAD,POST");
            let told = fault(reply, 405, "PGRST101");
            assert_eq!(told["message"], format!("Cannot use the {method} method on RPC"));
        }
        for (name, allow) in [
            ("add_them", "OPTIONS,GET,HEAD,POST"), ("deeper_than", "OPTIONS,GET,HEAD,POST"), ("named_ships", "OPTIONS,GET,HEAD,POST"),
            ("sell", "OPTIONS,POST"), ("forget", "OPTIONS,POST"),
        ] {
            let reply = port.with(Method::OPTIONS, name, &[], None).await.expect(200);
            assert_eq!(reply.header("allow"), allow, "{name}");
        }
        fault(port.with(Method::OPTIONS, "nothing", &[], None).await, 404, "PGRST202");
        fault(port.app.anonymous().get(&port.path("add_them?a=1&b=1")).await, 401, "PGRST302");
        // A table called `rpc` is a table.
        let table = json!({"name": "rpc", "columns": [{"name": "add_them", "type": "int"}]});
        create_table(&port.app, &db, &table).await;
        assert_eq!(port.app.admin().get(&format!("/rest/{db}/rpc")).await.expect(200).body, "[]");
        assert_eq!(port.get("add_them?a=1&b=1").await.expect(200).body, "2");
    }

    async fn a_call_is_one_transaction(engine: TestEngine) {
        let port = Port::open(engine).await;
        let before = port.sold().await;
        // By GET nothing is written.
        fault(port.get("sell?ship_id=1").await, 405, "25006");
        fault(port.get("sell_all").await, 405, "25006");
        fault(port.get("forget?id=1").await, 405, "25006");
        let back = [("prefer", "tx=rollback")];
        let reply = port.with(Method::POST, "sell_all", &back, Some(json!({}))).await.expect(200);
        assert_eq!((reply.header("preference-applied"), reply.value().as_array().map(Vec::len)), ("tx=rollback", Some(3)));
        port.with(Method::POST, "sell", &back, Some(json!({"ship_id": 1}))).await.expect(204);
        let few = [("prefer", "handling=strict, max-affected=2")];
        let told = fault(port.with(Method::POST, "sell_all", &few, Some(json!({}))).await, 400, "PGRST124");
        assert_eq!(told["details"], "The query affects 3 rows");
        let told = fault(port.with(Method::POST, "add_them", &few, Some(json!({"a": 1, "b": 1}))).await, 400, "PGRST128");
        assert_eq!(told["message"], "Function must return SETOF or TABLE when max-affected preference is used with handling=strict");
        let one = [("accept", "application/vnd.pgrst.object+json")];
        fault(port.with(Method::POST, "sell_all", &one, Some(json!({}))).await, 406, "PGRST116");
        let counted = [("prefer", "count=exact")];
        let told = port.with(Method::POST, "sell_all?offset=9", &counted, Some(json!({}))).await;
        assert_eq!(told.header("content-range"), "*/3");
        fault(told, 416, "PGRST103");
        fault(port.post("sell_all?select=nothing", json!({})).await, 400, "42703");
        fault(port.post("launch", json!({"id": 1, "name": "x"})).await, 409, "23505");
        fault(port.post("launch", json!({"id": 9, "name": null})).await, 400, "23502");
        assert_eq!(port.sold().await, before);
        let enough = [("prefer", "handling=strict, max-affected=3, tx=commit")];
        let reply = port.with(Method::POST, "sell_all?id=gt.1", &enough, Some(json!({}))).await.expect(200);
        assert_eq!(reply.header("preference-applied"), "tx=commit, handling=strict, max-affected=3");
        assert_eq!(reply.value(), json!([{"id": 2, "sold": true}, {"id": 3, "sold": true}]));
        assert_ne!(port.sold().await, before);
    }

    async fn what_only_servers_have(engine: TestEngine) {
        if !engine.is_server() {
            return;
        }
        let port = Port::open(engine).await;
        raw(&port.app, &port.db, &[
            "CREATE PROCEDURE halve(INOUT number INT, OUT rest DECIMAL(3,2), OUT day DATE, IN ok TINYINT(1)) NO SQL \
             BEGIN SET rest = number / 2 - FLOOR(number / 2); SET number = FLOOR(number / 2); SET day = '2024-02-29'; END",
            "CREATE PROCEDURE pay() NO SQL SIGNAL SQLSTATE 'PT402' SET MESSAGE_TEXT = 'Pay the dues first'",
            "CREATE PROCEDURE refuse() MODIFIES SQL DATA BEGIN UPDATE ship SET sold = 1; \
             SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'Not on a Sunday'; END",
            "CREATE PROCEDURE twice() NO SQL SELECT 1 AS one",
            "CREATE FUNCTION twice() RETURNS INT DETERMINISTIC NO SQL RETURN 2",
            "CREATE PROCEDURE sly() READS SQL DATA BEGIN COMMIT; UPDATE ship SET sold = 1; END",
            "CREATE PROCEDURE several() READS SQL DATA BEGIN SELECT 1 AS a; SELECT 2 AS b; END",
            "CREATE PROCEDURE hides() READS SQL DATA BEGIN CREATE TEMPORARY TABLE ship (id INT); SELECT COUNT(*) AS n FROM ship; END",
            "CREATE PROCEDURE same() NO SQL SELECT 1 AS a, 2 AS a",
            "CREATE PROCEDURE kinds() NO SQL SELECT 1 AS n, 18446744073709551615 AS big, 1.10 AS d, 1.5e0 AS f, 'x' AS t, NULL AS z, \
             DATE '2024-02-29' AS day, TIME '01:02:03' AS clock, TIMESTAMP '2024-02-29 01:02:03.5' AS at, x'00ff' AS bytes",
            "CREATE FUNCTION blue() RETURNS VARCHAR(10) CHARSET utf8mb4 NO SQL DETERMINISTIC RETURN 'bl\"ue'",
            "CREATE FUNCTION fine() RETURNS TINYINT(1) NO SQL DETERMINISTIC RETURN TRUE",
            "CREATE PROCEDURE lost() READS SQL DATA SELECT * FROM nowhere",
        ]).await;
        let halves = port.post("halve", json!({"number": 7, "ok": true})).await.expect(200);
        assert_eq!((halves.body.as_str(), halves.header("content-range")), (r#"{"number":3,"rest":0.50,"day":"2024-02-29"}"#, "0-0/*"));
        assert_eq!(port.get("halve?number=8&ok=f&select=rest,half:number").await.expect(200).body, r#"{"rest":0.00,"half":4}"#);
        let told = fault(port.post("pay", json!({})).await, 402, "PT402");
        assert_eq!(told["message"], "Pay the dues first");
        let before = port.sold().await;
        let told = fault(port.post("refuse", json!({})).await, 400, "P0001");
        assert_eq!(told["message"], "Not on a Sunday");
        assert_eq!(port.sold().await, before);
        let told = fault(port.post("twice", json!({})).await, 300, "PGRST203");
        assert_eq!(told["message"], format!("Could not choose the best candidate function between: {db}.twice(), {db}.twice()", db = port.db));
        fault(port.get("sly").await, 405, "25006");
        assert_eq!(port.sold().await, before);
        assert_eq!(port.get("several").await.expect(200).body, r#"[{"a":1}]"#);
        for _ in 0..3 {
            // What it leaves behind in its session meets nobody.
            assert_eq!(port.post("hides", json!({})).await.expect(200).body, r#"[{"n":0}]"#);
            assert_eq!(port.sold().await, before);
        }
        fault(port.post("same", json!({})).await, 400, "42701");
        let kinds = r#"[{"n":1,"big":18446744073709551615,"d":1.10,"f":1.5,"t":"x","z":null,"day":"2024-02-29","clock":"01:02:03","at":"2024-02-29T01:02:03.5","bytes":"\\x00ff"}]"#;
        assert_eq!(port.get("kinds").await.expect(200).body, kinds);
        // The same by way of conditions that hold.
        let held = "big=gt.18446744073709551614&d=eq.1.1&f=lt.2&t=eq.x&z=is.null&day=eq.2024-02-29&clock=gte.01:02:03&at=eq.2024-02-29T01:02:03.500&order=n";
        assert_eq!(port.get(&format!("kinds?{held}")).await.expect(200).body, kinds);
        assert_eq!(port.get("blue").await.expect(200).body, r#""bl\"ue""#);
        assert_eq!(port.get("fine").await.expect(200).body, "true");
        fault(port.get("lost").await, 404, "42P01");
        // One that is made past Tidegate is found, one that is gone is told so.
        raw(&port.app, &port.db, &["DROP FUNCTION fine", "CREATE PROCEDURE late() NO SQL SELECT 1 AS a"]).await;
        fault(port.get("fine").await, 404, "PGRST202");
        assert_eq!(port.get("late").await.expect(200).body, r#"[{"a":1}]"#);
    }
}
