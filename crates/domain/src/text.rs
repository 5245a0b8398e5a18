//! Values that many drafts are made of: texts, numbers and days within limits, checked when
//! they are read. Each describes itself for the API's documentation.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, Datelike as _, NaiveDate, SubsecRound as _, Utc};
use serde::{Deserialize, Serialize};
use utoipa::Number;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

/// A text of one line: `MIN` to `MAX` characters, not only blanks, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Line<const MIN: usize, const MAX: usize>(String);

/// A text of any lines: `MIN` to `MAX` characters, no NUL.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Text<const MIN: usize, const MAX: usize>(String);

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64")]
pub struct Int<const MIN: i64, const MAX: i64>(i64);

/// A calendar day from 1000-01-01 to 9999-12-31, the range that MySQL's `DATE` supports
/// (MySQL 9 reference manual, 13.2.2). Written `YYYY-MM-DD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(NaiveDate);

/// A point in time in the years 1000 to 9999, to the microsecond, as all engines keep it; a
/// finer one is cut. Written as RFC 3339 says, shown in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "DateTime<Utc>")]
pub struct Moment(DateTime<Utc>);

impl<const MIN: usize, const MAX: usize> Line<MIN, MAX> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MIN: usize, const MAX: usize> Text<MIN, MAX> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MIN: i64, const MAX: i64> Int<MIN, MAX> {
    /// A number that is written in the source, brought into the range.
    pub const fn of(number: i64) -> Self {
        if number < MIN {
            Self(MIN)
        } else if number > MAX {
            Self(MAX)
        } else {
            Self(number)
        }
    }

    /// The number.
    pub fn get(self) -> i64 {
        self.0
    }
}

impl Day {
    /// The day.
    pub fn get(self) -> NaiveDate {
        self.0
    }
}

impl Moment {
    /// The time.
    pub fn get(self) -> DateTime<Utc> {
        self.0
    }
}

impl<const MIN: usize, const MAX: usize> TryFrom<String> for Line<MIN, MAX> {
    type Error = Cow<'static, str>;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        check_length(&text, MIN, MAX)?;
        if text.chars().any(char::is_control) {
            return Err("must be one line without control characters".into());
        }
        if MIN > 0 && text.trim().is_empty() {
            return Err("must not be blank".into());
        }
        Ok(Self(text))
    }
}

impl<const MIN: usize, const MAX: usize> TryFrom<String> for Text<MIN, MAX> {
    type Error = Cow<'static, str>;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        check_length(&text, MIN, MAX)?;
        if text.contains('\0') {
            return Err("must not contain a NUL character".into());
        }
        Ok(Self(text))
    }
}

fn check_length(text: &str, min: usize, max: usize) -> Result<(), Cow<'static, str>> {
    // A text has at most as many characters as bytes, so long ones are not counted in vain.
    let length = text.chars().take(max.saturating_add(1)).count();
    if (min..=max).contains(&length) {
        Ok(())
    } else {
        Err(format!("must be {min} to {max} characters long").into())
    }
}

impl<const MIN: i64, const MAX: i64> TryFrom<i64> for Int<MIN, MAX> {
    type Error = Cow<'static, str>;

    fn try_from(number: i64) -> Result<Self, Self::Error> {
        if (MIN..=MAX).contains(&number) {
            Ok(Self(number))
        } else if MAX == i64::MAX {
            Err(format!("must be {MIN} or more").into())
        } else {
            Err(format!("must be {MIN} to {MAX}").into())
        }
    }
}

impl TryFrom<NaiveDate> for Day {
    type Error = Cow<'static, str>;

    fn try_from(day: NaiveDate) -> Result<Self, Self::Error> {
        if (1000..=9999).contains(&day.year()) {
            Ok(Self(day))
        } else {
            Err("must lie between 1000-01-01 and 9999-12-31".into())
        }
    }
}

impl TryFrom<String> for Day {
    type Error = Cow<'static, str>;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        // `NaiveDate` would also take signs, more digits and fewer.
        let shape = text.len() == 10
            && text.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        match text.parse::<NaiveDate>() {
            Ok(day) if shape => day.try_into(),
            _ => Err("must be a date written YYYY-MM-DD".into()),
        }
    }
}

