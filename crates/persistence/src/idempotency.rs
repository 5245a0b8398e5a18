//! Requests that may be repeated, in Tidegate's own database.
//!
//! The row of a request is inserted first and its answer put into it last, in one transaction.
//! Who comes meanwhile finds the row locked: on servers that is an error at once, since the
//! row is asked for with `NOWAIT`; on SQLite the single writer lets nobody come meanwhile.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait as _, LockBehavior, LockType, Query};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult};
use tidegate_domain::error::{StoreError, Violation, ViolationKind};
use tidegate_domain::idempotency::{Answer, Claim, IdempotencyKeys, KEPT, Kept};

use crate::access::{Access, corrupt, stored};
use crate::error::{db_err, is_locked};

/// The table.
const TABLE: &str = "idempotency_keys";

/// How many rows are deleted at once.
const PORTION: u64 = 500;

/// The keys of a database.
#[derive(Debug, Clone)]
pub struct IdempotencyStore<A> {
    access: A,
}

impl<A> IdempotencyStore<A> {
    /// On the pool or in a transaction.
    pub fn new(access: A) -> Self {
        Self { access }
    }
}

#[async_trait]
impl<A: Access> IdempotencyKeys for IdempotencyStore<A> {
    async fn claim(&self, id: &str, now: DateTime<Utc>) -> Result<Claim, StoreError> {
        let connection = self.access.writer();
        let mut select = Query::select();
        select
            .columns(["created_at", "fingerprint", "status", "headers", "body"])
            .from(TABLE)
            .and_where(Expr::col("id").eq(id));
        if connection.get_database_backend() != DbBackend::Sqlite {
            select.lock_with_behavior(LockType::Update, LockBehavior::Nowait);
        }
        let found = match connection.query_one(&select).await.map_err(db_err) {
            Err(error) if is_locked(&error) => return Ok(Claim::InProgress),
            found => found?,
        };
        if let Some(row) = found {
            let made: DateTime<Utc> = row.try_get_by_index(0).map_err(db_err)?;
            if made > now - KEPT {
                return kept(&row).map(Claim::Done);
            }
            let delete = Query::delete()
                .from_table(TABLE)
                .and_where(Expr::col("id").eq(id))
                .take();
            connection.execute(&delete).await.map_err(db_err)?;
        }
        let insert = Query::insert()
            .into_table(TABLE)
            .columns(["id", "created_at"])
            .values_panic([id.into(), Expr::value(stored(now))])
            .take();
        match connection.execute(&insert).await.map_err(db_err) {
            Ok(_) => Ok(Claim::New),
            // Somebody was faster between the two statements.
            Err(StoreError::Constraint(Violation {
                kind: ViolationKind::Unique,
                ..
            })) => Ok(Claim::InProgress),
            Err(error) => Err(error),
        }
    }

    async fn complete(&self, id: &str, kept: &Kept) -> Result<(), StoreError> {
        let headers =
            headers_text(&kept.answer).map_err(|error| StoreError::Internal(error.into()))?;
        let update = Query::update()
            .table(TABLE)
            .value("fingerprint", kept.fingerprint.as_str())
            .value("status", i32::from(kept.answer.status))
            .value("headers", headers)
            .value("body", kept.answer.body.to_vec())
            .and_where(Expr::col("id").eq(id))
            .take();
        let done = self
            .access
            .writer()
            .execute(&update)
            .await
            .map_err(db_err)?;
        if done.rows_affected() == 1 {
            Ok(())
        } else {
            Err(corrupt("idempotency key"))
        }
    }

    async fn purge(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        let connection = self.access.writer();
        let mut deleted = 0;
        loop {
            // In portions, so that no lock is held for long.
            let old = Query::select()
                .column("id")
                .from(TABLE)
                .and_where(Expr::col("created_at").lt(stored(before)))
                .limit(PORTION)
                .take();
            let rows = connection.query_all(&old).await.map_err(db_err)?;
            let ids = rows.iter().map(|row| row.try_get_by_index::<String>(0));
            let ids = ids.collect::<Result<Vec<_>, _>>().map_err(db_err)?;
            if ids.is_empty() {
                return Ok(deleted);
            }
            let delete = Query::delete()
                .from_table(TABLE)
                .and_where(Expr::col("id").is_in(ids))
                .and_where(Expr::col("created_at").lt(stored(before)))
                .take();
            let done = connection.execute(&delete).await.map_err(db_err)?;
            deleted += done.rows_affected();
        }
    }
}

fn kept(row: &QueryResult) -> Result<Kept, StoreError> {
    let text = |at| row.try_get_by_index::<String>(at).map_err(db_err);
    let status: i32 = row.try_get_by_index(2).map_err(db_err)?;
    let body: Vec<u8> = row.try_get_by_index(4).map_err(db_err)?;
    restored(text(1)?, status, &text(3)?, body).ok_or_else(|| corrupt("answer"))
}

/// The headers of an answer, as they are stored.
pub(crate) fn headers_text(answer: &Answer) -> serde_json::Result<String> {
    serde_json::to_string(&answer.headers)
}

/// What was kept, from what is stored; `None` when that is not what was.
pub(crate) fn restored(
    fingerprint: String,
    status: i32,
    headers: &str,
    body: Vec<u8>,
) -> Option<Kept> {
    Some(Kept {
        fingerprint,
        answer: Answer {
            status: u16::try_from(status).ok()?,
            headers: serde_json::from_str(headers).ok()?,
            body: body.into(),
        },
    })
}
