//! In which order.
//!
//! ```text
//! order = term { ',' term }
//! term  = ( operand | name '(' operand ')' ) [ '.asc' | '.desc' ] [ '.nullsfirst' | '.nullslast' ]
//! ```
//!
//! A name before parentheses is that of an embed.

use tidegate_domain::query::ask::{Nulls, Operand, OrderTerm};
use winnow::combinator::{alt, eof, opt, peek, terminated};
use winnow::prelude::*;

use super::error::{GrammarError, Part};
use super::lexical::{Parsed, blanks, fault, list, name, whole};
use super::operand::{json_path, operand};

/// Reads the value of `order`.
pub(super) fn parse(value: &str) -> Result<Vec<OrderTerm>, GrammarError> {
    whole(Part::Order, value, |input| list(input, term))
}

fn term(input: &mut &str) -> Parsed<OrderTerm> {
    let first = name(input)?;
    let (embed, operand) = if opt('(').parse_next(input)?.is_some() {
        let inside = operand(input)?;
        if opt(')').parse_next(input)?.is_none() {
            return fault(input, "`)`");
        }
        blanks(input)?;
        (Some(first), inside)
    } else {
        let path = json_path(input)?;
        (
            None,
            Operand {
                column: first,
                path,
            },
        )
    };
    let descending =
        opt(alt((word(".asc").value(false), word(".desc").value(true)))).parse_next(input)?;
    let nulls = opt(alt((
        word(".nullsfirst").value(Nulls::First),
        word(".nullslast").value(Nulls::Last),
    )))
    .parse_next(input)?;
    blanks(input)?;
    if input.starts_with('.') {
        return match (descending, nulls) {
            (None, None) => fault(input, "`.asc`, `.desc`, `.nullsfirst` or `.nullslast`"),
            (Some(_), None) => fault(input, "`.nullsfirst` or `.nullslast`"),
            (_, Some(_)) => fault(input, "`,` or the end"),
        };
    }
    Ok(OrderTerm {
        embed,
        operand,
        descending: descending.unwrap_or(false),
        nulls,
    })
}

/// A word that ends where it ends: `.ascending` is not `.asc`.
fn word<'i>(
    text: &'static str,
) -> impl Parser<&'i str, &'i str, winnow::error::ErrMode<winnow::error::ContextError>> {
    terminated(
        text,
        peek(alt((eof.void(), ','.void(), '.'.void(), ' '.void()))),
    )
}
