//! What a MySQL or MariaDB database holds, from the information schema: a handful of
//! statements for a whole database, however many tables it has, or for one table.
//!
//! The two servers print the same things differently; [`super::text`] reads both.

use std::collections::{BTreeMap, HashMap, HashSet};

use async_trait::async_trait;
use sqlparser::dialect::MySqlDialect;
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{AssertSqlSafe, Executor, Row};
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::change::DatabaseSummary;
use tidegate_domain::gateway::column_type::{ColumnType, LobSize};
use tidegate_domain::gateway::name::{DatabaseName, HIDDEN_PREFIX};
use tidegate_domain::gateway::schema::{Check, Column, Generated, Table, TableKind};

use super::super::catalog::Discovery;
use super::super::lineage::Lineage;
use super::super::pool::MySqlPool;
use super::text::{self, expression};
use crate::engine::Engine;

/// Discovery on a server.
pub(crate) struct MySqlDiscovery {
    pool: MySqlPool,
    own: String,
}

impl MySqlDiscovery {
    pub(crate) fn new(pool: MySqlPool, own: String) -> Self {
        Self { pool, own }
    }

    async fn read(
        &self,
        database: &DatabaseName,
        table: Option<&str>,
    ) -> Result<Option<Vec<Table>>, StoreError> {
        let mut again = true;
        loop {
            let mut lease = self.pool.get().await?;
            let engine = lease.server().engine;
            let outcome = Reader {
                connection: &mut lease,
                engine,
                database,
                table,
            }
            .read()
            .await;
            match outcome {
                Err(error) if again && lease.is_stale(&error) => again = false,
                outcome => return lease.end(outcome),
            }
        }
    }
}

#[async_trait]
impl Discovery for MySqlDiscovery {
    async fn tables(&self, database: &DatabaseName) -> Result<Option<Vec<Table>>, StoreError> {
        self.read(database, None).await
    }

    async fn table(
        &self,
        database: &DatabaseName,
        table: &str,
    ) -> Result<Option<Table>, StoreError> {
        let tables = self.read(database, Some(table)).await?.unwrap_or_default();
        Ok(tables.into_iter().find(|found| found.name == table))
    }

    async fn databases(&self) -> Result<Vec<DatabaseSummary>, StoreError> {
        let mut lease = self.pool.get().await?;
        let sql = format!(
            "SELECT S.SCHEMA_NAME, COUNT(T.TABLE_NAME), \
             CAST(COALESCE(SUM(COALESCE(T.DATA_LENGTH, 0) + COALESCE(T.INDEX_LENGTH, 0)), 0) AS UNSIGNED) \
             FROM information_schema.SCHEMATA S LEFT JOIN information_schema.TABLES T \
             ON T.TABLE_SCHEMA = S.SCHEMA_NAME AND LEFT(T.TABLE_NAME, {}) <> '{HIDDEN_PREFIX}' \
             GROUP BY S.SCHEMA_NAME",
            HIDDEN_PREFIX.len()
        );
        let outcome = async {
            let rows = sqlx::query(AssertSqlSafe(sql))
                .fetch_all(&mut *lease)
                .await?;
            let mut summaries = Vec::new();
            for row in rows {
                // The servers' own databases and Tidegate's are nobody's business.
                if let Some(name) = DatabaseName::existing(&text(&row, 0)?, &self.own) {
                    let tables = u64::try_from(row.try_get_unchecked::<i64, _>(1)?).unwrap_or(0);
                    summaries.push(DatabaseSummary {
                        name,
                        tables,
                        size_bytes: row.try_get_unchecked(2)?,
                    });
                }
            }
            Ok(summaries)
        }
        .await;
        lease.end(outcome)
    }
}

/// One reading of a database, or of one of its tables.
pub(super) struct Reader<'a> {
    connection: &'a mut MySqlConnection,
    pub(super) engine: Engine,
    pub(super) database: &'a DatabaseName,
    table: Option<&'a str>,
}

