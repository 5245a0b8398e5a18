//! `tidegate backup` and `tidegate restore`: what can be typed, and the texts of their `--help`.

use std::path::PathBuf;

use clap::Args;

/// `tidegate backup`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Backup {
    /// A new folder for it; otherwise one named by the time, in `backups` of the data folder
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
}

/// `tidegate restore`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Restore {
    /// The folder of the backup
    #[arg(value_name = "DIR")]
    pub from: PathBuf,

    /// Replace the databases that are there
    #[arg(long, requires = "yes")]
    pub force: bool,

    /// Yes, replace them
    #[arg(long)]
    pub yes: bool,
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Cli::try_parse_from(line.split_whitespace()).map(Cli::into_command)
    }

    #[test]
    fn they_are_understood() {
        let backup = |to: Option<&str>| {
            Command::Backup(Backup {
                to: to.map(PathBuf::from),
            })
        };
        assert_eq!(parse("tidegate backup").unwrap(), backup(None));
        let to = parse("tidegate backup --to /srv/b").unwrap();
        assert_eq!(to, backup(Some("/srv/b")));
        let restore = |sure| {
            Command::Restore(Restore {
                from: "b".into(),
                force: sure,
                yes: sure,
            })
        };
        assert_eq!(parse("tidegate restore b").unwrap(), restore(false));
        let sure = parse("tidegate restore b --force --yes").unwrap();
        assert_eq!(sure, restore(true));
        for line in ["tidegate restore", "tidegate restore b --force"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
