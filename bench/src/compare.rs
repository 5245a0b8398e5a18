//! Tidegate beside the floor: every load in turns, so that both meet the same moods of the
//! machine, and a yardstick before and after, which tells how fast the machine was meanwhile.

mod extras;
mod profile;
mod setup;
mod turn;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{bail, ensure};
use clap::Args;
use serde_json::Value;
use tokio::time::timeout;

use crate::Place;
use crate::data::{DATABASE, Database, Scale};
use crate::http::Connection;
use crate::loads::{Floor, Load};
use crate::process::{memory, processors};
use crate::program::Program;
use crate::random::Random;
use crate::report::Report;
use crate::requests::{Asked, Requests, Side};
use crate::table::Line;

pub(crate) use self::extras::{Idle, Point};
use self::setup::Bare;

/// What a turn may take beyond its span before the run is given up.
const PATIENCE: Duration = Duration::from_secs(300);

/// How long the yardstick is applied.
const YARDSTICK: Duration = Duration::from_millis(500);

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
    /// Rounds: in each both sides have a turn.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of a turn.
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// These loads alone: key, page, thousand, embed, count, stream, insert, update, upsert, bulk,
    /// import, inbox, items, me, login; and start, curve, idle.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// The size of the data: 1 is 300,000 employees with 2,000,000 salaries.
    #[arg(long, default_value_t = 1.0)]
    rows: f64,
    /// Idle connections beside the others.
    #[arg(long, default_value_t = 10_000)]
    idle: usize,
    /// A page whose part on this engine is written anew.
    #[arg(long)]
    page: Option<PathBuf>,
    /// A folder for samples of Tidegate that perf takes in one more turn of each load.
    #[arg(long)]
    profile: Option<PathBuf>,
}

/// What one side did in one turn.
#[derive(Clone)]
pub(crate) struct Figures {
    /// Requests a second; rows, of a load that is one request.
    pub(crate) rate: f64,
    /// Milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Microseconds of processor time that a request or row took: the side's own, and the server's.
    pub(crate) own: Option<f64>,
    pub(crate) server: Option<f64>,
    /// Bytes that the side had in memory at the end.
    pub(crate) memory: Option<u64>,
}

/// Everything that takes part.
struct Bench<'a> {
    options: &'a Options,
    scale: Scale,
    database: Database,
    program: Program,
    /// The path of the address of a webhook.
    inbox: String,
    bare: Bare,
    /// Whether samples can be taken here; not known before it was tried.
    perf: Option<bool>,
}

/// Measures, prints what came out, and writes it into the page.
pub(crate) async fn run(place: &Place, options: &Options) -> anyhow::Result<()> {
    for name in &options.only {
        let known = Load::ALL.iter().any(|load| load.name() == name);
        ensure!(
            known || ["start", "curve", "idle"].contains(&name.as_str()),
            "there is no load {name}"
        );
    }
    let mut bench = Bench::set_up(place, options).await?;
    let mut report = Report::new(
        bench.database.version().await?,
        bench.program.version()?,
        processors(),
        [options.clients, options.rounds, options.seconds as usize],
        bench.scale,
        bench.database.durability().await?,
    );
    println!("{}", report.heading());
    if bench.wanted("start") {
        report.start = bench.start_times().await?;
    }
    for load in Load::ALL {
        if bench.wanted(load.name()) {
            let line = bench.measure(load).await?;
            println!("{}", report.brief(&line));
            if let (Some(folder), None) = (&options.profile, &line.refused) {
                bench.profile(load, folder).await?;
            }
            report.lines.push(line);
        }
    }
    report.memory = memory(bench.program.id(), "VmRSS");
    report.memory_at_most = memory(bench.program.id(), "VmHWM");
    if bench.wanted("curve") {
        report.curve = bench.curve().await?;
    }
    if bench.wanted("idle") && options.idle > 0 {
        report.idle = Some(bench.idle().await?);
    }
    println!("\n{}", report.markdown());
    if let Some(page) = &options.page {
        let text = std::fs::read_to_string(page)?;
        std::fs::write(page, report.put_into(&text)?)?;
    }
    Ok(())
}

