//! Values of column types, from text and JSON.

use serde_json::Value as Json;

use super::number::Exact;
use super::{Fault, Value, time};
use crate::gateway::column_type::ColumnType;
use crate::query::error::ValueFault;

/// As many digits as the largest number of 64 bits has.
const INTEGER_DIGITS: usize = 20;
/// How deep MySQL lets a JSON document nest.
const JSON_DEPTH: usize = 100;

/// Whether a value is to be stored, and so must fit the column, or only to be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Store,
    Compare,
}

impl ColumnType {
    /// The value to store that a text (a CSV field, say) stands for: in canonical form, with
    /// decimals rounded half away from zero to the column's scale and times to its digits of
    /// a second, as PostgreSQL does.
    ///
    /// # Errors
    /// A text that is no value of the type, out of its range, or too long.
    pub fn value_from_text(&self, text: &str) -> Result<Value, Fault> {
        self.read(text, Purpose::Store)
    }

    /// The value to store that a JSON value stands for. Null is null, a string is read as a
    /// text of the type, numbers are taken by their digits, never through floating point; a
    /// `json` column takes any value, a `set` also an array of its members; objects and arrays
    /// for text columns become their JSON text.
    ///
    /// # Errors
    /// As [`ColumnType::value_from_text`].
    pub fn value_from_json(&self, json: &Json) -> Result<Value, Fault> {
        match (self, json) {
            (_, Json::Null) => Ok(Value::Null),
            (Self::Json, json) => document(json),
            (Self::Set(declared), Json::Array(members)) => {
                // Looked at one by one: a text with a comma in it is no two members.
                let known = |text: &&str| declared.iter().any(|member| member == text);
                let members: Option<Vec<&str>> = members
                    .iter()
                    .map(|member| member.as_str().filter(known))
                    .collect();
                match members {
                    Some(members) => self.value_from_text(&members.join(",")),
                    None => Err(Fault::malformed("set", &json.to_string())),
                }
            }
            (Self::Other(_), json) => other(json),
            (_, Json::String(text)) => self.value_from_text(text),
            (Self::Boolean | Self::Bit(1), Json::Bool(value)) => {
                self.value_from_text(if *value { "1" } else { "0" })
            }
            (Self::Char(_) | Self::Varchar(_) | Self::Text(_) | Self::Enum(_), json) => {
                self.value_from_text(&json.to_string())
            }
            (Self::Bit(_), Json::Number(number)) => match number.as_u64() {
                Some(bits) => self.bits(bits, &number.to_string()),
                None => Err(self.out_of_range(&number.to_string())),
            },
            (_, Json::Number(number)) if self.is_numeric() => {
                self.value_from_text(&number.to_string())
            }
            (_, json) => Err(Fault::malformed(&self.to_string(), &json.to_string())),
        }
    }

