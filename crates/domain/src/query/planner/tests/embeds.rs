//! Embeds: joins, children, spreads, and which rows they leave.

use super::fixture::*;
use crate::query::ask::{Query, SelectItem};
use crate::query::error::QueryError;
use crate::query::planner::{Limits, Planner};

fn films(items: Vec<SelectItem>) -> String {
    plan("films", &select(items))
}

#[test]
fn a_single_related_row_is_joined() {
    assert_eq!(
        films(vec![
            col("title"),
            embed("director:people!films_director", vec![col("name")]),
            embed(
                "second:people!second_id!inner",
                vec![SelectItem::Everything]
            ),
        ]),
        "SELECT t0.title, t1.id?, t1.name, t2.id?, t2.id, t2.name, t2.born FROM films t0 \
         LEFT (people t1 ON t0.director_id = t1.id) INNER (people t2 ON t0.second_id = t2.id) => \
         {title: 0, director: 1?{name: 2}, second: 3?{id: 4, name: 5, born: 6}}"
    );
    // The other side of a key that is unique, and text that a key refers to.
    assert_eq!(
        films(vec![
            embed("costs", vec![col("amount")]),
            embed("genre", vec![col("label")])
        ]),
        "SELECT t1.film_id?, t1.amount, t2.code?, t2.label FROM films t0 \
         LEFT (costs t1 ON t0.id = t1.film_id) LEFT (genres t2 ON t0.genre = t2.code) => \
         {costs: 0?{amount: 1}, genre: 2?{label: 3}}"
    );
}

#[test]
fn what_is_asked_of_a_single_row_stands_in_its_join() {
    let mut inner = Query {
        filters: vec![eq("name", "x")],
        order: vec![by("name")],
        ..select(vec![col("name")])
    };
    assert_eq!(
        films(vec![embed_by("people!director_id", inner.clone())]),
        "SELECT t1.id?, t1.name FROM films t0 \
         LEFT (people t1 ON t0.director_id = t1.id & t1.name = Text(\"x\")) => {people: 0?{name: 1}}"
    );
    inner.limit = Some(0);
    assert!(films(vec![embed_by("people!director_id", inner)]).contains("t1.id & FALSE)"));
}

#[test]
fn many_related_rows_are_a_statement_by_key() {
    let inner = Query {
        filters: vec![eq("part", "x")],
        order: vec![by("part")],
        limit: Some(2),
        offset: 1,
        ..select(vec![col("part")])
    };
    assert_eq!(
        films(vec![col("title"), embed_by("roles", inner)]),
        "SELECT t0.title, t0.id FROM films t0 ORDER t0.id => {title: 0, roles: [#0]}\n\
         #0 [1]: SELECT t0.film_id, t0.part FROM roles t0 WHERE t0.part = Text(\"x\") \
         ORDER t0.part, t0.film_id, t0.person_id LIMIT 2 OFFSET 1 => {part: 1}"
    );
    // Two columns are a key as well.
    assert_eq!(
        plan("roles", &select(vec![embed("prizes", vec![col("id")])])),
        "SELECT t0.film_id, t0.person_id FROM roles t0 ORDER t0.film_id, t0.person_id => {prizes: [#0]}\n\
         #0 [0, 1]: SELECT t0.film_id, t0.person_id, t0.id FROM prizes t0 ORDER t0.id => {id: 2}"
    );
}

#[test]
fn a_key_of_text_is_the_one_of_the_table_that_is_referred_to() {
    assert_eq!(
        plan("genres", &select(vec![embed("films", vec![col("title")])])),
        "SELECT t0.code FROM genres t0 ORDER t0.code => {films: [#0]}\n\
         #0 [0]: SELECT t1.code, t0.title FROM films t0 INNER (genres t1 ON t0.genre = t1.code) \
         ORDER t0.id => {title: 1}"
    );
}

#[test]
fn a_junction_leads_to_many_rows() {
    assert_eq!(
        plan(
            "people",
            &select(vec![col("name"), embed("films!roles", vec![col("title")])])
        ),
        "SELECT t0.name, t0.id FROM people t0 ORDER t0.id => {name: 0, films: [#0]}\n\
         #0 [1]: SELECT t1.person_id, t0.title FROM films t0 INNER (roles t1 ON t0.id = t1.film_id) \
         ORDER t0.id => {title: 1}"
    );
}

#[test]
fn embeds_stand_in_each_other() {
    let person = || embed("people", vec![col("name")]);
    assert_eq!(
        films(vec![
            embed("roles", vec![person()]),
            embed(
                "d:people!films_director",
                vec![embed("roles", vec![col("part")])]
            ),
        ]),
        "SELECT t0.id, t1.id?, t1.id FROM films t0 LEFT (people t1 ON t0.director_id = t1.id) \
         ORDER t0.id => {roles: [#0], d: 1?{roles: [#1]}}\n\
         #0 [0]: SELECT t0.film_id, t1.id?, t1.name FROM roles t0 LEFT (people t1 ON t0.person_id = t1.id) \
         ORDER t0.film_id, t0.person_id => {people: 1?{name: 2}}\n\
         #1 [2]: SELECT t0.person_id, t0.part FROM roles t0 ORDER t0.film_id, t0.person_id => {part: 1}"
    );
    assert_eq!(
        plan(
            "roles",
            &select(vec![embed("films", vec![embed("costs!inner", vec![])])])
        ),
        "SELECT t1.id? FROM roles t0 LEFT (films t1 INNER (costs t2 ON t1.id = t2.film_id) \
         ON t0.film_id = t1.id) => {films: 0?{}}"
    );
}

