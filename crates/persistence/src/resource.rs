//! One adapter for the records of every resource. What is special to a resource stands in its
//! [`Record`]: the table, and how drafts and rows become one another.
//!
//! Reads go through the planner and the printer of the row interface, over a description of
//! the table that is taken from the entity; so searches, orders and pages mean the same here
//! and there, on every engine.

use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait as _, Query as Sql};
use sea_orm::{
    ColumnTrait, ColumnType as StoredType, ConnectionTrait, EntityName as _, EntityTrait, Iden,
    IdenStatic as _, Iterable, ModelTrait, Statement, Value,
};
use tidegate_domain::account::UserId;
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::column_type::{ColumnType, LobSize};
use tidegate_domain::gateway::schema::{Column, Index, Table, TableKind};
use tidegate_domain::gateway::value::Value as Bound;
use tidegate_domain::query::ask::{Clause, Query};
use tidegate_domain::query::plan::ReadPlan;
use tidegate_domain::query::planner::Planner;
use tidegate_domain::resource::{Entity, Id, IdKind, Listed, NewRecord, Repository, Resource, is};

use crate::access::{Access, Place, again, corrupt, stored};
use crate::engine::Engine;
use crate::error::db_err;
use crate::gateway::rows::total_of_page;
use crate::gateway::sql::{self, Lock};

/// What the adapter needs to know of a resource. The table has the columns `id`, `created_at`
/// and `updated_at`, the owner's where the resource has owners, and one for each member of
/// the draft.
pub trait Record: Resource {
    /// The table.
    type Table: EntityTrait<Model: Send + Sync, Column: FromStr + Iden + Iterable>;

    /// The draft's members as values of their columns.
    fn values(draft: &Self::Draft) -> Vec<(<Self::Table as EntityTrait>::Column, Value)>;

    /// The draft of a row.
    ///
    /// # Errors
    /// A value that the draft's types refuse.
    fn draft(model: <Self::Table as EntityTrait>::Model) -> Result<Self::Draft, Unreadable>;
}

/// A stored value that is not one of the domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

/// So that `?` serves in [`Record::draft`] for every type of value.
impl From<std::borrow::Cow<'static, str>> for Unreadable {
    fn from(_: std::borrow::Cow<'static, str>) -> Self {
        Self
    }
}

/// The records of a database.
#[derive(Debug, Clone)]
pub struct Store<A> {
    access: A,
}

impl<A: Access> Store<A> {
    /// On the pool or in a transaction.
    pub fn new(access: A) -> Self {
        Self { access }
    }

    /// The text of the statement that a list is read by, with its values in place, for a look at
    /// how an engine would carry it out.
    ///
    /// # Errors
    /// Those of [`Repository::list`].
    pub async fn explain<R: Record>(&self, query: &Query) -> Result<String, StoreError> {
        let place = self.access.place().await?;
        let plan = plan::<R>(&place, query)?;
        let statement = sql::select(place.engine, &plan, false);
        Ok(prepared(self.access.reader(), statement).to_string())
    }

    async fn one<R: Record>(
        &self,
        key: i64,
        scope: &[Clause],
        lock: Lock,
    ) -> Result<Option<Entity<R>>, StoreError> {
        let place = self.access.place().await?;
        let query = Query {
            filters: vec![is(R::SPEC.key, key)],
            scope: scope.to_vec(),
            ..Query::default()
        };
        let plan = plan::<R>(&place, &query)?;
        let columns: Vec<usize> = (0..plan.table().columns.len()).collect();
        let statement =
            sql::select_columns(place.engine, plan.table(), &columns, plan.predicate(), lock);
        let connection = match lock {
            Lock::None => self.access.reader(),
            Lock::Update => self.access.writer(),
        };
        let model = R::Table::find()
            .from_raw_sql(prepared(connection, statement))
            .one(connection)
            .await
            .map_err(db_err)?;
        model.map(entity).transpose()
    }
}

#[async_trait]
impl<R: Record, A: Access> Repository<R> for Store<A> {
    async fn find(&self, key: i64, scope: &[Clause]) -> Result<Option<Entity<R>>, StoreError> {
        self.one(key, scope, Lock::None).await
    }

