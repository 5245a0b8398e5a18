//! Inserts, and rows that meet those that are there: `POST` and `PUT` with what they prefer.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::Reply;
use crate::support::engines::TestEngine;
use crate::support::rest::{Yard, fault};

const SHOWN: (&str, &str) = ("prefer", "return=representation");

/// Asserts that an answer has no body and says so.
#[track_caller]
fn empty(reply: &Reply) {
    assert_eq!(reply.body, "");
    assert_eq!(reply.header("content-length"), "0");
    assert_eq!(reply.header("content-type"), "");
}

on_every_engine! {
    async fn an_insert_says_where_the_new_row_is(engine: TestEngine) {
        let yard = Yard::open(engine, &[]).await;
        let post = |table: &'static str, headers: &'static [(&'static str, &'static str)], body: &'static str| {
            let yard = &yard;
            async move { yard.send(Method::POST, table, headers, body).await.expect(201) }
        };
        let located = &[("prefer", "return=headers-only, count=exact")];
        let reply = post("port", located, r#"{"name": "Moss"}"#).await;
        empty(&reply);
        assert_eq!(reply.header("location"), format!("/rest/{}/port?id=eq.3", yard.db));
        assert_eq!(reply.header("content-range"), "*/1");
        assert_eq!(reply.header("preference-applied"), "return=headers-only, count=exact");
        assert_eq!(yard.admin.get(reply.header("location")).await.expect(200).value(), json!([{"id": 3, "name": "Moss", "berths": 3, "opened": null}]));
        let reply = post("stop", located, r#"{"day": "2024-07-02", "pier": "a b&c=ü"}"#).await;
        assert_eq!(reply.header("location"), format!("/rest/{}/stop?pier=eq.a%20b%26c%3D%C3%BC&day=eq.2024-07-02", yard.db));
        assert_eq!(yard.admin.get(reply.header("location")).await.expect(200).value(), json!([{"pier": "a b&c=ü", "day": "2024-07-02", "note": "none"}]));
        // Several rows are in no one place, and without a key there is none.
        assert_eq!(post("port", located, r#"[{"name": "Horten"}, {"name": "Larvik"}]"#).await.header("location"), "");
        let reply = post("log", located, r#"{"line": "x"}"#).await;
        empty(&reply);
        assert_eq!((reply.header("location"), reply.header("content-range")), ("", "*/1"));
        for prefer in ["", "return=minimal"] {
            let reply = yard.send(Method::POST, "log", &[("prefer", prefer)], r#"{"line": "y"}"#).await.expect(201);
            empty(&reply);
            assert_eq!((reply.header("content-range"), reply.header("preference-applied"), reply.header("location")), ("*/*", prefer, ""));
        }
    }

    async fn rows_come_in_many_forms(engine: TestEngine) {
        let yard = Yard::open(engine, &[]).await;
        let form = [("content-type", "application/x-www-form-urlencoded"), SHOWN];
        let reply = yard.send(Method::POST, "port?select=name,berths,opened", &form, "name=Nes+%C3%98y&berths=4&opened=2024-07-01T00%3A00%3A00Z").await.expect(201);
        assert_eq!(reply.value(), json!([{"name": "Nes Øy", "berths": 4, "opened": "2024-07-01T00:00:00+00:00"}]));
        fault(yard.send(Method::POST, "port", &form, "name=x&berths=many").await, 400, "22P02");
        fault(yard.send(Method::POST, "port", &form, "nome=x").await, 400, "PGRST204");

        // Rows of defaults alone.
        let reply = yard.send(Method::POST, "log", &[SHOWN], "{}").await.expect(201);
        assert_eq!(reply.value(), json!([{"line": null, "level": null}]));
        let reply = yard.send(Method::POST, "log", &[SHOWN], "[{},{}]").await.expect(201);
        assert_eq!(reply.value(), json!([{"line": null, "level": null}, {"line": null, "level": null}]));
        // Without a key a new row is not taken for an older one that is like it in part.
        yard.send(Method::POST, "log", &[], r#"{"line": "older", "level": 7}"#).await.expect(201);
        let reply = yard.send(Method::POST, "log", &[SHOWN], r#"{"level": 7}"#).await.expect(201);
        assert_eq!(reply.value(), json!([{"line": null, "level": 7}]));
        let reply = yard.send(Method::POST, "log", &[SHOWN], "[]").await.expect(201);
        assert_eq!((reply.body.as_str(), reply.header("content-range")), ("[]", "*/*"));
        empty(&yard.send(Method::POST, "log", &[], "[]").await.expect(201));

        // Listed columns: others are passed over, absent ones are null or their default.
        let rows = r#"[{"name": "a", "berths": 1, "x": 1}, {"name": "b"}]"#;
        let query = "port?columns=name,berths&select=name,berths&order=name.desc";
        fault(yard.send(Method::POST, query, &[SHOWN], rows).await, 400, "23502");
        let reply = yard.send(Method::POST, query, &[("prefer", "missing=default, return=representation")], rows).await.expect(201);
        assert_eq!(reply.value(), json!([{"name": "b", "berths": 3}, {"name": "a", "berths": 1}]));
        assert_eq!(reply.header("preference-applied"), "missing=default, return=representation");
        let quoted = "stop?columns=%22day%22,%22pier%22,note&select=note";
        let rows = r#"[{"pier": "p", "day": "2024-01-01"}, {"pier": "q", "day": "2024-01-01", "note": "n"}]"#;
        let reply = yard.send(Method::POST, quoted, &[("prefer", "missing=null, return=representation")], rows).await.expect(201);
        assert_eq!(reply.value(), json!([{"note": null}, {"note": "n"}]));
    }

    async fn new_rows_merge_with_those_that_are_there(engine: TestEngine) {
        let yard = Yard::open(engine, &[]).await;
        let post = |rest: &'static str, prefer: &'static str, body: Value| {
            let yard = &yard;
            async move { yard.send(Method::POST, rest, &[("prefer", prefer)], &body.to_string()).await }
        };
        const MERGE: &str = "resolution=merge-duplicates, return=representation, count=exact";
        // Only what is named changes, and the rows stand in the order of the body.
        let rows = json!([{"id": 2, "name": "Bryggen"}, {"id": 9, "name": "Stad"}, {"id": 1, "name": "Oslo S"}]);
        let reply = post("port?select=id,name,berths", MERGE, rows.clone()).await.expect(201);
        assert_eq!(reply.value(), json!([{"id": 2, "name": "Bryggen", "berths": 7}, {"id": 9, "name": "Stad", "berths": 3}, {"id": 1, "name": "Oslo S", "berths": 12}]));
        assert_eq!((reply.header("content-range"), reply.header("preference-applied")), ("*/3", MERGE));
        // All of them were there.
        let reply = post("port?select=id", MERGE, rows).await.expect(200);
        assert_eq!(reply.value(), json!([{"id": 2}, {"id": 9}, {"id": 1}]));
        empty(&post("port", "resolution=merge-duplicates", json!({"id": 9, "name": "Stad"})).await.expect(200));
        empty(&post("port", "resolution=merge-duplicates", json!({"id": 10, "name": "Ten"})).await.expect(201));
        // By another key; the row keeps what is not named, and its place.
        let reply = post("port?on_conflict=name&select=id,name,berths", MERGE, json!([{"name": "Stad", "berths": 1}, {"name": "New", "berths": 2}])).await.expect(201);
        let ids = reply.value();
        assert_eq!((&ids[0], &ids[1]["name"]), (&json!({"id": 9, "name": "Stad", "berths": 1}), &json!("New")));
        // The key of a row may change by it.
        let reply = post("port?on_conflict=name&select=id,name", MERGE, json!({"id": 90, "name": "Stad"})).await.expect(200);
        assert_eq!(reply.value(), json!([{"id": 90, "name": "Stad"}]));
        // A key of two columns, and nothing but the key.
        let reply = post("stop", MERGE, json!([{"pier": "A", "day": "2024-07-01"}, {"pier": "A", "day": "2024-07-02"}])).await.expect(201);
        assert_eq!(reply.value(), json!([{"pier": "A", "day": "2024-07-01", "note": "none"}, {"pier": "A", "day": "2024-07-02", "note": "none"}]));
        let reply = post("stop?on_conflict=day,pier", MERGE, json!([{"pier": "A", "day": "2024-07-02"}])).await.expect(200);
        assert_eq!(reply.value(), json!([{"pier": "A", "day": "2024-07-02", "note": "none"}]));
        post("stop", MERGE, json!([{"pier": "a", "day": "2024-07-02", "note": "small"}])).await.expect(201);
        assert_eq!(yard.read("stop?select=pier,note&day=eq.2024-07-02&order=pier").await, r#"[{"pier":"A","note":"none"},{"pier":"a","note":"small"}]"#);

        // A conflict with another key than the one named changes nothing.
        let before = yard.read("port?order=id").await;
        fault(post("port", MERGE, json!([{"id": 55, "name": "x"}, {"id": 2, "name": "Oslo S"}])).await, 409, "23505");
        fault(post("port", MERGE, json!([{"id": 77, "name": "Oslo S", "berths": 99}])).await, 409, "23505");
        fault(post("port?on_conflict=name", MERGE, json!([{"id": 1, "name": "Stad", "berths": 99}])).await, 409, "23505");
        // One row cannot be merged into twice.
        fault(post("port", MERGE, json!([{"id": 2, "name": "x"}, {"id": 2, "name": "y"}])).await, 400, "21000");
        for query in ["port?on_conflict=berths", "port?on_conflict=id,name", "log?on_conflict=line"] {
            fault(post(query, MERGE, json!({"line": "x"})).await, 400, if query.starts_with("log") { "42P10" } else { "PGRST204" });
        }
        fault(post("port?on_conflict=berths", MERGE, json!({"name": "x"})).await, 400, "42P10");
        fault(post("port?on_conflict=nome", MERGE, json!({"name": "x"})).await, 400, "42703");
        assert_eq!(yard.read("port?order=id").await, before);

        // Without a key there is nothing to meet.
        let reply = post("log", MERGE, json!({"line": "once"})).await.expect(201);
        assert_eq!(reply.header("preference-applied"), "return=representation, count=exact");
        // What a row does not name gets its default, also where the row was there.
        let rows = json!([{"pier": "A", "day": "2024-07-01", "note": "kept"}, {"pier": "B", "day": "2024-07-01"}]);
        post("stop", MERGE, json!([{"pier": "B", "day": "2024-07-01", "note": "gone"}])).await.expect(201);
        let reply = post("stop?columns=pier,day,note&select=pier,note", "resolution=merge-duplicates, missing=default, return=representation", rows).await.expect(200);
        assert_eq!(reply.value(), json!([{"pier": "A", "note": "kept"}, {"pier": "B", "note": "none"}]));
        // As CSV.
        let csv = [("content-type", "text/csv"), ("prefer", "resolution=merge-duplicates, count=exact")];
        let reply = yard.send(Method::POST, "stop", &csv, "pier,day,note\nA,2024-07-01,csv\nC,2024-07-01,new\n").await.expect(201);
        assert_eq!(reply.header("content-range"), "*/2");
        assert_eq!(yard.read("stop?select=note&day=eq.2024-07-01&order=pier").await, r#"[{"note":"csv"},{"note":"none"},{"note":"new"}]"#);
    }

    async fn new_rows_may_be_dropped_where_there_are_such(engine: TestEngine) {
        let yard = Yard::open(engine, &[]).await;
        let post = |rest: &'static str, body: Value| {
            let yard = &yard;
            let prefer = [("prefer", "return=representation,count=exact,resolution=ignore-duplicates")];
            async move { yard.send(Method::POST, rest, &prefer, &body.to_string()).await }
        };
        let reply = post("port?select=id,name", json!([{"id": 1, "name": "x"}, {"id": 5, "name": "Five"}, {"id": 5, "name": "Again"}])).await.expect(201);
        assert_eq!(reply.value(), json!([{"id": 5, "name": "Five"}]));
        assert_eq!((reply.header("content-range"), reply.header("preference-applied")), ("*/1", "resolution=ignore-duplicates, return=representation, count=exact"));
        let reply = post("port", json!([{"id": 1, "name": "x"}])).await.expect(201);
        assert_eq!((reply.body.as_str(), reply.header("content-range")), ("[]", "*/0"));
        let reply = post("port?on_conflict=name&select=name", json!([{"name": "Oslo"}, {"name": "Moss"}])).await.expect(201);
        assert_eq!(reply.value(), json!([{"name": "Moss"}]));
        // Another key that is there is a fault as ever, and so is all else that is wrong.
        fault(post("port", json!([{"id": 66, "name": "Oslo"}])).await, 409, "23505");
        fault(post("ship", json!([{"id": 66, "name": "x", "port_id": 99}])).await, 409, "23503");
        assert_eq!(yard.read("port?select=name&order=id&id=lt.6").await, r#"[{"name":"Oslo"},{"name":"Bergen"},{"name":"Five"}]"#);
    }

    async fn thousands_of_rows_meet_as_many(engine: TestEngine) {
        let yard = Yard::open(engine, &[]).await;
        let rows = |from: usize, to: usize, note: &str| {
            let rows: Vec<_> = (from..to).map(|at| json!({"pier": format!("p{at}"), "day": "2024-01-01", "note": note})).collect();
            Value::from(rows).to_string()
        };
        yard.send(Method::POST, "stop", &[], &rows(0, 1500, "old")).await.expect(201);
        let merge = [("prefer", "resolution=merge-duplicates, count=exact")];
        let reply = yard.send(Method::POST, "stop", &merge, &rows(1000, 2500, "new")).await.expect(201);
        assert_eq!(reply.header("content-range"), "*/1500");
        for (query, count) in [("note=eq.old", "0-999/1000"), ("note=eq.new", "0-1499/1500")] {
            let reply = yard.send(Method::GET, &format!("stop?{query}"), &[("prefer", "count=exact")], "").await.expect(200);
            assert_eq!(reply.header("content-range"), count);
        }
        let ignore = [("prefer", "resolution=ignore-duplicates, count=exact")];
        let reply = yard.send(Method::POST, "stop", &ignore, &rows(0, 2600, "late")).await.expect(201);
        assert_eq!(reply.header("content-range"), "*/100");
    }

    async fn a_put_stores_one_row_under_its_key(engine: TestEngine) {
        let yard = Yard::open(engine, &[]).await;
        let put = |rest: &'static str, prefer: &'static str, body: &'static str| {
            let yard = &yard;
            async move { yard.send(Method::PUT, rest, &[("prefer", prefer)], body).await }
        };
        let reply = put("port?id=eq.7&select=id,name", "return=representation", r#"{"id": 7, "name": "Seven", "berths": 1}"#).await.expect(201);
        assert_eq!((reply.body.as_str(), reply.header("preference-applied")), (r#"[{"id":7,"name":"Seven"}]"#, "return=representation"));
        let reply = put("port?id=eq.7", "return=representation", r#"[{"id": 7, "name": "Siv"}]"#).await.expect(200);
        assert_eq!(reply.value(), json!([{"id": 7, "name": "Siv", "berths": 1, "opened": null}]));
        let reply = put("port?id=eq.7", "", r#"{"id": 7, "name": "Seven"}"#).await.expect(204);
        assert_eq!((reply.body.as_str(), reply.header("content-type"), reply.header("content-range")), ("", "", ""));
        put("port?id=eq.8", "return=minimal", r#"{"id": 8, "name": "Eight"}"#).await.expect(204);
        put("stop?day=eq.2024-07-01&pier=eq.A", "", r#"{"pier": "A", "day": "2024-07-01"}"#).await.expect(204);
        let single = [("accept", "application/vnd.pgrst.object+json"), SHOWN];
        let reply = yard.send(Method::PUT, "stop?day=eq.2024-07-01&pier=eq.A", &single, r#"{"pier": "A", "day": "2024-07-01", "note": "x"}"#).await.expect(200);
        assert_eq!(reply.body, r#"{"pier":"A","day":"2024-07-01","note":"x"}"#);

        let row = r#"{"id": 9, "name": "Nine"}"#;
        for query in ["port", "port?name=eq.Nine", "port?id=gt.8", "port?id=not.eq.9", "port?id=eq.9&name=eq.Nine", "port?id=in.(9)", "port?and=(id.eq.9)", "port?id=eq.9&or=(id.eq.9)"] {
            let error = fault(put(query, "", row).await, 405, "PGRST105");
            assert_eq!(error["message"], "Filters must include all and only primary key columns with 'eq' operators");
        }
        fault(put("log?line=eq.x", "", r#"{"line": "x"}"#).await, 405, "PGRST105");
        fault(put("stop?pier=eq.A", "", r#"{"pier": "A", "day": "2024-07-01"}"#).await, 405, "PGRST105");
        for query in ["port?id=eq.9&limit=1", "port?id=eq.9&offset=1"] {
            fault(put(query, "", row).await, 400, "PGRST114");
        }
        for body in [r#"{"id": 10, "name": "Ten"}"#, r#"{"name": "Ten"}"#, r#"{"id": null, "name": "Ten"}"#] {
            let error = fault(put("port?id=eq.9", "", body).await, 400, "PGRST115");
            assert_eq!(error["message"], "Payload values do not match URL in primary key column(s)");
        }
        fault(put("port?id=eq.9", "", "[]").await, 400, "PGRST102");
        fault(put("port?id=eq.9", "", r#"[{"id": 9, "name": "a"}, {"id": 9, "name": "b"}]"#).await, 400, "PGRST102");
        fault(put("port?id=eq.9", "", r#"{"id": 9, "name": "Oslo"}"#).await, 409, "23505");
        assert_eq!(yard.read("port?select=id&order=id").await, r#"[{"id":1},{"id":2},{"id":7},{"id":8}]"#);
    }

    async fn an_insert_that_may_be_repeated_meets_rows_once(engine: TestEngine) {
        let yard = Yard::open(engine, &[]).await;
        let headers = [("prefer", "resolution=merge-duplicates, return=headers-only"), ("idempotency-key", "k-1")];
        let first = yard.send(Method::POST, "port", &headers, r#"{"id": 40, "name": "Forty"}"#).await.expect(201);
        assert_eq!(first.header("location"), format!("/rest/{}/port?id=eq.40", yard.db));
        yard.send(Method::DELETE, "port?id=eq.40", &[], "").await.expect(204);
        let again = yard.send(Method::POST, "port", &headers, r#"{"id": 40, "name": "Forty"}"#).await.expect(201);
        for name in ["location", "preference-applied", "content-range"] {
            assert_eq!(again.header(name), first.header(name), "{name}");
        }
        assert_eq!(yard.read("port?id=eq.40").await, "[]");
        // What was undone was not carried out, and may be sent again.
        let undone = [("prefer", "tx=rollback, return=representation"), ("idempotency-key", "k-2")];
        for _ in 0..2 {
            let reply = yard.send(Method::POST, "port?select=name", &undone, r#"{"name": "Never"}"#).await.expect(201);
            assert_eq!(reply.body, r#"[{"name":"Never"}]"#);
        }
        assert_eq!(yard.read("port?name=eq.Never").await, "[]");
    }
}
