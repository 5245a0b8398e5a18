//! Writing rows: `POST`, `PATCH`, `PUT` and `DELETE`.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, CONTENT_RANGE, CONTENT_TYPE, LOCATION};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use percent_encoding::utf8_percent_encode;
use serde_json::Value;
use tidegate_application::error::AppError;
use tidegate_application::idempotency::Reply;
use tidegate_application::rows::{Change, NewRows, Rows};
use tidegate_domain::gateway::port::{Encoding, RowInput, Written};
use tidegate_domain::idempotency::Answer;
use tidegate_domain::permission::{Authorized, ReadRows, WriteRows};
use tidegate_domain::query::ask::{Query, SelectItem, Selected};
use tidegate_domain::query::change::{Ending, OnConflict, Resolution};
use tidegate_domain::query::error::QueryError;
use tidegate_domain::query::plan::InsertPlan;
use tidegate_domain::query::planner::JsonRow;

use super::body::json::{JsonRows, Listed};
use super::body::{csv, form};
use super::error::{bad_body, fault, unsupported};
use super::grammar::{self, Asked};
use super::import;
use super::media::{self, BodyType, Form};
use super::prefer::{Missing, Preferences, Return};
use super::range::content_range;
use super::read::{finish, whole};
use super::repeat::{Keyed, kept};
use super::texts;
use crate::error::ApiError;
use crate::extract::body::{BodyLimits, BodyReader};
use crate::idempotency::replayed;

/// The largest representation that is kept for a repetition, in bytes; a packet of 16 MiB, the
/// least that servers are set up for by default, has to hold it. Whoever repeats a larger one
/// learns that it was carried out, and not which rows came of it.
const LARGEST_KEPT: usize = 8 * 1024 * 1024;

/// What the head of a write says.
struct Head {
    asked: Asked,
    preferences: Preferences,
    form: Form,
}

impl Head {
    fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        let form = media::negotiate(texts(request, ACCEPT))?;
        let preferences = Preferences::of(request)?;
        let mut asked = grammar::parse(request.query_string())?;
        asked.query.zone = preferences.zone();
        Ok(Self {
            asked,
            preferences,
            form,
        })
    }

    fn shows_rows(&self) -> bool {
        self.preferences.returning == Some(Return::Representation)
    }

    fn has_window(&self) -> bool {
        self.asked.query.limit.is_some() || self.asked.query.offset > 0
    }

    /// A window would say which rows are written, or which of them are shown. Neither is
    /// offered, and to pass over it would write or show more than was asked for.
    fn refuse_window(&self) -> Result<(), ApiError> {
        if self.has_window() {
            return Err(unsupported("limits and offsets of writes"));
        }
        Ok(())
    }

    fn ending(&self, most: Option<u64>) -> Ending {
        Ending {
            rollback: self.preferences.rolls_back(),
            most,
            single: self.form.single,
        }
    }

    /// How rows are changed or deleted.
    fn change(&self, most: Option<u64>) -> Change<'_> {
        Change {
            query: &self.asked.query,
            returning: self.shows_rows(),
            ending: self.ending(most),
            encoding: self.form.encoding,
        }
    }

    /// An update or deletion was answered with so many rows.
    fn changed(&self, written: Written, from: u64, applied: &Preferences) -> HttpResponse {
        let total = self.preferences.counts_written().then_some(written.rows);
        let status = match written.representation {
            Some(_) => StatusCode::OK,
            None => StatusCode::NO_CONTENT,
        };
        let mut response = self.answer(status, written.representation, applied);
        header(&mut response, CONTENT_RANGE, &content_range(0, from, total));
        response
    }

    /// The answer, with the rows where there are some to show.
    fn answer(
        &self,
        status: StatusCode,
        rows: Option<Bytes>,
        applied: &Preferences,
    ) -> HttpResponse {
        let mut response = HttpResponse::build(status);
        finish(&mut response, applied.applied());
        match rows {
            Some(rows) => response
                .insert_header((CONTENT_TYPE, self.form.content_type()))
                .body(self.form.written(rows)),
            None => response.finish(),
        }
    }
}

fn header(response: &mut HttpResponse, name: actix_web::http::header::HeaderName, value: &str) {
    if let Ok(value) = value.parse() {
        response.headers_mut().insert(name, value);
    }
}

