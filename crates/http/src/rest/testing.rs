//! A row interface over a store that only remembers, for the tests.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use actix_web::body::to_bytes;
use actix_web::http::Method;
use actix_web::test::TestRequest;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use bytes::Bytes;
use chrono::DateTime;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value as Json;
use tidegate_application::gateway::Gateway;
use tidegate_application::idempotency::Idempotency;
use tidegate_application::rows::Rows;
use tidegate_domain::account::{Role, UserId, Username};
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::column_type::{ColumnType, LobSize};
use tidegate_domain::gateway::name::DatabaseName;
use tidegate_domain::gateway::port::{
    Encoding, MockDatabaseUsers, MockSchemaCatalog, MockSchemaChanges, MockSchemaEditor, RowInput,
    RowStore, RowStream, RowsRead, Upserted, Written,
};
use tidegate_domain::gateway::schema::{Column, DatabaseSchema, Table, TableKind};
use tidegate_domain::gateway::value::Value;
use tidegate_domain::idempotency::{Kept, Once, Outcome};
use tidegate_domain::permission::{Authorized, Permission, Principal};
use tidegate_domain::query::plan::{
    Cell, DeletePlan, InsertPlan, ReadPlan, UpdatePlan, UpsertPlan,
};
use tidegate_domain::query::planner::{Limits, Planner};
use tidegate_domain::system::MockClock;

use super::short::{self, Window};
use super::{read, write};
use crate::app::HttpOptions;
use crate::error::ApiError;
use crate::error::render::{ErrorContext, Place, render};
use crate::extract::path;

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Makes the body of a read.
type MakeBody = Box<dyn Fn() -> RowStream + Send + Sync>;

/// Answers what it is told to, and remembers what it was asked.
pub(super) struct FakeStore {
    pub(super) returned: u64,
    pub(super) total: u64,
    pub(super) body: MakeBody,
    pub(super) reads: Mutex<Vec<ReadPlan>>,
    pub(super) inserted: Mutex<Vec<Vec<Cell>>>,
    pub(super) batches: Mutex<usize>,
    pub(super) updates: Mutex<Vec<UpdatePlan>>,
    pub(super) deletes: Mutex<Vec<DeletePlan>>,
    pub(super) upserts: Mutex<Vec<UpsertPlan>>,
    /// By the names of requests; nothing where another node carries one out.
    pub(super) kept: Mutex<HashMap<String, Option<Kept>>>,
}

