//! Tables of definitions, good and bad.

use proptest::prelude::*;
use serde_json::json;

use super::{TableChangeInput, TableDescription, TableInput};
use crate::error::InvalidInput;
use crate::gateway::change::TableDraft;
use crate::gateway::column_type::ColumnType;
use crate::gateway::name::DatabaseName;
use crate::gateway::schema::{
    Column, DefaultValue, ForeignKey, Index, ReferentialAction, Table, TableKind,
};

fn canonical(text: &str) -> Result<String, InvalidInput> {
    ColumnType::parse(text).map(|column_type| column_type.to_string())
}

#[test]
fn types_have_one_canonical_form() {
    for (given, shown) in [
        ("INT", "int"),
        ("Integer", "int"),
        ("int(11) unsigned", "int unsigned"),
        ("TINYINT(1)", "tinyint(1)"),
        ("tinyint(1) unsigned", "tinyint unsigned"),
        ("boolean", "tinyint(1)"),
        ("tinyint(4)", "tinyint"),
        ("bigint signed", "bigint"),
        ("numeric", "decimal(10,0)"),
        ("DECIMAL( 12 , 4 ) UNSIGNED", "decimal(12,4) unsigned"),
        ("dec(65,30)", "decimal(65,30)"),
        ("double precision", "double"),
        ("float(24)", "float"),
        ("float(25)", "double"),
        ("char", "char(1)"),
        ("character varying(10)", "varchar(10)"),
        ("datetime(6)", "datetime(6)"),
        ("timestamp", "timestamp"),
        ("year(4)", "year"),
        ("enum('a','it''s')", "enum('a','it''s')"),
        ("SET('x', 'y')", "set('x','y')"),
        ("bit", "bit(1)"),
        ("UUID", "uuid"),
        ("longblob", "longblob"),
    ] {
        assert_eq!(canonical(given).as_deref(), Ok(shown), "{given}");
        assert_eq!(canonical(shown).as_deref(), Ok(shown), "{shown}");
    }
}

#[test]
fn what_is_no_type_is_refused() {
    for bad in [
        "",
        "INT, DROP TABLE x",
        "INT; DROP TABLE x",
        "int)",
        "int(",
        "int(x)",
        "int -- x",
        "int /* x */",
        "int zerofill",
        "varchar",
        "varchar(16384)",
        "char(256)",
        "decimal(66,0)",
        "decimal(10,31)",
        "decimal(5,6)",
        "decimal(5,)",
        "datetime(7)",
        "bit(65)",
        "bit(0)",
        "enum",
        "enum()",
        "enum(1)",
        "enum('a','A')",
        "enum('a",
        "set('a,b')",
        "set('')",
        "geometry",
        "varchar(10) character set latin1",
        "varchar(10) collate utf8mb4_bin",
        "`int`",
        "int\0",
        "🙂",
        "int(99999999999)",
        "int primary key",
        "timestamp on update current_timestamp",
    ] {
        assert!(canonical(bad).is_err(), "{bad:?}");
    }
}

fn pointers(error: &InvalidInput) -> Vec<&str> {
    error
        .errors
        .iter()
        .map(|error| error.pointer.as_str())
        .collect()
}

fn table(json: serde_json::Value) -> Result<TableDraft, InvalidInput> {
    serde_json::from_value::<TableInput>(json).unwrap().parse()
}

#[test]
fn a_table_is_parsed_with_its_defaults() {
    let draft = table(json!({
        "name": "films",
        "columns": [
            {"name": "id", "type": "int unsigned", "auto_increment": true},
            {"name": "title", "type": "varchar(100)", "nullable": false, "default": "no name", "unique": true},
            {"name": "price", "type": "decimal(10,2)", "default": 1.5},
            {"name": "seen_at", "type": "datetime(3)", "default": "current_timestamp"},
            {"name": "note", "type": "text", "default": null},
            {"name": "flag", "type": "boolean", "default": true},
        ],
        "primary_key": ["id"],
        "indexes": [{"columns": ["title", "price"]}],
    }))
    .unwrap();
    assert!(!draft.columns[0].nullable && draft.columns[2].nullable);
    let defaults: Vec<_> = draft
        .columns
        .iter()
        .map(|column| column.default.clone())
        .collect();
    let literal = |text: &str| Some(DefaultValue::Literal(text.to_owned()));
    assert_eq!(
        defaults,
        [
            None,
            literal("no name"),
            literal("1.50"),
            Some(DefaultValue::CurrentTimestamp { on_update: false }),
            Some(DefaultValue::Null),
            literal("1"),
        ]
    );
}

