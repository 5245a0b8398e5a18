//! Rows on SQLite: reading. Readers and the writer have connections of their own, and do
//! not wait for one another.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use sqlx::sqlite::{SqliteConnection, SqliteQueryResult, SqliteRow};
use sqlx::{AssertSqlSafe, Executor};
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::column_type::ColumnType;
use tidegate_domain::gateway::port::{Encoding, RowInput, RowStore, RowsRead, Upserted, Written};
use tidegate_domain::gateway::schema::Table;
use tidegate_domain::idempotency::{Once, Outcome};
use tidegate_domain::query::plan::{DeletePlan, InsertPlan, ReadPlan, UpdatePlan, UpsertPlan};

use super::super::pool::{SqliteDatabase, SqliteFiles, SqliteLease};
use super::super::rows::document::Document;
use super::super::rows::field::Reader as _;
use super::super::rows::{Whole, body, is_large, related, shown_of, total_of_page, whole};
use super::super::sql::{self, Statement};
use super::fields::{Columns, arguments};
use super::{insert, upsert, write};
use crate::engine::Engine;
use crate::measure::Running;

/// The rows of the databases in a folder.
#[derive(Clone)]
pub struct SqliteRows {
    files: Arc<SqliteFiles>,
}

impl SqliteRows {
    /// Rows of these databases.
    pub fn new(files: Arc<SqliteFiles>) -> Self {
        Self { files }
    }

    async fn database(&self, table: &Table) -> Result<Arc<SqliteDatabase>, StoreError> {
        self.files
            .get(&table.database)
            .await?
            .ok_or(StoreError::Missing { kind: "database" })
    }
}

#[async_trait]
impl RowStore for SqliteRows {
    async fn read(&self, plan: &ReadPlan, encoding: Encoding) -> Result<RowsRead, StoreError> {
        let mut lease = self.database(plan.table()).await?.reader().await?;
        if !plan.node().children().is_empty() {
            return nested(lease, plan, encoding).await;
        }
        if is_large(plan) {
            return stream(lease, plan, encoding).await;
        }
        // Without a limit the rows are their own count.
        let counted = plan.count().is_some() && plan.limit().is_some();
        let watch = lease.watch();
        match watch.over(page(&mut lease, plan, encoding, counted)).await {
            // The rest of the rows is not waited for: the engine stops as soon as it finds
            // that nobody takes them.
            Ok(None) => stream(lease, plan, encoding).await,
            outcome => {
                let page = lease.end(outcome)?.unwrap_or(Whole {
                    rows: 0,
                    counted: None,
                    bytes: Vec::new(),
                });
                Ok(RowsRead {
                    returned: page.rows,
                    total: plan.count().and(page.counted),
                    body: body::single(page.bytes),
                })
            }
        }
    }

    async fn insert(
        &self,
        plan: &InsertPlan,
        input: RowInput<'_>,
        encoding: Encoding,
        once: Option<&Once<'_, Written>>,
    ) -> Result<Outcome<Written>, StoreError> {
        let database = self.database(plan.table()).await?;
        insert::insert(&database, plan, input, encoding, once).await
    }

    async fn update(&self, plan: &UpdatePlan, encoding: Encoding) -> Result<Written, StoreError> {
        let database = self.database(plan.table()).await?;
        write::update(&database, plan, encoding).await
    }

    async fn delete(&self, plan: &DeletePlan, encoding: Encoding) -> Result<Written, StoreError> {
        let database = self.database(plan.table()).await?;
        write::delete(&database, plan, encoding).await
    }

    async fn upsert(
        &self,
        plan: &UpsertPlan,
        once: Option<&Once<'_, Upserted>>,
    ) -> Result<Outcome<Upserted>, StoreError> {
        let database = self.database(plan.table()).await?;
        upsert::upsert(&database, plan, once).await
    }
}

/// A page and, where the plan counts, the number of all rows. `None` when it is too large.
async fn page(
    connection: &mut SqliteConnection,
    plan: &ReadPlan,
    encoding: Encoding,
    counted: bool,
) -> Result<Option<Whole>, sqlx::Error> {
    let mut reader = Columns::new(sql::types(Engine::Sqlite, plan.node().select()));
    let running = Running::new("select");
    let rows = query(sql::select(Engine::Sqlite, plan, counted))?.fetch(&mut *connection);
    let document = Document::of(Engine::Sqlite, encoding, plan.node(), plan.zone());
    let page = whole(rows, &mut reader, document, counted).await?;
    drop(running);
    let Some(mut page) = page else {
        return Ok(None);
    };
    if plan.count().is_some() && page.counted.is_none() {
        page.counted = match total_of_page(page.rows, plan.limit(), plan.offset()) {
            Some(total) => Some(total),
            // No row came that could have brought the count along.
            None => Some(number(connection, sql::count(Engine::Sqlite, plan)).await?),
        };
    }
    Ok(Some(page))
}

