//! Rows on MySQL and MariaDB: reading.

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use sqlx::mysql::{MySqlConnection, MySqlQueryResult, MySqlRow};
use sqlx::{AssertSqlSafe, Column as _, Executor, Row as _};
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::column_type::{ColumnType, LobSize};
use tidegate_domain::gateway::port::{Encoding, RowInput, RowStore, RowsRead, Upserted, Written};
use tidegate_domain::gateway::schema::Table;
use tidegate_domain::idempotency::{Once, Outcome};
use tidegate_domain::query::ask::Count;
use tidegate_domain::query::plan::{DeletePlan, InsertPlan, ReadPlan, UpdatePlan, UpsertPlan};

use super::super::once::Keys;
use super::super::pool::MySqlPool;
use super::super::rows::document::{Document, plain_text};
use super::super::rows::field::Reader as _;
use super::super::rows::{Whole, body, is_large, related, shown_of, total_of_page, whole};
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
        let mut lease = self.pool.begin_shared(SNAPSHOT).await?;
        let engine = lease.server().engine;
        let watch = lease.watch();
        let (returned, total) = match watch.over(counts(&mut lease, engine, plan)).await {
            Ok(counts) => counts,
            Err(error) => return Err(lease.abort(error).await),
        };
        let statement = sql::select(engine, plan, false);
        let mut reader = Columns::new(sql::types(engine, plan.node().select()));
        let document = Document::of(engine, encoding, plan.node(), plan.zone());
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
                Ok(()) => {
                    lease.finish().await;
                    Ok(())
                }
                Err(body::Cut::Failed(error)) => Err(lease.fail(error)),
                // Dropping the lease closes the connection, and with it the query.
                Err(body::Cut::Gone) => Ok(()),
            }
        };
        Ok(RowsRead {
            returned,
            total,
            body: watch.over(body::spawn(work)).await?,
        })
    }

    /// Reads rows with related ones in them.
    async fn nested(&self, plan: &ReadPlan, encoding: Encoding) -> Result<RowsRead, StoreError> {
        let mut lease = self.pool.begin(SNAPSHOT).await?;
        let engine = lease.server().engine;
        let watch = lease.watch();
        let small = watch.over(async {
            let mut session = Session {
                connection: &mut lease,
                engine,
            };
            let Some((rows, bytes)) = related::first(&mut session, plan, encoding).await? else {
                return Ok(None);
            };
            Ok(Some(RowsRead {
                returned: rows,
                total: total(&mut lease, engine, plan, rows).await?,
                body: body::single(bytes),
            }))
        });
        let small = match small.await {
            Ok(small) => small,
            Err(error) => return Err(lease.abort(error).await),
        };
        lease.finish().await;
        match small {
            Some(read) => Ok(read),
            None => self.nested_stream(plan, encoding).await,
        }
    }

    /// The same as a document that is too large to be kept.
    async fn nested_stream(
        &self,
        plan: &ReadPlan,
        encoding: Encoding,
    ) -> Result<RowsRead, StoreError> {
        let mut lease = self.pool.begin_shared(SNAPSHOT).await?;
        let engine = lease.server().engine;
        let watch = lease.watch();
        let (returned, total) = match watch.over(counts(&mut lease, engine, plan)).await {
            Ok(counts) => counts,
            Err(error) => return Err(lease.abort(error).await),
        };
        let plan = plan.clone();
        let work = |sink| async move {
            let mut session = Session {
                connection: &mut lease,
                engine,
            };
            match related::pieces(&mut session, &plan, encoding, returned, &sink).await {
                Ok(()) => {
                    lease.finish().await;
                    Ok(())
                }
                Err(body::Cut::Failed(error)) => Err(lease.fail(error)),
                Err(body::Cut::Gone) => Ok(()),
            }
        };
        Ok(RowsRead {
            returned,
            total,
            body: watch.over(body::spawn(work)).await?,
        })
    }
}

/// A connection for statements that follow each other.
pub(super) struct Session<'c> {
    /// The connection.
    pub(super) connection: &'c mut MySqlConnection,
    /// The server's engine.
    pub(super) engine: Engine,
}

impl related::Session for Session<'_> {
    type Reader = Columns;

    fn engine(&self) -> Engine {
        self.engine
    }

    fn reader(types: Vec<ColumnType>) -> Columns {
        Columns::new(types)
    }

    async fn rows(&mut self, statement: Statement) -> Result<Vec<MySqlRow>, sqlx::Error> {
        fetch(self.connection, &statement).await
    }
}

