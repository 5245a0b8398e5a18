//! Tests of `model`.

use tidegate_domain::gateway::name::Identifier;
use tidegate_domain::gateway::schema::ReferentialAction;

use super::*;

pub(crate) fn id(name: &str) -> Identifier {
    Identifier::new(name).unwrap()
}

pub(crate) fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

pub(crate) fn draft(name: &str, column_type: ColumnType) -> ColumnDraft {
    ColumnDraft {
        name: id(name),
        column_type,
        nullable: true,
        default: None,
        auto_increment: false,
        unique: false,
        comment: String::new(),
    }
}

pub(crate) fn int() -> ColumnType {
    ColumnType::Integer {
        bytes: 4,
        unsigned: false,
    }
}

/// `child (id, parent, code)` with a key, a unique column, an index and a foreign key.
pub(crate) fn child() -> TableDraft {
    TableDraft {
        name: id("child"),
        columns: vec![
            ColumnDraft {
                auto_increment: true,
                ..draft("id", int())
            },
            ColumnDraft {
                comment: "it's".into(),
                ..draft("parent", int())
            },
            ColumnDraft {
                unique: true,
                nullable: false,
                ..draft("code", ColumnType::Varchar(10))
            },
        ],
        primary_key: names(&["id"]),
        indexes: vec![IndexDraft {
            name: None,
            columns: names(&["code", "parent"]),
            unique: false,
        }],
        foreign_keys: vec![ForeignKeyDraft {
            name: None,
            columns: names(&["parent"]),
            references: "parent".into(),
            referenced_columns: names(&["id"]),
            on_delete: ReferentialAction::Cascade,
            on_update: ReferentialAction::NoAction,
        }],
        comment: String::new(),
    }
}

pub(crate) fn shop() -> DatabaseName {
    DatabaseName::new("shop", "tidegate").unwrap()
}

#[test]
fn everything_gets_a_name_and_a_foreign_key_its_index() {
    let table = table(&shop(), &child());
    let names: Vec<_> = table
        .indexes
        .iter()
        .map(|index| index.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "child_code_key",
            "child_code_parent_idx",
            "child_parent_fkey"
        ]
    );
    assert_eq!(table.foreign_keys[0].name, "child_parent_fkey");
    assert!(!table.columns[0].nullable && table.columns[1].nullable);
}

#[test]
fn made_up_names_avoid_given_ones_and_are_cut() {
    let long = "x".repeat(64);
    let draft = TableDraft {
        columns: vec![draft(&long, int())],
        primary_key: vec![],
        indexes: vec![
            IndexDraft {
                name: None,
                columns: vec![long.clone()],
                unique: true,
            },
            IndexDraft {
                name: None,
                columns: vec![long.clone()],
                unique: true,
            },
        ],
        foreign_keys: vec![],
        ..child()
    };
    let table = table(&shop(), &draft);
    assert!(table.indexes[0].name.ends_with("_key") && table.indexes[1].name.ends_with("_key2"));
    assert!(
        table
            .indexes
            .iter()
            .all(|index| index.name.chars().count() == 64)
    );
}

#[test]
fn a_change_is_applied_in_its_order() {
    let current = table(&shop(), &child());
    let outcome = change(
        &current,
        &TableChange {
            drop_indexes: names(&["child_code_parent_idx"]),
            drop_columns: names(&["code"]),
            rename_columns: vec![("parent".into(), id("code"))],
            alter_columns: vec![ColumnDraft {
                unique: true,
                ..draft("code", int())
            }],
            add_columns: vec![draft("extra", int())],
            rename: Some(id("kid")),
            ..TableChange::default()
        },
    );
    let columns: Vec<_> = outcome
        .after
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    assert_eq!(columns, ["id", "code", "extra"]);
    assert_eq!(outcome.after.name, "kid");
    assert_eq!(outcome.after.foreign_keys[0].columns, ["code"]);
    assert_eq!(outcome.added_indexes[0].name, "child_code_key");
}
