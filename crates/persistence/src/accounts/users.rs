//! Users.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Func, Query, SimpleExpr};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Set,
};
use tidegate_domain::account::{
    Email, Login, NewUser, PasswordHash, Role, User, UserChanges, UserFilter, UserId, Username,
    Users, name_key,
};
use tidegate_domain::error::{StoreError, Violation, ViolationKind};
use tidegate_domain::page::{Page, PageRequest};

use crate::access::{Access, atomically, corrupt, stored};
use crate::error::db_err;

/// The table.
#[allow(unreachable_pub, reason = "sea-orm derives public types beside these")]
pub(super) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "users")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub username: String,
        pub username_key: Option<String>,
        pub email: Option<String>,
        pub email_key: Option<String>,
        pub role_id: i64,
        pub password: String,
        pub activated: bool,
        pub created_at: DateTimeUtc,
        pub updated_at: Option<DateTimeUtc>,
    }

    // By hand, so that no log holds a password's hash.
    impl std::fmt::Debug for Model {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("User")
                .field("id", &self.id)
                .finish_non_exhaustive()
        }
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use entity::{ActiveModel, Column, Entity, Model};

/// How many names to try for a user without one before giving up.
const NAME_ATTEMPTS: u32 = 20;

/// The users of a database.
#[derive(Debug, Clone)]
pub struct UserStore<A> {
    access: A,
}

impl<A> UserStore<A> {
    /// On the pool or in a transaction.
    pub fn new(access: A) -> Self {
        Self { access }
    }
}

#[async_trait]
impl<A: Access> Users for UserStore<A> {
    async fn find(&self, id: UserId) -> Result<Option<User>, StoreError> {
        let model = Entity::find_by_id(id.0)
            .one(self.access.reader())
            .await
            .map_err(db_err)?;
        model.map(user).transpose()
    }

    async fn find_login(&self, key: &str) -> Result<Option<Login>, StoreError> {
        // Names hold no `@` and addresses one; a folded name that came to hold one must
        // not answer for an address.
        let column = if key.contains('@') {
            Column::EmailKey
        } else {
            Column::UsernameKey
        };
        let model = Entity::find()
            .filter(column.eq(key))
            .one(self.access.reader())
            .await
            .map_err(db_err)?;
        model.map(login).transpose()
    }

    async fn find_login_by_id(&self, id: UserId) -> Result<Option<Login>, StoreError> {
        let model = Entity::find_by_id(id.0)
            .one(self.access.reader())
            .await
            .map_err(db_err)?;
        model.map(login).transpose()
    }

    async fn names(&self, ids: &[UserId]) -> Result<HashMap<UserId, Username>, StoreError> {
        let named: Vec<(i64, String)> = Entity::find()
            .select_only()
            .columns([Column::Id, Column::Username])
            .filter(Column::Id.is_in(ids.iter().map(|id| id.0)))
            .into_tuple()
            .all(self.access.reader())
            .await
            .map_err(db_err)?;
        let checked = |(id, name): (i64, String)| {
            let name = Username::parse(&name).map_err(|_| corrupt("user name"))?;
            Ok((UserId(id), name))
        };
        named.into_iter().map(checked).collect()
    }

    async fn list(&self, filter: &UserFilter, page: PageRequest) -> Result<Page<User>, StoreError> {
        let mut condition = Condition::all().add(Column::Activated.eq(filter.activated));
        if let Some(part) = &filter.username {
            // Not LIKE: every character is itself, and there is no longest pattern.
            let found: SimpleExpr = Func::cust("INSTR")
                .arg(Expr::col(Column::UsernameKey))
                .arg(name_key(part))
                .into();
            condition = condition.add(found.gt(0));
        }
        let query = Entity::find().filter(condition);
        let reader = self.access.reader();
        let total = query.clone().count(reader).await.map_err(db_err)?;
        let models = query
            .order_by_asc(Column::Id)
            .limit(page.limit)
            .offset(page.offset)
            .all(reader)
            .await
            .map_err(db_err)?;
        Ok(Page {
            items: models.into_iter().map(user).collect::<Result<_, _>>()?,
            total,
        })
    }

    async fn insert(&self, new: &NewUser) -> Result<User, StoreError> {
        atomically!(self.access, |tx| insert(tx, new).await)
    }

    async fn update(
        &self,
        id: UserId,
        changes: &UserChanges,
        now: DateTime<Utc>,
    ) -> Result<Option<User>, StoreError> {
        atomically!(self.access, |tx| update(tx, id, changes, now).await)
    }

