//! Values between SQLite and fields or placeholders.
//!
//! SQLite's columns can hold anything, and tables made elsewhere do. A value is read by what
//! it is; the column's type decides only how that is shown where it is what the type keeps.

use std::borrow::Cow;
use std::marker::PhantomData;

use rusqlite::types::{ToSqlOutput, ValueRef};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, Decode, Row, Sqlite, TypeInfo, ValueRef as _};
use tidegate_domain::gateway::column_type::{ColumnType, TypeClass};
use tidegate_domain::gateway::value::Value;

use super::super::rows::field::{Field, Reader, moment};
use crate::error::local::engine;

/// A row, whoever read it.
pub(crate) trait Values {
    /// The value at this place, as SQLite keeps it.
    ///
    /// # Errors
    /// No such place.
    fn value(&self, at: usize) -> Result<ValueRef<'_>, sqlx::Error>;
}

impl Values for rusqlite::Row<'_> {
    fn value(&self, at: usize) -> Result<ValueRef<'_>, sqlx::Error> {
        self.get_ref(at).map_err(engine)
    }
}

impl Values for SqliteRow {
    fn value(&self, at: usize) -> Result<ValueRef<'_>, sqlx::Error> {
        let raw = self.try_get_raw(at)?;
        if raw.is_null() {
            return Ok(ValueRef::Null);
        }
        let value = match raw.type_info().name() {
            "INTEGER" => <i64 as Decode<Sqlite>>::decode(raw).map(ValueRef::Integer),
            "REAL" => <f64 as Decode<Sqlite>>::decode(raw).map(ValueRef::Real),
            "TEXT" => <&[u8] as Decode<Sqlite>>::decode(raw).map(ValueRef::Text),
            "BLOB" => <&[u8] as Decode<Sqlite>>::decode(raw).map(ValueRef::Blob),
            other => {
                return Err(sqlx::Error::TypeNotFound {
                    type_name: other.to_owned(),
                });
            }
        };
        value.map_err(sqlx::Error::Decode)
    }
}

/// A row that stays when its statement has gone on: its values, the texts one after the other.
pub(crate) struct Kept {
    values: Vec<Cell>,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    // From where to where.
    Text(usize, usize),
    Blob(usize, usize),
}

impl Kept {
    /// The first `width` values of a row.
    pub(crate) fn of(row: &rusqlite::Row<'_>, width: usize) -> Result<Self, sqlx::Error> {
        let mut values = Vec::with_capacity(width);
        // As much as most rows have.
        let mut bytes = Vec::with_capacity(8 * width);
        let mut keep = |text: &[u8]| {
            let start = bytes.len();
            bytes.extend_from_slice(text);
            (start, bytes.len())
        };
        for at in 0..width {
            values.push(match row.value(at)? {
                ValueRef::Null => Cell::Null,
                ValueRef::Integer(number) => Cell::Integer(number),
                ValueRef::Real(number) => Cell::Real(number),
                ValueRef::Text(text) => {
                    let (start, end) = keep(text);
                    Cell::Text(start, end)
                }
                ValueRef::Blob(blob) => {
                    let (start, end) = keep(blob);
                    Cell::Blob(start, end)
                }
            });
        }
        Ok(Self { values, bytes })
    }
}

impl Values for Kept {
    fn value(&self, at: usize) -> Result<ValueRef<'_>, sqlx::Error> {
        let cell = self.values.get(at).copied();
        let bytes = |start: usize, end: usize| self.bytes.get(start..end).unwrap_or_default();
        Ok(match cell.ok_or_else(|| no_place(at, self.values.len()))? {
            Cell::Null => ValueRef::Null,
            Cell::Integer(number) => ValueRef::Integer(number),
            Cell::Real(number) => ValueRef::Real(number),
            Cell::Text(start, end) => ValueRef::Text(bytes(start, end)),
            Cell::Blob(start, end) => ValueRef::Blob(bytes(start, end)),
        })
    }
}

fn no_place(index: usize, len: usize) -> sqlx::Error {
    sqlx::Error::ColumnIndexOutOfBounds { index, len }
}

/// Reads rows whose columns have these types.
pub(crate) struct Columns<R> {
    types: Vec<ColumnType>,
    rows: PhantomData<fn(&R)>,
}

impl<R> Columns<R> {
    /// A reader of columns of these types, in the order of the select.
    pub(crate) fn new(types: impl IntoIterator<Item = ColumnType>) -> Self {
        Self {
            types: types.into_iter().collect(),
            rows: PhantomData,
        }
    }
}

impl<R: Values> Reader for Columns<R> {
    type Row = R;

    fn field<'r>(&mut self, row: &'r R, at: usize) -> Result<Field<'r>, sqlx::Error> {
        let column_type = self
            .types
            .get(at)
            .ok_or_else(|| no_place(at, self.types.len()))?;
        Ok(match row.value(at)? {
            ValueRef::Null => Field::Null,
            ValueRef::Integer(number) => integer(column_type, number),
            ValueRef::Real(number) => real(column_type, number),
            ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => written(column_type, text),
                // Not UTF-8; the bytes are all there is.
                Err(_) => Field::Bytes(Cow::Borrowed(bytes)),
            },
            ValueRef::Blob(bytes) => blob(column_type, bytes),
        })
    }

    fn number(&self, row: &R, at: usize) -> Result<u64, sqlx::Error> {
        match row.value(at)? {
            ValueRef::Integer(count) => Ok(count.unsigned_abs()),
            _ => Err(sqlx::Error::Decode("a count is no number".into())),
        }
    }
}

