//! Databases, database accounts and tables: who may make, see, change and drop them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};
use tidegate_domain::audit::Action;
use tidegate_domain::error::{StoreError, ViolationKind};
use tidegate_domain::gateway::change::{
    DatabaseSummary, DatabaseUser, DatabaseUserDraft, TableChange, TableDraft,
};
use tidegate_domain::gateway::foreign_key::{check_added_foreign_keys, check_foreign_keys};
use tidegate_domain::gateway::name::DatabaseName;
use tidegate_domain::gateway::port::{DatabaseUsers, SchemaCatalog, SchemaChanges, SchemaEditor};
use tidegate_domain::gateway::schema::{DatabaseSchema, Table};
use tidegate_domain::permission::{Administer, Authorized, ReadRows};

use crate::audit::{Actor, Audit, Done, to_the_end};
use crate::error::AppError;

/// The use cases of schemas; clones share what they know.
#[derive(Clone)]
pub struct Gateway {
    catalog: Arc<dyn SchemaCatalog>,
    editor: Arc<dyn SchemaEditor>,
    users: Arc<dyn DatabaseUsers>,
    changes: Arc<dyn SchemaChanges>,
    // What was known of other nodes' changes last; nothing before the first look.
    seen: Arc<Mutex<Option<HashMap<String, i64>>>>,
    // Held from the noting of a change of this node's own until it counts as seen.
    telling: Arc<tokio::sync::Mutex<()>>,
    own: String,
    audit: Audit,
}

impl Gateway {
    /// Puts the parts together; `own` is the name of Tidegate's own database, which is reserved.
    pub fn new(
        catalog: Arc<dyn SchemaCatalog>,
        editor: Arc<dyn SchemaEditor>,
        users: Arc<dyn DatabaseUsers>,
        changes: Arc<dyn SchemaChanges>,
        own: String,
    ) -> Self {
        Self {
            catalog,
            editor,
            users,
            changes,
            seen: Arc::default(),
            telling: Arc::default(),
            own,
            audit: Audit::nowhere(),
        }
    }

    /// Notes changes there.
    #[must_use]
    pub fn audited(mut self, audit: Audit) -> Self {
        self.audit = audit;
        self
    }

