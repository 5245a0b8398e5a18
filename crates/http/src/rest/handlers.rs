//! The routes of the row interface and the short routes, hung into the server.

use actix_web::http::Method;
use actix_web::http::StatusCode;
use actix_web::http::header::ALLOW;
use actix_web::{HttpRequest, HttpResponse, web};
use tidegate_domain::permission::{ReadRows, WriteRows};
use utoipa::ToSchema;

use super::short::{self, InsertData, Window};
use super::{ALLOW_READ_ONLY, ALLOW_WRITABLE, read, write};
use crate::app::Services;
use crate::auth::Require;
use crate::error::ApiError;
use crate::extract::{Query, path};
use crate::idempotency;
use crate::route::{Access, LimitClass, RouteSpec};

/// Rows of one table.
const TABLE: &str = "/rest/{db}/{table}";

/// A sentence that says what was done.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Done {
    message: String,
}

/// The routes.
#[must_use]
pub fn routes() -> Vec<RouteSpec> {
    let rows = "rows";
    vec![
        RouteSpec::get(TABLE, "readRows", "Rows of a table")
            .description("PostgREST's grammar: filters `column=op.value`, `select`, `order`, `limit`, `offset`")
            .tag(rows)
            .access(Access::ReadRows)
            .answers_plain(200, "The rows")
            .answers_plain(206, "The rows, of which there are more, where they are counted")
            .to(read_rows),
        RouteSpec::post(TABLE, "insertRows", "Inserts rows, all or none")
            .tag(rows)
            .access(Access::WriteRows)
            .body("application/json", None)
            .body("text/csv", None)
            .parameter(idempotency::parameter())
            .answers_plain(201, "Inserted; the rows with `Prefer: return=representation`")
            .answers_plain(409, format!("A constraint refuses a row; or: {}", idempotency::UNDER_WAY))
            .to(insert_rows),
        RouteSpec::patch(TABLE, "updateRows", "Changes the rows that the filters name")
            .tag(rows)
            .access(Access::WriteRows)
            .body("application/json", None)
            .answers_plain(204, "Changed")
            .answers_plain(200, "The rows, with `Prefer: return=representation`")
            .to(update_rows),
        RouteSpec::delete(TABLE, "deleteRows", "Deletes the rows that the filters name")
            .tag(rows)
            .access(Access::WriteRows)
            .answers_plain(204, "Deleted")
            .answers_plain(200, "The rows as they were, with `Prefer: return=representation`")
            .to(delete_rows),
        RouteSpec::of(Method::OPTIONS, TABLE, "rowMethods", "What may be done with a table")
            .tag(rows)
            .access(Access::ReadRows)
            .answers_plain(200, "The methods, in `Allow`")
            .to(row_methods),
        RouteSpec::post("/insert-data", "insertData", "Stores rows by key, all or none")
            .tag(rows)
            .access(Access::WriteRows)
            .limit(LimitClass::Credentials)
            .json::<InsertData>()
            .parameter(idempotency::parameter())
            .answers::<Done>(201, "Stored")
            .answers_plain(409, format!("A constraint refuses a row; or: {}", idempotency::UNDER_WAY))
            .to(insert_data),
        RouteSpec::get("/get-table/{db}/{table}", "getTableRows", "Rows of a table as one document")
            .tag(rows)
            .access(Access::ReadRows)
            .limit(LimitClass::Credentials)
            .query::<Window>()
            .answers_plain(200, "The rows under the table's name")
            .to(get_table),
    ]
}

async fn read_rows(
    Require(auth): Require<ReadRows>,
    services: web::Data<Services>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (database, table) = names(&request)?;
    read::answer(&services.rows, &auth, &request, &database, &table).await
}

async fn insert_rows(
    Require(auth): Require<WriteRows>,
    services: web::Data<Services>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let (database, table) = names(&request)?;
    write::insert(
        &services.rows,
        &auth,
        &request,
        payload.into_inner(),
        (&database, &table),
    )
    .await
}

async fn update_rows(
    Require(auth): Require<WriteRows>,
    services: web::Data<Services>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let (database, table) = names(&request)?;
    write::update(
        &services.rows,
        &auth,
        &request,
        payload.into_inner(),
        (&database, &table),
    )
    .await
}

async fn delete_rows(
    Require(auth): Require<WriteRows>,
    services: web::Data<Services>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (database, table) = names(&request)?;
    write::delete(&services.rows, &auth, &request, &database, &table).await
}

async fn row_methods(
    Require(auth): Require<ReadRows>,
    services: web::Data<Services>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (database, table) = names(&request)?;
    let table = services
        .gateway
        .table(&auth, &database, &table)
        .await
        .map_err(|error| {
            let error = ApiError::from(error);
            if error.status() == StatusCode::NOT_FOUND {
                error.rest_code("PGRST205")
            } else {
                error
            }
        })?;
    let allow = if table.writable {
        ALLOW_WRITABLE
    } else {
        ALLOW_READ_ONLY
    };
    Ok(HttpResponse::Ok().insert_header((ALLOW, allow)).finish())
}

async fn insert_data(
    Require(auth): Require<WriteRows>,
    services: web::Data<Services>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    short::insert_data(&services.rows, &auth, &request, payload.into_inner()).await
}

async fn get_table(
    Require(auth): Require<ReadRows>,
    services: web::Data<Services>,
    Query(window): Query<Window>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (database, table) = names(&request)?;
    short::get_table(&services.rows, &auth, &request, (&database, &table), window).await
}

fn names(request: &HttpRequest) -> Result<(String, String), ApiError> {
    Ok((path::text(request, "db")?, path::text(request, "table")?))
}
