//! Names of databases, tables, columns and database users.

use std::fmt;

use serde::Serialize;

use crate::error::InvalidInput;

/// Database names that nobody may create or see, on every engine alike.
const RESERVED: [&str; 6] = [
    "mysql",
    "information_schema",
    "performance_schema",
    "sys",
    "main",
    "temp",
];

/// What hidden tables of Tidegate inside a gateway database begin with.
pub const HIDDEN_PREFIX: &str = "_tidegate";

/// The name of an existing database, as it was asked for. It may be any text: whether it
/// exists, the catalogue tells; it becomes SQL only through the quoting function.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct DatabaseName(String);

impl DatabaseName {
    /// The name of a database that is looked for. `None` for what cannot be one: empty, over
    /// 64 characters, with a NUL, a control character, a slash, a point or a character outside
    /// Unicode's basic plane (servers cannot even be asked for such a name), or reserved.
    pub fn existing(text: &str, own: &str) -> Option<Self> {
        let forbidden =
            |c: char| c.is_control() || matches!(c, '/' | '\\' | '.') || u32::from(c) > 0xffff;
        let fits = !text.is_empty() && text.chars().count() <= 64 && !text.chars().any(forbidden);
        (fits && !is_reserved(text, own)).then(|| Self(text.to_owned()))
    }

