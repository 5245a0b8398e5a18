//! Resources of an application: records of one kind, whose routes, paging, permissions,
//! conditional requests and storage come from generic code.
//!
//! A resource says what it is in [`Spec`], and what a client may send in its draft. The
//! record is the draft with an id, an owner where it has one, and its times.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::account::UserId;
use crate::error::{InvalidInput, StoreError};
use crate::page::PageRequest;
use crate::permission::{Permission, Principal};
use crate::query::ask::{Clause, Comparison, Condition, Count, Filter, OrderTerm, Query};
use crate::transaction::Repeatable;

/// A resource.
pub trait Resource: Send + Sync + Sized + 'static {
    /// What a client may send. Its types check it when it is read, so it says
    /// `#[serde(deny_unknown_fields)]`; its members are columns of the same names.
    type Draft: Serialize + DeserializeOwned + ToSchema + Clone + PartialEq + Send + Sync + 'static;

    /// What the generic code needs to know.
    const SPEC: Spec;

    /// Rules over several members, or about the present.
    ///
    /// # Errors
    /// What does not fit.
    fn check(draft: &Self::Draft, now: DateTime<Utc>) -> Result<(), InvalidInput> {
        let _ = (draft, now);
        Ok(())
    }
}

/// The description of a resource.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// What one of them is called, `item`.
    pub singular: &'static str,
    /// What several are called, which is also their path and table, `items`.
    pub plural: &'static str,
    /// How ids come about.
    pub id: IdKind,
    /// The column of whole numbers that stands in paths, `id`.
    pub key: &'static str,
    /// The column with the user who made it; `None` where nobody owns them.
    pub owner: Option<&'static str>,
    /// Who makes and changes them. Every signed-in user reads them.
    pub writers: Writers,
    /// Whether clients see the times of creation and of the last change.
    pub shows_times: bool,
    /// Whether a delete is answered with `{detail}`, and not with 204.
    pub tells_deleted: bool,
    /// How they are listed.
    pub list: List,
    /// The columns that are unique, each with the stable code of its conflict.
    pub unique: &'static [(&'static str, &'static str)],
}

impl Spec {
    /// A resource with numbered ids and no owner that administrators write.
    pub const fn new(singular: &'static str, plural: &'static str) -> Self {
        Self {
            singular,
            plural,
            id: IdKind::Number,
            key: "id",
            owner: None,
            writers: Writers::Administrators,
            shows_times: true,
            tells_deleted: false,
            list: List::pages(20, 100),
            unique: &[],
        }
    }
}

/// How the ids of a resource come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdKind {
    /// The database numbers them.
    Number,
    /// A random UUID (RFC 9562 version 4).
    Uuid,
}

/// Who makes and changes records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writers {
    /// Administrators.
    Administrators,
    /// Every user makes them; the owner and administrators change them.
    Owners,
}

/// How records are listed.
#[derive(Debug, Clone, Copy)]
pub struct List {
    /// Which form the list has.
    pub paging: Paging,
    /// How many a page has where the client does not say.
    pub limit: u64,
    /// The most that a page may have.
    pub max: u64,
    /// Query parameters that look for a part of a column, without case: parameter and column.
    pub search: &'static [(&'static str, &'static str)],
    /// The columns that `sort_by` may name; without any there is no `sort_by`.
    pub sort: &'static [&'static str],
}

impl List {
    /// Numbered pages as an object: `{page, limit, total, <plural>}`.
    pub const fn pages(limit: u64, max: u64) -> Self {
        Self {
            paging: Paging::Pages,
            limit,
            max,
            search: &[],
            sort: &[],
        }
    }

    /// A plain array; `parameter` says how many records to pass over.
    pub const fn array(parameter: &'static str, limit: u64, max: u64) -> Self {
        Self {
            paging: Paging::Array { parameter },
            ..Self::pages(limit, max)
        }
    }
}

/// The form of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    /// An object with the number of the page and the number of all records.
    Pages,
    /// An array.
    Array {
        /// The query parameter with the number of records to pass over.
        parameter: &'static str,
    },
}

/// A record's id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(untagged)]
pub enum Id {
    /// A number, 1 or more.
    Number(i64),
    /// A UUID in lower case.
    Uuid(String),
}

