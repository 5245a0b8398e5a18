//! One text of a JSON document, by JSON pointer (RFC 6901), without a tree of the rest.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The text or the digits at a pointer. The document is read once and no tree is made of
/// it, so that a large one costs time in proportion and hardly any memory.
pub(super) fn scalar(pointer: &str, body: &[u8]) -> Option<String> {
    let path: Vec<String> = pointer
        .split('/')
        .skip(1)
        .map(|name| name.replace("~1", "/").replace("~0", "~"))
        .collect();
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let mut document = serde_json::Deserializer::from_slice(body);
    Walk(&path).deserialize(&mut document).ok()?
}

/// Goes down the path in a JSON document and passes over all else.
struct Walk<'p>(&'p [String]);

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        if !self.0.is_empty() {
            return deserializer.deserialize_any(self);
        }
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        match raw.as_bytes().first() {
            Some(b'"') => serde_json::from_str(raw).map_err(D::Error::custom),
            Some(b'-' | b'0'..=b'9') => Ok(Some(raw.to_owned())),
            _ => Ok(None),
        }
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        let Some((name, below)) = self.0.split_first() else {
            return Ok(None);
        };
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            if found.is_none() && key == *name {
                found = map.next_value_seed(Walk(below))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        let Some((name, below)) = self.0.split_first() else {
            return Ok(None);
        };
        let wanted = name
            .parse()
            .ok()
            .filter(|at: &usize| at.to_string() == *name);
        for at in 0.. {
            let item = if Some(at) == wanted {
                items
                    .next_element_seed(Walk(below))?
                    .map(|text| found = text)
            } else {
                items.next_element::<IgnoredAny>()?.map(|_| ())
            };
            if item.is_none() {
                break;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pointer_goes_through_objects_and_arrays() {
        let body = br#"{"a": [7, {"b/c": {"~": "x"}}, {"n": -1.50e3}], "e": "", "t": true}"#;
        for (pointer, text) in [
            ("/a/1/b~1c/~0", Some("x")),
            ("/a/0", Some("7")),
            ("/a/2/n", Some("-1.50e3")),
            ("/e", Some("")),
            ("/a/00", None),
            ("/a/3", None),
            ("/a/-", None),
            ("/a", None),
            ("/t", None),
            ("/a/0/x", None),
            ("/x", None),
            ("/", None),
        ] {
            assert_eq!(scalar(pointer, body).as_deref(), text, "{pointer}");
        }
        let marked = "\u{feff}{\"id\": \"x\"}";
        assert_eq!(scalar("/id", marked.as_bytes()).as_deref(), Some("x"));
        assert_eq!(
            scalar("/id", br#"{"\u0069d": "\u0078"}"#).as_deref(),
            Some("x")
        );
    }

    #[test]
    fn in_what_is_not_json_nothing_is_found() {
        for broken in [
            "",
            "{",
            r#"{"id": "x""#,
            r#"{"id": "\ud800"}"#,
            "[]",
            "7",
            "null",
            "\u{feff}",
        ] {
            assert_eq!(scalar("/id", broken.as_bytes()), None, "{broken}");
        }
        assert_eq!(scalar("/id", b"{\"id\": \"\xff\"}"), None);
    }

    proptest! {
        #[test]
        fn no_likely_body_panics(body in r#"[{}\[\]",:a-c0-9\\u/~ .eE+-]{0,60}"#, pointer in "(/[a-c0-2~]{0,2}){1,4}") {
            let _ = scalar(&pointer, body.as_bytes());
            let _ = scalar(&pointer, format!("{{\"a\":{body}}}").as_bytes());
        }
    }
}
