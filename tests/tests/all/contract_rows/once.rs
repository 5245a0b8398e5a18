//! Writes that may be repeated: carried out once, kept with their rows by one commit, and
//! nobody else's business while they last.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt as _, future, stream};
use sqlx::Executor as _;
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::port::{Encoding, RowInput, Upserted, Written};
use tidegate_domain::gateway::schema::Table;
use tidegate_domain::gateway::value::Value;
use tidegate_domain::idempotency::{Answer, KEPT, Kept, Once, Outcome};
use tidegate_domain::query::ask::Query;
use tidegate_domain::query::plan::Cell;
use tokio::sync::mpsc;

use super::{Fixture, TestEngine, by, column, done, int, key, only, open, open_with, planner};

/// What is waited for in vain would otherwise be waited for without an end.
const PATIENCE: Duration = Duration::from_secs(20);

/// A fixture with a table `t` and, on servers, the table of keys.
async fn with_keys(fixture: Fixture) -> (Fixture, std::sync::Arc<Table>) {
    fixture
        .sql("CREATE TABLE $t (id INTEGER PRIMARY KEY, n INTEGER)")
        .await;
    if fixture.engine.is_server() {
        fixture
            .sql(
                "CREATE TABLE $idempotency_keys (id CHAR(64) NOT NULL PRIMARY KEY, created_at DATETIME(6) NOT NULL, \
                 fingerprint CHAR(64), status INT, headers TEXT, body LONGBLOB, KEY created (created_at))",
            )
            .await;
    }
    let table = fixture.table("t", vec![key("id"), column("n", int())], &["id"]);
    (fixture, table)
}

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::microseconds(7)
}

/// What is kept of a write, here whatever it was.
fn kept() -> Kept {
    Kept {
        fingerprint: "f".repeat(64),
        answer: Answer {
            status: 201,
            headers: vec![("x-ü".to_owned(), "a \"b\"".to_owned())],
            body: b"[\xff\x00]".as_slice().into(),
        },
    }
}

/// A name for a request.
fn id(name: &str) -> String {
    format!("{name:0>64}")
}

fn row(id: i64) -> Vec<Cell> {
    vec![Cell::Value(Value::Int(id)), Cell::Value(Value::Null)]
}

fn rows(ids: impl IntoIterator<Item = i64>) -> RowInput<'static> {
    let rows = ids.into_iter().map(row).collect();
    stream::iter([Ok(rows)]).boxed()
}

impl Fixture {
    async fn insert_once(
        &self,
        table: &std::sync::Arc<Table>,
        name: &str,
        now: DateTime<Utc>,
        input: RowInput<'_>,
        shown: Option<&Query>,
    ) -> Result<Outcome<Written>, StoreError> {
        let columns = ["id".to_owned(), "n".to_owned()];
        let plan = planner().insert(None, table, &columns, shown).unwrap();
        let once = Once {
            id: &id(name),
            now,
            keep: &|_| kept(),
        };
        let insert = self.store.insert(&plan, input, Encoding::Json, Some(&once));
        tokio::time::timeout(PATIENCE, insert)
            .await
            .expect("an answer in time")
    }

    async fn upsert_once(
        &self,
        table: &std::sync::Arc<Table>,
        name: &str,
        rows: &str,
    ) -> Result<Outcome<Upserted>, StoreError> {
        let rows: Vec<_> = serde_json::from_str::<Vec<_>>(rows).unwrap();
        let once = Once {
            id: &id(name),
            now: now(),
            keep: &|_| kept(),
        };
        let plan = planner().upsert(table, &rows).unwrap();
        self.store.upsert(&plan, Some(&once)).await
    }

    async fn ids(&self, table: &std::sync::Arc<Table>) -> String {
        let query = Query {
            order: vec![by("id")],
            ..only(&["id"])
        };
        self.read(table, &query).await
    }
}

