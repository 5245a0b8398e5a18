//! The routes of a resource: list, make, read, replace, change and delete its records, with
//! permissions, paging, conditions, repetition and documentation, whatever the resource.

mod documents;
mod list;

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_TYPE, ETAG, LOCATION, VARY};
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use bytes::Bytes;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use tidegate_application::crud::{UseCases, merged};
use tidegate_application::error::AppError;
use tidegate_application::idempotency::Reply;
use tidegate_domain::account::UserId;
use tidegate_domain::error::StoreError;
use tidegate_domain::idempotency::Answer;
use tidegate_domain::permission::{Authorized, SignedIn};
use tidegate_domain::resource::{Read, Resource, Write, Writers};

use crate::app::Services;
use crate::auth::{FromRoute, Require};
use crate::conditional::{Conditions, Tagged, VARIES};
use crate::context::{Context, RequestContext};
use crate::error::ApiError;
use crate::extract::body::{media_type, unsupported};
use crate::extract::json;
use crate::extract::path::id;
use crate::idempotency::{self, repeatable, replayed};
use crate::route::{Access, RouteBuilder, RouteSpec, SchemaRef};
use crate::routes::Detail;

pub(crate) use documents::{collect_change, kept};
pub use documents::{collect_entity, conditional, entity_name, type_name};

impl<R: Resource> FromRoute for Read<R> {
    fn from_route(_: &HttpRequest) -> Result<Self, ApiError> {
        Ok(Self::default())
    }
}

impl<R: Resource> FromRoute for Write<R> {
    fn from_route(_: &HttpRequest) -> Result<Self, ApiError> {
        Ok(Self::default())
    }
}

/// The routes of a resource whose records are shown as they are. The use cases have to be
/// among the application's data (see [`crate::app::Extension::data`]).
pub fn routes<R: Resource, U: UseCases<R>>() -> Vec<RouteSpec> {
    routes_showing::<R, U>(SchemaRef::new(entity_name::<R>, collect_entity::<R>))
}

/// The same, where records are shown as `shown` describes.
pub fn routes_showing<R: Resource, U: UseCases<R>>(shown: SchemaRef) -> Vec<RouteSpec> {
    let spec = R::SPEC;
    let (one, many) = (spec.singular, spec.plural);
    let (type_name, types_name) = (documents::type_name(one), documents::type_name(many));
    let all = format!("/{many}");
    let each = format!("/{many}/{{{}}}", spec.key);
    let taken = "Another record has a member that must be unique";
    let (makes, changes) = match spec.writers {
        Writers::Administrators => (Access::Admin, Access::Admin),
        Writers::Owners => (Access::SignedIn, Access::AdminOrOwner),
    };
    let conditional = |route: RouteBuilder| {
        let route = documents::conditional(route, one).tag(many);
        route.parameter(documents::key(spec.key))
    };
    let conflicting = |route: RouteBuilder| match spec.unique {
        [] => route,
        _ => route.answers_plain(409, taken),
    };
    let listed = |route: RouteBuilder| documents::list::<R>(route, shown).tag(many);
    let tells = |route: RouteBuilder| match spec.tells_deleted {
        true => route.answers::<Detail>(200, "Done"),
        false => route.answers_plain(204, "Done"),
    };
    let mut routes = vec![
        listed(RouteSpec::get(
            all.clone(),
            format!("list{types_name}"),
            format!("List {many}"),
        ))
        .to(list_all::<R, U>),
        RouteSpec::post(
            all,
            format!("create{type_name}"),
            format!("Make a record of {many}"),
        )
        .tag(many)
        .access(makes)
        .parameter(idempotency::parameter())
        .body("application/json", Some(SchemaRef::of::<R::Draft>()))
        .answers_as(201, "It, as it was made", shown)
        .answers_plain(
            409,
            match spec.unique {
                [] => idempotency::UNDER_WAY.to_owned(),
                _ => format!("{taken}; or: {}", idempotency::UNDER_WAY),
            },
        )
        .to(create::<R, U>),
        documents::kept(RouteSpec::get(
            each.clone(),
            format!("get{type_name}"),
            format!("One of the {many}"),
        ))
        .tag(many)
        .parameter(documents::key(spec.key))
        .answers_as(200, "It", shown)
        .answers_plain(404, format!("There is no such {one}"))
        .to(get::<R, U>),
        conflicting(conditional(RouteSpec::put(
            each.clone(),
            format!("replace{type_name}"),
            "Put another in its place",
        )))
        .access(changes)
        .body("application/json", Some(SchemaRef::of::<R::Draft>()))
        .answers_as(200, "It, as it is now", shown)
        .to(replace::<R, U>),
        conflicting(conditional(RouteSpec::patch(
            each.clone(),
            format!("update{type_name}"),
            "Change some members",
        )))
        .description("JSON Merge Patch (RFC 7396): members that are left out stay as they are.")
        .access(changes)
        .body("application/json", Some(documents::patch::<R>()))
        .body(
            "application/merge-patch+json",
            Some(documents::patch::<R>()),
        )
        .answers_as(200, "It, as it is now", shown)
        .to(update::<R, U>),
        conditional(tells(RouteSpec::delete(
            each,
            format!("delete{type_name}"),
            "Delete it",
        )))
        .access(changes)
        .to(delete::<R, U>),
    ];
    if spec.owner.is_some() {
        let path = format!("/users/{{id}}/{many}");
        let route = RouteSpec::get(
            path,
            format!("listUser{types_name}"),
            format!("List {many} of a user"),
        );
        let route = listed(route).answers_plain(404, "There is no such user");
        routes.push(route.to(list_of_user::<R, U>));
    }
    routes
}

