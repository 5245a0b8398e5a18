//! Tables that are made, or were made by others, come back as they are.

use super::*;

fn every_type() -> Vec<ColumnType> {
    let mut types = vec![
        ColumnType::Boolean,
        ColumnType::Year,
        ColumnType::Json,
        ColumnType::Uuid,
        ColumnType::Date,
    ];
    for bytes in [1, 2, 3, 4, 8] {
        types.extend([false, true].map(|unsigned| ColumnType::Integer { bytes, unsigned }));
    }
    for unsigned in [false, true] {
        types.push(ColumnType::Float { unsigned });
        types.push(ColumnType::Double { unsigned });
        types.push(ColumnType::Decimal {
            precision: 65,
            scale: 30,
            unsigned,
        });
    }
    types.extend([
        ColumnType::Decimal {
            precision: 5,
            scale: 0,
            unsigned: false,
        },
        MONEY,
    ]);
    for size in [
        LobSize::Tiny,
        LobSize::Normal,
        LobSize::Medium,
        LobSize::Long,
    ] {
        types.extend([ColumnType::Text(size), ColumnType::Blob(size)]);
    }
    types.extend([
        ColumnType::Char(3),
        ColumnType::Char(36),
        ColumnType::Varchar(50),
        ColumnType::Binary(16),
        ColumnType::Varbinary(99),
    ]);
    for digits in [0, 3, 6] {
        types.extend([
            ColumnType::Time(digits),
            ColumnType::DateTime(digits),
            ColumnType::Timestamp(digits),
        ]);
    }
    types.extend([ColumnType::Bit(1), ColumnType::Bit(64)]);
    types.push(ColumnType::Enum(names(&[
        "a",
        "it's",
        "po\"int",
        "with,comma",
        "c\\d",
        "ü",
        "%69nt",
        "",
    ])));
    types.push(ColumnType::Set(names(&["x", "print", "char", "it's"])));
    types
}

