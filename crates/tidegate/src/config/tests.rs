//! What the settings promise: which layer wins, that every mistake is told, and
//! that no secret is.

use std::{collections::BTreeSet, fs, path::Path};

use tempfile::TempDir;

use super::{reader::Reader, rules::assemble, *};

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// A folder with files, and sources that read them.
fn files(files: &[(&str, &str)]) -> (TempDir, Sources) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let sources = Sources::none()
        .with_config_dir(folder.path())
        .with_dotenv(folder.path().join(".env"))
        .with("TIDEGATE__DATA_DIR", folder.path().join("data"));
    (folder, sources)
}

fn production() -> Sources {
    Sources::none()
        .with("TIDEGATE_PROFILE", "production")
        .with("TIDEGATE__AUTH__JWT_SECRET", KEY)
        .with("TIDEGATE__AUTH__PEPPER", format!("p{KEY}"))
        .with("TIDEGATE__DATABASE__URL", "mysql://u:p@db:3306/tidegate")
}

fn mistakes(sources: &Sources) -> Vec<String> {
    match Settings::check(sources) {
        Ok(()) => Vec::new(),
        Err(errors) => errors.list().iter().map(ToString::to_string).collect(),
    }
}

fn one_mistake(sources: &Sources) -> String {
    let list = mistakes(sources);
    assert_eq!(list.len(), 1, "{list:#?}");
    list.into_iter().next().unwrap()
}

#[test]
fn the_default_file_documents_exactly_the_settings_there_are() {
    let layers = layers::merge(&Sources::none());
    assert!(layers.errors.is_empty());
    let mut reader = Reader::new(layers.entries, layers.errors);
    assemble(&mut reader, Profile::Development);
    let documented: BTreeSet<String> = docs::documented().into_iter().map(|d| d.key).collect();
    assert_eq!(&documented, reader.known());
    reader.finish().unwrap();
}

#[test]
fn the_files_of_the_project_are_what_is_compiled_in() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
    let data = tempfile::tempdir().unwrap();
    let bare = Sources::none().with("TIDEGATE__DATA_DIR", data.path());
    let built_in = Settings::load(&bare).unwrap();
    assert_eq!(
        built_in,
        Settings::load(&bare.with_config_dir(&shipped)).unwrap()
    );
    let production = Settings::load(&production().with_config_dir(shipped)).unwrap();
    assert_eq!(production.log.format, LogFormat::Json);
}

#[test]
fn the_contract_names_these_defaults() {
    let (_folder, sources) = files(&[]);
    let s = Settings::load(&sources).unwrap();
    assert_eq!(s.profile, Profile::Development);
    assert_eq!(s.server.address.unwrap().to_string(), "127.0.0.1:8080");
    assert_eq!(s.database.target, DatabaseTarget::Embedded);
    assert_eq!(
        s.admin,
        AdminSettings {
            username: "admin".into(),
            password: None
        }
    );
    assert_eq!(s.auth.access_token_lifetime.as_secs(), 30 * 60);
    assert_eq!(s.auth.refresh_token_lifetime.as_secs(), 90 * 86_400);
    assert_eq!((s.auth.max_sessions, s.auth.registration), (20, true));
    assert_eq!(
        (s.limits.enabled, s.limits.credentials_per_minute.get()),
        (true, 30)
    );
    assert_eq!(s.cors.origins, Origins::Any);
    assert_eq!(
        s.rest,
        RestSettings {
            max_rows: None,
            full_table_writes: FullTableWrites::Refuse,
            tx_override: true,
            statement_timeout: Some(Duration::from_secs(30)),
            embed_depth: 8,
            aggregates: true,
            error_verbosity: ErrorVerbosity::Verbose,
            server_timing: false,
            openapi: true,
            functions: Vec::new(),
        }
    );
    assert_eq!(s.catalogue.reload, Some(Duration::from_secs(300)));
    assert!(!s.docs.public);
    let metrics = s.metrics.address.unwrap().to_string();
    assert_eq!(
        (metrics.as_str(), s.metrics.given),
        ("127.0.0.1:8000", false)
    );
    assert_eq!(s.traces.endpoint, None);
    let bare = Settings::read_bare();
    assert_eq!(bare.data_dir, Path::new("./data"));
}

impl Settings {
    fn read_bare() -> Self {
        read(&Sources::none()).unwrap().0
    }
}

