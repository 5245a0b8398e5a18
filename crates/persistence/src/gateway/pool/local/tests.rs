//! What is done at once and what aside, and what becomes of connections afterwards.

//! Reads at once and aside, and the state in which a connection comes back.

use tokio::sync::RwLock;

use super::*;

/// Counts to a number, or without end.
fn count(connection: &Connection, to: Option<u32>) -> Result<i64, sqlx::Error> {
    let end = to.map_or_else(String::new, |to| format!("WHERE n < {to}"));
    let sql = format!(
        "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c {end}) SELECT COUNT(*) FROM c"
    );
    let counted = connection.query_row(&sql, [], |row| row.get(0));
    counted.map_err(local::engine)
}

struct Yard {
    locals: Arc<Locals>,
    gate: Arc<RwLock<()>>,
    _folder: tempfile::TempDir,
}

impl Yard {
    /// One connection to an empty file.
    fn new(limit: Option<Duration>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("yard.db");
        Connection::open(&path).unwrap();
        let opening = Opening {
            path,
            reads: true,
            busy: Duration::from_secs(1),
            limit,
        };
        Self {
            locals: Arc::new(Locals::new(opening, 1)),
            gate: Arc::default(),
            _folder: folder,
        }
    }

    async fn lease(&self) -> LocalLease {
        let passage = Arc::clone(&self.gate).read_owned().await;
        self.locals.lease(passage).await.unwrap()
    }
}

#[tokio::test]
async fn what_is_short_is_done_at_once_and_what_is_long_aside() {
    let yard = Yard::new(None);
    let mut lease = yard.lease().await;
    let short = lease.at_once(|connection| count(connection, Some(100)));
    assert_eq!(short.unwrap().unwrap(), 100);
    let long = lease.at_once(|connection| count(connection, Some(1_000_000)));
    assert!(long.is_none());
    let work = |local: &mut Local| count(&local.connection, Some(1_000_000));
    let (mut lease, long) = lease.aside(work).await.unwrap();
    assert_eq!(long.unwrap(), 1_000_000);
    // Nothing is left of what was given up.
    let short = lease.at_once(|connection| count(connection, Some(100)));
    assert_eq!(short.unwrap().unwrap(), 100);
}

#[tokio::test]
async fn what_takes_too_long_is_ended() {
    let yard = Yard::new(Some(Duration::from_millis(50)));
    let work = |local: &mut Local| count(&local.connection, None);
    let (_, endless) = yard.lease().await.aside(work).await.unwrap();
    let code = local::code(&endless.unwrap_err());
    assert_eq!(code, Some(ErrorCode::OperationInterrupted));
}

#[tokio::test]
async fn what_nobody_waits_for_is_ended_and_gives_its_connection_back() {
    let yard = Yard::new(None);
    let (begun, beginning) = tokio::sync::oneshot::channel();
    let work = move |local: &mut Local| {
        let _ = begun.send(());
        count(&local.connection, None).is_err()
    };
    let endless = tokio::spawn(yard.lease().await.aside(work));
    beginning.await.unwrap();
    endless.abort();
    let mut next = yard.lease().await;
    assert!(
        next.at_once(|connection| count(connection, Some(100)))
            .is_some()
    );
    assert_eq!(yard.locals.status().idle, 0);
    drop(next);
    assert_eq!(yard.locals.status().idle, 1);
}

#[tokio::test]
async fn a_connection_that_comes_back_has_nothing_open_and_writes_nothing() {
    let yard = Yard::new(None);
    let mut lease = yard.lease().await;
    let begun = lease.at_once(|connection| word(connection, "BEGIN"));
    begun.unwrap().unwrap();
    drop(lease);
    let mut lease = yard.lease().await;
    let refused = lease.at_once(|connection| {
        assert!(connection.is_autocommit());
        word(connection, "CREATE TABLE t (a)")
    });
    let code = local::code(&refused.unwrap().unwrap_err());
    assert_eq!(code, Some(ErrorCode::ReadOnly));
}
