//! Changes that SQLite cannot make in place: a new table, the rows copied, the old one
//! dropped, the new one renamed, as SQLite's documentation of `ALTER TABLE` describes it,
//! inside the caller's transaction and with foreign keys switched off by the caller.
//!
//! Only a table whose definition is exactly what we print from its description is rebuilt:
//! of any other something could be lost.

use std::collections::HashMap;

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Executor};
use tidegate_domain::error::{StoreError, Violation, ViolationKind};
use tidegate_domain::gateway::change::TableChange;
use tidegate_domain::gateway::column_type::ColumnType;
use tidegate_domain::gateway::schema::{Column, DefaultValue, Table};

use super::super::ddl::model::Change;
use super::super::ddl::sqlite::{RENEWAL, column, create_index, create_table, create_table_as};
use super::super::ddl::{name_list, sqlite_name, sqlite_text};
use super::convert::conversion;
use super::create_text::same;
use super::discover::discover;
use super::steps::{
    check_users, drop_indexes, drop_renewals, execute, finish, rename_columns, stored_indexes,
    texts,
};
use crate::error::store_error;

/// The name of the new table while the old one is there.
const NEW: &str = "_tidegate_new";

/// Whether a change needs a rebuild.
pub(super) fn is_needed(current: &Table, change: &TableChange, outcome: &Change) -> bool {
    let after = &outcome.after;
    let find = |table: &Table, name: &str| {
        table
            .columns
            .iter()
            .find(|column| column.name == name)
            .cloned()
    };
    // A comment alone changes nothing in the definition.
    let altered = |name: &str| {
        let before = change
            .rename_columns
            .iter()
            .find(|(_, to)| to.as_str() == name)
            .map_or(name, |(from, _)| from);
        let (Some(old), Some(new)) = (find(current, before), find(after, name)) else {
            return true;
        };
        let old = Column {
            name: name.to_owned(),
            ..old
        };
        // Nor does the renewal of a time, which is a trigger's.
        match (column(&old, after), column(&new, after)) {
            (Ok(old), Ok(new)) => old != new,
            _ => true,
        }
    };
    // SQLite adds columns only with a constant for the rows that are there.
    let added = |name: &str| {
        find(after, name).is_none_or(|column| {
            column.auto_increment
                || match &column.default {
                    None | Some(DefaultValue::Null) => !column.nullable,
                    Some(DefaultValue::Literal(text)) => text.contains('\0'),
                    Some(_) => true,
                }
        })
    };
    !change.drop_foreign_keys.is_empty()
        || !outcome.added_foreign_keys.is_empty()
        || change
            .alter_columns
            .iter()
            .any(|draft| altered(draft.name.as_str()))
        || change
            .add_columns
            .iter()
            .any(|draft| added(draft.name.as_str()))
}

/// Makes a change by way of a new table.
pub(super) async fn rebuild(
    connection: &mut SqliteConnection,
    current: &Table,
    change: &TableChange,
    outcome: &Change,
) -> Result<(), StoreError> {
    let collides = |name: &str| current.column_index(name).is_some();
    if change
        .rename_columns
        .iter()
        .any(|(_, to)| collides(to.as_str()))
    {
        return Err(StoreError::Unsupported(
            "SQLite cannot give a column the name of another one together with these changes; rename it in a request of its own".to_owned(),
        ));
    }
    check_users(connection, current, change).await?;
    drop_renewals(connection, &current.name).await?;
    drop_indexes(connection, current, change).await?;
    rename_columns(connection, current, change).await?;
    let before = reproducible(connection, current).await?;
    let triggers = triggers(connection, &before).await?;
    let indexes = stored_indexes(connection, &before.name).await?;
    let last_number = last_number(connection, &before.name).await?;

    let interim = interim(&outcome.after, current);
    let name = sqlite_name(&current.name);
    execute(connection, &create_table_as(&interim, NEW)?).await?;
    execute(connection, &copy(&before, &interim)?).await?;
    // As before 3.25, a renamed table takes nothing along: whatever refers to the old one by
    // name then means the new one.
    let swap = format!(
        "DROP TABLE {name}; PRAGMA legacy_alter_table = ON; ALTER TABLE {} RENAME TO {name}; PRAGMA legacy_alter_table = OFF",
        sqlite_name(NEW)
    );
    execute(connection, &swap).await?;
    let mut statements: Vec<String> = indexes.into_iter().map(|(_, sql)| sql).collect();
    statements.extend(
        outcome
            .added_indexes
            .iter()
            .map(|index| create_index(&current.name, index)),
    );
    statements.extend(triggers);
    if let Some(number) = last_number {
        statements.push(format!(
            "UPDATE sqlite_sequence SET seq = max(seq, {number}) WHERE name = {0}; \
             INSERT INTO sqlite_sequence (name, seq) SELECT {0}, {number} WHERE {1} \
             AND NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = {0})",
            sqlite_text(&current.name),
            interim.columns.iter().any(|column| column.auto_increment),
        ));
    }
    execute(connection, &statements.join("; ")).await?;
    check_foreign_keys(connection, &interim, outcome, change).await?;
    finish(connection, current, &outcome.after).await
}

