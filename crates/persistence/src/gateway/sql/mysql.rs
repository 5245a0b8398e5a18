//! Tests and orders of single columns in the dialect of MySQL and MariaDB.
//!
//! Texts compare by code point and without padding, whatever collation the column has.
//! Where the column's own collation does that already the comparison is plain. Elsewhere an
//! equality is said twice: plainly, for which the engine can use the column's index and
//! which lets through all that are equal and perhaps more, and once more exactly.

use std::borrow::Cow;

use tidegate_domain::gateway::column_type::{ColumnType, TypeClass};
use tidegate_domain::gateway::value::Value;
use tidegate_domain::query::ask::{Comparison, Nulls};
use tidegate_domain::query::plan::{LikePart, OrderColumn, Scalar};

use super::printer::Printer;
use super::stored_as;
use crate::engine::Engine;

/// What escapes in the patterns printed here; not the backslash, whose meaning in literals
/// depends on the session.
const ESCAPE: char = '|';

/// How a text column is brought to comparison by code point.
enum Exact {
    /// Its own collation compares so.
    Plain,
    /// By naming another collation.
    Collate,
    /// By converting it from its character set.
    Convert,
    /// By making a text of it: `enum` and `set` sort as numbers, MariaDB's `uuid` by its parts.
    Cast,
}

fn exact(printer: &Printer<'_>, value: &Scalar) -> Exact {
    let Some(column) = printer.column_of(value) else {
        // What is computed is a text of some character set.
        return Exact::Convert;
    };
    let collation = column.collation.as_deref().unwrap_or_default();
    match column.column_type {
        ColumnType::Enum(_) | ColumnType::Set(_) => Exact::Cast,
        _ if matches!(collation, "utf8mb4_0900_bin" | "utf8mb4_nopad_bin") => Exact::Plain,
        _ if collation.is_empty() => Exact::Cast,
        _ if collation.starts_with("utf8mb4_") => Exact::Collate,
        _ => Exact::Convert,
    }
}

/// Whether a plain comparison can be put beside the exact one. A text outside the column's
/// character set would make the engine refuse the mix of collations; ASCII is in all of them.
fn has_plain(printer: &Printer<'_>, value: &Scalar, other: &Value) -> bool {
    let Some(column) = printer.column_of(value) else {
        return false;
    };
    let unicode = column
        .collation
        .as_deref()
        .is_none_or(|collation| collation.starts_with("utf8mb4_"));
    unicode || matches!(other, Value::Text(text) if text.is_ascii())
}

/// A value in the form in which it compares: a text by code point, anything else as it is.
pub(super) fn compared(printer: &mut Printer<'_>, value: &Scalar) {
    if value.column_type().class() == TypeClass::Text {
        exact_text(printer, value);
    } else {
        printer.value(value);
    }
}

/// A text that compares by code point.
pub(super) fn exact_text(printer: &mut Printer<'_>, column: &Scalar) {
    let how = exact(printer, column);
    match how {
        Exact::Plain => return printer.value(column),
        Exact::Collate => printer.value(column),
        Exact::Convert => {
            printer.push("CONVERT(");
            printer.value(column);
            printer.push(" USING utf8mb4)");
        }
        Exact::Cast => {
            printer.push("CAST(");
            printer.value(column);
            printer.push(" AS CHAR CHARACTER SET utf8mb4)");
        }
    }
    collate(printer);
}

pub(super) fn collate(printer: &mut Printer<'_>) {
    let collation = printer.engine.binary_collation();
    printer.push(" COLLATE ");
    printer.push(collation);
}

/// A column as it is shown.
pub(super) fn shown(printer: &mut Printer<'_>, column: &Scalar) {
    // The driver does not know this type of MySQL 9 and could not read the whole result.
    let cast = matches!(column.column_type(), ColumnType::Other(text) if text.to_ascii_lowercase().starts_with("vector"));
    if cast {
        printer.push("CAST(");
        printer.value(column);
        printer.push(" AS BINARY)");
    } else {
        printer.value(column);
    }
}

