//! The audit trail. That nothing in it is changed is the matter of triggers, which an account may
//! not be allowed to make; they are made after the steps, whenever that is possible.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::schema::{create_index, create_table, drop_table, id, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let long = match manager.get_database_backend() {
            DbBackend::MySql => "mediumtext",
            _ => "text",
        };
        let mut audit = Table::create()
            .table("audit")
            .col(id())
            .col(time(manager, "at"))
            // No foreign key: what somebody did is told for longer than they are there.
            .col(ColumnDef::new("actor_id").big_integer())
            .col(ColumnDef::new("actor").string_len(64))
            .col(ColumnDef::new("action").string_len(64).not_null())
            .col(ColumnDef::new("target_kind").string_len(32).not_null())
            .col(ColumnDef::new("target").string_len(255))
            // JSON objects.
            .col(ColumnDef::new("old_values").custom(long))
            .col(ColumnDef::new("new_values").custom(long))
            .col(ColumnDef::new("request_id").string_len(255))
            .col(ColumnDef::new("address").string_len(64))
            .take();
        create_table(manager, &mut audit).await?;
        for (name, columns) in [
            ("audit_at_idx", ["at", "id"]),
            ("audit_actor_id_idx", ["actor_id", "id"]),
            ("audit_actor_idx", ["actor", "id"]),
            ("audit_action_idx", ["action", "id"]),
            ("audit_target_idx", ["target", "id"]),
        ] {
            create_index(manager, "audit", name, &columns).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "audit").await
    }
}
