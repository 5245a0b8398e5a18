//! Dates, times and instants in canonical text.

use chrono::{Datelike, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};

use super::Fault;
use crate::query::error::ValueFault;

/// The longest time MySQL has, in microseconds: 838:59:59, without a fraction.
const MAX_TIME: u64 = (838 * 3600 + 59 * 60 + 59) * 1_000_000;
/// The first and the last second of MySQL's `timestamp`, UTC.
const TIMESTAMPS: (i64, i64) = (1, 2_147_483_647);

fn malformed(type_name: &str, text: &str) -> Fault {
    Fault {
        kind: ValueFault::MalformedTime,
        ..Fault::malformed(type_name, text)
    }
}

/// `2020-01-31`, as canonical text. A time behind it is refused.
pub(super) fn date(text: &str) -> Result<String, Fault> {
    let trimmed = text.trim();
    // The one form that is read is the canonical one.
    parse_date(trimmed)
        .map(|_| trimmed.to_owned())
        .ok_or_else(|| malformed("date", text))
}

fn parse_date(text: &str) -> Option<NaiveDate> {
    let bytes = text.as_bytes();
    let shape = bytes.len() == 10
        && bytes.iter().enumerate().all(|(at, byte)| {
            if at == 4 || at == 7 {
                *byte == b'-'
            } else {
                byte.is_ascii_digit()
            }
        });
    if !shape {
        return None;
    }
    NaiveDate::from_ymd_opt(
        text[..4].parse().ok()?,
        text[5..7].parse().ok()?,
        text[8..].parse().ok()?,
    )
}

/// `[-]HH:MM[:SS[.ffffff]]`, rounded to `digits` of a second.
pub(super) fn time(text: &str, digits: u8) -> Result<String, Fault> {
    let trimmed = text.trim();
    let (negative, unsigned) = match trimmed.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, trimmed),
    };
    let micros = parse_duration(unsigned).ok_or_else(|| malformed("time", text))?;
    let micros = round(micros, digits);
    if micros > MAX_TIME {
        return Err(Fault::out_of_range("time", text));
    }
    let seconds = micros / 1_000_000;
    let sign = if negative && micros > 0 { "-" } else { "" };
    Ok(format!(
        "{sign}{:02}:{:02}:{:02}{}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        fraction(micros % 1_000_000, digits)
    ))
}

fn parse_duration(text: &str) -> Option<u64> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = clock.split(':');
    let mut number = |digits: std::ops::RangeInclusive<usize>| {
        let part = parts.next()?;
        (digits.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()))
            .then(|| part.parse::<u64>().ok())?
    };
    let hours = number(1..=3)?;
    let minutes = number(2..=2)?;
    let seconds = if clock.matches(':').count() == 2 {
        number(2..=2)?
    } else {
        0
    };
    if parts.next().is_some() || minutes > 59 || seconds > 59 {
        return None;
    }
    let has_seconds = clock.matches(':').count() == 2;
    if text.contains('.') && !has_seconds {
        return None;
    }
    Some((hours * 3600 + minutes * 60 + seconds) * 1_000_000 + parse_fraction(text, fraction)?)
}

/// Microseconds of a fraction; digits after the ninth are refused, after the sixth round.
fn parse_fraction(text: &str, fraction: &str) -> Option<u64> {
    if !text.contains('.') {
        return Some(0);
    }
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanos: u64 = format!("{fraction:0<9}").parse().ok()?;
    Some((nanos + 500) / 1000)
}

fn round(micros: u64, digits: u8) -> u64 {
    let unit = 10_u64.pow(6 - u32::from(digits.min(6)));
    (micros + unit / 2) / unit * unit
}

fn fraction(micros: u64, digits: u8) -> String {
    if digits == 0 {
        return String::new();
    }
    let text = format!("{micros:06}");
    format!(".{}", &text[..usize::from(digits.min(6))])
}

/// A date and time without zone, rounded to `digits` of a second; an offset behind it is
/// passed over, as PostgreSQL does for `timestamp without time zone`.
pub(super) fn datetime(text: &str, digits: u8) -> Result<String, Fault> {
    let (local, _) = parse_datetime(text.trim()).ok_or_else(|| malformed("timestamp", text))?;
    let rounded =
        round_datetime(local, digits).ok_or_else(|| Fault::out_of_range("datetime", text))?;
    Ok(print_datetime(rounded, digits))
}

/// An instant: what has no offset is UTC. In UTC, rounded to `digits` of a second.
/// `bounded` keeps to the range of MySQL's `timestamp`.
pub(super) fn timestamp(text: &str, digits: u8, bounded: bool) -> Result<String, Fault> {
    let (local, offset) =
        parse_datetime(text.trim()).ok_or_else(|| malformed("timestamp with time zone", text))?;
    let out_of_range = || Fault::out_of_range("timestamp", text);
    let utc = match offset {
        Some(offset) => local.checked_sub_offset(offset).ok_or_else(out_of_range)?,
        None => local,
    };
    let rounded = round_datetime(utc, digits).ok_or_else(out_of_range)?;
    if bounded && !(TIMESTAMPS.0..=TIMESTAMPS.1).contains(&rounded.and_utc().timestamp()) {
        return Err(out_of_range());
    }
    Ok(print_datetime(rounded, digits))
}

fn parse_datetime(text: &str) -> Option<(NaiveDateTime, Option<FixedOffset>)> {
    let date = parse_date(text.get(..10)?)?;
    let rest = text.get(10..)?;
    if rest.is_empty() {
        return Some((date.and_time(NaiveTime::MIN), None));
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let zone = rest.find(['+', '-', 'Z', 'z', ' ']);
    let (clock, zone) = rest.split_at(zone.unwrap_or(rest.len()));
    let offset = match zone.trim_start() {
        "" => None,
        zone => Some(parse_offset(zone)?),
    };
    let micros = parse_duration(clock)?;
    if clock.split(':').next()?.len() != 2 || micros / 1_000_000 >= 86_400 {
        return None;
    }
    let time = TimeDelta::microseconds(i64::try_from(micros).ok()?);
    Some((
        date.and_time(NaiveTime::MIN).checked_add_signed(time)?,
        offset,
    ))
}

/// `Z`, `+05`, `+0530` or `+05:30`.
fn parse_offset(text: &str) -> Option<FixedOffset> {
    if text.eq_ignore_ascii_case("z") {
        return FixedOffset::east_opt(0);
    }
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let digits = if digits.len() == 5 {
        digits.replacen(':', "", 1)
    } else {
        digits.to_owned()
    };
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let hours: i32 = digits[..2].parse().ok()?;
    let minutes: i32 = if digits.len() == 4 {
        digits[2..].parse().ok()?
    } else {
        0
    };
    if hours > 15 || minutes > 59 {
        return None;
    }
    FixedOffset::east_opt(sign * (hours * 3600 + minutes * 60))
}

fn round_datetime(value: NaiveDateTime, digits: u8) -> Option<NaiveDateTime> {
    let micros = u64::from(value.nanosecond() / 1000);
    let rounded = round(micros, digits);
    let base = value.with_nanosecond(0)?;
    let value = base.checked_add_signed(TimeDelta::microseconds(i64::try_from(rounded).ok()?))?;
    (0..=9999).contains(&value.year()).then_some(value)
}

fn print_datetime(value: NaiveDateTime, digits: u8) -> String {
    let micros = u64::from(value.nanosecond() / 1000);
    format!(
        "{}{}",
        value.format("%Y-%m-%d %H:%M:%S"),
        fraction(micros, digits)
    )
}
