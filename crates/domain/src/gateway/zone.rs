//! Time zones in which instants are shown. They are kept in UTC and compared so; a zone is only
//! a matter of the answer.

use chrono::{FixedOffset, NaiveDateTime, Offset as _, TimeZone as _};
use chrono_tz::Tz;

/// How far from UTC a zone may be, in seconds: less than 16 hours.
const FARTHEST: i32 = 16 * 3600;

/// A time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// By its name in the IANA database.
    Named(Tz),
    /// So far from UTC, always.
    Fixed(FixedOffset),
}

impl Zone {
    /// Reads a name (`Europe/Oslo`, `UTC`) or a distance from UTC, east of it with a plus
    /// (`+05:30`, `-0800`, `+02`).
    ///
    /// ```
    /// use tidegate_domain::gateway::zone::Zone;
    /// let oslo = Zone::parse("Europe/Oslo").unwrap();
    /// let shown = oslo.shown("2024-07-01T10:30:00.25+00:00").unwrap();
    /// assert_eq!(shown, "2024-07-01T12:30:00.25+02:00");
    /// assert_eq!(Zone::parse("Europe/Atlantis"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let kind = match text.strip_prefix(['+', '-']) {
            Some(digits) => Kind::Fixed(distance(digits, text.starts_with('-'))?),
            None => Kind::Named(text.parse().ok()?),
        };
        Some(Self(kind))
    }

    /// An instant of UTC as rows show it (`2024-07-01T10:30:00.25+00:00`) in this zone; `None`
    /// for a text that is none.
    pub fn shown(self, instant: &str) -> Option<String> {
        let utc = instant.strip_suffix("+00:00")?;
        let (whole, fraction) = match utc.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (utc, None),
        };
        let utc = NaiveDateTime::parse_from_str(whole, "%Y-%m-%dT%H:%M:%S").ok()?;
        let offset = match self.0 {
            Kind::Named(zone) => zone.offset_from_utc_datetime(&utc).fix(),
            Kind::Fixed(offset) => offset,
        };
        let local = utc.checked_add_offset(offset)?;
        let mut text = local.format("%Y-%m-%dT%H:%M:%S").to_string();
        if let Some(fraction) = fraction {
            text.push('.');
            text.push_str(fraction);
        }
        let seconds = offset.local_minus_utc();
        let (sign, seconds) = (if seconds < 0 { '-' } else { '+' }, seconds.abs());
        text.push_str(&format!(
            "{sign}{:02}:{:02}",
            seconds / 3600,
            seconds / 60 % 60
        ));
        // Before there were zones every town had its own time, to the second.
        if seconds % 60 > 0 {
            text.push_str(&format!(":{:02}", seconds % 60));
        }
        Some(text)
    }
}

/// `05:30`, `0530` or `05`.
fn distance(digits: &str, west: bool) -> Option<FixedOffset> {
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 && digits.is_ascii() => digits.split_at(2),
        None => (digits, "00"),
    };
    let two = |text: &str| {
        let whole = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        whole.then(|| text.parse::<i32>().ok()).flatten()
    };
    let (hours, minutes) = (two(hours)?, two(minutes).filter(|minutes| *minutes < 60)?);
    let seconds = hours * 3600 + minutes * 60;
    if seconds >= FARTHEST {
        return None;
    }
    FixedOffset::east_opt(if west { -seconds } else { seconds })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_shown_with_the_distance_of_their_day() {
        for (zone, utc, shown) in [
            (
                "America/Los_Angeles",
                "2023-10-18T12:37:59.611",
                "2023-10-18T05:37:59.611-07:00",
            ),
            (
                "America/Los_Angeles",
                "2023-12-31T23:00:00",
                "2023-12-31T15:00:00-08:00",
            ),
            (
                "Asia/Kathmandu",
                "2023-12-31T18:15:00",
                "2024-01-01T00:00:00+05:45",
            ),
            (
                "Europe/Amsterdam",
                "1883-01-01T00:00:00",
                "1883-01-01T00:17:30+00:17:30",
            ),
            ("UTC", "2024-02-29T00:00:00", "2024-02-29T00:00:00+00:00"),
            ("+05:30", "2024-02-29T00:00:00", "2024-02-29T05:30:00+05:30"),
            ("-0330", "2024-02-29T00:00:00", "2024-02-28T20:30:00-03:30"),
            ("+02", "2024-02-29T00:00:00", "2024-02-29T02:00:00+02:00"),
        ] {
            let found = Zone::parse(zone).unwrap().shown(&format!("{utc}+00:00"));
            assert_eq!(found.as_deref(), Some(shown), "{zone}");
        }
        let zone = Zone::parse("UTC").unwrap();
        for text in [
            "2024-02-29T00:00:00",
            "2024-02-29",
            "0000-00-00T00:00:00+00:00",
            "x+00:00",
        ] {
            assert_eq!(zone.shown(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_zone_is_refused() {
        for text in [
            "",
            "Jupiter/Red_Spot",
            "+",
            "+5",
            "+16:00",
            "+05:60",
            "+05:3",
            "+0é0",
            "05:30",
            "+05:30:00",
        ] {
            assert_eq!(Zone::parse(text), None, "{text}");
        }
    }
}
