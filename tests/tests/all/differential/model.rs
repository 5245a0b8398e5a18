//! The tables that random requests are about: related in every way there is, with columns of
//! all kinds, and rows whose values repeat, are missing, or are unusual.

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::rest::{Numbers, create_table};

/// What values a column has, as far as a request needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Integer,
    Decimal,
    Double,
    Text,
    Boolean,
    Date,
    Moment,
    Instant,
    Time,
    Bytes,
    Json,
}

/// A column of the model.
pub struct Column {
    pub name: &'static str,
    pub class: Class,
}

/// A way from a table to a related one.
pub struct Relation {
    /// As it is written in `select`.
    pub target: &'static str,
    /// The table it leads to.
    pub table: &'static str,
    /// Whether it gives an object rather than an array.
    pub to_one: bool,
}

/// A table of the model.
pub struct Table {
    pub name: &'static str,
    pub key: &'static [&'static str],
    pub columns: &'static [Column],
    pub relations: &'static [Relation],
}

const fn column(name: &'static str, class: Class) -> Column {
    Column { name, class }
}

const fn one(target: &'static str, table: &'static str) -> Relation {
    Relation {
        target,
        table,
        to_one: true,
    }
}

const fn many(target: &'static str, table: &'static str) -> Relation {
    Relation {
        target,
        table,
        to_one: false,
    }
}

use Class::{Boolean, Bytes, Date, Decimal, Double, Instant, Integer, Json, Moment, Text, Time};

/// All tables.
pub static TABLES: &[Table] = &[
    Table {
        name: "harbours",
        key: &["id"],
        columns: &[
            column("id", Integer),
            column("name", Text),
            column("country", Text),
            column("opened", Date),
            column("depth_m", Double),
            column("info", Json),
        ],
        relations: &[
            many("berths", "berths"),
            many("calls!calls_from", "calls"),
            many("calls!to_id", "calls"),
        ],
    },
    Table {
        name: "berths",
        key: &["id"],
        columns: &[
            column("id", Integer),
            column("harbour_id", Integer),
            column("name", Text),
            column("length_m", Decimal),
            column("free", Boolean),
        ],
        relations: &[
            one("harbours", "harbours"),
            one("harbour_id", "harbours"),
            many("ships", "ships"),
        ],
    },
    Table {
        name: "ships",
        key: &["id"],
        columns: &[
            column("id", Integer),
            column("name", Text),
            column("berth_id", Integer),
            column("leader_id", Integer),
            column("kind", Text),
            column("draught_m", Decimal),
            column("tonnage", Integer),
            column("active", Boolean),
            column("arrived", Moment),
            column("seen", Instant),
            column("sails", Time),
            column("photo", Bytes),
            column("remark", Text),
            column("details", Json),
        ],
        relations: &[
            one("berths", "berths"),
            one("berths!berth_id", "berths"),
            one("leader_id", "ships"),
            many("ships", "ships"),
            many("calls", "calls"),
            many("sailors", "sailors"),
            many("crews", "crews"),
        ],
    },
    Table {
        name: "calls",
        key: &["id"],
        columns: &[
            column("id", Integer),
            column("ship_id", Integer),
            column("from_id", Integer),
            column("to_id", Integer),
            column("day", Date),
            column("cargo_t", Decimal),
        ],
        relations: &[
            one("ships", "ships"),
            one("harbours!calls_from", "harbours"),
            one("harbours!to_id", "harbours"),
            one("from_id", "harbours"),
        ],
    },
    Table {
        name: "sailors",
        key: &["id"],
        columns: &[
            column("id", Integer),
            column("name", Text),
            column("born", Date),
        ],
        relations: &[
            many("ships", "ships"),
            many("crews", "crews"),
            one("passports", "passports"),
        ],
    },
    Table {
        name: "crews",
        key: &["ship_id", "sailor_id"],
        columns: &[
            column("ship_id", Integer),
            column("sailor_id", Integer),
            column("role", Text),
        ],
        relations: &[one("ships", "ships"), one("sailors", "sailors")],
    },
    Table {
        name: "passports",
        key: &["sailor_id"],
        columns: &[
            column("sailor_id", Integer),
            column("number", Text),
            column("valid", Boolean),
        ],
        relations: &[one("sailors", "sailors")],
    },
];

/// The table with this name.
pub fn table(name: &str) -> &'static Table {
    TABLES
        .iter()
        .find(|table| table.name == name)
        .expect("a table of the model")
}

/// Makes the tables and their rows.
pub async fn build(app: &TestApp, database: &str) {
    for table in definitions() {
        create_table(app, database, &table).await;
    }
    for (table, rows) in rows() {
        let path = format!("/rest/{database}/{table}");
        app.admin().post(&path, &json!(rows)).await.expect(201);
    }
}

