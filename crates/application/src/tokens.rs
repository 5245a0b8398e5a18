//! Signing in, refreshing and signing out: the sessions behind tokens.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tidegate_domain::account::{User, UserId};
use tidegate_domain::audit::Action;
use tidegate_domain::permission::{Authorized, SignedIn};
use tidegate_domain::secret::Secret;
use tidegate_domain::session::{AccessClaims, NewSession, Rotation, Session, SessionId};

use crate::audit::{Actor, Done, to_the_end};
use crate::auth::{Authenticator, ClientInfo};
use crate::error::{AppError, Unauthenticated};

/// Length of a refresh token: 128 letters and digits, over 760 bits.
const REFRESH_LENGTH: usize = 128;
/// Length of an access token's `jti`.
const TOKEN_ID_LENGTH: usize = 22;
/// How much of a `User-Agent` is kept.
const AGENT_LENGTH: usize = 255;

/// An access token and the refresh token to follow it.
#[derive(Debug)]
pub struct TokenPair {
    /// Whose they are.
    pub user: UserId,
    /// The signed access token.
    pub access_token: Secret,
    /// How many seconds it lives.
    pub expires_in: i64,
    /// When it expires.
    pub expires: DateTime<Utc>,
    /// The refresh token, in clear this one time.
    pub refresh_token: Secret,
}

impl Authenticator {
    /// Signs in with a name (or e-mail address) and password: starts a session.
    ///
    /// # Errors
    /// As [`Authenticator::password`].
    pub async fn sign_in(
        &self,
        name: &str,
        password: &Secret,
        client: &ClientInfo,
    ) -> Result<TokenPair, AppError> {
        let login = self.check_password(name, password, client).await?;
        let user = &login.user;
        let now = self.parts.clock.now();
        let refresh_token = Secret::new(self.parts.randomness.alphanumeric(REFRESH_LENGTH));
        let session = NewSession {
            user: user.id,
            refresh_digest: self.parts.digest.digest(&refresh_token),
            created_at: now,
            expires_at: now + self.policy.refresh_life,
            agent: client
                .agent
                .as_ref()
                .map(|agent| agent.chars().take(AGENT_LENGTH).collect()),
            address: Some(client.address.to_string()),
        };
        let (session, ended) = self
            .parts
            .sessions
            .start(&session, self.policy.max_sessions)
            .await?;
        self.parts.ended.add(&ended);
        // Whoever was deactivated, or got another password or role, while this password was
        // being checked had all sessions ended before this one began.
        let unchanged = self
            .parts
            .users
            .find_login_by_id(user.id)
            .await?
            .is_some_and(|now| {
                now.user.activated && now.password == login.password && now.user.role == user.role
            });
        if !unchanged {
            self.parts.sessions.end(user.id, session.id, now).await?;
            return Err(Unauthenticated::Credentials.into());
        }
        let done = Done::new(Actor::User(user), Action::LoginSucceeded, "user", user.id.0)
            .after(json!({"session": session.id.0}));
        self.parts.audit.note(done).await;
        self.issue(user, session.id, refresh_token, now)
    }

    /// Trades a refresh token for a new pair. The old one dies; using it again ends the session.
    ///
    /// # Errors
    /// [`Unauthenticated::Refresh`] for every token that is not the current one of a live session.
    pub async fn refresh(&self, refresh_token: &Secret) -> Result<TokenPair, AppError> {
        let now = self.parts.clock.now();
        let next = Secret::new(self.parts.randomness.alphanumeric(REFRESH_LENGTH));
        let rotation = self
            .parts
            .sessions
            .rotate(
                &self.parts.digest.digest(refresh_token),
                &self.parts.digest.digest(&next),
                now,
                now + self.policy.refresh_life,
            )
            .await?;
        match rotation {
            Rotation::Rotated(session) => match self.parts.users.find(session.user).await? {
                Some(user) if user.activated => self.issue(&user, session.id, next, now),
                _ => Err(Unauthenticated::Refresh.into()),
            },
            Rotation::Reused(session) => {
                tracing::warn!(
                    user = session.user.0,
                    session = session.id.0,
                    "a refresh token was used twice; its session is ended"
                );
                self.parts.ended.add(&[session.id]);
                let id = session.id.0;
                let done = Done::new(Actor::Nobody, Action::SessionEnded, "session", id)
                    .after(json!({"user": session.user.0, "reason": "refresh token used twice"}));
                self.parts.audit.note(done).await;
                Err(Unauthenticated::Refresh.into())
            }
            Rotation::Refused => Err(Unauthenticated::Refresh.into()),
        }
    }

    /// Ends the session of the access token that is used.
    ///
    /// # Errors
    /// [`Unauthenticated::Missing`] where no session stands behind the credentials (an API key).
    pub async fn sign_out(&self, auth: &Authorized<SignedIn>) -> Result<(), AppError> {
        let session = auth.principal().session.ok_or(Unauthenticated::Missing)?;
        self.end(auth, session).await.map(drop)
    }

    /// One's own live sessions.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list_sessions(
        &self,
        auth: &Authorized<SignedIn>,
    ) -> Result<Vec<Session>, AppError> {
        Ok(self
            .parts
            .sessions
            .list(auth.principal().user, self.parts.clock.now())
            .await?)
    }

    /// Ends one of one's own sessions.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a session that is not one's own or not live.
    pub async fn end_session(
        &self,
        auth: &Authorized<SignedIn>,
        session: SessionId,
    ) -> Result<(), AppError> {
        if self.end(auth, session).await? {
            Ok(())
        } else {
            Err(AppError::NotFound(format!(
                "There is no session {}",
                session.0
            )))
        }
    }

    /// Ends a session, and notes it; false where there is none.
    async fn end(&self, auth: &Authorized<SignedIn>, session: SessionId) -> Result<bool, AppError> {
        let (sessions, audit) = (self.parts.sessions.clone(), self.parts.audit.clone());
        let (ended, auth, now) = (
            self.parts.ended.clone(),
            auth.clone(),
            self.parts.clock.now(),
        );
        let done = to_the_end(async move {
            let found = sessions.end(auth.principal().user, session, now).await?;
            // Only one's own: the list does not ask whose a session is.
            if found || auth.principal().session == Some(session) {
                ended.add(&[session]);
            }
            if found {
                let actor = Actor::Principal(auth.principal());
                let done = Done::new(actor, Action::SessionEnded, "session", session.0);
                audit.note(done).await;
            }
            Ok(found)
        });
        Ok(done.await?)
    }

    /// Deletes sessions that expired, or ended so long ago that no access token of theirs
    /// can be valid; gives their number.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn purge_sessions(&self) -> Result<u64, AppError> {
        // An hour more than a token lives, for clocks that differ.
        let before = self.parts.clock.now() - self.policy.access_life - TimeDelta::hours(1);
        Ok(self.parts.sessions.purge(before).await?)
    }

    fn issue(
        &self,
        user: &User,
        session: SessionId,
        refresh_token: Secret,
        now: DateTime<Utc>,
    ) -> Result<TokenPair, AppError> {
        let expires = now + self.policy.access_life;
        let claims = AccessClaims {
            user: user.id,
            username: user.username.clone(),
            role: user.role,
            session,
            issued_at: now,
            expires_at: expires,
            token_id: self.parts.randomness.alphanumeric(TOKEN_ID_LENGTH),
        };
        Ok(TokenPair {
            user: user.id,
            access_token: Secret::new(self.parts.tokens.issue(&claims)?),
            expires_in: self.policy.access_life.num_seconds(),
            expires,
            refresh_token,
        })
    }
}
