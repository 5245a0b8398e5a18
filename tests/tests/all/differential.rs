//! The engines against each other: random requests, of which every engine has to give the same
//! answer. `TIDEGATE_TEST_SEED` draws others, `TIDEGATE_TEST_REQUESTS` more of them
//! (`make test-differential`); a failure names the seed.

mod model;
mod requests;

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use futures_util::StreamExt;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::Value;

use self::requests::{Generator, Request};
use crate::support::app::TestApp;
use crate::support::client::{Client, Reply};
use crate::support::engines::TestEngine;

/// How many requests without a word in the environment.
const REQUESTS: usize = 2_000;
/// How many requests are under way at once.
const AT_ONCE: usize = 8;
/// How many differences are shown.
const SHOWN: usize = 25;

const ENGINES: [TestEngine; 3] = [TestEngine::Sqlite, TestEngine::MySql, TestEngine::MariaDb];

/// A number of the environment.
#[allow(
    clippy::disallowed_methods,
    reason = "tests read their own environment"
)]
fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {text}")),
    )
}

/// One engine, and who asks it.
struct Side {
    engine: TestEngine,
    /// Runs as long as it is asked.
    _app: TestApp,
    database: String,
    client: Client,
    /// How many reads and how many changes it carried out.
    carried_out: [AtomicUsize; 2],
}

impl Side {
    async fn open(engine: TestEngine) -> Self {
        let app = TestApp::start(engine).await;
        let database = app.gateway_database("sea").await;
        model::build(&app, &database).await;
        Self {
            engine,
            client: app.admin(),
            _app: app,
            database,
            carried_out: Default::default(),
        }
    }

    async fn ask(&self, request: &Request) -> Answer {
        let path = format!("/rest/{}/{}", self.database, request.table);
        let method = request
            .change
            .as_ref()
            .map_or(Method::GET, |it| it.method.clone());
        let mut asked = self.client.request(method, &path).query(&request.pairs);
        if request.counted {
            asked = asked.header("prefer", "count=exact");
        }
        if let Some(change) = &request.change {
            // Nothing is left of it, so that all requests meet the same rows.
            asked = asked.header("prefer", "tx=rollback, return=representation");
            if !change.prefer.is_empty() {
                asked = asked.header("prefer", change.prefer);
            }
            if !change.body.is_null() {
                asked = asked.json(&change.body);
            }
        }
        if let Some(range) = &request.range {
            asked = asked.header("range", range);
        }
        if request.csv {
            asked = asked.header("accept", "text/csv");
        }
        let answer = Answer::of(Reply::of(asked).await);
        if answer.status < 300 {
            self.carried_out[usize::from(request.change.is_some())].fetch_add(1, Relaxed);
        }
        answer
    }
}

/// What has to be the same.
#[derive(Debug, Clone, PartialEq)]
struct Answer {
    status: u16,
    range: String,
    body: Body,
}

#[derive(Debug, Clone, PartialEq)]
enum Body {
    /// The code of an error.
    Error(String),
    /// Rows; numbers are compared by their digits, members of objects by name.
    Rows(Value),
    /// Lines.
    Text(String),
}

impl Answer {
    fn of(reply: Reply) -> Self {
        let status = reply.status.as_u16();
        let body = if reply.status.is_success() {
            match serde_json::from_str(&reply.body) {
                Ok(rows) if reply.header("content-type").starts_with("application/json") => {
                    Body::Rows(rows)
                }
                _ => Body::Text(reply.body.clone()),
            }
        } else {
            let code = serde_json::from_str::<Value>(&reply.body)
                .ok()
                .and_then(|body| Some(body.get("code")?.as_str()?.to_owned()));
            let code = code.unwrap_or_else(|| reply.body.clone());
            // Of a row that violates several constraints, engines name the one they meet first.
            let constraint = ["23502", "23503", "23505", "23514"].contains(&code.as_str());
            Body::Error(if constraint {
                "a constraint".to_owned()
            } else {
                code
            })
        };
        let status = if matches!(&body, Body::Error(code) if code == "a constraint") {
            409
        } else {
            status
        };
        Self {
            status,
            range: reply.header("content-range").to_owned(),
            body,
        }
    }

    fn is_the_servers_fault(&self) -> bool {
        self.status >= 500
    }

    /// The same, where groups come in any order.
    fn in_any_order(mut self) -> Self {
        fn sort(value: &mut Value) {
            match value {
                Value::Array(values) => {
                    values.iter_mut().for_each(sort);
                    values.sort_by_cached_key(Value::to_string);
                }
                Value::Object(members) => members.values_mut().for_each(sort),
                _ => {}
            }
        }
        if let Body::Rows(rows) = &mut self.body {
            sort(rows);
        }
        self
    }
}

/// The answers of all sides; `None` where they agree and no server failed.
async fn difference(sides: &[Side], request: &Request) -> Option<Vec<Answer>> {
    let answers = join_all(sides.iter().map(|side| side.ask(request))).await;
    let answers: Vec<_> = if request.unordered {
        answers.into_iter().map(Answer::in_any_order).collect()
    } else {
        answers
    };
    let differ = answers.windows(2).any(|pair| pair[0] != pair[1]);
    let failed = answers.iter().any(Answer::is_the_servers_fault);
    (differ || failed).then_some(answers)
}

