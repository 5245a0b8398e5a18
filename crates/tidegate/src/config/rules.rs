//! Which values a setting may have, and which combinations refuse to start.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    path::PathBuf,
    time::Duration,
};

use tidegate_domain::account::{NewPassword, Username};

use super::functions::functions;
use super::{
    AdminSettings, AuditSettings, AuthSettings, BackupSettings, CatalogueSettings, CorsSettings,
    DatabaseSettings, DatabaseTarget, DocsSettings, ErrorVerbosity, FullTableWrites, HttpSettings,
    InboxSettings, JobSettings, LimitSettings, LogFormat, LogSettings, MetricsSettings, Origins,
    Profile, RestSettings, SECRET_BYTES, Secret, ServerSettings, Settings, TlsSettings,
    TraceSettings,
    database_tls::{DatabaseTls, Fault, Mode},
    layers::is_default,
    parse::{
        choice, count, database_target, endpoint, filled, log_level, network, origin, path,
        permissions, public_url, ratio, socket_address, whole,
    },
    reader::Reader,
};
use crate::jobs::{CronSchedule, Schedules};

/// Secrets that nobody gave, where that is allowed.
pub(super) struct Missing {
    pub(super) jwt_secret: bool,
    pub(super) pepper: bool,
}

/// Takes every setting out of the reader, which keeps the mistakes; with any
/// mistake, the result is worth nothing.
pub(super) fn assemble(r: &mut Reader, profile: Profile) -> (Settings, Missing) {
    let server = server(r);
    let database = database(r, profile);
    let admin = admin(r, profile);
    let (auth, missing) = auth(r, profile);
    let settings = Settings {
        profile,
        data_dir: r.value("data_dir", PathBuf::new(), path),
        static_dir: r.value("static_dir", None, |t| switched_off(t, path)),
        server,
        database,
        admin,
        auth,
        limits: LimitSettings {
            enabled: r.flag("limits.enabled"),
            general_per_minute: r.value("limits.general_per_minute", NonZeroU32::MIN, count),
            credentials_per_minute: r.value(
                "limits.credentials_per_minute",
                NonZeroU32::MIN,
                count,
            ),
            inbox_source_per_minute: r.value(
                "limits.inbox_source_per_minute",
                NonZeroU32::MIN,
                count,
            ),
            inbox_owner_per_minute: r.value(
                "limits.inbox_owner_per_minute",
                NonZeroU32::MIN,
                count,
            ),
        },
        cors: CorsSettings {
            origins: origins(r),
        },
        http: HttpSettings {
            require_if_match: r.flag("http.require_if_match"),
            compression: r.flag("http.compression"),
        },
        rest: RestSettings {
            max_rows: r.optional("rest.max_rows", |t| whole(t, 1, u64::MAX)),
            full_table_writes: r.value("rest.full_table_writes", FullTableWrites::Refuse, |t| {
                choice(
                    t,
                    &[
                        ("refuse", FullTableWrites::Refuse),
                        ("allow", FullTableWrites::Allow),
                    ],
                )
            }),
            tx_override: r.flag("rest.tx_override"),
            statement_timeout: some(r.seconds("rest.statement_timeout_seconds", 0, 86_400)),
            functions: r.optional("rest.functions", functions).unwrap_or_default(),
            embed_depth: r.whole("rest.embed_depth", 0, 32),
            aggregates: r.flag("rest.aggregates"),
            error_verbosity: r.value("rest.error_verbosity", ErrorVerbosity::Verbose, |t| {
                choice(
                    t,
                    &[
                        ("verbose", ErrorVerbosity::Verbose),
                        ("minimal", ErrorVerbosity::Minimal),
                    ],
                )
            }),
            server_timing: r.flag("rest.server_timing"),
            openapi: r.value("rest.openapi", true, |t| {
                choice(t, &[("on", true), ("off", false)])
            }),
        },
        catalogue: CatalogueSettings {
            reload: some(r.seconds("catalogue.reload_seconds", 0, 86_400)),
        },
        inbox: InboxSettings {
            // A message is one statement, and servers have a limit for those.
            max_body_bytes: r.whole("inbox.max_body_bytes", 1, 1 << 30),
            body_timeout: r.seconds("inbox.body_timeout_seconds", 1, 3600),
            own_content: Duration::from_secs(
                86_400 * r.whole("inbox.own_content_days", 1_u64, 36_500),
            ),
        },
        jobs: JobSettings {
            schedules: Schedules {
                sessions: r.optional("jobs.sessions", schedule).flatten(),
                idempotency_keys: r.optional("jobs.idempotency_keys", schedule).flatten(),
                inbox: r.optional("jobs.inbox", schedule).flatten(),
                audit: r.optional("jobs.audit", schedule).flatten(),
                backup: r.optional("jobs.backup", schedule).flatten(),
                optimize: r.optional("jobs.optimize", schedule).flatten(),
            },
            lease: r.seconds("jobs.lease_seconds", 3, 3600),
        },
        audit: AuditSettings {
            // A day is what the database itself insists on.
            retention: Duration::from_secs(86_400 * r.whole("audit.retention_days", 2_u64, 36_500)),
        },
        backup: BackupSettings {
            keep: r.whole("backup.keep", 1, 10_000),
        },
        docs: DocsSettings {
            public: r.flag("docs.public"),
        },
        log: LogSettings {
            level: r.value("log.level", String::new(), log_level),
            format: r.value("log.format", LogFormat::Pretty, |t| {
                choice(
                    t,
                    &[("pretty", LogFormat::Pretty), ("json", LogFormat::Json)],
                )
            }),
            slow_statement: match r.whole("log.slow_statement_ms", 0, 3_600_000) {
                0 => None,
                milliseconds => Some(Duration::from_millis(milliseconds)),
            },
        },
        metrics: MetricsSettings {
            address: r.value("metrics.address", None, |t| switched_off(t, socket_address)),
            given: r
                .origin("metrics.address")
                .is_some_and(|origin| !is_default(&origin)),
        },
        traces: TraceSettings {
            endpoint: r.optional("traces.endpoint", endpoint),
            sample_ratio: r.value("traces.sample_ratio", 1.0, ratio),
            service_name: r.value("traces.service_name", String::new(), filled),
        },
    };
    (settings, missing)
}

