//! `/webhooks/{id}/messages`: collecting messages by their numbers.

pub mod answers;

use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tidegate_application::inbox::Inbox;
use tidegate_domain::page::PageRequest;
use tidegate_domain::permission::SignedIn;
use tidegate_domain::webhook::consumer::LONGEST_WAIT;
use tidegate_domain::webhook::header::Header;
use tidegate_domain::webhook::hook::WebhookId;
use tidegate_domain::webhook::message::{Message, MessageId};
use utoipa::{IntoParams, ToSchema};

use crate::auth::Require;
use crate::error::ApiError;
use crate::extract::{Query, path};
use crate::route::RouteSpec;
use crate::routes::inbox::answers::Answers;
use crate::routes::webhooks::of_webhooks;

/// The most messages of one answer.
pub(super) const MOST: u64 = 100;

/// The routes. [`Inbox`] has to be among the application's data.
pub fn routes() -> Vec<RouteSpec> {
    vec![
        of_webhooks(RouteSpec::get(
            "/webhooks/{id}/messages",
            "listMessages",
            "Messages of a webhook after a number",
        ))
        .description(
            "Numbers grow in the order in which messages are committed: who has seen one has seen \
             all before it.",
        )
        .waits()
        .query::<MessageQuery>()
        .answers::<MessageList>(200, "Ascending; about 4 MB of bodies, or one message")
        .to(list),
        of_webhooks(RouteSpec::get(
            "/webhooks/{id}/messages/{message_id}",
            "getMessage",
            "One message",
        ))
        .answers::<MessageView>(200, "It")
        .to(get),
        of_webhooks(RouteSpec::get(
            "/webhooks/{id}/messages/{message_id}/body",
            "getMessageBody",
            "The bytes of a message's body",
        ))
        .answers_plain(
            200,
            "As `application/octet-stream`, whatever its sender calls it",
        )
        .to(body),
    ]
}

/// Which messages.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct MessageQuery {
    /// Those with greater numbers, 0 by default.
    after: Option<i64>,
    /// How many at most, 20 by default, 100 at most.
    limit: Option<i64>,
    /// How many seconds to wait where there are none, 0 by default, 60 at most.
    wait: Option<u32>,
}

/// Where a list begins, and how many it may hold.
pub(super) fn page(after: Option<i64>, limit: Option<i64>) -> Result<(MessageId, u64), ApiError> {
    let after = after.unwrap_or(0);
    let page = PageRequest::window("after", after, limit.unwrap_or(20), MOST)?;
    Ok((MessageId(after), page.limit))
}

/// For how long to wait, at most [`LONGEST_WAIT`].
pub(super) fn wait(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into()).min(LONGEST_WAIT)
}

/// A message as its owner sees it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Message)]
pub struct MessageView<'a> {
    /// Its number.
    id: i64,
    /// The webhook that it came to; 0: content of one's own.
    webhook_id: i64,
    /// The method.
    method: &'a str,
    /// What stood behind the address in the path, as it was sent.
    path: &'a str,
    /// The query as it was sent, without `?`.
    query: &'a str,
    /// Where it came from.
    address: &'a str,
    /// The headers; `***` stands for what lets somebody in.
    headers: Vec<HeaderView<'a>>,
    /// The body's bytes in Base64 (RFC 4648, section 4).
    body: String,
    /// How many bytes these are.
    size: usize,
    /// `verified`, `missing`, `wrong`, `expired`, `malformed`, or `unchecked` where nothing was
    /// verified.
    signature: &'static str,
    /// Which delivery it is, as its provider says.
    delivery_id: Option<&'a str>,
    /// When it came.
    #[schema(value_type = String, format = DateTime)]
    received_at: DateTime<Utc>,
}

/// A header of a message.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MessageHeader, example = json!({"name": "content-type", "value": "application/json"}))]
pub struct HeaderView<'a> {
    /// Its name in lower case.
    name: &'a str,
    /// Its value, where that is UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    /// Its value in Base64, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
}

impl<'a> HeaderView<'a> {
    fn new((name, value): &'a Header) -> Self {
        let text = std::str::from_utf8(value).ok();
        Self {
            name,
            value: text,
            value_base64: text.is_none().then(|| BASE64_STANDARD.encode(value)),
        }
    }
}

impl<'a> MessageView<'a> {
    pub(super) fn new(message: &'a Message) -> Self {
        Self {
            id: message.id.0,
            webhook_id: message.webhook.map_or(0, |webhook| webhook.0),
            method: &message.method,
            path: &message.path,
            query: &message.query,
            address: &message.address,
            headers: message.headers.iter().map(HeaderView::new).collect(),
            body: BASE64_STANDARD.encode(&message.body),
            size: message.body.len(),
            signature: message
                .verdict
                .map_or("unchecked", |verdict| verdict.name()),
            delivery_id: message.delivery_id.as_deref(),
            received_at: message.received_at,
        }
    }
}

/// Messages, ascending.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageList<'a> {
    messages: Vec<MessageView<'a>>,
}

async fn list(
    Require(auth): Require<SignedIn>,
    inbox: web::Data<Inbox>,
    answers: web::Data<Answers>,
    request: HttpRequest,
    Query(query): Query<MessageQuery>,
) -> Result<HttpResponse, ApiError> {
    let webhook = WebhookId(path::id(&request, "id")?);
    let (after, limit) = page(query.after, query.limit)?;
    let wait = wait(query.wait.unwrap_or(0));
    let found = inbox.messages(&auth, webhook, after, limit, wait).await?;
    let room = answers.room(auth.principal().user, &found)?;
    room.answer(&MessageList {
        messages: found.iter().map(MessageView::new).collect(),
    })
}

async fn one(
    auth: &tidegate_domain::permission::Authorized<SignedIn>,
    inbox: &Inbox,
    request: &HttpRequest,
) -> Result<Message, ApiError> {
    let webhook = WebhookId(path::id(request, "id")?);
    let id = MessageId(path::id(request, "message_id")?);
    Ok(inbox.message(auth, webhook, id).await?)
}

async fn get(
    Require(auth): Require<SignedIn>,
    inbox: web::Data<Inbox>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let message = one(&auth, &inbox, &request).await?;
    Ok(HttpResponse::Ok().json(MessageView::new(&message)))
}

/// Whatever a stranger sent is never shown by a browser.
async fn body(
    Require(auth): Require<SignedIn>,
    inbox: web::Data<Inbox>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let message = one(&auth, &inbox, &request).await?;
    let name = format!("attachment; filename=\"message-{}\"", message.id.0);
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/octet-stream"))
        .insert_header((CONTENT_DISPOSITION, name))
        .insert_header((CACHE_CONTROL, "private, no-store"))
        .body(message.body))
}
