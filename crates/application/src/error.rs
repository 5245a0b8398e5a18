//! The one error of all use cases, by kind. The HTTP layer turns kinds into statuses.

use thiserror::Error;
use tidegate_domain::error::{InvalidInput, StoreError, ViolationKind};
use tidegate_domain::permission::Denied;
use tidegate_domain::query::error::QueryError;
use tidegate_domain::session::TokenError;
use tidegate_domain::webhook::signature::Verdict;

/// Why a use case did not do what was asked.
#[derive(Debug, Error)]
pub enum AppError {
    /// The input does not fit.
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// Nobody, or not provably somebody, asks.
    #[error(transparent)]
    Unauthenticated(#[from] Unauthenticated),
    /// The principal lacks the right.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// What is named does not exist, or not for this principal.
    #[error("{0}")]
    NotFound(String),
    /// What is to be made exists, or a rule about other records forbids the change.
    #[error("{detail}")]
    Conflict {
        /// A stable word for programs, such as `username_taken`.
        code: &'static str,
        /// One sentence for people.
        detail: String,
    },
    /// Too many failed log-ins.
    #[error("Too many failed attempts to sign in; try again later")]
    TooManyAttempts {
        /// In how many seconds the next try is answered.
        retry_after: u64,
    },
    /// What the client saw of the record is not what it is now (RFC 9110 section 13).
    #[error("The record is not what If-Match or If-None-Match say; read it again")]
    Precondition,
    /// A message's signature is not good.
    #[error("The signature is {0}; sign the body as it is sent, with a secret of this webhook")]
    Signature(Verdict),
    /// The same request is under way.
    #[error("A request with this Idempotency-Key is being carried out; wait for its answer")]
    InProgress,
    /// Something else was sent under the same key.
    #[error("This Idempotency-Key was used for another request; choose a new one")]
    KeyReused,
    /// The request does not fit the schema.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// A port failed.
    #[error(transparent)]
    Store(StoreError),
}

/// Why nobody was authenticated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unauthenticated {
    /// There were no credentials.
    #[error("Not authenticated")]
    Missing,
    /// Unknown name, wrong password or deactivated user; one message for all.
    #[error("Invalid username or password")]
    Credentials,
    /// A wrong or revoked API key.
    #[error("Invalid id or API key")]
    ApiKey,
    /// A bad access token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A bad refresh token (at the OAuth2 form: `invalid_grant`).
    #[error("The refresh token is not valid; sign in again")]
    Refresh,
}

impl AppError {
    /// A conflict.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Conflict {
            code,
            detail: detail.into(),
        }
    }

    /// Whether the record that a new one belongs to is not there.
    pub(crate) fn is_missing_parent(error: &StoreError) -> bool {
        matches!(error, StoreError::Constraint(violation)
            if violation.kind == ViolationKind::ForeignKeyParent)
    }

    /// Whether a unique key whose name holds `part` refused the change.
    pub(crate) fn is_unique_violation(error: &StoreError, part: &str) -> bool {
        matches!(error, StoreError::Constraint(violation)
            if violation.kind == ViolationKind::Unique && violation.name.contains(part))
    }
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Input(error) => Self::Query(error),
            error => Self::Store(error),
        }
    }
}
