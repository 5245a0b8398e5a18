//! Where the time of a load goes, by `perf`: in a turn of its own, since looking costs something.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};

use super::Bench;
use crate::loads::Load;
use crate::requests::Side;

/// How many functions are named.
const NAMED: usize = 15;

impl Bench<'_> {
    /// Prints the dearest functions, and leaves the samples in the folder.
    pub(super) async fn profile(&self, load: Load, folder: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder)?;
        let file = folder.join(format!("{}.data", load.name()));
        let seconds = self.options.seconds;
        let mut perf = Command::new("perf")
            .args(["record", "-q", "-F", "499", "-p"])
            .arg(self.program.id().to_string())
            .arg("-o")
            .arg(&file)
            // A second more for the warm-up.
            .args(["--", "sleep", &(seconds + 1).to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("perf is not installed")?;
        let clients = load.clients(self.options.clients);
        let span = Duration::from_secs(seconds);
        let turn = self.turn(load, Side::Tidegate, clients, span, 0).await;
        let status = perf.wait()?;
        turn?;
        if let Some(table) = load.fills() {
            self.database.empty(table).await?;
        }
        ensure!(status.success(), "perf may not look at processes here");
        let report = Command::new("perf")
            .args(["report", "--stdio", "--no-children", "--sort", "symbol"])
            .args(["--percent-limit", "0.5", "-i"])
            .arg(&file)
            .output()?;
        let text = String::from_utf8_lossy(&report.stdout);
        let lines = text.lines().filter(|line| {
            let line = line.trim_start();
            !line.is_empty() && !line.starts_with('#')
        });
        for line in lines.take(NAMED) {
            println!("           {}", line.trim());
        }
        Ok(())
    }
}
