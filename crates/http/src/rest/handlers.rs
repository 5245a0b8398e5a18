//! The routes of the row interface and the short routes, hung into the server.

use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;
use tidegate_domain::permission::{ReadRows, WriteRows};

use super::documents::{self, changing, inserting, reading, shows};
use super::profile::Target;
use super::short::{self, InsertData, Window};
use super::{allowed, describe, read, write};
use crate::app::{HttpOptions, Services};
use crate::auth::Require;
use crate::error::ApiError;
use crate::extract::{Query, path};
use crate::idempotency;
use crate::route::{Access, LimitClass, RouteSpec};
use crate::routes::early::Message;

/// Rows of one table.
const TABLE: &str = "/rest/{db}/{table}";

/// The routes.
#[must_use]
pub fn routes() -> Vec<RouteSpec> {
    let get = RouteSpec::get(TABLE, "readRows", "Rows of a table")
        .description(
            "PostgREST's grammar. Without `limit` all rows leave as they arrive, or as many as the \
             server is set up to give at most.",
        )
        .tag("rows")
        .access(Access::ReadRows);
    let insert = RouteSpec::post(TABLE, "insertRows", "Inserts rows, all or none")
        .description("One row as an object, or several in a list; or CSV with the columns in its first line.")
        .tag("rows")
        .access(Access::WriteRows)
        .body("application/json", Some(documents::rows()))
        .sent_as(documents::sent())
        .body("text/csv", None)
        .sent_as(documents::SENT_AS_CSV.into())
        .body("application/x-www-form-urlencoded", None)
        .sent_as("name=Tern&draught_m=2.50".into())
        .parameter(idempotency::parameter());
    let put = RouteSpec::of(
        Method::PUT,
        TABLE,
        "putRow",
        "Stores one row under its key: inserts it, or changes the one that is there",
    )
    .description(
        "The filters name the primary key and nothing else: `id=eq.7`. The row has the same key.",
    )
    .tag("rows")
    .access(Access::WriteRows)
    .body("application/json", None)
    .sent_as(json!({"id": 7, "name": "Tern", "draught_m": 2.50}))
    .answers_plain(204, "Stored");
    let change = RouteSpec::patch(
        TABLE,
        "updateRows",
        "Changes the rows that the filters name",
    )
    .description("Without a filter it is refused, unless the server is set up to allow it.")
    .tag("rows")
    .access(Access::WriteRows)
    .body("application/json", None)
    .sent_as(json!({"draught_m": 2.75}))
    .answers_plain(204, "Changed");
    let delete = RouteSpec::delete(
        TABLE,
        "deleteRows",
        "Deletes the rows that the filters name",
    )
    .description("Without a filter it is refused, unless the server is set up to allow it.")
    .tag("rows")
    .access(Access::WriteRows)
    .answers_plain(204, "Deleted");
    let refused = format!("A constraint refuses a row; or: {}", idempotency::UNDER_WAY);
    let shown = "The rows, with `Prefer: return=representation`";
    vec![
        shows(
            shows(reading(get), 200, "The rows"),
            206,
            "The rows, of which there are more, where they are counted",
        )
        .answers_plain(416, "There are no rows at this offset")
        .to(read_rows),
        shows(
            inserting(insert),
            201,
            "Inserted; the rows with `Prefer: return=representation`",
        )
        .answers_plain(200, "All rows were there already, and were merged")
        .answers_plain(409, refused.clone())
        .to(insert_rows),
        shows(
            shows(changing(put), 201, "The row, which is new"),
            200,
            "The row, which was there",
        )
        .answers_plain(405, "The filters are not those of the primary key")
        .answers_plain(409, "A constraint refuses the row")
        .to(put_row),
        shows(changing(change), 200, shown)
            .answers_plain(409, "A constraint refuses a row")
            .to(update_rows),
        shows(changing(delete), 200, shown)
            .answers_plain(409, "Other rows refer to one of them")
            .to(delete_rows),
        RouteSpec::get(
            "/rest/{db}",
            "describeDatabase",
            "What may be done with a database",
        )
        .description(
            "Its tables, views and routines as OpenAPI 3.1, or as Swagger 2.0 where `Accept` names \
             application/openapi+json, which is what clients of PostgREST ask for.",
        )
        .tag("rows")
        .access(Access::ReadRows)
        .answers_in("application/json", 200, "OpenAPI 3.1")
        .shown_as(json!({"openapi": "3.1.0", "paths": {"/ship": {"get": {"tags": ["ship"]}}}}))
        .answers_in("application/openapi+json", 200, "Swagger 2.0")
        .shown_as(json!({"swagger": "2.0", "definitions": {"ship": {"type": "object"}}}))
        .to(describe_database),
        RouteSpec::of(
            Method::OPTIONS,
            TABLE,
            "rowMethods",
            "What may be done with a table",
        )
        .tag("rows")
        .access(Access::ReadRows)
        .answers_plain(200, "The methods, in `Allow`")
        .to(row_methods),
        RouteSpec::post(
            "/insert-data",
            "insertData",
            "Stores rows by key, all or none",
        )
        .tag("rows")
        .access(Access::WriteRows)
        .limit(LimitClass::Credentials)
        .json::<InsertData>()
        .parameter(idempotency::parameter())
        .answers::<Message>(201, "Stored")
        .answers_plain(404, "The database or table does not exist")
        .answers_plain(409, refused)
        .to(insert_data),
        RouteSpec::get(
            "/get-table/{db}/{table}",
            "getTableRows",
            "Rows of a table as one document",
        )
        .tag("rows")
        .access(Access::ReadRows)
        .limit(LimitClass::Credentials)
        .query::<Window>()
        .answers_in("application/json", 200, "The rows under the table's name")
        .shown_as(json!({
            "ship": {"db_name": "harbour", "table_name": "ship", "data": [{"id": 1, "name": "Tern"}]}
        }))
        .to(get_table),
    ]
}

