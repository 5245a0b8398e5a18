//! What a condition is asked of, what is shown and what is sorted by: a column, or a place in
//! the JSON document that it holds.
//!
//! ```text
//! operand = name { '->' step } [ '->>' step ]
//! step    = blanks ( quoted | index | key ) blanks
//! index   = [ '-' ] 1*digit                  from the end where negative
//! key     = part { '-' part }                without the blanks at its ends
//! part    = 1*( any but '(' ')' '-' ':' '.' ',' '>' '"' )
//! ```

use tidegate_domain::query::ask::{JsonPath, JsonStep, Operand};
use winnow::combinator::{alt, opt, repeat};
use winnow::prelude::*;
use winnow::token::take_while;

use super::lexical::{Parsed, blanks, expected, fault, name, print_name, print_quoted, quoted};

/// A column, and the way into its document.
pub(super) fn operand(input: &mut &str) -> Parsed<Operand> {
    let column = name(input)?;
    let path = json_path(input)?;
    Ok(Operand { column, path })
}

/// The arrows after a column, if there are any.
pub(super) fn json_path(input: &mut &str) -> Parsed<Option<JsonPath>> {
    let mut steps = Vec::new();
    let mut as_text = false;
    while input.starts_with("->") {
        if as_text {
            return fault(input, "nothing after `->>`, which gives text");
        }
        as_text = alt(("->>".value(true), "->".value(false))).parse_next(input)?;
        steps.push(step(input)?);
    }
    Ok((!steps.is_empty()).then_some(JsonPath { steps, as_text }))
}

fn step(input: &mut &str) -> Parsed<JsonStep> {
    blanks(input)?;
    let start = *input;
    let step = if input.starts_with('"') {
        JsonStep::Key(quoted(input)?)
    } else {
        let negative = opt('-').parse_next(input)?.is_some();
        let key = bare_key
            .context(expected("the key of a member, or the index of an element"))
            .parse_next(input)?;
        match index(negative, key) {
            Some(index) => JsonStep::Index(index),
            None if negative || is_number(key) => {
                *input = start;
                return fault(input, "a key in double quotes, or a smaller index");
            }
            None => JsonStep::Key(key.to_owned()),
        }
    };
    blanks(input)?;
    Ok(step)
}

fn is_number(key: &str) -> bool {
    key.bytes().all(|byte| byte.is_ascii_digit())
}

fn index(negative: bool, key: &str) -> Option<i64> {
    let index = i64::from(key.parse::<i32>().ok().filter(|_| is_number(key))?);
    Some(if negative { -index } else { index })
}

fn bare_key<'i>(input: &mut &'i str) -> Parsed<&'i str> {
    let part = || take_while(1.., |c: char| !"()-:.,>\"".contains(c));
    (part(), repeat::<_, _, (), _, _>(0.., ('-', part())))
        .take()
        .verify_map(|key: &str| {
            let key = key.trim();
            (!key.is_empty()).then_some(key)
        })
        .parse_next(input)
}

/// An operand as it is written, with the column as `column` writes it.
pub(super) fn print_operand(operand: &Operand, column: impl Fn(&str) -> String) -> String {
    let mut text = column(&operand.column);
    let Some(path) = &operand.path else {
        return text;
    };
    for (at, step) in path.steps.iter().enumerate() {
        let is_last = at + 1 == path.steps.len();
        text.push_str(if is_last && path.as_text { "->>" } else { "->" });
        match step {
            JsonStep::Index(index) => text.push_str(&index.to_string()),
            // A name in quotes where it must be is a key in quotes where it must be, if it is
            // no number.
            JsonStep::Key(key) if is_number(key) => text.push_str(&print_quoted(key)),
            JsonStep::Key(key) => text.push_str(&print_name(key)),
        }
    }
    text
}
