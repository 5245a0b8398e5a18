//! Random requests: from the grammar, over the model. Most are right; some name what is not
//! there, ask what a column cannot answer, or are wrong in themselves.

use std::fmt;

use reqwest::Method;
use serde_json::{Map, Value};

use super::model::{Class, Column, DOCUMENTS, NAMES, Relation, TABLES, Table, table};
use crate::support::rest::Numbers;

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    /// What it changes, to be taken back; `None` where it reads.
    pub change: Option<Change>,
    pub table: String,
    /// Keys and values, not encoded.
    pub pairs: Vec<(String, String)>,
    /// Whether all rows are counted.
    pub counted: bool,
    /// `Range`.
    pub range: Option<String>,
    /// Whether CSV is asked for.
    pub csv: bool,
    /// Whether there are groups in it, which come in any order.
    pub unordered: bool,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(change) = &self.change {
            write!(f, "{} {} [{}] ", change.method, change.body, change.prefer)?;
        }
        write!(f, "/{}?", self.table)?;
        for (at, (key, value)) in self.pairs.iter().enumerate() {
            write!(f, "{}{key}={value}", if at > 0 { "&" } else { "" })?;
        }
        if self.counted {
            write!(f, " count=exact")?;
        }
        if let Some(range) = &self.range {
            write!(f, " Range: {range}")?;
        }
        write!(f, "{}", if self.csv { " (CSV)" } else { "" })
    }
}

/// What a request changes.
#[derive(Debug, Clone)]
pub struct Change {
    pub method: Method,
    pub body: Value,
    /// Preferences beside those that are always there.
    pub prefer: &'static str,
}

/// Draws requests.
pub struct Generator {
    numbers: Numbers,
    groups: bool,
}

impl Generator {
    pub fn new(seed: u64) -> Self {
        Self {
            numbers: Numbers::new(seed),
            groups: false,
        }
    }

    /// The next request.
    pub fn next(&mut self) -> Request {
        let table = &TABLES[self.numbers.below(TABLES.len())];
        let mut pairs = Vec::new();
        self.groups = false;
        let grouped = self.one_in(7);
        let mut names = Vec::new();
        if grouped {
            let select = self.aggregates(table);
            pairs.push(("select".to_owned(), select));
        } else if !self.one_in(12) {
            let select = self.select(table, "", 2, &mut names, &mut pairs);
            pairs.push(("select".to_owned(), select));
        }
        self.conditions(table, "", &names, &mut pairs);
        let mut range = None;
        if grouped {
            // Groups have no key to end an order with.
        } else {
            // A window is only comparable where the order is total.
            let order = self.order(table, &names, true);
            pairs.push(("order".to_owned(), order));
            self.window("", &mut pairs);
            if self.one_in(10) {
                let from = self.numbers.below(6);
                range = Some(format!("{from}-{}", from + self.numbers.below(8)));
            }
        }
        if self.one_in(25) {
            self.spoil(&mut pairs);
        }
        let name = match self.numbers.below(60) {
            0 => "ship",
            _ => table.name,
        };
        Request {
            change: None,
            table: name.to_owned(),
            pairs,
            counted: self.one_in(5),
            range,
            // How an engine writes JSON in a text is its own.
            csv: !self.groups && names.is_empty() && !has_json(table) && self.one_in(6),
            unordered: self.groups,
        }
    }

