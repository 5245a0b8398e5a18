//! Definitions as MySQL and MariaDB write them.

use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::change::TableChange;
use tidegate_domain::gateway::column_type::{ColumnType, TypeClass};
use tidegate_domain::gateway::schema::{Column, DefaultValue, ForeignKey, Index, Table, TableKind};

use super::super::literal::{literal_bits, literal_bytes};
use super::model::Change;
use super::{hex, mysql_name as name, mysql_text, name_list};
use crate::engine::Engine;

/// What a printer has to know of the server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dialect {
    /// MySQL or MariaDB.
    pub(crate) engine: Engine,
    /// Whether a `timestamp` without default has none. Where not (MariaDB before 10.10) the
    /// server makes one up, which a second statement takes away again.
    pub(crate) explicit_timestamps: bool,
}

impl Dialect {
    /// `CREATE DATABASE`. Texts compare by code point, without padding, unless a table says
    /// otherwise.
    pub(crate) fn create_database(self, database: &str) -> String {
        format!(
            "CREATE DATABASE {} CHARACTER SET utf8mb4 COLLATE {}",
            name(database),
            self.engine.binary_collation()
        )
    }

    /// The statements that make a table: one, and one more for timestamps where needed.
    pub(crate) fn create_table(self, table: &Table) -> Result<Vec<String>, StoreError> {
        let mut items = Vec::new();
        for column in &table.columns {
            items.push(self.column(column, None)?);
        }
        if !table.primary_key.is_empty() {
            items.push(format!(
                "PRIMARY KEY ({})",
                name_list(&table.primary_key, name)
            ));
        }
        items.extend(table.indexes.iter().map(index));
        items.extend(table.foreign_keys.iter().map(|key| foreign_key(table, key)));
        let comment = match table.comment.as_str() {
            "" => String::new(),
            comment => format!(" COMMENT={}", kept_text(comment, "comments")?),
        };
        let mut statements = vec![format!(
            "CREATE TABLE {} ({}) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {}{comment}",
            qualified(table),
            items.join(", "),
            self.engine.binary_collation(),
        )];
        statements.extend(self.drop_made_up_defaults(table, &table.columns));
        Ok(statements)
    }

    /// The statements of a change: what one `ALTER TABLE` can hold, then the rest. The new
    /// name comes alone and last: together with it MariaDB loses foreign keys.
    pub(crate) fn alter_table(
        self,
        current: &Table,
        change: &TableChange,
        outcome: &Change,
    ) -> Result<Vec<String>, StoreError> {
        let after = &outcome.after;
        let table_default = Some(self.engine.binary_collation());
        let defined = |column: &str| -> Result<String, StoreError> {
            let at = after
                .column_index(column)
                .ok_or(StoreError::Missing { kind: "column" })?;
            self.column(&after.columns[at], table_default)
        };
        let mut steps = Vec::new();
        steps.extend(
            change
                .drop_foreign_keys
                .iter()
                .map(|key| format!("DROP FOREIGN KEY {}", name(key))),
        );
        steps.extend(
            change
                .drop_indexes
                .iter()
                .map(|index| format!("DROP INDEX {}", name(index))),
        );
        steps.extend(
            change
                .drop_columns
                .iter()
                .map(|column| format!("DROP COLUMN {}", name(column))),
        );
        let altered = |column: &str| {
            change
                .alter_columns
                .iter()
                .find(|draft| draft.name.as_str() == column)
        };
        for (from, to) in &change.rename_columns {
            // A column that is renamed and defined anew must be both in one clause.
            steps.push(match altered(to.as_str()) {
                Some(_) => format!("CHANGE COLUMN {} {}", name(from), defined(to.as_str())?),
                None => format!("RENAME COLUMN {} TO {}", name(from), name(to.as_str())),
            });
        }
        for draft in &change.alter_columns {
            if !change
                .rename_columns
                .iter()
                .any(|(_, to)| *to == draft.name)
            {
                steps.push(format!("MODIFY COLUMN {}", defined(draft.name.as_str())?));
            }
        }
        for draft in &change.add_columns {
            steps.push(format!("ADD COLUMN {}", defined(draft.name.as_str())?));
        }
        steps.extend(
            outcome
                .added_indexes
                .iter()
                .map(|added| format!("ADD {}", index(added))),
        );
        let before = Table {
            name: current.name.clone(),
            ..after.clone()
        };
        // A name given up by a foreign key is free only after the statement.
        let reused = |key: &&ForeignKey| change.drop_foreign_keys.contains(&key.name);
        let add = |key: &ForeignKey| {
            format!(
                "ADD {}",
                foreign_key(&before, &referring_to(key, current, after))
            )
        };
        steps.extend(
            outcome
                .added_foreign_keys
                .iter()
                .filter(|key| !reused(key))
                .map(add),
        );
        let later: Vec<_> = outcome
            .added_foreign_keys
            .iter()
            .filter(reused)
            .map(add)
            .collect();

        let head = format!("ALTER TABLE {}", qualified(current));
        let mut statements = Vec::new();
        statements.extend((!steps.is_empty()).then(|| format!("{head} {}", steps.join(", "))));
        statements.extend((!later.is_empty()).then(|| format!("{head} {}", later.join(", "))));
        let defined = |column: &&Column| {
            let drafts = change.alter_columns.iter().chain(&change.add_columns);
            drafts
                .into_iter()
                .any(|draft| draft.name.as_str() == column.name)
        };
        let columns: Vec<Column> = after.columns.iter().filter(defined).cloned().collect();
        statements.extend(self.drop_made_up_defaults(current, &columns));
        statements.extend(
            change
                .rename
                .as_ref()
                .map(|_| format!("{head} RENAME TO {}", qualified(after))),
        );
        Ok(statements)
    }