fn definitions() -> Vec<Value> {
    let key = |name: &str| json!({"name": name, "type": "int", "nullable": false});
    let nullable = |name: &str, of: &str| json!({"name": name, "type": of});
    let refers = |name: &str, column: &str, to: &str| json!({"name": name, "columns": [column], "references": to, "referenced_columns": ["id"]});
    vec![
        json!({
            "name": "harbours",
            "columns": [
                key("id"), {"name": "name", "type": "varchar(40)", "nullable": false}, nullable("country", "char(2)"),
                nullable("opened", "date"), nullable("depth_m", "double"), nullable("info", "json"),
            ],
            "primary_key": ["id"],
        }),
        json!({
            "name": "berths",
            "columns": [
                key("id"), nullable("harbour_id", "int"), {"name": "name", "type": "varchar(20)", "nullable": false},
                nullable("length_m", "decimal(6,2)"), nullable("free", "boolean"),
            ],
            "primary_key": ["id"],
            "foreign_keys": [refers("berths_harbour", "harbour_id", "harbours")],
        }),
        json!({
            "name": "ships",
            "columns": [
                {"name": "id", "type": "bigint", "nullable": false}, {"name": "name", "type": "varchar(60)", "nullable": false},
                nullable("berth_id", "int"), nullable("leader_id", "bigint"), nullable("kind", "enum('cargo','ferry','tug')"),
                nullable("draught_m", "decimal(5,2)"), nullable("tonnage", "int"), nullable("active", "boolean"),
                nullable("arrived", "datetime(3)"), nullable("seen", "timestamp"), nullable("sails", "time"),
                nullable("photo", "blob"), nullable("remark", "text"), nullable("details", "json"),
            ],
            "primary_key": ["id"],
            "indexes": [{"columns": ["name"], "unique": true}],
            "foreign_keys": [refers("ships_berth", "berth_id", "berths"), refers("ships_leader", "leader_id", "ships")],
        }),
        json!({
            "name": "calls",
            "columns": [
                key("id"), nullable("ship_id", "bigint"), nullable("from_id", "int"), nullable("to_id", "int"),
                nullable("day", "date"), nullable("cargo_t", "decimal(12,3)"),
            ],
            "primary_key": ["id"],
            "foreign_keys": [
                refers("calls_ship", "ship_id", "ships"), refers("calls_from", "from_id", "harbours"), refers("calls_to", "to_id", "harbours"),
            ],
        }),
        json!({
            "name": "sailors",
            "columns": [key("id"), {"name": "name", "type": "varchar(40)", "nullable": false}, nullable("born", "date")],
            "primary_key": ["id"],
        }),
        json!({
            "name": "crews",
            "columns": [
                {"name": "ship_id", "type": "bigint", "nullable": false}, {"name": "sailor_id", "type": "int", "nullable": false},
                nullable("role", "varchar(20)"),
            ],
            "primary_key": ["ship_id", "sailor_id"],
            "foreign_keys": [refers("crews_ship", "ship_id", "ships"), refers("crews_sailor", "sailor_id", "sailors")],
        }),
        json!({
            "name": "passports",
            "columns": [
                {"name": "sailor_id", "type": "int", "nullable": false}, {"name": "number", "type": "varchar(12)", "nullable": false},
                nullable("valid", "boolean"),
            ],
            "primary_key": ["sailor_id"],
            "foreign_keys": [refers("passports_sailor", "sailor_id", "sailors")],
        }),
    ]
}

/// Names with what texts are compared by: case, accents, blanks, quotes, wildcards.
pub const NAMES: [&str; 14] = [
    "Ærfugl",
    "Tern",
    "tern",
    "Quill, Daughter & Co",
    "海龍丸 🐉",
    "Straße",
    "O'Hara",
    "100%",
    "a_b",
    "say \"hi\"",
    "back\\slash",
    " lead",
    "Ümlaut",
    "null",
];

/// Documents of all shapes.
pub const DOCUMENTS: [&str; 10] = [
    r#"{"a": 1, "tags": ["x", "y"], "deep": {"k": "v", "n": 1.5}}"#,
    r#"{"a": 2, "tags": [], "deep": {"k": null}, "on": true}"#,
    r#"{"a": "1", "tags": ["y", "z", 3], "odd key": "ö", "0": "zero"}"#,
    r#"{"a": null, "deep": {"k": "V", "list": [{"n": 1}, {"n": 2}]}}"#,
    r#"{"a": 10, "on": false, "tags": ["x"]}"#,
    r#"["x", "y", 1, null]"#,
    "[]",
    "{}",
    "7",
    r#""text""#,
];

