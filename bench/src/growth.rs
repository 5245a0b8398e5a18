//! How cost grows with what there is: rows of a table, the depth of a page, the length of a
//! result, tables of the catalogue. All sizes are there at the same time and take turns, so that
//! what is compared met the same moods of the machine.

mod asker;
mod fill;
mod report;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::json;
use tokio::time::timeout;

use crate::Place;
use crate::data::{Database, introduce};
use crate::http::Connection;
use crate::load::{measure, median};
use crate::process::{forget_peak, memory, processor_time, processors};
use crate::program::Program;
use crate::random::Random;
use crate::report::replace;

use self::asker::{Asker, Question};
use self::report::{Group, Report, Sample};

/// The databases with rows, and with few and many tables.
const ROWS: &str = "growth";
const FEW: &str = "few";
const MANY: &str = "many";

/// Tables of the small schema.
const SMALL: u64 = 10;

/// Rows of a page.
const PAGE: u64 = 20;

/// Requests for a page that may take long, of which the middle one counts.
const SLOW: usize = 3;

/// What a turn may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(300);

/// What is measured.
#[derive(Args)]
pub(crate) struct Options {
    /// A server's address without a database, `mysql://...`; none: SQLite.
    #[arg(long)]
    server: Option<String>,
    /// The process of that server, for its processor time.
    #[arg(long)]
    server_pid: Option<u32>,
    /// Rows of the largest table: a thousand times a power of ten.
    #[arg(long, default_value_t = 10_000_000)]
    rows: u64,
    /// Tables of the large schema.
    #[arg(long, default_value_t = 5000)]
    tables: u64,
    /// Connections, each with one request under way.
    #[arg(long, default_value_t = 4)]
    clients: usize,
    /// Rounds: in each every size has a turn.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of a turn.
    #[arg(long, default_value_t = 1)]
    seconds: u64,
    /// A page whose part on this engine is written anew.
    #[arg(long)]
    page: Option<PathBuf>,
}

impl Options {
    /// A thousand, ten thousand and so on.
    fn sizes(&self) -> Vec<u64> {
        std::iter::successors(Some(1000), |size: &u64| size.checked_mul(10))
            .take_while(|size| *size <= self.rows)
            .collect()
    }
}

struct Bench<'a> {
    options: &'a Options,
    program: Program,
}

/// Measures, prints what came out, and writes it into the page.
pub(crate) async fn run(place: &Place, options: &Options) -> anyhow::Result<()> {
    let sizes = options.sizes();
    let most = sizes.last().copied().context("too few rows")?;
    ensure!(options.tables > SMALL, "too few tables");
    if let Some(server) = &options.server {
        introduce(server).await?;
    }
    let url = match &options.server {
        Some(server) => format!("{server}/tidegate?ssl-mode=DISABLED"),
        None => "sqlite:".to_owned(),
    };
    let program = Program::start(place, &url).await?;
    for name in [ROWS, FEW, MANY] {
        program.call("/databases", &json!({"name": name})).await?;
    }
    let database = |name: &str| match &options.server {
        Some(server) => Database::Server(server.clone()),
        None => Database::Embedded(place.folder.join(format!("data/databases/{name}.db"))),
    };
    let start = Instant::now();
    fill::rows(&database(ROWS), &sizes).await?;
    fill::tables(&database(FEW), FEW, SMALL).await?;
    fill::tables(&database(MANY), MANY, options.tables).await?;
    println!(
        "the data were there after {:.1} s",
        start.elapsed().as_secs_f64()
    );
    let mut bench = Bench { options, program };
    bench.begin_anew().await?;
    let mut report = Report::new(
        database(ROWS).version().await?,
        bench.program.version()?,
        processors(),
        [options.clients, options.rounds, options.seconds as usize],
    );
    println!("{}", report.heading());
    report.groups = vec![
        bench.keys(&sizes).await?,
        bench.cursors(most).await?,
        bench.offsets(most).await?,
        bench.catalogue(false).await?,
        bench.catalogue(true).await?,
        bench.lengths(&sizes).await?,
    ];
    println!("\n{}", report.markdown());
    if let Some(page) = &options.page {
        let text = std::fs::read_to_string(page)?;
        let (engine, part) = (report.engine(), report.markdown());
        std::fs::write(page, replace(&text, "bench-growth", engine, &part)?)?;
    }
    Ok(())
}

