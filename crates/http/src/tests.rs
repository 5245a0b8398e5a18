//! The whole layer, over mocks and a few routes of its own.

mod access;
mod answers;
mod limits;
mod log;
mod resources;
mod site;
mod wire;

use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use tidegate_domain::permission::{AdminOrSelf, Administer, SignedIn};

use crate::auth::{Caller, Require};
use crate::context::Context;
use crate::error::ApiError;
use crate::extract::{Json, JsonOrForm, Query, path};
use crate::route::{Access, LimitClass, RouteSpec};
use crate::testing::{Answer, Client, request};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Thing {
    name: String,
    size: Option<u8>,
}

#[derive(Debug, Deserialize)]
struct Grant {
    username: String,
}

#[derive(Debug, Deserialize)]
struct Page {
    limit: Option<u32>,
}

async fn make(_: Require<Administer>, Json(thing): Json<Thing>) -> HttpResponse {
    HttpResponse::Created().json(thing)
}

async fn one(
    Require(auth): Require<SignedIn>,
    request: HttpRequest,
    Query(page): Query<Page>,
) -> Result<HttpResponse, ApiError> {
    let id = path::id(&request, "id")?;
    Ok(HttpResponse::Ok().json((auth.principal().user, id, page.limit)))
}

async fn change(Require(auth): Require<AdminOrSelf>, Json(_): Json<Thing>) -> HttpResponse {
    HttpResponse::Ok().json(auth.permission().0)
}

async fn token(body: JsonOrForm<Thing, Grant>) -> String {
    match body {
        JsonOrForm::Json(thing) => thing.name,
        JsonOrForm::Form(grant) => grant.username,
    }
}

async fn who(caller: Caller, Context(context): Context) -> String {
    let user = caller.principal.map(|principal| principal.user.0);
    format!("{user:?} {} {}", context.client.address, context.base_url)
}

async fn panics() -> Result<HttpResponse, ApiError> {
    panic!("SECRET in the handler")
}

fn routes() -> Vec<RouteSpec> {
    let mut routes = vec![
        RouteSpec::post("/things", "make", "")
            .access(Access::Admin)
            .to(make),
        RouteSpec::get("/things/{id}", "one", "")
            .access(Access::SignedIn)
            .to(one),
        RouteSpec::patch("/things/{id}", "change", "")
            .access(Access::AdminOrSelf)
            .to(change),
        RouteSpec::post("/token", "token", "")
            .access(Access::Public)
            .limit(LimitClass::Credentials)
            .to(token),
        RouteSpec::get("/who", "who", "")
            .access(Access::Public)
            .to(who),
        RouteSpec::get("/things/me", "mine", "")
            .access(Access::Public)
            .to(who),
        RouteSpec::get("/panics", "panics", "")
            .access(Access::Public)
            .to(panics),
        RouteSpec::get("/webhooks", "hooks", "")
            .basic()
            .to(|_: Require<SignedIn>| async { "hooks" }),
        RouteSpec::get("/rest/{db}/{table}", "rows", "")
            .to(|_: Require<SignedIn>| async { "rows" }),
    ];
    routes.extend(crate::routes::root::routes());
    routes.extend(crate::routes::docs::routes());
    routes.extend(crate::routes::health::routes());
    routes
}

async fn client() -> Client {
    Client::with(|_| {}, routes()).await
}

fn assert_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (status, code));
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let body = answer.json();
    assert_eq!(body["request_id"], answer.header("x-request-id"));
    assert_eq!(body["type"], format!("/problems/{code}"));
    assert!(body["title"].is_string() && body["detail"].is_string() && body["status"] == status);
}

async fn send(
    client: &Client,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: &'static str,
) -> Answer {
    let mut request = request(method, path, &[]).set_payload(body);
    if let Some(token) = token {
        request = request.insert_header(("authorization", token));
    }
    client.send(request).await
}
