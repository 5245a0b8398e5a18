//! Columns, casts, orders, pages.

use super::fixture::*;
use crate::gateway::schema::{Index, Table};
use crate::query::ask::{Nulls, OrderTerm, Query, SelectItem};
use crate::query::error::QueryError;
use crate::query::plan::Member;
use crate::query::planner::{Limits, Planner};
use std::sync::Arc;

fn names(query: &Query) -> Vec<String> {
    let plan = read("films", query).unwrap();
    let members = plan.node().members().iter();
    members.map(|member| member.name().to_owned()).collect()
}

#[test]
fn an_empty_select_shows_every_column_in_order() {
    assert_eq!(
        names(&Query::default()),
        [
            "id",
            "title",
            "length",
            "seen",
            "extra",
            "director_id",
            "second_id",
            "genre",
            "sequel_of"
        ]
    );
    let plan = read("films", &Query::default()).unwrap();
    assert!(plan.node().select().order().is_empty() && plan.limit().is_none());
}

#[test]
fn values_are_named_by_alias_last_key_or_column() {
    for (item, name) in [
        (col("x:id"), "x"),
        (col("extra->a->0->>b"), "b"),
        (col("extra->a->0"), "a"),
        (col("extra->-1"), "extra"),
        (col("x:extra->>a"), "x"),
        (col("id::text"), "id"),
        (col("count"), "count"),
    ] {
        assert_eq!(names(&select(vec![item])), [name]);
    }
}

#[test]
fn places_in_documents_and_casts_are_planned() {
    let query = select(vec![
        col("extra->a->-1"),
        col("b:extra->>a"),
        col("c:extra->>a::int"),
        col("title::text"),
        col("length::Double Precision"),
        col("id::int4"),
    ]);
    assert_eq!(
        plan("films", &query),
        "SELECT t0.extra->a.-1, t0.extra->>a, t0.title, t0.length, t0.id FROM films t0 => \
         {a: 0, b: 1, c: 1::int, title: 2::longtext, length: 3::double, id: 4}"
    );
}

#[test]
fn what_cannot_be_shown_is_refused() {
    let refused = |item: SelectItem| read("films", &select(vec![item])).unwrap_err();
    assert!(
        matches!(refused(col("title->a")), QueryError::Operator { operator, .. } if operator == "->")
    );
    assert!(
        matches!(refused(col("title->>a")), QueryError::Operator { operator, .. } if operator == "->>")
    );
    assert!(
        matches!(refused(col("id::money")), QueryError::UnknownType { name } if name == "money")
    );
    assert_eq!(
        refused(col("id::date")).to_string(),
        "cannot cast type int to date"
    );
    assert!(matches!(
        refused(col("extra::uuid")),
        QueryError::Cast { .. }
    ));
    let error = refused(col("titel"));
    assert!(
        matches!(error, QueryError::UnknownColumn { similar: Some(name), .. } if name == "title")
    );
}

#[test]
fn two_values_under_one_name_are_refused() {
    for items in [
        vec![col("id"), col("id:title")],
        vec![col("id"), col("id::text")],
        vec![col("extra->a"), col("a:title")],
        vec![col("x:id"), embed("x:roles", vec![col("part")])],
    ] {
        let error = read("films", &select(items)).unwrap_err();
        assert!(matches!(error, QueryError::Duplicate { .. }), "{error}");
    }
    assert_eq!(
        names(&select(vec![col("id"), SelectItem::Everything])).len(),
        9
    );
}

fn descending(name: &str) -> OrderTerm {
    OrderTerm {
        descending: true,
        ..by(name)
    }
}

#[test]
fn a_page_ends_its_order_with_the_key_in_the_last_direction() {
    let query = Query {
        order: vec![descending("title")],
        limit: Some(5),
        ..select(vec![col("id")])
    };
    let plan = read("films", &query).unwrap();
    let order: Vec<_> = plan
        .node()
        .select()
        .order()
        .iter()
        .map(|o| {
            (
                o.value().as_column().unwrap().column,
                o.descending(),
                o.nulls(),
            )
        })
        .collect();
    assert_eq!(order, [(1, true, Nulls::First), (0, true, Nulls::First)]);
}

#[test]
fn an_order_that_holds_a_key_is_not_ended_with_another() {
    let paged = |nullable: bool| {
        let mut table = Table::clone(&films());
        table.columns[1].nullable = nullable;
        table.indexes.push(Index {
            name: "key".into(),
            columns: vec!["title".to_owned()],
            unique: true,
        });
        let query = Query {
            order: vec![descending("title")],
            limit: Some(1),
            ..Query::default()
        };
        let plan = Planner::default().read(None, &Arc::new(table), &query);
        plan.unwrap().node().select().order().len()
    };
    assert_eq!(paged(false), 1);
    // Nulls are not kept apart by a key.
    assert_eq!(paged(true), 2);
}

#[test]
fn orders_are_by_columns_places_and_related_rows() {
    let query = Query {
        order: vec![
            by("extra->>a"),
            by("extra->b"),
            by("p.name"),
            by("title"),
            by("title"),
        ],
        ..select(vec![col("id"), embed("p:people!films_director", vec![])])
    };
    assert_eq!(
        plan("films", &query),
        "SELECT t0.id FROM films t0 LEFT (people t1 ON t0.director_id = t1.id) \
         ORDER t0.extra->>a, t0.extra->b, t1.name, t0.title => {id: 0}"
    );
    let refused = |order: &str, item: SelectItem| {
        let query = Query {
            order: vec![by(order)],
            ..select(vec![item])
        };
        read("films", &query).unwrap_err()
    };
    assert!(matches!(
        refused("extra", col("id")),
        QueryError::Operator { .. }
    ));
    assert!(matches!(
        refused("roles.part", col("id")),
        QueryError::NotEmbedded { .. }
    ));
    let error = refused("roles.part", embed("roles", vec![]));
    assert!(
        matches!(&error, QueryError::RelatedOrder { origin, name } if origin == "films" && name == "roles")
    );
}

#[test]
fn the_cap_lowers_a_limit_and_stands_in_for_a_missing_one() {
    let limits = Limits {
        max_rows: Some(10),
        ..Limits::default()
    };
    for (asked, planned) in [(None, Some(10)), (Some(99), Some(10)), (Some(3), Some(3))] {
        let inner = Query {
            limit: asked,
            ..select(vec![col("part")])
        };
        let query = Query {
            limit: asked,
            ..select(vec![embed_by("roles", inner)])
        };
        let plan = within(limits, "films", &query).unwrap();
        assert_eq!(plan.limit(), planned);
        assert_eq!(plan.exact_up_to(), Some(10));
        assert_eq!(plan.node().children()[0].node().select().limit(), planned);
    }
}

#[test]
fn one_value_asked_for_twice_is_computed_once() {
    let query = select(vec![col("id"), col("x:id"), col("y:id::text")]);
    let plan = read("films", &query).unwrap();
    assert_eq!(plan.node().select().columns().len(), 1);
    assert!(matches!(
        &plan.node().members()[2],
        Member::Value {
            column: 0,
            cast: Some(_),
            ..
        }
    ));
}
