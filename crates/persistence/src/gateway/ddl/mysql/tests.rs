//! Tests of `mysql`.

use tidegate_domain::gateway::change::{ColumnDraft, TableDraft};

use super::super::model::tests::{child, draft, id, int, names, shop};
use super::super::model::{change, table};
use super::*;

const MYSQL: Dialect = Dialect {
    engine: Engine::MySql,
    explicit_timestamps: true,
};
const OLD_MARIADB: Dialect = Dialect {
    engine: Engine::MariaDb,
    explicit_timestamps: false,
};

fn printed(dialect: Dialect, column_type: ColumnType, default: Option<DefaultValue>) -> String {
    let draft = ColumnDraft {
        default,
        ..draft("c", column_type)
    };
    let draft = TableDraft {
        columns: vec![draft],
        primary_key: vec![],
        indexes: vec![],
        foreign_keys: vec![],
        ..child()
    };
    dialect
        .column(&table(&shop(), &draft).columns[0], None)
        .unwrap()
}

#[test]
fn a_table_is_one_statement() {
    assert_eq!(
        MYSQL.create_table(&table(&shop(), &child())).unwrap(),
        [
            "CREATE TABLE `shop`.`child` (`id` int NOT NULL AUTO_INCREMENT, `parent` int NULL COMMENT 'it''s', \
          `code` varchar(10) NOT NULL, PRIMARY KEY (`id`), UNIQUE KEY `child_code_key` (`code`), \
          KEY `child_code_parent_idx` (`code`, `parent`), KEY `child_parent_fkey` (`parent`), \
          CONSTRAINT `child_parent_fkey` FOREIGN KEY (`parent`) REFERENCES `shop`.`parent` (`id`) \
          ON DELETE CASCADE ON UPDATE NO ACTION) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 \
          COLLATE utf8mb4_0900_bin"
        ]
    );
}

#[test]
fn defaults_are_written_so_that_they_come_back_exactly() {
    let literal = |text: &str| Some(DefaultValue::Literal(text.into()));
    let tiny_text = ColumnType::Text(tidegate_domain::gateway::column_type::LobSize::Tiny);
    let now = |on_update| Some(DefaultValue::CurrentTimestamp { on_update });
    assert_eq!(
        printed(MYSQL, int(), literal("5")),
        "`c` int NULL DEFAULT '5'"
    );
    assert_eq!(
        printed(MYSQL, ColumnType::Varchar(9), literal("a\\'b")),
        "`c` varchar(9) NULL DEFAULT 'a\\\\''b'"
    );
    assert_eq!(
        printed(MYSQL, tiny_text, literal("x")),
        "`c` tinytext NULL DEFAULT ('x')"
    );
    assert_eq!(
        printed(MYSQL, ColumnType::Bit(4), literal("101")),
        "`c` bit(4) NULL DEFAULT b'101'"
    );
    assert_eq!(
        printed(MYSQL, ColumnType::Binary(2), literal("\\x00ff")),
        "`c` binary(2) NULL DEFAULT (0x00ff)"
    );
    assert_eq!(
        printed(MYSQL, ColumnType::Varchar(9), literal("🙂")),
        "`c` varchar(9) NULL DEFAULT (CONVERT(UNHEX('f09f9982') USING utf8mb4))"
    );
    assert_eq!(
        printed(MYSQL, ColumnType::DateTime(3), now(true)),
        "`c` datetime(3) NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3)"
    );
    assert_eq!(
        printed(
            MYSQL,
            ColumnType::Enum(vec!["a'b".into(), "c\\".into()]),
            literal("c\\")
        ),
        "`c` enum('a''b','c\\\\') NULL DEFAULT 'c\\\\'"
    );
}

#[test]
fn what_the_servers_would_spoil_is_refused() {
    for column in [
        draft("c", ColumnType::Enum(vec!["🙂".into()])),
        ColumnDraft {
            comment: "🙂".into(),
            ..draft("c", int())
        },
    ] {
        let draft = TableDraft {
            columns: vec![column],
            primary_key: vec![],
            indexes: vec![],
            foreign_keys: vec![],
            ..child()
        };
        assert!(matches!(
            MYSQL.create_table(&table(&shop(), &draft)),
            Err(StoreError::Unsupported(_))
        ));
    }
}

#[test]
fn an_old_server_is_kept_from_making_up_a_default() {
    let stamp = ColumnDraft {
        nullable: false,
        ..draft("at", ColumnType::Timestamp(0))
    };
    let draft = TableDraft {
        columns: vec![stamp],
        primary_key: vec![],
        indexes: vec![],
        foreign_keys: vec![],
        ..child()
    };
    let statements = OLD_MARIADB.create_table(&table(&shop(), &draft)).unwrap();
    assert!(statements[0].contains("`at` timestamp NOT NULL DEFAULT '2000-01-01 00:00:00'"));
    assert_eq!(
        statements[1],
        "ALTER TABLE `shop`.`child` ALTER COLUMN `at` DROP DEFAULT"
    );
}

#[test]
fn a_change_is_one_statement_but_for_the_new_name() {
    let current = table(&shop(), &child());
    let mut again = child().foreign_keys;
    again[0].name = Some(id("child_parent_fkey"));
    again[0].references = "kid".into();
    let asked = TableChange {
        drop_foreign_keys: names(&["child_parent_fkey"]),
        drop_indexes: names(&["child_code_parent_idx"]),
        rename_columns: vec![("code".into(), id("label"))],
        alter_columns: vec![draft("label", ColumnType::Varchar(20))],
        add_columns: vec![draft("n", int())],
        add_foreign_keys: again,
        rename: Some(id("kid")),
        ..TableChange::default()
    };
    assert_eq!(
        MYSQL
            .alter_table(&current, &asked, &change(&current, &asked))
            .unwrap(),
        [
            "ALTER TABLE `shop`.`child` DROP FOREIGN KEY `child_parent_fkey`, DROP INDEX `child_code_parent_idx`, \
             CHANGE COLUMN `code` `label` varchar(20) COLLATE `utf8mb4_0900_bin` NULL, ADD COLUMN `n` int NULL",
            "ALTER TABLE `shop`.`child` ADD CONSTRAINT `child_parent_fkey` FOREIGN KEY (`parent`) \
             REFERENCES `shop`.`child` (`id`) ON DELETE CASCADE ON UPDATE NO ACTION",
            "ALTER TABLE `shop`.`child` RENAME TO `shop`.`kid`",
        ]
    );
}
