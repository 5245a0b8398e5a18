//! Secrets that must be read again (to verify signatures with) and are therefore stored
//! encrypted, not hashed.

use crate::error::StoreError;
use crate::secret::Secret;

/// Encrypts secrets for storage, under a key of the server's. An adapter authenticates what
/// it encrypts: a text that was altered, or sealed for another purpose or by another key,
/// does not open.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
pub trait SecretSealer: Send + Sync {
    /// The text to store: printable, about a third longer than the secret and 60 characters;
    /// another one each time.
    fn seal(&self, secret: &Secret) -> Result<String, StoreError>;
    /// The secret again. What does not open is `StoreError::Internal`.
    fn open(&self, sealed: &str) -> Result<Secret, StoreError>;
}
