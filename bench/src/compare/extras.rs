//! What is no load of its own: the time to the first row, more and more connections, and many
//! that are idle.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::sync::Semaphore;

use super::{Bench, Figures, first_row};
use crate::http::{Connection, request};
use crate::loads::Load;
use crate::process::memory;
use crate::requests::Side;

/// How often the program is started.
const STARTS: usize = 5;

/// Connections of the curve.
const CURVE: [usize; 10] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/// Connections that are being opened at a time.
const OPENING: usize = 100;

/// Key reads with so many connections.
pub(crate) struct Point {
    pub(crate) clients: usize,
    pub(crate) tidegate: Figures,
    pub(crate) floor: Figures,
}

/// Key reads beside connections that do nothing.
pub(crate) struct Idle {
    pub(crate) connections: usize,
    /// Without and with them.
    pub(crate) rates: [f64; 2],
    /// Bytes in memory, without and with them.
    pub(crate) memory: [u64; 2],
}

impl Bench<'_> {
    /// Milliseconds from the start of the program to its first answered row.
    pub(super) async fn start_times(&mut self) -> anyhow::Result<Vec<f64>> {
        let mut times = Vec::new();
        for _ in 0..STARTS {
            let time = self.program.restart(&first_row()).await?;
            times.push(time.as_secs_f64() * 1000.0);
        }
        Ok(times)
    }

    pub(super) async fn curve(&mut self) -> anyhow::Result<Vec<Point>> {
        self.program.sign_in().await?;
        let span = Duration::from_secs(self.options.seconds.min(2));
        let mut points = Vec::new();
        for clients in CURVE {
            let floor = self.turn(Load::Key, Side::Bare, clients, span, 0).await?;
            let tidegate = self
                .turn(Load::Key, Side::Tidegate, clients, span, 0)
                .await?;
            points.push(Point {
                clients,
                tidegate,
                floor,
            });
        }
        Ok(points)
    }

    pub(super) async fn idle(&mut self) -> anyhow::Result<Idle> {
        self.program.sign_in().await?;
        let (side, clients) = (Side::Tidegate, self.options.clients);
        let span = Duration::from_secs(self.options.seconds);
        let id = self.program.id();
        let without = self.turn(Load::Key, side, clients, span, 0).await?;
        let before = memory(id, "VmRSS").context("no figures of processes here")?;

        let address = self.program.address;
        let headers = format!("Authorization: {}\r\n", self.program.authorization);
        let question: Arc<[u8]> = request("GET", "/auth/me", &headers, b"").into();
        let opening = Arc::new(Semaphore::new(OPENING));
        let tasks: Vec<_> = (0..self.options.idle)
            .map(|_| {
                let (question, opening) = (Arc::clone(&question), Arc::clone(&opening));
                tokio::spawn(async move {
                    let _permit = opening.acquire_owned().await?;
                    let mut connection = Connection::open(address).await?;
                    connection.send(&question).await?;
                    let (status, _) = connection.skim().await?;
                    ensure!(status == 200, "an answer {status}");
                    connection.forget_buffer();
                    anyhow::Ok(connection)
                })
            })
            .collect();
        let mut idle = Vec::new();
        for task in tasks {
            idle.push(task.await??);
        }
        let with = self.turn(Load::Key, side, clients, span, 0).await?;
        let after = memory(id, "VmRSS").context("no figures of processes here")?;
        Ok(Idle {
            connections: idle.len(),
            rates: [without.rate, with.rate],
            memory: [before, after],
        })
    }
}
