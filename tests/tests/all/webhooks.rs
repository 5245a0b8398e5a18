//! Webhooks and their secrets (docs/WEBHOOKS.md): a webhook's life, conditional changes,
//! repeated requests, what is refused, whose it is, and that secrets stay secret. Also what the
//! tests of the inbox share.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::{Client, Reply};
use crate::support::engines::{TestDatabase, TestEngine};
use crate::support::resource::{is_time, members, statuses};

// ---------------------------------------------------------------------------------------------
// What the tests of the inbox share.

/// A webhook that a test made.
#[derive(Clone)]
pub struct Hook {
    /// Its id.
    pub id: i64,
    /// Its path, `/webhooks/1`.
    pub path: String,
    /// The path of its address, `/in/...`.
    pub inbox: String,
}

impl Hook {
    /// The webhook that an answer shows.
    pub fn of(value: &Value) -> Self {
        let id = value["id"].as_i64().expect("an id");
        let url = value["url"].as_str().expect("an address");
        let start = url.find("/in/").expect("an address of the inbox");
        Self {
            id,
            path: format!("/webhooks/{id}"),
            inbox: url[start..].to_owned(),
        }
    }

    /// The path of a consumer's route, such as `lease`; its own with an empty verb.
    pub fn consumer(&self, name: &str, verb: &str) -> String {
        let path = format!("{}/consumers/{name}/{verb}", self.path);
        path.trim_end_matches('/').to_owned()
    }
}

/// Makes a webhook with these members.
pub async fn make_hook(client: &Client, body: &Value) -> Hook {
    Hook::of(&client.post("/webhooks", body).await.expect(201).value())
}

/// Makes a webhook of which only the name matters.
pub async fn any_hook(client: &Client) -> Hook {
    make_hook(client, &json!({"name": "Any"})).await
}

/// Gives a webhook a secret, and the id of that.
pub async fn add_secret(client: &Client, hook: &Hook, secret: &str, purpose: &str) -> i64 {
    let body = json!({"secret": secret, "purpose": purpose});
    let path = format!("{}/secrets", hook.path);
    let made = client.post(&path, &body).await.expect(201).value();
    made["id"].as_i64().expect("an id")
}

/// Sends a message as a provider would.
pub async fn deliver(
    anonymous: &Client,
    hook: &Hook,
    headers: &[(&str, &str)],
    body: impl Into<reqwest::Body>,
) -> Reply {
    let request = anonymous.request(Method::POST, &hook.inbox).body(body);
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    Reply::of(request).await
}

/// All messages of a webhook, page by page.
pub async fn messages(client: &Client, hook: &Hook) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    loop {
        let after = found.last().map_or(0, id);
        let path = format!("{}/messages?after={after}&limit=100", hook.path);
        let page = client.get(&path).await.expect(200).value();
        let page = page["messages"].as_array().expect("messages");
        if page.is_empty() {
            return found;
        }
        found.extend(page.iter().cloned());
    }
}

/// The id of a message.
pub fn id(message: &Value) -> i64 {
    message["id"].as_i64().expect("an id")
}

/// The bytes of a message.
pub fn bytes(message: &Value) -> Vec<u8> {
    STANDARD
        .decode(message["body"].as_str().expect("a body"))
        .expect("Base64")
}

/// Asserts that this is a problem with this status, whatever its code.
#[track_caller]
pub fn refused(reply: Reply, status: u16) -> Value {
    let reply = reply.expect(status);
    let code = reply.value()["code"].as_str().expect("a code").to_owned();
    reply.problem(status, &code)
}

/// What a problem says, without what is another in each answer: the request's id, and numbers.
pub fn wording(mut problem: Value) -> Value {
    problem
        .as_object_mut()
        .expect("a problem")
        .remove("request_id");
    let detail = problem["detail"].as_str().expect("a detail");
    let words = detail.split(|c: char| c.is_ascii_digit());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    problem["detail"] = json!(words.join("N"));
    problem
}

/// Digits as a database prints bytes in.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// All values of all of Tidegate's own tables, in hexadecimal digits.
pub async fn dump(database: &TestDatabase) -> String {
    let server = database.engine().is_server();
    let tables = database
        .ask(if server {
            "SELECT CAST(table_name AS CHAR) FROM information_schema.tables \
             WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'"
        } else {
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        })
        .await;
    let mut text = String::new();
    for table in tables.lines() {
        let columns = database
            .ask(&if server {
                format!(
                    "SELECT CAST(column_name AS CHAR) FROM information_schema.columns \
                     WHERE table_schema = DATABASE() AND table_name = '{table}'"
                )
            } else {
                format!("SELECT name FROM pragma_table_info('{table}')")
            })
            .await;
        for column in columns.lines() {
            let sql = format!("SELECT HEX(`{column}`) FROM `{table}`");
            text += &database.ask(&sql).await;
        }
    }
    text
}

