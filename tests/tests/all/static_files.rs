//! The files of the static folder: what is sent of them, what is kept by clients, and what nobody
//! gets. No engine has a part in it.

use std::fs;
use std::path::Path;

use reqwest::Method;
use reqwest::header::HeaderName;

use crate::support::app::TestApp;
use crate::support::client::{Client, Reply};
use crate::support::engines::TestEngine;

/// A folder with a bit of everything, and what must not be reached from it.
fn folder() -> tempfile::TempDir {
    let room = tempfile::tempdir().expect("a folder");
    let folder = room.path().join("static");
    for name in ["guide", "empty", ".hidden"] {
        fs::create_dir_all(folder.join(name)).expect("a folder");
    }
    let page = "<!doctype html><title>Boats</title>".repeat(100);
    for (name, text) in [
        ("index.html", page.as_str()),
        ("guide/index.html", "<title>Guide</title>"),
        ("guide/note.txt", "æøå"),
        ("app-3f9a01bc.js", "let a = 1;"),
        ("boat.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("ten.bin", "0123456789"),
        (".env", "SECRET=1"),
        (".hidden/x.txt", "hidden"),
        ("style.css", "plain{}"),
        ("style.css.br", "as brotli"),
        ("style.css.gz", "as gzip"),
        ("../outside.txt", "outside"),
    ] {
        fs::write(folder.join(name), text).expect("a file");
    }
    let link = |target: &Path, name: &str| {
        std::os::unix::fs::symlink(target, folder.join(name)).expect("a link");
    };
    link(&room.path().join("outside.txt"), "leads-out.txt");
    link(room.path(), "leads-up");
    link(&folder.join("ten.bin"), "stays.bin");
    room
}

async fn start() -> (TestApp, tempfile::TempDir) {
    let room = folder();
    let path = room.path().join("static").display().to_string();
    let app = TestApp::start_with(TestEngine::Sqlite, &[("static_dir", &path)]).await;
    (app, room)
}

async fn ask(client: &Client, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = client.request(method, path);
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        request = request.header(name, *value);
    }
    Reply::of(request).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_come_with_type_and_rules_and_folders_by_their_index() {
    let (app, _room) = start().await;
    let client = app.anonymous();
    for (path, media_type, cache, page) in [
        ("/index.html", "text/html; charset=utf-8", "no-cache", true),
        ("/guide/", "text/html; charset=utf-8", "no-cache", true),
        (
            "/guide/note.txt",
            "text/plain; charset=utf-8",
            "public, max-age=3600",
            false,
        ),
        (
            "/app-3f9a01bc.js",
            "text/javascript; charset=utf-8",
            "public, max-age=31536000, immutable",
            false,
        ),
        ("/boat.svg", "image/svg+xml", "public, max-age=3600", true),
        (
            "/stays.bin",
            "application/octet-stream",
            "public, max-age=3600",
            false,
        ),
    ] {
        let reply = client.get(path).await.expect(200);
        assert_eq!(reply.header("content-type"), media_type, "{path}");
        assert_eq!(reply.header("cache-control"), cache, "{path}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        let policy = reply.header("content-security-policy");
        assert_eq!(policy.contains("default-src 'self'"), page, "{path}");
        assert_eq!(reply.header("content-disposition"), "", "{path}");
        let head = client.send(Method::HEAD, path).await.expect(200);
        assert_eq!(
            (head.header("content-type"), head.body.as_str()),
            (media_type, "")
        );
        assert_eq!(head.header("etag"), reply.header("etag"), "{path}");
    }
    let length = ask(&client, Method::HEAD, "/ten.bin", &[]).await;
    assert_eq!(length.header("content-length"), "10");
    assert_eq!(client.get("/guide/note.txt").await.body, "æøå");
    let to = client.get("/guide?x=1").await.expect(307);
    assert_eq!(to.header("location"), "/guide/?x=1");
    // The root stays a route, and so does every other path that is one.
    assert_eq!(
        client.get("/").await.expect(200).header("content-type"),
        "application/json"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_has_is_not_sent_again() {
    let (app, room) = start().await;
    let client = app.anonymous();
    let first = client.get("/ten.bin").await.expect(200);
    let (tag, date) = (first.header("etag"), first.header("last-modified"));
    assert!(
        tag.starts_with('"') && !date.is_empty(),
        "{:?}",
        first.headers
    );
    for (headers, expected) in [
        (vec![("if-none-match", tag)], 304),
        (vec![("if-none-match", "\"other\"")], 200),
        (vec![("if-modified-since", date)], 304),
        (
            vec![("if-modified-since", "Thu, 01 Jan 2015 00:00:00 GMT")],
            200,
        ),
        // The tag counts, whatever the date says.
        (
            vec![("if-none-match", "\"other\""), ("if-modified-since", date)],
            200,
        ),
        (vec![("if-match", tag)], 200),
        (vec![("if-match", "\"other\"")], 412),
        (
            vec![("if-unmodified-since", "Thu, 01 Jan 2015 00:00:00 GMT")],
            412,
        ),
    ] {
        let reply = ask(&client, Method::GET, "/ten.bin", &headers)
            .await
            .expect(expected);
        assert_eq!(reply.header("etag"), tag, "{headers:?}");
        match expected {
            304 => assert_eq!(reply.body, ""),
            412 => assert_eq!(reply.value()["code"], "precondition_failed"),
            _ => assert_eq!(reply.body, "0123456789"),
        }
    }
    fs::write(room.path().join("static/ten.bin"), "changed").expect("a file");
    let changed = ask(&client, Method::GET, "/ten.bin", &[("if-none-match", tag)]).await;
    assert_eq!(changed.expect(200).body, "changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ranges_are_sent_as_they_are_asked_for() {
    let (app, room) = start().await;
    let client = app.anonymous();
    let tag = client.get("/ten.bin").await.header("etag").to_owned();
    for (range, status, content_range, body) in [
        ("bytes=2-4", 206, "bytes 2-4/10", "234"),
        ("bytes=7-", 206, "bytes 7-9/10", "789"),
        ("bytes=-1", 206, "bytes 9-9/10", "9"),
        ("bytes=0-99", 206, "bytes 0-9/10", "0123456789"),
        ("lines=1-2", 200, "", "0123456789"),
    ] {
        let reply = ask(&client, Method::GET, "/ten.bin", &[("range", range)]).await;
        let reply = reply.expect(status);
        assert_eq!(reply.header("content-range"), content_range, "{range}");
        assert_eq!(reply.body, body, "{range}");
        assert_eq!(reply.header("etag"), tag);
    }
    let beyond = ask(&client, Method::GET, "/ten.bin", &[("range", "bytes=10-")]).await;
    assert_eq!(beyond.header("content-range"), "bytes */10");
    beyond.problem(416, "range_not_satisfiable");
    for (if_range, status) in [(tag.as_str(), 206), ("\"other\"", 200)] {
        let headers = [("range", "bytes=0-0"), ("if-range", if_range)];
        ask(&client, Method::GET, "/ten.bin", &headers)
            .await
            .expect(status);
    }

    // A file that nobody wants in memory: 64 MB with a hole.
    let large = fs::File::create(room.path().join("static/large.bin")).expect("a file");
    large.set_len(64 << 20).expect("a size");
    let reply = client.get("/large.bin").await.expect(200);
    assert_eq!(reply.body.len(), 64 << 20);
    let head = client.send(Method::HEAD, "/large.bin").await.expect(200);
    assert_eq!(head.header("content-length"), (64 << 20).to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compressed_forms_beside_a_file_are_sent_to_whoever_takes_them() {
    let (app, _room) = start().await;
    let client = app.anonymous();
    let mut tags = Vec::new();
    for (accepted, coding, body) in [
        ("gzip, br", "br", "as brotli"),
        ("gzip", "gzip", "as gzip"),
        ("br;q=0.5, gzip", "gzip", "as gzip"),
        ("br;q=0", "", "plain{}"),
        ("zstd", "", "plain{}"),
        ("", "", "plain{}"),
    ] {
        let headers = [("accept-encoding", accepted)];
        let reply = ask(&client, Method::GET, "/style.css", &headers)
            .await
            .expect(200);
        assert_eq!(reply.header("content-encoding"), coding, "{accepted}");
        assert_eq!(reply.body, body, "{accepted}");
        assert_eq!(reply.header("content-type"), "text/css; charset=utf-8");
        let vary: Vec<_> = reply.headers.get_all("vary").iter().collect();
        assert_eq!(vary, ["Accept-Encoding"], "{accepted}");
        let tag = reply.header("etag").to_owned();
        let known = [("accept-encoding", accepted), ("if-none-match", &tag)];
        ask(&client, Method::GET, "/style.css", &known)
            .await
            .expect(304);
        tags.push(tag);
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 3, "each form has a tag of its own: {tags:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_outside_of_the_folder_and_nothing_hidden_is_sent() {
    let (app, _room) = start().await;
    let client = app.anonymous();
    for path in [
        "/.env",
        "/.hidden/x.txt",
        "/leads-out.txt",
        "/leads-up/outside.txt",
        "/leads-up/",
        "/empty",
        "/empty/",
        "/nothing.txt",
        "/ten.bin/",
        "/style.css%00.br",
        "/guide%2f..%2f..%2foutside.txt",
        "/%2e%2e/outside.txt",
        "/%252e%252e/outside.txt",
        "/static/index.html",
    ] {
        client.get(path).await.problem(404, "not_found");
    }
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        client
            .send(method, "/ten.bin")
            .await
            .problem(404, "not_found");
    }
    // Clients clean a path with dots, so this one is written by hand.
    for path in [
        "/../outside.txt",
        "/guide/../../outside.txt",
        "//outside.txt",
    ] {
        let address = app.base().trim_start_matches("http://").to_owned();
        let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let answer = tokio::task::spawn_blocking(move || {
            use std::io::{Read as _, Write as _};
            let mut stream = std::net::TcpStream::connect(address).expect("a connection");
            stream.write_all(head.as_bytes()).expect("a request");
            let mut text = String::new();
            stream.read_to_string(&mut text).expect("an answer");
            text
        });
        let answer = answer.await.expect("an exchange");
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_landing_page_and_the_logo_ship() {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../static");
    let app = TestApp::start_with(TestEngine::Sqlite, &[("static_dir", shipped)]).await;
    let client = app.anonymous();
    let page = client.get("/index.html").await.expect(200);
    assert!(page.body.contains("<title>Tidegate</title>"));
    // What the page names is there.
    for link in page
        .body
        .split(['"', '\''])
        .filter(|text| text.starts_with('/'))
    {
        let status = client.get(link).await.status.as_u16();
        assert!([200, 401].contains(&status), "{link}: {status}");
    }
    for (path, media_type) in [("/logo.png", "image/png"), ("/logo.svg", "image/svg+xml")] {
        let logo = client.get(path).await.expect(200);
        assert_eq!(logo.header("content-type"), media_type);
    }
}
