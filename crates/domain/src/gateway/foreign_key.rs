//! Foreign keys that are asked for, checked against what the database holds. The engines
//! differ in what they refuse and in how they say it; here they are alike.

use std::collections::BTreeSet;

use super::change::{ForeignKeyDraft, TableChange, TableDraft};
use super::column_type::ColumnType;
use super::schema::{DatabaseSchema, Table};
use crate::error::InvalidInput;

/// A table that a foreign key may refer to: the part of it that matters here.
struct Target<'a> {
    columns: Vec<(&'a str, &'a ColumnType)>,
    keys: Vec<BTreeSet<&'a str>>,
}

impl<'a> Target<'a> {
    fn of_table(table: &'a Table) -> Self {
        let unique = table
            .indexes
            .iter()
            .filter(|index| index.unique)
            .map(|index| &index.columns);
        Self {
            columns: table
                .columns
                .iter()
                .map(|column| (column.name.as_str(), &column.column_type))
                .collect(),
            keys: keys(unique.chain([&table.primary_key])),
        }
    }

    fn of_draft(draft: &'a TableDraft) -> Self {
        let unique = draft
            .indexes
            .iter()
            .filter(|index| index.unique)
            .map(|index| &index.columns);
        let mut keys = keys(unique.chain([&draft.primary_key]));
        keys.extend(
            draft
                .columns
                .iter()
                .filter(|column| column.unique)
                .map(|column| BTreeSet::from([column.name.as_str()])),
        );
        Self {
            columns: draft
                .columns
                .iter()
                .map(|column| (column.name.as_str(), &column.column_type))
                .collect(),
            keys,
        }
    }

    fn column_type(&self, name: &str) -> Option<&'a ColumnType> {
        self.columns
            .iter()
            .find(|(column, _)| *column == name)
            .map(|(_, column_type)| *column_type)
    }
}

fn keys<'a>(lists: impl Iterator<Item = &'a Vec<String>>) -> Vec<BTreeSet<&'a str>> {
    lists
        .filter(|columns| !columns.is_empty())
        .map(|columns| columns.iter().map(String::as_str).collect())
        .collect()
}

/// Checks the foreign keys of a new table; it may refer to itself.
///
/// # Errors
/// A table or column that is not there, columns that are no key, or types that do not agree.
pub fn check_foreign_keys(draft: &TableDraft, schema: &DatabaseSchema) -> Result<(), InvalidInput> {
    let own = Target::of_draft(draft);
    check(
        &draft.foreign_keys,
        "/foreign_keys",
        &own,
        draft.name.as_str(),
        schema,
    )
}

/// Checks the foreign keys that a change adds to `table`.
///
/// # Errors
/// As [`check_foreign_keys`].
pub fn check_added_foreign_keys(
    table: &Table,
    change: &TableChange,
    schema: &DatabaseSchema,
) -> Result<(), InvalidInput> {
    let mut own = Target::of_table(table);
    for (from, to) in &change.rename_columns {
        for (name, _) in own.columns.iter_mut().filter(|(name, _)| name == from) {
            *name = to.as_str();
        }
        for key in &mut own.keys {
            if key.remove(from.as_str()) {
                key.insert(to.as_str());
            }
        }
    }
    for column in change.alter_columns.iter().chain(&change.add_columns) {
        own.columns
            .retain(|(name, _)| *name != column.name.as_str());
        own.columns
            .push((column.name.as_str(), &column.column_type));
        if column.unique {
            own.keys.push(BTreeSet::from([column.name.as_str()]));
        }
    }
    own.keys.extend(keys(
        change
            .add_indexes
            .iter()
            .filter(|index| index.unique)
            .map(|index| &index.columns),
    ));
    check(
        &change.add_foreign_keys,
        "/add_foreign_keys",
        &own,
        &table.name,
        schema,
    )
}

fn check(
    drafts: &[ForeignKeyDraft],
    pointer: &str,
    own: &Target<'_>,
    own_name: &str,
    schema: &DatabaseSchema,
) -> Result<(), InvalidInput> {
    let mut faults = InvalidInput::default();
    for (at, draft) in drafts.iter().enumerate() {
        let outcome = if draft.references == own_name {
            check_one(draft, own, own)
        } else {
            match schema.table(&draft.references) {
                Some(table) => check_one(draft, own, &Target::of_table(table)),
                None => Err(InvalidInput::member(
                    "references",
                    format!(
                        "the table {} does not exist in this database",
                        draft.references
                    ),
                )),
            }
        };
        faults.collect(&format!("{pointer}/{at}"), outcome);
    }
    faults.into_result()
}

fn check_one(
    draft: &ForeignKeyDraft,
    own: &Target<'_>,
    target: &Target<'_>,
) -> Result<(), InvalidInput> {
    let mut faults = InvalidInput::default();
    for (at, (from, to)) in draft
        .columns
        .iter()
        .zip(&draft.referenced_columns)
        .enumerate()
    {
        let outcome = match (own.column_type(from), target.column_type(to)) {
            (None, _) => Err(InvalidInput::at(
                format!("/columns/{at}"),
                format!("the table has no column {from}"),
            )),
            (_, None) => Err(InvalidInput::at(
                format!("/referenced_columns/{at}"),
                format!("the table {} has no column {to}", draft.references),
            )),
            (Some(from_type), Some(to_type)) if !agree(from_type, to_type) => {
                Err(InvalidInput::at(
                    format!("/columns/{at}"),
                    format!(
                        "the column {from} is {from_type}, but {to} is {to_type}; their types must agree"
                    ),
                ))
            }
            _ => Ok(()),
        };
        faults.collect("", outcome);
    }
    faults.into_result()?;
    let columns: BTreeSet<&str> = draft
        .referenced_columns
        .iter()
        .map(String::as_str)
        .collect();
    if target.keys.contains(&columns) {
        Ok(())
    } else {
        Err(InvalidInput::member(
            "referenced_columns",
            format!(
                "must be the primary key or a unique key of the table {}",
                draft.references
            ),
        ))
    }
}

/// Whether InnoDB lets a column of one type refer to one of the other: lengths of texts may
/// differ, width and sign of numbers may not.
fn agree(from: &ColumnType, to: &ColumnType) -> bool {
    use ColumnType::{Binary, Char, Varbinary, Varchar};
    match (from, to) {
        (Char(_) | Varchar(_), Char(_) | Varchar(_))
        | (Binary(_) | Varbinary(_), Binary(_) | Varbinary(_)) => true,
        (from, to) => from == to,
    }
}