/// A comparison.
pub(super) fn compare(
    printer: &mut Printer<'_>,
    column: &Scalar,
    comparison: Comparison,
    value: &Value,
) {
    let value = stored_as(printer.engine, column.column_type(), value);
    if column.column_type().class() != TypeClass::Text {
        return compare_values(printer, column, comparison, &value);
    }
    let beside = comparison == Comparison::Eq
        && !matches!(exact(printer, column), Exact::Plain)
        && has_plain(printer, column, &value);
    if beside {
        printer.push("(");
        printer.value(column);
        printer.push(" = ");
        printer.bind(value.clone().into_owned());
        printer.push(" AND ");
    }
    exact_text(printer, column);
    printer.push(" ");
    printer.push(comparison.sql());
    printer.push(" ");
    printer.bind(value.into_owned());
    if beside {
        printer.push(")");
    }
}

/// A comparison of what is no text.
fn compare_values(
    printer: &mut Printer<'_>,
    column: &Scalar,
    comparison: Comparison,
    value: &Value,
) {
    let (operator, value) = match Fit::of(column, value) {
        Fit::Exact(value) => (comparison.sql(), value),
        Fit::Beyond {
            towards_zero,
            negative,
        } => {
            let operator = match (comparison, negative) {
                (Comparison::Eq, _) => return never(printer, column),
                (Comparison::Neq, _) => {
                    printer.push("NOT (");
                    never(printer, column);
                    return printer.push(")");
                }
                (Comparison::Lt | Comparison::Lte, false) => "<=",
                (Comparison::Lt | Comparison::Lte, true) => "<",
                (Comparison::Gt | Comparison::Gte, false) => ">",
                (Comparison::Gt | Comparison::Gte, true) => ">=",
            };
            (operator, towards_zero)
        }
    };
    printer.value(column);
    printer.push(" ");
    printer.push(operator);
    printer.push(" ");
    placeholder(printer, column, value);
}

/// False, and null for null.
fn never(printer: &mut Printer<'_>, column: &Scalar) {
    printer.value(column);
    printer.push(" <> ");
    printer.value(column);
}

/// Whether a column could hold a value with as many digits after the point. The engine would
/// round the value to the column's digits, and find it equal to what it is not.
enum Fit {
    /// It could.
    Exact(Value),
    /// It has more of them.
    Beyond {
        /// The column's neighbour of it on the side of zero.
        towards_zero: Value,
        /// Whether that neighbour is the greater of the two.
        negative: bool,
    },
}

impl Fit {
    fn of(column: &Scalar, value: &Value) -> Self {
        let (places, text) = match (column.column_type(), value) {
            (ColumnType::Decimal { scale, .. }, Value::Decimal(text)) => (*scale, text),
            (
                ColumnType::Time(places)
                | ColumnType::DateTime(places)
                | ColumnType::Timestamp(places),
                Value::Text(text),
            ) => (*places, text),
            _ => return Fit::Exact(value.clone()),
        };
        let Some((whole, fraction)) = text.split_once('.') else {
            return Fit::Exact(value.clone());
        };
        let (kept, rest) = fraction.split_at(fraction.len().min(usize::from(places)));
        let cut = if kept.is_empty() {
            whole.to_owned()
        } else {
            format!("{whole}.{kept}")
        };
        let cut = if matches!(value, Value::Decimal(_)) {
            Value::Decimal(cut)
        } else {
            Value::Text(cut)
        };
        if rest.bytes().all(|digit| digit == b'0') {
            Fit::Exact(cut)
        } else {
            Fit::Beyond {
                towards_zero: cut,
                negative: text.starts_with('-'),
            }
        }
    }
}

/// Membership in a list.
pub(super) fn one_of(printer: &mut Printer<'_>, column: &Scalar, values: &[Value]) {
    let values: Vec<_> = values
        .iter()
        .map(|value| stored_as(printer.engine, column.column_type(), value))
        .collect();
    if column.column_type().class() != TypeClass::Text {
        let mut fitting = values
            .iter()
            .filter_map(|value| match Fit::of(column, value) {
                Fit::Exact(value) => Some(value),
                Fit::Beyond { .. } => None,
            });
        let Some(first) = fitting.next() else {
            return never(printer, column);
        };
        printer.value(column);
        printer.push(" IN (");
        placeholder(printer, column, first);
        for value in fitting {
            printer.push(", ");
            placeholder(printer, column, value);
        }
        return printer.push(")");
    }
    let beside = !matches!(exact(printer, column), Exact::Plain)
        && values.iter().all(|value| has_plain(printer, column, value));
    if beside {
        printer.push("(");
        printer.value(column);
        printer.push(" IN ");
        printer.list(values.iter().map(|value| value.clone().into_owned()));
        printer.push(" AND ");
    }
    exact_text(printer, column);
    printer.push(" IN ");
    printer.list(values.into_iter().map(Cow::into_owned));
    if beside {
        printer.push(")");
    }
}

