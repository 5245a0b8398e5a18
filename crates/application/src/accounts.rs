//! Users and API keys: who may make, see and change them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tidegate_domain::account::{
    Email, NewPassword, NewUser, PasswordHash, PasswordHasher, Role, SecretDigest, User,
    UserChanges, UserFilter, UserId, Username, Users,
};
use tidegate_domain::audit::Action;
use tidegate_domain::error::{InvalidInput, StoreError};
use tidegate_domain::page::{Page, PageRequest};
use tidegate_domain::permission::{AdminOrSelf, Administer, Authorized, Denied, SignedIn};
use tidegate_domain::secret::Secret;
use tidegate_domain::system::{Clock, Randomness};
use tidegate_domain::transaction::{Transaction, UnitOfWork};

use crate::audit::{Actor, Audit, Done};
use crate::auth::ClientInfo;
use crate::backoff::LoginBackoff;
use crate::ended::EndedSessions;
use crate::error::AppError;

use self::recent::RecentUsers;

/// Length of a generated password: 20 letters and digits, 119 bits.
const PASSWORD_LENGTH: usize = 20;
/// Length of an API key: 32 letters and digits, 190 bits.
const API_KEY_LENGTH: usize = 32;

/// A new account as a client describes it; nothing is checked yet.
#[derive(Debug, Clone, Default)]
pub struct AccountInput {
    /// The name; without one `user` and the id.
    pub username: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
    /// The password; without one it is generated (administrators only).
    pub password: Option<Secret>,
}

/// A change of an account as a client describes it; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct AccountPatch {
    /// The new name.
    pub username: Option<String>,
    /// The new address; `Some(None)` takes it away.
    pub email: Option<Option<String>>,
    /// The new password.
    pub password: Option<Secret>,
    /// The present password, needed for a change of one's own.
    pub current_password: Option<Secret>,
    /// The new role's number.
    pub role_id: Option<i64>,
    /// Whether the user may sign in.
    pub activated: Option<bool>,
}

/// An account that was made.
#[derive(Debug)]
pub struct CreatedAccount {
    /// The user.
    pub user: User,
    /// The password, where it was generated; shown this one time.
    pub password: Option<Secret>,
}

/// The use cases of accounts.
pub struct Accounts {
    parts: AccountsParts,
    registration: bool,
    recent: RecentUsers,
}

/// The ports that [`Accounts`] works on.
pub struct AccountsParts {
    /// The users.
    pub users: Arc<dyn Users>,
    /// Transactions over users, sessions and keys.
    pub unit_of_work: Arc<dyn UnitOfWork>,
    /// Hashes passwords.
    pub hasher: Arc<dyn PasswordHasher>,
    /// Digests API keys.
    pub digest: Arc<dyn SecretDigest>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Draws passwords and keys.
    pub randomness: Arc<dyn Randomness>,
    /// The list of ended sessions.
    pub ended: Arc<EndedSessions>,
    /// The log-in back-off.
    pub backoff: Arc<LoginBackoff>,
    /// Where changes are noted.
    pub audit: Audit,
}

impl Accounts {
    /// Puts the parts together; `registration` lets anybody make an account.
    pub fn new(parts: AccountsParts, registration: bool) -> Self {
        Self {
            parts,
            registration,
            recent: RecentUsers::default(),
        }
    }

    /// Makes an account for whoever asks.
    ///
    /// # Errors
    /// [`Denied`] where registration is off; invalid input; a taken name or address.
    pub async fn register(&self, input: AccountInput) -> Result<User, AppError> {
        if !self.registration {
            return Err(Denied.into());
        }
        if input.password.is_none() {
            return Err(InvalidInput::member("password", "is missing").into());
        }
        Ok(self.make(input, Role::User, Actor::Nobody).await?.user)
    }

    /// Makes an account of any role; without a password one is generated.
    ///
    /// # Errors
    /// Invalid input; an unknown role; a taken name or address.
    pub async fn create(
        &self,
        auth: &Authorized<Administer>,
        input: AccountInput,
        role_id: i64,
    ) -> Result<CreatedAccount, AppError> {
        let role = role(role_id)?;
        let actor = Actor::Principal(auth.principal());
        self.make(input, role, actor).await
    }

