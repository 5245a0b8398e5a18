//! The port [`DatabaseUsers`]: database accounts of MySQL and MariaDB.
//!
//! Statements here hold passwords. They are sent as they are, without being prepared, and
//! are never logged. Accounts of the server itself and the gateway's own are left alone.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use sqlx::mysql::{MySqlConnection, MySqlDatabaseError, MySqlRow};
use sqlx::{AssertSqlSafe, Executor, Row};
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::change::{DatabaseUser, DatabaseUserDraft, Privilege};
use tidegate_domain::gateway::name::{DatabaseName, is_system_account};
use tidegate_domain::gateway::port::DatabaseUsers;

use super::ddl::{mysql_name, mysql_text};
use super::pool::MySqlPool;

/// Accounts of a MySQL or MariaDB server.
pub struct MySqlAccounts {
    pool: MySqlPool,
}

impl MySqlAccounts {
    /// The accounts of the server behind `pool`.
    pub fn new(pool: MySqlPool) -> Self {
        Self { pool }
    }
}

/// The answer where there are no accounts: on SQLite.
pub struct NoAccounts;

impl NoAccounts {
    fn refuse<T>() -> Result<T, StoreError> {
        Err(StoreError::Unsupported(
            "SQLite has no database users: its databases are files, and only Tidegate opens them"
                .to_owned(),
        ))
    }
}

#[async_trait]
impl DatabaseUsers for NoAccounts {
    async fn create(&self, _: &DatabaseName, _: &DatabaseUserDraft) -> Result<(), StoreError> {
        Self::refuse()
    }

    async fn grant(&self, _: &DatabaseName, _: &DatabaseUserDraft) -> Result<(), StoreError> {
        Self::refuse()
    }

    async fn list(&self, _: &DatabaseName) -> Result<Vec<DatabaseUser>, StoreError> {
        Self::refuse()
    }

    async fn remove(&self, _: &DatabaseName, _: &str, _: &str) -> Result<bool, StoreError> {
        Self::refuse()
    }
}

#[async_trait]
impl DatabaseUsers for MySqlAccounts {
    async fn create(
        &self,
        database: &DatabaseName,
        user: &DatabaseUserDraft,
    ) -> Result<(), StoreError> {
        let mut lease = self.pool.begin(ALIVE).await?;
        let account = account(user.username.as_str(), user.host.as_str());
        let make = format!(
            "CREATE USER {account} IDENTIFIED BY {}",
            mysql_text(user.password.reveal())
        );
        let outcome = async {
            run(&mut lease, make).await?;
            let granted = run(&mut lease, grant(database, user)).await;
            if granted.is_err() {
                // An account without the privileges that were asked for must not stay behind.
                let _ = run(&mut lease, format!("DROP USER {account}")).await;
            }
            granted
        }
        .await;
        lease.end(outcome)
    }

    async fn grant(
        &self,
        database: &DatabaseName,
        user: &DatabaseUserDraft,
    ) -> Result<(), StoreError> {
        let mut lease = self.pool.begin(ALIVE).await?;
        let outcome = async {
            // A missing account is an error here; MariaDB's GRANT might make it.
            grants(&mut lease, user.username.as_str(), user.host.as_str()).await?;
            if is_own(&mut lease, user.username.as_str(), user.host.as_str()).await? {
                return Ok(());
            }
            run(&mut lease, grant(database, user)).await
        }
        .await;
        lease.end(outcome)
    }

