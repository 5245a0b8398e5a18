//! What an SQLite database holds: its own tables of columns, indexes and keys, read for all
//! tables at once, together with the texts of the `CREATE TABLE`s.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Row};
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::change::DatabaseSummary;
use tidegate_domain::gateway::name::{DatabaseName, HIDDEN_PREFIX};
use tidegate_domain::gateway::schema::{ForeignKey, ReferentialAction, Table};

use super::super::catalog::Discovery;
use super::super::ddl::sqlite::RENEWAL;
use super::super::ddl::sqlite_text;
use super::super::pool::SqliteFiles;
use super::create_text;
use super::describe::{ColumnPart, Notes, Parts, assemble};

/// Discovery in the files of a folder.
pub(crate) struct SqliteDiscovery {
    files: Arc<SqliteFiles>,
}

impl SqliteDiscovery {
    pub(crate) fn new(files: Arc<SqliteFiles>) -> Self {
        Self { files }
    }

    async fn read(
        &self,
        database: &DatabaseName,
        table: Option<&str>,
    ) -> Result<Option<Vec<Table>>, StoreError> {
        let Some(file) = self.files.get(database).await? else {
            return Ok(None);
        };
        let mut lease = file.reader().await?;
        let outcome = discover(&mut lease, database, table).await;
        lease.end(outcome).map(Some)
    }
}

#[async_trait]
impl Discovery for SqliteDiscovery {
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
        let mut summaries = Vec::new();
        for name in self.files.names().await? {
            let Some(file) = self.files.get(&name).await? else {
                continue;
            };
            let mut lease = file.reader().await?;
            let counted = sqlx::query_scalar(
                "SELECT count(*) FROM sqlite_schema WHERE type IN ('table', 'view') \
                 AND name NOT GLOB 'sqlite_*' AND name NOT GLOB '_tidegate*'",
            )
            .fetch_one(&mut *lease)
            .await;
            let tables: i64 = lease.end(counted)?;
            let size_bytes = self.files.size(&name).await?.unwrap_or(0);
            summaries.push(DatabaseSummary {
                name,
                tables: tables.unsigned_abs(),
                size_bytes,
            });
        }
        Ok(summaries)
    }
}

/// The tables and views of a database, or the one of this name (whatever its case).
pub(crate) async fn discover(
    connection: &mut SqliteConnection,
    database: &DatabaseName,
    table: Option<&str>,
) -> Result<Vec<Table>, sqlx::Error> {
    let mut parts: BTreeMap<String, Parts> = BTreeMap::new();
    let only = |column: &str| {
        table.map_or_else(String::new, |name| {
            format!(" AND {column} = {} COLLATE NOCASE", sqlite_text(name))
        })
    };
    // `wr` says that a table has no row ids; hidden and shadow tables are left out.
    let mut sql = format!(
        "SELECT m.name, m.type, m.sql, l.wr FROM sqlite_schema m \
         JOIN pragma_table_list l ON l.schema = 'main' AND l.name = m.name \
         WHERE m.type IN ('table', 'view') AND l.type IN ('table', 'view', 'virtual') \
         AND m.name NOT GLOB 'sqlite_*' AND m.name NOT GLOB '{HIDDEN_PREFIX}*'{}",
        only("m.name")
    );
    for row in query(connection, sql).await? {
        let part = Parts {
            text: create_text::read(&text(&row, 2)?),
            is_view: text(&row, 1)? == "view",
            definition: text(&row, 2)?,
            has_row_ids: number(&row, 3)? == 0,
            ..Parts::default()
        };
        parts.insert(text(&row, 0)?, part);
    }
    let columns = |kind: &str, name: &str| {
        format!(
            "SELECT m.name, x.name, x.type, x.\"notnull\", x.dflt_value, x.pk, x.hidden \
             FROM sqlite_schema m JOIN pragma_table_xinfo(m.name) x WHERE m.type = '{kind}'{name} ORDER BY m.name, x.cid"
        )
    };
    add_columns(
        &mut parts,
        query(connection, columns("table", &only("m.name"))).await?,
    )?;
    // A view over something that is gone fails the statement; then each is asked alone.
    match query(connection, columns("view", &only("m.name"))).await {
        Ok(rows) => add_columns(&mut parts, rows)?,
        Err(sqlx::Error::Database(_)) => {
            let views: Vec<_> = parts
                .iter()
                .filter(|(_, part)| part.is_view)
                .map(|(name, _)| name.clone())
                .collect();
            for view in views {
                let only = format!(" AND m.name = {}", sqlite_text(&view));
                match query(connection, columns("view", &only)).await {
                    Ok(rows) => add_columns(&mut parts, rows)?,
                    Err(sqlx::Error::Database(_)) => drop(parts.remove(&view)),
                    Err(error) => return Err(error),
                }
            }
        }
        Err(error) => return Err(error),
    }
    // The index of a primary key (origin `pk`) is no index of its own. One of some rows only is no
    // key: other rows may be equal in it.
    sql = format!(
        "SELECT m.name, i.name, i.\"unique\" AND NOT i.partial, x.name FROM sqlite_schema m JOIN pragma_index_list(m.name) i \
         JOIN pragma_index_xinfo(i.name) x WHERE m.type = 'table' AND i.origin <> 'pk' AND x.key{} \
         ORDER BY m.name, i.name, x.seqno",
        only("m.name")
    );
    for row in query(connection, sql).await? {
        let Some(part) = parts.get_mut(&text(&row, 0)?) else {
            continue;
        };
        let index = part.indexes.entry(text(&row, 1)?).or_default();
        index.0 = number(&row, 2)? != 0;
        index.1.push(row.try_get_unchecked(3)?);
    }
    sql = format!(
        // Without columns a key refers to the parent's primary key. Names are compared without
        // case, so that a key may spell its parent's differently.
        "SELECT m.name, f.id, coalesce(p.name, f.\"table\"), f.\"from\", coalesce(f.\"to\", \
         (SELECT k.name FROM pragma_table_xinfo(f.\"table\") k WHERE k.pk = f.seq + 1)), f.on_delete, f.on_update \
         FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) f \
         LEFT JOIN sqlite_schema p ON p.type = 'table' AND p.name = f.\"table\" COLLATE NOCASE \
         WHERE m.type = 'table'{} ORDER BY m.name, f.id, f.seq",
        only("m.name")
    );
    add_foreign_keys(&mut parts, query(connection, sql).await?)?;
    sql = format!(
        "SELECT tbl_name, name FROM sqlite_schema WHERE type = 'trigger' AND name GLOB '{RENEWAL}*'{}",
        only("tbl_name")
    );
    for row in query(connection, sql).await? {
        let (table, trigger) = (text(&row, 0)?, text(&row, 1)?);
        let column = trigger
            .strip_prefix(RENEWAL)
            .and_then(|rest| rest.strip_prefix(&format!("{table}.")));
        if let (Some(part), Some(column)) = (parts.get_mut(&table), column) {
            part.renewed.insert(column.to_owned());
        }
    }
    add_row_counts(connection, &mut parts).await?;
    let notes = notes(connection).await?;
    Ok(assemble(database, parts, &notes))
}

