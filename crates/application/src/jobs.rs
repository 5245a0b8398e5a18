//! Jobs: done when they are due, by one node of many, or when an administrator asks.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tidegate_domain::audit::Action;
use tidegate_domain::error::StoreError;
use tidegate_domain::job::{Claim, Held, Jobs as JobStore, Run, RunState};
use tidegate_domain::permission::{Administer, Authorized};
use tidegate_domain::system::Clock;

use crate::audit::{Actor, Audit, Done, to_the_end};
use crate::crud::now;
use crate::error::AppError;

/// How many of a job's last runs are told.
const TOLD: u64 = 10;

/// What a job does.
#[async_trait]
pub trait Work: Send + Sync {
    /// Does it; what was done, in words.
    async fn run(&self) -> Result<String, StoreError>;
}

/// When a job is due.
pub trait Schedule: Send + Sync {
    /// As it is written.
    fn text(&self) -> &str;
    /// The first time after another; `None`: never again.
    fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>>;
    /// The last time up to another.
    fn last(&self, until: DateTime<Utc>) -> Option<DateTime<Utc>>;
}

/// A job.
#[derive(Clone)]
pub struct Job {
    /// Its name, lower case letters and hyphens.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// When it is due; `None`: only when it is asked for.
    pub schedule: Option<Arc<dyn Schedule>>,
    /// What it does.
    pub work: Arc<dyn Work>,
}

/// A job as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobStatus {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub summary: &'static str,
    /// When it is due, as it is written.
    pub schedule: Option<String>,
    /// When it is due next.
    pub next_due_at: Option<DateTime<Utc>>,
    /// Its last runs, newest first.
    pub runs: Vec<Run>,
}

/// The ports and settings that [`Jobs`] works on.
pub struct JobsParts {
    /// The jobs.
    pub jobs: Vec<Job>,
    /// Who holds which.
    pub store: Arc<dyn JobStore>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// What this node is called, at most 64 characters.
    pub node: String,
    /// How long a node is believed to be there that says nothing. It renews its lease three
    /// times as often.
    pub lease: Duration,
    /// Where it is noted who has a job done.
    pub audit: Audit,
}

/// The jobs of this node.
#[derive(Clone)]
pub struct Jobs(Arc<JobsParts>);

impl Jobs {
    /// Puts the parts together.
    pub fn new(parts: JobsParts) -> Self {
        // A counter that is not there before its first count seems never to have grown.
        for job in &parts.jobs {
            for outcome in ["success", "failure", "lost"] {
                count(job, outcome, 0);
            }
        }
        Self(Arc::new(parts))
    }

