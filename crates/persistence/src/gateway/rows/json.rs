//! JSON documents by what they say: the collations by which SQLite compares them.
//!
//! Values are ordered as PostgreSQL orders `jsonb`: null, texts, numbers, truth, arrays, objects.
//! Numbers compare by value whatever their spelling, texts by code point.

use std::cmp::Ordering;

use serde_json::Value;
use tidegate_domain::gateway::value::decimal_cmp;

/// Compares two documents by what they say. What is no document comes last, by its bytes.
pub(crate) fn json_order(a: &str, b: &str) -> Ordering {
    match (serde_json::from_str(a), serde_json::from_str(b)) {
        (Ok(a), Ok(b)) => order(&a, &b),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => a.cmp(b),
    }
}

/// Equal where the first document contains the second one. It is no order, and is only asked
/// for equality of values of which no index exists.
pub(crate) fn json_contains(a: &str, b: &str) -> Ordering {
    holds(a, b, |a, b| match (a, b) {
        // An array contains a value that stands in it, at the top only.
        (Value::Array(items), b) if !b.is_array() && !b.is_object() => {
            items.iter().any(|item| same(item, b))
        }
        (a, b) => contains(a, b),
    })
}

/// Equal where two arrays have an element in common; no order either.
pub(crate) fn json_overlaps(a: &str, b: &str) -> Ordering {
    holds(a, b, |a, b| match (a, b) {
        (Value::Array(a), Value::Array(b)) => a.iter().any(|a| b.iter().any(|b| same(a, b))),
        _ => false,
    })
}

fn holds(a: &str, b: &str, test: impl FnOnce(&Value, &Value) -> bool) -> Ordering {
    let holds = match (serde_json::from_str(a), serde_json::from_str(b)) {
        (Ok(a), Ok(b)) => test(&a, &b),
        _ => false,
    };
    if holds {
        Ordering::Equal
    } else {
        Ordering::Less
    }
}

fn same(a: &Value, b: &Value) -> bool {
    order(a, b) == Ordering::Equal
}

fn contains(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => b
            .iter()
            .all(|(key, b)| a.get(key).is_some_and(|a| contains(a, b))),
        (Value::Array(a), Value::Array(b)) => b.iter().all(|b| a.iter().any(|a| contains(a, b))),
        (a, b) => same(a, b),
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::String(_) => 1,
        Value::Number(_) => 2,
        Value::Bool(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Number(a), Value::Number(b)) => decimal_cmp(&a.to_string(), &b.to_string()),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => a.len().cmp(&b.len()).then_with(|| {
            let mut pairs = a.iter().zip(b).map(|(a, b)| order(a, b));
            pairs.find(|it| it.is_ne()).unwrap_or(Ordering::Equal)
        }),
        (Value::Object(a), Value::Object(b)) => a.len().cmp(&b.len()).then_with(|| {
            let sorted = |map: &serde_json::Map<String, Value>| {
                let mut members: Vec<_> = map.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
                members.sort_by(|one, other| one.0.cmp(&other.0));
                members
            };
            let (a, b) = (sorted(a), sorted(b));
            let mut pairs = a
                .iter()
                .zip(&b)
                .map(|(a, b)| a.0.cmp(&b.0).then_with(|| order(&a.1, &b.1)));
            pairs.find(|it| it.is_ne()).unwrap_or(Ordering::Equal)
        }),
        (a, b) => rank(a).cmp(&rank(b)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_ordered_by_kind_and_then_by_value() {
        let sorted = [
            "null",
            r#""a""#,
            r#""b""#,
            "-1",
            "9",
            "10.5",
            "false",
            "true",
            "[9]",
            "[1,1]",
            r#"{"a":2}"#,
            r#"{"b":1}"#,
            "nothing",
        ];
        for (a, left) in sorted.iter().enumerate() {
            for (b, right) in sorted.iter().enumerate() {
                assert_eq!(json_order(left, right), a.cmp(&b), "{left} {right}");
            }
        }
        assert_eq!(json_order("1.0", "1e0"), Ordering::Equal);
        assert_eq!(
            json_order(r#"{"a":1,"b":2}"#, r#"{"b": 2, "a": 1}"#),
            Ordering::Equal
        );
    }

    #[test]
    fn containment_is_that_of_postgresql() {
        let cases = [
            (r#"{"a":1,"b":[1,2,{"c":3}]}"#, r#"{"b":[{"c":3},1]}"#, true),
            (r#"{"a":1}"#, r#"{"a":2}"#, false),
            ("[1,2]", "[2,2,1]", true),
            ("[1,2]", "1", true),
            ("[[1]]", "[1]", false),
            ("[[1]]", "1", false),
            (r#"[{"a":1}]"#, r#"{"a":1}"#, false),
            (r#"{"a":[1]}"#, r#"{"a":1}"#, false),
            ("1", "[1]", false),
            ("1.0", "1", true),
            ("no", "1", false),
        ];
        for (a, b, expected) in cases {
            assert_eq!(json_contains(a, b) == Ordering::Equal, expected, "{a} {b}");
        }
        assert_eq!(json_overlaps("[1,2]", "[2.0,3]"), Ordering::Equal);
        assert_ne!(json_overlaps("[1,2]", "[3]"), Ordering::Equal);
        assert_ne!(json_overlaps("1", "[1]"), Ordering::Equal);
    }
}
