//! `tidegate inbox pull`: takes events from the inbox, hands each one on, and says what became
//! of it. For somebody whom no provider can reach.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use anyhow::{anyhow, bail};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::answer::Refusal;
use super::api::{Api, Lease};
use super::backoff::retry_delay;
use super::command;
use super::forward::Forward;
use super::key::Key;
use super::message::Message;
use super::tally::Tally;
use crate::cli::inbox::{Destination, Pull};
use crate::terminal;

/// How long the server waits for an event, in seconds.
const WAIT: u32 = 60;

/// A server without room for one who waits answers at once. It is asked again after this.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a server that is away is waited for when there is only the end to tell.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Collects events until there is nothing left (`--once`) or a signal comes.
pub(crate) async fn pull(options: Pull) -> anyhow::Result<()> {
    let key = Key::load(options.key_file.as_deref())?;
    let stop = CancellationToken::new();
    let mut worker = Worker {
        api: Api::new(&options.server, options.webhook, &options.consumer, key)?,
        target: Target::new(&options.destination)?,
        options,
        stop: stop.clone(),
        tally: Tally::default(),
    };
    let mut signals = Signals::listen()?;
    let work = worker.run();
    tokio::pin!(work);
    tokio::select! {
        done = &mut work => return done,
        () = signals.next() => stop.cancel(),
    }
    terminal::line("stopping after the event under way; a second signal ends at once");
    tokio::select! {
        done = &mut work => done,
        () = signals.next() => bail!("ended at once; what was under way comes again"),
    }
}

/// SIGTERM and SIGINT.
struct Signals(Signal, Signal);

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self(
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        ))
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.0.recv() => {}
            _ = self.1.recv() => {}
        }
    }
}

/// Where events go.
enum Target {
    Command(String),
    Url(Forward),
}

impl Target {
    fn new(destination: &Destination) -> anyhow::Result<Self> {
        match (&destination.exec, &destination.forward) {
            (Some(command), None) => Ok(Self::Command(command.clone())),
            (None, Some(url)) => Ok(Self::Url(Forward::new(url.clone())?)),
            _ => Err(anyhow!("either a command or a URL")),
        }
    }

    /// Hands an event on; why that failed, if it did.
    async fn take(&self, message: &Message) -> Result<(), String> {
        match self {
            Self::Command(command) => command::run(command, message).await,
            Self::Url(forward) => forward.send(message).await,
        }
    }
}

struct Worker {
    api: Api,
    target: Target,
    options: Pull,
    stop: CancellationToken,
    tally: Tally,
}

impl Worker {
    async fn run(&mut self) -> anyhow::Result<()> {
        let done = self.collect().await;
        terminal::line(&self.tally);
        done
    }

    async fn collect(&mut self) -> anyhow::Result<()> {
        let wait = if self.options.once { 0 } else { WAIT };
        while !self.stop.is_cancelled() {
            let asked = Instant::now();
            let lease = tokio::select! {
                lease = self.api.lease(self.options.limit, self.options.seconds, wait) => lease?,
                () = self.stop.cancelled() => break,
            };
            match lease {
                Some(lease) => self.work(lease).await?,
                None if self.options.once => break,
                None if asked.elapsed() >= PAUSE => {}
                None => tokio::select! {
                    () = sleep(PAUSE) => {}
                    () = self.stop.cancelled() => {}
                },
            }
        }
        Ok(())
    }

    /// Hands on the messages of a lease, one after the other.
    async fn work(&mut self, lease: Lease) -> Result<(), Refusal> {
        let mut left: VecDeque<Message> = lease.messages.into();
        // From when it was given: large events take their time on a slow line.
        let mut due = lease.given + self.renewal();
        while !self.stop.is_cancelled() && !left.is_empty() {
            let held: Vec<u64> = left.iter().map(|message| message.id).collect();
            // Also here: short events would cut off every attempt that is made beside them.
            if Instant::now() >= due {
                match self
                    .patiently(self.renew(&lease.name, &held, &mut due))
                    .await
                {
                    Some(Ok(())) => {}
                    Some(Err(Refusal::LeaseExpired)) | None => break,
                    Some(Err(refusal)) => return Err(refusal),
                }
            }
            let Some(message) = left.pop_front() else {
                break;
            };
            let began = Instant::now();
            let outcome = tokio::select! {
                outcome = self.target.take(&message) => outcome,
                never = self.keep(&lease.name, &held, &mut due) => match never {},
            };
            let took = began.elapsed();
            match self.report(&lease.name, &message, &outcome).await {
                None => self.tally.untold(&message, &outcome, took),
                Some(Ok(delay)) => self.tally.told(&message, &outcome, delay, took),
                Some(Err(Refusal::LeaseExpired)) => {
                    self.tally.too_late(&message, &outcome, took);
                    // The others of this lease may be with somebody else by now.
                    break;
                }
                Some(Err(refusal)) => {
                    self.tally.untold(&message, &outcome, took);
                    return Err(refusal);
                }
            }
        }
        self.give_back(&lease.name, &left).await
    }

    /// After what time a lease is prolonged: well before it is over, also where the first attempt
    /// fails.
    fn renewal(&self) -> Duration {
        Duration::from_secs(self.options.seconds.into()) / 3
    }

    /// Prolongs the lease of messages.
    async fn renew(&self, lease: &str, held: &[u64], due: &mut Instant) -> Result<(), Refusal> {
        let next = Instant::now() + self.renewal();
        self.api.extend(lease, held, self.options.seconds).await?;
        *due = next;
        Ok(())
    }

    /// Keeps the messages as long as it is polled.
    async fn keep(&self, lease: &str, held: &[u64], due: &mut Instant) -> Infallible {
        loop {
            sleep_until(*due).await;
            if self.renew(lease, held, due).await.is_err() {
                // What is wrong shows again, and is told, when the event is done.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Tells the server what became of a message, and gives the delay of one that failed;
    /// `None` where the server is away and the end is near.
    async fn report(
        &self,
        lease: &str,
        message: &Message,
        outcome: &Result<(), String>,
    ) -> Option<Result<u32, Refusal>> {
        let ids = [message.id];
        self.patiently(async {
            match outcome {
                Ok(()) => self.api.ack(lease, &ids).await.map(|()| 0),
                Err(_) => {
                    let delay = retry_delay(self.options.retry_delay, message.delivery);
                    self.api.nack(lease, &ids, delay).await.map(|()| delay)
                }
            }
        })
        .await
    }

    /// Gives back what was not begun, so that others need not wait for the end of the lease.
    async fn give_back(&mut self, lease: &str, left: &VecDeque<Message>) -> Result<(), Refusal> {
        if left.is_empty() {
            return Ok(());
        }
        let ids: Vec<u64> = left.iter().map(|message| message.id).collect();
        match self.patiently(self.api.give_back(lease, &ids)).await {
            Some(Ok(())) => self.tally.given_back(ids.len()),
            Some(Err(Refusal::LeaseExpired)) => {}
            Some(Err(refusal)) => return Err(refusal),
            None => self.tally.kept(ids.len()),
        }
        Ok(())
    }

    /// The result of a call, unless the program is to stop and the server is away.
    async fn patiently<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        let impatience = async {
            self.stop.cancelled().await;
            sleep(STOP_PATIENCE).await;
        };
        tokio::select! {
            result = call => Some(result),
            () = impatience => None,
        }
    }
}
