//! Values by column type: read from text and JSON exactly, or refused.

mod number;
mod read;
#[cfg(test)]
mod tests;
mod time;

pub use number::decimal_cmp;
pub(crate) use number::plain_number;

use crate::query::error::ValueFault;

/// A value of a column. Which variant a type uses is fixed: integers and `year` are `Int`
/// (or `UInt` where they exceed `i64`), booleans are `Int` 0 or 1, decimals `Decimal`,
/// `float` and `double` are `Double`, texts, enums, sets, UUIDs, dates and times are `Text`
/// in canonical form, byte strings `Bytes`, JSON documents `Json`, bits `UInt`.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Null.
    Null,
    /// A whole number.
    Int(i64),
    /// A whole number over `i64::MAX`, or bits.
    UInt(u64),
    /// An exact number: optional `-`, digits without leading zeros, and after a point exactly
    /// as many digits as the column's scale. In filters as many digits as given, without
    /// trailing zeros; there it also stands for whole numbers that no 64 bits hold.
    Decimal(String),
    /// A finite binary floating point number.
    Double(f64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A JSON document's text.
    Json(String),
}

/// Why a text or JSON value is none of a column's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The kind of fault.
    pub kind: ValueFault,
    /// What is wrong, as one sentence.
    pub message: String,
}

impl Fault {
    fn new(kind: ValueFault, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// Not a value of the type at all.
    fn malformed(type_name: &str, text: &str) -> Self {
        Self::new(
            ValueFault::Malformed,
            format!(
                "invalid input syntax for type {type_name}: \"{}\"",
                shown(text)
            ),
        )
    }

    /// A value of the kind, but outside the type's range.
    fn out_of_range(type_name: &str, text: &str) -> Self {
        Self::new(
            ValueFault::OutOfRange,
            format!(
                "value \"{}\" is out of range for type {type_name}",
                shown(text)
            ),
        )
    }

    fn too_long(type_name: &str) -> Self {
        Self::new(
            ValueFault::TooLong,
            format!("value too long for type {type_name}"),
        )
    }
}

/// The beginning of a text, for a message.
fn shown(text: &str) -> String {
    let mut start: String = text.chars().take(64).filter(|c| !c.is_control()).collect();
    if text.chars().nth(64).is_some() {
        start.push('…');
    }
    start
}
