//! The program as a child process, with the settings of production but for the limits.

use std::fs::File;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::Place;
use crate::http::Connection;

const PASSWORD: &str = "correct horse battery staple";

/// A running Tidegate; dropping it kills it.
pub(crate) struct Program {
    child: Child,
    pub(crate) address: SocketAddr,
    /// The administrator's `Authorization`.
    pub(crate) authorization: String,
}

impl Program {
    /// Makes the schema, starts the program and signs in.
    pub(crate) async fn start(place: &Place, url: &str) -> anyhow::Result<Self> {
        let log = place.folder.join("tidegate.log");
        let file = File::create(&log)?;
        let command = |argument: &str| -> anyhow::Result<Command> {
            let mut command = Command::new(&place.program);
            command
                .arg(argument)
                .current_dir(&place.folder)
                .env_clear()
                .envs([
                    ("TIDEGATE_PROFILE", "production"),
                    ("TIDEGATE__SERVER__ADDRESS", "127.0.0.1:0"),
                    ("TIDEGATE__DATABASE__URL", url),
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
                .stderr(file.try_clone()?);
            Ok(command)
        };
        let migrated = command("migrate")?.arg("up").status()?;
        ensure!(migrated.success(), "no schema: see {}", log.display());
        let child = command("serve")?
            .spawn()
            .context("the program does not start")?;
        let mut program = Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            authorization: String::new(),
        };
        program.address = program.wait(&log).await?;
        let body = json!({"username": "admin", "password": PASSWORD});
        let token = program.call("/auth/token", &body).await?;
        let token = token["access_token"].as_str().context("no token")?;
        program.authorization = format!("Bearer {token}");
        Ok(program)
    }

    /// The address that the program prints once it listens.
    async fn wait(&mut self, log: &std::path::Path) -> anyhow::Result<SocketAddr> {
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
            ensure!(
                !ended && start.elapsed() < Duration::from_secs(60),
                "{text}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    async fn call(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
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
