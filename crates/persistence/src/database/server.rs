//! The own database on a MySQL or MariaDB server.

use std::pin::pin;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::DatabaseConnection;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlPool, MySqlPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use tidegate_domain::error::StoreError;
use tokio::sync::OnceCell;

use super::pools::{EXCLUSIVE_WAIT, Exclusive};
use super::{DatabaseOptions, OpenError, Pools, tls};
use crate::engine::{Engine, Server};
use crate::error::store_error;
use crate::measure::{ACQUIRE_LEVEL, PoolStatus, measured};

/// What every session is set to: a lock is not waited for longer than clients wait, values are refused rather than bent, and a transaction
/// sees what others have committed, so that a statement that waited for a lock decides by
/// the present state. Texts keep their meaning: no ANSI_QUOTES, no NO_BACKSLASH_ESCAPES.
const SESSION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; \
     SET SESSION innodb_lock_wait_timeout = 10; \
     SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'";

/// The pool of a server.
pub(super) struct ServerPool {
    pool: MySqlPool,
    connection: DatabaseConnection,
    connect: MySqlConnectOptions,
    name: String,
    patience: Duration,
    server: OnceCell<Server>,
}

impl ServerPool {
    pub(super) async fn open(url: &str, options: &DatabaseOptions) -> Result<Self, OpenError> {
        let (connect, name) = parse(url)?;
        let pool = MySqlPoolOptions::new()
            .max_connections(options.max_connections.max(1))
            .acquire_timeout(options.acquire_timeout)
            .idle_timeout(options.idle_timeout)
            .max_lifetime(options.max_lifetime)
            .acquire_time_level(ACQUIRE_LEVEL)
            .after_connect(|connection, _| {
                Box::pin(async move { connection.execute(SESSION).await.map(drop) })
            })
            .connect_lazy_with(connect.clone());
        let opened = Self {
            connection: measured(pool.clone().into()),
            pool,
            connect,
            name,
            patience: options.acquire_timeout,
            server: OnceCell::new(),
        };
        match opened.create_and_warm().await {
            Ok(()) => Ok(opened),
            Err(StoreError::Unavailable(cause)) => {
                tracing::warn!(error = %cause, "the database server does not answer yet");
                Ok(opened)
            }
            Err(StoreError::Internal(cause)) => Err(match cause.downcast::<OpenError>() {
                Ok(refusal) => *refusal,
                Err(cause) => OpenError::Refused(with_cause(&StoreError::Internal(cause))),
            }),
            Err(error) => Err(OpenError::Refused(with_cause(&error))),
        }
    }

    /// [`Self::create_if_missing`], while the pool's first connections are opened: each takes many
    /// round trips, and all would be waited for one after the other.
    async fn create_and_warm(&self) -> Result<(), StoreError> {
        let mut warm = pin!(self.warm());
        let mut created = pin!(self.create_if_missing());
        tokio::select! {
            () = &mut warm => created.await,
            outcome = &mut created => {
                // A server that is there answers those, too. Logins that break off before that
                // would count against this host.
                if !matches!(outcome, Err(StoreError::Unavailable(_))) {
                    warm.await;
                }
                outcome
            }
        }
    }

    /// Opens two connections: the pool tests one for a moment after each use, so that statements
    /// that follow each other closely take turns. What goes wrong is told to who needs them.
    async fn warm(&self) {
        let open = || async { drop(self.pool.acquire().await) };
        tokio::join!(open(), open());
    }

    /// One connection outside the pool, within the time a call may wait.
    async fn connect(&self, options: &MySqlConnectOptions) -> Result<MySqlConnection, StoreError> {
        match tokio::time::timeout(self.patience, options.connect()).await {
            Ok(result) => result.map_err(|error| match tls::refusal(&error) {
                Some(refusal) => StoreError::Internal(refusal.into()),
                None => store_error(error),
            }),
            Err(_) => Err(store_error(sqlx::Error::PoolTimedOut)),
        }
    }

    /// Creates the database where the server says that there is none; an account that
    /// may not is fine as long as the database is there.
    async fn create_if_missing(&self) -> Result<(), StoreError> {
        match self.connect(&self.connect).await {
            Ok(connection) => return connection.close().await.map_err(store_error),
            Err(StoreError::Missing { .. }) => {}
            Err(error) => return Err(error),
        }
        let mut connection = self.connect(&self.connect.clone().database("")).await?;
        let version: String = sqlx::query_scalar("SELECT VERSION()")
            .fetch_one(&mut connection)
            .await
            .map_err(store_error)?;
        let name = self.name.replace('`', "``");
        let collation = Server::parse(&version).engine.binary_collation();
        let statement = format!(
            "CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4 COLLATE {collation}"
        );
        connection
            .execute(AssertSqlSafe(statement))
            .await
            .map_err(store_error)?;
        tracing::info!(database = %self.name, "created the database");
        connection.close().await.map_err(store_error)
    }
}