fn add_columns(
    parts: &mut BTreeMap<String, Parts>,
    rows: Vec<SqliteRow>,
) -> Result<(), sqlx::Error> {
    for row in rows {
        let Some(part) = parts.get_mut(&text(&row, 0)?) else {
            continue;
        };
        part.columns.push(ColumnPart {
            name: text(&row, 1)?,
            declared: text(&row, 2)?,
            not_null: number(&row, 3)? != 0,
            default: row.try_get_unchecked(4)?,
            key: number(&row, 5)?,
            hidden: number(&row, 6)?,
        });
    }
    Ok(())
}

fn add_foreign_keys(
    parts: &mut BTreeMap<String, Parts>,
    rows: Vec<SqliteRow>,
) -> Result<(), sqlx::Error> {
    for row in rows {
        let (table, references) = (text(&row, 0)?, text(&row, 2)?);
        let place = number(&row, 1)?;
        let action = |text: String| {
            ReferentialAction::from_sql(&text).unwrap_or(ReferentialAction::NoAction)
        };
        let (on_delete, on_update) = (action(text(&row, 5)?), action(text(&row, 6)?));
        let Some(part) = parts.get_mut(&table) else {
            continue;
        };
        let key = part
            .foreign_keys
            .entry(place)
            .or_insert_with(|| ForeignKey {
                name: String::new(),
                columns: Vec::new(),
                references,
                referenced_columns: Vec::new(),
                on_delete,
                on_update,
            });
        key.columns.push(text(&row, 3)?);
        key.referenced_columns.push(text(&row, 4)?);
    }
    for part in parts.values_mut() {
        // SQLite counts them from the last to the first.
        let names = part.text.foreign_keys.iter().rev();
        if names.len() == part.foreign_keys.len() {
            part.foreign_keys
                .values_mut()
                .zip(names)
                .for_each(|(key, name)| key.name.clone_from(name));
        }
    }
    Ok(())
}

/// The counts that `ANALYZE` left behind, where it ever ran.
async fn add_row_counts(
    connection: &mut SqliteConnection,
    parts: &mut BTreeMap<String, Parts>,
) -> Result<(), sqlx::Error> {
    let there = "SELECT name FROM sqlite_schema WHERE name = 'sqlite_stat1'";
    if query(connection, there.to_owned()).await?.is_empty() {
        return Ok(());
    }
    for row in query(
        connection,
        "SELECT tbl, max(CAST(stat AS INTEGER)) FROM sqlite_stat1 GROUP BY tbl".to_owned(),
    )
    .await?
    {
        if let Some(part) = parts.get_mut(&text(&row, 0)?) {
            part.rows = u64::try_from(number(&row, 1)?).ok();
        }
    }
    Ok(())
}

async fn notes(connection: &mut SqliteConnection) -> Result<Notes, sqlx::Error> {
    let mut notes = Notes::new();
    let there = "SELECT count(*) FROM sqlite_schema WHERE name IN ('_tidegate_tables', '_tidegate_columns')";
    let rows = query(connection, there.to_owned()).await?;
    if rows.first().map(|row| number(row, 0)).transpose()? != Some(2) {
        return Ok(notes);
    }
    let sql = "SELECT table_name, column_name, type, comment FROM _tidegate_columns \
               UNION ALL SELECT table_name, NULL, NULL, comment FROM _tidegate_tables";
    for row in query(connection, sql.to_owned()).await? {
        notes.insert(
            (text(&row, 0)?, row.try_get_unchecked(1)?),
            (row.try_get_unchecked(2)?, text(&row, 3)?),
        );
    }
    Ok(notes)
}

async fn query(
    connection: &mut SqliteConnection,
    sql: String,
) -> Result<Vec<SqliteRow>, sqlx::Error> {
    sqlx::query(AssertSqlSafe(sql))
        .persistent(false)
        .fetch_all(connection)
        .await
}

fn text(row: &SqliteRow, at: usize) -> Result<String, sqlx::Error> {
    Ok(row
        .try_get_unchecked::<Option<String>, _>(at)?
        .unwrap_or_default())
}

fn number(row: &SqliteRow, at: usize) -> Result<i64, sqlx::Error> {
    Ok(row
        .try_get_unchecked::<Option<i64>, _>(at)?
        .unwrap_or_default())
}
