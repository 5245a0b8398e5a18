//! Who gets in: credentials, rights, and in which order they are looked at.

use super::{assert_problem, client, send};
use crate::route::Access;
use crate::testing::{ADMIN, Client, EXPIRED, USER, basic, example_path, request};

#[actix_web::test]
async fn authentication_comes_before_the_right_and_both_before_the_body() {
    let client = client().await;
    let bad = "{not json";
    assert_problem(
        &send(&client, "POST", "/things", None, bad).await,
        401,
        "not_authenticated",
    );
    assert_problem(
        &send(&client, "POST", "/things", Some(EXPIRED), bad).await,
        401,
        "token_expired",
    );
    assert_problem(
        &send(&client, "POST", "/things", Some(USER), bad).await,
        403,
        "forbidden",
    );
    assert_problem(
        &send(&client, "POST", "/things", Some(ADMIN), bad).await,
        400,
        "malformed_body",
    );
    assert_problem(
        &send(&client, "POST", "/things", Some(ADMIN), "{}").await,
        422,
        "validation_failed",
    );
    assert_eq!(
        send(&client, "POST", "/things", Some(ADMIN), r#"{"name":"a"}"#)
            .await
            .status,
        201
    );
}

#[actix_web::test]
async fn a_path_id_that_is_no_number_is_422_but_only_for_those_who_are_known() {
    let client = client().await;
    for method in ["GET", "PATCH"] {
        assert_problem(
            &send(&client, method, "/things/abc", None, "").await,
            401,
            "not_authenticated",
        );
        let refused = send(&client, method, "/things/abc", Some(USER), "{}").await;
        assert_problem(&refused, 422, "validation_failed");
        assert_eq!(refused.json()["errors"][0]["pointer"], "/id");
    }
    let fine = r#"{"name":"a"}"#;
    assert_eq!(
        send(&client, "PATCH", "/things/7", Some(USER), fine)
            .await
            .status,
        200
    );
    assert_eq!(
        send(&client, "PATCH", "/things/8", Some(ADMIN), fine)
            .await
            .status,
        200
    );
    assert_problem(
        &send(&client, "PATCH", "/things/8", Some(USER), "x").await,
        403,
        "forbidden",
    );
    let refused = send(&client, "GET", "/things/1?limit=x", Some(USER), "").await;
    assert_problem(&refused, 422, "validation_failed");
    assert_eq!(refused.json()["errors"][0]["pointer"], "/limit");
}

#[actix_web::test]
async fn every_401_says_how_to_authenticate() {
    let client = client().await;
    let challenge = async |path: &'static str, authorization: &str| {
        let answer = client
            .ask("GET", path, &[("authorization", authorization)])
            .await;
        assert_eq!(answer.status, 401, "{path} {authorization}");
        answer.header("www-authenticate")
    };
    let expired = r#"Bearer realm="tidegate", error="invalid_token", error_description="The access token expired""#;
    assert_eq!(challenge("/things/1", EXPIRED).await, expired);
    let plain = r#"Bearer realm="tidegate""#;
    assert_eq!(
        client.get("/things/1").await.header("www-authenticate"),
        plain
    );
    assert_eq!(challenge("/things/1", "Nonsense").await, plain);
    let basic_only = r#"Basic realm="tidegate", charset="UTF-8""#;
    for path in ["/webhooks", "/docs", "/openapi.json"] {
        assert_eq!(
            client.get(path).await.header("www-authenticate"),
            basic_only,
            "{path}"
        );
    }
    assert_eq!(challenge("/", &basic("ann", "wrong")).await, basic_only);
}

