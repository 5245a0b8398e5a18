//! What the documentation says of the row interface: its query, its headers, its rows.

use serde_json::{Value, json};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle};
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, KnownFormat, ObjectBuilder, SchemaFormat, Type,
};

use crate::route::{RouteBuilder, SchemaRef};

/// Rows as they are sent and shown.
pub(super) fn rows() -> SchemaRef {
    SchemaRef::new(
        || "Rows".into(),
        |schemas| {
            let row = ObjectBuilder::new()
                .schema_type(Type::Object)
                .additional_properties(Some(AdditionalProperties::FreeForm(true)))
                .description(Some("A member for each column."));
            let rows = ArrayBuilder::new().items(row).examples([shown()]);
            schemas.push(("Rows".to_owned(), rows.into()));
        },
    )
}

/// What is sent of new rows.
pub(super) fn sent() -> Value {
    json!([{"name": "Tern", "draught_m": 2.50}, {"name": "Ærfugl", "draught_m": 8.25}])
}

/// The same as CSV.
pub(super) const SENT_AS_CSV: &str = "name,draught_m\nTern,2.50\nÆrfugl,8.25\n";

fn shown() -> Value {
    json!([{"id": 1, "name": "Tern", "draught_m": 2.50}])
}

/// Answers rows, as JSON or CSV.
pub(super) fn shows(route: RouteBuilder, status: u16, description: &'static str) -> RouteBuilder {
    route
        .answers_as(status, description, rows())
        .answers_in("text/csv", status, description)
        .shown_as(json!("id,name,draught_m\n1,Tern,2.50\n"))
        .answers_in("application/vnd.pgrst.object+json", status, description)
        .shown_as(json!({"id": 1, "name": "Tern", "draught_m": 2.50}))
        .answers_in("application/vnd.pgrst.array+json", status, description)
        .shown_as(shown())
}

/// What a read may ask for.
pub(super) fn reading(route: RouteBuilder) -> RouteBuilder {
    choosing(route)
        .parameter(query("limit", number(), "How many rows at most"))
        .parameter(query("offset", number(), "How many rows to pass over"))
        .parameter(header(
            "Range",
            "The same as `limit` and `offset`: `0-9` is the first ten rows",
        ))
        .parameter(header(
            "Prefer",
            "`count=exact`, `count=planned` or `count=estimated` count all rows that fit, for \
             `Content-Range`; `timezone=Europe/Oslo` shows instants there",
        ))
        .parameter(header(
            "Accept",
            "`application/json`, `text/csv`, or `application/vnd.pgrst.object+json` for exactly one \
             row; with `nulls=stripped` members that are null are left out",
        ))
}

/// What an insert may ask for.
pub(super) fn inserting(route: RouteBuilder) -> RouteBuilder {
    showing(route)
        .parameter(query(
            "columns",
            text(),
            "Which members of the rows count, by a comma list; others are passed over",
        ))
        .parameter(query(
            "on_conflict",
            text(),
            "By which unique key a row is known to be there already, with `Prefer: resolution=`; \
             without it by the primary key",
        ))
}

/// What a change or a deletion may ask for.
pub(super) fn changing(route: RouteBuilder) -> RouteBuilder {
    showing(filtering(route))
}

/// The answer where a select embeds by more than one relationship.
const AMBIGUOUS: &str = "Several relationships lead to what `select` embeds; they are told";

fn choosing(route: RouteBuilder) -> RouteBuilder {
    filtering(route)
        .answers_plain(300, AMBIGUOUS)
        .parameter(query("select", text(), "Which columns, by a comma list"))
        .parameter(query(
            "order",
            text(),
            "By which columns: `name`, `draught_m.desc`, `arrived.asc.nullsfirst`",
        ))
}

fn showing(route: RouteBuilder) -> RouteBuilder {
    route
        .answers_plain(300, AMBIGUOUS)
        .parameter(query(
            "select",
            text(),
            "Which columns are shown, where the rows are",
        ))
        .parameter(header(
            "Prefer",
            "`return=representation` shows the rows, `return=headers-only` says where a new one is; \
             `count=exact` counts them; `resolution=merge-duplicates` and `ignore-duplicates` let new \
             rows meet those that are there; `missing=default`, `tx=rollback`, `timezone=Europe/Oslo`, \
             and with `handling=strict` also `max-affected=10`",
        ))
}

/// Any other key names a column.
fn filtering(route: RouteBuilder) -> RouteBuilder {
    let filters = ObjectBuilder::new()
        .schema_type(Type::Object)
        .additional_properties(Some(AdditionalProperties::RefOr(text().into())));
    let filters = ParameterBuilder::new()
        .name("filters")
        .parameter_in(ParameterIn::Query)
        .style(Some(ParameterStyle::Form))
        .explode(Some(true))
        .description(Some(
            "Conditions, of which all hold: a column's name and `operator.value`, such as `id=eq.7`, \
             `draught_m=gte.5.10`, `name=in.(Tern,Quill)`, `arrived=not.is.null`",
        ))
        .schema(Some(filters))
        .example(Some(json!({"name": "eq.Tern"})));
    let route = route.parameter(filters);
    ["and", "or"].into_iter().fold(route, |route, name| {
        route.parameter(query(
            name,
            text(),
            "Conditions within each other: `(draught_m.gte.5.10,or(name.eq.Tern,arrived.is.null))`",
        ))
    })
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn number() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(0))
}

fn query(name: &str, schema: ObjectBuilder, what: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .description(Some(what))
        .schema(Some(schema))
        .build()
}

fn header(name: &str, what: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .description(Some(what))
        .schema(Some(text()))
        .build()
}
