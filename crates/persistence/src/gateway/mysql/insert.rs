//! Rows on MySQL and MariaDB: inserting.
//!
//! A single statement is a transaction by itself. Shown rows are found again by their keys:
//! given with the row, or numbered by the server. An insert of a known number of rows gets
//! consecutive numbers whatever `innodb_autoinc_lock_mode` is, as long as all of its rows are
//! numbered; rows of any other mix are inserted one by one.
//!
//! `ON DUPLICATE KEY UPDATE` would change a row that is in the way of any unique key. So rows that
//! may meet others by one key are looked for under a lock, and then inserted or changed; a single
//! row that merges is changed by its key, and inserted where that finds none (`merge`).

use std::cell::RefCell;

use sqlx::mysql::{MySqlArguments, MySqlConnection, MySqlQueryResult};
use sqlx::{AssertSqlSafe, Executor};
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::column_type::{ColumnType, TypeClass};
use tidegate_domain::gateway::port::{Encoding, RowInput, Written};
use tidegate_domain::gateway::schema::{Column, DefaultValue};
use tidegate_domain::gateway::value::Value;
use tidegate_domain::idempotency::{Once, Outcome};
use tidegate_domain::query::change::Resolution;
use tidegate_domain::query::error::QueryError;
use tidegate_domain::query::plan::{Cell, InsertPlan};

use super::super::once::Keys;
use super::super::pool::{MySqlPool, Watch};
use super::super::rows::batch::{Batches, Fault, Lately, Row, cut, is_repeated};
use super::super::rows::field::Reader as _;
use super::super::rows::meeting::{Meeting, Met};
use super::super::rows::showing::{Showing, nothing};
use super::super::sql::{self, Lock, Statement};
use super::fields::{Columns, bind};
use super::merge::merged;
use super::once::{claim, transact_once};
use super::rows::{execute, fetch};
use super::show;
use super::transaction::{Work, is_deadlock, settle};
use crate::engine::Engine;
use crate::measure::Running;
use crate::retry::{TRIES, pause};

/// The protocol counts placeholders in two bytes.
const PLACEHOLDERS: usize = 65_535;
/// How many rows one statement inserts at most.
const ROWS: usize = 1024;

thread_local! {
    /// Those of this thread's statements that are not prepared at once.
    static LATELY: RefCell<Lately> = RefCell::default();
}

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
    // How fast rows arrive is up to the client: who sends the first of them slowly has no
    // connection meanwhile.
    let first = batches.next().await?.unwrap_or_default();
    let second = batches.next().await?;
    let plain = once.is_none() && plan.returning().is_none() && plan.ending().is_plain();
    let Some(second) = second else {
        let rows = first;
        if rows.is_empty() && once.is_none() {
            plan.ending().check(0)?;
            return Ok(Outcome::Done(Written {
                rows: 0,
                inserted: 0,
                representation: plan
                    .returning()
                    .map(|returning| nothing(returning, encoding)),
            }));
        }
        if plain && plan.conflict().is_none() && cut(&rows, pool.piece(), false).nth(1).is_none() {
            return single(pool, plan, &rows).await.map(Outcome::Done);
        }
        if let ([row], true) = (rows.as_slice(), plain)
            && let Some(written) = merged(pool, plan, row).await?
        {
            return Ok(Outcome::Done(written));
        }
        let work = AtOnce {
            plan,
            encoding,
            rows,
            piece: pool.piece(),
        };
        return transact_once(pool, keys, &work, once).await;
    };
    let mut lease = pool.begin("START TRANSACTION").await?;
    let mut inserting = Inserting::new(lease.server().engine, plan, encoding, pool.piece());
    inserting.even = true;
    let watch = lease.watch();
    let begun = [first, second];
    match streamed(&mut lease, &watch, keys, inserting, begun, batches, once).await {
        Ok(outcome) => {
            settle(lease, plan.ending().rollback).await?;
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
    piece: usize,
}

impl Work for AtOnce<'_> {
    type Outcome = Written;

    async fn run(
        &self,
        connection: &mut MySqlConnection,
        engine: Engine,
    ) -> Result<Written, Fault> {
        let mut inserting = Inserting::new(engine, self.plan, self.encoding, self.piece);
        if !self.rows.is_empty() {
            inserting.add(connection, &self.rows).await?;
        }
        inserting.finish(connection).await
    }

    fn rolls_back(&self) -> bool {
        self.plan.ending().rollback
    }
}

/// Inserts rows as they arrive, after those that did.
async fn streamed(
    connection: &mut MySqlConnection,
    watch: &Watch,
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
        watch.over(inserting.add(connection, &batch)).await?;
    }
    while let Some(batch) = batches.next().await? {
        watch.over(inserting.add(connection, &batch)).await?;
    }
    let written = watch.over(inserting.finish(connection)).await?;
    if let Some(once) = once {
        execute(connection, &keys.keep(once, &written)?).await?;
    }
    Ok(Outcome::Done(written))
}

