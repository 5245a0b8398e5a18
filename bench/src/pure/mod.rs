//! The pure steps of a request, each with what it needs made beforehand.

#![allow(
    clippy::expect_used,
    reason = "a case that cannot be made is a mistake in it"
)]

mod schema;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta};
use tidegate_auth::{JwtOptions, JwtTokens, SigningKey};
use tidegate_domain::account::{Role, UserId, Username};
use tidegate_domain::gateway::port::Encoding;
use tidegate_domain::gateway::schema::{DatabaseSchema, Table};
use tidegate_domain::gateway::value::Value;
use tidegate_domain::query::plan::ReadPlan;
use tidegate_domain::query::planner::{Planner, find_table};
use tidegate_domain::secret::Secret;
use tidegate_domain::session::{AccessClaims, AccessTokens, SessionId};
use tidegate_http::rest::grammar;
use tidegate_persistence::engine::Engine;
use tidegate_persistence::gateway::probe::{Rows, print};

/// Queries by their names.
const QUERIES: [(&str, &str); 4] = [
    ("key", "emp_no=eq.10001"),
    ("page", "dept_no=eq.7&order=emp_no.asc&limit=20"),
    (
        "embed",
        "select=*,salaries(*)&dept_no=eq.7&order=emp_no.asc&limit=20",
    ),
    (
        "logic",
        "select=emp_no,first_name,hired:hire_date&or=(dept_no.in.(1,2,3),and(hire_date.gte.2001-01-01,last_name.like.A*))\
         &gender=not.is.null&order=hire_date.desc.nullslast,emp_no&limit=50&offset=100",
    ),
];

/// Rows of a document.
const ROWS: i64 = 1000;

/// One step. What it gives is a length, so that nothing can be left out as unused.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) run: Box<dyn Fn() -> usize>,
}

/// All of them.
pub(crate) fn cases() -> Vec<Case> {
    let schema = Arc::new(schema::schema());
    let mut cases = Vec::new();
    let mut add = |name: String, run: Box<dyn Fn() -> usize>| cases.push(Case { name, run });
    for (name, text) in QUERIES {
        add(
            format!("parse-{name}"),
            Box::new(move || grammar::parse(text).map_or(0, |it| it.query.filters.len() + 1)),
        );
    }
    for (name, text) in QUERIES {
        let query = grammar::parse(text).expect("a query").query;
        let (schema, table) = (Arc::clone(&schema), employees(&schema));
        let planner = Planner::default();
        add(
            format!("plan-{name}"),
            Box::new(move || {
                let plan = planner.read(Some(&schema), &table, &query);
                plan.map_or(0, |plan| plan.node().members().len())
            }),
        );
    }
    for (engine, of) in [(Engine::MySql, "mysql"), (Engine::Sqlite, "sqlite")] {
        for (name, text) in QUERIES {
            let plan = plan(&schema, text);
            add(
                format!("print-{of}-{name}"),
                Box::new(move || print(engine, &plan).0.len()),
            );
        }
    }
    for (encoding, of) in [(Encoding::Json, "json"), (Encoding::Csv, "csv")] {
        let rows = rows(&employees(&schema));
        add(
            format!("encode-{of}"),
            Box::new(move || rows.encode(encoding).map_or(0, |bytes| bytes.len())),
        );
    }
    add("token".to_owned(), token());
    cases
}

fn employees(schema: &DatabaseSchema) -> Arc<Table> {
    let table = find_table(schema, "employees").expect("the table");
    Arc::clone(table)
}

fn plan(schema: &DatabaseSchema, text: &str) -> ReadPlan {
    let query = grammar::parse(text).expect("a query").query;
    let plan = Planner::default().read(Some(schema), &employees(schema), &query);
    plan.expect("a plan")
}

/// A thousand employees.
fn rows(table: &Table) -> Rows {
    let text = |text: &str| Value::Text(text.to_owned());
    let columns = table.columns.iter();
    let columns = columns.map(|it| (it.name.clone(), it.column_type.clone()));
    let row = |number| {
        vec![
            Value::Int(number),
            text("1953-09-02"),
            text("Georgi"),
            text("Facello"),
            text("M"),
            text("1986-06-26"),
            Value::Int(number % 300),
        ]
    };
    Rows::new(columns.collect(), (1..=ROWS).map(row).collect())
}

/// The check of a token.
fn token() -> Box<dyn Fn() -> usize> {
    let secret = Secret::new("cc4b1b6cf2b7a1d4a1a7e1f5d0a93c7e");
    let tokens = JwtTokens::new(JwtOptions {
        issuer: "tidegate".to_owned(),
        audience: "tidegate".to_owned(),
        current: SigningKey::new("1", &secret),
        previous: Vec::new(),
    });
    let now = DateTime::from_timestamp(1_770_000_000, 0).expect("a time");
    let claims = AccessClaims {
        user: UserId(1),
        username: Username::parse("admin").expect("a name"),
        role: Role::from_name("admin").expect("a role"),
        session: SessionId(1),
        issued_at: now,
        expires_at: now + TimeDelta::minutes(30),
        token_id: "0f83c2be67d14c5a92ee7a40b6d1f359".to_owned(),
    };
    let token = tokens.issue(&claims).expect("a token");
    Box::new(move || {
        let claims = tokens.verify(&token, now);
        claims.map_or(0, |claims| claims.token_id.len())
    })
}
