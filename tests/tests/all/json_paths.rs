//! Places in JSON documents: shown, compared, sorted by; containment; casts of what is there.

use serde_json::json;

use crate::support::app::TestApp;
use crate::support::engines::TestEngine;
use crate::support::rest::{ask, column, create_table, fault, ids};

on_every_engine! {
    async fn documents_are_read_inside(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let db = app.gateway_database("docs").await;
        create_table(&app, &db, &json!({"name": "doc", "columns": [{"name": "id", "type": "int", "nullable": false}, column("d", "json"), column("t", "varchar(30)")], "primary_key": ["id"]})).await;
        let (admin, path) = (app.admin(), format!("/rest/{db}/doc"));
        admin.post(&path, &json!([
            {"id": 1, "d": {"a": 10, "b": {"c": ["x", "y"]}, "k\"q'\\ é": true}, "t": "12"},
            {"id": 2, "d": {"a": 9.5, "b": {"c": []}, "0": "zero"}, "t": "1.5"},
            {"id": 3, "d": {"a": "10", "b": null}, "t": "true"},
            {"id": 4, "d": [1, [2, 3], {"a": false}], "t": "2024-02-03"},
            {"id": 5, "d": "text", "t": null},
            {"id": 6, "d": null, "t": "x"},
        ])).await.expect(201);
        let odd = r#"v:d->>"k\"q'\\ é""#;
        for (query, expected) in [
            (vec![("select", "id,d->a"), ("id", "lt.5")], r#"[{"id":1,"a":10},{"id":2,"a":9.5},{"id":3,"a":"10"},{"id":4,"a":null}]"#),
            (vec![("select", "d->>a,c:d->b->c->>1"), ("id", "lt.4")], r#"[{"a":"10","c":"y"},{"a":"9.5","c":null},{"a":"10","c":null}]"#),
            // Of the end; of what is no array; of what is no object.
            (vec![("select", "one:d->0,last:d->-1,deep:d->1->>1,none:d->7"), ("id", "in.(2,4,5)")], r#"[{"one":null,"last":null,"deep":null,"none":null},{"one":1,"last":{"a": false},"deep":"3","none":null},{"one":null,"last":null,"deep":null,"none":null}]"#),
            // Null in a document is null as text, and null of JSON as JSON.
            (vec![("select", "j:d->b,t:d->>b,f:d->2->>a"), ("id", "in.(3,4)")], r#"[{"j":null,"t":null,"f":null},{"j":null,"t":null,"f":"false"}]"#),
            (vec![("select", odd), ("id", "eq.1")], r#"[{"v":"true"}]"#),
            (vec![("select", "i:d->a::int,n:d->>a::numeric,f:d->>a::float8"), ("id", "lt.4"), ("id", "neq.3")], r#"[{"i":10,"n":10,"f":10},{"i":10,"n":9.5,"f":9.5}]"#),
            (vec![("select", "id::text,t::numeric"), ("id", "lt.3")], r#"[{"id":"1","t":12},{"id":"2","t":1.5}]"#),
            (vec![("select", "t::bool,id::numeric,i:id::bool"), ("id", "eq.3")], r#"[{"t":true,"id":3,"i":true}]"#),
        ] {
            let query = [&query[..], &[("order", "id")]].concat();
            let reply = ask(&admin, &path, &query).await;
            // MySQL writes documents in its own way.
            let body = reply.expect(200).body.replace(": ", ":");
            assert_eq!(body, expected.replace(": ", ":"), "{query:?}");
        }
        for (filters, expected) in [
            (vec![("d->a", "eq.10")], vec![1]),
            (vec![("d->>a", "eq.10")], vec![1, 3]),
            (vec![("d->a", "gt.9.6")], vec![1]),
            (vec![("d->a", "lt.10")], vec![2, 3]),
            (vec![("d->a", "eq.\"10\"")], vec![3]),
            (vec![("d->a", "neq.10")], vec![2, 3]),
            (vec![("d->a", "in.(10,9.5)")], vec![1, 2]),
            (vec![("d->>a", "like.1*")], vec![1, 3]),
            (vec![("d->>a", "is.null")], vec![4, 5, 6]),
            (vec![("d->b->c", "eq.[\"x\",\"y\"]")], vec![1]),
            (vec![("d", "cs.{\"b\":{\"c\":[\"y\"]}}")], vec![1]),
            (vec![("d", "cs.[[3]]")], vec![4]),
            (vec![("d", "cs.1")], vec![4]),
            (vec![("d->b->c", "cs.{x}")], vec![1]),
            (vec![("d", "cd.{\"a\":\"10\",\"b\":null,\"z\":1}")], vec![3]),
            (vec![("d->b->c", "cd.[\"x\",\"y\",\"z\"]")], vec![1, 2]),
            (vec![("d->b->c", "ov.{y,z}")], vec![1]),
            (vec![("d", "not.cs.1")], vec![1, 2, 3, 5]),
            (vec![("order", "d->a.desc.nullslast,id")], vec![1, 2, 3, 4, 5, 6]),
            (vec![("order", "d->>a,id")], vec![1, 3, 2, 4, 5, 6]),
        ] {
            let mut query = filters.clone();
            if filters[0].0 != "order" {
                query.push(("order", "id"));
            }
            assert_eq!(ids(&admin, &path, &query).await, expected, "{filters:?}");
        }
        fault(ask(&admin, &path, &[("select", "t::int")]).await, 400, "22P02");
        fault(ask(&admin, &path, &[("select", "t->a")]).await, 400, "42883");
    }
}
