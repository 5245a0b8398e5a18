//! Where settings come from, and which of two wins: compiled-in defaults,
//! `default.toml`, `{profile}.toml`, `.env`, the environment. Every value keeps
//! the name of the file or variable that it was written in.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use config::{Config, File, FileFormat, Map, Source, Value, ValueKind};

use super::{
    Profile,
    reader::{ConfigError, Entry},
    variables::{dotenv_variables, process_variables, variable_layer},
};

/// `config/default.toml` as it was when the program was built.
pub(super) const DEFAULTS: &str = include_str!("../../../../config/default.toml");

const PROFILE: &str = "TIDEGATE_PROFILE";
const CONFIG_DIR: &str = "TIDEGATE_CONFIG_DIR";

/// Settings that can be read from a file, by appending `_file` to their name.
const SECRETS: [&str; 5] = [
    "admin.password",
    "auth.jwt_secret",
    "auth.pepper",
    "database.url",
    "server.tls.key_passphrase",
];
/// A section with nothing but such settings.
const SECRET_SECTION: &str = "auth.previous_jwt_secrets.";

/// What the settings are read from; tests give their own.
///
/// ```
/// use tidegate::config::{Settings, Sources};
///
/// let folder = tempfile::tempdir()?;
/// let sources = Sources::none()
///     .with("TIDEGATE__DATA_DIR", folder.path())
///     .with("TIDEGATE__SERVER__ADDRESS", "127.0.0.1:0");
/// let settings = Settings::load(&sources)?;
/// assert_eq!(settings.server.address.map(|it| it.port()), Some(0));
/// assert_eq!(settings.admin.username, "admin");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Sources {
    environment: Vec<(String, OsString)>,
    dotenv: Option<PathBuf>,
    config_dir: Option<PathBuf>,
}

impl Sources {
    /// What a started program has: its environment, `.env` and `config/`.
    #[must_use]
    pub fn process() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place that reads the environment"
        )]
        let environment = std::env::vars_os();
        Self {
            environment: environment
                .map(|(name, value)| (name.to_string_lossy().into_owned(), value))
                .collect(),
            dotenv: Some(".env".into()),
            config_dir: Some("config".into()),
        }
    }

    /// Nothing but the compiled-in defaults.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a variable of the environment.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Reads this file in place of `.env`.
    #[must_use]
    pub fn with_dotenv(mut self, path: impl Into<PathBuf>) -> Self {
        self.dotenv = Some(path.into());
        self
    }

    /// Reads the files of this folder, unless `TIDEGATE_CONFIG_DIR` names another.
    #[must_use]
    pub fn with_config_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.config_dir = Some(path.into());
        self
    }
}

/// The result of putting the layers on top of each other.
pub(super) struct Layers {
    pub(super) profile: Profile,
    pub(super) entries: BTreeMap<String, Entry>,
    pub(super) errors: Vec<ConfigError>,
}

/// What the compiled-in defaults are called.
const BUILT_IN: &str = "the built-in defaults";

/// Whether a setting is as it comes with the program, so that nobody has chosen it.
pub(super) fn is_default(origin: &str) -> bool {
    origin == BUILT_IN || origin.ends_with("default.toml")
}

pub(super) fn merge(sources: &Sources) -> Layers {
    let mut errors = Vec::new();
    let dotenv = dotenv_variables(sources.dotenv.as_deref(), &mut errors);
    let environment = process_variables(&sources.environment, &mut errors);
    let chosen = |name: &str| {
        environment
            .iter()
            .rev()
            .chain(dotenv.iter().rev())
            .find(|v| v.name == name)
    };

    let profile = match chosen(PROFILE).map(|v| (v, v.value.parse())) {
        None => Profile::Development,
        Some((_, Ok(profile))) => profile,
        Some((variable, Err(message))) => {
            errors.push(ConfigError {
                key: "profile".into(),
                origin: Some(variable.origin.clone()),
                message,
            });
            Profile::Development
        }
    };
    let config_dir = match chosen(CONFIG_DIR) {
        Some(variable) => {
            let folder = PathBuf::from(&variable.value);
            if !folder.is_dir() {
                errors.push(ConfigError {
                    key: "configuration folder".into(),
                    origin: Some(variable.origin.clone()),
                    message: format!("{} is not a folder", folder.display()),
                });
            }
            Some(folder)
        }
        None => sources.config_dir.clone(),
    };

    let built_in = toml_layer(DEFAULTS, BUILT_IN, &mut errors);
    let mut layers = Vec::new();
    if let Some(folder) = config_dir {
        for name in ["default", profile.name()] {
            layers.extend(file_layer(
                &folder.join(format!("{name}.toml")),
                &mut errors,
            ));
        }
    }
    layers.push(variable_layer(&dotenv, &mut errors));
    layers.push(variable_layer(&environment, &mut errors));
    for layer in &mut layers {
        layer.keep_sections(&built_in, &mut errors);
    }

    let merged = layers
        .into_iter()
        .fold(Config::builder().add_source(built_in), |builder, layer| {
            builder.add_source(layer)
        })
        .build()
        .and_then(|merged| merged.collect());
    let mut entries = BTreeMap::new();
    match merged {
        Ok(tree) => flatten("", tree, &mut entries),
        Err(e) => errors.push(unnamed(e.to_string(), None)),
    }
    Layers {
        profile,
        entries,
        errors,
    }
}

