//! When an insert takes a connection.

use futures_util::{StreamExt as _, poll, stream};
use tidegate_domain::gateway::name::DatabaseName;
use tidegate_domain::gateway::schema::{Table, TableKind};
use tidegate_domain::query::planner::{Limits, Planner};

use super::super::super::pool::MySqlPoolOptions;
use super::*;

fn plan() -> InsertPlan {
    let column = Column {
        name: "n".to_owned(),
        column_type: ColumnType::Integer {
            bytes: 4,
            unsigned: false,
        },
        nullable: true,
        default: None,
        base: None,
        auto_increment: false,
        generated: None,
        comment: String::new(),
        collation: None,
    };
    let table = Table {
        database: DatabaseName::new("shop", "tidegate").unwrap(),
        name: "t".to_owned(),
        kind: TableKind::Table,
        writable: true,
        columns: vec![column],
        primary_key: Vec::new(),
        indexes: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        comment: String::new(),
        row_estimate: None,
    };
    Planner::new(Limits::default())
        .insert(None, &table.into(), &["n".to_owned()], None)
        .unwrap()
}

/// How many connections are held while a client has sent these parts, and sends no more.
async fn held(parts: &[usize]) -> usize {
    let pool = MySqlPool::new(MySqlPoolOptions {
        connect: "mysql://nobody@127.0.0.1:1".parse().unwrap(),
        max_connections: 1,
        acquire_timeout: std::time::Duration::from_secs(5),
        statement_timeout: None,
    });
    let part = |rows: &usize| Ok(vec![vec![Cell::Value(Value::Int(1))]; *rows]);
    let input = stream::iter(parts.iter().map(part)).chain(stream::pending());
    let (keys, plan) = (Keys::of_server("tidegate"), plan());
    let work = insert(&pool, &keys, &plan, input.boxed(), Encoding::Json, None);
    let mut work = std::pin::pin!(work);
    assert!(poll!(&mut work).is_pending());
    pool.status().connections
}

#[tokio::test]
async fn a_connection_is_taken_once_there_is_much_to_insert() {
    assert_eq!(held(&[1]).await, 0);
    assert_eq!(held(&[1, 1, 1]).await, 0);
    assert_eq!(held(&[700, 700]).await, 0);
    assert_eq!(held(&[ROWS, ROWS]).await, 1);
}
