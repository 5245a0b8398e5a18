//! Rows as JSON or CSV, written straight into bytes.
//!
//! JSON: numbers are printed with all their digits (an exact number as it is kept, `1.10`;
//! floating point as the shortest text that reads back the same), bytes as `\x` and hex
//! digits, bits as zeros and ones. CSV is RFC 4180 with `\n`: null is an empty field, an
//! empty text a pair of quotes, and truth is `t` or `f`, as PostgreSQL writes rows as text.

use std::fmt::Display;
use std::io::Write as _;

use tidegate_domain::gateway::port::Encoding;
use tidegate_domain::gateway::zone::Zone;

use tidegate_domain::query::plan::{Member, Node};

use super::field::{Field, Reader};
use super::shape::{Found, Shape};
use crate::engine::Engine;

/// Writes one document, piece by piece, into buffers of the caller's.
pub(crate) struct Document {
    encoding: Encoding,
    // What stands before each value of a row: `{"a":`, `,"b":`; in CSV nothing or a comma.
    before: Vec<Vec<u8>>,
    header: Vec<u8>,
    rows: u64,
    zone: Option<Zone>,
    // How rows of a node become members; without one each column is a member.
    shape: Option<Shape>,
}

impl Document {
    /// A document of rows with members of these names.
    pub(crate) fn new<'n>(encoding: Encoding, names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut header = Vec::new();
        let before = names
            .into_iter()
            .enumerate()
            .map(|(at, name)| match encoding {
                Encoding::Json => {
                    let mut before = vec![if at == 0 { b'{' } else { b',' }];
                    json_text(&mut before, name);
                    before.push(b':');
                    before
                }
                Encoding::Csv => {
                    let before = if at == 0 { Vec::new() } else { vec![b','] };
                    header.extend_from_slice(&before);
                    csv_text(&mut header, name);
                    before
                }
            })
            .collect();
        Self {
            encoding,
            before,
            header,
            rows: 0,
            zone: None,
            shape: None,
        }
    }

    /// With instants shown in this zone.
    pub(crate) fn in_zone(self, zone: Option<Zone>) -> Self {
        Self { zone, ..self }
    }

    /// A document of a node's rows.
    pub(crate) fn of(engine: Engine, encoding: Encoding, node: &Node, zone: Option<Zone>) -> Self {
        // In JSON the shape writes the names.
        let names = match encoding {
            Encoding::Json => &[],
            Encoding::Csv => node.members(),
        };
        let names = names.iter().map(Member::name);
        Self {
            shape: Some(Shape::new(engine, node, zone)),
            ..Self::new(encoding, names)
        }
    }

    /// How rows of a node are written.
    pub(crate) fn shape(&self) -> Option<&Shape> {
        self.shape.as_ref()
    }

    /// How many columns the statement has.
    pub(crate) fn columns(&self) -> usize {
        self.shape.as_ref().map_or(self.before.len(), Shape::width)
    }

    /// How many rows were written.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Writes what stands before the first row.
    pub(crate) fn open(&self, out: &mut Vec<u8>) {
        match self.encoding {
            Encoding::Json => out.push(b'['),
            Encoding::Csv => out.extend_from_slice(&self.header),
        }
    }

    /// Writes what stands after the last row.
    pub(crate) fn close(&self, out: &mut Vec<u8>) {
        if self.encoding == Encoding::Json {
            out.push(b']');
        }
    }

    /// Writes a row, and what parts it from the one before.
    ///
    /// # Errors
    /// A value that cannot be read.
    pub(crate) fn row<R: Reader>(
        &mut self,
        out: &mut Vec<u8>,
        row: &R::Row,
        reader: &mut R,
    ) -> Result<(), sqlx::Error> {
        self.row_with(out, row, reader, &[])
    }

    /// Writes a row with what is related to it.
    ///
    /// # Errors
    /// A value that cannot be read, or not be converted.
    pub(crate) fn row_with<R: Reader>(
        &mut self,
        out: &mut Vec<u8>,
        row: &R::Row,
        reader: &mut R,
        below: &[Found],
    ) -> Result<(), sqlx::Error> {
        self.part(out);
        match (&self.shape, self.encoding) {
            (None, _) => {
                for at in 0..self.before.len() {
                    let field = reader.field(row, at)?;
                    self.field(out, at, &field);
                }
                self.end_row(out);
            }
            (Some(shape), Encoding::Json) => shape.object(out, row, reader, below)?,
            (Some(shape), Encoding::Csv) => {
                for (at, before) in self.before.iter().enumerate() {
                    out.extend_from_slice(before);
                    let mut nested = Vec::new();
                    match shape.member(at, row, reader, below, &mut nested)? {
                        Some(field) => csv(out, &field),
                        None if nested == b"null" => {}
                        None => csv_text(out, &String::from_utf8_lossy(&nested)),
                    }
                }
            }
        }
        Ok(())
    }

    /// Writes what parts a row from the one before, and counts it.
    pub(crate) fn part(&mut self, out: &mut Vec<u8>) {
        match self.encoding {
            Encoding::Json if self.rows > 0 => out.push(b','),
            Encoding::Json => {}
            Encoding::Csv => out.push(b'\n'),
        }
        self.rows += 1;
    }

    /// Writes the value at this place of a row.
    pub(crate) fn field(&self, out: &mut Vec<u8>, at: usize, field: &Field<'_>) {
        if let Some(before) = self.before.get(at) {
            out.extend_from_slice(before);
        }
        let moved = match (self.zone, field) {
            (Some(zone), Field::Moment(instant)) => zone.shown(instant.as_str()),
            _ => None,
        };
        let moved = moved.map(|text| Field::Text(text.into()));
        let field = moved.as_ref().unwrap_or(field);
        match self.encoding {
            Encoding::Json => json(out, field),
            Encoding::Csv => csv(out, field),
        }
    }

    /// Writes the end of a row.
    pub(crate) fn end_row(&self, out: &mut Vec<u8>) {
        if self.encoding == Encoding::Json {
            out.push(b'}');
        }
    }
}

