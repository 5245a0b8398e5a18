//! Rows on SQLite: writing, on the one connection that may.
//!
//! A single statement is a transaction by itself; more of them begin as writers, since a
//! transaction that only becomes one later can be refused.

use std::borrow::Cow;

use futures_util::TryStreamExt as _;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{AssertSqlSafe, Executor};
use tidegate_domain::error::{StoreError, Violation, ViolationKind};
use tidegate_domain::gateway::port::{Encoding, RowInput, Upserted, Written};
use tidegate_domain::gateway::schema::Table;
use tidegate_domain::gateway::value::Value;
use tidegate_domain::idempotency::{Once, Outcome};
use tidegate_domain::query::plan::{
    Cell, DeletePlan, InsertPlan, ReadShape, UpdatePlan, UpsertPlan,
};

use super::super::pool::{SqliteDatabase, SqliteLease};
use super::super::rows::batch::{Batches, Fault, Row, is_repeated};
use super::super::rows::collect::{Collected, nothing};
use super::super::rows::field::{Field, Reader as _};
use super::super::rows::keyed::{Keyed, keyed};
use super::super::sql::{self, Lock, Statement};
use super::fields::{Columns, bind};
use super::once::{keep, repeated};
use super::rows::{execute, fetch, query, types};
use crate::engine::Engine;
use crate::measure::Running;

/// SQLite's own limit.
const PLACEHOLDERS: usize = 32_766;
/// How many rows one statement inserts at most.
const ROWS: usize = 256;

const BEGIN: &str = "BEGIN IMMEDIATE";

/// Inserts the rows of an input.
pub(super) async fn insert(
    database: &SqliteDatabase,
    plan: &InsertPlan,
    input: RowInput<'_>,
    encoding: Encoding,
    once: Option<&Once<'_, Written>>,
) -> Result<Outcome<Written>, StoreError> {
    // A statement without columns inserts one row of defaults.
    let rows = if plan.columns().is_empty() { 1 } else { ROWS };
    let mut batches = Batches::new(input, plan.columns().len(), PLACEHOLDERS, rows, true);
    let mut written = Inserted {
        rows: 0,
        shown: plan
            .returning()
            .map(|shape| Collected::new(shape, encoding)),
    };
    let (first, second) = (batches.next().await?, batches.next().await?);
    if once.is_none() && second.is_none() {
        if let Some(first) = first {
            let mut lease = database.writer().await?;
            let outcome = written.add(&mut lease, plan, first).await;
            lease.end(outcome)?;
        }
        return Ok(Outcome::Done(written.finish()));
    }
    let begun = [first, second].into_iter().flatten();
    let mut lease = begin(database).await?;
    let outcome = streamed(&mut lease, plan, written, begun, batches, once).await;
    settle(lease, outcome).await
}

/// Inserts rows as they arrive, after those that did.
async fn streamed(
    connection: &mut SqliteConnection,
    plan: &InsertPlan,
    mut written: Inserted,
    begun: impl Iterator<Item = Vec<Row>>,
    mut batches: Batches<'_>,
    once: Option<&Once<'_, Written>>,
) -> Result<Outcome<Written>, Fault> {
    if let Some(kept) = repeated(connection, once).await? {
        return Ok(Outcome::Repeated(kept));
    }
    for batch in begun {
        written.add(connection, plan, batch).await?;
    }
    while let Some(batch) = batches.next().await? {
        written.add(connection, plan, batch).await?;
    }
    let written = written.finish();
    keep(connection, once, &written).await?;
    Ok(Outcome::Done(written))
}

/// Begins a transaction that writes.
async fn begin(database: &SqliteDatabase) -> Result<SqliteLease, StoreError> {
    let mut lease = database.writer().await?;
    let running = Running::new("begin");
    let outcome = lease.execute(BEGIN).await;
    drop(running);
    match outcome {
        Ok(_) => Ok(lease),
        Err(error) => lease.end(Err(error)),
    }
}

/// Ends a transaction: commits if all went well.
async fn settle<T>(lease: SqliteLease, outcome: Result<T, Fault>) -> Result<T, StoreError> {
    match outcome {
        Ok(value) => {
            lease.commit().await?;
            Ok(value)
        }
        Err(Fault::Engine(error)) => Err(lease.abort(error).await),
        Err(Fault::Input(error)) => {
            lease.roll_back().await;
            Err(error)
        }
    }
}

/// An insert under way.
struct Inserted {
    rows: u64,
    shown: Option<Collected>,
}

