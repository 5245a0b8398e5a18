//! What is printed for the three engines.

use std::sync::Arc;

use tidegate_domain::gateway::column_type::ColumnType;
use tidegate_domain::gateway::name::DatabaseName;
use tidegate_domain::gateway::schema::{Column, Table, TableKind};
use tidegate_domain::gateway::value::Value;
use tidegate_domain::query::ask::{Comparison, Condition, Count, Filter, OrderTerm, Query};
use tidegate_domain::query::plan::ReadPlan;
use tidegate_domain::query::planner::{Limits, Planner};

use super::*;

fn column(name: &str, column_type: ColumnType, collation: Option<&str>) -> Column {
    Column {
        name: name.to_owned(),
        column_type,
        nullable: name != "id",
        default: None,
        base: None,
        auto_increment: name == "id",
        generated: None,
        comment: String::new(),
        collation: collation.map(str::to_owned),
    }
}

fn table() -> Arc<Table> {
    let integer = ColumnType::Integer {
        bytes: 4,
        unsigned: false,
    };
    Arc::new(Table {
        database: DatabaseName::new("shop", "tidegate").unwrap(),
        name: "od`d\"s".to_owned(),
        kind: TableKind::Table,
        writable: true,
        columns: vec![
            column("id", integer, None),
            column("own", ColumnType::Varchar(9), Some("utf8mb4_0900_bin")),
            column("any", ColumnType::Varchar(9), Some("utf8mb4_0900_ai_ci")),
            column("old", ColumnType::Varchar(9), Some("latin1_swedish_ci")),
            column(
                "word",
                ColumnType::Enum(vec!["a".to_owned()]),
                Some("utf8mb4_0900_bin"),
            ),
            column(
                "price",
                ColumnType::Decimal {
                    precision: 10,
                    scale: 2,
                    unsigned: false,
                },
                None,
            ),
            column("at", ColumnType::DateTime(3), None),
            column("native", ColumnType::Uuid, None),
            column("vec", ColumnType::Other("vector(3)".to_owned()), None),
        ],
        primary_key: vec!["id".to_owned()],
        indexes: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        comment: String::new(),
        row_estimate: None,
    })
}

fn planner() -> Planner {
    Planner::new(Limits {
        full_table_writes: true,
        ..Limits::default()
    })
}

fn plan(query: &Query) -> ReadPlan {
    planner().read(None, &table(), query).unwrap()
}

fn query(filters: Vec<Filter>) -> Query {
    use tidegate_domain::query::ask::{SelectItem, Selected};
    Query {
        filters,
        select: vec![SelectItem::Column(Selected::column("id"))],
        ..Query::default()
    }
}

fn filter(column: &str, condition: Condition) -> Filter {
    Filter {
        operand: column.into(),
        negated: false,
        condition,
    }
}

fn compare(column: &str, comparison: Comparison, value: &str) -> Filter {
    filter(column, Condition::Compare(comparison, value.to_owned()))
}

