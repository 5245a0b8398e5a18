//! Connections that stay on the thread whose runtime drives them.
//!
//! A socket is watched by the runtime on which it was opened. If another thread waits for an
//! answer on it, each answer wakes two threads. So a connection has a home: the thread of the
//! server that opened it, or the shared runtime for everything that runs there. It is lent at
//! home only, so that a thread that ends takes no connection away from another. Where there are
//! few connections for so many homes, all are of the shared runtime (`Home::here`).
//!
//! The number of connections is bounded for all homes together. Who finds none at home, and may
//! not open one more, waits in the queue of the home; where others have connections to spare,
//! one of theirs is closed, and one is opened here instead.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::home::HomeId;
use crate::measure::PoolStatus;

/// How long somebody waits for a connection of the own home while others have idle ones.
const PATIENCE: Duration = Duration::from_millis(5);

/// How much longer than at one home people may wait at another before it gets a connection of
/// the first.
const UNFAIR: Duration = Duration::from_millis(100);

/// The connections of all homes.
pub(super) struct Homes<T>(Arc<Inner<T>>);

struct Inner<T> {
    most: usize,
    state: Mutex<State<T>>,
}

struct State<T> {
    places: HashMap<HomeId, Place<T>>,
    /// Connections of all homes, those on loan and those being opened among them.
    open: usize,
    closed: bool,
}

/// What belongs to one home.
struct Place<T> {
    /// The one used last is at the end.
    idle: Vec<(T, Instant)>,
    open: usize,
    waiting: VecDeque<Waiting<T>>,
}

struct Waiting<T> {
    since: Instant,
    turn: oneshot::Sender<Turn<T>>,
}

/// What somebody gets who wants a connection.
pub(super) enum Turn<T> {
    /// One that has been idle since then.
    Idle(T, Instant, Slot<T>),
    /// The right to open one.
    Open(Slot<T>),
}

/// The pool was closed.
#[derive(Debug)]
pub(super) struct Closed;

/// A connection's place in the number of all. Dropped, it is free for another.
pub(super) struct Slot<T> {
    /// Empty once the connection is idle.
    homes: Option<Homes<T>>,
    home: HomeId,
}

impl<T> Clone for Homes<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Homes<T> {
    /// No connection yet, and never more than `most`.
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Inner {
            most: most.max(1),
            state: Mutex::new(State {
                places: HashMap::new(),
                open: 0,
                closed: false,
            }),
        }))
    }

    /// How many connections there are at most.
    pub(super) fn most(&self) -> usize {
        self.0.most
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, home: HomeId) -> Slot<T> {
        Slot {
            homes: Some(self.clone()),
            home,
        }
    }

    /// The connection of this home that was used last, or the right to open one, as soon as
    /// there is either.
    pub(super) async fn take(&self, home: HomeId) -> Result<Turn<T>, Closed> {
        let mut turn = {
            let mut state = self.state();
            if state.closed {
                return Err(Closed);
            }
            let place = state.place(home);
            // Nobody overtakes those who wait.
            if place.first().is_none() {
                if let Some((connection, since)) = place.idle.pop() {
                    drop(state);
                    return Ok(Turn::Idle(connection, since, self.slot(home)));
                }
                let lacking = place.open == 0;
                if (lacking || state.open < self.0.most)
                    && let Some(closing) = state.room(home, self.0.most)
                {
                    drop(state);
                    drop(closing);
                    return Ok(Turn::Open(self.slot(home)));
                }
            }
            let (sender, receiver) = oneshot::channel();
            state.place(home).waiting.push_back(Waiting {
                since: Instant::now(),
                turn: sender,
            });
            receiver
        };
        if let Ok(turn) = timeout(PATIENCE, &mut turn).await {
            return turn.map_err(|_| Closed);
        }
        {
            let mut state = self.state();
            // Turns are given under the lock: what is not there now does not come meanwhile.
            if let Ok(turn) = turn.try_recv() {
                return Ok(turn);
            }
            if !state.closed
                && let Some(closing) = state.room(home, self.0.most)
            {
                turn.close();
                drop(state);
                drop(closing);
                return Ok(Turn::Open(self.slot(home)));
            }
        }
        turn.await.map_err(|_| Closed)
    }

    /// Closes what is idle.
    pub(super) fn forget_idle(&self) {
        let mut forgotten = Vec::new();
        let mut state = self.state();
        for place in state.places.values_mut() {
            place.open = place.open.saturating_sub(place.idle.len());
            forgotten.append(&mut place.idle);
        }
        state.open = state.open.saturating_sub(forgotten.len());
        self.serve(&mut state);
        drop(state);
        drop(forgotten);
    }

    /// Closes what is idle, and all else as it comes back.
    pub(super) fn close(&self) {
        {
            let mut state = self.state();
            state.closed = true;
            for place in state.places.values_mut() {
                place.waiting.clear();
            }
        }
        self.forget_idle();
    }

    /// How many connections there are.
    pub(super) fn status(&self) -> PoolStatus {
        let state = self.state();
        let waiting = |place: &Place<T>| {
            let waiting = place.waiting.iter();
            waiting.filter(|it| !it.turn.is_closed()).count()
        };
        PoolStatus {
            connections: state.open,
            idle: state.places.values().map(|place| place.idle.len()).sum(),
            max: self.0.most,
            waiters: Some(state.places.values().map(waiting).sum()),
        }
    }

    /// A connection comes back to its home.
    fn put_back(&self, home: HomeId, connection: T) {
        let mut state = self.state();
        if state.closed {
            state.gone(home);
            drop(state);
            drop(connection);
            return;
        }
        let now = Instant::now();
        let mut turn = Turn::Idle(connection, now, self.slot(home));
        loop {
            let to = state.next_after(home, now);
            let Some((to, waiting)) =
                to.and_then(|to| Some((to, state.place(to).waiting.pop_front()?)))
            else {
                break;
            };
            if to != home {
                // Somebody else's turn: this one is closed, and one opened there.
                state.gone(home);
                state.opened(to);
                let slot = self.slot(to);
                if waiting
                    .turn
                    .send(Turn::Open(slot))
                    .map_err(Turn::defuse)
                    .is_err()
                {
                    state.gone(to);
                    state.opened(home);
                    continue;
                }
                drop(state);
                turn.defuse();
                return;
            }
            match waiting.turn.send(turn) {
                Ok(()) => return,
                Err(back) => turn = back,
            }
        }
        if let Turn::Idle(connection, since, mut slot) = turn {
            slot.homes = None;
            state.place(home).idle.push((connection, since));
        }
    }

    /// A connection of this home is gone.
    fn give_up(&self, home: HomeId) {
        let mut state = self.state();
        state.gone(home);
        self.serve(&mut state);
    }

    /// Gives the room that there is to those who wait longest.
    fn serve(&self, state: &mut State<T>) {
        while !state.closed && state.open < self.0.most {
            let to = state.oldest(None);
            let Some((to, waiting)) =
                to.and_then(|to| Some((to, state.place(to).waiting.pop_front()?)))
            else {
                return;
            };
            state.opened(to);
            let turn = Turn::Open(self.slot(to));
            if waiting.turn.send(turn).map_err(Turn::defuse).is_err() {
                state.gone(to);
            }
        }
    }
}

