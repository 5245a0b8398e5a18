//! Users that were read a moment ago, so that a client that asks for itself again and again costs
//! no query each time.
//!
//! What this node changes is forgotten at once; where it is not known whether a change was made,
//! since it may still be under way, the user is not kept for as long as [`KEPT_FOR`]. What another
//! node changes shows here after that time: nothing of what a user may do is decided by these.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use tidegate_domain::account::{User, UserId};
use tidegate_domain::system::Clock;

/// How old a user may be that is shown.
const KEPT_FOR: TimeDelta = TimeDelta::seconds(1);

/// How many users are kept.
const CAPACITY: usize = 1024;

/// The users.
#[derive(Default)]
pub(super) struct RecentUsers(Mutex<State>);

#[derive(Default)]
struct State {
    /// Each with its time; nothing where it may be about to change.
    users: HashMap<UserId, (Option<User>, DateTime<Utc>)>,
    /// How many changes there were. A read that began before the last one may be of before it.
    changes: u64,
}

impl State {
    /// Forgets what is too old to be shown, if there is no room.
    fn make_room(&mut self, now: DateTime<Utc>) {
        if self.users.len() >= CAPACITY {
            self.users.retain(|_, (_, since)| *since + KEPT_FOR > now);
        }
    }
}

/// A clock that was set back makes nothing older than it is.
fn is_recent(since: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    (since..since + KEPT_FOR).contains(&now)
}

/// Forgets a user when it is dropped: also when the change failed, or nobody waits for it any
/// more. Then it is not known whether it was made, nor whether it is over.
pub(super) struct Changing<'a> {
    recent: &'a RecentUsers,
    user: UserId,
    clock: &'a dyn Clock,
    done: bool,
}

impl Changing<'_> {
    /// The change was made, and is over.
    pub(super) fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        let mut state = self.recent.state();
        state.changes += 1;
        if self.done {
            state.users.remove(&self.user);
            return;
        }
        let now = self.clock.now();
        state.make_room(now);
        state.users.insert(self.user, (None, now));
    }
}

/// A read that is under way.
pub(super) struct Reading {
    changes: u64,
    since: DateTime<Utc>,
}

impl RecentUsers {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A user that was read a moment before `now`, or what [`Self::keep`] wants of whoever reads
    /// it.
    pub(super) fn find(&self, id: UserId, now: DateTime<Utc>) -> Result<User, Reading> {
        let state = self.state();
        match state.users.get(&id) {
            Some((Some(user), since)) if is_recent(*since, now) => Ok(user.clone()),
            _ => Err(Reading {
                changes: state.changes,
                since: now,
            }),
        }
    }

    /// Keeps a user that was read, unless any user was changed meanwhile.
    pub(super) fn keep(&self, reading: &Reading, user: &User) {
        let mut state = self.state();
        let may_change = match state.users.get(&user.id) {
            Some((None, since)) => is_recent(*since, reading.since),
            _ => false,
        };
        if may_change || state.changes != reading.changes {
            return;
        }
        state.make_room(reading.since);
        if state.users.len() >= CAPACITY {
            state.users.retain(|_, (user, _)| user.is_none());
        }
        if state.users.len() < CAPACITY {
            let kept = (Some(user.clone()), reading.since);
            state.users.insert(user.id, kept);
        }
    }

    /// Says that a user is about to be changed, until the result is done or dropped.
    pub(super) fn changing<'a>(&'a self, user: UserId, clock: &'a dyn Clock) -> Changing<'a> {
        Changing {
            recent: self,
            user,
            clock,
            done: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use tidegate_domain::account::{Role, Username};
    use tidegate_domain::system::MockClock;

    use super::*;

    fn user(id: i64) -> User {
        User {
            id: UserId(id),
            username: Username::parse("someone").unwrap(),
            email: None,
            role: Role::User,
            activated: true,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: None,
        }
    }

    fn clock(milliseconds: i64) -> MockClock {
        let mut clock = MockClock::new();
        clock.expect_now().return_const(at(milliseconds));
        clock
    }

    fn at(milliseconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::milliseconds(milliseconds)
    }

    #[test]
    fn a_user_is_kept_for_a_second() {
        let recent = RecentUsers::default();
        let reading = recent.find(UserId(1), at(5000)).unwrap_err();
        recent.keep(&reading, &user(1));
        assert_eq!(recent.find(UserId(1), at(5999)).ok(), Some(user(1)));
        assert!(recent.find(UserId(2), at(5000)).is_err());
        assert!(recent.find(UserId(1), at(6000)).is_err());
        assert!(recent.find(UserId(1), at(4999)).is_err(), "set back");
    }

    #[test]
    fn what_was_read_before_a_change_is_not_shown_after_it() {
        let recent = RecentUsers::default();
        let read = |id| recent.find(UserId(id), at(0));
        recent.keep(&read(1).unwrap_err(), &user(1));
        let of_before = read(2).unwrap_err();
        recent.changing(UserId(1), &clock(0)).done();
        let Err(of_after) = read(1) else {
            panic!("the user was changed");
        };
        recent.keep(&of_before, &user(1));
        assert!(read(1).is_err());
        recent.keep(&of_after, &user(1));
        assert!(read(1).is_ok());
    }

    #[test]
    fn a_change_that_was_given_up_may_still_be_made() {
        let recent = RecentUsers::default();
        let keep = |id, now| {
            if let Err(reading) = recent.find(UserId(id), at(now)) {
                recent.keep(&reading, &user(id));
            }
            recent.find(UserId(id), at(now)).is_ok()
        };
        assert!(keep(1, 4900));
        drop(recent.changing(UserId(1), &clock(5000)));
        assert!(!keep(1, 5000), "it began before the change is over");
        assert!(!keep(1, 5999));
        assert!(keep(2, 5000), "of the others it is known");
        assert!(keep(1, 6000));
        // What is not known may not fill the memory either.
        for id in 0..5000 {
            drop(recent.changing(UserId(id), &clock(10_000 + id)));
            assert!(recent.state().users.len() <= CAPACITY);
        }
    }

    #[test]
    fn memory_is_bounded() {
        let recent = RecentUsers::default();
        for id in 0..5000 {
            if let Err(reading) = recent.find(UserId(id), at(id)) {
                recent.keep(&reading, &user(id));
            }
            assert!(recent.find(UserId(id), at(id)).is_ok());
            assert!(recent.state().users.len() <= CAPACITY);
        }
    }
}
