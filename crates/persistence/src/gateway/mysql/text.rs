//! Types, defaults and expressions as MySQL and MariaDB print them in the information schema.

use tidegate_domain::gateway::column_type::{ColumnType, TypeClass};
use tidegate_domain::gateway::schema::DefaultValue;

use super::super::ddl::unhex;
use super::super::literal::{bits_default, bytes_default, literal_default};
use super::super::type_text::{quoted_text, read_type};
use crate::engine::Engine;

/// The logical type of a column.
pub(crate) fn column_type(printed: &str, collation: Option<&str>) -> ColumnType {
    match read_type(printed, true) {
        // What our own definitions make of `uuid`.
        Some(ColumnType::Char(36)) if collation == Some("ascii_bin") => ColumnType::Uuid,
        Some(column_type) => column_type,
        None => ColumnType::Other(printed.to_ascii_lowercase()),
    }
}

/// The default of a column; `extra` is in lower case.
pub(crate) fn default(
    printed: &str,
    extra: &str,
    column_type: &ColumnType,
    engine: Engine,
) -> Option<DefaultValue> {
    let is_now = |text: &str| {
        let text = text.to_ascii_lowercase();
        text.strip_prefix("current_timestamp")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('('))
    };
    let now = || DefaultValue::CurrentTimestamp {
        on_update: extra.contains("on update"),
    };
    if engine == Engine::MariaDb {
        // MariaDB prints SQL, with the word NULL where there is none.
        return match printed {
            "NULL" => None,
            text if is_now(text) => Some(now()),
            text => Some(
                constant(text, column_type)
                    .unwrap_or_else(|| DefaultValue::Expression(text.to_owned())),
            ),
        };
    }
    if !extra.contains("default_generated") {
        // MySQL prints constants without quotes, but for bits and bytes.
        let constant = match column_type.class() {
            TypeClass::Bits | TypeClass::Bytes => constant(printed, column_type),
            _ => None,
        };
        return Some(constant.unwrap_or_else(|| literal_default(column_type, printed)));
    }
    if is_now(printed) {
        return Some(now());
    }
    let sql = expression(printed, engine);
    Some(constant(&sql, column_type).unwrap_or(DefaultValue::Expression(sql)))
}

/// The value of SQL text that is one constant.
fn constant(sql: &str, column_type: &ColumnType) -> Option<DefaultValue> {
    let sql = sql.trim();
    let digits = |text: &str| {
        let lower = text.to_ascii_lowercase();
        let quoted = lower
            .strip_prefix("x'")
            .and_then(|rest| rest.strip_suffix('\''));
        let function = lower
            .strip_prefix("unhex('")
            .and_then(|rest| rest.strip_suffix("')"));
        quoted
            .or(function)
            .or(lower.strip_prefix("0x"))
            .and_then(unhex)
    };
    match column_type.class() {
        TypeClass::Bytes => {
            let text = || {
                quoted_text(sql, true)
                    .filter(|(_, rest)| rest.is_empty())
                    .map(|(text, _)| text.into_bytes())
            };
            digits(sql).or_else(text).map(|bytes| bytes_default(&bytes))
        }
        TypeClass::Bits => {
            let bits = sql
                .strip_prefix("b'")
                .and_then(|rest| rest.strip_suffix('\''))
                .unwrap_or(sql);
            let radix = if bits == sql { 10 } else { 2 };
            u64::from_str_radix(bits, radix)
                .ok()
                .map(|bits| bits_default(column_type, bits))
        }
        _ => match quoted_text(sql, true) {
            Some((text, "")) => Some(literal_default(column_type, &text)),
            Some(_) => None,
            // How our own definitions write texts with characters outside the basic plane.
            None if sql.to_ascii_lowercase().starts_with("convert(unhex('") => {
                let digits = sql[15..]
                    .split_once("') using utf8mb4)")
                    .filter(|(_, rest)| rest.is_empty())?
                    .0;
                String::from_utf8(unhex(digits)?)
                    .ok()
                    .map(|text| literal_default(column_type, &text))
            }
            None => sql
                .parse::<f64>()
                .is_ok_and(f64::is_finite)
                .then(|| literal_default(column_type, sql)),
        },
    }
}

/// An expression without what only the server needs: MySQL keeps expressions with their
/// quotes escaped once more, and the character set before each text.
pub(crate) fn expression(printed: &str, engine: Engine) -> String {
    if engine == Engine::MariaDb {
        printed.to_owned()
    } else {
        without_introducers(&unescape(printed))
    }
}

fn unescape(printed: &str) -> String {
    let mut text = String::with_capacity(printed.len());
    let mut characters = printed.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('0') => text.push('\0'),
                Some('Z') => text.push('\u{1a}'),
                Some(other) => text.push(other),
                None => text.push('\\'),
            },
            other => text.push(other),
        }
    }
    text
}