    /// The text that a JSON value, as it is written, is read as, where it is one: what
    /// [`ColumnType::value_from_text`] makes of that is what [`ColumnType::value_from_json`] makes
    /// of the value.
    pub fn text_of_json<'j>(&self, written: &'j str) -> Option<&'j str> {
        if let Some(inside) = written.strip_prefix('"') {
            let inside = inside.strip_suffix('"')?;
            let read = !matches!(self, Self::Json | Self::Other(_)) && !inside.contains('\\');
            return read.then_some(inside);
        }
        let as_text = matches!(
            self,
            Self::Char(_) | Self::Varchar(_) | Self::Text(_) | Self::Enum(_)
        );
        let digits = written.strip_prefix('-').unwrap_or(written);
        let number = digits.starts_with(|first: char| first.is_ascii_digit())
            && digits.bytes().all(|it| it.is_ascii_digit() || it == b'.');
        (number && (as_text || self.is_numeric())).then_some(written)
    }

    /// The value that a filter compares with. It need not fit the column: a number beyond the
    /// column's range, a text over its length and an unknown enum member are compared as what
    /// they are.
    ///
    /// # Errors
    /// A text that is no value of the type's kind.
    pub fn operand(&self, text: &str) -> Result<Value, Fault> {
        self.read(text, Purpose::Compare)
    }

    /// The canonical text of a value of this type, as literal defaults have it: bits as a
    /// number, bytes as `\x` and hexadecimal digits; `None` for null.
    pub fn literal_text(&self, value: &Value) -> Option<String> {
        Some(match (self, value) {
            (_, Value::Null) => return None,
            // A `float` widened to eight bytes would show digits that nobody gave.
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the column has this precision"
            )]
            (Self::Float { .. }, Value::Double(number)) => (*number as f32).to_string(),
            (_, Value::Double(number)) => number.to_string(),
            (_, Value::Int(number)) => number.to_string(),
            // As rows show them, and as the column reads them again.
            (Self::Bit(width), Value::UInt(bits)) => {
                format!("{bits:0width$b}", width = usize::from(*width))
            }
            (_, Value::UInt(number)) => number.to_string(),
            (_, Value::Decimal(text) | Value::Text(text) | Value::Json(text)) => text.clone(),
            (_, Value::Bytes(bytes)) => {
                let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("\\x{digits}")
            }
        })
    }

    fn is_numeric(&self) -> bool {
        matches!(
            self,
            Self::Integer { .. }
                | Self::Year
                | Self::Boolean
                | Self::Decimal { .. }
                | Self::Float { .. }
                | Self::Double { .. }
        )
    }

    fn read(&self, text: &str, purpose: Purpose) -> Result<Value, Fault> {
        let storing = purpose == Purpose::Store;
        match self {
            Self::Integer { .. } | Self::Year => self.integer(text, purpose),
            Self::Boolean => boolean(text).map(|value| Value::Int(i64::from(value))),
            Self::Decimal {
                precision,
                scale,
                unsigned,
            } => {
                let exact = Exact::parse(text).ok_or_else(|| Fault::malformed("decimal", text))?;
                let room = usize::from(precision.saturating_sub(*scale));
                if !storing {
                    let exact = exact.bounded(room, usize::from(*scale));
                    return Ok(Value::Decimal(exact.text(None)));
                }
                let exact = exact.rounded(usize::from(*scale));
                if exact.whole_digits() > room || (*unsigned && exact.is_negative()) {
                    return Err(self.out_of_range(text));
                }
                Ok(Value::Decimal(exact.text(Some(usize::from(*scale)))))
            }
            Self::Float { unsigned } | Self::Double { unsigned } => {
                let number = float(self, text)?;
                if storing && *unsigned && number < 0.0 {
                    return Err(self.out_of_range(text));
                }
                Ok(Value::Double(number))
            }
            Self::Char(length) | Self::Varchar(length) => {
                let text = no_nul(text)?;
                if storing && text.chars().count() > usize::try_from(*length).unwrap_or(usize::MAX)
                {
                    return Err(Fault::too_long(&self.to_string()));
                }
                // MySQL takes the blanks at the end of a `char` away on reading, so that none
                // is ever equal to a text that has some.
                let fixed = matches!(self, Self::Char(_));
                Ok(Value::Text(
                    if fixed {
                        text.trim_end_matches(' ')
                    } else {
                        text
                    }
                    .to_owned(),
                ))
            }
            Self::Text(size) => {
                let text = no_nul(text)?;
                if storing && u64::try_from(text.len()).unwrap_or(u64::MAX) > size.max_bytes() {
                    return Err(Fault::too_long(&self.to_string()));
                }
                Ok(Value::Text(text.to_owned()))
            }
            Self::Enum(members) => {
                let text = no_nul(text)?;
                if storing && !members.iter().any(|member| member == text) {
                    return Err(Fault::malformed("enum", text));
                }
                Ok(Value::Text(text.to_owned()))
            }
            Self::Set(members) => set(members, no_nul(text)?, storing).map(Value::Text),
            Self::Uuid => uuid(text).map(Value::Text),
            Self::Binary(length) | Self::Varbinary(length) => {
                let mut bytes = bytes(text)?;
                let length = usize::try_from(*length).unwrap_or(usize::MAX);
                if storing && bytes.len() > length {
                    return Err(Fault::too_long(&self.to_string()));
                }
                if storing && matches!(self, Self::Binary(_)) {
                    // MySQL fills with zeros; done here, SQLite does the same.
                    bytes.resize(length, 0);
                }
                Ok(Value::Bytes(bytes))
            }
            Self::Blob(size) => {
                let bytes = bytes(text)?;
                if storing && u64::try_from(bytes.len()).unwrap_or(u64::MAX) > size.max_bytes() {
                    return Err(Fault::too_long(&self.to_string()));
                }
                Ok(Value::Bytes(bytes))
            }
            Self::Date => time::date(text).map(Value::Text),
            Self::Time(digits) => {
                time::time(text, if storing { *digits } else { 6 }).map(Value::Text)
            }
            Self::DateTime(digits) => {
                time::datetime(text, if storing { *digits } else { 6 }).map(Value::Text)
            }
            Self::Timestamp(digits) => {
                time::timestamp(text, if storing { *digits } else { 6 }, storing).map(Value::Text)
            }
            Self::Json => match serde_json::from_str::<Json>(text) {
                Ok(json) => document(&json),
                Err(_) => Err(Fault::malformed("json", text)),
            },
            Self::Bit(_) => {
                let fits = !text.is_empty()
                    && text.len() <= 64
                    && text.bytes().all(|b| b == b'0' || b == b'1');
                let bits = if fits {
                    u64::from_str_radix(text, 2).ok()
                } else {
                    None
                };
                let bits = bits.ok_or_else(|| Fault::malformed("bit", text))?;
                if storing {
                    self.bits(bits, text)
                } else {
                    Ok(Value::UInt(bits))
                }
            }
            Self::Other(_) => no_nul(text).map(|text| Value::Text(text.to_owned())),
        }
    }

    /// Bits that fit the column's width.
    fn bits(&self, bits: u64, text: &str) -> Result<Value, Fault> {
        match self {
            Self::Bit(width) if *width < 64 && bits >> width != 0 => Err(self.out_of_range(text)),
            _ => Ok(Value::UInt(bits)),
        }
    }

    fn integer(&self, text: &str, purpose: Purpose) -> Result<Value, Fault> {
        let malformed = || Fault::malformed(&self.to_string(), text);
        let (exact, number) = match short_integer(text) {
            Some(number) => (None, Some(i128::from(number))),
            None => {
                let exact = Exact::parse(text).ok_or_else(malformed)?;
                if !exact.is_whole() {
                    return Err(malformed());
                }
                let number = exact.to_i128();
                (Some(exact), number)
            }
        };
        if purpose == Purpose::Store {
            let (least, largest) = self
                .integer_range()
                .unwrap_or((i64::MIN.into(), i64::MAX.into()));
            let fits = number.is_some_and(|number| {
                (least..=largest).contains(&number)
                    && (*self != Self::Year || number == 0 || number >= 1901)
            });
            if !fits {
                return Err(self.out_of_range(text));
            }
        }
        let small = number
            .and_then(|number| i64::try_from(number).ok())
            .map(Value::Int);
        let large = number
            .and_then(|number| u64::try_from(number).ok())
            .map(Value::UInt);
        let digits = |exact: Exact| Value::Decimal(exact.bounded(INTEGER_DIGITS, 0).text(None));
        small
            .or(large)
            .or_else(|| exact.map(digits))
            .ok_or_else(malformed)
    }

    fn out_of_range(&self, text: &str) -> Fault {
        Fault::out_of_range(&self.to_string(), text)
    }
}

