//! The tables `tbluser`, `tblwhid` and `tblwh` of an older inbox, for programs that write to
//! them: made on request, the first two kept like ours, and rows of the third taken into the
//! inbox, each once.
//!
//! Rows may become visible in another order than that of their numbers. So a note is made of
//! every row that was taken, for longer than any transaction lasts; below that nothing new can
//! appear.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, DatabaseTransaction, Value};
use tidegate_domain::account::UserId;
use tidegate_domain::error::StoreError;
use tidegate_domain::webhook::hook::WebhookId;
use tidegate_domain::webhook::message::{Arrivals as _, NewMessage};

use super::arrivals::ArrivalHub;
use super::commit::store;
use super::messages::{sizes, within};

use crate::access::{Access as _, atomically, stored};
use crate::database::Database;
use crate::error::db_err;
use crate::statement::{change, get, marks, row, rows};

/// How many rows are taken at once, and about how many bytes.
const PORTION: u64 = 50;
const LARGEST: u64 = 4 * 1024 * 1024;

/// After so long nothing new appears below a row that was taken.
const SETTLED: TimeDelta = TimeDelta::hours(1);

/// For how long it is noted that a row was taken: longer than that by what clocks of nodes may
/// differ.
const NOTED: TimeDelta = TimeDelta::hours(2);

/// Makes the tables where they are missing, and fills users and webhooks in.
///
/// # Errors
/// `Unsupported` on SQLite, into which no other program writes.
pub async fn create(database: &Database, public_url: Option<&str>) -> Result<(), StoreError> {
    let engine = database.engine().await?;
    refuse_embedded(database).await?;
    let end = format!(
        "ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = {}",
        engine.binary_collation()
    );
    for columns in [
        "tbluser (id INT UNSIGNED NOT NULL AUTO_INCREMENT, email VARCHAR(45) NOT NULL, \
         phone VARCHAR(45) NOT NULL, token VARCHAR(45) NOT NULL, \
         status TINYINT UNSIGNED NOT NULL DEFAULT 0, pwd VARCHAR(45) NOT NULL, PRIMARY KEY (id))",
        "tblwhid (id INT UNSIGNED NOT NULL DEFAULT 0, user_id INT UNSIGNED NOT NULL, \
         wh_url VARCHAR(255) NOT NULL, wh_name VARCHAR(45) NOT NULL, \
         status TINYINT(1) NOT NULL, PRIMARY KEY (id))",
        "tblwh (id INT UNSIGNED NOT NULL AUTO_INCREMENT, content LONGTEXT NOT NULL, \
         ip VARCHAR(15) NOT NULL, api TINYINT(1) NOT NULL, dt VARCHAR(30) NOT NULL, \
         user_id INT UNSIGNED NOT NULL, wh_id INT UNSIGNED NOT NULL, PRIMARY KEY (id))",
        // Last: it tells a running server that the others are there.
        "inbox_legacy_rows (id INT UNSIGNED NOT NULL, taken_at DATETIME(6) NOT NULL, \
         PRIMARY KEY (id), KEY inbox_legacy_rows_taken_idx (taken_at))",
    ] {
        let sql = format!("CREATE TABLE IF NOT EXISTS {columns} {end}");
        let made = database.writer().execute_unprepared(&sql).await;
        made.map_err(db_err)?;
    }
    sync(database, public_url).await
}

/// Removes the tables. What was taken from them stays in the inbox.
///
/// # Errors
/// `Unsupported` on SQLite.
pub async fn drop(database: &Database) -> Result<(), StoreError> {
    refuse_embedded(database).await?;
    let sql = "DROP TABLE IF EXISTS inbox_legacy_rows, tblwh, tblwhid, tbluser";
    let dropped = database.writer().execute_unprepared(sql).await;
    dropped.map(std::mem::drop).map_err(db_err)
}

async fn refuse_embedded(database: &Database) -> Result<(), StoreError> {
    if database.engine().await?.is_server() {
        return Ok(());
    }
    Err(StoreError::Unsupported(
        "The tables of the older inbox need MySQL or MariaDB: no other program writes into the \
         embedded database"
            .to_owned(),
    ))
}

/// Whether the tables are there.
///
/// # Errors
/// What the engine says.
pub async fn exist(database: &Database) -> Result<bool, StoreError> {
    if !database.engine().await?.is_server() {
        return Ok(false);
    }
    let sql = "SELECT 1 FROM information_schema.tables \
         WHERE table_schema = DATABASE() AND table_name = 'inbox_legacy_rows'";
    Ok(row(database.reader(), sql, []).await?.is_some())
}

/// Brings `tbluser` and `tblwhid` up to date.
///
/// # Errors
/// What the engine says.
pub async fn sync(database: &Database, public_url: Option<&str>) -> Result<(), StoreError> {
    let connection = database.writer();
    let address = format!("{}/in/", public_url.unwrap_or_default());
    // An address that is too long for its column is left out.
    let email = "CASE WHEN CHAR_LENGTH(u.email) <= 45 THEN u.email ELSE '' END";
    let users = [
        format!(
            "INSERT IGNORE INTO tbluser (id, email, phone, token, status, pwd) \
             SELECT u.id, {email}, '', '', u.activated, '' FROM users u \
             LEFT JOIN tbluser t ON t.id = u.id WHERE t.id IS NULL"
        ),
        format!(
            "UPDATE tbluser t JOIN users u ON u.id = t.id SET t.email = {email}, t.status = u.activated \
             WHERE t.email <> {email} OR t.status <> u.activated"
        ),
    ];
    for sql in users {
        change(connection, &sql, []).await?;
    }
    let gone = "DELETE t FROM tblwhid t LEFT JOIN webhooks w ON w.id = t.id WHERE w.id IS NULL";
    change(connection, gone, []).await?;
    let url = "LEFT(CONCAT(?, w.rid), 255)";
    let new = format!(
        "INSERT IGNORE INTO tblwhid (id, user_id, wh_url, wh_name, status) \
         SELECT w.id, w.user_id, {url}, LEFT(w.name, 45), w.status FROM webhooks w \
         LEFT JOIN tblwhid t ON t.id = w.id WHERE t.id IS NULL"
    );
    change(connection, &new, [address.as_str().into()]).await?;
    let changed = "UPDATE tblwhid t JOIN webhooks w ON w.id = t.id \
         SET t.wh_name = LEFT(w.name, 45), t.status = w.status, t.wh_url = LEFT(CONCAT(?, w.rid), 255) \
         WHERE t.wh_name <> LEFT(w.name, 45) OR t.status <> w.status \
         OR t.wh_url <> LEFT(CONCAT(?, w.rid), 255)";
    let values = [address.as_str().into(), address.as_str().into()];
    change(connection, changed, values)
        .await
        .map(std::mem::drop)
}

