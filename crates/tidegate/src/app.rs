//! The wiring: settings in, a running server out. Tests and the `serve` command share it.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tidegate_application::accounts::{AccountInput, Accounts, AccountsParts, CreatedAccount};
use tidegate_application::auth::{Authenticator, AuthenticatorParts, TokenPolicy};
use tidegate_application::backoff::LoginBackoff;
use tidegate_application::crud::{Crud, CrudParts};
use tidegate_application::ended::EndedSessions;
use tidegate_application::error::AppError;
use tidegate_application::gateway::Gateway;
use tidegate_application::idempotency::Idempotency;
use tidegate_application::rows::Rows;
use tidegate_application::versions::Versions;
use tidegate_domain::error::StoreError;
use tidegate_domain::query::planner::{Limits, Planner};
use tidegate_domain::system::{Clock, Randomness};
use tidegate_http::app::{Extension, Services};
use tidegate_http::resource;
use tidegate_http::route::{RouteInfo, RouteSpec};
use tidegate_migrations::{Migrator, Steps};
use tidegate_persistence::database::{Database, Target};
use tidegate_persistence::resource::Record;
use tidegate_persistence::stores::Stores;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{FullTableWrites, Profile, Settings};
use crate::parts;

/// How often a node learns what other nodes changed: ended sessions and versions.
/// A session that ended must be refused everywhere within 5 seconds.
const REFRESH_INTERVAL: Duration = Duration::from_secs(2);

/// How long such a look may take.
const REFRESH_PATIENCE: Duration = Duration::from_secs(3);

/// How often sessions and idempotency keys that are over are deleted.
const PURGE_INTERVAL: Duration = Duration::from_secs(3600);

/// A started server.
pub struct Running {
    address: SocketAddr,
    shutdown: CancellationToken,
    server: JoinHandle<std::io::Result<()>>,
    refresher: JoinHandle<()>,
    database: Database,
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Tells the server to stop: nothing new is accepted, what was accepted is answered.
    /// [`Self::wait`] tells when that is done.
    pub fn shutdown(&self) {
        self.shutdown.cancel();
    }

    /// Waits until the server has stopped, and closes the database.
    ///
    /// # Errors
    /// When the server failed.
    pub async fn wait(self) -> anyhow::Result<()> {
        let outcome = self.server.await;
        self.refresher.abort();
        self.database.close().await;
        Ok(outcome.context("the server's task failed")??)
    }
}

/// Tidegate, and what a team adds to it: resources, routes, what their handlers need, and
/// steps of the schema.
///
/// ```no_run
/// use tidegate::app::App;
/// use tidegate::config::{Settings, Sources};
///
/// # async fn start() -> anyhow::Result<()> {
/// let settings = Settings::load(&Sources::process())?;
/// let running = App::default().start(settings).await?;
/// running.wait().await
/// # }
/// ```
pub struct App {
    routes: Vec<RouteSpec>,
    data: Vec<AddData>,
    migrator: Migrator,
}

type AddData = Box<dyn FnOnce(&Wired, &mut Extension) + Send>;

/// With the resources that Tidegate brings.
impl Default for App {
    fn default() -> Self {
        crate::resources::add(Self::bare())
    }
}

impl App {
    /// Without any resource: accounts, versions, databases and their rows only.
    pub fn bare() -> Self {
        Self {
            routes: Vec::new(),
            data: Vec::new(),
            migrator: Migrator::default(),
        }
    }

    /// Adds a resource with all its routes.
    #[must_use]
    pub fn resource<R: Record>(self) -> Self {
        self.routes(resource::routes::<R, Crud<R>>())
            .data(|wired| Crud::<R>::new(wired.crud_parts()))
    }

    /// Adds routes.
    #[must_use]
    pub fn routes(mut self, routes: impl IntoIterator<Item = RouteSpec>) -> Self {
        self.routes.extend(routes);
        self
    }

    /// Adds what handlers take as `web::Data<T>`; `make` gets the parts that are there.
    #[must_use]
    pub fn data<T: Send + Sync + 'static>(
        mut self,
        make: impl FnOnce(&Wired) -> T + Send + 'static,
    ) -> Self {
        self.data.push(Box::new(|wired, extension| {
            extension.data(Arc::new(make(wired)));
        }));
        self
    }

    /// Adds steps of the schema, which come after Tidegate's own.
    #[must_use]
    pub fn migrations(mut self, steps: fn() -> Steps) -> Self {
        self.migrator.add(steps);
        self
    }

    /// All routes, in the order of matching.
    pub fn table(&self) -> Vec<Arc<RouteInfo>> {
        tidegate_http::route::table_with(self.routes.clone())
    }

    /// Opens the own database as the settings say.
    ///
    /// # Errors
    /// A database that refuses, whatever the patience.
    pub async fn open_database(&self, settings: &Settings) -> anyhow::Result<Database> {
        let options = parts::database_options(settings, self.migrator.clone());
        Ok(Database::open(options).await?)
    }

    /// Opens the database, migrates and makes the first administrator where the profile says
    /// so, and starts to listen. Problems that time can heal (a server that is away) do not
    /// fail the start.
    ///
    /// # Errors
    /// Settings that cannot work: an address in use, a database that refuses the account.
    pub async fn start(self, settings: Settings) -> anyhow::Result<Running> {
        let database = self.open_database(&settings).await?;
        let services = services(&settings, &Stores::new(database.clone()))?;
        let mut extension = Extension::default();
        extension.routes(self.routes);
        for add in self.data {
            add(&services, &mut extension);
        }
        start(settings, database, services, extension).await
    }
}

