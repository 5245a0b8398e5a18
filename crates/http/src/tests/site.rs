//! The root, the documentation, health and static files.

use super::{assert_problem, client, routes};
use crate::app::HttpOptions;
use crate::testing::{ADMIN, Client, USER, basic};

#[actix_web::test]
async fn the_root_checks_credentials_or_shows_the_way() {
    let client = client().await;
    let welcome = client
        .ask("GET", "/", &[("host", "a.example"), ("accept", "*/*")])
        .await;
    assert_eq!(welcome.json()["docs"], "http://a.example/docs");
    assert_eq!(welcome.json()["openapi"], "http://a.example/openapi.json");
    assert!(welcome.json()["version"].is_string() && welcome.json()["message"].is_string());
    let browser = client
        .ask(
            "GET",
            "/",
            &[("host", "a.example"), ("accept", "text/html,*/*")],
        )
        .await;
    assert_eq!(
        (browser.status, browser.header("location")),
        (307, "http://a.example/docs".to_owned())
    );
    for (name, secret) in [("ann", "secret"), ("7", "key7")] {
        let answer = client
            .ask("GET", "/", &[("authorization", &basic(name, secret))])
            .await;
        assert_eq!(
            (answer.status, answer.json()["username"].as_str()),
            (200, Some(name))
        );
    }
    let answer = client
        .ask(
            "GET",
            "/",
            &[("authorization", ADMIN), ("accept", "text/html")],
        )
        .await;
    assert_eq!(answer.json()["username"], "admin");
    assert_eq!(
        client
            .ask("GET", "/", &[("authorization", &basic("7", "x"))])
            .await
            .status,
        401
    );
}

#[actix_web::test]
async fn the_documentation_is_for_users_unless_it_is_public() {
    let client = client().await;
    let answer = client.ask("GET", "/docs", &[("authorization", USER)]).await;
    let page = String::from_utf8(answer.body.clone()).unwrap();
    assert!(page.contains("/things/{id}") && !page.contains("<script"));
    assert!(
        answer
            .header("content-security-policy")
            .contains("default-src 'none'")
    );
    let answer = client
        .ask("GET", "/openapi.json", &[("authorization", USER)])
        .await;
    assert_eq!(answer.json()["openapi"], "3.1.0");
    let public = Client::with(|options| options.docs_public = true, routes()).await;
    assert_eq!(public.get("/docs").await.status, 200);
    assert_eq!(public.get("/openapi.json").await.status, 200);
}

#[actix_web::test]
async fn health_needs_neither_credentials_nor_for_life_the_database() {
    let client = Client::without_database().await;
    let bad = [("authorization", "Bearer wrong")];
    assert_eq!(client.ask("GET", "/health/live", &bad).await.status, 200);
    let answer = client.ask("GET", "/health/ready", &bad).await;
    assert_problem(&answer, 503, "not_ready");
    assert_eq!(answer.header("retry-after"), "2");
    assert_eq!(Client::new().await.get("/health/ready").await.status, 200);
}

#[actix_web::test]
async fn files_of_the_static_folder_are_served_where_no_route_is() {
    let folder = std::env::temp_dir().join(format!("tidegate-static-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("logo.png"), b"png").unwrap();
    let with_folder = |options: &mut HttpOptions| options.static_dir = Some(folder.clone());
    let client = Client::with(with_folder, routes()).await;
    let logo = client
        .ask("GET", "/logo.png", &[("x-version", "0.1")])
        .await;
    assert_eq!(
        (
            logo.status,
            logo.header("content-type"),
            logo.body.as_slice()
        ),
        (200, "image/png".into(), &b"png"[..])
    );
    for path in [
        "/other.png",
        "/../Cargo.toml",
        "/%2e%2e/Cargo.toml",
        "/..%2f..%2fetc/passwd",
    ] {
        assert_problem(&client.get(path).await, 404, "not_found");
    }
    assert_eq!(client.ask("POST", "/logo.png", &[]).await.status, 404);
    std::fs::remove_dir_all(&folder).unwrap();
}
