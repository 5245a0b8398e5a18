//! Column types as text, `VARCHAR(50)` or `int unsigned`: parsed, never pasted.

use std::collections::HashSet;

use crate::error::InvalidInput;
use crate::gateway::column_type::{ColumnType, LobSize};

/// A piece of a type's text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Number(u32),
    Text(String),
    Symbol(char),
}

impl ColumnType {
    /// Parses a MySQL column type, without case. `integer` is `int`, `numeric` and `dec` are
    /// `decimal`, `bool` and `boolean` are `tinyint(1)`, `real` and `double precision` are
    /// `double`; display widths of whole numbers are dropped.
    ///
    /// # Errors
    /// An unknown type, numbers out of a type's limits, or anything behind the type.
    pub fn parse(text: &str) -> Result<Self, InvalidInput> {
        let fault = |detail: String| InvalidInput::at("", detail);
        let tokens = tokens(text).ok_or_else(|| {
            fault("is not a column type such as `int`, `varchar(50)` or `decimal(10,2)`".to_owned())
        })?;
        Parser {
            tokens: &tokens,
            at: 0,
        }
        .column_type()
        .map_err(fault)
    }
}

/// Takes a text apart; `None` where a character or quote has no business in a type.
fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            c if c.is_ascii_whitespace() => {}
            '(' | ')' | ',' => tokens.push(Token::Symbol(c)),
            '\'' => {
                let mut value = String::new();
                loop {
                    match characters.next()? {
                        '\'' if characters.peek() == Some(&'\'') => {
                            characters.next();
                            value.push('\'');
                        }
                        '\'' => break,
                        c => value.push(c),
                    }
                }
                tokens.push(Token::Text(value));
            }
            c if c.is_ascii_alphanumeric() || c == '_' => {
                let mut word = String::from(c.to_ascii_lowercase());
                while let Some(c) = characters.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
                    word.push(c.to_ascii_lowercase());
                }
                let is_number = word.bytes().all(|b| b.is_ascii_digit());
                tokens.push(if is_number {
                    Token::Number(word.parse().ok()?)
                } else {
                    Token::Word(word)
                });
            }
            _ => return None,
        }
    }
    Some(tokens)
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
}

