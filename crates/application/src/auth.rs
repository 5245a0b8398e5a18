//! Who makes a request: access tokens, API keys and passwords become a [`Principal`].

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use tidegate_domain::account::{
    ApiKeys, Login, PasswordHasher, SecretDigest, User, UserId, Users, login_key,
};
use tidegate_domain::permission::Principal;
use tidegate_domain::secret::Secret;
use tidegate_domain::session::{AccessTokens, Sessions, TokenError};
use tidegate_domain::system::{Clock, Randomness};

use crate::audit::Audit;
use crate::backoff::LoginBackoff;
use crate::ended::EndedSessions;
use crate::error::{AppError, Unauthenticated};

/// How seldom the last use of an API key is written down.
const TOUCH_INTERVAL: TimeDelta = TimeDelta::seconds(60);

/// Where a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientInfo {
    /// The client's address, behind trusted proxies the one they name.
    pub address: IpAddr,
    /// Its `User-Agent`.
    pub agent: Option<String>,
}

/// How tokens are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenPolicy {
    /// How long an access token lives.
    pub access_life: TimeDelta,
    /// How long a refresh token lives.
    pub refresh_life: TimeDelta,
    /// How many live sessions a user may have; one more ends the one that expires first.
    pub max_sessions: u64,
}

/// Checks credentials, and makes and ends the sessions behind tokens.
pub struct Authenticator {
    pub(crate) parts: AuthenticatorParts,
    pub(crate) policy: TokenPolicy,
    touched: Mutex<HashMap<UserId, DateTime<Utc>>>,
}

/// The ports that an [`Authenticator`] works on.
pub struct AuthenticatorParts {
    /// The users.
    pub users: Arc<dyn Users>,
    /// The sessions.
    pub sessions: Arc<dyn Sessions>,
    /// The API keys.
    pub api_keys: Arc<dyn ApiKeys>,
    /// Signs and checks access tokens.
    pub tokens: Arc<dyn AccessTokens>,
    /// Checks passwords.
    pub hasher: Arc<dyn PasswordHasher>,
    /// Digests refresh tokens and API keys.
    pub digest: Arc<dyn SecretDigest>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Draws tokens.
    pub randomness: Arc<dyn Randomness>,
    /// The list of ended sessions, shared with [`crate::accounts::Accounts`].
    pub ended: Arc<EndedSessions>,
    /// The back-off, shared likewise.
    pub backoff: Arc<LoginBackoff>,
    /// Where log-ins are noted.
    pub audit: Audit,
}

impl Authenticator {
    /// Puts the parts together.
    pub fn new(parts: AuthenticatorParts, policy: TokenPolicy) -> Self {
        Self {
            parts,
            policy,
            touched: Mutex::default(),
        }
    }

    /// Who an access token stands for. Costs no query.
    ///
    /// # Errors
    /// A token that is not valid, expired, or whose session has ended.
    pub fn bearer(&self, token: &str) -> Result<Principal, AppError> {
        let claims = self
            .parts
            .tokens
            .verify(token, self.parts.clock.now())
            .map_err(refused)?;
        if self.parts.ended.contains(claims.session) {
            return Err(refused(TokenError::Ended));
        }
        Ok(Principal {
            user: claims.user,
            username: claims.username,
            role: claims.role,
            session: Some(claims.session),
        })
    }

    /// Who an API key stands for.
    ///
    /// # Errors
    /// A wrong key, a revoked one, or a deactivated user.
    pub async fn api_key(&self, user: UserId, key: &Secret) -> Result<Principal, AppError> {
        let stored = self.parts.api_keys.find(user).await?;
        let matches = self.parts.digest.matches(
            key,
            stored.as_ref().map_or("", |stored| stored.digest.as_str()),
        );
        match stored {
            Some(stored)
                if matches
                    && stored.user.activated
                    && stored
                        .expires_at
                        .is_none_or(|end| end > self.parts.clock.now()) =>
            {
                self.touch(user).await;
                Ok(principal(&stored.user))
            }
            _ => Err(Unauthenticated::ApiKey.into()),
        }
    }

    /// Who a name (or e-mail address) and password stand for; counts as a log-in attempt.
    ///
    /// # Errors
    /// One answer for unknown, wrong and deactivated; [`AppError::TooManyAttempts`] after many.
    pub async fn password(
        &self,
        name: &str,
        password: &Secret,
        client: &ClientInfo,
    ) -> Result<Principal, AppError> {
        self.check_password(name, password, client)
            .await
            .map(|login| principal(&login.user))
    }

    pub(crate) async fn check_password(
        &self,
        name: &str,
        password: &Secret,
        client: &ClientInfo,
    ) -> Result<Login, AppError> {
        let account = login_key(name);
        if let Some(retry_after) = self.parts.backoff.wait(&account, client.address) {
            logged_in("throttled");
            return Err(AppError::TooManyAttempts { retry_after });
        }
        let login = self.parts.users.find_login(&account).await?;
        let correct = self
            .parts
            .hasher
            .verify(password, login.as_ref().map(|login| &login.password))
            .await?;
        match login {
            Some(login) if correct && login.user.activated => {
                self.parts.backoff.succeeded(&account, client.address);
                logged_in("success");
                Ok(login)
            }
            login => {
                self.parts.backoff.failed(&account, client.address);
                logged_in("failure");
                let user = login.as_ref().map(|login| &login.user);
                self.parts.audit.note_failed_login(user).await;
                Err(Unauthenticated::Credentials.into())
            }
        }
    }

    /// Notes the use of a key, seldom; that it cannot be noted is no reason to refuse it.
    async fn touch(&self, user: UserId) {
        let now = self.parts.clock.now();
        {
            let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
            if touched
                .get(&user)
                .is_some_and(|last| now - *last < TOUCH_INTERVAL)
            {
                return;
            }
            touched.insert(user, now);
        }
        if let Err(error) = self.parts.api_keys.touch(user, now).await {
            tracing::warn!(%error, user = user.0, "the last use of an API key could not be noted");
        }
    }
}

/// Counts a log-in.
fn logged_in(outcome: &'static str) {
    metrics::counter!("tidegate_logins_total", "outcome" => outcome).increment(1);
}

/// Counts a token that is not good.
fn refused(error: TokenError) -> AppError {
    let reason = match error {
        TokenError::Invalid => "invalid",
        TokenError::Expired => "expired",
        TokenError::Ended => "ended",
    };
    metrics::counter!("tidegate_tokens_refused_total", "reason" => reason).increment(1);
    Unauthenticated::Token(error).into()
}

fn principal(user: &User) -> Principal {
    Principal {
        user: user.id,
        username: user.username.clone(),
        role: user.role,
        session: None,
    }
}

#[cfg(test)]
mod tests;
