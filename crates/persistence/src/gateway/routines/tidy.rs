//! Which routines of servers leave nothing behind in their session, as far as their text tells.
//!
//! What is not understood counts as untidy: that costs a connection, the other the next caller's
//! settings.

use std::collections::HashSet;
use std::iter::Peekable;
use std::str::Chars;

use tidegate_domain::gateway::routine::Routine;

/// Words of a routine that may leave something behind in its session, or end the transaction in
/// which it is called.
const UNTIDY_WORDS: [&str; 18] = [
    "autocommit",
    "call",
    "commit",
    "execute",
    "flush",
    "get_lock",
    "global",
    "handler",
    "isolation",
    "local_infile",
    "lock",
    "names",
    "prepare",
    "rollback",
    "session",
    "temporary",
    "transaction",
    "xa",
];
/// The same, within words. Texts that can be read in two ways, by the server's mode or version,
/// are among them: quotes that may hold a name, escapes, comments that are carried out.
const UNTIDY_PARTS: [&str; 13] = [
    "@",
    "sql_",
    "character_set",
    "charset",
    "collation_",
    "_checks",
    "_mode",
    "time_zone",
    "_timeout",
    "\\",
    "\"",
    "/*!",
    "/*m!",
];
/// What a statement may follow.
const OPENING: [&str; 7] = ["begin", "do", "else", "loop", "repeat", "then", ";"];

/// Whether a routine cannot leave anything behind in its session. What calls other routines may
/// do what they do; `routines` are their names in small letters.
pub(crate) fn is_tidy(routine: &Routine, text: Option<&str>, routines: &HashSet<String>) -> bool {
    let Some(text) = text.map(str::to_lowercase) else {
        return false;
    };
    let name = routine.name.to_lowercase();
    let is_untidy =
        |word: &str| UNTIDY_WORDS.contains(&word) || (word != name && routines.contains(word));
    let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$');
    if UNTIDY_PARTS.iter().any(|part| text.contains(part)) || words.any(is_untidy) {
        return false;
    }
    let Some(tokens) = tokens(&text) else {
        return false;
    };
    let mut own: HashSet<&str> = declared(&tokens);
    let parameters: Vec<String> = routine
        .parameters
        .iter()
        .map(|it| it.name.to_lowercase())
        .collect();
    own.extend(parameters.iter().map(String::as_str));
    // A name in back-ticks may hold anything.
    !tokens.iter().any(|token| is_untidy(token))
        && !calls_elsewhere(&tokens)
        && (0..tokens.len()).all(|at| sets_only(&tokens, at, &own))
}

/// The words, names and signs of a text, without strings and comments; none where one of these
/// does not end.
fn tokens(text: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let next = rest.peek().copied();
        match (c, next) {
            (c, _) if c.is_whitespace() => {}
            ('\'', _) => {
                until(&mut rest, '\'')?;
                found.push("'".to_owned());
            }
            ('`', _) => found.push(until(&mut rest, '`')?),
            ('#', _) => drop(until(&mut rest, '\n')),
            ('-', Some('-')) => {
                rest.next();
                if rest
                    .peek()
                    .is_none_or(|c| c.is_whitespace() || c.is_control())
                {
                    // The sign after the marks may be the end of the line itself.
                    drop(until(&mut rest, '\n'));
                }
            }
            ('/', Some('*')) => {
                rest.next();
                loop {
                    until(&mut rest, '*')?;
                    if rest.next_if_eq(&'/').is_some() {
                        break;
                    }
                }
            }
            (':', Some('=')) => {
                rest.next();
                found.push(":=".to_owned());
            }
            (c, _) if is_of_word(c) => {
                let mut word = String::from(c);
                while let Some(c) = rest.next_if(|c| is_of_word(*c)) {
                    word.push(c);
                }
                found.push(word);
            }
            (c, _) => found.push(c.to_string()),
        }
    }
    Some(found)
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$')
}

/// What stands before this sign, which is taken as well.
fn until(rest: &mut Peekable<Chars<'_>>, end: char) -> Option<String> {
    let mut before = String::new();
    loop {
        match rest.next()? {
            c if c == end => return Some(before),
            c => before.push(c),
        }
    }
}

/// The names after each `DECLARE`.
fn declared(tokens: &[String]) -> HashSet<&str> {
    let mut names = HashSet::new();
    let mut rest = tokens.iter().map(String::as_str).peekable();
    while let Some(token) = rest.next() {
        if token != "declare" {
            continue;
        }
        names.extend(rest.next());
        while rest.next_if_eq(&",").is_some() {
            names.extend(rest.next());
        }
    }
    names
}

/// Whether something of another database may be called.
fn calls_elsewhere(tokens: &[String]) -> bool {
    tokens
        .windows(3)
        .any(|it| matches!(it, [dot, _, open] if dot == "." && open == "("))
}

