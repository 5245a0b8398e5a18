//! Who may do what: every route of the table for every role, and the document that
//! describes the routes against the table.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use tidegate::app::App;
use tidegate_http::route::{Access, RouteInfo};

use crate::support::app::{MEMBER_PASSWORD, TestApp, sign_in};
use crate::support::client::{Client, Reply};
use crate::support::engines::TestEngine;
use crate::support::rest::create_table;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Anonymous,
    Member,
    Admin,
}

/// What the sample requests name.
struct Room {
    app: TestApp,
    db: String,
    /// A user who is none of those who ask.
    other: i64,
    member: i64,
    /// Records of the administrator's, by the first segment of their path.
    records: BTreeMap<String, i64>,
    /// The API as it describes itself.
    document: Value,
}

fn table() -> Vec<Arc<RouteInfo>> {
    App::default().table()
}

/// The first segment of a path.
fn first(path: &str) -> &str {
    path.split('/').nth(1).unwrap_or_default()
}

impl Room {
    async fn open(app: TestApp) -> Self {
        let db = app.gateway_database("matrix").await;
        let id = |user: Value| user["id"].as_i64().expect("an id");
        let make = async |name: &str| {
            let body = json!({"username": name, "password": MEMBER_PASSWORD, "role_id": 2});
            id(app.admin().post("/users", &body).await.expect(201).value())
        };
        let (other, member) = (make("other").await, make("member").await);
        let document = app.admin().get("/openapi.json").await.expect(200).value();
        let mut room = Self {
            db,
            other,
            member,
            records: BTreeMap::new(),
            document,
            app,
        };
        // Of what others must not touch, there is one record.
        let table = table();
        let owned = table
            .iter()
            .filter(|route| route.access == Access::AdminOrOwner);
        for kind in owned
            .map(|route| first(&route.path))
            .collect::<BTreeSet<_>>()
        {
            let collection = format!("/{kind}");
            if let Some(body) = room.example("POST", &collection) {
                let made = room.app.admin().post(&collection, &body).await.expect(201);
                room.records.insert(kind.to_owned(), id(made.value()));
            }
        }
        let post = room.records.get("posts").copied().expect("a post");
        room.records.insert("post".to_owned(), post);
        room
    }

    /// A body that a route takes, from the example of its schema.
    fn example(&self, method: &str, path: &str) -> Option<Value> {
        let operation = &self.document["paths"][path][method.to_lowercase()];
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let name = schema["$ref"].as_str()?.rsplit('/').next()?;
        let example = &self.document["components"]["schemas"][name]["example"];
        example.is_object().then(|| example.clone())
    }

    /// Signs in anew: some routes end the session that they are called with.
    async fn client(&self, role: Role) -> Client {
        let anonymous = self.app.anonymous();
        match role {
            Role::Anonymous => anonymous,
            Role::Member => anonymous.bearer(&sign_in(&anonymous, "member", MEMBER_PASSWORD).await),
            Role::Admin => {
                let password = crate::support::app::ADMIN_PASSWORD;
                anonymous.bearer(&sign_in(&anonymous, "admin", password).await)
            }
        }
    }

    /// A path of the pattern, or what is missing for one.
    fn path(&self, pattern: &str) -> Result<String, String> {
        let mut path = String::new();
        for segment in pattern.split('/').skip(1) {
            let value = match segment {
                "{db}" => self.db.clone(),
                "{table}" => "films".to_owned(),
                "{function}" => "nothing".to_owned(),
                "{name}" => "erp".to_owned(),
                "{path:.*}" => "below".to_owned(),
                "{stamp}" => "0".to_owned(),
                "{file}" => "docs.css".to_owned(),
                "{account}" => "nobody_tt@localhost".to_owned(),
                "{id}" if pattern.starts_with("/users/") => self.other.to_string(),
                "{id}" if pattern.starts_with("/roles/") => "2".to_owned(),
                "{id}" if self.records.contains_key(first(pattern)) => {
                    self.records[first(pattern)].to_string()
                }
                // One that is not there: who may not ask learns nothing of it.
                parameter if parameter.ends_with("id}") => "987654".to_owned(),
                parameter if parameter.contains('{') => {
                    return Err(format!("no sample for {parameter} of {pattern}"));
                }
                literal => literal.to_owned(),
            };
            path.push('/');
            path.push_str(&value);
        }
        Ok(path)
    }

    /// A body that its route takes, where it needs one to answer anything but 401.
    async fn body(&self, route: &RouteInfo) -> Option<Value> {
        match (route.method.as_str(), route.path.as_ref()) {
            ("POST", "/auth/token" | "/get-token" | "/login") => {
                Some(json!({"username": "other", "password": MEMBER_PASSWORD}))
            }
            ("POST", "/auth/refresh") => {
                let body = json!({"username": "other", "password": MEMBER_PASSWORD});
                let pair = self
                    .app
                    .anonymous()
                    .post("/auth/token", &body)
                    .await
                    .expect(200)
                    .value();
                Some(json!({"refresh_token": pair["refresh_token"]}))
            }
            // Without a role it is the sign-up, which is open to everybody.
            ("POST", "/users") => Some(json!({"email": "nobody", "password": "x"})),
            ("PUT", path) if route.access == Access::AdminOrOwner => self.example("PUT", path),
            ("POST" | "PUT" | "PATCH", _) => Some(json!({})),
            _ => None,
        }
    }

