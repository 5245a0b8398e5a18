//! Back-off after failed log-ins, per account and per address, in the memory of this node, which
//! learns of those on other nodes from the audit trail.
//!
//! Three counts are kept: of an address, of an address at one account, and of an account.
//! The last one shuts out only addresses that have failed at this account before, so that
//! nobody can lock another user out from elsewhere.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use tidegate_domain::system::Clock;

/// Failures of one address, whatever the account, before it has to wait.
const PER_ADDRESS: u32 = 15;
/// Failures of one address at one account before it has to wait.
const PER_PAIR: u32 = 10;
/// Failures at one account before every address that failed there has to wait.
const PER_ACCOUNT: u32 = 100;
/// The first wait; each further failure doubles it.
const FIRST_WAIT: TimeDelta = TimeDelta::seconds(30);
/// The longest wait, after which failures are forgotten too.
pub(crate) const LONGEST_WAIT: TimeDelta = TimeDelta::minutes(15);
/// How many counts are kept at most. Beyond that old ones are dropped, or all of them: an
/// attacker with that many addresses must not fill the memory.
const CAPACITY: usize = 100_000;

/// What counts as one client: an address, and of IPv6 the /64 that one subscriber has all
/// addresses of.
pub fn client_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) & (u128::MAX << 64))),
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Address(IpAddr),
    Pair(IpAddr, String),
    Account(String),
}

struct Failures {
    count: u32,
    last: DateTime<Utc>,
}

impl Failures {
    /// Until when to wait, where `allowed` failures cost nothing.
    fn until(&self, allowed: u32) -> Option<DateTime<Utc>> {
        let over = self.count.checked_sub(allowed)?;
        let wait = FIRST_WAIT
            .checked_mul(1_i32 << over.min(10))
            .unwrap_or(LONGEST_WAIT);
        Some(self.last + wait.min(LONGEST_WAIT))
    }
}

/// Counts failed log-ins and says who has to wait.
pub struct LoginBackoff {
    clock: Arc<dyn Clock>,
    enabled: bool,
    failures: Mutex<HashMap<Key, Failures>>,
}

impl LoginBackoff {
    /// A back-off without any failure; one that is not `enabled` lets everyone try.
    pub fn new(clock: Arc<dyn Clock>, enabled: bool) -> Self {
        Self {
            clock,
            enabled,
            failures: Mutex::default(),
        }
    }

    /// How many seconds this address has to wait before it may try this account; `None` to go ahead.
    pub fn wait(&self, account: &str, address: IpAddr) -> Option<u64> {
        if !self.enabled {
            return None;
        }
        let address = client_key(address);
        let now = self.clock.now();
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let until = |key: Key, allowed| {
            failures
                .get(&key)
                .and_then(|failures| failures.until(allowed))
        };
        let pair = Key::Pair(address, account.to_owned());
        let at_account = failures
            .contains_key(&pair)
            .then(|| until(Key::Account(account.to_owned()), PER_ACCOUNT))
            .flatten();
        let until = [
            until(Key::Address(address), PER_ADDRESS),
            until(pair, PER_PAIR),
            at_account,
        ]
        .into_iter()
        .flatten()
        .max()?;
        let left = (until - now).num_milliseconds();
        // Rounded up, so that the moment named is never too early.
        (left > 0).then(|| u64::try_from(left).unwrap_or(0).div_ceil(1000))
    }

    /// Whether anything is counted.
    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Notes a failure.
    pub fn failed(&self, account: &str, address: IpAddr) {
        self.failed_elsewhere(Some(account), address);
    }

    /// Notes a failure of which only the address may be known.
    pub(crate) fn failed_elsewhere(&self, account: Option<&str>, address: IpAddr) {
        if !self.enabled {
            return;
        }
        let address = client_key(address);
        let now = self.clock.now();
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= CAPACITY {
            failures.retain(|_, failures| now - failures.last < LONGEST_WAIT);
            if failures.len() >= CAPACITY {
                failures.clear();
            }
        }
        let of_account = account.into_iter().flat_map(|account| {
            [
                Key::Pair(address, account.to_owned()),
                Key::Account(account.to_owned()),
            ]
        });
        for key in std::iter::once(Key::Address(address)).chain(of_account) {
            let entry = failures.entry(key).or_insert(Failures {
                count: 0,
                last: now,
            });
            if now - entry.last >= LONGEST_WAIT {
                entry.count = 0;
            }
            entry.count = entry.count.saturating_add(1);
            entry.last = now;
        }
    }

    /// Forgets the failures of an address at an account after a success there. Those of the
    /// address and of the account stay: one good password must not wash away the rest.
    pub fn succeeded(&self, account: &str, address: IpAddr) {
        let address = client_key(address);
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.remove(&Key::Pair(address, account.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use tidegate_domain::system::MockClock;

    use super::*;

    fn backoff(now: &Arc<Mutex<DateTime<Utc>>>) -> LoginBackoff {
        let mut clock = MockClock::new();
        let now = Arc::clone(now);
        clock.expect_now().returning(move || *now.lock().unwrap());
        LoginBackoff::new(Arc::new(clock), true)
    }

    fn start() -> Arc<Mutex<DateTime<Utc>>> {
        Arc::new(Mutex::new(DateTime::UNIX_EPOCH))
    }

    const ATTACKER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OWNER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn twenty_failures_shut_the_address_out_and_nobody_else() {
        let now = start();
        let backoff = backoff(&now);
        let refused = (0..20).filter(|_| {
            backoff.failed("ann", ATTACKER);
            backoff.wait("ann", ATTACKER).is_some()
        });
        assert_eq!(refused.count(), 11);
        assert!(backoff.wait("bob", ATTACKER).is_some());
        assert!(backoff.wait("ann", OWNER).is_none());
        *now.lock().unwrap() += LONGEST_WAIT;
        assert!(backoff.wait("ann", ATTACKER).is_none());
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        let key = |text: &str| client_key(text.parse().unwrap()).to_string();
        assert_eq!(key("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("::ffff:192.0.2.1"), "192.0.2.1");
    }

    #[test]
    fn many_addresses_at_one_account_each_get_one_try() {
        let now = start();
        let backoff = backoff(&now);
        for last in 0..=150 {
            backoff.failed("ann", IpAddr::from([198, 51, 100, last]));
        }
        assert!(
            backoff
                .wait("ann", IpAddr::from([198, 51, 100, 7]))
                .is_some()
        );
        assert!(backoff.wait("ann", OWNER).is_none());
    }

    #[test]
    fn waits_double_and_end() {
        let now = start();
        let backoff = backoff(&now);
        for _ in 0..PER_PAIR {
            backoff.failed("ann", ATTACKER);
        }
        assert_eq!(backoff.wait("ann", ATTACKER), Some(30));
        *now.lock().unwrap() += TimeDelta::seconds(31);
        assert_eq!(backoff.wait("ann", ATTACKER), None);
        backoff.failed("ann", ATTACKER);
        assert_eq!(backoff.wait("ann", ATTACKER), Some(60));
    }
}
