//! Webhooks and their secrets. Everybody has their own, and of others' nothing is known.

use std::sync::Arc;

use serde_json::{Value, json};
use tidegate_domain::audit::Action;
use tidegate_domain::error::{InvalidInput, StoreError};
use tidegate_domain::idempotency::{Answer, RepeatableRequest};
use tidegate_domain::permission::{Authorized, SignedIn};
use tidegate_domain::secret::Secret;
use tidegate_domain::system::{Clock, Randomness};
use tidegate_domain::transaction::UnitOfWork;
use tidegate_domain::webhook::hook::{
    MAX_SECRETS, NewWebhook, Purpose, RID_LENGTH, Receivers, SecretInfo, Webhook, WebhookDraft,
    WebhookId, WebhookRecords, Webhooks as WebhookStore,
};
use tidegate_domain::webhook::message::Inbox;
use tidegate_domain::webhook::seal::SecretSealer;

use crate::audit::{Actor, Audit, Done};
use crate::crud::now;
use crate::error::AppError;
use crate::idempotency::{Idempotency, Reply, transact};

/// The use cases of webhooks.
pub struct Webhooks(WebhooksParts);

/// The ports that [`Webhooks`] works on.
pub struct WebhooksParts {
    /// The webhooks.
    pub webhooks: Arc<dyn WebhookStore>,
    /// Transactions over them.
    pub unit_of_work: Arc<dyn UnitOfWork<dyn WebhookRecords>>,
    /// What the receiver remembers of them.
    pub receivers: Arc<dyn Receivers>,
    /// Their messages.
    pub inbox: Arc<dyn Inbox>,
    /// Encrypts their secrets.
    pub sealer: Arc<dyn SecretSealer>,
    /// Keeps repeated requests apart.
    pub idempotency: Idempotency,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Draws addresses.
    pub randomness: Arc<dyn Randomness>,
    /// Where changes are noted.
    pub audit: Audit,
}

impl Webhooks {
    /// Puts the parts together.
    pub fn new(parts: WebhooksParts) -> Self {
        Self(parts)
    }

