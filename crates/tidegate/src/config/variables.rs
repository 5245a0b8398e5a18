//! Settings from variables: those of the environment, and those of `.env`.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::{self, Cursor},
    path::Path,
};

use config::{Map, Value, ValueKind};

use super::{
    layers::{Layer, put_or_complain, unnamed},
    reader::ConfigError,
};

const PREFIX: &str = "TIDEGATE__";

/// The environment variable of a setting.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

/// A variable of the environment or of `.env`.
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) origin: String,
}

/// An empty variable counts as absent: it is how compose files and shells say so.
pub(super) fn process_variables(
    environment: &[(String, OsString)],
    errors: &mut Vec<ConfigError>,
) -> Vec<Variable> {
    let mut variables = Vec::new();
    for (name, value) in environment {
        if !name.starts_with("TIDEGATE_") || value.is_empty() {
            continue;
        }
        match value.to_str() {
            Some(value) => variables.push(Variable {
                name: name.clone(),
                value: value.to_owned(),
                origin: name.clone(),
            }),
            None => errors.push(unnamed("the value is not UTF-8".into(), Some(name.clone()))),
        }
    }
    variables
}

/// Read without putting anything into the environment of the process.
pub(super) fn dotenv_variables(
    path: Option<&Path>,
    errors: &mut Vec<ConfigError>,
) -> Vec<Variable> {
    let Some(path) = path else {
        return Vec::new();
    };
    let origin = path.display().to_string();
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(e) => {
            errors.push(unnamed(
                format!("the file cannot be read: {e}"),
                Some(origin),
            ));
            return Vec::new();
        }
    };
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    let mut variables = Vec::new();
    for item in dotenvy::Iter::new(Cursor::new(text)) {
        match item {
            Ok((name, value)) if name.starts_with("TIDEGATE_") && !value.is_empty() => variables
                .push(Variable {
                    origin: format!("{origin}, {name}"),
                    name,
                    value,
                }),
            Ok(_) => {}
            Err(dotenvy::Error::LineParse(line, _)) => {
                // What follows the name may be a secret.
                let name = line.split('=').next().unwrap_or_default().trim();
                let message = format!(
                    "the line of {name} cannot be understood: a value with blanks or # stands in quotes, one with $ in single quotes"
                );
                errors.push(unnamed(message, Some(origin.clone())));
            }
            Err(e) => {
                errors.push(unnamed(
                    format!("the file cannot be read: {e}"),
                    Some(origin),
                ));
                break;
            }
        }
    }
    variables
}

pub(super) fn variable_layer(variables: &[Variable], errors: &mut Vec<ConfigError>) -> Layer {
    // The last of two equal names wins, as in a shell.
    let last: BTreeMap<&str, &Variable> = variables.iter().map(|v| (v.name.as_str(), v)).collect();
    let mut layer = Map::new();
    for variable in last.into_values() {
        match variable.name.strip_prefix(PREFIX) {
            Some(rest) => {
                let key = rest.to_lowercase();
                let segments: Vec<&str> = key.split("__").collect();
                insert(&mut layer, "", &segments, variable, errors);
            }
            None if variable.name.contains("__") => errors.push(unnamed(
                format!("unknown variable; settings start with {PREFIX}, with two underscores"),
                Some(variable.origin.clone()),
            )),
            None => {}
        }
    }
    Layer(layer)
}

fn insert(
    table: &mut Map<String, Value>,
    path: &str,
    segments: &[&str],
    variable: &Variable,
    errors: &mut Vec<ConfigError>,
) {
    match segments {
        [] => {}
        [name] => {
            let value = Value::new(Some(&variable.origin), variable.value.clone());
            put_or_complain(table, path, (*name).to_owned(), value, errors);
        }
        [section, rest @ ..] => {
            let inner = table.entry((*section).to_owned()).or_insert_with(|| {
                Value::new(Some(&variable.origin), ValueKind::Table(Map::new()))
            });
            match &mut inner.kind {
                ValueKind::Table(inner) => {
                    insert(inner, &format!("{path}{section}."), rest, variable, errors)
                }
                _ => errors.push(ConfigError {
                    key: format!("{path}{section}"),
                    origin: Some(variable.origin.clone()),
                    message: "is given both as a section and as a value".into(),
                }),
            }
        }
    }
}
