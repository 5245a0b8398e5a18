//! Conditions.

use super::operand::{Target, target};
use super::{budget, json, search, value_error};
use crate::gateway::column_type::TypeClass;
use crate::gateway::schema::{Column, Table};
use crate::gateway::value::Value;
use crate::query::ask::{
    Clause, Comparison, Condition, Filter, IsValue, Operator, Quantifier, Query,
};
use crate::query::error::QueryError;
use crate::query::plan::{LikePart, Predicate, Search, Test};

/// The embeds that conditions on a row may name.
pub(super) trait Embeds {
    /// Whether there is one with this name.
    fn has(&self, name: &str) -> bool;

    /// That the embed with this name, which is there, has rows.
    fn present(&mut self, name: &str) -> Result<Predicate, QueryError>;
}

/// For rows without embeds.
struct NoEmbeds;

impl Embeds for NoEmbeds {
    fn has(&self, _: &str) -> bool {
        false
    }

    fn present(&mut self, _: &str) -> Result<Predicate, QueryError> {
        Ok(Predicate::Unknown)
    }
}

/// Which rows of a table a query asks for, where it embeds nothing.
pub(super) fn predicate(table: &Table, query: &Query) -> Result<Predicate, QueryError> {
    budget::keep(query)?;
    conditions(table, 0, query, &mut NoEmbeds)
}

/// Which rows of a statement's table a query asks for.
pub(super) fn conditions(
    table: &Table,
    source: usize,
    query: &Query,
    embeds: &mut dyn Embeds,
) -> Result<Predicate, QueryError> {
    let mut row = Row {
        table,
        source,
        embeds,
    };
    let mut parts = Vec::with_capacity(query.filters.len());
    for filter in &query.filters {
        parts.push(row.test(filter)?);
    }
    for clause in query.logic.iter().chain(&query.scope) {
        parts.push(row.within(clause)?);
    }
    Ok(Predicate::All(parts))
}

struct Row<'a> {
    table: &'a Table,
    source: usize,
    embeds: &'a mut dyn Embeds,
}

impl Row<'_> {
    fn within(&mut self, clause: &Clause) -> Result<Predicate, QueryError> {
        match clause {
            Clause::Column(filter) => self.test(filter),
            Clause::All(clauses) => self.each(clauses).map(Predicate::All),
            Clause::Any(clauses) => self.each(clauses).map(Predicate::Any),
            Clause::Not(clause) => Ok(Predicate::Not(Box::new(self.within(clause)?))),
        }
    }

    fn each(&mut self, clauses: &[Clause]) -> Result<Vec<Predicate>, QueryError> {
        clauses.iter().map(|clause| self.within(clause)).collect()
    }

    fn test(&mut self, filter: &Filter) -> Result<Predicate, QueryError> {
        let predicate = match self.embed(filter)? {
            Some(predicate) => predicate,
            None => {
                let target = target(self.table, self.source, &filter.operand)?;
                condition(&target, &filter.condition)?
            }
        };
        Ok(if filter.negated {
            Predicate::Not(Box::new(predicate))
        } else {
            predicate
        })
    }

    /// A filter that asks of an embed whether it has rows.
    fn embed(&mut self, filter: &Filter) -> Result<Option<Predicate>, QueryError> {
        let name = &filter.operand.column;
        if filter.operand.path.is_some() || !self.embeds.has(name) {
            return Ok(None);
        }
        match &filter.condition {
            Condition::Is(IsValue::NotNull) => self.embeds.present(name).map(Some),
            Condition::Is(IsValue::Null) => {
                let present = self.embeds.present(name)?;
                Ok(Some(Predicate::Not(Box::new(present))))
            }
            // An embed may be named like the column that leads to it.
            _ if self.table.column_index(name).is_some() => Ok(None),
            _ => Err(QueryError::EmbedFilter { name: name.clone() }),
        }
    }
}

/// What a condition asks of a value.
fn condition(target: &Target<'_>, asked: &Condition) -> Result<Predicate, QueryError> {
    let is = |test| Predicate::Test {
        value: target.value.clone(),
        test,
    };
    let test = match asked {
        Condition::Distinct(text) => {
            comparable(target, "isdistinct")?;
            let other = Test::Compare(Comparison::Neq, operand(target, text)?);
            return Ok(Predicate::Any(vec![is(Test::IsNull), is(other)]));
        }
        Condition::Quantified {
            quantifier,
            operator,
            values,
        } => {
            // Refused also where there is no value to be refused.
            condition_fits(target, *operator)?;
            if let Some(list) = list_of(*quantifier, *operator, values) {
                return condition(target, &Condition::In(list));
            }
            let parts = values.iter().map(|text| match text {
                Some(text) => condition(target, &operator.with(text.clone())),
                None => Ok(Predicate::Unknown),
            });
            let parts = parts.collect::<Result<_, _>>()?;
            return Ok(match quantifier {
                Quantifier::Any => Predicate::Any(parts),
                Quantifier::All => Predicate::All(parts),
            });
        }
        Condition::Compare(comparison, text) => {
            condition_fits(target, Operator::Compare(*comparison))?;
            let value = operand(target, text)?;
            let equality = matches!(comparison, Comparison::Eq | Comparison::Neq);
            // Engines do not agree which of two arrays or objects is the greater.
            let nested = matches!(&value, Value::Json(text) if text.starts_with(['[', '{']));
            if nested && !equality {
                return Err(target.operator_error(comparison.word()));
            }
            Test::Compare(*comparison, value)
        }
        Condition::Like {
            pattern,
            ignore_case,
        } => {
            let ignore_case = *ignore_case;
            condition_fits(target, Operator::Like { ignore_case })?;
            Test::Like {
                pattern: like_pattern(pattern),
                ignore_case,
            }
        }
        Condition::Match {
            pattern,
            ignore_case,
        } => {
            let ignore_case = *ignore_case;
            condition_fits(target, Operator::Match { ignore_case })?;
            Test::Match {
                pattern: pattern.clone(),
                ignore_case,
            }
        }
        // Without stems, the language of the configuration changes nothing.
        Condition::Search { syntax, query, .. } => {
            if target.class() != TypeClass::Text {
                return Err(target.operator_error(syntax.word()));
            }
            Test::Search(Search {
                terms: search::terms(*syntax, query)?,
                indexed: false,
            })
        }
        Condition::Contains(text) => Test::Contains(document(target, "cs", text)?),
        Condition::ContainedIn(text) => Test::ContainedIn(document(target, "cd", text)?),
        Condition::Overlaps(text) => {
            document_fits(target, "ov")?;
            let elements =
                json::elements(text).map_err(|fault| value_error(target.column, fault))?;
            Test::Overlaps(json::canonical(&elements))
        }
        Condition::In(texts) => {
            comparable(target, "in")?;
            let values = texts.iter().map(|text| operand(target, text));
            Test::In(values.collect::<Result<_, _>>()?)
        }
        Condition::Is(IsValue::Null) => Test::IsNull,
        Condition::Is(IsValue::NotNull) => Test::IsNotNull,
        Condition::Is(word) => {
            if target.class() != TypeClass::Boolean {
                return Err(target.operator_error("is"));
            }
            match word {
                IsValue::True => Test::IsTrue,
                IsValue::False => Test::IsFalse,
                _ => Test::IsNull,
            }
        }
    };
    Ok(is(test))
}

