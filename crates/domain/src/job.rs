//! Jobs: work that is due at certain times, and done by one node of many.
//!
//! Whoever begins a run holds a lease with a fencing token, a number that grows with each run.
//! A node that dies lets its lease end, and another one does the run again; what the first
//! still says under its old token is not heard.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::StoreError;

/// A run that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The fencing token, greater than that of every run before.
    pub token: i64,
    /// The time at which it was due; `None` where somebody asked for it.
    pub due_at: Option<DateTime<Utc>>,
}

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It is under way.
    Running,
    /// It is done.
    Succeeded,
    /// It failed; the log says why.
    Failed,
    /// Its node is gone, and another one began anew.
    Abandoned,
}

impl RunState {
    /// All of them.
    pub const ALL: [RunState; 4] = [
        RunState::Running,
        RunState::Succeeded,
        RunState::Failed,
        RunState::Abandoned,
    ];

    /// The name, as it is stored.
    pub fn name(self) -> &'static str {
        match self {
            RunState::Running => "running",
            RunState::Succeeded => "succeeded",
            RunState::Failed => "failed",
            RunState::Abandoned => "abandoned",
        }
    }

    /// The one with this name.
    pub fn from_name(name: &str) -> Option<RunState> {
        RunState::ALL.into_iter().find(|it| it.name() == name)
    }
}

/// A run, as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = JobRun)]
pub struct Run {
    /// Its number, which is its fencing token.
    pub id: i64,
    /// The node that did it.
    pub node: String,
    /// The time at which it was due; null where somebody asked for it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due_at: Option<DateTime<Utc>>,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: DateTime<Utc>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<DateTime<Utc>>,
    /// What became of it.
    pub state: RunState,
    /// What was done, or what went wrong, in words.
    pub detail: Option<String>,
}

/// Who wants to do a run, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim<'a> {
    /// The job.
    pub job: &'a str,
    /// The node.
    pub node: &'a str,
    /// The time at which it is due; `None` where somebody asked for it.
    pub due_at: Option<DateTime<Utc>>,
    /// Whether it was due before the node was there. A job that was never done is not late: its
    /// first run is the next one.
    pub late: bool,
    /// The present time.
    pub now: DateTime<Utc>,
    /// When the lease ends, unless it is renewed.
    pub expires_at: DateTime<Utc>,
}

/// The stored jobs. Each call is atomic.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait Jobs: Send + Sync {
    /// Begins a run: one that is due, unless it or a later one was begun before; or one that is
    /// asked for. `None` also while another run holds its lease.
    async fn begin<'a>(&self, claim: &Claim<'a>) -> Result<Option<Held>, StoreError>;
    /// Begins again what a node left behind whose lease is over: the same due time under a new
    /// token. `None` where there is nothing.
    async fn take_over<'a>(&self, claim: &Claim<'a>) -> Result<Option<Held>, StoreError>;
    /// Holds the lease for longer; false when it is not held under this token any more.
    async fn renew(
        &self,
        job: &str,
        token: i64,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<bool, StoreError>;
    /// Ends a run; false when it is not held under this token any more.
    async fn finish(
        &self,
        job: &str,
        token: i64,
        state: RunState,
        detail: Option<String>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError>;
    /// The last runs of a job, newest first.
    async fn runs(&self, job: &str, limit: u64) -> Result<Vec<Run>, StoreError>;
}
