//! What all tables have in common, whatever the engine: ids that are never used twice,
//! times in UTC with microseconds, texts compared by code point. On servers a step is not
//! one transaction, so everything here can be run again after a failure half-way.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{DbBackend, Statement};

/// A table's id column, filled in by the engine.
pub fn id() -> ColumnDef {
    ColumnDef::new("id")
        .big_integer()
        .not_null()
        .auto_increment()
        .primary_key()
        .take()
}

/// A table's id column of UUIDs, which the program draws.
pub fn uuid() -> ColumnDef {
    ColumnDef::new("id")
        .char_len(36)
        .not_null()
        .primary_key()
        .take()
}

/// The foreign key of a column with the user whose a record is.
pub fn owner(
    table: &'static str,
    name: &'static str,
    column: &'static str,
) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(name)
        .from(table, column)
        .to("users", "id")
        .on_delete(ForeignKeyAction::Cascade)
        .take()
}

/// A point in time, UTC.
pub fn time(manager: &SchemaManager<'_>, name: &'static str) -> ColumnDef {
    // Text keeps its order, because all times are written in one form and one zone.
    let kind = match manager.get_database_backend() {
        DbBackend::MySql => "datetime(6)",
        _ => "datetime_text",
    };
    ColumnDef::new(name).custom(kind).not_null().take()
}

/// A point in time that may be missing.
pub fn time_null(manager: &SchemaManager<'_>, name: &'static str) -> ColumnDef {
    time(manager, name).null().take()
}

/// Creates a table whose texts compare by code point, without padding.
///
/// # Errors
/// What the engine says.
pub async fn create_table(
    manager: &SchemaManager<'_>,
    table: &mut TableCreateStatement,
) -> Result<(), DbErr> {
    table.if_not_exists();
    if manager.get_database_backend() == DbBackend::MySql {
        table
            .engine("InnoDB")
            .character_set("utf8mb4")
            .collate(server_collation(manager).await?);
    }
    manager.create_table(table.take()).await
}

/// Creates an index unless it is there.
///
/// # Errors
/// What the engine says.
pub async fn create_index(
    manager: &SchemaManager<'_>,
    table: &'static str,
    name: &'static str,
    columns: &[&'static str],
) -> Result<(), DbErr> {
    let mut index = Index::create();
    for column in columns {
        index.col(*column);
    }
    create(manager, table, name, index.take()).await
}

/// Creates an index of a long text unless it is there. Servers take at most 3072 bytes a key
/// (InnoDB), so theirs holds the first 255 characters.
///
/// # Errors
/// What the engine says.
pub async fn create_text_index(
    manager: &SchemaManager<'_>,
    table: &'static str,
    name: &'static str,
    column: &'static str,
) -> Result<(), DbErr> {
    let mut index = Index::create();
    match manager.get_database_backend() {
        DbBackend::MySql => index.col((column, 255)),
        _ => index.col(column),
    };
    create(manager, table, name, index.take()).await
}

async fn create(
    manager: &SchemaManager<'_>,
    table: &'static str,
    name: &'static str,
    mut index: IndexCreateStatement,
) -> Result<(), DbErr> {
    if manager.has_index(table, name).await? {
        return Ok(());
    }
    manager
        .create_index(index.name(name).table(table).take())
        .await
}

/// Drops a table unless it is gone.
///
/// # Errors
/// What the engine says.
pub async fn drop_table(manager: &SchemaManager<'_>, name: &'static str) -> Result<(), DbErr> {
    manager
        .drop_table(Table::drop().table(name).if_exists().take())
        .await
}

async fn server_collation(manager: &SchemaManager<'_>) -> Result<&'static str, DbErr> {
    let connection = manager.get_connection();
    let question = Statement::from_string(DbBackend::MySql, "SELECT VERSION()");
    let version = match connection.query_one_raw(question).await? {
        Some(row) => row.try_get_by_index::<String>(0)?,
        None => String::new(),
    };
    Ok(if version.to_ascii_lowercase().contains("mariadb") {
        "utf8mb4_nopad_bin"
    } else {
        "utf8mb4_0900_bin"
    })
}
