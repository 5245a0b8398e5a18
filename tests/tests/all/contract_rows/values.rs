//! Values of every type, in and out.

use tidegate_domain::gateway::column_type::{ColumnType, LobSize};
use tidegate_domain::gateway::port::Encoding;
use tidegate_domain::gateway::schema::Column;

use super::{TestEngine, all, by, column, eq, int, key, long_text, one_of, only, open, text};
use tidegate_domain::query::ask::Query;

/// Name, type, declarations on SQLite and on the servers, and values: as given and as shown.
type Case = (
    &'static str,
    ColumnType,
    &'static str,
    &'static str,
    Vec<(&'static str, &'static str)>,
);

fn cases() -> Vec<Case> {
    let integer = |bytes, unsigned| ColumnType::Integer { bytes, unsigned };
    let same = |values: &[&'static str]| {
        values
            .iter()
            .map(|value| (*value, *value))
            .collect::<Vec<_>>()
    };
    vec![
        (
            "tiny",
            integer(1, false),
            "INTEGER",
            "TINYINT",
            same(&["-128", "127", "0"]),
        ),
        (
            "tiny_u",
            integer(1, true),
            "INTEGER",
            "TINYINT UNSIGNED",
            same(&["255", "0"]),
        ),
        (
            "small",
            integer(2, false),
            "INTEGER",
            "SMALLINT",
            same(&["-32768", "32767"]),
        ),
        (
            "medium",
            integer(3, false),
            "INTEGER",
            "MEDIUMINT",
            same(&["-8388608", "8388607"]),
        ),
        (
            "medium_u",
            integer(3, true),
            "INTEGER",
            "MEDIUMINT UNSIGNED",
            same(&["16777215"]),
        ),
        (
            "int_u",
            integer(4, true),
            "INTEGER",
            "INT UNSIGNED",
            same(&["4294967295"]),
        ),
        (
            "big",
            integer(8, false),
            "INTEGER",
            "BIGINT",
            same(&[
                "-9223372036854775808",
                "9223372036854775807",
                "9007199254740993",
            ]),
        ),
        (
            "big_u",
            integer(8, true),
            "TEXT COLLATE decimal",
            "BIGINT UNSIGNED",
            same(&["18446744073709551615", "0", "9223372036854775808"]),
        ),
        (
            "truth",
            ColumnType::Boolean,
            "INTEGER",
            "TINYINT(1)",
            same(&["true", "false"]),
        ),
        (
            "exact",
            ColumnType::Decimal {
                precision: 65,
                scale: 30,
                unsigned: false,
            },
            "TEXT COLLATE decimal",
            "DECIMAL(65,30)",
            vec![
                (
                    "99999999999999999999999999999999999.999999999999999999999999999999",
                    "99999999999999999999999999999999999.999999999999999999999999999999",
                ),
                (
                    "-0.000000000000000000000000000001",
                    "-0.000000000000000000000000000001",
                ),
                ("\"1.10\"", "1.100000000000000000000000000000"),
            ],
        ),
        (
            "money",
            ColumnType::Decimal {
                precision: 10,
                scale: 2,
                unsigned: false,
            },
            "TEXT COLLATE decimal",
            "DECIMAL(10,2)",
            vec![("1.1", "1.10"), ("-0.5", "-0.50"), ("0", "0.00")],
        ),
        (
            "whole",
            ColumnType::Decimal {
                precision: 65,
                scale: 0,
                unsigned: false,
            },
            "TEXT COLLATE decimal",
            "DECIMAL(65,0)",
            same(&["99999999999999999999999999999999999999999999999999999999999999999"]),
        ),
        (
            "single",
            ColumnType::Float { unsigned: false },
            "REAL",
            "FLOAT",
            vec![
                ("0.1", "0.1"),
                ("16777217", "16777216"),
                ("3.4028234e38", "3.4028235e38"),
                ("1e-45", "1e-45"),
            ],
        ),
        (
            "double_",
            ColumnType::Double { unsigned: false },
            "REAL",
            "DOUBLE",
            vec![
                ("0.1", "0.1"),
                ("0.30000000000000004", "0.30000000000000004"),
                ("1.7976931348623157e308", "1.7976931348623157e308"),
                ("5e-324", "5e-324"),
                ("-2", "-2"),
            ],
        ),
        (
            "fixed",
            ColumnType::Char(4),
            "TEXT",
            "CHAR(4)",
            vec![
                ("\"ab\"", "\"ab\""),
                ("\"ab  \"", "\"ab\""),
                ("\"🙂é\"", "\"🙂é\""),
            ],
        ),
        (
            "varchar_",
            ColumnType::Varchar(40),
            "TEXT",
            "VARCHAR(40)",
            same(&[
                r#""a \"b\" \\c\n\t\u0001 'd' `e`""#,
                "\"ends in blanks  \"",
                "\"\"",
                "\"𝔘nicode 日本 🇩🇪\"",
            ]),
        ),
        (
            "long_",
            ColumnType::Text(LobSize::Long),
            "TEXT",
            "LONGTEXT",
            same(&["\"NULL\"", "\"null\""]),
        ),
        (
            "fixed_b",
            ColumnType::Binary(3),
            "BLOB",
            "BINARY(3)",
            vec![(r#""\\x01""#, r#""\\x010000""#)],
        ),
        (
            "bytes",
            ColumnType::Blob(LobSize::Normal),
            "BLOB",
            "BLOB",
            same(&[r#""\\x""#, r#""\\x00ff7f80""#]),
        ),
        (
            "day",
            ColumnType::Date,
            "TEXT",
            "DATE",
            same(&["\"0001-01-01\"", "\"9999-12-31\"", "\"2024-02-29\""]),
        ),
        (
            "span",
            ColumnType::Time(6),
            "TEXT",
            "TIME(6)",
            vec![
                ("\"-838:59:59\"", "\"-838:59:59\""),
                ("\"838:59:59\"", "\"838:59:59\""),
                ("\"01:02:03.500000\"", "\"01:02:03.5\""),
                ("\"-00:00:00.000001\"", "\"-00:00:00.000001\""),
                ("\"00:00:01.000001\"", "\"00:00:01.000001\""),
            ],
        ),
        (
            "moment",
            ColumnType::DateTime(6),
            "TEXT",
            "DATETIME(6)",
            vec![
                (
                    "\"2015-12-08 04:22:57.472738\"",
                    "\"2015-12-08T04:22:57.472738\"",
                ),
                (
                    "\"9999-12-31T23:59:59.999999\"",
                    "\"9999-12-31T23:59:59.999999\"",
                ),
                ("\"2020-01-01T00:00:00\"", "\"2020-01-01T00:00:00\""),
            ],
        ),
        (
            "moment3",
            ColumnType::DateTime(3),
            "TEXT",
            "DATETIME(3)",
            vec![("\"2015-12-08T04:22:57.47\"", "\"2015-12-08T04:22:57.47\"")],
        ),
        (
            "instant",
            ColumnType::Timestamp(3),
            "TEXT",
            "TIMESTAMP(3) NULL",
            vec![
                (
                    "\"2023-10-18T14:37:59.611+02:00\"",
                    "\"2023-10-18T12:37:59.611+00:00\"",
                ),
                ("\"2038-01-19T03:14:07Z\"", "\"2038-01-19T03:14:07+00:00\""),
                ("\"1970-01-01T00:00:01Z\"", "\"1970-01-01T00:00:01+00:00\""),
            ],
        ),
        (
            "year_",
            ColumnType::Year,
            "INTEGER",
            "YEAR",
            same(&["1901", "2155", "0"]),
        ),
        (
            "json_",
            ColumnType::Json,
            "TEXT",
            "JSON",
            same(&[r#"{"a": 1}"#, "[]", "\"text\"", "12345678901234567890"]),
        ),
        (
            "choice",
            ColumnType::Enum(vec!["b".into(), "a".into(), "it's".into()]),
            "TEXT",
            "ENUM('b','a','it''s')",
            same(&["\"b\"", "\"it's\""]),
        ),
        (
            "choices",
            ColumnType::Set(vec!["x".into(), "y".into(), "z".into()]),
            "TEXT",
            "SET('x','y','z')",
            vec![("\"z,x\"", "\"x,z\""), ("\"\"", "\"\"")],
        ),
        (
            "bits",
            ColumnType::Bit(10),
            "TEXT COLLATE decimal",
            "BIT(10)",
            vec![("\"101\"", "\"0000000101\""), ("5", "\"0000000101\"")],
        ),
        (
            "bits64",
            ColumnType::Bit(64),
            "TEXT COLLATE decimal",
            "BIT(64)",
            vec![(
                "18446744073709551615",
                "\"1111111111111111111111111111111111111111111111111111111111111111\"",
            )],
        ),
        (
            "uuid_",
            ColumnType::Uuid,
            "TEXT",
            "CHAR(36)",
            vec![(
                "\"6F9619FF-8B86-D011-B42D-00C04FC964FF\"",
                "\"6f9619ff-8b86-d011-b42d-00c04fc964ff\"",
            )],
        ),
    ]
}

on_every_engine! {
    async fn every_type_survives_both_ways_at_its_extremes(engine: TestEngine) {
        let fixture = open(engine).await;
        let cases = cases();
        let declared: Vec<String> =
            cases.iter().map(|(name, _, sqlite, servers, _)| format!(", {name} {}", fixture.dialect(sqlite, servers))).collect();
        let options = fixture.dialect("", " DEFAULT CHARSET utf8mb4");
        fixture.sql(&format!("CREATE TABLE $t (id INTEGER PRIMARY KEY{}){options}", declared.concat())).await;
        let mut columns = vec![key("id")];
        columns.extend(cases.iter().map(|(name, column_type, ..)| Column {
            collation: engine.is_server().then(|| "utf8mb4_general_ci".to_owned()),
            ..column(name, column_type.clone())
        }));
        let table = fixture.table("t", columns, &["id"]);
        let mut id = 0;
        for (name, column_type, _, _, values) in &cases {
            for (given, expected) in values {
                id += 1;
                let written = fixture.insert(&table, &format!(r#"[{{"id":{id},"{name}":{given}}}]"#)).await;
                assert_eq!(written.unwrap_or_else(|error| panic!("{name} {given}: {error:?}")).rows, 1);
                let query = Query { filters: vec![eq("id", &id.to_string())], ..only(&[name]) };
                let read = fixture.read(&table, &query).await;
                // MariaDB keeps the text of a JSON document, MySQL its own form of it.
                assert_eq!(read.replace(": ", ":"), format!(r#"[{{"{name}":{expected}}}]"#).replace(": ", ":"), "{name} {given}");
                if *column_type == ColumnType::Json {
                    continue;
                }
                // What is shown finds its row again.
                let shown: serde_json::Value = serde_json::from_str(expected).unwrap();
                let operand = shown.as_str().map_or_else(|| expected.to_string(), str::to_owned);
                for condition in [eq(name, &operand), one_of(name, &[&operand, &operand])] {
                    let query = Query { filters: vec![condition, eq("id", &id.to_string())], ..only(&["id"]) };
                    assert_eq!(fixture.read(&table, &query).await, format!(r#"[{{"id":{id}}}]"#), "{name} eq {operand}");
                }
            }
        }
        let query = Query { filters: vec![eq("id", "1")], ..Query::default() };
        let read = fixture.read(&table, &query).await;
        assert!(read.starts_with(r#"[{"id":1,"tiny":-128,"tiny_u":null,"#) && read.ends_with("null}]"), "{read}");
    }

    async fn csv_tells_null_from_empty(engine: TestEngine) {
        let fixture = open(engine).await;
        fixture.sql("CREATE TABLE $t (id INTEGER PRIMARY KEY, b TINYINT(1), s VARCHAR(50))").await;
        let table = fixture.table("t", vec![key("id"), column("b", ColumnType::Boolean), column("s\"", ColumnType::Varchar(50))], &["id"]);
        let mut renamed = (*table).clone();
        renamed.columns[2].name = "s".to_owned();
        let table = std::sync::Arc::new(renamed);
        fixture.insert(&table, r#"[{"id":1,"b":true,"s":"a,\"b\"\nc"},{"id":2,"b":false,"s":""},{"id":3,"b":null,"s":null}]"#).await.unwrap();
        let query = Query { order: vec![by("id")], ..Query::default() };
        let (returned, _, csv) = text(fixture.rows(&table, &query, Encoding::Csv).await).await;
        assert_eq!((returned, csv.as_str()), (3, "id,b,s\n1,t,\"a,\"\"b\"\"\nc\"\n2,f,\"\"\n3,,"));
        let none = all(vec![eq("id", "9")]);
        assert_eq!(text(fixture.rows(&table, &none, Encoding::Csv).await).await.2, "id,b,s");
        assert_eq!(fixture.read(&table, &none).await, "[]");
    }

    async fn what_others_wrote_is_read_as_it_is(engine: TestEngine) {
        let fixture = open(engine).await;
        if engine.is_server() {
            fixture.sql("CREATE TABLE $t (id INT PRIMARY KEY, d DATE, m DATETIME(3), ts TIMESTAMP NULL, z DECIMAL(6,2) ZEROFILL, l VARCHAR(9) CHARSET latin1, g GEOMETRY)").await;
            fixture.sql("INSERT INTO $t VALUES (1, '0000-00-00', '0000-00-00 00:00:00', NULL, 1.5, 'grün', NULL), (2, '2020-00-00', '2020-01-00 10:00:00', '0000-00-00 00:00:00', 0, '', ST_GeomFromText('POINT(1 2)'))").await;
            let table = fixture.table("t", vec![
                key("id"),
                column("d", ColumnType::Date),
                column("m", ColumnType::DateTime(3)),
                column("ts", ColumnType::Timestamp(0)),
                column("z", ColumnType::Decimal { precision: 6, scale: 2, unsigned: true }),
                column("l", ColumnType::Varchar(9)),
                column("g", ColumnType::Other("geometry".to_owned())),
            ], &["id"]);
            assert_eq!(fixture.read(&table, &Query { order: vec![by("id")], ..Query::default() }).await, concat!(
                r#"[{"id":1,"d":"0000-00-00","m":"0000-00-00T00:00:00","ts":null,"z":1.50,"l":"grün","g":null},"#,
                r#"{"id":2,"d":"2020-00-00","m":"2020-01-00T10:00:00","ts":"0000-00-00T00:00:00+00:00","z":0.00,"l":"","#,
                r#""g":"\\x000000000101000000000000000000f03f0000000000000040"}]"#,
            ));
        } else {
            fixture.sql("CREATE TABLE t (id INTEGER PRIMARY KEY, s VARCHAR(9), n DECIMAL(10,2), j JSON, x)").await;
            fixture.sql("INSERT INTO t VALUES (1, x'00ff', '1.10', '{bad', x'68656c6c6f'), (2, 'text', 'NaN', '{\"a\":1}', 9e999), (3, '', 7, 5, 1.5)").await;
            let table = fixture.table("t", vec![
                key("id"),
                column("s", ColumnType::Varchar(9)),
                column("n", ColumnType::Decimal { precision: 10, scale: 2, unsigned: false }),
                column("j", ColumnType::Json),
                column("x", ColumnType::Other(String::new())),
            ], &["id"]);
            assert_eq!(fixture.read(&table, &Query { order: vec![by("id")], ..Query::default() }).await, concat!(
                r#"[{"id":1,"s":"\\x00ff","n":1.1,"j":"{bad","x":"hello"},"#,
                r#"{"id":2,"s":"text","n":"NaN","j":{"a":1},"x":"Infinity"},"#,
                r#"{"id":3,"s":"","n":7,"j":5,"x":1.5}]"#,
            ));
        }
    }

    async fn names_may_hold_what_a_name_may_hold(engine: TestEngine) {
        let fixture = open(engine).await;
        let (name, sql) = match engine {
            TestEngine::Sqlite => ("a\"b`c?d", r#"CREATE TABLE "t""?" (id INTEGER PRIMARY KEY, "a""b`c?d" TEXT)"#),
            _ => ("a`b\"c?d", "CREATE TABLE $`t`` ?` (id INT PRIMARY KEY, `a``b\"c?d` TEXT)"),
        };
        fixture.sql(sql).await;
        let table = fixture.table(if engine.is_server() { "t` ?" } else { "t\"?" }, vec![key("id"), column(name, long_text())], &["id"]);
        let member = serde_json::to_string(name).unwrap();
        fixture.insert(&table, &format!(r#"[{{"id":1,{member}:"x"}}]"#)).await.unwrap();
        assert_eq!(fixture.read(&table, &all(vec![eq(name, "x")])).await, format!(r#"[{{"id":1,{member}:"x"}}]"#));
        let _ = int();
    }
}
