//! Rows on MySQL and MariaDB: inserting or changing by primary key.
//!
//! `ON DUPLICATE KEY UPDATE` would change a row that is in the way of any unique key, and
//! counts in a way that hides which rows were equal; so each row is looked at under a lock.

use sqlx::mysql::MySqlConnection;
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::port::Upserted;
use tidegate_domain::gateway::schema::Table;
use tidegate_domain::gateway::value::Value;
use tidegate_domain::idempotency::{Once, Outcome};
use tidegate_domain::query::plan::UpsertPlan;

use super::super::once::Keys;
use super::super::pool::MySqlPool;
use super::super::rows::batch::Fault;
use super::super::rows::field::{Field, Reader as _};
use super::super::rows::keyed::{Keyed, keyed};
use super::super::sql::{self, Lock, Statement};
use super::fields::Columns;
use super::once::transact_once;
use super::rows::{execute, fetch, types};
use super::transaction::Work;
use crate::engine::Engine;

/// Stores the rows.
pub(super) async fn upsert(
    pool: &MySqlPool,
    keys: &Keys,
    plan: &UpsertPlan,
    once: Option<&Once<'_, Upserted>>,
) -> Result<Outcome<Upserted>, StoreError> {
    if plan.rows().is_empty() && once.is_none() {
        return Ok(Outcome::Done(Upserted::default()));
    }
    transact_once(pool, keys, &Rows { plan }, once).await
}

struct Rows<'p> {
    plan: &'p UpsertPlan,
}

impl Work for Rows<'_> {
    type Outcome = Upserted;

    async fn run(
        &self,
        connection: &mut MySqlConnection,
        engine: Engine,
    ) -> Result<Upserted, Fault> {
        let table = self.plan.table();
        let mut outcome = Upserted::default();
        for row in self.plan.rows() {
            match keyed(table, row) {
                Some(row) => one(connection, engine, table, &row, &mut outcome).await?,
                None => {
                    execute(connection, &insert(engine, table, row)).await?;
                    outcome.inserted += 1;
                }
            }
        }
        Ok(outcome)
    }
}

/// Stores one row that names its key.
async fn one(
    connection: &mut MySqlConnection,
    engine: Engine,
    table: &Table,
    row: &Keyed<'_>,
    outcome: &mut Upserted,
) -> Result<(), sqlx::Error> {
    let columns = row.compared();
    let found = fetch(
        connection,
        &sql::select_columns(engine, table, &columns, &row.key, Lock::Update),
    )
    .await?;
    let Some(there) = found.first() else {
        execute(connection, &insert(engine, table, row.named)).await?;
        outcome.inserted += 1;
        return Ok(());
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
    } else {
        execute(
            connection,
            &sql::update_where(engine, table, &row.others, &row.key, &[]),
        )
        .await?;
        outcome.updated += 1;
    }
    Ok(())
}

/// The insert of one row.
fn insert(engine: Engine, table: &Table, row: &[(usize, Value)]) -> Statement {
    let columns: Vec<usize> = row.iter().map(|(column, _)| *column).collect();
    let sql = sql::insert(engine, table, &columns, &[&vec![true; columns.len()]], &[]);
    let binds = row
        .iter()
        .map(|(column, value)| sql::stored(engine, &table.columns[*column], value).into_owned())
        .collect();
    Statement { sql, binds }
}
