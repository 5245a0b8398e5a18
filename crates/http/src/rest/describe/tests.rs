//! What the two documents say of a database.

use serde_json::{Value, json};
use tidegate_domain::gateway::column_type::ColumnType;
use tidegate_domain::gateway::name::DatabaseName;
use tidegate_domain::gateway::schema::{
    Column, DefaultValue, ForeignKey, ReferentialAction, TableKind,
};

use super::*;

fn column(name: &str, column_type: ColumnType, nullable: bool) -> Column {
    Column {
        name: name.into(),
        column_type,
        nullable,
        default: None,
        base: None,
        auto_increment: false,
        generated: None,
        comment: String::new(),
        collation: None,
    }
}

fn int() -> ColumnType {
    ColumnType::Integer {
        bytes: 4,
        unsigned: false,
    }
}

fn table(name: &str, kind: TableKind, columns: Vec<Column>) -> Table {
    Table {
        database: DatabaseName::new("shop", "tidegate").unwrap(),
        name: name.into(),
        kind,
        writable: kind == TableKind::Table,
        primary_key: Vec::new(),
        columns,
        indexes: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        comment: String::new(),
        row_estimate: None,
    }
}

fn shop() -> DatabaseSchema {
    let mut films = table(
        "films",
        TableKind::Table,
        vec![
            column("id", int(), false),
            column("title", ColumnType::Varchar(40), false),
            column("director_id", int(), true),
            column(
                "mood",
                ColumnType::Enum(vec!["sad".into(), "ok".into()]),
                true,
            ),
            column("limit", ColumnType::Json, true),
        ],
    );
    films.primary_key = vec!["id".into()];
    films.comment = "Films\nwith all\nthat belongs to them".into();
    films.columns[1].comment = "As on the poster".into();
    films.columns[3].default = Some(DefaultValue::Literal("ok".into()));
    films.foreign_keys = vec![ForeignKey {
        name: "films_director".into(),
        columns: vec!["director_id".into()],
        references: "people".into(),
        referenced_columns: vec!["id".into()],
        on_delete: ReferentialAction::NoAction,
        on_update: ReferentialAction::NoAction,
    }];
    let odd = table("a b/c", TableKind::Table, vec![column("x y", int(), true)]);
    let view = table("seen", TableKind::View, vec![column("id", int(), true)]);
    let name = DatabaseName::new("shop", "tidegate").unwrap();
    DatabaseSchema::new(name, [odd, films, view].map(Arc::new).into())
}

fn documents() -> [Value; 2] {
    let schema = shop();
    let described = Described {
        schema: &schema,
        routines: &[],
        version: "1.2.3",
        base_url: "https://api.example.org/v1",
    };
    [openapi::document(&described), swagger::document(&described)]
        .map(|bytes| serde_json::from_slice(&bytes).unwrap())
}

/// Every reference leads somewhere.
fn check_references(document: &Value, at: &Value) {
    match at {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                let pointer = percent_encoding::percent_decode_str(&reference[1..])
                    .decode_utf8()
                    .unwrap();
                assert!(document.pointer(&pointer).is_some(), "{reference}");
            }
            members
                .values()
                .for_each(|it| check_references(document, it));
        }
        Value::Array(items) => items.iter().for_each(|it| check_references(document, it)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    for document in documents() {
        check_references(&document, &document);
    }
}

