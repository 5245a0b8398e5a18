//! How column types are kept on SQLite, which knows only affinities.
//!
//! The declared type of a column is its logical type. Where SQLite would derive the wrong
//! affinity from the words, the type is one quoted name that ends in ` TEXT` or ` BLOB`, and
//! any `int` in it (which SQLite takes for a whole number whatever else is there) is written
//! `%69nt`, a percent sign `%25`. A CHECK on the column, named [`TYPE_CHECK`], enforces what
//! the affinity does not.

use tidegate_domain::gateway::column_type::{ColumnType, LobSize};

use super::super::ddl::{sqlite_name, sqlite_text};
use super::super::type_text::read_type;

/// The name of the CHECKs that enforce a type; descriptions leave them out.
pub(crate) const TYPE_CHECK: &str = "_tidegate_type";

/// What values of a type are on SQLite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    /// `INTEGER`: whole numbers up to 64 bits with sign, booleans, years.
    Integer,
    /// `REAL`.
    Real,
    /// `TEXT`, compared by code point.
    Text,
    /// `TEXT` that holds a number and compares as one (`COLLATE decimal`): decimals, bits and
    /// `bigint unsigned`. A column that numbers its rows is `Integer` whatever its type.
    Number,
    /// `BLOB`.
    Blob,
    /// Whatever the engine has.
    Any,
}

/// How values of a type are kept in a column that does not number its rows.
pub(crate) fn storage(column_type: &ColumnType) -> Storage {
    match column_type {
        ColumnType::Integer {
            bytes: 8,
            unsigned: true,
        }
        | ColumnType::Decimal { .. }
        | ColumnType::Bit(_) => Storage::Number,
        ColumnType::Integer { .. } | ColumnType::Boolean | ColumnType::Year => Storage::Integer,
        ColumnType::Float { .. } | ColumnType::Double { .. } => Storage::Real,
        ColumnType::Binary(_) | ColumnType::Varbinary(_) | ColumnType::Blob(_) => Storage::Blob,
        ColumnType::Other(_) => Storage::Any,
        _ => Storage::Text,
    }
}

/// The type as it is declared, collation included.
pub(crate) fn declaration(column_type: &ColumnType) -> String {
    let named = |suffix: &str| sqlite_name(&format!("{} {suffix}", hide(&column_type.to_string())));
    match (storage(column_type), column_type) {
        (Storage::Number, _) => format!("{} COLLATE decimal", named("TEXT")),
        (Storage::Text, ColumnType::Char(_) | ColumnType::Varchar(_) | ColumnType::Text(_)) => {
            column_type.to_string()
        }
        // Times go below zero and over 99 hours, which texts do not order.
        (Storage::Text, ColumnType::Time(_)) => format!("{} COLLATE time", named("TEXT")),
        (Storage::Text, _) => named("TEXT"),
        (Storage::Blob, ColumnType::Binary(_) | ColumnType::Varbinary(_)) => named("BLOB"),
        _ => column_type.to_string(),
    }
}

/// The logical type of a declared one, as SQLite reports it (without its quotes). `enforced`
/// says whether the column carries [`TYPE_CHECK`]: without it the words are somebody else's,
/// and only what no value can contradict is taken from them.
pub(crate) fn logical(declared: &str, enforced: bool) -> ColumnType {
    for suffix in [" TEXT", " BLOB"] {
        if let Some(column_type) = declared
            .strip_suffix(suffix)
            .and_then(|text| read_type(&show(text), false))
            && matches!(
                storage(&column_type),
                Storage::Text | Storage::Number | Storage::Blob
            )
        {
            return column_type;
        }
    }
    match read_type(declared, false) {
        Some(column_type) if enforced => return column_type,
        // SQLite keeps lengths for nobody, but texts are texts and bytes are bytes.
        Some(
            column_type @ (ColumnType::Char(_)
            | ColumnType::Varchar(_)
            | ColumnType::Text(_)
            | ColumnType::Blob(_)),
        ) => {
            return column_type;
        }
        Some(ColumnType::Boolean) => return ColumnType::Boolean,
        _ => {}
    }
    by_affinity(declared)
}

/// SQLite's rules (its documentation, "Determination Of Column Affinity"), in their order.
/// NUMERIC may hold anything, so its columns are shown as they are.
fn by_affinity(declared: &str) -> ColumnType {
    let upper = declared.to_ascii_uppercase();
    let has = |words: &[&str]| words.iter().any(|word| upper.contains(word));
    if has(&["INT"]) {
        ColumnType::Integer {
            bytes: 8,
            unsigned: false,
        }
    } else if has(&["CHAR", "CLOB", "TEXT"]) {
        ColumnType::Text(LobSize::Normal)
    } else if has(&["BLOB"]) {
        ColumnType::Blob(LobSize::Normal)
    } else if has(&["REAL", "FLOA", "DOUB"]) {
        ColumnType::Double { unsigned: false }
    } else {
        ColumnType::Other(declared.to_ascii_lowercase())
    }
}

