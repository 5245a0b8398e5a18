//! The pure steps of a request, each as often as is asked for, so that their instructions can be
//! counted: `scripts/bench-instructions` runs it in valgrind.

#![allow(clippy::print_stdout, reason = "the names are what is asked for")]

#[path = "../pure/mod.rs"]
mod pure;

use std::hint::black_box;

use anyhow::Context as _;
use clap::Parser;

/// Runs a case so many times, or names all cases.
#[derive(Parser)]
struct Cli {
    /// The case.
    case: Option<String>,
    /// How often.
    #[arg(default_value_t = 1)]
    times: u64,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let Some(name) = cli.case else {
        for case in pure::cases() {
            println!("{}", case.name);
        }
        return Ok(());
    };
    let case = pure::cases().into_iter().find(|case| case.name == name);
    let case = case.with_context(|| format!("there is no case {name}"))?;
    for _ in 0..cli.times {
        black_box((case.run)());
    }
    Ok(())
}
