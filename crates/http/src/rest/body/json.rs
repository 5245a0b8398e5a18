//! JSON bodies: an object, or an array of objects. The text is checked as a whole first;
//! objects are then taken apart one by one, so that a body of many small rows does not
//! grow into a large tree.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::stream;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use tidegate_domain::gateway::port::RowInput;
use tidegate_domain::query::error::QueryError;
use tidegate_domain::query::plan::{Cell, InsertPlan};
use tidegate_domain::query::planner::JsonRow;

use crate::error::ApiError;
use crate::rest::error::bad_body;

/// Rows that are handed over at a time.
const BATCH: usize = 500;

/// The objects of a body, as text.
#[derive(Debug)]
pub struct JsonRows<'a> {
    objects: Vec<&'a RawValue>,
}

impl<'a> JsonRows<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// No UTF-8, no JSON, or neither an object nor an array of objects.
    pub fn parse(body: &'a [u8]) -> Result<Self, ApiError> {
        let text = std::str::from_utf8(body).map_err(|_| bad_body("The body is not UTF-8"))?;
        let broken = |error: serde_json::Error| {
            bad_body("The body is not valid JSON").details(error.to_string())
        };
        let objects = match text.trim_ascii_start().bytes().next() {
            None => {
                return Err(bad_body("The body is empty")
                    .hint("Send a JSON object, or an array of objects"));
            }
            Some(b'[') => serde_json::from_str(text).map_err(broken)?,
            _ => vec![serde_json::from_str(text).map_err(broken)?],
        };
        let rows = Self { objects };
        match rows
            .objects
            .iter()
            .position(|object| !object.get().starts_with('{'))
        {
            None => Ok(rows),
            Some(at) => Err(
                bad_body("The body must be a JSON object or an array of objects")
                    .details(format!("the value at index {at} is not an object")),
            ),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there are none: the empty array.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// One row. Of a member that is there twice, the last one counts.
    ///
    /// # Errors
    /// Nested more deeply than is read.
    pub fn row(&self, at: usize) -> Result<Option<JsonRow>, ApiError> {
        self.objects
            .get(at)
            .map(|object| object_of(object))
            .transpose()
            .map_err(ApiError::from)
    }

    /// The names of the first row's members, which all rows have.
    ///
    /// # Errors
    /// As [`Self::row`].
    pub fn columns(&self) -> Result<Vec<String>, ApiError> {
        Ok(self
            .row(0)?
            .map(|row| row.into_iter().map(|(name, _)| name).collect())
            .unwrap_or_default())
    }

    /// The rows as cells of `plan`. With `listed`, other members are passed over and absent
    /// ones are filled in; without, each row must have exactly the plan's columns. `failed`
    /// learns which row did not fit.
    #[must_use]
    pub fn cells<'b>(
        &'b self,
        plan: &'b InsertPlan,
        listed: Option<Listed<'b>>,
        failed: &'b AtomicUsize,
    ) -> RowInput<'b> {
        let batches = self
            .objects
            .chunks(BATCH)
            .enumerate()
            .map(move |(batch, objects)| {
                let rows = objects.iter().enumerate().map(|(at, object)| {
                    let cells = match listed {
                        None => cells_in_order(plan, object).unwrap_or_else(|| {
                            object_of(object).and_then(|row| plan.row_from_json(&row))
                        }),
                        Some(listed) => object_of(object).and_then(|row| listed.cells(plan, &row)),
                    };
                    cells.inspect_err(|_| failed.store(batch * BATCH + at, Ordering::Relaxed))
                });
                rows.collect::<Result<Vec<_>, _>>()
            });
        Box::pin(stream::iter(batches))
    }
}

fn object_of(object: &RawValue) -> Result<JsonRow, QueryError> {
    serde_json::from_str(object.get()).map_err(unreadable)
}