/// What stands after WHERE, and the values.
fn condition(engine: Engine, filter: Filter) -> (String, Vec<Value>) {
    let statement = select(engine, &plan(&query(vec![filter])), false);
    let (_, condition) = statement.sql.split_once(" WHERE ").unwrap();
    (condition.to_owned(), statement.binds)
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn names_are_quoted_and_everything_else_is_bound() {
    let plan = plan(&Query {
        limit: Some(10),
        offset: 20,
        ..query(vec![compare("id", Comparison::Eq, "5")])
    });
    let mysql = select(Engine::MySql, &plan, false);
    assert_eq!(
        mysql.sql,
        "SELECT `id` FROM `shop`.`od``d\"s` WHERE `id` = ? ORDER BY `id` LIMIT ? OFFSET ?"
    );
    assert_eq!(mysql.binds, [Value::Int(5), Value::Int(10), Value::Int(20)]);
    let sqlite = select(Engine::Sqlite, &plan, false);
    assert_eq!(
        sqlite.sql,
        "SELECT \"id\" FROM \"od`d\"\"s\" WHERE \"id\" = ? ORDER BY \"id\" LIMIT ? OFFSET ?"
    );
}

#[test]
fn a_counted_page_is_one_statement() {
    let plan = plan(&Query {
        limit: Some(10),
        count: Some(Count::Exact),
        ..query(vec![compare("id", Comparison::Gt, "5")])
    });
    assert_eq!(
        select(Engine::MariaDb, &plan, true).sql,
        "SELECT `id`, (SELECT COUNT(*) FROM `shop`.`od``d\"s` WHERE `id` > ?) FROM `shop`.`od``d\"s` WHERE `id` > ? ORDER BY `id` LIMIT ?"
    );
    assert_eq!(
        count_page(Engine::Sqlite, &plan).sql,
        "SELECT COUNT(*) FROM (SELECT 1 FROM \"od`d\"\"s\" WHERE \"id\" > ? LIMIT ?) AS page"
    );
}

#[test]
fn an_offset_alone_has_a_limit_beside_it() {
    let plan = plan(&Query {
        offset: 7,
        ..query(vec![])
    });
    assert!(
        select(Engine::MySql, &plan, false)
            .sql
            .ends_with(" LIMIT 18446744073709551615 OFFSET ?")
    );
    assert!(
        select(Engine::Sqlite, &plan, false)
            .sql
            .ends_with(" LIMIT -1 OFFSET ?")
    );
}

#[test]
fn texts_compare_exactly_beside_what_keeps_the_index() {
    let eq = |column: &str, value: &str| {
        condition(Engine::MySql, compare(column, Comparison::Eq, value))
    };
    assert_eq!(eq("own", "x"), ("`own` = ?".to_owned(), vec![text("x")]));
    assert_eq!(
        eq("any", "x"),
        (
            "(`any` = ? AND `any` COLLATE utf8mb4_0900_bin = ?)".to_owned(),
            vec![text("x"); 2]
        )
    );
    assert_eq!(
        eq("old", "x"),
        (
            "(`old` = ? AND CONVERT(`old` USING utf8mb4) COLLATE utf8mb4_0900_bin = ?)".to_owned(),
            vec![text("x"); 2]
        )
    );
    // The server would refuse to compare the column itself with this.
    assert_eq!(
        eq("old", "日"),
        (
            "CONVERT(`old` USING utf8mb4) COLLATE utf8mb4_0900_bin = ?".to_owned(),
            vec![text("日")]
        )
    );
    assert_eq!(
        eq("word", "a"),
        ("(`word` = ? AND CAST(`word` AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_0900_bin = ?)".to_owned(), vec![text("a"); 2])
    );
    let lt = condition(Engine::MariaDb, compare("any", Comparison::Lt, "x"));
    assert_eq!(
        lt,
        (
            "`any` COLLATE utf8mb4_nopad_bin < ?".to_owned(),
            vec![text("x")]
        )
    );
    let sqlite = condition(Engine::Sqlite, compare("any", Comparison::Eq, "x"));
    assert_eq!(
        sqlite,
        ("\"any\" COLLATE BINARY = ?".to_owned(), vec![text("x")])
    );
}

#[test]
fn lists_compare_as_single_values_do() {
    let list = |column: &str, values: &[&str]| {
        condition(
            Engine::MySql,
            filter(
                column,
                Condition::In(values.iter().map(|it| (*it).to_owned()).collect()),
            ),
        )
        .0
    };
    assert_eq!(list("id", &["1", "2"]), "`id` IN (?, ?)");
    assert_eq!(
        list("any", &["a", "b"]),
        "(`any` IN (?, ?) AND `any` COLLATE utf8mb4_0900_bin IN (?, ?))"
    );
    assert_eq!(
        list("price", &["1", "2.5"]),
        "`price` IN (CAST(? AS DECIMAL(65,0)), CAST(? AS DECIMAL(65,1)))"
    );
    assert_eq!(list("id", &[]), "FALSE");
}

#[test]
fn exact_numbers_keep_their_type_and_their_side() {
    let eq = |value: &str| condition(Engine::MySql, compare("price", Comparison::Eq, value));
    let decimal = |text: &str| vec![Value::Decimal(text.to_owned())];
    assert_eq!(
        eq("1.5"),
        (
            "`price` = CAST(? AS DECIMAL(65,1))".to_owned(),
            decimal("1.5")
        )
    );
    assert_eq!(eq("-1.231111"), ("`price` <> `price`".to_owned(), vec![]));
    let range =
        |comparison, value: &str| condition(Engine::MySql, compare("price", comparison, value));
    use Comparison::{Gt, Gte, Lt, Lte, Neq};
    for (comparison, value, operator, cut) in [
        (Lt, "1.239", "<=", "1.23"),
        (Lte, "1.239", "<=", "1.23"),
        (Gt, "1.239", ">", "1.23"),
        (Gte, "-1.239", ">=", "-1.23"),
        (Lt, "-1.239", "<", "-1.23"),
    ] {
        assert_eq!(
            range(comparison, value),
            (
                format!("`price` {operator} CAST(? AS DECIMAL(65,2))"),
                decimal(cut)
            )
        );
    }
    assert_eq!(range(Neq, "1.239").0, "NOT (`price` <> `price`)");
    assert_eq!(
        eq("123456789.1"),
        (
            "`price` = CAST(? AS DECIMAL(65,0))".to_owned(),
            decimal(&"9".repeat(65))
        )
    );
    let (sql, binds) = condition(
        Engine::MySql,
        compare("id", Comparison::Lt, "99999999999999999999999"),
    );
    assert_eq!(
        (sql.as_str(), binds),
        ("`id` < CAST(? AS DECIMAL(65,0))", decimal(&"9".repeat(65)))
    );
    assert_eq!(
        condition(Engine::Sqlite, compare("price", Comparison::Eq, "1.5")).0,
        "\"price\" COLLATE decimal = ?"
    );
}

#[test]
fn moments_are_compared_at_the_columns_precision() {
    let eq = |engine, value: &str| condition(engine, compare("at", Comparison::Eq, value));
    assert_eq!(
        eq(Engine::MySql, "2020-01-01"),
        (
            "`at` = CAST(? AS DATETIME(6))".to_owned(),
            vec![text("2020-01-01 00:00:00.000")]
        )
    );
    assert_eq!(
        eq(Engine::MySql, "2020-01-01 10:00:00.1234").0,
        "`at` <> `at`"
    );
    for (given, kept) in [
        ("", ".000"),
        (".5", ".500"),
        (".123456", ".123456"),
        (".1234", ".1234"),
    ] {
        let (sql, binds) = eq(Engine::Sqlite, &format!("2020-01-01 10:00:00{given}"));
        assert_eq!(
            (sql.as_str(), binds),
            (
                "\"at\" COLLATE BINARY = ?",
                vec![text(&format!("2020-01-01 10:00:00{kept}"))]
            )
        );
    }
}

#[test]
fn patterns_escape_what_the_engine_would_take_for_a_wildcard() {
    let like = |engine, ignore_case| {
        condition(
            engine,
            filter(
                "own",
                Condition::Like {
                    pattern: r"a*\_[?|.%".to_owned(),
                    ignore_case,
                },
            ),
        )
    };
    assert_eq!(
        like(Engine::MySql, false),
        (
            "`own` LIKE ? ESCAPE '|'".to_owned(),
            vec![text("a%|_[?||.%")]
        )
    );
    assert_eq!(
        like(Engine::Sqlite, false),
        ("\"own\" GLOB ?".to_owned(), vec![text("a*_[[][?]|.*")])
    );
    assert_eq!(
        like(Engine::Sqlite, true),
        (
            "\"own\" REGEXP ?".to_owned(),
            vec![text(r"(?is)\Aa.*_\[\?\|\..*\z")]
        )
    );
    assert_eq!(
        like(Engine::MySql, true).0,
        "LOWER(UPPER(CONVERT(`own` USING utf8mb4) COLLATE utf8mb4_0900_as_ci)) COLLATE utf8mb4_0900_bin \
         LIKE LOWER(UPPER(CONVERT(? USING utf8mb4) COLLATE utf8mb4_0900_as_ci)) COLLATE utf8mb4_0900_bin ESCAPE '|'"
    );
}

#[test]
fn nulls_cost_nothing_where_they_stand_by_themselves() {
    let order = |engine, column: &str, descending| {
        let order = vec![OrderTerm {
            embed: None,
            operand: column.into(),
            descending,
            nulls: None,
        }];
        let sql = select(
            engine,
            &plan(&Query {
                order,
                ..query(vec![])
            }),
            false,
        )
        .sql;
        sql.split_once(" ORDER BY ").unwrap().1.to_owned()
    };
    assert_eq!(order(Engine::MySql, "id", true), "`id` DESC");
    assert_eq!(
        order(Engine::MySql, "price", false),
        "`price` IS NULL, `price`"
    );
    assert_eq!(
        order(Engine::MySql, "price", true),
        "`price` IS NULL DESC, `price` DESC"
    );
    assert_eq!(
        order(Engine::MariaDb, "native", false),
        "`native` IS NULL, CAST(`native` AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_nopad_bin"
    );
    assert_eq!(
        order(Engine::Sqlite, "price", true),
        "\"price\" COLLATE decimal DESC NULLS FIRST"
    );
}

#[test]
fn a_negation_is_sqls_own() {
    let negated = Filter {
        negated: true,
        ..filter("id", Condition::In(vec![]))
    };
    assert_eq!(condition(Engine::MySql, negated).0, "NOT (FALSE)");
}

#[test]
fn inserts_say_default_where_the_engine_has_the_word() {
    let table = table();
    let sql = insert(
        Engine::MySql,
        &table,
        &[0, 1],
        &[&[true, false], &[false, true]],
        &[],
    );
    assert_eq!(
        sql,
        "INSERT INTO `shop`.`od``d\"s` (`id`, `own`) VALUES (?, DEFAULT), (NULL, ?)"
    );
    assert_eq!(
        insert(Engine::MySql, &table, &[], &[&[], &[]], &[]),
        "INSERT INTO `shop`.`od``d\"s` () VALUES (), ()"
    );
    assert_eq!(
        insert(Engine::Sqlite, &table, &[], &[&[]], &[0]),
        "INSERT INTO \"od`d\"\"s\" DEFAULT VALUES RETURNING \"id\""
    );
}

#[test]
fn updates_and_deletes_have_the_condition_of_a_read() {
    let filters = query(vec![compare("any", Comparison::Neq, "x")]);
    let row = serde_json::from_str(r#"{"own":"a","price":1}"#).unwrap();
    let plan = planner()
        .update(None, &table(), (&row, &[]), &filters, false)
        .unwrap();
    let statement = update(Engine::MySql, &plan, &[]);
    assert_eq!(
        statement.sql,
        "UPDATE `shop`.`od``d\"s` SET `own` = ?, `price` = ? WHERE `any` COLLATE utf8mb4_0900_bin <> ?"
    );
    assert_eq!(
        statement.binds,
        [text("a"), Value::Decimal("1.00".to_owned()), text("x")]
    );
    let plan = planner()
        .delete(None, &table(), &Query::default(), false)
        .unwrap();
    assert_eq!(
        delete(Engine::Sqlite, &plan, &[0, 1]).sql,
        "DELETE FROM \"od`d\"\"s\" RETURNING \"id\", \"own\""
    );
}

#[test]
fn keys_of_several_columns_are_alternatives() {
    let keys = [
        vec![Value::Int(1), text("a")],
        vec![Value::Int(2), text("b")],
    ];
    let statement = select_by_keys(Engine::MySql, &table(), &[5], &[0, 1], &keys, Lock::Update);
    assert_eq!(
        statement.sql,
        "SELECT `price` FROM `shop`.`od``d\"s` WHERE (`id` = ? AND `own` = ?) OR (`id` = ? AND `own` = ?) FOR UPDATE"
    );
    let single = select_by_keys(
        Engine::Sqlite,
        &table(),
        &[5],
        &[0],
        &[vec![Value::Int(1)], vec![Value::Int(2)]],
        Lock::Update,
    );
    assert_eq!(
        single.sql,
        "SELECT \"price\" FROM \"od`d\"\"s\" WHERE \"id\" IN (?, ?)"
    );
}

#[test]
fn a_type_that_the_driver_cannot_read_is_shown_as_bytes() {
    let everything = plan(&Query::default());
    assert!(
        select(Engine::MySql, &everything, false)
            .sql
            .contains(", CAST(`vec` AS BINARY) FROM ")
    );
}