/// Whether the token at this place, if it sets anything, sets columns of the rows that a
/// statement writes, or what is the routine's own.
fn sets_only(tokens: &[String], at: usize, own: &HashSet<&str>) -> bool {
    let (before, rest) = tokens.split_at(at);
    let Some((token, after)) = rest.split_first() else {
        return true;
    };
    match token.as_str() {
        "set" => {
            let mut statement = before
                .rsplit(|token| OPENING.contains(&token.as_str()))
                .next()
                .unwrap_or_default()
                .iter();
            match statement.next().map(String::as_str) {
                None => {
                    let list: Vec<&str> = after
                        .iter()
                        .map(String::as_str)
                        .take_while(|token| *token != ";")
                        .collect();
                    assigns_only(&list, own)
                }
                Some(verb) => matches!(verb, "update" | "insert" | "replace"),
            }
        }
        ":=" => match before {
            [.., new, dot, _] if dot == "." => new == "new",
            [.., name] => own.contains(name.as_str()),
            [] => false,
        },
        _ => true,
    }
}

/// Whether each target of the list is the routine's own, or a column of a trigger's new row.
fn assigns_only(mut list: &[&str], own: &HashSet<&str>) -> bool {
    loop {
        list = match list {
            ["new", ".", _, "=" | ":=", rest @ ..] => rest,
            [name, "=" | ":=", rest @ ..] if own.contains(name) => rest,
            _ => return false,
        };
        let mut depth = 0_usize;
        let comma = list.iter().position(|token| {
            match *token {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                _ => {}
            }
            *token == "," && depth == 0
        });
        match comma.and_then(|at| list.get(at + 1..)) {
            Some(rest) => list = rest,
            None => return true,
        }
    }
}

#[cfg(test)]
mod tests {
    use tidegate_domain::gateway::column_type::ColumnType;
    use tidegate_domain::gateway::routine::{Parameter, ParameterMode, Returns, RoutineKind};

    use super::*;

    #[test]
    fn only_what_is_known_to_be_tidy_is() {
        let me = Routine {
            name: "me".into(),
            kind: RoutineKind::Procedure,
            parameters: vec![Parameter {
                name: "Given".into(),
                column_type: ColumnType::Date,
                mode: ParameterMode::InOut,
            }],
            returns: Returns::Rows,
            reads_only: false,
            comment: String::new(),
        };
        let routines = HashSet::from(["total".to_owned(), "me".to_owned()]);
        for text in [
            "BEGIN SELECT a FROM t WHERE b = x; END",
            "BEGIN DECLARE n INT; SET n = 1; INSERT INTO t VALUES (n); END",
            "BEGIN DECLARE a, b INT; SET a = IF(1, 2, 3), `b` := 1, given = NOW(); END",
            "RETURN me + 1",
            "UPDATE t SET a = 1, b = 'it''s; set' WHERE c = 2",
            "BEGIN /* set x = 1 */ INSERT INTO t SET a = 1; -- set\n SELECT 1; # set\n END",
            "IF given THEN UPDATE t SET a = 1; ELSE SET given = 2; END IF",
            "SET NEW.a = 1",
        ] {
            assert!(is_tidy(&me, Some(text), &routines), "{text}");
        }
        for text in [
            "CREATE TEMPORARY TABLE x (a INT)",
            "SELECT total(a) FROM t",
            "SELECT `total`(a) FROM t",
            "SELECT other.f(1)",
            "SET SESSION sql_mode = ''",
            "SET sql_mode = ''",
            "SET @a = 1",
            "DO Get_Lock('a', 1)",
            "SET timestamp = 1",
            "BEGIN DECLARE n INT; SET n = 1, timestamp = 1; END",
            "SET tx_read_only = 1",
            "SET max_statement_time = 1",
            "SET transaction_isolation = 'READ-UNCOMMITTED'",
            "SET ROLE x",
            "SET STATEMENT max_statement_time = 1 FOR SELECT 1",
            "IF given THEN SET timestamp = 1; END IF",
            "BEGIN /* ; update */ SET timestamp = 1; END",
            "BEGIN -- insert\n SET timestamp = 1; END",
            "BEGIN SELECT ';update'; SET timestamp = 1; END",
            "BEGIN SELECT 1--1; SET timestamp = 1; END",
            "BEGIN --\nSET timestamp = 1; END",
            "/*!50000 SET timestamp = 1 */",
            "timestamp := 1",
            "BEGIN SET given = CASE WHEN 1 THEN 2 END, timestamp = 1; END",
            "SET given = REPEAT('x', 2), timestamp = 1",
            "BEGIN COMMIT; SET TRANSACTION READ ONLY; END",
            "FLUSH TABLES WITH READ LOCK",
            "XA START 'a'",
            "ROLLBACK",
            "SELECT 'open",
        ] {
            assert!(!is_tidy(&me, Some(text), &routines), "{text}");
        }
        assert!(!is_tidy(&me, None, &routines));
    }
}
