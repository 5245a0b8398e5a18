//! Consumers and their leases.
//!
//! A consumer has a position: the newest message it was handed. Messages up to there that are
//! not done have a row each, which says who has them and until when. A lease locks its
//! consumer, so leases of one consumer come one after the other; rows that somebody is about
//! to settle are passed over.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseTransaction, QueryResult, Value};
use tidegate_domain::account::UserId;
use tidegate_domain::error::{StoreError, Violation, ViolationKind};
use tidegate_domain::webhook::consumer::{
    Consumer, ConsumerKey, Consumers, Delivery, LeaseRequest, Leased, Replay, Settlement,
};
use tidegate_domain::webhook::hook::WebhookId;
use tidegate_domain::webhook::message::{Message, MessageId};

use super::messages::{load, sizes, within_page};

use crate::access::{Access as _, atomically, stored};
use crate::database::Database;
use crate::statement::{change, get, locking, marks, row, rows};

/// How many messages are replayed in one transaction.
const REPLAYED: u64 = 1000;

/// The consumers of a database.
#[derive(Debug, Clone)]
pub struct ConsumerStore {
    database: Database,
}

impl ConsumerStore {
    /// On a database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Where there is nothing to hand out: when something is due. Costs those who wait no lock.
    async fn nothing(
        &self,
        key: &ConsumerKey,
        request: &LeaseRequest,
    ) -> Result<Option<Option<DateTime<Utc>>>, StoreError> {
        let sql = "SELECT (SELECT MIN(l.due_at) FROM inbox_leases l \
                 WHERE l.consumer_id = c.id AND l.dead = 0), \
             (SELECT m.id FROM inbox_messages m WHERE m.webhook_id = c.webhook_id \
                 AND m.user_id = ? AND m.id > c.position ORDER BY m.id LIMIT 1) \
             FROM inbox_consumers c WHERE c.webhook_id = ? AND c.name = ?";
        let [webhook, name] = named(key);
        let values = [key.owner.0.into(), webhook, name];
        let Some(found) = row(self.database.reader(), sql, values).await? else {
            return Ok(None);
        };
        let due_at: Option<DateTime<Utc>> = get(&found, 0)?;
        let newer: Option<i64> = get(&found, 1)?;
        let nothing = newer.is_none() && due_at.is_none_or(|due_at| due_at > stored(request.now));
        Ok(nothing.then_some(due_at))
    }
}

#[async_trait]
impl Consumers for ConsumerStore {
    async fn list(
        &self,
        owner: UserId,
        webhook: WebhookId,
        now: DateTime<Utc>,
    ) -> Result<Vec<Consumer>, StoreError> {
        let sql = state("c.webhook_id = ? ORDER BY c.name");
        let connection = self.database.reader();
        let found = rows(
            connection,
            &sql,
            state_values(owner, now, [webhook.0.into()]),
        )
        .await?;
        found.iter().map(consumer).collect()
    }

    async fn find(
        &self,
        key: &ConsumerKey,
        now: DateTime<Utc>,
    ) -> Result<Option<Consumer>, StoreError> {
        let sql = state("c.webhook_id = ? AND c.name = ?");
        let values = state_values(key.owner, now, named(key));
        let found = row(self.database.reader(), &sql, values).await?;
        found.as_ref().map(consumer).transpose()
    }

    async fn delete(&self, key: &ConsumerKey) -> Result<bool, StoreError> {
        let sql = "DELETE FROM inbox_consumers WHERE webhook_id = ? AND name = ?";
        Ok(change(self.database.writer(), sql, named(key)).await? > 0)
    }

    async fn lease(&self, key: &ConsumerKey, request: &LeaseRequest) -> Result<Leased, StoreError> {
        if let Some(due_at) = self.nothing(key, request).await? {
            return Ok(Leased {
                deliveries: Vec::new(),
                due_at,
            });
        }
        let (mut handed_out, due_at) =
            atomically!(self.database, |tx| lease(tx, key, request).await)?;
        handed_out.sort_unstable();
        let deliveries = deliveries(self.database.reader(), handed_out).await?;
        Ok(Leased { deliveries, due_at })
    }

