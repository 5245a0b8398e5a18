//! `tidegate new resource`: a resource of the application with its table, its types, its
//! routes and its tests, entered in the five places that must know of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::{DateTime, Utc};

use tidegate_http::resource::type_name;

use super::migration::{FOLDER as MIGRATIONS, LIST as STEPS};
use super::{GenerateError, add_last, add_module, file_error, is_name, templates};

/// The list of the program's resources.
const RESOURCES: &str = "crates/tidegate/src/resources.rs";
/// The line that begins it, and the one after its end.
const RESOURCES_HEAD: &str = "// Plain resources.";
const RESOURCES_END: &str = "// Resources with rules of their own.";

/// Names that a record, a list or a language of ours has already.
const TAKEN: [&str; 8] = [
    "id",
    "created_at",
    "updated_at",
    "user_id",
    "limit",
    "page",
    "sort_by",
    "order",
];
/// Rust's words (reference, section 2.1.1), which no member can be called.
const KEYWORDS: &str = "abstract as async await become box break const continue crate do dyn else enum extern \
     false final fn for gen if impl in let loop macro match mod move mut override priv pub ref return \
     self static struct super trait true try type typeof unsafe unsized use virtual where while yield";

/// Types that the written files use, beside which one of a resource's could not stand.
const TYPES: [&str; 24] = [
    "Column",
    "Date",
    "Day",
    "Deserialize",
    "Entity",
    "Err",
    "Line",
    "List",
    "Method",
    "Model",
    "Moment",
    "None",
    "Ok",
    "Option",
    "Record",
    "Resource",
    "Result",
    "Serialize",
    "Some",
    "Spec",
    "String",
    "Text",
    "Unreadable",
    "Value",
];
/// Tables of Tidegate's own that no path is called after.
const TABLES: [&str; 5] = [
    "api_keys",
    "idempotency_keys",
    "refresh_tokens",
    "sessions",
    "votes",
];

/// A resource to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// What several are called: path and table.
    pub(super) plural: String,
    /// What one is called.
    pub(super) singular: String,
    /// The name of its type.
    pub(super) type_name: String,
    /// Whether users make their own.
    pub(super) owned: bool,
    /// Its members, one or more.
    pub(super) fields: Vec<Field>,
}

/// A member of the draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) optional: bool,
    pub(super) unique: bool,
}

/// What a member holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    String,
    Text,
    Int,
    Float,
    Bool,
    Date,
    DateTime,
}

impl Kind {
    const ALL: [(&'static str, Kind); 7] = [
        ("string", Kind::String),
        ("text", Kind::Text),
        ("int", Kind::Int),
        ("float", Kind::Float),
        ("bool", Kind::Bool),
        ("date", Kind::Date),
        ("datetime", Kind::DateTime),
    ];
}

impl Field {
    /// Whether lists can be sorted by it, for which it is indexed.
    pub(super) fn is_sorted(&self) -> bool {
        !matches!(self.kind, Kind::Text | Kind::Bool)
    }

    /// Reads `name:type`, `name:type?` (may be null), `name:type:unique`.
    fn parse(text: &str) -> Result<Self, GenerateError> {
        let fault = |what: &str| GenerateError::Definition(format!("\"{text}\": {what}"));
        let mut parts = text.split(':');
        let (name, kind) = (
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        );
        let unique = match parts.next() {
            None => false,
            Some("unique") => true,
            Some(_) => return Err(fault("after the type only `unique` can follow")),
        };
        if !is_name(name) || name.ends_with('_') || name.contains("__") {
            return Err(GenerateError::Name(name.to_owned()));
        }
        if TAKEN.contains(&name) || KEYWORDS.split_whitespace().any(|word| word == name) {
            return Err(fault("the name is taken; choose another"));
        }
        let (kind, optional) = kind
            .strip_suffix('?')
            .map_or((kind, false), |kind| (kind, true));
        let kinds = Kind::ALL.map(|(word, _)| word).join(", ");
        let known = Kind::ALL.iter().find(|(word, _)| *word == kind);
        let (_, kind) = known.ok_or_else(|| {
            fault(&format!("a field is written name:type, where the type is one of {kinds}, with `?` if it may be null"))
        })?;
        if unique && matches!(kind, Kind::Text | Kind::Bool | Kind::Float) {
            return Err(fault("a member of this type cannot be unique"));
        }
        Ok(Self {
            name: name.to_owned(),
            kind: *kind,
            optional,
            unique,
        })
    }
}

impl Definition {
    /// What one is called.
    pub fn singular(&self) -> &str {
        &self.singular
    }

