//! Drafts and changes, completed: every index and key has its name, and a table looks as
//! its description will look. Both printers work from this form, so that the engines agree.

use std::collections::HashMap;

use tidegate_domain::gateway::change::{
    ColumnDraft, ForeignKeyDraft, IndexDraft, TableChange, TableDraft,
};
use tidegate_domain::gateway::column_type::{ColumnType, TypeClass};
use tidegate_domain::gateway::name::DatabaseName;
use tidegate_domain::gateway::schema::{Column, DefaultValue, ForeignKey, Index, Table, TableKind};

use super::super::literal::literal_default;

/// The longest name all engines take.
const LONGEST_NAME: usize = 64;

/// A change with what comes of it.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    /// The table afterwards.
    pub(crate) after: Table,
    /// The indexes that are new, those of unique columns and foreign keys among them.
    pub(crate) added_indexes: Vec<Index>,
    /// The foreign keys that are new.
    pub(crate) added_foreign_keys: Vec<ForeignKey>,
}

/// The table that a draft describes.
pub(crate) fn table(database: &DatabaseName, draft: &TableDraft) -> Table {
    let mut table = Table {
        database: database.clone(),
        name: draft.name.as_str().to_owned(),
        kind: TableKind::Table,
        writable: true,
        columns: draft
            .columns
            .iter()
            .map(|column| self::column(column, &draft.primary_key))
            .collect(),
        primary_key: draft.primary_key.clone(),
        indexes: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        comment: draft.comment.clone(),
        row_estimate: None,
    };
    let unique = draft.columns.iter().filter(|column| column.unique);
    add_indexes(
        &mut table,
        unique
            .map(unique_index)
            .chain(draft.indexes.iter().cloned())
            .collect(),
    );
    add_foreign_keys(&mut table, &draft.foreign_keys);
    table
}

/// What a change makes of a table.
pub(crate) fn change(current: &Table, change: &TableChange) -> Change {
    let mut after = current.clone();
    after
        .foreign_keys
        .retain(|key| !change.drop_foreign_keys.contains(&key.name));
    after
        .indexes
        .retain(|index| !change.drop_indexes.contains(&index.name));
    let dropped = |name: &String| change.drop_columns.contains(name);
    after.columns.retain(|column| !dropped(&column.name));
    // An index goes with its last column; one that loses only some is refused by the guard.
    after
        .indexes
        .retain(|index| index.columns.is_empty() || !index.columns.iter().all(dropped));
    rename_columns(&mut after, change);
    let mut new_indexes = Vec::new();
    for draft in &change.alter_columns {
        let key = after.primary_key.clone();
        if let Some(at) = after.column_index(draft.name.as_str()) {
            let old = &after.columns[at];
            // The collation of a table made elsewhere stays where it still has a meaning.
            let collation = old
                .collation
                .clone()
                .filter(|_| keeps_collation(&old.column_type, &draft.column_type));
            after.columns[at] = Column {
                collation,
                ..column(draft, &key)
            };
        }
        let alone = |index: &Index| index.unique && index.columns == [draft.name.as_str()];
        if draft.unique && !after.indexes.iter().any(alone) && key != [draft.name.as_str()] {
            new_indexes.push(unique_index(draft));
        }
    }
    after
        .columns
        .extend(change.add_columns.iter().map(|draft| column(draft, &[])));
    new_indexes.extend(
        change
            .add_columns
            .iter()
            .filter(|draft| draft.unique)
            .map(unique_index),
    );
    new_indexes.extend(change.add_indexes.iter().cloned());
    let mut added_indexes = add_indexes(&mut after, new_indexes);
    let (added_foreign_keys, indexes) = add_foreign_keys(&mut after, &change.add_foreign_keys);
    added_indexes.extend(indexes);
    if let Some(name) = &change.rename {
        for key in &mut after.foreign_keys {
            if key.references == after.name {
                key.references = name.as_str().to_owned();
            }
        }
        after.name = name.as_str().to_owned();
    }
    Change {
        after,
        added_indexes,
        added_foreign_keys,
    }
}

fn rename_columns(table: &mut Table, change: &TableChange) {
    let names: HashMap<&str, &str> = change
        .rename_columns
        .iter()
        .map(|(from, to)| (from.as_str(), to.as_str()))
        .collect();
    let rename = |name: &mut String| {
        if let Some(to) = names.get(name.as_str()) {
            *name = (*to).to_owned();
        }
    };
    table
        .columns
        .iter_mut()
        .for_each(|column| rename(&mut column.name));
    table.primary_key.iter_mut().for_each(rename);
    table
        .indexes
        .iter_mut()
        .for_each(|index| index.columns.iter_mut().for_each(rename));
    for key in &mut table.foreign_keys {
        key.columns.iter_mut().for_each(rename);
        if key.references == table.name {
            key.referenced_columns.iter_mut().for_each(rename);
        }
    }
}

