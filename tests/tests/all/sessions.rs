//! Signing in, tokens and sessions (contract of the `/auth` routes; RFC 6749, 6750, 9700).

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::support::app::{ADMIN_PASSWORD, MEMBER_PASSWORD, TestApp};
use crate::support::client::{Client, Reply};
use crate::support::engines::TestEngine;

const SECRET: &str = "a signing secret for tests, long enough to be one";

async fn token(app: &TestApp, username: &str, password: &str) -> Value {
    app.anonymous()
        .post(
            "/auth/token",
            &json!({"username": username, "password": password}),
        )
        .await
        .expect(200)
        .value()
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member]
        .as_str()
        .unwrap_or_else(|| panic!("{member} is no text: {value}"))
}

async fn refresh(client: &Client, refresh_token: &str) -> Reply {
    client
        .post("/auth/refresh", &json!({"refresh_token": refresh_token}))
        .await
}

/// The claims of a token, unchecked.
fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("base64url")).expect("JSON")
}

fn header(token: &str) -> Value {
    let header = token.split('.').next().expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).expect("base64url")).expect("JSON")
}

/// Signs claims with a header of the test's own.
fn forge(header: &Value, claims: &Value, secret: &str) -> String {
    let mut signed = Header::new(Algorithm::HS256);
    signed.kid = header["kid"].as_str().map(str::to_owned);
    jsonwebtoken::encode(
        &signed,
        claims,
        &EncodingKey::from_secret(secret.as_bytes()),
    )
    .expect("a token")
}