    /// The next request that changes something.
    pub fn next_change(&mut self) -> Request {
        let table = &TABLES[self.numbers.below(TABLES.len())];
        let method = self.pick(&["POST", "POST", "PATCH", "PATCH", "DELETE"]);
        let mut pairs = Vec::new();
        let (mut embeds, mut prefer) = (Vec::new(), "");
        if self.one_in(2) {
            let select = self.select(table, "", 1, &mut embeds, &mut pairs);
            pairs.push(("select".to_owned(), select));
        }
        let body = if method == "POST" {
            prefer = self.pick(&[
                "",
                "",
                "resolution=merge-duplicates",
                "resolution=ignore-duplicates",
            ]);
            let mut columns: Vec<_> = table.columns.iter().filter(|_| !self.one_in(3)).collect();
            columns.retain(|column| !table.key.contains(&column.name));
            let rows = (0..1 + self.numbers.below(3)).map(|_| {
                // Some are there already.
                let keys = table
                    .key
                    .iter()
                    .map(|key| ((*key).to_owned(), Value::from(1 + self.numbers.below(60))));
                let mut row: Map<_, _> = keys.collect();
                row.extend(
                    columns
                        .iter()
                        .map(|column| (column.name.to_owned(), self.member(column))),
                );
                Value::Object(row)
            });
            rows.collect()
        } else {
            let key = table.key[0];
            let (from, length) = (1 + self.numbers.below(12), self.numbers.below(4));
            pairs.push((key.to_owned(), format!("gte.{from}")));
            pairs.push((key.to_owned(), format!("lte.{}", from + length)));
            if self.one_in(3) {
                self.conditions(table, "", &[], &mut pairs);
            }
            let columns = table.columns.iter().filter(|column| column.name != key);
            let mut columns: Vec<_> = columns.collect();
            columns.retain(|_| self.one_in(3));
            let members = columns
                .into_iter()
                .map(|column| (column.name.to_owned(), self.member(column)));
            if method == "PATCH" {
                Value::Object(members.collect())
            } else {
                Value::Null
            }
        };
        let order = self.order(table, &[], true);
        pairs.push(("order".to_owned(), order));
        Request {
            change: Some(Change {
                method: method.parse().expect("a method"),
                body,
                prefer,
            }),
            table: table.name.to_owned(),
            pairs,
            counted: self.one_in(4),
            range: None,
            csv: false,
            unordered: self.groups,
        }
    }

