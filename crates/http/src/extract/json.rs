//! JSON bodies.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use bytes::Bytes;
use mime::Mime;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_path_to_error::Segment;
use tidegate_domain::error::{InvalidInput, escape_pointer};

use crate::error::ApiError;
use crate::extract::body::{BodyLimits, BodyReader, is_utf8, media_type, unsupported};

/// A JSON body. The type says `#[serde(deny_unknown_fields)]`, so that unknown members
/// are refused by name.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let text = text(request, payload.take());
        Box::pin(async move { object(&text.await?).map(Self) })
    }
}

/// Reads a body that its media type calls JSON.
///
/// # Errors
/// 415 for another media type; those of [`BodyReader::read`].
pub(crate) fn text(
    request: &HttpRequest,
    payload: Payload,
) -> impl Future<Output = Result<Bytes, ApiError>> + use<> {
    let media_type = media_type(request);
    let reader = BodyReader::new(request, payload, BodyLimits::of(request));
    async move {
        match media_type? {
            Some(found) if !is_json(&found) => Err(unsupported("application/json")),
            _ => reader.read().await,
        }
    }
}

/// Whether a media type is JSON in UTF-8.
pub fn is_json(media_type: &Mime) -> bool {
    let json = media_type.subtype() == mime::JSON || media_type.suffix() == Some(mime::JSON);
    media_type.type_() == mime::APPLICATION && json && is_utf8(media_type)
}

/// Parses a JSON text.
///
/// # Errors
/// 400 for a text that is no JSON or nested too deeply, 422 for one that does not fit.
pub fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, ApiError> {
    if text.is_empty() {
        return Err(ApiError::malformed("The body is empty; send JSON"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = match serde_path_to_error::deserialize(&mut deserializer) {
        Ok(value) => value,
        Err(error) => {
            let pointer = pointer(error.path());
            let error = error.into_inner();
            // What does not fit is found before the rest is read; that it is no JSON counts more.
            return Err(match serde_json::from_slice::<Anything>(text) {
                Err(error) => fault(&error, pointer),
                // serde_json takes an enum's value of another type for a fault of the syntax.
                Ok(_) if error.is_syntax() => ApiError::invalid(InvalidInput::at(
                    pointer,
                    "is of another type than is known here",
                )),
                Ok(_) => fault(&error, pointer),
            });
        }
    };
    deserializer
        .end()
        .map_err(|error| fault(&error, String::new()))?;
    Ok(value)
}

/// Parses a JSON text that must be an object.
///
/// # Errors
/// As [`parse`].
pub fn object<T: DeserializeOwned>(text: &[u8]) -> Result<T, ApiError> {
    parse(text).map(|Object(value)| value)
}

/// Reads a value that is JSON already.
///
/// # Errors
/// What does not fit, with its place.
pub fn value<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, InvalidInput> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let pointer = pointer(error.path());
        locate(&error.into_inner().to_string(), pointer)
    })
}

/// A value whose JSON is an object: serde alone would also take an array of its members.
#[derive(Debug)]
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// Any JSON, read to its end within the depth that is allowed, and not kept.
struct Anything;

