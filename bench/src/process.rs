//! What the system says about a process: memory and processor time. Linux only; elsewhere there
//! are no figures.

use std::fs::{read_dir, read_to_string};

/// Bytes in memory (`VmRSS`) or at most so far (`VmHWM`).
pub(crate) fn memory(id: u32, name: &str) -> Option<u64> {
    let status = read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let number = line.trim_start_matches(':').trim().strip_suffix(" kB")?;
    number.parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

/// Has `VmHWM` begin anew.
pub(crate) fn forget_peak(id: u32) -> std::io::Result<()> {
    std::fs::write(format!("/proc/{id}/clear_refs"), "5")
}

/// How many files and sockets it has open.
pub(crate) fn open_files(id: u32) -> Option<usize> {
    Some(read_dir(format!("/proc/{id}/fd")).ok()?.count())
}

/// The processor time it has taken, in seconds.
pub(crate) fn processor_time(id: u32) -> Option<f64> {
    let stat = read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name stands in brackets and may hold anything; user and system time are in hundredths.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / 100.0)
}

/// The name and number of the processors.
pub(crate) fn processors() -> String {
    let text = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split_once(": "))
        .map_or("unknown processor", |(_, name)| name);
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{count} x {name}")
}
