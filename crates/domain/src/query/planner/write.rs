//! Plans of writes.

use std::sync::Arc;

use super::condition::{always, predicate};
use super::read::{nulls_of, plain_column, sortable};
use super::{JsonRow, Planner, column_at, value_error};
use crate::gateway::schema::{Column, DatabaseSchema, DefaultValue, Table};
use crate::gateway::value::{Fault, Value};
use crate::query::ask::{Comparison, Condition, OrderTerm, Query, SelectItem, Selected};
use crate::query::change::{Ending, OnConflict, Resolution};
use crate::query::error::{QueryError, ValueFault};
use crate::query::plan::{
    Cell, Conflict, DeletePlan, InsertPlan, OutputColumn, Predicate, ReadShape, Reread, Returning,
    ShapeOrder, UpdatePlan, UpsertPlan,
};
use crate::query::similar::most_similar;

impl Planner {
    /// Plans an insert of rows with these columns, shown by `returning`; `schema` holds the
    /// tables that may be embedded.
    ///
    /// # Errors
    /// Unknown, repeated or generated columns, a column left out that has neither default nor
    /// null, or a view that cannot be written.
    pub fn insert(
        &self,
        schema: Option<&DatabaseSchema>,
        table: &Arc<Table>,
        columns: &[String],
        returning: Option<&Query>,
    ) -> Result<InsertPlan, QueryError> {
        writable(table)?;
        let columns = payload_columns(table, columns)?;
        let needs_value = |column: &Column| {
            !column.nullable
                && column.default.is_none()
                && !column.auto_increment
                && column.generated.is_none()
        };
        for (at, column) in table.columns.iter().enumerate() {
            if needs_value(column) && !columns.contains(&at) {
                return Err(null_fault(column));
            }
        }
        Ok(InsertPlan {
            columns,
            conflict: None,
            returning: self.returning(schema, table, returning)?,
            ending: Ending::default(),
            table: Arc::clone(table),
        })
    }

    /// Plans an update of the rows that `query` filters: to the values of `row`, and in the
    /// columns of `defaults` to these.
    ///
    /// # Errors
    /// As for a read and an insert; no filter where the limits ask for one; a default that is no
    /// constant.
    pub fn update(
        &self,
        schema: Option<&DatabaseSchema>,
        table: &Arc<Table>,
        (row, defaults): (&JsonRow, &[String]),
        query: &Query,
        returning: bool,
    ) -> Result<UpdatePlan, QueryError> {
        writable(table)?;
        let mut set = assignments(table, row)?;
        for name in defaults {
            let (at, value) = default_of(table, name)?;
            if set.iter().any(|(other, _)| *other == at) {
                return Err(named_twice(name));
            }
            set.push((at, value));
        }
        let predicate = predicate(table, query)?;
        if !set.is_empty() {
            self.filtered(&predicate, "UPDATE")?;
        }
        Ok(UpdatePlan {
            set,
            predicate,
            returning: self.returning(schema, table, returning.then_some(query))?,
            ending: Ending::default(),
            table: Arc::clone(table),
        })
    }

    /// Plans a delete of the rows that `query` filters.
    ///
    /// # Errors
    /// As for a read; no filter where the limits ask for one.
    pub fn delete(
        &self,
        schema: Option<&DatabaseSchema>,
        table: &Arc<Table>,
        query: &Query,
        returning: bool,
    ) -> Result<DeletePlan, QueryError> {
        writable(table)?;
        let predicate = predicate(table, query)?;
        self.filtered(&predicate, "DELETE")?;
        Ok(DeletePlan {
            predicate,
            returning: self.returning(schema, table, returning.then_some(query))?,
            ending: Ending::default(),
            table: Arc::clone(table),
        })
    }

    /// Plans rows to be stored by primary key; each may name other columns.
    ///
    /// # Errors
    /// As for an insert; the message names the row, counted from 0.
    pub fn upsert(&self, table: &Arc<Table>, rows: &[JsonRow]) -> Result<UpsertPlan, QueryError> {
        writable(table)?;
        let rows = rows
            .iter()
            .map(|row| assignments(table, row))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(UpsertPlan {
            rows,
            table: Arc::clone(table),
        })
    }

