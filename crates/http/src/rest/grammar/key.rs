//! Keys of pairs: what a pair is about, and of which embed.
//!
//! ```text
//! key     = { name '.' } ( operand | [ 'not.' ] ( 'and' | 'or' ) | 'order' | 'limit' | 'offset' )
//! ```
//!
//! The names before the last are the way to an embed in `select`. A column that is called like
//! one of the words is put in double quotes.

use tidegate_domain::query::ask::Operand;
use winnow::combinator::opt;
use winnow::prelude::*;

use super::error::{GrammarError, Part};
use super::lexical::{Parsed, fault, maybe_quoted, print_name, print_quoted, whole};
use super::operand::json_path;

/// What a pair is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// The way to the embed; empty for the rows themselves.
    pub(super) path: Vec<String>,
    /// What of it.
    pub(super) subject: Subject,
}

/// What a pair says something about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    /// A value, of which the pair asks a condition.
    Operand(Operand),
    /// `and` or `or`, and their opposites.
    Tree {
        /// `not.`
        negated: bool,
        /// `or`.
        any: bool,
    },
    /// `order`.
    Order,
    /// `limit`.
    Limit,
    /// `offset`.
    Offset,
}

/// Words that have a meaning of their own in keys.
const WORDS: [&str; 9] = [
    "select",
    "columns",
    "on_conflict",
    "order",
    "limit",
    "offset",
    "and",
    "or",
    "not",
];

/// Reads a key.
pub(super) fn parse(key: &str) -> Result<Key, GrammarError> {
    whole(Part::Key, key, names)
}

fn names(input: &mut &str) -> Parsed<Key> {
    let mut path = Vec::new();
    let (mut last, mut quoted) = maybe_quoted(input)?;
    let mut negated = false;
    while opt('.').parse_next(input)?.is_some() {
        negated = !quoted && last == "not";
        path.push(last);
        (last, quoted) = maybe_quoted(input)?;
    }
    let json = json_path(input)?;
    if !input.is_empty() {
        return fault(input, "`.`, `->`, `->>` or the end");
    }
    let subject = match last.as_str() {
        "order" if !quoted && json.is_none() => Subject::Order,
        "limit" if !quoted && json.is_none() => Subject::Limit,
        "offset" if !quoted && json.is_none() => Subject::Offset,
        "and" | "or" if !quoted && json.is_none() => {
            if negated {
                path.pop();
            }
            let any = last == "or";
            Subject::Tree { negated, any }
        }
        _ => Subject::Operand(Operand {
            column: last,
            path: json,
        }),
    };
    Ok(Key { path, subject })
}

/// A name in a key: one that is also a word of the grammar is put in quotes.
pub(super) fn print_in_key(name: &str) -> String {
    if WORDS.contains(&name) {
        print_quoted(name)
    } else {
        print_name(name)
    }
}
