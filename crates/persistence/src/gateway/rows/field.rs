//! One value between an engine's row and a document: borrowed from the row, already told
//! apart by what it is, not yet written.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::{self, Write as _};

use tidegate_domain::gateway::column_type::ColumnType;
use tidegate_domain::gateway::value::{Value, decimal_cmp};

use super::document::json;

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Field<'a> {
    /// Null.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number without sign.
    UInt(u64),
    /// Four bytes of floating point.
    Float(f32),
    /// Eight bytes of floating point.
    Double(f64),
    /// An exact number, as digits.
    Decimal(Cow<'a, str>),
    /// A text.
    Text(Cow<'a, str>),
    /// A date or time in its final form.
    Moment(Short),
    /// A JSON document that is known to be one.
    Json(&'a str),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
    /// So many bits.
    Bits(u64, u8),
}

/// Reads the values of an engine's rows.
pub(crate) trait Reader: Send {
    /// The engine's rows.
    type Row;

    /// The value of the column at this place of the select.
    ///
    /// # Errors
    /// A value of a type that is not known.
    fn field<'r>(&mut self, row: &'r Self::Row, at: usize) -> Result<Field<'r>, sqlx::Error>;

    /// Writes the value of the column at this place of the select as JSON.
    ///
    /// # Errors
    /// A value of a type that is not known.
    fn json(&mut self, out: &mut Vec<u8>, row: &Self::Row, at: usize) -> Result<(), sqlx::Error> {
        json(out, &self.field(row, at)?);
        Ok(())
    }

    /// The number that a `COUNT(*)` at this place of the select gave.
    ///
    /// # Errors
    /// Something else than a number.
    fn number(&self, row: &Self::Row, at: usize) -> Result<u64, sqlx::Error>;
}

impl Field<'_> {
    /// The value as a column of this type holds it.
    pub(crate) fn from_value<'v>(column_type: &ColumnType, value: &'v Value) -> Field<'v> {
        match (column_type, value) {
            (_, Value::Null) => Field::Null,
            (ColumnType::Boolean, Value::Int(number)) => Field::Bool(*number != 0),
            (ColumnType::Bit(width), Value::UInt(bits)) => Field::Bits(*bits, *width),
            (ColumnType::Bit(width), Value::Int(bits)) => Field::Bits(bits.cast_unsigned(), *width),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the column has this precision"
            )]
            (ColumnType::Float { .. }, Value::Double(number)) => Field::Float(*number as f32),
            (_, Value::Int(number)) => Field::Int(*number),
            (_, Value::UInt(number)) => Field::UInt(*number),
            (_, Value::Double(number)) => Field::Double(*number),
            (_, Value::Decimal(digits)) => Field::Decimal(Cow::Borrowed(digits)),
            (
                ColumnType::Date
                | ColumnType::Time(_)
                | ColumnType::DateTime(_)
                | ColumnType::Timestamp(_),
                Value::Text(text),
            ) => moment(column_type, text),
            (_, Value::Text(text)) => Field::Text(Cow::Borrowed(text)),
            (_, Value::Json(text)) => Field::Json(text),
            (_, Value::Bytes(bytes)) => Field::Bytes(Cow::Borrowed(bytes)),
        }
    }

    /// The value for a placeholder, to find its row again.
    pub(crate) fn into_value(self) -> Value {
        match self {
            Field::Null => Value::Null,
            Field::Bool(truth) => Value::Int(i64::from(truth)),
            Field::Int(number) => Value::Int(number),
            Field::UInt(number) | Field::Bits(number, _) => {
                i64::try_from(number).map_or(Value::UInt(number), Value::Int)
            }
            Field::Float(number) => Value::Double(f64::from(number)),
            Field::Double(number) => Value::Double(number),
            Field::Decimal(digits) => Value::Decimal(digits.into_owned()),
            Field::Text(text) => Value::Text(text.into_owned()),
            Field::Moment(text) => Value::Text(text.as_str().to_owned()),
            Field::Json(text) => Value::Json(text.to_owned()),
            Field::Bytes(bytes) => Value::Bytes(bytes.into_owned()),
        }
    }

    /// Whether a column holds the same in both; JSON documents are compared by what they say.
    pub(crate) fn same(&self, other: &Field<'_>) -> bool {
        match (self, other) {
            (Field::Json(a), Field::Json(b)) => {
                let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
                a == b || parse(a).is_some_and(|a| Some(a) == parse(b))
            }
            (Field::Decimal(a), Field::Decimal(b)) => decimal_cmp(a, b) == Ordering::Equal,
            (Field::Int(a), Field::UInt(b)) | (Field::UInt(b), Field::Int(a)) => {
                u64::try_from(*a) == Ok(*b)
            }
            (a, b) => a == b,
        }
    }
}

