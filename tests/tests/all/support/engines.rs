//! The engines that a test runs on, and a database of its own for each test.
//!
//! `scripts/test` says in the environment what is there: `TIDEGATE_TEST_ENGINES_READY`
//! (a comma list of `sqlite`, `mysql`, `mariadb`) and, for the servers, an address without
//! a database in `TIDEGATE_TEST_MYSQL_URL` and `TIDEGATE_TEST_MARIADB_URL`, of an account
//! that may create databases. Without the list, SQLite is tested, and a server whose
//! address is given.

#![allow(
    clippy::disallowed_methods,
    reason = "tests read their own environment and draw their own names"
)]

use std::fmt;
use std::path::Path;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection, Row as _};
use tempfile::TempDir;

/// An engine that tests run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestEngine {
    Sqlite,
    MySql,
    MariaDb,
}

impl TestEngine {
    /// The name used in the environment.
    pub fn name(self) -> &'static str {
        match self {
            TestEngine::Sqlite => "sqlite",
            TestEngine::MySql => "mysql",
            TestEngine::MariaDb => "mariadb",
        }
    }

    /// Whether it is a server of the MySQL family.
    pub fn is_server(self) -> bool {
        self != TestEngine::Sqlite
    }

    /// Whether tests can run on it.
    pub fn is_ready(self) -> bool {
        match std::env::var("TIDEGATE_TEST_ENGINES_READY") {
            Ok(list) => list.split(',').any(|name| name.trim() == self.name()),
            Err(_) => !self.is_server() || self.server_url().is_some(),
        }
    }

    /// The server's address without a database; `None` for SQLite.
    pub fn server_url(self) -> Option<String> {
        let variable = match self {
            TestEngine::Sqlite => return None,
            TestEngine::MySql => "TIDEGATE_TEST_MYSQL_URL",
            TestEngine::MariaDb => "TIDEGATE_TEST_MARIADB_URL",
        };
        std::env::var(variable)
            .ok()
            .map(|url| url.trim_end_matches('/').to_owned())
    }

    /// Room for one Tidegate: a data directory and, on a server, the address of a database
    /// that does not exist yet. Everything is removed when the value is dropped.
    pub async fn create_database(self) -> TestDatabase {
        let prefix = unique_name();
        let url = self.server_url().map(|server| format!("{server}/{prefix}"));
        assert!(
            !self.is_server() || url.is_some(),
            "{self}: the server's address is missing in the environment"
        );
        TestDatabase {
            engine: self,
            url,
            prefix,
            directory: tempfile::tempdir().expect("a temporary directory"),
        }
    }
}

impl fmt::Display for TestEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no other test uses, for databases and accounts of servers that tests share.
#[allow(
    clippy::disallowed_methods,
    reason = "names must differ between processes"
)]
pub fn unique_name() -> String {
    format!("tt{}", &uuid::Uuid::new_v4().simple().to_string()[..12])
}

/// One test's own database. On a server, whatever database begins with its prefix goes
/// with it.
pub struct TestDatabase {
    engine: TestEngine,
    url: Option<String>,
    prefix: String,
    directory: TempDir,
}

impl TestDatabase {
    /// The engine it is on.
    pub fn engine(&self) -> TestEngine {
        self.engine
    }

    /// What to set as the database's URL; `None` means the embedded database.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// An empty directory for data.
    pub fn data_dir(&self) -> &Path {
        self.directory.path()
    }

    /// The columns that stand first in an index of a table of Tidegate's own.
    pub async fn indexed_columns(&self, table: &str) -> Vec<String> {
        let sql = if self.engine.is_server() {
            format!(
                "SELECT CAST(column_name AS CHAR) FROM information_schema.statistics \
                 WHERE table_schema = DATABASE() AND table_name = '{table}' AND seq_in_index = 1"
            )
        } else {
            format!(
                "SELECT c.name FROM pragma_index_list('{table}') AS i \
                 JOIN pragma_index_info(i.name) AS c WHERE c.seqno = 0"
            )
        };
        self.ask(&sql).await.lines().map(str::to_owned).collect()
    }

    /// Has the engine count what is in a table of Tidegate's own.
    pub async fn analyze(&self, table: &str) {
        let word = if self.engine.is_server() {
            "TABLE "
        } else {
            ""
        };
        self.ask(&format!("ANALYZE {word}{table}")).await;
    }

    /// How the engine would carry out a statement on Tidegate's own tables.
    pub async fn plan(&self, sql: &str) -> String {
        let explain = match self.engine {
            TestEngine::Sqlite => "EXPLAIN QUERY PLAN",
            TestEngine::MySql => "EXPLAIN FORMAT=TRADITIONAL",
            TestEngine::MariaDb => "EXPLAIN",
        };
        self.ask(&format!("{explain} {sql}")).await
    }

