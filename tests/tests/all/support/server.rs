//! A database server that no other test uses, so that it can be killed: `scripts/test-db` starts
//! it beside the servers of the whole run.

#![allow(
    clippy::disallowed_methods,
    reason = "tests read their own environment"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::engines::TestEngine;

/// The server. Dropping it stops it and removes its files.
pub struct OwnServer {
    control: PathBuf,
    directory: PathBuf,
    url: String,
    _room: tempfile::TempDir,
}

impl OwnServer {
    pub fn start(engine: TestEngine) -> Self {
        Self::start_with(engine, &[])
    }

    /// The same with a certificate: the folder holds `ca.pem`, `server.pem` and `server.key`.
    pub fn start_with_tls(engine: TestEngine, folder: &Path) -> Self {
        Self::start_with(engine, &[("TIDEGATE_TEST_TLS", folder)])
    }

    fn start_with(engine: TestEngine, variables: &[(&str, &Path)]) -> Self {
        let control = match std::env::var_os("TIDEGATE_TEST_DB_CTL") {
            Some(path) => path.into(),
            None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/test-db"),
        };
        // Beside the servers of the whole run, which is where their files can be fast.
        let shared = std::env::var_os(format!(
            "TIDEGATE_TEST_DB_DIR_{}",
            engine.name().to_uppercase()
        ))
        .map(PathBuf::from);
        let parent = shared
            .as_deref()
            .and_then(Path::parent)
            .map_or_else(std::env::temp_dir, Path::to_owned);
        let room = tempfile::Builder::new()
            .prefix("own-")
            .tempdir_in(parent)
            .expect("a directory");
        let directory = room.path().join("server");
        let url = control_command(&control, &["start", engine.name()], &directory, variables);
        Self {
            control,
            directory,
            url: format!("{}/tidegate", url.trim()),
            _room: room,
        }
    }

    /// The address of a database on it that does not exist yet.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends it as a crash would.
    pub fn kill(&self) {
        control_command(&self.control, &["kill"], &self.directory, &[]);
    }

    /// Starts it again with its data, and waits until it answers.
    pub fn restart(&self) {
        control_command(&self.control, &["restart"], &self.directory, &[]);
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        let _ = Command::new(&self.control)
            .arg("stop")
            .arg(&self.directory)
            .stderr(Stdio::null())
            .status();
    }
}

fn control_command(
    control: &Path,
    arguments: &[&str],
    directory: &Path,
    variables: &[(&str, &Path)],
) -> String {
    let output = Command::new(control)
        .envs(variables.iter().copied())
        .args(arguments)
        .arg(directory)
        .stdin(Stdio::null())
        .output()
        .expect("the script");
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}
