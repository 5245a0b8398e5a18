//! What came out on one engine, as lines on the way and as a part of a page.

use std::fmt::Write;

use anyhow::Context;

use crate::compare::{Figures, Idle, Point};
use crate::data::Scale;
use crate::load::median;
use crate::table::{Line, grouped, met, middle, row, times};

/// Milliseconds to the first row, and megabytes after all loads, that are aimed at.
const START: f64 = 100.0;
const MEMORY: f64 = 40.0;

/// The share of the rate with 32 connections that is to be left with the most.
const CURVE: f64 = 0.90;

/// Everything that came out on one engine.
pub(crate) struct Report {
    engine: String,
    program: String,
    processors: String,
    /// Connections, rounds and seconds.
    settings: [usize; 3],
    scale: Scale,
    /// What a commit waits for.
    durability: String,
    /// Milliseconds.
    pub(crate) start: Vec<f64>,
    pub(crate) lines: Vec<Line>,
    /// Bytes after all loads, and at most.
    pub(crate) memory: Option<u64>,
    pub(crate) memory_at_most: Option<u64>,
    pub(crate) curve: Vec<Point>,
    pub(crate) idle: Option<Idle>,
}

impl Report {
    pub(crate) fn new(
        engine: String,
        program: String,
        processors: String,
        settings: [usize; 3],
        scale: Scale,
        durability: String,
    ) -> Self {
        Self {
            engine,
            program,
            processors,
            settings,
            scale,
            durability,
            start: Vec::new(),
            lines: Vec::new(),
            memory: None,
            memory_at_most: None,
            curve: Vec::new(),
            idle: None,
        }
    }

    pub(crate) fn heading(&self) -> String {
        let [clients, rounds, seconds] = self.settings;
        format!(
            "{} on {}, {}; {} employees with {} salaries; {clients} connections, {rounds} rounds of {seconds} s; \
             floor: actix-web {}, {} {}; {}; {}",
            self.program,
            self.engine,
            self.processors,
            grouped(self.scale.employees as f64),
            grouped(self.scale.salaries() as f64),
            locked("actix-web"),
            self.driver(),
            locked(self.driver()),
            self.way(),
            self.durability
        )
    }