impl<'de> Deserialize<'de> for Anything {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Anything;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Anything, E> {
                Ok(Anything)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Anything, E> {
                Ok(Anything)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Anything, E> {
                Ok(Anything)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Anything, E> {
                Ok(Anything)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Anything, E> {
                Ok(Anything)
            }

            fn visit_str<E>(self, _: &str) -> Result<Anything, E> {
                Ok(Anything)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Anything, A::Error> {
                while items.next_element::<Anything>()?.is_some() {}
                Ok(Anything)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Anything, A::Error> {
                while members.next_entry::<IgnoredAny, Anything>()?.is_some() {}
                Ok(Anything)
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

fn fault(error: &serde_json::Error, pointer: String) -> ApiError {
    let text = error.to_string();
    if error.classify() != Category::Data {
        return ApiError::malformed(format!("The body is not JSON: {text}"));
    }
    // The position helps with a text that is no JSON; here the pointer says more.
    let text = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(message, _)| message);
    ApiError::invalid(locate(text, pointer))
}

/// Moves the pointer to the member that serde names in its message: of a missing or
/// unknown member it knows the name, but stands at the object around it.
pub(crate) fn locate(message: &str, mut pointer: String) -> InvalidInput {
    let named = |prefix: &str| {
        message
            .strip_prefix(prefix)
            .and_then(|rest| rest.split('`').next())
    };
    let detail = if let Some(name) = named("missing field `") {
        push(&mut pointer, name);
        "is missing".to_owned()
    } else if let Some(name) = named("unknown field `") {
        push(&mut pointer, name);
        match message.split_once("expected ") {
            Some((_, expected)) => format!("is not known here; known: {expected}"),
            None => "is not known here".to_owned(),
        }
    } else if let Some(name) = named("duplicate field `") {
        push(&mut pointer, name);
        "is given twice".to_owned()
    } else {
        message.to_owned()
    };
    InvalidInput::at(pointer, detail)
}

fn push(pointer: &mut String, name: &str) {
    let segment = format!("/{}", escape_pointer(name));
    if !pointer.ends_with(&segment) {
        pointer.push_str(&segment);
    }
}

pub(crate) fn pointer(path: &serde_path_to_error::Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", escape_pointer(key))),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it parses is looked at")]
    struct Draft {
        name: String,
        age: Option<u8>,
        inner: Option<Box<Draft>>,
        kind: Option<Kind>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    #[expect(dead_code, reason = "only whether it parses is looked at")]
    enum Kind {
        Plain,
        Sized(u8),
    }

    fn refused(text: &str) -> (u16, String) {
        let error = parse::<Draft>(text.as_bytes()).unwrap_err();
        (error.status().as_u16(), error.detail().to_owned())
    }

    #[test]
    fn no_json_is_400_and_json_that_does_not_fit_422_with_its_place() {
        for text in [
            "",
            "{",
            "nope",
            "{\"name\":\"a\"} x",
            "{\"name\":\"\\ud800\"}",
            "\u{feff}{}",
        ] {
            assert_eq!(refused(text).0, 400, "{text:?}");
        }
        assert_eq!(
            parse::<Draft>(b"{\"name\":\"\xff\"}").unwrap_err().status(),
            400
        );
        assert!(parse::<Draft>(br#"{"name":"a","age":3}"#).is_ok());
        for (text, detail) in [
            (r#"{}"#, "name: is missing"),
            (r#"{"name":"a","inner":{}}"#, "inner/name: is missing"),
            (
                r#"{"name":"a","nmae":1}"#,
                "nmae: is not known here; known: one of `name`, `age`, `inner`, `kind`",
            ),
            (r#"{"name":"a","name":"b"}"#, "name: is given twice"),
        ] {
            assert_eq!(refused(text), (422, detail.to_owned()));
        }
        for (text, pointer) in [
            (r#"{"name":1}"#, "name: "),
            (r#"{"name":"a","age":300}"#, "age: "),
            (r#"{"name":"a","age":1.5}"#, "age: "),
            (r#"{"name":"a","inner":{"name":null}}"#, "inner/name: "),
            (r#"{"name":"a","kind":1}"#, "kind: is of another type"),
            (r#"{"name":"a","kind":{}}"#, "kind: is of another type"),
            (r#"{"name":"a","kind":"odd"}"#, "kind: unknown variant"),
            ("[]", "invalid"),
        ] {
            let (status, detail) = refused(text);
            assert_eq!(status, 422);
            assert!(detail.starts_with(pointer), "{detail}");
        }
    }

    #[test]
    fn a_text_that_does_not_fit_and_is_no_json_is_no_json() {
        for text in [
            r#"{"nmae":1,}"#,
            r#"{"name":1"#,
            r#"[1} "#,
            "{\"nmae\":\"\u{1}\"}",
        ] {
            assert_eq!(refused(text).0, 400, "{text}");
        }
        let deep = format!("{{\"nmae\":{}1{}}}", "[".repeat(1000), "]".repeat(1000));
        assert_eq!(refused(&deep).0, 400);
        for text in [
            r#"{"nmae":[1,-2.5e3,{"a":null,"b":[true,"x"]}]}"#,
            "18446744073709551616",
        ] {
            assert_eq!(refused(text).0, 422, "{text}");
        }
    }

    #[test]
    fn a_list_of_members_is_no_object() {
        assert!(parse::<Object<Draft>>(br#"{"name":"a"}"#).is_ok());
        for text in [r#"["a",3,null]"#, r#"[]"#, r#""a""#, "null", "5"] {
            let error = parse::<Object<Draft>>(text.as_bytes()).unwrap_err();
            assert_eq!(
                (error.status().as_u16(), error.code()),
                (422, "validation_failed"),
                "{text}"
            );
        }
        let error = parse::<Object<Draft>>(br#"{"name":"a","inner":{"nmae":1}}"#).unwrap_err();
        assert!(
            error.detail().starts_with("inner/nmae: "),
            "{}",
            error.detail()
        );
    }

    #[test]
    fn depth_is_limited() {
        let deep = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
        assert!(parse::<serde_json::Value>(deep(100).as_bytes()).is_ok());
        assert_eq!(
            parse::<serde_json::Value>(deep(1000).as_bytes())
                .unwrap_err()
                .status(),
            400
        );
    }
}