impl Inserted {
    /// Inserts rows whose defaults are in the same columns. SQLite has no word for a
    /// default, so those columns are left out.
    async fn add(
        &mut self,
        connection: &mut SqliteConnection,
        plan: &InsertPlan,
        rows: Vec<Row>,
    ) -> Result<(), sqlx::Error> {
        let given: Vec<bool> = rows.first().map_or_else(Vec::new, |row| {
            row.iter().map(|cell| *cell != Cell::Default).collect()
        });
        let columns: Vec<usize> = plan
            .columns()
            .iter()
            .zip(&given)
            .filter(|(_, given)| **given)
            .map(|(column, _)| *column)
            .collect();
        if columns.is_empty() && rows.len() > 1 {
            // Rows of defaults alone have no list form.
            for row in rows {
                Box::pin(self.add(connection, plan, vec![row])).await?;
            }
            return Ok(());
        }
        let count = rows.len();
        let mut arguments = SqliteArguments::default();
        for row in rows {
            for (at, cell) in row.into_iter().enumerate() {
                if let (Cell::Value(value), Some(column)) = (cell, plan.column(at)) {
                    let changed = match sql::stored(Engine::Sqlite, column, &value) {
                        Cow::Owned(changed) => Some(changed),
                        Cow::Borrowed(_) => None,
                    };
                    bind(&mut arguments, changed.unwrap_or(value))?;
                }
            }
        }
        let returning = self.shown.as_ref().map_or(&[][..], Collected::columns);
        let all = vec![true; columns.len()];
        let text = sql::insert(
            Engine::Sqlite,
            plan.table(),
            &columns,
            &vec![all.as_slice(); count],
            returning,
        );
        let query = sqlx::query_with(AssertSqlSafe(text), arguments).persistent(is_repeated(count));
        let _running = Running::new("insert");
        let Some(shown) = &mut self.shown else {
            self.rows += connection.execute(query).await?.rows_affected();
            return Ok(());
        };
        let mut reader = Columns::new(types(plan.table(), shown.columns()));
        let mut inserted = query.fetch(connection);
        while let Some(row) = inserted.try_next().await? {
            shown.add(shown.len(), |at| reader.field(&row, at))?;
            self.rows += 1;
        }
        Ok(())
    }

    fn finish(self) -> Written {
        Written {
            rows: self.rows,
            representation: self.shown.map(Collected::finish),
        }
    }
}

/// Updates the rows that fit.
pub(super) async fn update(
    database: &SqliteDatabase,
    plan: &UpdatePlan,
    encoding: Encoding,
) -> Result<Written, StoreError> {
    if plan.set().is_empty() {
        return Ok(Written {
            rows: 0,
            representation: plan.returning().map(|shape| nothing(shape, encoding)),
        });
    }
    run(
        database,
        plan.table(),
        plan.returning(),
        encoding,
        |returning| sql::update(Engine::Sqlite, plan, returning),
    )
    .await
}

/// Deletes the rows that fit.
pub(super) async fn delete(
    database: &SqliteDatabase,
    plan: &DeletePlan,
    encoding: Encoding,
) -> Result<Written, StoreError> {
    let outcome = run(
        database,
        plan.table(),
        plan.returning(),
        encoding,
        |returning| sql::delete(Engine::Sqlite, plan, returning),
    )
    .await;
    // The engine does not say which side of a foreign key is broken; a delete breaks only one.
    outcome.map_err(|error| match error {
        StoreError::Constraint(Violation {
            kind: ViolationKind::ForeignKeyParent,
            name,
        }) => StoreError::Constraint(Violation {
            kind: ViolationKind::ForeignKeyChild,
            name,
        }),
        error => error,
    })
}

/// Runs one statement, and shows its rows if they are to be shown.
async fn run(
    database: &SqliteDatabase,
    table: &Table,
    returning: Option<&ReadShape>,
    encoding: Encoding,
    statement: impl Fn(&[usize]) -> Statement,
) -> Result<Written, StoreError> {
    let mut lease = database.writer().await?;
    let Some(shape) = returning else {
        let outcome = execute(&mut lease, statement(&[])).await;
        return Ok(Written {
            rows: lease.end(outcome)?.rows_affected(),
            representation: None,
        });
    };
    let mut collected = Collected::new(shape, encoding);
    let outcome = show(
        &mut lease,
        table,
        statement(collected.columns()),
        &mut collected,
    )
    .await;
    lease.end(outcome)?;
    Ok(Written {
        rows: collected.len() as u64,
        representation: Some(collected.finish()),
    })
}

async fn show(
    connection: &mut SqliteConnection,
    table: &Table,
    statement: Statement,
    collected: &mut Collected,
) -> Result<(), sqlx::Error> {
    let mut reader = Columns::new(types(table, collected.columns()));
    let _running = Running::of(&statement.sql);
    let mut rows = query(statement)?.fetch(connection);
    while let Some(row) = rows.try_next().await? {
        collected.add(collected.len(), |at| reader.field(&row, at))?;
    }
    Ok(())
}

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
    let outcome = store_all(&mut lease, plan, once).await;
    settle(lease, outcome.map_err(Fault::Engine)).await
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
