//! Tests of `types`.

use super::*;

fn all() -> Vec<ColumnType> {
    let texts = [
        "tinyint",
        "smallint unsigned",
        "mediumint",
        "int",
        "bigint",
        "bigint unsigned",
        "tinyint(1)",
        "decimal(10,2)",
        "decimal(65,30) unsigned",
        "decimal(2,2)",
        "decimal(5,0)",
        "float",
        "double unsigned",
        "char(3)",
        "varchar(50)",
        "tinytext",
        "text",
        "mediumtext",
        "longtext",
        "binary(4)",
        "varbinary(9)",
        "tinyblob",
        "blob",
        "mediumblob",
        "longblob",
        "date",
        "time(3)",
        "datetime",
        "datetime(6)",
        "timestamp(2)",
        "year",
        "json",
        "bit(1)",
        "bit(64)",
        "uuid",
        "enum('a','it''s','po\"int','%49NTx','char','blob')",
        "set('x','PRINT','%25')",
    ];
    texts
        .iter()
        .map(|text| read_type(text, false).unwrap())
        .collect()
}

#[tokio::test]
async fn every_type_comes_back_with_the_right_affinity() {
    use sqlx::{AssertSqlSafe, ConnectOptions, Row};
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .in_memory(true)
        .collation("decimal", str::cmp)
        .collation("time", str::cmp);
    let mut connection = options.connect().await.unwrap();
    for column_type in all() {
        let sql = format!(
            "DROP TABLE IF EXISTS t; CREATE TABLE t (c {} CONSTRAINT \"_tidegate_type\" CHECK ({}))",
            declaration(&column_type),
            condition("\"c\"", &column_type, false)
        );
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut connection)
            .await
            .unwrap();
        let declared: String = sqlx::query("SELECT type FROM pragma_table_xinfo('t')")
            .fetch_one(&mut connection)
            .await
            .unwrap()
            .get(0);
        assert_eq!(logical(&declared, true), column_type, "{declared}");
        // What SQLite makes of a text that is a number tells the affinity.
        sqlx::raw_sql("CREATE TABLE u AS SELECT c FROM t; DROP TABLE u; PRAGMA ignore_check_constraints = ON; INSERT INTO t VALUES ('12'); PRAGMA ignore_check_constraints = OFF")
            .execute(&mut connection).await.unwrap();
        let kind: String = sqlx::query("SELECT typeof(c) FROM t")
            .fetch_one(&mut connection)
            .await
            .unwrap()
            .get(0);
        let expected = match storage(&column_type) {
            Storage::Integer => "integer",
            Storage::Real => "real",
            _ => "text",
        };
        assert_eq!(kind, expected, "{declared}");
    }
}

#[tokio::test]
async fn checks_let_the_right_values_through() {
    use sqlx::{AssertSqlSafe, ConnectOptions};
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .in_memory(true)
        .collation("decimal", str::cmp)
        .collation("time", str::cmp);
    let mut connection = options.connect().await.unwrap();
    let cases: &[(&str, &[&str], &[&str])] = &[
        (
            "tinyint",
            &["127", "-128", "NULL", "'5'"],
            &["128", "1.5", "'x'"],
        ),
        ("tinyint(1)", &["0", "1"], &["2"]),
        ("bigint", &["9223372036854775807"], &["9223372036854775808"]),
        (
            "bigint unsigned",
            &["'18446744073709551615'", "'0'", "5"],
            &["'18446744073709551616'", "'-1'", "'01'", "''", "'1.0'"],
        ),
        (
            "decimal(4,2)",
            &["'12.34'", "'-12.34'", "'0.00'"],
            &[
                "'1.2'",
                "'123.00'",
                "'1'",
                "'.50'",
                "'--1.00'",
                "'1-.00'",
                "'1.00.00'",
                "''",
                "'x'",
            ],
        ),
        (
            "decimal(2,2) unsigned",
            &["'0.10'"],
            &["'-0.10'", "'10.10'"],
        ),
        (
            "decimal(3,0)",
            &["'999'", "'-7'", "7"],
            &["'1000'", "'1.0'", "''", "'-'"],
        ),
        (
            "varchar(2)",
            &["'ab'", "'äö'", "''", "12"],
            &["'abc'", "x'00'"],
        ),
        ("tinytext", &["'a'"], &["x'61'"]),
        ("varbinary(2)", &["x'00ff'", "x''"], &["x'000000'", "'a'"]),
        ("enum('a','b')", &["'a'"], &["'A'", "''", "1"]),
        (
            "set('x','y','xy')",
            &["''", "'x'", "'x,y'", "'x,y,xy'"],
            &["'z'", "'x,'", "'x,,y'", "','", "'xx'"],
        ),
        ("bit(3)", &["'7'", "0"], &["'8'", "'-1'"]),
        (
            "bit(64)",
            &["'18446744073709551615'"],
            &["'18446744073709551616'"],
        ),
        ("json", &["'{}'", "'1.10'"], &["'{'"]),
        (
            "uuid",
            &["'00000000-0000-0000-0000-000000000000'"],
            &["'x'"],
        ),
        ("year", &["2020", "0"], &["3000"]),
        ("double unsigned", &["1.5", "1"], &["-1.0", "'x'"]),
        ("datetime", &["'2020-01-01 00:00:00'"], &["x'00'"]),
    ];
    for (text, good, bad) in cases {
        let column_type = read_type(text, false).unwrap();
        let sql = format!(
            "DROP TABLE IF EXISTS t; CREATE TABLE t (c {} CHECK ({}))",
            declaration(&column_type),
            condition("\"c\"", &column_type, false)
        );
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut connection)
            .await
            .unwrap();
        for (value, fits) in good
            .iter()
            .map(|it| (it, true))
            .chain(bad.iter().map(|it| (it, false)))
        {
            let sql = format!("INSERT INTO t VALUES ({value})");
            let outcome = sqlx::raw_sql(AssertSqlSafe(sql))
                .execute(&mut connection)
                .await;
            assert_eq!(outcome.is_ok(), fits, "{text}: {value}");
        }
    }
}

#[test]
fn types_of_tables_made_elsewhere_promise_nothing() {
    let cases = [
        ("INTEGER", "bigint"),
        ("INT", "bigint"),
        ("UNSIGNED BIG INT", "bigint"),
        ("bigint unsigned", "bigint"),
        ("NVARCHAR(160)", "text"),
        ("VARCHAR(20)", "varchar(20)"),
        ("TEXT", "text"),
        ("", ""),
        ("BLOB", "blob"),
        ("REAL", "double"),
        ("FLOAT", "double"),
        ("BOOLEAN", "tinyint(1)"),
        ("NUMERIC(10,2)", "numeric(10,2)"),
        ("DECIMAL(10,2)", "decimal(10,2)"),
        ("DATETIME", "datetime"),
        ("POINT", "bigint"),
    ];
    for (declared, expected) in cases {
        assert_eq!(logical(declared, false).to_string(), expected, "{declared}");
    }
    assert!(matches!(
        logical("DECIMAL(10,2)", false),
        ColumnType::Other(_)
    ));
    assert!(matches!(logical("datetime", false), ColumnType::Other(_)));
}
