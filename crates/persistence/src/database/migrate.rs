//! Changing the schema of the own database: forth, back, anew.

use sea_orm::{DatabaseConnection, DbBackend, DbErr};
use thiserror::Error;
use tidegate_domain::error::StoreError;
use tidegate_migrations::{MigrationStatus, Migrator, MigratorTraitSelf as _};

use super::Database;
use super::pools::Exclusive;
use crate::audit;
use crate::backup::UNFINISHED_TABLE;
use crate::error::db_err;
use crate::statement::row;

/// How far to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// All steps.
    All,
    /// So many steps.
    Steps(u32),
    /// Until the named step is the last one applied.
    To(String),
}

/// A step and whether it was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationState {
    /// The step's name.
    pub name: String,
    /// Whether the schema has it.
    pub applied: bool,
}

/// Why the schema could not be changed.
#[derive(Debug, Error)]
pub enum MigrateError {
    /// There is no step of this name, or going to it means the other direction.
    #[error("{0}")]
    Target(String),
    /// The database knows steps that this program does not: it was used by a newer one.
    #[error("the database was changed by a newer version of this program: {0}")]
    Newer(String),
    /// A backup was restored by half.
    #[error("restoring a backup was interrupted; do it again: `tidegate restore`")]
    Restoring,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Keeps every other process from changing the schema, until it is released or dropped.
pub struct SchemaLock(Exclusive);

impl SchemaLock {
    /// Lets the next process in.
    pub async fn release(self) {
        self.0.close().await;
    }
}

impl Database {
    /// Waits until nobody changes the schema, and keeps others from it.
    ///
    /// # Errors
    /// `Unavailable` when another process takes too long.
    pub async fn lock_schema(&self) -> Result<SchemaLock, StoreError> {
        Ok(SchemaLock(self.pools.exclusive().await?))
    }

    /// All steps, oldest first. Changes nothing.
    ///
    /// # Errors
    /// What the database says.
    pub async fn migrations(&self) -> Result<Vec<MigrationState>, MigrateError> {
        states(&self.migrator, self.pools.writer()).await
    }

    /// Whether all steps were applied.
    ///
    /// # Errors
    /// What the database says.
    pub async fn is_migrated(&self) -> Result<bool, MigrateError> {
        Ok(self.migrations().await?.iter().all(|state| state.applied))
    }

    /// Whether the engine itself keeps the audit trail from being changed; false where the account
    /// may not make the triggers for that.
    ///
    /// # Errors
    /// What the database says.
    pub async fn audit_is_protected(&self) -> Result<bool, StoreError> {
        audit::is_protected(self.pools.writer()).await
    }

    /// Makes the triggers for that where they are missing; whether they are there.
    ///
    /// # Errors
    /// What the database says.
    pub async fn protect_audit(&self) -> Result<bool, StoreError> {
        audit::protect(self.pools.writer()).await?;
        self.audit_is_protected().await
    }

    /// Applies steps; gives the names of those that were applied.
    ///
    /// # Errors
    /// What the database says, or an unknown name.
    pub async fn migrate_up(&self, target: &Target) -> Result<Vec<String>, MigrateError> {
        let exclusive = self.pools.exclusive().await?;
        let mut result = up(&self.migrator, &exclusive.connection, target).await;
        if result.is_ok()
            && let Err(error) = audit::protect(&exclusive.connection).await
        {
            result = Err(error.into());
        }
        exclusive.close().await;
        result
    }

    /// Takes steps back, newest first; gives their names.
    ///
    /// # Errors
    /// What the database says, or an unknown name.
    pub async fn migrate_down(&self, target: &Target) -> Result<Vec<String>, MigrateError> {
        let exclusive = self.pools.exclusive().await?;
        let result = down(&self.migrator, &exclusive.connection, target).await;
        exclusive.close().await;
        result
    }

    /// Drops every table of the database and applies all steps. All data is lost.
    ///
    /// # Errors
    /// What the database says.
    pub async fn migrate_fresh(&self) -> Result<(), MigrateError> {
        let exclusive = self.pools.exclusive().await?;
        let result = self
            .migrator
            .fresh(&exclusive.connection)
            .await
            .map_err(fault);
        let result = match result {
            Ok(()) => Ok(audit::protect(&exclusive.connection).await?),
            failed => failed,
        };
        exclusive.close().await;
        result
    }
}

async fn up(
    migrator: &Migrator,
    connection: &DatabaseConnection,
    target: &Target,
) -> Result<Vec<String>, MigrateError> {
    let states = states(migrator, connection).await?;
    let pending: Vec<String> = states
        .iter()
        .filter(|state| !state.applied)
        .map(|state| state.name.clone())
        .collect();
    let count = match target {
        Target::All => pending.len(),
        Target::Steps(steps) => pending.len().min(*steps as usize),
        Target::To(name) => match pending.iter().position(|pending| pending == name) {
            Some(at) => at + 1,
            None => return Err(wrong_target(&states, name, "is applied already")),
        },
    };
    migrator
        .up(connection, Some(steps(count)))
        .await
        .map_err(fault)?;
    Ok(pending.into_iter().take(count).collect())
}

async fn down(
    migrator: &Migrator,
    connection: &DatabaseConnection,
    target: &Target,
) -> Result<Vec<String>, MigrateError> {
    let states = states(migrator, connection).await?;
    let applied: Vec<String> = states
        .iter()
        .rev()
        .filter(|state| state.applied)
        .map(|state| state.name.clone())
        .collect();
    let count = match target {
        Target::All => applied.len(),
        Target::Steps(steps) => applied.len().min(*steps as usize),
        Target::To(name) => match applied.iter().position(|applied| applied == name) {
            Some(at) => at,
            None => return Err(wrong_target(&states, name, "is not applied")),
        },
    };
    migrator
        .down(connection, Some(steps(count)))
        .await
        .map_err(fault)?;
    Ok(applied.into_iter().take(count).collect())
}

async fn states(
    migrator: &Migrator,
    connection: &DatabaseConnection,
) -> Result<Vec<MigrationState>, MigrateError> {
    if connection.get_database_backend() == DbBackend::MySql {
        let sql = "SELECT 1 FROM information_schema.tables \
             WHERE table_schema = DATABASE() AND table_name = ?";
        if row(connection, sql, [UNFINISHED_TABLE.into()])
            .await?
            .is_some()
        {
            return Err(MigrateError::Restoring);
        }
    }
    let migrations = migrator
        .get_migration_with_status_read_only(connection)
        .await
        .map_err(fault)?;
    Ok(migrations
        .iter()
        .map(|migration| MigrationState {
            name: migration.name().to_owned(),
            applied: migration.status() == MigrationStatus::Applied,
        })
        .collect())
}

fn wrong_target(states: &[MigrationState], name: &str, otherwise: &str) -> MigrateError {
    if states.iter().any(|state| state.name == name) {
        return MigrateError::Target(format!("the step `{name}` {otherwise}"));
    }
    let names: Vec<_> = states.iter().map(|state| state.name.as_str()).collect();
    MigrateError::Target(format!(
        "there is no step `{name}`; there are: {}",
        names.join(", ")
    ))
}

fn steps(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn fault(error: DbErr) -> MigrateError {
    match error {
        // The library's only use of this kind: a step in the table without its file.
        DbErr::Custom(text) => MigrateError::Newer(text),
        other => MigrateError::Store(db_err(other)),
    }
}
