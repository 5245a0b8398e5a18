//! API versions, which administrators declare supported or not.

use async_trait::async_trait;
use serde::Serialize;

use crate::error::{InvalidInput, StoreError};

/// An API version that clients name in `X-Version`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Version {
    /// The version's number in the list.
    pub id: i64,
    /// Its name.
    pub version: VersionName,
    /// Whether requests that name it are answered.
    pub supported: bool,
}

/// A version's name: 1 to 10 characters of `[0-9A-Za-z.-]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct VersionName(String);

impl VersionName {
    /// Checks a name.
    ///
    /// # Errors
    /// Another length, or another character.
    pub fn parse(text: &str) -> Result<Self, InvalidInput> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        if (1..=10).contains(&text.len()) && text.chars().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidInput::member(
                "version",
                "must be 1 to 10 characters of 0-9, A-Z, a-z, `.` and `-`",
            ))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A change of a version; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VersionPatch {
    /// The new name.
    pub version: Option<VersionName>,
    /// Whether it is supported.
    pub supported: Option<bool>,
}

/// The stored versions.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait Versions: Send + Sync {
    /// All versions, by id.
    async fn list(&self) -> Result<Vec<Version>, StoreError>;
    /// Adds one. A name that exists is a `Constraint` error of kind `Unique`.
    async fn insert(&self, version: &VersionName, supported: bool) -> Result<Version, StoreError>;
    /// Changes one; `None` when there is no such id.
    async fn update(&self, id: i64, patch: &VersionPatch) -> Result<Option<Version>, StoreError>;
    /// Takes one away; false when there was none.
    async fn delete(&self, id: i64) -> Result<bool, StoreError>;
}