/// Writes a value as JSON.
pub(crate) fn json(out: &mut Vec<u8>, field: &Field<'_>) {
    match field {
        Field::Null => out.extend_from_slice(b"null"),
        Field::Bool(true) => out.extend_from_slice(b"true"),
        Field::Bool(false) => out.extend_from_slice(b"false"),
        Field::Text(text) => json_text(out, text),
        // Neither infinity nor what is no number can be a number in JSON.
        Field::Double(number) if !number.is_finite() => json_text(out, not_finite(*number)),
        Field::Float(number) if !number.is_finite() => {
            json_text(out, not_finite(f64::from(*number)))
        }
        Field::Decimal(digits) if !is_number(digits) => json_text(out, digits),
        // Of all that is written as a JSON text only this holds something to be escaped.
        Field::Bytes(bytes) => {
            out.extend_from_slice(b"\"\\\\x");
            hex(out, bytes);
            out.push(b'"');
        }
        Field::Moment(_) | Field::Bits(..) => {
            out.push(b'"');
            plain(out, field);
            out.push(b'"');
        }
        Field::Json(text) => out.extend_from_slice(text.as_bytes()),
        field => plain(out, field),
    }
}

fn csv(out: &mut Vec<u8>, field: &Field<'_>) {
    match field {
        Field::Null => {}
        Field::Text(text) | Field::Decimal(text) => csv_text(out, text),
        Field::Json(text) => csv_text(out, text),
        field => plain(out, field),
    }
}

/// The text of a value by itself.
pub(crate) fn plain_text(field: &Field<'_>) -> String {
    let mut out = Vec::new();
    plain(&mut out, field);
    String::from_utf8(out).unwrap_or_default()
}

/// Values whose text needs neither quotes nor escapes.
fn plain(out: &mut Vec<u8>, field: &Field<'_>) {
    match field {
        Field::Null => {}
        Field::Bool(truth) => out.push(if *truth { b't' } else { b'f' }),
        Field::Int(number) => {
            if *number < 0 {
                out.push(b'-');
            }
            digits(out, number.unsigned_abs());
        }
        Field::UInt(number) => digits(out, *number),
        Field::Float(number) => floating(out, number, f64::from(*number)),
        Field::Double(number) => floating(out, number, *number),
        Field::Decimal(digits) => out.extend_from_slice(digits.as_bytes()),
        Field::Moment(text) => out.extend_from_slice(text.as_str().as_bytes()),
        Field::Text(text) => out.extend_from_slice(text.as_bytes()),
        Field::Json(text) => out.extend_from_slice(text.as_bytes()),
        Field::Bytes(bytes) => {
            out.extend_from_slice(b"\\x");
            hex(out, bytes);
        }
        Field::Bits(bits, width) => {
            out.extend((0..*width).rev().map(|bit| {
                if bits.checked_shr(u32::from(bit)).unwrap_or(0) & 1 == 1 {
                    b'1'
                } else {
                    b'0'
                }
            }));
        }
    }
}

/// A whole number.
pub(crate) fn digits(out: &mut Vec<u8>, mut number: u64) {
    let mut room = [0; 20];
    let mut start = room.len();
    for digit in room.iter_mut().rev() {
        // The remainder is one digit.
        *digit = b'0' + (number % 10) as u8;
        start -= 1;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&room[start..]);
}

fn display(out: &mut Vec<u8>, value: &impl Display) {
    // Writing into a vector does not fail.
    let _ = write!(out, "{value}");
}

