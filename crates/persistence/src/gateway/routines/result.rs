//! What a routine gave, as a document.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::value::RawValue;
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::column_type::{ColumnType, LobSize, TypeClass};
use tidegate_domain::gateway::name::DatabaseName;
use tidegate_domain::gateway::port::Encoding;
use tidegate_domain::gateway::routine::{Call, Called, Returns, Shown};
use tidegate_domain::gateway::schema::{Column, Table, TableKind};
use tidegate_domain::gateway::value::Value;
use tidegate_domain::query::error::QueryError;
use tidegate_domain::query::plan::ReadPlan;

use super::super::rows::document::Document;
use super::super::rows::field::{Field, Reader};
use super::super::sqlite::memory;
use crate::error::store_error;

/// How much is kept of a result, in bytes.
pub(crate) const LARGEST: usize = 64 << 20;

/// What a row of this many columns takes beside its values.
pub(crate) const fn row_overhead(columns: usize) -> usize {
    64 + 24 * columns
}

/// The name of a value where columns have names (CSV), as PostgREST has it.
pub(crate) const VALUE: &str = "pgrst_scalar";

/// Why a call stopped.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The engine says so.
    Engine(sqlx::Error),
    /// There is more than is kept; the rest is still under way.
    Large,
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Self::Engine(error)
    }
}

impl From<super::super::pool::TooSlow> for Stop {
    fn from(error: super::super::pool::TooSlow) -> Self {
        Self::Engine(error.into())
    }
}

impl From<Stop> for StoreError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Engine(error) => store_error(error),
            Stop::Large => StoreError::Input(QueryError::LargeResult {
                megabytes: LARGEST >> 20,
            }),
        }
    }
}

/// Rows as an engine gave them.
pub(crate) struct ResultSet<R: Reader> {
    /// The names and types of the columns; none where there are no rows.
    pub(crate) columns: Vec<(String, ColumnType)>,
    /// The rows.
    pub(crate) rows: Vec<R::Row>,
    /// Reads them.
    pub(crate) reader: R,
}

impl<R: Reader> ResultSet<R> {
    fn fields<T>(
        &mut self,
        mut each: impl FnMut(&ColumnType, Field<'_>) -> T,
    ) -> Result<Vec<Vec<T>>, sqlx::Error> {
        let mut all = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            let mut fields = Vec::with_capacity(self.columns.len());
            for (at, (_, column_type)) in self.columns.iter().enumerate() {
                fields.push(each(column_type, self.reader.field(row, at)?));
            }
            all.push(fields);
        }
        Ok(all)
    }
}

/// Shows what a call gave; `None` is a procedure that gave no rows at all. Also checks how many
/// rows they are, while the call can still be undone. Conditions on them may take as long as a
/// statement (`limit`).
pub(crate) async fn show<R: Reader>(
    set: Option<ResultSet<R>>,
    call: &Call<'_>,
    shown: &Shown<'_>,
    limit: Option<Duration>,
) -> Result<Called, StoreError> {
    let nothing = Called {
        returned: 0,
        total: None,
        body: None,
        is_list: false,
    };
    let (set, returns) = match (set, &call.routine.returns) {
        (None, _) | (_, Returns::Nothing) => return Ok(nothing),
        (Some(set), returns) => (set, returns),
    };
    let mut called = match returns {
        Returns::Scalar(_) => value(set, shown.encoding)?,
        _ => rows(set, call, shown, limit).await?,
    };
    call.ending
        .check(called.returned)
        .map_err(StoreError::Input)?;
    if let (true, Some(offset), Some(total)) = (returns.is_set(), shown.from, called.total)
        && offset > total
    {
        return Err(StoreError::Input(QueryError::PastEnd { offset, total }));
    }
    if shown.encoding == Encoding::Json {
        called.body = called.body.map(|body| match returns {
            Returns::Scalars | Returns::Scalar(_) => bare(body),
            _ => body,
        });
    }
    called.is_list = returns.is_set();
    if !called.is_list && shown.encoding == Encoding::Json {
        called.body = called.body.map(|body| first(&body));
    }
    Ok(called)
}

