//! What the documentation says of a resource, from its description and its draft.

use std::borrow::Cow;

use serde_json::{Value, json};
use tidegate_domain::resource::{IdKind, Paging, Resource};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{
    ArrayBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr, Required};
use utoipa::{PartialSchema as _, ToSchema};

use crate::route::{RouteBuilder, SchemaRef};

type Schemas = Vec<(String, RefOr<Schema>)>;

/// `loan_request` as the name of a type, `LoanRequest`.
pub fn type_name(name: &str) -> String {
    let capital = |word: &str| {
        let mut characters = word.chars();
        let first = characters.next().map(|c| c.to_ascii_uppercase());
        first.into_iter().chain(characters).collect::<String>()
    };
    name.split('_').map(capital).collect()
}

/// The name of a record's schema.
pub fn entity_name<R: Resource>() -> Cow<'static, str> {
    type_name(R::SPEC.singular).into()
}

/// The schemas of a record. All its members are always there.
pub fn collect_entity<R: Resource>(schemas: &mut Schemas) {
    SchemaRef::of::<R::Draft>().collect(schemas);
    let id = match R::SPEC.id {
        IdKind::Number => integer(),
        IdKind::Uuid => ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::Custom("uuid".to_owned()))),
    };
    let mut members: Vec<(String, RefOr<Schema>)> = vec![("id".to_owned(), id.into())];
    let mut example = None;
    if let RefOr::T(Schema::Object(draft)) = R::Draft::schema() {
        example = draft.example;
        members.extend(draft.properties);
    }
    members.extend(
        R::SPEC
            .owner
            .map(|owner| (owner.to_owned(), integer().into())),
    );
    if R::SPEC.shows_times {
        let time = || string(KnownFormat::DateTime);
        let changed = time()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .description(Some("Null for one that was never changed."));
        members.push(("created_at".to_owned(), time().into()));
        members.push(("updated_at".to_owned(), changed.into()));
    }
    let example = example.and_then(|draft| recorded::<R>(draft, &members));
    let entity = members
        .into_iter()
        .fold(ObjectBuilder::new(), |entity, (name, schema)| {
            entity.property(name.clone(), schema).required(name)
        })
        .examples(example);
    schemas.push((entity_name::<R>().into_owned(), entity.into()));
}

/// The example of a draft as a record: with what the server adds, and null for what was left out.
fn recorded<R: Resource>(draft: Value, members: &[(String, RefOr<Schema>)]) -> Option<Value> {
    let Value::Object(mut draft) = draft else {
        return None;
    };
    let record = members.iter().map(|(name, schema)| {
        let value = match name.as_str() {
            "id" if matches!(R::SPEC.id, IdKind::Uuid) => {
                json!("0198f3c6-9a51-7c40-8d5e-3b1f2a6c4d70")
            }
            "id" => json!(1),
            "created_at" => json!("2026-03-01T06:40:00Z"),
            owner if R::SPEC.owner == Some(owner) => json!(2),
            name => draft.remove(name).unwrap_or_else(|| default(schema)),
        };
        (name.clone(), value)
    });
    Some(Value::Object(record.collect()))
}

fn default(schema: &RefOr<Schema>) -> Value {
    match schema {
        RefOr::T(Schema::Object(object)) => object.default.clone().unwrap_or_default(),
        _ => Value::Null,
    }
}

fn integer() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
}

fn string(format: KnownFormat) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(format)))
}

/// The schema of a change: the draft with nothing required.
pub(super) fn patch<R: Resource>() -> SchemaRef {
    SchemaRef::new(patch_name::<R>, |schemas| {
        collect_change::<R::Draft>(&patch_name::<R>(), schemas);
    })
}

