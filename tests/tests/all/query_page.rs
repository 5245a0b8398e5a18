//! The examples of `docs/QUERY.md` give the answers that stand there, on every engine.
//!
//! A block of `http` that begins with a method is a request: headers, a blank line, the body. The
//! next block is its answer: `json` for a status of 200 and a body, or `http` with a status line,
//! those headers that matter, a blank line and the body. Of an error's body the members that stand
//! there are compared. A request without an answer has only to succeed. With `UPDATE_DOCS=1` the
//! answers of SQLite are written into the page.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use reqwest::Method;
use serde_json::Value;

use crate::support::app::TestApp;
use crate::support::client::Reply;
use crate::support::engines::TestEngine;

/// The database that the page speaks of.
const DATABASE: &str = "harbour";

/// The members of an error that the page shows.
const SHOWN: [&str; 4] = ["code", "details", "hint", "message"];

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/QUERY.md")
}

/// A part of the page.
enum Part<'t> {
    /// A line outside all blocks, or of a block that is no example.
    Line(&'t str),
    Request(Message<'t>),
    Answer {
        status: u16,
        message: Message<'t>,
    },
}

/// What a block holds.
struct Message<'t> {
    lines: Vec<&'t str>,
    first: &'t str,
    headers: Vec<(&'t str, &'t str)>,
    body: String,
}

fn message<'t>(lines: Vec<&'t str>) -> Message<'t> {
    let first = lines.first().copied().unwrap_or_default();
    let headers = lines.iter().skip(1).take_while(|line| !line.is_empty());
    let body = lines.iter().skip_while(|line| !line.is_empty()).skip(1);
    Message {
        headers: headers.filter_map(|line| line.split_once(": ")).collect(),
        body: body.copied().collect::<Vec<_>>().join("\n"),
        first,
        lines,
    }
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut lines = text.lines();
    let mut parts = Vec::new();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            parts.push(Part::Line(line));
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        match language {
            "http" => {
                let message = message(block);
                parts.push(match message.first.strip_prefix("HTTP/1.1 ") {
                    Some(status) => Part::Answer {
                        status: status.parse().expect("a status"),
                        message,
                    },
                    None => Part::Request(message),
                });
            }
            "json" => parts.push(Part::Answer {
                status: 200,
                message: Message {
                    first: "",
                    headers: Vec::new(),
                    body: block.join("\n"),
                    lines: block,
                },
            }),
            _ => {
                parts.push(Part::Line(line));
                parts.extend(block.into_iter().map(Part::Line));
                parts.push(Part::Line("```"));
            }
        }
    }
    parts
}

async fn send(app: &TestApp, database: &str, request: &Message<'_>) -> Reply {
    let (method, path) = request.first.split_once(' ').expect("a method and a path");
    let path = path
        .replacen(
            &format!("/rest/{DATABASE}/"),
            &format!("/rest/{database}/"),
            1,
        )
        .replacen(
            &format!("/databases/{DATABASE}/"),
            &format!("/databases/{database}/"),
            1,
        );
    let method: Method = method.parse().expect("a method");
    let mut sent = app.admin().request(method, &path);
    for (name, value) in &request.headers {
        sent = sent.header(*name, *value);
    }
    if !request.body.is_empty() {
        sent = sent.body(request.body.clone());
    }
    Reply::of(sent).await
}

/// The part of a body that the page shows.
fn shown(reply: &Reply) -> Option<Value> {
    let mut value: Value = serde_json::from_str(&reply.body).ok()?;
    if !reply.status.is_success()
        && let Some(members) = value.as_object_mut()
    {
        members.retain(|name, _| SHOWN.contains(&name.as_str()));
        members.sort_keys();
    }
    Some(value)
}

fn assert_is(reply: &Reply, status: u16, expected: &Message<'_>, request: &str) {
    assert_eq!(reply.status.as_u16(), status, "{request}: {}", reply.body);
    for (name, value) in &expected.headers {
        assert_eq!(reply.header(name), *value, "{request}: {name}");
    }
    if expected.body.is_empty() {
        if reply.status.is_success() {
            assert_eq!(reply.body, "", "{request}");
        }
        return;
    }
    let body: Value =
        serde_json::from_str(&expected.body).unwrap_or_else(|error| panic!("{request}: {error}"));
    assert_eq!(shown(reply), Some(body), "{request}");
}

/// JSON with a row a line.
fn print(value: &Value) -> String {
    match value {
        Value::Array(rows) if rows.len() > 1 => {
            let rows: Vec<_> = rows.iter().map(spaced).collect();
            format!("[\n  {}\n]", rows.join(",\n  "))
        }
        Value::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .map(|(name, value)| format!("{}: {}", Value::from(name.as_str()), spaced(value)))
                .collect();
            format!("{{\n  {}\n}}", members.join(",\n  "))
        }
        _ => spaced(value),
    }
}

/// JSON in one line.
fn spaced(value: &Value) -> String {
    match value {
        Value::Array(values) => {
            let values: Vec<_> = values.iter().map(spaced).collect();
            format!("[{}]", values.join(", "))
        }
        Value::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .map(|(name, value)| format!("{}: {}", Value::from(name.as_str()), spaced(value)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
        value => value.to_string(),
    }
}

/// An answer as a block of the page, with the headers that stood there.
fn block(reply: &Reply, headers: &[(&str, &str)]) -> String {
    let status = reply.status.as_u16();
    let body = shown(reply).map(|value| print(&value));
    if status == 200
        && headers.is_empty()
        && let Some(body) = &body
    {
        return format!("```json\n{body}\n```\n");
    }
    let mut text = format!("```http\nHTTP/1.1 {status}\n");
    for (name, _) in headers {
        let _ = writeln!(text, "{name}: {}", reply.header(name));
    }
    if let Some(body) = body {
        let _ = write!(text, "\n{body}\n");
    }
    text + "```\n"
}

#[allow(
    clippy::disallowed_methods,
    reason = "tests read their own environment"
)]
fn updates(engine: TestEngine) -> bool {
    engine == TestEngine::Sqlite && std::env::var("UPDATE_DOCS").is_ok()
}

on_every_engine! {
    async fn the_examples_of_the_query_page_are_right(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let database = app.gateway_database(DATABASE).await;
        let text = fs::read_to_string(page()).expect("docs/QUERY.md");
        let mut written = String::new();
        let mut last: Option<(Reply, &str)> = None;
        let mut examples = 0;
        for part in parts(&text) {
            match part {
                Part::Line(line) => written += &format!("{line}\n"),
                Part::Request(request) => {
                    // What has no answer on the page is a step of the preparation.
                    if let Some((reply, request)) = last.take() {
                        assert!(reply.status.is_success(), "{request}: {}", reply.body);
                    }
                    written += &format!("```http\n{}\n```\n", request.lines.join("\n"));
                    last = Some((send(&app, &database, &request).await, request.first));
                }
                Part::Answer { status, message } => {
                    let (reply, request) = last.take().expect("a request before the answer");
                    examples += 1;
                    written += &block(&reply, &message.headers);
                    if !updates(engine) {
                        assert_is(&reply, status, &message, request);
                    }
                }
            }
        }
        assert!(examples > 40, "{examples} examples are not all of them");
        if updates(engine) {
            fs::write(page(), written).expect("docs/QUERY.md");
        }
    }
}
