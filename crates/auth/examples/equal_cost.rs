//! Prints what a log-in costs for a wrong password and for an unknown account, which must
//! not differ by enough to tell them apart (within 10 %). `make timing` runs it.
#![allow(clippy::print_stdout, reason = "it prints its figures")]

use std::time::{Duration, Instant};

use tidegate_auth::BcryptHasher;
use tidegate_domain::account::PasswordHasher as _;
use tidegate_domain::error::StoreError;
use tidegate_domain::secret::Secret;

/// How many tries of each kind.
const TRIES: u32 = 200;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StoreError> {
    let hasher = BcryptHasher::new(&Secret::new("pepper of a measurement"), 10, 1);
    let hash = hasher.hash(&Secret::new("right")).await?;
    let (mut known, mut unknown) = (Duration::ZERO, Duration::ZERO);
    // In turns, so that a busy machine slows both alike.
    for _ in 0..TRIES {
        let start = Instant::now();
        hasher.verify(&Secret::new("wrong"), Some(&hash)).await?;
        known += start.elapsed();
        let start = Instant::now();
        hasher.verify(&Secret::new("wrong"), None).await?;
        unknown += start.elapsed();
    }
    println!("wrong password:  {:?} each", known / TRIES);
    println!("unknown account: {:?} each", unknown / TRIES);
    println!(
        "ratio:           {:.3}",
        unknown.as_secs_f64() / known.as_secs_f64()
    );
    Ok(())
}
