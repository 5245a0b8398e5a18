//! Rows with related rows in them.
//!
//! The rows of a node are read in portions, and for each portion every child by one statement
//! for all keys of it (a few where there are many), so that the number of statements does not
//! depend on the number of rows; all on one connection, within one snapshot.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use tidegate_domain::gateway::column_type::ColumnType;
use tidegate_domain::gateway::port::Encoding;
use tidegate_domain::gateway::value::Value;
use tidegate_domain::gateway::zone::Zone;
use tidegate_domain::query::plan::{Child, Node, ReadPlan};

use super::PIECE;
use super::body::{Cut, Message, Sink};
use super::document::Document;
use super::field::Reader;
use super::shape::{self, Found, Shape};
use crate::engine::Engine;
use crate::gateway::sql::{self, Statement};

/// How many rows are read before those related to them.
pub(crate) const PORTION: u64 = 1_000;
/// The same where a read has more of them: each portion is looked for from the beginning.
const LARGE_PORTION: u64 = 4_000;
/// How many keys are looked up at once.
const KEYS: usize = 1_024;
/// How many placeholders the keys of written rows may take.
const PLACEHOLDERS: usize = 16_384;

/// A connection on which statements run one after the other.
pub(crate) trait Session: Send {
    /// Reads its rows.
    type Reader: Reader<Row: Send + Sync>;

    /// The engine at the other end.
    fn engine(&self) -> Engine;

    /// A reader of columns of these types.
    fn reader(types: Vec<ColumnType>) -> Self::Reader;

    /// All rows of a statement.
    fn rows(
        &mut self,
        statement: Statement,
    ) -> impl Future<Output = Result<Vec<Row<Self>>, sqlx::Error>> + Send;
}

/// The rows of a session.
pub(crate) type Row<S> = <<S as Session>::Reader as Reader>::Row;

type Boxed<'s, T> = Pin<Box<dyn Future<Output = Result<T, sqlx::Error>> + Send + 's>>;

/// What is related to these rows of a node, for each of its children.
fn below<'s, S: Session>(
    session: &'s mut S,
    node: &'s Node,
    shape: &'s Shape,
    rows: &'s [Row<S>],
    reader: &'s mut S::Reader,
) -> Boxed<'s, Vec<Found>> {
    Box::pin(async move {
        let mut all = Vec::with_capacity(node.children().len());
        for (at, child) in node.children().iter().enumerate() {
            let mut keys = Vec::new();
            let mut wanted = HashMap::new();
            for row in rows {
                if let Some((key, values)) = shape.key(at, row, reader)?
                    && wanted.insert(key, ()).is_none()
                {
                    keys.push(values);
                }
            }
            let mut found = shape.nothing_found(at, child);
            for keys in keys.chunks(KEYS) {
                fetch(session, child, at, keys, shape, &wanted, &mut found).await?;
            }
            all.push(found);
        }
        Ok(all)
    })
}

/// Adds the rows of these keys to what is made of a child's rows.
async fn fetch<S: Session>(
    session: &mut S,
    child: &Child,
    at: usize,
    keys: &[Vec<Value>],
    shape: &Shape,
    wanted: &HashMap<Vec<u8>, ()>,
    found: &mut Found,
) -> Result<(), sqlx::Error> {
    let node = child.node();
    let engine = session.engine();
    let rows = session.rows(sql::related(engine, child, keys)).await?;
    let mut reader = S::reader(sql::types(engine, node.select()));
    let inner = Shape::new(engine, node, shape.zone());
    let portion = usize::try_from(PORTION).unwrap_or(usize::MAX);
    for rows in rows.chunks(portion) {
        let below = below(session, node, &inner, rows, &mut reader).await?;
        for row in rows {
            let key = shape::key_text(0..child.parent().len(), row, &mut reader)?;
            // A collation may find keys that are equal only to itself.
            if let Some(key) = key.filter(|key| wanted.contains_key(key)) {
                shape.add(at, found, key, &inner, row, &mut reader, &below)?;
            }
        }
    }
    Ok(())
}

/// The first portion of a read, as a whole document where it is all of it.
pub(crate) async fn first<S: Session>(
    session: &mut S,
    plan: &ReadPlan,
    encoding: Encoding,
) -> Result<Option<(u64, Vec<u8>)>, sqlx::Error> {
    let most = plan.limit().unwrap_or(u64::MAX).min(PORTION);
    let engine = session.engine();
    let statement = sql::select_part(engine, plan, most, plan.offset());
    let rows = session.rows(statement).await?;
    let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    if count == PORTION && plan.limit() != Some(PORTION) {
        return Ok(None);
    }
    let mut document = Document::of(engine, encoding, plan.node(), plan.zone());
    let mut bytes = Vec::with_capacity(4096);
    document.open(&mut bytes);
    write(session, plan.node(), &mut document, &rows, &mut bytes).await?;
    document.close(&mut bytes);
    Ok(Some((count, bytes)))
}

