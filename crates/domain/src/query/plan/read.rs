//! Plans of reads.
//!
//! A read is a [`Node`]: one SELECT ([`Select`]) of a table and of what to-one embeds join to it,
//! how its columns become the members of an object, and further nodes for to-many embeds, whose
//! rows are fetched by the keys of many rows at once.

use std::sync::Arc;

use crate::gateway::column_type::ColumnType;
use crate::gateway::schema::{Column, Table};
use crate::gateway::value::Value;
use crate::gateway::zone::Zone;
use crate::query::ask::{Aggregate, Comparison, Count, JoinKind, JsonStep, Nulls};

/// A column of one of a statement's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ColumnRef {
    /// The table, by its place in [`Select::tables`].
    pub source: usize,
    /// The column's place in the table.
    pub column: usize,
}

/// A value that a statement computes.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar {
    /// How.
    pub(crate) kind: ScalarKind,
    /// The type it has.
    pub(crate) column_type: ColumnType,
    /// Whether it may be null.
    pub(crate) nullable: bool,
}

/// How a value comes about.
#[derive(Debug, Clone, PartialEq)]
pub enum ScalarKind {
    /// It stands in a column.
    Column(ColumnRef),
    /// It stands inside the JSON document of a column; as JSON, or as text.
    Json {
        /// The column.
        column: ColumnRef,
        /// The way, one step or more.
        steps: Vec<JsonStep>,
        /// Whether it is wanted as text, in which null of JSON is null.
        as_text: bool,
    },
    /// It is converted to the scalar's type.
    Cast(Box<Scalar>),
    /// It is an aggregate; of rows where there is no value.
    Aggregate(Aggregate, Option<Box<Scalar>>),
    /// Whether a left join found a row: whether this column, which then is never null, is not null.
    Present(ColumnRef),
}

impl Scalar {
    /// A column of the first, or only, table of a statement.
    pub fn of(table: &Table, column: usize) -> Option<Self> {
        table
            .columns
            .get(column)
            .map(|it| Self::column(it, ColumnRef { source: 0, column }))
    }

    /// A column.
    pub(crate) fn column(column: &Column, at: ColumnRef) -> Self {
        Self {
            kind: ScalarKind::Column(at),
            column_type: column.column_type.clone(),
            nullable: column.nullable,
        }
    }

    /// How it comes about.
    pub fn kind(&self) -> &ScalarKind {
        &self.kind
    }

    /// Its type.
    pub fn column_type(&self) -> &ColumnType {
        &self.column_type
    }

    /// Whether it may be null.
    pub fn nullable(&self) -> bool {
        self.nullable
    }

    /// The column it is, where it is one.
    pub fn as_column(&self) -> Option<ColumnRef> {
        match self.kind {
            ScalarKind::Column(at) => Some(at),
            _ => None,
        }
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
    /// A test of a value.
    Test {
        /// The value.
        value: Scalar,
        /// The test.
        test: Test,
    },
    /// There is a related row.
    Exists(Box<Related>),
    /// A left join found a row (see [`ScalarKind::Present`]).
    Present(ColumnRef),
}

impl Predicate {
    /// A test of a column of the first, or only, table of a statement.
    pub fn of(table: &Table, column: usize, test: Test) -> Self {
        match Scalar::of(table, column) {
            Some(value) => Self::Test { value, test },
            // No column is there for whoever asks for one that is not.
            None => Self::Any(Vec::new()),
        }
    }

    /// Whether it lets every row through.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::All(parts) if parts.is_empty())
    }
}

/// Related rows of which there has to be one.
#[derive(Debug, Clone, PartialEq)]
pub struct Related {
    /// The table, and what is joined to it.
    pub(crate) join: Join,
}

impl Related {
    /// The table and how it is related to the rows outside; its kind means nothing.
    pub fn join(&self) -> &Join {
        &self.join
    }
}

/// A table that is joined to those before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    pub(crate) source: usize,
    pub(crate) kind: JoinKind,
    pub(crate) on: Vec<(ColumnRef, ColumnRef)>,
    pub(crate) predicate: Predicate,
    pub(crate) joins: Vec<Join>,
}

impl Join {
    /// The table, by its place in [`Select::tables`].
    pub fn source(&self) -> usize {
        self.source
    }

    /// Whether rows without a match are left out.
    pub fn kind(&self) -> JoinKind {
        self.kind
    }

    /// Columns that have to be equal: of a table before, and of this one (or one joined to it).
    pub fn on(&self) -> &[(ColumnRef, ColumnRef)] {
        &self.on
    }

    /// Which of its rows.
    pub fn predicate(&self) -> &Predicate {
        &self.predicate
    }

    /// What is joined to it before it is joined itself.
    pub fn joins(&self) -> &[Join] {
        &self.joins
    }
}

/// A test of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// A comparison. Texts compare by code point, numbers by value, whatever the collation.
    Compare(Comparison, Value),
    /// A pattern over the whole text.
    Like {
        /// The pattern, taken apart.
        pattern: Vec<LikePart>,
        /// Whether case counts not (by Unicode's simple case folding).
        ignore_case: bool,
    },
    /// A regular expression finds something in the text. The planner has checked that the crate
    /// `regex` takes it.
    Match {
        /// The expression.
        pattern: String,
        /// Whether case counts not.
        ignore_case: bool,
    },
    /// Words are in the text.
    Search(Search),
    /// A JSON document contains this one (PostgreSQL's `@>`), canonical JSON.
    Contains(String),
    /// A JSON document is contained in this one.
    ContainedIn(String),
    /// A JSON array has an element in common with this one.
    Overlaps(String),
    /// Equal to one of these; empty matches nothing.
    In(Vec<Value>),
    /// Null.
    IsNull,
    /// Not null.
    IsNotNull,
    /// True (`Boolean` values only).
    IsTrue,
    /// False (`Boolean` values only).
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