on_every_engine! {
    async fn every_type_comes_back_as_given(engine: TestEngine) {
        let schemas = Schemas::new(engine).await;
        let types = every_type();
        let columns = types.iter().enumerate().map(|(at, it)| column(&format!("c{at}"), it.clone())).collect();
        let made = schemas.create(&table("kinds", columns, &[])).await;
        for (column, given) in made.columns.iter().zip(&types) {
            assert_eq!(&column.column_type, given);
            assert!(column.nullable && column.default.is_none() && !column.auto_increment, "{column:?}");
        }
        assert_eq!((made.kind, made.writable, made.checks.len()), (TableKind::Table, true, 0));
        let columns = types.iter().enumerate().map(|(at, it)| required(&format!("c{at}"), it.clone())).collect();
        let made = schemas.create(&table("required", columns, &[])).await;
        assert!(made.columns.iter().all(|column| !column.nullable && column.default.is_none()), "{made:?}");
    }

    async fn keys_come_back_as_given(engine: TestEngine) {
        let schemas = Schemas::new(engine).await;
        schemas
            .create(&table("parent", vec![required("a", INT), required("b", ColumnType::Varchar(20)), required("c", ULONG)], &["a", "b"]))
            .await;
        let mut other = table("other", vec![required("id", ULONG)], &["id"]);
        other.columns[0].auto_increment = true;
        let other = schemas.create(&other).await;
        assert!(other.columns[0].auto_increment && !other.columns[0].nullable);

        let mut draft = table(
            "child",
            vec![
                ColumnDraft { unique: true, ..required("code", ColumnType::Char(5)) },
                column("a", INT),
                column("b", ColumnType::Varchar(30)),
                column("o", ULONG),
                column("up", ColumnType::Char(5)),
                column("x", MONEY),
            ],
            &["code"],
        );
        draft.indexes = vec![index(Some("by x"), &["x", "a"], false), index(None, &["x"], true), index(Some("key"), &["o"], false)];
        draft.foreign_keys = vec![
            ForeignKeyDraft { name: Some(id("to parent")), on_delete: ReferentialAction::Cascade, ..reference(&["a", "b"], "parent", &["a", "b"]) },
            ForeignKeyDraft { on_update: ReferentialAction::Cascade, on_delete: ReferentialAction::SetNull, ..reference(&["o"], "other", &["id"]) },
            ForeignKeyDraft { on_delete: ReferentialAction::Restrict, ..reference(&["up"], "child", &["code"]) },
        ];
        let made = schemas.create(&draft).await;
        assert_eq!(made.primary_key, ["code"]);
        let is = |name: &str, columns: &[&str], unique| Index { name: name.into(), columns: names(columns), unique };
        let mut indexes = vec![
            is("by x", &["x", "a"], false),
            is("child_code_key", &["code"], true),
            is("child_up_fkey", &["up"], false),
            is("child_x_key", &["x"], true),
            is("key", &["o"], false),
            is("to parent", &["a", "b"], false),
        ];
        indexes.sort_by(|one, other| one.name.cmp(&other.name));
        assert_eq!(made.indexes, indexes);
        let keys: Vec<_> = made.foreign_keys.iter().map(|key| (&*key.name, &*key.references, key.on_delete, key.on_update)).collect();
        use ReferentialAction::{Cascade, NoAction, Restrict, SetNull};
        assert_eq!(
            keys,
            [
                ("child_o_fkey", "other", SetNull, Cascade),
                ("child_up_fkey", "child", Restrict, NoAction),
                ("to parent", "parent", Cascade, NoAction),
            ]
        );
        assert_eq!(made.foreign_keys[2].columns, ["a", "b"]);
        assert_eq!(made.foreign_keys[2].referenced_columns, ["a", "b"]);
        // The same index name in another table is no conflict, on no engine.
        let mut draft = table("third", vec![column("x", INT)], &[]);
        draft.indexes = vec![index(Some("by x"), &["x"], false)];
        schemas.create(&draft).await;
        let again = schemas.editor.create_table(&schemas.shop, &draft).await;
        assert!(matches!(again, Err(StoreError::Exists { kind: "table" })), "{again:?}");
    }

    async fn tables_made_elsewhere_are_read_as_they_are(engine: TestEngine) {
        let schemas = Schemas::new(engine).await;
        if engine == TestEngine::Sqlite {
            schemas
                .raw(
                    "CREATE TABLE [Artist] ([ArtistId] INTEGER NOT NULL PRIMARY KEY, [Name] NVARCHAR(120) DEFAULT 'x''y'); \
                     CREATE TABLE album (id INTEGER PRIMARY KEY AUTOINCREMENT, artist INT REFERENCES artist ON DELETE CASCADE, \
                         price NUMERIC(10,2) DEFAULT 0.99 CONSTRAINT positive CHECK (price > 0), made DATETIME DEFAULT CURRENT_TIMESTAMP, \
                         twice AS (price * 2) STORED, thrice REAL GENERATED ALWAYS AS (price * 3), any, UNIQUE (artist, made), CHECK (id < 1000), \
                         CONSTRAINT other FOREIGN KEY (any) REFERENCES Artist(ArtistId)); \
                     CREATE INDEX by_price ON album (price); CREATE INDEX by_expression ON album (lower(any)); \
                     CREATE TABLE nokey (a, b BLOB); CREATE TABLE pairs (a INT, b INT, PRIMARY KEY (b, a)) WITHOUT ROWID; \
                     CREATE VIEW cheap AS SELECT id, price FROM album WHERE price < 1; CREATE VIEW broken AS SELECT x FROM nowhere; \
                     CREATE TABLE _tidegate_hidden (a); ANALYZE",
                )
                .await
                .unwrap();
        } else {
            let sql = "CREATE TABLE Artist (ArtistId INT NOT NULL PRIMARY KEY, Name VARCHAR(120) CHARACTER SET latin1 DEFAULT 'x''y') ENGINE=InnoDB; \
                 CREATE TABLE album (id INT PRIMARY KEY AUTO_INCREMENT, artist INT, price DECIMAL(10,2) DEFAULT 0.99, \
                     made DATETIME DEFAULT CURRENT_TIMESTAMP, twice INT GENERATED ALWAYS AS (price * 2) STORED, thrice INT AS (artist * 3) VIRTUAL, anything INT, shape GEOMETRY, \
                     doc JSON, UNIQUE KEY artist (artist, made), CONSTRAINT positive CHECK (price > 0 AND made <> '2020-01-01'), \
                     CONSTRAINT other FOREIGN KEY (anything) REFERENCES Artist (ArtistId), \
                     CONSTRAINT one FOREIGN KEY (artist) REFERENCES Artist (ArtistId) ON DELETE CASCADE) ENGINE=InnoDB COMMENT 'it''s'; \
                 CREATE INDEX by_price ON album (price); \
                 CREATE TABLE nokey (a INT, b BLOB); CREATE TABLE pairs (a INT, b INT, PRIMARY KEY (b, a)); \
                 CREATE VIEW cheap AS SELECT id, price FROM album WHERE price < 1; CREATE VIEW counted AS SELECT count(*) AS n FROM album; \
                 CREATE TABLE _tidegate_hidden (a INT)";
            schemas.raw(sql).await.unwrap();
        }
        schemas.catalog.reload(&schemas.shop).await.unwrap();
        let album = schemas.table("album").await.unwrap();
        let shown: Vec<_> = album.columns.iter().map(|column| (column.name.as_str(), column.column_type.to_string())).collect();
        let generated: Vec<_> = album.columns.iter().filter_map(|column| Some((column.name.as_str(), column.generated.clone()?.stored))).collect();
        assert_eq!(generated, [("twice", true), ("thrice", false)]);
        assert!(album.columns[4].generated.as_ref().unwrap().expression.contains(if engine == TestEngine::Sqlite { "price * 2" } else { "`price` * 2" }));
        assert_eq!(album.columns[2].default, Some(DefaultValue::Literal("0.99".into())));
        assert!(album.columns[0].auto_increment);
        assert_eq!(album.primary_key, ["id"]);
        let check = album.checks.iter().find(|check| check.name == "positive").unwrap();
        assert!(check.expression.contains("> 0") && !check.expression.contains("_utf8mb4") && !check.expression.contains("\\'"), "{check:?}");
        let artist = schemas.table("Artist").await.unwrap();
        assert_eq!(artist.columns[1].default, Some(DefaultValue::Literal("x'y".into())));
        assert_eq!(schemas.table("pairs").await.unwrap().primary_key, ["b", "a"]);
        assert!(schemas.table("nokey").await.unwrap().primary_key.is_empty());
        assert!(schemas.table("_tidegate_hidden").await.is_none() && schemas.table("broken").await.is_none());
        let view = schemas.table("cheap").await.unwrap();
        assert_eq!((view.kind, view.writable, view.columns.len()), (TableKind::View, engine != TestEngine::Sqlite, 2));
        let to_artist = album.foreign_keys.iter().find(|key| key.on_delete == ReferentialAction::Cascade).unwrap();
        assert_eq!(to_artist.referenced_columns, ["ArtistId"]);
        assert_eq!((to_artist.references.as_str(), to_artist.columns[0].as_str()), ("Artist", "artist"));
        assert!(album.foreign_keys.iter().any(|key| key.name == "other"));
        if engine == TestEngine::Sqlite {
            assert_eq!(
                shown.iter().map(|(_, it)| it.as_str()).collect::<Vec<_>>(),
                ["bigint", "bigint", "numeric(10,2)", "datetime", "", "double", ""]
            );
            assert_eq!(album.columns[3].default, Some(DefaultValue::Expression("CURRENT_TIMESTAMP".into())));
            assert_eq!(artist.columns[1].column_type, ColumnType::Text(LobSize::Normal));
            assert_eq!(album.checks.len(), 2);
            assert!(album.indexes.iter().any(|index| index.name == "by_expression" && index.columns.is_empty()));
            assert!(album.indexes.iter().any(|index| index.unique && index.columns == ["artist", "made"]));
            // What a rebuild would lose is not rebuilt; what SQLite does in place is done.
            let alter = TableChange { alter_columns: vec![column("made", ColumnType::Date)], ..TableChange::default() };
            assert!(matches!(schemas.alter(&album, alter).await, Err(StoreError::Unsupported(_))));
            let add = TableChange {
                add_columns: vec![with_default("extra", INT, "1")],
                rename_columns: vec![("price".into(), id("cost"))],
                add_indexes: vec![index(None, &["cost", "artist"], false)],
                rename: Some(id("record")),
                ..TableChange::default()
            };
            // SQLite renames nothing while a view is broken.
            assert!(matches!(schemas.alter(&album, add.clone()).await, Err(StoreError::Unsupported(_))));
            schemas.raw("DROP VIEW broken").await.unwrap();
            let record = schemas.alter(&album, add).await.unwrap();
            assert_eq!((record.checks.len(), record.foreign_keys.len(), record.indexes.len()), (2, 2, 4));
            assert_eq!(record.checks[0].expression, "\"cost\" > 0");
            assert_eq!(schemas.table("cheap").await.unwrap().columns.len(), 2);
        } else {
            let expected = ["int", "int", "decimal(10,2)", "datetime", "int", "int", "int", "geometry", "json"];
            assert_eq!(shown.iter().map(|(_, it)| it.as_str()).collect::<Vec<_>>(), expected);
            assert_eq!(album.checks.len(), 1);
            assert_eq!((album.comment.as_str(), &album.columns[3].default), ("it's", &Some(DefaultValue::CurrentTimestamp { on_update: false })));
            assert!(!schemas.table("counted").await.unwrap().writable);
        }
    }
}
