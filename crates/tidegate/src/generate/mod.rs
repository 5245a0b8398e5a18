//! Files that the program writes for developers, below the root of the sources: a new
//! migration, and a new resource with everything that belongs to it.
//!
//! Where something is registered, the place is found by the line that begins the list.

pub mod migration;
pub mod resource;
mod templates;

use std::io;
use std::path::{Path, PathBuf};

/// The longest name of a migration, resource or field: a column's name has 64 characters.
const LONGEST_NAME: usize = 60;

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The name cannot be that of a module.
    #[error(
        "\"{0}\" is no name: 1 to {LONGEST_NAME} lower case letters, digits and _, first a letter"
    )]
    Name(String),
    /// What is to be made cannot be.
    #[error("{0}")]
    Definition(String),
    /// There is no list to register it in.
    #[error("{path} has no line \"{marker}\"")]
    Marker {
        /// The file that was read.
        path: PathBuf,
        /// The line that is missing.
        marker: &'static str,
    },
    /// There is one already.
    #[error("{0} exists already")]
    Exists(PathBuf),
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

fn file_error(path: &Path) -> impl FnOnce(io::Error) -> GenerateError {
    let path = path.to_owned();
    |source| GenerateError::File { path, source }
}

/// Whether a text can be the name of a module, a table and a column.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.len() <= LONGEST_NAME
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// The text with a line more, at the end of the block that begins with the line `head` and
/// ends before the line `end`.
fn add_last(
    file: &Path,
    text: &str,
    head: &'static str,
    end: &str,
    added: &str,
) -> Result<String, GenerateError> {
    let mut lines: Vec<&str> = text.lines().collect();
    let begin = lines.iter().position(|line| line.trim() == head);
    let place = begin.and_then(|begin| {
        let length = lines[begin..].iter().position(|line| line.trim() == end)?;
        Some(begin + length)
    });
    let Some(place) = place else {
        return Err(GenerateError::Marker {
            path: file.to_owned(),
            marker: head,
        });
    };
    lines.insert(place, added);
    Ok(lines.join("\n") + "\n")
}

/// The text with a module more, in the alphabetical order of those that are declared alike.
fn add_module(
    file: &Path,
    text: &str,
    start: &'static str,
    module: &str,
) -> Result<String, GenerateError> {
    let mut lines: Vec<&str> = text.lines().collect();
    let added = format!("{start}{module};");
    let name = |line: &str| line.rsplit(' ').next().unwrap_or_default().to_owned();
    // What an attribute stands before has a place of its own.
    let modules: Vec<usize> = (0..lines.len())
        .filter(|at| {
            let line = lines[*at];
            let declares = line.starts_with("mod ") || line.starts_with("pub mod ");
            let bare = *at == 0 || !lines[*at - 1].starts_with("#[");
            declares && line.ends_with(';') && bare
        })
        .collect();
    let before = modules
        .iter()
        .copied()
        .find(|at| name(lines[*at]) > name(&added));
    let last = modules.last().map(|last| last + 1);
    let Some(place) = before.or(last) else {
        return Err(GenerateError::Marker {
            path: file.to_owned(),
            marker: start,
        });
    };
    lines.insert(place, &added);
    Ok(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_keep_their_order() {
        let text = "//! X.\n\n#[macro_use]\nmod z;\n\npub mod a;\nmod c;\npub mod e;\n\nuse x;\n";
        let with = |module| add_module(Path::new("lib.rs"), text, "mod ", module).unwrap();
        assert_eq!(with("b"), text.replace("mod c;", "mod b;\nmod c;"));
        assert_eq!(with("f"), text.replace("pub mod e;", "pub mod e;\nmod f;"));
        assert!(add_module(Path::new("lib.rs"), "use x;", "mod ", "a").is_err());
    }
}
