//! Plans of reads.

use std::sync::Arc;

use super::condition::operator_error;
pub(super) use super::order::nulls_of;
use super::show::What;
use super::statement::{Purpose, Statement};
use super::{Planner, budget, column_at};
use crate::gateway::column_type::TypeClass;
use crate::gateway::schema::{Column, DatabaseSchema, Table};
use crate::query::ask::{Operand, Query};
use crate::query::error::QueryError;
use crate::query::plan::{Child, ColumnRef, ReadPlan, Scalar};

impl Planner {
    /// Plans a read. `schema` holds the tables that may be embedded.
    ///
    /// # Errors
    /// What does not fit the table, or the tables related to it.
    pub fn read(
        &self,
        schema: Option<&DatabaseSchema>,
        table: &Arc<Table>,
        query: &Query,
    ) -> Result<ReadPlan, QueryError> {
        budget::keep(query)?;
        let mut statement = Statement::new(self, schema);
        let source = statement.add(table)?;
        let (row, joins, predicate) = statement.row(table, source, query, 0, Purpose::Show)?;
        Ok(ReadPlan {
            node: statement.finish(&row, joins, predicate, What::Rows)?,
            count: query.count,
            exact_up_to: self.limits.max_rows,
            zone: query.zone,
        })
    }

    /// Plans how rows that were just written are shown: those with the values of `key`, places of
    /// the table's columns, in the order that the query asks for. Its filters and its limit
    /// chose the rows to write, and do not count here.
    pub(super) fn related(
        &self,
        schema: Option<&DatabaseSchema>,
        table: &Arc<Table>,
        query: &Query,
        key: &[usize],
    ) -> Result<Child, QueryError> {
        let query = Query {
            select: query.select.clone(),
            order: query.order.clone(),
            ..Query::default()
        };
        budget::keep(&query)?;
        let mut statement = Statement::new(self, schema);
        let source = statement.add(table)?;
        let value = |column: &usize| {
            let at = ColumnRef {
                source,
                column: *column,
            };
            Some(Scalar::column(table.columns.get(*column)?, at))
        };
        statement.columns = key.iter().filter_map(value).collect();
        let (row, joins, predicate) = statement.row(table, source, &query, 0, Purpose::Show)?;
        let node = statement.finish(&row, joins, predicate, What::Written)?;
        if node.select.group.is_some() {
            return Err(QueryError::Unsupported {
                feature: "aggregates of written rows",
            });
        }
        Ok(Child {
            parent: (0..key.len()).collect(),
            node,
            lone: false,
        })
    }
}

/// The place of the one column that is named; nothing else can be named here.
pub(super) fn plain_column(table: &Table, operand: &Operand) -> Result<usize, QueryError> {
    if operand.path.is_some() {
        return Err(QueryError::Unsupported {
            feature: "JSON paths (`->`, `->>`)",
        });
    }
    column_at(table, &operand.column)
}

/// Refuses to sort by what has no order.
pub(super) fn sortable(table: &Table, column: usize) -> Result<(), QueryError> {
    let sortable = |column: &Column| {
        !matches!(
            column.column_type.class(),
            TypeClass::Json | TypeClass::Other
        )
    };
    match table.columns.get(column) {
        Some(column) if !sortable(column) => Err(operator_error(column, "order")),
        _ => Ok(()),
    }
}
