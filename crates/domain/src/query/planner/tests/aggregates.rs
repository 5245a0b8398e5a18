//! Aggregates and what is grouped by.

use super::fixture::*;
use crate::query::ask::Aggregate::{Avg, Count, Max, Min, Sum};
use crate::query::ask::{Query, SelectItem};
use crate::query::error::QueryError;
use crate::query::planner::Limits;

fn films(items: Vec<SelectItem>) -> String {
    plan("films", &select(items))
}

fn refused(of: &str, items: Vec<SelectItem>) -> QueryError {
    read(of, &select(items)).unwrap_err()
}

#[test]
fn plain_columns_beside_aggregates_are_grouped_by() {
    assert_eq!(
        films(vec![
            col("genre"),
            agg(Count, ""),
            agg(Sum, "total:length"),
            agg(Avg, "length"),
            agg(Min, "title"),
            agg(Max, "x:extra->n::numeric"),
            col("y:title::text"),
        ]),
        "SELECT t0.genre, count(*):bigint, sum(t0.length):decimal(65,0), avg(t0.length):decimal(65,30), \
         min(t0.title):varchar(100), max(t0.extra->n::decimal(65,30)):decimal(65,30), \
         t0.title::longtext FROM films t0 GROUP [0, 6] => \
         {genre: 0, count: 1, total: 2, avg: 3, min: 4, x: 5, y: 6}"
    );
    assert_eq!(
        films(vec![col("count"), agg(Count, "seen:seen")]),
        "SELECT count(*):bigint, count(t0.seen):bigint FROM films t0 GROUP [] => {count: 0, seen: 1}"
    );
    assert_eq!(
        plan("costs", &select(vec![agg(Sum, "amount")])),
        "SELECT sum(t0.amount):decimal(65,2) FROM costs t0 GROUP [] => {sum: 0}"
    );
}

#[test]
fn types_without_the_aggregate_are_refused() {
    for (function, name) in [
        (Sum, "title"),
        (Avg, "seen"),
        (Max, "seen"),
        (Min, "extra"),
        (Sum, "extra->a"),
        (Sum, "extra->>a"),
    ] {
        let error = refused("films", vec![agg(function, name)]);
        assert!(
            matches!(error, QueryError::Function { .. }),
            "{name}: {error}"
        );
    }
    assert_eq!(
        refused("films", vec![agg(Sum, "title")]).to_string(),
        "function sum(varchar(100)) does not exist"
    );
    // What has no equality is nothing to group by.
    assert!(matches!(
        refused("films", vec![agg(Count, ""), col("extra")]),
        QueryError::Operator { .. }
    ));
}

#[test]
fn an_order_of_groups_is_by_what_they_are_grouped_by() {
    let query = |order: &str| Query {
        order: vec![by(order)],
        limit: Some(3),
        ..select(vec![col("seen"), col("genre"), agg(Count, "")])
    };
    assert_eq!(
        plan("films", &query("genre")),
        "SELECT t0.seen, t0.genre, count(*):bigint FROM films t0 GROUP [0, 1] \
         ORDER t0.genre, t0.seen LIMIT 3 => {seen: 0, genre: 1, count: 2}"
    );
    let error = read("films", &query("title")).unwrap_err();
    assert!(matches!(error, QueryError::Grouping { column } if column == "films.title"));
}

#[test]
fn a_single_related_row_is_grouped_by_what_it_shows() {
    assert_eq!(
        films(vec![agg(Count, ""), embed("genre", vec![col("label")])]),
        "SELECT count(*):bigint, t1.code?, t1.label FROM films t0 LEFT (genres t1 ON t0.genre = t1.code) \
         GROUP [1, 2] => {count: 0, genre: 1?{label: 2}}"
    );
}

#[test]
fn aggregates_are_lifted_out_of_spreads() {
    assert_eq!(
        films(vec![
            col("seen"),
            embed(
                "...people!films_director",
                vec![agg(Max, "born"), agg(Count, ""), col("name")]
            ),
        ]),
        "SELECT t0.seen, max(t1.born):date, count(t1.id):bigint, t1.name FROM films t0 \
         LEFT (people t1 ON t0.director_id = t1.id) GROUP [0, 3] => {seen: 0, max: 1, count: 2, name: 3}"
    );
}

#[test]
fn aggregates_of_related_rows_are_taken_by_key() {
    assert_eq!(
        films(vec![
            embed("roles", vec![agg(Count, "")]),
            embed("prizes", vec![col("person_id"), agg(Sum, "amount")]),
        ]),
        "SELECT t0.id FROM films t0 ORDER t0.id => {roles: [#0], prizes: [#1]}\n\
         #0 lone [0]: SELECT t0.film_id, count(*):bigint FROM roles t0 GROUP [0] ORDER t0.film_id => {count: 1}\n\
         #1 [0]: SELECT t0.film_id, t0.person_id, sum(t0.amount):decimal(65,0) FROM prizes t0 \
         GROUP [0, 1] ORDER t0.film_id, t0.person_id => {person_id: 1, sum: 2}"
    );
}

#[test]
fn what_cannot_be_grouped_is_refused() {
    for items in [
        vec![agg(Count, ""), embed("roles", vec![col("part")])],
        vec![embed("...roles", vec![agg(Count, "")])],
        vec![embed("genre", vec![agg(Count, "")])],
        // What an engine makes of a text that is no number is no error.
        vec![agg(Sum, "extra->>n::numeric")],
        vec![agg(Max, "title::int")],
    ] {
        let error = refused("films", items);
        assert!(matches!(error, QueryError::Unsupported { .. }), "{error}");
    }
    // One that shows nothing is no hindrance.
    assert!(
        read(
            "films",
            &select(vec![agg(Count, ""), embed("roles!inner", vec![])])
        )
        .is_ok()
    );
}

#[test]
fn aggregates_can_be_switched_off() {
    let limits = Limits {
        aggregates: false,
        ..Limits::default()
    };
    for item in [
        agg(Count, ""),
        col("count"),
        embed("roles", vec![agg(Count, "")]),
    ] {
        let error = within(limits, "films", &select(vec![item])).unwrap_err();
        assert_eq!(error, QueryError::AggregatesOff);
    }
}