/// A body in JSON, not yet read as anything.
pub struct JsonText<T> {
    /// The text.
    pub text: Bytes,
    of: PhantomData<T>,
}

impl<T: serde::de::DeserializeOwned> JsonText<T> {
    /// What it says.
    ///
    /// # Errors
    /// 400 for a text that is no JSON, 422 for one that does not fit.
    pub fn parse(&self) -> Result<T, ApiError> {
        json::object(&self.text)
    }
}

impl<T> FromRequest for JsonText<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let text = json::text(request, payload.take());
        Box::pin(async move {
            Ok(Self {
                text: text.await?,
                of: PhantomData,
            })
        })
    }
}

/// How the answers of early paths name a record.
pub type Wrapper = Option<&'static str>;

/// A record's representation; the tag is the record's, whatever the answer calls it.
fn wrapped(value: &impl serde::Serialize, wrapper: Wrapper) -> Result<Tagged, StoreError> {
    let mut tagged = Tagged::new(value)?;
    if let Some(name) = wrapper {
        tagged.body = Tagged::new(&json!({ name: value }))?.body;
    }
    Ok(tagged)
}

async fn list_all<R: Resource, U: UseCases<R>>(
    Require(auth): Require<Read<R>>,
    use_cases: web::Data<U>,
    Context(context): Context,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    list::answer(&auth, use_cases.get_ref(), &context, &request, None).await
}

async fn list_of_user<R: Resource, U: UseCases<R>>(
    Require(auth): Require<Read<R>>,
    services: web::Data<Services>,
    use_cases: web::Data<U>,
    Context(context): Context,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let user = UserId(id(&request, "id")?);
    let signed_in = auth.principal().authorize(SignedIn)?;
    services.accounts.get(&signed_in, user).await?;
    list::answer(&auth, use_cases.get_ref(), &context, &request, Some(user)).await
}

async fn create<R: Resource, U: UseCases<R>>(
    Require(auth): Require<Write<R>>,
    use_cases: web::Data<U>,
    Context(context): Context,
    request: HttpRequest,
    body: JsonText<R::Draft>,
) -> Result<HttpResponse, ApiError> {
    make(&auth, use_cases.get_ref(), &context, &request, &body, None).await
}

/// Makes a record of the body: 201.
///
/// # Errors
/// A body that does not fit; a conflict; a repetition that cannot be answered.
pub async fn make<R: Resource, U: UseCases<R>>(
    auth: &Authorized<Write<R>>,
    use_cases: &U,
    context: &RequestContext,
    request: &HttpRequest,
    body: &JsonText<R::Draft>,
    wrapper: Wrapper,
) -> Result<HttpResponse, ApiError> {
    let draft = body.parse()?;
    let repeatable = repeatable(request, auth.principal(), &body.text)?;
    let answer = |shown: &U::Shown| created::<R, U>(shown, context, wrapper);
    match use_cases
        .create(auth, draft, repeatable.as_ref(), answer)
        .await?
    {
        Reply::New(shown) => Ok(idempotency::response(&answer(&shown)?)),
        Reply::Repeated(answer) => Ok(replayed(&answer)),
    }
}

fn created<R: Resource, U: UseCases<R>>(
    shown: &U::Shown,
    context: &RequestContext,
    wrapper: Wrapper,
) -> Result<Answer, AppError> {
    let mut headers = vec![
        (CONTENT_TYPE.to_string(), "application/json".to_owned()),
        (VARY.to_string(), VARIES.to_owned()),
    ];
    if let Some(key) = U::entity(shown).key() {
        let place = format!("{}/{}/{key}", context.base_url, R::SPEC.plural);
        headers.push((LOCATION.to_string(), place));
    }
    let Tagged { body, tag } = wrapped(shown, wrapper)?;
    headers.push((ETAG.to_string(), tag.to_string()));
    Ok(Answer {
        status: 201,
        headers,
        body,
    })
}