/// Takes rows that nobody has taken yet; how many. The tables have to be there.
///
/// # Errors
/// What the engine says; then nothing was taken.
pub async fn take(
    database: &Database,
    arrivals: &ArrivalHub,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    let floor = floor(database, now).await?;
    if untaken(database.reader(), floor).await?.is_empty() {
        return Ok(0);
    }
    let now = stored(now);
    let taken: Result<Vec<NewMessage>, StoreError> =
        atomically!(database, |tx| take_inside(tx, floor, now).await);
    let taken = taken?;
    for message in &taken {
        if let Some(webhook) = message.webhook {
            arrivals.wake(webhook);
        }
    }
    Ok(taken.len())
}

/// The number below which nothing new can appear. What is noted of the rows below is deleted.
async fn floor(database: &Database, now: DateTime<Utc>) -> Result<i64, StoreError> {
    let newest = async |until: DateTime<Utc>| -> Result<Option<i64>, StoreError> {
        let sql = "SELECT CAST(MAX(id) AS SIGNED) FROM inbox_legacy_rows WHERE taken_at < ?";
        let found = row(database.reader(), sql, [stored(until).into()]).await?;
        Ok(found.map(|row| get(&row, 0)).transpose()?.flatten())
    };
    if let Some(old) = newest(now - NOTED).await? {
        let sql = "DELETE FROM inbox_legacy_rows WHERE id < ?";
        change(database.writer(), sql, [old.into()]).await?;
    }
    Ok(newest(now - SETTLED).await?.unwrap_or(0))
}

/// Rows that nobody has taken, as many as fit into one transaction.
async fn untaken(connection: &impl ConnectionTrait, floor: i64) -> Result<Vec<i64>, StoreError> {
    let sql = "SELECT CAST(w.id AS SIGNED), CAST(LENGTH(w.content) AS SIGNED) FROM tblwh w LEFT JOIN inbox_legacy_rows t ON t.id = w.id \
         WHERE w.id > ? AND t.id IS NULL ORDER BY w.id LIMIT ?";
    let found = rows(connection, sql, [floor.into(), PORTION.into()]).await?;
    let found = within(sizes(found)?, LARGEST, |(_, size)| *size);
    Ok(found.map(|(id, _)| id).collect())
}

async fn take_inside(
    tx: &DatabaseTransaction,
    floor: i64,
    now: DateTime<Utc>,
) -> Result<Vec<NewMessage>, StoreError> {
    // Other nodes wait here, and then find the rows taken.
    row(
        tx,
        "SELECT value FROM inbox_sequence WHERE id = 1 FOR UPDATE",
        [],
    )
    .await?;
    let ids = untaken(tx, floor).await?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let list = marks(ids.len());
    let sql = format!(
        "SELECT w.content, w.ip, CAST(w.api AS SIGNED), w.dt, CAST(w.user_id AS SIGNED), h.id, u.id \
         FROM tblwh w LEFT JOIN webhooks h ON h.id = w.wh_id AND h.user_id = w.user_id \
         LEFT JOIN users u ON u.id = w.user_id WHERE w.id IN ({list}) ORDER BY w.id"
    );
    let values: Vec<Value> = ids.iter().map(|id| (*id).into()).collect();
    let mut messages = Vec::new();
    for row in rows(tx, &sql, values).await? {
        let user: i64 = get(&row, 4)?;
        if get::<Option<i64>>(&row, 6)?.is_none() {
            tracing::warn!(user, "a row of tblwh belongs to no user; it is left out");
            continue;
        }
        let (content, time): (String, String) = (get(&row, 0)?, get(&row, 3)?);
        messages.push(NewMessage {
            owner: UserId(user),
            webhook: get::<Option<i64>>(&row, 5)?.map(WebhookId),
            method: "POST".to_owned(),
            path: String::new(),
            query: String::new(),
            headers: Vec::new(),
            body: content.into(),
            verdict: None,
            delivery_id: None,
            key: None,
            address: get(&row, 1)?,
            received: get::<i64>(&row, 2)? != 0,
            received_at: NaiveDateTime::parse_from_str(&time, "%Y-%m-%d %H:%M:%S")
                .map_or(now, |time| time.and_utc())
                // One from the future would be kept for ever, and with it all after it.
                .min(now),
        });
    }
    let note = format!(
        "INSERT INTO inbox_legacy_rows (id, taken_at) VALUES {}",
        vec!["(?, ?)"; ids.len()].join(", ")
    );
    let values = ids.iter().flat_map(|id| [(*id).into(), now.into()]);
    change(tx, &note, values).await?;
    store(tx, &messages).await?;
    Ok(messages)
}
