//! The floor on a server, with the driver `mysql_async`.

mod writes;

use std::cell::RefCell;

use actix_web::rt::spawn;
use actix_web::web::{Bytes, Data, Path, ServiceConfig, get, patch, post};
use actix_web::{Error, HttpResponse};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Params, Row, Value};
use tokio::sync::mpsc::{Sender, channel};
use tokio::sync::{Semaphore, SemaphorePermit};

use self::writes::{bulk, event, hire, import, label, update};
use super::json::{self, EMPLOYEE, SALARIES, SALARY};
use super::{CHILDREN, COUNT, KEY, PAGE, PARENTS, PIECE, STREAM, THOUSAND, WAITING, fault};

/// How connections are opened: over TCP, as Tidegate's are.
pub(super) fn options(url: &str) -> anyhow::Result<Opts> {
    Ok(Opts::from_url(&format!(
        "{url}?prefer_socket=false&stmt_cache_size=64"
    ))?)
}

pub(super) fn routes(config: &mut ServiceConfig, options: &Opts, connections: usize) {
    config
        .app_data(Data::new(Pool {
            options: options.clone(),
            idle: RefCell::default(),
            permits: Semaphore::new(connections),
        }))
        .route("/employees/{number}", get().to(key))
        .route("/employees/{number}", patch().to(update))
        .route("/page/{department}", get().to(page))
        .route("/count/{department}", get().to(count))
        .route("/thousand/{after}", get().to(thousand))
        .route("/embed/{department}", get().to(embed))
        .route("/stream/{limit}", get().to(stream))
        .route("/hires", post().to(hire))
        .route("/labels", post().to(label))
        .route("/bulk", post().to(bulk))
        .route("/csv", post().to(import))
        .route("/events", post().to(event));
}

/// The connections of one thread.
struct Pool {
    options: Opts,
    idle: RefCell<Vec<Conn>>,
    permits: Semaphore,
}

/// A connection on loan. One that failed is not given back, but dropped.
struct Lease<'a> {
    conn: Conn,
    _permit: SemaphorePermit<'a>,
}

impl Pool {
    async fn take(&self) -> Result<Lease<'_>, Error> {
        let permit = self.permits.acquire().await.map_err(fault)?;
        let idle = self.idle.borrow_mut().pop();
        let conn = match idle {
            Some(conn) => conn,
            None => Conn::new(self.options.clone()).await.map_err(fault)?,
        };
        Ok(Lease {
            conn,
            _permit: permit,
        })
    }

    fn give_back(&self, lease: Lease<'_>) {
        self.idle.borrow_mut().push(lease.conn);
    }

    /// The rows of a statement as a list of objects.
    async fn list(
        &self,
        sql: &'static str,
        values: Vec<Value>,
        names: &[&str],
    ) -> Result<Vec<u8>, Error> {
        let mut lease = self.take().await?;
        let body = list(&mut lease.conn, sql, values, names).await?;
        self.give_back(lease);
        Ok(body)
    }

    /// Runs a statement that gives no rows.
    async fn run(&self, sql: &'static str, values: Vec<Value>) -> Result<(), Error> {
        let mut lease = self.take().await?;
        let run = lease.conn.exec_drop(sql, Params::Positional(values));
        run.await.map_err(fault)?;
        self.give_back(lease);
        Ok(())
    }
}

async fn list(
    conn: &mut Conn,
    sql: &'static str,
    values: Vec<Value>,
    names: &[&str],
) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(4096);
    out.push(b'[');
    let result = conn.exec_iter(sql, Params::Positional(values));
    let rows = result.await.map_err(fault)?;
    rows.for_each_and_drop(|row| {
        json::separate(&mut out);
        object(&mut out, names, &row);
        out.push(b'}');
    })
    .await
    .map_err(fault)?;
    out.push(b']');
    Ok(out)
}

/// The members of an object, without its end.
fn object(out: &mut Vec<u8>, names: &[&str], row: &Row) {
    for (at, name) in names.iter().enumerate() {
        out.extend_from_slice(name.as_bytes());
        match row.as_ref(at) {
            Some(Value::Int(number)) => json::int(out, *number),
            Some(Value::Bytes(text)) => json::text(out, text),
            Some(Value::Date(year, month, day, ..)) => json::date(out, *year, *month, *day),
            _ => out.extend_from_slice(b"null"),
        }
    }
}

