//! Making, reading, changing and deleting the records of a resource.

use std::sync::Arc;

use chrono::{DateTime, SubsecRound as _, Utc};
use serde::Serialize;
use serde_json::Value;
use tidegate_domain::account::UserId;
use tidegate_domain::error::{StoreError, ViolationKind};
use tidegate_domain::idempotency::{Answer, RepeatableRequest};
use tidegate_domain::permission::{AdminOrSelf, Authorized};
use tidegate_domain::query::ask::{Clause, Query};
use tidegate_domain::resource::{
    Entity, Id, IdKind, ListRequest, Listed, NewRecord, Read, Records, Repository, Resource, Write,
    Writers, is,
};
use tidegate_domain::system::{Clock, Randomness};
use tidegate_domain::transaction::UnitOfWork;

use crate::error::AppError;
use crate::idempotency::{Idempotency, Reply, transact};

/// The use cases of one resource.
pub struct Crud<R: Resource>(CrudParts<R>);

/// The ports that [`Crud`] works on.
pub struct CrudParts<R: Resource> {
    /// The records.
    pub records: Arc<dyn Repository<R>>,
    /// Transactions over them.
    pub unit_of_work: Arc<dyn UnitOfWork<dyn Records<R>>>,
    /// Keeps repeated requests apart.
    pub idempotency: Idempotency,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Draws ids.
    pub randomness: Arc<dyn Randomness>,
}

impl<R: Resource> Crud<R> {
    /// Puts the parts together.
    pub fn new(parts: CrudParts<R>) -> Self {
        Self(parts)
    }
}

/// What can be done with the records of a resource. [`Crud`] does it for every resource that
/// has no rules of its own; one that has implements this by hand, on the same ports.
#[allow(
    async_fn_in_trait,
    reason = "the futures stay on the thread that asked for them"
)]
pub trait UseCases<R: Resource>: 'static {
    /// A record as clients see it.
    type Shown: Serialize;

    /// The record in it.
    fn entity(shown: &Self::Shown) -> &Entity<R>;

    /// Makes a record, owned by whoever asks where the resource has owners. A `request` that
    /// may be repeated makes one record however often it comes; `answer` says what is kept.
    ///
    /// # Errors
    /// A draft that breaks a rule; a unique member that is taken; a repetition that is under
    /// way or has another content.
    async fn create(
        &self,
        auth: &Authorized<Write<R>>,
        draft: R::Draft,
        request: Option<&RepeatableRequest>,
        answer: impl Fn(&Self::Shown) -> Result<Answer, AppError>,
    ) -> Result<Reply<Self::Shown>, AppError>;

    /// The record with this key, if the principal sees it.
    ///
    /// # Errors
    /// Not found.
    async fn get(&self, auth: &Authorized<Read<R>>, key: i64) -> Result<Self::Shown, AppError>;

    /// A part of the list; of one owner's records, where one is given.
    ///
    /// # Errors
    /// When the store fails.
    async fn list(
        &self,
        auth: &Authorized<Read<R>>,
        request: &ListRequest,
        owner: Option<UserId>,
    ) -> Result<Listed<Self::Shown>, AppError>;

    /// Changes the record with this key. `change` makes the new draft of the present record,
    /// which nobody else changes meanwhile; it is also the place for the conditions of a
    /// conditional request.
    ///
    /// # Errors
    /// Not found; [`Denied`](tidegate_domain::permission::Denied) for somebody else's record;
    /// those of `change`; a draft that breaks a rule; a unique member that is taken.
    async fn update(
        &self,
        auth: &Authorized<Write<R>>,
        key: i64,
        change: impl Fn(&Self::Shown) -> Result<R::Draft, AppError>,
    ) -> Result<Self::Shown, AppError>;

    /// Deletes the record with this key, unless `condition` refuses.
    ///
    /// # Errors
    /// Not found; [`Denied`](tidegate_domain::permission::Denied) for somebody else's record;
    /// those of `condition`.
    async fn delete(
        &self,
        auth: &Authorized<Write<R>>,
        key: i64,
        condition: impl Fn(&Self::Shown) -> Result<(), AppError>,
    ) -> Result<(), AppError>;
}

