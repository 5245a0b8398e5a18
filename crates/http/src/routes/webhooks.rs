//! `/webhooks` and their secrets.

use actix_web::http::header::{CONTENT_TYPE, ETAG, LOCATION, VARY};
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tidegate_application::crud::merged;
use tidegate_application::error::AppError;
use tidegate_application::idempotency::Reply;
use tidegate_application::webhooks::Webhooks;
use tidegate_domain::idempotency::Answer;
use tidegate_domain::permission::SignedIn;
use tidegate_domain::secret::Secret;
use tidegate_domain::text::{Int, Text};
use tidegate_domain::webhook::hook::{
    Purpose, SecretInfo, Status, Unverified, Webhook, WebhookDraft, WebhookId,
};
use tidegate_domain::webhook::provider::{Place, Provider};
use tidegate_domain::webhook::signature::Scheme;
use utoipa::ToSchema;

use crate::auth::Require;
use crate::conditional::{Conditions, Tagged, VARIES};
use crate::context::{Context, RequestContext};
use crate::error::ApiError;
use crate::extract::{Json, json, path};
use crate::idempotency::{self, repeatable, replayed};
use crate::resource::{
    JsonText, Patch, check, collect_change, conditional, kept, refuse_json_patch,
};
use crate::route::{RouteBuilder, RouteSpec, SchemaRef};

/// The routes. [`Webhooks`] has to be among the application's data.
pub fn routes() -> Vec<RouteSpec> {
    let one = "/webhooks/{id}";
    let change = |route: RouteBuilder| conditional(of_webhooks(route), "webhook");
    vec![
        kept(of_webhooks(RouteSpec::get(
            "/webhooks",
            "listWebhooks",
            "List one's webhooks",
        )))
        .answers::<WebhookList>(200, "All of them, by their ids")
        .to(list),
        of_webhooks(RouteSpec::post(
            "/webhooks",
            "createWebhook",
            "Make a webhook",
        ))
        .description("It gets an address that nobody can guess.")
        .parameter(idempotency::parameter())
        .json::<WebhookDraft>()
        .answers::<WebhookView>(201, "It, with its address")
        .answers_plain(409, idempotency::UNDER_WAY)
        .to(create),
        kept(of_webhooks(RouteSpec::get(
            one,
            "getWebhook",
            "One webhook",
        )))
        .answers::<WebhookView>(200, "It")
        .to(get),
        change(RouteSpec::put(
            one,
            "replaceWebhook",
            "Choose everything anew",
        ))
        .json::<WebhookDraft>()
        .answers::<WebhookView>(200, "It, as it is now")
        .to(put),
        change(RouteSpec::patch(
            one,
            "updateWebhook",
            "Change some members",
        ))
        .description("JSON Merge Patch (RFC 7396): members that are left out stay as they are.")
        .body("application/json", Some(change_schema()))
        .sent_as(serde_json::json!({"status": 0, "retention_days": 30}))
        .body("application/merge-patch+json", Some(change_schema()))
        .sent_as(serde_json::json!({"status": 0, "retention_days": 30}))
        .answers::<WebhookView>(200, "It, as it is now")
        .to(patch),
        change(RouteSpec::delete(one, "deleteWebhook", "Delete it"))
            .description("Its messages and consumers go with it.")
            .answers_plain(204, "Done")
            .to(delete),
        of_webhooks(RouteSpec::get(
            "/webhooks/{id}/secrets",
            "listWebhookSecrets",
            "List the secrets of a webhook, without what they are",
        ))
        .answers::<SecretList>(200, "Oldest first")
        .to(list_secrets),
        of_webhooks(RouteSpec::post(
            "/webhooks/{id}/secrets",
            "addWebhookSecret",
            "Add a secret",
        ))
        .description(
            "It is stored encrypted and never shown again. While one is replaced both are there. \
             Idempotency-Key is ignored here.",
        )
        .json::<NewSecret>()
        .answers::<SecretInfo>(201, "It is stored")
        .answers_plain(409, "There are five of this purpose already")
        .to(add_secret),
        of_webhooks(RouteSpec::delete(
            "/webhooks/{id}/secrets/{secret_id}",
            "deleteWebhookSecret",
            "Delete a secret",
        ))
        .answers_plain(204, "Done")
        .to(delete_secret),
    ]
}