/// A full-text search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// The words.
    pub(crate) terms: SearchTerm,
    /// Whether the column has a full-text index.
    pub(crate) indexed: bool,
}

impl Search {
    /// The words.
    pub fn terms(&self) -> &SearchTerm {
        &self.terms
    }

    /// Whether the column has a full-text index.
    pub fn indexed(&self) -> bool {
        self.indexed
    }
}

/// What a text has to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchTerm {
    /// Words that follow each other, in lower case; one or more.
    Phrase(Vec<String>),
    /// A word that begins so (`word:*`).
    Prefix(String),
    /// All of these.
    All(Vec<SearchTerm>),
    /// One of these.
    Any(Vec<SearchTerm>),
    /// Not this.
    Not(Box<SearchTerm>),
}

/// One term of an order.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderColumn {
    pub(crate) value: Scalar,
    pub(crate) descending: bool,
    pub(crate) nulls: Nulls,
}

impl OrderColumn {
    /// What is sorted by.
    pub fn value(&self) -> &Scalar {
        &self.value
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

/// One SELECT.
#[derive(Debug, Clone)]
pub struct Select {
    pub(crate) tables: Vec<Arc<Table>>,
    pub(crate) joins: Vec<Join>,
    pub(crate) predicate: Predicate,
    pub(crate) columns: Vec<Scalar>,
    pub(crate) group: Option<Vec<usize>>,
    pub(crate) order: Vec<OrderColumn>,
    pub(crate) limit: Option<u64>,
    pub(crate) offset: u64,
}

impl Select {
    /// All tables of the statement, those of `Exists` among them. The first is the one whose
    /// rows are read.
    pub fn tables(&self) -> &[Arc<Table>] {
        &self.tables
    }

    /// What is joined to the first table.
    pub fn joins(&self) -> &[Join] {
        &self.joins
    }

    /// Which rows.
    pub fn predicate(&self) -> &Predicate {
        &self.predicate
    }

    /// The select list.
    pub fn columns(&self) -> &[Scalar] {
        &self.columns
    }

    /// Where there are aggregates, the places in the select list of what is grouped by.
    pub fn group(&self) -> Option<&[usize]> {
        self.group.as_deref()
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
}

/// Rows, and what stands in each of them.
#[derive(Debug, Clone)]
pub struct Node {
    pub(crate) select: Select,
    pub(crate) members: Vec<Member>,
    pub(crate) children: Vec<Child>,
}

impl Node {
    /// The statement.
    pub fn select(&self) -> &Select {
        &self.select
    }

    /// The members of a row, in their order.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The related rows that members show.
    pub fn children(&self) -> &[Child] {
        &self.children
    }
}

/// A member of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Member {
    /// A value.
    Value {
        /// Its name.
        name: String,
        /// Its place in the select list.
        column: usize,
        /// The type it is converted to when it is shown.
        cast: Option<ColumnType>,
    },
    /// A related row, or null.
    Object {
        /// Its name.
        name: String,
        /// The place in the select list of what tells whether it is there (0 or 1).
        present: usize,
        /// Its members.
        members: Vec<Member>,
    },
    /// Related rows.
    Array {
        /// Its name.
        name: String,
        /// Which of [`Node::children`].
        child: usize,
    },
    /// One member of each of the related rows.
    Values {
        /// Its name.
        name: String,
        /// Which of [`Node::children`].
        child: usize,
        /// Which of its members.
        member: usize,
    },
}

impl Member {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Value { name, .. }
            | Self::Object { name, .. }
            | Self::Array { name, .. }
            | Self::Values { name, .. } => name,
        }
    }
}

/// Related rows, fetched for many rows at once.
#[derive(Debug, Clone)]
pub struct Child {
    pub(crate) parent: Vec<usize>,
    pub(crate) node: Node,
    pub(crate) lone: bool,
}

impl Child {
    /// The places of the key in the select list of the rows that these are related to. The
    /// node's select list begins with as many columns, in which related rows have the same values.
    pub fn parent(&self) -> &[usize] {
        &self.parent
    }

    /// The rows. Limit and offset are meant for each key by itself.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Whether there is one row also where there is none: aggregates of nothing, of which counts
    /// are 0 and the others null.
    pub fn lone(&self) -> bool {
        self.lone
    }
}

/// A read.
#[derive(Debug, Clone)]
pub struct ReadPlan {
    pub(crate) node: Node,
    pub(crate) count: Option<Count>,
    pub(crate) exact_up_to: Option<u64>,
    pub(crate) zone: Option<Zone>,
}

impl ReadPlan {
    /// The table or view.
    pub fn table(&self) -> &Table {
        // The planner makes no statement without a table.
        &self.node.select.tables[0]
    }

    /// The rows.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Which rows.
    pub fn predicate(&self) -> &Predicate {
        &self.node.select.predicate
    }

    /// How many rows at most.
    pub fn limit(&self) -> Option<u64> {
        self.node.select.limit
    }

    /// How many rows to pass over.
    pub fn offset(&self) -> u64 {
        self.node.select.offset
    }

    /// Whether, and how, to count all rows that fit, whatever limit and offset say.
    pub fn count(&self) -> Option<Count> {
        self.count
    }

    /// Up to how many rows [`Count::Estimated`] counts them.
    pub fn exact_up_to(&self) -> Option<u64> {
        self.exact_up_to
    }

    /// The time zone in which instants are shown; without one UTC.
    pub fn zone(&self) -> Option<Zone> {
        self.zone
    }
}
