//! The authenticator alone, with every port mocked.

use chrono::DateTime;
use tidegate_domain::account::{
    ApiKey, MockApiKeys, MockPasswordHasher, MockSecretDigest, MockUsers, PasswordHash, Role,
    Username,
};
use tidegate_domain::error::StoreError;
use tidegate_domain::session::{
    AccessClaims, MockAccessTokens, MockSessions, NewSession, Rotation, Session, SessionId,
};
use tidegate_domain::system::{MockClock, MockRandomness};

use super::*;

/// The mocks of one test; what a test does not expect may not be called.
#[derive(Default)]
struct Ports {
    users: MockUsers,
    sessions: MockSessions,
    api_keys: MockApiKeys,
    tokens: MockAccessTokens,
    hasher: MockPasswordHasher,
    digest: MockSecretDigest,
}

impl Ports {
    fn build(self) -> (Authenticator, Arc<EndedSessions>) {
        let clock = || {
            let mut clock = MockClock::new();
            clock.expect_now().return_const(DateTime::UNIX_EPOCH);
            Arc::new(clock)
        };
        let mut randomness = MockRandomness::new();
        randomness
            .expect_alphanumeric()
            .returning(|length| "r".repeat(length));
        let life = TimeDelta::minutes(30);
        let ended = Arc::new(EndedSessions::new(
            Arc::new(MockSessions::new()),
            clock(),
            life,
        ));
        let parts = AuthenticatorParts {
            users: Arc::new(self.users),
            sessions: Arc::new(self.sessions),
            api_keys: Arc::new(self.api_keys),
            tokens: Arc::new(self.tokens),
            hasher: Arc::new(self.hasher),
            digest: Arc::new(self.digest),
            clock: clock(),
            randomness: Arc::new(randomness),
            ended: ended.clone(),
            backoff: Arc::new(LoginBackoff::new(clock(), true)),
            audit: Audit::nowhere(),
        };
        let policy = TokenPolicy {
            access_life: life,
            refresh_life: TimeDelta::days(90),
            max_sessions: 20,
        };
        (Authenticator::new(parts, policy), ended)
    }
}

fn ann(activated: bool) -> User {
    User {
        id: UserId(7),
        username: Username::parse("ann").unwrap(),
        email: None,
        role: Role::User,
        activated,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: None,
    }
}

fn login(activated: bool) -> Login {
    Login {
        user: ann(activated),
        password: PasswordHash("hash".to_owned()),
    }
}

fn session(id: i64) -> Session {
    Session {
        id: SessionId(id),
        user: UserId(7),
        created_at: DateTime::UNIX_EPOCH,
        last_used_at: DateTime::UNIX_EPOCH,
        expires_at: DateTime::UNIX_EPOCH,
        agent: None,
        address: None,
    }
}

fn client() -> ClientInfo {
    ClientInfo {
        address: IpAddr::from([192, 0, 2, 1]),
        agent: None,
    }
}

#[tokio::test]
async fn an_unknown_name_costs_a_hash_and_sounds_like_a_wrong_password() {
    let mut ports = Ports::default();
    ports
        .users
        .expect_find_login()
        .withf(|key| key == "nobody")
        .returning(|_| Ok(None));
    ports
        .hasher
        .expect_verify()
        .withf(|_, hash| hash.is_none())
        .times(1)
        .returning(|_, _| Ok(false));
    let (authenticator, _) = ports.build();
    let outcome = authenticator
        .password("NoBody", &Secret::new("x"), &client())
        .await;
    assert!(matches!(
        outcome,
        Err(AppError::Unauthenticated(Unauthenticated::Credentials))
    ));
}

#[tokio::test]
async fn the_right_password_of_a_deactivated_user_is_refused() {
    let mut ports = Ports::default();
    ports
        .users
        .expect_find_login()
        .returning(|_| Ok(Some(login(false))));
    ports.hasher.expect_verify().returning(|_, _| Ok(true));
    let (authenticator, _) = ports.build();
    let outcome = authenticator
        .sign_in("ann", &Secret::new("x"), &client())
        .await;
    assert!(matches!(
        outcome,
        Err(AppError::Unauthenticated(Unauthenticated::Credentials))
    ));
}