    /// A column's definition, its name first.
    fn column(self, column: &Column, table_default: Option<&str>) -> Result<String, StoreError> {
        if column.generated.is_some() {
            return Err(StoreError::Unsupported(format!(
                "the generated column {} cannot be defined anew",
                column.name
            )));
        }
        let mut sql = format!("{} {}", name(&column.name), type_sql(&column.column_type)?);
        if column.column_type.class() == TypeClass::Text
            && column.column_type != ColumnType::Uuid
            && let Some(collation) = column.collation.as_deref().or(table_default)
        {
            sql.push_str(&format!(" COLLATE {}", name(collation)));
        }
        // Written out for both: a timestamp that says neither is not null on some servers.
        sql.push_str(if column.nullable {
            " NULL"
        } else {
            " NOT NULL"
        });
        match &column.default {
            None | Some(DefaultValue::Null) if self.gets_default(column) => {
                sql.push_str(" DEFAULT '2000-01-01 00:00:00'")
            }
            None | Some(DefaultValue::Null) => {}
            Some(default) => sql.push_str(&self.default(column, default)?),
        }
        if column.auto_increment {
            sql.push_str(" AUTO_INCREMENT");
        }
        if !column.comment.is_empty() {
            sql.push_str(&format!(
                " COMMENT {}",
                kept_text(&column.comment, "comments")?
            ));
        }
        Ok(sql)
    }

    fn default(self, column: &Column, default: &DefaultValue) -> Result<String, StoreError> {
        let column_type = &column.column_type;
        Ok(match default {
            DefaultValue::Null => String::new(),
            DefaultValue::CurrentTimestamp { on_update } => {
                let now = match column_type {
                    ColumnType::DateTime(digits) | ColumnType::Timestamp(digits) => {
                        format!("CURRENT_TIMESTAMP({digits})")
                    }
                    _ => "CURRENT_TIMESTAMP".to_owned(),
                };
                if *on_update {
                    format!(" DEFAULT {now} ON UPDATE {now}")
                } else {
                    format!(" DEFAULT {now}")
                }
            }
            DefaultValue::Literal(literal) => match column_type.class() {
                // Given back exactly only where it is no plain literal; MySQL cuts those at a NUL.
                TypeClass::Bytes => match (literal_bytes(literal), self.engine) {
                    (bytes, _) if bytes.is_empty() => " DEFAULT ('')".to_owned(),
                    (bytes, Engine::MariaDb) => format!(" DEFAULT (unhex('{}'))", hex(&bytes)),
                    (bytes, _) => format!(" DEFAULT (0x{})", hex(&bytes)),
                },
                TypeClass::Bits => format!(" DEFAULT b'{:b}'", literal_bits(literal)),
                // The information schema knows no character outside the basic plane; digits it keeps.
                _ if has_wide(literal) => {
                    format!(
                        " DEFAULT (CONVERT(UNHEX('{}') USING utf8mb4))",
                        hex(literal.as_bytes())
                    )
                }
                // MySQL has no plain defaults for these.
                TypeClass::Json => format!(" DEFAULT ({})", mysql_text(literal)),
                _ if matches!(column_type, ColumnType::Text(_)) => {
                    format!(" DEFAULT ({})", mysql_text(literal))
                }
                _ => format!(" DEFAULT {}", mysql_text(literal)),
            },
            DefaultValue::Expression(_) => {
                return Err(StoreError::Unsupported(format!(
                    "the default of {} is an expression of the engine",
                    column.name
                )));
            }
        })
    }

