//! One side's turn in a round: what its requests took of time, processors and memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::time::timeout;

use super::{Bench, Figures, PATIENCE};
use crate::http::Connection;
use crate::load::{Client, measure};
use crate::loads::Load;
use crate::process::{memory, processor_time};
use crate::requests::{Caller, Requests, Side};

impl Bench<'_> {
    /// One side's turn.
    pub(super) async fn turn(
        &self,
        load: Load,
        side: Side,
        clients: usize,
        span: Duration,
        round: usize,
    ) -> anyhow::Result<Figures> {
        let (address, id) = self.side(side);
        let requests = Requests::new(load, side, self.scale, &self.asked());
        let requests = Arc::new(requests);
        let mut callers = Vec::new();
        for number in 0..clients {
            let connection = Connection::open(address).await?;
            let seed = (round * 1000 + number) as u64;
            callers.push(Caller::new(connection, &requests, seed));
        }
        let processes = [Some(id), self.options.server_pid];
        let times = || processes.map(|id| id.and_then(processor_time));
        let before = times();
        let (rate, p50, p99, all) = match load.rows_of_one(self.scale) {
            Some(rows) => {
                let elapsed = timeout(PATIENCE, once(&mut callers)).await??;
                let seconds = elapsed.as_secs_f64();
                let milliseconds = seconds * 1000.0;
                let rate = rows as f64 / seconds;
                (rate, milliseconds, milliseconds, rows as f64)
            }
            None => {
                let limit = span + PATIENCE;
                let measured = timeout(limit, measure(&mut callers, span)).await??;
                let times = [0.50, 0.99].map(|share| measured.quantile(share));
                (measured.rate(), times[0], times[1], measured.all as f64)
            }
        };
        let after = times();
        let each = [0, 1].map(|at| Some((after[at]? - before[at]?) * 1e6 / all));
        let figures = Figures {
            rate,
            p50,
            p99,
            own: each[0],
            server: each[1],
            memory: memory(id, "VmRSS"),
        };
        if load.rows_of_one(self.scale).is_some()
            && let Some(table) = load.fills()
        {
            self.database.empty(table).await?;
        }
        Ok(figures)
    }
}

/// The time of one request of the first client.
async fn once(callers: &mut [Caller]) -> anyhow::Result<Duration> {
    let caller = callers.first_mut().context("no client")?;
    let start = Instant::now();
    caller.once().await?;
    Ok(start.elapsed())
}