    /// Makes an account for whoever sits at the server's own terminal, where there is no
    /// principal to ask for a right.
    ///
    /// # Errors
    /// Invalid input; a taken name or address.
    pub async fn create_unattended(
        &self,
        input: AccountInput,
        role: Role,
    ) -> Result<CreatedAccount, AppError> {
        self.make(input, role, Actor::Terminal).await
    }

    /// Makes the first administrator when there is no user at all; `None` when there is one.
    ///
    /// # Errors
    /// Invalid input; when the store fails.
    pub async fn create_first_administrator(
        &self,
        input: AccountInput,
    ) -> Result<Option<CreatedAccount>, AppError> {
        if self.parts.users.any().await? {
            return Ok(None);
        }
        let made = self.make(input, Role::Admin, Actor::Terminal).await;
        made.map(Some)
    }

    /// Whether any user exists.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn any(&self) -> Result<bool, AppError> {
        Ok(self.parts.users.any().await?)
    }

    /// One user: as this node last changed it, or as it was stored a second ago at most.
    ///
    /// # Errors
    /// Not found.
    pub async fn get(&self, _: &Authorized<SignedIn>, id: UserId) -> Result<User, AppError> {
        let reading = match self.recent.find(id, self.parts.clock.now()) {
            Ok(user) => return Ok(user),
            Err(reading) => reading,
        };
        let user = self.parts.users.find(id).await?;
        let user = user.ok_or_else(|| not_found(id))?;
        self.recent.keep(&reading, &user);
        Ok(user)
    }

    /// Oneself, as [`Self::get`] shows it.
    ///
    /// # Errors
    /// Not found, if deleted meanwhile.
    pub async fn me(&self, auth: &Authorized<SignedIn>) -> Result<User, AppError> {
        self.get(auth, auth.principal().user).await
    }

    /// A part of the list of users.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(
        &self,
        _: &Authorized<SignedIn>,
        filter: &UserFilter,
        page: PageRequest,
    ) -> Result<Page<User>, AppError> {
        Ok(self.parts.users.list(filter, page).await?)
    }

    /// Changes a user. A new password, another role or deactivation ends the user's sessions.
    ///
    /// # Errors
    /// [`Denied`] when a user who is no administrator changes role or activation; invalid input;
    /// a wrong current password; a taken name or address; a conflict when no active administrator
    /// would be left.
    pub async fn update(
        &self,
        auth: &Authorized<AdminOrSelf>,
        patch: AccountPatch,
        client: &ClientInfo,
    ) -> Result<User, AppError> {
        let id = auth.permission().0;
        let current = self
            .parts
            .users
            .find_login_by_id(id)
            .await?
            .ok_or_else(|| not_found(id))?;
        // What stays as it is is not written: between this look and the write an administrator
        // may have changed it, and a user's own request must not change it back.
        let role = patch
            .role_id
            .map(role)
            .transpose()?
            .filter(|role| *role != current.user.role);
        let activated = patch
            .activated
            .filter(|activated| *activated != current.user.activated);
        if (role.is_some() || activated.is_some()) && !auth.principal().is_admin() {
            return Err(Denied.into());
        }

        let mut faults = InvalidInput::default();
        let username = patch
            .username
            .as_deref()
            .and_then(|text| faults.collect("", Username::parse(text)));
        let email = match &patch.email {
            Some(Some(text)) => faults.collect("", Email::parse(text)).map(Some),
            Some(None) => Some(None),
            None => None,
        };
        let name = username.as_ref().unwrap_or(&current.user.username);
        let password = patch
            .password
            .as_ref()
            .and_then(|text| faults.collect("", NewPassword::parse(text.reveal(), name.as_str())));
        faults.into_result()?;
        if password.is_some() && auth.principal().user == id {
            self.check_current_password(
                &current.user,
                &current.password,
                patch.current_password.as_ref(),
                client,
            )
            .await?;
        }
        let password = match password {
            Some(password) => Some(self.parts.hasher.hash(password.secret()).await?),
            None => None,
        };
        let changes = UserChanges {
            username,
            email,
            password,
            role,
            activated,
        };
        let ends_sessions = changes.password.is_some()
            || changes.activated == Some(false)
            || changes.role.is_some();
        let actor = Actor::Principal(auth.principal());
        self.apply(actor, &current.user, changes, ends_sessions)
            .await
    }

    /// Deletes a user: deactivated, sessions ended, API key gone.
    ///
    /// # Errors
    /// Not found; a conflict for the last active administrator.
    pub async fn delete(&self, auth: &Authorized<AdminOrSelf>) -> Result<(), AppError> {
        let changes = UserChanges {
            activated: Some(false),
            ..UserChanges::default()
        };
        let id = auth.permission().0;
        let current = self.parts.users.find_login_by_id(id).await?;
        let current = current.ok_or_else(|| not_found(id))?.user;
        let actor = Actor::Principal(auth.principal());
        self.apply(actor, &current, changes, true).await.map(drop)
    }

    /// Makes a new API key in place of an earlier one; it is shown this one time, and works
    /// until `expires_at` if that is given.
    ///
    /// # Errors
    /// A time that is over; not found.
    pub async fn create_api_key(
        &self,
        auth: &Authorized<AdminOrSelf>,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<Secret, AppError> {
        let id = auth.permission().0;
        if expires_at.is_some_and(|end| end <= self.parts.clock.now()) {
            return Err(InvalidInput::member("expires_at", "must lie in the future").into());
        }
        let key = Secret::new(self.parts.randomness.alphanumeric(API_KEY_LENGTH));
        let digest = self.parts.digest.digest(&key);
        let transaction = self.parts.unit_of_work.begin().await?;
        if transaction
            .users()
            .find(id)
            .await?
            .is_none_or(|user| !user.activated)
        {
            return Err(not_found(id));
        }
        transaction
            .api_keys()
            .put(id, &digest, expires_at, self.parts.clock.now())
            .await?;
        let actor = Actor::Principal(auth.principal());
        let done = Done::new(actor, Action::ApiKeyCreated, "user", id.0)
            .after(json!({"expires_at": expires_at}));
        self.parts.audit.note_in(transaction.audit(), done).await?;
        transaction.commit().await?;
        Ok(key)
    }

    /// Revokes the API key.
    ///
    /// # Errors
    /// Not found, when there is none.
    pub async fn delete_api_key(&self, auth: &Authorized<AdminOrSelf>) -> Result<(), AppError> {
        let id = auth.permission().0;
        let transaction = self.parts.unit_of_work.begin().await?;
        if !transaction.api_keys().delete(id).await? {
            return Err(AppError::NotFound(format!(
                "The user {} has no API key",
                id.0
            )));
        }
        let actor = Actor::Principal(auth.principal());
        let done = Done::new(actor, Action::ApiKeyDeleted, "user", id.0);
        self.parts.audit.note_in(transaction.audit(), done).await?;
        Ok(transaction.commit().await?)
    }

    async fn make(
        &self,
        input: AccountInput,
        role: Role,
        actor: Actor<'_>,
    ) -> Result<CreatedAccount, AppError> {
        let mut faults = InvalidInput::default();
        let username = input
            .username
            .as_deref()
            .and_then(|text| faults.collect("", Username::parse(text)));
        let email = input
            .email
            .as_deref()
            .and_then(|text| faults.collect("", Email::parse(text)));
        if input.username.is_none() && input.email.is_none() {
            faults.collect(
                "",
                Err::<(), _>(InvalidInput::member("username", "is missing")),
            );
        }
        let generated = input.password.is_none();
        let password = input
            .password
            .unwrap_or_else(|| Secret::new(self.parts.randomness.alphanumeric(PASSWORD_LENGTH)));
        let name = username.as_ref().map_or("", Username::as_str);
        let checked = faults.collect("", NewPassword::parse(password.reveal(), name));
        faults.into_result()?;
        let Some(checked) = checked else {
            return Err(InvalidInput::member("password", "is missing").into());
        };
        let hash = self.parts.hasher.hash(checked.secret()).await?;
        let user = self.insert(actor, username, email, role, hash).await?;
        Ok(CreatedAccount {
            user,
            password: generated.then_some(password),
        })
    }

    async fn insert(
        &self,
        actor: Actor<'_>,
        username: Option<Username>,
        email: Option<Email>,
        role: Role,
        password: PasswordHash,
    ) -> Result<User, AppError> {
        let user = NewUser {
            username,
            email,
            role,
            password,
            created_at: self.parts.clock.now(),
        };
        let transaction = self.parts.unit_of_work.begin().await?;
        let made = transaction.users().insert(&user).await.map_err(taken)?;
        let done = Done::new(actor, Action::UserCreated, "user", made.id.0).after(shown(&made));
        self.parts.audit.note_in(transaction.audit(), done).await?;
        transaction.commit().await?;
        Ok(made)
    }

    async fn check_current_password(
        &self,
        user: &User,
        hash: &PasswordHash,
        given: Option<&Secret>,
        client: &ClientInfo,
    ) -> Result<(), AppError> {
        let fault = |detail: &str| Err(InvalidInput::member("current_password", detail).into());
        let Some(given) = given else {
            return fault("is needed to change your own password");
        };
        // A stolen access token must not serve to guess the password, so this counts as a log-in.
        let account = user.username.key();
        if let Some(retry_after) = self.parts.backoff.wait(&account, client.address) {
            return Err(AppError::TooManyAttempts { retry_after });
        }
        if self.parts.hasher.verify(given, Some(hash)).await? {
            return Ok(());
        }
        self.parts.backoff.failed(&account, client.address);
        self.parts.audit.note_failed_login(Some(user)).await;
        fault("is not your present password")
    }

    async fn apply(
        &self,
        actor: Actor<'_>,
        before: &User,
        changes: UserChanges,
        ends_sessions: bool,
    ) -> Result<User, AppError> {
        let (id, now) = (before.id, self.parts.clock.now());
        let changing = self.recent.changing(id, self.parts.clock.as_ref());
        let transaction = self.parts.unit_of_work.begin().await?;
        let loses_admin = changes.activated == Some(false)
            || changes.role.is_some_and(|role| role != Role::Admin);
        if loses_admin {
            keep_an_administrator(transaction.as_ref(), id).await?;
        }
        let user = transaction
            .users()
            .update(id, &changes, now)
            .await
            .map_err(taken)?
            .ok_or_else(|| not_found(id))?;
        if changes.activated == Some(false) {
            transaction.api_keys().delete(id).await?;
        }
        let ended = if ends_sessions {
            transaction.sessions().end_all(id, now).await?
        } else {
            Vec::new()
        };
        for done in told(actor, before, &user, changes.password.is_some()) {
            self.parts.audit.note_in(transaction.audit(), done).await?;
        }
        transaction.commit().await?;
        changing.done();
        self.parts.ended.add(&ended);
        Ok(user)
    }
}

