//! Form bodies: one row, whose members are texts.

use serde_json::Value;
use tidegate_domain::query::planner::JsonRow;

use crate::error::ApiError;
use crate::rest::error::bad_body;

/// The row of a form. Of a field that is there twice, the last one counts.
///
/// # Errors
/// Text that is not UTF-8.
pub fn row(body: &[u8]) -> Result<JsonRow, ApiError> {
    let fields: Vec<(String, String)> = serde_urlencoded::from_bytes(body)
        .map_err(|error| bad_body("The body is not a form").details(error.to_string()))?;
    Ok(fields
        .into_iter()
        .map(|(name, text)| (name, Value::String(text)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_texts() {
        let read = row("a=1&b=x+y%2Bz&c=&a=2&%C3%BC=%E2%82%AC".as_bytes()).unwrap();
        assert_eq!(
            serde_json::to_string(&read).unwrap(),
            r#"{"a":"2","b":"x y+z","c":"","ü":"€"}"#
        );
        assert!(row(b"").unwrap().is_empty());
    }
}
