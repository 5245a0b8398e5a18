//! Changes of tables, and those that cannot be.

use super::*;

on_every_engine! {
    async fn every_kind_of_change(engine: TestEngine) {
        let schemas = Schemas::new(engine).await;
        let parent = ColumnDraft { auto_increment: true, ..required("id", INT) };
        let parent = schemas.create(&table("parent", vec![parent, column("name", ColumnType::Varchar(9))], &["id"])).await;
        let mut draft = table(
            "child",
            vec![ColumnDraft { auto_increment: true, ..required("id", UINT) }, column("p", INT), with_default("price", MONEY, "1.00"), column("note", ColumnType::Varchar(20))],
            &["id"],
        );
        draft.indexes = vec![index(Some("by_price"), &["price"], false)];
        let child = schemas.create(&draft).await;
        schemas.raw("INSERT INTO parent (name) VALUES ('one'), ('two'); INSERT INTO child (p, price, note) VALUES (1, '12.50', 'x'), (2, '3.00', NULL), (NULL, '7.00', 'z')").await.unwrap();
        schemas.raw("DELETE FROM child WHERE note = 'z'").await.unwrap();

        // Add columns, indexes and a foreign key.
        let change = TableChange {
            add_columns: vec![
                ColumnDraft { comment: "it's".into(), ..with_default("flag", ColumnType::Boolean, "1") },
                ColumnDraft { nullable: false, ..with_default("kind", ColumnType::Enum(names(&["a", "b"])), "a") },
                ColumnDraft { unique: true, ..column("code", ColumnType::Uuid) },
                ColumnDraft { default: Some(DefaultValue::CurrentTimestamp { on_update: false }), ..required("made", ColumnType::DateTime(3)) },
            ],
            add_indexes: vec![index(None, &["note", "price"], false)],
            add_foreign_keys: vec![ForeignKeyDraft { on_delete: ReferentialAction::Cascade, ..reference(&["p"], "parent", &["id"]) }],
            ..TableChange::default()
        };
        let child = schemas.alter(&child, change).await.unwrap();
        let indexes: Vec<_> = child.indexes.iter().map(|index| index.name.as_str()).collect();
        assert_eq!(indexes, ["by_price", "child_code_key", "child_note_price_idx", "child_p_fkey"]);
        assert_eq!(child.columns[4].comment, "it's");
        assert_eq!(child.foreign_keys[0].name, "child_p_fkey");
        assert_eq!(schemas.value("SELECT CAST(price AS CHAR(9)) FROM child WHERE flag = 1 AND kind = 'a' AND made > '2020-01-01 00:00:00' AND id = 1").await.as_deref(), Some("12.50"));
        // Numbers once given are not given again.
        schemas.raw("INSERT INTO child (p) VALUES (1)").await.unwrap();
        assert_eq!(schemas.value("SELECT CAST(max(id) AS CHAR(9)) FROM child").await.as_deref(), Some("4"));
        assert!(schemas.raw("INSERT INTO child (p) VALUES (99)").await.is_err());

        // Define columns anew; one is renamed as well.
        let change = TableChange {
            rename_columns: vec![("note".into(), id("remark"))],
            alter_columns: vec![
                ColumnDraft { comment: "much".into(), ..with_default("price", ColumnType::Decimal { precision: 12, scale: 4, unsigned: true }, "2.0000") },
                with_default("remark", ColumnType::Text(LobSize::Normal), "none"),
                with_default("kind", ColumnType::Enum(names(&["b", "a", "c"])), "c"),
            ],
            // MySQL has no index over a whole text.
            drop_indexes: names(&["child_note_price_idx"]),
            ..TableChange::default()
        };
        let child = schemas.alter(&child, change).await.unwrap();
        assert_eq!(child.columns[2].column_type.to_string(), "decimal(12,4) unsigned");
        assert_eq!(child.columns[3].column_type.to_string(), "text");
        assert_eq!(schemas.value("SELECT CAST(price AS CHAR(9)) FROM child WHERE remark = 'x' AND kind = 'a'").await.as_deref(), Some("12.5000"));
        assert_eq!(child.indexes.len(), 3);

        // A comment alone.
        let change = TableChange { alter_columns: vec![ColumnDraft { comment: "new".into(), ..column("p", INT) }], ..TableChange::default() };
        let child = schemas.alter(&child, change).await.unwrap();
        assert_eq!(child.columns[1].comment, "new");

        // Drop a foreign key and what belongs to it, drop columns, give new names.
        let change = TableChange {
            drop_foreign_keys: names(&["child_p_fkey"]),
            drop_indexes: names(&["child_p_fkey"]),
            drop_columns: names(&["flag", "code"]),
            rename_columns: vec![("p".into(), id("parent id"))],
            rename: Some(id("Kind er")),
            ..TableChange::default()
        };
        let child = schemas.alter(&child, change).await.unwrap();
        let columns: Vec<_> = child.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(columns, ["id", "parent id", "price", "remark", "kind", "made"]);
        assert_eq!((child.name.as_str(), child.foreign_keys.len()), ("Kind er", 0));
        assert_eq!(child.indexes.iter().map(|index| index.name.as_str()).collect::<Vec<_>>(), ["by_price"]);
        assert!(schemas.table("child").await.is_none());
        assert_eq!(child.columns[1].comment, "new");

        // Names that change places; a foreign key under the same name; a self reference.
        let change = TableChange {
            rename_columns: vec![("remark".into(), id("kind")), ("kind".into(), id("remark"))],
            ..TableChange::default()
        };
        let child = schemas.alter(&child, change).await.unwrap();
        assert_eq!((child.columns[3].name.as_str(), child.columns[4].name.as_str()), ("kind", "remark"));
        let change = TableChange {
            add_columns: vec![column("up", UINT)],
            add_foreign_keys: vec![
                ForeignKeyDraft { name: Some(id("fk")), ..reference(&["parent id"], "parent", &["id"]) },
                ForeignKeyDraft { on_delete: ReferentialAction::SetNull, ..reference(&["up"], "Kind er", &["id"]) },
            ],
            ..TableChange::default()
        };
        let child = schemas.alter(&child, change).await.unwrap();
        let change = TableChange {
            drop_foreign_keys: names(&["fk"]),
            add_foreign_keys: vec![ForeignKeyDraft { name: Some(id("fk")), on_delete: ReferentialAction::Cascade, ..reference(&["parent id"], "parent", &["id"]) }],
            rename: Some(id("kid")),
            ..TableChange::default()
        };
        let child = schemas.alter(&child, change).await.unwrap();
        let find = |name: &str| -> ForeignKey { child.foreign_keys.iter().find(|key| key.name == name).unwrap().clone() };
        assert_eq!(find("fk").on_delete, ReferentialAction::Cascade);
        assert_eq!(find("Kind er_up_fkey").references, "kid");

        // A parent that is renamed takes its children along.
        let change = TableChange { rename: Some(id("elder")), rename_columns: vec![("id".into(), id("nr"))], ..TableChange::default() };
        schemas.alter(&parent, change).await.unwrap();
        let child = schemas.table("kid").await.unwrap();
        let key = child.foreign_keys.iter().find(|key| key.name == "fk").unwrap();
        assert_eq!((key.references.as_str(), key.referenced_columns.as_slice()), ("elder", names(&["nr"]).as_slice()));
        schemas.raw("DELETE FROM elder WHERE nr = 1").await.unwrap();
        assert_eq!(schemas.value("SELECT CAST(count(*) AS CHAR(9)) FROM kid").await.as_deref(), Some("1"));
    }

    async fn changes_that_cannot_be_are_refused_and_leave_nothing(engine: TestEngine) {
        let schemas = Schemas::new(engine).await;
        let parent = schemas.create(&table("parent", vec![required("id", INT), column("n", ColumnType::Varchar(9))], &["id"])).await;
        let mut draft = table("child", vec![required("id", INT), column("p", INT), column("t", ColumnType::Varchar(9))], &["id"]);
        draft.foreign_keys = vec![reference(&["p"], "parent", &["id"])];
        let child = schemas.create(&draft).await;
        schemas.raw("INSERT INTO parent VALUES (1, 'x'); INSERT INTO child VALUES (1, 1, 'same'), (2, NULL, 'same')").await.unwrap();

        let violated = |outcome: Result<Arc<Table>, StoreError>| match outcome {
            Err(StoreError::Constraint(violation)) => violation.kind,
            other => panic!("{other:?}"),
        };
        let change = TableChange { add_columns: vec![required("new", INT)], ..TableChange::default() };
        assert_eq!(violated(schemas.alter(&child, change).await), ViolationKind::NotNull);
        let change = TableChange { add_indexes: vec![index(None, &["t"], true)], ..TableChange::default() };
        assert_eq!(violated(schemas.alter(&child, change).await), ViolationKind::Unique);
        let change = TableChange {
            add_columns: vec![with_default("q", INT, "77")],
            add_foreign_keys: vec![reference(&["q"], "parent", &["id"])],
            ..TableChange::default()
        };
        assert_eq!(violated(schemas.alter(&child, change).await), ViolationKind::ForeignKeyParent);
        let change = TableChange { alter_columns: vec![required("id", ULONG)], ..TableChange::default() };
        assert_eq!(violated(schemas.alter(&parent, change).await), ViolationKind::ForeignKeyChild);
        let change = TableChange { alter_columns: vec![column("t", INT)], ..TableChange::default() };
        assert!(schemas.alter(&child, change).await.is_err());
        let change = TableChange { alter_columns: vec![column("t", ColumnType::Varchar(2))], ..TableChange::default() };
        assert!(schemas.alter(&child, change).await.is_err());
        let change = TableChange { alter_columns: vec![required("p", INT)], ..TableChange::default() };
        assert!(schemas.alter(&child, change).await.is_err());
        let change = TableChange { rename: Some(id("parent")), ..TableChange::default() };
        assert!(matches!(schemas.alter(&child, change).await, Err(StoreError::Exists { .. })));
        match schemas.editor.drop_table(&parent).await {
            Err(StoreError::Constraint(violation)) => assert_eq!(violation.kind, ViolationKind::ForeignKeyChild),
            other => panic!("{other:?}"),
        }
        schemas.settled(&child).await;
        schemas.settled(&parent).await;
        assert_eq!(schemas.value("SELECT CAST(count(*) AS CHAR(9)) FROM child").await.as_deref(), Some("2"));
        // Foreign keys are still watched.
        assert!(schemas.raw("INSERT INTO child VALUES (3, 3, '')").await.is_err());

        schemas.editor.drop_table(&child).await.unwrap();
        schemas.editor.drop_table(&parent).await.unwrap();
        assert!(schemas.table("parent").await.is_none());
        assert!(matches!(schemas.editor.drop_table(&parent).await, Err(StoreError::Missing { kind: "table" })));
    }
}

