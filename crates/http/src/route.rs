//! The route table. Each route is registered once, with all that is known of it; from
//! the table come the registration at actix, the 405 with `Allow`, the permission
//! matrix of the tests and the OpenAPI document.
//!
//! ```ignore
//! RouteSpec::get("/users/{id}", "getUser", "One user")
//!     .tag("users")
//!     .access(Access::SignedIn)
//!     .answers::<UserView>(200, "The user")
//!     .to(get_user)
//! ```

pub mod builder;
pub mod index;
pub mod register;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use actix_web::Route;
use actix_web::http::Method;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::path::Parameter;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{Ref, RefOr};

use crate::error::render::Challenge;
pub use crate::route::builder::RouteBuilder;

/// A text that is written in the source, or put together from the name of a resource.
pub type CowStr = Cow<'static, str>;

/// Who may use a route. The handler proves it with [`crate::auth::Require`]; a test
/// compares the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Public,
    /// Every user.
    SignedIn,
    /// Administrators.
    Admin,
    /// Administrators, and the user whose id is `{id}` in the path.
    AdminOrSelf,
    /// Administrators, and the user whose the record in the path is. The use case looks, when
    /// the record is there; before that every user may ask.
    AdminOrOwner,
    /// Who may read rows of gateway databases.
    ReadRows,
    /// Who may write rows of gateway databases.
    WriteRows,
    /// Every user, with name and password too; everybody where the documentation is public.
    Docs,
}

/// Which limit a route's requests count against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitClass {
    /// The general limit.
    General,
    /// The strict one: routes that take credentials, and the short gateway routes.
    Credentials,
    /// That of the inbox, counted for each sender, where nobody's credentials are looked at.
    Inbox,
    /// None: health checks.
    Unlimited,
}

/// A route without its handler.
#[derive(Clone)]
pub struct RouteInfo {
    /// The method. A `GET` also answers `HEAD`, unless the path has its own.
    pub method: Method,
    /// Whether every other method is answered as well.
    pub any_method: bool,
    /// Whether a request may wait for long, by the thousand.
    pub waits: bool,
    /// The path pattern, `/users/{id}`; the form with a slash at the end comes by itself.
    pub path: CowStr,
    /// Who may use it.
    pub access: Access,
    /// Which limit its requests count against.
    pub limit: LimitClass,
    /// The scheme that its 401 asks for.
    pub challenge: Challenge,
    /// Whether HTTP Basic with a user name and password is taken here.
    pub password: bool,
    /// Whether a public route looks at credentials all the same.
    pub looks: bool,
    /// Whether `X-Version` is looked at.
    pub versioned: bool,
    /// The group in the documentation.
    pub tag: CowStr,
    /// The name in generated clients, unique.
    pub operation_id: CowStr,
    /// One line for the documentation.
    pub summary: CowStr,
    /// More for the documentation.
    pub description: Option<CowStr>,
    /// What the body may be.
    pub bodies: Vec<BodyInfo>,
    /// What may be answered, beyond the errors that follow from the rest.
    pub answers: Vec<AnswerInfo>,
    /// Query and header parameters; those of the path follow from the pattern.
    pub parameters: Vec<Parameter>,
}

impl fmt::Debug for RouteInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({:?})", self.method, self.path, self.access)
    }
}

/// One form of a request's body.
#[derive(Clone, Debug)]
pub struct BodyInfo {
    /// Its media type.
    pub media_type: &'static str,
    /// Its schema, if it has one.
    pub schema: Option<SchemaRef>,
    /// What it looks like, where the schema does not say.
    pub example: Option<Value>,
}

/// One answer of a route.
#[derive(Clone, Debug)]
pub struct AnswerInfo {
    /// The status.
    pub status: u16,
    /// When it is given.
    pub description: CowStr,
    /// The media type of its body.
    pub media_type: &'static str,
    /// The schema of its body, if it has one.
    pub schema: Option<SchemaRef>,
    /// Whether the body is an array of such.
    pub is_list: bool,
    /// What it looks like, where the schema does not say.
    pub example: Option<Value>,
}

/// A schema by name, with those it refers to.
#[derive(Clone, Copy, Debug)]
pub struct SchemaRef {
    name: fn() -> Cow<'static, str>,
    collect: fn(&mut Vec<(String, RefOr<Schema>)>),
}