    /// Plans one row to be stored under the key that `query` names: inserted, or changed in
    /// the columns that it names. The cells are those of the one row.
    ///
    /// # Errors
    /// As for an insert; filters that are not the primary key's; another key in the row.
    pub fn put(
        &self,
        schema: Option<&DatabaseSchema>,
        table: &Arc<Table>,
        row: &JsonRow,
        query: &Query,
        returning: bool,
    ) -> Result<(InsertPlan, Vec<Cell>), QueryError> {
        for (column, named) in put_key(table, query)? {
            let column = &table.columns[column];
            let given = row.get(&column.name).unwrap_or(&serde_json::Value::Null);
            let given = column.column_type.value_from_json(given);
            if given.map_err(|fault| value_error(column, fault))? != named {
                return Err(QueryError::PutKey);
            }
        }
        let columns: Vec<String> = row.keys().cloned().collect();
        let plan = self
            .insert(schema, table, &columns, returning.then_some(query))?
            .resolving(&OnConflict {
                resolution: Resolution::Merge,
                columns: None,
            })?;
        let cells = plan.row_from_json(row)?;
        Ok((plan, cells))
    }

    fn returning(
        &self,
        schema: Option<&DatabaseSchema>,
        table: &Arc<Table>,
        query: Option<&Query>,
    ) -> Result<Option<Returning>, QueryError> {
        let Some(query) = query else {
            return Ok(None);
        };
        if is_plain(query) {
            let shape = ReadShape {
                output: output(table, &query.select)?,
                order: order(table, &query.order)?,
                zone: query.zone,
            };
            return Ok(Some(Returning::Columns(shape)));
        }
        let key = table.identity();
        if key.is_empty() {
            return Err(QueryError::Unsupported {
                feature: "embeds, casts and JSON paths of written rows in tables without a key",
            });
        }
        Ok(Some(Returning::Reread(Box::new(Reread {
            child: self.related(schema, table, query, &key)?,
            zone: query.zone,
            key,
        }))))
    }

    /// Refuses a write to all rows, also where a condition says nothing (`not.in.()`): a list that
    /// should not have been empty is how whole tables are lost.
    fn filtered(&self, predicate: &Predicate, statement: &'static str) -> Result<(), QueryError> {
        if always(predicate) == Some(true) && !self.limits.full_table_writes {
            return Err(QueryError::FullTable { statement });
        }
        Ok(())
    }
}

/// Whether only columns of the table are shown, as they are.
fn is_plain(query: &Query) -> bool {
    let plain = |item: &SelectItem| match item {
        SelectItem::Everything => true,
        SelectItem::Column(selected) => {
            let whole = |it: &crate::query::ask::Operand| it.path.is_none();
            selected.operand.as_ref().is_some_and(whole)
                && selected.cast.is_none()
                && selected.aggregate.is_none()
        }
        SelectItem::Embed(_) => false,
    };
    let by_column = |term: &OrderTerm| term.embed.is_none() && term.operand.path.is_none();
    query.select.iter().all(plain) && query.order.iter().all(by_column)
}

/// The values of the primary key that the filters of a `PUT` name.
fn put_key(table: &Table, query: &Query) -> Result<Vec<(usize, Value)>, QueryError> {
    let key = table.key_indexes();
    if key.is_empty() || key.len() != query.filters.len() || !query.logic.is_empty() {
        return Err(QueryError::PutFilters);
    }
    let mut named: Vec<(usize, Value)> = Vec::with_capacity(key.len());
    for filter in &query.filters {
        let Condition::Compare(Comparison::Eq, text) = &filter.condition else {
            return Err(QueryError::PutFilters);
        };
        let at = table.column_index(&filter.operand.column);
        let Some(at) = at.filter(|at| key.contains(at) && named.iter().all(|(it, _)| it != at))
        else {
            return Err(QueryError::PutFilters);
        };
        if filter.negated || filter.operand.path.is_some() {
            return Err(QueryError::PutFilters);
        }
        let column = &table.columns[at];
        let value = column.column_type.value_from_text(text);
        named.push((at, value.map_err(|fault| value_error(column, fault))?));
    }
    Ok(named)
}

impl UpdatePlan {
    /// Ends its transaction so.
    #[must_use]
    pub fn ends(self, ending: Ending) -> Self {
        Self { ending, ..self }
    }
}