async fn read_rows(
    Require(auth): Require<ReadRows>,
    services: web::Data<Services>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let at = Target::of(&services, &auth, &request).await?;
    let answer = read::answer(&services.rows, &auth, &request, &at.database, &at.table).await?;
    Ok(at.mark(answer))
}

async fn insert_rows(
    Require(auth): Require<WriteRows>,
    services: web::Data<Services>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let at = Target::of(&services, &auth, &request).await?;
    let answer = write::insert(
        &services.rows,
        &auth,
        &request,
        payload.into_inner(),
        (&at.database, &at.table),
    )
    .await?;
    Ok(at.mark(answer))
}

async fn update_rows(
    Require(auth): Require<WriteRows>,
    services: web::Data<Services>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let at = Target::of(&services, &auth, &request).await?;
    let answer = write::update(
        &services.rows,
        &auth,
        &request,
        payload.into_inner(),
        (&at.database, &at.table),
    )
    .await?;
    Ok(at.mark(answer))
}

async fn delete_rows(
    Require(auth): Require<WriteRows>,
    services: web::Data<Services>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let at = Target::of(&services, &auth, &request).await?;
    let names = (at.database.as_str(), at.table.as_str());
    let answer = write::delete(&services.rows, &auth, &request, names).await?;
    Ok(at.mark(answer))
}

async fn put_row(
    Require(auth): Require<WriteRows>,
    services: web::Data<Services>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let at = Target::of(&services, &auth, &request).await?;
    let answer = write::put(
        &services.rows,
        &auth,
        &request,
        payload.into_inner(),
        (&at.database, &at.table),
    )
    .await?;
    Ok(at.mark(answer))
}

async fn row_methods(
    Require(auth): Require<ReadRows>,
    services: web::Data<Services>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let at = Target::of(&services, &auth, &request).await?;
    let table = services.rows.table(&auth, &at.database, &at.table).await?;
    let answer = HttpResponse::Ok()
        .insert_header((ALLOW, allowed(&table)))
        .finish();
    Ok(at.mark(answer))
}

async fn describe_database(
    Require(auth): Require<ReadRows>,
    services: web::Data<Services>,
    options: web::Data<HttpOptions>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    if !options.describes_databases {
        return Err(describe::switched_off());
    }
    let at = Target::of(&services, &auth, &request).await?;
    let schema = services.gateway.list_tables(&auth, &at.database).await?;
    let routines = services.routines.list(&auth, &at.database).await?;
    let answer = describe::answer(&request, &schema, &routines, options.version)?;
    Ok(at.mark(answer))
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
