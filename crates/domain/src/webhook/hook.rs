//! Webhooks: the addresses that people give to providers, and what is to be done with what
//! arrives there.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::provider::{Place, Provider};
use super::signature::Scheme;
use crate::account::UserId;
use crate::audit::AuditTrail;
use crate::error::{InvalidInput, StoreError};
use crate::text::{Int, Line};
use crate::transaction::Repeatable;

/// A webhook's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WebhookId(pub i64);

/// The unguessable part of a webhook's address: as many letters and digits (190 bits).
pub const RID_LENGTH: usize = 32;

/// How many secrets of one purpose a webhook may have.
pub const MAX_SECRETS: usize = 5;

/// What a client may send of a webhook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Shop", "provider": "stripe"}))]
pub struct WebhookDraft {
    /// What it is called; `wh_name` means the same.
    #[serde(alias = "wh_name")]
    #[schema(inline)]
    pub name: Line<1, 100>,
    /// Who sends to it.
    #[serde(default = "generic")]
    #[schema(default = "generic")]
    pub provider: Provider,
    /// Whether it receives.
    #[serde(default)]
    #[schema(value_type = i64, minimum = 0, maximum = 1, default = 1)]
    pub status: Status,
    /// What becomes of messages whose signature is not good.
    #[serde(default)]
    pub unverified: Unverified,
    /// How messages are signed, where the provider does not say.
    #[serde(default)]
    pub signature: Option<Scheme>,
    /// Where a message says which delivery it is, where the provider does not say.
    #[serde(default)]
    pub delivery_id: Option<Place>,
    /// Days after which a message is deleted; null: never.
    #[serde(default = "ninety")]
    #[schema(inline, default = 90)]
    pub retention_days: Option<Int<1, 3650>>,
    /// How many messages are kept, the newest; null: all.
    #[serde(default)]
    #[schema(inline)]
    pub retention_messages: Option<Int<1, 1_000_000_000>>,
    /// How often a message is handed to one consumer before it is dead.
    #[serde(default = "twenty")]
    #[schema(inline, default = 20)]
    pub max_deliveries: Int<1, 1000>,
}

fn generic() -> Provider {
    Provider::Generic
}

fn ninety() -> Option<Int<1, 3650>> {
    Some(Int::of(90))
}

fn twenty() -> Int<1, 1000> {
    Int::of(20)
}

/// Whether a webhook receives. Written 1 or 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub enum Status {
    /// It does.
    #[default]
    On,
    /// Its address answers as one that never was.
    Off,
}

impl TryFrom<i64> for Status {
    type Error = &'static str;

    fn try_from(number: i64) -> Result<Self, Self::Error> {
        match number {
            1 => Ok(Self::On),
            0 => Ok(Self::Off),
            _ => Err("must be 1 or 0"),
        }
    }
}

impl From<Status> for i64 {
    fn from(status: Status) -> Self {
        match status {
            Status::On => 1,
            Status::Off => 0,
        }
    }
}

/// What becomes of a message whose signature is not good.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unverified {
    /// It is refused, and nothing of it is kept.
    #[default]
    Refuse,
    /// It is kept with what is wrong with it.
    Keep,
}

impl WebhookDraft {
    /// The rules over several members.
    ///
    /// # Errors
    /// A scheme or place of its own for a provider that has its own.
    pub fn check(&self) -> Result<(), InvalidInput> {
        let mut faults = InvalidInput::default();
        let own = matches!(self.provider, Provider::Generic | Provider::ActiveCampaign);
        for (member, given) in [
            ("signature", self.signature.is_some()),
            ("delivery_id", self.delivery_id.is_some()),
        ] {
            if given && !own {
                let detail = format!(
                    "is known of {}; leave it out, or choose the provider `generic`",
                    self.provider.name()
                );
                faults
                    .errors
                    .extend(InvalidInput::member(member, detail).errors);
            }
        }
        faults.into_result()
    }

    /// How its messages are signed; `None` where they are not.
    pub fn scheme(&self) -> Option<Scheme> {
        self.provider.scheme().or_else(|| self.signature.clone())
    }
}

/// A stored webhook.
#[derive(Debug, Clone, PartialEq)]
pub struct Webhook {
    /// Its number.
    pub id: WebhookId,
    /// Whose it is.
    pub owner: UserId,
    /// The unguessable part of its address.
    pub rid: String,
    /// What was chosen.
    pub draft: WebhookDraft,
    /// How many secrets for signatures it has.
    pub secrets: u64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: Option<DateTime<Utc>>,
}

/// A webhook to be stored.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    /// Whose it is.
    pub owner: UserId,
    /// The unguessable part of its address.
    pub rid: String,
    /// What was chosen.
    pub draft: WebhookDraft,
    /// When it is made.
    pub created_at: DateTime<Utc>,
}

/// What a secret is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// The sender signs with it.
    #[default]
    Signature,
    /// The sender shows it in its handshake (Meta's verify token).
    Handshake,
}

