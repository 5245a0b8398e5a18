//! Writes as one transaction each.
//!
//! A deadlock is nobody's fault and the server has undone everything, so work that can be
//! done again is done again; only then is the client asked to come back later.

use std::future::Future;

use sqlx::mysql::{MySqlConnection, MySqlDatabaseError, MySqlQueryResult};
use tidegate_domain::error::StoreError;

use super::super::pool::{MySqlLease, MySqlPool};
use super::super::rows::batch::Fault;
use super::super::sql::Statement;
use super::rows::execute;
use crate::engine::Engine;
use crate::retry::{TRIES, pause};

/// Work inside a transaction that can be done again from the start.
pub(super) trait Work: Sync {
    /// What comes of it.
    type Outcome: Send;

    /// Does it. A fault of the input is no reason to do it again.
    fn run(
        &self,
        connection: &mut MySqlConnection,
        engine: Engine,
    ) -> impl Future<Output = Result<Self::Outcome, Fault>> + Send;

    /// Whether it is undone although it went well.
    fn rolls_back(&self) -> bool {
        false
    }
}

/// Does work in a transaction of its own.
pub(super) async fn transact<W: Work>(
    pool: &MySqlPool,
    work: &W,
) -> Result<W::Outcome, StoreError> {
    let mut tries = 1;
    loop {
        let mut lease = pool.begin("START TRANSACTION").await?;
        let engine = lease.server().engine;
        let watch = lease.watch();
        match watch.over(work.run(&mut lease, engine)).await {
            Ok(outcome) => {
                settle(lease, work.rolls_back()).await?;
                return Ok(outcome);
            }
            Err(Fault::Engine(error)) if is_deadlock(&error) && tries < TRIES => {
                lease.roll_back().await;
            }
            Err(Fault::Engine(error)) => return Err(lease.abort(error).await),
            Err(Fault::Input(error)) => {
                lease.roll_back().await;
                return Err(error);
            }
        }
        pause(tries).await;
        tries += 1;
    }
}

/// Ends a transaction in which all went well.
pub(super) async fn settle(lease: MySqlLease, undo: bool) -> Result<(), StoreError> {
    if undo {
        lease.roll_back().await;
        return Ok(());
    }
    lease.commit().await
}

/// Runs a single statement, which is a transaction by itself.
pub(super) async fn autocommit(
    pool: &MySqlPool,
    statement: impl Fn(Engine) -> Statement,
) -> Result<MySqlQueryResult, StoreError> {
    tried(pool, statement, false).await
}

/// The same for a statement that may be run twice: where the server closed an idle connection
/// meanwhile, it is sent once more on another.
pub(super) async fn autocommit_again(
    pool: &MySqlPool,
    statement: impl Fn(Engine) -> Statement,
) -> Result<MySqlQueryResult, StoreError> {
    tried(pool, statement, true).await
}

async fn tried(
    pool: &MySqlPool,
    statement: impl Fn(Engine) -> Statement,
    mut again: bool,
) -> Result<MySqlQueryResult, StoreError> {
    let mut tries = 1;
    loop {
        let mut lease = pool.get().await?;
        let statement = statement(lease.server().engine);
        let watch = lease.watch();
        let outcome = watch.over(execute(&mut lease, &statement)).await;
        match outcome {
            Err(error) if again && lease.is_stale(&error) => {
                again = false;
                continue;
            }
            Err(error) if is_deadlock(&error) && tries < TRIES => drop(lease.end::<()>(Err(error))),
            outcome => return lease.end(outcome),
        }
        pause(tries).await;
        tries += 1;
    }
}

/// Whether the server ended the transaction in favour of another.
pub(super) fn is_deadlock(error: &sqlx::Error) -> bool {
    number(error) == Some(1213)
}

/// The number of an error that the server answered with.
pub(super) fn number(error: &sqlx::Error) -> Option<u16> {
    let error = error.as_database_error()?;
    error
        .try_downcast_ref::<MySqlDatabaseError>()
        .map(MySqlDatabaseError::number)
}