/// Asserts that the database holds `present`, and `secret` in none of the forms that are as good
/// as itself.
pub async fn assert_not_stored(database: &TestDatabase, present: &str, secret: &str) {
    let dump = dump(database).await;
    assert!(
        dump.contains(&hex(present.as_bytes())),
        "{present} is not seen"
    );
    for form in [
        secret.to_owned(),
        STANDARD.encode(secret),
        hex(secret.as_bytes()),
        hex(secret.as_bytes()).to_lowercase(),
    ] {
        assert!(!dump.contains(&hex(form.as_bytes())), "stored: {form}");
    }
    if let Some(Ok(key)) = secret
        .strip_prefix("whsec_")
        .map(|text| STANDARD.decode(text))
    {
        assert!(!dump.contains(&hex(&key)), "stored: the bytes of {secret}");
    }
}

// ---------------------------------------------------------------------------------------------

async fn with(
    client: &Client,
    method: Method,
    path: &str,
    header: (&str, &str),
    body: Option<&Value>,
) -> Reply {
    let request = client.request(method, path).header(header.0, header.1);
    Reply::of(match body {
        Some(body) => request.json(body),
        None => request,
    })
    .await
}

async fn keyed(client: &Client, key: &str, body: &Value) -> Reply {
    with(
        client,
        Method::POST,
        "/webhooks",
        ("idempotency-key", key),
        Some(body),
    )
    .await
}

/// The pointers of all errors.
fn pointers(problem: &Value) -> Vec<&str> {
    let errors = problem["errors"].as_array().expect("errors");
    errors
        .iter()
        .map(|error| error["pointer"].as_str().expect("a pointer"))
        .collect()
}

/// All routes that lead to something of one webhook, with a body that each takes.
fn routes(hook: i64, secret: i64, message: i64, lease: &str) -> Vec<(Method, String, Value)> {
    let path = format!("/webhooks/{hook}");
    let consumer = format!("{path}/consumers/erp");
    let (none, name) = (Value::Null, json!({"name": "Taken"}));
    [
        (Method::GET, path.clone(), none.clone()),
        (Method::PUT, path.clone(), name.clone()),
        (Method::PATCH, path.clone(), name),
        (Method::DELETE, path.clone(), none.clone()),
        (Method::GET, format!("{path}/secrets"), none.clone()),
        (
            Method::POST,
            format!("{path}/secrets"),
            json!({"secret": "of somebody else"}),
        ),
        (
            Method::DELETE,
            format!("{path}/secrets/{secret}"),
            none.clone(),
        ),
        (Method::GET, format!("{path}/messages"), none.clone()),
        (Method::GET, format!("{path}/messages?wait=1"), none.clone()),
        (
            Method::GET,
            format!("{path}/messages/{message}"),
            none.clone(),
        ),
        (
            Method::GET,
            format!("{path}/messages/{message}/body"),
            none.clone(),
        ),
        (Method::GET, format!("{path}/consumers"), none.clone()),
        (Method::GET, consumer.clone(), none.clone()),
        (Method::DELETE, consumer.clone(), none.clone()),
        (Method::POST, format!("{consumer}/lease"), json!({})),
        (
            Method::POST,
            format!("{path}/consumers/new/lease"),
            json!({}),
        ),
        (
            Method::POST,
            format!("{consumer}/ack"),
            json!({"lease": lease}),
        ),
        (
            Method::POST,
            format!("{consumer}/nack"),
            json!({"lease": lease}),
        ),
        (
            Method::POST,
            format!("{consumer}/extend"),
            json!({"lease": lease}),
        ),
        (
            Method::POST,
            format!("{consumer}/replay"),
            json!({"from": message}),
        ),
        (Method::GET, format!("{consumer}/dead"), none),
    ]
    .into()
}

async fn call(client: &Client, method: &Method, path: &str, body: &Value) -> Reply {
    match body {
        Value::Null => client.send(method.clone(), path).await,
        body => client.json(method.clone(), path, body).await,
    }
}

