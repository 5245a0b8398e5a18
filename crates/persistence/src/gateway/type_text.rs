//! Column types as engines print them: MySQL and MariaDB in their information schema, and
//! Tidegate itself in SQLite's declarations. What clients write is parsed by the domain;
//! here nothing is refused for being too long or unusual, only not understood.

use tidegate_domain::gateway::column_type::{ColumnType, LobSize};

/// The type that `text` names; `None` for one that Tidegate does not know. With `escapes`,
/// members of `enum` and `set` are read with MySQL's backslashes, without as SQL's texts.
pub(crate) fn read_type(text: &str, escapes: bool) -> Option<ColumnType> {
    let text = text.trim();
    let (name, arguments, rest) = match text.find('(') {
        Some(open) => {
            let close = text.rfind(')').filter(|close| *close > open)?;
            (
                text[..open].trim(),
                Some(&text[open + 1..close]),
                text[close + 1..].trim(),
            )
        }
        None => text
            .split_once(' ')
            .map_or((text, None, ""), |(name, rest)| (name, None, rest.trim())),
    };
    let name = name.to_ascii_lowercase();
    let rest = rest.to_ascii_lowercase();
    let unsigned = match rest.as_str() {
        "" => false,
        // `zerofill` changes only what MySQL's own client shows.
        "unsigned" | "unsigned zerofill" => true,
        _ => return None,
    };
    let number = || arguments?.trim().parse::<u32>().ok();
    let digits = || {
        if arguments.is_none() {
            Some(0)
        } else {
            number().and_then(|it| u8::try_from(it).ok())
        }
    };
    let integer = |bytes| Some(ColumnType::Integer { bytes, unsigned });
    match name.as_str() {
        "tinyint" if arguments == Some("1") && !unsigned => Some(ColumnType::Boolean),
        "bool" | "boolean" => Some(ColumnType::Boolean),
        "tinyint" => integer(1),
        "smallint" => integer(2),
        "mediumint" => integer(3),
        "int" | "integer" => integer(4),
        "bigint" => integer(8),
        "decimal" | "numeric" => {
            let (precision, scale) = arguments?.split_once(',').unwrap_or((arguments?, "0"));
            Some(ColumnType::Decimal {
                precision: precision.trim().parse().ok()?,
                scale: scale.trim().parse().ok()?,
                unsigned,
            })
        }
        "float" => Some(ColumnType::Float { unsigned }),
        "double" => Some(ColumnType::Double { unsigned }),
        _ if unsigned => None,
        "char" => Some(ColumnType::Char(number().unwrap_or(1))),
        "varchar" => Some(ColumnType::Varchar(number()?)),
        "binary" => Some(ColumnType::Binary(number().unwrap_or(1))),
        "varbinary" => Some(ColumnType::Varbinary(number()?)),
        "tinytext" => Some(ColumnType::Text(LobSize::Tiny)),
        "text" => Some(ColumnType::Text(LobSize::Normal)),
        "mediumtext" => Some(ColumnType::Text(LobSize::Medium)),
        "longtext" => Some(ColumnType::Text(LobSize::Long)),
        "tinyblob" => Some(ColumnType::Blob(LobSize::Tiny)),
        "blob" => Some(ColumnType::Blob(LobSize::Normal)),
        "mediumblob" => Some(ColumnType::Blob(LobSize::Medium)),
        "longblob" => Some(ColumnType::Blob(LobSize::Long)),
        "date" => Some(ColumnType::Date),
        "time" => Some(ColumnType::Time(digits()?)),
        "datetime" => Some(ColumnType::DateTime(digits()?)),
        "timestamp" => Some(ColumnType::Timestamp(digits()?)),
        "year" => Some(ColumnType::Year),
        "json" => Some(ColumnType::Json),
        "enum" => Some(ColumnType::Enum(members(arguments?, escapes)?)),
        "set" => Some(ColumnType::Set(members(arguments?, escapes)?)),
        "bit" => Some(ColumnType::Bit(u8::try_from(number().unwrap_or(1)).ok()?)),
        "uuid" => Some(ColumnType::Uuid),
        _ => None,
    }
}

/// A list of texts in single quotes.
fn members(mut list: &str, escapes: bool) -> Option<Vec<String>> {
    let mut members = Vec::new();
    loop {
        let (member, rest) = quoted_text(list.trim_start(), escapes)?;
        members.push(member);
        match rest.trim_start().strip_prefix(',') {
            Some(more) => list = more,
            None if rest.trim().is_empty() => return Some(members),
            None => return None,
        }
    }
}

/// The text in single quotes at the beginning of `sql`, and what follows it.
pub(crate) fn quoted_text(sql: &str, escapes: bool) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut characters = sql.strip_prefix('\'')?.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '\'' if characters.peek().is_some_and(|(_, next)| *next == '\'') => {
                characters.next();
                text.push('\'');
            }
            '\'' => return Some((text, &sql[at + 2..])),
            '\\' if escapes => text.push(match characters.next()?.1 {
                '0' => '\0',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'b' => '\u{8}',
                'Z' => '\u{1a}',
                other => other,
            }),
            other => text.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_engines_print_is_read() {
        let cases = [
            ("int(11)", "int"),
            ("bigint(20) unsigned", "bigint unsigned"),
            ("tinyint(1)", "tinyint(1)"),
            ("tinyint(4)", "tinyint"),
            ("tinyint(1) unsigned", "tinyint unsigned"),
            ("int(5) unsigned zerofill", "int unsigned"),
            ("decimal(65,30) unsigned", "decimal(65,30) unsigned"),
            ("double(10,2)", "double"),
            ("float unsigned", "float unsigned"),
            ("varchar(60000)", "varchar(60000)"),
            ("year(4)", "year"),
            ("datetime(6)", "datetime(6)"),
            ("time", "time"),
            ("bit(1)", "bit(1)"),
            ("longblob", "longblob"),
            ("set('x','y')", "set('x','y')"),
        ];
        for (text, expected) in cases {
            let read = read_type(text, true);
            assert_eq!(
                read.map(|it| it.to_string()).as_deref(),
                Some(expected),
                "{text}"
            );
        }
        for unknown in [
            "geometry",
            "inet6",
            "int(",
            "varchar",
            "text unsigned",
            "enum(a)",
            "enum('a'",
            "decimal(x)",
            "",
        ] {
            assert_eq!(read_type(unknown, true), None, "{unknown}");
        }
    }

    #[test]
    fn members_with_quotes_commas_and_backslashes() {
        let expected = ["it's", "a,b", "c\\d", ")", ""].map(str::to_owned).to_vec();
        assert_eq!(
            read_type(r"enum('it''s','a,b','c\\d',')','')", true),
            Some(ColumnType::Enum(expected.clone()))
        );
        assert_eq!(
            read_type(r"ENUM('it''s','a,b','c\d',')','')", false),
            Some(ColumnType::Enum(expected))
        );
        assert_eq!(
            quoted_text(r"'a\n\0\'' x", true),
            Some(("a\n\0'".to_owned(), " x"))
        );
    }
}
