//! Column types: MySQL's, which are Tidegate's logical types on every engine.

use std::fmt;

/// A column's logical type. `Display` prints it in one canonical form (lower case, no display
/// widths but `tinyint(1)`), which is what descriptions show on every engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnType {
    /// `tinyint` to `bigint`.
    Integer {
        /// How many bytes wide: 1, 2, 3, 4 or 8.
        bytes: u8,
        /// Whether negative numbers are excluded.
        unsigned: bool,
    },
    /// `tinyint(1)`, which clients see as true and false.
    Boolean,
    /// `decimal(precision, scale)`: exact, up to 65 digits, 30 of them after the point.
    Decimal {
        /// All digits.
        precision: u8,
        /// Digits after the point.
        scale: u8,
        /// Whether negative numbers are excluded.
        unsigned: bool,
    },
    /// `float`: 4 bytes.
    Float {
        /// Whether negative numbers are excluded.
        unsigned: bool,
    },
    /// `double`: 8 bytes.
    Double {
        /// Whether negative numbers are excluded.
        unsigned: bool,
    },
    /// `char(n)`: n characters, 0 to 255.
    Char(u32),
    /// `varchar(n)`: n characters, 0 to 16,383 (65,535 bytes of utf8mb4 a row).
    Varchar(u32),
    /// `tinytext` to `longtext`.
    Text(LobSize),
    /// `binary(n)`: n bytes, padded with zeros, 0 to 255.
    Binary(u32),
    /// `varbinary(n)`: n bytes, 0 to 65,532 (what a row of MySQL has room for).
    Varbinary(u32),
    /// `tinyblob` to `longblob`.
    Blob(LobSize),
    /// `date`: 0000-01-01 to 9999-12-31.
    Date,
    /// `time(p)`: -838:59:59 to 838:59:59.
    Time(u8),
    /// `datetime(p)`: a date and time without zone, p digits of a second, 0 to 6.
    DateTime(u8),
    /// `timestamp(p)`: an instant, 1970-01-01T00:00:01Z to 2038-01-19T03:14:07Z.
    Timestamp(u8),
    /// `year`: 1901 to 2155, and 0.
    Year,
    /// `json`.
    Json,
    /// `enum('a','b')`: one of 1 to 65,535 texts.
    Enum(Vec<String>),
    /// `set('a','b')`: any of 1 to 64 texts.
    Set(Vec<String>),
    /// `bit(n)`: n bits, 1 to 64.
    Bit(u8),
    /// `uuid`: 36 characters, in lower case.
    Uuid,
    /// A type of a table made elsewhere that Tidegate can only show as it is (`geometry`, an
    /// SQLite column without type). Its values are read as the engine gives them.
    Other(String),
}

/// Which of MySQL's four sizes a text or blob has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LobSize {
    /// 255 bytes.
    Tiny,
    /// 65,535 bytes.
    Normal,
    /// 16,777,215 bytes.
    Medium,
    /// 4,294,967,295 bytes.
    Long,
}

impl LobSize {
    /// The size in bytes.
    pub fn max_bytes(self) -> u64 {
        match self {
            LobSize::Tiny => 255,
            LobSize::Normal => 65_535,
            LobSize::Medium => 16_777_215,
            LobSize::Long => 4_294_967_295,
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            LobSize::Tiny => "tiny",
            LobSize::Normal => "",
            LobSize::Medium => "medium",
            LobSize::Long => "long",
        }
    }
}

/// How values of a type compare and travel; several types share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeClass {
    /// Whole numbers, `year` among them.
    Integer,
    /// True and false.
    Boolean,
    /// Exact numbers with a fraction.
    Decimal,
    /// Binary floating point.
    Float,
    /// Texts, compared by code point; `enum`, `set` and `uuid` among them.
    Text,
    /// Bytes.
    Bytes,
    /// Dates, times and instants.
    Temporal,
    /// JSON documents.
    Json,
    /// Bit strings.
    Bits,
    /// What only the engine understands.
    Other,
}

impl ColumnType {
    /// How its values compare.
    pub fn class(&self) -> TypeClass {
        match self {
            Self::Integer { .. } | Self::Year => TypeClass::Integer,
            Self::Boolean => TypeClass::Boolean,
            Self::Decimal { .. } => TypeClass::Decimal,
            Self::Float { .. } | Self::Double { .. } => TypeClass::Float,
            Self::Char(_)
            | Self::Varchar(_)
            | Self::Text(_)
            | Self::Enum(_)
            | Self::Set(_)
            | Self::Uuid => TypeClass::Text,
            Self::Binary(_) | Self::Varbinary(_) | Self::Blob(_) => TypeClass::Bytes,
            Self::Date | Self::Time(_) | Self::DateTime(_) | Self::Timestamp(_) => {
                TypeClass::Temporal
            }
            Self::Json => TypeClass::Json,
            Self::Bit(_) => TypeClass::Bits,
            Self::Other(_) => TypeClass::Other,
        }
    }

    /// The least and the largest whole number of an integer type.
    pub fn integer_range(&self) -> Option<(i128, i128)> {
        match self {
            Self::Integer { bytes, unsigned } => {
                let bits = u32::from(*bytes) * 8;
                Some(if *unsigned {
                    (0, (1_i128 << bits) - 1)
                } else {
                    (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1)
                })
            }
            Self::Year => Some((0, 2155)),
            _ => None,
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = |unsigned: &bool| if *unsigned { " unsigned" } else { "" };
        let precision = |name: &str, digits: &u8| match digits {
            0 => name.to_owned(),
            digits => format!("{name}({digits})"),
        };
        match self {
            Self::Integer { bytes, unsigned } => {
                let name = match bytes {
                    1 => "tinyint",
                    2 => "smallint",
                    3 => "mediumint",
                    4 => "int",
                    _ => "bigint",
                };
                write!(f, "{name}{}", sign(unsigned))
            }
            Self::Boolean => f.write_str("tinyint(1)"),
            Self::Decimal {
                precision,
                scale,
                unsigned,
            } => write!(f, "decimal({precision},{scale}){}", sign(unsigned)),
            Self::Float { unsigned } => write!(f, "float{}", sign(unsigned)),
            Self::Double { unsigned } => write!(f, "double{}", sign(unsigned)),
            Self::Char(length) => write!(f, "char({length})"),
            Self::Varchar(length) => write!(f, "varchar({length})"),
            Self::Text(size) => write!(f, "{}text", size.prefix()),
            Self::Binary(length) => write!(f, "binary({length})"),
            Self::Varbinary(length) => write!(f, "varbinary({length})"),
            Self::Blob(size) => write!(f, "{}blob", size.prefix()),
            Self::Date => f.write_str("date"),
            Self::Time(digits) => f.write_str(&precision("time", digits)),
            Self::DateTime(digits) => f.write_str(&precision("datetime", digits)),
            Self::Timestamp(digits) => f.write_str(&precision("timestamp", digits)),
            Self::Year => f.write_str("year"),
            Self::Json => f.write_str("json"),
            Self::Enum(values) => write!(f, "enum({})", quoted_list(values)),
            Self::Set(values) => write!(f, "set({})", quoted_list(values)),
            Self::Bit(bits) => write!(f, "bit({bits})"),
            Self::Uuid => f.write_str("uuid"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

/// Texts in single quotes with inner quotes doubled, comma separated, as MySQL prints them.
fn quoted_list(values: &[String]) -> String {
    values
        .iter()
        .map(|value| format!("'{}'", value.replace('\'', "''")))
        .collect::<Vec<_>>()
        .join(",")
}
