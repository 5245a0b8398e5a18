//! What every adapter of the ports of resources must do, on every engine: records, votes, and
//! the keys of requests that may be repeated.

use chrono::TimeDelta;
use serde_json::json;
use tidegate_domain::account::{Role, UserId, Username};
use tidegate_domain::employee::Employee;
use tidegate_domain::error::{StoreError, ViolationKind};
use tidegate_domain::idempotency::{Answer, Claim, IdempotencyKeys, KEPT, Kept};
use tidegate_domain::item::Item;
use tidegate_domain::page::PageRequest;
use tidegate_domain::post::{Post, PostRecords, Votes, visible_to};
use tidegate_domain::query::ask::{Clause, Count, Nulls, OrderTerm, Query};
use tidegate_domain::resource::{Id, ListRequest, NewRecord, Records, Repository, Resource, is};
use tidegate_domain::transaction::UnitOfWork;
use tidegate_persistence::database::Database;
use tidegate_persistence::resource::Store;

use crate::support::engines::TestEngine;
use crate::support::stores::{self, Fixture, at};

/// A database with two users.
struct Room {
    fixture: Fixture,
    ann: UserId,
    bob: UserId,
}

impl std::ops::Deref for Room {
    type Target = Fixture;

    fn deref(&self) -> &Fixture {
        &self.fixture
    }
}

async fn open(engine: TestEngine) -> Room {
    let fixture = stores::open(engine).await;
    Room {
        ann: fixture.user("ann", Role::User).await.id,
        bob: fixture.user("bob", Role::User).await.id,
        fixture,
    }
}

fn record<R: Resource>(owner: UserId, draft: serde_json::Value) -> NewRecord<R> {
    NewRecord {
        id: None,
        owner: R::SPEC.owner.map(|_| owner),
        draft: serde_json::from_value(draft).expect("a draft"),
        created_at: at(1),
    }
}

fn number(id: &Id) -> i64 {
    match id {
        Id::Number(number) => *number,
        Id::Uuid(_) => panic!("a number"),
    }
}

fn violates<T: std::fmt::Debug>(outcome: &Result<T, StoreError>, kind: ViolationKind) -> bool {
    matches!(outcome, Err(StoreError::Constraint(violation)) if violation.kind == kind)
}

async fn item(fixture: &Room, name: &str, description: Option<&str>) -> i64 {
    let draft = json!({"name": name, "description": description});
    let id = fixture
        .stores
        .records()
        .insert(&record::<Item>(fixture.ann, draft))
        .await;
    number(&id.expect("the item is stored"))
}

fn order(column: &str, descending: bool, nulls: Option<Nulls>) -> OrderTerm {
    OrderTerm {
        embed: None,
        operand: column.into(),
        descending,
        nulls,
    }
}