    async fn lock(&self, key: i64, scope: &[Clause]) -> Result<Option<Entity<R>>, StoreError> {
        self.one(key, scope, Lock::Update).await
    }

    async fn list(&self, query: &Query) -> Result<Listed<Entity<R>>, StoreError> {
        let place = self.access.place().await?;
        let plan = plan::<R>(&place, query)?;
        let connection = self.access.reader();
        let models = R::Table::find()
            .from_raw_sql(prepared(
                connection,
                sql::select(place.engine, &plan, false),
            ))
            .all(connection)
            .await
            .map_err(db_err)?;
        let total = match plan.count() {
            None => None,
            Some(_) => match total_of_page(models.len() as u64, plan.limit(), plan.offset()) {
                Some(total) => Some(total),
                None => Some(count(connection, place.engine, &plan).await?),
            },
        };
        Ok(Listed {
            items: models.into_iter().map(entity).collect::<Result<_, _>>()?,
            total,
        })
    }

    async fn insert(&self, record: &NewRecord<R>) -> Result<Id, StoreError> {
        let mut row = R::values(&record.draft);
        row.push((column::<R>("created_at")?, stored(record.created_at).into()));
        if let Some((name, owner)) = R::SPEC.owner.zip(record.owner) {
            row.push((column::<R>(name)?, owner.0.into()));
        }
        if let Some(id) = &record.id {
            row.push((column::<R>("id")?, id_value(id)));
        }
        let (columns, values): (Vec<_>, Vec<_>) = row.into_iter().unzip();
        let insert = Sql::insert()
            .into_table(R::Table::default().table_ref())
            .columns(columns)
            .values_panic(values.into_iter().map(Expr::value))
            .take();
        let result = self.run(&insert).await?;
        match &record.id {
            Some(id) => Ok(id.clone()),
            None => i64::try_from(result.last_insert_id())
                .map(Id::Number)
                .map_err(|_| corrupt("id")),
        }
    }

    async fn update(
        &self,
        id: &Id,
        draft: &R::Draft,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let values = R::values(draft).into_iter();
        let update = Sql::update()
            .table(R::Table::default().table_ref())
            .values(values.map(|(column, value)| (column, Expr::value(value))))
            .value(column::<R>("updated_at")?, Expr::value(stored(now)))
            .and_where(Expr::col(column::<R>("id")?).eq(id_value(id)))
            .take();
        Ok(self.run(&update).await?.rows_affected() > 0)
    }

    async fn delete(&self, id: &Id) -> Result<bool, StoreError> {
        let delete = Sql::delete()
            .from_table(R::Table::default().table_ref())
            .and_where(Expr::col(column::<R>("id")?).eq(id_value(id)))
            .take();
        Ok(self.run(&delete).await?.rows_affected() > 0)
    }
}

impl<A: Access> Store<A> {
    /// Runs a statement that writes; outside a transaction again after a deadlock.
    async fn run(
        &self,
        statement: &impl sea_orm::StatementBuilder,
    ) -> Result<sea_orm::ExecResult, StoreError> {
        let mut attempt = 0;
        loop {
            match self
                .access
                .writer()
                .execute(statement)
                .await
                .map_err(db_err)
            {
                Err(error) if again(&mut attempt, self.access.retries(), &error).await => {}
                outcome => return outcome,
            }
        }
    }
}

async fn count(
    connection: &impl ConnectionTrait,
    engine: Engine,
    plan: &ReadPlan,
) -> Result<u64, StoreError> {
    let statement = prepared(connection, sql::count(engine, plan));
    let row = connection.query_one_raw(statement).await.map_err(db_err)?;
    let total: i64 = match row {
        Some(row) => row.try_get_by_index(0).map_err(db_err)?,
        None => 0,
    };
    u64::try_from(total).map_err(|_| corrupt("count"))
}

fn plan<R: Record>(place: &Place, query: &Query) -> Result<ReadPlan, StoreError> {
    Ok(Planner::default().read(None, &Arc::new(table::<R>(place)), query)?)
}

