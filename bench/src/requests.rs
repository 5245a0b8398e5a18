//! The requests of each load: to Tidegate, and to the floor that does the same work.

use std::sync::Arc;

use anyhow::ensure;

use crate::data::{COLUMNS, DATABASE, Scale, person};
use crate::http::{Connection, write_request};
use crate::load::Client;
use crate::loads::{Load, VISITOR, VISITOR_PASSWORD};
use crate::random::Random;

/// Rows of one bulk insert.
const BULK: u64 = 1000;

/// Bytes of a message.
const MESSAGE: usize = 1024;

/// Keys that upserts take.
const LABELS: u64 = 100_000;

/// Who is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Tidegate,
    Bare,
    Fixed,
}

/// What requests to Tidegate have in them beside what is asked.
pub(crate) struct Asked<'a> {
    pub(crate) authorization: &'a str,
    pub(crate) inbox: &'a str,
}

/// The requests of one load to one side.
pub(crate) struct Requests {
    load: Load,
    side: Side,
    scale: Scale,
    /// The line of the header, empty for whoever asks for none.
    authorization: String,
    /// The path of the webhook's address.
    inbox: String,
    /// A body that is the same each time.
    body: Vec<u8>,
}

impl Requests {
    pub(crate) fn new(load: Load, side: Side, scale: Scale, asked: &Asked<'_>) -> Self {
        let authorization = match side {
            Side::Tidegate => format!("Authorization: {}\r\n", asked.authorization),
            Side::Bare | Side::Fixed => String::new(),
        };
        let body = match load {
            Load::Bulk => {
                let rows: Vec<_> = (1..=BULK).map(|number| json(number, scale)).collect();
                format!("[{}]", rows.join(","))
            }
            Load::Import => {
                let mut csv = COLUMNS.to_owned();
                for number in 1..=load.rows_of_one(scale).unwrap_or_default() {
                    let who = person(number, scale);
                    csv.push_str(&format!(
                        "\n{},{},{},{},{},{}",
                        who.birth, who.first, who.last, who.gender, who.hired, who.department
                    ));
                }
                csv
            }
            // JSON, as providers send it.
            Load::Inbox => format!("{{\"data\":\"{:x<1$}\"}}", "", MESSAGE - 11),
            Load::Login => {
                format!(r#"{{"username":"{VISITOR}","password":"{VISITOR_PASSWORD}"}}"#)
            }
            _ => String::new(),
        };
        Self {
            load,
            side,
            scale,
            authorization,
            inbox: asked.inbox.to_owned(),
            body: body.into_bytes(),
        }
    }

    /// Writes the next request. The same numbers make the same question on all sides.
    pub(crate) fn write(&self, random: &mut Random, out: &mut Vec<u8>) {
        let number = 1 + random.below(self.scale.employees);
        // Those of these departments have ten salaries.
        let department = random.below(self.scale.departments() / 3) * 3;
        let after = number.saturating_sub(BULK);
        let rest = |query: &str| format!("/rest/{DATABASE}/{query}");
        let rows = self.load.rows_of_one(self.scale).unwrap_or_default();
        let page = format!("dept_no=eq.{department}&order=emp_no.asc&limit=20");
        let (method, tidegate, bare) = match self.load {
            Load::Key => (
                "GET",
                rest(&format!("employees?emp_no=eq.{number}")),
                format!("/employees/{number}"),
            ),
            Load::Page => (
                "GET",
                rest(&format!("employees?{page}")),
                format!("/page/{department}"),
            ),
            Load::Count => (
                "GET",
                rest(&format!("employees?{page}")),
                format!("/count/{department}"),
            ),
            Load::Thousand => (
                "GET",
                rest(&format!(
                    "employees?emp_no=gt.{after}&order=emp_no.asc&limit=1000"
                )),
                format!("/thousand/{after}"),
            ),
            Load::Embed => (
                "GET",
                rest(&format!("employees?select=*,salaries(*)&{page}")),
                format!("/embed/{department}"),
            ),
            Load::Stream => (
                "GET",
                rest(&format!("salaries?limit={rows}")),
                format!("/stream/{rows}"),
            ),
            Load::Update => (
                "PATCH",
                rest(&format!("employees?emp_no=eq.{number}")),
                format!("/employees/{number}"),
            ),
            Load::Insert => ("POST", rest("hires"), "/hires".to_owned()),
            Load::Upsert => ("POST", rest("labels"), "/labels".to_owned()),
            Load::Bulk => ("POST", rest("hires"), "/bulk".to_owned()),
            Load::Import => ("POST", rest("hires"), "/csv".to_owned()),
            Load::Inbox => ("POST", self.inbox.clone(), "/events".to_owned()),
            Load::Items => ("GET", "/items?limit=20".to_owned(), String::new()),
            Load::Me => ("GET", "/auth/me".to_owned(), String::new()),
            Load::Login => ("POST", "/auth/token".to_owned(), String::new()),
        };
        let (method, path) = match self.side {
            Side::Tidegate => (method, tidegate),
            Side::Bare => (method, bare),
            Side::Fixed => ("GET", "/fixed".to_owned()),
        };
        let content = match self.load {
            _ if method == "GET" => "",
            Load::Import => "Content-Type: text/csv\r\n",
            _ => "Content-Type: application/json\r\n",
        };
        let prefer = match self.load {
            _ if self.side != Side::Tidegate => "",
            Load::Count => "Prefer: count=exact\r\n",
            Load::Upsert => "Prefer: resolution=merge-duplicates\r\n",
            _ => "",
        };
        let authorization = match self.load {
            Load::Login | Load::Inbox => "",
            _ => &self.authorization,
        };
        let made = match self.load {
            _ if method == "GET" => String::new(),
            Load::Insert => json(number, self.scale),
            Load::Update => format!(r#"{{"first_name":"Name {}"}}"#, random.next()),
            Load::Upsert => {
                let id = random.below(LABELS);
                format!(
                    r#"{{"id":{id},"label":"label {id}","number":{}}}"#,
                    random.below(1_000_000)
                )
            }
            _ => String::new(),
        };
        let body = match method {
            "GET" => &[],
            _ if made.is_empty() => self.body.as_slice(),
            _ => made.as_bytes(),
        };
        let headers = [authorization, content, prefer].concat();
        write_request(out, method, &path, &headers, body);
    }
}

/// Somebody as JSON.
fn json(number: u64, scale: Scale) -> String {
    let who = person(number, scale);
    format!(
        r#"{{"birth_date":"{}","first_name":"{}","last_name":"{}","gender":"{}","hire_date":"{}","dept_no":{}}}"#,
        who.birth, who.first, who.last, who.gender, who.hired, who.department
    )
}

/// One client with a connection that is kept.
pub(crate) struct Caller {
    connection: Connection,
    requests: Arc<Requests>,
    random: Random,
    request: Vec<u8>,
}

impl Caller {
    pub(crate) fn new(connection: Connection, requests: &Arc<Requests>, seed: u64) -> Self {
        Self {
            connection,
            requests: Arc::clone(requests),
            random: Random::new(seed),
            request: Vec::new(),
        }
    }
}

impl Client for Caller {
    async fn once(&mut self) -> anyhow::Result<()> {
        self.request.clear();
        self.requests.write(&mut self.random, &mut self.request);
        self.connection.send(&self.request).await?;
        let (status, _) = self.connection.skim().await?;
        ensure!((200..300).contains(&status), "an answer {status}");
        Ok(())
    }
}
