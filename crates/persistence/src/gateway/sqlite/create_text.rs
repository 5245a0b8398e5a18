//! What only the text of a `CREATE TABLE` tells on SQLite: the names of constraints, the
//! conditions of CHECKs, the expressions of generated columns.
//!
//! The text is read by its tokens, in order, and what is not understood is skipped: tables
//! made elsewhere use every freedom that SQLite gives.

use sqlparser::dialect::SQLiteDialect;
use sqlparser::tokenizer::{Token, Tokenizer};
use tidegate_domain::gateway::schema::Check;

/// What a `CREATE TABLE` says beyond SQLite's own tables of its columns and keys.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct CreateText {
    /// CHECKs in their order; with the column where they stand behind one.
    pub(crate) checks: Vec<(Option<String>, Check)>,
    /// Generated columns and their expressions.
    pub(crate) generated: Vec<(String, String)>,
    /// The names of the foreign keys in their order, empty for one without.
    pub(crate) foreign_keys: Vec<String>,
    /// Whether the primary key never gives a number twice.
    pub(crate) auto_increment: bool,
}

/// Reads a `CREATE TABLE`; what cannot be read at all says nothing.
pub(crate) fn read(sql: &str) -> CreateText {
    let mut text = CreateText::default();
    let Some(tokens) = tokens(sql) else {
        return text;
    };
    let Some(open) = tokens.iter().position(|token| *token == Token::LParen) else {
        return text;
    };
    let Some(close) = closing(&tokens, open) else {
        return text;
    };
    let mut start = open + 1;
    let mut at = start;
    while at <= close {
        match tokens[at] {
            Token::LParen => at = closing(&tokens, at).unwrap_or(close),
            Token::Comma => {
                item(&tokens[start..at], &mut text);
                start = at + 1;
            }
            _ if at == close => item(&tokens[start..at], &mut text),
            _ => {}
        }
        at += 1;
    }
    text
}

/// Whether two texts are the same but for blanks, comments and the way names are quoted.
pub(crate) fn same(one: &str, other: &str) -> bool {
    let plain = |sql: &str| -> Option<Vec<String>> {
        let solid = tokens(sql)?
            .into_iter()
            .filter(|token| !matches!(token, Token::Whitespace(_)));
        Some(
            solid
                .map(|token| match token {
                    Token::Word(word) => word.value,
                    other => other.to_string(),
                })
                .collect(),
        )
    };
    plain(one).is_some_and(|one| plain(other) == Some(one))
}

fn tokens(sql: &str) -> Option<Vec<Token>> {
    Tokenizer::new(&SQLiteDialect {}, sql).tokenize().ok()
}

/// The place of the parenthesis that closes the one at `open`.
fn closing(tokens: &[Token], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token {
            Token::LParen => depth += 1,
            Token::RParen => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// A column with its constraints, or constraints of the table.
fn item(tokens: &[Token], text: &mut CreateText) {
    let solid: Vec<usize> = (0..tokens.len())
        .filter(|at| !matches!(tokens[*at], Token::Whitespace(_)))
        .collect();
    let Some(first) = solid.first().map(|at| &tokens[*at]) else {
        return;
    };
    let is_constraint = ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"]
        .iter()
        .any(|word| is_word(first, word));
    let column = (!is_constraint).then(|| name_of(first)).flatten();
    let mut next = usize::from(!is_constraint);
    let (mut name, mut in_foreign_key) = (None, false);
    while let Some(at) = solid.get(next).copied() {
        next += 1;
        let token = &tokens[at];
        if *token == Token::LParen {
            // A type's arguments, a default, a list of columns.
            let Some(close) = closing(tokens, at) else {
                return;
            };
            next = solid.partition_point(|at| *at <= close);
        } else if is_word(token, "CONSTRAINT") {
            name = solid.get(next).and_then(|at| name_of(&tokens[*at]));
            next += 1;
        } else if is_word(token, "CHECK") || is_word(token, "AS") {
            let Some(open) = solid
                .get(next)
                .copied()
                .filter(|at| tokens[*at] == Token::LParen)
            else {
                continue;
            };
            let Some(close) = closing(tokens, open) else {
                return;
            };
            let expression: String = tokens[open + 1..close]
                .iter()
                .map(Token::to_string)
                .collect();
            let expression = expression.trim().to_owned();
            if is_word(token, "CHECK") {
                text.checks.push((
                    column.clone(),
                    Check {
                        name: name.take().unwrap_or_default(),
                        expression,
                    },
                ));
            } else if let Some(column) = &column {
                text.generated.push((column.clone(), expression));
            }
            next = solid.partition_point(|at| *at <= close);
        } else if is_word(token, "FOREIGN") {
            text.foreign_keys.push(name.take().unwrap_or_default());
            in_foreign_key = true;
        } else if is_word(token, "REFERENCES") {
            if !in_foreign_key {
                text.foreign_keys.push(name.take().unwrap_or_default());
            }
            in_foreign_key = false;
        } else if ["PRIMARY", "UNIQUE", "DEFAULT", "NULL", "COLLATE"]
            .iter()
            .any(|word| is_word(token, word))
        {
            name = None;
        } else if is_word(token, "AUTOINCREMENT") {
            text.auto_increment = true;
        }
    }
}

fn is_word(token: &Token, text: &str) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(text))
}

