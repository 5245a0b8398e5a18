//! Requests that may be repeated, with the answers that they got. On servers it serves the
//! gateway's databases too, whose rows a transaction can change together with this table.

use sea_orm_migration::prelude::*;

use crate::schema::{create_index, create_table, drop_table, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // What describes the answer is null only inside the transaction that carries it out.
        let mut keys = Table::create()
            .table("idempotency_keys")
            .col(ColumnDef::new("id").char_len(64).not_null().primary_key())
            .col(time(manager, "created_at"))
            .col(ColumnDef::new("fingerprint").char_len(64))
            .col(ColumnDef::new("status").integer())
            .col(ColumnDef::new("headers").text())
            .col(ColumnDef::new("body").custom("longblob"))
            .take();
        create_table(manager, &mut keys).await?;
        let table = "idempotency_keys";
        create_index(
            manager,
            table,
            "idempotency_keys_created_idx",
            &["created_at"],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "idempotency_keys").await
    }
}
