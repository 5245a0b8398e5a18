//! New rows whose key may be there already.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use tidegate_domain::gateway::schema::{Column, DefaultValue};
use tidegate_domain::gateway::value::Value;
use tidegate_domain::query::change::Resolution;
use tidegate_domain::query::error::QueryError;
use tidegate_domain::query::plan::{Cell, Conflict, InsertPlan};

use super::batch::Row;
use super::showing::told_apart;

/// The keys of the rows of an insert.
pub(crate) struct Meeting<'p> {
    plan: &'p InsertPlan,
    conflict: &'p Conflict,
    /// What came before, as digests: an import may have millions of keys.
    seen: HashSet<u128>,
}

/// What the key of a new row can meet.
#[derive(Debug, PartialEq)]
pub(crate) enum Met {
    /// Nothing: the row has no whole key yet.
    Nothing,
    /// A row before it with the same key, which is the one that stays.
    Before,
    /// The row that is there with this key, if there is one.
    Perhaps(Key),
}

/// A whole key.
#[derive(Debug, PartialEq)]
pub(crate) struct Key {
    /// Its values, in the order of [`Conflict::key`].
    pub(crate) values: Vec<Value>,
    /// What it is told apart by.
    pub(crate) text: String,
}

impl<'p> Meeting<'p> {
    /// The keys of an insert whose rows may meet others.
    pub(crate) fn of(plan: &'p InsertPlan) -> Option<Self> {
        Some(Self {
            plan,
            conflict: plan.conflict()?,
            seen: HashSet::new(),
        })
    }

    /// Which key may be met, and what becomes of the rows.
    pub(crate) fn conflict(&self) -> &'p Conflict {
        self.conflict
    }

    /// What these rows, which come after those that were given before, can meet.
    ///
    /// # Errors
    /// The same key twice where rows are merged.
    pub(crate) fn of_rows(&mut self, rows: &[Row]) -> Result<Vec<Met>, QueryError> {
        let merges = self.conflict.resolution() == Resolution::Merge;
        if !merges {
            // Those before them are in the table.
            self.seen.clear();
        }
        let met = |row: &Row| {
            let Some(values) = self.key(row) else {
                return Ok(Met::Nothing);
            };
            let text = told_apart(self.plan.table(), self.conflict.key(), &values);
            match (self.seen.insert(digest(&text)), merges) {
                (true, _) => Ok(Met::Perhaps(Key { values, text })),
                (false, true) => Err(QueryError::KeyTwice),
                (false, false) => Ok(Met::Before),
            }
        };
        rows.iter().map(met).collect()
    }

    /// The key of a row, where it is given, or the default of a column that is not.
    fn key(&self, row: &Row) -> Option<Vec<Value>> {
        let value = |column: &usize| {
            let at = self.plan.columns().iter().position(|it| it == column);
            match at.and_then(|at| row.get(at)) {
                Some(Cell::Value(Value::Null)) => None,
                Some(Cell::Value(value)) => Some(value.clone()),
                Some(Cell::Default) | None => default(self.plan.table().columns.get(*column)?),
            }
        };
        self.conflict.key().iter().map(value).collect()
    }

    /// The cells of a row that the row which is there takes: those that are not of the key, or
    /// one that is, where there are no others.
    pub(crate) fn taken<'r>(&self, row: &'r Row) -> Vec<(usize, &'r Cell)> {
        let cells = || self.plan.columns().iter().copied().zip(row);
        let others: Vec<_> = cells()
            .filter(|(column, _)| !self.conflict.key().contains(column))
            .collect();
        if others.is_empty() {
            return cells().take(1).collect();
        }
        others
    }
}

fn default(column: &Column) -> Option<Value> {
    match &column.default {
        Some(DefaultValue::Literal(text)) => column.column_type.value_from_text(text).ok(),
        _ => None,
    }
}

fn digest(text: &str) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, text).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}
