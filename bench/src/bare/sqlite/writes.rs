//! What writes.

use actix_web::web::{Bytes, Data, Path};
use actix_web::{Error, HttpResponse};
use rusqlite::{Connection, params};

use super::super::json::{self, Change, Hire, Label};
use super::super::{EVENT, RECEIVED, UPDATE, created, insert};
use super::Bare;

const UPSERT: &str = "INSERT INTO labels (id,label,number) VALUES (?,?,?) ON CONFLICT (id) DO UPDATE SET label = excluded.label, number = excluded.number";

fn insert_one(connection: &Connection, sql: &str, hire: &Hire<'_>) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute(params![
        hire.birth_date,
        hire.first_name,
        hire.last_name,
        hire.gender,
        hire.hire_date,
        hire.dept_no
    ])?;
    Ok(())
}

/// All or none, each row by the same prepared statement: SQLite is in the same process, so there
/// is no way to save.
fn insert_all<'a>(
    connection: &mut Connection,
    hires: impl Iterator<Item = Option<Hire<'a>>>,
) -> anyhow::Result<()> {
    let sql = insert(1);
    let transaction = connection.transaction()?;
    for hire in hires {
        let hire = hire.ok_or_else(|| anyhow::anyhow!("no row"))?;
        insert_one(&transaction, &sql, &hire)?;
    }
    Ok(transaction.commit()?)
}

pub(super) async fn hire(bare: Data<Bare>, body: Bytes) -> Result<HttpResponse, Error> {
    bare.write(move |connection| {
        let hire: Hire<'_> = serde_json::from_slice(&body)?;
        Ok(insert_one(connection, &insert(1), &hire)?)
    })
    .await?;
    Ok(created())
}

pub(super) async fn update(
    bare: Data<Bare>,
    number: Path<i64>,
    body: Bytes,
) -> Result<HttpResponse, Error> {
    bare.write(move |connection| {
        let change: Change<'_> = serde_json::from_slice(&body)?;
        let mut statement = connection.prepare_cached(UPDATE)?;
        statement.execute(params![change.first_name, *number])?;
        Ok(())
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

pub(super) async fn label(bare: Data<Bare>, body: Bytes) -> Result<HttpResponse, Error> {
    bare.write(move |connection| {
        let label: Label<'_> = serde_json::from_slice(&body)?;
        let mut statement = connection.prepare_cached(UPSERT)?;
        statement.execute(params![label.id, label.label, label.number])?;
        Ok(())
    })
    .await?;
    Ok(created())
}

pub(super) async fn event(bare: Data<Bare>, body: Bytes) -> Result<HttpResponse, Error> {
    bare.write(move |connection| {
        let mut statement = connection.prepare_cached(EVENT)?;
        statement.execute(params![&*body, RECEIVED])?;
        Ok(())
    })
    .await?;
    Ok(HttpResponse::Ok().finish())
}

pub(super) async fn bulk(bare: Data<Bare>, body: Bytes) -> Result<HttpResponse, Error> {
    bare.write(move |connection| {
        let hires: Vec<Hire<'_>> = serde_json::from_slice(&body)?;
        insert_all(connection, hires.into_iter().map(Some))
    })
    .await?;
    Ok(created())
}

pub(super) async fn import(bare: Data<Bare>, body: Bytes) -> Result<HttpResponse, Error> {
    bare.write(move |connection| insert_all(connection, json::csv(std::str::from_utf8(&body)?)))
        .await?;
    Ok(created())
}