    async fn list(&self, database: &DatabaseName) -> Result<Vec<DatabaseUser>, StoreError> {
        let mut lease = self.pool.begin(ALIVE).await?;
        let outcome = privileges(&mut lease, database).await;
        let granted = lease.end(outcome)?;
        let mut users: BTreeMap<(String, String), BTreeSet<Privilege>> = BTreeMap::new();
        for row in granted {
            if let Some(privilege) = Privilege::from_sql(&row.privilege) {
                users
                    .entry((row.username, row.host))
                    .or_default()
                    .insert(privilege);
            }
        }
        let all = Privilege::ALL.len() - 1;
        let user = |((username, host), privileges): ((String, String), BTreeSet<Privilege>)| {
            DatabaseUser {
                username,
                host,
                privileges: if privileges.len() == all {
                    vec![Privilege::All]
                } else {
                    privileges.into_iter().collect()
                },
            }
        };
        Ok(users.into_iter().map(user).collect())
    }

    async fn remove(
        &self,
        database: &DatabaseName,
        username: &str,
        host: &str,
    ) -> Result<bool, StoreError> {
        let mut lease = self.pool.begin(ALIVE).await?;
        let outcome = async {
            let here = privileges(&mut lease, database).await?;
            let patterns: BTreeSet<_> = here
                .into_iter()
                .filter(|row| row.username == username && row.host == host)
                .map(|row| row.pattern)
                .collect();
            if patterns.is_empty() || is_own(&mut lease, username, host).await? {
                return Ok(false);
            }
            let account = account(username, host);
            for pattern in patterns {
                // The right to pass privileges on is one by itself.
                let from = format!("ON {}.* FROM {account}", mysql_name(&pattern));
                run(&mut lease, format!("REVOKE ALL PRIVILEGES {from}")).await?;
                match run(&mut lease, format!("REVOKE GRANT OPTION {from}")).await {
                    Err(error) if number(&error) == Some(NO_SUCH_GRANT) => {}
                    other => other?,
                }
            }
            if grants(&mut lease, username, host)
                .await?
                .iter()
                .all(|line| is_nothing(line))
            {
                run(&mut lease, format!("DROP USER {account}")).await?;
            }
            Ok(true)
        }
        .await;
        lease.end(outcome)
    }
}

/// The first statement on a connection, which may turn out to be dead and then is replaced.
const ALIVE: &str = "SET SESSION lock_wait_timeout = 30";

/// That there is no such grant, or no such account.
const NO_SUCH_GRANT: u16 = 1141;

/// What one row of the list says.
struct Granted {
    username: String,
    host: String,
    pattern: String,
    privilege: String,
}

/// Every privilege on exactly this database, with the pattern it was given for: a name in
/// which wildcards may or may not have been escaped.
async fn privileges(
    connection: &mut MySqlConnection,
    database: &DatabaseName,
) -> Result<Vec<Granted>, sqlx::Error> {
    let sql = "SELECT GRANTEE, TABLE_SCHEMA, PRIVILEGE_TYPE FROM information_schema.SCHEMA_PRIVILEGES \
               WHERE REPLACE(TABLE_SCHEMA, '\\\\', '') = ?";
    let rows = sqlx::query(sql)
        .bind(database.as_str())
        .fetch_all(connection)
        .await?;
    let mut granted = Vec::new();
    for row in rows {
        let (grantee, pattern) = (text(&row, 0)?, text(&row, 1)?);
        let Some((username, host)) = read_account(&grantee) else {
            continue;
        };
        // The comparison of the server may have been one without case.
        if !is_system_account(&username) && pattern.replace('\\', "") == database.as_str() {
            granted.push(Granted {
                username,
                host,
                pattern,
                privilege: text(&row, 2)?,
            });
        }
    }
    Ok(granted)
}

/// The statements that would give an account what it has. An error when it is not there.
async fn grants(
    connection: &mut MySqlConnection,
    username: &str,
    host: &str,
) -> Result<Vec<String>, sqlx::Error> {
    let sql = format!("SHOW GRANTS FOR {}", account(username, host));
    let rows = connection
        .fetch_all(sqlx::raw_sql(AssertSqlSafe(sql)))
        .await?;
    rows.iter().map(|row| text(row, 0)).collect()
}

