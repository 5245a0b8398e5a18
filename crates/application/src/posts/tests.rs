//! Posts over mocks: what is asked of the ports, and what their refusals become.

use std::collections::HashMap;

use async_trait::async_trait;
use serde_json::json;
use tidegate_domain::account::{MockUsers, Role, Username};
use tidegate_domain::idempotency::{IdempotencyKeys, MockIdempotencyKeys};
use tidegate_domain::permission::Permission;
use tidegate_domain::post::MockVotes;
use tidegate_domain::resource::{MockRepository, Records};
use tidegate_domain::system::{MockClock, MockRandomness};
use tidegate_domain::transaction::{MockUnitOfWork, Repeatable, Transactional};

use super::*;

/// A transaction over mocks.
struct FakeRecords {
    posts: MockRepository<Post>,
    votes: MockVotes,
    users: MockUsers,
    keys: MockIdempotencyKeys,
}

#[async_trait]
impl Transactional for FakeRecords {
    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Repeatable for FakeRecords {
    fn idempotency(&self) -> &dyn IdempotencyKeys {
        &self.keys
    }
}

impl Records<Post> for FakeRecords {
    fn records(&self) -> &dyn Repository<Post> {
        &self.posts
    }
}

impl PostRecords for FakeRecords {
    fn votes(&self) -> &dyn Votes {
        &self.votes
    }