#[test]
fn later_layers_win() {
    let name = |sources: &Sources| Settings::load(sources).unwrap().admin.username;
    let default = (
        "default.toml",
        "[admin]\nusername = \"from-default\"\n[auth]\nissuer = \"kept\"",
    );
    let profile = ("development.toml", "[admin]\nusername = \"from-profile\"");
    let dotenv = (
        ".env",
        "TIDEGATE__ADMIN__USERNAME=from-dotenv\nOTHER=ignored",
    );
    assert_eq!(name(&files(&[default]).1), "from-default");
    assert_eq!(name(&files(&[default, profile]).1), "from-profile");
    let (_folder, sources) = files(&[default, profile, dotenv]);
    assert_eq!(name(&sources), "from-dotenv");
    let sources = sources.with("TIDEGATE__ADMIN__USERNAME", "from-environment");
    assert_eq!(name(&sources), "from-environment");
    assert_eq!(
        name(&sources.clone().with("TIDEGATE__ADMIN__USERNAME", "")),
        "from-environment"
    );
    assert_eq!(Settings::load(&sources).unwrap().auth.issuer, "kept");
}

#[test]
fn the_profile_and_the_folder_can_come_from_dotenv() {
    let other = tempfile::tempdir().unwrap();
    fs::write(
        other.path().join("production.toml"),
        "[auth]\nissuer = \"elsewhere\"",
    )
    .unwrap();
    let dotenv = format!(
        "TIDEGATE_PROFILE=production\nTIDEGATE_CONFIG_DIR='{}'",
        other.path().display()
    );
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".env"), dotenv).unwrap();
    let sources = Sources::none()
        .with_dotenv(folder.path().join(".env"))
        .with("TIDEGATE__AUTH__JWT_SECRET", KEY)
        .with("TIDEGATE__AUTH__PEPPER", KEY)
        .with("TIDEGATE__DATABASE__URL", "sqlite:");
    let s = Settings::load(&sources).unwrap();
    assert_eq!(
        (s.profile, s.auth.issuer.as_str()),
        (Profile::Production, "elsewhere")
    );
    let missing = one_mistake(&Sources::none().with("TIDEGATE_CONFIG_DIR", "/nowhere"));
    assert!(missing.contains("TIDEGATE_CONFIG_DIR"), "{missing}");
}

