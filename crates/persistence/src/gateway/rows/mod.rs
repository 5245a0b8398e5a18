//! What the row stores of all engines share: values as they travel ([`field`]), rows on their way
//! in ([`batch`]), documents made of rows ([`document`]), rows kept back to be sorted ([`collect`]) documents that
//! leave in pieces while their rows arrive ([`body`]), rows with related rows in them ([`related`], [`shape`]),
//! and what is computed of values ([`cast`], [`exact`], [`json`]).

pub(super) mod batch;
pub(super) mod body;
pub(crate) mod cast;
pub(super) mod collect;
pub(super) mod document;
pub(super) mod exact;
pub(super) mod field;
pub(super) mod json;
pub(super) mod keyed;
pub(super) mod meeting;
pub(super) mod related;
pub(super) mod shape;
pub(super) mod showing;

use futures_util::{Stream, TryStreamExt};

use document::Document;
use field::Reader;

/// How large a document may grow before it is sent in pieces instead.
pub(super) const WHOLE: usize = 256 * 1024;

/// How large a piece is.
pub(super) const PIECE: usize = 64 * 1024;

/// How many rows a read may be expected to give before it is streamed at once, without
/// trying whether the document stays small.
const MANY_ROWS: u64 = 10_000;

/// A document that was small enough to be read as a whole.
pub(super) struct Whole {
    /// How many rows it has.
    pub(super) rows: u64,
    /// The count that came with the rows, where it was asked for and there was a row.
    pub(super) counted: Option<u64>,
    /// The document.
    pub(super) bytes: Vec<u8>,
}

/// A document that is read as a whole, as long as it stays small.
pub(super) struct Building {
    document: Document,
    // Whether the column after the shown ones is the number of all rows.
    counted: bool,
    total: Option<u64>,
    bytes: Vec<u8>,
}

impl Building {
    /// A document without rows. With `counted` the column after the shown ones is the number of
    /// all rows.
    pub(super) fn new(document: Document, counted: bool) -> Self {
        let mut bytes = Vec::with_capacity(4096);
        document.open(&mut bytes);
        Self {
            document,
            counted,
            total: None,
            bytes,
        }
    }

    /// Adds a row; false when the document grew too large with it.
    pub(super) fn add<R: Reader>(
        &mut self,
        row: &R::Row,
        reader: &mut R,
    ) -> Result<bool, sqlx::Error> {
        self.document.row(&mut self.bytes, row, reader)?;
        if self.counted && self.total.is_none() {
            self.total = Some(reader.number(row, self.document.columns())?);
        }
        Ok(self.bytes.len() <= WHOLE)
    }

    /// The document.
    pub(super) fn finish(mut self) -> Whole {
        self.document.close(&mut self.bytes);
        Whole {
            rows: self.document.rows(),
            counted: self.total,
            bytes: self.bytes,
        }
    }
}

/// Reads all rows into a document; `None` when it grew too large and the rest was left
/// unread. With `counted` the column after the shown ones is the number of all rows.
pub(super) async fn whole<S, R>(
    mut rows: S,
    reader: &mut R,
    document: Document,
    counted: bool,
) -> Result<Option<Whole>, sqlx::Error>
where
    S: Stream<Item = Result<R::Row, sqlx::Error>> + Unpin,
    R: Reader,
{
    let mut building = Building::new(document, counted);
    while let Some(row) = rows.try_next().await? {
        if !building.add(&row, reader)? {
            return Ok(None);
        }
    }
    Ok(Some(building.finish()))
}

/// Whether a read is likely to give so many rows that its document has to be streamed.
pub(super) fn is_large(plan: &tidegate_domain::query::plan::ReadPlan) -> bool {
    let most = plan.limit().unwrap_or(u64::MAX);
    let there = plan.table().row_estimate.unwrap_or(0);
    let select = plan.node().select();
    select.group().is_none() && plan.predicate().is_empty() && most.min(there) > MANY_ROWS
}

/// How many rows fit in all, as far as a page tells it: a page that is not full is the last.
pub(crate) fn total_of_page(rows: u64, limit: Option<u64>, offset: u64) -> Option<u64> {
    let full = limit.is_some_and(|limit| rows >= limit);
    let seen = rows > 0 || offset == 0;
    (!full && seen).then_some(offset + rows)
}

/// How many of so many rows a read gives.
pub(super) fn shown_of(plan: &tidegate_domain::query::plan::ReadPlan, total: u64) -> u64 {
    total
        .saturating_sub(plan.offset())
        .min(plan.limit().unwrap_or(u64::MAX))
}
