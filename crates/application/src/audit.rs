//! The audit trail: use cases note what they did, administrators read it.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};
use tidegate_domain::account::{Role, User, UserId};
use tidegate_domain::audit::{Action, AuditFilter, AuditTrail, Entry, Recorded, Values};
use tidegate_domain::error::StoreError;
use tidegate_domain::page::{Page, PageRequest};
use tidegate_domain::permission::{Administer, Authorized, Principal};
use tidegate_domain::request::Current;
use tidegate_domain::system::Clock;
use tracing::Instrument as _;

use crate::backoff::{LONGEST_WAIT, LoginBackoff};
use crate::error::AppError;

/// How many failed log-ins a node notes in a minute. More are only counted: who tries passwords
/// from many addresses must not fill the table.
const FAILURES_A_MINUTE: u64 = 30;

/// How many failed log-ins of other nodes are read at once.
const FOLLOWED: u64 = 1000;

/// How far back is looked again: numbers are given before a transaction ends.
const OVERLAP: i64 = 100;

/// How many entries a node writes in a minute of what one user did who is no administrator. More
/// are only counted.
const ENTRIES_A_MINUTE: u64 = 60;

/// What is kept of a failed log-in: the node, and the name of the account if there is one.
const NODE: &str = "node";
const ACCOUNT: &str = "account";

/// How many entries were left out before this one.
const LEFT_OUT: &str = "left_out_before";

/// Where a request comes from, as its entries tell it.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The request's id.
    pub request_id: Option<Arc<str>>,
    /// The client's address.
    pub address: Option<IpAddr>,
}

tokio::task_local! {
    static ORIGIN: Origin;
}

/// Does something for a request: what is noted meanwhile tells where it came from.
pub fn within<F: Future>(origin: Origin, work: F) -> impl Future<Output = F::Output> {
    ORIGIN.scope(origin, work)
}

/// Does something and what follows from it also when the client of the request goes away meanwhile.
///
/// # Errors
/// Those of the work.
pub(crate) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    let origin = ORIGIN.try_with(Origin::clone).unwrap_or_default();
    let work = Box::pin(within(origin, work).in_current_span());
    let task = tokio::spawn(Current::here().carry(work));
    task.await
        .unwrap_or_else(|error| Err(StoreError::Internal(error.into())))
}

/// Who did something.
#[derive(Debug, Clone, Copy)]
pub enum Actor<'a> {
    /// Somebody who is not signed in.
    Nobody,
    /// A user.
    User(&'a User),
    /// Whoever a request's credentials are of.
    Principal(&'a Principal),
    /// Whoever sits at the server's own terminal.
    Terminal,
}

/// What was done.
#[derive(Debug)]
pub struct Done<'a> {
    actor: Actor<'a>,
    action: Action,
    target_kind: &'static str,
    target: Option<String>,
    before: Option<Values>,
    after: Option<Values>,
}

impl<'a> Done<'a> {
    /// Something that was done to a thing of this kind, with a number or name.
    pub fn new(
        actor: Actor<'a>,
        action: Action,
        target_kind: &'static str,
        target: impl ToString,
    ) -> Self {
        Self {
            actor,
            action,
            target_kind,
            target: Some(target.to_string()),
            before: None,
            after: None,
        }
    }

    /// With what there is now.
    #[must_use]
    pub fn after(mut self, value: Value) -> Self {
        self.after = object(value);
        self
    }

    /// With what there was.
    #[must_use]
    pub fn before(mut self, value: Value) -> Self {
        self.before = object(value);
        self
    }

    /// With those members of two objects that differ.
    #[must_use]
    pub fn changed(mut self, before: Value, after: Value) -> Self {
        let (mut before, mut after) = (
            object(before).unwrap_or_default(),
            object(after).unwrap_or_default(),
        );
        let same = |name: &String, value: &Value, other: &Map<String, Value>| {
            other.get(name).is_some_and(|other| other == value)
        };
        let all = before.clone();
        before.retain(|name, value| !same(name, value, &after));
        after.retain(|name, value| !same(name, value, &all));
        (self.before, self.after) = (Some(before), Some(after));
        self
    }
}

fn object(value: Value) -> Option<Values> {
    match value {
        Value::Object(values) => Some(values),
        _ => None,
    }
}

/// Notes what is done.
#[derive(Clone)]
pub struct Audit(Option<Arc<Parts>>);

struct Parts {
    trail: Arc<dyn AuditTrail>,
    clock: Arc<dyn Clock>,
    node: String,
    failures: Mutex<Failures>,
    /// What users who are no administrators did in a minute.
    members: Mutex<Members>,
    /// The entries of failed log-ins that were read.
    read: Mutex<Read>,
}

