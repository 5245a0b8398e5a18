//! What tests of resources share.

use std::collections::BTreeMap;

use serde_json::Value;

use super::client::Reply;

/// The names of an object's members, in alphabetical order.
#[track_caller]
pub fn members(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = value
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    names
}

/// One member of each object in an array, as text.
#[track_caller]
pub fn names(list: &Value, member: &str) -> Vec<String> {
    let list = list.as_array().expect("an array");
    let text = |value: &Value| value[member].as_str().expect("a text").to_owned();
    list.iter().map(text).collect()
}

/// How often each status came.
pub fn statuses(replies: &[Reply]) -> BTreeMap<u16, usize> {
    replies.iter().fold(BTreeMap::new(), |mut found, reply| {
        *found.entry(reply.status.as_u16()).or_default() += 1;
        found
    })
}

/// Whether it is a time in RFC 3339 with `Z`.
pub fn is_time(value: &Value) -> bool {
    value.as_str().is_some_and(|text| {
        text.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(text).is_ok()
    })
}

/// Asserts that a record holds all that was sent.
#[track_caller]
pub fn assert_holds(record: &Value, sent: &Value) {
    for (name, value) in sent.as_object().expect("an object") {
        assert_eq!(&record[name.as_str()], value, "{name} of {record}");
    }
}
