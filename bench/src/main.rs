//! Measures the program as it is built for production. `scripts/bench`, `scripts/bench-inbox`,
//! `scripts/bench-scale` and `scripts/bench-growth` start the databases and call this; figures are printed, and nothing fails
//! because of them.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![cfg_attr(
    not(feature = "bare"),
    allow(
        dead_code,
        reason = "what compares needs more of the client and the program"
    )
)]

#[cfg(feature = "bare")]
mod bare;
#[cfg(feature = "bare")]
mod compare;
#[cfg(feature = "bare")]
mod data;
mod floor;
#[cfg(feature = "bare")]
mod growth;
mod http;
mod load;
#[cfg(feature = "bare")]
mod loads;
mod polls;
mod process;
mod program;
#[cfg(feature = "bare")]
mod random;
mod receiver;
#[cfg(feature = "bare")]
mod report;
#[cfg(feature = "bare")]
mod requests;
mod scale;
#[cfg(feature = "bare")]
mod table;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// The allocator of the program, so that the floor has no other.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What Tidegate costs beside what its database can do.
#[derive(Parser)]
struct Cli {
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
    /// Requests of all kinds beside a bare server that does the same.
    #[cfg(feature = "bare")]
    Compare {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        options: compare::Options,
    },
    /// Events a second beside what bare clients of the same database commit.
    Receiver {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        options: receiver::Options,
    },
    /// What requests cost that wait for a message.
    Polls {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        options: polls::Options,
    },
    /// Large results and large schemas.
    Scale {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        options: scale::Options,
    },
    /// How cost grows with what there is.
    #[cfg(feature = "bare")]
    Growth {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        options: growth::Options,
    },
    /// That bare server, which `compare` starts.
    #[cfg(feature = "bare")]
    #[command(hide = true)]
    Bare(bare::Options),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().measure {
        #[cfg(feature = "bare")]
        Measure::Compare { place, options } => {
            std::fs::create_dir_all(&place.folder)?;
            compare::run(&place, &options).await
        }
        Measure::Receiver { place, options } => {
            std::fs::create_dir_all(&place.folder)?;
            receiver::run(&place, &options).await
        }
        Measure::Polls { place, options } => {
            std::fs::create_dir_all(&place.folder)?;
            polls::run(&place, &options).await
        }
        Measure::Scale { place, options } => {
            std::fs::create_dir_all(&place.folder)?;
            scale::run(&place, &options).await
        }
        #[cfg(feature = "bare")]
        Measure::Growth { place, options } => {
            std::fs::create_dir_all(&place.folder)?;
            growth::run(&place, &options).await
        }
        #[cfg(feature = "bare")]
        Measure::Bare(options) => bare::run(options).await,
    }
}