    async fn settle(
        &self,
        key: &ConsumerKey,
        lease: &str,
        ids: Option<Vec<MessageId>>,
        settlement: Settlement,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let ids = ids.as_deref();
        let settled: Settled = atomically!(self.database, |tx| settle(
            tx,
            key,
            lease,
            ids,
            settlement,
            stored(now)
        )
        .await)?;
        settled.count(&settlement);
        Ok(settled.messages > 0)
    }

    async fn replay(
        &self,
        key: &ConsumerKey,
        replay: Replay,
        now: DateTime<Utc>,
    ) -> Result<Option<u64>, StoreError> {
        // In portions: a lease waits for the consumer's lock.
        let (mut replay, mut all, now) = (replay, 0, stored(now));
        loop {
            let portion: Result<Option<(u64, Option<i64>)>, StoreError> =
                atomically!(self.database, |tx| again(tx, key, replay, now).await);
            match (portion?, replay) {
                (None, _) => return Ok(None),
                (Some((replayed, Some(next))), Replay::Range(_, to)) => {
                    all += replayed;
                    replay = Replay::Range(MessageId(next), to);
                }
                (Some((replayed, _)), _) => return Ok(Some(all + replayed)),
            }
        }
    }

    async fn dead(
        &self,
        key: &ConsumerKey,
        after: MessageId,
        limit: u64,
        now: DateTime<Utc>,
    ) -> Result<Option<Vec<Delivery>>, StoreError> {
        let connection = self.database.reader();
        let id = "SELECT id FROM inbox_consumers WHERE webhook_id = ? AND name = ?";
        let Some(found) = row(connection, id, named(key)).await? else {
            return Ok(None);
        };
        let consumer: i64 = get(&found, 0)?;
        let sql = format!(
            "SELECT l.message_id, l.deliveries, m.size FROM inbox_leases l \
             JOIN inbox_messages m ON m.id = l.message_id \
             JOIN webhooks w ON w.id = m.webhook_id \
             WHERE l.consumer_id = ? AND (l.dead = 1 OR {DIES}) AND l.message_id > ? \
             ORDER BY l.message_id LIMIT ?"
        );
        let values = [
            consumer.into(),
            stored(now).into(),
            after.0.into(),
            limit.into(),
        ];
        let mut found = Vec::new();
        for row in rows(connection, &sql, values).await? {
            found.push((
                get::<i64>(&row, 0)?,
                get::<i64>(&row, 1)?,
                get::<i64>(&row, 2)?,
            ));
        }
        let page = within_page(found, |(_, _, size)| *size);
        let page = page.map(|(id, deliveries, _)| (id, deliveries)).collect();
        deliveries(connection, page).await.map(Some)
    }
}

/// When a message's lease is over for the last time; the next lease of the consumer notes it.
const DIES: &str = "l.due_at <= ? AND l.deliveries >= w.max_deliveries";

/// A consumer with what is to be known of it. The parameters are those of [`state_values`].
fn state(which: &str) -> String {
    let count = |condition: &str| {
        format!("(SELECT COUNT(*) FROM inbox_leases l WHERE l.consumer_id = c.id AND {condition})")
    };
    format!(
        "SELECT c.name, c.position, c.created_at, {}, {}, {}, \
         (SELECT COUNT(*) FROM inbox_messages m WHERE m.webhook_id = c.webhook_id \
             AND m.user_id = ? AND m.id > c.position) \
         FROM inbox_consumers c JOIN webhooks w ON w.id = c.webhook_id WHERE {which}",
        count("l.dead = 0 AND l.lease IS NOT NULL AND l.due_at > ?"),
        count(&format!(
            "l.dead = 0 AND (l.lease IS NULL OR l.due_at <= ?) AND NOT ({DIES})"
        )),
        count(&format!("(l.dead = 1 OR {DIES})")),
    )
}

