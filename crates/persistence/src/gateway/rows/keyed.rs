//! Rows that name their primary key.

use tidegate_domain::gateway::schema::Table;
use tidegate_domain::gateway::value::Value;
use tidegate_domain::query::plan::Predicate;

use super::super::sql::key_is;

/// A row that names its whole key.
pub(crate) struct Keyed<'r> {
    /// Which row it is.
    pub(crate) key: Predicate,
    /// All columns that it names.
    pub(crate) named: &'r [(usize, Value)],
    /// Those that are not of the key.
    pub(crate) others: Vec<(usize, &'r Value)>,
}

impl Keyed<'_> {
    /// The columns to look at in the row that is there: those that may differ; one of the key
    /// where there are none.
    pub(crate) fn compared(&self) -> Vec<usize> {
        let others = self.others.iter().map(|(column, _)| *column);
        let any = self
            .named
            .iter()
            .map(|(column, _)| *column)
            .take(usize::from(self.others.is_empty()));
        others.chain(any).collect()
    }
}

/// The row with its key; `None` when it does not name the whole key, or the table has none.
pub(crate) fn keyed<'r>(table: &Table, row: &'r [(usize, Value)]) -> Option<Keyed<'r>> {
    let key = table.key_indexes();
    let named = |column: &usize| {
        row.iter()
            .find(|(named, value)| named == column && *value != Value::Null)
    };
    let values = key
        .iter()
        .map(|column| named(column).map(|(_, value)| value.clone()))
        .collect::<Option<Vec<_>>>()?;
    if values.is_empty() {
        return None;
    }
    let others = row
        .iter()
        .filter(|(column, _)| !key.contains(column))
        .map(|(column, value)| (*column, value))
        .collect();
    Some(Keyed {
        key: key_is(table, &key, &values),
        named: row,
        others,
    })
}
