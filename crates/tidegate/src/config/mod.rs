//! The settings of the program.
//!
//! `config/default.toml` is both the documentation of every setting and, compiled
//! in, the lowest layer. The modules here put the other layers on top, take the
//! settings out one by one while keeping every mistake, and know which values and
//! combinations refuse to start. This file holds the result.

mod database_tls;
mod development;
#[cfg(test)]
mod docs;
mod functions;
mod layers;
mod parse;
mod reader;
mod rules;
#[cfg(test)]
mod tests;
mod variables;

use std::{
    collections::BTreeMap, net::SocketAddr, num::NonZeroU32, path::PathBuf, str::FromStr,
    time::Duration,
};

use ipnet::IpNet;
pub use tidegate_domain::secret::Secret;
use tidegate_persistence::gateway::routines::statements::NamedStatement;

pub(crate) use self::parse::log_filter;
pub use self::{
    layers::Sources,
    reader::{ConfigError, ConfigErrors},
};

use self::{reader::Reader, rules::Missing};
use crate::jobs::Schedules;

/// Fewest bytes of a secret that production accepts.
const SECRET_BYTES: usize = 32;

/// All settings, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Which set of rules applies.
    pub profile: Profile,
    /// Folder of the embedded databases and of generated secrets.
    pub data_dir: PathBuf,
    /// Folder whose files are served where no route is.
    pub static_dir: Option<PathBuf>,
    /// The listener and what it accepts.
    pub server: ServerSettings,
    /// The database and its connections.
    pub database: DatabaseSettings,
    /// The administrator of the first start.
    pub admin: AdminSettings,
    /// Tokens, passwords and sessions.
    pub auth: AuthSettings,
    /// How many requests a client may send.
    pub limits: LimitSettings,
    /// Pages of other origins.
    pub cors: CorsSettings,
    /// What is asked of requests.
    pub http: HttpSettings,
    /// The row interface.
    pub rest: RestSettings,
    /// The catalogue of databases.
    pub catalogue: CatalogueSettings,
    /// The webhook inbox.
    pub inbox: InboxSettings,
    /// What is done by itself.
    pub jobs: JobSettings,
    /// The audit trail.
    pub audit: AuditSettings,
    /// The backups that are made by themselves.
    pub backup: BackupSettings,
    /// The documentation pages.
    pub docs: DocsSettings,
    /// What is logged, and how.
    pub log: LogSettings,
    /// Where the metrics are.
    pub metrics: MetricsSettings,
    /// Where traces go.
    pub traces: TraceSettings,
}

/// For whom the program runs: a developer's machine, or others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Starts without being told anything; makes what is missing.
    Development,
    /// Secrets and database are given, and weak ones refuse to start.
    Production,
}

impl Profile {
    /// The name in `TIDEGATE_PROFILE` and of the profile's file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
        }
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse::choice(
            text,
            &[
                ("development", Self::Development),
                ("production", Self::Production),
            ],
        )
    }
}

/// The listener and what it accepts.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerSettings {
    /// Where to listen; port 0 takes a free one; `None`: on the Unix socket alone.
    pub address: Option<SocketAddr>,
    /// The Unix socket to listen on as well.
    pub unix_socket: Option<PathBuf>,
    /// Permissions of that socket.
    pub unix_socket_mode: u32,
    /// Certificate and key; `None`: plain HTTP.
    pub tls: Option<TlsSettings>,
    /// Connections that wait to be accepted.
    pub backlog: u32,
    /// Most connections open at a time.
    pub max_connections: usize,
    /// Time without a request after which a connection is closed.
    pub keep_alive: Duration,
    /// Threads that serve requests; `None`: one for each processor.
    pub workers: Option<usize>,
    /// Base of links, without a slash at the end; `None`: from the request.
    pub public_url: Option<String>,
    /// Proxies whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Largest body of a request.
    pub max_body_bytes: usize,
    /// Largest streamed CSV import.
    pub max_import_bytes: u64,
    /// Longest path with query.
    pub max_url_bytes: usize,
    /// Time within which the head of a request must have arrived.
    pub request_header_timeout: Duration,
    /// Time that the next piece of a body may take to arrive.
    pub body_idle_timeout: Duration,
    /// Time for which it goes on answering after it was told to stop.
    pub drain: Duration,
    /// Time that requests under way are given at the end.
    pub shutdown_timeout: Duration,
}