/// Answers an insert of the body's rows: 201, or 200 where all of them were there already and
/// were merged. One that was carried out before is answered as it was then.
///
/// # Errors
/// A request that cannot be read or does not fit the table; a constraint; a repetition under way
/// or with another content. Nothing is stored then.
pub async fn insert(
    rows: &Rows,
    auth: &Authorized<WriteRows>,
    request: &HttpRequest,
    payload: Payload,
    names: (&str, &str),
) -> Result<HttpResponse, ApiError> {
    let head = Head::of(request)?;
    if head.shows_rows() {
        head.refuse_window()?;
    }
    let form = body_type(request)?;
    // Where a new row is found is told of one row, which a file is not made for.
    let located = match head.preferences.returning {
        Some(Return::Headers) if form != BodyType::Csv => located_by(rows, auth, names).await?,
        _ => None,
    };
    let on_conflict = head.preferences.resolution.map(|resolution| OnConflict {
        resolution,
        columns: head.asked.on_conflict.clone(),
    });
    let resolved = OnceLock::new();
    let answer = |written: Written| {
        inserted(
            &head,
            names,
            resolved.get() == Some(&true),
            &located,
            written,
        )
    };
    let keyed = Keyed::of(auth, request, Some(names.0))?;
    let target = Target {
        rows,
        auth,
        names,
        listed: head.asked.columns.as_deref().map(|columns| Listed {
            columns,
            default: head.preferences.missing == Some(Missing::Default),
        }),
        how: NewRows {
            returning: match &located {
                Some(query) => Some(query),
                None => head.shows_rows().then_some(&head.asked.query),
            },
            on_conflict: on_conflict.as_ref(),
            ending: head.ending(None),
        },
        resolved: &resolved,
        encoding: match located {
            Some(_) => Encoding::Json,
            None => head.form.encoding,
        },
        keyed: keyed.as_ref(),
        keep: &|written| {
            // That of an import may be as large as the import.
            let rows = written.representation.as_ref();
            let small = rows.filter(|rows| form != BodyType::Csv && rows.len() <= LARGEST_KEPT);
            let representation = small.cloned();
            kept(answer(Written {
                representation,
                ..*written
            }))
        },
    };
    let reply = if form == BodyType::Csv {
        let body = BodyReader::new(request, payload, BodyLimits::of_import(request));
        let keyed = keyed.as_ref().map(|keyed| keyed.arriving(request));
        import::csv(&target, body, keyed, BodyLimits::of(request).bytes).await?
    } else {
        let body = read(request, payload).await?;
        if let Some(keyed) = &keyed {
            keyed.whole(request, &body);
        }
        if form == BodyType::Form {
            let row = Value::Object(form::row(&body)?).to_string();
            insert_json(&target, row.as_bytes()).await?
        } else {
            insert_json(&target, &body).await?
        }
    };
    Ok(match reply {
        Reply::New(written) => answer(written),
        Reply::Repeated(first) => replayed(&first),
    })
}

/// The answer to an insert.
fn inserted(
    head: &Head,
    names: (&str, &str),
    resolved: bool,
    located: &Option<Query>,
    written: Written,
) -> HttpResponse {
    let applied = Preferences {
        resolution: head.preferences.resolution.filter(|_| resolved),
        max_affected: None,
        ..head.preferences.clone()
    };
    let merged = head.preferences.resolution == Some(Resolution::Merge) && written.inserted == 0;
    let status = if merged {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let total = head.preferences.counts_written().then_some(written.rows);
    let (shown, found) = match located {
        Some(_) => (None, written.representation),
        None => (written.representation, None),
    };
    let mut response = head.answer(status, shown, &applied);
    header(&mut response, CONTENT_RANGE, &content_range(0, 0, total));
    if let Some(location) = found.and_then(|rows| location(names, &rows)) {
        header(&mut response, LOCATION, &location);
    }
    response
}

/// What tells where a new row is found: its primary key; `None` where there is none.
async fn located_by(
    rows: &Rows,
    auth: &Authorized<WriteRows>,
    (database, table): (&str, &str),
) -> Result<Option<Query>, ApiError> {
    let auth = auth.principal().authorize(ReadRows)?;
    let table = rows.table(&auth, database, table).await?;
    let key = table.primary_key.iter();
    let select: Vec<_> = key
        .map(|name| SelectItem::Column(Selected::column(name.as_str())))
        .collect();
    Ok((!select.is_empty()).then(|| Query {
        select,
        ..Query::default()
    }))
}

/// Where the one new row is found, whose key this document has.
fn location((database, table): (&str, &str), rows: &[u8]) -> Option<String> {
    let rows: Vec<JsonRow> = serde_json::from_slice(rows).ok()?;
    let [row] = rows.as_slice() else {
        return None;
    };
    let escaped = |text: &str| utf8_percent_encode(text, &grammar::ESCAPED).to_string();
    let key = row.iter().map(|(name, value)| {
        let value = match value {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        format!("{}=eq.{}", escaped(name), escaped(&value))
    });
    Some(format!(
        "/rest/{}/{}?{}",
        escaped(database),
        escaped(table),
        key.collect::<Vec<_>>().join("&")
    ))
}

/// Where rows go, and how they are shown.
pub(super) struct Target<'a> {
    rows: &'a Rows,
    auth: &'a Authorized<WriteRows>,
    names: (&'a str, &'a str),
    /// What counts of the body, where the request says so.
    pub(super) listed: Option<Listed<'a>>,
    how: NewRows<'a>,
    /// Learns whether rows could meet others.
    resolved: &'a OnceLock<bool>,
    encoding: Encoding,
    /// Where the write may be repeated.
    keyed: Option<&'a Keyed>,
    /// What is kept then.
    keep: &'a (dyn Fn(&Written) -> Answer + Send + Sync),
}

impl Target<'_> {
    /// Plans an insert of rows with these columns.
    pub(super) async fn plan(&self, columns: &[String]) -> Result<InsertPlan, AppError> {
        let plan = self
            .rows
            .plan_insert(self.auth, self.names, columns, &self.how)
            .await?;
        self.resolved.get_or_init(|| plan.conflict().is_some());
        Ok(plan)
    }

    /// Inserts rows.
    pub(super) async fn insert(
        &self,
        plan: &InsertPlan,
        input: RowInput<'_>,
    ) -> Result<Reply<Written>, AppError> {
        let request = self.keyed.map(|keyed| keyed.write(self.keep));
        self.rows
            .insert(self.auth, plan, input, self.encoding, request.as_ref())
            .await
    }
}

