//! What every adapter of the inbox must do, where requests cannot show it: retention, the order
//! of numbers over several nodes, and the tables of an outside writer.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use serde_json::{Value, from_value, json};
use sqlx::Connection as _;
use tidegate_domain::account::{Role, UserId};
use tidegate_domain::error::StoreError;
use tidegate_domain::webhook::consumer::{
    ConsumerKey, ConsumerName, Consumers, LeaseRequest, Replay, Settlement,
};
use tidegate_domain::webhook::hook::{NewWebhook, Webhook, Webhooks as _};
use tidegate_domain::webhook::message::{
    Accepted, Arrivals as _, Inbox, MessageId, NewMessage, Selection,
};
use tidegate_persistence::inbox::arrivals::ArrivalHub;
use tidegate_persistence::inbox::consumers::ConsumerStore;
use tidegate_persistence::inbox::legacy;
use tidegate_persistence::inbox::messages::InboxStore;

use crate::support::engines::TestEngine;
use crate::support::process::{Program, eventually};
use crate::support::stores::{Fixture, at, open};

struct Room {
    fixture: Fixture,
    arrivals: ArrivalHub,
    inbox: InboxStore,
    owner: UserId,
}

impl Room {
    async fn open(engine: TestEngine) -> Self {
        let fixture = open(engine).await;
        let owner = fixture.user("ann", Role::User).await.id;
        let arrivals = ArrivalHub::new(fixture.database.clone());
        Self {
            inbox: InboxStore::new(fixture.database.clone(), arrivals.clone()),
            arrivals,
            owner,
            fixture,
        }
    }

    async fn webhook(&self, draft: Value) -> Webhook {
        let rid = uuid_like();
        let new = NewWebhook {
            owner: self.owner,
            rid,
            draft: from_value(draft).expect("a draft"),
            created_at: at(0),
        };
        self.fixture
            .stores
            .webhooks()
            .insert(&new)
            .await
            .expect("stored")
    }

    fn message(&self, webhook: Option<&Webhook>, body: &str, time: DateTime<Utc>) -> NewMessage {
        NewMessage {
            owner: self.owner,
            webhook: webhook.map(|webhook| webhook.id),
            method: "POST".into(),
            path: String::new(),
            query: String::new(),
            headers: vec![("x-a".into(), vec![0xff])],
            body: body.to_owned().into(),
            verdict: None,
            delivery_id: None,
            key: None,
            address: "192.0.2.7".into(),
            received: true,
            received_at: time,
        }
    }

    async fn accept(&self, message: NewMessage) -> MessageId {
        match self.inbox.accept(message).await.expect("stored") {
            Accepted::New(id) => id,
            Accepted::Duplicate => panic!("a duplicate"),
        }
    }

    async fn bodies(&self, of: Selection) -> Vec<String> {
        let found = self
            .inbox
            .list(of, MessageId(0), 100)
            .await
            .expect("a list");
        let text = |body: &[u8]| String::from_utf8_lossy(body).into_owned();
        found.iter().map(|message| text(&message.body)).collect()
    }

    fn of(&self, webhook: &Webhook) -> Selection {
        Selection::Webhook(self.owner, webhook.id)
    }
}

/// 32 letters that no other webhook has.
fn uuid_like() -> String {
    crate::support::engines::unique_name()
        .repeat(3)
        .chars()
        .take(32)
        .collect()
}

fn key(owner: UserId, webhook: &Webhook) -> ConsumerKey {
    ConsumerKey {
        owner,
        webhook: webhook.id,
        name: ConsumerName::try_from("erp".to_owned()).expect("a name"),
    }
}

fn lease(name: &str, now: DateTime<Utc>) -> LeaseRequest {
    LeaseRequest {
        lease: name.into(),
        limit: 100,
        now,
        expires_at: now + TimeDelta::seconds(30),
        max_deliveries: 5,
    }
}

