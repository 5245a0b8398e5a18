//! The statements of reads.

use tidegate_domain::gateway::value::Value;
use tidegate_domain::query::plan::{Child, ReadPlan, Scalar, Select, Test};

use super::printer::Printer;
use super::{Statement, mysql};
use crate::engine::Engine;

/// The rows of a read. With `counted` each row ends with the number of all rows that fit:
/// one statement sees one moment, so page and count agree without a transaction.
pub(crate) fn select(engine: Engine, plan: &ReadPlan, counted: bool) -> Statement {
    let select = plan.node().select();
    rows(engine, select, counted, plan.limit(), plan.offset())
}

/// Some of the rows of a read.
pub(crate) fn select_part(engine: Engine, plan: &ReadPlan, limit: u64, offset: u64) -> Statement {
    rows(engine, plan.node().select(), false, Some(limit), offset)
}

fn rows(
    engine: Engine,
    select: &Select,
    counted: bool,
    limit: Option<u64>,
    offset: u64,
) -> Statement {
    let mut printer = Printer::of_tables(engine, select.tables());
    printer.push("SELECT ");
    printer.outputs(select.columns());
    if counted {
        printer.push(", (");
        count_into(&mut printer, select, None);
        printer.push(")");
    }
    printer.source_of(select);
    printer.filter(select.predicate());
    printer.group(select);
    printer.order(select.order());
    printer.page(limit, offset);
    printer.done()
}

/// How many rows fit, whatever limit and offset say.
pub(crate) fn count(engine: Engine, plan: &ReadPlan) -> Statement {
    let select = plan.node().select();
    let mut printer = Printer::of_tables(engine, select.tables());
    count_into(&mut printer, select, None);
    printer.done()
}

/// How many rows a read gives.
pub(crate) fn count_page(engine: Engine, plan: &ReadPlan) -> Statement {
    if plan.limit().is_none() && plan.offset() == 0 {
        return count(engine, plan);
    }
    let select = plan.node().select();
    let mut printer = Printer::of_tables(engine, select.tables());
    count_into(&mut printer, select, Some((plan.limit(), plan.offset())));
    printer.done()
}

/// How many rows fit, but not more than `most`.
pub(crate) fn count_up_to(engine: Engine, plan: &ReadPlan, most: u64) -> Statement {
    let select = plan.node().select();
    let mut printer = Printer::of_tables(engine, select.tables());
    count_into(&mut printer, select, Some((Some(most), 0)));
    printer.done()
}

/// How many rows the server's statistics have it that there are. A row for each table: how many
/// rows of it are looked at, and how many per cent of them stay.
pub(crate) fn explain_count(engine: Engine, plan: &ReadPlan) -> Statement {
    let mut statement = count(engine, plan);
    let words = if engine == Engine::MariaDb {
        "EXPLAIN EXTENDED "
    } else {
        "EXPLAIN FORMAT=TRADITIONAL "
    };
    statement.sql.insert_str(0, words);
    statement
}

fn count_into(printer: &mut Printer<'_>, select: &Select, page: Option<(Option<u64>, u64)>) {
    if select.group().is_none() && page.is_none() {
        printer.push("SELECT COUNT(*)");
        printer.source_of(select);
        return printer.filter(select.predicate());
    }
    printer.push("SELECT COUNT(*) FROM (SELECT ");
    // Of aggregates without groups there is one row.
    let one = select.group().is_some_and(<[usize]>::is_empty);
    printer.push(if one { "COUNT(*)" } else { "1" });
    printer.source_of(select);
    printer.filter(select.predicate());
    printer.group(select);
    if let Some((limit, offset)) = page {
        printer.page(limit, offset);
    }
    printer.push(") AS page");
}

/// The related rows of these keys, each with its key before it. Limit and offset hold for each
/// key by itself.
pub(crate) fn related(engine: Engine, child: &Child, keys: &[Vec<Value>]) -> Statement {
    let select = child.node().select();
    let key: Vec<_> = select.columns().iter().take(child.parent().len()).collect();
    let mut printer = Printer::of_tables(engine, select.tables());
    let is_page = select.limit().is_some() || select.offset() > 0;
    // One key needs no ranks, and without them the engine can stop early.
    let ranked = is_page && keys.len() > 1;
    if ranked {
        let width = select.columns().len();
        printer.push("SELECT ");
        for at in 0..width {
            printer.push(if at == 0 { "c" } else { ", c" });
            printer.push(&at.to_string());
        }
        printer.push(" FROM (SELECT ");
        for (at, value) in select.columns().iter().enumerate() {
            printer.output(value);
            printer.push(" AS c");
            printer.push(&at.to_string());
            printer.push(", ");
        }
        printer.push("ROW_NUMBER() OVER (PARTITION BY ");
        for (at, value) in key.iter().enumerate() {
            printer.push(if at == 0 { "" } else { ", " });
            printer.exact(value);
        }
        printer.order(select.order());
        printer.push(") AS place");
    } else {
        printer.push("SELECT ");
        printer.outputs(select.columns());
    }
    printer.source_of(select);
    printer.push(" WHERE ");
    one_of_keys(&mut printer, &key, keys);
    if !select.predicate().is_empty() {
        printer.push(" AND ");
        printer.predicate(select.predicate());
    }
    printer.group(select);
    if !ranked {
        printer.order(select.order());
        printer.page(select.limit(), select.offset());
        return printer.done();
    }
    printer.push(") AS ranked WHERE place > ");
    let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
    printer.bind(number(select.offset()));
    if let Some(limit) = select.limit() {
        printer.push(" AND place <= ");
        printer.bind(number(select.offset().saturating_add(limit)));
    }
    printer.push(" ORDER BY place");
    printer.done()
}

/// That a row has one of these keys, or, where a collation says so, one that is equal to one of
/// them. The list is as long as the next power of two, so that few texts are prepared.
fn one_of_keys(printer: &mut Printer<'_>, key: &[&Scalar], keys: &[Vec<Value>]) {
    let length = keys.len().next_power_of_two();
    let last = keys.last().into_iter().cycle();
    let keys = keys.iter().chain(last).take(length);
    if let [value] = key {
        let values = keys.flatten().cloned().collect();
        return printer.test(value, &Test::In(values));
    }
    printer.push("(");
    for (at, value) in key.iter().enumerate() {
        printer.push(if at == 0 { "" } else { ", " });
        printer.value(value);
    }
    let server = printer.engine.is_server();
    printer.push(if server { ") IN (" } else { ") IN (VALUES " });
    for (at, values) in keys.enumerate() {
        printer.push(if at == 0 { "(" } else { ", (" });
        for (at, (value, other)) in key.iter().zip(values).enumerate() {
            printer.push(if at == 0 { "" } else { ", " });
            if server {
                mysql::placeholder(printer, value, other.clone());
            } else {
                printer.bind(other.clone());
            }
        }
        printer.push(")");
    }
    printer.push(")");
}
