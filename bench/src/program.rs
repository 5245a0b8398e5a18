//! The program as a child process, with the settings of production but for the limits.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::Place;
use crate::http::{Connection, request};

const PASSWORD: &str = "correct horse battery staple";

/// How long the program may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running Tidegate; dropping it kills it.
pub(crate) struct Program {
    launch: Launch,
    child: Child,
    pub(crate) address: SocketAddr,
    /// The administrator's `Authorization`.
    pub(crate) authorization: String,
}

/// How it is started.
struct Launch {
    program: PathBuf,
    folder: PathBuf,
    url: String,
}

impl Launch {
    fn command(&self, argument: &str, address: &str, log: &Path) -> anyhow::Result<Command> {
        let file = File::create(log)?;
        let mut command = Command::new(&self.program);
        command
            .arg(argument)
            .current_dir(&self.folder)
            .env_clear()
            .envs([
                ("TIDEGATE_PROFILE", "production"),
                ("TIDEGATE__SERVER__ADDRESS", address),
                ("TIDEGATE__DATABASE__URL", &self.url),
                ("TIDEGATE__DATA_DIR", "data"),
                ("TIDEGATE__ADMIN__PASSWORD", PASSWORD),
                ("TIDEGATE__AUTH__BCRYPT_COST", "10"),
                (
                    "TIDEGATE__AUTH__JWT_SECRET",
                    "cc4b1b6cf2b7a1d4a1a7e1f5d0a93c7e",
                ),
                ("TIDEGATE__AUTH__PEPPER", "0f83c2be67d14c5a92ee7a40b6d1f359"),
                ("TIDEGATE__LIMITS__ENABLED", "false"),
            ])
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        Ok(command)
    }
}

impl Program {
    /// Makes the schema, starts the program and signs in.
    pub(crate) async fn start(place: &Place, url: &str) -> anyhow::Result<Self> {
        const ANY: &str = "127.0.0.1:0";
        let launch = Launch {
            program: place.program.clone(),
            folder: place.folder.clone(),
            url: url.to_owned(),
        };
        let log = place.folder.join("migrate.log");
        let migrated = launch.command("migrate", ANY, &log)?.arg("up").status()?;
        ensure!(migrated.success(), "no schema: see {}", log.display());
        let log = place.folder.join("tidegate.log");
        let child = launch
            .command("serve", ANY, &log)?
            .spawn()
            .context("the program does not start")?;
        let mut program = Self {
            launch,
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            authorization: String::new(),
        };
        program.address = program.wait(&log).await?;
        program.sign_in().await?;
        Ok(program)
    }

    /// Gets a token, which is good for half an hour.
    pub(crate) async fn sign_in(&mut self) -> anyhow::Result<()> {
        let body = json!({"username": "admin", "password": PASSWORD});
        let token = self.call("/auth/token", &body).await?;
        let token = token["access_token"].as_str().context("no token")?;
        self.authorization = format!("Bearer {token}");
        Ok(())
    }

    /// The address that the program prints once it listens.
    async fn wait(&mut self, log: &Path) -> anyhow::Result<SocketAddr> {
        let start = Instant::now();
        loop {
            let text = std::fs::read_to_string(log)?;
            let address = text.split_once("http://127.0.0.1:").map(|(_, rest)| {
                let end = rest.find(|c: char| !c.is_ascii_digit());
                &rest[..end.unwrap_or(rest.len())]
            });
            if let Some(port) = address.and_then(|port| port.parse().ok()) {
                return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
            }
            let ended = self.child.try_wait()?.is_some();
            ensure!(!ended && start.elapsed() < PATIENCE, "{text}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Kills it and starts it again; gives the time from there until it has answered a request
    /// for `path` with 200.
    pub(crate) async fn restart(&mut self, path: &str) -> anyhow::Result<Duration> {
        self.child.kill()?;
        self.child.wait()?;
        // A port that is known beforehand: it is free, and nobody else here takes one.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let log = self.launch.folder.join("restarted.log");
        let headers = format!("Authorization: {}\r\n", self.authorization);
        let request = request("GET", path, &headers, b"");
        let mut command = self.launch.command("serve", &address.to_string(), &log)?;
        let start = Instant::now();
        self.child = command.spawn()?;
        self.address = address;
        loop {
            if let Ok(mut connection) = Connection::open(address).await {
                connection.send(&request).await?;
                let (status, _) = connection.skim().await?;
                // Until its database is there it answers with 503.
                if status == 200 {
                    return Ok(start.elapsed());
                }
                ensure!(status == 503, "{path} is answered with {status}");
            }
            let ended = self.child.try_wait()?.is_some();
            ensure!(
                !ended && start.elapsed() < PATIENCE,
                "the program does not start again: see {}",
                log.display()
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// The name and version that it prints.
    pub(crate) fn version(&self) -> anyhow::Result<String> {
        let output = Command::new(&self.launch.program)
            .arg("--version")
            .output()?;
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends JSON as the administrator, and gives the JSON of a good answer.
    pub(crate) async fn call(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let mut connection = Connection::open(self.address).await?;
        connection.call(path, &self.authorization, body).await
    }

    /// Makes a webhook: its id and the path of its address.
    pub(crate) async fn webhook(&self, body: &Value) -> anyhow::Result<(i64, String)> {
        let webhook = self.call("/webhooks", body).await?;
        let id = webhook["id"].as_i64().context("no id")?;
        let url = webhook["url"].as_str().context("no address")?;
        let at = url.find("/in/").context("another address")?;
        Ok((id, url[at..].to_owned()))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
