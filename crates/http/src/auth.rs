//! Credentials of a request: read and checked by a middleware before any handler runs,
//! proved by [`Require`] as the first argument of a handler.
//!
//! actix polls all arguments of a handler together and the first error wins. `Require`
//! is ready at once and stands first, so a request without a token is a 401 whatever
//! its body holds, and the body is read only after it.

pub mod credentials;
pub mod require;

pub use require::{Caller, DocsReader, FromRoute, Require};

use std::cell::RefCell;
use std::rc::Rc;

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use tidegate_application::auth::{Authenticator, ClientInfo};
use tidegate_application::error::{AppError, Unauthenticated};
use tidegate_domain::permission::Principal;

use crate::auth::credentials::Credentials;
use crate::error::ApiError;

/// What the credentials of a request came to.
#[derive(Debug)]
pub enum Outcome {
    /// There were none.
    Anonymous,
    /// They are good.
    Known {
        /// Whose they are.
        principal: Principal,
        /// The id or name of HTTP Basic, as sent.
        sent_name: Option<String>,
    },
    /// They are not; a handler that asks for them fails with this.
    Failed(RefCell<Option<ApiError>>),
}

impl Outcome {
    fn failed(error: ApiError) -> Self {
        Self::Failed(RefCell::new(Some(error)))
    }

    /// Who asks, or the 401 to answer with.
    ///
    /// # Errors
    /// No credentials, or bad ones.
    pub fn principal(&self) -> Result<&Principal, ApiError> {
        match self {
            Self::Known { principal, .. } => Ok(principal),
            Self::Anonymous => Err(Unauthenticated::Missing.into()),
            Self::Failed(error) => Err(error
                .take()
                .unwrap_or_else(|| Unauthenticated::Missing.into())),
        }
    }

    /// The user's id for the log.
    pub fn user(&self) -> Option<i64> {
        match self {
            Self::Known { principal, .. } => Some(principal.user.0),
            _ => None,
        }
    }
}

/// The outcome as it is kept in a request's extensions.
pub type SharedOutcome = Rc<Outcome>;

/// Checks the credentials of a request. `password` says whether HTTP Basic with a user
/// name is taken here.
pub async fn resolve(
    authenticator: &Authenticator,
    headers: &HeaderMap,
    password: bool,
    client: &ClientInfo,
) -> Outcome {
    match Credentials::of(headers) {
        Credentials::None => Outcome::Anonymous,
        Credentials::Malformed => Outcome::failed(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "malformed_authorization",
            "The Authorization header must be `Bearer` and an access token, or `Basic` and `id:api_key` in base64",
        )),
        Credentials::Bearer(token) => outcome(authenticator.bearer(token), None),
        // These ask the database; on their own, they do not make every request's future large.
        Credentials::ApiKey { id, key, sent } => {
            let checked = Box::pin(authenticator.api_key(id, &key)).await;
            outcome(checked, Some(sent))
        }
        Credentials::Password {
            name,
            password: secret,
        } if password => {
            let checked = Box::pin(authenticator.password(&name, &secret, client)).await;
            outcome(checked, Some(name))
        }
        Credentials::Password { .. } => Outcome::failed(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "password_not_accepted",
            "User name and password are taken at /auth/token; send the access token from there, or an API key",
        )),
    }
}

fn outcome(checked: Result<Principal, AppError>, sent_name: Option<String>) -> Outcome {
    match checked {
        Ok(principal) => Outcome::Known {
            principal,
            sent_name,
        },
        Err(error) => Outcome::failed(error.into()),
    }
}
