//! Posts and votes: a resource with rules of its own, on the same ports as every other.
//!
//! What one sees of posts is part of every look-up, so a post that is hidden from somebody is
//! to them one that does not exist. Posts are shown with their owner's name and their votes.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tidegate_domain::account::{UserId, Users};
use tidegate_domain::error::{StoreError, Violation, ViolationKind};
use tidegate_domain::idempotency::{Answer, RepeatableRequest};
use tidegate_domain::permission::{Authorized, Principal, SignedIn};
use tidegate_domain::post::{Owner, Post, PostDetails, PostDraft, PostRecords, Votes, visible_to};
use tidegate_domain::resource::{
    Entity, Id, ListRequest, Listed, Read, Repository, Resource, Write,
};
use tidegate_domain::system::{Clock, Randomness};
use tidegate_domain::transaction::UnitOfWork;

use crate::crud::{UseCases, insert, lock, new_record, not_found, now, query, replace};
use crate::error::AppError;
use crate::idempotency::{Idempotency, Reply, transact};

/// The use cases of posts and votes.
pub struct Posts(PostsParts);

/// The ports that [`Posts`] works on.
pub struct PostsParts {
    /// The posts.
    pub posts: Arc<dyn Repository<Post>>,
    /// The votes.
    pub votes: Arc<dyn Votes>,
    /// The users, for the names of owners.
    pub users: Arc<dyn Users>,
    /// Transactions over them.
    pub unit_of_work: Arc<dyn UnitOfWork<dyn PostRecords>>,
    /// Keeps repeated requests apart.
    pub idempotency: Idempotency,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Draws ids, for resources that want it.
    pub randomness: Arc<dyn Randomness>,
}

/// Which way a vote goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// It is given.
    Add,
    /// It is taken away.
    Remove,
}

impl Posts {
    /// Puts the parts together.
    pub fn new(parts: PostsParts) -> Self {
        Self(parts)
    }

    /// Gives the principal's vote to a post, or takes it away; `request` and `answer` as for
    /// [`UseCases::create`].
    ///
    /// # Errors
    /// Not found: the post, or the vote to be taken away. A conflict for a second vote.
    pub async fn vote(
        &self,
        auth: &Authorized<SignedIn>,
        id: i64,
        direction: Direction,
        request: Option<&RepeatableRequest>,
        answer: impl Fn(&()) -> Result<Answer, AppError>,
    ) -> Result<Reply<()>, AppError> {
        let now = now(self.0.clock.as_ref());
        let work = self.0.unit_of_work.as_ref();
        self.0
            .idempotency
            .once(work, request, answer, async |records| {
                cast(records, auth.principal(), id, direction, now).await
            })
            .await
    }
}

impl UseCases<Post> for Posts {
    type Shown = PostDetails;

    fn entity(shown: &PostDetails) -> &Entity<Post> {
        &shown.post
    }

    async fn create(
        &self,
        auth: &Authorized<Write<Post>>,
        draft: PostDraft,
        request: Option<&RepeatableRequest>,
        answer: impl Fn(&PostDetails) -> Result<Answer, AppError>,
    ) -> Result<Reply<PostDetails>, AppError> {
        let now = now(self.0.clock.as_ref());
        let record = new_record(
            draft,
            auth.principal().user,
            now,
            self.0.randomness.as_ref(),
        );
        let work = self.0.unit_of_work.as_ref();
        self.0
            .idempotency
            .once(work, request, answer, async |records| {
                let post = insert(records.records(), &record).await?;
                one(post, records.votes(), records.users()).await
            })
            .await
    }

    async fn get(&self, auth: &Authorized<Read<Post>>, id: i64) -> Result<PostDetails, AppError> {
        let found = self.0.posts.find(id, &visible_to(auth.principal())).await?;
        let post = found.ok_or_else(|| not_found::<Post>(id))?;
        one(post, self.0.votes.as_ref(), self.0.users.as_ref()).await
    }

    async fn list(
        &self,
        auth: &Authorized<Read<Post>>,
        request: &ListRequest,
        owner: Option<UserId>,
    ) -> Result<Listed<PostDetails>, AppError> {
        let mut query = query::<Post>(request, owner);
        query.scope = visible_to(auth.principal());
        let Listed { items, total } = self.0.posts.list(&query).await?;
        let items = details(items, self.0.votes.as_ref(), self.0.users.as_ref()).await?;
        Ok(Listed { items, total })
    }

