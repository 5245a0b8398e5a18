//! Inserts, updates, deletes and upserts: whole or nothing, and shown as they are stored.

use futures_util::{StreamExt as _, stream};
use tidegate_domain::error::{StoreError, ViolationKind};
use tidegate_domain::gateway::column_type::{ColumnType, LobSize};
use tidegate_domain::gateway::port::{Encoding, Upserted};
use tidegate_domain::gateway::schema::{Column, DefaultValue, Index};
use tidegate_domain::gateway::value::Value;
use tidegate_domain::query::ask::{Comparison, Query};
use tidegate_domain::query::error::QueryError;
use tidegate_domain::query::plan::Cell;

use super::{
    TestEngine, all, by, column, compare, done, down, eq, int, key, long_text, numbered, only,
    open, planner, shown, text,
};

fn json(text: &str) -> serde_json::Map<String, serde_json::Value> {
    serde_json::from_str(text).unwrap()
}

fn value(text: &str) -> Cell {
    Cell::Value(Value::Text(text.to_owned()))
}

const NUMBERED: (&str, &str) = ("INTEGER PRIMARY KEY", "INT AUTO_INCREMENT PRIMARY KEY");

on_every_engine! {
    async fn shown_rows_stand_in_the_order_of_the_writing(engine: TestEngine) {
        let fixture = open(engine).await;
        let id = fixture.dialect(NUMBERED.0, NUMBERED.1);
        fixture.sql(&format!("CREATE TABLE $t (id {id}, s VARCHAR(20) DEFAULT 'none', n INTEGER)")).await;
        let with_default = Column { default: Some(DefaultValue::Literal("none".to_owned())), ..column("s", ColumnType::Varchar(20)) };
        let table = fixture.table("t", vec![numbered("id"), with_default, column("n", int())], &["id"]);
        let every = Query::default();
        // Given keys, not in their order.
        let written = fixture.insert_shown(&table, r#"[{"id":7,"s":"a"},{"id":3,"s":"b"},{"id":0,"s":"zero"},{"id":5,"s":"c"}]"#, Some(&every)).await.unwrap();
        assert_eq!(shown(written), (4, r#"[{"id":7,"s":"a","n":null},{"id":3,"s":"b","n":null},{"id":0,"s":"zero","n":null},{"id":5,"s":"c","n":null}]"#.to_owned()));
        // Numbered by the engine.
        let written = fixture.insert_shown(&table, r#"[{"s":"x"},{"s":"y"},{"s":"z"}]"#, Some(&only(&["s", "id"]))).await.unwrap();
        assert_eq!(shown(written), (3, r#"[{"s":"x","id":8},{"s":"y","id":9},{"s":"z","id":10}]"#.to_owned()));
        // Some given, some numbered, and defaults of single cells.
        let rows = vec![
            vec![Cell::Value(Value::Int(20)), Cell::Default, Cell::Value(Value::Null)],
            vec![Cell::Default, value("numbered"), Cell::Default],
            vec![Cell::Default, Cell::Default, Cell::Default],
            vec![Cell::Value(Value::Int(15)), value("given"), Cell::Value(Value::Int(4))],
        ];
        let written = fixture.insert_cells(&table, &["id", "s", "n"], rows.clone(), Some(&every)).await.unwrap();
        assert_eq!(shown(written), (4, r#"[{"id":20,"s":"none","n":null},{"id":21,"s":"numbered","n":null},{"id":22,"s":"none","n":null},{"id":15,"s":"given","n":4}]"#.to_owned()));
        // Rows of defaults alone, by leaving everything out.
        let written = fixture.insert_cells(&table, &[], vec![vec![], vec![]], Some(&only(&["id", "s"]))).await.unwrap();
        assert_eq!(shown(written), (2, r#"[{"id":23,"s":"none"},{"id":24,"s":"none"}]"#.to_owned()));
        let written = fixture.insert_cells(&table, &[], vec![vec![]; 3], None).await.unwrap();
        assert_eq!((written.rows, written.representation), (3, None));
        // In an order that is asked for, and nothing at all.
        let query = Query { order: vec![down("n"), by("s")], ..only(&["s"]) };
        let written = fixture.insert_shown(&table, r#"[{"s":"b","n":1},{"s":"c","n":2},{"s":"a","n":1},{"s":"d","n":null}]"#, Some(&query)).await.unwrap();
        assert_eq!(shown(written), (4, r#"[{"s":"d"},{"s":"c"},{"s":"a"},{"s":"b"}]"#.to_owned()));
        let written = fixture.insert_cells(&table, &["s"], vec![], Some(&every)).await.unwrap();
        assert_eq!(shown(written), (0, "[]".to_owned()));
    }

    async fn thousands_of_rows_are_stored_and_shown(engine: TestEngine) {
        let fixture = open(engine).await;
        let id = fixture.dialect(NUMBERED.0, NUMBERED.1);
        fixture.sql(&format!("CREATE TABLE $t (id {id}, s VARCHAR(20), a INTEGER, b INTEGER, c INTEGER, d INTEGER)")).await;
        let table = fixture.table("t", vec![numbered("id"), column("s", ColumnType::Varchar(20)), column("a", int()), column("b", int()), column("c", int()), column("d", int())], &["id"]);
        let rows: Vec<_> = (0..7_001).map(|n| serde_json::json!({"s": format!("s{n}"), "a": n, "b": null, "c": -n, "d": 0})).collect();
        let written = fixture.insert_shown(&table, &serde_json::to_string(&rows).unwrap(), Some(&only(&["a", "id"]))).await.unwrap();
        let (count, document) = shown(written);
        let expected: Vec<_> = (0..7_001).map(|n| format!(r#"{{"a":{n},"id":{}}}"#, n + 1)).collect();
        assert_eq!((count, document), (7_001, format!("[{}]", expected.join(","))));
        // Keys of two columns, one of them a text.
        fixture.sql("CREATE TABLE $k (a VARCHAR(20), b INTEGER, PRIMARY KEY (a, b))").await;
        let table = fixture.table("k", vec![Column { nullable: false, collation: fixture.ignoring_collation(), ..column("a", ColumnType::Varchar(20)) }, key("b")], &["a", "b"]);
        let rows: Vec<_> = (0..2_500).rev().map(|n| serde_json::json!({"a": format!("ü{}", n % 7), "b": n})).collect();
        let (count, document) = shown(fixture.insert_shown(&table, &serde_json::to_string(&rows).unwrap(), Some(&Query::default())).await.unwrap());
        assert_eq!((count, document), (2_500, serde_json::to_string(&rows).unwrap()));
    }

    async fn a_bad_row_stores_nothing(engine: TestEngine) {
        let fixture = open(engine).await;
        fixture.sql("CREATE TABLE $t (id INTEGER PRIMARY KEY, s VARCHAR(20) NOT NULL)").await;
        let table = fixture.table("t", vec![key("id"), Column { nullable: false, ..column("s", ColumnType::Varchar(20)) }], &["id"]);
        let row = |id: i64| vec![Cell::Value(Value::Int(id)), value("x")];
        let columns = ["id".to_owned(), "s".to_owned()];
        let fault = || QueryError::Body { message: "bad".to_owned() };
        for returning in [None, Some(Query::default())] {
            let plan = planner().insert(None, &table, &columns, returning.as_ref()).unwrap();
            // The input ends with an error after statements that went well.
            let input = stream::iter([Ok((0..3_000).map(row).collect()), Ok(vec![row(9_000)]), Err(fault())]).boxed();
            let error = fixture.store.insert(&plan, input, Encoding::Json, None).await.unwrap_err();
            assert!(matches!(&error, StoreError::Input(inner) if *inner == fault()), "{error:?}");
            // A key stands there twice, in one statement and over several.
            for last in [5, 2_000] {
                let mut rows: Vec<_> = (0..=last).map(row).collect();
                rows.push(row(1));
                let error = fixture.store.insert(&plan, stream::iter([Ok(rows)]).boxed(), Encoding::Json, None).await.unwrap_err();
                assert!(matches!(&error, StoreError::Constraint(it) if it.kind == ViolationKind::Unique), "{error:?}");
            }
            assert_eq!(fixture.read(&table, &Query::default()).await, "[]");
        }
        // A default where there is none, in a row among others.
        let rows = vec![row(1), vec![Cell::Value(Value::Int(2)), Cell::Default]];
        let error = fixture.insert_cells(&table, &["id", "s"], rows, None).await.unwrap_err();
        assert!(matches!(&error, StoreError::Constraint(it) if it.kind == ViolationKind::NotNull), "{error:?}");
        assert_eq!(fixture.read(&table, &Query::default()).await, "[]");
        fixture.insert(&table, r#"[{"id":1,"s":"x"}]"#).await.unwrap();
        assert_eq!(fixture.read(&table, &Query::default()).await, r#"[{"id":1,"s":"x"}]"#);
    }

    async fn an_update_counts_what_it_matched(engine: TestEngine) {
        let fixture = open(engine).await;
        fixture.sql("CREATE TABLE $t (id INTEGER PRIMARY KEY, s VARCHAR(20))").await;
        let table = fixture.table("t", vec![key("id"), column("s", ColumnType::Varchar(20))], &["id"]);
        fixture.insert(&table, r#"[{"id":1,"s":"a"},{"id":2,"s":"b"},{"id":3,"s":"b"}]"#).await.unwrap();
        let update = |row: &str, query: &Query, returning| planner().update(None, &table, (&json(row), &[]), query, returning).unwrap();
        for returning in [false, true] {
            let plan = update(r#"{"s":"b"}"#, &all(vec![compare("id", Comparison::Gte, "2")]), returning);
            assert_eq!(fixture.store.update(&plan, Encoding::Json).await.unwrap().rows, 2);
            let none = update(r#"{"s":"b"}"#, &all(vec![eq("id", "9")]), returning);
            assert_eq!(fixture.store.update(&none, Encoding::Json).await.unwrap().rows, 0);
            let empty = update("{}", &Query::default(), returning);
            let written = fixture.store.update(&empty, Encoding::Json).await.unwrap();
            assert_eq!((written.rows, written.representation.as_deref()), (0, returning.then_some(b"[]".as_slice())));
        }
        // The condition no longer holds after the update, and the key itself changes.
        let query = Query { filters: vec![eq("s", "b")], order: vec![down("id")], ..Query::default() };
        let written = fixture.store.update(&update(r#"{"s":"c"}"#, &query, true), Encoding::Json).await.unwrap();
        assert_eq!(shown(written), (2, r#"[{"id":3,"s":"c"},{"id":2,"s":"c"}]"#.to_owned()));
        let written = fixture.store.update(&update(r#"{"id":30,"s":null}"#, &all(vec![eq("id", "3")]), true), Encoding::Json).await.unwrap();
        assert_eq!(shown(written), (1, r#"[{"id":30,"s":null}]"#.to_owned()));
        let error = fixture.store.update(&update(r#"{"id":1}"#, &all(vec![eq("id", "2")]), true), Encoding::Json).await.unwrap_err();
        assert!(matches!(error, StoreError::Constraint(_)));
        assert_eq!(fixture.read(&table, &Query { order: vec![by("id")], ..Query::default() }).await, r#"[{"id":1,"s":"a"},{"id":2,"s":"c"},{"id":30,"s":null}]"#);
    }

    async fn a_delete_shows_what_was_there(engine: TestEngine) {
        let fixture = open(engine).await;
        fixture.sql("CREATE TABLE $p (id INTEGER PRIMARY KEY, s VARCHAR(20)); CREATE TABLE $c (id INTEGER PRIMARY KEY, p INTEGER, FOREIGN KEY (p) REFERENCES p (id))").await;
        let table = fixture.table("p", vec![key("id"), column("s", ColumnType::Varchar(20))], &["id"]);
        let child = fixture.table("c", vec![key("id"), column("p", int())], &["id"]);
        fixture.insert(&table, r#"[{"id":1,"s":"a"},{"id":2,"s":"b"},{"id":3,"s":"b"},{"id":4,"s":"d"}]"#).await.unwrap();
        fixture.insert(&child, r#"[{"id":1,"p":4}]"#).await.unwrap();
        let query = Query { filters: vec![eq("s", "b")], order: vec![down("id")], ..only(&["id"]) };
        let plan = planner().delete(None, &table, &query, true).unwrap();
        assert_eq!(shown(fixture.store.delete(&plan, Encoding::Json).await.unwrap()), (2, r#"[{"id":3},{"id":2}]"#.to_owned()));
        assert_eq!(shown(fixture.store.delete(&plan, Encoding::Json).await.unwrap()), (0, "[]".to_owned()));
        for returning in [false, true] {
            let plan = planner().delete(None, &table, &all(vec![eq("id", "4")]), returning).unwrap();
            let error = fixture.store.delete(&plan, Encoding::Json).await.unwrap_err();
            assert!(matches!(&error, StoreError::Constraint(it) if it.kind == ViolationKind::ForeignKeyChild), "{error:?}");
        }
        let error = fixture.insert(&child, r#"[{"id":2,"p":77}]"#).await.unwrap_err();
        assert!(matches!(&error, StoreError::Constraint(it) if it.kind == ViolationKind::ForeignKeyParent), "{error:?}");
        let plan = planner().delete(None, &table, &Query { filters: vec![eq("id", "1")], ..Query::default() }, false).unwrap();
        assert_eq!(fixture.store.delete(&plan, Encoding::Json).await.unwrap().rows, 1);
        assert_eq!(fixture.read(&table, &Query::default()).await, r#"[{"id":4,"s":"d"}]"#);
    }

    async fn tables_without_a_key_show_their_rows_too(engine: TestEngine) {
        let fixture = open(engine).await;
        fixture.sql("CREATE TABLE $t (a INTEGER, s VARCHAR(20) DEFAULT 'none', b BLOB); CREATE TABLE $u (c VARCHAR(20) NOT NULL UNIQUE, n INTEGER)").await;
        let none = Some(DefaultValue::Literal("none".to_owned()));
        let table = fixture.table("t", vec![column("a", int()), Column { default: none, ..column("s", ColumnType::Varchar(20)) }, column("b", ColumnType::Blob(LobSize::Normal))], &[]);
        let written = fixture.insert_shown(&table, r#"[{"a":1,"b":"\\x00"},{"a":null,"b":null},{"a":1,"b":"\\x01"}]"#, Some(&Query::default())).await.unwrap();
        assert_eq!(shown(written), (3, r#"[{"a":1,"s":"none","b":"\\x00"},{"a":null,"s":"none","b":null},{"a":1,"s":"none","b":"\\x01"}]"#.to_owned()));
        let plan = planner().update(None, &table, (&json(r#"{"s":"one","b":null}"#), &[]), &Query { order: vec![by("a")], filters: vec![eq("a", "1")], ..Query::default() }, true).unwrap();
        let written = fixture.store.update(&plan, Encoding::Json).await.unwrap();
        assert_eq!(shown(written), (2, r#"[{"a":1,"s":"one","b":null},{"a":1,"s":"one","b":null}]"#.to_owned()));
        let plan = planner().delete(None, &table, &all(vec![eq("a", "1")]), true).unwrap();
        assert_eq!(fixture.store.delete(&plan, Encoding::Json).await.unwrap().rows, 2);
        // A unique key without null tells rows apart as well.
        let mut unique = (*fixture.table("u", vec![Column { nullable: false, ..column("c", ColumnType::Varchar(20)) }, column("n", int())], &[])).clone();
        unique.indexes.push(Index { name: "c".to_owned(), columns: vec!["c".to_owned()], unique: true });
        let unique = std::sync::Arc::new(unique);
        let written = fixture.insert_shown(&unique, r#"[{"c":"z","n":1},{"c":"a","n":2}]"#, Some(&Query::default())).await.unwrap();
        assert_eq!(shown(written).1, r#"[{"c":"z","n":1},{"c":"a","n":2}]"#);
    }

    async fn an_upsert_knows_new_equal_and_different(engine: TestEngine) {
        let fixture = open(engine).await;
        fixture.sql(fixture.dialect(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT COLLATE NOCASE, d TEXT COLLATE decimal, j TEXT, m TEXT, u TEXT UNIQUE)",
            "CREATE TABLE $t (id INT AUTO_INCREMENT PRIMARY KEY, s VARCHAR(20), d DECIMAL(10,2), j JSON, m DATETIME(3), u VARCHAR(20) UNIQUE)",
        )).await;
        let table = fixture.table("t", vec![
            numbered("id"),
            Column { collation: fixture.ignoring_collation(), ..column("s", ColumnType::Varchar(20)) },
            column("d", ColumnType::Decimal { precision: 10, scale: 2, unsigned: false }),
            column("j", ColumnType::Json),
            column("m", ColumnType::DateTime(3)),
            column("u", ColumnType::Varchar(20)),
        ], &["id"]);
        let upsert = async |rows: &str| {
            let rows: Vec<_> = serde_json::from_str::<Vec<_>>(rows).unwrap();
            fixture.store.upsert(&planner().upsert(&table, &rows).unwrap(), None).await.map(done)
        };
        let counts = |inserted, unchanged, updated| Upserted { inserted, unchanged, updated };
        let first = r#"[{"id":1,"s":"a","d":1.1,"j":{"b":1,"a":[1.0]},"m":"2020-01-01T00:00:00.5"},{"id":2,"s":null}]"#;
        assert_eq!(upsert(first).await.unwrap(), counts(2, 0, 0));
        assert_eq!(upsert(first).await.unwrap(), counts(0, 2, 0));
        assert_eq!(upsert(r#"[{"id":1,"d":"1.10","j":{"a":[1.0],"b":1}},{"id":2}]"#).await.unwrap(), counts(0, 2, 0));
        assert_eq!(upsert(r#"[{"id":1,"s":"A"},{"id":2,"s":""},{"id":3,"u":"x"}]"#).await.unwrap(), counts(1, 0, 2));
        assert_eq!(upsert(r#"[{"id":2,"s":null,"m":null}]"#).await.unwrap(), counts(0, 0, 1));
        assert_eq!(upsert(r#"[{"s":"numbered"},{}]"#).await.unwrap(), counts(2, 0, 0));
        // The same row twice in one go, and another unique key in the way.
        assert_eq!(upsert(r#"[{"id":9,"s":"x"},{"id":9,"s":"y"}]"#).await.unwrap(), counts(1, 0, 1));
        let error = upsert(r#"[{"id":10,"s":"new"},{"id":1,"u":"x"}]"#).await.unwrap_err();
        assert!(matches!(&error, StoreError::Constraint(it) if it.kind == ViolationKind::Unique), "{error:?}");
        assert_eq!(upsert("[]").await.unwrap(), counts(0, 0, 0));
        let query = Query { order: vec![by("id")], ..only(&["id", "s", "d", "m"]) };
        assert_eq!(fixture.read(&table, &query).await, concat!(
            r#"[{"id":1,"s":"A","d":1.10,"m":"2020-01-01T00:00:00.5"},{"id":2,"s":null,"d":null,"m":null},{"id":3,"s":null,"d":null,"m":null},"#,
            r#"{"id":4,"s":"numbered","d":null,"m":null},{"id":5,"s":null,"d":null,"m":null},{"id":9,"s":"y","d":null,"m":null}]"#,
        ));
    }

    async fn large_values_go_in_and_out(engine: TestEngine) {
        let fixture = open(engine).await;
        fixture.sql(fixture.dialect("CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT)", "CREATE TABLE $t (id INT PRIMARY KEY, s LONGTEXT)")).await;
        let table = fixture.table("t", vec![key("id"), column("s", ColumnType::Text(LobSize::Long))], &["id"]);
        let long = "ü".repeat(3_000_000);
        let rows = (0..3).map(|id| vec![Cell::Value(Value::Int(id)), value(&long)]).collect();
        assert_eq!(fixture.insert_cells(&table, &["id", "s"], rows, None).await.unwrap().rows, 3);
        let query = Query { order: vec![by("id")], ..Query::default() };
        let (returned, _, document) = text(fixture.rows(&table, &query, Encoding::Json).await).await;
        let rows: Vec<_> = (0..3).map(|id| format!(r#"{{"id":{id},"s":"{long}"}}"#)).collect();
        assert_eq!(returned, 3);
        assert!(document == format!("[{}]", rows.join(",")));
        let _ = long_text();
    }

    async fn concurrent_writers_all_get_through(engine: TestEngine) {
        let fixture = open(engine).await;
        fixture.sql("CREATE TABLE $t (id INTEGER PRIMARY KEY, n INTEGER)").await;
        let table = fixture.table("t", vec![key("id"), column("n", int())], &["id"]);
        let rows: Vec<_> = (0..20).map(|id| serde_json::json!({"id": id, "n": 0})).collect();
        fixture.insert(&table, &serde_json::to_string(&rows).unwrap()).await.unwrap();
        // In opposite orders, so that row locks meet.
        let writers = (0..8).map(|writer| {
            let (table, fixture) = (&table, &fixture);
            async move {
                let mut ids: Vec<i64> = (0..20).collect();
                if writer % 2 == 0 {
                    ids.reverse();
                }
                let rows: Vec<_> = ids.iter().map(|id| json(&format!(r#"{{"id":{id},"n":{writer}}}"#))).collect();
                fixture.store.upsert(&planner().upsert(table, &rows).unwrap(), None).await.map(done)
            }
        });
        for outcome in futures_util::future::join_all(writers).await {
            let done = outcome.unwrap();
            assert_eq!(done.inserted + done.unchanged + done.updated, 20);
        }
    }
}
