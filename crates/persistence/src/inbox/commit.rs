//! Group commit: while one transaction is made durable, the messages that arrive meanwhile
//! form the next. Each waits for its own commit, and many share the price of one.
//!
//! The row of the sequence stays locked from the first statement to the commit, on every node.
//! So numbers are given in the order of commits, and what is looked up here cannot change
//! before it is acted upon.

use std::collections::HashSet;
use std::sync::Arc;

use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};
use tidegate_domain::error::StoreError;
use tidegate_domain::webhook::message::{Accepted, Arrivals as _, MessageId, NewMessage};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::arrivals::ArrivalHub;
use super::messages::write_headers;
use crate::access::{Access as _, atomically, corrupt, stored};
use crate::database::Database;
use crate::error::{db_err, is_contention};
use crate::statement::{change, get, marks, row};

/// How many messages wait in the queue; more wait before it.
const QUEUE: usize = 1024;

/// How many messages are committed together.
const MOST_MESSAGES: usize = 256;

/// How many bytes of bodies are committed together, and sent in one statement: servers refuse
/// statements over `max_allowed_packet`, 16 MB on MariaDB.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// How many kibibytes wait in the queue. They stay there when their senders hang up.
const QUEUE_KIBIBYTES: usize = 64 * 1024;

/// The task that commits.
pub(super) struct Committer {
    queue: mpsc::Sender<Job>,
    room: Arc<Semaphore>,
}

struct Job {
    message: NewMessage,
    done: oneshot::Sender<Result<Accepted, StoreError>>,
    _room: OwnedSemaphorePermit,
}

impl Committer {
    /// Starts it on the present runtime. It ends with the last handle.
    pub(super) fn start(database: Database, arrivals: ArrivalHub) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        tokio::spawn(run(database, arrivals, jobs));
        let room = Arc::new(Semaphore::new(QUEUE_KIBIBYTES));
        Self { queue, room }
    }

    /// Has a message committed with others.
    pub(super) async fn accept(&self, message: NewMessage) -> Result<Accepted, StoreError> {
        let (done, outcome) = oneshot::channel();
        let stopped = || StoreError::Unavailable("the inbox does not commit any more".into());
        // One that is larger than the whole queue has it for itself.
        let kibibytes = size(&message).div_ceil(1024).min(QUEUE_KIBIBYTES);
        let room = Arc::clone(&self.room);
        let room = room.acquire_many_owned(u32::try_from(kibibytes).unwrap_or(u32::MAX));
        let job = Job {
            message,
            done,
            _room: room.await.map_err(|_| stopped())?,
        };
        self.queue.send(job).await.map_err(|_| stopped())?;
        outcome.await.map_err(|_| stopped())?
    }
}

async fn run(database: Database, arrivals: ArrivalHub, mut jobs: mpsc::Receiver<Job>) {
    let mut waiting: Vec<Job> = Vec::new();
    while !waiting.is_empty() || jobs.recv_many(&mut waiting, MOST_MESSAGES).await > 0 {
        // What came while the last group was committed joins those that were too many for it.
        while waiting.len() < MOST_MESSAGES {
            let Ok(job) = jobs.try_recv() else { break };
            waiting.push(job);
        }
        // Whoever has hung up sends again what was not answered.
        waiting.retain(|job| !job.done.is_closed());
        if waiting.is_empty() {
            continue;
        }
        let group = fitting(&waiting);
        let group: Vec<Job> = waiting.drain(..group).collect();
        if let Err(away) = commit_group(&database, &arrivals, group).await {
            // The others need not wait for the same answer.
            while let Ok(job) = jobs.try_recv() {
                waiting.push(job);
            }
            for job in waiting.drain(..) {
                let _ = job
                    .done
                    .send(Err(StoreError::Unavailable(away.clone().into())));
            }
        }
    }
}

/// How many of the first jobs make a group.
fn fitting(jobs: &[Job]) -> usize {
    let mut bytes = 0_usize;
    let fits = |job: &&Job| {
        bytes = bytes.saturating_add(size(&job.message));
        bytes <= MOST_BYTES
    };
    jobs.iter().take_while(fits).count().max(1)
}

