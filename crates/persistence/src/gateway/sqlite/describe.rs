//! SQLite's tables as they are described: what its own tables of columns and keys say, what
//! only the text of the `CREATE TABLE` says, and what is kept beside it, put together.

use std::collections::{BTreeMap, HashMap, HashSet};

use sqlparser::dialect::SQLiteDialect;
use tidegate_domain::gateway::column_type::{ColumnType, TypeClass};
use tidegate_domain::gateway::name::DatabaseName;
use tidegate_domain::gateway::schema::{
    BaseColumn, Check, Column, DefaultValue, ForeignKey, Generated, Index, Table, TableKind,
};

use super::super::ddl::sqlite::now;
use super::super::ddl::unhex;
use super::super::lineage::Lineage;
use super::super::literal::{bits_default, bytes_default, literal_default};
use super::super::type_text::{quoted_text, read_type};
use super::create_text::CreateText;
use super::types::{TYPE_CHECK, logical};

/// Everything SQLite knows of one table, before it is put together.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) text: CreateText,
    pub(super) is_view: bool,
    /// The view's definition.
    pub(super) definition: String,
    pub(super) has_row_ids: bool,
    pub(super) columns: Vec<ColumnPart>,
    pub(super) indexes: BTreeMap<String, (bool, Vec<Option<String>>)>,
    pub(super) foreign_keys: BTreeMap<i64, ForeignKey>,
    pub(super) renewed: HashSet<String>,
    pub(super) rows: Option<u64>,
}

pub(super) struct ColumnPart {
    pub(super) name: String,
    pub(super) declared: String,
    pub(super) not_null: bool,
    pub(super) default: Option<String>,
    pub(super) key: i64,
    pub(super) hidden: i64,
}

/// What is kept of tables and columns beside their definitions: type and comment by table
/// and column; a table's own comment stands under no column.
pub(super) type Notes = HashMap<(String, Option<String>), (Option<String>, String)>;

/// The tables, put together.
pub(super) fn assemble(
    database: &DatabaseName,
    parts: BTreeMap<String, Parts>,
    notes: &Notes,
) -> Vec<Table> {
    let bases = trace(&parts);
    let mut tables: Vec<Table> = parts
        .into_iter()
        .map(|(name, part)| {
            let note = |column: Option<&str>| notes.get(&(name.clone(), column.map(str::to_owned)));
            let comment = |column| {
                note(column)
                    .map(|(_, comment)| comment.clone())
                    .unwrap_or_default()
            };
            let primary_key = primary_key(&part.columns);
            // Such a column is the row's number itself, whatever else was declared.
            let numbered = |column: &ColumnPart| {
                part.has_row_ids
                    && primary_key.len() == 1
                    && column.key > 0
                    && column.declared.eq_ignore_ascii_case("integer")
            };
            let columns = part
                .columns
                .iter()
                // 1 is a hidden column of a virtual table.
                .filter(|column| column.hidden != 1)
                .map(|column| {
                    let kept = note(Some(&column.name)).and_then(|(text, _)| text.clone());
                    self::column(
                        column,
                        &part,
                        numbered(column),
                        kept.as_deref(),
                        comment(Some(&column.name)),
                    )
                })
                .collect();
            let mut indexes: Vec<Index> = part
                .indexes
                .into_iter()
                .map(|(stored, index)| self::index(&name, stored, index))
                .collect();
            indexes.sort_by(|one, other| one.name.cmp(&other.name));
            let mut foreign_keys: Vec<ForeignKey> = part.foreign_keys.into_values().rev().collect();
            foreign_keys.sort_by(|one, other| one.name.cmp(&other.name));
            Table {
                database: database.clone(),
                kind: if part.is_view {
                    TableKind::View
                } else {
                    TableKind::Table
                },
                writable: !part.is_view,
                columns,
                primary_key,
                indexes,
                foreign_keys,
                checks: part
                    .text
                    .checks
                    .into_iter()
                    .map(|(_, check)| check)
                    .filter(|check| check.name != TYPE_CHECK)
                    .collect(),
                comment: comment(None),
                row_estimate: part.rows,
                name,
            }
        })
        .collect();
    for table in &mut tables {
        let bases = bases.get(&table.name).into_iter().flatten();
        for (column, base) in table.columns.iter_mut().zip(bases) {
            column.base = base.clone().map(Box::new);
        }
    }
    tables
}

