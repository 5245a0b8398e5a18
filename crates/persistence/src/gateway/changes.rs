//! Which databases of the gateway were changed, kept in Tidegate's own database for all nodes.

use std::collections::HashMap;

use async_trait::async_trait;
use sea_orm::DbBackend;
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::name::DatabaseName;
use tidegate_domain::gateway::port::SchemaChanges;

use crate::access::Access as _;
use crate::database::Database;
use crate::statement::{change, get, rows};

/// The changes that are noted in a database.
#[derive(Debug, Clone)]
pub struct SchemaChangeStore {
    database: Database,
}

impl SchemaChangeStore {
    /// In this database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl SchemaChanges for SchemaChangeStore {
    async fn note(&self, database: &DatabaseName) -> Result<(), StoreError> {
        let connection = self.database.writer();
        let again = match connection.get_database_backend() {
            DbBackend::Sqlite => "ON CONFLICT (database_name) DO UPDATE SET",
            _ => "ON DUPLICATE KEY UPDATE",
        };
        let sql = format!(
            "INSERT INTO schema_changes (database_name, version) VALUES (?, 1) \
             {again} version = schema_changes.version + 1"
        );
        change(connection, &sql, [database.as_str().into()]).await?;
        Ok(())
    }

    async fn all(&self) -> Result<HashMap<String, i64>, StoreError> {
        let sql = "SELECT database_name, version FROM schema_changes";
        let found = rows(self.database.reader(), sql, []).await?;
        found
            .iter()
            .map(|row| Ok((get(row, 0)?, get(row, 1)?)))
            .collect()
    }
}