/// A record.
pub struct Entity<R: Resource> {
    /// Its id.
    pub id: Id,
    /// Who made it, where the resource has owners.
    pub owner: Option<UserId>,
    /// What clients sent.
    pub draft: R::Draft,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed, if ever.
    pub updated_at: Option<DateTime<Utc>>,
}

impl<R: Resource> Entity<R> {
    /// The number that stands for it in paths; `None` only where the draft lacks the column
    /// that [`Spec::key`] names.
    pub fn key(&self) -> Option<i64> {
        match &self.id {
            Id::Number(number) if R::SPEC.key == "id" => Some(*number),
            _ => serde_json::to_value(&self.draft)
                .ok()?
                .get(R::SPEC.key)?
                .as_i64(),
        }
    }
}

// Derived, these would ask for `R: Clone` and so on.
impl<R: Resource> Clone for Entity<R> {
    fn clone(&self) -> Self {
        Self {
            id: self.id.clone(),
            owner: self.owner,
            draft: self.draft.clone(),
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

impl<R: Resource> std::fmt::Debug for Entity<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct(R::SPEC.singular)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// As clients see it: id, the members of the draft, owner, times.
impl<R: Resource> Serialize for Entity<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct View<'a, D> {
            id: &'a Id,
            #[serde(flatten)]
            draft: &'a D,
            #[serde(flatten)]
            tail: Tail,
        }
        let times = R::SPEC.shows_times;
        View {
            id: &self.id,
            draft: &self.draft,
            tail: Tail {
                owner: R::SPEC.owner.zip(self.owner),
                times: times.then_some((self.created_at, self.updated_at)),
            },
        }
        .serialize(serializer)
    }
}

/// What follows the draft.
struct Tail {
    owner: Option<(&'static str, UserId)>,
    times: Option<(DateTime<Utc>, Option<DateTime<Utc>>)>,
}

impl Serialize for Tail {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some((name, owner)) = &self.owner {
            map.serialize_entry(name, owner)?;
        }
        if let Some((created_at, updated_at)) = &self.times {
            map.serialize_entry("created_at", created_at)?;
            map.serialize_entry("updated_at", updated_at)?;
        }
        map.end()
    }
}

/// A record to be stored.
pub struct NewRecord<R: Resource> {
    /// Its id; `None` lets the database number it.
    pub id: Option<Id>,
    /// Who makes it, where the resource has owners.
    pub owner: Option<UserId>,
    /// What it is.
    pub draft: R::Draft,
    /// The present time.
    pub created_at: DateTime<Utc>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// The entries.
    pub items: Vec<T>,
    /// How many entries the whole list has, where that was asked for.
    pub total: Option<u64>,
}

/// The stored records of a resource. A member that is unique and taken is a `Constraint`
/// error of kind `Unique` whose name holds the column's.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait Repository<R: Resource>: Send + Sync {
    /// The record whose key (see [`Spec::key`]) is this number, if it also fits `scope`.
    async fn find(&self, key: i64, scope: &[Clause]) -> Result<Option<Entity<R>>, StoreError>;
    /// The same; until the transaction ends, nobody else changes the record.
    async fn lock(&self, key: i64, scope: &[Clause]) -> Result<Option<Entity<R>>, StoreError>;
    /// The records that a query over the resource's columns asks for. An unknown column is an
    /// `Input` error.
    async fn list(&self, query: &Query) -> Result<Listed<Entity<R>>, StoreError>;
    /// Stores a record; gives its id.
    async fn insert(&self, record: &NewRecord<R>) -> Result<Id, StoreError>;
    /// Puts another draft in place of the record's; false when it is gone.
    async fn update(
        &self,
        id: &Id,
        draft: &R::Draft,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError>;
    /// Takes a record away; false when it was gone.
    async fn delete(&self, id: &Id) -> Result<bool, StoreError>;
}

/// A transaction over the records of one resource.
pub trait Records<R: Resource>: Repeatable {
    /// The records, inside this transaction.
    fn records(&self) -> &dyn Repository<R>;
}

/// Reading the records of a resource: every signed-in user.
#[derive(Debug, Clone, Copy)]
pub struct Read<R>(std::marker::PhantomData<fn() -> R>);

/// Making and changing the records of a resource, as [`Spec::writers`] says; whose record it
/// is, is looked at when it is there.
#[derive(Debug, Clone, Copy)]
pub struct Write<R>(std::marker::PhantomData<fn() -> R>);

