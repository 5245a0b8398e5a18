//! Names out of the texts of error messages. Values that a client sent stand in the
//! same texts, always before the name, so that the last occurrence counts.

/// The name in quotes (`'a'`) or back-ticks (`` `db`.`t`.`a` ``, the last part) that
/// follows the last `marker`.
pub(super) fn name_after(message: &str, marker: &str) -> Option<String> {
    let rest = &message[message.rfind(marker)? + marker.len()..];
    match rest.chars().next()? {
        '\'' => plain_quoted(&rest[1..]),
        '`' => last_back_ticked(rest),
        _ => None,
    }
}

/// Quotes inside a name are not doubled in messages: the closing one is the first that
/// is followed by the end or by punctuation.
fn plain_quoted(rest: &str) -> Option<String> {
    let end = rest.match_indices('\'').map(|(at, _)| at).find(|at| {
        rest[at + 1..]
            .chars()
            .next()
            .is_none_or(|next| matches!(next, ' ' | '.' | ',' | ')' | ';'))
    })?;
    Some(rest[..end].to_owned())
}

fn last_back_ticked(mut rest: &str) -> Option<String> {
    loop {
        let mut name = String::new();
        let mut characters = rest.strip_prefix('`')?.char_indices().peekable();
        let end = loop {
            match characters.next()? {
                (_, '`') if characters.peek().is_some_and(|(_, next)| *next == '`') => {
                    characters.next();
                    name.push('`');
                }
                (at, '`') => break at + 2,
                (_, other) => name.push(other),
            }
        };
        match rest[end..].strip_prefix('.') {
            Some(more) if more.starts_with('`') => rest = more,
            _ => return Some(name),
        }
    }
}

/// The part behind the last full stop: `key` of `table.key`.
pub(super) fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_behind_values_that_look_like_them() {
        let cases = [
            (
                "Data too long for column 'a' at row 1",
                "column ",
                Some("a"),
            ),
            (
                "Incorrect integer value: 'for column 'x'' for column `d`.`t`.`a``b` at row 1",
                "column ",
                Some("a`b"),
            ),
            ("Column 'it's' cannot be null", "Column ", Some("it's")),
            ("nothing", "column ", None),
            ("column 'open", "column ", None),
            ("column `open", "column ", None),
        ];
        for (message, marker, expected) in cases {
            assert_eq!(
                name_after(message, marker).as_deref(),
                expected,
                "{message}"
            );
        }
    }
}