#[test]
fn all_faults_of_a_table_are_named_with_their_places() {
    let error = table(json!({
        "name": "a`b",
        "columns": [
            {"name": "id", "type": "INT, DROP TABLE x"},
            {"name": "a\u{0}", "type": "int"},
            {"name": "n", "type": "int", "default": "abc"},
        ],
        "foreign_keys": [{"columns": ["n"], "references": "t", "referenced_columns": ["x"], "on_delete": "SET DEFAULT"}],
    }))
    .unwrap_err();
    assert_eq!(
        pointers(&error),
        [
            "/name",
            "/columns/0/type",
            "/columns/1/name",
            "/columns/2/default",
            "/foreign_keys/0/on_delete"
        ]
    );
}

#[test]
fn the_parts_of_a_table_must_fit_each_other() {
    let columns = json!([{"name": "id", "type": "int"}, {"name": "note", "type": "text"}]);
    for (part, pointer) in [
        (json!({"primary_key": ["nope"]}), "/primary_key/0"),
        (json!({"primary_key": ["id", "id"]}), "/primary_key"),
        (json!({"primary_key": ["note"]}), "/primary_key"),
        (json!({"indexes": [{"columns": []}]}), "/indexes/0/columns"),
        (
            json!({"indexes": [{"columns": ["note"]}]}),
            "/indexes/0/columns",
        ),
        (
            json!({"indexes": [{"name": "i", "columns": ["id"]}, {"name": "I", "columns": ["id"]}]}),
            "/indexes",
        ),
        (
            json!({"columns": [{"name": "id", "type": "int"}, {"name": "ID", "type": "int"}]}),
            "/columns/1/name",
        ),
        (json!({"columns": []}), "/columns"),
        (
            json!({"columns": [{"name": "id", "type": "int", "auto_increment": true}]}),
            "/columns/0/auto_increment",
        ),
        (
            json!({"columns": [{"name": "t", "type": "text", "unique": true}]}),
            "/columns/0/unique",
        ),
        (
            json!({"foreign_keys": [{"columns": ["id"], "references": "t", "referenced_columns": ["a", "b"]}]}),
            "/foreign_keys/0/referenced_columns",
        ),
    ] {
        let mut input = json!({"name": "t", "columns": columns});
        for (member, value) in part.as_object().unwrap() {
            input[member] = value.clone();
        }
        let error = table(input).unwrap_err();
        assert!(pointers(&error).contains(&pointer), "{part} {error:?}");
    }
}

#[test]
fn changes_are_parsed_with_their_faults() {
    let change: TableChangeInput = serde_json::from_value(json!({
        "rename": "b\"",
        "rename_columns": {"a": "🙂"},
        "add_columns": [{"name": "x", "type": "nothing"}],
    }))
    .unwrap();
    assert_eq!(
        pointers(&change.parse().unwrap_err()),
        ["/rename", "/rename_columns/a", "/add_columns/0/type"]
    );
    assert!(serde_json::from_value::<TableChangeInput>(json!({"add_column": []})).is_err());
}

fn definitions(pairs: &[(&str, &str)]) -> Result<TableDraft, InvalidInput> {
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    TableDraft::from_definitions("films", &pairs)
}

