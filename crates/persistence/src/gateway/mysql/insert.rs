//! Rows on MySQL and MariaDB: inserting.
//!
//! A single statement is a transaction by itself. Shown rows are found again by their keys:
//! given with the row, or numbered by the server. An insert of a known number of rows gets
//! consecutive numbers whatever `innodb_autoinc_lock_mode` is, as long as all of its rows are
//! numbered; rows of any other mix are inserted one by one.

use sqlx::mysql::{MySqlArguments, MySqlConnection, MySqlQueryResult};
use sqlx::{AssertSqlSafe, Executor};
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::column_type::TypeClass;
use tidegate_domain::gateway::port::{Encoding, RowInput, Written};
use tidegate_domain::gateway::value::Value;
use tidegate_domain::idempotency::{Once, Outcome};
use tidegate_domain::query::plan::{Cell, InsertPlan};

use super::super::once::Keys;
use super::super::pool::MySqlPool;
use super::super::rows::batch::{Batches, Fault, Row, is_repeated};
use super::super::rows::collect::{Collected, identity, nothing};
use super::super::rows::field::Reader as _;
use super::super::sql::{self, Statement};
use super::fields::{Columns, bind};
use super::once::{claim, transact_once};
use super::rows::{execute, fetch};
use super::show;
use super::transaction::{Work, is_deadlock};
use crate::engine::Engine;
use crate::measure::Running;
use crate::retry::{TRIES, pause};

/// The protocol counts placeholders in two bytes.
const PLACEHOLDERS: usize = 65_535;
/// How many rows one statement inserts at most.
const ROWS: usize = 1024;

/// Inserts the rows of an input.
pub(super) async fn insert(
    pool: &MySqlPool,
    keys: &Keys,
    plan: &InsertPlan,
    input: RowInput<'_>,
    encoding: Encoding,
    once: Option<&Once<'_, Written>>,
) -> Result<Outcome<Written>, StoreError> {
    let mut batches = Batches::new(input, plan.columns().len(), PLACEHOLDERS, ROWS, false);
    let first = batches.next().await?.unwrap_or_default();
    if first.is_empty() && once.is_none() {
        return Ok(Outcome::Done(Written {
            rows: 0,
            representation: plan.returning().map(|shape| nothing(shape, encoding)),
        }));
    }
    let Some(second) = batches.next().await? else {
        if once.is_none() && plan.returning().is_none() {
            return single(pool, plan, &first).await.map(Outcome::Done);
        }
        let work = AtOnce {
            plan,
            encoding,
            rows: first,
        };
        return transact_once(pool, keys, &work, once).await;
    };
    let mut lease = pool.begin("START TRANSACTION").await?;
    let inserting = Inserting::new(lease.server().engine, plan, encoding);
    match streamed(&mut lease, keys, inserting, [first, second], batches, once).await {
        Ok(outcome) => {
            lease.commit().await?;
            Ok(outcome)
        }
        Err(Fault::Engine(error)) => Err(lease.abort(error).await),
        Err(Fault::Input(error)) => {
            lease.roll_back().await;
            Err(error)
        }
    }
}

/// Rows that are all there, so that they can be inserted again after a deadlock.
struct AtOnce<'p> {
    plan: &'p InsertPlan,
    encoding: Encoding,
    rows: Vec<Row>,
}

impl Work for AtOnce<'_> {
    type Outcome = Written;

    async fn run(
        &self,
        connection: &mut MySqlConnection,
        engine: Engine,
    ) -> Result<Written, sqlx::Error> {
        let mut inserting = Inserting::new(engine, self.plan, self.encoding);
        if !self.rows.is_empty() {
            inserting.add(connection, &self.rows).await?;
        }
        Ok(inserting.finish())
    }
}

/// Inserts rows as they arrive, after those that did.
async fn streamed(
    connection: &mut MySqlConnection,
    keys: &Keys,
    mut inserting: Inserting<'_>,
    begun: [Vec<Row>; 2],
    mut batches: Batches<'_>,
    once: Option<&Once<'_, Written>>,
) -> Result<Outcome<Written>, Fault> {
    if let Some(outcome) = claim(connection, keys, once).await? {
        return Ok(outcome);
    }
    for batch in begun {
        inserting.add(connection, &batch).await?;
    }
    while let Some(batch) = batches.next().await? {
        inserting.add(connection, &batch).await?;
    }
    let written = inserting.finish();
    if let Some(once) = once {
        execute(connection, &keys.keep(once, &written)?).await?;
    }
    Ok(Outcome::Done(written))
}

/// Inserts what fits one statement.
async fn single(pool: &MySqlPool, plan: &InsertPlan, rows: &[Row]) -> Result<Written, StoreError> {
    let mut tries = 1;
    loop {
        let mut lease = pool.get().await?;
        let engine = lease.server().engine;
        match run(&mut lease, engine, plan, rows).await {
            Err(error) if is_deadlock(&error) && tries < TRIES => drop(lease.end::<()>(Err(error))),
            outcome => {
                let done = lease.end(outcome)?;
                return Ok(Written {
                    rows: done.rows_affected(),
                    representation: None,
                });
            }
        }
        pause(tries).await;
        tries += 1;
    }
}

