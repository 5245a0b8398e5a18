//! Definitions as SQLite writes them. The text of `CREATE TABLE` is kept by SQLite as it is
//! and changed by `ALTER TABLE` in place, so a table whose kept text is what this printer
//! makes of its description holds nothing that a rebuild could lose.

use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::column_type::ColumnType;
use tidegate_domain::gateway::schema::{Column, DefaultValue, ForeignKey, Index, Table, TableKind};

use super::super::literal::{literal_bits, literal_bytes};
use super::super::sqlite::types::{Storage, TYPE_CHECK, condition, declaration, storage};
use super::{hex, name_list, sqlite_name as name, sqlite_text as text};

/// Where comments, and types of columns that number the rows, are kept.
pub(crate) const NOTES: &str = "CREATE TABLE IF NOT EXISTS \"_tidegate_tables\" (\
     \"table_name\" TEXT NOT NULL PRIMARY KEY, \"comment\" TEXT NOT NULL) WITHOUT ROWID; \
     CREATE TABLE IF NOT EXISTS \"_tidegate_columns\" (\
     \"table_name\" TEXT NOT NULL, \"column_name\" TEXT NOT NULL, \"type\" TEXT, \"comment\" TEXT NOT NULL, \
     PRIMARY KEY (\"table_name\", \"column_name\")) WITHOUT ROWID";

/// What the names of the triggers that renew a time begin with; table and column follow,
/// divided by full stops, which new names cannot hold.
pub(crate) const RENEWAL: &str = "_tidegate_renew.";

/// `CREATE TABLE`, without the indexes.
pub(crate) fn create_table(table: &Table) -> Result<String, StoreError> {
    create_table_as(table, &table.name)
}

/// `CREATE TABLE` under another name; what refers to the table itself keeps its own.
pub(crate) fn create_table_as(table: &Table, table_name: &str) -> Result<String, StoreError> {
    let mut items = Vec::new();
    for column in &table.columns {
        items.push(self::column(column, table)?);
    }
    if !table.primary_key.is_empty() && !table.columns.iter().any(|column| column.auto_increment) {
        items.push(format!(
            "PRIMARY KEY ({})",
            name_list(&table.primary_key, name)
        ));
    }
    // In the order of descriptions, so that a description prints the same text again.
    let mut keys: Vec<_> = table.foreign_keys.iter().collect();
    keys.sort_by(|one, other| one.name.cmp(&other.name));
    items.extend(keys.into_iter().map(foreign_key));
    Ok(format!(
        "CREATE TABLE {} ({})",
        name(table_name),
        items.join(", ")
    ))
}

/// A column's definition, its name first.
pub(crate) fn column(column: &Column, table: &Table) -> Result<String, StoreError> {
    if column.generated.is_some() {
        return Err(StoreError::Unsupported(format!(
            "the generated column {} cannot be defined anew",
            column.name
        )));
    }
    if let ColumnType::Other(other) = &column.column_type {
        return Err(StoreError::Unsupported(format!(
            "columns of type {other} cannot be made"
        )));
    }
    let mut sql = name(&column.name);
    if column.auto_increment {
        if table.primary_key != [column.name.clone()] {
            return Err(StoreError::Unsupported(format!(
                "on SQLite the auto_increment column {} must be the whole primary key",
                column.name
            )));
        }
        if !matches!(column.column_type, ColumnType::Integer { .. }) {
            return Err(StoreError::Unsupported(format!(
                "on SQLite the auto_increment column {} must have an integer type",
                column.name
            )));
        }
        sql.push_str(" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL");
    } else {
        sql.push_str(&format!(" {}", declaration(&column.column_type)));
        if !column.nullable {
            sql.push_str(" NOT NULL");
        }
        if let Some(default) = &column.default {
            sql.push_str(&format!(" DEFAULT {}", self::default(column, default)?));
        }
    }
    let condition = condition(
        &name(&column.name),
        &column.column_type,
        column.auto_increment,
    );
    sql.push_str(&format!(
        " CONSTRAINT {} CHECK ({condition})",
        name(TYPE_CHECK)
    ));
    Ok(sql)
}

