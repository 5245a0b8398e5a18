//! From what was asked back to the pairs that ask for it.

use tidegate_domain::query::ask::{
    Aggregated, Clause, Condition, Embed, Filter, JoinKind, Nulls, Operator, OrderTerm, Query,
    SelectItem, Selected,
};

use super::filter::{IS_VALUES, Place};
use super::key::print_in_key;
use super::lexical::{print_name, print_quoted};
use super::operand::print_operand;
use super::{Asked, Pairs};

/// Writes the pairs that read as `asked` again. Whether rows are counted is not said in the
/// URL and is left out, as is what the server adds.
#[must_use]
pub fn print(asked: &Asked) -> Pairs {
    let mut pairs = Pairs::new();
    let mut push = |key: &str, value: String| pairs.push((key.to_owned(), value));
    if !asked.query.select.is_empty() {
        push("select", joined(&asked.query.select, select_item));
    }
    if let Some(columns) = &asked.columns {
        push("columns", joined(columns, |column| print_name(column)));
    }
    if let Some(columns) = &asked.on_conflict {
        push("on_conflict", joined(columns, |column| print_name(column)));
    }
    rest(&mut pairs, "", &asked.query);
    pairs
}

/// All but the select of a query, and of what is embedded in it; `path` leads to it.
fn rest(pairs: &mut Pairs, path: &str, query: &Query) {
    let mut push = |key: &str, value: String| pairs.push((format!("{path}{key}"), value));
    for filter in &query.filters {
        let key = print_operand(&filter.operand, print_in_key);
        push(&key, condition(filter, Place::Alone));
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
    for item in &query.select {
        if let SelectItem::Embed(embed) = item {
            let path = format!("{path}{}.", print_in_key(embed.name()));
            rest(pairs, &path, &embed.query);
        }
    }
}

fn joined<T>(items: &[T], print: impl Fn(&T) -> String) -> String {
    items.iter().map(print).collect::<Vec<_>>().join(",")
}

fn select_item(item: &SelectItem) -> String {
    match item {
        SelectItem::Everything => "*".to_owned(),
        SelectItem::Column(selected) => value(selected),
        SelectItem::Embed(embed) => embedded(embed),
    }
}

fn alias(alias: Option<&String>) -> String {
    alias.map_or_else(String::new, |alias| format!("{}:", print_name(alias)))
}

fn cast(target: Option<&String>) -> String {
    target.map_or_else(String::new, |target| format!("::{target}"))
}

fn value(selected: &Selected) -> String {
    let mut text = alias(selected.alias.as_ref());
    if let Some(operand) = &selected.operand {
        text.push_str(&print_operand(operand, print_name));
        text.push_str(&cast(selected.cast.as_ref()));
    }
    if let Some(Aggregated {
        function,
        cast: target,
    }) = &selected.aggregate
    {
        if selected.operand.is_some() {
            text.push('.');
        }
        text.push_str(function.word());
        text.push_str("()");
        text.push_str(&cast(target.as_ref()));
    }
    text
}

fn embedded(embed: &Embed) -> String {
    let mut text = if embed.spread {
        "...".to_owned()
    } else {
        alias(embed.alias.as_ref())
    };
    // Without quotes, `count()` counts rows.
    text.push_str(&match embed.target.as_str() {
        "count" => print_quoted("count"),
        target => print_name(target),
    });
    if let Some(hint) = &embed.hint {
        text.push('!');
        text.push_str(&match hint.as_str() {
            "inner" | "left" => print_quoted(hint),
            hint => print_name(hint),
        });
    }
    text.push_str(match embed.join {
        None => "",
        Some(JoinKind::Inner) => "!inner",
        Some(JoinKind::Left) => "!left",
    });
    format!("{text}({})", joined(&embed.query.select, select_item))
}

fn order_term(term: &OrderTerm) -> String {
    let nulls = match term.nulls {
        None => "",
        Some(Nulls::First) => ".nullsfirst",
        Some(Nulls::Last) => ".nullslast",
    };
    let operand = print_operand(&term.operand, print_name);
    let operand = match &term.embed {
        Some(embed) => format!("{}({operand})", print_name(embed)),
        None => operand,
    };
    let direction = if term.descending { ".desc" } else { "" };
    format!("{operand}{direction}{nulls}")
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
            print_operand(&filter.operand, print_name),
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
        Condition::Match {
            pattern,
            ignore_case,
        } => {
            let operator = Operator::Match {
                ignore_case: *ignore_case,
            };
            format!("{not}{}.{}", operator.word(), text(pattern))
        }
        Condition::Search {
            syntax,
            config,
            query,
        } => {
            let config = match config {
                Some(config) => format!("({config})"),
                None => String::new(),
            };
            format!("{not}{}{config}.{}", syntax.word(), text(query))
        }
        Condition::Contains(document) => format!("{not}cs.{}", text(document)),
        Condition::ContainedIn(document) => format!("{not}cd.{}", text(document)),
        Condition::Overlaps(document) => format!("{not}ov.{}", text(document)),
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
