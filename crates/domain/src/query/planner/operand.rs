//! Values that a request names: columns, places in JSON documents, and casts of both.

use super::column_at;
use crate::gateway::column_type::{ColumnType, LobSize, TypeClass};
use crate::gateway::schema::{Column, Table};
use crate::query::ask::Operand;
use crate::query::error::QueryError;
use crate::query::plan::{ColumnRef, Scalar, ScalarKind};

/// A value, and the column it comes from.
pub(super) struct Target<'a> {
    pub(super) column: &'a Column,
    pub(super) value: Scalar,
}

impl Target<'_> {
    pub(super) fn class(&self) -> TypeClass {
        self.value.column_type().class()
    }

    /// Whether it is JSON from inside a document, which compares as JSON does; a document as a
    /// whole compares with nothing.
    pub(super) fn is_json_place(&self) -> bool {
        matches!(self.value.kind(), ScalarKind::Json { as_text: false, .. })
    }

    /// The error of an operator that its type has not.
    pub(super) fn operator_error(&self, operator: &str) -> QueryError {
        QueryError::Operator {
            operator: operator.to_owned(),
            column: self.column.name.clone(),
            column_type: self.value.column_type().to_string(),
        }
    }

    /// Refuses to sort, or to group, by what has no order.
    pub(super) fn sortable(&self, purpose: &str) -> Result<(), QueryError> {
        match self.class() {
            TypeClass::Json | TypeClass::Other => Err(self.operator_error(purpose)),
            _ => Ok(()),
        }
    }
}

/// What an operand is in a table of a statement.
pub(super) fn target<'a>(
    table: &'a Table,
    source: usize,
    operand: &Operand,
) -> Result<Target<'a>, QueryError> {
    let at = column_at(table, &operand.column)?;
    let column = &table.columns[at];
    let at = ColumnRef { source, column: at };
    let Some(path) = &operand.path else {
        return Ok(Target {
            value: Scalar::column(column, at),
            column,
        });
    };
    if column.column_type.class() != TypeClass::Json {
        return Err(QueryError::Operator {
            operator: if path.as_text { "->>" } else { "->" }.to_owned(),
            column: column.name.clone(),
            column_type: column.column_type.to_string(),
        });
    }
    let value = Scalar {
        kind: ScalarKind::Json {
            column: at,
            steps: path.steps.clone(),
            as_text: path.as_text,
        },
        column_type: if path.as_text {
            ColumnType::Text(LobSize::Long)
        } else {
            ColumnType::Json
        },
        nullable: true,
    };
    Ok(Target { column, value })
}

/// The type that a cast names, in PostgreSQL's words.
pub(super) fn cast_type(name: &str) -> Result<ColumnType, QueryError> {
    let integer = |bytes| ColumnType::Integer {
        bytes,
        unsigned: false,
    };
    let words = name.to_ascii_lowercase();
    let words: Vec<&str> = words.split_ascii_whitespace().collect();
    Ok(match words.join(" ").as_str() {
        "text" | "varchar" | "character varying" => ColumnType::Text(LobSize::Long),
        "smallint" | "int2" => integer(2),
        "int" | "integer" | "int4" => integer(4),
        "bigint" | "int8" => integer(8),
        "numeric" | "decimal" => exact(30),
        "real" | "float4" => ColumnType::Float { unsigned: false },
        "float" | "float8" | "double precision" => ColumnType::Double { unsigned: false },
        "bool" | "boolean" => ColumnType::Boolean,
        "date" => ColumnType::Date,
        "time" | "time without time zone" => ColumnType::Time(6),
        "timestamp" | "timestamp without time zone" => ColumnType::DateTime(6),
        "timestamptz" | "timestamp with time zone" => ColumnType::Timestamp(6),
        "json" | "jsonb" => ColumnType::Json,
        "uuid" => ColumnType::Uuid,
        _ => {
            return Err(QueryError::UnknownType {
                name: name.to_owned(),
            });
        }
    })
}

/// The widest exact number with so many digits after the point.
pub(super) fn exact(scale: u8) -> ColumnType {
    ColumnType::Decimal {
        precision: 65,
        scale,
        unsigned: false,
    }
}

/// Refuses casts that PostgreSQL has not.
pub(super) fn check_cast(from: &ColumnType, to: &ColumnType) -> Result<(), QueryError> {
    use TypeClass::{Bits, Boolean, Decimal, Float, Integer, Json, Temporal, Text};
    let number = |class| matches!(class, Integer | Decimal | Float);
    let fits = match (from.class(), to.class()) {
        _ if *to == ColumnType::Uuid => from.class() == Text,
        // Everything has a text, and a text may be anything.
        (_, Text) | (Text, _) => true,
        (from, to) if number(from) && number(to) => true,
        (Integer, Boolean) | (Boolean, Boolean) | (Bits, Integer) => true,
        (Boolean, Integer) => matches!(to, ColumnType::Integer { bytes: 4, .. }),
        (Json, Json | Boolean) => true,
        (Json, to) => number(to),
        (Temporal, Temporal) => temporal_cast(from, to),
        _ => false,
    };
    if fits {
        Ok(())
    } else {
        Err(QueryError::Cast {
            from: from.to_string(),
            to: to.to_string(),
        })
    }
}

fn temporal_cast(from: &ColumnType, to: &ColumnType) -> bool {
    use ColumnType::{Date, DateTime, Time, Timestamp};
    match (from, to) {
        // A time of day is no date, and a date has no time of day.
        (Time(_), to) => matches!(to, Time(_)),
        (Date, to) => matches!(to, Date | DateTime(_) | Timestamp(_)),
        _ => true,
    }
}
