//! Backups of a server: made and put back by the programs that its makers give for that.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, bail, ensure};
use chrono::{DateTime, Utc};
use reqwest::Url;
use tempfile::NamedTempFile;
use tidegate_domain::secret::Secret;
use tidegate_persistence::backup::{Found, ServerDatabases};
use tidegate_persistence::engine::Engine;
use tokio::process::Command;

use super::folder::Draft;
use super::manifest::Manifest;
use crate::config::Settings;
use crate::{parts, terminal};

/// The file of Tidegate's own database.
const OWN_DUMP: &str = "tidegate.sql";

/// Dumps every database, each as it is at one moment.
///
/// # Errors
/// A server that is away, an account that may not, a program that is missing.
pub(super) async fn make(
    settings: &Settings,
    url: &Secret,
    target: &Path,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let mut server = ServerDatabases::connect(url.reveal()).await?;
    let dump = Tool::find(server.engine(), Use::Dump, url).await?;
    let catalog = parts::gateway(settings)?.catalog;
    let gateway = catalog.databases().await?.into_iter();
    let gateway = gateway.map(|it| it.name.to_string()).collect();
    dump_all(&mut server, &dump, gateway, target, now).await?;
    server.close().await;
    Ok(())
}

/// Dumps Tidegate's own database and these.
async fn dump_all(
    server: &mut ServerDatabases,
    dump: &Tool,
    gateway: Vec<String>,
    target: &Path,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let own = server.own().to_owned();
    let names = std::iter::once(None).chain(gateway.into_iter().map(Some));
    let mut draft = Draft::begin(target)?;
    for (number, database) in names.enumerate() {
        let path = match number {
            0 => OWN_DUMP.to_owned(),
            // A name may hold what a file's may not.
            number => format!("databases/{number}.sql"),
        };
        let name = database.as_deref().unwrap_or(&own);
        // It may have been dropped meanwhile, by others.
        let Some(collation) = server.collation(name).await? else {
            ensure!(database.is_some(), "there is no database {own}");
            continue;
        };
        let triggers = database.is_some();
        dump.write(name, triggers, &draft.place(&path)?).await?;
        draft.add(path, database, Some(collation)).await?;
    }
    let engine = server.engine().name();
    draft.finish(|files| Manifest::new(engine, now, files))
}

/// Puts every database back. What was there is dumped into `aside` first.
///
/// # Errors
/// A backup of another engine; a database that holds something and is not to be replaced; what
/// the server or its client says.
pub(super) async fn restore(
    manifest: &Manifest,
    from: &Path,
    url: &Secret,
    replace: bool,
    aside: &Path,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let mut server = ServerDatabases::connect(url.reveal()).await?;
    let engine = server.engine();
    ensure!(
        manifest.engine == engine.name(),
        "the backup is one of {}, and the server is {engine}",
        manifest.engine
    );
    let client = Tool::find(engine, Use::Load, url).await?;
    let own = server.own().to_owned();
    // All is looked at before anything is changed.
    let (mut filled, mut there) = (Vec::new(), Vec::new());
    for entry in &manifest.files {
        let name = entry.database.as_deref().unwrap_or(&own);
        if server.look(name).await? == Found::Filled {
            filled.push(name);
            there.extend(entry.database.clone());
        }
    }
    ensure!(
        filled.is_empty() || replace,
        "these databases hold tables already, and `--force --yes` replaces them: {}",
        filled.join(", ")
    );
    let saved = !filled.is_empty();
    if saved {
        let dump = Tool::find(engine, Use::Dump, url).await?;
        dump_all(&mut server, &dump, there, aside, now).await?;
        let aside = aside.display();
        terminal::line(format_args!(
            "what was there is now in {aside}: remove it when you are sure"
        ));
    }
    let put = put_back(&mut server, &client, manifest, from).await;
    server.close().await;
    if saved {
        let aside = aside.display();
        return put.with_context(|| {
            format!(
                "what was there is not lost: `tidegate restore {aside} --force --yes` puts it back"
            )
        });
    }
    put
}

