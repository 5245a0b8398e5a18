//! Windows into a result: the `Range` header in, `Content-Range` and the status out.

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_RANGE;
use tidegate_domain::query::ask::Query;

use super::error::fault;
use super::grammar::GrammarError;
use crate::error::ApiError;

/// Narrows the window of `query` to that of a `Range` header in rows, such as `0-9` or
/// `10-`. A header of another unit or shape (`bytes=0-9`) is not for us and says nothing.
///
/// # Errors
/// A range that ends before it begins, by itself or where it meets `limit` and `offset`.
pub fn narrow(
    query: &mut Query,
    range: Option<&str>,
    unit: Option<&str>,
) -> Result<(), GrammarError> {
    if unit.is_some_and(|unit| !unit.trim().eq_ignore_ascii_case("items")) {
        return Ok(());
    }
    let Some((first, last)) = range.and_then(bounds) else {
        return Ok(());
    };
    if last.is_some_and(|last| last < first) {
        return Err(GrammarError::EmptyRange);
    }
    let offset = query.offset.max(first);
    // One past the last row, by the header and by `limit`.
    let ends = [
        last.map(|last| last.saturating_add(1)),
        query.limit.map(|limit| query.offset.saturating_add(limit)),
    ];
    let end = ends.into_iter().flatten().min();
    if query.limit != Some(0) {
        if end.is_some_and(|end| end <= offset) {
            return Err(GrammarError::EmptyRange);
        }
        query.limit = end.map(|end| end - offset);
    }
    query.offset = offset;
    Ok(())
}

fn bounds(range: &str) -> Option<(u64, Option<u64>)> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().unwrap_or(u64::MAX).min(i64::MAX as u64))
    };
    let (first, last) = range.trim().split_once('-')?;
    Some((
        number(first)?,
        if last.is_empty() {
            None
        } else {
            Some(number(last)?)
        },
    ))
}

/// The value of `Content-Range`: `from-to/total`, with `*` for what is empty or not known.
#[must_use]
pub fn content_range(offset: u64, returned: u64, total: Option<u64>) -> String {
    let total = total.map_or_else(|| "*".to_owned(), |total| total.to_string());
    match returned.checked_sub(1) {
        Some(more) => format!("{offset}-{}/{total}", offset.saturating_add(more)),
        None => format!("*/{total}"),
    }
}

/// The status of a read: 206 when it is known that there are more rows than are returned.
///
/// # Errors
/// 416 for an offset past the end, where the end is known.
pub fn status(offset: u64, returned: u64, total: Option<u64>) -> Result<StatusCode, ApiError> {
    match total {
        Some(total) if offset > total => Err(fault(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "PGRST103",
            "Requested range not satisfiable",
        )
        .details(format!(
            "An offset of {offset} was requested, but there are only {total} rows."
        ))
        .header(CONTENT_RANGE, &content_range(offset, 0, Some(total)))),
        Some(total) if returned < total => Ok(StatusCode::PARTIAL_CONTENT),
        _ => Ok(StatusCode::OK),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn narrowed(limit: Option<u64>, offset: u64, range: &str) -> Option<(u64, Option<u64>)> {
        let mut query = Query {
            limit,
            offset,
            ..Query::default()
        };
        narrow(&mut query, Some(range), Some("items")).ok()?;
        Some((query.offset, query.limit))
    }

    #[test]
    fn the_header_meets_limit_and_offset() {
        assert_eq!(narrowed(None, 0, "0-9"), Some((0, Some(10))));
        assert_eq!(narrowed(None, 0, "10-"), Some((10, None)));
        assert_eq!(narrowed(Some(5), 3, "0-9"), Some((3, Some(5))));
        assert_eq!(narrowed(Some(50), 3, "5-9"), Some((5, Some(5))));
        assert_eq!(
            narrowed(Some(4), 0, "2-99999999999999999999999"),
            Some((2, Some(2)))
        );
        assert_eq!(narrowed(Some(0), 0, "5-9"), Some((5, Some(0))));
        assert_eq!(narrowed(None, 0, "0-0"), Some((0, Some(1))));
        for range in ["9-0", "10-2"] {
            assert_eq!(narrowed(None, 0, range), None, "{range}");
        }
        assert_eq!(narrowed(Some(2), 0, "5-9"), None);
        assert_eq!(narrowed(None, 20, "5-9"), None);
    }

    #[test]
    fn other_ranges_say_nothing() {
        for range in ["bytes=0-9", "-5", "a-b", "", "0", "1-2-3"] {
            assert_eq!(narrowed(None, 7, range), Some((7, None)), "{range}");
        }
        let mut query = Query::default();
        narrow(&mut query, Some("3-4"), Some("bytes")).unwrap();
        assert_eq!(query, Query::default());
    }

    #[test]
    fn content_range_and_status_follow_the_count() {
        for (offset, returned, total, text, code) in [
            (0, 3, None, "0-2/*", 200),
            (0, 0, None, "*/*", 200),
            (9, 0, None, "*/*", 200),
            (0, 3, Some(3), "0-2/3", 200),
            (0, 0, Some(0), "*/0", 200),
            (1, 2, Some(10), "1-2/10", 206),
            (3, 0, Some(3), "*/3", 206),
            (
                u64::MAX,
                5,
                None,
                "18446744073709551615-18446744073709551615/*",
                200,
            ),
        ] {
            assert_eq!(content_range(offset, returned, total), text);
            assert_eq!(status(offset, returned, total).unwrap().as_u16(), code);
        }
        let error = status(4, 0, Some(3)).unwrap_err();
        assert_eq!(
            (error.status().as_u16(), error.code()),
            (416, "range_not_satisfiable")
        );
    }
}
