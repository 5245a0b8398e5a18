//! The one home of the system's clock and of its generator of random numbers.

use std::cell::RefCell;

use chrono::{DateTime, Utc};
use rand::TryRng;
use rand::rngs::{SysError, SysRng};
use tidegate_domain::system::{Clock, Randomness};

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the clock's home")]
    fn now(&self) -> DateTime<Utc> {
        // By way of the standard library: chrono is built without its own clock.
        DateTime::from(std::time::SystemTime::now())
    }
}

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

const LETTERS_AND_DIGITS: &[u8; 62] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

impl SystemRandom {
    #[allow(
        clippy::expect_used,
        reason = "a server without randomness must not hand out secrets"
    )]
    fn fill(bytes: &mut [u8]) {
        Self::try_fill(bytes).expect("the operating system has no random numbers");
    }

    /// Fills `bytes`, for whoever can tell that there are no random numbers.
    pub(crate) fn try_fill(bytes: &mut [u8]) -> Result<(), SysError> {
        SysRng.try_fill_bytes(bytes)
    }
}

/// Random bytes that were drawn ahead: the system is asked once for many ids.
struct Drawn {
    ids: [[u8; 16]; 64],
    left: usize,
}

impl Drawn {
    /// Those of the next id; they are wiped here, since each is used once.
    fn uuid(&mut self) -> [u8; 16] {
        if self.left == 0 {
            SystemRandom::fill(self.ids.as_flattened_mut());
            self.left = self.ids.len();
        }
        self.left -= 1;
        std::mem::take(&mut self.ids[self.left])
    }
}

thread_local! {
    static DRAWN: RefCell<Drawn> = const {
        RefCell::new(Drawn { ids: [[0; 16]; 64], left: 0 })
    };
}

impl Randomness for SystemRandom {
    fn alphanumeric(&self, length: usize) -> String {
        // The largest multiple of 62 in a byte: what lies above would favour some letters.
        const LIMIT: u8 = 248;
        let mut text = String::with_capacity(length);
        let mut bytes = [0; 64];
        while text.len() < length {
            Self::fill(&mut bytes);
            let fair = bytes
                .iter()
                .filter(|byte| **byte < LIMIT)
                .take(length - text.len());
            text.extend(fair.map(|byte| char::from(LETTERS_AND_DIGITS[usize::from(byte % 62)])));
        }
        text
    }

    fn uuid(&self) -> String {
        let bytes = DRAWN.with_borrow_mut(Drawn::uuid);
        uuid::Builder::from_random_bytes(bytes)
            .into_uuid()
            .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_texts_have_their_length_and_all_letters() {
        for length in [0, 1, 32, 128, 1000] {
            let text = SystemRandom.alphanumeric(length);
            assert_eq!(text.len(), length);
            assert!(text.chars().all(|c| c.is_ascii_alphanumeric()));
        }
        assert_ne!(SystemRandom.alphanumeric(32), SystemRandom.alphanumeric(32));
        let long = SystemRandom.alphanumeric(62 * 2000);
        for letter in LETTERS_AND_DIGITS {
            let count = long.bytes().filter(|byte| byte == letter).count();
            // Seven standard deviations around the mean of 2000.
            assert!(
                (1690..=2310).contains(&count),
                "{}: {count}",
                char::from(*letter)
            );
        }
    }

    #[test]
    fn uuids_are_of_version_4_and_differ() {
        let text = SystemRandom.uuid();
        let uuid: uuid::Uuid = text.parse().unwrap();
        assert_eq!((uuid.get_version_num(), text.len()), (4, 36));
        // More than are drawn at a time.
        let all: std::collections::HashSet<_> = (0..500).map(|_| SystemRandom.uuid()).collect();
        assert_eq!(all.len(), 500);
        assert!(!all.contains(&text));
    }

    #[test]
    fn the_clock_runs() {
        assert!(SystemClock.now() <= SystemClock.now());
    }
}
