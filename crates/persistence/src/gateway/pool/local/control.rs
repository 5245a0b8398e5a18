//! For how long the statement of a connection may run.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often a read that is made at once may ask: it has then taken a few milliseconds.
const QUESTIONS: u32 = 60;
/// How long it may take, however few and long its steps are.
const AT_ONCE: Duration = Duration::from_millis(8);

/// Whether the statement of a connection may go on. The engine asks now and then.
#[derive(Default)]
pub(crate) struct Control(Mutex<Allowed>);

#[derive(Default)]
struct Allowed {
    /// Whose statement it is.
    turn: u64,
    until: Option<Instant>,
    questions: Option<u32>,
    stopped: bool,
    /// Whether it was ended for one of these.
    ended: bool,
}

impl Control {
    fn state(&self) -> MutexGuard<'_, Allowed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn allows(&self) -> bool {
        let mut state = self.state();
        let few = state.questions.as_mut().is_none_or(|left| {
            *left = left.saturating_sub(1);
            *left > 0
        });
        let on = few && !state.stopped && state.until.is_none_or(|until| Instant::now() <= until);
        state.ended |= !on;
        on
    }

    pub(super) fn briefly(&self) {
        let mut state = self.state();
        state.turn += 1;
        state.questions = Some(QUESTIONS);
        state.until = Instant::now().checked_add(AT_ONCE);
    }

    /// The next statements may take so long.
    pub(crate) fn limit(&self, limit: Option<Duration>) -> u64 {
        let mut state = self.state();
        state.turn += 1;
        state.until = limit.and_then(|limit| Instant::now().checked_add(limit));
        state.turn
    }

    /// Statements may take as long as they like; whether one before was ended because it took
    /// longer than it might.
    pub(crate) fn free(&self) -> bool {
        let mut state = self.state();
        let turn = state.turn + 1;
        let before = std::mem::take(&mut *state);
        state.turn = turn;
        before.ended
    }

    /// The statements of this turn may go on for as long as they like.
    pub(crate) fn go_on(&self) {
        self.state().until = None;
    }

    /// Nobody waits any more for what runs in this turn.
    pub(super) fn stop(&self, turn: u64) {
        let mut state = self.state();
        state.stopped |= state.turn == turn;
    }
}
