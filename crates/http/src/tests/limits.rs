//! How much a client may send, and in what form.

use super::{assert_problem, client, routes};
use crate::app::HttpOptions;
use crate::testing::{ADMIN, Client, request};

#[actix_web::test]
async fn requests_are_counted_for_each_client_before_authentication() {
    let limited = |options: &mut HttpOptions| {
        options.limits_enabled = true;
        options.credentials_per_minute = 3;
        options.general_per_minute = 5;
        options.trusted_proxies = vec!["192.0.2.1/32".parse().unwrap()];
    };
    let client = Client::with(limited, routes()).await;
    let from = async |path: &'static str, address: &str| {
        let method = if path == "/token" { "POST" } else { "GET" };
        client
            .ask(
                method,
                path,
                &[
                    ("x-forwarded-for", address),
                    ("authorization", "Bearer wrong"),
                ],
            )
            .await
    };
    for left in ["2", "1", "0"] {
        let answer = from("/token", "198.51.100.1").await;
        assert_eq!(answer.status, 400);
        assert!(
            answer
                .header("ratelimit")
                .starts_with(&format!("\"credentials\";r={left};t="))
        );
    }
    let refused = from("/token", "198.51.100.1").await;
    assert_problem(&refused, 429, "rate_limited");
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=20).contains(&seconds));
    assert_eq!(
        refused.header("ratelimit-policy"),
        "\"credentials\";q=3;w=60"
    );
    assert_eq!(from("/token", "198.51.100.2").await.status, 400);
    // A client behind the proxy cannot make itself another one.
    assert_eq!(
        from("/token", "203.0.113.9, 198.51.100.1").await.status,
        429
    );
    for _ in 0..5 {
        assert_eq!(from("/things/1", "198.51.100.1").await.status, 401);
    }
    assert_eq!(from("/things/1", "198.51.100.1").await.status, 429);
    assert_eq!(from("/nothing", "198.51.100.1").await.status, 429);
    for _ in 0..10 {
        assert_eq!(from("/health/live", "198.51.100.1").await.status, 200);
    }
}

#[actix_web::test]
async fn urls_and_bodies_have_limits() {
    let small = |options: &mut HttpOptions| {
        options.max_url_bytes = 100;
        options.max_body_bytes = 50;
    };
    let client = Client::with(small, routes()).await;
    let long = format!("/who?{}", "x".repeat(100));
    assert_problem(&client.get(&long).await, 414, "uri_too_long");
    assert_eq!(
        client
            .get(&format!("/rest/d/{}", "x".repeat(100)))
            .await
            .code(),
        "uri_too_long"
    );
    let sized = async |length: usize, announced: bool| {
        let body = format!(r#"{{"name":"{}"}}"#, "x".repeat(length - 11));
        let mut request = request("POST", "/things", &[("authorization", ADMIN)]).set_payload(body);
        if announced {
            request = request.insert_header(("content-length", length.to_string()));
        }
        client.send(request).await
    };
    for announced in [true, false] {
        assert_eq!(sized(50, announced).await.status, 201);
        assert_problem(&sized(51, announced).await, 413, "payload_too_large");
    }
}

#[actix_web::test]
async fn media_types_are_checked_and_json_is_assumed() {
    let client = client().await;
    let typed = async |media_type: &str| {
        let request = request(
            "POST",
            "/things",
            &[("authorization", ADMIN), ("content-type", media_type)],
        );
        client
            .send(request.set_payload(r#"{"name":"a"}"#))
            .await
            .status
    };
    for fine in [
        "application/json",
        "application/json; charset=utf-8",
        "application/problem+json",
    ] {
        assert_eq!(typed(fine).await, 201, "{fine}");
    }
    for bad in [
        "text/plain",
        "application/xml",
        "application/json; charset=latin1",
        "nonsense",
        "",
        "text/json+x",
    ] {
        assert_eq!(typed(bad).await, 415, "{bad}");
    }
    let headers = [("authorization", ADMIN), ("content-encoding", "gzip")];
    assert_eq!(client.ask("POST", "/things", &headers).await.status, 415);
}

#[actix_web::test]
async fn forms_are_taken_beside_json_and_their_errors_speak_oauth2() {
    let client = client().await;
    let form = async |body: &'static str| {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        client
            .send(request("POST", "/token", &headers).set_payload(body))
            .await
    };
    assert_eq!(
        form("username=ann%20b&scope=x&client_id=").await.body,
        b"ann b"
    );
    let refused = form("user=ann").await;
    assert_problem(&refused, 422, "validation_failed");
    assert_eq!(refused.json()["error"], "invalid_request");
    assert_eq!(refused.json()["error_description"], "username: is missing");
    assert_eq!(form("username=%ff").await.status, 400);
    assert_eq!(form("username=a&username=b").await.status, 422);
}