fn column(draft: &ColumnDraft, key: &[String]) -> Column {
    let name = draft.name.as_str().to_owned();
    Column {
        nullable: draft.nullable && !draft.auto_increment && !key.contains(&name),
        name,
        column_type: draft.column_type.clone(),
        default: match draft.default.clone() {
            // An explicit null says no more than no default at all, and not every engine keeps it.
            Some(DefaultValue::Null) => None,
            // In the very form in which a description shows it.
            Some(DefaultValue::Literal(text)) => Some(literal_default(&draft.column_type, &text)),
            other => other,
        },
        base: None,
        auto_increment: draft.auto_increment,
        generated: None,
        comment: draft.comment.clone(),
        collation: None,
    }
}

fn keeps_collation(old: &ColumnType, new: &ColumnType) -> bool {
    let has_one = |it: &ColumnType| it.class() == TypeClass::Text && *it != ColumnType::Uuid;
    has_one(old) && has_one(new)
}

fn unique_index(column: &ColumnDraft) -> IndexDraft {
    IndexDraft {
        name: None,
        columns: vec![column.name.as_str().to_owned()],
        unique: true,
    }
}

/// Adds indexes under their own or free names; gives those added.
fn add_indexes(table: &mut Table, drafts: Vec<IndexDraft>) -> Vec<Index> {
    // Names that clients chose are taken before any is made up.
    let mut taken: Vec<String> = table
        .indexes
        .iter()
        .map(|index| index.name.clone())
        .collect();
    taken.extend(
        drafts
            .iter()
            .filter_map(|draft| Some(draft.name.as_ref()?.as_str().to_owned())),
    );
    let mut added = Vec::new();
    for draft in drafts {
        let name = match &draft.name {
            Some(name) => name.as_str().to_owned(),
            None => free_name(
                &table.name,
                &draft.columns,
                if draft.unique { "key" } else { "idx" },
                &mut taken,
            ),
        };
        added.push(Index {
            name,
            columns: draft.columns,
            unique: draft.unique,
        });
    }
    table.indexes.extend(added.iter().cloned());
    added
}

/// Adds foreign keys, each with an index for it where there is none that begins with its
/// columns: MySQL demands one, and without one a deletion of a parent reads all children.
fn add_foreign_keys(
    table: &mut Table,
    drafts: &[ForeignKeyDraft],
) -> (Vec<ForeignKey>, Vec<Index>) {
    let mut taken: Vec<String> = table
        .foreign_keys
        .iter()
        .map(|key| key.name.clone())
        .collect();
    taken.extend(
        drafts
            .iter()
            .filter_map(|draft| Some(draft.name.as_ref()?.as_str().to_owned())),
    );
    let (mut keys, mut indexes) = (Vec::new(), Vec::new());
    for draft in drafts {
        let name = match &draft.name {
            Some(name) => name.as_str().to_owned(),
            None => free_name(&table.name, &draft.columns, "fkey", &mut taken),
        };
        if !has_index_for(table, &draft.columns) {
            let used = |name: &str| table.indexes.iter().any(|index| index.name == name);
            let index = if used(&name) {
                let mut used: Vec<String> = table
                    .indexes
                    .iter()
                    .map(|index| index.name.clone())
                    .collect();
                free_name(&table.name, &draft.columns, "idx", &mut used)
            } else {
                name.clone()
            };
            let index = Index {
                name: index,
                columns: draft.columns.clone(),
                unique: false,
            };
            table.indexes.push(index.clone());
            indexes.push(index);
        }
        let key = ForeignKey {
            name,
            columns: draft.columns.clone(),
            references: draft.references.clone(),
            referenced_columns: draft.referenced_columns.clone(),
            on_delete: draft.on_delete,
            on_update: draft.on_update,
        };
        table.foreign_keys.push(key.clone());
        keys.push(key);
    }
    (keys, indexes)
}

/// Whether the primary key or an index begins with these columns.
pub(crate) fn has_index_for(table: &Table, columns: &[String]) -> bool {
    table.primary_key.starts_with(columns)
        || table
            .indexes
            .iter()
            .any(|index| index.columns.starts_with(columns))
}

/// `{table}_{columns}_{suffix}`, cut to 64 characters, with a number where it is taken.
fn free_name(table: &str, columns: &[String], suffix: &str, taken: &mut Vec<String>) -> String {
    let stem = format!("{table}_{}", columns.join("_"));
    let name = (1..)
        .map(|number| {
            let suffix = if number == 1 {
                format!("_{suffix}")
            } else {
                format!("_{suffix}{number}")
            };
            let room = LONGEST_NAME - suffix.chars().count();
            format!("{}{suffix}", stem.chars().take(room).collect::<String>())
        })
        .find(|name| !taken.contains(name))
        .unwrap_or(stem);
    taken.push(name.clone());
    name
}

#[cfg(test)]
pub(crate) mod tests;