    fn users(&self) -> &dyn Users {
        &self.users
    }
}

fn post(owner: i64) -> Entity<Post> {
    Entity {
        id: Id::Number(5),
        owner: Some(UserId(owner)),
        draft: serde_json::from_value(json!({"title": "x", "content": "y"})).unwrap(),
        created_at: DateTime::UNIX_EPOCH,
        updated_at: None,
    }
}

fn names() -> MockUsers {
    let mut users = MockUsers::new();
    users.expect_names().returning(|ids| {
        let name = |id: &UserId| (*id, Username::parse("ann").unwrap());
        Ok(ids.iter().map(name).collect())
    });
    users
}

fn counted(count: u64) -> MockVotes {
    let mut votes = MockVotes::new();
    votes
        .expect_count()
        .returning(move |posts| Ok(posts.iter().map(|post| (*post, count)).collect()));
    votes
}

/// Posts on the pool that are these, and in the one transaction those.
fn posts(pool: MockRepository<Post>, inside: Option<(MockRepository<Post>, MockVotes)>) -> Posts {
    let mut inside = inside;
    let mut work = MockUnitOfWork::<dyn PostRecords>::new();
    work.expect_begin().returning(move || {
        let (posts, votes) = inside
            .take()
            .ok_or(StoreError::Internal("no more".into()))?;
        Ok(Box::new(FakeRecords {
            posts,
            votes,
            users: names(),
            keys: MockIdempotencyKeys::new(),
        }))
    });
    work.expect_again().returning(|_, _| false);
    let mut clock = MockClock::new();
    clock.expect_now().return_const(DateTime::<Utc>::UNIX_EPOCH);
    let clock: Arc<dyn Clock> = Arc::new(clock);
    Posts::new(PostsParts {
        posts: Arc::new(pool),
        votes: Arc::new(counted(3)),
        users: Arc::new(names()),
        unit_of_work: Arc::new(work),
        idempotency: Idempotency::new(clock.clone()),
        clock,
        randomness: Arc::new(MockRandomness::new()),
    })
}

fn principal(user: i64, role: Role) -> Principal {
    Principal {
        user: UserId(user),
        username: Username::parse("someone").unwrap(),
        role,
        session: None,
    }
}

fn proof<P: Permission + Default>(user: i64) -> Authorized<P> {
    principal(user, Role::User).authorize(P::default()).unwrap()
}

fn answer<T>(_: &T) -> Result<Answer, AppError> {
    Ok(Answer {
        status: 201,
        headers: Vec::new(),
        body: "".into(),
    })
}

#[tokio::test]
async fn what_one_sees_is_part_of_every_look_up() {
    let scope = visible_to(&principal(7, Role::User));
    assert_eq!(scope.len(), 1);
    assert!(visible_to(&principal(1, Role::Admin)).is_empty());

    let mut pool = MockRepository::new();
    let asked = scope.clone();
    pool.expect_find()
        .withf(move |key, scope| *key == 5 && scope == asked)
        .times(1)
        .returning(|_, _| Ok(Some(post(7))));
    let asked = scope.clone();
    pool.expect_list()
        .withf(move |query| query.scope == asked)
        .times(1)
        .returning(|_| {
            Ok(Listed {
                items: vec![post(7), post(8)],
                total: None,
            })
        });
    let posts_seen = posts(pool, None);
    let shown = posts_seen.get(&proof(7), 5).await.unwrap();
    assert_eq!((shown.votes, shown.owner.username.as_str()), (3, "ann"));
    let request = ListRequest {
        search: vec![],
        sort: "id",
        descending: false,
        page: tidegate_domain::page::PageRequest {
            limit: 2,
            offset: 0,
        },
        counted: false,
    };
    assert_eq!(
        posts_seen
            .list(&proof(7), &request, None)
            .await
            .unwrap()
            .items
            .len(),
        2
    );

    let mut inside = MockRepository::new();
    inside
        .expect_lock()
        .withf(move |_, asked| asked == scope)
        .times(1)
        .returning(|_, _| Ok(None));
    let hidden = posts(MockRepository::new(), Some((inside, counted(0))));
    let deleted = hidden.delete(&proof(7), 5, |_| Ok(())).await;
    assert!(matches!(deleted, Err(AppError::NotFound(_))));
}

#[tokio::test]
async fn somebody_elses_post_is_not_changed() {
    let mut inside = MockRepository::new();
    inside.expect_lock().returning(|_, _| Ok(Some(post(8))));
    let posts = posts(MockRepository::new(), Some((inside, counted(0))));
    let changed = posts
        .update(&proof(7), 5, |shown| Ok(shown.post.draft.clone()))
        .await;
    assert!(matches!(changed, Err(AppError::Denied(_))));
}

#[tokio::test]
async fn a_refused_vote_says_why() {
    let vote = async |seen: bool, direction, votes: MockVotes| {
        let mut inside = MockRepository::new();
        inside
            .expect_find()
            .returning(move |_, _| Ok(seen.then(|| post(8))));
        let posts = posts(MockRepository::new(), Some((inside, votes)));
        posts.vote(&proof(7), 5, direction, None, answer).await
    };
    let refusing = |kind| {
        let mut votes = MockVotes::new();
        votes.expect_add().returning(move |_, _, _| {
            Err(StoreError::Constraint(Violation {
                kind,
                name: String::new(),
            }))
        });
        votes
    };
    let removing = |there| {
        let mut votes = MockVotes::new();
        votes.expect_remove().returning(move |_, _| Ok(there));
        votes
    };
    // Nothing is asked of the votes where the post is not seen.
    let unseen = vote(false, Direction::Add, MockVotes::new()).await;
    assert!(matches!(unseen, Err(AppError::NotFound(_))));
    let twice = vote(true, Direction::Add, refusing(ViolationKind::Unique)).await;
    assert!(matches!(
        twice,
        Err(AppError::Conflict {
            code: "already_voted",
            ..
        })
    ));
    let gone = vote(
        true,
        Direction::Add,
        refusing(ViolationKind::ForeignKeyParent),
    )
    .await;
    assert!(matches!(gone, Err(AppError::NotFound(_))));
    let other = vote(true, Direction::Add, refusing(ViolationKind::Check)).await;
    assert!(matches!(other, Err(AppError::Store(_))));
    assert!(matches!(
        vote(true, Direction::Remove, removing(true)).await,
        Ok(Reply::New(()))
    ));
    let none = vote(true, Direction::Remove, removing(false)).await;
    assert!(matches!(none, Err(AppError::NotFound(_))));
}

#[tokio::test]
async fn a_post_whose_owner_is_not_there_is_a_fault_of_the_server() {
    let mut users = MockUsers::new();
    users.expect_names().returning(|_| Ok(HashMap::new()));
    let shown = details(vec![post(7)], &counted(0), &users).await;
    assert!(matches!(
        shown,
        Err(AppError::Store(StoreError::Internal(_)))
    ));
}
