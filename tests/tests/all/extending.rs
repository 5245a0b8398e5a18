//! `docs/EXTENDING.md`: its code is that of `tidegate new resource`, its figures are right, and
//! `make test-extending` puts it into a copy of the sources.

#![allow(
    clippy::disallowed_methods,
    reason = "a variable says where the copy of the sources is"
)]

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::process::Program;

/// The root of the sources.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What the page says to do.
#[derive(Debug)]
enum Step {
    /// A new file with this text.
    File { path: String, text: String },
    /// Lines for a file that is there, below a line or at the end of a block.
    Lines {
        path: String,
        anchor: String,
        at_end: bool,
        lines: String,
    },
}

/// The text between the first two backticks, and what follows them.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let (_, rest) = text.split_once('`')?;
    rest.split_once('`')
}

/// Reads the steps of the page, in their order.
fn steps() -> Vec<Step> {
    let page = fs::read_to_string(root().join("docs/EXTENDING.md")).expect("the page");
    let mut steps = Vec::new();
    let mut before = "";
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if line != "```rust" {
            if !line.is_empty() {
                before = line;
            }
            continue;
        }
        let code: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let code = code.join("\n") + "\n";
        let (path, rest) = quoted(before).expect("a path before the code");
        let path = path.to_owned();
        steps.push(match quoted(rest) {
            None => Step::File { path, text: code },
            Some((anchor, _)) => Step::Lines {
                path,
                anchor: anchor.to_owned(),
                at_end: rest.contains("at the end of"),
                lines: code,
            },
        });
    }
    steps
}

/// Carries the steps out below `root`.
fn assemble<'a>(root: &Path, steps: impl Iterator<Item = &'a Step>) {
    for step in steps {
        match step {
            Step::File { path, text } => {
                let path = root.join(path);
                assert!(!path.exists(), "{} is there already", path.display());
                fs::write(path, text).expect("a file");
            }
            Step::Lines {
                path,
                anchor,
                at_end,
                lines,
            } => {
                let path = root.join(path);
                let text = fs::read_to_string(&path).expect("a file of the sources");
                let old: Vec<&str> = text.lines().collect();
                let found = old.iter().position(|line| line.trim() == anchor);
                let found =
                    found.unwrap_or_else(|| panic!("{anchor} is not in {}", path.display()));
                let place = if *at_end {
                    found
                        + old[found..]
                            .iter()
                            .position(|line| *line == "}")
                            .expect("an end")
                } else {
                    found + 1
                };
                let new = [
                    &old[..place],
                    &[lines.trim_end_matches('\n')],
                    &old[place..],
                ]
                .concat();
                fs::write(path, new.join("\n") + "\n").expect("the file");
            }
        }
    }
}

/// The steps that concern books: the first part of the page.
fn of_books(step: &&Step) -> bool {
    match step {
        Step::File { path, .. } => path.contains("book"),
        Step::Lines { lines, .. } => lines.contains("book"),
    }
}

/// Copies the files that a new resource is registered in.
fn copy_lists(to: &Path) {
    for file in [
        "migrations/src/lib.rs",
        "crates/domain/src/lib.rs",
        "crates/persistence/src/lib.rs",
        "crates/tidegate/src/resources.rs",
        "tests/tests/all/main.rs",
    ] {
        let target = to.join(file);
        fs::create_dir_all(target.parent().expect("a folder")).expect("a folder");
        fs::copy(root().join(file), target).expect("a copy");
    }
}

/// All files below a folder with their texts, migrations without the time in their names.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path
                .strip_prefix(folder)
                .expect("a path below")
                .display()
                .to_string();
            let text = fs::read_to_string(&path).expect("a text");
            found.push((without_time(&name), without_time(&text)));
        }
    }
    found.sort();
    found
}

/// `m20270101_090000_books` as `m_books`.
fn without_time(text: &str) -> String {
    let mut rest = text;
    let mut kept = String::new();
    while let Some(at) = rest.find("_books") {
        let (before, after) = rest.split_at(at);
        kept.push_str(before.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_'));
        kept.push_str("_books");
        rest = &after["_books".len()..];
    }
    kept + rest
}

#[test]
fn the_page_shows_what_the_command_writes_and_counts_it() {
    let (by_page, by_command) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    );
    copy_lists(by_page.path());
    copy_lists(by_command.path());
    let steps = steps();
    assemble(by_page.path(), steps.iter().filter(of_books));
    let words = [
        "new",
        "resource",
        "books",
        "title:string",
        "pages:int",
        "published_on:date",
    ];
    Program::at(by_command.path(), None).run(&words).success();
    assert_eq!(files(by_page.path()), files(by_command.path()));

    let (mut new_files, mut lines, mut registered) = (0, 0, 0);
    for step in steps.iter().filter(of_books) {
        match step {
            Step::File { path, text } => {
                new_files += 1;
                if !path.starts_with("tests/") {
                    lines += text.lines().count();
                }
            }
            Step::Lines { lines, .. } => registered += lines.lines().count(),
        }
    }
    assert_eq!((new_files, registered), (4, 5));
    assert!(lines < 200, "{lines}");
    let page = fs::read_to_string(root().join("docs/EXTENDING.md")).expect("the page");
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = format!(
        "four files and five lines that register them, {lines} lines in all without the tests"
    );
    assert!(page.contains(&said), "the page should say: {said}");
}

/// Every file that the page adds to is there with the line that it names. `make test-extending`
/// names a copy of all sources, which it then builds; elsewhere those files alone are copied.
#[test]
fn the_page_is_put_into_a_copy() {
    let steps = steps();
    if let Some(copy) = std::env::var_os("TIDEGATE_TEST_EXTENDING") {
        return assemble(Path::new(&copy), steps.iter());
    }
    let copy = tempfile::tempdir().expect("a folder");
    for step in &steps {
        let (Step::File { path, .. } | Step::Lines { path, .. }) = step;
        let target = copy.path().join(path);
        fs::create_dir_all(target.parent().expect("a folder")).expect("a folder");
        if root().join(path).exists() {
            fs::copy(root().join(path), target).expect("a copy");
        }
    }
    assemble(copy.path(), steps.iter());
}
