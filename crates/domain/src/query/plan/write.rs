//! Plans of writes.

use std::sync::Arc;

use super::read::{Child, Predicate};
use crate::gateway::schema::{Column, Table};
use crate::gateway::value::Value;
use crate::gateway::zone::Zone;
use crate::query::ask::Nulls;
use crate::query::change::{Ending, Resolution};

/// A value to be written.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// This value.
    Value(Value),
    /// The column's default, as if it had not been named.
    Default,
}

/// An insert. The rows come as a stream; each has one cell for each of `columns`.
#[derive(Debug, Clone)]
pub struct InsertPlan {
    pub(crate) table: Arc<Table>,
    pub(crate) columns: Vec<usize>,
    pub(crate) conflict: Option<Conflict>,
    pub(crate) returning: Option<Returning>,
    pub(crate) ending: Ending,
}

/// What becomes of new rows whose key is there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    pub(crate) key: Vec<usize>,
    pub(crate) resolution: Resolution,
}

impl Conflict {
    /// The places of the key's columns in the table: the primary key's, or a unique key's.
    /// Another key that is there already is a fault as ever.
    pub fn key(&self) -> &[usize] {
        &self.key
    }

    /// What becomes of the rows.
    pub fn resolution(&self) -> Resolution {
        self.resolution
    }
}

/// How written rows are shown.
#[derive(Debug, Clone)]
pub enum Returning {
    /// Columns of the table as they are.
    Columns(ReadShape),
    /// More than that (related rows, converted values, parts of documents), read by what tells
    /// rows of the table apart.
    Reread(Box<Reread>),
}

/// Written rows that are read again to be shown.
#[derive(Debug, Clone)]
pub struct Reread {
    pub(crate) key: Vec<usize>,
    pub(crate) child: Child,
    pub(crate) zone: Option<Zone>,
}

impl Reread {
    /// The places of the columns that tell rows of the table apart.
    pub fn key(&self) -> &[usize] {
        &self.key
    }

    /// How they are read by these columns.
    pub fn child(&self) -> &Child {
        &self.child
    }

    /// The time zone in which instants are shown; without one UTC.
    pub fn zone(&self) -> Option<Zone> {
        self.zone
    }
}

/// A column in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputColumn {
    /// The column's place in the table.
    pub(crate) column: usize,
    /// Its name in the answer.
    pub(crate) name: String,
}

impl OutputColumn {
    /// The column's place in the table.
    pub fn column(&self) -> usize {
        self.column
    }

    /// Its name in the answer.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// One column of the order of written rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShapeOrder {
    /// The column's place in the table.
    pub(crate) column: usize,
    /// Largest first.
    pub(crate) descending: bool,
    /// Where nulls stand.
    pub(crate) nulls: Nulls,
}

impl ShapeOrder {
    /// The column's place in the table.
    pub fn column(&self) -> usize {
        self.column
    }

    /// Largest first.
    pub fn descending(&self) -> bool {
        self.descending
    }

    /// Where nulls stand.
    pub fn nulls(&self) -> Nulls {
        self.nulls
    }
}

/// How written rows are shown: which columns, and in which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadShape {
    pub(crate) output: Vec<OutputColumn>,
    pub(crate) order: Vec<ShapeOrder>,
    pub(crate) zone: Option<Zone>,
}

impl ReadShape {
    /// What to show.
    pub fn output(&self) -> &[OutputColumn] {
        &self.output
    }

    /// In which order; empty keeps the order of the writing.
    pub fn order(&self) -> &[ShapeOrder] {
        &self.order
    }

    /// The time zone in which instants are shown; without one UTC.
    pub fn zone(&self) -> Option<Zone> {
        self.zone
    }
}

impl InsertPlan {
    /// The table.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The places of the columns that the rows have cells for; empty for rows of defaults only.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// The same as columns of the catalogue.
    pub fn column(&self, at: usize) -> Option<&Column> {
        self.columns
            .get(at)
            .and_then(|index| self.table.columns.get(*index))
    }

    /// What becomes of rows that are there already; `None` makes them a fault.
    pub fn conflict(&self) -> Option<&Conflict> {
        self.conflict.as_ref()
    }

    /// How to show the new rows; `None` shows nothing.
    pub fn returning(&self) -> Option<&Returning> {
        self.returning.as_ref()
    }

    /// How the transaction ends.
    pub fn ending(&self) -> Ending {
        self.ending
    }
}

/// An update of the rows that fit.
#[derive(Debug, Clone)]
pub struct UpdatePlan {
    pub(crate) table: Arc<Table>,
    pub(crate) set: Vec<(usize, Value)>,
    pub(crate) predicate: Predicate,
    pub(crate) returning: Option<Returning>,
    pub(crate) ending: Ending,
}

impl UpdatePlan {
    /// The table.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The columns to set; empty changes nothing and touches no row.
    pub fn set(&self) -> &[(usize, Value)] {
        &self.set
    }

    /// Which rows.
    pub fn predicate(&self) -> &Predicate {
        &self.predicate
    }

    /// How to show the changed rows; `None` shows nothing.
    pub fn returning(&self) -> Option<&Returning> {
        self.returning.as_ref()
    }

    /// How the transaction ends.
    pub fn ending(&self) -> Ending {
        self.ending
    }
}

/// A delete of the rows that fit.
#[derive(Debug, Clone)]
pub struct DeletePlan {
    pub(crate) table: Arc<Table>,
    pub(crate) predicate: Predicate,
    pub(crate) returning: Option<Returning>,
    pub(crate) ending: Ending,
}

impl DeletePlan {
    /// The table.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Which rows.
    pub fn predicate(&self) -> &Predicate {
        &self.predicate
    }

    /// How to show the rows as they were; `None` shows nothing.
    pub fn returning(&self) -> Option<&Returning> {
        self.returning.as_ref()
    }

    /// How the transaction ends.
    pub fn ending(&self) -> Ending {
        self.ending
    }
}

/// Rows to be stored by their primary key: new ones inserted, existing ones changed in the
/// columns that the row names. A row that does not name the whole key is inserted.
#[derive(Debug, Clone)]
pub struct UpsertPlan {
    pub(crate) table: Arc<Table>,
    pub(crate) rows: Vec<Vec<(usize, Value)>>,
}

impl UpsertPlan {
    /// The table.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The rows, each with the columns it names.
    pub fn rows(&self) -> &[Vec<(usize, Value)>] {
        &self.rows
    }
}
