//! Data definition: from the parsed form of tables and changes to the engines' SQL.
//!
//! This is the one place where names and texts of clients become SQL. Names pass
//! [`mysql_name`] or [`sqlite_name`], texts [`mysql_text`] or [`sqlite_text`]; types and
//! defaults are printed from their parsed form. What is printed here is never logged.

pub(crate) mod guard;
pub(crate) mod model;
pub(crate) mod mysql;
pub(crate) mod sqlite;

/// A name for MySQL and MariaDB.
pub(crate) fn mysql_name(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A name for SQLite.
pub(crate) fn sqlite_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Names, each quoted by `quote`, with commas between.
pub(crate) fn name_list(names: &[String], quote: fn(&str) -> String) -> String {
    names
        .iter()
        .map(|name| quote(name))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A text for MySQL and MariaDB. The pool's sessions read backslashes as escapes, so they
/// are doubled; a doubled quote means the same in every mode.
pub(crate) fn mysql_text(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for character in text.chars() {
        match character {
            '\'' => quoted.push_str("''"),
            '\\' => quoted.push_str("\\\\"),
            '\0' => quoted.push_str("\\0"),
            // Ends the input of some clients on Windows.
            '\u{1a}' => quoted.push_str("\\Z"),
            other => quoted.push(other),
        }
    }
    quoted.push('\'');
    quoted
}

/// A text for SQLite, which knows no escapes. A NUL would end the statement, so a text that
/// holds one is written by its bytes.
pub(crate) fn sqlite_text(text: &str) -> String {
    if text.contains('\0') {
        format!("CAST(x'{}' AS TEXT)", hex(text.as_bytes()))
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

/// Bytes as hexadecimal digits in lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that hexadecimal digits stand for.
pub(crate) fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    digits
        .chunks(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_quotes() {
        assert_eq!(mysql_name("a`b"), "`a``b`");
        assert_eq!(
            mysql_name("``; DROP TABLE x; --"),
            "`````; DROP TABLE x; --`"
        );
        assert_eq!(sqlite_name("a\"b"), "\"a\"\"b\"");
        assert_eq!(
            name_list(&["a".into(), "b`".into()], mysql_name),
            "`a`, `b```"
        );
    }

    #[test]
    fn texts_cannot_leave_their_quotes() {
        assert_eq!(mysql_text("it's"), "'it''s'");
        assert_eq!(mysql_text("\\' OR 1=1"), "'\\\\'' OR 1=1'");
        assert_eq!(mysql_text("a\\"), "'a\\\\'");
        assert_eq!(mysql_text("\0\u{1a}\n🙂"), "'\\0\\Z\n🙂'");
        assert_eq!(sqlite_text("a'b\\"), "'a''b\\'");
        assert_eq!(sqlite_text("a\0'"), "CAST(x'610027' AS TEXT)");
    }

    #[test]
    fn bytes_and_their_digits() {
        assert_eq!(unhex(&hex(&[0, 0x7f, 0xff])), Some(vec![0, 0x7f, 0xff]));
        assert_eq!(
            (unhex("0"), unhex("0g"), unhex("")),
            (None, None, Some(vec![]))
        );
    }

    #[tokio::test]
    async fn sqlite_reads_texts_as_they_were() {
        use sqlx::{AssertSqlSafe, ConnectOptions};
        let mut connection = sqlx::sqlite::SqliteConnectOptions::new()
            .in_memory(true)
            .connect()
            .await
            .unwrap();
        for text in ["", "'", "''", "a\\'b", "\"", "x\0y", "--", "🙂\n"] {
            let sql = format!("SELECT {}", sqlite_text(text));
            let back: String = sqlx::query_scalar(AssertSqlSafe(sql))
                .fetch_one(&mut connection)
                .await
                .unwrap();
            assert_eq!(back, text);
        }
    }
}