async fn put_back(
    server: &mut ServerDatabases,
    client: &Tool,
    manifest: &Manifest,
    from: &Path,
) -> anyhow::Result<()> {
    let (engine, own) = (server.engine(), server.own().to_owned());
    // The own one first: in it stands that a restore is under way.
    let mut entries: Vec<_> = manifest.files.iter().collect();
    entries.sort_by_key(|entry| entry.database.is_some());
    let mut waiting = Vec::new();
    for entry in entries {
        let name = entry.database.as_deref().unwrap_or(&own);
        let found = server.look(name).await?;
        if found == Found::Filled {
            server.drop_database(name).await?;
        }
        // One that is empty stays: the account may be one that can make none.
        if found != Found::Empty {
            let collation = entry.collation.as_deref();
            let collation = collation.unwrap_or_else(|| engine.binary_collation());
            server.create_database(name, collation).await?;
        }
        if entry.database.is_none() {
            server.begin().await?;
        }
        waiting.push((name, from.join(&entry.path)));
    }
    // A view may show tables of another database, which has to be there first; and that one views
    // of a third.
    for last in [false, false, true] {
        let mut later = Vec::new();
        for (name, path) in waiting {
            match client.load(name, &path).await {
                Ok(()) => {}
                Err(error) if last => return Err(error),
                Err(_) => later.push((name, path)),
            }
        }
        waiting = later;
    }
    Ok(server.finish().await?)
}

/// What a program is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Dump,
    Load,
}

/// A program of the server's makers.
struct Tool {
    name: &'static str,
    engine: Engine,
    /// How to reach the server: a file that only its owner can read, since arguments are seen by
    /// every user of the machine. Removed at the end.
    options: NamedTempFile,
}

impl Tool {
    /// The one that fits a server: dumps of one kind are not sure to be read by the other.
    async fn find(engine: Engine, purpose: Use, url: &Secret) -> anyhow::Result<Self> {
        let names: &[&'static str] = match (engine, purpose) {
            (Engine::MariaDb, Use::Dump) => &["mariadb-dump", "mysqldump"],
            (Engine::MariaDb, Use::Load) => &["mariadb", "mysql"],
            (_, Use::Dump) => &["mysqldump"],
            (_, Use::Load) => &["mysql"],
        };
        let mut other = false;
        for &name in names {
            let asked = Command::new(name).arg("--version").output().await;
            let Ok(answer) = asked else { continue };
            let text = String::from_utf8_lossy(&answer.stdout);
            if text.contains("MariaDB") != (engine == Engine::MariaDb) {
                other = true;
                continue;
            }
            let options = option_file(&url_options(url, engine)?)?;
            return Ok(Self {
                name,
                engine,
                options,
            });
        }
        let name = names.first().copied().unwrap_or_default();
        let package = match engine {
            Engine::MariaDb => "mariadb-client",
            _ => "mysql-client, or mysql-community-client",
        };
        if other {
            bail!(
                "the {name} on the PATH is not that of {engine}: put that one first (package {package})"
            );
        }
        bail!("{name} is not on the PATH: install the client of {engine} (package {package})");
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.name);
        let mut first = std::ffi::OsString::from("--defaults-file=");
        first.push(self.options.path());
        command.arg(first).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Writes a database into a file; triggers only where they are wanted.
    async fn write(&self, database: &str, triggers: bool, path: &Path) -> anyhow::Result<()> {
        let file = private_file(path)?;
        let mut command = self.command();
        command.args([
            "--single-transaction",
            "--quick",
            "--routines",
            // Those of our own are made by us: a dump would name the account that made them, and
            // another one may not put them back.
            if triggers {
                "--triggers"
            } else {
                "--skip-triggers"
            },
            "--events",
            "--hex-blob",
            "--no-tablespaces",
            "--default-character-set=utf8mb4",
        ]);
        if self.engine == Engine::MySql {
            command.arg("--set-gtid-purged=OFF");
        }
        command.args(["--", database]).stdout(file);
        self.finish(command, database).await?;
        // What was cut off at a statement's end would look whole.
        ensure!(
            tail(path)?.contains("-- Dump completed"),
            "the dump of {database} is not complete"
        );
        Ok(())
    }

    /// Carries out what a file holds.
    async fn load(&self, database: &str, path: &Path) -> anyhow::Result<()> {
        let mut command = self.command();
        command
            .args(["--default-character-set=utf8mb4", "--batch"])
            .arg(format!("--database={database}"))
            .stdin(File::open(path)?)
            .stdout(Stdio::null());
        self.finish(command, database).await
    }

    async fn finish(&self, mut command: Command, database: &str) -> anyhow::Result<()> {
        let output = command.stderr(Stdio::piped()).spawn()?;
        let output = output.wait_with_output().await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "{} failed on the database {database}: {}",
            self.name,
            said.trim()
        );
        if !said.trim().is_empty() {
            tracing::debug!(said = said.trim(), "{} had something to say", self.name);
        }
        Ok(())
    }
}

fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The last characters of a file.
fn tail(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(200)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A file of options of which only its owner knows.
fn option_file(options: &[(&str, String)]) -> anyhow::Result<NamedTempFile> {
    let mut text = String::from("[client]\n");
    for (name, value) in options {
        let value = value.replace('\\', "\\\\").replace('\n', "\\n");
        let value = value.replace('\r', "\\r").replace('\t', "\\t");
        text += &format!("{name}=\"{value}\"\n");
    }
    let mut file = NamedTempFile::new().context("cannot write a temporary file")?;
    file.write_all(text.as_bytes())?;
    file.flush()?;
    Ok(file)
}

/// What the URL of the database says, as options of a client.
fn url_options(url: &Secret, engine: Engine) -> anyhow::Result<Vec<(&'static str, String)>> {
    // The text is not repeated in an error: it holds a password.
    let url = Url::parse(url.reveal()).context("the database URL cannot be read")?;
    let text = |encoded: &str| {
        percent_encoding::percent_decode_str(encoded)
            .decode_utf8()
            .map(|text| text.into_owned())
            .context("the database URL is not UTF-8")
    };
    let mut options = vec![
        ("user", text(url.username())?),
        (
            "host",
            // The brackets of an IPv6 address belong to the URL.
            url.host_str()
                .unwrap_or("localhost")
                .trim_matches(['[', ']'])
                .to_owned(),
        ),
        ("port", url.port().unwrap_or(3306).to_string()),
        ("protocol", "TCP".to_owned()),
    ];
    if let Some(password) = url.password() {
        options.push(("password", text(password)?));
    }
    for (name, value) in url.query_pairs() {
        match name.as_ref() {
            "socket" => {
                options.retain(|(name, _)| *name != "protocol");
                options.push(("socket", value.into_owned()));
            }
            "ssl-ca" | "sslca" => options.push(("ssl-ca", value.into_owned())),
            "ssl-cert" | "sslcert" => options.push(("ssl-cert", value.into_owned())),
            "ssl-key" | "sslkey" => options.push(("ssl-key", value.into_owned())),
            "ssl-mode" | "sslmode" => options.push(tls(&value, engine)),
            _ => {}
        }
    }
    Ok(options)
}

/// How a client is told what to ask of the server's certificate.
fn tls(mode: &str, engine: Engine) -> (&'static str, String) {
    let mode = mode.to_ascii_uppercase();
    match (engine, mode.as_str()) {
        (Engine::MariaDb, "DISABLED") => ("ssl", "0".to_owned()),
        (Engine::MariaDb, "VERIFY_CA" | "VERIFY_IDENTITY") => {
            ("ssl-verify-server-cert", "1".to_owned())
        }
        (Engine::MariaDb, "REQUIRED") => ("ssl", "1".to_owned()),
        (Engine::MariaDb, _) => ("ssl-verify-server-cert", "0".to_owned()),
        _ => ("ssl-mode", mode),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(url: &str, engine: Engine) -> Vec<(&'static str, String)> {
        url_options(&Secret::new(url), engine).unwrap()
    }

    #[test]
    fn a_client_is_told_what_the_url_says() {
        let url =
            "mysql://me:p%40s%22s%5C@db.example.org:3307/tide?ssl-mode=verify_ca&ssl-ca=/ca.pem";
        let found = options(url, Engine::MySql);
        for (name, value) in [
            ("user", "me"),
            ("password", "p@s\"s\\"),
            ("host", "db.example.org"),
            ("port", "3307"),
            ("ssl-mode", "VERIFY_CA"),
            ("ssl-ca", "/ca.pem"),
        ] {
            assert!(
                found.contains(&(name, value.to_owned())),
                "{name}: {found:?}"
            );
        }
        let found = options(url, Engine::MariaDb);
        assert!(found.contains(&("ssl-verify-server-cert", "1".to_owned())));
        assert!(!found.iter().any(|(name, _)| *name == "ssl-mode"));
        let found = options("mysql://me@[::1]/d", Engine::MySql);
        assert!(found.contains(&("host", "::1".to_owned())));
        let found = options("mysql://me@h/d?socket=/run/my.sock", Engine::MySql);
        assert!(found.contains(&("socket", "/run/my.sock".to_owned())));
        assert!(!found.iter().any(|(name, _)| *name == "protocol"));
    }

    #[test]
    fn the_options_are_for_their_owner_only() {
        let file = option_file(&[("password", "a\"b\\c\nd".to_owned())]).unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert_eq!(text, "[client]\npassword=\"a\"b\\\\c\\nd\"\n");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = file.as_file().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