async fn start(
    settings: Settings,
    database: Database,
    services: Wired,
    extension: Extension,
) -> anyhow::Result<Running> {
    let prepared = Arc::new(Preparation {
        settings: settings.clone(),
        database: database.clone(),
        services: services.clone(),
    });

    // What heals by itself must not keep a node from starting: it is tried again in the
    // background, and until then requests get a 503.
    let mut ready = prepared.run().await?;
    let refresher = tokio::spawn({
        let services = services.clone();
        async move {
            let mut interval = tokio::time::interval(REFRESH_INTERVAL);
            interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let mut answering = true;
            let mut purged = None;
            loop {
                let now = interval.tick().await;
                if !ready {
                    ready = prepared.run().await.unwrap_or_else(|error| {
                        tracing::error!("cannot prepare the database: {error:#}");
                        false
                    });
                }
                if !ready {
                    continue;
                }
                // A query that hangs must not keep this node from asking again.
                let refreshed = tokio::time::timeout(REFRESH_PATIENCE, refresh(&services))
                    .await
                    .unwrap_or_else(|late| Err(StoreError::Unavailable(late.into())));
                answering = report(refreshed, answering);
                if answering && purged.is_none_or(|last| now - last >= PURGE_INTERVAL) {
                    purged = Some(now);
                    // Beside this loop, which must not wait for it.
                    tokio::spawn(purge(services.clone()));
                }
            }
        }
    });

    let listener = TcpListener::bind(settings.server.address)
        .with_context(|| format!("cannot listen on {}", settings.server.address))?;
    let address = listener.local_addr()?;
    let shutdown = CancellationToken::new();
    let server = tidegate_http::app::serve(
        listener,
        parts::http_options(&settings),
        services.http,
        extension,
        shutdown.clone().cancelled_owned(),
    )?;
    Ok(Running {
        address,
        shutdown,
        server: tokio::spawn(server),
        refresher,
        database,
    })
}

/// The parts of a running Tidegate: what handlers call, and what use cases are made of.
#[derive(Clone)]
pub struct Wired {
    /// The settings.
    pub settings: Settings,
    /// What handlers call.
    pub http: Services,
    /// The ports on the own database.
    pub stores: Stores,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub randomness: Arc<dyn Randomness>,
    /// Keeps repeated requests apart.
    pub idempotency: Idempotency,
    ended: Arc<EndedSessions>,
}

impl Wired {
    /// The ports of a resource's use cases.
    pub fn crud_parts<R: Record>(&self) -> CrudParts<R> {
        CrudParts {
            records: Arc::new(self.stores.records()),
            unit_of_work: Arc::new(self.stores.clone()),
            idempotency: self.idempotency.clone(),
            clock: self.clock.clone(),
            randomness: self.randomness.clone(),
        }
    }
}

/// Refuses a database whose schema is not that of this version.
///
/// # Errors
/// When a migration is pending, or the database fails.
pub async fn ensure_migrated(database: &Database) -> anyhow::Result<()> {
    anyhow::ensure!(
        database.is_migrated().await?,
        "the database lacks migrations of this version: run `tidegate migrate up` first"
    );
    Ok(())
}

