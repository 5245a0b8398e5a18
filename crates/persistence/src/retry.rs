//! Doing again what a deadlock undid, which is nobody's fault.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// How often work is done before the client is asked to come back later.
pub(crate) const TRIES: u32 = 8;

/// A moment for the other transaction to end, longer each time and never the same for two
/// that met: `tries` is how often the work was done.
pub(crate) async fn pause(tries: u32) {
    let mean = 5_u64 << tries.min(5);
    // Hash maps have random keys; so much randomness is enough to get out of each other's way.
    let chance = RandomState::new().hash_one(tries);
    tokio::time::sleep(Duration::from_millis(mean / 2 + chance % mean)).await;
}
