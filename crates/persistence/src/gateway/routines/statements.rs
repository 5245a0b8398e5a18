//! Statements that the settings give a name, which are called like routines. SQLite has no
//! routines of its own; on servers they stand beside those that are there.
//!
//! Their parameters are written `:name`. The text is the administrator's, never a client's:
//! what clients send are values, and these are bound.

use std::collections::BTreeMap;

use tidegate_domain::gateway::column_type::ColumnType;
use tidegate_domain::gateway::routine::{Parameter, ParameterMode, Returns, Routine, RoutineKind};
use tidegate_domain::gateway::value::Value;

use super::super::type_text::read_type;

/// A statement with a name.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedStatement {
    /// The database it belongs to.
    pub database: String,
    /// Its name.
    pub name: String,
    parameters: Vec<Parameter>,
    returns: Returns,
    // Whether it only reads, where the settings say so.
    pub(crate) reads_only: Option<bool>,
    comment: String,
    // Columns of its result whose type the engine cannot tell.
    pub(crate) columns: BTreeMap<String, ColumnType>,
    pieces: Vec<Piece>,
}

/// A statement as the settings write it.
#[derive(Debug, Clone)]
pub struct StatementText<'a> {
    /// The database it belongs to.
    pub database: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its text.
    pub sql: &'a str,
    /// The types of its parameters.
    pub parameters: &'a BTreeMap<String, String>,
    /// `rows`, `values`, `scalar` or `void`.
    pub returns: &'a str,
    /// Types of columns of its result.
    pub columns: &'a BTreeMap<String, String>,
    /// Whether it only reads.
    pub read_only: Option<bool>,
    /// What it is for.
    pub comment: &'a str,
}

/// A part of a statement's text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// A parameter, by its place.
    Parameter(usize),
}

impl NamedStatement {
    /// Reads a statement.
    ///
    /// # Errors
    /// What is wrong, as a sentence without its subject.
    pub fn read(text: &StatementText<'_>) -> Result<Self, String> {
        if text.name.is_empty() || text.database.is_empty() {
            return Err("needs a database and a name".into());
        }
        let types =
            |given: &BTreeMap<String, String>| -> Result<Vec<(String, ColumnType)>, String> {
                let read = |(name, words): (&String, &String)| {
                    let column_type = read_type(words, false)
                        .ok_or_else(|| format!("has no type \"{words}\" for {name}"))?;
                    Ok((name.clone(), column_type))
                };
                given.iter().map(read).collect()
            };
        let parameters: Vec<Parameter> = types(text.parameters)?
            .into_iter()
            .map(|(name, column_type)| Parameter {
                name,
                column_type,
                mode: ParameterMode::In,
            })
            .collect();
        let returns = match text.returns {
            "rows" => Returns::Rows,
            "values" => Returns::Scalars,
            "scalar" => Returns::Scalar(None),
            "void" => Returns::Nothing,
            other => {
                return Err(format!(
                    "returns \"{other}\", which is not one of: rows, values, scalar, void"
                ));
            }
        };
        Ok(Self {
            database: text.database.to_owned(),
            name: text.name.to_owned(),
            pieces: pieces(text.sql, &parameters)?,
            parameters,
            returns,
            reads_only: text.read_only,
            comment: text.comment.to_owned(),
            columns: types(text.columns)?.into_iter().collect(),
        })
    }

    /// The routine that it stands for.
    pub(crate) fn routine(&self, reads_only: bool) -> Routine {
        Routine {
            name: self.name.clone(),
            kind: RoutineKind::Statement,
            parameters: self.parameters.clone(),
            returns: self.returns.clone(),
            reads_only,
            comment: self.comment.clone(),
        }
    }

    /// The text with numbered places (`?2`), as SQLite has them.
    pub(crate) fn numbered(&self) -> String {
        self.text(|at| format!("?{}", at + 1))
    }

    /// The text with plain places, and the values for them in their order.
    pub(crate) fn plain(&self, arguments: &[Value]) -> (String, Vec<Value>) {
        let places = self.pieces.iter().filter_map(|piece| match piece {
            Piece::Parameter(at) => Some(arguments.get(*at).cloned().unwrap_or(Value::Null)),
            Piece::Text(_) => None,
        });
        (self.text(|_| "?".to_owned()), places.collect())
    }