/// Plain digits that fit for sure, as most whole numbers are written.
fn short_integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = (1..=18).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

/// A JSON document within what every engine takes: MySQL keeps numbers as floating point and
/// nests at most 100 deep.
fn document(json: &Json) -> Result<Value, Fault> {
    fn fits(json: &Json, room: usize) -> bool {
        match json {
            Json::Number(number) => number.as_f64().is_some_and(f64::is_finite),
            Json::Array(items) => room > 0 && items.iter().all(|item| fits(item, room - 1)),
            Json::Object(members) => room > 0 && members.values().all(|item| fits(item, room - 1)),
            _ => true,
        }
    }
    if fits(json, JSON_DEPTH) {
        Ok(Value::Json(json.to_string()))
    } else {
        Err(Fault::out_of_range("json", &json.to_string()))
    }
}

/// A value for a column that only the engine understands, as what it is.
fn other(json: &Json) -> Result<Value, Fault> {
    match json {
        Json::Null => Ok(Value::Null),
        Json::Bool(value) => Ok(Value::Int(i64::from(*value))),
        Json::Number(number) => {
            let whole = number.as_i64().map(Value::Int);
            let whole = whole.or_else(|| number.as_u64().map(Value::UInt));
            let broken = || number.as_f64().filter(|number| number.is_finite());
            whole
                .or_else(|| broken().map(Value::Double))
                .ok_or_else(|| Fault::out_of_range("numeric", &number.to_string()))
        }
        Json::String(text) => no_nul(text).map(|text| Value::Text(text.to_owned())),
        json => Ok(Value::Text(json.to_string())),
    }
}

