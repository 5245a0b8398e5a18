//! `/webhooks/{id}/consumers`: workers that share the messages of a webhook.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tidegate_application::inbox::Inbox;
use tidegate_application::inbox::collect::Settle;
use tidegate_domain::error::InvalidInput;
use tidegate_domain::permission::{Authorized, SignedIn};
use tidegate_domain::text::{Int, Text};
use tidegate_domain::webhook::consumer::{Consumer, ConsumerName, Delivery, Replay};
use tidegate_domain::webhook::hook::WebhookId;
use tidegate_domain::webhook::message::MessageId;
use utoipa::{IntoParams, ToSchema};

use crate::auth::Require;
use crate::error::ApiError;
use crate::error::table::parameter;
use crate::extract::{Query, path};
use crate::resource::JsonText;
use crate::route::{RouteBuilder, RouteSpec};
use crate::routes::inbox::answers::Answers;
use crate::routes::inbox::{MOST, MessageView, page, wait};
use crate::routes::webhooks::of_webhooks;

/// The longest lease and delay, half a day in seconds.
const LONGEST: i64 = 43_200;

type Seconds = Int<1, LONGEST>;
type Delay = Int<0, LONGEST>;

/// The routes. [`Inbox`] has to be among the application's data.
pub fn routes() -> Vec<RouteSpec> {
    let one = "/webhooks/{id}/consumers/{name}";
    let post = |word: &str, operation: &'static str, summary: &'static str| {
        of_webhooks(RouteSpec::post(format!("{one}/{word}"), operation, summary))
    };
    let settles = |route: RouteBuilder, more: &str| {
        route
            .description(format!(
                "{more}A lease that is over for one of the messages changes nothing. \
                 Idempotency-Key is ignored here."
            ))
            .answers_plain(409, "The lease is over: the messages are handed out again")
    };
    vec![
        of_webhooks(RouteSpec::get(
            "/webhooks/{id}/consumers",
            "listConsumers",
            "The consumers of a webhook",
        ))
        .answers::<ConsumerList>(200, "By their names")
        .to(list),
        of_webhooks(RouteSpec::get(one, "getConsumer", "How far a consumer is"))
            .answers::<Consumer>(200, "It")
            .to(get),
        of_webhooks(RouteSpec::delete(
            one,
            "deleteConsumer",
            "Forget a consumer",
        ))
        .answers_plain(204, "Done")
        .to(delete),
        post(
            "lease",
            "leaseMessages",
            "Have messages that no other worker has",
        )
        .waits()
        .description(
            "The first lease makes the consumer, which begins with the oldest message. \
                 Idempotency-Key is ignored here: what was handed out in vain comes again.",
        )
        .json::<LeaseBody>()
        .answers::<LeaseView>(200, "The messages, ascending; `lease` is null without any")
        .to(lease),
        settles(post("ack", "ackMessages", "Messages are done"), "")
            .json::<AckBody>()
            .answers_plain(204, "Done")
            .to(ack),
        settles(
            post(
                "nack",
                "nackMessages",
                "Messages are to be handed out again",
            ),
            "After `max_deliveries` a message is dead. ",
        )
        .json::<NackBody>()
        .answers_plain(204, "Done")
        .to(nack),
        settles(
            post("extend", "extendLease", "Keep messages for longer"),
            "",
        )
        .json::<ExtendBody>()
        .answers::<Extended>(200, "Until when")
        .to(extend),
        post("replay", "replayMessages", "Hand out messages again")
            .description(
                "Those that are done or dead, from one number to another; or all that are dead. \
                 Idempotency-Key is ignored here.",
            )
            .json::<ReplayBody>()
            .answers::<Replayed>(200, "How many")
            .to(replay),
        of_webhooks(RouteSpec::get(
            format!("{one}/dead"),
            "listDeadMessages",
            "Messages that were handed out in vain too often",
        ))
        .query::<DeadQuery>()
        .answers::<DeliveryList>(200, "Ascending")
        .to(dead),
    ]
}

/// The consumers of a webhook.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsumerList {
    consumers: Vec<Consumer>,
}

/// What is asked of a lease.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = LeaseRequest, example = json!({"limit": 10, "seconds": 30, "wait": 20}))]
pub struct LeaseBody {
    /// How many messages at most, 10 by default, 100 at most.
    #[schema(value_type = Option<i64>, minimum = 1, default = 10)]
    limit: Option<Int<1, { i64::MAX }>>,
    /// For how long they are this worker's, 30 by default.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 43200, default = 30)]
    seconds: Option<Seconds>,
    /// How many seconds to wait where there are none, 60 at most.
    #[schema(default = 0)]
    wait: Option<u32>,
}

/// Messages that were handed out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Lease)]
pub struct LeaseView<'a> {
    /// What names the lease; null where there are no messages.
    lease: Option<&'a str>,
    /// When it is over.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<DateTime<Utc>>,
    /// The messages.
    messages: Vec<DeliveryView<'a>>,
}