/// Wires the use cases to their adapters.
///
/// # Errors
/// Settings that an adapter cannot work with.
pub fn services(settings: &Settings, stores: &Stores) -> anyhow::Result<Wired> {
    let clock: Arc<dyn Clock> = Arc::new(tidegate_auth::SystemClock);
    let randomness: Arc<dyn Randomness> = Arc::new(tidegate_auth::SystemRandom);
    let hasher = parts::hasher(settings);
    let digest = parts::digest(settings);
    let policy = TokenPolicy {
        access_life: chrono::TimeDelta::from_std(settings.auth.access_token_lifetime)?,
        refresh_life: chrono::TimeDelta::from_std(settings.auth.refresh_token_lifetime)?,
        max_sessions: settings.auth.max_sessions.into(),
    };
    let sessions = Arc::new(stores.sessions());
    let ended = Arc::new(EndedSessions::new(
        sessions.clone(),
        clock.clone(),
        policy.access_life,
    ));
    let backoff = Arc::new(LoginBackoff::new(clock.clone(), settings.limits.enabled));
    let authenticator = Authenticator::new(
        AuthenticatorParts {
            users: Arc::new(stores.users()),
            sessions,
            api_keys: Arc::new(stores.api_keys()),
            tokens: parts::tokens(settings),
            hasher: hasher.clone(),
            digest: digest.clone(),
            clock: clock.clone(),
            randomness: randomness.clone(),
            ended: ended.clone(),
            backoff: backoff.clone(),
        },
        policy,
    );
    let accounts = Accounts::new(
        AccountsParts {
            users: Arc::new(stores.users()),
            unit_of_work: Arc::new(stores.clone()),
            hasher,
            digest,
            clock: clock.clone(),
            randomness: randomness.clone(),
            ended: ended.clone(),
            backoff,
        },
        settings.auth.registration,
    );
    let versions = Arc::new(Versions::new(Arc::new(stores.versions())));
    let adapters = parts::gateway(settings)?;
    let gateway = Arc::new(Gateway::new(
        adapters.catalog.clone(),
        adapters.editor,
        adapters.users,
        adapters.own_name,
    ));
    let planner = Planner::new(Limits {
        max_rows: settings.rest.max_rows,
        full_table_writes: settings.rest.full_table_writes == FullTableWrites::Allow,
    });
    let idempotency = Idempotency::new(clock.clone());
    let rows = Rows::new(
        gateway.clone(),
        adapters.catalog,
        adapters.rows,
        planner,
        idempotency.clone(),
    );
    let http = Services {
        authenticator: Arc::new(authenticator),
        accounts: Arc::new(accounts),
        versions,
        gateway,
        rows: Arc::new(rows),
        randomness: randomness.clone(),
    };
    Ok(Wired {
        settings: settings.clone(),
        http,
        stores: stores.clone(),
        idempotency,
        clock,
        randomness,
        ended,
    })
}

/// What has to be done once before the first request can be answered.
struct Preparation {
    settings: Settings,
    database: Database,
    services: Wired,
}

impl Preparation {
    /// Migrates (development), makes the first administrator, and fills what is kept in
    /// memory. False when the database is away; then it is to be run again.
    async fn run(&self) -> anyhow::Result<bool> {
        match self.prepare().await {
            Ok(()) => Ok(true),
            Err(error) if is_away(&error) => {
                tracing::warn!("the database does not answer; it will be asked again: {error:#}");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    async fn prepare(&self) -> anyhow::Result<()> {
        match self.database.ping().await {
            // A server that was away at the start may lack the database; migrating makes it.
            Ok(()) | Err(StoreError::Missing { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        match self.settings.profile {
            Profile::Development => {
                let applied = self.database.migrate_up(&Target::All).await?;
                if !applied.is_empty() {
                    tracing::info!(count = applied.len(), "migrated the database");
                }
            }
            Profile::Production => ensure_migrated(&self.database).await?,
        }
        self.first_administrator().await?;
        refresh(&self.services).await?;
        Ok(())
    }

    async fn first_administrator(&self) -> anyhow::Result<()> {
        let accounts = &self.services.http.accounts;
        let admin = &self.settings.admin;
        if admin.password.is_none() && self.settings.profile == Profile::Production {
            if !accounts.any().await? {
                tracing::warn!(
                    "there are no users yet: make an administrator with `tidegate users create --admin --username NAME`"
                );
            }
            return Ok(());
        }
        let input = AccountInput {
            username: Some(admin.username.clone()),
            email: None,
            password: admin.password.clone(),
        };
        match accounts.create_first_administrator(input).await {
            Ok(Some(CreatedAccount { user, password })) => {
                tracing::info!(user = user.id.0, "made the first administrator");
                if let Some(password) = password {
                    crate::terminal::first_administrator(user.username.as_str(), password.reveal());
                }
                Ok(())
            }
            // Another node was faster.
            Ok(None) | Err(AppError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error).context("cannot make the first administrator"),
        }
    }
}

/// Whether the database is away for now, somewhere down in the error.
fn is_away(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        matches!(
            cause.downcast_ref::<StoreError>(),
            Some(StoreError::Unavailable(_))
        ) || matches!(
            cause.downcast_ref::<AppError>(),
            Some(AppError::Store(StoreError::Unavailable(_)))
        )
    })
}

async fn refresh(services: &Wired) -> Result<(), StoreError> {
    services.ended.refresh().await?;
    services.http.versions.refresh().await
}

/// Deletes what is over: sessions, and the keys of requests that may be repeated.
async fn purge(services: Wired) {
    if let Err(error) = services.http.authenticator.purge_sessions().await {
        tracing::warn!(%error, "expired sessions could not be deleted");
    }
    let keys = services.stores.idempotency();
    if let Err(error) = services.idempotency.purge(&keys).await {
        tracing::warn!(%error, "expired idempotency keys could not be deleted");
    }
}

/// Notes in the log when the database goes away and when it is back, once each.
fn report(outcome: Result<(), StoreError>, was_answering: bool) -> bool {
    match outcome {
        Ok(()) => {
            if !was_answering {
                tracing::info!("the database answers again");
            }
            true
        }
        Err(error) => {
            if was_answering {
                tracing::warn!(%error, "the database does not answer");
            }
            false
        }
    }
}
