//! Which rows fit, and in which order: the same on every engine whatever its collations are.

use std::sync::Arc;

use tidegate_domain::gateway::column_type::ColumnType;
use tidegate_domain::gateway::port::Encoding;
use tidegate_domain::gateway::schema::{Column, Table};
use tidegate_domain::query::ask::{
    Comparison, Condition, Filter, IsValue, Nulls, OrderTerm, Query,
};

use super::{
    Fixture, TestEngine, all, by, column, compare, down, eq, filter, ilike, key, like, not, one_of,
    only, open,
};

/// A table of texts, one a row, numbered from 1; the column's collation ignores case.
async fn texts(fixture: &Fixture, texts: &[&str]) -> Arc<Table> {
    let declared = match fixture.ignoring_collation() {
        Some(collation) => format!("VARCHAR(200) COLLATE {collation}"),
        None => "TEXT COLLATE NOCASE".to_owned(),
    };
    fixture
        .sql(&format!(
            "CREATE TABLE $t (id INTEGER PRIMARY KEY, s {declared}); CREATE INDEX t_s ON $t (s)"
        ))
        .await;
    let column = Column {
        collation: fixture.ignoring_collation(),
        ..column("s", ColumnType::Varchar(200))
    };
    let table = fixture.table("t", vec![key("id"), column], &["id"]);
    let rows: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(at, s)| serde_json::json!({"id": at + 1, "s": s}))
        .collect();
    fixture
        .insert(&table, &serde_json::to_string(&rows).unwrap())
        .await
        .unwrap();
    table
}

/// The numbers of the rows that fit, in their order.
async fn ids(fixture: &Fixture, table: &Arc<Table>, filters: Vec<Filter>) -> Vec<i64> {
    ordered(fixture, table, filters, vec![by("id")]).await
}

