//! The audit trail: who changed what, and when. Entries are added and, when they are old, deleted;
//! never changed.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::account::UserId;
use crate::error::{InvalidInput, StoreError};
use crate::page::{Page, PageRequest};

/// Declares the actions with their names.
macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident = $name:literal,)+) => {
        /// What was done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action {
            $($(#[$doc])* $action,)+
        }

        impl Action {
            /// All of them.
            pub const ALL: &'static [Action] = &[$(Action::$action),+];

            /// The name, as it is stored and told.
            pub fn name(self) -> &'static str {
                match self {
                    $(Action::$action => $name,)+
                }
            }
        }
    };
}

actions! {
    /// Somebody signed in.
    LoginSucceeded = "login.succeeded",
    /// A password was wrong, or its user unknown or deactivated.
    LoginFailed = "login.failed",
    /// A session was ended by its user, or by a refresh token that was used twice.
    SessionEnded = "session.ended",
    /// An account was made.
    UserCreated = "user.created",
    /// Name, address or activation were changed.
    UserChanged = "user.changed",
    /// A user got another role.
    RoleChanged = "role.changed",
    /// A user got another password.
    PasswordChanged = "password.changed",
    /// An API key was made.
    ApiKeyCreated = "api_key.created",
    /// An API key was revoked.
    ApiKeyDeleted = "api_key.deleted",
    /// A version of the API was added.
    VersionCreated = "version.created",
    /// A version of the API was changed.
    VersionChanged = "version.changed",
    /// A version of the API was taken away.
    VersionDeleted = "version.deleted",
    /// A database was made.
    DatabaseCreated = "database.created",
    /// A database was dropped.
    DatabaseDropped = "database.dropped",
    /// A database account was made, or given privileges.
    DatabaseUserCreated = "database_user.created",
    /// A database account lost its privileges in a database.
    DatabaseUserDropped = "database_user.dropped",
    /// A table was made.
    TableCreated = "table.created",
    /// A table was changed.
    TableChanged = "table.changed",
    /// A table was dropped.
    TableDropped = "table.dropped",
    /// A webhook was made.
    WebhookCreated = "webhook.created",
    /// A webhook was changed.
    WebhookChanged = "webhook.changed",
    /// A webhook was deleted with its messages.
    WebhookDeleted = "webhook.deleted",
    /// A secret of a webhook was added or deleted.
    WebhookSecretChanged = "webhook.secret_changed",
    /// An administrator had a job done.
    JobStarted = "job.started",
    /// The level of the log was changed.
    LogLevelChanged = "log_level.changed",
}

impl Action {
    /// The one with this name.
    ///
    /// # Errors
    /// That there is none.
    pub fn parse(name: &str) -> Result<Self, InvalidInput> {
        let found = Self::ALL.iter().find(|action| action.name() == name);
        found.copied().ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|action| action.name()).collect();
            InvalidInput::member("action", format!("must be one of {}", names.join(", ")))
        })
    }
}

/// Values of members, without secrets.
pub type Values = Map<String, Value>;

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: DateTime<Utc>,
    /// Who, as far as it is known.
    pub actor: Option<UserId>,
    /// The user's name at that time; `terminal` at the server's own terminal.
    pub actor_name: Option<String>,
    /// What.
    pub action: Action,
    /// The kind of thing that it was done to, such as `user` or `table`.
    pub target_kind: &'static str,
    /// Which one: a number or a name.
    pub target: Option<String>,
    /// What was changed, as it was before.
    pub before: Option<Values>,
    /// What was changed, as it is now.
    pub after: Option<Values>,
    /// The request that did it.
    pub request_id: Option<String>,
    /// The address that the request came from.
    pub address: Option<String>,
}

/// An entry as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AuditEntry, example = json!({
    "id": 4711, "at": "2026-03-01T06:40:00.123456Z", "actor_id": 1, "actor": "admin",
    "action": "user.changed", "target_kind": "user", "target": "7",
    "before": {"activated": true}, "after": {"activated": false},
    "request_id": "0b3c8f1e-9a43-4f0b-8d0c-2f6f5f0e7a11", "address": "192.0.2.7"
}))]
pub struct Recorded {
    /// Its number; later ones are greater.
    pub id: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: DateTime<Utc>,
    /// The id of who did it; null where nobody was signed in.
    pub actor_id: Option<i64>,
    /// The name of who did it at that time; `terminal` at the server's own terminal.
    pub actor: Option<String>,
    /// What was done.
    pub action: String,
    /// The kind of thing that it was done to.
    pub target_kind: String,
    /// Which one: a number or a name; null where that is not known.
    pub target: Option<String>,
    /// What was changed, as it was before.
    #[schema(value_type = Option<Object>)]
    pub before: Option<Values>,
    /// What was changed, as it was afterwards.
    #[schema(value_type = Option<Object>)]
    pub after: Option<Values>,
    /// The `X-Request-Id` of the request.
    pub request_id: Option<String>,
    /// The address that the request came from.
    pub address: Option<String>,
}

/// Which entries are looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Those of a user: an id, or a name.
    pub actor: Option<String>,
    /// Those of an action.
    pub action: Option<Action>,
    /// Those about a kind of thing.
    pub target_kind: Option<String>,
    /// Those about one: a number or a name.
    pub target: Option<String>,
    /// Those from this time on.
    pub since: Option<DateTime<Utc>>,
    /// Those before this time.
    pub until: Option<DateTime<Utc>>,
}

/// A failed log-in, as nodes tell it to one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedLogin {
    /// The number of its entry.
    pub id: i64,
    /// The address that it came from, as a text.
    pub address: Option<String>,
    /// What is kept with it.
    pub after: Option<Values>,
}

/// The stored audit trail.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait AuditTrail: Send + Sync {
    /// Adds an entry.
    async fn record(&self, entry: &Entry) -> Result<(), StoreError>;
    /// A part of the entries that are looked for, newest first.
    async fn list(
        &self,
        filter: &AuditFilter,
        page: PageRequest,
    ) -> Result<Page<Recorded>, StoreError>;
    /// Failed log-ins after an entry and not before a time, oldest first, so many at most.
    async fn failed_logins(
        &self,
        after: i64,
        since: DateTime<Utc>,
        limit: u64,
    ) -> Result<Vec<FailedLogin>, StoreError>;
    /// Deletes what is older; how many entries.
    async fn purge(&self, before: DateTime<Utc>) -> Result<u64, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_lead_back() {
        for action in Action::ALL {
            assert_eq!(Action::parse(action.name()).unwrap(), *action);
        }
        let fault = Action::parse("user.eaten").unwrap_err();
        assert!(format!("{fault:?}").contains("user.created"));
    }
}