impl Bench<'_> {
    fn wanted(&self, name: &str) -> bool {
        let only = &self.options.only;
        only.is_empty() || only.iter().any(|wanted| wanted == name)
    }

    fn is_embedded(&self) -> bool {
        self.options.server.is_none()
    }

    /// One load in all rounds.
    async fn measure(&mut self, load: Load) -> anyhow::Result<Line> {
        self.program.sign_in().await?;
        let mut line = Line::new(load, load.target(self.is_embedded()));
        if let Some(reason) = self.objection(load).await? {
            line.refused = Some(reason);
            return Ok(line);
        }
        let floor = match load.floor() {
            Floor::Bare => Some(Side::Bare),
            Floor::Fixed => Some(Side::Fixed),
            Floor::None => None,
        };
        let clients = load.clients(self.options.clients);
        let span = Duration::from_secs(self.options.seconds);
        line.yardstick.push(self.yardstick().await?);
        for round in 0..self.options.rounds {
            // Who comes first changes, since the second finds what the first has warmed.
            let mut sides = vec![Side::Tidegate];
            sides.extend(floor);
            if round.is_multiple_of(2) {
                sides.reverse();
            }
            for side in sides {
                let figures = self.turn(load, side, clients, span, round).await?;
                match side {
                    Side::Tidegate => line.tidegate.push(figures),
                    Side::Bare | Side::Fixed => line.floor.push(figures),
                }
            }
        }
        line.yardstick.push(self.yardstick().await?);
        if let Some(table) = load.fills() {
            self.database.empty(table).await?;
        }
        Ok(line)
    }

    async fn yardstick(&self) -> anyhow::Result<f64> {
        let clients = self.options.clients;
        let figures = self
            .turn(Load::Me, Side::Fixed, clients, YARDSTICK, 0)
            .await?;
        Ok(figures.rate)
    }

    /// Why a load cannot be measured: Tidegate refuses it, or both sides answer differently.
    async fn objection(&self, load: Load) -> anyhow::Result<Option<String>> {
        if load.rows_of_one(self.scale).is_some() {
            return Ok(None);
        }
        let answer = self.ask(load, Side::Tidegate).await?;
        let body = String::from_utf8_lossy(&answer.1).into_owned();
        let beginning: String = body.chars().take(200).collect();
        if !(200..300).contains(&answer.0) {
            return Ok(Some(format!("answered with {}: {beginning}", answer.0)));
        }
        if !load.same_answer() {
            return Ok(None);
        }
        let bare = self.ask(load, Side::Bare).await?;
        ensure!(
            (200..300).contains(&bare.0),
            "the floor answers {} with {}: {}",
            load.name(),
            bare.0,
            String::from_utf8_lossy(&bare.1)
        );
        let [one, other] = [&answer.1, &bare.1].map(|body| serde_json::from_slice::<Value>(body));
        let (one, other) = (one?, other?);
        if one.as_array().is_none_or(Vec::is_empty) {
            bail!("{} finds no rows", load.name());
        }
        if one != other {
            let bare = String::from_utf8_lossy(&bare.1);
            let bare: String = bare.chars().take(200).collect();
            return Ok(Some(format!(
                "not the floor's answer: {beginning} and {bare}"
            )));
        }
        Ok(None)
    }

    async fn ask(&self, load: Load, side: Side) -> anyhow::Result<(u16, Vec<u8>)> {
        let requests = Requests::new(load, side, self.scale, &self.asked());
        let mut request = Vec::new();
        requests.write(&mut Random::new(1), &mut request);
        let mut connection = Connection::open(self.side(side).0).await?;
        connection.send(&request).await?;
        let answer = timeout(PATIENCE, connection.answer()).await??;
        Ok((answer.status, answer.body))
    }

    fn asked(&self) -> Asked<'_> {
        Asked {
            authorization: &self.program.authorization,
            inbox: &self.inbox,
        }
    }

    /// The address and the process of a side.
    fn side(&self, side: Side) -> (SocketAddr, u32) {
        match side {
            Side::Tidegate => (self.program.address, self.program.id()),
            Side::Bare | Side::Fixed => (self.bare.address, self.bare.child.id()),
        }
    }
}

/// The path by which the first row after a start is asked for.
fn first_row() -> String {
    format!("/rest/{DATABASE}/employees?emp_no=eq.1")
}
