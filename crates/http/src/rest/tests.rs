//! The row interface and the short routes, from the request to the answer.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::body::to_bytes;
use actix_web::http::Method;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, HttpRequest, HttpServer, web};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::json;
use tidegate_domain::error::StoreError;
use tidegate_domain::permission::ReadRows;
use tidegate_domain::query::plan::{Cell, Predicate};

use super::handlers;
use super::read;
use super::testing::{
    FakeStore, allowed, gateway, int, items, null, rows, send, send_limited, text,
};
use crate::app::{HttpOptions, Layer, Services};
use crate::testing::{ADMIN, USER, request, services};

fn store() -> Arc<FakeStore> {
    Arc::new(FakeStore::default())
}

fn inserted(store: &FakeStore) -> Vec<Vec<Cell>> {
    store.inserted.lock().unwrap().clone()
}

#[actix_web::test]
async fn a_read_says_what_it_gives() {
    let store = store();
    let reply = send(
        &store,
        items(Method::GET, "?select=id&order=id.desc&name=eq.a%20b"),
    )
    .await;
    assert_eq!(
        (reply.status, reply.text.as_str()),
        (200, r#"[{"id":1},{"id":2}]"#)
    );
    assert_eq!(
        reply.header("content-type"),
        Some("application/json; charset=utf-8")
    );
    assert_eq!(reply.header("content-range"), Some("0-1/*"));
    assert_eq!(
        reply.header("vary"),
        Some("Accept, Accept-Profile, Prefer, Range, Authorization")
    );
    assert_eq!(
        reply.header("content-location"),
        Some("/rest/shop/items?name=eq.a%20b&order=id.desc&select=id")
    );
    assert_eq!(reply.header("preference-applied"), None);
    let plan = &store.reads.lock().unwrap()[0];
    assert_eq!(plan.node().members().len(), 1);
    assert!(plan.node().select().order()[0].descending());
}

#[actix_web::test]
async fn counts_and_ranges_make_the_status() {
    let store = Arc::new(FakeStore {
        total: 7,
        ..FakeStore::default()
    });
    let counted = |query: &str| items(Method::GET, query).insert_header(("Prefer", "count=exact"));
    let reply = send(&store, counted("?limit=2")).await;
    assert_eq!(
        (reply.status, reply.header("content-range")),
        (206, Some("0-1/7"))
    );
    assert_eq!(reply.header("preference-applied"), Some("count=exact"));

    let reply = send(&store, counted("?limit=5").insert_header(("Range", "4-20"))).await;
    assert_eq!(
        (reply.status, reply.header("content-range")),
        (206, Some("4-5/7"))
    );
    let plan = store.reads.lock().unwrap().pop().unwrap();
    assert_eq!((plan.offset(), plan.limit()), (4, Some(1)));

    let reply = send(&store, counted("?offset=8")).await;
    assert_eq!((reply.status, reply.code().as_str()), (416, "PGRST103"));
    assert_eq!(reply.header("content-range"), Some("*/7"));
    for (query, range) in [("?limit=-1", ""), ("?limit=2", "5-9"), ("", "5-2")] {
        let reply = send(
            &store,
            items(Method::GET, query).insert_header(("Range", range)),
        )
        .await;
        assert_eq!((reply.status, reply.code().as_str()), (416, "PGRST103"));
    }
    let reply = send(&store, items(Method::GET, "?limit=0")).await;
    assert_eq!(
        (
            reply.status,
            reply.header("content-range"),
            reply.text.as_str()
        ),
        (200, Some("*/*"), "[]")
    );
}

#[actix_web::test]
async fn head_has_the_headers_of_get_but_no_range() {
    let store = store();
    let reply = send(
        &store,
        items(Method::HEAD, "").insert_header(("Range", "1-1")),
    )
    .await;
    assert_eq!(
        (
            reply.status,
            reply.text.as_str(),
            reply.header("content-range")
        ),
        (200, "", Some("0-1/*"))
    );
    assert_eq!(
        reply.header("content-type"),
        Some("application/json; charset=utf-8")
    );
    assert_eq!(store.reads.lock().unwrap()[0].limit(), None);
}

#[actix_web::test]
async fn the_form_is_negotiated() {
    let store = store();
    let reply = send(
        &store,
        items(Method::GET, "").insert_header(("Accept", "text/csv")),
    )
    .await;
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, Some("text/csv; charset=utf-8"))
    );
    let reply = send(
        &store,
        items(Method::GET, "").insert_header(("Accept", "text/html")),
    )
    .await;
    assert_eq!((reply.status, reply.code().as_str()), (406, "PGRST107"));
}

