//! Passwords: bcrypt over a keyed digest. The digest makes every password 44 characters,
//! so that bcrypt's limit of 72 bytes cannot cut one, and needs the pepper, so that a
//! stolen table alone cannot be searched.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tidegate_domain::account::{PasswordHash, PasswordHasher};
use tidegate_domain::error::StoreError;
use tidegate_domain::request::Current;
use tidegate_domain::secret::Secret;
use tokio::sync::Semaphore;
use tracing::Span;

use crate::key::Key;

/// What an unknown account is compared with: the right form and an all-zero hash, which
/// no password can be expected to have.
const DUMMY_SALT_AND_HASH: &str = ".....................................................";

/// Hashes on the blocking threads, a bounded number at a time.
#[derive(Clone)]
pub struct BcryptHasher {
    key: Key,
    cost: u32,
    slots: Arc<Semaphore>,
    dummy: PasswordHash,
}

impl BcryptHasher {
    /// With the server's pepper and bcrypt's cost (the logarithm of the rounds, 4 to 31;
    /// 10 or more outside tests; outside 4 to 31 the nearest is taken). `parallel` is how
    /// many may run at once; others wait.
    pub fn new(pepper: &Secret, cost: u32, parallel: usize) -> Self {
        let cost = cost.clamp(4, 31);
        Self {
            key: Key::derive(pepper.reveal().as_bytes(), "tidegate/password/1"),
            cost,
            slots: Arc::new(Semaphore::new(parallel.clamp(1, Semaphore::MAX_PERMITS))),
            dummy: PasswordHash(format!("$2b${cost:02}${DUMMY_SALT_AND_HASH}")),
        }
    }

    fn prepared(&self, password: &Secret) -> String {
        STANDARD.encode(self.key.mac(password.reveal().as_bytes()))
    }

    /// Runs slow work off the asynchronous threads, logged under the present span and request.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> bcrypt::BcryptResult<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let internal =
            |error: Box<dyn std::error::Error + Send + Sync>| StoreError::Internal(error);
        let slot = Arc::clone(&self.slots)
            .acquire_owned()
            .await
            .map_err(|error| internal(error.into()))?;
        let (span, request) = (Span::current(), Current::here());
        let task = tokio::task::spawn_blocking(move || {
            // Moved in: a caller that goes away does not free the slot of running work.
            let _slot = slot;
            request.in_scope(|| span.in_scope(work))
        });
        match task.await {
            Ok(result) => result.map_err(|error| internal(error.into())),
            Err(error) => Err(internal(error.into())),
        }
    }
}

#[async_trait]
impl PasswordHasher for BcryptHasher {
    async fn hash(&self, password: &Secret) -> Result<PasswordHash, StoreError> {
        let (prepared, cost) = (self.prepared(password), self.cost);
        self.run(move || bcrypt::non_truncating_hash(prepared, cost))
            .await
            .map(PasswordHash)
    }

    async fn verify<'a>(
        &self,
        password: &Secret,
        hash: Option<&'a PasswordHash>,
    ) -> Result<bool, StoreError> {
        let known = hash.is_some();
        let PasswordHash(hash) = hash.unwrap_or(&self.dummy).clone();
        let prepared = self.prepared(password);
        let equal = self
            .run(move || bcrypt::non_truncating_verify(prepared, &hash))
            .await?;
        Ok(known && equal)
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    fn hasher() -> BcryptHasher {
        BcryptHasher::new(&Secret::new("pepper"), 4, 2)
    }

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let hasher = hasher();
        let password = Secret::new("correct horse");
        let hash = hasher.hash(&password).await.unwrap();
        assert!(hash.0.starts_with("$2b$04$"));
        assert_ne!(hasher.hash(&password).await.unwrap(), hash, "salted");
        assert!(hasher.verify(&password, Some(&hash)).await.unwrap());
        assert!(
            !hasher
                .verify(&Secret::new("correct horsE"), Some(&hash))
                .await
                .unwrap()
        );
        assert!(!hasher.verify(&password, None).await.unwrap());
        let stranger = BcryptHasher::new(&Secret::new("another pepper"), 4, 2);
        assert!(
            !stranger.verify(&password, Some(&hash)).await.unwrap(),
            "useless without the pepper"
        );
        assert!(
            hasher
                .verify(&password, Some(&PasswordHash("nonsense".into())))
                .await
                .is_err()
        );
    }

    #[tokio::test]
    async fn characters_behind_the_72nd_byte_count() {
        let hasher = hasher();
        let long = "x".repeat(127);
        let hash = hasher.hash(&Secret::new(format!("{long}a"))).await.unwrap();
        assert!(
            hasher
                .verify(&Secret::new(format!("{long}a")), Some(&hash))
                .await
                .unwrap()
        );
        assert!(
            !hasher
                .verify(&Secret::new(format!("{long}b")), Some(&hash))
                .await
                .unwrap()
        );
        let wide = "😀".repeat(128);
        let hash = hasher.hash(&Secret::new(wide.as_str())).await.unwrap();
        assert!(
            hasher
                .verify(&Secret::new(wide), Some(&hash))
                .await
                .unwrap()
        );
    }

    #[test]
    fn the_dummy_is_a_hash_of_the_same_cost() {
        for cost in [4, 10, 12] {
            let hasher = BcryptHasher::new(&Secret::new("pepper"), cost, 1);
            assert_eq!(
                bcrypt::HashParts::from_str(&hasher.dummy.0)
                    .unwrap()
                    .get_cost(),
                cost
            );
            assert_eq!(hasher.dummy.0.len(), 60);
        }
        assert_eq!(BcryptHasher::new(&Secret::new("p"), 0, 0).cost, 4);
    }

    #[tokio::test]
    async fn work_beyond_the_bound_waits() {
        let hasher = BcryptHasher::new(&Secret::new("pepper"), 4, 1);
        let slot = hasher.slots.clone().acquire_owned().await.unwrap();
        let mut waiting = tokio::spawn({
            let hasher = hasher.clone();
            async move { hasher.hash(&Secret::new("x")).await }
        });
        let patience = std::time::Duration::from_millis(50);
        assert!(tokio::time::timeout(patience, &mut waiting).await.is_err());
        drop(slot);
        waiting.await.unwrap().unwrap();
    }
}