    /// The jobs with their last runs.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self, _: &Authorized<Administer>) -> Result<Vec<JobStatus>, AppError> {
        let now = self.0.clock.now();
        let mut found = Vec::with_capacity(self.0.jobs.len());
        for job in &self.0.jobs {
            let schedule = job.schedule.as_ref();
            found.push(JobStatus {
                name: job.name,
                summary: job.summary,
                schedule: schedule.map(|schedule| schedule.text().to_owned()),
                next_due_at: schedule.and_then(|schedule| schedule.next(now)),
                runs: self.0.store.runs(job.name, TOLD).await?,
            });
        }
        Ok(found)
    }

    /// Begins a run at once, which goes on by itself; its number.
    ///
    /// # Errors
    /// Not found; a conflict while the job is being done.
    pub async fn run_now(
        &self,
        auth: &Authorized<Administer>,
        name: &str,
    ) -> Result<i64, AppError> {
        let job = self.0.jobs.iter().find(|job| job.name == name);
        let job = job.ok_or_else(|| AppError::NotFound(format!("There is no job {name}")))?;
        let (jobs, auth, job) = (self.clone(), auth.clone(), job.clone());
        let begun = to_the_end(async move {
            let claim = jobs.claim(&job, None, false);
            let Some(held) = jobs.0.store.begin(&claim).await? else {
                return Ok(None);
            };
            let (name, token, audit) = (job.name, held.token, jobs.0.audit.clone());
            tokio::spawn(async move { jobs.carry_out(&job, &held).await });
            let actor = Actor::Principal(auth.principal());
            let done = Done::new(actor, Action::JobStarted, "job", name);
            audit.note(done.after(json!({"run": token}))).await;
            Ok(Some(token))
        });
        begun.await?.ok_or_else(|| {
            AppError::conflict("job_running", "The job is being done; see GET /admin/jobs")
        })
    }

    /// Does what is due as long as it is polled, and what dead nodes left behind.
    pub async fn follow(&self) {
        let each = self.0.jobs.iter().map(|job| self.follow_one(job));
        futures_util::future::join_all(each).await;
    }

    async fn follow_one(&self, job: &Job) {
        // What was due while no node was there is done now, once.
        let mut late = true;
        loop {
            if let Err(error) = self.look(job, late).await {
                tracing::warn!(job = job.name, %error, "the jobs cannot be read");
            }
            let now = self.0.clock.now();
            let next = job.schedule.as_ref().and_then(|it| it.next(now));
            // Not longer than a lease: a node may have died meanwhile.
            let wait = next
                .and_then(|next| (next - now).to_std().ok())
                .map_or(self.0.lease, |wait| wait.min(self.0.lease));
            tokio::time::sleep(wait).await;
            late = false;
        }
    }

    /// Does a run that is due, or that a dead node left behind.
    async fn look(&self, job: &Job, late: bool) -> Result<(), StoreError> {
        let store = self.0.store.as_ref();
        if let Some(held) = store.take_over(&self.claim(job, None, late)).await? {
            tracing::warn!(job = job.name, "a node is gone; its run is begun again");
            self.carry_out(job, &held).await;
        }
        let schedule = job.schedule.as_ref();
        let due_at = schedule.and_then(|schedule| schedule.last(self.0.clock.now()));
        if due_at.is_some()
            && let Some(held) = store.begin(&self.claim(job, due_at, late)).await?
        {
            self.carry_out(job, &held).await;
        }
        Ok(())
    }

    fn claim<'a>(&'a self, job: &Job, due_at: Option<DateTime<Utc>>, late: bool) -> Claim<'a> {
        let now = now(self.0.clock.as_ref());
        Claim {
            job: job.name,
            node: &self.0.node,
            due_at,
            late,
            now,
            expires_at: now + self.lease(),
        }
    }

    fn lease(&self) -> TimeDelta {
        TimeDelta::from_std(self.0.lease).unwrap_or(TimeDelta::MAX)
    }

    /// Does a run that this node holds, as long as it holds it.
    async fn carry_out(&self, job: &Job, held: &Held) {
        let began = tokio::time::Instant::now();
        let outcome = tokio::select! {
            outcome = job.work.run() => outcome,
            () = self.hold(job, held) => {
                count(job, "lost", 1);
                tracing::error!(job = job.name, "another node took the job over; this run is given up");
                return;
            }
        };
        let (state, detail) = match outcome {
            Ok(done) => (RunState::Succeeded, done),
            Err(error) => {
                let cause: &dyn std::error::Error = &error;
                tracing::error!(job = job.name, cause, "the job failed");
                // The cause is in the log; it may name what is not for every administrator.
                (RunState::Failed, error.to_string())
            }
        };
        metrics::histogram!("tidegate_job_duration_seconds", "job" => job.name)
            .record(began.elapsed());
        let now = now(self.0.clock.as_ref());
        let finished = self
            .0
            .store
            .finish(job.name, held.token, state, Some(detail), now)
            .await;
        match finished {
            Ok(true) if state == RunState::Succeeded => {
                count(job, "success", 1);
                #[expect(clippy::cast_precision_loss, reason = "seconds of this era fit")]
                metrics::gauge!("tidegate_job_last_success_timestamp_seconds", "job" => job.name)
                    .set(now.timestamp() as f64);
            }
            Ok(true) => count(job, "failure", 1),
            Ok(false) => {
                count(job, "lost", 1);
                tracing::warn!(job = job.name, "the run ended too late to count");
            }
            Err(error) => tracing::warn!(job = job.name, %error, "the end of a run was not noted"),
        }
    }

    /// Renews the lease; returns when it is lost.
    async fn hold(&self, job: &Job, held: &Held) {
        let mut renewed = tokio::time::Instant::now();
        loop {
            tokio::time::sleep(self.0.lease / 3).await;
            let now = now(self.0.clock.as_ref());
            let until = now + self.lease();
            match self.0.store.renew(job.name, held.token, now, until).await {
                Ok(true) => renewed = tokio::time::Instant::now(),
                Ok(false) => return,
                // A database that is away for longer than the lease may have given it away.
                Err(_) if renewed.elapsed() >= self.0.lease => return,
                Err(_) => {}
            }
        }
    }
}