/// PostgreSQL's words for truth values.
fn boolean(text: &str) -> Result<bool, Fault> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Ok(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Ok(false),
        _ => Err(Fault::malformed("boolean", text)),
    }
}

/// A finite number; a `float` is rounded to its four bytes.
fn float(column_type: &ColumnType, text: &str) -> Result<f64, Fault> {
    let trimmed = text.trim();
    let plain = trimmed
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    let number: f64 = match trimmed.parse() {
        Ok(number) if plain => number,
        _ => return Err(Fault::malformed(&column_type.to_string(), text)),
    };
    let number = match column_type {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "this is the rounding of the column"
        )]
        ColumnType::Float { .. } => f64::from(number as f32),
        _ => number,
    };
    // An engine keeps no sign of a zero.
    if number.is_finite() {
        Ok(number + 0.0)
    } else {
        Err(column_type.out_of_range(text))
    }
}

/// A NUL is no character of a text in PostgreSQL, and cuts it in SQLite's functions.
fn no_nul(text: &str) -> Result<&str, Fault> {
    if text.contains('\0') {
        return Err(Fault::new(
            ValueFault::Malformed,
            "a text must not contain a NUL character",
        ));
    }
    Ok(text)
}

/// Members in the order of the declaration, each once.
fn set(members: &[String], text: &str, storing: bool) -> Result<String, Fault> {
    let given: Vec<&str> = if text.is_empty() {
        Vec::new()
    } else {
        text.split(',').collect()
    };
    if given
        .iter()
        .any(|given| !members.iter().any(|member| member == given))
    {
        return if storing {
            Err(Fault::malformed("set", text))
        } else {
            Ok(text.to_owned())
        };
    }
    let ordered: Vec<&str> = members
        .iter()
        .map(String::as_str)
        .filter(|member| given.contains(member))
        .collect();
    Ok(ordered.join(","))
}

/// Five groups of hexadecimal digits, in lower case.
fn uuid(text: &str) -> Result<String, Fault> {
    let lower = text.trim().to_ascii_lowercase();
    let fits = lower.len() == 36
        && lower.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    if fits {
        Ok(lower)
    } else {
        Err(Fault::malformed("uuid", text))
    }
}

/// `\x` and hexadecimal digits, as PostgreSQL writes bytes; any other text stands for its
/// own UTF-8 bytes.
fn bytes(text: &str) -> Result<Vec<u8>, Fault> {
    let Some(digits) = text.strip_prefix("\\x") else {
        return Ok(text.as_bytes().to_vec());
    };
    let malformed = || Fault::malformed("bytea", text);
    let digits = digits.as_bytes();
    if digits.len() % 2 != 0 {
        return Err(malformed());
    }
    let value = |digit: u8| {
        char::from(digit)
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
    };
    digits
        .chunks_exact(2)
        .map(|pair| Some(value(pair[0])? << 4 | value(pair[1])?))
        .collect::<Option<_>>()
        .ok_or_else(malformed)
}