/// One value, as a document of one row.
fn value<R: Reader>(mut set: ResultSet<R>, encoding: Encoding) -> Result<Called, StoreError> {
    let column_type = set
        .columns
        .first()
        .map(|(_, column_type)| column_type.clone());
    set.columns = column_type
        .map(|it| (VALUE.to_owned(), it))
        .into_iter()
        .collect();
    set.rows.truncate(1);
    if set.rows.is_empty() {
        // A statement that found nothing: there is no value.
        let body: &'static [u8] = match encoding {
            Encoding::Json => b"[null]",
            Encoding::Csv => b"pgrst_scalar\n",
        };
        return Ok(called(1, None, Bytes::from_static(body)));
    }
    let mut document = Document::new(encoding, [VALUE]);
    let body = written(&mut set, &mut document, 0, 1).map_err(store_error)?;
    Ok(called(1, None, body))
}

async fn rows<R: Reader>(
    mut set: ResultSet<R>,
    call: &Call<'_>,
    shown: &Shown<'_>,
    limit: Option<Duration>,
) -> Result<Called, StoreError> {
    if set.rows.is_empty() {
        // Nobody knows its columns, and nothing can be wrong with conditions on no rows.
        let body: &'static [u8] = match shown.encoding {
            Encoding::Json => b"[]",
            Encoding::Csv => b"",
        };
        return Ok(called(0, Some(0), Bytes::from_static(body)));
    }
    distinct(&set.columns)?;
    infer(&mut set).map_err(store_error)?;
    let table = Arc::new(table(&call.schema.name, &call.routine.name, &set.columns));
    let plan = (shown.plan)(&table)?;
    if shown.as_it_is {
        let total = set.rows.len();
        let offset = usize::try_from(plan.offset())
            .unwrap_or(usize::MAX)
            .min(total);
        let limit = plan
            .limit()
            .map_or(total, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let end = offset.saturating_add(limit).min(total);
        let mut document = document(
            shown.encoding,
            &plan,
            set.columns.iter().map(|(name, _)| name.as_str()),
        );
        let body = written(&mut set, &mut document, offset, end).map_err(store_error)?;
        return Ok(called(document.rows(), Some(total as u64), body));
    }
    let values = set.fields(value_of).map_err(store_error)?;
    drop(set);
    let (returned, total, body) = memory::read(&table, values, &plan, shown.encoding, limit)
        .await
        .map_err(store_error)?;
    Ok(called(returned, Some(total), body.into()))
}

fn called(returned: u64, total: Option<u64>, body: Bytes) -> Called {
    Called {
        returned,
        total,
        body: Some(body),
        is_list: true,
    }
}

fn document<'n>(
    encoding: Encoding,
    plan: &ReadPlan,
    names: impl IntoIterator<Item = &'n str>,
) -> Document {
    Document::new(encoding, names).in_zone(plan.zone())
}

fn written<R: Reader>(
    set: &mut ResultSet<R>,
    document: &mut Document,
    from: usize,
    to: usize,
) -> Result<Bytes, sqlx::Error> {
    let mut bytes = Vec::with_capacity(4096);
    document.open(&mut bytes);
    for row in set.rows.get(from..to).unwrap_or_default() {
        document.part(&mut bytes);
        for (at, (_, column_type)) in set.columns.iter().enumerate() {
            let field = set.reader.field(row, at)?;
            document.field(&mut bytes, at, &declared(column_type, field));
        }
        document.end_row(&mut bytes);
    }
    document.close(&mut bytes);
    Ok(bytes.into())
}

/// Members of one name would hide each other.
fn distinct(columns: &[(String, ColumnType)]) -> Result<(), StoreError> {
    let mut names = BTreeSet::new();
    match columns
        .iter()
        .find(|(name, _)| !names.insert(name.as_str()))
    {
        Some((name, _)) => Err(StoreError::Input(QueryError::Duplicate {
            message: format!("column \"{name}\" specified more than once"),
        })),
        None => Ok(()),
    }
}

/// Gives columns of which the engine says nothing the type of their values.
fn infer<R: Reader>(set: &mut ResultSet<R>) -> Result<(), sqlx::Error> {
    let open = |column_type: &ColumnType| column_type.class() == TypeClass::Other;
    if !set.columns.iter().any(|(_, it)| open(it)) {
        return Ok(());
    }
    let kinds = set.fields(|_, field| kind(&field))?;
    for (at, (_, column_type)) in set.columns.iter_mut().enumerate() {
        if !open(column_type) {
            continue;
        }
        let kinds: BTreeSet<u8> = kinds
            .iter()
            .filter_map(|row| row.get(at).copied().flatten())
            .collect();
        let kinds: Vec<u8> = kinds.into_iter().collect();
        *column_type = match kinds.as_slice() {
            [0] => ColumnType::Integer {
                bytes: 8,
                unsigned: false,
            },
            [1] | [0, 1] => ColumnType::Double { unsigned: false },
            [2] => ColumnType::Text(LobSize::Long),
            [3] => ColumnType::Blob(LobSize::Long),
            _ => continue,
        };
    }
    Ok(())
}

