//! Forms of answers: one object, nulls left out, CSV, and which of them is chosen.

use reqwest::Method;
use serde_json::json;

use crate::support::engines::TestEngine;
use crate::support::rest::{Yard, fault};

const OBJECT: (&str, &str) = ("accept", "application/vnd.pgrst.object+json");
const SHOWN: (&str, &str) = ("prefer", "return=representation");

on_every_engine! {
    async fn one_row_may_be_asked_for_as_an_object(engine: TestEngine) {
        let yard = Yard::open(engine, &[]).await;
        for accept in [OBJECT, ("accept", "application/vnd.pgrst.object"), ("accept", "text/html, application/vnd.pgrst.object+json;q=0.9, application/json;q=0.1")] {
            let reply = yard.send(Method::GET, "port?id=eq.2", &[accept], "").await.expect(200);
            assert_eq!(reply.body, r#"{"id":2,"name":"Bergen","berths":7,"opened":null}"#);
            assert_eq!((reply.header("content-type"), reply.header("content-range")), ("application/vnd.pgrst.object+json; charset=utf-8", "0-0/*"));
        }
        let reply = yard.send(Method::GET, "port?order=id.desc&limit=1", &[OBJECT, ("prefer", "count=exact")], "").await.expect(206);
        assert_eq!((reply.body.as_str(), reply.header("content-range")), (r#"{"id":2,"name":"Bergen","berths":7,"opened":null}"#, "0-0/2"));
        let reply = yard.send(Method::HEAD, "port?id=eq.2", &[OBJECT], "").await.expect(200);
        assert_eq!((reply.body.as_str(), reply.header("content-type")), ("", "application/vnd.pgrst.object+json; charset=utf-8"));
        for (query, details) in [("port", "The result contains 2 rows"), ("port?id=eq.99", "The result contains 0 rows"), ("ship?limit=2", "The result contains 2 rows")] {
            let error = fault(yard.send(Method::GET, query, &[OBJECT], "").await, 406, "PGRST116");
            assert_eq!((&error["message"], &error["details"]), (&json!("Cannot coerce the result to a single JSON object"), &json!(details)));
            yard.send(Method::HEAD, query, &[OBJECT], "").await.expect(406);
        }
    }

    async fn a_write_that_is_not_of_one_row_leaves_nothing(engine: TestEngine) {
        let yard = Yard::open(engine, &[]).await;
        let one = |method: Method, rest: &'static str, shown: bool, body: &'static str| {
            let yard = &yard;
            async move {
                let headers = if shown { vec![OBJECT, SHOWN] } else { vec![OBJECT] };
                yard.send(method, rest, &headers, body).await
            }
        };
        let before = (yard.read("port?order=id").await, yard.read("ship?order=id").await);
        for shown in [true, false] {
            for (method, rest, body, rows) in [
                (Method::POST, "port", r#"[{"name": "a"}, {"name": "b"}]"#, 2),
                (Method::POST, "port", "[]", 0),
                (Method::PATCH, "ship?id=lt.3", r#"{"length": 1}"#, 2),
                (Method::PATCH, "ship?id=eq.99", r#"{"length": 1}"#, 0),
                (Method::PATCH, "ship?id=eq.1", "{}", 0),
                (Method::DELETE, "ship?id=gt.0", "", 3),
                (Method::DELETE, "ship?id=eq.99", "", 0),
            ] {
                let error = fault(one(method, rest, shown, body).await, 406, "PGRST116");
                assert_eq!(error["details"], format!("The result contains {rows} rows"));
            }
        }
        assert_eq!((yard.read("port?order=id").await, yard.read("ship?order=id").await), before);
        let reply = one(Method::POST, "port?select=name,berths", true, r#"[{"name": "Moss"}]"#).await.expect(201);
        assert_eq!((reply.body.as_str(), reply.header("content-type")), (r#"{"name":"Moss","berths":3}"#, "application/vnd.pgrst.object+json; charset=utf-8"));
        let reply = one(Method::PATCH, "ship?id=eq.3&select=id,length", true, r#"{"length": 1}"#).await.expect(200);
        assert_eq!((reply.body.as_str(), reply.header("content-range")), (r#"{"id":3,"length":1.00}"#, "0-0/*"));
        let reply = one(Method::DELETE, "ship?id=eq.3&select=name", true, "").await.expect(200);
        assert_eq!(reply.body, r#"{"name":"Auk"}"#);
        assert_eq!(one(Method::POST, "log", false, r#"{"level": 1}"#).await.expect(201).body, "");
        one(Method::PATCH, "log?level=eq.1", false, r#"{"level": 2}"#).await.expect(204);
        one(Method::DELETE, "log?level=eq.2", false, "").await.expect(204);
    }

    async fn nulls_may_be_left_out(engine: TestEngine) {
        let yard = Yard::open(engine, &[]).await;
        let list = ("accept", "application/vnd.pgrst.array+json;nulls=stripped");
        let object = ("accept", "application/vnd.pgrst.object+json;nulls=stripped");
        let reply = yard.send(Method::GET, "ship?order=id", &[list], "").await.expect(200);
        assert_eq!(reply.body, r#"[{"id":1,"name":"Tern","port_id":1,"length":12.50,"papers":{"flag":"NO"}},{"id":2,"name":"Quill","port_id":2},{"id":3,"name":"Auk","length":30.00}]"#);
        assert_eq!(reply.header("content-type"), "application/vnd.pgrst.array+json;nulls=stripped; charset=utf-8");
        assert_eq!(yard.send(Method::GET, "ship?id=eq.99", &[list], "").await.expect(200).body, "[]");
        assert_eq!(yard.send(Method::GET, "ship?select=length&id=eq.2", &[list], "").await.expect(200).body, "[{}]");
        let reply = yard.send(Method::GET, "ship?id=eq.2", &[object], "").await.expect(200);
        assert_eq!((reply.body.as_str(), reply.header("content-type")), (r#"{"id":2,"name":"Quill","port_id":2}"#, "application/vnd.pgrst.object+json;nulls=stripped; charset=utf-8"));
        fault(yard.send(Method::GET, "ship", &[object], "").await, 406, "PGRST116");
        let reply = yard.send(Method::PATCH, "ship?id=eq.2", &[object, SHOWN], r#"{"port_id": null}"#).await.expect(200);
        assert_eq!(reply.body, r#"{"id":2,"name":"Quill"}"#);
        let reply = yard.send(Method::POST, "log", &[list, SHOWN], r#"[{"level": 1}, {"level": null}]"#).await.expect(201);
        assert_eq!(reply.body, r#"[{"level":1},{}]"#);
        // Without the word nulls stay.
        let reply = yard.send(Method::GET, "log?order=level", &[("accept", "application/vnd.pgrst.array+json")], "").await.expect(200);
        assert_eq!((reply.body.as_str(), reply.header("content-type")), (r#"[{"line":null,"level":1},{"line":null,"level":null}]"#, "application/json; charset=utf-8"));
    }

    async fn what_is_not_offered_is_refused(engine: TestEngine) {
        let yard = Yard::open(engine, &[]).await;
        for accept in ["text/html", "application/json;q=0", "application/vnd.pgrst.object+json;nulls=kept", "application/vnd.pgrst.unknown+json", "text/csv;nulls=stripped"] {
            for (method, rest, body) in [(Method::GET, "port", ""), (Method::POST, "port", r#"{"name": "x"}"#), (Method::PATCH, "port?id=eq.1", r#"{"name": "x"}"#), (Method::DELETE, "port?id=eq.1", "")] {
                let error = fault(yard.send(method, rest, &[("accept", accept)], body).await, 406, "PGRST107");
                assert_eq!(error["message"], format!("None of these media types are available: {accept}"));
            }
        }
        let csv = [("accept", "text/csv, application/json;q=0.9"), SHOWN];
        let reply = yard.send(Method::PATCH, "ship?id=lt.3&order=id", &csv, r#"{"name": "a,\"b\""}"#).await.expect(200);
        assert_eq!(reply.header("content-type"), "text/csv; charset=utf-8");
        assert_eq!(reply.body.split_once('\n').map(|(header, rows)| (header, rows.matches("\"a,\"\"b\"\"\"").count())), Some(("id,name,port_id,length,papers", 2)));
        assert_eq!(yard.read("port?select=name&order=id").await, r#"[{"name":"Oslo"},{"name":"Bergen"}]"#);
    }
}
