//! The floor on SQLite, with `rusqlite`: each thread reads by itself, and one more thread writes
//! and commits one request after the other.

mod writes;

use std::path::Path as FilePath;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use actix_web::web::{Bytes, Data, Path, ServiceConfig, get, patch, post};
use actix_web::{Error, HttpResponse};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Params, Row, params_from_iter};
use tokio::sync::{mpsc, oneshot};

use self::writes::{bulk, event, hire, import, label, update};
use super::json::{self, EMPLOYEE, SALARIES, SALARY};
use super::{CHILDREN, COUNT, KEY, PAGE, PARENTS, PIECE, STREAM, THOUSAND, WAITING, fault};

/// What the thread that writes is to do.
type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// As Tidegate opens its own.
fn open(file: &FilePath) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(Duration::from_secs(60))?;
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Starts the thread that writes.
pub(super) fn writer(file: &FilePath) -> anyhow::Result<Sender<Job>> {
    let mut connection = open(file)?;
    let (sender, jobs) = channel::<Job>();
    std::thread::spawn(move || {
        for job in jobs {
            job(&mut connection);
        }
    });
    Ok(sender)
}

pub(super) fn routes(config: &mut ServiceConfig, file: &FilePath, writer: &Sender<Job>) {
    config
        .app_data(Data::new(Bare {
            reader: open(file),
            file: file.into(),
            writer: writer.clone(),
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

/// What one thread has.
struct Bare {
    reader: rusqlite::Result<Connection>,
    file: Box<FilePath>,
    writer: Sender<Job>,
}

impl Bare {
    fn reader(&self) -> Result<&Connection, Error> {
        self.reader
            .as_ref()
            .map_err(|error| fault(error.to_string()))
    }

    async fn write<F>(&self, work: F) -> Result<(), Error>
    where
        F: FnOnce(&mut Connection) -> anyhow::Result<()> + Send + 'static,
    {
        let (sender, done) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let _ = sender.send(work(connection));
        });
        self.writer.send(job).map_err(|_| fault("no writer"))?;
        done.await.map_err(fault)?.map_err(fault)
    }
}

/// The rows of a statement as a list of objects.
fn list(
    connection: &Connection,
    sql: &str,
    values: impl Params,
    names: &[&str],
) -> rusqlite::Result<Vec<u8>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut out = Vec::with_capacity(4096);
    out.push(b'[');
    while let Some(row) = rows.next()? {
        json::separate(&mut out);
        object(&mut out, names, row)?;
        out.push(b'}');
    }
    out.push(b']');
    Ok(out)
}

/// The members of an object, without its end.
fn object(out: &mut Vec<u8>, names: &[&str], row: &Row<'_>) -> rusqlite::Result<()> {
    for (at, name) in names.iter().enumerate() {
        out.extend_from_slice(name.as_bytes());
        match row.get_ref(at)? {
            ValueRef::Integer(number) => json::int(out, number),
            ValueRef::Text(text) => json::text(out, text),
            _ => out.extend_from_slice(b"null"),
        }
    }
    Ok(())
}

async fn key(bare: Data<Bare>, number: Path<i64>) -> Result<HttpResponse, Error> {
    let body = list(bare.reader()?, KEY, [*number], &EMPLOYEE);
    Ok(super::json(body.map_err(fault)?))
}

async fn page(bare: Data<Bare>, department: Path<i64>) -> Result<HttpResponse, Error> {
    let body = list(bare.reader()?, PAGE, [*department], &EMPLOYEE);
    Ok(super::json(body.map_err(fault)?))
}

async fn thousand(bare: Data<Bare>, after: Path<i64>) -> Result<HttpResponse, Error> {
    let body = list(bare.reader()?, THOUSAND, [*after], &EMPLOYEE);
    Ok(super::json(body.map_err(fault)?))
}

async fn count(bare: Data<Bare>, department: Path<i64>) -> Result<HttpResponse, Error> {
    let connection = bare.reader()?;
    let body = list(connection, PAGE, [*department], &EMPLOYEE).map_err(fault)?;
    let mut statement = connection.prepare_cached(COUNT).map_err(fault)?;
    let total = statement.query_row([*department], |row| row.get::<_, i64>(0));
    let range = format!("0-19/{}", total.map_err(fault)?);
    Ok(HttpResponse::PartialContent()
        .content_type("application/json")
        .insert_header(("Content-Range", range))
        .body(body))
}

async fn embed(bare: Data<Bare>, department: Path<i64>) -> Result<HttpResponse, Error> {
    let body = family(bare.reader()?, *department);
    Ok(super::json(body.map_err(fault)?))
}

fn family(connection: &Connection, department: i64) -> rusqlite::Result<Vec<u8>> {
    let mut parents: Vec<(i64, Vec<u8>)> = Vec::with_capacity(PARENTS);
    let mut statement = connection.prepare_cached(PAGE)?;
    let mut rows = statement.query([department])?;
    while let Some(row) = rows.next()? {
        let mut text = Vec::with_capacity(256);
        object(&mut text, &EMPLOYEE, row)?;
        parents.push((row.get(0)?, text));
    }
    let last = parents.last().map_or(0, |(key, _)| *key);
    let keys = parents.iter().map(|(key, _)| *key);
    let keys = keys.chain(std::iter::repeat(last)).take(PARENTS);
    let mut statement = connection.prepare_cached(CHILDREN)?;
    let mut rows = statement.query(params_from_iter(keys))?;
    let mut child = rows.next()?;
    let mut out = Vec::with_capacity(32 * 1024);
    out.push(b'[');
    for (key, text) in &parents {
        json::separate(&mut out);
        out.extend_from_slice(text);
        out.extend_from_slice(SALARIES.as_bytes());
        while let Some(row) = child
            && row.get::<_, i64>(0)? == *key
        {
            json::separate(&mut out);
            object(&mut out, &SALARY, row)?;
            out.push(b'}');
            child = rows.next()?;
        }
        out.extend_from_slice(b"]}");
    }
    out.push(b']');
    Ok(out)
}

async fn stream(bare: Data<Bare>, limit: Path<i64>) -> HttpResponse {
    let (sender, receiver) = mpsc::channel(WAITING);
    let (file, limit) = (bare.file.clone(), *limit);
    std::thread::spawn(move || {
        if let Err(error) = send(&file, limit, &sender) {
            let _ = sender.blocking_send(Err(std::io::Error::other(error)));
        }
    });
    super::pieces(receiver)
}

fn send(
    file: &FilePath,
    limit: i64,
    sender: &mpsc::Sender<Result<Bytes, std::io::Error>>,
) -> anyhow::Result<()> {
    let connection = open(file)?;
    let mut statement = connection.prepare(STREAM)?;
    let mut rows = statement.query([limit])?;
    let mut out = Vec::with_capacity(PIECE + 1024);
    let mut before = b'[';
    while let Some(row) = rows.next()? {
        out.push(before);
        object(&mut out, &SALARY, row)?;
        out.push(b'}');
        before = b',';
        if out.len() >= PIECE {
            let piece = std::mem::replace(&mut out, Vec::with_capacity(PIECE + 1024));
            sender.blocking_send(Ok(piece.into()))?;
        }
    }
    out.extend_from_slice(if before == b'[' { b"[]" } else { b"]" });
    sender.blocking_send(Ok(out.into()))?;
    Ok(())
}
