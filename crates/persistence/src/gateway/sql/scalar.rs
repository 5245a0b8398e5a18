//! Values that statements compute: places in documents, casts and aggregates.
//!
//! Sums and means are exact, with the same digits on all engines. What an engine cannot compute
//! so leaves it as a text of the form `terms/count`, terms parted by blanks, and is finished
//! where rows are read ([`Finish`]).

use tidegate_domain::gateway::column_type::{ColumnType, LobSize, TypeClass};
use tidegate_domain::query::ask::Aggregate;
use tidegate_domain::query::plan::{Scalar, ScalarKind, Select};

use super::printer::Printer;
use super::{json, mysql, sqlite};
use crate::engine::Engine;

/// What is left to be done to a value that an engine gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    /// Nothing.
    None,
    /// Terms to be added.
    Sum,
    /// Terms to be added and divided by a count.
    Mean,
    /// An exact number whose zeros at the end say nothing.
    Trim,
    /// Floating point of four bytes that was computed in eight.
    Single,
}

/// What is left to be done to a value of a select list.
pub(crate) fn finish(engine: Engine, value: &Scalar) -> Finish {
    let of = aggregate_of(value);
    if let ScalarKind::Aggregate(function, Some(inner)) = of.kind() {
        match (function, inner.column_type().class()) {
            (Aggregate::Avg | Aggregate::Sum, TypeClass::Float) => {
                return match of.column_type() {
                    ColumnType::Float { .. } => Finish::Single,
                    _ => Finish::None,
                };
            }
            (Aggregate::Avg, _) => return Finish::Mean,
            (Aggregate::Sum, _) if engine == Engine::Sqlite => return Finish::Sum,
            _ => {}
        }
        if is_widest(inner) {
            return Finish::Trim;
        }
    }
    if is_widest(of) {
        Finish::Trim
    } else {
        Finish::None
    }
}

/// Whether a value is an exact number with more digits than anybody asked for.
fn is_widest(value: &Scalar) -> bool {
    value.as_column().is_none()
        && matches!(value.column_type(), ColumnType::Decimal { scale: 30, .. })
}

/// What is cast, where it is an aggregate, which is cast only after it is finished.
pub(crate) fn aggregate_of(value: &Scalar) -> &Scalar {
    let mut of = value;
    while let ScalarKind::Cast(inner) = of.kind() {
        of = inner;
    }
    match of.kind() {
        ScalarKind::Aggregate(..) => of,
        _ => value,
    }
}

/// The types of a select list, as its values come.
pub(crate) fn types(engine: Engine, select: &Select) -> Vec<ColumnType> {
    let of = |value: &Scalar| match finish(engine, value) {
        Finish::Sum | Finish::Mean => ColumnType::Text(LobSize::Long),
        _ => aggregate_of(value).column_type().clone(),
    };
    select.columns().iter().map(of).collect()
}

/// A value.
pub(super) fn value(printer: &mut Printer<'_>, value: &Scalar) {
    match value.kind() {
        ScalarKind::Column(at) => printer.column_at(*at),
        ScalarKind::Json {
            column,
            steps,
            as_text,
        } => json::place(printer, *column, steps, *as_text),
        ScalarKind::Cast(inner) => cast(printer, inner, value.column_type()),
        ScalarKind::Aggregate(function, None) => {
            printer.push(function.word());
            printer.push("(*)");
        }
        ScalarKind::Aggregate(function, Some(inner)) => aggregate(printer, *function, inner),
        ScalarKind::Present(at) => {
            printer.push("(");
            printer.column_at(*at);
            printer.push(" IS NOT NULL)");
        }
    }
}

fn aggregate(printer: &mut Printer<'_>, function: Aggregate, of: &Scalar) {
    let is_float = of.column_type().class() == TypeClass::Float;
    match function {
        Aggregate::Sum if printer.engine == Engine::Sqlite && !is_float => terms(printer, of),
        Aggregate::Avg if !is_float => {
            let server = printer.engine.is_server();
            printer.push(if server { "CONCAT(" } else { "" });
            if server {
                call(printer, "SUM", of);
            } else {
                terms(printer, of);
            }
            printer.push(if server { ", '/', " } else { " || '/' || " });
            call(printer, "COUNT", of);
            printer.push(if server { ")" } else { "" });
        }
        Aggregate::Min | Aggregate::Max => {
            printer.push(if function == Aggregate::Min {
                "MIN("
            } else {
                "MAX("
            });
            if printer.engine.is_server() {
                mysql::compared(printer, of);
            } else {
                sqlite::compared(printer, of);
            }
            printer.push(")");
        }
        Aggregate::Sum => call(printer, "SUM", of),
        Aggregate::Avg => call(printer, "AVG", of),
        Aggregate::Count => call(printer, "COUNT", of),
    }
}

