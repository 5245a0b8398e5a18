//! The command line: what can be typed, and the texts of `--help`.
//!
//! Everything else about a run is a setting (see [`crate::config`]).

pub mod backup;
pub mod inbox;

use std::net::SocketAddr;

use clap::{Args, Parser, Subcommand};

use self::backup::{Backup, Restore};
use self::inbox::Inbox;

/// A secured REST API in front of MySQL, MariaDB and SQLite.
#[derive(Debug, Parser)]
#[command(
    name = "tidegate",
    version,
    about,
    long_about = "A secured REST API in front of MySQL, MariaDB and SQLite.\n\n\
        Without a command it serves: on the embedded database in ./data, at\n\
        http://127.0.0.1:8080, unless the settings say otherwise.",
    after_long_help = "Examples:\n  \
        tidegate\n      serve, on the embedded database\n  \
        TIDEGATE__DATABASE__URL=mysql://me:secret@127.0.0.1:3306/tidegate tidegate\n      serve, on MySQL or MariaDB\n  \
        tidegate config check\n      list every mistake in the settings\n  \
        TIDEGATE_PROFILE=production tidegate migrate up\n      before a new version serves in production\n\n\
        Settings: config/default.toml explains each; TIDEGATE__SECTION__NAME in the\n\
        environment or in .env sets it. Secrets can be given as files:\n\
        TIDEGATE__AUTH__JWT_SECRET_FILE=/run/secrets/jwt.",
    disable_help_subcommand = true
)]
pub struct Cli {
    /// What to do; without it: serve.
    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Cli {
    /// The command that was meant.
    #[must_use]
    pub fn into_command(self) -> Command {
        self.command.unwrap_or(Command::Serve)
    }
}

/// What the program can do.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Serve the API (the default)
    #[command(
        long_about = "Serve the API until SIGTERM or SIGINT; requests under way are finished.\n\n\
            The development profile brings the database up to date first and, when there\n\
            are no users yet, creates an administrator and prints the credentials once.\n\
            Production leaves migrations to `tidegate migrate up`."
    )]
    Serve,

    /// Bring Tidegate's own tables up to date, or back
    #[command(subcommand)]
    Migrate(Migrate),

    /// Manage accounts from the machine itself
    #[command(subcommand)]
    Users(Users),

    /// Collect what the webhook inbox holds, and look after the tables of the older one
    #[command(subcommand)]
    Inbox(Inbox),

    /// Copy all databases into a folder, while the server runs
    #[command(
        long_about = "Copy all databases into a folder, while the server runs: Tidegate's own and those of\n\
            the gateway, each as it is at one moment, with a manifest that holds the SHA-256 of\n\
            every file.\n\n\
            On MySQL and MariaDB their own dump program is run, which must be on the PATH:\n\
            mysqldump, or mariadb-dump.\n\n\
            auth.pepper and auth.jwt_secret are not part of it.",
        after_help = "Examples:\n  tidegate backup\n  tidegate backup --to /srv/backups/before-the-upgrade"
    )]
    Backup(Backup),

    /// Put a backup back, into a place where nothing is
    #[command(
        long_about = "Put a backup back, after its digests were checked: into the data folder, or onto the\n\
            server, that the settings name. Stop every Tidegate there first. Databases that are\n\
            there are replaced only with --force --yes, and kept in replaced-... in the data\n\
            folder.\n\n\
            On MySQL and MariaDB their own client is run, which must be on the PATH: mysql, or\n\
            mariadb. Run `tidegate migrate up` afterwards where the backup is of an older version.",
        after_help = "Examples:\n  tidegate restore ./data/backups/20260301T021300Z\n  \
            tidegate restore /srv/backups/before-the-upgrade --force --yes"
    )]
    Restore(Restore),

    /// Write the files of something new; for developers, in the source folder
    #[command(subcommand)]
    New(New),

    /// Look after the settings
    #[command(subcommand)]
    Config(Config),

    /// Print the OpenAPI document of the API as JSON
    #[command(after_help = "Example:\n  tidegate openapi > openapi.json")]
    Openapi,

    /// Ask a running server whether it is ready; the exit code says
    #[command(after_help = "Examples:\n  \
        tidegate healthcheck\n      the server that the settings describe\n  \
        tidegate healthcheck --address 10.0.0.7:8080\n\n\
        Exit code 0: ready; 1: not ready, or nobody there.")]
    Healthcheck {
        /// IP address and port; otherwise the address or Unix socket of the settings
        #[arg(long, value_name = "IP:PORT")]
        address: Option<SocketAddr>,

        /// That address speaks HTTPS; its certificate is not looked at
        #[arg(long, requires = "address")]
        https: bool,
    },
}