fn change_schema() -> SchemaRef {
    SchemaRef::new(
        || "WebhookPatch".into(),
        |schemas| collect_change::<WebhookDraft>("WebhookPatch", schemas),
    )
}

/// What the routes of the inbox have in common.
pub(super) fn of_webhooks(route: RouteBuilder) -> RouteBuilder {
    route.tag("webhooks").basic()
}

/// A webhook as its owner sees it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Webhook)]
pub struct WebhookView<'a> {
    /// Its number.
    id: i64,
    /// The same.
    wh_id: i64,
    /// What it is called.
    name: &'a str,
    /// The same.
    wh_name: &'a str,
    /// Its address.
    url: String,
    /// The same.
    wh_url: String,
    /// Who sends to it.
    provider: Provider,
    /// 1: it receives.
    #[schema(value_type = i64)]
    status: Status,
    /// What becomes of messages whose signature is not good.
    unverified: Unverified,
    /// How messages are signed, where the provider does not say.
    signature: &'a Option<Scheme>,
    /// Where a message says which delivery it is, where the provider does not say.
    delivery_id: &'a Option<Place>,
    /// Days after which a message is deleted; null: never.
    #[schema(value_type = Option<i64>)]
    retention_days: Option<Int<1, 3650>>,
    /// How many messages are kept; null: all.
    #[schema(value_type = Option<i64>)]
    retention_messages: Option<Int<1, 1_000_000_000>>,
    /// How often a message is handed to one consumer before it is dead.
    #[schema(value_type = i64)]
    max_deliveries: Int<1, 1000>,
    /// How many secrets for signatures it has.
    secrets: u64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: DateTime<Utc>,
    /// When it was last changed.
    #[schema(value_type = Option<String>, format = DateTime)]
    updated_at: Option<DateTime<Utc>>,
}

impl<'a> WebhookView<'a> {
    fn new(webhook: &'a Webhook, context: &RequestContext) -> Self {
        let draft = &webhook.draft;
        let url = format!("{}/in/{}", context.base_url, webhook.rid);
        Self {
            id: webhook.id.0,
            wh_id: webhook.id.0,
            name: draft.name.as_str(),
            wh_name: draft.name.as_str(),
            wh_url: url.clone(),
            url,
            provider: draft.provider,
            status: draft.status,
            unverified: draft.unverified,
            signature: &draft.signature,
            delivery_id: &draft.delivery_id,
            retention_days: draft.retention_days,
            retention_messages: draft.retention_messages,
            max_deliveries: draft.max_deliveries,
            secrets: webhook.secrets,
            created_at: webhook.created_at,
            updated_at: webhook.updated_at,
        }
    }
}

/// One's webhooks.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookList<'a> {
    webhooks: Vec<WebhookView<'a>>,
}

/// The secrets of a webhook.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookSecretList)]
pub struct SecretList {
    secrets: Vec<SecretInfo>,
}

/// A secret to be stored.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewWebhookSecret, example = json!({"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}))]
pub struct NewSecret {
    /// What the provider shows.
    #[schema(inline)]
    secret: Text<1, 500>,
    /// What it is for.
    #[serde(default)]
    purpose: Purpose,
}

fn webhook_id(request: &HttpRequest) -> Result<WebhookId, ApiError> {
    path::id(request, "id").map(WebhookId)
}

async fn list(
    Require(auth): Require<SignedIn>,
    webhooks: web::Data<Webhooks>,
    Context(context): Context,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let found = webhooks.list(&auth).await?;
    let view = |webhook| WebhookView::new(webhook, &context);
    let list = WebhookList {
        webhooks: found.iter().map(view).collect(),
    };
    Tagged::new(&list)?.answer(&request)
}

async fn create(
    Require(auth): Require<SignedIn>,
    webhooks: web::Data<Webhooks>,
    Context(context): Context,
    request: HttpRequest,
    body: JsonText<WebhookDraft>,
) -> Result<HttpResponse, ApiError> {
    let draft = body.parse()?;
    let repeatable = repeatable(&request, auth.principal(), &body.text)?;
    let answer = |webhook: &Webhook| created(webhook, &context);
    match webhooks
        .create(&auth, draft, repeatable.as_ref(), answer)
        .await?
    {
        Reply::New(webhook) => Ok(idempotency::response(&answer(&webhook)?)),
        Reply::Repeated(answer) => Ok(replayed(&answer)),
    }
}

