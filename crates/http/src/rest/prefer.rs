//! The `Prefer` header (RFC 7240): what is honoured, what is only known, and what the
//! answer says about it.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};
use tidegate_domain::gateway::zone::Zone;
use tidegate_domain::query::ask::Count;
use tidegate_domain::query::change::Resolution;

use super::error::fault;
use super::read::PREFER;
use super::texts;
use crate::app::HttpOptions;
use crate::error::ApiError;

/// What a client prefers, as far as it is honoured. What is not honoured is ignored, or
/// refused with `handling=strict`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preferences {
    /// What becomes of new rows whose key is there already.
    pub resolution: Option<Resolution>,
    /// What becomes of listed columns that a row does not name.
    pub missing: Option<Missing>,
    /// What a write answers with.
    pub returning: Option<Return>,
    /// Whether, and how, all rows that fit are counted.
    pub count: Option<Count>,
    /// How the transaction ends, where clients may choose it.
    pub transaction: Option<Transaction>,
    /// What becomes of preferences that cannot be honoured.
    pub handling: Option<Handling>,
    /// Where instants are shown, with the name that was given.
    pub timezone: Option<(String, Zone)>,
    /// How many rows a write may concern at most; counts only with `handling=strict`.
    pub max_affected: Option<u64>,
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
    /// Where the new row is found.
    Headers,
    /// The rows.
    Representation,
}

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transaction {
    /// What it did stays.
    Commit,
    /// What it did is undone.
    Rollback,
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
    /// Reads the `Prefer` headers of a request.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        let options = request.app_data::<web::Data<HttpOptions>>();
        let chooses = options.is_none_or(|options| options.tx_override);
        Self::parse(texts(request, PREFER), chooses)
    }

    /// Reads all `Prefer` headers of a request. Of one preference the first counts. `chooses` is
    /// whether clients may choose how the transaction ends.
    ///
    /// # Errors
    /// `handling=strict` beside a preference that cannot be honoured; a time zone that there is
    /// not.
    pub fn parse<'a>(
        headers: impl IntoIterator<Item = &'a str>,
        chooses: bool,
    ) -> Result<Self, ApiError> {
        let mut preferences = Self::default();
        let mut others = Vec::new();
        let mut unknown_zone = None;
        let words = headers
            .into_iter()
            .flat_map(|header| header.split(','))
            .map(str::trim);
        for word in words.filter(|word| !word.is_empty()) {
            if !preferences.take(word) {
                others.push(word);
                if let Some(zone) = word.strip_prefix("timezone=") {
                    unknown_zone.get_or_insert(zone);
                }
            }
        }
        if !chooses {
            preferences.transaction = None;
        }
        if preferences.handling == Some(Handling::Strict) && !others.is_empty() {
            return Err(fault(
                StatusCode::BAD_REQUEST,
                "PGRST122",
                "Invalid preferences given with handling=strict",
            )
            .details(format!("Invalid preferences: {}", others.join(", "))));
        }
        if let (Some(zone), None) = (unknown_zone, &preferences.timezone) {
            return Err(fault(
                StatusCode::BAD_REQUEST,
                "22023",
                format!("invalid value for parameter \"TimeZone\": \"{}\"", start(zone)),
            )
            .hint("Name a zone of the IANA database, such as Europe/Oslo, or a distance such as +05:30"));
        }
        Ok(preferences)
    }

    /// Takes one preference; false for one that is not known.
    fn take(&mut self, word: &str) -> bool {
        match word {
            "resolution=merge-duplicates" => first(&mut self.resolution, Resolution::Merge),
            "resolution=ignore-duplicates" => first(&mut self.resolution, Resolution::Ignore),
            "missing=default" => first(&mut self.missing, Missing::Default),
            "missing=null" => first(&mut self.missing, Missing::Null),
            "return=minimal" => first(&mut self.returning, Return::Minimal),
            "return=headers-only" => first(&mut self.returning, Return::Headers),
            "return=representation" => first(&mut self.returning, Return::Representation),
            "count=exact" => first(&mut self.count, Count::Exact),
            "count=planned" => first(&mut self.count, Count::Planned),
            "count=estimated" => first(&mut self.count, Count::Estimated),
            "tx=commit" => first(&mut self.transaction, Transaction::Commit),
            "tx=rollback" => first(&mut self.transaction, Transaction::Rollback),
            "handling=strict" => first(&mut self.handling, Handling::Strict),
            "handling=lenient" => first(&mut self.handling, Handling::Lenient),
            word => return self.take_value(word),
        }
        true
    }

    fn take_value(&mut self, word: &str) -> bool {
        if let Some(name) = word.strip_prefix("timezone=") {
            return match Zone::parse(name) {
                Some(zone) => {
                    first(&mut self.timezone, (name.to_owned(), zone));
                    true
                }
                None => false,
            };
        }
        match word.strip_prefix("max-affected=").map(str::parse) {
            Some(Ok(most)) => {
                first(&mut self.max_affected, most);
                true
            }
            _ => false,
        }
    }

    /// The time zone in which instants are shown.
    #[must_use]
    pub fn zone(&self) -> Option<Zone> {
        self.timezone.as_ref().map(|(_, zone)| *zone)
    }

    /// Whether what was done is undone.
    #[must_use]
    pub fn rolls_back(&self) -> bool {
        self.transaction == Some(Transaction::Rollback)
    }

    /// How many rows a change may concern.
    #[must_use]
    pub fn most(&self) -> Option<u64> {
        self.max_affected
            .filter(|_| self.handling == Some(Handling::Strict))
    }

    /// Whether the answer to a write says how many rows it concerned.
    #[must_use]
    pub fn counts_written(&self) -> bool {
        matches!(self.count, Some(Count::Exact | Count::Estimated))
    }

    /// The value of `Preference-Applied` for a read; `None` when there is nothing to say.
    #[must_use]
    pub fn applied_to_read(&self) -> Option<String> {
        Self {
            resolution: None,
            missing: None,
            returning: None,
            max_affected: None,
            ..self.clone()
        }
        .applied()
    }

    /// The value of `Preference-Applied` where all that is left of these was honoured; `None`
    /// when there is nothing to say. The order is fixed.
    #[must_use]
    pub fn applied(&self) -> Option<String> {
        let words = [
            self.resolution.map(|resolution| match resolution {
                Resolution::Merge => "resolution=merge-duplicates",
                Resolution::Ignore => "resolution=ignore-duplicates",
            }),
            self.missing.map(|missing| match missing {
                Missing::Default => "missing=default",
                Missing::Null => "missing=null",
            }),
            self.returning.map(|returning| match returning {
                Return::Minimal => "return=minimal",
                Return::Headers => "return=headers-only",
                Return::Representation => "return=representation",
            }),
            self.count.map(|count| match count {
                Count::Exact => "count=exact",
                Count::Planned => "count=planned",
                Count::Estimated => "count=estimated",
            }),
            self.transaction.map(|transaction| match transaction {
                Transaction::Commit => "tx=commit",
                Transaction::Rollback => "tx=rollback",
            }),
            self.handling.map(|handling| match handling {
                Handling::Strict => "handling=strict",
                Handling::Lenient => "handling=lenient",
            }),
        ];
        let mut applied: Vec<String> = words.into_iter().flatten().map(str::to_owned).collect();
        if let Some((name, _)) = &self.timezone {
            applied.push(format!("timezone={name}"));
        }
        if let Some(most) = self.most() {
            applied.push(format!("max-affected={most}"));
        }
        (!applied.is_empty()).then(|| applied.join(", "))
    }
}

