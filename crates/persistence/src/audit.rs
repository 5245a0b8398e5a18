//! The audit trail, and what keeps it from being changed.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Value};
use tidegate_domain::audit::{
    Action, AuditFilter, AuditTrail, Entry, FailedLogin, Recorded, Values,
};
use tidegate_domain::error::StoreError;
use tidegate_domain::page::{Page, PageRequest};

use crate::access::{Access, corrupt, stored};
use crate::error::db_err;
use crate::statement::{change, get, marks, row, rows};

/// How many rows are deleted at once.
const PORTION: u64 = 500;

/// The columns after the id.
const COLUMNS: &str = "at, actor_id, actor, action, target_kind, target, old_values, new_values, \
     request_id, address";

/// The audit trail of a database.
#[derive(Debug, Clone)]
pub struct AuditStore<A> {
    access: A,
}

impl<A> AuditStore<A> {
    /// On the pool or in a transaction.
    pub fn new(access: A) -> Self {
        Self { access }
    }
}

#[async_trait]
impl<A: Access> AuditTrail for AuditStore<A> {
    async fn record(&self, entry: &Entry) -> Result<(), StoreError> {
        let sql = format!("INSERT INTO audit ({COLUMNS}) VALUES ({})", marks(10));
        let values: [Value; 10] = [
            stored(entry.at).into(),
            entry.actor.map(|actor| actor.0).into(),
            cut(entry.actor_name.as_deref(), 64).into(),
            entry.action.name().into(),
            entry.target_kind.into(),
            cut(entry.target.as_deref(), 255).into(),
            text(entry.before.as_ref())?.into(),
            text(entry.after.as_ref())?.into(),
            cut(entry.request_id.as_deref(), 255).into(),
            entry.address.clone().into(),
        ];
        change(self.access.writer(), &sql, values).await.map(drop)
    }

    async fn list(
        &self,
        filter: &AuditFilter,
        page: PageRequest,
    ) -> Result<Page<Recorded>, StoreError> {
        let (condition, values) = condition(filter);
        let reader = self.access.reader();
        let sql = format!("SELECT COUNT(*) FROM audit{condition}");
        let total = row(reader, &sql, values.clone()).await?;
        let total: i64 = get(&total.ok_or_else(|| corrupt("count"))?, 0)?;
        let sql =
            format!("SELECT id, {COLUMNS} FROM audit{condition} ORDER BY id DESC LIMIT ? OFFSET ?");
        let bounds = [page.limit.into(), page.offset.into()];
        let found = rows(reader, &sql, values.into_iter().chain(bounds)).await?;
        Ok(Page {
            items: found.iter().map(recorded).collect::<Result<_, _>>()?,
            total: u64::try_from(total).map_err(|_| corrupt("count"))?,
        })
    }

    async fn failed_logins(
        &self,
        after: i64,
        since: DateTime<Utc>,
        limit: u64,
    ) -> Result<Vec<FailedLogin>, StoreError> {
        let sql = "SELECT id, address, new_values FROM audit \
             WHERE action = ? AND id > ? AND at >= ? ORDER BY id LIMIT ?";
        let values: [Value; 4] = [
            Action::LoginFailed.name().into(),
            after.into(),
            stored(since).into(),
            limit.into(),
        ];
        let found = rows(self.access.reader(), sql, values).await?;
        let read = |row: &QueryResult| {
            Ok(FailedLogin {
                id: get(row, 0)?,
                address: get(row, 1)?,
                after: values_of(get(row, 2)?)?,
            })
        };
        found.iter().map(read).collect()
    }

    async fn purge(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        let writer = self.access.writer();
        let mut deleted = 0;
        loop {
            // In portions, so that no lock is held for long.
            let sql = "SELECT id FROM audit WHERE at < ? ORDER BY at, id LIMIT ?";
            let old = rows(writer, sql, [stored(before).into(), PORTION.into()]).await?;
            let ids: Vec<i64> = old
                .iter()
                .map(|row| get(row, 0))
                .collect::<Result<_, _>>()?;
            if ids.is_empty() {
                return Ok(deleted);
            }
            let sql = format!("DELETE FROM audit WHERE id IN ({})", marks(ids.len()));
            deleted += change(writer, &sql, ids.into_iter().map(Value::from)).await?;
        }
    }
}