/// A message that was handed out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryView<'a> {
    #[serde(flatten)]
    message: MessageView<'a>,
    /// How often this consumer has got it.
    delivery: u32,
}

impl<'a> DeliveryView<'a> {
    fn new(delivery: &'a Delivery) -> Self {
        Self {
            message: MessageView::new(&delivery.message),
            delivery: delivery.delivery,
        }
    }
}

/// Messages with how often they were handed out.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryList<'a> {
    messages: Vec<DeliveryView<'a>>,
}

/// Which messages of a lease.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Ack, example = json!({"lease": "Jb2xqT0aW9mYc4sLr7uHnE5d", "ids": [5]}))]
pub struct AckBody {
    /// The name of the lease.
    #[schema(inline)]
    lease: Text<1, 100>,
    /// All of its messages without.
    ids: Option<Vec<MessageNumber>>,
}

/// The number of a message.
type MessageNumber = i64;

/// Which messages of a lease are to be handed out again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Nack, example = json!({"lease": "Jb2xqT0aW9mYc4sLr7uHnE5d", "delay": 60}))]
pub struct NackBody {
    /// The name of the lease.
    #[schema(inline)]
    lease: Text<1, 100>,
    /// All of its messages without.
    ids: Option<Vec<MessageNumber>>,
    /// After how many seconds.
    #[serde(default = "at_once")]
    #[schema(inline, default = 0)]
    delay: Delay,
    /// False: they were not begun. They are handed out again at once, and it does not count.
    #[serde(default = "begun")]
    #[schema(default = true)]
    begun: bool,
}

fn begun() -> bool {
    true
}

fn at_once() -> Delay {
    Int::of(0)
}

/// Which messages of a lease are kept for longer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Extend, example = json!({"lease": "Jb2xqT0aW9mYc4sLr7uHnE5d", "seconds": 120}))]
pub struct ExtendBody {
    /// The name of the lease.
    #[schema(inline)]
    lease: Text<1, 100>,
    /// All of its messages without.
    ids: Option<Vec<MessageNumber>>,
    /// For how many seconds from now.
    #[serde(default = "half_a_minute")]
    #[schema(inline, default = 30)]
    seconds: Seconds,
}

fn half_a_minute() -> Seconds {
    Int::of(30)
}

/// Until when a lease holds.
#[derive(Debug, Serialize, ToSchema)]
pub struct Extended {
    /// The time.
    #[schema(value_type = String, format = DateTime)]
    expires_at: DateTime<Utc>,
}

/// Which messages are to be handed out again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Replay, example = json!({"from": 5, "to": 17}))]
pub struct ReplayBody {
    /// The first.
    from: Option<MessageNumber>,
    /// The last; without, all from the first on.
    to: Option<MessageNumber>,
    /// True, without the others: those that are dead.
    #[serde(default)]
    dead: bool,
}

impl ReplayBody {
    fn meant(&self) -> Result<Replay, InvalidInput> {
        match (self.from, self.to, self.dead) {
            (None, None, true) => Ok(Replay::Dead),
            (Some(from), to, false) => {
                let to = to.unwrap_or(i64::MAX);
                Ok(Replay::Range(MessageId(from), MessageId(to)))
            }
            _ => Err(InvalidInput::at(
                "",
                "Send `from`, perhaps with `to`; or `dead`: true alone",
            )),
        }
    }
}

/// How many messages are handed out again.
#[derive(Debug, Serialize, ToSchema)]
pub struct Replayed {
    /// So many.
    replayed: u64,
}

/// Which dead messages.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct DeadQuery {
    /// Those with greater numbers, 0 by default.
    after: Option<i64>,
    /// How many at most, 20 by default, 100 at most.
    limit: Option<i64>,
}

/// Webhook and consumer of the path.
fn named(request: &HttpRequest) -> Result<(WebhookId, ConsumerName), ApiError> {
    let webhook = WebhookId(path::id(request, "id")?);
    let name = ConsumerName::try_from(path::text(request, "name")?);
    Ok((webhook, name.map_err(|detail| parameter("name", detail))?))
}

async fn list(
    Require(auth): Require<SignedIn>,
    inbox: web::Data<Inbox>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let webhook = WebhookId(path::id(&request, "id")?);
    let consumers = inbox.consumers(&auth, webhook).await?;
    Ok(HttpResponse::Ok().json(ConsumerList { consumers }))
}

async fn get(
    Require(auth): Require<SignedIn>,
    inbox: web::Data<Inbox>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (webhook, name) = named(&request)?;
    Ok(HttpResponse::Ok().json(inbox.consumer(&auth, webhook, name).await?))
}

