//! The OpenAPI 3.1 document, made from the route table.

use std::collections::BTreeMap;

use actix_web::http::Method;
use utoipa::openapi::path::{
    HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{
    ArrayBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type,
};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, Content, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathsBuilder,
    Ref, RefOr, Required, ResponseBuilder, Server,
};
use utoipa::{PartialSchema as _, ToSchema};

use crate::route::{Access, LimitClass, RouteInfo};

/// A problem document (RFC 9457), the body of every error. Below `/rest/` it has
/// `message`, `details` and `hint` as well.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only its schema is used; the renderer writes the members"
)]
pub struct Problem {
    /// The kind of error, stable.
    #[schema(example = "/problems/not_found")]
    r#type: String,
    /// The kind in words, stable.
    title: String,
    /// The status.
    status: u16,
    /// What is wrong and what to do.
    detail: String,
    /// The kind as one word, stable.
    code: String,
    /// The id of the request, for questions about it.
    request_id: Option<String>,
    /// What does not fit, where the input is at fault.
    errors: Option<Vec<Fault>>,
}

/// One thing that does not fit.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only its schema is used; the renderer writes the members"
)]
pub struct Fault {
    /// Where: a JSON pointer into the body, or the name of a parameter after `/`.
    pointer: String,
    /// What is wrong.
    detail: String,
}

/// The errors that follow from the properties of a route.
const ERRORS: [(u16, &str, &str); 11] = [
    (400, "Malformed", "Not the format that it should be"),
    (401, "Unauthenticated", "No credentials, or bad ones"),
    (403, "Forbidden", "A right is missing"),
    (404, "NotFound", "Nothing is there"),
    (413, "TooLarge", "The body is over the limit"),
    (
        415,
        "UnsupportedMediaType",
        "The body is of another media type",
    ),
    (422, "Invalid", "A value does not fit; `errors` says where"),
    (
        426,
        "UpgradeRequired",
        "The version in `X-Version` is not supported",
    ),
    (
        429,
        "TooManyRequests",
        "The client sent too many requests; see `Retry-After`",
    ),
    (500, "Failure", "The server failed"),
    (
        503,
        "Unavailable",
        "The database is away; see `Retry-After`",
    ),
];

/// The document of a table. `server` is the base of all paths, `version` the product's.
pub fn document<'a>(
    routes: impl IntoIterator<Item = &'a RouteInfo>,
    server: &str,
    version: &str,
) -> OpenApi {
    let mut paths = PathsBuilder::new().build();
    let mut schemas: Vec<(String, RefOr<Schema>)> = Vec::new();
    for route in routes {
        let Some(method) = method(&route.method) else {
            continue;
        };
        paths.add_path_operation(plain_path(&route.path), vec![method], operation(route));
        let bodies = route.bodies.iter().filter_map(|body| body.schema);
        let answers = route.answers.iter().filter_map(|answer| answer.schema);
        for schema in bodies.chain(answers) {
            schema.collect(&mut schemas);
        }
    }
    schemas.push((Problem::name().into_owned(), Problem::schema()));
    Problem::schemas(&mut schemas);
    for (_, schema) in &mut schemas {
        describe_members(schema);
    }
    let info = InfoBuilder::new()
        .title("Tidegate")
        .version(version)
        .description(Some(
            "A gateway to MySQL, MariaDB and SQLite databases over HTTP",
        ))
        .license(Some(
            LicenseBuilder::new()
                .name("MIT")
                .identifier(Some("MIT"))
                .build(),
        ))
        .build();
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([Server::new(if server.is_empty() {
            "/"
        } else {
            server
        })]))
        .paths(paths)
        .components(Some(components(schemas)))
        .build()
}

/// utoipa writes a described member whose schema stands in place as "all of the schema and an
/// object with the description", which no value is; the description belongs to the schema.
fn describe_members(schema: &mut RefOr<Schema>) {
    let RefOr::T(Schema::Object(object)) = schema else {
        return;
    };
    for member in object.properties.values_mut() {
        let RefOr::T(Schema::AllOf(both)) = &*member else {
            continue;
        };
        if let [
            RefOr::T(Schema::Object(own)),
            RefOr::T(Schema::Object(beside)),
        ] = both.items.as_slice()
            && beside.properties.is_empty()
        {
            let mut own = own.clone();
            own.description.clone_from(&beside.description);
            *member = RefOr::T(Schema::Object(own));
        }
    }
}