impl Reader<'_> {
    async fn read(mut self) -> Result<Option<Vec<Table>>, sqlx::Error> {
        if self.engine == Engine::MySql {
            // MySQL would otherwise give row counts that are up to a day old.
            self.connection
                .execute(sqlx::raw_sql(
                    "SET SESSION information_schema_stats_expiry = 0",
                ))
                .await?;
        }
        // Names may be compared without case; the answer is compared with it.
        let there = "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?";
        let names = sqlx::query(there)
            .bind(self.database.as_str())
            .fetch_all(&mut *self.connection)
            .await?;
        let found = names
            .iter()
            .map(|row| text(row, 0))
            .collect::<Result<Vec<_>, _>>()?;
        if !found.iter().any(|name| name == self.database.as_str()) {
            return Ok(None);
        }
        let (mut tables, views) = self.tables().await?;
        let checks = self.checks().await?;
        self.columns(&mut tables, &checks).await?;
        self.indexes(&mut tables).await?;
        self.foreign_keys(&mut tables).await?;
        for (name, definition) in views {
            if let Some(view) = tables.get_mut(&name) {
                trace(view, &definition);
            }
        }
        for (name, checks) in checks {
            if let Some(table) = tables.get_mut(&name) {
                let is_json = |check: &Check| {
                    self.engine == Engine::MariaDb && json_column(check, table).is_some()
                };
                table.checks = checks.into_iter().filter(|check| !is_json(check)).collect();
            }
        }
        Ok(Some(tables.into_values().collect()))
    }

    /// The rows of `sql`, which has one place for the database and `{only}` where it can be
    /// narrowed to a table, whose name is in `column`.
    pub(super) async fn rows(
        &mut self,
        sql: &str,
        column: &str,
    ) -> Result<Vec<MySqlRow>, sqlx::Error> {
        let only = if self.table.is_some() {
            format!(" AND {column} = ?")
        } else {
            String::new()
        };
        let mut query =
            sqlx::query(AssertSqlSafe(sql.replace("{only}", &only))).bind(self.database.as_str());
        if let Some(table) = self.table {
            query = query.bind(table);
        }
        query.fetch_all(&mut *self.connection).await
    }

    /// The tables and views, and the definitions of the views.
    async fn tables(&mut self) -> Result<(BTreeMap<String, Table>, Definitions), sqlx::Error> {
        // Two questions, not a join: for a join MariaDB opens the views of all databases, those
        // of `sys` among them, which takes 50 times as long (and has brought it down).
        let sql = "SELECT TABLE_NAME, IS_UPDATABLE, VIEW_DEFINITION FROM information_schema.VIEWS \
                   WHERE TABLE_SCHEMA = ?{only}";
        let (mut updatable, mut views) = (HashSet::new(), Vec::new());
        for row in self.rows(sql, "TABLE_NAME").await? {
            let name = text(&row, 0)?;
            if text(&row, 1)? == "YES" {
                updatable.insert(name.clone());
            }
            views.push((name, text(&row, 2)?));
        }
        let sql = "SELECT TABLE_NAME, TABLE_TYPE, TABLE_ROWS, TABLE_COMMENT FROM information_schema.TABLES \
                   WHERE TABLE_SCHEMA = ?{only}";
        let mut tables = BTreeMap::new();
        for row in self.rows(sql, "TABLE_NAME").await? {
            let (name, kind) = (text(&row, 0)?, text(&row, 1)?);
            let kind = match kind.as_str() {
                "VIEW" => TableKind::View,
                // MariaDB also lists sequences here.
                "BASE TABLE" | "SYSTEM VERSIONED" => TableKind::Table,
                _ => continue,
            };
            if name.starts_with(HIDDEN_PREFIX) {
                continue;
            }
            let is_table = kind == TableKind::Table;
            let table = Table {
                database: self.database.clone(),
                kind,
                writable: is_table || updatable.contains(&name),
                columns: Vec::new(),
                primary_key: Vec::new(),
                indexes: Vec::new(),
                foreign_keys: Vec::new(),
                checks: Vec::new(),
                // A view's comment is the word VIEW, or why it is broken.
                comment: if is_table {
                    text(&row, 3)?
                } else {
                    String::new()
                },
                row_estimate: row.try_get_unchecked(2)?,
                name: name.clone(),
            };
            tables.insert(name, table);
        }
        Ok((tables, views))
    }

    async fn columns(
        &mut self,
        tables: &mut BTreeMap<String, Table>,
        checks: &HashMap<String, Vec<Check>>,
    ) -> Result<(), sqlx::Error> {
        let sql = "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT, EXTRA, COLUMN_COMMENT, \
                   COLLATION_NAME, GENERATION_EXPRESSION FROM information_schema.COLUMNS \
                   WHERE TABLE_SCHEMA = ?{only} ORDER BY TABLE_NAME, ORDINAL_POSITION";
        for row in self.rows(sql, "TABLE_NAME").await? {
            let table_name = text(&row, 0)?;
            let Some(table) = tables.get_mut(&table_name) else {
                continue;
            };
            let (name, printed) = (text(&row, 1)?, text(&row, 2)?);
            let collation: Option<String> = row.try_get_unchecked(7)?;
            let mut column_type = text::column_type(&printed, collation.as_deref());
            if self.engine == Engine::MariaDb && column_type == ColumnType::Text(LobSize::Long) {
                let valid =
                    |check: &Check| check.expression.eq_ignore_ascii_case(&json_valid(&name));
                if checks
                    .get(&table_name)
                    .is_some_and(|checks| checks.iter().any(valid))
                {
                    column_type = ColumnType::Json;
                }
            }
            let extra = text(&row, 5)?.to_ascii_lowercase();
            let stored = extra.contains("stored generated") || extra.contains("persistent");
            let generated = (stored || extra.contains("virtual generated"))
                .then(|| text(&row, 8))
                .transpose()?
                .map(|printed| Generated {
                    expression: expression(&printed, self.engine),
                    stored,
                });
            let default: Option<String> = row.try_get_unchecked(4)?;
            let default = default.filter(|_| generated.is_none());
            table.columns.push(Column {
                name,
                nullable: text(&row, 3)? == "YES",
                default: default
                    .and_then(|printed| text::default(&printed, &extra, &column_type, self.engine)),
                base: None,
                auto_increment: extra.contains("auto_increment"),
                generated,
                comment: text(&row, 6)?,
                collation,
                column_type,
            });
        }
        Ok(())
    }
}

