//! Conditions.

use super::fixture::*;
use crate::query::ask::{
    Clause, Comparison, Condition, IsValue, Operator, Quantifier, Query, SearchSyntax,
};
use crate::query::error::{QueryError, ValueFault};
use crate::query::plan::{LikePart, SearchTerm};
use crate::query::planner::condition::like_pattern;
use crate::query::planner::search::terms;

fn asked(name: &str, condition: Condition) -> Query {
    Query {
        filters: vec![filter(name, condition)],
        ..select(vec![col("id")])
    }
}

/// The condition as it is planned.
fn planned(name: &str, condition: Condition) -> String {
    let text = plan("films", &asked(name, condition));
    let (_, text) = text.split_once(" WHERE ").unwrap();
    text.split_once(" => ").unwrap().0.to_owned()
}

fn refused(name: &str, condition: Condition) -> QueryError {
    read("films", &asked(name, condition)).unwrap_err()
}

fn text(text: &str) -> String {
    text.to_owned()
}

#[test]
fn a_value_is_checked_by_the_columns_type() {
    let equal = |value: &str| Condition::Compare(Comparison::Eq, text(value));
    assert_eq!(planned("title", equal("abc")), "t0.title = Text(\"abc\")");
    for (name, value) in [("length", "abc"), ("extra->a", "{"), ("extra->a", "x")] {
        assert!(matches!(
            refused(name, equal(value)),
            QueryError::Value {
                kind: ValueFault::Malformed,
                ..
            }
        ));
    }
}