/// What each member did since the beginning of a minute.
#[derive(Default)]
struct Members {
    since: DateTime<Utc>,
    done: HashMap<UserId, u64>,
    /// How many entries of whom were left out and not yet told.
    left_out: HashMap<UserId, u64>,
}

/// The last entry that was read, and those shortly before: numbers are not in the order in which
/// they can be seen.
#[derive(Default)]
struct Read {
    last: i64,
    recent: BTreeSet<i64>,
}

/// The failed log-ins of a minute.
struct Failures {
    since: DateTime<Utc>,
    noted: u64,
    left_out: u64,
}

impl Audit {
    /// In this audit trail; `node` tells this one from others.
    pub fn new(trail: Arc<dyn AuditTrail>, clock: Arc<dyn Clock>, node: String) -> Self {
        Self(Some(Arc::new(Parts {
            trail,
            clock,
            node,
            members: Mutex::default(),
            read: Mutex::default(),
            failures: Mutex::new(Failures {
                since: DateTime::UNIX_EPOCH,
                noted: 0,
                left_out: 0,
            }),
        })))
    }

    /// Nowhere, for use cases that are tried alone.
    pub fn nowhere() -> Self {
        Self(None)
    }

    /// Notes something in the transaction that does it.
    ///
    /// # Errors
    /// When the store fails; then nothing may be done.
    pub async fn note_in(&self, trail: &dyn AuditTrail, done: Done<'_>) -> Result<(), StoreError> {
        match self.0.as_ref().and_then(|parts| parts.entry(done)) {
            Some(entry) => trail.record(&entry).await,
            None => Ok(()),
        }
    }

    /// Notes something that was done already, so that a failure is a matter of the log.
    pub async fn note(&self, done: Done<'_>) {
        let Some(parts) = &self.0 else { return };
        let Some(entry) = parts.entry(done) else {
            return;
        };
        if let Err(error) = parts.trail.record(&entry).await {
            let cause: &dyn std::error::Error = &error;
            tracing::error!(
                cause,
                action = entry.action.name(),
                target = entry.target,
                actor = entry.actor.map(|actor| actor.0),
                "the audit trail lacks an entry"
            );
        }
    }

    /// Notes a failed log-in, of a user if there is one of this name. What was given as a name is
    /// not kept: it may have been a password.
    pub async fn note_failed_login(&self, user: Option<&User>) {
        let Some(parts) = &self.0 else { return };
        let Some(left_out) = parts.may_note_failure() else {
            return;
        };
        let mut done = Done {
            actor: Actor::Nobody,
            action: Action::LoginFailed,
            target_kind: "user",
            target: user.map(|user| user.id.0.to_string()),
            before: None,
            after: None,
        };
        let mut after = json!({NODE: parts.node});
        if let Some(user) = user {
            after[ACCOUNT] = user.username.key().into();
        }
        if left_out > 0 {
            after[LEFT_OUT] = left_out.into();
        }
        done = done.after(after);
        self.note(done).await;
    }

    /// Has the back-off of this node know of log-ins that failed on other nodes. To be called
    /// every few seconds.
    ///
    /// # Errors
    /// When the store fails; what was not read is read by the next call.
    pub async fn follow_failures(&self, backoff: &LoginBackoff) -> Result<(), StoreError> {
        let Some(parts) = self.0.as_ref().filter(|_| backoff.is_enabled()) else {
            return Ok(());
        };
        let after = {
            let read = parts.read.lock().unwrap_or_else(PoisonError::into_inner);
            read.last - OVERLAP
        };
        // What is older is forgotten anyhow.
        let since = parts.clock.now() - LONGEST_WAIT;
        let found = parts.trail.failed_logins(after, since, FOLLOWED).await?;
        let mut read = parts.read.lock().unwrap_or_else(PoisonError::into_inner);
        for failure in &found {
            if !read.recent.insert(failure.id) {
                continue;
            }
            let told = |name: &str| failure.after.as_ref()?.get(name)?.as_str();
            let address = failure.address.as_deref().and_then(|it| it.parse().ok());
            if let Some(address) = address
                && told(NODE) != Some(&parts.node)
            {
                backoff.failed_elsewhere(told(ACCOUNT), address);
            }
        }
        if let Some(last) = found.last() {
            read.last = read.last.max(last.id);
            let first = read.last - OVERLAP;
            read.recent.retain(|id| *id > first);
        }
        Ok(())
    }

