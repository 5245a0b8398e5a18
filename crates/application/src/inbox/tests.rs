//! What the inbox decides, over mocks of its ports.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, TimeZone as _, Utc};
use serde_json::{Value, from_value, json};
use tidegate_domain::account::{MockSecretDigest, Role, UserId, Username};
use tidegate_domain::error::StoreError;
use tidegate_domain::permission::{Authorized, Principal, SignedIn};
use tidegate_domain::secret::Secret;
use tidegate_domain::system::{MockClock, MockRandomness};
use tidegate_domain::webhook::consumer::{
    Consumer, ConsumerName, Delivery, Leased, MockConsumers, Settlement,
};
use tidegate_domain::webhook::hook::{
    MockReceivers, MockWebhooks, Purpose, Receiver, Webhook, WebhookDraft, WebhookId,
};
use tidegate_domain::webhook::message::{
    Accepted, Message, MessageId, MockArrivals, MockInbox, MockWatch, NewMessage,
};
use tidegate_domain::webhook::seal::MockSecretSealer;
use tidegate_domain::webhook::signature::{MockSignatureVerifier, Verdict};

use super::collect::Settle;
use super::receive::Incoming;
use super::{Inbox, InboxParts};
use crate::error::AppError;

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 1, 6, 40, 0).unwrap()
}

/// What the ports are to answer.
struct Room {
    webhooks: MockWebhooks,
    messages: MockInbox,
    consumers: MockConsumers,
    arrivals: MockArrivals,
    verdict: Verdict,
}

impl Room {
    fn new(verdict: Verdict) -> Self {
        Self {
            webhooks: MockWebhooks::new(),
            messages: MockInbox::new(),
            consumers: MockConsumers::new(),
            arrivals: MockArrivals::new(),
            verdict,
        }
    }

    /// With webhook 3 of user 7.
    fn with_webhook(mut self) -> Self {
        self.webhooks.expect_find().returning(|owner, id| {
            Ok((owner.0 == 7 && id.0 == 3).then(|| Webhook {
                id,
                owner,
                rid: String::new(),
                draft: draft(json!({"max_deliveries": 4})),
                secrets: 0,
                created_at: now(),
                updated_at: None,
            }))
        });
        self
    }

    fn inbox(self) -> Inbox {
        let mut sealer = MockSecretSealer::new();
        sealer
            .expect_open()
            .returning(|sealed| Ok(Secret::new(sealed)));
        let mut verifier = MockSignatureVerifier::new();
        let verdict = self.verdict;
        verifier.expect_verify().returning(move |_, secrets, _, _| {
            assert_eq!(secrets, [Secret::new("s")], "handshake words sign nothing");
            verdict
        });
        let mut digest = MockSecretDigest::new();
        digest
            .expect_digest()
            .returning(|text| format!("digest of {}", text.reveal()));
        let mut clock = MockClock::new();
        clock.expect_now().returning(now);
        let mut randomness = MockRandomness::new();
        randomness
            .expect_alphanumeric()
            .returning(|length| "A".repeat(length));
        Inbox::new(InboxParts {
            webhooks: Arc::new(self.webhooks),
            receivers: Arc::new(MockReceivers::new()),
            messages: Arc::new(self.messages),
            consumers: Arc::new(self.consumers),
            arrivals: Arc::new(self.arrivals),
            sealer: Arc::new(sealer),
            verifier: Arc::new(verifier),
            digest: Arc::new(digest),
            clock: Arc::new(clock),
            randomness: Arc::new(randomness),
            own_content: TimeDelta::days(365),
        })
    }
}

fn draft(more: Value) -> WebhookDraft {
    let mut draft = json!({"name": "x", "provider": "github"});
    for (name, value) in more.as_object().unwrap() {
        draft[name] = value.clone();
    }
    from_value(draft).unwrap()
}

fn receiver(more: Value, secrets: &[(Purpose, &str)]) -> Receiver {
    let sealed = |(purpose, text): &(Purpose, &str)| (*purpose, (*text).to_owned());
    Receiver {
        id: WebhookId(3),
        owner: UserId(7),
        draft: draft(more),
        secrets: secrets.iter().map(sealed).collect(),
    }
}

fn incoming(query: &str) -> Incoming {
    let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    Incoming {
        method: "GET".into(),
        url: format!("https://example.org/in/x?{query}"),
        path: String::new(),
        query: query.into(),
        headers: vec![header("x-github-delivery", "d1"), header("cookie", "a=b")],
        body: Bytes::from_static(b"x"),
        address: "192.0.2.7".into(),
    }
}

fn auth() -> Authorized<SignedIn> {
    let principal = Principal {
        user: UserId(7),
        username: Username::parse("ann").unwrap(),
        role: Role::User,
        session: None,
    };
    principal.authorize(SignedIn).unwrap()
}

fn name() -> ConsumerName {
    ConsumerName::try_from("erp".to_owned()).unwrap()
}