impl Default for FakeStore {
    fn default() -> Self {
        Self {
            returned: 2,
            total: 2,
            body: Box::new(|| pieces(&[r#"[{"id":1},"#, r#"{"id":2}]"#])),
            reads: Mutex::default(),
            inserted: Mutex::default(),
            batches: Mutex::default(),
            updates: Mutex::default(),
            deletes: Mutex::default(),
            upserts: Mutex::default(),
            kept: Mutex::default(),
        }
    }
}

/// A document in these pieces.
pub(super) fn pieces(texts: &'static [&'static str]) -> RowStream {
    stream::iter(
        texts
            .iter()
            .map(|text| Ok(Bytes::from_static(text.as_bytes()))),
    )
    .boxed()
}

/// Rows as a document, where they are asked for.
fn shown(asked: bool) -> Option<Bytes> {
    asked.then(|| Bytes::from_static(b"[rows]"))
}

// The port's methods in the form that `async_trait` gives them.
impl RowStore for FakeStore {
    fn read<'a, 'b, 'f>(&'a self, plan: &'b ReadPlan, _: Encoding) -> Answer<'f, RowsRead>
    where
        'a: 'f,
        'b: 'f,
        Self: 'f,
    {
        self.reads.lock().unwrap().push(plan.clone());
        let total = plan.count().map(|_| self.total);
        let read = match plan.limit() {
            Some(0) => RowsRead {
                returned: 0,
                total,
                body: pieces(&["[]"]),
            },
            _ => RowsRead {
                returned: self.returned,
                total,
                body: (self.body)(),
            },
        };
        Box::pin(async { Ok(read) })
    }

    fn insert<'a, 'b, 'c, 'd, 'e, 'f>(
        &'a self,
        plan: &'b InsertPlan,
        input: RowInput<'c>,
        _: Encoding,
        once: Option<&'d Once<'e, Written>>,
    ) -> Answer<'f, Outcome<Written>>
    where
        'a: 'f,
        'b: 'f,
        'c: 'f,
        'd: 'f,
        'e: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            if let Some(outcome) = self.repeated(once) {
                return Ok(outcome);
            }
            let batches: Vec<_> = input.try_collect().await?;
            *self.batches.lock().unwrap() += batches.len();
            let rows: Vec<_> = batches.into_iter().flatten().collect();
            let written = Written {
                rows: rows.len() as u64,
                inserted: rows.len() as u64,
                representation: shown(plan.returning().is_some()),
            };
            self.inserted.lock().unwrap().extend(rows);
            self.keep(once, &written);
            Ok(Outcome::Done(written))
        })
    }

    fn update<'a, 'b, 'f>(&'a self, plan: &'b UpdatePlan, _: Encoding) -> Answer<'f, Written>
    where
        'a: 'f,
        'b: 'f,
        Self: 'f,
    {
        self.updates.lock().unwrap().push(plan.clone());
        let rows = if plan.set().is_empty() {
            0
        } else {
            self.returned
        };
        let written = Written {
            rows,
            inserted: 0,
            representation: shown(plan.returning().is_some()),
        };
        Box::pin(async { Ok(written) })
    }

    fn delete<'a, 'b, 'f>(&'a self, plan: &'b DeletePlan, _: Encoding) -> Answer<'f, Written>
    where
        'a: 'f,
        'b: 'f,
        Self: 'f,
    {
        self.deletes.lock().unwrap().push(plan.clone());
        let written = Written {
            rows: self.returned,
            inserted: 0,
            representation: shown(plan.returning().is_some()),
        };
        Box::pin(async { Ok(written) })
    }

    fn upsert<'a, 'b, 'd, 'e, 'f>(
        &'a self,
        plan: &'b UpsertPlan,
        once: Option<&'d Once<'e, Upserted>>,
    ) -> Answer<'f, Outcome<Upserted>>
    where
        'a: 'f,
        'b: 'f,
        'd: 'f,
        'e: 'f,
        Self: 'f,
    {
        let outcome = self.repeated(once).unwrap_or_else(|| {
            self.upserts.lock().unwrap().push(plan.clone());
            let upserted = Upserted {
                inserted: 1,
                unchanged: 2,
                updated: 3,
            };
            self.keep(once, &upserted);
            Outcome::Done(upserted)
        });
        Box::pin(async { Ok(outcome) })
    }
}

impl FakeStore {
    fn repeated<T>(&self, once: Option<&Once<'_, T>>) -> Option<Outcome<T>> {
        let kept = self.kept.lock().unwrap().get(once?.id).cloned();
        kept.map(|kept| kept.map_or(Outcome::InProgress, Outcome::Repeated))
    }

    fn keep<T>(&self, once: Option<&Once<'_, T>>, outcome: &T) {
        if let Some(once) = once {
            let kept = Some((once.keep)(outcome));
            self.kept.lock().unwrap().insert(once.id.to_owned(), kept);
        }
    }
}

fn column(name: &str, column_type: ColumnType, nullable: bool) -> Column {
    Column {
        name: name.to_owned(),
        column_type,
        nullable,
        default: None,
        base: None,
        auto_increment: name == "id",
        generated: None,
        comment: String::new(),
        collation: None,
    }
}

/// The database `shop`: a table `items` and a view `report`.
fn schema() -> DatabaseSchema {
    let name = DatabaseName::existing("shop", "tidegate").unwrap();
    let table = |table: &str, writable| {
        Arc::new(Table {
            database: name.clone(),
            name: table.to_owned(),
            kind: if writable {
                TableKind::Table
            } else {
                TableKind::View
            },
            writable,
            columns: vec![
                column(
                    "id",
                    ColumnType::Integer {
                        bytes: 4,
                        unsigned: false,
                    },
                    false,
                ),
                column("name", ColumnType::Varchar(50), false),
                column(
                    "price",
                    ColumnType::Decimal {
                        precision: 10,
                        scale: 2,
                        unsigned: false,
                    },
                    true,
                ),
                column("note", ColumnType::Text(LobSize::Normal), true),
            ],
            primary_key: vec!["id".to_owned()],
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            comment: String::new(),
            row_estimate: None,
        })
    };
    let tables = vec![table("items", true), table("report", false)];
    DatabaseSchema::new(name, tables)
}