impl<R: Resource> UseCases<R> for Crud<R> {
    type Shown = Entity<R>;

    fn entity(shown: &Entity<R>) -> &Entity<R> {
        shown
    }

    async fn create(
        &self,
        auth: &Authorized<Write<R>>,
        draft: R::Draft,
        request: Option<&RepeatableRequest>,
        answer: impl Fn(&Entity<R>) -> Result<Answer, AppError>,
    ) -> Result<Reply<Entity<R>>, AppError> {
        let parts = &self.0;
        let now = now(parts.clock.as_ref());
        let record = new_record(draft, auth.principal().user, now, parts.randomness.as_ref());
        if request.is_none() {
            // One statement needs no transaction around it.
            return insert(parts.records.as_ref(), &record)
                .await
                .map(Reply::New);
        }
        let work = parts.unit_of_work.as_ref();
        parts
            .idempotency
            .once(work, request, answer, async |records| {
                insert(records.records(), &record).await
            })
            .await
    }

    async fn get(&self, _: &Authorized<Read<R>>, key: i64) -> Result<Entity<R>, AppError> {
        let found = self.0.records.find(key, &[]).await?;
        found.ok_or_else(|| not_found::<R>(key))
    }

    async fn list(
        &self,
        _: &Authorized<Read<R>>,
        request: &ListRequest,
        owner: Option<UserId>,
    ) -> Result<Listed<Entity<R>>, AppError> {
        Ok(self.0.records.list(&query::<R>(request, owner)).await?)
    }

    async fn update(
        &self,
        auth: &Authorized<Write<R>>,
        key: i64,
        change: impl Fn(&Entity<R>) -> Result<R::Draft, AppError>,
    ) -> Result<Entity<R>, AppError> {
        transact(self.0.unit_of_work.as_ref(), async |records| {
            let records = records.records();
            let current = lock(records, auth, key, &[]).await?;
            let draft = change(&current)?;
            // Only now: who waited for the lock must not be dated before who held it.
            replace(records, current, draft, now(self.0.clock.as_ref())).await
        })
        .await
    }

    async fn delete(
        &self,
        auth: &Authorized<Write<R>>,
        key: i64,
        condition: impl Fn(&Entity<R>) -> Result<(), AppError>,
    ) -> Result<(), AppError> {
        transact(self.0.unit_of_work.as_ref(), async |records| {
            let records = records.records();
            let current = lock(records, auth, key, &[]).await?;
            condition(&current)?;
            records.delete(&current.id).await?;
            Ok(())
        })
        .await
    }
}

/// The query for a list.
pub fn query<R: Resource>(request: &ListRequest, owner: Option<UserId>) -> Query {
    let mut query = request.query();
    let owner = R::SPEC.owner.zip(owner);
    query
        .filters
        .extend(owner.map(|(column, owner)| is(column, owner.0)));
    query
}

/// The record to be changed, which nobody else changes until the transaction ends.
///
/// # Errors
/// Not found in `scope`; [`Denied`](tidegate_domain::permission::Denied) for whoever is
/// neither an administrator nor the owner, where owners write.
pub async fn lock<R: Resource>(
    records: &dyn Repository<R>,
    auth: &Authorized<Write<R>>,
    key: i64,
    scope: &[Clause],
) -> Result<Entity<R>, AppError> {
    let current = records.lock(key, scope).await?;
    let current = current.ok_or_else(|| not_found::<R>(key))?;
    if R::SPEC.writers == Writers::Owners {
        // A record without an owner is nobody's: ids begin with 1.
        let owner = current.owner.unwrap_or(UserId(0));
        auth.principal().authorize(AdminOrSelf(owner))?;
    }
    Ok(current)
}