impl DeletePlan {
    /// Ends its transaction so.
    #[must_use]
    pub fn ends(self, ending: Ending) -> Self {
        Self { ending, ..self }
    }
}

impl InsertPlan {
    /// Ends its transaction so.
    #[must_use]
    pub fn ends(self, ending: Ending) -> Self {
        Self { ending, ..self }
    }

    /// Lets rows meet those that are there already. Without a key that could be there, and
    /// without a column of it among those of the rows, there is nothing to meet.
    ///
    /// # Errors
    /// Columns that are not those of the primary key or of a unique key.
    pub fn resolving(mut self, wanted: &OnConflict) -> Result<Self, QueryError> {
        let key = match &wanted.columns {
            None => self.table.key_indexes(),
            Some(names) => {
                let key: Vec<usize> = names
                    .iter()
                    .map(|name| column_at(&self.table, name))
                    .collect::<Result<_, _>>()?;
                if !is_key(&self.table, names) {
                    return Err(QueryError::NoSuchKey);
                }
                key
            }
        };
        self.conflict = (!key.is_empty()).then_some(Conflict {
            key,
            resolution: wanted.resolution,
        });
        Ok(self)
    }

    /// The cell of column `at` (of [`InsertPlan::columns`]) for a member of a JSON object.
    ///
    /// # Errors
    /// A value that does not fit the column; no such column.
    pub fn cell_from_json(&self, at: usize, json: &serde_json::Value) -> Result<Cell, QueryError> {
        self.cell(at, |column| column.column_type.value_from_json(json))
    }

    /// The cell of column `at` for a CSV field; `None` stands for the word `NULL`.
    ///
    /// # Errors
    /// A value that does not fit the column; no such column.
    pub fn cell_from_text(&self, at: usize, text: Option<&str>) -> Result<Cell, QueryError> {
        self.cell(at, |column| {
            text.map_or(Ok(Value::Null), |text| {
                column.column_type.value_from_text(text)
            })
        })
    }

    /// The cells of a JSON object that has exactly the plan's columns as members.
    ///
    /// # Errors
    /// Other members, or a value that does not fit its column.
    pub fn row_from_json(&self, row: &JsonRow) -> Result<Vec<Cell>, QueryError> {
        let differ = || QueryError::Body {
            message: "All object keys must match".to_owned(),
        };
        if row.len() != self.columns.len() {
            return Err(differ());
        }
        (0..self.columns.len())
            .map(|at| {
                let member = self
                    .column(at)
                    .and_then(|column| row.get(&column.name))
                    .ok_or_else(differ)?;
                self.cell_from_json(at, member)
            })
            .collect()
    }

    fn cell(
        &self,
        at: usize,
        value: impl Fn(&Column) -> Result<Value, Fault>,
    ) -> Result<Cell, QueryError> {
        let column = self.column(at).ok_or_else(|| QueryError::Body {
            message: "a row has more fields than there are columns".to_owned(),
        })?;
        stored_value(column, value(column)).map(Cell::Value)
    }
}

fn writable(table: &Table) -> Result<(), QueryError> {
    if table.writable {
        Ok(())
    } else {
        Err(QueryError::ReadOnly {
            table: table.name.clone(),
        })
    }
}

fn payload_columns(table: &Table, names: &[String]) -> Result<Vec<usize>, QueryError> {
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let at = payload_column(table, name)?;
        if columns.contains(&at) {
            return Err(named_twice(name));
        }
        columns.push(at);
    }
    Ok(columns)
}

fn named_twice(name: &str) -> QueryError {
    QueryError::Duplicate {
        message: format!("column \"{name}\" specified more than once"),
    }
}

/// A column and the constant that is its default.
fn default_of(table: &Table, name: &str) -> Result<(usize, Value), QueryError> {
    let at = payload_column(table, name)?;
    let column = &table.columns[at];
    let value = match &column.default {
        None | Some(DefaultValue::Null) => Ok(Value::Null),
        Some(DefaultValue::Literal(text)) => column.column_type.value_from_text(text),
        Some(DefaultValue::CurrentTimestamp { .. } | DefaultValue::Expression(_)) => {
            return Err(QueryError::Unsupported {
                feature: "defaults that are no constants, where rows are changed,",
            });
        }
    };
    Ok((at, stored_value(column, value)?))
}