/// Writes rows of a node into a document.
async fn write<S: Session>(
    session: &mut S,
    node: &Node,
    document: &mut Document,
    rows: &[Row<S>],
    out: &mut Vec<u8>,
) -> Result<(), sqlx::Error> {
    let mut reader = S::reader(sql::types(session.engine(), node.select()));
    let shape = Shape::new(session.engine(), node, None);
    let below = below(
        session,
        node,
        document.shape().unwrap_or(&shape),
        rows,
        &mut reader,
    )
    .await?;
    for row in rows {
        document.row_with(out, row, &mut reader, &below)?;
    }
    Ok(())
}

/// Writes all rows of a read into pieces, portion by portion. There have to be `expected` of them.
pub(crate) async fn pieces<S: Session>(
    session: &mut S,
    plan: &ReadPlan,
    encoding: Encoding,
    expected: u64,
    sink: &Sink,
) -> Result<(), Cut> {
    let engine = session.engine();
    let mut document = Document::of(engine, encoding, plan.node(), plan.zone());
    let mut bytes = Vec::with_capacity(PIECE);
    document.open(&mut bytes);
    while document.rows() < expected {
        let portion = if document.rows() == 0 {
            PORTION
        } else {
            LARGE_PORTION
        };
        let offset = plan.offset().saturating_add(document.rows());
        let most = portion.min(expected - document.rows());
        let rows = session
            .rows(sql::select_part(engine, plan, most, offset))
            .await?;
        if rows.is_empty() {
            let message = format!(
                "{} rows arrived where {expected} were counted",
                document.rows()
            );
            return Err(Cut::Failed(sqlx::Error::Decode(message.into())));
        }
        let small = usize::try_from(PORTION).unwrap_or(usize::MAX);
        for rows in rows.chunks(small) {
            write(session, plan.node(), &mut document, rows, &mut bytes).await?;
            if bytes.len() >= PIECE {
                let piece = std::mem::replace(&mut bytes, Vec::with_capacity(PIECE));
                sink.send(Message::Piece(piece.into())).await?;
            }
        }
    }
    document.close(&mut bytes);
    sink.send(Message::Piece(bytes.into())).await
}

/// Rows with these keys as a document, in the order of the node, or without one in that of the
/// keys. The node's limit and offset do not count.
pub(crate) async fn of_keys<S: Session>(
    session: &mut S,
    child: &Child,
    keys: &[Vec<Value>],
    encoding: Encoding,
    zone: Option<Zone>,
) -> Result<Bytes, sqlx::Error> {
    let (engine, node) = (session.engine(), child.node());
    let width = child.parent().len().max(1);
    let mut rows = Vec::with_capacity(keys.len());
    for keys in keys.chunks(PLACEHOLDERS / width) {
        rows.extend(session.rows(sql::related(engine, child, keys)).await?);
    }
    if node.select().order().is_empty() {
        let mut reader = S::reader(sql::types(engine, node.select()));
        let mut by_key = HashMap::new();
        for row in rows.drain(..) {
            // The key as the engine gives it and as it was given may differ in form only.
            let found = shape::key(0..child.parent().len(), &row, &mut reader)?;
            if let Some((_, values)) = found {
                by_key.insert(form(child, &values), row);
            }
        }
        rows.extend(
            keys.iter()
                .filter_map(|key| by_key.remove(&form(child, key))),
        );
        // What is in no form that was given comes as it comes.
        rows.extend(by_key.into_values());
    }
    let mut document = Document::of(engine, encoding, node, zone);
    let mut bytes = Vec::with_capacity(4096);
    document.open(&mut bytes);
    let portion = usize::try_from(PORTION).unwrap_or(usize::MAX);
    for rows in rows.chunks(portion) {
        write(session, node, &mut document, rows, &mut bytes).await?;
    }
    document.close(&mut bytes);
    Ok(bytes.into())
}

/// A text that is the same for equal keys.
fn form(child: &Child, values: &[Value]) -> String {
    let columns = child.node().select().columns().iter();
    let fields = columns.zip(values).map(|(column, value)| {
        super::field::Field::from_value(column.column_type(), value).into_value()
    });
    format!("{:?}", fields.collect::<Vec<_>>())
}