    /// The name of Tidegate's own database, whatever it is: nothing is reserved from it.
    pub fn own(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The name of a new database: `[A-Za-z_][A-Za-z0-9_$-]{0,63}` and not reserved, where
    /// `own` is the name of Tidegate's own database.
    ///
    /// # Errors
    /// Another shape, or a reserved name.
    pub fn new(text: &str, own: &str) -> Result<Self, InvalidInput> {
        let mut characters = text.chars();
        let first_fits = characters
            .next()
            .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        let rest_fits =
            characters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '-'));
        if !first_fits || !rest_fits || text.len() > 64 {
            return Err(InvalidInput::member(
                "name",
                "must begin with a letter or `_`, hold only letters of A-Z, digits, `_`, `$` and `-`, and have at most 64 characters",
            ));
        }
        if is_reserved(text, own) {
            return Err(InvalidInput::member(
                "name",
                "is reserved; choose another name",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DatabaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a database's name is reserved: the engines' own, and Tidegate's.
pub fn is_reserved(name: &str, own: &str) -> bool {
    let name = name.to_lowercase();
    RESERVED.contains(&name.as_str()) || name.starts_with("sqlite_") || name == own.to_lowercase()
}

/// The name of a new table, column, index or constraint: 1 to 64 characters, none of them
/// NUL, control, backtick, quote, `/`, `\` or `.`, no blank at either end, and only
/// characters of Unicode's basic plane, which is what MySQL stores in names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Identifier(String);

impl Identifier {
    /// Checks a name for something new.
    ///
    /// # Errors
    /// What the type's description forbids; the fault stands at the empty pointer.
    pub fn new(text: &str) -> Result<Self, InvalidInput> {
        let fault = |detail: &str| Err(InvalidInput::at("", detail));
        if text.is_empty() || text.chars().count() > 64 {
            return fault("a name must have 1 to 64 characters");
        }
        if text
            .chars()
            .any(|c| c.is_control() || matches!(c, '`' | '"' | '\'' | '/' | '\\' | '.'))
        {
            return fault(
                "a name must not contain control characters, quotes, backticks, `/`, `\\` or `.`",
            );
        }
        if text.trim() != text {
            return fault("a name must not begin or end with a blank");
        }
        if text.chars().any(|c| u32::from(c) > 0xffff) {
            return fault(
                "a name must not contain characters outside Unicode's basic plane, such as emoji",
            );
        }
        let lower = text.to_lowercase();
        if lower.starts_with("sqlite_") || lower.starts_with(HIDDEN_PREFIX) {
            return fault("names that begin with `sqlite_` or `_tidegate` are reserved");
        }
        Ok(Self(text.to_owned()))
    }

    /// Checks a name by the rule of the G routes: `[a-z][a-z0-9_]*`, at most 30.
    ///
    /// # Errors
    /// Another shape.
    pub fn plain(text: &str) -> Result<Self, InvalidInput> {
        if is_plain(text) {
            Self::new(text)
        } else {
            Err(InvalidInput::at("", PLAIN_RULE))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The rule of the G routes, as a sentence.
pub const PLAIN_RULE: &str = "must begin with a letter of a-z, hold only letters of a-z, digits and `_`, and have at most 30 characters";

/// Whether a name obeys the G routes' rule.
pub fn is_plain(text: &str) -> bool {
    let mut characters = text.chars();
    text.len() <= 30
        && characters.next().is_some_and(|c| c.is_ascii_lowercase())
        && characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// A database account's name: 1 to 32 characters of `[A-Za-z0-9_.-]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct AccountName(String);

impl AccountName {
    /// Checks a name.
    ///
    /// # Errors
    /// Another character or length, or an account of the server itself (`root`, `mysql.*`, `mariadb.sys`).
    pub fn new(text: &str) -> Result<Self, InvalidInput> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if text.is_empty() || text.len() > 32 || !text.chars().all(allowed) {
            return Err(InvalidInput::member(
                "username",
                "must have 1 to 32 characters of A-Z, a-z, 0-9, `_`, `.` and `-`",
            ));
        }
        if is_system_account(text) {
            return Err(InvalidInput::member(
                "username",
                "is an account of the database server itself",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether an account belongs to the database server itself.
pub fn is_system_account(name: &str) -> bool {
    let name = name.to_lowercase();
    matches!(name.as_str(), "root" | "debian-sys-maint" | "mariadb.sys")
        || name.starts_with("mysql.")
}

/// The host part of a database account: `%` alone, `localhost`, an IP address with an
/// optional netmask or prefix length, or a DNS name (letters, digits, `-`, `.`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct AccountHost(String);

impl AccountHost {
    /// Checks a host.
    ///
    /// # Errors
    /// Anything else than the type's description says.
    pub fn new(text: &str) -> Result<Self, InvalidInput> {
        let is_name = |text: &str| {
            !text.is_empty()
                && text.len() <= 255
                && text.split('.').all(|label| {
                    !label.is_empty()
                        && label
                            .chars()
                            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
                })
        };
        let is_network = |text: &str| {
            text.split_once('/').is_some_and(|(address, mask)| {
                address.parse::<std::net::Ipv4Addr>().is_ok()
                    && (mask.parse::<std::net::Ipv4Addr>().is_ok()
                        || mask.parse::<u8>().is_ok_and(|bits| bits <= 32))
            })
        };
        if text == "%"
            || is_name(text)
            || is_network(text)
            || text.parse::<std::net::Ipv6Addr>().is_ok()
        {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidInput::member(
                "host",
                "must be `localhost`, `%`, an IP address, an IPv4 network such as `10.0.0.0/255.0.0.0`, or a host name",
            ))
        }
    }

    /// The host as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_database_names_are_plain_and_not_reserved() {
        for good in ["shop", "_x", "Shop-2$", &"a".repeat(64)] {
            assert!(DatabaseName::new(good, "tidegate").is_ok(), "{good}");
        }
        for bad in [
            "",
            "2shop",
            "a b",
            "a`b",
            "a.b",
            "ä",
            "a\0",
            &"a".repeat(65),
            "MySQL",
            "sys",
            "tidegate",
            "Tidegate",
            "sqlite_x",
            "main",
        ] {
            assert!(DatabaseName::new(bad, "tidegate").is_err(), "{bad:?}");
        }
        assert!(DatabaseName::existing("../etc", "tidegate").is_none());
        assert!(DatabaseName::existing("🙂", "tidegate").is_none());
        assert!(DatabaseName::existing("Größe", "tidegate").is_some());
    }

    #[test]
    fn new_identifiers_may_hold_any_letters_but_nothing_that_ends_a_quote() {
        for good in [
            "name",
            "Größe",
            "order details",
            "a$b",
            "日本",
            &"x".repeat(64),
        ] {
            assert!(Identifier::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a`b",
            "a\"b",
            "a'b",
            "a/b",
            "a\\b",
            "a.b",
            " a",
            "a ",
            "a\0b",
            "a\nb",
            "🙂",
            "sqlite_a",
            "_tidegate_x",
            &"x".repeat(65),
        ] {
            assert!(Identifier::new(bad).is_err(), "{bad:?}");
        }
        assert!(Identifier::plain("Abc").is_err() && Identifier::plain("a_1").is_ok());
    }

    #[test]
    fn accounts_hold_no_quote_nor_pattern() {
        for bad in [
            "",
            "a'b",
            "a%",
            "a@b",
            "a\nb",
            "root",
            "mysql.sys",
            &"a".repeat(33),
        ] {
            assert!(AccountName::new(bad).is_err(), "{bad:?}");
        }
        for good in [
            "localhost",
            "%",
            "10.0.0.1",
            "10.0.0.0/255.0.0.0",
            "10.0.0.0/8",
            "db.example.org",
            "::1",
        ] {
            assert!(AccountHost::new(good).is_ok(), "{good}");
        }
        for bad in ["", "10.%", "a'b", "a b", "a\n", "10.0.0.0/99", "-- "] {
            assert!(AccountHost::new(bad).is_err(), "{bad:?}");
        }
    }
}
