//! Webhooks and their secrets.

use sea_orm_migration::prelude::*;

use crate::schema::{create_index, create_table, drop_table, id, owner, time, time_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut webhooks = Table::create()
            .table("webhooks")
            .col(id())
            .col(ColumnDef::new("user_id").big_integer().not_null())
            .col(ColumnDef::new("rid").char_len(32).not_null())
            .col(ColumnDef::new("name").string_len(100).not_null())
            .col(ColumnDef::new("provider").string_len(32).not_null())
            .col(ColumnDef::new("status").boolean().not_null())
            .col(ColumnDef::new("keeps_unverified").boolean().not_null())
            .col(ColumnDef::new("signature").text())
            .col(ColumnDef::new("delivery_id").text())
            .col(ColumnDef::new("retention_days").big_integer())
            .col(ColumnDef::new("retention_messages").big_integer())
            .col(ColumnDef::new("max_deliveries").big_integer().not_null())
            .col(time(manager, "created_at"))
            .col(time_null(manager, "updated_at"))
            .index(Index::create().name("webhooks_rid_key").unique().col("rid"))
            .foreign_key(&mut owner("webhooks", "webhooks_user_fk", "user_id"))
            .take();
        create_table(manager, &mut webhooks).await?;
        create_index(manager, "webhooks", "webhooks_user_idx", &["user_id"]).await?;

        let mut secrets = Table::create()
            .table("webhook_secrets")
            .col(id())
            .col(ColumnDef::new("webhook_id").big_integer().not_null())
            .col(ColumnDef::new("purpose").string_len(16).not_null())
            .col(ColumnDef::new("sealed").text().not_null())
            .col(time(manager, "created_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("webhook_secrets_webhook_fk")
                    .from("webhook_secrets", "webhook_id")
                    .to("webhooks", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .take();
        create_table(manager, &mut secrets).await?;
        create_index(
            manager,
            "webhook_secrets",
            "webhook_secrets_webhook_idx",
            &["webhook_id"],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "webhook_secrets").await?;
        drop_table(manager, "webhooks").await
    }
}
