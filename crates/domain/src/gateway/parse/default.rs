//! Defaults of columns, from literals and words to the parsed form.

use crate::gateway::column_type::{ColumnType, TypeClass};
use crate::gateway::schema::DefaultValue;
use crate::gateway::value::Value;

/// Defaults of columns, checked against their types.
pub(super) struct Defaults;

impl Defaults {
    /// `CURRENT_TIMESTAMP`, where the type takes it.
    pub(super) fn current_timestamp(column_type: &ColumnType) -> Result<DefaultValue, String> {
        match column_type {
            ColumnType::DateTime(_) | ColumnType::Timestamp(_) => {
                Ok(DefaultValue::CurrentTimestamp { on_update: false })
            }
            other => Err(format!("CURRENT_TIMESTAMP is no default for {other}")),
        }
    }

    /// A literal, in canonical text.
    pub(super) fn literal(column_type: &ColumnType, text: &str) -> Result<DefaultValue, String> {
        let value = column_type
            .value_from_text(text)
            .map_err(|fault| format!("the default does not fit: {}", fault.message))?;
        Ok(Self::of_value(column_type, &value))
    }

    /// Whether a text is `CURRENT_TIMESTAMP`, `CURRENT_TIMESTAMP(6)`, `NOW()` or the like.
    pub(super) fn is_now(text: &str) -> bool {
        let text = text.trim().to_ascii_lowercase();
        let (name, digits) = match text.split_once('(') {
            None => (text.as_str(), Some("")),
            Some((name, rest)) => (name, rest.strip_suffix(')')),
        };
        let names = ["current_timestamp", "now", "localtime", "localtimestamp"];
        names.contains(&name.trim_end())
            && digits.is_some_and(|digits| matches!(digits.trim().as_bytes(), [] | [b'0'..=b'6']))
    }

    /// A JSON value: null, `CURRENT_TIMESTAMP` for times, or a literal.
    pub(super) fn json(
        column_type: &ColumnType,
        json: &serde_json::Value,
    ) -> Result<DefaultValue, String> {
        if let Some(text) = json.as_str() {
            let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let words = words.to_ascii_lowercase();
            let (now, renewed) = match words.split_once(" on update ") {
                Some((now, renewed)) => (now, Some(renewed)),
                None => (words.as_str(), None),
            };
            if column_type.class() == TypeClass::Temporal
                && Self::is_now(now)
                && renewed.is_none_or(Self::is_now)
            {
                let on_update = renewed.is_some();
                return Self::current_timestamp(column_type)
                    .map(|_| DefaultValue::CurrentTimestamp { on_update });
            }
        }
        let value = column_type
            .value_from_json(json)
            .map_err(|fault| format!("the default does not fit: {}", fault.message))?;
        Ok(Self::of_value(column_type, &value))
    }

    fn of_value(column_type: &ColumnType, value: &Value) -> DefaultValue {
        column_type
            .literal_text(value)
            .map_or(DefaultValue::Null, DefaultValue::Literal)
    }
}
