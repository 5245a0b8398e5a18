//! Calls of stored routines and named statements: `/rest/{database}/rpc/{function}`.
//!
//! `POST` takes the arguments from its body; the query of the URL asks things of the rows, as it
//! does of a table. `GET` and `HEAD` take both from the query: a value that begins with an
//! operator (`gt.5`) is a condition on the rows, another one an argument.

use actix_web::dev::Payload;
use actix_web::http::header::{ACCEPT, ALLOW, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, body, web};
use serde_json::json;
use tidegate_application::routines::Asked;
use tidegate_domain::gateway::routine::{Arguments, Called};
use tidegate_domain::permission::{ReadRows, WriteRows};
use tidegate_domain::query::ask::Query;
use tidegate_domain::query::change::Ending;
use tidegate_domain::query::planner::JsonRow;

use super::body::json::JsonRows;
use super::documents::{reading, shows};
use super::error::{bad_body, fault};
use super::grammar::{self, Pairs};
use super::media::{BodyType, Form};
use super::prefer::Preferences;
use super::profile::Target;
use super::read::{RANGE_UNIT, finish};
use super::{media, range, texts};
use crate::app::Services;
use crate::auth::Require;
use crate::error::ApiError;
use crate::extract::body::{BodyLimits, BodyReader};
use crate::route::{Access, RouteBuilder, RouteSpec};

/// One routine.
pub(crate) const ROUTINE: &str = "/rest/{db}/rpc/{function}";

/// Keys of a query that never are arguments.
const RESERVED: [&str; 10] = [
    "select",
    "order",
    "limit",
    "offset",
    "columns",
    "on_conflict",
    "and",
    "or",
    "not.and",
    "not.or",
];

/// The words with which a condition begins, `not` aside.
const OPERATORS: [&str; 26] = [
    "eq",
    "neq",
    "gt",
    "gte",
    "lt",
    "lte",
    "like",
    "ilike",
    "match",
    "imatch",
    "in",
    "is",
    "isdistinct",
    "fts",
    "plfts",
    "phfts",
    "wfts",
    "cs",
    "cd",
    "ov",
    "sl",
    "sr",
    "nxr",
    "nxl",
    "adj",
    "not",
];

/// The routes.
pub(crate) fn routes() -> Vec<RouteSpec> {
    let get = RouteSpec::get(
        ROUTINE,
        "readRoutine",
        "Calls a routine that writes nothing",
    )
    .description(
        "Arguments by name, beside what is asked of the rows; a value that begins with an \
             operator is a condition. A routine that writes is stopped: 405.",
    )
    .tag("rows")
    .access(Access::ReadRows);
    let post = RouteSpec::post(ROUTINE, "callRoutine", "Calls a routine")
        .description(
            "A stored function gives its value, a procedure its first result or its parameters \
             that go out. Arguments are the members of the body. Idempotency-Key is ignored here.",
        )
        .tag("rows")
        .access(Access::WriteRows)
        .body("application/json", None)
        .sent_as(json!({"harbour": "Bergen", "least_draught": 2.5}))
        .body("application/x-www-form-urlencoded", None)
        .sent_as(json!("harbour=Bergen&least_draught=2.5"));
    vec![
        answers(get).to(read_routine),
        answers(post).to(call_routine),
        RouteSpec::of(
            Method::OPTIONS,
            ROUTINE,
            "routineMethods",
            "How a routine may be called",
        )
        .tag("rows")
        .access(Access::ReadRows)
        .answers_plain(200, "The methods, in `Allow`")
        .answers_plain(404, "There is no such routine")
        .to(routine_methods),
    ]
}

fn answers(route: RouteBuilder) -> RouteBuilder {
    shows(
        shows(reading(route), 200, "What the routine gives"),
        206,
        "The rows, of which there are more, where they are counted",
    )
    .answers_plain(204, "It gives nothing")
    .answers_plain(300, "A function and a procedure have this name")
    .answers_plain(
        402,
        "An example of a status that a routine chose: `SIGNAL SQLSTATE 'PT402'`",
    )
    .answers_plain(404, "No routine has this name and takes these arguments")
    .answers_plain(405, "It writes, and was called by `GET`")
    .answers_plain(409, "A constraint refuses a row")
    .answers_plain(416, "There are no rows at this offset")
}

