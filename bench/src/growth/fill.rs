//! The data: tables of a thousand, ten thousand and more rows, and schemas of few and many tables.

use std::fmt::Write;

use anyhow::Context;

use super::ROWS;
use crate::data::Database;

/// Rows of the smallest table, of which the others are made.
const THOUSAND: u64 = 1000;

/// Rows of the tables of a schema that have any.
pub(super) const FAMILY: u64 = 100;

/// Tables of one statement's worth of work that is committed together.
const TOGETHER: u64 = 100;

/// Tables `r1000`, `r10000` and so on.
pub(super) async fn rows(database: &Database, sizes: &[u64]) -> anyhow::Result<()> {
    let is_server = matches!(database, Database::Server(_));
    let mut session = database.session(ROWS).await?;
    session.prepare().await?;
    for size in sizes {
        let table = format!(
            "CREATE TABLE r{size} (id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, \
             name VARCHAR(40) NOT NULL, amount INTEGER NOT NULL)"
        );
        session.run(&table).await?;
    }
    let mut sql = format!("INSERT INTO r{THOUSAND} VALUES ");
    for id in 1..=THOUSAND {
        let comma = if id == 1 { "" } else { "," };
        write!(sql, "{comma}({id},{},'name {id}',{})", id % 7, id * 37)?;
    }
    session.run(&sql).await?;
    // The outer table goes first, so that rows come in the order of the key.
    let join = if is_server {
        "STRAIGHT_JOIN"
    } else {
        "CROSS JOIN"
    };
    for size in sizes.iter().skip(1) {
        let mut done = 0;
        while done < *size {
            // A million at most, which is one commit.
            let times = ((size - done) / THOUSAND).min(THOUSAND);
            let sql = format!(
                "INSERT INTO r{size} SELECT {done} + (a.id - 1) * {THOUSAND} + b.id, b.kind, b.name, b.amount \
                 FROM r{THOUSAND} a {join} r{THOUSAND} b WHERE a.id <= {times}"
            );
            session.run(&sql).await?;
            done += times * THOUSAND;
        }
    }
    let names: Vec<_> = sizes.iter().map(|size| format!("r{size}")).collect();
    analyse(&mut session, is_server, &names).await?;
    session.finish().await
}

/// Tables `t0`, `t1` and so on, each of which refers to the one of half its number.
pub(super) async fn tables(database: &Database, name: &str, count: u64) -> anyhow::Result<()> {
    let is_server = matches!(database, Database::Server(_));
    let mut session = database.session(name).await?;
    session.prepare().await?;
    let mut together = String::new();
    for number in 0..count {
        let parent = number / 2;
        let refers = match number {
            0 => String::new(),
            _ => format!(", FOREIGN KEY (parent) REFERENCES t{parent} (id)"),
        };
        let table = format!(
            "CREATE TABLE t{number} (id INTEGER PRIMARY KEY, parent INTEGER, label VARCHAR(40){refers})"
        );
        // A server takes one statement at a time.
        if is_server {
            session.run(&table).await?;
            continue;
        }
        together.push_str(&table);
        together.push(';');
        if (number + 1).is_multiple_of(TOGETHER) || number + 1 == count {
            session.run(&together).await?;
            together.clear();
        }
    }
    let (child, parent) = family(count);
    for table in [parent, child] {
        let mut sql = format!("INSERT INTO t{table} VALUES ");
        for id in 1..=FAMILY {
            let comma = if id == 1 { "" } else { "," };
            let of = if table == child {
                id.to_string()
            } else {
                "NULL".to_owned()
            };
            write!(sql, "{comma}({id},{of},'label {id}')")?;
        }
        session.run(&sql).await?;
    }
    analyse(
        &mut session,
        is_server,
        &[format!("t{parent}"), format!("t{child}")],
    )
    .await
    .context("statistics")?;
    session.finish().await
}

/// The last table, and the one that it refers to.
pub(super) fn family(count: u64) -> (u64, u64) {
    (count - 1, (count - 1) / 2)
}

async fn analyse(
    session: &mut crate::data::Session,
    is_server: bool,
    names: &[String],
) -> anyhow::Result<()> {
    match is_server {
        true => {
            session
                .run(&format!("ANALYZE TABLE {}", names.join(",")))
                .await
        }
        false => session.run("ANALYZE").await,
    }
}
