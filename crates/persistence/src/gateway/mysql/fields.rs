//! Values between MySQL's binary protocol and fields or placeholders.
//!
//! The raw bytes are read here rather than by the driver's own types, which take zero dates
//! (`0000-00-00`, legal in older tables) for nulls and refuse types they do not expect. What
//! a column holds is told by the protocol, so a table that was altered behind the catalogue's
//! back is still read as it is; the catalogue's type decides only what the protocol leaves
//! open: texts or bytes, JSON on MariaDB, numbers or truth.

use std::borrow::Cow;

use sqlx::mysql::{MySqlArguments, MySqlRow};
use sqlx::{Arguments, Decode, MySql, Row, TypeInfo, ValueRef};
use tidegate_domain::gateway::column_type::{ColumnType, TypeClass};
use tidegate_domain::gateway::value::Value;

use super::super::rows::document::{digits, json, json_text};
use super::super::rows::field::{Field, Reader, Short};

/// Reads rows whose columns have these types.
pub(crate) struct Columns {
    types: Vec<ColumnType>,
    // Told by the first row; the same for all of a result.
    kinds: Vec<Kind>,
}

/// How the bytes of a column are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Int,
    UInt,
    Bool,
    Float,
    Double,
    Decimal,
    Date,
    Moment,
    Instant,
    Time,
    Bits(u8),
    Text,
    Bytes,
    Json,
    // JSON by a check only, so it is looked at before it is put into a document as it is.
    MaybeJson,
    Unknown,
}

impl Columns {
    /// A reader of columns of these types, in the order of the select.
    pub(crate) fn new(types: impl IntoIterator<Item = ColumnType>) -> Self {
        Self {
            types: types.into_iter().collect(),
            kinds: Vec::new(),
        }
    }

    fn kind(&mut self, row: &MySqlRow, at: usize) -> Result<Kind, sqlx::Error> {
        if self.kinds.is_empty() {
            self.kinds = (self.types.iter().enumerate())
                .map(|(at, column_type)| {
                    Ok(kind(row.try_get_raw(at)?.type_info().name(), column_type))
                })
                .collect::<Result<_, sqlx::Error>>()?;
        }
        self.kinds
            .get(at)
            .copied()
            .ok_or_else(|| sqlx::Error::ColumnIndexOutOfBounds {
                index: at,
                len: self.kinds.len(),
            })
    }
}

/// The protocol's type by its name in the driver. Bytes and texts with a binary collation
/// have the same name there.
fn kind(wire: &str, column_type: &ColumnType) -> Kind {
    let unsigned = matches!(column_type, ColumnType::Integer { unsigned: true, .. });
    match wire {
        "BOOLEAN" | "TINYINT" if *column_type == ColumnType::Boolean => Kind::Bool,
        "BOOLEAN" if unsigned => Kind::UInt,
        "BOOLEAN" | "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT" => Kind::Int,
        "TINYINT UNSIGNED" | "SMALLINT UNSIGNED" | "MEDIUMINT UNSIGNED" | "INT UNSIGNED"
        | "BIGINT UNSIGNED" | "YEAR" => Kind::UInt,
        "FLOAT" => Kind::Float,
        "DOUBLE" => Kind::Double,
        "DECIMAL" => Kind::Decimal,
        "DATE" => Kind::Date,
        "DATETIME" => Kind::Moment,
        "TIMESTAMP" => Kind::Instant,
        "TIME" => Kind::Time,
        "BIT" => match column_type {
            ColumnType::Bit(width) => Kind::Bits(*width),
            _ => Kind::Bits(64),
        },
        "JSON" => Kind::Json,
        "GEOMETRY" => Kind::Bytes,
        "CHAR" | "VARCHAR" | "TINYTEXT" | "TEXT" | "MEDIUMTEXT" | "LONGTEXT" | "ENUM" | "SET"
        | "BINARY" | "VARBINARY" | "TINYBLOB" | "BLOB" | "MEDIUMBLOB" | "LONGBLOB" => {
            match column_type.class() {
                TypeClass::Bytes => Kind::Bytes,
                TypeClass::Json => Kind::MaybeJson,
                _ => Kind::Text,
            }
        }
        _ => Kind::Unknown,
    }
}

