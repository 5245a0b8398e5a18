//! The jobs that Tidegate does by itself, and when.

use std::path::PathBuf;
use std::str::FromStr as _;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use croner::Cron;
use tidegate_application::audit::Audit;
use tidegate_application::auth::Authenticator;
use tidegate_application::error::AppError;
use tidegate_application::idempotency::Idempotency;
use tidegate_application::inbox::Inbox;
use tidegate_application::jobs::{Job, Schedule, Work};
use tidegate_domain::error::StoreError;
use tidegate_domain::idempotency::{IdempotencyKeys, KEPT};
use tidegate_domain::system::Clock;
use tidegate_persistence::backup::EmbeddedFiles;

use crate::backup;

/// A cron expression of five fields, in UTC (POSIX `crontab`, with the extensions of croner).
#[derive(Debug, Clone)]
pub struct CronSchedule {
    text: String,
    cron: Cron,
}

impl PartialEq for CronSchedule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl CronSchedule {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let example =
            "such as \"17 3 * * *\": minute, hour, day of the month, month, day of the week";
        match Cron::from_str(text) {
            Ok(cron) => Ok(Self {
                text: text.to_owned(),
                cron,
            }),
            Err(error) => Err(format!(
                "\"{text}\" is no cron expression, {example}: {error}"
            )),
        }
    }
}

impl Schedule for CronSchedule {
    fn text(&self) -> &str {
        &self.text
    }

    fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.cron.find_next_occurrence(&after, false).ok()
    }

    fn last(&self, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.cron.find_previous_occurrence(&until, true).ok()
    }
}

/// When each job is due; `None`: only when it is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedules {
    /// Deletes sessions that are over.
    pub sessions: Option<CronSchedule>,
    /// Deletes the keys of requests that cannot be repeated any more.
    pub idempotency_keys: Option<CronSchedule>,
    /// Deletes messages that are kept no longer.
    pub inbox: Option<CronSchedule>,
    /// Deletes entries of the audit trail that are kept no longer.
    pub audit: Option<CronSchedule>,
    /// Backs up the embedded databases.
    pub backup: Option<CronSchedule>,
    /// Lets the embedded engine look again at what tables hold.
    pub optimize: Option<CronSchedule>,
}

/// What the jobs work on.
pub(crate) struct Workshop {
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) idempotency: Idempotency,
    pub(crate) keys: Arc<dyn IdempotencyKeys>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The audit trail, and for how long its entries are kept.
    pub(crate) audit: (Audit, TimeDelta),
    /// The files, where the engine is embedded.
    pub(crate) files: Option<EmbeddedFiles>,
    pub(crate) backups: Backups,
}

/// Where the job's backups lie, and how many.
#[derive(Debug, Clone)]
pub(crate) struct Backups {
    pub(crate) folder: PathBuf,
    pub(crate) keep: usize,
}

/// All jobs.
pub(crate) fn jobs(schedules: &Schedules, workshop: Workshop) -> Vec<Job> {
    let schedule = |schedule: &Option<CronSchedule>| {
        schedule
            .clone()
            .map(|schedule| Arc::new(schedule) as Arc<dyn Schedule>)
    };
    let Workshop {
        authenticator,
        idempotency,
        keys,
        inbox,
        clock,
        audit,
        files,
        backups,
    } = workshop;
    let mut jobs = vec![
        Job {
            name: "sessions",
            summary: "Deletes sessions that are over",
            schedule: schedule(&schedules.sessions),
            work: Arc::new(Sessions(authenticator)),
        },
        Job {
            name: "idempotency-keys",
            summary: "Deletes the keys of requests that cannot be repeated any more",
            schedule: schedule(&schedules.idempotency_keys),
            work: Arc::new(Keys {
                idempotency,
                own: keys,
                files: files.clone(),
                clock: clock.clone(),
            }),
        },
        Job {
            name: "inbox",
            summary: "Deletes messages that are kept no longer",
            schedule: schedule(&schedules.inbox),
            work: Arc::new(Messages(inbox)),
        },
        Job {
            name: "audit",
            summary: "Deletes entries of the audit trail that are kept no longer",
            schedule: schedule(&schedules.audit),
            work: Arc::new(Entries(audit.0, audit.1)),
        },
    ];
    // A server's databases are backed up where it is, by whoever runs it.
    if let Some(files) = files {
        jobs.push(Job {
            name: "backup",
            summary: "Copies all databases into a folder, and removes the oldest copies",
            schedule: schedule(&schedules.backup),
            work: Arc::new(Backup {
                files: files.clone(),
                backups,
                clock,
            }),
        });
        jobs.push(Job {
            name: "optimize",
            summary: "Has SQLite look again at what tables hold, for better plans of queries",
            schedule: schedule(&schedules.optimize),
            work: Arc::new(Optimize(files)),
        });
    }
    jobs
}

/// Purging asks nobody for a right, so only the store can fail.
fn store(error: AppError) -> StoreError {
    match error {
        AppError::Store(error) => error,
        other => StoreError::Internal(other.into()),
    }
}

struct Sessions(Arc<Authenticator>);
struct Keys {
    idempotency: Idempotency,
    own: Arc<dyn IdempotencyKeys>,
    files: Option<EmbeddedFiles>,
    clock: Arc<dyn Clock>,
}
struct Messages(Arc<Inbox>);
struct Entries(Audit, TimeDelta);
struct Backup {
    files: EmbeddedFiles,
    backups: Backups,
    clock: Arc<dyn Clock>,
}
struct Optimize(EmbeddedFiles);

#[async_trait]
impl Work for Sessions {
    async fn run(&self) -> Result<String, StoreError> {
        let deleted = self.0.purge_sessions().await.map_err(store)?;
        Ok(format!("{deleted} sessions deleted"))
    }
}

#[async_trait]
impl Work for Keys {
    async fn run(&self) -> Result<String, StoreError> {
        let mut deleted = self.idempotency.purge(self.own.as_ref()).await?;
        if let Some(files) = &self.files {
            deleted += files.purge_keys(self.clock.now() - KEPT).await?;
        }
        Ok(format!("{deleted} keys deleted"))
    }
}

#[async_trait]
impl Work for Messages {
    async fn run(&self) -> Result<String, StoreError> {
        let deleted = self.0.purge().await?;
        Ok(format!("{deleted} messages deleted"))
    }
}

#[async_trait]
impl Work for Entries {
    async fn run(&self) -> Result<String, StoreError> {
        let deleted = self.0.purge(self.1).await?;
        Ok(format!("{deleted} entries deleted"))
    }
}

#[async_trait]
impl Work for Backup {
    async fn run(&self) -> Result<String, StoreError> {
        let Backups { folder, keep } = self.backups.clone();
        let now = self.clock.now();
        let name = backup::stamp(now);
        let fault = |error: anyhow::Error| StoreError::Internal(error.into());
        let target = folder.join(&name);
        let databases = backup::back_up_files(&self.files, &target, now)
            .await
            .map_err(fault)?;
        let pruned = tokio::task::spawn_blocking(move || backup::prune(&folder, keep)).await;
        let removed = pruned
            .map_err(anyhow::Error::from)
            .and_then(|pruned| Ok(pruned?))
            .map_err(fault)?;
        Ok(format!(
            "{databases} databases copied to {name}; {removed} older backups removed"
        ))
    }
}

#[async_trait]
impl Work for Optimize {
    async fn run(&self) -> Result<String, StoreError> {
        let files = self.0.optimize().await?;
        Ok(format!("{files} databases looked at"))
    }
}
