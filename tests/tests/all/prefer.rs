//! Preferences of reads, and how they are told of.

use reqwest::Method;
use serde_json::json;

use crate::support::engines::TestEngine;
use crate::support::rest::{Yard, fault};

on_every_engine! {
    async fn instants_are_shown_where_the_client_is(engine: TestEngine) {
        let yard = Yard::open(engine, &[]).await;
        let query = "port?select=opened&order=id";
        for (zone, shown) in [
            ("Europe/Oslo", "2024-07-01T12:30:00.25+02:00"),
            ("America/Los_Angeles", "2024-07-01T03:30:00.25-07:00"),
            ("UTC", "2024-07-01T10:30:00.25+00:00"),
            ("+05:30", "2024-07-01T16:00:00.25+05:30"),
        ] {
            let prefer = format!("timezone={zone}, handling=strict");
            let reply = yard.send(Method::GET, query, &[("prefer", &prefer)], "").await.expect(200);
            assert_eq!(reply.body, format!(r#"[{{"opened":"{shown}"}},{{"opened":null}}]"#));
            assert_eq!(reply.header("preference-applied"), format!("handling=strict, timezone={zone}"));
        }
        let prefer = ("prefer", "timezone=Europe/Oslo, return=representation");
        let reply = yard.send(Method::GET, query, &[prefer, ("accept", "text/csv")], "").await.expect(200);
        assert_eq!((reply.body.as_str(), reply.header("preference-applied")), ("opened\n2024-07-01T12:30:00.25+02:00\n", "timezone=Europe/Oslo"));
        // Also of written rows. What is compared stays what it is.
        let reply = yard.send(Method::POST, "port?select=opened", &[prefer], r#"{"name": "x", "opened": "2024-01-01T12:00:00+00:00"}"#).await.expect(201);
        assert_eq!(reply.body, r#"[{"opened":"2024-01-01T13:00:00+01:00"}]"#);
        let reply = yard.send(Method::GET, "port?select=id&opened=eq.2024-07-01T10:30:00.25Z", &[prefer], "").await.expect(200);
        assert_eq!(reply.value(), json!([{"id": 1}]));

        let error = fault(yard.send(Method::GET, query, &[("prefer", "timezone=Jupiter/Red_Spot")], "").await, 400, "22023");
        assert_eq!(error["message"], "invalid value for parameter \"TimeZone\": \"Jupiter/Red_Spot\"");
        let error = fault(yard.send(Method::GET, query, &[("prefer", "timezone=Jupiter/Red_Spot, handling=strict")], "").await, 400, "PGRST122");
        assert_eq!((&error["message"], &error["details"]), (&json!("Invalid preferences given with handling=strict"), &json!("Invalid preferences: timezone=Jupiter/Red_Spot")));
    }

    async fn what_was_honoured_is_told_in_one_order(engine: TestEngine) {
        let yard = Yard::open(engine, &[]).await;
        let all = "max-affected=9, timezone=UTC, handling=strict, tx=commit, count=exact, return=minimal, missing=default, resolution=merge-duplicates";
        let send = |method: Method, rest: &'static str, body: &'static str| {
            let yard = &yard;
            async move { yard.send(method, rest, &[("prefer", all)], body).await }
        };
        let reply = send(Method::GET, "port?id=lt.9", "").await.expect(200);
        assert_eq!(reply.header("preference-applied"), "count=exact, tx=commit, handling=strict, timezone=UTC");
        let reply = send(Method::POST, "port", r#"{"id": 9, "name": "Nine"}"#).await.expect(201);
        assert_eq!(reply.header("preference-applied"), "resolution=merge-duplicates, missing=default, return=minimal, count=exact, tx=commit, handling=strict, timezone=UTC");
        let reply = send(Method::PATCH, "port?id=eq.9", r#"{"berths": 1}"#).await.expect(204);
        assert_eq!(reply.header("preference-applied"), "missing=default, return=minimal, count=exact, tx=commit, handling=strict, timezone=UTC, max-affected=9");
        let reply = send(Method::PUT, "port?id=eq.9", r#"{"id": 9, "name": "Nine"}"#).await.expect(204);
        assert_eq!(reply.header("preference-applied"), "return=minimal, count=exact, tx=commit, handling=strict, timezone=UTC");
        let reply = send(Method::DELETE, "port?id=eq.9", "").await.expect(204);
        assert_eq!(reply.header("preference-applied"), "return=minimal, count=exact, tx=commit, handling=strict, timezone=UTC, max-affected=9");

        // Several headers are one list; what is not known is passed over, unless one is strict.
        let several = [("prefer", "wish=you, count=exact"), ("prefer", "count=planned"), ("prefer", "were=here")];
        let reply = yard.send(Method::GET, "port", &several, "").await.expect(200);
        assert_eq!((reply.header("preference-applied"), reply.header("content-range")), ("count=exact", "0-1/2"));
        for (method, body) in [(Method::GET, ""), (Method::POST, r#"{"name": "x"}"#), (Method::PATCH, "{}"), (Method::PUT, "{}"), (Method::DELETE, "")] {
            let error = fault(yard.send(method, "port?id=eq.1", &[several[0], ("prefer", "handling=strict, were=here")], body).await, 400, "PGRST122");
            assert_eq!(error["details"], "Invalid preferences: wish=you, were=here");
        }
        assert_eq!(yard.read("port?select=id&order=id").await, r#"[{"id":1},{"id":2}]"#);
    }
}
