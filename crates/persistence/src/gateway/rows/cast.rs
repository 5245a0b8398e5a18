//! Values as other types (`column::type`), when they are shown.
//!
//! The rules are PostgreSQL's: a text has to be a value of the type, exact numbers are rounded
//! half away from zero and floating point to the even neighbour.

use std::borrow::Cow;

use tidegate_domain::gateway::column_type::{ColumnType, TypeClass};
use tidegate_domain::gateway::value::Value;
use tidegate_domain::query::error::{QueryError, ValueFault};

use super::document::plain_text;
use super::exact::trimmed;
use super::field::{Field, moment};

/// That a stored value is none of the type it was to be shown as.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct Uncast(pub(crate) QueryError);

pub(super) fn refused(name: &str, kind: ValueFault, message: String) -> sqlx::Error {
    sqlx::Error::AnyDriverError(Box::new(Uncast(QueryError::Value {
        column: name.to_owned(),
        kind,
        message,
    })))
}

/// A value as this type; `name` is for the error.
///
/// # Errors
/// A value that cannot be one of the type.
pub(crate) fn cast<'a>(
    field: Field<'a>,
    to: &ColumnType,
    name: &str,
) -> Result<Field<'a>, sqlx::Error> {
    let class = to.class();
    match (field, class) {
        (Field::Null, _) => Ok(Field::Null),
        (Field::Json("null"), class) if !matches!(class, TypeClass::Json | TypeClass::Text) => {
            Ok(Field::Null)
        }
        (Field::Text(text), TypeClass::Text) if *to != ColumnType::Uuid => Ok(Field::Text(text)),
        (Field::Moment(at), TypeClass::Text) => {
            let text = at.as_str().replace('T', " ").replace("+00:00", "+00");
            Ok(Field::Text(Cow::Owned(text)))
        }
        (Field::Bool(truth), TypeClass::Text) => Ok(Field::Text(Cow::Borrowed(if truth {
            "true"
        } else {
            "false"
        }))),
        (field, TypeClass::Text) if *to != ColumnType::Uuid => {
            Ok(Field::Text(Cow::Owned(plain_text(&field))))
        }
        (field @ Field::Json(_), TypeClass::Json) => Ok(field),
        (Field::Text(text), TypeClass::Json) => document(text, name),
        (Field::Bool(truth), TypeClass::Integer) => Ok(Field::Int(i64::from(truth))),
        (field @ Field::Bool(_), TypeClass::Boolean) => Ok(field),
        (Field::Int(number), TypeClass::Boolean) => Ok(Field::Bool(number != 0)),
        (Field::UInt(number), TypeClass::Boolean) => Ok(Field::Bool(number != 0)),
        (Field::Bits(bits, _), TypeClass::Integer) => read(&bits.to_string(), to, name),
        (Field::Json(text @ ("true" | "false")), TypeClass::Boolean) => {
            Ok(Field::Bool(text == "true"))
        }
        (Field::Moment(at), _) => read(&moment_as(at.as_str(), to), to, name),
        (field, TypeClass::Integer) => whole(field, to, name),
        (field, _) => read(&plain_text(&field), to, name),
    }
}

/// A number as a whole one.
fn whole<'a>(field: Field<'a>, to: &ColumnType, name: &str) -> Result<Field<'a>, sqlx::Error> {
    const EXACT: ColumnType = ColumnType::Decimal {
        precision: 65,
        scale: 0,
        unsigned: false,
    };
    let text = match &field {
        Field::Float(number) => format!("{:.0}", number.round_ties_even()),
        Field::Double(number) => format!("{:.0}", number.round_ties_even()),
        Field::Decimal(digits) => match EXACT.value_from_text(digits) {
            Ok(Value::Decimal(rounded)) => rounded,
            _ => digits.clone().into_owned(),
        },
        Field::Json(number) if !number.starts_with('"') => match EXACT.value_from_text(number) {
            Ok(Value::Decimal(rounded)) => rounded,
            _ => (*number).to_owned(),
        },
        field => plain_text(field),
    };
    read(&text, to, name)
}

/// The part of a date and time that a type has.
fn moment_as(text: &str, to: &ColumnType) -> String {
    let text = text.trim_end_matches("+00:00");
    let (date, time) = text.split_once('T').unwrap_or((text, ""));
    match to {
        ColumnType::Date => date.to_owned(),
        ColumnType::Time(_) if !time.is_empty() => time.to_owned(),
        ColumnType::DateTime(_) | ColumnType::Timestamp(_)
            if time.is_empty() && !date.contains(':') =>
        {
            format!("{date}T00:00:00")
        }
        ColumnType::Timestamp(_) => format!("{text}+00:00"),
        _ => text.to_owned(),
    }
}

/// A text as a document.
fn document<'a>(text: Cow<'a, str>, name: &str) -> Result<Field<'a>, sqlx::Error> {
    let is_one = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
    match text {
        Cow::Borrowed(text) if is_one => Ok(Field::Json(text.trim())),
        // Only numbers that were computed are owned, and they are written the same.
        Cow::Owned(text) if is_one => Ok(Field::Decimal(Cow::Owned(text))),
        _ => Err(refused(
            name,
            ValueFault::Malformed,
            "invalid input syntax for type json".to_owned(),
        )),
    }
}

/// A text as a value of the type.
fn read<'a>(text: &str, to: &ColumnType, name: &str) -> Result<Field<'a>, sqlx::Error> {
    let exact = to.class() == TypeClass::Decimal;
    let value = if exact {
        to.operand(text)
    } else {
        to.value_from_text(text)
    };
    let value = value.map_err(|fault| refused(name, fault.kind, fault.message))?;
    Ok(match (to, value) {
        (_, Value::Decimal(digits)) => Field::Decimal(Cow::Owned(trimmed(&digits).to_owned())),
        (_, Value::Text(text)) if to.class() == TypeClass::Temporal => match moment(to, &text) {
            Field::Moment(at) => Field::Moment(at),
            _ => Field::Text(Cow::Owned(text)),
        },
        (_, Value::Text(text)) => Field::Text(Cow::Owned(text)),
        (ColumnType::Boolean, Value::Int(number)) => Field::Bool(number != 0),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the type has this precision"
        )]
        (ColumnType::Float { .. }, Value::Double(number)) => Field::Float(number as f32),
        (_, Value::Double(number)) => Field::Double(number),
        (_, Value::Int(number)) => Field::Int(number),
        (_, Value::UInt(number)) => Field::UInt(number),
        (_, Value::Bytes(bytes)) => Field::Bytes(Cow::Owned(bytes)),
        (_, Value::Json(text)) => Field::Text(Cow::Owned(text)),
        (_, Value::Null) => Field::Null,
    })
}
