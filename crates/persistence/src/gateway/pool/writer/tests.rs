//! What shares a transaction, and what becomes of each that does.

use std::sync::mpsc::{Receiver, channel};

use rusqlite::Connection;
use tidegate_domain::error::StoreError;
use tokio::sync::RwLock as Gate;

use super::*;
use crate::error::local::engine;

const QUICK: Kind = Kind {
    pace: Pace::Quick,
    undo: false,
};
const LONG: Kind = Kind {
    pace: Pace::Long,
    undo: false,
};
const REHEARSAL: Kind = Kind {
    pace: Pace::Quick,
    undo: true,
};
/// Nothing here takes as long unless something is broken.
const PATIENCE: Duration = Duration::from_secs(20);

struct Yard {
    writer: Arc<Writer>,
    gate: Arc<Gate<()>>,
    look: Connection,
    _folder: tempfile::TempDir,
}

impl Yard {
    fn new(sql: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("yard.db");
        let look = Connection::open(&path).unwrap();
        look.pragma_update(None, "journal_mode", "WAL").unwrap();
        look.execute_batch(sql).unwrap();
        let opening = Opening {
            path,
            reads: false,
            busy: PATIENCE,
            limit: None,
        };
        Self {
            writer: Arc::new(Writer::new(opening)),
            gate: Arc::default(),
            look,
            _folder: folder,
        }
    }

    fn write<T: Send + 'static>(
        &self,
        kind: Kind,
        work: impl FnMut(&mut Local) -> Result<T, Fault> + Send + 'static,
    ) -> Pending<T> {
        let passage = Arc::clone(&self.gate).try_read_owned().unwrap();
        self.writer.write(kind, passage, PATIENCE, work)
    }

    /// Has a statement run.
    fn run(&self, kind: Kind, sql: &'static str) -> Pending<()> {
        self.write(kind, move |local| execute(local, sql))
    }

    fn number(&self, sql: &str) -> i64 {
        self.look.query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

fn execute(local: &Local, sql: &str) -> Result<(), Fault> {
    let done = local.connection.execute_batch(sql);
    done.map_err(|error| Fault::Engine(engine(error)))
}

/// Counts without end, until it is ended.
fn endless(local: &Local) -> Result<(), Fault> {
    let sql =
        "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT COUNT(*) FROM c";
    let counted = local.connection.query_row(sql, [], |_| Ok(()));
    counted.map_err(|error| Fault::Engine(engine(error)))
}

fn heard(news: &Receiver<()>) -> Result<bool, Fault> {
    Ok(news.recv_timeout(PATIENCE).is_ok())
}

const LATE: &str = "CREATE TABLE port (id INTEGER PRIMARY KEY); INSERT INTO port VALUES (1); \
    CREATE TABLE late (id INTEGER PRIMARY KEY, port INT REFERENCES port (id) DEFERRABLE INITIALLY DEFERRED)";

#[tokio::test]
async fn who_is_refused_for_what_is_undone_is_asked_again() {
    let yard = Yard::new(LATE);
    let turn = yard.writer.exclude().await;
    let lost = yard.run(QUICK, "INSERT INTO late VALUES (5, 77)");
    let refused = yard.run(QUICK, "INSERT INTO late VALUES (5, 1)");
    let seen = yard.write(REHEARSAL, |local| {
        let sql = "SELECT COUNT(*) FROM late WHERE port = 77";
        let counted = local
            .connection
            .query_row(sql, [], |row| row.get::<_, i64>(0));
        counted.map_err(|error| Fault::Engine(engine(error)))
    });
    drop(turn);
    lost.outcome().await.unwrap_err();
    refused.outcome().await.unwrap();
    assert_eq!(seen.outcome().await.unwrap(), 0);
    assert_eq!(yard.number("SELECT port FROM late"), 1);
}

const ROWS: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, n INT); INSERT INTO t VALUES (1, 0), (2, 0), (3, 0); \
    CREATE TRIGGER no BEFORE UPDATE ON t WHEN old.id = 3 BEGIN SELECT RAISE(FAIL, 'no'); END";

