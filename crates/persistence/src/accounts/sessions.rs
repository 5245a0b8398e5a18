//! Sessions and their refresh tokens.
//!
//! Which of two parallel calls wins is decided by conditional updates and the number of
//! rows they changed, never by looking first.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, Condition, ConnectionTrait, EntityTrait,
    QueryFilter, QueryOrder, QuerySelect, Set,
};
use tidegate_domain::account::UserId;
use tidegate_domain::error::StoreError;
use tidegate_domain::session::{NewSession, Rotation, Session, SessionId, Sessions};

use super::users::entity as user;
use crate::access::{Access, atomically, locking, stored};
use crate::error::db_err;

/// The sessions.
#[allow(unreachable_pub, reason = "sea-orm derives public types beside these")]
mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sessions")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub user_id: i64,
        pub created_at: DateTimeUtc,
        pub last_used_at: DateTimeUtc,
        pub expires_at: DateTimeUtc,
        pub ended_at: Option<DateTimeUtc>,
        pub agent: Option<String>,
        pub address: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The refresh tokens, those that were replaced among them.
#[allow(unreachable_pub, reason = "sea-orm derives public types beside these")]
mod token {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "refresh_tokens")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub session_id: i64,
        pub digest: String,
        pub created_at: DateTimeUtc,
        pub expires_at: DateTimeUtc,
        pub replaced_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use entity::{Column, Entity, Model};

/// How many rows are deleted in one statement, so that no lock is held for long.
const PURGE_BATCH: u64 = 1000;

/// The longest `User-Agent` and address that are kept.
const AGENT_LENGTH: usize = 255;
const ADDRESS_LENGTH: usize = 64;

/// The sessions of a database.
#[derive(Debug, Clone)]
pub struct SessionStore<A> {
    access: A,
}

impl<A> SessionStore<A> {
    /// On the pool or in a transaction.
    pub fn new(access: A) -> Self {
        Self { access }
    }
}

#[async_trait]
impl<A: Access> Sessions for SessionStore<A> {
    async fn start(
        &self,
        new: &NewSession,
        max_live: u64,
    ) -> Result<(Session, Vec<SessionId>), StoreError> {
        atomically!(self.access, |tx| start(tx, new, max_live).await)
    }

    async fn rotate(
        &self,
        old: &str,
        new: &str,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<Rotation, StoreError> {
        atomically!(self.access, |tx| rotate(
            tx,
            old,
            new,
            stored(now),
            stored(expires_at)
        )
        .await)
    }

    async fn list(&self, user: UserId, now: DateTime<Utc>) -> Result<Vec<Session>, StoreError> {
        let models = Entity::find()
            .filter(Column::UserId.eq(user.0))
            .filter(live(stored(now)))
            .order_by_asc(Column::Id)
            .all(self.access.reader())
            .await
            .map_err(db_err)?;
        Ok(models.into_iter().map(session).collect())
    }

    async fn end(
        &self,
        user: UserId,
        session: SessionId,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let result = Entity::update_many()
            .col_expr(Column::EndedAt, Expr::value(stored(now)))
            .filter(Column::Id.eq(session.0))
            .filter(Column::UserId.eq(user.0))
            .filter(live(stored(now)))
            .exec(self.access.writer())
            .await
            .map_err(db_err)?;
        Ok(result.rows_affected > 0)
    }

    async fn end_all(
        &self,
        user: UserId,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionId>, StoreError> {
        atomically!(self.access, |tx| end_all(tx, user, stored(now)).await)
    }

    async fn ended_since(&self, since: DateTime<Utc>) -> Result<Vec<SessionId>, StoreError> {
        let ids: Vec<i64> = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::EndedAt.gte(stored(since)))
            .order_by_asc(Column::Id)
            .into_tuple()
            .all(self.access.reader())
            .await
            .map_err(db_err)?;
        Ok(ids.into_iter().map(SessionId).collect())
    }

    async fn purge(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        let connection = self.access.writer();
        let before = stored(before);
        // Replaced tokens are kept as long as they would have been good: a thief has no
        // reason to come later.
        let old = Condition::all()
            .add(token::Column::ReplacedAt.is_not_null())
            .add(token::Column::ExpiresAt.lt(before));
        loop {
            let ids: Vec<i64> = token::Entity::find()
                .select_only()
                .column(token::Column::Id)
                .filter(old.clone())
                .limit(PURGE_BATCH)
                .into_tuple()
                .all(connection)
                .await
                .map_err(db_err)?;
            if ids.is_empty() {
                break;
            }
            let delete = token::Entity::delete_many().filter(token::Column::Id.is_in(ids));
            delete.exec(connection).await.map_err(db_err)?;
        }
        // The condition stands in the DELETE as well: a session may be renewed in between.
        let over = Condition::any()
            .add(Column::ExpiresAt.lt(before))
            .add(Column::EndedAt.lt(before));
        let mut purged = 0;
        loop {
            let ids: Vec<i64> = Entity::find()
                .select_only()
                .column(Column::Id)
                .filter(over.clone())
                .limit(PURGE_BATCH)
                .into_tuple()
                .all(connection)
                .await
                .map_err(db_err)?;
            if ids.is_empty() {
                return Ok(purged);
            }
            let delete = Entity::delete_many()
                .filter(Column::Id.is_in(ids))
                .filter(over.clone());
            purged += delete.exec(connection).await.map_err(db_err)?.rows_affected;
        }
    }
}

async fn start(
    tx: &impl ConnectionTrait,
    new: &NewSession,
    max_live: u64,
) -> Result<(Session, Vec<SessionId>), StoreError> {
    // One log-in of a user after the other, or two could each count the same sessions.
    lock_user(tx, new.user).await?;
    let now = stored(new.created_at);
    let expires_at = stored(new.expires_at);
    let model = entity::ActiveModel {
        id: ActiveValue::NotSet,
        user_id: Set(new.user.0),
        created_at: Set(now),
        last_used_at: Set(now),
        expires_at: Set(expires_at),
        ended_at: Set(None),
        agent: Set(new
            .agent
            .as_ref()
            .map(|agent| agent.chars().take(AGENT_LENGTH).collect())),
        address: Set(new
            .address
            .as_ref()
            .map(|address| address.chars().take(ADDRESS_LENGTH).collect())),
    };
    let started = model.insert(tx).await.map_err(db_err)?;
    insert_token(tx, started.id, &new.refresh_digest, now, expires_at).await?;

    let surplus: Vec<i64> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::UserId.eq(new.user.0))
        .filter(Column::Id.ne(started.id))
        .filter(live(now))
        .order_by_desc(Column::ExpiresAt)
        .order_by_desc(Column::Id)
        .into_tuple()
        .all(tx)
        .await
        .map_err(db_err)?
        .into_iter()
        // The new session is one of those that may live.
        .skip(usize::try_from(max_live.saturating_sub(1)).unwrap_or(usize::MAX))
        .collect();
    end_sessions(tx, &surplus, now).await?;
    Ok((
        session(started),
        surplus.into_iter().map(SessionId).collect(),
    ))
}

