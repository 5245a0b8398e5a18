//! Roles and users.

use sea_orm_migration::prelude::*;

use crate::schema::{create_index, create_table, drop_table, id, time, time_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut roles = Table::create()
            .table("roles")
            .col(ColumnDef::new("id").big_integer().not_null().primary_key())
            .col(ColumnDef::new("name").string_len(30).not_null())
            .index(Index::create().name("roles_name_key").col("name").unique())
            .take();
        create_table(manager, &mut roles).await?;
        let seed = Query::insert()
            .into_table("roles")
            .columns(["id", "name"])
            .values_panic([1.into(), "admin".into()])
            .values_panic([2.into(), "user".into()])
            .on_conflict(OnConflict::column("id").do_nothing_on(["id"]).to_owned())
            .take();
        manager.execute(seed).await?;

        // The keys hold names and addresses as they are compared; folding may make them
        // longer than what was typed. `username_key` is null only while the transaction
        // that makes a user names it after its id.
        let mut users = Table::create()
            .table("users")
            .col(id())
            .col(ColumnDef::new("username").string_len(60).not_null())
            .col(ColumnDef::new("username_key").string_len(600))
            .col(ColumnDef::new("email").string_len(254))
            .col(ColumnDef::new("email_key").string_len(768))
            .col(ColumnDef::new("role_id").big_integer().not_null())
            .col(ColumnDef::new("password").string_len(255).not_null())
            .col(
                ColumnDef::new("activated")
                    .boolean()
                    .not_null()
                    .default(true),
            )
            .col(time(manager, "created_at"))
            .col(time_null(manager, "updated_at"))
            .index(
                Index::create()
                    .name("users_username_key")
                    .col("username_key")
                    .unique(),
            )
            .index(
                Index::create()
                    .name("users_email_key")
                    .col("email_key")
                    .unique(),
            )
            .foreign_key(
                ForeignKey::create()
                    .name("users_role_fk")
                    .from("users", "role_id")
                    .to("roles", "id"),
            )
            .take();
        create_table(manager, &mut users).await?;
        create_index(
            manager,
            "users",
            "users_role_idx",
            &["role_id", "activated"],
        )
        .await?;
        create_index(manager, "users", "users_activated_idx", &["activated"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "users").await?;
        drop_table(manager, "roles").await
    }
}
