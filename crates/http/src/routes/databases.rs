//! `/databases`: databases, their accounts and their tables.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use tidegate_domain::error::InvalidInput;
use tidegate_domain::gateway::change::{DatabaseUserDraft, Privilege};
use tidegate_domain::gateway::name::{AccountHost, AccountName};
use tidegate_domain::gateway::parse::{TableChangeInput, TableDescription, TableInput};
use tidegate_domain::permission::{Administer, ReadRows};
use tidegate_domain::secret::Secret;
use utoipa::{IntoParams, ToSchema};

use crate::app::Services;
use crate::auth::Require;
use crate::error::ApiError;
use crate::extract::path::text;
use crate::extract::{Json, Query};
use crate::route::{Access, LimitClass, RouteBuilder, RouteSpec};

/// The routes of databases, database accounts and tables.
pub fn routes() -> Vec<RouteSpec> {
    let mut routes = database_routes();
    routes.extend(user_routes());
    routes.extend(table_routes());
    routes
}

fn database_routes() -> Vec<RouteSpec> {
    vec![
        RouteSpec::get("/databases", "listDatabases", "List the databases")
            .tag("databases")
            .access(Access::ReadRows)
            .answers::<DatabaseView>(200, "All databases, by name")
            .in_a_list()
            .to(list_databases),
        RouteSpec::post("/databases", "createDatabase", "Make a database")
            .description("Idempotency-Key is ignored here.")
            .tag("databases")
            .access(Access::Admin)
            .json::<DatabaseInput>()
            .answers::<DatabaseInput>(201, "The database")
            .answers_plain(409, "It exists")
            .to(create_database),
        RouteSpec::delete("/databases/{db}", "deleteDatabase", "Drop a database")
            .tag("databases")
            .access(Access::Admin)
            .query::<DropQuery>()
            .answers_plain(204, "Done")
            .answers_plain(404, "There is no such database")
            .answers_plain(409, "It has tables, and `force` is not set")
            .to(drop_database),
        RouteSpec::post(
            "/databases/{db}/reload",
            "reloadDatabase",
            "Read a database's tables anew",
        )
        .description("Idempotency-Key is ignored here.")
        .tag("databases")
        .access(Access::Admin)
        .answers_plain(204, "Done")
        .answers_plain(404, "There is no such database")
        .to(reload),
    ]
}

fn user_routes() -> Vec<RouteSpec> {
    vec![
        RouteSpec::get(
            "/databases/{db}/users",
            "listDatabaseUsers",
            "List the accounts with rights in a database",
        )
        .tag("databases")
        .access(Access::Admin)
        .answers::<DatabaseUserView>(200, "The accounts")
        .in_a_list()
        .answers_plain(501, "The engine has no accounts (SQLite)")
        .to(list_users),
        RouteSpec::post(
            "/databases/{db}/users",
            "createDatabaseUser",
            "Make a database account",
        )
        .description("Idempotency-Key is ignored here.")
        .tag("databases")
        .access(Access::Admin)
        .limit(LimitClass::Credentials)
        .json::<DatabaseUserInput>()
        .answers::<DatabaseUserView>(201, "The account")
        .answers_plain(409, "It exists")
        .answers_plain(501, "The engine has no accounts (SQLite)")
        .to(create_user),
        RouteSpec::delete(
            "/databases/{db}/users/{account}",
            "deleteDatabaseUser",
            "Take an account's rights in a database away",
        )
        .description(
            "`account` is `user@host`. An account that then has no rights anywhere is dropped.",
        )
        .tag("databases")
        .access(Access::Admin)
        .answers_plain(204, "Done")
        .answers_plain(404, "The account has no rights there")
        .answers_plain(501, "The engine has no accounts (SQLite)")
        .to(remove_user),
    ]
}