/// When a job is due; `never`: only when it is asked for.
fn schedule(text: &str) -> Result<Option<CronSchedule>, String> {
    match text {
        "never" => Ok(None),
        text => CronSchedule::parse(text).map(Some),
    }
}

/// A time of 0 is none.
fn some(time: Duration) -> Option<Duration> {
    (!time.is_zero()).then_some(time)
}

/// `off`, or a value.
fn switched_off<T>(
    text: &str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    match text {
        "off" => Ok(None),
        text => parse(text).map(Some),
    }
}

fn server(r: &mut Reader) -> ServerSettings {
    let unix_socket = r.optional("server.unix_socket", path);
    let address = r.value("server.address", None, |t| switched_off(t, socket_address));
    if address.is_none() && unix_socket.is_none() && !r.failed("server.address") {
        r.missing(
            "server.unix_socket",
            "with server.address off it is the only place to listen",
        );
    }
    ServerSettings {
        address,
        unix_socket,
        unix_socket_mode: r.value("server.unix_socket_mode", 0, permissions),
        tls: tls(r, address.is_some()),
        backlog: r.whole("server.backlog", 1, 65_535),
        max_connections: r.whole("server.max_connections", 1, 1_000_000),
        keep_alive: r.seconds("server.keep_alive_seconds", 1, 86_400),
        body_idle_timeout: r.seconds("server.body_idle_timeout_seconds", 1, 86_400),
        workers: r.optional("server.workers", |t| whole(t, 1, 1024)),
        public_url: r.optional("server.public_url", public_url),
        trusted_proxies: r.list("server.trusted_proxies", network),
        max_body_bytes: r.whole("server.max_body_bytes", 1, 1 << 40),
        max_import_bytes: r.whole("server.max_import_bytes", 1, 1 << 50),
        max_url_bytes: r.whole("server.max_url_bytes", 256, 1 << 20),
        request_header_timeout: r.seconds("server.request_header_timeout_seconds", 1, 3600),
        drain: r.seconds("server.drain_seconds", 0, 3600),
        shutdown_timeout: r.seconds("server.shutdown_timeout_seconds", 0, 86_400),
    }
}