/// The smallest part of a request on which the sides still differ.
async fn shrink(
    sides: &[Side],
    mut request: Request,
    mut answers: Vec<Answer>,
) -> (Request, Vec<Answer>) {
    loop {
        let mut smaller = Vec::new();
        for at in 0..request.pairs.len() {
            // Without its order, a window may be one of other rows.
            if request.pairs[at].0.ends_with("order") {
                continue;
            }
            let mut less = request.clone();
            less.pairs.remove(at);
            smaller.push(less);
        }
        for (at, (key, value)) in request.pairs.iter().enumerate() {
            let items = if key == "select" {
                items(value)
            } else {
                Vec::new()
            };
            for left_out in (0..items.len()).filter(|_| items.len() > 1) {
                let mut less = request.clone();
                let rest = items.iter().enumerate().filter(|(at, _)| *at != left_out);
                less.pairs[at].1 = rest.map(|(_, item)| *item).collect::<Vec<_>>().join(",");
                smaller.push(less);
            }
        }
        smaller.push(Request {
            counted: false,
            ..request.clone()
        });
        smaller.push(Request {
            range: None,
            ..request.clone()
        });
        let mut found = false;
        for less in smaller {
            if less.to_string().len() >= request.to_string().len() {
                continue;
            }
            if let Some(still) = difference(sides, &less).await {
                (request, answers) = (less, still);
                found = true;
                break;
            }
        }
        if !found {
            return (request, answers);
        }
    }
}

/// The items of a select: what stands between the commas outside of parentheses.
fn items(select: &str) -> Vec<&str> {
    let (mut depth, mut start, mut items) = (0, 0, Vec::new());
    for (at, c) in select.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                items.push(&select[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(&select[start..]);
    items
}

/// What is worth seeing of answers: of rows, those that differ.
fn summary(answers: &[Answer]) -> Vec<String> {
    let rows = |answer: &Answer| match &answer.body {
        Body::Rows(Value::Array(rows)) => Some(rows.clone()),
        _ => None,
    };
    let all: Option<Vec<_>> = answers.iter().map(rows).collect();
    let place = all.as_ref().and_then(|all| {
        let longest = all.iter().map(Vec::len).max()?;
        (0..longest).find(|at| {
            all.windows(2)
                .any(|pair| pair[0].get(*at) != pair[1].get(*at))
        })
    });
    match (all, place) {
        (Some(all), Some(at)) => all
            .iter()
            .map(|rows| {
                format!(
                    "row {at} of {}: {}",
                    rows.len(),
                    rows.get(at).unwrap_or(&Value::Null)
                )
            })
            .collect(),
        _ => answers.iter().map(|answer| format!("{answer:?}")).collect(),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(600) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_requests_have_one_answer() {
    let seed = setting("TIDEGATE_TEST_SEED").unwrap_or(1);
    let count = setting("TIDEGATE_TEST_REQUESTS")
        .map_or(REQUESTS, |it| usize::try_from(it).expect("a count"));
    let ready = ENGINES.into_iter().filter(|engine| engine.is_ready());
    let sides = join_all(ready.map(Side::open)).await;

    let mut generator = Generator::new(seed);
    let all: Vec<Request> = (0..count).map(|_| generator.next()).collect();
    let sides = &sides;
    let changes: Vec<Request> = (0..count / 10).map(|_| generator.next_change()).collect();
    let outcomes = futures_util::stream::iter(&all)
        .map(|request| async move { (request, difference(sides, request).await) });
    let mut differing: Vec<_> = outcomes
        .buffer_unordered(AT_ONCE)
        .filter_map(|(request, answers)| async move { Some((request, answers?)) })
        .collect()
        .await;

    // One after the other: changes would wait for each other.
    for request in &changes {
        differing.extend(
            difference(sides, request)
                .await
                .map(|answers| (request, answers)),
        );
    }

    for side in sides {
        let [reads, written] = side.carried_out.each_ref().map(|it| it.load(Relaxed));
        println!(
            "{}: {reads} reads and {written} changes were carried out",
            side.engine
        );
        assert!(
            reads > count / 2 && written > count / 40,
            "most requests are wrong: {reads} and {written} of {count} were not"
        );
    }

    let mut report = String::new();
    for (request, answers) in differing.iter().take(SHOWN) {
        let (smallest, answers) = shrink(sides, (*request).clone(), answers.clone()).await;
        let _ = writeln!(report, "\n{smallest}");
        for (side, answer) in sides.iter().zip(summary(&answers)) {
            let _ = writeln!(report, "  {}: {}", side.engine, shortened(&answer));
        }
    }
    assert!(
        differing.is_empty(),
        "{} of {count} requests and their changes with TIDEGATE_TEST_SEED={seed} have no one answer:\n{report}",
        differing.len()
    );
}
