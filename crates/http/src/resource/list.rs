//! Lists of records: what may be asked of them, and their two forms.

use actix_web::{HttpRequest, HttpResponse};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use tidegate_application::crud::UseCases;
use tidegate_domain::account::UserId;
use tidegate_domain::error::InvalidInput;
use tidegate_domain::page::PageRequest;
use tidegate_domain::permission::Authorized;
use tidegate_domain::resource::{ListRequest, Listed, Paging, Read, Resource};

use crate::conditional::Tagged;
use crate::context::RequestContext;
use crate::error::ApiError;
use crate::extract::fields;
use crate::paging;

/// Answers a list, of one owner's records where one is given.
pub(super) async fn answer<R: Resource, U: UseCases<R>>(
    auth: &Authorized<Read<R>>,
    use_cases: &U,
    context: &RequestContext,
    request: &HttpRequest,
    owner: Option<UserId>,
) -> Result<HttpResponse, ApiError> {
    let counted = paging::counted(request);
    let (asked, number) = asked::<R>(request, counted)?;
    let Listed { items, total } = use_cases.list(auth, &asked, owner).await?;
    let page = asked.page;
    match R::SPEC.list.paging {
        Paging::Pages => {
            let total = total.unwrap_or(0);
            let view = PageView {
                page: number,
                limit: page.limit,
                total,
                name: R::SPEC.plural,
                items: &items,
            };
            let mut response = Tagged::new(&view)?.answer(request)?;
            paging::describe(response.headers_mut(), request, context, page, total);
            Ok(response)
        }
        Paging::Array { parameter } => {
            let mut response = Tagged::new(&items)?.answer(request)?;
            let window = paging::Window {
                parameter,
                page,
                returned: items.len() as u64,
                total,
            };
            window.describe(response.headers_mut(), request, context);
            Ok(response)
        }
    }
}

/// A page as an object.
struct PageView<'a, T> {
    page: i64,
    limit: u64,
    total: u64,
    name: &'static str,
    items: &'a [T],
}

impl<T: Serialize> Serialize for PageView<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("page", &self.page)?;
        map.serialize_entry("limit", &self.limit)?;
        map.serialize_entry("total", &self.total)?;
        map.serialize_entry(self.name, self.items)?;
        map.end()
    }
}

/// What the query asks for, and the number of the page where pages have one.
fn asked<R: Resource>(
    request: &HttpRequest,
    counted: bool,
) -> Result<(ListRequest, i64), ApiError> {
    let list = R::SPEC.list;
    let (parameter, first) = match list.paging {
        Paging::Pages => ("page", 1),
        Paging::Array { parameter } => (parameter, 0),
    };
    let mut faults = InvalidInput::default();
    let mut limit = i64::try_from(list.limit).unwrap_or(i64::MAX);
    let mut start = first;
    let mut asked = ListRequest {
        search: Vec::new(),
        sort: R::SPEC.key,
        descending: false,
        page: PageRequest {
            limit: 1,
            offset: 0,
        },
        counted: counted || list.paging == Paging::Pages,
    };
    for (name, value) in fields::pairs(request.query_string().as_bytes(), "query")? {
        let fault = match name.as_ref() {
            "limit" => number(&value).map(|number| limit = number).err(),
            name if name == parameter => number(&value).map(|number| start = number).err(),
            "sort_by" if !list.sort.is_empty() => {
                match list.sort.iter().find(|column| **column == value) {
                    Some(column) => {
                        asked.sort = column;
                        None
                    }
                    None => Some(format!("must be one of `{}`", list.sort.join("`, `"))),
                }
            }
            "order" if !list.sort.is_empty() => match value.as_ref() {
                order @ ("asc" | "desc") => {
                    asked.descending = order == "desc";
                    None
                }
                _ => Some("must be `asc` or `desc`".to_owned()),
            },
            name => match list.search.iter().find(|(parameter, _)| *parameter == name) {
                // Every text holds the empty one, and so does a column without a text.
                Some(_) if value.is_empty() => None,
                Some((_, column)) => {
                    asked.search.push((column, value.into_owned()));
                    None
                }
                None => Some("is not known here".to_owned()),
            },
        };
        if let Some(fault) = fault {
            faults.collect("", Err::<(), _>(InvalidInput::member(&name, fault)));
        }
    }
    let page = match list.paging {
        Paging::Pages => PageRequest::page(start, limit, list.max),
        Paging::Array { .. } => PageRequest::window(parameter, start, limit, list.max),
    };
    if let Some(page) = faults.collect("", page) {
        asked.page = page;
    }
    faults.into_result()?;
    Ok((asked, start))
}

fn number(text: &str) -> Result<i64, String> {
    text.parse()
        .map_err(|_| "must be a whole number of 64 bits".to_owned())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use tidegate_domain::employee::Employee;
    use tidegate_domain::item::Item;

    use super::*;

    fn parse<R: Resource>(query: &str) -> Result<(ListRequest, i64), (u16, String)> {
        let request = TestRequest::with_uri(&format!("/x?{query}")).to_http_request();
        asked::<R>(&request, false)
            .map_err(|error| (error.status().as_u16(), error.detail().to_owned()))
    }

    #[test]
    fn what_is_left_out_has_the_resources_defaults() {
        let (items, page) = parse::<Item>("").unwrap();
        assert_eq!(
            (items.page.limit, items.page.offset, page, items.counted),
            (20, 0, 1, true)
        );
        let (employees, _) = parse::<Employee>("city=a%25&limit=5000&offset=7&order=desc").unwrap();
        assert_eq!((employees.page.limit, employees.page.offset), (1000, 7));
        assert_eq!(
            (employees.sort, employees.descending, employees.counted),
            ("emp_id", true, false)
        );
        assert_eq!(employees.search, [("city", "a%".to_owned())]);
        assert!(parse::<Employee>("city=").unwrap().0.search.is_empty());
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (query, detail) in [
            ("limit=0", "limit: must be 1 or more"),
            ("limit=x", "limit: must be a whole number of 64 bits"),
            ("offset=-1", "offset: must be 0 or more"),
            (
                "sort_by=salary",
                "sort_by: must be one of `emp_id`, `emp_name`, `emp_dob`, `city`, `country`",
            ),
            ("order=up", "order: must be `asc` or `desc`"),
            ("page=1", "page: is not known here"),
            ("city=a&city=b", "city: is given twice"),
        ] {
            assert_eq!(
                parse::<Employee>(query).unwrap_err(),
                (422, detail.to_owned())
            );
        }
        assert_eq!(parse::<Item>("sort_by=name").unwrap_err().0, 422);
        assert_eq!(
            parse::<Item>("page=0").unwrap_err().1,
            "page: must be 1 or more"
        );
        assert_eq!(parse::<Item>("name=%ff").unwrap_err().0, 400);
    }
}
