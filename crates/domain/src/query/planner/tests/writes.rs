//! Writes.

use super::fixture::*;
use crate::gateway::value::Value;
use crate::query::ask::Query;
use crate::query::error::{QueryError, ValueFault};
use crate::query::plan::Cell;
use crate::query::planner::{JsonRow, Limits, Planner};

fn row(json: &str) -> JsonRow {
    serde_json::from_str(json).unwrap()
}

#[test]
fn writes_of_a_whole_table_need_the_setting() {
    let planner = Planner::default();
    let all = Query::default();
    assert!(matches!(
        planner.delete(None, &films(), &all, false),
        Err(QueryError::FullTable {
            statement: "DELETE"
        })
    ));
    let update = |json: &str| planner.update(None, &films(), (&row(json), &[]), &all, false);
    assert!(update(r#"{"title":"x"}"#).is_err());
    assert!(update("{}").is_ok());
    let defaults = planner.update(
        None,
        &films(),
        (&row("{}"), &["length".to_owned()]),
        &all,
        false,
    );
    assert!(defaults.is_err());
    let allowed = Planner::new(Limits {
        full_table_writes: true,
        ..Limits::default()
    });
    assert!(allowed.delete(None, &films(), &all, false).is_ok());
}

#[test]
fn inserts_refuse_nulls_and_missing_values_before_the_database_does() {
    let planner = Planner::default();
    let insert = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        planner.insert(None, &films(), &names, None)
    };
    assert!(matches!(
        insert(&["length"]),
        Err(QueryError::Value {
            kind: ValueFault::Null,
            ..
        })
    ));
    let plan = insert(&["title", "length"]).unwrap();
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
    assert!(insert(&["title", "title"]).is_err());
    assert!(matches!(
        insert(&["title", "nope"]),
        Err(QueryError::UnknownPayloadColumn { .. })
    ));
}
