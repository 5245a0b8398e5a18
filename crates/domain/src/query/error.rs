//! What the planner refuses, with all that a helpful message needs.

use thiserror::Error;

/// A request that cannot be carried out on this schema.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum QueryError {
    /// The table or view is not in the catalogue.
    #[error("Could not find the table `{table}` in the database `{database}`")]
    UnknownTable {
        /// The database.
        database: String,
        /// The name as asked.
        table: String,
        /// A table with a similar name.
        similar: Option<String>,
    },
    /// A column of a filter, select or order is not in the table.
    #[error("column {table}.{column} does not exist")]
    UnknownColumn {
        /// The table.
        table: String,
        /// The name as asked.
        column: String,
        /// A column with a similar name.
        similar: Option<String>,
    },
    /// A column of a body or of `columns` is not in the table.
    #[error("Could not find the `{column}` column of `{table}`")]
    UnknownPayloadColumn {
        /// The table.
        table: String,
        /// The name as asked.
        column: String,
        /// A column with a similar name.
        similar: Option<String>,
    },
    /// The operator cannot be used on a column of this type.
    #[error(
        "the operator `{operator}` cannot be used on the column `{column}` of type {column_type}"
    )]
    Operator {
        /// The operator's word.
        operator: String,
        /// The column.
        column: String,
        /// Its type.
        column_type: String,
    },
    /// A value does not fit the column's type.
    #[error("{message}")]
    Value {
        /// The column.
        column: String,
        /// Why it does not fit.
        kind: ValueFault,
        /// What is wrong, as one sentence.
        message: String,
    },
    /// A generated column is to be written.
    #[error("cannot insert or update the generated column `{column}`")]
    Generated {
        /// The column.
        column: String,
    },
    /// The view, or table without access, cannot be written.
    #[error("cannot write to the view `{table}`")]
    ReadOnly {
        /// The table or view.
        table: String,
    },
    /// A write of all rows, which the settings refuse.
    #[error("{statement} requires a filter")]
    FullTable {
        /// `UPDATE` or `DELETE`.
        statement: &'static str,
    },
    /// The body as a whole does not fit (keys differ, not an object, ragged CSV).
    #[error("{message}")]
    Body {
        /// What is wrong.
        message: String,
    },
    /// What PostgREST has and the engine, or this server, has not.
    #[error("{feature} are not supported")]
    Unsupported {
        /// What it is, in the plural.
        feature: &'static str,
    },
    /// A type of a cast that there is not.
    #[error("type \"{name}\" does not exist")]
    UnknownType {
        /// The name as asked.
        name: String,
    },
    /// A cast between types that have nothing in common.
    #[error("cannot cast type {from} to {to}")]
    Cast {
        /// The type of the value.
        from: String,
        /// The type that is asked for.
        to: String,
    },
    /// An aggregate that there is not for values of this type.
    #[error("function {function}({column_type}) does not exist")]
    Function {
        /// The aggregate.
        function: &'static str,
        /// The type.
        column_type: String,
    },
    /// A column beside aggregates that is not shown, and so not grouped by.
    #[error("column \"{column}\" must appear in the select or be used in an aggregate function")]
    Grouping {
        /// The column.
        column: String,
    },
    /// Aggregates, which the settings refuse.
    #[error("Use of aggregate functions is not allowed")]
    AggregatesOff,
    /// A regular expression that is none.
    #[error("invalid regular expression: {message}")]
    Pattern {
        /// What is wrong.
        message: String,
    },
    /// A full-text query that is none.
    #[error("syntax error in tsquery: \"{query}\"")]
    SearchSyntax {
        /// The query.
        query: String,
    },
    /// No relationship leads to what is to be embedded.
    #[error("Could not find a relationship between '{origin}' and '{target}' in the schema cache")]
    NoRelationship {
        /// The database.
        database: String,
        /// The table whose rows would show it.
        origin: String,
        /// What is to be embedded.
        target: String,
        /// The hint that was given.
        hint: Option<Box<str>>,
        /// A related table with a similar name.
        similar: Option<Box<str>>,
    },
    /// Several relationships lead to what is to be embedded.
    #[error(
        "Could not embed because more than one relationship was found for '{origin}' and '{target}'"
    )]
    AmbiguousRelationship {
        /// The table whose rows would show it.
        origin: String,
        /// What is to be embedded.
        target: String,
        /// The relationships.
        candidates: Vec<Candidate>,
    },
    /// What is asked of an embed that is not in the select.
    #[error("'{name}' is not an embedded resource in this request")]
    NotEmbedded {
        /// Its name.
        name: String,
    },
    /// An order by something of which there is more than one in a row.
    #[error("A related order on '{name}' is not possible")]
    RelatedOrder {
        /// The table that is sorted.
        origin: String,
        /// The embed.
        name: String,
    },
    /// A filter on an embed that is not about null.
    #[error("Bad operator on the '{name}' embedded resource")]
    EmbedFilter {
        /// The embed.
        name: String,
    },
    /// More tables in one request, or deeper, than may be.
    #[error("{message}")]
    TooMuch {
        /// What is too much, and how much may be.
        message: String,
    },
    /// A write of more rows than the client allows.
    #[error("Query result exceeds max-affected preference constraint")]
    TooManyAffected {
        /// How many it is.
        rows: u64,
    },
    /// Not one row where one row was asked for.
    #[error("Cannot coerce the result to a single JSON object")]
    NotSingle {
        /// How many there are.
        rows: u64,
    },
    /// The columns of `on_conflict` are no key.
    #[error("there is no unique or exclusion constraint matching the ON CONFLICT specification")]
    NoSuchKey,
    /// The same key twice among rows that change those that are there.
    #[error("ON CONFLICT DO UPDATE command cannot affect row a second time")]
    KeyTwice,
    /// The filters of a `PUT` do not name one row by its key.
    #[error("Filters must include all and only primary key columns with 'eq' operators")]
    PutFilters,
    /// The row of a `PUT` is not the one that its filters name.
    #[error("Payload values do not match URL in primary key column(s)")]
    PutKey,
    /// No routine has this name and takes these arguments.
    #[error("Could not find the function {database}.{routine}{} in the schema cache", listed(.arguments))]
    UnknownRoutine {
        /// The database.
        database: String,
        /// The name as asked.
        routine: String,
        /// The names of the arguments, in their order.
        arguments: Vec<String>,
        /// A routine that may have been meant.
        similar: Option<String>,
    },
    /// Several routines have this name and take these arguments.
    #[error("Could not choose the best candidate function between: {}", .candidates.join(", "))]
    AmbiguousRoutine {
        /// What they take.
        candidates: Vec<String>,
    },
    /// A limit of rows that may be affected, where a routine gives no rows.
    #[error(
        "Function must return SETOF or TABLE when max-affected preference is used with handling=strict"
    )]
    NoRowsToLimit,
    /// An offset past the end of a result.
    #[error("Requested range not satisfiable")]
    PastEnd {
        /// The offset.
        offset: u64,
        /// How many rows there are.
        total: u64,
    },
    /// A result that is larger than what is kept of one.
    #[error("the result of the routine is larger than {megabytes} MB")]
    LargeResult {
        /// How much is kept.
        megabytes: usize,
    },
    /// The same output name twice, or the same column twice in a body.
    #[error("{message}")]
    Duplicate {
        /// What is wrong.
        message: String,
    },
}

