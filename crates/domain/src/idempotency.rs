//! Requests that may be repeated: a client names one by `Idempotency-Key`
//! (draft-ietf-httpapi-idempotency-key-header-07), and whoever sends it again gets the first
//! answer without anything being done twice.

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};

use crate::error::StoreError;

/// For how long an answer is kept.
pub const KEPT: TimeDelta = TimeDelta::hours(24);

/// A request that may be repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepeatableRequest {
    /// What names it: a digest over principal, method, path and key, 64 hexadecimal digits.
    pub id: String,
    /// A digest over what was sent, 64 hexadecimal digits.
    pub fingerprint: String,
}

/// An answer, as it is given again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status, a success.
    pub status: u16,
    /// The headers that belong to the answer, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

/// What is kept of a request that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The digest over what was sent.
    pub fingerprint: String,
    /// The answer.
    pub answer: Answer,
}

/// What is known of a request at the moment when it is to be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Nothing: it is this transaction's to carry out, and nobody else's until it ends.
    New,
    /// It was carried out.
    Done(Kept),
    /// Another transaction is carrying it out.
    InProgress,
}

/// How a write that may be repeated is carried out once by a port that does all of it in one
/// transaction of its own.
pub struct Once<'a, T> {
    /// What names the request, see [`RepeatableRequest::id`].
    pub id: &'a str,
    /// The present time.
    pub now: DateTime<Utc>,
    /// What is kept of the outcome. Called inside the transaction, after all input was read.
    pub keep: &'a (dyn Fn(&T) -> Kept + Send + Sync),
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It was carried out.
    Done(T),
    /// It had been carried out before; nothing was done.
    Repeated(Kept),
    /// Somebody else is carrying it out; nothing was done.
    InProgress,
}

/// The stored keys. They live where the records of the request live, and a key is kept by the
/// same commit as those.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait IdempotencyKeys: Send + Sync {
    /// Claims a request. What is older than [`KEPT`] counts as unknown.
    async fn claim(&self, id: &str, now: DateTime<Utc>) -> Result<Claim, StoreError>;
    /// Keeps the answer of a request that was claimed in this transaction.
    async fn complete(&self, id: &str, kept: &Kept) -> Result<(), StoreError>;
    /// Deletes what was kept before `before`; gives the number.
    async fn purge(&self, before: DateTime<Utc>) -> Result<u64, StoreError>;
}