on_every_engine! {
    async fn a_record_comes_back_as_it_went_in(engine: TestEngine) {
        let fixture = open(engine).await;
        let store = fixture.stores.records();
        let (items, employees): (&dyn Repository<Item>, &dyn Repository<Employee>) = (&store, &store);
        let id = item(&fixture, "Lätern 🐉", Some("two\nlines")).await;
        let found = items.find(id, &[]).await.unwrap().expect("the item");
        assert_eq!((found.id.clone(), found.owner, found.created_at, found.updated_at), (Id::Number(id), Some(fixture.ann), at(1), None));
        assert_eq!((found.draft.name.as_str(), found.draft.description.as_ref().map(|text| text.as_str())), ("Lätern 🐉", Some("two\nlines")));

        let other = serde_json::from_value(json!({"name": "Lamp"})).unwrap();
        assert!(items.update(&found.id, &other, at(5)).await.unwrap());
        let changed = items.find(id, &[]).await.unwrap().expect("the item");
        assert_eq!((changed.draft, changed.created_at, changed.updated_at), (other.clone(), at(1), Some(at(5))));
        // A write of the same is a match too.
        assert!(items.update(&found.id, &other, at(5)).await.unwrap());
        assert!(items.delete(&found.id).await.unwrap());
        assert!(!items.delete(&found.id).await.unwrap());
        assert!(!items.update(&found.id, &other, at(6)).await.unwrap());
        assert!(items.find(id, &[]).await.unwrap().is_none());

        let draft = json!({"emp_id": i64::MAX, "emp_name": "Zoë", "city": "Å", "country": "N", "emp_dob": "1000-01-01"});
        let new = NewRecord { id: Some(Id::Uuid("0b5f6c1e-6f0e-4b6e-9e57-0f7d1f0d9a11".into())), ..record::<Employee>(fixture.ann, draft) };
        assert_eq!(&employees.insert(&new).await.unwrap(), new.id.as_ref().unwrap());
        let found = employees.find(i64::MAX, &[]).await.unwrap().expect("the employee");
        assert_eq!((Some(&found.id), &found.draft, found.owner), (new.id.as_ref(), &new.draft, None));
        assert!(employees.delete(&found.id).await.unwrap());
    }

    async fn what_breaks_a_key_says_which(engine: TestEngine) {
        let fixture = open(engine).await;
        let store = fixture.stores.records();
        let items: &dyn Repository<Item> = &store;
        item(&fixture, "Lantern", None).await;
        let again = items.insert(&record(fixture.bob, json!({"name": "Lantern"}))).await;
        assert!(matches!(&again, Err(StoreError::Constraint(violation)) if violation.kind == ViolationKind::Unique && violation.name.contains("name")), "{again:?}");
        let nobody = items.insert(&record(UserId(987_654), json!({"name": "Lamp"}))).await;
        assert!(violates(&nobody, ViolationKind::ForeignKeyParent), "{nobody:?}");
    }

    async fn lists_keep_to_the_query(engine: TestEngine) {
        let fixture = open(engine).await;
        let store = fixture.stores.records();
        let items: &dyn Repository<Item> = &store;
        for (name, description) in [("b", Some("x")), ("a", None), ("c", Some("x")), ("B", Some("y"))] {
            item(&fixture, name, description).await;
        }
        let names = async |query: &Query| -> Vec<String> {
            items.list(query).await.unwrap().items.iter().map(|item| item.draft.name.as_str().to_owned()).collect()
        };
        let by_name = Query { order: vec![order("name", false, None)], ..Query::default() };
        assert_eq!(names(&by_name).await, ["B", "a", "b", "c"]);
        let nulls = Query { order: vec![order("description", true, Some(Nulls::Last)), order("id", true, None)], ..Query::default() };
        assert_eq!(names(&nulls).await, ["B", "c", "b", "a"]);
        let page = Query { limit: Some(2), offset: 1, count: Some(Count::Exact), ..by_name.clone() };
        let listed = items.list(&page).await.unwrap();
        assert_eq!((listed.items.len(), listed.total), (2, Some(4)));
        let beyond = items.list(&Query { offset: 10, ..page.clone() }).await.unwrap();
        assert_eq!((beyond.items.len(), beyond.total), (0, Some(4)));
        assert_eq!(items.list(&by_name).await.unwrap().total, None);
        let either = Query { scope: vec![Clause::Any(vec![is("name", "a").into(), is("name", "B").into()])], ..by_name.clone() };
        assert_eq!(names(&either).await, ["B", "a"]);
        let neither = Query { scope: vec![Clause::Any(vec![])], ..by_name.clone() };
        assert_eq!(names(&neither).await, Vec::<String>::new());
        let unknown = Query { order: vec![order("price", false, None)], ..Query::default() };
        assert!(matches!(items.list(&unknown).await, Err(StoreError::Input(_))));
    }

    async fn a_look_up_keeps_to_its_scope(engine: TestEngine) {
        let fixture = open(engine).await;
        let store = fixture.stores.records();
        let posts: &dyn Repository<Post> = &store;
        let draft = json!({"title": "x", "content": "y", "published": false, "rating": 3});
        let id = number(&posts.insert(&record(fixture.ann, draft)).await.unwrap());
        let principal = |user: UserId, role| tidegate_domain::permission::Principal { user, username: Username::parse("someone").unwrap(), role, session: None };
        for (user, role, sees) in [(fixture.ann, Role::User, true), (fixture.bob, Role::User, false), (fixture.bob, Role::Admin, true)] {
            let scope = visible_to(&principal(user, role));
            assert_eq!(posts.find(id, &scope).await.unwrap().is_some(), sees, "{user:?} {role:?}");
            assert_eq!(posts.lock(id, &scope).await.unwrap().is_some(), sees, "{user:?} {role:?}");
        }
        let found = posts.find(id, &[]).await.unwrap().expect("the post");
        assert_eq!((found.draft.rating.map(|rating| rating.get()), found.draft.published), (Some(3), false));
    }

    async fn a_lock_keeps_others_waiting(engine: TestEngine) {
        let fixture = open(engine).await;
        let id = item(&fixture, "0", None).await;
        let add = async || {
            let work: &dyn UnitOfWork<dyn Records<Item>> = &fixture.stores;
            let transaction = work.begin().await.unwrap();
            let found = transaction.records().lock(id, &[]).await.unwrap().expect("the item");
            let next = found.draft.name.as_str().parse::<u32>().unwrap() + 1;
            let draft = serde_json::from_value(json!({"name": next.to_string()})).unwrap();
            assert!(transaction.records().update(&found.id, &draft, at(2)).await.unwrap());
            transaction.commit().await.unwrap();
        };
        futures_util::future::join_all((0..8).map(|_| add())).await;
        let store: Store<Database> = fixture.stores.records();
        let found = Repository::<Item>::find(&store, id, &[]).await.unwrap().expect("the item");
        assert_eq!(found.draft.name.as_str(), "8");
    }

    async fn votes_are_one_for_each_user_and_go_with_the_post(engine: TestEngine) {
        let fixture = open(engine).await;
        let store = fixture.stores.records();
        let posts: &dyn Repository<Post> = &store;
        let votes = fixture.stores.votes();
        let draft = json!({"title": "x", "content": "y"});
        let id = posts.insert(&record(fixture.ann, draft)).await.unwrap();
        let post = number(&id);
        votes.add(post, fixture.ann, at(1)).await.unwrap();
        assert!(violates(&votes.add(post, fixture.ann, at(2)).await, ViolationKind::Unique));
        votes.add(post, fixture.bob, at(1)).await.unwrap();
        assert!(violates(&votes.add(987_654, fixture.ann, at(1)).await, ViolationKind::ForeignKeyParent));
        assert_eq!(votes.count(&[post, 987_654]).await.unwrap(), [(post, 2)].into());
        assert!(votes.remove(post, fixture.ann).await.unwrap());
        assert!(!votes.remove(post, fixture.ann).await.unwrap());
        assert_eq!(votes.count(&[post]).await.unwrap(), [(post, 1)].into());
        // In a transaction that is dropped nothing has happened.
        let work: &dyn UnitOfWork<dyn PostRecords> = &fixture.stores;
        let transaction = work.begin().await.unwrap();
        assert!(transaction.votes().remove(post, fixture.bob).await.unwrap());
        drop(transaction);
        assert_eq!(votes.count(&[post]).await.unwrap(), [(post, 1)].into());
        assert!(posts.delete(&id).await.unwrap());
        assert_eq!(votes.count(&[post]).await.unwrap(), [].into());
    }

    async fn a_key_is_claimed_once_and_kept_for_a_day(engine: TestEngine) {
        let fixture = open(engine).await;
        let kept = Kept {
            fingerprint: "f".repeat(64),
            answer: Answer {
                status: 201,
                headers: vec![("etag".into(), "\"x\"".into()), ("location".into(), "/ä".into())],
                body: b"\x00\xff any bytes".as_slice().into(),
            },
        };
        let id = "0".repeat(64);
        let begin = async || {
            let work: &dyn UnitOfWork<dyn Records<Item>> = &fixture.stores;
            work.begin().await.unwrap()
        };
        // What is rolled back was never claimed.
        let transaction = begin().await;
        assert_eq!(transaction.idempotency().claim(&id, at(0)).await.unwrap(), Claim::New);
        transaction.roll_back().await;
        let transaction = begin().await;
        assert_eq!(transaction.idempotency().claim(&id, at(0)).await.unwrap(), Claim::New);
        if engine.is_server() {
            // Others learn at once that somebody is at it. (SQLite has one writer: nobody else comes.)
            let other = begin().await;
            assert_eq!(other.idempotency().claim(&id, at(0)).await.unwrap(), Claim::InProgress);
            assert_eq!(other.idempotency().claim("another", at(0)).await.unwrap(), Claim::New);
        }
        transaction.idempotency().complete(&id, &kept).await.unwrap();
        transaction.commit().await.unwrap();

        let keys = fixture.stores.idempotency();
        let last = at(0) + KEPT - TimeDelta::seconds(1);
        assert_eq!(keys.claim(&id, last).await.unwrap(), Claim::Done(kept));
        assert_eq!(keys.purge(at(0)).await.unwrap(), 0);
        // After its day it is as if it had never been.
        let transaction = begin().await;
        assert_eq!(transaction.idempotency().claim(&id, at(0) + KEPT).await.unwrap(), Claim::New);
        transaction.roll_back().await;
        assert_eq!(keys.purge(at(1)).await.unwrap(), 1);
        assert!(keys.complete(&id, &Kept { fingerprint: String::new(), answer: Answer { status: 200, headers: vec![], body: "".into() } }).await.is_err(), "nothing was claimed");
    }

    async fn every_sorting_and_filtering_column_is_indexed(engine: TestEngine) {
        let fixture = open(engine).await;
        for (table, columns) in [
            ("items", &["name", "description", "user_id"][..]),
            ("posts", &["title", "owner_id", "published"]),
            ("employees", &["emp_id", "emp_name", "emp_dob", "city", "country"]),
        ] {
            let indexed = fixture.room.indexed_columns(table).await;
            for column in columns {
                assert!(indexed.contains(&(*column).to_owned()), "{table}.{column}: {indexed:?}");
            }
        }
    }

    async fn a_sorted_page_is_read_from_its_index(engine: TestEngine) {
        let fixture = open(engine).await;
        let store = fixture.stores.records();
        // So many that an engine which can read a page in order does.
        let rows: Vec<String> = (1..=5000)
            .map(|number| format!("('{number:0>36}', {number}, 'name {}', 'a', 'b', '1990-01-01', '2024-01-01 00:00:00')", number % 500))
            .collect();
        let columns = "id, emp_id, emp_name, city, country, emp_dob, created_at";
        fixture.room.ask(&format!("INSERT INTO employees ({columns}) VALUES {}", rows.join(", "))).await;
        fixture.room.analyze("employees").await;
        for (column, descending) in [("emp_id", false), ("emp_id", true), ("emp_name", false), ("emp_name", true), ("city", true)] {
            let request = ListRequest {
                search: vec![],
                sort: column,
                descending,
                page: PageRequest { limit: 10, offset: 0 },
                counted: false,
            };
            let sql = store.explain::<Employee>(&request.query()).await.unwrap();
            let plan = fixture.room.plan(&sql).await;
            assert!(!plan.contains("filesort") && !plan.contains("TEMP B-TREE"), "{column} {descending}: {sql}: {plan}");
        }
    }
}