async fn ordered(
    fixture: &Fixture,
    table: &Arc<Table>,
    filters: Vec<Filter>,
    order: Vec<OrderTerm>,
) -> Vec<i64> {
    let json = fixture
        .read(
            table,
            &Query {
                filters,
                order,
                ..only(&["id"])
            },
        )
        .await;
    let rows: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

on_every_engine! {
    async fn texts_are_equal_by_code_point(engine: TestEngine) {
        let fixture = open(engine).await;
        let table = texts(&fixture, &["abc", "ABC", "abc ", "äbc", "a\u{308}bc", "", "🙂", "🙃", "ß", "ss"]).await;
        let cases: Vec<(Filter, Vec<i64>)> = vec![
            (eq("s", "abc"), vec![1]),
            (eq("s", "ABC"), vec![2]),
            (eq("s", "abc "), vec![3]),
            (eq("s", "äbc"), vec![4]),
            (eq("s", ""), vec![6]),
            (eq("s", "🙂"), vec![7]),
            (eq("s", "ß"), vec![9]),
            (eq("s", "Abc"), vec![]),
            (eq("s", "x' OR '1'='1"), vec![]),
            (one_of("s", &["ABC", "🙃", "none"]), vec![2, 8]),
            (one_of("s", &[]), vec![]),
            (not(one_of("s", &[])), (1..=10).collect()),
            (not(one_of("s", &["ABC"])), vec![1, 3, 4, 5, 6, 7, 8, 9, 10]),
            (compare("s", Comparison::Neq, "abc"), (2..=10).collect()),
            (not(eq("s", "abc")), (2..=10).collect()),
            (compare("s", Comparison::Lt, "abc"), vec![2, 6]),
            (compare("s", Comparison::Gte, "ß"), vec![4, 7, 8, 9]),
            (compare("s", Comparison::Gt, "🙂"), vec![8]),
        ];
        for (filter, expected) in cases {
            assert_eq!(ids(&fixture, &table, vec![filter.clone()]).await, expected, "{filter:?}");
        }
        assert_eq!(ordered(&fixture, &table, vec![], vec![by("s")]).await, [6, 2, 1, 3, 5, 10, 9, 4, 7, 8]);
        assert_eq!(ordered(&fixture, &table, vec![], vec![down("s")]).await, [8, 7, 4, 9, 10, 5, 3, 1, 2, 6]);
    }

    async fn patterns_know_case_and_their_own_wildcards_only(engine: TestEngine) {
        let fixture = open(engine).await;
        let table = texts(&fixture, &[
            "Hamburg", "hamburg", "HAMBURG\nline", "100%", "a_b", "a*b", "a?b", "[a]", "back\\slash", "a|b", "Ärger", "ÄRGER", "(x)+", "a b",
        ]).await;
        let cases: Vec<(Filter, Vec<i64>)> = vec![
            (like("s", "Ham*"), vec![1]),
            (like("s", "ham%"), vec![2]),
            (like("s", "H_mburg"), vec![1]),
            (like("s", "HAM*"), vec![3]),
            (like("s", "%line"), vec![3]),
            (like("s", "100\\%"), vec![4]),
            (like("s", "a\\_b"), vec![5]),
            (like("s", "a_b"), vec![5, 6, 7, 10, 14]),
            (like("s", "a\\*b"), vec![6]),
            (like("s", "a?b"), vec![7]),
            (like("s", "[a]"), vec![8]),
            (like("s", "*\\\\*"), vec![9]),
            (like("s", "a|b"), vec![10]),
            (like("s", "Ärger"), vec![11]),
            (like("s", "_rger"), vec![11]),
            (like("s", "burg"), vec![]),
            (like("s", "(x)+"), vec![13]),
            (not(like("s", "*a*")), vec![3, 4, 11, 12, 13]),
            (ilike("s", "HAM*"), vec![1, 2, 3]),
            (ilike("s", "hamburg"), vec![1, 2]),
            (ilike("s", "ärg*"), vec![11, 12]),
            (ilike("s", "A_B"), vec![5, 6, 7, 10, 14]),
            (ilike("s", "A\\_B"), vec![5]),
            (ilike("s", "a*b"), vec![5, 6, 7, 10, 14]),
            (ilike("s", "(X)+"), vec![13]),
            (ilike("s", "A|B"), vec![10]),
            (ilike("s", "*LINE"), vec![3]),
            (ilike("s", "BACK\\\\slash"), vec![9]),
            (not(ilike("s", "*A*")), vec![4, 11, 12, 13]),
        ];
        for (filter, expected) in cases {
            assert_eq!(ids(&fixture, &table, vec![filter.clone()]).await, expected, "{filter:?}");
        }
    }

    async fn letters_of_many_scripts_fold_alike(engine: TestEngine) {
        let fixture = open(engine).await;
        // Each pair is one letter in two cases, among them those that only one direction knows.
        let pairs = [
            ("é", "É"), ("ß", "ẞ"), ("σ", "Σ"), ("ς", "Σ"), ("ж", "Ж"), ("ա", "Ա"), ("ſ", "S"), ("k", "\u{212a}"), ("å", "\u{212b}"),
            ("µ", "Μ"), ("ϑ", "Θ"), ("ǆ", "Ǆ"), ("ǅ", "ǆ"), ("ⓐ", "Ⓐ"), ("ａ", "Ａ"), ("ა", "ა"), ("ı", "I"), ("İ", "i"), ("ÿ", "Ÿ"), ("ȷ", "ȷ"),
        ];
        let table = texts(&fixture, &pairs.map(|(one, _)| one)).await;
        for (at, (one, other)) in pairs.iter().enumerate() {
            let id = i64::try_from(at).unwrap() + 1;
            for pattern in [one, other] {
                let found = ids(&fixture, &table, vec![ilike("s", pattern), eq("id", &id.to_string())]).await;
                assert_eq!(found, [id], "{one} ilike {pattern}");
            }
        }
        // Letters that only look alike stay apart.
        for (id, pattern) in [(1, "e"), (2, "ss"), (9, "a"), (15, "a"), (14, "a")] {
            assert_eq!(ids(&fixture, &table, vec![ilike("s", pattern), eq("id", &id.to_string())]).await, [] as [i64; 0], "{pattern}");
        }
    }

    async fn other_character_sets_and_lists_of_words_compare_as_texts(engine: TestEngine) {
        let fixture = open(engine).await;
        if !engine.is_server() {
            return;
        }
        fixture.sql(
            "CREATE TABLE $t (id INT PRIMARY KEY, l VARCHAR(20) CHARACTER SET latin1, u VARCHAR(20) CHARACTER SET utf8mb3, \
             w VARCHAR(20) CHARACTER SET ucs2, e ENUM('b','a','B') COLLATE utf8mb4_bin, s SET('y','x'), \
             b VARCHAR(20) COLLATE utf8mb4_bin, KEY (l), KEY (u), KEY (e))",
        ).await;
        fixture.sql("INSERT INTO $t VALUES (1, 'grün', 'grün', 'grün', 'b', 'y', 'x'), (2, 'GRÜN', 'GRÜN', 'GRÜN', 'a', 'y,x', 'x '), (3, 'z ', 'z ', 'z ', 'B', '', 'X')").await;
        let charset = |name: &str, collation: &str, column_type| Column { collation: Some(collation.to_owned()), ..column(name, column_type) };
        let words = |words: &[&str]| words.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let default = fixture.ignoring_collation().unwrap();
        let table = fixture.table("t", vec![
            key("id"),
            charset("l", "latin1_swedish_ci", ColumnType::Varchar(20)),
            charset("u", "utf8mb3_general_ci", ColumnType::Varchar(20)),
            charset("w", "ucs2_general_ci", ColumnType::Varchar(20)),
            charset("e", "utf8mb4_bin", ColumnType::Enum(words(&["b", "a", "B"]))),
            charset("s", &default, ColumnType::Set(words(&["y", "x"]))),
            charset("b", "utf8mb4_bin", ColumnType::Varchar(20)),
        ], &["id"]);
        for column in ["l", "u", "w"] {
            let cases: Vec<(Filter, Vec<i64>)> = vec![
                (eq(column, "grün"), vec![1]),
                (eq(column, "z"), vec![]),
                (eq(column, "z "), vec![3]),
                // Characters that the column cannot hold.
                (eq(column, "日本🙂"), vec![]),
                (one_of(column, &["🙂", "GRÜN"]), vec![2]),
                (compare(column, Comparison::Lt, "🙂"), vec![1, 2, 3]),
                (compare(column, Comparison::Neq, "🙂"), vec![1, 2, 3]),
                (like(column, "*ün"), vec![1]),
                (ilike(column, "*ün"), vec![1, 2]),
                (ilike(column, "*🙂"), vec![]),
            ];
            for (filter, expected) in cases {
                assert_eq!(ids(&fixture, &table, vec![filter.clone()]).await, expected, "{filter:?}");
            }
            assert_eq!(ordered(&fixture, &table, vec![], vec![by(column)]).await, [2, 1, 3], "{column}");
        }
        let cases: Vec<(Filter, Vec<i64>)> = vec![
            (eq("e", "b"), vec![1]),
            (eq("e", "1"), vec![]),
            (eq("e", "none of them 🙂"), vec![]),
            (compare("e", Comparison::Gt, "a"), vec![1]),
            (one_of("e", &["B", "a"]), vec![2, 3]),
            (ilike("e", "B"), vec![1, 3]),
            (eq("s", "y,x"), vec![2]),
            (eq("s", ""), vec![3]),
            (eq("s", "Y"), vec![]),
            (like("s", "*x*"), vec![2]),
            (eq("b", "x"), vec![1]),
            (eq("b", "x "), vec![2]),
        ];
        for (filter, expected) in cases {
            assert_eq!(ids(&fixture, &table, vec![filter.clone()]).await, expected, "{filter:?}");
        }
        assert_eq!(ordered(&fixture, &table, vec![], vec![by("e")]).await, [3, 2, 1]);
        // What no row can be is no error in a statement that writes either.
        for filter in [eq("e", "none 🙂"), eq("s", "q"), eq("l", "🙂"), eq("id", "99999999999999999999"), ilike("w", "🙂*")] {
            let plan = super::planner().delete(None, &table, &all(vec![filter]), false).unwrap();
            assert_eq!(fixture.store.delete(&plan, Encoding::Json).await.unwrap().rows, 0);
        }
    }

    async fn numbers_and_moments_compare_by_value(engine: TestEngine) {
        let fixture = open(engine).await;
        fixture.sql(fixture.dialect(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, d TEXT COLLATE decimal, f REAL, m TEXT, p TEXT, b INTEGER, u TEXT COLLATE decimal, x BLOB, ts TEXT, a TEXT)",
            "CREATE TABLE $t (id INT PRIMARY KEY, d DECIMAL(10,2), f FLOAT, m DATETIME(2), p TIME(1), b TINYINT(1), u BIGINT UNSIGNED, x VARBINARY(9), ts TIMESTAMP(0) NULL, a DATE)",
        )).await;
        let table = fixture.table("t", vec![
            key("id"),
            column("d", ColumnType::Decimal { precision: 10, scale: 2, unsigned: false }),
            column("f", ColumnType::Float { unsigned: false }),
            column("m", ColumnType::DateTime(2)),
            column("p", ColumnType::Time(1)),
            column("b", ColumnType::Boolean),
            column("u", ColumnType::Integer { bytes: 8, unsigned: true }),
            column("x", ColumnType::Varbinary(9)),
            column("ts", ColumnType::Timestamp(0)),
            column("a", ColumnType::Date),
        ], &["id"]);
        fixture.insert(&table, r#"[
            {"id":1,"d":9.5,"f":0.1,"m":"2020-01-01T00:00:00","p":"-10:00:00","b":true,"u":9,"x":"\\x00","ts":"2020-01-01T00:00:00Z","a":"0001-01-01"},
            {"id":2,"d":10,"f":0.2,"m":"2020-01-01T00:00:00.5","p":"09:00:00","b":false,"u":18446744073709551615,"x":"\\x","ts":"2038-01-19T03:14:07Z","a":"2020-02-29"},
            {"id":3,"d":-10.01,"f":-1e30,"m":"2021-01-01T00:00:00","p":"100:00:00.5","b":null,"u":10,"x":"\\xff","ts":null,"a":"9999-12-31"}
        ]"#).await.unwrap();
        use Comparison::{Gt, Gte, Lt, Lte, Neq};
        let is = |value| filter("b", Condition::Is(value));
        let cases: Vec<(Filter, Vec<i64>)> = vec![
            (eq("d", "9.5"), vec![1]),
            (eq("d", "9.500"), vec![1]),
            (eq("d", "9.501"), vec![]),
            (eq("d", "9.5000000000000000000000000000000000000000000001"), vec![]),
            (compare("d", Gt, "9.4999999999999999999999999999999999999999"), vec![1, 2]),
            (compare("d", Lt, "9.5000000000000000000000000000000000000001"), vec![1, 3]),
            (compare("d", Lt, "99999999999999999999999999999999999999999999999999999999999999999999999999"), vec![1, 2, 3]),
            (compare("d", Gt, "-99999999999999999999999999999999999999999999999999999999999999999999999999"), vec![1, 2, 3]),
            (compare("d", Gte, "10"), vec![2]),
            (one_of("d", &["10.00", "-10.01"]), vec![2, 3]),
            (eq("f", "0.1"), vec![1]),
            (compare("f", Gt, "0.1"), vec![2]),
            (eq("f", "-1e30"), vec![3]),
            (eq("m", "2020-01-01 00:00:00"), vec![1]),
            (eq("m", "2020-01-01T00:00:00.50"), vec![2]),
            (eq("m", "2020-01-01T00:00:00.500001"), vec![]),
            (compare("m", Gt, "2020-01-01"), vec![2, 3]),
            (compare("m", Lte, "2020-01-01T00:00:00.500001"), vec![1, 2]),
            (one_of("m", &["2021-01-01", "2020-01-01T00:00:00.5"]), vec![2, 3]),
            (compare("p", Lt, "09:00"), vec![1]),
            (compare("p", Gt, "99:59:59"), vec![3]),
            (eq("p", "100:00:00.500000"), vec![3]),
            (eq("p", "100:00:00.54"), vec![]),
            (eq("p", "09:00:00"), vec![2]),
            (eq("p", "-10:00:00"), vec![1]),
            (compare("p", Gt, "09:00:00"), vec![3]),
            (compare("p", Gt, "08:59:59.95"), vec![2, 3]),
            (compare("p", Gt, "-10:00:00.04"), vec![1, 2, 3]),
            (compare("p", Gte, "-10:00:00"), vec![1, 2, 3]),
            (compare("p", Lt, "100:00:00.5"), vec![1, 2]),
            (compare("p", Lt, "100:00:00.54"), vec![1, 2, 3]),
            (compare("p", Lte, "-09:59:59.96"), vec![1]),
            (compare("p", Neq, "09:00:00"), vec![1, 3]),
            (one_of("p", &["09:00:00", "100:00:00.5", "00:00:00"]), vec![2, 3]),
            (compare("m", Lt, "2020-01-01T00:00:00.004"), vec![1]),
            (compare("m", Gt, "2019-12-31T23:59:59.996"), vec![1, 2, 3]),
            (compare("m", Neq, "2020-01-01T00:00:00.004"), vec![1, 2, 3]),
            (compare("ts", Gt, "2020-01-01T00:00:00.4Z"), vec![2]),
            (compare("ts", Lt, "2020-01-01T00:00:00.4Z"), vec![1]),
            (one_of("ts", &["2020-01-01T00:00:00Z", "2038-01-19T03:14:07Z"]), vec![1, 2]),
            (eq("ts", "2020-01-01T01:00:00+01:00"), vec![1]),
            (compare("ts", Lt, "9999-12-31"), vec![1, 2]),
            (compare("ts", Gt, "0001-01-01"), vec![1, 2]),
            (eq("a", "2020-02-29"), vec![2]),
            (compare("a", Gt, "0001-01-01"), vec![2, 3]),
            (compare("a", Gt, "2020-02-28"), vec![2, 3]),
            (compare("a", Lt, "9999-12-31"), vec![1, 2]),
            (compare("a", Neq, "0001-01-01"), vec![2, 3]),
            (one_of("a", &["0001-01-01", "9999-12-31"]), vec![1, 3]),
            (eq("b", "true"), vec![1]),
            (compare("b", Neq, "true"), vec![2]),
            (is(IsValue::True), vec![1]),
            (is(IsValue::False), vec![2]),
            (is(IsValue::Unknown), vec![3]),
            (not(is(IsValue::True)), vec![2, 3]),
            (not(is(IsValue::Null)), vec![1, 2]),
            (eq("u", "18446744073709551615"), vec![2]),
            (compare("u", Gte, "10"), vec![2, 3]),
            (compare("u", Lt, "99999999999999999999999999"), vec![1, 2, 3]),
            (compare("id", Lt, "99999999999999999999999999"), vec![1, 2, 3]),
            (eq("id", "-99999999999999999999999999"), vec![]),
            (eq("x", "\\x00"), vec![1]),
            (eq("x", "\\x"), vec![2]),
            (compare("x", Gt, "\\x00"), vec![3]),
        ];
        // Each statement again with other values, and with an index, where values are looked
        // up instead of compared.
        for round in 0..4 {
            if round == 2 {
                for column in ["d", "f", "m", "p", "b", "u", "x", "ts", "a"] {
                    fixture.sql(&format!("CREATE INDEX t_{column} ON $t ({column})")).await;
                }
            }
            let forth: Vec<_> = cases.iter().collect();
            let cases = if round % 2 == 0 { forth } else { forth.into_iter().rev().collect() };
            for (filter, expected) in cases {
                assert_eq!(ids(&fixture, &table, vec![filter.clone()]).await, *expected, "round {round}: {filter:?}");
            }
        }
        for (column, expected) in [("d", [3, 1, 2]), ("f", [3, 1, 2]), ("m", [1, 2, 3]), ("p", [1, 2, 3]), ("u", [1, 3, 2]), ("x", [2, 1, 3])] {
            assert_eq!(ordered(&fixture, &table, vec![], vec![by(column)]).await, expected, "{column}");
        }
    }

    async fn nulls_stand_where_they_are_put(engine: TestEngine) {
        let fixture = open(engine).await;
        fixture.sql("CREATE TABLE $t (id INTEGER PRIMARY KEY, n INTEGER)").await;
        let table = fixture.table("t", vec![key("id"), column("n", super::int())], &["id"]);
        fixture.insert(&table, r#"[{"id":1,"n":null},{"id":2,"n":5},{"id":3,"n":null},{"id":4,"n":3}]"#).await.unwrap();
        let put = |term: OrderTerm, nulls| OrderTerm { nulls: Some(nulls), ..term };
        let cases = [
            (by("n"), [4, 2, 1, 3]),
            (down("n"), [1, 3, 2, 4]),
            (put(by("n"), Nulls::First), [1, 3, 4, 2]),
            (put(down("n"), Nulls::Last), [2, 4, 1, 3]),
        ];
        for (term, expected) in cases {
            assert_eq!(ordered(&fixture, &table, vec![], vec![term.clone(), by("id")]).await, expected, "{term:?}");
        }
        assert_eq!(ids(&fixture, &table, vec![compare("n", Comparison::Neq, "5")]).await, [4]);
        assert_eq!(ids(&fixture, &table, vec![not(eq("n", "5"))]).await, [4]);
        assert_eq!(fixture.read(&table, &all(vec![eq("id", "1"), eq("id", "2")])).await, "[]");
    }
}