fn components(schemas: Vec<(String, RefOr<Schema>)>) -> utoipa::openapi::Components {
    let mut components = ComponentsBuilder::new()
        .schemas_from_iter(schemas.into_iter().collect::<BTreeMap<_, _>>())
        .security_scheme(
            "bearer",
            SecurityScheme::Http(
                HttpBuilder::new()
                    .scheme(HttpAuthScheme::Bearer)
                    .bearer_format("JWT")
                    .description(Some("An access token from `/auth/token`"))
                    .build(),
            ),
        )
        .security_scheme(
            "basic",
            SecurityScheme::Http(
                HttpBuilder::new()
                    .scheme(HttpAuthScheme::Basic)
                    .description(Some(
                        "The user's id and API key; at the root and the documentation also name and password",
                    ))
                    .build(),
            ),
        );
    for (_, name, description) in ERRORS {
        let content = Content::new(Some(Ref::from_schema_name(Problem::name())));
        let response = ResponseBuilder::new()
            .description(description)
            .content("application/problem+json", content)
            .build();
        components = components.response(name, response);
    }
    components.build()
}

fn operation(route: &RouteInfo) -> Operation {
    let mut operation = OperationBuilder::new()
        .operation_id(Some(route.operation_id.as_ref()))
        .summary(Some(route.summary.as_ref()))
        .description(route.description.as_deref())
        .tag(route.tag.as_ref());
    if route.access == Access::Admin {
        operation = operation.tag("admin");
    }
    for parameter in path_parameters(&route.path) {
        let described = route
            .parameters
            .iter()
            .any(|own| own.name == parameter.name);
        if !described {
            operation = operation.parameter(parameter);
        }
    }
    for parameter in &route.parameters {
        operation = operation.parameter(parameter.clone());
    }
    if !route.bodies.is_empty() {
        let mut body = RequestBodyBuilder::new().required(Some(Required::True));
        for form in &route.bodies {
            body = body.content(
                form.media_type,
                Content::new(form.schema.map(|s| s.reference())),
            );
        }
        operation = operation.request_body(Some(body.build()));
    }
    for answer in &route.answers {
        let mut response = ResponseBuilder::new().description(answer.description.as_ref());
        if !answer.media_type.is_empty() {
            let content = Content::new(answer.schema.map(|schema| match answer.is_list {
                false => schema.reference(),
                true => ArrayBuilder::new().items(schema.reference()).into(),
            }));
            response = response.content(answer.media_type, content);
        }
        operation = operation.response(answer.status.to_string(), response.build());
    }
    let told: Vec<u16> = route.answers.iter().map(|answer| answer.status).collect();
    for (status, name, _) in ERRORS {
        if follows(route, status) && !told.contains(&status) {
            operation = operation.response(status.to_string(), Ref::from_response_name(name));
        }
    }
    let securities = match route.access {
        Access::Public => Vec::new(),
        _ => ["bearer", "basic"]
            .map(|name| SecurityRequirement::new(name, [] as [&str; 0]))
            .into(),
    };
    operation.securities(Some(securities)).build()
}

/// Whether an error can come of a route as it is described.
fn follows(route: &RouteInfo, status: u16) -> bool {
    let has_body = !route.bodies.is_empty();
    let has_parameters = route.path.contains('{') || !route.parameters.is_empty();
    let may_be_refused = matches!(
        route.access,
        Access::Admin | Access::AdminOrSelf | Access::AdminOrOwner | Access::WriteRows
    );
    let limited = route.limit != LimitClass::Unlimited;
    match status {
        400 => has_body || has_parameters,
        401 => route.access != Access::Public,
        403 => may_be_refused,
        404 => route.path.contains('{'),
        413 | 415 => has_body,
        422 => has_body || has_parameters,
        426 => route.versioned,
        429 | 500 | 503 => limited,
        _ => false,
    }
}

fn path_parameters(path: &str) -> Vec<Parameter> {
    parameter_names(path)
        .map(|name| {
            let number = name == "id" || name.ends_with("_id");
            let schema =
                ObjectBuilder::new().schema_type(if number { Type::Integer } else { Type::String });
            let schema = if number {
                schema.format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
            } else {
                schema
            };
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .schema(Some(schema.build()))
                .build()
        })
        .collect()
}

fn parameter_names(path: &str) -> impl Iterator<Item = &str> {
    path.split('{')
        .skip(1)
        .filter_map(|part| part.split(['}', ':']).next())
}

/// `{tail:.*}` is `{tail}` to readers of the document.
fn plain_path(path: &str) -> String {
    path.replace(":.*}", "}")
}

fn method(method: &Method) -> Option<HttpMethod> {
    Some(match method.as_str() {
        "GET" => HttpMethod::Get,
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        "HEAD" => HttpMethod::Head,
        "OPTIONS" => HttpMethod::Options,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::Value;

    use super::*;
    use crate::route::table;

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
            let secured = !operation["security"].as_array().unwrap().is_empty();
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
}