#[async_trait]
impl RowStore for MySqlRows {
    async fn read(&self, plan: &ReadPlan, encoding: Encoding) -> Result<RowsRead, StoreError> {
        if !plan.node().children().is_empty() {
            return self.nested(plan, encoding).await;
        }
        if is_large(plan) {
            return self.stream(plan, encoding).await;
        }
        // Without a limit the rows are their own count.
        let counted = plan.count() == Some(Count::Exact) && plan.limit().is_some();
        let mut again = true;
        let page = loop {
            let mut lease = self.pool.get().await?;
            let engine = lease.server().engine;
            let watch = lease.watch();
            let page = watch
                .over(page(&mut lease, engine, plan, encoding, counted))
                .await;
            match page {
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
    let mut reader = Columns::new(sql::types(engine, plan.node().select()));
    let running = Running::new("select");
    let rows = query(&statement)?.fetch(&mut *connection);
    let document = Document::of(engine, encoding, plan.node(), plan.zone());
    let page = whole(rows, &mut reader, document, counted).await?;
    drop(running);
    let Some(mut page) = page else {
        return Ok(None);
    };
    if page.counted.is_none() {
        page.counted = total(connection, engine, plan, page.rows).await?;
    }
    Ok(Some(page))
}

/// How many rows the document will have, and how many there are in all if the plan counts.
async fn counts(
    connection: &mut MySqlConnection,
    engine: Engine,
    plan: &ReadPlan,
) -> Result<(u64, Option<u64>), sqlx::Error> {
    if plan.count() == Some(Count::Exact) {
        let total = number(connection, sql::count(engine, plan)).await?;
        return Ok((shown_of(plan, total), Some(total)));
    }
    let returned = number(connection, sql::count_page(engine, plan)).await?;
    Ok((returned, total(connection, engine, plan, returned).await?))
}

/// How many rows there are in all, if the plan counts, where a page has so many.
async fn total(
    connection: &mut MySqlConnection,
    engine: Engine,
    plan: &ReadPlan,
    rows: u64,
) -> Result<Option<u64>, sqlx::Error> {
    let Some(count) = plan.count() else {
        return Ok(None);
    };
    if let (Count::Exact | Count::Estimated, Some(total)) =
        (count, total_of_page(rows, plan.limit(), plan.offset()))
    {
        return Ok(Some(total));
    }
    let estimate = match (count, plan.exact_up_to()) {
        (Count::Planned, _) => true,
        (Count::Estimated, Some(most)) => {
            let more = sql::count_up_to(engine, plan, most.saturating_add(1));
            let counted = number(connection, more).await?;
            if counted <= most {
                return Ok(Some(counted));
            }
            let estimate = estimated(connection, engine, plan).await?;
            return Ok(Some(estimate.unwrap_or(counted).max(counted)));
        }
        _ => false,
    };
    if estimate && let Some(estimate) = estimated(connection, engine, plan).await? {
        return Ok(Some(estimate));
    }
    number(connection, sql::count(engine, plan)).await.map(Some)
}

/// How many rows fit by the server's statistics; `None` where they say nothing.
async fn estimated(
    connection: &mut MySqlConnection,
    engine: Engine,
    plan: &ReadPlan,
) -> Result<Option<u64>, sqlx::Error> {
    let rows = fetch(connection, &sql::explain_count(engine, plan)).await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let names: Vec<_> = first
        .columns()
        .iter()
        .map(|it| it.name().to_owned())
        .collect();
    let place = |name: &str| names.iter().position(|it| it == name);
    let (Some(kind), Some(looked_at), Some(filtered)) =
        (place("select_type"), place("rows"), place("filtered"))
    else {
        return Ok(None);
    };
    let text = ColumnType::Text(LobSize::Long);
    let mut reader = Columns::new(vec![text; names.len()]);
    let mut product = 1.0_f64;
    for row in &rows {
        let mut said = |at| reader.field(row, at).map(|field| plain_text(&field));
        if !matches!(said(kind)?.as_str(), "SIMPLE" | "PRIMARY") {
            continue;
        }
        let (Ok(rows), Ok(part)) = (
            said(looked_at)?.parse::<f64>(),
            said(filtered)?.parse::<f64>(),
        ) else {
            return Ok(None);
        };
        product *= rows * part / 100.0;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a guess at a number of rows"
    )]
    Ok(Some(product.round().max(0.0) as u64))
}

/// The types of these columns.
pub(super) fn types(table: &Table, columns: &[usize]) -> Vec<ColumnType> {
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
