//! Compressed answers: who gets them, what they hold, and what their entity tags mean.

use std::io::Read as _;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::Client;
use crate::support::engines::TestEngine;
use crate::support::rest::create_table;

/// An answer with its body as it came.
struct Answer {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }

    fn varies_by_coding(&self) -> bool {
        let lines = self.headers.get_all("vary").iter();
        let mut names = lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(','));
        names.any(|name| name.trim().eq_ignore_ascii_case("accept-encoding"))
    }

    fn plain(&self) -> String {
        let mut text = String::new();
        let body = self.body.as_slice();
        match self.header("content-encoding") {
            "gzip" => flate2::read::GzDecoder::new(body).read_to_string(&mut text),
            "br" => brotli::Decompressor::new(body, 4096).read_to_string(&mut text),
            "zstd" => zstd::Decoder::new(body)
                .expect("zstd")
                .read_to_string(&mut text),
            _ => (&*body).read_to_string(&mut text),
        }
        .expect("a body in its coding");
        text
    }
}

async fn ask(client: &Client, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    send(client.request(method, path), headers).await
}

async fn send(mut request: reqwest::RequestBuilder, headers: &[(&str, &str)]) -> Answer {
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.expect("an answer");
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.bytes().await.expect("a body").to_vec(),
    }
}

