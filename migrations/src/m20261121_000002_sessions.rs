//! Sessions and their refresh tokens. Tokens that were replaced stay, so that one that is
//! used again is recognised.

use sea_orm_migration::prelude::*;

use crate::schema::{create_index, create_table, drop_table, id, time, time_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut sessions = Table::create()
            .table("sessions")
            .col(id())
            .col(ColumnDef::new("user_id").big_integer().not_null())
            .col(time(manager, "created_at"))
            .col(time(manager, "last_used_at"))
            .col(time(manager, "expires_at"))
            .col(time_null(manager, "ended_at"))
            .col(ColumnDef::new("agent").string_len(255))
            .col(ColumnDef::new("address").string_len(64))
            .foreign_key(
                ForeignKey::create()
                    .name("sessions_user_fk")
                    .from("sessions", "user_id")
                    .to("users", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .take();
        create_table(manager, &mut sessions).await?;
        // Without `ended_at`: MySQL 9.7 does not check a foreign key whose index holds a null
        // in a further column.
        create_index(
            manager,
            "sessions",
            "sessions_user_idx",
            &["user_id", "expires_at"],
        )
        .await?;
        create_index(manager, "sessions", "sessions_ended_idx", &["ended_at"]).await?;
        create_index(manager, "sessions", "sessions_expires_idx", &["expires_at"]).await?;

        let mut tokens = Table::create()
            .table("refresh_tokens")
            .col(id())
            .col(ColumnDef::new("session_id").big_integer().not_null())
            .col(ColumnDef::new("digest").string_len(64).not_null())
            .col(time(manager, "created_at"))
            .col(time(manager, "expires_at"))
            .col(time_null(manager, "replaced_at"))
            .index(
                Index::create()
                    .name("refresh_tokens_digest_key")
                    .col("digest")
                    .unique(),
            )
            .foreign_key(
                ForeignKey::create()
                    .name("refresh_tokens_session_fk")
                    .from("refresh_tokens", "session_id")
                    .to("sessions", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .take();
        create_table(manager, &mut tokens).await?;
        create_index(
            manager,
            "refresh_tokens",
            "refresh_tokens_session_idx",
            &["session_id"],
        )
        .await?;
        create_index(
            manager,
            "refresh_tokens",
            "refresh_tokens_expires_idx",
            &["expires_at"],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "refresh_tokens").await?;
        drop_table(manager, "sessions").await
    }
}
