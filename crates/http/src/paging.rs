//! Headers of lists: `Link` (RFC 8288) to the pages around, and `X-Total-Count` where
//! `Prefer: count=exact` asks for it.

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, LINK};
use tidegate_domain::page::PageRequest;

use crate::context::RequestContext;

static TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");
static PREFER: HeaderName = HeaderName::from_static("prefer");

/// Adds the headers of a list that is asked for by `page` and `limit`.
pub fn describe(
    headers: &mut HeaderMap,
    request: &HttpRequest,
    context: &RequestContext,
    page: PageRequest,
    total: u64,
) {
    let base = format!("{}{}", context.base_url, request.uri().path());
    let links = links(&base, request.query_string(), page, total);
    if let Ok(links) = HeaderValue::from_str(&links) {
        headers.insert(LINK, links);
    }
    let counts = request.headers().get_all(&PREFER).any(|line| {
        line.to_str().is_ok_and(|line| {
            line.split(',')
                .any(|preference| preference.trim() == "count=exact")
        })
    });
    if counts {
        headers.insert(TOTAL_COUNT.clone(), HeaderValue::from(total));
    }
}

/// The links to the first, previous, next and last page; other parameters stay.
fn links(base: &str, query: &str, page: PageRequest, total: u64) -> String {
    let others: Vec<&str> = query
        .split('&')
        .filter(|pair| {
            !pair.is_empty() && !matches!(pair.split('=').next(), Some("page" | "limit"))
        })
        .collect();
    let number = page.offset / page.limit + 1;
    let last = total.div_ceil(page.limit).max(1);
    let mut pages = vec![("first", 1)];
    if number > 1 {
        pages.push(("prev", (number - 1).min(last)));
    }
    if number < last {
        pages.push(("next", number + 1));
    }
    pages.push(("last", last));
    let link = |(relation, number): (&str, u64)| {
        let mut query = others.join("&");
        if !query.is_empty() {
            query.push('&');
        }
        format!(
            "<{base}?{query}page={number}&limit={}>; rel=\"{relation}\"",
            page.limit
        )
    };
    pages.into_iter().map(link).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relations(number: i64, total: u64) -> String {
        let page = PageRequest::page(number, 10, 100).unwrap();
        links(
            "http://h/users",
            "page=9&username=a%20b&limit=1",
            page,
            total,
        )
    }

    #[test]
    fn the_pages_around_are_linked_and_other_parameters_stay() {
        let link = |number: u64, relation: &str| {
            format!("<http://h/users?username=a%20b&page={number}&limit=10>; rel=\"{relation}\"")
        };
        assert_eq!(
            relations(2, 25),
            [
                link(1, "first"),
                link(1, "prev"),
                link(3, "next"),
                link(3, "last")
            ]
            .join(", ")
        );
        assert_eq!(
            relations(1, 0),
            [link(1, "first"), link(1, "last")].join(", ")
        );
        assert_eq!(
            relations(9, 25),
            [link(1, "first"), link(3, "prev"), link(3, "last")].join(", ")
        );
    }
}
