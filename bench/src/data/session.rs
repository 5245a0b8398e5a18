//! Connections of the harness itself, by which data are made.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use sqlx::mysql::MySqlConnection;

/// Signs in once over TLS. MySQL takes a password that it has not seen since its start from
/// nobody else; after that it knows its digest.
pub(crate) async fn introduce(server: &str) -> anyhow::Result<()> {
    let connection = <MySqlConnection as sqlx::Connection>::connect(server).await?;
    Ok(sqlx::Connection::close(connection).await?)
}

/// A connection of the harness itself.
pub(crate) enum Session {
    Server(Conn),
    Embedded(rusqlite::Connection),
}

impl Session {
    pub(crate) async fn run(&mut self, statement: &str) -> anyhow::Result<()> {
        match self {
            Self::Server(conn) => conn.query_drop(statement).await?,
            Self::Embedded(connection) => connection.execute_batch(statement)?,
        }
        Ok(())
    }

    /// What makes filling fast and is undone by [`Session::finish`].
    pub(crate) async fn prepare(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Server(conn) => {
                conn.query_drop("SET GLOBAL innodb_flush_log_at_trx_commit = 2")
                    .await?;
                conn.query_drop("SET GLOBAL innodb_buffer_pool_size = 1073741824")
                    .await?;
                // MariaDB and servers before 8.0.30 do not know it; they are slower then.
                let _ = conn
                    .query_drop("SET GLOBAL innodb_redo_log_capacity = 1073741824")
                    .await;
                conn.query_drop("SET unique_checks = 0, foreign_key_checks = 0")
                    .await?;
            }
            Self::Embedded(connection) => {
                connection.execute_batch("PRAGMA synchronous = OFF; BEGIN IMMEDIATE")?;
            }
        }
        Ok(())
    }

    /// From here on every commit is on the disk before it is confirmed.
    pub(crate) async fn finish(mut self) -> anyhow::Result<()> {
        match &mut self {
            Self::Server(conn) => {
                conn.query_drop("SET GLOBAL innodb_flush_log_at_trx_commit = 1")
                    .await?;
            }
            Self::Embedded(connection) => {
                connection.execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)")?;
            }
        }
        self.close().await
    }

    pub(super) async fn close(self) -> anyhow::Result<()> {
        if let Self::Server(conn) = self {
            conn.disconnect().await?;
        }
        Ok(())
    }
}
