//! What every adapter of the account ports must do, on every engine: conflicts, races,
//! the life of sessions, and the schema's way forth and back.

use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::join_all;
use tidegate_domain::account::{
    ApiKeys, Email, PasswordHash, Role, UserChanges, UserFilter, UserId, Username, Users,
};
use tidegate_domain::error::{StoreError, ViolationKind};
use tidegate_domain::page::PageRequest;
use tidegate_domain::session::{NewSession, Rotation, Sessions};
use tidegate_domain::transaction::{Transaction, UnitOfWork};
use tidegate_domain::version::{VersionName, VersionPatch, Versions};
use tidegate_persistence::database::{Database, DatabaseOptions, MigrateError, Target};

use crate::support::engines::TestEngine;
use crate::support::stores::{at, new_user, open};

fn session_of(user: UserId, digest: &str, begins: i64, expires: i64) -> NewSession {
    NewSession {
        user,
        refresh_digest: digest.into(),
        created_at: at(begins),
        expires_at: at(expires),
        agent: Some("x".repeat(300)),
        address: Some("127.0.0.1".into()),
    }
}

fn is_unique(error: &StoreError, part: &str) -> bool {
    matches!(error, StoreError::Constraint(v) if v.kind == ViolationKind::Unique && v.name.contains(part))
}