    async fn update(
        &self,
        auth: &Authorized<Write<Post>>,
        id: i64,
        change: impl Fn(&PostDetails) -> Result<PostDraft, AppError>,
    ) -> Result<PostDetails, AppError> {
        transact(self.0.unit_of_work.as_ref(), async |records| {
            let current = locked(records, auth, id).await?;
            let draft = change(&current)?;
            let now = now(self.0.clock.as_ref());
            let post = replace(records.records(), current.post, draft, now).await?;
            Ok(PostDetails { post, ..current })
        })
        .await
    }

    async fn delete(
        &self,
        auth: &Authorized<Write<Post>>,
        id: i64,
        condition: impl Fn(&PostDetails) -> Result<(), AppError>,
    ) -> Result<(), AppError> {
        transact(self.0.unit_of_work.as_ref(), async |records| {
            let current = locked(records, auth, id).await?;
            condition(&current)?;
            records.records().delete(&current.post.id).await?;
            Ok(())
        })
        .await
    }
}

async fn locked(
    records: &dyn PostRecords,
    auth: &Authorized<Write<Post>>,
    id: i64,
) -> Result<PostDetails, AppError> {
    let scope = visible_to(auth.principal());
    let post = lock(records.records(), auth, id, &scope).await?;
    one(post, records.votes(), records.users()).await
}

async fn cast(
    records: &dyn PostRecords,
    principal: &Principal,
    id: i64,
    direction: Direction,
    now: DateTime<Utc>,
) -> Result<(), AppError> {
    let scope = visible_to(principal);
    if records.records().find(id, &scope).await?.is_none() {
        return Err(not_found::<Post>(id));
    }
    match direction {
        Direction::Add => match records.votes().add(id, principal.user, now).await {
            Err(StoreError::Constraint(Violation {
                kind: ViolationKind::Unique,
                ..
            })) => Err(AppError::conflict(
                "already_voted",
                format!("You voted for post {id} already; take that vote away first"),
            )),
            // Deleted since it was looked for.
            Err(StoreError::Constraint(Violation {
                kind: ViolationKind::ForeignKeyParent,
                ..
            })) => Err(not_found::<Post>(id)),
            added => Ok(added?),
        },
        Direction::Remove if records.votes().remove(id, principal.user).await? => Ok(()),
        Direction::Remove => Err(AppError::NotFound(format!(
            "You have no vote for post {id} to take away"
        ))),
    }
}

/// A post with what belongs to it.
async fn one(
    post: Entity<Post>,
    votes: &dyn Votes,
    users: &dyn Users,
) -> Result<PostDetails, AppError> {
    let found = details(vec![post], votes, users).await?.pop();
    found.ok_or_else(|| corrupt("post").into())
}

/// Posts with what belongs to them, in two look-ups for all of them.
async fn details(
    posts: Vec<Entity<Post>>,
    votes: &dyn Votes,
    users: &dyn Users,
) -> Result<Vec<PostDetails>, AppError> {
    if posts.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<i64> = posts.iter().map(number).collect::<Result<_, _>>()?;
    let mut owners: Vec<UserId> = posts.iter().filter_map(|post| post.owner).collect();
    owners.sort_unstable();
    owners.dedup();
    let (votes, names) = (votes.count(&ids).await?, users.names(&owners).await?);
    let detailed = posts.into_iter().zip(ids).map(|(post, id)| {
        let owner = post.owner.ok_or_else(|| corrupt("owner"))?;
        let username = names.get(&owner).cloned();
        Ok(PostDetails {
            owner: Owner {
                id: owner,
                username: username.ok_or_else(|| corrupt("owner"))?,
            },
            votes: votes.get(&id).copied().unwrap_or(0),
            post,
        })
    });
    detailed.collect()
}

fn number(post: &Entity<Post>) -> Result<i64, StoreError> {
    match post.id {
        Id::Number(number) => Ok(number),
        Id::Uuid(_) => Err(corrupt(Post::SPEC.singular)),
    }
}

fn corrupt(what: &str) -> StoreError {
    StoreError::Internal(format!("a stored {what} is not valid").into())
}

#[cfg(test)]
mod tests;