impl Parser<'_> {
    fn column_type(mut self) -> Result<ColumnType, String> {
        let Some(Token::Word(name)) = self.next().cloned() else {
            return Err("is not a column type".to_owned());
        };
        let column_type = match name.as_str() {
            "tinyint" | "int1" => match self.number()? {
                Some(1) if !self.peek("unsigned") => ColumnType::Boolean,
                _ => self.integer(1)?,
            },
            "smallint" | "int2" => self.sized_integer(2)?,
            "mediumint" | "int3" => self.sized_integer(3)?,
            "int" | "integer" | "int4" => self.sized_integer(4)?,
            "bigint" | "int8" => self.sized_integer(8)?,
            "bool" | "boolean" => ColumnType::Boolean,
            "decimal" | "numeric" | "dec" | "fixed" => self.decimal()?,
            "float" => match self.number()? {
                Some(digits) if digits > 53 => return Err("float takes at most 53 bits".to_owned()),
                Some(digits) if digits > 24 => ColumnType::Double {
                    unsigned: self.unsigned(),
                },
                _ => ColumnType::Float {
                    unsigned: self.unsigned(),
                },
            },
            "double" => {
                self.word("precision");
                ColumnType::Double {
                    unsigned: self.unsigned(),
                }
            }
            "real" => ColumnType::Double {
                unsigned: self.unsigned(),
            },
            "char" | "character" if self.word("varying") => {
                ColumnType::Varchar(self.length("varchar", 16_383)?)
            }
            "char" | "character" => ColumnType::Char(self.optional_length("char", 255)?),
            "varchar" => ColumnType::Varchar(self.length("varchar", 16_383)?),
            "binary" => ColumnType::Binary(self.optional_length("binary", 255)?),
            "varbinary" => ColumnType::Varbinary(self.length("varbinary", 65_532)?),
            "tinytext" => ColumnType::Text(LobSize::Tiny),
            "text" => ColumnType::Text(LobSize::Normal),
            "mediumtext" => ColumnType::Text(LobSize::Medium),
            "longtext" => ColumnType::Text(LobSize::Long),
            "tinyblob" => ColumnType::Blob(LobSize::Tiny),
            "blob" => ColumnType::Blob(LobSize::Normal),
            "mediumblob" => ColumnType::Blob(LobSize::Medium),
            "longblob" => ColumnType::Blob(LobSize::Long),
            "date" => ColumnType::Date,
            "time" => ColumnType::Time(self.fraction("time")?),
            "datetime" => ColumnType::DateTime(self.fraction("datetime")?),
            "timestamp" => ColumnType::Timestamp(self.fraction("timestamp")?),
            "year" => match self.number()? {
                None | Some(4) => ColumnType::Year,
                Some(_) => return Err("year has four digits".to_owned()),
            },
            "json" => ColumnType::Json,
            "uuid" => ColumnType::Uuid,
            "bit" => match self.number()?.unwrap_or(1) {
                bits @ 1..=64 => ColumnType::Bit(u8::try_from(bits).unwrap_or(64)),
                _ => return Err("bit takes 1 to 64 bits".to_owned()),
            },
            "enum" => ColumnType::Enum(self.members("enum", 65_535)?),
            "set" => ColumnType::Set(self.members("set", 64)?),
            other => {
                return Err(format!(
                    "`{}` is not a column type",
                    other.chars().take(40).collect::<String>()
                ));
            }
        };
        match self.next() {
            None => Ok(column_type),
            Some(Token::Word(word)) => Err(format!(
                "`{}` is not supported behind the type {column_type}",
                word.chars().take(40).collect::<String>()
            )),
            Some(_) => Err(format!(
                "nothing more may stand behind the type {column_type}"
            )),
        }
    }

    fn next(&mut self) -> Option<&Token> {
        let token = self.tokens.get(self.at);
        self.at += 1;
        token
    }

    fn peek(&self, word: &str) -> bool {
        matches!(self.tokens.get(self.at), Some(Token::Word(found)) if found == word)
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.peek(word);
        self.at += usize::from(found);
        found
    }

    fn symbol(&mut self, symbol: char) -> bool {
        let found = self.tokens.get(self.at) == Some(&Token::Symbol(symbol));
        self.at += usize::from(found);
        found
    }

    /// `(n)`, if it stands there.
    fn number(&mut self) -> Result<Option<u32>, String> {
        if !self.symbol('(') {
            return Ok(None);
        }
        match (self.next().cloned(), self.symbol(')')) {
            (Some(Token::Number(number)), true) => Ok(Some(number)),
            _ => Err("takes one number in parentheses".to_owned()),
        }
    }

    fn unsigned(&mut self) -> bool {
        let unsigned = self.word("unsigned");
        if !unsigned {
            self.word("signed");
        }
        unsigned
    }

    fn sized_integer(&mut self, bytes: u8) -> Result<ColumnType, String> {
        if self.number()?.is_some_and(|width| width > 255) {
            return Err("a display width has at most 255".to_owned());
        }
        self.integer(bytes)
    }

    #[expect(clippy::unnecessary_wraps, reason = "reads like its kin at the call")]
    fn integer(&mut self, bytes: u8) -> Result<ColumnType, String> {
        Ok(ColumnType::Integer {
            bytes,
            unsigned: self.unsigned(),
        })
    }

    fn decimal(&mut self) -> Result<ColumnType, String> {
        let wrong = || {
            "decimal takes up to 65 digits, of which up to 30 after the point: `decimal(10,2)`"
                .to_owned()
        };
        let (mut precision, mut scale) = (10, 0);
        if self.symbol('(') {
            let Some(Token::Number(number)) = self.next().cloned() else {
                return Err(wrong());
            };
            precision = number;
            if self.symbol(',') {
                let Some(Token::Number(number)) = self.next().cloned() else {
                    return Err(wrong());
                };
                scale = number;
            }
            if !self.symbol(')') {
                return Err(wrong());
            }
        }
        if !(1..=65).contains(&precision) || scale > 30 || scale > precision {
            return Err(wrong());
        }
        let digits = |number: u32| u8::try_from(number).map_err(|_| wrong());
        Ok(ColumnType::Decimal {
            precision: digits(precision)?,
            scale: digits(scale)?,
            unsigned: self.unsigned(),
        })
    }

    fn optional_length(&mut self, name: &str, most: u32) -> Result<u32, String> {
        match self.number()?.unwrap_or(1) {
            length if length <= most => Ok(length),
            _ => Err(format!("{name} takes a length of at most {most}")),
        }
    }

    fn length(&mut self, name: &str, most: u32) -> Result<u32, String> {
        match self.number()? {
            Some(length) if length <= most => Ok(length),
            _ => Err(format!(
                "{name} takes a length of at most {most}: `{name}(50)`"
            )),
        }
    }

    fn fraction(&mut self, name: &str) -> Result<u8, String> {
        match self.number()?.unwrap_or(0) {
            digits @ 0..=6 => Ok(u8::try_from(digits).unwrap_or(6)),
            _ => Err(format!("{name} takes at most 6 digits of a second")),
        }
    }

    fn members(&mut self, name: &str, most: usize) -> Result<Vec<String>, String> {
        let wrong = || format!("{name} takes a list of texts in single quotes: `{name}('a','b')`");
        if !self.symbol('(') {
            return Err(wrong());
        }
        let mut members: Vec<String> = Vec::new();
        let mut seen = HashSet::new();
        loop {
            let Some(Token::Text(member)) = self.next().cloned() else {
                return Err(wrong());
            };
            if member.chars().count() > 255
                || member.chars().any(char::is_control)
                || member.ends_with(' ')
            {
                return Err(format!(
                    "a member of {name} has at most 255 characters, no control character and no blank at its end"
                ));
            }
            // MySQL and MariaDB put a question mark for those.
            if member.chars().any(|c| u32::from(c) > 0xffff) {
                return Err(format!(
                    "a member of {name} holds no characters outside Unicode's basic plane, such as emoji"
                ));
            }
            // MySQL reads it as an escape, the standard and SQLite do not.
            if member.contains('\\') {
                return Err(format!("a member of {name} holds no backslash"));
            }
            if name == "set" && (member.contains(',') || member.is_empty()) {
                return Err("a member of a set is not empty and holds no comma".to_owned());
            }
            if !seen.insert(member.to_lowercase()) {
                return Err(format!("{name} has the member `{member}` twice"));
            }
            if members.len() >= most {
                return Err(format!("{name} takes at most {most} members"));
            }
            members.push(member);
            match self.next() {
                Some(Token::Symbol(',')) => {}
                Some(Token::Symbol(')')) => break,
                _ => return Err(wrong()),
            }
        }
        Ok(members)
    }
}
