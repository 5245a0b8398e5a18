//! Password hashing, keyed digests, access tokens, signatures of webhooks, sealed secrets,
//! the clock and randomness: adapters of the domain's ports. Keys come in from outside and
//! go nowhere.

mod digest;
mod key;
mod password;
mod seal;
mod signature;
mod system;
mod token;

pub use self::digest::KeyedDigest;
pub use self::password::BcryptHasher;
pub use self::seal::XChaChaSealer;
pub use self::signature::HmacSignatures;
pub use self::system::{SystemClock, SystemRandom};
pub use self::token::{JwtOptions, JwtTokens, SigningKey};
