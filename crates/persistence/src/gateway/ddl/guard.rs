//! Changes that would leave a key broken, refused before an engine is asked. MySQL refuses
//! most of them in its own words, SQLite hardly any: it finds out with the next row.

use tidegate_domain::error::{StoreError, Violation, ViolationKind};
use tidegate_domain::gateway::change::TableChange;
use tidegate_domain::gateway::column_type::ColumnType;
use tidegate_domain::gateway::schema::{DatabaseSchema, ForeignKey, Table};

use super::model::{Change, has_index_for};

/// Checks what `change` makes of `current` against the keys of this table and of those that
/// refer to it.
///
/// # Errors
/// `Constraint` with the name of the foreign key that stands in the way, `Unsupported` where
/// an index would lose a column.
pub(crate) fn check_change(
    schema: &DatabaseSchema,
    current: &Table,
    change: &TableChange,
    outcome: &Change,
) -> Result<(), StoreError> {
    whole_indexes(current, change)?;
    let after = &outcome.after;
    for key in after
        .foreign_keys
        .iter()
        .filter(|key| !outcome.added_foreign_keys.contains(key))
    {
        let there = key
            .columns
            .iter()
            .all(|name| after.column_index(name).is_some());
        let old = current
            .foreign_keys
            .iter()
            .find(|old| old.name == key.name && !key.name.is_empty());
        let lost_index = old.is_some_and(|old| has_index_for(current, &old.columns))
            && !has_index_for(after, &key.columns);
        let parent = if key.references == after.name {
            Some(after)
        } else {
            schema.table(&key.references).map(|it| &**it)
        };
        // A parent that is gone, of a table made elsewhere, is no fault of this change.
        if !there || lost_index || parent.is_some_and(|parent| !fits(key, after, parent, change)) {
            return Err(broken(ViolationKind::ForeignKeyParent, key));
        }
    }
    for (child, key) in referring(schema, &current.name) {
        let mut key = key.clone();
        for name in &mut key.referenced_columns {
            if let Some((_, to)) = change.rename_columns.iter().find(|(from, _)| from == name) {
                *name = to.as_str().to_owned();
            }
        }
        if !fits(&key, child, after, change) {
            return Err(broken(ViolationKind::ForeignKeyChild, &key));
        }
    }
    Ok(())
}

/// Checks that no other table refers to this one.
///
/// # Errors
/// `Constraint` with the name of a foreign key that does.
pub(crate) fn check_drop(schema: &DatabaseSchema, table: &str) -> Result<(), StoreError> {
    match referring(schema, table).next() {
        Some((_, key)) => Err(broken(ViolationKind::ForeignKeyChild, key)),
        None => Ok(()),
    }
}

/// The foreign keys of other tables that refer to `table`.
fn referring<'a>(
    schema: &'a DatabaseSchema,
    table: &'a str,
) -> impl Iterator<Item = (&'a Table, &'a ForeignKey)> {
    schema
        .tables
        .iter()
        .filter(move |other| other.name != table)
        .flat_map(|other| other.foreign_keys.iter().map(move |key| (&**other, key)))
        .filter(move |(_, key)| key.references == table)
}

/// Whether the parent's columns are there, are a key, and have the children's types. Types
/// are looked at only where the change defines a column anew.
fn fits(key: &ForeignKey, child: &Table, parent: &Table, change: &TableChange) -> bool {
    let column_type = |table: &Table, name: &str| -> Option<ColumnType> {
        table
            .column_index(name)
            .map(|at| table.columns[at].column_type.clone())
    };
    let altered = |name: &String| {
        change
            .alter_columns
            .iter()
            .any(|column| column.name.as_str() == name)
    };
    let agree = |(from, to): (&String, &String)| match (
        column_type(child, from),
        column_type(parent, to),
    ) {
        (Some(from_type), Some(to_type)) => {
            !(altered(from) || altered(to)) || agree(&from_type, &to_type)
        }
        _ => false,
    };
    let same_set = |columns: &[String]| {
        columns.len() == key.referenced_columns.len()
            && key
                .referenced_columns
                .iter()
                .all(|name| columns.contains(name))
    };
    let is_key = same_set(&parent.primary_key)
        || parent
            .indexes
            .iter()
            .any(|index| index.unique && same_set(&index.columns));
    // InnoDB also lets keys refer to columns that are not unique; such a key is not judged.
    let judged = change.drop_indexes.is_empty() && change.drop_columns.is_empty();
    (judged || is_key) && key.columns.iter().zip(&key.referenced_columns).all(agree)
}

/// Whether a column of one type may refer to one of the other: lengths of texts may differ.
fn agree(from: &ColumnType, to: &ColumnType) -> bool {
    use ColumnType::{Binary, Char, Varbinary, Varchar};
    match (from, to) {
        (Char(_) | Varchar(_), Char(_) | Varchar(_))
        | (Binary(_) | Varbinary(_), Binary(_) | Varbinary(_)) => true,
        (from, to) => from == to,
    }
}

