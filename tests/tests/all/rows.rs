//! Rows below `/rest/{db}/{table}`: reading, filtering, writing, exact values and the
//! codes of PostgREST, with the same answers on every engine.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::{Client, Reply};
use crate::support::engines::TestEngine;
use crate::support::rest::{ask, column, create_table, fault, ids, raw};

/// A Tidegate with one gateway database, and requests to its tables.
struct Shop {
    app: TestApp,
    db: String,
    admin: Client,
}

impl Shop {
    async fn open(engine: TestEngine) -> Self {
        Self::open_with(engine, &[]).await
    }

    async fn open_with(engine: TestEngine, settings: &[(&str, &str)]) -> Self {
        let app = TestApp::start_with(engine, settings).await;
        let db = app.gateway_database("shop").await;
        Self {
            admin: app.admin(),
            app,
            db,
        }
    }

    async fn table(&self, table: Value) {
        create_table(&self.app, &self.db, &table).await;
    }

    fn path(&self, rest: &str) -> String {
        format!("/rest/{}/{rest}", self.db)
    }

    async fn get(&self, rest: &str) -> Reply {
        self.admin.get(&self.path(rest)).await
    }

    async fn rows(&self, rest: &str) -> Value {
        self.get(rest).await.expect(200).value()
    }

    async fn send(&self, method: Method, rest: &str, prefer: &str, body: Option<&Value>) -> Reply {
        let mut request = self.admin.request(method, &self.path(rest));
        if !prefer.is_empty() {
            request = request.header("prefer", prefer);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        Reply::of(request).await
    }

    async fn insert(&self, rest: &str, body: &Value) -> Reply {
        self.send(Method::POST, rest, "", Some(body)).await
    }

    async fn csv(&self, rest: &str, text: impl Into<reqwest::Body>) -> Reply {
        self.admin.text(&self.path(rest), "text/csv", text).await
    }

    async fn count(&self, table: &str) -> usize {
        self.rows(table).await.as_array().expect("rows").len()
    }

    /// `films`: a key that counts, texts, numbers, nulls.
    async fn with_films(self) -> Self {
        self.table(json!({
            "name": "films",
            "columns": [
                {"name": "id", "type": "int", "nullable": false, "auto_increment": true},
                {"name": "title", "type": "varchar(40)", "nullable": false},
                column("year", "smallint"),
                column("rating", "decimal(4,2)"),
                column("seen", "boolean"),
                {"name": "stars", "type": "int", "nullable": false, "default": 3},
            ],
            "primary_key": ["id"],
            "indexes": [{"columns": ["title"], "unique": true}],
        }))
        .await;
        self.insert(
            "films",
            &json!([
                {"id": 1, "title": "Alien", "year": 1979, "rating": 8.5, "seen": true, "stars": 5},
                {"id": 2, "title": "Brazil", "year": 1985, "rating": null, "seen": false, "stars": 4},
                {"id": 3, "title": "Casablanca", "year": 1942, "rating": 10, "seen": null, "stars": 5},
                {"id": 4, "title": "Dune", "year": null, "rating": 9, "seen": true, "stars": 2},
                {"id": 5, "title": "Eraserhead", "year": 1977, "rating": null, "seen": null, "stars": 1},
            ]),
        )
        .await
        .expect(201);
        self
    }
}

/// What the rows of `films` are called, in the order of the answer.
fn titles(rows: &Value) -> Vec<&str> {
    rows.as_array()
        .expect("rows")
        .iter()
        .map(|row| row["title"].as_str().expect("a title"))
        .collect()
}

on_every_engine! {
    async fn select_names_columns_and_aliases(engine: TestEngine) {
        let shop = Shop::open(engine).await.with_films().await;
        let all = shop.get("films?order=id&limit=1").await.expect(200);
        assert!(all.header("content-type").starts_with("application/json"), "{:?}", all.headers);
        assert_eq!(
            all.value(),
            json!([{"id": 1, "title": "Alien", "year": 1979, "rating": serde_json::from_str::<Value>("8.50").unwrap(), "seen": true, "stars": 5}])
        );
        // Members come in the order asked for.
        assert_eq!(shop.get("films?select=year,name:title&id=eq.2").await.expect(200).value().to_string(), r#"[{"year":1985,"name":"Brazil"}]"#);
        assert_eq!(shop.rows("films?select=*&id=eq.2").await, shop.rows("films?id=eq.2&select=").await);
        assert_eq!(shop.rows("films?select=title,%20year%20&id=eq.2").await, json!([{"title": "Brazil", "year": 1985}]));
        assert_eq!(shop.rows("films?select=%22title%22&%22id%22=eq.2").await, json!([{"title": "Brazil"}]));
        // A filter on a column that is not shown.
        assert_eq!(shop.rows("films?select=title&year=eq.1942").await, json!([{"title": "Casablanca"}]));
        assert_eq!(shop.rows("films/?select=title&year=eq.1942").await, json!([{"title": "Casablanca"}]));
        fault(shop.get("films?select=titel").await, 400, "42703");
        fault(shop.get("films?select=title,").await, 400, "PGRST100");
        fault(shop.get("films?select=a:title,a:year").await, 400, "42701");
    }

    async fn texts_compare_by_code_point_and_patterns_know_their_traps(engine: TestEngine) {
        let shop = Shop::open(engine).await;
        shop.table(json!({
            "name": "words",
            "columns": [{"name": "id", "type": "int", "nullable": false}, column("w", "varchar(60)")],
            "primary_key": ["id"],
        }))
        .await;
        let words = [
            Some("apple"), Some("Apple"), Some("apple "), Some("a%le"), Some("a_ple"), Some("a*le"), Some("äpple"), Some("ÄPPLE"),
            Some(""), None, Some("0"), Some("00"), Some("9"), Some("10"), Some("back\\slash"), Some("🦀"), Some("quo\"te"),
            Some("com,ma"), Some("par(en)"), Some("null"), Some("it's"), Some(" apple"), Some("strasse"), Some("straße"), Some("ｚ"),
        ];
        let rows: Vec<_> = words.iter().enumerate().map(|(id, w)| json!({"id": id, "w": w})).collect();
        shop.insert("words", &json!(rows)).await.expect(201);

        type Test = fn(&str) -> bool;
        let cases: &[(&str, Test)] = &[
            ("eq.apple", |w| w == "apple"),
            ("eq.Apple", |w| w == "Apple"),
            ("eq.apple ", |w| w == "apple "),
            ("eq.", |w| w.is_empty()),
            ("eq.0", |w| w == "0"),
            ("eq.null", |w| w == "null"),
            ("eq.\"apple\"", |_| false),
            ("eq.it's", |w| w == "it's"),
            ("eq.back\\slash", |w| w == "back\\slash"),
            ("eq.🦀", |w| w == "🦀"),
            ("eq.strasse", |w| w == "strasse"),
            ("neq.apple", |w| w != "apple"),
            ("not.eq.apple", |w| w != "apple"),
            ("not.neq.apple", |w| w == "apple"),
            ("gt.apple", |w| w > "apple"),
            ("gte.apple", |w| w >= "apple"),
            ("lt.9", |w| w < "9"),
            ("lte.9", |w| w <= "9"),
            ("lt.ÄPPLE", |w| w < "ÄPPLE"),
            ("gt.ｚ", |w| w > "ｚ"),
            ("not.gt.apple", |w| w <= "apple"),
            ("like.apple", |w| w == "apple"),
            ("like.a*le", |w| w.starts_with('a') && w.ends_with("le")),
            ("like.a%le", |w| w.starts_with('a') && w.ends_with("le")),
            ("like.a\\%le", |w| w == "a%le"),
            ("like.a\\*le", |w| w == "a*le"),
            ("like.a_ple", |w| w == "apple" || w == "a_ple"),
            ("like.a\\_ple", |w| w == "a_ple"),
            ("like.back\\\\slash", |w| w == "back\\slash"),
            ("like.*\\\\*", |w| w.contains('\\')),
            ("like._", |w| w.chars().count() == 1),
            ("like.*", |_| true),
            ("like.", |w| w.is_empty()),
            ("like.* ", |w| w.ends_with(' ')),
            ("not.like.a*", |w| !w.starts_with('a')),
            ("ilike.APPLE", |w| w.eq_ignore_ascii_case("apple")),
            ("ilike.äpple", |w| w == "äpple" || w == "ÄPPLE"),
            ("ilike.Q*T_", |w| w == "quo\"te"),
            ("not.ilike.*p*", |w| !w.to_lowercase().contains('p')),
            ("in.(apple,\"com,ma\",\"quo\\\"te\",\"par(en)\",\"\")", |w| ["apple", "com,ma", "quo\"te", "par(en)", ""].contains(&w)),
            ("in.(Apple,\"apple \")", |w| w == "Apple" || w == "apple "),
            ("in.()", |_| false),
            ("not.in.(apple,0)", |w| w != "apple" && w != "0"),
            ("is.not_null", |_| true),
            ("is.NOT_NULL", |_| true),
            ("not.is.null", |_| true),
        ];
        for (condition, test) in cases {
            let expected: Vec<i64> = (0..).zip(words).filter(|(_, w)| w.is_some_and(test)).map(|(id, _)| id).collect();
            let found = ids(&shop.admin, &shop.path("words"), &[("order", "id"), ("w", condition)]).await;
            assert_eq!(found, expected, "w={condition}");
        }
        let nulls = ids(&shop.admin, &shop.path("words"), &[("w", "is.null")]).await;
        assert_eq!(nulls, [9]);
        // What is in no list at all: every row, null or not.
        assert_eq!(ids(&shop.admin, &shop.path("words"), &[("w", "not.in.()")]).await.len(), words.len());
        // All conditions hold together, several of one column too.
        assert_eq!(ids(&shop.admin, &shop.path("words"), &[("w", "gte.a"), ("w", "lt.b"), ("id", "gt.1"), ("order", "id")]).await, [2, 3, 4, 5]);

        let by_text = ids(&shop.admin, &shop.path("words"), &[("order", "w.desc,id")]).await;
        let mut expected: Vec<(i64, Option<&str>)> = (0..).zip(words).collect();
        // Nulls first, then by code point from the top.
        expected.sort_by_key(|(_, w)| (w.is_some(), std::cmp::Reverse(*w)));
        assert_eq!(by_text, expected.iter().map(|(id, _)| *id).collect::<Vec<_>>());
    }

    async fn numbers_and_truth_values_compare_by_value(engine: TestEngine) {
        let shop = Shop::open(engine).await.with_films().await;
        for (query, expected) in [
            ("rating=eq.8.5", &[1][..]),
            ("rating=eq.8.50", &[1]),
            ("rating=eq.8.505", &[]),
            ("rating=gt.9", &[3]),
            ("rating=gte.9.00", &[3, 4]),
            ("rating=lt.10", &[1, 4]),
            ("rating=neq.10", &[1, 4]),
            ("rating=in.(8.5,10.0)", &[1, 3]),
            ("rating=is.null", &[2, 5]),
            ("rating=not.gt.8.5", &[1]),
            ("year=gt.-5", &[1, 2, 3, 5]),
            ("year=not.in.(1979,1985)", &[3, 5]),
            ("year=in.(1979,1985)&seen=eq.false", &[2]),
            ("seen=is.true", &[1, 4]),
            ("seen=is.false", &[2]),
            ("seen=is.unknown", &[3, 5]),
            ("seen=not.is.true", &[2, 3, 5]),
            ("seen=not.is.false", &[1, 3, 4, 5]),
            ("seen=not.is.unknown", &[1, 2, 4]),
            ("seen=eq.true", &[1, 4]),
            ("seen=not.eq.true", &[2]),
        ] {
            assert_eq!(ids(&shop.admin, &shop.path(&format!("films?{query}")), &[("order", "id")]).await, expected, "{query}");
        }
        for query in ["id=eq.abc", "id=eq.", "id=in.(1,x)", "id=eq.1x", "year=gt.1979-01-01", "rating=eq.ten", "seen=eq.maybe", "id=not.eq.1%20or%201=1"] {
            fault(shop.get(&format!("films?{query}")).await, 400, "22P02");
        }
        for query in ["year=like.19*", "seen=ilike.t*", "year=is.true", "or=(id->a.eq.1)"] {
            fault(shop.get(&format!("films?{query}")).await, 400, "42883");
        }
        for query in ["id=1", "id=equals.1", "id=eq", "id=is.nothing", "id=in.(1", "id=in.1,2", "title=EQ.Dune"] {
            fault(shop.get(&format!("films?{query}")).await, 400, "PGRST100");
        }
        for query in ["id=sl.(1,2)", "title=fts.a%3C2%3Eb"] {
            fault(shop.get(&format!("films?{query}")).await, 400, "PGRST127");
        }
        fault(shop.get("films?select=title,studios(name)").await, 400, "PGRST200");
    }

    async fn conditions_join_in_trees(engine: TestEngine) {
        let shop = Shop::open(engine).await.with_films().await;
        let cases: &[(&str, &[i64])] = &[
            ("or=(id.eq.1,title.eq.Dune)", &[1, 4]),
            ("and=(year.gt.1950,year.lt.1980)", &[1, 5]),
            ("or=(id.eq.2,and(seen.is.true,stars.gte.5))", &[1, 2]),
            ("or=(id.eq.2,not.and(stars.gt.1,stars.lt.5))", &[1, 2, 3, 5]),
            ("not.or=(id.eq.1,id.eq.2)", &[3, 4, 5]),
            ("not.and=(id.gt.1,id.lt.5)", &[1, 5]),
            ("or=(rating.is.null,year.is.null)", &[2, 4, 5]),
            ("and=(rating.not.is.null,or(year.is.null,year.lt.1950))", &[3, 4]),
            // Neither true nor false is not turned into true.
            ("not.or=(rating.gt.9)", &[1, 4]),
            ("not.and=(rating.gt.9)", &[1, 4]),
            ("or=(year.not.eq.1979,id.eq.4)", &[2, 3, 4, 5]),
            ("or=(title.in.(Alien,\"Dune\"),id.in.(5))", &[1, 4, 5]),
            ("or=(title.like.*a,title.ilike.b*)", &[2, 3]),
            ("or=(id.eq.1,id.eq.2)&or=(stars.eq.4)", &[2]),
            ("or=(id.eq.1,id.eq.2)&seen=is.false", &[2]),
            ("year=isdistinct.1979", &[2, 3, 4, 5]),
            ("year=not.isdistinct.1979", &[1]),
            ("or=(rating.isdistinct.9)", &[1, 2, 3, 5]),
            ("id=eq(any).{1,3,\"4\"}", &[1, 3, 4]),
            ("id=eq(any).{}", &[]),
            ("id=eq(all).{}", &[1, 2, 3, 4, 5]),
            ("id=not.eq(any).{1,2}", &[3, 4, 5]),
            ("id=eq(any).{1,NULL}", &[1]),
            ("id=not.eq(any).{1,NULL}", &[]),
            ("stars=gte(all).{2,4}", &[1, 2, 3]),
            ("stars=lt(any).{2,3}", &[4, 5]),
            ("title=like(any).{A*,*l}", &[1, 2]),
            ("title=ilike(all).{*A*,*e*}", &[1, 5]),
            ("or=(title.eq(any).{Alien,Dune},id.eq.5)", &[1, 4, 5]),
        ];
        for (query, expected) in cases {
            let query = query.replace('"', "%22");
            assert_eq!(ids(&shop.admin, &shop.path(&format!("films?{query}")), &[("order", "id")]).await, *expected, "{query}");
        }
        let reply = Reply::of(shop.admin.request(Method::GET, &shop.path("films?or=(id.eq.1,id.eq.4)&limit=1")).header("prefer", "count=exact")).await;
        assert_eq!(reply.expect(206).header("content-range"), "0-0/2");
        for (query, code) in [
            ("or=()", "PGRST100"), ("or=(id.eq.1", "PGRST100"), ("or=(id)", "PGRST100"), ("id=eq(some).{1}", "PGRST100"),
            ("or=(nope.eq.1)", "42703"), ("or=(id.eq.x)", "22P02"), ("id=eq(any).{1,x}", "22P02"), ("id=isdistinct.x", "22P02"),
            ("year=like(any).{}", "42883"), ("or=(year.like.1*)", "42883"),
        ] {
            fault(shop.get(&format!("films?{query}")).await, 400, code);
        }
        // However many alternatives there are.
        let many: Vec<String> = (0..1500).map(|id| format!("id.eq.{id}")).collect();
        assert_eq!(shop.rows(&format!("films?select=id&order=id&or=({})", many.join(","))).await.as_array().expect("rows").len(), 5);
        let many: Vec<String> = (0..3000).map(|id| id.to_string()).collect();
        assert_eq!(shop.rows(&format!("films?select=id&id=eq(any).%7B{}%7D", many.join(","))).await.as_array().expect("rows").len(), 5);
        // What says nothing is no filter to a write.
        for query in ["id=not.in.()", "id=eq(all).{}", "not.or=(id.in.(),id.eq(any).{})"] {
            fault(shop.admin.delete(&shop.path(&format!("films?{query}"))).await, 400, "21000");
        }
        // A tree is a filter to writes as well.
        let reply = Reply::of(shop.admin.request(Method::PATCH, &shop.path("films?or=(id.eq.1,id.eq.2)&select=id,stars&order=id"))
            .header("prefer", "return=representation").json(&json!({"stars": 0}))).await;
        assert_eq!(reply.expect(200).value(), json!([{"id": 1, "stars": 0}, {"id": 2, "stars": 0}]));
        shop.admin.delete(&shop.path("films?not.or=(stars.eq.0)")).await.expect(204);
        assert_eq!(ids(&shop.admin, &shop.path("films?stars=gte.0"), &[("order", "id")]).await, [1, 2]);
    }

    async fn text_and_number_never_meet(engine: TestEngine) {
        let shop = Shop::open(engine).await.with_films().await;
        // MySQL would find every title that does not begin with a digit.
        for query in ["title=eq.0", "title=in.(0,1)", "title=lt.0", "title=eq.false"] {
            assert_eq!(shop.rows(&format!("films?{query}")).await, json!([]), "{query}");
        }
        let body = json!({"title": 0});
        let reply = shop.send(Method::PATCH, "films?title=eq.0", "count=exact", Some(&body)).await;
        assert!([204, 400].contains(&reply.status.as_u16()), "{}", reply.body);
        assert_eq!(titles(&shop.rows("films?order=id").await), ["Alien", "Brazil", "Casablanca", "Dune", "Eraserhead"]);
        fault(shop.insert("films", &json!({"title": "Fargo", "year": "nineteen"})).await, 400, "22P02");
        assert_eq!(shop.count("films").await, 5);
    }

    async fn nulls_stand_where_postgres_puts_them(engine: TestEngine) {
        let shop = Shop::open(engine).await.with_films().await;
        for (order, expected) in [
            ("rating,id", [1, 4, 3, 2, 5]),
            ("rating.asc,id.desc", [1, 4, 3, 5, 2]),
            ("rating.desc,id", [2, 5, 3, 4, 1]),
            ("rating.asc.nullsfirst,id", [2, 5, 1, 4, 3]),
            ("rating.desc.nullslast,id", [3, 4, 1, 2, 5]),
            ("rating.nullsfirst,id.desc", [5, 2, 1, 4, 3]),
            ("seen.desc.nullslast,stars.desc,id", [1, 4, 2, 3, 5]),
            ("title.desc", [5, 4, 3, 2, 1]),
        ] {
            assert_eq!(ids(&shop.admin, &shop.path("films"), &[("order", order)]).await, expected, "{order}");
        }
        fault(shop.get("films?order=title.up").await, 400, "PGRST100");
        fault(shop.get("films?order=titel").await, 400, "42703");
    }

    async fn windows_counts_and_their_headers(engine: TestEngine) {
        let shop = Shop::open(engine).await.with_films().await;
        // Query, Prefer, Range; status, Content-Range, ids.
        type Case = (&'static str, &'static str, &'static str, u16, &'static str, &'static [i64]);
        let cases: &[Case] = &[
            ("", "", "", 200, "0-4/*", &[1, 2, 3, 4, 5]),
            ("", "count=exact", "", 200, "0-4/5", &[1, 2, 3, 4, 5]),
            ("&limit=2", "", "", 200, "0-1/*", &[1, 2]),
            ("&limit=2", "count=exact", "", 206, "0-1/5", &[1, 2]),
            ("&limit=2&offset=3", "count=exact", "", 206, "3-4/5", &[4, 5]),
            ("&offset=4", "", "", 200, "4-4/*", &[5]),
            ("&offset=5", "", "", 200, "*/*", &[]),
            ("&offset=500", "", "", 200, "*/*", &[]),
            ("&limit=0", "", "", 200, "*/*", &[]),
            ("&limit=99999999999999999999", "", "", 200, "0-4/*", &[1, 2, 3, 4, 5]),
            ("", "", "0-1", 200, "0-1/*", &[1, 2]),
            ("", "count=exact", "1-2", 206, "1-2/5", &[2, 3]),
            ("", "", "3-", 200, "3-4/*", &[4, 5]),
            ("&limit=3&offset=1", "", "0-1", 200, "1-1/*", &[2]),
            ("&id=gt.3", "count=exact", "", 200, "0-1/2", &[4, 5]),
            ("&id=gt.9", "count=exact", "", 200, "*/0", &[]),
        ];
        for (query, prefer, range, status, content_range, expected) in cases {
            let path = shop.path(&format!("films?select=id&order=id{query}"));
            let request = |method| {
                let mut request = shop.admin.request(method, &path);
                if !prefer.is_empty() {
                    request = request.header("prefer", *prefer);
                }
                if range.is_empty() { request } else { request.header("range-unit", "items").header("range", *range) }
            };
            let reply = Reply::of(request(Method::GET)).await.expect(*status);
            let name = format!("{query} {prefer} {range}");
            assert_eq!(reply.header("content-range"), *content_range, "{name}");
            let found: Vec<_> = reply.value().as_array().expect("rows").iter().map(|row| row["id"].as_i64().expect("an id")).collect();
            assert_eq!(found, *expected, "{name}");
            assert_eq!(reply.header("preference-applied"), *prefer, "{name}");
            if range.is_empty() {
                let head = Reply::of(request(Method::HEAD)).await.expect(*status);
                assert_eq!(head.body, "");
                for header in ["content-range", "content-type", "preference-applied"] {
                    assert_eq!(head.header(header), reply.header(header), "{header}: {name}");
                }
            }
        }
        // HEAD pays no heed to Range.
        let head = Reply::of(shop.admin.request(Method::HEAD, &shop.path("films?order=id")).header("range", "0-1")).await.expect(200);
        assert_eq!(head.header("content-range"), "0-4/*");

        let past = shop.send(Method::GET, "films?offset=6", "count=exact", None).await;
        assert_eq!(past.header("content-range"), "*/5");
        fault(past, 416, "PGRST103");
        for query in ["limit=-1", "offset=-1"] {
            fault(shop.get(&format!("films?{query}")).await, 416, "PGRST103");
        }
        let upside_down = shop.admin.request(Method::GET, &shop.path("films")).header("range-unit", "items").header("range", "3-1");
        fault(Reply::of(upside_down).await, 416, "PGRST103");
        for query in ["limit=x", "offset=1.5"] {
            fault(shop.get(&format!("films?{query}")).await, 400, "PGRST100");
        }
    }

    async fn pages_neither_repeat_nor_skip_a_row(engine: TestEngine) {
        let shop = Shop::open(engine).await.with_films().await;
        let rows: Vec<_> = (10..60).map(|id| json!({"id": id, "title": format!("t{id}"), "stars": id % 2})).collect();
        shop.insert("films", &json!(rows)).await.expect(201);
        let mut seen = Vec::new();
        for page in 0..8 {
            let offset = (page * 7).to_string();
            seen.extend(ids(&shop.admin, &shop.path("films"), &[("order", "stars"), ("limit", "7"), ("offset", offset.as_str())]).await);
        }
        seen.sort_unstable();
        assert_eq!(seen, (1..=5).chain(10..60).collect::<Vec<_>>());
    }

    async fn a_cap_on_rows_holds_for_every_read(engine: TestEngine) {
        let shop = Shop::open_with(engine, &[("rest.max_rows", "3")]).await.with_films().await;
        for (query, range) in [("", "0-2/*"), ("?limit=999999999", "0-2/*"), ("?limit=2", "0-1/*"), ("?offset=1", "1-3/*")] {
            assert_eq!(shop.get(&format!("films{query}")).await.expect(200).header("content-range"), range, "{query}");
        }
        let counted = shop.send(Method::GET, "films", "count=exact", None).await.expect(206);
        assert_eq!(counted.header("content-range"), "0-2/5");
        // It is not for writes.
        let written = shop.send(Method::DELETE, "films?id=gt.0", "count=exact", None).await.expect(204);
        assert_eq!(written.header("content-range"), "*/5");
    }

    async fn inserting_one_many_and_none(engine: TestEngine) {
        let shop = Shop::open(engine).await.with_films().await;
        for prefer in ["", "return=minimal"] {
            let title = format!("Fargo {}", prefer.len());
            let reply = shop.send(Method::POST, "films", prefer, Some(&json!({"title": title}))).await.expect(201);
            assert_eq!((reply.body.as_str(), reply.header("content-length"), reply.header("content-type")), ("", "0", ""));
            assert_eq!(reply.header("content-range"), "*/*");
            assert_eq!(reply.header("preference-applied"), prefer);
        }
        let represent = "return=representation";
        let reply = shop.send(Method::POST, "films", represent, Some(&json!({"title": "Gilda", "year": 1946}))).await.expect(201);
        assert_eq!(reply.header("preference-applied"), represent);
        let row = reply.value()[0].clone();
        assert!(row["id"].as_i64().is_some_and(|id| id > 5), "{row}");
        assert_eq!(row, json!({"id": row["id"], "title": "Gilda", "year": 1946, "rating": null, "seen": null, "stars": 3}));
        assert_eq!(shop.rows("films?title=eq.Gilda").await, json!([row]));

        let many = json!([{"title": "Z"}, {"title": "M"}, {"title": "A"}]);
        let reply = shop.send(Method::POST, "films?select=name:title", "return=representation,count=exact", Some(&many)).await.expect(201);
        assert_eq!(reply.value(), json!([{"name": "Z"}, {"name": "M"}, {"name": "A"}]));
        assert_eq!(reply.header("content-range"), "*/3");
        assert_eq!(reply.header("preference-applied"), "return=representation, count=exact");

        let none = shop.send(Method::POST, "films", represent, Some(&json!([]))).await.expect(201);
        assert_eq!(none.value(), json!([]));
        assert_eq!(shop.count("films").await, 5 + 2 + 1 + 3);
    }

    async fn rows_of_defaults(engine: TestEngine) {
        let shop = Shop::open(engine).await;
        shop.table(json!({
            "name": "marks",
            "columns": [
                {"name": "id", "type": "bigint", "nullable": false, "auto_increment": true},
                {"name": "text", "type": "varchar(10)", "default": "it's"},
                {"name": "number", "type": "decimal(5,2)", "nullable": false, "default": 1.5},
            ],
            "primary_key": ["id"],
        }))
        .await;
        for body in [json!({}), json!([{}]), json!([{}, {}])] {
            shop.insert("marks", &body).await.expect(201);
        }
        let number: Value = serde_json::from_str("1.50").unwrap();
        let expected: Vec<_> = (0..4).map(|_| json!({"text": "it's", "number": number})).collect();
        assert_eq!(shop.rows("marks?select=text,number").await, json!(expected));
        // Null is a value, not the default.
        shop.insert("marks", &json!({"text": null})).await.expect(201);
        assert_eq!(ids(&shop.admin, &shop.path("marks"), &[("text", "is.null")]).await.len(), 1);
        fault(shop.insert("marks", &json!({"number": null})).await, 400, "23502");
    }

    async fn csv_goes_in(engine: TestEngine) {
        let shop = Shop::open(engine).await.with_films().await;
        let text = "id,title,year,rating,seen\r\n10,\"Fargo, \"\"the\"\"\nfilm\",1996,8.1,true\r\n11,NULL!,NULL,NULL,false\r\n12,,2000,0.5,NULL";
        shop.csv("films", text).await.expect(201);
        let rating = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(
            shop.rows("films?id=gte.10&order=id&select=id,title,year,rating,seen").await,
            json!([
                {"id": 10, "title": "Fargo, \"the\"\nfilm", "year": 1996, "rating": rating("8.10"), "seen": true},
                {"id": 11, "title": "NULL!", "year": null, "rating": null, "seen": false},
                {"id": 12, "title": "", "year": 2000, "rating": rating("0.50"), "seen": null},
            ])
        );
        let before = shop.count("films").await;
        for (text, code) in [
            ("id,title\n20,a\n21\n", "PGRST102"),
            ("id,title\n20,a\n21,b,c\n", "PGRST102"),
            ("id,title\n20,\"a\n", "PGRST102"),
            ("", "PGRST102"),
            ("id,titel\n20,a\n", "PGRST204"),
            ("id,id\n20,20\n", "42701"),
            ("id,title\n20,a\nx,b\n", "22P02"),
            ("id,title\n20,a\n21,NULL\n", "23502"),
            ("id,year\n20,1990\n", "23502"),
            ("id,title,year\n20,a,99999\n", "22003"),
        ] {
            fault(shop.csv("films", text).await, 400, code);
        }
        fault(shop.csv("films", b"id,title\n20,\xff\xfe\n".to_vec()).await, 400, "PGRST102");
        fault(shop.csv("films", "id,title\n20,a\n20,b\n").await, 409, "23505");
        assert_eq!(shop.count("films").await, before);
        // A header alone has no rows.
        shop.csv("films", "id,title\n").await.expect(201);
        assert_eq!(shop.count("films").await, before);
    }

    async fn half_of_an_insert_bad_stores_nothing(engine: TestEngine) {
        let shop = Shop::open(engine).await.with_films().await;
        let good: Vec<Value> = (100..1700).map(|id| json!({"id": id, "title": format!("film {id}"), "year": 2000})).collect();
        let bad = [
            (json!({"id": 1, "title": "again", "year": 1}), 409, "23505"),
            (json!({"id": 9000, "title": "Alien", "year": 1}), 409, "23505"),
            (json!({"id": 9000, "title": null, "year": 1}), 400, "23502"),
            (json!({"id": 9000, "title": "x".repeat(41), "year": 1}), 400, "22001"),
            (json!({"id": 9000, "title": "x", "year": 40000}), 400, "22003"),
            (json!({"id": 9000, "title": "x", "year": "soon"}), 400, "22P02"),
            (json!({"id": 9000, "title": "x"}), 400, "PGRST102"),
            (json!({"id": 9000, "title": "x", "anno": 1}), 400, "PGRST102"),
        ];
        for (last, status, code) in bad {
            let mut rows = good.clone();
            rows.push(last.clone());
            fault(shop.insert("films", &json!(rows)).await, status, code);
            assert_eq!(shop.count("films").await, 5, "{last}");
        }
        let mut text = String::from("id,title,year\n");
        for id in 100..5000 {
            text.push_str(&format!("{id},film {id},2000\n"));
        }
        for (last, status, code) in [("1,again,1", 409, "23505"), ("9000,x,soon", 400, "22P02"), ("9000,ragged", 400, "PGRST102")] {
            fault(shop.csv("films", format!("{text}{last}\n")).await, status, code);
            assert_eq!(shop.count("films").await, 5, "{last}");
        }
        shop.csv("films", text).await.expect(201);
        assert_eq!(shop.count("films").await, 5 + 4900);
    }

    async fn bodies_that_are_none(engine: TestEngine) {
        let shop = Shop::open(engine).await.with_films().await;
        let path = shop.path("films");
        for body in ["", "{", "{\"title\": }", "[{\"title\": \"x\"},]", "{\"title\": \"x\"} y", "5", "\"text\"", "null", "[5]", "[[]]", "nonsense"] {
            fault(shop.admin.text(&path, "application/json", body).await, 400, "PGRST102");
        }
        fault(shop.admin.text(&path, "application/json", b"{\"title\": \"\xff\"}".to_vec()).await, 400, "PGRST102");
        fault(shop.insert("films", &json!([{"title": "x"}, {"year": 1}])).await, 400, "PGRST102");
        fault(shop.insert("films", &json!({"titel": "x"})).await, 400, "PGRST204");
        assert_eq!(shop.count("films").await, 5);
        for body in ["", "{", "5", "nonsense"] {
            let request = shop.admin.request(Method::PATCH, &shop.path("films?id=eq.1")).header("content-type", "application/json");
            fault(Reply::of(request.body(body)).await, 400, "PGRST102");
        }
        // Where the client does not say what it sends, it is JSON.
        let request = shop.admin.request(Method::POST, &path).body("{\"title\": \"Fargo\"}");
        Reply::of(request).await.expect(201);
        assert_eq!(shop.count("films").await, 6);
    }

    async fn what_is_not_there(engine: TestEngine) {
        let shop = Shop::open(engine).await.with_films().await;
        let unknown = fault(shop.get("filns").await, 404, "PGRST205");
        assert!(unknown["hint"].as_str().is_some_and(|hint| hint.contains("films")), "{unknown}");
        for method in [Method::POST, Method::PATCH, Method::DELETE] {
            fault(shop.send(method.clone(), "nothing?id=eq.1", "", Some(&json!({"a": 1}))).await, 404, "PGRST205");
        }
        let column = fault(shop.get("films?titel=eq.x").await, 400, "42703");
        assert!(column["hint"].as_str().is_some_and(|hint| hint.contains("title")), "{column}");
        fault(shop.send(Method::PATCH, "films?id=eq.1", "", Some(&json!({"titel": "x"}))).await, 400, "PGRST204");
        fault(shop.send(Method::PATCH, "films?titel=eq.1", "", Some(&json!({"title": "x"}))).await, 400, "42703");
        fault(shop.send(Method::DELETE, "films?titel=eq.1", "", None).await, 400, "42703");
        // SQLite and MySQL know names of columns without case; here they are what they are.
        fault(shop.get("films?TITLE=eq.Dune").await, 400, "42703");
        fault(shop.get("FILMS").await, 404, "PGRST205");
        fault(shop.admin.get("/rest/nowhere/films").await, 404, "PGRST125");
        fault(shop.get("films/1").await, 404, "PGRST125");
        let wrong = shop.send(Method::TRACE, "films?id=eq.1", "", None).await;
        assert!(wrong.header("allow").contains("GET") && !wrong.header("allow").contains("TRACE"), "{:?}", wrong.headers);
        fault(wrong, 405, "PGRST117");
        let media = shop.admin.request(Method::GET, &shop.path("films")).header("accept", "text/html");
        fault(Reply::of(media).await, 406, "PGRST107");
        fault(shop.admin.text(&shop.path("films"), "text/plain", "id").await, 415, "PGRST102");
        fault(shop.send(Method::GET, "films", "handling=strict, wish=you", None).await, 400, "PGRST122");
        assert_eq!(shop.count("films").await, 5);
    }

    async fn constraints_have_the_codes_of_postgres(engine: TestEngine) {
        let shop = Shop::open(engine).await.with_films().await;
        shop.table(json!({
            "name": "casts",
            "columns": [
                {"name": "film", "type": "int", "nullable": false},
                {"name": "actor", "type": "varchar(20)", "nullable": false},
                column("day", "date"),
            ],
            "primary_key": ["film", "actor"],
            "foreign_keys": [{"columns": ["film"], "references": "films", "referenced_columns": ["id"]}],
        }))
        .await;
        shop.insert("casts", &json!({"film": 1, "actor": "Weaver"})).await.expect(201);
        fault(shop.insert("casts", &json!({"film": 1, "actor": "Weaver"})).await, 409, "23505");
        // Keys are compared as filters compare: by code point.
        shop.insert("casts", &json!([{"film": 1, "actor": "weaver"}, {"film": 1, "actor": "Weaver "}])).await.expect(201);
        fault(shop.insert("films", &json!({"title": "Alien"})).await, 409, "23505");
        fault(shop.insert("casts", &json!({"film": 77, "actor": "Hurt"})).await, 409, "23503");
        fault(shop.send(Method::DELETE, "films?id=eq.1", "", None).await, 409, "23503");
        fault(shop.send(Method::PATCH, "films?id=eq.1", "", Some(&json!({"id": 99}))).await, 409, "23503");
        fault(shop.send(Method::PATCH, "films?id=eq.2", "", Some(&json!({"title": "Alien"}))).await, 409, "23505");
        fault(shop.send(Method::PATCH, "films?id=eq.2", "", Some(&json!({"title": null}))).await, 400, "23502");
        fault(shop.insert("casts", &json!({"film": 1})).await, 400, "23502");
        fault(shop.insert("casts", &json!({"film": 1, "actor": "x", "day": "2023-02-30"})).await, 400, "22007");
        fault(shop.insert("casts", &json!({"film": 1, "actor": "x", "day": "tomorrow?"})).await, 400, "22007");
        fault(shop.insert("casts", &json!({"film": 1, "actor": "x".repeat(21)})).await, 400, "22001");
        fault(shop.insert("casts", &json!({"film": {"id": 1}, "actor": "x"})).await, 400, "22P02");
        fault(shop.insert("casts", &json!({"film": 2_147_483_648_i64, "actor": "x"})).await, 400, "22003");
        fault(shop.insert("casts", &json!({"film": 1.5, "actor": "x"})).await, 400, "22P02");
        assert_eq!(shop.count("casts").await, 3);
        assert_eq!(titles(&shop.rows("films?order=id").await), ["Alien", "Brazil", "Casablanca", "Dune", "Eraserhead"]);
    }

    async fn updates_count_what_matched(engine: TestEngine) {
        let shop = Shop::open(engine).await.with_films().await;
        let patch = |rest: &'static str, prefer: &'static str, body: Value| {
            let shop = &shop;
            async move { shop.send(Method::PATCH, rest, prefer, Some(&body)).await }
        };
        let reply = patch("films?stars=eq.5", "count=exact", json!({"stars": 5})).await.expect(204);
        assert_eq!((reply.body.as_str(), reply.header("content-range")), ("", "0-1/2"));
        let reply = patch("films?stars=eq.5", "", json!({"stars": 5})).await.expect(204);
        assert_eq!(reply.header("content-range"), "0-1/*");
        let reply = patch("films?id=eq.77", "", json!({"stars": 5})).await.expect(204);
        assert_eq!(reply.header("content-range"), "*/*");
        assert_eq!(patch("films?id=eq.77", "return=representation", json!({"stars": 5})).await.expect(200).value(), json!([]));

        // The filter's own column changes, and the key: the rows shown are those that matched.
        let reply = patch("films?stars=eq.5&select=id,stars&order=id.desc", "return=representation", json!({"stars": 0})).await.expect(200);
        assert_eq!(reply.value(), json!([{"id": 3, "stars": 0}, {"id": 1, "stars": 0}]));
        assert_eq!(reply.header("content-range"), "0-1/*");
        assert_eq!(reply.header("preference-applied"), "return=representation");
        let reply = patch("films?id=eq.1&select=id,title", "return=representation", json!({"id": 100, "title": "Aliens"})).await.expect(200);
        assert_eq!(reply.value(), json!([{"id": 100, "title": "Aliens"}]));
        assert_eq!(shop.rows("films?select=id&id=in.(1,100)").await, json!([{"id": 100}]));

        let reply = patch("films?id=eq.2", "", json!({})).await.expect(204);
        assert_eq!(reply.header("content-range"), "*/*");
        assert_eq!(patch("films?id=eq.2", "return=representation", json!({})).await.expect(200).value(), json!([]));
        // All rows or none: 2 and 3 cannot both have one title.
        fault(patch("films?id=in.(2,3)", "", json!({"title": "same"})).await, 409, "23505");
        assert_eq!(titles(&shop.rows("films?id=in.(2,3)&order=id").await), ["Brazil", "Casablanca"]);
    }

    async fn a_write_of_all_rows_is_refused_unless_allowed(engine: TestEngine) {
        let shop = Shop::open(engine).await.with_films().await;
        let body = json!({"stars": 0});
        for query in ["films", "films?select=id", "films?order=id", "films?id="] {
            fault(shop.send(Method::PATCH, query, "", Some(&body)).await, 400, "21000");
            fault(shop.send(Method::DELETE, query, "", None).await, 400, "21000");
        }
        assert_eq!(ids(&shop.admin, &shop.path("films"), &[("stars", "gt.0")]).await.len(), 5);

        let shop = Shop::open_with(engine, &[("rest.full_table_writes", "allow")]).await.with_films().await;
        shop.send(Method::PATCH, "films", "", Some(&body)).await.expect(204);
        assert_eq!(ids(&shop.admin, &shop.path("films"), &[("stars", "eq.0")]).await.len(), 5);
        shop.send(Method::DELETE, "films", "", None).await.expect(204);
        assert_eq!(shop.count("films").await, 0);
    }

    async fn deletes_show_what_was_there(engine: TestEngine) {
        let shop = Shop::open(engine).await.with_films().await;
        let reply = shop.send(Method::DELETE, "films?id=eq.5", "", None).await.expect(204);
        assert_eq!((reply.body.as_str(), reply.header("content-range")), ("", "*/*"));
        let reply = shop.send(Method::DELETE, "films?id=eq.5", "count=exact", None).await.expect(204);
        assert_eq!(reply.header("content-range"), "*/0");
        let reply = shop.send(Method::DELETE, "films?id=gt.2&select=title&order=id.desc", "return=representation,count=exact", None).await.expect(200);
        assert_eq!(reply.value(), json!([{"title": "Dune"}, {"title": "Casablanca"}]));
        assert_eq!(reply.header("content-range"), "*/2");
        assert_eq!(reply.header("preference-applied"), "return=representation, count=exact");
        assert_eq!(shop.send(Method::DELETE, "films?id=gt.2", "return=representation", None).await.expect(200).value(), json!([]));
        assert_eq!(shop.count("films").await, 2);
    }

    async fn who_may_read_and_write_rows(engine: TestEngine) {
        let shop = Shop::open(engine).await.with_films().await;
        let member = shop.app.member("member").await;
        let path = shop.path("films?id=eq.1");
        assert_eq!(titles(&member.get(&path).await.expect(200).value()), ["Alien"]);
        let body = json!({"title": "x"});
        for reply in [member.post(&shop.path("films"), &body).await, member.patch(&path, &body).await, member.delete(&path).await] {
            fault(reply, 403, "42501");
        }
        let anonymous = shop.app.anonymous();
        for reply in [
            anonymous.get(&path).await,
            anonymous.post(&shop.path("films"), &body).await,
            anonymous.patch(&path, &body).await,
            anonymous.delete(&path).await,
            // Whether something exists is not for everybody to know.
            anonymous.get("/rest/nowhere/nothing").await,
        ] {
            assert!(reply.header("www-authenticate").starts_with("Bearer"), "{:?}", reply.headers);
            fault(reply, 401, "PGRST302");
        }
        assert_eq!(titles(&shop.rows("films?order=id").await), ["Alien", "Brazil", "Casablanca", "Dune", "Eraserhead"]);
    }
}

/// One value of a type: as it is sent (JSON text), and as it comes back.
struct Exact {
    column_type: &'static str,
    sent: &'static str,
    back: &'static str,
}

const fn exact(column_type: &'static str, sent: &'static str, back: &'static str) -> Exact {
    Exact {
        column_type,
        sent,
        back,
    }
}

const fn same(column_type: &'static str, text: &'static str) -> Exact {
    exact(column_type, text, text)
}

const EXACT: &[Exact] = &[
    same("tinyint", "-128"),
    same("tinyint unsigned", "255"),
    same("smallint", "-32768"),
    same("smallint unsigned", "65535"),
    same("mediumint", "-8388608"),
    same("mediumint unsigned", "16777215"),
    same("int", "-2147483648"),
    same("int unsigned", "4294967295"),
    same("bigint", "-9223372036854775808"),
    same("bigint", "9223372036854775807"),
    same("bigint unsigned", "18446744073709551615"),
    same("bigint unsigned", "9223372036854775808"),
    exact("bigint", "\"9007199254740993\"", "9007199254740993"),
    same("tinyint(1)", "true"),
    same("tinyint(1)", "false"),
    same(
        "decimal(65,30)",
        "12345678901234567890123456789012345.123456789012345678901234567890",
    ),
    same(
        "decimal(65,30)",
        "-99999999999999999999999999999999999.999999999999999999999999999999",
    ),
    same("decimal(65,30)", "0.000000000000000000000000000001"),
    exact("decimal(10,2)", "\"1.5\"", "1.50"),
    exact("decimal(10,2)", "-0.05", "-0.05"),
    same("decimal(18,0)", "123456789012345678"),
    same("double", "0.1"),
    same("double", "-2.5"),
    same("float", "0.5"),
    same("varchar(20)", "\"\""),
    same("varchar(20)", "null"),
    same("varchar(20)", "\"🦀 Größe 日本\""),
    same("varchar(20)", "\" both ends \""),
    same("varchar(20)", "\"NULL\""),
    same("varchar(20)", r#""quote\" back\\ it's""#),
    same("varchar(20)", r#""line\nfeed\ttab""#),
    same("char(5)", "\"ab\""),
    same("text", "\"a\\u0001b\""),
    same("longtext", "\"\""),
    same("varbinary(10)", "\"\\\\x00ff10\""),
    same("varbinary(10)", "\"\\\\x\""),
    exact("varbinary(10)", "\"\\\\xDEADBEEF\"", "\"\\\\xdeadbeef\""),
    same("binary(3)", "\"\\\\x010203\""),
    same("blob", "\"\\\\x5c2700\""),
    same("date", "\"2024-02-29\""),
    same("date", "\"9999-12-31\""),
    same("time", "\"23:59:59\""),
    same("time", "\"-838:59:59\""),
    same("time(6)", "\"00:00:00.000001\""),
    same("datetime", "\"2015-12-08T04:22:57\""),
    same("datetime(6)", "\"2015-12-08T04:22:57.472738\""),
    exact(
        "datetime(6)",
        "\"2015-12-08 04:22:57.470000\"",
        "\"2015-12-08T04:22:57.47\"",
    ),
    exact(
        "timestamp",
        "\"2023-10-18T14:37:59+02:00\"",
        "\"2023-10-18T12:37:59+00:00\"",
    ),
    exact(
        "timestamp(3)",
        "\"2023-10-18T12:37:59.611Z\"",
        "\"2023-10-18T12:37:59.611+00:00\"",
    ),
    same("year", "2155"),
    same("year", "1901"),
    same("json", r#"{"a":[1,2.5,null,true,"ü🦀"],"b":{}}"#),
    same("json", "[]"),
    same("json", "\"text\""),
    same("json", "9007199254740993"),
    same("enum('small','it''s large')", "\"it's large\""),
    same("set('a','b','c')", "\"a,c\""),
    same("set('a','b','c')", "\"\""),
    exact(
        "uuid",
        "\"6F9619FF-8B86-D011-B42D-00C04FC964FF\"",
        "\"6f9619ff-8b86-d011-b42d-00c04fc964ff\"",
    ),
];

/// Values that a column does not take, with the code that says why.
const REFUSED: &[(&str, &str, &str)] = &[
    ("tinyint", "128", "22003"),
    ("tinyint unsigned", "-1", "22003"),
    ("int", "2147483648", "22003"),
    ("bigint", "9223372036854775808", "22003"),
    ("bigint unsigned", "18446744073709551616", "22003"),
    ("bigint unsigned", "-1", "22003"),
    ("int", "1.5", "22P02"),
    ("int", "\"1x\"", "22P02"),
    ("int", "\"\"", "22P02"),
    ("int", "[1]", "22P02"),
    ("tinyint(1)", "\"perhaps\"", "22P02"),
    ("decimal(5,2)", "1000", "22003"),
    ("decimal(5,2)", "\"ten\"", "22P02"),
    ("double", "\"x\"", "22P02"),
    ("varchar(3)", "\"abcd\"", "22001"),
    ("varchar(3)", "\"🦀🦀🦀🦀\"", "22001"),
    ("char(2)", "\"abc\"", "22001"),
    ("tinyblob", "\"\\\\xzz\"", "22P02"),
    ("varbinary(2)", "\"\\\\x010203\"", "22001"),
    ("date", "\"2023-02-29\"", "22007"),
    ("date", "\"yesterday?\"", "22007"),
    ("date", "\"0\"", "22007"),
    ("time", "\"25 o'clock\"", "22007"),
    ("datetime", "\"2023-10-18T24:61:00\"", "22007"),
    ("timestamp", "\"noon\"", "22007"),
    ("enum('a','b')", "\"c\"", "22P02"),
    ("set('a','b')", "\"a,c\"", "22P02"),
    ("uuid", "\"6f9619ff\"", "22P02"),
];

on_every_engine! {
    async fn values_come_back_as_they_went_in(engine: TestEngine) {
        let shop = Shop::open(engine).await;
        let mut columns = vec![json!({"name": "id", "type": "int", "nullable": false})];
        columns.extend(EXACT.iter().enumerate().map(|(at, value)| column(&format!("c{at}"), value.column_type)));
        shop.table(json!({"name": "exact", "columns": columns, "primary_key": ["id"]})).await;

        let members = |of: fn(&Exact) -> &'static str| -> String {
            EXACT.iter().enumerate().map(|(at, value)| format!(",\"c{at}\":{}", of(value))).collect()
        };
        let sent = format!("[{{\"id\":1{}}}]", members(|value| value.sent));
        let back: Value = serde_json::from_str(&format!("[{{\"id\":1{}}}]", members(|value| value.back))).unwrap();
        let compare = |found: &Value, way: &str| {
            for (at, value) in EXACT.iter().enumerate() {
                let name = format!("c{at}");
                // Numbers are compared by their text, nothing is rounded on the way.
                assert_eq!(found[0][&name].to_string(), back[0][&name].to_string(), "{way}: {} {}", value.column_type, value.sent);
            }
            assert_eq!(*found, back, "{way}");
        };
        let request = shop.admin.request(Method::POST, &shop.path("exact")).header("prefer", "return=representation");
        let reply = Reply::of(request.header("content-type", "application/json").body(sent)).await.expect(201);
        compare(&reply.value(), "the representation");
        compare(&shop.rows("exact").await, "a read");
        compare(&shop.rows("exact?limit=1&order=id.desc").await, "a page");
        // What comes out goes in again: as the body of an update.
        let mut row = back[0].as_object().expect("a row").clone();
        row.remove("id");
        let reply = shop.send(Method::PATCH, "exact?id=eq.1", "return=representation", Some(&Value::Object(row))).await.expect(200);
        compare(&reply.value(), "an update");

        // A filter finds each value by the text that came back; JSON cannot be compared.
        for (at, value) in EXACT.iter().enumerate().filter(|(_, value)| value.column_type != "json" && value.back != "null") {
            let text = match &back[0][format!("c{at}")] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            if value.column_type.starts_with("float") || value.column_type.starts_with("double") {
                continue;
            }
            let found = ids(&shop.admin, &shop.path("exact"), &[(format!("c{at}").as_str(), format!("eq.{text}").as_str())]).await;
            assert_eq!(found, [1], "{} eq.{text}", value.column_type);
        }
    }

    async fn values_that_do_not_fit_are_refused(engine: TestEngine) {
        let shop = Shop::open(engine).await;
        let mut columns = vec![json!({"name": "id", "type": "int", "nullable": false, "auto_increment": true})];
        columns.extend(REFUSED.iter().enumerate().map(|(at, (column_type, _, _))| column(&format!("c{at}"), column_type)));
        shop.table(json!({"name": "strict", "columns": columns, "primary_key": ["id"]})).await;
        for (at, (column_type, sent, code)) in REFUSED.iter().enumerate() {
            let body = format!("{{\"c{at}\":{sent}}}");
            let reply = shop.admin.text(&shop.path("strict"), "application/json", body).await;
            assert_eq!((reply.status.as_u16(), reply.value()["code"].as_str()), (400, Some(*code)), "{column_type} {sent}: {}", reply.body);
            fault(reply, 400, code);
        }
        assert_eq!(shop.count("strict").await, 0);
    }

    async fn empty_texts_and_nulls_are_two_things(engine: TestEngine) {
        let shop = Shop::open(engine).await;
        shop.table(json!({
            "name": "pairs",
            "columns": [{"name": "id", "type": "int", "nullable": false}, column("t", "varchar(10)"), column("b", "varbinary(10)")],
            "primary_key": ["id"],
        }))
        .await;
        shop.insert("pairs", &json!([{"id": 1, "t": "", "b": "\\x"}, {"id": 2, "t": null, "b": null}])).await.expect(201);
        shop.csv("pairs", "id,t,b\n3,,\\x\n4,NULL,NULL\n").await.expect(201);
        assert_eq!(ids(&shop.admin, &shop.path("pairs"), &[("t", "eq."), ("order", "id")]).await, [1, 3]);
        assert_eq!(ids(&shop.admin, &shop.path("pairs"), &[("t", "is.null"), ("order", "id")]).await, [2, 4]);
        assert_eq!(
            shop.rows("pairs?order=id&select=t,b").await,
            json!([{"t": "", "b": "\\x"}, {"t": null, "b": null}, {"t": "", "b": "\\x"}, {"t": null, "b": null}])
        );
    }

    async fn a_result_beyond_any_buffer_arrives_whole(engine: TestEngine) {
        let shop = Shop::open(engine).await;
        shop.table(json!({
            "name": "big",
            "columns": [{"name": "id", "type": "int", "nullable": false}, {"name": "text", "type": "varchar(300)", "nullable": false}],
            "primary_key": ["id"],
        }))
        .await;
        const ROWS: usize = 20_000;
        let text = |id: usize| format!("{id} ü🦀 \"{}\"", "x".repeat(id % 250));
        let mut csv = String::from("id,text\n");
        for id in 0..ROWS {
            csv.push_str(&format!("{id},\"{}\"\n", text(id).replace('"', "\"\"")));
        }
        let request = shop.admin.request(Method::POST, &shop.path("big")).header("content-type", "text/csv").header("prefer", "count=exact");
        let reply = Reply::of(request.body(csv)).await.expect(201);
        assert_eq!(reply.header("content-range"), format!("*/{ROWS}"));

        let reply = shop.get("big?order=id").await.expect(200);
        assert_eq!(reply.header("content-range"), format!("0-{}/*", ROWS - 1));
        assert!(reply.body.len() > 3_000_000, "{}", reply.body.len());
        let rows = reply.value();
        let rows = rows.as_array().expect("rows");
        assert_eq!(rows.len(), ROWS);
        for (id, row) in rows.iter().enumerate() {
            assert_eq!((row["id"].as_u64(), row["text"].as_str()), (u64::try_from(id).ok(), Some(text(id).as_str())));
        }
        // A reader who goes away half-way takes no connection along: twenty of them, then one more.
        for _ in 0..20 {
            let mut response = shop.admin.request(Method::GET, &shop.path("big")).send().await.expect("an answer");
            assert!(response.chunk().await.expect("the beginning").is_some());
        }
        assert_eq!(shop.rows("big?id=eq.7&select=id").await, json!([{"id": 7}]));
    }

    async fn csv_comes_out(engine: TestEngine) {
        let shop = Shop::open(engine).await.with_films().await;
        let request = shop.admin.request(Method::GET, &shop.path("films?select=id,title,rating&order=id&limit=2")).header("accept", "text/csv");
        let reply = Reply::of(request).await.expect(200);
        assert!(reply.header("content-type").starts_with("text/csv"), "{:?}", reply.headers);
        assert_eq!(reply.body, "id,title,rating\n1,Alien,8.50\n2,Brazil,");
        shop.insert("films", &json!({"id": 6, "title": "a,\"b\"\nc"})).await.expect(201);
        let request = shop.admin.request(Method::GET, &shop.path("films?select=title,seen&id=in.(1,6)&order=id.desc")).header("accept", "text/csv");
        assert_eq!(Reply::of(request).await.expect(200).body, "title,seen\n\"a,\"\"b\"\"\nc\",\nAlien,t");
    }

    async fn odd_names_of_tables_and_columns_work(engine: TestEngine) {
        let shop = Shop::open(engine).await;
        let table = "Größe & 1=1 (日本)";
        let names = ["order", "select", "a b", "sum$", "x-y", "x,y", "p(q)", "Ünïcode", "limit", "and", "%", "key;--"];
        let mut columns = vec![json!({"name": "id", "type": "int", "nullable": false})];
        columns.extend(names.iter().map(|name| column(name, "varchar(20)")));
        shop.table(json!({"name": table, "columns": columns, "primary_key": ["id"]})).await;
        let encoded: String = table.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let mut row = json!({"id": 1});
        for name in names {
            row[name] = json!(format!("v {name}"));
        }
        shop.insert(&encoded, &row).await.expect(201);
        assert_eq!(shop.rows(&encoded).await, json!([row]));
        for name in names {
            let (quoted, value) = (format!("\"{name}\""), format!("eq.v {name}"));
            let query = [(quoted.as_str(), value.as_str()), ("select", quoted.as_str()), ("order", quoted.as_str())];
            let found = ask(&shop.admin, &shop.path(&encoded), &query).await.expect(200).value();
            assert_eq!(found, json!([{name: format!("v {name}")}]), "{name}");
        }
    }

    async fn tables_made_elsewhere_are_compared_by_code_point(engine: TestEngine) {
        let shop = Shop::open(engine).await;
        let insert = "INSERT INTO people VALUES (1, 'admin'), (2, 'ADMIN'), (3, 'ádmin'), (4, 'admin '), (5, NULL)";
        let create = match engine {
            TestEngine::Sqlite => "CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR(20) COLLATE NOCASE)",
            TestEngine::MySql => "CREATE TABLE people (id INT PRIMARY KEY, name VARCHAR(20)) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci",
            TestEngine::MariaDb => "CREATE TABLE people (id INT PRIMARY KEY, name VARCHAR(20)) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
        };
        let view = "CREATE VIEW admins AS SELECT id, name FROM people WHERE id < 3";
        raw(&shop.app, &shop.db, &[create, insert, view]).await;
        for (condition, expected) in [
            ("eq.admin", &[1][..]),
            ("eq.ADMIN", &[2]),
            ("eq.admin ", &[4]),
            ("in.(admin,ádmin)", &[1, 3]),
            ("neq.admin", &[2, 3, 4]),
            ("not.in.(admin)", &[2, 3, 4]),
            ("like.a*", &[1, 4]),
            ("like.ADMIN", &[2]),
            ("ilike.admin", &[1, 2]),
            ("gt.admin", &[3, 4]),
            ("lt.admin", &[2]),
            ("is.null", &[5]),
        ] {
            assert_eq!(ids(&shop.admin, &shop.path("people"), &[("name", condition), ("order", "id")]).await, expected, "{condition}");
        }
        assert_eq!(ids(&shop.admin, &shop.path("people"), &[("order", "name")]).await, [2, 1, 4, 3, 5]);
        assert_eq!(ids(&shop.admin, &shop.path("admins"), &[("order", "id")]).await, [1, 2]);
        shop.send(Method::DELETE, "people?name=eq.admin", "", None).await.expect(204);
        assert_eq!(ids(&shop.admin, &shop.path("people"), &[("order", "id")]).await, [2, 3, 4, 5]);
    }

    async fn computed_columns_are_read_and_never_written(engine: TestEngine) {
        let shop = Shop::open(engine).await;
        raw(&shop.app, &shop.db, &["CREATE TABLE sums (id INTEGER NOT NULL PRIMARY KEY, a INTEGER, twice INTEGER GENERATED ALWAYS AS (a * 2) STORED)"]).await;
        shop.insert("sums", &json!({"id": 1, "a": 21})).await.expect(201);
        assert_eq!(shop.rows("sums").await, json!([{"id": 1, "a": 21, "twice": 42}]));
        assert_eq!(shop.rows("sums?select=id&twice=eq.42").await, json!([{"id": 1}]));
        fault(shop.insert("sums", &json!({"id": 2, "a": 1, "twice": 2})).await, 400, "428C9");
        fault(shop.send(Method::PATCH, "sums?id=eq.1", "", Some(&json!({"twice": 3}))).await, 400, "428C9");
        assert_eq!(shop.count("sums").await, 1);
    }

    async fn tables_without_a_key_work_too(engine: TestEngine) {
        let shop = Shop::open(engine).await;
        shop.table(json!({"name": "log", "columns": [column("line", "text"), column("n", "int")]})).await;
        shop.insert("log", &json!([{"line": "a", "n": 1}, {"line": "a", "n": 1}, {"line": "b", "n": 2}])).await.expect(201);
        assert_eq!(shop.rows("log?order=n&limit=2").await, json!([{"line": "a", "n": 1}, {"line": "a", "n": 1}]));
        let reply = shop.send(Method::PATCH, "log?n=eq.1", "return=representation", Some(&json!({"n": 5}))).await.expect(200);
        assert_eq!(reply.value(), json!([{"line": "a", "n": 5}, {"line": "a", "n": 5}]));
        let reply = shop.send(Method::POST, "log", "return=representation", Some(&json!([{"line": "c", "n": 9}]))).await.expect(201);
        assert_eq!(reply.value(), json!([{"line": "c", "n": 9}]));
        let reply = shop.send(Method::DELETE, "log?n=gte.5", "return=representation,count=exact", None).await.expect(200);
        assert_eq!(reply.value().as_array().expect("rows").len(), 3);
        assert_eq!(shop.rows("log").await, json!([{"line": "b", "n": 2}]));
    }

    async fn a_thousand_wildcards_are_answered(engine: TestEngine) {
        let shop = Shop::open(engine).await.with_films().await;
        let pattern = format!("like.{}", "*a".repeat(500));
        assert_eq!(ids(&shop.admin, &shop.path("films"), &[("title", &pattern)]).await, Vec::<i64>::new());
        let pattern = format!("ilike.{}", "%_".repeat(500));
        assert_eq!(ids(&shop.admin, &shop.path("films"), &[("title", &pattern)]).await, Vec::<i64>::new());
        let pattern = format!("like.{}", "*".repeat(1000));
        assert_eq!(ids(&shop.admin, &shop.path("films"), &[("title", &pattern)]).await.len(), 5);
    }
}
