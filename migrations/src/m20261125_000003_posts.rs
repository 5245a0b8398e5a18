//! Posts and their votes.

use sea_orm_migration::prelude::*;

use crate::schema::{create_index, create_table, drop_table, id, owner, time, time_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut posts = Table::create()
            .table("posts")
            .col(id())
            .col(ColumnDef::new("title").string_len(255).not_null())
            .col(ColumnDef::new("content").text().not_null())
            .col(ColumnDef::new("published").boolean().not_null())
            .col(ColumnDef::new("rating").big_integer())
            .col(ColumnDef::new("owner_id").big_integer().not_null())
            .col(time(manager, "created_at"))
            .col(time_null(manager, "updated_at"))
            .foreign_key(&mut owner("posts", "posts_owner_fk", "owner_id"))
            .take();
        create_table(manager, &mut posts).await?;
        create_index(manager, "posts", "posts_title_idx", &["title"]).await?;
        create_index(manager, "posts", "posts_owner_idx", &["owner_id"]).await?;
        create_index(manager, "posts", "posts_published_idx", &["published"]).await?;

        // The key is what keeps a user from voting twice, whatever the race.
        let mut votes = Table::create()
            .table("votes")
            .col(ColumnDef::new("post_id").big_integer().not_null())
            .col(ColumnDef::new("user_id").big_integer().not_null())
            .col(time(manager, "created_at"))
            .primary_key(
                Index::create()
                    .name("votes_key")
                    .col("post_id")
                    .col("user_id"),
            )
            .foreign_key(
                ForeignKey::create()
                    .name("votes_post_fk")
                    .from("votes", "post_id")
                    .to("posts", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .foreign_key(&mut owner("votes", "votes_user_fk", "user_id"))
            .take();
        create_table(manager, &mut votes).await?;
        create_index(manager, "votes", "votes_user_idx", &["user_id"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "votes").await?;
        drop_table(manager, "posts").await
    }
}
