//! Statements that are written as text: what sea-orm's builders would only make longer.

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement, TryGetable, Value};
use tidegate_domain::error::StoreError;

use crate::error::db_err;

/// The rows that a statement gives. The text is written here in the source: what a client
/// sent is among the values.
pub(crate) async fn rows(
    connection: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<QueryResult>, StoreError> {
    let backend = connection.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, values);
    connection.query_all_raw(statement).await.map_err(db_err)
}

/// The first row.
pub(crate) async fn row(
    connection: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Option<QueryResult>, StoreError> {
    Ok(rows(connection, sql, values).await?.into_iter().next())
}

/// How many rows a statement changed.
pub(crate) async fn change(
    connection: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<u64, StoreError> {
    let backend = connection.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, values);
    let done = connection.execute_raw(statement).await.map_err(db_err)?;
    Ok(done.rows_affected())
}

/// A column of a row.
pub(crate) fn get<T: TryGetable>(row: &QueryResult, column: usize) -> Result<T, StoreError> {
    row.try_get_by_index(column).map_err(db_err)
}

/// `?, ?, ?`
pub(crate) fn marks(count: usize) -> String {
    vec!["?"; count].join(", ")
}

/// What follows a query whose rows are to be locked; SQLite has one writer and needs nothing.
pub(crate) fn locking(connection: &impl ConnectionTrait, clause: &'static str) -> &'static str {
    match connection.get_database_backend() {
        DbBackend::Sqlite => "",
        _ => clause,
    }
}

/// The number that the engine gave the row of an insert.
pub(crate) async fn insert_id(
    connection: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<i64, StoreError> {
    let backend = connection.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, values);
    let done = connection.execute_raw(statement).await.map_err(db_err)?;
    i64::try_from(done.last_insert_id()).map_err(|error| StoreError::Internal(error.into()))
}
