//! `/posts` and `/vote`. Posts have the routes of every resource; special to them are votes,
//! how a post is shown, and the paths of early clients.

use std::borrow::Cow;

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidegate_application::idempotency::Reply;
use tidegate_application::posts::{Direction, Posts};
use tidegate_domain::error::InvalidInput;
use tidegate_domain::idempotency::Answer;
use tidegate_domain::permission::SignedIn;
use tidegate_domain::post::{Post, PostDraft};
use tidegate_domain::resource::{Read, Write};
use utoipa::ToSchema;
use utoipa::openapi::schema::{AllOfBuilder, Schema};
use utoipa::openapi::{Ref, RefOr};

use crate::auth::Require;
use crate::context::Context;
use crate::error::ApiError;
use crate::idempotency::{self, repeatable, replayed};
use crate::resource::{
    JsonText, collect_entity, conditional, entity_name, kept, make, put, read, remove,
    routes_showing,
};
use crate::route::{Access, RouteBuilder, RouteSpec, SchemaRef};

/// A post as early clients see it.
fn example() -> Value {
    json!({
        "id": 5,
        "title": "Low water",
        "content": "The north quay is dry until Thursday.",
        "published": true,
        "rating": 4,
        "created_at": "2026-03-01T06:40:00Z",
        "updated_at": null,
        "owner_id": 2,
        "owner": {"id": 2, "username": "ann"},
        "votes": 1,
    })
}

/// The routes of posts. [`Posts`] has to be among the application's data.
pub fn routes() -> Vec<RouteSpec> {
    let shown = SchemaRef::new(shown_name, collect_shown);
    let mut routes = routes_showing::<Post, Posts>(shown);
    routes.extend([
        RouteSpec::post("/vote", "vote", "Vote for a post, or take the vote away")
            .tag("posts")
            .parameter(idempotency::parameter())
            .json::<Vote>()
            .answers::<Done>(201, "Done")
            .answers_plain(404, "There is no such post, or no vote to take away")
            .answers_plain(
                409,
                format!("You voted already; or: {}", idempotency::UNDER_WAY),
            )
            .to(vote),
        early(RouteSpec::post(
            "/post/create",
            "createPostEarly",
            "Make a post",
        ))
        .parameter(idempotency::parameter())
        .json::<PostDraft>()
        .answers_in("application/json", 201, "`{data}`: the post")
        .shown_as(json!({"data": example()}))
        .answers_plain(409, idempotency::UNDER_WAY)
        .to(create_early),
        kept(early(RouteSpec::get(
            "/post/{id}",
            "getPostEarly",
            "One post",
        )))
        .answers_in("application/json", 200, "`{post_detail}`: the post")
        .shown_as(json!({"post_detail": example()}))
        .answers_plain(404, "There is no such post")
        .to(get_early),
        conditional(
            early(RouteSpec::put(
                "/post/update/{id}",
                "replacePostEarly",
                "Put another in its place",
            )),
            "post",
        )
        .access(Access::AdminOrOwner)
        .json::<PostDraft>()
        .answers_in("application/json", 200, "`{data}`: the post")
        .shown_as(json!({"data": example()}))
        .to(put_early),
        conditional(
            early(RouteSpec::delete(
                "/post/delete/{id}",
                "deletePostEarly",
                "Delete a post",
            )),
            "post",
        )
        .access(Access::AdminOrOwner)
        .answers_plain(204, "Done")
        .to(delete_early),
    ]);
    routes
}

fn early(route: RouteBuilder) -> RouteBuilder {
    route
        .description("A path of early clients; see `/posts`.")
        .tag("early posts")
}

fn shown_name() -> Cow<'static, str> {
    "PostDetails".into()
}

fn collect_shown(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    collect_entity::<Post>(schemas);
    SchemaRef::of::<Beside>().collect(schemas);
    let shown = AllOfBuilder::new()
        .item(Ref::from_schema_name(entity_name::<Post>()))
        .item(Ref::from_schema_name(Beside::name()));
    schemas.push((shown_name().into_owned(), shown.into()));
}

/// What is shown beside a post.
#[derive(ToSchema)]
#[schema(as = PostSurroundings)]
#[expect(dead_code, reason = "only its schema is used")]
struct Beside {
    /// Who wrote it.
    owner: PostOwner,
    /// How many voted for it.
    votes: u64,
}

/// The owner of a post.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct PostOwner {
    id: i64,
    username: String,
}

/// A vote.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Vote {
    post_id: i64,
    /// 1 adds the vote, 0 takes it away. `vote_dir` means the same.
    #[serde(alias = "vote_dir")]
    #[schema(minimum = 0, maximum = 1)]
    dir: u8,
}

/// What was done, in words.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VoteCast)]
pub struct Done {
    message: &'static str,
}

async fn vote(
    Require(auth): Require<SignedIn>,
    posts: web::Data<Posts>,
    request: HttpRequest,
    body: JsonText<Vote>,
) -> Result<HttpResponse, ApiError> {
    let vote = body.parse()?;
    let (direction, message) = match vote.dir {
        1 => (Direction::Add, "Vote added"),
        0 => (Direction::Remove, "Vote taken away"),
        _ => return Err(InvalidInput::member("dir", "must be 1 or 0").into()),
    };
    let repeatable = repeatable(&request, auth.principal(), &body.text)?;
    let answer = |(): &()| {
        Ok(Answer {
            status: StatusCode::CREATED.as_u16(),
            headers: vec![(CONTENT_TYPE.to_string(), "application/json".to_owned())],
            body: json!(Done { message }).to_string().into(),
        })
    };
    match posts
        .vote(&auth, vote.post_id, direction, repeatable.as_ref(), answer)
        .await?
    {
        Reply::New(()) => Ok(idempotency::response(&answer(&())?)),
        Reply::Repeated(answer) => Ok(replayed(&answer)),
    }
}

async fn create_early(
    Require(auth): Require<Write<Post>>,
    posts: web::Data<Posts>,
    Context(context): Context,
    request: HttpRequest,
    body: JsonText<PostDraft>,
) -> Result<HttpResponse, ApiError> {
    make(
        &auth,
        posts.get_ref(),
        &context,
        &request,
        &body,
        Some("data"),
    )
    .await
}

async fn get_early(
    Require(auth): Require<Read<Post>>,
    posts: web::Data<Posts>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    read(&auth, posts.get_ref(), &request, "id", Some("post_detail")).await
}

async fn put_early(
    Require(auth): Require<Write<Post>>,
    posts: web::Data<Posts>,
    request: HttpRequest,
    body: JsonText<PostDraft>,
) -> Result<HttpResponse, ApiError> {
    put(&auth, posts.get_ref(), &request, "id", &body, Some("data")).await
}

async fn delete_early(
    Require(auth): Require<Write<Post>>,
    posts: web::Data<Posts>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    remove(&auth, posts.get_ref(), &request, "id").await?;
    Ok(HttpResponse::NoContent().finish())
}