/// The server's side of TLS.
#[derive(Debug, Clone, PartialEq)]
pub struct TlsSettings {
    /// File with the certificate and those between it and its authority.
    pub certificate: PathBuf,
    /// File with the key.
    pub key: PathBuf,
    /// Passphrase of an encrypted key.
    pub key_passphrase: Option<Secret>,
    /// Where plain HTTP is sent to HTTPS.
    pub redirect_address: Option<SocketAddr>,
}

/// Where Tidegate keeps its data.
#[derive(Debug, Clone, PartialEq)]
pub enum DatabaseTarget {
    /// SQLite files below `data_dir`.
    Embedded,
    /// The URL of a MySQL or MariaDB server, with the name of a database. It says how TLS is
    /// used, whichever setting that came from.
    Server(Secret),
}

/// The database and its connections.
#[derive(Debug, Clone, PartialEq)]
pub struct DatabaseSettings {
    /// Which database; the setting `url`.
    pub target: DatabaseTarget,
    /// Most connections open at a time.
    pub max_connections: u32,
    /// How long a request waits for a connection.
    pub acquire_timeout: Duration,
    /// How long an unused connection stays open.
    pub idle_timeout: Duration,
    /// How long any connection stays open.
    pub max_lifetime: Duration,
}

/// The administrator that is created when there are no users yet.
#[derive(Debug, Clone, PartialEq)]
pub struct AdminSettings {
    /// Name.
    pub username: String,
    /// Password; `None`: generated in development, no administrator in production.
    pub password: Option<Secret>,
}

/// Tokens, passwords and sessions.
#[derive(Debug, Clone, PartialEq)]
pub struct AuthSettings {
    /// Key that signs access tokens.
    pub jwt_secret: Secret,
    /// Its name in the tokens.
    pub jwt_key_id: String,
    /// Keys that are still accepted, by name.
    pub previous_jwt_secrets: BTreeMap<String, Secret>,
    /// Key of the digest that is hashed in place of the password.
    pub pepper: Secret,
    /// `iss` of the tokens.
    pub issuer: String,
    /// `aud` of the tokens.
    pub audience: String,
    /// Life of an access token.
    pub access_token_lifetime: Duration,
    /// Life of a refresh token.
    pub refresh_token_lifetime: Duration,
    /// Live sessions a user may have.
    pub max_sessions: u32,
    /// Whether people may register themselves.
    pub registration: bool,
    /// Cost of password hashing.
    pub bcrypt_cost: u32,
    /// Passwords hashed at a time; `None`: one for each processor.
    pub hashing_threads: Option<usize>,
}

/// How many requests a client may send.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitSettings {
    /// Whether anything is counted.
    pub enabled: bool,
    /// A minute and address, on ordinary routes.
    pub general_per_minute: NonZeroU32,
    /// A minute and address, on routes that take credentials and the short gateway routes.
    pub credentials_per_minute: NonZeroU32,
    /// Messages a minute and sender.
    pub inbox_source_per_minute: NonZeroU32,
    /// Messages a minute to all webhooks of a user.
    pub inbox_owner_per_minute: NonZeroU32,
}

/// Pages of other origins.
#[derive(Debug, Clone, PartialEq)]
pub struct CorsSettings {
    /// Whose pages may call.
    pub origins: Origins,
}

/// Whose pages may call the API.
#[derive(Debug, Clone, PartialEq)]
pub enum Origins {
    /// All, without credentials.
    Any,
    /// These, with credentials.
    Listed(Vec<String>),
}

/// What is asked of requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// Whether changes of records need `If-Match`.
    pub require_if_match: bool,
    /// Whether answers are compressed for clients that ask for it.
    pub compression: bool,
}

