//! Routines of MySQL and MariaDB: what the information schema tells of them, and calls.
//!
//! A call is one prepared statement with a placeholder for each parameter. Parameters that go
//! out come back as one more result, the last, with their own types.
//!
//! What a routine leaves behind in its session (temporary tables, locks, settings) must not meet
//! whoever gets the connection next. So it is closed after a call, unless the routine's text
//! shows that there cannot be any of that.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{AssertSqlSafe, Column as _, Either, Executor as _, MySql, Row as _, TypeInfo as _};
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::column_type::{ColumnType, LobSize};
use tidegate_domain::gateway::name::{DatabaseName, HIDDEN_PREFIX};
use tidegate_domain::gateway::routine::{
    Call, Called, Parameter, ParameterMode, Returns, Routine, RoutineKind, RoutineStore, Shown,
};
use tidegate_domain::gateway::schema::DatabaseSchema;
use tidegate_domain::gateway::value::Value;

use super::super::ddl::mysql_name;
use super::super::pool::{MySqlLease, MySqlPool};
use super::super::routines::cache::{BELIEVED_FOR, Cache, Known, MISSED_AFTER};
use super::super::routines::result::{LARGEST, ResultSet, Stop, VALUE, row_overhead, show};
use super::super::routines::statements::NamedStatement;
use super::super::routines::tidy::is_tidy;
use super::discover::text;
use super::fields::{Columns, arguments};
use super::text::column_type;
use crate::measure::Running;

/// The session, not only the transaction, reads: a routine may end the one and begin another.
const READ_ONLY: &str = "SET SESSION TRANSACTION READ ONLY; START TRANSACTION";
const READ_WRITE: &str = "START TRANSACTION";
const END_READ_ONLY: &str = "ROLLBACK; SET SESSION TRANSACTION READ WRITE";

/// The routines of a server's databases.
pub struct MySqlRoutines {
    pool: MySqlPool,
    cache: Cache,
    statements: Vec<NamedStatement>,
}

impl MySqlRoutines {
    /// Routines that are reached through this pool, and these statements beside them.
    pub fn new(pool: MySqlPool, statements: Vec<NamedStatement>) -> Self {
        Self {
            pool,
            cache: Cache::default(),
            statements,
        }
    }

    async fn known(&self, schema: &Arc<DatabaseSchema>) -> Result<Arc<Known>, StoreError> {
        let mut again = true;
        let mut found = loop {
            let mut lease = self.pool.get().await?;
            let outcome = discover(&mut lease, &schema.name).await;
            match outcome {
                Err(error) if again && lease.is_stale(&error) => again = false,
                outcome => break lease.end(outcome)?,
            }
        };
        let own = self.statements_of(&schema.name).map(|it| {
            let reads_only = it.reads_only.unwrap_or_else(|| is_select(&it.numbered()));
            (it.routine(reads_only), Some(it.numbered()))
        });
        let own: Vec<_> = own.collect();
        found.retain(|(routine, _)| own.iter().all(|(it, _)| it.name != routine.name));
        found.extend(own);
        let names: HashSet<String> = found.iter().map(|(it, _)| it.name.to_lowercase()).collect();
        let tidy = found
            .iter()
            .filter(|(it, text)| is_tidy(it, text.as_deref(), &names))
            .map(|(it, _)| (it.kind, it.name.clone()))
            .collect();
        let routines = found.into_iter().map(|(it, _)| Arc::new(it)).collect();
        Ok(self.cache.put(schema, routines, tidy))
    }

    fn statements_of(&self, database: &DatabaseName) -> impl Iterator<Item = &NamedStatement> {
        self.statements
            .iter()
            .filter(|it| it.database == database.as_str())
    }

