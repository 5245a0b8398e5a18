//! Conditions: a pair's key names a column or a place in it, its value says what must hold.
//!
//! ```text
//! value     = [ 'not.' ] condition
//! condition = ( compare | 'neq' | 'isdistinct' ) '.' text
//!           | compare '(' ( 'any' | 'all' ) ').' array
//!           | 'in.(' [ element { ',' element } ] ')'
//!           | 'is.' ( 'null' | 'not_null' | 'true' | 'false' | 'unknown' )      in any case
//!           | ( 'fts' | 'plfts' | 'phfts' | 'wfts' ) [ '(' config ')' ] '.' text
//!           | ( 'cs' | 'cd' | 'ov' ) '.' text                                   no range
//! compare   = 'eq' | 'gt' | 'gte' | 'lt' | 'lte' | 'like' | 'ilike' | 'match' | 'imatch'
//! config    = 1*( letter | digit | '_' )
//! element   = quoted | { any but ',' and ')' }
//! array     = '{' [ item { ',' item } ] '}'                  PostgreSQL's literal of an array
//! item      = quoted | { any but ',', '{', '}', '"', '\' | '\' any }    the bare word NULL is a null
//! text      = all up to the end; quotes mean nothing in it
//!
//! tree      = '(' branch { ',' branch } ')'                  the value of `and`, `or`, `not.and`, `not.or`
//! branch    = [ 'not.' ] ( 'and' | 'or' ) tree
//!           | operand '.' value                              in which text is an element or an array
//! ```

use tidegate_domain::query::ask::{
    Clause, Comparison, Condition, Filter, IsValue, Operand, Operator, Quantifier, SearchSyntax,
};
use winnow::combinator::{alt, cut_err, delimited, opt, peek, preceded, repeat, terminated};
use winnow::prelude::*;
use winnow::token::{any, none_of, one_of, take_while};

use super::error::{GrammarError, Part};
use super::lexical::{Parsed, blanks, fault, quoted, unsupported, whole};
use super::operand::operand;

const OPERATORS: &str = "an operator (eq, neq, gt, gte, lt, lte, like, ilike, match, imatch, isdistinct, in, is, fts, plfts, phfts, wfts, cs, cd, ov)";
const NOT_OR_OPERATORS: &str = "`not.` or an operator (eq, neq, gt, gte, lt, lte, like, ilike, match, imatch, isdistinct, in, is, fts, plfts, phfts, wfts, cs, cd, ov)";

const RANGES: &str =
    "filters on ranges (`sl`, `sr`, `nxr`, `nxl`, `adj`, and others with a range as their value)";

/// How deep logic trees may be: each level is one of the parser, too.
const DEEPEST: usize = 100;

/// Where a condition stands, by which it is known where its text ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Alone: all up to the end is text.
    Alone,
    /// In a tree.
    Tree,
}

/// Words for [`IsValue`].
pub(super) const IS_VALUES: [(&str, IsValue); 5] = [
    ("null", IsValue::Null),
    ("not_null", IsValue::NotNull),
    ("true", IsValue::True),
    ("false", IsValue::False),
    ("unknown", IsValue::Unknown),
];

/// Reads one condition.
pub(super) fn parse(operand: Operand, value: &str) -> Result<Filter, GrammarError> {
    let (negated, condition) = whole(Part::Filter, value, |input| negatable(input, Place::Alone))?;
    Ok(Filter {
        operand,
        negated,
        condition,
    })
}

/// Reads the value of `and`, of `or` where it is `any`, and of their opposites.
pub(super) fn parse_tree(negated: bool, any: bool, value: &str) -> Result<Clause, GrammarError> {
    let clauses = whole(Part::Logic, value, |input| tree(input, DEEPEST))?;
    Ok(joined(negated, any, clauses))
}