fn state_values(
    owner: UserId,
    now: DateTime<Utc>,
    which: impl IntoIterator<Item = Value>,
) -> Vec<Value> {
    let mut values = vec![Value::from(stored(now)); 4];
    values.push(owner.0.into());
    values.extend(which);
    values
}

fn consumer(row: &QueryResult) -> Result<Consumer, StoreError> {
    let count = |column| get::<i64>(row, column).map(|count| u64::try_from(count).unwrap_or(0));
    Ok(Consumer {
        name: get(row, 0)?,
        position: MessageId(get(row, 1)?),
        created_at: get(row, 2)?,
        leased: count(3)?,
        waiting: count(4)?,
        dead: count(5)?,
        behind: count(6)?,
    })
}

fn named(key: &ConsumerKey) -> [Value; 2] {
    [key.webhook.0.into(), key.name.as_str().into()]
}

/// The number and position of a consumer, locked.
async fn lock(
    tx: &DatabaseTransaction,
    key: &ConsumerKey,
) -> Result<Option<(i64, i64)>, StoreError> {
    let lock = locking(tx, " FOR UPDATE");
    let sql =
        format!("SELECT id, position FROM inbox_consumers WHERE webhook_id = ? AND name = ?{lock}");
    let found = row(tx, &sql, named(key)).await?;
    found
        .map(|row| Ok((get(&row, 0)?, get(&row, 1)?)))
        .transpose()
}

async fn lock_or_make(
    tx: &DatabaseTransaction,
    key: &ConsumerKey,
    now: DateTime<Utc>,
) -> Result<(i64, i64), StoreError> {
    if let Some(found) = lock(tx, key).await? {
        return Ok(found);
    }
    let sql = "INSERT INTO inbox_consumers (webhook_id, name, position, created_at) \
         VALUES (?, ?, 0, ?)";
    let [webhook, name] = named(key);
    match change(tx, sql, [webhook, name, now.into()]).await {
        // Somebody was faster between the two statements.
        Ok(_)
        | Err(StoreError::Constraint(Violation {
            kind: ViolationKind::Unique,
            ..
        })) => {}
        Err(error) => return Err(error),
    }
    let made = lock(tx, key).await?;
    made.ok_or_else(|| StoreError::Unavailable("the consumer was deleted meanwhile".into()))
}

/// Numbers and counts of what is handed out; where that is nothing, when something is due.
type HandedOut = (Vec<(i64, i64)>, Option<DateTime<Utc>>);

async fn lease(
    tx: &DatabaseTransaction,
    key: &ConsumerKey,
    request: &LeaseRequest,
) -> Result<HandedOut, StoreError> {
    let now = stored(request.now);
    let (consumer, position) = lock_or_make(tx, key, now).await?;
    let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
    let due = due(tx, consumer, request, now).await?;
    let sql = "SELECT id, size FROM inbox_messages \
         WHERE webhook_id = ? AND user_id = ? AND id > ? ORDER BY id LIMIT ?";
    let room = u64::try_from(limit.saturating_sub(due.len())).unwrap_or(0);
    let values = [
        key.webhook.0.into(),
        key.owner.0.into(),
        position.into(),
        room.into(),
    ];
    let fresh = sizes(rows(tx, sql, values).await?)?;

    // What is due comes first, and both have to fit into one answer.
    let due = due
        .into_iter()
        .map(|(id, count, size)| (id, Some(count), size));
    let fresh = fresh.into_iter().map(|(id, size)| (id, None, size));
    let chosen: Vec<(i64, Option<i64>)> = within_page(due.chain(fresh).collect(), |it| it.2)
        .map(|(id, count, _)| (id, count))
        .collect();
    let ids = |fresh: bool| -> Vec<i64> {
        let these = chosen.iter().filter(|(_, count)| count.is_none() == fresh);
        these.map(|(id, _)| *id).collect()
    };
    renew(tx, consumer, request, &ids(false)).await?;
    open(tx, consumer, request, &ids(true)).await?;

    let due_at = if chosen.is_empty() {
        let sql = "SELECT MIN(due_at) FROM inbox_leases WHERE consumer_id = ? AND dead = 0";
        let found = row(tx, sql, [consumer.into()]).await?;
        found.map(|row| get(&row, 0)).transpose()?.flatten()
    } else {
        None
    };
    let counted = chosen
        .into_iter()
        .map(|(id, count)| (id, count.unwrap_or(0) + 1));
    Ok((counted.collect(), due_at))
}