fn payload_column(table: &Table, name: &str) -> Result<usize, QueryError> {
    let at = table
        .column_index(name)
        .ok_or_else(|| QueryError::UnknownPayloadColumn {
            table: table.name.clone(),
            column: name.to_owned(),
            similar: most_similar(
                name,
                table.columns.iter().map(|column| column.name.as_str()),
            ),
        })?;
    if table.columns[at].generated.is_some() {
        return Err(QueryError::Generated {
            column: name.to_owned(),
        });
    }
    Ok(at)
}

fn assignments(table: &Table, row: &JsonRow) -> Result<Vec<(usize, Value)>, QueryError> {
    row.iter()
        .map(|(name, json)| {
            let at = payload_column(table, name)?;
            let column = &table.columns[at];
            Ok((
                at,
                stored_value(column, column.column_type.value_from_json(json))?,
            ))
        })
        .collect()
}

fn stored_value(column: &Column, value: Result<Value, Fault>) -> Result<Value, QueryError> {
    match value {
        Ok(Value::Null) if !column.nullable => Err(null_fault(column)),
        Ok(value) => Ok(value),
        Err(fault) => Err(value_error(column, fault)),
    }
}

fn null_fault(column: &Column) -> QueryError {
    QueryError::Value {
        column: column.name.clone(),
        kind: ValueFault::Null,
        message: format!(
            "null value in column \"{}\" violates not-null constraint",
            column.name
        ),
    }
}

/// Whether no two rows can be equal in these columns, and in none fewer.
fn is_key(table: &Table, names: &[String]) -> bool {
    let same = |columns: &[String]| {
        columns.len() == names.len() && columns.iter().all(|column| names.contains(column))
    };
    let mut unique = table.indexes.iter().filter(|index| index.unique);
    !names.is_empty() && (same(&table.primary_key) || unique.any(|index| same(&index.columns)))
}

pub(super) fn output(
    table: &Table,
    select: &[SelectItem],
) -> Result<Vec<OutputColumn>, QueryError> {
    let everything = || {
        table
            .columns
            .iter()
            .enumerate()
            .map(|(column, description)| OutputColumn {
                column,
                name: description.name.clone(),
            })
    };
    if select.is_empty() {
        return Ok(everything().collect());
    }
    let mut columns: Vec<OutputColumn> = Vec::with_capacity(select.len());
    let mut add = |new: OutputColumn| {
        // The same column twice under one name is one member; two columns under one name are a fault.
        match columns.iter().find(|old| old.name == new.name) {
            Some(old) if *old == new => Ok(()),
            Some(_) => Err(QueryError::Duplicate {
                message: format!(
                    "the name \"{}\" stands for two columns of the answer; give one of them an alias",
                    new.name
                ),
            }),
            None => {
                columns.push(new);
                Ok(())
            }
        }
    };
    for item in select {
        match item {
            SelectItem::Everything => everything().try_for_each(&mut add)?,
            SelectItem::Column(Selected {
                operand: Some(operand),
                cast: None,
                aggregate: None,
                alias,
            }) => {
                let column = plain_column(table, operand)?;
                add(OutputColumn {
                    column,
                    name: alias.clone().unwrap_or_else(|| operand.column.clone()),
                })?;
            }
            SelectItem::Column(_) | SelectItem::Embed(_) => {
                return Err(QueryError::Unsupported {
                    feature: "casts, aggregates and embeds",
                });
            }
        }
    }
    Ok(columns)
}

pub(super) fn order(table: &Table, terms: &[OrderTerm]) -> Result<Vec<ShapeOrder>, QueryError> {
    let mut columns: Vec<ShapeOrder> = Vec::with_capacity(terms.len());
    for term in terms {
        let column = plain_column(table, &term.operand)?;
        if term.embed.is_some() {
            return Err(QueryError::Unsupported {
                feature: "orders by an embedded resource",
            });
        }
        sortable(table, column)?;
        let nulls = nulls_of(term);
        // A column that stands in the order already decides nothing more.
        if columns.iter().all(|old| old.column != column) {
            columns.push(ShapeOrder {
                column,
                descending: term.descending,
                nulls,
            });
        }
    }
    Ok(columns)
}
