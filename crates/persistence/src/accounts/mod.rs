//! The account ports (users, sessions, API keys, versions) on Tidegate's own database.

mod api_keys;
mod sessions;
mod users;
mod versions;

pub use self::api_keys::ApiKeyStore;
pub use self::sessions::SessionStore;
pub use self::users::UserStore;
pub use self::versions::VersionStore;
