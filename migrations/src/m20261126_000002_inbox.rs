//! The inbox: messages, the ids of their deliveries, consumers and their leases.
//!
//! Messages have no foreign key and no other unique key than their number, so that a large
//! inbox can be partitioned by it.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::schema::{create_index, create_table, drop_table, id, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sequence(manager).await?;
        messages(manager).await?;
        deliveries(manager).await?;
        consumers(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            "inbox_leases",
            "inbox_consumers",
            "inbox_deliveries",
            "inbox_messages",
            "inbox_sequence",
        ] {
            drop_table(manager, table).await?;
        }
        Ok(())
    }
}

/// One row that numbers the messages. Whoever stores some holds it until the commit, so that
/// the numbers are in the order of the commits.
async fn sequence(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut sequence = Table::create()
        .table("inbox_sequence")
        .col(ColumnDef::new("id").big_integer().not_null().primary_key())
        .col(ColumnDef::new("value").big_integer().not_null())
        .take();
    create_table(manager, &mut sequence).await?;
    let ignore = match manager.get_database_backend() {
        DbBackend::MySql => "IGNORE",
        _ => "OR IGNORE",
    };
    let insert = format!("INSERT {ignore} INTO inbox_sequence (id, value) VALUES (1, 0)");
    manager.get_connection().execute_unprepared(&insert).await?;
    Ok(())
}

async fn messages(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let (bytes, long) = match manager.get_database_backend() {
        DbBackend::MySql => ("longblob", "mediumtext"),
        _ => ("blob", "text"),
    };
    let mut messages = Table::create()
        .table("inbox_messages")
        .col(ColumnDef::new("id").big_integer().not_null().primary_key())
        .col(ColumnDef::new("user_id").big_integer().not_null())
        // 0: content of the user's own.
        .col(ColumnDef::new("webhook_id").big_integer().not_null())
        .col(ColumnDef::new("received").boolean().not_null())
        .col(ColumnDef::new("method").string_len(32).not_null())
        .col(ColumnDef::new("path").custom(long).not_null())
        .col(ColumnDef::new("query").custom(long).not_null())
        .col(ColumnDef::new("headers").custom(long).not_null())
        .col(ColumnDef::new("body").custom(bytes).not_null())
        .col(ColumnDef::new("size").big_integer().not_null())
        .col(ColumnDef::new("verdict").string_len(16))
        .col(ColumnDef::new("delivery_id").string_len(255))
        .col(ColumnDef::new("address").string_len(64).not_null())
        .col(time(manager, "received_at"))
        .take();
    create_table(manager, &mut messages).await?;
    let index = |name, columns| create_index(manager, "inbox_messages", name, columns);
    index("inbox_messages_user_idx", &["user_id", "id"]).await?;
    index(
        "inbox_messages_webhook_idx",
        &["webhook_id", "user_id", "id"],
    )
    .await
}

/// What was delivered lately, so that it is not stored twice; kept apart from the messages,
/// which may be gone before their provider stops to send them again.
async fn deliveries(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut deliveries = Table::create()
        .table("inbox_deliveries")
        .col(ColumnDef::new("webhook_id").big_integer().not_null())
        .col(ColumnDef::new("digest").char_len(64).not_null())
        .col(ColumnDef::new("message_id").big_integer().not_null())
        .col(time(manager, "received_at"))
        .primary_key(
            Index::create()
                .name("inbox_deliveries_key")
                .col("webhook_id")
                .col("digest"),
        )
        .take();
    create_table(manager, &mut deliveries).await?;
    let columns = &["received_at"];
    create_index(
        manager,
        "inbox_deliveries",
        "inbox_deliveries_received_idx",
        columns,
    )
    .await
}

async fn consumers(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut consumers = Table::create()
        .table("inbox_consumers")
        .col(id())
        .col(ColumnDef::new("webhook_id").big_integer().not_null())
        .col(ColumnDef::new("name").string_len(64).not_null())
        .col(ColumnDef::new("position").big_integer().not_null())
        .col(time(manager, "created_at"))
        .index(
            Index::create()
                .name("inbox_consumers_name_key")
                .unique()
                .col("webhook_id")
                .col("name"),
        )
        .foreign_key(
            ForeignKey::create()
                .name("inbox_consumers_webhook_fk")
                .from("inbox_consumers", "webhook_id")
                .to("webhooks", "id")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .take();
    create_table(manager, &mut consumers).await?;

    // One row for each message between its first lease and its end.
    let mut leases = Table::create()
        .table("inbox_leases")
        .col(ColumnDef::new("consumer_id").big_integer().not_null())
        .col(ColumnDef::new("message_id").big_integer().not_null())
        .col(ColumnDef::new("lease").char_len(24))
        .col(time(manager, "due_at"))
        .col(ColumnDef::new("deliveries").big_integer().not_null())
        .col(ColumnDef::new("dead").boolean().not_null())
        .primary_key(
            Index::create()
                .name("inbox_leases_key")
                .col("consumer_id")
                .col("message_id"),
        )
        .foreign_key(
            ForeignKey::create()
                .name("inbox_leases_consumer_fk")
                .from("inbox_leases", "consumer_id")
                .to("inbox_consumers", "id")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .take();
    create_table(manager, &mut leases).await?;
    let index = |name, columns| create_index(manager, "inbox_leases", name, columns);
    index(
        "inbox_leases_due_idx",
        &["consumer_id", "dead", "due_at", "message_id"],
    )
    .await?;
    index("inbox_leases_lease_idx", &["consumer_id", "lease"]).await
}
