//! The wiring: use cases with their adapters, as the settings say.

use std::sync::Arc;

use tidegate_application::accounts::{Accounts, AccountsParts};
use tidegate_application::audit::Audit;
use tidegate_application::auth::{Authenticator, AuthenticatorParts, TokenPolicy};
use tidegate_application::backoff::LoginBackoff;
use tidegate_application::crud::CrudParts;
use tidegate_application::ended::EndedSessions;
use tidegate_application::gateway::Gateway;
use tidegate_application::idempotency::Idempotency;
use tidegate_application::inbox::{Inbox, InboxParts};
use tidegate_application::jobs::{Jobs, JobsParts};
use tidegate_application::routines::Routines;
use tidegate_application::rows::Rows;
use tidegate_application::versions::Versions;
use tidegate_application::webhooks::{Webhooks, WebhooksParts};
use tidegate_domain::query::planner::{Limits, Planner};
use tidegate_domain::system::{Clock, Randomness};
use tidegate_http::app::Services;
use tidegate_persistence::backup::EmbeddedFiles;
use tidegate_persistence::gateway::changes::SchemaChangeStore;
use tidegate_persistence::gateway::open::GatewayGauges;
use tidegate_persistence::inbox::arrivals::ArrivalHub;
use tidegate_persistence::inbox::consumers::ConsumerStore;
use tidegate_persistence::inbox::messages::InboxStore;
use tidegate_persistence::inbox::receivers::CachedReceivers;
use tidegate_persistence::jobs::JobStore;
use tidegate_persistence::resource::Record;
use tidegate_persistence::stores::Stores;

use crate::backup;
use crate::config::{FullTableWrites, Settings};
use crate::jobs::{Backups, Workshop, jobs};
use crate::parts;

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
    /// Webhooks.
    pub webhooks: Arc<Webhooks>,
    /// The inbox.
    pub inbox: Arc<Inbox>,
    /// What is done by itself.
    pub jobs: Jobs,
    /// Where changes are noted.
    pub audit: Audit,
    pub(crate) arrivals: ArrivalHub,
    pub(crate) ended: Arc<EndedSessions>,
    pub(crate) backoff: Arc<LoginBackoff>,
    pub(crate) gateway_gauges: GatewayGauges,
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

