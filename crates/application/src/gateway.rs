//! Databases, database accounts and tables: who may make, see, change and drop them.

use std::sync::Arc;

use tidegate_domain::error::{StoreError, ViolationKind};
use tidegate_domain::gateway::change::{
    DatabaseSummary, DatabaseUser, DatabaseUserDraft, TableChange, TableDraft,
};
use tidegate_domain::gateway::foreign_key::{check_added_foreign_keys, check_foreign_keys};
use tidegate_domain::gateway::name::DatabaseName;
use tidegate_domain::gateway::port::{DatabaseUsers, SchemaCatalog, SchemaEditor};
use tidegate_domain::gateway::schema::{DatabaseSchema, Table};
use tidegate_domain::permission::{Administer, Authorized, ReadRows};

use crate::error::AppError;

/// The use cases of schemas.
pub struct Gateway {
    catalog: Arc<dyn SchemaCatalog>,
    editor: Arc<dyn SchemaEditor>,
    users: Arc<dyn DatabaseUsers>,
    own: String,
}

impl Gateway {
    /// Puts the parts together; `own` is the name of Tidegate's own database, which is reserved.
    pub fn new(
        catalog: Arc<dyn SchemaCatalog>,
        editor: Arc<dyn SchemaEditor>,
        users: Arc<dyn DatabaseUsers>,
        own: String,
    ) -> Self {
        Self {
            catalog,
            editor,
            users,
            own,
        }
    }