    /// Reads the words of the command line. `taken` are the first segments of the paths that
    /// are there.
    ///
    /// # Errors
    /// A name that cannot be one or is taken; an unknown type; no field at all.
    pub fn parse(
        plural: &str,
        singular: Option<&str>,
        owned: bool,
        fields: &[String],
        taken: &[String],
    ) -> Result<Self, GenerateError> {
        let singular = singular.map_or_else(|| singular_of(plural), str::to_owned);
        for name in [plural, &singular] {
            if !is_name(name) || name.ends_with('_') || name.contains("__") {
                return Err(GenerateError::Name(name.to_owned()));
            }
        }
        let fault = |text: String| Err(GenerateError::Definition(text));
        let is_keyword = |name: &str| KEYWORDS.split_whitespace().any(|word| word == name);
        let type_name = type_name(&singular);
        if is_keyword(plural) {
            return fault(format!("\"{plural}\" is a word of Rust; choose another"));
        }
        if is_keyword(&singular) || TYPES.contains(&type_name.as_str()) {
            return fault(format!(
                "\"{singular}\" means something else in the code; give another by --singular"
            ));
        }
        if taken.iter().any(|taken| taken == plural) || TABLES.contains(&plural) {
            return fault(format!(
                "there are routes or a table called {plural} already"
            ));
        }
        let fields = fields
            .iter()
            .map(|field| Field::parse(field))
            .collect::<Result<Vec<_>, _>>()?;
        for (at, field) in fields.iter().enumerate() {
            let name = &field.name;
            let column = self::type_name(name);
            // In the code `line_2` and `line2` are both `Line2`.
            if fields
                .iter()
                .take(at)
                .any(|other| self::type_name(&other.name) == column)
            {
                return fault(format!("the field \"{name}\" is there twice"));
            }
            // An index is called after both; MySQL's names have 64 characters.
            if plural.len() + name.len() + "__key".len() > 64 {
                return fault(format!(
                    "\"{plural}\" and \"{name}\" are together longer than 59 characters"
                ));
            }
        }
        if fields.iter().all(|field| field.optional) {
            return fault(
                "give at least one field that may not be null, such as name:string".to_owned(),
            );
        }
        Ok(Self {
            plural: plural.to_owned(),
            type_name,
            singular,
            owned,
            fields,
        })
    }
}

/// `berries` is `berry`, `boxes` is `box`, `books` is `book`.
fn singular_of(plural: &str) -> String {
    if let Some(stem) = plural.strip_suffix("ies") {
        return format!("{stem}y");
    }
    for ending in ["sses", "xes", "ches", "shes", "zes"] {
        if plural.ends_with(ending) {
            return plural.trim_end_matches("es").to_owned();
        }
    }
    plural.strip_suffix('s').unwrap_or(plural).to_owned()
}

/// Writes the files of a resource below `root` (the root of the sources), enters them where
/// they must be known, and gives their paths.
///
/// # Errors
/// A file that is there already, or a list that is not: nothing is written then. A file that
/// cannot be written.
pub fn generate(
    root: &Path,
    definition: &Definition,
    now: DateTime<Utc>,
) -> Result<Vec<PathBuf>, GenerateError> {
    let Definition {
        plural, singular, ..
    } = definition;
    let step = format!("m{}_{plural}", now.format("%Y%m%d_%H%M%S"));
    let files = [
        (
            format!("{MIGRATIONS}/{step}.rs"),
            templates::migration(definition),
        ),
        (
            format!("crates/domain/src/{singular}.rs"),
            templates::domain(definition),
        ),
        (
            format!("crates/persistence/src/{singular}.rs"),
            templates::persistence(definition),
        ),
        (
            format!("tests/tests/all/{plural}.rs"),
            templates::tests(definition),
        ),
    ]
    .map(|(path, text)| (root.join(path), text));
    // A module may be a folder too.
    let there = |path: &Path| path.exists() || path.with_extension("").exists();
    if let Some((path, _)) = files.iter().find(|(path, _)| there(path)) {
        return Err(GenerateError::Exists(path.clone()));
    }
    let read = |path: &str| {
        let path = root.join(path);
        let text = fs::read_to_string(&path).map_err(file_error(&path))?;
        Ok::<_, GenerateError>((path, text))
    };
    let mut lists = Vec::new();
    let (path, text) = read(&format!("{MIGRATIONS}/lib.rs"))?;
    lists.push((
        add_last(&path, &text, STEPS, "}", &format!("    {step},"))?,
        path,
    ));
    for (file, start, module) in [
        ("crates/domain/src/lib.rs", "pub mod ", singular),
        ("crates/persistence/src/lib.rs", "mod ", singular),
        ("tests/tests/all/main.rs", "mod ", plural),
    ] {
        let (path, text) = read(file)?;
        lists.push((add_module(&path, &text, start, module)?, path));
    }
    let (path, text) = read(RESOURCES)?;
    let line = format!(
        "        .resource::<tidegate_domain::{singular}::{}>()",
        definition.type_name
    );
    lists.push((
        add_last(&path, &text, RESOURCES_HEAD, RESOURCES_END, &line)?,
        path,
    ));

    let files = files.map(|(path, text)| {
        fs::write(&path, text).map_err(file_error(&path))?;
        Ok::<_, GenerateError>(path)
    });
    let written = files.into_iter().collect::<Result<Vec<_>, _>>()?;
    for (text, path) in lists {
        fs::write(&path, text).map_err(file_error(&path))?;
    }
    // Where lines are broken depends on the names; where it is missing, `make fmt` does it later.
    let _ = Command::new("rustfmt")
        .args(["--edition", "2024"])
        .args(&written)
        .status();
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(plural: &str, fields: &[&str]) -> Result<Definition, GenerateError> {
        let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
        Definition::parse(plural, None, false, &fields, &["users".to_owned()])
    }

    #[test]
    fn definitions_are_read_from_words() {
        let books = parse(
            "books",
            &["title:string", "isbn:string?:unique", "pages:int?"],
        )
        .unwrap();
        assert_eq!(
            (books.singular.as_str(), books.type_name.as_str()),
            ("book", "Book")
        );
        let fields: Vec<_> = books
            .fields
            .iter()
            .map(|field| (field.kind, field.optional, field.unique))
            .collect();
        assert_eq!(
            fields,
            [
                (Kind::String, false, false),
                (Kind::String, true, true),
                (Kind::Int, true, false)
            ]
        );
        for (plural, singular) in [
            ("berries", "berry"),
            ("boxes", "box"),
            ("classes", "class"),
            ("houses", "house"),
            ("sheep", "sheep"),
        ] {
            assert_eq!(singular_of(plural), singular);
        }
        assert_eq!(type_name("loan_request"), "LoanRequest");
    }

    #[test]
    fn what_cannot_be_made_is_refused_with_the_reason() {
        for (plural, fields, reason) in [
            ("Books", &["a:int"][..], "is no name"),
            ("books_", &["a:int"], "is no name"),
            ("users", &["a:int"], "called users already"),
            ("votes", &["a:int"], "called votes already"),
            ("types", &["a:int"], "give another by --singular"),
            ("records", &["a:int"], "give another by --singular"),
            ("loop", &["a:int"], "is a word of Rust"),
            (
                "customer_support_escalation_requests",
                &["expected_resolution_deadline:date"],
                "longer than 59",
            ),
            ("books", &["line_2:int", "line2:int"], "there twice"),
            ("books", &[], "at least one field"),
            ("books", &["a:int?"], "at least one field"),
            ("books", &["a"], "one of string, text, int"),
            ("books", &["a:money"], "one of string, text, int"),
            ("books", &["a:int:key"], "only `unique`"),
            ("books", &["a:text:unique"], "cannot be unique"),
            ("books", &["type:int"], "taken"),
            ("books", &["id:int"], "taken"),
            ("books", &["a:int", "a:date"], "there twice"),
            ("books", &["A:int"], "is no name"),
        ] {
            let error = parse(plural, fields).unwrap_err().to_string();
            assert!(error.contains(reason), "{plural} {fields:?}: {error}");
        }
    }

    #[test]
    fn nothing_is_written_where_something_is_missing() {
        let root = tempfile::tempdir().unwrap();
        let books = parse("books", &["a:int"]).unwrap();
        assert!(matches!(
            generate(root.path(), &books, DateTime::UNIX_EPOCH),
            Err(GenerateError::File { .. })
        ));
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
