//! A write on its way through the queue, and whoever waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use tidegate_domain::error::StoreError;
use tidegate_domain::request::Current;
use tokio::sync::{OwnedRwLockReadGuard, oneshot};
use tracing::Span;

use super::super::super::rows::batch::Fault;
use super::super::busy;
use super::super::local::Local;
use crate::error::store_error;
use crate::measure::acquired;

/// How a write is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) pace: Pace,
    /// What it does is undone even when it goes well.
    pub(crate) undo: bool,
}

/// How long a write takes. Whatever it is, it is done as a whole or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Not long, so that it may share a transaction with others.
    Quick,
    /// Perhaps as long as a statement may: it has a transaction of its own.
    Long,
    /// As long as somebody sends; it has one of its own as well.
    Stream,
}

/// Makes the error that whoever is answered gets.
pub(super) type Failure<'a> = &'a dyn Fn() -> StoreError;

const WAITING: u8 = 0;
const BEGUN: u8 = 1;
const GIVEN_UP: u8 = 2;

/// A write in the queue.
pub(super) trait Job: Send {
    fn kind(&self) -> Kind;
    /// Takes it up; false where nobody waits for it any more.
    fn begin(&mut self) -> bool;
    /// Carries it out; whether it went well and is to be kept.
    fn run(&mut self, local: &mut Local) -> bool;
    /// Tells what came of it, or that what came of it could not be kept.
    fn answer(self: Box<Self>, failed: Option<Failure<'_>>);
}

/// A write and a way to hear of it. It keeps the database there for as long.
pub(super) fn job<T, W>(
    kind: Kind,
    passage: OwnedRwLockReadGuard<()>,
    patience: Duration,
    work: W,
) -> (Box<dyn Job>, Pending<T>)
where
    T: Send + 'static,
    W: FnMut(&mut Local) -> Result<T, Fault> + Send + 'static,
{
    let state = Arc::new(AtomicU8::new(WAITING));
    let (answer, outcome) = oneshot::channel();
    let began = Instant::now();
    let task = Task {
        kind,
        work,
        done: None,
        state: Arc::clone(&state),
        answer,
        began,
        span: Span::current(),
        request: Current::here(),
        _passage: passage,
    };
    let pending = Pending {
        outcome,
        state,
        began,
        patience,
    };
    (Box::new(task), pending)
}

struct Task<T, W> {
    kind: Kind,
    work: W,
    done: Option<Result<T, Fault>>,
    state: Arc<AtomicU8>,
    answer: oneshot::Sender<Result<T, StoreError>>,
    began: Instant,
    span: Span,
    request: Current,
    _passage: OwnedRwLockReadGuard<()>,
}

impl<T, W> Job for Task<T, W>
where
    T: Send + 'static,
    W: FnMut(&mut Local) -> Result<T, Fault> + Send + 'static,
{
    fn kind(&self) -> Kind {
        self.kind
    }

    fn begin(&mut self) -> bool {
        let begun = !self.answer.is_closed() && change(&self.state, BEGUN);
        if begun {
            acquired(self.began.elapsed(), true);
        }
        begun
    }

    fn run(&mut self, local: &mut Local) -> bool {
        let Self {
            span,
            request,
            work,
            ..
        } = self;
        let done = request.in_scope(|| span.in_scope(|| work(local)));
        self.done.insert(done).is_ok()
    }

    fn answer(self: Box<Self>, failed: Option<Failure<'_>>) {
        let outcome = match (failed, self.done) {
            (Some(failed), _) => Err(failed()),
            (None, Some(Ok(done))) => Ok(done),
            (None, Some(Err(Fault::Engine(error)))) => Err(store_error(error)),
            (None, Some(Err(Fault::Input(error)))) => Err(error),
            (None, None) => Err(broken_off()),
        };
        // Nobody may be left to be told.
        let _ = self.answer.send(outcome);
    }
}

fn change(state: &AtomicU8, to: u8) -> bool {
    let changed = state.compare_exchange(WAITING, to, Ordering::AcqRel, Ordering::Acquire);
    changed.is_ok()
}

/// A write that was asked for.
pub(crate) struct Pending<T> {
    outcome: oneshot::Receiver<Result<T, StoreError>>,
    state: Arc<AtomicU8>,
    began: Instant,
    patience: Duration,
}

impl<T> Pending<T> {
    /// What came of it.
    ///
    /// # Errors
    /// The work's, those of the commit, and that its turn did not come in time.
    pub(crate) async fn outcome(mut self) -> Result<T, StoreError> {
        let patience = tokio::time::sleep(self.patience);
        let outcome = tokio::select! {
            biased;
            outcome = &mut self.outcome => outcome,
            () = patience => {
                if change(&self.state, GIVEN_UP) {
                    acquired(self.began.elapsed(), false);
                    return Err(busy());
                }
                self.outcome.await
            }
        };
        outcome.unwrap_or_else(|_| Err(broken_off()))
    }
}

fn broken_off() -> StoreError {
    StoreError::Internal("a write broke off".into())
}