/// The row interface.
#[derive(Debug, Clone, PartialEq)]
pub struct RestSettings {
    /// Most rows of one answer.
    pub max_rows: Option<u64>,
    /// Writes without a filter.
    pub full_table_writes: FullTableWrites,
    /// Whether a client may choose the end of its transaction.
    pub tx_override: bool,
    /// How long a statement may take.
    pub statement_timeout: Option<Duration>,
    /// Statements that clients may call.
    pub functions: Vec<NamedStatement>,
    /// How deep embeds may stand in each other.
    pub embed_depth: usize,
    /// Whether aggregates are there.
    pub aggregates: bool,
    /// What an error tells.
    pub error_verbosity: ErrorVerbosity,
    /// Whether answers tell what took how long.
    pub server_timing: bool,
    /// Whether databases are described.
    pub openapi: bool,
}

/// What an error below `/rest` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorVerbosity {
    /// All there is to say.
    Verbose,
    /// Its code and message.
    Minimal,
}

/// The catalogue of databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatalogueSettings {
    /// How often it is read anew.
    pub reload: Option<Duration>,
}

/// What becomes of a change or deletion without a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FullTableWrites {
    /// It is refused.
    Refuse,
    /// It is done.
    Allow,
}

/// The webhook inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxSettings {
    /// Largest message.
    pub max_body_bytes: u64,
    /// Time within which the body of a message must have arrived.
    pub body_timeout: Duration,
    /// For how long content of people's own is kept.
    pub own_content: Duration,
}

/// What is done by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct JobSettings {
    /// When.
    pub schedules: Schedules,
    /// How long a node that says nothing is believed to do its job.
    pub lease: Duration,
}

/// The audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSettings {
    /// For how long entries are kept.
    pub retention: Duration,
}

/// The backups that are made by themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupSettings {
    /// How many are kept.
    pub keep: usize,
}

/// The documentation pages.
#[derive(Debug, Clone, PartialEq)]
pub struct DocsSettings {
    /// Whether they ask for no password.
    pub public: bool,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct LogSettings {
    /// Filter directives, such as `info,tidegate_http=debug`.
    pub level: String,
    /// The form of a line.
    pub format: LogFormat,
    /// From which time on a statement is logged as slow.
    pub slow_statement: Option<Duration>,
}

/// Where the metrics are.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricsSettings {
    /// Where to listen; `None`: nowhere.
    pub address: Option<SocketAddr>,
    /// Whether somebody said so. Otherwise a port that is taken is no reason not to start.
    pub given: bool,
}

/// Where traces go.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TraceSettings {
    /// Base of the collector's address, without a slash at the end; `None`: no traces.
    pub endpoint: Option<String>,
    /// Which part of them is kept, 0 to 1.
    pub sample_ratio: f64,
    /// The name of the service.
    pub service_name: String,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

impl Settings {
    /// Reads and checks the settings. In the development profile, secrets that
    /// are not given are taken from the data folder, and made there when new.
    ///
    /// # Errors
    /// Every mistake there is, each with where it came from.
    pub fn load(sources: &Sources) -> Result<Self, ConfigErrors> {
        let (mut settings, missing) = read(sources)?;
        if missing.jwt_secret || missing.pepper {
            let made = development::secrets(&settings.data_dir)?;
            if missing.jwt_secret {
                settings.auth.jwt_secret = made.jwt_secret;
            }
            if missing.pepper {
                settings.auth.pepper = made.pepper;
            }
        }
        Ok(settings)
    }

    /// Finds the mistakes that [`Settings::load`] would, and writes nothing.
    ///
    /// # Errors
    /// Every mistake there is, each with where it came from.
    pub fn check(sources: &Sources) -> Result<(), ConfigErrors> {
        read(sources).map(drop)
    }
}

fn read(sources: &Sources) -> Result<(Settings, Missing), ConfigErrors> {
    let layers = layers::merge(sources);
    let mut r = Reader::new(layers.entries, layers.errors);
    let read = rules::assemble(&mut r, layers.profile);
    r.finish()?;
    Ok(read)
}
