//! Whole column definitions as text, `INT PRIMARY KEY`: the early gateway route has them.
//!
//! The text is parsed as the one column of one table, so that nothing else can hide in it;
//! what is not a supported option is refused by name.

use sqlparser::ast::{
    ColumnDef, ColumnOption, CreateTable, Expr, Statement, UnaryOperator, Value as Sql,
};
use sqlparser::dialect::MySqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer, Whitespace};

use super::default::Defaults;
use crate::error::{InvalidInput, escape_pointer};
use crate::gateway::change::{ColumnDraft, TableDraft};
use crate::gateway::column_type::{ColumnType, TypeClass};
use crate::gateway::name::Identifier;
use crate::gateway::schema::DefaultValue;

impl TableDraft {
    /// A table from its columns' definitions in SQL, in their order; names by the rule of the
    /// early routes ([`Identifier::plain`]).
    ///
    /// # Errors
    /// Every fault, at `/table_schema/{column}`.
    pub fn from_definitions(
        name: &str,
        columns: &[(String, String)],
    ) -> Result<Self, InvalidInput> {
        let mut faults = InvalidInput::default();
        let name = faults.collect("/table_name", Identifier::plain(name));
        let mut draft_columns = Vec::new();
        let mut primary_key = Vec::new();
        for (column, definition) in columns {
            let pointer = format!("/table_schema/{}", escape_pointer(column));
            let parsed = Identifier::plain(column).and_then(|name| {
                let parsed = parse_definition(&name, definition);
                parsed
                    .map_err(|detail| InvalidInput::at("", format!("column `{column}`: {detail}")))
            });
            if let Some((draft, is_key)) = faults.collect(&pointer, parsed) {
                if is_key {
                    primary_key.push(column.clone());
                }
                draft_columns.push(draft);
            }
        }
        if columns.is_empty() {
            faults.errors.extend(
                InvalidInput::member("table_schema", "must name one column or more").errors,
            );
        }
        if primary_key.len() > 1 {
            faults.errors.extend(
                InvalidInput::member("table_schema", "has more than one PRIMARY KEY").errors,
            );
        }
        match name {
            Some(name) if faults.errors.is_empty() => {
                let mut draft = Self {
                    name,
                    columns: draft_columns,
                    primary_key,
                    indexes: Vec::new(),
                    foreign_keys: Vec::new(),
                    comment: String::new(),
                };
                let outcome = draft.check("/columns");
                outcome.map_err(|faults| placed(faults, &draft))?;
                Ok(draft)
            }
            _ => Err(faults),
        }
    }
}

/// Faults of a table's parts, moved to the column in whose definition they are.
fn placed(mut faults: InvalidInput, draft: &TableDraft) -> InvalidInput {
    for error in &mut faults.errors {
        let pointer = std::mem::take(&mut error.pointer);
        let mut parts = pointer.split('/').skip(1);
        let column = match parts.next() {
            Some("columns") => parts
                .next()
                .and_then(|at| draft.columns.get(at.parse::<usize>().ok()?))
                .map(|column| column.name.as_str()),
            Some("primary_key") => draft.primary_key.first().map(String::as_str),
            _ => None,
        };
        error.pointer = "/table_schema".to_owned();
        if let Some(name) = column {
            let member = parts.next().map(|member| format!("{member} "));
            error.detail = format!(
                "column `{name}`: {}{}",
                member.unwrap_or_default(),
                error.detail
            );
            error.pointer = format!("/table_schema/{}", escape_pointer(name));
        }
    }
    faults
}

/// Looks at a definition by its pieces, so that quoted texts may hold anything: no comment,
/// which could hide what follows from one parser and not from another, and nothing that would
/// leave the one column of the statement around it.
fn check_tokens(text: &str) -> Result<(), String> {
    // What stands in such a comment is code for MySQL.
    if text.contains("/*!") || text.contains('\0') {
        return Err("a definition holds no comments and no NUL".to_owned());
    }
    let tokens = Tokenizer::new(&MySqlDialect {}, text)
        .tokenize()
        .map_err(|_| wrong())?;
    let mut depth = 0_usize;
    for token in &tokens {
        match token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.checked_sub(1).ok_or_else(wrong)?,
            Token::Comma if depth == 0 => {
                return Err("is more than one column's definition".to_owned());
            }
            Token::SemiColon
            | Token::Whitespace(
                Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_),
            ) => return Err("a definition holds no comments and no semicolons".to_owned()),
            Token::Word(word) if word.quote_style.is_some() => {
                return Err("a definition holds no quoted names".to_owned());
            }
            _ => {}
        }
    }
    if depth == 0 { Ok(()) } else { Err(wrong()) }
}

fn wrong() -> String {
    "is not one column definition such as `VARCHAR(50) NOT NULL`".to_owned()
}

