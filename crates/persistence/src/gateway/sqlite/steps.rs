//! The single steps of changes on SQLite, inside the caller's transaction.

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Executor, Row};
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::change::TableChange;
use tidegate_domain::gateway::schema::Table;

use super::super::ddl::sqlite::{NOTES, RENEWAL, create_index, create_renewals, stored_index_name};
use super::super::ddl::{sqlite_name, sqlite_text};
use super::create_text::same;
use crate::error::store_error;
use crate::measure::Running;

/// Refuses to drop a column that a view or a trigger of others may need. SQLite's own check
/// misses some: a quoted name that is no column's any more it takes for a text. So whatever
/// mentions the table, or a view that does, must not mention the column.
pub(super) async fn check_users(
    connection: &mut SqliteConnection,
    current: &Table,
    change: &TableChange,
) -> Result<(), StoreError> {
    if change.drop_columns.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "SELECT name, lower(sql) FROM sqlite_schema \
         WHERE type IN ('view', 'trigger') AND name NOT GLOB '{RENEWAL}*'"
    );
    let rows = connection
        .fetch_all(sqlx::query(AssertSqlSafe(sql)).persistent(false))
        .await
        .map_err(store_error)?;
    let all = rows
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    let mut others: Vec<(String, String)> = all.collect::<Result<_, _>>().map_err(store_error)?;
    let mut mentioned = vec![current.name.to_ascii_lowercase()];
    while let Some(name) = mentioned.pop() {
        let (users, rest): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|(_, sql)| sql.contains(&name));
        others = rest;
        for (user, sql) in users {
            let needs = |column: &&String| sql.contains(&column.to_ascii_lowercase());
            if let Some(column) = change.drop_columns.iter().find(needs) {
                return Err(StoreError::Unsupported(format!(
                    "the view or trigger {user} may need the column {column}; drop it first"
                )));
            }
            mentioned.push(user.to_ascii_lowercase());
        }
    }
    Ok(())
}

/// What comes last in every change: the new name, the triggers, the notes.
pub(super) async fn finish(
    connection: &mut SqliteConnection,
    current: &Table,
    after: &Table,
) -> Result<(), StoreError> {
    let mut statements = Vec::new();
    if after.name != current.name {
        statements.push(format!(
            "ALTER TABLE {} RENAME TO {}",
            sqlite_name(&current.name),
            sqlite_name(&after.name)
        ));
        // The names of our indexes hold the table's. Those of others stay.
        let stored = stored_indexes(connection, &current.name).await?;
        for index in &after.indexes {
            let old = stored_index_name(&current.name, &index.name);
            if stored
                .iter()
                .any(|(name, sql)| *name == old && same(sql, &create_index(&current.name, index)))
            {
                statements.push(format!("DROP INDEX {}", sqlite_name(&old)));
                statements.push(create_index(&after.name, index));
            }
        }
    }
    statements.extend(create_renewals(after));
    if has_notes(connection).await? {
        statements.push(forget_notes(&current.name));
    }
    statements.extend(notes(after));
    execute(connection, &statements.join("; ")).await
}

/// Drops the indexes that a change names, and those that have only columns which go.
pub(super) async fn drop_indexes(
    connection: &mut SqliteConnection,
    current: &Table,
    change: &TableChange,
) -> Result<(), StoreError> {
    let stored = stored_indexes(connection, &current.name).await?;
    for index in &current.indexes {
        let columns_go = !index.columns.is_empty()
            && index
                .columns
                .iter()
                .all(|name| change.drop_columns.contains(name));
        if !columns_go && !change.drop_indexes.contains(&index.name) {
            continue;
        }
        let ours = stored_index_name(&current.name, &index.name);
        let name = stored
            .iter()
            .map(|(name, _)| name)
            .find(|name| **name == ours || **name == index.name);
        let name = name.ok_or_else(|| {
            let name = &index.name;
            StoreError::Unsupported(format!(
                "the unique key {name} is part of the table's definition and cannot be dropped"
            ))
        })?;
        execute(connection, &format!("DROP INDEX {}", sqlite_name(name))).await?;
    }
    Ok(())
}