#[tokio::test]
async fn a_user_who_is_deactivated_during_the_log_in_gets_no_session() {
    let mut ports = Ports::default();
    ports
        .users
        .expect_find_login()
        .returning(|_| Ok(Some(login(true))));
    ports
        .users
        .expect_find_login_by_id()
        .returning(|_| Ok(Some(login(false))));
    ports.hasher.expect_verify().returning(|_, _| Ok(true));
    ports
        .digest
        .expect_digest()
        .returning(|_| "digest".to_owned());
    ports
        .sessions
        .expect_start()
        .returning(|_: &NewSession, _| Ok((session(3), Vec::new())));
    ports
        .sessions
        .expect_end()
        .withf(|user, session, _| (user.0, session.0) == (7, 3))
        .times(1)
        .returning(|_, _, _| Ok(true));
    let (authenticator, _) = ports.build();
    let outcome = authenticator
        .sign_in("ann", &Secret::new("x"), &client())
        .await;
    assert!(matches!(
        outcome,
        Err(AppError::Unauthenticated(Unauthenticated::Credentials))
    ));
}

#[tokio::test]
async fn a_database_that_is_away_is_no_wrong_password() {
    let mut ports = Ports::default();
    ports
        .users
        .expect_find_login()
        .returning(|_| Err(StoreError::Unavailable("gone".into())));
    let (authenticator, _) = ports.build();
    let outcome = authenticator
        .password("ann", &Secret::new("x"), &client())
        .await;
    assert!(matches!(
        outcome,
        Err(AppError::Store(StoreError::Unavailable(_)))
    ));
}

#[tokio::test]
async fn a_refresh_token_that_was_used_twice_ends_its_session_here_at_once() {
    let mut ports = Ports::default();
    ports
        .digest
        .expect_digest()
        .returning(|_| "digest".to_owned());
    ports
        .sessions
        .expect_rotate()
        .returning(|_, _, _, _| Ok(Rotation::Reused(session(3))));
    let (authenticator, ended) = ports.build();
    let outcome = authenticator.refresh(&Secret::new("old")).await;
    assert!(matches!(
        outcome,
        Err(AppError::Unauthenticated(Unauthenticated::Refresh))
    ));
    assert!(ended.contains(SessionId(3)));
}

#[tokio::test]
async fn a_valid_token_of_an_ended_session_is_refused() {
    let mut ports = Ports::default();
    ports.tokens.expect_verify().returning(|_, _| {
        Ok(AccessClaims {
            user: UserId(7),
            username: Username::parse("ann").unwrap(),
            role: Role::User,
            session: SessionId(3),
            issued_at: DateTime::UNIX_EPOCH,
            expires_at: DateTime::UNIX_EPOCH,
            token_id: "t".to_owned(),
        })
    });
    let (authenticator, ended) = ports.build();
    assert_eq!(
        authenticator.bearer("token").unwrap().session,
        Some(SessionId(3))
    );
    ended.add(&[SessionId(3)]);
    assert!(matches!(
        authenticator.bearer("token"),
        Err(AppError::Unauthenticated(Unauthenticated::Token(
            TokenError::Ended
        )))
    ));
}

#[tokio::test]
async fn the_use_of_an_api_key_is_noted_once_a_minute() {
    let mut ports = Ports::default();
    ports.api_keys.expect_find().returning(|_| {
        Ok(Some(ApiKey {
            user: ann(true),
            digest: "digest".to_owned(),
            expires_at: None,
        }))
    });
    ports
        .api_keys
        .expect_touch()
        .times(1)
        .returning(|_, _| Ok(()));
    ports
        .digest
        .expect_matches()
        .returning(|_, digest| digest == "digest");
    let (authenticator, _) = ports.build();
    for _ in 0..3 {
        assert!(
            authenticator
                .api_key(UserId(7), &Secret::new("key"))
                .await
                .is_ok()
        );
    }
}

#[tokio::test]
async fn an_expired_api_key_is_refused() {
    for (expires_at, accepted) in [
        (Some(DateTime::UNIX_EPOCH + TimeDelta::seconds(1)), true),
        (Some(DateTime::UNIX_EPOCH), false),
    ] {
        let mut ports = Ports::default();
        ports.api_keys.expect_find().returning(move |_| {
            Ok(Some(ApiKey {
                user: ann(true),
                digest: "digest".to_owned(),
                expires_at,
            }))
        });
        ports.api_keys.expect_touch().returning(|_, _| Ok(()));
        ports.digest.expect_matches().return_const(true);
        let (authenticator, _) = ports.build();
        let outcome = authenticator.api_key(UserId(7), &Secret::new("key")).await;
        assert_eq!(outcome.is_ok(), accepted);
    }
}
