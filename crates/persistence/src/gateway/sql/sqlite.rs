//! Tests and orders of single columns in SQLite's dialect.
//!
//! The collation is always named, since a table made elsewhere may have any: `BINARY` for
//! texts, and for exact numbers and for times, which are kept as texts, the two of ours that
//! compare them by value. Numbers in such a column (of a table made elsewhere) compare as
//! numbers whatever the collation.

use tidegate_domain::gateway::column_type::{ColumnType, TypeClass};
use tidegate_domain::gateway::value::Value;
use tidegate_domain::query::ask::{Comparison, Nulls};
use tidegate_domain::query::plan::{LikePart, OrderColumn, Scalar};

use super::printer::Printer;

/// A value in the form in which it compares.
pub(super) fn compared(printer: &mut Printer<'_>, column: &Scalar) {
    printer.value(column);
    let collation = match column.column_type() {
        ColumnType::Time(_) => "time",
        ColumnType::Integer {
            bytes: 8,
            unsigned: true,
        }
        | ColumnType::Bit(_) => "decimal",
        _ => match column.column_type().class() {
            TypeClass::Text | TypeClass::Temporal => "BINARY",
            TypeClass::Decimal => "decimal",
            TypeClass::Json => "json",
            _ => return,
        },
    };
    printer.push(" COLLATE ");
    printer.push(collation);
}

/// A comparison.
pub(super) fn compare(
    printer: &mut Printer<'_>,
    column: &Scalar,
    comparison: Comparison,
    value: &Value,
) {
    compared(printer, column);
    printer.push(" ");
    printer.push(comparison.sql());
    printer.push(" ");
    printer.bind(operand(column, value));
}

/// Membership in a list.
pub(super) fn one_of(printer: &mut Printer<'_>, column: &Scalar, values: &[Value]) {
    compared(printer, column);
    printer.push(" IN ");
    printer.list(values.iter().map(|value| operand(column, value)));
}

/// What a column is compared with. Moments are kept as texts with as many digits of a second
/// as the column has; with more of them that are not zero a text comes after the same text
/// without them, as it should, but zeros have to go.
fn operand(column: &Scalar, value: &Value) -> Value {
    let (ColumnType::DateTime(digits) | ColumnType::Timestamp(digits), Value::Text(text)) =
        (column.column_type(), value)
    else {
        return value.clone();
    };
    let Some((whole, fraction)) = text.split_once('.') else {
        return value.clone();
    };
    let significant = fraction
        .trim_end_matches('0')
        .len()
        .max(usize::from(*digits))
        .min(fraction.len());
    match significant {
        0 => Value::Text(whole.to_owned()),
        places => Value::Text(format!("{whole}.{}", &fraction[..places])),
    }
}

/// A pattern over the whole text.
pub(super) fn like(
    printer: &mut Printer<'_>,
    column: &Scalar,
    pattern: &[LikePart],
    ignore_case: bool,
) {
    printer.value(column);
    if ignore_case {
        printer.push(" REGEXP ");
        printer.bind(Value::Text(regex(pattern)));
    } else {
        printer.push(" GLOB ");
        printer.bind(Value::Text(glob(pattern)));
    }
}

/// `GLOB` compares by code point and can use an index; its wildcards lose their meaning in a set.
fn glob(pattern: &[LikePart]) -> String {
    let mut glob = String::new();
    for part in pattern {
        match part {
            LikePart::AnyRun => glob.push('*'),
            LikePart::AnyOne => glob.push('?'),
            LikePart::Literal(text) => {
                for c in text.chars() {
                    if matches!(c, '*' | '?' | '[') {
                        glob.extend(['[', c, ']']);
                    } else {
                        glob.push(c);
                    }
                }
            }
        }
    }
    glob
}

/// SQLite itself folds ASCII only, so this goes to the regular expressions of the driver.
pub(super) fn regex(pattern: &[LikePart]) -> String {
    let mut regex = String::from(r"(?is)\A");
    for part in pattern {
        match part {
            LikePart::AnyRun => regex.push_str(".*"),
            LikePart::AnyOne => regex.push('.'),
            LikePart::Literal(text) => {
                for c in text.chars() {
                    match c {
                        // The dotted and the dotless i have no simple folding; the servers'
                        // upper case takes both for an i, so it is the same here.
                        'i' | 'I' | 'İ' | 'ı' => regex.push_str("[iİı]"),
                        c => {
                            if r"\.+*?()|[]{}^$#&-~".contains(c) {
                                regex.push('\\');
                            }
                            regex.push(c);
                        }
                    }
                }
            }
        }
    }
    regex.push_str(r"\z");
    regex
}

/// One term of an order.
pub(super) fn order(printer: &mut Printer<'_>, term: &OrderColumn) {
    let column = term.value();
    compared(printer, column);
    printer.push(if term.descending() { " DESC" } else { "" });
    if column.nullable() {
        printer.push(if term.nulls() == Nulls::First {
            " NULLS FIRST"
        } else {
            " NULLS LAST"
        });
    }
}
