//! What writes.

use std::sync::OnceLock;

use actix_web::web::{Bytes, Data, Path};
use actix_web::{Error, HttpResponse};
use mysql_async::prelude::Queryable;
use mysql_async::{Params, TxOpts, Value};

use super::super::json::{self, Change, Hire, Label};
use super::super::{BATCH, EVENT, RECEIVED, UPDATE, created, fault, insert};
use super::Pool;

const UPSERT: &str = "INSERT INTO labels (id,label,number) VALUES (?,?,?) ON DUPLICATE KEY UPDATE label = VALUES(label), number = VALUES(number)";

fn values(hire: &Hire<'_>) -> [Value; 6] {
    [
        Value::from(hire.birth_date),
        Value::from(hire.first_name),
        Value::from(hire.last_name),
        Value::from(hire.gender),
        Value::from(hire.hire_date),
        Value::from(hire.dept_no),
    ]
}

/// The statements for one row and for many, made once.
fn insert_one() -> &'static str {
    static SQL: OnceLock<String> = OnceLock::new();
    SQL.get_or_init(|| insert(1))
}

fn insert_many() -> &'static str {
    static SQL: OnceLock<String> = OnceLock::new();
    SQL.get_or_init(|| insert(BATCH))
}

pub(super) async fn hire(pool: Data<Pool>, body: Bytes) -> Result<HttpResponse, Error> {
    let hire: Hire<'_> = serde_json::from_slice(&body).map_err(fault)?;
    pool.run(insert_one(), values(&hire).into()).await?;
    Ok(created())
}

pub(super) async fn update(
    pool: Data<Pool>,
    number: Path<u64>,
    body: Bytes,
) -> Result<HttpResponse, Error> {
    let change: Change<'_> = serde_json::from_slice(&body).map_err(fault)?;
    let values = vec![Value::from(change.first_name), Value::from(*number)];
    pool.run(UPDATE, values).await?;
    Ok(HttpResponse::NoContent().finish())
}

pub(super) async fn label(pool: Data<Pool>, body: Bytes) -> Result<HttpResponse, Error> {
    let label: Label<'_> = serde_json::from_slice(&body).map_err(fault)?;
    let values = vec![
        Value::from(label.id),
        Value::from(label.label),
        Value::from(label.number),
    ];
    pool.run(UPSERT, values).await?;
    Ok(created())
}

pub(super) async fn event(pool: Data<Pool>, body: Bytes) -> Result<HttpResponse, Error> {
    let values = vec![Value::from(&*body), Value::from(RECEIVED)];
    pool.run(EVENT, values).await?;
    Ok(HttpResponse::Ok().finish())
}

pub(super) async fn bulk(pool: Data<Pool>, body: Bytes) -> Result<HttpResponse, Error> {
    let hires: Vec<Hire<'_>> = serde_json::from_slice(&body).map_err(fault)?;
    // One statement is all or none by itself.
    if hires.len() == BATCH {
        pool.run(insert_many(), hires.iter().flat_map(values).collect())
            .await?;
        return Ok(created());
    }
    insert_all(&pool, hires.into_iter().map(Some)).await?;
    Ok(created())
}

pub(super) async fn import(pool: Data<Pool>, body: Bytes) -> Result<HttpResponse, Error> {
    let text = std::str::from_utf8(&body).map_err(fault)?;
    insert_all(&pool, json::csv(text)).await?;
    Ok(created())
}

/// All or none, a thousand rows to a statement.
async fn insert_all<'a>(
    pool: &Pool,
    hires: impl Iterator<Item = Option<Hire<'a>>>,
) -> Result<(), Error> {
    let mut lease = pool.take().await?;
    let transaction = lease.conn.start_transaction(TxOpts::default());
    let mut transaction = transaction.await.map_err(fault)?;
    let mut batch = Vec::with_capacity(BATCH * 6);
    for hire in hires {
        batch.extend(values(&hire.ok_or_else(|| fault("no row"))?));
        if batch.len() == BATCH * 6 {
            let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH * 6));
            let run = transaction.exec_drop(insert_many(), Params::Positional(full));
            run.await.map_err(fault)?;
        }
    }
    for row in batch.chunks(6) {
        let run = transaction.exec_drop(insert_one(), Params::Positional(row.to_vec()));
        run.await.map_err(fault)?;
    }
    transaction.commit().await.map_err(fault)?;
    pool.give_back(lease);
    Ok(())
}
