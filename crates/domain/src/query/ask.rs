//! What a request asks for: names and values as the client wrote them, nothing checked
//! against a schema yet. The request grammar makes these, the planner resolves them.

use crate::gateway::zone::Zone;

/// A read of one table or view, or of what is embedded into one.
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
    /// The time zone in which instants are shown; without one UTC.
    pub zone: Option<Zone>,
}

/// One thing to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelectItem {
    /// `*`: every column.
    Everything,
    /// One value.
    Column(Selected),
    /// Rows of a related table.
    Embed(Box<Embed>),
}

/// One value to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// Where it stands; `None` for `count()`, which counts rows.
    pub operand: Option<Operand>,
    /// The type it is converted to (`::type`), before an aggregate is taken of it.
    pub cast: Option<String>,
    /// The aggregate that is taken of it.
    pub aggregate: Option<Aggregated>,
    /// The name in the answer.
    pub alias: Option<String>,
}

impl Selected {
    /// A column as it is.
    pub fn column(name: impl Into<String>) -> Self {
        Self {
            operand: Some(Operand::column(name)),
            cast: None,
            aggregate: None,
            alias: None,
        }
    }
}

/// An aggregate of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aggregated {
    /// Which one.
    pub function: Aggregate,
    /// The type that it is converted to (`sum()::type`).
    pub cast: Option<String>,
}

/// An aggregate function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregate {
    /// How many values that are not null, or how many rows.
    Count,
    /// Their sum.
    Sum,
    /// Their mean.
    Avg,
    /// The least.
    Min,
    /// The greatest.
    Max,
}

impl Aggregate {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Count, Self::Sum, Self::Avg, Self::Min, Self::Max];

    /// Its word in the grammar.
    pub fn word(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
        }
    }
}

/// Rows of a related table within the rows of this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embed {
    /// The related table or view, a foreign key's name, or its one column.
    pub target: String,
    /// The name in the answer, and in paths of the query; without it the target's.
    pub alias: Option<String>,
    /// Which of several relationships (`!hint`).
    pub hint: Option<String>,
    /// Whether rows without related ones are left out (`!inner`, `!left`); without a word they
    /// are not.
    pub join: Option<JoinKind>,
    /// Whether its members stand beside those of the row (`...table()`).
    pub spread: bool,
    /// What is asked of the related rows; its `count` is always `None`. Its select is empty for
    /// `table()`, which shows nothing.
    pub query: Query,
}

impl Embed {
    /// The name it goes by.
    pub fn name(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.target)
    }
}

/// What becomes of rows without related ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinKind {
    /// They stay.
    Left,
    /// They are left out.
    Inner,
}

/// A column, or a place inside the JSON document that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operand {
    /// The column.
    pub column: String,
    /// The way into the document; `None` for the column itself.
    pub path: Option<JsonPath>,
}

impl Operand {
    /// A column itself.
    pub fn column(name: impl Into<String>) -> Self {
        Self {
            column: name.into(),
            path: None,
        }
    }
}

impl From<&str> for Operand {
    fn from(name: &str) -> Self {
        Self::column(name)
    }
}

impl From<String> for Operand {
    fn from(name: String) -> Self {
        Self::column(name)
    }
}

/// A way into a JSON document: `->a->0->>b`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath {
    /// The steps, one or more.
    pub steps: Vec<JsonStep>,
    /// Whether the last arrow asks for text (`->>`).
    pub as_text: bool,
}

/// A step into a JSON document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonStep {
    /// The member of an object.
    Key(String),
    /// The element of an array, from 0, or from the end where negative.
    Index(i64),
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

/// A condition on a column, or a place in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// What it is asked of. The name of an embed, where `is.null` asks whether it has rows.
    pub operand: Operand,
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
    /// `match`, `imatch`: a regular expression finds something in the text.
    Match {
        /// The expression, in the syntax of the crate `regex`.
        pattern: String,
        /// `imatch`.
        ignore_case: bool,
    },
    /// `fts` and its kin: words in a text.
    Search {
        /// How the query is written.
        syntax: SearchSyntax,
        /// The configuration in parentheses.
        config: Option<String>,
        /// The words.
        query: String,
    },
    /// `cs`: a JSON document contains this one.
    Contains(String),
    /// `cd`: a JSON document is contained in this one.
    ContainedIn(String),
    /// `ov`: two JSON arrays have an element in common.
    Overlaps(String),
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

/// How the words of a full-text search are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchSyntax {
    /// `fts`: words with `&`, `|`, `!` and parentheses.
    Operators,
    /// `plfts`: words, all of which are there.
    Plain,
    /// `phfts`: words that follow each other.
    Phrase,
    /// `wfts`: as web searches: `"a phrase"`, `or`, `-not`.
    Web,
}

impl SearchSyntax {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Operators, Self::Plain, Self::Phrase, Self::Web];

    /// Its word in the grammar.
    pub fn word(self) -> &'static str {
        match self {
            Self::Operators => "fts",
            Self::Plain => "plfts",
            Self::Phrase => "phfts",
            Self::Web => "wfts",
        }
    }
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
    /// `match`, or `imatch` where case counts not.
    Match {
        /// `imatch`.
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
            Self::Match { ignore_case: false } => "match",
            Self::Match { ignore_case: true } => "imatch",
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
            Self::Match { ignore_case } => Condition::Match {
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

/// One value to sort by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderTerm {
    /// The embed that it stands in (`order=embed(column)`); `None` for the rows themselves.
    pub embed: Option<String>,
    /// What to sort by.
    pub operand: Operand,
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
    /// As the engine's statistics have it.
    Planned,
    /// One by one up to the most rows that a read gives, beyond that by the statistics.
    Estimated,
}