fn message(id: i64) -> Message {
    Message {
        id: MessageId(id),
        webhook: Some(WebhookId(3)),
        method: "POST".into(),
        path: String::new(),
        query: String::new(),
        headers: Vec::new(),
        body: Bytes::new(),
        verdict: None,
        delivery_id: None,
        address: String::new(),
        received: true,
        received_at: now(),
    }
}

const SIGNED: &[(Purpose, &str)] = &[(Purpose::Signature, "s"), (Purpose::Handshake, "word")];

/// Has one message stored, and gives what was.
async fn stored(receiver: &Receiver, verdict: Verdict) -> NewMessage {
    let mut room = Room::new(verdict);
    let kept = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&kept);
    room.messages
        .expect_accept()
        .times(1)
        .returning(move |message| {
            *keep.lock().unwrap() = Some(message);
            Ok(Accepted::New(MessageId(1)))
        });
    let reply = room.inbox().receive(receiver, incoming("")).await.unwrap();
    assert_eq!(reply, None);
    let message = kept.lock().unwrap().take();
    message.unwrap()
}

#[tokio::test]
async fn a_good_message_is_stored_with_its_key_and_without_credentials() {
    let message = stored(&receiver(json!({}), SIGNED), Verdict::Verified).await;
    assert_eq!(
        (message.owner, message.webhook),
        (UserId(7), Some(WebhookId(3)))
    );
    assert_eq!(message.verdict, Some(Verdict::Verified));
    assert_eq!(message.delivery_id.as_deref(), Some("d1"));
    assert_eq!(message.key.as_deref(), Some("digest of verified\0d1"));
    assert_eq!(message.headers[1], ("cookie".to_owned(), b"***".to_vec()));
    assert!(message.received && message.received_at == now());
}

#[tokio::test]
async fn without_a_secret_nothing_is_verified() {
    let words = &[(Purpose::Handshake, "word")];
    for (more, secrets) in [
        (json!({}), &words[..]),
        (json!({"provider": "generic"}), SIGNED),
    ] {
        let message = stored(&receiver(more, secrets), Verdict::Wrong).await;
        assert_eq!(message.verdict, None);
    }
    let message = stored(&receiver(json!({}), &[]), Verdict::Wrong).await;
    assert_eq!(message.key.as_deref(), Some("digest of unchecked\0d1"));
}

#[tokio::test]
async fn a_bad_signature_is_refused_or_marked_and_never_in_the_way_of_a_good_one() {
    for bad in Verdict::ALL
        .into_iter()
        .filter(|it| *it != Verdict::Verified)
    {
        // The mock accepts nothing.
        let refused = Room::new(bad).inbox();
        let refused = refused
            .receive(&receiver(json!({}), SIGNED), incoming(""))
            .await;
        assert!(matches!(refused, Err(AppError::Signature(found)) if found == bad));
        let marked = stored(&receiver(json!({"unverified": "keep"}), SIGNED), bad).await;
        assert_eq!((marked.verdict, marked.key), (Some(bad), None));
    }
}

#[tokio::test]
async fn handshakes_are_answered_whatever_their_signature() {
    let meta = "hub.mode=subscribe&hub.challenge=42&hub.verify_token=word";
    let inbox = Room::new(Verdict::Missing).inbox();
    let refusing = receiver(json!({}), SIGNED);
    let reply = inbox.receive(&refusing, incoming(meta)).await.unwrap();
    assert_eq!(reply.unwrap().body, "42");
    let other = meta.replace("word", "guess");
    let reply = inbox.receive(&refusing, incoming(&other)).await;
    assert!(matches!(reply, Err(AppError::Signature(Verdict::Missing))));

    let mut room = Room::new(Verdict::Verified);
    room.messages
        .expect_accept()
        .times(1)
        .returning(|_| Ok(Accepted::Duplicate));
    let asked = incoming("challenge=abc");
    let reply = room.inbox().receive(&refusing, asked).await.unwrap();
    assert_eq!(reply.unwrap().body, "abc");
}

#[tokio::test]
async fn what_is_not_stored_is_not_answered_well() {
    let mut room = Room::new(Verdict::Verified);
    room.messages
        .expect_accept()
        .returning(|_| Err(StoreError::Unavailable("gone".into())));
    let receiver = receiver(json!({}), SIGNED);
    let reply = room
        .inbox()
        .receive(&receiver, incoming("challenge=x"))
        .await;
    assert!(matches!(
        reply,
        Err(AppError::Store(StoreError::Unavailable(_)))
    ));
}

