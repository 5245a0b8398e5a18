//! API keys, one a user.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};
use tidegate_domain::account::{ApiKey, ApiKeys, UserId};
use tidegate_domain::error::StoreError;

use super::users::{entity as user, user as to_user};
use crate::access::{Access, stored};
use crate::error::db_err;

/// The table.
#[allow(unreachable_pub, reason = "sea-orm derives public types beside these")]
mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "api_keys")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: i64,
        pub digest: String,
        pub created_at: DateTimeUtc,
        pub expires_at: Option<DateTimeUtc>,
        pub last_used_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "crate::accounts::users::entity::Entity",
            from = "Column::UserId",
            to = "crate::accounts::users::entity::Column::Id"
        )]
        User,
    }

    impl Related<crate::accounts::users::entity::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::User.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

use entity::{ActiveModel, Column, Entity};

/// The API keys of a database.
#[derive(Debug, Clone)]
pub struct ApiKeyStore<A> {
    access: A,
}

impl<A> ApiKeyStore<A> {
    /// On the pool or in a transaction.
    pub fn new(access: A) -> Self {
        Self { access }
    }
}

#[async_trait]
impl<A: Access> ApiKeys for ApiKeyStore<A> {
    async fn find(&self, user: UserId) -> Result<Option<ApiKey>, StoreError> {
        let found = Entity::find_by_id(user.0)
            .find_also_related(user::Entity)
            .one(self.access.reader())
            .await
            .map_err(db_err)?;
        let Some((key, Some(user))) = found else {
            return Ok(None);
        };
        Ok(Some(ApiKey {
            user: to_user(user)?,
            digest: key.digest,
            expires_at: key.expires_at,
        }))
    }

    async fn put(
        &self,
        user: UserId,
        digest: &str,
        expires_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let model = ActiveModel {
            user_id: Set(user.0),
            digest: Set(digest.to_owned()),
            created_at: Set(stored(now)),
            expires_at: Set(expires_at.map(stored)),
            last_used_at: Set(None),
        };
        let replace = OnConflict::column(Column::UserId)
            .update_columns([
                Column::Digest,
                Column::CreatedAt,
                Column::ExpiresAt,
                Column::LastUsedAt,
            ])
            .to_owned();
        Entity::insert(model)
            .on_conflict(replace)
            .exec_without_returning(self.access.writer())
            .await
            .map(drop)
            .map_err(db_err)
    }

    async fn delete(&self, user: UserId) -> Result<bool, StoreError> {
        let result = Entity::delete_by_id(user.0)
            .exec(self.access.writer())
            .await
            .map_err(db_err)?;
        Ok(result.rows_affected > 0)
    }

    async fn touch(&self, user: UserId, now: DateTime<Utc>) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::LastUsedAt, Expr::value(stored(now)))
            .filter(Column::UserId.eq(user.0))
            .exec(self.access.writer())
            .await
            .map(drop)
            .map_err(db_err)
    }
}
