//! What a request asks for: names and values as the client wrote them, nothing checked
//! against a schema yet. The request grammar makes these, the planner resolves them.

/// A read of one table or view.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// What to show; empty means every column.
    pub select: Vec<SelectItem>,
    /// Which rows; all conditions hold together. Empty means all rows.
    pub filters: Vec<Filter>,
    /// What the server adds to the filters: which of the rows are there for whoever asks.
    pub scope: Vec<Clause>,
    /// In which order.
    pub order: Vec<OrderTerm>,
    /// How many rows at most.
    pub limit: Option<u64>,
    /// How many rows to pass over.
    pub offset: u64,
    /// Whether, and how, to count all rows that fit.
    pub count: Option<Count>,
}

/// One thing to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelectItem {
    /// `*`: every column.
    Everything,
    /// One column, under another name where there is an alias.
    Column {
        /// The column.
        name: String,
        /// The name in the answer.
        alias: Option<String>,
    },
}

/// A condition on a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clause {
    /// A condition on one column.
    Column(Filter),
    /// At least one of these holds; empty never holds.
    Any(Vec<Clause>),
}

impl From<Filter> for Clause {
    fn from(filter: Filter) -> Self {
        Self::Column(filter)
    }
}

/// A condition on a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The column.
    pub column: String,
    /// Whether the condition is turned round (`not.`).
    pub negated: bool,
    /// The condition.
    pub condition: Condition,
}

/// The condition itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// `eq`, `neq`, `gt`, `gte`, `lt`, `lte`.
    Compare(Comparison, String),
    /// `like`, `ilike`.
    Like {
        /// The pattern: `*` and `%` stand for any run, `_` for one character, `\` escapes.
        pattern: String,
        /// `ilike`.
        ignore_case: bool,
    },
    /// `in.(...)`.
    In(Vec<String>),
    /// `is.null` and its kin.
    Is(IsValue),
}

/// The comparison operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Equal.
    Eq,
    /// Not equal.
    Neq,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
}

impl Comparison {
    /// The operator's word in the grammar.
    pub fn word(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Neq => "neq",
            Self::Gt => "gt",
            Self::Gte => "gte",
            Self::Lt => "lt",
            Self::Lte => "lte",
        }
    }

    /// The operator in SQL.
    pub fn sql(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::Neq => "<>",
            Self::Gt => ">",
            Self::Gte => ">=",
            Self::Lt => "<",
            Self::Lte => "<=",
        }
    }
}

/// What `is.` may be followed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IsValue {
    /// Null.
    Null,
    /// Not null.
    NotNull,
    /// True.
    True,
    /// False.
    False,
    /// A truth value that is null.
    Unknown,
}

/// One column to sort by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderTerm {
    /// The column.
    pub column: String,
    /// Largest first.
    pub descending: bool,
    /// Where nulls stand; without a word last when ascending, first when descending.
    pub nulls: Option<Nulls>,
}

/// Where nulls stand in an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nulls {
    /// Before all values.
    First,
    /// After all values.
    Last,
}

/// How rows are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// One by one.
    Exact,
}
