//! Many requests that wait for a message: what they cost in memory, and how long it takes until
//! all of them have it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::Place;
use crate::http::{Connection, request};
use crate::process::{memory, open_files};
use crate::program::Program;

/// The memory that the program may take while all wait.
const TARGET: u64 = 200_000_000;

/// Connections that are being opened at a time.
const OPENING: usize = 100;

/// What is measured.
#[derive(Args)]
pub(crate) struct Options {
    /// How many requests wait at the same time.
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
}

/// Measures, and prints what came out.
pub(crate) async fn run(place: &Place, options: &Options) -> anyhow::Result<()> {
    let count = options.connections;
    let program = Program::start(place, "sqlite:").await?;
    let (id, address) = program.webhook(&json!({"name": "bench"})).await?;
    let headers = format!("Authorization: {}\r\n", program.authorization);
    let path = format!("/webhooks/{id}/messages?after=0&wait=60");
    let poll: Arc<[u8]> = request("GET", &path, &headers, b"").into();

    let before = memory(program.id(), "VmRSS").context("no figures of processes here")?;
    let files = open_files(program.id()).context("no figures of processes here")?;
    let (start, opening) = (Instant::now(), Arc::new(Semaphore::new(OPENING)));
    let tasks: Vec<_> = (0..count)
        .map(|_| {
            let (address, poll, opening) =
                (program.address, Arc::clone(&poll), Arc::clone(&opening));
            tokio::spawn(async move {
                let permit = opening.acquire_owned().await?;
                let mut connection = Connection::open(address).await?;
                connection.send(&poll).await?;
                drop(permit);
                let answer = connection.answer().await?;
                let has_message = answer.body.windows(4).any(|part| part == b"\"id\"");
                anyhow::Ok((answer.status, has_message, Instant::now()))
            })
        })
        .collect();
    let waiting = settled(&program, files + count).await?;
    let settled_after = start.elapsed();
    ensure!(
        tasks.iter().all(|task| !task.is_finished()),
        "not all of them wait"
    );

    let mut provider = Connection::open(program.address).await?;
    let sent = Instant::now();
    provider
        .send(&request("POST", &address, "", b"{\"data\":1}"))
        .await?;
    let status = provider.answer().await?.status;
    ensure!(status == 200, "the event was answered with {status}");
    let (mut good, mut last) = (0, sent);
    for task in tasks {
        let (status, has_message, at) = task.await??;
        good += usize::from(status == 200 && has_message);
        last = last.max(at);
    }
    let after = memory(program.id(), "VmRSS").unwrap_or_default();
    let most = memory(program.id(), "VmHWM").unwrap_or_default();

    let verdict = if waiting < TARGET { "met" } else { "missed" };
    let [before, waiting, after, most] =
        [before, waiting, after, most].map(|bytes| bytes as f64 / 1e6);
    println!(
        "{count} requests that wait (all of them after {:.1} s), on SQLite",
        settled_after.as_secs_f64()
    );
    println!(
        "memory: {before:.0} MB before, {waiting:.0} MB while all wait, {after:.0} MB after, {most:.0} MB at most"
    );
    println!(
        "{good} of {count} got the message, the last one {:.2} s after it was sent",
        (last - sent).as_secs_f64()
    );
    println!("the target of {} MB is {verdict}\n", TARGET / 1_000_000);
    Ok(())
}

/// Waits until the program has all connections and its memory grows no more; gives the memory.
async fn settled(program: &Program, files: usize) -> anyhow::Result<u64> {
    let (start, mut still, mut last) = (Instant::now(), 0, 0);
    while still < 10 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        ensure!(
            start.elapsed() < Duration::from_secs(55),
            "not all of them could be opened in time"
        );
        let memory = memory(program.id(), "VmRSS").context("the program is gone")?;
        let all_there = open_files(program.id()).is_some_and(|open| open >= files);
        still = if all_there && memory == last {
            still + 1
        } else {
            0
        };
        last = memory;
    }
    Ok(last)
}