/// The texts of views by their names; empty where the account may not see one.
type Definitions = Vec<(String, String)>;

/// Says of a view's columns which columns they show.
fn trace(view: &mut Table, definition: &str) {
    let names: Vec<String> = view.columns.iter().map(|it| it.name.clone()).collect();
    let database = view.database.to_string();
    // The servers name every column with its table.
    if let Some(lineage) = Lineage::read(definition, &MySqlDialect {}, Some(&database)) {
        let bases = lineage.bases(&names, |_| None);
        for (column, base) in view.columns.iter_mut().zip(bases) {
            column.base = base.map(Box::new);
        }
    }
}

/// How MariaDB prints the check that makes a text `json`.
fn json_valid(column: &str) -> String {
    format!("json_valid(`{}`)", column.replace('`', "``"))
}

/// The JSON column whose type a check enforces on MariaDB.
fn json_column<'a>(check: &Check, table: &'a Table) -> Option<&'a Column> {
    table.columns.iter().find(|column| {
        column.column_type == ColumnType::Json
            && check
                .expression
                .eq_ignore_ascii_case(&json_valid(&column.name))
    })
}

/// A text of the information schema; some servers give it as bytes, and absent for empty.
pub(super) fn text(row: &MySqlRow, at: usize) -> Result<String, sqlx::Error> {
    Ok(row
        .try_get_unchecked::<Option<String>, _>(at)?
        .unwrap_or_default())
}