fn catalog() -> Arc<MockSchemaCatalog> {
    let mut catalog = MockSchemaCatalog::new();
    let schema = Arc::new(schema());
    catalog
        .expect_schema()
        .returning(move |name| Ok((name.as_str() == "shop").then(|| Arc::clone(&schema))));
    catalog.expect_newer().returning(|_| Ok(None));
    Arc::new(catalog)
}

/// The use cases of the schema.
pub(super) fn gateway() -> Gateway {
    let editor = Arc::new(MockSchemaEditor::new());
    let users = Arc::new(MockDatabaseUsers::new());
    let mut changes = MockSchemaChanges::new();
    changes.expect_all().returning(|| Ok(HashMap::new()));
    let changes = Arc::new(changes);
    Gateway::new(catalog(), editor, users, changes, "tidegate".to_owned())
}

/// The use cases over a store.
pub(super) fn rows(store: Arc<FakeStore>) -> Rows {
    let mut clock = MockClock::new();
    clock.expect_now().returning(|| DateTime::UNIX_EPOCH);
    Rows::new(
        Arc::new(gateway()),
        catalog(),
        store,
        Planner::new(Limits::default()),
        Idempotency::new(Arc::new(clock)),
    )
}

/// Proof of a right, as an administrator has it.
pub(super) fn allowed<P: Permission>(permission: P) -> Authorized<P> {
    let username = Username::parse("someone").unwrap();
    Principal {
        user: UserId(1),
        username,
        role: Role::Admin,
        session: None,
    }
    .authorize(permission)
    .unwrap()
}

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) text: String,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn json(&self) -> Json {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The `code` of an error.
    pub(super) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Sends a request to the functions behind the handlers.
pub(super) async fn send(store: &Arc<FakeStore>, request: TestRequest) -> Reply {
    send_limited(store, request, HttpOptions::default()).await
}

/// The same with other limits.
pub(super) async fn send_limited(
    store: &Arc<FakeStore>,
    request: TestRequest,
    options: HttpOptions,
) -> Reply {
    let (request, payload) = request.app_data(web::Data::new(options)).to_http_parts();
    let answer = answer(&rows(Arc::clone(store)), &request, payload).await;
    let response = answer.unwrap_or_else(|error| {
        render(
            &error,
            &ErrorContext {
                place: Place::of(request.path()),
                ..ErrorContext::default()
            },
        )
    });
    let status = response.status().as_u16();
    let headers = response.headers().iter();
    let headers = headers
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let body = to_bytes(response.into_body())
        .await
        .map_err(|error| error.to_string());
    let text = body.map_or_else(
        |error| format!("cut: {error}"),
        |body| String::from_utf8(body.to_vec()).unwrap(),
    );
    Reply {
        status,
        headers,
        text,
    }
}

async fn answer(
    rows: &Rows,
    request: &HttpRequest,
    payload: actix_web::dev::Payload,
) -> Result<HttpResponse, ApiError> {
    use tidegate_domain::permission::{ReadRows, WriteRows};
    if request.path() == "/insert-data" {
        return short::insert_data(rows, &allowed(WriteRows), request, payload).await;
    }
    let (database, table) = (path::text(request, "db")?, path::text(request, "table")?);
    let names = (database.as_str(), table.as_str());
    if request.path().starts_with("/get-table") {
        let window = crate::extract::Query::<Window>::extract(request).await?.0;
        return short::get_table(rows, &allowed(ReadRows), request, names, window).await;
    }
    match *request.method() {
        Method::POST => write::insert(rows, &allowed(WriteRows), request, payload, names).await,
        Method::PUT => write::put(rows, &allowed(WriteRows), request, payload, names).await,
        Method::PATCH => write::update(rows, &allowed(WriteRows), request, payload, names).await,
        Method::DELETE => write::delete(rows, &allowed(WriteRows), request, names).await,
        _ => read::answer(rows, &allowed(ReadRows), request, names.0, names.1).await,
    }
}

/// A request for the rows of `items`.
pub(super) fn items(method: Method, query: &str) -> TestRequest {
    let path = format!("/rest/shop/items{query}");
    TestRequest::with_uri(&path)
        .method(method)
        .param("db", "shop")
        .param("table", "items")
}

/// A cell with a text.
pub(super) fn text(text: &str) -> Cell {
    Cell::Value(Value::Text(text.to_owned()))
}

/// A cell with a number.
pub(super) fn int(number: i64) -> Cell {
    Cell::Value(Value::Int(number))
}

/// A cell with null.
pub(super) fn null() -> Cell {
    Cell::Value(Value::Null)
}
