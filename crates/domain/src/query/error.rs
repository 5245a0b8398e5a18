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
        )
    }
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
