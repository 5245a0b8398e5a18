//! Deserialises name-and-value pairs (queries, forms) and says which one does not fit.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::MapDeserializer;
use serde::de::{DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use tidegate_domain::error::InvalidInput;

use crate::error::ApiError;
use crate::extract::json::{locate, pointer};

/// Splits and decodes `text` (`application/x-www-form-urlencoded`) and reads `T` from it.
///
/// # Errors
/// 400 where it is not UTF-8, 422 with the name of what does not fit.
pub fn parse<T: DeserializeOwned>(text: &[u8], what: &str) -> Result<T, ApiError> {
    let pairs = split(text, what)?;
    let pairs = pairs.into_iter().map(|(name, value)| (name, Text(value)));
    let deserializer = MapDeserializer::<_, Fault>::new(pairs);
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let pointer = pointer(error.path());
        let message = error.into_inner().0;
        ApiError::invalid(match message.split_once('\0') {
            Some((_, own)) => InvalidInput::at(pointer, own),
            None => locate(&message, pointer),
        })
    })
}

/// Names with their values, in their order.
pub type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// Splits and decodes `text`, in which every name stands once.
///
/// # Errors
/// 400 where it is not UTF-8, 422 for a name that is given twice.
pub fn pairs<'a>(text: &'a [u8], what: &str) -> Result<Pairs<'a>, ApiError> {
    let pairs = split(text, what)?;
    for (at, (name, _)) in pairs.iter().enumerate() {
        if pairs.iter().take(at).any(|(other, _)| other == name) {
            return Err(InvalidInput::member(name, "is given twice").into());
        }
    }
    Ok(pairs)
}

fn split<'a>(text: &'a [u8], what: &str) -> Result<Pairs<'a>, ApiError> {
    if percent_encoding::percent_decode(text)
        .decode_utf8()
        .is_err()
    {
        return Err(ApiError::malformed(format!("The {what} is not UTF-8")));
    }
    serde_urlencoded::from_bytes(text)
        .map_err(|error| ApiError::malformed(format!("The {what} cannot be read: {error}")))
}

/// What is wrong with a pair. Our own messages follow a NUL, serde's come bare.
#[derive(Debug)]
struct Fault(String);

impl Fault {
    fn own(message: &str) -> Self {
        Self(format!("\0{message}"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// The text of one value, read as what the type asks for.
struct Text<'a>(Cow<'a, str>);

impl<'de> IntoDeserializer<'de, Fault> for Text<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $type:ty => $message:literal),* $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            match self.0.parse::<$type>() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(Fault::own($message)),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Text<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    numbers! {
        deserialize_bool visit_bool bool => "must be `true` or `false`",
        deserialize_i8 visit_i8 i8 => "must be a whole number from -128 to 127",
        deserialize_i16 visit_i16 i16 => "must be a whole number from -32768 to 32767",
        deserialize_i32 visit_i32 i32 => "must be a whole number of 32 bits",
        deserialize_i64 visit_i64 i64 => "must be a whole number of 64 bits",
        deserialize_u8 visit_u8 u8 => "must be a whole number from 0 to 255",
        deserialize_u16 visit_u16 u16 => "must be a whole number from 0 to 65535",
        deserialize_u32 visit_u32 u32 => "must be a whole number from 0 to 4294967295",
        deserialize_u64 visit_u64 u64 => "must be a whole number, 0 or more",
        deserialize_f32 visit_f32 f32 => "must be a number",
        deserialize_f64 visit_f64 f64 => "must be a number",
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if variants.contains(&self.0.as_ref()) {
            visitor.visit_enum(self.0.into_deserializer())
        } else {
            Err(Fault::own(&format!(
                "must be one of `{}`",
                variants.join("`, `")
            )))
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Fault> {
        Err(Fault::custom("no value fits here"))
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit_struct seq tuple tuple_struct map struct
        identifier ignored_any i128 u128
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Order {
        Asc,
        Desc,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only whether it parses is looked at")]
    struct Page {
        limit: Option<i64>,
        activated: Option<bool>,
        search: Option<String>,
        order: Option<Order>,
        page: u32,
    }

    fn refused(text: &str) -> (u16, String) {
        let error = parse::<Page>(text.as_bytes(), "query").unwrap_err();
        (error.status().as_u16(), error.detail().to_owned())
    }

    #[test]
    fn a_bad_value_is_422_and_names_the_parameter() {
        assert!(parse::<Page>(b"page=1&limit=5&other=x&search=a%20b+c&order=asc", "query").is_ok());
        for (text, detail) in [
            (
                "page=x",
                "page: must be a whole number from 0 to 4294967295",
            ),
            (
                "page=-1",
                "page: must be a whole number from 0 to 4294967295",
            ),
            ("page=1&limit=", "limit: must be a whole number of 64 bits"),
            (
                "page=1&limit=1.5",
                "limit: must be a whole number of 64 bits",
            ),
            (
                "page=1&activated=maybe",
                "activated: must be `true` or `false`",
            ),
            ("page=1&order=up", "order: must be one of `asc`, `desc`"),
            ("limit=1", "page: is missing"),
            ("page=1&page=2", "page: is given twice"),
        ] {
            assert_eq!(refused(text), (422, detail.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_not_utf8_is_400() {
        assert_eq!(refused("page=1&search=%ff").0, 400);
        assert_eq!(
            parse::<Page>(b"page=1&search=\xff", "form")
                .unwrap_err()
                .status(),
            400
        );
    }
}
