//! Exact sums and means of numbers that an engine gave as text: terms parted by blanks, each
//! with an exponent perhaps, and for a mean a slash and the count.
//!
//! A mean has as many digits as PostgreSQL's `numeric` gives it, at least 16 that count, rounded
//! half away from zero; zeros at its end are left out.

use num_bigint::{BigInt, Sign};

/// A number as `digits * 10^-scale`.
struct Scaled {
    digits: BigInt,
    scale: usize,
}

impl Scaled {
    fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: BigInt = format!("{whole}{fraction}").parse().ok()?;
        let scale = i64::try_from(fraction.len()).ok()? - i64::from(exponent);
        Some(if scale < 0 {
            let zeros = u32::try_from(-scale).ok().filter(|it| *it <= 400)?;
            Self {
                digits: digits * BigInt::from(10).pow(zeros),
                scale: 0,
            }
        } else {
            Self {
                digits,
                scale: usize::try_from(scale).ok().filter(|it| *it <= 400)?,
            }
        })
    }

    fn to_scale(&self, scale: usize) -> BigInt {
        &self.digits * ten(scale.saturating_sub(self.scale))
    }

    fn text(&self) -> String {
        let sign = if self.digits.sign() == Sign::Minus {
            "-"
        } else {
            ""
        };
        let digits = self.digits.magnitude().to_string();
        let digits = format!("{digits:0>width$}", width = self.scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - self.scale);
        if fraction.is_empty() {
            format!("{sign}{whole}")
        } else {
            format!("{sign}{whole}.{fraction}")
        }
    }
}

fn ten(power: usize) -> BigInt {
    BigInt::from(10).pow(u32::try_from(power).unwrap_or(u32::MAX))
}

fn added(terms: &str) -> Option<Scaled> {
    let mut sum = Scaled {
        digits: BigInt::ZERO,
        scale: 0,
    };
    for term in terms.split_ascii_whitespace() {
        let term = Scaled::parse(term)?;
        let scale = sum.scale.max(term.scale);
        sum = Scaled {
            digits: sum.to_scale(scale) + term.to_scale(scale),
            scale,
        };
    }
    Some(sum)
}

/// The sum of these terms; `None` where one of them is no number.
pub(crate) fn sum(terms: &str) -> Option<String> {
    added(terms).map(|sum| sum.text())
}

/// The mean: `terms/count`.
pub(crate) fn mean(text: &str) -> Option<String> {
    let (terms, count) = text.rsplit_once('/')?;
    let (sum, count) = (
        added(terms)?,
        count.parse::<u64>().ok().filter(|it| *it > 0)?,
    );
    let scale = mean_scale(&sum, count);
    // One digit more, and a five added to it, rounds away from zero.
    let shifted = sum.to_scale(sum.scale) * ten((scale + 1).saturating_sub(sum.scale));
    let quotient = shifted / BigInt::from(count);
    let half = match quotient.sign() {
        Sign::Minus => BigInt::from(-5),
        _ => BigInt::from(5),
    };
    let mean = Scaled {
        digits: (quotient + half) / BigInt::from(10),
        scale,
    };
    Some(trimmed(&mean.text()).to_owned())
}

/// How many digits PostgreSQL gives a quotient after its point: 16 that count, reckoned in
/// groups of four.
fn mean_scale(sum: &Scaled, count: u64) -> usize {
    let (sum_weight, sum_first) = weight(&sum.digits.magnitude().to_string(), sum.scale);
    let (count_weight, count_first) = weight(&count.to_string(), 0);
    let mut weight = sum_weight - count_weight;
    if sum_first <= count_first {
        weight -= 1;
    }
    let scale = usize::try_from(16 - weight * 4).unwrap_or(0);
    scale.max(sum.scale).min(1000)
}

/// Where the first group of four digits stands that is not zero, and its value.
fn weight(digits: &str, scale: usize) -> (i64, u32) {
    let as_count = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return (0, 0);
    }
    // The place of the first digit, counted from the point.
    let place = as_count(digits.len()) - as_count(scale);
    let weight = (place - 1).div_euclid(4);
    let length = usize::try_from((place - 1).rem_euclid(4) + 1).unwrap_or(1);
    let first: String = digits.chars().chain("0000".chars()).take(length).collect();
    (weight, first.parse().unwrap_or(0))
}

/// An exact number without zeros at the end of its fraction.
pub(crate) fn trimmed(digits: &str) -> &str {
    if digits.contains('.') {
        digits.trim_end_matches('0').trim_end_matches('.')
    } else {
        digits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_exact() {
        let cases = [
            ("1 2 3", "6"),
            ("0.10 0.20 -0.30", "0.00"),
            ("12.50 -100", "-87.50"),
            ("9223372036e9 854775807", "9223372036854775807"),
            (
                "99999999999999999999999999999999999999.9 0.1",
                "100000000000000000000000000000000000000.0",
            ),
            ("-0.05", "-0.05"),
        ];
        for (terms, expected) in cases {
            assert_eq!(sum(terms).as_deref(), Some(expected), "{terms}");
        }
        assert_eq!(sum("1 x"), None);
    }

    #[test]
    fn means_have_the_digits_of_postgresql() {
        let cases = [
            ("3/2", "1.5"),
            ("6/3", "2"),
            ("5/3", "1.6666666666666667"),
            ("2/3", "0.66666666666666666667"),
            ("-2/3", "-0.66666666666666666667"),
            ("37037/3", "12345.6666666666666667"),
            ("0.00/4", "0"),
            ("1e9 0/3", "333333333.33333333"),
        ];
        for (text, expected) in cases {
            assert_eq!(mean(text).as_deref(), Some(expected), "{text}");
        }
    }
}
