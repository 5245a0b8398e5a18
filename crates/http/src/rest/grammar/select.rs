//! What to show, and plain lists of names.
//!
//! ```text
//! select = item { ',' item }
//! item   = '*' | [ name ':' ] name
//! names  = name { ',' name }
//! ```

use tidegate_domain::query::ask::SelectItem;
use winnow::combinator::{not, opt, terminated};
use winnow::prelude::*;

use super::error::{GrammarError, Part};
use super::lexical::{Parsed, blanks, list, name, unsupported, whole};

/// Reads the value of `select`.
pub(super) fn parse(value: &str) -> Result<Vec<SelectItem>, GrammarError> {
    whole(Part::Select, value, |input| list(input, item))
}

/// Reads the value of `columns`.
pub(super) fn parse_names(value: &str) -> Result<Vec<String>, GrammarError> {
    whole(Part::Columns, value, |input| list(input, name))
}

fn item(input: &mut &str) -> Parsed<SelectItem> {
    blanks(input)?;
    if opt('*').parse_next(input)?.is_some() {
        blanks(input)?;
        return Ok(SelectItem::Everything);
    }
    if input.starts_with("...") {
        return unsupported(input, "spread embeds (`...table(...)`)");
    }
    let first = name(input)?;
    let alias = opt(terminated(':', not(':'))).parse_next(input)?.is_some();
    let (name, alias) = if alias {
        (name(input)?, Some(first))
    } else {
        (first, None)
    };
    refuse_rest_of_grammar(&name, input)?;
    Ok(SelectItem::Column { name, alias })
}

/// What may follow a name in the whole grammar.
fn refuse_rest_of_grammar(name: &str, input: &mut &str) -> Parsed<()> {
    if input.starts_with("->") {
        unsupported(input, "JSON paths (`->`, `->>`)")
    } else if input.starts_with("::") {
        unsupported(input, "casts (`::`)")
    } else if is_aggregate(name, input) {
        unsupported(input, "aggregate functions")
    } else if input.starts_with(['(', '!']) {
        unsupported(input, "embedded resources (`table(...)`)")
    } else {
        Ok(())
    }
}

/// `count()` alone, or `.sum()` and its kin after a column.
fn is_aggregate(name: &str, rest: &str) -> bool {
    let functions = ["count()", "sum()", "avg()", "min()", "max()"];
    let after_point = |rest: &str| functions.iter().any(|function| rest.starts_with(function));
    (name == "count" && rest.starts_with("()")) || rest.strip_prefix('.').is_some_and(after_point)
}