/// Reads a document that is too large to be kept, within one read transaction.
async fn stream(
    mut lease: SqliteLease,
    plan: &ReadPlan,
    encoding: Encoding,
) -> Result<RowsRead, StoreError> {
    let watch = lease.watch();
    let (returned, total) = match watch.over(begun(&mut lease, plan)).await {
        Ok(counts) => counts,
        Err(error) => return Err(lease.abort(error).await),
    };
    let statement = sql::select(Engine::Sqlite, plan, false);
    let mut reader = Columns::new(sql::types(Engine::Sqlite, plan.node().select()));
    let document = Document::of(Engine::Sqlite, encoding, plan.node(), plan.zone());
    let work = |sink| async move {
        let outcome = match query(statement) {
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
            Err(body::Cut::Failed(error)) => Err(lease.abort(error).await),
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
async fn nested(
    mut lease: SqliteLease,
    plan: &ReadPlan,
    encoding: Encoding,
) -> Result<RowsRead, StoreError> {
    let watch = lease.watch();
    let small = watch.over(async {
        lease.execute("BEGIN").await?;
        let mut session = Session(&mut lease);
        let Some((rows, bytes)) = related::first(&mut session, plan, encoding).await? else {
            return Ok((None, counts(&mut lease, plan).await?));
        };
        let total = match (
            plan.count(),
            total_of_page(rows, plan.limit(), plan.offset()),
        ) {
            (None, _) => None,
            (_, Some(total)) => Some(total),
            _ => Some(number(&mut lease, sql::count(Engine::Sqlite, plan)).await?),
        };
        Ok((Some(bytes), (rows, total)))
    });
    let (small, (returned, total)) = match small.await {
        Ok(outcome) => outcome,
        Err(error) => return Err(lease.abort(error).await),
    };
    if let Some(bytes) = small {
        lease.commit().await?;
        return Ok(RowsRead {
            returned,
            total,
            body: body::single(bytes),
        });
    }
    let plan = plan.clone();
    let work = |sink| async move {
        let mut session = Session(&mut lease);
        match related::pieces(&mut session, &plan, encoding, returned, &sink).await {
            Ok(()) => lease.commit().await,
            Err(body::Cut::Failed(error)) => Err(lease.abort(error).await),
            Err(body::Cut::Gone) => Ok(()),
        }
    };
    Ok(RowsRead {
        returned,
        total,
        body: watch.over(body::spawn(work)).await?,
    })
}

/// A connection for statements that follow each other.
pub(super) struct Session<'c>(pub(super) &'c mut SqliteConnection);

impl related::Session for Session<'_> {
    type Reader = Columns;

    fn engine(&self) -> Engine {
        Engine::Sqlite
    }

    fn reader(types: Vec<ColumnType>) -> Columns {
        Columns::new(types)
    }

    async fn rows(&mut self, statement: Statement) -> Result<Vec<SqliteRow>, sqlx::Error> {
        fetch(self.0, statement).await
    }
}

/// Opens the transaction and counts.
async fn begun(
    connection: &mut SqliteConnection,
    plan: &ReadPlan,
) -> Result<(u64, Option<u64>), sqlx::Error> {
    connection.execute("BEGIN").await?;
    counts(connection, plan).await
}

/// How many rows the document will have, and how many there are in all if the plan counts. The
/// engine keeps no statistics that could stand for a count.
async fn counts(
    connection: &mut SqliteConnection,
    plan: &ReadPlan,
) -> Result<(u64, Option<u64>), sqlx::Error> {
    if plan.count().is_none() {
        let returned = number(connection, sql::count_page(Engine::Sqlite, plan)).await?;
        return Ok((returned, None));
    }
    let total = number(connection, sql::count(Engine::Sqlite, plan)).await?;
    Ok((shown_of(plan, total), Some(total)))
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
    statement: Statement,
) -> Result<sqlx::query::Query<'static, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>, sqlx::Error> {
    Ok(sqlx::query_with(
        AssertSqlSafe(statement.sql),
        arguments(statement.binds)?,
    ))
}

/// The rows of a statement.
pub(super) async fn fetch(
    connection: &mut SqliteConnection,
    statement: Statement,
) -> Result<Vec<SqliteRow>, sqlx::Error> {
    let _running = Running::of(&statement.sql);
    query(statement)?.fetch(connection).try_collect().await
}

/// Runs a statement that gives no rows.
pub(super) async fn execute(
    connection: &mut SqliteConnection,
    statement: Statement,
) -> Result<SqliteQueryResult, sqlx::Error> {
    let _running = Running::of(&statement.sql);
    connection.execute(query(statement)?).await
}

/// The one number that a statement gives.
async fn number(
    connection: &mut SqliteConnection,
    statement: Statement,
) -> Result<u64, sqlx::Error> {
    let rows = fetch(connection, statement).await?;
    Columns::new([]).number(rows.first().ok_or(sqlx::Error::RowNotFound)?, 0)
}
