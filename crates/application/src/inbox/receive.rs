//! Receiving: a message is verified, told from those that were there, and stored before its
//! sender is answered.

use std::sync::Arc;

use bytes::Bytes;
use tidegate_domain::permission::{Authorized, SignedIn};
use tidegate_domain::secret::Secret;
use tidegate_domain::webhook::handshake::{HandshakeReply, HandshakeRequest, handshake};
use tidegate_domain::webhook::header::{Header, hide_credentials};
use tidegate_domain::webhook::hook::{Purpose, Receiver, Unverified};
use tidegate_domain::webhook::message::{Accepted, MessageId, NewMessage};
use tidegate_domain::webhook::provider::DeliveryId;
use tidegate_domain::webhook::signature::{SignedRequest, Verdict};

use super::Inbox;
use crate::error::AppError;
use crate::webhooks::open_secrets;

/// What came to the address of a webhook.
pub struct Incoming {
    /// The method.
    pub method: String,
    /// The whole URL as the sender called it.
    pub url: String,
    /// What stands behind the webhook's address in the path.
    pub path: String,
    /// The query, without `?`.
    pub query: String,
    /// The headers.
    pub headers: Vec<Header>,
    /// The body's bytes.
    pub body: Bytes,
    /// Where it came from.
    pub address: String,
}

impl Inbox {
    /// The webhook at an address.
    ///
    /// # Errors
    /// Not found, also for one that is switched off.
    pub async fn receiver(&self, rid: &str) -> Result<Arc<Receiver>, AppError> {
        let found = self.0.receivers.find(rid).await?;
        found.ok_or_else(|| AppError::NotFound("Nothing receives at this address".to_owned()))
    }

    /// Stores a message, unless it was there; it is durable when this returns. Gives the text
    /// that a sender wants who only asks whether somebody is there.
    ///
    /// # Errors
    /// [`AppError::Signature`], and nothing is stored, where the webhook refuses what is not
    /// verified; when the store fails.
    pub async fn receive(
        &self,
        receiver: &Receiver,
        incoming: Incoming,
    ) -> Result<Option<HandshakeReply>, AppError> {
        let verdict = self.verify(receiver, &incoming)?;
        let reply = self.handshake(receiver, &incoming)?;
        let bad = verdict.filter(|verdict| *verdict != Verdict::Verified);
        if let Some(bad) = bad
            && receiver.draft.unverified == Unverified::Refuse
        {
            // Handshakes are not signed by everybody, and give nothing away.
            return match reply {
                Some(reply) => Ok(Some(reply)),
                None => {
                    received("refused");
                    Err(AppError::Signature(bad))
                }
            };
        }
        let delivery = delivery_id(receiver, &incoming);
        let message = NewMessage {
            owner: receiver.owner,
            webhook: Some(receiver.id),
            key: delivery.as_ref().and_then(|id| self.key(id, verdict)),
            delivery_id: delivery.map(shown),
            method: incoming.method,
            path: incoming.path,
            query: incoming.query,
            headers: hide_credentials(incoming.headers),
            body: incoming.body,
            verdict,
            address: incoming.address,
            received: true,
            received_at: self.0.clock.now(),
        };
        received(match self.0.messages.accept(message).await? {
            Accepted::Duplicate => "duplicate",
            Accepted::New(_) if bad.is_some() => "unverified",
            Accepted::New(_) => "stored",
        });
        Ok(reply)
    }

    /// Stores content of the principal's own.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn add_own(
        &self,
        auth: &Authorized<SignedIn>,
        content: Bytes,
        address: String,
    ) -> Result<MessageId, AppError> {
        let message = NewMessage {
            owner: auth.principal().user,
            webhook: None,
            method: "POST".to_owned(),
            path: String::new(),
            query: String::new(),
            headers: Vec::new(),
            body: content,
            verdict: None,
            delivery_id: None,
            key: None,
            address,
            received: false,
            received_at: self.0.clock.now(),
        };
        match self.0.messages.accept(message).await? {
            Accepted::New(id) => Ok(id),
            Accepted::Duplicate => Err(AppError::conflict("duplicate", "It is there already")),
        }
    }

    /// `None` where the webhook has no scheme or no secret.
    fn verify(
        &self,
        receiver: &Receiver,
        incoming: &Incoming,
    ) -> Result<Option<Verdict>, AppError> {
        let Some(scheme) = receiver.draft.scheme() else {
            return Ok(None);
        };
        let secrets = self.secrets(receiver, Purpose::Signature)?;
        if secrets.is_empty() {
            return Ok(None);
        }
        let request = SignedRequest {
            url: &incoming.url,
            headers: &incoming.headers,
            body: &incoming.body,
        };
        let now = self.0.clock.now();
        Ok(Some(
            self.0.verifier.verify(&scheme, &secrets, &request, now),
        ))
    }

    fn handshake(
        &self,
        receiver: &Receiver,
        incoming: &Incoming,
    ) -> Result<Option<HandshakeReply>, AppError> {
        let request = HandshakeRequest {
            method: &incoming.method,
            query: &incoming.query,
            body: &incoming.body,
        };
        let tokens = self.secrets(receiver, Purpose::Handshake)?;
        let mut replies = tokens.iter().map(|token| handshake(&request, Some(token)));
        Ok(replies
            .find_map(|reply| reply)
            .or_else(|| handshake(&request, None)))
    }

    fn secrets(&self, receiver: &Receiver, purpose: Purpose) -> Result<Vec<Secret>, AppError> {
        Ok(open_secrets(
            self.0.sealer.as_ref(),
            &receiver.secrets,
            purpose,
        )?)
    }

    /// What a message has in common with those that are the same delivery. One with a bad
    /// signature has nothing in common with any: it must not stand in the way of a good one.
    fn key(&self, id: &DeliveryId, verdict: Option<Verdict>) -> Option<String> {
        let kind = match verdict {
            Some(Verdict::Verified) => "verified",
            None => "unchecked",
            Some(_) => return None,
        };
        let (DeliveryId::Plain(id) | DeliveryId::Long(id)) = id;
        Some(self.0.digest.digest(&Secret::new(format!("{kind}\0{id}"))))
    }
}

/// Counts a message that came.
fn received(outcome: &'static str) {
    metrics::counter!("tidegate_inbox_received_total", "outcome" => outcome).increment(1);
}

fn delivery_id(receiver: &Receiver, incoming: &Incoming) -> Option<DeliveryId> {
    let (headers, body) = (&incoming.headers, &incoming.body);
    match &receiver.draft.delivery_id {
        Some(place) => place.delivery_id(headers, body),
        None => receiver.draft.provider.delivery_id(headers, body),
    }
}

/// An id as it is shown: the beginning of one that is too long.
fn shown(id: DeliveryId) -> String {
    match id {
        DeliveryId::Plain(id) => id,
        DeliveryId::Long(id) => id.chars().take(DeliveryId::MAX).collect(),
    }
}
