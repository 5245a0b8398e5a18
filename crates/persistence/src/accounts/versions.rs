//! API versions.

use async_trait::async_trait;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter,
    QueryOrder, Set,
};
use tidegate_domain::error::StoreError;
use tidegate_domain::version::{Version, VersionName, VersionPatch, Versions};

use crate::access::{Access, atomically, corrupt};
use crate::error::db_err;

/// The table.
#[allow(unreachable_pub, reason = "sea-orm derives public types beside these")]
mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "versions")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub version: String,
        pub supported: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use entity::{ActiveModel, Column, Entity, Model};

/// The versions of a database.
#[derive(Debug, Clone)]
pub struct VersionStore<A> {
    access: A,
}

impl<A> VersionStore<A> {
    /// On the pool or in a transaction.
    pub fn new(access: A) -> Self {
        Self { access }
    }
}

#[async_trait]
impl<A: Access> Versions for VersionStore<A> {
    async fn list(&self) -> Result<Vec<Version>, StoreError> {
        let models = Entity::find()
            .order_by_asc(Column::Id)
            .all(self.access.reader())
            .await
            .map_err(db_err)?;
        models.into_iter().map(version).collect()
    }

    async fn insert(&self, name: &VersionName, supported: bool) -> Result<Version, StoreError> {
        let new = ActiveModel {
            id: ActiveValue::NotSet,
            version: Set(name.as_str().to_owned()),
            supported: Set(supported),
        };
        // On a server the row is read back, hence the transaction.
        let model = atomically!(self.access, |tx| new
            .clone()
            .insert(tx)
            .await
            .map_err(db_err))?;
        version(model)
    }

    async fn update(&self, id: i64, patch: &VersionPatch) -> Result<Option<Version>, StoreError> {
        atomically!(self.access, |tx| update(tx, id, patch).await)
    }

    async fn delete(&self, id: i64) -> Result<bool, StoreError> {
        let result = Entity::delete_by_id(id)
            .exec(self.access.writer())
            .await
            .map_err(db_err)?;
        Ok(result.rows_affected > 0)
    }
}

async fn update(
    tx: &impl ConnectionTrait,
    id: i64,
    patch: &VersionPatch,
) -> Result<Option<Version>, StoreError> {
    if *patch != VersionPatch::default() {
        let mut update = Entity::update_many().filter(Column::Id.eq(id));
        if let Some(name) = &patch.version {
            update = update.col_expr(Column::Version, Expr::value(name.as_str()));
        }
        if let Some(supported) = patch.supported {
            update = update.col_expr(Column::Supported, Expr::value(supported));
        }
        update.exec(tx).await.map_err(db_err)?;
    }
    let model = Entity::find_by_id(id).one(tx).await.map_err(db_err)?;
    model.map(version).transpose()
}

fn version(model: Model) -> Result<Version, StoreError> {
    let name = VersionName::parse(&model.version).map_err(|_| corrupt("version"))?;
    Ok(Version {
        id: model.id,
        version: name,
        supported: model.supported,
    })
}
