//! The description as Swagger 2.0, with the members that clients of PostgREST read.

use serde_json::{Map, Value, json};
use tidegate_domain::error::escape_pointer;
use tidegate_domain::gateway::routine::Routine;
use tidegate_domain::gateway::schema::Table;

use super::columns::{default, description, required, type_members};
use super::parameters::{
    CHANGING, INSERTING, READING, SHARED, filter_key, filterable, key, reserved,
};
use super::writer::Writer;
use super::{Described, Methods, escaped, lines};

const FORMS: [&str; 5] = [
    "application/json",
    "application/vnd.pgrst.object+json;nulls=stripped",
    "application/vnd.pgrst.object+json",
    "application/vnd.pgrst.array+json;nulls=stripped",
    "text/csv",
];

/// The document.
pub(super) fn document(described: &Described<'_>) -> Vec<u8> {
    let (scheme, host) = described
        .base_url
        .split_once("://")
        .unwrap_or(("http", "localhost"));
    let mut out = Writer::new();
    out.member("swagger", &"2.0");
    out.member(
        "info",
        &json!({
            "title": described.title(),
            "description": "Rows of its tables and views, by PostgREST's grammar.",
            "version": described.version,
        }),
    );
    // A path in front of the server belongs to the base path.
    let (host, prefix) = host.split_at(host.find('/').unwrap_or(host.len()));
    out.member("host", &host);
    out.member("basePath", &format!("{prefix}{}", described.path()));
    out.member("schemes", &[scheme]);
    out.member("consumes", &FORMS);
    out.member("produces", &FORMS);
    out.member(
        "securityDefinitions",
        &json!({"JWT": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "Add the token prepending \"Bearer \" (without quotes) to it",
        }}),
    );
    out.member("security", &json!([{"JWT": []}]));
    out.open("paths");
    out.member(
        "/",
        &json!({"get": {
            "tags": ["Introspection"],
            "summary": "OpenAPI description (this document)",
            "produces": ["application/openapi+json", "application/json"],
            "responses": {"200": {"description": "OK"}},
        }}),
    );
    for table in &described.schema.tables {
        out.member(&format!("/{}", escaped(&table.name)), &path(table));
    }
    for routine in described.routines {
        out.member(&format!("/rpc/{}", escaped(&routine.name)), &call(routine));
    }
    out.close();
    out.open("definitions");
    for table in &described.schema.tables {
        out.member(&table.name, &definition(table));
    }
    out.close();
    out.open("parameters");
    for parameter in &SHARED {
        let mut members = Map::new();
        members.insert("name".into(), json!(parameter.name));
        members.insert("description".into(), json!(parameter.description));
        members.insert("required".into(), json!(false));
        members.insert("in".into(), json!(parameter.place.word()));
        members.insert("type".into(), json!("string"));
        if !parameter.values.is_empty() {
            members.insert("enum".into(), json!(parameter.values));
        }
        if let Some(default) = parameter.default {
            members.insert("default".into(), json!(default));
        }
        out.member(parameter.key, &members);
    }
    for table in &described.schema.tables {
        row_parameters(&mut out, table);
    }
    out.close();
    out.finish()
}

fn path(table: &Table) -> Value {
    let methods = Methods::of(table);
    let mut path = Map::new();
    let rows = json!({"type": "array", "items": definition_of(table)});
    path.insert(
        "get".into(),
        operation(
            table,
            filters(table).chain(references(&READING)).collect(),
            json!({
                "200": {"description": "OK", "schema": rows},
                "206": {"description": "Partial Content"},
            }),
        ),
    );
    if methods.write {
        let body = || reference(&body_key(table));
        path.insert(
            "post".into(),
            operation(
                table,
                std::iter::once(body())
                    .chain(references(&INSERTING))
                    .collect(),
                json!({"201": {"description": "Created"}}),
            ),
        );
        let done = json!({"204": {"description": "No Content"}});
        path.insert(
            "patch".into(),
            operation(
                table,
                filters(table)
                    .chain([body()])
                    .chain(references(&CHANGING))
                    .collect(),
                done.clone(),
            ),
        );
        path.insert(
            "delete".into(),
            operation(
                table,
                filters(table).chain(references(&CHANGING)).collect(),
                done.clone(),
            ),
        );
        if methods.put {
            let key = table
                .primary_key
                .iter()
                .filter(|column| !reserved(column))
                .map(|column| reference(&filter_key(&table.name, column)));
            path.insert(
                "put".into(),
                operation(
                    table,
                    key.chain([body()]).chain(references(&CHANGING)).collect(),
                    done,
                ),
            );
        }
    }
    Value::Object(path)
}

