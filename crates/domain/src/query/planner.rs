//! The planner: from what was asked to what is allowed. Pure; it refuses unknown names,
//! operators that do not fit and values of the wrong type before a connection is taken.

mod budget;
mod condition;
mod json;
mod operand;
mod order;
mod read;
mod relation;
mod search;
mod show;
mod statement;
#[cfg(test)]
mod tests;
mod write;

use std::sync::Arc;

use super::error::QueryError;
use super::similar::most_similar;
use crate::gateway::schema::{Column, DatabaseSchema, Table};
use crate::gateway::value::Fault;

/// What the server allows, whatever is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many rows a read gives at most; `None` for no cap.
    pub max_rows: Option<u64>,
    /// Whether an update or delete may do without a filter.
    pub full_table_writes: bool,
    /// How deep related rows may be embedded into each other.
    pub embed_depth: usize,
    /// Whether aggregates may be asked for.
    pub aggregates: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_rows: None,
            full_table_writes: false,
            embed_depth: 8,
            aggregates: true,
        }
    }
}

/// A body's object: members in their order.
pub type JsonRow = serde_json::Map<String, serde_json::Value>;

/// Makes plans within limits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Planner {
    limits: Limits,
}

impl Planner {
    /// A planner that keeps to `limits`.
    pub fn new(limits: Limits) -> Self {
        Self { limits }
    }
}

/// The table with this name.
///
/// # Errors
/// [`QueryError::UnknownTable`], with the most similar name that is there.
pub fn find_table<'a>(
    schema: &'a DatabaseSchema,
    name: &str,
) -> Result<&'a Arc<Table>, QueryError> {
    schema.table(name).ok_or_else(|| QueryError::UnknownTable {
        database: schema.name.to_string(),
        table: name.to_owned(),
        similar: most_similar(name, schema.tables.iter().map(|table| table.name.as_str())),
    })
}

fn column_at(table: &Table, name: &str) -> Result<usize, QueryError> {
    table
        .column_index(name)
        .ok_or_else(|| QueryError::UnknownColumn {
            table: table.name.clone(),
            column: name.to_owned(),
            similar: most_similar(
                name,
                table.columns.iter().map(|column| column.name.as_str()),
            ),
        })
}

fn value_error(column: &Column, fault: Fault) -> QueryError {
    QueryError::Value {
        column: column.name.clone(),
        kind: fault.kind,
        message: fault.message,
    }
}