async fn get<R: Resource, U: UseCases<R>>(
    Require(auth): Require<Read<R>>,
    use_cases: web::Data<U>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    read(&auth, use_cases.get_ref(), &request, R::SPEC.key, None).await
}

/// The record whose key is the parameter `key` of the path: 200 or 304.
///
/// # Errors
/// Not found; a key that is no number.
pub async fn read<R: Resource, U: UseCases<R>>(
    auth: &Authorized<Read<R>>,
    use_cases: &U,
    request: &HttpRequest,
    key: &str,
    wrapper: Wrapper,
) -> Result<HttpResponse, ApiError> {
    let shown = use_cases.get(auth, id(request, key)?).await?;
    wrapped(&shown, wrapper)?.answer(request)
}

async fn replace<R: Resource, U: UseCases<R>>(
    Require(auth): Require<Write<R>>,
    use_cases: web::Data<U>,
    request: HttpRequest,
    body: JsonText<R::Draft>,
) -> Result<HttpResponse, ApiError> {
    put(
        &auth,
        use_cases.get_ref(),
        &request,
        R::SPEC.key,
        &body,
        None,
    )
    .await
}

/// Puts the body in place of the record: 200.
///
/// # Errors
/// Not found; somebody else's record; a body that does not fit; a conflict; a condition that
/// does not hold.
pub async fn put<R: Resource, U: UseCases<R>>(
    auth: &Authorized<Write<R>>,
    use_cases: &U,
    request: &HttpRequest,
    key: &str,
    body: &JsonText<R::Draft>,
    wrapper: Wrapper,
) -> Result<HttpResponse, ApiError> {
    let key = id(request, key)?;
    let conditions = Conditions::of(request)?;
    let draft = body.parse()?;
    let change = |present: &U::Shown| {
        check(&conditions, present)?;
        Ok(draft.clone())
    };
    let shown = use_cases.update(auth, key, change).await?;
    Ok(wrapped(&shown, wrapper)?.untagged())
}

async fn update<R: Resource, U: UseCases<R>>(
    Require(auth): Require<Write<R>>,
    use_cases: web::Data<U>,
    request: HttpRequest,
    body: JsonText<Patch>,
) -> Result<HttpResponse, ApiError> {
    refuse_json_patch(&request)?;
    let key = id(&request, R::SPEC.key)?;
    let conditions = Conditions::of(&request)?;
    let Patch(patch) = body.parse()?;
    let change = |present: &U::Shown| {
        check(&conditions, present)?;
        let merged = merged(&U::entity(present).draft, &patch)?;
        Ok(json::value(merged)?)
    };
    let shown = use_cases.update(&auth, key, change).await?;
    Ok(Tagged::new(&shown)?.response())
}

/// A merge patch. Of a member that is given twice nobody knows which is meant.
pub(crate) struct Patch(pub(crate) Map<String, Value>);

impl<'de> Deserialize<'de> for Patch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Patch;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Patch, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.insert(name.clone(), value).is_some() {
                        return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
                    }
                }
                Ok(Patch(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// Refuses another kind of patch that is JSON too (RFC 6902).
pub(crate) fn refuse_json_patch(request: &HttpRequest) -> Result<(), ApiError> {
    match media_type(request)? {
        Some(found) if found.subtype() == "json-patch" => Err(unsupported(
            "application/merge-patch+json or application/json",
        )),
        _ => Ok(()),
    }
}

async fn delete<R: Resource, U: UseCases<R>>(
    Require(auth): Require<Write<R>>,
    use_cases: web::Data<U>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    remove(&auth, use_cases.get_ref(), &request, R::SPEC.key).await?;
    Ok(match R::SPEC.tells_deleted {
        true => HttpResponse::Ok().json(Detail::new("Deleted")),
        false => HttpResponse::NoContent().finish(),
    })
}

/// Deletes the record whose key is the parameter `key` of the path.
///
/// # Errors
/// Not found; somebody else's record; a condition that does not hold.
pub async fn remove<R: Resource, U: UseCases<R>>(
    auth: &Authorized<Write<R>>,
    use_cases: &U,
    request: &HttpRequest,
    key: &str,
) -> Result<(), ApiError> {
    let key = id(request, key)?;
    let conditions = Conditions::of(request)?;
    let condition = |present: &U::Shown| check(&conditions, present);
    Ok(use_cases.delete(auth, key, condition).await?)
}

pub(crate) fn check(
    conditions: &Conditions,
    present: &impl serde::Serialize,
) -> Result<(), AppError> {
    conditions.check(&Tagged::new(present)?.tag)
}
