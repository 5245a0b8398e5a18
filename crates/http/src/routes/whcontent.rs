//! `/whcontent`: the inbox as clients of an older one know it.

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tidegate_application::inbox::Inbox;
use tidegate_domain::error::InvalidInput;
use tidegate_domain::page::PageRequest;
use tidegate_domain::permission::SignedIn;
use tidegate_domain::webhook::message::{Message, MessageId};
use utoipa::{IntoParams, ToSchema};

use crate::auth::Require;
use crate::context::Client;
use crate::error::ApiError;
use crate::extract::body::{BodyLimits, BodyReader, media_type};
use crate::extract::{Query, json, path};
use crate::route::RouteSpec;
use crate::routes::inbox::MOST;
use crate::routes::inbox::answers::Answers;
use crate::routes::receiver::Raw;
use crate::routes::webhooks::of_webhooks;

/// The routes. [`Inbox`] has to be among the application's data.
pub fn routes() -> Vec<RouteSpec> {
    vec![
        of_webhooks(RouteSpec::get(
            "/whcontent",
            "listContents",
            "What came to one's webhooks",
        ))
        .query::<ContentQuery>()
        .answers::<ContentList>(200, "Ascending")
        .to(list),
        of_webhooks(RouteSpec::post(
            "/whcontent",
            "addContent",
            "Add content of one's own",
        ))
        .description(
            "As the parameter `content`, as the member `content` of a JSON object, or as a body \
             of any other kind. Idempotency-Key is ignored here.",
        )
        .query::<NewContentQuery>()
        .json::<NewContent>()
        .body("text/plain", None)
        .sent_as("remember the milk".into())
        .answers::<Added>(201, "It is stored")
        .to(add),
        of_webhooks(RouteSpec::get(
            "/whcontent/{id}",
            "getContent",
            "One of them",
        ))
        .answers::<Content>(200, "It")
        .to(get),
    ]
}

/// Which contents.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ContentQuery {
    /// From this number on, 0 by default.
    id: Option<i64>,
    /// The webhook; 0: content of one's own; all without.
    whid: Option<i64>,
    /// How many at most, 20 by default, 100 at most.
    limit: Option<i64>,
}

/// Content of one's own.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct NewContentQuery {
    /// The content.
    content: Option<String>,
}

/// Content of one's own.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"content": "remember the milk"}))]
pub struct NewContent {
    /// The content.
    content: String,
}

/// What came to a webhook.
#[derive(Debug, Serialize, ToSchema)]
pub struct Content {
    /// Its number.
    id: i64,
    /// The body as text, with U+FFFD where it is not UTF-8.
    content: String,
    /// Where it came from.
    ip: String,
    /// 1: a provider sent it; 0: it is one's own.
    api: u8,
    /// When it came, UTC, `YYYY-MM-DD HH:MM:SS`.
    dt: String,
    /// The webhook; 0: it is one's own.
    wh_id: i64,
}

impl From<Message> for Content {
    fn from(message: Message) -> Self {
        Self {
            id: message.id.0,
            content: String::from_utf8_lossy(&message.body).into_owned(),
            ip: message.address,
            api: message.received.into(),
            dt: message.received_at.format("%Y-%m-%d %H:%M:%S").to_string(),
            wh_id: message.webhook.map_or(0, |webhook| webhook.0),
        }
    }
}

/// Contents, ascending.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContentList {
    whcontent: Vec<Content>,
}

/// What was added.
#[derive(Debug, Serialize, ToSchema)]
pub struct Added {
    #[schema(value_type = String, example = "ok")]
    result: &'static str,
    /// Its number.
    id: i64,
}

async fn list(
    Require(auth): Require<SignedIn>,
    inbox: web::Data<Inbox>,
    answers: web::Data<Answers>,
    Query(query): Query<ContentQuery>,
) -> Result<HttpResponse, ApiError> {
    let from = query.id.unwrap_or(0);
    let page = PageRequest::window("id", from, query.limit.unwrap_or(20), MOST)?;
    let found = inbox
        .contents(&auth, query.whid, MessageId(from), page.limit)
        .await?;
    let room = answers.room(auth.principal().user, &found)?;
    room.answer(&ContentList {
        whcontent: found.into_iter().map(Content::from).collect(),
    })
}

async fn get(
    Require(auth): Require<SignedIn>,
    inbox: web::Data<Inbox>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = MessageId(path::id(&request, "id")?);
    Ok(HttpResponse::Ok().json(Content::from(inbox.content(&auth, id).await?)))
}

async fn add(
    Require(auth): Require<SignedIn>,
    inbox: web::Data<Inbox>,
    Client(client): Client,
    Query(query): Query<NewContentQuery>,
    request: HttpRequest,
    payload: Raw,
) -> Result<HttpResponse, ApiError> {
    let reader = BodyReader::new(&request, payload.0, BodyLimits::of_message(&request));
    let body = reader.read().await?;
    let content = content(query.content, body, &request)?;
    let address = client.address.to_string();
    let id = inbox.add_own(&auth, content, address).await?;
    Ok(HttpResponse::Created().json(Added {
        result: "ok",
        id: id.0,
    }))
}

fn content(query: Option<String>, body: Bytes, request: &HttpRequest) -> Result<Bytes, ApiError> {
    match (query, body.is_empty()) {
        (Some(content), true) => Ok(content.into()),
        (Some(_), false) => {
            let twice = "is in the query and in the body; send one of them";
            Err(InvalidInput::member("content", twice).into())
        }
        (None, true) => Err(InvalidInput::member("content", "is missing").into()),
        (None, false) => match media_type(request)? {
            Some(found) if json::is_json(&found) => {
                Ok(json::object::<NewContent>(&body)?.content.into())
            }
            _ => Ok(body),
        },
    }
}