#[tokio::test]
async fn what_fails_in_the_middle_leaves_nothing() {
    let yard = Yard::new(ROWS);
    let turn = yard.writer.exclude().await;
    let before = yard.run(QUICK, "INSERT INTO t VALUES (4, 0)");
    let failed = yard.run(QUICK, "UPDATE t SET n = 1");
    let rehearsed = yard.run(REHEARSAL, "INSERT INTO t VALUES (5, 1)");
    let after = yard.run(QUICK, "INSERT INTO t VALUES (6, 0)");
    drop(turn);
    before.outcome().await.unwrap();
    failed.outcome().await.unwrap_err();
    rehearsed.outcome().await.unwrap();
    after.outcome().await.unwrap();
    assert_eq!(yard.number("SELECT SUM(n) FROM t"), 0);
    assert_eq!(yard.number("SELECT COUNT(*) FROM t"), 5);
}

#[tokio::test]
async fn what_cannot_be_undone_by_itself_spoils_nothing() {
    let yard = Yard::new(ROWS);
    for spoil in [
        "INSERT INTO t VALUES (5, 1); RELEASE job; INSERT INTO t VALUES (5, 1)",
        "INSERT INTO t VALUES (5, 1); ROLLBACK; broken",
    ] {
        let turn = yard.writer.exclude().await;
        let before = yard.run(QUICK, "INSERT INTO t VALUES (NULL, 0)");
        let spoiled = yard.run(QUICK, spoil);
        let after = yard.run(QUICK, "INSERT INTO t VALUES (NULL, 0)");
        drop(turn);
        before.outcome().await.unwrap();
        spoiled.outcome().await.unwrap_err();
        after.outcome().await.unwrap();
    }
    assert_eq!(yard.number("SELECT SUM(n) FROM t"), 0);
    assert_eq!(yard.number("SELECT COUNT(*) FROM t"), 7);
}

#[tokio::test]
async fn what_is_quick_does_not_wait_for_what_is_long() {
    let yard = Yard::new("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    let (tell, news) = channel();
    let turn = yard.writer.exclude().await;
    let quick = yard.run(QUICK, "INSERT INTO t VALUES (1)");
    let long = yard.write(LONG, move |_| heard(&news));
    drop(turn);
    quick.outcome().await.unwrap();
    tell.send(()).unwrap();
    assert!(long.outcome().await.unwrap());
}

#[tokio::test]
async fn what_turns_out_to_be_long_lets_others_go_first() {
    let yard = Yard::new("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    let (tell, news) = channel();
    let turn = yard.writer.exclude().await;
    let quick = yard.run(QUICK, "INSERT INTO t VALUES (1)");
    let mut times = 0;
    let long = yard.write(QUICK, move |local| {
        times += 1;
        execute(local, "INSERT INTO t VALUES (2)")?;
        if times == 1 {
            endless(local)?;
        }
        heard(&news)
    });
    drop(turn);
    quick.outcome().await.unwrap();
    tell.send(()).unwrap();
    assert!(long.outcome().await.unwrap());
    assert_eq!(yard.number("SELECT COUNT(*) FROM t"), 2);
}

#[tokio::test]
async fn work_that_breaks_off_leaves_nothing_and_keeps_nobody_from_writing() {
    let yard = Yard::new("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    let turn = yard.writer.exclude().await;
    let broken = yard.write(QUICK, |local| -> Result<(), Fault> {
        execute(local, "INSERT INTO t VALUES (1)")?;
        panic!("this is a test");
    });
    // More than share a transaction, so that some are left in the queue.
    let mut others: Vec<_> = (0..TOGETHER)
        .map(|_| yard.run(QUICK, "INSERT INTO t VALUES (NULL)"))
        .collect();
    drop(turn);
    let last = others.pop().unwrap();
    broken.outcome().await.unwrap_err();
    last.outcome().await.unwrap();
    yard.run(QUICK, "INSERT INTO t VALUES (NULL)")
        .outcome()
        .await
        .unwrap();
    assert_eq!(yard.number("SELECT COUNT(*) FROM t"), 2);
}

#[test]
fn a_thread_that_never_comes_is_not_waited_for() {
    let yard = Yard::new("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    let gone = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let handle = gone.handle().clone();
    gone.shutdown_background();
    let lost = {
        let _entered = handle.enter();
        yard.run(QUICK, "INSERT INTO t VALUES (1)")
    };
    let there = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    there.block_on(async {
        let lost = lost.outcome().await;
        assert!(matches!(lost, Err(StoreError::Internal(_))), "{lost:?}");
        let next = yard.run(QUICK, "INSERT INTO t VALUES (2)");
        next.outcome().await.unwrap();
    });
    assert_eq!(yard.number("SELECT id FROM t"), 2);
}
