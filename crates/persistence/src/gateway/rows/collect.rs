//! Written rows that are shown: kept until all are there, sorted, and made a document.
//! Sorting here spares both engines what they lack (SQLite's `RETURNING` has no order, a
//! select by thousands of keys has a limit), and keeps the order of the writing where none
//! is asked for.

use std::cmp::Ordering;
use std::ops::Range;

use bytes::Bytes;
use tidegate_domain::gateway::port::Encoding;
use tidegate_domain::gateway::value::decimal_cmp;
use tidegate_domain::query::ask::Nulls;
use tidegate_domain::query::plan::{OutputColumn, ReadShape, ShapeOrder};

use super::document::Document;
use super::field::Field;

/// What a row is sorted by.
#[derive(Debug, Clone, PartialEq)]
enum SortKey {
    Null,
    Int(i128),
    Double(f64),
    Decimal(String),
    Time(i64),
    Text(Vec<u8>),
}

struct Row {
    // Its place in the order of the writing.
    place: usize,
    keys: Vec<SortKey>,
    bytes: Range<usize>,
}

/// Rows on their way to a document.
pub(crate) struct Collected {
    document: Document,
    columns: Vec<usize>,
    shown: usize,
    order: Vec<ShapeOrder>,
    rows: Vec<Row>,
    bytes: Vec<u8>,
}

impl Collected {
    /// No rows yet.
    pub(crate) fn new(shape: &ReadShape, encoding: Encoding) -> Self {
        let mut columns: Vec<usize> = shape
            .output()
            .iter()
            .map(|column| column.column())
            .collect();
        let shown = columns.len();
        columns.extend(shape.order().iter().map(ShapeOrder::column));
        Self {
            document: Document::new(encoding, shape.output().iter().map(OutputColumn::name))
                .in_zone(shape.zone()),
            columns,
            shown,
            order: shape.order().to_vec(),
            rows: Vec::new(),
            bytes: Vec::new(),
        }
    }

    /// The places of the columns that each row has to be given with: the shown ones, then
    /// those it is sorted by.
    pub(crate) fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Adds a row at its place in the order of the writing, whose fields `field` gives, in
    /// the order of [`Collected::columns`].
    ///
    /// # Errors
    /// Those of `field`.
    pub(crate) fn add<'f, E>(
        &mut self,
        place: usize,
        mut field: impl FnMut(usize) -> Result<Field<'f>, E>,
    ) -> Result<(), E> {
        let start = self.bytes.len();
        for at in 0..self.shown {
            self.document.field(&mut self.bytes, at, &field(at)?);
        }
        self.document.end_row(&mut self.bytes);
        let keys = (self.shown..self.columns.len())
            .map(|at| field(at).map(SortKey::of))
            .collect::<Result<_, _>>()?;
        self.rows.push(Row {
            place,
            keys,
            bytes: start..self.bytes.len(),
        });
        Ok(())
    }

    /// The document.
    pub(crate) fn finish(mut self) -> Bytes {
        let order = std::mem::take(&mut self.order);
        self.rows.sort_by(|a, b| {
            let terms = order.iter().zip(a.keys.iter().zip(&b.keys));
            terms
                .map(|(term, (a, b))| compare(term, a, b))
                .find(|it| it.is_ne())
                .unwrap_or_else(|| a.place.cmp(&b.place))
        });
        let mut out = Vec::with_capacity(self.bytes.len() + self.rows.len() + 64);
        self.document.open(&mut out);
        for row in &self.rows {
            self.document.part(&mut out);
            out.extend_from_slice(&self.bytes[row.bytes.clone()]);
        }
        self.document.close(&mut out);
        out.into()
    }
}

