//! The table of all loads, a line each.

use crate::compare::Figures;
use crate::load::median;
use crate::loads::{Floor, Load};

/// How many times the floor's p99 Tidegate's may be.
const P99: f64 = 1.5;

/// One load in all rounds.
pub(crate) struct Line {
    pub(crate) load: Load,
    target: Option<f64>,
    pub(crate) tidegate: Vec<Figures>,
    pub(crate) floor: Vec<Figures>,
    /// Before and after.
    pub(crate) yardstick: Vec<f64>,
    /// Why it was not measured.
    pub(crate) refused: Option<String>,
}

impl Line {
    pub(crate) fn new(load: Load, target: Option<f64>) -> Self {
        Self {
            load,
            target,
            tidegate: Vec::new(),
            floor: Vec::new(),
            yardstick: Vec::new(),
            refused: None,
        }
    }

    /// Tidegate's part of the floor, round by round.
    pub(crate) fn ratios(&self) -> Vec<f64> {
        let rounds = self.tidegate.iter().zip(&self.floor);
        rounds.map(|(one, floor)| one.rate / floor.rate).collect()
    }

    pub(crate) fn verdict(&self) -> String {
        let (Some(target), false) = (self.target, self.floor.is_empty()) else {
            return "-".to_owned();
        };
        let verdict = match median(self.ratios()) >= target {
            true => "met",
            false => "**missed**",
        };
        format!("{target:.2}: {verdict}")
    }

    /// How many times the floor's p99 Tidegate's is.
    fn p99(&self) -> Option<f64> {
        // One request has no percentiles, and the yardstick's work is another.
        if self.load.floor() != Floor::Bare || self.load.clients(2) == 1 {
            return None;
        }
        let [one, floor] = [&self.tidegate, &self.floor].map(|side| middle(side, |turn| turn.p99));
        Some(one / floor)
    }
}

pub(crate) fn middle(turns: &[Figures], figure: impl Fn(&Figures) -> f64) -> f64 {
    median(turns.iter().map(figure).collect())
}

/// A line of the table.
pub(crate) fn row(line: &Line) -> String {
    if line.refused.is_some() {
        return format!("| {} |{}\n", line.load.title(), " - |".repeat(11));
    }
    let one = |figure: fn(&Figures) -> f64| middle(&line.tidegate, figure);
    let floor =
        |figure: fn(&Figures) -> f64| (!line.floor.is_empty()).then(|| middle(&line.floor, figure));
    let is_one = line.load.clients(2) == 1;
    let unit = if is_one { " rows/s" } else { "/s" };
    let rate = |rate: f64| format!("{}{unit}", grouped(rate));
    let ratios = line.ratios();
    let (least, most) = (
        ratios.iter().copied().fold(f64::INFINITY, f64::min),
        ratios.iter().copied().fold(0.0, f64::max),
    );
    let of_floor = match line.floor.is_empty() {
        true => None,
        false => Some(format!(
            "{:.2} ({least:.2} to {most:.2})",
            median(ratios.clone())
        )),
    };
    let yardstick = line.yardstick.iter().sum::<f64>() / line.yardstick.len().max(1) as f64;
    let of_yardstick = (!is_one).then(|| format!("{:.2}", one(|turn| turn.rate) / yardstick));
    let p99 = line.p99().map(|times| match times <= P99 {
        true => format!("{times:.1}"),
        false => format!("**{times:.1}**"),
    });
    let cpu = |side: &[Figures]| {
        let middle = |figure: fn(&Figures) -> Option<f64>| {
            let figures: Vec<f64> = side.iter().filter_map(figure).collect();
            (!figures.is_empty()).then(|| median(figures))
        };
        let own = middle(|turn| turn.own)?;
        Some(match middle(|turn| turn.server) {
            Some(server) => format!("{own:.1} + {server:.1} µs"),
            None => format!("{own:.1} µs"),
        })
    };
    let memory = line.tidegate.last().and_then(|turn| turn.memory);
    let cells = [
        Some(line.load.title().to_owned()),
        Some(rate(one(|turn| turn.rate))),
        floor(|turn| turn.rate).map(rate),
        of_floor,
        Some(line.verdict()),
        of_yardstick,
        Some(times(one(|turn| turn.p50), one(|turn| turn.p99))),
        floor(|turn| turn.p50)
            .zip(floor(|turn| turn.p99))
            .map(|(p50, p99)| times(p50, p99)),
        p99,
        cpu(&line.tidegate),
        cpu(&line.floor),
        memory.map(|bytes| format!("{:.0} MB", bytes as f64 / 1e6)),
    ];
    let cells = cells.map(|cell| cell.unwrap_or_else(|| "-".to_owned()));
    format!("| {} |\n", cells.join(" | "))
}

pub(crate) fn times(p50: f64, p99: f64) -> String {
    format!("{p50:.2} / {p99:.2} ms")
}

pub(crate) fn met(is_met: bool) -> &'static str {
    if is_met { "met" } else { "**missed**" }
}

/// A whole number with a comma after each three digits.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn numbers_are_grouped() {
        let texts = [0.0, 999.6, 12_345.0, 1_234_567.0].map(grouped);
        assert_eq!(texts, ["0", "1,000", "12,345", "1,234,567"]);
    }
}