fn condition(filter: &AuditFilter) -> (String, Vec<Value>) {
    let (mut parts, mut values): (Vec<&str>, Vec<Value>) = (Vec::new(), Vec::new());
    if let Some(actor) = &filter.actor {
        // A name is never all digits.
        match actor.parse::<i64>() {
            Ok(id) => {
                parts.push("actor_id = ?");
                values.push(id.into());
            }
            Err(_) => {
                parts.push("actor = ?");
                values.push(actor.as_str().into());
            }
        }
    }
    for (part, value) in [
        ("action = ?", filter.action.map(|action| action.name())),
        ("target_kind = ?", filter.target_kind.as_deref()),
        ("target = ?", filter.target.as_deref()),
    ] {
        if let Some(value) = value {
            parts.push(part);
            values.push(value.into());
        }
    }
    for (part, value) in [("at >= ?", filter.since), ("at < ?", filter.until)] {
        if let Some(value) = value {
            parts.push(part);
            values.push(stored(value).into());
        }
    }
    if parts.is_empty() {
        (String::new(), values)
    } else {
        (format!(" WHERE {}", parts.join(" AND ")), values)
    }
}

fn recorded(row: &QueryResult) -> Result<Recorded, StoreError> {
    Ok(Recorded {
        id: get(row, 0)?,
        at: get(row, 1)?,
        actor_id: get(row, 2)?,
        actor: get(row, 3)?,
        action: get(row, 4)?,
        target_kind: get(row, 5)?,
        target: get(row, 6)?,
        before: values_of(get(row, 7)?)?,
        after: values_of(get(row, 8)?)?,
        request_id: get(row, 9)?,
        address: get(row, 10)?,
    })
}

fn values_of(text: Option<String>) -> Result<Option<Values>, StoreError> {
    let read = text.map(|text| serde_json::from_str(&text)).transpose();
    read.map_err(|_| corrupt("audit entry"))
}

fn text(values: Option<&Values>) -> Result<Option<String>, StoreError> {
    let written = values.map(serde_json::to_string).transpose();
    written.map_err(|error| StoreError::Internal(error.into()))
}

fn cut(text: Option<&str>, length: usize) -> Option<String> {
    text.map(|text| text.chars().take(length).collect())
}

/// What makes of the table one that is only added to: no row is changed, and none that is younger
/// than a day is deleted. In the dialect of each engine, with the name of each trigger.
fn triggers(backend: DbBackend) -> [(&'static str, &'static str); 2] {
    match backend {
        DbBackend::Sqlite => [
            (
                "audit_no_update",
                "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN \
                 SELECT RAISE(ABORT, 'the audit trail is only added to'); END",
            ),
            (
                "audit_no_delete",
                "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit \
                 WHEN julianday(OLD.at) > julianday('now') - 1 BEGIN \
                 SELECT RAISE(ABORT, 'the audit trail is only added to'); END",
            ),
        ],
        _ => [
            (
                "audit_no_update",
                "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit FOR EACH ROW \
                 SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the audit trail is only added to'",
            ),
            (
                "audit_no_delete",
                "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit FOR EACH ROW \
                 IF OLD.at > UTC_TIMESTAMP(6) - INTERVAL 1 DAY THEN \
                 SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the audit trail is only added to'; \
                 END IF",
            ),
        ],
    }
}

/// Makes the triggers that are missing, where the table is there. An account that may not make
/// them goes without: see [`is_protected`].
pub(crate) async fn protect(connection: &impl ConnectionTrait) -> Result<(), StoreError> {
    for (name, sql) in missing(connection).await? {
        // As one text: servers do not prepare such a statement.
        if let Err(error) = connection.execute_unprepared(sql).await.map_err(db_err) {
            let cause: &dyn std::error::Error = &error;
            tracing::info!(cause, trigger = name, "a trigger could not be made");
        }
    }
    Ok(())
}

/// Whether the table's triggers are there, as far as the account can see.
pub(crate) async fn is_protected(connection: &impl ConnectionTrait) -> Result<bool, StoreError> {
    Ok(missing(connection).await?.is_empty())
}

async fn missing(
    connection: &impl ConnectionTrait,
) -> Result<Vec<(&'static str, &'static str)>, StoreError> {
    let backend = connection.get_database_backend();
    let (table, known) = match backend {
        DbBackend::Sqlite => (
            "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'audit'",
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'",
        ),
        _ => (
            "SELECT COUNT(*) FROM information_schema.tables \
             WHERE table_schema = DATABASE() AND table_name = 'audit'",
            "SELECT CAST(trigger_name AS CHAR) FROM information_schema.triggers \
             WHERE trigger_schema = DATABASE() AND event_object_table = 'audit'",
        ),
    };
    let there = row(connection, table, []).await?;
    let there: i64 = there.map(|row| get(&row, 0)).transpose()?.unwrap_or(0);
    if there == 0 {
        return Ok(Vec::new());
    }
    let known: Vec<String> = rows(connection, known, [])
        .await?
        .iter()
        .map(|row| get(row, 0))
        .collect::<Result<_, _>>()?;
    let wanted = triggers(backend).into_iter();
    Ok(wanted
        .filter(|(name, _)| !known.iter().any(|known| known == name))
        .collect())
}