/// The shortest digits that read back the same; with an exponent where there would be many
/// zeros instead.
fn floating<T: Display + std::fmt::LowerExp>(out: &mut Vec<u8>, number: &T, size: f64) {
    let size = size.abs();
    if size != 0.0 && !(1e-5..1e15).contains(&size) && size.is_finite() {
        let _ = write!(out, "{number:e}");
    } else if size.is_finite() {
        display(out, number);
    } else {
        out.extend_from_slice(not_finite(size).as_bytes());
    }
}

fn not_finite(number: f64) -> &'static str {
    if number.is_nan() {
        "NaN"
    } else if number > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

/// Whether a text is a number as JSON has them, without exponent.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits
        .split_once('.')
        .map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
    let all = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    all(whole) && (whole == "0" || !whole.starts_with('0')) && fraction.is_none_or(all)
}

fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.reserve(bytes.len() * 2);
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

/// Which bytes a JSON text escapes.
const ESCAPED: [bool; 256] = {
    let mut escaped = [false; 256];
    let mut control = 0;
    while control < 0x20 {
        escaped[control] = true;
        control += 1;
    }
    escaped[b'"' as usize] = true;
    escaped[b'\\' as usize] = true;
    escaped
};

/// A text in JSON's quotes.
pub(crate) fn json_text(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| ESCAPED[usize::from(*byte)]) {
        out.extend_from_slice(&rest[..at]);
        let escape: &[u8] = match rest[at] {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0x08 => b"\\b",
            0x0c => b"\\f",
            _ => b"\\u00",
        };
        out.extend_from_slice(escape);
        if escape.len() > 2 {
            hex(out, &rest[at..=at]);
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// A text as a CSV field: in quotes where it holds a delimiter or could be taken for null.
fn csv_text(out: &mut Vec<u8>, text: &str) {
    let quoted = text.is_empty()
        || text
            .bytes()
            .any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r'));
    if !quoted {
        return out.extend_from_slice(text.as_bytes());
    }
    out.push(b'"');
    for byte in text.bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(field: &Field<'_>) -> (String, String) {
        let (mut as_json, mut as_csv) = (Vec::new(), Vec::new());
        json(&mut as_json, field);
        csv(&mut as_csv, field);
        (
            String::from_utf8(as_json).unwrap(),
            String::from_utf8(as_csv).unwrap(),
        )
    }

    #[test]
    fn values_are_written_exactly() {
        let cases: [(Field<'_>, &str, &str); 20] = [
            (Field::Null, "null", ""),
            (Field::Bool(true), "true", "t"),
            (Field::Bool(false), "false", "f"),
            (
                Field::Int(i64::MIN),
                "-9223372036854775808",
                "-9223372036854775808",
            ),
            (
                Field::UInt(u64::MAX),
                "18446744073709551615",
                "18446744073709551615",
            ),
            (Field::Float(0.1), "0.1", "0.1"),
            (Field::Float(f32::MAX), "3.4028235e38", "3.4028235e38"),
            (Field::Double(1.0), "1", "1"),
            (Field::Double(1e-7), "1e-7", "1e-7"),
            (
                Field::Double(0.1 + 0.2),
                "0.30000000000000004",
                "0.30000000000000004",
            ),
            (Field::Double(f64::INFINITY), "\"Infinity\"", "Infinity"),
            (Field::Decimal("-1.10".into()), "-1.10", "-1.10"),
            (Field::Decimal("007".into()), "\"007\"", "007"),
            (Field::Text("".into()), "\"\"", "\"\""),
            (
                Field::Text("a,\"b\"".into()),
                r#""a,\"b\"""#,
                r#""a,""b""""#,
            ),
            (
                Field::Text("\u{1}\u{7f}\t🙂\\".into()),
                "\"\\u0001\u{7f}\\t🙂\\\\\"",
                "\u{1}\u{7f}\t🙂\\",
            ),
            (
                Field::Bytes([0, 255].as_slice().into()),
                r#""\\x00ff""#,
                r"\x00ff",
            ),
            (Field::Bits(5, 4), "\"0101\"", "0101"),
            (
                Field::Bits(u64::MAX, 64),
                &format!("\"{}\"", "1".repeat(64)),
                &"1".repeat(64),
            ),
            (
                Field::Json(r#"{"a": [1]}"#),
                r#"{"a": [1]}"#,
                r#""{""a"": [1]}""#,
            ),
        ];
        for (field, as_json, as_csv) in cases {
            assert_eq!(
                both(&field),
                (as_json.to_owned(), as_csv.to_owned()),
                "{field:?}"
            );
        }
    }

    #[test]
    fn every_character_reads_back_from_json() {
        let text: String = (0..0x3000).filter_map(char::from_u32).collect();
        let mut out = Vec::new();
        json_text(&mut out, &text);
        assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
    }
}
