//! `/users`, `/roles` and `/auth/register`: accounts and their API keys.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use tidegate_application::accounts::{AccountInput, AccountPatch, CreatedAccount};
use tidegate_application::error::AppError;
use tidegate_domain::account::{Role, User, UserFilter, UserId};
use tidegate_domain::error::InvalidInput;
use tidegate_domain::page::PageRequest;
use tidegate_domain::permission::{AdminOrSelf, Administer, Principal, SignedIn};
use tidegate_domain::secret::Secret;
use utoipa::{IntoParams, ToSchema};

use crate::app::Services;
use crate::auth::{Caller, Require};
use crate::context::{Client, Context};
use crate::error::ApiError;
use crate::extract::body::{BodyLimits, BodyReader};
use crate::extract::json;
use crate::extract::path::id;
use crate::extract::{Json, Query};
use crate::paging;
use crate::route::{Access, LimitClass, RouteSpec};
use crate::routes::Detail;

/// The most users a page holds.
const MAX_PAGE: u64 = 100;

/// The routes of accounts.
pub fn routes() -> Vec<RouteSpec> {
    vec![
        RouteSpec::post("/auth/register", "register", "Make an account for oneself")
            .description("Idempotency-Key is ignored here.")
            .tag("accounts")
            .access(Access::Public)
            .limit(LimitClass::Credentials)
            .json::<Registration>()
            .answers::<UserView>(201, "The new user")
            .answers_plain(403, "Making accounts for oneself is switched off")
            .answers_plain(409, "The name or address is taken")
            .to(register),
        RouteSpec::post("/users", "createUser", "Make a user")
            .description(
                "Administrators give a `role_id`; a password that they leave out is generated and shown once. \
                 Everybody else signs up with `email` and `password`. Idempotency-Key is ignored here.",
            )
            .tag("accounts")
            .access(Access::Public)
            .looks()
            .limit(LimitClass::Credentials)
            .json::<NewUserInput>()
            .answers::<CreatedUserView>(201, "The new user")
            .answers_plain(401, "A `role_id` without credentials, or bad ones")
            .answers_plain(403, "Only administrators give a `role_id`; or signing up is switched off")
            .answers_plain(409, "The name or address is taken")
            .to(create),
        RouteSpec::get("/users", "listUsers", "List users")
            .tag("accounts")
            .query::<UserListQuery>()
            .answers::<UserListView>(200, "A page of users, by id")
            .to(list),
        RouteSpec::get("/users/me", "getOwnUser", "The user who asks")
            .tag("accounts")
            .answers::<UserView>(200, "The user")
            .to(me),
        RouteSpec::get("/auth/me", "getMe", "The user who asks")
            .tag("accounts")
            .answers::<UserView>(200, "The user")
            .to(me),
        RouteSpec::get("/users/{id}", "getUser", "One user")
            .tag("accounts")
            .answers::<UserView>(200, "The user")
            .answers_plain(404, "There is no such user")
            .to(get),
        changing(RouteSpec::patch("/users/{id}", "updateUser", "Change a user")).to(update),
        changing(RouteSpec::put("/users/{id}", "replaceUser", "Change a user")).to(update),
        RouteSpec::delete("/users/{id}", "deleteUser", "Deactivate a user and end the sessions")
            .tag("accounts")
            .access(Access::AdminOrSelf)
            .answers::<Detail>(200, "Done")
            .answers_plain(404, "There is no such user")
            .answers_plain(409, "The last active administrator stays")
            .to(delete),
        RouteSpec::post("/users/{id}/api-key", "createApiKey", "Make an API key in place of an earlier one")
            .description("The key is shown this one time. It serves as the password of HTTP Basic beside the user's id. Idempotency-Key is ignored here.")
            .tag("accounts")
            .access(Access::AdminOrSelf)
            .limit(LimitClass::Credentials)
            .json::<ApiKeyInput>()
            .answers::<ApiKeyView>(201, "The key")
            .to(create_api_key),
        RouteSpec::delete("/users/{id}/api-key", "deleteApiKey", "Revoke the API key")
            .tag("accounts")
            .access(Access::AdminOrSelf)
            .answers_plain(204, "Done")
            .answers_plain(404, "There is no key")
            .to(delete_api_key),
        RouteSpec::get("/roles", "listRoles", "List the roles")
            .tag("accounts")
            .access(Access::Public)
            .answers::<RoleView>(200, "All roles")
            .in_a_list()
            .to(roles),
        RouteSpec::get("/roles/{id}", "getRole", "One role")
            .tag("accounts")
            .access(Access::Public)
            .answers::<RoleView>(200, "The role")
            .answers_plain(404, "There is no such role")
            .to(role),
    ]
}

