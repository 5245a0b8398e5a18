//! Rows that come from nowhere, asked like those of a table: they are put into a table of a
//! database in memory, which lives as long as the question.

use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use tidegate_domain::gateway::column_type::{ColumnType, TypeClass};
use tidegate_domain::gateway::port::Encoding;
use tidegate_domain::gateway::schema::Table;
use tidegate_domain::gateway::value::Value;
use tidegate_domain::query::plan::ReadPlan;

use super::super::ddl::sqlite_name;
use super::super::pool::{STEPS, with_functions};
use super::super::rows::document::Document;
use super::super::rows::field::Reader as _;
use super::super::sql;
use super::fields::{Columns, arguments};
use super::rows::{fetch, query};
use super::types::declaration;
use crate::engine::Engine;

/// How many values one statement stores; the engine takes 32,766.
const PLACES: usize = 20_000;

/// Reads what the plan asks of these rows of its table: how many rows are shown, how many there
/// are in all, and the document. It may take as long as a statement.
pub(crate) async fn read(
    table: &Table,
    rows: Vec<Vec<Value>>,
    plan: &ReadPlan,
    encoding: Encoding,
    limit: Option<Duration>,
) -> Result<(u64, u64, Vec<u8>), sqlx::Error> {
    let options = with_functions(SqliteConnectOptions::new().in_memory(true));
    let mut connection = options.connect().await?;
    if let Some(limit) = limit {
        let began = Instant::now();
        connection
            .lock_handle()
            .await?
            .set_progress_handler(STEPS, move || began.elapsed() <= limit);
    }
    let outcome = async {
        fill(&mut connection, table, rows).await?;
        let (returned, body) = whole_document(&mut connection, plan, encoding).await?;
        let total = match plan.count() {
            Some(_) => count(&mut connection, plan).await?,
            None => returned,
        };
        Ok((returned, total, body))
    }
    .await;
    // That it does not close well is nobody's loss.
    let _ = connection.close().await;
    outcome
}

async fn fill(
    connection: &mut SqliteConnection,
    table: &Table,
    rows: Vec<Vec<Value>>,
) -> Result<(), sqlx::Error> {
    let name = sqlite_name(&table.name);
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| {
            format!(
                "{} {}",
                sqlite_name(&column.name),
                declared(&column.column_type)
            )
        })
        .collect();
    let create = format!("CREATE TABLE {name} ({})", columns.join(", "));
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(create)))
        .await?;
    connection.execute("BEGIN").await?;
    let width = columns.len().max(1);
    let row = format!("({})", vec!["?"; width].join(", "));
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let batch: Vec<Vec<Value>> = rows.by_ref().take((PLACES / width).max(1)).collect();
        let insert = format!(
            "INSERT INTO {name} VALUES {}",
            vec![row.as_str(); batch.len()].join(", ")
        );
        let values = arguments(batch.into_iter().flatten())?;
        connection
            .execute(sqlx::query_with(AssertSqlSafe(insert), values))
            .await?;
    }
    connection.execute("COMMIT").await.map(drop)
}

/// What has no type keeps its values as they are.
fn declared(column_type: &ColumnType) -> String {
    if column_type.class() == TypeClass::Other {
        String::new()
    } else {
        declaration(column_type)
    }
}

async fn whole_document(
    connection: &mut SqliteConnection,
    plan: &ReadPlan,
    encoding: Encoding,
) -> Result<(u64, Vec<u8>), sqlx::Error> {
    let mut reader = Columns::new(sql::types(Engine::Sqlite, plan.node().select()));
    let mut document = Document::of(Engine::Sqlite, encoding, plan.node(), plan.zone());
    let rows = fetch(connection, sql::select(Engine::Sqlite, plan, false)).await?;
    let mut bytes = Vec::with_capacity(4096);
    document.open(&mut bytes);
    for row in &rows {
        document.row(&mut bytes, row, &mut reader)?;
    }
    document.close(&mut bytes);
    Ok((document.rows(), bytes))
}

async fn count(connection: &mut SqliteConnection, plan: &ReadPlan) -> Result<u64, sqlx::Error> {
    let row = query(sql::count(Engine::Sqlite, plan))?
        .fetch_one(connection)
        .await?;
    Columns::new([]).number(&row, 0)
}
