//! What every answer has: places, methods, ids, headers, error bodies.

use super::{assert_problem, client, routes};
use crate::app::HttpOptions;
use crate::testing::{Client, USER};

#[actix_web::test]
async fn below_rest_errors_have_both_sets_of_members() {
    let client = client().await;
    let answer = client.get("/rest/d/t").await;
    assert_eq!(answer.header("content-type"), "application/json");
    let body = answer.json();
    assert_eq!(
        (answer.status, body["code"].as_str()),
        (401, Some("PGRST302"))
    );
    for member in [
        "message",
        "details",
        "hint",
        "type",
        "title",
        "status",
        "detail",
        "request_id",
    ] {
        assert!(body.get(member).is_some(), "{member}");
    }
    assert_eq!(client.get("/rest/d/t/deeper").await.code(), "PGRST125");
    assert_eq!(
        client.ask("PURGE", "/rest/d/t", &[]).await.code(),
        "PGRST117"
    );
    assert_problem(&client.get("/rest").await, 404, "not_found");
}

#[actix_web::test]
async fn paths_answer_with_and_without_a_slash_and_unknown_ones_are_404() {
    let client = client().await;
    for path in [
        "/things/1",
        "/things/1/",
        "/rest/d/t/",
        "/rest/d/a%2Fb",
        "/rest/d/a%2Fb/",
    ] {
        assert_eq!(
            client
                .ask("GET", path, &[("authorization", USER)])
                .await
                .status,
            200,
            "{path}"
        );
    }
    assert_eq!(client.get("/things/me/").await.status, 200);
    for path in [
        "/nothing",
        "/things/1/2",
        "/things//",
        "/things/1//",
        "/rest/d//t",
    ] {
        let answer = client.ask("GET", path, &[("authorization", USER)]).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    assert_problem(&client.get("/nothing").await, 404, "not_found");
}

#[actix_web::test]
async fn another_method_is_405_with_allow() {
    let client = client().await;
    let answer = client.ask("DELETE", "/things/1", &[]).await;
    assert_problem(&answer, 405, "method_not_allowed");
    assert_eq!(answer.header("allow"), "GET, HEAD, OPTIONS, PATCH");
    assert_eq!(
        client.ask("GET", "/things", &[]).await.header("allow"),
        "OPTIONS, POST"
    );
    let options = client.ask("OPTIONS", "/things/1", &[]).await;
    assert_eq!(
        (options.status, options.header("allow")),
        (204, "GET, HEAD, OPTIONS, PATCH".to_owned())
    );
    assert_eq!(
        client
            .ask("HEAD", "/things/1", &[("authorization", USER)])
            .await
            .status,
        200
    );
}

#[actix_web::test]
async fn a_forwarding_header_of_a_stranger_changes_nothing() {
    let client = client().await;
    let headers = [
        ("x-forwarded-for", "198.51.100.1"),
        ("x-forwarded-proto", "https"),
        ("host", "a.example"),
    ];
    let answer = client.ask("GET", "/who", &headers).await;
    assert_eq!(
        String::from_utf8(answer.body.clone()).unwrap(),
        "None 192.0.2.1 http://a.example"
    );
    assert_eq!(answer.header("strict-transport-security"), "");
}

#[actix_web::test]
async fn every_answer_has_its_id_and_the_security_headers() {
    let trusting = |options: &mut HttpOptions| {
        options.trusted_proxies = vec!["192.0.2.0/24".parse().unwrap()];
    };
    let client = Client::with(trusting, routes()).await;
    for path in ["/who", "/nothing", "/things/1", "/panics"] {
        let headers = [("x-request-id", "abc-1"), ("x-forwarded-proto", "https")];
        let answer = client.ask("GET", path, &headers).await;
        assert_eq!(answer.header("x-request-id"), "abc-1");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(
            answer.header("strict-transport-security"),
            "max-age=31536000"
        );
        assert_eq!(answer.header("server"), "");
    }
    let new = client
        .ask("GET", "/who", &[("x-request-id", "not fit")])
        .await
        .header("x-request-id");
    assert_eq!(new.len(), 36);
}

#[actix_web::test]
async fn a_panic_is_a_500_without_its_cause() {
    let client = client().await;
    let answer = client.get("/panics").await;
    assert_problem(&answer, 500, "internal_error");
    assert!(!String::from_utf8(answer.body).unwrap().contains("SECRET"));
    assert_eq!(client.get("/who").await.status, 200);
}

#[actix_web::test]
async fn cors_lets_all_in_without_credentials_or_some_with() {
    let open = client().await;
    let origin = ("origin", "https://app.example");
    let answer = open.ask("GET", "/things/1", &[origin]).await;
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (401, "*".to_owned())
    );
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    assert!(
        answer
            .header("access-control-expose-headers")
            .contains("X-Request-Id")
    );
    assert_eq!(
        open.get("/who").await.header("access-control-allow-origin"),
        ""
    );

    let origins = |options: &mut HttpOptions| {
        options.cors_origins = vec!["https://app.example".into()];
    };
    let listed = Client::with(origins, routes()).await;
    let answer = listed.ask("GET", "/nothing", &[origin]).await;
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "https://app.example"
    );
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
    assert!(answer.header("vary").contains("Origin"));
    let other = listed
        .ask("GET", "/who", &[("origin", "https://evil.example")])
        .await;
    assert_eq!(
        (other.status, other.header("vary")),
        (200, "Origin, Accept-Encoding".to_owned())
    );
    assert!(
        other
            .headers
            .keys()
            .all(|name| !name.as_str().starts_with("access-control"))
    );
}

#[actix_web::test]
async fn preflights_are_answered_before_versions_and_credentials() {
    let client = client().await;
    let headers = [
        ("origin", "https://app.example"),
        ("access-control-request-method", "PATCH"),
        ("access-control-request-headers", "authorization, x-version"),
        ("x-version", "0.1"),
    ];
    for path in ["/things/1", "/rest/d/t", "/token"] {
        let answer = client.ask("OPTIONS", path, &headers).await;
        assert_eq!(answer.status, 204);
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert_eq!(answer.header("access-control-max-age"), "86400");
        assert_eq!(
            answer.header("access-control-allow-headers"),
            "authorization, x-version"
        );
        assert!(
            answer
                .header("access-control-allow-methods")
                .contains("PATCH")
        );
    }
}