fn joined(negated: bool, any: bool, clauses: Vec<Clause>) -> Clause {
    let clause = if any {
        Clause::Any(clauses)
    } else {
        Clause::All(clauses)
    };
    if negated {
        Clause::Not(Box::new(clause))
    } else {
        clause
    }
}

fn tree(input: &mut &str, levels: usize) -> Parsed<Vec<Clause>> {
    blanks(input)?;
    if opt('(').parse_next(input)?.is_none() {
        return fault(input, "`(`");
    }
    if levels == 0 {
        return fault(input, "no more than 100 levels");
    }
    let mut clauses = Vec::new();
    loop {
        clauses.push(branch(input, levels - 1)?);
        blanks(input)?;
        if opt(',').parse_next(input)?.is_some() {
            continue;
        }
        if opt(')').parse_next(input)?.is_none() {
            return fault(input, "`,` or `)`");
        }
        blanks(input)?;
        return Ok(clauses);
    }
}

fn branch(input: &mut &str, levels: usize) -> Parsed<Clause> {
    blanks(input)?;
    let start = *input;
    let negated = opt("not.").parse_next(input)?.is_some();
    for word in ["and", "or"] {
        // A column may be called so, too: then a point follows.
        let inside = input.strip_prefix(word).map(str::trim_start);
        if let Some(inside) = inside.filter(|inside| inside.starts_with('(')) {
            *input = inside;
            return Ok(joined(negated, word == "or", tree(input, levels)?));
        }
    }
    *input = start;
    let operand = operand(input)?;
    if opt('.').parse_next(input)?.is_none() {
        return fault(input, "`.` and an operator, or `and(`, `or(`");
    }
    let (negated, condition) = negatable(input, Place::Tree)?;
    Ok(Clause::Column(Filter {
        operand,
        negated,
        condition,
    }))
}

fn negatable(input: &mut &str, place: Place) -> Parsed<(bool, Condition)> {
    let negated = opt("not.").parse_next(input)?.is_some();
    let expected = if negated { OPERATORS } else { NOT_OR_OPERATORS };
    Ok((negated, condition(input, expected, place)?))
}

fn condition(input: &mut &str, expected: &'static str, place: Place) -> Parsed<Condition> {
    let start = *input;
    let word = take_while(0.., |c: char| c.is_ascii_lowercase()).parse_next(input)?;
    let syntax = SearchSyntax::ALL.into_iter().find(|it| it.word() == word);
    if input.starts_with('(') {
        if let Some(syntax) = syntax {
            return search(input, syntax, place);
        }
        if let Some(operator) = operator(word) {
            return quantified(input, word, operator, place);
        }
    }
    if opt('.').parse_next(input)?.is_none() {
        *input = start;
        return fault(input, expected);
    }
    if let Some(operator) = operator(word) {
        return Ok(operator.with(text(input, place)?));
    }
    match word {
        "in" => in_list(input),
        "is" => is_value(input),
        "isdistinct" => Ok(Condition::Distinct(text(input, place)?)),
        "cs" => Ok(Condition::Contains(document(input, place)?)),
        "cd" => Ok(Condition::ContainedIn(document(input, place)?)),
        "ov" => Ok(Condition::Overlaps(document(input, place)?)),
        "sl" | "sr" | "nxr" | "nxl" | "adj" => unsupported(input, RANGES),
        _ => match syntax {
            Some(syntax) => Ok(Condition::Search {
                syntax,
                config: None,
                query: text(input, place)?,
            }),
            None => {
                *input = start;
                fault(input, expected)
            }
        },
    }
}

fn operator(word: &str) -> Option<Operator> {
    use Comparison::{Eq, Gt, Gte, Lt, Lte, Neq};
    let likes = [false, true].map(|ignore_case| Operator::Like { ignore_case });
    let matches = [false, true].map(|ignore_case| Operator::Match { ignore_case });
    let mut all = [Eq, Neq, Gt, Gte, Lt, Lte]
        .map(Operator::Compare)
        .into_iter()
        .chain(likes)
        .chain(matches);
    all.find(|operator| operator.word() == word)
}

