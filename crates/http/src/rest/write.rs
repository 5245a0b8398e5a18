//! Writing rows: `POST`, `PATCH` and `DELETE`.

use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, CONTENT_RANGE, CONTENT_TYPE};
use actix_web::web::{Bytes, BytesMut};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::TryStreamExt;
use serde_json::Value;
use tidegate_application::error::AppError;
use tidegate_application::idempotency::Reply;
use tidegate_application::rows::Rows;
use tidegate_domain::gateway::port::{Encoding, RowInput, RowStream, Written};
use tidegate_domain::idempotency::Answer;
use tidegate_domain::permission::{Authorized, ReadRows, WriteRows};
use tidegate_domain::query::ask::Query;
use tidegate_domain::query::plan::InsertPlan;
use tidegate_domain::query::planner::JsonRow;

use super::body::json::{JsonRows, Listed};
use super::error::{bad_body, unsupported};
use super::grammar::{self, Asked};
use super::import;
use super::media::{self, BodyType};
use super::prefer::{Missing, Preferences, Return};
use super::range::content_range;
use super::read::{PREFER, finish};
use super::repeat::{Keyed, kept};
use super::{CONTENT_PROFILE, check_profile, texts};
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
    encoding: Encoding,
}

impl Head {
    fn of(request: &HttpRequest, database: &str) -> Result<Self, ApiError> {
        check_profile(request, CONTENT_PROFILE, database)?;
        Ok(Self {
            encoding: media::negotiate(texts(request, ACCEPT))?,
            preferences: Preferences::parse(texts(request, PREFER))?,
            asked: grammar::parse(request.query_string())?,
        })
    }

    fn shows_rows(&self) -> bool {
        self.preferences.returning == Some(Return::Representation)
    }

    /// A window would say which rows are written, or which of them are shown. Neither is
    /// offered, and to pass over it would write or show more than was asked for.
    fn refuse_window(&self) -> Result<(), ApiError> {
        let query = &self.asked.query;
        if query.limit.is_some() || query.offset > 0 {
            return Err(unsupported("limits and offsets of writes"));
        }
        Ok(())
    }

    /// The answer. `from` is whether the rows are counted from 0 in `Content-Range`.
    fn answer(
        &self,
        plain: StatusCode,
        shown: StatusCode,
        from: Option<u64>,
        written: Written,
    ) -> HttpResponse {
        let total = self.preferences.count.map(|_| written.rows);
        let range = content_range(0, from.unwrap_or(0), total);
        let mut response = HttpResponse::build(if written.representation.is_some() {
            shown
        } else {
            plain
        });
        response.insert_header((CONTENT_RANGE, range));
        let shows = written.representation.is_some();
        finish(&mut response, self.preferences.applied_to_write(shows));
        match written.representation {
            Some(rows) => response
                .insert_header((CONTENT_TYPE, media::content_type(self.encoding)))
                .body(rows),
            None => response.finish(),
        }
    }
}

/// Answers an insert of the body's rows: 201. One that was carried out before is answered as it
/// was then.
///
/// # Errors
/// A request that cannot be read or does not fit the table; a constraint; a repetition under way
/// or with another content. Nothing is stored then.
pub async fn insert(
    rows: &Rows,
    auth: &Authorized<WriteRows>,
    request: &HttpRequest,
    payload: Payload,
    (database, table): (&str, &str),
) -> Result<HttpResponse, ApiError> {
    let head = Head::of(request, database)?;
    if head.shows_rows() {
        head.refuse_window()?;
    }
    let form = body_type(request)?;
    let answer =
        |written: Written| head.answer(StatusCode::CREATED, StatusCode::CREATED, None, written);
    let keyed = Keyed::of(auth, request)?;
    let target = Target {
        rows,
        auth,
        database,
        table,
        listed: head.asked.columns.as_deref().map(|columns| Listed {
            columns,
            default: head.preferences.missing == Some(Missing::Default),
        }),
        returning: head.shows_rows().then_some(&head.asked.query),
        encoding: head.encoding,
        keyed: keyed.as_ref(),
        keep: &|written| {
            // That of an import may be as large as the import.
            let rows = written.representation.as_ref();
            let small = rows.filter(|rows| form == BodyType::Json && rows.len() <= LARGEST_KEPT);
            let representation = small.cloned();
            kept(answer(Written {
                rows: written.rows,
                representation,
            }))
        },
    };
    let reply = match form {
        BodyType::Json => {
            let body = read(request, payload).await?;
            if let Some(keyed) = &keyed {
                keyed.whole(request, &body);
            }
            insert_json(&target, &body).await?
        }
        BodyType::Csv => {
            let body = BodyReader::new(request, payload, BodyLimits::of_import(request));
            let keyed = keyed.as_ref().map(|keyed| keyed.arriving(request));
            import::csv(&target, body, keyed, BodyLimits::of(request).bytes).await?
        }
    };
    Ok(match reply {
        Reply::New(written) => answer(written),
        Reply::Repeated(first) => replayed(&first),
    })
}

