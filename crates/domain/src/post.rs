//! Posts, which others see once they are published and vote for. A resource with rules of its
//! own: what of it one sees depends on who asks, and votes are a second aggregate beside it.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::account::{UserId, Username, Users};
use crate::error::StoreError;
use crate::permission::Principal;
use crate::query::ask::Clause;
use crate::resource::{Entity, List, Records, Resource, Spec, Writers, is};
use crate::text::{Int, Line, Text};

/// The resource `/posts`.
#[derive(Debug)]
pub struct Post;

/// What a client may send of a post.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "title": "Low water", "content": "The north quay is dry until Thursday.", "rating": 4,
}))]
pub struct PostDraft {
    /// What it is about.
    #[schema(inline)]
    pub title: Line<1, 255>,
    /// What it says.
    #[schema(inline)]
    pub content: Text<1, 16000>,
    /// Whether others see it.
    #[serde(default = "published")]
    #[schema(default = true)]
    pub published: bool,
    /// The author's own rating.
    #[serde(default)]
    #[schema(inline)]
    pub rating: Option<Int<1, 5>>,
}

fn published() -> bool {
    true
}

impl Resource for Post {
    type Draft = PostDraft;

    const SPEC: Spec = Spec {
        owner: Some("owner_id"),
        writers: Writers::Owners,
        list: List {
            search: &[("search", "title")],
            ..List::array("skip", 10, 100)
        },
        ..Spec::new("post", "posts")
    };
}

/// The posts that a principal sees: those that are published, and their own; administrators
/// see all.
pub fn visible_to(principal: &Principal) -> Vec<Clause> {
    if principal.is_admin() {
        return Vec::new();
    }
    vec![Clause::Any(vec![
        is("published", true).into(),
        is("owner_id", principal.user.0).into(),
    ])]
}

/// A post with what belongs to it, as clients see it.
#[derive(Debug, Clone, Serialize)]
pub struct PostDetails {
    /// The post.
    #[serde(flatten)]
    pub post: Entity<Post>,
    /// Who wrote it.
    pub owner: Owner,
    /// How many voted for it.
    pub votes: u64,
}

/// The owner of a post.
#[derive(Debug, Clone, Serialize)]
pub struct Owner {
    /// The user's id.
    pub id: UserId,
    /// The user's name.
    pub username: Username,
}

/// The stored votes. A user has at most one vote for a post.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait Votes: Send + Sync {
    /// Adds a vote. A second one is a `Constraint` error of kind `Unique`, a post that is gone
    /// one of kind `ForeignKeyParent`.
    async fn add(&self, post: i64, user: UserId, now: DateTime<Utc>) -> Result<(), StoreError>;
    /// Takes a vote away; false when there was none.
    async fn remove(&self, post: i64, user: UserId) -> Result<bool, StoreError>;
    /// How many voted for each of these posts; those without a vote are left out.
    async fn count(&self, posts: &[i64]) -> Result<HashMap<i64, u64>, StoreError>;
}

/// A transaction over posts, their votes and their owners.
pub trait PostRecords: Records<Post> {
    /// The votes, inside this transaction.
    fn votes(&self) -> &dyn Votes;
    /// The users, inside this transaction.
    fn users(&self) -> &dyn Users;
}