async fn read_routine(
    Require(auth): Require<ReadRows>,
    services: web::Data<Services>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let at = Target::of(&services, &auth, &request).await?;
    let (arguments, others) = split(grammar::decode(request.query_string())?);
    let mut head = Head::of(&request, &others)?;
    if request.method() == Method::GET {
        let unit = texts(&request, RANGE_UNIT).next();
        range::narrow(&mut head.query, texts(&request, RANGE).next(), unit)?;
    }
    let arguments = Arguments::Texts(arguments);
    let called = services
        .routines
        .read(&auth, &head.asked(&at, &arguments))
        .await?;
    Ok(at.mark(head.answer(&request, called)?))
}

async fn call_routine(
    Require(auth): Require<WriteRows>,
    services: web::Data<Services>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let at = Target::of(&services, &auth, &request).await?;
    let pairs = grammar::decode(request.query_string())?;
    let head = Head::of(&request, &pairs)?;
    let arguments = arguments(&request, payload.into_inner(), head.columns.as_deref()).await?;
    let called = services
        .routines
        .call(&auth, &head.asked(&at, &arguments))
        .await?;
    Ok(at.mark(head.answer(&request, called)?))
}

async fn routine_methods(
    Require(auth): Require<ReadRows>,
    services: web::Data<Services>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let at = Target::of(&services, &auth, &request).await?;
    let reads = services
        .routines
        .only_reads(&auth, &at.database, &at.table)
        .await?;
    let allow = if reads {
        "OPTIONS,GET,HEAD,POST"
    } else {
        "OPTIONS,POST"
    };
    let answer = HttpResponse::Ok().insert_header((ALLOW, allow)).finish();
    Ok(at.mark(answer))
}

/// What a call says beside its arguments.
struct Head {
    query: Query,
    columns: Option<Vec<String>>,
    preferences: Preferences,
    form: Form,
}

impl Head {
    fn of(request: &HttpRequest, pairs: &Pairs) -> Result<Self, ApiError> {
        let form = media::negotiate(texts(request, ACCEPT))?;
        let preferences = Preferences::of(request)?;
        let asked = grammar::parse_pairs(pairs)?;
        let mut query = asked.query;
        query.count = preferences.count;
        query.zone = preferences.zone();
        Ok(Self {
            query,
            columns: asked.columns,
            preferences,
            form,
        })
    }

    fn asked<'a>(&'a self, at: &'a Target, arguments: &'a Arguments) -> Asked<'a> {
        Asked {
            database: &at.database,
            name: &at.table,
            arguments,
            query: &self.query,
            encoding: self.form.encoding,
            ending: Ending {
                rollback: self.preferences.rolls_back(),
                most: self.preferences.most(),
                single: self.form.single,
            },
        }
    }

    fn answer(&self, request: &HttpRequest, called: Called) -> Result<HttpResponse, ApiError> {
        let applied = Preferences {
            resolution: None,
            missing: None,
            returning: None,
            ..self.preferences.clone()
        }
        .applied();
        let Some(body) = called.body else {
            let mut response = HttpResponse::NoContent();
            finish(&mut response, applied);
            return Ok(response.finish());
        };
        let (offset, total) = if called.is_list {
            (self.query.offset, called.total)
        } else {
            (0, Some(called.returned))
        };
        let total = total.filter(|_| self.preferences.count.is_some());
        let status = range::status(offset, called.returned, total)?;
        let mut response = HttpResponse::build(status);
        response
            .insert_header((CONTENT_TYPE, self.form.content_type()))
            .insert_header((
                CONTENT_RANGE,
                range::content_range(offset, called.returned, total),
            ));
        finish(&mut response, applied);
        if request.method() == Method::HEAD {
            return Ok(without_body(response));
        }
        let form = Form {
            // A value stands by itself anyway.
            single: self.form.single && called.is_list,
            ..self.form
        };
        Ok(response.body(form.written(body)))
    }
}