#[actix_web::test]
async fn what_does_not_fit_is_told_in_both_sets_of_members() {
    let store = store();
    for (query, status, code) in [
        ("?select=id,(select 1)", 400, "PGRST100"),
        ("?order=id`;drop", 400, "PGRST100"),
        ("?id=5", 400, "PGRST100"),
        ("?id=eq.%ff", 400, "PGRST100"),
        ("?or=(id-%3Ea.eq.1)", 400, "42883"),
        ("?or=(id.eq.1", 400, "PGRST100"),
        ("?or=(nope.eq.1)", 400, "42703"),
        ("?nope=eq.1", 400, "42703"),
        ("?id=eq.abc", 400, "22P02"),
    ] {
        let query = query.replace(' ', "%20").replace('`', "%60");
        let reply = send(&store, items(Method::GET, &query)).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (status, code),
            "{query}: {}",
            reply.text
        );
        let body = reply.json();
        for member in [
            "message", "details", "hint", "type", "title", "status", "detail",
        ] {
            assert!(body.get(member).is_some(), "{member}: {body}");
        }
    }
    let unknown = TestRequest::with_uri("/rest/shop/itmes")
        .param("db", "shop")
        .param("table", "itmes");
    let reply = send(&store, unknown).await;
    assert_eq!((reply.status, reply.code().as_str()), (404, "PGRST205"));
    assert!(reply.json()["hint"].as_str().unwrap().contains("items"));
    for database in ["nowhere", "mysql", "tidegate", "sqlite_x"] {
        let path = format!("/rest/{database}/items");
        let request = TestRequest::with_uri(&path)
            .param("db", database.to_owned())
            .param("table", "items");
        assert_eq!(send(&store, request).await.status, 404);
    }
    let strict = items(Method::GET, "").insert_header(("Prefer", "handling=strict, x=y"));
    assert_eq!(send(&store, strict).await.code(), "PGRST122");
}

#[actix_web::test]
async fn json_rows_are_inserted() {
    let store = store();
    let reply = send(
        &store,
        items(Method::POST, "").set_payload(r#"{"id":1,"name":"a"}"#),
    )
    .await;
    assert_eq!(
        (
            reply.status,
            reply.text.as_str(),
            reply.header("content-type")
        ),
        (201, "", None)
    );
    assert_eq!(reply.header("content-range"), Some("*/*"));
    let body = r#"[{"name":"b","id":2,"price":1.5},{"price":null,"id":3,"name":"🦀"}]"#;
    let request = items(Method::POST, "?select=id")
        .insert_header(("Prefer", "return=representation, count=exact"))
        .set_payload(body);
    let reply = send(&store, request).await;
    assert_eq!((reply.status, reply.text.as_str()), (201, "[rows]"));
    assert_eq!(reply.header("content-range"), Some("*/2"));
    assert_eq!(
        reply.header("preference-applied"),
        Some("return=representation, count=exact")
    );
    let price = Cell::Value(tidegate_domain::gateway::value::Value::Decimal(
        "1.50".to_owned(),
    ));
    assert_eq!(
        inserted(&store),
        [
            vec![int(1), text("a")],
            vec![text("b"), int(2), price],
            vec![text("🦀"), int(3), null()]
        ]
    );
}

#[actix_web::test]
async fn columns_choose_members() {
    let store = store();
    let body = r#"[{"name":"a","x":1},{"name":"b","note":"n"}]"#;
    let reply = send(
        &store,
        items(Method::POST, "?columns=name,note").set_payload(body),
    )
    .await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    assert_eq!(
        inserted(&store),
        [vec![text("a"), null()], vec![text("b"), text("n")]]
    );
    let reply = send(
        &store,
        items(Method::POST, "?columns=nope").set_payload(body),
    )
    .await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "PGRST204"));
}