on_every_engine! {
    async fn the_schema_goes_forth_and_back(engine: TestEngine) {
        let fixture = open(engine).await;
        let database = &fixture.database;
        let names: Vec<_> = database.migrations().await.unwrap().into_iter().map(|state| state.name).collect();
        assert!(database.is_migrated().await.unwrap());
        assert!(database.migrate_up(&Target::All).await.unwrap().is_empty());

        // Step by step, so that each way back is followed by the way forth.
        for name in names.iter().rev() {
            assert_eq!(database.migrate_down(&Target::Steps(1)).await.unwrap(), std::slice::from_ref(name));
            assert_eq!(database.migrate_up(&Target::Steps(1)).await.unwrap(), std::slice::from_ref(name));
            assert_eq!(database.migrate_down(&Target::Steps(1)).await.unwrap(), std::slice::from_ref(name));
        }
        assert!(database.migrations().await.unwrap().iter().all(|state| !state.applied));
        assert!(fixture.stores.users().any().await.is_err(), "the tables are gone");

        assert_eq!(database.migrate_up(&Target::To(names[1].clone())).await.unwrap(), names[..2]);
        assert!(matches!(database.migrate_up(&Target::To("m0_none".into())).await, Err(MigrateError::Target(_))));
        database.migrate_up(&Target::All).await.unwrap();
        let back = database.migrate_down(&Target::To(names[0].clone())).await.unwrap();
        assert_eq!(back, names[1..].iter().rev().cloned().collect::<Vec<_>>());
        database.migrate_up(&Target::All).await.unwrap();

        fixture.user("someone", Role::User).await;
        database.migrate_fresh().await.unwrap();
        assert!(!fixture.stores.users().any().await.unwrap());
        assert_eq!(fixture.user("someone", Role::User).await.id, UserId(1));
    }

    async fn two_processes_may_make_the_schema_at_once(engine: TestEngine) {
        let room = engine.create_database().await;
        let options = DatabaseOptions::new(room.url().map(str::to_owned), room.data_dir());
        let one = Database::open(options.clone()).await.unwrap();
        let two = Database::open(options).await.unwrap();
        let (first, second) = tokio::join!(one.migrate_up(&Target::All), two.migrate_up(&Target::All));
        first.unwrap();
        second.unwrap();
        assert!(one.is_migrated().await.unwrap());
    }

    async fn users_are_stored_and_read_back(engine: TestEngine) {
        let fixture = open(engine).await;
        let users = fixture.stores.users();
        assert!(!users.any().await.unwrap());
        let new = new_user(Some("Änn😀"), Some("Ann@Example.org"), Role::Admin);
        let user = users.insert(&new).await.unwrap();
        assert_eq!(user.id, UserId(1));
        assert_eq!((user.username.as_str(), user.email.as_ref().unwrap().as_str()), ("Änn😀", "Ann@Example.org"));
        assert_eq!((user.created_at, user.updated_at, user.activated), (at(0), None, true));
        assert_eq!(users.find(user.id).await.unwrap().unwrap(), user);
        assert!(users.find(UserId(99)).await.unwrap().is_none());
        assert!(users.any().await.unwrap());

        let changes = UserChanges { email: Some(None), activated: Some(false), ..UserChanges::default() };
        let changed = users.update(user.id, &changes, at(5)).await.unwrap().unwrap();
        assert_eq!((changed.email, changed.activated, changed.updated_at), (None, false, Some(at(5))));
        assert_eq!(changed.username, user.username);
        assert!(users.update(UserId(99), &changes, at(5)).await.unwrap().is_none());
        let password = UserChanges { password: Some(PasswordHash("new".into())), ..UserChanges::default() };
        users.update(user.id, &password, at(6)).await.unwrap();
        assert_eq!(users.find_login_by_id(user.id).await.unwrap().unwrap().password.0, "new");
        // The same change again matches the row all the same.
        assert!(users.update(user.id, &password, at(6)).await.unwrap().is_some());
    }

    async fn names_and_addresses_are_unique_without_case(engine: TestEngine) {
        let fixture = open(engine).await;
        let users = fixture.stores.users();
        let ann = users.insert(&new_user(Some("Ann"), Some("ann@example.org"), Role::User)).await.unwrap();
        for taken in ["ann", "ANN", "aNN", "Änn", "ann\u{308}", "anñ", "ａｎｎ"] {
            let error = users.insert(&new_user(Some(taken), None, Role::User)).await.unwrap_err();
            assert!(is_unique(&error, "username"), "{taken}: {error:?}");
        }
        let error = users.insert(&new_user(Some("other"), Some("ANN@EXAMPLE.ORG"), Role::User)).await.unwrap_err();
        assert!(is_unique(&error, "email"), "{error:?}");
        // Other letters are other names, on engines whose collations think otherwise too.
        for free in ["a nn", "ænn", "ßßß", "sss"] {
            users.insert(&new_user(Some(free), None, Role::User)).await.unwrap();
        }
        let bob = users.insert(&new_user(Some("bob"), None, Role::User)).await.unwrap();
        let rename = UserChanges { username: Some(Username::parse("aNn").unwrap()), ..UserChanges::default() };
        assert!(is_unique(&users.update(bob.id, &rename, at(1)).await.unwrap_err(), "username"));
        assert_eq!(users.update(ann.id, &rename, at(1)).await.unwrap().unwrap().username.as_str(), "aNn");
        let address = UserChanges { email: Some(Some(Email::parse("Ann@example.ORG").unwrap())), ..UserChanges::default() };
        assert!(is_unique(&users.update(bob.id, &address, at(1)).await.unwrap_err(), "email"));

        for key in ["ann", "ann@example.org"] {
            assert_eq!(users.find_login(key).await.unwrap().unwrap().user.id, ann.id, "{key}");
        }
        for key in ["Ann", "ann ", "ann@example.org ", "", "änn@example.org", "0"] {
            assert!(users.find_login(key).await.unwrap().is_none(), "{key}");
        }
    }

    async fn of_many_who_take_one_name_one_gets_it(engine: TestEngine) {
        let fixture = open(engine).await;
        let tries = (0..16).map(|number| {
            let users = fixture.stores.users();
            let name = if number % 2 == 0 { "wanted" } else { "WANTED" };
            async move { users.insert(&new_user(Some(name), None, Role::User)).await }
        });
        let results = join_all(tries).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            assert!(is_unique(error, "username"), "{error:?}");
        }
    }

    async fn a_user_without_a_name_is_called_after_the_id(engine: TestEngine) {
        let fixture = open(engine).await;
        let users = fixture.stores.users();
        fixture.user("user3", Role::User).await;
        let tries = (0..10).map(|number| {
            let users = users.clone();
            let email = format!("u{number}@example.org");
            async move { users.insert(&new_user(None, Some(&email), Role::User)).await.unwrap() }
        });
        for user in join_all(tries).await {
            let plain = format!("user{}", user.id.0);
            let expected = if user.id.0 == 3 { "user3-2".to_owned() } else { plain };
            assert_eq!(user.username.as_str(), expected);
            assert_eq!(users.find_login(&expected).await.unwrap().unwrap().user.id, user.id);
        }
        let error = users.insert(&new_user(None, Some("U1@example.org"), Role::User)).await.unwrap_err();
        assert!(is_unique(&error, "email"));
    }

    async fn lists_are_searched_by_plain_characters(engine: TestEngine) {
        let fixture = open(engine).await;
        let users = fixture.stores.users();
        for name in ["ann", "Hannah", "100%_sure", "back\\slash", "under_score", "ÄNNE", "it's me"] {
            fixture.user(name, Role::User).await;
        }
        let gone = fixture.user("ann2", Role::User).await;
        let off = UserChanges { activated: Some(false), ..UserChanges::default() };
        users.update(gone.id, &off, at(1)).await.unwrap();

        let all = PageRequest { limit: 100, offset: 0 };
        let names = async |part: Option<&str>, activated, page| {
            let filter = UserFilter { username: part.map(str::to_owned), activated };
            let page = users.list(&filter, page).await.unwrap();
            let names: Vec<_> = page.items.iter().map(|user| user.username.as_str().to_owned()).collect();
            (names, page.total)
        };
        for (part, expected) in [
            ("ANN", vec!["ann", "Hannah", "ÄNNE"]),
            ("%", vec!["100%_sure"]),
            ("_", vec!["100%_sure", "under_score"]),
            ("\\", vec!["back\\slash"]),
            ("änne", vec!["ÄNNE"]),
            ("'", vec!["it's me"]),
            ("nobody", vec![]),
        ] {
            assert_eq!(names(Some(part), true, all).await, (expected.iter().map(|&n| n.to_owned()).collect(), expected.len() as u64));
        }
        assert_eq!(names(Some(&"%_".repeat(50_000)), true, all).await.1, 0);
        assert_eq!(names(None, false, all).await.0, ["ann2"]);
        assert_eq!(names(None, true, PageRequest { limit: 2, offset: 1 }).await, (vec!["Hannah".into(), "100%_sure".into()], 7));
        assert_eq!(names(None, true, PageRequest { limit: 2, offset: i64::MAX as u64 }).await, (vec![], 7));
    }

    async fn the_last_admin_survives_simultaneous_demotions(engine: TestEngine) {
        let fixture = open(engine).await;
        for round in 0..20 {
            let mut admins = vec![];
            for number in 0..2 {
                admins.push(fixture.user(&format!("admin-{round}-{number}"), Role::Admin).await.id);
            }
            let demote = |id: UserId| {
                let accounts = fixture.stores.clone();
                async move {
                    let transaction: Box<dyn Transaction> = accounts.begin().await.unwrap();
                    let active = transaction.users().lock_active_admins().await.unwrap();
                    if active == [id] {
                        return false;
                    }
                    let changes = UserChanges { role: Some(Role::User), ..UserChanges::default() };
                    transaction.users().update(id, &changes, at(1)).await.unwrap();
                    transaction.commit().await.unwrap();
                    true
                }
            };
            let (one, two) = tokio::join!(demote(admins[0]), demote(admins[1]));
            assert!(one ^ two, "round {round}: {one} {two}");
            let left = fixture.stores.users().lock_active_admins().await.unwrap();
            assert_eq!(left.len(), 1);
            let off = UserChanges { activated: Some(false), ..UserChanges::default() };
            fixture.stores.users().update(left[0], &off, at(2)).await.unwrap();
        }
    }

    async fn a_dropped_transaction_leaves_nothing(engine: TestEngine) {
        let fixture = open(engine).await;
        let accounts = &fixture.stores;
        {
            let transaction: Box<dyn Transaction> = accounts.begin().await.unwrap();
            let user = transaction.users().insert(&new_user(Some("ghost"), None, Role::User)).await.unwrap();
            transaction.sessions().start(&session_of(user.id, "g", 0, 9), 20).await.unwrap();
            transaction.api_keys().put(user.id, "digest", None, at(0)).await.unwrap();
            assert!(transaction.users().find(user.id).await.unwrap().is_some());
        }
        assert!(!accounts.users().any().await.unwrap());

        // A conflict inside leaves the rest of the transaction as it was.
        let transaction: Box<dyn Transaction> = accounts.begin().await.unwrap();
        let user = transaction.users().insert(&new_user(Some("kept"), None, Role::User)).await.unwrap();
        assert!(transaction.users().insert(&new_user(Some("KEPT"), None, Role::User)).await.is_err());
        transaction.users().insert(&new_user(None, None, Role::User)).await.unwrap();
        transaction.commit().await.unwrap();
        assert!(accounts.users().find(user.id).await.unwrap().is_some());
        assert_eq!(accounts.users().list(&UserFilter { username: None, activated: true }, PageRequest { limit: 9, offset: 0 }).await.unwrap().total, 2);
    }

    async fn of_two_parallel_rotations_one_succeeds_and_the_other_ends_the_session(engine: TestEngine) {
        let fixture = open(engine).await;
        let user = fixture.user("rotator", Role::User).await;
        for round in 0..100 {
            let sessions = fixture.stores.sessions();
            let token = format!("t{round}");
            let (started, _) = sessions.start(&session_of(user.id, &token, 0, 100), 1000).await.unwrap();
            let (one, two) = (format!("t{round}-1"), format!("t{round}-2"));
            let (first, second) = tokio::join!(
                sessions.rotate(&token, &one, at(1), at(200)),
                sessions.rotate(&token, &two, at(1), at(200)),
            );
            let outcomes = [first.unwrap(), second.unwrap()];
            let rotated: Vec<_> = outcomes.iter().filter(|outcome| matches!(outcome, Rotation::Rotated(_))).collect();
            let reused: Vec<_> = outcomes.iter().filter(|outcome| matches!(outcome, Rotation::Reused(_))).collect();
            assert_eq!((rotated.len(), reused.len()), (1, 1), "round {round}: {outcomes:?}");
            // The whole family is dead, the new token among it.
            for token in [&token, &one, &two] {
                assert_eq!(sessions.rotate(token, "more", at(2), at(200)).await.unwrap(), Rotation::Refused);
            }
            assert_eq!(sessions.ended_since(at(1)).await.unwrap().last(), Some(&started.id));
        }
        assert!(fixture.stores.sessions().list(user.id, at(2)).await.unwrap().is_empty());
    }

    async fn a_refresh_token_rotates_until_it_expires(engine: TestEngine) {
        let fixture = open(engine).await;
        let sessions = fixture.stores.sessions();
        let user = fixture.user("someone", Role::User).await;
        let (started, ended) = sessions.start(&session_of(user.id, "a", 0, 10), 20).await.unwrap();
        assert!(ended.is_empty());
        assert_eq!((started.created_at, started.last_used_at, started.expires_at), (at(0), at(0), at(10)));
        assert_eq!(started.agent.as_ref().unwrap().len(), 255);
        assert_eq!(sessions.list(user.id, at(1)).await.unwrap(), std::slice::from_ref(&started));

        let Rotation::Rotated(session) = sessions.rotate("a", "b", at(5), at(15)).await.unwrap() else { panic!() };
        assert_eq!((session.id, session.created_at, session.last_used_at, session.expires_at), (started.id, at(0), at(5), at(15)));
        assert_eq!(sessions.rotate("unknown", "x", at(5), at(15)).await.unwrap(), Rotation::Refused);
        assert_eq!(sessions.rotate("B", "x", at(5), at(15)).await.unwrap(), Rotation::Refused, "digests have a case");
        assert_eq!(sessions.rotate("b", "c", at(15), at(25)).await.unwrap(), Rotation::Refused, "expired");
        assert!(sessions.list(user.id, at(15)).await.unwrap().is_empty());
    }

    async fn one_session_too_many_ends_the_one_that_expires_first(engine: TestEngine) {
        let fixture = open(engine).await;
        let sessions = fixture.stores.sessions();
        let user = fixture.user("someone", Role::User).await;
        let other = fixture.user("another", Role::User).await;
        let (foreign, _) = sessions.start(&session_of(other.id, "foreign", 0, 1), 3).await.unwrap();
        let mut ids = vec![];
        for (digest, expires) in [("a", 50), ("b", 30), ("c", 40)] {
            let (session, ended) = sessions.start(&session_of(user.id, digest, 0, expires), 3).await.unwrap();
            assert!(ended.is_empty());
            ids.push(session.id);
        }
        let (_, ended) = sessions.start(&session_of(user.id, "d", 0, 5), 3).await.unwrap();
        assert_eq!(ended, [ids[1]], "not the new one, though it expires earlier");
        let (_, ended) = sessions.start(&session_of(user.id, "e", 0, 60), 1).await.unwrap();
        assert_eq!(ended.len(), 3);
        assert_eq!(sessions.list(user.id, at(0)).await.unwrap().len(), 1);
        assert_eq!(sessions.list(other.id, at(0)).await.unwrap()[0].id, foreign.id);

        let many = (0..12).map(|number| {
            let sessions = sessions.clone();
            async move { sessions.start(&session_of(user.id, &format!("p{number}"), 0, 70), 4).await.unwrap() }
        });
        join_all(many).await;
        assert_eq!(sessions.list(user.id, at(0)).await.unwrap().len(), 4, "however many log in at once");

        let error = sessions.start(&session_of(UserId(99), "nobody", 0, 1), 3).await.unwrap_err();
        assert!(matches!(error, StoreError::Constraint(v) if v.kind == ViolationKind::ForeignKeyParent));
    }

    async fn sessions_end_are_reported_and_purged(engine: TestEngine) {
        let fixture = open(engine).await;
        let sessions = fixture.stores.sessions();
        let user = fixture.user("someone", Role::User).await;
        let other = fixture.user("another", Role::User).await;
        let mut ids = vec![];
        for digest in ["a", "b", "c", "d"] {
            ids.push(sessions.start(&session_of(user.id, digest, 0, 100), 20).await.unwrap().0.id);
        }
        assert!(!sessions.end(other.id, ids[0], at(1)).await.unwrap(), "another user's");
        assert!(sessions.end(user.id, ids[0], at(10)).await.unwrap());
        assert!(!sessions.end(user.id, ids[0], at(11)).await.unwrap());
        assert_eq!(sessions.rotate("a", "x", at(11), at(100)).await.unwrap(), Rotation::Refused);
        assert_eq!(sessions.ended_since(at(10)).await.unwrap(), [ids[0]]);
        assert!(sessions.ended_since(at(10) + TimeDelta::microseconds(1)).await.unwrap().is_empty());

        for id in &ids[2..] {
            assert!(sessions.end(user.id, *id, at(20)).await.unwrap());
        }
        assert_eq!(sessions.ended_since(at(11)).await.unwrap(), [ids[2], ids[3]]);
        assert_eq!(sessions.list(user.id, at(20)).await.unwrap()[0].id, ids[1]);

        assert!(matches!(sessions.rotate("b", "b2", at(30), at(200)).await.unwrap(), Rotation::Rotated(_)));
        assert_eq!(sessions.purge(at(20)).await.unwrap(), 1, "the one that ended at 10");
        assert_eq!(sessions.ended_since(at(0)).await.unwrap(), [ids[2], ids[3]]);
        assert_eq!(sessions.purge(at(150)).await.unwrap(), 2);
        // The token `b` would have expired by now, so nobody is told any more that it was used twice.
        assert_eq!(sessions.rotate("b", "x", at(160), at(200)).await.unwrap(), Rotation::Refused);
        assert!(matches!(sessions.rotate("b2", "b3", at(160), at(300)).await.unwrap(), Rotation::Rotated(_)));
        assert_eq!(sessions.end_all(user.id, at(161)).await.unwrap(), [ids[1]]);
        assert_eq!(sessions.purge(at(1000)).await.unwrap(), 1);
        assert_eq!(sessions.purge(at(1000)).await.unwrap(), 0);
    }

    async fn a_user_has_one_api_key(engine: TestEngine) {
        let fixture = open(engine).await;
        let keys = fixture.stores.api_keys();
        let user = fixture.user("someone", Role::User).await;
        assert!(keys.find(user.id).await.unwrap().is_none());
        assert!(!keys.delete(user.id).await.unwrap());
        keys.put(user.id, "one", None, at(0)).await.unwrap();
        keys.touch(user.id, at(1)).await.unwrap();
        keys.put(user.id, "two", Some(at(9)), at(2)).await.unwrap();
        let key = keys.find(user.id).await.unwrap().unwrap();
        assert_eq!((key.digest.as_str(), &key.user), ("two", &user));
        assert_eq!(key.expires_at, Some(at(9)));
        assert!(keys.delete(user.id).await.unwrap());
        assert!(keys.find(user.id).await.unwrap().is_none());
        let error = keys.put(UserId(99), "x", None, at(0)).await.unwrap_err();
        assert!(matches!(error, StoreError::Constraint(v) if v.kind == ViolationKind::ForeignKeyParent));
    }

    async fn versions_are_seeded_and_changed(engine: TestEngine) {
        let fixture = open(engine).await;
        let versions = fixture.stores.versions();
        let list = versions.list().await.unwrap();
        let seen: Vec<_> = list.iter().map(|version| (version.version.as_str(), version.supported)).collect();
        let mut seeded: Vec<_> = ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8"].map(|old| (old, false)).into();
        seeded.push(("1.0", true));
        assert_eq!(seen, seeded);

        let name = |text: &str| VersionName::parse(text).unwrap();
        let added = versions.insert(&name("2.0-rc.1"), true).await.unwrap();
        assert!(is_unique(&versions.insert(&name("2.0-rc.1"), false).await.unwrap_err(), "version"));
        let off = VersionPatch { version: None, supported: Some(false) };
        assert!(!versions.update(added.id, &off).await.unwrap().unwrap().supported);
        assert!(versions.update(added.id, &off).await.unwrap().is_some());
        assert!(versions.update(added.id, &VersionPatch::default()).await.unwrap().is_some());
        let taken = VersionPatch { version: Some(name("1.0")), supported: None };
        assert!(is_unique(&versions.update(added.id, &taken).await.unwrap_err(), "version"));
        assert!(versions.update(9999, &off).await.unwrap().is_none());
        assert!(versions.delete(added.id).await.unwrap());
        assert!(!versions.delete(added.id).await.unwrap());
        // A number that was given once is not given again.
        assert!(versions.insert(&name("3.0"), true).await.unwrap().id > added.id);
    }

    async fn much_at_once_is_served_by_few_connections(engine: TestEngine) {
        let fixture = Arc::new(open(engine).await);
        let tasks = (0..60).map(|number| {
            let fixture = fixture.clone();
            tokio::spawn(async move {
                let user = fixture.user(&format!("user-{number}"), Role::User).await;
                let sessions = fixture.stores.sessions();
                let token = format!("token-{number}");
                sessions.start(&session_of(user.id, &token, 0, 100), 5).await.unwrap();
                let rotated = sessions.rotate(&token, &format!("{token}-2"), at(1), at(200)).await.unwrap();
                assert!(matches!(rotated, Rotation::Rotated(_)));
                assert_eq!(sessions.end_all(user.id, at(2)).await.unwrap().len(), 1);
                fixture.database.ping().await.unwrap();
            })
        });
        for task in join_all(tasks).await {
            task.unwrap();
        }
    }
}