fn integer(column_type: &ColumnType, number: i64) -> Field<'static> {
    match column_type {
        ColumnType::Boolean => Field::Bool(number != 0),
        ColumnType::Bit(width) => Field::Bits(number.cast_unsigned(), *width),
        _ => Field::Int(number),
    }
}

fn real(column_type: &ColumnType, number: f64) -> Field<'static> {
    match column_type {
        // What was written through Tidegate has this precision.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the column has this precision"
        )]
        ColumnType::Float { .. } => Field::Float(number as f32),
        _ => Field::Double(number),
    }
}

fn written<'r>(column_type: &ColumnType, text: &'r str) -> Field<'r> {
    let as_text = || Field::Text(Cow::Borrowed(text));
    match column_type {
        ColumnType::Bit(width) => text
            .parse()
            .map_or_else(|_| as_text(), |bits| Field::Bits(bits, *width)),
        ColumnType::Integer { .. } => match (text.parse(), text.parse()) {
            (Ok(number), _) => Field::Int(number),
            (_, Ok(number)) => Field::UInt(number),
            _ => as_text(),
        },
        ColumnType::Decimal { .. } => Field::Decimal(Cow::Borrowed(text)),
        ColumnType::Json => match serde_json::from_str::<&serde_json::value::RawValue>(text) {
            Ok(json) => Field::Json(json.get()),
            Err(_) => as_text(),
        },
        _ if column_type.class() == TypeClass::Temporal => moment(column_type, text),
        _ => as_text(),
    }
}

fn blob<'r>(column_type: &ColumnType, bytes: &'r [u8]) -> Field<'r> {
    match std::str::from_utf8(bytes) {
        Ok(text) if column_type.class() == TypeClass::Other => Field::Text(Cow::Borrowed(text)),
        _ => Field::Bytes(Cow::Borrowed(bytes)),
    }
}

/// Adds a value to the placeholders' values.
pub(crate) fn bind(arguments: &mut SqliteArguments, value: Value) -> Result<(), sqlx::Error> {
    let added = match value {
        Value::Null => arguments.add(None::<String>),
        Value::Int(number) => arguments.add(number),
        // Columns for such numbers are texts that compare as numbers.
        Value::UInt(number) => match i64::try_from(number) {
            Ok(number) => arguments.add(number),
            Err(_) => arguments.add(number.to_string()),
        },
        Value::Double(number) => arguments.add(number),
        Value::Decimal(text) | Value::Text(text) | Value::Json(text) => arguments.add(text),
        Value::Bytes(bytes) => arguments.add(bytes),
    };
    added.map_err(sqlx::Error::Encode)
}

/// A value as a placeholder takes it.
pub(crate) fn bound(value: &Value) -> ToSqlOutput<'_> {
    match value {
        Value::Null => ToSqlOutput::Borrowed(ValueRef::Null),
        Value::Int(number) => ToSqlOutput::Borrowed(ValueRef::Integer(*number)),
        // Columns for such numbers are texts that compare as numbers.
        Value::UInt(number) => match i64::try_from(*number) {
            Ok(number) => ToSqlOutput::Borrowed(ValueRef::Integer(number)),
            Err(_) => ToSqlOutput::Owned(number.to_string().into()),
        },
        Value::Double(number) => ToSqlOutput::Borrowed(ValueRef::Real(*number)),
        Value::Decimal(text) | Value::Text(text) | Value::Json(text) => {
            ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes()))
        }
        Value::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
    }
}

/// The values of a statement's placeholders.
pub(crate) fn arguments(
    values: impl IntoIterator<Item = Value>,
) -> Result<SqliteArguments, sqlx::Error> {
    let mut arguments = SqliteArguments::default();
    for value in values {
        bind(&mut arguments, value)?;
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_shown_by_the_columns_type_where_it_is_of_it() {
        let big = ColumnType::Integer {
            bytes: 8,
            unsigned: true,
        };
        assert_eq!(written(&big, "18446744073709551615"), Field::UInt(u64::MAX));
        assert_eq!(written(&big, "7"), Field::Int(7));
        assert_eq!(written(&big, "seven"), Field::Text("seven".into()));
        assert_eq!(written(&ColumnType::Bit(3), "5"), Field::Bits(5, 3));
        assert_eq!(written(&ColumnType::Json, " [1] "), Field::Json("[1]"));
        assert_eq!(written(&ColumnType::Json, "[1"), Field::Text("[1".into()));
        assert_eq!(integer(&ColumnType::Boolean, 2), Field::Bool(true));
        assert_eq!(integer(&ColumnType::Varchar(3), 2), Field::Int(2));
        assert_eq!(
            blob(&ColumnType::Other(String::new()), b"abc"),
            Field::Text("abc".into())
        );
        assert_eq!(
            blob(&ColumnType::Varchar(3), b"abc"),
            Field::Bytes(b"abc".as_slice().into())
        );
    }
}