pub(super) fn unnamed(message: String, origin: Option<String>) -> ConfigError {
    ConfigError {
        key: "configuration".into(),
        origin,
        message,
    }
}

/// A layer of its own for the `config` crate, which merges them.
#[derive(Debug, Clone)]
pub(super) struct Layer(pub(super) Map<String, Value>);

impl Layer {
    /// A value in the place of a section would hide all that is in it, and with
    /// it every other mistake there.
    fn keep_sections(&mut self, built_in: &Self, errors: &mut Vec<ConfigError>) {
        let table = |value: &Value| matches!(value.kind, ValueKind::Table(_));
        self.0.retain(|name, value| {
            let section = built_in.0.get(name).is_some_and(table);
            if section && !table(value) {
                errors.push(ConfigError {
                    key: name.clone(),
                    origin: value.origin().map(str::to_owned),
                    message: "is a section, not a value".into(),
                });
            }
            !section || table(value)
        });
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Ok(self.0.clone())
    }
}

fn file_layer(path: &Path, errors: &mut Vec<ConfigError>) -> Option<Layer> {
    let origin = path.display().to_string();
    match fs::read_to_string(path) {
        Ok(text) => Some(toml_layer(&text, &origin, errors)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(e) => {
            errors.push(unnamed(
                format!("the file cannot be read: {e}"),
                Some(origin),
            ));
            None
        }
    }
}

fn toml_layer(text: &str, origin: &str, errors: &mut Vec<ConfigError>) -> Layer {
    match File::from_str(text, FileFormat::Toml).collect() {
        Ok(tree) => Layer(label("", tree, origin, errors)),
        Err(e) => {
            // The parser quotes the line, which may hold a secret.
            let message: Vec<_> = e
                .to_string()
                .lines()
                .filter(|line| !line.contains('|'))
                .map(|line| line.trim().to_owned())
                .filter(|line| !line.is_empty())
                .collect();
            errors.push(unnamed(message.join(": "), Some(origin.to_owned())));
            Layer(Map::new())
        }
    }
}

/// Notes the origin in every value, and moves `name_file` of a secret to where
/// the reader looks for it: below the name, so that the higher layer wins
/// whichever of the two forms it has.
fn label(
    path: &str,
    tree: Map<String, Value>,
    origin: &str,
    errors: &mut Vec<ConfigError>,
) -> Map<String, Value> {
    let origin_text = origin.to_owned();
    let mut labelled = Map::new();
    for (name, value) in tree {
        let key = format!("{path}{name}");
        let value = match value.kind {
            ValueKind::Table(inner) => Value::new(
                Some(&origin_text),
                ValueKind::Table(label(&format!("{key}."), inner, origin, errors)),
            ),
            kind => Value::new(Some(&origin_text), kind),
        };
        put_or_complain(&mut labelled, path, name, value, errors);
    }
    labelled
}

pub(super) fn put_or_complain(
    table: &mut Map<String, Value>,
    path: &str,
    name: String,
    value: Value,
    errors: &mut Vec<ConfigError>,
) {
    let origin = value.origin().map(str::to_owned);
    let (name, value) = match name.strip_suffix("_file") {
        Some(plain) if is_secret(&format!("{path}{plain}")) => {
            let file = Map::from_iter([("file".to_owned(), value)]);
            (
                plain.to_owned(),
                Value::new(origin.as_ref(), ValueKind::Table(file)),
            )
        }
        _ => (name, value),
    };
    let key = format!("{path}{name}");
    if table.insert(name, value).is_some() {
        let message = if is_secret(&key) {
            "is given both as a value and as a file"
        } else {
            "is given twice"
        };
        errors.push(ConfigError {
            key,
            origin,
            message: message.into(),
        });
    }
}

pub(super) fn is_secret(key: &str) -> bool {
    SECRETS.contains(&key)
        || key
            .strip_prefix(SECRET_SECTION)
            .is_some_and(|name| !name.contains('.'))
}

fn flatten(path: &str, tree: Map<String, Value>, entries: &mut BTreeMap<String, Entry>) {
    for (name, value) in tree {
        let key = format!("{path}{name}");
        let origin = value.origin().unwrap_or("an unknown place").to_owned();
        match value.kind {
            ValueKind::Table(inner) => flatten(&format!("{key}."), inner, entries),
            ValueKind::Nil => {}
            kind => {
                entries.insert(
                    key,
                    Entry {
                        value: kind,
                        origin,
                    },
                );
            }
        }
    }
}
