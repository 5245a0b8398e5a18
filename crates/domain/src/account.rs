//! Users, roles, passwords and API keys.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Serialize;
use unicode_normalization::UnicodeNormalization;

use crate::error::{InvalidInput, StoreError};
use crate::page::{Page, PageRequest};
use crate::secret::Secret;

/// A user's id, 1 or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct UserId(pub i64);

/// What a user is. The ids are fixed: 1 `admin`, 2 `user`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// May do everything.
    Admin,
    /// May read every gateway database and work on what is their own.
    User,
}

impl Role {
    /// Both roles, by id.
    pub const ALL: [Role; 2] = [Role::Admin, Role::User];

    /// The role's number.
    pub fn id(self) -> i64 {
        match self {
            Role::Admin => 1,
            Role::User => 2,
        }
    }

    /// The role's name.
    pub fn name(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::User => "user",
        }
    }

    /// The role with this number.
    pub fn from_id(id: i64) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.id() == id)
    }

    /// The role with this name.
    pub fn from_name(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// A user's name: 3 to 30 characters, no `@`, no control character, no blank at
/// either end, not all digits (a name of digits is an id in HTTP Basic).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Username(String);

impl Username {
    /// Checks a name and brings it to Unicode's composed form (NFC).
    ///
    /// # Errors
    /// What the type's description forbids.
    pub fn parse(text: &str) -> Result<Self, InvalidInput> {
        let fault = |detail: &str| Err(InvalidInput::member("username", detail));
        let name: String = text.nfc().collect();
        let length = name.chars().count();
        if !(3..=30).contains(&length) {
            return fault("must be 3 to 30 characters long");
        }
        // What it is compared as counts too: full-width signs fold to the plain ones.
        let key = name_key(&name);
        if name.contains('@') || key.contains('@') {
            return fault("must not contain `@`");
        }
        if name.chars().any(char::is_control) || name.trim() != name || has_invisible(&name) {
            return fault(
                "must not contain control or invisible characters, nor begin or end with a blank",
            );
        }
        if key.chars().all(|c| c.is_ascii_digit()) {
            return fault("must not consist of digits only");
        }
        Ok(Self(name))
    }

    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form under which names are compared: the same for `Ann`, `ANN` and `ánn`.
    pub fn key(&self) -> String {
        name_key(&self.0)
    }
}

/// An e-mail address: something, `@`, a domain; 254 characters at most (RFC 5321).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Email(String);

impl Email {
    /// Checks an address for its shape; whether it exists only a message can tell.
    ///
    /// # Errors
    /// No or several `@`, an empty part, blanks, or more than 254 characters.
    pub fn parse(text: &str) -> Result<Self, InvalidInput> {
        let fault = || {
            Err(InvalidInput::member(
                "email",
                "must be an e-mail address such as `ann@example.org`",
            ))
        };
        let address: String = text.nfc().collect();
        let Some((local, domain)) = address.rsplit_once('@') else {
            return fault();
        };
        let bad_character = |c: char| {
            c.is_whitespace() || c.is_control() || matches!(c, '@' | '<' | '>' | ',' | ';')
        };
        let domain_fits = domain.contains('.')
            && domain.split('.').all(|label| {
                !label.is_empty()
                    && !label.starts_with('-')
                    && !label.ends_with('-')
                    && label.chars().all(|c| c.is_alphanumeric() || c == '-')
            });
        if local.is_empty()
            || local.chars().count() > 64
            || address.chars().count() > 254
            || comparison_key(&address).chars().count() > 254
            || local.chars().any(bad_character)
            || has_invisible(&address)
            || !domain_fits
        {
            return fault();
        }
        Ok(Self(address))
    }

    /// The address as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form under which addresses are compared, without case.
    pub fn key(&self) -> String {
        comparison_key(&self.0)
    }
}

/// Folds a user name for comparison: as [`comparison_key`], and without the marks that
/// stand over or under letters, so that nobody can be `ádmin` beside `admin`.
pub fn name_key(text: &str) -> String {
    let bare: String = text
        .nfkd()
        .filter(|c| !unicode_normalization::char::is_combining_mark(*c))
        .collect();
    comparison_key(&bare)
}

/// The form of a name or an address that somebody signs in with. What is longer than any
/// of them is cut, so that it is neither folded nor kept at a stranger's expense.
pub fn login_key(text: &str) -> String {
    let text: String = text.chars().take(320).collect();
    if text.contains('@') {
        comparison_key(&text)
    } else {
        name_key(&text)
    }
}

/// Folds a text for comparison: compatibility form (NFKC) in lower case, so that all
/// engines agree whatever their collation.
pub fn comparison_key(text: &str) -> String {
    text.nfkc()
        .flat_map(char::to_lowercase)
        .collect::<String>()
        .nfkc()
        .collect()
}

fn has_invisible(text: &str) -> bool {
    text.chars().any(|c| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}'))
}

/// A new password: 8 to 128 characters and not the user's name.
#[derive(Debug, Clone)]
pub struct NewPassword(Secret);

impl NewPassword {
    /// Checks a password for the user `username`.
    ///
    /// # Errors
    /// Another length, a NUL, or the user's own name.
    pub fn parse(text: &str, username: &str) -> Result<Self, InvalidInput> {
        let fault = |detail: &str| Err(InvalidInput::member("password", detail));
        if !(8..=128).contains(&text.chars().count()) {
            return fault("must be 8 to 128 characters long");
        }
        if text.contains('\0') {
            return fault("must not contain a NUL character");
        }
        if comparison_key(text) == comparison_key(username) {
            return fault("must not be the user name");
        }
        Ok(Self(Secret::new(text)))
    }

    /// The password for hashing.
    pub fn secret(&self) -> &Secret {
        &self.0
    }
}

/// A stored password: what `PasswordHasher::hash` gave.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub String);

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(***)")
    }
}

