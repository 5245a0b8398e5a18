//! Posts and votes (contract of `/posts` and `/vote`): a resource with rules of its own.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::Client;
use crate::support::engines::TestEngine;
use crate::support::resource::{is_time, members, names, statuses};

async fn make(client: &Client, title: &str, published: bool) -> Value {
    let body = json!({"title": title, "content": "text", "published": published});
    client.post("/posts", &body).await.expect(201).value()
}

async fn vote(client: &Client, post: &Value, dir: u8) -> crate::support::client::Reply {
    client
        .post("/vote", &json!({"post_id": post["id"], "dir": dir}))
        .await
}

on_every_engine! {
    async fn a_post_lives_from_post_to_delete(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let ann_id = ann.get("/auth/me").await.value()["id"].clone();
        let reply = ann.post("/posts", &json!({"title": "Low water", "content": "Dry\nuntil Thursday"})).await.expect(201);
        let post = reply.value();
        assert_eq!(members(&post), ["content", "created_at", "id", "owner", "owner_id", "published", "rating", "title", "updated_at", "votes"]);
        assert_eq!(post["owner"], json!({"id": ann_id, "username": "ann"}));
        assert_eq!((&post["published"], &post["rating"], &post["votes"], &post["owner_id"]), (&json!(true), &Value::Null, &json!(0), &ann_id));
        assert!(is_time(&post["created_at"]) && post["updated_at"].is_null(), "{post}");
        let path = format!("/posts/{}", post["id"]);
        assert_eq!(reply.header("location"), format!("{}{path}", app.base()));
        assert_eq!(ann.get(&path).await.expect(200).value(), post);

        let patched = ann.patch(&path, &json!({"rating": 5})).await.expect(200).value();
        assert_eq!((&patched["rating"], &patched["title"]), (&json!(5), &json!("Low water")));
        let put = ann.json(Method::PUT, &path, &json!({"title": "High water", "content": "Wet"})).await.expect(200).value();
        assert_eq!((&put["title"], &put["rating"], &put["published"]), (&json!("High water"), &Value::Null, &json!(true)));
        assert!(is_time(&put["updated_at"]), "{put}");
        assert_eq!(ann.delete(&path).await.expect(204).body, "");
        ann.get(&path).await.problem(404, "not_found");

        for (body, pointer) in [
            (json!({"content": "x"}), "/title"),
            (json!({"title": "x"}), "/content"),
            (json!({"title": "", "content": "x"}), "/title"),
            (json!({"title": "x", "content": ""}), "/content"),
            (json!({"title": "x", "content": "x", "rating": 0}), "/rating"),
            (json!({"title": "x", "content": "x", "rating": 6}), "/rating"),
            (json!({"title": "x", "content": "x", "rating": 2.5}), "/rating"),
            (json!({"title": "x", "content": "x", "published": null}), "/published"),
            (json!({"title": "x", "content": "x", "published": 1}), "/published"),
            (json!({"title": "x", "content": "x", "owner_id": 1}), "/owner_id"),
            (json!({"title": "x", "content": "x", "votes": 9}), "/votes"),
        ] {
            let problem = ann.post("/posts", &body).await.problem(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
        }
        assert_eq!(ann.get("/posts").await.value(), json!([]), "nothing was stored");
    }

    async fn unpublished_posts_are_there_for_their_owner_and_administrators_alone(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let (ann, bob) = (app.member("ann").await, app.member("bob").await);
        let (open, hidden) = (make(&ann, "Open", true).await, make(&ann, "Hidden", false).await);
        let path = format!("/posts/{}", hidden["id"]);
        for client in [&ann, &app.admin()] {
            assert_eq!(client.get(&path).await.expect(200).value(), hidden);
            assert_eq!(names(&client.get("/posts").await.value(), "title"), ["Open", "Hidden"]);
        }
        // To everybody else it is a post that does not exist, whatever they try.
        let missing = bob.get("/posts/987654").await.problem(404, "not_found");
        let unseen = bob.get(&path).await.problem(404, "not_found");
        let id = hidden["id"].to_string();
        assert_eq!(unseen["detail"].as_str().map(|text| text.replace(&id, "987654")), missing["detail"].as_str().map(str::to_owned));
        bob.patch(&path, &json!({"title": "x"})).await.problem(404, "not_found");
        bob.json(Method::PUT, &path, &json!({"title": "x", "content": "x"})).await.problem(404, "not_found");
        bob.delete(&path).await.problem(404, "not_found");
        vote(&bob, &hidden, 1).await.problem(404, "not_found");
        assert_eq!(names(&bob.get("/posts").await.value(), "title"), ["Open"]);
        assert_eq!(names(&bob.get("/posts?search=hidden").await.value(), "title"), Vec::<String>::new());
        let owner = ann.get("/auth/me").await.value()["id"].clone();
        assert_eq!(names(&bob.get(&format!("/users/{owner}/posts")).await.value(), "title"), ["Open"]);
        let counted = bob.request(Method::GET, "/posts").header("prefer", "count=exact");
        assert_eq!(crate::support::client::Reply::of(counted).await.header("x-total-count"), "1");
        // A post that they see and that is not theirs is forbidden ground.
        let path = format!("/posts/{}", open["id"]);
        bob.patch(&path, &json!({"title": "x"})).await.problem(403, "forbidden");
        bob.delete(&path).await.problem(403, "forbidden");
        assert_eq!(ann.get(&path).await.value(), open);
        app.admin().patch(&path, &json!({"published": false})).await.expect(200);
        bob.get(&path).await.problem(404, "not_found");
        app.admin().delete(&path).await.expect(204);
        app.anonymous().get("/posts").await.problem(401, "not_authenticated");
    }

    async fn lists_are_arrays_with_a_search_in_the_title(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        for number in 1..=12 {
            make(&ann, &format!("Tide {number}"), true).await;
        }
        make(&ann, "100% ebb", true).await;
        let found = async |query: &str| names(&ann.get(&format!("/posts?{query}")).await.expect(200).value(), "title");
        assert_eq!(found("").await.len(), 10);
        assert_eq!(found("limit=500").await.len(), 13);
        assert_eq!(found("skip=11").await, ["Tide 12", "100% ebb"]);
        assert_eq!(found("limit=2&skip=1").await, ["Tide 2", "Tide 3"]);
        assert_eq!(found("search=TIDE%201&skip=1").await, ["Tide 10", "Tide 11", "Tide 12"]);
        assert_eq!(found("search=%25").await, ["100% ebb"]);
        assert_eq!(found("search=text").await, Vec::<String>::new(), "the content is not searched");
        for query in ["limit=0", "skip=-1", "skip=x", "offset=1", "title=x"] {
            ann.get(&format!("/posts?{query}")).await.problem(422, "validation_failed");
        }
        let first = ann.get("/posts").await.expect(200);
        assert!(first.header("link").contains("skip=10&limit=10>; rel=\"next\""), "{}", first.header("link"));
    }

    async fn a_user_has_one_vote_for_a_post(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let (ann, bob) = (app.member("ann").await, app.member("bob").await);
        let post = make(&ann, "Open", true).await;
        let path = format!("/posts/{}", post["id"]);
        let votes = async || ann.get(&path).await.value()["votes"].clone();

        let reply = vote(&bob, &post, 1).await.expect(201).value();
        assert!(reply["message"].is_string(), "{reply}");
        vote(&bob, &post, 1).await.problem(409, "already_voted");
        ann.post("/vote", &json!({"post_id": post["id"], "vote_dir": 1})).await.expect(201);
        assert_eq!(votes().await, 2);
        assert_eq!(ann.get("/posts").await.value()[0]["votes"], 2);
        vote(&bob, &post, 0).await.expect(201);
        vote(&bob, &post, 0).await.problem(404, "not_found");
        assert_eq!(votes().await, 1);
        vote(&bob, &json!({"id": 987654}), 1).await.problem(404, "not_found");
        vote(&bob, &json!({"id": 987654}), 0).await.problem(404, "not_found");
        for body in [json!({}), json!({"post_id": post["id"]}), json!({"post_id": post["id"], "dir": 2}), json!({"post_id": post["id"], "dir": -1}), json!({"post_id": "x", "dir": 1}), json!({"post_id": post["id"], "dir": 1, "vote_dir": 1}), json!({"post_id": post["id"], "dir": 1, "user_id": 1})] {
            bob.post("/vote", &body).await.problem(422, "validation_failed");
        }
        app.anonymous().post("/vote", &json!({"post_id": 1, "dir": 1})).await.problem(401, "not_authenticated");
        // The votes go with the post.
        ann.delete(&path).await.expect(204);
        let again = make(&ann, "Open", true).await;
        assert_ne!(again["id"], post["id"], "ids are not used twice");
        assert_eq!(again["votes"], 0);
    }

    async fn fifty_votes_at_once_leave_one(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let (ann, bob) = (app.member("ann").await, app.member("bob").await);
        let post = make(&ann, "Open", true).await;
        let votes = async || ann.get(&format!("/posts/{}", post["id"])).await.value()["votes"].clone();
        let replies = futures_util::future::join_all((0..50).map(|_| vote(&bob, &post, 1))).await;
        assert_eq!(statuses(&replies), [(201, 1), (409, 49)].into());
        assert_eq!(votes().await, 1);
        let replies = futures_util::future::join_all((0..50).map(|_| vote(&bob, &post, 0))).await;
        assert_eq!(statuses(&replies), [(201, 1), (404, 49)].into());
        assert_eq!(votes().await, 0);
        // Both ways at once: whatever the order, each answer fits it.
        let replies = futures_util::future::join_all((0..40).map(|n| vote(&bob, &post, n % 2))).await;
        let found = statuses(&replies);
        assert!(found.keys().all(|status| [201, 404, 409].contains(status)), "{found:?}");
        let given = replies.iter().enumerate().filter(|(n, reply)| n % 2 == 1 && reply.status == 201).count();
        let taken = replies.iter().enumerate().filter(|(n, reply)| n % 2 == 0 && reply.status == 201).count();
        assert_eq!(votes().await, given - taken);
    }

    async fn early_paths_answer_as_before(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let (ann, bob) = (app.member("ann").await, app.member("bob").await);
        let made = ann.post("/post/create", &json!({"title": "Low", "content": "x"})).await.expect(201).value();
        assert_eq!(members(&made), ["data"]);
        let id = made["data"]["id"].clone();
        let read = ann.get(&format!("/post/{id}")).await.expect(200).value();
        assert_eq!(read, json!({"post_detail": made["data"]}));
        assert_eq!(ann.get(&format!("/posts/{id}")).await.value(), made["data"]);
        let put = ann.json(Method::PUT, &format!("/post/update/{id}"), &json!({"title": "High", "content": "y"})).await.expect(200).value();
        assert_eq!((&put["data"]["title"], &put["data"]["id"]), (&json!("High"), &id));
        bob.json(Method::PUT, &format!("/post/update/{id}"), &json!({"title": "x", "content": "y"})).await.problem(403, "forbidden");
        bob.delete(&format!("/post/delete/{id}")).await.problem(403, "forbidden");
        assert_eq!(ann.delete(&format!("/post/delete/{id}")).await.expect(204).body, "");
        ann.get(&format!("/post/{id}")).await.problem(404, "not_found");
        for (method, path) in [(Method::POST, "/post/create"), (Method::GET, "/post/1"), (Method::PUT, "/post/update/1"), (Method::DELETE, "/post/delete/1")] {
            app.anonymous().send(method, path).await.problem(401, "not_authenticated");
        }
    }

    async fn renamed_owners_are_shown_with_their_new_name(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let ann = app.member("ann").await;
        let id = ann.get("/auth/me").await.value()["id"].clone();
        app.admin().patch(&format!("/users/{id}"), &json!({"username": "anne"})).await.expect(200);
        // The token still says `ann`.
        assert_eq!(make(&ann, "x", true).await["owner"]["username"], "anne");
    }
}