/// Inserts what fits one statement.
pub(super) async fn single(
    pool: &MySqlPool,
    plan: &InsertPlan,
    rows: &[Row],
) -> Result<Written, StoreError> {
    let mut tries = 1;
    loop {
        let mut lease = pool.get().await?;
        let engine = lease.server().engine;
        let watch = lease.watch();
        match watch.over(run(&mut lease, engine, plan, rows)).await {
            Err(error) if is_deadlock(&error) && tries < TRIES => drop(lease.end::<()>(Err(error))),
            outcome => {
                let done = lease.end(outcome)?;
                return Ok(Written {
                    rows: done.rows_affected(),
                    inserted: done.rows_affected(),
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
    let again = again || LATELY.with_borrow_mut(|lately| lately.ran(&text));
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
    /// By all that is known of it.
    Given,
}

/// An insert under way.
struct Inserting<'p> {
    engine: Engine,
    plan: &'p InsertPlan,
    encoding: Encoding,
    // How large a statement may be.
    piece: usize,
    // Whether each has a power of two of rows. Of others sqlx tells the server that it will not
    // run them again, in a packet that has no answer, and behind which the next one waits for
    // 40 ms (see `MySqlPool::piece`).
    even: bool,
    key: Vec<usize>,
    meeting: Option<Meeting<'p>>,
    inserted: u64,
    merged: u64,
    shown: Option<Showing<'p>>,
}

impl<'p> Inserting<'p> {
    fn new(engine: Engine, plan: &'p InsertPlan, encoding: Encoding, piece: usize) -> Self {
        Self {
            engine,
            plan,
            encoding,
            piece,
            even: false,
            key: plan.table().identity(),
            meeting: Meeting::of(plan),
            inserted: 0,
            merged: 0,
            shown: plan
                .returning()
                .map(|returning| Showing::new(returning, encoding)),
        }
    }

    /// What came of it, unless the request does not want as much.
    async fn finish(self, connection: &mut MySqlConnection) -> Result<Written, Fault> {
        let rows = self.inserted + self.merged;
        self.plan.ending().check(rows).map_err(StoreError::from)?;
        let representation = match self.shown {
            Some(showing) => {
                Some(show::document(connection, self.engine, showing, self.encoding).await?)
            }
            None => None,
        };
        Ok(Written {
            rows,
            inserted: self.inserted,
            representation,
        })
    }

    async fn add(&mut self, connection: &mut MySqlConnection, rows: &[Row]) -> Result<(), Fault> {
        let Some(meeting) = &mut self.meeting else {
            return self.add_new(connection, rows).await;
        };
        let met = meeting.of_rows(rows).map_err(StoreError::from)?;
        let merges = meeting.conflict().resolution() == Resolution::Merge;
        let keys: Vec<Vec<Value>> = (met.iter())
            .filter_map(|met| match met {
                Met::Perhaps(key) => Some(key.values.clone()),
                Met::Nothing | Met::Before => None,
            })
            .collect();
        let key = meeting.conflict().key();
        let there = show::there(connection, self.engine, self.plan.table(), key, &keys).await?;
        let (mut new, mut old) = (Vec::new(), Vec::new());
        for (row, met) in rows.iter().zip(met) {
            let is_new = match met {
                Met::Before => continue,
                Met::Perhaps(key) if there.contains(&key.text) => {
                    if !merges {
                        continue;
                    }
                    old.push((row, key.values));
                    false
                }
                Met::Nothing | Met::Perhaps(_) => {
                    new.push(row.clone());
                    true
                }
            };
            // Shown rows stand in the order of the writing, so they are written in it.
            if self.shown.is_some() {
                if is_new {
                    self.merge(connection, &mut old).await?;
                } else if !new.is_empty() {
                    self.add_new(connection, &std::mem::take(&mut new)).await?;
                }
            }
        }
        if !new.is_empty() {
            self.add_new(connection, &new).await?;
        }
        Ok(self.merge(connection, &mut old).await?)
    }

    /// Changes the rows that are there with these keys; takes all of them.
    async fn merge(
        &mut self,
        connection: &mut MySqlConnection,
        rows: &mut Vec<(&Row, Vec<Value>)>,
    ) -> Result<(), sqlx::Error> {
        let (Some(meeting), false) = (&self.meeting, rows.is_empty()) else {
            return Ok(());
        };
        let table = self.plan.table();
        let key = meeting.conflict().key();
        let mut found = Vec::with_capacity(rows.len());
        for (row, values) in rows.drain(..) {
            let (taken, mut is) = (meeting.taken(row), sql::key_is(table, key, &values));
            if self.shown.is_some() && key != self.key {
                // Found again by what tells rows apart, which the change may change.
                let statement = sql::select_columns(self.engine, table, &self.key, &is, Lock::None);
                let rows = fetch(connection, &statement).await?;
                let mut identity = show::values(table, &self.key, &rows)?;
                let identity = identity.pop().ok_or(sqlx::Error::RowNotFound)?;
                is = sql::key_is(table, &self.key, &identity);
                found.push(changed(&self.key, identity, &taken));
            } else {
                found.push(values);
            }
            execute(connection, &sql::update_by(self.engine, table, &taken, &is)).await?;
            self.merged += 1;
        }
        let Some(shown) = &mut self.shown else {
            return Ok(());
        };
        show::by_keys(connection, self.engine, table, &self.key, found, shown).await
    }

    /// Inserts rows that are not there.
    async fn add_new(
        &mut self,
        connection: &mut MySqlConnection,
        rows: &[Row],
    ) -> Result<(), Fault> {
        for rows in cut(rows, self.piece, self.even) {
            self.add_piece(connection, rows).await?;
        }
        Ok(())
    }

    /// Inserts rows that fit one statement.
    async fn add_piece(
        &mut self,
        connection: &mut MySqlConnection,
        rows: &[Row],
    ) -> Result<(), Fault> {
        if self.shown.is_none() {
            self.inserted += run(connection, self.engine, self.plan, rows)
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
    ) -> Result<(), Fault> {
        let done = run(connection, self.engine, self.plan, rows).await?;
        self.inserted += done.rows_affected();
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
                    key[place] = numbered(number);
                    keys.push(key);
                }
                Found::Given => {
                    let (plan, number) = (self.plan, done.last_insert_id());
                    let (statement, equal) = given(self.engine, plan, shown.columns(), row, number);
                    if !show::one(connection, plan.table(), &statement, equal, shown).await? {
                        return Err(StoreError::from(QueryError::Unsupported {
                            feature: "representations of rows that nothing tells from others",
                        })
                        .into());
                    }
                }
            }
        }
        show::by_keys(
            connection,
            self.engine,
            self.plan.table(),
            &self.key,
            keys,
            shown,
        )
        .await?;
        Ok(())
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

/// A key after a change of its row.
fn changed(key: &[usize], values: Vec<Value>, taken: &[(usize, &Cell)]) -> Vec<Value> {
    let new = |column: &usize| {
        taken.iter().find_map(|(at, cell)| match cell {
            Cell::Value(value) if at == column => Some(value.clone()),
            _ => None,
        })
    };
    let columns = key.iter().zip(values);
    columns
        .map(|(column, value)| new(column).unwrap_or(value))
        .collect()
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

/// Selects a row, or two, by what it was given and what it got where nothing was; `number` is
/// what the server numbered it with. Also whether nothing else tells rows apart, so that of
/// several any will do: in tables without a key a new row may equal older ones.
fn given(
    engine: Engine,
    plan: &InsertPlan,
    columns: &[usize],
    row: &Row,
    number: u64,
) -> (Statement, bool) {
    let table = plan.table();
    let (mut at, mut values, mut equal) = (Vec::new(), Vec::new(), true);
    for (place, column) in table.columns.iter().enumerate() {
        if column.generated.is_some() {
            continue;
        }
        let planned = plan.columns().iter().position(|it| *it == place);
        let given = match planned.and_then(|planned| row.get(planned)) {
            Some(Cell::Value(value)) => Some(value),
            _ => None,
        };
        let known = match given {
            None | Some(Value::Null) if column.auto_increment => {
                (number > 0).then(|| numbered(number))
            }
            Some(Value::Null) => Some(Value::Null),
            Some(value) => is_comparable(&column.column_type).then(|| value.clone()),
            None => default(column),
        };
        match known {
            Some(value) => {
                at.push(place);
                values.push(value);
            }
            None => equal = false,
        }
    }
    let is = sql::key_is(table, &at, &values);
    let mut statement = sql::select_columns(engine, table, columns, &is, Lock::None);
    statement.sql.push_str(" LIMIT 2");
    (statement, equal)
}

/// Whether a column equals the value that was stored in it.
fn is_comparable(column_type: &ColumnType) -> bool {
    // A float is stored with fewer digits than it was given with.
    !matches!(column_type, ColumnType::Float { .. })
        && !matches!(column_type.class(), TypeClass::Json | TypeClass::Other)
}

/// What stands in a column that was left out, where that is known.
fn default(column: &Column) -> Option<Value> {
    match &column.default {
        None | Some(DefaultValue::Null) => column.nullable.then_some(Value::Null),
        // The text of an instant would depend on the session that made the table.
        Some(DefaultValue::Literal(text))
            if is_comparable(&column.column_type)
                && column.column_type.class() != TypeClass::Temporal =>
        {
            column.column_type.value_from_text(text).ok()
        }
        Some(_) => None,
    }
}

fn numbered(number: u64) -> Value {
    i64::try_from(number).map_or(Value::UInt(number), Value::Int)
}

#[cfg(test)]
mod tests;
