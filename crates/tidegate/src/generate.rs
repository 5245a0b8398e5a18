//! `tidegate migrate generate`: a new migration with an empty `up` and `down`,
//! registered in the list of the migrations crate.
//!
//! The list is found by its head in `migrations/src/lib.rs`; a line is added at its end.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};

/// Folder of the migrations, below the root of the sources.
pub const FOLDER: &str = "migrations/src";
/// The head of the list.
const LIST: &str = "steps! {";

const LONGEST_NAME: usize = 60;

/// Why there is no new migration.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The name cannot be that of a module.
    #[error(
        "\"{0}\" is no name for a migration: 1 to {LONGEST_NAME} lower case letters, digits and _, first a letter"
    )]
    Name(String),
    /// There is no list to register it in.
    #[error("{path} has no line \"{marker}\"")]
    Marker {
        /// The file that was read.
        path: PathBuf,
        /// The head of the list, which is missing.
        marker: &'static str,
    },
    /// There is one of this name and second.
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

/// What is to be written.
#[derive(Debug, PartialEq, Eq)]
struct Generated {
    module: String,
    source: String,
    registered: String,
}

/// Writes the migration below `root` (the root of the sources) and returns the
/// path of the new file.
///
/// # Errors
/// A bad name, sources that are not there, or a file that cannot be written.
pub fn generate(root: &Path, name: &str, now: DateTime<Utc>) -> Result<PathBuf, GenerateError> {
    let folder = root.join(FOLDER);
    let list = folder.join("lib.rs");
    let file = |path: &Path| {
        let path = path.to_owned();
        |source| GenerateError::File { path, source }
    };
    let text = fs::read_to_string(&list).map_err(file(&list))?;
    let generated = plan(&list, &text, name, now)?;
    let path = folder.join(format!("{}.rs", generated.module));
    if path.exists() {
        return Err(GenerateError::Exists(path));
    }
    fs::write(&path, generated.source).map_err(file(&path))?;
    fs::write(&list, generated.registered).map_err(file(&list))?;
    Ok(path)
}

fn plan(
    list: &Path,
    text: &str,
    name: &str,
    now: DateTime<Utc>,
) -> Result<Generated, GenerateError> {
    let valid = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= LONGEST_NAME
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !valid {
        return Err(GenerateError::Name(name.to_owned()));
    }
    let module = format!("m{}_{name}", now.format("%Y%m%d_%H%M%S"));
    let registered = add_last(list, text, LIST, &format!("    {module},"))?;
    Ok(Generated {
        source: skeleton(name),
        module,
        registered,
    })
}

/// The text with a line more, at the end of the block that begins with the line `head` and
/// ends with a brace.
fn add_last(
    list: &Path,
    text: &str,
    head: &'static str,
    added: &str,
) -> Result<String, GenerateError> {
    let mut lines: Vec<&str> = text.lines().collect();
    let begin = lines.iter().position(|line| line.trim() == head);
    let end = begin.and_then(|begin| {
        let length = lines[begin..].iter().position(|line| line.trim() == "}")?;
        Some(begin + length)
    });
    let Some(end) = end else {
        return Err(GenerateError::Marker {
            path: list.to_owned(),
            marker: head,
        });
    };
    lines.insert(end, added);
    Ok(lines.join("\n") + "\n")
}

fn skeleton(name: &str) -> String {
    let title = name.replace('_', " ");
    format!(
        r#"//! Migration: {title}.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {{
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {{
        let _ = manager;
        Err(DbErr::Migration("{name}: up is not written yet".to_owned()))
    }}

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {{
        let _ = manager;
        Err(DbErr::Migration("{name}: down is not written yet".to_owned()))
    }}
}}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "steps! {\n    m1_first,\n}\n\nfn after() {\n}\n";

    fn at() -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_323_045, 0).unwrap()
    }

    #[test]
    fn writes_the_file_and_registers_it_last() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(FOLDER);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("lib.rs"), TEXT).unwrap();
        let path = generate(root.path(), "add_notes", at()).unwrap();
        assert_eq!(path, folder.join("m20260102_030405_add_notes.rs"));
        assert!(
            fs::read_to_string(&path)
                .unwrap()
                .starts_with("//! Migration: add notes.")
        );
        assert_eq!(
            fs::read_to_string(folder.join("lib.rs")).unwrap(),
            "steps! {\n    m1_first,\n    m20260102_030405_add_notes,\n}\n\nfn after() {\n}\n"
        );
        assert!(matches!(
            generate(root.path(), "add_notes", at()),
            Err(GenerateError::Exists(_))
        ));
    }

    #[test]
    fn refuses_names_that_are_no_modules() {
        for name in ["", "1st", "Add", "a-b", "a b", "../x", "ä", &"x".repeat(61)] {
            assert!(
                matches!(
                    plan(Path::new("lib.rs"), TEXT, name, at()),
                    Err(GenerateError::Name(_))
                ),
                "{name}"
            );
        }
    }

    #[test]
    fn says_what_is_missing() {
        let root = tempfile::tempdir().unwrap();
        assert!(matches!(
            generate(root.path(), "x", at()),
            Err(GenerateError::File { .. })
        ));
        let error = plan(Path::new("lib.rs"), "mod x;\n", "x", at()).unwrap_err();
        assert!(error.to_string().contains(LIST), "{error}");
    }

    #[test]
    fn finds_the_list_of_the_project() {
        let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/src/lib.rs");
        let text = fs::read_to_string(&list).unwrap();
        let generated = plan(&list, &text, "add_notes", at()).unwrap();
        assert_eq!(
            generated.registered.lines().count(),
            text.lines().count() + 1
        );
    }
}
