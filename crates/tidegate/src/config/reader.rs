//! Takes typed settings out of the merged layers, one by one, and remembers
//! every mistake, so that all of them can be told at once. What nobody has asked
//! for at the end is an unknown setting.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
    time::Duration,
};

use config::ValueKind;

use tidegate_domain::secret::Secret;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The setting, as `section.name`; or what else is wrong.
    pub key: String,
    /// The file, or the environment variable; `None` where nothing was given.
    pub origin: Option<String>,
    /// What is wrong with it. Never holds the value of a secret.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.message)?;
        match &self.origin {
            Some(origin) => write!(f, " (from {origin})"),
            None => Ok(()),
        }
    }
}

/// All mistakes of a configuration; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// The mistakes, ordered by setting.
    #[must_use]
    pub fn list(&self) -> &[ConfigError] {
        &self.0
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.0.len();
        let mistakes = if number == 1 { "mistake" } else { "mistakes" };
        write!(f, "{number} {mistakes} in the configuration:")?;
        for error in &self.0 {
            write!(f, "\n  {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// A value of the merged layers.
pub(super) struct Entry {
    pub(super) value: ValueKind,
    pub(super) origin: String,
}

/// A secret and where it came from.
pub(super) struct Given {
    pub(super) secret: Secret,
    pub(super) origin: Option<String>,
}

/// See the module.
pub(super) struct Reader {
    entries: BTreeMap<String, Entry>,
    /// Origins of what was taken out, for mistakes found by comparing settings.
    taken: BTreeMap<String, String>,
    known: BTreeSet<String>,
    errors: Vec<ConfigError>,
}

impl Reader {
    pub(super) fn new(entries: BTreeMap<String, Entry>, errors: Vec<ConfigError>) -> Self {
        Self {
            entries,
            taken: BTreeMap::new(),
            known: BTreeSet::new(),
            errors,
        }
    }

    /// A setting that has a default.
    pub(super) fn value<T>(
        &mut self,
        key: &str,
        blank: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> T {
        let value = self.optional(key, parse);
        if value.is_none() && !self.failed(key) {
            self.missing(key, "has no default and was not given");
        }
        // Seen by nobody: there is a mistake on record, and `finish` fails.
        value.unwrap_or(blank)
    }

    /// A setting that may be absent.
    pub(super) fn optional<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let entry = self.take(key)?;
        match scalar(&entry.value).and_then(|text| parse(&text)) {
            Ok(value) => Some(value),
            Err(message) => {
                self.wrong(key, Some(entry.origin), message);
                None
            }
        }
    }

    pub(super) fn flag(&mut self, key: &str) -> bool {
        self.value(key, false, |t| match t.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Ok(true),
            "false" | "no" | "off" | "0" => Ok(false),
            _ => Err(format!("\"{t}\" is neither true nor false")),
        })
    }

    pub(super) fn whole<T>(&mut self, key: &str, least: T, most: T) -> T
    where
        T: FromStr + PartialOrd + fmt::Display + Copy,
    {
        self.value(key, least, |t| super::parse::whole(t, least, most))
    }

    pub(super) fn seconds(&mut self, key: &str, least: u64, most: u64) -> Duration {
        Duration::from_secs(self.whole(key, least, most))
    }

    /// An array, or a text with commas, as the environment has it.
    pub(super) fn list<T>(
        &mut self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let Some(entry) = self.take(key) else {
            self.missing(key, "has no default and was not given");
            return Vec::new();
        };
        let items: Result<Vec<String>, String> = match &entry.value {
            ValueKind::Array(items) => items.iter().map(|item| scalar(&item.kind)).collect(),
            other => scalar(other)
                .map(|text| text.split(',').map(|item| item.trim().to_owned()).collect()),
        };
        let mut values = Vec::new();
        for item in items.unwrap_or_else(|message| {
            self.wrong(key, Some(entry.origin.clone()), message);
            Vec::new()
        }) {
            match parse(&item) {
                Ok(value) => values.push(value),
                Err(message) => self.wrong(key, Some(entry.origin.clone()), message),
            }
        }
        values
    }

    /// A secret, given as such or as the path of a file that holds it.
    pub(super) fn secret(&mut self, key: &str) -> Option<Given> {
        self.known.insert(key.to_owned());
        let direct = self.entries.remove(key);
        // The layers put the path of `key_file` here.
        let file = self.entries.remove(&format!("{key}.file"));
        let (read, origin) = match (direct, file) {
            (Some(entry), _) => (scalar_secret(&entry.value), entry.origin),
            (None, Some(entry)) => match scalar(&entry.value) {
                Ok(path) => (secret_file(&path), format!("{}, file {path}", entry.origin)),
                Err(message) => (Err(message), entry.origin),
            },
            (None, None) => return None,
        };
        match read {
            Ok(text) => Some(Given {
                secret: Secret::new(text),
                origin: Some(origin),
            }),
            Err(message) => {
                self.wrong(key, Some(origin), message);
                None
            }
        }
    }

    /// Secrets under names of the administrator's choice.
    pub(super) fn secrets_below(&mut self, section: &str) -> Vec<(String, Given)> {
        let prefix = format!("{section}.");
        let names: BTreeSet<String> = self
            .entries
            .keys()
            .filter_map(|key| key.strip_prefix(&prefix))
            .map(|rest| rest.strip_suffix(".file").unwrap_or(rest).to_owned())
            .collect();
        let secrets = names
            .into_iter()
            .filter_map(|name| {
                self.secret(&format!("{prefix}{name}"))
                    .map(|given| (name, given))
            })
            .collect();
        self.known.insert(format!("{prefix}name"));
        secrets
    }

    /// Records a mistake in a value.
    pub(super) fn wrong(&mut self, key: &str, origin: Option<String>, message: String) {
        self.errors.push(ConfigError {
            key: key.to_owned(),
            origin,
            message,
        });
    }

    /// Records that a value is needed.
    pub(super) fn missing(&mut self, key: &str, why: &str) {
        let variable = super::variables::variable(key);
        self.wrong(key, None, format!("is not set ({variable}): {why}"));
    }

    /// Whether there is a mistake about a setting already.
    pub(super) fn failed(&self, key: &str) -> bool {
        self.errors.iter().any(|error| error.key == key)
    }

    /// Where a setting that was read came from.
    pub(super) fn origin(&self, key: &str) -> Option<String> {
        self.taken.get(key).cloned()
    }

    /// The settings that were asked for.
    #[cfg(test)]
    pub(super) fn known(&self) -> &BTreeSet<String> {
        &self.known
    }

    /// Succeeds if there was no mistake, and nothing that nobody knows.
    pub(super) fn finish(mut self) -> Result<(), ConfigErrors> {
        for (key, entry) in std::mem::take(&mut self.entries) {
            let message = self.about_unknown(&key);
            self.wrong(&key, Some(entry.origin), message);
        }
        if self.errors.is_empty() {
            return Ok(());
        }
        self.errors.sort_by(|a, b| a.key.cmp(&b.key));
        Err(ConfigErrors(self.errors))
    }

    fn about_unknown(&self, key: &str) -> String {
        if key == "profile" {
            return "the profile is chosen by TIDEGATE_PROFILE, before files are read".into();
        }
        let section = format!("{key}.");
        if self.known.iter().any(|known| known.starts_with(&section)) {
            return "is a section, not a value".into();
        }
        let near = self
            .known
            .iter()
            .map(|known| (distance(key, known), known))
            .min()
            .filter(|(distance, _)| *distance <= 3);
        match near {
            Some((_, known)) => format!("unknown setting; did you mean {known}?"),
            None => "unknown setting".into(),
        }
    }

    fn take(&mut self, key: &str) -> Option<Entry> {
        self.known.insert(key.to_owned());
        let entry = self.entries.remove(key)?;
        self.taken.insert(key.to_owned(), entry.origin.clone());
        Some(entry)
    }
}

fn scalar(value: &ValueKind) -> Result<String, String> {
    match value {
        ValueKind::String(text) => Ok(text.clone()),
        ValueKind::Boolean(_)
        | ValueKind::I64(_)
        | ValueKind::I128(_)
        | ValueKind::U64(_)
        | ValueKind::U128(_)
        | ValueKind::Float(_) => Ok(value.to_string()),
        ValueKind::Array(_) => Err("is a list where one value is wanted".into()),
        ValueKind::Nil | ValueKind::Table(_) => Err("is not a value".into()),
    }
}

/// Numbers are refused: `0123` would have lost its zero on the way.
fn scalar_secret(value: &ValueKind) -> Result<String, String> {
    match value {
        ValueKind::String(text) if !text.is_empty() => Ok(text.clone()),
        ValueKind::String(_) => Err("is empty".into()),
        _ => Err("is not a text in quotes".into()),
    }
}

/// Editors and `echo` end a file with a line break that is not part of the secret.
fn secret_file(path: &str) -> Result<String, String> {
    let text =
        std::fs::read_to_string(path).map_err(|e| format!("the file cannot be read: {e}"))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err("the file is empty".into());
    }
    Ok(secret.to_owned())
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