/// What the audit trail tells of a user.
fn shown(user: &User) -> Value {
    json!({
        "username": user.username.as_str(),
        "email": user.email.as_ref().map(Email::as_str),
        "role": user.role.name(),
        "activated": user.activated,
    })
}

/// What a change of a user was: up to three entries of the audit trail.
fn told<'a>(actor: Actor<'a>, before: &User, after: &User, password: bool) -> Vec<Done<'a>> {
    let entry = |action| Done::new(actor, action, "user", before.id.0);
    let mut entries = Vec::new();
    if before.role != after.role {
        let (from, to) = (before.role.name(), after.role.name());
        let entry = entry(Action::RoleChanged);
        entries.push(entry.changed(json!({"role": from}), json!({"role": to})));
    }
    if password {
        entries.push(entry(Action::PasswordChanged));
    }
    let rest = |user: &User| {
        let mut values = shown(user);
        if let Some(values) = values.as_object_mut() {
            values.remove("role");
        }
        values
    };
    if rest(before) != rest(after) {
        entries.push(entry(Action::UserChanged).changed(rest(before), rest(after)));
    }
    entries
}

async fn keep_an_administrator(transaction: &dyn Transaction, id: UserId) -> Result<(), AppError> {
    if transaction.users().lock_active_admins().await? == [id] {
        return Err(AppError::conflict(
            "last_administrator",
            "The last active administrator cannot be taken away",
        ));
    }
    Ok(())
}

fn role(id: i64) -> Result<Role, InvalidInput> {
    Role::from_id(id)
        .ok_or_else(|| InvalidInput::member("role_id", "must be 1 (admin) or 2 (user)"))
}

fn not_found(id: UserId) -> AppError {
    AppError::NotFound(format!("There is no user with id {}", id.0))
}

fn taken(error: StoreError) -> AppError {
    if AppError::is_unique_violation(&error, "email") {
        AppError::conflict("email_taken", "The e-mail address is already registered")
    } else if AppError::is_unique_violation(&error, "username") {
        AppError::conflict("username_taken", "The user name is already registered")
    } else {
        error.into()
    }
}

mod recent;

#[cfg(test)]
mod tests;
