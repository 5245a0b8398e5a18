//! The schema of Tidegate's own database, one file per step, each with its way back.
//!
//! A step that has been released is never changed; `tidegate migrate generate NAME` adds
//! an empty one and enters it at the two marks below.

pub mod schema;

// migrations: modules
mod m20261121_000001_users;
mod m20261121_000002_sessions;
mod m20261121_000003_api_keys;
mod m20261121_000004_versions;

pub use sea_orm_migration::{MigrationStatus, MigratorTrait};
use sea_orm_migration::{MigrationTrait, async_trait};

/// All steps, oldest first.
#[derive(Debug, Clone, Copy)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            // migrations: list
            Box::new(m20261121_000001_users::Migration),
            Box::new(m20261121_000002_sessions::Migration),
            Box::new(m20261121_000003_api_keys::Migration),
            Box::new(m20261121_000004_versions::Migration),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_in_the_order_of_their_names() {
        let names: Vec<String> = Migrator::migrations()
            .iter()
            .map(|step| step.name().to_owned())
            .collect();
        assert!(names.is_sorted(), "{names:?}");
    }
}