#[test]
fn definitions_in_sql_are_parsed() {
    let draft = definitions(&[
        ("id", "INT PRIMARY KEY AUTO_INCREMENT"),
        (
            "title",
            "VARCHAR(50) NOT NULL DEFAULT 'it''s' UNIQUE COMMENT 'the name'",
        ),
        ("price", "DECIMAL(10,2) UNSIGNED DEFAULT 1.5"),
        ("level", "TINYINT NULL DEFAULT -1"),
        ("kind", "ENUM('a','b') DEFAULT 'a'"),
        (
            "made",
            "TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3)",
        ),
        ("size", "bigint unsigned"),
        ("born", "YEAR"),
        ("tags", "SET('x','y')"),
        ("bits", "BIT(8)"),
    ])
    .unwrap();
    let types: Vec<_> = draft
        .columns
        .iter()
        .map(|column| column.column_type.to_string())
        .collect();
    assert_eq!(
        types,
        [
            "int",
            "varchar(50)",
            "decimal(10,2) unsigned",
            "tinyint",
            "enum('a','b')",
            "timestamp(3)",
            "bigint unsigned",
            "year",
            "set('x','y')",
            "bit(8)",
        ]
    );
    assert_eq!(draft.primary_key, ["id"]);
    assert!(
        draft.columns[0].auto_increment && draft.columns[1].unique && !draft.columns[1].nullable
    );
    assert_eq!(draft.columns[1].comment, "the name");
    assert_eq!(
        draft.columns[1].default,
        Some(DefaultValue::Literal("it's".to_owned()))
    );
    assert_eq!(
        draft.columns[3].default,
        Some(DefaultValue::Literal("-1".to_owned()))
    );
    assert_eq!(
        draft.columns[5].default,
        Some(DefaultValue::CurrentTimestamp { on_update: true })
    );
}

#[test]
fn definitions_that_hide_something_are_refused_and_name_the_column() {
    for bad in [
        "INT, DROP TABLE x",
        "INT, d INT",
        "INT); DROP TABLE x; --",
        "INT) ENGINE=MyISAM COMMENT='",
        "INT -- x",
        "INT /* x */",
        "INT # x",
        "INT REFERENCES t(id)",
        "INT CHECK (c > 0)",
        "INT GENERATED ALWAYS AS (1)",
        "INT DEFAULT (SELECT 1)",
        "INT DEFAULT sleep(5)",
        "VARCHAR(5) CHARACTER SET latin1",
        "VARCHAR(5) COLLATE utf8mb4_bin",
        "INT CONSTRAINT x NOT NULL",
        "",
        "nonsense",
        "INT DEFAULT 'abc'",
        "INT, PRIMARY KEY (c)",
        "INT) AS (SELECT 1",
        "INT) COMMENT=('x'",
        "INT) PARTITION BY (c",
        "INT /*!50000 NOT NULL */",
        "INT DEFAULT NOW(SLEEP(5))",
        "INT `x`",
        "INT PRIMARY KEY DEFERRABLE",
        "TIMESTAMP DEFAULT NOW(SLEEP(5))",
        "TIMESTAMP ON UPDATE CURRENT_TIMESTAMP",
        "INT AUTO_INCREMENT",
        "TEXT UNIQUE",
        "TEXT PRIMARY KEY",
        "INT NOT NULL DEFAULT NULL",
        "ENUM('a\\\\b')",
        "VARCHAR(5) DEFAULT 'a\\0b'",
    ] {
        let error = definitions(&[("id", bad)]).unwrap_err();
        assert!(error.to_string().contains("`id`"), "{bad}: {error}");
        assert_eq!(pointers(&error), ["/table_schema/id"], "{bad}: {error}");
    }
    assert!(definitions(&[("Id", "INT")]).is_err());
    assert!(definitions(&[("a", "INT PRIMARY KEY"), ("b", "INT PRIMARY KEY")]).is_err());
    assert!(definitions(&[]).is_err());
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = ColumnType::parse(&text);
        let _ = definitions(&[("a", text.as_str())]);
    }

    #[test]
    fn no_likely_text_panics(text in "(INT|VARCHAR|DECIMAL|ENUM|SET|DEFAULT|NOT NULL|UNIQUE|[ (),'0-9a-z-]){0,8}") {
        let _ = ColumnType::parse(&text);
        let _ = definitions(&[("a", text.as_str())]);
    }
}

