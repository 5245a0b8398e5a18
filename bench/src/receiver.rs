//! How many events a second the receiver takes, beside how many rows bare clients of the same
//! database commit: in turns, so that all meet the same moods of the machine.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::json;

use crate::Place;
use crate::floor::Floor;
use crate::http::{Connection, request};
use crate::load::{Client, Measured, measure, median};
use crate::process::{processor_time, processors};
use crate::program::Program;

/// The share of the bare clients' rate that the receiver is to reach.
const TARGET: f64 = 0.70;

/// Who works in each round. An event with an id costs more: the id is noted as well, so
/// that the event is not stored twice.
const NAMES: [&str; 3] = ["bare client", "inbox", "with ids"];

/// What is measured.
#[derive(Args)]
pub(crate) struct Options {
    /// A server's address without a database, `mysql://...`; none: SQLite.
    #[arg(long)]
    server: Option<String>,
    /// The process of that server, for its processor time.
    #[arg(long)]
    server_pid: Option<u32>,
    /// Connections, each with one request under way.
    #[arg(long, default_value_t = 32)]
    clients: usize,
    /// Bytes of a body.
    #[arg(long, default_value_t = 1024)]
    body: usize,
    /// Rounds.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds that each of the three works in a round.
    #[arg(long, default_value_t = 6)]
    seconds: u64,
}

/// A provider with one connection.
struct Provider {
    connection: Connection,
    request: Vec<u8>,
    /// Where the delivery's id stands in the request, and which is next.
    at: usize,
    next: u64,
}

/// Digits of a delivery's id.
const DIGITS: usize = 16;

impl Provider {
    async fn open(
        address: SocketAddr,
        path: &str,
        body: &[u8],
        first: u64,
    ) -> anyhow::Result<Self> {
        const HEADERS: &str = "Content-Type: application/json\r\nX-Delivery: ";
        let headers = format!("{HEADERS}{:0DIGITS$}\r\n", 0);
        let request = request("POST", path, &headers, body);
        let at = request
            .windows(HEADERS.len())
            .position(|part| part == HEADERS.as_bytes())
            .context("no header")?;
        Ok(Self {
            connection: Connection::open(address).await?,
            request,
            at: at + HEADERS.len(),
            next: first,
        })
    }

    /// As many as there are clients, for one round: a connection that is idle for long is closed.
    async fn all(
        program: &Program,
        path: &str,
        body: &[u8],
        numbers: Range<usize>,
    ) -> anyhow::Result<Vec<Self>> {
        let mut providers = Vec::new();
        for number in numbers {
            let first = number as u64 * 1_000_000_000;
            providers.push(Self::open(program.address, path, body, first).await?);
        }
        Ok(providers)
    }
}

impl Client for Provider {
    async fn once(&mut self) -> anyhow::Result<()> {
        let digits = format!("{:0DIGITS$}", self.next);
        self.request[self.at..self.at + DIGITS].copy_from_slice(digits.as_bytes());
        self.next += 1;
        self.connection.send(&self.request).await?;
        let answer = self.connection.answer().await?;
        ensure!(answer.status == 200, "an answer {}", answer.status);
        Ok(())
    }
}

/// What one of them did in one round, and the processors that Tidegate, the database server and
/// this program kept busy meanwhile.
struct Turn {
    measured: Measured,
    busy: [Option<f64>; 3],
}

async fn turn<C: Client>(
    clients: &mut Vec<C>,
    span: Duration,
    processes: [Option<u32>; 3],
) -> anyhow::Result<Turn> {
    let times = || processes.map(|id| id.and_then(processor_time));
    let (start, before) = (Instant::now(), times());
    let measured = measure(clients, span).await?;
    let (after, seconds) = (times(), start.elapsed().as_secs_f64());
    let busy = [0, 1, 2].map(|at| Some((after[at]? - before[at]?) / seconds));
    Ok(Turn { measured, busy })
}

/// Measures, and prints what came out.
pub(crate) async fn run(place: &Place, options: &Options) -> anyhow::Result<()> {
    // JSON, as providers send it.
    let filling = options.body.saturating_sub(11);
    let body: Arc<[u8]> = format!("{{\"data\":\"{:x<filling$}\"}}", "")
        .into_bytes()
        .into();
    let floor = Floor::make(options.server.as_deref(), &place.folder).await?;
    let url = match &options.server {
        Some(server) => format!("{server}/tidegate"),
        None => "sqlite:".to_owned(),
    };
    let program = Program::start(place, &url).await?;
    let mut bare = Vec::new();
    for _ in 0..options.clients {
        bare.push(floor.client(Arc::clone(&body)).await?);
    }
    let (_, plain) = program.webhook(&json!({"name": "plain"})).await?;
    let webhook = json!({"name": "with ids", "delivery_id": {"header": "X-Delivery"}});
    let (_, with_ids) = program.webhook(&webhook).await?;

    println!(
        "{}: {} clients, bodies of {} bytes, {} rounds of {} s each, {}",
        floor.version().await?,
        options.clients,
        body.len(),
        options.rounds,
        options.seconds,
        processors()
    );
    let [one, two, three] = NAMES;
    println!("round {one:>13} {two:>13} ratio {three:>13} ratio");
    let span = Duration::from_secs(options.seconds);
    let this = std::process::id();
    let processes = [Some(program.id()), options.server_pid, Some(this)];
    let mut rounds = Vec::new();
    for round in 1..=options.rounds {
        let numbers = round * options.clients..(round + 1) * options.clients;
        let one = turn(&mut bare, span, processes).await?;
        let mut providers = Provider::all(&program, &plain, &body, numbers.clone()).await?;
        let two = turn(&mut providers, span, processes).await?;
        let mut providers = Provider::all(&program, &with_ids, &body, numbers).await?;
        let three = turn(&mut providers, span, processes).await?;
        let turns = [one, two, three];
        let [floor, plain, with_ids] = turns.each_ref().map(|turn| turn.measured.rate());
        let (one, other) = (plain / floor, with_ids / floor);
        println!(
            "{round:>5} {floor:>11.0}/s {plain:>11.0}/s {one:>5.2} {with_ids:>11.0}/s {other:>5.2}"
        );
        rounds.push(turns);
    }
    for at in 0..NAMES.len() {
        report(at, &rounds);
    }
    println!();
    Ok(())
}

/// Prints the middle of all rounds for one of the three.
fn report(at: usize, rounds: &[[Turn; 3]]) {
    let middle = |figure: &dyn Fn(&[Turn; 3]) -> Option<f64>| {
        median(rounds.iter().filter_map(figure).collect())
    };
    let time = |share| middle(&|round| Some(round[at].measured.quantile(share)));
    let busy = |process: usize| middle(&|round| round[at].busy[process]);
    println!(
        "{:>11}: p50 {:.1} ms, p99 {:.1} ms; processors busy: Tidegate {:.2}, database server {:.2}, this program {:.2}",
        NAMES[at],
        time(0.50),
        time(0.99),
        busy(0),
        busy(1),
        busy(2)
    );
    if at > 0 {
        let rate = |turn: &Turn| turn.measured.rate();
        let ratio = middle(&|round| Some(rate(&round[at]) / rate(&round[0])));
        let verdict = if ratio >= TARGET { "met" } else { "missed" };
        println!(
            "{:>11}  median ratio {ratio:.2}: the target of {TARGET:.2} is {verdict}",
            ""
        );
    }
}
