//! Sessions that ended, kept in memory, so that an access token is refused soon after its
//! session ended on any node, and no request costs a query.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, TimeDelta, Utc};
use tidegate_domain::error::StoreError;
use tidegate_domain::session::{SessionId, Sessions};
use tidegate_domain::system::Clock;

/// How far the clocks of two nodes may be apart without a session's end being missed.
const CLOCK_DIFFERENCE: TimeDelta = TimeDelta::seconds(60);

/// The sessions that ended while access tokens of theirs may still be in use.
pub struct EndedSessions {
    sessions: Arc<dyn Sessions>,
    clock: Arc<dyn Clock>,
    token_life: TimeDelta,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    /// When each session was heard to have ended.
    ended: HashMap<SessionId, DateTime<Utc>>,
    /// When the last refresh began that succeeded.
    refreshed: Option<DateTime<Utc>>,
}

impl EndedSessions {
    /// An empty list for access tokens that live `token_life`; call [`Self::refresh`] before
    /// the first request and then every second or two.
    pub fn new(sessions: Arc<dyn Sessions>, clock: Arc<dyn Clock>, token_life: TimeDelta) -> Self {
        Self {
            sessions,
            clock,
            token_life,
            state: RwLock::default(),
        }
    }

    /// Whether the session has ended.
    pub fn contains(&self, session: SessionId) -> bool {
        self.state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .ended
            .contains_key(&session)
    }

    /// Notes at once what this node ended itself.
    pub fn add(&self, sessions: &[SessionId]) {
        let now = self.clock.now();
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state
            .ended
            .extend(sessions.iter().map(|session| (*session, now)));
    }

    /// Learns what ended on other nodes, and forgets sessions whose last access token has expired.
    ///
    /// # Errors
    /// When the store cannot be read; what was known stays.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let life = self.token_life + CLOCK_DIFFERENCE;
        let last = self
            .state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .refreshed;
        let since = last.map_or(now - life, |last| last - CLOCK_DIFFERENCE);
        let ended = self.sessions.ended_since(since).await?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        for session in ended {
            state.ended.entry(session).or_insert(now);
        }
        state.ended.retain(|_, heard| *heard + life >= now);
        state.refreshed = Some(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tidegate_domain::session::MockSessions;
    use tidegate_domain::system::MockClock;

    use super::*;

    #[tokio::test]
    async fn learns_of_other_nodes_keeps_its_own_and_forgets_in_time() {
        let now = Arc::new(Mutex::new(DateTime::UNIX_EPOCH + TimeDelta::days(20_000)));
        let mut clock = MockClock::new();
        let reading = Arc::clone(&now);
        clock
            .expect_now()
            .returning(move || *reading.lock().unwrap());
        let mut store = MockSessions::new();
        let mut first = true;
        store.expect_ended_since().returning(move |_| {
            Ok(if std::mem::take(&mut first) {
                vec![SessionId(1)]
            } else {
                vec![]
            })
        });
        let list = EndedSessions::new(Arc::new(store), Arc::new(clock), TimeDelta::minutes(30));

        list.add(&[SessionId(2)]);
        list.refresh().await.unwrap();
        assert!(
            list.contains(SessionId(1))
                && list.contains(SessionId(2))
                && !list.contains(SessionId(3))
        );

        *now.lock().unwrap() += TimeDelta::minutes(32);
        list.refresh().await.unwrap();
        assert!(!list.contains(SessionId(1)) && !list.contains(SessionId(2)));
    }
}
