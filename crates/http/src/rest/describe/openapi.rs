//! The description as OpenAPI 3.1.

use serde_json::{Map, Value, json};
use tidegate_domain::gateway::routine::{Returns, Routine};
use tidegate_domain::gateway::schema::Table;

use super::columns::{default, description, required, type_members};
use super::parameters::{
    CHANGING, INSERTING, READING, SHARED, filter_key, filterable, key, reserved,
};
use super::writer::Writer;
use super::{Described, Methods, escaped, lines};

/// The document.
pub(super) fn document(described: &Described<'_>) -> Vec<u8> {
    let mut out = Writer::new();
    out.member("openapi", &"3.1.0");
    out.member(
        "info",
        &json!({
            "title": described.title(),
            "description": "Rows of its tables and views, by PostgREST's grammar.",
            "version": described.version,
        }),
    );
    let url = format!("{}{}", described.base_url, described.path());
    out.member("servers", &json!([{"url": url}]));
    out.member("security", &json!([{"bearer": []}]));
    out.open("paths");
    out.member(
        "/",
        &json!({"get": {
            "tags": ["Introspection"],
            "operationId": "describe",
            "summary": "This document",
            "responses": answers(json!({"200": {
                "description": "The document",
                "content": {"application/json": {"schema": {"type": "object"}}},
            }})),
        }}),
    );
    for table in &described.schema.tables {
        out.member(&format!("/{}", escaped(&table.name)), &path(table));
    }
    for routine in described.routines {
        out.member(&format!("/rpc/{}", escaped(&routine.name)), &call(routine));
    }
    out.close();
    out.open("components");
    out.member(
        "securitySchemes",
        &json!({"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}),
    );
    out.member("responses", &json!({"Error": {
        "description": "Why it was not done",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/rest.error"}}},
    }}));
    out.open("schemas");
    // A key of a table has no full stop.
    out.member("rest.error", &error());
    for table in &described.schema.tables {
        out.member(&schema_key(table), &schema(table));
    }
    out.close();
    out.open("parameters");
    for parameter in &SHARED {
        let mut schema = Map::new();
        schema.insert("type".into(), json!("string"));
        if !parameter.values.is_empty() {
            // Several may stand in one header, so that these are no more than examples.
            schema.insert("examples".into(), json!(parameter.values));
        }
        if let Some(default) = parameter.default {
            schema.insert("default".into(), json!(default));
        }
        out.member(
            parameter.key,
            &json!({
                "name": parameter.name,
                "in": parameter.place.word(),
                "description": parameter.description,
                "schema": schema,
            }),
        );
    }
    for table in &described.schema.tables {
        for column in filterable(table) {
            let mut parameter = json!({
                "name": column.name,
                "in": "query",
                "schema": {"type": "string"},
            });
            if let (false, Some(members)) =
                (column.comment.trim().is_empty(), parameter.as_object_mut())
            {
                members.insert("description".into(), json!(column.comment.trim()));
            }
            out.member(&filter_key(&table.name, &column.name), &parameter);
        }
    }
    out.close();
    out.close();
    out.finish()
}

fn path(table: &Table) -> Value {
    let methods = Methods::of(table);
    let mut path = Map::new();
    let filters = || filterable(table).map(|it| reference(&filter_key(&table.name, &it.name)));
    path.insert(
        "get".into(),
        operation(
            table,
            "read",
            filters().chain(references(&READING)).collect(),
            None,
            json!({"200": shown(table, "The rows"), "206": shown(table, "Some of the rows")}),
        ),
    );
    if !methods.write {
        return Value::Object(path);
    }
    let returned =
        |nothing: &str| json!({nothing: {"description": "Done"}, "200": shown(table, "The rows")});
    path.insert(
        "post".into(),
        operation(
            table,
            "insert",
            references(&INSERTING).collect(),
            Some(rows_body()),
            json!({"200": shown(table, "The rows"), "201": shown(table, "Inserted")}),
        ),
    );
    path.insert(
        "patch".into(),
        operation(
            table,
            "update",
            filters().chain(references(&CHANGING)).collect(),
            Some(json!({"required": true, "content": {"application/json": {
                "schema": {"type": "object"},
            }}})),
            returned("204"),
        ),
    );
    path.insert(
        "delete".into(),
        operation(
            table,
            "delete",
            filters().chain(references(&CHANGING)).collect(),
            None,
            returned("204"),
        ),
    );
    if methods.put {
        let key = table.primary_key.iter().filter(|name| !reserved(name));
        let key = key.map(|column| reference(&filter_key(&table.name, column)));
        path.insert(
            "put".into(),
            operation(
                table,
                "put",
                key.chain(references(&CHANGING)).collect(),
                Some(json!({"required": true, "content": {"application/json": {
                    "schema": schema_of(table),
                }}})),
                json!({
                    "200": shown(table, "Changed"),
                    "201": shown(table, "Inserted"),
                    "204": {"description": "Done"},
                }),
            ),
        );
    }
    Value::Object(path)
}

fn operation(
    table: &Table,
    verb: &str,
    parameters: Vec<Value>,
    body: Option<Value>,
    done: Value,
) -> Value {
    let mut operation = Map::new();
    operation.insert("tags".into(), json!([table.name]));
    operation.insert(
        "operationId".into(),
        json!(format!("{verb}.{}", table.name)),
    );
    comment(&mut operation, &table.comment);
    operation.insert("parameters".into(), Value::Array(parameters));
    if let Some(body) = body {
        operation.insert("requestBody".into(), body);
    }
    operation.insert("responses".into(), answers(done));
    Value::Object(operation)
}

fn comment(operation: &mut Map<String, Value>, comment: &str) {
    let (summary, description) = lines(comment);
    if let Some(summary) = summary {
        operation.insert("summary".into(), json!(summary));
    }
    if let Some(description) = description {
        operation.insert("description".into(), json!(description));
    }
}

fn call(routine: &Routine) -> Value {
    let operation = |verb: &str, parameters: Vec<Value>, body: Option<Value>| {
        let mut operation = Map::new();
        operation.insert("tags".into(), json!([format!("(rpc) {}", routine.name)]));
        operation.insert(
            "operationId".into(),
            json!(format!("rpc.{verb}.{}", routine.name)),
        );
        comment(&mut operation, &routine.comment);
        operation.insert("parameters".into(), Value::Array(parameters));
        if let Some(body) = body {
            operation.insert("requestBody".into(), body);
        }
        let result = match &routine.returns {
            Returns::Scalar(Some(column_type)) => Value::Object(type_members(column_type)),
            Returns::Rows | Returns::Scalars => json!({"type": "array"}),
            Returns::Parameters => json!({"type": "object"}),
            Returns::Scalar(None) | Returns::Nothing => json!({}),
        };
        operation.insert(
            "responses".into(),
            answers(json!({
                "200": {
                    "description": "The result",
                    "content": {"application/json": {"schema": result}},
                },
                "204": {"description": "Done; there is no result"},
            })),
        );
        Value::Object(operation)
    };
    let schemas = || {
        routine.taken().map(|parameter| {
            let schema = Value::Object(type_members(&parameter.column_type));
            (parameter.name.clone(), schema)
        })
    };
    let texts = schemas().map(
        |(name, schema)| json!({"name": name, "in": "query", "required": true, "schema": schema}),
    );
    let names: Vec<String> = schemas().map(|(name, _)| name).collect();
    let body = json!({"content": {"application/json": {"schema": {
        "type": "object",
        "properties": schemas().collect::<Map<_, _>>(),
        "required": names,
    }}}});
    let mut path = Map::new();
    if routine.reads_only {
        path.insert("get".into(), operation("get", texts.collect(), None));
    }
    path.insert("post".into(), operation("post", Vec::new(), Some(body)));
    Value::Object(path)
}

fn schema(table: &Table) -> Value {
    let mut properties = Map::new();
    for column in &table.columns {
        let mut members = type_members(&column.column_type);
        if column.nullable {
            nullable(&mut members);
        }
        if let Some(default) = default(column) {
            members.insert("default".into(), default);
        }
        if column.generated.is_some() {
            members.insert("readOnly".into(), json!(true));
        }
        if let Some(description) = description(table, column) {
            members.insert("description".into(), json!(description));
        }
        properties.insert(column.name.clone(), Value::Object(members));
    }
    let mut schema = Map::new();
    schema.insert("type".into(), json!("object"));
    if !table.comment.trim().is_empty() {
        schema.insert("description".into(), json!(table.comment.trim()));
    }
    schema.insert("properties".into(), Value::Object(properties));
    schema.insert("required".into(), json!(required(table)));
    Value::Object(schema)
}

/// Lets a schema be null as well.
fn nullable(members: &mut Map<String, Value>) {
    if let Some(kind) = members.get("type").cloned() {
        members.insert("type".into(), json!([kind, "null"]));
    }
    if let Some(Value::Array(values)) = members.get_mut("enum") {
        values.push(Value::Null);
    }
}

fn error() -> Value {
    json!({
        "type": "object",
        "properties": {
            "code": {"type": "string"},
            "message": {"type": "string"},
            "details": {},
            "hint": {"type": ["string", "null"]},
        },
        "required": ["code", "message"],
    })
}

/// What is answered, errors among it.
fn answers(mut done: Value) -> Value {
    if let Some(members) = done.as_object_mut() {
        members.insert(
            "default".into(),
            json!({"$ref": "#/components/responses/Error"}),
        );
    }
    done
}

fn shown(table: &Table, description: &str) -> Value {
    json!({
        "description": description,
        "content": {
            "application/json": {"schema": {"type": "array", "items": schema_of(table)}},
            "application/vnd.pgrst.object+json": {"schema": schema_of(table)},
            "text/csv": {"schema": {"type": "string"}},
        },
    })
}

/// One row or several, of which each gives the columns that it likes.
fn rows_body() -> Value {
    json!({"required": true, "content": {
        "application/json": {"schema": {"anyOf": [
            {"type": "object"},
            {"type": "array", "items": {"type": "object"}},
        ]}},
        "text/csv": {"schema": {"type": "string"}},
    }})
}

fn schema_key(table: &Table) -> String {
    key(&table.name)
}

fn schema_of(table: &Table) -> Value {
    json!({"$ref": format!("#/components/schemas/{}", schema_key(table))})
}

fn references(keys: &[&str]) -> impl Iterator<Item = Value> {
    keys.iter().map(|key| reference(key))
}

fn reference(key: &str) -> Value {
    json!({"$ref": format!("#/components/parameters/{key}")})
}