/// A stored secret, without what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = WebhookSecret)]
pub struct SecretInfo {
    /// Its number.
    pub id: i64,
    /// What it is for.
    pub purpose: Purpose,
    /// When it was stored.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: DateTime<Utc>,
}

/// What the receiver needs to know of a webhook.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// The webhook.
    pub id: WebhookId,
    /// Whose it is.
    pub owner: UserId,
    /// What was chosen.
    pub draft: WebhookDraft,
    /// Its secrets, sealed.
    pub secrets: Vec<(Purpose, String)>,
}

/// The stored webhooks. Each belongs to a user, and to everybody else is not there.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait Webhooks: Send + Sync {
    /// All of a user, by their numbers.
    async fn list(&self, owner: UserId) -> Result<Vec<Webhook>, StoreError>;
    /// One.
    async fn find(&self, owner: UserId, id: WebhookId) -> Result<Option<Webhook>, StoreError>;
    /// The same, locked until the transaction ends.
    async fn lock(&self, owner: UserId, id: WebhookId) -> Result<Option<Webhook>, StoreError>;
    /// Stores a webhook.
    async fn insert(&self, new: &NewWebhook) -> Result<Webhook, StoreError>;
    /// Stores another draft of one that is locked.
    async fn update(
        &self,
        id: WebhookId,
        draft: &WebhookDraft,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError>;
    /// Deletes one that is locked, with its secrets and consumers. Its messages stay; see
    /// [`super::message::Inbox::delete_all`].
    async fn delete(&self, id: WebhookId) -> Result<(), StoreError>;
    /// The secrets of a webhook, by their numbers.
    async fn secrets(&self, id: WebhookId) -> Result<Vec<SecretInfo>, StoreError>;
    /// Stores a secret, sealed.
    async fn add_secret(
        &self,
        id: WebhookId,
        purpose: Purpose,
        sealed: &str,
        now: DateTime<Utc>,
    ) -> Result<SecretInfo, StoreError>;
    /// Deletes a secret; false when it is not there.
    async fn delete_secret(&self, id: WebhookId, secret: i64) -> Result<bool, StoreError>;
    /// The webhook that receives at this address: one that is switched on.
    async fn receiver(&self, rid: &str) -> Result<Option<Receiver>, StoreError>;
}

/// A transaction over webhooks.
pub trait WebhookRecords: Repeatable {
    /// The webhooks, inside this transaction.
    fn webhooks(&self) -> &dyn Webhooks;
    /// The audit trail, inside this transaction.
    fn audit(&self) -> &dyn AuditTrail;
}

/// Finds receivers without asking the database for each message. What another node changed
/// is known within 5 seconds.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait Receivers: Send + Sync {
    /// The webhook that receives at this address. One that is switched off takes as long as
    /// one that never was.
    async fn find(&self, rid: &str) -> Result<Option<std::sync::Arc<Receiver>>, StoreError>;
    /// Forgets what is known of an address, because it was changed.
    async fn forget(&self, rid: &str);
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn a_name_is_enough() {
        let draft: WebhookDraft = from_value(json!({"wh_name": "Shop"})).unwrap();
        let expected = json!({"name": "Shop", "provider": "generic", "status": 1, "unverified": "refuse",
            "signature": null, "delivery_id": null, "retention_days": 90, "retention_messages": null,
            "max_deliveries": 20});
        assert_eq!(json!(draft), expected);
        assert_eq!(from_value::<WebhookDraft>(expected).unwrap(), draft);
        assert!(draft.check().is_ok() && draft.scheme().is_none());
    }

    #[test]
    fn a_provider_that_has_its_own_scheme_takes_no_other() {
        let scheme = json!({"hmac": {"header": "X-S", "algorithm": "sha256", "encoding": "hex"}});
        let place = json!({"header": "X-Id"});
        let draft = |provider: &str| -> WebhookDraft {
            let draft = json!({"name": "x", "provider": provider, "signature": scheme, "delivery_id": place});
            from_value(draft).unwrap()
        };
        assert!(draft("generic").check().is_ok() && draft("generic").scheme().is_some());
        assert!(draft("activecampaign").check().is_ok());
        let faults = draft("stripe").check().unwrap_err().errors;
        let pointers: Vec<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(pointers, ["/signature", "/delivery_id"]);
    }

    #[test]
    fn other_values_are_refused() {
        for (member, value) in [
            ("status", json!(2)),
            ("status", json!(true)),
            ("unverified", json!("drop")),
            ("retention_days", json!(0)),
            ("max_deliveries", json!(null)),
            ("provider", json!("paypal")),
            ("url", json!("http://x")),
        ] {
            let mut draft = json!({"name": "x"});
            draft[member] = value;
            assert!(
                from_value::<WebhookDraft>(draft.clone()).is_err(),
                "{draft}"
            );
        }
    }
}
