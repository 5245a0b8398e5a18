//! Tables as clients see them: the members of the input, and what only the engine knows.

use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use crate::gateway::column_type::{ColumnType, TypeClass};
use crate::gateway::schema::{
    Check, Column, DefaultValue, ForeignKey, Generated, Index, Table, TableKind,
};

/// A table or view, described.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Table, example = json!({
    "name": "ship",
    "kind": "table",
    "columns": [
        {
            "name": "id", "type": "INT", "nullable": false, "default": null,
            "auto_increment": true, "unique": false, "comment": "", "generated": null
        },
        {
            "name": "name", "type": "VARCHAR(60)", "nullable": false, "default": null,
            "auto_increment": false, "unique": true, "comment": "", "generated": null
        }
    ],
    "primary_key": ["id"],
    "indexes": [{"name": "ship_name_key", "columns": ["name"], "unique": true}],
    "foreign_keys": [],
    "checks": [],
    "comment": "",
    "row_estimate": 12
}))]
pub struct TableDescription {
    name: String,
    kind: TableKind,
    columns: Vec<ColumnDescription>,
    primary_key: Vec<String>,
    indexes: Vec<Index>,
    foreign_keys: Vec<ForeignKey>,
    checks: Vec<Check>,
    comment: String,
    row_estimate: Option<u64>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Column)]
struct ColumnDescription {
    name: String,
    #[serde(rename = "type")]
    column_type: String,
    nullable: bool,
    default: Json,
    auto_increment: bool,
    unique: bool,
    comment: String,
    generated: Option<Generated>,
}

impl TableDescription {
    /// Describes a table.
    pub fn of(table: &Table) -> Self {
        Self {
            name: table.name.clone(),
            kind: table.kind,
            columns: table
                .columns
                .iter()
                .map(|column| describe_column(table, column))
                .collect(),
            primary_key: table.primary_key.clone(),
            indexes: table.indexes.clone(),
            foreign_keys: table.foreign_keys.clone(),
            checks: table.checks.clone(),
            comment: table.comment.clone(),
            row_estimate: table.row_estimate,
        }
    }
}

fn describe_column(table: &Table, column: &Column) -> ColumnDescription {
    let alone = |columns: &[String]| columns == [column.name.as_str()];
    ColumnDescription {
        name: column.name.clone(),
        column_type: column.column_type.to_string(),
        nullable: column.nullable,
        default: column.default.as_ref().map_or(Json::Null, |default| {
            describe_default(&column.column_type, default)
        }),
        auto_increment: column.auto_increment,
        unique: table
            .indexes
            .iter()
            .any(|index| index.unique && alone(&index.columns)),
        comment: column.comment.clone(),
        generated: column.generated.clone(),
    }
}

fn describe_default(column_type: &ColumnType, default: &DefaultValue) -> Json {
    match default {
        DefaultValue::Null => Json::Null,
        DefaultValue::CurrentTimestamp { on_update: false } => "CURRENT_TIMESTAMP".into(),
        DefaultValue::CurrentTimestamp { on_update: true } => {
            "CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP".into()
        }
        DefaultValue::Expression(text) => text.as_str().into(),
        DefaultValue::Literal(text) => {
            let text = text.as_str();
            match column_type.class() {
                // The text's own digits, whatever their number.
                TypeClass::Integer | TypeClass::Decimal | TypeClass::Float | TypeClass::Json => {
                    serde_json::from_str(text).unwrap_or_else(|_| text.into())
                }
                TypeClass::Boolean => (text != "0").into(),
                _ => text.into(),
            }
        }
    }
}
