//! The request grammar: from the query part of a URL to a [`Query`], what was asked.
//!
//! Keys with a meaning of their own are `select`, `columns`, `order`, `limit`, `offset`,
//! `on_conflict`, `and` and `or`; every other key names a column, and its value is a
//! condition. Nothing here knows a schema. What the whole grammar has and this cut has not
//! is told apart from mistakes and refused by name: a request is never half understood.

mod error;
mod filter;
mod lexical;
mod order;
mod pairs;
mod print;
mod select;
#[cfg(test)]
mod tests;

use tidegate_domain::query::ask::Query;

pub use self::error::{GrammarError, Part};
pub(crate) use self::pairs::ESCAPED;
pub use self::pairs::{Pairs, canonical, decode};
pub use self::print::print;

/// What the query part of a URL asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Columns, conditions, order and window.
    pub query: Query,
    /// `columns`: which members of a body count.
    pub columns: Option<Vec<String>>,
}

/// Reads the query part of a URL, without its `?`, as it came over the wire.
///
/// # Errors
/// Text that is no UTF-8, a mistake in the grammar, a negative window, or a feature that
/// is not there yet.
pub fn parse(query: &str) -> Result<Asked, GrammarError> {
    parse_pairs(&decode(query)?)
}

/// Reads decoded pairs. Pairs with an empty value say nothing. Of several `select`, `order`
/// or `columns` the first counts, of several `limit` or `offset` the last; conditions all
/// hold together.
///
/// # Errors
/// As [`parse`].
pub fn parse_pairs(pairs: &Pairs) -> Result<Asked, GrammarError> {
    let mut asked = Asked::default();
    let query = &mut asked.query;
    let (mut select, mut order) = (None, None);
    for (key, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        match key.as_str() {
            "select" => keep_first(&mut select, || select::parse(value))?,
            "order" => keep_first(&mut order, || order::parse(value))?,
            "columns" => keep_first(&mut asked.columns, || select::parse_names(value))?,
            "limit" => query.limit = Some(window(Part::Limit, value)?),
            "offset" => query.offset = window(Part::Offset, value)?,
            "and" | "or" | "not.and" | "not.or" => {
                query.logic.push(filter::parse_tree(key, value)?);
            }
            "on_conflict" => {
                return Err(GrammarError::Unsupported {
                    feature: "upserts (`on_conflict`)",
                });
            }
            _ => query.filters.push(filter::parse(key, value)?),
        }
    }
    query.select = select.unwrap_or_default();
    query.order = order.unwrap_or_default();
    Ok(asked)
}

fn keep_first<T>(
    place: &mut Option<T>,
    parse: impl FnOnce() -> Result<T, GrammarError>,
) -> Result<(), GrammarError> {
    if place.is_none() {
        *place = Some(parse()?);
    }
    Ok(())
}

/// A number of rows. One too large for any table is as good as the largest there is.
fn window(part: Part, value: &str) -> Result<u64, GrammarError> {
    let (negative, digits) = match value.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, value),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let at = digits
            .char_indices()
            .find(|(_, c)| !c.is_ascii_digit())
            .map_or(digits.len(), |(at, _)| at);
        let at = at + (value.len() - digits.len());
        return Err(GrammarError::syntax(
            part,
            value,
            at,
            ["a whole number".to_owned()],
        ));
    }
    let number = digits
        .parse::<u64>()
        .unwrap_or(u64::MAX)
        .min(i64::MAX as u64);
    if negative && number > 0 {
        Err(GrammarError::Negative { part })
    } else {
        Ok(number)
    }
}
