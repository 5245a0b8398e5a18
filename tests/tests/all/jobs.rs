//! Jobs: each due time done once whatever the number of nodes, dead nodes replaced, runs on
//! request.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tidegate_domain::job::{Claim, Jobs as _, RunState};
use tidegate_persistence::jobs::JobStore;

use crate::support::app::TestApp;
use crate::support::client::Client;
use crate::support::engines::TestEngine;
use crate::support::process::eventually;
use crate::support::resource::members;
use crate::support::stores::{at, open, reopen};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

#[allow(
    clippy::disallowed_methods,
    reason = "the program's clock is the system's"
)]
fn now() -> DateTime<Utc> {
    std::time::SystemTime::now().into()
}

fn claim(node: &str, due_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Claim<'_> {
    Claim {
        job: "inbox",
        node,
        due_at,
        late: false,
        now,
        expires_at: now + TimeDelta::seconds(60),
    }
}

async fn job(admin: &Client, name: &str) -> Value {
    let jobs = admin.get("/admin/jobs").await.expect(200).value()["jobs"].clone();
    let jobs = jobs.as_array().expect("an array").clone();
    jobs.into_iter()
        .find(|job| job["name"] == name)
        .expect("the job")
}

async fn runs(admin: &Client, name: &str) -> Vec<Value> {
    job(admin, name).await["runs"]
        .as_array()
        .expect("an array")
        .clone()
}

