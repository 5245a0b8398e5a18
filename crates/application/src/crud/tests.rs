//! The use cases over mocks: what a real store can be made to do only by chance.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use mockall::predicate::eq;
use serde_json::json;
use tidegate_domain::account::{Role, Username};
use tidegate_domain::employee::Employee;
use tidegate_domain::error::{Violation, ViolationKind};
use tidegate_domain::idempotency::{Claim, IdempotencyKeys, Kept, MockIdempotencyKeys};
use tidegate_domain::item::{Item, ItemDraft};
use tidegate_domain::permission::{Permission, Principal};
use tidegate_domain::resource::MockRepository;
use tidegate_domain::system::{MockClock, MockRandomness};
use tidegate_domain::transaction::{MockUnitOfWork, Repeatable, Transactional};

use super::*;

/// A transaction over mocks; a mocked one could not lend them out.
struct FakeRecords<R: Resource> {
    records: MockRepository<R>,
    keys: MockIdempotencyKeys,
    commit: Result<(), ()>,
}

#[async_trait]
impl<R: Resource> Transactional for FakeRecords<R> {
    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        self.commit
            .map_err(|()| StoreError::Unavailable("gone".into()))
    }
}

impl<R: Resource> Repeatable for FakeRecords<R> {
    fn idempotency(&self) -> &dyn IdempotencyKeys {
        &self.keys
    }
}

impl<R: Resource> Records<R> for FakeRecords<R> {
    fn records(&self) -> &dyn Repository<R> {
        &self.records
    }
}

fn fake<R: Resource>(records: MockRepository<R>) -> FakeRecords<R> {
    FakeRecords {
        records,
        keys: MockIdempotencyKeys::new(),
        commit: Ok(()),
    }
}

/// Use cases whose transactions are these, one after the other; each failure is tried again.
fn crud<R: Resource>(pool: MockRepository<R>, transactions: Vec<FakeRecords<R>>) -> Crud<R> {
    let mut unit_of_work = MockUnitOfWork::<dyn Records<R>>::new();
    let mut transactions = transactions.into_iter();
    unit_of_work
        .expect_begin()
        .returning(move || match transactions.next() {
            Some(transaction) => Ok(Box::new(transaction)),
            None => Err(StoreError::Internal("no more transactions".into())),
        });
    unit_of_work
        .expect_again()
        .returning(|attempt, error| attempt < 3 && matches!(error, StoreError::Unavailable(_)));
    let mut clock = MockClock::new();
    clock.expect_now().return_const(DateTime::<Utc>::UNIX_EPOCH);
    let clock: Arc<dyn Clock> = Arc::new(clock);
    let mut randomness = MockRandomness::new();
    randomness.expect_uuid().return_const("a uuid".to_owned());
    Crud::new(CrudParts {
        records: Arc::new(pool),
        unit_of_work: Arc::new(unit_of_work),
        idempotency: Idempotency::new(clock.clone()),
        clock,
        randomness: Arc::new(randomness),
    })
}

fn proof<P: Permission + Default>(user: i64, role: Role) -> Authorized<P> {
    let principal = Principal {
        user: UserId(user),
        username: Username::parse("someone").unwrap(),
        role,
        session: None,
    };
    principal.authorize(P::default()).unwrap()
}

fn draft(name: &str) -> ItemDraft {
    serde_json::from_value(json!({ "name": name })).unwrap()
}

fn item(owner: i64) -> Entity<Item> {
    Entity {
        id: Id::Number(5),
        owner: Some(UserId(owner)),
        draft: draft("Lantern"),
        created_at: DateTime::UNIX_EPOCH,
        updated_at: None,
    }
}

fn locking(found: Option<Entity<Item>>) -> MockRepository<Item> {
    let mut records = MockRepository::new();
    records
        .expect_lock()
        .returning(move |_, _| Ok(found.clone()));
    records
}

fn request() -> RepeatableRequest {
    RepeatableRequest {
        id: "id".into(),
        fingerprint: "print".into(),
    }
}

fn answer<T>(_: &T) -> Result<Answer, AppError> {
    Ok(Answer {
        status: 201,
        headers: Vec::new(),
        body: "made".into(),
    })
}