/// Whether a line of `SHOW GRANTS` gives nothing but the right to connect.
fn is_nothing(line: &str) -> bool {
    line.starts_with("GRANT USAGE ON *.* TO ") && !line.contains(" WITH GRANT OPTION")
}

/// Whether it is the account that this connection uses.
async fn is_own(
    connection: &mut MySqlConnection,
    username: &str,
    host: &str,
) -> Result<bool, sqlx::Error> {
    let row = connection
        .fetch_one(sqlx::raw_sql("SELECT CURRENT_USER()"))
        .await?;
    Ok(text(&row, 0)? == format!("{username}@{host}"))
}

/// In a grant the name of the database is a pattern, whose wildcards must be escaped.
fn grant(database: &DatabaseName, user: &DatabaseUserDraft) -> String {
    let privileges: BTreeSet<_> = user.privileges.iter().copied().collect();
    let privileges = match privileges.contains(&Privilege::All) {
        true => Privilege::All.sql().to_owned(),
        false => privileges
            .into_iter()
            .map(Privilege::sql)
            .collect::<Vec<_>>()
            .join(", "),
    };
    let pattern = database.as_str().replace('_', "\\_").replace('%', "\\%");
    format!(
        "GRANT {privileges} ON {}.* TO {}",
        mysql_name(&pattern),
        account(user.username.as_str(), user.host.as_str())
    )
}

fn account(username: &str, host: &str) -> String {
    format!("{}@{}", mysql_text(username), mysql_text(host))
}

/// Reads `'name'@'host'` of the information schema, which doubles no quotes.
fn read_account(grantee: &str) -> Option<(String, String)> {
    let inner = grantee.strip_prefix('\'')?.strip_suffix('\'')?;
    let (username, host) = inner.rsplit_once("'@'")?;
    Some((username.to_owned(), host.to_owned()))
}

async fn run(connection: &mut MySqlConnection, sql: String) -> Result<(), sqlx::Error> {
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(sql)))
        .await
        .map(drop)
}

fn number(error: &sqlx::Error) -> Option<u16> {
    match error {
        sqlx::Error::Database(error) => {
            Some(error.try_downcast_ref::<MySqlDatabaseError>()?.number())
        }
        _ => None,
    }
}

fn text(row: &MySqlRow, at: usize) -> Result<String, sqlx::Error> {
    row.try_get_unchecked(at)
}

#[cfg(test)]
mod tests {
    use tidegate_domain::gateway::name::{AccountHost, AccountName};
    use tidegate_domain::secret::Secret;

    use super::*;

    #[test]
    fn a_grant_is_for_one_database_and_not_for_a_pattern() {
        let user = DatabaseUserDraft {
            username: AccountName::new("ann").unwrap(),
            host: AccountHost::new("%").unwrap(),
            password: Secret::new("x'y\\"),
            privileges: vec![Privilege::Insert, Privilege::Select, Privilege::Select],
        };
        let database = DatabaseName::existing("my_shop%", "tidegate").unwrap();
        assert_eq!(
            grant(&database, &user),
            r"GRANT SELECT, INSERT ON `my\_shop\%`.* TO 'ann'@'%'"
        );
        let all = DatabaseUserDraft {
            privileges: vec![Privilege::Select, Privilege::All],
            ..user
        };
        assert!(grant(&database, &all).starts_with("GRANT ALL PRIVILEGES ON"));
    }

    #[test]
    fn an_account_without_privileges_is_told_from_others() {
        assert!(is_nothing(
            "GRANT USAGE ON *.* TO `ann`@`%` IDENTIFIED BY PASSWORD '*00'"
        ));
        assert!(!is_nothing(
            "GRANT USAGE ON *.* TO `ann`@`%` WITH GRANT OPTION"
        ));
        assert!(!is_nothing("GRANT SELECT ON `a`.* TO `ann`@`%`"));
        assert_eq!(
            read_account("'o'brien'@'10.0.0.%'"),
            Some(("o'brien".into(), "10.0.0.%".into()))
        );
    }
}
