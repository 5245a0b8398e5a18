//! The schema of Tidegate's own database, one file per step, each with its way back.
//!
//! A step that has been released is never changed; `tidegate migrate generate NAME` adds
//! an empty one and enters it at the end of the list below.

pub mod schema;

use sea_orm_migration::MigrationTrait;
pub use sea_orm_migration::{MigrationStatus, MigratorTraitSelf};

/// Steps, oldest first.
pub type Steps = Vec<Box<dyn MigrationTrait>>;

/// All steps: Tidegate's own, and after them those of whoever builds on it.
#[derive(Debug, Clone)]
pub struct Migrator(Vec<fn() -> Steps>);

impl Default for Migrator {
    fn default() -> Self {
        Self(vec![own])
    }
}

impl Migrator {
    /// Adds steps. Their names must not be those of other steps.
    pub fn add(&mut self, steps: fn() -> Steps) {
        self.0.push(steps);
    }
}

impl MigratorTraitSelf for Migrator {
    fn migrations(&self) -> Steps {
        self.0.iter().flat_map(|steps| steps()).collect()
    }
}

/// Declares the steps' modules and lists them.
macro_rules! steps {
    ($($step:ident,)+) => {
        $(mod $step;)+

        /// Tidegate's own steps, oldest first.
        fn own() -> Steps {
            vec![$(Box::new($step::Migration)),+]
        }
    };
}

steps! {
    m20261121_000001_users,
    m20261121_000002_sessions,
    m20261121_000003_api_keys,
    m20261121_000004_versions,
    m20261125_000001_idempotency_keys,
    m20261125_000002_items,
    m20261125_000003_posts,
    m20261125_000004_employees,
    m20261126_000001_webhooks,
    m20261126_000002_inbox,
    m20261126_000003_jobs,
    m20261126_000004_audit,
    m20261126_000005_schema_changes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_in_the_order_of_their_names() {
        let names: Vec<String> = own().iter().map(|step| step.name().to_owned()).collect();
        assert!(names.is_sorted(), "{names:?}");
    }
}
