//! Aggregate Functions: sums and counts of all rows and of groups, with casts, and together with
//! embeds and spreads.

use super::{Example, ask, rows};

pub const EXAMPLES: &[Example] = &[
    ask(
        "GET purchases?select=amount.sum()",
        rows(r#"[{"sum":545.11}]"#),
    ),
    ask(
        "GET purchases?select=amount.sum(),amount.max(),order_date&order=order_date",
        rows(
            r#"[{"sum":420.75,"max":300.00,"order_date":"2023-09-01"},
                {"sum":124.36,"max":79.25,"order_date":"2023-09-02"}]"#,
        ),
    ),
    // With and without a column, count() counts values or rows.
    ask(
        "GET purchases?select=count(),order_date&order=order_date",
        rows(r#"[{"count":3,"order_date":"2023-09-01"},{"count":3,"order_date":"2023-09-02"}]"#),
    ),
    ask(
        "GET purchases?select=amount.count(),order_date&order=order_date",
        rows(r#"[{"count":3,"order_date":"2023-09-01"},{"count":2,"order_date":"2023-09-02"}]"#),
    ),
    ask(
        "GET purchases?select=count()&amount=gt.9000",
        rows(r#"[{"count":0}]"#),
    ),
    ask(
        "GET purchases?select=amount.sum(),amount.min()&amount=gt.9000",
        rows(r#"[{"sum":null,"min":null}]"#),
    ),
    ask(
        "GET purchases?select=amount.max(),order_date&amount=gt.9000",
        rows("[]"),
    ),
    // The old form.
    ask("GET purchases?select=count", rows(r#"[{"count":6}]"#)),
    ask(
        "GET customers?select=id,purchases(count)&order=id",
        rows(
            r#"[{"id":1,"purchases":[{"count":3}]},{"id":2,"purchases":[{"count":2}]},{"id":3,"purchases":[{"count":1}]}]"#,
        ),
    ),
    // Names and casts.
    ask(
        "GET purchases?select=low:amount.min(),high:amount.max(),first:order_date.min()",
        rows(r#"[{"low":20.25,"high":300.00,"first":"2023-09-01"}]"#),
    ),
    ask(
        "GET purchases?select=order_details->tax_amount::numeric.sum()",
        rows(r#"[{"sum":50.75}]"#),
    ),
    ask(
        "GET purchases?select=amount.avg()::int",
        rows(r#"[{"avg":109}]"#),
    ),
    ask(
        "GET purchases?select=amount.sum()::text",
        rows(r#"[{"sum":"545.11"}]"#),
    ),
    // Groups by what is embedded.
    ask(
        "GET purchases?select=amount.sum(),customers(name)&order=customers(name)",
        rows(
            r#"[{"sum":200.00,"customers":{"name":"Aurora Books"}},
                {"sum":300.00,"customers":{"name":"Blue Kiosk"}},
                {"sum":45.11,"customers":{"name":"Corner Shop"}}]"#,
        ),
    ),
    // Aggregates within an embed.
    ask(
        "GET customers?select=name,city,purchases(amount.sum(),order_date)&id=lt.3&order=id&purchases.order=order_date",
        rows(
            r#"[{"name":"Aurora Books","city":"Bergen","purchases":[
                    {"sum":120.75,"order_date":"2023-09-01"},{"sum":79.25,"order_date":"2023-09-02"}]},
                {"name":"Blue Kiosk","city":"Gdynia","purchases":[
                    {"sum":300.00,"order_date":"2023-09-01"},{"sum":null,"order_date":"2023-09-02"}]}]"#,
        ),
    ),
    // Groups by, and aggregates of, the columns of a spread.
    ask(
        "GET purchases?select=amount.sum(),...customers(city,state)&order=customers(city)",
        rows(
            r#"[{"sum":200.00,"city":"Bergen","state":"VL"},{"sum":345.11,"city":"Gdynia","state":"PM"}]"#,
        ),
    ),
    ask(
        "GET purchases?select=order_date,...customers(joined_date.max(),joined_date.min())&order=order_date",
        rows(
            r#"[{"order_date":"2023-09-01","max":"2021-09-15","min":"2019-04-01"},
                {"order_date":"2023-09-02","max":"2023-01-20","min":"2019-04-01"}]"#,
        ),
    ),
];
