//! Preferences: strict and lenient handling, time zones, what writes give back, the end of the
//! transaction, and how many rows may be concerned.

use super::{Answer, Example, ask, rows};

pub const EXAMPLES: &[Example] = &[
    // Handling.
    ask(
        "GET competitions",
        Answer::Error(
            400,
            r#"{"code":"PGRST122","message":"Invalid preferences given with handling=strict","details":"Invalid preferences: foo, bar","hint":null}"#,
        ),
    )
    .with(&[("prefer", "handling=strict, foo, bar")]),
    ask("GET competitions?select=id&id=eq.1", rows(r#"[{"id":1}]"#))
        .with(&[("prefer", "handling=lenient, foo, bar")])
        .shows(&[("preference-applied", "handling=lenient")]),
    // Timezone.
    ask(
        "GET timestamps?select=t&order=id",
        rows(r#"[{"t":"2023-10-18T12:37:59.611+00:00"},{"t":"2023-12-18T12:37:59.611+00:00"}]"#),
    ),
    ask(
        "GET timestamps?select=t&order=id",
        rows(r#"[{"t":"2023-10-18T05:37:59.611-07:00"},{"t":"2023-12-18T04:37:59.611-08:00"}]"#),
    )
    .with(&[("prefer", "timezone=America/Los_Angeles")])
    .shows(&[("preference-applied", "timezone=America/Los_Angeles")]),
    ask("GET timestamps?select=t", Answer::Error(400, r#"{"code":"PGRST122"}"#))
        .with(&[("prefer", "handling=strict, timezone=Jupiter/Red_Spot")]),
    // Return.
    ask("POST competitions", Answer::Empty(201))
        .with(&[("prefer", "return=headers-only")])
        .send(r#"{"id":33,"name":"x"}"#)
        .shows(&[("location", "/rest/$db/competitions?id=eq.33"), ("preference-applied", "return=headers-only")]),
    ask("POST nominations", Answer::Empty(201))
        .with(&[("prefer", "return=headers-only")])
        .send(r#"{"competition_id":33,"film_id":5}"#)
        .shows(&[("location", "/rest/$db/nominations?competition_id=eq.33&film_id=eq.5")]),
    ask("POST competitions", Answer::Json(201, r#"[{"id":34,"name":"y","year":null}]"#))
        .with(&[("prefer", "return=representation")])
        .send(r#"{"id":34,"name":"y"}"#)
        .shows(&[("preference-applied", "return=representation"), ("content-range", "*/*")]),
    ask("POST competitions", Answer::Empty(201))
        .with(&[("prefer", "return=minimal, count=exact")])
        .send(r#"[{"id":35,"name":"z"},{"id":36,"name":"z"}]"#)
        .shows(&[("preference-applied", "return=minimal, count=exact"), ("content-range", "*/2")]),
    // Transaction end.
    ask("POST competitions", Answer::Json(201, r#"[{"id":40,"name":"Project X","year":null}]"#))
        .with(&[("prefer", "tx=rollback, return=representation")])
        .send(r#"{"id":40,"name":"Project X"}"#)
        .shows(&[("preference-applied", "return=representation, tx=rollback")]),
    ask("GET competitions?id=eq.40", rows("[]")),
    // Max affected.
    ask(
        "DELETE competitions?id=in.(34,35,36)",
        Answer::Error(
            400,
            r#"{"code":"PGRST124","message":"Query result exceeds max-affected preference constraint","details":"The query affects 3 rows","hint":null}"#,
        ),
    )
    .with(&[("prefer", "handling=strict, max-affected=2")]),
    ask("GET competitions?id=in.(34,35,36)&select=count()", rows(r#"[{"count":3}]"#)),
    ask("DELETE competitions?id=in.(34,35,36)", Answer::Empty(204))
        .with(&[("prefer", "handling=strict, max-affected=3, count=exact")])
        .shows(&[("content-range", "*/3"), ("preference-applied", "count=exact, handling=strict, max-affected=3")]),
];
