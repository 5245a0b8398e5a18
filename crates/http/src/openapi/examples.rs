//! Examples of bodies and parameters. What a type says of itself comes first (`#[schema(example =
//! ...)]`); what it leaves open is put together from its members, by their names here.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::Schema;

/// How deep an example goes: schemas may hold themselves.
const DEPTH: u8 = 12;
const TIME: &str = "2026-03-01T06:40:00Z";

/// What a member of this name holds, or a path or query parameter, where its type does not say.
fn member(name: &str) -> Option<Value> {
    Some(match name {
        "access_token" => json!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.c2lnbmF0dXJl"),
        "account" => json!("reader@localhost"),
        "activated" | "current" | "supported" | "force" => json!(true),
        "address" | "ip" => json!("203.0.113.7"),
        "after" | "behind" | "dead" | "leased" | "waiting" | "offset" | "skip" => json!(0),
        "agent" => json!("curl/8.5.0"),
        "api_key" => json!("Zt5vQ0mC7xJb2Rk9Ws4Ln8Hy3Fd6Pg1A"),
        "body" => json!("eyJsb3ciOiIxNDoyMCJ9"),
        "code" => json!("not_found"),
        "columns" => json!("id,name"),
        "comment" => json!("when loaded"),
        "content" => json!("low water at 14:20"),
        "current_password" => json!("the-old-one-8"),
        "data" => json!([{"id": 1, "name": "Tern"}]),
        "db" | "db_name" | "database" => json!("harbour"),
        "delivery" | "api" => json!(1),
        "delivery_id" => json!("evt_1Qm2"),
        "detail" => json!("Done"),
        "docs" => json!("https://api.example.org/docs"),
        "dt" => json!("2026-03-01 06:40:00"),
        "email" => json!("ann@example.org"),
        "emp_id" => json!(1001),
        "expires_in" => json!(1800),
        "file" => json!("docs.css"),
        "grant_type" => json!("password"),
        "host" => json!("localhost"),
        "id" | "role_id" => json!(2),
        "is_admin" => json!(false),
        "lease" => json!("Jb2xqT0aW9mYc4sLr7uHnE5d"),
        "limit" => json!(20),
        "message" => json!("Done"),
        "message_id" | "post_id" | "position" | "run_id" | "secret_id" | "webhook_id" => json!(5),
        "method" => json!("POST"),
        "name" => json!("billing"),
        "node" => json!("harbour-1"),
        "on_conflict" => json!("id"),
        "openapi" => json!("https://api.example.org/openapi.json"),
        "order" => json!("name"),
        "page" | "votes" | "status" | "wh_status" => json!(1),
        "password" => json!("correct-horse-9"),
        "path" => json!("orders/1"),
        "pointer" => json!("/name"),
        "privileges" => json!(["SELECT", "INSERT"]),
        "query" => json!("test=1"),
        "refresh_token" => json!("kT9w".repeat(32)),
        "replayed" => json!(12),
        "rid" => json!("q3VYc0mT8sKxJ5bWn2RzLh7P"),
        "role" => json!("user"),
        "schedule" => json!("0 3 * * *"),
        "secret" => json!("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        "select" => json!("id,name"),
        "signature" => json!("verified"),
        "size" => json!(15),
        "size_bytes" => json!(16384),
        "stamp" => json!("0123456789ab"),
        "summary" => json!("Deletes sessions that are over"),
        "function" => json!("deeper_than"),
        "table" | "table_name" => json!("ship"),
        "table_schema" => json!({"id": "INT PRIMARY KEY", "name": "VARCHAR(60) NOT NULL"}),
        "tables" => json!(3),
        "title" => json!("Not found"),
        "token_type" => json!("bearer"),
        "total" => json!(1),
        "updated_at" | "finished_at" => json!("2026-03-01T06:40:02Z"),
        "url" | "wh_url" => json!("https://api.example.org/in/q3VYc0mT8sKxJ5bWn2RzLh7P"),
        "username" => json!("ann"),
        "version" => json!("1.0"),
        "wait" | "whid" | "wh_id" => json!(0),
        "wh_name" => json!("Tide gauge"),
        _ => return None,
    })
}

/// The schemas of a document, and what values of them look like.
pub(super) struct Examples {
    schemas: Map<String, Value>,
}

impl Examples {
    /// Of these schemas.
    pub(super) fn new(schemas: &BTreeMap<String, RefOr<Schema>>) -> Self {
        let schemas = schemas
            .iter()
            .filter_map(|(name, schema)| Some((name.clone(), serde_json::to_value(schema).ok()?)))
            .collect();
        Self { schemas }
    }

    /// A value of a schema; `None` where nobody says what one looks like.
    pub(super) fn of(&self, schema: &RefOr<Schema>) -> Option<Value> {
        let schema = serde_json::to_value(schema).ok()?;
        self.value(&schema, "", DEPTH)
    }

    /// A value of a parameter, where one is not obvious from its type.
    pub(super) fn of_parameter(&self, parameter: &Parameter) -> Option<Value> {
        let described = serde_json::to_value(parameter).ok()?;
        let schema = &described["schema"];
        let is_header = parameter.parameter_in == ParameterIn::Header;
        match parameter.name.as_str() {
            _ if described.get("example").is_some() => described.get("example").cloned(),
            "Idempotency-Key" => Some(json!("6c1f0e0a-53d0-4f63-9c5e-0f1b3a9d2c47")),
            "If-Match" | "If-None-Match" => Some(json!("\"V1StGXR8Z5jdHi6B-myT7w\"")),
            _ if is_header => None,
            name => own(schema).or_else(|| typed(schema, name)),
        }
    }

    fn value(&self, schema: &Value, name: &str, depth: u8) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        if let Some(reference) = schema["$ref"].as_str() {
            let target = self.schemas.get(reference.rsplit('/').next()?)?;
            return self.value(target, name, depth);
        }
        if let Some(own) = own(schema) {
            return Some(own);
        }
        if let Some(parts) = schema["allOf"].as_array() {
            let mut whole = Map::new();
            for part in parts {
                if let Value::Object(members) = self.value(part, name, depth)? {
                    whole.extend(members);
                }
            }
            return Some(Value::Object(whole));
        }
        for choice in ["oneOf", "anyOf"] {
            if let Some(forms) = schema[choice].as_array() {
                return forms
                    .iter()
                    .filter(|form| form["type"] != "null")
                    .find_map(|form| self.value(form, name, depth));
            }
        }
        match kind(schema) {
            "object" => match schema["properties"].as_object() {
                Some(members) => members
                    .iter()
                    .map(|(name, schema)| Some((name.clone(), self.value(schema, name, depth)?)))
                    .collect::<Option<Map<_, _>>>()
                    .map(Value::Object),
                None => member(name).filter(Value::is_object),
            },
            "array" => match member(name) {
                Some(known @ Value::Array(_)) => Some(known),
                _ => {
                    let one = name.strip_suffix('s').unwrap_or(name);
                    Some(json!([self.value(&schema["items"], one, depth)?]))
                }
            },
            _ => typed(schema, name),
        }
    }
}

