//! The routines of databases, kept for a little while.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tidegate_domain::gateway::name::DatabaseName;
use tidegate_domain::gateway::routine::{Routine, RoutineKind};
use tidegate_domain::gateway::schema::DatabaseSchema;

/// For how long a description is believed: routines are made and changed past Tidegate, which
/// nobody tells of.
pub(crate) const BELIEVED_FOR: Duration = Duration::from_secs(5);

/// For how long it is believed by whoever misses a routine.
pub(crate) const MISSED_AFTER: Duration = Duration::from_secs(1);

/// The routines of one database.
pub(crate) struct Known {
    /// By name.
    pub(crate) routines: Arc<[Arc<Routine>]>,
    /// Those that leave nothing behind in their session.
    pub(crate) tidy: HashSet<(RoutineKind, String)>,
    since: Instant,
    // With a new description of the tables comes one of the routines.
    schema: Weak<DatabaseSchema>,
}

/// Those of all databases that were asked for.
#[derive(Default)]
pub(crate) struct Cache {
    known: Mutex<HashMap<DatabaseName, Arc<Known>>>,
}

impl Cache {
    /// What is known, where it is no older than this.
    pub(crate) fn get(&self, schema: &Arc<DatabaseSchema>, age: Duration) -> Option<Arc<Known>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .get(&schema.name)
            .filter(|it| it.since.elapsed() < age && it.schema.as_ptr() == Arc::as_ptr(schema))
            .cloned()
    }

    /// Keeps what was read just now.
    pub(crate) fn put(
        &self,
        schema: &Arc<DatabaseSchema>,
        mut routines: Vec<Arc<Routine>>,
        tidy: HashSet<(RoutineKind, String)>,
    ) -> Arc<Known> {
        routines.sort_by(|one, other| one.name.cmp(&other.name));
        let known = Arc::new(Known {
            routines: routines.into(),
            tidy,
            since: Instant::now(),
            schema: Arc::downgrade(schema),
        });
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(schema.name.clone(), Arc::clone(&known));
        known
    }

    /// Whether a routine of this name is known to leave nothing behind in its session.
    pub(crate) fn is_tidy(&self, schema: &DatabaseSchema, routine: &Routine) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .get(&schema.name)
            .is_some_and(|it| it.tidy.contains(&(routine.kind, routine.name.clone())))
    }
}