fn table_routes() -> Vec<RouteSpec> {
    vec![
        RouteSpec::get(
            "/databases/{db}/tables",
            "listTables",
            "Describe all tables and views",
        )
        .tag("databases")
        .answers::<TableDescription>(200, "The descriptions, by name")
        .in_a_list()
        .answers_plain(404, "There is no such database")
        .access(Access::ReadRows)
        .to(list_tables),
        described(
            RouteSpec::post("/databases/{db}/tables", "createTable", "Make a table"),
            201,
        )
        .description("Idempotency-Key is ignored here.")
        .access(Access::Admin)
        .json::<TableInput>()
        .answers_plain(409, "It exists")
        .answers_plain(501, "The engine cannot do this")
        .to(create_table),
        described(
            RouteSpec::get(
                "/databases/{db}/tables/{table}",
                "getTable",
                "Describe a table or view",
            ),
            200,
        )
        .access(Access::ReadRows)
        .to(get_table),
        described(
            RouteSpec::patch(
                "/databases/{db}/tables/{table}",
                "alterTable",
                "Change a table",
            ),
            200,
        )
        .access(Access::Admin)
        .json::<TableChangeInput>()
        .answers_plain(409, "Rows, keys or another table forbid the change")
        .answers_plain(501, "The engine cannot do this")
        .to(alter_table),
        RouteSpec::delete(
            "/databases/{db}/tables/{table}",
            "deleteTable",
            "Drop a table or view",
        )
        .tag("databases")
        .access(Access::Admin)
        .answers_plain(204, "Done")
        .answers_plain(404, "There is no such table")
        .answers_plain(409, "Other tables refer to it")
        .to(drop_table),
    ]
}

/// A route that answers descriptions of tables.
fn described(route: RouteBuilder, status: u16) -> RouteBuilder {
    route
        .tag("databases")
        .answers::<TableDescription>(status, "The description")
        .answers_plain(404, "There is no such database or table")
}

/// A database in the list.
#[derive(Debug, Serialize, ToSchema)]
pub struct DatabaseView {
    name: String,
    /// How many tables and views it has.
    tables: u64,
    /// Bytes of data and indexes, as the engine estimates.
    size_bytes: u64,
}

/// A database to make.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseInput {
    /// A letter or `_`, then letters, digits, `_`, `$` and `-`; at most 64 characters.
    #[schema(example = "shop")]
    name: String,
}

/// How to drop a database.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct DropQuery {
    /// Drop it with its tables.
    force: Option<bool>,
}

/// A database account.
#[derive(Debug, Serialize, ToSchema)]
pub struct DatabaseUserView {
    username: String,
    host: String,
    privileges: Vec<String>,
}

/// A database account to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseUserInput {
    /// 1 to 32 characters of letters, digits, `_`, `.` and `-`.
    username: String,
    /// Where the account may come from; `localhost` by default.
    host: Option<String>,
    /// 1 to 128 characters; how strong it must be, the database server decides.
    #[schema(format = Password)]
    password: String,
    /// `SELECT` by default.
    privileges: Option<Vec<String>>,
}

/// A database account in parsed form; all faults at once.
pub(crate) fn user_draft(
    username: &str,
    host: &str,
    password: String,
    privileges: &[String],
) -> Result<DatabaseUserDraft, InvalidInput> {
    let mut faults = InvalidInput::default();
    let username = faults.collect("", AccountName::new(username));
    let host = faults.collect("", AccountHost::new(host));
    if !(1..=128).contains(&password.chars().count()) || password.chars().any(char::is_control) {
        let detail = "must be 1 to 128 characters long, without control characters";
        faults.collect("", Err::<(), _>(InvalidInput::member("password", detail)));
    }
    let known: Vec<Privilege> = privileges
        .iter()
        .filter_map(|text| Privilege::from_sql(text))
        .collect();
    if known.is_empty() || known.len() < privileges.len() {
        let list = Privilege::ALL.map(Privilege::sql).join(", ");
        let detail = format!("must name one or more of: {list}");
        faults.collect("", Err::<(), _>(InvalidInput::member("privileges", detail)));
    }
    match (username, host) {
        (Some(username), Some(host)) if faults.errors.is_empty() => Ok(DatabaseUserDraft {
            username,
            host,
            password: Secret::new(password),
            privileges: known,
        }),
        _ => Err(faults),
    }
}

async fn list_databases(
    Require(auth): Require<ReadRows>,
    services: web::Data<Services>,
) -> Result<web::Json<Vec<DatabaseView>>, ApiError> {
    let databases = services
        .gateway
        .list_databases(&auth)
        .await?
        .into_iter()
        .map(|database| DatabaseView {
            name: database.name.to_string(),
            tables: database.tables,
            size_bytes: database.size_bytes,
        });
    Ok(web::Json(databases.collect()))
}

