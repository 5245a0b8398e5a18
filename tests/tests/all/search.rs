//! Regular expressions and words in texts: the same texts are found on every engine.

use serde_json::json;

use crate::support::app::TestApp;
use crate::support::engines::TestEngine;
use crate::support::rest::{ask, column, create_table, fault, ids};

on_every_engine! {
    async fn texts_are_searched_alike(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let db = app.gateway_database("texts").await;
        create_table(&app, &db, &json!({"name": "note", "columns": [{"name": "id", "type": "int", "nullable": false}, column("t", "text"), column("e", "enum('Red','blue')")], "primary_key": ["id"]})).await;
        let (admin, path) = (app.admin(), format!("/rest/{db}/note"));
        admin.post(&path, &json!([
            {"id": 1, "t": "The Quick brown fox", "e": "Red"},
            {"id": 2, "t": "quick-brown, foxes!", "e": "blue"},
            {"id": 3, "t": "Éclair und Straße\nzweite Zeile", "e": null},
            {"id": 4, "t": "brown quick 🙂 42", "e": "Red"},
            {"id": 5, "t": "", "e": null},
            {"id": 6, "t": null, "e": null},
        ])).await.expect(201);
        for (filter, expected) in [
            (("t", "match.^The"), vec![1]),
            (("t", "match.quick"), vec![2, 4]),
            (("t", "imatch.^QUICK"), vec![2]),
            (("t", "imatch.éCLAIR"), vec![3]),
            (("t", "match.[0-9]+"), vec![4]),
            (("t", "match.Stra.e"), vec![3]),
            (("t", "match.quick .{1} 42"), vec![4]),
            (("t", "match.(a|b)rown"), vec![1, 2, 4]),
            (("t", "match.\\bfox\\b"), vec![1]),
            (("t", "not.match.quick"), vec![1, 3, 5]),
            (("e", "match.^R"), vec![1, 4]),
            (("e", "imatch.B"), vec![2]),
            (("t", "match(any).{^The,42$}"), vec![1, 4]),
            (("t", "fts.quick"), vec![1, 2, 4]),
            (("t", "fts.fox"), vec![1]),
            (("t", "fts.fox:*"), vec![1, 2]),
            (("t", "fts.quick&!fox"), vec![2, 4]),
            (("t", "fts.fox|42"), vec![1, 4]),
            (("t", "plfts.brown quick"), vec![1, 2, 4]),
            (("t", "phfts.quick brown"), vec![1, 2]),
            (("t", "wfts.\"quick brown\" -foxes"), vec![1]),
            (("t", "wfts.fox or éclair"), vec![1, 3]),
            (("t", "fts(german).straße"), vec![3]),
            (("t", "not.fts.quick"), vec![3, 5]),
        ] {
            assert_eq!(ids(&admin, &path, &[filter, ("order", "id")]).await, expected, "{filter:?}");
        }
    }
}

on_every_engine! {
    async fn a_search_has_its_measure(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let db = app.gateway_database("measure").await;
        create_table(&app, &db, &json!({"name": "note", "columns": [{"name": "id", "type": "int", "nullable": false}, column("t", "text"), column("d", "json")], "primary_key": ["id"]})).await;
        let (admin, path) = (app.admin(), format!("/rest/{db}/note"));
        admin.post(&path, &json!([{"id": 1, "t": "a b", "d": {"a": 1}}, {"id": 2, "t": "c", "d": {"a": 2}}])).await.expect(201);
        let list = |one: &str, times: usize, between: &str| vec![one; times].join(between);
        let all = |word: &str, times: usize| format!("{word}.{}", list("a", times, " "));
        for (column, filter) in [
            ("t", format!("match(any).{{{}}}", list("a", 32, ","))),
            ("t", all("plfts", 100)),
            ("t", format!("fts.{}", list("a", 100, "|"))),
            ("t", format!("ilike.a{}", list("*", 1_999, ""))),
            ("d->a", format!("in.({})", list("1", 1_500, ","))),
        ] {
            assert_eq!(ids(&admin, &path, &[(column, &filter)]).await, [1], "{column} {filter:.20}");
        }
        for (column, filter) in [("t", all("phfts", 100)), ("t", format!("ilike.{}", list("_", 2_000, "")))] {
            assert!(ids(&admin, &path, &[(column, &filter)]).await.is_empty(), "{filter:.20}");
        }
        for (filter, code) in [
            (format!("match(any).{{{}}}", list("a", 33, ",")), "PGRST100"),
            (format!("match(any).{{{}}}", list("\"\\\\w{20}\"", 32, ",")), "2201B"),
            (all("plfts", 101), "PGRST100"),
            (all("phfts", 101), "PGRST100"),
            (format!("ilike.{}", list("_", 2_001, "")), "PGRST100"),
        ] {
            fault(ask(&admin, &path, &[("t", &filter)]).await, 400, code);
        }
    }
}