impl Bench<'_> {
    /// Starts the program again, so that it has in memory what is asked of it from here on.
    async fn begin_anew(&mut self) -> anyhow::Result<()> {
        let first = format!("/rest/{ROWS}/r1000?id=eq.1");
        self.program.restart(&first).await?;
        self.program.sign_in().await
    }

    async fn keys(&self, sizes: &[u64]) -> anyhow::Result<Group> {
        let questions = sizes.iter().map(|size| {
            let size = *size;
            let ask =
                move |random: u64| format!("/rest/{ROWS}/r{size}?id=eq.{}", 1 + random % size);
            (size, Arc::new(ask) as Question)
        });
        let samples = self.in_turns(questions.collect()).await?;
        Ok(Group::flat("One row by key, of so many", samples))
    }

    async fn cursors(&self, rows: u64) -> anyhow::Result<Group> {
        let questions = depths(rows).into_iter().map(|depth| {
            // Not always the same page.
            let ask = move |random: u64| {
                let after = depth.saturating_sub(random % 1000);
                format!("/rest/{ROWS}/r{rows}?id=gt.{after}&order=id.asc&limit={PAGE}")
            };
            (depth, Arc::new(ask) as Question)
        });
        let samples = self.in_turns(questions.collect()).await?;
        Ok(Group::flat("Page of 20 after so many, by cursor", samples))
    }

    /// For contrast: what `offset` costs.
    async fn offsets(&self, rows: u64) -> anyhow::Result<Group> {
        let mut samples = Vec::new();
        for depth in depths(rows) {
            let path = format!("/rest/{ROWS}/r{rows}?order=id.asc&limit={PAGE}&offset={depth}");
            let mut times = Vec::new();
            for _ in 0..SLOW {
                let start = Instant::now();
                self.fetch(&path).await?;
                times.push(start.elapsed().as_secs_f64() * 1000.0);
            }
            samples.push(Sample::time(depth, median(times)));
        }
        let title = "The same by offset, one request at a time";
        Ok(Group::contrast(title, samples))
    }

    /// One row by key, or with a row of another table in it.
    async fn catalogue(&self, embeds: bool) -> anyhow::Result<Group> {
        let questions = [(FEW, SMALL), (MANY, self.options.tables)].map(|(name, tables)| {
            let (child, parent) = fill::family(tables);
            let path = match embeds {
                true => format!("/rest/{name}/t{parent}?select=*,t{child}(*)&id=eq."),
                false => format!("/rest/{name}/t{child}?id=eq."),
            };
            let ask = move |random: u64| format!("{path}{}", 1 + random % fill::FAMILY);
            (tables, Arc::new(ask) as Question)
        });
        let samples = self.in_turns(questions.into()).await?;
        let title = match embeds {
            true => "One row by key with embedded rows, and so many tables in the catalogue",
            false => "One row by key, and so many tables in the catalogue",
        };
        Ok(Group::flat(title, samples))
    }

    /// The most memory while whole tables are sent.
    async fn lengths(&mut self, sizes: &[u64]) -> anyhow::Result<Group> {
        self.begin_anew().await?;
        let id = self.program.id();
        let mut samples = Vec::new();
        for size in sizes {
            forget_peak(id)?;
            let start = Instant::now();
            let bytes = self.fetch(&format!("/rest/{ROWS}/r{size}")).await?;
            let time = start.elapsed().as_secs_f64() * 1000.0;
            let most = memory(id, "VmHWM").context("no figures of processes here")?;
            samples.push(Sample {
                bytes: Some(bytes),
                memory: Some(most),
                ..Sample::time(*size, time)
            });
        }
        Ok(Group::memory("Memory while so many rows are sent", samples))
    }

    async fn fetch(&self, path: &str) -> anyhow::Result<u64> {
        let mut client = self.client(Arc::new(|_| String::new()), 0).await?;
        let bytes = timeout(PATIENCE, client.ask(path)).await?;
        bytes.with_context(|| path.to_owned())
    }

    async fn client(&self, question: Question, seed: u64) -> anyhow::Result<Asker> {
        Ok(Asker {
            connection: Connection::open(self.program.address).await?,
            headers: format!("Authorization: {}\r\n", self.program.authorization),
            question,
            random: Random::new(seed),
        })
    }

    /// Each question in each round; the middle of all rounds.
    async fn in_turns(&self, questions: Vec<(u64, Question)>) -> anyhow::Result<Vec<Sample>> {
        let mut turns: Vec<Vec<Sample>> = questions.iter().map(|_| Vec::new()).collect();
        for round in 0..self.options.rounds {
            for ((size, question), turns) in questions.iter().zip(&mut turns) {
                turns.push(self.turn(*size, question, round).await?);
            }
        }
        Ok(turns.iter().map(|turns| Sample::middle(turns)).collect())
    }

    async fn turn(&self, size: u64, question: &Question, round: usize) -> anyhow::Result<Sample> {
        let mut clients = Vec::new();
        for number in 0..self.options.clients {
            let seed = (round * 1000 + number) as u64;
            clients.push(self.client(Arc::clone(question), seed).await?);
        }
        let processes = [Some(self.program.id()), self.options.server_pid];
        let times = || processes.map(|id| id.and_then(processor_time));
        let span = Duration::from_secs(self.options.seconds);
        let before = times();
        let measured = timeout(span + PATIENCE, measure(&mut clients, span)).await??;
        let after = times();
        let all = measured.all as f64;
        let each = [0, 1].map(|at| Some((after[at]? - before[at]?) * 1e6 / all));
        Ok(Sample {
            own: each[0],
            server: each[1],
            ..Sample::time(size, measured.quantile(0.50))
        })
    }
}

/// How deep pages are: from the first to the last but a few.
fn depths(rows: u64) -> Vec<u64> {
    [0, rows / 1000, rows / 100, rows / 10, rows - PAGE].into()
}