/// What both ways to change a user share.
fn changing(route: crate::route::RouteBuilder) -> crate::route::RouteBuilder {
    route
        .description(
            "What is left out stays. Role and activation only administrators change; one's own password \
             takes `current_password`. A new password, role or deactivation ends the user's sessions.",
        )
        .tag("accounts")
        .access(Access::AdminOrSelf)
        // It takes the present password, which nobody may guess here either.
        .limit(LimitClass::Credentials)
        .json::<UserPatchInput>()
        .answers::<UserView>(200, "The changed user")
        .answers_plain(404, "There is no such user")
        .answers_plain(409, "The name or address is taken, or no administrator would be left")
}

/// A user as clients see it.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserView {
    id: i64,
    username: String,
    /// Null where there is none, and for everybody but the user and administrators.
    email: Option<String>,
    role_id: i64,
    role: String,
    is_admin: bool,
    activated: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: DateTime<Utc>,
    #[schema(value_type = Option<String>, format = DateTime)]
    updated_at: Option<DateTime<Utc>>,
}

impl UserView {
    /// A user as `viewer` may see it; `None` is the user itself.
    pub(crate) fn new(user: User, viewer: Option<&Principal>) -> Self {
        let sees_email = viewer.is_none_or(|viewer| viewer.is_admin() || viewer.user == user.id);
        Self {
            id: user.id.0,
            username: user.username.as_str().to_owned(),
            email: user
                .email
                .filter(|_| sees_email)
                .map(|email| email.as_str().to_owned()),
            role_id: user.role.id(),
            role: user.role.name().to_owned(),
            is_admin: user.role == Role::Admin,
            activated: user.activated,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

/// A new user, with the password where it was generated.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedUserView {
    #[serde(flatten)]
    user: UserView,
    /// The generated password, shown this one time.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

/// A page of users.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserListView {
    page: i64,
    limit: u64,
    total: u64,
    users: Vec<UserView>,
}

/// A new API key.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApiKeyView {
    /// 32 letters and digits.
    api_key: String,
}

/// An API key to make; the body may be left out.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyInput {
    /// When the key stops working; without a time it works until it is revoked.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<DateTime<Utc>>,
}

/// A role.
#[derive(Debug, Serialize, ToSchema)]
pub struct RoleView {
    id: i64,
    name: String,
}

impl From<Role> for RoleView {
    fn from(role: Role) -> Self {
        Self {
            id: role.id(),
            name: role.name().to_owned(),
        }
    }
}

/// An account to make for oneself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// 3 to 30 characters, no `@`, not all digits.
    #[schema(example = "ann")]
    username: String,
    /// 8 to 128 characters, not the user name.
    #[schema(format = Password)]
    password: String,
    #[schema(example = "ann@example.org")]
    email: Option<String>,
}

/// A user to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUserInput {
    /// 3 to 30 characters, no `@`, not all digits. Without one it is `user` and the id.
    username: Option<String>,
    /// 1 (admin) or 2 (user); administrators only.
    role_id: Option<i64>,
    email: Option<String>,
    /// 8 to 128 characters.
    #[schema(format = Password)]
    password: Option<String>,
}

/// What to change of a user.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserPatchInput {
    #[serde(default, deserialize_with = "present")]
    username: Option<String>,
    /// Null takes the address away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    email: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(format = Password)]
    password: Option<String>,
    /// Needed with a new password of one's own.
    #[serde(default, deserialize_with = "present")]
    #[schema(format = Password)]
    current_password: Option<String>,
    #[serde(default, deserialize_with = "present")]
    role_id: Option<i64>,
    #[serde(default, deserialize_with = "present")]
    activated: Option<bool>,
}

/// A member that is there: a null is a value to be checked by `T`, not a missing member.
pub(crate) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Which users to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct UserListQuery {
    /// Part of the name, without case.
    username: Option<String>,
    /// Active users (the default) or deactivated ones.
    activated: Option<bool>,
    /// The page, from 1.
    page: Option<i64>,
    /// Users a page, 20 by default, at most 100.
    limit: Option<i64>,
}

async fn register(
    services: web::Data<Services>,
    input: Json<Registration>,
) -> Result<HttpResponse, ApiError> {
    let Registration {
        username,
        password,
        email,
    } = input.0;
    let input = AccountInput {
        username: Some(username),
        email,
        password: Some(Secret::new(password)),
    };
    let user = services.accounts.register(input).await?;
    Ok(HttpResponse::Created().json(UserView::new(user, None)))
}