fn default(column: &Column, default: &DefaultValue) -> Result<String, StoreError> {
    let literal = match default {
        DefaultValue::Null => return Ok("NULL".to_owned()),
        DefaultValue::CurrentTimestamp { .. } => {
            return Ok(format!("({})", now(&column.column_type)));
        }
        DefaultValue::Expression(_) => {
            return Err(StoreError::Unsupported(format!(
                "the default of {} is an expression of the engine",
                column.name
            )));
        }
        DefaultValue::Literal(literal) => literal,
    };
    // Numbers are numbers without quotes, or they would be compared as texts.
    let is_number = match storage(&column.column_type) {
        Storage::Integer => literal.parse::<i64>().is_ok(),
        Storage::Real => literal.parse::<f64>().is_ok_and(f64::is_finite),
        _ => false,
    };
    Ok(match storage(&column.column_type) {
        _ if is_number => literal.clone(),
        Storage::Blob => format!("x'{}'", hex(&literal_bytes(literal))),
        _ if matches!(column.column_type, ColumnType::Bit(_)) => {
            text(&literal_bits(literal).to_string())
        }
        _ if literal.contains('\0') => format!("({})", text(literal)),
        _ => text(literal),
    })
}

/// The present time, UTC, in the form in which times are stored, with the type's digits of a
/// second. SQLite's clock gives three of them.
pub(crate) fn now(column_type: &ColumnType) -> String {
    let digits = match column_type {
        ColumnType::DateTime(digits) | ColumnType::Timestamp(digits) => *digits,
        _ => 0,
    };
    let precise = "strftime('%Y-%m-%d %H:%M:%f', 'now')";
    match digits {
        0 => "strftime('%Y-%m-%d %H:%M:%S', 'now')".to_owned(),
        1 | 2 => format!("substr({precise}, 1, {})", 20 + digits),
        3 => precise.to_owned(),
        more => format!("{precise} || '{}'", "0".repeat(usize::from(more) - 3)),
    }
}

/// The name under which an index is kept: SQLite's index names are one set for the whole
/// database, so the table's goes before.
pub(crate) fn stored_index_name(table: &str, index: &str) -> String {
    format!("{table}.{index}")
}

/// `CREATE INDEX`.
pub(crate) fn create_index(table: &str, index: &Index) -> String {
    format!(
        "CREATE {}INDEX {} ON {} ({})",
        if index.unique { "UNIQUE " } else { "" },
        name(&stored_index_name(table, &index.name)),
        name(table),
        name_list(&index.columns, name),
    )
}

/// The triggers that do what MySQL's `ON UPDATE CURRENT_TIMESTAMP` does: where an update
/// changes a row but not the column itself, the column gets the present time.
pub(crate) fn create_renewals(table: &Table) -> Vec<String> {
    let renewed = |column: &&Column| {
        column.default == Some(DefaultValue::CurrentTimestamp { on_update: true })
    };
    let trigger = |column: &Column| {
        let same = |column: &Column| format!("OLD.{0} IS NEW.{0}", name(&column.name));
        let others: Vec<_> = table
            .columns
            .iter()
            .filter(|other| other.name != column.name)
            .map(same)
            .collect();
        let changed = if others.is_empty() {
            "0".to_owned()
        } else {
            format!("NOT ({})", others.join(" AND "))
        };
        format!(
            "CREATE TRIGGER {} AFTER UPDATE ON {table} WHEN {} AND {changed} BEGIN \
             UPDATE {table} SET {} = {} WHERE rowid = NEW.rowid; END",
            name(&format!("{RENEWAL}{}.{}", table.name, column.name)),
            same(column),
            name(&column.name),
            now(&column.column_type),
            table = name(&table.name),
        )
    };
    table.columns.iter().filter(renewed).map(trigger).collect()
}