fn created(webhook: &Webhook, context: &RequestContext) -> Result<Answer, AppError> {
    let Tagged { body, tag } = Tagged::new(&WebhookView::new(webhook, context))?;
    let place = format!("{}/webhooks/{}", context.base_url, webhook.id.0);
    Ok(Answer {
        status: 201,
        headers: vec![
            (CONTENT_TYPE.to_string(), "application/json".to_owned()),
            (VARY.to_string(), VARIES.to_owned()),
            (LOCATION.to_string(), place),
            (ETAG.to_string(), tag.to_string()),
        ],
        body,
    })
}

async fn get(
    Require(auth): Require<SignedIn>,
    webhooks: web::Data<Webhooks>,
    Context(context): Context,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let webhook = webhooks.get(&auth, webhook_id(&request)?).await?;
    Tagged::new(&WebhookView::new(&webhook, &context))?.answer(&request)
}

async fn put(
    Require(auth): Require<SignedIn>,
    webhooks: web::Data<Webhooks>,
    Context(context): Context,
    request: HttpRequest,
    body: JsonText<WebhookDraft>,
) -> Result<HttpResponse, ApiError> {
    let id = webhook_id(&request)?;
    let conditions = Conditions::of(&request)?;
    let draft = body.parse()?;
    let change = |present: &Webhook| {
        check(&conditions, &WebhookView::new(present, &context))?;
        Ok(draft.clone())
    };
    let webhook = webhooks.update(&auth, id, change).await?;
    Ok(Tagged::new(&WebhookView::new(&webhook, &context))?.untagged())
}

async fn patch(
    Require(auth): Require<SignedIn>,
    webhooks: web::Data<Webhooks>,
    Context(context): Context,
    request: HttpRequest,
    body: JsonText<Patch>,
) -> Result<HttpResponse, ApiError> {
    refuse_json_patch(&request)?;
    let id = webhook_id(&request)?;
    let conditions = Conditions::of(&request)?;
    let Patch(mut patch) = body.parse()?;
    // Beside the name that is there, the other one would be a second.
    if let Some(name) = patch.shift_remove("wh_name")
        && patch.insert("name".to_owned(), name).is_some()
    {
        let both = "is the same as `wh_name`; send one of them";
        return Err(tidegate_domain::error::InvalidInput::member("name", both).into());
    }
    let change = |present: &Webhook| {
        check(&conditions, &WebhookView::new(present, &context))?;
        Ok(json::value(merged(&present.draft, &patch)?)?)
    };
    let webhook = webhooks.update(&auth, id, change).await?;
    Ok(Tagged::new(&WebhookView::new(&webhook, &context))?.response())
}

async fn delete(
    Require(auth): Require<SignedIn>,
    webhooks: web::Data<Webhooks>,
    Context(context): Context,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = webhook_id(&request)?;
    let conditions = Conditions::of(&request)?;
    let condition = |present: &Webhook| check(&conditions, &WebhookView::new(present, &context));
    webhooks.delete(&auth, id, condition).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn list_secrets(
    Require(auth): Require<SignedIn>,
    webhooks: web::Data<Webhooks>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let secrets = webhooks.secrets(&auth, webhook_id(&request)?).await?;
    Ok(HttpResponse::Ok().json(SecretList { secrets }))
}

async fn add_secret(
    Require(auth): Require<SignedIn>,
    webhooks: web::Data<Webhooks>,
    request: HttpRequest,
    Json(new): Json<NewSecret>,
) -> Result<HttpResponse, ApiError> {
    let id = webhook_id(&request)?;
    let secret = Secret::new(new.secret.as_str());
    let info = webhooks.add_secret(&auth, id, new.purpose, &secret).await?;
    Ok(HttpResponse::Created().json(info))
}

async fn delete_secret(
    Require(auth): Require<SignedIn>,
    webhooks: web::Data<Webhooks>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (id, secret) = (webhook_id(&request)?, path::id(&request, "secret_id")?);
    webhooks.delete_secret(&auth, id, secret).await?;
    Ok(HttpResponse::NoContent().finish())
}
