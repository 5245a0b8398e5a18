//! The program: reads the command line and carries it out.

use std::process::ExitCode;

use clap::Parser as _;
use tidegate::cli::Cli;
use tidegate::commands;

#[tokio::main]
async fn main() -> ExitCode {
    match commands::run(Cli::parse().into_command()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[allow(clippy::print_stderr, reason = "the program's last word")]
            {
                eprintln!("tidegate: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