impl SchemaRef {
    /// The schema of a type.
    pub fn of<T: ToSchema>() -> Self {
        Self::new(T::name, |schemas| {
            schemas.push((T::name().into_owned(), T::schema()));
            T::schemas(schemas);
        })
    }

    /// A schema that is put together; `collect` adds it with those it refers to.
    pub fn new(
        name: fn() -> Cow<'static, str>,
        collect: fn(&mut Vec<(String, RefOr<Schema>)>),
    ) -> Self {
        Self { name, collect }
    }

    /// The reference to it.
    pub fn reference(&self) -> RefOr<Schema> {
        RefOr::Ref(Ref::from_schema_name((self.name)()))
    }

    /// Adds the schema and those it refers to.
    pub fn collect(&self, schemas: &mut Vec<(String, RefOr<Schema>)>) {
        (self.collect)(schemas);
    }
}

/// A route with its handler.
#[derive(Clone)]
pub struct RouteSpec {
    info: Arc<RouteInfo>,
    // actix's routes belong to one worker each, so every worker makes its own.
    make: Arc<dyn Fn() -> Route + Send + Sync>,
}

impl RouteSpec {
    /// A `GET` (and `HEAD`) route.
    pub fn get(
        path: impl Into<CowStr>,
        operation_id: impl Into<CowStr>,
        summary: impl Into<CowStr>,
    ) -> RouteBuilder {
        Self::of(Method::GET, path, operation_id, summary)
    }

    /// A `POST` route.
    pub fn post(
        path: impl Into<CowStr>,
        operation_id: impl Into<CowStr>,
        summary: impl Into<CowStr>,
    ) -> RouteBuilder {
        Self::of(Method::POST, path, operation_id, summary)
    }

    /// A `PUT` route.
    pub fn put(
        path: impl Into<CowStr>,
        operation_id: impl Into<CowStr>,
        summary: impl Into<CowStr>,
    ) -> RouteBuilder {
        Self::of(Method::PUT, path, operation_id, summary)
    }

    /// A `PATCH` route.
    pub fn patch(
        path: impl Into<CowStr>,
        operation_id: impl Into<CowStr>,
        summary: impl Into<CowStr>,
    ) -> RouteBuilder {
        Self::of(Method::PATCH, path, operation_id, summary)
    }

    /// A `DELETE` route.
    pub fn delete(
        path: impl Into<CowStr>,
        operation_id: impl Into<CowStr>,
        summary: impl Into<CowStr>,
    ) -> RouteBuilder {
        Self::of(Method::DELETE, path, operation_id, summary)
    }

    /// A route of any method.
    pub fn of(
        method: Method,
        path: impl Into<CowStr>,
        operation_id: impl Into<CowStr>,
        summary: impl Into<CowStr>,
    ) -> RouteBuilder {
        RouteBuilder(RouteInfo {
            method,
            any_method: false,
            waits: false,
            path: path.into(),
            access: Access::SignedIn,
            limit: LimitClass::General,
            challenge: Challenge::Bearer,
            password: false,
            looks: false,
            versioned: true,
            tag: "tidegate".into(),
            operation_id: operation_id.into(),
            summary: summary.into(),
            description: None,
            bodies: Vec::new(),
            answers: Vec::new(),
            parameters: Vec::new(),
        })
    }

    /// What is known of it.
    pub fn info(&self) -> &Arc<RouteInfo> {
        &self.info
    }
}

/// The table of all routes and some more, in the order of matching, without the handlers.
pub fn table_with(more: impl IntoIterator<Item = RouteSpec>) -> Vec<Arc<RouteInfo>> {
    let mut routes = crate::routes::all();
    routes.extend(more);
    register::sorted(routes)
        .iter()
        .map(|route| Arc::clone(route.info()))
        .collect()
}

#[cfg(test)]
pub(crate) fn table() -> Vec<Arc<RouteInfo>> {
    table_with(crate::testing::resources())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::index::RouteIndex;

    #[test]
    fn every_route_is_found_and_none_hides_another() {
        let routes = register::sorted(crate::testing::all());
        let index = RouteIndex::new(&routes).unwrap();
        for route in &routes {
            let info = route.info();
            let path = crate::testing::example_path(&info.path);
            let found = index
                .find(&path)
                .and_then(|(place, _)| index.entries()[place].route(&info.method));
            let found = found.map(|found| &found.operation_id);
            assert_eq!(found, Some(&info.operation_id), "{} {path}", info.method);
        }
    }
}