async fn rotate(
    tx: &impl ConnectionTrait,
    old: &str,
    new: &str,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<Rotation, StoreError> {
    let first_use = token::Entity::update_many()
        .col_expr(token::Column::ReplacedAt, Expr::value(now))
        .filter(token::Column::Digest.eq(old))
        .filter(token::Column::ReplacedAt.is_null())
        .exec(tx)
        .await
        .map_err(db_err)?
        .rows_affected
        == 1;
    let owner: Option<i64> = token::Entity::find()
        .select_only()
        .column(token::Column::SessionId)
        .filter(token::Column::Digest.eq(old))
        .into_tuple()
        .one(tx)
        .await
        .map_err(db_err)?;
    let Some(id) = owner else {
        return Ok(Rotation::Refused);
    };

    let change = Entity::update_many()
        .filter(Column::Id.eq(id))
        .filter(live(now));
    let change = if first_use {
        change
            .col_expr(Column::LastUsedAt, Expr::value(now))
            .col_expr(Column::ExpiresAt, Expr::value(expires_at))
    } else {
        change.col_expr(Column::EndedAt, Expr::value(now))
    };
    if change.exec(tx).await.map_err(db_err)?.rows_affected == 0 {
        return Ok(Rotation::Refused);
    }
    if first_use {
        insert_token(tx, id, new, now, expires_at).await?;
    }
    let Some(model) = Entity::find_by_id(id).one(tx).await.map_err(db_err)? else {
        return Ok(Rotation::Refused);
    };
    let session = session(model);
    Ok(if first_use {
        Rotation::Rotated(session)
    } else {
        Rotation::Reused(session)
    })
}

async fn end_all(
    tx: &impl ConnectionTrait,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<Vec<SessionId>, StoreError> {
    // A log-in that is under way comes before, and is ended, or after.
    lock_user(tx, user).await?;
    let query = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::UserId.eq(user.0))
        .filter(live(now))
        .order_by_asc(Column::Id);
    let ids: Vec<i64> = locking(tx, query)
        .into_tuple()
        .all(tx)
        .await
        .map_err(db_err)?;
    end_sessions(tx, &ids, now).await?;
    Ok(ids.into_iter().map(SessionId).collect())
}

async fn end_sessions(
    tx: &impl ConnectionTrait,
    ids: &[i64],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    Entity::update_many()
        .col_expr(Column::EndedAt, Expr::value(now))
        .filter(Column::Id.is_in(ids.iter().copied()))
        .filter(Column::EndedAt.is_null())
        .exec(tx)
        .await
        .map(drop)
        .map_err(db_err)
}

async fn insert_token(
    tx: &impl ConnectionTrait,
    session: i64,
    digest: &str,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let model = token::ActiveModel {
        id: ActiveValue::NotSet,
        session_id: Set(session),
        digest: Set(digest.to_owned()),
        created_at: Set(now),
        expires_at: Set(expires_at),
        replaced_at: Set(None),
    };
    model.insert(tx).await.map(drop).map_err(db_err)
}

async fn lock_user(tx: &impl ConnectionTrait, id: UserId) -> Result<(), StoreError> {
    let query = user::Entity::find()
        .select_only()
        .column(user::Column::Id)
        .filter(user::Column::Id.eq(id.0));
    // A user who is not there has no sessions; a new one breaks its foreign key.
    locking(tx, query)
        .into_tuple::<i64>()
        .one(tx)
        .await
        .map(drop)
        .map_err(db_err)
}

/// Neither ended nor expired.
fn live(now: DateTime<Utc>) -> Condition {
    Condition::all()
        .add(Column::EndedAt.is_null())
        .add(Column::ExpiresAt.gt(now))
}

fn session(model: Model) -> Session {
    Session {
        id: SessionId(model.id),
        user: UserId(model.user_id),
        created_at: model.created_at,
        last_used_at: model.last_used_at,
        expires_at: model.expires_at,
        agent: model.agent,
        address: model.address,
    }
}
