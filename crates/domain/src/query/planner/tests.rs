//! The planner's table tests.

use super::*;
use crate::gateway::column_type::ColumnType;
use crate::gateway::name::DatabaseName;
use crate::gateway::schema::TableKind;
use crate::query::ask::Comparison;

fn column(name: &str, column_type: ColumnType, nullable: bool) -> Column {
    Column {
        name: name.to_owned(),
        column_type,
        nullable,
        default: None,
        auto_increment: name == "id",
        generated: None,
        comment: String::new(),
        collation: None,
    }
}

fn films() -> Arc<Table> {
    Arc::new(Table {
        database: DatabaseName::new("cinema", "tidegate").unwrap(),
        name: "films".to_owned(),
        kind: TableKind::Table,
        writable: true,
        columns: vec![
            column(
                "id",
                ColumnType::Integer {
                    bytes: 4,
                    unsigned: false,
                },
                false,
            ),
            column("title", ColumnType::Varchar(100), false),
            column(
                "length",
                ColumnType::Integer {
                    bytes: 2,
                    unsigned: true,
                },
                true,
            ),
            column("seen", ColumnType::Boolean, true),
            column("extra", ColumnType::Json, true),
        ],
        primary_key: vec!["id".to_owned()],
        indexes: vec![],
        foreign_keys: vec![],
        checks: vec![],
        comment: String::new(),
        row_estimate: None,
    })
}

fn filter(column: &str, condition: Condition) -> Query {
    Query {
        filters: vec![Filter {
            column: column.to_owned(),
            negated: false,
            condition,
        }],
        ..Query::default()
    }
}

fn row(json: &str) -> JsonRow {
    serde_json::from_str(json).unwrap()
}

#[test]
fn an_empty_select_shows_every_column_in_order() {
    let plan = Planner::default()
        .read(&films(), &Query::default())
        .unwrap();
    let names: Vec<_> = plan.output().iter().map(OutputColumn::name).collect();
    assert_eq!(names, ["id", "title", "length", "seen", "extra"]);
    assert!(plan.order().is_empty() && plan.limit().is_none());
}

#[test]
fn a_page_ends_its_order_with_the_key_in_the_last_direction() {
    let order = vec![OrderTerm {
        column: "title".to_owned(),
        descending: true,
        nulls: None,
    }];
    let plan = Planner::default()
        .read(
            &films(),
            &Query {
                order,
                limit: Some(5),
                ..Query::default()
            },
        )
        .unwrap();
    let order: Vec<_> = plan
        .order()
        .iter()
        .map(|o| (o.column(), o.descending(), o.nulls()))
        .collect();
    assert_eq!(order, [(1, true, Nulls::First), (0, true, Nulls::First)]);
}

#[test]
fn the_cap_lowers_a_limit_and_stands_in_for_a_missing_one() {
    let planner = Planner::new(Limits {
        max_rows: Some(10),
        full_table_writes: false,
    });
    for (asked, planned) in [(None, Some(10)), (Some(99), Some(10)), (Some(3), Some(3))] {
        let plan = planner
            .read(
                &films(),
                &Query {
                    limit: asked,
                    ..Query::default()
                },
            )
            .unwrap();
        assert_eq!(plan.limit(), planned);
    }
}

#[test]
fn a_value_is_checked_by_the_columns_type() {
    let condition = || Condition::Compare(Comparison::Eq, "abc".to_owned());
    assert!(
        Planner::default()
            .read(&films(), &filter("title", condition()))
            .is_ok()
    );
    assert!(matches!(
        Planner::default().read(&films(), &filter("length", condition())),
        Err(QueryError::Value {
            kind: ValueFault::Malformed,
            ..
        })
    ));
}

#[test]
fn operators_must_fit_the_type() {
    let like = Condition::Like {
        pattern: "*".to_owned(),
        ignore_case: false,
    };
    for query in [
        filter("length", like),
        filter("title", Condition::Is(IsValue::True)),
        filter("extra", Condition::In(vec!["1".to_owned()])),
    ] {
        assert!(matches!(
            Planner::default().read(&films(), &query),
            Err(QueryError::Operator { .. })
        ));
    }
}