/// A placeholder that has the column's type, so that neither the comparison is made in
/// floating point or as text, nor the column converted and its index lost.
pub(super) fn placeholder(printer: &mut Printer<'_>, column: &Scalar, value: Value) {
    let (value, cast) = match (column.column_type(), value) {
        (
            ColumnType::Decimal {
                precision, scale, ..
            },
            Value::Decimal(text),
        ) => decimal(text, usize::from(*precision), usize::from(*scale)),
        // A whole number that no 64 bits hold.
        (_, Value::Decimal(text)) => decimal(text, 20, 0),
        (ColumnType::Date, value) => (value, "DATE".to_owned()),
        (ColumnType::DateTime(_) | ColumnType::Timestamp(_), value) => {
            (value, "DATETIME(6)".to_owned())
        }
        // A `time` takes the type of the column by itself. MySQL 9 folds a cast to it when
        // the statement is prepared, and then compares with midnight.
        (_, value) => return printer.bind(value),
    };
    printer.push("CAST(");
    printer.bind(value);
    printer.push(" AS ");
    printer.push(&cast);
    printer.push(")");
}

/// An exact number and its type. The engine's numbers have 65 digits; one that has more than
/// the column only has to lie on the right side of all its values.
fn decimal(text: String, precision: usize, scale: usize) -> (Value, String) {
    let (sign, digits) = text
        .strip_prefix('-')
        .map_or(("", text.as_str()), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.trim_start_matches('0').len() > precision - scale.min(precision) {
        return (
            Value::Decimal(format!("{sign}{}", "9".repeat(65))),
            "DECIMAL(65,0)".to_owned(),
        );
    }
    let cast = format!("DECIMAL(65,{})", fraction.len().min(30));
    (Value::Decimal(text), cast)
}

/// A pattern over the whole text.
pub(super) fn like(
    printer: &mut Printer<'_>,
    column: &Scalar,
    pattern: &[LikePart],
    ignore_case: bool,
) {
    let mut text = String::new();
    for part in pattern {
        match part {
            LikePart::AnyRun => text.push('%'),
            LikePart::AnyOne => text.push('_'),
            LikePart::Literal(literal) => {
                for c in literal.chars() {
                    if matches!(c, '%' | '_' | ESCAPE) {
                        text.push(ESCAPE);
                    }
                    text.push(c);
                }
            }
        }
    }
    if ignore_case {
        folded(printer, |printer| exact_text(printer, column));
        printer.push(" LIKE ");
        folded(printer, |printer| printer.bind(Value::Text(text)));
    } else {
        exact_text(printer, column);
        printer.push(" LIKE ");
        printer.bind(Value::Text(text));
    }
    printer.push(" ESCAPE '");
    printer.push(ESCAPE.encode_utf8(&mut [0; 4]));
    printer.push("'");
}

/// A text with its case folded: upper and then lower, by which forms that only one of the
/// two knows (final sigma, long s) meet. The collations named here have the largest table of
/// letters that all supported versions have.
fn folded(printer: &mut Printer<'_>, text: impl FnOnce(&mut Printer<'_>)) {
    let table = if printer.engine == Engine::MariaDb {
        "utf8mb4_unicode_520_nopad_ci"
    } else {
        "utf8mb4_0900_as_ci"
    };
    printer.push("LOWER(UPPER(CONVERT(");
    text(printer);
    printer.push(" USING utf8mb4) COLLATE ");
    printer.push(table);
    printer.push("))");
    collate(printer);
}

/// One term of an order.
pub(super) fn order(printer: &mut Printer<'_>, term: &OrderColumn) {
    let column = term.value();
    let direction = if term.descending() { " DESC" } else { "" };
    // By itself the engine takes null for less than every value.
    let natural = if term.descending() {
        Nulls::Last
    } else {
        Nulls::First
    };
    if column.nullable() && term.nulls() != natural {
        printer.value(column);
        printer.push(" IS NULL");
        printer.push(direction);
        printer.push(", ");
    }
    if column.column_type().class() == TypeClass::Text {
        exact_text(printer, column);
    } else {
        printer.value(column);
    }
    printer.push(direction);
}
