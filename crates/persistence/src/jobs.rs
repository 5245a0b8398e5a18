//! Jobs: one row each that says who holds it, and a row for each of the last runs.
//!
//! Every call begins by locking the job's row, so that what is compared cannot change before
//! it is acted upon.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseTransaction, QueryResult};
use tidegate_domain::error::{StoreError, Violation, ViolationKind};
use tidegate_domain::job::{Claim, Held, Jobs, Run, RunState};

use crate::access::{Access as _, atomically, corrupt, stored};
use crate::database::Database;
use crate::statement::{change, get, insert_id, locking, row, rows};

/// How many runs of a job are kept.
const KEPT: u64 = 50;

/// The jobs of a database.
#[derive(Debug, Clone)]
pub struct JobStore {
    database: Database,
}

impl JobStore {
    /// On a database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl Jobs for JobStore {
    async fn begin<'a>(&self, claim: &Claim<'a>) -> Result<Option<Held>, StoreError> {
        atomically!(self.database, |tx| begin(tx, claim).await)
    }

    async fn take_over<'a>(&self, claim: &Claim<'a>) -> Result<Option<Held>, StoreError> {
        atomically!(self.database, |tx| take_over(tx, claim).await)
    }

    async fn renew(
        &self,
        job: &str,
        token: i64,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE jobs SET expires_at = ? WHERE name = ? AND run_id = ? AND expires_at > ?";
        let values = [
            stored(expires_at).into(),
            job.into(),
            token.into(),
            stored(now).into(),
        ];
        Ok(change(self.database.writer(), sql, values).await? > 0)
    }

    async fn finish(
        &self,
        job: &str,
        token: i64,
        state: RunState,
        detail: Option<String>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let detail: Option<String> = detail.map(|text| text.chars().take(500).collect());
        let detail = detail.as_deref();
        atomically!(self.database, |tx| finish(
            tx,
            job,
            token,
            state,
            detail,
            stored(now)
        )
        .await)
    }

    async fn runs(&self, job: &str, limit: u64) -> Result<Vec<Run>, StoreError> {
        let sql = "SELECT id, node, due_at, started_at, finished_at, state, detail FROM job_runs \
             WHERE job = ? ORDER BY id DESC LIMIT ?";
        let found = rows(self.database.reader(), sql, [job.into(), limit.into()]).await?;
        found.iter().map(run).collect()
    }
}

fn run(row: &QueryResult) -> Result<Run, StoreError> {
    let state: String = get(row, 5)?;
    Ok(Run {
        id: get(row, 0)?,
        node: get(row, 1)?,
        due_at: get(row, 2)?,
        started_at: get(row, 3)?,
        finished_at: get(row, 4)?,
        state: RunState::from_name(&state).ok_or_else(|| corrupt("run"))?,
        detail: get(row, 6)?,
    })
}

/// What a job's row says.
struct Job {
    due_at: Option<DateTime<Utc>>,
    run: Option<i64>,
    expires_at: Option<DateTime<Utc>>,
}

impl Job {
    fn is_held(&self, now: DateTime<Utc>) -> bool {
        self.run.is_some() && self.expires_at.is_some_and(|end| end > now)
    }
}

/// A job's row, locked; made where it is missing.
async fn lock(tx: &DatabaseTransaction, name: &str) -> Result<Job, StoreError> {
    let lock = locking(tx, " FOR UPDATE");
    let sql = format!("SELECT due_at, run_id, expires_at FROM jobs WHERE name = ?{lock}");
    if let Some(found) = row(tx, &sql, [name.into()]).await? {
        return job(&found);
    }
    match change(tx, "INSERT INTO jobs (name) VALUES (?)", [name.into()]).await {
        // Another node was faster between the two statements.
        Ok(_)
        | Err(StoreError::Constraint(Violation {
            kind: ViolationKind::Unique,
            ..
        })) => {}
        Err(error) => return Err(error),
    }
    let made = row(tx, &sql, [name.into()]).await?;
    job(&made.ok_or_else(|| corrupt("job"))?)
}