/// What a value is compared with.
fn operand(target: &Target<'_>, text: &str) -> Result<Value, QueryError> {
    let value = if target.is_json_place() {
        json::read(text).map(|json| json::value(&json))
    } else {
        target.value.column_type().operand(text)
    };
    value.map_err(|fault| value_error(target.column, fault))
}

/// Refuses to compare what has no equality.
fn comparable(target: &Target<'_>, operator: &str) -> Result<(), QueryError> {
    match target.class() {
        TypeClass::Json if target.is_json_place() => Ok(()),
        TypeClass::Json | TypeClass::Other => Err(target.operator_error(operator)),
        _ => Ok(()),
    }
}

fn document_fits(target: &Target<'_>, operator: &str) -> Result<(), QueryError> {
    if target.class() == TypeClass::Json {
        Ok(())
    } else {
        Err(target.operator_error(operator))
    }
}

/// The JSON document, in its canonical text, that another is to contain or to be contained in.
fn document(target: &Target<'_>, operator: &str, text: &str) -> Result<String, QueryError> {
    document_fits(target, operator)?;
    let json = json::document(text).map_err(|fault| value_error(target.column, fault))?;
    Ok(json::canonical(&json))
}

/// The values of `eq(any)` as a list, which engines look up better than as many alternatives.
fn list_of(
    quantifier: Quantifier,
    operator: Operator,
    values: &[Option<String>],
) -> Option<Vec<String>> {
    let eq = operator == Operator::Compare(Comparison::Eq);
    (eq && quantifier == Quantifier::Any)
        .then(|| values.iter().cloned().collect())
        .flatten()
}

/// Whether a predicate lets all rows through, or none, whatever they hold.
pub(super) fn always(predicate: &Predicate) -> Option<bool> {
    let all = |parts: &[Predicate], ends: bool| {
        let mut known = Some(!ends);
        for part in parts {
            match always(part) {
                Some(outcome) if outcome == ends => return Some(ends),
                Some(_) => {}
                None => known = None,
            }
        }
        known
    };
    match predicate {
        Predicate::All(parts) => all(parts, false),
        Predicate::Any(parts) => all(parts, true),
        Predicate::Not(inner) => always(inner).map(|outcome| !outcome),
        Predicate::Test {
            test: Test::In(values),
            ..
        } if values.is_empty() => Some(false),
        Predicate::Test { .. }
        | Predicate::Exists(_)
        | Predicate::Present(_)
        | Predicate::Unknown => None,
    }
}

/// Whether an operator can be used on a value of this type.
fn condition_fits(target: &Target<'_>, operator: Operator) -> Result<(), QueryError> {
    match operator {
        Operator::Compare(_) => comparable(target, operator.word()),
        Operator::Like { .. } | Operator::Match { .. } if target.class() == TypeClass::Text => {
            Ok(())
        }
        _ => Err(target.operator_error(operator.word())),
    }
}

pub(super) fn operator_error(column: &Column, operator: &str) -> QueryError {
    QueryError::Operator {
        operator: operator.to_owned(),
        column: column.name.clone(),
        column_type: column.column_type.to_string(),
    }
}

/// Takes a pattern apart: `*` and `%` are any run, `_` is one character, `\` makes the next
/// character ordinary (at the very end it stands for itself).
pub(super) fn like_pattern(pattern: &str) -> Vec<LikePart> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut characters = pattern.chars();
    while let Some(c) = characters.next() {
        let part = match c {
            '*' | '%' => LikePart::AnyRun,
            '_' => LikePart::AnyOne,
            '\\' => {
                literal.push(characters.next().unwrap_or('\\'));
                continue;
            }
            c => {
                literal.push(c);
                continue;
            }
        };
        if !literal.is_empty() {
            parts.push(LikePart::Literal(std::mem::take(&mut literal)));
        }
        // Several runs beside each other are one, which keeps a thousand wildcards cheap.
        if part != LikePart::AnyRun || parts.last() != Some(&LikePart::AnyRun) {
            parts.push(part);
        }
    }
    if !literal.is_empty() {
        parts.push(LikePart::Literal(literal));
    }
    parts
}
