//! Where the time of a load goes, by `perf`: in a turn of its own, since looking costs something.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::Bench;
use crate::loads::Load;
use crate::requests::Side;

/// How many functions are named.
const NAMED: usize = 15;

/// Characters of a name: those of generic functions have hundreds.
const WIDTH: usize = 120;

/// Samples a second.
const FREQUENCY: &str = "499";

impl Bench<'_> {
    /// Prints the dearest functions, and leaves the samples in the folder. Where there is no
    /// `perf`, or it may not look, that is said once.
    pub(super) async fn profile(&mut self, load: Load, folder: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder)?;
        let file = folder.join(format!("{}.data", load.name()));
        if *self.perf.get_or_insert_with(|| may_look(&file)) {
            self.sample(load, &file).await?;
        }
        Ok(())
    }

    async fn sample(&self, load: Load, file: &Path) -> anyhow::Result<()> {
        let seconds = self.options.seconds;
        let mut perf = record(self.program.id(), file)
            // A second more for the warm-up.
            .args(["--", "sleep", &(seconds + 1).to_string()])
            .spawn()?;
        let clients = load.clients(self.options.clients);
        let span = Duration::from_secs(seconds);
        let turn = self.turn(load, Side::Tidegate, clients, span, 0).await;
        let status = perf.wait()?;
        turn?;
        if let Some(table) = load.fills() {
            self.database.empty(table).await?;
        }
        if !status.success() {
            println!("           perf took no samples of it");
            return Ok(());
        }
        let report = Command::new("perf")
            .args(["report", "--stdio", "--no-inline", "--no-children"])
            .args(["--sort", "symbol", "--percent-limit", "0.5", "-i"])
            .arg(file)
            .output()?;
        let text = String::from_utf8_lossy(&report.stdout);
        let lines = text.lines().map(str::trim).filter(is_named);
        for line in lines.take(NAMED) {
            println!("           {}", cut(line));
        }
        Ok(())
    }
}

/// `perf` that looks at a process and is told how long by more arguments.
fn record(process: u32, file: &Path) -> Command {
    let mut command = Command::new("perf");
    command
        .args(["record", "-q", "-F", FREQUENCY, "-p"])
        .arg(process.to_string())
        .arg("-o")
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Whether `perf` is there and may look at processes: tried on this one.
fn may_look(file: &Path) -> bool {
    let tried = record(std::process::id(), file)
        .args(["--", "true"])
        .status();
    let reason = match tried {
        Ok(status) if status.success() => return true,
        Ok(_) => "perf may not look at processes here (kernel.perf_event_paranoid)",
        Err(_) => "perf is not installed",
    };
    println!("no profiles: {reason}");
    false
}

fn is_named(line: &&str) -> bool {
    !line.is_empty() && !line.starts_with('#')
}

/// The share and the function of a line, without the columns after them.
fn cut(line: &str) -> String {
    let (share, rest) = line.split_once("  ").unwrap_or((line, ""));
    let name = rest.trim_start().split("  ").next().unwrap_or_default();
    match name.char_indices().nth(WIDTH) {
        Some((at, _)) => format!("{share} {}...", name.get(..at).unwrap_or_default()),
        None => format!("{share} {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{WIDTH, cut, is_named};

    #[test]
    fn long_names_are_cut_between_characters() {
        let long = "ü".repeat(WIDTH + 1);
        let cut_off = format!("1.84% {}...", "ü".repeat(WIDTH));
        assert_eq!(cut(&format!("1.84%  {long}   -  -")), cut_off);
        assert_eq!(cut("1.84%  [.] a b      -  -"), "1.84% [.] a b");
        assert!(is_named(&"1.0% a") && !is_named(&"# a") && !is_named(&""));
    }
}