    /// Entries, newest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(
        &self,
        _: &Authorized<Administer>,
        filter: &AuditFilter,
        page: PageRequest,
    ) -> Result<Page<Recorded>, AppError> {
        match &self.0 {
            Some(parts) => Ok(parts.trail.list(filter, page).await?),
            None => Ok(Page {
                items: Vec::new(),
                total: 0,
            }),
        }
    }

    /// Deletes entries that are older than this; how many.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn purge(&self, kept: TimeDelta) -> Result<u64, StoreError> {
        match &self.0 {
            Some(parts) => parts.trail.purge(parts.clock.now() - kept).await,
            None => Ok(0),
        }
    }
}

impl Parts {
    /// Whether one more failed log-in is noted in this minute, and how many were left out before.
    fn may_note_failure(&self) -> Option<u64> {
        let now = self.clock.now();
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if now - failures.since >= TimeDelta::minutes(1) {
            failures.since = now;
            failures.noted = 0;
        }
        if failures.noted >= FAILURES_A_MINUTE {
            failures.left_out += 1;
            return None;
        }
        failures.noted += 1;
        Some(std::mem::take(&mut failures.left_out))
    }
}

impl Parts {
    /// What is written; `None` where nothing was changed, or one user did too much.
    fn entry(&self, mut done: Done<'_>) -> Option<Entry> {
        let empty = |values: &Option<Values>| values.as_ref().is_some_and(Map::is_empty);
        if empty(&done.before) && empty(&done.after) {
            return None;
        }
        let member = match done.actor {
            Actor::User(user) if user.role != Role::Admin => Some(user.id),
            Actor::Principal(it) if !it.is_admin() => Some(it.user),
            _ => None,
        };
        if let Some(member) = member {
            let left_out = self.may_note(member)?;
            if left_out > 0 {
                let after = done.after.get_or_insert_default();
                after.insert(LEFT_OUT.to_owned(), left_out.into());
            }
        }
        Some(entry(self, done))
    }

    /// Whether one more entry about a user is written in this minute, and how many were left out
    /// before.
    fn may_note(&self, member: UserId) -> Option<u64> {
        let now = self.clock.now();
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        if now - members.since >= TimeDelta::minutes(1) {
            members.since = now;
            members.done.clear();
        }
        let done = members.done.entry(member).or_default();
        if *done >= ENTRIES_A_MINUTE {
            *members.left_out.entry(member).or_default() += 1;
            return None;
        }
        *done += 1;
        Some(members.left_out.remove(&member).unwrap_or(0))
    }
}

