//! From what was asked back to the pairs that ask for it.

use tidegate_domain::query::ask::{
    Clause, Condition, Filter, Nulls, Operator, OrderTerm, SelectItem,
};

use super::filter::{IS_VALUES, Place};
use super::lexical::{print_name, print_quoted};
use super::{Asked, Pairs};

/// Writes the pairs that read as `asked` again. Whether rows are counted is not said in the
/// URL and is left out.
#[must_use]
pub fn print(asked: &Asked) -> Pairs {
    let query = &asked.query;
    let mut pairs = Pairs::new();
    let mut push = |key: &str, value: String| pairs.push((key.to_owned(), value));
    if !query.select.is_empty() {
        push("select", joined(&query.select, select_item));
    }
    if let Some(columns) = &asked.columns {
        push("columns", joined(columns, |column| print_name(column)));
    }
    for filter in &query.filters {
        push(&key(&filter.column), condition(filter, Place::Alone));
    }
    for clause in &query.logic {
        let (word, clauses) = junction(clause);
        push(&word, format!("({})", joined(clauses, branch)));
    }
    if !query.order.is_empty() {
        push("order", joined(&query.order, order_term));
    }
    if let Some(limit) = query.limit {
        push("limit", limit.to_string());
    }
    if query.offset > 0 {
        push("offset", query.offset.to_string());
    }
    pairs
}

fn joined<T>(items: &[T], print: impl Fn(&T) -> String) -> String {
    items.iter().map(print).collect::<Vec<_>>().join(",")
}

/// A column's name as a key; one that is also a word of the grammar is put in quotes.
fn key(column: &str) -> String {
    match column {
        "select" | "columns" | "order" | "limit" | "offset" | "on_conflict" | "and" | "or" => {
            print_quoted(column)
        }
        _ => print_name(column),
    }
}

fn select_item(item: &SelectItem) -> String {
    match item {
        SelectItem::Everything => "*".to_owned(),
        SelectItem::Column { name, alias: None } => print_name(name),
        SelectItem::Column {
            name,
            alias: Some(alias),
        } => format!("{}:{}", print_name(alias), print_name(name)),
    }
}

fn order_term(term: &OrderTerm) -> String {
    let nulls = match term.nulls {
        None => "",
        Some(Nulls::First) => ".nullsfirst",
        Some(Nulls::Last) => ".nullslast",
    };
    format!(
        "{}{}{nulls}",
        print_name(&term.column),
        if term.descending { ".desc" } else { "" }
    )
}

/// The word of a junction, and what it joins; a condition alone is joined with nothing.
fn junction(clause: &Clause) -> (String, &[Clause]) {
    match clause {
        Clause::Any(clauses) => ("or".to_owned(), clauses),
        Clause::All(clauses) => ("and".to_owned(), clauses),
        Clause::Not(inner) => {
            let (word, clauses) = junction(inner);
            match word.strip_prefix("not.") {
                // Twice the opposite is the thing itself.
                Some(word) => (word.to_owned(), clauses),
                None => (format!("not.{word}"), clauses),
            }
        }
        Clause::Column(_) => ("and".to_owned(), std::slice::from_ref(clause)),
    }
}

fn branch(clause: &Clause) -> String {
    if let Clause::Column(filter) = clause {
        return format!(
            "{}.{}",
            print_name(&filter.column),
            condition(filter, Place::Tree)
        );
    }
    let (word, clauses) = junction(clause);
    format!("{word}({})", joined(clauses, branch))
}

fn condition(filter: &Filter, place: Place) -> String {
    let not = if filter.negated { "not." } else { "" };
    let text = |value: &str| match place {
        Place::Alone => value.to_owned(),
        Place::Tree => element(value),
    };
    match &filter.condition {
        Condition::Compare(comparison, value) => {
            format!("{not}{}.{}", comparison.word(), text(value))
        }
        Condition::Like {
            pattern,
            ignore_case,
        } => {
            let operator = Operator::Like {
                ignore_case: *ignore_case,
            };
            format!("{not}{}.{}", operator.word(), text(pattern))
        }
        Condition::Distinct(value) => format!("{not}isdistinct.{}", text(value)),
        Condition::Quantified {
            quantifier,
            operator,
            values,
        } => {
            let values = joined(values, |value| match value {
                Some(value) => print_quoted(value),
                None => "NULL".to_owned(),
            });
            let (operator, quantifier) = (operator.word(), quantifier.word());
            format!("{not}{operator}({quantifier}).{{{values}}}")
        }
        Condition::In(values) => format!("{not}in.({})", joined(values, |value| element(value))),
        Condition::Is(value) => {
            let word = IS_VALUES
                .iter()
                .find(|(_, known)| known == value)
                .map_or("null", |(word, _)| word);
            format!("{not}is.{word}")
        }
    }
}

fn element(value: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    if !value.is_empty() && value.chars().all(plain) {
        value.to_owned()
    } else {
        print_quoted(value)
    }
}