/// Whole number, floating point, text, bytes; nothing for null.
fn kind(field: &Field<'_>) -> Option<u8> {
    match field {
        Field::Null => None,
        Field::Bool(_) | Field::Int(_) => Some(0),
        Field::Double(_) | Field::Float(_) => Some(1),
        Field::Text(_) => Some(2),
        Field::Bytes(_) => Some(3),
        _ => Some(4),
    }
}

/// A table with these columns.
fn table(database: &DatabaseName, name: &str, columns: &[(String, ColumnType)]) -> Table {
    Table {
        database: database.clone(),
        name: name.to_owned(),
        kind: TableKind::View,
        writable: false,
        columns: columns
            .iter()
            .map(|(name, column_type)| Column {
                name: name.clone(),
                column_type: column_type.clone(),
                nullable: true,
                default: None,
                base: None,
                auto_increment: false,
                generated: None,
                comment: String::new(),
                collation: None,
            })
            .collect(),
        primary_key: Vec::new(),
        indexes: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        comment: String::new(),
        row_estimate: None,
    }
}

/// A field as its column's type shows it, where the engine has no such type.
fn declared<'f>(column_type: &ColumnType, field: Field<'f>) -> Field<'f> {
    match (column_type, field) {
        (ColumnType::Boolean, Field::Int(number)) => Field::Bool(number != 0),
        // A result whose scale nobody knows has the largest there is.
        (ColumnType::Decimal { scale: 0..30, .. }, field) => scaled(column_type, field),
        (_, field) => field,
    }
}

/// A number with as many digits as its type has.
fn scaled<'f>(column_type: &ColumnType, field: Field<'f>) -> Field<'f> {
    let text = match &field {
        Field::Int(number) => number.to_string(),
        Field::UInt(number) => number.to_string(),
        Field::Double(number) => number.to_string(),
        Field::Decimal(digits) => digits.clone().into_owned(),
        _ => return field,
    };
    match column_type.value_from_text(&text) {
        Ok(Value::Decimal(digits)) => Field::Decimal(digits.into()),
        _ => field,
    }
}

/// A field as a table of Tidegate's own would keep it.
fn value_of(column_type: &ColumnType, field: Field<'_>) -> Value {
    match declared(column_type, field) {
        Field::Moment(text) => column_type
            .value_from_text(text.as_str())
            .unwrap_or_else(|_| Value::Text(text.as_str().to_owned())),
        field => field.into_value(),
    }
}

/// The values of rows of one member each, without the member's name.
fn bare(body: Bytes) -> Bytes {
    let Ok(rows) = serde_json::from_slice::<Vec<BTreeMap<String, &RawValue>>>(&body) else {
        return body;
    };
    if rows.iter().any(|row| row.len() != 1) {
        return body;
    }
    let values: Vec<&RawValue> = rows.into_iter().flat_map(BTreeMap::into_values).collect();
    serde_json::to_vec(&values).map_or(body.clone(), Bytes::from)
}

/// The one element of an array; null of none.
fn first(body: &[u8]) -> Bytes {
    let inner = body
        .strip_prefix(b"[")
        .and_then(|rest| rest.strip_suffix(b"]"))
        .unwrap_or(body);
    if inner.is_empty() {
        Bytes::from_static(b"null")
    } else {
        Bytes::copy_from_slice(inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lose_the_names_of_their_members_and_nothing_else() {
        let body = |text: &'static str| Bytes::from_static(text.as_bytes());
        assert_eq!(
            bare(body(r#"[{"a":1.10},{"a":"x"},{"a":null}]"#)),
            body(r#"[1.10,"x",null]"#)
        );
        assert_eq!(bare(body(r#"[{"a":1,"b":2}]"#)), body(r#"[{"a":1,"b":2}]"#));
        assert_eq!(bare(body("[]")), body("[]"));
        assert_eq!(first(b"[1.10]"), body("1.10"));
        assert_eq!(first(b"[]"), body("null"));
    }
}
