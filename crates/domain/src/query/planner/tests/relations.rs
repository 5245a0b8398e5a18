//! Which relationship an embed means.

use super::fixture::*;
use crate::query::error::{Candidate, QueryError};

/// The tables that an embed leads to, and how.
fn leads(of: &str, text: &str) -> String {
    let found = read(of, &select(vec![embed(text, vec![col("*")])]));
    // No column is called `*`: the embed was found, and its table is told.
    match found.unwrap_err() {
        QueryError::UnknownColumn { table, .. } => table,
        QueryError::NoRelationship { .. } => "none".to_owned(),
        QueryError::AmbiguousRelationship { candidates, .. } => {
            let choices: Vec<String> = candidates.into_iter().map(|it| it.choice).collect();
            choices.join(" ")
        }
        other => panic!("{other}"),
    }
}

#[test]
fn targets_are_tables_keys_and_columns() {
    for (of, text, expected) in [
        ("films", "roles", "roles"),
        ("films", "genres", "genres"),
        ("films", "genre", "genres"),
        // A key without a name is named as PostgreSQL would.
        ("films", "films_genre_fkey", "genres"),
        ("films", "films_director", "people"),
        ("films", "director_id", "people"),
        ("people", "films_director", "films"),
        ("films", "people!films_second", "people"),
        ("films", "people!second_id", "people"),
        ("films", "people!roles", "people"),
        ("people", "films!director_id", "films"),
        ("roles", "films!film_id", "films"),
        ("roles", "films!id", "films"),
        ("prizes", "prizes_role", "roles"),
        ("roles", "prizes!prizes_role", "prizes"),
        // A key of two columns is not named by one of them.
        ("prizes", "person_id", "none"),
        ("films", "nothing", "none"),
        ("films", "people!nothing", "none"),
        ("people", "genres", "none"),
        ("people", "director_id", "none"),
        // To itself: by the table's name what refers to it, by the column's what it refers to.
        ("films", "films", "films"),
        ("films", "sequel_of", "films"),
        ("films", "films!sequel_of", "films"),
        ("films", "films!films_sequel", "films"),
    ] {
        assert_eq!(leads(of, text), expected, "{of} {text}");
    }
    assert_eq!(
        leads("films", "people"),
        "people!films_director people!films_second people!roles"
    );
}

#[test]
fn a_table_related_to_itself_has_two_sides() {
    assert_eq!(
        plan(
            "films",
            &select(vec![
                embed("of:sequel_of", vec![col("id")]),
                embed("sequels:films", vec![col("id")]),
            ])
        ),
        "SELECT t1.id?, t1.id, t0.id FROM films t0 LEFT (films t1 ON t0.sequel_of = t1.id) \
         ORDER t0.id => {of: 0?{id: 1}, sequels: [#0]}\n\
         #0 [2]: SELECT t0.sequel_of, t0.id FROM films t0 ORDER t0.id => {id: 1}"
    );
}

#[test]
fn several_relationships_are_told_with_what_names_each() {
    let error = read("films", &select(vec![embed("people", vec![])])).unwrap_err();
    let QueryError::AmbiguousRelationship {
        origin,
        target,
        candidates,
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!((&*origin, &*target), ("films", "people"));
    let candidate = |cardinality, relationship: &str, choice: &str| Candidate {
        cardinality,
        embedding: "films with people".to_owned(),
        relationship: relationship.to_owned(),
        choice: choice.to_owned(),
    };
    assert_eq!(
        candidates,
        [
            candidate(
                "many-to-one",
                "films_director using films(director_id) and people(id)",
                "people!films_director"
            ),
            candidate(
                "many-to-one",
                "films_second using films(second_id) and people(id)",
                "people!films_second"
            ),
            candidate(
                "many-to-many",
                "roles using roles_film(film_id) and roles_person(person_id)",
                "people!roles"
            ),
        ]
    );
}

#[test]
fn no_relationship_is_told_with_a_similar_one() {
    let refused = |of: &str, text: &str| {
        let error = read(of, &select(vec![embed(text, vec![])])).unwrap_err();
        match error {
            QueryError::NoRelationship { hint, similar, .. } => (hint, similar),
            other => panic!("{other}"),
        }
    };
    let some = |text: &str| Some(text.into());
    assert_eq!(refused("films", "role"), (None, some("roles")));
    assert_eq!(refused("films", "xyz"), (None, None));
    assert_eq!(refused("films", "people!x"), (some("x"), None));
}

#[test]
fn views_are_related_as_the_columns_are_that_they_show() {
    for (of, text, expected) in [
        ("openings", "people!films_director", "people"),
        ("recent", "genres", "genres"),
        ("recent", "the_genre", "genres"),
        ("genres", "recent", "recent"),
        ("genres", "credits", "credits"),
        ("people", "openings!films_director", "openings"),
        ("people", "recent!roles", "recent"),
        ("openings", "people!roles", "people"),
        ("roles", "openings", "openings"),
        // A film may stand in it twice.
        ("roles", "credits", "none"),
        // They show no column of a key between them.
        ("openings", "recent", "none"),
        // The films that continue one of the view.
        ("openings", "films", "films"),
    ] {
        assert_eq!(leads(of, text), expected, "{of} {text}");
    }
    assert_eq!(
        plan(
            "recent",
            &select(vec![
                embed("genres", vec![col("label")]),
                embed("roles", vec![col("part")])
            ])
        ),
        "SELECT t1.code?, t1.label, t0.the_id FROM recent t0 LEFT (genres t1 ON t0.the_genre = t1.code) \
         ORDER t0.the_id => {genres: 0?{label: 1}, roles: [#0]}\n\
         #0 [2]: SELECT t0.film_id, t0.part FROM roles t0 ORDER t0.film_id, t0.person_id => {part: 1}"
    );
    assert_eq!(
        plan(
            "genres",
            &select(vec![embed("credits", vec![col("the_title")])])
        ),
        "SELECT t0.code FROM genres t0 ORDER t0.code => {credits: [#0]}\n\
         #0 [0]: SELECT t1.code, t0.the_title FROM credits t0 \
         INNER (genres t1 ON t0.the_genre = t1.code) => {the_title: 1}"
    );
}
