//! Rows on SQLite: changing and deleting, on the one connection that may.
//!
//! A single statement is a transaction by itself; more of them begin as writers, since a
//! transaction that only becomes one later can be refused.

use futures_util::TryStreamExt as _;
use sqlx::Executor as _;
use sqlx::sqlite::SqliteConnection;
use tidegate_domain::error::{StoreError, Violation, ViolationKind};
use tidegate_domain::gateway::port::{Encoding, Written};
use tidegate_domain::gateway::schema::Table;
use tidegate_domain::query::change::Ending;
use tidegate_domain::query::plan::{DeletePlan, Returning, UpdatePlan};

use super::super::pool::{SqliteDatabase, SqliteLease};
use super::super::rows::batch::Fault;
use super::super::rows::field::Reader as _;
use super::super::rows::showing::{Showing, nothing};
use super::super::sql::{self, Lock, Statement};
use super::fields::Columns;
use super::rows::{execute, query, types};
use super::show;
use crate::engine::Engine;
use crate::measure::Running;

const BEGIN: &str = "BEGIN IMMEDIATE";

/// Begins a transaction that writes.
pub(super) async fn begin(database: &SqliteDatabase) -> Result<SqliteLease, StoreError> {
    let mut lease = database.writer().await?;
    let running = Running::new("begin");
    let outcome = lease.execute(BEGIN).await;
    drop(running);
    match outcome {
        Ok(_) => Ok(lease),
        Err(error) => lease.end(Err(error)),
    }
}

/// Ends a transaction: commits if all went well, and nobody wants it undone.
pub(super) async fn settle<T>(
    lease: SqliteLease,
    outcome: Result<T, Fault>,
    undo: bool,
) -> Result<T, StoreError> {
    match outcome {
        Ok(value) if undo => {
            lease.roll_back().await;
            Ok(value)
        }
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

/// Updates the rows that fit.
pub(super) async fn update(
    database: &SqliteDatabase,
    plan: &UpdatePlan,
    encoding: Encoding,
) -> Result<Written, StoreError> {
    if plan.set().is_empty() {
        plan.ending().check(0)?;
        return Ok(Written {
            rows: 0,
            inserted: 0,
            representation: plan
                .returning()
                .map(|returning| nothing(returning, encoding)),
        });
    }
    let change = Change {
        table: plan.table(),
        returning: plan.returning(),
        ending: plan.ending(),
        encoding,
        before: None,
    };
    let statement = |returning: &[usize]| sql::update(Engine::Sqlite, plan, returning);
    change.run(database, statement).await
}

/// Deletes the rows that fit.
pub(super) async fn delete(
    database: &SqliteDatabase,
    plan: &DeletePlan,
    encoding: Encoding,
) -> Result<Written, StoreError> {
    // What is read again has to be read before it is gone.
    let before = match plan.returning() {
        Some(Returning::Reread(reread)) => Some(sql::select_columns(
            Engine::Sqlite,
            plan.table(),
            reread.key(),
            plan.predicate(),
            Lock::Update,
        )),
        _ => None,
    };
    let change = Change {
        table: plan.table(),
        returning: plan.returning(),
        ending: plan.ending(),
        encoding,
        before,
    };
    let statement = |returning: &[usize]| sql::delete(Engine::Sqlite, plan, returning);
    // The engine does not say which side of a foreign key is broken; a delete breaks only one.
    (change.run(database, statement).await).map_err(|error| match error {
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

/// One statement that changes rows, and what is shown of them.
struct Change<'p> {
    table: &'p Table,
    returning: Option<&'p Returning>,
    ending: Ending,
    encoding: Encoding,
    /// Selects what is shown before the rows are gone.
    before: Option<Statement>,
}

impl Change<'_> {
    /// Runs the statement, which is made for the columns that it has to return.
    async fn run(
        self,
        database: &SqliteDatabase,
        statement: impl Fn(&[usize]) -> Statement,
    ) -> Result<Written, StoreError> {
        let alone = matches!(self.returning, None | Some(Returning::Columns(_)));
        if alone && self.ending.is_plain() {
            let mut lease = database.writer().await?;
            let watch = lease.watch();
            return match watch.over(self.within(&mut lease, statement)).await {
                Ok(written) => lease.end(Ok(written)),
                Err(Fault::Engine(error)) => lease.end(Err(error)),
                // Nothing is checked of such a write.
                Err(Fault::Input(error)) => Err(error),
            };
        }
        let undo = self.ending.rollback;
        let mut lease = begin(database).await?;
        let watch = lease.watch();
        let outcome = watch.over(self.within(&mut lease, statement)).await;
        settle(lease, outcome, undo).await
    }

    async fn within(
        self,
        connection: &mut SqliteConnection,
        statement: impl Fn(&[usize]) -> Statement,
    ) -> Result<Written, Fault> {
        let (rows, representation) = match (self.returning, self.before) {
            (None, _) => {
                let done = execute(connection, statement(&[])).await?;
                let rows = done.rows_affected();
                self.ending.check(rows).map_err(StoreError::from)?;
                (rows, None)
            }
            (Some(returning), before) => {
                let mut showing = Showing::new(returning, self.encoding);
                let first = match &before {
                    Some(_) => None,
                    None => Some(statement(showing.columns())),
                };
                let gone = before.is_some();
                if let Some(select) = before.or(first) {
                    show_rows(connection, self.table, select, &mut showing).await?;
                }
                let rows = showing.len() as u64;
                self.ending.check(rows).map_err(StoreError::from)?;
                let document = show::document(connection, showing, self.encoding).await?;
                if gone {
                    execute(connection, statement(&[])).await?;
                }
                (rows, Some(document))
            }
        };
        Ok(Written {
            rows,
            inserted: 0,
            representation,
        })
    }
}

/// Runs a statement that returns rows, and takes them.
pub(super) async fn show_rows(
    connection: &mut SqliteConnection,
    table: &Table,
    statement: Statement,
    showing: &mut Showing<'_>,
) -> Result<(), sqlx::Error> {
    let mut reader = Columns::new(types(table, showing.columns()));
    let _running = Running::of(&statement.sql);
    let mut rows = query(statement)?.fetch(connection);
    while let Some(row) = rows.try_next().await? {
        showing.add(showing.len(), |at| reader.field(&row, at))?;
    }
    Ok(())
}