/// The table as it now is, if its definition holds nothing that its description does not.
async fn reproducible(
    connection: &mut SqliteConnection,
    current: &Table,
) -> Result<Table, StoreError> {
    let found = discover(connection, &current.database, Some(&current.name))
        .await
        .map_err(store_error)?;
    let table = found
        .into_iter()
        .find(|table| table.name == current.name)
        .ok_or(StoreError::Missing { kind: "table" })?;
    let sql = format!(
        "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = {}",
        sqlite_text(&table.name)
    );
    let stored = texts(connection, sql).await?.pop().unwrap_or_default();
    match create_table(&table) {
        Ok(printed) if same(&printed, &stored) => Ok(table),
        _ => Err(StoreError::Unsupported(
            "this table was not made by Tidegate; on SQLite its columns and foreign keys cannot be changed without \
             losing parts of its definition"
                .to_owned(),
        )),
    }
}

/// The new table under the old name, until it is renamed at the end.
fn interim(after: &Table, current: &Table) -> Table {
    let mut interim = Table {
        name: current.name.clone(),
        ..after.clone()
    };
    for key in interim
        .foreign_keys
        .iter_mut()
        .filter(|key| key.references == after.name)
    {
        key.references.clone_from(&current.name);
    }
    interim
}

/// The statement that copies the rows; columns that are new get their defaults.
fn copy(before: &Table, after: &Table) -> Result<String, StoreError> {
    // A column that numbers its rows holds plain numbers, whatever its type.
    let kept_as = |column: &Column| match column.auto_increment {
        true => ColumnType::Integer {
            bytes: 8,
            unsigned: false,
        },
        false => column.column_type.clone(),
    };
    let mut names = Vec::new();
    let mut values = Vec::new();
    for new in &after.columns {
        let Some(old) = before.columns.iter().find(|column| column.name == new.name) else {
            continue;
        };
        let value =
            conversion(&sqlite_name(&new.name), &kept_as(old), &kept_as(new)).ok_or_else(|| {
                StoreError::Unsupported(format!(
                    "SQLite cannot make {} of {}; add a new column and fill it instead",
                    new.column_type, old.column_type
                ))
            })?;
        names.push(new.name.clone());
        values.push(value);
    }
    let names = name_list(&names, sqlite_name);
    Ok(format!(
        "INSERT INTO {} ({names}) SELECT {} FROM {}",
        sqlite_name(NEW),
        values.join(", "),
        sqlite_name(&before.name)
    ))
}

/// The triggers of others on the table, which go with it and have to be made anew.
async fn triggers(
    connection: &mut SqliteConnection,
    table: &Table,
) -> Result<Vec<String>, StoreError> {
    let sql = format!(
        "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name NOT GLOB '{RENEWAL}*' \
         AND tbl_name = {} COLLATE NOCASE",
        sqlite_text(&table.name)
    );
    texts(connection, sql).await
}

/// The largest number that the table ever gave to a row.
async fn last_number(
    connection: &mut SqliteConnection,
    table: &str,
) -> Result<Option<i64>, StoreError> {
    let there = texts(
        connection,
        "SELECT name FROM sqlite_schema WHERE name = 'sqlite_sequence'".to_owned(),
    )
    .await?;
    if there.is_empty() {
        return Ok(None);
    }
    let sql = format!(
        "SELECT seq FROM sqlite_sequence WHERE name = {}",
        sqlite_text(table)
    );
    sqlx::query_scalar(AssertSqlSafe(sql))
        .persistent(false)
        .fetch_optional(connection)
        .await
        .map_err(store_error)
}

/// Looks for rows without a parent: in the table itself, and in those that refer to it where
/// columns were defined anew.
async fn check_foreign_keys(
    connection: &mut SqliteConnection,
    table: &Table,
    outcome: &Change,
    change: &TableChange,
) -> Result<(), StoreError> {
    let mut tables: HashMap<String, ViolationKind> = HashMap::new();
    if !change.alter_columns.is_empty() {
        let sql = format!(
            "SELECT DISTINCT m.name FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) f \
             WHERE m.type = 'table' AND f.\"table\" = {} COLLATE NOCASE",
            sqlite_text(&table.name)
        );
        tables.extend(
            texts(connection, sql)
                .await?
                .into_iter()
                .map(|name| (name, ViolationKind::ForeignKeyChild)),
        );
    }
    tables.insert(table.name.clone(), ViolationKind::ForeignKeyParent);
    for (name, kind) in tables {
        let sql = format!("PRAGMA foreign_key_check({})", sqlite_name(&name));
        let row = connection
            .fetch_optional(sqlx::raw_sql(AssertSqlSafe(sql)))
            .await
            .map_err(store_error)?;
        if row.is_some() {
            let name = match outcome.added_foreign_keys.as_slice() {
                [only] => only.name.clone(),
                _ => String::new(),
            };
            return Err(StoreError::Constraint(Violation { kind, name }));
        }
    }
    Ok(())
}