/// The column, and whether it is the primary key.
fn parse_definition(name: &Identifier, text: &str) -> Result<(ColumnDraft, bool), String> {
    if text.chars().count() > 4_000 {
        return Err("a definition has at most 4,000 characters".to_owned());
    }
    check_tokens(text)?;
    let statement = format!("CREATE TABLE t (c {text})");
    let mut statements = Parser::parse_sql(&MySqlDialect {}, &statement).map_err(|_| wrong())?;
    let Some(Statement::CreateTable(CreateTable {
        mut columns,
        constraints,
        ..
    })) = statements.pop()
    else {
        return Err(wrong());
    };
    let Some(ColumnDef {
        name: parsed_name,
        data_type,
        options,
    }) = columns.pop()
    else {
        return Err(wrong());
    };
    if !statements.is_empty()
        || !columns.is_empty()
        || !constraints.is_empty()
        || parsed_name.value != "c"
    {
        return Err(wrong());
    }
    let column_type =
        ColumnType::parse(&data_type.to_string()).map_err(|fault| fault.to_string())?;
    let mut draft = ColumnDraft {
        name: name.clone(),
        column_type,
        nullable: true,
        default: None,
        auto_increment: false,
        unique: false,
        comment: String::new(),
    };
    let (mut is_key, mut renewed) = (false, false);
    for option in options {
        if option.name.is_some() {
            return Err("CONSTRAINT is not supported here".to_owned());
        }
        match option.option {
            ColumnOption::Null => draft.nullable = true,
            ColumnOption::NotNull => draft.nullable = false,
            ColumnOption::Unique(key) if key.characteristics.is_none() => draft.unique = true,
            ColumnOption::PrimaryKey(key) if key.characteristics.is_none() => {
                is_key = true;
                draft.nullable = false;
            }
            ColumnOption::Comment(comment) => draft.comment = comment,
            ColumnOption::Default(expression) => {
                draft.default = Some(default(&draft.column_type, &expression)?)
            }
            ColumnOption::OnUpdate(expression) => {
                if !Defaults::is_now(&expression.to_string()) {
                    return Err("ON UPDATE goes with CURRENT_TIMESTAMP only".to_owned());
                }
                renewed = true;
            }
            ColumnOption::DialectSpecific(tokens)
                if tokens
                    .iter()
                    .map(ToString::to_string)
                    .collect::<String>()
                    .eq_ignore_ascii_case("AUTO_INCREMENT") =>
            {
                draft.auto_increment = true;
            }
            other => {
                let option: String = other.to_string().chars().take(40).collect();
                return Err(format!(
                    "`{option}` is not supported here; use POST /databases/{{db}}/tables for keys and foreign keys"
                ));
            }
        }
    }
    if renewed {
        // The two options may stand in either order.
        match &mut draft.default {
            Some(DefaultValue::CurrentTimestamp { on_update }) => *on_update = true,
            _ => return Err("ON UPDATE goes with DEFAULT CURRENT_TIMESTAMP only".to_owned()),
        }
    }
    Ok((draft, is_key))
}

fn default(column_type: &ColumnType, expression: &Expr) -> Result<DefaultValue, String> {
    let other = || "a DEFAULT is a literal or CURRENT_TIMESTAMP".to_owned();
    match expression {
        Expr::Function(_) | Expr::Identifier(_) if Defaults::is_now(&expression.to_string()) => {
            Defaults::current_timestamp(column_type)
        }
        Expr::Nested(inner) => default(column_type, inner),
        Expr::UnaryOp { op, expr } => match (op, expr.as_ref()) {
            (UnaryOperator::Minus, Expr::Value(value)) => match &value.value {
                Sql::Number(number, _) => Defaults::literal(column_type, &format!("-{number}")),
                _ => Err(other()),
            },
            (UnaryOperator::Plus, Expr::Value(value)) => match &value.value {
                Sql::Number(number, _) => literal(column_type, &Sql::Number(number.clone(), false)),
                _ => Err(other()),
            },
            _ => Err(other()),
        },
        Expr::Value(value) => literal(column_type, &value.value),
        _ => Err(other()),
    }
}

fn literal(column_type: &ColumnType, value: &Sql) -> Result<DefaultValue, String> {
    match (column_type.class(), value) {
        (_, Sql::Null) => Ok(DefaultValue::Null),
        // A number stands for itself, and not for the bits that it looks like.
        (TypeClass::Bits, Sql::Number(number, _)) => match number.parse::<u64>() {
            Ok(bits) => Defaults::literal(column_type, &format!("{bits:b}")),
            Err(_) => Defaults::literal(column_type, number),
        },
        (
            _,
            Sql::Number(text, _) | Sql::SingleQuotedString(text) | Sql::DoubleQuotedString(text),
        ) => Defaults::literal(column_type, text),
        (_, Sql::Boolean(value)) => Defaults::literal(column_type, if *value { "1" } else { "0" }),
        (
            TypeClass::Bits | TypeClass::Boolean,
            Sql::SingleQuotedByteStringLiteral(bits) | Sql::DoubleQuotedByteStringLiteral(bits),
        ) => Defaults::literal(column_type, bits),
        (TypeClass::Bytes, Sql::HexStringLiteral(digits)) => {
            Defaults::literal(column_type, &format!("\\x{digits}"))
        }
        _ => Err("a DEFAULT is a literal or CURRENT_TIMESTAMP".to_owned()),
    }
}