fn tls(r: &mut Reader, listens: bool) -> Option<TlsSettings> {
    const CERTIFICATE: &str = "server.tls.certificate";
    let certificate = r.optional(CERTIFICATE, path);
    let key = r.optional("server.tls.key", path);
    let passphrase = r.secret("server.tls.key_passphrase");
    let redirect_address = r.optional("server.tls.redirect_address", socket_address);
    match (certificate, key) {
        (Some(certificate), Some(key)) => {
            if !listens {
                let origin = r.origin(CERTIFICATE);
                r.wrong(
                    CERTIFICATE,
                    origin,
                    "there is no TLS on a Unix socket: give server.address, or take it back".into(),
                );
            }
            return Some(TlsSettings {
                certificate,
                key,
                key_passphrase: passphrase.map(|given| given.secret),
                redirect_address,
            });
        }
        (Some(_), None) if !r.failed("server.tls.key") => {
            r.missing("server.tls.key", "a certificate needs its key");
        }
        (None, Some(_)) if !r.failed(CERTIFICATE) => {
            r.missing(CERTIFICATE, "a key needs its certificate");
        }
        (None, None) if redirect_address.is_some() || passphrase.is_some() => {
            r.missing(
                CERTIFICATE,
                "the other settings of server.tls mean nothing without it",
            );
        }
        _ => {}
    }
    None
}

fn database(r: &mut Reader, profile: Profile) -> DatabaseSettings {
    let tls = DatabaseTls {
        mode: r.value("database.tls", Mode::Auto, |t| choice(t, &Mode::NAMES)),
        ca: r.optional("database.tls_ca", path),
    };
    let target = match r.secret("database.url") {
        Some(given) => match database_target(given.secret) {
            Ok(DatabaseTarget::Server(url)) => match tls.complete(url.reveal()) {
                Ok(complete) => DatabaseTarget::Server(complete),
                Err(Fault { setting, message }) => {
                    let origin = r.origin(setting);
                    r.wrong(setting, origin, message);
                    DatabaseTarget::Embedded
                }
            },
            Ok(target) => target,
            Err(message) => {
                r.wrong("database.url", given.origin, message);
                DatabaseTarget::Embedded
            }
        },
        None => {
            if profile == Profile::Production && !r.failed("database.url") {
                r.missing(
                    "database.url",
                    "production asks for it: a mysql:// URL, or `sqlite:` for the embedded database in data_dir",
                );
            }
            DatabaseTarget::Embedded
        }
    };
    DatabaseSettings {
        target,
        max_connections: r.whole("database.max_connections", 1, 10_000),
        acquire_timeout: r.seconds("database.acquire_timeout_seconds", 1, 3600),
        idle_timeout: r.seconds("database.idle_timeout_seconds", 1, 604_800),
        max_lifetime: r.seconds("database.max_lifetime_seconds", 1, 604_800),
    }
}

fn admin(r: &mut Reader, profile: Profile) -> AdminSettings {
    let username = r.value("admin.username", String::new(), |t| {
        match Username::parse(t) {
            Ok(_) => Ok(t.to_owned()),
            Err(fault) => Err(format!("\"{t}\" is no user name: {fault}")),
        }
    });
    let password = r.secret("admin.password").map(|given| {
        let text = given.secret.reveal();
        let message = match NewPassword::parse(text, &username) {
            Err(fault) => Some(fault.to_string()),
            Ok(_) if profile == Profile::Production && weak_password(text) => {
                Some("too easily guessed for production".to_owned())
            }
            Ok(_) => None,
        };
        if let Some(message) = message {
            r.wrong("admin.password", given.origin, message);
        }
        given.secret
    });
    AdminSettings { username, password }
}

