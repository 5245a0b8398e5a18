//! Examples of the grammar, and its properties.

use proptest::prelude::*;
use tidegate_domain::query::ask::{
    Clause, Comparison, Condition, Filter, IsValue, Nulls, Operator, OrderTerm, Quantifier, Query,
    SelectItem,
};

use super::{Asked, GrammarError, canonical, pairs, parse, parse_pairs, print};

fn query(text: &str) -> Query {
    parse(text)
        .unwrap_or_else(|error| panic!("{text}: {error} {:?}", error.details()))
        .query
}

fn refused(text: &str) -> GrammarError {
    parse(text).expect_err(text)
}

fn column(name: &str) -> SelectItem {
    SelectItem::Column {
        name: name.to_owned(),
        alias: None,
    }
}

fn condition(text: &str) -> (bool, Condition) {
    let filter = query(&format!("c={text}")).filters.remove(0);
    (filter.negated, filter.condition)
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn nothing_asks_for_everything() {
    for text in ["", "&", "&&", "select=", "id=", "id", "order=&limit=&x="] {
        assert_eq!(parse(text).unwrap(), Asked::default(), "{text}");
    }
}

#[test]
fn select_lists_columns_with_aliases_and_blanks() {
    assert_eq!(query("select=*").select, [SelectItem::Everything]);
    assert_eq!(
        query("select=%20id%20,+first name+, \"a.b\" ,x:y,\"p:q\":\"r\\\"s\",naïve-ünïque,$1")
            .select,
        [
            column("id"),
            column("first name"),
            column("a.b"),
            SelectItem::Column {
                name: "y".to_owned(),
                alias: Some("x".to_owned())
            },
            SelectItem::Column {
                name: "r\"s".to_owned(),
                alias: Some("p:q".to_owned())
            },
            column("naïve-ünïque"),
            column("$1"),
        ]
    );
    for text in [
        "select=id,",
        "select=,id",
        "select=+",
        "select=a--b",
        "select=-a",
        "select=a:",
        "select=\"a",
        "select=id,(select 1)",
        "select=a b;c",
    ] {
        assert_eq!(refused(text).code(), "PGRST100", "{text}");
    }
}

#[test]
fn comparisons_take_their_value_as_it_is() {
    assert_eq!(
        condition("eq."),
        (false, Condition::Compare(Comparison::Eq, String::new()))
    );
    assert_eq!(
        condition("neq.%22a%22,(b).c%26%3D"),
        (
            false,
            Condition::Compare(Comparison::Neq, "\"a\",(b).c&=".to_owned())
        )
    );
    assert_eq!(
        condition("not.lte.-1.5"),
        (true, Condition::Compare(Comparison::Lte, "-1.5".to_owned()))
    );
    assert_eq!(
        condition("ilike.*a+b%25"),
        (
            false,
            Condition::Like {
                pattern: "*a b%".to_owned(),
                ignore_case: true
            }
        )
    );
    let filters = query("a=gt.1&a=lt.5&\"order\"=eq.x").filters;
    assert_eq!(
        filters
            .iter()
            .map(|filter| filter.column.as_str())
            .collect::<Vec<_>>(),
        ["a", "a", "order"]
    );
}

#[test]
fn lists_know_quotes_and_emptiness() {
    for (text, values) in [
        ("in.()", &[][..]),
        ("in.( )", &[]),
        ("in.(\"\")", &[""]),
        ("in.(,)", &["", ""]),
        ("in.(1,2,3)", &["1", "2", "3"]),
        (
            "in.(a, b,\"c,d\",\"e)\\\"\\\\\")",
            &["a", " b", "c,d", "e)\"\\"],
        ),
        ("in.(\"a\"b,c\"d\",\"e)", &["\"a\"b", "c\"d\"", "\"e"]),
        ("in.(back\\slash)", &["back\\slash"]),
    ] {
        assert_eq!(
            condition(text),
            (false, Condition::In(texts(values))),
            "{text}"
        );
    }
    for text in [
        "c=in.",
        "c=in.1,2",
        "c=in.(1",
        "c=in.(1,2",
        "c=in.(1)x",
        "c=in.(1),(2)",
    ] {
        assert_eq!(refused(text).code(), "PGRST100", "{text}");
    }
}

#[test]
fn is_takes_five_words_in_any_case() {
    for (text, value) in [
        ("null", IsValue::Null),
        ("NOT_null", IsValue::NotNull),
        ("True", IsValue::True),
        ("FALSE", IsValue::False),
        ("unknown", IsValue::Unknown),
    ] {
        assert_eq!(
            condition(&format!("not.is.{text}")),
            (true, Condition::Is(value))
        );
    }
    for text in ["is.", "is.nil", "is.nullx", "is. null", "is.1"] {
        assert_eq!(refused(&format!("c={text}")).code(), "PGRST100", "{text}");
    }
}

#[test]
fn order_takes_directions_and_the_place_of_nulls() {
    let term = |column: &str, descending, nulls| OrderTerm {
        column: column.to_owned(),
        descending,
        nulls,
    };
    assert_eq!(
        query("order=a, b.desc ,c.asc.nullsfirst,d.nullslast,\"e.desc\".desc.nullslast").order,
        [
            term("a", false, None),
            term("b", true, None),
            term("c", false, Some(Nulls::First)),
            term("d", false, Some(Nulls::Last)),
            term("e.desc", true, Some(Nulls::Last)),
        ]
    );
    for text in [
        "a.up",
        "a.ascending",
        "a.nullsfirst.desc",
        "a.desc.asc",
        "a,",
        "id`;drop",
        "a.desc.nullsfirst.x",
    ] {
        assert_eq!(
            refused(&format!("order={text}")).code(),
            "PGRST100",
            "{text}"
        );
    }
}

#[test]
fn windows_are_whole_numbers() {
    let read = query("limit=10&offset=20&limit=5");
    assert_eq!((read.limit, read.offset), (Some(5), 20));
    assert_eq!(
        query("limit=99999999999999999999999").limit,
        Some(i64::MAX as u64)
    );
    assert_eq!(query("limit=-0").limit, Some(0));
    for text in ["limit=-1", "offset=-7"] {
        assert_eq!(refused(text).code(), "PGRST103");
    }
    for text in [
        "limit=ten",
        "limit=1.5",
        "offset=-",
        "offset=1e3",
        "limit=%2B1",
        "limit=0x10",
    ] {
        assert_eq!(refused(text).code(), "PGRST100", "{text}");
    }
}

#[test]
fn what_is_not_offered_is_named() {
    for (text, word) in [
        ("on_conflict=a", "upserts"),
        ("select=a,clients(*)", "embedded"),
        ("select=x:clients!inner(*)", "embedded"),
        ("select=...clients(*)", "spread"),
        ("select=a::text", "casts"),
        ("select=x:a->b", "JSON"),
        ("select=a->>b", "JSON"),
        ("select=count()", "aggregate"),
        ("select=amount.sum()", "aggregate"),
        ("a->b=eq.1", "JSON"),
        ("order=a->b.desc", "JSON"),
        ("order=clients(name)", "embedded"),
        ("a=fts(english).cat", "full-text"),
        ("or=(a->b.eq.1)", "JSON"),
        ("and=(a.match.x)", "regular"),
        ("a=not.cs.{1,2}", "arrays"),
        ("a=match.^x", "regular"),
        ("a=sl.(1,10)", "ranges"),
    ] {
        let error = refused(text);
        assert_eq!(error.code(), "PGRST127", "{text}: {error:?}");
        assert!(error.details().unwrap().contains(word), "{text}: {error:?}");
    }
    for text in [
        "clients.name=eq.1",
        "clients.order=id",
        "clients.limit=1",
        "clients.not.or=(a.eq.1)",
    ] {
        assert_eq!(refused(text).code(), "PGRST108", "{text}");
    }
}

#[test]
fn mistakes_say_where_and_what_was_expected() {
    let error = refused("name=foo");
    assert_eq!(
        error.to_string(),
        "\"failed to parse filter (foo)\" (line 1, column 1)"
    );
    assert!(
        error
            .details()
            .unwrap()
            .starts_with("found \"f\", expected `not.` or an operator (eq"),
        "{error:?}"
    );
    let error = refused("order=a,ü.up");
    assert_eq!(
        error.to_string(),
        "\"failed to parse order (a,ü.up)\" (line 1, column 4)"
    );
    let error = refused("c=in.(1");
    assert_eq!(
        error.details().unwrap(),
        "found the end, expected `,` or `)`"
    );
    assert_eq!(
        refused("limit=1x").to_string(),
        "\"failed to parse limit (1x)\" (line 1, column 2)"
    );
    for text in [
        "c=not.not.eq.1",
        "c=EQ.1",
        "c=eq",
        "c=5",
        "c=.",
        "=eq.1",
        "c!=eq.1",
        "`c`=eq.1",
    ] {
        assert_eq!(refused(text).code(), "PGRST100", "{text}");
    }
}

#[test]
fn text_must_be_utf8() {
    assert_eq!(refused("a=eq.%ff"), GrammarError::Encoding);
    assert_eq!(refused("%c3=eq.1"), GrammarError::Encoding);
    assert_eq!(
        condition("eq.100%"),
        (false, Condition::Compare(Comparison::Eq, "100%".to_owned()))
    );
    assert_eq!(
        condition("eq.%F0%9F%A6%80"),
        (false, Condition::Compare(Comparison::Eq, "🦀".to_owned()))
    );
}

#[test]
fn columns_are_names() {
    assert_eq!(
        parse("columns=a, \"b,c\" ").unwrap().columns,
        Some(texts(&["a", "b,c"]))
    );
    assert_eq!(refused("columns=a.b").code(), "PGRST100");
}

#[test]
fn the_canonical_query_is_sorted_and_encoded_one_way() {
    let decoded = pairs::decode("b=eq.2&a=gt.1+x&a=lt.%355").unwrap();
    assert_eq!(canonical(&decoded), "a=gt.1%20x&a=lt.55&b=eq.2");
}

fn leaf(column: &str, negated: bool, condition: Condition) -> Clause {
    Clause::Column(Filter {
        column: column.to_owned(),
        negated,
        condition,
    })
}

fn is(column: &str, text: &str) -> Clause {
    leaf(
        column,
        false,
        Condition::Compare(Comparison::Eq, text.to_owned()),
    )
}

#[test]
fn trees_join_conditions() {
    assert_eq!(
        query("or=(a.eq.1,b.eq.2)").logic,
        [Clause::Any(vec![is("a", "1"), is("b", "2")])]
    );
    assert_eq!(
        query("not.and=( a.eq.1 , not.or ( \"b c\".eq.\"x,)\", d.not.is.NULL ) )").logic,
        [Clause::Not(Box::new(Clause::All(vec![
            is("a", "1 "),
            Clause::Not(Box::new(Clause::Any(vec![
                is("b c", "x,)"),
                leaf("d", true, Condition::Is(IsValue::Null)),
            ]))),
        ])))]
    );
    // Columns may be called like the words of the grammar.
    assert_eq!(
        query("and=(and.eq.1,or.in.(1,\"2\"),not.eq.3)").logic,
        [Clause::All(vec![
            is("and", "1"),
            leaf("or", false, Condition::In(texts(&["1", "2"]))),
            is("not", "3"),
        ])]
    );
    // Several trees, and the conditions beside them, all hold.
    let both = query("or=(a.eq.1)&b=eq.2&or=(c.eq.3)");
    assert_eq!((both.filters.len(), both.logic.len()), (1, 2));
    assert_eq!(
        query("or=(a.eq.{1,2},b.eq.,c.eq.\"\")").logic,
        [Clause::Any(vec![
            is("a", "{1,2}"),
            is("b", ""),
            is("c", "")
        ])]
    );
    for text in [
        "or=()",
        "or=a.eq.1",
        "or=(a.eq.1",
        "or=(a.eq.1,)",
        "or=(a.eq.1)x",
        "or=(a)",
        "or=(a.5)",
        "and=(a.eq.1,not(b.eq.2))",
        "or=(a.is.nothing)",
    ] {
        assert_eq!(refused(text).code(), "PGRST100", "{text}");
    }
    let deep =
        |levels: usize| format!("and=({}a.eq.1{})", "or(".repeat(levels), ")".repeat(levels));
    assert_eq!(query(&deep(99)).logic.len(), 1);
    assert_eq!(refused(&deep(100)).code(), "PGRST100");
    assert_eq!(refused(&deep(5000)).code(), "PGRST100");
}

#[test]
fn operators_take_any_or_all_of_several_values() {
    use Quantifier::{All, Any};
    let quantified = |quantifier, operator, values: &[Option<&str>]| Condition::Quantified {
        quantifier,
        operator,
        values: values
            .iter()
            .map(|value| value.map(str::to_owned))
            .collect(),
    };
    let eq = Operator::Compare(Comparison::Eq);
    for (text, expected) in [
        (
            "eq(any).{1,2}",
            quantified(Any, eq, &[Some("1"), Some("2")]),
        ),
        ("eq(all).{}", quantified(All, eq, &[])),
        (
            "eq(any).{a\\,b,c\\\\}",
            quantified(Any, eq, &[Some("a,b"), Some("c\\")]),
        ),
        (
            "eq(any).{ a b , \"c,\\\"}\" ,NULL,null,\"NULL\"}",
            quantified(
                Any,
                eq,
                &[Some("a b"), Some("c,\"}"), None, None, Some("NULL")],
            ),
        ),
        (
            "ilike(all).{a*,%25b}",
            quantified(
                All,
                Operator::Like { ignore_case: true },
                &[Some("a*"), Some("%b")],
            ),
        ),
    ] {
        assert_eq!(condition(text), (false, expected.clone()), "{text}");
        assert_eq!(
            query(&format!("or=(c.{text})")).logic,
            [Clause::Any(vec![leaf("c", false, expected)])],
            "{text}"
        );
    }
    assert_eq!(
        condition("not.isdistinct.a.b"),
        (true, Condition::Distinct("a.b".to_owned()))
    );
    for text in [
        "eq(some).{1}",
        "eq(any)",
        "eq(any).1",
        "eq(any).{1",
        "eq(any).{1}x",
        "eq(any).{1,}",
        "eq(any).{{1}}",
        "neq(any).{1}",
        "in(any).{1}",
        "is(all).{1}",
        "isdistinct(any).{1}",
    ] {
        assert_eq!(refused(&format!("c={text}")).code(), "PGRST100", "{text}");
    }
}

/// Names of all kinds, but none that no quoting could save.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z][a-z0-9_]{0,8}",
        "[a-zäß$ -]{1,8}",
        "[ -~]{1,8}",
        ".{1,6}",
        Just("order".to_owned()),
        Just("or".to_owned())
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[0-9]{1,3}", "[ -~]{0,8}", ".{0,6}", "[,()\"\\\\]{0,5}"]
}

