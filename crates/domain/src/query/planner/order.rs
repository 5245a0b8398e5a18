//! Orders: by columns, by places in documents, by columns of a related row.

use super::relation::row_key;
use super::statement::{Row, Statement, at};
use crate::gateway::column_type::TypeClass;
use crate::gateway::schema::Table;
use crate::query::ask::{Nulls, OrderTerm};
use crate::query::error::QueryError;
use crate::query::plan::{OrderColumn, Scalar};

impl Statement<'_> {
    /// The order of a statement's rows. One that is `ended` tells all rows apart, where a key
    /// can, so that pages neither repeat nor skip a row.
    pub(super) fn order(&self, row: &Row<'_>, ended: bool) -> Result<Vec<OrderColumn>, QueryError> {
        let mut order: Vec<OrderColumn> = Vec::with_capacity(row.query.order.len());
        for term in &row.query.order {
            let value = self.ordered(row, term)?;
            // What stands in the order already decides nothing more.
            if order.iter().all(|old| old.value != value) {
                order.push(OrderColumn {
                    value,
                    descending: term.descending,
                    nulls: nulls_of(term),
                });
            }
        }
        if ended {
            match &self.group {
                Some(group) => self.end_with_group(group.iter().copied(), &mut order),
                None => {
                    let mut key = row_key(self.schema, &row.table);
                    // Rows with many related ones are read in portions, between which none may
                    // change its place; without a key all that is in them tells them apart.
                    if key.is_empty() && !self.children.is_empty() {
                        key = sortable_columns(&row.table);
                    }
                    end_with_key(&row.table, &key, row.source, &mut order);
                }
            }
        }
        Ok(order)
    }

    /// What a term sorts by.
    fn ordered(&self, row: &Row<'_>, term: &OrderTerm) -> Result<Scalar, QueryError> {
        let row = match &term.embed {
            None => row,
            Some(name) => {
                let embedded = row
                    .embedded(name)
                    .ok_or_else(|| QueryError::NotEmbedded { name: name.clone() })?;
                embedded
                    .one
                    .as_ref()
                    .ok_or_else(|| QueryError::RelatedOrder {
                        origin: row.table.name.clone(),
                        name: name.clone(),
                    })?
            }
        };
        let target = row.target(&term.operand)?;
        if !target.is_json_place() {
            target.sortable("order")?;
        }
        if let Some(group) = &self.group {
            let grouped = |at: &usize| self.columns.get(*at) == Some(&target.value);
            if !group.iter().any(grouped) {
                return Err(QueryError::Grouping {
                    column: format!("{}.{}", row.table.name, target.column.name),
                });
            }
        }
        Ok(target.value)
    }

    /// Ends the order of groups with all that tells them apart.
    fn end_with_group(&self, group: impl Iterator<Item = usize>, order: &mut Vec<OrderColumn>) {
        for value in group.filter_map(|at| self.columns.get(at)) {
            let sortable = !matches!(
                value.column_type().class(),
                TypeClass::Json | TypeClass::Other
            );
            if sortable && order.iter().all(|old| old.value != *value) {
                order.push(OrderColumn {
                    value: value.clone(),
                    descending: false,
                    nulls: Nulls::Last,
                });
            }
        }
    }
}

fn sortable_columns(table: &Table) -> Vec<usize> {
    let classes = table.columns.iter().map(|it| it.column_type.class());
    classes
        .enumerate()
        .filter(|(_, class)| !matches!(class, TypeClass::Json | TypeClass::Other))
        .map(|(at, _)| at)
        .collect()
}

/// Where nulls stand in an order.
pub(super) fn nulls_of(term: &OrderTerm) -> Nulls {
    term.nulls.unwrap_or(if term.descending {
        Nulls::First
    } else {
        Nulls::Last
    })
}

/// Ends an order with the primary key. The key runs in the direction of the last column asked
/// for, which an index can serve. An order that holds another key tells rows apart already, and
/// some engines would not use that key's index for more.
fn end_with_key(table: &Table, key: &[usize], source: usize, order: &mut Vec<OrderColumn>) {
    let is_in = |order: &[OrderColumn], column: usize| {
        let column = Some(at(source, column));
        order.iter().any(|term| term.value.as_column() == column)
    };
    let is_ordered = |name: &String| {
        table
            .column_index(name)
            .is_some_and(|at| !table.columns[at].nullable && is_in(order, at))
    };
    let mut keys = table.indexes.iter().filter(|index| index.unique);
    if keys.any(|key| !key.columns.is_empty() && key.columns.iter().all(is_ordered)) {
        return;
    }
    let descending = order.last().is_some_and(|last| last.descending);
    for &place in key {
        let Some(column) = table.columns.get(place).filter(|_| !is_in(order, place)) else {
            continue;
        };
        order.push(OrderColumn {
            value: Scalar::column(column, at(source, place)),
            descending,
            nulls: if descending {
                Nulls::First
            } else {
                Nulls::Last
            },
        });
    }
}