/// Wires the use cases to their adapters.
///
/// # Errors
/// Settings that an adapter cannot work with.
pub(crate) fn wire(settings: Settings, stores: Stores) -> anyhow::Result<Wired> {
    let clock: Arc<dyn Clock> = Arc::new(tidegate_auth::SystemClock);
    let randomness: Arc<dyn Randomness> = Arc::new(tidegate_auth::SystemRandom);
    let hasher = parts::hasher(&settings);
    let digest = parts::digest(&settings);
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
    let node = randomness.uuid();
    let audit = Audit::new(Arc::new(stores.audit()), clock.clone(), node.clone());
    let backoff = Arc::new(LoginBackoff::new(clock.clone(), settings.limits.enabled));
    let authenticator = Authenticator::new(
        AuthenticatorParts {
            users: Arc::new(stores.users()),
            sessions,
            api_keys: Arc::new(stores.api_keys()),
            tokens: parts::tokens(&settings),
            hasher: hasher.clone(),
            digest: digest.clone(),
            clock: clock.clone(),
            randomness: randomness.clone(),
            ended: ended.clone(),
            backoff: backoff.clone(),
            audit: audit.clone(),
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
            backoff: backoff.clone(),
            audit: audit.clone(),
        },
        settings.auth.registration,
    );
    let versions = Versions::new(Arc::new(stores.versions())).audited(audit.clone());
    let versions = Arc::new(versions);
    let adapters = parts::gateway(&settings)?;
    let gateway = Gateway::new(
        adapters.catalog.clone(),
        adapters.editor,
        adapters.users,
        Arc::new(SchemaChangeStore::new(stores.database().clone())),
        adapters.own_name,
    );
    let gateway = Arc::new(gateway.audited(audit.clone()));
    let planner = Planner::new(Limits {
        max_rows: settings.rest.max_rows,
        full_table_writes: settings.rest.full_table_writes == FullTableWrites::Allow,
        embed_depth: settings.rest.embed_depth,
        aggregates: settings.rest.aggregates,
    });
    let idempotency = Idempotency::new(clock.clone());
    let rows = Rows::new(
        gateway.clone(),
        adapters.catalog,
        adapters.rows,
        planner,
        idempotency.clone(),
    );
    let routines = Routines::new(gateway.clone(), adapters.routines, planner);
    let arrivals = ArrivalHub::new(stores.database().clone());
    let (webhooks, inbox) = wire_inbox(&settings, &stores, &arrivals, &idempotency, &audit)?;
    let (inbox, authenticator) = (Arc::new(inbox), Arc::new(authenticator));
    let workshop = Workshop {
        authenticator: authenticator.clone(),
        idempotency: idempotency.clone(),
        keys: Arc::new(stores.idempotency()),
        inbox: inbox.clone(),
        clock: clock.clone(),
        audit: (
            audit.clone(),
            chrono::TimeDelta::from_std(settings.audit.retention)?,
        ),
        files: adapters
            .files
            .map(|files| EmbeddedFiles::new(stores.database().clone(), files)),
        backups: Backups {
            folder: backup::usual_folder(&settings.data_dir),
            keep: settings.backup.keep,
        },
    };
    let jobs = Jobs::new(JobsParts {
        jobs: jobs(&settings.jobs.schedules, workshop),
        store: Arc::new(JobStore::new(stores.database().clone())),
        clock: clock.clone(),
        node,
        lease: settings.jobs.lease,
        audit: audit.clone(),
    });
    let http = Services {
        authenticator,
        accounts: Arc::new(accounts),
        versions,
        gateway,
        rows: Arc::new(rows),
        routines: Arc::new(routines),
        randomness: randomness.clone(),
    };
    Ok(Wired {
        settings,
        http,
        stores,
        idempotency,
        clock,
        randomness,
        webhooks: Arc::new(webhooks),
        inbox,
        jobs,
        audit,
        arrivals,
        ended,
        backoff,
        gateway_gauges: adapters.gauges,
    })
}

fn wire_inbox(
    settings: &Settings,
    stores: &Stores,
    arrivals: &ArrivalHub,
    idempotency: &Idempotency,
    audit: &Audit,
) -> anyhow::Result<(Webhooks, Inbox)> {
    let database = stores.database();
    let receivers = Arc::new(CachedReceivers::new(database.clone()));
    let messages = Arc::new(InboxStore::new(database.clone(), arrivals.clone()));
    let sealer = parts::sealer(settings);
    let webhooks = Webhooks::new(WebhooksParts {
        webhooks: Arc::new(stores.webhooks()),
        unit_of_work: Arc::new(stores.clone()),
        receivers: receivers.clone(),
        inbox: messages.clone(),
        sealer: sealer.clone(),
        idempotency: idempotency.clone(),
        clock: Arc::new(tidegate_auth::SystemClock),
        randomness: Arc::new(tidegate_auth::SystemRandom),
        audit: audit.clone(),
    });
    let inbox = Inbox::new(InboxParts {
        webhooks: Arc::new(stores.webhooks()),
        receivers,
        messages,
        consumers: Arc::new(ConsumerStore::new(database.clone())),
        arrivals: Arc::new(arrivals.clone()),
        sealer,
        verifier: Arc::new(tidegate_auth::HmacSignatures),
        digest: parts::digest(settings),
        clock: Arc::new(tidegate_auth::SystemClock),
        randomness: Arc::new(tidegate_auth::SystemRandom),
        own_content: chrono::TimeDelta::from_std(settings.inbox.own_content)?,
    });
    Ok((webhooks, inbox))
}