    fn text(&self, place: impl Fn(usize) -> String) -> String {
        self.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Parameter(at) => place(*at),
            })
            .collect()
    }
}

/// Takes a statement apart at its parameters.
fn pieces(sql: &str, parameters: &[Parameter]) -> Result<Vec<Piece>, String> {
    let sql = sql.trim().trim_end_matches(';').trim_end();
    if sql.is_empty() {
        return Err("has no statement".into());
    }
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = sql;
    while let Some(c) = rest.chars().next() {
        let skipped = skipped(rest);
        if skipped > 0 {
            let (quoted, after) = rest.split_at(skipped);
            text.push_str(quoted);
            rest = after;
            continue;
        }
        let after = &rest[c.len_utf8()..];
        let name_end = after
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(after.len());
        match c {
            ';' => return Err("is more than one statement".into()),
            '?' => return Err("has a `?`; parameters are written `:name`".into()),
            ':' if name_end > 0 => {
                let (name, behind) = after.split_at(name_end);
                let at = parameters.iter().position(|it| it.name == name);
                let at = at.ok_or_else(|| format!("uses :{name}, which has no type"))?;
                pieces.push(Piece::Text(std::mem::take(&mut text)));
                pieces.push(Piece::Parameter(at));
                rest = behind;
            }
            _ => {
                text.push(c);
                rest = after;
            }
        }
    }
    pieces.push(Piece::Text(text));
    let unused = parameters
        .iter()
        .enumerate()
        .find(|(at, _)| !pieces.contains(&Piece::Parameter(*at)));
    match unused {
        Some((_, parameter)) => Err(format!("does not use :{}", parameter.name)),
        None => Ok(pieces),
    }
}

/// How many bytes of a text in quotes, or of a comment, a statement begins with.
fn skipped(sql: &str) -> usize {
    let to = |start: &str, end: &str| {
        let rest = sql.strip_prefix(start)?;
        let length = rest.find(end).map_or(rest.len(), |at| at + end.len());
        Some(start.len() + length)
    };
    // A quote that is doubled inside ends one text and begins the next.
    [
        ("'", "'"),
        ("\"", "\""),
        ("`", "`"),
        ("--", "\n"),
        ("/*", "*/"),
    ]
    .into_iter()
    .find_map(|(start, end)| to(start, end))
    .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(
        sql: &'static str,
        parameters: &[(&'static str, &'static str)],
    ) -> Result<NamedStatement, String> {
        NamedStatement::read(&StatementText {
            database: "shop",
            name: "f",
            sql,
            parameters: &parameters
                .iter()
                .map(|(name, words)| ((*name).into(), (*words).into()))
                .collect(),
            returns: "rows",
            columns: &BTreeMap::new(),
            read_only: None,
            comment: "",
        })
    }

    #[test]
    fn parameters_become_places() {
        let sql = "SELECT ':x', \":x\" /* :x */, :b + :a FROM t -- :x\n WHERE a = :a;";
        let statement = read(sql, &[("a", "int"), ("b", "decimal(4,2)")]).unwrap();
        assert_eq!(
            statement.numbered(),
            "SELECT ':x', \":x\" /* :x */, ?2 + ?1 FROM t -- :x\n WHERE a = ?1"
        );
        let (text, values) = statement.plain(&[Value::Int(1), Value::Int(2)]);
        assert!(text.contains("? + ? FROM"), "{text}");
        assert_eq!(values, [Value::Int(2), Value::Int(1), Value::Int(1)]);
        assert_eq!(
            read("SELECT 'it''s :x', :=", &[]).unwrap().numbered(),
            "SELECT 'it''s :x', :="
        );
    }

    #[test]
    fn what_cannot_be_run_is_refused_by_name() {
        for (sql, parameters, fault) in [
            ("SELECT 1; SELECT 2", &[][..], "is more than one statement"),
            ("SELECT ?", &[], "has a `?`; parameters are written `:name`"),
            ("SELECT :a", &[], "uses :a, which has no type"),
            ("SELECT 1", &[("a", "int")], "does not use :a"),
            ("SELECT :a", &[("a", "quux")], "has no type \"quux\" for a"),
            (" ; ", &[], "has no statement"),
        ] {
            assert_eq!(read(sql, parameters).unwrap_err(), fault, "{sql}");
        }
    }
}