impl<T> Turn<T> {
    /// Gives up the place without saying so: for those who hold the lock and have counted it.
    fn defuse(self) {
        match self {
            Self::Idle(_, _, mut slot) | Self::Open(mut slot) => slot.homes = None,
        }
    }
}

impl<T> State<T> {
    fn place(&mut self, home: HomeId) -> &mut Place<T> {
        self.places.entry(home).or_insert_with(|| Place {
            idle: Vec::new(),
            open: 0,
            waiting: VecDeque::new(),
        })
    }

    fn opened(&mut self, home: HomeId) {
        self.open += 1;
        self.place(home).open += 1;
    }

    fn gone(&mut self, home: HomeId) {
        self.open = self.open.saturating_sub(1);
        let place = self.place(home);
        place.open = place.open.saturating_sub(1);
        // Threads come and go.
        if place.open == 0 && place.waiting.is_empty() {
            self.places.remove(&home);
        }
    }

    /// Room for one more connection of this home, with the idle one of another that has to be
    /// closed for it, if any.
    fn room(&mut self, home: HomeId, most: usize) -> Option<Option<T>> {
        let closing = if self.open < most {
            None
        } else {
            Some(self.spare(home)?)
        };
        self.opened(home);
        Some(closing)
    }

    /// The home whose first waits longest, except one.
    fn oldest(&mut self, except: Option<HomeId>) -> Option<HomeId> {
        let firsts = self.places.iter_mut().filter_map(|(home, place)| {
            let since = place.first()?;
            (Some(*home) != except).then_some((since, *home))
        });
        firsts.min().map(|(_, home)| home)
    }

    /// Who gets the connection that comes back to `home` now.
    fn next_after(&mut self, home: HomeId, now: Instant) -> Option<HomeId> {
        let own = self.place(home).first();
        let Some(other) = self.oldest(Some(home)) else {
            return own.map(|_| home);
        };
        let place = self.place(other);
        let (lacking, since) = (place.open == 0, place.first().unwrap_or(now));
        let turn = match own {
            None => lacking || now.duration_since(since) >= PATIENCE,
            Some(own) => since < own && (lacking || own.duration_since(since) >= UNFAIR),
        };
        if turn { Some(other) } else { own.map(|_| home) }
    }

    /// The idle connection of another home that was unused longest, not counted any more.
    fn spare(&mut self, home: HomeId) -> Option<T> {
        let others = self.places.iter().filter(|(id, _)| **id != home);
        let (_, from) = others
            .filter_map(|(id, place)| Some((place.idle.first()?.1, *id)))
            .min()?;
        let (connection, _) = self.place(from).idle.remove(0);
        self.gone(from);
        Some(connection)
    }
}

impl<T> Place<T> {
    /// Since when the first of those waits who still do.
    fn first(&mut self) -> Option<Instant> {
        while self.waiting.front().is_some_and(|it| it.turn.is_closed()) {
            self.waiting.pop_front();
        }
        self.waiting.front().map(|it| it.since)
    }
}

impl<T> Slot<T> {
    /// Gives the connection back to its home.
    pub(super) fn put_back(mut self, connection: T) {
        if let Some(homes) = self.homes.take() {
            homes.put_back(self.home, connection);
        }
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        if let Some(homes) = self.homes.take() {
            homes.give_up(self.home);
        }
    }
}

#[cfg(test)]
mod tests;
