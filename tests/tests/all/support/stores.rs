//! The stores of an own database, for the contract tests of its ports.

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use tidegate_domain::account::{Email, NewUser, PasswordHash, Role, User, Username, Users};
use tidegate_persistence::database::{Database, DatabaseOptions, Target};
use tidegate_persistence::stores::Stores;

use super::engines::{TestDatabase, TestEngine};

/// An open database with the whole schema, dropped at the end of the test.
pub struct Fixture {
    pub database: Database,
    pub stores: Stores,
    pub room: TestDatabase,
}

/// Opens one.
pub async fn open(engine: TestEngine) -> Fixture {
    let room = engine.create_database().await;
    let options = DatabaseOptions::new(room.url().map(str::to_owned), room.data_dir());
    let database = Database::open(options).await.expect("the database opens");
    database
        .migrate_up(&Target::All)
        .await
        .expect("the schema is made");
    Fixture {
        stores: Stores::new(database.clone()),
        database,
        room,
    }
}

/// Opens the database of a running Tidegate a second time.
pub async fn reopen(room: &TestDatabase) -> Database {
    let options = DatabaseOptions::new(room.url().map(str::to_owned), room.data_dir());
    Database::open(options).await.expect("the database opens")
}

impl Fixture {
    /// Stores a user.
    pub async fn user(&self, name: &str, role: Role) -> User {
        self.stores
            .users()
            .insert(&new_user(Some(name), None, role))
            .await
            .expect("the user is stored")
    }
}

/// A user to be stored.
pub fn new_user(name: Option<&str>, email: Option<&str>, role: Role) -> NewUser {
    NewUser {
        username: name.map(|name| Username::parse(name).expect("a name")),
        email: email.map(|email| Email::parse(email).expect("an address")),
        role,
        password: PasswordHash("$hash$".into()),
        created_at: at(0),
    }
}

/// A moment, some seconds after a fixed one that has microseconds.
pub fn at(seconds: i64) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2024, 2, 29, 23, 59, 58)
        .single()
        .expect("a moment")
        + TimeDelta::microseconds(123_456)
        + TimeDelta::seconds(seconds)
}
