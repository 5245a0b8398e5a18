//! Rows on MySQL and MariaDB: reading.

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use sqlx::mysql::{MySqlConnection, MySqlQueryResult, MySqlRow};
use sqlx::{AssertSqlSafe, Executor};
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::port::{Encoding, RowInput, RowStore, RowsRead, Upserted, Written};
use tidegate_domain::gateway::schema::Table;
use tidegate_domain::idempotency::{Once, Outcome};
use tidegate_domain::query::plan::{DeletePlan, InsertPlan, ReadPlan, UpdatePlan, UpsertPlan};

use super::super::once::Keys;
use super::super::pool::MySqlPool;
use super::super::rows::document::Document;
use super::super::rows::field::Reader as _;
use super::super::rows::{Whole, body, is_large, total_of_page, whole};
use super::super::sql::{self, Statement};
use super::fields::{Columns, arguments};
use super::{delete, insert, update, upsert};
use crate::engine::Engine;
use crate::measure::Running;

/// What a streamed read begins with: its rows and their count are of one moment.
const SNAPSHOT: &str = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";

/// The rows of a server's databases.
#[derive(Clone)]
pub struct MySqlRows {
    pool: MySqlPool,
    keys: Keys,
}

impl MySqlRows {
    /// Rows that are reached through this pool. `own_name` is Tidegate's own database on the
    /// same server, which keeps what may be repeated.
    pub fn new(pool: MySqlPool, own_name: &str) -> Self {
        Self {
            pool,
            keys: Keys::of_server(own_name),
        }
    }

    /// Reads a document that is too large to be kept.
    async fn stream(&self, plan: &ReadPlan, encoding: Encoding) -> Result<RowsRead, StoreError> {
        let mut lease = self.pool.begin(SNAPSHOT).await?;
        let engine = lease.server().engine;
        let total = match plan.count() {
            Some(_) => match number(&mut lease, sql::count(engine, plan)).await {
                Ok(total) => Some(total),
                Err(error) => return Err(lease.abort(error).await),
            },
            None => None,
        };
        let returned = match total {
            Some(total) => total
                .saturating_sub(plan.offset())
                .min(plan.limit().unwrap_or(u64::MAX)),
            None => match number(&mut lease, sql::count_page(engine, plan)).await {
                Ok(returned) => returned,
                Err(error) => return Err(lease.abort(error).await),
            },
        };
        let statement = sql::select(engine, plan, false);
        let mut reader = Columns::new(shown_types(plan));
        let document = Document::new(encoding, plan.output());
        let work = |sink| async move {
            let outcome = match query(&statement) {
                Ok(query) => {
                    let _running = Running::new("select");
                    body::pieces(
                        query.fetch(&mut *lease),
                        &mut reader,
                        document,
                        returned,
                        &sink,
                    )
                    .await
                }
                Err(error) => Err(error.into()),
            };
            match outcome {
                Ok(()) => lease.commit().await,
                Err(body::Cut::Failed(error)) => Err(lease.fail(error)),
                // Dropping the lease closes the connection, and with it the query.
                Err(body::Cut::Gone) => Ok(()),
            }
        };
        Ok(RowsRead {
            returned,
            total,
            body: body::spawn(work).await?,
        })
    }
}

#[async_trait]
impl RowStore for MySqlRows {
    async fn read(&self, plan: &ReadPlan, encoding: Encoding) -> Result<RowsRead, StoreError> {
        if is_large(plan) {
            return self.stream(plan, encoding).await;
        }
        // Without a limit the rows are their own count.
        let counted = plan.count().is_some() && plan.limit().is_some();
        let mut again = true;
        let page = loop {
            let mut lease = self.pool.get().await?;
            let engine = lease.server().engine;
            match page(&mut lease, engine, plan, encoding, counted).await {
                Ok(Some(page)) => break lease.end(Ok(page))?,
                // Rows are under way on this connection, so it cannot be given back.
                Ok(None) => {
                    drop(lease);
                    return self.stream(plan, encoding).await;
                }
                Err(error) if again && lease.is_stale(&error) => again = false,
                Err(error) => return lease.end(Err(error)),
            }
        };
        Ok(RowsRead {
            returned: page.rows,
            total: plan.count().and(page.counted),
            body: body::single(page.bytes),
        })
    }

