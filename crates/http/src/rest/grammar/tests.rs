//! Examples of the grammar, and its properties.

use proptest::prelude::*;
use tidegate_domain::query::ask::{
    Aggregate, Aggregated, Clause, Comparison, Condition, Embed, Filter, IsValue, JoinKind,
    JsonPath, JsonStep, Nulls, Operand, Operator, OrderTerm, Quantifier, Query, SearchSyntax,
    SelectItem, Selected,
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
    SelectItem::Column(Selected::column(name))
}

fn aliased(alias: &str, name: &str) -> SelectItem {
    SelectItem::Column(Selected {
        alias: Some(alias.to_owned()),
        ..Selected::column(name)
    })
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
            aliased("x", "y"),
            aliased("p:q", "r\"s"),
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
            .map(|filter| filter.operand.column.as_str())
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
        embed: None,
        operand: column.into(),
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
fn what_postgresql_alone_has_is_named() {
    for text in [
        "a=sl.(1,10)",
        "a=not.adj.[1,2)",
        "or=(a.nxr.\"(1,2)\")",
        "a=cs.[1,2)",
        "a=ov.(1,2)",
        "or=(a.cd.(1,b.eq.2)",
    ] {
        let error = refused(text);
        assert_eq!(error.code(), "PGRST127", "{text}: {error:?}");
        assert!(
            error.details().unwrap().contains("ranges"),
            "{text}: {error:?}"
        );
    }
}

fn path(column: &str, as_text: bool, steps: &[JsonStep]) -> Operand {
    Operand {
        column: column.to_owned(),
        path: Some(JsonPath {
            steps: steps.to_vec(),
            as_text,
        }),
    }
}

fn member(key: &str) -> JsonStep {
    JsonStep::Key(key.to_owned())
}

#[test]
fn arrows_lead_into_documents() {
    use JsonStep::Index;
    for (text, expected) in [
        ("a->b", path("a", false, &[member("b")])),
        (
            "\"a b\" -> c ->0->> -1 ",
            path("a b", true, &[member("c"), Index(0), Index(-1)]),
        ),
        (
            "a->\"0\"->>\"b.c\\\"->\"",
            path("a", true, &[member("0"), member("b.c\"->")]),
        ),
        (
            "a->ключ->key with-dash$%26=1",
            path("a", false, &[member("ключ"), member("key with-dash$&=1")]),
        ),
        ("a->1b", path("a", false, &[member("1b")])),
    ] {
        assert_eq!(
            query(&format!("select={text}")).select,
            [SelectItem::Column(Selected {
                operand: Some(expected.clone()),
                ..Selected::column("")
            })],
            "{text}"
        );
        let (order, filter) = (
            query(&format!("order=x,{text}.desc")).order.remove(1),
            query(&format!("and=({text}.is.null)")).logic.remove(0),
        );
        assert_eq!((order.operand, order.descending), (expected.clone(), true));
        let filter = match filter {
            Clause::All(mut clauses) => clauses.remove(0),
            other => other,
        };
        assert!(matches!(filter, Clause::Column(filter) if filter.operand == expected));
        let key = text.replace('=', "%3D");
        let filter = query(&format!("{key}=is.null")).filters.remove(0);
        assert_eq!(filter.operand, expected, "{text}");
    }
    for text in [
        "select=a->",
        "select=a->>",
        "select=a->>b->c",
        "select=a->>b->>c",
        "select=a->-b",
        "select=a->99999999999",
        "select=a->-99999999999",
        "select=->b",
        "select=a->\"b",
        "a->b.c=eq.1",
        "->a=eq.1",
        "order=a->",
    ] {
        assert_eq!(refused(text).code(), "PGRST100", "{text}");
    }
}

fn summed(operand: Option<Operand>, function: Aggregate) -> Selected {
    Selected {
        operand,
        aggregate: Some(Aggregated {
            function,
            cast: None,
        }),
        ..Selected::column("")
    }
}

#[test]
fn values_are_cast_and_aggregated() {
    let a = || Some(Operand::column("a"));
    let cast = |target: &str| Some(target.to_owned());
    for (text, expected) in [
        (
            "a::text",
            Selected {
                cast: cast("text"),
                ..Selected::column("a")
            },
        ),
        (
            "x:a:: double precision ",
            Selected {
                cast: cast("double precision"),
                alias: Some("x".to_owned()),
                ..Selected::column("a")
            },
        ),
        ("count()", summed(None, Aggregate::Count)),
        ("count", Selected::column("count")),
        (
            "count.count()",
            summed(Some("count".into()), Aggregate::Count),
        ),
        ("a.max( )", summed(a(), Aggregate::Max)),
        (
            "n:a->b::int.sum()::text",
            Selected {
                operand: Some(path("a", false, &[member("b")])),
                cast: cast("int"),
                aggregate: Some(Aggregated {
                    function: Aggregate::Sum,
                    cast: cast("text"),
                }),
                alias: Some("n".to_owned()),
            },
        ),
        (
            "n:count()::text",
            Selected {
                operand: None,
                cast: None,
                aggregate: Some(Aggregated {
                    function: Aggregate::Count,
                    cast: cast("text"),
                }),
                alias: Some("n".to_owned()),
            },
        ),
    ] {
        assert_eq!(
            query(&format!("select={text}")).select,
            [SelectItem::Column(expected)],
            "{text}"
        );
    }
    for text in [
        "a::",
        "a::te-xt",
        "a:: ",
        "a.sum",
        "a.sum(b)",
        "a.median()",
        "a.sum().avg()",
        "count()b",
        "*::text",
        "x:*",
    ] {
        assert_eq!(
            refused(&format!("select={text}")).code(),
            "PGRST100",
            "{text}"
        );
    }
    // Only `count` stands alone.
    assert!(matches!(
        &query("select=sum()").select[..],
        [SelectItem::Embed(embed)] if embed.target == "sum"
    ));
}

fn embed(target: &str, select: Vec<SelectItem>) -> Embed {
    Embed {
        target: target.to_owned(),
        alias: None,
        hint: None,
        join: None,
        spread: false,
        query: Query {
            select,
            ..Query::default()
        },
    }
}

fn item(embed: Embed) -> SelectItem {
    SelectItem::Embed(Box::new(embed))
}

#[test]
fn related_rows_are_embedded() {
    let hinted = |hint: Option<&str>, join| Embed {
        hint: hint.map(str::to_owned),
        join,
        ..embed("t", vec![column("a")])
    };
    for (text, expected) in [
        ("t(a)", hinted(None, None)),
        (" t !inner ( a ) ", hinted(None, Some(JoinKind::Inner))),
        ("t!left(a)", hinted(None, Some(JoinKind::Left))),
        ("t!fk(a)", hinted(Some("fk"), None)),
        ("t!fk!inner(a)", hinted(Some("fk"), Some(JoinKind::Inner))),
        ("t!inner!fk(a)", hinted(Some("fk"), Some(JoinKind::Inner))),
        ("t!\"inner\"(a)", hinted(Some("inner"), None)),
        ("t()", embed("t", Vec::new())),
        ("t( )", embed("t", Vec::new())),
        ("\"count\"()", embed("count", Vec::new())),
        ("count(a)", embed("count", vec![column("a")])),
        (
            "x:t(*,y:u!z(b),...v(c))",
            Embed {
                alias: Some("x".to_owned()),
                ..embed(
                    "t",
                    vec![
                        SelectItem::Everything,
                        item(Embed {
                            alias: Some("y".to_owned()),
                            hint: Some("z".to_owned()),
                            ..embed("u", vec![column("b")])
                        }),
                        item(Embed {
                            spread: true,
                            ..embed("v", vec![column("c")])
                        }),
                    ],
                )
            },
        ),
    ] {
        assert_eq!(
            query(&format!("select={text}")).select,
            [item(expected)],
            "{text}"
        );
    }
    for text in [
        "t(a",
        "t(a,)",
        "t(,a)",
        "t!(a)",
        "t!inner",
        "t!a!b(c)",
        "t!inner!left(c)",
        "t!a!inner!left(c)",
        "...x:t(a)",
        "x:...t(a)",
        "...t",
        "t(a)::text",
        "t(a).count()",
        "t(a)(b)",
        "t::text(a)",
    ] {
        assert_eq!(
            refused(&format!("select={text}")).code(),
            "PGRST100",
            "{text}"
        );
    }
    let deep = |levels: usize| format!("select={}a{}", "t(".repeat(levels), ")".repeat(levels));
    assert_eq!(query(&deep(50)).select.len(), 1);
    assert_eq!(refused(&deep(51)).code(), "PGRST100");
    assert_eq!(refused(&deep(5000)).code(), "PGRST100");
}

#[test]
fn embeds_have_conditions_orders_and_windows() {
    let read = query(
        "a.b.limit=7&x.order=n.desc&select=id,x:t(n),a(b(c)),\"o.p\"(q)&x.n=gt.1&x.order=later\
         &x.limit=3&x.offset=2&a.b.not.or=(c.eq.1,c.eq.2)&a.and=(d.eq.1)&\"o.p\".\"limit\"=eq.1\
         &a.b.data->>k=eq.v&x=is.null",
    );
    let at = |select: &[SelectItem], at: usize| match &select[at] {
        SelectItem::Embed(embed) => embed.query.clone(),
        other => panic!("{other:?}"),
    };
    let x = at(&read.select, 1);
    assert_eq!((x.limit, x.offset), (Some(3), 2));
    assert_eq!(x.order.len(), 1);
    assert_eq!(x.order[0].operand, "n".into());
    assert_eq!(x.filters.len(), 1);
    let a = at(&read.select, 2);
    assert_eq!(a.logic, [Clause::All(vec![is("d", "1")])]);
    let b = at(&a.select, 0);
    assert_eq!(b.limit, Some(7));
    assert_eq!(
        b.logic,
        [Clause::Not(Box::new(Clause::Any(vec![
            is("c", "1"),
            is("c", "2")
        ])))]
    );
    assert_eq!(b.filters[0].operand, path("data", true, &[member("k")]));
    assert_eq!(at(&read.select, 3).filters[0].operand, "limit".into());
    // Whether there are any is a condition on the row itself.
    assert_eq!(read.filters.len(), 1);
    assert_eq!(read.filters[0].operand, "x".into());

    for (text, name) in [
        ("clients.name=eq.1", "clients"),
        ("clients.order=id&select=x:clients(*)", "clients"),
        ("select=clients(*)&clients.x.limit=1", "x"),
        ("clients.not.or=(a.eq.1)", "clients"),
        ("not.a=eq.1", "not"),
        ("\"not\".and=(a.eq.1)", "not"),
    ] {
        let error = refused(text);
        assert_eq!(error.code(), "PGRST108", "{text}");
        assert_eq!(
            (error.to_string(), error.hint().unwrap()),
            (
                format!("'{name}' is not an embedded resource in this request"),
                format!("Verify that '{name}' is included in the 'select' query parameter.")
            )
        );
    }
    assert_eq!(refused("select=t(*)&t.limit=-1").code(), "PGRST103");
    for text in [
        "a.=eq.1",
        ".a=eq.1",
        "a..b=eq.1",
        "select=a(b)&a.order=b.up",
    ] {
        assert_eq!(refused(text).code(), "PGRST100", "{text}");
    }
}

#[test]
fn orders_go_through_embeds() {
    let order = query("order=t( a->>b ).desc.nullslast,c").order;
    assert_eq!(
        order[0],
        OrderTerm {
            embed: Some("t".to_owned()),
            operand: path("a", true, &[member("b")]),
            descending: true,
            nulls: Some(Nulls::Last),
        }
    );
    assert_eq!(order[1].embed, None);
    for text in ["t()", "t(a", "t(a,b)", "t(a.desc)", "t(u(a))", "(a)"] {
        assert_eq!(
            refused(&format!("order={text}")).code(),
            "PGRST100",
            "{text}"
        );
    }
}

#[test]
fn texts_are_searched_and_documents_compared() {
    let search = |syntax, config: Option<&str>, query: &str| Condition::Search {
        syntax,
        config: config.map(str::to_owned),
        query: query.to_owned(),
    };
    for (text, expected) in [
        (
            "match.^a.*(b|c)$",
            Condition::Match {
                pattern: "^a.*(b|c)$".to_owned(),
                ignore_case: false,
            },
        ),
        (
            "imatch.",
            Condition::Match {
                pattern: String::new(),
                ignore_case: true,
            },
        ),
        (
            "match(all).{\"a,b\",c}",
            Condition::Quantified {
                quantifier: Quantifier::All,
                operator: Operator::Match { ignore_case: false },
                values: vec![Some("a,b".to_owned()), Some("c".to_owned())],
            },
        ),
        ("fts.a", search(SearchSyntax::Operators, None, "a")),
        (
            "plfts(english).the fat cats",
            search(SearchSyntax::Plain, Some("english"), "the fat cats"),
        ),
        (
            "phfts(a_b).x",
            search(SearchSyntax::Phrase, Some("a_b"), "x"),
        ),
        (
            "wfts.\"a b\" or -c",
            search(SearchSyntax::Web, None, "\"a b\" or -c"),
        ),
        ("cs.{a,b}", Condition::Contains("{a,b}".to_owned())),
        ("cs.[1,2]", Condition::Contains("[1,2]".to_owned())),
        (
            "cd.{\"a\":[1]}",
            Condition::ContainedIn("{\"a\":[1]}".to_owned()),
        ),
        ("ov.{1,2}", Condition::Overlaps("{1,2}".to_owned())),
    ] {
        assert_eq!(condition(text), (false, expected.clone()), "{text}");
        assert_eq!(condition(&format!("not.{text}")), (true, expected));
    }
    assert_eq!(
        query("or=(a.cs.{1,2},a.cd.\"[1,2]\",b.fts(simple).\"x, y\",b.match.a|b)").logic,
        [Clause::Any(vec![
            leaf("a", false, Condition::Contains("{1,2}".to_owned())),
            leaf("a", false, Condition::ContainedIn("[1,2]".to_owned())),
            leaf(
                "b",
                false,
                search(SearchSyntax::Operators, Some("simple"), "x, y")
            ),
            leaf(
                "b",
                false,
                Condition::Match {
                    pattern: "a|b".to_owned(),
                    ignore_case: false
                }
            ),
        ])]
    );
    for text in [
        "fts",
        "fts().a",
        "fts(a",
        "fts(a b).c",
        "fts(a)c",
        "cs(any).{1}",
        "match",
    ] {
        assert_eq!(refused(&format!("c={text}")).code(), "PGRST100", "{text}");
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
    assert_eq!(
        parse("on_conflict=a, \"b,c\" ").unwrap().on_conflict,
        Some(texts(&["a", "b,c"]))
    );
    assert_eq!(refused("columns=a.b").code(), "PGRST100");
    assert_eq!(
        refused("on_conflict=a,").to_string(),
        "\"failed to parse on_conflict parameter (a,)\" (line 1, column 3)"
    );
}

#[test]
fn the_canonical_query_is_sorted_and_encoded_one_way() {
    let decoded = pairs::decode("b=eq.2&a=gt.1+x&a=lt.%355").unwrap();
    assert_eq!(canonical(&decoded), "a=gt.1%20x&a=lt.55&b=eq.2");
}

fn leaf(column: &str, negated: bool, condition: Condition) -> Clause {
    Clause::Column(Filter {
        operand: column.into(),
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
        prop::sample::select(vec![
            "order", "or", "not", "count", "inner", "select", "0", "-1"
        ])
        .prop_map(str::to_owned),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[0-9]{1,3}", "[ -~]{0,8}", ".{0,6}", "[,()\"\\\\]{0,5}"]
}

/// Texts that are no ranges.
fn document() -> impl Strategy<Value = String> {
    let is_range = |text: &String| text.starts_with('(') || text.starts_with('[');
    text().prop_map(move |text| if is_range(&text) { String::new() } else { text })
}

fn any_operand() -> impl Strategy<Value = Operand> {
    let step = prop_oneof![
        name().prop_map(JsonStep::Key),
        (-3..9i64).prop_map(JsonStep::Index),
    ];
    let steps = prop::collection::vec(step, 1..4);
    let path = (steps, any::<bool>()).prop_map(|(steps, as_text)| JsonPath { steps, as_text });
    (name(), prop::option::weighted(0.3, path)).prop_map(|(column, path)| Operand { column, path })
}

fn any_filter() -> impl Strategy<Value = Filter> {
    (any_operand(), any::<bool>(), any_condition()).prop_map(|(operand, negated, condition)| {
        Filter {
            operand,
            negated,
            condition,
        }
    })
}

fn any_value() -> impl Strategy<Value = SelectItem> {
    let cast = || prop::option::weighted(0.2, "[a-z_][a-z0-9_]{0,5}( [a-z]{1,4})?");
    let function = prop::sample::select(Aggregate::ALL.to_vec());
    let aggregate = (function, cast()).prop_map(|(function, cast)| Aggregated { function, cast });
    (
        prop::option::weighted(0.9, any_operand()),
        cast(),
        prop::option::weighted(0.2, aggregate),
        prop::option::of(name()),
    )
        .prop_map(|(operand, cast, aggregate, alias)| {
            let alone = Aggregated {
                function: Aggregate::Count,
                cast: None,
            };
            SelectItem::Column(match operand {
                Some(_) => Selected {
                    operand,
                    cast,
                    aggregate,
                    alias,
                },
                None => Selected {
                    operand,
                    cast: None,
                    aggregate: Some(Aggregated {
                        function: Aggregate::Count,
                        ..aggregate.unwrap_or(alone)
                    }),
                    alias,
                },
            })
        })
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
        (text(), any::<bool>()).prop_map(|(pattern, ignore_case)| Condition::Match {
            pattern,
            ignore_case
        }),
        (
            prop::sample::select(SearchSyntax::ALL.to_vec()),
            prop::option::of("[a-z_0-9]{1,5}"),
            text()
        )
            .prop_map(|(syntax, config, query)| Condition::Search {
                syntax,
                config,
                query
            }),
        document().prop_map(Condition::Contains),
        document().prop_map(Condition::ContainedIn),
        document().prop_map(Condition::Overlaps),
        prop::collection::vec(text(), 0..4).prop_map(Condition::In),
        text().prop_map(Condition::Distinct),
        (
            prop::sample::select(vec![Quantifier::Any, Quantifier::All]),
            prop::sample::select(vec![
                Operator::Compare(Eq),
                Operator::Compare(Gte),
                Operator::Like { ignore_case: false },
                Operator::Like { ignore_case: true },
                Operator::Match { ignore_case: false },
                Operator::Match { ignore_case: true },
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

/// Queries with embeds of up to so many levels.
fn any_query(levels: u32) -> BoxedStrategy<Query> {
    let plain = prop_oneof![
        1 => Just(SelectItem::Everything),
        3 => any_value(),
    ];
    let item = if levels == 0 {
        plain.boxed()
    } else {
        prop_oneof![3 => plain, 2 => any_embed(levels - 1)].boxed()
    };
    let leaf = any_filter().prop_map(Clause::Column);
    let inner = leaf.prop_recursive(3, 12, 3, |inner| {
        let several = || prop::collection::vec(inner.clone(), 1..3);
        junctions(several())
    });
    let tree = junctions(prop::collection::vec(inner, 1..3));
    let nulls = prop::option::of(prop::sample::select(vec![Nulls::First, Nulls::Last]));
    let term = (
        prop::option::weighted(0.3, name()),
        any_operand(),
        any::<bool>(),
        nulls,
    )
        .prop_map(|(embed, operand, descending, nulls)| OrderTerm {
            embed,
            operand,
            descending,
            nulls,
        });
    (
        prop::collection::vec(item, 0..4),
        prop::collection::vec(any_filter(), 0..3),
        prop::collection::vec(tree, 0..2),
        prop::collection::vec(term, 0..3),
        prop::option::of(0..=i64::MAX as u64),
        prop_oneof![Just(0), 0..=i64::MAX as u64],
    )
        .prop_map(|(select, filters, logic, order, limit, offset)| Query {
            select: with_names_of_their_own(select),
            filters,
            logic,
            order,
            limit,
            offset,
            ..Query::default()
        })
        .boxed()
}

fn any_embed(levels: u32) -> BoxedStrategy<SelectItem> {
    (
        name(),
        prop::option::of(name()),
        prop::option::of(name()),
        prop::option::of(prop::sample::select(vec![JoinKind::Left, JoinKind::Inner])),
        any::<bool>(),
        any_query(levels),
    )
        .prop_map(|(target, alias, hint, join, spread, query)| {
            item(Embed {
                target,
                alias: alias.filter(|_| !spread),
                hint,
                join,
                spread,
                query,
            })
        })
        .boxed()
}

/// What is said of an embed is said of the first with its name.
fn with_names_of_their_own(mut select: Vec<SelectItem>) -> Vec<SelectItem> {
    let mut names = Vec::new();
    select.retain(|item| match item {
        SelectItem::Embed(embed) if names.contains(&embed.name().to_owned()) => false,
        SelectItem::Embed(embed) => {
            names.push(embed.name().to_owned());
            true
        }
        _ => true,
    });
    select
}

fn asked() -> impl Strategy<Value = Asked> {
    let names = || prop::option::weighted(0.3, prop::collection::vec(name(), 1..3));
    (any_query(2), names(), names()).prop_map(|(query, columns, on_conflict)| Asked {
        query,
        columns,
        on_conflict,
    })
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
        "t(",
        "!",
        "inner",
        "sum()",
        "count()",
        "->>",
        "fts(",
        "cs.",
        "a(b)&select=a(b)&a.",
        "on_conflict",
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
        prop_assert_eq!(canonical(&print(&again)), encoded.clone());
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