/// An answer to `HEAD`: of no known length, as that of a table.
fn without_body(mut response: HttpResponseBuilder) -> HttpResponse {
    response.message_body(body::None::new()).map_or_else(
        |_| HttpResponse::new(StatusCode::INTERNAL_SERVER_ERROR),
        HttpResponse::map_into_boxed_body,
    )
}

/// Parts arguments from what is asked of the rows.
fn split(pairs: Pairs) -> (Vec<(String, String)>, Pairs) {
    pairs.into_iter().partition(|(key, value)| {
        !RESERVED.contains(&key.as_str()) && !key.contains('.') && !has_operator(value)
    })
}

/// Whether a value begins like a condition: `eq.`, `not.in.`, `like(any).`, `fts(english).`.
fn has_operator(value: &str) -> bool {
    let end = value.find(['.', '(']);
    let word = end.and_then(|end| value.get(..end));
    word.is_some_and(|word| OPERATORS.contains(&word))
}

/// Reads the arguments of a body: an object, a form, or nothing.
async fn arguments(
    request: &HttpRequest,
    payload: Payload,
    columns: Option<&[String]>,
) -> Result<Arguments, ApiError> {
    let form = media::body_type(texts(request, CONTENT_TYPE).next())?;
    if form == BodyType::Csv {
        return Err(fault(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "PGRST102",
            "A routine takes application/json or application/x-www-form-urlencoded",
        ));
    }
    let body = BodyReader::new(request, payload, BodyLimits::of(request))
        .read()
        .await?;
    let counts = |name: &str| columns.is_none_or(|columns| columns.iter().any(|it| it == name));
    if form == BodyType::Form {
        let mut pairs = pairs(&body)?;
        pairs.retain(|(name, _)| counts(name));
        return Ok(Arguments::Texts(pairs));
    }
    let mut members = object(&body)?;
    members.retain(|name, _| counts(name));
    Ok(Arguments::Json(members))
}

fn pairs(body: &Bytes) -> Result<Pairs, ApiError> {
    let text = std::str::from_utf8(body).map_err(|_| bad_body("The form is not UTF-8"))?;
    Ok(grammar::decode(text)?)
}

/// The one object of a body; no body is an object without members.
fn object(body: &Bytes) -> Result<JsonRow, ApiError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(JsonRow::new());
    }
    let rows = JsonRows::parse(body)?;
    if rows.len() > 1 {
        return Err(bad_body("A routine takes one JSON object")
            .details(format!("the body has {}", rows.len())));
    }
    Ok(rows.row(0)?.unwrap_or_default())
}

/// How a path of this pattern answers a method that it has not; `None` for other patterns.
pub(crate) fn other_method(pattern: &str, method: &Method) -> Option<ApiError> {
    (pattern.trim_end_matches('/') == ROUTINE).then(|| {
        fault(
            StatusCode::METHOD_NOT_ALLOWED,
            "PGRST101",
            format!("Cannot use the {method} method on RPC"),
        )
        .header(ALLOW, "OPTIONS,GET,HEAD,POST")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_are_told_from_arguments() {
        for value in [
            "eq.1",
            "not.in.(1)",
            "like(any).{a}",
            "fts(english).x",
            "is.null",
            "gt.",
        ] {
            assert!(has_operator(value), "{value}");
        }
        for value in ["", "eq", "1.5", "equal.1", "Eq.1", "a,eq.1", "{1,2}"] {
            assert!(!has_operator(value), "{value}");
        }
        let pairs = grammar::decode("a=1&a=gt.1&select=x&t.limit=1&b=&limit=3").unwrap();
        let (arguments, others) = split(pairs);
        let names = |pairs: &[(String, String)]| -> Vec<String> {
            pairs.iter().map(|(name, _)| name.clone()).collect()
        };
        assert_eq!(names(&arguments), ["a", "b"]);
        assert_eq!(names(&others), ["a", "select", "t.limit", "limit"]);
    }

    #[test]
    fn one_object_or_none() {
        let read = |text: &'static str| object(&Bytes::from_static(text.as_bytes()));
        assert!(read(" \n").unwrap().is_empty());
        assert_eq!(read(r#"{"a": 1.10}"#).unwrap()["a"].to_string(), "1.10");
        for text in ["[{},{}]", "1", "{", "null"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
