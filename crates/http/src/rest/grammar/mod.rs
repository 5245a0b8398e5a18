//! The request grammar: from the query part of a URL to a [`Query`], what was asked.
//!
//! Keys with a meaning of their own are `select`, `columns`, `on_conflict`, `order`, `limit`,
//! `offset`, `and` and `or`; every other key names a column, and its value is a condition. The
//! last five, and conditions, may be those of an embed, whose path stands before them. Nothing
//! here knows a schema. What PostgreSQL alone has is told apart from mistakes and refused by
//! name: a request is never half understood.

mod error;
mod filter;
mod key;
mod lexical;
mod operand;
mod order;
mod pairs;
mod print;
mod select;
#[cfg(test)]
mod tests;

use tidegate_domain::query::ask::{Query, SelectItem};

pub use self::error::{GrammarError, Part};
use self::key::Subject;
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
    /// `on_conflict`: the columns by which a row is known to be there already.
    pub on_conflict: Option<Vec<String>>,
}

/// Reads the query part of a URL, without its `?`, as it came over the wire.
///
/// # Errors
/// Text that is no UTF-8, a mistake in the grammar, a negative window, a path to what is not
/// embedded, or what PostgreSQL alone has.
pub fn parse(query: &str) -> Result<Asked, GrammarError> {
    parse_pairs(&decode(query)?)
}

/// Reads decoded pairs. Pairs with an empty value say nothing. Of several `select`, `order`,
/// `columns` or `on_conflict` the first counts, of several `limit` or `offset` the last;
/// conditions all hold together.
///
/// # Errors
/// As [`parse`].
pub fn parse_pairs(pairs: &Pairs) -> Result<Asked, GrammarError> {
    let mut asked = Asked::default();
    let mut select = None;
    // What is said of an embed waits until it is known what is embedded.
    let mut others = Vec::new();
    for (key, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        match key.as_str() {
            "select" => keep_first(&mut select, || select::parse(value))?,
            "columns" => keep_first(&mut asked.columns, || {
                select::parse_names(Part::Columns, value)
            })?,
            "on_conflict" => keep_first(&mut asked.on_conflict, || {
                select::parse_names(Part::OnConflict, value)
            })?,
            _ => others.push((key::parse(key)?, value)),
        }
    }
    asked.query.select = select.unwrap_or_default();
    for (key, value) in others {
        let query = embedded(&mut asked.query, &key.path)?;
        match key.subject {
            Subject::Operand(operand) => query.filters.push(filter::parse(operand, value)?),
            Subject::Tree { negated, any } => {
                query.logic.push(filter::parse_tree(negated, any, value)?);
            }
            Subject::Order if query.order.is_empty() => query.order = order::parse(value)?,
            Subject::Order => {}
            Subject::Limit => query.limit = Some(window(Part::Limit, value)?),
            Subject::Offset => query.offset = window(Part::Offset, value)?,
        }
    }
    Ok(asked)
}

/// What is asked of the embed at the end of a path.
fn embedded<'q>(query: &'q mut Query, path: &[String]) -> Result<&'q mut Query, GrammarError> {
    let mut query = query;
    for name in path {
        query = query
            .select
            .iter_mut()
            .find_map(|item| match item {
                SelectItem::Embed(embed) if embed.name() == name => Some(&mut embed.query),
                _ => None,
            })
            .ok_or_else(|| GrammarError::NotEmbedded { name: name.clone() })?;
    }
    Ok(query)
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