/// A name; SQLite also takes texts for names.
fn name_of(token: &Token) -> Option<String> {
    match token {
        Token::Word(word) => Some(word.value.clone()),
        Token::SingleQuotedString(text) | Token::DoubleQuotedString(text) => Some(text.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_are_found_whatever_stands_around_them() {
        let text = read(
            "CREATE TABLE [odd \"t\"] (a INTEGER PRIMARY KEY AUTOINCREMENT, -- comment, with ( in it\n\
             \"check\" decimal(10,2) NOT NULL DEFAULT (1+(2)) CONSTRAINT \"c 1\" CHECK (\"check\" > 0 AND a <> 'x)'),\n\
             g int GENERATED ALWAYS AS (a + 1) STORED, h AS (a || ',') , p INT CONSTRAINT fk1 REFERENCES p(id) ON DELETE CASCADE,\n\
             q int REFERENCES p CHECK(q<9), CONSTRAINT u UNIQUE (a), CHECK (a > 1) CONSTRAINT fk2 FOREIGN KEY (p, q) REFERENCES r (x, y),\n\
             FOREIGN KEY (q) REFERENCES s(z))",
        );
        let checks: Vec<_> = text
            .checks
            .iter()
            .map(|(at, it)| (at.as_deref(), &*it.name, &*it.expression))
            .collect();
        assert_eq!(
            checks,
            [
                (Some("check"), "c 1", "\"check\" > 0 AND a <> 'x)'"),
                (Some("q"), "", "q<9"),
                (None, "", "a > 1")
            ]
        );
        assert_eq!(
            text.generated,
            [
                ("g".to_owned(), "a + 1".to_owned()),
                ("h".to_owned(), "a || ','".to_owned())
            ]
        );
        assert_eq!(text.foreign_keys, ["fk1", "", "fk2", ""]);
        assert!(text.auto_increment);
    }

    #[test]
    fn what_cannot_be_read_says_nothing() {
        for sql in [
            "",
            "CREATE TABLE t",
            "CREATE TABLE t (a",
            "CREATE TABLE t (a 'x",
            "CREATE VIRTUAL TABLE t USING fts5(a)",
        ] {
            let text = read(sql);
            assert!(
                text.checks.is_empty() && text.foreign_keys.is_empty(),
                "{sql}"
            );
        }
    }

    #[test]
    fn texts_are_compared_by_what_they_mean() {
        assert!(same(
            "CREATE TABLE \"t\"(a int, b  text)",
            "CREATE TABLE t (a int, /* x */ \"b\" text)"
        ));
        assert!(!same(
            "CREATE TABLE t (a int)",
            "CREATE TABLE t (a int NOT NULL)"
        ));
        assert!(!same(
            "CREATE TABLE t (a DEFAULT 'x')",
            "CREATE TABLE t (a DEFAULT x)"
        ));
    }
}
