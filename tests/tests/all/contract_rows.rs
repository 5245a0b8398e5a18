//! What every row store must do, on every engine: values exact both ways, comparisons by
//! code point, counts and streams of one moment, writes that are whole or nothing.
//!
//! Tables are made with plain SQL and described by hand, so that these tests depend on
//! neither the definitions nor the discovery.

mod filters;
mod once;
mod pages;
mod pools;
mod values;
mod writes;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{AssertSqlSafe, Executor};
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::column_type::{ColumnType, LobSize};
use tidegate_domain::gateway::name::DatabaseName;
use tidegate_domain::gateway::port::{Encoding, RowStore, RowsRead, Written};
use tidegate_domain::gateway::schema::{Column, Table, TableKind};
use tidegate_domain::idempotency::Outcome;
use tidegate_domain::query::ask::{Comparison, Condition, Count, Filter, OrderTerm, Query};
use tidegate_domain::query::plan::Cell;
use tidegate_domain::query::planner::{Limits, Planner};
use tidegate_persistence::gateway::mysql::rows::MySqlRows;
use tidegate_persistence::gateway::pool::{
    MySqlPool, MySqlPoolOptions, SqliteFiles, SqliteFilesOptions,
};
use tidegate_persistence::gateway::sqlite::rows::SqliteRows;

use crate::support::engines::{TestDatabase, TestEngine};

/// A gateway database with its row store.
struct Fixture {
    engine: TestEngine,
    store: Box<dyn RowStore>,
    pool: Option<MySqlPool>,
    files: Option<Arc<SqliteFiles>>,
    database: DatabaseName,
    _room: TestDatabase,
}

async fn open(engine: TestEngine) -> Fixture {
    open_with(engine, 4).await
}

/// A database and a store that has so many connections to it.
async fn open_with(engine: TestEngine, connections: usize) -> Fixture {
    let room = engine.create_database().await;
    let database = DatabaseName::new(&room.gateway_name("rows"), "tidegate").unwrap();
    let acquire_timeout = Duration::from_secs(5);
    if engine == TestEngine::Sqlite {
        let directory = room.data_dir().join("databases");
        let files = Arc::new(SqliteFiles::new(SqliteFilesOptions {
            directory,
            own_name: "tidegate".to_owned(),
            readers: connections,
            acquire_timeout,
            statement_timeout: None,
        }));
        files.create(&database).await.unwrap();
        let store = Box::new(SqliteRows::new(Arc::clone(&files)));
        return Fixture {
            engine,
            store,
            pool: None,
            files: Some(files),
            database,
            _room: room,
        };
    }
    let connect: MySqlConnectOptions = engine.server_url().unwrap().parse().unwrap();
    let pool = MySqlPool::new(MySqlPoolOptions {
        connect,
        max_connections: connections,
        acquire_timeout,
        statement_timeout: None,
    });
    let store = Box::new(MySqlRows::new(pool.clone(), database.as_str()));
    let fixture = Fixture {
        engine,
        store,
        pool: Some(pool),
        files: None,
        database,
        _room: room,
    };
    fixture
        .sql(&format!(
            "CREATE DATABASE `{}` CHARACTER SET utf8mb4",
            fixture.database
        ))
        .await;
    fixture
}

impl Fixture {
    /// Runs plain SQL, in which `$` stands for the database and a point.
    async fn sql(&self, sql: &str) {
        if let Some(pool) = &self.pool {
            let sql = sql.replace('$', &format!("`{}`.", self.database));
            let mut lease = pool.get().await.unwrap();
            let outcome = lease.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await;
            lease.end(outcome).unwrap();
        } else if let Some(files) = &self.files {
            let database = files.get(&self.database).await.unwrap().unwrap();
            let mut lease = database.writer().await.unwrap();
            let outcome = lease
                .execute(sqlx::raw_sql(AssertSqlSafe(sql.replace('$', ""))))
                .await;
            lease.end(outcome).unwrap();
        }
    }

    /// The SQL for this engine: SQLite's, or that of both servers.
    fn dialect<'s>(&self, sqlite: &'s str, servers: &'s str) -> &'s str {
        if self.engine.is_server() {
            servers
        } else {
            sqlite
        }
    }

    /// A collation of the servers that takes letters of different case for the same.
    fn ignoring_collation(&self) -> Option<String> {
        match self.engine {
            TestEngine::Sqlite => None,
            TestEngine::MySql => Some("utf8mb4_0900_ai_ci".to_owned()),
            TestEngine::MariaDb => Some("utf8mb4_general_ci".to_owned()),
        }
    }

    fn table(&self, name: &str, columns: Vec<Column>, key: &[&str]) -> Arc<Table> {
        Arc::new(Table {
            database: self.database.clone(),
            name: name.to_owned(),
            kind: TableKind::Table,
            writable: true,
            columns,
            primary_key: key.iter().map(|it| (*it).to_owned()).collect(),
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            comment: String::new(),
            row_estimate: None,
        })
    }

    /// What a query gives, as JSON text.
    async fn read(&self, table: &Arc<Table>, query: &Query) -> String {
        text(self.rows(table, query, Encoding::Json).await).await.2
    }

