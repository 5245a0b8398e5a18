//! Writes that arrive at the same time, and may share a transaction: each gets its own answer,
//! and what is there afterwards is what was answered to be.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::engines::TestEngine;
use crate::support::rest::{Yard, raw};

/// How many of each kind are under way.
const EACH: usize = 12;

/// Sends everything at once; the statuses in the order of the requests.
async fn statuses(yard: &Yard, requests: Vec<(Method, String, Value)>) -> Vec<u16> {
    let send = |(method, rest, body): (Method, String, Value)| async move {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        yard.send(method, &rest, &[], &body).await.status.as_u16()
    };
    join_all(requests.into_iter().map(send)).await
}

on_every_engine! {
    async fn each_of_many_writes_gets_its_own_answer(engine: TestEngine) {
        let yard = Yard::open(engine, &[]).await;
        let table = "CREATE TABLE slot (id INTEGER NOT NULL PRIMARY KEY, n INT NOT NULL UNIQUE, size INT NOT NULL, CONSTRAINT size_positive CHECK (size > 0))";
        raw(&yard.app, &yard.db, &[table]).await;
        let row = |id: usize, n: usize, size: i64| json!({"id": id, "n": n, "size": size});
        let post = |body: Value| (Method::POST, "slot".to_owned(), body);
        yard.send(Method::POST, "slot", &[], &row(1, 1, 1).to_string()).await.expect(201);
        let mut requests = Vec::new();
        for at in 0..EACH {
            let id = 100 * (at + 1);
            requests.extend([
                post(row(id, id, 1)),
                // Somebody has this number already.
                post(row(id + 1, 1, 1)),
                post(row(id + 2, id + 2, 0)),
                // All or none.
                post(json!([row(id + 3, id + 3, 1), row(id + 4, id + 4, -1)])),
                post(json!([row(id + 5, id + 5, 1), row(id + 6, id + 6, 1)])),
                (Method::PATCH, format!("slot?id=eq.{id}&n=eq.0"), json!({"size": 2})),
                (Method::PATCH, "slot?id=eq.1".to_owned(), json!({"size": -1})),
                (Method::DELETE, format!("slot?id=eq.{}", id + 99), Value::Null),
            ]);
        }
        let expected = [201, 409, 400, 400, 201, 204, 400, 204];
        let statuses = statuses(&yard, requests).await;
        for (at, statuses) in statuses.chunks(expected.len()).enumerate() {
            assert_eq!(statuses, expected, "round {at}");
        }
        let mut there = vec![1];
        there.extend((1..=EACH).flat_map(|at| [100 * at, 100 * at + 5, 100 * at + 6]));
        let rows: Vec<Value> = there.iter().map(|id| json!({"id": id, "size": 1})).collect();
        let read: Value = serde_json::from_str(&yard.read("slot?select=id,size&order=id").await).expect("rows");
        assert_eq!(read, Value::from(rows));
    }

    async fn one_of_many_wins_a_key(engine: TestEngine) {
        let yard = Yard::open(engine, &[]).await;
        let request = || (Method::POST, "port".to_owned(), json!({"name": "Moss"}));
        let mut statuses = statuses(&yard, (0..2 * EACH).map(|_| request()).collect()).await;
        statuses.sort_unstable();
        assert_eq!(statuses[0], 201);
        assert!(statuses[1..].iter().all(|status| *status == 409), "{statuses:?}");
        assert_eq!(yard.read("port?select=name&name=eq.Moss").await, r#"[{"name":"Moss"}]"#);
    }

    async fn what_undoes_a_transaction_undoes_nothing_of_others(engine: TestEngine) {
        if engine.is_server() {
            // Only SQLite has such constraints and triggers, and one transaction for many.
            return;
        }
        let yard = Yard::open(engine, &[]).await;
        raw(&yard.app, &yard.db, &[
            "CREATE TABLE late (id INTEGER PRIMARY KEY, port INT REFERENCES port (id) DEFERRABLE INITIALLY DEFERRED, note TEXT)",
            "CREATE TRIGGER all_off BEFORE INSERT ON late WHEN new.note = 'off' BEGIN SELECT RAISE(ROLLBACK, 'off'); END",
        ]).await;
        let mut requests = Vec::new();
        for at in 0..EACH {
            let row = |offset: usize, port: usize, note: &str| {
                (Method::POST, "late".to_owned(), json!({"id": 10 * at + offset, "port": port, "note": note}))
            };
            // Refused when it is made durable, at once, and not at all.
            requests.extend([row(1, 77, "x"), row(2, 1, "off"), row(3, 2, "x")]);
        }
        for (at, statuses) in statuses(&yard, requests).await.chunks(3).enumerate() {
            assert_eq!(statuses[2], 201, "round {at}");
            assert!(statuses[..2].iter().all(|status| (400..500).contains(status)), "round {at}: {statuses:?}");
        }
        let ids: Vec<Value> = (0..EACH).map(|at| json!({"id": 10 * at + 3})).collect();
        let read: Value = serde_json::from_str(&yard.read("late?select=id&order=id").await).expect("rows");
        assert_eq!(read, Value::from(ids));
    }

    async fn who_is_refused_is_refused_for_what_is_there(engine: TestEngine) {
        if engine.is_server() {
            return;
        }
        let yard = Yard::open(engine, &[]).await;
        raw(&yard.app, &yard.db, &[
            "CREATE TABLE late (id INTEGER PRIMARY KEY, port INT REFERENCES port (id) DEFERRABLE INITIALLY DEFERRED, note TEXT)",
            "CREATE TABLE noted (id INTEGER PRIMARY KEY)",
            "CREATE TRIGGER half BEFORE INSERT ON late WHEN new.note = 'half' BEGIN INSERT INTO noted VALUES (new.id); SELECT RAISE(FAIL, 'half'); END",
        ]).await;
        let mut requests = Vec::new();
        for at in 0..EACH {
            let row = |offset: usize, port: usize, note: &str| {
                (Method::POST, "late".to_owned(), json!({"id": 10 * at + offset, "port": port, "note": note}))
            };
            // Of the first nothing is kept, so that the second has the key for itself. What the
            // third did before it failed is undone.
            requests.extend([row(1, 77, "x"), row(1, 1, "x"), row(2, 1, "half")]);
        }
        for (at, statuses) in statuses(&yard, requests).await.chunks(3).enumerate() {
            assert_eq!(statuses[1], 201, "round {at}");
            assert!([statuses[0], statuses[2]].iter().all(|status| (400..500).contains(status)), "round {at}: {statuses:?}");
        }
        let rows: Vec<Value> = (0..EACH).map(|at| json!({"id": 10 * at + 1, "port": 1})).collect();
        let read: Value = serde_json::from_str(&yard.read("late?select=id,port&order=id").await).expect("rows");
        assert_eq!(read, Value::from(rows));
        assert_eq!(yard.read("noted").await, "[]");
    }
}
