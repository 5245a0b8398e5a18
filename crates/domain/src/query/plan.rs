//! What is allowed: plans with private fields, which only the planner builds. Every name
//! in them comes from the catalogue and every value has the column's type, so that the
//! SQL printers cannot print request text.

use std::sync::Arc;

use super::ask::{Comparison, Count, Nulls};
use crate::gateway::schema::{Column, Table};
use crate::gateway::value::Value;

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

/// Which rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Predicate {
    /// All of these hold; empty holds always.
    All(Vec<Predicate>),
    /// At least one of these holds; empty never holds.
    Any(Vec<Predicate>),
    /// Neither true nor false, as a comparison with null is.
    Unknown,
    /// This does not hold, by SQL's three-valued logic (null stays null).
    Not(Box<Predicate>),
    /// A test of one column.
    Test {
        /// The column's place in the table.
        column: usize,
        /// The test.
        test: ColumnTest,
    },
}

impl Predicate {
    /// Whether it lets every row through.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::All(parts) if parts.is_empty())
    }
}

/// A test of one column's value.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnTest {
    /// A comparison. Texts compare by code point, numbers by value, whatever the collation.
    Compare(Comparison, Value),
    /// A pattern over the whole text.
    Like {
        /// The pattern, taken apart.
        pattern: Vec<LikePart>,
        /// Whether case counts not (by Unicode's simple case folding).
        ignore_case: bool,
    },
    /// Equal to one of these; empty matches nothing.
    In(Vec<Value>),
    /// Null.
    IsNull,
    /// Not null.
    IsNotNull,
    /// True (`Boolean` columns only).
    IsTrue,
    /// False (`Boolean` columns only).
    IsFalse,
}

/// A part of a `like` pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LikePart {
    /// Any run of characters, also none.
    AnyRun,
    /// Exactly one character.
    AnyOne,
    /// This text.
    Literal(String),
}

/// One column of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderColumn {
    /// The column's place in the table.
    pub(crate) column: usize,
    /// Largest first.
    pub(crate) descending: bool,
    /// Where nulls stand.
    pub(crate) nulls: Nulls,
}

impl OrderColumn {
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

/// A read.
#[derive(Debug, Clone)]
pub struct ReadPlan {
    pub(crate) table: Arc<Table>,
    pub(crate) output: Vec<OutputColumn>,
    pub(crate) predicate: Predicate,
    pub(crate) order: Vec<OrderColumn>,
    pub(crate) limit: Option<u64>,
    pub(crate) offset: u64,
    pub(crate) count: Option<Count>,
}

impl ReadPlan {
    /// The table or view.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// What to show, one or more columns.
    pub fn output(&self) -> &[OutputColumn] {
        &self.output
    }

    /// Which rows.
    pub fn predicate(&self) -> &Predicate {
        &self.predicate
    }

    /// In which order.
    pub fn order(&self) -> &[OrderColumn] {
        &self.order
    }

    /// How many rows at most.
    pub fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// How many rows to pass over.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether to count all rows that fit, whatever limit and offset say.
    pub fn count(&self) -> Option<Count> {
        self.count
    }
}

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
    pub(crate) returning: Option<ReadShape>,
}

/// How written rows are shown: which columns, and in which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadShape {
    pub(crate) output: Vec<OutputColumn>,
    pub(crate) order: Vec<OrderColumn>,
}

impl ReadShape {
    /// What to show.
    pub fn output(&self) -> &[OutputColumn] {
        &self.output
    }

    /// In which order; empty keeps the order of the writing.
    pub fn order(&self) -> &[OrderColumn] {
        &self.order
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

    /// How to show the new rows; `None` shows nothing.
    pub fn returning(&self) -> Option<&ReadShape> {
        self.returning.as_ref()
    }
}

/// An update of the rows that fit.
#[derive(Debug, Clone)]
pub struct UpdatePlan {
    pub(crate) table: Arc<Table>,
    pub(crate) set: Vec<(usize, Value)>,
    pub(crate) predicate: Predicate,
    pub(crate) returning: Option<ReadShape>,
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
    pub fn returning(&self) -> Option<&ReadShape> {
        self.returning.as_ref()
    }
}

/// A delete of the rows that fit.
#[derive(Debug, Clone)]
pub struct DeletePlan {
    pub(crate) table: Arc<Table>,
    pub(crate) predicate: Predicate,
    pub(crate) returning: Option<ReadShape>,
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
    pub fn returning(&self) -> Option<&ReadShape> {
        self.returning.as_ref()
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