/// What others made around a table of ours outlives a rebuild on SQLite.
#[tokio::test]
async fn a_rebuild_keeps_views_triggers_and_indexes_of_others() {
    let schemas = Schemas::new(TestEngine::Sqlite).await;
    let draft = table(
        "t",
        vec![
            ColumnDraft {
                auto_increment: true,
                ..required("id", INT)
            },
            column("a", INT),
            column("b", MONEY),
            column("c", INT),
        ],
        &["id"],
    );
    let made = schemas.create(&draft).await;
    schemas
        .raw(
            "CREATE TABLE log (x); CREATE VIEW v AS SELECT a, b FROM t; CREATE INDEX partial ON t (a) WHERE b > 0; \
             CREATE TRIGGER watch AFTER INSERT ON t BEGIN INSERT INTO log VALUES (NEW.a); END; \
             INSERT INTO t (a, b) VALUES (1, '2.00'), (3, '4.00'); DELETE FROM t WHERE id = 2",
        )
        .await
        .unwrap();
    schemas.catalog.reload(&schemas.shop).await.unwrap();
    let current = schemas.table("t").await.unwrap();
    let change = TableChange {
        alter_columns: vec![required("a", ColumnType::Varchar(9))],
        rename_columns: vec![("b".into(), id("price"))],
        ..TableChange::default()
    };
    let changed = schemas.alter(&current, change).await.unwrap();
    assert_eq!(changed.columns[2].name, "price");
    assert!(changed.indexes.iter().any(|index| index.name == "partial"));
    schemas
        .raw("INSERT INTO t (a, price) VALUES ('x', '1.00')")
        .await
        .unwrap();
    assert_eq!(
        schemas
            .value("SELECT group_concat(x) FROM log")
            .await
            .as_deref(),
        Some("1,3,x")
    );
    assert_eq!(
        schemas
            .value("SELECT CAST(max(id) AS TEXT) FROM t")
            .await
            .as_deref(),
        Some("3")
    );
    assert_eq!(
        schemas
            .value("SELECT group_concat(a) FROM v")
            .await
            .as_deref(),
        Some("1,x")
    );
    let sql = schemas
        .value("SELECT sql FROM sqlite_schema WHERE name = 'partial'")
        .await
        .unwrap();
    assert!(sql.contains("WHERE \"price\" > 0"), "{sql}");

    // What they need cannot be taken away, neither in place nor by a rebuild.
    let drop = TableChange {
        drop_columns: names(&["price"]),
        drop_indexes: names(&["partial"]),
        ..TableChange::default()
    };
    let refused = schemas.alter(&changed, drop.clone()).await;
    assert!(
        matches!(refused, Err(StoreError::Unsupported(_))),
        "{refused:?}"
    );
    let both = TableChange {
        alter_columns: vec![column("c", ColumnType::Varchar(3))],
        ..drop
    };
    assert!(matches!(
        schemas.alter(&changed, both).await,
        Err(StoreError::Unsupported(_))
    ));
    assert_eq!(schemas.settled(&changed).await.columns.len(), 4);
    assert_eq!(made.name, "t");
}