impl QueryError {
    /// Whether it names something that another description of the schema might know.
    pub fn is_unknown_name(&self) -> bool {
        matches!(
            self,
            Self::UnknownTable { .. }
                | Self::UnknownColumn { .. }
                | Self::UnknownPayloadColumn { .. }
                | Self::NoRelationship { .. }
        )
    }
}

/// Arguments as they stand behind a routine's name.
fn listed(arguments: &[String]) -> String {
    match arguments {
        [] => " without parameters".to_owned(),
        arguments => format!("({})", arguments.join(", ")),
    }
}

/// One of several relationships, told in PostgREST's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// `many-to-one` and its kin.
    pub cardinality: &'static str,
    /// Which tables: `films with directors`.
    pub embedding: String,
    /// By which constraints and columns.
    pub relationship: String,
    /// The target with the hint that names this one: `directors!films_director_fkey`.
    pub choice: String,
}

/// Why a value does not fit, told apart as PostgreSQL's SQLSTATEs tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueFault {
    /// Not a value of the type (22P02; dates and times 22007).
    Malformed,
    /// Not a date or time (22007).
    MalformedTime,
    /// Outside the type's range (22003; dates 22008).
    OutOfRange,
    /// Longer than the column (22001).
    TooLong,
    /// Null in a column that may not be null (23502).
    Null,
}