fn operation(table: &Table, parameters: Vec<Value>, responses: Value) -> Value {
    let mut operation = Map::new();
    operation.insert("tags".into(), json!([table.name]));
    let (summary, description) = lines(&table.comment);
    if let Some(summary) = summary {
        operation.insert("summary".into(), json!(summary));
    }
    if let Some(description) = description {
        operation.insert("description".into(), json!(description));
    }
    operation.insert("parameters".into(), Value::Array(parameters));
    operation.insert("responses".into(), responses);
    Value::Object(operation)
}

fn call(routine: &Routine) -> Value {
    let (summary, description) = lines(&routine.comment);
    let operation = |parameters: Value| {
        let mut operation = Map::new();
        operation.insert("tags".into(), json!([format!("(rpc) {}", routine.name)]));
        if let Some(summary) = summary {
            operation.insert("summary".into(), json!(summary));
        }
        if let Some(description) = description {
            operation.insert("description".into(), json!(description));
        }
        operation.insert(
            "produces".into(),
            json!([
                "application/json",
                "application/vnd.pgrst.object+json",
                "text/csv"
            ]),
        );
        operation.insert("parameters".into(), parameters);
        operation.insert("responses".into(), json!({"200": {"description": "OK"}}));
        Value::Object(operation)
    };
    let mut properties = Map::new();
    let mut texts = Vec::new();
    let mut names = Vec::new();
    for parameter in routine.taken() {
        let mut members = type_members(&parameter.column_type);
        properties.insert(parameter.name.clone(), Value::Object(members.clone()));
        names.push(parameter.name.as_str());
        members.entry("type").or_insert(json!("string"));
        members.insert("name".into(), json!(parameter.name));
        members.insert("in".into(), json!("query"));
        members.insert("required".into(), json!(true));
        texts.push(Value::Object(members));
    }
    let mut arguments = json!({"type": "object", "properties": properties});
    // An empty list is not allowed there.
    if let (false, Some(members)) = (names.is_empty(), arguments.as_object_mut()) {
        members.insert("required".into(), json!(names));
    }
    let body = json!({"name": "args", "in": "body", "required": true, "schema": arguments});
    let mut path = Map::new();
    if routine.reads_only {
        path.insert("get".into(), operation(Value::Array(texts)));
    }
    path.insert(
        "post".into(),
        operation(json!([body, reference("preferParams")])),
    );
    Value::Object(path)
}

fn definition(table: &Table) -> Value {
    let mut properties = Map::new();
    for column in &table.columns {
        let mut members = type_members(&column.column_type);
        if let Some(default) = default(column) {
            members.insert("default".into(), default);
        }
        if let Some(description) = description(table, column) {
            members.insert("description".into(), json!(description));
        }
        properties.insert(column.name.clone(), Value::Object(members));
    }
    let mut definition = Map::new();
    if !table.comment.trim().is_empty() {
        definition.insert("description".into(), json!(table.comment.trim()));
    }
    let required = required(table);
    if !required.is_empty() {
        definition.insert("required".into(), json!(required));
    }
    definition.insert("properties".into(), Value::Object(properties));
    definition.insert("type".into(), json!("object"));
    Value::Object(definition)
}

fn row_parameters(out: &mut Writer, table: &Table) {
    if Methods::of(table).write {
        out.member(
            &body_key(table),
            &json!({
                "name": table.name,
                "description": table.name,
                "required": false,
                "in": "body",
                "schema": definition_of(table),
            }),
        );
    }
    for column in filterable(table) {
        let mut members = Map::new();
        members.insert("name".into(), json!(column.name));
        if !column.comment.trim().is_empty() {
            members.insert("description".into(), json!(column.comment.trim()));
        }
        members.insert("required".into(), json!(false));
        members.insert("in".into(), json!("query"));
        members.insert("type".into(), json!("string"));
        out.member(&filter_key(&table.name, &column.name), &members);
    }
}

fn body_key(table: &Table) -> String {
    format!("body.{}", key(&table.name))
}

/// Definitions go by the names of tables, which clients look for.
fn definition_of(table: &Table) -> Value {
    let pointer = escape_pointer(&table.name);
    json!({"$ref": format!("#/definitions/{}", escaped(&pointer))})
}

fn filters(table: &Table) -> impl Iterator<Item = Value> {
    filterable(table).map(|column| reference(&filter_key(&table.name, &column.name)))
}

fn references(keys: &[&str]) -> impl Iterator<Item = Value> {
    keys.iter().map(|key| reference(key))
}

fn reference(key: &str) -> Value {
    json!({"$ref": format!("#/parameters/{key}")})
}
