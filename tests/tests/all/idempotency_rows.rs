//! `Idempotency-Key` on rows: a write is carried out once and answered the same again,
//! whoever of the nodes is asked.

use futures_util::future::{Either, join_all, select};
use futures_util::stream;
use reqwest::{Body, Method};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::support::app::{MEMBER_PASSWORD, TestApp, sign_in};
use crate::support::client::{Client, Reply};
use crate::support::engines::TestEngine;
use crate::support::rest::{column, create_table, fault, ids};

/// A Tidegate with one gateway database and tables of notes in it.
struct Notes {
    app: TestApp,
    db: String,
    admin: Client,
}

impl Notes {
    async fn open(engine: TestEngine) -> Self {
        let app = TestApp::start(engine).await;
        let db = app.gateway_database("notes").await;
        for name in ["notes", "others"] {
            let table = json!({
                "name": name,
                "columns": [
                    {"name": "id", "type": "int", "nullable": false, "auto_increment": true},
                    column("text", "varchar(40)"),
                ],
                "primary_key": ["id"],
                "indexes": [{"columns": ["text"], "unique": true}],
            });
            create_table(&app, &db, &table).await;
        }
        Self {
            admin: app.admin(),
            app,
            db,
        }
    }

    fn path(&self, rest: &str) -> String {
        format!("/rest/{}/{rest}", self.db)
    }

    /// Inserts into a table by JSON.
    async fn insert(&self, rest: &str, key: &str, body: &Value) -> Reply {
        Reply::of(keyed(&self.admin, &self.path(rest), key).json(body)).await
    }

    /// Inserts into `notes` by CSV.
    async fn csv(&self, key: &str, body: impl Into<Body>) -> Reply {
        let request = keyed(&self.admin, &self.path("notes"), key);
        Reply::of(request.header("content-type", "text/csv").body(body)).await
    }

    async fn ids(&self, table: &str) -> Vec<i64> {
        ids(&self.admin, &self.path(table), &[("order", "id")]).await
    }
}

fn keyed(client: &Client, path: &str, key: &str) -> reqwest::RequestBuilder {
    client
        .request(Method::POST, path)
        .header("idempotency-key", key)
}

