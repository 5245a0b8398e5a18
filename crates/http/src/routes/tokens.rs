//! `/auth/token` and its kin: signing in, refreshing, signing out, one's devices.

use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tidegate_application::auth::{Authenticator, ClientInfo};
use tidegate_application::error::{AppError, Unauthenticated};
use tidegate_application::tokens::TokenPair;
use tidegate_domain::error::InvalidInput;
use tidegate_domain::permission::SignedIn;
use tidegate_domain::secret::Secret;
use tidegate_domain::session::{Session, SessionId};
use utoipa::ToSchema;

use crate::app::Services;
use crate::auth::Require;
use crate::context::Client;
use crate::error::ApiError;
use crate::extract::Json;
use crate::extract::form::{Form, JsonOrForm, oauth2};
use crate::extract::path::id;
use crate::route::{Access, LimitClass, RouteBuilder, RouteSpec};
use crate::routes::Detail;

/// The routes of tokens and sessions.
pub fn routes() -> Vec<RouteSpec> {
    vec![
        issuing(RouteSpec::post("/auth/token", "createToken", "Sign in"))
            .json::<SignInInput>()
            .to(sign_in),
        issuing(RouteSpec::post(
            "/get-token",
            "getToken",
            "Sign in, by form",
        ))
        .to(sign_in_by_form),
        issuing(RouteSpec::post("/login", "login", "Sign in, by form")).to(sign_in_by_form),
        RouteSpec::post(
            "/auth/refresh",
            "refreshToken",
            "Trade a refresh token for a new pair",
        )
        .description("The old refresh token dies. Using it again ends its session. Idempotency-Key is ignored here.")
        .tag("tokens")
        .access(Access::Public)
        .limit(LimitClass::Credentials)
        .json::<RefreshInput>()
        .answers::<TokenView>(200, "A new pair")
        .answers_plain(401, "The refresh token is not valid")
        .to(refresh),
        RouteSpec::post(
            "/auth/logout",
            "logout",
            "End the session of the access token",
        )
        .description("Idempotency-Key is ignored here.")
        .tag("tokens")
        .answers::<Detail>(200, "Done")
        .to(sign_out),
        RouteSpec::get(
            "/auth/sessions",
            "listSessions",
            "List one's own live sessions",
        )
        .tag("tokens")
        .answers::<SessionView>(200, "The sessions, by id")
        .in_a_list()
        .to(list),
        RouteSpec::delete(
            "/auth/sessions/{id}",
            "endSession",
            "End one of one's own sessions",
        )
        .tag("tokens")
        .answers_plain(204, "Done")
        .answers_plain(404, "There is no such live session")
        .to(end),
    ]
}

/// What the routes that sign in share.
fn issuing(route: RouteBuilder) -> RouteBuilder {
    route
        .description("Takes the user name or the e-mail address. Idempotency-Key is ignored here.")
        .tag("tokens")
        .access(Access::Public)
        .limit(LimitClass::Credentials)
        .form::<TokenForm>()
        .answers::<TokenView>(200, "A token pair")
        .answers_plain(400, "The grant is not valid or not supported (form only)")
        .answers_plain(401, "Unknown, wrong or deactivated")
}

/// An access token and the refresh token to follow it.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenView {
    /// The user's id.
    id: i64,
    access_token: String,
    /// Always `bearer`.
    token_type: String,
    /// Seconds until the access token expires.
    expires_in: i64,
    #[schema(value_type = String, format = DateTime)]
    expires: DateTime<Utc>,
    refresh_token: String,
}

/// A device that is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionView {
    id: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: DateTime<Utc>,
    #[schema(value_type = String, format = DateTime)]
    last_used_at: DateTime<Utc>,
    #[schema(value_type = String, format = DateTime)]
    expires_at: DateTime<Utc>,
    /// The `User-Agent` at the log-in.
    agent: Option<String>,
    /// The client's address at the log-in.
    address: Option<String>,
    /// Whether it is the session that asks.
    current: bool,
}

impl SessionView {
    fn new(session: Session, current: Option<SessionId>) -> Self {
        Self {
            current: current == Some(session.id),
            id: session.id.0,
            created_at: session.created_at,
            last_used_at: session.last_used_at,
            expires_at: session.expires_at,
            agent: session.agent,
            address: session.address,
        }
    }
}

/// A name and password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInInput {
    /// The user name or the e-mail address.
    #[schema(example = "admin")]
    username: String,
    #[schema(format = Password)]
    password: String,
}