    fn gets_default(self, column: &Column) -> bool {
        !self.explicit_timestamps
            && !column.nullable
            && matches!(column.column_type, ColumnType::Timestamp(_))
    }

    fn drop_made_up_defaults(self, table: &Table, columns: &[Column]) -> Option<String> {
        let steps: Vec<_> = columns
            .iter()
            .filter(|column| column.default.is_none() && self.gets_default(column))
            .map(|column| format!("ALTER COLUMN {} DROP DEFAULT", name(&column.name)))
            .collect();
        (!steps.is_empty())
            .then(|| format!("ALTER TABLE {} {}", qualified(table), steps.join(", ")))
    }
}

/// `DROP TABLE` or `DROP VIEW`.
pub(crate) fn drop_table(table: &Table) -> String {
    let kind = if table.kind == TableKind::View {
        "VIEW"
    } else {
        "TABLE"
    };
    format!("DROP {kind} {}", qualified(table))
}

/// The table's name with its database's.
pub(crate) fn qualified(table: &Table) -> String {
    format!("{}.{}", name(table.database.as_str()), name(&table.name))
}

/// Whether a character lies outside Unicode's basic plane.
fn has_wide(text: &str) -> bool {
    text.chars().any(|character| u32::from(character) > 0xffff)
}

/// A text that becomes part of the definition, where the servers keep only the basic plane
/// and put a question mark for all else.
fn kept_text(text: &str, what: &str) -> Result<String, StoreError> {
    if has_wide(text) {
        return Err(StoreError::Unsupported(format!(
            "MySQL and MariaDB cannot keep characters outside Unicode's basic plane (emoji) in {what}"
        )));
    }
    Ok(mysql_text(text))
}

fn type_sql(column_type: &ColumnType) -> Result<String, StoreError> {
    let members = |members: &[String]| -> Result<String, StoreError> {
        let texts = members
            .iter()
            .map(|member| kept_text(member, "the members of `enum` and `set`"));
        Ok(texts.collect::<Result<Vec<_>, _>>()?.join(","))
    };
    Ok(match column_type {
        ColumnType::Enum(values) => format!("enum({})", members(values)?),
        ColumnType::Set(values) => format!("set({})", members(values)?),
        // This very combination is what a description shows as `uuid`.
        ColumnType::Uuid => "char(36) CHARACTER SET ascii COLLATE ascii_bin".to_owned(),
        ColumnType::Other(other) => {
            return Err(StoreError::Unsupported(format!(
                "columns of type {other} cannot be made"
            )));
        }
        other => other.to_string(),
    })
}

fn index(index: &Index) -> String {
    let kind = if index.unique { "UNIQUE KEY" } else { "KEY" };
    format!(
        "{kind} {} ({})",
        name(&index.name),
        name_list(&index.columns, name)
    )
}

fn foreign_key(table: &Table, key: &ForeignKey) -> String {
    format!(
        "CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {}.{} ({}) ON DELETE {} ON UPDATE {}",
        name(&key.name),
        name_list(&key.columns, name),
        name(table.database.as_str()),
        name(&key.references),
        name_list(&key.referenced_columns, name),
        key.on_delete.sql(),
        key.on_update.sql(),
    )
}

/// The key with the table's present name where it refers to the table itself.
fn referring_to(key: &ForeignKey, current: &Table, after: &Table) -> ForeignKey {
    let references = if key.references == after.name {
        current.name.clone()
    } else {
        key.references.clone()
    };
    ForeignKey {
        references,
        ..key.clone()
    }
}

#[cfg(test)]
mod tests;