/// Commits a group and answers those who wait. The error tells that the database is away.
async fn commit_group(
    database: &Database,
    arrivals: &ArrivalHub,
    group: Vec<Job>,
) -> Result<(), String> {
    let (messages, waiting): (Vec<_>, Vec<_>) =
        group.into_iter().map(|job| (job.message, job.done)).unzip();
    match commit(database, arrivals, &messages).await {
        Ok(outcomes) => {
            for (done, outcome) in waiting.into_iter().zip(outcomes) {
                // Whoever does not wait any more has hung up.
                let _ = done.send(Ok(outcome));
            }
        }
        // Nobody is to suffer from a message that the database refuses but its sender.
        Err(error) if messages.len() > 1 && !matches!(error, StoreError::Unavailable(_)) => {
            for (message, done) in messages.into_iter().zip(waiting) {
                let outcome = commit(database, arrivals, &[message]).await;
                let outcome = outcome.map(|all| all.into_iter().next());
                let _ = done.send(outcome.and_then(|one| one.ok_or_else(|| corrupt("group"))));
            }
        }
        Err(error) => {
            let text = match &error {
                StoreError::Unavailable(cause) => cause.to_string(),
                other => other.to_string(),
            };
            let again = || match error {
                StoreError::Unavailable(_) => StoreError::Unavailable(text.clone().into()),
                _ => StoreError::Internal(text.clone().into()),
            };
            for done in waiting {
                let _ = done.send(Err(again()));
            }
            if matches!(error, StoreError::Unavailable(_)) && !is_contention(&error) {
                return Err(text);
            }
        }
    }
    Ok(())
}

async fn commit(
    database: &Database,
    arrivals: &ArrivalHub,
    messages: &[NewMessage],
) -> Result<Vec<Accepted>, StoreError> {
    let outcomes: Result<Vec<Accepted>, StoreError> =
        atomically!(database, |tx| store(tx, messages).await);
    let outcomes = outcomes?;
    let mut woken = Vec::new();
    for (message, outcome) in messages.iter().zip(&outcomes) {
        if let (Some(webhook), Accepted::New(_)) = (message.webhook, outcome)
            && !woken.contains(&webhook)
        {
            arrivals.wake(webhook);
            woken.push(webhook);
        }
    }
    Ok(outcomes)
}

/// Stores messages in a transaction of whoever calls.
pub(super) async fn store(
    tx: &impl ConnectionTrait,
    messages: &[NewMessage],
) -> Result<Vec<Accepted>, StoreError> {
    let count = i64::try_from(messages.len()).unwrap_or(i64::MAX);
    let first = sequence(tx, count).await? - count + 1;
    let mut keys = HashSet::new();
    // Of those that came twice in this group, the first counts.
    let candidates: Vec<(i64, &NewMessage)> = (first..)
        .zip(messages)
        .filter(|(_, message)| key(message).is_none_or(|key| keys.insert(key)))
        .collect();
    let known = insert_deliveries(tx, &candidates, first).await?;
    let new: Vec<(i64, &NewMessage)> = candidates
        .into_iter()
        .filter(|(_, message)| key(message).is_none_or(|key| !known.contains(&key)))
        .collect();
    insert_messages(tx, &new).await?;
    let mut stored = new.into_iter().map(|(number, _)| number).peekable();
    let outcome = |number| match stored.next_if_eq(&number) {
        Some(number) => Accepted::New(MessageId(number)),
        None => Accepted::Duplicate,
    };
    Ok((first..).take(messages.len()).map(outcome).collect())
}

/// Takes `count` numbers, and gives the last of them.
async fn sequence(tx: &impl ConnectionTrait, count: i64) -> Result<i64, StoreError> {
    let failed = || corrupt("sequence");
    let backend = tx.get_database_backend();
    if backend == DbBackend::Sqlite {
        let update = "UPDATE inbox_sequence SET value = value + ? WHERE id = 1 RETURNING value";
        let value = row(tx, update, [count.into()]).await?;
        return get(&value.ok_or_else(failed)?, 0);
    }
    // One round trip for both, as the manual has it of LAST_INSERT_ID(expr).
    let update = "UPDATE inbox_sequence SET value = LAST_INSERT_ID(value + ?) WHERE id = 1";
    let update = Statement::from_sql_and_values(backend, update, [count.into()]);
    let done = tx.execute_raw(update).await.map_err(db_err)?;
    match done.rows_affected() {
        1 => i64::try_from(done.last_insert_id()).map_err(|_| failed()),
        _ => Err(failed()),
    }
}

/// What a message has in common with other attempts to deliver it.
fn key(message: &NewMessage) -> Option<(i64, &str)> {
    Some((message.webhook?.0, message.key.as_deref()?))
}

/// How many deliveries go into one statement. Every statement up to there is prepared once
/// and kept, so there must not be too many of them.
const DELIVERIES: usize = 32;