    async fn lock_active_admins(&self) -> Result<Vec<UserId>, StoreError> {
        let connection = self.access.writer();
        // The role's row stands for all who have it: locking the users themselves, through an
        // index that others are changing, ends in deadlocks.
        if connection.get_database_backend() != DbBackend::Sqlite {
            let role = Query::select()
                .column("id")
                .from("roles")
                .and_where(Expr::col("id").eq(Role::Admin.id()))
                .lock_exclusive()
                .to_owned();
            connection.query_one(&role).await.map_err(db_err)?;
        }
        let ids: Vec<i64> = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::RoleId.eq(Role::Admin.id()))
            .filter(Column::Activated.eq(true))
            .order_by_asc(Column::Id)
            .into_tuple()
            .all(connection)
            .await
            .map_err(db_err)?;
        Ok(ids.into_iter().map(UserId).collect())
    }

    async fn any(&self) -> Result<bool, StoreError> {
        let query = Entity::find().select_only().column(Column::Id).limit(1);
        let id: Option<i64> = query
            .into_tuple()
            .one(self.access.reader())
            .await
            .map_err(db_err)?;
        Ok(id.is_some())
    }
}

async fn insert(tx: &impl ConnectionTrait, new: &NewUser) -> Result<User, StoreError> {
    let model = ActiveModel {
        id: ActiveValue::NotSet,
        username: Set(new
            .username
            .as_ref()
            .map(|name| name.as_str().to_owned())
            .unwrap_or_default()),
        username_key: Set(new.username.as_ref().map(Username::key)),
        email: Set(new.email.as_ref().map(|email| email.as_str().to_owned())),
        email_key: Set(new.email.as_ref().map(Email::key)),
        role_id: Set(new.role.id()),
        password: Set(new.password.0.clone()),
        activated: Set(true),
        created_at: Set(stored(new.created_at)),
        updated_at: Set(None),
    };
    let mut model = model.insert(tx).await.map_err(db_err)?;
    if new.username.is_none() {
        model.username = name_after_id(tx, model.id).await?;
    }
    user(model)
}

/// Names a user after its id. Somebody may have taken that name beforehand: then a number
/// is added, since no name that others can choose may keep people from registering.
async fn name_after_id(tx: &impl ConnectionTrait, id: i64) -> Result<String, StoreError> {
    let mut attempt = 1;
    loop {
        let name = if attempt == 1 {
            format!("user{id}")
        } else {
            format!("user{id}-{attempt}")
        };
        let update = Query::update()
            .table(Entity)
            .value(Column::Username, name.as_str())
            .value(Column::UsernameKey, name_key(&name))
            .and_where(Column::Id.eq(id))
            .take();
        match tx.execute(&update).await.map_err(db_err) {
            Ok(_) => return Ok(name),
            Err(StoreError::Constraint(Violation {
                kind: ViolationKind::Unique,
                ..
            })) if attempt < NAME_ATTEMPTS => {
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn update(
    tx: &impl ConnectionTrait,
    id: UserId,
    changes: &UserChanges,
    now: DateTime<Utc>,
) -> Result<Option<User>, StoreError> {
    let mut update = Entity::update_many()
        .filter(Column::Id.eq(id.0))
        .col_expr(Column::UpdatedAt, Expr::value(stored(now)));
    if let Some(name) = &changes.username {
        update = update
            .col_expr(Column::Username, Expr::value(name.as_str()))
            .col_expr(Column::UsernameKey, Expr::value(name.key()));
    }
    if let Some(email) = &changes.email {
        update = update
            .col_expr(
                Column::Email,
                Expr::value(email.as_ref().map(|email| email.as_str().to_owned())),
            )
            .col_expr(
                Column::EmailKey,
                Expr::value(email.as_ref().map(Email::key)),
            );
    }
    if let Some(PasswordHash(password)) = &changes.password {
        update = update.col_expr(Column::Password, Expr::value(password.as_str()));
    }
    if let Some(role) = changes.role {
        update = update.col_expr(Column::RoleId, Expr::value(role.id()));
    }
    if let Some(activated) = changes.activated {
        update = update.col_expr(Column::Activated, Expr::value(activated));
    }
    if update.exec(tx).await.map_err(db_err)?.rows_affected == 0 {
        return Ok(None);
    }
    let model = Entity::find_by_id(id.0).one(tx).await.map_err(db_err)?;
    model.map(user).transpose()
}

pub(super) fn user(model: Model) -> Result<User, StoreError> {
    Ok(User {
        id: UserId(model.id),
        username: Username::parse(&model.username).map_err(|_| corrupt("user name"))?,
        email: match model.email {
            Some(email) => Some(Email::parse(&email).map_err(|_| corrupt("e-mail address"))?),
            None => None,
        },
        role: Role::from_id(model.role_id).ok_or_else(|| corrupt("role"))?,
        activated: model.activated,
        created_at: model.created_at,
        updated_at: model.updated_at,
    })
}

fn login(model: Model) -> Result<Login, StoreError> {
    let password = PasswordHash(model.password.clone());
    Ok(Login {
        user: user(model)?,
        password,
    })
}