    /// All of one's own, by their numbers.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self, auth: &Authorized<SignedIn>) -> Result<Vec<Webhook>, AppError> {
        Ok(self.0.webhooks.list(auth.principal().user).await?)
    }

    /// One.
    ///
    /// # Errors
    /// Not found.
    pub async fn get(
        &self,
        auth: &Authorized<SignedIn>,
        id: WebhookId,
    ) -> Result<Webhook, AppError> {
        let found = self.0.webhooks.find(auth.principal().user, id).await?;
        found.ok_or_else(|| not_found(id))
    }

    /// Makes a webhook with an address of its own; `request` and `answer` as for
    /// [`crate::crud::UseCases::create`].
    ///
    /// # Errors
    /// A draft that breaks a rule; a repetition that is under way or has another content.
    pub async fn create(
        &self,
        auth: &Authorized<SignedIn>,
        draft: WebhookDraft,
        request: Option<&RepeatableRequest>,
        answer: impl Fn(&Webhook) -> Result<Answer, AppError>,
    ) -> Result<Reply<Webhook>, AppError> {
        draft.check()?;
        let new = NewWebhook {
            owner: auth.principal().user,
            rid: self.0.randomness.alphanumeric(RID_LENGTH),
            draft,
            created_at: now(self.0.clock.as_ref()),
        };
        let work = self.0.unit_of_work.as_ref();
        let reply = self
            .0
            .idempotency
            .once(work, request, answer, async |records| {
                let made = records.webhooks().insert(&new).await?;
                let done = done(auth, Action::WebhookCreated, made.id).after(shown(&made.draft));
                self.0.audit.note_in(records.audit(), done).await?;
                Ok(made)
            });
        reply.await
    }

    /// Changes a webhook. `change` makes the new draft of the present webhook, which nobody
    /// else changes meanwhile.
    ///
    /// # Errors
    /// Not found; those of `change`; a draft that breaks a rule.
    pub async fn update(
        &self,
        auth: &Authorized<SignedIn>,
        id: WebhookId,
        change: impl Fn(&Webhook) -> Result<WebhookDraft, AppError>,
    ) -> Result<Webhook, AppError> {
        self.locked(auth, id, async |records, present| {
            let draft = change(&present)?;
            draft.check()?;
            let now = now(self.0.clock.as_ref());
            records.webhooks().update(id, &draft, now).await?;
            let (from, to) = (shown(&present.draft), shown(&draft));
            let done = done(auth, Action::WebhookChanged, id).changed(from, to);
            self.0.audit.note_in(records.audit(), done).await?;
            Ok(Webhook {
                draft,
                updated_at: Some(now),
                ..present
            })
        })
        .await
    }

    /// Deletes a webhook with its secrets, consumers and messages, unless `condition` refuses.
    ///
    /// # Errors
    /// Not found; those of `condition`.
    pub async fn delete(
        &self,
        auth: &Authorized<SignedIn>,
        id: WebhookId,
        condition: impl Fn(&Webhook) -> Result<(), AppError>,
    ) -> Result<(), AppError> {
        self.locked(auth, id, async |records, present| {
            condition(&present)?;
            records.webhooks().delete(id).await?;
            let done = done(auth, Action::WebhookDeleted, id).before(shown(&present.draft));
            Ok(self.0.audit.note_in(records.audit(), done).await?)
        })
        .await?;
        // The webhook is gone. What is left when this fails, the next purge deletes.
        if let Err(error) = self.0.inbox.delete_all(id).await {
            tracing::warn!(%error, "messages of a deleted webhook are left for later");
        }
        Ok(())
    }

    /// Its secrets, without what they are.
    ///
    /// # Errors
    /// Not found.
    pub async fn secrets(
        &self,
        auth: &Authorized<SignedIn>,
        id: WebhookId,
    ) -> Result<Vec<SecretInfo>, AppError> {
        self.get(auth, id).await?;
        Ok(self.0.webhooks.secrets(id).await?)
    }

    /// Adds a secret.
    ///
    /// # Errors
    /// Not found; a secret that the webhook's scheme cannot use, or any where it has no scheme;
    /// a conflict when there are [`MAX_SECRETS`] of this purpose.
    pub async fn add_secret(
        &self,
        auth: &Authorized<SignedIn>,
        id: WebhookId,
        purpose: Purpose,
        secret: &Secret,
    ) -> Result<SecretInfo, AppError> {
        let sealed = self.0.sealer.seal(secret)?;
        self.locked(auth, id, async |records, present| {
            check_secret(&present, purpose, secret)?;
            let there = records.webhooks().secrets(id).await?;
            let same = there.iter().filter(|other| other.purpose == purpose);
            if same.count() >= MAX_SECRETS {
                let detail = format!(
                    "There are {MAX_SECRETS} secrets of this purpose already; delete one first"
                );
                return Err(AppError::conflict("too_many_secrets", detail));
            }
            let now = now(self.0.clock.as_ref());
            let store = records.webhooks();
            let added = store.add_secret(id, purpose, &sealed, now).await?;
            let done = done(auth, Action::WebhookSecretChanged, id)
                .after(json!({"secret": added.id, "purpose": purpose}));
            self.0.audit.note_in(records.audit(), done).await?;
            Ok(added)
        })
        .await
    }

    /// Deletes a secret.
    ///
    /// # Errors
    /// Not found: the webhook, or the secret.
    pub async fn delete_secret(
        &self,
        auth: &Authorized<SignedIn>,
        id: WebhookId,
        secret: i64,
    ) -> Result<(), AppError> {
        self.locked(auth, id, async |records, _| {
            if records.webhooks().delete_secret(id, secret).await? {
                let done =
                    done(auth, Action::WebhookSecretChanged, id).before(json!({"secret": secret}));
                Ok(self.0.audit.note_in(records.audit(), done).await?)
            } else {
                Err(AppError::NotFound(format!("There is no secret {secret}")))
            }
        })
        .await
    }

    /// Does `work` on a webhook that is locked; after that the receiver looks anew.
    async fn locked<V>(
        &self,
        auth: &Authorized<SignedIn>,
        id: WebhookId,
        work: impl AsyncFn(&dyn WebhookRecords, Webhook) -> Result<V, AppError>,
    ) -> Result<V, AppError> {
        let owner = auth.principal().user;
        let (rid, value) = transact(self.0.unit_of_work.as_ref(), async |records| {
            let records: &dyn WebhookRecords = records;
            let present = records.webhooks().lock(owner, id).await?;
            let present = present.ok_or_else(|| not_found(id))?;
            let rid = present.rid.clone();
            Ok((rid, work(records, present).await?))
        })
        .await?;
        self.0.receivers.forget(&rid).await;
        Ok(value)
    }
}

/// An entry of the audit trail about a webhook.
fn done(auth: &Authorized<SignedIn>, action: Action, id: WebhookId) -> Done<'_> {
    Done::new(Actor::Principal(auth.principal()), action, "webhook", id.0)
}

/// What the audit trail tells of a webhook: all that its owner sets. Secrets are elsewhere.
fn shown(draft: &WebhookDraft) -> Value {
    serde_json::to_value(draft).unwrap_or_default()
}

fn check_secret(webhook: &Webhook, purpose: Purpose, secret: &Secret) -> Result<(), InvalidInput> {
    let checked = match (purpose, webhook.draft.scheme()) {
        (Purpose::Signature, Some(scheme)) => scheme.check_secret(secret),
        (Purpose::Signature, None) => {
            Err("is of no use: give the webhook a `provider` or a `signature` first")
        }
        (Purpose::Handshake, _) if secret.reveal().is_empty() => Err("must not be empty"),
        (Purpose::Handshake, _) => Ok(()),
    };
    checked.map_err(|detail| InvalidInput::member("secret", detail))
}

/// Not found, whether it is somebody else's or nobody's.
pub(crate) fn not_found(id: WebhookId) -> AppError {
    AppError::NotFound(format!("There is no webhook {}", id.0))
}

/// Reads a secret again.
pub(crate) fn open_secrets(
    sealer: &dyn SecretSealer,
    secrets: &[(Purpose, String)],
    purpose: Purpose,
) -> Result<Vec<Secret>, StoreError> {
    let these = secrets.iter().filter(|(found, _)| *found == purpose);
    these.map(|(_, sealed)| sealer.open(sealed)).collect()
}
