//! The clauses that statements are made of, in any of the dialects.

use tidegate_domain::gateway::schema::{Column, Table};
use tidegate_domain::gateway::value::Value;
use tidegate_domain::query::plan::{ColumnTest, OrderColumn, OutputColumn, Predicate};

use super::{Lock, Statement, mysql, sqlite};
use crate::engine::Engine;

/// How many parts of a junction are written one after the other.
const FLAT: usize = 4;

/// Writes one statement.
pub(super) struct Printer<'a> {
    pub(super) engine: Engine,
    table: &'a Table,
    pub(super) sql: String,
    binds: Vec<Value>,
}

impl<'a> Printer<'a> {
    pub(super) fn new(engine: Engine, table: &'a Table) -> Self {
        Self {
            engine,
            table,
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
        let table = self.table;
        // A database of SQLite is a connection of its own.
        if self.engine.is_server() {
            self.name(table.database.as_str());
            self.push(".");
        }
        self.name(&table.name);
    }

    pub(super) fn from(&mut self) {
        self.push(" FROM ");
        self.table();
    }

    pub(super) fn column(&mut self, column: &Column) {
        self.name(&column.name);
    }

    pub(super) fn columns(&mut self, columns: &[usize]) {
        let table = self.table;
        for (at, column) in columns
            .iter()
            .filter_map(|at| table.columns.get(*at))
            .enumerate()
        {
            self.push(if at == 0 { "" } else { ", " });
            self.column(column);
        }
    }

    pub(super) fn outputs(&mut self, output: &[OutputColumn]) {
        let table = self.table;
        for (at, column) in output
            .iter()
            .filter_map(|shown| table.columns.get(shown.column()))
            .enumerate()
        {
            self.push(if at == 0 { "" } else { ", " });
            if self.engine.is_server() {
                mysql::shown(self, column);
            } else {
                self.column(column);
            }
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
            Predicate::Test { column, test } => {
                let table = self.table;
                if let Some(column) = table.columns.get(*column) {
                    self.test(column, test);
                } else {
                    // The planner takes places from the table itself, so this is never reached.
                    self.push("FALSE");
                }
            }
        }
    }

    fn joined(&mut self, parts: &[Predicate], none: &str, word: &str) {
        match parts {
            [] => self.push(none),
            [one] => self.predicate(one),
            // In halves: to SQLite each further part is one level more, of which it takes 1000.
            parts if parts.len() > FLAT => {
                let (left, right) = parts.split_at(parts.len() / 2);
                self.push("(");
                self.joined(left, none, word);
                self.push(word);
                self.joined(right, none, word);
                self.push(")");
            }
            parts => {
                self.push("(");
                for (at, part) in parts.iter().enumerate() {
                    self.push(if at == 0 { "" } else { word });
                    self.predicate(part);
                }
                self.push(")");
            }
        }
    }

    pub(super) fn test(&mut self, column: &Column, test: &ColumnTest) {
        let word = match test {
            ColumnTest::IsNull => " IS NULL",
            ColumnTest::IsNotNull => " IS NOT NULL",
            ColumnTest::IsTrue => " IS TRUE",
            ColumnTest::IsFalse => " IS FALSE",
            ColumnTest::In(values) if values.is_empty() => return self.push("FALSE"),
            ColumnTest::Compare(comparison, value) if self.engine.is_server() => {
                return mysql::compare(self, column, *comparison, value);
            }
            ColumnTest::Compare(comparison, value) => {
                return sqlite::compare(self, column, *comparison, value);
            }
            ColumnTest::In(values) if self.engine.is_server() => {
                return mysql::one_of(self, column, values);
            }
            ColumnTest::In(values) => return sqlite::one_of(self, column, values),
            ColumnTest::Like {
                pattern,
                ignore_case,
            } if self.engine.is_server() => {
                return mysql::like(self, column, pattern, *ignore_case);
            }
            ColumnTest::Like {
                pattern,
                ignore_case,
            } => return sqlite::like(self, column, pattern, *ignore_case),
        };
        self.column(column);
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
        let table = self.table;
        let terms = order
            .iter()
            .filter_map(|term| Some((term, table.columns.get(term.column())?)));
        for (at, (term, column)) in terms.enumerate() {
            self.push(if at == 0 { " ORDER BY " } else { ", " });
            if self.engine.is_server() {
                mysql::order(self, column, term);
            } else {
                sqlite::order(self, column, term);
            }
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