#[test]
fn quoted_texts_in_definitions_hold_anything() {
    let literal = |text: &str| Some(DefaultValue::Literal(text.to_owned()));
    for (definition, default) in [
        ("VARCHAR(9) DEFAULT '#fff; --'", literal("#fff; --")),
        ("VARCHAR(9) DEFAULT \"it's\"", literal("it's")),
        ("VARCHAR(9) DEFAULT 'a),(b'", literal("a),(b")),
        ("INT DEFAULT +5", literal("5")),
        ("INT DEFAULT (7)", literal("7")),
        ("BIT(8) DEFAULT 5", literal("00000101")),
        ("BIT(8) DEFAULT b'101'", literal("00000101")),
        ("TINYINT(1) DEFAULT TRUE", literal("1")),
        ("VARBINARY(4) DEFAULT 0xCAFE", literal("\\xcafe")),
        ("FLOAT DEFAULT 0.1", literal("0.1")),
        ("INT DEFAULT NULL", Some(DefaultValue::Null)),
        (
            "DATETIME ON UPDATE NOW() DEFAULT NOW()",
            Some(DefaultValue::CurrentTimestamp { on_update: true }),
        ),
    ] {
        let draft = definitions(&[("id", definition)]).unwrap();
        assert_eq!(draft.columns[0].default, default, "{definition}");
    }
}

#[test]
fn deep_and_long_definitions_are_refused_in_time() {
    let deep = format!("INT DEFAULT {}1{}", "(".repeat(1_900), ")".repeat(1_900));
    assert!(definitions(&[("id", deep.as_str())]).is_err());
    let members: Vec<String> = (0..70_000).map(|at| format!("'{at}'")).collect();
    assert!(canonical(&format!("enum({})", members.join(","))).is_err());
    assert!(canonical(&format!("enum({})", members[..65_535].join(","))).is_ok());
}

