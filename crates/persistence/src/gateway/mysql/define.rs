//! Definitions on MySQL and MariaDB.

use async_trait::async_trait;
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Executor, Row};
use tidegate_domain::error::{StoreError, Violation, ViolationKind};
use tidegate_domain::gateway::change::TableChange;
use tidegate_domain::gateway::name::DatabaseName;
use tidegate_domain::gateway::schema::Table;

use super::super::ddl::model::Change;
use super::super::ddl::mysql::{Dialect, drop_table, qualified};
use super::super::ddl::mysql_name;
use super::super::editor::Definitions;
use super::super::pool::{MySqlLease, MySqlPool};
use crate::engine::Engine;
use crate::error::store_error;
use crate::measure::Running;

/// Definitions on a server.
pub(crate) struct MySqlDefinitions {
    pool: MySqlPool,
}

impl MySqlDefinitions {
    pub(crate) fn new(pool: MySqlPool) -> Self {
        Self { pool }
    }

    /// A connection that is alive and does not wait for ever for others to let go of a
    /// table: the servers' default is a year.
    async fn lease(&self) -> Result<(MySqlLease, Dialect), StoreError> {
        let mut lease = self
            .pool
            .begin("SET SESSION lock_wait_timeout = 30")
            .await?;
        let engine = lease.server().engine;
        let explicit_timestamps = engine != Engine::MariaDb
            || explicit_timestamps(&mut lease).await.map_err(store_error)?;
        Ok((
            lease,
            Dialect {
                engine,
                explicit_timestamps,
            },
        ))
    }

    async fn run(&self, statement: String) -> Result<(), StoreError> {
        let (mut lease, _) = self.lease().await?;
        let outcome = execute(&mut lease, statement).await;
        lease.end(outcome)
    }
}

/// Makes the session leave `timestamp` columns alone that have no default, where the server
/// lets it; tells whether they are left alone.
async fn explicit_timestamps(connection: &mut MySqlConnection) -> Result<bool, sqlx::Error> {
    // Refused by servers (before MariaDB 10.8.4) where it is fixed at start.
    let set = connection
        .execute(sqlx::raw_sql(
            "SET SESSION explicit_defaults_for_timestamp = ON",
        ))
        .await;
    if let Err(error) = set
        && !matches!(error, sqlx::Error::Database(_))
    {
        return Err(error);
    }
    let row = connection
        .fetch_one(sqlx::raw_sql("SELECT @@explicit_defaults_for_timestamp"))
        .await?;
    Ok(row.try_get_unchecked::<i64, _>(0)? != 0)
}

async fn execute(connection: &mut MySqlConnection, statement: String) -> Result<(), sqlx::Error> {
    let _running = Running::of(&statement);
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(statement)))
        .await
        .map(drop)
}

#[async_trait]
impl Definitions for MySqlDefinitions {
    async fn create_database(&self, name: &DatabaseName) -> Result<(), StoreError> {
        let (mut lease, dialect) = self.lease().await?;
        let outcome = execute(&mut lease, dialect.create_database(name.as_str())).await;
        lease.end(outcome)
    }

    async fn drop_database(&self, name: &DatabaseName) -> Result<(), StoreError> {
        self.run(format!("DROP DATABASE {}", mysql_name(name.as_str())))
            .await
    }

    async fn create_table(&self, table: &Table) -> Result<(), StoreError> {
        let (mut lease, dialect) = self.lease().await?;
        let mut outcome = Ok(());
        for (number, statement) in dialect.create_table(table)?.into_iter().enumerate() {
            outcome = execute(&mut lease, statement).await;
            if outcome.is_err() {
                if number > 0 {
                    // Best effort: the connection may be the reason.
                    let _ = execute(&mut lease, drop_table(table)).await;
                }
                break;
            }
        }
        lease.end(outcome)
    }

    async fn alter_table(
        &self,
        current: &Table,
        change: &TableChange,
        outcome: &Change,
    ) -> Result<(), StoreError> {
        let (mut lease, dialect) = self.lease().await?;
        let statements = dialect.alter_table(current, change, outcome)?;
        // The servers would fill such a column with zeros and empty texts in every row.
        let needs_values = |draft: &&tidegate_domain::gateway::change::ColumnDraft| {
            let column = outcome
                .after
                .columns
                .iter()
                .find(|column| column.name == draft.name.as_str());
            column.is_some_and(|column| {
                !column.nullable && column.default.is_none() && !column.auto_increment
            })
        };
        if let Some(draft) = change.add_columns.iter().find(needs_values) {
            let sql = format!("SELECT 1 FROM {} LIMIT 1", qualified(current));
            let row = lease
                .fetch_optional(sqlx::raw_sql(AssertSqlSafe(sql)))
                .await;
            match row {
                Ok(None) => {}
                Ok(Some(_)) => {
                    lease.end(Ok(()))?;
                    let name = draft.name.as_str().to_owned();
                    return Err(StoreError::Constraint(Violation {
                        kind: ViolationKind::NotNull,
                        name,
                    }));
                }
                Err(error) => return lease.end(Err(error)),
            }
        }
        let mut done = Ok(());
        for statement in statements {
            done = execute(&mut lease, statement).await;
            if done.is_err() {
                break;
            }
        }
        lease.end(done)
    }

    async fn drop_table(&self, table: &Table) -> Result<(), StoreError> {
        self.run(drop_table(table)).await
    }
}