fn job(row: &QueryResult) -> Result<Job, StoreError> {
    Ok(Job {
        due_at: get(row, 0)?,
        run: get(row, 1)?,
        expires_at: get(row, 2)?,
    })
}

async fn begin(tx: &DatabaseTransaction, claim: &Claim<'_>) -> Result<Option<Held>, StoreError> {
    let now = stored(claim.now);
    let job = lock(tx, claim.job).await?;
    let due_at = claim.due_at.map(stored);
    // What was begun, on whatever node, is not begun again.
    let begun = due_at.is_some_and(|due_at| job.due_at.is_some_and(|last| last >= due_at));
    if begun || job.is_held(now) {
        return Ok(None);
    }
    if claim.late && job.due_at.is_none() {
        let sql = "UPDATE jobs SET due_at = ? WHERE name = ?";
        change(tx, sql, [due_at.into(), claim.job.into()]).await?;
        return Ok(None);
    }
    abandon(tx, &job, now).await?;
    start(tx, claim, due_at, due_at.or(job.due_at))
        .await
        .map(Some)
}

async fn take_over(
    tx: &DatabaseTransaction,
    claim: &Claim<'_>,
) -> Result<Option<Held>, StoreError> {
    let now = stored(claim.now);
    let job = lock(tx, claim.job).await?;
    let Some(left) = job.run else {
        return Ok(None);
    };
    if job.is_held(now) {
        return Ok(None);
    }
    let sql = "SELECT due_at FROM job_runs WHERE id = ?";
    let due_at = row(tx, sql, [left.into()]).await?;
    let due_at = due_at.map(|row| get(&row, 0)).transpose()?.flatten();
    abandon(tx, &job, now).await?;
    start(tx, claim, due_at, job.due_at).await.map(Some)
}

/// Notes that a run's node is gone.
async fn abandon(
    tx: &DatabaseTransaction,
    job: &Job,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let Some(run) = job.run else { return Ok(()) };
    end(tx, run, RunState::Abandoned, None, now).await
}

async fn start(
    tx: &DatabaseTransaction,
    claim: &Claim<'_>,
    due_at: Option<DateTime<Utc>>,
    last_due_at: Option<DateTime<Utc>>,
) -> Result<Held, StoreError> {
    let sql = "INSERT INTO job_runs (job, node, due_at, started_at, state) VALUES (?, ?, ?, ?, ?)";
    let values = [
        claim.job.into(),
        claim.node.into(),
        due_at.into(),
        stored(claim.now).into(),
        RunState::Running.name().into(),
    ];
    let token = insert_id(tx, sql, values).await?;
    let sql = "UPDATE jobs SET due_at = ?, run_id = ?, expires_at = ? WHERE name = ?";
    let expires_at = stored(claim.expires_at);
    let values = [
        last_due_at.into(),
        token.into(),
        expires_at.into(),
        claim.job.into(),
    ];
    change(tx, sql, values).await?;
    Ok(Held { token, due_at })
}

async fn finish(
    tx: &DatabaseTransaction,
    name: &str,
    token: i64,
    state: RunState,
    detail: Option<&str>,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let job = lock(tx, name).await?;
    if job.run != Some(token) {
        return Ok(false);
    }
    end(tx, token, state, detail, now).await?;
    let sql = "UPDATE jobs SET run_id = NULL, expires_at = NULL WHERE name = ?";
    change(tx, sql, [name.into()]).await?;
    let sql = "SELECT id FROM job_runs WHERE job = ? ORDER BY id DESC LIMIT 1 OFFSET ?";
    if let Some(last) = row(tx, sql, [name.into(), KEPT.into()]).await? {
        let last: i64 = get(&last, 0)?;
        let sql = "DELETE FROM job_runs WHERE job = ? AND id <= ?";
        change(tx, sql, [name.into(), last.into()]).await?;
    }
    Ok(true)
}

async fn end(
    tx: &impl ConnectionTrait,
    run: i64,
    state: RunState,
    detail: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let sql = "UPDATE job_runs SET state = ?, detail = ?, finished_at = ? WHERE id = ?";
    let values = [state.name().into(), detail.into(), now.into(), run.into()];
    change(tx, sql, values).await.map(drop)
}