/// Waits until the condition holds, for ten seconds at most.
async fn eventually<F: Future<Output = bool>>(
    what: &str,
    mut condition: impl FnMut() -> F,
) -> Duration {
    let start = Instant::now();
    while !condition().await {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{what}: not within ten seconds"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    start.elapsed()
}

on_every_engine! {
    async fn a_token_says_who_and_for_how_long(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let request = app.anonymous().request(reqwest::Method::POST, "/auth/token");
        let reply = Reply::of(request.json(&json!({"username": "admin", "password": ADMIN_PASSWORD}))).await.expect(200);
        assert_eq!(reply.header("cache-control"), "no-store");
        let pair = reply.value();
        assert_eq!((&pair["id"], &pair["token_type"], &pair["expires_in"]), (&json!(1), &json!("bearer"), &json!(1800)));
        assert!(text(&pair, "expires").ends_with('Z'));
        let refresh_token = text(&pair, "refresh_token");
        assert!(refresh_token.len() == 128 && refresh_token.chars().all(|c| c.is_ascii_alphanumeric()));
        let claims = claims(text(&pair, "access_token"));
        assert_eq!((&claims["sub"], &claims["user_id"]), (&json!("1"), &json!(1)));
        assert_eq!((&claims["username"], &claims["role"]), (&json!("admin"), &json!("admin")));
        assert_eq!(claims["exp"].as_i64().expect("exp") - claims["iat"].as_i64().expect("iat"), 1800);
        for member in ["iss", "aud", "sid", "jti"] {
            assert!(!claims[member].is_null(), "{member}: {claims}");
        }
        assert!(header(text(&pair, "access_token"))["kid"].is_string());
    }

    async fn the_form_of_oauth2_signs_in_on_three_routes(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let anonymous = app.anonymous();
        for path in ["/auth/token", "/get-token", "/login", "/auth/token/"] {
            let fields = [("grant_type", "password"), ("username", "admin"), ("password", ADMIN_PASSWORD), ("scope", ""), ("unknown", "x")];
            let pair = anonymous.form(path, &fields).await.expect(200).value();
            app.anonymous().bearer(text(&pair, "access_token")).get("/auth/me").await.expect(200);
            let pair = anonymous.form(path, &fields[1..3]).await.expect(200).value();
            assert_eq!(pair["token_type"], "bearer");
            let reply = anonymous.form(path, &[("username", "admin"), ("password", "wrong password")]).await.expect(401);
            assert_eq!(reply.value()["detail"], "Invalid username or password");
            assert!(!reply.header("www-authenticate").is_empty());
        }
        let problem = anonymous.form("/auth/token", &[("grant_type", "magic")]).await.expect(400).value();
        assert_eq!(problem["error"], "unsupported_grant_type", "{problem}");
        assert!(problem["error_description"].is_string());
        let problem = anonymous.form("/auth/token", &[("grant_type", "refresh_token"), ("refresh_token", "x")]).await.expect(400).value();
        assert_eq!(problem["error"], "invalid_grant", "{problem}");
        anonymous.form("/auth/token", &[("username", "admin")]).await.expect(422);
    }

    async fn wrong_unknown_and_deactivated_sound_the_same(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let gone = app.member("gone").await;
        let id = gone.get("/auth/me").await.expect(200).value()["id"].clone();
        app.admin().delete(&format!("/users/{id}")).await.expect(200);
        let mut answers = Vec::new();
        for (username, password) in [("admin", "wrong password"), ("nobody", "wrong password"), ("gone", MEMBER_PASSWORD)] {
            let reply = app.anonymous().post("/auth/token", &json!({"username": username, "password": password})).await;
            let mut problem = reply.expect(401).value();
            problem["request_id"] = Value::Null;
            answers.push(problem);
        }
        assert_eq!(answers[0], answers[1]);
        assert_eq!(answers[0], answers[2]);
    }

    async fn a_refresh_token_works_once_and_its_reuse_ends_the_family(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let anonymous = app.anonymous();
        let first = token(&app, "admin", ADMIN_PASSWORD).await;
        let second = refresh(&anonymous, text(&first, "refresh_token")).await.expect(200).value();
        assert_ne!(first["refresh_token"], second["refresh_token"]);
        let bearer = anonymous.bearer(text(&second, "access_token"));
        bearer.get("/auth/me").await.expect(200);
        let fields = [("grant_type", "refresh_token"), ("refresh_token", text(&second, "refresh_token"))];
        let third = anonymous.form("/auth/token", &fields).await.expect(200).value();

        refresh(&anonymous, text(&first, "refresh_token")).await.expect(401);
        refresh(&anonymous, text(&third, "refresh_token")).await.expect(401);
        bearer.get("/auth/me").await.expect(401);
        anonymous.bearer(text(&third, "access_token")).get("/auth/me").await.expect(401);
        // Another session of the same user lives on.
        app.admin().get("/auth/me").await.expect(200);
        refresh(&anonymous, "no such token").await.expect(401);
    }

    async fn of_two_parallel_refreshes_exactly_one_succeeds_100_times(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let anonymous = app.anonymous();
        for repetition in 0..100 {
            let pair = token(&app, "admin", ADMIN_PASSWORD).await;
            let old = text(&pair, "refresh_token");
            let (one, other) = tokio::join!(refresh(&anonymous, old), refresh(&anonymous, old));
            let mut statuses = [one.status.as_u16(), other.status.as_u16()];
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 401], "repetition {repetition}");
            let winner = if one.status.as_u16() == 200 { one } else { other }.value();
            refresh(&anonymous, text(&winner, "refresh_token")).await.expect(401);
            anonymous.bearer(text(&winner, "access_token")).get("/auth/me").await.expect(401);
        }
    }

    async fn logging_out_ends_this_session_only(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let pair = token(&app, "admin", ADMIN_PASSWORD).await;
        let bearer = app.anonymous().bearer(text(&pair, "access_token"));
        let reply = bearer.post("/auth/logout", &json!({})).await.expect(200).value();
        assert!(reply["detail"].is_string());
        let reply = bearer.get("/auth/me").await.expect(401);
        assert!(reply.header("www-authenticate").contains("invalid_token"), "{:?}", reply.headers);
        refresh(&app.anonymous(), text(&pair, "refresh_token")).await.expect(401);
        app.admin().get("/auth/me").await.expect(200);
        app.anonymous().post("/auth/logout", &json!({})).await.expect(401);
    }

    async fn sessions_are_listed_and_ended_one_by_one(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let request = app.anonymous().request(reqwest::Method::POST, "/auth/token").header("user-agent", "a phone");
        let phone = Reply::of(request.json(&json!({"username": "ann", "password": MEMBER_PASSWORD}))).await.expect(200).value();
        let sessions = ann.get("/auth/sessions").await.expect(200).value();
        let sessions = sessions.as_array().expect("a list");
        assert_eq!(sessions.len(), 2);
        let session = sessions.iter().find(|session| session["agent"] == "a phone").expect("the phone");
        assert_eq!(session["address"], "127.0.0.1");
        assert!(text(session, "created_at").ends_with('Z') && text(session, "last_used_at").ends_with('Z'));

        let path = format!("/auth/sessions/{}", session["id"]);
        app.member("bob").await.delete(&path).await.expect(404);
        ann.delete(&path).await.expect(204);
        ann.delete(&path).await.expect(404);
        app.anonymous().bearer(text(&phone, "access_token")).get("/auth/me").await.expect(401);
        ann.get("/auth/me").await.expect(200);
    }

    async fn one_session_too_many_ends_the_oldest(engine: TestEngine) {
        let app = TestApp::start_with(engine, &[("auth.max_sessions", "3")]).await;
        app.member("ann").await;
        let mut pairs = Vec::new();
        for _ in 0..4 {
            pairs.push(token(&app, "ann", MEMBER_PASSWORD).await);
        }
        refresh(&app.anonymous(), text(&pairs[0], "refresh_token")).await.expect(401);
        app.anonymous().bearer(text(&pairs[0], "access_token")).get("/auth/me").await.expect(401);
        for pair in &pairs[1..] {
            app.anonymous().bearer(text(pair, "access_token")).get("/auth/me").await.expect(200);
        }
        let last = app.anonymous().bearer(text(&pairs[3], "access_token"));
        assert_eq!(last.get("/auth/sessions").await.expect(200).value().as_array().expect("a list").len(), 3);
    }

    async fn a_session_that_ended_is_refused_on_another_node(engine: TestEngine) {
        let app = TestApp::start_with(engine, &[("auth.jwt_secret", SECRET)]).await;
        if !engine.is_server() {
            // The embedded database belongs to one process.
            return;
        }
        let other = app.second_node(&[("auth.jwt_secret", SECRET)]).await;
        let pair = token(&app, "admin", ADMIN_PASSWORD).await;
        let here = app.anonymous().bearer(text(&pair, "access_token"));
        let there = other.anonymous().bearer(text(&pair, "access_token"));
        there.get("/auth/me").await.expect(200);
        here.post("/auth/logout", &json!({})).await.expect(200);
        let took = eventually("the other node refuses", || async { there.get("/auth/me").await.status.as_u16() == 401 }).await;
        println!("refused on the other node after {took:?}");
    }

    async fn tokens_that_are_not_ours_are_refused(engine: TestEngine) {
        let app = TestApp::start_with(engine, &[("auth.jwt_secret", SECRET)]).await;
        let good = text(&token(&app, "admin", ADMIN_PASSWORD).await, "access_token").to_owned();
        let (header, claims) = (header(&good), claims(&good));
        let now = claims["iat"].as_i64().expect("iat");
        let with = |member: &str, value: Value| {
            let mut claims = claims.clone();
            claims[member] = value;
            claims
        };
        // The forge itself is right: an unchanged token passes.
        let client = |token: &str| app.anonymous().bearer(token);
        client(&forge(&header, &claims, SECRET)).get("/auth/me").await.expect(200);

        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let parts: Vec<&str> = good.split('.').collect();
        let mut bad = vec![
            ("another key", forge(&header, &claims, "another secret, also long enough to be one")),
            ("an unknown kid", forge(&json!({"kid": "unknown"}), &claims, SECRET)),
            ("no kid", forge(&json!({}), &claims, SECRET)),
            ("expired", forge(&header, &with("exp", json!(now - 120)), SECRET)),
            ("not yet", forge(&header, &with("nbf", json!(now + 600)), SECRET)),
            ("another audience", forge(&header, &with("aud", json!("others")), SECRET)),
            ("another issuer", forge(&header, &with("iss", json!("others")), SECRET)),
            ("no signature", format!("{}.{}.", parts[0], parts[1])),
            ("an altered payload", format!("{}.{}.{}", parts[0], encode(&with("role", json!("user"))), parts[2])),
            ("rubbish", "rubbish".to_owned()),
            ("empty parts", "..".to_owned()),
        ];
        for algorithm in ["none", "None", "HS384", "RS256"] {
            let mut header = header.clone();
            header["alg"] = json!(algorithm);
            header["jku"] = json!("http://127.0.0.1:1/keys");
            bad.push((algorithm, format!("{}.{}.{}", encode(&header), parts[1], parts[2])));
        }
        for (what, token) in bad {
            let reply = client(&token).get("/auth/me").await.expect(401);
            let challenge = reply.header("www-authenticate");
            assert!(challenge.starts_with("Bearer") && challenge.contains("error=\"invalid_token\""), "{what}: {challenge}");
        }
        for value in ["Bearer", "Bearer ", "Digest x", "Basic ???", "Basic", "bearer"] {
            app.anonymous().authorization(value).get("/auth/me").await.expect(401);
        }
        app.anonymous().get(&format!("/auth/me?access_token={good}")).await.expect(401);
    }

    async fn an_old_signing_key_is_accepted_while_it_is_listed(engine: TestEngine) {
        let app = TestApp::start_with(engine, &[("auth.jwt_secret", SECRET), ("auth.jwt_key_id", "first")]).await;
        let pair = token(&app, "admin", ADMIN_PASSWORD).await;
        let bearer = text(&pair, "access_token");
        if !engine.is_server() {
            return;
        }
        let new = [("auth.jwt_secret", "the next signing secret, just as long as it"), ("auth.jwt_key_id", "second")];
        let rotated = app.second_node(&[new[0], new[1], ("auth.previous_jwt_secrets.first", SECRET)]).await;
        rotated.anonymous().bearer(bearer).get("/auth/me").await.expect(200);
        assert_eq!(header(text(&token(&rotated, "admin", ADMIN_PASSWORD).await, "access_token"))["kid"], "second");
        let later = app.second_node(&new).await;
        later.anonymous().bearer(bearer).get("/auth/me").await.expect(401);
    }

    async fn twenty_wrong_passwords_make_the_address_wait(engine: TestEngine) {
        let limits = [("limits.enabled", "true"), ("limits.credentials_per_minute", "1000"), ("limits.general_per_minute", "10000"), ("server.trusted_proxies", "127.0.0.1/32")];
        let app = TestApp::start_with(engine, &limits).await;
        app.member("victim").await;
        let attempt = |address: &'static str, username: &'static str, password: &'static str| {
            let request = app.anonymous().request(reqwest::Method::POST, "/auth/token").header("x-forwarded-for", address);
            Reply::of(request.json(&json!({"username": username, "password": password})))
        };
        let mut last = 0;
        for _ in 0..20 {
            last = attempt("192.0.2.1", "victim", "wrong password").await.status.as_u16();
        }
        assert_eq!(last, 429);
        let reply = attempt("192.0.2.1", "victim", MEMBER_PASSWORD).await.expect(429);
        assert!(reply.header("retry-after").parse::<u64>().expect("seconds") > 0);
        // Another address is not locked out.
        attempt("192.0.2.2", "victim", MEMBER_PASSWORD).await.expect(200);
        // The address has to wait whatever account it tries.
        for n in 0..20 {
            let username: &'static str = ["someone", "sometwo", "somethree", "somefour"][n % 4];
            last = attempt("192.0.2.3", username, "wrong password").await.status.as_u16();
        }
        assert_eq!(last, 429);
    }
}
