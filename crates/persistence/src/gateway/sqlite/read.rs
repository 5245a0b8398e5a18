//! Rows on SQLite: reading. Whatever a read needs is done in one go on one connection: at once
//! where it is short, else on a thread that may wait.

use std::sync::Arc;

use rusqlite::Connection;
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::port::{Encoding, RowsRead};
use tidegate_domain::query::plan::ReadPlan;
use tokio::runtime::Handle;

use super::super::pool::{Local, LocalLease, word};
use super::super::rows::document::Document;
use super::super::rows::{Building, Whole, body, is_large, related, shown_of, total_of_page};
use super::super::sql;
use super::fields::Columns;
use super::run::{Session, now, number, run};
use crate::engine::Engine;
use crate::error::local::engine;
use crate::error::store_error;

/// How many rows a document has, and how many there are in all.
type Counts = (u64, Option<u64>);

/// Reads what a plan asks for.
pub(super) async fn read(
    mut lease: LocalLease,
    plan: &ReadPlan,
    encoding: Encoding,
) -> Result<RowsRead, StoreError> {
    if plan.node().children().is_empty() && is_large(plan) {
        return stream(lease, plan, encoding).await;
    }
    let at_once = if counts_all(plan) {
        None
    } else {
        lease.at_once(|connection| small(connection, plan, encoding))
    };
    let outcome = match at_once {
        Some(outcome) => outcome,
        None => {
            let plan = plan.clone();
            let outcome;
            (lease, outcome) = lease
                .aside(move |local| small(&mut local.connection, &plan, encoding))
                .await?;
            outcome
        }
    };
    match outcome.map_err(store_error)? {
        Some(((returned, total), bytes)) => Ok(RowsRead {
            returned,
            total,
            body: body::single(bytes),
        }),
        None => stream(lease, plan, encoding).await,
    }
}

/// Whether all rows of a table are counted, which the engine does in one long step.
fn counts_all(plan: &ReadPlan) -> bool {
    plan.count().is_some() && plan.node().select().predicate().is_empty()
}

/// The whole document, `None` when it is too large for that.
fn small(
    connection: &mut Connection,
    plan: &ReadPlan,
    encoding: Encoding,
) -> Result<Option<(Counts, Vec<u8>)>, sqlx::Error> {
    if plan.node().children().is_empty() {
        return page(connection, plan, encoding);
    }
    word(connection, "BEGIN")?;
    let read = nested(connection, plan, encoding);
    // What was only read is given up without loss.
    word(connection, "ROLLBACK")?;
    read
}

/// A page and, where the plan counts, the number of all rows.
fn page(
    connection: &Connection,
    plan: &ReadPlan,
    encoding: Encoding,
) -> Result<Option<(Counts, Vec<u8>)>, sqlx::Error> {
    // Without a limit the rows are their own count.
    let counted = plan.count().is_some() && plan.limit().is_some();
    let statement = sql::select(Engine::Sqlite, plan, counted);
    let whole = run(connection, &statement, |mut rows| {
        let mut reader = Columns::new(sql::types(Engine::Sqlite, plan.node().select()));
        let document = Document::of(Engine::Sqlite, encoding, plan.node(), plan.zone());
        let mut building = Building::new(document, counted);
        while let Some(row) = rows.next().map_err(engine)? {
            if !building.add(row, &mut reader)? {
                return Ok(None);
            }
        }
        Ok(Some(building.finish()))
    })?;
    let Some(Whole {
        rows,
        counted,
        bytes,
    }) = whole
    else {
        return Ok(None);
    };
    let total = match (plan.count(), counted) {
        (None, _) => None,
        (_, Some(total)) => Some(total),
        // No row came that could have brought the count along.
        _ => Some(total(connection, plan, rows)?),
    };
    Ok(Some(((rows, total), bytes)))
}

