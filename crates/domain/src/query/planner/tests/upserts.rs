//! Rows that meet those that are there, `PUT`, and how transactions end.

use super::fixture::*;
use crate::gateway::schema::{DefaultValue, Index, Table};
use crate::gateway::value::Value;
use crate::query::ask::{Clause, Comparison, Condition, Filter, Operand, Query};
use crate::query::change::{Ending, OnConflict, Resolution};
use crate::query::error::QueryError;
use crate::query::plan::Cell;
use crate::query::planner::{JsonRow, Planner};
use std::sync::Arc;

/// A key of two columns, and a unique pair beside it.
fn stop() -> Arc<Table> {
    let mut stop = table(
        "stop",
        vec![
            column("pier", int(), false),
            column("day", int(), false),
            column("ship", int(), true),
            column("hour", int(), false),
        ],
        vec![],
    );
    stop.primary_key = vec!["pier".to_owned(), "day".to_owned()];
    stop.columns[2].default = Some(DefaultValue::Literal("7".to_owned()));
    stop.columns[3].default = Some(DefaultValue::Expression("now()".to_owned()));
    stop.indexes = vec![Index {
        name: "hours".to_owned(),
        columns: vec!["ship".to_owned(), "hour".to_owned()],
        unique: true,
    }];
    Arc::new(stop)
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn row(json: &str) -> JsonRow {
    serde_json::from_str(json).unwrap()
}

fn eq(column: &str, value: &str) -> Filter {
    Filter {
        operand: Operand::column(column),
        negated: false,
        condition: Condition::Compare(Comparison::Eq, value.to_owned()),
    }
}

fn keyed(filters: Vec<Filter>) -> Query {
    Query {
        filters,
        ..Query::default()
    }
}

#[test]
fn rows_meet_others_by_the_primary_key_or_a_unique_one() {
    let meets = |table: &Arc<Table>, columns: Option<&[&str]>| {
        let plan = Planner::default()
            .insert(None, table, &names(&["pier", "day"]), None)
            .unwrap();
        let wanted = OnConflict {
            resolution: Resolution::Ignore,
            columns: columns.map(names),
        };
        let plan = plan.resolving(&wanted)?;
        Ok(plan.conflict().map(|conflict| conflict.key().to_vec()))
    };
    assert_eq!(meets(&stop(), None), Ok(Some(vec![0, 1])));
    assert_eq!(meets(&stop(), Some(&["day", "pier"])), Ok(Some(vec![1, 0])));
    assert_eq!(
        meets(&stop(), Some(&["hour", "ship"])),
        Ok(Some(vec![3, 2]))
    );
    for columns in [&["pier"][..], &["ship"], &["pier", "day", "ship"], &[]] {
        assert_eq!(
            meets(&stop(), Some(columns)),
            Err(QueryError::NoSuchKey),
            "{columns:?}"
        );
    }
    assert!(matches!(
        meets(&stop(), Some(&["boat"])),
        Err(QueryError::UnknownColumn { .. })
    ));
    let mut keyless = Table::clone(&stop());
    keyless.primary_key.clear();
    assert_eq!(meets(&Arc::new(keyless), None), Ok(None));
}

#[test]
fn a_put_names_one_row_twice() {
    let put = |query: &Query, json: &str| {
        Planner::default()
            .put(None, &stop(), &row(json), query, false)
            .map(|(plan, cells)| (plan.conflict().unwrap().key().to_vec(), cells))
    };
    let whole = keyed(vec![eq("day", "2"), eq("pier", "01")]);
    let body = r#"{"pier": 1, "ship": null, "day": "2"}"#;
    let cells = [Value::Int(1), Value::Null, Value::Int(2)].map(Cell::Value);
    assert_eq!(put(&whole, body), Ok((vec![0, 1], cells.to_vec())));
    for body in [
        r#"{"pier": 1}"#,
        r#"{"pier": 1, "day": 3}"#,
        r#"{"pier": 1, "day": null}"#,
        "{}",
    ] {
        assert_eq!(put(&whole, body), Err(QueryError::PutKey), "{body}");
    }
    let negated = Filter {
        negated: true,
        ..eq("day", "2")
    };
    let mut with_logic = whole.clone();
    with_logic.logic = vec![Clause::All(vec![])];
    for query in [
        keyed(vec![]),
        keyed(vec![eq("pier", "1")]),
        keyed(vec![eq("pier", "1"), eq("pier", "1")]),
        keyed(vec![eq("pier", "1"), eq("ship", "1")]),
        keyed(vec![eq("pier", "1"), eq("day", "2"), eq("ship", "1")]),
        keyed(vec![eq("pier", "1"), negated]),
        with_logic,
    ] {
        assert_eq!(put(&query, body), Err(QueryError::PutFilters), "{query:?}");
    }
    assert!(matches!(
        put(&keyed(vec![eq("pier", "x"), eq("day", "2")]), body),
        Err(QueryError::Value { .. })
    ));
}

#[test]
fn only_constant_defaults_are_set_by_a_change() {
    let query = keyed(vec![eq("pier", "1")]);
    let set = |columns: &[&str]| {
        let (row, names) = (JsonRow::new(), names(columns));
        Planner::default()
            .update(None, &stop(), (&row, &names), &query, false)
            .map(|plan| plan.set().to_vec())
    };
    assert_eq!(set(&["ship"]), Ok(vec![(2, Value::Int(7))]));
    assert!(matches!(
        set(&["ship", "ship"]),
        Err(QueryError::Duplicate { .. })
    ));
    assert!(matches!(
        set(&["hour"]),
        Err(QueryError::Unsupported { .. })
    ));
    assert!(matches!(set(&["day"]), Err(QueryError::Value { .. })));
    assert!(matches!(
        set(&["boat"]),
        Err(QueryError::UnknownPayloadColumn { .. })
    ));
}

#[test]
fn the_end_depends_on_how_many_rows_it_were() {
    let ending = Ending {
        rollback: false,
        most: Some(2),
        single: false,
    };
    assert_eq!((ending.check(2), ending.is_plain()), (Ok(()), false));
    assert_eq!(
        ending.check(3),
        Err(QueryError::TooManyAffected { rows: 3 })
    );
    let single = Ending {
        single: true,
        ..Ending::default()
    };
    assert_eq!(single.check(1), Ok(()));
    assert_eq!(single.check(0), Err(QueryError::NotSingle { rows: 0 }));
    assert_eq!(
        (Ending::default().check(9), Ending::default().is_plain()),
        (Ok(()), true)
    );
}