/// The schema of a draft with nothing required, under another name.
pub(crate) fn collect_change<D: ToSchema>(name: &str, schemas: &mut Schemas) {
    let mut patch = D::schema();
    if let RefOr::T(Schema::Object(object)) = &mut patch {
        object.required.clear();
        // What is left out stays as it is, whatever a new record would have.
        for member in object.properties.values_mut() {
            if let RefOr::T(Schema::Object(member)) = member {
                member.default = None;
            }
        }
    }
    schemas.push((name.to_owned(), patch));
    D::schemas(schemas);
}

fn patch_name<R: Resource>() -> Cow<'static, str> {
    format!("{}Patch", entity_name::<R>()).into()
}

/// The parameters and the answer of a list.
pub(super) fn list<R: Resource>(mut route: RouteBuilder, shown: SchemaRef) -> RouteBuilder {
    let list = R::SPEC.list;
    route = kept(route);
    for (parameter, column) in list.search {
        let text = ObjectBuilder::new().schema_type(Type::String);
        let what = format!("Only those whose `{column}` holds this, without case");
        route = route.parameter(query(parameter, text, what));
    }
    if !list.sort.is_empty() {
        let choice = |values: &[&str]| {
            let values: Vec<_> = values.iter().map(|value| (*value).to_owned()).collect();
            ObjectBuilder::new()
                .schema_type(Type::String)
                .enum_values(Some(values))
        };
        let sort = format!("What to sort by; `{}` by default", R::SPEC.key);
        route = route
            .parameter(query("sort_by", choice(list.sort), sort))
            .parameter(query(
                "order",
                choice(&["asc", "desc"]),
                "Smallest (the default) or largest first",
            ));
    }
    let most = format!(
        "How many at most, {} by default, {} at most",
        list.limit, list.max
    );
    route = route.parameter(query("limit", integer(), most));
    match list.paging {
        Paging::Pages => route
            .parameter(query("page", integer(), "Which page, from 1"))
            .answers_as(200, "A page", page::<R>()),
        Paging::Array { parameter } => route
            .parameter(query(parameter, integer(), "How many to pass over"))
            .answers_as(200, "As many as fit", shown)
            .in_a_list(),
    }
}

fn page<R: Resource>() -> SchemaRef {
    SchemaRef::new(page_name::<R>, |schemas| {
        collect_entity::<R>(schemas);
        let items = ArrayBuilder::new().items(Ref::from_schema_name(entity_name::<R>()));
        let page = ObjectBuilder::new()
            .property("page", integer())
            .property("limit", integer())
            .property("total", integer())
            .property(R::SPEC.plural, items)
            .required("page")
            .required("limit")
            .required("total")
            .required(R::SPEC.plural);
        schemas.push((page_name::<R>().into_owned(), page.into()));
    })
}

fn page_name<R: Resource>() -> Cow<'static, str> {
    format!("{}Page", entity_name::<R>()).into()
}

fn query(name: &str, schema: ObjectBuilder, what: impl Into<String>) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .description(Some(what))
        .schema(Some(schema.build()))
        .build()
}

/// What all changes of a record have in common: `If-Match` and what comes of it. `one` is what
/// the record is called.
pub fn conditional(route: RouteBuilder, one: &str) -> RouteBuilder {
    route
        .parameter(header(
            "If-Match",
            "The `ETag` of the record as you know it; one that has changed since is a 412.",
        ))
        .answers_plain(404, format!("There is no such {one}"))
        .answers_plain(412, "The record is not the one that If-Match names")
        .answers_plain(428, "The server is set up to ask for If-Match")
}

/// What a read has in common with others of which clients keep the answer.
pub(crate) fn kept(route: RouteBuilder) -> RouteBuilder {
    route
        .parameter(if_none_match())
        .answers_plain(304, "It is what If-None-Match names")
}

/// `If-None-Match`.
fn if_none_match() -> Parameter {
    header(
        "If-None-Match",
        "The `ETag` of what you have; where it is still the same the answer is 304.",
    )
}

fn header(name: &str, what: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .description(Some(what))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

/// The number in a record's path.
pub(super) fn key(name: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(integer()))
        .build()
}