    async fn insert(
        &self,
        plan: &InsertPlan,
        input: RowInput<'_>,
        encoding: Encoding,
        once: Option<&Once<'_, Written>>,
    ) -> Result<Outcome<Written>, StoreError> {
        insert::insert(&self.pool, &self.keys, plan, input, encoding, once).await
    }

    async fn update(&self, plan: &UpdatePlan, encoding: Encoding) -> Result<Written, StoreError> {
        update::update(&self.pool, plan, encoding).await
    }

    async fn delete(&self, plan: &DeletePlan, encoding: Encoding) -> Result<Written, StoreError> {
        delete::delete(&self.pool, plan, encoding).await
    }

    async fn upsert(
        &self,
        plan: &UpsertPlan,
        once: Option<&Once<'_, Upserted>>,
    ) -> Result<Outcome<Upserted>, StoreError> {
        upsert::upsert(&self.pool, &self.keys, plan, once).await
    }
}

/// A page and, where the plan counts, the number of all rows. `None` when it is too large.
async fn page(
    connection: &mut MySqlConnection,
    engine: Engine,
    plan: &ReadPlan,
    encoding: Encoding,
    counted: bool,
) -> Result<Option<Whole>, sqlx::Error> {
    let statement = sql::select(engine, plan, counted);
    let mut reader = Columns::new(shown_types(plan));
    let running = Running::new("select");
    let rows = query(&statement)?.fetch(&mut *connection);
    let document = Document::new(encoding, plan.output());
    let page = whole(rows, &mut reader, document, counted).await?;
    drop(running);
    let Some(mut page) = page else {
        return Ok(None);
    };
    if plan.count().is_some() && page.counted.is_none() {
        page.counted = match total_of_page(page.rows, plan.limit(), plan.offset()) {
            Some(total) => Some(total),
            // No row came that could have brought the count along.
            None => Some(number(connection, sql::count(engine, plan)).await?),
        };
    }
    Ok(Some(page))
}

fn shown_types(plan: &ReadPlan) -> Vec<tidegate_domain::gateway::column_type::ColumnType> {
    let columns: Vec<_> = plan.output().iter().map(|output| output.column()).collect();
    types(plan.table(), &columns)
}

/// The types of these columns.
pub(super) fn types(
    table: &Table,
    columns: &[usize],
) -> Vec<tidegate_domain::gateway::column_type::ColumnType> {
    columns
        .iter()
        .filter_map(|at| table.columns.get(*at))
        .map(|column| column.column_type.clone())
        .collect()
}

/// A statement to be run.
pub(super) fn query(
    statement: &Statement,
) -> Result<sqlx::query::Query<'static, sqlx::MySql, sqlx::mysql::MySqlArguments>, sqlx::Error> {
    Ok(sqlx::query_with(
        AssertSqlSafe(statement.sql.clone()),
        arguments(&statement.binds)?,
    ))
}

/// The rows of a statement.
pub(super) async fn fetch(
    connection: &mut MySqlConnection,
    statement: &Statement,
) -> Result<Vec<MySqlRow>, sqlx::Error> {
    let _running = Running::of(&statement.sql);
    query(statement)?.fetch(connection).try_collect().await
}

/// Runs a statement that gives no rows.
pub(super) async fn execute(
    connection: &mut MySqlConnection,
    statement: &Statement,
) -> Result<MySqlQueryResult, sqlx::Error> {
    let _running = Running::of(&statement.sql);
    connection.execute(query(statement)?).await
}

/// The one number that a statement gives.
async fn number(
    connection: &mut MySqlConnection,
    statement: Statement,
) -> Result<u64, sqlx::Error> {
    let rows = fetch(connection, &statement).await?;
    Columns::new([]).number(rows.first().ok_or(sqlx::Error::RowNotFound)?, 0)
}