/// What a schema itself says.
fn own(schema: &Value) -> Option<Value> {
    let first = |list: &Value| list.get(0).cloned();
    schema
        .get("example")
        .cloned()
        .or_else(|| first(&schema["examples"]))
        .or_else(|| schema.get("const").cloned())
        .or_else(|| first(&schema["enum"]))
}

/// The type of a schema, but for null.
fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::Array(kinds) => kinds
            .iter()
            .filter_map(Value::as_str)
            .find(|kind| *kind != "null")
            .unwrap_or_default(),
        kind => kind.as_str().unwrap_or_default(),
    }
}

/// A plain value by type and name.
fn typed(schema: &Value, name: &str) -> Option<Value> {
    let known = member(name);
    match kind(schema) {
        "string" => known.filter(Value::is_string).or_else(|| {
            Some(match schema["format"].as_str()? {
                "date-time" => json!(TIME),
                "date" => json!("1990-05-01"),
                "uuid" => json!("0198f3c6-9a51-7c40-8d5e-3b1f2a6c4d70"),
                "password" => json!("correct-horse-9"),
                _ => return None,
            })
        }),
        "integer" | "number" => known.filter(Value::is_number).or_else(|| {
            let given = ["default", "minimum"].map(|name| schema.get(name).cloned());
            given.into_iter().flatten().next().or(Some(json!(1)))
        }),
        "boolean" => known
            .filter(Value::is_boolean)
            .or_else(|| schema.get("default").cloned())
            .or(Some(json!(true))),
        _ => known,
    }
}