on_every_engine! {
    async fn what_is_too_old_or_too_many_goes_and_nothing_else(engine: TestEngine) {
        let room = Room::open(engine).await;
        let aged = room.webhook(json!({"name": "aged", "retention_days": 10})).await;
        let few = room.webhook(json!({"name": "few", "retention_days": null, "retention_messages": 3})).await;
        let all = room.webhook(json!({"name": "all", "retention_days": null})).await;
        let day = |day: i64| at(0) + TimeDelta::days(day);
        // More than one portion of what goes.
        let many = (0..1100).map(|n| room.accept(room.message(Some(&aged), &format!("old {n}"), day(1))));
        join_all(many).await;
        for n in 0..5 {
            room.accept(room.message(Some(&aged), &format!("new {n}"), day(25))).await;
            room.accept(room.message(Some(&few), &format!("few {n}"), day(1))).await;
            room.accept(room.message(Some(&all), &format!("all {n}"), day(1))).await;
            room.accept(room.message(None, &format!("own {n}"), day(n))).await;
        }
        let deleted = room.inbox.purge(day(30), day(3), day(0)).await.expect("purged");
        assert_eq!(deleted, 1100 + 2 + 3);
        let names = |word: &str, from: i64| (from..5).map(|n| format!("{word} {n}")).collect::<Vec<_>>();
        assert_eq!(room.bodies(room.of(&aged)).await, names("new", 0));
        assert_eq!(room.bodies(room.of(&few)).await, names("few", 2));
        assert_eq!(room.bodies(room.of(&all)).await, names("all", 0));
        assert_eq!(room.bodies(Selection::Own(room.owner)).await, names("own", 3));
        assert_eq!(room.inbox.purge(day(30), day(3), day(0)).await.expect("purged"), 0);
    }

    async fn consumers_forget_what_retention_deletes(engine: TestEngine) {
        let room = Room::open(engine).await;
        let webhook = room.webhook(json!({"name": "x", "retention_messages": 1})).await;
        for n in 0..3 {
            room.accept(room.message(Some(&webhook), &format!("{n}"), at(0))).await;
        }
        let consumers = ConsumerStore::new(room.fixture.database.clone());
        let key = key(room.owner, &webhook);
        assert_eq!(consumers.lease(&key, &lease("one", at(0))).await.expect("a lease").deliveries.len(), 3);
        room.inbox.purge(at(1), at(0), at(0)).await.expect("purged");
        // Only one is there to be handed out again.
        let again = consumers.lease(&key, &lease("two", at(60))).await.expect("a lease").deliveries;
        assert_eq!(again.iter().map(|it| (it.message.body.as_ref(), it.delivery)).collect::<Vec<_>>(), [(&b"2"[..], 2)]);
        let state = consumers.find(&key, at(60)).await.expect("an answer").expect("a consumer");
        assert_eq!((state.leased, state.waiting, state.behind), (1, 0, 0));
    }

    async fn a_long_range_is_replayed_in_portions(engine: TestEngine) {
        let room = Room::open(engine).await;
        let webhook = room.webhook(json!({"name": "x"})).await;
        join_all((0..2500).map(|n| room.accept(room.message(Some(&webhook), &format!("{n}"), at(0))))).await;
        let consumers = ConsumerStore::new(room.fixture.database.clone());
        let key = key(room.owner, &webhook);
        let (mut leased, mut turn) = (0, 0);
        while leased < 2500 {
            let name = format!("lease {turn}");
            leased += consumers.lease(&key, &lease(&name, at(0))).await.expect("a lease").deliveries.len();
            let done = consumers.settle(&key, &name, None, Settlement::Ack, at(1)).await.expect("an answer");
            assert!(done);
            turn += 1;
        }
        let state = async || consumers.find(&key, at(1)).await.expect("an answer").expect("a consumer");
        assert_eq!((state().await.waiting, state().await.behind), (0, 0));
        let all = Replay::Range(MessageId(0), MessageId(i64::MAX));
        assert_eq!(consumers.replay(&key, all, at(1)).await.expect("an answer"), Some(2500));
        assert_eq!(state().await.waiting, 2500);
        assert_eq!(consumers.replay(&key, all, at(1)).await.expect("an answer"), Some(0), "they wait already");
        let backwards = Replay::Range(MessageId(9), MessageId(1));
        assert_eq!(consumers.replay(&key, backwards, at(1)).await.expect("an answer"), Some(0));
    }

    async fn keys_outlive_their_messages_and_go_at_last(engine: TestEngine) {
        let room = Room::open(engine).await;
        let webhook = room.webhook(json!({"name": "x", "retention_messages": 1})).await;
        let message = |time| NewMessage { key: Some("k".repeat(64)), ..room.message(Some(&webhook), "a", time) };
        room.accept(message(at(0))).await;
        room.accept(room.message(Some(&webhook), "b", at(1))).await;
        room.inbox.purge(at(2), at(0), at(0)).await.expect("purged");
        assert_eq!(room.bodies(room.of(&webhook)).await, ["b"]);
        assert_eq!(room.inbox.accept(message(at(3))).await.expect("an answer"), Accepted::Duplicate);
        room.inbox.purge(at(4), at(0), at(4)).await.expect("purged");
        room.accept(message(at(5))).await;
        // The same key of another webhook is another delivery.
        let other = room.webhook(json!({"name": "y"})).await;
        room.accept(NewMessage { webhook: Some(other.id), ..message(at(6)) }).await;
    }

    async fn messages_of_a_webhook_that_is_gone_go_too(engine: TestEngine) {
        let room = Room::open(engine).await;
        let webhook = room.webhook(json!({"name": "x"})).await;
        room.accept(room.message(Some(&webhook), "a", at(0))).await;
        room.fixture.stores.webhooks().delete(webhook.id).await.expect("deleted");
        assert_eq!(room.bodies(Selection::All(room.owner)).await, ["a"]);
        assert_eq!(room.inbox.purge(at(1), at(0), at(0)).await.expect("purged"), 1);
        let consumers = ConsumerStore::new(room.fixture.database.clone());
        let refused = consumers.lease(&key(room.owner, &webhook), &lease("one", at(0))).await;
        assert!(matches!(refused, Err(StoreError::Constraint(_))), "{refused:?}");
    }

    async fn numbers_are_in_the_order_of_commits_whatever_the_node(engine: TestEngine) {
        let room = Room::open(engine).await;
        let webhook = room.webhook(json!({"name": "x", "retention_days": null})).await;
        // Two more queues on the same database, as other nodes would have.
        let nodes: Vec<_> = (0..3).map(|_| {
            InboxStore::new(room.fixture.database.clone(), ArrivalHub::new(room.fixture.database.clone()))
        }).collect();
        let senders = join_all((0..30).map(async |sender: usize| {
            for n in 0..20 {
                let message = room.message(Some(&webhook), &format!("{sender} {n}"), at(0));
                let stored = nodes[sender % nodes.len()].accept(message).await.expect("stored");
                assert!(matches!(stored, Accepted::New(_)));
            }
        }));
        // A reader that goes on from the last number it saw must see all of them.
        let reader = async {
            let mut seen: Vec<MessageId> = Vec::new();
            while seen.len() < 600 {
                let from = MessageId(seen.last().map_or(0, |id| id.0 + 1));
                let found = room.inbox.list(room.of(&webhook), from, 100).await.expect("a list");
                seen.extend(found.iter().map(|message| message.id));
                tokio::task::yield_now().await;
            }
            seen
        };
        let (seen, _) = tokio::time::timeout(Duration::from_secs(60), async { tokio::join!(reader, senders) })
            .await
            .expect("every message is seen");
        assert!(seen.is_sorted_by(|a, b| a < b));
    }

    async fn whoever_waits_learns_what_another_node_stored(engine: TestEngine) {
        let room = Room::open(engine).await;
        let webhook = room.webhook(json!({"name": "x"})).await;
        let other = room.webhook(json!({"name": "y"})).await;
        let follower = tokio::spawn({
            let arrivals = room.arrivals.clone();
            async move { arrivals.follow().await }
        });
        let wait = Duration::from_secs(30);
        let mut watch = room.arrivals.watch(webhook.id, wait);
        // The first look wakes everybody, because it cannot know what came before.
        assert!(watch.changed(None).await);
        let node = InboxStore::new(room.fixture.database.clone(), ArrivalHub::new(room.fixture.database.clone()));
        node.accept(room.message(Some(&other), "for others", at(0))).await.expect("stored");
        assert!(watch.changed(Some(Duration::from_secs(1))).await, "it is to look again after a second");
        node.accept(room.message(Some(&webhook), "here", at(0))).await.expect("stored");
        assert!(watch.changed(None).await);
        room.arrivals.close();
        assert!(!watch.changed(None).await, "the server stops");
        follower.abort();
    }
}