async fn insert_json(target: &Target<'_>, body: &[u8]) -> Result<Reply<Written>, ApiError> {
    let rows = JsonRows::parse(body)?;
    // With a key, that nothing was stored is kept beside the table.
    if rows.is_empty() && target.keyed.is_none() {
        return nothing(target).await.map(Reply::New);
    }
    let members;
    let columns = match target.listed {
        _ if rows.is_empty() => {
            members = all_columns(target).await?;
            &members
        }
        Some(listed) => listed.columns,
        None => {
            members = rows.columns()?;
            &members
        }
    };
    let plan = target.plan(columns).await?;
    let failed = AtomicUsize::new(usize::MAX);
    let cells = rows.cells(&plan, target.listed, &failed);
    target.insert(&plan, cells).await.map_err(|error| {
        let at = failed.load(Ordering::Relaxed);
        let in_a_row = matches!(error, AppError::Query(_)) && at != usize::MAX && rows.len() > 1;
        let error = ApiError::from(error);
        if in_a_row {
            error.details(format!("in the row at index {at} of the body"))
        } else {
            error
        }
    })
}

/// The columns that may be written: no row at all leaves none of them without a value.
async fn all_columns(target: &Target<'_>) -> Result<Vec<String>, ApiError> {
    let auth = target.auth.principal().authorize(ReadRows)?;
    let (database, table) = target.names;
    let table = target.rows.table(&auth, database, table).await?;
    let written = table.columns.iter().filter(|it| it.generated.is_none());
    Ok(written.map(|column| column.name.clone()).collect())
}

/// An empty array stores nothing, in a table that must be there all the same.
async fn nothing(target: &Target<'_>) -> Result<Written, ApiError> {
    target.how.ending.check(0)?;
    let auth = target.auth.principal().authorize(ReadRows)?;
    let (database, table) = target.names;
    let description = target.rows.table(&auth, database, table).await?;
    let named = |wanted: &OnConflict| wanted.columns.is_some();
    let resolves = |wanted| named(wanted) || !description.primary_key.is_empty();
    let resolved = target.how.on_conflict.is_some_and(resolves);
    target.resolved.get_or_init(|| resolved);
    let select = target
        .how
        .returning
        .map(|query| query.select.clone())
        .unwrap_or_default();
    let query = Query {
        select,
        limit: Some(0),
        ..Query::default()
    };
    let read = target
        .rows
        .read(&auth, database, table, &query, target.encoding)
        .await?;
    let representation = match target.how.returning {
        Some(_) => Some(whole(read.body).await?),
        None => None,
    };
    Ok(Written {
        rows: 0,
        inserted: 0,
        representation,
    })
}

/// Answers an update of the rows that fit: 204, or 200 with the rows.
///
/// # Errors
/// A request that cannot be read or does not fit the table; a constraint. Nothing is changed then.
pub async fn update(
    rows: &Rows,
    auth: &Authorized<WriteRows>,
    request: &HttpRequest,
    payload: Payload,
    names: (&str, &str),
) -> Result<HttpResponse, ApiError> {
    let head = Head::of(request)?;
    head.refuse_window()?;
    let columns = head.asked.columns.as_deref();
    let (row, absent) = match one_row(request, payload).await? {
        // None at all is an update of nothing.
        Some(row) if !row.is_empty() => listed(row, columns, head.preferences.missing)?,
        _ => (JsonRow::new(), Vec::new()),
    };
    let how = head.change(head.preferences.most());
    let written = rows.update(auth, names, (&row, &absent), &how).await?;
    let applied = Preferences {
        resolution: None,
        ..head.preferences.clone()
    };
    let from = written.rows;
    Ok(head.changed(written, from, &applied))
}