/// Messages that are due again: number, how often they were handed out, size. Those that were
/// too often are dead from now on, and those that are deleted are forgotten.
async fn due(
    tx: &DatabaseTransaction,
    consumer: i64,
    request: &LeaseRequest,
    now: DateTime<Utc>,
) -> Result<Vec<(i64, i64, i64)>, StoreError> {
    let lock = locking(tx, " FOR UPDATE SKIP LOCKED");
    let sql = format!(
        "SELECT message_id, deliveries FROM inbox_leases \
         WHERE consumer_id = ? AND dead = 0 AND due_at <= ? \
         ORDER BY due_at, message_id LIMIT ?{lock}"
    );
    loop {
        // Those that turn out to be dead must not make this many small steps.
        let values = [consumer.into(), now.into(), request.limit.max(100).into()];
        let found = sizes(rows(tx, &sql, values).await?)?;
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let list = marks(found.len());
        let ids = found.iter().map(|(id, _)| (*id).into());
        let there = format!("SELECT id, size FROM inbox_messages WHERE id IN ({list})");
        let there = sizes(rows(tx, &there, ids).await?)?;
        let size = |id| {
            there
                .iter()
                .find(|(there, _)| *there == id)
                .map(|(_, size)| *size)
        };

        let (mut due, mut dead, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        for (id, deliveries) in found {
            match size(id) {
                None => gone.push(id),
                Some(_) if deliveries >= i64::from(request.max_deliveries) => dead.push(id),
                Some(size) => due.push((id, deliveries, size)),
            }
        }
        let clean = dead.is_empty() && gone.is_empty();
        let dies = "UPDATE inbox_leases SET dead = 1, lease = NULL";
        of_messages(tx, dies, [], consumer, &dead).await?;
        of_messages(tx, "DELETE FROM inbox_leases", [], consumer, &gone).await?;
        // Again, where those that went took the place of others.
        if clean || !due.is_empty() {
            due.truncate(usize::try_from(request.limit).unwrap_or(usize::MAX));
            return Ok(due);
        }
    }
}

/// Carries out a statement on some messages of a consumer.
async fn of_messages(
    tx: &DatabaseTransaction,
    statement: &str,
    values: impl IntoIterator<Item = Value>,
    consumer: i64,
    ids: &[i64],
) -> Result<u64, StoreError> {
    if ids.is_empty() {
        return Ok(0);
    }
    let list = marks(ids.len());
    let sql = format!("{statement} WHERE consumer_id = ? AND message_id IN ({list})");
    let values = values.into_iter().chain([consumer.into()]);
    change(tx, &sql, values.chain(ids.iter().map(|id| (*id).into()))).await
}

/// Hands out messages again.
async fn renew(
    tx: &DatabaseTransaction,
    consumer: i64,
    request: &LeaseRequest,
    ids: &[i64],
) -> Result<(), StoreError> {
    let statement = "UPDATE inbox_leases SET lease = ?, due_at = ?, deliveries = deliveries + 1";
    let values = [
        request.lease.as_str().into(),
        stored(request.expires_at).into(),
    ];
    of_messages(tx, statement, values, consumer, ids)
        .await
        .map(drop)
}

/// Hands out messages for the first time, ascending.
async fn open(
    tx: &DatabaseTransaction,
    consumer: i64,
    request: &LeaseRequest,
    ids: &[i64],
) -> Result<(), StoreError> {
    let Some(last) = ids.last() else {
        return Ok(());
    };
    let tuples = vec!["(?, ?, ?, ?, 1, 0)"; ids.len()].join(", ");
    let sql = format!(
        "INSERT INTO inbox_leases (consumer_id, message_id, lease, due_at, deliveries, dead) \
         VALUES {tuples}"
    );
    let expires_at = stored(request.expires_at);
    let values = ids.iter().flat_map(|id| {
        let lease = request.lease.as_str();
        [
            consumer.into(),
            (*id).into(),
            lease.into(),
            expires_at.into(),
        ]
    });
    change(tx, &sql, values).await?;
    let sql = "UPDATE inbox_consumers SET position = ? WHERE id = ?";
    change(tx, sql, [(*last).into(), consumer.into()])
        .await
        .map(drop)
}

async fn deliveries(
    connection: &impl ConnectionTrait,
    handed_out: Vec<(i64, i64)>,
) -> Result<Vec<Delivery>, StoreError> {
    let messages = load(connection, handed_out.iter().copied()).await?;
    let delivery = |message: Message| {
        let found = handed_out.iter().find(|(id, _)| *id == message.id.0);
        Delivery {
            delivery: found.map_or(0, |(_, count)| u32::try_from(*count).unwrap_or(u32::MAX)),
            message,
        }
    };
    Ok(messages.into_iter().map(delivery).collect())
}

async fn settle(
    tx: &DatabaseTransaction,
    key: &ConsumerKey,
    lease: &str,
    ids: Option<&[MessageId]>,
    settlement: Settlement,
    now: DateTime<Utc>,
) -> Result<Settled, StoreError> {
    let lock = locking(tx, " FOR UPDATE");
    let sql = format!(
        "SELECT message_id, due_at, consumer_id, deliveries FROM inbox_leases WHERE consumer_id = \
         (SELECT id FROM inbox_consumers WHERE webhook_id = ? AND name = ?) \
         AND lease = ? AND dead = 0{lock}"
    );
    let [webhook, name] = named(key);
    let (mut held, mut expired, mut consumer) = (Vec::new(), false, 0);
    for row in rows(tx, &sql, [webhook, name, lease.into()]).await? {
        consumer = get(&row, 2)?;
        if get::<DateTime<Utc>>(&row, 1)? > now {
            held.push((get::<i64>(&row, 0)?, get::<i64>(&row, 3)?));
        } else {
            expired = true;
        }
    }
    let chosen = match ids {
        None if expired => return Ok(Settled::default()),
        None => held,
        Some(ids)
            if ids
                .iter()
                .all(|id| held.iter().any(|(held, _)| *held == id.0)) =>
        {
            held.retain(|(id, _)| ids.contains(&MessageId(*id)));
            held
        }
        Some(_) => return Ok(Settled::default()),
    };
    let dead = match settlement {
        Settlement::Nack { max_deliveries, .. } => chosen
            .iter()
            .filter(|(_, deliveries)| *deliveries >= i64::from(max_deliveries))
            .count(),
        _ => 0,
    };
    let chosen: Vec<i64> = chosen.into_iter().map(|(id, _)| id).collect();
    let statement = match settlement {
        Settlement::Ack => "DELETE FROM inbox_leases",
        Settlement::Nack { .. } => {
            "UPDATE inbox_leases SET lease = NULL, due_at = ?, \
             dead = CASE WHEN deliveries >= ? THEN 1 ELSE 0 END"
        }
        Settlement::Return => {
            "UPDATE inbox_leases SET lease = NULL, due_at = ?, deliveries = deliveries - 1"
        }
        Settlement::Extend { .. } => "UPDATE inbox_leases SET due_at = ?",
    };
    let values: Vec<Value> = match settlement {
        Settlement::Ack => vec![],
        Settlement::Return => vec![now.into()],
        Settlement::Nack {
            due_at,
            max_deliveries,
        } => vec![stored(due_at).into(), max_deliveries.into()],
        Settlement::Extend { expires_at } => vec![stored(expires_at).into()],
    };
    Ok(Settled {
        messages: of_messages(tx, statement, values, consumer, &chosen).await?,
        dead: dead as u64,
    })
}

/// What was settled; nothing where one of the messages was not held.
#[derive(Default)]
struct Settled {
    messages: u64,
    // Those of them that are dead now.
    dead: u64,
}

impl Settled {
    fn count(&self, settlement: &Settlement) {
        let count = |outcome: &'static str, messages: u64| {
            metrics::counter!("tidegate_inbox_settled_total", "outcome" => outcome)
                .increment(messages);
        };
        match settlement {
            Settlement::Ack => count("acknowledged", self.messages),
            Settlement::Nack { .. } | Settlement::Return => {
                count("returned", self.messages.saturating_sub(self.dead));
                count("dead", self.dead);
            }
            Settlement::Extend { .. } => {}
        }
    }
}