    async fn ask(&self, route: &RouteInfo, role: Role, path: &str) -> Reply {
        let client = self.client(role).await;
        let request = client.request(
            Method::from_bytes(route.method.as_str().as_bytes()).expect("a method"),
            path,
        );
        let body = self.body(route).await;
        Reply::of(match body {
            Some(body) if matches!(route.path.as_ref(), "/get-token" | "/login") => {
                request.form(&body)
            }
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }
}

/// What a role gets on a route, by its entry in the table: 401, 403, or neither.
fn expected(access: Access, role: Role) -> Option<u16> {
    match (access, role) {
        (Access::Public, _) | (_, Role::Admin) => None,
        (_, Role::Anonymous) => Some(401),
        (
            Access::Admin | Access::AdminOrSelf | Access::AdminOrOwner | Access::WriteRows,
            Role::Member,
        ) => Some(403),
        (Access::SignedIn | Access::ReadRows | Access::Docs, Role::Member) => None,
    }
}

#[track_caller]
fn check(reply: &Reply, expected: Option<u16>, what: &str) {
    let status = reply.status.as_u16();
    match expected {
        Some(code) => assert_eq!(status, code, "{what}: {}", reply.body),
        None => assert!(
            status != 401 && status != 403 && status < 500 || status == 501,
            "{what}: {status} {}",
            reply.body
        ),
    }
    if status == 401 {
        assert!(!reply.header("www-authenticate").is_empty(), "{what}");
    }
}

/// The routes as the document writes them.
fn described(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().expect("paths");
    paths
        .iter()
        .flat_map(|(path, operations)| {
            let methods = operations.as_object().expect("operations").keys();
            methods
                .filter(|name| {
                    ["get", "head", "post", "put", "patch", "delete", "options"]
                        .contains(&name.as_str())
                })
                .map(move |method| (method.to_uppercase(), path.clone()))
        })
        .collect()
}

on_every_engine! {
    async fn every_route_for_every_role(engine: TestEngine) {
        let room = Room::open(TestApp::start(engine).await).await;
        create_table(&room.app, &room.db, &json!({"name": "films", "columns": [{"name": "id", "type": "int", "nullable": false}], "primary_key": ["id"]})).await;
        let routes: Vec<Arc<RouteInfo>> = table();
        assert!(routes.len() > 40, "{}", routes.len());
        let missing: Vec<_> = routes.iter().filter_map(|route| room.path(&route.path).err()).collect();
        assert!(missing.is_empty(), "{missing:?}");
        // Those who may least first, so that nothing is gone before it is asked for.
        for role in [Role::Anonymous, Role::Member, Role::Admin] {
            for route in &routes {
                let path = room.path(&route.path).expect("a sample");
                let reply = room.ask(route, role, &path).await;
                check(&reply, expected(route.access, role), &format!("{} {path} as {role:?}", route.method));
            }
        }
        // Routes about a user are open to that user, last the one that ends it.
        let mut own: Vec<_> = routes.iter().filter(|route| route.access == Access::AdminOrSelf).collect();
        own.sort_by_key(|route| route.method.as_str() == "DELETE" && route.path == "/users/{id}");
        assert!(!own.is_empty());
        for route in own {
            let path = route.path.replace("{id}", &room.member.to_string());
            let reply = room.ask(route, Role::Member, &path).await;
            check(&reply, None, &format!("{} {path} as the user", route.method));
        }
    }

    async fn the_document_and_the_table_are_one(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let document = app.admin().get("/openapi.json").await.expect(200).value();
        let in_table: BTreeSet<_> = table().iter().map(|route| (route.method.to_string(), route.path.replace(":.*}", "}"))).collect();
        assert_eq!(described(&document), in_table);

        // The admin routes by the document alone, whatever the table says of them.
        let room = Room::open(app).await;
        let member = room.client(Role::Member).await;
        let mut asked = 0;
        for (method, path) in described(&document) {
            let operation = &document["paths"][&path][method.to_lowercase()];
            if !operation["tags"].as_array().expect("tags").contains(&json!("admin")) {
                continue;
            }
            asked += 1;
            let sample = room.path(&path).expect("a sample");
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            // A body that is none: rights come first.
            let body = "{";
            for (client, status) in [(room.app.anonymous(), 401), (member.clone(), 403)] {
                let request = client.request(method.clone(), &sample).header("content-type", "application/json").body(body);
                let reply = Reply::of(request).await;
                assert_eq!(reply.status.as_u16(), status, "{method} {path}: {}", reply.body);
            }
        }
        assert!(asked >= 15, "{asked}");
    }

    async fn paths_outside_the_table_do_nothing(engine: TestEngine) {
        let room = Room::open(TestApp::start(engine).await).await;
        let admin = room.client(Role::Admin).await;
        for path in ["/admin", "/debug", "/metrics", "/env", "/users/1/password", "/databases/x/y/z", "/.env", "/config"] {
            for method in [Method::GET, Method::POST, Method::DELETE] {
                admin.send(method, path).await.expect(404);
            }
        }
    }
}
