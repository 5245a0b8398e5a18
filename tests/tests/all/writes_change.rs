//! Changes and deletions: what a body may be, and what their answers show.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::engines::TestEngine;
use crate::support::rest::{Yard, fault};

const SHOWN: (&str, &str) = ("prefer", "return=representation");

on_every_engine! {
    async fn one_row_says_what_changes(engine: TestEngine) {
        let yard = Yard::open(engine, &[]).await;
        let patch = |rest: &'static str, headers: &'static [(&'static str, &'static str)], body: &'static str| {
            let yard = &yard;
            async move { yard.send(Method::PATCH, rest, headers, body).await }
        };
        const FORM: &[(&str, &str)] = &[("content-type", "application/x-www-form-urlencoded"), SHOWN];
        const CSV: &[(&str, &str)] = &[("content-type", "text/csv"), SHOWN];
        let reply = patch("port?id=eq.1&select=name,berths", FORM, "name=%C3%85s&berths=5").await.expect(200);
        assert_eq!(reply.value(), json!([{"name": "Ås", "berths": 5}]));
        let reply = patch("ship?id=eq.1&select=name,length", CSV, "name,length\nTerne,NULL\n").await.expect(200);
        assert_eq!(reply.value(), json!([{"name": "Terne", "length": null}]));
        fault(patch("ship?id=eq.1", CSV, "name\na\nb\n").await, 400, "PGRST102");
        fault(patch("ship?id=eq.1", &[], r#"[{"name": "a"}, {"name": "b"}]"#).await, 400, "PGRST102");
        patch("ship?id=eq.1", &[], r#"[{"name": "Tern"}]"#).await.expect(204);
        // Nothing to change is nothing changed, also where no filter is.
        for (rest, body) in [("ship?id=eq.1", "{}"), ("ship?id=eq.1", "[]"), ("ship", "{}"), ("ship?id=eq.1", "[{}]")] {
            let reply = patch(rest, &[("prefer", "count=exact, return=minimal")], body).await.expect(204);
            assert_eq!((reply.body.as_str(), reply.header("content-range"), reply.header("preference-applied")), ("", "*/0", "return=minimal, count=exact"));
            assert_eq!(patch(rest, &[SHOWN], body).await.expect(200).body, "[]");
        }
        // Listed columns.
        let listed = "stop?pier=eq.A&columns=note,day";
        yard.send(Method::POST, "stop", &[], r#"{"pier": "A", "day": "2024-07-01", "note": "n"}"#).await.expect(201);
        fault(patch(listed, &[SHOWN], r#"{"note": "x"}"#).await, 400, "23502");
        let reply = patch("stop?pier=eq.A&columns=note", &[SHOWN], r#"{"note": "x", "pier": "B", "z": 1}"#).await.expect(200);
        assert_eq!(reply.value(), json!([{"pier": "A", "day": "2024-07-01", "note": "x"}]));
        let reply = patch("stop?pier=eq.A&columns=note", &[("prefer", "missing=default, return=representation")], r#"{"pier": "B"}"#).await.expect(200);
        assert_eq!(reply.value(), json!([{"pier": "A", "day": "2024-07-01", "note": "none"}]));
        assert_eq!(reply.header("preference-applied"), "missing=default, return=representation");
        let reply = patch("stop?pier=eq.A&columns=note", &[SHOWN], r#"{"pier": "B"}"#).await.expect(200);
        assert_eq!(reply.value(), json!([{"pier": "A", "day": "2024-07-01", "note": null}]));
        fault(patch("stop?pier=eq.A&columns=note,note", &[SHOWN], r#"{"note": "x"}"#).await, 400, "42701");
        // Defaults change rows as values do.
        fault(patch("stop?columns=note", &[("prefer", "missing=default")], r#"{"pier": "B"}"#).await, 400, "21000");
        fault(patch("stop?pier=eq.A&columns=nota", &[SHOWN], r#"{"pier": "B"}"#).await, 400, "PGRST204");
        // No window of what is written.
        for rest in ["port?id=gt.0&limit=1", "port?id=gt.0&offset=1"] {
            fault(patch(rest, &[], r#"{"berths": 0}"#).await, 400, "PGRST127");
            fault(yard.send(Method::DELETE, rest, &[], "").await, 400, "PGRST127");
        }
        // A deletion does not look at a body.
        let json = [("content-type", "application/json"), SHOWN];
        let reply = yard.send(Method::DELETE, "stop?pier=eq.A&select=pier", &json, "{}").await.expect(200);
        assert_eq!(reply.value(), json!([{"pier": "A"}]));
        yard.send(Method::DELETE, "stop?pier=eq.A", &json[..1], "").await.expect(204);
        assert_eq!(yard.read("stop").await, "[]");
    }

    async fn no_more_rows_than_a_client_allows(engine: TestEngine) {
        let yard = Yard::open(engine, &[]).await;
        let before = yard.read("ship?order=id").await;
        let body = r#"{"length": 1}"#;
        for (method, body) in [(Method::PATCH, body), (Method::DELETE, "")] {
            for returning in ["", "return=representation, "] {
                let prefer = format!("{returning}handling=strict, max-affected=2");
                let error = fault(yard.send(method.clone(), "ship?id=gt.0", &[("prefer", &prefer)], body).await, 400, "PGRST124");
                assert_eq!((&error["message"], &error["details"]), (&json!("Query result exceeds max-affected preference constraint"), &json!("The query affects 3 rows")));
            }
        }
        assert_eq!(yard.read("ship?order=id").await, before);
        let reply = yard.send(Method::PATCH, "ship?id=lt.3", &[("prefer", "max-affected=2, handling=strict")], body).await.expect(204);
        assert_eq!((reply.header("preference-applied"), reply.header("content-range")), ("handling=strict, max-affected=2", "0-1/*"));
        let reply = yard.send(Method::DELETE, "ship?id=lt.3&select=id&order=id", &[("prefer", "return=representation, max-affected=2, handling=strict")], "").await.expect(200);
        assert_eq!((reply.body.as_str(), reply.header("preference-applied")), (r#"[{"id":1},{"id":2}]"#, "return=representation, handling=strict, max-affected=2"));
        // Only who is strict is protected; new rows are not counted.
        let reply = yard.send(Method::DELETE, "ship?id=gt.0", &[("prefer", "max-affected=0, handling=lenient")], "").await.expect(204);
        assert_eq!(reply.header("preference-applied"), "handling=lenient");
        let reply = yard.send(Method::POST, "log", &[("prefer", "max-affected=0, handling=strict")], r#"[{"level": 1}, {"level": 2}]"#).await.expect(201);
        assert_eq!(reply.header("preference-applied"), "handling=strict");
    }

    async fn what_is_done_may_be_undone(engine: TestEngine) {
        let yard = Yard::open(engine, &[]).await;
        let before = (yard.read("port?order=id").await, yard.read("log").await);
        let undone = |extra: &str| format!("{extra}tx=rollback, return=representation");
        let cases = [
            (Method::POST, "log", "", r#"[{"line": "a", "level": 1}]"#, 201, r#"[{"line":"a","level":1}]"#),
            (Method::POST, "port?select=name", "", r#"[{"name": "a"}, {"name": "b"}]"#, 201, r#"[{"name":"a"},{"name":"b"}]"#),
            (Method::POST, "port?select=id,name", "resolution=merge-duplicates, ", r#"[{"id": 1, "name": "x"}]"#, 200, r#"[{"id":1,"name":"x"}]"#),
            (Method::PUT, "port?id=eq.2&select=id,name", "", r#"{"id": 2, "name": "x"}"#, 200, r#"[{"id":2,"name":"x"}]"#),
            (Method::PATCH, "port?id=gt.0&select=id,berths&order=id", "", r#"{"berths": 0}"#, 200, r#"[{"id":1,"berths":0},{"id":2,"berths":0}]"#),
            (Method::DELETE, "log?level=is.null&select=level", "", "", 200, "[]"),
        ];
        for (method, rest, extra, body, status, shown) in cases {
            let reply = yard.send(method.clone(), rest, &[("prefer", &undone(extra))], body).await.expect(status);
            assert_eq!(reply.body, shown, "{method} {rest}");
            assert!(reply.header("preference-applied").contains("return=representation, tx=rollback"), "{:?}", reply.headers);
            yard.send(method, rest, &[("prefer", &format!("{extra}tx=rollback"))], body).await;
            assert_eq!((yard.read("port?order=id").await, yard.read("log").await), before, "{rest}");
        }
        let csv = [("content-type", "text/csv"), ("prefer", "tx=rollback, count=exact")];
        let lines: String = (0..3000).map(|at| format!("line {at}\n")).collect();
        let reply = yard.send(Method::POST, "log", &csv, &format!("line\n{lines}")).await.expect(201);
        assert_eq!((reply.header("content-range"), reply.header("preference-applied")), ("*/3000", "count=exact, tx=rollback"));
        let reply = yard.send(Method::DELETE, "ship?id=gt.0", &[("prefer", "tx=rollback")], "").await.expect(204);
        assert_eq!(reply.header("preference-applied"), "tx=rollback");
        assert_eq!(yard.read("ship?select=id&order=id").await, r#"[{"id":1},{"id":2},{"id":3}]"#);
        assert_eq!((yard.read("port?order=id").await, yard.read("log").await), before);
        let reply = yard.send(Method::DELETE, "ship?id=eq.3", &[("prefer", "tx=commit, tx=rollback")], "").await.expect(204);
        assert_eq!(reply.header("preference-applied"), "tx=commit");
        assert_eq!(yard.read("ship?select=id&order=id").await, r#"[{"id":1},{"id":2}]"#);

        // Where clients may not choose, what they choose is passed over.
        let yard = Yard::open(engine, &[("rest.tx_override", "false")]).await;
        let reply = yard.send(Method::DELETE, "ship?id=eq.3", &[("prefer", "tx=rollback, handling=strict")], "").await.expect(204);
        assert_eq!(reply.header("preference-applied"), "handling=strict");
        assert_eq!(yard.read("ship?select=id&order=id").await, r#"[{"id":1},{"id":2}]"#);
    }

    async fn written_rows_are_shown_with_what_belongs_to_them(engine: TestEngine) {
        let yard = Yard::open(engine, &[]).await;
        let shown = |method: Method, rest: &'static str, body: &'static str| {
            let yard = &yard;
            async move {
                let reply = yard.send(method, rest, &[SHOWN], body).await;
                assert!(reply.status.is_success(), "{rest}: {}", reply.body);
                reply.body
            }
        };
        let text = shown(Method::POST, "ship?select=name,port(name)&order=name", r#"[{"name": "Loon", "port_id": 1}, {"name": "Gull", "port_id": null}]"#).await;
        assert_eq!(text, r#"[{"name":"Gull","port":null},{"name":"Loon","port":{"name":"Oslo"}}]"#);
        let text = shown(Method::POST, "port?select=name,ship(name)", r#"[{"name": "Moss"}, {"name": "Ask"}]"#).await;
        assert_eq!(text, r#"[{"name":"Moss","ship":[]},{"name":"Ask","ship":[]}]"#);
        let text = shown(Method::PATCH, "port?id=eq.1&select=harbour:name,b:berths::text,ship(name,length)&ship.order=name.desc", r#"{"name": "Oslo S"}"#).await;
        assert_eq!(text, r#"[{"harbour":"Oslo S","b":"12","ship":[{"name":"Tern","length":12.50},{"name":"Loon","length":null}]}]"#);
        let text = shown(Method::PATCH, "ship?id=eq.1&select=id,papers->>flag,port(name)", r#"{"port_id": 2}"#).await;
        assert_eq!(text, r#"[{"id":1,"flag":"NO","port":{"name":"Bergen"}}]"#);
        let text = shown(Method::PUT, "ship?id=eq.50&select=name,...port(harbour:name)", r#"{"id": 50, "name": "Fifty", "port_id": 2}"#).await;
        assert_eq!(text, r#"[{"name":"Fifty","harbour":"Bergen"}]"#);
        let text = shown(Method::DELETE, "ship?id=in.(1,50)&select=name,port(name)&order=id.desc", "").await;
        assert_eq!(text, r#"[{"name":"Fifty","port":{"name":"Bergen"}},{"name":"Tern","port":{"name":"Bergen"}}]"#);
        assert_eq!(yard.read("ship?id=in.(1,50)").await, "[]");
        // Two columns tell rows of it apart.
        let text = shown(Method::POST, "stop?select=pier,day::text&order=day.desc", r#"[{"pier": "A", "day": "2024-07-01"}, {"pier": "A", "day": "2024-07-02"}]"#).await;
        assert_eq!(text, r#"[{"pier":"A","day":"2024-07-02"},{"pier":"A","day":"2024-07-01"}]"#);
        // Nothing that was written shows nothing.
        assert_eq!(shown(Method::PATCH, "port?id=eq.99&select=name,ship(name)", r#"{"berths": 1}"#).await, "[]");
        assert_eq!(shown(Method::PATCH, "port?id=eq.1&select=name,ship(name)", "{}").await, "[]");
        assert_eq!(shown(Method::POST, "port?select=name,ship(name)", "[]").await, "[]");
        // Rows that nothing tells apart cannot be read again.
        fault(yard.send(Method::POST, "log?select=level::text", &[SHOWN], r#"{"level": 1}"#).await, 400, "PGRST127");
        assert_eq!(yard.read("log").await, "[]");
        let many: Vec<_> = (0..1200).map(|at| json!({"name": format!("s{at}"), "port_id": 2})).collect();
        let reply = yard.send(Method::POST, "ship?select=name,port(id)", &[SHOWN], &Value::from(many).to_string()).await.expect(201).value();
        let rows = reply.as_array().unwrap();
        assert_eq!((rows.len(), &rows[0], &rows[1199]), (1200, &json!({"name": "s0", "port": {"id": 2}}), &json!({"name": "s1199", "port": {"id": 2}})));
    }
}