#[test]
fn lists_come_from_arrays_and_from_commas() {
    let (_folder, sources) = files(&[(
        "default.toml",
        "[cors]\norigins = [\"https://a.example\"]\n[server]\ntrusted_proxies = [\"10.0.0.0/8\"]",
    )]);
    let s = Settings::load(&sources).unwrap();
    assert_eq!(
        s.cors.origins,
        Origins::Listed(vec!["https://a.example".into()])
    );
    let s = Settings::load(
        &sources
            .with(
                "TIDEGATE__CORS__ORIGINS",
                "https://b.example, http://localhost:3000",
            )
            .with("TIDEGATE__SERVER__TRUSTED_PROXIES", "127.0.0.1,fd00::/8"),
    )
    .unwrap();
    assert_eq!(
        s.cors.origins,
        Origins::Listed(vec![
            "https://b.example".into(),
            "http://localhost:3000".into()
        ])
    );
    let proxies: Vec<_> = s
        .server
        .trusted_proxies
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(proxies, ["127.0.0.1/32", "fd00::/8"]);
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let (folder, sources) = files(&[
        (
            "default.toml",
            "port = 80\n[server]\nadress = \"x\"\nworkers = 0\n[rest]\nfull_table_writes = \"maybe\"",
        ),
        (
            "development.toml",
            "profile = \"production\"\nserver.max_url_bytes = \"much\"",
        ),
        (
            ".env",
            "TIDEGATE__AUTH__BCRYPT_COST=99\nTIDEGATE__LIMITS__ENABLED=perhaps",
        ),
    ]);
    let sources = sources
        .with("TIDEGATE__SERVER__ADDRESS", "localhost:80")
        .with("TIDEGATE__LIMITS", "5")
        .with("TIDEGATE__CORS__ORIGINS", "*,https://a.example/path")
        .with("TIDEGATE_SERVER__WORKERS", "3")
        .with("TIDEGATE__LOG__LEVEL", "loud")
        .with("TIDEGATE__METRICS__ADDRESS", "8000")
        .with("TIDEGATE__AUDIT__RETENTION_DAYS", "1")
        .with("TIDEGATE__BACKUP__KEEP", "0")
        .with("TIDEGATE__JOBS__BACKUP", "nightly")
        .with("TIDEGATE__TRACES__ENDPOINT", "collector:4317")
        .with("TIDEGATE__TRACES__SAMPLE_RATIO", "1.5")
        .with("TIDEGATE_TEST_ENGINES", "sqlite");
    let list = mistakes(&sources);
    let at = |name: &str| folder.path().join(name).display().to_string();
    for (start, origin) in [
        (
            "audit.retention_days: \"1\" is not a whole number from 2",
            "TIDEGATE__AUDIT__RETENTION_DAYS".into(),
        ),
        ("backup.keep: \"0\"", "TIDEGATE__BACKUP__KEEP".into()),
        (
            "jobs.backup: \"nightly\" is no cron expression",
            "TIDEGATE__JOBS__BACKUP".into(),
        ),
        (
            "auth.bcrypt_cost: \"99\" is not a whole number from 4 to 31",
            format!("{}, TIDEGATE__AUTH__BCRYPT_COST", at(".env")),
        ),
        (
            "configuration: unknown variable",
            "TIDEGATE_SERVER__WORKERS".into(),
        ),
        (
            "cors.origins: \"https://a.example/path\"",
            "TIDEGATE__CORS__ORIGINS".into(),
        ),
        ("limits: is a section", "TIDEGATE__LIMITS".into()),
        ("log.level: \"loud\"", "TIDEGATE__LOG__LEVEL".into()),
        (
            "metrics.address: \"8000\"",
            "TIDEGATE__METRICS__ADDRESS".into(),
        ),
        (
            "traces.endpoint: \"collector:4317\" is not the base of an OTLP address",
            "TIDEGATE__TRACES__ENDPOINT".into(),
        ),
        (
            "traces.sample_ratio: \"1.5\" is not a number from 0 to 1",
            "TIDEGATE__TRACES__SAMPLE_RATIO".into(),
        ),
        ("port: unknown setting", at("default.toml")),
        (
            "profile: the profile is chosen by TIDEGATE_PROFILE",
            at("development.toml"),
        ),
        (
            "rest.full_table_writes: \"maybe\" is not one of: refuse, allow",
            at("default.toml"),
        ),
        (
            "server.address: \"localhost:80\"",
            "TIDEGATE__SERVER__ADDRESS".into(),
        ),
        (
            "server.adress: unknown setting; did you mean server.address?",
            at("default.toml"),
        ),
        ("server.max_url_bytes: \"much\"", at("development.toml")),
        ("server.workers: \"0\"", at("default.toml")),
    ] {
        let end = format!("(from {origin})");
        assert!(
            list.iter()
                .any(|m| m.starts_with(start) && m.ends_with(&end)),
            "{start} {end} is not in {list:#?}"
        );
    }
}

#[test]
fn a_broken_file_does_not_hide_the_rest() {
    let (folder, sources) = files(&[
        ("default.toml", "[auth]\njwt_secret = \"topsecret"),
        (
            ".env",
            "TIDEGATE__AUTH__PEPPER='topsecret\nTIDEGATE__ADMIN__USERNAME=ok-name",
        ),
    ]);
    let text = mistakes(&sources.with("TIDEGATE__DOCS__PUBLIC", "?")).join("\n");
    assert!(
        text.contains("default.toml") && text.contains("line 2"),
        "{text}"
    );
    assert!(
        text.contains(".env") && text.contains("TIDEGATE__AUTH__PEPPER"),
        "{text}"
    );
    assert!(text.contains("docs.public"), "{text}");
    assert!(!text.contains("topsecret"), "{text}");
    drop(folder);
}

