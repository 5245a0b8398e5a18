//! How long to wait: for a server that is away, and before an event that failed comes again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

/// The longest delay of an event, in seconds.
const LONGEST_DELAY: u32 = 3600;

/// Waiting times that double.
#[derive(Debug)]
pub(super) struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Backoff {
    /// How long to wait before the next attempt. The server may ask for more.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let wait = self.0;
        self.0 = (wait * 2).min(LONGEST);
        wait.max(asked.unwrap_or_default())
    }
}

/// The seconds after which an event comes again that was handed out `delivery` times.
pub(super) fn retry_delay(first: u32, delivery: u32) -> u32 {
    let times = delivery.saturating_sub(1).min(LONGEST_DELAY.ilog2() + 1);
    first.saturating_mul(1 << times).min(LONGEST_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_doubles_up_to_half_a_minute() {
        let mut backoff = Backoff::default();
        let waits: Vec<u64> = (0..9)
            .map(|_| u64::try_from(backoff.next(None).as_millis()).unwrap())
            .collect();
        assert_eq!(
            waits,
            [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]
        );
    }

    #[test]
    fn a_server_may_ask_for_more_and_not_for_less() {
        let mut backoff = Backoff::default();
        let minute = Duration::from_secs(60);
        assert_eq!(backoff.next(Some(minute)), minute);
        assert_eq!(backoff.next(Some(Duration::ZERO)), FIRST * 2);
    }

    #[test]
    fn the_delay_of_an_event_doubles_up_to_an_hour() {
        for (first, delivery, seconds) in [
            (10, 0, 10),
            (10, 1, 10),
            (10, 2, 20),
            (10, 9, 2560),
            (10, 10, 3600),
            (1, 13, 3600),
            (10, u32::MAX, 3600),
            (3600, 1000, 3600),
            (0, 7, 0),
        ] {
            assert_eq!(retry_delay(first, delivery), seconds, "{first} {delivery}");
        }
    }
}
