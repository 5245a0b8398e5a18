//! `tidegate migrate` through the program itself: forth, back, anew, what there is, and a new one.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::app::{ADMIN_PASSWORD, sign_in};
use crate::support::engines::TestEngine;
use crate::support::process::Program;

/// The migrations that `status` lists, each with whether it is applied.
fn status(program: &Program) -> Vec<(String, bool)> {
    let printed = program.run(&["migrate", "status"]);
    let listed: Vec<_> = printed
        .success()
        .lines()
        .filter_map(|line| {
            let name = line
                .split_whitespace()
                .find(|word| word.starts_with("m20"))?;
            let (applied, pending) = (line.contains("applied"), line.contains("pending"));
            assert!(applied != pending, "neither applied nor pending: {line}");
            Some((name.to_owned(), applied))
        })
        .collect();
    assert!(listed.len() >= 4, "{printed:?}");
    assert!(listed.is_sorted(), "{printed:?}");
    listed
}

fn applied(program: &Program) -> usize {
    let listed = status(program);
    let count = listed.iter().filter(|(_, applied)| *applied).count();
    // What is applied comes first: there are no gaps.
    assert!(
        listed.iter().take(count).all(|(_, applied)| *applied),
        "{listed:?}"
    );
    count
}

on_every_engine! {
    async fn migrations_go_forth_and_back_by_command(engine: TestEngine) {
        let room = engine.create_database().await;
        let program = Program::on(&room);
        let names: Vec<String> = status(&program).into_iter().map(|(name, _)| name).collect();
        let all = names.len();
        assert_eq!(applied(&program), 0);

        let printed = program.run(&["migrate", "up", "1"]);
        assert!(printed.success().contains(&names[0]), "{printed:?}");
        assert!(!printed.stdout().contains(&names[1]), "{printed:?}");
        assert_eq!(applied(&program), 1);
        program.run(&["migrate", "up"]).success();
        assert_eq!(applied(&program), all);
        // Nothing left to do is no error.
        program.run(&["migrate", "up"]).success();

        let printed = program.run(&["migrate", "down"]);
        assert!(printed.success().contains(&names[all - 1]), "{printed:?}");
        assert_eq!(applied(&program), all - 1);
        program.run(&["migrate", "down", "2"]).success();
        assert_eq!(applied(&program), all - 3);
        program.run(&["migrate", "up"]).success();
        program.run(&["migrate", "down", "--to", &names[1]]).success();
        assert_eq!(applied(&program), 2);
        let printed = program.run(&["migrate", "down", "--to", "m20010101_000001_nothing"]).failure();
        assert!(printed.contains("m20010101_000001_nothing"), "{printed}");
        assert_eq!(applied(&program), 2);
        program.run(&["migrate", "down", &all.to_string()]).success();
        assert_eq!(applied(&program), 0);
    }

    async fn fresh_loses_everything_and_asks_before_it_does_outside_development(engine: TestEngine) {
        let room = engine.create_database().await;
        let program = Program::on(&room);
        let count = {
            let serving = program.serve();
            let anonymous = serving.anonymous();
            let body = json!({"username": "ann", "password": "a password of ann"});
            anonymous.post("/auth/register", &body).await.expect(201);
            serving.stop();
            applied(&program)
        };
        let production = program.clone().in_production();
        let printed = production.run(&["migrate", "fresh"]).failure();
        assert!(printed.contains("--yes"), "{printed}");
        // The refusal has changed nothing.
        let serving = program.serve();
        sign_in(&serving.anonymous(), "ann", "a password of ann").await;
        serving.stop();

        production.run(&["migrate", "fresh", "--yes"]).success();
        assert_eq!(applied(&program), count);
        let serving = program.serve();
        let anonymous = serving.anonymous();
        anonymous.post("/auth/token", &json!({"username": "ann", "password": "a password of ann"})).await.expect(401);
        // No users are left, so that this start has made the administrator again.
        sign_in(&anonymous, "admin", ADMIN_PASSWORD).await;
        serving.stop();
        program.run(&["migrate", "fresh"]).success();
    }

    async fn production_does_not_migrate_by_itself(engine: TestEngine) {
        let room = engine.create_database().await;
        let program = Program::on(&room).in_production();
        assert_eq!(applied(&program), 0);
        let printed = program.run(&["users", "create", "--admin", "--username", "ada"]).failure();
        assert!(printed.contains("migrate up"), "{printed}");
        assert_eq!(applied(&program), 0);
        program.run(&["migrate", "up"]).success();
        let serving = program.serve();
        sign_in(&serving.anonymous(), "admin", ADMIN_PASSWORD).await;
        serving.stop();
    }
}

#[test]
fn a_new_migration_is_written_and_registered() {
    let directory = tempfile::tempdir().expect("a directory");
    let folder = directory.path().join("migrations/src");
    fs::create_dir_all(&folder).expect("a folder");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/src/lib.rs");
    fs::copy(&source, folder.join("lib.rs")).expect("the list of migrations");

    let program = Program::at(directory.path(), None);
    let printed = program.run(&["migrate", "generate", "add_moorings"]);
    printed.success();
    let made: Vec<String> = fs::read_dir(&folder)
        .expect("the folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .filter(|name| name.ends_with("_add_moorings.rs"))
        .collect();
    let [name] = made.as_slice() else {
        panic!("{made:?} {printed:?}")
    };
    assert!(printed.text().contains(name.as_str()), "{printed:?}");
    let module = name.trim_end_matches(".rs");
    let list = fs::read_to_string(folder.join("lib.rs")).expect("the list");
    assert!(list.contains(&format!("    {module},\n}}")), "{list}");
    let text = fs::read_to_string(folder.join(name)).expect("the migration");
    assert!(
        text.contains("async fn up") && text.contains("async fn down"),
        "{text}"
    );

    for bad in ["Add", "1st", "../add", ""] {
        program.run(&["migrate", "generate", bad]).failure();
    }
    assert_eq!(fs::read_dir(&folder).expect("the folder").count(), 2);
}