    /// Runs the statement of a call and gives its result, if it has one.
    async fn run(
        &self,
        connection: &mut MySqlConnection,
        call: &Call<'_>,
    ) -> Result<Option<ResultSet<Columns>>, Stop> {
        let routine = call.routine;
        let name = format!(
            "{}.{}",
            mysql_name(call.schema.name.as_str()),
            mysql_name(&routine.name)
        );
        let places = vec!["?"; routine.parameters.len()].join(", ");
        let (sql, values, known) = match routine.kind {
            RoutineKind::Function => {
                let sql = format!("SELECT {name}({places}) AS {VALUE}");
                (sql, call.arguments.to_vec(), None)
            }
            RoutineKind::Procedure => (
                format!("CALL {name}({places})"),
                call.arguments.to_vec(),
                None,
            ),
            RoutineKind::Statement => {
                let statement = self
                    .statements_of(&call.schema.name)
                    .find(|it| it.name == routine.name)
                    .ok_or(sqlx::Error::RowNotFound)?;
                let database = format!("USE {}", mysql_name(call.schema.name.as_str()));
                connection
                    .execute(sqlx::raw_sql(AssertSqlSafe(database)))
                    .await?;
                let (sql, values) = statement.plain(call.arguments);
                (sql, values, Some(&statement.columns))
            }
        };
        let mut sets = fetch(connection, sql, &values).await?;
        if routine.kind == RoutineKind::Procedure {
            // The outcome of the call itself.
            sets.pop();
        }
        let rows = match routine.returns {
            Returns::Parameters => sets.pop(),
            _ => sets.into_iter().next(),
        };
        Ok(rows.map(|rows| result_set(rows, call, known)))
    }
}

#[async_trait]
impl RoutineStore for MySqlRoutines {
    async fn routines(
        &self,
        schema: &Arc<DatabaseSchema>,
    ) -> Result<Arc<[Arc<Routine>]>, StoreError> {
        match self.cache.get(schema, BELIEVED_FOR) {
            Some(known) => Ok(Arc::clone(&known.routines)),
            None => Ok(Arc::clone(&self.known(schema).await?.routines)),
        }
    }

    async fn newer(&self, schema: &Arc<DatabaseSchema>) -> Result<Arc<[Arc<Routine>]>, StoreError> {
        match self.cache.get(schema, MISSED_AFTER) {
            Some(known) => Ok(Arc::clone(&known.routines)),
            None => Ok(Arc::clone(&self.known(schema).await?.routines)),
        }
    }

    async fn call(&self, call: &Call<'_>, shown: &Shown<'_>) -> Result<Called, StoreError> {
        let tidy = self.cache.is_tidy(call.schema, call.routine);
        let begin = if call.read_only {
            READ_ONLY
        } else {
            READ_WRITE
        };
        let mut lease = self.pool.begin(begin).await?;
        let watch = lease.watch();
        let running = Running::new("call");
        let outcome = watch.over(self.run(&mut lease, call)).await;
        drop(running);
        let set = match outcome {
            Ok(set) => set,
            Err(Stop::Engine(error @ sqlx::Error::Database(_))) => {
                undo(lease, call, tidy).await;
                return Err(Stop::Engine(error).into());
            }
            Err(Stop::Engine(error)) => return Err(lease.fail(error)),
            // Dropping the lease closes the connection, on which rows are under way.
            Err(Stop::Large) => return Err(Stop::Large.into()),
        };
        let called = show(set, call, shown, watch.limit()).await;
        if called.is_err() || call.read_only || call.ending.rollback {
            undo(lease, call, tidy).await;
            return called;
        }
        if tidy {
            lease.commit().await?;
        } else {
            let outcome = lease.execute("COMMIT").await;
            // The lease is dropped either way, which closes the connection.
            outcome.map_err(Stop::Engine)?;
        }
        called
    }
}

/// Rolls back and, where nothing can be left in the session, gives the connection back.
async fn undo(mut lease: MySqlLease, call: &Call<'_>, tidy: bool) {
    if !tidy {
        // Closing the connection would do it as well, but a moment later, and the rows would
        // stay locked until then.
        let _ = lease.execute("ROLLBACK").await;
        return;
    }
    if !call.read_only {
        return lease.roll_back().await;
    }
    let outcome = lease.execute(sqlx::raw_sql(END_READ_ONLY)).await;
    if outcome.is_ok() {
        let _ = lease.end(Ok(()));
    }
}

/// All results of a statement; the last of a `CALL` is empty.
async fn fetch(
    connection: &mut MySqlConnection,
    sql: String,
    values: &[Value],
) -> Result<Vec<Vec<MySqlRow>>, Stop> {
    let query = sqlx::query_with(AssertSqlSafe(sql), arguments(values)?);
    let mut stream = connection.fetch_many(query);
    let (mut sets, mut rows, mut size) = (Vec::new(), Vec::new(), 0);
    while let Some(item) = stream.try_next().await? {
        match item {
            Either::Left(_) => sets.push(std::mem::take(&mut rows)),
            Either::Right(row) => {
                size += size_of_row(&row);
                if size > LARGEST {
                    return Err(Stop::Large);
                }
                rows.push(row);
            }
        }
    }
    Ok(sets)
}