/// The present time as all engines keep it: microseconds.
pub fn now(clock: &dyn Clock) -> DateTime<Utc> {
    clock.now().trunc_subsecs(6)
}

/// A record to be stored, of `maker` where the resource has owners, with an id where the
/// database does not number them.
pub fn new_record<R: Resource>(
    draft: R::Draft,
    maker: UserId,
    now: DateTime<Utc>,
    randomness: &dyn Randomness,
) -> NewRecord<R> {
    NewRecord {
        id: match R::SPEC.id {
            IdKind::Number => None,
            IdKind::Uuid => Some(Id::Uuid(randomness.uuid())),
        },
        owner: R::SPEC.owner.map(|_| maker),
        draft,
        created_at: now,
    }
}

/// Stores a record.
///
/// # Errors
/// A draft that breaks a rule; a unique member that is taken.
pub async fn insert<R: Resource>(
    records: &dyn Repository<R>,
    record: &NewRecord<R>,
) -> Result<Entity<R>, AppError> {
    R::check(&record.draft, record.created_at)?;
    let id = records.insert(record).await.map_err(taken::<R>)?;
    Ok(Entity {
        id,
        owner: record.owner,
        draft: record.draft.clone(),
        created_at: record.created_at,
        updated_at: None,
    })
}

/// Puts a draft in place of the present one; one that is equal changes nothing.
///
/// # Errors
/// A draft that breaks a rule; a unique member that is taken.
pub async fn replace<R: Resource>(
    records: &dyn Repository<R>,
    current: Entity<R>,
    draft: R::Draft,
    now: DateTime<Utc>,
) -> Result<Entity<R>, AppError> {
    R::check(&draft, now)?;
    if draft == current.draft {
        return Ok(current);
    }
    let updated = records.update(&current.id, &draft, now).await;
    if !updated.map_err(taken::<R>)? {
        return Err(AppError::NotFound(format!(
            "The {} is gone",
            R::SPEC.singular
        )));
    }
    Ok(Entity {
        draft,
        updated_at: Some(now),
        ..current
    })
}

/// That there is no record with this key, or none for whoever asks.
pub fn not_found<R: Resource>(key: i64) -> AppError {
    let (singular, name) = (R::SPEC.singular, R::SPEC.key);
    AppError::NotFound(format!("There is no {singular} with {name} {key}"))
}

/// The conflict of a unique member. Servers name the key that refused, `items_name_key`, SQLite
/// the column.
fn taken<R: Resource>(error: StoreError) -> AppError {
    let (singular, plural) = (R::SPEC.singular, R::SPEC.plural);
    let StoreError::Constraint(violation) = &error else {
        return error.into();
    };
    let names = |column: &str| {
        violation.kind == ViolationKind::Unique
            && (violation.name == format!("{plural}_{column}_key")
                || violation.name == format!("{plural}.{column}"))
    };
    match R::SPEC.unique.iter().find(|(column, _)| names(column)) {
        Some((column, code)) => AppError::Conflict {
            code,
            detail: format!("Another {singular} has this {column}; choose a different one"),
        },
        None => error.into(),
    }
}

/// A draft as JSON with the members of `patch` in place of its own (RFC 7396, JSON Merge
/// Patch). A null stays, for the draft's type to judge: it would otherwise reset a member
/// that has a default.
///
/// # Errors
/// A draft that is no JSON, which is a fault of its type.
pub fn merged<D: Serialize>(
    draft: &D,
    patch: &serde_json::Map<String, Value>,
) -> Result<Value, StoreError> {
    let mut target =
        serde_json::to_value(draft).map_err(|error| StoreError::Internal(error.into()))?;
    for (name, value) in patch {
        json_patch::merge(&mut target[name.as_str()], value);
    }
    Ok(target)
}

#[cfg(test)]
mod tests;
