//! A running server: what is done before it answers, while it runs, and when it stops.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tidegate_application::accounts::{AccountInput, CreatedAccount};
use tidegate_application::error::AppError;
use tidegate_domain::error::StoreError;
use tidegate_http::app::Extension;
use tidegate_http::drain::drain;
use tidegate_http::redirect;
use tidegate_persistence::database::{Database, Target};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Profile;
use crate::legacy;
use crate::listen;
use crate::monitor::{self, Observed};
use crate::parts;
use crate::tls::Identity;
use crate::wiring::Wired;

/// How often a node learns what other nodes changed: ended sessions, versions and schemas.
/// A session that ended must be refused everywhere within 5 seconds.
const REFRESH_INTERVAL: Duration = Duration::from_secs(2);

/// How long such a look may take.
const REFRESH_PATIENCE: Duration = Duration::from_secs(3);

/// What to do where the account may not make triggers.
pub(crate) const AUDIT_UNPROTECTED: &str = "the audit trail is not protected by triggers, because \
    the database account may not make them: give it the privilege TRIGGER and, with binary logging, \
    the server log_bin_trust_function_creators = 1; then run `tidegate migrate up`";

/// A started server.
pub struct Running {
    address: Option<SocketAddr>,
    places: Vec<String>,
    metrics: Option<SocketAddr>,
    shutdown: CancellationToken,
    server: JoinHandle<std::io::Result<()>>,
    background: Vec<JoinHandle<()>>,
    database: Database,
}

impl Running {
    /// Where it listens; `None`: on a Unix socket alone.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// All places where it listens, for people: addresses with their scheme, and paths.
    pub fn places(&self) -> &[String] {
        &self.places
    }

    /// Where its metrics are, if anywhere.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics
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
        for task in &self.background {
            task.abort();
        }
        self.database.close().await;
        Ok(outcome.context("the server's task failed")??)
    }
}

/// Prepares the database, and starts to listen and to keep what is in memory fresh.
///
/// # Errors
/// An address in use; a database that cannot be prepared, whatever the patience.
pub(crate) async fn run(
    database: Database,
    wired: Wired,
    extension: Extension,
) -> anyhow::Result<Running> {
    let prepared = Arc::new(Preparation {
        database: database.clone(),
        wired: wired.clone(),
    });

    // What is wrong with the certificate is told before anything is done.
    let tls = wired.settings.server.tls.as_ref();
    let identity = tls.map(Identity::load).transpose()?;

    // What heals by itself must not keep a node from starting: it is tried again in the
    // background, and until then requests get a 503.
    let mut ready = prepared.run().await?;
    let refresher = tokio::spawn({
        let wired = wired.clone();
        async move {
            let mut interval = tokio::time::interval(REFRESH_INTERVAL);
            interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let mut answering = true;
            loop {
                interval.tick().await;
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
                let refreshed = tokio::time::timeout(REFRESH_PATIENCE, refresh(&wired))
                    .await
                    .unwrap_or_else(|late| Err(StoreError::Unavailable(late.into())));
                answering = report(refreshed, answering);
            }
        }
    });

    let settings = &wired.settings;
    let sockets = listen::open(&settings.server, identity)?;
    if let Some(folder) = settings.static_dir.as_ref().filter(|it| !it.is_dir()) {
        tracing::debug!(folder = %folder.display(), "there is no folder of static files");
    }
    // First the one is asked for, then, when nobody is surprised by it any more, the other done.
    let (shutdown, closing) = (CancellationToken::new(), CancellationToken::new());
    let mut background = vec![refresher, tokio::spawn(follow_schemas(wired.clone()))];
    if let Some(every) = settings.catalogue.reload {
        background.push(tokio::spawn(reload_schemas(wired.clone(), every)));
    }
    let options = parts::http_options(settings);
    background.push(tokio::spawn({
        let (shutdown, closing) = (shutdown.clone(), closing.clone());
        let (leaving, patience) = (options.leaving.clone(), settings.server.drain);
        let listeners = sockets.tcp_clones()?;
        let socket = sockets.file;
        async move {
            shutdown.cancelled().await;
            // Who finds no socket there asks another node; who has connected is answered.
            let withdraw = async move {
                tokio::time::sleep(patience).await;
                drop(socket);
            };
            tokio::join!(drain(&leaving, patience, &listeners), withdraw);
            closing.cancel();
        }
    }));
    background.extend(follow_inbox(&wired, &database, &closing));
    let observed = Observed {
        database: database.clone(),
        gateway: wired.gateway_gauges.clone(),
    };
    let mut metrics = None;
    if let Some((address, task)) = monitor::listen(&settings.metrics, observed, closing.clone())? {
        metrics = Some(address);
        background.push(task);
    }
    background.push(tokio::spawn(monitor::upkeep()));
    let jobs = wired.jobs.clone();
    background.push(tokio::spawn(async move { jobs.follow().await }));
    if let Some(identity) = sockets.identity {
        background.push(tokio::spawn(identity.follow()));
    }
    if let Some(listener) = sockets.redirect {
        let target = redirect::Target {
            public_url: settings.server.public_url.clone(),
            port: sockets.address.map_or(443, |address| address.port()),
        };
        let patience = settings.server.request_header_timeout;
        let closing = closing.clone().cancelled_owned();
        let redirect = redirect::serve(listener, target, patience, closing)?;
        background.push(tokio::spawn(async move {
            if let Err(error) = redirect.await {
                tracing::error!(%error, "the listener that sends clients to HTTPS failed");
            }
        }));
    }
    let server = tidegate_http::app::serve(
        sockets.listeners,
        options,
        wired.http,
        extension,
        closing.cancelled_owned(),
    )?;
    Ok(Running {
        address: sockets.address,
        places: sockets.places,
        metrics,
        shutdown,
        server: tokio::spawn(server),
        background,
        database,
    })
}

