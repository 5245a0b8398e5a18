//! Tables and changes as clients write them in JSON, and their parsing.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::check::is_lost;
use super::default::Defaults;
use crate::error::{InvalidInput, escape_pointer};
use crate::gateway::change::{ColumnDraft, ForeignKeyDraft, IndexDraft, TableChange, TableDraft};
use crate::gateway::column_type::ColumnType;
use crate::gateway::name::Identifier;
use crate::gateway::schema::{DefaultValue, ReferentialAction};

/// A table to make.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "ship",
    "columns": [
        {"name": "id", "type": "INT", "auto_increment": true},
        {"name": "name", "type": "VARCHAR(60)", "nullable": false},
        {"name": "draught_m", "type": "DECIMAL(4,2)", "comment": "when loaded"}
    ],
    "primary_key": ["id"],
    "indexes": [{"columns": ["name"], "unique": true}]
}))]
pub struct TableInput {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<ColumnInput>,
    /// The primary key's columns.
    #[serde(default)]
    pub primary_key: Vec<String>,
    /// Its indexes and unique keys.
    #[serde(default)]
    pub indexes: Vec<IndexInput>,
    /// Its foreign keys.
    #[serde(default)]
    pub foreign_keys: Vec<ForeignKeyInput>,
    /// A comment.
    #[serde(default)]
    pub comment: String,
}

/// A column to make.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnInput {
    /// Its name.
    pub name: String,
    /// A MySQL column type as text.
    #[serde(rename = "type")]
    #[schema(example = "VARCHAR(60)")]
    pub column_type: String,
    /// True by default, but for columns of the primary key.
    pub nullable: Option<bool>,
    /// A literal, null, or `CURRENT_TIMESTAMP`.
    #[serde(default, deserialize_with = "present")]
    pub default: Option<serde_json::Value>,
    /// Whether the engine numbers the rows.
    #[serde(default)]
    pub auto_increment: bool,
    /// Whether no two rows may be equal in it.
    #[serde(default)]
    pub unique: bool,
    /// A comment.
    #[serde(default)]
    pub comment: String,
}

/// An index to make.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IndexInput {
    /// Its name; without one it is made from table and columns.
    pub name: Option<String>,
    /// Its columns.
    pub columns: Vec<String>,
    /// Whether no two rows may be equal in them.
    #[serde(default)]
    pub unique: bool,
}

/// A foreign key to make.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForeignKeyInput {
    /// Its name; without one it is made from table and columns.
    pub name: Option<String>,
    /// The columns that refer.
    pub columns: Vec<String>,
    /// The table they refer to, in the same database.
    pub references: String,
    /// The columns they refer to.
    pub referenced_columns: Vec<String>,
    /// `NO ACTION` (the default), `RESTRICT`, `CASCADE` or `SET NULL`.
    pub on_delete: Option<String>,
    /// The same.
    pub on_update: Option<String>,
}

/// A change of a table.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "add_columns": [{"name": "arrived", "type": "DATETIME"}],
    "add_indexes": [{"name": "ship_arrived", "columns": ["arrived"]}]
}))]
pub struct TableChangeInput {
    /// The table's new name.
    pub rename: Option<String>,
    /// Columns to add.
    #[serde(default)]
    pub add_columns: Vec<ColumnInput>,
    /// Columns to drop.
    #[serde(default)]
    pub drop_columns: Vec<String>,
    /// Columns to define anew.
    #[serde(default)]
    pub alter_columns: Vec<ColumnInput>,
    /// Columns to rename, from old to new.
    #[serde(default)]
    pub rename_columns: BTreeMap<String, String>,
    /// Indexes to add.
    #[serde(default)]
    pub add_indexes: Vec<IndexInput>,
    /// Indexes to drop, by name.
    #[serde(default)]
    pub drop_indexes: Vec<String>,
    /// Foreign keys to add.
    #[serde(default)]
    pub add_foreign_keys: Vec<ForeignKeyInput>,
    /// Foreign keys to drop, by name.
    #[serde(default)]
    pub drop_foreign_keys: Vec<String>,
}

/// A member that is there, null included.
fn present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<serde_json::Value>, D::Error> {
    serde_json::Value::deserialize(deserializer).map(Some)
}

impl TableInput {
    /// The table in parsed form, checked in itself.
    ///
    /// # Errors
    /// Every fault, with its pointer.
    pub fn parse(self) -> Result<TableDraft, InvalidInput> {
        let mut faults = InvalidInput::default();
        let name = faults.collect("/name", Identifier::new(&self.name));
        let columns = parse_all(&mut faults, "/columns", self.columns, |column| {
            let in_key = self.primary_key.contains(&column.name);
            column.parse(in_key)
        });
        let indexes = parse_all(&mut faults, "/indexes", self.indexes, IndexInput::parse);
        let foreign_keys = parse_all(
            &mut faults,
            "/foreign_keys",
            self.foreign_keys,
            ForeignKeyInput::parse,
        );
        if self.comment.chars().count() > 2_048 || self.comment.chars().any(is_lost) {
            faults.collect(
                "",
                Err::<(), _>(InvalidInput::member(
                    "comment",
                    "has at most 2,048 characters, no NUL, and none outside Unicode's basic plane, such as emoji",
                )),
            );
        }
        match name {
            Some(name) if faults.errors.is_empty() => {
                let mut draft = TableDraft {
                    name,
                    columns,
                    primary_key: self.primary_key,
                    indexes,
                    foreign_keys,
                    comment: self.comment,
                };
                draft.check("/columns")?;
                Ok(draft)
            }
            _ => Err(faults),
        }
    }
}