    async fn rows(&self, table: &Arc<Table>, query: &Query, encoding: Encoding) -> RowsRead {
        let plan = planner().read(None, table, query).unwrap();
        self.store.read(&plan, encoding).await.unwrap()
    }

    /// Inserts rows given as a JSON array of objects with the same members.
    async fn insert(&self, table: &Arc<Table>, json: &str) -> Result<Written, StoreError> {
        self.insert_shown(table, json, None).await
    }

    async fn insert_shown(
        &self,
        table: &Arc<Table>,
        json: &str,
        shown: Option<&Query>,
    ) -> Result<Written, StoreError> {
        let rows: Vec<serde_json::Map<String, serde_json::Value>> =
            serde_json::from_str(json).unwrap();
        let columns: Vec<String> = rows
            .first()
            .map_or_else(Vec::new, |row| row.keys().cloned().collect());
        let plan = planner().insert(None, table, &columns, shown).unwrap();
        let rows = rows
            .iter()
            .map(|row| plan.row_from_json(row).unwrap())
            .collect();
        self.store
            .insert(
                &plan,
                stream::iter([Ok(rows)]).boxed(),
                Encoding::Json,
                None,
            )
            .await
            .map(done)
    }

    /// Inserts rows of cells.
    async fn insert_cells(
        &self,
        table: &Arc<Table>,
        columns: &[&str],
        rows: Vec<Vec<Cell>>,
        shown: Option<&Query>,
    ) -> Result<Written, StoreError> {
        let columns: Vec<String> = columns.iter().map(|it| (*it).to_owned()).collect();
        let plan = planner().insert(None, table, &columns, shown).unwrap();
        self.store
            .insert(
                &plan,
                stream::iter([Ok(rows)]).boxed(),
                Encoding::Json,
                None,
            )
            .await
            .map(done)
    }
}

/// What a write came to that was carried out.
fn done<T: Debug>(outcome: Outcome<T>) -> T {
    match outcome {
        Outcome::Done(done) => done,
        other => panic!("{other:?}"),
    }
}

fn planner() -> Planner {
    Planner::new(Limits {
        full_table_writes: true,
        ..Limits::default()
    })
}

/// Rows returned, total, and the document.
async fn text(read: RowsRead) -> (u64, Option<u64>, String) {
    let pieces: Vec<_> = read.body.try_collect().await.unwrap();
    (
        read.returned,
        read.total,
        String::from_utf8(pieces.concat()).unwrap(),
    )
}

fn shown(written: Written) -> (u64, String) {
    (
        written.rows,
        String::from_utf8(written.representation.unwrap().to_vec()).unwrap(),
    )
}

fn column(name: &str, column_type: ColumnType) -> Column {
    Column {
        name: name.to_owned(),
        column_type,
        nullable: true,
        default: None,
        base: None,
        auto_increment: false,
        generated: None,
        comment: String::new(),
        collation: None,
    }
}

fn key(name: &str) -> Column {
    Column {
        nullable: false,
        ..column(name, int())
    }
}

/// A key that the engine numbers.
fn numbered(name: &str) -> Column {
    Column {
        auto_increment: true,
        ..key(name)
    }
}

fn int() -> ColumnType {
    ColumnType::Integer {
        bytes: 4,
        unsigned: false,
    }
}

fn long_text() -> ColumnType {
    ColumnType::Text(LobSize::Normal)
}

fn filter(column: &str, condition: Condition) -> Filter {
    Filter {
        operand: column.into(),
        negated: false,
        condition,
    }
}

fn not(filter: Filter) -> Filter {
    Filter {
        negated: true,
        ..filter
    }
}

fn compare(column: &str, comparison: Comparison, value: &str) -> Filter {
    filter(column, Condition::Compare(comparison, value.to_owned()))
}

fn eq(column: &str, value: &str) -> Filter {
    compare(column, Comparison::Eq, value)
}

fn one_of(column: &str, values: &[&str]) -> Filter {
    filter(
        column,
        Condition::In(values.iter().map(|it| (*it).to_owned()).collect()),
    )
}

fn like(column: &str, pattern: &str) -> Filter {
    filter(
        column,
        Condition::Like {
            pattern: pattern.to_owned(),
            ignore_case: false,
        },
    )
}

fn ilike(column: &str, pattern: &str) -> Filter {
    filter(
        column,
        Condition::Like {
            pattern: pattern.to_owned(),
            ignore_case: true,
        },
    )
}

/// The rows that fit all of these.
fn all(filters: Vec<Filter>) -> Query {
    Query {
        filters,
        ..Query::default()
    }
}

fn by(column: &str) -> OrderTerm {
    OrderTerm {
        embed: None,
        operand: column.into(),
        descending: false,
        nulls: None,
    }
}

fn down(column: &str) -> OrderTerm {
    OrderTerm {
        descending: true,
        ..by(column)
    }
}

fn only(columns: &[&str]) -> Query {
    use tidegate_domain::query::ask::{SelectItem, Selected};
    let select = columns
        .iter()
        .map(|name| SelectItem::Column(Selected::column(*name)))
        .collect();
    Query {
        select,
        ..Query::default()
    }
}

fn counted(query: Query) -> Query {
    Query {
        count: Some(Count::Exact),
        ..query
    }
}
