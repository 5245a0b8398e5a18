//! The floor: bare clients of a database, each of which commits one row after the other. No
//! program that answers after a commit for each event by itself can be faster.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor};

use crate::load::Client;

const INSERT: &str = "INSERT INTO bare (body, received_at) VALUES (?, ?)";

/// A database of its own for the bare clients.
pub(crate) enum Floor {
    /// On the server that Tidegate uses.
    Server(MySqlConnectOptions),
    /// A file beside Tidegate's.
    Embedded(SqliteConnectOptions),
}

impl Floor {
    /// Makes the table, and sees to it that a commit is on the disk before it is confirmed.
    pub(crate) async fn make(server: Option<&str>, folder: &Path) -> anyhow::Result<Self> {
        let Some(url) = server else {
            // As Tidegate opens its own.
            let options = SqliteConnectOptions::new()
                .filename(folder.join("bare.db"))
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(Duration::from_secs(60))
                .disable_statement_logging();
            let mut connection = options.connect().await?;
            connection
                .execute("CREATE TABLE bare (id INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL, received_at TEXT NOT NULL)")
                .await?;
            connection.close().await?;
            return Ok(Self::Embedded(options));
        };
        let options = MySqlConnectOptions::from_str(url)?.disable_statement_logging();
        let mut connection = options.connect().await?;
        for statement in [
            "SET GLOBAL innodb_flush_log_at_trx_commit = 1",
            "SET GLOBAL innodb_buffer_pool_size = 1073741824",
            "CREATE DATABASE bare",
            "CREATE TABLE bare.bare (id BIGINT PRIMARY KEY AUTO_INCREMENT, body LONGBLOB NOT NULL, received_at DATETIME(6) NOT NULL)",
        ] {
            connection.execute(statement).await?;
        }
        connection.close().await?;
        Ok(Self::Server(options.database("bare")))
    }

    /// The name and version of the engine.
    pub(crate) async fn version(&self) -> anyhow::Result<String> {
        Ok(match self {
            Self::Server(options) => {
                let mut connection = options.connect().await?;
                let version: String = sqlx::query_scalar("SELECT VERSION()")
                    .fetch_one(&mut connection)
                    .await?;
                match version.contains("MariaDB") {
                    true => version,
                    false => format!("MySQL {version}"),
                }
            }
            Self::Embedded(options) => {
                let mut connection = options.connect().await?;
                let version: String = sqlx::query_scalar("SELECT sqlite_version()")
                    .fetch_one(&mut connection)
                    .await?;
                format!("SQLite {version}")
            }
        })
    }

    /// A client that inserts rows with this body.
    pub(crate) async fn client(&self, body: Arc<[u8]>) -> anyhow::Result<Bare> {
        Ok(match self {
            Self::Server(options) => Bare::Server(options.connect().await?, body),
            Self::Embedded(options) => Bare::Embedded(options.connect().await?, body),
        })
    }
}

/// A bare client.
pub(crate) enum Bare {
    Server(MySqlConnection, Arc<[u8]>),
    Embedded(SqliteConnection, Arc<[u8]>),
}

impl Client for Bare {
    async fn once(&mut self) -> anyhow::Result<()> {
        const TIME: &str = "2026-03-01 06:40:00.123456";
        match self {
            Self::Server(connection, body) => {
                let query = sqlx::query(INSERT).bind(&body[..]).bind(TIME);
                query.execute(connection).await?;
            }
            Self::Embedded(connection, body) => {
                let query = sqlx::query(INSERT).bind(&body[..]).bind(TIME);
                query.execute(connection).await?;
            }
        }
        Ok(())
    }
}
