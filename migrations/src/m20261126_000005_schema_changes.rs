//! Changes of the gateway's schemas, by which nodes learn of what others changed.

use sea_orm_migration::prelude::*;

use crate::schema::{create_table, drop_table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut changes = Table::create()
            .table("schema_changes")
            .col(
                ColumnDef::new("database_name")
                    .string_len(64)
                    .not_null()
                    .primary_key(),
            )
            // Grows with every change.
            .col(ColumnDef::new("version").big_integer().not_null())
            .take();
        create_table(manager, &mut changes).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "schema_changes").await
    }
}
