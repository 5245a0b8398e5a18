//! What the grammar refuses, with all that an answer needs to say about it.

use std::fmt;

/// The part of a request that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The value of `select`.
    Select,
    /// The value of `columns`.
    Columns,
    /// The value of `on_conflict`.
    OnConflict,
    /// The value of `order`.
    Order,
    /// The value of `limit`.
    Limit,
    /// The value of `offset`.
    Offset,
    /// A key.
    Key,
    /// A condition.
    Filter,
    /// The value of `and` or `or`.
    Logic,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Select => "select parameter",
            Self::Columns => "columns parameter",
            Self::OnConflict => "on_conflict parameter",
            Self::Order => "order",
            Self::Limit => "limit",
            Self::Offset => "offset",
            Self::Key => "column name",
            Self::Filter => "filter",
            Self::Logic => "logic tree",
        }
    }
}

/// A query that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrammarError {
    /// The text is not UTF-8 once decoded.
    Encoding,
    /// The text does not follow the grammar.
    Syntax {
        /// What was being read.
        part: Part,
        /// Its text.
        text: String,
        /// The character, counted from 1, at which reading stopped.
        column: usize,
        /// What stands there; `None` at the end.
        found: Option<char>,
        /// What could have stood there.
        expected: Vec<String>,
    },
    /// Part of the grammar, but not offered.
    Unsupported {
        /// What it is called, in the plural.
        feature: &'static str,
    },
    /// The name before a point is not embedded by `select`.
    NotEmbedded {
        /// The name.
        name: String,
    },
    /// A negative limit or offset.
    Negative {
        /// Which of them.
        part: Part,
    },
    /// A `Range` header, or its common part with `limit` and `offset`, that ends before it begins.
    EmptyRange,
}

impl GrammarError {
    pub(super) fn syntax(
        part: Part,
        text: &str,
        offset: usize,
        expected: impl IntoIterator<Item = String>,
    ) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        Self::Syntax {
            part,
            text: text.to_owned(),
            column: before.chars().count() + 1,
            found: text.get(offset..).and_then(|rest| rest.chars().next()),
            expected: expected.into_iter().collect(),
        }
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Encoding | Self::Syntax { .. } => "PGRST100",
            Self::Negative { .. } | Self::EmptyRange => "PGRST103",
            Self::NotEmbedded { .. } => "PGRST108",
            Self::Unsupported { .. } => "PGRST127",
        }
    }

    /// More about it than [`Display`](fmt::Display) says.
    #[must_use]
    pub fn details(&self) -> Option<String> {
        match self {
            Self::Encoding => None,
            Self::Syntax {
                found, expected, ..
            } => {
                let found = found.map_or_else(
                    || "the end".to_owned(),
                    |c| format!("\"{}\"", c.escape_debug()),
                );
                Some(format!("found {found}, expected {}", expected.join(" or ")))
            }
            Self::Unsupported { feature } => Some(format!("{feature} are not supported")),
            Self::NotEmbedded { .. } => None,
            Self::Negative { part } => Some(format!("The {} must be 0 or more", part.name())),
            Self::EmptyRange => {
                Some("The lower boundary must not be above the upper boundary".to_owned())
            }
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotEmbedded { name } => Some(format!(
                "Verify that '{name}' is included in the 'select' query parameter."
            )),
            _ => None,
        }
    }
}

impl fmt::Display for GrammarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encoding => f.write_str("the query of the URL is not UTF-8"),
            Self::Syntax {
                part, text, column, ..
            } => {
                write!(
                    f,
                    "\"failed to parse {} ({text})\" (line 1, column {column})",
                    part.name()
                )
            }
            Self::Unsupported { .. } => f.write_str("Feature not implemented"),
            Self::NotEmbedded { name } => {
                write!(f, "'{name}' is not an embedded resource in this request")
            }
            Self::Negative { .. } | Self::EmptyRange => {
                f.write_str("Requested range not satisfiable")
            }
        }
    }
}

impl std::error::Error for GrammarError {}