impl Reader for Columns {
    type Row = MySqlRow;

    fn field<'r>(&mut self, row: &'r MySqlRow, at: usize) -> Result<Field<'r>, sqlx::Error> {
        let kind = self.kind(row, at)?;
        // Only a real null has no bytes; the driver's own test counts zero dates among them.
        let Ok(raw) = <&[u8] as Decode<MySql>>::decode(row.try_get_raw(at)?) else {
            return Ok(Field::Null);
        };
        if kind == Kind::Unknown {
            let name = row.try_get_raw(at)?.type_info().name().to_owned();
            return Err(sqlx::Error::TypeNotFound { type_name: name });
        }
        value(kind, raw)
    }

    fn json(&mut self, out: &mut Vec<u8>, row: &MySqlRow, at: usize) -> Result<(), sqlx::Error> {
        let kind = self.kind(row, at)?;
        if let Ok(raw) = <&[u8] as Decode<MySql>>::decode(row.try_get_raw(at)?)
            && write(out, kind, raw)?
        {
            return Ok(());
        }
        json(out, &self.field(row, at)?);
        Ok(())
    }

    fn number(&self, row: &MySqlRow, at: usize) -> Result<u64, sqlx::Error> {
        <&[u8] as Decode<MySql>>::decode(row.try_get_raw(at)?)
            .map(unsigned)
            .map_err(sqlx::Error::Decode)
    }
}

/// What the bytes of a column of a known kind stand for.
fn value(kind: Kind, raw: &[u8]) -> Result<Field<'_>, sqlx::Error> {
    Ok(match kind {
        Kind::Int => Field::Int(signed(raw)?),
        Kind::UInt => Field::UInt(unsigned(raw)),
        Kind::Bool => Field::Bool(raw.iter().any(|byte| *byte != 0)),
        Kind::Float => Field::Float(f32::from_le_bytes(array(raw)?)),
        Kind::Double => Field::Double(f64::from_le_bytes(array(raw)?)),
        Kind::Decimal => Field::Decimal(Cow::Borrowed(without_zeros(text(raw)?))),
        Kind::Date | Kind::Moment | Kind::Instant => Field::Moment(moment(raw, kind)?),
        Kind::Time => Field::Moment(time(raw)?),
        Kind::Bits(width) => Field::Bits(
            raw.iter()
                .fold(0, |bits, byte| bits << 8 | u64::from(*byte)),
            width,
        ),
        Kind::Json => Field::Json(text(raw)?),
        Kind::MaybeJson => {
            let text = text(raw)?;
            match serde_json::from_str::<&serde_json::value::RawValue>(text) {
                Ok(json) => Field::Json(json.get()),
                Err(_) => Field::Text(Cow::Borrowed(text)),
            }
        }
        Kind::Text => match std::str::from_utf8(raw) {
            Ok(text) => Field::Text(Cow::Borrowed(text)),
            Err(_) => Field::Bytes(Cow::Borrowed(raw)),
        },
        Kind::Bytes | Kind::Unknown => Field::Bytes(Cow::Borrowed(raw)),
    })
}