/// The condition that a column's values must fulfil, null aside; `column` is quoted.
pub(crate) fn condition(column: &str, column_type: &ColumnType, numbers_rows: bool) -> String {
    let typed = |name: &str| format!("typeof({column}) IN ('{name}', 'null')");
    let storage = if numbers_rows {
        Storage::Integer
    } else {
        storage(column_type)
    };
    let base = match storage {
        Storage::Integer => typed("integer"),
        Storage::Real => typed("real"),
        Storage::Text | Storage::Number => typed("text"),
        Storage::Blob => typed("blob"),
        Storage::Any => return "1".to_owned(),
    };
    let sign = |unsigned: &bool| {
        if *unsigned {
            format!(" AND {column} >= 0")
        } else {
            String::new()
        }
    };
    let more = match column_type {
        ColumnType::Boolean => format!(" AND {column} IN (0, 1)"),
        ColumnType::Integer {
            bytes: 8,
            unsigned: true,
        } if !numbers_rows => whole_number(column, u64::MAX),
        ColumnType::Integer { bytes: 8, unsigned } => sign(unsigned),
        ColumnType::Integer { .. } | ColumnType::Year => column_type
            .integer_range()
            .map(|(least, largest)| format!(" AND {column} BETWEEN {least} AND {largest}"))
            .unwrap_or_default(),
        ColumnType::Decimal {
            precision,
            scale,
            unsigned,
        } => decimal(column, *precision, *scale, *unsigned),
        ColumnType::Float { unsigned } | ColumnType::Double { unsigned } => sign(unsigned),
        ColumnType::Char(length) | ColumnType::Varchar(length) => {
            format!(" AND length({column}) <= {length}")
        }
        ColumnType::Binary(length) | ColumnType::Varbinary(length) => {
            format!(" AND length({column}) <= {length}")
        }
        ColumnType::Text(size) | ColumnType::Blob(size) if *size != LobSize::Long => {
            format!(
                " AND length(CAST({column} AS BLOB)) <= {}",
                size.max_bytes()
            )
        }
        ColumnType::Json => format!(" AND json_valid({column})"),
        ColumnType::Enum(members) => {
            format!(
                " AND {column} IN ({})",
                members
                    .iter()
                    .map(|it| sqlite_text(it))
                    .collect::<Vec<_>>()
                    .join(", ")
            )
        }
        // Each member found is taken out, between commas of its own; nothing may be left.
        ColumnType::Set(members) => {
            let doubled = format!("',' || replace({column}, ',', ',,') || ','");
            let left = members.iter().fold(doubled, |rest, member| {
                format!(
                    "replace({rest}, {}, '')",
                    sqlite_text(&format!(",{member},"))
                )
            });
            format!(" AND ({column} = '' OR {left} = '')")
        }
        ColumnType::Bit(bits) => {
            whole_number(column, u64::MAX >> (64 - u32::from((*bits).clamp(1, 64))))
        }
        ColumnType::Uuid => format!(" AND length({column}) = 36"),
        _ => String::new(),
    };
    format!("{base}{more}")
}

/// A text of digits, without leading zeros, not over `largest`.
fn whole_number(column: &str, largest: u64) -> String {
    let largest = largest.to_string();
    let length = largest.len();
    format!(
        " AND {column} NOT GLOB '*[^0-9]*' AND ({column} = '0' OR {column} GLOB '[1-9]*') \
         AND (length({column}) < {length} OR length({column}) = {length} AND {column} <= '{largest}' COLLATE BINARY)"
    )
}

/// A canonical decimal: sign, digits, and exactly `scale` digits after the point.
fn decimal(column: &str, precision: u8, scale: u8, unsigned: bool) -> String {
    let digits = format!("ltrim({column}, '-')");
    let sign = if unsigned {
        format!(" AND {column} NOT GLOB '-*'")
    } else {
        format!(" AND {column} NOT GLOB '?*-*'")
    };
    // One digit stands before the point even where the precision leaves room for none.
    let before = u32::from(precision.saturating_sub(scale).max(1));
    let after = usize::from(scale);
    if after == 0 {
        format!(
            "{sign} AND {digits} NOT GLOB '*[^0-9]*' AND length({digits}) BETWEEN 1 AND {before}"
        )
    } else {
        let width = after + 1;
        format!(
            "{sign} AND {digits} NOT GLOB '*[^0-9.]*' AND {digits} GLOB '[0-9]*.{}' AND {digits} NOT GLOB '*.*.*' \
             AND length({digits}) BETWEEN {} AND {}",
            "[0-9]".repeat(after),
            width + 1,
            width + before as usize,
        )
    }
}

fn hide(text: &str) -> String {
    let text = text.replace('%', "%25");
    let mut hidden = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.to_ascii_lowercase().find("int") {
        hidden.push_str(&rest[..at]);
        hidden.push_str(if rest[at..].starts_with('i') {
            "%69"
        } else {
            "%49"
        });
        rest = &rest[at + 1..];
    }
    hidden + rest
}

fn show(text: &str) -> String {
    text.replace("%69", "i")
        .replace("%49", "I")
        .replace("%25", "%")
}

#[cfg(test)]
mod tests;
