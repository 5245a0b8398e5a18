//! Defaults and comments.

use super::*;

on_every_engine! {
    async fn defaults_and_comments_come_back_as_given(engine: TestEngine) {
        let schemas = Schemas::new(engine).await;
        let text = "it's \\ a \"text\"\n`ü` 🙂 -- ; NULL";
        let cases = [
            (INT, "-5"),
            (ULONG, "18446744073709551615"),
            (ColumnType::Boolean, "1"),
            (ColumnType::Year, "2020"),
            (MONEY, "1.50"),
            (ColumnType::Double { unsigned: false }, "0.1"),
            (ColumnType::Double { unsigned: false }, "100000000000000000000"),
            (ColumnType::Float { unsigned: false }, "1.5"),
            (ColumnType::Char(3), "NULL".split_at(3).0),
            (ColumnType::Varchar(99), text),
            (ColumnType::Varchar(9), ""),
            (ColumnType::Varchar(9), "NULL"),
            (ColumnType::Varchar(20), "current_timestamp"),
            (ColumnType::Text(LobSize::Normal), text),
            (ColumnType::Text(LobSize::Long), ""),
            (ColumnType::Binary(4), "\\x61620000"),
            (ColumnType::Varbinary(9), "\\x00ff41"),
            (ColumnType::Varbinary(9), "\\x"),
            (ColumnType::Blob(LobSize::Normal), "\\x27005c"),
            (ColumnType::Date, "2020-02-29"),
            (ColumnType::Time(3), "-01:02:03.500"),
            (ColumnType::DateTime(6), "2020-02-29 01:02:03.000004"),
            (ColumnType::DateTime(0), "2020-02-29 01:02:03"),
            (ColumnType::Timestamp(2), "2020-02-29 01:02:03.50"),
            (ColumnType::Json, r#"{"a":[1,"it's"]}"#),
            (ColumnType::Enum(names(&["a", "it's", "c\\d"])), "c\\d"),
            (ColumnType::Set(names(&["x", "y"])), "x,y"),
            (ColumnType::Bit(5), "00101"),
            (ColumnType::Bit(64), "1111111111111111111111111111111111111111111111111111111111111111"),
            (ColumnType::Uuid, "6ccd780c-baba-1026-9564-5b8c656024db"),
        ];
        let mut columns: Vec<_> =
            cases.iter().enumerate().map(|(at, (it, default))| with_default(&format!("c{at}"), it.clone(), default)).collect();
        let comment = "it's \\ a \"comment\" ü -- ;";
        columns[0].comment = comment.to_owned();
        columns.push(ColumnDraft { default: Some(DefaultValue::Null), ..column("n", INT) });
        for (name, it, on_update) in [("t1", ColumnType::DateTime(0), false), ("t2", ColumnType::DateTime(6), true), ("t3", ColumnType::Timestamp(2), false)] {
            columns.push(ColumnDraft { default: Some(DefaultValue::CurrentTimestamp { on_update }), ..required(name, it) });
        }
        let draft = TableDraft { comment: comment.to_owned(), ..table("defaults", columns, &[]) };
        let made = schemas.create(&draft).await;
        for (column, (given, default)) in made.columns.iter().zip(&cases) {
            assert_eq!(column.default, Some(DefaultValue::Literal((*default).to_owned())), "{given}");
        }
        assert_eq!((made.comment.as_str(), made.columns[0].comment.as_str()), (comment, comment));
        let last: Vec<_> = made.columns[cases.len()..].iter().map(|column| column.default.clone()).collect();
        let now = |on_update| Some(DefaultValue::CurrentTimestamp { on_update });
        assert_eq!(last, [None, now(false), now(true), now(false)]);

        // They are also what a row gets.
        let insert = if engine == TestEngine::Sqlite { "INSERT INTO defaults DEFAULT VALUES" } else { "INSERT INTO defaults () VALUES ()" };
        schemas.raw(insert).await.unwrap();
        for (column, expected) in [("c1", "18446744073709551615"), ("c4", "1.50"), ("c9", text), ("c20", "-01:02:03.500"), ("c26", "x,y")] {
            assert_eq!(schemas.value(&format!("SELECT CAST({column} AS CHAR(99)) FROM defaults")).await.as_deref(), Some(expected), "{column}");
        }
        assert_eq!(schemas.value("SELECT CAST(hex(c16) AS CHAR(9)) FROM defaults").await.as_deref(), Some("00FF41"));
        for (column, length) in [("t1", 19), ("t2", 26), ("t3", 22)] {
            let time = schemas.value(&format!("SELECT CAST({column} AS CHAR(40)) FROM defaults")).await.unwrap();
            assert_eq!((time.len(), &time[10..11]), (length, " "), "{column}: {time}");
        }
        let before = schemas.value("SELECT CAST(t2 AS CHAR(40)) FROM defaults").await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        schemas.raw("UPDATE defaults SET c0 = c0").await.unwrap();
        assert_eq!(schemas.value("SELECT CAST(t2 AS CHAR(40)) FROM defaults").await, before);
        schemas.raw("UPDATE defaults SET c0 = 7").await.unwrap();
        assert_ne!(schemas.value("SELECT CAST(t2 AS CHAR(40)) FROM defaults").await, before);
    }
}