on_every_engine! {
    async fn a_write_is_carried_out_once(engine: TestEngine) {
        let (fixture, table) = with_keys(open(engine).await).await;
        for (name, input, shown) in [
            ("one", 1..2, None),
            ("shown", 2..4, Some(Query::default())),
            ("none", 4..4, Some(Query::default())),
            ("many", 10..3_001, None),
        ] {
            let before = fixture.ids(&table).await;
            let count = input.clone().count() as u64;
            let insert = async || fixture.insert_once(&table, name, now(), rows(input.clone()), shown.as_ref()).await.unwrap();
            let written = done(insert().await);
            assert_eq!((written.rows, written.representation.is_some()), (count, shown.is_some()), "{name}");
            let after = fixture.ids(&table).await;
            assert_eq!(before != after, count > 0, "{name}");
            assert_eq!(insert().await, Outcome::Repeated(kept()), "{name}");
            assert_eq!(fixture.ids(&table).await, after, "{name}");
        }
        for (name, row, counts) in [("u", r#"[{"id":1,"n":1}]"#, (0, 1)), ("v", r#"[{"id":5,"n":1}]"#, (1, 0)), ("w", "[]", (0, 0))] {
            let first = done(fixture.upsert_once(&table, name, row).await.unwrap());
            assert_eq!((first.inserted, first.updated), counts, "{name}");
            assert_eq!(fixture.upsert_once(&table, name, row).await.unwrap(), Outcome::Repeated(kept()), "{name}");
        }
    }

    async fn a_write_that_fails_keeps_nothing(engine: TestEngine) {
        let (fixture, table) = with_keys(open(engine).await).await;
        fixture.insert(&table, r#"[{"id":7}]"#).await.unwrap();
        let broken = || {
            let error = tidegate_domain::query::error::QueryError::Body { message: "cut".to_owned() };
            stream::iter([Ok((100..3_000).map(row).collect()), Ok(vec![row(9_000)]), Err(error)]).boxed()
        };
        for input in [rows([1, 7]), rows((1..3_000).rev()), broken()] {
            assert!(fixture.insert_once(&table, "k", now(), input, None).await.is_err());
            assert_eq!(fixture.ids(&table).await, r#"[{"id":7}]"#);
        }
        fixture.sql("CREATE TABLE $u (id INTEGER PRIMARY KEY, n INTEGER UNIQUE)").await;
        let unique = fixture.table("u", vec![key("id"), column("n", int())], &["id"]);
        assert!(fixture.upsert_once(&unique, "k", r#"[{"id":1,"n":1},{"id":2,"n":1}]"#).await.is_err());
        assert_eq!(fixture.ids(&unique).await, "[]");
        done(fixture.insert_once(&table, "k", now(), rows([8]), None).await.unwrap());
        assert_eq!(fixture.ids(&table).await, r#"[{"id":7},{"id":8}]"#);
    }

    async fn what_was_kept_has_its_time(engine: TestEngine) {
        let (fixture, table) = with_keys(open(engine).await).await;
        let moment = TimeDelta::microseconds(1);
        done(fixture.insert_once(&table, "k", now(), rows([1]), None).await.unwrap());
        let repeated = fixture.insert_once(&table, "k", now() + KEPT - moment, rows([2]), None).await.unwrap();
        assert_eq!(repeated, Outcome::Repeated(kept()));
        done(fixture.insert_once(&table, "k", now() + KEPT, rows([2]), None).await.unwrap());
        let repeated = fixture.insert_once(&table, "k", now() + KEPT + moment, rows([3]), None).await.unwrap();
        assert_eq!(repeated, Outcome::Repeated(kept()));
        assert_eq!(fixture.ids(&table).await, r#"[{"id":1},{"id":2}]"#);
        if engine == TestEngine::Sqlite {
            // Whoever claims a key clears away the others.
            let hidden = fixture.table("_tidegate_idempotency", vec![column("id", super::long_text())], &["id"]);
            done(fixture.insert_once(&table, "other", now() + KEPT + KEPT, rows([3]), None).await.unwrap());
            assert_eq!(fixture.ids(&hidden).await, format!(r#"[{{"id":"{}"}}]"#, id("other")));
        }
    }

    async fn a_write_under_way_elsewhere_is_not_waited_for(engine: TestEngine) {
        let (fixture, table) = with_keys(open(engine).await).await;
        // SQLite has one writer: there is no elsewhere that would not have to wait its turn.
        let Some(pool) = &fixture.pool else { return };
        let mut other = pool.begin("START TRANSACTION").await.unwrap();
        let claim = format!("INSERT INTO `{}`.idempotency_keys (id, created_at) VALUES ('{}', NOW())", fixture.database, id("k"));
        other.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(claim))).await.unwrap();
        for input in [rows([1]), rows(1..3_000)] {
            assert_eq!(fixture.insert_once(&table, "k", now(), input, None).await.unwrap(), Outcome::InProgress);
        }
        assert_eq!(fixture.upsert_once(&table, "k", r#"[{"id":1}]"#).await.unwrap(), Outcome::InProgress);
        other.roll_back().await;
        done(fixture.insert_once(&table, "k", now(), rows([1]), None).await.unwrap());
        assert_eq!(fixture.ids(&table).await, r#"[{"id":1}]"#);
    }

    async fn a_long_import_keeps_no_other_key_waiting(engine: TestEngine) {
        let (fixture, table) = with_keys(open_with(engine, 8).await).await;
        if engine == TestEngine::Sqlite {
            return;
        }
        let (sender, mut receiver) = mpsc::channel(1);
        let input = stream::poll_fn(move |context| receiver.poll_recv(context)).boxed();
        let import = fixture.insert_once(&table, "m", now(), input, None);
        let others = async {
            // The store waits for rows for two statements before it begins. Of what comes after
            // them one part waits in the channel until the other is taken, by a store at work.
            for part in 0..4 {
                let ids = part * 1_024 + 1..=(part + 1) * 1_024;
                sender.send(Ok(ids.map(row).collect())).await.unwrap();
            }
            assert_eq!(fixture.insert_once(&table, "m", now(), rows([10_000]), None).await.unwrap(), Outcome::InProgress);
            // On both sides of it in the order of the keys, all at once.
            let strangers = ["a", "l", "n", "z"].into_iter().zip(10_001..);
            let inserts = strangers.map(|(name, id)| fixture.insert_once(&table, name, now(), rows([id]), None));
            for outcome in future::join_all(inserts).await {
                done(outcome.unwrap());
            }
            drop(sender);
        };
        let (imported, ()) = future::join(import, others).await;
        assert_eq!(done(imported.unwrap()).rows, 4 * 1_024);
    }

    async fn what_is_run_again_after_a_deadlock_is_kept_once(engine: TestEngine) {
        let (fixture, table) = with_keys(open(engine).await).await;
        let rows = |ids: [i64; 4], n: i64| serde_json::json!(ids.map(|id| serde_json::json!({"id": id, "n": n}))).to_string();
        fixture.insert(&table, &rows([1, 2, 3, 4], 0)).await.unwrap();
        for round in 1..=20 {
            // In opposite orders, so that the locks of rows meet.
            let (up, down) = (rows([1, 2, 3, 4], round), rows([4, 3, 2, 1], -round));
            let names = [format!("up {round}"), format!("down {round}")];
            let write = async || {
                let outcomes = future::join(fixture.upsert_once(&table, &names[0], &up), fixture.upsert_once(&table, &names[1], &down)).await;
                [outcomes.0.unwrap(), outcomes.1.unwrap()]
            };
            for outcome in write().await {
                assert_eq!(done(outcome).updated, 4);
            }
            assert_eq!(write().await, [Outcome::Repeated(kept()), Outcome::Repeated(kept())]);
        }
    }
}
