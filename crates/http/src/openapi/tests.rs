//! What the document says of the table.

use std::collections::HashSet;

use serde_json::Value;

use super::*;
use crate::route::{Access, table};

fn json() -> Value {
    let table = table();
    let document = document(
        table.iter().map(AsRef::as_ref),
        "https://x.example",
        "1.2.3",
    );
    serde_json::to_value(&document).unwrap()
}

#[test]
fn the_document_holds_every_route_of_the_table_and_no_other() {
    let document = json();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["servers"][0]["url"], "https://x.example");
    let described: HashSet<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let registered: HashSet<String> = table()
        .iter()
        .map(|route| format!("{} {}", route.method, plain_path(&route.path)))
        .collect();
    assert_eq!(described, registered);
}

#[test]
fn operation_ids_are_unique_and_admin_routes_tagged() {
    let document = json();
    let mut seen = HashSet::new();
    for route in table() {
        assert!(
            seen.insert(route.operation_id.clone()),
            "{} is there twice",
            route.operation_id
        );
        let method = route.method.as_str().to_lowercase();
        let operation = &document["paths"][plain_path(&route.path)][method];
        let tags = operation["tags"].as_array().unwrap();
        assert_eq!(
            tags.contains(&Value::from("admin")),
            route.access == Access::Admin
        );
        let choices = operation["security"].as_array().unwrap();
        let none = serde_json::json!({});
        let secured = !choices.is_empty() && !choices.contains(&none);
        assert_eq!(choices.contains(&none), route.looks);
        assert_eq!(secured, route.access != Access::Public);
    }
}

#[test]
fn records_are_described_as_they_are_shown_and_drafts_have_an_example() {
    let document = json();
    let schemas = &document["components"]["schemas"];
    let names =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    let item = &schemas["Item"];
    let mut required: Vec<&str> = item["required"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    required.sort_unstable();
    let mut members = names(&item["properties"]);
    members.sort_unstable();
    assert_eq!(
        members,
        [
            "created_at",
            "description",
            "id",
            "name",
            "updated_at",
            "user_id"
        ]
    );
    assert_eq!(required, members);
    let name = &item["properties"]["name"];
    assert_eq!(
        (&name["type"], &name["maxLength"]),
        (&Value::from("string"), &Value::from(255))
    );
    assert!(name["description"].is_string(), "{name}");
    assert_eq!(
        schemas["ItemDraft"]["required"],
        serde_json::json!(["name"])
    );
    assert!(schemas["ItemPatch"].get("required").is_none());
    assert_eq!(
        schemas["EmployeePage"],
        Value::Null,
        "employees are listed as an array"
    );
    for draft in ["ItemDraft", "EmployeeDraft", "PostDraft"] {
        let example = &schemas[draft]["example"];
        for required in schemas[draft]["required"].as_array().unwrap() {
            assert!(
                example.get(required.as_str().unwrap()).is_some(),
                "{draft}: {required}"
            );
        }
    }
}

#[test]
fn routes_that_take_a_key_or_a_condition_say_what_comes_of_it() {
    let document = json();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let names: Vec<&str> = parameters.filter_map(|it| it["name"].as_str()).collect();
            for (name, status) in [
                ("Idempotency-Key", "409"),
                ("If-Match", "412"),
                ("If-Match", "428"),
                ("If-None-Match", "304"),
            ] {
                let answered = operation["responses"].get(status).is_some();
                assert!(
                    answered || !names.contains(&name),
                    "{method} {path}: {status}"
                );
            }
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = json();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        assert!(
            document
                .pointer(reference.trim_start_matches('#'))
                .is_some(),
            "{reference}"
        );
    }
}

/// The operations of the document, each with what it is called in a failure.
fn operations(document: &Value) -> Vec<(String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().iter();
            methods.map(move |(method, operation)| (format!("{method} {path}"), operation.clone()))
        })
        .collect()
}

#[test]
fn whatever_is_sent_or_answered_has_an_example() {
    let document = json();
    let mut missing = Vec::new();
    for (name, operation) in operations(&document) {
        let bodies = operation["requestBody"]["content"].as_object();
        for (form, content) in bodies.into_iter().flatten() {
            if content["example"].is_null() {
                missing.push(format!("{name} takes {form}"));
            }
        }
        for (status, response) in operation["responses"].as_object().unwrap() {
            let response = match response["$ref"].as_str() {
                Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
                None => response,
            };
            let failed = status.starts_with(['4', '5']);
            assert!(
                !failed || response["content"].is_object(),
                "{name} {status}"
            );
            for (form, content) in response["content"].as_object().into_iter().flatten() {
                let of_json = form.ends_with("json") || form == "text/csv";
                if of_json && content["example"].is_null() && !name.ends_with("/openapi.json") {
                    missing.push(format!("{name} answers {status} {form}"));
                }
            }
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let needed = parameter["in"] == "path" || parameter["required"] == true;
            if needed && parameter["example"].is_null() {
                missing.push(format!("{name} {}", parameter["name"]));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_group_is_described_and_a_name_has_one_schema() {
    let document = json();
    for tag in document["tags"].as_array().unwrap() {
        assert!(tag["description"].is_string(), "{tag}");
    }
    let routes = table();
    let routes: Vec<&RouteInfo> = routes.iter().map(AsRef::as_ref).collect();
    let mut seen = Schemas::new();
    for (name, schema) in named_schemas(&routes) {
        if let Some(other) = seen.get(&name) {
            assert!(*other == schema, "two schemas are called {name}");
        }
        seen.insert(name, schema);
    }
}

#[test]
fn one_can_sign_in_with_a_password_wherever_one_has_to() {
    let document = json();
    let scheme = &document["components"]["securitySchemes"]["account"];
    assert_eq!(scheme["flows"]["password"]["tokenUrl"], "/auth/token");
    for (name, operation) in operations(&document) {
        let choices = operation["security"].as_array().unwrap();
        let offered = choices.iter().any(|choice| choice.get("account").is_some());
        assert!(choices.is_empty() || offered, "{name}");
    }
}
