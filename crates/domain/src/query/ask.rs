//! What a request asks for: names and values as the client wrote them, nothing checked
//! against a schema yet. The request grammar makes these, the planner resolves them.

/// A read of one table or view.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// What to show; empty means every column.
    pub select: Vec<SelectItem>,
    /// Which rows; all conditions hold together. Empty means all rows.
    pub filters: Vec<Filter>,
    /// Logic trees (`and`, `or`), which hold as well.
    pub logic: Vec<Clause>,
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
    /// All of these hold; empty always holds.
    All(Vec<Clause>),
    /// At least one of these holds; empty never holds.
    Any(Vec<Clause>),
    /// This does not hold; where it is neither true nor false, neither is its opposite.
    Not(Box<Clause>),
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
    /// `isdistinct`: not equal, where null is a value like any other.
    Distinct(String),
    /// `eq(any)`, `like(all)` and their kin.
    Quantified {
        /// Whether one of the values is enough, or all have to fit.
        quantifier: Quantifier,
        /// What is asked of each value.
        operator: Operator,
        /// The values; `None` is a null.
        values: Vec<Option<String>>,
    },
    /// `in.(...)`.
    In(Vec<String>),
    /// `is.null` and its kin.
    Is(IsValue),
}

/// How many of several values have to fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantifier {
    /// One of them; of none, none fits.
    Any,
    /// All of them; of none, all fit.
    All,
}

impl Quantifier {
    /// Its word in the grammar.
    pub fn word(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::All => "all",
        }
    }
}

/// An operator that may be asked of several values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// A comparison; `neq` is not among those that may.
    Compare(Comparison),
    /// `like`, or `ilike` where case counts not.
    Like {
        /// `ilike`.
        ignore_case: bool,
    },
}

impl Operator {
    /// Its word in the grammar.
    pub fn word(self) -> &'static str {
        match self {
            Self::Compare(comparison) => comparison.word(),
            Self::Like { ignore_case: false } => "like",
            Self::Like { ignore_case: true } => "ilike",
        }
    }

    /// The condition with one value.
    pub fn with(self, value: String) -> Condition {
        match self {
            Self::Compare(comparison) => Condition::Compare(comparison, value),
            Self::Like { ignore_case } => Condition::Like {
                pattern: value,
                ignore_case,
            },
        }
    }
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
