//! Webhooks and their secrets.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::{ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, EntityTrait};
use sea_orm::{QueryFilter, QueryOrder, QuerySelect, Set};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidegate_domain::account::UserId;
use tidegate_domain::error::StoreError;
use tidegate_domain::webhook::hook::{
    NewWebhook, Purpose, Receiver, SecretInfo, Status, Unverified, Webhook, WebhookDraft,
    WebhookId, Webhooks,
};
use tidegate_domain::webhook::provider::Provider;

use crate::access::{Access, corrupt, locking, stored};
use crate::error::db_err;
use crate::statement::row;

/// The webhooks.
#[allow(unreachable_pub, reason = "sea-orm derives public types beside these")]
mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "webhooks")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub user_id: i64,
        pub rid: String,
        pub name: String,
        pub provider: String,
        pub status: bool,
        pub keeps_unverified: bool,
        #[sea_orm(column_type = "Text")]
        pub signature: Option<String>,
        #[sea_orm(column_type = "Text")]
        pub delivery_id: Option<String>,
        pub retention_days: Option<i64>,
        pub retention_messages: Option<i64>,
        pub max_deliveries: i64,
        pub created_at: DateTimeUtc,
        pub updated_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Their secrets.
#[allow(unreachable_pub, reason = "sea-orm derives public types beside these")]
mod secret {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "webhook_secrets")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub webhook_id: i64,
        pub purpose: String,
        #[sea_orm(column_type = "Text")]
        pub sealed: String,
        pub created_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use entity::{ActiveModel, Column, Entity, Model};

/// The webhooks of a database.
#[derive(Debug, Clone)]
pub struct WebhookStore<A> {
    access: A,
}

impl<A> WebhookStore<A> {
    /// On the pool or in a transaction.
    pub fn new(access: A) -> Self {
        Self { access }
    }
}

#[async_trait]
impl<A: Access> Webhooks for WebhookStore<A> {
    async fn list(&self, owner: UserId) -> Result<Vec<Webhook>, StoreError> {
        let connection = self.access.reader();
        let models = Entity::find()
            .filter(Column::UserId.eq(owner.0))
            .order_by_asc(Column::Id)
            .all(connection)
            .await
            .map_err(db_err)?;
        with_secrets(connection, models).await
    }

    async fn find(&self, owner: UserId, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        let connection = self.access.reader();
        let model = of(owner, id).one(connection).await.map_err(db_err)?;
        Ok(with_secrets(connection, model).await?.pop())
    }

    async fn lock(&self, owner: UserId, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        let connection = self.access.writer();
        let query = locking(connection, of(owner, id));
        let model = query.one(connection).await.map_err(db_err)?;
        Ok(with_secrets(connection, model).await?.pop())
    }

    async fn insert(&self, new: &NewWebhook) -> Result<Webhook, StoreError> {
        let model = ActiveModel {
            user_id: Set(new.owner.0),
            rid: Set(new.rid.clone()),
            created_at: Set(stored(new.created_at)),
            updated_at: Set(None),
            ..values(&new.draft)?
        };
        let model = model.insert(self.access.writer()).await.map_err(db_err)?;
        webhook(model, 0)
    }

    async fn update(
        &self,
        id: WebhookId,
        draft: &WebhookDraft,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let model = ActiveModel {
            id: ActiveValue::Unchanged(id.0),
            updated_at: Set(Some(stored(now))),
            ..values(draft)?
        };
        let connection = self.access.writer();
        model.update(connection).await.map(drop).map_err(db_err)
    }

    async fn delete(&self, id: WebhookId) -> Result<(), StoreError> {
        let delete = Entity::delete_by_id(id.0).exec(self.access.writer());
        delete.await.map(drop).map_err(db_err)
    }

    async fn secrets(&self, id: WebhookId) -> Result<Vec<SecretInfo>, StoreError> {
        let models = secret::Entity::find()
            .filter(secret::Column::WebhookId.eq(id.0))
            .order_by_asc(secret::Column::Id)
            .all(self.access.reader())
            .await
            .map_err(db_err)?;
        models.into_iter().map(info).collect()
    }

    async fn add_secret(
        &self,
        id: WebhookId,
        purpose: Purpose,
        sealed: &str,
        now: DateTime<Utc>,
    ) -> Result<SecretInfo, StoreError> {
        let model = secret::ActiveModel {
            id: ActiveValue::NotSet,
            webhook_id: Set(id.0),
            purpose: Set(purpose_name(purpose).to_owned()),
            sealed: Set(sealed.to_owned()),
            created_at: Set(stored(now)),
        };
        info(model.insert(self.access.writer()).await.map_err(db_err)?)
    }

    async fn delete_secret(&self, id: WebhookId, secret: i64) -> Result<bool, StoreError> {
        let done = secret::Entity::delete_by_id(secret)
            .filter(secret::Column::WebhookId.eq(id.0))
            .exec(self.access.writer())
            .await
            .map_err(db_err)?;
        Ok(done.rows_affected > 0)
    }

