//! The crates see only what the table of `docs/ARCHITECTURE.md` lets them see.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Our crates with those of ours that each may depend on.
const MAY_USE: [(&str, &[&str]); 10] = [
    ("tidegate-domain", &[]),
    ("tidegate-application", &["tidegate-domain"]),
    (
        "tidegate-persistence",
        &["tidegate-domain", "tidegate-migrations"],
    ),
    ("tidegate-auth", &["tidegate-domain"]),
    (
        "tidegate-http",
        &["tidegate-domain", "tidegate-application"],
    ),
    (
        "tidegate",
        &[
            "tidegate-domain",
            "tidegate-application",
            "tidegate-persistence",
            "tidegate-auth",
            "tidegate-http",
            "tidegate-migrations",
        ],
    ),
    ("tidegate-migrations", &[]),
    (
        "boats",
        &[
            "tidegate",
            "tidegate-domain",
            "tidegate-http",
            "tidegate-migrations",
            "tidegate-persistence",
        ],
    ),
    (
        "tidegate-tests",
        &[
            "boats",
            "tidegate",
            "tidegate-domain",
            "tidegate-application",
            "tidegate-persistence",
            "tidegate-http",
            "tidegate-migrations",
        ],
    ),
    (
        "tidegate-bench",
        &[
            "tidegate-domain",
            "tidegate-persistence",
            "tidegate-auth",
            "tidegate-http",
        ],
    ),
];

/// What a crate must never see, directly.
const MUST_NOT_SEE: [(&str, &[&str]); 5] = [
    (
        "tidegate-domain",
        &[
            "tokio",
            "sea-orm",
            "sqlx",
            "actix-web",
            "jsonwebtoken",
            "rand",
            "uuid",
            "hmac",
            "sha1",
            "sha2",
            "chacha20poly1305",
        ],
    ),
    (
        "tidegate-application",
        &["sea-orm", "sqlx", "actix-web", "jsonwebtoken"],
    ),
    ("tidegate-persistence", &["actix-web", "jsonwebtoken"]),
    ("tidegate-auth", &["sea-orm", "sqlx", "actix-web"]),
    (
        "tidegate-http",
        &["sea-orm", "sqlx", "jsonwebtoken", "bcrypt"],
    ),
];

/// Each member of the workspace with its direct dependencies, those for tests left out.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version=1",
            "--no-deps",
            "--offline",
            "--manifest-path",
        ])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .output()
        .expect("cargo metadata");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let names = |package: &Value| {
        let in_tests = package["name"] == "tidegate-tests";
        package["dependencies"]
            .as_array()
            .expect("dependencies")
            .iter()
            .filter(|dependency| in_tests || dependency["kind"].is_null())
            .map(|dependency| dependency["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    metadata["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .map(|package| {
            (
                package["name"].as_str().expect("a name").to_owned(),
                names(package),
            )
        })
        .collect()
}

#[test]
fn crates_see_only_what_the_table_lets_them_see() {
    let dependencies = dependencies();
    let ours: BTreeSet<&str> = dependencies.keys().map(String::as_str).collect();
    let listed: BTreeSet<&str> = MAY_USE.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        ours, listed,
        "every crate of the workspace stands in the table"
    );
    for (name, allowed) in MAY_USE {
        for dependency in dependencies[name]
            .iter()
            .filter(|dependency| ours.contains(dependency.as_str()))
        {
            assert!(
                allowed.contains(&dependency.as_str()),
                "{name} must not depend on {dependency}"
            );
        }
    }
    for (name, forbidden) in MUST_NOT_SEE {
        for dependency in forbidden {
            assert!(
                !dependencies[name].contains(*dependency),
                "{name} must not see {dependency}"
            );
        }
    }
}