impl TableChangeInput {
    /// The change in parsed form; [`TableChange::check`] compares it with the table.
    ///
    /// # Errors
    /// Every fault, with its pointer.
    pub fn parse(self) -> Result<TableChange, InvalidInput> {
        let mut faults = InvalidInput::default();
        let rename = self
            .rename
            .and_then(|name| faults.collect("/rename", Identifier::new(&name)));
        let mut rename_columns = Vec::new();
        for (from, to) in self.rename_columns {
            let pointer = format!("/rename_columns/{}", escape_pointer(&from));
            rename_columns.extend(
                faults
                    .collect(&pointer, Identifier::new(&to))
                    .map(|to| (from, to)),
            );
        }
        let change = TableChange {
            drop_foreign_keys: self.drop_foreign_keys,
            drop_indexes: self.drop_indexes,
            drop_columns: self.drop_columns,
            rename_columns,
            alter_columns: parse_all(
                &mut faults,
                "/alter_columns",
                self.alter_columns,
                |column| column.parse(false),
            ),
            add_columns: parse_all(&mut faults, "/add_columns", self.add_columns, |column| {
                column.parse(false)
            }),
            add_indexes: parse_all(
                &mut faults,
                "/add_indexes",
                self.add_indexes,
                IndexInput::parse,
            ),
            add_foreign_keys: parse_all(
                &mut faults,
                "/add_foreign_keys",
                self.add_foreign_keys,
                ForeignKeyInput::parse,
            ),
            rename,
        };
        faults.into_result()?;
        Ok(change)
    }
}

fn parse_all<I, T>(
    faults: &mut InvalidInput,
    pointer: &str,
    inputs: Vec<I>,
    parse: impl Fn(I) -> Result<T, InvalidInput>,
) -> Vec<T> {
    let mut parsed = Vec::with_capacity(inputs.len());
    for (at, input) in inputs.into_iter().enumerate() {
        parsed.extend(faults.collect(&format!("{pointer}/{at}"), parse(input)));
    }
    parsed
}

impl ColumnInput {
    fn parse(self, in_key: bool) -> Result<ColumnDraft, InvalidInput> {
        let mut faults = InvalidInput::default();
        let name = faults.collect("/name", Identifier::new(&self.name));
        let column_type = faults.collect("/type", ColumnType::parse(&self.column_type));
        let default = match (&self.default, &column_type) {
            (Some(json), Some(column_type)) => {
                let default = Defaults::json(column_type, json)
                    .map_err(|detail| InvalidInput::at("", detail));
                faults.collect("/default", default)
            }
            _ => None,
        };
        let nullable = self.nullable.unwrap_or(!in_key) && !in_key;
        match (name, column_type) {
            (Some(name), Some(column_type)) if faults.errors.is_empty() => Ok(ColumnDraft {
                name,
                column_type,
                nullable,
                // Descriptions show null where there is no default, and can be given back.
                default: default.filter(|it| nullable || *it != DefaultValue::Null),
                auto_increment: self.auto_increment,
                unique: self.unique,
                comment: self.comment,
            }),
            _ => Err(faults),
        }
    }
}

fn optional_name(name: Option<&str>) -> Result<Option<Identifier>, InvalidInput> {
    let mut faults = InvalidInput::default();
    let name = name.map(|name| faults.collect("/name", Identifier::new(name)));
    faults.into_result()?;
    Ok(name.flatten())
}

impl IndexInput {
    fn parse(self) -> Result<IndexDraft, InvalidInput> {
        Ok(IndexDraft {
            name: optional_name(self.name.as_deref())?,
            columns: self.columns,
            unique: self.unique,
        })
    }
}

impl ForeignKeyInput {
    fn parse(self) -> Result<ForeignKeyDraft, InvalidInput> {
        Ok(ForeignKeyDraft {
            name: optional_name(self.name.as_deref())?,
            on_delete: action("on_delete", self.on_delete.as_deref())?,
            on_update: action("on_update", self.on_update.as_deref())?,
            columns: self.columns,
            references: self.references,
            referenced_columns: self.referenced_columns,
        })
    }
}

fn action(member: &str, word: Option<&str>) -> Result<ReferentialAction, InvalidInput> {
    match word.map(ReferentialAction::from_sql) {
        None => Ok(ReferentialAction::NoAction),
        Some(Some(action)) if action != ReferentialAction::SetDefault => Ok(action),
        Some(_) => Err(InvalidInput::member(
            member,
            "must be NO ACTION, RESTRICT, CASCADE or SET NULL",
        )),
    }
}
