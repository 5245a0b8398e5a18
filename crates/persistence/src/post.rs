//! Posts and their votes.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait as _, Query};
use sea_orm::{ConnectionTrait as _, Value};
use tidegate_domain::account::UserId;
use tidegate_domain::error::StoreError;
use tidegate_domain::post::{Post, PostDraft, Votes};

use crate::access::{Access, corrupt, stored};
use crate::error::db_err;
use crate::resource::{Record, Unreadable};

/// The table.
#[allow(unreachable_pub, reason = "sea-orm derives public types beside these")]
mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "posts")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub title: String,
        #[sea_orm(column_type = "Text")]
        pub content: String,
        pub published: bool,
        pub rating: Option<i64>,
        pub owner_id: i64,
        pub created_at: DateTimeUtc,
        pub updated_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use entity::{Column, Entity, Model};

impl Record for Post {
    type Table = Entity;

    fn values(draft: &PostDraft) -> Vec<(Column, Value)> {
        vec![
            (Column::Title, draft.title.as_str().into()),
            (Column::Content, draft.content.as_str().into()),
            (Column::Published, draft.published.into()),
            (
                Column::Rating,
                draft.rating.map(|rating| rating.get()).into(),
            ),
        ]
    }

    fn draft(model: Model) -> Result<PostDraft, Unreadable> {
        Ok(PostDraft {
            title: model.title.try_into()?,
            content: model.content.try_into()?,
            published: model.published,
            rating: model.rating.map(TryInto::try_into).transpose()?,
        })
    }
}

/// The votes of a database.
#[derive(Debug, Clone)]
pub struct VoteStore<A> {
    access: A,
}

impl<A> VoteStore<A> {
    /// On the pool or in a transaction.
    pub fn new(access: A) -> Self {
        Self { access }
    }
}

#[async_trait]
impl<A: Access> Votes for VoteStore<A> {
    async fn add(&self, post: i64, user: UserId, now: DateTime<Utc>) -> Result<(), StoreError> {
        let insert = Query::insert()
            .into_table("votes")
            .columns(["post_id", "user_id", "created_at"])
            .values_panic([post.into(), user.0.into(), Expr::value(stored(now))])
            .take();
        let done = self.access.writer().execute(&insert).await;
        done.map(drop).map_err(db_err)
    }

    async fn remove(&self, post: i64, user: UserId) -> Result<bool, StoreError> {
        let delete = Query::delete()
            .from_table("votes")
            .and_where(Expr::col("post_id").eq(post))
            .and_where(Expr::col("user_id").eq(user.0))
            .take();
        let done = self
            .access
            .writer()
            .execute(&delete)
            .await
            .map_err(db_err)?;
        Ok(done.rows_affected() > 0)
    }

    async fn count(&self, posts: &[i64]) -> Result<HashMap<i64, u64>, StoreError> {
        let select = Query::select()
            .column("post_id")
            .expr(Expr::col("user_id").count())
            .from("votes")
            .and_where(Expr::col("post_id").is_in(posts.iter().copied()))
            .group_by_col("post_id")
            .take();
        let rows = self.access.reader().query_all(&select).await;
        let count = |row: sea_orm::QueryResult| {
            let post = row.try_get_by_index(0).map_err(db_err)?;
            let votes: i64 = row.try_get_by_index(1).map_err(db_err)?;
            Ok((post, u64::try_from(votes).map_err(|_| corrupt("count"))?))
        };
        rows.map_err(db_err)?.into_iter().map(count).collect()
    }
}
