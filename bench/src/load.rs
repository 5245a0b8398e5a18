//! Clients that do the same thing over and over, and how fast they are.

use std::time::{Duration, Instant};

/// What is not counted, at the beginning of each measurement.
const WARM_UP: Duration = Duration::from_millis(500);

/// A client with a connection of its own.
pub(crate) trait Client: Send + 'static {
    /// Does it once, to the end.
    fn once(&mut self) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// What was done in one measurement.
pub(crate) struct Measured {
    /// How long each took, in microseconds, ascending.
    times: Vec<u64>,
    span: Duration,
    /// How many were done in all, those of the warm-up included.
    pub(crate) all: usize,
}

impl Measured {
    /// How many a second.
    pub(crate) fn rate(&self) -> f64 {
        self.times.len() as f64 / self.span.as_secs_f64()
    }

    /// The time that a share of them did not exceed, in milliseconds.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let at = (self.times.len() as f64 * share) as usize;
        let time = self.times.get(at).or(self.times.last());
        time.copied().unwrap_or_default() as f64 / 1000.0
    }
}

/// Lets all clients work for a while.
pub(crate) async fn measure<C: Client>(
    clients: &mut Vec<C>,
    span: Duration,
) -> anyhow::Result<Measured> {
    let begin = Instant::now() + WARM_UP;
    let end = begin + span;
    let work = |mut client: C| async move {
        let (mut times, mut all) = (Vec::new(), 0);
        loop {
            let start = Instant::now();
            if start >= end {
                return anyhow::Ok((client, times, all));
            }
            client.once().await?;
            all += 1;
            let done = Instant::now();
            if begin <= done && done < end {
                times.push((done - start).as_micros() as u64);
            }
        }
    };
    let tasks: Vec<_> = clients
        .drain(..)
        .map(|client| tokio::spawn(work(client)))
        .collect();
    let (mut times, mut all) = (Vec::new(), 0);
    for task in tasks {
        let (client, mut own, done) = task.await??;
        clients.push(client);
        times.append(&mut own);
        all += done;
    }
    times.sort_unstable();
    Ok(Measured { times, span, all })
}

/// The middle one of some numbers.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}