/// A user as stored, but for the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The user's number.
    pub id: UserId,
    /// The name to sign in with.
    pub username: Username,
    /// The address, if one was given.
    pub email: Option<Email>,
    /// What the user may do.
    pub role: Role,
    /// False once the user was deactivated (also by deleting).
    pub activated: bool,
    /// When the user was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed, if ever.
    pub updated_at: Option<DateTime<Utc>>,
}

/// A user to be stored.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The name; `None` makes `user` and the id.
    pub username: Option<Username>,
    /// The address.
    pub email: Option<Email>,
    /// The role.
    pub role: Role,
    /// The hashed password.
    pub password: PasswordHash,
    /// The time of creation.
    pub created_at: DateTime<Utc>,
}

/// A change of a user; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct UserChanges {
    /// The new name.
    pub username: Option<Username>,
    /// The new address (`Some(None)` takes it away).
    pub email: Option<Option<Email>>,
    /// The new password's hash.
    pub password: Option<PasswordHash>,
    /// The new role.
    pub role: Option<Role>,
    /// Whether the user may sign in.
    pub activated: Option<bool>,
}

/// Which users to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserFilter {
    /// Part of the name, compared without case; `%` and `_` are ordinary characters.
    pub username: Option<String>,
    /// Active users, or deactivated ones.
    pub activated: bool,
}

/// A user with what is needed to check a password.
#[derive(Debug, Clone)]
pub struct Login {
    /// The user.
    pub user: User,
    /// The stored password.
    pub password: PasswordHash,
}

/// The stored users. Names and addresses are unique by their `key()`.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait Users: Send + Sync {
    /// The user with this id.
    async fn find(&self, id: UserId) -> Result<Option<User>, StoreError>;
    /// The user whose name or address has this comparison key, with the stored password.
    async fn find_login(&self, key: &str) -> Result<Option<Login>, StoreError>;
    /// The same by id.
    async fn find_login_by_id(&self, id: UserId) -> Result<Option<Login>, StoreError>;
    /// The names of these users; those who are not there are left out.
    async fn names(&self, ids: &[UserId]) -> Result<HashMap<UserId, Username>, StoreError>;
    /// A part of the list, by id.
    async fn list(&self, filter: &UserFilter, page: PageRequest) -> Result<Page<User>, StoreError>;
    /// Adds a user. A taken name or address is a `Constraint` error of kind `Unique` whose
    /// name holds `username` or `email`.
    async fn insert(&self, user: &NewUser) -> Result<User, StoreError>;
    /// Changes a user at `now`; `None` when there is no such id. Conflicts as for `insert`.
    async fn update(
        &self,
        id: UserId,
        changes: &UserChanges,
        now: DateTime<Utc>,
    ) -> Result<Option<User>, StoreError>;
    /// The active administrators. Until the transaction ends, other callers of this wait, so
    /// that two simultaneous demotions cannot both believe that another one is left.
    async fn lock_active_admins(&self) -> Result<Vec<UserId>, StoreError>;
    /// Whether any user exists.
    async fn any(&self) -> Result<bool, StoreError>;
}

