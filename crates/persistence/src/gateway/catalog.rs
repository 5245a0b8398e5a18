//! The catalogue: what databases hold, read from the engine once and then kept.
//!
//! A database's description is swapped whole, so that whoever planned with the old one goes
//! on with it. Several requests for a database that is not known yet share one discovery.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::change::DatabaseSummary;
use tidegate_domain::gateway::name::DatabaseName;
use tidegate_domain::gateway::port::SchemaCatalog;
use tidegate_domain::gateway::schema::{DatabaseSchema, Table};

use super::mysql::discover::MySqlDiscovery;
use super::pool::{MySqlPool, SqliteFiles};
use super::sqlite::discover::SqliteDiscovery;

/// How long it is believed that a database does not exist. Short, since databases are made
/// behind the catalogue's back, too.
const ABSENT_FOR: Duration = Duration::from_secs(1);

/// For how long a description is believed that lacks what somebody asks for.
const BELIEVED_FOR: Duration = Duration::from_secs(1);

/// How many names without a database are remembered before old ones are forgotten.
const MOST_ABSENT: usize = 1000;

/// What an engine says of its databases.
#[async_trait]
pub(crate) trait Discovery: Send + Sync {
    /// All tables and views of a database; `None` when there is no such database.
    async fn tables(&self, database: &DatabaseName) -> Result<Option<Vec<Table>>, StoreError>;
    /// One table or view.
    async fn table(
        &self,
        database: &DatabaseName,
        table: &str,
    ) -> Result<Option<Table>, StoreError>;
    /// All databases.
    async fn databases(&self) -> Result<Vec<DatabaseSummary>, StoreError>;
}

/// The catalogue of all databases of the gateway.
pub struct Catalog {
    discovery: Box<dyn Discovery>,
    entries: Mutex<HashMap<DatabaseName, Arc<Entry>>>,
}

/// One database, known or being asked for.
#[derive(Default)]
struct Entry {
    known: ArcSwapOption<Known>,
    // Held while the engine is asked.
    asking: tokio::sync::Mutex<()>,
    // How many questions were begun.
    questions: AtomicU64,
    // Whether somebody asked since it was last refreshed.
    used: AtomicBool,
}

struct Known {
    schema: Option<Arc<DatabaseSchema>>,
    since: Instant,
    // The question that this answers.
    question: u64,
}

impl Known {
    fn is_fresh(&self) -> bool {
        self.schema.is_some() || self.since.elapsed() < ABSENT_FOR
    }
}

impl Catalog {
    /// The databases of a MySQL or MariaDB server; `own` is the name of Tidegate's own.
    pub fn mysql(pool: MySqlPool, own: impl Into<String>) -> Self {
        Self::over(Box::new(MySqlDiscovery::new(pool, own.into())))
    }

    /// The databases in a folder.
    pub fn sqlite(files: Arc<SqliteFiles>) -> Self {
        Self::over(Box::new(SqliteDiscovery::new(files)))
    }

    fn over(discovery: Box<dyn Discovery>) -> Self {
        Self {
            discovery,
            entries: Mutex::default(),
        }
    }

    /// Reads one table anew after a change of it, and leaves the others as they are known.
    pub(crate) async fn reload_table(
        &self,
        database: &DatabaseName,
        name: &str,
    ) -> Result<Option<Arc<Table>>, StoreError> {
        let entry = self.entry(database);
        let _asking = entry.asking.lock().await;
        let known = entry.known.load_full();
        let Some((known, old)) = known
            .as_ref()
            .and_then(|known| Some((known, known.schema.as_ref()?)))
        else {
            let schema = self.ask(&entry, database).await?;
            return Ok(schema.and_then(|schema| schema.table(name).cloned()));
        };
        let began = Instant::now();
        let table = self.discovery.table(database, name).await;
        measured(began.elapsed(), table.is_ok());
        let table = table?.map(Arc::new);
        let mut tables: Vec<_> = old
            .tables
            .iter()
            .filter(|table| table.name != name)
            .cloned()
            .collect();
        tables.extend(table.clone());
        // The other tables are as old as before, so this answers no later question.
        entry.known.store(Some(Arc::new(Known {
            schema: Some(Arc::new(DatabaseSchema::new(database.clone(), tables))),
            since: known.since,
            question: known.question,
        })));
        Ok(table)
    }

