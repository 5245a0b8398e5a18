//! What came out on one engine, as a part of a page.

use std::fmt::Write;

use crate::load::median;
use crate::table::{grouped, met};

/// How many times the least what is called flat may be.
const FLAT: f64 = 1.25;

/// One size.
#[derive(Clone)]
pub(super) struct Sample {
    pub(super) size: u64,
    /// Milliseconds.
    pub(super) time: f64,
    /// Microseconds of processor time: the program's and the server's.
    pub(super) own: Option<f64>,
    pub(super) server: Option<f64>,
    /// Bytes of the answer, and of memory.
    pub(super) bytes: Option<u64>,
    pub(super) memory: Option<u64>,
}

impl Sample {
    pub(super) fn time(size: u64, time: f64) -> Self {
        Self {
            size,
            time,
            own: None,
            server: None,
            bytes: None,
            memory: None,
        }
    }

    /// The middle of several turns of one size.
    pub(super) fn middle(turns: &[Self]) -> Self {
        let middle = |figure: fn(&Self) -> Option<f64>| {
            let figures: Vec<f64> = turns.iter().filter_map(figure).collect();
            (!figures.is_empty()).then(|| median(figures))
        };
        let size = turns.first().map_or(0, |turn| turn.size);
        Self {
            own: middle(|turn| turn.own),
            server: middle(|turn| turn.server),
            ..Self::time(size, middle(|turn| Some(turn.time)).unwrap_or_default())
        }
    }
}

/// What is looked at from the smallest size to the largest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Time,
    Memory,
    Contrast,
}

/// One question at all sizes.
pub(super) struct Group {
    title: &'static str,
    kind: Kind,
    samples: Vec<Sample>,
}

impl Group {
    /// One whose time is to be the same at all sizes.
    pub(super) fn flat(title: &'static str, samples: Vec<Sample>) -> Self {
        Self::new(title, Kind::Time, samples)
    }

    /// One whose memory is to be the same.
    pub(super) fn memory(title: &'static str, samples: Vec<Sample>) -> Self {
        Self::new(title, Kind::Memory, samples)
    }

    /// One of which nothing is asked.
    pub(super) fn contrast(title: &'static str, samples: Vec<Sample>) -> Self {
        Self::new(title, Kind::Contrast, samples)
    }

    fn new(title: &'static str, kind: Kind, samples: Vec<Sample>) -> Self {
        Self {
            title,
            kind,
            samples,
        }
    }

    /// What is to be flat.
    fn figure(&self, sample: &Sample) -> f64 {
        match self.kind {
            Kind::Memory => sample.memory.unwrap_or_default() as f64,
            Kind::Time | Kind::Contrast => sample.time,
        }
    }

    /// The largest of all sizes beside the smallest size.
    fn times(&self, sample: &Sample) -> f64 {
        let first = self.samples.first().map_or(0.0, |it| self.figure(it));
        self.figure(sample) / first
    }

    fn verdict(&self) -> String {
        let most = self.samples.iter().map(|it| self.times(it));
        let most = most.fold(0.0, f64::max);
        match self.kind {
            Kind::Contrast => format!("{most:.1} times"),
            _ => format!("{most:.2} times; at most {FLAT}: {}", met(most <= FLAT)),
        }
    }

    fn write(&self, text: &mut String) {
        let _ = writeln!(text, "{} ({}):\n", self.title, self.verdict());
        let (names, line) = match self.kind {
            Kind::Memory => ("| rows | sent | time | at most in memory |", 4),
            Kind::Time => ("| | p50 | of the first | CPU each |", 4),
            Kind::Contrast => ("| | time | of the first |", 3),
        };
        let _ = writeln!(text, "{names}\n|{}", " --- |".repeat(line));
        for sample in &self.samples {
            let size = grouped(sample.size as f64);
            let (time, times) = (sample.time, self.times(sample));
            let _ = match self.kind {
                Kind::Memory => writeln!(
                    text,
                    "| {size} | {:.1} MB | {time:.0} ms | {:.1} MB |",
                    sample.bytes.unwrap_or_default() as f64 / 1e6,
                    self.figure(sample) / 1e6
                ),
                Kind::Time => writeln!(
                    text,
                    "| {size} | {time:.2} ms | {times:.2} | {} |",
                    cost(sample)
                ),
                Kind::Contrast => writeln!(text, "| {size} | {time:.2} ms | {times:.1} |"),
            };
        }
        text.push('\n');
    }
}

fn cost(sample: &Sample) -> String {
    match (sample.own, sample.server) {
        (Some(own), Some(server)) => format!("{own:.0} + {server:.0} µs"),
        (Some(own), None) => format!("{own:.0} µs"),
        _ => "-".to_owned(),
    }
}

/// Everything that came out on one engine.
pub(super) struct Report {
    engine: String,
    program: String,
    processors: String,
    /// Connections, rounds and seconds.
    settings: [usize; 3],
    pub(super) groups: Vec<Group>,
}

impl Report {
    pub(super) fn new(
        engine: String,
        program: String,
        processors: String,
        settings: [usize; 3],
    ) -> Self {
        Self {
            engine,
            program,
            processors,
            settings,
            groups: Vec::new(),
        }
    }

    pub(super) fn engine(&self) -> &str {
        &self.engine
    }

    pub(super) fn heading(&self) -> String {
        let [clients, rounds, seconds] = self.settings;
        format!(
            "{} on {}, {}; {clients} connections, {rounds} rounds of {seconds} s",
            self.program, self.engine, self.processors
        )
    }

    /// The part of the page, without its marks.
    pub(super) fn markdown(&self) -> String {
        let mut text = format!("### Growth on {}\n\n{}.\n\n", self.engine, self.heading());
        for group in &self.groups {
            group.write(&mut text);
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(times: [f64; 2]) -> Vec<Sample> {
        let sizes = [1000, 10_000_000].into_iter().zip(times);
        sizes.map(|(size, time)| Sample::time(size, time)).collect()
    }

    #[test]
    fn what_grows_is_not_flat() {
        let flat = Group::flat("a", samples([1.0, 1.2])).verdict();
        assert_eq!(flat, "1.20 times; at most 1.25: met");
        let grows = Group::flat("a", samples([1.0, 1.3])).verdict();
        assert_eq!(grows, "1.30 times; at most 1.25: **missed**");
        let contrast = Group::contrast("a", samples([1.0, 30.0])).verdict();
        assert_eq!(contrast, "30.0 times");
    }

    #[test]
    fn the_middle_of_turns_counts() {
        let turn = |time, own| Sample {
            own,
            ..Sample::time(7, time)
        };
        let middle = Sample::middle(&[turn(3.0, None), turn(1.0, Some(5.0)), turn(2.0, None)]);
        assert_eq!((middle.size, middle.time), (7, 2.0));
        assert_eq!((middle.own, middle.server), (Some(5.0), None));
    }
}
