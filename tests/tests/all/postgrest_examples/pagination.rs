//! Pagination and Count: limits by header and by parameter, and the three ways to count.

use super::{Answer, Example, ask, rows};

const EXACT: (&str, &str) = ("prefer", "count=exact");

pub const EXAMPLES: &[Example] = &[
    ask("GET people?select=id&order=id", rows(r#"[{"id":1},{"id":2},{"id":3},{"id":4},{"id":5}]"#))
        .shows(&[("content-range", "0-4/*"), ("range-unit", "items")]),
    ask("GET people?select=id&order=id", rows(r#"[{"id":1},{"id":2}]"#))
        .with(&[("range-unit", "items"), ("range", "0-1")])
        .shows(&[("content-range", "0-1/*")]),
    ask("GET people?select=id&order=id", rows(r#"[{"id":4},{"id":5}]"#))
        .with(&[("range", "3-19")])
        .shows(&[("content-range", "3-4/*")]),
    ask("GET people?select=id&order=id", rows(r#"[{"id":3},{"id":4},{"id":5}]"#))
        .with(&[("range", "2-")])
        .shows(&[("content-range", "2-4/*")]),
    ask("GET people?select=id&order=id&limit=2&offset=1", rows(r#"[{"id":2},{"id":3}]"#))
        .shows(&[("content-range", "1-2/*")]),
    ask("GET people?select=id&limit=0", rows("[]")).shows(&[("content-range", "*/*")]),
    ask("GET people?select=id&offset=50", rows("[]")).shows(&[("content-range", "*/*")]),
    // Exact.
    ask("GET people?select=id&order=id", Answer::Json(206, r#"[{"id":1},{"id":2}]"#))
        .with(&[("range", "0-1"), EXACT])
        .shows(&[("content-range", "0-1/5"), ("preference-applied", "count=exact")]),
    ask("HEAD people?limit=2", Answer::Empty(206)).with(&[EXACT]).shows(&[("content-range", "0-1/5")]),
    ask("GET people?select=id&age=gt.20&order=id", rows(r#"[{"id":3},{"id":4}]"#))
        .with(&[EXACT])
        .shows(&[("content-range", "0-1/2")]),
    ask("GET people?select=id&offset=5", Answer::Json(206, "[]")).with(&[EXACT]).shows(&[("content-range", "*/5")]),
    ask(
        "GET people?select=id&offset=6",
        Answer::Error(
            416,
            r#"{"code":"PGRST103","message":"Requested range not satisfiable","details":"An offset of 6 was requested, but there are only 5 rows."}"#,
        ),
    )
    .with(&[EXACT])
    .shows(&[("content-range", "*/5")]),
    // Counted are the rows, whatever is embedded; `!inner` leaves rows out of the count too.
    ask("HEAD films?select=id,actors(id)", Answer::Empty(200)).with(&[EXACT]).shows(&[("content-range", "0-5/6")]),
    ask("HEAD films?select=id,actors!inner(id)&actors.last_name=eq.Mifune", Answer::Empty(200))
        .with(&[EXACT])
        .shows(&[("content-range", "0-1/2")]),
    // Estimated: small tables are counted.
    ask("HEAD people?limit=2", Answer::Empty(206))
        .with(&[("prefer", "count=estimated")])
        .shows(&[("content-range", "0-1/5"), ("preference-applied", "count=estimated")]),
];
