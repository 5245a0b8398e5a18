//! Definitions on SQLite. Everything that one request asks for is one transaction.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnection;
use tidegate_domain::error::{StoreError, Violation, ViolationKind};
use tidegate_domain::gateway::change::TableChange;
use tidegate_domain::gateway::name::DatabaseName;
use tidegate_domain::gateway::schema::Table;

use super::super::ddl::model::Change;
use super::super::ddl::sqlite::{column, create_index, create_renewals, create_table, drop_table};
use super::super::ddl::{sqlite_name, sqlite_text};
use super::super::editor::Definitions;
use super::super::pool::{SqliteFiles, SqliteLease};
use super::rebuild;
use super::steps::{
    check_users, drop_indexes, drop_renewals, execute, finish, forget_notes, has_notes, notes,
    rename_columns, texts,
};

/// Definitions in the files of a folder.
pub(crate) struct SqliteDefinitions {
    files: Arc<SqliteFiles>,
}

impl SqliteDefinitions {
    pub(crate) fn new(files: Arc<SqliteFiles>) -> Self {
        Self { files }
    }

    async fn writer(&self, database: &DatabaseName) -> Result<SqliteLease, StoreError> {
        let file = self
            .files
            .get(database)
            .await?
            .ok_or(StoreError::Missing { kind: "database" })?;
        file.writer().await
    }
}

#[async_trait]
impl Definitions for SqliteDefinitions {
    async fn create_database(&self, name: &DatabaseName) -> Result<(), StoreError> {
        self.files.create(name).await.map(drop)
    }

    async fn drop_database(&self, name: &DatabaseName) -> Result<(), StoreError> {
        self.files.remove(name).await
    }

    async fn create_table(&self, table: &Table) -> Result<(), StoreError> {
        let mut statements = vec![create_table(table)?];
        statements.extend(
            table
                .indexes
                .iter()
                .map(|index| create_index(&table.name, index)),
        );
        statements.extend(create_renewals(table));
        let mut lease = self.writer(&table.database).await?;
        execute(&mut lease, "BEGIN IMMEDIATE").await?;
        let done = async {
            // A table of this name that was dropped elsewhere may have left some behind.
            if has_notes(&mut lease).await? {
                statements.push(forget_notes(&table.name));
            }
            statements.extend(notes(table));
            execute(&mut lease, &statements.join("; ")).await
        };
        match done.await {
            Ok(()) => lease.commit().await,
            Err(error) => {
                lease.roll_back().await;
                Err(error)
            }
        }
    }

    async fn alter_table(
        &self,
        current: &Table,
        change: &TableChange,
        outcome: &Change,
    ) -> Result<(), StoreError> {
        let mut lease = self.writer(&current.database).await?;
        let rebuilds = rebuild::is_needed(current, change, outcome);
        if rebuilds {
            // This takes effect only outside a transaction. An error from here on drops the
            // lease, which closes the connection; the next one has foreign keys again.
            execute(&mut lease, "PRAGMA foreign_keys = OFF").await?;
        }
        execute(&mut lease, "BEGIN IMMEDIATE").await?;
        let done = if rebuilds {
            rebuild::rebuild(&mut lease, current, change, outcome).await
        } else {
            alter(&mut lease, current, change, outcome).await
        };
        match done {
            Ok(()) if rebuilds => {
                execute(&mut lease, "COMMIT; PRAGMA foreign_keys = ON").await?;
                lease.end(Ok(()))
            }
            Ok(()) => lease.commit().await,
            Err(error) => {
                if !rebuilds {
                    lease.roll_back().await;
                }
                Err(error)
            }
        }
    }

    async fn drop_table(&self, table: &Table) -> Result<(), StoreError> {
        let mut lease = self.writer(&table.database).await?;
        execute(&mut lease, "BEGIN IMMEDIATE").await?;
        let done = async {
            // SQLite would delete the rows first, and with them what refers to them.
            if let Some(name) = referring_table(&mut lease, &table.name).await? {
                return Err(StoreError::Constraint(Violation {
                    kind: ViolationKind::ForeignKeyChild,
                    name,
                }));
            }
            let mut statements = vec![drop_table(table)];
            if has_notes(&mut lease).await? {
                statements.push(forget_notes(&table.name));
            }
            execute(&mut lease, &statements.join("; ")).await
        }
        .await;
        match done {
            Ok(()) => lease.commit().await,
            Err(error) => {
                lease.roll_back().await;
                Err(error)
            }
        }
    }
}

/// A change that SQLite can make in place. Its own statements look after views and triggers.
async fn alter(
    connection: &mut SqliteConnection,
    current: &Table,
    change: &TableChange,
    outcome: &Change,
) -> Result<(), StoreError> {
    check_users(connection, current, change).await?;
    drop_renewals(connection, &current.name).await?;
    drop_indexes(connection, current, change).await?;
    let head = format!("ALTER TABLE {}", sqlite_name(&current.name));
    for name in &change.drop_columns {
        execute(
            connection,
            &format!("{head} DROP COLUMN {}", sqlite_name(name)),
        )
        .await?;
    }
    rename_columns(connection, current, change).await?;
    for draft in &change.add_columns {
        let added = outcome
            .after
            .columns
            .iter()
            .find(|column| column.name == draft.name.as_str());
        let added = added.ok_or(StoreError::Missing { kind: "column" })?;
        execute(
            connection,
            &format!("{head} ADD COLUMN {}", column(added, &outcome.after)?),
        )
        .await?;
    }
    let indexes: Vec<_> = outcome
        .added_indexes
        .iter()
        .map(|index| create_index(&current.name, index))
        .collect();
    execute(connection, &indexes.join("; ")).await?;
    finish(connection, current, &outcome.after).await
}

/// A table of this database that refers to another one.
async fn referring_table(
    connection: &mut SqliteConnection,
    table: &str,
) -> Result<Option<String>, StoreError> {
    let table = sqlite_text(table);
    let sql = format!(
        "SELECT m.name FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) f \
         WHERE m.type = 'table' AND m.name <> {table} COLLATE NOCASE AND f.\"table\" = {table} COLLATE NOCASE LIMIT 1"
    );
    Ok(texts(connection, sql).await?.pop())
}
