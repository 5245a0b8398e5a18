//! The audit trail: what is told of each change, that nobody can change it, and who may read it.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection, SqliteConnection};
use tidegate_domain::account::UserId;
use tidegate_domain::audit::{Action, AuditFilter, AuditTrail as _, Entry};
use tidegate_domain::page::PageRequest;

use crate::support::app::{ADMIN_PASSWORD, MEMBER_PASSWORD, TestApp, sign_in};
use crate::support::client::{Client, Reply};
use crate::support::engines::{TestDatabase, TestEngine};
use crate::support::resource::members;
use crate::support::stores::{at, open};

/// All entries, oldest first.
async fn entries(admin: &Client) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    for page in 1.. {
        let path = format!("/admin/audit?limit=100&page={page}");
        let list = admin.get(&path).await.expect(200).value();
        found.extend(list["entries"].as_array().expect("entries").iter().cloned());
        if found.len() as u64 >= list["total"].as_u64().expect("a number") {
            break;
        }
    }
    found.reverse();
    found
}

/// What came after so many entries: action, target, before and after.
async fn since(admin: &Client, known: usize) -> Vec<Value> {
    let new = entries(admin).await.split_off(known);
    new.iter()
        .map(|it| json!([it["action"], it["target"], it["before"], it["after"]]))
        .collect()
}

#[allow(
    clippy::disallowed_methods,
    reason = "the program's clock is the system's"
)]
fn now() -> DateTime<Utc> {
    std::time::SystemTime::now().into()
}

fn entry(at: DateTime<Utc>) -> Entry {
    Entry {
        at,
        actor: Some(UserId(7)),
        actor_name: Some("ann".to_owned()),
        action: Action::UserChanged,
        target_kind: "user",
        target: Some("7".to_owned()),
        before: None,
        after: None,
        request_id: None,
        address: None,
    }
}

/// Tries a statement on Tidegate's own database with its own account; the error.
async fn attempt(room: &TestDatabase, sql: &str) -> Option<String> {
    let sql = AssertSqlSafe(sql.to_owned());
    let outcome = match room.url() {
        Some(url) => {
            let mut connection = MySqlConnection::connect(url).await.expect("a connection");
            connection.execute(sql).await.map(drop)
        }
        None => {
            let url = format!("sqlite://{}", room.data_dir().join("tidegate.db").display());
            let mut connection = SqliteConnection::connect(&url).await.expect("a connection");
            connection.execute(sql).await.map(drop)
        }
    };
    outcome.err().map(|error| error.to_string())
}

