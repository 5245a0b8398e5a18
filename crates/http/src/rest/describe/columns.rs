//! What a column is to clients: its JSON type, the name of its type as PostgreSQL calls it,
//! its default, its limits, and what its description says of keys.

use serde_json::{Map, Value, json};
use tidegate_domain::gateway::column_type::ColumnType;
use tidegate_domain::gateway::schema::{Column, DefaultValue, Table};

/// The members of a schema that a type has in both documents: `type`, `format` and limits.
/// Clients read `format` as the name of a type of PostgreSQL.
pub(super) fn type_members(column_type: &ColumnType) -> Map<String, Value> {
    let (kind, format) = match column_type {
        ColumnType::Boolean => (Some("boolean"), "boolean"),
        ColumnType::Integer { bytes: 1 | 2, .. } | ColumnType::Year => {
            (Some("integer"), "smallint")
        }
        ColumnType::Integer { bytes: 3 | 4, .. } => (Some("integer"), "integer"),
        ColumnType::Integer { .. } => (Some("integer"), "bigint"),
        ColumnType::Decimal { .. } => (Some("number"), "numeric"),
        ColumnType::Float { .. } => (Some("number"), "real"),
        ColumnType::Double { .. } => (Some("number"), "double precision"),
        ColumnType::Char(_) => (Some("string"), "character"),
        ColumnType::Varchar(_) => (Some("string"), "character varying"),
        ColumnType::Text(_) | ColumnType::Enum(_) | ColumnType::Set(_) => (Some("string"), "text"),
        ColumnType::Binary(_) | ColumnType::Varbinary(_) | ColumnType::Blob(_) => {
            (Some("string"), "bytea")
        }
        ColumnType::Date => (Some("string"), "date"),
        ColumnType::Time(_) => (Some("string"), "time without time zone"),
        ColumnType::DateTime(_) => (Some("string"), "timestamp without time zone"),
        ColumnType::Timestamp(_) => (Some("string"), "timestamp with time zone"),
        ColumnType::Json => (None, "json"),
        ColumnType::Bit(_) => (None, "bit"),
        ColumnType::Uuid => (Some("string"), "uuid"),
        ColumnType::Other(name) => (None, name.as_str()),
    };
    let mut members = Map::new();
    if let Some(kind) = kind {
        members.insert("type".into(), json!(kind));
    }
    members.insert("format".into(), json!(format));
    match column_type {
        ColumnType::Char(length) | ColumnType::Varchar(length) => {
            members.insert("maxLength".into(), json!(length));
        }
        ColumnType::Enum(values) => {
            members.insert("enum".into(), json!(values));
        }
        _ => {}
    }
    members
}

/// The default, where it is a constant.
pub(super) fn default(column: &Column) -> Option<Value> {
    let Some(DefaultValue::Literal(text)) = &column.default else {
        return None;
    };
    Some(match &column.column_type {
        ColumnType::Boolean => json!(text == "1" || text == "true"),
        ColumnType::Integer { .. }
        | ColumnType::Year
        | ColumnType::Decimal { .. }
        | ColumnType::Float { .. }
        | ColumnType::Double { .. }
        | ColumnType::Json => serde_json::from_str(text).ok()?,
        // How these are written in rows is not how they are written here.
        ColumnType::Binary(_)
        | ColumnType::Varbinary(_)
        | ColumnType::Blob(_)
        | ColumnType::Bit(_)
        | ColumnType::Other(_) => return None,
        _ => json!(text),
    })
}

/// The comment, and what the column is to the keys of its table, in the words that clients look for.
pub(super) fn description(table: &Table, column: &Column) -> Option<String> {
    let mut notes = Vec::new();
    if table.primary_key.contains(&column.name) {
        notes.push("This is a Primary Key.<pk/>".to_owned());
    }
    let refers = table.foreign_keys.iter().find_map(|key| {
        let [from] = key.columns.as_slice() else {
            return None;
        };
        let to = key.referenced_columns.first()?;
        (*from == column.name).then_some((&key.references, to))
    });
    if let Some((to, at)) = refers {
        notes.push(format!(
            "This is a Foreign Key to `{to}.{at}`.<fk table='{to}' column='{at}'/>"
        ));
    }
    let comment = column.comment.trim();
    let mut parts = Vec::new();
    if !comment.is_empty() {
        parts.push(comment.to_owned());
    }
    if !notes.is_empty() {
        parts.push(format!("Note:\n{}", notes.join("\n")));
    }
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}

/// The names of the columns that always have a value.
pub(super) fn required(table: &Table) -> Vec<&str> {
    table
        .columns
        .iter()
        .filter(|column| !column.nullable)
        .map(|column| column.name.as_str())
        .collect()
}
