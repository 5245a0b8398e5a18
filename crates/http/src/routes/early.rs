//! The short gateway routes of early clients: flat bodies, messages in place of records,
//! 400 where something exists already. Thin, on the same use cases as all others.

use std::collections::HashSet;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use tidegate_application::accounts::AccountInput;
use tidegate_application::error::AppError;
use tidegate_domain::account::Role;
use tidegate_domain::error::InvalidInput;
use tidegate_domain::gateway::change::TableDraft;
use tidegate_domain::gateway::name::{PLAIN_RULE, is_plain};
use tidegate_domain::permission::Administer;
use tidegate_domain::secret::Secret;
use utoipa::ToSchema;

use crate::app::Services;
use crate::auth::Require;
use crate::error::ApiError;
use crate::extract::Json;
use crate::extract::path::text;
use crate::route::{Access, LimitClass, RouteBuilder, RouteSpec};
use crate::routes::databases::user_draft;

/// The short gateway routes, but for rows (`/insert-data`, `/get-table`) and tokens.
pub fn routes() -> Vec<RouteSpec> {
    vec![
        early(
            RouteSpec::post("/register-api-user", "registerApiUser", "Make an API user"),
            201,
        )
        .json::<ApiUserInput>()
        .to(register_api_user),
        early(
            RouteSpec::post("/create-database", "createDatabaseEarly", "Make a database"),
            201,
        )
        .json::<CreateDatabaseInput>()
        .to(create_database),
        early(
            RouteSpec::post(
                "/create-db-user",
                "createDatabaseUserEarly",
                "Make a database account",
            ),
            201,
        )
        .json::<CreateUserInput>()
        .answers_plain(404, "The database does not exist")
        .answers_plain(501, "The engine has no accounts (SQLite)")
        .to(create_user),
        early(
            RouteSpec::post("/create-table", "createTableEarly", "Make a table"),
            201,
        )
        .json::<CreateTableInput>()
        .answers_plain(404, "The database does not exist")
        .answers_plain(501, "The engine cannot do this")
        .to(create_table),
        early(
            RouteSpec::delete(
                "/delete-table/{db}/{table}",
                "deleteTableEarly",
                "Drop a table",
            ),
            200,
        )
        .answers_plain(404, "The table does not exist")
        .to(delete_table),
    ]
}

fn early(route: RouteBuilder, status: u16) -> RouteBuilder {
    route
        .description("Idempotency-Key is ignored here.")
        .tag("early gateway")
        .access(Access::Admin)
        .limit(LimitClass::Credentials)
        .answers::<Message>(status, "Done")
        .answers_plain(400, "It exists already")
}

/// What was done, in words.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Done)]
pub struct Message {
    message: String,
}

impl Message {
    /// An answer with this status.
    pub(crate) fn answer(status: StatusCode, message: String) -> HttpResponse {
        HttpResponse::build(status).json(Self { message })
    }
}

/// An API user to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiUserInput {
    username: String,
    #[schema(format = Password)]
    password: String,
    #[serde(default)]
    is_admin: bool,
}

/// A database to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateDatabaseInput {
    /// `[a-z][a-z0-9_]*`, at most 30 characters.
    #[schema(example = "shop")]
    db_name: String,
}

/// A database account to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateUserInput {
    host: String,
    username: String,
    #[schema(format = Password)]
    password: String,
    /// A comma list, `SELECT, INSERT`.
    #[schema(example = "SELECT, INSERT")]
    privileges: String,
    db_name: String,
}

/// A table to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTableInput {
    db_name: String,
    table_name: String,
    /// A definition for each column, `{"id": "INT PRIMARY KEY"}`.
    #[schema(value_type = Object)]
    table_schema: Definitions,
}

/// Columns with their definitions, in the order of the object; a name twice is refused.
#[derive(Debug)]
pub struct Definitions(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Definitions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Definitions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of column definitions")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Definitions, A::Error> {
                let (mut pairs, mut names) = (Vec::new(), HashSet::new());
                while let Some((name, definition)) = map.next_entry::<String, String>()? {
                    if !names.insert(name.clone()) {
                        return Err(A::Error::custom(format_args!(
                            "the column `{name}` stands there twice"
                        )));
                    }
                    pairs.push((name, definition));
                }
                Ok(Definitions(pairs))
            }
        }

        deserializer.deserialize_map(Pairs)
    }
}

