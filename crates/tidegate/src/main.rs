//! The program.

use std::process::ExitCode;

use tidegate::app::App;

#[tokio::main]
async fn main() -> ExitCode {
    tidegate::commands::main(App::default()).await
}