/// The columns that count of a row, and those that get their default: with `columns`, other
/// members are passed over, and absent ones are null unless defaults are wanted.
///
/// # Errors
/// A column that is listed twice.
fn listed(
    mut row: JsonRow,
    columns: Option<&[String]>,
    missing: Option<Missing>,
) -> Result<(JsonRow, Vec<String>), QueryError> {
    let Some(columns) = columns else {
        return Ok((row, Vec::new()));
    };
    let (mut counted, mut absent) = (JsonRow::new(), Vec::new());
    for column in columns {
        if counted.contains_key(column) || absent.contains(column) {
            return Err(QueryError::Duplicate {
                message: format!("column \"{column}\" specified more than once"),
            });
        }
        match row.remove(column) {
            Some(value) => {
                counted.insert(column.clone(), value);
            }
            None if missing == Some(Missing::Default) => absent.push(column.clone()),
            None => {
                counted.insert(column.clone(), Value::Null);
            }
        }
    }
    Ok((counted, absent))
}

/// Answers a `PUT`, which stores one row under the key that its filters name: 204, or with the
/// row 201 where it is new and 200 where it was there.
///
/// # Errors
/// A request that cannot be read or does not fit the table; filters that are not those of the
/// primary key; a row with another key; a constraint. Nothing is stored then.
pub async fn put(
    rows: &Rows,
    auth: &Authorized<WriteRows>,
    request: &HttpRequest,
    payload: Payload,
    names: (&str, &str),
) -> Result<HttpResponse, ApiError> {
    let head = Head::of(request)?;
    if head.has_window() {
        return Err(fault(
            StatusCode::BAD_REQUEST,
            "PGRST114",
            "limit/offset querystring parameters are not allowed for PUT",
        ));
    }
    let Some(row) = one_row(request, payload).await? else {
        return Err(bad_body("A PUT takes one row").hint("Send one JSON object"));
    };
    let (row, _) = listed(row, head.asked.columns.as_deref(), None)?;
    let written = rows.put(auth, names, &row, &head.change(None)).await?;
    let status = match (&written.representation, written.inserted) {
        (None, _) => StatusCode::NO_CONTENT,
        (Some(_), 0) => StatusCode::OK,
        (Some(_), _) => StatusCode::CREATED,
    };
    let applied = Preferences {
        resolution: None,
        missing: None,
        max_affected: None,
        ..head.preferences.clone()
    };
    Ok(head.answer(status, written.representation, &applied))
}

/// Answers a delete of the rows that fit: 204, or 200 with the rows as they were.
///
/// # Errors
/// A request that cannot be read or does not fit the table; a constraint. Nothing is deleted then.
pub async fn delete(
    rows: &Rows,
    auth: &Authorized<WriteRows>,
    request: &HttpRequest,
    names: (&str, &str),
) -> Result<HttpResponse, ApiError> {
    let head = Head::of(request)?;
    head.refuse_window()?;
    let how = head.change(head.preferences.most());
    let written = rows.delete(auth, names, &how).await?;
    let applied = Preferences {
        resolution: None,
        missing: None,
        ..head.preferences.clone()
    };
    Ok(head.changed(written, 0, &applied))
}

/// The one row of a body; `None` for an empty list.
async fn one_row(request: &HttpRequest, payload: Payload) -> Result<Option<JsonRow>, ApiError> {
    let form = body_type(request)?;
    let body = read(request, payload).await?;
    let (row, count) = match form {
        BodyType::Form => return form::row(&body).map(Some),
        BodyType::Json => {
            let rows = JsonRows::parse(&body)?;
            (rows.row(0)?, rows.len())
        }
        BodyType::Csv => {
            let mut file = csv::CsvRows::new(body.len().max(1));
            let (lines, last) = (file.feed(&body)?, file.finish()?);
            let count = lines.len() + last.len();
            let names = file.header().unwrap_or_default().iter().cloned();
            let row = lines.iter().chain(last.iter()).next().map(|line| {
                let value = |field: &str| Value::String(field.to_owned());
                let values = (0..).map(|at| line.field(at).map_or(Value::Null, value));
                names.zip(values).collect()
            });
            (row, count)
        }
    };
    if count > 1 {
        return Err(bad_body("One row is wanted").details(format!("the body has {count}")));
    }
    Ok(row)
}

fn body_type(request: &HttpRequest) -> Result<BodyType, ApiError> {
    media::body_type(texts(request, CONTENT_TYPE).next())
}

async fn read(request: &HttpRequest, payload: Payload) -> Result<Bytes, ApiError> {
    BodyReader::new(request, payload, BodyLimits::of(request))
        .read()
        .await
}