#[actix_web::test]
async fn listed_columns_that_are_missing_get_null_or_their_default() {
    let store = store();
    let defaults = || ("Prefer", "missing=default");
    let request = items(Method::POST, "?columns=name,note").insert_header(defaults());
    let reply = send(&store, request.set_payload(r#"{"name":"a"}"#)).await;
    assert_eq!(
        (reply.status, reply.header("preference-applied")),
        (201, Some("missing=default"))
    );
    let request = items(Method::POST, "?columns=name,note").insert_header(defaults());
    let request = request
        .insert_header(("Content-Type", "text/csv"))
        .set_payload("name\nb\n");
    assert_eq!(send(&store, request).await.status, 201);
    assert_eq!(
        inserted(&store),
        [
            vec![text("a"), Cell::Default],
            vec![text("b"), Cell::Default]
        ]
    );
}

#[actix_web::test]
async fn bad_json_stores_nothing() {
    let store = store();
    for (body, code) in [
        ("", "PGRST102"),
        ("{", "PGRST102"),
        ("[1]", "PGRST102"),
        (r#"[{"name":"a"},{"id":1}]"#, "PGRST102"),
        (r#"[{"name":"a"},{"name":"a","id":1}]"#, "PGRST102"),
        (r#"{"nope":1}"#, "PGRST204"),
        (r#"[{"name":"a","id":1},{"name":"b","id":"x"}]"#, "22P02"),
        (r#"{"id":1}"#, "23502"),
        (r#"{"name":null}"#, "23502"),
    ] {
        let reply = send(&store, items(Method::POST, "").set_payload(body)).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (400, code),
            "{body}: {}",
            reply.text
        );
    }
    let reply = send(
        &store,
        items(Method::POST, "").set_payload(r#"[{"name":"a"},{"id":1}]"#),
    )
    .await;
    assert_eq!(reply.json()["message"], "All object keys must match");
    assert_eq!(reply.json()["details"], "in the row at index 1 of the body");
    assert_eq!(inserted(&store), Vec::<Vec<Cell>>::new());
    let form = items(Method::POST, "").insert_header(("Content-Type", "multipart/form-data"));
    assert_eq!(send(&store, form.set_payload("name=a")).await.status, 415);
    let large = send_limited(
        &store,
        items(Method::POST, "").set_payload(r#"{"name":"abc"}"#),
        HttpOptions {
            max_body_bytes: 5,
            ..HttpOptions::default()
        },
    );
    assert_eq!(large.await.status, 413);
}

#[actix_web::test]
async fn an_empty_array_inserts_nothing_into_a_table_that_is_there() {
    let store = store();
    let shown = || items(Method::POST, "").insert_header(("Prefer", "return=representation"));
    let reply = send(&store, shown().set_payload("[]")).await;
    assert_eq!((reply.status, reply.text.as_str()), (201, "[]"));
    let missing = TestRequest::post()
        .uri("/rest/shop/nope")
        .param("db", "shop")
        .param("table", "nope");
    assert_eq!(
        send(&store, missing.set_payload("[]")).await.code(),
        "PGRST205"
    );
}

#[actix_web::test]
async fn a_write_with_a_key_is_carried_out_once() {
    let upsert = |id: u8| {
        TestRequest::post().uri("/insert-data").set_payload(format!(
            r#"{{"db_name":"shop","table_name":"items","data":[{{"name":"{id}"}}]}}"#
        ))
    };
    let json = |id: u8| items(Method::POST, "").set_payload(format!(r#"{{"name":"{id}"}}"#));
    let import = |id: u8| csv(format!("name\n{id}\n"));
    let requests: [&dyn Fn(u8) -> TestRequest; 3] = [&upsert, &json, &import];
    for request in requests {
        let store = store();
        let write = |id, key| {
            let request = request(id).insert_header(("Idempotency-Key", key));
            let store = &store;
            async move { send(store, request).await }
        };
        let first = write(1, "k").await;
        assert_eq!(first.status, 201, "{first:?}");
        assert_eq!(first.header("idempotency-replayed"), None);
        let again = write(1, "\"k\"").await;
        assert_eq!((again.status, &again.text), (201, &first.text));
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        let other = write(2, "k").await;
        assert_eq!(
            (other.status, other.code().as_str()),
            (422, "idempotency_key_reused")
        );
        // Another node is carrying it out.
        for kept in store.kept.lock().unwrap().values_mut() {
            *kept = None;
        }
        let busy = write(1, "k").await;
        assert_eq!(
            (
                busy.status,
                busy.code().as_str(),
                busy.header("retry-after")
            ),
            (409, "request_in_progress", Some("1"))
        );
        let bad = write(1, "a b").await;
        assert_eq!(
            (bad.status, bad.code().as_str()),
            (422, "invalid_idempotency_key")
        );
        let writes = inserted(&store).len() + store.upserts.lock().unwrap().len();
        assert_eq!(writes, 1);
    }
}

#[test]
fn writes_of_new_rows_say_that_they_take_a_key() {
    let routes = handlers::routes();
    let take_keys = routes.iter().map(|route| route.info()).filter(|info| {
        let mut parameters = info.parameters.iter();
        parameters.any(|parameter| parameter.name == "Idempotency-Key")
    });
    let names: Vec<_> = take_keys.map(|info| info.operation_id.clone()).collect();
    assert_eq!(names, ["insertRows", "insertData"]);
}

fn csv(body: impl Into<Bytes>) -> TestRequest {
    items(Method::POST, "")
        .insert_header(("Content-Type", "text/csv"))
        .set_payload(body)
}

#[actix_web::test]
async fn csv_rows_are_inserted() {
    let store = store();
    let reply = send(
        &store,
        csv("\u{feff}id,name,note\r\n1,\"a,\"\"b\",NULL\r\n2,c,\r\n"),
    )
    .await;
    assert_eq!((reply.status, reply.text.as_str()), (201, ""));
    assert_eq!(
        inserted(&store),
        [
            vec![int(1), text("a,\"b"), null()],
            vec![int(2), text("c"), text("")]
        ]
    );
    assert_eq!(send(&store, csv("id,name\n")).await.status, 201);
    assert_eq!(inserted(&store).len(), 2);
    let some = TestRequest::post()
        .uri("/rest/shop/items?columns=name,note")
        .param("db", "shop")
        .param("table", "items");
    let some = some
        .insert_header(("Content-Type", "text/csv"))
        .set_payload("x,name\n1,d\n");
    assert_eq!(send(&store, some).await.status, 201);
    assert_eq!(inserted(&store)[2], [text("d"), null()]);
}

#[actix_web::test]
async fn bad_csv_stores_nothing_and_names_the_line() {
    let store = store();
    for (body, code, words) in [
        ("", "PGRST102", "header"),
        ("id,name\n1,a\n2\n", "PGRST102", "line 3"),
        ("id,name\n1,a\n2,\"b", "PGRST102", "line 3"),
        ("id,name\n1,a\nx,b\n", "22P02", "line 3"),
        ("id,name\n1,NULL\n", "23502", "line 2"),
        ("id,nope\n1,a\n", "PGRST204", "nope"),
        ("name,name\na,b\n", "42701", "name"),
    ] {
        let reply = send(&store, csv(body)).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (400, code),
            "{body}: {}",
            reply.text
        );
        assert!(reply.text.contains(words), "{body}: {}", reply.text);
    }
    let reply = send(&store, csv(&b"name\n\xff\n"[..])).await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "PGRST102"));
    assert_eq!(inserted(&store), Vec::<Vec<Cell>>::new());
}

#[actix_web::test]
async fn an_import_has_a_limit_of_its_own() {
    let store = store();
    let options = HttpOptions {
        max_body_bytes: 20,
        max_import_bytes: 1000,
        ..HttpOptions::default()
    };
    let fits = format!("name\n{}", "abc\n".repeat(100));
    assert_eq!(
        send_limited(&store, csv(fits), options.clone())
            .await
            .status,
        201
    );
    assert_eq!(inserted(&store).len(), 100);
    let large = format!("name\n{}", "abc\n".repeat(300));
    assert_eq!(
        send_limited(&store, csv(large), options.clone())
            .await
            .status,
        413
    );
    let long = format!("name\n{}\n", "x".repeat(5000));
    assert_eq!(
        send_limited(
            &store,
            csv(long),
            HttpOptions {
                max_import_bytes: 10_000,
                ..options
            }
        )
        .await
        .status,
        400
    );
    assert_eq!(inserted(&store).len(), 100);
}

#[actix_web::test]
async fn updates_set_and_count() {
    let store = store();
    let reply = send(
        &store,
        items(Method::PATCH, "?id=gt.1").set_payload(r#"{"name":"x"}"#),
    )
    .await;
    assert_eq!(
        (
            reply.status,
            reply.text.as_str(),
            reply.header("content-range")
        ),
        (204, "", Some("0-1/*"))
    );
    let shown = items(Method::PATCH, "?id=gt.1")
        .insert_header(("Prefer", "return=representation,count=exact"));
    let reply = send(&store, shown.set_payload(r#"[{"name":"x"}]"#)).await;
    assert_eq!(
        (
            reply.status,
            reply.text.as_str(),
            reply.header("content-range")
        ),
        (200, "[rows]", Some("0-1/2"))
    );
    for nothing in ["{}", "[]"] {
        let reply = send(&store, items(Method::PATCH, "").set_payload(nothing)).await;
        assert_eq!(
            (reply.status, reply.header("content-range")),
            (204, Some("*/*"))
        );
    }
    let listed =
        items(Method::PATCH, "?id=eq.1&columns=name,note").set_payload(r#"{"name":"x","id":9}"#);
    assert_eq!(send(&store, listed).await.status, 204);
    let set = store.updates.lock().unwrap().last().unwrap().set().to_vec();
    assert_eq!(
        set.iter().map(|(column, _)| *column).collect::<Vec<_>>(),
        [1, 3]
    );
    for (query, body, code) in [
        ("", r#"{"name":"x"}"#, "21000"),
        ("?id=eq.1&limit=1", r#"{"name":"x"}"#, "PGRST127"),
        ("?id=eq.1", r#"[{"name":"x"},{"name":"y"}]"#, "PGRST102"),
        ("?id=eq.1", "", "PGRST102"),
        ("?id=eq.1", r#"{"nope":1}"#, "PGRST204"),
    ] {
        let reply = send(&store, items(Method::PATCH, query).set_payload(body)).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (400, code),
            "{query} {body}"
        );
    }
}

#[actix_web::test]
async fn deletes_need_a_filter_and_take_no_window() {
    let store = store();
    let reply = send(
        &store,
        items(Method::DELETE, "?id=in.(1,2)").insert_header(("Prefer", "count=exact")),
    )
    .await;
    assert_eq!(
        (
            reply.status,
            reply.text.as_str(),
            reply.header("content-range")
        ),
        (204, "", Some("*/2"))
    );
    assert!(
        matches!(store.deletes.lock().unwrap()[0].predicate(), Predicate::All(parts) if parts.len() == 1)
    );
    let shown =
        items(Method::DELETE, "?id=eq.1").insert_header(("Prefer", "return=representation"));
    assert_eq!(send(&store, shown).await.status, 200);
    for (query, code) in [
        ("", "21000"),
        ("?id=eq.1&limit=1", "PGRST127"),
        ("?id=eq.1&offset=1", "PGRST127"),
    ] {
        let reply = send(&store, items(Method::DELETE, query)).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (400, code),
            "{query}"
        );
    }
    assert_eq!(store.deletes.lock().unwrap().len(), 2);
    let view = TestRequest::delete()
        .uri("/rest/shop/report?id=eq.1")
        .param("db", "shop")
        .param("table", "report");
    assert_eq!(send(&store, view).await.status, 405);
}

#[actix_web::test]
async fn insert_data_stores_by_key() {
    let store = store();
    let send_data = |body: &str| {
        send(
            &store,
            TestRequest::post()
                .uri("/insert-data")
                .set_payload(body.to_owned()),
        )
    };
    let reply = send_data(r#"{"db_name":"shop","table_name":"items","data":[{"id":1,"name":"a"},{"id":2,"note":null}]}"#).await;
    assert_eq!(reply.status, 201);
    let message = reply.json()["message"].as_str().unwrap().to_owned();
    assert!(
        message.starts_with("Data insertion completed "),
        "{message}"
    );
    assert!(
        message.ends_with(": 3 records added or unchanged, 3 records updated"),
        "{message}"
    );
    assert_eq!(store.upserts.lock().unwrap()[0].rows().len(), 2);
    for (body, status) in [
        (r#"{"db_name":"shop","table_name":"nope","data":[]}"#, 404),
        (r#"{"db_name":"nope","table_name":"items","data":[]}"#, 404),
        (r#"{"db_name":"shop","table_name":"items"}"#, 422),
        (
            r#"{"db_name":"shop","table_name":"items","data":[],"x":1}"#,
            422,
        ),
        (r#"{"db_name":"shop","table_name":"items","data":[1]}"#, 422),
        (
            r#"{"db_name":"shop","table_name":"items","data":[{"nope":1}]}"#,
            422,
        ),
        (
            r#"{"db_name":"shop","table_name":"items","data":[{"id":"x"}]}"#,
            422,
        ),
        ("{", 400),
    ] {
        let reply = send_data(body).await;
        assert_eq!(reply.status, status, "{body}: {}", reply.text);
        assert_eq!(
            reply.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(
            status == 404,
            reply.text.contains("does not exist"),
            "{}",
            reply.text
        );
    }
}

#[actix_web::test]
async fn get_table_wraps_the_rows() {
    let store = store();
    let get = |table: &'static str, query: &str| {
        let path = format!("/get-table/shop/{table}{query}");
        TestRequest::with_uri(&path)
            .param("db", "shop")
            .param("table", table)
    };
    let reply = send(&store, get("items", "?limit=2&offset=1")).await;
    assert_eq!(
        reply.json(),
        json!({ "items": { "db_name": "shop", "table_name": "items", "data": [{ "id": 1 }, { "id": 2 }] } })
    );
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let plan = store.reads.lock().unwrap().pop().unwrap();
    assert_eq!((plan.limit(), plan.offset()), (Some(2), 1));
    for query in ["?limit=0", "?limit=x", "?offset=-1", "?limit=-5"] {
        assert_eq!(
            send(&store, get("items", query)).await.status,
            422,
            "{query}"
        );
    }
    let reply = send(&store, get("nope", "")).await;
    assert_eq!(reply.status, 404);
    assert!(
        reply
            .text
            .contains("The table nope does not exist in the database shop"),
        "{}",
        reply.text
    );
}

#[actix_web::test]
async fn a_document_that_breaks_off_has_no_end() {
    let broken = || {
        let rows = [
            Ok(Bytes::from_static(b"[{\"id\":1}")),
            Err(StoreError::Internal("gone".into())),
        ];
        stream::iter(rows).boxed()
    };
    let store = Arc::new(FakeStore {
        body: Box::new(broken),
        ..FakeStore::default()
    });
    let reply = send(&store, items(Method::GET, "")).await;
    assert!(reply.text.starts_with("cut: "), "{}", reply.text);
    let get = TestRequest::with_uri("/get-table/shop/items")
        .param("db", "shop")
        .param("table", "items");
    assert!(send(&store, get).await.text.starts_with("cut: "));
}

/// Serves reads of `store` on a port, and gives what a client reads until the connection
/// ends, or up to `most` bytes.
async fn over_a_socket(store: Arc<FakeStore>, most: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = HttpServer::new(move || {
        let rows = web::Data::new(rows(Arc::clone(&store)));
        App::new().app_data(rows).default_service(web::to(
            |request: HttpRequest, rows: web::Data<tidegate_application::rows::Rows>| async move {
                read::answer(&rows, &allowed(ReadRows), &request, "shop", "items").await
            },
        ))
    })
    .workers(1)
    .disable_signals()
    .listen(listener)
    .unwrap()
    .run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    let read = actix_web::rt::task::spawn_blocking(move || {
        let mut socket = TcpStream::connect(address).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        socket
            .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut text = Vec::new();
        let mut piece = [0; 1024];
        while text.len() < most {
            match socket.read(&mut piece) {
                Ok(0) | Err(_) => break,
                Ok(read) => text.extend_from_slice(&piece[..read]),
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    });
    let text = read.await.unwrap();
    handle.stop(false).await;
    text
}

#[actix_web::test]
async fn an_error_on_the_way_cuts_the_connection() {
    let whole = over_a_socket(store(), usize::MAX).await;
    assert!(
        whole.starts_with("HTTP/1.1 200") && whole.ends_with("0\r\n\r\n"),
        "{whole}"
    );
    let broken = || {
        let rows = [
            Ok(Bytes::from_static(b"[{\"id\":1}")),
            Err(StoreError::Internal("gone".into())),
        ];
        // Apart from each other, so that the first has left when the second comes.
        let late = |row| async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            row
        };
        stream::iter(rows).then(late).boxed()
    };
    let cut = over_a_socket(
        Arc::new(FakeStore {
            body: Box::new(broken),
            ..FakeStore::default()
        }),
        usize::MAX,
    )
    .await;
    assert!(
        cut.contains("{\"id\":1}") && !cut.contains("0\r\n\r\n"),
        "{cut}"
    );
}

#[actix_web::test]
async fn a_client_that_leaves_ends_the_query() {
    struct Flag(Arc<AtomicBool>);
    impl Drop for Flag {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let ended = Arc::new(AtomicBool::new(false));
    let shared = Arc::clone(&ended);
    let endless = move || {
        let flag = Flag(Arc::clone(&shared));
        stream::unfold(flag, |flag| async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Some((Ok(Bytes::from(vec![b' '; 4096])), flag))
        })
        .boxed()
    };
    let store = Arc::new(FakeStore {
        body: Box::new(endless),
        ..FakeStore::default()
    });
    over_a_socket(store, 10_000).await;
    for _ in 0..400 {
        if ended.load(Ordering::SeqCst) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the query still runs");
}

/// Sends a request through the whole layer; gives status, a header and the text.
async fn through_the_layer(
    store: &Arc<FakeStore>,
    request: TestRequest,
    header: &str,
) -> (u16, String, String) {
    let options = HttpOptions {
        limits_enabled: false,
        ..HttpOptions::default()
    };
    let services = Services {
        rows: Arc::new(rows(Arc::clone(store))),
        gateway: Arc::new(gateway()),
        ..services(true).await
    };
    let layer = Layer::with(options, services, handlers::routes().into()).unwrap();
    let app = init_service(layer.app()).await;
    let response = call_service(&app, request.to_request()).await;
    let value = response
        .headers()
        .get(header)
        .map_or("", |value| value.to_str().unwrap())
        .to_owned();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body())
        .await
        .ok()
        .unwrap_or_default();
    (status, value, String::from_utf8_lossy(&body).into_owned())
}

#[actix_web::test]
async fn the_routes_ask_for_their_right_before_they_read() {
    let store = store();
    for (method, path, reads) in [
        ("GET", "/rest/shop/items", true),
        ("HEAD", "/rest/shop/items", true),
        ("OPTIONS", "/rest/shop/items", true),
        ("POST", "/rest/shop/items", false),
        ("PATCH", "/rest/shop/items", false),
        ("DELETE", "/rest/shop/items", false),
        ("GET", "/get-table/shop/items", true),
        ("POST", "/insert-data", false),
    ] {
        // A body that no route takes: it must not be looked at.
        let ask = |headers: &[(&str, &str)]| request(method, path, headers).set_payload("{");
        assert_eq!(
            through_the_layer(&store, ask(&[]), "").await.0,
            401,
            "{method} {path}"
        );
        let user = through_the_layer(&store, ask(&[("authorization", USER)]), "")
            .await
            .0;
        assert_eq!(user, if reads { 200 } else { 403 }, "{method} {path}");
        if !reads && method != "DELETE" {
            let admin = through_the_layer(&store, ask(&[("authorization", ADMIN)]), "")
                .await
                .0;
            assert_eq!(admin, 400, "{method} {path}");
        }
    }
}

#[actix_web::test]
async fn paths_methods_and_names_are_told_apart() {
    let store = store();
    for (method, path, status, word) in [
        ("GET", "/rest/shop/items/", 200, ""),
        ("GET", "/rest/shop/it%65ms?select=%22id%22", 200, ""),
        ("BREW", "/rest/shop/items", 405, "PGRST117"),
        ("TRACE", "/rest/shop/items", 405, "PGRST117"),
        ("GET", "/rest/shop/items/1", 404, "PGRST125"),
        ("GET", "/rest/shop/a%2Fb", 404, "PGRST205"),
        ("GET", "/rest/shop/%60items", 404, "PGRST205"),
        ("GET", "/rest/shop/a%00", 404, "PGRST205"),
        ("GET", "/rest/shop/%ff", 400, ""),
        ("GET", "/rest/mysql/user", 404, ""),
        ("OPTIONS", "/rest/shop/nope", 404, "PGRST205"),
        ("GET", "/get-table/shop/items/", 200, ""),
        ("GET", "/get-table/shop/nope", 404, "does not exist"),
    ] {
        let request = request(method, path, &[("authorization", ADMIN)]);
        let (found, _, text) = through_the_layer(&store, request, "").await;
        assert_eq!(found, status, "{method} {path}: {text}");
        assert!(text.contains(word), "{method} {path}: {text}");
    }
}

#[actix_web::test]
async fn options_name_the_methods_of_a_table_and_of_a_view() {
    let store = store();
    for (table, allow) in [
        ("items", "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE"),
        ("report", "OPTIONS,GET,HEAD"),
    ] {
        let path = format!("/rest/shop/{table}");
        let request = request("OPTIONS", &path, &[("authorization", USER)]);
        let (status, found, _) = through_the_layer(&store, request, "allow").await;
        assert_eq!((status, found.as_str()), (200, allow));
    }
}
