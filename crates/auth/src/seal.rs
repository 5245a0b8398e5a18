//! Secrets encrypted for storage with XChaCha20-Poly1305, whose nonces are long enough to be
//! drawn at random without counting (draft-irtf-cfrg-xchacha-03).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use tidegate_domain::error::StoreError;
use tidegate_domain::secret::Secret;
use tidegate_domain::webhook::seal::SecretSealer;

use crate::key;
use crate::system::SystemRandom;

/// What a sealed text begins with; another cipher or key gets another number.
const VERSION: &str = "v1.";
const NONCE: usize = 24;

/// Seals secrets under a key derived from the pepper: `v1.` and, in Base64url, the nonce and
/// what the cipher gave.
#[derive(Clone)]
pub struct XChaChaSealer {
    cipher: XChaCha20Poly1305,
    /// Sealed texts of one purpose do not open for another.
    purpose: &'static str,
}

impl XChaChaSealer {
    /// For the secrets of webhooks, with the server's pepper.
    pub fn for_webhooks(pepper: &Secret) -> Self {
        Self::new(pepper, "tidegate/webhook-secret/1")
    }

    fn new(pepper: &Secret, purpose: &'static str) -> Self {
        let key = key::expand(pepper.reveal().as_bytes(), b"tidegate/seal/1");
        Self {
            cipher: XChaCha20Poly1305::new(&key.into()),
            purpose,
        }
    }

    fn payload<'a>(&self, msg: &'a [u8]) -> Payload<'a, 'static> {
        let aad = self.purpose.as_bytes();
        Payload { msg, aad }
    }
}

impl SecretSealer for XChaChaSealer {
    fn seal(&self, secret: &Secret) -> Result<String, StoreError> {
        let mut nonce = [0; NONCE];
        SystemRandom::try_fill(&mut nonce).map_err(|error| StoreError::Internal(error.into()))?;
        let sealed = self
            .cipher
            .encrypt(
                &XNonce::from(nonce),
                self.payload(secret.reveal().as_bytes()),
            )
            .map_err(|_| StoreError::Internal("a secret is too long to be sealed".into()))?;
        let text = URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat());
        Ok(format!("{VERSION}{text}"))
    }

    fn open(&self, sealed: &str) -> Result<Secret, StoreError> {
        let open = || {
            let sealed = URL_SAFE_NO_PAD.decode(sealed.strip_prefix(VERSION)?).ok()?;
            let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
            let clear = self
                .cipher
                .decrypt(&XNonce::from(*nonce), self.payload(sealed));
            String::from_utf8(clear.ok()?).ok()
        };
        // Which step failed is not told: it is the same to whoever reads the log.
        open().map(Secret::new).ok_or_else(|| {
            StoreError::Internal("a sealed secret does not open with this key".into())
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sealer(pepper: &str) -> XChaChaSealer {
        XChaChaSealer::for_webhooks(&Secret::new(pepper))
    }

    #[test]
    fn a_secret_comes_back_and_is_not_seen_in_between() {
        let sealer = sealer("pepper");
        for clear in [
            "",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "ключ\0\n",
            &"x".repeat(10_000),
        ] {
            let secret = Secret::new(clear);
            let sealed = sealer.seal(&secret).unwrap();
            assert!(sealed.starts_with("v1.") && sealed.bytes().all(|b| b.is_ascii_graphic()));
            assert!(clear.is_empty() || !sealed.contains(clear));
            assert!(sealed.len() <= clear.len() * 4 / 3 + 60, "as the port says");
            assert!(sealer.open(&sealed).unwrap() == secret);
            assert_ne!(sealer.seal(&secret).unwrap(), sealed, "another nonce");
        }
    }

    #[test]
    fn a_text_sealed_by_version_1_opens_for_ever() {
        // Made by another implementation, PyCryptodome's.
        let sealed = "v1.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXTcz8Ym0lhO52vBPE0GAXdVdtxCWEvyoUb14";
        assert_eq!(
            sealer("pepper").open(sealed).unwrap().reveal(),
            "whsec_test"
        );
    }

    #[test]
    fn every_altered_or_missing_character_is_noticed() {
        let sealer = sealer("pepper");
        let sealed = sealer.seal(&Secret::new("secret")).unwrap();
        for at in 0..sealed.len() {
            assert!(sealer.open(&sealed[..at]).is_err(), "{at}");
            for other in ['A', 'B', '-', '.', '=', ' '] {
                let mut altered = sealed.clone();
                altered.replace_range(at..=at, &other.to_string());
                assert!(
                    altered == sealed || sealer.open(&altered).is_err(),
                    "{altered}"
                );
            }
        }
        assert!(sealer.open(&format!("{sealed}A")).is_err());
    }

    #[test]
    fn other_keys_and_purposes_do_not_open() {
        let pepper = Secret::new("pepper");
        let sealed = sealer("pepper").seal(&Secret::new("secret")).unwrap();
        assert!(sealer("other").open(&sealed).is_err());
        let other = XChaChaSealer::new(&pepper, "tidegate/other/1");
        let error = other.open(&sealed).unwrap_err();
        assert!(!format!("{error:?} {error}").contains("secret\""));
        assert!(
            other
                .open(&other.seal(&Secret::new("secret")).unwrap())
                .is_ok()
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>(), base64 in "v1\\.[A-Za-z0-9_-]{0,90}") {
            let sealer = sealer("pepper");
            prop_assert!(sealer.open(&text).is_err());
            prop_assert!(sealer.open(&base64).is_err());
        }
    }
}