fn size_of_row(row: &MySqlRow) -> usize {
    let values = (0..row.len())
        .filter_map(|at| <&[u8] as sqlx::Decode<MySql>>::decode(row.try_get_raw(at).ok()?).ok());
    row_overhead(row.len()) + values.map(<[u8]>::len).sum::<usize>()
}

fn result_set(
    rows: Vec<MySqlRow>,
    call: &Call<'_>,
    known: Option<&BTreeMap<String, ColumnType>>,
) -> ResultSet<Columns> {
    let columns: Vec<(String, ColumnType)> = match (rows.first(), &call.routine.returns) {
        (Some(row), _) => row
            .columns()
            .iter()
            .enumerate()
            .map(|(at, column)| {
                let given = known.and_then(|known| known.get(column.name()));
                let declared = given.or_else(|| declared(call.routine, at));
                let column_type = declared
                    .cloned()
                    .unwrap_or_else(|| told(column, call.schema));
                (column.name().to_owned(), column_type)
            })
            .collect(),
        (None, _) => Vec::new(),
    };
    let columns = match call.routine.returns {
        // The names that the server gives them are of its own making.
        Returns::Parameters => {
            let names = out(call.routine).map(|it| it.name.clone());
            names
                .zip(columns)
                .map(|(name, (_, column_type))| (name, column_type))
                .collect()
        }
        _ => columns,
    };
    ResultSet {
        reader: Columns::new(columns.iter().map(|(_, column_type)| column_type.clone())),
        columns,
        rows,
    }
}

/// The parameters that come back.
fn out(routine: &Routine) -> impl Iterator<Item = &Parameter> {
    routine
        .parameters
        .iter()
        .filter(|it| it.mode != ParameterMode::In)
}

/// The type that the routine's declaration gives a column of its result.
fn declared(routine: &Routine, at: usize) -> Option<&ColumnType> {
    match &routine.returns {
        Returns::Scalar(column_type) => column_type.as_ref().filter(|_| at == 0),
        Returns::Parameters => out(routine).nth(at).map(|it| &it.column_type),
        _ => None,
    }
}

/// The type of a column: that of the table's column from which it comes, or what the protocol
/// tells of it.
fn told(column: &sqlx::mysql::MySqlColumn, schema: &DatabaseSchema) -> ColumnType {
    let origin = column.origin();
    let known = origin.table_column().and_then(|origin| {
        let table = origin.table.strip_prefix(schema.name.as_str())?;
        let table = schema.table(table.strip_prefix('.')?)?;
        let at = table.column_index(&origin.name)?;
        table.columns.get(at)
    });
    if let Some(known) = known {
        return known.column_type.clone();
    }
    let info = column.type_info();
    let integer = |bytes, unsigned| ColumnType::Integer { bytes, unsigned };
    match info.name() {
        "BOOLEAN" => ColumnType::Boolean,
        "TINYINT" => integer(1, false),
        "SMALLINT" => integer(2, false),
        "MEDIUMINT" => integer(3, false),
        "INT" => integer(4, false),
        "BIGINT" => integer(8, false),
        "TINYINT UNSIGNED" => integer(1, true),
        "SMALLINT UNSIGNED" => integer(2, true),
        "MEDIUMINT UNSIGNED" => integer(3, true),
        "INT UNSIGNED" => integer(4, true),
        "BIGINT UNSIGNED" => integer(8, true),
        "YEAR" => ColumnType::Year,
        "FLOAT" => ColumnType::Float { unsigned: false },
        "DOUBLE" => ColumnType::Double { unsigned: false },
        "DECIMAL" => ColumnType::Decimal {
            precision: 65,
            scale: 30,
            unsigned: false,
        },
        "DATE" => ColumnType::Date,
        "TIME" => ColumnType::Time(6),
        "DATETIME" => ColumnType::DateTime(6),
        "TIMESTAMP" => ColumnType::Timestamp(6),
        "JSON" => ColumnType::Json,
        "BIT" => ColumnType::Bit(64),
        "GEOMETRY" => ColumnType::Blob(LobSize::Long),
        // Texts whose collation is binary have the names of bytes; their character set tells.
        _ if <str as sqlx::Type<MySql>>::compatible(info) => ColumnType::Text(LobSize::Long),
        "NULL" => ColumnType::Text(LobSize::Long),
        _ => ColumnType::Blob(LobSize::Long),
    }
}

