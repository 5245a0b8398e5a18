//! The fuzz target of the grammar as a property test: the same function, asked of drawn texts.
//! `TIDEGATE_FUZZ_CASES` draws more of them (`make fuzz`).

#[path = "../../../fuzz/src/grammar.rs"]
mod grammar;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// Pieces of requests.
const PIECES: [&str; 60] = [
    "select=",
    "order=",
    "limit=",
    "offset=",
    "columns=",
    "on_conflict=",
    "and=",
    "or=",
    "not.",
    "a=",
    "b.c=",
    "a->b=",
    "&",
    "=",
    ".",
    ",",
    "(",
    ")",
    "eq.",
    "neq.",
    "in.(",
    "is.null",
    "is.",
    "like.",
    "ilike(any).{",
    "match.",
    "isdistinct.",
    "fts(english).",
    "wfts.",
    "cs.",
    "ov.{1,2}",
    "sl.",
    "->",
    "->>",
    "::",
    ":",
    "...",
    "!",
    "!inner",
    "!left",
    "count()",
    "sum()",
    "a",
    "b",
    "\"q.x\"",
    "*",
    "desc",
    "nullslast",
    "{",
    "}",
    "\"",
    "\\",
    "%22",
    "%",
    "%ff",
    "+",
    "-1",
    "0",
    "ü",
    "t(",
];

/// Requests that are right, to be broken.
const WHOLE: [&str; 8] = [
    "select=id,x:t!fk!inner(a,...u(b,count())),data->a->>0&x.u.order=b.desc&x.limit=3&id=not.in.(1,\"a,b\")",
    "select=a::text,n:b.sum()::int&or=(a.eq.1,not.and(b.gt.2,\"c d\".is.null))&order=t(a).desc.nullslast,b->>k",
    "a=eq(any).{1,\"x\\\"y\",NULL}&b=wfts(english).the \"fat cat\"&limit=10&offset=7",
    "columns=a,\"b,c\"&on_conflict=id",
    "select=t(*,u(*,v(*)))&t.u.v.or=(a.eq.1,b.like.*x*)&t.u.v.offset=2",
    "data->\"odd key\"->-1->>b=isdistinct.x&j=cs.{\"a\":[1]}",
    "select=*&not.or=(a.match.^x,b.imatch(all).{y,z})",
    "select=\"count\"(),count(),count&count.a=gte.1",
];

fn texts() -> impl Strategy<Value = String> {
    let pieces = prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..30);
    let broken = (
        prop::sample::select(WHOLE.to_vec()),
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        prop_oneof![
            ".{0,3}",
            prop::sample::select(PIECES.to_vec()).prop_map(str::to_owned)
        ],
    )
        .prop_map(|(whole, at, length, other)| {
            let characters: Vec<char> = whole.chars().collect();
            let at = at.index(characters.len());
            let end = (at + length.index(6)).min(characters.len());
            let (before, after) = (&characters[..at], &characters[end..]);
            before
                .iter()
                .copied()
                .chain(other.chars())
                .chain(after.iter().copied())
                .collect()
        });
    prop_oneof![
        3 => pieces.prop_map(|pieces| pieces.concat()),
        3 => broken,
        1 => ".{0,40}",
    ]
}

#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "tests read their own environment"
)]
fn whatever_is_sent_is_read_or_refused() {
    let cases = std::env::var("TIDEGATE_FUZZ_CASES")
        .ok()
        .map_or(2_000, |text| text.parse().expect("a number"));
    for text in WHOLE {
        assert!(tidegate_http::rest::grammar::parse(text).is_ok(), "{text}");
        grammar::hold(text);
    }
    // What failed is in the message; files of regressions are not kept.
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let outcome = TestRunner::new(config).run(&texts(), |text| {
        grammar::hold(&text);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
