//! The pairs of a query, decoded, and their canonical order.

use std::fmt::Write;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::error::GrammarError;

/// Keys and values in the order of the URL.
pub type Pairs = Vec<(String, String)>;

/// What stays as it is in a canonical query: RFC 3986's unreserved characters.
pub(crate) const ESCAPED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Splits at `&`, then at the first `=`; `+` is a blank, `%XX` a byte.
///
/// # Errors
/// [`GrammarError::Encoding`] for bytes that are not UTF-8.
pub fn decode(query: &str) -> Result<Pairs, GrammarError> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((text(key)?, text(value)?))
        })
        .collect()
}

fn text(encoded: &str) -> Result<String, GrammarError> {
    let blanks = encoded.replace('+', " ");
    percent_decode_str(&blanks)
        .decode_utf8()
        .map(Into::into)
        .map_err(|_| GrammarError::Encoding)
}

/// The same query for all orders of the same pairs: sorted by key, encoded one way. Pairs
/// of one key keep their order, which may mean something.
#[must_use]
pub fn canonical(pairs: &Pairs) -> String {
    let mut sorted: Vec<_> = pairs.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    let mut query = String::new();
    for (key, value) in sorted {
        if !query.is_empty() {
            query.push('&');
        }
        // Writing into a string cannot fail.
        let _ = write!(
            query,
            "{}={}",
            utf8_percent_encode(key, &ESCAPED),
            utf8_percent_encode(value, &ESCAPED)
        );
    }
    query
}
