//! Keeps `docs/CONFIGURATION.md` what `config/default.toml` says: the page is
//! generated, and a test fails when it is out of date (`UPDATE_DOCS=1` rewrites it).

use std::fmt::Write as _;
use std::path::PathBuf;

use super::{
    layers::{DEFAULTS, is_secret},
    variables::variable,
};

const INTRODUCTION: &str = "\
# Configuration

<!-- Generated from config/default.toml: UPDATE_DOCS=1 cargo test -p tidegate configuration_page -->

Nothing has to be configured for a first start: the development profile uses the
embedded database below `./data` and makes its own secrets there.

Settings come from these places; later ones win:

1. the defaults that are compiled into the program,
2. `config/default.toml`,
3. `config/development.toml` or `config/production.toml`, by profile,
4. `.env` in the working directory,
5. the environment.

In the environment and in `.env`, `section.name` is `TIDEGATE__SECTION__NAME`, lists
are separated by commas, and an empty variable counts as absent. Two names stand
apart: `TIDEGATE_PROFILE` is `development` (the default) or `production`, and
`TIDEGATE_CONFIG_DIR` names another folder than `./config`.

Secrets (marked *secret*) can be read from files, as container platforms offer them:
`TIDEGATE__AUTH__JWT_SECRET_FILE=/run/secrets/jwt`, or `jwt_secret_file` in TOML.
They are never printed.

`tidegate config check` reads everything as a start would, and lists every unknown
setting and every wrong value with the file or variable that it came from.

The production profile asks for `database.url`, `auth.jwt_secret` and `auth.pepper`,
refuses secrets under 32 bytes, an easily guessed `admin.password` and a
`auth.bcrypt_cost` under 10.
";

pub(super) struct Documented {
    pub(super) key: String,
    default: Option<String>,
    meaning: String,
}

/// The settings in the order of the file: comment, then `name = value`, or
/// `#name = example` for one without a default.
pub(super) fn documented() -> Vec<Documented> {
    let (mut section, mut comment, mut settings) = (String::new(), Vec::new(), Vec::new());
    for line in DEFAULTS.lines() {
        if let Some(text) = line.strip_prefix("# ") {
            comment.push(text);
        } else if line == "#" {
            // A paragraph of the head of the file.
        } else if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = format!("{name}.");
        } else if let Some((name, value)) = line.split_once(" = ") {
            settings.push(Documented {
                key: format!("{section}{}", name.trim_start_matches('#')),
                default: (!name.starts_with('#')).then(|| value.to_owned()),
                meaning: std::mem::take(&mut comment).join(" "),
            });
        } else {
            assert!(
                line.is_empty(),
                "cannot read this line of default.toml: {line}"
            );
            comment.clear();
        }
    }
    settings
}

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    let mut section = None;
    for setting in documented() {
        let of = setting
            .key
            .rsplit_once('.')
            .map_or("", |(section, _)| section);
        if section.as_deref() != Some(of) {
            let title = if of.is_empty() { "General" } else { of };
            let _ = write!(
                page,
                "\n## {title}\n\n| setting | environment | default | meaning |\n| --- | --- | --- | --- |\n"
            );
            section = Some(of.to_owned());
        }
        let default = setting
            .default
            .map_or("-".to_owned(), |value| format!("`{value}`"));
        let secret = if is_secret(&setting.key) {
            "*secret* "
        } else {
            ""
        };
        let _ = writeln!(
            page,
            "| `{}` | `{}` | {default} | {secret}{} |",
            setting.key,
            variable(&setting.key),
            setting.meaning.replace('|', "\\|"),
        );
    }
    page
}

#[test]
fn configuration_page_is_up_to_date() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/CONFIGURATION.md");
    let page = page();
    #[expect(
        clippy::disallowed_methods,
        reason = "a switch of this test, not a setting"
    )]
    let update = std::env::var_os("UPDATE_DOCS").is_some();
    if update {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/CONFIGURATION.md is out of date: UPDATE_DOCS=1 cargo test -p tidegate configuration_page"
    );
}

#[test]
fn every_setting_has_a_meaning() {
    for setting in documented() {
        assert!(
            setting.meaning.len() > 15,
            "{} is not explained",
            setting.key
        );
    }
}
