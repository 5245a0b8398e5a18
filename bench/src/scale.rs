//! Large results and large schemas: a million rows out as JSON and as CSV, a million in by CSV,
//! and the catalogue of thousands of tables; how long it takes, and what the program needs of
//! memory meanwhile.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::json;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::Place;
use crate::process::{forget_peak, memory, processors};
use crate::program::Program;

/// The memory that the program may take while rows go in or out; a large schema may cost as much.
const TARGET: u64 = 100_000_000;

const HEADER: &str = "id,at,kind,amount,note,done\n";

/// What is measured.
#[derive(Args)]
pub(crate) struct Options {
    /// A server's address without a database, `mysql://...`; none: SQLite.
    #[arg(long)]
    server: Option<String>,
    /// Rows.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// Tables of the large schema, of ten columns each.
    #[arg(long, default_value_t = 5000)]
    tables: u32,
}

/// Measures, and prints what came out.
pub(crate) async fn run(place: &Place, options: &Options) -> anyhow::Result<()> {
    let url = match &options.server {
        Some(server) => format!("{server}/tidegate"),
        None => "sqlite:".to_owned(),
    };
    let program = Program::start(place, &url).await?;
    let bench = Bench { program };
    println!("{} on {}", engine(options).await?, processors());
    println!("| what | time | bytes | memory before | at most | 100 MB |");
    println!("| --- | --- | --- | --- | --- | --- |");
    rows(&bench, options).await?;
    tables(&bench, place, options).await
}

async fn engine(options: &Options) -> anyhow::Result<String> {
    let Some(server) = &options.server else {
        return Ok("SQLite".to_owned());
    };
    let mut connection = server.parse::<MySqlConnectOptions>()?.connect().await?;
    let version: String = sqlx::query_scalar("SELECT VERSION()")
        .fetch_one(&mut connection)
        .await?;
    connection.close().await?;
    let family = if version.contains("MariaDB") {
        ""
    } else {
        "MySQL "
    };
    Ok(format!("{family}{version}"))
}

async fn rows(bench: &Bench, options: &Options) -> anyhow::Result<()> {
    bench
        .program
        .call("/databases", &json!({"name": "scale"}))
        .await?;
    let table = json!({
        "name": "events",
        "columns": [
            {"name": "id", "type": "bigint", "nullable": false},
            {"name": "at", "type": "datetime", "nullable": false},
            {"name": "kind", "type": "varchar(20)", "nullable": false},
            {"name": "amount", "type": "decimal(10,2)"},
            {"name": "note", "type": "varchar(200)"},
            {"name": "done", "type": "boolean"},
        ],
        "primary_key": ["id"],
    });
    bench
        .program
        .call("/databases/scale/tables", &table)
        .await?;
    let count = options.rows;
    bench
        .measure(&format!("{count} rows in, CSV"), true, async {
            let sent = bench.import("/rest/scale/events", count).await?;
            Ok(sent)
        })
        .await?;
    for (form, accept) in [("JSON", "application/json"), ("CSV", "text/csv")] {
        bench
            .measure(&format!("{count} rows out, {form}"), true, async {
                let (bytes, lines) = bench.fetch("/rest/scale/events", accept).await?;
                // CSV has a line for each row after the header's; JSON parts them by commas.
                if accept == "text/csv" {
                    ensure!(lines == count, "{lines} lines after the first");
                }
                Ok(bytes)
            })
            .await?;
    }
    bench
        .measure(
            &format!("a page of 1000, all {count} counted"),
            true,
            async {
                let path = "/rest/scale/events?limit=1000&order=id.desc";
                let (bytes, _) = bench
                    .fetch_with(path, "application/json", "Prefer: count=exact\r\n")
                    .await?;
                Ok(bytes)
            },
        )
        .await
}

async fn tables(bench: &Bench, place: &Place, options: &Options) -> anyhow::Result<()> {
    bench
        .program
        .call("/databases", &json!({"name": "wide"}))
        .await?;
    let statements = (0..options.tables).map(|number| {
        let parent = number / 2;
        let columns: String = (1..=8)
            .map(|column| format!(", c{column} VARCHAR(40)"))
            .collect();
        let refers = if number == 0 {
            String::new()
        } else {
            format!(", FOREIGN KEY (parent) REFERENCES t{parent} (id)")
        };
        format!("CREATE TABLE t{number} (id INTEGER PRIMARY KEY, parent INTEGER{columns}{refers})")
    });
    match &options.server {
        Some(server) => {
            let options: MySqlConnectOptions = format!("{server}/wide").parse()?;
            let mut connection = options.connect().await?;
            for statement in statements {
                connection.execute(AssertSqlSafe(statement)).await?;
            }
            connection.close().await?;
        }
        None => {
            let file = place.folder.join("data/databases/wide.db");
            let mut connection = SqliteConnectOptions::new().filename(file).connect().await?;
            connection.execute("BEGIN").await?;
            for statement in statements {
                connection.execute(AssertSqlSafe(statement)).await?;
            }
            connection.execute("COMMIT").await?;
            connection.close().await?;
        }
    }
    let count = options.tables;
    for what in ["first read", "read anew"] {
        bench
            .measure(
                &format!("catalogue of {count} tables, {what}"),
                false,
                async {
                    bench.reload("wide").await?;
                    Ok(0)
                },
            )
            .await?;
    }
    bench
        .measure(
            &format!("OpenAPI description of {count} tables"),
            false,
            async {
                let (bytes, _) = bench.fetch("/rest/wide/", "application/json").await?;
                Ok(bytes)
            },
        )
        .await
}