fn integer(row: &Row, at: usize) -> i64 {
    match row.as_ref(at) {
        Some(Value::Int(number)) => *number,
        _ => 0,
    }
}

async fn key(pool: Data<Pool>, number: Path<u64>) -> Result<HttpResponse, Error> {
    let values = vec![Value::from(*number)];
    Ok(super::json(pool.list(KEY, values, &EMPLOYEE).await?))
}

async fn page(pool: Data<Pool>, department: Path<u64>) -> Result<HttpResponse, Error> {
    let values = vec![Value::from(*department)];
    Ok(super::json(pool.list(PAGE, values, &EMPLOYEE).await?))
}

async fn thousand(pool: Data<Pool>, after: Path<u64>) -> Result<HttpResponse, Error> {
    let values = vec![Value::from(*after)];
    Ok(super::json(pool.list(THOUSAND, values, &EMPLOYEE).await?))
}

async fn count(pool: Data<Pool>, department: Path<u64>) -> Result<HttpResponse, Error> {
    let mut lease = pool.take().await?;
    let values = vec![Value::from(*department)];
    let body = list(&mut lease.conn, PAGE, values, &EMPLOYEE).await?;
    let total = lease.conn.exec_first(COUNT, (*department,));
    let total: Option<u64> = total.await.map_err(fault)?;
    pool.give_back(lease);
    let range = format!("0-19/{}", total.unwrap_or_default());
    Ok(HttpResponse::PartialContent()
        .content_type("application/json")
        .insert_header(("Content-Range", range))
        .body(body))
}

async fn embed(pool: Data<Pool>, department: Path<u64>) -> Result<HttpResponse, Error> {
    let mut lease = pool.take().await?;
    let parents = lease.conn.exec(PAGE, (*department,));
    let parents: Vec<Row> = parents.await.map_err(fault)?;
    let keys = parents.iter().map(|row| integer(row, 0));
    let last = parents.last().map_or(0, |row| integer(row, 0));
    let keys = keys.chain(std::iter::repeat(last)).take(PARENTS);
    let keys = Params::Positional(keys.map(Value::from).collect());
    let children: Vec<Row> = lease.conn.exec(CHILDREN, keys).await.map_err(fault)?;
    pool.give_back(lease);

    let mut out = Vec::with_capacity(32 * 1024);
    let mut children = children.iter().peekable();
    out.push(b'[');
    for parent in &parents {
        json::separate(&mut out);
        object(&mut out, &EMPLOYEE, parent);
        out.extend_from_slice(SALARIES.as_bytes());
        let key = integer(parent, 0);
        while let Some(child) = children.next_if(|child| integer(child, 0) == key) {
            json::separate(&mut out);
            object(&mut out, &SALARY, child);
            out.push(b'}');
        }
        out.extend_from_slice(b"]}");
    }
    out.push(b']');
    Ok(super::json(out))
}

async fn stream(pool: Data<Pool>, limit: Path<u64>) -> HttpResponse {
    let (sender, receiver) = channel(WAITING);
    spawn(async move {
        if let Err(error) = send(&pool, *limit, &sender).await {
            let error = std::io::Error::other(error.to_string());
            let _ = sender.send(Err(error)).await;
        }
    });
    super::pieces(receiver)
}

async fn send(
    pool: &Pool,
    limit: u64,
    sender: &Sender<Result<Bytes, std::io::Error>>,
) -> Result<(), Error> {
    let mut lease = pool.take().await?;
    let rows = lease.conn.exec_iter(STREAM, (limit,));
    let mut rows = rows.await.map_err(fault)?;
    let mut out = Vec::with_capacity(PIECE + 1024);
    let mut before = b'[';
    while let Some(row) = rows.next().await.map_err(fault)? {
        out.push(before);
        object(&mut out, &SALARY, &row);
        out.push(b'}');
        before = b',';
        if out.len() >= PIECE {
            let piece = std::mem::replace(&mut out, Vec::with_capacity(PIECE + 1024));
            sender.send(Ok(piece.into())).await.map_err(fault)?;
        }
    }
    rows.drop_result().await.map_err(fault)?;
    pool.give_back(lease);
    out.extend_from_slice(if before == b'[' { b"[]" } else { b"]" });
    sender.send(Ok(out.into())).await.map_err(fault)
}
