//! What `inbox pull` prints: a line for each event, and the sum at the end.

use std::fmt;
use std::time::Duration;

use super::message::Message;
use crate::terminal;

/// How many events ended how.
#[derive(Debug, Default)]
pub(super) struct Tally {
    done: usize,
    failed: usize,
    given_back: usize,
}

type Outcome = Result<(), String>;

impl Tally {
    /// An event of which the server knows what became of it.
    pub(super) fn told(
        &mut self,
        message: &Message,
        outcome: &Outcome,
        delay: u32,
        took: Duration,
    ) {
        let then = match outcome {
            Ok(()) => String::new(),
            Err(_) => format!("; handed back for {delay} s"),
        };
        self.event(message, outcome, &then, took);
    }

    /// An event that was held for too long.
    pub(super) fn too_late(&mut self, message: &Message, outcome: &Outcome, took: Duration) {
        self.event(
            message,
            outcome,
            "; its lease was over before that: it may come again",
            took,
        );
    }

    /// An event whose outcome the server does not know.
    pub(super) fn untold(&mut self, message: &Message, outcome: &Outcome, took: Duration) {
        self.event(
            message,
            outcome,
            "; the server could not be told: it comes again",
            took,
        );
    }

    /// Events that were not begun, and are there for others at once.
    pub(super) fn given_back(&mut self, count: usize) {
        self.given_back += count;
    }

    /// The same, where the server could not be told.
    pub(super) fn kept(&mut self, count: usize) {
        terminal::line(format_args!(
            "{count} events could not be given back: they come again when their lease is over"
        ));
    }

    fn event(&mut self, message: &Message, outcome: &Outcome, then: &str, took: Duration) {
        match outcome {
            Ok(()) => self.done += 1,
            Err(_) => self.failed += 1,
        }
        terminal::line(line(message, outcome, then, took));
    }
}

fn line(message: &Message, outcome: &Outcome, then: &str, took: Duration) -> String {
    let (id, size, took) = (message.id, message.body.len(), took.as_millis());
    match outcome {
        Ok(()) => format!("event {id}, {size} bytes: done in {took} ms{then}"),
        Err(why) => format!("event {id}, {size} bytes: failed in {took} ms ({why}){then}"),
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            done,
            failed,
            given_back,
        } = self;
        write!(
            f,
            "events: {done} done, {failed} failed, {given_back} given back"
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::message::sample;
    use super::*;

    #[test]
    fn a_line_says_what_became_of_an_event() {
        let (message, took) = (sample(json!({})), Duration::from_micros(12_900));
        assert_eq!(
            line(&message, &Ok(()), "", took),
            "event 5, 14 bytes: done in 12 ms"
        );
        assert_eq!(
            line(
                &message,
                &Err("exit code 3".into()),
                "; handed back for 10 s",
                took
            ),
            "event 5, 14 bytes: failed in 12 ms (exit code 3); handed back for 10 s"
        );
    }

    #[test]
    fn the_sum_counts_every_event_once() {
        let (message, took) = (sample(json!({})), Duration::ZERO);
        let mut tally = Tally::default();
        tally.told(&message, &Ok(()), 0, took);
        tally.told(&message, &Err("no".into()), 10, took);
        tally.untold(&message, &Ok(()), took);
        tally.too_late(&message, &Ok(()), took);
        tally.given_back(7);
        tally.kept(2);
        assert_eq!(tally.to_string(), "events: 3 done, 1 failed, 7 given back");
    }
}
