//! What has to be there before anything can be measured.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::Context;
use serde_json::json;

use super::{Bench, Options, first_row};
use crate::Place;
use crate::data::{DATABASE, Database, Scale, introduce};
use crate::loads::{VISITOR, VISITOR_PASSWORD};
use crate::program::Program;

/// Items that there are for their list.
const ITEMS: usize = 200;

impl<'a> Bench<'a> {
    pub(super) async fn set_up(place: &Place, options: &'a Options) -> anyhow::Result<Self> {
        let scale = Scale {
            employees: ((300_000.0 * options.rows) as u64).max(6_000),
        };
        if let Some(server) = &options.server {
            introduce(server).await?;
        }
        let url = match &options.server {
            // The driver of the floor has no TLS either; across machines both would have it.
            Some(server) => format!("{server}/tidegate?ssl-mode=DISABLED"),
            None => "sqlite:".to_owned(),
        };
        let mut program = Program::start(place, &url).await?;
        program
            .call("/databases", &json!({"name": DATABASE}))
            .await?;
        let account = json!({"username": VISITOR, "password": VISITOR_PASSWORD});
        program.call("/auth/register", &account).await?;
        for number in 0..ITEMS {
            let item =
                json!({"name": format!("item {number}"), "description": "an item of the bench"});
            program.call("/items", &item).await?;
        }
        let (_, inbox) = program.webhook(&json!({"name": "bench"})).await?;
        let database = match &options.server {
            Some(server) => Database::Server(server.clone()),
            None => {
                let file = format!("data/databases/{DATABASE}.db");
                Database::Embedded(place.folder.join(file))
            }
        };
        let start = Instant::now();
        database.fill(scale).await?;
        println!(
            "the data were there after {:.1} s",
            start.elapsed().as_secs_f64()
        );
        // Started anew, it knows the tables, and has in memory what its work brings there.
        program.restart(&first_row()).await?;
        program.sign_in().await?;
        let bare = Bare::start(&database)?;
        Ok(Self {
            options,
            scale,
            database,
            program,
            inbox,
            bare,
            perf: None,
        })
    }
}

/// The floor as a process of its own; dropping it kills it.
pub(super) struct Bare {
    pub(super) child: Child,
    pub(super) address: SocketAddr,
}

impl Bare {
    fn start(database: &Database) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("bare")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        match database {
            Database::Server(url) => command.arg("--server").arg(format!("{url}/{DATABASE}")),
            Database::Embedded(file) => command.arg("--file").arg(file),
        };
        let mut child = command.spawn()?;
        let output = child.stdout.take().context("no output")?;
        let mut bare = Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        bare.address = line.trim().parse().context("the floor does not start")?;
        Ok(bare)
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