struct Bench {
    program: Program,
}

impl Bench {
    /// Does something that gives how many bytes went over the wire, and prints a line about it.
    async fn measure(
        &self,
        what: &str,
        of_rows: bool,
        work: impl Future<Output = anyhow::Result<u64>>,
    ) -> anyhow::Result<()> {
        let id = self.program.id();
        forget_peak(id)?;
        let before = memory(id, "VmRSS").context("no figures of processes here")?;
        let start = Instant::now();
        let bytes = work.await.with_context(|| what.to_owned())?;
        let took = start.elapsed();
        // What is let go of a moment later counts as well.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let most = memory(id, "VmHWM").unwrap_or_default();
        // What was there before the schema is none of its cost.
        let counted = if of_rows {
            most
        } else {
            most.saturating_sub(before)
        };
        let verdict = if counted < TARGET { "met" } else { "missed" };
        println!(
            "| {what} | {:.2} s | {:.1} MB | {:.0} MB | {:.0} MB | {verdict} |",
            took.as_secs_f64(),
            bytes as f64 / 1e6,
            before as f64 / 1e6,
            most as f64 / 1e6,
        );
        Ok(())
    }

    async fn open(&self, head: &str) -> anyhow::Result<TcpStream> {
        let mut stream = TcpStream::connect(self.program.address).await?;
        let head = format!(
            "{head}Host: bench\r\nAuthorization: {}\r\nConnection: close\r\n\r\n",
            self.program.authorization
        );
        stream.write_all(head.as_bytes()).await?;
        Ok(stream)
    }

    /// Sends so many rows as they are made; how many bytes they had.
    async fn import(&self, path: &str, rows: u64) -> anyhow::Result<u64> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n"
        );
        let mut stream = self.open(&head).await?;
        let mut sent = 0;
        let mut piece = HEADER.to_owned();
        for row in 1..=rows {
            let (day, cents) = (row % 28 + 1, row % 100);
            piece.push_str(&format!(
                "{row},2026-03-{day:02} 10:20:30,kind {},{}.{cents:02},\"A note on event {row}, as long as notes are\",{}\n",
                row % 7,
                row % 10_000,
                row % 2,
            ));
            if piece.len() > 60_000 || row == rows {
                let chunk = format!("{:x}\r\n{piece}\r\n", piece.len());
                stream.write_all(chunk.as_bytes()).await?;
                sent += piece.len() as u64;
                piece.clear();
            }
        }
        stream.write_all(b"0\r\n\r\n").await?;
        let answer = self.read(&mut stream, |_| ()).await?;
        ensure!(answer.status == 201, "answered {}", answer.status);
        Ok(sent)
    }

    async fn fetch(&self, path: &str, accept: &str) -> anyhow::Result<(u64, u64)> {
        self.fetch_with(path, accept, "").await
    }

    /// Reads an answer to its end: its bytes, and the ends of lines in it.
    async fn fetch_with(
        &self,
        path: &str,
        accept: &str,
        headers: &str,
    ) -> anyhow::Result<(u64, u64)> {
        let head = format!("GET {path} HTTP/1.1\r\nAccept: {accept}\r\n{headers}");
        let mut stream = self.open(&head).await?;
        let mut lines = 0;
        let answer = self
            .read(&mut stream, |bytes| {
                lines += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
            })
            .await?;
        ensure!(
            matches!(answer.status, 200 | 206),
            "answered {}",
            answer.status
        );
        Ok((answer.bytes, lines))
    }

    async fn reload(&self, database: &str) -> anyhow::Result<()> {
        let head = format!(
            "POST /databases/{database}/reload HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
        );
        let mut stream = self.open(&head).await?;
        stream.write_all(b"{}").await?;
        let answer = self.read(&mut stream, |_| ()).await?;
        ensure!(answer.status == 204, "answered {}", answer.status);
        Ok(())
    }

    /// Reads an answer to its end; the body goes to `see` piece by piece.
    async fn read(
        &self,
        stream: &mut TcpStream,
        mut see: impl FnMut(&[u8]),
    ) -> anyhow::Result<Read> {
        let mut reader = BufReader::with_capacity(1 << 16, stream);
        let mut line = String::new();
        reader.read_line(&mut line).await?;
        let status = line.split(' ').nth(1).context("no status")?.parse()?;
        let (mut length, mut chunked) = (0, false);
        while line.trim() != "" {
            line.clear();
            reader.read_line(&mut line).await?;
            let header = line.to_ascii_lowercase();
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
            chunked |= header.starts_with("transfer-encoding: chunked");
        }
        let mut read = Read { status, bytes: 0 };
        let mut buffer = vec![0; 1 << 16];
        loop {
            if chunked {
                line.clear();
                reader.read_line(&mut line).await?;
                length = usize::from_str_radix(line.trim(), 16).context("the answer was cut")?;
            }
            let mut left = length;
            while left > 0 {
                let room = left.min(buffer.len());
                let got = reader.read(&mut buffer[..room]).await?;
                ensure!(got > 0, "the answer was cut");
                see(&buffer[..got]);
                read.bytes += got as u64;
                left -= got;
            }
            if !chunked || length == 0 {
                return Ok(read);
            }
            reader.read_line(&mut line).await?;
        }
    }
}

/// An answer that was read.
struct Read {
    status: u16,
    /// The body's.
    bytes: u64,
}