/// `DROP TABLE` or `DROP VIEW`.
pub(crate) fn drop_table(table: &Table) -> String {
    format!(
        "DROP {} {}",
        if table.kind == TableKind::View {
            "VIEW"
        } else {
            "TABLE"
        },
        name(&table.name)
    )
}

fn foreign_key(key: &ForeignKey) -> String {
    format!(
        "CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE {} ON UPDATE {}",
        name(&key.name),
        name_list(&key.columns, name),
        name(&key.references),
        name_list(&key.referenced_columns, name),
        key.on_delete.sql(),
        key.on_update.sql(),
    )
}

#[cfg(test)]
mod tests {
    use tidegate_domain::gateway::change::{ColumnDraft, TableDraft};

    use super::super::model::table;
    use super::super::model::tests::{child, draft, int, shop};
    use super::*;

    fn printed(column_type: ColumnType, default: Option<DefaultValue>) -> String {
        let draft = ColumnDraft {
            default,
            ..draft("c", column_type)
        };
        let draft = TableDraft {
            columns: vec![draft],
            primary_key: vec![],
            indexes: vec![],
            foreign_keys: vec![],
            ..child()
        };
        let table = table(&shop(), &draft);
        column(&table.columns[0], &table).unwrap()
    }

    #[test]
    fn a_table_and_its_indexes() {
        let table = table(&shop(), &child());
        assert_eq!(
            create_table(&table).unwrap(),
            "CREATE TABLE \"child\" (\"id\" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL CONSTRAINT \"_tidegate_type\" \
             CHECK (typeof(\"id\") IN ('integer', 'null') AND \"id\" BETWEEN -2147483648 AND 2147483647), \
             \"parent\" int CONSTRAINT \"_tidegate_type\" CHECK (typeof(\"parent\") IN ('integer', 'null') \
             AND \"parent\" BETWEEN -2147483648 AND 2147483647), \"code\" varchar(10) NOT NULL CONSTRAINT \
             \"_tidegate_type\" CHECK (typeof(\"code\") IN ('text', 'null') AND length(\"code\") <= 10), \
             CONSTRAINT \"child_parent_fkey\" FOREIGN KEY (\"parent\") REFERENCES \"parent\" (\"id\") \
             ON DELETE CASCADE ON UPDATE NO ACTION)"
        );
        assert_eq!(
            create_index(&table.name, &table.indexes[0]),
            "CREATE UNIQUE INDEX \"child.child_code_key\" ON \"child\" (\"code\")"
        );
    }

    #[test]
    fn defaults_have_the_type_of_the_column() {
        let literal = |text: &str| Some(DefaultValue::Literal(text.into()));
        let begins = |sql: String, with: &str| assert!(sql.starts_with(with), "{sql}");
        begins(
            printed(int(), literal("-5")),
            "\"c\" int DEFAULT -5 CONSTRAINT",
        );
        begins(
            printed(int(), literal("5); DROP")),
            "\"c\" int DEFAULT '5); DROP' CONSTRAINT",
        );
        begins(
            printed(ColumnType::Double { unsigned: false }, literal("1.5e3")),
            "\"c\" double DEFAULT 1500 ",
        );
        begins(
            printed(ColumnType::Varchar(9), literal("5")),
            "\"c\" varchar(9) DEFAULT '5' ",
        );
        begins(
            printed(ColumnType::Varbinary(9), literal("\\x00ff")),
            "\"c\" \"varbinary(9) BLOB\" DEFAULT x'00ff' ",
        );
        begins(
            printed(
                ColumnType::DateTime(6),
                Some(DefaultValue::CurrentTimestamp { on_update: false }),
            ),
            "\"c\" \"datetime(6) TEXT\" DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now') || '000') ",
        );
    }

    #[test]
    fn a_numbering_column_must_be_the_whole_key() {
        let draft = TableDraft {
            primary_key: vec!["code".into()],
            ..child()
        };
        assert!(matches!(
            create_table(&table(&shop(), &draft)),
            Err(StoreError::Unsupported(_))
        ));
    }
}