#[test]
fn places_in_documents_compare_as_json_or_as_text() {
    use Comparison::{Eq, Gt};
    let compare = |comparison, value: &str| Condition::Compare(comparison, text(value));
    for (name, condition, expected) in [
        (
            "extra->a->>0",
            compare(Eq, "1.0"),
            "t0.extra->>a.0 = Text(\"1.0\")",
        ),
        (
            "extra->a",
            compare(Eq, "1.50"),
            "t0.extra->a = Json(\"1.5\")",
        ),
        (
            "extra->a",
            compare(Gt, "\"x\""),
            "t0.extra->a > Json(\"\\\"x\\\"\")",
        ),
        (
            "extra->a",
            compare(Eq, r#"{"b": [1e2], "a":-0.0}"#),
            r#"t0.extra->a = Json("{\"a\":0,\"b\":[100]}")"#,
        ),
        (
            "extra->a",
            Condition::Distinct(text("1")),
            "(t0.extra->a IsNull | t0.extra->a <> Json(\"1\"))",
        ),
        (
            "extra->a",
            Condition::In(vec![text("1"), text("null")]),
            "t0.extra->a In([Json(\"1\"), Json(\"null\")])",
        ),
    ] {
        assert_eq!(planned(name, condition), expected);
    }
    assert!(matches!(
        refused("extra->a", compare(Gt, "[1]")),
        QueryError::Operator { .. }
    ));
}

#[test]
fn operators_must_fit_the_type() {
    let like = || Condition::Like {
        pattern: text("*"),
        ignore_case: false,
    };
    let search = || Condition::Search {
        syntax: SearchSyntax::Plain,
        config: None,
        query: text("x"),
    };
    for (name, condition) in [
        ("length", like()),
        ("extra->a", like()),
        ("title", Condition::Is(IsValue::True)),
        ("extra", Condition::In(vec![text("1")])),
        ("extra", Condition::Compare(Comparison::Eq, text("1"))),
        ("extra", Condition::Distinct(text("1"))),
        ("length", search()),
        ("title", Condition::Contains(text("1"))),
        ("extra->>a", Condition::Overlaps(text("{1}"))),
    ] {
        let error = refused(name, condition);
        assert!(
            matches!(error, QueryError::Operator { .. }),
            "{name}: {error}"
        );
    }
}

#[test]
fn documents_are_compared_with_json_and_array_literals() {
    for (value, expected) in [
        (r#"{"b": 1, "a": [ ]}"#, r#"{"a":[],"b":1}"#),
        ("{}", "{}"),
        ("[2, 1]", "[2,1]"),
        ("5", "5"),
        (
            r#"{1, two words ,"3",true,null,{x},"a\"b"}"#,
            r#"[1,"two words","3",true,null,["x"],"a\"b"]"#,
        ),
    ] {
        assert_eq!(
            planned("extra", Condition::Contains(text(value))),
            format!("t0.extra Contains({expected:?})")
        );
        assert_eq!(
            planned("extra->a", Condition::ContainedIn(text(value))),
            format!("t0.extra->a ContainedIn({expected:?})")
        );
    }
    assert_eq!(
        planned("extra", Condition::Overlaps(text("{}"))),
        "t0.extra Overlaps(\"[]\")"
    );
    for value in ["", "{", "{a", "{a,}", "{,}", "{a}}", "[1,2)", "{\"a}", "x"] {
        for condition in [
            Condition::Contains(text(value)),
            Condition::Overlaps(text(value)),
        ] {
            assert!(
                matches!(refused("extra", condition), QueryError::Value { .. }),
                "{value}"
            );
        }
    }
    // Only an array has elements in common with another.
    assert!(matches!(
        refused("extra", Condition::Overlaps(text("5"))),
        QueryError::Value { .. }
    ));
    let deep = "{".repeat(10_000);
    assert!(matches!(
        refused("extra", Condition::Contains(deep)),
        QueryError::Value { .. }
    ));
}

#[test]
fn regular_expressions_are_checked() {
    let find = |pattern: &str| Condition::Match {
        pattern: text(pattern),
        ignore_case: true,
    };
    assert_eq!(
        planned("title", find("^a+")),
        "t0.title Match { pattern: \"^a+\", ignore_case: true }"
    );
    for (pattern, message) in [
        ("a(", "invalid regular expression: unclosed group"),
        (
            "*",
            "invalid regular expression: repetition operator missing expression",
        ),
        (
            "((a{1000}){1000}){1000}",
            "invalid regular expression: it is too large",
        ),
    ] {
        assert_eq!(refused("title", find(pattern)).to_string(), message);
    }
    let many = |times: usize| Condition::Quantified {
        quantifier: Quantifier::Any,
        operator: Operator::Match { ignore_case: false },
        values: vec![Some(text("\\w{20}")); times],
    };
    assert_eq!(
        refused("title", many(32)).to_string(),
        "invalid regular expression: they are too large together"
    );
    assert!(matches!(
        refused("title", many(33)),
        QueryError::TooMuch { .. }
    ));
    let any = Condition::Quantified {
        quantifier: Quantifier::Any,
        operator: Operator::Match { ignore_case: false },
        values: vec![Some(text("a")), None],
    };
    assert_eq!(
        planned("title", any),
        "(t0.title Match { pattern: \"a\", ignore_case: false } | UNKNOWN)"
    );
}

fn words(term: &SearchTerm) -> String {
    let list = |terms: &[SearchTerm], word: &str| {
        let terms: Vec<String> = terms.iter().map(words).collect();
        format!("({})", terms.join(word))
    };
    match term {
        SearchTerm::Phrase(words) => words.join("+"),
        SearchTerm::Prefix(word) => format!("{word}*"),
        SearchTerm::All(terms) => list(terms, " & "),
        SearchTerm::Any(terms) => list(terms, " | "),
        SearchTerm::Not(term) => format!("!{}", words(term)),
    }
}

#[test]
fn searches_are_read_in_four_ways() {
    use SearchSyntax::{Operators, Phrase, Plain, Web};
    for (syntax, query, expected) in [
        (Plain, "The fat, Cats!", "(the & fat & cats)"),
        (Plain, "  ", "()"),
        (Plain, "Éa", "éa"),
        (Phrase, "The Fat-cats", "the+fat+cats"),
        (Web, "fat or rat -cat \"a b", "(fat | (rat & !cat & a+b))"),
        (Web, "\"sad cat\" or -\"fat rat\"", "(sad+cat | !fat+rat)"),
        (Web, "or or", "()"),
        (Operators, "fat & (rat | !cat)", "(fat & (rat | !cat))"),
        (Operators, "a|b&c", "(a | (b & c))"),
        (Operators, "'super star' & sup:*", "(super+star & sup*)"),
        (Operators, "a:AB & 'it''s'", "(a & it+s)"),
        (Operators, "a <-> b<->c", "a+b+c"),
        (Operators, "!!a", "!!a"),
        (Operators, "a & -", "a"),
        (Operators, "", "()"),
    ] {
        let found = terms(syntax, query);
        match found {
            Ok(found) => assert_eq!(words(&found), expected, "{query}"),
            Err(error) => panic!("{query}: {error}"),
        }
    }
    for query in ["a b", "a &", "(a", "a)", "!", "a | | b", "'a", "a:", "a:x"] {
        assert!(
            matches!(
                terms(Operators, query),
                Err(QueryError::SearchSyntax { .. })
            ),
            "{query}"
        );
    }
    assert!(terms(Operators, &"(".repeat(100_000)).is_err());
    assert!(terms(Operators, &"!".repeat(100_000)).is_err());
    assert!(matches!(
        terms(Operators, "a <2> b"),
        Err(QueryError::Unsupported { .. })
    ));
}

#[test]
fn filters_may_ask_whether_an_embed_has_rows() {
    let query = |filters, logic| Query {
        filters,
        logic,
        ..select(vec![
            col("id"),
            embed("d:people!films_director", vec![]),
            embed("roles", vec![]),
        ])
    };
    let there = "SELECT t0.id FROM films t0 LEFT (people t1 ON t0.director_id = t1.id) WHERE ";
    for (filters, logic, expected) in [
        (vec![is_null("d")], vec![], "!t1.id?"),
        (vec![not(is_null("d"))], vec![], "!!t1.id?"),
        (
            vec![filter("d", Condition::Is(IsValue::NotNull))],
            vec![],
            "t1.id?",
        ),
        (
            vec![is_null("roles")],
            vec![],
            "!EXISTS(roles t2 ON t0.id = t2.film_id)",
        ),
        (
            vec![],
            vec![any(vec![not(is_null("d")), not(is_null("roles"))])],
            "(!!t1.id? | !!EXISTS(roles t2 ON t0.id = t2.film_id))",
        ),
        (
            vec![],
            vec![Clause::Not(Box::new(any(vec![
                is_null("d"),
                eq("id", "1"),
            ])))],
            "!(!t1.id? | t0.id = Int(1))",
        ),
    ] {
        assert_eq!(
            plan("films", &query(filters, logic)),
            format!("{there}{expected} => {{id: 0}}")
        );
    }
    let error = read("films", &query(vec![eq("d", "1")], vec![])).unwrap_err();
    assert!(matches!(error, QueryError::EmbedFilter { name } if name == "d"));
    // One that is not in the select is a column that is not there.
    let error = read("films", &asked("roles", Condition::Is(IsValue::Null))).unwrap_err();
    assert!(matches!(error, QueryError::UnknownColumn { .. }));
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
