//! Aggregates: exact sums and means, groups, within related rows, the same on every engine.

use serde_json::json;

use crate::support::app::TestApp;
use crate::support::engines::TestEngine;
use crate::support::rest::{ask, column, create_table, fault};

on_every_engine! {
    async fn sums_and_means_are_exact(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let db = app.gateway_database("sums").await;
        let needed = |name: &str, kind: &str| json!({"name": name, "type": kind, "nullable": false});
        create_table(&app, &db, &json!({"name": "kind", "columns": [needed("id", "int"), column("name", "varchar(9)")], "primary_key": ["id"]})).await;
        create_table(&app, &db, &json!({
            "name": "sale",
            "columns": [
                needed("id", "int"), column("kind", "int"), column("n", "bigint"), column("big", "bigint unsigned"), column("price", "decimal(20,2)"),
                column("weight", "double"), column("word", "varchar(9)"), column("day", "date"), column("doc", "json"),
            ],
            "primary_key": ["id"],
            "foreign_keys": [{"columns": ["kind"], "references": "kind", "referenced_columns": ["id"]}],
        })).await;
        let (admin, base) = (app.admin(), format!("/rest/{db}"));
        admin.post(&format!("{base}/kind"), &json!([{"id": 1, "name": "a"}, {"id": 2, "name": "B"}, {"id": 3, "name": "c"}])).await.expect(201);
        let max = i64::MAX;
        admin.post(&format!("{base}/sale"), &json!([
            {"id": 1, "kind": 1, "n": max, "big": 18_446_744_073_709_551_615_u64, "price": "0.10", "weight": 0.5, "word": "b", "day": "2024-01-02", "doc": {"n": 1, "w": "x"}},
            {"id": 2, "kind": 1, "n": max, "big": 1, "price": "0.20", "weight": 1, "word": "B", "day": null, "doc": {"n": 2.5, "w": "x"}},
            {"id": 3, "kind": 2, "n": -1, "big": null, "price": "999999999999999999.99", "weight": null, "word": "a", "day": "2023-12-31", "doc": {"n": null}},
            {"id": 4, "kind": null, "n": null, "big": null, "price": null, "weight": null, "word": null, "day": null, "doc": null},
        ])).await.expect(201);
        for (table, query, expected) in [
            ("sale", vec![("select", "all:count(),some:n.count(),sum:n.sum(),max:n.max()")], r#"[{"all":4,"some":3,"sum":18446744073709551613,"max":9223372036854775807}]"#),
            ("sale", vec![("select", "b:big.sum(),p:price.sum(),w:weight.sum()")], r#"[{"b":18446744073709551616,"p":1000000000000000000.29,"w":1.5}]"#),
            ("sale", vec![("select", "m:price.avg(),w:weight.avg(),b:big.avg()"), ("kind", "eq.1")], r#"[{"m":0.15,"w":0.75,"b":9223372036854775808}]"#),
            ("sale", vec![("select", "m:id.avg()"), ("id", "neq.3")], r#"[{"m":2.3333333333333333}]"#),
            ("sale", vec![("select", "m:n.avg(),s:price.sum()"), ("id", "gt.9")], r#"[{"m":null,"s":null}]"#),
            ("sale", vec![("select", "least:word.min(),most:word.max(),first:day.min(),last:day.max(),p:price.max()")], r#"[{"least":"B","most":"b","first":"2023-12-31","last":"2024-01-02","p":999999999999999999.99}]"#),
            // Groups, by text as by code point, and by a related row.
            ("sale", vec![("select", "kind,n:count()"), ("order", "kind")], r#"[{"kind":1,"n":2},{"kind":2,"n":1},{"kind":null,"n":1}]"#),
            ("sale", vec![("select", "word,n:count()"), ("word", "not.is.null"), ("order", "word.desc")], r#"[{"word":"b","n":1},{"word":"a","n":1},{"word":"B","n":1}]"#),
            ("sale", vec![("select", "kind(name),p:price.sum()"), ("kind", "not.is.null"), ("order", "kind(name)")], r#"[{"kind":{"name":"B"},"p":999999999999999999.99},{"kind":{"name":"a"},"p":0.30}]"#),
            ("sale", vec![("select", "doc->>w,n:count()"), ("order", "doc->>w")], r#"[{"w":"x","n":2},{"w":null,"n":2}]"#),
            // Casts before and after.
            ("sale", vec![("select", "s:doc->n::numeric.sum(),t:id.sum()::text,i:id.avg()::int")], r#"[{"s":3.5,"t":"10","i":3}]"#),
            // Within related rows, also where there are none.
            ("kind", vec![("select", "name,sale(s:n.sum(),c:count())"), ("order", "id")], r#"[{"name":"a","sale":[{"s":18446744073709551614,"c":2}]},{"name":"B","sale":[{"s":-1,"c":1}]},{"name":"c","sale":[{"s":null,"c":0}]}]"#),
            ("kind", vec![("select", "id,sale(word,p:price.sum())"), ("sale.order", "word"), ("order", "id"), ("limit", "2")], r#"[{"id":1,"sale":[{"word":"B","p":0.20},{"word":"b","p":0.10}]},{"id":2,"sale":[{"word":"a","p":999999999999999999.99}]}]"#),
        ] {
            let reply = ask(&admin, &format!("{base}/{table}"), &query).await.expect(200);
            assert_eq!(reply.body, expected, "{query:?}");
        }
        let counted = admin.request(reqwest::Method::GET, &format!("{base}/sale")).header("prefer", "count=exact").query(&[("select", "kind,n:count()"), ("order", "kind"), ("limit", "1")]);
        let reply = crate::support::client::Reply::of(counted).await.expect(206);
        assert_eq!((reply.header("content-range"), reply.body.as_str()), ("0-0/3", r#"[{"kind":1,"n":2}]"#));
        for (query, code) in [("word.sum()", "42883"), ("doc.max()", "42883")] {
            fault(ask(&admin, &format!("{base}/sale"), &[("select", query)]).await, 400, code);
        }
    }
}