#[test]
fn an_unknown_column_is_refused_with_a_similar_name() {
    let query = Query {
        select: vec![SelectItem::Column {
            name: "titel".to_owned(),
            alias: None,
        }],
        ..Query::default()
    };
    let error = Planner::default().read(&films(), &query).unwrap_err();
    assert!(
        matches!(error, QueryError::UnknownColumn { similar: Some(name), .. } if name == "title")
    );
}

#[test]
fn two_columns_under_one_name_are_refused() {
    let item = |name: &str, alias: Option<&str>| SelectItem::Column {
        name: name.to_owned(),
        alias: alias.map(str::to_owned),
    };
    let query = |select| Query {
        select,
        ..Query::default()
    };
    let planner = Planner::default();
    assert!(
        planner
            .read(
                &films(),
                &query(vec![item("id", None), item("title", Some("id"))])
            )
            .is_err()
    );
    assert_eq!(
        planner
            .read(
                &films(),
                &query(vec![item("id", None), SelectItem::Everything])
            )
            .unwrap()
            .output()
            .len(),
        5
    );
}

#[test]
fn writes_of_a_whole_table_need_the_setting() {
    let planner = Planner::default();
    assert!(matches!(
        planner.delete(&films(), &Query::default(), false),
        Err(QueryError::FullTable {
            statement: "DELETE"
        })
    ));
    assert!(
        planner
            .update(&films(), &row(r#"{"title":"x"}"#), &Query::default(), false)
            .is_err()
    );
    assert!(
        planner
            .update(&films(), &row("{}"), &Query::default(), false)
            .is_ok()
    );
    let allowed = Planner::new(Limits {
        max_rows: None,
        full_table_writes: true,
    });
    assert!(allowed.delete(&films(), &Query::default(), false).is_ok());
}

#[test]
fn inserts_refuse_nulls_and_missing_values_before_the_database_does() {
    let planner = Planner::default();
    let columns = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()
    };
    assert!(matches!(
        planner.insert(&films(), &columns(&["length"]), None),
        Err(QueryError::Value {
            kind: ValueFault::Null,
            ..
        })
    ));
    let plan = planner
        .insert(&films(), &columns(&["title", "length"]), None)
        .unwrap();
    assert!(
        plan.row_from_json(&row(r#"{"length":1,"title":null}"#))
            .is_err()
    );
    assert!(plan.row_from_json(&row(r#"{"title":"x"}"#)).is_err());
    let cells = plan
        .row_from_json(&row(r#"{"length":1,"title":"x"}"#))
        .unwrap();
    assert_eq!(
        cells,
        [
            Cell::Value(Value::Text("x".to_owned())),
            Cell::Value(Value::Int(1))
        ]
    );
    assert!(
        planner
            .insert(&films(), &columns(&["title", "title"]), None)
            .is_err()
    );
    assert!(matches!(
        planner.insert(&films(), &columns(&["title", "nope"]), None),
        Err(QueryError::UnknownPayloadColumn { .. })
    ));
}

#[test]
fn patterns_are_taken_apart() {
    use LikePart::{AnyOne, AnyRun, Literal};
    let literal = |text: &str| Literal(text.to_owned());
    assert_eq!(
        like_pattern("a*%b_\\%"),
        [literal("a"), AnyRun, literal("b"), AnyOne, literal("%")]
    );
    assert_eq!(like_pattern("\\"), [literal("\\")]);
    assert_eq!(like_pattern(&"*".repeat(1000)), [AnyRun]);
}

#[test]
fn an_order_that_holds_a_key_is_not_ended_with_another() {
    let paged = |nullable: bool| {
        let mut table = Table::clone(&films());
        let key: Vec<String> = table.primary_key.clone();
        let other = table.columns.iter_mut().find(|column| {
            !key.contains(&column.name) && column.column_type.class() == TypeClass::Text
        });
        let other = other.unwrap();
        other.nullable = nullable;
        let name = other.name.clone();
        table.indexes.push(crate::gateway::schema::Index {
            name: "key".into(),
            columns: vec![name.clone()],
            unique: true,
        });
        let query = Query {
            order: vec![OrderTerm {
                column: name,
                descending: true,
                nulls: None,
            }],
            limit: Some(1),
            ..Query::default()
        };
        let plan = Planner::default().read(&Arc::new(table), &query).unwrap();
        plan.order().len()
    };
    assert_eq!(paged(false), 1);
    // Nulls are not kept apart by a key.
    assert_eq!(paged(true), 2);
}