    /// How both sides reach the database.
    fn way(&self) -> &'static str {
        match self.is_embedded() {
            true => "files opened by each side itself",
            false => "both over TCP without TLS (`?ssl-mode=DISABLED`)",
        }
    }

    fn is_embedded(&self) -> bool {
        self.engine.starts_with("SQLite")
    }

    fn driver(&self) -> &'static str {
        match self.is_embedded() {
            true => "rusqlite",
            false => "mysql_async",
        }
    }

    /// One load in one line of a terminal.
    pub(crate) fn brief(&self, line: &Line) -> String {
        let name = line.load.name();
        if let Some(reason) = &line.refused {
            return format!("{name:>9}: {reason}");
        }
        let rate = |side: &[Figures]| middle(side, |turn| turn.rate);
        let mut text = format!("{name:>9}: {:>10.0}/s", rate(&line.tidegate));
        if !line.floor.is_empty() {
            let _ = write!(
                text,
                " of {:>10.0}/s: {:.2} ({})",
                rate(&line.floor),
                median(line.ratios()),
                line.verdict()
            );
        }
        let times = [|turn: &Figures| turn.p50, |turn: &Figures| turn.p99];
        let [p50, p99] = times.map(|time| middle(&line.tidegate, time));
        let _ = write!(text, ", p50 {p50:.2} ms, p99 {p99:.2} ms");
        text
    }

    /// The part of the page, without its marks.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("### {}\n\n{}.\n\n", self.engine, self.heading());
        text.push_str(
            "| load | Tidegate | floor | of the floor | aim | of the yardstick | p50 / p99 | floor's | p99 of floor's | CPU each | floor's | memory |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
        );
        for line in &self.lines {
            text.push_str(&row(line));
        }
        text.push('\n');
        for (line, reason) in self
            .lines
            .iter()
            .filter_map(|line| Some((line, line.refused.as_ref()?)))
        {
            let _ = writeln!(
                text,
                "Not measured: {}, {}\n",
                line.load.title(),
                reason.replace('\n', " ")
            );
        }
        self.others(&mut text);
        text
    }

    /// What is no load.
    fn others(&self, text: &mut String) {
        if !self.start.is_empty() {
            let time = median(self.start.clone());
            let _ = writeln!(
                text,
                "- From the start of the program to the first answered row: {time:.0} ms; {START:.0} ms: {}.",
                met(time < START)
            );
        }
        if let (Some(memory), Some(most), false) =
            (self.memory, self.memory_at_most, self.lines.is_empty())
        {
            let [memory, most] = [memory, most].map(|bytes| bytes as f64 / 1e6);
            let _ = writeln!(
                text,
                "- In memory after these loads: {memory:.0} MB, at most {most:.0} MB; {MEMORY:.0} MB: {}.",
                met(memory < MEMORY)
            );
        }
        if let Some(idle) = &self.idle {
            let [before, with] = idle.memory.map(|bytes| bytes as f64 / 1e6);
            let _ = writeln!(
                text,
                "- Beside {} idle connections: {}/s rows by key, {}/s without them; {before:.0} MB became {with:.0} MB.",
                grouped(idle.connections as f64),
                grouped(idle.rates[1]),
                grouped(idle.rates[0])
            );
        }
        if self.curve.is_empty() {
            return;
        }
        let of_32 = self.curve.iter().find(|point| point.clients == 32);
        if let (Some(of_32), Some(last)) = (of_32, self.curve.last()) {
            let left = last.tidegate.rate / of_32.tidegate.rate;
            let _ = writeln!(
                text,
                "- With {} connections {left:.2} of the rate with 32; {CURVE:.2}: {}.",
                last.clients,
                met(left >= CURVE)
            );
        }
        text.push_str(
            "\nOne row by key, with more and more connections:\n\n\
             | connections | Tidegate | floor | of the floor | p50 / p99 | floor's |\n| --- | --- | --- | --- | --- | --- |\n",
        );
        for point in &self.curve {
            let (one, floor) = (&point.tidegate, &point.floor);
            let _ = writeln!(
                text,
                "| {} | {}/s | {}/s | {:.2} | {} | {} |",
                point.clients,
                grouped(one.rate),
                grouped(floor.rate),
                one.rate / floor.rate,
                times(one.p50, one.p99),
                times(floor.p50, floor.p99)
            );
        }
    }

    /// The page with this part in the place of the former one, between the marks of the engine.
    pub(crate) fn put_into(&self, page: &str) -> anyhow::Result<String> {
        replace(page, "bench", &self.engine, &self.markdown())
    }
}

/// The page with another text between the marks that a target of make has for an engine.
pub(crate) fn replace(
    page: &str,
    target: &str,
    engine: &str,
    text: &str,
) -> anyhow::Result<String> {
    let family = engine.split(' ').next().unwrap_or_default();
    let begin = format!("<!-- make {target}: {family} -->\n");
    let end = format!("<!-- end of make {target}: {family} -->");
    let missing = || format!("the page has no part for {target}: {family}");
    let (before, rest) = page.split_once(&begin).with_context(missing)?;
    let (_, after) = rest.split_once(&end).with_context(missing)?;
    Ok(format!("{before}{begin}{text}\n{end}{after}"))
}

/// The version of a crate that this was built with.
fn locked(name: &str) -> &'static str {
    const LOCK: &str = include_str!("../../Cargo.lock");
    let line = format!("name = \"{name}\"\nversion = \"");
    let rest = LOCK.split_once(&line).map_or("?", |(_, rest)| rest);
    rest.split('"').next().unwrap_or("?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_page_is_replaced() {
        let scale = Scale { employees: 6000 };
        let engine = "MySQL 9.7.4".to_owned();
        let report = Report::new(
            engine,
            "tidegate".into(),
            "one".into(),
            [32, 3, 3],
            scale,
            String::new(),
        );
        let page = "a\n<!-- make bench: MySQL -->\nold\n<!-- end of make bench: MySQL -->\nb\n";
        let new = report.put_into(page).unwrap();
        assert!(new.starts_with("a\n<!-- make bench: MySQL -->\n### MySQL 9.7.4\n"));
        assert!(new.ends_with("\n<!-- end of make bench: MySQL -->\nb\n") && !new.contains("old"));
        assert_eq!(report.put_into(&new).unwrap(), new);
        assert!(report.put_into("nothing").is_err());
    }
}