/// Takes `_utf8mb4` and its like away where a text follows.
fn without_introducers(sql: &str) -> String {
    let mut plain = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' => {
                quoted_text(rest, true).map_or(rest.len(), |(_, after)| rest.len() - after.len())
            }
            '`' => rest[1..].find('`').map_or(rest.len(), |at| at + 2),
            '_' if !plain.ends_with(is_word) => {
                let word = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
                if rest[word..].starts_with('\'') {
                    rest = &rest[word..];
                    continue;
                }
                word
            }
            other => other.len_utf8(),
        };
        plain.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    plain
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '$')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(printed: &str, extra: &str, column_type: &str, engine: Engine) -> Option<DefaultValue> {
        default(
            printed,
            extra,
            &super::column_type(column_type, None),
            engine,
        )
    }

    #[test]
    fn defaults_of_both_servers() {
        let literal = |text: &str| Some(DefaultValue::Literal(text.into()));
        let now = |on_update| Some(DefaultValue::CurrentTimestamp { on_update });
        let expression = |text: &str| Some(DefaultValue::Expression(text.into()));
        let generated = "default_generated";
        let mysql = [
            ("it's", "", "varchar(9)", literal("it's")),
            ("NULL", "", "varchar(9)", literal("NULL")),
            ("5", "", "int", literal("5")),
            ("b'101'", "", "bit(5)", literal("00101")),
            ("0x6162", "", "binary(2)", literal("\\x6162")),
            ("0x00ff", generated, "varbinary(2)", literal("\\x00ff")),
            (r"_utf8mb4\'x\\\'y\'", generated, "text", literal("x'y")),
            (
                r#"_utf8mb4\'{"a": "b"}\'"#,
                generated,
                "json",
                literal(r#"{"a":"b"}"#),
            ),
            (
                "CURRENT_TIMESTAMP(6)",
                "default_generated on update current_timestamp(6)",
                "datetime(6)",
                now(true),
            ),
            ("CURRENT_TIMESTAMP", generated, "timestamp", now(false)),
            ("uuid()", generated, "char(36)", expression("uuid()")),
            (
                r"convert(unhex(_utf8mb4\'f09f9982\') using utf8mb4)",
                generated,
                "varchar(9)",
                literal("🙂"),
            ),
            (
                r"concat(_utf8mb4\'a\',`b`)",
                generated,
                "text",
                expression("concat('a',`b`)"),
            ),
        ];
        for (printed, extra, column_type, expected) in mysql {
            assert_eq!(
                read(printed, extra, column_type, Engine::MySql),
                expected,
                "{printed}"
            );
        }
        let mariadb = [
            ("NULL", "", "varchar(9)", None),
            ("'NULL'", "", "varchar(9)", literal("NULL")),
            (r#"'a\\b"''c'"#, "", "varchar(20)", literal(r#"a\b"'c"#)),
            ("'x\\'y'", "", "text", literal("x'y")),
            ("-1", "", "int(11)", literal("-1")),
            ("b'101'", "", "bit(5)", literal("00101")),
            ("unhex('00FF')", "", "varbinary(2)", literal("\\x00ff")),
            ("current_timestamp()", "", "datetime", now(false)),
            (
                "current_timestamp(6)",
                "on update current_timestamp(6)",
                "datetime(6)",
                now(true),
            ),
            ("uuid()", "", "char(36)", expression("uuid()")),
            ("(1 + 2)", "", "int(11)", expression("(1 + 2)")),
        ];
        for (printed, extra, column_type, expected) in mariadb {
            assert_eq!(
                read(printed, extra, column_type, Engine::MariaDb),
                expected,
                "{printed}"
            );
        }
    }

    #[test]
    fn expressions_lose_their_escapes_and_character_sets() {
        let cases = [
            (
                r"((`c` <> _utf8mb4\'a\\\'b\\\\\') and (`v` = _latin1\'x\'))",
                r"((`c` <> 'a\'b\\') and (`v` = 'x'))",
            ),
            (r"(`_utf8mb4` = 1)", r"(`_utf8mb4` = 1)"),
            (r"concat(a_b,_utf8mb4\'_x\')", r"concat(a_b,'_x')"),
        ];
        for (printed, expected) in cases {
            assert_eq!(expression(printed, Engine::MySql), expected);
        }
    }

    #[test]
    fn uuid_is_one_combination_only() {
        assert_eq!(column_type("char(36)", Some("ascii_bin")), ColumnType::Uuid);
        assert_eq!(
            column_type("char(36)", Some("utf8mb4_0900_bin")),
            ColumnType::Char(36)
        );
        assert_eq!(column_type("uuid", None), ColumnType::Uuid);
        assert_eq!(
            column_type("GEOMETRY", None),
            ColumnType::Other("geometry".into())
        );
    }
}