/// A stored API key; one a user.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// Whose it is.
    pub user: User,
    /// The key's digest.
    pub digest: String,
    /// When it stops working, if ever.
    pub expires_at: Option<DateTime<Utc>>,
}

/// The stored API keys.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait ApiKeys: Send + Sync {
    /// The key of a user, with the user.
    async fn find(&self, user: UserId) -> Result<Option<ApiKey>, StoreError>;
    /// Stores a key's digest in place of an earlier one.
    async fn put(
        &self,
        user: UserId,
        digest: &str,
        expires_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError>;
    /// Takes the key away; false when there was none.
    async fn delete(&self, user: UserId) -> Result<bool, StoreError>;
    /// Notes that the key was used.
    async fn touch(&self, user: UserId, now: DateTime<Utc>) -> Result<(), StoreError>;
}

/// Hashes passwords and checks them. Slow by design; an adapter bounds how many run at once.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// The hash to store for a password.
    async fn hash(&self, password: &Secret) -> Result<PasswordHash, StoreError>;
    /// Whether the password belongs to the hash. Without a hash the answer is false after
    /// the same amount of work, so that an unknown account cannot be told by time.
    async fn verify<'a>(
        &self,
        password: &Secret,
        hash: Option<&'a PasswordHash>,
    ) -> Result<bool, StoreError>;
}

/// Digests of random secrets (refresh tokens, API keys) for storage, keyed by the server.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
pub trait SecretDigest: Send + Sync {
    /// The digest to store and look up by, printable, at most 64 characters.
    fn digest(&self, secret: &Secret) -> String;
    /// Compares in constant time.
    fn matches(&self, secret: &Secret, digest: &str) -> bool;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_and_folded_alike() {
        for bad in [
            "ab",
            "a@b",
            "12345",
            " abc",
            "abc ",
            "a\0bc",
            "a\u{200b}bc",
            "ann＠example",
            "１２３",
            &"x".repeat(31),
        ] {
            assert!(Username::parse(bad).is_err(), "{bad:?}");
        }
        let keys: Vec<_> = ["admin", "ADMIN", "Admin"]
            .iter()
            .map(|n| Username::parse(n).unwrap().key())
            .collect();
        assert!(keys.iter().all(|key| key == "admin"));
        assert_eq!(Username::parse("ádmin").unwrap().key(), "admin");
        assert_eq!(login_key("ÁDMIN"), "admin");
        assert_eq!(login_key("Ánn@Example.org"), "ánn@example.org");
        assert_eq!(login_key(&"x".repeat(1_000_000)).len(), 320);
    }

    #[test]
    fn addresses_need_a_local_part_and_a_domain() {
        for bad in [
            "",
            "ann",
            "@example.org",
            "ann@",
            "ann@localhost",
            "a nn@example.org",
            "ann@b@example.org",
            "ann@-x.org",
        ] {
            assert!(Email::parse(bad).is_err(), "{bad:?}");
        }
        // Folded, one character of these is eighteen.
        assert!(Email::parse(&format!("{}@example.org", "\u{fdfa}".repeat(64))).is_err());
        assert_eq!(
            Email::parse("Ann@Example.org").unwrap().key(),
            "ann@example.org"
        );
    }

    #[test]
    fn passwords_have_a_length_and_are_not_the_name() {
        assert!(NewPassword::parse("1234567", "ann").is_err());
        assert!(NewPassword::parse(&"x".repeat(129), "ann").is_err());
        assert!(NewPassword::parse("Annabell", "annabell").is_err());
        assert!(NewPassword::parse("correct horse", "ann").is_ok());
    }
}
