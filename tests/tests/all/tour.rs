//! The tour of `README.md` works as pasted.
//!
//! What is run: every block of shell commands of its section, in one bash, against a program
//! started for it. What differs from pasting: the lines that set `BASE` and `ADMIN_PASSWORD` get
//! this program's address and password, and curl fails where an answer has an error's status. A
//! block of JSON is the answer of the last command before it.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::app::{ADMIN_PASSWORD, sign_in};
use crate::support::engines::TestEngine;
use crate::support::process::Program;

const SECTION: &str = "## A five-minute tour";

/// The database that the tour makes.
const DATABASE: &str = "harbour";

/// A block of the tour.
#[derive(Debug)]
enum Block {
    Shell(String),
    Answer(Value),
}

fn readme() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    fs::read_to_string(path).expect("README.md")
}

/// The blocks of the section, in their order.
fn blocks(text: &str) -> Vec<Block> {
    let mut lines = text.lines().skip_while(|line| *line != SECTION).skip(1);
    let mut blocks = Vec::new();
    while let Some(line) = lines.next() {
        if line.starts_with("## ") {
            break;
        }
        let Some(language) = line.strip_prefix("```") else {
            continue;
        };
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let body = body.join("\n");
        match language {
            "sh" => blocks.push(Block::Shell(body)),
            "json" => blocks.push(Block::Answer(
                serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}")),
            )),
            other => panic!("a block of `{other}` in the tour"),
        }
    }
    blocks
}

/// The commands as one script; the answers that are compared are left in files of their number.
fn script(blocks: &[Block], base: &str) -> String {
    let mut script = String::from(
        "set -euo pipefail\n\
         trap 'echo \"failed: $BASH_COMMAND\" >&2; cat \"$ANSWERS/last\" >&2' ERR\n\
         : >\"$ANSWERS/last\"\n\
         curl() { command curl --fail-with-body --show-error \"$@\" | tee \"$ANSWERS/last\"; }\n",
    );
    for (number, block) in blocks.iter().enumerate() {
        match block {
            Block::Shell(commands) => {
                for line in commands.lines() {
                    let line = match line.split_once('=') {
                        Some(("BASE", _)) => format!("BASE='{base}'"),
                        Some(("ADMIN_PASSWORD", _)) => format!("ADMIN_PASSWORD='{ADMIN_PASSWORD}'"),
                        _ => line.to_owned(),
                    };
                    script.push_str(&line);
                    script.push('\n');
                }
            }
            Block::Answer(_) => {
                script.push_str(&format!("cp \"$ANSWERS/last\" \"$ANSWERS/{number}\"\n"))
            }
        }
    }
    script
}

on_every_engine! {
    async fn the_tour_works_as_pasted(engine: TestEngine) {
        let room = engine.create_database().await;
        let serving = Program::on(&room).without("limits.enabled").serve();
        let anonymous = serving.anonymous();
        let admin = anonymous.bearer(&sign_in(&anonymous, "admin", ADMIN_PASSWORD).await);
        // What a run that failed may have left on a server.
        admin.delete(&format!("/databases/{DATABASE}?force=true")).await;

        let blocks = blocks(&readme());
        let answers = tempfile::tempdir().expect("a directory");
        let output = Command::new("bash")
            .arg("-c")
            .arg(script(&blocks, serving.base()))
            .env("ANSWERS", answers.path())
            .current_dir(answers.path())
            .output()
            .expect("bash");
        let left = admin.delete(&format!("/databases/{DATABASE}?force=true")).await;
        let text = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{text}");
        for (number, block) in blocks.iter().enumerate() {
            let Block::Answer(expected) = block else { continue };
            let answer = fs::read_to_string(answers.path().join(number.to_string())).expect("an answer");
            let value: Value = serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"));
            assert_eq!(value, *expected, "block {number}");
        }
        assert_eq!(left.status.as_u16(), 404, "the tour cleans up behind itself");
        serving.stop();
    }
}

#[test]
fn the_tour_needs_curl_and_sed_and_nothing_else() {
    let blocks = blocks(&readme());
    let shell: Vec<&str> = blocks
        .iter()
        .filter_map(|block| {
            if let Block::Shell(text) = block {
                Some(text.as_str())
            } else {
                None
            }
        })
        .collect();
    let answers = blocks.len() - shell.len();
    assert!(
        shell.len() >= 5 && answers >= 3,
        "{} blocks and {answers} answers are no tour",
        shell.len()
    );
    let text = shell.join("\n");
    for part in [
        "BASE=",
        "ADMIN_PASSWORD=",
        "/auth/token",
        "/databases",
        "text/csv",
        "-X PATCH",
        "-X DELETE",
        "/tables/",
    ] {
        assert!(text.contains(part), "the tour shows no {part}");
    }
    for tool in ["jq", "python", "http ", "wget"] {
        assert!(!text.contains(tool), "the tour needs {tool}");
    }
}