/// Rows with related ones in them.
fn nested(
    connection: &mut Connection,
    plan: &ReadPlan,
    encoding: Encoding,
) -> Result<Option<(Counts, Vec<u8>)>, sqlx::Error> {
    let mut session = Session(connection);
    let first = now(related::first(&mut session, plan, encoding));
    let Some((rows, bytes)) = first? else {
        return Ok(None);
    };
    let total = match plan.count() {
        None => None,
        Some(_) => Some(total(connection, plan, rows)?),
    };
    Ok(Some(((rows, total), bytes)))
}

/// How many rows there are in all, of which a page has so many.
fn total(connection: &Connection, plan: &ReadPlan, rows: u64) -> Result<u64, sqlx::Error> {
    match total_of_page(rows, plan.limit(), plan.offset()) {
        Some(total) => Ok(total),
        None => number(connection, &sql::count(Engine::Sqlite, plan)),
    }
}

/// How many rows the document will have, and how many there are in all if the plan counts. The
/// engine keeps no statistics that could stand for a count.
fn counts(connection: &Connection, plan: &ReadPlan) -> Result<Counts, sqlx::Error> {
    if plan.count().is_none() {
        let returned = number(connection, &sql::count_page(Engine::Sqlite, plan))?;
        return Ok((returned, None));
    }
    let total = number(connection, &sql::count(Engine::Sqlite, plan))?;
    Ok((shown_of(plan, total), Some(total)))
}

/// Reads a document that is too large to be kept, within one read transaction.
async fn stream(
    lease: LocalLease,
    plan: &ReadPlan,
    encoding: Encoding,
) -> Result<RowsRead, StoreError> {
    let counting = plan.clone();
    let (lease, begun) = lease
        .aside(move |local| {
            word(&local.connection, "BEGIN")?;
            counts(&local.connection, &counting)
        })
        .await?;
    let (returned, total) = begun.map_err(store_error)?;
    let plan = plan.clone();
    let work = move |sink: body::Sink| async move {
        let runtime = Handle::current();
        let send = move |local: &mut Local| {
            // How fast pieces leave is up to the client, once the first is there.
            let control = Arc::clone(&local.control);
            let sink = sink.telling(move || control.go_on());
            let send = |piece| runtime.block_on(sink.send(piece));
            if plan.node().children().is_empty() {
                pieces(&local.connection, &plan, encoding, returned, &send)
            } else {
                let mut session = Session(&mut local.connection);
                runtime.block_on(related::pieces(
                    &mut session,
                    &plan,
                    encoding,
                    returned,
                    &sink,
                ))
            }
        };
        match lease.aside(send).await?.1 {
            Err(body::Cut::Failed(error)) => Err(store_error(error)),
            // Whatever comes of it, dropping the lease ends the transaction.
            Ok(()) | Err(body::Cut::Gone) => Ok(()),
        }
    };
    Ok(RowsRead {
        returned,
        total,
        body: body::spawn(work).await?,
    })
}

/// Writes all rows of a read into pieces. There have to be `expected` of them.
fn pieces(
    connection: &Connection,
    plan: &ReadPlan,
    encoding: Encoding,
    expected: u64,
    send: &dyn Fn(body::Message) -> Result<(), body::Cut>,
) -> Result<(), body::Cut> {
    let statement = sql::select(Engine::Sqlite, plan, false);
    let document = Document::of(Engine::Sqlite, encoding, plan.node(), plan.zone());
    let mut pieces = body::Pieces::new(document);
    // Why it ended, as far as the rows have nothing to do with it.
    let mut cut = None;
    run(connection, &statement, |mut rows| {
        let mut reader = Columns::new(sql::types(Engine::Sqlite, plan.node().select()));
        while let Some(row) = rows.next().map_err(engine)? {
            if let Some(piece) = pieces.add(row, &mut reader)?
                && let Err(error) = send(piece)
            {
                cut = Some(error);
                break;
            }
        }
        Ok(())
    })?;
    match cut {
        Some(cut) => Err(cut),
        None => send(pieces.finish(expected)?),
    }
}
