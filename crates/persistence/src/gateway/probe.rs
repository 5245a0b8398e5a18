//! What benchmarks measure of what is nobody's business otherwise: the printer of SQL and the
//! writer of documents. Nothing else uses it.

use tidegate_domain::gateway::column_type::ColumnType;
use tidegate_domain::gateway::port::Encoding;
use tidegate_domain::gateway::value::Value;
use tidegate_domain::query::plan::ReadPlan;

use super::rows::document::Document;
use super::rows::field::{Field, Reader};
use super::sql;
use crate::engine::Engine;

/// The text of a read's first statement, and how many values are bound to it.
pub fn print(engine: Engine, plan: &ReadPlan) -> (String, usize) {
    let statement = sql::select(engine, plan, false);
    (statement.sql, statement.binds.len())
}

/// Rows that are in memory already.
pub struct Rows {
    columns: Vec<(String, ColumnType)>,
    rows: Vec<Vec<Value>>,
}

impl Rows {
    /// Rows of columns with these names and types.
    pub fn new(columns: Vec<(String, ColumnType)>, rows: Vec<Vec<Value>>) -> Self {
        Self { columns, rows }
    }

    /// The rows as a document; `None` where a row is shorter than it should be.
    pub fn encode(&self, encoding: Encoding) -> Option<Vec<u8>> {
        let names = self.columns.iter().map(|(name, _)| name.as_str());
        let mut document = Document::new(encoding, names);
        let mut reader = InMemory(&self.columns);
        let mut out = Vec::with_capacity(4096);
        document.open(&mut out);
        for row in &self.rows {
            document.row(&mut out, row, &mut reader).ok()?;
        }
        document.close(&mut out);
        Some(out)
    }
}

/// Reads rows that are in memory.
struct InMemory<'a>(&'a [(String, ColumnType)]);

impl Reader for InMemory<'_> {
    type Row = Vec<Value>;

    fn field<'r>(&mut self, row: &'r Vec<Value>, at: usize) -> Result<Field<'r>, sqlx::Error> {
        match (self.0.get(at), row.get(at)) {
            (Some((_, column_type)), Some(value)) => Ok(Field::from_value(column_type, value)),
            _ => Err(missing(at, row)),
        }
    }

    fn number(&self, row: &Vec<Value>, at: usize) -> Result<u64, sqlx::Error> {
        Err(missing(at, row))
    }
}

fn missing(index: usize, row: &[Value]) -> sqlx::Error {
    let len = row.len();
    sqlx::Error::ColumnIndexOutOfBounds { index, len }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_in_memory_become_a_document() {
        let integer = ColumnType::Integer {
            bytes: 4,
            unsigned: false,
        };
        let columns = vec![
            ("id".to_owned(), integer),
            ("name".to_owned(), ColumnType::Varchar(9)),
        ];
        let row = |id, name: &str| vec![Value::Int(id), Value::Text(name.to_owned())];
        let rows = Rows::new(columns.clone(), vec![row(1, "a"), row(2, "b\"")]);
        let json = rows.encode(Encoding::Json).unwrap();
        assert_eq!(json, br#"[{"id":1,"name":"a"},{"id":2,"name":"b\""}]"#);
        let short = Rows::new(columns, vec![vec![Value::Int(1)]]);
        assert_eq!(short.encode(Encoding::Csv), None);
    }
}