fn any_condition() -> impl Strategy<Value = Condition> {
    use Comparison::{Eq, Gt, Gte, Lt, Lte, Neq};
    let comparison = prop::sample::select(vec![Eq, Neq, Gt, Gte, Lt, Lte]);
    let is = prop::sample::select(super::filter::IS_VALUES.to_vec());
    prop_oneof![
        (comparison, text()).prop_map(|(comparison, text)| Condition::Compare(comparison, text)),
        (text(), any::<bool>()).prop_map(|(pattern, ignore_case)| Condition::Like {
            pattern,
            ignore_case
        }),
        prop::collection::vec(text(), 0..4).prop_map(Condition::In),
        text().prop_map(Condition::Distinct),
        (
            prop::sample::select(vec![Quantifier::Any, Quantifier::All]),
            prop::sample::select(vec![
                Operator::Compare(Eq),
                Operator::Compare(Gte),
                Operator::Like { ignore_case: false },
                Operator::Like { ignore_case: true },
            ]),
            prop::collection::vec(prop::option::of(text()), 0..4),
        )
            .prop_map(|(quantifier, operator, values)| Condition::Quantified {
                quantifier,
                operator,
                values,
            }),
        is.prop_map(|(_, value)| Condition::Is(value)),
    ]
}

fn asked() -> impl Strategy<Value = Asked> {
    let item = prop_oneof![
        Just(SelectItem::Everything),
        (name(), prop::option::of(name()))
            .prop_map(|(name, alias)| SelectItem::Column { name, alias }),
    ];
    let filter =
        (name(), any::<bool>(), any_condition()).prop_map(|(column, negated, condition)| Filter {
            column,
            negated,
            condition,
        });
    let leaf = (name(), any::<bool>(), any_condition()).prop_map(|(column, negated, condition)| {
        Clause::Column(Filter {
            column,
            negated,
            condition,
        })
    });
    let inner = leaf.prop_recursive(3, 12, 3, |inner| {
        let several = || prop::collection::vec(inner.clone(), 1..3);
        junctions(several())
    });
    let tree = junctions(prop::collection::vec(inner, 1..3));
    let nulls = prop::option::of(prop::sample::select(vec![Nulls::First, Nulls::Last]));
    let term = (name(), any::<bool>(), nulls).prop_map(|(column, descending, nulls)| OrderTerm {
        column,
        descending,
        nulls,
    });
    (
        prop::collection::vec(item, 0..4),
        prop::collection::vec(filter, 0..4),
        prop::collection::vec(tree, 0..3),
        prop::collection::vec(term, 0..3),
        prop::option::of(0..=i64::MAX as u64),
        0..=i64::MAX as u64,
        prop::option::of(prop::collection::vec(name(), 1..3)),
    )
        .prop_map(
            |(select, filters, logic, order, limit, offset, columns)| Asked {
                query: Query {
                    select,
                    filters,
                    logic,
                    scope: Vec::new(),
                    order,
                    limit,
                    offset,
                    count: None,
                },
                columns,
            },
        )
}