#[tokio::test]
async fn a_new_record_has_the_makers_id_or_a_drawn_one_as_the_resource_says() {
    let mut items = MockRepository::new();
    items
        .expect_insert()
        .withf(|record: &NewRecord<Item>| record.owner == Some(UserId(7)) && record.id.is_none())
        .returning(|_| Ok(Id::Number(1)));
    let made = crud(items, vec![])
        .create(&proof(7, Role::User), draft("a"), None, answer)
        .await
        .unwrap();
    assert!(
        matches!(made, Reply::New(item) if item.id == Id::Number(1) && item.owner == Some(UserId(7)))
    );

    let mut employees = MockRepository::<Employee>::new();
    employees
        .expect_insert()
        .withf(|record| record.owner.is_none() && record.id == Some(Id::Uuid("a uuid".into())))
        .returning(|record| Ok(record.id.clone().unwrap()));
    let body = |born: &str| {
        serde_json::from_value(json!({
            "emp_id": 1, "emp_name": "a", "city": "b", "country": "c", "emp_dob": born,
        }))
        .unwrap()
    };
    let employees = crud(employees, vec![]);
    let admin = proof(1, Role::Admin);
    assert!(
        employees
            .create(&admin, body("1969-12-31"), None, answer)
            .await
            .is_ok()
    );
    // The clock says 1970-01-01.
    let future = employees
        .create(&admin, body("1970-01-02"), None, answer)
        .await;
    assert!(
        matches!(future, Err(AppError::Invalid(fault)) if fault.errors[0].pointer == "/emp_dob")
    );
}

#[tokio::test]
async fn a_taken_member_is_a_conflict_and_other_violations_are_not() {
    let violated = |name: &'static str| {
        let mut items = MockRepository::<Item>::new();
        items.expect_insert().returning(move |_| {
            Err(StoreError::Constraint(Violation {
                kind: ViolationKind::Unique,
                name: name.into(),
            }))
        });
        crud(items, vec![])
    };
    let auth = proof(7, Role::User);
    for name in ["items_name_key", "items.name"] {
        let error = violated(name).create(&auth, draft("a"), None, answer).await;
        assert!(
            matches!(
                error,
                Err(AppError::Conflict {
                    code: "item_name_taken",
                    ..
                })
            ),
            "{name}"
        );
    }
    let error = violated("items_name")
        .create(&auth, draft("a"), None, answer)
        .await;
    assert!(matches!(
        error,
        Err(AppError::Store(StoreError::Constraint(_)))
    ));
}

#[tokio::test]
async fn a_repetition_is_answered_without_a_record() {
    let claiming = |claim: Claim| {
        // A repository without expectations: whoever asks it fails the test.
        let mut transaction = fake(MockRepository::<Item>::new());
        transaction
            .keys
            .expect_claim()
            .with(eq("id"), eq(DateTime::<Utc>::UNIX_EPOCH))
            .returning(move |_, _| Ok(claim.clone()));
        crud(MockRepository::new(), vec![transaction])
    };
    let kept = |fingerprint: &str| {
        Claim::Done(Kept {
            fingerprint: fingerprint.into(),
            answer: answer(&()).unwrap(),
        })
    };
    let (auth, request) = (proof(7, Role::User), request());
    let create = async |claim| {
        let crud = claiming(claim);
        crud.create(&auth, draft("a"), Some(&request), answer).await
    };
    assert!(
        matches!(create(kept("print")).await, Ok(Reply::Repeated(kept)) if kept == answer(&()).unwrap())
    );
    assert!(matches!(
        create(kept("other")).await,
        Err(AppError::KeyReused)
    ));
    assert!(matches!(
        create(Claim::InProgress).await,
        Err(AppError::InProgress)
    ));
}

#[tokio::test]
async fn a_request_under_way_keeps_its_repetition_out_and_then_lets_it_in() {
    let mut clock = MockClock::new();
    clock.expect_now().return_const(DateTime::<Utc>::UNIX_EPOCH);
    let idempotency = Idempotency::new(Arc::new(clock));
    let first = idempotency.begin("id").unwrap();
    assert!(matches!(
        idempotency.clone().begin("id"),
        Err(AppError::InProgress)
    ));
    assert!(idempotency.begin("other").is_ok());
    drop(first);
    assert!(idempotency.begin("id").is_ok());
}