/// Runs the statement for these rows.
async fn run(
    connection: &mut MySqlConnection,
    engine: Engine,
    plan: &InsertPlan,
    rows: &[Row],
) -> Result<MySqlQueryResult, sqlx::Error> {
    let mut arguments = MySqlArguments::default();
    let mut given = Vec::with_capacity(rows.len() * plan.columns().len());
    for row in rows {
        for (at, cell) in row.iter().enumerate() {
            if let (Cell::Value(value), Some(column)) = (cell, plan.column(at)) {
                bind(&mut arguments, &sql::stored(engine, column, value))?;
            }
            given.push(matches!(cell, Cell::Value(_)));
        }
    }
    let patterns: Vec<&[bool]> = match plan.columns().len() {
        0 => vec![&[]; rows.len()],
        width => given.chunks(width).collect(),
    };
    let text = sql::insert(engine, plan.table(), plan.columns(), &patterns, &[]);
    let again = is_repeated(rows.len()) && given.iter().all(|given| *given);
    let _running = Running::new("insert");
    connection
        .execute(sqlx::query_with(AssertSqlSafe(text), arguments).persistent(again))
        .await
}

/// How a new row is found again.
enum Found {
    /// By this key.
    Key(Vec<Value>),
    /// By this key, once the number that the server gives stands at this place.
    Numbered(Vec<Value>, usize),
    /// By all that was given.
    Given,
}

/// An insert under way.
struct Inserting<'p> {
    engine: Engine,
    plan: &'p InsertPlan,
    key: Vec<usize>,
    rows: u64,
    shown: Option<Collected>,
}

impl<'p> Inserting<'p> {
    fn new(engine: Engine, plan: &'p InsertPlan, encoding: Encoding) -> Self {
        let shown = plan
            .returning()
            .map(|shape| Collected::new(shape, encoding));
        Self {
            engine,
            plan,
            key: identity(plan.table()),
            rows: 0,
            shown,
        }
    }

    fn finish(self) -> Written {
        Written {
            rows: self.rows,
            representation: self.shown.map(Collected::finish),
        }
    }

    async fn add(
        &mut self,
        connection: &mut MySqlConnection,
        rows: &[Row],
    ) -> Result<(), sqlx::Error> {
        if self.shown.is_none() {
            self.rows += run(connection, self.engine, self.plan, rows)
                .await?
                .rows_affected();
            return Ok(());
        }
        let found: Vec<Found> = rows.iter().map(|row| self.found(row)).collect();
        let alike = found.iter().all(|found| matches!(found, Found::Key(_)))
            || found
                .iter()
                .all(|found| matches!(found, Found::Numbered(..)));
        if alike {
            return self.add_alike(connection, rows, found).await;
        }
        for (row, found) in rows.iter().zip(found) {
            self.add_alike(connection, std::slice::from_ref(row), vec![found])
                .await?;
        }
        Ok(())
    }

    /// Inserts rows that are all found in the same way.
    async fn add_alike(
        &mut self,
        connection: &mut MySqlConnection,
        rows: &[Row],
        found: Vec<Found>,
    ) -> Result<(), sqlx::Error> {
        let done = run(connection, self.engine, self.plan, rows).await?;
        self.rows += done.rows_affected();
        let step = match found.first() {
            Some(Found::Numbered(..)) if rows.len() > 1 => step(connection).await?,
            _ => 1,
        };
        let Some(shown) = &mut self.shown else {
            return Ok(());
        };
        let mut keys = Vec::with_capacity(found.len());
        for (row, found) in rows.iter().zip(found) {
            match found {
                Found::Key(key) => keys.push(key),
                Found::Numbered(mut key, place) => {
                    let number = done.last_insert_id() + step * keys.len() as u64;
                    key[place] = i64::try_from(number).map_or(Value::UInt(number), Value::Int);
                    keys.push(key);
                }
                Found::Given => {
                    let statement = given(self.engine, self.plan, shown.columns(), row);
                    show::one(connection, self.plan.table(), &statement, shown).await?;
                }
            }
        }
        show::by_keys(
            connection,
            self.engine,
            self.plan.table(),
            &self.key,
            &keys,
            shown,
        )
        .await
    }

    fn found(&self, row: &Row) -> Found {
        let table = self.plan.table();
        let mut numbered = None;
        let mut key = Vec::with_capacity(self.key.len());
        for (place, column) in self.key.iter().enumerate() {
            let at = self
                .plan
                .columns()
                .iter()
                .position(|planned| planned == column);
            match at.and_then(|at| row.get(at)) {
                Some(Cell::Value(value)) if *value != Value::Null => key.push(value.clone()),
                _ if table.columns[*column].auto_increment => {
                    numbered = Some(place);
                    key.push(Value::Null);
                }
                _ => return Found::Given,
            }
        }
        match numbered {
            _ if key.is_empty() => Found::Given,
            Some(place) => Found::Numbered(key, place),
            None => Found::Key(key),
        }
    }
}

/// The distance between two numbers that the server gives; not one where several servers
/// share the work.
async fn step(connection: &mut MySqlConnection) -> Result<u64, sqlx::Error> {
    let statement = Statement {
        sql: "SELECT @@auto_increment_increment".to_owned(),
        binds: Vec::new(),
    };
    let rows = fetch(connection, &statement).await?;
    Columns::new([]).number(rows.first().ok_or(sqlx::Error::RowNotFound)?, 0)
}

/// Selects a row by what it was given, for tables whose rows have nothing that tells them
/// apart: of several rows that are equal in all of it any will do.
fn given(engine: Engine, plan: &InsertPlan, columns: &[usize], row: &Row) -> Statement {
    let comparable = |column: &usize| {
        !matches!(
            plan.table().columns[*column].column_type.class(),
            TypeClass::Json | TypeClass::Other
        )
    };
    let (at, values): (Vec<usize>, Vec<Value>) = (plan.columns().iter().zip(row))
        .filter_map(|(column, cell)| match cell {
            Cell::Value(value) if comparable(column) => Some((*column, value.clone())),
            _ => None,
        })
        .unzip();
    sql::select_one(engine, plan.table(), columns, &sql::key_is(&at, &values))
}