async fn create(
    caller: Caller,
    services: web::Data<Services>,
    input: Json<NewUserInput>,
) -> Result<HttpResponse, ApiError> {
    let NewUserInput {
        username,
        role_id,
        email,
        password,
    } = input.0;
    let password = password.map(Secret::new);
    let created = match role_id {
        Some(role_id) => {
            let auth = caller.require(Administer)?;
            if username.is_none() {
                return Err(InvalidInput::member("username", "is missing").into());
            }
            services
                .accounts
                .create(
                    &auth,
                    AccountInput {
                        username,
                        email,
                        password,
                    },
                    role_id,
                )
                .await?
        }
        None => {
            if email.is_none() {
                let detail = "is missing; sign up with `email` and `password`, or give a `role_id` as an administrator";
                return Err(InvalidInput::member("email", detail).into());
            }
            let user = services
                .accounts
                .register(AccountInput {
                    username,
                    email,
                    password,
                })
                .await?;
            CreatedAccount {
                user,
                password: None,
            }
        }
    };
    Ok(HttpResponse::Created()
        .insert_header(("cache-control", "no-store"))
        .json(CreatedUserView {
            password: created
                .password
                .map(|password| password.reveal().to_owned()),
            user: UserView::new(created.user, None),
        }))
}

async fn list(
    Require(auth): Require<SignedIn>,
    services: web::Data<Services>,
    Context(context): Context,
    request: HttpRequest,
    query: Query<UserListQuery>,
) -> Result<HttpResponse, ApiError> {
    let UserListQuery {
        username,
        activated,
        page,
        limit,
    } = query.0;
    let number = page.unwrap_or(1);
    let page = PageRequest::page(number, limit.unwrap_or(20), MAX_PAGE)?;
    let filter = UserFilter {
        username,
        activated: activated.unwrap_or(true),
    };
    let users = services.accounts.list(&auth, &filter, page).await?;
    let view = UserListView {
        page: number,
        limit: page.limit,
        total: users.total,
        users: users
            .items
            .into_iter()
            .map(|user| UserView::new(user, Some(auth.principal())))
            .collect(),
    };
    let mut response = HttpResponse::Ok().json(view);
    paging::describe(
        response.headers_mut(),
        &request,
        &context,
        page,
        users.total,
    );
    Ok(response)
}

async fn me(
    Require(auth): Require<SignedIn>,
    services: web::Data<Services>,
) -> Result<web::Json<UserView>, ApiError> {
    Ok(web::Json(UserView::new(
        services.accounts.me(&auth).await?,
        Some(auth.principal()),
    )))
}

async fn get(
    Require(auth): Require<SignedIn>,
    services: web::Data<Services>,
    request: HttpRequest,
) -> Result<web::Json<UserView>, ApiError> {
    let user = services
        .accounts
        .get(&auth, UserId(id(&request, "id")?))
        .await?;
    Ok(web::Json(UserView::new(user, Some(auth.principal()))))
}

async fn update(
    Require(auth): Require<AdminOrSelf>,
    services: web::Data<Services>,
    Client(client): Client,
    input: Json<UserPatchInput>,
) -> Result<web::Json<UserView>, ApiError> {
    let UserPatchInput {
        username,
        email,
        password,
        current_password,
        role_id,
        activated,
    } = input.0;
    let patch = AccountPatch {
        username,
        email,
        password: password.map(Secret::new),
        current_password: current_password.map(Secret::new),
        role_id,
        activated,
    };
    let user = services.accounts.update(&auth, patch, &client).await?;
    Ok(web::Json(UserView::new(user, Some(auth.principal()))))
}

async fn delete(
    Require(auth): Require<AdminOrSelf>,
    services: web::Data<Services>,
) -> Result<web::Json<Detail>, ApiError> {
    services.accounts.delete(&auth).await?;
    Ok(web::Json(Detail::new("User deleted")))
}

async fn create_api_key(
    Require(auth): Require<AdminOrSelf>,
    services: web::Data<Services>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let reader = BodyReader::new(&request, payload.into_inner(), BodyLimits::of(&request));
    let input = match reader.read().await? {
        body if body.is_empty() => ApiKeyInput::default(),
        body => json::object(&body)?,
    };
    let key = services
        .accounts
        .create_api_key(&auth, input.expires_at)
        .await?;
    Ok(HttpResponse::Created()
        .insert_header(("cache-control", "no-store"))
        .json(ApiKeyView {
            api_key: key.reveal().to_owned(),
        }))
}

async fn delete_api_key(
    Require(auth): Require<AdminOrSelf>,
    services: web::Data<Services>,
) -> Result<HttpResponse, ApiError> {
    services.accounts.delete_api_key(&auth).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn roles() -> web::Json<Vec<RoleView>> {
    web::Json(Role::ALL.into_iter().map(RoleView::from).collect())
}

async fn role(request: HttpRequest) -> Result<web::Json<RoleView>, ApiError> {
    let id = id(&request, "id")?;
    let role = Role::from_id(id)
        .ok_or_else(|| AppError::NotFound(format!("There is no role with id {id}")))?;
    Ok(web::Json(role.into()))
}