async fn delete(
    Require(auth): Require<SignedIn>,
    inbox: web::Data<Inbox>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (webhook, name) = named(&request)?;
    inbox.delete_consumer(&auth, webhook, name).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn lease(
    Require(auth): Require<SignedIn>,
    inbox: web::Data<Inbox>,
    answers: web::Data<Answers>,
    request: HttpRequest,
    body: JsonText<LeaseBody>,
) -> Result<HttpResponse, ApiError> {
    answers.check(auth.principal().user)?;
    let (webhook, name) = named(&request)?;
    let body = match body.text.is_empty() {
        true => LeaseBody::default(),
        false => body.parse()?,
    };
    let limit = body.limit.map_or(10, |limit| limit.get().unsigned_abs());
    let time = TimeDelta::seconds(body.seconds.unwrap_or_else(half_a_minute).get());
    let wait = wait(body.wait.unwrap_or(0));
    let lease = inbox
        .lease(&auth, webhook, name, limit.min(MOST), time, wait)
        .await?;
    let lease = lease.as_ref();
    let deliveries = lease.map_or(&[][..], |lease| &lease.deliveries);
    // What was handed out is answered in any case.
    let messages = deliveries.iter().map(|delivery| &delivery.message);
    let room = answers.take(auth.principal().user, messages);
    room.answer(&LeaseView {
        lease: lease.map(|lease| lease.lease.as_str()),
        expires_at: lease.map(|lease| lease.expires_at),
        messages: deliveries.iter().map(DeliveryView::new).collect(),
    })
}

async fn ack(
    Require(auth): Require<SignedIn>,
    inbox: web::Data<Inbox>,
    request: HttpRequest,
    body: JsonText<AckBody>,
) -> Result<HttpResponse, ApiError> {
    let AckBody { lease, ids } = body.parse()?;
    settle(&auth, &inbox, &request, &lease, ids, Settle::Ack).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn nack(
    Require(auth): Require<SignedIn>,
    inbox: web::Data<Inbox>,
    request: HttpRequest,
    body: JsonText<NackBody>,
) -> Result<HttpResponse, ApiError> {
    let NackBody {
        lease,
        ids,
        delay,
        begun,
    } = body.parse()?;
    let nack = match (begun, delay.get()) {
        (true, delay) => Settle::Nack(TimeDelta::seconds(delay)),
        (false, 0) => Settle::Return,
        (false, _) => {
            let at_once = "does not go with `begun`: false";
            return Err(InvalidInput::member("delay", at_once).into());
        }
    };
    settle(&auth, &inbox, &request, &lease, ids, nack).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn extend(
    Require(auth): Require<SignedIn>,
    inbox: web::Data<Inbox>,
    request: HttpRequest,
    body: JsonText<ExtendBody>,
) -> Result<HttpResponse, ApiError> {
    let ExtendBody {
        lease,
        ids,
        seconds,
    } = body.parse()?;
    let extend = Settle::Extend(TimeDelta::seconds(seconds.get()));
    let expires_at = settle(&auth, &inbox, &request, &lease, ids, extend).await?;
    Ok(HttpResponse::Ok().json(Extended { expires_at }))
}

async fn settle(
    auth: &Authorized<SignedIn>,
    inbox: &Inbox,
    request: &HttpRequest,
    lease: &Text<1, 100>,
    ids: Option<Vec<MessageNumber>>,
    how: Settle,
) -> Result<DateTime<Utc>, ApiError> {
    let (webhook, name) = named(request)?;
    if let Some(ids) = &ids
        && !(1..=MOST).contains(&(ids.len() as u64))
    {
        let all = "must be 1 to 100 numbers; leave it out for all messages of the lease";
        return Err(InvalidInput::member("ids", all).into());
    }
    let ids = ids.map(|ids| ids.into_iter().map(MessageId).collect());
    let settled = inbox.settle(auth, webhook, name, lease.as_str(), ids, how);
    Ok(settled.await?)
}

async fn replay(
    Require(auth): Require<SignedIn>,
    inbox: web::Data<Inbox>,
    request: HttpRequest,
    body: JsonText<ReplayBody>,
) -> Result<HttpResponse, ApiError> {
    let (webhook, name) = named(&request)?;
    let meant = body.parse()?.meant()?;
    let replayed = inbox.replay(&auth, webhook, name, meant).await?;
    Ok(HttpResponse::Ok().json(Replayed { replayed }))
}

async fn dead(
    Require(auth): Require<SignedIn>,
    inbox: web::Data<Inbox>,
    answers: web::Data<Answers>,
    request: HttpRequest,
    Query(query): Query<DeadQuery>,
) -> Result<HttpResponse, ApiError> {
    let (webhook, name) = named(&request)?;
    let (after, limit) = page(query.after, query.limit)?;
    let found = inbox.dead(&auth, webhook, name, after, limit).await?;
    let messages = found.iter().map(|delivery| &delivery.message);
    let room = answers.room(auth.principal().user, messages)?;
    room.answer(&DeliveryList {
        messages: found.iter().map(DeliveryView::new).collect(),
    })
}
