//! Tokens that were verified before: their claims by a digest of the whole token.
//!
//! A signature that was right once stays right, since the keys are those of the process. What
//! changes with time is not kept: whoever takes claims from here still compares their times.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use sha2::{Digest as _, Sha256};
use tidegate_domain::session::AccessClaims;

/// How many tokens are kept. Those of one generation are forgotten together, so there are twice
/// as many at times.
const KEPT: usize = 4096;

/// A digest of all bytes of a token, its signature among them.
type Key = [u8; 32];

/// What a token said when its signature was verified.
#[derive(Debug)]
pub(super) struct Verified {
    /// What it stands for.
    pub(super) claims: AccessClaims,
    /// `nbf`, in seconds.
    pub(super) not_before: Option<i64>,
}

/// The tokens that were seen of late. The tokens themselves are not kept.
#[derive(Default)]
pub(super) struct KnownTokens(RwLock<Generations>);

#[derive(Default)]
struct Generations {
    young: HashMap<Key, Arc<Verified>>,
    old: HashMap<Key, Arc<Verified>>,
}

impl KnownTokens {
    /// Under which a token is found.
    pub(super) fn key(token: &str) -> Key {
        Sha256::digest(token).into()
    }

    /// What was kept of a token.
    pub(super) fn get(&self, key: &Key) -> Option<Arc<Verified>> {
        let generations = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = generations.young.get(key) {
            return Some(Arc::clone(known));
        }
        let known = Arc::clone(generations.old.get(key)?);
        drop(generations);
        // Still in use, so it is to outlive its generation.
        self.keep(*key, Arc::clone(&known));
        Some(known)
    }

    /// Keeps what a token said. Only for tokens whose signature was verified.
    pub(super) fn keep(&self, key: Key, verified: Arc<Verified>) {
        let mut generations = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if generations.young.len() >= KEPT {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations.young.insert(key, verified);
    }

    /// How many are kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let generations = self.0.read().unwrap();
        generations.young.len() + generations.old.len()
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use tidegate_domain::account::{Role, UserId, Username};
    use tidegate_domain::session::SessionId;

    use super::*;

    #[test]
    fn memory_is_bounded_and_what_is_in_use_stays() {
        let verified = Arc::new(Verified {
            claims: AccessClaims {
                user: UserId(7),
                username: Username::parse("Ann").unwrap(),
                role: Role::User,
                session: SessionId(9),
                issued_at: DateTime::UNIX_EPOCH,
                expires_at: DateTime::UNIX_EPOCH,
                token_id: String::new(),
            },
            not_before: None,
        });
        let known = KnownTokens::default();
        let (used, unused) = (KnownTokens::key("used"), KnownTokens::key("unused"));
        known.keep(used, Arc::clone(&verified));
        known.keep(unused, Arc::clone(&verified));
        for number in 0..3 * KEPT {
            known.keep(KnownTokens::key(&number.to_string()), Arc::clone(&verified));
            assert!(known.get(&used).is_some(), "{number}");
            assert!(known.len() <= 2 * KEPT, "{number}");
        }
        assert!(known.get(&unused).is_none());
    }
}
