//! The examples of PostgREST's documentation, told anew on a database of films, shops and people:
//! what its chapters on tables, embedding, aggregates, pagination, preferences and errors show of
//! requests and answers holds here, on every engine.
//!
//! An example is a request and the whole of its answer: status, body, and the headers that matter.
//! All are sent in their order to one Tidegate.

mod aggregates;
mod data;
mod embedding;
mod errors;
mod pagination;
mod preferences;
mod tables;

use reqwest::Method;
use serde_json::Value;

use crate::support::client::Reply;
use crate::support::engines::TestEngine;
use crate::support::rest::assert_tells_nothing_of_the_inside;

use data::Cinema;

/// A request, and what its answer has to be.
struct Example {
    request: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: Option<&'static str>,
    answer: Answer,
    shown: &'static [(&'static str, &'static str)],
}

/// Status and body of an answer.
enum Answer {
    /// A JSON document, with its numbers as they are written and its members in their order.
    Json(u16, &'static str),
    /// A text.
    Text(u16, &'static str),
    /// No body.
    Empty(u16),
    /// An error with these members; others are there too.
    Error(u16, &'static str),
}

/// A request as `METHOD path`, the path below the database; a space in the path is sent as such.
const fn ask(request: &'static str, answer: Answer) -> Example {
    Example {
        request,
        headers: &[],
        body: None,
        answer,
        shown: &[],
    }
}

/// Rows as they are answered to a read.
const fn rows(json: &'static str) -> Answer {
    Answer::Json(200, json)
}

impl Example {
    /// The request with these headers.
    const fn with(self, headers: &'static [(&'static str, &'static str)]) -> Self {
        Self { headers, ..self }
    }

    /// The request with this body; JSON unless its headers say otherwise.
    const fn send(self, body: &'static str) -> Self {
        Self {
            body: Some(body),
            ..self
        }
    }

    /// The answer with these headers; an empty text means that there is none.
    const fn shows(self, shown: &'static [(&'static str, &'static str)]) -> Self {
        Self { shown, ..self }
    }

    /// Sends it, and says what of the answer is not as it should be.
    async fn run(&self, cinema: &Cinema) -> Option<String> {
        let (method, path) = self.request.split_once(' ').expect("METHOD path");
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let path = format!("/rest/{}/{}", cinema.db, escape(path));
        let mut request = cinema.admin.request(method, &path);
        let has = |name: &str| {
            self.headers
                .iter()
                .any(|(it, _)| it.eq_ignore_ascii_case(name))
        };
        for (name, value) in self.headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = self.body {
            if !has("content-type") {
                request = request.header("content-type", "application/json");
            }
            request = request.body(body);
        }
        let reply = Reply::of(request).await;
        let faults = self.faults(&reply, &cinema.db);
        (!faults.is_empty()).then(|| {
            format!(
                "{}\n  {}\n  answered {} {}\n  {:?}",
                self.request,
                faults.join("\n  "),
                reply.status,
                reply.body,
                reply.headers
            )
        })
    }

    /// What of an answer is not as it should be.
    fn faults(&self, reply: &Reply, db: &str) -> Vec<String> {
        let mut faults = Vec::new();
        let status = match &self.answer {
            Answer::Json(status, expected) => {
                let expected: Value = serde_json::from_str(expected).expect(expected);
                // Printed, so that members' order and the digits of numbers count.
                if serde_json::from_str::<Value>(&reply.body)
                    .ok()
                    .map(|it| it.to_string())
                    != Some(expected.to_string())
                {
                    faults.push(format!("expected {expected}"));
                }
                status
            }
            Answer::Text(status, expected) => {
                if reply.body != *expected {
                    faults.push(format!("expected {expected:?}"));
                }
                status
            }
            Answer::Empty(status) => {
                if !reply.body.is_empty() {
                    faults.push("expected no body".to_owned());
                }
                status
            }
            Answer::Error(status, expected) => {
                assert_tells_nothing_of_the_inside(&reply.body);
                let expected = expected.replace("$db", db);
                let expected: Value = serde_json::from_str(&expected).expect(&expected);
                let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
                for member in ["code", "message", "details", "hint"] {
                    if body.get(member).is_none() {
                        faults.push(format!("{member} is missing"));
                    }
                }
                for (member, value) in expected.as_object().expect("members") {
                    if body.get(member) != Some(value) {
                        faults.push(format!("expected {member}: {value}"));
                    }
                }
                status
            }
        };
        if reply.status.as_u16() != *status {
            faults.push(format!("expected status {status}"));
        }
        for (name, value) in self.shown {
            let value = value.replace("$db", db);
            if reply.header(name) != value {
                faults.push(format!("expected {name}: {value}"));
            }
        }
        faults
    }
}

/// What a URL cannot hold as it is, percent-encoded; what is so already stays.
fn escape(path: &str) -> String {
    path.replace(' ', "%20")
        .replace('"', "%22")
        .replace('>', "%3E")
}

on_every_engine! {
    async fn documented_examples(engine: TestEngine) {
        let cinema = Cinema::open(engine).await;
        // What changes rows that others look at comes last.
        let chapters = [
            tables::READS,
            aggregates::EXAMPLES,
            pagination::EXAMPLES,
            errors::EXAMPLES,
            embedding::EXAMPLES,
            preferences::EXAMPLES,
            tables::WRITES,
        ];
        let mut faults = Vec::new();
        for example in chapters.into_iter().flatten() {
            faults.extend(example.run(&cinema).await);
        }
        assert!(faults.is_empty(), "{} examples:\n{}", faults.len(), faults.join("\n"));
    }
}
