//! Exact numbers as text.

use std::cmp::Ordering;

/// How many zeros an exponent may add; `1e999999999` must not take a gigabyte.
const MAX_ZEROS: i64 = 400;

/// An exact number taken apart: `(-1)^negative * whole.fraction`, whole without leading
/// zeros (zero is empty), fraction without trailing zeros, zero never negative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exact {
    negative: bool,
    whole: String,
    fraction: String,
}

impl Exact {
    /// Reads `-12.50`, `+5`, `.5`, `5.`, `1.2e3`. `None` for anything else, and where
    /// the exponent is absurd.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches(|c: char| c.is_ascii_whitespace());
        let (negative, unsigned) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
            return None;
        }
        // The point moves by the exponent over the digits as one row.
        let all = format!("{whole}{fraction}");
        let point = i64::try_from(whole.len()).ok()? + i64::from(exponent);
        if all.bytes().all(|b| b == b'0') {
            return Some(Self {
                negative: false,
                whole: String::new(),
                fraction: String::new(),
            });
        }
        let length = i64::try_from(all.len()).ok()?;
        if -point > MAX_ZEROS || point - length > MAX_ZEROS {
            return None;
        }
        let (whole, fraction) = if point <= 0 {
            (
                String::new(),
                format!("{}{all}", "0".repeat(usize::try_from(-point).ok()?)),
            )
        } else if point >= length {
            (
                format!("{all}{}", "0".repeat(usize::try_from(point - length).ok()?)),
                String::new(),
            )
        } else {
            let (whole, fraction) = all.split_at(usize::try_from(point).ok()?);
            (whole.to_owned(), fraction.to_owned())
        };
        Some(Self {
            negative,
            whole: whole.trim_start_matches('0').to_owned(),
            fraction: fraction.trim_end_matches('0').to_owned(),
        })
    }

    /// Rounded half away from zero to `scale` digits after the point, as PostgreSQL's
    /// `numeric(p, s)` does.
    pub(super) fn rounded(mut self, scale: usize) -> Self {
        if self.fraction.len() <= scale {
            return self;
        }
        let up = self.fraction.as_bytes()[scale] >= b'5';
        self.fraction.truncate(scale);
        if up {
            let mut digits = format!("0{}{}", self.whole, self.fraction).into_bytes();
            for digit in digits.iter_mut().rev() {
                if *digit == b'9' {
                    *digit = b'0';
                } else {
                    *digit += 1;
                    break;
                }
            }
            let digits: String = digits.into_iter().map(char::from).collect();
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            self.whole = whole.trim_start_matches('0').to_owned();
            self.fraction = fraction.to_owned();
        }
        self.fraction = self.fraction.trim_end_matches('0').to_owned();
        self.negative &= !self.is_zero();
        self
    }

    fn plain(&self) -> Plain<'_> {
        Plain {
            negative: self.negative,
            whole: self.whole.as_bytes(),
            fraction: self.fraction.as_bytes(),
        }
    }

    pub(super) fn is_zero(&self) -> bool {
        self.whole.is_empty() && self.fraction.is_empty()
    }

    pub(super) fn is_negative(&self) -> bool {
        self.negative
    }

    pub(super) fn is_whole(&self) -> bool {
        self.fraction.is_empty()
    }

    /// The number with at most `room` digits before the point, and so many after it that 65
    /// digits, 30 of them after the point, hold it, which is all that MySQL compares exactly.
    /// What is taken away changes no comparison with a number of `room` and `scale` digits: one
    /// that is too large becomes the least too large, one between two becomes one between them.
    pub(super) fn bounded(mut self, room: usize, scale: usize) -> Self {
        if self.whole.len() > room {
            self.whole = format!("1{}", "0".repeat(room));
            self.fraction = String::new();
        }
        let digits = self.whole.len() + self.fraction.len();
        if self.fraction.len() > scale && (digits > 65 || self.fraction.len() > 30) {
            self.fraction.truncate(scale);
            self.fraction.push('5');
        }
        self
    }

    /// How many digits stand before the point.
    pub(super) fn whole_digits(&self) -> usize {
        self.whole.len()
    }

    /// The whole number it is, where 128 bits hold it.
    pub(super) fn to_i128(&self) -> Option<i128> {
        if !self.is_whole() {
            return None;
        }
        let number: i128 = if self.whole.is_empty() {
            0
        } else {
            self.whole.parse().ok()?
        };
        Some(if self.negative { -number } else { number })
    }

    /// The text with exactly `scale` digits after the point, or, without a scale, with as
    /// many as there are.
    pub(super) fn text(&self, scale: Option<usize>) -> String {
        let sign = if self.negative { "-" } else { "" };
        let whole = if self.whole.is_empty() {
            "0"
        } else {
            self.whole.as_str()
        };
        let width = scale.unwrap_or(self.fraction.len());
        if width == 0 {
            format!("{sign}{whole}")
        } else {
            format!("{sign}{whole}.{:0<width$}", self.fraction)
        }
    }
}

/// A number without exponent, needless zeros and a sign before zero; `None` for what is no
/// number.
pub(crate) fn plain_number(text: &str) -> Option<String> {
    Exact::parse(text).map(|exact| exact.text(None))
}

/// Compares two exact numbers written as text, by value; it is SQLite's collation for
/// decimals. A total order over all texts: what is no number comes after all numbers, by
/// its bytes; different spellings of one number are equal.
pub fn decimal_cmp(a: &str, b: &str) -> Ordering {
    // Nearly all texts are plain, and an engine that sorts by this cannot wait for allocations.
    if let (Some(a), Some(b)) = (Plain::of(a), Plain::of(b)) {
        return a.cmp(&b);
    }
    match (Exact::parse(a), Exact::parse(b)) {
        (Some(a), Some(b)) => a.plain().cmp(&b.plain()),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.as_bytes().cmp(b.as_bytes()),
    }
}

/// An exact number without exponent, taken apart in place: whole without leading zeros,
/// fraction without trailing zeros, zero never negative.
struct Plain<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
}

impl<'a> Plain<'a> {
    /// Reads `12.50` and `-12.50`; `None` for anything else, also for other numbers.
    fn of(text: &'a str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (negative, digits) = match bytes.split_first()? {
            (b'-', digits) => (true, digits),
            _ => (false, bytes),
        };
        let point = digits.iter().position(|byte| *byte == b'.');
        let (whole, fraction) = match point {
            Some(at) => (digits.get(..at)?, digits.get(at + 1..)?),
            None => (digits, &[][..]),
        };
        let all_digits = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_digit);
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let zeros = whole.iter().take_while(|byte| **byte == b'0').count();
        let ends = fraction
            .iter()
            .rev()
            .take_while(|byte| **byte == b'0')
            .count();
        let whole = whole.get(zeros..)?;
        let fraction = fraction.get(..fraction.len() - ends)?;
        Some(Self {
            negative: negative && !(whole.is_empty() && fraction.is_empty()),
            whole,
            fraction,
        })
    }

    fn cmp(&self, other: &Plain<'_>) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (negative, _) => {
                let magnitude = (self.whole.len().cmp(&other.whole.len()))
                    .then_with(|| self.whole.cmp(other.whole))
                    // Without trailing zeros, fractions compare as texts do.
                    .then_with(|| self.fraction.cmp(other.fraction));
                if negative {
                    magnitude.reverse()
                } else {
                    magnitude
                }
            }
        }
    }
}