fn rows() -> Vec<(&'static str, Vec<Value>)> {
    let mut numbers = Numbers::new(20_260_301);
    let document = |at: usize| -> Value { serde_json::from_str(DOCUMENTS[at]).expect("JSON") };
    let exact = |text: String| -> Value { serde_json::from_str(&text).expect("a number") };
    // Of four, one is missing.
    let some = |numbers: &mut Numbers, value: Value| {
        if numbers.below(4) == 0 {
            Value::Null
        } else {
            value
        }
    };
    let harbours = (1..=9)
        .map(|id: usize| {
            let country = json!(["NO", "JP", "DE", "no"][id % 4]);
            let depth = json!(numbers.below(80) as f64 / 4.0);
            let info = document(numbers.below(DOCUMENTS.len()));
            json!({
                "id": id, "name": NAMES[id - 1], "country": some(&mut numbers, country),
                "opened": some(&mut numbers, json!(format!("19{:02}-0{id}-2{}", 10 * (id % 5), id % 9))),
                "depth_m": some(&mut numbers, depth), "info": some(&mut numbers, info),
            })
        })
        .collect();
    let berths = (1..=16)
        .map(|id: usize| {
            let harbour = json!(1 + numbers.below(7));
            let length = exact(format!(
                "{}.{:02}",
                40 + numbers.below(200),
                numbers.below(4) * 25
            ));
            let free = json!(numbers.below(2) == 0);
            json!({
                "id": id, "harbour_id": some(&mut numbers, harbour), "name": format!("B{}", id % 6),
                "length_m": some(&mut numbers, length), "free": some(&mut numbers, free),
            })
        })
        .collect();
    let ships = (1..=30)
        .map(|id: usize| {
            let name = format!("{}{}", NAMES[id % NAMES.len()], if id >= NAMES.len() { format!(" {}", id / NAMES.len()) } else { String::new() });
            let berth = json!(1 + numbers.below(14));
            let leader = if id < 4 { Value::Null } else { json!(1 + numbers.below(id - 1)) };
            let kind = json!(["cargo", "ferry", "tug"][numbers.below(3)]);
            let draught = exact(format!("{}.{}", numbers.below(12), numbers.below(10) * 10 + 5));
            let tonnage = json!(numbers.below(9) * 1_000 + 7);
            let active = json!(numbers.below(2) == 0);
            let arrived = json!(format!("2026-0{}-1{} 0{}:30:00.{}", 1 + id % 9, id % 10, id % 10, ["000", "250", "5"][id % 3]));
            let seen = json!(format!("2025-1{}-0{} 1{}:00:0{}", id % 3, 1 + id % 9, id % 10, id % 10));
            let sails = json!(format!("{:02}:{:02}:00", id % 24, (id * 7) % 60));
            let photo = json!(["\\x", "\\x00ff", "\\xcafe01"][numbers.below(3)]);
            let remark = json!(["", "Fresh paint on the hull", "hull repaired, paint old", "LOUD ÜBER", "line\nbreak"][numbers.below(5)]);
            let details = document(numbers.below(DOCUMENTS.len()));
            json!({
                "id": if id == 30 { 9_007_199_254_740_993_u64 } else { id as u64 }, "name": name, "berth_id": some(&mut numbers, berth),
                "leader_id": some(&mut numbers, leader), "kind": some(&mut numbers, kind), "draught_m": some(&mut numbers, draught),
                "tonnage": some(&mut numbers, tonnage), "active": some(&mut numbers, active), "arrived": some(&mut numbers, arrived),
                "seen": some(&mut numbers, seen), "sails": some(&mut numbers, sails), "photo": some(&mut numbers, photo),
                "remark": some(&mut numbers, remark), "details": some(&mut numbers, details),
            })
        })
        .collect();
    let calls = (1..=50)
        .map(|id: usize| {
            let (ship, from, to) = (json!(1 + numbers.below(29)), json!(1 + numbers.below(9)), json!(1 + numbers.below(9)));
            let cargo = exact(format!("{}.{:03}", numbers.below(5_000), numbers.below(1_000)));
            json!({
                "id": id, "ship_id": some(&mut numbers, ship), "from_id": some(&mut numbers, from), "to_id": some(&mut numbers, to),
                "day": some(&mut numbers, json!(format!("2026-02-{:02}", 1 + id % 28))), "cargo_t": some(&mut numbers, cargo),
            })
        })
        .collect();
    let sailors = (1..=12)
        .map(|id: usize| json!({"id": id, "name": NAMES[(id * 5) % NAMES.len()], "born": some(&mut numbers, json!(format!("19{}-12-31", 60 + id)))}))
        .collect();
    let crews = (0..40)
        .map(|at: usize| json!({"ship_id": 1 + at % 15, "sailor_id": 1 + (at * 7 + at / 15) % 11, "role": some(&mut numbers, json!(["mate", "cook", "Cook"][at % 3]))}))
        .collect();
    let passports = (1..=8)
        .map(|id: usize| json!({"sailor_id": id, "number": format!("P{:04}", id * 37), "valid": some(&mut numbers, json!(id.is_multiple_of(3)))}))
        .collect();
    vec![
        ("harbours", harbours),
        ("berths", berths),
        ("ships", ships),
        ("calls", calls),
        ("sailors", sailors),
        ("crews", crews),
        ("passports", passports),
    ]
}