    /// The texts of all rows that a statement gives on Tidegate's own database.
    pub async fn ask(&self, sql: &str) -> String {
        let sql = AssertSqlSafe(sql.to_owned());
        let mut text = String::new();
        match &self.url {
            Some(url) => {
                let mut connection = MySqlConnection::connect(url).await.expect("a connection");
                for row in sqlx::raw_sql(sql)
                    .fetch_all(&mut connection)
                    .await
                    .expect("an answer")
                {
                    let columns =
                        (0..row.len()).map(|at| row.try_get_unchecked::<Option<Vec<u8>>, _>(at));
                    let texts = columns.filter_map(|bytes| {
                        Some(String::from_utf8_lossy(&bytes.ok()??).into_owned())
                    });
                    text += &(texts.collect::<Vec<_>>().join(" ") + "\n");
                }
            }
            None => {
                let url = format!("sqlite://{}", self.data_dir().join("tidegate.db").display());
                let mut connection = sqlx::SqliteConnection::connect(&url)
                    .await
                    .expect("a connection");
                for row in sqlx::raw_sql(sql)
                    .fetch_all(&mut connection)
                    .await
                    .expect("an answer")
                {
                    let columns =
                        (0..row.len()).map(|at| row.try_get_unchecked::<Option<String>, _>(at));
                    let texts = columns.filter_map(|text| text.ok()?);
                    text += &(texts.collect::<Vec<_>>().join(" ") + "\n");
                }
            }
        }
        text
    }

    /// Carries out a statement on a gateway database, behind Tidegate's back; `$` stands before
    /// the names of tables.
    pub async fn behind_the_back(&self, database: &str, sql: &str) {
        let qualifier = match self.engine {
            TestEngine::Sqlite => String::new(),
            _ => format!("`{database}`."),
        };
        let sql = AssertSqlSafe(sql.replace('$', &qualifier));
        let outcome = match &self.url {
            Some(url) => {
                let mut connection = MySqlConnection::connect(url).await.expect("a connection");
                sqlx::raw_sql(sql).execute(&mut connection).await.map(drop)
            }
            None => {
                let file = self.data_dir().join(format!("databases/{database}.db"));
                let url = format!("sqlite://{}", file.display());
                let connection = sqlx::SqliteConnection::connect(&url).await;
                let mut connection = connection.expect("a connection");
                sqlx::raw_sql(sql).execute(&mut connection).await.map(drop)
            }
        };
        outcome.expect("the statement");
    }

    /// A name for a gateway database that no other test uses and that is dropped at the end.
    pub fn gateway_name(&self, name: &str) -> String {
        format!("{}_{name}", self.prefix)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Some(server) = self.engine.server_url() else {
            return;
        };
        let prefix = self.prefix.clone();
        // A runtime cannot be blocked from within itself, hence the thread.
        let cleaner = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let Ok(runtime) = runtime else { return };
            let work = async {
                tokio::time::timeout(Duration::from_secs(20), drop_databases(&server, &prefix))
                    .await
            };
            match runtime.block_on(work) {
                Ok(Ok(())) => {}
                // The test may have killed the server for good; that is not its failure.
                Ok(Err(error)) => eprintln!("databases {prefix}* are left behind: {error}"),
                Err(_) => eprintln!("databases {prefix}* are left behind: time is over"),
            }
        });
        let _ = cleaner.join();
    }
}

async fn drop_databases(server: &str, prefix: &str) -> Result<(), sqlx::Error> {
    let mut connection = MySqlConnection::connect(server).await?;
    // As bytes: some servers give the names of their own tables as VARBINARY.
    let names: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT CAST(schema_name AS BINARY) FROM information_schema.schemata WHERE LEFT(schema_name, ?) = ?",
    )
    .bind(i64::try_from(prefix.len()).unwrap_or(i64::MAX))
    .bind(prefix)
    .fetch_all(&mut connection)
    .await?;
    for name in names {
        let name = String::from_utf8_lossy(&name).replace('`', "``");
        connection
            .execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS `{name}`")))
            .await?;
    }
    connection.close().await
}

/// Makes of each test one per engine, `name::sqlite`, `name::mysql` and `name::mariadb`;
/// on an engine that is not ready the test says so and passes.
///
/// ```ignore
/// on_every_engine! {
///     async fn rows_survive(engine: TestEngine) {
///         let database = engine.create_database().await;
///     }
/// }
/// on_every_engine!(rows_survive, |engine| async { /* the same */ });
/// ```
#[macro_export]
macro_rules! on_every_engine {
    ($name:ident, |$engine:ident| $body:expr) => {
        $crate::on_every_engine! { async fn $name($engine: $crate::support::engines::TestEngine) { $body.await; } }
    };
    ($($(#[$attribute:meta])* async fn $name:ident($engine:ident : $type:ty) $body:block)+) => {$(
        $(#[$attribute])*
        async fn $name($engine: $type) $body

        mod $name {
            use $crate::support::engines::TestEngine;

            async fn run(engine: TestEngine) {
                if engine.is_ready() {
                    super::$name(engine).await;
                } else {
                    println!("skipped: engine not ready");
                }
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                run(TestEngine::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn mysql() {
                run(TestEngine::MySql).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn mariadb() {
                run(TestEngine::MariaDb).await;
            }
        }
    )+};
}
