//! The two tables that queries are about, as the catalogue would describe them.

use std::sync::Arc;

use tidegate_domain::gateway::column_type::ColumnType;
use tidegate_domain::gateway::name::DatabaseName;
use tidegate_domain::gateway::schema::{
    Column, DatabaseSchema, ForeignKey, Index, ReferentialAction, Table, TableKind,
};

const INTEGER: ColumnType = ColumnType::Integer {
    bytes: 4,
    unsigned: false,
};

/// Both tables.
pub(super) fn schema() -> DatabaseSchema {
    let employees = table(
        "employees",
        [
            ("emp_no", INTEGER),
            ("birth_date", ColumnType::Date),
            ("first_name", ColumnType::Varchar(40)),
            ("last_name", ColumnType::Varchar(40)),
            ("gender", ColumnType::Char(1)),
            ("hire_date", ColumnType::Date),
            ("dept_no", INTEGER),
        ],
        &["emp_no"],
    );
    let salaries = table(
        "salaries",
        [
            ("emp_no", INTEGER),
            ("from_date", ColumnType::Date),
            ("to_date", ColumnType::Date),
            ("amount", INTEGER),
        ],
        &["emp_no", "from_date"],
    );
    let employees = Table {
        indexes: vec![Index {
            name: "by_department".to_owned(),
            columns: vec!["dept_no".to_owned()],
            unique: false,
        }],
        row_estimate: Some(300_000),
        ..employees
    };
    let salaries = Table {
        foreign_keys: vec![ForeignKey {
            name: "earned_by".to_owned(),
            columns: vec!["emp_no".to_owned()],
            references: "employees".to_owned(),
            referenced_columns: vec!["emp_no".to_owned()],
            on_delete: ReferentialAction::Cascade,
            on_update: ReferentialAction::NoAction,
        }],
        row_estimate: Some(2_000_000),
        ..salaries
    };
    DatabaseSchema::new(name(), vec![Arc::new(employees), Arc::new(salaries)])
}

fn name() -> DatabaseName {
    DatabaseName::new("bench", "tidegate").expect("a name")
}

fn table<const N: usize>(table: &str, columns: [(&str, ColumnType); N], key: &[&str]) -> Table {
    Table {
        database: name(),
        name: table.to_owned(),
        kind: TableKind::Table,
        writable: true,
        columns: columns.map(column).into(),
        primary_key: key.iter().map(ToString::to_string).collect(),
        indexes: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        comment: String::new(),
        row_estimate: None,
    }
}

fn column((name, column_type): (&str, ColumnType)) -> Column {
    let is_text = matches!(column_type, ColumnType::Varchar(_) | ColumnType::Char(_));
    Column {
        name: name.to_owned(),
        column_type,
        nullable: false,
        default: None,
        auto_increment: name == "emp_no",
        generated: None,
        comment: String::new(),
        collation: is_text.then(|| "utf8mb4_0900_ai_ci".to_owned()),
        base: None,
    }
}