on_every_engine! {
    async fn a_webhook_lives_from_post_to_delete(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        assert_eq!(ann.get("/webhooks").await.expect(200).value(), json!({"webhooks": []}));
        let reply = ann.post("/webhooks", &json!({"name": "Shop"})).await.expect(201);
        let hook = reply.value();
        assert_eq!(members(&hook), [
            "created_at", "delivery_id", "id", "max_deliveries", "name", "provider", "retention_days", "retention_messages",
            "secrets", "signature", "status", "unverified", "updated_at", "url", "wh_id", "wh_name", "wh_url",
        ]);
        for (member, default) in [
            ("name", json!("Shop")), ("provider", json!("generic")), ("status", json!(1)), ("unverified", json!("refuse")), ("signature", Value::Null),
            ("delivery_id", Value::Null), ("retention_days", json!(90)), ("retention_messages", Value::Null), ("max_deliveries", json!(20)),
            ("secrets", json!(0)), ("updated_at", Value::Null),
        ] {
            assert_eq!(hook[member], default, "{member}");
        }
        assert_eq!((&hook["wh_id"], &hook["wh_name"], &hook["wh_url"]), (&hook["id"], &hook["name"], &hook["url"]));
        assert!(hook["id"].is_i64() && is_time(&hook["created_at"]), "{hook}");
        let path = format!("/webhooks/{}", hook["id"]);
        assert_eq!(reply.header("location"), format!("{}{path}", app.base()));
        assert_eq!(ann.get(&path).await.expect(200).value(), hook);
        assert_eq!(ann.get("/webhooks").await.expect(200).value(), json!({"webhooks": [hook]}));
        for path in ["/webhooks/".to_owned(), format!("{path}/"), format!("{path}/secrets/"), format!("{path}/messages/"), format!("{path}/consumers/")] {
            ann.get(&path).await.expect(200);
        }

        // The address is absolute, and nobody guesses it.
        let address = hook["url"].as_str().expect("an address");
        let rid = address.strip_prefix(&format!("{}/in/", app.base())).unwrap_or_else(|| panic!("{address}"));
        assert!(rid.len() >= 22 && rid.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)), "{address}");

        // PATCH changes what it names, PUT everything: what is left out has its default again.
        let patched = ann.patch(&path, &json!({"status": 0, "max_deliveries": 3, "retention_messages": 1000})).await.expect(200).value();
        let changed = json!({"status": 0, "max_deliveries": 3, "retention_messages": 1000});
        crate::support::resource::assert_holds(&patched, &changed);
        assert_eq!((&patched["name"], &patched["url"], &patched["created_at"]), (&hook["name"], &hook["url"], &hook["created_at"]));
        assert!(is_time(&patched["updated_at"]), "{patched}");
        let patched = ann.patch(&path, &json!({"retention_days": null})).await.expect(200).value();
        assert_eq!((&patched["retention_days"], &patched["status"]), (&Value::Null, &json!(0)));
        let put = ann.json(Method::PUT, &path, &json!({"name": "Store", "provider": "stripe", "unverified": "keep"})).await.expect(200).value();
        for (member, value) in [
            ("name", json!("Store")), ("wh_name", json!("Store")), ("provider", json!("stripe")), ("unverified", json!("keep")), ("status", json!(1)),
            ("retention_days", json!(90)), ("retention_messages", Value::Null), ("max_deliveries", json!(20)), ("url", hook["url"].clone()),
        ] {
            assert_eq!(put[member], value, "{member}");
        }
        assert_eq!(ann.get(&path).await.expect(200).value(), put);

        let inbox = Hook::of(&put).inbox;
        assert_eq!(ann.delete(&path).await.expect(204).body, "");
        ann.get(&path).await.problem(404, "not_found");
        ann.delete(&path).await.problem(404, "not_found");
        refused(app.anonymous().text(&inbox, "text/plain", "late").await, 404);
        assert_eq!(ann.get("/webhooks").await.value(), json!({"webhooks": []}));
    }

    async fn all_of_ones_own_are_listed_in_the_order_of_their_ids(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let (ann, bob) = (app.member("ann").await, app.member("bob").await);
        let bodies: Vec<Value> = (0..25).map(|n| json!({"name": format!("Hook {n}")})).collect();
        let made = join_all(bodies.iter().map(|body| ann.post("/webhooks", body))).await;
        any_hook(&bob).await;
        assert_eq!(statuses(&made), [(201, 25)].into());
        let list = ann.get("/webhooks").await.expect(200).value();
        let ids: Vec<i64> = list["webhooks"].as_array().expect("webhooks").iter().map(id).collect();
        assert!(ids.is_sorted() && ids.len() == 25, "{ids:?}");
        // Each has an address of its own.
        let addresses: std::collections::BTreeSet<_> = made.iter().map(|reply| reply.value()["url"].to_string()).collect();
        assert_eq!(addresses.len(), 25);
    }

    async fn settings_of_a_webhook_come_back_as_they_were_given(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        for provider in ["stripe", "github", "twilio", "slack", "shopify", "standard_webhooks", "activecampaign", "generic"] {
            let made = ann.post("/webhooks", &json!({"name": "x", "provider": provider})).await.expect(201).value();
            assert_eq!(made["provider"], provider);
        }
        for (name, days, count, deliveries) in [("a", 1, 1, 1), (&"\u{e9}".repeat(100), 3650, 1_000_000, 1000)] {
            let body = json!({"name": name, "retention_days": days, "retention_messages": count, "max_deliveries": deliveries});
            let made = ann.post("/webhooks", &body).await.expect(201).value();
            crate::support::resource::assert_holds(&made, &body);
        }
        // For ever, and all of them, are values and not the absence of one.
        let body = json!({"name": "x", "retention_days": null, "retention_messages": null});
        let made = ann.post("/webhooks", &body).await.expect(201).value();
        crate::support::resource::assert_holds(&made, &body);
        let scheme = json!({"hmac": {"header": "X-Signature", "algorithm": "sha256", "encoding": "hex", "prefix": "sha256=",
            "timestamp": {"header": "X-Timestamp", "tolerance": 300, "signed": "{timestamp}.{body}"}}});
        for provider in ["generic", "activecampaign"] {
            for delivery_id in [json!({"header": "X-Id"}), json!({"pointer": "/event/id"}), json!({"field": "id"}), Value::Null] {
                let body = json!({"name": "x", "provider": provider, "signature": scheme, "delivery_id": delivery_id});
                let made = ann.post("/webhooks", &body).await.expect(201).value();
                crate::support::resource::assert_holds(&made, &body);
                assert_eq!(ann.get(&format!("/webhooks/{}", made["id"])).await.expect(200).value(), made);
            }
        }
        for algorithm in ["sha1", "sha256", "sha512"] {
            for encoding in ["hex", "base64"] {
                let body = json!({"name": "x", "signature": {"hmac": {"header": "X-Signature", "algorithm": algorithm, "encoding": encoding}}});
                let made = ann.post("/webhooks", &body).await.expect(201).value();
                crate::support::resource::assert_holds(&made["signature"]["hmac"], &body["signature"]["hmac"]);
            }
        }
        // A patch merges into what is there, however deep, and `null` takes away.
        let made = make_hook(&ann, &json!({"name": "x", "signature": scheme})).await;
        let patched = ann.patch(&made.path, &json!({"signature": {"hmac": {"prefix": "v1="}}})).await.expect(200).value();
        assert_eq!((&patched["signature"]["hmac"]["prefix"], &patched["signature"]["hmac"]["header"]), (&json!("v1="), &json!("X-Signature")));
        assert_eq!(ann.patch(&made.path, &json!({"signature": null})).await.expect(200).value()["signature"], Value::Null);
    }

    async fn what_does_not_fit_is_refused_and_named(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let hook = make_hook(&ann, &json!({"name": "Kept"})).await;
        let before = ann.get(&hook.path).await.expect(200).value();
        let hmac = |member: &str, value: Value| {
            let mut scheme = json!({"header": "X-Signature", "algorithm": "sha256", "encoding": "hex"});
            scheme[member] = value;
            json!({"hmac": scheme})
        };
        let mut wrong = Vec::new();
        for (member, value) in [
            ("name", json!("")), ("name", json!("x".repeat(101))), ("name", json!(5)), ("name", Value::Null), ("name", json!(["x"])),
            ("provider", json!("paypal")), ("provider", json!("Stripe")), ("provider", Value::Null), ("provider", json!(1)),
            ("status", json!(2)), ("status", json!(-1)), ("status", json!(true)), ("status", json!("1")), ("status", Value::Null),
            ("unverified", json!("drop")), ("unverified", Value::Null), ("unverified", json!(false)),
            ("retention_days", json!(0)), ("retention_days", json!(3651)), ("retention_days", json!("9")), ("retention_days", json!(1.5)),
            ("retention_messages", json!(-1)), ("retention_messages", json!("9")), ("retention_messages", json!(true)),
            ("max_deliveries", json!(0)), ("max_deliveries", json!(1001)), ("max_deliveries", Value::Null), ("max_deliveries", json!("9")),
            ("delivery_id", json!("X-Id")), ("delivery_id", json!({})), ("delivery_id", json!({"header": "X-Id", "pointer": "/id"})),
            ("delivery_id", json!({"pointer": "id"})), ("delivery_id", json!({"header": "X Id"})), ("delivery_id", json!({"cookie": "id"})),
            ("signature", json!("sha256")), ("signature", json!({})), ("signature", json!({"rsa": {}})), ("signature", json!({"hmac": {}})),
            ("signature", hmac("algorithm", json!("md5"))), ("signature", hmac("encoding", json!("base32"))), ("signature", hmac("header", json!("X Y"))),
            ("signature", hmac("header", json!(""))), ("signature", hmac("key", json!("x"))), ("signature", hmac("prefix", json!(5))),
            ("signature", hmac("timestamp", json!({}))), ("signature", hmac("timestamp", json!({"header": "X-T", "tolerance": -1, "signed": "{timestamp}{body}"}))),
            ("id", json!(1)), ("wh_id", json!(1)), ("url", json!("http://x/in/mine")), ("wh_url", json!("http://x/in/mine")), ("secrets", json!(1)),
            ("created_at", json!("2026-03-01T06:40:00Z")), ("updated_at", Value::Null), ("user_id", json!(1)), ("rid", json!("mine")), ("colour", json!("red")),
        ] {
            let mut body = json!({"name": "New"});
            body[member] = value.clone();
            let patch = json!({member: value.clone()});
            let mut replies = vec![("POST", ann.post("/webhooks", &body).await), ("PUT", ann.json(Method::PUT, &hook.path, &body).await)];
            // In a merge patch `null` takes a member away, and all but the name have a default.
            if !value.is_null() || member == "name" {
                replies.push(("PATCH", ann.patch(&hook.path, &patch).await));
            }
            for (method, reply) in replies {
                let below = format!("/{member}/");
                let named = |pointer: &&str| **pointer == below[..=member.len()] || pointer.starts_with(&below);
                if reply.status != 422 || reply.value()["code"] != "validation_failed" || !pointers(&reply.value()).iter().any(named) {
                    wrong.push(format!("{method} {patch}: {}", reply.body));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert_eq!(pointers(&ann.post("/webhooks", &json!({})).await.problem(422, "validation_failed")), ["/name"]);
        assert_eq!(pointers(&ann.json(Method::PUT, &hook.path, &json!({"status": 1})).await.problem(422, "validation_failed")), ["/name"]);
        // A scheme of one's own is for providers whose scheme is not known.
        let body = json!({"name": "x", "provider": "stripe", "signature": hmac("prefix", json!("x"))});
        assert_eq!(pointers(&ann.post("/webhooks", &body).await.problem(422, "validation_failed")), ["/signature"]);
        for list in [json!(["x"]), json!("x"), Value::Null] {
            ann.post("/webhooks", &list).await.problem(422, "validation_failed");
        }
        refused(ann.text("/webhooks", "application/json", "{\"name\":").await, 400);
        refused(ann.text("/webhooks", "application/json", &b"{\"name\":\"\xff\"}"[..]).await, 400);
        ann.text("/webhooks", "text/plain", "{\"name\":\"x\"}").await.problem(415, "unsupported_media_type");
        for path in ["/webhooks/x", "/webhooks/1x", "/webhooks/-1x", "/webhooks/%ff", "/webhooks/99999999999999999999", "/webhooks/x/messages", "/webhooks/x/secrets", "/webhooks/x/consumers"] {
            refused(ann.get(path).await, 422);
        }
        ann.get("/webhooks/987654").await.problem(404, "not_found");
        assert_eq!(ann.get("/webhooks").await.value(), json!({"webhooks": [before]}), "nothing was stored or changed");
    }

    async fn a_change_names_the_version_that_it_means(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let made = ann.post("/webhooks", &json!({"name": "Shop", "provider": "github"})).await.expect(201);
        let old = made.header("etag").to_owned();
        assert!(old.starts_with('"') && old.len() > 10, "a strong tag: {old}");
        let hook = Hook::of(&made.value());
        let path = hook.path.as_str();
        let known = with(&ann, Method::GET, path, ("if-none-match", &old), None).await.expect(304);
        assert_eq!((known.body.as_str(), known.header("etag")), ("", old.as_str()));
        let list = ann.get("/webhooks").await.expect(200).header("etag").to_owned();
        with(&ann, Method::GET, "/webhooks", ("if-none-match", &list), None).await.expect(304);

        let (body, patch) = (json!({"name": "Other"}), json!({"status": 0}));
        let new = with(&ann, Method::PATCH, path, ("if-match", &old), Some(&patch)).await.expect(200).header("etag").to_owned();
        assert_ne!(new, old);
        let before = ann.get(path).await.expect(200);
        assert_eq!(before.header("etag"), new);
        with(&ann, Method::GET, "/webhooks", ("if-none-match", &list), None).await.expect(200);
        with(&ann, Method::PATCH, path, ("if-match", &old), Some(&patch)).await.problem(412, "precondition_failed");
        with(&ann, Method::PUT, path, ("if-match", &old), Some(&body)).await.problem(412, "precondition_failed");
        with(&ann, Method::DELETE, path, ("if-match", &old), None).await.problem(412, "precondition_failed");
        with(&ann, Method::PATCH, path, ("if-match", "x"), Some(&patch)).await.problem(422, "invalid_entity_tag");
        assert_eq!(ann.get(path).await.value(), before.value(), "nothing has changed");

        // Of many that know the same version, one succeeds.
        let patches: Vec<Value> = (0..10).map(|n| json!({"name": format!("by {n}")})).collect();
        let replies = join_all(patches.iter().map(|patch| with(&ann, Method::PATCH, path, ("if-match", &new), Some(patch)))).await;
        assert_eq!(statuses(&replies), [(200, 1), (412, 9)].into());

        // With another number of secrets it is another representation.
        let bare = ann.get(path).await.header("etag").to_owned();
        add_secret(&ann, &hook, "a signing secret", "signature").await;
        let counted = with(&ann, Method::GET, path, ("if-none-match", &bare), None).await.expect(200);
        assert_eq!(counted.value()["secrets"], 1);
        with(&ann, Method::DELETE, path, ("if-match", counted.header("etag")), None).await.expect(204);
        with(&ann, Method::DELETE, path, ("if-match", "*"), None).await.problem(404, "not_found");
    }

    async fn a_setting_makes_if_match_compulsory(engine: TestEngine) {
        let app = TestApp::start_with(engine, &[("http.require_if_match", "true")]).await;
        let ann = app.member("ann").await;
        let made = ann.post("/webhooks", &json!({"name": "Shop"})).await.expect(201);
        let path = format!("/webhooks/{}", made.value()["id"]);
        ann.patch(&path, &json!({"name": "x"})).await.problem(428, "precondition_required");
        ann.json(Method::PUT, &path, &json!({"name": "x"})).await.problem(428, "precondition_required");
        ann.delete(&path).await.problem(428, "precondition_required");
        with(&ann, Method::DELETE, &path, ("if-match", made.header("etag")), None).await.expect(204);
    }

    async fn a_repetition_gets_the_first_answer(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let (ann, bob) = (app.member("ann").await, app.member("bob").await);
        let count = async |client: &Client| client.get("/webhooks").await.value()["webhooks"].as_array().expect("webhooks").len();
        let (body, other) = (json!({"name": "Shop"}), json!({"name": "Other"}));
        let first = keyed(&ann, "k-1", &body).await.expect(201);
        let again = keyed(&ann, "k-1", &body).await.expect(201);
        assert_eq!((&again.body, again.header("location"), again.header("etag")), (&first.body, first.header("location"), first.header("etag")));
        assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
        keyed(&ann, "k-1", &other).await.problem(422, "idempotency_key_reused");
        assert_eq!(count(&ann).await, 1);
        assert_ne!(keyed(&bob, "k-1", &body).await.expect(201).value()["id"], first.value()["id"]);

        let replies = join_all((0..50).map(|_| keyed(&ann, "burst", &body))).await;
        let found = statuses(&replies);
        assert!(found.keys().all(|status| [201, 409].contains(status)) && found.contains_key(&201), "{found:?}");
        let made: std::collections::BTreeSet<_> = replies.iter().filter(|reply| reply.status == 201).map(|reply| &reply.body).collect();
        assert_eq!((made.len(), count(&ann).await), (1, 2));
    }

    async fn what_is_somebody_elses_is_not_there(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let (ann, bob) = (app.member("ann").await, app.member("bob").await);
        let hook = make_hook(&ann, &json!({"name": "Anns"})).await;
        let handshake = add_secret(&ann, &hook, "a word of ann's", "handshake").await;
        deliver(&app.anonymous(), &hook, &[], "for ann alone").await.expect(200);
        let message = id(&messages(&ann, &hook).await[0]);
        let leased = ann.post(&hook.consumer("erp", "lease"), &json!({"seconds": 600})).await.expect(200).value();
        let lease = leased["lease"].as_str().expect("a lease");
        let state = async || {
            let consumers = ann.get(&hook.consumer("", "")).await.expect(200).value();
            let secrets = ann.get(&format!("{}/secrets", hook.path)).await.expect(200).value();
            (ann.get(&hook.path).await.expect(200).value(), messages(&ann, &hook).await, consumers, secrets)
        };
        let before = state().await;

        for client in [&bob, &app.admin()] {
            let own = any_hook(client).await;
            let theirs = routes(hook.id, handshake, message, lease);
            let missing = routes(987_654, handshake, message, lease);
            for ((method, path, body), (_, nowhere, _)) in theirs.iter().zip(&missing) {
                let found = call(client, method, path, body).await.problem(404, "not_found");
                let missing = call(client, method, nowhere, body).await.problem(404, "not_found");
                assert_eq!(wording(found), wording(missing), "{method} {path}");
            }
            let found = client.get(&format!("/whcontent/{message}")).await.problem(404, "not_found");
            let missing = client.get("/whcontent/987654").await.problem(404, "not_found");
            assert_eq!(wording(found), wording(missing));

            // Nor by way of a webhook of one's own.
            client.get(&format!("{}/messages/{message}", own.path)).await.problem(404, "not_found");
            client.get(&format!("{}/messages/{message}/body", own.path)).await.problem(404, "not_found");
            client.delete(&format!("{}/secrets/{handshake}", own.path)).await.problem(404, "not_found");
            client.post(&own.consumer("erp", "lease"), &json!({})).await.expect(200);
            refused(client.post(&own.consumer("erp", "ack"), &json!({"lease": lease})).await, 409);
            refused(client.post(&own.consumer("erp", "ack"), &json!({"lease": lease, "ids": [message]})).await, 409);
            let replayed = client.post(&own.consumer("erp", "replay"), &json!({"from": message})).await.expect(200).value();
            assert_eq!(replayed, json!({"replayed": 0}));

            let list = client.get("/webhooks").await.expect(200).value();
            assert_eq!(list["webhooks"].as_array().expect("webhooks").iter().map(id).collect::<Vec<_>>(), [own.id]);
            assert_eq!(client.get("/whcontent").await.expect(200).value(), json!({"whcontent": []}));
            let asked = client.get(&format!("/whcontent?whid={}", hook.id)).await;
            assert!([200, 404].contains(&asked.status.as_u16()) && !asked.body.contains("for ann alone"), "{}", asked.body);
        }
        for (method, path, body) in routes(hook.id, handshake, message, lease) {
            let reply = call(&app.anonymous(), &method, &path, &body).await;
            assert!(!reply.header("www-authenticate").is_empty(), "{method} {path}");
            reply.problem(401, "not_authenticated");
        }
        app.anonymous().post("/webhooks", &json!({"name": "x"})).await.problem(401, "not_authenticated");
        assert_eq!(state().await, before, "nothing has changed");
        ann.post(&hook.consumer("erp", "ack"), &json!({"lease": lease})).await.expect(204);
    }

    async fn secrets_are_listed_without_themselves(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let hook = make_hook(&ann, &json!({"name": "x", "provider": "github"})).await;
        let path = format!("{}/secrets", hook.path);
        assert_eq!(ann.get(&path).await.expect(200).value(), json!({"secrets": []}));
        let given = ["whsec_dGhlIGZpcnN0IHNlY3JldCBvZiBhbm4=", "the second secret of ann", "the verify token of ann"];
        let mut made = Vec::new();
        for (secret, purpose) in [(given[0], None), (given[1], Some("signature")), (given[2], Some("handshake"))] {
            let mut body = json!({"secret": secret});
            if let Some(purpose) = purpose {
                body["purpose"] = json!(purpose);
            }
            let reply = ann.post(&path, &body).await.expect(201);
            let value = reply.value();
            assert_eq!(members(&value), ["created_at", "id", "purpose"]);
            assert_eq!(value["purpose"], purpose.unwrap_or("signature"));
            assert!(is_time(&value["created_at"]) && value["id"].is_i64(), "{value}");
            made.push(value);
        }
        let read = [ann.get(&path).await, ann.get(&hook.path).await, ann.get("/webhooks").await, ann.patch(&hook.path, &json!({"status": 1})).await];
        for reply in read {
            let reply = reply.expect(200);
            assert!(given.iter().all(|secret| !reply.body.contains(secret)), "{}", reply.body);
        }
        assert_eq!(ann.get(&path).await.value(), json!({"secrets": made}));
        // The word of a handshake signs nothing.
        assert_eq!(ann.get(&hook.path).await.value()["secrets"], 2);

        let second = format!("{path}/{}", made[1]["id"]);
        assert_eq!(ann.delete(&second).await.expect(204).body, "");
        ann.delete(&second).await.problem(404, "not_found");
        ann.delete(&format!("{path}/987654")).await.problem(404, "not_found");
        refused(ann.delete(&format!("{path}/x")).await, 422);
        assert_eq!(ann.get(&path).await.value(), json!({"secrets": [made[0], made[2]]}));
        assert_eq!(ann.get(&hook.path).await.value()["secrets"], 1);

        for (body, pointer) in [
            (json!({}), "/secret"), (json!({"secret": ""}), "/secret"), (json!({"secret": null}), "/secret"), (json!({"secret": 5}), "/secret"),
            (json!({"secret": "x y z", "purpose": "other"}), "/purpose"), (json!({"secret": "x y z", "purpose": null}), "/purpose"),
            (json!({"secret": "x y z", "id": 1}), "/id"), (json!({"secret": "x y z", "colour": 1}), "/colour"),
        ] {
            let problem = ann.post(&path, &body).await.problem(422, "validation_failed");
            assert_eq!(pointers(&problem), [pointer], "{body}");
        }
        refused(ann.text(&path, "application/json", "whsec_x").await, 400);
        ann.text(&path, "text/plain", "whsec_x").await.problem(415, "unsupported_media_type");
        assert_eq!(ann.get(&hook.path).await.value()["secrets"], 1);
    }

    async fn there_are_at_most_five_secrets_of_each_purpose(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let body = json!({"name": "x", "provider": "github"});
        let (hook, other) = (make_hook(&ann, &body).await, make_hook(&ann, &body).await);
        let path = format!("{}/secrets", hook.path);
        for purpose in ["signature", "handshake"] {
            // Not even by asking for all at the same time.
            let bodies: Vec<Value> = (0..12).map(|n| json!({"secret": format!("secret number {n}"), "purpose": purpose})).collect();
            let replies = join_all(bodies.iter().map(|body| ann.post(&path, body))).await;
            let found = statuses(&replies);
            assert!(found.get(&201) == Some(&5) && found.keys().all(|status| [201, 409, 422].contains(status)), "{purpose}: {found:?}");
            for reply in replies.into_iter().filter(|reply| reply.status != 201) {
                let status = reply.status.as_u16();
                refused(reply, status);
            }
        }
        let list = ann.get(&path).await.expect(200).value();
        assert_eq!(list["secrets"].as_array().map(Vec::len), Some(10));
        add_secret(&ann, &other, "a secret of another", "signature").await;
        // One that goes makes room.
        let first = list["secrets"].as_array().expect("secrets").iter().find(|secret| secret["purpose"] == "signature").expect("a secret");
        ann.delete(&format!("{path}/{}", first["id"])).await.expect(204);
        add_secret(&ann, &hook, "one more", "signature").await;
    }

    async fn secrets_stand_encrypted_in_the_database(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let hook = make_hook(&ann, &json!({"name": "Plainly readable name", "provider": "standard_webhooks"})).await;
        let secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "verify token 0f83c2be67d1"];
        add_secret(&ann, &hook, secrets[0], "signature").await;
        add_secret(&ann, &hook, secrets[1], "handshake").await;
        for secret in secrets {
            assert_not_stored(app.database(), "Plainly readable name", secret).await;
        }
    }

    async fn messages_and_consumers_go_with_their_webhook(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let (kept, hook) = (any_hook(&ann).await, any_hook(&ann).await);
        add_secret(&ann, &hook, "the word of a handshake", "handshake").await;
        for hook in [&hook, &kept] {
            deliver(&app.anonymous(), hook, &[], format!("message of {}", hook.path)).await.expect(200);
            ann.post(&hook.consumer("erp", "lease"), &json!({"seconds": 600})).await.expect(200);
        }
        let message = id(&messages(&ann, &hook).await[0]);
        ann.delete(&hook.path).await.expect(204);
        for path in [
            hook.path.clone(), format!("{}/messages", hook.path), format!("{}/messages/{message}", hook.path), format!("{}/secrets", hook.path),
            format!("{}/consumers", hook.path), hook.consumer("erp", ""), hook.consumer("erp", "dead"), format!("/whcontent/{message}"),
        ] {
            ann.get(&path).await.problem(404, "not_found");
        }
        let left = ann.get("/whcontent").await.expect(200).value();
        assert_eq!(left["whcontent"].as_array().map(Vec::len), Some(1), "{left}");
        assert_eq!(ann.get(&kept.consumer("erp", "")).await.expect(200).value()["leased"], 1);
        // Nothing of it is left: the words of a message stand nowhere.
        let dump = dump(app.database()).await;
        assert!(dump.contains(&hex(format!("message of {}", kept.path).as_bytes())), "the message that is kept is not seen");
        assert!(!dump.contains(&hex(format!("message of {}", hook.path).as_bytes())), "the message is still there");
        // Its id is not used again.
        assert!(any_hook(&ann).await.id > hook.id);
    }

    async fn addresses_begin_with_the_public_url(engine: TestEngine) {
        let settings = [("server.public_url", "https://hooks.example.org/tide")];
        let app = TestApp::start_with(engine, &settings).await;
        let made = app.admin().post("/webhooks", &json!({"name": "x"})).await.expect(201).value();
        assert!(made["url"].as_str().is_some_and(|url| url.starts_with("https://hooks.example.org/tide/in/")), "{made}");
        assert_eq!(made["wh_url"], made["url"]);

        let app = TestApp::start_with(engine, &[("server.trusted_proxies", "127.0.0.0/8")]).await;
        let request = app.admin().request(Method::POST, "/webhooks").json(&json!({"name": "x"}));
        let made = Reply::of(request.header("x-forwarded-proto", "https").header("x-forwarded-host", "in.example.org")).await.expect(201).value();
        assert!(made["url"].as_str().is_some_and(|url| url.starts_with("https://in.example.org/in/")), "{made}");
    }
}
