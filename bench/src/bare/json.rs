//! JSON, written by hand and read into fixed shapes.

use serde::Deserialize;

/// What stands before each value of an employee.
pub(super) const EMPLOYEE: [&str; 7] = [
    "{\"emp_no\":",
    ",\"birth_date\":",
    ",\"first_name\":",
    ",\"last_name\":",
    ",\"gender\":",
    ",\"hire_date\":",
    ",\"dept_no\":",
];

/// What stands before each value of a salary.
pub(super) const SALARY: [&str; 4] = [
    "{\"emp_no\":",
    ",\"from_date\":",
    ",\"to_date\":",
    ",\"amount\":",
];

/// What stands between an employee's own values and the salaries.
pub(super) const SALARIES: &str = ",\"salaries\":[";

/// A row to insert.
#[derive(Deserialize)]
pub(super) struct Hire<'a> {
    pub(super) birth_date: &'a str,
    pub(super) first_name: &'a str,
    pub(super) last_name: &'a str,
    pub(super) gender: &'a str,
    pub(super) hire_date: &'a str,
    pub(super) dept_no: i64,
}

/// A change of an employee.
#[derive(Deserialize)]
pub(super) struct Change<'a> {
    pub(super) first_name: &'a str,
}

/// A row to insert or to put in the place of what is there.
#[derive(Deserialize)]
pub(super) struct Label<'a> {
    pub(super) id: i64,
    pub(super) label: &'a str,
    pub(super) number: i64,
}

/// The rows of a CSV document in which nothing is quoted, after the line with the names.
pub(super) fn csv(text: &str) -> impl Iterator<Item = Option<Hire<'_>>> {
    text.lines().skip(1).map(|line| {
        let mut fields = line.split(',');
        Some(Hire {
            birth_date: fields.next()?,
            first_name: fields.next()?,
            last_name: fields.next()?,
            gender: fields.next()?,
            hire_date: fields.next()?,
            dept_no: fields.next()?.parse().ok()?,
        })
    })
}

/// A comma, unless it is the first of a list.
pub(super) fn separate(out: &mut Vec<u8>) {
    if out.last() != Some(&b'[') {
        out.push(b',');
    }
}

pub(super) fn int(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

pub(super) fn text(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    let is_plain = |byte: &u8| *byte >= 0x20 && *byte != b'"' && *byte != b'\\';
    if text.iter().all(is_plain) {
        out.extend_from_slice(text);
    } else {
        for byte in text {
            match byte {
                b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
                0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
                _ => out.push(*byte),
            }
        }
    }
    out.push(b'"');
}

pub(super) fn date(out: &mut Vec<u8>, year: u16, month: u8, day: u8) {
    let digit = |number: u16| b'0' + (number % 10) as u8;
    let (month, day) = (u16::from(month), u16::from(day));
    out.extend_from_slice(&[
        b'"',
        digit(year / 1000),
        digit(year / 100),
        digit(year / 10),
        digit(year),
        b'-',
        digit(month / 10),
        digit(month),
        b'-',
        digit(day / 10),
        digit(day),
        b'"',
    ]);
}
