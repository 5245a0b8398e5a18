//! The planner: from what was asked to what is allowed. Pure; it refuses unknown columns,
//! operators that do not fit and values of the wrong type before a connection is taken.

use std::sync::Arc;

use super::ask::{
    Clause, Comparison, Condition, Filter, IsValue, Nulls, Operator, OrderTerm, Quantifier, Query,
    SelectItem,
};
use super::error::{QueryError, ValueFault};
use super::plan::{
    Cell, ColumnTest, DeletePlan, InsertPlan, LikePart, OrderColumn, OutputColumn, Predicate,
    ReadPlan, ReadShape, UpdatePlan, UpsertPlan,
};
use crate::gateway::column_type::TypeClass;
use crate::gateway::schema::{Column, DatabaseSchema, Table};
use crate::gateway::value::{Fault, Value};
use crate::query::similar::most_similar;

/// What the server allows, whatever is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// How many rows a read gives at most; `None` for no cap.
    pub max_rows: Option<u64>,
    /// Whether an update or delete may do without a filter.
    pub full_table_writes: bool,
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

    /// Plans a read.
    ///
    /// # Errors
    /// What does not fit the table.
    pub fn read(&self, table: &Arc<Table>, query: &Query) -> Result<ReadPlan, QueryError> {
        let mut order = order(table, &query.order)?;
        if query.limit.is_some() || query.offset > 0 || self.limits.max_rows.is_some() {
            end_with_key(table, &mut order);
        }
        let limit = match (query.limit, self.limits.max_rows) {
            (Some(limit), Some(most)) => Some(limit.min(most)),
            (limit, most) => limit.or(most),
        };
        Ok(ReadPlan {
            output: output(table, &query.select)?,
            predicate: predicate(table, query)?,
            order,
            limit,
            offset: query.offset,
            count: query.count,
            table: Arc::clone(table),
        })
    }

    /// Plans an insert of rows with these columns, shown by `returning`.
    ///
    /// # Errors
    /// Unknown, repeated or generated columns, a column left out that has neither default nor
    /// null, or a view that cannot be written.
    pub fn insert(
        &self,
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
            returning: shape(table, returning)?,
            table: Arc::clone(table),
        })
    }

    /// Plans an update of the rows that `query` filters.
    ///
    /// # Errors
    /// As for a read and an insert; no filter where the limits ask for one.
    pub fn update(
        &self,
        table: &Arc<Table>,
        row: &JsonRow,
        query: &Query,
        returning: bool,
    ) -> Result<UpdatePlan, QueryError> {
        writable(table)?;
        let set = assignments(table, row)?;
        let predicate = predicate(table, query)?;
        if !set.is_empty() {
            self.filtered(&predicate, "UPDATE")?;
        }
        Ok(UpdatePlan {
            set,
            predicate,
            returning: shape(table, returning.then_some(query))?,
            table: Arc::clone(table),
        })
    }

    /// Plans a delete of the rows that `query` filters.
    ///
    /// # Errors
    /// As for a read; no filter where the limits ask for one.
    pub fn delete(
        &self,
        table: &Arc<Table>,
        query: &Query,
        returning: bool,
    ) -> Result<DeletePlan, QueryError> {
        writable(table)?;
        let predicate = predicate(table, query)?;
        self.filtered(&predicate, "DELETE")?;
        Ok(DeletePlan {
            predicate,
            returning: shape(table, returning.then_some(query))?,
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

    /// Refuses a write to all rows, also where a condition says nothing (`not.in.()`): a list that
    /// should not have been empty is how whole tables are lost.
    fn filtered(&self, predicate: &Predicate, statement: &'static str) -> Result<(), QueryError> {
        if always(predicate) == Some(true) && !self.limits.full_table_writes {
            return Err(QueryError::FullTable { statement });
        }
        Ok(())
    }
}

impl InsertPlan {
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

fn writable(table: &Table) -> Result<(), QueryError> {
    if table.writable {
        Ok(())
    } else {
        Err(QueryError::ReadOnly {
            table: table.name.clone(),
        })
    }
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

fn payload_columns(table: &Table, names: &[String]) -> Result<Vec<usize>, QueryError> {
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let at = payload_column(table, name)?;
        if columns.contains(&at) {
            return Err(QueryError::Duplicate {
                message: format!("column \"{name}\" specified more than once"),
            });
        }
        columns.push(at);
    }
    Ok(columns)
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

fn value_error(column: &Column, fault: Fault) -> QueryError {
    QueryError::Value {
        column: column.name.clone(),
        kind: fault.kind,
        message: fault.message,
    }
}

fn shape(table: &Table, query: Option<&Query>) -> Result<Option<ReadShape>, QueryError> {
    query
        .map(|query| {
            Ok(ReadShape {
                output: output(table, &query.select)?,
                order: order(table, &query.order)?,
            })
        })
        .transpose()
}

fn output(table: &Table, select: &[SelectItem]) -> Result<Vec<OutputColumn>, QueryError> {
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
            SelectItem::Column { name, alias } => {
                let column = column_at(table, name)?;
                add(OutputColumn {
                    column,
                    name: alias.clone().unwrap_or_else(|| name.clone()),
                })?;
            }
        }
    }
    Ok(columns)
}

fn order(table: &Table, terms: &[OrderTerm]) -> Result<Vec<OrderColumn>, QueryError> {
    let mut columns: Vec<OrderColumn> = Vec::with_capacity(terms.len());
    for term in terms {
        let column = column_at(table, &term.column)?;
        if matches!(
            table.columns[column].column_type.class(),
            TypeClass::Json | TypeClass::Other
        ) {
            return Err(operator_error(&table.columns[column], "order"));
        }
        let nulls = term.nulls.unwrap_or(if term.descending {
            Nulls::First
        } else {
            Nulls::Last
        });
        // A column that stands in the order already decides nothing more.
        if columns.iter().all(|old| old.column != column) {
            columns.push(OrderColumn {
                column,
                descending: term.descending,
                nulls,
            });
        }
    }
    Ok(columns)
}

/// Ends an order with the primary key, so that pages neither repeat nor skip a row. The
/// key runs in the direction of the last column asked for, which an index can serve. An order
/// that holds another key tells rows apart already, and some engines would not use that key's
/// index for more.
fn end_with_key(table: &Table, order: &mut Vec<OrderColumn>) {
    let is_ordered = |name: &String| {
        table.column_index(name).is_some_and(|at| {
            !table.columns[at].nullable && order.iter().any(|term| term.column == at)
        })
    };
    let mut keys = table.indexes.iter().filter(|index| index.unique);
    if keys.any(|key| !key.columns.is_empty() && key.columns.iter().all(is_ordered)) {
        return;
    }
    let descending = order.last().is_some_and(|last| last.descending);
    for column in table.key_indexes() {
        if order.iter().all(|old| old.column != column) {
            order.push(OrderColumn {
                column,
                descending,
                nulls: if descending {
                    Nulls::First
                } else {
                    Nulls::Last
                },
            });
        }
    }
}

fn predicate(table: &Table, query: &Query) -> Result<Predicate, QueryError> {
    let asked = query.filters.iter().map(|filter| test(table, filter));
    let clauses = query.logic.iter().chain(&query.scope);
    asked
        .chain(clauses.map(|clause| within(table, clause)))
        .collect::<Result<_, _>>()
        .map(Predicate::All)
}

fn within(table: &Table, clause: &Clause) -> Result<Predicate, QueryError> {
    let all = |clauses: &[Clause]| -> Result<Vec<Predicate>, QueryError> {
        clauses.iter().map(|clause| within(table, clause)).collect()
    };
    match clause {
        Clause::Column(filter) => test(table, filter),
        Clause::All(clauses) => all(clauses).map(Predicate::All),
        Clause::Any(clauses) => all(clauses).map(Predicate::Any),
        Clause::Not(clause) => Ok(Predicate::Not(Box::new(within(table, clause)?))),
    }
}

fn test(table: &Table, filter: &Filter) -> Result<Predicate, QueryError> {
    let at = column_at(table, &filter.column)?;
    let predicate = condition(&table.columns[at], at, &filter.condition)?;
    Ok(if filter.negated {
        Predicate::Not(Box::new(predicate))
    } else {
        predicate
    })
}

/// What a condition asks of the column at this place.
fn condition(column: &Column, at: usize, asked: &Condition) -> Result<Predicate, QueryError> {
    let class = column.column_type.class();
    let is = |test| Predicate::Test { column: at, test };
    let operand = |text: &str| {
        column
            .column_type
            .operand(text)
            .map_err(|fault| value_error(column, fault))
    };
    let test = match asked {
        Condition::Distinct(text) => {
            if matches!(class, TypeClass::Json | TypeClass::Other) {
                return Err(operator_error(column, "isdistinct"));
            }
            let other = ColumnTest::Compare(Comparison::Neq, operand(text)?);
            return Ok(Predicate::Any(vec![is(ColumnTest::IsNull), is(other)]));
        }
        Condition::Quantified {
            quantifier,
            operator,
            values,
        } => {
            // Refused also where there is no value to be refused.
            condition_fits(column, *operator)?;
            if let Some(list) = list_of(*quantifier, *operator, values) {
                return condition(column, at, &Condition::In(list));
            }
            let parts = values.iter().map(|value| match value {
                Some(value) => condition(column, at, &operator.with(value.clone())),
                None => Ok(Predicate::Unknown),
            });
            let parts = parts.collect::<Result<_, _>>()?;
            return Ok(match quantifier {
                Quantifier::Any => Predicate::Any(parts),
                Quantifier::All => Predicate::All(parts),
            });
        }
        Condition::Compare(comparison, text) => {
            condition_fits(column, Operator::Compare(*comparison))?;
            ColumnTest::Compare(*comparison, operand(text)?)
        }
        Condition::Like {
            pattern,
            ignore_case,
        } => {
            let ignore_case = *ignore_case;
            condition_fits(column, Operator::Like { ignore_case })?;
            ColumnTest::Like {
                pattern: like_pattern(pattern),
                ignore_case,
            }
        }
        Condition::In(texts) => {
            if matches!(class, TypeClass::Json | TypeClass::Other) {
                return Err(operator_error(column, "in"));
            }
            ColumnTest::In(
                texts
                    .iter()
                    .map(|text| operand(text))
                    .collect::<Result<_, _>>()?,
            )
        }
        Condition::Is(IsValue::Null) => ColumnTest::IsNull,
        Condition::Is(IsValue::NotNull) => ColumnTest::IsNotNull,
        Condition::Is(value) => {
            if class != TypeClass::Boolean {
                return Err(operator_error(column, "is"));
            }
            match value {
                IsValue::True => ColumnTest::IsTrue,
                IsValue::False => ColumnTest::IsFalse,
                _ => ColumnTest::IsNull,
            }
        }
    };
    Ok(is(test))
}

/// The values of `eq(any)` as a list, which engines look up better than as many alternatives.
fn list_of(
    quantifier: Quantifier,
    operator: Operator,
    values: &[Option<String>],
) -> Option<Vec<String>> {
    let eq = operator == Operator::Compare(Comparison::Eq);
    (eq && quantifier == Quantifier::Any)
        .then(|| values.iter().cloned().collect())
        .flatten()
}

/// Whether a predicate lets all rows through, or none, whatever they hold.
fn always(predicate: &Predicate) -> Option<bool> {
    let all = |parts: &[Predicate], ends: bool| {
        let mut known = Some(!ends);
        for part in parts {
            match always(part) {
                Some(outcome) if outcome == ends => return Some(ends),
                Some(_) => {}
                None => known = None,
            }
        }
        known
    };
    match predicate {
        Predicate::All(parts) => all(parts, false),
        Predicate::Any(parts) => all(parts, true),
        Predicate::Not(inner) => always(inner).map(|outcome| !outcome),
        Predicate::Test {
            test: ColumnTest::In(values),
            ..
        } if values.is_empty() => Some(false),
        Predicate::Test { .. } | Predicate::Unknown => None,
    }
}

/// Whether an operator can be used on a column of this type.
fn condition_fits(column: &Column, operator: Operator) -> Result<(), QueryError> {
    let class = column.column_type.class();
    let fits = match operator {
        Operator::Compare(_) => !matches!(class, TypeClass::Json | TypeClass::Other),
        Operator::Like { .. } => class == TypeClass::Text,
    };
    if fits {
        Ok(())
    } else {
        Err(operator_error(column, operator.word()))
    }
}

fn operator_error(column: &Column, operator: &str) -> QueryError {
    QueryError::Operator {
        operator: operator.to_owned(),
        column: column.name.clone(),
        column_type: column.column_type.to_string(),
    }
}

/// Takes a pattern apart: `*` and `%` are any run, `_` is one character, `\` makes the next
/// character ordinary (at the very end it stands for itself).
fn like_pattern(pattern: &str) -> Vec<LikePart> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut characters = pattern.chars();
    while let Some(c) = characters.next() {
        let part = match c {
            '*' | '%' => LikePart::AnyRun,
            '_' => LikePart::AnyOne,
            '\\' => {
                literal.push(characters.next().unwrap_or('\\'));
                continue;
            }
            c => {
                literal.push(c);
                continue;
            }
        };
        if !literal.is_empty() {
            parts.push(LikePart::Literal(std::mem::take(&mut literal)));
        }
        // Several runs beside each other are one, which keeps a thousand wildcards cheap.
        if part != LikePart::AnyRun || parts.last() != Some(&LikePart::AnyRun) {
            parts.push(part);
        }
    }
    if !literal.is_empty() {
        parts.push(LikePart::Literal(literal));
    }
    parts
}

#[cfg(test)]
mod tests;