    async fn receiver(&self, rid: &str) -> Result<Option<Receiver>, StoreError> {
        let connection = self.access.reader();
        let found = Entity::find()
            .filter(Column::Rid.eq(rid))
            .filter(Column::Status.eq(true))
            .one(connection)
            .await
            .map_err(db_err)?;
        let Some(model) = found else {
            return Ok(None);
        };
        // Nobody collects what would come for a user who is deactivated.
        let sql = "SELECT id FROM users WHERE id = ? AND activated = ?";
        let owner = [model.user_id.into(), true.into()];
        if row(connection, sql, owner).await?.is_none() {
            return Ok(None);
        }
        let secrets = secret::Entity::find()
            .filter(secret::Column::WebhookId.eq(model.id))
            .order_by_asc(secret::Column::Id)
            .all(connection)
            .await
            .map_err(db_err)?;
        let sealed = |model: secret::Model| Ok((purpose(&model.purpose)?, model.sealed));
        let webhook = webhook(model, 0)?;
        Ok(Some(Receiver {
            id: webhook.id,
            owner: webhook.owner,
            draft: webhook.draft,
            secrets: secrets
                .into_iter()
                .map(sealed)
                .collect::<Result<_, StoreError>>()?,
        }))
    }
}

fn of(owner: UserId, id: WebhookId) -> sea_orm::Select<Entity> {
    Entity::find_by_id(id.0).filter(Column::UserId.eq(owner.0))
}

async fn with_secrets(
    connection: &impl ConnectionTrait,
    models: impl IntoIterator<Item = Model>,
) -> Result<Vec<Webhook>, StoreError> {
    let models: Vec<Model> = models.into_iter().collect();
    if models.is_empty() {
        return Ok(Vec::new());
    }
    let counted: Vec<(i64, i64)> = secret::Entity::find()
        .select_only()
        .column(secret::Column::WebhookId)
        .column_as(secret::Column::Id.count(), "secrets")
        .filter(secret::Column::WebhookId.is_in(models.iter().map(|model| model.id)))
        .filter(secret::Column::Purpose.eq(purpose_name(Purpose::Signature)))
        .group_by(secret::Column::WebhookId)
        .into_tuple()
        .all(connection)
        .await
        .map_err(db_err)?;
    let counted: HashMap<i64, i64> = counted.into_iter().collect();
    let webhook = |model: Model| {
        let secrets = counted.get(&model.id).copied().unwrap_or(0);
        webhook(model, u64::try_from(secrets).unwrap_or(0))
    };
    models.into_iter().map(webhook).collect()
}

/// The columns of a draft.
fn values(draft: &WebhookDraft) -> Result<ActiveModel, StoreError> {
    Ok(ActiveModel {
        name: Set(draft.name.as_str().to_owned()),
        provider: Set(draft.provider.name().to_owned()),
        status: Set(draft.status == Status::On),
        keeps_unverified: Set(draft.unverified == Unverified::Keep),
        signature: Set(json(draft.signature.as_ref())?),
        delivery_id: Set(json(draft.delivery_id.as_ref())?),
        retention_days: Set(draft.retention_days.map(|days| days.get())),
        retention_messages: Set(draft.retention_messages.map(|count| count.get())),
        max_deliveries: Set(draft.max_deliveries.get()),
        ..Default::default()
    })
}

fn json(value: Option<&impl Serialize>) -> Result<Option<String>, StoreError> {
    let text = value.map(serde_json::to_string).transpose();
    text.map_err(|error| StoreError::Internal(error.into()))
}

fn parsed<T: DeserializeOwned>(text: Option<String>) -> Result<Option<T>, StoreError> {
    let value = text.map(|text| serde_json::from_str(&text)).transpose();
    value.map_err(|_| invalid())
}

fn invalid() -> StoreError {
    corrupt("webhook")
}

fn webhook(model: Model, secrets: u64) -> Result<Webhook, StoreError> {
    let draft = WebhookDraft {
        name: model.name.try_into().map_err(|_| invalid())?,
        provider: Provider::from_name(&model.provider).ok_or_else(invalid)?,
        status: if model.status {
            Status::On
        } else {
            Status::Off
        },
        unverified: if model.keeps_unverified {
            Unverified::Keep
        } else {
            Unverified::Refuse
        },
        signature: parsed(model.signature)?,
        delivery_id: parsed(model.delivery_id)?,
        retention_days: number(model.retention_days)?,
        retention_messages: number(model.retention_messages)?,
        max_deliveries: model.max_deliveries.try_into().map_err(|_| invalid())?,
    };
    Ok(Webhook {
        id: WebhookId(model.id),
        owner: UserId(model.user_id),
        rid: model.rid,
        draft,
        secrets,
        created_at: model.created_at,
        updated_at: model.updated_at,
    })
}

fn number<T: TryFrom<i64>>(number: Option<i64>) -> Result<Option<T>, StoreError> {
    number.map(T::try_from).transpose().map_err(|_| invalid())
}

fn purpose_name(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Signature => "signature",
        Purpose::Handshake => "handshake",
    }
}

fn purpose(name: &str) -> Result<Purpose, StoreError> {
    [Purpose::Signature, Purpose::Handshake]
        .into_iter()
        .find(|purpose| purpose_name(*purpose) == name)
        .ok_or_else(invalid)
}

fn info(model: secret::Model) -> Result<SecretInfo, StoreError> {
    Ok(SecretInfo {
        id: model.id,
        purpose: purpose(&model.purpose)?,
        created_at: model.created_at,
    })
}
