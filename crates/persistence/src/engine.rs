//! The engines Tidegate works on, and what tells them apart.

use std::fmt;

/// A database engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Engine {
    /// MySQL 8.4 or newer.
    MySql,
    /// MariaDB 10.6 or newer.
    MariaDb,
    /// The SQLite that is compiled in.
    Sqlite,
}

impl Engine {
    /// Whether the engine is a server with MySQL's protocol and dialect.
    pub fn is_server(self) -> bool {
        self != Engine::Sqlite
    }

    /// The engine's name as its makers write it.
    pub fn name(self) -> &'static str {
        match self {
            Engine::MySql => "MySQL",
            Engine::MariaDb => "MariaDB",
            Engine::Sqlite => "SQLite",
        }
    }

    /// The collation that compares by code point and does not pad with blanks.
    pub fn binary_collation(self) -> &'static str {
        match self {
            Engine::MySql => "utf8mb4_0900_bin",
            Engine::MariaDb => "utf8mb4_nopad_bin",
            Engine::Sqlite => "BINARY",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A server of the MySQL family: which one, and which version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Server {
    /// The engine.
    pub engine: Engine,
    /// Major, minor and patch number.
    pub version: (u16, u16, u16),
}

impl Server {
    /// Reads what `SELECT VERSION()` gives, `9.7.0` or `10.11.14-MariaDB-0+deb12u2`.
    ///
    /// ```
    /// use tidegate_persistence::engine::{Engine, Server};
    /// let server = Server::parse("10.11.14-MariaDB-0+deb12u2");
    /// assert_eq!((server.engine, server.version), (Engine::MariaDb, (10, 11, 14)));
    /// assert_eq!(Server::parse("8.4.6").engine, Engine::MySql);
    /// ```
    pub fn parse(text: &str) -> Self {
        let engine = if text.to_ascii_lowercase().contains("mariadb") {
            Engine::MariaDb
        } else {
            Engine::MySql
        };
        // Old replication clients made MariaDB announce itself as 5.5.5.
        let digits = text.strip_prefix("5.5.5-").unwrap_or(text);
        let mut numbers = digits
            .split(|c: char| !c.is_ascii_digit())
            .map_while(|part| part.parse::<u16>().ok());
        let mut next = || numbers.next().unwrap_or(0);
        Self {
            engine,
            version: (next(), next(), next()),
        }
    }

    /// Whether the version is one that Tidegate is made for.
    pub fn is_supported(self) -> bool {
        match self.engine {
            Engine::MySql => self.version >= (8, 0, 19),
            Engine::MariaDb => self.version >= (10, 6, 0),
            Engine::Sqlite => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_whatever_stands_around_them() {
        let cases = [
            ("9.7.0", Engine::MySql, (9, 7, 0), true),
            ("8.4.6-0ubuntu0.24.04.1", Engine::MySql, (8, 4, 6), true),
            ("5.7.44-log", Engine::MySql, (5, 7, 44), false),
            ("5.5.5-10.6.1-MariaDB", Engine::MariaDb, (10, 6, 1), true),
            ("10.3.39-MariaDB", Engine::MariaDb, (10, 3, 39), false),
            ("", Engine::MySql, (0, 0, 0), false),
        ];
        for (text, engine, version, supported) in cases {
            let server = Server::parse(text);
            assert_eq!(
                (server.engine, server.version, server.is_supported()),
                (engine, version, supported),
                "{text}"
            );
        }
    }
}
