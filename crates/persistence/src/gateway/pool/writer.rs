//! The one connection that writes rows to a file, and who gets it next.
//!
//! What waits to be written is done one after the other, and answered when that is durable. What
//! is short shares a transaction: one commit for all that came while the last one was made. What
//! may be long, and what writes for as long as a client sends, has a transaction of its own.

mod group;
mod job;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as Turn, OwnedMutexGuard, OwnedRwLockReadGuard};
use tokio::task::spawn_blocking;

use super::super::rows::batch::Fault;
use super::local::{Local, Opening};
use crate::error::local::repeated;
use crate::error::store_error;
use crate::measure::PoolStatus;
use group::Group;
use job::{Job, job};
pub(crate) use job::{Kind, Pace, Pending};

/// How many writes share a transaction at most.
const TOGETHER: usize = 256;

/// The writer of one file.
pub(super) struct Writer {
    opening: Opening,
    queue: Mutex<Queue>,
    turn: Arc<Turn<Option<Local>>>,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Box<dyn Job>>,
    // Whether a thread is at work on them.
    at_work: bool,
}

impl Writer {
    pub(super) fn new(opening: Opening) -> Self {
        Self {
            opening,
            queue: Mutex::default(),
            turn: Arc::default(),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps everybody else from writing.
    pub(super) async fn exclude(&self) -> OwnedMutexGuard<Option<Local>> {
        Arc::clone(&self.turn).lock_owned().await
    }

    pub(super) fn status(&self) -> PoolStatus {
        let (connections, idle) = match self.turn.try_lock() {
            Ok(local) => (usize::from(local.is_some()), usize::from(local.is_some())),
            Err(_) => (1, 0),
        };
        PoolStatus {
            connections,
            idle,
            max: 1,
            waiters: Some(self.queue().jobs.len()),
        }
    }

    /// Has a write carried out. `work` may be called once more, after what it did was undone.
    pub(super) fn write<T, W>(
        self: &Arc<Self>,
        kind: Kind,
        passage: OwnedRwLockReadGuard<()>,
        patience: Duration,
        work: W,
    ) -> Pending<T>
    where
        T: Send + 'static,
        W: FnMut(&mut Local) -> Result<T, Fault> + Send + 'static,
    {
        let (job, pending) = job(kind, passage, patience, work);
        let mut queue = self.queue();
        queue.jobs.push_back(job);
        let at_work = std::mem::replace(&mut queue.at_work, true);
        drop(queue);
        if !at_work {
            Duty::give(self);
        }
        pending
    }

    /// Carries out whatever waits.
    fn work(&self) {
        loop {
            // Whoever waits for the turn gets it before the next transaction.
            let mut turn = self.turn.blocking_lock();
            let jobs: Vec<_> = {
                let mut queue = self.queue();
                let most = queue.jobs.len().min(TOGETHER);
                queue.jobs.drain(..most).collect()
            };
            if jobs.is_empty() {
                return;
            }
            // Work that breaks off takes the connection with it, and what is open there.
            let mut local = match turn.take().map_or_else(|| Local::open(&self.opening), Ok) {
                Ok(local) => local,
                Err(error) => {
                    for job in jobs {
                        job.answer(Some(&|| store_error(repeated(&error))));
                    }
                    continue;
                }
            };
            Group::new(&mut local).run(jobs);
            if local.clear() {
                *turn = Some(local);
            }
        }
    }
}

/// What a thread has to do that carries out what waits. It ends with the thread's work, also
/// where that breaks off, or is not even begun.
struct Duty {
    writer: Arc<Writer>,
    begun: bool,
}

impl Duty {
    fn give(writer: &Arc<Writer>) {
        let duty = Self {
            writer: Arc::clone(writer),
            begun: false,
        };
        spawn_blocking(move || duty.fulfil());
    }

    fn fulfil(mut self) {
        self.begun = true;
        self.writer.work();
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        let mut left = VecDeque::new();
        let mut queue = self.writer.queue();
        if !self.begun {
            // There are no threads any more. Whoever waits is told that it broke off.
            left = std::mem::take(&mut queue.jobs);
        }
        queue.at_work = !queue.jobs.is_empty();
        let at_work = queue.at_work;
        drop(queue);
        drop(left);
        if at_work {
            Self::give(&self.writer);
        }
    }
}

#[cfg(test)]
mod tests;