/// Which columns those of the views show.
fn trace(parts: &BTreeMap<String, Parts>) -> HashMap<String, Vec<Option<BaseColumn>>> {
    let names = |part: &Parts| -> Vec<String> {
        let shown = part.columns.iter().filter(|column| column.hidden != 1);
        shown.map(|column| column.name.clone()).collect()
    };
    let known = |table: &str| {
        let found = parts.get_key_value(table);
        let (name, part) = found.or_else(|| {
            let mut others = parts.iter();
            others.find(|(name, _)| name.eq_ignore_ascii_case(table))
        })?;
        Some((name.clone(), names(part)))
    };
    let views = parts.iter().filter(|(_, part)| part.is_view);
    views
        .filter_map(|(name, part)| {
            let lineage = Lineage::read(&part.definition, &SQLiteDialect {}, None)?;
            Some((name.clone(), lineage.bases(&names(part), known)))
        })
        .collect()
}

fn primary_key(columns: &[ColumnPart]) -> Vec<String> {
    let mut key: Vec<_> = columns.iter().filter(|column| column.key > 0).collect();
    key.sort_by_key(|column| column.key);
    key.into_iter().map(|column| column.name.clone()).collect()
}

fn column(
    column: &ColumnPart,
    part: &Parts,
    numbered: bool,
    kept: Option<&str>,
    comment: String,
) -> Column {
    let enforced = |(at, check): &(Option<String>, Check)| {
        check.name == TYPE_CHECK
            && at
                .as_ref()
                .is_some_and(|at| at.eq_ignore_ascii_case(&column.name))
    };
    let enforced = part.text.checks.iter().any(enforced);
    let column_type = match kept.and_then(|text| read_type(text, false)) {
        Some(column_type) if numbered => column_type,
        _ => logical(&column.declared, enforced),
    };
    // 2 is computed on reading, 3 stored.
    let generated = matches!(column.hidden, 2 | 3).then(|| Generated {
        expression: part
            .text
            .generated
            .iter()
            .find(|(name, _)| *name == column.name)
            .map(|(_, it)| it.clone())
            .unwrap_or_default(),
        stored: column.hidden == 3,
    });
    let default = column
        .default
        .as_deref()
        .and_then(|text| default(text, &column_type, part.renewed.contains(&column.name)));
    Column {
        name: column.name.clone(),
        nullable: !column.not_null && !numbered,
        default: default.filter(|_| generated.is_none()),
        base: None,
        auto_increment: numbered,
        generated,
        comment,
        collation: None,
        column_type,
    }
}

fn default(sql: &str, column_type: &ColumnType, renewed: bool) -> Option<DefaultValue> {
    let sql = sql.trim();
    let is_time = column_type.class() == TypeClass::Temporal;
    if sql.eq_ignore_ascii_case("null") {
        return None;
    }
    if is_time && (sql == now(column_type) || sql.eq_ignore_ascii_case("current_timestamp")) {
        return Some(DefaultValue::CurrentTimestamp { on_update: renewed });
    }
    if let Some((text, "")) = quoted_text(sql, false) {
        // Bits are kept as a whole number's digits.
        let bits = text
            .parse()
            .ok()
            .filter(|_| column_type.class() == TypeClass::Bits);
        return Some(bits.map_or_else(
            || literal_default(column_type, &text),
            |bits| bits_default(column_type, bits),
        ));
    }
    let digits = sql
        .strip_prefix(['x', 'X'])
        .and_then(|rest| quoted_text(rest, false));
    if let Some(bytes) = digits
        .filter(|(_, rest)| rest.is_empty())
        .and_then(|(digits, _)| unhex(&digits))
    {
        return Some(bytes_default(&bytes));
    }
    let number = sql.strip_prefix('+').unwrap_or(sql);
    if number.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '.'))
        && number.parse::<f64>().is_ok()
    {
        return Some(literal_default(column_type, number));
    }
    if column_type.class() == TypeClass::Boolean
        && (sql.eq_ignore_ascii_case("true") || sql.eq_ignore_ascii_case("false"))
    {
        return Some(literal_default(
            column_type,
            if sql.eq_ignore_ascii_case("true") {
                "1"
            } else {
                "0"
            },
        ));
    }
    Some(DefaultValue::Expression(sql.to_owned()))
}

fn index(table: &str, stored: String, (unique, columns): (bool, Vec<Option<String>>)) -> Index {
    let name = stored
        .strip_prefix(&format!("{table}."))
        .map(str::to_owned)
        .unwrap_or(stored);
    // An index over an expression has no column at its place.
    Index {
        name,
        columns: columns
            .into_iter()
            .collect::<Option<_>>()
            .unwrap_or_default(),
        unique,
    }
}