async fn create_database(
    Require(auth): Require<Administer>,
    services: web::Data<Services>,
    input: Json<DatabaseInput>,
) -> Result<HttpResponse, ApiError> {
    let name = services
        .gateway
        .create_database(&auth, &input.0.name)
        .await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/databases/{name}")))
        .json(DatabaseInput {
            name: name.to_string(),
        }))
}

async fn drop_database(
    Require(auth): Require<Administer>,
    services: web::Data<Services>,
    request: HttpRequest,
    query: Query<DropQuery>,
) -> Result<HttpResponse, ApiError> {
    services
        .gateway
        .drop_database(
            &auth,
            &text(&request, "db")?,
            query.0.force.unwrap_or(false),
        )
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn reload(
    Require(auth): Require<Administer>,
    services: web::Data<Services>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    services
        .gateway
        .reload(&auth, &text(&request, "db")?)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn list_users(
    Require(auth): Require<Administer>,
    services: web::Data<Services>,
    request: HttpRequest,
) -> Result<web::Json<Vec<DatabaseUserView>>, ApiError> {
    let users = services
        .gateway
        .list_users(&auth, &text(&request, "db")?)
        .await?
        .into_iter()
        .map(|user| DatabaseUserView {
            username: user.username,
            host: user.host,
            privileges: names(&user.privileges),
        });
    Ok(web::Json(users.collect()))
}

async fn create_user(
    Require(auth): Require<Administer>,
    services: web::Data<Services>,
    request: HttpRequest,
    input: Json<DatabaseUserInput>,
) -> Result<HttpResponse, ApiError> {
    let DatabaseUserInput {
        username,
        host,
        password,
        privileges,
    } = input.0;
    let host = host.unwrap_or_else(|| "localhost".to_owned());
    let privileges = privileges.unwrap_or_else(|| vec![Privilege::Select.sql().to_owned()]);
    let user = user_draft(&username, &host, password, &privileges)?;
    services
        .gateway
        .create_user(&auth, &text(&request, "db")?, &user)
        .await?;
    Ok(HttpResponse::Created().json(DatabaseUserView {
        username,
        host,
        privileges: names(&user.privileges),
    }))
}

async fn remove_user(
    Require(auth): Require<Administer>,
    services: web::Data<Services>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let account = text(&request, "account")?;
    let Some((username, host)) = account.rsplit_once('@') else {
        return Err(InvalidInput::member("account", "must be `user@host`").into());
    };
    services
        .gateway
        .remove_user(&auth, &text(&request, "db")?, username, host)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

fn names(privileges: &[Privilege]) -> Vec<String> {
    privileges
        .iter()
        .map(|privilege| privilege.sql().to_owned())
        .collect()
}

async fn list_tables(
    Require(auth): Require<ReadRows>,
    services: web::Data<Services>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let schema = services
        .gateway
        .list_tables(&auth, &text(&request, "db")?)
        .await?;
    let tables: Vec<TableDescription> = schema
        .tables
        .iter()
        .map(|table| TableDescription::of(table))
        .collect();
    Ok(HttpResponse::Ok().json(tables))
}

async fn create_table(
    Require(auth): Require<Administer>,
    services: web::Data<Services>,
    request: HttpRequest,
    input: Json<TableInput>,
) -> Result<HttpResponse, ApiError> {
    let draft = input.0.parse()?;
    let table = services
        .gateway
        .create_table(&auth, &text(&request, "db")?, &draft)
        .await?;
    Ok(HttpResponse::Created().json(TableDescription::of(&table)))
}

async fn get_table(
    Require(auth): Require<ReadRows>,
    services: web::Data<Services>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let table = services
        .gateway
        .table(&auth, &text(&request, "db")?, &text(&request, "table")?)
        .await?;
    Ok(HttpResponse::Ok().json(TableDescription::of(&table)))
}

async fn alter_table(
    Require(auth): Require<Administer>,
    services: web::Data<Services>,
    request: HttpRequest,
    input: Json<TableChangeInput>,
) -> Result<HttpResponse, ApiError> {
    let change = input.0.parse()?;
    let table = services
        .gateway
        .alter_table(
            &auth,
            &text(&request, "db")?,
            &text(&request, "table")?,
            &change,
        )
        .await?;
    Ok(HttpResponse::Ok().json(TableDescription::of(&table)))
}

async fn drop_table(
    Require(auth): Require<Administer>,
    services: web::Data<Services>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    services
        .gateway
        .drop_table(&auth, &text(&request, "db")?, &text(&request, "table")?)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