#[actix_web::test]
async fn an_api_key_is_taken_everywhere_and_a_password_only_at_the_root_and_the_documentation() {
    let client = client().await;
    let status = async |path: &'static str, authorization: String| {
        client
            .ask("GET", path, &[("authorization", &authorization)])
            .await
            .status
    };
    for path in [
        "/",
        "/things/1",
        "/webhooks",
        "/docs",
        "/openapi.json",
        "/rest/d/t",
    ] {
        assert_eq!(status(path, basic("7", "key7")).await, 200, "{path}");
        assert_eq!(status(path, basic("7", "wrong")).await, 401, "{path}");
        assert_eq!(status(path, basic("8", "key7")).await, 401, "{path}");
        // `7abc` is a user name, never 7.
        assert_eq!(status(path, basic("7abc", "key7")).await, 401, "{path}");
    }
    for path in ["/", "/docs", "/openapi.json"] {
        assert_eq!(status(path, basic("ann", "secret")).await, 200, "{path}");
    }
    for path in ["/things/1", "/webhooks", "/rest/d/t"] {
        assert_eq!(status(path, basic("ann", "secret")).await, 401, "{path}");
    }
    assert_eq!(
        client
            .get("/things/1?access_token=user&token=user&api_key=key7")
            .await
            .status,
        401
    );
}

#[actix_web::test]
async fn public_routes_know_who_asks_and_refuse_bad_credentials_only_where_they_look() {
    let client = client().await;
    let body = async |authorization: &str| {
        let answer = client
            .ask("GET", "/who", &[("authorization", authorization)])
            .await;
        (
            answer.status,
            String::from_utf8(answer.body)
                .unwrap()
                .split(' ')
                .next()
                .unwrap()
                .to_owned(),
        )
    };
    assert_eq!(body(USER).await, (200, "Some(7)".to_owned()));
    assert_eq!(body(EXPIRED).await.0, 401);
    let token =
        request("POST", "/token", &[("authorization", EXPIRED)]).set_payload(r#"{"name":"a"}"#);
    assert_eq!(client.send(token).await.status, 200);
}

#[actix_web::test]
async fn an_unsupported_version_is_refused_before_anything_else_is_looked_at() {
    let client = client().await;
    let ask = async |method: &'static str, path: &'static str, version: &str| {
        client.ask(method, path, &[("x-version", version)]).await
    };
    assert_eq!(ask("POST", "/things", "1.0").await.status, 401);
    assert_eq!(ask("PUT", "/things", "0.8").await.status, 426);
    for version in ["0.8", "7", "", "1.0.0"] {
        let answer = ask("POST", "/things", version).await;
        assert_problem(&answer, 426, "version_not_supported");
        assert_eq!(answer.json()["detail"], "Version not supported anymore");
    }
    assert_eq!(
        ask("GET", "/rest/d/t", "0.8").await.code(),
        "version_not_supported"
    );
    assert_eq!(ask("GET", "/", "0.8").await.status, 426);
    assert_eq!(ask("GET", "/who", "1.0").await.status, 200);
    for (path, status) in [
        ("/health/live", 200),
        ("/health/ready", 200),
        ("/docs", 401),
        ("/openapi.json", 401),
    ] {
        assert_eq!(ask("GET", path, "0.8").await.status, status, "{path}");
    }
}

#[actix_web::test]
async fn failures_to_sign_in_end_in_429_with_the_time_to_wait() {
    let client = client().await;
    let wrong = basic("ann", "wrong");
    let mut last = client.get("/who").await;
    for _ in 0..30 {
        last = client.ask("GET", "/", &[("authorization", &wrong)]).await;
    }
    assert_problem(&last, 429, "too_many_attempts");
    assert!(last.header("retry-after").parse::<u64>().unwrap() >= 1);
}

#[actix_web::test]
async fn handlers_ask_for_the_rights_that_the_table_names() {
    for route in crate::route::table() {
        let path = example_path(&route.path);
        let status = async |token: &str| {
            // A new client each time: what a handler then does here is not of interest,
            // and most mocks panic.
            let client = Client::new().await;
            let headers: &[(&str, &str)] = if token.is_empty() {
                &[]
            } else {
                &[("authorization", token)]
            };
            client
                .ask(route.method.as_str(), &path, headers)
                .await
                .status
        };
        let (anonymous, user) = (status("").await, status(USER).await);
        let (anonymous, user) = (matches!(anonymous, 401 | 403), matches!(user, 401 | 403));
        let expected = match route.access {
            Access::Public => (false, false),
            Access::SignedIn | Access::AdminOrOwner | Access::ReadRows | Access::Docs => {
                (true, false)
            }
            Access::Admin | Access::AdminOrSelf | Access::WriteRows => (true, true),
        };
        assert_eq!((anonymous, user), expected, "{route:?}");
    }
}
