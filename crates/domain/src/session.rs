//! Sessions (a device that is signed in) and the tokens that stand for them.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::account::{Role, UserId, Username};
use crate::error::StoreError;

/// A session's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub i64);

/// A signed-in device. All refresh tokens that followed one log-in belong to one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The session's number.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When a token was last taken for it.
    pub last_used_at: DateTime<Utc>,
    /// When its refresh token expires.
    pub expires_at: DateTime<Utc>,
    /// The `User-Agent` of the log-in, cut to 255 characters.
    pub agent: Option<String>,
    /// The client's address at the log-in.
    pub address: Option<String>,
}

/// A session to be stored.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Whose it is.
    pub user: UserId,
    /// The digest of its first refresh token.
    pub refresh_digest: String,
    /// When it begins.
    pub created_at: DateTime<Utc>,
    /// When the refresh token expires.
    pub expires_at: DateTime<Utc>,
    /// The client's `User-Agent`.
    pub agent: Option<String>,
    /// The client's address.
    pub address: Option<String>,
}

/// What became of a refresh token that was presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// It was the current one and is now replaced.
    Rotated(Session),
    /// It was used before: the session was ended by this call (RFC 9700 section 4.14).
    Reused(Session),
    /// It is unknown, expired, or its session has ended.
    Refused,
}

/// The stored sessions. A session that ended stays stored until its last access token
/// has expired, so that other nodes learn of it.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Starts a session and, where the user then has more than `max_live`, ends those that
    /// expire first; gives the session and those that were ended. Atomic.
    async fn start(
        &self,
        session: &NewSession,
        max_live: u64,
    ) -> Result<(Session, Vec<SessionId>), StoreError>;
    /// Replaces the refresh token whose digest is `old` by `new`. Atomic: of two parallel
    /// calls with one token exactly one rotates, the other is a reuse.
    async fn rotate(
        &self,
        old: &str,
        new: &str,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<Rotation, StoreError>;
    /// The live sessions of a user, by id.
    async fn list(&self, user: UserId, now: DateTime<Utc>) -> Result<Vec<Session>, StoreError>;
    /// Ends one session of a user; false when the user has no such live session.
    async fn end(
        &self,
        user: UserId,
        session: SessionId,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError>;
    /// Ends all sessions of a user; gives those that were ended.
    async fn end_all(&self, user: UserId, now: DateTime<Utc>)
    -> Result<Vec<SessionId>, StoreError>;
    /// The sessions that ended at or after `since`.
    async fn ended_since(&self, since: DateTime<Utc>) -> Result<Vec<SessionId>, StoreError>;
    /// Deletes sessions that expired or ended before `before`; gives their number.
    async fn purge(&self, before: DateTime<Utc>) -> Result<u64, StoreError>;
}

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessClaims {
    /// The user (`sub`, `user_id`).
    pub user: UserId,
    /// The name at the time of the log-in or refresh.
    pub username: Username,
    /// The role at that time.
    pub role: Role,
    /// The session (`sid`).
    pub session: SessionId,
    /// `iat`, to the second.
    pub issued_at: DateTime<Utc>,
    /// `exp`, to the second.
    pub expires_at: DateTime<Utc>,
    /// `jti`.
    pub token_id: String,
}

/// Why an access token was refused. The text goes into `WWW-Authenticate`
/// (RFC 6750 section 3.1) and gives nothing away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token of ours: malformed, altered, foreign key, issuer, audience or algorithm.
    #[error("The access token is not valid")]
    Invalid,
    /// Its time is over.
    #[error("The access token expired")]
    Expired,
    /// Its session has ended.
    #[error("The session of the access token has ended")]
    Ended,
}

/// Makes and checks access tokens.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
pub trait AccessTokens: Send + Sync {
    /// Signs a token.
    ///
    /// # Errors
    /// Only when the key cannot sign, which is a fault of the server.
    fn issue(&self, claims: &AccessClaims) -> Result<String, StoreError>;
    /// Checks signature, times, issuer, audience and algorithm.
    ///
    /// # Errors
    /// What does not hold. Whether the session still lives is not known here.
    fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<AccessClaims, TokenError>;
}