/// Notes the deliveries of messages that are numbered from `first` on. Those that were there
/// before are told.
async fn insert_deliveries<'a>(
    tx: &impl ConnectionTrait,
    messages: &[(i64, &'a NewMessage)],
    first: i64,
) -> Result<HashSet<(i64, &'a str)>, StoreError> {
    let deliveries: Vec<_> = messages
        .iter()
        .filter_map(|(number, message)| Some((key(message)?, *number, message.received_at)))
        .collect();
    let insert = match tx.get_database_backend() {
        DbBackend::Sqlite => "INSERT OR IGNORE",
        _ => "INSERT IGNORE",
    };
    let mut known = HashSet::new();
    for portion in deliveries.chunks(DELIVERIES) {
        let sql = format!(
            "{insert} INTO inbox_deliveries (webhook_id, digest, message_id, received_at) VALUES {}",
            tuples(4, portion.len())
        );
        let values = portion
            .iter()
            .flat_map(|((webhook, digest), number, time)| {
                let (webhook, digest) = ((*webhook).into(), (*digest).into());
                [webhook, digest, (*number).into(), stored(*time).into()]
            });
        let inserted = change(tx, &sql, values).await?;
        if usize::try_from(inserted).is_ok_and(|inserted| inserted == portion.len()) {
            continue;
        }
        // Seldom: a provider sent something again.
        for ((webhook, digest), ..) in portion {
            let sql = "SELECT message_id FROM inbox_deliveries WHERE webhook_id = ? AND digest = ?";
            let found = row(tx, sql, [(*webhook).into(), (*digest).into()]).await?;
            let number: i64 = get(&found.ok_or_else(|| corrupt("delivery"))?, 0)?;
            if number < first {
                known.insert((*webhook, *digest));
            }
        }
    }
    Ok(known)
}

async fn insert_messages(
    tx: &impl ConnectionTrait,
    new: &[(i64, &NewMessage)],
) -> Result<(), StoreError> {
    let columns = "id, user_id, webhook_id, received, method, path, query, headers, \
         body, size, verdict, delivery_id, address, received_at";
    for portion in portions(new) {
        let mut values: Vec<Value> = Vec::with_capacity(14 * portion.len());
        for (number, message) in portion {
            values.extend([
                (*number).into(),
                message.owner.0.into(),
                message.webhook.map_or(0, |webhook| webhook.0).into(),
                message.received.into(),
                message.method.as_str().into(),
                message.path.as_str().into(),
                message.query.as_str().into(),
                write_headers(&message.headers)?.into(),
                message.body.to_vec().into(),
                i64::try_from(message.body.len()).unwrap_or(i64::MAX).into(),
                message
                    .verdict
                    .map(|verdict| verdict.name().to_owned())
                    .into(),
                message.delivery_id.clone().into(),
                message.address.as_str().into(),
                stored(message.received_at).into(),
            ]);
        }
        let tuples = tuples(14, portion.len());
        let sql = format!("INSERT INTO inbox_messages ({columns}) VALUES {tuples}");
        change(tx, &sql, values).await?;
    }
    Ok(())
}

/// About how many bytes a message has in a statement. Header values that are not UTF-8 are
/// stored as numbers.
fn size(message: &NewMessage) -> usize {
    let value = |value: &[u8]| match std::str::from_utf8(value) {
        Ok(text) => text.len(),
        Err(_) => 4 * value.len(),
    };
    let headers = message.headers.iter();
    let headers = headers.map(|(name, bytes)| name.len() + value(bytes) + 8);
    message.body.len() + headers.sum::<usize>() + message.path.len() + message.query.len() + 300
}

/// Messages by the statement.
///
/// sqlx leaves Nagle's algorithm on, so a statement that is sent in more than one piece (a TLS
/// record holds 16 KiB) waits for an acknowledgement, which peers delay by 40 ms. Small messages
/// are sent in pieces of that size; where one alone is larger, many wait together, within the
/// size that servers take. There are few different numbers, because every statement is prepared
/// once and kept.
fn portions<'m, 'a>(
    messages: &'m [(i64, &'a NewMessage)],
) -> impl Iterator<Item = &'m [(i64, &'a NewMessage)]> {
    const PIECE: usize = 15 * 1024;
    let largest = messages.iter().map(|(_, message)| size(message)).max();
    let largest = largest.unwrap_or(1);
    let most = if largest <= PIECE {
        (PIECE / largest).clamp(1, 16)
    } else {
        (MOST_BYTES / largest).clamp(1, 64)
    };
    messages.chunks(most)
}

/// `(?, ?), (?, ?)`
fn tuples(width: usize, count: usize) -> String {
    let tuple = format!("({})", marks(width));
    vec![tuple; count].join(", ")
}
