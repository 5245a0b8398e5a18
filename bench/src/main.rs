//! Measures the webhook inbox of the program as it is built for production. `scripts/bench-inbox`
//! starts the databases and calls this; figures are printed, and nothing fails because of them.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod floor;
mod http;
mod load;
mod polls;
mod process;
mod program;
mod receiver;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// What the webhook inbox costs.
#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    measure: Measure,
}

/// Where things are.
#[derive(Args)]
pub(crate) struct Place {
    /// The program.
    #[arg(long)]
    program: PathBuf,
    /// An empty folder for data, on a disk.
    #[arg(long)]
    folder: PathBuf,
}

#[derive(Subcommand)]
enum Measure {
    /// Events a second beside what bare clients of the same database commit.
    Receiver(receiver::Options),
    /// What requests cost that wait for a message.
    Polls(polls::Options),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    std::fs::create_dir_all(&cli.place.folder)?;
    match cli.measure {
        Measure::Receiver(options) => receiver::run(&cli.place, &options).await,
        Measure::Polls(options) => polls::run(&cli.place, &options).await,
    }
}
