//! `tidegate inbox`: what can be typed, and the texts of its `--help`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use reqwest::Url;

use crate::inbox::address::{consumer_name, http_url};

/// `tidegate inbox`
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Inbox {
    /// Feed the events of a webhook to a command, or send them on to a URL
    #[command(
        long_about = "Feed the events of a webhook to a command, or send them on to a URL, one after the\n\
            other, until SIGTERM or SIGINT.\n\n\
            An event is done when the command ends with 0, or the URL answers 2xx. Otherwise it\n\
            comes again, after a delay that grows, until it was handed out as often as the\n\
            webhook's max_deliveries says. An event can come more than once, so what handles it\n\
            should know it again by TIDEGATE_DELIVERY_ID or TIDEGATE_MESSAGE_ID.\n\n\
            A server that is away is waited for. A signal lets the event under way be finished\n\
            and gives the others back; a second one ends at once.",
        after_help = "Examples:\n  \
            export TIDEGATE_INBOX_KEY=7:the-api-key-of-user-7\n  \
            tidegate inbox pull --webhook 1 --consumer erp --exec ./import-event\n  \
            tidegate inbox pull --server https://api.example.org --key-file /run/secrets/inbox \\\n      \
            --webhook 1 --consumer shop --forward http://127.0.0.1:3000/hooks\n  \
            tidegate inbox pull --webhook 1 --consumer nightly --exec 'cat >> events' --once\n\n\
            A command is run by `sh -c`. Its standard input is the body; its environment has\n\
            TIDEGATE_MESSAGE_ID, _WEBHOOK_ID, _METHOD, _PATH, _QUERY, _CONTENT_TYPE, _SIGNATURE,\n\
            _DELIVERY (how often it was handed out), _DELIVERY_ID and _HEADERS (JSON).\n\
            A URL gets the same method, path behind the address, query, headers and body.\n\n\
            The key is never an argument: those are seen by every user of the machine."
    )]
    Pull(Box<Pull>),

    /// The tables of the older inbox, on MySQL and MariaDB
    #[command(subcommand)]
    LegacyTables(LegacyTables),
}

/// What to collect, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Pull {
    /// The webhook whose events are collected
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u64).range(1..))]
    pub webhook: u64,

    /// Name under which they are collected; workers with the same name share them
    #[arg(long, value_name = "NAME", value_parser = consumer_name)]
    pub consumer: String,

    /// Where they go.
    #[command(flatten)]
    pub destination: Destination,

    /// Address of Tidegate
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080", value_parser = http_url)]
    pub server: Url,

    /// File whose first line is id:api_key, in place of TIDEGATE_INBOX_KEY
    #[arg(long, value_name = "PATH")]
    pub key_file: Option<PathBuf>,

    /// How many events are fetched at a time
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub limit: u32,

    /// How long nobody else gets them; it is prolonged while they are worked on
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=43_200))]
    pub seconds: u32,

    /// Seconds until an event that failed comes again; doubled each time, an hour at most
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(..=3_600))]
    pub retry_delay: u32,

    /// Stop when nothing is left
    #[arg(long)]
    pub once: bool,
}

/// Where events go: one of the two.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[group(required = true, multiple = false)]
pub struct Destination {
    /// Command that is run for each event
    #[arg(long, value_name = "COMMAND")]
    pub exec: Option<String>,

    /// URL that each event is sent to
    #[arg(long, value_name = "URL", value_parser = http_url)]
    pub forward: Option<Url>,
}

/// `tidegate inbox legacy-tables`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum LegacyTables {
    /// Make tbluser, tblwhid and tblwh, and fill the first two
    #[command(
        long_about = "Make tbluser, tblwhid and tblwh in Tidegate's own database, and fill the first two\n\
            from users (without pwd and token) and webhooks. A running Tidegate takes the rows\n\
            that are written to tblwh into the inbox."
    )]
    Create,

    /// Drop them; what was taken into the inbox stays there
    Drop,
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    const PULL: &str = "tidegate inbox pull --webhook 3 --consumer erp";

    fn parse(line: &str) -> Result<Inbox, clap::Error> {
        let cli = Cli::try_parse_from(line.split_whitespace())?;
        match cli.into_command() {
            Command::Inbox(inbox) => Ok(inbox),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_pull_has_defaults() {
        let Ok(Inbox::Pull(pull)) = parse(&format!("{PULL} --exec ./run")) else {
            panic!("no pull");
        };
        let expected = Pull {
            webhook: 3,
            consumer: "erp".into(),
            destination: Destination {
                exec: Some("./run".into()),
                forward: None,
            },
            server: http_url("http://127.0.0.1:8080").unwrap(),
            key_file: None,
            limit: 10,
            seconds: 30,
            retry_delay: 10,
            once: false,
        };
        assert_eq!(*pull, expected);
    }

    #[test]
    fn the_other_commands_are_understood() {
        for (line, action) in [
            ("tidegate inbox legacy-tables create", LegacyTables::Create),
            ("tidegate inbox legacy-tables drop", LegacyTables::Drop),
        ] {
            assert_eq!(parse(line).unwrap(), Inbox::LegacyTables(action));
        }
        for rest in [
            "--forward http://127.0.0.1:3000/hooks --once",
            "--exec ./run --server https://api.example.org/tide --key-file key",
            "--exec ./run --limit 100 --seconds 43200 --retry-delay 0",
        ] {
            assert!(parse(&format!("{PULL} {rest}")).is_ok(), "{rest}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for rest in [
            "",
            "--exec ./run --forward http://127.0.0.1/",
            "--exec ./run --key 7:secret",
            "--exec ./run --server ftp://example.org",
            "--exec ./run --server http://7:secret@example.org",
            "--exec ./run --limit 0",
            "--exec ./run --limit 101",
            "--exec ./run --seconds 0",
            "--exec ./run --seconds 43201",
            "--exec ./run --retry-delay 3601",
            "--exec ./run --webhook 0",
        ] {
            assert!(parse(&format!("{PULL} {rest}")).is_err(), "{rest}");
        }
        assert!(parse("tidegate inbox pull --webhook 1 --consumer a/b --exec ./run").is_err());
        assert!(parse("tidegate inbox legacy-tables").is_err());
    }
}