impl TryFrom<DateTime<Utc>> for Moment {
    type Error = Cow<'static, str>;

    fn try_from(time: DateTime<Utc>) -> Result<Self, Self::Error> {
        if (1000..=9999).contains(&time.year()) {
            Ok(Self(time.trunc_subsecs(6)))
        } else {
            Err("must lie in the years 1000 to 9999".into())
        }
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn string(min: usize, max: usize) -> RefOr<Schema> {
    let schema = ObjectBuilder::new().schema_type(Type::String);
    schema.min_length(Some(min)).max_length(Some(max)).into()
}

impl<const MIN: usize, const MAX: usize> PartialSchema for Line<MIN, MAX> {
    fn schema() -> RefOr<Schema> {
        string(MIN, MAX)
    }
}

impl<const MIN: usize, const MAX: usize> ToSchema for Line<MIN, MAX> {}

impl<const MIN: usize, const MAX: usize> PartialSchema for Text<MIN, MAX> {
    fn schema() -> RefOr<Schema> {
        string(MIN, MAX)
    }
}

impl<const MIN: usize, const MAX: usize> ToSchema for Text<MIN, MAX> {}

impl<const MIN: i64, const MAX: i64> PartialSchema for Int<MIN, MAX> {
    fn schema() -> RefOr<Schema> {
        let bound = |number: i64| {
            let within = number != i64::MIN && number != i64::MAX;
            let number = isize::try_from(number).ok();
            number.filter(|_| within).map(Number::Int)
        };
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
            .minimum(bound(MIN))
            .maximum(bound(MAX))
            .into()
    }
}

impl<const MIN: i64, const MAX: i64> ToSchema for Int<MIN, MAX> {}

impl PartialSchema for Day {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Date)))
            .into()
    }
}

impl ToSchema for Day {}

impl PartialSchema for Moment {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .into()
    }
}

impl ToSchema for Moment {}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn texts_have_a_length_in_characters() {
        assert!(from_value::<Line<1, 3>>(json!("äöü")).is_ok());
        for bad in ["", "abcd", "  ", "a\nb", "a\0b"] {
            assert!(from_value::<Line<1, 3>>(json!(bad)).is_err(), "{bad:?}");
        }
        assert!(from_value::<Text<0, 3>>(json!("a\nb")).is_ok());
        for bad in ["abcd", "a\0"] {
            assert!(from_value::<Text<0, 3>>(json!(bad)).is_err(), "{bad:?}");
        }
        assert!(from_value::<Line<1, 3>>(json!(5)).is_err());
    }

    #[test]
    fn numbers_stay_within_their_bounds() {
        for (number, fits) in [(0, false), (1, true), (5, true), (6, false)] {
            assert_eq!(from_value::<Int<1, 5>>(json!(number)).is_ok(), fits);
        }
        let error = from_value::<Int<1, { i64::MAX }>>(json!(0)).unwrap_err();
        assert_eq!(error.to_string(), "must be 1 or more");
        assert!(from_value::<Int<1, 5>>(json!(1.5)).is_err());
    }

    #[test]
    fn days_have_one_form() {
        let day: Day = from_value(json!("2024-02-29")).unwrap();
        assert_eq!(json!(day), json!("2024-02-29"));
        for bad in [
            "2023-02-29",
            "2024-2-9",
            "+2024-02-29",
            "12024-02-29",
            "0999-12-31",
            "2024-02-29T00:00:00Z",
            "",
            "x",
        ] {
            assert!(from_value::<Day>(json!(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn moments_are_kept_to_the_microsecond() {
        let moment: Moment = from_value(json!("2024-02-29T13:00:00.123456789+01:00")).unwrap();
        assert_eq!(json!(moment), json!("2024-02-29T12:00:00.123456Z"));
        for bad in [
            "2024-02-29",
            "2024-02-29 13:00:00",
            "0999-01-01T00:00:00Z",
            "",
        ] {
            assert!(from_value::<Moment>(json!(bad)).is_err(), "{bad}");
        }
    }
}
