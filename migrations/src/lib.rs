//! The schema of Tidegate's own database, one file per step, each with its way back.
//!
//! A step that has been released is never changed; `tidegate migrate generate NAME` adds
//! an empty one and enters it at the end of the list below.

pub mod schema;

pub use sea_orm_migration::{MigrationStatus, MigratorTrait};
use sea_orm_migration::{MigrationTrait, async_trait};

/// Declares the steps' modules and lists them in [`Migrator`].
macro_rules! steps {
    ($($step:ident,)+) => {
        $(mod $step;)+

        /// All steps, oldest first.
        #[derive(Debug, Clone, Copy)]
        pub struct Migrator;

        #[async_trait::async_trait]
        impl MigratorTrait for Migrator {
            fn migrations() -> Vec<Box<dyn MigrationTrait>> {
                vec![$(Box::new($step::Migration)),+]
            }
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
