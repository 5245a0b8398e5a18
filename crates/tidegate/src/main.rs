//! The program.

use std::process::ExitCode;

use tidegate::app::App;

/// Gives memory back and wastes less of it where thousands of requests wait or come and go.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> ExitCode {
    tidegate::commands::main(App::default()).await
}
