//! In which order.
//!
//! ```text
//! order = term { ',' term }
//! term  = name [ '.asc' | '.desc' ] [ '.nullsfirst' | '.nullslast' ]
//! ```

use tidegate_domain::query::ask::{Nulls, OrderTerm};
use winnow::combinator::{alt, eof, opt, peek, terminated};
use winnow::prelude::*;

use super::error::{GrammarError, Part};
use super::lexical::{Parsed, blanks, fault, list, name, unsupported, whole};

/// Reads the value of `order`.
pub(super) fn parse(value: &str) -> Result<Vec<OrderTerm>, GrammarError> {
    whole(Part::Order, value, |input| list(input, term))
}

fn term(input: &mut &str) -> Parsed<OrderTerm> {
    let column = name(input)?;
    if input.starts_with("->") {
        return unsupported(input, "JSON paths (`->`, `->>`)");
    }
    if input.starts_with('(') {
        return unsupported(input, "orders by an embedded resource");
    }
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
        column,
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