/// Asserts that an answer is the first one, given again.
#[track_caller]
fn same(again: &Reply, first: &Reply) {
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    for name in [
        "content-type",
        "content-range",
        "preference-applied",
        "vary",
    ] {
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(first.header("idempotency-replayed"), "");
}

/// A body that goes on as long as the sender lives.
fn held() -> (mpsc::Sender<Result<String, std::io::Error>>, Body) {
    let (sender, mut receiver) = mpsc::channel(1);
    let pieces = stream::poll_fn(move |context| receiver.poll_recv(context));
    (sender, Body::wrap_stream(pieces))
}

on_every_engine! {
    async fn an_insert_is_carried_out_once(engine: TestEngine) {
        let notes = Notes::open(engine).await;
        let body = json!([{"text": "a"}, {"text": "b"}]);
        let first = notes.insert("notes", "\"k1\"", &body).await.expect(201);
        same(&notes.insert("notes", "k1", &body).await, &first);
        // With a slash at the end it is the same path.
        same(&notes.insert("notes/", "k1", &body).await, &first);
        assert_eq!(notes.ids("notes").await, [1, 2]);

        let shown = async |key: &str| {
            let request = keyed(&notes.admin, &notes.path("notes?select=id,text"), key).header("prefer", "return=representation, count=exact");
            Reply::of(request.json(&json!({"text": "ü\"🦀"}))).await.expect(201)
        };
        let first = shown("k2").await;
        assert_eq!(first.value(), json!([{"id": 3, "text": "ü\"🦀"}]));
        assert_eq!(first.header("content-range"), "*/1");
        same(&shown("k2").await, &first);
        // What is there no more is still answered.
        notes.admin.delete(&notes.path("notes?id=eq.3")).await.expect(204);
        same(&shown("k2").await, &first);

        let first = notes.insert("notes", "k3", &json!([])).await.expect(201);
        same(&notes.insert("notes", "k3", &json!([])).await, &first);
        fault(notes.insert("notes", "k3", &json!([{"text": "c"}])).await, 422, "idempotency_key_reused");
        assert_eq!(notes.ids("notes").await, [1, 2]);
        // No row leaves out a value.
        let strict = json!({"name": "strict", "columns": [{"name": "text", "type": "varchar(40)", "nullable": false}]});
        create_table(&notes.app, &notes.db, &strict).await;
        notes.insert("strict", "k4", &json!([])).await.expect(201);
        fault(notes.insert("strict", "k5", &json!([{}])).await, 400, "23502");
    }

    async fn a_key_is_for_one_request_of_one_user(engine: TestEngine) {
        let notes = Notes::open(engine).await;
        let body = json!({"text": "a"});
        notes.insert("notes", "k", &body).await.expect(201);
        fault(notes.insert("notes", "k", &json!({"text": "b"})).await, 422, "idempotency_key_reused");
        fault(notes.insert("notes?select=id", "k", &body).await, 422, "idempotency_key_reused");
        // Another table, and another user.
        notes.insert("others", "k", &body).await.expect(201);
        let user = json!({"username": "second", "password": MEMBER_PASSWORD, "role_id": 1});
        notes.admin.post("/users", &user).await.expect(201);
        let anonymous = notes.app.anonymous();
        let second = anonymous.bearer(&sign_in(&anonymous, "second", MEMBER_PASSWORD).await);
        Reply::of(keyed(&second, &notes.path("notes"), "k").json(&json!({"text": "b"}))).await.expect(201);
        assert_eq!(notes.ids("notes").await.len(), 2);
        assert_eq!(notes.ids("others").await.len(), 1);
        // A key that is none, and two of them.
        for key in ["", "a b", "\"a", &"x".repeat(256)] {
            fault(notes.insert("notes", key, &json!({"text": "c"})).await, 422, "invalid_idempotency_key");
        }
        let request = keyed(&notes.admin, &notes.path("notes"), "a").header("idempotency-key", "b");
        fault(Reply::of(request.json(&json!({"text": "c"}))).await, 422, "invalid_idempotency_key");
        assert_eq!(notes.ids("notes").await.len(), 2);
    }

    async fn of_many_at_once_one_is_carried_out(engine: TestEngine) {
        let notes = Notes::open(engine).await;
        let body = json!({"text": "once"});
        let replies = join_all((0..50).map(|_| notes.insert("notes?select=id", "k", &body))).await;
        let (done, others): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 201);
        assert!(!done.is_empty() && done.iter().all(|reply| reply.body == done[0].body));
        assert_eq!(done.iter().filter(|reply| reply.header("idempotency-replayed").is_empty()).count(), 1);
        for reply in others {
            assert_eq!(reply.header("retry-after"), "1");
            fault(reply, 409, "request_in_progress");
        }
        assert_eq!(notes.ids("notes").await.len(), 1);
    }

    async fn what_fails_may_be_corrected(engine: TestEngine) {
        let notes = Notes::open(engine).await;
        notes.insert("notes", "a", &json!({"text": "taken"})).await.expect(201);
        fault(notes.insert("notes", "k", &json!([{"text": "new"}, {"text": "taken"}])).await, 409, "23505");
        fault(notes.insert("notes", "k", &json!([{"nonsense": 1}])).await, 400, "PGRST204");
        fault(notes.csv("k", "id,text\n8,x\n9,taken\n").await, 409, "23505");
        assert_eq!(notes.ids("notes").await.len(), 1);
        let body = json!([{"text": "new"}, {"text": "free"}]);
        let first = notes.insert("notes", "k", &body).await.expect(201);
        same(&notes.insert("notes", "k", &body).await, &first);
        assert_eq!(notes.ids("notes").await.len(), 3);
    }

    async fn an_import_is_carried_out_once(engine: TestEngine) {
        let notes = Notes::open(engine).await;
        let text = (1..=5_000).fold("id,text\n".to_owned(), |text, id| format!("{text}{id},note {id}\n"));
        let first = notes.csv("k", text.clone()).await.expect(201);
        same(&notes.csv("k", text.clone()).await, &first);
        fault(notes.csv("k", format!("{text}5001,one more\n")).await, 422, "idempotency_key_reused");
        fault(notes.csv("k", "id,text\n").await, 422, "idempotency_key_reused");
        // The same rows in another form are another request.
        fault(notes.insert("notes", "k", &json!([{"id": 1, "text": "note 1"}])).await, 422, "idempotency_key_reused");
        assert_eq!(notes.ids("notes").await.len(), 5_000);

        // The rows are shown the first time only.
        let shown = async || {
            let request = keyed(&notes.admin, &notes.path("others"), "k").header("prefer", "return=representation").header("content-type", "text/csv");
            Reply::of(request.body("id,text\n7,seven\n")).await.expect(201)
        };
        assert_eq!(shown().await.value(), json!([{"id": 7, "text": "seven"}]));
        let again = shown().await;
        assert_eq!((again.body.as_str(), again.header("content-type"), again.header("idempotency-replayed")), ("", "", "true"));
        assert_eq!(again.header("content-range"), "*/*");
        assert_eq!(notes.ids("others").await, [7]);
    }

    async fn an_import_under_way_keeps_its_key(engine: TestEngine) {
        let notes = Notes::open(engine).await;
        let import = || {
            let (sender, body) = held();
            let request = keyed(&notes.admin, &notes.path("notes"), "k").header("content-type", "text/csv").body(body);
            (sender, tokio::spawn(Reply::of(request)))
        };
        // Neither can come to its end, so whichever is answered is the one that came too late.
        let ((one, first), (two, second)) = (import(), import());
        for sender in [&one, &two] {
            sender.send(Ok("id,text\n1,one\n".to_owned())).await.unwrap();
        }
        let (late, (sender, other)) = match select(first, second).await {
            Either::Left((late, other)) => (late, (two, other)),
            Either::Right((late, other)) => (late, (one, other)),
        };
        fault(late.unwrap(), 409, "request_in_progress");
        sender.send(Ok("2,two\n".to_owned())).await.unwrap();
        drop(sender);
        let first = other.await.unwrap().expect(201);
        same(&notes.csv("k", "id,text\n1,one\n2,two\n").await, &first);
        fault(notes.csv("k", "id,text\n1,one\n").await, 422, "idempotency_key_reused");
        assert_eq!(notes.ids("notes").await, [1, 2]);
    }

    async fn rows_by_key_are_stored_once(engine: TestEngine) {
        let notes = Notes::open(engine).await;
        let send = async |data: Value| {
            let body = json!({"db_name": notes.db, "table_name": "notes", "data": data});
            Reply::of(keyed(&notes.admin, "/insert-data", "k").json(&body)).await
        };
        let data = json!([{"id": 1, "text": "a"}, {"id": 2}]);
        let first = send(data.clone()).await.expect(201);
        // Once more they would be unchanged, and changed after this.
        notes.admin.patch(&notes.path("notes?id=eq.1"), &json!({"text": "z"})).await.expect(204);
        same(&send(data).await, &first);
        send(json!([])).await.problem(422, "idempotency_key_reused");
        let notes_now = notes.admin.get(&notes.path("notes?select=text&id=eq.1")).await.value();
        assert_eq!(notes_now, json!([{"text": "z"}]));
        let request = keyed(&notes.admin, "/insert-data", "a b").json(&json!({}));
        Reply::of(request).await.problem(422, "invalid_idempotency_key");
    }

    async fn what_is_kept_is_not_seen(engine: TestEngine) {
        let notes = Notes::open(engine).await;
        notes.insert("notes", "k", &json!({"text": "a"})).await.expect(201);
        let tables = notes.admin.get(&format!("/databases/{}/tables", notes.db)).await.expect(200).value();
        let names: Vec<_> = tables.as_array().expect("tables").iter().map(|table| &table["name"]).collect();
        assert_eq!(names, ["notes", "others"]);
        notes.admin.post(&format!("/databases/{}/reload", notes.db), &json!({})).await.expect(204);
        for table in ["_tidegate_idempotency", "idempotency_keys"] {
            fault(notes.admin.get(&notes.path(table)).await, 404, "PGRST205");
            fault(notes.insert(table, "k", &json!({"id": "x"})).await, 404, "PGRST205");
        }
        let databases = notes.admin.get("/databases").await.expect(200).value();
        let database = databases.as_array().expect("databases").iter().find(|database| database["name"] == notes.db.as_str());
        assert_eq!(database.expect("the database")["tables"], 2);
    }

    async fn another_node_and_a_later_one_answer_the_same(engine: TestEngine) {
        let notes = Notes::open(engine).await;
        let body = json!({"text": "a"});
        let first = notes.insert("notes", "k", &body).await.expect(201);
        let Notes { app, db, .. } = notes;
        let later = app.second_node(&[]).await;
        let later = Notes { admin: later.admin(), app: later, db };
        same(&later.insert("notes", "k", &body).await, &first);
        drop(app);
        same(&later.insert("notes", "k", &body).await, &first);
        fault(later.insert("notes", "k", &json!({"text": "b"})).await, 422, "idempotency_key_reused");
        assert_eq!(later.ids("notes").await, [1]);
    }
}