on_every_engine! {
    async fn a_due_time_is_begun_once_and_in_order(engine: TestEngine) {
        let room = open(engine).await;
        let jobs = JobStore::new(room.database.clone());
        let due = at(0);
        let many = (0..20).map(|_| jobs.clone()).map(async |jobs| jobs.begin(&claim("a", Some(due), at(1))).await.expect("an answer"));
        let held: Vec<_> = futures_util::future::join_all(many).await.into_iter().flatten().collect();
        assert_eq!(held.len(), 1, "{held:?}");
        let token = held[0].token;
        // Held, whoever asks and for whatever time.
        assert_eq!(jobs.begin(&claim("b", Some(at(2)), at(3))).await.expect("an answer"), None);
        assert_eq!(jobs.begin(&claim("b", None, at(3))).await.expect("an answer"), None);
        assert_eq!(jobs.take_over(&claim("b", None, at(3))).await.expect("an answer"), None);
        assert!(jobs.renew("inbox", token, at(30), at(90)).await.expect("an answer"));
        assert!(jobs.finish("inbox", token, RunState::Succeeded, Some("7 deleted".into()), at(31)).await.expect("an answer"));
        assert!(!jobs.finish("inbox", token, RunState::Failed, None, at(32)).await.expect("an answer"), "it ended");
        assert!(!jobs.renew("inbox", token, at(32), at(90)).await.expect("an answer"));
        assert_eq!(jobs.take_over(&claim("b", None, at(33))).await.expect("an answer"), None, "nothing is left behind");

        // The same time, and earlier ones, are over; a later one is not, nor is a request.
        for time in [0, -60] {
            assert_eq!(jobs.begin(&claim("b", Some(at(time)), at(40))).await.expect("an answer"), None);
        }
        let asked = jobs.begin(&claim("b", None, at(41))).await.expect("an answer").expect("a run");
        assert!(asked.token > token && asked.due_at.is_none());
        assert!(jobs.finish("inbox", asked.token, RunState::Failed, Some("x".repeat(600)), at(42)).await.expect("an answer"));
        let later = jobs.begin(&claim("b", Some(at(60)), at(61))).await.expect("an answer").expect("a run");
        assert_eq!(later.due_at, Some(at(60)));
        let told = jobs.runs("inbox", 10).await.expect("runs");
        let states: Vec<_> = told.iter().map(|run| (run.id, run.state)).collect();
        assert_eq!(states, [(later.token, RunState::Running), (asked.token, RunState::Failed), (token, RunState::Succeeded)]);
        assert_eq!(told[2].detail.as_deref(), Some("7 deleted"));
        assert_eq!((told[2].started_at, told[2].finished_at, told[2].due_at), (at(1), Some(at(31)), Some(due)));
    }

    async fn what_a_dead_node_left_is_done_by_another_and_its_word_counts_no_more(engine: TestEngine) {
        let room = open(engine).await;
        let jobs = JobStore::new(room.database.clone());
        let dead = jobs.begin(&claim("dead", Some(at(0)), at(0))).await.expect("an answer").expect("a run");
        assert_eq!(jobs.take_over(&claim("b", None, at(59))).await.expect("an answer"), None, "it may be alive");
        let (b, c) = (claim("b", None, at(61)), claim("c", None, at(61)));
        let both = tokio::join!(jobs.take_over(&b), jobs.take_over(&c));
        let taken: Vec<_> = [both.0, both.1].into_iter().filter_map(|it| it.expect("an answer")).collect();
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0].due_at, Some(at(0)), "the same due time");
        assert!(taken[0].token > dead.token);
        assert!(!jobs.renew("inbox", dead.token, at(62), at(122)).await.expect("an answer"));
        assert!(!jobs.finish("inbox", dead.token, RunState::Succeeded, None, at(62)).await.expect("an answer"));
        assert!(jobs.finish("inbox", taken[0].token, RunState::Succeeded, None, at(63)).await.expect("an answer"));
        let told = jobs.runs("inbox", 10).await.expect("runs");
        assert_eq!(told.iter().map(|run| run.state).collect::<Vec<_>>(), [RunState::Succeeded, RunState::Abandoned]);
    }

    async fn a_job_that_was_never_done_is_not_late_and_few_runs_are_kept(engine: TestEngine) {
        let room = open(engine).await;
        let jobs = JobStore::new(room.database.clone());
        let late = |due| Claim { late: true, ..claim("a", Some(due), at(100)) };
        assert_eq!(jobs.begin(&late(at(0))).await.expect("an answer"), None);
        assert_eq!(jobs.begin(&claim("a", Some(at(0)), at(101))).await.expect("an answer"), None, "it was noted");
        // What was due while nobody was there is done once, at the next start.
        let held = jobs.begin(&late(at(60))).await.expect("an answer").expect("a run");
        jobs.finish("inbox", held.token, RunState::Succeeded, None, at(102)).await.expect("an answer");
        for n in 0..55 {
            let held = jobs.begin(&claim("a", None, at(200 + n))).await.expect("an answer").expect("a run");
            jobs.finish("inbox", held.token, RunState::Succeeded, None, at(200 + n)).await.expect("an answer");
        }
        assert_eq!(jobs.runs("inbox", 1000).await.expect("runs").len(), 50);
        assert_eq!(jobs.runs("other", 1000).await.expect("runs"), []);
    }

    async fn three_nodes_do_each_due_time_once(engine: TestEngine) {
        let every_second = [("jobs.inbox", "* * * * * *"), ("jobs.lease_seconds", "3")];
        let app = TestApp::start_with(engine, &every_second).await;
        let _two = app.second_node(&every_second).await;
        let _three = app.second_node(&every_second).await;
        let admin = app.admin();
        let enough = async || runs(&admin, "inbox").await.len() >= 5;
        eventually("the job is done again and again", PATIENCE, enough).await;
        let done = runs(&admin, "inbox").await;
        let times: BTreeSet<String> = done.iter().map(|run| run["due_at"].as_str().expect("a time").to_owned()).collect();
        assert_eq!(times.len(), done.len(), "{done:?}");
        for run in &done[1..] {
            assert_eq!(run["state"], "succeeded", "{run}");
        }
    }

    async fn a_running_node_takes_over_from_a_dead_one(engine: TestEngine) {
        let app = TestApp::start_with(engine, &[("jobs.lease_seconds", "3"), ("jobs.inbox", "never")]).await;
        let stores = reopen(app.database()).await;
        let jobs = JobStore::new(stores);
        let past = now() - TimeDelta::seconds(120);
        let left = jobs.begin(&claim("dead", Some(past), past)).await.expect("an answer").expect("a run");
        let admin = app.admin();
        let replaced = async || runs(&admin, "inbox").await.first().is_some_and(|run| run["id"] != left.token && run["state"] == "succeeded");
        eventually("another node does it", PATIENCE, replaced).await;
        let told = runs(&admin, "inbox").await;
        assert_eq!((told.len(), &told[1]["state"], &told[1]["node"]), (2, &json!("abandoned"), &json!("dead")));
        assert_eq!(told[0]["due_at"], told[1]["due_at"]);
    }

    async fn administrators_see_jobs_and_have_them_done(engine: TestEngine) {
        let app = TestApp::start_with(engine, &[("jobs.sessions", "never")]).await;
        let admin = app.admin();
        let listed = admin.get("/admin/jobs").await.expect(200).value();
        let names: Vec<_> = listed["jobs"].as_array().expect("an array").iter().map(|job| job["name"].clone()).collect();
        let everywhere = ["sessions", "idempotency-keys", "inbox", "audit"];
        let files: &[&str] = if engine.is_server() { &[] } else { &["backup", "optimize"] };
        assert_eq!(names, [&everywhere, files].concat());
        let sessions = job(&admin, "sessions").await;
        assert_eq!(members(&sessions), ["name", "next_due_at", "runs", "schedule", "summary"]);
        assert_eq!((&sessions["schedule"], &sessions["next_due_at"], &sessions["runs"]), (&Value::Null, &Value::Null, &json!([])));
        let keys = job(&admin, "idempotency-keys").await;
        assert_eq!(keys["schedule"], "7 * * * *");
        assert!(keys["next_due_at"].as_str().is_some_and(|time| time.contains(":07:00")), "{keys}");

        for name in everywhere {
            let begun = admin.post(&format!("/admin/jobs/{name}/run"), &json!({})).await.expect(202).value();
            let done = async || runs(&admin, name).await.first().is_some_and(|run| run["id"] == begun["run_id"] && run["state"] == "succeeded");
            eventually("it is done", PATIENCE, done).await;
            let run = runs(&admin, name).await[0].clone();
            assert_eq!(members(&run), ["detail", "due_at", "finished_at", "id", "node", "started_at", "state"]);
            assert!(run["due_at"].is_null() && run["detail"].as_str().is_some_and(|text| text.contains("deleted")), "{run}");
        }
        admin.post("/admin/jobs/nothing/run", &json!({})).await.problem(404, "not_found");
        // While another node does it, nobody else does.
        let stores = reopen(app.database()).await;
        let now = now();
        JobStore::new(stores).begin(&claim("other", None, now)).await.expect("an answer").expect("a run");
        admin.post("/admin/jobs/inbox/run", &json!({})).await.problem(409, "job_running");
        let ann = app.member("ann").await;
        ann.get("/admin/jobs").await.problem(403, "forbidden");
        ann.post("/admin/jobs/inbox/run", &json!({})).await.problem(403, "forbidden");
    }
}