/// Writes as the program outside does.
async fn write(url: &str, sql: &str) {
    let mut connection = sqlx::MySqlConnection::connect(url)
        .await
        .expect("a connection");
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql)
        .execute(&mut connection)
        .await
        .expect("written");
}

on_every_engine! {
    async fn rows_of_an_outside_writer_are_taken_in_once(engine: TestEngine) {
        let room = Room::open(engine).await;
        let database = &room.fixture.database;
        let Some(url) = room.fixture.room.url() else {
            let refused = legacy::create(database, None).await;
            assert!(matches!(&refused, Err(StoreError::Unsupported(why)) if why.contains("MySQL")), "{refused:?}");
            assert!(matches!(legacy::drop(database).await, Err(StoreError::Unsupported(_))));
            assert!(!legacy::exist(database).await.expect("an answer"));
            return;
        };
        let webhook = room.webhook(json!({"name": "Pay ment"})).await;
        assert!(!legacy::exist(database).await.expect("an answer"));
        legacy::create(database, Some("https://api.example.org")).await.expect("made");
        legacy::create(database, Some("https://api.example.org")).await.expect("made again");
        assert!(legacy::exist(database).await.expect("an answer"));
        let user = room.owner.0;
        let users = room.fixture.room.ask("SELECT id, email, phone, token, status, pwd FROM tbluser").await;
        assert_eq!(users.trim(), format!("{user}    1"), "without secrets");
        let hooks = room.fixture.room.ask("SELECT id, user_id, wh_url, wh_name, status FROM tblwhid").await;
        assert_eq!(hooks.trim(), format!("{} {user} https://api.example.org/in/{} Pay ment 1", webhook.id.0, webhook.rid));

        let insert = |content: &str, api: u8, user: i64, hook: i64| format!(
            "INSERT INTO tblwh (content, ip, api, dt, user_id, wh_id) VALUES ('{content}', '192.0.2.9', {api}, '2022-01-09 05:31:38', {user}, {hook})"
        );
        write(url, &insert("paid \u{1f409}", 1, user, webhook.id.0)).await;
        write(url, &insert("own", 0, user, 0)).await;
        write(url, &insert("nobody", 1, 987_654, 0)).await;
        write(url, &insert("other hook", 1, user, 987_654)).await;
        // A transaction that began earlier is seen later, with a smaller number.
        let mut slow = sqlx::MySqlConnection::connect(url).await.expect("a connection");
        let mut open = slow.begin().await.expect("a transaction");
        sqlx::raw_sql(sqlx::AssertSqlSafe(insert("slow", 1, user, 0))).execute(&mut *open).await.expect("written");
        write(url, &insert("quick", 1, user, 0)).await;

        let take = async |time| legacy::take(database, &room.arrivals, time).await.expect("taken");
        let both = tokio::join!(take(at(0)), take(at(0)));
        assert_eq!(both.0 + both.1, 4, "{both:?}");
        open.commit().await.expect("a commit");
        assert_eq!(take(at(1)).await, 1);
        assert_eq!(take(at(2)).await, 0);
        assert_eq!(room.bodies(Selection::All(room.owner)).await, ["paid \u{1f409}", "own", "other hook", "quick", "slow"]);
        assert_eq!(room.bodies(room.of(&webhook)).await, ["paid \u{1f409}"]);
        let first = room.inbox.list(Selection::All(room.owner), MessageId(0), 2).await.expect("a list");
        assert_eq!((first[0].received, first[0].address.as_str()), (true, "192.0.2.9"));
        assert_eq!(first[0].received_at.to_rfc3339(), "2022-01-09T05:31:38+00:00");
        assert!(!first[1].received);

        // Two hours later the notes are gone but the last, and still nothing comes twice.
        assert_eq!(take(at(7300)).await, 0);
        write(url, &insert("later", 1, user, 0)).await;
        assert_eq!(take(at(7301)).await, 1);
        assert_eq!(take(at(14_510)).await, 0);
        assert_eq!(room.fixture.room.ask("SELECT COUNT(*) FROM inbox_legacy_rows").await.trim(), "1");
        // Nor where the clock of another node is behind.
        assert_eq!(take(at(12_000)).await, 0);
        assert_eq!(take(at(14_511)).await, 0);

        legacy::drop(database).await.expect("gone");
        legacy::drop(database).await.expect("gone already");
        assert!(!legacy::exist(database).await.expect("an answer"));
        assert_eq!(room.bodies(Selection::All(room.owner)).await.len(), 6);
    }

    async fn a_running_server_takes_rows_in_by_itself(engine: TestEngine) {
        let database = engine.create_database().await;
        let program = Program::on(&database);
        let serving = program.serve();
        let made = program.run(&["inbox", "legacy-tables", "create"]);
        let Some(url) = database.url() else {
            assert!(made.failure().contains("MySQL or MariaDB"));
            serving.stop();
            return;
        };
        made.success();
        let client = serving.anonymous();
        let token = crate::support::app::sign_in(&client, "admin", crate::support::app::ADMIN_PASSWORD).await;
        let admin = client.bearer(&token);
        let id = admin.get("/auth/me").await.value()["id"].clone();
        write(url, &format!("INSERT INTO tblwh (content, ip, api, dt, user_id, wh_id) VALUES ('from outside', '192.0.2.9', 1, '2022-01-09 05:31:38', {id}, 0)")).await;
        let seen = async || admin.get("/whcontent").await.expect(200).value()["whcontent"].clone();
        eventually("the row is seen", Duration::from_secs(20), async || seen().await != json!([])).await;
        let first = seen().await;
        assert_eq!(first, json!([{"id": first[0]["id"], "content": "from outside", "ip": "192.0.2.9", "api": 1, "dt": "2022-01-09 05:31:38", "wh_id": 0}]));
        // A new webhook appears in the writer's table.
        let webhook = admin.post("/webhooks", &json!({"name": "Pay"})).await.expect(201).value();
        let listed = async || database.ask("SELECT wh_name FROM tblwhid").await;
        eventually("the webhook is listed", Duration::from_secs(20), async || listed().await.trim() == "Pay").await;
        admin.patch(&format!("/webhooks/{}", webhook["id"]), &json!({"name": "Pal"})).await.expect(200);
        eventually("its name follows", Duration::from_secs(20), async || listed().await.trim() == "Pal").await;
        program.run(&["inbox", "legacy-tables", "drop"]).success();
        serving.stop();
    }
}