#[test]
fn secrets_come_from_files_and_the_higher_layer_wins() {
    let (folder, sources) = files(&[
        ("pepper", "from the file\r\n"),
        ("empty", "\n"),
        ("default.toml", "[auth]\npepper = \"plain\""),
    ]);
    let pepper = |sources: &Sources| Settings::load(sources).unwrap().auth.pepper;
    let by_file = sources
        .clone()
        .with("TIDEGATE__AUTH__PEPPER_FILE", folder.path().join("pepper"));
    assert_eq!(pepper(&by_file).reveal(), "from the file");
    fs::write(
        folder.path().join("default.toml"),
        format!(
            "[auth]\npepper_file = '{}'\nprevious_jwt_secrets.old_file = '{}'",
            folder.path().join("pepper").display(),
            folder.path().join("pepper").display()
        ),
    )
    .unwrap();
    assert_eq!(pepper(&sources).reveal(), "from the file");
    assert_eq!(
        pepper(&sources.clone().with("TIDEGATE__AUTH__PEPPER", "plain")).reveal(),
        "plain"
    );
    let previous = Settings::load(&sources).unwrap().auth.previous_jwt_secrets;
    assert_eq!(previous["old"].reveal(), "from the file");

    let both = by_file.with("TIDEGATE__AUTH__PEPPER", "x");
    assert!(one_mistake(&both).contains("both as a value and as a file"));
    for name in ["missing", "empty"] {
        let path = folder.path().join(name);
        let message = one_mistake(&sources.clone().with("TIDEGATE__AUTH__PEPPER_FILE", &path));
        assert!(message.contains(&path.display().to_string()), "{message}");
    }
    let other = one_mistake(&sources.with("TIDEGATE__AUTH__ISSUER_FILE", "x"));
    assert!(
        other.starts_with("auth.issuer_file: unknown setting"),
        "{other}"
    );
}

#[test]
fn production_asks_for_what_matters() {
    Settings::load(&production()).unwrap();
    let list = mistakes(&Sources::none().with("TIDEGATE_PROFILE", "production"));
    for name in ["auth.jwt_secret", "auth.pepper", "database.url"] {
        let variable = variables::variable(name);
        assert!(
            list.iter()
                .any(|m| m.starts_with(name) && m.contains(&variable)),
            "{list:#?}"
        );
    }
    assert_eq!(list.len(), 3, "{list:#?}");
    for (name, value) in [
        ("TIDEGATE__AUTH__JWT_SECRET", "short-and-weak"),
        (
            "TIDEGATE__AUTH__PEPPER",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ),
        (
            "TIDEGATE__AUTH__PREVIOUS_JWT_SECRETS__OLD",
            "short-and-weak",
        ),
        ("TIDEGATE__ADMIN__PASSWORD", "Password123!"),
        ("TIDEGATE__ADMIN__PASSWORD", "short"),
        ("TIDEGATE__AUTH__BCRYPT_COST", "9"),
        ("TIDEGATE_PROFILE", "prod"),
        ("TIDEGATE__DATABASE__URL", "sqlite:///var/lib/x.db"),
        ("TIDEGATE__DATABASE__URL", "postgres://u:hidden@h/d"),
        ("TIDEGATE__DATABASE__URL", "mysql://u:hidden@h:3306"),
        ("TIDEGATE__DATABASE__URL", "mysql://u:hidden@h:port/d"),
        ("TIDEGATE__DATABASE__URL", "mysql://u:hidden@/d"),
        ("TIDEGATE__DATABASE__URL", "mysql://u:hidden@h/d`x"),
    ] {
        let message = one_mistake(&production().with(name, value));
        assert!(message.ends_with(&format!("(from {name})")), "{message}");
        let secret = !name.ends_with("COST") && !name.ends_with("PROFILE");
        assert!(
            !(message.contains("hidden") || secret && message.contains(value)),
            "{message}"
        );
    }
}

#[test]
fn production_takes_the_embedded_database_when_it_is_told_to() {
    let s = Settings::load(&production().with("TIDEGATE__DATABASE__URL", "sqlite:")).unwrap();
    assert_eq!(s.database.target, DatabaseTarget::Embedded);
    for url in [
        "mysql://u:p%40@db/tidegate?ssl-mode=REQUIRED",
        "mariadb://u@[::1]:3307/t_1",
    ] {
        let s = Settings::load(&production().with("TIDEGATE__DATABASE__URL", url)).unwrap();
        assert_eq!(s.database.target, DatabaseTarget::Server(Secret::new(url)));
    }
}

#[test]
fn development_keeps_its_secrets_and_a_check_makes_none() {
    let (folder, sources) = files(&[]);
    Settings::check(&sources).unwrap();
    assert!(!folder.path().join("data").exists());
    let first = Settings::load(&sources).unwrap();
    assert!(first.auth.jwt_secret.reveal().len() >= SECRET_BYTES);
    assert_eq!(first, Settings::load(&sources).unwrap());
    let given = Settings::load(&sources.with("TIDEGATE__AUTH__PEPPER", "mine")).unwrap();
    assert_eq!(given.auth.pepper.reveal(), "mine");
    assert_eq!(given.auth.jwt_secret, first.auth.jwt_secret);
}

