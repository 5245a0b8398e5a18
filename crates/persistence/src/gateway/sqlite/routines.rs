//! Named statements on SQLite, which has no routines of its own.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Column as _, Executor as _, Row as _, Sqlite};
use sqlx::{TypeInfo as _, ValueRef as _};
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::column_type::ColumnType;
use tidegate_domain::gateway::name::DatabaseName;
use tidegate_domain::gateway::routine::{Call, Called, Routine, RoutineStore, Shown};
use tidegate_domain::gateway::schema::DatabaseSchema;

use super::super::pool::{SqliteDatabase, SqliteFiles, SqliteLease};
use super::super::routines::cache::{BELIEVED_FOR, Cache, MISSED_AFTER};
use super::super::routines::result::{LARGEST, ResultSet, Stop, row_overhead, show};
use super::super::routines::statements::NamedStatement;
use super::fields::{Columns, arguments};
use crate::measure::Running;

/// The named statements on the databases in a folder.
pub struct SqliteRoutines {
    files: Arc<SqliteFiles>,
    cache: Cache,
    statements: Vec<NamedStatement>,
}

impl SqliteRoutines {
    /// These statements on these databases.
    pub fn new(files: Arc<SqliteFiles>, statements: Vec<NamedStatement>) -> Self {
        Self {
            files,
            cache: Cache::default(),
            statements,
        }
    }

    async fn database(&self, name: &DatabaseName) -> Result<Arc<SqliteDatabase>, StoreError> {
        self.files
            .get(name)
            .await?
            .ok_or(StoreError::Missing { kind: "database" })
    }

    fn statements_of(&self, database: &DatabaseName) -> impl Iterator<Item = &NamedStatement> {
        self.statements
            .iter()
            .filter(|it| it.database == database.as_str())
    }

    async fn known(&self, schema: &Arc<DatabaseSchema>) -> Result<Arc<[Arc<Routine>]>, StoreError> {
        let mut routines = Vec::new();
        for statement in self.statements_of(&schema.name) {
            let reads_only = match statement.reads_only {
                Some(reads_only) => reads_only,
                None => {
                    let mut lease = self.database(&schema.name).await?.reader().await?;
                    let outcome = only_reads(&mut lease, &statement.numbered()).await;
                    // One that names a table which is not there yet fails when it is called.
                    lease.end(outcome).unwrap_or(false)
                }
            };
            routines.push(Arc::new(statement.routine(reads_only)));
        }
        let known = self.cache.put(schema, routines, Default::default());
        Ok(Arc::clone(&known.routines))
    }

    async fn run(
        &self,
        connection: &mut SqliteConnection,
        call: &Call<'_>,
    ) -> Result<ResultSet<Columns<SqliteRow>>, Stop> {
        let statement = self
            .statements_of(&call.schema.name)
            .find(|it| it.name == call.routine.name)
            .ok_or(sqlx::Error::RowNotFound)?;
        let values = arguments(call.arguments.iter().cloned())?;
        let query = sqlx::query_with(AssertSqlSafe(statement.numbered()), values);
        let (mut rows, mut size) = (Vec::new(), 0);
        let mut stream = query.fetch(connection);
        while let Some(row) = stream.try_next().await? {
            size += size_of_row(&row);
            if size > LARGEST {
                return Err(Stop::Large);
            }
            rows.push(row);
        }
        drop(stream);
        let columns: Vec<(String, ColumnType)> = rows
            .first()
            .map(SqliteRow::columns)
            .unwrap_or_default()
            .iter()
            .map(|column| {
                let column_type = statement.columns.get(column.name()).cloned();
                let column_type = column_type.unwrap_or_else(|| told(column, call.schema));
                (column.name().to_owned(), column_type)
            })
            .collect();
        Ok(ResultSet {
            reader: Columns::new(columns.iter().map(|(_, column_type)| column_type.clone())),
            columns,
            rows,
        })
    }
}

#[async_trait]
impl RoutineStore for SqliteRoutines {
    async fn routines(
        &self,
        schema: &Arc<DatabaseSchema>,
    ) -> Result<Arc<[Arc<Routine>]>, StoreError> {
        match self.cache.get(schema, BELIEVED_FOR) {
            Some(known) => Ok(Arc::clone(&known.routines)),
            None => self.known(schema).await,
        }
    }

    async fn newer(&self, schema: &Arc<DatabaseSchema>) -> Result<Arc<[Arc<Routine>]>, StoreError> {
        match self.cache.get(schema, MISSED_AFTER) {
            Some(known) => Ok(Arc::clone(&known.routines)),
            None => self.known(schema).await,
        }
    }

    async fn call(&self, call: &Call<'_>, shown: &Shown<'_>) -> Result<Called, StoreError> {
        let database = self.database(&call.schema.name).await?;
        // Readers refuse what writes by themselves.
        let reads = call.read_only || call.routine.reads_only;
        let (mut lease, begin) = if reads {
            (database.reader().await?, "BEGIN")
        } else {
            (database.writer().await?, "BEGIN IMMEDIATE")
        };
        if let Err(error) = lease.execute(begin).await {
            return lease.end(Err(error));
        }
        let watch = lease.watch();
        let running = Running::new("call");
        let outcome = watch.over(self.run(&mut lease, call)).await;
        drop(running);
        let set = match outcome {
            Ok(set) => set,
            Err(Stop::Engine(error)) => return Err(lease.abort(error).await),
            // Dropping the lease closes the connection, and with it the statement.
            Err(Stop::Large) => return Err(Stop::Large.into()),
        };
        let called = show(Some(set), call, shown, watch.limit()).await;
        end(lease, called.is_ok() && !reads && !call.ending.rollback).await?;
        called
    }
}

async fn end(lease: SqliteLease, commit: bool) -> Result<(), StoreError> {
    if commit {
        return lease.commit().await;
    }
    lease.roll_back().await;
    Ok(())
}

/// Whether the engine's own plan for a statement opens no transaction that writes.
async fn only_reads(connection: &mut SqliteConnection, sql: &str) -> Result<bool, sqlx::Error> {
    let explain = AssertSqlSafe(format!("EXPLAIN {sql}"));
    let steps = sqlx::query(explain).fetch_all(connection).await?;
    for step in steps {
        let code = step.try_get_unchecked::<String, _>("opcode")?;
        let writes = match code.as_str() {
            "Transaction" => step.try_get_unchecked::<i64, _>("p2")? != 0,
            "JournalMode" | "Vacuum" | "AutoCommit" => true,
            _ => false,
        };
        if writes {
            return Ok(false);
        }
    }
    Ok(true)
}

fn size_of_row(row: &SqliteRow) -> usize {
    let size = |at: usize| {
        let raw = row.try_get_raw(at).ok()?;
        match raw.type_info().name() {
            "TEXT" | "BLOB" => <&[u8] as sqlx::Decode<Sqlite>>::decode(raw)
                .ok()
                .map(<[u8]>::len),
            _ => Some(8),
        }
    };
    row_overhead(row.len()) + (0..row.len()).filter_map(size).sum::<usize>()
}

/// The type of the table's column from which a column comes; of others nothing is known.
fn told(column: &sqlx::sqlite::SqliteColumn, schema: &DatabaseSchema) -> ColumnType {
    let origin = column.origin();
    let known = origin.table_column().and_then(|origin| {
        let table = schema.table(&origin.table)?;
        let at = table.column_index(&origin.name)?;
        table.columns.get(at)
    });
    match known {
        Some(known) => known.column_type.clone(),
        None => ColumnType::Other(String::new()),
    }
}
