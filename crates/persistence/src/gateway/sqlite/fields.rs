//! Values between SQLite and fields or placeholders.
//!
//! SQLite's columns can hold anything, and tables made elsewhere do. A value is read by what
//! it is; the column's type decides only how that is shown where it is what the type keeps.

use std::borrow::Cow;

use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, Decode, Row, Sqlite, TypeInfo, ValueRef};
use tidegate_domain::gateway::column_type::{ColumnType, TypeClass};
use tidegate_domain::gateway::value::Value;

use super::super::rows::field::{Field, Reader, moment};

/// Reads rows whose columns have these types.
pub(crate) struct Columns {
    types: Vec<ColumnType>,
}

impl Columns {
    /// A reader of columns of these types, in the order of the select.
    pub(crate) fn new(types: impl IntoIterator<Item = ColumnType>) -> Self {
        Self {
            types: types.into_iter().collect(),
        }
    }
}

impl Reader for Columns {
    type Row = SqliteRow;

    fn field<'r>(&mut self, row: &'r SqliteRow, at: usize) -> Result<Field<'r>, sqlx::Error> {
        let column_type = self
            .types
            .get(at)
            .ok_or(sqlx::Error::ColumnIndexOutOfBounds {
                index: at,
                len: self.types.len(),
            })?;
        let raw = row.try_get_raw(at)?;
        if raw.is_null() {
            return Ok(Field::Null);
        }
        let class = Class::of(raw.type_info().name())?;
        let decoded = match class {
            Class::Integer => {
                <i64 as Decode<Sqlite>>::decode(raw).map(|number| integer(column_type, number))
            }
            Class::Real => {
                <f64 as Decode<Sqlite>>::decode(raw).map(|number| real(column_type, number))
            }
            Class::Text => match <&str as Decode<Sqlite>>::decode(raw) {
                Ok(text) => Ok(written(column_type, text)),
                // Not UTF-8; the bytes are all there is.
                Err(_) => <&[u8] as Decode<Sqlite>>::decode(row.try_get_raw(at)?)
                    .map(|bytes| Field::Bytes(Cow::Borrowed(bytes))),
            },
            Class::Blob => {
                <&[u8] as Decode<Sqlite>>::decode(raw).map(|bytes| blob(column_type, bytes))
            }
        };
        decoded.map_err(sqlx::Error::Decode)
    }

    fn number(&self, row: &SqliteRow, at: usize) -> Result<u64, sqlx::Error> {
        let count =
            <i64 as Decode<Sqlite>>::decode(row.try_get_raw(at)?).map_err(sqlx::Error::Decode)?;
        Ok(count.unsigned_abs())
    }
}

/// What SQLite keeps a value as.
#[derive(Debug, Clone, Copy)]
enum Class {
    Integer,
    Real,
    Text,
    Blob,
}

impl Class {
    fn of(name: &str) -> Result<Self, sqlx::Error> {
        match name {
            "INTEGER" => Ok(Class::Integer),
            "REAL" => Ok(Class::Real),
            "TEXT" => Ok(Class::Text),
            "BLOB" => Ok(Class::Blob),
            other => Err(sqlx::Error::TypeNotFound {
                type_name: other.to_owned(),
            }),
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
