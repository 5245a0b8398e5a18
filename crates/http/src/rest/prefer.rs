//! The `Prefer` header (RFC 7240): what is honoured, what is only known, and what the
//! answer says about it.

use actix_web::http::StatusCode;
use tidegate_domain::query::ask::Count;

use super::error::{fault, unsupported};
use crate::error::ApiError;

/// What a client prefers, as far as it is honoured. What is not honoured is ignored, or
/// refused with `handling=strict`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preferences {
    /// What becomes of listed columns that a row does not name.
    pub missing: Option<Missing>,
    /// What a write answers with.
    pub returning: Option<Return>,
    /// Whether, and how, all rows that fit are counted.
    pub count: Option<Count>,
    /// What becomes of preferences that cannot be honoured.
    pub handling: Option<Handling>,
}

/// What becomes of columns that `columns` lists and a row does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// They get their default.
    Default,
    /// They are null, as without the preference.
    Null,
}

/// What a write answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Return {
    /// Nothing.
    Minimal,
    /// The rows.
    Representation,
}

/// What becomes of preferences that cannot be honoured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handling {
    /// They are refused.
    Strict,
    /// They are ignored.
    Lenient,
}

impl Preferences {
    /// Reads all `Prefer` headers of a request. Of one preference the first counts.
    ///
    /// # Errors
    /// `handling=strict` beside a preference that cannot be honoured; `tx=rollback`, which
    /// would be dangerous to ignore.
    pub fn parse<'a>(headers: impl IntoIterator<Item = &'a str>) -> Result<Self, ApiError> {
        let mut preferences = Self::default();
        let mut others = Vec::new();
        let words = headers
            .into_iter()
            .flat_map(|header| header.split(','))
            .map(str::trim);
        for word in words.filter(|word| !word.is_empty()) {
            match word {
                "missing=default" => first(&mut preferences.missing, Missing::Default),
                "missing=null" => first(&mut preferences.missing, Missing::Null),
                "return=minimal" => first(&mut preferences.returning, Return::Minimal),
                "return=representation" => {
                    first(&mut preferences.returning, Return::Representation)
                }
                "count=exact" => first(&mut preferences.count, Count::Exact),
                "handling=strict" => first(&mut preferences.handling, Handling::Strict),
                "handling=lenient" => first(&mut preferences.handling, Handling::Lenient),
                // What happens anyway.
                "tx=commit" => {}
                "tx=rollback" => {
                    return Err(unsupported(
                        "transactions that end with a rollback (`tx=rollback`)",
                    ));
                }
                _ => others.push(word),
            }
        }
        if preferences.handling == Some(Handling::Strict) && !others.is_empty() {
            return Err(fault(
                StatusCode::BAD_REQUEST,
                "PGRST122",
                "Invalid preferences given with handling=strict",
            )
            .details(format!("Invalid preferences: {}", others.join(", "))));
        }
        Ok(preferences)
    }

    /// The value of `Preference-Applied` for a read; `None` when there is nothing to say.
    #[must_use]
    pub fn applied_to_read(&self) -> Option<String> {
        Self {
            missing: None,
            returning: None,
            ..self.clone()
        }
        .applied_to_write(true)
    }

    /// The value of `Preference-Applied` for a write whose rows are shown, or not; `None` when there is nothing to say. The
    /// order is fixed.
    #[must_use]
    pub fn applied_to_write(&self, shows: bool) -> Option<String> {
        let words = [
            self.missing.map(|missing| match missing {
                Missing::Default => "missing=default",
                Missing::Null => "missing=null",
            }),
            self.returning.and_then(|returning| match returning {
                Return::Minimal => Some("return=minimal"),
                Return::Representation => shows.then_some("return=representation"),
            }),
            self.count.map(|Count::Exact| "count=exact"),
            self.handling.map(|handling| match handling {
                Handling::Strict => "handling=strict",
                Handling::Lenient => "handling=lenient",
            }),
        ];
        let applied = words.into_iter().flatten().collect::<Vec<_>>().join(", ");
        (!applied.is_empty()).then_some(applied)
    }
}

fn first<T>(place: &mut Option<T>, value: T) {
    if place.is_none() {
        *place = Some(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_duplicates_counts_over_all_headers() {
        let read = Preferences::parse([
            "return=representation,count=exact",
            "return=minimal, foo=bar",
            "",
        ])
        .unwrap();
        assert_eq!(read.returning, Some(Return::Representation));
        assert_eq!(read.count, Some(Count::Exact));
        assert_eq!(
            read.applied_to_write(true).unwrap(),
            "return=representation, count=exact"
        );
        assert_eq!(read.applied_to_read().unwrap(), "count=exact");
        assert_eq!(Preferences::parse([]).unwrap().applied_to_write(true), None);
        assert_eq!(
            Preferences::parse(["count=planned", "return=everything"]).unwrap(),
            Preferences::default()
        );
    }

    #[test]
    fn strict_refuses_what_cannot_be_honoured() {
        let error = Preferences::parse(["foo=bar, handling=strict", "baz"]).unwrap_err();
        assert_eq!(error.code(), "invalid_preferences");
        assert!(format!("{error:?}").contains("Invalid preferences: foo=bar, baz"));
        let read = Preferences::parse(["handling=strict, count=exact, tx=commit"]).unwrap();
        assert_eq!(
            read.applied_to_read().unwrap(),
            "count=exact, handling=strict"
        );
        assert!(Preferences::parse(["handling=lenient, handling=strict, foo=bar"]).is_ok());
    }

    #[test]
    fn a_rollback_is_never_ignored() {
        assert_eq!(
            Preferences::parse(["tx=rollback"]).unwrap_err().code(),
            "not_implemented"
        );
    }
}