fn call(printer: &mut Printer<'_>, function: &str, of: &Scalar) {
    printer.push(function);
    printer.push("(");
    printer.value(of);
    printer.push(")");
}

/// The terms of a sum on SQLite, whose own sums overflow, or are floating point.
fn terms(printer: &mut Printer<'_>, of: &Scalar) {
    let is_kept_as_number = of.column_type().class() == TypeClass::Integer
        && !matches!(
            of.column_type(),
            ColumnType::Integer {
                bytes: 8,
                unsigned: true
            }
        );
    if is_kept_as_number {
        printer.push("SUM(");
        printer.value(of);
        printer.push(" / 1000000000) || 'e9 ' || SUM(");
        printer.value(of);
        printer.push(" % 1000000000)");
    } else {
        printer.push("GROUP_CONCAT(");
        printer.value(of);
        printer.push(", ' ')");
    }
}

/// A value as another type, inside a statement.
fn cast(printer: &mut Printer<'_>, of: &Scalar, to: &ColumnType) {
    let class = to.class();
    let from_document = matches!(of.kind(), ScalarKind::Json { .. });
    let is_number = matches!(
        class,
        TypeClass::Integer | TypeClass::Decimal | TypeClass::Float
    );
    if !(from_document && is_number) {
        return convert(printer, of, to);
    }
    // What is no number in a document would be a zero to the engine.
    printer.push("CASE WHEN JSON_TYPE(");
    printer.value(of);
    printer.push(if printer.engine.is_server() {
        ") IN ('INTEGER', 'UNSIGNED INTEGER', 'DOUBLE', 'DECIMAL') THEN "
    } else {
        ") IN ('integer', 'real') THEN "
    });
    convert(printer, of, to);
    printer.push(" END");
}

fn convert(printer: &mut Printer<'_>, of: &Scalar, to: &ColumnType) {
    let class = to.class();
    let from_document = matches!(of.kind(), ScalarKind::Json { .. });
    if printer.engine == Engine::Sqlite {
        let name = match class {
            TypeClass::Text => "TEXT",
            TypeClass::Integer => "INTEGER",
            TypeClass::Float => "REAL",
            // An exact number is a text that compares as a number.
            TypeClass::Decimal => "TEXT",
            TypeClass::Boolean if of.column_type().class() == TypeClass::Integer => {
                printer.push("(");
                printer.value(of);
                return printer.push(" <> 0)");
            }
            TypeClass::Boolean if from_document => {
                printer.push("(CAST(");
                printer.value(of);
                return printer.push(" AS TEXT) = 'true')");
            }
            _ => return printer.value(of),
        };
        printer.push("CAST(");
        printer.value(of);
        printer.push(" AS ");
        printer.push(name);
        return printer.push(")");
    }
    let name = match to {
        ColumnType::Json if printer.engine == Engine::MariaDb => return printer.value(of),
        ColumnType::Json => "JSON",
        ColumnType::Decimal { .. } => "DECIMAL(65,30)",
        ColumnType::Date => "DATE",
        ColumnType::Time(_) => "TIME(6)",
        ColumnType::DateTime(_) | ColumnType::Timestamp(_) => "DATETIME(6)",
        _ => match class {
            TypeClass::Text => "CHAR CHARACTER SET utf8mb4",
            TypeClass::Integer => "SIGNED",
            TypeClass::Float => "DOUBLE",
            TypeClass::Boolean if from_document => {
                printer.push("(CAST(");
                printer.value(of);
                return printer.push(" AS CHAR CHARACTER SET utf8mb4) = 'true')");
            }
            TypeClass::Boolean => {
                printer.push("(");
                printer.value(of);
                return printer.push(" <> 0)");
            }
            _ => return printer.value(of),
        },
    };
    printer.push("CAST(");
    printer.value(of);
    printer.push(" AS ");
    printer.push(name);
    printer.push(")");
}