impl SortKey {
    fn of(field: Field<'_>) -> Self {
        match field {
            Field::Null => SortKey::Null,
            Field::Bool(truth) => SortKey::Int(i128::from(truth)),
            Field::Int(number) => SortKey::Int(number.into()),
            Field::UInt(number) | Field::Bits(number, _) => SortKey::Int(number.into()),
            Field::Float(number) => SortKey::Double(number.into()),
            Field::Double(number) => SortKey::Double(number),
            Field::Decimal(digits) => SortKey::Decimal(digits.into_owned()),
            Field::Text(text) => SortKey::Text(text.into_owned().into_bytes()),
            Field::Json(text) => SortKey::Text(text.as_bytes().to_vec()),
            Field::Bytes(bytes) => SortKey::Text(bytes.into_owned()),
            Field::Moment(text) => match micros(text.as_str()) {
                Some(micros) => SortKey::Time(micros),
                None => SortKey::Text(text.as_str().trim_end_matches("+00:00").as_bytes().to_vec()),
            },
        }
    }

    /// Where values of different kinds stand; they meet only in tables made elsewhere.
    fn rank(&self) -> u8 {
        match self {
            SortKey::Null => 0,
            SortKey::Int(_) | SortKey::Double(_) | SortKey::Decimal(_) => 1,
            SortKey::Time(_) => 2,
            SortKey::Text(_) => 3,
        }
    }
}

fn compare(term: &ShapeOrder, a: &SortKey, b: &SortKey) -> Ordering {
    let nulls = |null_first: Ordering| {
        if term.nulls() == Nulls::First {
            null_first
        } else {
            null_first.reverse()
        }
    };
    match (a, b) {
        (SortKey::Null, SortKey::Null) => return Ordering::Equal,
        (SortKey::Null, _) => return nulls(Ordering::Less),
        (_, SortKey::Null) => return nulls(Ordering::Greater),
        _ => {}
    }
    let ordering = match (a, b) {
        (SortKey::Int(a), SortKey::Int(b)) => a.cmp(b),
        (SortKey::Double(a), SortKey::Double(b)) => a.total_cmp(b),
        (SortKey::Decimal(a), SortKey::Decimal(b)) => decimal_cmp(a, b),
        (SortKey::Time(a), SortKey::Time(b)) => a.cmp(b),
        (SortKey::Text(a), SortKey::Text(b)) => a.cmp(b),
        (a, b) => a.rank().cmp(&b.rank()),
    };
    if term.descending() {
        ordering.reverse()
    } else {
        ordering
    }
}

/// Times of day and spans by value: texts with a sign and any number of hours do not sort as
/// texts do. What is no such time comes after, as text.
pub(crate) fn time_order(a: &str, b: &str) -> Ordering {
    match (micros(a), micros(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

/// The microseconds of a time, `-838:59:59.5`.
fn micros(text: &str) -> Option<i64> {
    let (negative, digits) = text
        .strip_prefix('-')
        .map_or((false, text), |digits| (true, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut parts = whole.split(':');
    let mut part = || {
        parts
            .next()
            .filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))?
            .parse::<i64>()
            .ok()
    };
    let (hours, minutes, seconds) = (part()?, part()?, part()?);
    if parts.next().is_some() || fraction.len() > 6 || hours > 9_999 {
        return None;
    }
    let fraction = format!("{fraction:0<6}").parse::<i64>().ok()?;
    let micros = (hours * 3600 + minutes * 60 + seconds) * 1_000_000 + fraction;
    Some(if negative { -micros } else { micros })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_sort_by_value() {
        let sorted = [
            "-838:59:59",
            "-10:00:00",
            "-09:59:59.5",
            "00:00:00",
            "00:00:00.000001",
            "10:00:00",
            "100:00:00",
            "x",
        ];
        for (a, left) in sorted.iter().enumerate() {
            for (b, right) in sorted.iter().enumerate() {
                assert_eq!(time_order(left, right), a.cmp(&b), "{left} {right}");
            }
        }
        assert_eq!(time_order("10:00:00.5", "10:00:00.500000"), Ordering::Equal);
    }
}
