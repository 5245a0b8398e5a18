//! API versions: kept in memory, changed by administrators, refreshed from the store.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use serde_json::{Value, json};
use tidegate_domain::audit::Action;
use tidegate_domain::error::StoreError;
use tidegate_domain::permission::{Administer, Authorized};
use tidegate_domain::version::{Version, VersionName, VersionPatch, Versions as VersionStore};

use crate::audit::{Actor, Audit, Done, to_the_end};
use crate::error::AppError;

/// The API's versions; clones share the list.
#[derive(Clone)]
pub struct Versions {
    store: Arc<dyn VersionStore>,
    audit: Audit,
    supported: Arc<ArcSwapOption<HashMap<String, bool>>>,
}

impl Versions {
    /// An empty list; call [`Self::refresh`] before the first request and then every second or two.
    pub fn new(store: Arc<dyn VersionStore>) -> Self {
        Self {
            store,
            audit: Audit::nowhere(),
            supported: Arc::new(ArcSwapOption::empty()),
        }
    }

    /// Notes changes there.
    #[must_use]
    pub fn audited(mut self, audit: Audit) -> Self {
        self.audit = audit;
        self
    }

    /// Whether requests that name this version, or none, are answered; `None` before the list
    /// was read for the first time. Costs no query.
    pub fn supports(&self, version: Option<&str>) -> Option<bool> {
        let supported = self.supported.load();
        let supported = supported.as_ref()?;
        Some(version.is_none_or(|version| supported.get(version).copied().unwrap_or(false)))
    }

    /// Reads the list anew.
    ///
    /// # Errors
    /// When the store cannot be read; what was known stays.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let versions = self.store.list().await?;
        let supported = versions
            .into_iter()
            .map(|version| (version.version.as_str().to_owned(), version.supported))
            .collect();
        self.supported.store(Some(Arc::new(supported)));
        Ok(())
    }

    /// All versions.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self) -> Result<Vec<Version>, AppError> {
        Ok(self.store.list().await?)
    }

    /// Adds a version.
    ///
    /// # Errors
    /// A conflict when it exists.
    pub async fn add(
        &self,
        auth: &Authorized<Administer>,
        version: &VersionName,
        supported: bool,
    ) -> Result<Version, AppError> {
        let (it, auth, new) = (self.clone(), auth.clone(), version.clone());
        let added = to_the_end(async move {
            let added = it.store.insert(&new, supported).await?;
            let actor = Actor::Principal(auth.principal());
            let done = Done::new(actor, Action::VersionCreated, "version", added.id);
            it.audit.note(done.after(shown(&added))).await;
            Ok(added)
        });
        let added = added.await.map_err(|error| conflict(error, version))?;
        self.refresh().await?;
        Ok(added)
    }

    /// Changes a version.
    ///
    /// # Errors
    /// A conflict when the new name exists; not found.
    pub async fn change(
        &self,
        auth: &Authorized<Administer>,
        id: i64,
        patch: &VersionPatch,
    ) -> Result<Version, AppError> {
        let before = self.store.list().await?.into_iter().find(|it| it.id == id);
        let (it, auth, wanted) = (self.clone(), auth.clone(), patch.clone());
        let changed = to_the_end(async move {
            let changed = it.store.update(id, &wanted).await?;
            if let (Some(before), Some(changed)) = (&before, &changed) {
                let actor = Actor::Principal(auth.principal());
                let done = Done::new(actor, Action::VersionChanged, "version", id);
                let done = done.changed(shown(before), shown(changed));
                it.audit.note(done).await;
            }
            Ok(changed)
        });
        let changed = changed.await.map_err(|error| match &patch.version {
            Some(version) => conflict(error, version),
            None => error.into(),
        })?;
        self.refresh().await?;
        changed.ok_or_else(|| not_found(id))
    }

    /// Takes a version away.
    ///
    /// # Errors
    /// Not found.
    pub async fn remove(&self, auth: &Authorized<Administer>, id: i64) -> Result<(), AppError> {
        let before = self.store.list().await?.into_iter().find(|it| it.id == id);
        let (it, auth) = (self.clone(), auth.clone());
        let removed = to_the_end(async move {
            let removed = it.store.delete(id).await?;
            if removed && let Some(before) = &before {
                let actor = Actor::Principal(auth.principal());
                let done = Done::new(actor, Action::VersionDeleted, "version", id);
                it.audit.note(done.before(shown(before))).await;
            }
            Ok(removed)
        });
        let removed = removed.await?;
        self.refresh().await?;
        if removed { Ok(()) } else { Err(not_found(id)) }
    }
}

/// What the audit trail tells of a version.
fn shown(version: &Version) -> Value {
    json!({"version": version.version.as_str(), "supported": version.supported})
}

fn not_found(id: i64) -> AppError {
    AppError::NotFound(format!("There is no version with id {id}"))
}

fn conflict(error: StoreError, version: &VersionName) -> AppError {
    if AppError::is_unique_violation(&error, "version") {
        AppError::conflict(
            "version_exists",
            format!("The version {} exists already", version.as_str()),
        )
    } else {
        error.into()
    }
}

#[cfg(test)]
mod tests {
    use tidegate_domain::version::MockVersions;

    use super::*;

    fn version(id: i64, name: &str, supported: bool) -> Version {
        Version {
            id,
            version: VersionName::parse(name).unwrap(),
            supported,
        }
    }

    #[tokio::test]
    async fn only_listed_and_supported_versions_pass() {
        let mut store = MockVersions::new();
        store
            .expect_list()
            .returning(|| Ok(vec![version(1, "0.8", false), version(2, "1.0", true)]));
        let versions = Versions::new(Arc::new(store));
        assert_eq!(versions.supports(Some("1.0")), None);
        versions.refresh().await.unwrap();
        let answers = ["1.0", "0.8", "9"].map(|version| versions.supports(Some(version)));
        assert_eq!(versions.supports(None), Some(true));
        assert_eq!(answers, [Some(true), Some(false), Some(false)]);
    }
}
