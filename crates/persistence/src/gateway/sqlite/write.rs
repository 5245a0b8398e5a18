//! Rows on SQLite: changing and deleting, on the one connection that may.
//!
//! What concerns the row of a key shares a transaction with what comes at the same time, in which
//! each is done as a whole or not at all. Whatever else may be long, and has one of its own.

use rusqlite::Connection;
use tidegate_domain::error::{StoreError, Violation, ViolationKind};
use tidegate_domain::gateway::port::{Encoding, Written};
use tidegate_domain::gateway::schema::Table;
use tidegate_domain::query::ask::Comparison;
use tidegate_domain::query::change::Ending;
use tidegate_domain::query::plan::{DeletePlan, Predicate, Returning, Test, UpdatePlan};

use super::super::pool::{Kind, Local, Pace, SqliteDatabase};
use super::super::rows::batch::Fault;
use super::super::rows::field::Reader as _;
use super::super::rows::showing::{Showing, nothing};
use super::super::sql::{self, Lock, Statement};
use super::fields::Columns;
use super::rows::types;
use super::run::{execute, run};
use super::show;
use crate::engine::Engine;
use crate::error::local::engine;

/// How many rows are changed quickly.
pub(super) const FEW: usize = 256;

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
    let quick = is_by_key(plan.table(), plan.predicate());
    let kind = kind(quick, plan.returning(), plan.ending());
    let plan = plan.clone();
    let work = move |local: &mut Local| {
        let change = Change {
            table: plan.table(),
            returning: plan.returning(),
            ending: plan.ending(),
            encoding,
            before: None,
        };
        let statement = |returning: &[usize]| sql::update(Engine::Sqlite, &plan, returning);
        change.within(&mut local.connection, statement)
    };
    database.write(kind, work).await?.outcome().await
}

/// Deletes the rows that fit.
pub(super) async fn delete(
    database: &SqliteDatabase,
    plan: &DeletePlan,
    encoding: Encoding,
) -> Result<Written, StoreError> {
    let quick = is_by_key(plan.table(), plan.predicate());
    let kind = kind(quick, plan.returning(), plan.ending());
    let plan = plan.clone();
    let work = move |local: &mut Local| {
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
        let statement = |returning: &[usize]| sql::delete(Engine::Sqlite, &plan, returning);
        change.within(&mut local.connection, statement)
    };
    let outcome = database.write(kind, work).await?.outcome().await;
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

/// How a write is carried out that shows rows in this way and ends so. What shows related rows may
/// read many of them.
pub(super) fn kind(quick: bool, returning: Option<&Returning>, ending: Ending) -> Kind {
    let quick = quick && !matches!(returning, Some(Returning::Reread(_)));
    Kind {
        pace: if quick { Pace::Quick } else { Pace::Long },
        undo: ending.rollback,
    }
}

/// Whether only the row of a key can fit, or those of a few.
fn is_by_key(table: &Table, predicate: &Predicate) -> bool {
    let key = table.identity();
    !key.is_empty() && key.iter().all(|column| fixes(predicate, *column))
}

/// Whether only one value of a column fits, or only a few.
fn fixes(predicate: &Predicate, column: usize) -> bool {
    match predicate {
        Predicate::All(parts) => parts.iter().any(|part| fixes(part, column)),
        Predicate::Test { value, test } => {
            let few = match test {
                Test::Compare(Comparison::Eq, _) => true,
                Test::In(values) => values.len() <= FEW,
                _ => false,
            };
            few && (value.as_column()).is_some_and(|it| it.source == 0 && it.column == column)
        }
        _ => false,
    }
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
    fn within(
        self,
        connection: &mut Connection,
        statement: impl Fn(&[usize]) -> Statement,
    ) -> Result<Written, Fault> {
        let (rows, representation) = match (self.returning, self.before) {
            (None, _) => {
                let rows = execute(connection, &statement(&[]))?;
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
                    show_rows(connection, self.table, &select, &mut showing)?;
                }
                let rows = showing.len() as u64;
                self.ending.check(rows).map_err(StoreError::from)?;
                let document = show::document(connection, showing, self.encoding)?;
                if gone {
                    execute(connection, &statement(&[]))?;
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
pub(super) fn show_rows(
    connection: &Connection,
    table: &Table,
    statement: &Statement,
    showing: &mut Showing<'_>,
) -> Result<(), sqlx::Error> {
    let types = types(table, showing.columns());
    run(connection, statement, |mut rows| {
        let mut reader = Columns::new(types);
        while let Some(row) = rows.next().map_err(engine)? {
            showing.add(showing.len(), |at| reader.field(row, at))?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use tidegate_domain::gateway::column_type::ColumnType;
    use tidegate_domain::gateway::name::DatabaseName;
    use tidegate_domain::gateway::schema::{Column, TableKind};
    use tidegate_domain::gateway::value::Value;

    use super::*;

    fn table(key: &[&str]) -> Table {
        let column = |name: &str| Column {
            name: name.to_owned(),
            column_type: ColumnType::Date,
            nullable: false,
            default: None,
            base: None,
            auto_increment: false,
            generated: None,
            comment: String::new(),
            collation: None,
        };
        Table {
            database: DatabaseName::new("d", "tidegate").unwrap(),
            name: "t".to_owned(),
            kind: TableKind::Table,
            writable: true,
            columns: ["a", "b", "c"].map(column).into(),
            primary_key: key.iter().map(|name| (*name).to_owned()).collect(),
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            comment: String::new(),
            row_estimate: None,
        }
    }

    #[test]
    fn a_whole_key_is_told_from_less() {
        let (keyed, loose) = (table(&["a", "b"]), table(&[]));
        let test = |column, test| Predicate::of(&keyed, column, test);
        let is = |column| test(column, Test::Compare(Comparison::Eq, Value::Int(1)));
        let one_of = |most| test(1, Test::In((0..most).map(Value::Int).collect()));
        let above = test(1, Test::Compare(Comparison::Gt, Value::Int(1)));
        let all = Predicate::All;
        for (predicate, expected) in [
            (all(vec![is(0), is(1)]), true),
            (all(vec![is(2), all(vec![is(1), is(0)])]), true),
            (all(vec![is(0), one_of(256)]), true),
            (all(vec![is(0), one_of(257)]), false),
            (all(vec![is(0), above]), false),
            (all(vec![is(0), is(2)]), false),
            (Predicate::Any(vec![is(0), is(1)]), false),
            (Predicate::Not(Box::new(all(vec![is(0), is(1)]))), false),
            (all(Vec::new()), false),
        ] {
            assert_eq!(is_by_key(&keyed, &predicate), expected, "{predicate:?}");
            assert!(!is_by_key(&loose, &predicate), "{predicate:?}");
        }
    }
}
