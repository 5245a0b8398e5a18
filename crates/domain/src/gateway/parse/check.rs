//! What the parts of a table must be to each other. The engines differ in what they refuse;
//! here they are alike, so only what all of them can do passes.

use std::collections::HashSet;

use crate::error::InvalidInput;
use crate::gateway::change::{ColumnDraft, ForeignKeyDraft, IndexDraft, TableDraft};
use crate::gateway::column_type::ColumnType;
use crate::gateway::name::Identifier;
use crate::gateway::schema::{DefaultValue, ReferentialAction};

/// InnoDB's limit.
pub(super) const MAX_COLUMNS: usize = 1_017;
/// InnoDB's limits of an index.
const MAX_INDEX_COLUMNS: usize = 16;
/// InnoDB's limit of an index's bytes.
const MAX_INDEX_BYTES: u64 = 3_072;
/// MySQL's limit of a column's comment, in characters.
const MAX_COMMENT: usize = 1_024;

/// A column as the keys see it.
pub(super) struct Shape<'a> {
    pub(super) name: &'a str,
    pub(super) column_type: &'a ColumnType,
    pub(super) nullable: bool,
}

impl<'a> From<&'a ColumnDraft> for Shape<'a> {
    fn from(draft: &'a ColumnDraft) -> Self {
        Self {
            name: draft.name.as_str(),
            column_type: &draft.column_type,
            nullable: draft.nullable,
        }
    }
}

impl TableDraft {
    /// Checks the parts against each other and makes the key's columns not null. Faults of
    /// columns stand below `columns_pointer`.
    pub(super) fn check(&mut self, columns_pointer: &str) -> Result<(), InvalidInput> {
        let mut faults = InvalidInput::default();
        if self.columns.is_empty() {
            faults.collect(columns_pointer, fault("must name one column or more"));
        }
        if self.columns.len() > MAX_COLUMNS {
            faults.collect(
                columns_pointer,
                fault(format!("a table has at most {MAX_COLUMNS} columns")),
            );
        }
        let mut names = HashSet::new();
        for (at, column) in self.columns.iter().enumerate() {
            // MySQL and SQLite both take `a` and `A` for one.
            if !names.insert(column.name.as_str().to_lowercase()) {
                faults.collect(
                    &format!("{columns_pointer}/{at}/name"),
                    fault(format!("the column {} stands there twice", column.name)),
                );
            }
        }
        for column in &mut self.columns {
            if self
                .primary_key
                .iter()
                .any(|key| key == column.name.as_str())
            {
                column.nullable = false;
            }
        }
        let auto: Vec<&ColumnDraft> = self
            .columns
            .iter()
            .filter(|column| column.auto_increment)
            .collect();
        if auto.len() > 1 {
            faults.collect(
                columns_pointer,
                fault("only one column can be auto_increment"),
            );
        }
        for (at, column) in self.columns.iter().enumerate() {
            faults.collect(
                &format!("{columns_pointer}/{at}"),
                check_column(column, &self.primary_key),
            );
        }
        let shapes: Vec<Shape<'_>> = self.columns.iter().map(Shape::from).collect();
        if !self.primary_key.is_empty() {
            faults.collect("/primary_key", check_key_of(&self.primary_key, &shapes));
        }
        for (at, index) in self.indexes.iter().enumerate() {
            faults.collect(
                &format!("/indexes/{at}/columns"),
                check_key_of(&index.columns, &shapes),
            );
        }
        check_names(&mut faults, "/indexes", self.indexes.iter().map(index_name));
        for (at, key) in self.foreign_keys.iter().enumerate() {
            faults.collect(
                &format!("/foreign_keys/{at}"),
                check_foreign_key(key, &shapes),
            );
        }
        check_names(
            &mut faults,
            "/foreign_keys",
            self.foreign_keys.iter().map(foreign_key_name),
        );
        faults.into_result()
    }
}

pub(super) fn fault(detail: impl Into<String>) -> Result<(), InvalidInput> {
    Err(InvalidInput::at("", detail))
}

pub(super) fn index_name(index: &IndexDraft) -> Option<&str> {
    index.name.as_ref().map(Identifier::as_str)
}

pub(super) fn foreign_key_name(key: &ForeignKeyDraft) -> Option<&str> {
    key.name.as_ref().map(Identifier::as_str)
}

pub(super) fn check_names<'a>(
    faults: &mut InvalidInput,
    pointer: &str,
    names: impl Iterator<Item = Option<&'a str>>,
) {
    let mut seen = HashSet::new();
    for name in names.flatten() {
        // MySQL's name of the primary key.
        if name.eq_ignore_ascii_case("primary") {
            faults.collect(pointer, fault("the name PRIMARY is reserved"));
        }
        if !seen.insert(name.to_lowercase()) {
            faults.collect(
                pointer,
                fault(format!("the name {name} stands there twice")),
            );
        }
    }
}