/// Where rows go, and how they are shown.
pub(super) struct Target<'a> {
    pub(super) rows: &'a Rows,
    pub(super) auth: &'a Authorized<WriteRows>,
    pub(super) database: &'a str,
    pub(super) table: &'a str,
    /// What counts of the body, where the request says so.
    pub(super) listed: Option<Listed<'a>>,
    pub(super) returning: Option<&'a Query>,
    pub(super) encoding: Encoding,
    /// Where the write may be repeated.
    pub(super) keyed: Option<&'a Keyed>,
    /// What is kept then.
    pub(super) keep: &'a (dyn Fn(&Written) -> Answer + Send + Sync),
}

impl Target<'_> {
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
        Some(listed) => listed.columns,
        None => {
            members = rows.columns()?;
            &members
        }
    };
    let plan = target
        .rows
        .plan_insert(
            target.auth,
            target.database,
            target.table,
            columns,
            target.returning,
        )
        .await?;
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

/// An empty array stores nothing, in a table that must be there all the same.
async fn nothing(target: &Target<'_>) -> Result<Written, ApiError> {
    let select = target
        .returning
        .map(|query| query.select.clone())
        .unwrap_or_default();
    let query = Query {
        select,
        limit: Some(0),
        ..Query::default()
    };
    let auth = target.auth.principal().authorize(ReadRows)?;
    let read = target
        .rows
        .read(
            &auth,
            target.database,
            target.table,
            &query,
            target.encoding,
        )
        .await?;
    let representation = match target.returning {
        Some(_) => Some(whole(read.body).await?),
        None => None,
    };
    Ok(Written {
        rows: 0,
        representation,
    })
}

async fn whole(rows: RowStream) -> Result<Bytes, ApiError> {
    let whole = rows.try_fold(BytesMut::new(), async |mut whole, piece| {
        whole.extend_from_slice(&piece);
        Ok(whole)
    });
    Ok(whole.await?.freeze())
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
    (database, table): (&str, &str),
) -> Result<HttpResponse, ApiError> {
    let head = Head::of(request, database)?;
    head.refuse_window()?;
    if body_type(request)? != BodyType::Json {
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "An update takes application/json",
        )
        .rest_code("PGRST102"));
    }
    let row = one_row(
        &read(request, payload).await?,
        head.asked.columns.as_deref(),
    )?;
    let written = rows
        .update(
            auth,
            database,
            table,
            &row,
            &head.asked.query,
            head.shows_rows(),
            head.encoding,
        )
        .await?;
    let changed = written.rows;
    Ok(head.answer(
        StatusCode::NO_CONTENT,
        StatusCode::OK,
        Some(changed),
        written,
    ))
}

/// The one object of an update. None at all is an update of nothing. With `columns`, other
/// members are passed over and absent ones are null.
fn one_row(body: &[u8], columns: Option<&[String]>) -> Result<JsonRow, ApiError> {
    let rows = JsonRows::parse(body)?;
    if rows.len() > 1 {
        return Err(bad_body("An update takes one JSON object")
            .details(format!("the body has {}", rows.len())));
    }
    let Some(mut row) = rows.row(0)? else {
        return Ok(JsonRow::new());
    };
    Ok(match columns {
        None => row,
        Some(columns) => columns
            .iter()
            .map(|column| (column.clone(), row.remove(column).unwrap_or(Value::Null)))
            .collect(),
    })
}

/// Answers a delete of the rows that fit: 204, or 200 with the rows as they were.
///
/// # Errors
/// A request that cannot be read or does not fit the table; a constraint. Nothing is deleted then.
pub async fn delete(
    rows: &Rows,
    auth: &Authorized<WriteRows>,
    request: &HttpRequest,
    database: &str,
    table: &str,
) -> Result<HttpResponse, ApiError> {
    let head = Head::of(request, database)?;
    head.refuse_window()?;
    let written = rows
        .delete(
            auth,
            database,
            table,
            &head.asked.query,
            head.shows_rows(),
            head.encoding,
        )
        .await?;
    Ok(head.answer(StatusCode::NO_CONTENT, StatusCode::OK, None, written))
}

fn body_type(request: &HttpRequest) -> Result<BodyType, ApiError> {
    media::body_type(texts(request, CONTENT_TYPE).next())
}

async fn read(request: &HttpRequest, payload: Payload) -> Result<Bytes, ApiError> {
    BodyReader::new(request, payload, BodyLimits::of(request))
        .read()
        .await
}
