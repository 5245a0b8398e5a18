//! The clauses that statements are made of, in any of the dialects.

use std::sync::Arc;

use tidegate_domain::gateway::schema::{Column, Table};
use tidegate_domain::gateway::value::Value;
use tidegate_domain::query::ask::JoinKind;
use tidegate_domain::query::plan::{
    ColumnRef, Join, OrderColumn, Predicate, Scalar, ScalarKind, Select, Test,
};

use super::{Lock, Statement, json, mysql, scalar, search, sqlite};
use crate::engine::Engine;

/// How many parts of a junction are written one after the other.
const FLAT: usize = 4;

/// Writes one statement.
pub(super) struct Printer<'a> {
    pub(super) engine: Engine,
    tables: Vec<&'a Table>,
    // With one table the names of columns stand alone; with more of them each table is called
    // `t` and its place.
    aliased: bool,
    // Whether the condition of a join is being written.
    in_join: bool,
    pub(super) sql: String,
    binds: Vec<Value>,
}

impl<'a> Printer<'a> {
    /// A statement of one table.
    pub(super) fn new(engine: Engine, table: &'a Table) -> Self {
        Self::of(engine, vec![table])
    }

    /// A statement of these tables.
    pub(super) fn of_tables(engine: Engine, tables: &'a [Arc<Table>]) -> Self {
        Self::of(engine, tables.iter().map(AsRef::as_ref).collect())
    }

    fn of(engine: Engine, tables: Vec<&'a Table>) -> Self {
        Self {
            engine,
            aliased: tables.len() > 1,
            in_join: false,
            tables,
            sql: String::with_capacity(256),
            binds: Vec::new(),
        }
    }

    pub(super) fn done(self) -> Statement {
        Statement {
            sql: self.sql,
            binds: self.binds,
        }
    }

    pub(super) fn push(&mut self, sql: &str) {
        self.sql.push_str(sql);
    }

    /// A placeholder for a value.
    pub(super) fn bind(&mut self, value: Value) {
        self.sql.push('?');
        self.binds.push(value);
    }

    pub(super) fn name(&mut self, name: &str) {
        let quote = if self.engine == Engine::Sqlite {
            '"'
        } else {
            '`'
        };
        quote_into(&mut self.sql, name, quote);
    }

    pub(super) fn table(&mut self) {
        self.table_at(0);
    }

    fn table_at(&mut self, source: usize) {
        let Some(table) = self.tables.get(source).copied() else {
            return;
        };
        // A database of SQLite is a connection of its own.
        if self.engine.is_server() {
            self.name(table.database.as_str());
            self.push(".");
        }
        self.name(&table.name);
        if self.aliased {
            self.push(" AS ");
            self.alias(source);
        }
    }

    fn alias(&mut self, source: usize) {
        self.push("t");
        self.push(&source.to_string());
    }

    pub(super) fn from(&mut self) {
        self.push(" FROM ");
        self.table();
    }

    /// The tables of a select, but for those of `Exists`.
    pub(super) fn source_of(&mut self, select: &Select) {
        self.from();
        self.joins(select.joins());
    }

    fn joins(&mut self, joins: &[Join]) {
        for join in joins {
            self.push(match join.kind() {
                JoinKind::Left => " LEFT JOIN ",
                JoinKind::Inner => " INNER JOIN ",
            });
            if join.joins().is_empty() {
                self.table_at(join.source());
            } else {
                self.push("(");
                self.table_at(join.source());
                self.joins(join.joins());
                self.push(")");
            }
            self.push(" ON ");
            let outer = std::mem::replace(&mut self.in_join, true);
            self.matched(join);
            self.in_join = outer;
        }
    }

    /// What has to hold for the rows of a join.
    fn matched(&mut self, join: &Join) {
        for (at, (before, here)) in join.on().iter().enumerate() {
            self.push(if at == 0 { "" } else { " AND " });
            self.column_at(*before);
            self.push(" = ");
            self.column_at(*here);
        }
        if join.on().is_empty() {
            self.predicate(join.predicate());
        } else if !join.predicate().is_empty() {
            self.push(" AND ");
            self.predicate(join.predicate());
        }
    }