fn auth(r: &mut Reader, profile: Profile) -> (AuthSettings, Missing) {
    let jwt_secret = key(r, profile, "auth.jwt_secret");
    let pepper = key(r, profile, "auth.pepper");
    let jwt_key_id = r.value("auth.jwt_key_id", String::new(), filled);
    let mut previous_jwt_secrets = BTreeMap::new();
    for (name, given) in r.secrets_below("auth.previous_jwt_secrets") {
        let setting = format!("auth.previous_jwt_secrets.{name}");
        if name == jwt_key_id {
            r.wrong(
                &setting,
                given.origin,
                "has the name of the present key, auth.jwt_key_id".into(),
            );
        } else if let Some(message) = weak_key(profile, &given.secret) {
            r.wrong(&setting, given.origin, message);
        } else {
            previous_jwt_secrets.insert(name, given.secret);
        }
    }
    let lowest_cost = match profile {
        Profile::Development => 4,
        Profile::Production => 10,
    };
    let missing = Missing {
        jwt_secret: jwt_secret.is_none(),
        pepper: pepper.is_none(),
    };
    let settings = AuthSettings {
        jwt_secret: jwt_secret.unwrap_or_default(),
        jwt_key_id,
        previous_jwt_secrets,
        pepper: pepper.unwrap_or_default(),
        issuer: r.value("auth.issuer", String::new(), filled),
        audience: r.value("auth.audience", String::new(), filled),
        access_token_lifetime: Duration::from_secs(
            60 * r.whole("auth.access_token_minutes", 1_u64, 1440),
        ),
        refresh_token_lifetime: Duration::from_secs(
            86_400 * r.whole("auth.refresh_token_days", 1_u64, 3650),
        ),
        max_sessions: r.whole("auth.max_sessions", 1, 10_000),
        registration: r.flag("auth.registration"),
        bcrypt_cost: r.whole("auth.bcrypt_cost", lowest_cost, 31),
        hashing_threads: r.optional("auth.hashing_threads", |t| whole(t, 1, 1024)),
    };
    (settings, missing)
}

/// A key that development makes by itself and production has to be given.
fn key(r: &mut Reader, profile: Profile, name: &str) -> Option<Secret> {
    match r.secret(name) {
        Some(given) => {
            if let Some(message) = weak_key(profile, &given.secret) {
                r.wrong(name, given.origin, message);
            }
            Some(given.secret)
        }
        None => {
            if profile == Profile::Production && !r.failed(name) {
                r.missing(
                    name,
                    "production asks for it; `openssl rand -hex 32` makes one",
                );
            }
            None
        }
    }
}

fn weak_key(profile: Profile, secret: &Secret) -> Option<String> {
    if profile == Profile::Development {
        return None;
    }
    let bytes = secret.reveal().as_bytes();
    let distinct = bytes.iter().collect::<BTreeSet<_>>().len();
    if bytes.len() < SECRET_BYTES {
        Some(format!(
            "has {} bytes and needs {SECRET_BYTES}; `openssl rand -hex 32` makes one",
            bytes.len()
        ))
    } else if distinct < 8 {
        Some("repeats itself; `openssl rand -hex 32` makes one".into())
    } else {
        None
    }
}

/// The first things anybody would try.
fn weak_password(text: &str) -> bool {
    let lower = text.to_lowercase();
    let letters: String = lower.chars().filter(|c| c.is_alphabetic()).collect();
    let distinct = lower.chars().collect::<BTreeSet<_>>().len();
    distinct < 5
        || ["12345678", "123456789", "1234567890"].contains(&lower.as_str())
        || [
            "admin",
            "administrator",
            "password",
            "passwort",
            "changeme",
            "secret",
            "tidegate",
            "qwerty",
            "letmein",
            "default",
        ]
        .contains(&letters.as_str())
}

fn origins(r: &mut Reader) -> Origins {
    let listed = r.list("cors.origins", origin);
    if !listed.iter().any(|o| o == "*") {
        return Origins::Listed(listed);
    }
    if listed.len() > 1 {
        let origin = r.origin("cors.origins");
        r.wrong(
            "cors.origins",
            origin,
            "\"*\" stands alone: it means everybody".into(),
        );
    }
    Origins::Any
}
