//! The two short routes: rows stored by key, and rows of a table as one document, without
//! the grammar of the row interface.

use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::json;
use tidegate_application::error::AppError;
use tidegate_application::idempotency::Reply;
use tidegate_application::rows::Rows;
use tidegate_domain::gateway::port::{Encoding, Upserted};
use tidegate_domain::permission::{Authorized, ReadRows, WriteRows};
use tidegate_domain::query::ask::Query;
use tidegate_domain::query::error::QueryError;
use tidegate_domain::query::planner::JsonRow;
use utoipa::{IntoParams, ToSchema};

use super::read::send;
use super::repeat::{Keyed, kept};
use crate::error::ApiError;
use crate::extract::json;
use crate::idempotency::replayed;

/// Rows to be stored by key. Nothing has a default.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InsertData {
    /// The database.
    pub db_name: String,
    /// The table.
    pub table_name: String,
    /// The rows; they may differ in their columns.
    #[schema(value_type = Vec<Object>)]
    pub data: Vec<JsonRow>,
}

/// Which rows of a table.
#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
pub struct Window {
    /// How many at most, 1 or more; without it all.
    pub limit: Option<i64>,
    /// How many to pass over.
    pub offset: Option<i64>,
}

/// Stores rows by key, all or none. What was carried out before is answered as it was then.
///
/// # Errors
/// 404 for an unknown database or table; rows that do not fit; a constraint; a repetition under
/// way or with another content.
pub async fn insert_data(
    rows: &Rows,
    auth: &Authorized<WriteRows>,
    request: &HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let keyed = Keyed::of(auth, request, None)?;
    let body = json::text(request, payload).await?;
    if let Some(keyed) = &keyed {
        keyed.whole(request, &body);
    }
    let InsertData {
        db_name,
        table_name,
        data,
    } = &json::object(&body)?;
    let answer = |outcome: &Upserted| {
        let kept = outcome.inserted.saturating_add(outcome.unchanged);
        HttpResponse::Created().json(json!({
            "message": format!(
                "Data insertion completed in the table {table_name} of the database {db_name}: \
                 {kept} records added or unchanged, {} records updated",
                outcome.updated
            ),
        }))
    };
    let keep = |outcome: &Upserted| kept(answer(outcome));
    let write = keyed.as_ref().map(|keyed| keyed.write(&keep));
    let reply = rows
        .upsert(auth, db_name, table_name, data, write.as_ref())
        .await
        .map_err(not_found)?;
    Ok(match reply {
        Reply::New(outcome) => answer(&outcome),
        Reply::Repeated(first) => replayed(&first),
    })
}

/// Answers with the rows of a table, under its name, as they arrive.
///
/// # Errors
/// 404 for an unknown database or table; 422 for a window that is none.
pub async fn get_table(
    rows: &Rows,
    auth: &Authorized<ReadRows>,
    request: &HttpRequest,
    (database, table): (&str, &str),
    window: Window,
) -> Result<HttpResponse, ApiError> {
    let query = Query {
        limit: window
            .limit
            .map(|limit| at_least("limit", limit, 1))
            .transpose()?,
        offset: window
            .offset
            .map_or(Ok(0), |offset| at_least("offset", offset, 0))?,
        ..Query::default()
    };
    let read = rows
        .read(auth, database, table, &query, Encoding::Json)
        .await
        .map_err(not_found)?;
    let head = format!(
        r#"{{{}:{{"db_name":{},"table_name":{},"data":"#,
        json!(table),
        json!(database),
        json!(table)
    );
    let piece = |text: Bytes| stream::once(async { Ok(text) });
    // After an error of the rows nothing more is asked for, so the end is never sent then.
    let document = piece(Bytes::from(head))
        .chain(read.body)
        .chain(piece(Bytes::from_static(b"}}")));
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, "application/json"));
    send(request, response, Box::pin(document)).await
}

fn at_least(name: &str, value: i64, least: u64) -> Result<u64, ApiError> {
    let fits = u64::try_from(value).ok().filter(|value| *value >= least);
    fits.ok_or_else(|| crate::error::table::parameter(name, format!("must be {least} or more")))
}

/// These routes say of a table what they say of a database: that it does not exist.
fn not_found(error: AppError) -> ApiError {
    match error {
        AppError::Query(QueryError::UnknownTable {
            database,
            table,
            similar,
        }) => {
            let table: String = table.chars().filter(|c| !c.is_control()).take(64).collect();
            let error = ApiError::not_found(format!(
                "The table {table} does not exist in the database {database}"
            ));
            match similar {
                Some(similar) => error.hint(format!("Perhaps you meant the table {similar}")),
                None => error,
            }
        }
        error => error.into(),
    }
}