/// Has the first messages of a range handed out again, or all that are dead; how many, and
/// where to go on.
async fn again(
    tx: &DatabaseTransaction,
    key: &ConsumerKey,
    replay: Replay,
    now: DateTime<Utc>,
) -> Result<Option<(u64, Option<i64>)>, StoreError> {
    let Some((consumer, position)) = lock(tx, key).await? else {
        return Ok(None);
    };
    let (from, to, next) = match replay {
        Replay::Dead => (0, i64::MAX, None),
        Replay::Range(from, to) => {
            let to = to.0.min(position);
            let sql = "SELECT id FROM inbox_messages WHERE webhook_id = ? AND user_id = ? \
                 AND id BETWEEN ? AND ? ORDER BY id LIMIT 1 OFFSET ?";
            let values = [
                key.webhook.0.into(),
                key.owner.0.into(),
                from.0.into(),
                to.into(),
                REPLAYED.into(),
            ];
            let next = row(tx, sql, values).await?;
            let next: Option<i64> = next.map(|row| get(&row, 0)).transpose()?;
            (from.0, next.map_or(to, |next| next - 1), next)
        }
    };
    let dies = "UPDATE inbox_leases SET dead = 1, lease = NULL WHERE consumer_id = ? AND dead = 0 \
         AND due_at <= ? AND deliveries >= (SELECT max_deliveries FROM webhooks WHERE id = ?)";
    let values = [consumer.into(), now.into(), key.webhook.0.into()];
    change(tx, dies, values).await?;
    let sql = "UPDATE inbox_leases SET dead = 0, deliveries = 0, due_at = ? \
         WHERE consumer_id = ? AND dead = 1 AND message_id BETWEEN ? AND ?";
    let values = [now.into(), consumer.into(), from.into(), to.into()];
    let mut replayed = change(tx, sql, values).await?;
    if matches!(replay, Replay::Range(..)) {
        let sql = "INSERT INTO inbox_leases (consumer_id, message_id, due_at, deliveries, dead) \
             SELECT ?, m.id, ?, 0, 0 FROM inbox_messages m \
             WHERE m.webhook_id = ? AND m.user_id = ? AND m.id BETWEEN ? AND ? AND NOT EXISTS \
             (SELECT 1 FROM inbox_leases l WHERE l.consumer_id = ? AND l.message_id = m.id)";
        let values = [
            consumer.into(),
            now.into(),
            key.webhook.0.into(),
            key.owner.0.into(),
            from.into(),
            to.into(),
            consumer.into(),
        ];
        replayed += change(tx, sql, values).await?;
    }
    Ok(Some((replayed, next)))
}