/// Checks a name by the rule of these routes.
fn plain(member: &str, name: &str) -> Result<(), InvalidInput> {
    if is_plain(name) {
        Ok(())
    } else {
        Err(InvalidInput::member(member, PLAIN_RULE))
    }
}

/// On these routes what exists already is a 400.
fn exists_is_400(error: AppError, detail: String) -> ApiError {
    match error {
        AppError::Conflict { code, .. } => ApiError::new(StatusCode::BAD_REQUEST, code, detail),
        error => error.into(),
    }
}

async fn register_api_user(
    Require(auth): Require<Administer>,
    services: web::Data<Services>,
    input: Json<ApiUserInput>,
) -> Result<HttpResponse, ApiError> {
    let ApiUserInput {
        username,
        password,
        is_admin,
    } = input.0;
    let role = if is_admin { Role::Admin } else { Role::User };
    let account = AccountInput {
        username: Some(username.clone()),
        email: None,
        password: Some(Secret::new(password)),
    };
    services
        .accounts
        .create(&auth, account, role.id())
        .await
        .map_err(|error| exists_is_400(error, format!("User {username} already registered")))?;
    Ok(Message::answer(
        StatusCode::CREATED,
        format!("User {username} created successfully"),
    ))
}

async fn create_database(
    Require(auth): Require<Administer>,
    services: web::Data<Services>,
    input: Json<CreateDatabaseInput>,
) -> Result<HttpResponse, ApiError> {
    let name = input.0.db_name;
    plain("db_name", &name)?;
    services
        .gateway
        .create_database(&auth, &name)
        .await
        .map_err(|error| match error {
            AppError::Invalid(_) => {
                InvalidInput::member("db_name", "is reserved; choose another name").into()
            }
            error => exists_is_400(error, format!("Database {name} already exists")),
        })?;
    Ok(Message::answer(
        StatusCode::CREATED,
        format!("Database {name} created successfully"),
    ))
}

async fn create_user(
    Require(auth): Require<Administer>,
    services: web::Data<Services>,
    input: Json<CreateUserInput>,
) -> Result<HttpResponse, ApiError> {
    let CreateUserInput {
        host,
        username,
        password,
        privileges,
        db_name,
    } = input.0;
    let privileges: Vec<String> = privileges
        .split(',')
        .map(|text| text.trim().to_owned())
        .collect();
    let user = user_draft(&username, &host, password, &privileges)?;
    let created = services
        .gateway
        .create_or_grant_user(&auth, &db_name, &user)
        .await?;
    let outcome = if created {
        "created successfully"
    } else {
        "already exists"
    };
    Ok(Message::answer(
        StatusCode::CREATED,
        format!("User {username}@{host} {outcome}"),
    ))
}

async fn create_table(
    Require(auth): Require<Administer>,
    services: web::Data<Services>,
    input: Json<CreateTableInput>,
) -> Result<HttpResponse, ApiError> {
    let CreateTableInput {
        db_name,
        table_name,
        table_schema,
    } = input.0;
    plain("table_name", &table_name)?;
    let draft = TableDraft::from_definitions(&table_name, &table_schema.0)?;
    services
        .gateway
        .create_table(&auth, &db_name, &draft)
        .await
        .map_err(|error| {
            exists_is_400(
                error,
                format!("Table {table_name} already exists in the database {db_name}"),
            )
        })?;
    Ok(Message::answer(
        StatusCode::CREATED,
        format!("Table {table_name} created successfully"),
    ))
}

async fn delete_table(
    Require(auth): Require<Administer>,
    services: web::Data<Services>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (database, table) = (text(&request, "db")?, text(&request, "table")?);
    services
        .gateway
        .drop_table(&auth, &database, &table)
        .await?;
    Ok(Message::answer(
        StatusCode::OK,
        format!("Table {table} deleted successfully"),
    ))
}
