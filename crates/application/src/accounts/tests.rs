//! Accounts alone, with every port mocked.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use tidegate_domain::account::{
    ApiKeys, Login, MockApiKeys, MockPasswordHasher, MockSecretDigest, MockUsers, Users as UserPort,
};
use tidegate_domain::audit::{AuditTrail, MockAuditTrail};
use tidegate_domain::error::{StoreError, Violation, ViolationKind};
use tidegate_domain::permission::Principal;
use tidegate_domain::session::{MockSessions, SessionId, Sessions};
use tidegate_domain::system::{MockClock, MockRandomness};
use tidegate_domain::transaction::{MockUnitOfWork, Transactional};

use super::*;

/// A transaction over mocks; a mocked one could not lend them out.
struct FakeTransaction {
    users: MockUsers,
    sessions: MockSessions,
    api_keys: MockApiKeys,
    audit: MockAuditTrail,
}

#[async_trait::async_trait]
impl Transactional for FakeTransaction {
    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Transaction for FakeTransaction {
    fn users(&self) -> &dyn UserPort {
        &self.users
    }

    fn sessions(&self) -> &dyn Sessions {
        &self.sessions
    }

    fn api_keys(&self) -> &dyn ApiKeys {
        &self.api_keys
    }

    fn audit(&self) -> &dyn AuditTrail {
        &self.audit
    }
}

fn user(id: i64, role: Role) -> User {
    User {
        id: UserId(id),
        username: Username::parse("someone").unwrap(),
        email: None,
        role,
        activated: true,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: None,
    }
}

fn authorized(id: i64, role: Role, target: i64) -> Authorized<AdminOrSelf> {
    let principal = Principal {
        user: UserId(id),
        username: Username::parse("someone").unwrap(),
        role,
        session: None,
    };
    principal.authorize(AdminOrSelf(UserId(target))).unwrap()
}

fn accounts(
    users: MockUsers,
    hasher: MockPasswordHasher,
    transaction: Option<FakeTransaction>,
) -> (Accounts, Arc<EndedSessions>) {
    let clock = || {
        let mut clock = MockClock::new();
        clock.expect_now().return_const(DateTime::<Utc>::UNIX_EPOCH);
        Arc::new(clock)
    };
    let mut unit_of_work = MockUnitOfWork::<dyn Transaction>::new();
    let mut transaction = transaction;
    unit_of_work
        .expect_begin()
        .returning(move || match transaction.take() {
            Some(transaction) => Ok(Box::new(transaction)),
            None => Err(StoreError::Unavailable("gone".into())),
        });
    let mut randomness = MockRandomness::new();
    randomness
        .expect_alphanumeric()
        .returning(|length| "r".repeat(length));
    let ended = Arc::new(EndedSessions::new(
        Arc::new(MockSessions::new()),
        clock(),
        TimeDelta::minutes(30),
    ));
    let parts = AccountsParts {
        users: Arc::new(users),
        unit_of_work: Arc::new(unit_of_work),
        hasher: Arc::new(hasher),
        digest: Arc::new(MockSecretDigest::new()),
        clock: clock(),
        randomness: Arc::new(randomness),
        ended: ended.clone(),
        backoff: Arc::new(LoginBackoff::new(clock(), true)),
        audit: Audit::nowhere(),
    };
    (Accounts::new(parts, false), ended)
}

fn stored(id: i64, role: Role) -> MockUsers {
    let mut users = MockUsers::new();
    users.expect_find_login_by_id().returning(move |_| {
        Ok(Some(Login {
            user: user(id, role),
            password: PasswordHash("hash".to_owned()),
        }))
    });
    users
}

fn client() -> ClientInfo {
    ClientInfo {
        address: IpAddr::from([192, 0, 2, 1]),
        agent: None,
    }
}

#[tokio::test]
async fn a_user_who_gives_themselves_rights_is_refused_before_anything_is_written() {
    for patch in [
        AccountPatch {
            role_id: Some(1),
            ..AccountPatch::default()
        },
        AccountPatch {
            activated: Some(false),
            ..AccountPatch::default()
        },
    ] {
        let (accounts, _) = accounts(stored(7, Role::User), MockPasswordHasher::new(), None);
        let outcome = accounts
            .update(&authorized(7, Role::User, 7), patch, &client())
            .await;
        assert!(matches!(outcome, Err(AppError::Denied(_))));
    }
}

#[tokio::test]
async fn guessing_the_present_password_makes_one_wait() {
    let mut hasher = MockPasswordHasher::new();
    hasher.expect_verify().returning(|_, _| Ok(false));
    let (accounts, _) = accounts(stored(7, Role::User), hasher, None);
    let guess = || AccountPatch {
        password: Some(Secret::new("a new password")),
        current_password: Some(Secret::new("a guess")),
        ..AccountPatch::default()
    };
    let mut waits = 0;
    for _ in 0..12 {
        let outcome = accounts
            .update(&authorized(7, Role::User, 7), guess(), &client())
            .await;
        waits += usize::from(matches!(outcome, Err(AppError::TooManyAttempts { .. })));
    }
    assert_eq!(waits, 2);
}

#[tokio::test]
async fn the_last_administrator_is_not_demoted() {
    let mut users = MockUsers::new();
    users
        .expect_lock_active_admins()
        .returning(|| Ok(vec![UserId(1)]));
    let transaction = FakeTransaction {
        users,
        sessions: MockSessions::new(),
        api_keys: MockApiKeys::new(),
        audit: MockAuditTrail::new(),
    };
    let (accounts, _) = accounts(
        stored(1, Role::Admin),
        MockPasswordHasher::new(),
        Some(transaction),
    );
    let outcome = accounts.delete(&authorized(1, Role::Admin, 1)).await;
    assert!(matches!(
        outcome,
        Err(AppError::Conflict {
            code: "last_administrator",
            ..
        })
    ));
}

#[tokio::test]
async fn deactivation_ends_sessions_here_at_once_and_takes_the_key() {
    let mut users = MockUsers::new();
    users
        .expect_lock_active_admins()
        .returning(|| Ok(vec![UserId(1)]));
    users
        .expect_update()
        .returning(|_, _, _| Ok(Some(user(7, Role::User))));
    let mut sessions = MockSessions::new();
    sessions
        .expect_end_all()
        .returning(|_, _| Ok(vec![SessionId(3)]));
    let mut api_keys = MockApiKeys::new();
    api_keys.expect_delete().times(1).returning(|_| Ok(true));
    let transaction = FakeTransaction {
        users,
        sessions,
        api_keys,
        audit: MockAuditTrail::new(),
    };
    let (accounts, ended) = accounts(
        stored(7, Role::User),
        MockPasswordHasher::new(),
        Some(transaction),
    );
    accounts
        .delete(&authorized(1, Role::Admin, 7))
        .await
        .unwrap();
    assert!(ended.contains(SessionId(3)));
}

#[tokio::test]
async fn a_taken_name_is_a_conflict_and_a_dead_database_is_none() {
    let taken_by = |name: &str| {
        taken(StoreError::Constraint(Violation {
            kind: ViolationKind::Unique,
            name: name.to_owned(),
        }))
    };
    assert!(matches!(
        taken_by("users.users_username_key"),
        AppError::Conflict {
            code: "username_taken",
            ..
        }
    ));
    assert!(matches!(
        taken_by("users_email_key"),
        AppError::Conflict {
            code: "email_taken",
            ..
        }
    ));
    assert!(matches!(
        taken(StoreError::Unavailable("gone".into())),
        AppError::Store(_)
    ));
    let users = stored(7, Role::User);
    let (accounts, _) = accounts(users, MockPasswordHasher::new(), None);
    assert!(matches!(
        accounts.delete(&authorized(1, Role::Admin, 7)).await,
        Err(AppError::Store(_))
    ));
}

#[tokio::test]
async fn registration_that_is_off_is_refused_whatever_is_sent() {
    let (accounts, _) = accounts(MockUsers::new(), MockPasswordHasher::new(), None);
    assert!(matches!(
        accounts.register(AccountInput::default()).await,
        Err(AppError::Denied(_))
    ));
}

#[tokio::test]
async fn a_user_who_asks_again_costs_no_query_until_a_change() {
    let mut users = stored(7, Role::User);
    users
        .expect_find()
        .times(2)
        .returning(|id| Ok(Some(user(id.0, Role::User))));
    let mut changed = MockUsers::new();
    changed
        .expect_update()
        .returning(|id, _, _| Ok(Some(user(id.0, Role::User))));
    let transaction = FakeTransaction {
        users: changed,
        sessions: MockSessions::new(),
        api_keys: MockApiKeys::new(),
        audit: MockAuditTrail::new(),
    };
    let (accounts, _) = accounts(users, MockPasswordHasher::new(), Some(transaction));
    let own = authorized(7, Role::User, 7);
    let signed_in = own.principal().authorize(SignedIn).unwrap();
    for _ in 0..3 {
        assert_eq!(accounts.me(&signed_in).await.unwrap().id, UserId(7));
    }
    let patch = AccountPatch {
        email: Some(Some("a@example.org".to_owned())),
        ..AccountPatch::default()
    };
    accounts.update(&own, patch, &client()).await.unwrap();
    accounts.me(&signed_in).await.unwrap();
    accounts.me(&signed_in).await.unwrap();
}
