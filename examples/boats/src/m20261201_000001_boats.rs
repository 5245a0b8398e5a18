//! Boats.

use sea_orm_migration::prelude::*;
use tidegate_migrations::schema::{create_index, create_table, drop_table, id, time, time_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut boats = Table::create()
            .table("boats")
            .col(id())
            .col(ColumnDef::new("name").string_len(60).not_null())
            .col(ColumnDef::new("length_cm").big_integer().not_null())
            .col(time(manager, "created_at"))
            .col(time_null(manager, "updated_at"))
            .index(Index::create().name("boats_name_key").col("name").unique())
            .take();
        create_table(manager, &mut boats).await?;
        create_index(manager, "boats", "boats_length_idx", &["length_cm"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "boats").await
    }
}