/// A date or time as text, in the form of the answers: `T` between date and time, no zeros
/// at the end of a fraction, and an offset for an instant. What does not look like one is a
/// text (SQLite holds anything).
pub(crate) fn moment<'a>(column_type: &ColumnType, text: &'a str) -> Field<'a> {
    let (mut fraction, mut space) = (false, None);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'0'..=b'9' | b'-' | b':' | b'T' | b'+' | b'Z' => {}
            b'.' => fraction = true,
            b' ' => space = space.or(Some(at)),
            _ => return Field::Text(Cow::Borrowed(text)),
        }
    }
    if text.is_empty() || text.len() > 40 {
        return Field::Text(Cow::Borrowed(text));
    }
    let (text, zone) = match column_type {
        ColumnType::Timestamp(_) => (
            text.strip_suffix("+00:00")
                .or_else(|| text.strip_suffix('Z'))
                .unwrap_or(text),
            "+00:00",
        ),
        _ => (text, ""),
    };
    let text = if fraction {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    };
    let mut moment = Short::default();
    let mut add = |text| {
        // What does not fit the room was refused by its length above.
        let _ = moment.write_str(text);
    };
    match space.and_then(|at| text.split_at_checked(at)) {
        Some((date, time)) => {
            add(date);
            add("T");
            add(time.get(1..).unwrap_or_default());
        }
        None => add(text),
    }
    add(zone);
    Field::Moment(moment)
}

/// A short ASCII text without a place on the heap.
#[derive(Clone, Copy)]
pub(crate) struct Short {
    bytes: [u8; 48],
    length: u8,
}

impl PartialEq for Short {
    // What stands behind the end does not count.
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Default for Short {
    fn default() -> Self {
        Self {
            bytes: [0; 48],
            length: 0,
        }
    }
}

impl Short {
    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }

    /// Adds one character.
    pub(crate) fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(usize::from(self.length)) {
            *place = byte;
            self.length += 1;
        }
    }

    /// Adds a number with at least so many digits.
    pub(crate) fn number(&mut self, number: u32, digits: u32) {
        if number < 100 && digits == 2 {
            return self.pair(number);
        }
        if (number < 10_000 && digits == 4) || (number < 1_000_000 && digits == 6) {
            if digits == 6 {
                self.pair(number / 10_000);
            }
            self.pair(number / 100 % 100);
            return self.pair(number % 100);
        }
        let mut power = 10_u32.pow(digits.max(number.checked_ilog10().unwrap_or(0) + 1) - 1);
        while power > 0 {
            // A digit, so that it fits.
            self.push(b'0' + u8::try_from(number / power % 10).unwrap_or(0));
            power /= 10;
        }
    }

    /// Adds two digits.
    fn pair(&mut self, number: u32) {
        // Digits, so that they fit.
        self.push(b'0' + (number / 10 % 10) as u8);
        self.push(b'0' + (number % 10) as u8);
    }

    /// Adds microseconds as a fraction without zeros at its end; nothing for none.
    pub(crate) fn fraction(&mut self, micros: u32) {
        if micros > 0 {
            self.push(b'.');
            self.number(micros, 6);
            while self.bytes.get(usize::from(self.length).wrapping_sub(1)) == Some(&b'0') {
                self.length -= 1;
            }
        }
    }
}

impl fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let start = usize::from(self.length);
        let place = self
            .bytes
            .get_mut(start..start + text.len())
            .ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.length += u8::try_from(text.len()).map_err(|_| fmt::Error)?;
        Ok(())
    }
}

impl fmt::Debug for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_have_one_form_whatever_form_they_are_kept_in() {
        let cases = [
            (
                ColumnType::DateTime(6),
                "2015-12-08 04:22:57.472000",
                "2015-12-08T04:22:57.472",
            ),
            (
                ColumnType::DateTime(0),
                "2015-12-08T04:22:57",
                "2015-12-08T04:22:57",
            ),
            (
                ColumnType::DateTime(3),
                "2015-12-08T04:22:57.000",
                "2015-12-08T04:22:57",
            ),
            (
                ColumnType::Timestamp(3),
                "2015-12-08 04:22:57.10",
                "2015-12-08T04:22:57.1+00:00",
            ),
            (
                ColumnType::Timestamp(0),
                "2015-12-08T04:22:50+00:00",
                "2015-12-08T04:22:50+00:00",
            ),
            (ColumnType::Date, "2020-10-10", "2020-10-10"),
            (ColumnType::Time(0), "-838:59:50", "-838:59:50"),
        ];
        for (column_type, kept, shown) in cases {
            let Field::Moment(short) = moment(&column_type, kept) else {
                panic!("{kept}")
            };
            assert_eq!(short.as_str(), shown);
        }
        assert_eq!(
            moment(&ColumnType::Date, "soon"),
            Field::Text("soon".into())
        );
    }

    #[test]
    fn short_numbers_are_padded_and_fractions_trimmed() {
        let mut short = Short::default();
        for (number, digits) in [(0, 2), (7, 2), (838, 2), (0, 4), (10_000, 4)] {
            short.number(number, digits);
            short.push(b' ');
        }
        short.fraction(0);
        short.fraction(120_000);
        short.fraction(1);
        assert_eq!(short.as_str(), "00 07 838 0000 10000 .12.000001");
    }

    #[test]
    fn json_and_numbers_are_the_same_by_what_they_say() {
        assert!(Field::Json(r#"{"a": 1, "b": [2]}"#).same(&Field::Json(r#"{"b":[2],"a":1}"#)));
        assert!(!Field::Json("[1]").same(&Field::Json("[2]")));
        assert!(Field::Decimal("1.10".into()).same(&Field::Decimal("1.1".into())));
        assert!(
            Field::Int(5).same(&Field::UInt(5)) && !Field::Int(-1).same(&Field::UInt(u64::MAX))
        );
    }
}
