//! What all parts of the grammar are made of: names, quoted texts, blanks, lists, and the
//! way from the parser library's errors to ours.
//!
//! ```text
//! name   = blanks ( quoted | bare ) blanks
//! quoted = '"' { any but '"' and '\' | '\' any } '"'
//! bare   = run { '-' run }                 without the blanks at its ends
//! run    = 1*( letter | digit | '_' | '$' | ' ' )
//! ```

use std::fmt;

use winnow::ascii::multispace0;
use winnow::combinator::{alt, cut_err, opt, preceded, repeat};
use winnow::error::{
    ContextError, ErrMode, FromExternalError, ParserError, StrContext, StrContextValue,
};
use winnow::prelude::*;
use winnow::token::{any, none_of, take_while};

use super::error::{GrammarError, Part};

/// A piece of the grammar.
pub(super) type Parsed<T> = Result<T, ErrMode<ContextError>>;

/// Says what could have stood where a parser failed.
pub(super) fn expected(what: &'static str) -> StrContext {
    StrContext::Expected(StrContextValue::Description(what))
}

/// A failure that no other reading of the text can mend.
pub(super) fn fault<T>(input: &&str, what: &'static str) -> Parsed<T> {
    let mut error = ContextError::from_input(input);
    error.push(expected(what));
    Err(ErrMode::Cut(error))
}

/// A feature of the grammar that is not offered, carried through the parser as a cause.
#[derive(Debug)]
struct Unsupported(&'static str);

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Unsupported {}

/// Refuses a feature by its name.
pub(super) fn unsupported<T>(input: &&str, feature: &'static str) -> Parsed<T> {
    Err(ErrMode::Cut(ContextError::from_external_error(
        input,
        Unsupported(feature),
    )))
}

/// Reads the whole of `text` as one `part`.
pub(super) fn whole<T>(
    part: Part,
    text: &str,
    mut parser: impl FnMut(&mut &str) -> Parsed<T>,
) -> Result<T, GrammarError> {
    let mut input = text;
    let outcome = parser(&mut input).and_then(|value| {
        if input.is_empty() {
            Ok(value)
        } else {
            fault(&input, "the end")
        }
    });
    outcome.map_err(|error| {
        let offset = text.len() - input.len();
        // `Incomplete` belongs to partial input, which there is none of.
        let (ErrMode::Cut(error) | ErrMode::Backtrack(error)) = error else {
            return GrammarError::syntax(part, text, offset, ["more".to_owned()]);
        };
        if let Some(Unsupported(feature)) = error.cause().and_then(|cause| cause.downcast_ref()) {
            return GrammarError::Unsupported { feature };
        }
        let mut expected = Vec::new();
        for context in error.context() {
            if let StrContext::Expected(what) = context {
                let what = what.to_string();
                if !expected.contains(&what) {
                    expected.push(what);
                }
            }
        }
        GrammarError::syntax(part, text, offset, expected)
    })
}

/// One or more of `item`, with commas between them.
pub(super) fn list<T>(
    input: &mut &str,
    mut item: impl FnMut(&mut &str) -> Parsed<T>,
) -> Parsed<Vec<T>> {
    let mut items = vec![item(input)?];
    loop {
        if opt(',').parse_next(input)?.is_some() {
            items.push(item(input)?);
        } else if input.is_empty() {
            return Ok(items);
        } else {
            return fault(input, "`,` or the end");
        }
    }
}

/// Any number of blanks.
pub(super) fn blanks(input: &mut &str) -> Parsed<()> {
    multispace0.void().parse_next(input)
}

/// A name, and the blanks around it.
pub(super) fn name(input: &mut &str) -> Parsed<String> {
    maybe_quoted(input).map(|(name, _)| name)
}

/// A name, and whether it stands in quotes, where words of the grammar mean nothing.
pub(super) fn maybe_quoted(input: &mut &str) -> Parsed<(String, bool)> {
    blanks(input)?;
    let in_quotes = input.starts_with('"');
    let name = alt((quoted, bare))
        .context(expected(
            "a name of letters, digits, `_`, `$`, blanks and single `-`",
        ))
        .context(expected("a name in double quotes"))
        .parse_next(input)?;
    blanks(input)?;
    Ok((name, in_quotes))
}

/// A text in double quotes.
pub(super) fn quoted(input: &mut &str) -> Parsed<String> {
    let mut character = alt((none_of(['"', '\\']), preceded('\\', any)));
    '"'.parse_next(input)?;
    let text = repeat(0.., character.by_ref()).parse_next(input)?;
    cut_err('"'.context(expected("`\"`"))).parse_next(input)?;
    Ok(text)
}

fn bare(input: &mut &str) -> Parsed<String> {
    let run = || take_while(1.., is_bare);
    (run(), repeat::<_, _, (), _, _>(0.., ('-', run())))
        .take()
        .verify_map(|name: &str| {
            let name = name.trim();
            (!name.is_empty()).then(|| name.to_owned())
        })
        .parse_next(input)
}

/// Whether a character may stand in a name without quotes.
fn is_bare(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$' | ' ')
}

/// A name as it is written: in quotes where it must be.
pub(super) fn print_name(name: &str) -> String {
    let mut input = name;
    match bare(&mut input) {
        Ok(read) if input.is_empty() && read == name => read,
        _ => print_quoted(name),
    }
}

/// A text in double quotes.
pub(super) fn print_quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
