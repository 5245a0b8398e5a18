//! Items.

use sea_orm_migration::prelude::*;

use crate::schema::{
    create_index, create_table, create_text_index, drop_table, id, owner, time, time_null,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut items = Table::create()
            .table("items")
            .col(id())
            .col(ColumnDef::new("name").string_len(255).not_null())
            .col(ColumnDef::new("description").string_len(2000))
            .col(ColumnDef::new("user_id").big_integer().not_null())
            .col(time(manager, "created_at"))
            .col(time_null(manager, "updated_at"))
            .index(Index::create().name("items_name_key").col("name").unique())
            .foreign_key(&mut owner("items", "items_user_fk", "user_id"))
            .take();
        create_table(manager, &mut items).await?;
        create_index(manager, "items", "items_user_idx", &["user_id"]).await?;
        create_text_index(manager, "items", "items_description_idx", "description").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "items").await
    }
}