/// A table as the catalogue would describe it.
fn films() -> Table {
    let column = |name: &str, text: &str, nullable: bool| Column {
        name: name.to_owned(),
        column_type: ColumnType::parse(text).unwrap(),
        nullable,
        default: None,
        base: None,
        auto_increment: name == "id",
        generated: None,
        comment: String::new(),
        collation: None,
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Table {
        database: DatabaseName::new("cinema", "tidegate").unwrap(),
        name: "films".to_owned(),
        kind: TableKind::Table,
        writable: true,
        columns: vec![
            column("id", "int", false),
            column("title", "varchar(100)", false),
            column("made_at", "datetime(3)", false),
            column("note", "text", true),
            column("director", "int", true),
        ],
        primary_key: names(&["id"]),
        indexes: vec![Index {
            name: "by_title".to_owned(),
            columns: names(&["title", "made_at"]),
            unique: false,
        }],
        foreign_keys: vec![ForeignKey {
            name: "films_director_fkey".to_owned(),
            columns: names(&["director"]),
            references: "people".to_owned(),
            referenced_columns: names(&["id"]),
            on_delete: ReferentialAction::NoAction,
            on_update: ReferentialAction::NoAction,
        }],
        checks: vec![],
        comment: String::new(),
        row_estimate: None,
    }
}

#[test]
fn changes_must_fit_the_table() {
    let key = |column: &str, action: &str| json!({"columns": [column], "references": "t", "referenced_columns": ["id"], "on_delete": action});
    for (change, expected) in [
        (json!({}), vec![]),
        (json!({"drop_columns": ["nope"]}), vec!["/drop_columns/0"]),
        (json!({"drop_columns": ["id"]}), vec!["/drop_columns/0"]),
        (json!({"drop_columns": ["title"]}), vec!["/drop_columns/0"]),
        (json!({"drop_columns": ["title", "made_at"]}), vec![]),
        (
            json!({"drop_columns": ["title"], "drop_indexes": ["by_title"]}),
            vec![],
        ),
        (
            json!({"drop_columns": ["director"]}),
            vec!["/drop_columns/0"],
        ),
        (
            json!({"drop_columns": ["director"], "drop_foreign_keys": ["films_director_fkey"]}),
            vec![],
        ),
        (json!({"drop_indexes": ["nope"]}), vec!["/drop_indexes/0"]),
        (
            json!({"drop_foreign_keys": ["nope"]}),
            vec!["/drop_foreign_keys/0"],
        ),
        (
            json!({"rename_columns": {"nope": "x"}}),
            vec!["/rename_columns/nope"],
        ),
        (json!({"rename_columns": {"note": "TITLE"}}), vec![""]),
        (
            json!({"add_columns": [{"name": "Title", "type": "int"}]}),
            vec![""],
        ),
        (
            json!({"alter_columns": [{"name": "nope", "type": "int"}]}),
            vec!["/alter_columns/0/name"],
        ),
        (
            json!({"alter_columns": [{"name": "title", "type": "text"}]}),
            vec!["/alter_columns/0/type"],
        ),
        (
            json!({"alter_columns": [{"name": "id", "type": "bigint", "auto_increment": true}]}),
            vec![],
        ),
        (
            json!({
                "rename_columns": {"id": "number"},
                "alter_columns": [{"name": "number", "type": "bigint", "auto_increment": true}],
            }),
            vec![],
        ),
        (
            json!({"alter_columns": [{"name": "note", "type": "int"}, {"name": "note", "type": "int"}]}),
            vec!["/alter_columns/1/name"],
        ),
        (
            json!({"add_indexes": [{"columns": ["note"]}]}),
            vec!["/add_indexes/0/columns"],
        ),
        (
            json!({
                "alter_columns": [{"name": "note", "type": "varchar(20)"}],
                "add_indexes": [{"columns": ["note"]}],
            }),
            vec![],
        ),
        (
            json!({"add_indexes": [{"name": "BY_TITLE", "columns": ["title"]}]}),
            vec!["/add_indexes"],
        ),
        (
            json!({"add_indexes": [{"name": "primary", "columns": ["title"]}]}),
            vec!["/add_indexes"],
        ),
        (
            json!({"add_foreign_keys": [key("director", "set null")]}),
            vec![],
        ),
        (
            json!({"add_foreign_keys": [key("title", "SET NULL")]}),
            vec!["/add_foreign_keys/0/on_delete"],
        ),
    ] {
        let input: TableChangeInput = serde_json::from_value(change.clone()).unwrap();
        let outcome = input.parse().unwrap().check(&films());
        let found = outcome.as_ref().map_or_else(pointers, |()| vec![]);
        assert_eq!(found, expected, "{change} {outcome:?}");
    }
}

#[test]
fn columns_can_be_given_back_as_described() {
    let mut table = films();
    table.columns[2].default = Some(DefaultValue::CurrentTimestamp { on_update: true });
    table.columns[1].default = Some(DefaultValue::Literal("no name".to_owned()));
    let description = serde_json::to_value(TableDescription::of(&table)).unwrap();
    let mut columns = description["columns"].clone();
    for column in columns.as_array_mut().unwrap() {
        column.as_object_mut().unwrap().shift_remove("generated");
    }
    let draft = self::table(json!({
        "name": "films",
        "columns": columns,
        "primary_key": description["primary_key"],
        "indexes": description["indexes"],
        "foreign_keys": description["foreign_keys"],
    }))
    .unwrap();
    for (drafted, column) in draft.columns.iter().zip(&table.columns) {
        let default = drafted
            .default
            .clone()
            .filter(|it| *it != DefaultValue::Null);
        assert_eq!(default, column.default, "{}", column.name);
        assert_eq!(drafted.column_type, column.column_type);
        assert_eq!(drafted.nullable, column.nullable);
    }
}