    /// Notes what was done by an administrator. The engine has committed it already.
    async fn note(
        &self,
        auth: &Authorized<Administer>,
        action: Action,
        target: (&'static str, String),
        told: Told,
    ) {
        let actor = Actor::Principal(auth.principal());
        let done = Done::new(actor, action, target.0, target.1);
        let done = match told {
            Told::Nothing => done,
            Told::Before(before) => done.before(before),
            Told::After(after) => done.after(after),
            Told::Changed(before, after) => done.changed(before, after),
        };
        self.audit.note(done).await;
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
        auth: &Authorized<Administer>,
        name: &str,
    ) -> Result<DatabaseName, AppError> {
        let name = DatabaseName::new(name, &self.own)?;
        let (it, auth, new) = (self.clone(), auth.clone(), name.clone());
        let made = to_the_end(async move {
            it.editor.create_database(&new).await?;
            let target = ("database", new.to_string());
            it.note(&auth, Action::DatabaseCreated, target, Told::Nothing)
                .await;
            Ok(())
        });
        match made.await {
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
        auth: &Authorized<Administer>,
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
        let (it, auth, gone) = (self.clone(), auth.clone(), name.clone());
        let dropped = to_the_end(async move {
            it.editor.drop_database(&gone).await?;
            it.announce(&gone).await;
            let tables: Vec<&str> = schema.tables.iter().map(|it| it.name.as_str()).collect();
            let told = Told::Before(json!({"tables": tables}));
            let target = ("database", gone.to_string());
            it.note(&auth, Action::DatabaseDropped, target, told).await;
            Ok(())
        });
        dropped
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
        auth: &Authorized<Administer>,
        database: &str,
        user: &DatabaseUserDraft,
    ) -> Result<(), AppError> {
        let schema = self.schema(database).await?;
        let (it, auth, new) = (self.clone(), auth.clone(), user.clone());
        let made = to_the_end(async move {
            it.users.create(&schema.name, &new).await?;
            it.note_user(&auth, &schema.name, &new).await;
            Ok(())
        });
        match made.await {
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

    async fn note_user(
        &self,
        auth: &Authorized<Administer>,
        database: &DatabaseName,
        user: &DatabaseUserDraft,
    ) {
        let target = (
            "database_user",
            format!("{}@{}", user.username.as_str(), user.host.as_str()),
        );
        let privileges: Vec<&str> = user.privileges.iter().map(|it| it.sql()).collect();
        let told = Told::After(json!({"database": database, "privileges": privileges}));
        self.note(auth, Action::DatabaseUserCreated, target, told)
            .await;
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
                let (it, auth, user) = (self.clone(), auth.clone(), user.clone());
                to_the_end(async move {
                    it.users.grant(&schema.name, &user).await?;
                    it.note_user(&auth, &schema.name, &user).await;
                    Ok(())
                })
                .await?;
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
        auth: &Authorized<Administer>,
        database: &str,
        username: &str,
        host: &str,
    ) -> Result<(), AppError> {
        let schema = self.schema(database).await?;
        let (it, auth) = (self.clone(), auth.clone());
        let (in_database, name, from) = (schema.name.clone(), username.to_owned(), host.to_owned());
        let removed = to_the_end(async move {
            let removed = it.users.remove(&in_database, &name, &from).await?;
            if removed {
                let target = ("database_user", format!("{name}@{from}"));
                let told = Told::Before(json!({"database": in_database}));
                it.note(&auth, Action::DatabaseUserDropped, target, told)
                    .await;
            }
            Ok(removed)
        });
        if removed.await? {
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
        auth: &Authorized<Administer>,
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
        let (it, auth, draft) = (self.clone(), auth.clone(), draft.clone());
        let database = schema.name.clone();
        let made = to_the_end(async move {
            let table = it.editor.create_table(&database, &draft).await?;
            it.announce(&database).await;
            let target = table_target(&database, &table.name);
            let told = Told::After(shape(&table));
            it.note(&auth, Action::TableCreated, target, told).await;
            Ok(table)
        });
        match made.await {
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
        auth: &Authorized<Administer>,
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
        let (it, auth, change) = (self.clone(), auth.clone(), change.clone());
        let changed = to_the_end(async move {
            let changed = it.editor.alter_table(&current, &change).await?;
            it.announce(&schema.name).await;
            let target = table_target(&schema.name, &current.name);
            let told = Told::Changed(shape(&current), shape(&changed));
            it.note(&auth, Action::TableChanged, target, told).await;
            Ok(changed)
        });
        changed.await.map_err(|error| match error {
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
        auth: &Authorized<Administer>,
        database: &str,
        table: &str,
    ) -> Result<(), AppError> {
        let current = self.find_table(database, table).await?;
        let (it, auth) = (self.clone(), auth.clone());
        let dropped = to_the_end(async move {
            it.editor.drop_table(&current).await?;
            it.announce(&current.database).await;
            let target = table_target(&current.database, &current.name);
            let told = Told::Before(shape(&current));
            it.note(&auth, Action::TableDropped, target, told).await;
            Ok(())
        });
        dropped.await.map_err(|error| match error {
            StoreError::Constraint(violation)
                if violation.kind == ViolationKind::ForeignKeyChild =>
            {
                AppError::conflict(
                    "table_referenced",
                    format!(
                        "Other tables refer to the table {table} by foreign keys; drop those first"
                    ),
                )
            }
            error => missing(error, || no_table(database, table)),
        })
    }

    /// Whether there is a database of this name.
    ///
    /// # Errors
    /// That the engine does not answer.
    pub async fn has_database<P>(&self, _: &Authorized<P>, name: &str) -> Result<bool, AppError> {
        let Some(name) = DatabaseName::existing(name, &self.own) else {
            return Ok(false);
        };
        Ok(self.catalog.schema(&name).await?.is_some())
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

    /// Looks into the schema of a database. What is `unknown` there is looked for once more in a
    /// newer description, if there is one: another node may have changed the schema.
    pub(crate) async fn look<T, E: Into<AppError>>(
        &self,
        database: &str,
        look: impl Fn(&DatabaseSchema) -> Result<T, E>,
        unknown: impl Fn(&E) -> bool,
    ) -> Result<T, AppError> {
        let schema = self.schema(database).await?;
        match look(&schema) {
            Err(error) if unknown(&error) => match self.newer(&schema).await? {
                Some(newer) => look(&newer).map_err(Into::into),
                None => Err(error.into()),
            },
            outcome => outcome.map_err(Into::into),
        }
    }

    /// A description that is newer than this one, if there is one.
    async fn newer(
        &self,
        known: &Arc<DatabaseSchema>,
    ) -> Result<Option<Arc<DatabaseSchema>>, StoreError> {
        let changes = self.changes.all().await?;
        let version = changes.get(known.name.as_str()).copied();
        let seen = self.seen().unwrap_or_default();
        if version == seen.get(known.name.as_str()).copied() {
            // Nobody told of a change, so it is looked for only now and then.
            return self.catalog.newer(known).await;
        }
        let newer = self.catalog.reload(&known.name).await?;
        self.saw(known.name.as_str(), version);
        Ok(newer)
    }

    /// Reads anew what other nodes changed since the last call. To be called every few seconds.
    ///
    /// # Errors
    /// When a database fails; what was not read is read by the next call. Reading a large schema
    /// takes its time, and whoever breaks it off has it begun anew.
    pub async fn follow_changes(&self) -> Result<(), StoreError> {
        let (now, seen) = {
            let _telling = self.telling.lock().await;
            (self.changes.all().await?, self.seen())
        };
        let Some(seen) = seen else {
            // Nothing was read before the first look that could be old.
            *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
            return Ok(());
        };
        let mut outcome = Ok(());
        for (name, version) in now {
            if seen.get(&name) == Some(&version) {
                continue;
            }
            // One that cannot be read keeps nobody from learning of the others.
            if let Some(database) = DatabaseName::existing(&name, &self.own)
                && let Err(error) = self.catalog.reload(&database).await
            {
                outcome = Err(error);
                continue;
            }
            self.saw(&name, Some(version));
        }
        outcome
    }

    /// Reads the databases anew that are in use. To be called now and then.
    ///
    /// # Errors
    /// When a database fails; the others are read all the same.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        self.catalog.refresh().await
    }

    fn saw(&self, name: &str, version: Option<i64>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(seen), Some(version)) = (seen.as_mut(), version) {
            seen.insert(name.to_owned(), version);
        }
    }

    fn seen(&self) -> Option<HashMap<String, i64>> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }

    /// Tells other nodes of a change that was made. That it cannot be told is no reason to say
    /// that it was not made.
    async fn announce(&self, database: &DatabaseName) {
        let _telling = self.telling.lock().await;
        let noted = match self.changes.note(database).await {
            Ok(()) => self.changes.all().await,
            Err(error) => Err(error),
        };
        match noted {
            Ok(now) => self.saw_own(database.as_str(), &now),
            Err(error) => {
                tracing::warn!(%error, %database, "other nodes were not told of a changed schema");
            }
        }
    }

    /// After a change of this node's own its description is new already. Unless another node
    /// changed something meanwhile, there is nothing more to read.
    fn saw_own(&self, name: &str, now: &HashMap<String, i64>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(seen), Some(&version)) = (seen.as_mut(), now.get(name))
            && version == seen.get(name).copied().unwrap_or(0) + 1
        {
            seen.insert(name.to_owned(), version);
        }
    }

    async fn find_table(&self, database: &str, table: &str) -> Result<Arc<Table>, AppError> {
        let look = |schema: &DatabaseSchema| schema.table(table).cloned();
        self.look(
            database,
            |schema| look(schema).ok_or_else(|| no_table(database, table)),
            |_| true,
        )
        .await
    }
}

/// What the audit trail tells of a change.
enum Told {
    Nothing,
    Before(Value),
    After(Value),
    Changed(Value, Value),
}

fn table_target(database: &DatabaseName, table: &str) -> (&'static str, String) {
    ("table", format!("{database}.{table}"))
}

/// What a table is made of, as the audit trail tells it.
fn shape(table: &Table) -> Value {
    let columns = table.columns.iter().map(|column| {
        let kind = column.column_type.to_string();
        (column.name.clone(), Value::String(kind))
    });
    let columns: Map<String, Value> = columns.collect();
    json!({"name": table.name, "columns": columns, "primary_key": table.primary_key})
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
