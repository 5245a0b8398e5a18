//! The file of named statements: SQL that clients may call by a name, below
//! `/rest/{database}/rpc/`.
//!
//! ```toml
//! [[functions]]
//! database = "harbour"
//! name = "deeper_than"
//! sql = "SELECT id, name FROM ship WHERE draught_m > :least"
//! parameters = { least = "decimal(4,2)" }
//! ```

use std::collections::BTreeMap;
use std::fs;

use serde::Deserialize;
use tidegate_persistence::gateway::routines::statements::{NamedStatement, StatementText};
use toml::Table;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    functions: Vec<Function>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Function {
    database: String,
    name: String,
    sql: String,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    /// `rows`, `values`, `scalar` or `void`.
    #[serde(default = "rows")]
    returns: String,
    /// Types of columns of the result that the engine cannot tell.
    #[serde(default)]
    columns: BTreeMap<String, String>,
    read_only: Option<bool>,
    #[serde(default)]
    comment: String,
}

fn rows() -> String {
    "rows".to_owned()
}

/// Reads the file.
pub(super) fn functions(path: &str) -> Result<Vec<NamedStatement>, String> {
    let text =
        fs::read_to_string(path).map_err(|e| format!("the file {path} cannot be read: {e}"))?;
    parse(&text).map_err(|message| format!("in the file {path}: {message}"))
}

fn parse(text: &str) -> Result<Vec<NamedStatement>, String> {
    let table: Table = text
        .parse()
        .map_err(|error: toml::de::Error| error.message().to_owned())?;
    let file = File::deserialize(table).map_err(|error| error.message().to_owned())?;
    let mut statements: Vec<NamedStatement> = Vec::with_capacity(file.functions.len());
    for function in &file.functions {
        let statement = read(function).map_err(|fault| format!("{} {fault}", function.name))?;
        let twice =
            |it: &NamedStatement| it.database == statement.database && it.name == statement.name;
        if statements.iter().any(twice) {
            return Err(format!("{} is there twice", function.name));
        }
        statements.push(statement);
    }
    Ok(statements)
}

fn read(function: &Function) -> Result<NamedStatement, String> {
    NamedStatement::read(&StatementText {
        database: &function.database,
        name: &function.name,
        sql: &function.sql,
        parameters: &function.parameters,
        returns: &function.returns,
        columns: &function.columns,
        read_only: function.read_only,
        comment: &function.comment,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_read_with_all_that_is_wrong_told_by_name() {
        let good = "[[functions]]\ndatabase = 'd'\nname = 'f'\nsql = 'SELECT :a'\nparameters = { a = 'int' }\n";
        assert_eq!(parse(good).unwrap().len(), 1);
        assert!(parse("").unwrap().is_empty());
        for (text, fault) in [
            (format!("{good}{good}"), "f is there twice"),
            (
                good.replace("'int'", "'quux'"),
                "f has no type \"quux\" for a",
            ),
            (good.replace(":a", "1"), "f does not use :a"),
            (
                format!("{good}returns = 'table'\n"),
                "f returns \"table\", which is not one of: rows, values, scalar, void",
            ),
            (good.replace("name", "nme"), "unknown field"),
            ("functions = 7".to_owned(), "invalid type"),
        ] {
            let told = parse(&text).unwrap_err();
            assert!(told.starts_with(fault), "{told}");
        }
        assert!(
            functions("/nowhere/functions.toml")
                .unwrap_err()
                .contains("cannot be read")
        );
    }
}