/// `tidegate migrate`
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Migrate {
    /// Apply what is pending: all of it, or the next N
    #[command(after_help = "Examples:\n  tidegate migrate up\n  tidegate migrate up 1")]
    Up {
        /// How many; otherwise all
        #[arg(value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        steps: Option<u32>,
    },

    /// Take back the last migration, the last N, or all after NAME
    #[command(
        after_help = "Examples:\n  tidegate migrate down\n  tidegate migrate down 2\n  \
        tidegate migrate down --to m20260101_000001_accounts\n      that one stays; what came after it goes"
    )]
    Down {
        /// How many; otherwise one
        #[arg(value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "to")]
        steps: Option<u32>,

        /// The migration that is to be the last one applied
        #[arg(long, value_name = "NAME")]
        to: Option<String>,
    },

    /// List the migrations: applied or pending
    Status,

    /// Drop Tidegate's own tables and make them anew: ALL ACCOUNTS ARE LOST
    #[command(after_help = "Outside the development profile it asks for --yes.")]
    Fresh {
        /// Yes, drop them
        #[arg(long)]
        yes: bool,
    },

    /// Write a new migration and register it; for developers, in the source folder
    #[command(after_help = "Example:\n  tidegate migrate generate add_notes\n      \
        writes migrations/src/mYYYYMMDD_HHMMSS_add_notes.rs")]
    Generate {
        /// What it does: lower case letters, digits and _
        name: String,
    },
}

/// `tidegate new`
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum New {
    /// A resource: table, types, routes, tests
    #[command(after_help = "Examples:\n  \
        tidegate new resource books title:string pages:int published_on:date\n  \
        tidegate new resource loans --owned book_id:int due:date note:text?\n  \
        tidegate new resource authors name:string:unique born:date?\n\n\
        Types: string (one line, at most 255 characters), text, int, float, bool, date, datetime.\n\
        `?` after the type: may be null. `:unique`: no two have the same.\n\
        docs/EXTENDING.md explains what is written.")]
    Resource(NewResource),
}

/// The resource to write.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct NewResource {
    /// What several are called: path and table; lower case letters, digits and _
    #[arg(value_name = "NAME")]
    pub plural: String,

    /// Its members, as name:type
    #[arg(value_name = "FIELD:TYPE", required = true)]
    pub fields: Vec<String>,

    /// What one is called, where leaving out the s is not right
    #[arg(long, value_name = "NAME")]
    pub singular: Option<String>,

    /// Every user makes their own, and only they and administrators change them
    #[arg(long)]
    pub owned: bool,
}

/// `tidegate users`
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Users {
    /// Create an account
    #[command(after_help = "Examples:\n  \
        tidegate users create --admin --username ada\n      generates a password and prints it once\n  \
        tidegate users create --username bob --email bob@example.org\n  \
        pass show tidegate/ada | tidegate users create --admin --username ada --password-stdin\n\n\
        A password is never an argument: those are seen by every user of the machine.")]
    Create(CreateUser),
}

/// The account to create.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct CreateUser {
    /// Make it an administrator
    #[arg(long)]
    pub admin: bool,

    /// 3 to 30 characters, no @, not digits only
    #[arg(long, value_name = "NAME")]
    pub username: String,

    /// Address of the person
    #[arg(long, value_name = "ADDRESS")]
    pub email: Option<String>,

    /// Read the password from the first line of standard input; otherwise one is generated
    #[arg(long)]
    pub password_stdin: bool,
}

/// `tidegate config`
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Config {
    /// List every unknown setting and wrong value, with where it came from
    #[command(
        after_help = "Exit code 0: a start would succeed so far; 1: there are mistakes.\n\
        Nothing is written, and no secret is printed."
    )]
    Check,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Cli::try_parse_from(line.split_whitespace()).map(Cli::into_command)
    }

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn commands_are_understood() {
        let generate = Migrate::Generate {
            name: "add_notes".into(),
        };
        for (line, command) in [
            ("tidegate", Command::Serve),
            ("tidegate serve", Command::Serve),
            (
                "tidegate migrate up",
                Command::Migrate(Migrate::Up { steps: None }),
            ),
            (
                "tidegate migrate up 2",
                Command::Migrate(Migrate::Up { steps: Some(2) }),
            ),
            (
                "tidegate migrate down",
                Command::Migrate(Migrate::Down {
                    steps: None,
                    to: None,
                }),
            ),
            (
                "tidegate migrate down --to m1",
                Command::Migrate(Migrate::Down {
                    steps: None,
                    to: Some("m1".into()),
                }),
            ),
            (
                "tidegate migrate fresh --yes",
                Command::Migrate(Migrate::Fresh { yes: true }),
            ),
            (
                "tidegate migrate generate add_notes",
                Command::Migrate(generate),
            ),
            ("tidegate config check", Command::Config(Config::Check)),
            (
                "tidegate healthcheck",
                Command::Healthcheck {
                    address: None,
                    https: false,
                },
            ),
        ] {
            assert_eq!(parse(line).unwrap(), command, "{line}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            "tidegate migrate up 0",
            "tidegate migrate down 1 --to m1",
            "tidegate users create",
            "tidegate users create --username ada --password secret",
            "tidegate healthcheck --address here",
            "tidegate fly",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
