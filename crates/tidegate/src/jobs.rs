//! The jobs that Tidegate does by itself, and when.

use std::str::FromStr as _;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use croner::Cron;
use tidegate_application::auth::Authenticator;
use tidegate_application::error::AppError;
use tidegate_application::idempotency::Idempotency;
use tidegate_application::inbox::Inbox;
use tidegate_application::jobs::{Job, Schedule, Work};
use tidegate_domain::error::StoreError;
use tidegate_domain::idempotency::IdempotencyKeys;

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
}

/// What the jobs work on.
pub(crate) struct Workshop {
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) idempotency: Idempotency,
    pub(crate) keys: Arc<dyn IdempotencyKeys>,
    pub(crate) inbox: Arc<Inbox>,
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
    } = workshop;
    vec![
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
            work: Arc::new(Keys(idempotency, keys)),
        },
        Job {
            name: "inbox",
            summary: "Deletes messages that are kept no longer",
            schedule: schedule(&schedules.inbox),
            work: Arc::new(Messages(inbox)),
        },
    ]
}

/// Purging asks nobody for a right, so only the store can fail.
fn store(error: AppError) -> StoreError {
    match error {
        AppError::Store(error) => error,
        other => StoreError::Internal(other.into()),
    }
}

struct Sessions(Arc<Authenticator>);
struct Keys(Idempotency, Arc<dyn IdempotencyKeys>);
struct Messages(Arc<Inbox>);

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
        let deleted = self.0.purge(self.1.as_ref()).await?;
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