/// How to connect, and the name of the database, from a URL.
pub(crate) fn parse(url: &str) -> Result<(MySqlConnectOptions, String), OpenError> {
    // The text itself is not repeated: it holds a password.
    let fault = |detail: &str| Err(OpenError::Url(detail.to_owned()));
    if !["mysql://", "mariadb://"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
    {
        return fault("must begin with mysql:// (mysql://user:password@host:port/database)");
    }
    let options = match MySqlConnectOptions::from_str(url) {
        Ok(options) => options,
        Err(error) => return fault(&format!("cannot be read: {error}")),
    };
    let name = match options.get_database() {
        Some(name) if !name.is_empty() && !name.contains('/') => name.to_owned(),
        _ => return fault("must end with the name of a database, such as /tidegate"),
    };
    if name.chars().count() > 64 || name.chars().any(char::is_control) {
        return fault("names a database whose name no server takes");
    }
    let options = options
        .charset("utf8mb4")
        // The session's modes are set as a whole after connecting.
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone(Some(String::from("+00:00")))
        .disable_statement_logging();
    Ok((options, name))
}

fn with_cause(error: &StoreError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

#[async_trait]
impl Pools for ServerPool {
    fn reader(&self) -> &DatabaseConnection {
        &self.connection
    }

    fn writer(&self) -> &DatabaseConnection {
        &self.connection
    }

    async fn ping(&self) -> Result<(), StoreError> {
        // Taking a connection from the pool tests it, or makes a new one.
        self.pool.acquire().await.map(drop).map_err(store_error)
    }

    async fn engine(&self) -> Result<Engine, StoreError> {
        let server = self
            .server
            .get_or_try_init(|| async {
                let version: String =
                    sqlx::query_scalar("SELECT VERSION()").fetch_one(&self.pool).await.map_err(store_error)?;
                let server = Server::parse(&version);
                if !server.is_supported() {
                    tracing::warn!(%version, "this database server is older than what Tidegate is made for");
                }
                Ok::<_, StoreError>(server)
            })
            .await?;
        Ok(server.engine)
    }

    fn name(&self) -> Option<&str> {
        Some(&self.name)
    }

    async fn exclusive(&self) -> Result<Exclusive, StoreError> {
        self.create_if_missing().await?;
        // The lock belongs to the connection, so there is one, and it is never replaced.
        let pool = MySqlPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(self.patience)
            .idle_timeout(None)
            .max_lifetime(None)
            .after_connect(|connection, _| {
                Box::pin(async move { connection.execute(SESSION).await.map(drop) })
            })
            .connect_lazy_with(self.connect.clone());
        let got: Option<i64> = sqlx::query_scalar(
            "SELECT GET_LOCK(CONCAT('tidegate ', LEFT(SHA2(DATABASE(), 256), 32)), ?)",
        )
        .bind(EXCLUSIVE_WAIT.as_secs())
        .fetch_one(&pool)
        .await
        .map_err(store_error)?;
        if got != Some(1) {
            return Err(StoreError::Unavailable(
                "another process is changing the schema".into(),
            ));
        }
        Ok(Exclusive {
            connection: pool.into(),
            _lock: None,
        })
    }

    fn status(&self) -> PoolStatus {
        PoolStatus::of(&self.pool)
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_url_is_explained_without_repeating_it() {
        for (url, part) in [
            ("postgres://u:secret@h/d", "mysql://"),
            ("mysql://u:secret@h:3306", "name of a database"),
            ("mysql://u:secret@h:3306/", "name of a database"),
            ("mysql://u:secret@h:99999/d", "cannot be read"),
            ("mysql://u:secret@h/a/b", "name of a database"),
        ] {
            let text = parse(url).unwrap_err().to_string();
            assert!(
                text.contains(part) && !text.contains("secret"),
                "{url}: {text}"
            );
        }
        assert_eq!(parse("mysql://u:p@h/tide%20gate").unwrap().1, "tide gate");
    }

    #[tokio::test]
    async fn a_dead_server_at_start_is_no_error_but_calls_are_unavailable() {
        let options = DatabaseOptions {
            acquire_timeout: Duration::from_millis(200),
            ..DatabaseOptions::new(Some("mysql://u:p@127.0.0.1:1/d".into()), "unused")
        };
        let database = super::super::Database::open(options).await.unwrap();
        assert!(matches!(
            database.ping().await,
            Err(StoreError::Unavailable(_))
        ));
        assert!(matches!(
            database.engine().await,
            Err(StoreError::Unavailable(_))
        ));
        assert_eq!(database.name(), Some("d"));
    }
}
