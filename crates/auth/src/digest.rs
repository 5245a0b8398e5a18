//! Digests under which refresh tokens and API keys are stored. The secrets are random and
//! long, so a fast digest is enough; its key makes a stolen table useless by itself.

use subtle::ConstantTimeEq;
use tidegate_domain::account::SecretDigest;
use tidegate_domain::secret::Secret;

use crate::key::{Key, hex};

/// HMAC-SHA256 in hexadecimal, under a key derived from the pepper.
#[derive(Clone)]
pub struct KeyedDigest {
    key: Key,
}

impl KeyedDigest {
    /// With the server's pepper.
    pub fn new(pepper: &Secret) -> Self {
        Self {
            key: Key::derive(pepper.reveal().as_bytes(), "tidegate/digest/1"),
        }
    }
}

impl SecretDigest for KeyedDigest {
    fn digest(&self, secret: &Secret) -> String {
        hex(&self.key.mac(secret.reveal().as_bytes()))
    }

    fn matches(&self, secret: &Secret, digest: &str) -> bool {
        self.digest(secret)
            .as_bytes()
            .ct_eq(digest.as_bytes())
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_depends_on_the_secret_and_the_pepper_and_hides_both() {
        let digest = KeyedDigest::new(&Secret::new("pepper"));
        let stored = digest.digest(&Secret::new("token"));
        assert_eq!(stored.len(), 64);
        assert!(stored.chars().all(|c| c.is_ascii_hexdigit()) && !stored.contains("token"));
        assert!(digest.matches(&Secret::new("token"), &stored));
        for other in ["Token", "token ", ""] {
            assert!(!digest.matches(&Secret::new(other), &stored), "{other}");
        }
        assert!(!digest.matches(&Secret::new("token"), &stored[..63]));
        assert!(!digest.matches(&Secret::new("token"), &stored.to_uppercase()));
        assert!(!KeyedDigest::new(&Secret::new("other")).matches(&Secret::new("token"), &stored));
    }
}