/// Both junctions of clauses, and their opposites.
fn junctions(clauses: impl Strategy<Value = Vec<Clause>> + 'static) -> BoxedStrategy<Clause> {
    (clauses, any::<bool>(), any::<bool>())
        .prop_map(|(clauses, any, negated)| {
            let clause = if any {
                Clause::Any(clauses)
            } else {
                Clause::All(clauses)
            };
            if negated {
                Clause::Not(Box::new(clause))
            } else {
                clause
            }
        })
        .boxed()
}

/// Texts that look like the grammar, to get deep into it.
fn nearly() -> impl Strategy<Value = String> {
    let words = [
        "select",
        "order",
        "limit",
        "columns",
        "a",
        "\"b\"",
        "=",
        "&",
        ".",
        ",",
        "(",
        ")",
        "eq",
        "in",
        "is",
        "not",
        "null",
        "desc",
        "nullsfirst",
        ":",
        "::",
        "->",
        "\"",
        "\\",
        "+",
        "%",
        "%20",
        "%ff",
        "ü",
        "-",
        "1",
        "*",
        "like",
        "and",
        "or",
        "(any).{",
        "}",
        "isdistinct",
        " ",
        "...",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..24)
        .prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_reads_the_same(asked in asked()) {
        let printed = print(&asked);
        prop_assert_eq!(parse_pairs(&printed).map_err(|error| format!("{error} {printed:?}")), Ok(asked.clone()));
        let encoded = canonical(&printed);
        let decoded = pairs::decode(&encoded).unwrap();
        let again = parse_pairs(&decoded).unwrap();
        prop_assert_eq!(again.query.select, asked.query.select);
        prop_assert_eq!(canonical(&decoded), encoded);
    }

    #[test]
    fn no_text_panics(text in prop_oneof![nearly(), ".*"]) {
        match parse(&text) {
            Ok(asked) => prop_assert_eq!(parse_pairs(&print(&asked)).unwrap(), asked),
            Err(error) => {
                let _ = (error.to_string(), error.details(), error.hint());
                prop_assert!(error.code().starts_with("PGRST1"));
            }
        }
    }
}
