//! The layer over mocks, for unit tests: three known tokens, one API key, one password.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use chrono::{DateTime, TimeDelta};
use serde_json::Value;
use tidegate_application::accounts::{Accounts, AccountsParts};
use tidegate_application::audit::Audit;
use tidegate_application::auth::{Authenticator, AuthenticatorParts, TokenPolicy};
use tidegate_application::backoff::LoginBackoff;
use tidegate_application::crud::Crud;
use tidegate_application::ended::EndedSessions;
use tidegate_application::gateway::Gateway;
use tidegate_application::idempotency::Idempotency;
use tidegate_application::routines::Routines;
use tidegate_application::rows::Rows;
use tidegate_application::versions::Versions;
use tidegate_domain::account::{
    ApiKey, Login, MockApiKeys, MockPasswordHasher, MockSecretDigest, MockUsers, PasswordHash,
    Role, User, UserId, Username,
};
use tidegate_domain::employee::Employee;
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::port::{
    Encoding, MockDatabaseUsers, MockSchemaCatalog, MockSchemaChanges, MockSchemaEditor, RowInput,
    RowStore, RowsRead, Upserted, Written,
};
use tidegate_domain::gateway::routine::{Call, Called, Routine, RoutineStore, Shown};
use tidegate_domain::gateway::schema::DatabaseSchema;
use tidegate_domain::idempotency::{Once, Outcome};
use tidegate_domain::item::Item;
use tidegate_domain::query::plan::{DeletePlan, InsertPlan, ReadPlan, UpdatePlan, UpsertPlan};
use tidegate_domain::query::planner::Planner;
use tidegate_domain::session::{
    AccessClaims, MockAccessTokens, MockSessions, SessionId, TokenError,
};
use tidegate_domain::system::{MockClock, MockRandomness};
use tidegate_domain::transaction::{MockUnitOfWork, Transaction};
use tidegate_domain::version::{MockVersions, Version, VersionName};

use crate::app::{Extension, HttpOptions, Layer, Services};
use crate::route::RouteSpec;

/// The administrator, user 1.
pub(crate) const ADMIN: &str = "Bearer admin";
/// An ordinary user, 7, called `ann`, with the password `secret` and the API key `key7`.
pub(crate) const USER: &str = "Bearer user";
/// A token whose time is over.
pub(crate) const EXPIRED: &str = "Bearer expired";

/// HTTP Basic.
pub(crate) fn basic(name: &str, secret: &str) -> String {
    format!(
        "Basic {}",
        BASE64_STANDARD.encode(format!("{name}:{secret}"))
    )
}

fn user(id: i64) -> User {
    User {
        id: UserId(id),
        username: Username::parse(if id == 1 { "admin" } else { "ann" }).unwrap(),
        email: None,
        role: if id == 1 { Role::Admin } else { Role::User },
        activated: true,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: None,
    }
}

fn tokens() -> MockAccessTokens {
    let mut tokens = MockAccessTokens::new();
    tokens.expect_verify().returning(|token, now| {
        let id = match token {
            "admin" => 1,
            "user" => 7,
            "expired" => return Err(TokenError::Expired),
            _ => return Err(TokenError::Invalid),
        };
        let User { username, role, .. } = user(id);
        Ok(AccessClaims {
            user: UserId(id),
            username,
            role,
            session: SessionId(id),
            issued_at: now,
            expires_at: now,
            token_id: String::new(),
        })
    });
    tokens
}

