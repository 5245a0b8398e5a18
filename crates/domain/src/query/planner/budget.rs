//! What the patterns and words of one request may cost. Some engines make a program of each of
//! them, which is many times as large as its text.

use crate::query::ask::{Clause, Condition, Embed, Filter, JoinKind, Operator, Query, SelectItem};
use crate::query::error::QueryError;

/// How many regular expressions one request may ask for.
const PATTERNS: usize = 32;
/// How large they may become together, in bytes; what the engines take is more.
const PATTERN_BYTES: usize = 1 << 20;
/// How many words one request may look for.
const WORDS: usize = 100;
/// How long the pattern of an `ilike` may be, in characters.
const LIKE: usize = 2_000;

/// Refuses a query, with all that is embedded in it, that asks for too much of this, or for
/// what is no regular expression, before one of the engines finds its own words for it.
pub(super) fn keep(query: &Query) -> Result<(), QueryError> {
    let mut spent = Spent::default();
    spent.query(query, 1)?;
    if spent.texts.is_empty() {
        return Ok(());
    }
    let built = regex::RegexSetBuilder::new(&spent.texts)
        .size_limit(PATTERN_BYTES)
        .build();
    built.map(|_| ()).map_err(|error| QueryError::Pattern {
        message: match error {
            regex::Error::CompiledTooBig(_) if spent.texts.len() > 1 => {
                "they are too large together".to_owned()
            }
            regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
            // The last line says what is wrong, those before it show where.
            error => {
                let text = error.to_string();
                let line = text.lines().last().unwrap_or_default();
                line.trim_start_matches("error: ").to_owned()
            }
        },
    })
}

#[derive(Default)]
struct Spent {
    texts: Vec<String>,
    patterns: usize,
    words: usize,
}

impl Spent {
    /// What a query asks for that is written into the statement so many times.
    fn query(&mut self, query: &Query, times: usize) -> Result<(), QueryError> {
        for filter in &query.filters {
            self.condition(&filter.condition, times)?;
        }
        for clause in query.logic.iter().chain(&query.scope) {
            self.clause(clause, times)?;
        }
        for item in &query.select {
            if let SelectItem::Embed(embed) = item {
                let times = times.saturating_mul(uses(query, embed));
                self.query(&embed.query, times)?;
            }
        }
        Ok(())
    }

    fn clause(&mut self, clause: &Clause, times: usize) -> Result<(), QueryError> {
        match clause {
            Clause::Column(filter) => self.condition(&filter.condition, times),
            Clause::All(clauses) | Clause::Any(clauses) => clauses
                .iter()
                .try_for_each(|clause| self.clause(clause, times)),
            Clause::Not(clause) => self.clause(clause, times),
        }
    }

    fn condition(&mut self, condition: &Condition, times: usize) -> Result<(), QueryError> {
        match condition {
            Condition::Quantified {
                operator, values, ..
            } if !matches!(operator, Operator::Compare(_)) => values
                .iter()
                .flatten()
                .try_for_each(|text| self.condition(&operator.with(text.clone()), times)),
            Condition::Match {
                pattern,
                ignore_case,
            } => {
                self.patterns = self.patterns.saturating_add(times);
                let flags = if *ignore_case { "(?i)" } else { "" };
                self.texts.push(format!("{flags}{pattern}"));
                within(self.patterns, PATTERNS, "regular expressions in a request")
            }
            Condition::Search { query, .. } => {
                let words = query.split(|c: char| !c.is_alphanumeric());
                let words = words.filter(|word| !word.is_empty()).count();
                self.words = self.words.saturating_add(words.saturating_mul(times));
                within(self.words, WORDS, "words to look for in a request")
            }
            Condition::Like {
                pattern,
                ignore_case: true,
            } => within(
                pattern.chars().count(),
                LIKE,
                "characters in the pattern of an `ilike`",
            ),
            _ => Ok(()),
        }
    }
}

fn within(number: usize, most: usize, what: &str) -> Result<(), QueryError> {
    if number <= most {
        return Ok(());
    }
    Err(QueryError::TooMuch {
        message: format!("there may be at most {most} {what}"),
    })
}

/// How often the conditions of an embed are written: for its rows, and for each question whether
/// it has any.
fn uses(query: &Query, embed: &Embed) -> usize {
    fn named(clause: &Clause, name: &str) -> usize {
        match clause {
            Clause::Column(filter) => usize::from(names(filter, name)),
            Clause::All(clauses) | Clause::Any(clauses) => {
                clauses.iter().map(|clause| named(clause, name)).sum()
            }
            Clause::Not(clause) => named(clause, name),
        }
    }
    fn names(filter: &Filter, name: &str) -> bool {
        filter.operand.column == name
    }
    let name = embed.name();
    let filters = query.filters.iter().filter(|filter| names(filter, name));
    let clauses = query.logic.iter().map(|clause| named(clause, name));
    1 + usize::from(embed.join == Some(JoinKind::Inner)) + filters.count() + clauses.sum::<usize>()
}
