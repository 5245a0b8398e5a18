//! Conditions: a pair's key names a column, its value says what must hold.
//!
//! ```text
//! value     = [ 'not.' ] condition
//! condition = ( 'eq' | 'neq' | 'gt' | 'gte' | 'lt' | 'lte' | 'like' | 'ilike' ) '.' text
//!           | 'in.(' [ element { ',' element } ] ')'
//!           | 'is.' ( 'null' | 'not_null' | 'true' | 'false' | 'unknown' )      in any case
//! element   = quoted | { any but ',' and ')' }
//! text      = all up to the end; quotes mean nothing in it
//! ```

use tidegate_domain::query::ask::{Comparison, Condition, Filter, IsValue};
use winnow::combinator::{opt, peek, terminated};
use winnow::prelude::*;
use winnow::token::{one_of, take_while};

use super::error::{GrammarError, Part};
use super::lexical::{Parsed, blanks, fault, name, quoted, unsupported, whole};

const OPERATORS: &str = "an operator (eq, neq, gt, gte, lt, lte, like, ilike, in, is)";

/// Words for [`IsValue`].
pub(super) const IS_VALUES: [(&str, IsValue); 5] = [
    ("null", IsValue::Null),
    ("not_null", IsValue::NotNull),
    ("true", IsValue::True),
    ("false", IsValue::False),
    ("unknown", IsValue::Unknown),
];

/// Reads one condition.
pub(super) fn parse(key: &str, value: &str) -> Result<Filter, GrammarError> {
    let column = parse_key(key)?;
    let (negated, condition) = whole(Part::Filter, value, negatable)?;
    Ok(Filter {
        column,
        negated,
        condition,
    })
}

fn parse_key(key: &str) -> Result<String, GrammarError> {
    let mut embedded = false;
    let column = whole(Part::Key, key, |input| {
        let column = name(input)?;
        if input.starts_with("->") {
            return unsupported(input, "JSON paths (`->`, `->>`)");
        }
        // What follows the point names something inside the embed, whatever it is.
        if input.starts_with('.') {
            embedded = true;
            *input = "";
        }
        Ok(column)
    })?;
    if embedded {
        Err(GrammarError::NotEmbedded { name: column })
    } else {
        Ok(column)
    }
}

fn negatable(input: &mut &str) -> Parsed<(bool, Condition)> {
    let negated = opt("not.").parse_next(input)?.is_some();
    let expected = if negated {
        OPERATORS
    } else {
        "`not.` or an operator (eq, neq, gt, gte, lt, lte, like, ilike, in, is)"
    };
    Ok((negated, condition(input, expected)?))
}

fn condition(input: &mut &str, expected: &'static str) -> Parsed<Condition> {
    let start = *input;
    let word = take_while(0.., |c: char| c.is_ascii_lowercase()).parse_next(input)?;
    let known = |input: &mut &str| match word {
        "in" => in_list(input),
        "is" => is_value(input),
        "like" | "ilike" => Ok(Condition::Like {
            pattern: rest(input),
            ignore_case: word == "ilike",
        }),
        _ => match comparison(word) {
            Some(comparison) => Ok(Condition::Compare(comparison, rest(input))),
            None => fault(input, expected),
        },
    };
    if input.starts_with('(') && (comparison(word).is_some() || matches!(word, "like" | "ilike")) {
        return unsupported(input, "operator modifiers (`any`, `all`)");
    }
    if !input.starts_with(['.', '(']) {
        *input = start;
        return fault(input, expected);
    }
    match word {
        "match" | "imatch" => unsupported(input, "regular expressions (`match`, `imatch`)"),
        "isdistinct" => unsupported(input, "`isdistinct` filters"),
        "fts" | "plfts" | "phfts" | "wfts" => {
            unsupported(input, "full-text searches (`fts` and its kin)")
        }
        "cs" | "cd" | "ov" => unsupported(input, "filters on arrays (`cs`, `cd`, `ov`)"),
        "sl" | "sr" | "nxr" | "nxl" | "adj" => {
            unsupported(input, "filters on ranges (`sl`, `sr`, `nxr`, `nxl`, `adj`)")
        }
        "eq" | "neq" | "gt" | "gte" | "lt" | "lte" | "like" | "ilike" | "in" | "is"
            if input.starts_with('.') =>
        {
            '.'.parse_next(input)?;
            known(input)
        }
        _ => {
            *input = start;
            fault(input, expected)
        }
    }
}

fn comparison(word: &str) -> Option<Comparison> {
    use Comparison::{Eq, Gt, Gte, Lt, Lte, Neq};
    [Eq, Neq, Gt, Gte, Lt, Lte]
        .into_iter()
        .find(|comparison| comparison.word() == word)
}

fn rest(input: &mut &str) -> String {
    std::mem::take(input).to_owned()
}

fn is_value(input: &mut &str) -> Parsed<Condition> {
    match IS_VALUES
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(input))
    {
        Some((_, value)) => {
            *input = "";
            Ok(Condition::Is(*value))
        }
        None => fault(input, "null, not_null, true, false or unknown"),
    }
}

fn in_list(input: &mut &str) -> Parsed<Condition> {
    if opt('(').parse_next(input)?.is_none() {
        return fault(input, "`(`");
    }
    blanks(input)?;
    // Nothing between the parentheses is no value; the empty text needs quotes.
    if opt(')').parse_next(input)?.is_some() {
        blanks(input)?;
        return Ok(Condition::In(Vec::new()));
    }
    let mut values = Vec::new();
    loop {
        values.push(element(input)?);
        if opt(',').parse_next(input)?.is_some() {
            continue;
        }
        if opt(')').parse_next(input)?.is_none() {
            return fault(input, "`,` or `)`");
        }
        blanks(input)?;
        return Ok(Condition::In(values));
    }
}

/// A quoted text, or the bare text up to the next `,` or `)`. A quote that does not enclose
/// the whole element is a character like any other.
fn element(input: &mut &str) -> Parsed<String> {
    let start = *input;
    if input.starts_with('"')
        && let Ok(text) = terminated(quoted, peek(one_of([',', ')']))).parse_next(input)
    {
        return Ok(text);
    }
    *input = start;
    take_while(0.., |c: char| !matches!(c, ',' | ')'))
        .map(str::to_owned)
        .parse_next(input)
}
