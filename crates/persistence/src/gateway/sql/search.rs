//! Regular expressions, and words in texts, which are looked for by them: the engines' own
//! full-text indexes split texts each in their way.

use tidegate_domain::gateway::value::Value;
use tidegate_domain::query::plan::{Scalar, SearchTerm};

use super::mysql;
use super::printer::Printer;
use crate::engine::Engine;

/// What parts words.
const APART: &str = r"[^\p{L}\p{N}]";

/// Whether a regular expression finds something in a text.
pub(super) fn matches(printer: &mut Printer<'_>, value: &Scalar, pattern: &str, ignore_case: bool) {
    match printer.engine {
        Engine::MySql => {
            printer.push("REGEXP_LIKE(");
            mysql::exact_text(printer, value);
            printer.push(", ");
            printer.bind(Value::Text(pattern.to_owned()));
            // Lines end with a line feed only, as elsewhere.
            printer.push(if ignore_case { ", 'iu')" } else { ", 'cu')" });
        }
        Engine::MariaDb | Engine::Sqlite => {
            if printer.engine == Engine::MariaDb {
                mysql::exact_text(printer, value);
            } else {
                printer.value(value);
            }
            printer.push(" REGEXP ");
            let flags = if ignore_case { "(?i)" } else { "" };
            printer.bind(Value::Text(format!("{flags}{pattern}")));
        }
    }
}

/// Whether words are in a text.
pub(super) fn words(printer: &mut Printer<'_>, value: &Scalar, term: &SearchTerm) {
    match term {
        SearchTerm::Phrase(words) => {
            let phrase: Vec<_> = words.iter().map(|word| escaped(word)).collect();
            let phrase = phrase.join(&format!("{APART}+"));
            let pattern = format!(r"(\A|{APART}){phrase}(\z|{APART})");
            matches(printer, value, &pattern, true);
        }
        SearchTerm::Prefix(word) => {
            let pattern = format!(r"(\A|{APART}){}", escaped(word));
            matches(printer, value, &pattern, true);
        }
        SearchTerm::All(parts) => joined(printer, value, parts, "TRUE", " AND "),
        SearchTerm::Any(parts) => joined(printer, value, parts, "FALSE", " OR "),
        SearchTerm::Not(inner) => {
            printer.push("NOT (");
            words(printer, value, inner);
            printer.push(")");
        }
    }
}

fn joined(printer: &mut Printer<'_>, value: &Scalar, parts: &[SearchTerm], none: &str, word: &str) {
    if parts.is_empty() {
        return printer.push(none);
    }
    printer.halves(parts, word, &|printer, part| words(printer, value, part));
}

/// A word that means itself.
fn escaped(word: &str) -> String {
    let mut text = String::with_capacity(word.len());
    for c in word.chars() {
        if !c.is_alphanumeric() {
            text.push('\\');
        }
        text.push(c);
    }
    text
}
