//! Rows on SQLite: inserting or changing by primary key, on the one connection that may.

use sqlx::sqlite::SqliteConnection;
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::port::Upserted;
use tidegate_domain::gateway::schema::Table;
use tidegate_domain::gateway::value::Value;
use tidegate_domain::idempotency::{Once, Outcome};
use tidegate_domain::query::plan::UpsertPlan;

use super::super::pool::SqliteDatabase;
use super::super::rows::batch::Fault;
use super::super::rows::field::{Field, Reader as _};
use super::super::rows::keyed::{Keyed, keyed};
use super::super::sql::{self, Lock, Statement};
use super::fields::Columns;
use super::once::{keep, repeated};
use super::rows::{execute, fetch, types};
use super::write::{begin, settle};
use crate::engine::Engine;

/// Stores rows by primary key.
pub(super) async fn upsert(
    database: &SqliteDatabase,
    plan: &UpsertPlan,
    once: Option<&Once<'_, Upserted>>,
) -> Result<Outcome<Upserted>, StoreError> {
    if plan.rows().is_empty() && once.is_none() {
        return Ok(Outcome::Done(Upserted::default()));
    }
    let mut lease = begin(database).await?;
    let watch = lease.watch();
    let outcome = watch.over(store_all(&mut lease, plan, once)).await;
    settle(lease, outcome.map_err(Fault::Engine), false).await
}

async fn store_all(
    connection: &mut SqliteConnection,
    plan: &UpsertPlan,
    once: Option<&Once<'_, Upserted>>,
) -> Result<Outcome<Upserted>, sqlx::Error> {
    if let Some(kept) = repeated(connection, once).await? {
        return Ok(Outcome::Repeated(kept));
    }
    let mut outcome = Upserted::default();
    for row in plan.rows() {
        match keyed(plan.table(), row) {
            Some(row) => store(connection, plan.table(), &row, &mut outcome).await?,
            None => new(connection, plan.table(), row, &mut outcome).await?,
        }
    }
    keep(connection, once, &outcome).await?;
    Ok(Outcome::Done(outcome))
}

/// Stores one row that names its key.
async fn store(
    connection: &mut SqliteConnection,
    table: &Table,
    row: &Keyed<'_>,
    outcome: &mut Upserted,
) -> Result<(), sqlx::Error> {
    let columns = row.compared();
    let found = fetch(
        connection,
        sql::select_columns(Engine::Sqlite, table, &columns, &row.key, Lock::Update),
    )
    .await?;
    let Some(there) = found.first() else {
        return new(connection, table, row.named, outcome).await;
    };
    let mut reader = Columns::new(types(table, &columns));
    let mut same = true;
    for (at, (column, value)) in row.others.iter().enumerate() {
        let field = reader.field(there, at)?;
        same = same
            && field.same(&Field::from_value(
                &table.columns[*column].column_type,
                value,
            ));
    }
    if same {
        outcome.unchanged += 1;
        return Ok(());
    }
    execute(
        connection,
        sql::update_where(Engine::Sqlite, table, &row.others, &row.key, &[]),
    )
    .await?;
    outcome.updated += 1;
    Ok(())
}

/// Inserts one row.
async fn new(
    connection: &mut SqliteConnection,
    table: &Table,
    row: &[(usize, Value)],
    outcome: &mut Upserted,
) -> Result<(), sqlx::Error> {
    let columns: Vec<usize> = row.iter().map(|(column, _)| *column).collect();
    let sql = sql::insert(
        Engine::Sqlite,
        table,
        &columns,
        &[&vec![true; columns.len()]],
        &[],
    );
    let binds = row
        .iter()
        .map(|(column, value)| {
            sql::stored(Engine::Sqlite, &table.columns[*column], value).into_owned()
        })
        .collect();
    execute(connection, Statement { sql, binds }).await?;
    outcome.inserted += 1;
    Ok(())
}
