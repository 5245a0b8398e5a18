//! What the program says about itself while it runs: log lines for people or
//! for programs, on standard error, so that standard output stays free for
//! what a command answers.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, filter::ParseError, util::SubscriberInitExt};

use crate::config::{LogFormat, LogSettings};

/// Starts the log. A second call changes nothing: tests call it one after the other.
pub fn init(settings: &LogSettings) {
    // Checked when the settings were read; the default is for those made by hand.
    let filter = filter(&settings.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    // Fails only where a log was started before.
    let _ = match settings.format {
        LogFormat::Pretty => builder
            .with_ansi(io::stderr().is_terminal())
            .finish()
            .try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    };
}

/// The filter for a level or a list of directives.
///
/// The driver's log of statements stays off unless it is named: a statement may
/// hold the password of a database user.
pub(crate) fn filter(level: &str) -> Result<EnvFilter, ParseError> {
    let builder = EnvFilter::builder();
    if level.contains("sqlx") {
        builder.parse(level)
    } else {
        builder.parse(format!("{level},sqlx=warn,sqlx::query=off"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_twice_without_harm() {
        for format in [LogFormat::Json, LogFormat::Pretty] {
            init(&LogSettings {
                level: "off".into(),
                format,
            });
        }
    }

    #[test]
    fn statements_are_logged_only_on_demand() {
        assert!(
            filter("debug")
                .unwrap()
                .to_string()
                .contains("sqlx::query=off")
        );
        assert_eq!(
            filter("info,sqlx::query=debug").unwrap().to_string(),
            "sqlx::query=debug,info"
        );
    }
}