#[tokio::test]
async fn waiting_ends_with_the_first_message() {
    let mut room = Room::new(Verdict::Verified).with_webhook();
    let mut lists = VecDeque::from([vec![], vec![], vec![message(9)]]);
    room.messages
        .expect_list()
        .times(3)
        .returning(move |_, from, limit| {
            assert_eq!((from, limit), (MessageId(6), 20));
            Ok(lists.pop_front().unwrap())
        });
    room.arrivals
        .expect_watch()
        .times(1)
        .returning(|webhook, wait| {
            assert_eq!((webhook, wait), (WebhookId(3), Duration::from_secs(9)));
            let mut watch = MockWatch::new();
            watch.expect_changed().times(2).returning(|again_in| {
                assert_eq!(again_in, None);
                true
            });
            Box::new(watch)
        });
    let wait = Duration::from_secs(9);
    let inbox = room.inbox();
    let found = inbox
        .messages(&auth(), WebhookId(3), MessageId(5), 20, wait)
        .await;
    assert_eq!(found.unwrap(), [message(9)]);
}

#[tokio::test]
async fn a_lease_waits_until_something_is_due_or_the_time_is_over() {
    let mut room = Room::new(Verdict::Verified).with_webhook();
    room.consumers
        .expect_lease()
        .times(2)
        .returning(|key, request| {
            assert_eq!((key.owner, key.webhook), (UserId(7), WebhookId(3)));
            assert_eq!((request.max_deliveries, request.limit), (4, 10));
            assert_eq!(request.expires_at, now() + TimeDelta::seconds(30));
            Ok(Leased {
                deliveries: Vec::new(),
                due_at: Some(now() + TimeDelta::seconds(2)),
            })
        });
    room.arrivals.expect_watch().returning(|_, _| {
        let mut watch = MockWatch::new();
        let mut more = VecDeque::from([true, false]);
        watch.expect_changed().times(2).returning(move |again_in| {
            assert_eq!(again_in, Some(Duration::from_secs(2)));
            more.pop_front().unwrap()
        });
        Box::new(watch)
    });
    let time = TimeDelta::seconds(30);
    let wait = Duration::from_secs(9);
    let lease = room
        .inbox()
        .lease(&auth(), WebhookId(3), name(), 10, time, wait)
        .await;
    assert!(lease.unwrap().is_none());
}

#[tokio::test]
async fn a_lease_that_finds_something_asks_no_more() {
    let mut room = Room::new(Verdict::Verified).with_webhook();
    room.consumers.expect_lease().times(1).returning(|_, _| {
        let message = message(9);
        let deliveries = vec![Delivery {
            message,
            delivery: 2,
        }];
        Ok(Leased {
            deliveries,
            due_at: None,
        })
    });
    let inbox = room.inbox();
    let time = TimeDelta::seconds(30);
    let none = Duration::ZERO;
    let lease = inbox
        .lease(&auth(), WebhookId(3), name(), 10, time, none)
        .await;
    let lease = lease.unwrap().unwrap();
    assert_eq!((lease.lease.len(), lease.deliveries[0].delivery), (24, 2));
}

#[tokio::test]
async fn what_is_not_held_is_a_conflict_and_an_unknown_consumer_not_found() {
    for there in [true, false] {
        let mut room = Room::new(Verdict::Verified).with_webhook();
        room.consumers
            .expect_settle()
            .returning(|_, lease, ids, settlement, _| {
                assert_eq!((lease, ids), ("A", Some(vec![MessageId(5)])));
                let due_at = now() + TimeDelta::seconds(60);
                let nack = Settlement::Nack {
                    due_at,
                    max_deliveries: 4,
                };
                assert_eq!(settlement, nack);
                Ok(false)
            });
        room.consumers.expect_find().returning(move |_, _| {
            Ok(there.then(|| Consumer {
                name: "erp".into(),
                position: MessageId(5),
                leased: 0,
                waiting: 0,
                dead: 0,
                behind: 0,
                created_at: now(),
            }))
        });
        let nack = Settle::Nack(TimeDelta::seconds(60));
        let ids = Some(vec![MessageId(5)]);
        let settled = room
            .inbox()
            .settle(&auth(), WebhookId(3), name(), "A", ids, nack)
            .await;
        match settled.unwrap_err() {
            AppError::Conflict { code, .. } if there => assert_eq!(code, "lease_expired"),
            AppError::NotFound(_) if !there => {}
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_webhook_of_somebody_else_is_not_there() {
    let inbox = Room::new(Verdict::Verified).with_webhook().inbox();
    let other = WebhookId(4);
    let none = Duration::ZERO;
    let list = inbox.messages(&auth(), other, MessageId(0), 20, none).await;
    let lease = inbox
        .lease(&auth(), other, name(), 10, TimeDelta::seconds(30), none)
        .await;
    let settle = inbox
        .settle(&auth(), other, name(), "A", None, Settle::Ack)
        .await;
    let dead = inbox.dead(&auth(), other, name(), MessageId(0), 20).await;
    for error in [list.err(), lease.err(), settle.err(), dead.err()] {
        assert!(matches!(error, Some(AppError::NotFound(_))), "{error:?}");
    }
}
