//! The databases of a server, as backups need to know them.

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Row as _};
use tidegate_domain::error::StoreError;

use crate::database::parse_url;
use crate::engine::{Engine, Server};
use crate::error::store_error;
use crate::gateway::mysql_name;

/// A table of the own database, there while a backup is being restored.
pub(crate) const UNFINISHED_TABLE: &str = "tidegate_restore_unfinished";

/// What a database is before something is put into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// There is none.
    Nothing,
    /// It holds no tables.
    Empty,
    /// It holds some.
    Filled,
}

/// One connection to a server.
pub struct ServerDatabases {
    connection: MySqlConnection,
    own: String,
    engine: Engine,
}

impl ServerDatabases {
    /// Connects to the server of a URL; its database, which is Tidegate's own, may be missing.
    ///
    /// # Errors
    /// A wrong URL; a server that is away or refuses.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let (options, own) = parse_url(url).map_err(|error| StoreError::Internal(error.into()))?;
        Self::open(options.database(""), own)
            .await
            .map_err(store_error)
    }

    async fn open(options: MySqlConnectOptions, own: String) -> Result<Self, sqlx::Error> {
        let mut connection = options.connect().await?;
        let version: String = sqlx::query_scalar("SELECT VERSION()")
            .fetch_one(&mut connection)
            .await?;
        Ok(Self {
            connection,
            own,
            engine: Server::parse(&version).engine,
        })
    }

    /// The name of Tidegate's own database.
    pub fn own(&self) -> &str {
        &self.own
    }

    /// Which kind of server it is.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The collation that is usual in a database; `None` when there is no such database.
    ///
    /// # Errors
    /// What the server says.
    pub async fn collation(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT CAST(default_collation_name AS CHAR) FROM information_schema.schemata \
             WHERE schema_name = ?";
        sqlx::query_scalar(sql)
            .bind(name)
            .fetch_optional(&mut self.connection)
            .await
            .map_err(store_error)
    }

    /// What is there under a name.
    ///
    /// # Errors
    /// What the server says.
    pub async fn look(&mut self, name: &str) -> Result<Found, StoreError> {
        if self.collation(name).await?.is_none() {
            return Ok(Found::Nothing);
        }
        let sql = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = ?";
        let row = sqlx::query(sql)
            .bind(name)
            .fetch_one(&mut self.connection)
            .await
            .map_err(store_error)?;
        let tables: i64 = row.try_get(0).map_err(store_error)?;
        Ok(if tables == 0 {
            Found::Empty
        } else {
            Found::Filled
        })
    }

    /// Drops a database with all it holds.
    ///
    /// # Errors
    /// What the server says.
    pub async fn drop_database(&mut self, name: &str) -> Result<(), StoreError> {
        self.execute(format!("DROP DATABASE IF EXISTS {}", mysql_name(name)))
            .await
    }

    /// Makes an empty database.
    ///
    /// # Errors
    /// What the server says; a collation whose name is none.
    pub async fn create_database(&mut self, name: &str, collation: &str) -> Result<(), StoreError> {
        if !collation
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_')
        {
            return Err(StoreError::Unsupported(format!(
                "{collation} is no collation"
            )));
        }
        let name = mysql_name(name);
        self.execute(format!("CREATE DATABASE {name} COLLATE {collation}"))
            .await
    }

    /// Notes in the own database that a restore is under way: until [`Self::finish`] no program
    /// works on it, also after a crash.
    ///
    /// # Errors
    /// What the server says.
    pub async fn begin(&mut self) -> Result<(), StoreError> {
        let own = mysql_name(&self.own);
        self.execute(format!(
            "CREATE TABLE {own}.{UNFINISHED_TABLE} (id INT PRIMARY KEY)"
        ))
        .await
    }

    /// All databases are there.
    ///
    /// # Errors
    /// What the server says.
    pub async fn finish(&mut self) -> Result<(), StoreError> {
        let own = mysql_name(&self.own);
        self.execute(format!("DROP TABLE {own}.{UNFINISHED_TABLE}"))
            .await
    }

    async fn execute(&mut self, sql: String) -> Result<(), StoreError> {
        self.connection
            .execute(AssertSqlSafe(sql))
            .await
            .map(drop)
            .map_err(store_error)
    }

    /// Ends the connection.
    pub async fn close(self) {
        // What was asked was answered; how the connection ends is the same to everybody.
        drop(self.connection.close().await);
    }
}
