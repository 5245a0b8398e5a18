//! A Tidegate of its own for each test: the real wiring on port 0 with a fresh database.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use tidegate::app::{App, Running};
use tidegate::config::{Settings, Sources};

use super::client::Client;
use super::engines::{TestDatabase, TestEngine};

/// The first administrator's password in tests.
pub const ADMIN_PASSWORD: &str = "correct horse battery staple";
/// The password of every user that [`TestApp::member`] makes.
pub const MEMBER_PASSWORD: &str = "a password of a member";

/// A running Tidegate with its database; both go when it is dropped.
pub struct TestApp {
    running: Running,
    database: Arc<TestDatabase>,
    base: String,
    admin: Client,
}

impl TestApp {
    /// Starts one with the settings of tests: cheap hashing, no limits.
    pub async fn start(engine: TestEngine) -> Self {
        Self::start_with(engine, &[]).await
    }

    /// The same with other settings on top, as `("auth.registration", "false")`.
    pub async fn start_with(engine: TestEngine, settings: &[(&str, &str)]) -> Self {
        let database = Arc::new(engine.create_database().await);
        Self::start_on(database, settings).await
    }

    /// Another node on the same database.
    pub async fn second_node(&self, settings: &[(&str, &str)]) -> Self {
        Self::start_on(Arc::clone(&self.database), settings).await
    }

    /// The same with another program than Tidegate's own.
    pub async fn start_app(engine: TestEngine, app: App) -> Self {
        let database = Arc::new(engine.create_database().await);
        Self::run(app, database, &[]).await
    }

    /// One on a database that is there already.
    pub async fn start_on(database: Arc<TestDatabase>, settings: &[(&str, &str)]) -> Self {
        Self::run(App::default(), database, settings).await
    }

    async fn run(app: App, database: Arc<TestDatabase>, settings: &[(&str, &str)]) -> Self {
        let running = app
            .start(test_settings(&database, settings))
            .await
            .expect("Tidegate starts");
        let base = format!("http://{}", running.address().expect("an address"));
        let anonymous = Client::anonymous(&base);
        let admin = anonymous.bearer(&sign_in(&anonymous, "admin", ADMIN_PASSWORD).await);
        Self {
            running,
            database,
            base,
            admin,
        }
    }

    /// The base address, without a slash at the end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Where its metrics are, if the settings said so.
    pub fn metrics_address(&self) -> Option<std::net::SocketAddr> {
        self.running.metrics_address()
    }

    /// The engine it runs on.
    pub fn engine(&self) -> TestEngine {
        self.database.engine()
    }

    /// The database below it.
    pub fn database(&self) -> &TestDatabase {
        &self.database
    }

    /// A client without credentials.
    pub fn anonymous(&self) -> Client {
        Client::anonymous(&self.base)
    }

    /// The first administrator, with an access token.
    pub fn admin(&self) -> Client {
        self.admin.clone()
    }

    /// A new user of role `user` with this name, signed in.
    pub async fn member(&self, username: &str) -> Client {
        let body = json!({"username": username, "password": MEMBER_PASSWORD, "role_id": 2});
        self.admin.post("/users", &body).await.expect(201);
        self.anonymous()
            .bearer(&sign_in(&self.anonymous(), username, MEMBER_PASSWORD).await)
    }

    /// Makes a gateway database that goes with the test, and gives its name.
    pub async fn gateway_database(&self, name: &str) -> String {
        let name = self.database.gateway_name(name);
        self.admin
            .post("/databases", &json!({"name": name}))
            .await
            .expect(201);
        name
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.running.shutdown();
    }
}

/// The settings of a test's Tidegate.
pub fn test_settings(database: &TestDatabase, settings: &[(&str, &str)]) -> Settings {
    let data_dir = database.data_dir().display().to_string();
    let mut values: BTreeMap<&str, &str> = BTreeMap::from([
        ("server.address", "127.0.0.1:0"),
        ("server.workers", "2"),
        ("data_dir", data_dir.as_str()),
        ("admin.password", ADMIN_PASSWORD),
        ("auth.bcrypt_cost", "4"),
        ("limits.enabled", "false"),
        ("metrics.address", "off"),
        ("database.acquire_timeout_seconds", "10"),
    ]);
    values.extend(database.url().map(|url| ("database.url", url)));
    values.extend(settings.iter().copied());
    let sources = values
        .into_iter()
        .fold(Sources::none(), |sources, (key, value)| {
            sources.with(
                &format!("TIDEGATE__{}", key.to_uppercase().replace('.', "__")),
                value,
            )
        });
    Settings::load(&sources).expect("settings of a test")
}

/// Signs in and gives the access token.
pub async fn sign_in(client: &Client, username: &str, password: &str) -> String {
    let reply = client
        .post(
            "/auth/token",
            &json!({"username": username, "password": password}),
        )
        .await
        .expect(200);
    reply.value()["access_token"]
        .as_str()
        .expect("an access token")
        .to_owned()
}