/// Refuses a database whose schema is not that of this version.
///
/// # Errors
/// When a migration is pending, or the database fails.
pub(crate) async fn ensure_migrated(database: &Database) -> anyhow::Result<()> {
    anyhow::ensure!(
        database.is_migrated().await?,
        "the database lacks migrations of this version: run `tidegate migrate up` first"
    );
    Ok(())
}

/// What has to be done once before the first request can be answered.
struct Preparation {
    database: Database,
    wired: Wired,
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
        match self.wired.settings.profile {
            Profile::Development => {
                let applied = self.database.migrate_up(&Target::All).await?;
                if !applied.is_empty() {
                    tracing::info!(count = applied.len(), "migrated the database");
                }
            }
            Profile::Production => ensure_migrated(&self.database).await?,
        }
        if !self.database.audit_is_protected().await? {
            tracing::warn!("{AUDIT_UNPROTECTED}");
        }
        self.first_administrator().await?;
        refresh(&self.wired).await?;
        Ok(())
    }

    async fn first_administrator(&self) -> anyhow::Result<()> {
        let accounts = &self.wired.http.accounts;
        let admin = &self.wired.settings.admin;
        if admin.password.is_none() && self.wired.settings.profile == Profile::Production {
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

async fn refresh(wired: &Wired) -> Result<(), StoreError> {
    wired.ended.refresh().await?;
    wired.http.versions.refresh().await?;
    wired.audit.follow_failures(&wired.backoff).await
}

/// Has this node learn of schemas that others changed. Apart from [`refresh`], since a large
/// schema takes longer to read than an ended session may be believed in.
async fn follow_schemas(wired: Wired) {
    let mut interval = tokio::time::interval(REFRESH_INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        if let Err(error) = wired.http.gateway.follow_changes().await {
            // That the database is away is told by whoever refreshes.
            tracing::debug!(%error, "changes of schemas cannot be followed");
        }
    }
}

/// Looks now and then at the schemas that are in use: what others than Tidegate change, nobody
/// tells of.
async fn reload_schemas(wired: Wired, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        if let Err(error) = wired.http.gateway.refresh().await {
            tracing::warn!(%error, "a schema could not be read anew");
        }
    }
}

/// What the inbox does beside answering: it tells those who wait of messages that other nodes
/// stored, takes in what an outside writer left, and sends those who wait home at the end.
fn follow_inbox(
    wired: &Wired,
    database: &Database,
    closing: &CancellationToken,
) -> [JoinHandle<()>; 3] {
    let (arrivals, waiting) = (wired.arrivals.clone(), wired.arrivals.clone());
    let closing = closing.clone();
    [
        tokio::spawn(async move { arrivals.follow().await }),
        tokio::spawn(legacy::follow(wired.clone(), database.clone())),
        tokio::spawn(async move {
            closing.cancelled().await;
            waiting.close();
        }),
    ]
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