on_every_engine! {
    async fn changes_of_accounts_are_told(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let admin = app.admin();
        let ann = app.member("ann").await;
        let me = ann.get("/auth/me").await.expect(200).value();
        let id = me["id"].as_i64().expect("an id");
        let user = format!("/users/{id}");
        let known = entries(&admin).await.len();

        admin.patch(&user, &json!({"email": "ann@example.org", "role_id": 1, "password": "another password"})).await.expect(200);
        admin.post(&format!("{user}/api-key"), &json!({})).await.expect(201);
        admin.delete(&format!("{user}/api-key")).await.expect(204);
        // What stays as it is is no change.
        admin.patch(&user, &json!({"email": "ann@example.org"})).await.expect(200);
        admin.delete(&user).await.expect(200);
        let target = id.to_string();
        let expected = [
            json!(["role.changed", target, {"role": "user"}, {"role": "admin"}]),
            json!(["password.changed", target, null, null]),
            json!(["user.changed", target, {"email": null}, {"email": "ann@example.org"}]),
            json!(["api_key.created", target, null, {"expires_at": null}]),
            json!(["api_key.deleted", target, null, null]),
            json!(["user.changed", target, {"activated": true}, {"activated": false}]),
        ];
        assert_eq!(since(&admin, known).await, expected);

        let all = entries(&admin).await;
        let made: Vec<&Value> = all.iter().filter(|it| it["action"] == "user.created").collect();
        assert_eq!(made[0]["actor"], "terminal", "the first administrator: {}", made[0]);
        assert_eq!((&made[1]["actor"], &made[1]["after"]["role"]), (&json!("admin"), &json!("user")));
        let text = json!(all).to_string();
        for secret in [ADMIN_PASSWORD, MEMBER_PASSWORD, "another password", "$2"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
        // A failure undoes the entry with the change.
        let known = all.len();
        let taken = json!({"username": "admin", "password": "whatever it is", "role_id": 2});
        admin.post("/users", &taken).await.problem(409, "username_taken");
        assert_eq!(since(&admin, known).await, [json!(null); 0]);
    }

    async fn log_ins_and_ends_of_sessions_are_told_with_their_requests(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let admin = app.admin();
        app.member("ann").await;
        let known = entries(&admin).await.len();
        let request = app.anonymous().request(Method::POST, "/auth/token").header("X-Request-Id", "audit-1");
        Reply::of(request.json(&json!({"username": "ann", "password": "wrong but long"}))).await.expect(401);
        let unknown = json!({"username": "my password by mistake", "password": "wrong but long"});
        app.anonymous().post("/auth/token", &unknown).await.expect(401);
        let token = sign_in(&app.anonymous(), "ann", MEMBER_PASSWORD).await;
        app.anonymous().bearer(&token).post("/auth/logout", &json!({})).await.expect(200);

        let new = entries(&admin).await.split_off(known);
        let told: Vec<_> = new.iter().map(|it| (it["action"].as_str().expect("a name"), it["actor"].clone())).collect();
        let ann = json!("ann");
        assert_eq!(told, [
            ("login.failed", Value::Null),
            ("login.failed", Value::Null),
            ("login.succeeded", ann.clone()),
            ("session.ended", ann),
        ]);
        assert_eq!((&new[0]["request_id"], &new[0]["address"]), (&json!("audit-1"), &json!("127.0.0.1")));
        assert_eq!(new[0]["target"], new[2]["target"], "whose password it was to be");
        assert!(new[1]["target"].is_null());
        assert!(!json!(new).to_string().contains("by mistake"), "{new:?}");
        assert_eq!(new[2]["after"]["session"].to_string(), new[3]["target"].as_str().expect("a number"));
    }

    async fn other_changes_are_told(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let admin = app.admin();
        let known = entries(&admin).await.len();
        let harbour = app.gateway_database("harbour").await;
        let tables = format!("/databases/{harbour}/tables");
        let berth = json!({"name": "berth", "columns": [{"name": "id", "type": "INT"}], "primary_key": ["id"]});
        admin.post(&tables, &berth).await.expect(201);
        let change = json!({"add_columns": [{"name": "depth", "type": "DECIMAL(4,2)"}]});
        admin.patch(&format!("{tables}/berth"), &change).await.expect(200);
        admin.delete(&format!("{tables}/berth")).await.expect(204);
        admin.delete(&format!("/databases/{harbour}")).await.expect(204);
        let made = admin.post("/versions", &json!({"version": "7.0"})).await.expect(201).value();
        let version = format!("/versions/{}", made["id"]);
        admin.patch(&version, &json!({"supported": false})).await.expect(200);
        admin.delete(&version).await.expect(204);
        let webhook = admin.post("/webhooks", &json!({"name": "Shop", "provider": "github"})).await.expect(201).value();
        let path = format!("/webhooks/{}", webhook["id"]);
        admin.patch(&path, &json!({"status": 0})).await.expect(200);
        let secret = json!({"secret": "a secret of the webhook"});
        let added = admin.post(&format!("{path}/secrets"), &secret).await.expect(201).value();
        admin.delete(&format!("{path}/secrets/{}", added["id"])).await.expect(204);
        admin.delete(&path).await.expect(204);
        admin.post("/admin/jobs/inbox/run", &json!({})).await.expect(202);

        let told = since(&admin, known).await;
        let actions: Vec<&str> = told.iter().map(|it| it[0].as_str().expect("a name")).collect();
        assert_eq!(actions, [
            "database.created", "table.created", "table.changed", "table.dropped", "database.dropped",
            "version.created", "version.changed", "version.deleted",
            "webhook.created", "webhook.changed", "webhook.secret_changed", "webhook.secret_changed", "webhook.deleted",
            "job.started",
        ]);
        assert_eq!(told[1][1], format!("{harbour}.berth"));
        let columns = &told[2][3]["columns"];
        assert_eq!(members(columns), ["depth", "id"], "{}", told[2]);
        assert_eq!(told[6][2], json!({"supported": true}));
        assert_eq!(told[6][3], json!({"supported": false}));
        assert!(!json!(told).to_string().contains("a secret of"), "{told:?}");
        if engine.is_server() {
            let known = entries(&admin).await.len();
            let harbour = app.gateway_database("accounts").await;
            let users = format!("/databases/{harbour}/users");
            let name = harbour.replace('_', "").chars().take(20).collect::<String>();
            admin.post(&users, &json!({"username": name, "password": "a password of it"})).await.expect(201);
            admin.delete(&format!("{users}/{name}@localhost")).await.expect(204);
            let told = since(&admin, known).await;
            let target = format!("{name}@localhost");
            assert_eq!(told[1..], [
                json!(["database_user.created", target, null, {"database": harbour, "privileges": ["SELECT"]}]),
                json!(["database_user.dropped", target, {"database": harbour}, null]),
            ]);
        }
    }

    async fn administrators_find_what_they_look_for(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let admin = app.admin();
        let ann = app.member("ann").await;
        app.member("bob").await;
        let id = ann.get("/auth/me").await.expect(200).value()["id"].clone();
        let found = async |query: &str| {
            let list = admin.get(&format!("/admin/audit?{query}")).await.expect(200).value();
            let entries = list["entries"].as_array().expect("entries").clone();
            assert_eq!(list["total"], entries.len(), "{query}");
            entries
        };
        let made = found("action=user.created&actor=admin").await;
        assert_eq!(made.len(), 2);
        assert!(made[0]["id"].as_i64() > made[1]["id"].as_i64(), "newest first");
        assert_eq!(members(&made[0]), [
            "action", "actor", "actor_id", "address", "after", "at", "before", "id", "request_id", "target", "target_kind",
        ]);
        let about = found(&format!("target_kind=user&target={id}")).await;
        let actions: Vec<_> = about.iter().map(|it| it["action"].clone()).collect();
        assert_eq!(actions, ["login.succeeded", "user.created"]);
        assert_eq!(found(&format!("actor={id}")).await.len(), 1);
        assert_eq!(found("actor=nobody").await.len(), 0);
        let all = found("").await.len();
        let middle = found("").await[2]["at"].as_str().expect("a time").to_owned();
        let (from, to) = (found(&format!("since={middle}")).await, found(&format!("until={middle}")).await);
        assert_eq!((from.len() + to.len(), from.last().expect("one")["at"].as_str()), (all, Some(middle.as_str())));
        let page = admin.get("/admin/audit?limit=2&page=2").await.expect(200);
        assert!(page.header("link").contains("page=3"), "{:?}", page.headers);
        let page = page.value();
        assert_eq!((&page["page"], &page["limit"], &page["total"]), (&json!(2), &json!(2), &json!(all)));
        for query in ["action=user.eaten", "since=yesterday", "until=1", "page=0", "limit=0", "unheard=1"] {
            admin.get(&format!("/admin/audit?{query}")).await.problem(422, "validation_failed");
        }
        ann.get("/admin/audit").await.problem(403, "forbidden");
        app.anonymous().get("/admin/audit").await.problem(401, "not_authenticated");
    }

    async fn it_is_only_added_to(engine: TestEngine) {
        let room = open(engine).await;
        let audit = room.stores.audit();
        let (old, young) = (now() - TimeDelta::days(3), now());
        for at in [old, young] {
            audit.record(&entry(at)).await.expect("it is stored");
        }
        for sql in [
            "UPDATE audit SET actor = 'somebody else'",
            "DELETE FROM audit",
            "DELETE FROM audit WHERE id = 2",
        ] {
            let refused = attempt(&room.room, sql).await;
            assert!(refused.as_ref().is_some_and(|text| text.contains("only added to")), "{sql}: {refused:?}");
        }
        let page = PageRequest::page(1, 10, 10).expect("a page");
        let all = audit.list(&AuditFilter::default(), page).await.expect("a list");
        assert_eq!(all.items.iter().map(|it| it.actor.as_deref()).collect::<Vec<_>>(), [Some("ann"), Some("ann")]);
        // What is old goes, and what is younger than that stays.
        assert_eq!(audit.purge(now() - TimeDelta::days(2)).await.expect("a number"), 1);
        assert_eq!(audit.purge(now() - TimeDelta::days(2)).await.expect("a number"), 0);
        assert!(audit.purge(now() + TimeDelta::days(1)).await.is_err(), "a wrong clock deletes nothing");
        assert_eq!(audit.list(&AuditFilter::default(), page).await.expect("a list").total, 1);
    }

    async fn long_texts_are_cut_and_portions_are_deleted(engine: TestEngine) {
        let room = open(engine).await;
        let audit = room.stores.audit();
        let long = Entry {
            actor_name: Some("ø".repeat(300)),
            target: Some("🐉".repeat(300)),
            request_id: Some("x".repeat(300)),
            ..entry(at(0))
        };
        audit.record(&long).await.expect("it is stored");
        for _ in 0..600 {
            audit.record(&entry(at(1))).await.expect("it is stored");
        }
        let page = PageRequest::page(601, 1, 1).expect("a page");
        let first = audit.list(&AuditFilter::default(), page).await.expect("a list").items;
        assert_eq!(first[0].target.as_ref().map(|it| it.chars().count()), Some(255));
        assert_eq!(audit.purge(at(2)).await.expect("a number"), 601);
    }
}
