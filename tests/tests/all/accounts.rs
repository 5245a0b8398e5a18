//! Accounts: users, roles, API keys (contract of the `/users` and `/auth` routes).

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{ADMIN_PASSWORD, MEMBER_PASSWORD, TestApp, sign_in};
use crate::support::client::{Client, Reply};
use crate::support::engines::TestEngine;

fn id(user: &Value) -> i64 {
    user["id"].as_i64().expect("an id")
}

async fn me(client: &Client) -> Value {
    client.get("/auth/me").await.expect(200).value()
}

on_every_engine! {
    async fn the_first_administrator_is_user_1(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let admin = me(&app.admin()).await;
        assert_eq!(admin["id"], 1);
        assert_eq!(admin["username"], "admin");
        assert_eq!((&admin["role"], &admin["role_id"]), (&json!("admin"), &json!(1)));
        assert_eq!((&admin["is_admin"], &admin["activated"]), (&json!(true), &json!(true)));
        assert!(admin["created_at"].as_str().expect("a time").ends_with('Z'));
        assert_eq!((&admin["email"], &admin["updated_at"]), (&Value::Null, &Value::Null));
        assert_eq!(app.admin().get("/users/me").await.expect(200).value(), admin);
    }

    async fn anybody_registers_once_per_name_and_address(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let anonymous = app.anonymous();
        let body = json!({"username": "Ann", "password": "a good password", "email": "Ann@example.org"});
        let user = anonymous.post("/auth/register", &body).await.expect(201).value();
        assert_eq!((&user["username"], &user["role"], &user["is_admin"]), (&json!("Ann"), &json!("user"), &json!(false)));
        assert_eq!(user["email"], "Ann@example.org");

        // Both names are compared without case.
        for (username, email, code) in
            [("ANN", "other@example.org", "username_taken"), ("Ánn", "other@example.org", "username_taken"), ("other", "aNN@EXAMPLE.org", "email_taken")]
        {
            let body = json!({"username": username, "password": "a good password", "email": email});
            anonymous.post("/auth/register", &body).await.problem(409, code);
        }
        // The address serves as the name, too.
        sign_in(&anonymous, "ann@example.ORG", "a good password").await;
        sign_in(&anonymous, "aNN", "a good password").await;
    }

    async fn one_of_many_parallel_registrations_of_a_name_wins(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let requests = (0..20).map(|n| {
            let anonymous = app.anonymous();
            let body = json!({"username": if n % 2 == 0 { "racer" } else { "RACER" }, "password": "a good password"});
            async move { anonymous.post("/auth/register", &body).await.status.as_u16() }
        });
        let mut statuses = futures_util::future::join_all(requests).await;
        statuses.sort_unstable();
        assert_eq!(statuses[0], 201);
        assert!(statuses[1..].iter().all(|status| *status == 409), "{statuses:?}");
    }

    async fn bad_accounts_are_refused_with_all_their_faults(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let anonymous = app.anonymous();
        let fault = |body: Value, pointer: &'static str| {
            let anonymous = anonymous.clone();
            async move {
                let problem = anonymous.post("/auth/register", &body).await.expect(422).value();
                let pointers: Vec<_> = problem["errors"].as_array().expect("errors").iter().map(|e| e["pointer"].clone()).collect();
                assert!(pointers.contains(&json!(pointer)), "{body} {problem}");
            }
        };
        let good = "a good password";
        fault(json!({"username": "ab", "password": good}), "/username").await;
        fault(json!({"username": "a@b.org", "password": good}), "/username").await;
        fault(json!({"username": "12345", "password": good}), "/username").await;
        fault(json!({"username": "ann", "password": "short"}), "/password").await;
        fault(json!({"username": "annabelle", "password": "Annabelle"}), "/password").await;
        fault(json!({"username": "ann", "password": good, "email": "nowhere"}), "/email").await;
        fault(json!({"username": 7, "password": good}), "/username").await;
        fault(json!({"username": "ann", "password": good, "role_id": 1}), "/role_id").await;
        fault(json!({"username": "ann", "password": good, "is_admin": true}), "/is_admin").await;
        let both = anonymous.post("/auth/register", &json!({"username": "ab", "password": "short"})).await.expect(422).value();
        assert_eq!(both["errors"].as_array().expect("errors").len(), 2, "{both}");
        let reply = anonymous.text("/auth/register", "application/json", "{\"username\":").await;
        reply.problem(400, "malformed_body");
        assert_eq!(app.admin().get("/users").await.expect(200).value()["total"], 1);
    }

    async fn registration_can_be_switched_off(engine: TestEngine) {
        let app = TestApp::start_with(engine, &[("auth.registration", "false")]).await;
        let body = json!({"username": "ann", "password": "a good password"});
        app.anonymous().post("/auth/register", &body).await.expect(403);
        app.anonymous().post("/users", &json!({"email": "ann@example.org", "password": "a good password"})).await.expect(403);
        app.admin().post("/users", &json!({"username": "ann", "role_id": 2})).await.expect(201);
    }

    async fn the_email_sign_up_makes_a_name(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let body = json!({"email": "bob@example.org", "password": "a good password"});
        let user = app.anonymous().post("/users", &body).await.expect(201).value();
        assert_eq!(user["username"], format!("user{}", id(&user)));
        assert_eq!(user["role"], "user");
        sign_in(&app.anonymous(), "bob@example.org", "a good password").await;
        app.anonymous().post("/users", &body).await.problem(409, "email_taken");
    }

    async fn administrators_make_users_of_any_role(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let made = app.admin().post("/users", &json!({"username": "second", "role_id": 1})).await.expect(201).value();
        let password = made["password"].as_str().expect("a generated password").to_owned();
        let second = app.anonymous().bearer(&sign_in(&app.anonymous(), "second", &password).await);
        assert_eq!(me(&second).await["is_admin"], true);
        assert!(second.get(&format!("/users/{}", id(&made))).await.expect(200).value().get("password").is_none());

        app.admin().post("/users", &json!({"username": "third", "role_id": 9})).await.expect(422);
        let member = app.member("member").await;
        member.post("/users", &json!({"username": "mine", "role_id": 1})).await.expect(403);
        app.anonymous().post("/users", &json!({"username": "mine", "role_id": 1})).await.expect(401);
    }

    async fn the_early_route_for_api_users_has_its_messages(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let body = json!({"username": "gee", "password": "a good password", "is_admin": true});
        let reply = app.admin().post("/register-api-user", &body).await.expect(201).value();
        assert!(reply["message"].as_str().expect("a message").ends_with("created successfully"), "{reply}");
        let reply = app.admin().post("/register-api-user", &body).await.expect(400).value();
        assert!(reply["detail"].as_str().expect("a detail").ends_with("already registered"), "{reply}");
        app.member("member").await.post("/register-api-user", &body).await.expect(403);
        let reply = app.anonymous().post("/register-api-user", &body).await.expect(401);
        assert_eq!(reply.value()["detail"], "Not authenticated");
        let gee = app.anonymous().bearer(&sign_in(&app.anonymous(), "gee", "a good password").await);
        assert_eq!(me(&gee).await["is_admin"], true);
    }

    async fn the_list_is_paged_and_searched(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        for name in ["alpha", "Alphabet", "be%ta", "be_ta", "gamma"] {
            app.admin().post("/users", &json!({"username": name, "role_id": 2})).await.expect(201);
        }
        let member = app.member("watcher").await;
        let names = |reply: Value| -> Vec<String> {
            reply["users"].as_array().expect("users").iter().map(|u| u["username"].as_str().expect("a name").to_owned()).collect()
        };
        let all = member.get("/users").await.expect(200).value();
        assert_eq!((&all["page"], &all["limit"], &all["total"]), (&json!(1), &json!(20), &json!(7)));
        assert_eq!(names(all), ["admin", "alpha", "Alphabet", "be%ta", "be_ta", "gamma", "watcher"]);
        assert_eq!(names(member.get("/users?username=ALPHA").await.expect(200).value()), ["alpha", "Alphabet"]);
        assert_eq!(names(member.get("/users?username=%25").await.expect(200).value()), ["be%ta"]);
        assert_eq!(names(member.get("/users?username=e_").await.expect(200).value()), ["be_ta"]);
        let request = member.request(Method::GET, "/users?username=a&limit=2&page=2");
        let reply = Reply::of(request.header("prefer", "count=exact")).await.expect(200);
        assert_eq!(reply.header("x-total-count"), "7");
        let links: Vec<_> = reply.header("link").split(", ").collect();
        assert!(links[2].ends_with("/users?username=a&page=3&limit=2>; rel=\"next\""), "{links:?}");
        assert_eq!(member.get("/users").await.header("x-total-count"), "");
        let page = member.get("/users?page=2&limit=3").await.expect(200).value();
        assert_eq!(names(page), ["be%ta", "be_ta", "gamma"]);
        assert_eq!(member.get("/users?limit=5000").await.expect(200).value()["limit"], 100);
        for bad in ["limit=0", "limit=-1", "limit=x", "page=0", "activated=perhaps"] {
            member.get(&format!("/users?{bad}")).await.expect(422);
        }
        assert_eq!(member.get("/users?activated=false").await.expect(200).value()["total"], 0);
    }

    async fn addresses_are_shown_to_their_owner_and_administrators_only(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let body = json!({"username": "ann", "email": "ann@example.org", "password": MEMBER_PASSWORD, "role_id": 2});
        let ann_id = id(&app.admin().post("/users", &body).await.expect(201).value());
        let ann = app.anonymous().bearer(&sign_in(&app.anonymous(), "ann", MEMBER_PASSWORD).await);
        let bob = app.member("bob").await;
        let path = format!("/users/{ann_id}");
        assert_eq!(ann.get(&path).await.expect(200).value()["email"], "ann@example.org");
        assert_eq!(app.admin().get(&path).await.expect(200).value()["email"], "ann@example.org");
        let seen = bob.get(&path).await.expect(200);
        assert!(!seen.body.contains("ann@example.org"), "{}", seen.body);
        assert!(!bob.get("/users").await.expect(200).body.contains("ann@example.org"));
        bob.get("/users/999999").await.problem(404, "not_found");
        bob.get("/users/abc").await.expect(422);
    }

    async fn a_user_changes_themselves_and_nobody_else(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let ann_id = id(&me(&ann).await);
        let path = format!("/users/{ann_id}");
        let changed = ann.patch(&path, &json!({"username": "anna", "email": "anna@example.org"})).await.expect(200).value();
        assert_eq!((&changed["username"], &changed["email"]), (&json!("anna"), &json!("anna@example.org")));
        assert!(changed["updated_at"].as_str().is_some());
        let cleared = ann.json(Method::PUT, &path, &json!({"email": null})).await.expect(200).value();
        assert_eq!((&cleared["username"], &cleared["email"]), (&json!("anna"), &Value::Null));

        ann.patch("/users/1", &json!({"username": "mine"})).await.expect(403);
        ann.patch(&path, &json!({"role_id": 1})).await.expect(403);
        ann.patch(&path, &json!({"activated": false})).await.expect(403);
        ann.patch(&path, &json!({"is_admin": true})).await.expect(422);
        ann.patch(&path, &json!({"username": "admin"})).await.problem(409, "username_taken");
        ann.patch(&path, &json!({"username": null})).await.expect(422);
        assert_eq!(me(&ann).await["role"], "user");
        app.admin().patch("/users/999999", &json!({"username": "mine"})).await.expect(404);
    }

    async fn a_new_password_ends_the_sessions(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let path = format!("/users/{}", id(&me(&ann).await));
        let new = "another good password";
        ann.patch(&path, &json!({"password": new})).await.expect(422);
        ann.patch(&path, &json!({"password": new, "current_password": "wrong password"})).await.expect(422);
        ann.patch(&path, &json!({"password": new, "current_password": MEMBER_PASSWORD})).await.expect(200);
        ann.get("/auth/me").await.expect(401);
        let body = json!({"username": "ann", "password": MEMBER_PASSWORD});
        app.anonymous().post("/auth/token", &body).await.expect(401);
        sign_in(&app.anonymous(), "ann", new).await;
        // An administrator needs no current password for somebody else.
        app.admin().patch(&path, &json!({"password": MEMBER_PASSWORD})).await.expect(200);
        sign_in(&app.anonymous(), "ann", MEMBER_PASSWORD).await;
    }

    async fn the_last_administrator_stays(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let admin = app.admin();
        admin.patch("/users/1", &json!({"role_id": 2})).await.problem(409, "last_administrator");
        admin.patch("/users/1", &json!({"activated": false})).await.problem(409, "last_administrator");
        admin.delete("/users/1").await.problem(409, "last_administrator");

        // Two administrators who take each other away at the same time: one is left.
        let body = json!({"username": "second", "password": ADMIN_PASSWORD, "role_id": 1});
        let second_id = id(&admin.post("/users", &body).await.expect(201).value());
        let second = app.anonymous().bearer(&sign_in(&app.anonymous(), "second", ADMIN_PASSWORD).await);
        let (one, other) = (format!("/users/{second_id}"), "/users/1".to_owned());
        let (first, second) = tokio::join!(admin.delete(&one), second.delete(&other));
        let mut statuses = [first.status.as_u16(), second.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses[0], 200, "{statuses:?}");
        assert!([401, 409].contains(&statuses[1]), "{statuses:?}");
    }

    async fn a_deleted_user_is_deactivated_at_once(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let path = format!("/users/{}", id(&me(&ann).await));
        let bob = app.member("bob").await;
        bob.delete(&path).await.expect(403);
        let reply = ann.delete(&path).await.expect(200).value();
        assert!(reply["detail"].is_string(), "{reply}");
        ann.get("/auth/me").await.expect(401);
        app.anonymous().post("/auth/token", &json!({"username": "ann", "password": MEMBER_PASSWORD})).await.expect(401);
        assert_eq!(bob.get(&path).await.expect(200).value()["activated"], false);
        app.admin().patch(&path, &json!({"activated": true})).await.expect(200);
        sign_in(&app.anonymous(), "ann", MEMBER_PASSWORD).await;
    }

    async fn roles_are_public(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let roles = app.anonymous().get("/roles").await.expect(200).value();
        assert_eq!(roles, json!([{"id": 1, "name": "admin"}, {"id": 2, "name": "user"}]));
        assert_eq!(app.anonymous().get("/roles/2").await.expect(200).value(), json!({"id": 2, "name": "user"}));
        app.anonymous().get("/roles/3").await.expect(404);
        app.anonymous().get("/roles/x").await.expect(422);
    }

    async fn api_keys_are_shown_once_and_work_until_revoked(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let ann_id = id(&me(&ann).await);
        let path = format!("/users/{ann_id}/api-key");
        let key = ann.post(&path, &json!({})).await.expect(201).value()["api_key"].as_str().expect("a key").to_owned();
        assert!(key.len() == 32 && key.chars().all(|c| c.is_ascii_alphanumeric()), "{key}");

        let anonymous = app.anonymous();
        let basic = |user: &str, key: &str| anonymous.basic(user, key);
        assert_eq!(me(&basic(&ann_id.to_string(), &key)).await["username"], "ann");
        let swapped: String = key.chars().map(|c| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }).collect();
        for (user, key) in [
            (ann_id.to_string(), swapped.as_str()),
            (ann_id.to_string(), ""),
            ("1".to_owned(), key.as_str()),
            (format!("{ann_id}abc"), key.as_str()),
            ("99999999999999999999".to_owned(), key.as_str()),
            ("ann".to_owned(), key.as_str()),
            ("ann".to_owned(), MEMBER_PASSWORD),
        ] {
            let reply = basic(&user, key).get("/auth/me").await.expect(401);
            assert!(!reply.header("www-authenticate").is_empty());
        }
        anonymous.get(&format!("/auth/me?api_key={key}&id={ann_id}")).await.expect(401);

        let second = ann.post(&path, &json!({})).await.expect(201).value()["api_key"].as_str().expect("a key").to_owned();
        basic(&ann_id.to_string(), &key).get("/auth/me").await.expect(401);
        basic(&ann_id.to_string(), &second).get("/auth/me").await.expect(200);
        app.member("bob").await.post(&path, &json!({})).await.expect(403);
        ann.post(&path, &json!({"expires_at": "2001-01-01T00:00:00Z"})).await.expect(422);
        ann.post(&path, &json!({"expires_at": "soon"})).await.expect(422);
        ann.post(&path, &json!({"forever": true})).await.expect(422);
        basic(&ann_id.to_string(), &second).get("/auth/me").await.expect(200);
        ann.delete(&path).await.expect(204);
        basic(&ann_id.to_string(), &second).get("/auth/me").await.expect(401);
        ann.delete(&path).await.expect(404);
    }
}