/// What follows the operator in `fts(english).words`.
fn search(input: &mut &str, syntax: SearchSyntax, place: Place) -> Parsed<Condition> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let config = delimited(
        '(',
        take_while(1.., word).context(super::lexical::expected("a configuration")),
        ").".context(super::lexical::expected("`).`")),
    );
    let config: &str = cut_err(config).parse_next(input)?;
    Ok(Condition::Search {
        syntax,
        config: Some(config.to_owned()),
        query: text(input, place)?,
    })
}

/// A JSON document, or an array; what can only be a range is refused.
fn document(input: &mut &str, place: Place) -> Parsed<String> {
    let start = *input;
    let document = text(input, place)?;
    let is_range =
        document.starts_with('(') || (document.starts_with('[') && document.ends_with(')'));
    if is_range {
        *input = start;
        return unsupported(input, RANGES);
    }
    Ok(document)
}

/// A text: all that is left, or in a tree an element of its list.
fn text(input: &mut &str, place: Place) -> Parsed<String> {
    match place {
        Place::Alone => Ok(std::mem::take(input).to_owned()),
        Place::Tree => {
            let braces = delimited('{', take_while(0.., |c: char| !"{}[]".contains(c)), '}').take();
            let array = opt(terminated(braces, peek(one_of([',', ')'])))).parse_next(input)?;
            match array {
                Some(array) => Ok(array.to_owned()),
                None => element(input),
            }
        }
    }
}

/// What follows the operator in `eq(any).{1,2}`.
fn quantified(input: &mut &str, word: &str, operator: Operator, place: Place) -> Parsed<Condition> {
    if word == "neq" {
        return fault(input, "`.`: `neq` takes neither `any` nor `all`");
    }
    let quantifier = alt((
        "(any).".value(Quantifier::Any),
        "(all).".value(Quantifier::All),
    ))
    .context(super::lexical::expected("`(any).` or `(all).`"));
    let quantifier = cut_err(quantifier).parse_next(input)?;
    let values = array(input)?;
    if place == Place::Alone && !input.is_empty() {
        return fault(input, "the end");
    }
    Ok(Condition::Quantified {
        quantifier,
        operator,
        values,
    })
}

/// A literal of an array (PostgreSQL, "Array Input and Output Syntax"), of one dimension.
fn array(input: &mut &str) -> Parsed<Vec<Option<String>>> {
    blanks(input)?;
    if opt('{').parse_next(input)?.is_none() {
        return fault(input, "`{` and the values of an array");
    }
    blanks(input)?;
    let mut values = Vec::new();
    if opt('}').parse_next(input)?.is_some() {
        blanks(input)?;
        return Ok(values);
    }
    loop {
        blanks(input)?;
        if input.starts_with('"') {
            values.push(Some(quoted(input)?));
        } else {
            let mut character = alt((none_of([',', '{', '}', '"', '\\']), preceded('\\', any)));
            let bare: String = repeat(1.., character.by_ref())
                .context(super::lexical::expected("a value"))
                .parse_next(input)?;
            let bare = bare.trim_end();
            values.push((!bare.eq_ignore_ascii_case("null")).then(|| bare.to_owned()));
        }
        blanks(input)?;
        if opt(',').parse_next(input)?.is_some() {
            continue;
        }
        if opt('}').parse_next(input)?.is_none() {
            return fault(input, "`,` or `}`");
        }
        blanks(input)?;
        return Ok(values);
    }
}

fn is_value(input: &mut &str) -> Parsed<Condition> {
    let start = *input;
    let word = take_while(0.., |c: char| c.is_ascii_alphabetic() || c == '_').parse_next(input)?;
    match IS_VALUES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(word))
    {
        Some((_, value)) => Ok(Condition::Is(*value)),
        None => {
            *input = start;
            fault(input, "null, not_null, true, false or unknown")
        }
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