#[expect(clippy::needless_pass_by_value, reason = "taken by map_err")]
fn unreadable(error: serde_json::Error) -> QueryError {
    QueryError::Body {
        message: format!("The body cannot be read: {error}"),
    }
}

/// The members of an object, as they are written.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::with_capacity(8);
                while let Some(Name(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Read)
    }
}

/// A name that is copied only where it is written with escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The cells of an object whose members are the plan's columns in their order, without a tree in
/// between; `None` for all other objects.
fn cells_in_order(plan: &InsertPlan, object: &RawValue) -> Option<Result<Vec<Cell>, QueryError>> {
    let Members(members) = serde_json::from_str(object.get()).ok()?;
    let columns = (0..members.len()).map_while(|at| plan.column(at));
    let in_order = members.len() == plan.columns().len()
        && (columns.zip(&members)).all(|(column, (name, _))| column.name == **name);
    if !in_order {
        return None;
    }
    let cell = |(at, (_, value)): (usize, &(_, &RawValue))| {
        let column_type = plan.column(at).map(|column| &column.column_type);
        let written = value.get();
        match column_type.and_then(|it| it.text_of_json(written)) {
            Some(text) => plan.cell_from_text(at, Some(text)),
            None => plan.cell_from_json(at, &value_of(value)?),
        }
    };
    Some(members.iter().enumerate().map(cell).collect())
}

fn value_of(value: &RawValue) -> Result<Value, QueryError> {
    serde_json::from_str(value.get()).map_err(unreadable)
}

/// The columns that a request lists, and what a row gets in those it does not name.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    /// The columns, in the order of the plan.
    pub columns: &'a [String],
    /// Whether they get their default, and not null.
    pub default: bool,
}

impl Listed<'_> {
    fn cells(self, plan: &InsertPlan, row: &JsonRow) -> Result<Vec<Cell>, QueryError> {
        let cell = |(at, name): (usize, &String)| match row.get(name) {
            Some(member) => plan.cell_from_json(at, member),
            None if self.default => Ok(Cell::Default),
            None => plan.cell_from_json(at, &Value::Null),
        };
        self.columns.iter().enumerate().map(cell).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_and_arrays_of_objects_are_rows() {
        let rows = JsonRows::parse(br#" [{"b":1.10,"a":[{}]}, {"a":2,"b":null}] "#).unwrap();
        assert_eq!(
            (rows.len(), rows.columns().unwrap()),
            (2, vec!["b".to_owned(), "a".to_owned()])
        );
        // Numbers keep their text.
        assert_eq!(rows.row(0).unwrap().unwrap()["b"].to_string(), "1.10");
        assert_eq!(JsonRows::parse(b"{}").unwrap().len(), 1);
        assert!(JsonRows::parse(b"[ ]").unwrap().is_empty());
        assert_eq!(
            JsonRows::parse(b"[]").unwrap().columns().unwrap(),
            Vec::<String>::new()
        );
    }

    #[test]
    fn all_else_is_refused() {
        let deep = format!("[{}1{}]", "[".repeat(5000), "]".repeat(5000));
        for body in [
            &b""[..],
            b" \n",
            b"null",
            b"1",
            b"\"x\"",
            b"[1]",
            b"[{}, null]",
            b"[{}",
            b"{\"a\":}",
            b"{} {}",
            b"{'a':1}",
            b"\xff",
            b"{\"a\":\"\xff\"}",
            b"\xef\xbb\xbf{}",
            b"[[{}]]",
            deep.as_bytes(),
        ] {
            let error = JsonRows::parse(body).unwrap_err();
            assert_eq!(
                error.code(),
                "invalid_body",
                "{}",
                String::from_utf8_lossy(body)
            );
        }
    }

    #[test]
    fn depth_has_an_end() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(500_000), "]".repeat(500_000));
        let rows = JsonRows::parse(deep.as_bytes()).unwrap();
        assert!(rows.columns().is_err());
    }
}
