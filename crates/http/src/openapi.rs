//! The OpenAPI 3.1 document, made from the route table.

mod examples;
mod operation;
mod problems;
mod security;
mod tags;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use actix_web::http::Method;
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{
    Components, ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder,
    PathsBuilder, RefOr, Server,
};
use utoipa::{PartialSchema as _, ToSchema as _};

use crate::openapi::examples::Examples;
use crate::openapi::problems::{ERRORS, Problem, RowProblem};
use crate::route::RouteInfo;

const DESCRIPTION: &str = "\
A gateway to MySQL, MariaDB and SQLite databases over HTTP, with users, resources and a webhook inbox.

- Sign in at `POST /auth/token`, and send the access token as `Authorization: Bearer ...`.
- Times are UTC, RFC 3339. Every path answers with a slash at its end as well.
- Errors are problem documents (RFC 9457) with a `code` that stays; below `/rest/` they have the members \
that PostgREST's clients read. Every answer has an `X-Request-Id`, by which the log knows it.
- Who sends too much gets 429 with `Retry-After`.";

/// The schemas of a document by name.
type Schemas = BTreeMap<String, RefOr<Schema>>;

/// The document of a table. `server` is the base of all paths, `version` the product's.
pub fn document<'a>(
    routes: impl IntoIterator<Item = &'a RouteInfo>,
    server: &str,
    version: &str,
) -> OpenApi {
    let routes: Vec<&RouteInfo> = routes.into_iter().collect();
    let schemas = schemas(&routes);
    let examples = Examples::new(&schemas);
    let mut paths = PathsBuilder::new().build();
    let mut tags = Vec::new();
    for route in &routes {
        let Some(method) = method(&route.method) else {
            continue;
        };
        let operation = operation::of(route, &examples);
        tags.extend(operation.tags.iter().flatten().cloned());
        paths.add_path_operation(plain_path(&route.path), vec![method], operation);
    }
    let info = InfoBuilder::new()
        .title("Tidegate")
        .version(version)
        .description(Some(DESCRIPTION))
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
        .tags(Some(tags::of(tags.iter().map(String::as_str))))
        .paths(paths)
        .components(Some(components(schemas)))
        .build()
}

/// All schemas that the routes and their errors refer to, with their names.
fn named_schemas(routes: &[&RouteInfo]) -> Vec<(String, RefOr<Schema>)> {
    let mut schemas = Vec::new();
    for route in routes {
        let bodies = route.bodies.iter().filter_map(|body| body.schema);
        let answers = route.answers.iter().filter_map(|answer| answer.schema);
        for schema in bodies.chain(answers) {
            schema.collect(&mut schemas);
        }
    }
    schemas.push((Problem::name().into_owned(), Problem::schema()));
    Problem::schemas(&mut schemas);
    schemas.push((RowProblem::name().into_owned(), RowProblem::schema()));
    for (_, schema) in &mut schemas {
        describe_members(schema);
    }
    schemas
}

fn schemas(routes: &[&RouteInfo]) -> Schemas {
    named_schemas(routes).into_iter().collect()
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

fn components(schemas: Schemas) -> Components {
    let responses = ERRORS.iter().flat_map(problems::Error::responses);
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .responses_from_iter(responses);
    security::schemes()
        .into_iter()
        .fold(components, |components, (name, scheme)| {
            components.security_scheme(name, scheme)
        })
        .build()
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
