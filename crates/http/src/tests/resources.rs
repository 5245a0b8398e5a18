//! The routes of a resource over mocks of its ports: what they ask for and what they answer.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;
use tidegate_application::crud::{Crud, CrudParts};
use tidegate_application::idempotency::Idempotency;
use tidegate_domain::account::UserId;
use tidegate_domain::error::StoreError;
use tidegate_domain::item::Item;
use tidegate_domain::resource::{Entity, Id, Listed, MockRepository, Records};
use tidegate_domain::system::{Clock, MockClock, MockRandomness};
use tidegate_domain::transaction::MockUnitOfWork;

use crate::app::{Extension, HttpOptions, Layer};
use crate::resource::routes;
use crate::testing::{ADMIN, Client, USER, request, services};

fn item() -> Entity<Item> {
    Entity {
        id: Id::Number(5),
        owner: Some(UserId(7)),
        draft: serde_json::from_value(json!({"name": "Lantern"})).unwrap(),
        created_at: DateTime::UNIX_EPOCH,
        updated_at: None,
    }
}

/// A layer with items whose store is a mock.
async fn client(records: MockRepository<Item>) -> Client {
    let mut clock = MockClock::new();
    clock.expect_now().return_const(DateTime::<Utc>::UNIX_EPOCH);
    let clock: Arc<dyn Clock> = Arc::new(clock);
    let mut work = MockUnitOfWork::<dyn Records<Item>>::new();
    work.expect_begin()
        .returning(|| Err(StoreError::Unavailable("no transactions here".into())));
    work.expect_again().returning(|_, _| false);
    let items = Crud::<Item>::new(CrudParts {
        records: Arc::new(records),
        unit_of_work: Arc::new(work),
        idempotency: Idempotency::new(clock.clone()),
        clock,
        randomness: Arc::new(MockRandomness::new()),
    });
    let mut extension = Extension::from(routes::<Item, Crud<Item>>());
    extension.data(Arc::new(items));
    let options = HttpOptions {
        limits_enabled: false,
        ..HttpOptions::default()
    };
    Client::of(Layer::with(options, services(true).await, extension).unwrap())
}

#[actix_web::test]
async fn a_record_is_made_with_its_place_and_tag() {
    let mut records = MockRepository::<Item>::new();
    records
        .expect_insert()
        .withf(|record| record.owner == Some(UserId(7)) && record.draft.name.as_str() == "Lantern")
        .times(1)
        .returning(|_| Ok(Id::Number(5)));
    let client = client(records).await;
    let post = |body: &str| {
        request(
            "POST",
            "/items",
            &[("authorization", USER), ("host", "h.example")],
        )
        .set_payload(body.to_owned())
    };
    let answer = client.send(post(r#"{"name":"Lantern"}"#)).await;
    assert_eq!(answer.status, 201);
    assert!(
        answer.header("location").ends_with("/items/5"),
        "{}",
        answer.header("location")
    );
    assert!(answer.header("etag").starts_with('"'));
    assert_eq!(answer.json(), serde_json::to_value(item()).unwrap());
    // What does not fit never reaches the store.
    for (body, status) in [("{", 400), ("{}", 422), (r#"{"name":"x","id":1}"#, 422)] {
        assert_eq!(client.send(post(body)).await.status, status, "{body}");
    }
}

#[actix_web::test]
async fn a_list_asks_for_its_page_and_a_record_for_its_key() {
    let mut records = MockRepository::<Item>::new();
    records
        .expect_list()
        .withf(|query| query.limit == Some(2) && query.offset == 4 && query.filters.len() == 1)
        .times(1)
        .returning(|_| {
            Ok(Listed {
                items: vec![item()],
                total: Some(9),
            })
        });
    records
        .expect_find()
        .withf(|key, scope| *key == 5 && scope.is_empty())
        .returning(|_, _| Ok(Some(item())));
    records
        .expect_find()
        .withf(|key, _| *key == 6)
        .returning(|_, _| Ok(None));
    records
        .expect_find()
        .returning(|_, _| Err(StoreError::Unavailable("gone".into())));
    let client = client(records).await;
    let get = async |path: &str| client.ask("GET", path, &[("authorization", ADMIN)]).await;
    let list = get("/items?name=lan&page=3&limit=2").await;
    assert_eq!(
        (list.status, &list.json()["total"], &list.json()["page"]),
        (200, &json!(9), &json!(3))
    );
    assert!(
        list.header("link").contains("name=lan&page=4&limit=2"),
        "{}",
        list.header("link")
    );
    let one = get("/items/5").await;
    assert_eq!(
        (one.status, one.header("vary").contains("Authorization")),
        (200, true)
    );
    assert_eq!(get("/items/6").await.code(), "not_found");
    assert_eq!(get("/items/7").await.status, 503);
    let known = [
        ("authorization", ADMIN),
        ("if-none-match", &one.header("etag")),
    ];
    assert_eq!(client.ask("GET", "/items/5", &known).await.status, 304);
}

#[actix_web::test]
async fn a_change_needs_a_transaction_and_its_absence_is_a_503() {
    let client = client(MockRepository::new()).await;
    for method in ["PATCH", "PUT", "DELETE"] {
        let body =
            request(method, "/items/5", &[("authorization", USER)]).set_payload(r#"{"name":"x"}"#);
        assert_eq!(client.send(body).await.status, 503, "{method}");
    }
}
