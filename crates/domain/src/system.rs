//! Ports for the clock and for randomness, so that tests can fix both.

use chrono::{DateTime, Utc};

/// The wall clock. The domain and the application never read another.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
pub trait Clock: Send + Sync {
    /// The present time, UTC.
    fn now(&self) -> DateTime<Utc>;
}

/// What the running program logs.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
pub trait LogLevel: Send + Sync {
    /// The level, or the list of directives; `None` where the program keeps no log of its own.
    fn get(&self) -> Option<String>;
    /// Changes it, until the program ends; false where it keeps no log of its own.
    ///
    /// # Errors
    /// What is wrong with the text.
    fn set(&self, level: &str) -> Result<bool, String>;
}

/// A cryptographically strong source of randomness.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
pub trait Randomness: Send + Sync {
    /// `length` ASCII letters and digits, evenly drawn (5.95 bits each).
    fn alphanumeric(&self, length: usize) -> String;
    /// A random UUID (RFC 9562 version 4), 36 characters in lower case.
    fn uuid(&self) -> String;
}
