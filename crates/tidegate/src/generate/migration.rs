//! `tidegate migrate generate`: a new migration with an empty `up` and `down`,
//! registered in the list of the migrations crate.
//!
//! The list is found by its head in `migrations/src/lib.rs`; a line is added at its end.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::{GenerateError, add_last, file_error, is_name};

/// The folder of the migrations, below the root of the sources.
pub const FOLDER: &str = "migrations/src";
/// The head of the list.
pub(super) const LIST: &str = "steps! {";

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
    let text = fs::read_to_string(&list).map_err(file_error(&list))?;
    let generated = plan(&list, &text, name, now)?;
    let path = folder.join(format!("{}.rs", generated.module));
    if path.exists() {
        return Err(GenerateError::Exists(path));
    }
    fs::write(&path, generated.source).map_err(file_error(&path))?;
    fs::write(&list, generated.registered).map_err(file_error(&list))?;
    Ok(path)
}

fn plan(
    list: &Path,
    text: &str,
    name: &str,
    now: DateTime<Utc>,
) -> Result<Generated, GenerateError> {
    if !is_name(name) {
        return Err(GenerateError::Name(name.to_owned()));
    }
    let module = format!("m{}_{name}", now.format("%Y%m%d_%H%M%S"));
    let registered = add_last(list, text, LIST, "}", &format!("    {module},"))?;
    Ok(Generated {
        source: skeleton(name),
        module,
        registered,
    })
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
