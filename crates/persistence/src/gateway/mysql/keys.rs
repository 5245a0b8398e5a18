//! Indexes, foreign keys and checks of MySQL and MariaDB.

use std::collections::{BTreeMap, HashMap};

use sqlx::Row;
use tidegate_domain::gateway::schema::{Check, ForeignKey, Index, ReferentialAction, Table};

use super::discover::{Reader, text};
use super::text::expression;
use crate::engine::Engine;

impl Reader<'_> {
    pub(super) async fn indexes(
        &mut self,
        tables: &mut BTreeMap<String, Table>,
    ) -> Result<(), sqlx::Error> {
        let sql = "SELECT TABLE_NAME, INDEX_NAME, NON_UNIQUE, COLUMN_NAME FROM information_schema.STATISTICS \
                   WHERE TABLE_SCHEMA = ?{only} ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX";
        for row in self.rows(sql, "TABLE_NAME").await? {
            let Some(table) = tables.get_mut(&text(&row, 0)?) else {
                continue;
            };
            let (name, column) = (
                text(&row, 1)?,
                row.try_get_unchecked::<Option<String>, _>(3)?,
            );
            if name == "PRIMARY" {
                table.primary_key.extend(column);
                continue;
            }
            let unique = row.try_get_unchecked::<i64, _>(2)? == 0;
            if table.indexes.last().is_none_or(|last| last.name != name) {
                table.indexes.push(Index {
                    name,
                    columns: Vec::new(),
                    unique,
                });
            }
            let Some(index) = table.indexes.last_mut() else {
                continue;
            };
            match column {
                Some(column) => index.columns.push(column),
                // An expression: the whole index then has no columns. They end with it, and
                // are cut below if more follow.
                None => index.columns.push(String::new()),
            }
        }
        for table in tables.values_mut() {
            for index in table
                .indexes
                .iter_mut()
                .filter(|index| index.columns.iter().any(String::is_empty))
            {
                index.columns.clear();
            }
            table
                .indexes
                .sort_by(|one, other| one.name.cmp(&other.name));
        }
        Ok(())
    }

    pub(super) async fn foreign_keys(
        &mut self,
        tables: &mut BTreeMap<String, Table>,
    ) -> Result<(), sqlx::Error> {
        let sql = "SELECT TABLE_NAME, CONSTRAINT_NAME, DELETE_RULE, UPDATE_RULE \
                   FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = ?{only}";
        let mut rules = HashMap::new();
        for row in self.rows(sql, "TABLE_NAME").await? {
            let rule = |text: String| {
                ReferentialAction::from_sql(&text).unwrap_or(ReferentialAction::NoAction)
            };
            rules.insert(
                (text(&row, 0)?, text(&row, 1)?),
                (rule(text(&row, 2)?), rule(text(&row, 3)?)),
            );
        }
        if rules.is_empty() {
            return Ok(());
        }
        let sql = "SELECT TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME, \
                   REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE \
                   WHERE TABLE_SCHEMA = ?{only} AND REFERENCED_TABLE_NAME IS NOT NULL \
                   ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION";
        for row in self.rows(sql, "TABLE_NAME").await? {
            let (table, name) = (text(&row, 0)?, text(&row, 1)?);
            let Some((on_delete, on_update)) = rules.get(&(table.clone(), name.clone())).copied()
            else {
                continue;
            };
            let Some(table) = tables.get_mut(&table) else {
                continue;
            };
            let (schema, parent) = (text(&row, 3)?, text(&row, 4)?);
            // A parent in another database is shown with that one's name.
            let references = if schema == self.database.as_str() {
                parent
            } else {
                format!("{schema}.{parent}")
            };
            if table
                .foreign_keys
                .last()
                .is_none_or(|last| last.name != name)
            {
                let (columns, referenced_columns) = (Vec::new(), Vec::new());
                table.foreign_keys.push(ForeignKey {
                    name,
                    columns,
                    references,
                    referenced_columns,
                    on_delete,
                    on_update,
                });
            }
            if let Some(key) = table.foreign_keys.last_mut() {
                key.columns.push(text(&row, 2)?);
                key.referenced_columns.push(text(&row, 5)?);
            }
        }
        for table in tables.values_mut() {
            table
                .foreign_keys
                .sort_by(|one, other| one.name.cmp(&other.name));
        }
        Ok(())
    }

    pub(super) async fn checks(&mut self) -> Result<HashMap<String, Vec<Check>>, sqlx::Error> {
        // MySQL's names are unique in a database and its conditions do not name the table.
        let sql = match self.engine {
            Engine::MariaDb => {
                "SELECT TABLE_NAME, CONSTRAINT_NAME, CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS \
                 WHERE CONSTRAINT_SCHEMA = ?{only}"
            }
            _ => {
                "SELECT T.TABLE_NAME, C.CONSTRAINT_NAME, C.CHECK_CLAUSE FROM information_schema.TABLE_CONSTRAINTS T \
                 JOIN information_schema.CHECK_CONSTRAINTS C ON C.CONSTRAINT_SCHEMA = T.CONSTRAINT_SCHEMA \
                 AND C.CONSTRAINT_NAME = T.CONSTRAINT_NAME WHERE T.TABLE_SCHEMA = ?{only} AND T.CONSTRAINT_TYPE = 'CHECK'"
            }
        };
        let column = if self.engine == Engine::MariaDb {
            "TABLE_NAME"
        } else {
            "T.TABLE_NAME"
        };
        let mut checks: HashMap<String, Vec<Check>> = HashMap::new();
        for row in self.rows(sql, column).await? {
            let check = Check {
                name: text(&row, 1)?,
                expression: expression(&text(&row, 2)?, self.engine),
            };
            checks.entry(text(&row, 0)?).or_default().push(check);
        }
        checks
            .values_mut()
            .for_each(|checks| checks.sort_by(|one, other| one.name.cmp(&other.name)));
        Ok(checks)
    }
}
