//! The parameters that all tables share, by the names that both documents give them.

use tidegate_domain::gateway::schema::{Column, Table};

/// Where a parameter is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum In {
    Query,
    Header,
}

impl In {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Header => "header",
        }
    }
}

/// A parameter.
pub(super) struct Parameter {
    /// The key under which operations refer to it.
    pub(super) key: &'static str,
    /// The name in the request.
    pub(super) name: &'static str,
    pub(super) place: In,
    pub(super) description: &'static str,
    /// The values that it has; empty: any text.
    pub(super) values: &'static [&'static str],
    pub(super) default: Option<&'static str>,
}

const fn text(
    key: &'static str,
    name: &'static str,
    place: In,
    description: &'static str,
) -> Parameter {
    Parameter {
        key,
        name,
        place,
        description,
        values: &[],
        default: None,
    }
}

const fn prefer(key: &'static str, values: &'static [&'static str]) -> Parameter {
    Parameter {
        key,
        name: "Prefer",
        place: In::Header,
        description: "Preference",
        values,
        default: None,
    }
}

/// All of them.
pub(super) const SHARED: [Parameter; 12] = [
    prefer("preferParams", &["params=single-object"]),
    prefer(
        "preferReturn",
        &[
            "return=representation",
            "return=minimal",
            "return=headers-only",
        ],
    ),
    prefer(
        "preferCount",
        &["count=exact", "count=planned", "count=estimated"],
    ),
    prefer(
        "preferPost",
        &[
            "return=representation",
            "return=minimal",
            "return=headers-only",
            "resolution=ignore-duplicates",
            "resolution=merge-duplicates",
            "missing=default",
            "missing=null",
        ],
    ),
    text("select", "select", In::Query, "Filtering Columns"),
    text("on_conflict", "on_conflict", In::Query, "On Conflict"),
    text(
        "columns",
        "columns",
        In::Query,
        "Columns of the body that count",
    ),
    text("order", "order", In::Query, "Ordering"),
    text("range", "Range", In::Header, "Limiting and Pagination"),
    Parameter {
        key: "rangeUnit",
        name: "Range-Unit",
        place: In::Header,
        description: "Limiting and Pagination",
        values: &[],
        default: Some("items"),
    },
    text("offset", "offset", In::Query, "Limiting and Pagination"),
    text("limit", "limit", In::Query, "Limiting and Pagination"),
];

/// What a read takes beside filters, by key.
pub(super) const READING: [&str; 7] = [
    "select",
    "order",
    "range",
    "rangeUnit",
    "offset",
    "limit",
    "preferCount",
];

/// What an insert takes.
pub(super) const INSERTING: [&str; 4] = ["select", "columns", "on_conflict", "preferPost"];

/// What a change or deletion takes beside filters.
pub(super) const CHANGING: [&str; 2] = ["select", "preferReturn"];

/// Whether a name in a query means something else than a column.
pub(super) fn reserved(name: &str) -> bool {
    ["and", "or"].contains(&name)
        || SHARED
            .iter()
            .any(|it| it.place == In::Query && it.name == name)
}

/// The columns by which rows can be filtered.
pub(super) fn filterable(table: &Table) -> impl Iterator<Item = &Column> {
    table.columns.iter().filter(|it| !reserved(&it.name))
}

/// A name as part of a key of a document: only letters, digits and `_` stay, and no two names
/// become the same.
pub(super) fn key(name: &str) -> String {
    let mut key = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            key.push(char::from(byte));
        } else {
            key.push_str(&format!("-{byte:02X}"));
        }
    }
    key
}

/// The key of the filter of a column.
pub(super) fn filter_key(table: &str, column: &str) -> String {
    format!("rowFilter.{}.{}", key(table), key(column))
}
