//! A route as an operation of the document.

use utoipa::openapi::path::{
    Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn,
};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{ArrayBuilder, KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{Content, Ref, Required, Response, ResponseBuilder};

use crate::error::render::Place;
use crate::openapi::examples::Examples;
use crate::openapi::problems::{self, ERRORS};
use crate::openapi::security;
use crate::route::{Access, AnswerInfo, RouteInfo};

/// The operation, with an example of everything that is sent and answered.
pub(super) fn of(route: &RouteInfo, examples: &Examples) -> Operation {
    let place = Place::of(&route.path);
    let mut operation = OperationBuilder::new()
        .operation_id(Some(route.operation_id.as_ref()))
        .summary(Some(route.summary.as_ref()))
        .description(route.description.as_deref())
        .tag(route.tag.as_ref());
    if route.access == Access::Admin && route.tag != "admin" {
        operation = operation.tag("admin");
    }
    for parameter in parameters(route) {
        let example = examples.of_parameter(&parameter);
        operation = operation.parameter(ParameterBuilder::from(parameter).example(example));
    }
    if !route.bodies.is_empty() {
        operation = operation.request_body(Some(body(route, examples)));
    }
    for (at, answer) in route.answers.iter().enumerate() {
        let (before, rest) = route.answers.split_at(at);
        if before.iter().any(|other| other.status == answer.status) {
            continue;
        }
        let forms = rest.iter().filter(|other| other.status == answer.status);
        let response = self::answer(place, answer, forms, examples);
        operation = operation.response(answer.status.to_string(), response);
    }
    for error in &ERRORS {
        let told = route.answers.iter().any(|it| it.status == error.status);
        if problems::follows(route, error.status) && !told {
            let name = error.response_name(place);
            operation = operation.response(error.status.to_string(), Ref::from_response_name(name));
        }
    }
    operation
        .securities(Some(security::requirements(route)))
        .build()
}

fn body(route: &RouteInfo, examples: &Examples) -> RequestBody {
    let mut body = RequestBodyBuilder::new().required(Some(Required::True));
    for form in &route.bodies {
        let schema = form.schema.map(|schema| schema.reference());
        let known = schema.as_ref().and_then(|schema| examples.of(schema));
        let mut content = Content::new(schema);
        content.example = form.example.clone().or(known);
        body = body.content(form.media_type, content);
    }
    body.build()
}

/// An answer in all its forms, of which it is the first.
fn answer<'a>(
    place: Place,
    answer: &AnswerInfo,
    forms: impl Iterator<Item = &'a AnswerInfo>,
    examples: &Examples,
) -> Response {
    let mut response = ResponseBuilder::new().description(answer.description.as_ref());
    if answer.status >= 400 && answer.media_type.is_empty() {
        let problem = problems::described(place, answer.status, &answer.description);
        if let Some((media_type, content)) = problem {
            response = response.content(media_type, content);
        }
        return response.build();
    }
    for form in forms.filter(|form| !form.media_type.is_empty()) {
        let schema = form.schema.map(|schema| match form.is_list {
            false => schema.reference(),
            true => ArrayBuilder::new().items(schema.reference()).into(),
        });
        let known = schema.as_ref().and_then(|schema| examples.of(schema));
        let mut content = Content::new(schema);
        content.example = form.example.clone().or(known);
        response = response.content(form.media_type, content);
    }
    response.build()
}

/// What the path holds first, then what else is taken.
fn parameters(route: &RouteInfo) -> Vec<Parameter> {
    let (of_path, others): (Vec<_>, Vec<_>) = route
        .parameters
        .iter()
        .cloned()
        .partition(|it| it.parameter_in == ParameterIn::Path);
    let undescribed = parameter_names(&route.path)
        .filter(|name| of_path.iter().all(|it| it.name != *name))
        .map(path_parameter);
    undescribed.chain(of_path.clone()).chain(others).collect()
}

fn path_parameter(name: &str) -> Parameter {
    let number = name == "id" || name.ends_with("_id");
    let schema = if number {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
    } else {
        ObjectBuilder::new().schema_type(Type::String)
    };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(schema.build()))
        .build()
}

fn parameter_names(path: &str) -> impl Iterator<Item = &str> {
    path.split('{')
        .skip(1)
        .filter_map(|part| part.split(['}', ':']).next())
}