fn entry(parts: &Parts, done: Done<'_>) -> Entry {
    let (actor, actor_name) = match done.actor {
        Actor::Nobody => (None, None),
        Actor::User(user) => (Some(user.id), Some(user.username.as_str().to_owned())),
        Actor::Principal(it) => (Some(it.user), Some(it.username.as_str().to_owned())),
        Actor::Terminal => (None, Some("terminal".to_owned())),
    };
    let origin = ORIGIN.try_with(Origin::clone).unwrap_or_default();
    Entry {
        at: parts.clock.now(),
        actor,
        actor_name,
        action: done.action,
        target_kind: done.target_kind,
        target: done.target,
        before: done.before,
        after: done.after,
        request_id: origin.request_id.map(|id| id.as_ref().to_owned()),
        address: origin.address.map(|address| address.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use tidegate_domain::account::Username;
    use tidegate_domain::audit::{FailedLogin, MockAuditTrail};
    use tidegate_domain::system::MockClock;

    use super::*;

    fn audit(trail: MockAuditTrail, now: &Arc<Mutex<DateTime<Utc>>>) -> Audit {
        let (mut clock, now) = (MockClock::new(), Arc::clone(now));
        clock.expect_now().returning(move || *now.lock().unwrap());
        Audit::new(Arc::new(trail), Arc::new(clock), "here".to_owned())
    }

    #[tokio::test]
    async fn entries_tell_what_differs_and_where_the_request_came_from() {
        let mut trail = MockAuditTrail::new();
        trail
            .expect_record()
            .times(1)
            .withf(|entry| {
                let told = |values: &Option<Values>| json!(values);
                (told(&entry.before), told(&entry.after))
                    == (json!({"b": 1, "gone": 0}), json!({"b": 2, "new": 3}))
                    && entry.request_id.as_deref() == Some("r")
                    && entry.actor_name.as_deref() == Some("terminal")
            })
            .returning(|_| Ok(()));
        let audit = audit(trail, &Arc::default());
        let done = Done::new(Actor::Terminal, Action::UserChanged, "user", 7).changed(
            json!({"a": 1, "b": 1, "gone": 0}),
            json!({"a": 1, "b": 2, "new": 3}),
        );
        let origin = Origin {
            request_id: Some("r".into()),
            address: None,
        };
        within(origin, audit.note(done)).await;
    }

    #[tokio::test]
    async fn a_flood_of_wrong_passwords_leaves_a_number() {
        let mut trail = MockAuditTrail::new();
        let noted = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&noted);
        trail.expect_record().returning(move |entry| {
            sink.lock().unwrap().push(json!(entry.after));
            Ok(())
        });
        let now = Arc::new(Mutex::new(DateTime::UNIX_EPOCH + TimeDelta::days(1)));
        let audit = audit(trail, &now);
        for _ in 0..1000 {
            audit.note_failed_login(None).await;
        }
        assert_eq!(noted.lock().unwrap().len(), 30);
        *now.lock().unwrap() += TimeDelta::minutes(1);
        audit.note_failed_login(None).await;
        audit.note_failed_login(None).await;
        let noted = noted.lock().unwrap();
        assert_eq!(noted.len(), 32);
        assert_eq!(noted[30], json!({"node": "here", "left_out_before": 970}));
        assert_eq!(noted[31], json!({"node": "here"}));
    }

    #[tokio::test]
    async fn members_cannot_fill_it_and_what_is_the_same_is_no_entry() {
        let mut trail = MockAuditTrail::new();
        let noted = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&noted);
        trail.expect_record().returning(move |entry| {
            sink.lock().unwrap().push(json!(entry.after));
            Ok(())
        });
        let now = Arc::new(Mutex::new(DateTime::UNIX_EPOCH + TimeDelta::days(1)));
        let audit = audit(trail, &now);
        let principal = |role| Principal {
            user: UserId(7),
            username: Username::parse("someone").unwrap(),
            role,
            session: None,
        };
        let (member, admin) = (principal(Role::User), principal(Role::Admin));
        let note = async |who: &Principal, after: Value| {
            let done = Done::new(Actor::Principal(who), Action::WebhookChanged, "webhook", 1);
            audit.note(done.changed(json!({"a": 1}), after)).await;
        };
        note(&member, json!({"a": 1})).await;
        assert_eq!(noted.lock().unwrap().len(), 0);
        for _ in 0..100 {
            note(&member, json!({"a": 2})).await;
        }
        assert_eq!(noted.lock().unwrap().len(), 60);
        for _ in 0..100 {
            note(&admin, json!({"a": 2})).await;
        }
        assert_eq!(noted.lock().unwrap().len(), 160);
        *now.lock().unwrap() += TimeDelta::minutes(1);
        note(&member, json!({"a": 2})).await;
        let expected = json!({"a": 2, "left_out_before": 40});
        assert_eq!(noted.lock().unwrap().last(), Some(&expected));
    }

    #[tokio::test]
    async fn what_was_begun_is_done_to_the_end_when_nobody_waits() {
        let (began, ended) = (
            Arc::new(tokio::sync::Notify::new()),
            Arc::new(tokio::sync::Notify::new()),
        );
        let work = {
            let (began, ended) = (began.clone(), ended.clone());
            to_the_end(async move {
                began.notified().await;
                ended.notify_one();
                Ok(())
            })
        };
        // As a client that goes away: polled once, then dropped.
        assert!(futures_util::FutureExt::now_or_never(work).is_none());
        began.notify_one();
        ended.notified().await;
    }

    #[tokio::test]
    async fn failures_elsewhere_count_here_and_those_of_here_not_twice() {
        let mut trail = MockAuditTrail::new();
        trail
            .expect_failed_logins()
            .times(2)
            .returning(|after, _, _| {
                let failure = |id: i64| FailedLogin {
                    id,
                    address: Some("192.0.2.7".to_owned()),
                    after: object(json!({
                        "node": if id % 2 == 0 { "there" } else { "here" },
                        "account": "ann",
                    })),
                };
                // Some are seen again, and one came late.
                let first = after == -100;
                let ids = if first { 1..=10 } else { 1..=20 };
                let ids = ids.filter(|id| !first || *id != 4);
                Ok(ids.map(failure).collect())
            });
        let now = Arc::new(Mutex::new(DateTime::UNIX_EPOCH + TimeDelta::days(1)));
        let audit = audit(trail, &now);
        let mut clock = MockClock::new();
        clock
            .expect_now()
            .returning(|| DateTime::UNIX_EPOCH + TimeDelta::days(1));
        let backoff = LoginBackoff::new(Arc::new(clock), true);
        let address = [192, 0, 2, 7].into();
        audit.follow_failures(&backoff).await.unwrap();
        assert_eq!(backoff.wait("ann", address), None, "four");
        audit.follow_failures(&backoff).await.unwrap();
        assert_eq!(backoff.wait("ann", address), Some(30), "ten");
        assert_eq!(backoff.wait("bob", address), None);
    }
}