/// MySQL would take a dropped column out of its indexes without a word, by which a unique
/// key becomes a stricter one; SQLite refuses. Indexes of dropped columns alone go along.
fn whole_indexes(current: &Table, change: &TableChange) -> Result<(), StoreError> {
    let dropped = |name: &String| change.drop_columns.contains(name);
    if let Some(name) = current.primary_key.iter().find(|name| dropped(name)) {
        return Err(StoreError::Unsupported(format!(
            "the column {name} belongs to the primary key and cannot be dropped"
        )));
    }
    let kept = current
        .indexes
        .iter()
        .filter(|index| !change.drop_indexes.contains(&index.name));
    for index in kept {
        if index.columns.iter().any(dropped) && !index.columns.iter().all(dropped) {
            return Err(StoreError::Unsupported(format!(
                "the index {} holds a column that is to be dropped; drop the index as well (drop_indexes)",
                index.name
            )));
        }
    }
    Ok(())
}

fn broken(kind: ViolationKind, key: &ForeignKey) -> StoreError {
    StoreError::Constraint(Violation {
        kind,
        name: key.name.clone(),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tidegate_domain::gateway::change::{ColumnDraft, TableDraft};

    use super::super::model::tests::{child, draft, id, int, names, shop};
    use super::super::model::{change, table};
    use super::*;

    fn schema() -> DatabaseSchema {
        let parent = TableDraft {
            name: id("parent"),
            columns: vec![draft("id", int()), draft("name", ColumnType::Varchar(5))],
            primary_key: names(&["id"]),
            indexes: vec![],
            foreign_keys: vec![],
            comment: String::new(),
        };
        let tables = [child(), parent]
            .iter()
            .map(|draft| Arc::new(table(&shop(), draft)))
            .collect();
        DatabaseSchema::new(shop(), tables)
    }

    fn outcome(table: &str, asked: &TableChange) -> Result<(), StoreError> {
        let schema = schema();
        let current = schema.table(table).unwrap();
        check_change(&schema, current, asked, &change(current, asked))
    }

    #[test]
    fn what_breaks_a_key_is_refused() {
        let bigint = ColumnType::Integer {
            bytes: 8,
            unsigned: false,
        };
        let broken = |table, asked| match outcome(table, &asked) {
            Err(StoreError::Constraint(violation)) => Some((violation.kind, violation.name)),
            Err(StoreError::Unsupported(_)) => Some((ViolationKind::Check, String::new())),
            _ => None,
        };
        let name = "child_parent_fkey".to_owned();
        let asked = TableChange {
            alter_columns: vec![draft("id", bigint.clone())],
            ..TableChange::default()
        };
        assert_eq!(
            broken("parent", asked),
            Some((ViolationKind::ForeignKeyChild, name.clone()))
        );
        let asked = TableChange {
            alter_columns: vec![draft("parent", bigint)],
            ..TableChange::default()
        };
        assert_eq!(
            broken("child", asked),
            Some((ViolationKind::ForeignKeyParent, name.clone()))
        );
        let asked = TableChange {
            drop_columns: names(&["parent"]),
            ..TableChange::default()
        };
        assert_eq!(
            broken("child", asked),
            Some((ViolationKind::Check, String::new()))
        );
        let asked = TableChange {
            drop_columns: names(&["parent"]),
            drop_indexes: names(&["child_code_parent_idx"]),
            ..TableChange::default()
        };
        assert_eq!(
            broken("child", asked),
            Some((ViolationKind::ForeignKeyParent, name.clone()))
        );
        let asked = TableChange {
            drop_indexes: names(&["child_parent_fkey"]),
            ..TableChange::default()
        };
        assert_eq!(
            broken("child", asked),
            Some((ViolationKind::ForeignKeyParent, name))
        );
        let asked = TableChange {
            drop_columns: names(&["id"]),
            ..TableChange::default()
        };
        assert_eq!(
            broken("parent", asked),
            Some((ViolationKind::Check, String::new()))
        );
    }

    #[test]
    fn what_keeps_all_keys_passes() {
        let asked = TableChange {
            drop_foreign_keys: names(&["child_parent_fkey"]),
            drop_indexes: names(&["child_parent_fkey", "child_code_parent_idx"]),
            drop_columns: names(&["parent"]),
            ..TableChange::default()
        };
        assert!(outcome("child", &asked).is_ok());
        let asked = TableChange {
            rename_columns: vec![("id".into(), id("key"))],
            alter_columns: vec![ColumnDraft {
                nullable: false,
                ..draft("name", ColumnType::Varchar(9))
            }],
            ..TableChange::default()
        };
        assert!(outcome("parent", &asked).is_ok());
        assert!(check_drop(&schema(), "child").is_ok());
        assert!(matches!(
            check_drop(&schema(), "parent"),
            Err(StoreError::Constraint(_))
        ));
    }
}