/// Counts runs of this node.
fn count(job: &Job, outcome: &'static str, runs: u64) {
    let labels = [("job", job.name), ("outcome", outcome)];
    metrics::counter!("tidegate_job_runs_total", &labels).increment(runs);
}

#[cfg(test)]
mod tests {
    use tidegate_domain::job::MockJobs;
    use tidegate_domain::system::MockClock;

    use super::*;

    /// Work that ends with this, or never.
    struct Told(Option<Result<String, StoreError>>);

    #[async_trait]
    impl Work for Told {
        async fn run(&self) -> Result<String, StoreError> {
            match &self.0 {
                Some(Ok(done)) => Ok(done.clone()),
                Some(Err(_)) => Err(StoreError::Timeout("after a while".into())),
                None => std::future::pending().await,
            }
        }
    }

    async fn carry_out(store: MockJobs, work: Told) {
        let mut clock = MockClock::new();
        clock.expect_now().returning(|| DateTime::UNIX_EPOCH);
        let jobs = Jobs::new(JobsParts {
            jobs: Vec::new(),
            store: Arc::new(store),
            clock: Arc::new(clock),
            node: "here".to_owned(),
            lease: Duration::from_millis(30),
            audit: Audit::nowhere(),
        });
        let job = Job {
            name: "inbox",
            summary: "",
            schedule: None,
            work: Arc::new(work),
        };
        let held = Held {
            token: 7,
            due_at: None,
        };
        jobs.carry_out(&job, &held).await;
    }

    #[tokio::test]
    async fn the_end_of_a_run_is_noted_under_its_token() {
        let failed = StoreError::Timeout("after a while".into());
        for (work, state, detail) in [
            (Ok("7 deleted".to_owned()), RunState::Succeeded, "7 deleted"),
            (Err(failed), RunState::Failed, "the statement took too long"),
        ] {
            let mut store = MockJobs::new();
            store
                .expect_finish()
                .times(1)
                .withf(move |job, token, ended, told, _| {
                    (job, *token, *ended) == ("inbox", 7, state) && told.as_deref() == Some(detail)
                })
                .returning(|_, _, _, _, _| Ok(true));
            carry_out(store, Told(Some(work))).await;
        }
    }

    #[tokio::test]
    async fn a_run_whose_lease_is_lost_is_given_up_and_says_nothing() {
        let mut store = MockJobs::new();
        let mut renewed = 0;
        store.expect_renew().times(3).returning(move |_, _, _, _| {
            renewed += 1;
            Ok(renewed < 3)
        });
        // It ends although the work never does.
        carry_out(store, Told(None)).await;
    }

    #[tokio::test]
    async fn a_run_whose_store_is_away_for_too_long_is_given_up() {
        let mut store = MockJobs::new();
        store
            .expect_renew()
            .returning(|_, _, _, _| Err(StoreError::Unavailable("gone".into())));
        carry_out(store, Told(None)).await;
    }
}