    /// All databases.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn list_databases(
        &self,
        _: &Authorized<ReadRows>,
    ) -> Result<Vec<DatabaseSummary>, AppError> {
        Ok(self.catalog.databases().await?)
    }

    /// Makes a database.
    ///
    /// # Errors
    /// A bad or reserved name; a conflict when it exists.
    pub async fn create_database(
        &self,
        _: &Authorized<Administer>,
        name: &str,
    ) -> Result<DatabaseName, AppError> {
        let name = DatabaseName::new(name, &self.own)?;
        match self.editor.create_database(&name).await {
            Err(StoreError::Exists { .. }) => Err(AppError::conflict(
                "database_exists",
                format!("The database {name} already exists"),
            )),
            outcome => Ok(outcome.map(|()| name)?),
        }
    }

    /// Drops a database; one with tables only by `force`.
    ///
    /// # Errors
    /// Not found; a conflict when it is not empty.
    pub async fn drop_database(
        &self,
        _: &Authorized<Administer>,
        name: &str,
        force: bool,
    ) -> Result<(), AppError> {
        let name = self.name(name)?;
        // What counts is what the database holds now, not what the cache remembers.
        let schema = self
            .catalog
            .reload(&name)
            .await?
            .ok_or_else(|| no_database(name.as_str()))?;
        if !force && !schema.tables.is_empty() {
            return Err(AppError::conflict(
                "database_not_empty",
                format!("The database {name} has tables; drop them first, or add `?force=true`"),
            ));
        }
        self.editor
            .drop_database(&name)
            .await
            .map_err(|error| missing(error, || no_database(name.as_str())))
    }

    /// Reads a database's schema anew.
    ///
    /// # Errors
    /// Not found.
    pub async fn reload(&self, _: &Authorized<Administer>, name: &str) -> Result<(), AppError> {
        let name = self.name(name)?;
        self.catalog
            .reload(&name)
            .await?
            .map(drop)
            .ok_or_else(|| no_database(name.as_str()))
    }

    /// The accounts that have privileges in a database.
    ///
    /// # Errors
    /// Not found; unsupported on SQLite.
    pub async fn list_users(
        &self,
        _: &Authorized<Administer>,
        database: &str,
    ) -> Result<Vec<DatabaseUser>, AppError> {
        let schema = self.schema(database).await?;
        Ok(self.users.list(&schema.name).await?)
    }

    /// Makes a database account.
    ///
    /// # Errors
    /// Not found; a conflict when it exists; unsupported on SQLite.
    pub async fn create_user(
        &self,
        _: &Authorized<Administer>,
        database: &str,
        user: &DatabaseUserDraft,
    ) -> Result<(), AppError> {
        let schema = self.schema(database).await?;
        match self.users.create(&schema.name, user).await {
            Err(StoreError::Exists { .. }) => Err(AppError::conflict(
                "database_user_exists",
                format!(
                    "The user {}@{} already exists",
                    user.username.as_str(),
                    user.host.as_str()
                ),
            )),
            outcome => Ok(outcome?),
        }
    }

    /// Makes a database account or, where it exists, gives it the privileges again; says
    /// whether it was made.
    ///
    /// # Errors
    /// Not found; unsupported on SQLite.
    pub async fn create_or_grant_user(
        &self,
        auth: &Authorized<Administer>,
        database: &str,
        user: &DatabaseUserDraft,
    ) -> Result<bool, AppError> {
        match self.create_user(auth, database, user).await {
            Err(AppError::Conflict { .. }) => {
                let schema = self.schema(database).await?;
                self.users.grant(&schema.name, user).await?;
                Ok(false)
            }
            outcome => outcome.map(|()| true),
        }
    }

    /// Takes a database account's privileges in a database away, and the account with its last ones.
    ///
    /// # Errors
    /// Not found; unsupported on SQLite.
    pub async fn remove_user(
        &self,
        _: &Authorized<Administer>,
        database: &str,
        username: &str,
        host: &str,
    ) -> Result<(), AppError> {
        let schema = self.schema(database).await?;
        if self.users.remove(&schema.name, username, host).await? {
            Ok(())
        } else {
            Err(AppError::NotFound(format!(
                "The user {username}@{host} has no privileges in the database {}",
                schema.name
            )))
        }
    }

    /// All tables and views of a database.
    ///
    /// # Errors
    /// Not found.
    pub async fn list_tables(
        &self,
        _: &Authorized<ReadRows>,
        database: &str,
    ) -> Result<Arc<DatabaseSchema>, AppError> {
        self.schema(database).await
    }

    /// One table or view.
    ///
    /// # Errors
    /// Not found.
    pub async fn table(
        &self,
        _: &Authorized<ReadRows>,
        database: &str,
        table: &str,
    ) -> Result<Arc<Table>, AppError> {
        self.find_table(database, table).await
    }

    /// Makes a table.
    ///
    /// # Errors
    /// Not found; foreign keys that point nowhere; a conflict when it exists.
    pub async fn create_table(
        &self,
        _: &Authorized<Administer>,
        database: &str,
        draft: &TableDraft,
    ) -> Result<Arc<Table>, AppError> {
        let schema = self.schema(database).await?;
        let exists = || {
            AppError::conflict(
                "table_exists",
                format!(
                    "The table {} already exists in the database {}",
                    draft.name, schema.name
                ),
            )
        };
        if has_table(&schema, draft.name.as_str()) {
            return Err(exists());
        }
        check_foreign_keys(draft, &schema)?;
        match self.editor.create_table(&schema.name, draft).await {
            Err(StoreError::Exists { .. }) => Err(exists()),
            outcome => Ok(outcome?),
        }
    }

    /// Changes a table.
    ///
    /// # Errors
    /// Not found; changes that do not fit the table; a conflict with rows, keys or another
    /// table's name.
    pub async fn alter_table(
        &self,
        _: &Authorized<Administer>,
        database: &str,
        table: &str,
        change: &TableChange,
    ) -> Result<Arc<Table>, AppError> {
        let current = self.find_table(database, table).await?;
        change.check(&current)?;
        let schema = self.schema(database).await?;
        check_added_foreign_keys(&current, change, &schema)?;
        if let Some(name) = change
            .rename
            .as_ref()
            .filter(|name| !name.as_str().eq_ignore_ascii_case(&current.name))
            && has_table(&schema, name.as_str())
        {
            return Err(AppError::conflict(
                "table_exists",
                format!(
                    "The table {name} already exists in the database {}",
                    schema.name
                ),
            ));
        }
        if change.is_empty() {
            return Ok(current);
        }
        self.editor.alter_table(&current, change).await.map_err(|error| match error {
            StoreError::Constraint(violation) => AppError::conflict(
                "constraint_violated",
                format!("The rows of the table do not allow the change: {violation}"),
            ),
            StoreError::Value(_) => AppError::conflict(
                "values_do_not_fit",
                "Rows of the table hold values that the changed columns cannot hold; change the rows first",
            ),
            error => missing(error, || no_table(database, table)),
        })
    }

    /// Drops a table or view.
    ///
    /// # Errors
    /// Not found; a conflict while other tables refer to it.
    pub async fn drop_table(
        &self,
        _: &Authorized<Administer>,
        database: &str,
        table: &str,
    ) -> Result<(), AppError> {
        let current = self.find_table(database, table).await?;
        self.editor.drop_table(&current).await.map_err(|error| match error {
            StoreError::Constraint(violation) if violation.kind == ViolationKind::ForeignKeyChild => AppError::conflict(
                "table_referenced",
                format!("Other tables refer to the table {table} by foreign keys; drop those first"),
            ),
            error => missing(error, || no_table(database, table)),
        })
    }

    pub(crate) fn name(&self, name: &str) -> Result<DatabaseName, AppError> {
        DatabaseName::existing(name, &self.own).ok_or_else(|| no_database(name))
    }

    /// The schema of a database that exists.
    pub(crate) async fn schema(&self, database: &str) -> Result<Arc<DatabaseSchema>, AppError> {
        let name = self.name(database)?;
        self.catalog
            .schema(&name)
            .await?
            .ok_or_else(|| no_database(database))
    }

    async fn find_table(&self, database: &str, table: &str) -> Result<Arc<Table>, AppError> {
        let schema = self.schema(database).await?;
        schema
            .table(table)
            .cloned()
            .ok_or_else(|| no_table(database, table))
    }
}

/// Table names clash without case, as they do on SQLite and on many MySQL servers.
fn has_table(schema: &DatabaseSchema, name: &str) -> bool {
    let name = name.to_lowercase();
    schema
        .tables
        .iter()
        .any(|table| table.name.to_lowercase() == name)
}

fn no_database(name: &str) -> AppError {
    AppError::NotFound(format!("The database {} does not exist", shown(name)))
}

fn no_table(database: &str, table: &str) -> AppError {
    AppError::NotFound(format!(
        "The table {} does not exist in the database {}",
        shown(table),
        shown(database)
    ))
}

/// A name in a message: what a client sends is cut and freed of control characters.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}

fn missing(error: StoreError, not_found: impl FnOnce() -> AppError) -> AppError {
    match error {
        StoreError::Missing { .. } => not_found(),
        error => error.into(),
    }
}