#[test]
fn an_inner_embed_of_many_leaves_rows_that_have_some() {
    let inner = Query {
        filters: vec![eq("part", "x")],
        ..select(vec![
            embed("people!inner", vec![]),
            embed("prizes", vec![col("id")]),
        ])
    };
    let text = films(vec![col("id"), embed_by("roles!inner", inner)]);
    assert_eq!(
        text.lines().next().unwrap(),
        "SELECT t0.id FROM films t0 WHERE EXISTS(roles t1 INNER (people t2 ON t1.person_id = t2.id) \
         ON t0.id = t1.film_id & t1.part = Text(\"x\")) ORDER t0.id => {id: 0, roles: [#0]}"
    );
    assert_eq!(
        plan(
            "people",
            &select(vec![col("id"), embed("films!roles!inner", vec![])])
        ),
        "SELECT t0.id FROM people t0 WHERE EXISTS(films t1 INNER (roles t2 ON t1.id = t2.film_id) \
         ON t0.id = t2.person_id) => {id: 0}"
    );
    let paged = Query {
        offset: 1,
        ..select(vec![col("part")])
    };
    let error = read("films", &select(vec![embed_by("roles!inner", paged)])).unwrap_err();
    assert!(matches!(error, QueryError::Unsupported { .. }));
}

#[test]
fn an_empty_embed_shows_nothing() {
    assert_eq!(
        films(vec![
            col("id"),
            embed("roles", vec![]),
            embed("...costs", vec![])
        ]),
        "SELECT t0.id FROM films t0 LEFT (costs t1 ON t0.id = t1.film_id) => {id: 0}"
    );
}

#[test]
fn spreads_lift_values_and_gather_those_of_many_rows() {
    assert_eq!(
        films(vec![
            col("title"),
            embed("...people!films_director", vec![col("director:name")]),
            embed(
                "...roles",
                vec![col("part"), embed("...people", vec![col("name")])]
            ),
        ]),
        "SELECT t0.title, t1.name, t0.id FROM films t0 LEFT (people t1 ON t0.director_id = t1.id) \
         ORDER t0.id => {title: 0, director: 1, part: [#0.0], name: [#0.1]}\n\
         #0 [2]: SELECT t0.film_id, t0.part, t1.name FROM roles t0 LEFT (people t1 ON t0.person_id = t1.id) \
         ORDER t0.film_id, t0.person_id => {part: 1, name: 2}"
    );
}

#[test]
fn depth_and_number_of_embeds_have_their_limits() {
    let mut item = embed("sequel_of", vec![col("id")]);
    for _ in 0..2 {
        item = embed("sequel_of", vec![item]);
    }
    let limits = |embed_depth| Limits {
        embed_depth,
        ..Limits::default()
    };
    assert!(within(limits(3), "films", &select(vec![item.clone()])).is_ok());
    let error = within(limits(2), "films", &select(vec![item])).unwrap_err();
    assert!(matches!(error, QueryError::TooMuch { .. }));
    assert!(error.to_string().contains("2 deep"), "{error}");
    for target in ["genre", "roles"] {
        let items =
            (0..60).map(|at| embed(&format!("a{at}:{target}"), vec![SelectItem::Everything]));
        let error = read("films", &select(items.collect())).unwrap_err();
        assert!(matches!(error, QueryError::TooMuch { .. }), "{target}");
    }
}

#[test]
fn nothing_is_embedded_without_a_schema() {
    let table = super::fixture::films();
    let query = select(vec![embed("roles", vec![])]);
    let error = Planner::default().read(None, &table, &query).unwrap_err();
    assert!(matches!(error, QueryError::Unsupported { .. }));
}

#[test]
fn written_rows_are_shown_by_their_key_in_their_own_order() {
    let schema = schema();
    let query = Query {
        filters: vec![eq("title", "x")],
        limit: Some(1),
        ..select(vec![
            col("title::text"),
            embed("costs", vec![col("amount")]),
        ])
    };
    let table = schema.table("films").unwrap();
    let limits = Limits {
        max_rows: Some(10),
        ..Limits::default()
    };
    let child = Planner::new(limits)
        .related(Some(&schema), table, &query, &[0])
        .unwrap();
    assert_eq!(child.parent(), [0]);
    assert_eq!(
        described(child.node()),
        "SELECT t0.id, t0.title, t1.film_id?, t1.amount FROM films t0 \
         LEFT (costs t1 ON t0.id = t1.film_id) => {title: 1::longtext, costs: 2?{amount: 3}}"
    );
}