/// Writes what most columns hold straight as JSON; whether it was such.
fn write(out: &mut Vec<u8>, kind: Kind, raw: &[u8]) -> Result<bool, sqlx::Error> {
    match kind {
        Kind::Int => {
            let number = signed(raw)?;
            if number < 0 {
                out.push(b'-');
            }
            digits(out, number.unsigned_abs());
        }
        Kind::UInt => digits(out, unsigned(raw)),
        Kind::Text => match std::str::from_utf8(raw) {
            Ok(text) => json_text(out, text),
            Err(_) => return Ok(false),
        },
        Kind::Date => {
            let [4, low, high, month, day] = *raw else {
                return Ok(false);
            };
            let year = u16::from_le_bytes([low, high]);
            if year > 9999 || month > 99 || day > 99 {
                return Ok(false);
            }
            // All of them are digits.
            let digit = |number: u16| b'0' + (number % 10) as u8;
            let (month, day) = (u16::from(month), u16::from(day));
            out.extend_from_slice(&[
                b'"',
                digit(year / 1000),
                digit(year / 100),
                digit(year / 10),
                digit(year),
                b'-',
                digit(month / 10),
                digit(month),
                b'-',
                digit(day / 10),
                digit(day),
                b'"',
            ]);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn array<const N: usize>(raw: &[u8]) -> Result<[u8; N], sqlx::Error> {
    raw.try_into().map_err(|_| malformed("number"))
}

fn malformed(what: &str) -> sqlx::Error {
    sqlx::Error::Decode(format!("the server sent a {what} in an unknown form").into())
}

fn signed(raw: &[u8]) -> Result<i64, sqlx::Error> {
    Ok(match raw.len() {
        1 => i8::from_le_bytes(array(raw)?).into(),
        2 => i16::from_le_bytes(array(raw)?).into(),
        4 => i32::from_le_bytes(array(raw)?).into(),
        _ => i64::from_le_bytes(array(raw)?),
    })
}

fn unsigned(raw: &[u8]) -> u64 {
    raw.iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn text(raw: &[u8]) -> Result<&str, sqlx::Error> {
    std::str::from_utf8(raw).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// `zerofill` columns come with zeros in front, which JSON's numbers may not have.
fn without_zeros(digits: &str) -> &str {
    let bytes = digits.as_bytes();
    let superfluous = bytes
        .windows(2)
        .take_while(|pair| pair[0] == b'0' && pair[1].is_ascii_digit())
        .count();
    &digits[superfluous..]
}

/// A date, or date and time: length, year, month, day, and as far as they are not zero hour,
/// minute, second and microseconds.
fn moment(raw: &[u8], kind: Kind) -> Result<Short, sqlx::Error> {
    let part = |at: usize| u32::from(raw.get(at).copied().unwrap_or(0));
    let mut moment = Short::default();
    if !matches!(raw.len(), 1 | 5 | 8 | 12) {
        return Err(malformed("date"));
    }
    moment.number(part(1) | part(2) << 8, 4);
    moment.push(b'-');
    moment.number(part(3), 2);
    moment.push(b'-');
    moment.number(part(4), 2);
    if kind == Kind::Date {
        return Ok(moment);
    }
    moment.push(b'T');
    clock(&mut moment, part(5), part(6), part(7));
    moment.fraction(part(8) | part(9) << 8 | part(10) << 16 | part(11) << 24);
    if kind == Kind::Instant {
        b"+00:00".iter().for_each(|byte| moment.push(*byte));
    }
    Ok(moment)
}

/// A time: length, sign, days, hours, minutes, seconds and microseconds.
fn time(raw: &[u8]) -> Result<Short, sqlx::Error> {
    let part = |at: usize| u32::from(raw.get(at).copied().unwrap_or(0));
    let mut time = Short::default();
    if !matches!(raw.len(), 1 | 9 | 13) {
        return Err(malformed("time"));
    }
    if part(1) == 1 {
        time.push(b'-');
    }
    let days = part(2) | part(3) << 8 | part(4) << 16 | part(5) << 24;
    clock(
        &mut time,
        days.saturating_mul(24).saturating_add(part(6)),
        part(7),
        part(8),
    );
    time.fraction(part(9) | part(10) << 8 | part(11) << 16 | part(12) << 24);
    Ok(time)
}

fn clock(out: &mut Short, hours: u32, minutes: u32, seconds: u32) {
    out.number(hours, 2);
    out.push(b':');
    out.number(minutes, 2);
    out.push(b':');
    out.number(seconds, 2);
}

/// Adds a value to the placeholders' values.
pub(crate) fn bind(arguments: &mut MySqlArguments, value: &Value) -> Result<(), sqlx::Error> {
    let added = match value {
        Value::Null => arguments.add(None::<&str>),
        Value::Int(number) => arguments.add(*number),
        Value::UInt(number) => arguments.add(*number),
        Value::Double(number) => arguments.add(*number),
        Value::Decimal(text) | Value::Text(text) | Value::Json(text) => {
            arguments.add(text.as_str())
        }
        Value::Bytes(bytes) => arguments.add(bytes.as_slice()),
    };
    added.map_err(sqlx::Error::Encode)
}

/// The values of a statement's placeholders.
pub(crate) fn arguments<'v>(
    values: impl IntoIterator<Item = &'v Value>,
) -> Result<MySqlArguments, sqlx::Error> {
    let mut arguments = MySqlArguments::default();
    for value in values {
        bind(&mut arguments, value)?;
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_of_the_protocol() {
        let cases: [(&[u8], Kind, &str); 6] = [
            (&[0], Kind::Date, "0000-00-00"),
            (&[0], Kind::Moment, "0000-00-00T00:00:00"),
            (&[4, 0xe7, 0x07, 10, 18], Kind::Date, "2023-10-18"),
            (
                &[4, 0xe7, 0x07, 10, 18],
                Kind::Moment,
                "2023-10-18T00:00:00",
            ),
            (
                &[7, 0x0f, 0x27, 12, 31, 23, 59, 59],
                Kind::Instant,
                "9999-12-31T23:59:59+00:00",
            ),
            (
                &[11, 0xdf, 0x07, 12, 8, 4, 22, 57, 0xc0, 0x33, 0x07, 0x00],
                Kind::Moment,
                "2015-12-08T04:22:57.472",
            ),
        ];
        for (raw, kind, expected) in cases {
            assert_eq!(moment(raw, kind).unwrap().as_str(), expected);
        }
        assert_eq!(time(&[0]).unwrap().as_str(), "00:00:00");
        assert_eq!(
            time(&[8, 1, 34, 0, 0, 0, 22, 59, 59]).unwrap().as_str(),
            "-838:59:59"
        );
        assert_eq!(
            time(&[12, 0, 0, 0, 0, 0, 1, 2, 3, 0x20, 0xa1, 0x07, 0x00])
                .unwrap()
                .as_str(),
            "01:02:03.5"
        );
        assert!(time(&[5, 1]).is_err());
    }

    #[test]
    fn what_is_written_straight_is_the_same() {
        let cases: [(Kind, &[u8]); 12] = [
            (Kind::Int, &[0x80]),
            (Kind::Int, &[0xff; 8]),
            (Kind::Int, &[0, 0, 0, 0, 0, 0, 0, 0x80]),
            (Kind::UInt, &[0xff; 8]),
            (Kind::UInt, &[0, 0]),
            (Kind::Text, "a \"b\" é\n".as_bytes()),
            (Kind::Text, b""),
            (Kind::Date, &[4, 0xe7, 0x07, 10, 8]),
            (Kind::Date, &[4, 7, 0, 1, 31]),
            (Kind::Date, &[4, 0, 0, 0, 1]),
            (Kind::Date, &[4, 0x0f, 0x27, 12, 31]),
            (Kind::Date, &[4, 0x10, 0x27, 12, 31]),
        ];
        for (kind, raw) in cases {
            let (mut straight, mut through) = (Vec::new(), Vec::new());
            let written = write(&mut straight, kind, raw).unwrap();
            json(&mut through, &value(kind, raw).unwrap());
            assert!(straight == through || !written, "{kind:?} {raw:?}");
        }
        for (kind, raw) in [
            (Kind::Text, &[0xff][..]),
            (Kind::Date, &[0]),
            (Kind::Moment, &[0]),
        ] {
            let mut out = Vec::new();
            assert!(!write(&mut out, kind, raw).unwrap() && out.is_empty());
        }
    }

    #[test]
    fn zeros_of_zerofill_go_away() {
        for (sent, shown) in [
            ("0001.10", "1.10"),
            ("0.10", "0.10"),
            ("000", "0"),
            ("-0.5", "-0.5"),
            ("10", "10"),
        ] {
            assert_eq!(without_zeros(sent), shown);
        }
    }

    #[test]
    fn integers_of_every_width() {
        assert_eq!(signed(&[0x80]).unwrap(), -128);
        assert_eq!(signed(&[0xff, 0x7f]).unwrap(), 32767);
        assert_eq!(signed(&[0, 0, 0, 0x80]).unwrap(), i64::from(i32::MIN));
        assert_eq!(unsigned(&[0xff; 8]), u64::MAX);
        assert_eq!(unsigned(&[0x6b, 0x08]), 2155);
    }
}