/// The routines of a database, with their texts where these may be seen.
async fn discover(
    connection: &mut MySqlConnection,
    database: &DatabaseName,
) -> Result<Vec<(Routine, Option<String>)>, sqlx::Error> {
    let sql = "SELECT ROUTINE_NAME, ROUTINE_TYPE, SQL_DATA_ACCESS, ROUTINE_COMMENT, ROUTINE_DEFINITION \
               FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ? \
               AND ROUTINE_TYPE IN ('FUNCTION', 'PROCEDURE')";
    let rows = sqlx::query(sql)
        .bind(database.as_str())
        .fetch_all(&mut *connection)
        .await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut parameters = parameters(connection, database).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let (name, kind) = (text(&row, 0)?, text(&row, 1)?);
        if name.starts_with(HIDDEN_PREFIX) {
            continue;
        }
        let taken = parameters
            .remove(&(kind.clone(), name.clone()))
            .unwrap_or_default();
        let definition: Option<String> = row.try_get_unchecked(4)?;
        let (kind, returns) = if kind == "FUNCTION" {
            (RoutineKind::Function, Returns::Scalar(taken.returned))
        } else if taken
            .parameters
            .iter()
            .any(|it| it.mode != ParameterMode::In)
        {
            (RoutineKind::Procedure, Returns::Parameters)
        } else {
            (RoutineKind::Procedure, Returns::Rows)
        };
        let routine = Routine {
            name,
            kind,
            parameters: taken.parameters,
            returns,
            reads_only: matches!(text(&row, 2)?.as_str(), "NO SQL" | "READS SQL DATA"),
            comment: text(&row, 3)?,
        };
        found.push((routine, definition));
    }
    Ok(found)
}

/// What a routine takes, and what a function returns.
#[derive(Default)]
struct Taken {
    parameters: Vec<Parameter>,
    returned: Option<ColumnType>,
}

async fn parameters(
    connection: &mut MySqlConnection,
    database: &DatabaseName,
) -> Result<HashMap<(String, String), Taken>, sqlx::Error> {
    let sql = "SELECT ROUTINE_TYPE, SPECIFIC_NAME, PARAMETER_MODE, PARAMETER_NAME, DTD_IDENTIFIER, COLLATION_NAME \
               FROM information_schema.PARAMETERS WHERE SPECIFIC_SCHEMA = ? \
               ORDER BY SPECIFIC_NAME, ROUTINE_TYPE, ORDINAL_POSITION";
    let rows = sqlx::query(sql)
        .bind(database.as_str())
        .fetch_all(connection)
        .await?;
    let mut all: HashMap<(String, String), Taken> = HashMap::new();
    for row in rows {
        let taken = all.entry((text(&row, 0)?, text(&row, 1)?)).or_default();
        let collation: Option<String> = row.try_get_unchecked(5)?;
        let column_type = column_type(&text(&row, 4)?, collation.as_deref());
        let mode: Option<String> = row.try_get_unchecked(2)?;
        let mode = match mode.as_deref() {
            Some("IN") => ParameterMode::In,
            Some("OUT") => ParameterMode::Out,
            Some("INOUT") => ParameterMode::InOut,
            // What a function returns has neither mode nor name.
            _ => {
                taken.returned = Some(column_type);
                continue;
            }
        };
        taken.parameters.push(Parameter {
            name: text(&row, 3)?,
            column_type,
            mode,
        });
    }
    Ok(all)
}

/// Whether a statement is a plain question.
fn is_select(sql: &str) -> bool {
    let word = sql.split(|c: char| !c.is_alphabetic()).next();
    word.is_some_and(|word| word.eq_ignore_ascii_case("select"))
        && !sql.to_lowercase().contains("for update")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_question_is_a_select() {
        assert!(is_select("SELECT 1") && is_select("select\n1"));
        assert!(!is_select("SELECT a FROM t FOR UPDATE") && !is_select("UPDATE t SET a = 1"));
    }
}