#[test]
fn nothing_prints_a_secret() {
    let s =
        Settings::load(&production().with("TIDEGATE__ADMIN__PASSWORD", "correct horse")).unwrap();
    let text = format!("{s:?}");
    assert!(text.contains("***"));
    for secret in [KEY, "u:p@db", "correct horse"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let few = Sources::none()
        .with("TIDEGATE__DATABASE__MAX_CONNECTIONS", "2")
        .with("TIDEGATE__DATABASE__MIN_CONNECTIONS", "3");
    assert!(one_mistake(&few).ends_with("(from TIDEGATE__DATABASE__MIN_CONNECTIONS)"));
    let everybody = Sources::none().with("TIDEGATE__CORS__ORIGINS", "*,https://a.example");
    assert!(one_mistake(&everybody).contains("stands alone"));
    let same = Sources::none().with("TIDEGATE__AUTH__PREVIOUS_JWT_SECRETS__1", KEY);
    assert!(one_mistake(&same).contains("auth.jwt_key_id"));
    let twice = Sources::none()
        .with(
            "TIDEGATE__DATABASE__URL",
            "mysql://u:p@db/d?ssl-mode=REQUIRED",
        )
        .with("TIDEGATE__DATABASE__TLS", "required");
    let text = one_mistake(&twice);
    assert!(text.starts_with("database.tls: ssl-mode in database.url"));
    assert!(text.ends_with("(from TIDEGATE__DATABASE__TLS)"), "{text}");
}

#[test]
fn places_to_listen_make_sense_together() {
    let server = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .fold(Sources::none(), |sources, (name, value)| {
                sources.with(&format!("TIDEGATE__SERVER__{name}"), value)
            })
    };
    for (pairs, expected) in [
        (&[("ADDRESS", "off")][..], "server.unix_socket: is not set"),
        (
            &[("UNIX_SOCKET_MODE", "0999")],
            "server.unix_socket_mode: \"0999\" is not the octal",
        ),
        (
            &[("UNIX_SOCKET_MODE", "66")],
            "server.unix_socket_mode: \"66\"",
        ),
        (
            &[("BACKLOG", "0")],
            "server.backlog: \"0\" is not a whole number",
        ),
        (
            &[("TLS__CERTIFICATE", "a.pem")],
            "server.tls.key: is not set",
        ),
        (
            &[("TLS__KEY", "a.key")],
            "server.tls.certificate: is not set",
        ),
        (
            &[("TLS__REDIRECT_ADDRESS", "[::]:80")],
            "server.tls.certificate: is not set",
        ),
        (
            &[("TLS__KEY_PASSPHRASE", "x")],
            "server.tls.certificate: is not set",
        ),
        (
            &[
                ("ADDRESS", "off"),
                ("UNIX_SOCKET", "/s"),
                ("TLS__CERTIFICATE", "a"),
                ("TLS__KEY", "b"),
            ],
            "server.tls.certificate: there is no TLS on a Unix socket",
        ),
    ] {
        let text = one_mistake(&server(pairs));
        assert!(text.starts_with(expected), "{pairs:?}: {text}");
    }
    let alone = server(&[("ADDRESS", "off"), ("UNIX_SOCKET", "/s")]);
    let (settings, _) = read(&alone).unwrap();
    assert_eq!(settings.server.address, None);
    assert_eq!(settings.server.unix_socket_mode, 0o660);
    let tls = server(&[
        ("TLS__CERTIFICATE", "a"),
        ("TLS__KEY", "b"),
        ("TLS__KEY_PASSPHRASE", "secret"),
    ]);
    let tls = read(&tls).unwrap().0.server.tls.unwrap();
    assert!(!format!("{tls:?}").contains("secret"));
    let off = read(&Sources::none().with("TIDEGATE__STATIC_DIR", "off")).unwrap();
    assert_eq!(off.0.static_dir, None);
}

#[test]
fn the_log_is_chosen_by_parts_of_the_program_and_not_by_spans() {
    let level = |text: &str| {
        let sources = Sources::none().with("TIDEGATE__LOG__LEVEL", text);
        read(&sources).map(|(settings, _)| settings.log.level)
    };
    assert_eq!(level("info,a=debug").unwrap(), "info,a=debug");
    let text = one_mistake(&Sources::none().with("TIDEGATE__LOG__LEVEL", "info,[request]=debug"));
    assert!(text.contains("chooses spans by brackets"), "{text}");
}
