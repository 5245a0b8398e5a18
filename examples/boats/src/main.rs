//! A harbour's own program: everything that Tidegate does, and boats.
//!
//! `cargo run -p boats` serves; every command of `tidegate` is there too.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    tidegate::commands::main(boats::app()).await
}
