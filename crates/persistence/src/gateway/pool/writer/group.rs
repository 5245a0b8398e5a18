//! Writes that share a transaction. Each is a savepoint in it, so that one that fails leaves
//! nothing behind.
//!
//! Nobody is answered before the outcome of all is known, not even who was refused: that may be
//! because of a row that is undone in the end.

use std::time::{Duration, Instant};

use rusqlite::ErrorCode;

use super::super::local::{Local, word};
use super::job::{Job, Pace};
use crate::error::local::{code, repeated};
use crate::error::store_error;

/// How long a transaction may take before it is committed, though others wait to share it.
const LONGEST: Duration = Duration::from_millis(10);
/// How long one write may keep others from their commit. One that needs longer is undone, and
/// done again in a transaction of its own.
const SHARED: Duration = Duration::from_millis(50);

pub(super) struct Group<'l> {
    local: &'l mut Local,
    /// Those that were carried out and are not answered yet, in their order.
    open: Vec<Open>,
    since: Instant,
}

struct Open {
    job: Box<dyn Job>,
    /// Whether what it did is still there.
    kept: bool,
}

impl<'l> Group<'l> {
    pub(super) fn new(local: &'l mut Local) -> Self {
        Self {
            local,
            open: Vec::new(),
            since: Instant::now(),
        }
    }

    pub(super) fn run(mut self, jobs: Vec<Box<dyn Job>>) {
        let single = jobs.len() == 1;
        for mut job in jobs {
            if !job.begin() {
                continue;
            }
            if single || job.kind().pace != Pace::Quick {
                self.commit();
                self.alone(job);
                continue;
            }
            if let Err(error) = self.transaction() {
                job.answer(Some(&|| store_error(repeated(&error))));
                continue;
            }
            let kept = self.share(&mut job);
            self.open.push(Open {
                job,
                kept: kept == Some(true),
            });
            if kept.is_none() {
                self.again();
            } else if self.since.elapsed() > LONGEST {
                self.commit();
            }
        }
        self.commit();
    }

    /// Begins a transaction where there is none.
    fn transaction(&mut self) -> Result<(), sqlx::Error> {
        if self.local.connection.is_autocommit() {
            word(&self.local.connection, "BEGIN IMMEDIATE")?;
            self.since = Instant::now();
        }
        Ok(())
    }

    /// Runs one of several; whether what it did is kept. `None` where the transaction is good for
    /// nothing any more, because it is undone, or something may be left in it that should not.
    fn share(&mut self, job: &mut Box<dyn Job>) -> Option<bool> {
        let point = |local: &Local, sql: &str| {
            let prepared = local.connection.prepare_cached(sql);
            prepared.and_then(|mut it| it.raw_execute()).is_ok()
        };
        if !point(self.local, "SAVEPOINT job") {
            return None;
        }
        if self.open.is_empty() {
            self.local.limited();
        } else {
            self.local.limited_to(SHARED);
        }
        let kept = job.run(self.local) && !job.kind().undo;
        let ended = self.local.control.free();
        let whole = !ended
            && !self.local.connection.is_autocommit()
            && (kept || point(self.local, "ROLLBACK TO job"))
            && point(self.local, "RELEASE job");
        whole.then_some(kept)
    }

    /// Makes durable what is open, and answers.
    fn commit(&mut self) {
        if !self.open.iter().any(|open| open.kept) {
            // Of a transaction that did nothing there is nothing to keep.
            self.local.clear();
            return self.answer(None);
        }
        let Err(error) = word(&self.local.connection, "COMMIT") else {
            return self.answer(None);
        };
        self.local.clear();
        if self.open.len() > 1 && code(&error) == Some(ErrorCode::ConstraintViolation) {
            // Constraints that are checked at the end: one of them breaks one.
            return self.again();
        }
        self.answer(Some(&error));
    }

    fn answer(&mut self, failed: Option<&sqlx::Error>) {
        for Open { job, .. } in self.open.drain(..) {
            match failed {
                None => job.answer(None),
                Some(error) => job.answer(Some(&|| store_error(repeated(error)))),
            }
        }
    }

    /// Undoes all that is open, and does each once more, by itself.
    fn again(&mut self) {
        self.local.clear();
        for Open { job, .. } in std::mem::take(&mut self.open) {
            self.alone(job);
        }
    }

    /// Does one in a transaction of its own.
    fn alone(&mut self, mut job: Box<dyn Job>) {
        let local = &mut *self.local;
        if let Err(error) = word(&local.connection, "BEGIN IMMEDIATE") {
            return job.answer(Some(&|| store_error(repeated(&error))));
        }
        let kind = job.kind();
        // How long it may take at a time, work that waits for a client says itself.
        if kind.pace != Pace::Stream {
            local.limited();
        }
        let kept = job.run(local) && !kind.undo;
        local.control.free();
        let committed = if kept {
            word(&local.connection, "COMMIT")
        } else {
            Ok(())
        };
        local.clear();
        match committed {
            Ok(()) => job.answer(None),
            Err(error) => job.answer(Some(&|| store_error(repeated(&error)))),
        }
    }
}
