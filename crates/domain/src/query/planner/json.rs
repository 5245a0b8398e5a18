//! JSON in conditions: one canonical text for each value, and PostgreSQL's array literals.

use serde_json::Value as Json;

use crate::gateway::column_type::ColumnType;
use crate::gateway::value::{Fault, Value, plain_number};
use crate::query::error::ValueFault;

/// How deep array literals may nest.
const DEPTH: usize = 50;

/// A JSON value, within what a column takes.
pub(super) fn read(text: &str) -> Result<Json, Fault> {
    // This finds numbers and depths that no engine takes.
    ColumnType::Json.operand(text)?;
    serde_json::from_str(text).map_err(|_| malformed("json", text))
}

/// A JSON value as an operand.
pub(super) fn value(json: &Json) -> Value {
    Value::Json(canonical(json))
}

/// The text of a JSON value without blanks, with its numbers written out and its keys in the
/// order of their bytes, so that equal values have equal texts.
pub(super) fn canonical(json: &Json) -> String {
    let mut text = String::new();
    write(json, &mut text);
    text
}

fn write(json: &Json, text: &mut String) {
    match json {
        Json::Number(number) => {
            let digits = number.to_string();
            text.push_str(&plain_number(&digits).unwrap_or(digits));
        }
        Json::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        Json::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|one, other| one.0.cmp(other.0));
            text.push('{');
            for (at, (key, item)) in members.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                text.push_str(&Json::from(key.as_str()).to_string());
                text.push(':');
                write(item, text);
            }
            text.push('}');
        }
        plain => text.push_str(&plain.to_string()),
    }
}

/// What `cs` and its kin compare with: JSON, or an array literal (`{1,two,"3"}`), which stands
/// for the JSON array of its numbers, truth values and texts.
pub(super) fn document(text: &str) -> Result<Json, Fault> {
    read(text).or_else(|fault| match array(text) {
        Some(json) => read(&json.to_string()),
        None => Err(fault),
    })
}

/// The same where only an array is possible.
pub(super) fn elements(text: &str) -> Result<Json, Fault> {
    // `{}` is an array without elements here, and no object.
    match array(text).map_or_else(|| read(text), |json| read(&json.to_string()))? {
        json @ Json::Array(_) => Ok(json),
        _ => Err(malformed("array", text)),
    }
}

fn array(text: &str) -> Option<Json> {
    let mut reader = Reader { rest: text.trim() };
    let json = reader.array(DEPTH)?;
    reader.rest.is_empty().then_some(json)
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn take(&mut self, expected: char) -> bool {
        let rest = self.rest.trim_start();
        match rest.strip_prefix(expected) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn array(&mut self, room: usize) -> Option<Json> {
        if room == 0 || !self.take('{') {
            return None;
        }
        let mut items = Vec::new();
        if self.take('}') {
            return Some(Json::Array(items));
        }
        loop {
            items.push(self.item(room)?);
            if self.take('}') {
                return Some(Json::Array(items));
            }
            if !self.take(',') {
                return None;
            }
        }
    }

    fn item(&mut self, room: usize) -> Option<Json> {
        self.rest = self.rest.trim_start();
        if self.rest.starts_with('{') {
            return self.array(room - 1);
        }
        if self.take('"') {
            return self.quoted();
        }
        let end = self.rest.find([',', '{', '}', '"'])?;
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        let word = word.trim_end();
        if word.is_empty() {
            return None;
        }
        Some(match word.to_ascii_lowercase().as_str() {
            "null" => Json::Null,
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            _ => match serde_json::from_str::<serde_json::Number>(word) {
                Ok(number) => Json::Number(number),
                Err(_) => Json::from(word),
            },
        })
    }

    /// A text up to its closing quote; `\` makes the next character ordinary.
    fn quoted(&mut self) -> Option<Json> {
        let mut text = String::new();
        let mut characters = self.rest.chars();
        loop {
            match characters.next()? {
                '"' => break,
                '\\' => text.push(characters.next()?),
                c => text.push(c),
            }
        }
        self.rest = characters.as_str();
        Some(Json::String(text))
    }
}

fn malformed(kind: &str, text: &str) -> Fault {
    let start: String = text.chars().take(64).filter(|c| !c.is_control()).collect();
    Fault {
        kind: ValueFault::Malformed,
        message: format!("invalid input syntax for type {kind}: \"{start}\""),
    }
}
