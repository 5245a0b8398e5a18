//! The floor: a server that does with a driver what Tidegate is asked to do, and nothing around
//! it. No token, no permission, no choice of columns: statements are prepared and fixed, JSON is
//! written by hand. It also has the yardstick, an answer that is always the same.
//!
//! Each of its threads has connections of its own, so that nothing waits for another thread.

mod json;
mod mysql;
mod sqlite;

use std::fmt::{Debug, Display};
use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use actix_web::web::{Bytes, PayloadConfig, ServiceConfig, get};
use actix_web::{App, Error, HttpResponse, HttpServer};
use clap::Args;
use tokio::sync::mpsc::Receiver;

/// What it serves.
#[derive(Args)]
pub(crate) struct Options {
    /// The address of a server, with the database.
    #[arg(long, conflicts_with = "file", required_unless_present = "file")]
    server: Option<String>,
    /// A SQLite file.
    #[arg(long)]
    file: Option<PathBuf>,
    /// Connections to a server, of all threads together.
    #[arg(long, default_value_t = 20)]
    connections: usize,
}

/// Rows that one statement inserts.
const BATCH: usize = 1000;

/// Bytes of a piece of a long answer.
const PIECE: usize = 64 * 1024;

/// Pieces that may wait for the client.
const WAITING: usize = 4;

/// Serves until it is killed. The first line that it prints is its address.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    match (options.server, options.file) {
        (Some(url), _) => {
            let connections = (options.connections / threads).max(1);
            let pool = mysql::options(&url)?;
            serve(threads, move |config| {
                mysql::routes(config, &pool, connections);
            })
            .await
        }
        (None, Some(file)) => {
            let writer = sqlite::writer(&file)?;
            serve(threads, move |config| {
                sqlite::routes(config, &file, &writer);
            })
            .await
        }
        (None, None) => Ok(()),
    }
}

async fn serve<F>(threads: usize, routes: F) -> anyhow::Result<()>
where
    F: Fn(&mut ServiceConfig) + Clone + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    HttpServer::new(move || {
        App::new()
            .app_data(PayloadConfig::new(usize::MAX))
            .route("/fixed", get().to(fixed))
            .configure(routes.clone())
    })
    .workers(threads)
    .keep_alive(Duration::from_secs(75))
    .listen(listener)?
    .run()
    .await?;
    Ok(())
}

/// The yardstick.
async fn fixed() -> HttpResponse {
    const BODY: &str = r#"{"id":1,"username":"admin","email":null,"role":{"id":1,"name":"admin"},"active":true,"created_at":"2026-03-01T06:40:00.123456Z"}"#;
    HttpResponse::Ok()
        .content_type("application/json")
        .body(BODY)
}

/// An answer of JSON.
fn json(body: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(body)
}

/// An answer of JSON that comes in pieces.
fn pieces(mut receiver: Receiver<Result<Bytes, std::io::Error>>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .streaming(futures_util::stream::poll_fn(move |context| {
            receiver.poll_recv(context)
        }))
}

fn created() -> HttpResponse {
    HttpResponse::Created().finish()
}

/// Whatever went wrong: 500, and the reason for whoever looks.
fn fault<E: Debug + Display + 'static>(error: E) -> Error {
    actix_web::error::ErrorInternalServerError(error)
}

/// A statement that inserts so many rows.
fn insert(rows: usize) -> String {
    let row = "(?,?,?,?,?,?)";
    let mut sql = format!("INSERT INTO hires ({}) VALUES {row}", crate::data::COLUMNS);
    for _ in 1..rows {
        sql.push(',');
        sql.push_str(row);
    }
    sql
}

const KEY: &str = "SELECT emp_no,birth_date,first_name,last_name,gender,hire_date,dept_no FROM employees WHERE emp_no = ?";
const PAGE: &str = "SELECT emp_no,birth_date,first_name,last_name,gender,hire_date,dept_no FROM employees WHERE dept_no = ? ORDER BY emp_no LIMIT 20";
const COUNT: &str = "SELECT COUNT(*) FROM employees WHERE dept_no = ?";
const THOUSAND: &str = "SELECT emp_no,birth_date,first_name,last_name,gender,hire_date,dept_no FROM employees WHERE emp_no > ? ORDER BY emp_no LIMIT 1000";
/// The children of twenty parents; where there are fewer, keys come twice.
const CHILDREN: &str = "SELECT emp_no,from_date,to_date,amount FROM salaries WHERE emp_no IN (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ORDER BY emp_no, from_date";
const PARENTS: usize = 20;
const STREAM: &str = "SELECT emp_no,from_date,to_date,amount FROM salaries LIMIT ?";
/// What a receiver of messages stores before it answers.
const EVENT: &str = "INSERT INTO events (body, received_at) VALUES (?, ?)";
const RECEIVED: &str = "2026-03-01 06:40:00.123456";
const UPDATE: &str = "UPDATE employees SET first_name = ? WHERE emp_no = ?";