    /// A value of a body.
    fn member(&mut self, column: &Column) -> Value {
        if self.one_in(6) {
            return Value::Null;
        }
        let text = self.literal(column.class);
        match column.class {
            Class::Integer | Class::Decimal | Class::Double | Class::Boolean | Class::Json => {
                serde_json::from_str(&text).unwrap_or(Value::String(text))
            }
            _ => Value::String(text),
        }
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.numbers.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.numbers.below(among.len())]
    }

    /// The text of a select; what is said of its embeds goes to `pairs`, and the names of those
    /// that are objects to `ones`.
    fn select(
        &mut self,
        table: &'static Table,
        path: &str,
        levels: usize,
        ones: &mut Vec<(String, &'static Table, bool)>,
        pairs: &mut Vec<(String, String)>,
    ) -> String {
        let mut items = Vec::new();
        if self.one_in(4) {
            items.push("*".to_owned());
        } else {
            for column in table.columns {
                if self.one_in(3) {
                    items.push(self.value(column));
                }
            }
        }
        if levels > 0 {
            for relation in table.relations {
                if self.one_in(4) {
                    items.push(self.embed(relation, path, levels, ones, pairs));
                }
            }
        }
        if items.is_empty() {
            items.push(table.key[0].to_owned());
        }
        items.join(if self.one_in(9) { ", " } else { "," })
    }

    /// A column as it is, cast, under another name, or a place in its document.
    fn value(&mut self, column: &Column) -> String {
        let mut text = column.name.to_owned();
        if column.class == Class::Json && self.one_in(2) {
            let path = self.path();
            let alias = self.numbers.below(1_000);
            return format!("p{alias}:{text}{path}");
        }
        if column.class != Class::Json && self.one_in(9) {
            let target = match column.class {
                Class::Integer => self.pick(&["text", "bigint", "numeric", "int"]),
                Class::Decimal => self.pick(&["text", "int", "numeric"]),
                Class::Moment | Class::Instant => self.pick(&["text", "date"]),
                Class::Text => "text",
                Class::Boolean => self.pick(&["text", "int"]),
                _ => "text",
            };
            text = format!("{text}::{target}");
            if self.one_in(30) {
                text.push_str("_unknown");
            }
        }
        if self.one_in(9) {
            text = format!("as {}:{text}", column.name);
        }
        text
    }

    fn path(&mut self) -> &'static str {
        self.pick(&[
            "->a",
            "->>a",
            "->tags",
            "->tags->0",
            "->tags->>-1",
            "->deep->k",
            "->deep->>k",
            "->deep->>n",
            "->deep->list->1->n",
            "->\"odd key\"",
            "->>\"0\"",
            "->0",
            "->>1",
            "->>on",
            "->missing->>x",
        ])
    }

    fn embed(
        &mut self,
        relation: &Relation,
        path: &str,
        levels: usize,
        ones: &mut Vec<(String, &'static Table, bool)>,
        pairs: &mut Vec<(String, String)>,
    ) -> String {
        let related = table(relation.table);
        let plain = relation.target.split('!').next().unwrap_or_default();
        let spread = self.one_in(8);
        let (name, alias) = if spread {
            (plain.to_owned(), String::new())
        } else {
            let name = format!("e{}", self.numbers.below(10_000));
            (name.clone(), format!("{name}:"))
        };
        let join = match self.numbers.below(6) {
            0 => "!inner",
            1 => "!left",
            _ => "",
        };
        let path = format!("{path}{name}.");
        let mut inner = Vec::new();
        let inside = if self.one_in(12) {
            String::new()
        } else if !relation.to_one && !spread && self.one_in(6) {
            self.aggregates(related)
        } else {
            let inside = self.select(related, &path, levels - 1, &mut inner, pairs);
            if !relation.to_one {
                let order = self.order(related, &inner, true);
                pairs.push((format!("{path}order"), order));
                self.window(&path, pairs);
            }
            inside
        };
        if self.one_in(3) {
            self.conditions(related, &path, &inner, pairs);
        }
        if !spread {
            ones.push((name, related, relation.to_one));
        }
        let dots = if spread { "..." } else { "" };
        format!("{dots}{alias}{}{join}({inside})", relation.target)
    }

    /// Columns to group by, and aggregates.
    fn aggregates(&mut self, table: &Table) -> String {
        self.groups = true;
        let mut items = Vec::new();
        if self.one_in(2) {
            let plain = [Class::Integer, Class::Text, Class::Boolean, Class::Date];
            let columns: Vec<_> = table
                .columns
                .iter()
                .filter(|it| plain.contains(&it.class))
                .collect();
            let column = columns[self.numbers.below(columns.len())];
            items.push(column.name.to_owned());
        }
        for at in 0..1 + self.numbers.below(3) {
            let column = &table.columns[self.numbers.below(table.columns.len())];
            let function = match column.class {
                Class::Integer | Class::Decimal | Class::Double => {
                    self.pick(&["count", "sum", "avg", "min", "max"])
                }
                Class::Json | Class::Bytes | Class::Boolean => "count",
                _ => self.pick(&["count", "min", "max"]),
            };
            items.push(match self.numbers.below(5) {
                0 => format!("n{at}:count()"),
                1 => format!("n{at}:{}.{function}()::text", column.name),
                _ => format!("n{at}:{}.{function}()", column.name),
            });
        }
        items.join(",")
    }

    fn order(
        &mut self,
        table: &Table,
        ones: &[(String, &'static Table, bool)],
        total: bool,
    ) -> String {
        let mut terms = Vec::new();
        for _ in 0..self.numbers.below(3) {
            let sortable = |it: &&Column| it.class != Class::Json;
            let term = match ones.iter().find(|(_, _, to_one)| *to_one) {
                Some((name, related, _)) if self.one_in(3) => {
                    let columns: Vec<_> = related.columns.iter().filter(sortable).collect();
                    format!(
                        "{name}({})",
                        columns[self.numbers.below(columns.len())].name
                    )
                }
                _ => {
                    let columns: Vec<_> = table.columns.iter().filter(sortable).collect();
                    columns[self.numbers.below(columns.len())].name.to_owned()
                }
            };
            let direction = self.pick(&["", ".asc", ".desc"]);
            let nulls = self.pick(&["", "", ".nullsfirst", ".nullslast"]);
            terms.push(format!("{term}{direction}{nulls}"));
        }
        if total {
            terms.extend(table.key.iter().map(|key| (*key).to_owned()));
        }
        terms.join(",")
    }

    fn window(&mut self, path: &str, pairs: &mut Vec<(String, String)>) {
        if self.one_in(4) {
            pairs.push((format!("{path}limit"), self.numbers.below(7).to_string()));
        }
        if self.one_in(6) {
            pairs.push((format!("{path}offset"), self.numbers.below(5).to_string()));
        }
    }

    fn conditions(
        &mut self,
        table: &Table,
        path: &str,
        embeds: &[(String, &'static Table, bool)],
        pairs: &mut Vec<(String, String)>,
    ) {
        for _ in 0..self.pick(&[0, 0, 1, 1, 2]) {
            let (operand, class) = self.operand(table);
            let condition = self.condition(class, false);
            pairs.push((format!("{path}{operand}"), condition));
        }
        if self.one_in(5) {
            let word = self.pick(&["and", "or", "not.and", "not.or"]);
            let tree = self.tree(table, 2);
            pairs.push((format!("{path}{word}"), tree));
        }
        if !embeds.is_empty() && self.one_in(5) {
            let name = &embeds[self.numbers.below(embeds.len())].0;
            let condition = self.pick(&["is.null", "not.is.null", "is.not_null"]);
            pairs.push((format!("{path}{name}"), condition.to_owned()));
        }
    }

    fn tree(&mut self, table: &Table, levels: usize) -> String {
        let mut branches = Vec::new();
        for _ in 0..1 + self.numbers.below(3) {
            if levels > 0 && self.one_in(4) {
                let word = self.pick(&["and", "or", "not.and", "not.or"]);
                let inside = self.tree(table, levels - 1);
                branches.push(format!("{word}{inside}"));
            } else {
                let (operand, class) = self.operand(table);
                let condition = self.condition(class, true);
                branches.push(format!("{operand}.{condition}"));
            }
        }
        format!("({})", branches.join(","))
    }

    /// A column or a place in it, and of which class its values are: `None` for the JSON of a
    /// path, and text for its text.
    fn operand(&mut self, table: &Table) -> (String, Class) {
        if self.one_in(80) {
            return ("nothing".to_owned(), Class::Text);
        }
        let column = &table.columns[self.numbers.below(table.columns.len())];
        if column.class == Class::Json && !self.one_in(4) {
            let path = self.path();
            let class = if path.contains("->>") {
                Class::Text
            } else {
                Class::Json
            };
            return (format!("{}{path}", column.name), class);
        }
        (column.name.to_owned(), column.class)
    }

    fn condition(&mut self, class: Class, in_tree: bool) -> String {
        let not = if self.one_in(5) { "not." } else { "" };
        // Some ask what this class cannot answer.
        let asked = if self.one_in(40) { Class::Text } else { class };
        let quoted = |text: String| if in_tree { quote(&text) } else { text };
        let condition = match (asked, self.numbers.below(10)) {
            (_, 0) => self
                .pick(&["is.null", "is.not_null", "is.NULL", "is.null"])
                .to_owned(),
            (Class::Boolean, 1..=3) => self.pick(&["is.true", "is.false", "is.unknown"]).to_owned(),
            (Class::Json, 1..=5) => {
                let word = self.pick(&["cs", "cd", "ov"]);
                let document = self.pick(&[
                    "[\"x\"]",
                    "{\"a\":1}",
                    "[]",
                    "{}",
                    "1",
                    "\"x\"",
                    "{x,y}",
                    "{\"deep\":{}}",
                    "[1,\"y\"]",
                ]);
                format!("{word}.{}", quoted(document.to_owned()))
            }
            (Class::Text, 1..=3) => {
                let word = self.pick(&["like", "ilike"]);
                let pattern = self.pick(&[
                    "*e*",
                    "T*",
                    "t%",
                    "_ern",
                    "*\\\\*",
                    "%ü%",
                    "*STRASSE*",
                    "*ß",
                    "",
                    "a\\_b",
                    "*🐉",
                    "*%",
                ]);
                format!("{word}.{}", quoted(pattern.to_owned()))
            }
            (Class::Text, 4) => {
                let word = self.pick(&["match", "imatch"]);
                let pattern = self.pick(&[
                    "^T",
                    "ern$",
                    "[0-9]+",
                    "hull|paint",
                    "^.{4}$",
                    "ü",
                    "\\bhull\\b",
                    "a.b",
                ]);
                format!("{word}.{}", quoted(pattern.to_owned()))
            }
            (Class::Text, 5) => {
                let word = self.pick(&["like(any)", "like(all)", "ilike(any)", "match(any)"]);
                format!("{word}.{{T*,*r*}}")
            }
            (_, 6) => {
                let values = [
                    self.literal(class),
                    self.literal(class),
                    self.literal(class),
                ];
                let count = self.numbers.below(4);
                let values: Vec<_> = values.iter().take(count).map(|it| quote(it)).collect();
                format!("in.({})", values.join(","))
            }
            (_, 7) => {
                let word = self.pick(&[
                    "eq(any)", "gt(any)", "gte(all)", "lt(all)", "eq(all)", "lte(any)",
                ]);
                let values = [self.literal(class), self.literal(class)].map(|it| quote(&it));
                format!("{word}.{{{}}}", values.join(","))
            }
            (_, 8) => format!("isdistinct.{}", quoted(self.literal(class))),
            _ => {
                let word = self.pick(&["eq", "neq", "gt", "gte", "lt", "lte", "eq"]);
                format!("{word}.{}", quoted(self.literal(class)))
            }
        };
        format!("{not}{condition}")
    }

    /// A value, which mostly fits the class.
    fn literal(&mut self, class: Class) -> String {
        if self.one_in(40) {
            return self
                .pick(&[
                    "abc",
                    "",
                    "99999999999999999999999",
                    "1e999",
                    "NaN",
                    "2026-13-01",
                    "'",
                ])
                .to_owned();
        }
        match class {
            Class::Integer => self
                .pick(&[
                    "0",
                    "1",
                    "2",
                    "3",
                    "5",
                    "7",
                    "10",
                    "-1",
                    "1007",
                    "4007",
                    "9007199254740993",
                    "007",
                ])
                .to_owned(),
            Class::Decimal => self
                .pick(&[
                    "0", "1.5", "8.5", "5.15", "-3.10", "100.00", "100.25", "1000", "10.450",
                ])
                .to_owned(),
            Class::Double => self
                .pick(&["0", "5", "7.25", "12.5", "-1", "1e1"])
                .to_owned(),
            Class::Text => match self.numbers.below(4) {
                0 => self
                    .pick(&[
                        "cargo",
                        "ferry",
                        "B1",
                        "B2",
                        "cook",
                        "Cook",
                        "NO",
                        "P0037",
                        "v",
                        "x",
                        "1",
                        "",
                        "Fresh paint on the hull",
                    ])
                    .to_owned(),
                _ => self.pick(&NAMES).to_owned(),
            },
            Class::Boolean => self.pick(&["true", "false", "t", "0", "1"]).to_owned(),
            Class::Date => self
                .pick(&[
                    "1940-04-24",
                    "2026-02-10",
                    "2026-02-28",
                    "1970-12-31",
                    "1965-12-31",
                ])
                .to_owned(),
            Class::Moment => self
                .pick(&[
                    "2026-03-12T02:30:00.5",
                    "2026-05-14 04:30:00",
                    "2026-09-18T08:30:00.500",
                ])
                .to_owned(),
            Class::Instant => self
                .pick(&[
                    "2025-11-05T14:00:04+00:00",
                    "2025-10-01T10:00:00Z",
                    "2025-12-03T14:00:02+02:00",
                ])
                .to_owned(),
            Class::Time => self
                .pick(&["07:49:00", "00:00:00", "12:24:00", "23:41:00"])
                .to_owned(),
            Class::Bytes => self
                .pick(&["\\x", "\\x00ff", "\\xcafe01", "\\xCAFE01"])
                .to_owned(),
            Class::Json => match self.numbers.below(3) {
                0 => self.pick(&DOCUMENTS).to_owned(),
                _ => self
                    .pick(&["1", "\"x\"", "null", "true", "2", "[]", "\"v\"", "1.5"])
                    .to_owned(),
            },
        }
    }

    /// Makes a request wrong, or at least odd.
    fn spoil(&mut self, pairs: &mut Vec<(String, String)>) {
        let (key, value) = self.pick(&[
            ("select", "nothing"),
            ("select", "id,calls(id,)"),
            ("select", "ghosts(*)"),
            ("ghosts.id", "eq.1"),
            ("order", "nothing.desc"),
            ("order", "id.up"),
            ("order", "ghosts(id)"),
            ("limit", "-1"),
            ("limit", "x"),
            ("offset", "1000"),
            ("id", "sl.(1,2)"),
            ("id", "like.1*"),
            ("id", "eq"),
            ("or", "()"),
            ("or", "(id.eq.1"),
            ("name", "match.["),
            ("name", "is.true"),
            ("id", "fts.a"),
            ("columns", "a,,b"),
            ("select", "id.sum().avg()"),
            ("select", "name.sum()"),
            ("select", "...x:calls(id)"),
        ]);
        pairs.insert(0, (key.to_owned(), value.to_owned()));
    }
}

fn has_json(table: &Table) -> bool {
    table.columns.iter().any(|it| it.class == Class::Json)
}

/// In double quotes, as values in lists and trees are.
fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