/// A statement of the printer for sea-orm.
fn prepared(connection: &impl ConnectionTrait, statement: sql::Statement) -> Statement {
    let values = statement.binds.into_iter().map(|value| match value {
        Bound::Null => Value::String(None),
        Bound::Int(number) => number.into(),
        Bound::UInt(number) => number.into(),
        Bound::Double(number) => number.into(),
        Bound::Decimal(text) | Bound::Text(text) | Bound::Json(text) => text.into(),
        Bound::Bytes(bytes) => bytes.into(),
    });
    Statement::from_sql_and_values(connection.get_database_backend(), statement.sql, values)
}

fn entity<R: Record>(model: <R::Table as EntityTrait>::Model) -> Result<Entity<R>, StoreError> {
    let unreadable = || corrupt(R::SPEC.singular);
    let value = |name| Ok::<_, StoreError>(model.get(column::<R>(name)?));
    let id = match (R::SPEC.id, value("id")?) {
        (IdKind::Number, Value::BigInt(Some(number))) => Id::Number(number),
        (IdKind::Uuid, Value::String(Some(text))) => Id::Uuid(text.to_string()),
        _ => return Err(unreadable()),
    };
    let owner = match R::SPEC.owner {
        None => None,
        Some(name) => match value(name)? {
            Value::BigInt(Some(number)) => Some(UserId(number)),
            _ => return Err(unreadable()),
        },
    };
    let (Value::ChronoDateTimeUtc(Some(created_at)), Value::ChronoDateTimeUtc(updated_at)) =
        (value("created_at")?, value("updated_at")?)
    else {
        return Err(unreadable());
    };
    Ok(Entity {
        id,
        owner,
        created_at,
        updated_at,
        draft: R::draft(model).map_err(|Unreadable| unreadable())?,
    })
}

fn column<R: Record>(name: &str) -> Result<<R::Table as EntityTrait>::Column, StoreError> {
    name.parse().map_err(|_| {
        StoreError::Internal(format!("the table {} has no column {name}", R::SPEC.plural).into())
    })
}

fn id_value(id: &Id) -> Value {
    match id {
        Id::Number(number) => (*number).into(),
        Id::Uuid(text) => text.as_str().into(),
    }
}

/// The table as the planner sees it.
fn table<R: Record>(place: &Place) -> Table {
    let columns = <R::Table as EntityTrait>::Column::iter().map(|column| {
        let definition = column.def();
        Column {
            name: column.as_str().to_owned(),
            column_type: logical(definition.get_column_type()),
            nullable: definition.is_null(),
            default: None,
            base: None,
            auto_increment: false,
            generated: None,
            comment: String::new(),
            collation: Some(place.engine.binary_collation().to_owned()),
        }
    });
    Table {
        database: place.database.clone(),
        name: R::Table::default().table_name().to_owned(),
        kind: TableKind::Table,
        writable: true,
        columns: columns.collect(),
        primary_key: vec!["id".to_owned()],
        indexes: R::SPEC
            .unique
            .iter()
            .map(|(column, _)| unique(column))
            .collect(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        comment: String::new(),
        row_estimate: None,
    }
}

fn unique(column: &str) -> Index {
    Index {
        name: String::new(),
        columns: vec![column.to_owned()],
        unique: true,
    }
}

/// The logical type of a column, as far as filters and orders need it.
fn logical(stored: &StoredType) -> ColumnType {
    let integer = |bytes| ColumnType::Integer {
        bytes,
        unsigned: false,
    };
    match stored {
        StoredType::TinyInteger => integer(1),
        StoredType::SmallInteger => integer(2),
        StoredType::Integer => integer(4),
        StoredType::BigInteger => integer(8),
        StoredType::Boolean => ColumnType::Boolean,
        StoredType::Float => ColumnType::Float { unsigned: false },
        StoredType::Double => ColumnType::Double { unsigned: false },
        StoredType::Char(_) | StoredType::String(_) | StoredType::Text => {
            ColumnType::Text(LobSize::Long)
        }
        StoredType::Date => ColumnType::Date,
        StoredType::DateTime | StoredType::Timestamp | StoredType::TimestampWithTimeZone => {
            ColumnType::DateTime(6)
        }
        _ => ColumnType::Other(String::new()),
    }
}