    /// A column's name, with its table's where there are several.
    pub(super) fn column_at(&mut self, at: ColumnRef) {
        let Some(column) = self.found(at) else {
            // The planner takes places from the tables themselves, so this is never reached.
            return self.push("NULL");
        };
        if self.aliased {
            self.alias(at.source);
            self.push(".");
        }
        self.name(&column.name);
    }

    fn found(&self, at: ColumnRef) -> Option<&'a Column> {
        self.tables.get(at.source)?.columns.get(at.column)
    }

    /// The column that a value is.
    pub(super) fn column_of(&self, value: &Scalar) -> Option<&'a Column> {
        self.found(value.as_column()?)
    }

    pub(super) fn columns(&mut self, columns: &[usize]) {
        let columns = columns.iter().map(|column| ColumnRef {
            source: 0,
            column: *column,
        });
        for (at, column) in columns
            .filter(|it| self.found(*it).is_some())
            .collect::<Vec<_>>()
            .into_iter()
            .enumerate()
        {
            self.push(if at == 0 { "" } else { ", " });
            self.column_at(column);
        }
    }

    /// A value.
    pub(super) fn value(&mut self, value: &Scalar) {
        scalar::value(self, value);
    }

    /// A select list.
    pub(super) fn outputs(&mut self, columns: &[Scalar]) {
        for (at, value) in columns.iter().enumerate() {
            self.push(if at == 0 { "" } else { ", " });
            self.output(value);
        }
        // An embed that shows nothing, of rows that are not told apart.
        if columns.is_empty() {
            self.push("1");
        }
    }

    /// A value as it is shown.
    pub(super) fn output(&mut self, value: &Scalar) {
        if self.engine.is_server() {
            mysql::shown(self, value);
        } else {
            self.value(value);
        }
    }

    pub(super) fn filter(&mut self, predicate: &Predicate) {
        if !predicate.is_empty() {
            self.push(" WHERE ");
            self.predicate(predicate);
        }
    }

    pub(super) fn predicate(&mut self, predicate: &Predicate) {
        match predicate {
            Predicate::All(parts) => self.joined(parts, "TRUE", " AND "),
            Predicate::Any(parts) => self.joined(parts, "FALSE", " OR "),
            Predicate::Unknown => self.push("NULL"),
            Predicate::Not(inner) => {
                self.push("NOT (");
                self.predicate(inner);
                self.push(")");
            }
            Predicate::Test { value, test } => self.test(value, test),
            Predicate::Exists(related) => {
                let join = related.join();
                // As a value where engines go wrong with the question itself: SQLite 3.51 makes a
                // join of it that loses the offset, MySQL 9 one that takes no account of where an
                // outer join asks it.
                let as_value = self.in_join || self.engine == Engine::Sqlite;
                self.push(if as_value { "(" } else { "EXISTS (" });
                self.push("SELECT 1 FROM ");
                self.table_at(join.source());
                self.joins(join.joins());
                self.push(" WHERE ");
                self.matched(join);
                self.push(if as_value {
                    " LIMIT 1) IS NOT NULL"
                } else {
                    ")"
                });
            }
            Predicate::Present(column) => {
                self.column_at(*column);
                self.push(" IS NOT NULL");
            }
        }
    }

    fn joined(&mut self, parts: &[Predicate], none: &str, word: &str) {
        match parts {
            [] => self.push(none),
            parts => self.halves(parts, word, &|printer, part| printer.predicate(part)),
        }
    }

    /// Parts with a word between them. In halves: to SQLite each further part is one level more,
    /// of which it takes 1000.
    pub(super) fn halves<T, F>(&mut self, parts: &[T], word: &str, write: &F)
    where
        F: Fn(&mut Self, &T),
    {
        if let [one] = parts {
            return write(self, one);
        }
        self.push("(");
        if parts.len() > FLAT {
            let (left, right) = parts.split_at(parts.len() / 2);
            self.halves(left, word, write);
            self.push(word);
            self.halves(right, word, write);
        } else {
            for (at, part) in parts.iter().enumerate() {
                self.push(if at == 0 { "" } else { word });
                write(self, part);
            }
        }
        self.push(")");
    }

    pub(super) fn test(&mut self, value: &Scalar, test: &Test) {
        let server = self.engine.is_server();
        let word = match test {
            Test::IsNull => " IS NULL",
            Test::IsNotNull => " IS NOT NULL",
            Test::IsTrue => " IS TRUE",
            Test::IsFalse => " IS FALSE",
            Test::In(values) if values.is_empty() => return self.push("FALSE"),
            // JSON from inside a document.
            Test::Compare(comparison, Value::Json(document)) => {
                return json::compare(self, value, *comparison, document);
            }
            Test::Compare(comparison, other) if server => {
                return mysql::compare(self, value, *comparison, other);
            }
            Test::Compare(comparison, other) => {
                return sqlite::compare(self, value, *comparison, other);
            }
            Test::In(values) if values.iter().any(|it| matches!(it, Value::Json(_))) => {
                return json::one_of(self, value, values);
            }
            Test::In(values) if server => return mysql::one_of(self, value, values),
            Test::In(values) => return sqlite::one_of(self, value, values),
            Test::Like {
                pattern,
                ignore_case,
            } if server => return mysql::like(self, value, pattern, *ignore_case),
            Test::Like {
                pattern,
                ignore_case,
            } => return sqlite::like(self, value, pattern, *ignore_case),
            Test::Match {
                pattern,
                ignore_case,
            } => return search::matches(self, value, pattern, *ignore_case),
            Test::Search(asked) => return search::words(self, value, asked.terms()),
            Test::Contains(document) => return json::contains(self, value, document),
            Test::ContainedIn(document) => return json::contained(self, value, document),
            Test::Overlaps(document) => return json::overlaps(self, value, document),
        };
        self.value(value);
        self.push(word);
    }

    /// A parenthesised list of placeholders.
    pub(super) fn list(&mut self, values: impl Iterator<Item = Value>) {
        self.push("(");
        for (at, value) in values.enumerate() {
            self.push(if at == 0 { "" } else { ", " });
            self.bind(value);
        }
        self.push(")");
    }

    pub(super) fn order(&mut self, order: &[OrderColumn]) {
        for (at, term) in order.iter().enumerate() {
            self.push(if at == 0 { " ORDER BY " } else { ", " });
            let is_json = matches!(term.value().kind(), ScalarKind::Json { as_text: false, .. });
            if is_json {
                json::order(self, term);
            } else if self.engine.is_server() {
                mysql::order(self, term);
            } else {
                sqlite::order(self, term);
            }
        }
    }

    /// What tells the groups of an aggregate apart.
    pub(super) fn group(&mut self, select: &Select) {
        let Some(group) = select.group() else {
            return;
        };
        let values = group.iter().filter_map(|at| select.columns().get(*at));
        for (at, value) in values.enumerate() {
            self.push(if at == 0 { " GROUP BY " } else { ", " });
            self.exact(value);
        }
    }

    /// A value in the form in which equal ones, and only those, are the same.
    pub(super) fn exact(&mut self, value: &Scalar) {
        if self.engine.is_server() {
            mysql::compared(self, value);
        } else {
            sqlite::compared(self, value);
        }
    }

    pub(super) fn page(&mut self, limit: Option<u64>, offset: u64) {
        // SQLite and the JSON of most clients stop at i64, and so do tables.
        let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        match limit {
            Some(limit) => {
                self.push(" LIMIT ");
                self.bind(number(limit));
            }
            // Neither engine has OFFSET alone.
            None if offset > 0 && self.engine.is_server() => {
                self.push(" LIMIT 18446744073709551615")
            }
            None if offset > 0 => self.push(" LIMIT -1"),
            None => {}
        }
        if offset > 0 {
            self.push(" OFFSET ");
            self.bind(number(offset));
        }
    }

    pub(super) fn lock(&mut self, lock: Lock) {
        // SQLite has one writer, so what it read stays.
        if lock == Lock::Update && self.engine.is_server() {
            self.push(" FOR UPDATE");
        }
    }

    pub(super) fn returning(&mut self, columns: &[usize]) {
        if !columns.is_empty() {
            self.push(" RETURNING ");
            self.columns(columns);
        }
    }
}

/// Writes a name between quotes, with each of them inside doubled.
fn quote_into(sql: &mut String, name: &str, quote: char) {
    sql.push(quote);
    for c in name.chars() {
        if c == quote {
            sql.push(quote);
        }
        sql.push(c);
    }
    sql.push(quote);
}
