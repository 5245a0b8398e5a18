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
    let links = links(&base(request, context), request.query_string(), page, total);
    add(headers, request, &links, Some(total));
}

/// The part of a list that is asked for by a number of entries to pass over.
pub struct Window<'a> {
    /// The query parameter with that number.
    pub parameter: &'a str,
    /// What was asked for.
    pub page: PageRequest,
    /// How many entries there were.
    pub returned: u64,
    /// How many entries the list has, if they were counted.
    pub total: Option<u64>,
}

impl Window<'_> {
    /// Adds the headers.
    pub fn describe(
        &self,
        headers: &mut HeaderMap,
        request: &HttpRequest,
        context: &RequestContext,
    ) {
        let links = self.links(&base(request, context), request.query_string());
        add(headers, request, &links, self.total);
    }

    /// The links to the first, previous and next part, and to the last one where it is known.
    fn links(&self, base: &str, query: &str) -> String {
        let PageRequest { limit, offset } = self.page;
        let mut parts = vec![("first", 0)];
        if offset > 0 {
            parts.push(("prev", offset.saturating_sub(limit)));
        }
        let after = offset.saturating_add(limit);
        if self
            .total
            .map_or(self.returned == limit, |total| after < total)
        {
            parts.push(("next", after));
        }
        if let Some(total) = self.total {
            parts.push(("last", total.saturating_sub(1) / limit * limit));
        }
        let parts = parts.into_iter();
        let others = others(query, self.parameter);
        let link = |(relation, offset)| {
            let parameter = self.parameter;
            format!("<{base}?{others}{parameter}={offset}&limit={limit}>; rel=\"{relation}\"")
        };
        parts.map(link).collect::<Vec<_>>().join(", ")
    }
}

/// Whether a request asks for the number of all entries.
pub fn counted(request: &HttpRequest) -> bool {
    request.headers().get_all(&PREFER).any(|line| {
        line.to_str().is_ok_and(|line| {
            line.split(',')
                .any(|preference| preference.trim() == "count=exact")
        })
    })
}

fn base(request: &HttpRequest, context: &RequestContext) -> String {
    format!("{}{}", context.base_url, request.uri().path())
}

fn add(headers: &mut HeaderMap, request: &HttpRequest, links: &str, total: Option<u64>) {
    if let Ok(links) = HeaderValue::from_str(links) {
        headers.insert(LINK, links);
    }
    if let Some(total) = total.filter(|_| counted(request)) {
        headers.insert(TOTAL_COUNT.clone(), HeaderValue::from(total));
    }
}

/// The parameters of a query that say nothing of the page, each followed by `&`.
fn others(query: &str, parameter: &str) -> String {
    query
        .split('&')
        .filter(|pair| {
            let name = pair.split('=').next();
            !pair.is_empty() && name != Some("limit") && name != Some(parameter)
        })
        .flat_map(|pair| [pair, "&"])
        .collect()
}

/// The links to the first, previous, next and last page; other parameters stay.
fn links(base: &str, query: &str, page: PageRequest, total: u64) -> String {
    let others = others(query, "page");
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
        let limit = page.limit;
        format!("<{base}?{others}page={number}&limit={limit}>; rel=\"{relation}\"")
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

    #[test]
    fn a_window_links_the_parts_around_it() {
        let window = |offset: i64, returned, total| {
            let page = PageRequest::window("skip", offset, 10, 100).unwrap();
            let window = Window {
                parameter: "skip",
                page,
                returned,
                total,
            };
            window.links("http://h/posts", "search=x&skip=3")
        };
        let link = |offset: u64, relation: &str| {
            format!("<http://h/posts?search=x&skip={offset}&limit=10>; rel=\"{relation}\"")
        };
        assert_eq!(
            window(5, 10, None),
            [link(0, "first"), link(0, "prev"), link(15, "next")].join(", ")
        );
        assert_eq!(window(0, 9, None), link(0, "first"));
        assert_eq!(
            window(10, 10, Some(25)),
            [
                link(0, "first"),
                link(0, "prev"),
                link(20, "next"),
                link(20, "last")
            ]
            .join(", ")
        );
        assert_eq!(
            window(0, 0, Some(0)),
            [link(0, "first"), link(0, "last")].join(", ")
        );
    }
}