/// The services; `database` says whether the store of versions answers.
pub(crate) async fn services(database: bool) -> Services {
    let mut users = MockUsers::new();
    users.expect_find_login().returning(|key| {
        Ok((key == "ann").then(|| Login {
            user: user(7),
            password: PasswordHash("hash".into()),
        }))
    });
    let mut api_keys = MockApiKeys::new();
    api_keys.expect_find().returning(|id| {
        Ok((id.0 == 7).then(|| ApiKey {
            user: user(7),
            digest: "key7".into(),
            expires_at: None,
        }))
    });
    api_keys.expect_touch().returning(|_, _| Ok(()));
    let mut hasher = MockPasswordHasher::new();
    hasher
        .expect_verify()
        .returning(|password, hash| Ok(hash.is_some() && password.reveal() == "secret"));
    let mut digest = MockSecretDigest::new();
    digest
        .expect_matches()
        .returning(|secret, digest| secret.reveal() == digest);
    let mut clock = MockClock::new();
    clock.expect_now().returning(|| DateTime::UNIX_EPOCH);
    let mut randomness = MockRandomness::new();
    randomness
        .expect_alphanumeric()
        .returning(|length| "A".repeat(length));
    randomness
        .expect_uuid()
        .returning(|| "00000000-0000-4000-8000-000000000000".to_owned());
    let mut versions = MockVersions::new();
    let mut answers = 0;
    versions.expect_list().returning(move || {
        answers += 1;
        if answers > 1 && !database {
            return Err(StoreError::Unavailable("connection refused".into()));
        }
        let version = |id, name, supported| Version {
            id,
            version: VersionName::parse(name).unwrap(),
            supported,
        };
        Ok(vec![version(1, "0.8", false), version(2, "1.0", true)])
    });
    let versions = Arc::new(Versions::new(Arc::new(versions)));
    versions.refresh().await.unwrap();

    let (hasher, digest, clock, randomness) = (
        Arc::new(hasher),
        Arc::new(digest),
        Arc::new(clock),
        Arc::new(randomness),
    );
    let ended = Arc::new(EndedSessions::new(
        Arc::new(MockSessions::new()),
        clock.clone(),
        TimeDelta::minutes(30),
    ));
    let backoff = Arc::new(LoginBackoff::new(clock.clone(), true));
    let users = Arc::new(users);
    let authenticator = AuthenticatorParts {
        users: users.clone(),
        sessions: Arc::new(MockSessions::new()),
        api_keys: Arc::new(api_keys),
        tokens: Arc::new(tokens()),
        hasher: hasher.clone(),
        digest: digest.clone(),
        clock: clock.clone(),
        randomness: randomness.clone(),
        ended: ended.clone(),
        backoff: backoff.clone(),
        audit: Audit::nowhere(),
    };
    let policy = TokenPolicy {
        access_life: TimeDelta::minutes(30),
        refresh_life: TimeDelta::days(90),
        max_sessions: 20,
    };
    let accounts = AccountsParts {
        users,
        unit_of_work: Arc::new(MockUnitOfWork::<dyn Transaction>::new()),
        hasher,
        digest,
        clock: clock.clone(),
        randomness: randomness.clone(),
        ended,
        backoff,
        audit: Audit::nowhere(),
    };
    let catalog = Arc::new(MockSchemaCatalog::new());
    let gateway = Arc::new(Gateway::new(
        catalog.clone(),
        Arc::new(MockSchemaEditor::new()),
        Arc::new(MockDatabaseUsers::new()),
        Arc::new(MockSchemaChanges::new()),
        "tidegate".into(),
    ));
    let routines = Arc::new(Routines::new(
        Arc::clone(&gateway),
        Arc::new(NoRows),
        Planner::default(),
    ));
    Services {
        authenticator: Arc::new(Authenticator::new(authenticator, policy)),
        accounts: Arc::new(Accounts::new(accounts, true)),
        versions,
        gateway: Arc::clone(&gateway),
        rows: Arc::new(Rows::new(
            gateway,
            catalog,
            Arc::new(NoRows),
            Planner::default(),
            Idempotency::new(clock.clone()),
        )),
        randomness,
        routines,
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header, empty where it is absent; several lines are joined.
    pub(crate) fn header(&self, name: &str) -> String {
        let lines: Vec<_> = self
            .headers
            .get_all(name)
            .map(|value| value.to_str().unwrap())
            .collect();
        lines.join(", ")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// A layer to send requests to.
pub(crate) struct Client(Layer);

impl Client {
    /// This layer.
    pub(crate) fn of(layer: Layer) -> Self {
        Self(layer)
    }

    /// All routes, no limits.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}, all()).await
    }

    /// Some routes, changed settings.
    pub(crate) async fn with(
        change: impl FnOnce(&mut HttpOptions),
        routes: Vec<RouteSpec>,
    ) -> Self {
        let mut options = HttpOptions {
            limits_enabled: false,
            ..HttpOptions::default()
        };
        change(&mut options);
        Self(Layer::with(options, services(true).await, routes.into()).unwrap())
    }

    /// All routes over a database that is away.
    pub(crate) async fn without_database() -> Self {
        let options = HttpOptions {
            limits_enabled: false,
            ..HttpOptions::default()
        };
        Self(Layer::new(options, services(false).await, Extension::default()).unwrap())
    }

    pub(crate) async fn send(&self, request: TestRequest) -> Answer {
        let app = init_service(self.0.app()).await;
        let response = call_service(&app, request.to_request()).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer {
            status,
            headers,
            body: read_body(response).await.to_vec(),
        }
    }

    /// A request with these headers and no body.
    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(request(method, path, headers)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[]).await
    }
}

pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> TestRequest {
    let mut request = TestRequest::default()
        .method(Method::from_bytes(method.as_bytes()).unwrap())
        .uri(path)
        .peer_addr("192.0.2.1:4711".parse().unwrap());
    for header in headers {
        request = request.append_header(*header);
    }
    request
}

/// A path of a pattern: `{id}` is 8, the id of nobody, and every other parameter `x`.
pub(crate) fn example_path(pattern: &str) -> String {
    let mut path = String::new();
    for (at, part) in pattern.split('{').enumerate() {
        match part.split_once('}') {
            Some((name, rest)) if at > 0 => {
                let number = name == "id" || name.ends_with("_id");
                path.push_str(if number { "8" } else { "x" });
                path.push_str(rest);
            }
            _ => path.push_str(part),
        }
    }
    path
}

/// The routes of resources, for tests that look at the whole table.
pub(crate) fn resources() -> Vec<RouteSpec> {
    [
        crate::resource::routes::<Item, Crud<Item>>(),
        crate::resource::routes::<Employee, Crud<Employee>>(),
        crate::routes::posts::routes(),
        crate::routes::inbox_routes(),
        crate::routes::jobs::routes(),
    ]
    .concat()
}

/// All routes.
pub(crate) fn all() -> Vec<RouteSpec> {
    [crate::routes::all(), resources()].concat()
}

/// A row store for tests that ask for no rows.
struct NoRows;

type Rowless<'f, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'f>>;

fn rowless<'f, T>() -> Rowless<'f, T> {
    Box::pin(async { Err(StoreError::Unsupported("no rows here".into())) })
}

// The port's methods in the form that `async_trait` gives them.
impl RowStore for NoRows {
    fn read<'a: 'f, 'b: 'f, 'f>(&'a self, _: &'b ReadPlan, _: Encoding) -> Rowless<'f, RowsRead>
    where
        Self: 'f,
    {
        rowless()
    }

    fn insert<'a: 'f, 'b: 'f, 'c: 'f, 'd: 'f, 'e: 'f, 'f>(
        &'a self,
        _: &'b InsertPlan,
        _: RowInput<'c>,
        _: Encoding,
        _: Option<&'d Once<'e, Written>>,
    ) -> Rowless<'f, Outcome<Written>>
    where
        Self: 'f,
    {
        rowless()
    }

    fn update<'a: 'f, 'b: 'f, 'f>(&'a self, _: &'b UpdatePlan, _: Encoding) -> Rowless<'f, Written>
    where
        Self: 'f,
    {
        rowless()
    }

    fn delete<'a: 'f, 'b: 'f, 'f>(&'a self, _: &'b DeletePlan, _: Encoding) -> Rowless<'f, Written>
    where
        Self: 'f,
    {
        rowless()
    }

    fn upsert<'a: 'f, 'b: 'f, 'd: 'f, 'e: 'f, 'f>(
        &'a self,
        _: &'b UpsertPlan,
        _: Option<&'d Once<'e, Upserted>>,
    ) -> Rowless<'f, Outcome<Upserted>>
    where
        Self: 'f,
    {
        rowless()
    }
}

impl RoutineStore for NoRows {
    fn routines<'a: 'f, 'b: 'f, 'f>(
        &'a self,
        _: &'b Arc<DatabaseSchema>,
    ) -> Rowless<'f, Arc<[Arc<Routine>]>>
    where
        Self: 'f,
    {
        rowless()
    }

    fn newer<'a: 'f, 'b: 'f, 'f>(
        &'a self,
        _: &'b Arc<DatabaseSchema>,
    ) -> Rowless<'f, Arc<[Arc<Routine>]>>
    where
        Self: 'f,
    {
        rowless()
    }

    fn call<'a: 'f, 'b: 'f, 'c: 'f, 'd: 'f, 'e: 'f, 'f>(
        &'a self,
        _: &'b Call<'c>,
        _: &'d Shown<'e>,
    ) -> Rowless<'f, Called>
    where
        Self: 'f,
    {
        rowless()
    }
}
