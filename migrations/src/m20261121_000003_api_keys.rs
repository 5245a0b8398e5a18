//! API keys, one a user.

use sea_orm_migration::prelude::*;

use crate::schema::{create_table, drop_table, time, time_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut keys = Table::create()
            .table("api_keys")
            .col(
                ColumnDef::new("user_id")
                    .big_integer()
                    .not_null()
                    .primary_key(),
            )
            .col(ColumnDef::new("digest").string_len(64).not_null())
            .col(time(manager, "created_at"))
            .col(time_null(manager, "expires_at"))
            .col(time_null(manager, "last_used_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("api_keys_user_fk")
                    .from("api_keys", "user_id")
                    .to("users", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .take();
        create_table(manager, &mut keys).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "api_keys").await
    }
}
