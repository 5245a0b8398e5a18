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
    for path in ["/docs", "/docs/", "/swagger", "/swagger/"] {
        for known in [USER.to_owned(), basic("ann", "secret"), basic("7", "key7")] {
            let answer = client.ask("GET", path, &[("authorization", &known)]).await;
            assert_eq!(answer.status, 200, "{path} {known}");
        }
        for unknown in [&[][..], &[("authorization", "Basic YW5uOng=")]] {
            let answer = client.ask("GET", path, unknown).await;
            assert_eq!(answer.status, 401, "{path}");
            let challenge = answer.header("www-authenticate");
            assert!(challenge.starts_with("Basic "), "{challenge}");
        }
    }
    let answer = client
        .ask("GET", "/openapi.json", &[("authorization", USER)])
        .await;
    assert_eq!(answer.json()["openapi"], "3.1.0");
    let public = Client::with(|options| options.docs_public = true, routes()).await;
    assert_eq!(public.get("/docs").await.status, 200);
    assert_eq!(public.get("/openapi.json").await.status, 200);
}

/// What a page loads.
fn asked(page: &str) -> Vec<&str> {
    ["src=\"", "href=\""]
        .iter()
        .flat_map(|attribute| page.split(attribute).skip(1))
        .filter_map(|rest| rest.split('"').next())
        .filter(|path| path.contains("/assets/"))
        .collect()
}

#[actix_web::test]
async fn the_pages_load_what_the_program_holds_and_nothing_else() {
    let client = client().await;
    for path in ["/docs", "/swagger"] {
        let answer = client.ask("GET", path, &[("authorization", USER)]).await;
        let policy = answer.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';"),
            "{policy}"
        );
        assert!(!policy.contains("http"), "{policy}");
        assert_eq!(answer.header("cache-control"), "private, no-cache");
        let page = String::from_utf8(answer.body.clone()).unwrap();
        assert!(!page.contains("http") && !page.contains('{'), "{page}");
        assert!(asked(&page).len() >= 3, "{page}");
        for file in asked(&page) {
            let plain = client.get(file).await;
            let packed = client
                .ask("GET", file, &[("accept-encoding", "gzip, br")])
                .await;
            assert_eq!((plain.status, packed.status), (200, 200), "{file}");
            assert!(
                plain.header("cache-control").contains("immutable"),
                "{file}"
            );
            assert_eq!(plain.header("content-encoding"), "");
            if packed.header("content-encoding") == "gzip" {
                assert!(packed.body.len() < plain.body.len() / 2, "{file}");
                assert_eq!(packed.header("vary"), "Accept-Encoding");
            }
            let (start, name) = file.rsplit_once('/').unwrap();
            let stamp = start.rsplit('/').next().unwrap();
            // A page of another version may ask for it: it is given, but not kept.
            let other = client.get(&file.replace(stamp, "000000000000")).await;
            assert_eq!(other.header("cache-control"), "no-store, no-transform");
            assert_eq!((other.status, other.body), (200, plain.body), "{name}");
        }
    }
    for path in [
        "/docs/assets/x/other.js",
        "/docs/assets/x/..%2fdocs.css",
        "/docs/assets/x",
    ] {
        assert_problem(&client.get(path).await, 404, "not_found");
    }
}

#[actix_web::test]
async fn the_pages_stand_below_the_path_of_a_public_address_and_may_ask_its_origin() {
    let public = |options: &mut HttpOptions| {
        options.docs_public = true;
        options.public_url = Some("https://api.example.org/tides".to_owned());
    };
    let client = Client::with(public, routes()).await;
    let answer = client.get("/swagger").await;
    let policy = answer.header("content-security-policy");
    assert!(
        policy.ends_with("connect-src 'self' https://api.example.org"),
        "{policy}"
    );
    let page = String::from_utf8(answer.body).unwrap();
    assert!(
        page.contains("data-document=\"/tides/openapi.json\""),
        "{page}"
    );
    let files = asked(&page);
    assert!(
        files
            .iter()
            .all(|file| file.starts_with("/tides/docs/assets/")),
        "{files:?}"
    );
}

#[actix_web::test]
async fn the_document_is_not_sent_to_whoever_has_it() {
    let client = client().await;
    let first = client
        .ask("GET", "/openapi.json", &[("authorization", USER)])
        .await;
    let tag = first.header("etag");
    let again = [("authorization", USER), ("if-none-match", tag.as_str())];
    let again = client.ask("GET", "/openapi.json", &again).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
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