impl<R> Default for Read<R> {
    fn default() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<R> Default for Write<R> {
    fn default() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<R: Resource> Permission for Read<R> {
    fn allows(&self, _: &Principal) -> bool {
        true
    }
}

impl<R: Resource> Permission for Write<R> {
    fn allows(&self, principal: &Principal) -> bool {
        match R::SPEC.writers {
            Writers::Administrators => principal.is_admin(),
            Writers::Owners => true,
        }
    }
}

/// What a client asks of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRequest {
    /// Parts to look for, each with its column.
    pub search: Vec<(&'static str, String)>,
    /// The column to sort by.
    pub sort: &'static str,
    /// Whether the largest comes first.
    pub descending: bool,
    /// Which part of the list.
    pub page: PageRequest,
    /// Whether to count the whole list.
    pub counted: bool,
}

impl ListRequest {
    /// The query for it. The planner ends its order with the id.
    pub fn query(&self) -> Query {
        let filters = self.search.iter().map(|(column, part)| Filter {
            operand: (*column).into(),
            negated: false,
            condition: Condition::Like {
                pattern: anywhere(part),
                ignore_case: true,
            },
        });
        let order = OrderTerm {
            embed: None,
            operand: self.sort.into(),
            descending: self.descending,
            nulls: None,
        };
        Query {
            filters: filters.collect(),
            order: vec![order],
            limit: Some(self.page.limit),
            offset: self.page.offset,
            count: self.counted.then_some(Count::Exact),
            ..Query::default()
        }
    }
}

/// The condition that a column of whole numbers or truth values has this value.
pub fn is(column: &str, value: impl ToString) -> Filter {
    Filter {
        operand: column.into(),
        negated: false,
        condition: Condition::Compare(Comparison::Eq, value.to_string()),
    }
}

/// The pattern of texts that hold `part`, in which every character is itself.
fn anywhere(part: &str) -> String {
    let mut pattern = String::with_capacity(part.len() + 2);
    pattern.push('*');
    for c in part.chars() {
        if matches!(c, '*' | '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('*');
    pattern
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::employee::Employee;
    use crate::item::Item;

    #[test]
    fn a_record_is_its_id_its_draft_its_owner_and_its_times() {
        let item = Entity::<Item> {
            id: Id::Number(3),
            owner: Some(UserId(7)),
            draft: serde_json::from_value(json!({"name": "Lantern"})).unwrap(),
            created_at: DateTime::UNIX_EPOCH,
            updated_at: None,
        };
        assert_eq!(
            serde_json::to_string(&item).unwrap(),
            r#"{"id":3,"name":"Lantern","description":null,"user_id":7,"created_at":"1970-01-01T00:00:00Z","updated_at":null}"#
        );
        let employee = Entity::<Employee> {
            id: Id::Uuid("u".into()),
            owner: None,
            draft: serde_json::from_value(json!({
                "emp_id": 1, "emp_name": "Ann", "city": "Bergen", "country": "Norway", "emp_dob": "1990-05-01",
            }))
            .unwrap(),
            created_at: DateTime::UNIX_EPOCH,
            updated_at: None,
        };
        assert_eq!(
            serde_json::to_string(&employee).unwrap(),
            r#"{"id":"u","emp_id":1,"emp_name":"Ann","city":"Bergen","country":"Norway","emp_dob":"1990-05-01"}"#
        );
    }

    #[test]
    fn a_search_takes_every_character_for_itself() {
        let request = ListRequest {
            search: vec![("name", r"50%_*\".to_owned())],
            sort: "name",
            descending: true,
            page: PageRequest {
                limit: 5,
                offset: 10,
            },
            counted: true,
        };
        let query = request.query();
        assert_eq!(
            query.filters,
            [Filter {
                operand: "name".into(),
                negated: false,
                condition: Condition::Like {
                    pattern: r"*50\%\_\*\\*".into(),
                    ignore_case: true,
                },
            }]
        );
        let order: Vec<_> = query
            .order
            .iter()
            .map(|term| (term.operand.column.as_str(), term.descending))
            .collect();
        assert_eq!(order, [("name", true)]);
        assert_eq!(
            (query.limit, query.offset, query.count),
            (Some(5), 10, Some(Count::Exact))
        );
    }
}