fn first<T>(place: &mut Option<T>, value: T) {
    if place.is_none() {
        *place = Some(value);
    }
}

/// The beginning of what a client sent, for a message.
fn start(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(headers: &[&str]) -> Result<Preferences, ApiError> {
        Preferences::parse(headers.iter().copied(), true)
    }

    #[test]
    fn the_first_of_duplicates_counts_over_all_headers() {
        let read = parse(&[
            "return=representation,count=exact",
            "return=minimal, foo=bar",
            "",
        ])
        .unwrap();
        assert_eq!(read.returning, Some(Return::Representation));
        assert_eq!(read.count, Some(Count::Exact));
        assert_eq!(
            read.applied().unwrap(),
            "return=representation, count=exact"
        );
        assert_eq!(read.applied_to_read().unwrap(), "count=exact");
        assert_eq!(parse(&[]).unwrap().applied(), None);
        assert_eq!(
            parse(&["count=all", "return=everything", "max-affected=-1"]).unwrap(),
            Preferences::default()
        );
    }

    #[test]
    fn what_was_honoured_is_said_in_a_fixed_order() {
        let all = "max-affected=7, timezone=Europe/Oslo, handling=strict, tx=rollback, count=planned, \
                   return=headers-only, missing=default, resolution=ignore-duplicates";
        let read = parse(&[all]).unwrap();
        assert_eq!(
            read.applied().unwrap(),
            "resolution=ignore-duplicates, missing=default, return=headers-only, count=planned, \
             tx=rollback, handling=strict, timezone=Europe/Oslo, max-affected=7"
        );
        assert_eq!(
            read.applied_to_read().unwrap(),
            "count=planned, tx=rollback, handling=strict, timezone=Europe/Oslo"
        );
        assert_eq!((read.most(), read.rolls_back()), (Some(7), true));
        // Only who is strict is protected.
        let lenient = parse(&["handling=lenient, max-affected=7"]).unwrap();
        assert_eq!(lenient.most(), None);
        assert_eq!(lenient.applied().unwrap(), "handling=lenient");
    }

    #[test]
    fn the_end_of_a_transaction_is_chosen_where_that_is_allowed() {
        let read = Preferences::parse(["tx=rollback, handling=strict"], false).unwrap();
        assert!(!read.rolls_back());
        assert_eq!(read.applied().unwrap(), "handling=strict");
    }

    #[test]
    fn strict_refuses_what_cannot_be_honoured() {
        let error = parse(&["foo=bar, handling=strict", "baz"]).unwrap_err();
        assert_eq!(error.code(), "invalid_preferences");
        assert!(format!("{error:?}").contains("Invalid preferences: foo=bar, baz"));
        let read = parse(&["handling=strict, count=exact, tx=commit"]).unwrap();
        assert_eq!(
            read.applied_to_read().unwrap(),
            "count=exact, tx=commit, handling=strict"
        );
        assert!(parse(&["handling=lenient, handling=strict, foo=bar"]).is_ok());
    }

    #[test]
    fn a_zone_that_there_is_not_is_refused_either_way() {
        let error = parse(&["timezone=Jupiter/Red_Spot"]).unwrap_err();
        assert_eq!(error.code(), "invalid_request");
        let error = parse(&["handling=strict, timezone=Jupiter/Red_Spot"]).unwrap_err();
        assert_eq!(error.code(), "invalid_preferences");
        let read = parse(&["timezone=+05:30, timezone=UTC"]).unwrap();
        assert_eq!(read.applied().unwrap(), "timezone=+05:30");
    }
}