#[test]
fn swagger_has_what_clients_of_postgrest_read() {
    let [_, swagger] = documents();
    assert_eq!(swagger["swagger"], "2.0");
    assert_eq!(swagger["host"], "api.example.org");
    assert_eq!(swagger["basePath"], "/v1/rest/shop");
    assert_eq!(swagger["schemes"], json!(["https"]));
    assert_eq!(
        swagger["definitions"]["films"],
        json!({
            "description": "Films\nwith all\nthat belongs to them",
            "required": ["id", "title"],
            "type": "object",
            "properties": {
                "id": {"type": "integer", "format": "integer", "description": "Note:\nThis is a Primary Key.<pk/>"},
                "title": {"type": "string", "format": "character varying", "maxLength": 40, "description": "As on the poster"},
                "director_id": {
                    "type": "integer", "format": "integer",
                    "description": "Note:\nThis is a Foreign Key to `people.id`.<fk table='people' column='id'/>",
                },
                "mood": {"type": "string", "format": "text", "enum": ["sad", "ok"], "default": "ok"},
                "limit": {"format": "json"},
            },
        })
    );
    let films = &swagger["paths"]["/films"];
    assert_eq!(films["get"]["summary"], "Films");
    assert_eq!(
        films["get"]["description"],
        "with all\nthat belongs to them"
    );
    // A column called `limit` cannot be filtered by.
    let names: Vec<&str> = films["get"]["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            it["$ref"]
                .as_str()
                .unwrap()
                .trim_start_matches("#/parameters/")
        })
        .collect();
    assert_eq!(
        names,
        [
            "rowFilter.films.id",
            "rowFilter.films.title",
            "rowFilter.films.director_id",
            "rowFilter.films.mood",
            "select",
            "order",
            "range",
            "rangeUnit",
            "offset",
            "limit",
            "preferCount"
        ]
    );
    assert_eq!(
        swagger["parameters"]["rowFilter.films.title"],
        json!({"name": "title", "description": "As on the poster", "required": false, "in": "query", "type": "string"})
    );
    assert_eq!(
        swagger["parameters"]["body.films"],
        json!({"name": "films", "description": "films", "required": false, "in": "body", "schema": {"$ref": "#/definitions/films"}})
    );
}

#[test]
fn methods_follow_what_may_be_done() {
    let methods = |path: &Value| -> Vec<String> {
        let mut methods: Vec<_> = path.as_object().unwrap().keys().cloned().collect();
        methods.sort_unstable();
        methods
    };
    for document in documents() {
        let paths = &document["paths"];
        assert_eq!(
            methods(&paths["/films"]),
            ["delete", "get", "patch", "post", "put"]
        );
        assert_eq!(
            methods(&paths["/a%20b%2Fc"]),
            ["delete", "get", "patch", "post"]
        );
        assert_eq!(methods(&paths["/seen"]), ["get"]);
    }
}

#[test]
fn openapi_says_what_may_be_null() {
    let [openapi, _] = documents();
    assert_eq!(openapi["openapi"], "3.1.0");
    assert_eq!(
        openapi["servers"],
        json!([{"url": "https://api.example.org/v1/rest/shop"}])
    );
    let films = &openapi["components"]["schemas"]["films"]["properties"];
    assert_eq!(films["id"]["type"], "integer");
    assert_eq!(films["mood"]["type"], json!(["string", "null"]));
    assert_eq!(films["mood"]["enum"], json!(["sad", "ok", null]));
    assert!(openapi["components"]["schemas"]["a-20b-2Fc"].is_object());
}

#[test]
fn the_form_is_the_one_that_is_accepted() {
    for (accept, form) in [
        ("", "application/json; charset=utf-8"),
        ("*/*", "application/json; charset=utf-8"),
        ("text/html, */*;q=0.1", "application/json; charset=utf-8"),
        (
            "application/openapi+json",
            "application/openapi+json; charset=utf-8",
        ),
        (
            "application/openapi+json;version=2.0",
            "application/openapi+json; charset=utf-8",
        ),
        (
            "application/openapi+json;version=3.1",
            "application/openapi+json; version=3.1",
        ),
        (
            "application/vnd.oai.openapi+json",
            "application/vnd.oai.openapi+json; version=3.1",
        ),
        (
            "application/json;q=0.5, application/openapi+json",
            "application/openapi+json; charset=utf-8",
        ),
        (
            "application/json, application/openapi+json",
            "application/json; charset=utf-8",
        ),
    ] {
        assert_eq!(negotiate([accept]).unwrap().media_type(), form, "{accept}");
    }
    for accept in [
        "text/html",
        "application/openapi+json;version=1.2",
        "*/*;q=0",
    ] {
        assert_eq!(negotiate([accept]).unwrap_err().code(), "not_acceptable");
    }
}