on_every_engine! {
    async fn rows_come_compressed_and_are_the_same(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let db = app.gateway_database("squeeze").await;
        create_table(&app, &db, &json!({"name": "t", "columns": [{"name": "id", "type": "int", "nullable": false}, {"name": "s", "type": "varchar(100)"}], "primary_key": ["id"]})).await;
        let rows: Vec<Value> = (0..3000).map(|id| json!({"id": id, "s": format!("row {id} of many that look alike")})).collect();
        let admin = app.admin();
        admin.post(&format!("/rest/{db}/t"), &json!(rows)).await.expect(201);
        let path = format!("/rest/{db}/t?order=id");
        let plain = ask(&admin, Method::GET, &path, &[]).await;
        assert_eq!((plain.status, plain.header("content-encoding")), (200, ""));
        assert!(plain.varies_by_coding(), "{:?}", plain.headers);
        for (accepted, coding) in [("gzip", "gzip"), ("br", "br"), ("zstd", "zstd"), ("gzip, deflate, br, zstd", "zstd"), ("gzip;q=0.9, br;q=0.8", "gzip"), ("deflate", "")] {
            let answer = ask(&admin, Method::GET, &path, &[("accept-encoding", accepted)]).await;
            assert_eq!((answer.status, answer.header("content-encoding")), (200, coding), "{accepted}");
            assert_eq!(answer.plain(), plain.plain(), "{accepted}");
            assert!(answer.varies_by_coding());
            if !coding.is_empty() {
                assert!(answer.body.len() * 4 < plain.body.len(), "{accepted}: {} of {}", answer.body.len(), plain.body.len());
            }
        }
        let csv = ask(&admin, Method::GET, &path, &[("accept-encoding", "br"), ("accept", "text/csv")]).await;
        assert_eq!(csv.header("content-encoding"), "br");
        assert_eq!(csv.plain().lines().count(), 3001);
    }

    async fn a_tag_of_a_compressed_answer_means_its_record(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let text = "a description of some length ".repeat(60);
        let item = ann.post("/items", &json!({"name": "Oar", "description": text})).await.expect(201).value();
        let path = format!("/items/{}", item["id"]);
        let plain = ask(&ann, Method::GET, &path, &[]).await;
        for coding in ["gzip", "br", "zstd"] {
            let accepts = ("accept-encoding", coding);
            let got = ask(&ann, Method::GET, &path, &[accepts]).await;
            let tag = got.header("etag").to_owned();
            assert_eq!((got.status, got.header("content-encoding")), (200, coding));
            assert_ne!(tag, plain.header("etag"), "another representation");
            assert!(tag.starts_with('"') && tag.ends_with(&format!("-{coding}\"")), "{tag}");
            let again = ask(&ann, Method::GET, &path, &[accepts, ("if-none-match", &tag)]).await;
            assert_eq!((again.status, again.header("etag")), (304, tag.as_str()));
            assert!(again.varies_by_coding());
            let other = ask(&ann, Method::GET, &path, &[accepts, ("if-none-match", "\"other\"")]).await;
            assert_eq!(other.status, 200);

            let change = ann.request(Method::PATCH, &path).json(&json!({"name": format!("Oar {coding}")}));
            let changed = send(change, &[accepts, ("if-match", &tag)]).await;
            assert_eq!(changed.status, 200, "{}", changed.plain());
            // What the change answers with is as good for the next one.
            let next = changed.header("etag").to_owned();
            assert!(next.ends_with(&format!("-{coding}\"")), "{next}");
            let late = ann.request(Method::PATCH, &path).json(&json!({"name": "too late"}));
            assert_eq!(send(late, &[("if-match", &tag)]).await.status, 412);
            let known = ask(&ann, Method::GET, &path, &[accepts, ("if-none-match", &next)]).await;
            assert_eq!(known.status, 304);
        }
    }

    async fn short_answers_errors_and_secrets_stay_as_they_are(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let admin = app.admin();
        let accepts = [("accept-encoding", "gzip, br, zstd")];
        for path in ["/auth/me", "/roles", "/nothing", "/items/999999"] {
            let answer = ask(&admin, Method::GET, path, &accepts).await;
            assert_eq!(answer.header("content-encoding"), "", "{path}");
        }
        // However long they are.
        let long = "x".repeat(4000);
        let problem = ask(&admin, Method::GET, &format!("/rest/none/t?a=eq.{long}"), &accepts).await;
        assert_eq!((problem.status, problem.header("content-encoding")), (404, ""));
        let signed_in = admin.request(Method::POST, "/auth/token").json(&json!({"username": "admin", "password": crate::support::app::ADMIN_PASSWORD}));
        let tokens = send(signed_in, &accepts).await;
        assert_eq!((tokens.status, tokens.header("content-encoding")), (200, ""));
        assert!(serde_json::from_slice::<Value>(&tokens.body).expect("JSON")["access_token"].is_string());
        let document = ask(&admin, Method::GET, "/openapi.json", &accepts).await;
        assert_eq!(document.header("content-encoding"), "zstd");
        assert!(document.plain().starts_with('{'));

        let off = app.second_node(&[("http.compression", "false")]).await;
        let document = ask(&off.admin(), Method::GET, "/openapi.json", &accepts).await;
        assert_eq!((document.header("content-encoding"), document.varies_by_coding()), ("", false));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn static_files_are_compressed_as_a_whole_and_never_in_part() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "a line of many\n".repeat(1000);
    std::fs::write(folder.path().join("long.txt"), &text).expect("a file");
    std::fs::write(folder.path().join("long.png"), &text).expect("a file");
    let path = folder.path().display().to_string();
    let app = TestApp::start_with(TestEngine::Sqlite, &[("static_dir", &path)]).await;
    let client = app.anonymous();
    let accepts = ("accept-encoding", "gzip");
    let whole = ask(&client, Method::GET, "/long.txt", &[accepts]).await;
    assert_eq!(whole.header("content-encoding"), "gzip");
    assert_eq!(
        (whole.plain(), whole.header("accept-ranges")),
        (text.clone(), "")
    );
    let tag = whole.header("etag");
    let known = ask(
        &client,
        Method::GET,
        "/long.txt",
        &[accepts, ("if-none-match", tag)],
    )
    .await;
    assert_eq!((known.status, known.header("etag")), (304, tag));
    let range = ("range", "bytes=0-1499");
    let part = ask(&client, Method::GET, "/long.txt", &[accepts, range]).await;
    assert_eq!((part.status, part.header("content-encoding")), (206, ""));
    assert_eq!(part.body, &text.as_bytes()[..1500]);
    // Bytes of the file must not be put behind those of its compressed form.
    let headers = [accepts, range, ("if-range", tag)];
    let mixed = ask(&client, Method::GET, "/long.txt", &headers).await;
    assert_eq!((mixed.status, mixed.plain()), (200, text));
    let picture = ask(&client, Method::GET, "/long.png", &[accepts]).await;
    assert_eq!(picture.header("content-encoding"), "");
}