#[tokio::test]
async fn what_a_deadlock_undid_is_done_again_from_the_start() {
    static CLAIMS: AtomicU32 = AtomicU32::new(0);
    let transaction = |inserted: bool, commit| {
        let mut records = MockRepository::<Item>::new();
        records
            .expect_insert()
            .times(1)
            .returning(move |_| match inserted {
                true => Ok(Id::Number(9)),
                false => Err(StoreError::Unavailable("deadlock".into())),
            });
        let mut transaction = FakeRecords {
            commit,
            ..fake(records)
        };
        transaction.keys.expect_claim().times(1).returning(|_, _| {
            CLAIMS.fetch_add(1, Ordering::Relaxed);
            Ok(Claim::New)
        });
        let kept = transaction.keys.expect_complete();
        kept.times(usize::from(inserted)).returning(|_, _| Ok(()));
        transaction
    };
    let crud = crud(
        MockRepository::new(),
        vec![
            transaction(false, Ok(())),
            transaction(true, Err(())),
            transaction(true, Ok(())),
        ],
    );
    let made = crud
        .create(&proof(7, Role::User), draft("a"), Some(&request()), answer)
        .await;
    assert!(matches!(made, Ok(Reply::New(item)) if item.id == Id::Number(9)));
    assert_eq!(CLAIMS.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn only_owners_and_administrators_change_and_only_after_the_condition() {
    let change = async |user, role, found| {
        let crud = crud(MockRepository::new(), vec![fake(locking(found))]);
        // The same draft again: nothing is written.
        crud.update(&proof(user, role), 5, |item| Ok(item.draft.clone()))
            .await
    };
    assert!(change(7, Role::User, Some(item(7))).await.is_ok());
    assert!(change(1, Role::Admin, Some(item(7))).await.is_ok());
    assert!(matches!(
        change(8, Role::User, Some(item(7))).await,
        Err(AppError::Denied(_))
    ));
    assert!(
        matches!(change(7, Role::User, None).await, Err(AppError::NotFound(text)) if text == "There is no item with id 5")
    );

    let refuse = |_: &Entity<Item>| Err(AppError::Precondition);
    let crud = crud(
        MockRepository::new(),
        vec![fake(locking(Some(item(7)))), fake(locking(Some(item(7))))],
    );
    let owner = proof(7, Role::User);
    assert!(matches!(
        crud.delete(&owner, 5, refuse).await,
        Err(AppError::Precondition)
    ));
    let refuse = |_: &Entity<Item>| Err(AppError::Precondition);
    assert!(matches!(
        crud.update(&owner, 5, refuse).await,
        Err(AppError::Precondition)
    ));
}

#[tokio::test]
async fn a_change_is_written_with_its_time_and_one_that_came_too_late_is_not_found() {
    let changing = |there: bool| {
        let mut records = locking(Some(item(7)));
        records
            .expect_update()
            .withf(|id, draft, now| {
                *id == Id::Number(5)
                    && draft.name.as_str() == "Lamp"
                    && *now == DateTime::UNIX_EPOCH
            })
            .returning(move |_, _, _| Ok(there));
        crud(MockRepository::new(), vec![fake(records)])
    };
    let owner = proof(7, Role::User);
    let changed = changing(true)
        .update(&owner, 5, |_| Ok(draft("Lamp")))
        .await
        .unwrap();
    assert_eq!(changed.updated_at, Some(DateTime::UNIX_EPOCH));
    let late = changing(false)
        .update(&owner, 5, |_| Ok(draft("Lamp")))
        .await;
    assert!(matches!(late, Err(AppError::NotFound(_))));
}

#[tokio::test]
async fn a_list_of_an_owner_asks_for_the_owners_records() {
    let mut records = MockRepository::<Item>::new();
    records
        .expect_list()
        .withf(|query| query.filters == [is("user_id", 7)])
        .returning(|_| {
            Ok(Listed {
                items: vec![item(7)],
                total: Some(1),
            })
        });
    let request = ListRequest {
        search: vec![],
        sort: "id",
        descending: false,
        page: tidegate_domain::page::PageRequest {
            limit: 1,
            offset: 0,
        },
        counted: true,
    };
    let listed = crud(records, vec![])
        .list(&proof(8, Role::User), &request, Some(UserId(7)))
        .await
        .unwrap();
    assert_eq!((listed.items.len(), listed.total), (1, Some(1)));
}

#[test]
fn a_merge_keeps_nulls_of_members_and_follows_rfc_7396_inside_them() {
    let patch = json!({"name": null, "inner": {"a": null, "b": {"c": 1}}, "new": [1]});
    let draft = json!({"name": "x", "inner": {"a": 1, "z": 2}, "kept": true});
    let merged = merged(&draft, patch.as_object().unwrap()).unwrap();
    assert_eq!(
        merged,
        json!({"name": null, "inner": {"z": 2, "b": {"c": 1}}, "kept": true, "new": [1]})
    );
}
