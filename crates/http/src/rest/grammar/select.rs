//! What to show, and plain lists of names.
//!
//! ```text
//! select    = item { ',' item }
//! item      = '*' | value | embed
//! value     = [ name ':' ] operand [ cast ] [ '.' aggregate '()' [ cast ] ]
//!           | [ name ':' ] 'count()' [ cast ]
//! aggregate = 'count' | 'sum' | 'avg' | 'min' | 'max'
//! cast      = '::' 1*( letter | digit | '_' | ' ' )
//! embed     = ( '...' | [ name ':' ] ) name { '!' hint } '(' [ select ] ')'
//! hint      = 'inner' | 'left' | name               at most one word and one name
//! names     = name { ',' name }
//! ```

use tidegate_domain::query::ask::{
    Aggregate, Aggregated, Embed, JoinKind, Operand, Query, SelectItem, Selected,
};
use winnow::combinator::{not, opt, terminated};
use winnow::prelude::*;
use winnow::token::take_while;

use super::error::{GrammarError, Part};
use super::lexical::{Parsed, blanks, fault, list, maybe_quoted, name, whole};
use super::operand::json_path;

/// How deep embeds may be: each level is one of the parser, too.
const DEEPEST: usize = 50;

/// Reads the value of `select`.
pub(super) fn parse(value: &str) -> Result<Vec<SelectItem>, GrammarError> {
    whole(Part::Select, value, |input| {
        list(input, |input| item(input, DEEPEST))
    })
}

/// Reads the value of `columns` or `on_conflict`.
pub(super) fn parse_names(part: Part, value: &str) -> Result<Vec<String>, GrammarError> {
    whole(part, value, |input| list(input, name))
}

fn item(input: &mut &str, levels: usize) -> Parsed<SelectItem> {
    blanks(input)?;
    if opt('*').parse_next(input)?.is_some() {
        blanks(input)?;
        return Ok(SelectItem::Everything);
    }
    if opt("...").parse_next(input)?.is_some() {
        return spread(input, levels);
    }
    let (mut first, mut quoted) = maybe_quoted(input)?;
    let mut alias = None;
    if opt(terminated(':', not(':'))).parse_next(input)?.is_some() {
        alias = Some(first);
        (first, quoted) = maybe_quoted(input)?;
    }
    if first == "count" && !quoted && nothing_in_parentheses(input)? {
        let cast = cast(input)?;
        return Ok(SelectItem::Column(Selected {
            operand: None,
            cast: None,
            aggregate: Some(Aggregated {
                function: Aggregate::Count,
                cast,
            }),
            alias,
        }));
    }
    if input.starts_with(['!', '(']) {
        return embed(input, first, alias, false, levels);
    }
    let operand = Operand {
        column: first,
        path: json_path(input)?,
    };
    Ok(SelectItem::Column(Selected {
        operand: Some(operand),
        cast: cast(input)?,
        aggregate: aggregated(input)?,
        alias,
    }))
}

/// Takes `()`, if that comes next.
fn nothing_in_parentheses(input: &mut &str) -> Parsed<bool> {
    let start = *input;
    if opt('(').parse_next(input)?.is_some() {
        blanks(input)?;
        if opt(')').parse_next(input)?.is_some() {
            blanks(input)?;
            return Ok(true);
        }
    }
    *input = start;
    Ok(false)
}

fn cast(input: &mut &str) -> Parsed<Option<String>> {
    if opt("::").parse_next(input)?.is_none() {
        return Ok(None);
    }
    let start = *input;
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | ' ');
    let target: &str = take_while(0.., word).parse_next(input)?;
    let target = target.trim();
    if target.is_empty() {
        *input = start;
        return fault(input, "the name of a type");
    }
    Ok(Some(target.to_owned()))
}

fn aggregated(input: &mut &str) -> Parsed<Option<Aggregated>> {
    if opt('.').parse_next(input)?.is_none() {
        return Ok(None);
    }
    let start = *input;
    let word: &str = take_while(0.., |c: char| c.is_ascii_lowercase()).parse_next(input)?;
    let known = Aggregate::ALL.into_iter().find(|it| it.word() == word);
    let (Some(function), true) = (known, nothing_in_parentheses(input)?) else {
        *input = start;
        return fault(input, "count(), sum(), avg(), min() or max()");
    };
    let cast = cast(input)?;
    Ok(Some(Aggregated { function, cast }))
}

fn spread(input: &mut &str, levels: usize) -> Parsed<SelectItem> {
    let target = name(input)?;
    if input.starts_with(':') {
        return fault(input, "`!` or `(`: what is spread has no name of its own");
    }
    embed(input, target, None, true, levels)
}

/// What follows the name of an embed.
fn embed(
    input: &mut &str,
    target: String,
    alias: Option<String>,
    spread: bool,
    levels: usize,
) -> Parsed<SelectItem> {
    let (mut hint, mut join) = (None, None);
    loop {
        let start = *input;
        if opt('!').parse_next(input)?.is_none() {
            break;
        }
        let (word, quoted) = maybe_quoted(input)?;
        let kind = match word.as_str() {
            "inner" if !quoted => Some(JoinKind::Inner),
            "left" if !quoted => Some(JoinKind::Left),
            _ => None,
        };
        let is_second = match kind {
            Some(kind) => join.replace(kind).is_some(),
            None => hint.replace(word).is_some(),
        };
        if is_second {
            *input = start;
            return fault(
                input,
                "`(`: one hint, and one of `inner` and `left`, is all",
            );
        }
    }
    if !input.starts_with('(') {
        return fault(input, "`!` or `(`");
    }
    if levels == 0 {
        return fault(input, "no more than 50 levels of embeds");
    }
    let select = select(input, levels - 1)?;
    Ok(SelectItem::Embed(Box::new(Embed {
        target,
        alias,
        hint,
        join,
        spread,
        query: Query {
            select,
            ..Query::default()
        },
    })))
}

/// The parentheses of an embed, which may have nothing between them.
fn select(input: &mut &str, levels: usize) -> Parsed<Vec<SelectItem>> {
    let mut items = Vec::new();
    if nothing_in_parentheses(input)? {
        return Ok(items);
    }
    '('.parse_next(input)?;
    loop {
        items.push(item(input, levels)?);
        if opt(',').parse_next(input)?.is_some() {
            continue;
        }
        if opt(')').parse_next(input)?.is_none() {
            return fault(input, "`,` or `)`");
        }
        blanks(input)?;
        return Ok(items);
    }
}
