//! Full-text queries: what a text has to hold, read from the four ways of writing it.
//!
//! Words are runs of letters and digits, whatever their case; there are no stems and no words
//! that are passed over.

use crate::query::ask::SearchSyntax;
use crate::query::error::QueryError;
use crate::query::plan::SearchTerm;

/// How deep parentheses may nest.
const DEPTH: usize = 50;

/// What a query asks for. One without any word finds nothing.
pub(super) fn terms(syntax: SearchSyntax, query: &str) -> Result<SearchTerm, QueryError> {
    let term = match syntax {
        SearchSyntax::Plain => all(words(query).into_iter().map(word).collect()),
        SearchSyntax::Phrase => phrase(words(query)),
        SearchSyntax::Web => web(query),
        SearchSyntax::Operators => Operators::read(query)?,
    };
    Ok(term.unwrap_or(SearchTerm::Any(Vec::new())))
}

/// The words of a text, in lower case.
fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

fn word(word: String) -> SearchTerm {
    SearchTerm::Phrase(vec![word])
}

fn phrase(words: Vec<String>) -> Option<SearchTerm> {
    (!words.is_empty()).then_some(SearchTerm::Phrase(words))
}

fn all(mut terms: Vec<SearchTerm>) -> Option<SearchTerm> {
    match terms.len() {
        0 | 1 => terms.pop(),
        _ => Some(SearchTerm::All(terms)),
    }
}

fn any(mut terms: Vec<SearchTerm>) -> Option<SearchTerm> {
    match terms.len() {
        0 | 1 => terms.pop(),
        _ => Some(SearchTerm::Any(terms)),
    }
}

/// As web searches are written; nothing in it is a fault. `or` parts what stands on both
/// sides of it.
fn web(query: &str) -> Option<SearchTerm> {
    let mut groups = Vec::new();
    let mut group = Vec::new();
    let mut rest = query.trim_start();
    while !rest.is_empty() {
        let (negated, after) = match rest.strip_prefix('-') {
            Some(after) => (true, after),
            None => (false, rest),
        };
        let (text, quoted) = match after.strip_prefix('"') {
            // Without a closing quote the phrase ends with the query.
            Some(inner) => {
                let (text, after) = inner.split_once('"').unwrap_or((inner, ""));
                rest = after.trim_start();
                (text, true)
            }
            None => {
                let end = after
                    .find(|c: char| c.is_whitespace() || c == '"')
                    .unwrap_or(after.len());
                let (text, after) = after.split_at(end);
                rest = after.trim_start();
                (text, false)
            }
        };
        if !negated && !quoted && text.eq_ignore_ascii_case("or") {
            groups.extend(all(std::mem::take(&mut group)));
            continue;
        }
        if let Some(term) = phrase(words(text)) {
            group.push(if negated {
                SearchTerm::Not(Box::new(term))
            } else {
                term
            });
        }
    }
    groups.extend(all(group));
    any(groups)
}

/// Words with `&`, `|`, `!`, `<->` and parentheses; `word:*` is how a word begins.
struct Operators<'a> {
    query: &'a str,
    rest: &'a str,
}

impl<'a> Operators<'a> {
    fn read(query: &'a str) -> Result<Option<SearchTerm>, QueryError> {
        if query.trim().is_empty() {
            return Ok(None);
        }
        let mut reader = Self { query, rest: query };
        let term = reader.any(DEPTH)?;
        reader.blank();
        if reader.rest.is_empty() {
            Ok(term)
        } else {
            Err(reader.fault())
        }
    }

    fn fault(&self) -> QueryError {
        QueryError::SearchSyntax {
            query: self.query.chars().take(64).collect(),
        }
    }

    fn blank(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, text: &str) -> bool {
        self.blank();
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn any(&mut self, room: usize) -> Result<Option<SearchTerm>, QueryError> {
        let mut terms = Vec::new();
        loop {
            terms.extend(self.all(room)?);
            if !self.take("|") {
                return Ok(any(terms));
            }
        }
    }

    fn all(&mut self, room: usize) -> Result<Option<SearchTerm>, QueryError> {
        let mut terms = Vec::new();
        loop {
            terms.extend(self.sequence(room)?);
            if !self.take("&") {
                return Ok(all(terms));
            }
        }
    }

    /// Words that follow each other (`<->`).
    fn sequence(&mut self, room: usize) -> Result<Option<SearchTerm>, QueryError> {
        let mut first = self.one(room)?;
        while self.take("<") {
            if !self.take("->") {
                return Err(QueryError::Unsupported {
                    feature: "distances between words other than `<->`",
                });
            }
            first = match (first, self.one(room)?) {
                (Some(SearchTerm::Phrase(mut words)), Some(SearchTerm::Phrase(more))) => {
                    words.extend(more);
                    Some(SearchTerm::Phrase(words))
                }
                (term, None) | (None, term) => term,
                _ => {
                    return Err(QueryError::Unsupported {
                        feature: "operators within phrases (`<->`)",
                    });
                }
            };
        }
        Ok(first)
    }

    fn one(&mut self, room: usize) -> Result<Option<SearchTerm>, QueryError> {
        // The deepest fault is told, which is the one that is there.
        let Some(room) = room.checked_sub(1) else {
            return Err(self.fault());
        };
        if self.take("!") {
            let term = self.one(room)?;
            return Ok(term.map(|term| SearchTerm::Not(Box::new(term))));
        }
        if self.take("(") {
            let term = self.any(room)?;
            return if self.take(")") {
                Ok(term)
            } else {
                Err(self.fault())
            };
        }
        self.word()
    }

    fn word(&mut self) -> Result<Option<SearchTerm>, QueryError> {
        let text = if self.take("'") {
            self.quoted()?
        } else {
            self.blank();
            let ends = |c: char| c.is_whitespace() || "&|!()<:'".contains(c);
            let end = self.rest.find(ends).unwrap_or(self.rest.len());
            let (text, rest) = self.rest.split_at(end);
            self.rest = rest;
            if text.is_empty() {
                return Err(self.fault());
            }
            text.to_owned()
        };
        let prefix = self.labels()?;
        let mut words = words(&text);
        if !prefix {
            return Ok(phrase(words));
        }
        let last = words.pop().map(SearchTerm::Prefix);
        Ok(all(phrase(words).into_iter().chain(last).collect()))
    }

    /// A text in quotes; two of them stand for one.
    fn quoted(&mut self) -> Result<String, QueryError> {
        let mut text = String::new();
        loop {
            let (part, rest) = self.rest.split_once('\'').ok_or_else(|| self.fault())?;
            text.push_str(part);
            self.rest = rest;
            match self.rest.strip_prefix('\'') {
                Some(rest) => {
                    text.push('\'');
                    self.rest = rest;
                }
                None => return Ok(text),
            }
        }
    }

    /// What stands behind a word: `:*`, and weights, which no text here has.
    fn labels(&mut self) -> Result<bool, QueryError> {
        let Some(rest) = self.rest.strip_prefix(':') else {
            return Ok(false);
        };
        let ends = |c: char| !"*abcdABCD".contains(c);
        let end = rest.find(ends).unwrap_or(rest.len());
        let (labels, rest) = rest.split_at(end);
        self.rest = rest;
        if labels.is_empty() {
            return Err(self.fault());
        }
        Ok(labels.contains('*'))
    }
}