    /// How many databases are described, and the age of the oldest description.
    pub(crate) fn ages(&self) -> (usize, Duration) {
        let entries = self.lock();
        let ages = entries.values().filter_map(|entry| {
            let known = entry.known.load();
            let known = known.as_ref()?;
            known.schema.as_ref().map(|_| known.since.elapsed())
        });
        ages.fold((0, Duration::ZERO), |(count, oldest), age| {
            (count + 1, oldest.max(age))
        })
    }

    /// Forgets a database that was dropped.
    pub(crate) fn forget(&self, database: &DatabaseName) {
        self.lock().remove(database);
    }

    fn entry(&self, database: &DatabaseName) -> Arc<Entry> {
        let mut entries = self.lock();
        if !entries.contains_key(database) && entries.len() >= MOST_ABSENT {
            // Names come from requests, so those without a database must not pile up.
            entries.retain(|_, entry| {
                Arc::strong_count(entry) > 1
                    || entry
                        .known
                        .load()
                        .as_ref()
                        .is_some_and(|known| known.is_fresh())
            });
        }
        Arc::clone(entries.entry(database.clone()).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DatabaseName, Arc<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(
        &self,
        entry: &Entry,
        database: &DatabaseName,
    ) -> Result<Option<Arc<DatabaseSchema>>, StoreError> {
        let question = entry.begin();
        let began = Instant::now();
        let tables = self.discovery.tables(database).await;
        measured(began.elapsed(), tables.is_ok());
        let tables = tables?;
        let schema = tables.map(|tables| {
            let tables = tables.into_iter().map(Arc::new).collect();
            Arc::new(DatabaseSchema::new(database.clone(), tables))
        });
        entry.know(question, schema.clone());
        Ok(schema)
    }
}

impl Entry {
    /// The number of a question that begins now.
    fn begin(&self) -> u64 {
        self.questions.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn know(&self, question: u64, schema: Option<Arc<DatabaseSchema>>) {
        self.known.store(Some(Arc::new(Known {
            schema,
            since: Instant::now(),
            question,
        })));
    }
}

/// Counts a question that took so long.
fn measured(took: Duration, answered: bool) {
    let outcome = if answered { "success" } else { "failure" };
    metrics::histogram!("tidegate_catalogue_reload_duration_seconds").record(took);
    metrics::counter!("tidegate_catalogue_reloads_total", "outcome" => outcome).increment(1);
}

#[async_trait]
impl SchemaCatalog for Catalog {
    async fn schema(
        &self,
        database: &DatabaseName,
    ) -> Result<Option<Arc<DatabaseSchema>>, StoreError> {
        let entry = self.entry(database);
        entry.used.store(true, Ordering::Relaxed);
        let known = |entry: &Entry| {
            entry
                .known
                .load()
                .as_ref()
                .filter(|known| known.is_fresh())
                .map(|known| known.schema.clone())
        };
        if let Some(schema) = known(&entry) {
            return Ok(schema);
        }
        let _asking = entry.asking.lock().await;
        // Another request may have got the answer meanwhile.
        match known(&entry) {
            Some(schema) => Ok(schema),
            None => self.ask(&entry, database).await,
        }
    }

    async fn reload(
        &self,
        database: &DatabaseName,
    ) -> Result<Option<Arc<DatabaseSchema>>, StoreError> {
        let entry = self.entry(database);
        let before = entry.questions.load(Ordering::SeqCst);
        let _asking = entry.asking.lock().await;
        // A question that was begun after this call is as good as one of its own.
        match entry
            .known
            .load_full()
            .filter(|known| known.question > before)
        {
            Some(known) => Ok(known.schema.clone()),
            None => self.ask(&entry, database).await,
        }
    }

    async fn newer(
        &self,
        known: &Arc<DatabaseSchema>,
    ) -> Result<Option<Arc<DatabaseSchema>>, StoreError> {
        let entry = self.entry(&known.name);
        // What came while this one waited is newer, too.
        let _asking = entry.asking.lock().await;
        match entry.known.load().as_ref() {
            Some(now) if !now.schema.as_ref().is_some_and(|it| Arc::ptr_eq(it, known)) => {
                Ok(now.schema.clone())
            }
            Some(now) if now.since.elapsed() < BELIEVED_FOR => Ok(None),
            _ => self.ask(&entry, &known.name).await,
        }
    }

    async fn refresh(&self) -> Result<(), StoreError> {
        let mut used = Vec::new();
        self.lock().retain(|name, entry| {
            let is_used = entry.used.swap(false, Ordering::Relaxed);
            if is_used {
                used.push(name.clone());
            }
            // One that somebody holds is about to be used.
            is_used || Arc::strong_count(entry) > 1
        });
        let mut outcome = Ok(());
        // One after the other, so that requests are not kept from connections.
        for name in used {
            // One that cannot be read keeps nobody from learning of the others.
            if let Err(error) = self.reload(&name).await {
                outcome = Err(error);
            }
        }
        outcome
    }

    async fn databases(&self) -> Result<Vec<DatabaseSummary>, StoreError> {
        let mut summaries = self.discovery.databases().await?;
        summaries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(summaries)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// Answers slowly, and counts.
    #[derive(Default)]
    struct Slow {
        asked: Arc<AtomicUsize>,
        there: bool,
    }

    #[async_trait]
    impl Discovery for Slow {
        async fn tables(&self, _: &DatabaseName) -> Result<Option<Vec<Table>>, StoreError> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok(self.there.then(Vec::new))
        }

        async fn table(&self, _: &DatabaseName, _: &str) -> Result<Option<Table>, StoreError> {
            Ok(None)
        }

        async fn databases(&self) -> Result<Vec<DatabaseSummary>, StoreError> {
            Ok(Vec::new())
        }
    }

    fn shop() -> DatabaseName {
        DatabaseName::new("shop", "tidegate").unwrap()
    }

    #[tokio::test]
    async fn many_that_wait_ask_once() {
        let asked = Arc::new(AtomicUsize::default());
        let catalog = Catalog::over(Box::new(Slow {
            asked: Arc::clone(&asked),
            there: true,
        }));
        let shop = shop();
        let answers = futures_util::future::join_all((0..20).map(|_| catalog.schema(&shop))).await;
        assert!(
            answers
                .iter()
                .all(|answer| answer.as_ref().unwrap().is_some())
        );
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        // Two at most: one that was under way when the others came, and one for all of them.
        futures_util::future::join_all((0..20).map(|_| catalog.reload(&shop))).await;
        assert!(asked.load(Ordering::SeqCst) <= 3);
    }

    #[tokio::test]
    async fn the_old_description_serves_while_a_new_one_is_read() {
        let catalog = Catalog::over(Box::new(Slow {
            there: true,
            ..Slow::default()
        }));
        catalog.schema(&shop()).await.unwrap();
        let shop = shop();
        let mut reload = std::pin::pin!(catalog.reload(&shop));
        assert!(futures_util::poll!(&mut reload).is_pending());
        // Nobody drives the reload on: who waited for it would wait for ever.
        let answer = tokio::time::timeout(Duration::from_secs(10), catalog.schema(&shop)).await;
        assert!(answer.unwrap().unwrap().is_some());
        assert!(reload.await.unwrap().is_some());
    }

    #[tokio::test]
    async fn what_is_used_is_refreshed_and_what_is_not_is_forgotten() {
        let asked = Arc::new(AtomicUsize::default());
        let catalog = Catalog::over(Box::new(Slow {
            asked: Arc::clone(&asked),
            there: true,
        }));
        let (shop, other) = (shop(), DatabaseName::new("other", "tidegate").unwrap());
        catalog.schema(&shop).await.unwrap();
        catalog.schema(&other).await.unwrap();
        catalog.refresh().await.unwrap();
        assert_eq!((asked.load(Ordering::SeqCst), catalog.ages().0), (4, 2));
        catalog.schema(&shop).await.unwrap();
        catalog.refresh().await.unwrap();
        assert_eq!((asked.load(Ordering::SeqCst), catalog.ages().0), (5, 1));
        catalog.refresh().await.unwrap();
        assert_eq!((asked.load(Ordering::SeqCst), catalog.ages().0), (5, 0));
        // Whoever asks then has it read as at the first time.
        assert!(catalog.schema(&shop).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_missing_database_is_asked_for_again_soon() {
        let asked = Arc::new(AtomicUsize::default());
        let catalog = Catalog::over(Box::new(Slow {
            asked: Arc::clone(&asked),
            there: false,
        }));
        for _ in 0..5 {
            assert!(catalog.schema(&shop()).await.unwrap().is_none());
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        tokio::time::sleep(ABSENT_FOR).await;
        catalog.schema(&shop()).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }
}