/// The OAuth2 form (RFC 6749 sections 4.3.2 and 6); unknown fields are ignored.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"grant_type": "password", "username": "ann", "password": "correct-horse-9"}))]
pub struct TokenForm {
    /// `password` (the default) or `refresh_token`.
    grant_type: Option<String>,
    username: Option<String>,
    #[schema(format = Password)]
    password: Option<String>,
    refresh_token: Option<String>,
}

/// A refresh token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshInput {
    refresh_token: String,
}

async fn sign_in(
    services: web::Data<Services>,
    Client(client): Client,
    body: JsonOrForm<SignInInput, TokenForm>,
) -> Result<HttpResponse, ApiError> {
    let pair = match body {
        JsonOrForm::Json(SignInInput { username, password }) => {
            services
                .authenticator
                .sign_in(&username, &Secret::new(password), &client)
                .await?
        }
        JsonOrForm::Form(form) => grant(&services.authenticator, form, &client).await?,
    };
    Ok(answer(&pair))
}

async fn sign_in_by_form(
    services: web::Data<Services>,
    Client(client): Client,
    form: Form<TokenForm>,
) -> Result<HttpResponse, ApiError> {
    Ok(answer(
        &grant(&services.authenticator, form.0, &client).await?,
    ))
}

/// Carries out what the form asks for; its errors carry OAuth2's members too
/// (RFC 6749 section 5.2).
async fn grant(
    authenticator: &Authenticator,
    form: TokenForm,
    client: &ClientInfo,
) -> Result<TokenPair, ApiError> {
    let TokenForm {
        grant_type,
        username,
        password,
        refresh_token,
    } = form;
    let outcome = match grant_type.as_deref() {
        None | Some("" | "password") => {
            let (username, password) = (
                required("username", username)?,
                required("password", password)?,
            );
            authenticator
                .sign_in(&username, &Secret::new(password), client)
                .await
        }
        Some("refresh_token") => {
            let refresh_token = required("refresh_token", refresh_token)?;
            authenticator.refresh(&Secret::new(refresh_token)).await
        }
        Some(_) => {
            let (code, detail) = (
                "unsupported_grant_type",
                "The grant type must be `password` or `refresh_token`",
            );
            return Err(oauth2(
                ApiError::new(StatusCode::BAD_REQUEST, code, detail),
                code,
            ));
        }
    };
    outcome.map_err(|error| match error {
        AppError::Unauthenticated(reason @ Unauthenticated::Refresh) => oauth2(
            ApiError::new(StatusCode::BAD_REQUEST, "invalid_grant", reason.to_string()),
            "invalid_grant",
        ),
        error @ AppError::Unauthenticated(_) => oauth2(error.into(), "invalid_grant"),
        error => error.into(),
    })
}

async fn refresh(
    services: web::Data<Services>,
    input: Json<RefreshInput>,
) -> Result<HttpResponse, ApiError> {
    Ok(answer(
        &services
            .authenticator
            .refresh(&Secret::new(input.0.refresh_token))
            .await?,
    ))
}

async fn sign_out(
    Require(auth): Require<SignedIn>,
    services: web::Data<Services>,
) -> Result<web::Json<Detail>, ApiError> {
    services.authenticator.sign_out(&auth).await?;
    Ok(web::Json(Detail::new("Signed out")))
}

async fn list(
    Require(auth): Require<SignedIn>,
    services: web::Data<Services>,
) -> Result<web::Json<Vec<SessionView>>, ApiError> {
    let sessions = services.authenticator.list_sessions(&auth).await?;
    let current = auth.principal().session;
    Ok(web::Json(
        sessions
            .into_iter()
            .map(|session| SessionView::new(session, current))
            .collect(),
    ))
}

async fn end(
    Require(auth): Require<SignedIn>,
    services: web::Data<Services>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    services
        .authenticator
        .end_session(&auth, SessionId(id(&request, "id")?))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Tokens must not be kept by anything between here and the client (RFC 6749 section 5.1).
fn answer(pair: &TokenPair) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(TokenView {
            id: pair.user.0,
            access_token: pair.access_token.reveal().to_owned(),
            token_type: "bearer".to_owned(),
            expires_in: pair.expires_in,
            expires: pair.expires,
            refresh_token: pair.refresh_token.reveal().to_owned(),
        })
}

fn required(name: &'static str, value: Option<String>) -> Result<String, ApiError> {
    value.ok_or_else(|| {
        oauth2(
            InvalidInput::member(name, "is missing").into(),
            "invalid_request",
        )
    })
}
