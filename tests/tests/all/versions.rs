//! API versions (contract of `/versions` and `X-Version`).

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::support::app::TestApp;
use crate::support::client::{Client, Reply};
use crate::support::engines::TestEngine;

async fn with_version(client: &Client, method: Method, path: &str, version: &str) -> Reply {
    Reply::of(client.request(method, path).header("x-version", version)).await
}

on_every_engine! {
    async fn seeded_versions_pass_or_are_refused_before_anything_else(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let anonymous = app.anonymous();
        let versions = anonymous.get("/versions").await.expect(200).value();
        let seeded: Vec<_> = versions.as_array().expect("a list").iter().map(|v| (v["version"].as_str().expect("a name").to_owned(), v["supported"].as_bool().expect("a flag"))).collect();
        let mut wanted: Vec<_> = (1..=8).map(|minor| (format!("0.{minor}"), false)).collect();
        wanted.push(("1.0".to_owned(), true));
        assert_eq!(seeded, wanted);

        with_version(&app.admin(), Method::GET, "/auth/me", "1.0").await.expect(200);
        for version in ["0.1", "0.8", "2.0", "", "x y"] {
            // No credentials, an unknown method and a body that is no JSON: the version comes first.
            let problem = with_version(&anonymous, Method::GET, "/auth/me", version).await.expect(426).value();
            assert_eq!(problem["detail"], "Version not supported anymore", "{version:?}");
            let request = anonymous.request(Method::POST, "/auth/token").header("x-version", version);
            Reply::of(request.header("content-type", "application/json").body("{")).await.expect(426);
            with_version(&anonymous, Method::GET, "/rest/nowhere/nothing", version).await.expect(426);
            for exempt in ["/versions", "/health/live", "/health/ready"] {
                with_version(&anonymous, Method::GET, exempt, version).await.expect(200);
            }
        }
    }

    async fn administrators_change_versions_at_once(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let admin = app.admin();
        let made = admin.post("/versions", &json!({"version": "2.0-beta", "supported": true})).await.expect(201).value();
        let path = format!("/versions/{}", made["id"]);
        assert_eq!(made, json!({"id": made["id"], "version": "2.0-beta", "supported": true}));
        with_version(&admin, Method::GET, "/auth/me", "2.0-beta").await.expect(200);
        admin.post("/versions", &json!({"version": "2.0-beta", "supported": true})).await.problem(409, "version_exists");
        let changed = admin.patch(&path, &json!({"supported": false})).await.expect(200).value();
        assert_eq!(changed["supported"], false);
        with_version(&admin, Method::GET, "/auth/me", "2.0-beta").await.expect(426);
        admin.patch(&path, &json!({"version": "1.0"})).await.problem(409, "version_exists");
        admin.delete(&path).await.expect(204);
        admin.delete(&path).await.expect(404);
        admin.patch(&path, &json!({"supported": true})).await.expect(404);
        for bad in ["", "12345678901", "1 0", "1_0", "ü"] {
            admin.post("/versions", &json!({"version": bad, "supported": true})).await.expect(422);
        }
        let member = app.member("member").await;
        member.post("/versions", &json!({"version": "3.0", "supported": true})).await.expect(403);
        member.delete("/versions/1").await.expect(403);
        app.anonymous().post("/versions", &json!({"version": "3.0", "supported": true})).await.expect(401);
    }

    async fn a_change_reaches_other_nodes(engine: TestEngine) {
        if !engine.is_server() {
            // The embedded database belongs to one process.
            return;
        }
        let app = TestApp::start(engine).await;
        let other = app.second_node(&[]).await;
        app.admin().post("/versions", &json!({"version": "7", "supported": true})).await.expect(201);
        for attempt in 0.. {
            let reply = with_version(&other.admin(), Method::GET, "/auth/me", "7").await;
            if reply.status.as_u16() == 200 {
                break;
            }
            assert!(attempt < 100, "not within ten seconds");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
