//! Connections: bounded waits, servers that go away, files that come and go.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use sqlx::{Executor, Row};
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::name::DatabaseName;
use tidegate_domain::gateway::port::Encoding;
use tidegate_domain::gateway::value::Value;
use tidegate_domain::query::ask::Query;
use tidegate_domain::query::change::{OnConflict, Resolution};
use tidegate_domain::query::plan::Cell;
use tidegate_persistence::gateway::pool::{
    MySqlPool, MySqlPoolOptions, SqliteFiles, SqliteFilesOptions,
};

use super::{TestEngine, column, done, int, key, open, open_with, planner};

on_every_engine! {
    async fn a_pool_in_use_keeps_nobody_waiting_for_ever(engine: TestEngine) {
        let fixture = open_with(engine, 1).await;
        let begin = Instant::now();
        let outcome = if let Some(pool) = &fixture.pool {
            let _held = pool.get().await.unwrap();
            pool.get().await.err()
        } else {
            let database = fixture.files.as_ref().unwrap().get(&fixture.database).await.unwrap().unwrap();
            let _held = database.writer().await.unwrap();
            // Readers do not wait for the writer.
            drop(database.reader().await.unwrap());
            database.writer().await.err()
        };
        assert!(matches!(outcome, Some(StoreError::Unavailable(_))), "{outcome:?}");
        assert!((4..8).contains(&begin.elapsed().as_secs()));
    }

    async fn connections_that_the_server_closed_are_replaced(engine: TestEngine) {
        let fixture = open(engine).await;
        let Some(pool) = &fixture.pool else { return };
        fixture.sql("CREATE TABLE $t (id INTEGER PRIMARY KEY, n INTEGER)").await;
        let table = fixture.table("t", vec![key("id"), column("n", int())], &["id"]);
        fixture.insert(&table, r#"[{"id":1,"n":1}]"#).await.unwrap();
        let connect = engine.server_url().unwrap().parse().unwrap();
        let other = MySqlPool::new(MySqlPoolOptions { connect, max_connections: 1, acquire_timeout: Duration::from_secs(5), statement_timeout: None });
        for round in 0..4 {
            // Three idle connections, all of which are closed behind the pool's back.
            let leases = [pool.get().await.unwrap(), pool.get().await.unwrap(), pool.get().await.unwrap()];
            let mut killer = other.get().await.unwrap();
            for mut lease in leases {
                let row = lease.fetch_all("SELECT CAST(CONNECTION_ID() AS SIGNED)").await.unwrap();
                let id: i64 = row[0].get(0);
                lease.end(Ok(())).unwrap();
                let kill = sqlx::AssertSqlSafe(format!("KILL {id}"));
                killer.execute(kill).await.unwrap();
            }
            killer.end(Ok(())).unwrap();
            tokio::time::sleep(Duration::from_millis(200)).await;
            if round == 1 {
                // A transaction begins anew on another connection.
                let lease = pool.begin("START TRANSACTION").await.unwrap();
                lease.commit().await.unwrap();
            } else if round == 2 {
                // A row that merges is changed by its key on another.
                let merging = OnConflict { resolution: Resolution::Merge, columns: None };
                let plan = planner().insert(None, &table, &["id".to_owned(), "n".to_owned()], None).unwrap();
                let plan = plan.resolving(&merging).unwrap();
                let row = vec![Cell::Value(Value::Int(1)), Cell::Value(Value::Int(1))];
                let input = stream::iter([Ok(vec![row])]).boxed();
                let written = fixture.store.insert(&plan, input, Encoding::Json, None).await.map(done).unwrap();
                assert_eq!((written.rows, written.inserted), (1, 0));
            } else {
                assert_eq!(fixture.read(&table, &Query::default()).await, r#"[{"id":1,"n":1}]"#);
            }
        }
    }

    async fn what_nobody_waits_for_any_more_is_ended(engine: TestEngine) {
        let fixture = open(engine).await;
        let Some(pool) = &fixture.pool else { return };
        // Unlike a sleep this does not look after its client by itself.
        fixture
            .sql(
                "CREATE VIEW $slow AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) \
                 SELECT COUNT(*) AS total FROM n a, n b, n c, n d",
            )
            .await;
        let table = fixture.table("slow", vec![column("total", int())], &[]);
        let count = format!(
            "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND INFO LIKE '%{}%slow%'",
            fixture.database
        );
        let running = async || {
            let mut lease = pool.get().await.unwrap();
            let row = lease.fetch_all(sqlx::AssertSqlSafe(count.clone())).await.unwrap();
            lease.end(Ok(row[0].get::<i64, _>(0))).unwrap()
        };
        let query = Query::default();
        let mut reading = Box::pin(fixture.read(&table, &query));
        tokio::time::timeout(Duration::from_secs(1), &mut reading).await.unwrap_err();
        assert_eq!(running().await, 1);
        drop(reading);
        let begin = Instant::now();
        while running().await > 0 {
            assert!(begin.elapsed().as_secs() < 5, "it goes on");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn a_server_that_is_not_there_is_no_reason_to_wait(engine: TestEngine) {
        if !engine.is_server() {
            return;
        }
        let connect = "mysql://nobody@127.0.0.1:1".parse().unwrap();
        let pool = MySqlPool::new(MySqlPoolOptions { connect, max_connections: 2, acquire_timeout: Duration::from_secs(5), statement_timeout: None });
        for _ in 0..5 {
            assert!(matches!(pool.get().await.err(), Some(StoreError::Unavailable(_))));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_made_listed_and_removed() {
    let directory = tempfile::tempdir().unwrap();
    let files = SqliteFiles::new(SqliteFilesOptions {
        directory: directory.path().join("databases"),
        own_name: "tidegate".to_owned(),
        readers: 2,
        acquire_timeout: Duration::from_secs(1),
        statement_timeout: None,
    });
    let name = |text: &str| DatabaseName::new(text, "tidegate").unwrap();
    assert!(files.names().await.unwrap().is_empty());
    assert!(files.get(&name("shop")).await.unwrap().is_none());
    assert!(!directory.path().join("databases").exists());
    assert!(matches!(
        files.remove(&name("shop")).await,
        Err(StoreError::Missing { .. })
    ));

    for round in 0..3 {
        let database = files.create(&name("shop")).await.unwrap();
        assert!(matches!(
            files.create(&name("shop")).await.err(),
            Some(StoreError::Exists { .. })
        ));
        let mut lease = database.writer().await.unwrap();
        lease
            .execute("CREATE TABLE t (a); INSERT INTO t VALUES (1)")
            .await
            .unwrap();
        lease.end(Ok(())).unwrap();
        assert!(files.size(&name("shop")).await.unwrap().unwrap() > 4096);
        assert_eq!(files.names().await.unwrap(), [name("shop")]);

        // A reader in the middle of its work keeps the file, in bounded time.
        let mut reader = database.reader().await.unwrap();
        assert_eq!(reader.fetch_all("SELECT a FROM t").await.unwrap().len(), 1);
        assert!(
            reader.execute("DELETE FROM t").await.is_err(),
            "readers only read"
        );
        assert!(matches!(
            files.remove(&name("shop")).await,
            Err(StoreError::Unavailable(_))
        ));
        // Then it works again, until nobody uses it. Dropping closes in the background.
        let second = database.reader().await.unwrap();
        if round == 0 {
            reader.end(Ok(())).unwrap();
        } else {
            drop(reader);
        }
        drop(second);
        files.remove(&name("shop")).await.unwrap();
        assert!(matches!(
            database.reader().await.err(),
            Some(StoreError::Missing { .. })
        ));
        assert!(
            files.names().await.unwrap().is_empty()
                && files.get(&name("shop")).await.unwrap().is_none()
        );
        assert_eq!(
            std::fs::read_dir(directory.path().join("databases"))
                .unwrap()
                .count(),
            0
        );
    }

    // A file put there by hand is found; names that are none are not.
    std::fs::write(directory.path().join("databases/other.db"), "").unwrap();
    std::fs::write(directory.path().join("databases/tidegate.db"), "").unwrap();
    std::fs::write(directory.path().join("databases/notes.txt"), "").unwrap();
    assert_eq!(files.names().await.unwrap(), [name("other")]);
    assert!(files.get(&name("other")).await.unwrap().is_some());
}