/// Whether a character of a comment would be lost: MySQL and MariaDB put a question mark for
/// what is outside the basic plane.
pub(super) fn is_lost(c: char) -> bool {
    c == '\0' || u32::from(c) > 0xffff
}

pub(super) fn check_column(
    column: &ColumnDraft,
    primary_key: &[String],
) -> Result<(), InvalidInput> {
    let mut faults = InvalidInput::default();
    if column.comment.chars().count() > MAX_COMMENT || column.comment.chars().any(is_lost) {
        faults.collect(
            "/comment",
            fault(format!(
                "a comment has at most {MAX_COMMENT} characters, no NUL, and none outside Unicode's basic plane, such as emoji"
            )),
        );
    }
    if column.auto_increment {
        let is_key = primary_key == [column.name.as_str()];
        if !matches!(column.column_type, ColumnType::Integer { .. }) || !is_key {
            faults.collect(
                "/auto_increment",
                fault("needs a whole number that is the primary key by itself"),
            );
        }
        if column.default.is_some() {
            faults.collect("/default", fault("goes not with auto_increment"));
        }
    }
    if column.default == Some(DefaultValue::Null) && !column.nullable {
        faults.collect(
            "/default",
            fault("null is no default of a column that is not nullable"),
        );
    }
    if column.unique {
        let shape = Shape::from(column);
        faults.collect("/unique", check_index_bytes([&shape].into_iter()));
    }
    faults.into_result()
}

/// Whether the columns can be a key or an index.
pub(super) fn check_key_of(names: &[String], columns: &[Shape<'_>]) -> Result<(), InvalidInput> {
    check_list(names)?;
    let mut found = Vec::with_capacity(names.len());
    for (at, name) in names.iter().enumerate() {
        match columns.iter().find(|column| column.name == name) {
            Some(column) => found.push(column),
            None => {
                return Err(InvalidInput::at(
                    format!("/{at}"),
                    format!("the table has no column {name}"),
                ));
            }
        }
    }
    check_index_bytes(found.into_iter())
}

fn check_list(names: &[String]) -> Result<(), InvalidInput> {
    if names.is_empty() || names.len() > MAX_INDEX_COLUMNS {
        return fault(format!("must name 1 to {MAX_INDEX_COLUMNS} columns"));
    }
    let mut seen = HashSet::new();
    match names.iter().find(|name| !seen.insert(name.as_str())) {
        Some(name) => fault(format!("the column {name} stands there twice")),
        None => Ok(()),
    }
}

/// Whether InnoDB can index the columns together.
pub(super) fn check_index_bytes<'a>(
    columns: impl Iterator<Item = &'a Shape<'a>>,
) -> Result<(), InvalidInput> {
    let mut bytes = 0;
    for column in columns {
        bytes += match column.column_type {
            ColumnType::Text(_) | ColumnType::Blob(_) | ColumnType::Json | ColumnType::Other(_) => {
                return fault(format!(
                    "the column {} of type {} cannot be in a key or index; use varchar or varbinary",
                    column.name, column.column_type
                ));
            }
            ColumnType::Char(length) | ColumnType::Varchar(length) => u64::from(*length) * 4,
            ColumnType::Binary(length) | ColumnType::Varbinary(length) => u64::from(*length),
            _ => 8,
        };
    }
    if bytes > MAX_INDEX_BYTES {
        return fault(format!(
            "the columns together have up to {bytes} bytes; a key or index has at most {MAX_INDEX_BYTES}"
        ));
    }
    Ok(())
}

pub(super) fn check_foreign_key(
    key: &ForeignKeyDraft,
    columns: &[Shape<'_>],
) -> Result<(), InvalidInput> {
    let mut faults = InvalidInput::default();
    faults.collect("/columns", check_list(&key.columns));
    faults.collect("/referenced_columns", check_list(&key.referenced_columns));
    if key.columns.len() != key.referenced_columns.len() {
        faults.collect(
            "/referenced_columns",
            fault("must name as many columns as `columns`"),
        );
    }
    for (at, name) in key.columns.iter().enumerate() {
        match columns.iter().find(|column| column.name == name) {
            None => {
                faults.collect(
                    &format!("/columns/{at}"),
                    fault(format!("the table has no column {name}")),
                );
            }
            // MySQL refuses such a key, SQLite fails with the first parent that goes.
            Some(column) if !column.nullable => {
                for (member, action) in
                    [("/on_delete", key.on_delete), ("/on_update", key.on_update)]
                {
                    if action == ReferentialAction::SetNull {
                        let cannot = format!("SET NULL needs the column {name} to be nullable");
                        faults.collect(member, fault(cannot));
                    }
                }
            }
            Some(_) => {}
        }
    }
    faults.into_result()
}
