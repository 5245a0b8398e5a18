//! The port [`SchemaEditor`] on every engine: one change of a database after the other, each
//! finished even when whoever asked for it goes away, and the catalogue new afterwards.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_trait::async_trait;
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::change::{TableChange, TableDraft};
use tidegate_domain::gateway::name::DatabaseName;
use tidegate_domain::gateway::port::{SchemaCatalog, SchemaEditor};
use tidegate_domain::gateway::schema::{DatabaseSchema, Table, TableKind};
use tidegate_domain::request::Current;

use super::catalog::Catalog;
use super::ddl::guard;
use super::ddl::model::{self, Change};
use super::mysql::define::MySqlDefinitions;
use super::pool::{MySqlPool, SqliteFiles};
use super::sqlite::define::SqliteDefinitions;

/// What an engine has to do, after everything was checked that is alike on all of them.
#[async_trait]
pub(crate) trait Definitions: Send + Sync {
    async fn create_database(&self, name: &DatabaseName) -> Result<(), StoreError>;
    async fn drop_database(&self, name: &DatabaseName) -> Result<(), StoreError>;
    async fn create_table(&self, table: &Table) -> Result<(), StoreError>;
    async fn alter_table(
        &self,
        current: &Table,
        change: &TableChange,
        outcome: &Change,
    ) -> Result<(), StoreError>;
    async fn drop_table(&self, table: &Table) -> Result<(), StoreError>;
}

/// Changes the schemas of all databases of the gateway.
pub struct Editor {
    shared: Arc<Shared>,
}

struct Shared {
    definitions: Box<dyn Definitions>,
    catalog: Arc<Catalog>,
    turns: Mutex<HashMap<DatabaseName, Weak<tokio::sync::Mutex<()>>>>,
}

impl Editor {
    /// Changes on a MySQL or MariaDB server.
    pub fn mysql(pool: MySqlPool, catalog: Arc<Catalog>) -> Self {
        Self::over(Box::new(MySqlDefinitions::new(pool)), catalog)
    }

    /// Changes of the databases in a folder.
    pub fn sqlite(files: Arc<SqliteFiles>, catalog: Arc<Catalog>) -> Self {
        Self::over(Box::new(SqliteDefinitions::new(files)), catalog)
    }

    fn over(definitions: Box<dyn Definitions>, catalog: Arc<Catalog>) -> Self {
        Self {
            shared: Arc::new(Shared {
                definitions,
                catalog,
                turns: Mutex::default(),
            }),
        }
    }

    /// Runs a change in its turn, and to its end: a change that was cut off half way would
    /// leave a catalogue that is wrong.
    async fn in_turn<T, F>(
        &self,
        database: &DatabaseName,
        change: impl FnOnce(Arc<Shared>) -> F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let turn = self.shared.turn(database);
        let work = change(Arc::clone(&self.shared));
        let task = tokio::spawn(Current::here().carry(Box::pin(async move {
            let _turn = turn.lock().await;
            work.await
        })));
        task.await
            .unwrap_or_else(|error| Err(StoreError::Internal(error.into())))
    }
}

impl Shared {
    fn turn(&self, database: &DatabaseName) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(database).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        turns.insert(database.clone(), Arc::downgrade(&turn));
        turn
    }

    async fn schema(&self, database: &DatabaseName) -> Result<Arc<DatabaseSchema>, StoreError> {
        self.catalog
            .schema(database)
            .await?
            .ok_or(StoreError::Missing { kind: "database" })
    }

    async fn described(
        &self,
        database: &DatabaseName,
        table: &str,
    ) -> Result<Arc<Table>, StoreError> {
        let described = self.catalog.reload_table(database, table).await?;
        described.ok_or(StoreError::Missing { kind: "table" })
    }
}

#[async_trait]
impl SchemaEditor for Editor {
    async fn create_database(&self, name: &DatabaseName) -> Result<(), StoreError> {
        let asked = name.clone();
        self.in_turn(name, |shared| async move {
            shared.definitions.create_database(&asked).await?;
            shared.catalog.reload(&asked).await.map(drop)
        })
        .await
    }

    async fn drop_database(&self, name: &DatabaseName) -> Result<(), StoreError> {
        let asked = name.clone();
        self.in_turn(name, |shared| async move {
            shared.definitions.drop_database(&asked).await?;
            shared.catalog.forget(&asked);
            Ok(())
        })
        .await
    }

    async fn create_table(
        &self,
        database: &DatabaseName,
        table: &TableDraft,
    ) -> Result<Arc<Table>, StoreError> {
        let table = model::table(database, table);
        self.in_turn(database, |shared| async move {
            // Names clash without case, also where the server tells them apart.
            let name = table.name.to_lowercase();
            let schema = shared.schema(&table.database).await?;
            if schema
                .tables
                .iter()
                .any(|other| other.name.to_lowercase() == name)
            {
                return Err(StoreError::Exists { kind: "table" });
            }
            shared.definitions.create_table(&table).await?;
            shared.described(&table.database, &table.name).await
        })
        .await
    }

    async fn alter_table(
        &self,
        current: &Table,
        change: &TableChange,
    ) -> Result<Arc<Table>, StoreError> {
        if current.kind == TableKind::View {
            return Err(StoreError::Unsupported(
                "a view cannot be changed; drop it and make it anew".to_owned(),
            ));
        }
        let (current, change) = (current.clone(), change.clone());
        let database = current.database.clone();
        self.in_turn(&database, |shared| async move {
            let outcome = model::change(&current, &change);
            let schema = shared.schema(&current.database).await?;
            guard::check_change(&schema, &current, &change, &outcome)?;
            if change.rename.is_some()
                && schema
                    .table(&outcome.after.name)
                    .is_some_and(|_| outcome.after.name != current.name)
            {
                return Err(StoreError::Exists { kind: "table" });
            }
            let done = if change.is_empty() {
                Ok(())
            } else {
                shared
                    .definitions
                    .alter_table(&current, &change, &outcome)
                    .await
            };
            // Foreign keys of others follow new names of the table and of its columns.
            if change.rename.is_some() || !change.rename_columns.is_empty() {
                shared.catalog.reload(&current.database).await?;
            }
            if done.is_err() {
                // A server may have done the first of several steps.
                shared
                    .catalog
                    .reload_table(&current.database, &current.name)
                    .await
                    .ok();
            }
            done?;
            shared
                .described(&current.database, &outcome.after.name)
                .await
        })
        .await
    }

    async fn drop_table(&self, table: &Table) -> Result<(), StoreError> {
        let (table, database) = (table.clone(), table.database.clone());
        self.in_turn(&database, |shared| async move {
            guard::check_drop(&*shared.schema(&table.database).await?, &table.name)?;
            let done = shared.definitions.drop_table(&table).await;
            shared
                .catalog
                .reload_table(&table.database, &table.name)
                .await?;
            done
        })
        .await
    }
}
