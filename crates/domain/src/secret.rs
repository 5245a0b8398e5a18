//! A text that must not be printed: passwords, keys, refresh tokens, API keys.

use std::fmt;

/// A secret in clear text, on its way in or (once) out. Printing it shows `***`.
///
/// ```
/// use tidegate_domain::secret::Secret;
///
/// let pepper = Secret::new("sea salt");
/// assert_eq!(format!("{pepper} {pepper:?}"), "*** ***");
/// assert_eq!(pepper.reveal(), "sea salt");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a clear text.
    pub fn new(clear: impl Into<String>) -> Self {
        Self(clear.into())
    }

    /// The clear text. Call it only where the secret is checked, hashed or handed over.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