/// Renames columns; over names in between where one takes the name that another gives up.
pub(super) async fn rename_columns(
    connection: &mut SqliteConnection,
    current: &Table,
    change: &TableChange,
) -> Result<(), StoreError> {
    let taken = |name: &str| change.rename_columns.iter().any(|(from, _)| from == name);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for (number, (from, to)) in change.rename_columns.iter().enumerate() {
        let step = |from: &str, to: &str| {
            let table = sqlite_name(&current.name);
            format!(
                "ALTER TABLE {table} RENAME COLUMN {} TO {}",
                sqlite_name(from),
                sqlite_name(to)
            )
        };
        // SQLite's names have no case, so a change of case alone needs the detour as well.
        if taken(to.as_str()) || from.eq_ignore_ascii_case(to.as_str()) {
            let between = format!("_tidegate_{number}");
            first.push(step(from, &between));
            second.push(step(&between, to.as_str()));
        } else {
            first.push(step(from, to.as_str()));
        }
    }
    first.extend(second);
    for statement in first {
        execute(connection, &statement).await?;
    }
    Ok(())
}

/// Drops the triggers that renew times; they are made anew when the table is as it shall be.
pub(super) async fn drop_renewals(
    connection: &mut SqliteConnection,
    table: &str,
) -> Result<(), StoreError> {
    let sql = format!(
        "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name GLOB '{RENEWAL}*' AND tbl_name = {}",
        sqlite_text(table)
    );
    for name in texts(connection, sql).await? {
        execute(connection, &format!("DROP TRIGGER {}", sqlite_name(&name))).await?;
    }
    Ok(())
}

/// The names and texts of a table's indexes, but for those inside its definition.
pub(super) async fn stored_indexes(
    connection: &mut SqliteConnection,
    table: &str,
) -> Result<Vec<(String, String)>, StoreError> {
    let sql = format!(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = {}",
        sqlite_text(table)
    );
    let rows = connection
        .fetch_all(sqlx::query(AssertSqlSafe(sql)).persistent(false))
        .await
        .map_err(store_error)?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect::<Result<_, _>>()
        .map_err(store_error)
}

/// Whether anything was ever kept beside the definitions of this database.
pub(super) async fn has_notes(connection: &mut SqliteConnection) -> Result<bool, StoreError> {
    let sql =
        "SELECT name FROM sqlite_schema WHERE name IN ('_tidegate_tables', '_tidegate_columns')";
    Ok(texts(connection, sql.to_owned()).await?.len() == 2)
}

/// The statements that forget what is kept of a table.
pub(super) fn forget_notes(table: &str) -> String {
    let table = sqlite_text(table);
    format!(
        "DELETE FROM _tidegate_columns WHERE table_name = {table}; DELETE FROM _tidegate_tables WHERE table_name = {table}"
    )
}

/// The statements that keep what the definition cannot: comments, and the types of columns
/// that number their rows (which must be declared `INTEGER`).
pub(super) fn notes(table: &Table) -> Vec<String> {
    let name = sqlite_text(&table.name);
    let mut statements = Vec::new();
    if !table.comment.is_empty() {
        statements.push(format!(
            "INSERT INTO _tidegate_tables VALUES ({name}, {})",
            sqlite_text(&table.comment)
        ));
    }
    for column in table
        .columns
        .iter()
        .filter(|column| column.auto_increment || !column.comment.is_empty())
    {
        let column_type = if column.auto_increment {
            sqlite_text(&column.column_type.to_string())
        } else {
            "NULL".to_owned()
        };
        statements.push(format!(
            "INSERT INTO _tidegate_columns VALUES ({name}, {}, {column_type}, {})",
            sqlite_text(&column.name),
            sqlite_text(&column.comment)
        ));
    }
    if !statements.is_empty() {
        statements.insert(0, NOTES.to_owned());
    }
    statements
}

/// Runs statements whose results nobody needs; none if the text is empty.
pub(super) async fn execute(
    connection: &mut SqliteConnection,
    sql: &str,
) -> Result<(), StoreError> {
    let running = Running::of(sql);
    let outcome = connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await;
    drop(running);
    match outcome {
        Ok(_) => Ok(()),
        // What `ALTER TABLE` says when a view, a trigger or a key inside the definition needs
        // what the change would take away. All that such a message names is of the schema.
        Err(sqlx::Error::Database(error))
            if [
                "error in view",
                "error in trigger",
                "error in table",
                "error in index",
                "cannot drop",
            ]
            .iter()
            .any(|beginning| error.message().starts_with(beginning)) =>
        {
            Err(StoreError::Unsupported(format!(
                "SQLite refuses the change: {}",
                error.message()
            )))
        }
        Err(error) => Err(store_error(error)),
    }
}

/// The texts in the first column.
pub(super) async fn texts(
    connection: &mut SqliteConnection,
    sql: String,
) -> Result<Vec<String>, StoreError> {
    sqlx::query_scalar(AssertSqlSafe(sql))
        .persistent(false)
        .fetch_all(connection)
        .await
        .map_err(store_error)
}
