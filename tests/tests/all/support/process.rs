//! The program itself as a child process: for what only shows from the outside, such as signals,
//! exit codes, and what is written to the terminal.

#![allow(
    clippy::disallowed_methods,
    reason = "the tests' own environment says where the program is"
)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::app::ADMIN_PASSWORD;
use super::client::Client;
use super::engines::TestDatabase;

/// Longer than any command takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program with its settings, ready to be run.
#[derive(Clone)]
pub struct Program {
    directory: PathBuf,
    open_files: Option<u32>,
    variables: BTreeMap<String, String>,
}

impl Program {
    /// The program on a test's database, with the settings of tests: cheap hashing, no limits, a
    /// free port, the password of the first administrator given.
    pub fn on(database: &TestDatabase) -> Self {
        Self::at(database.data_dir(), database.url())
    }

    /// The same with any directory and address of a database. The data lie in `data` below the
    /// directory, which the program itself makes.
    pub fn at(directory: &Path, url: Option<&str>) -> Self {
        let program = Self {
            directory: directory.to_owned(),
            open_files: None,
            variables: BTreeMap::new(),
        }
        .with("server.address", "127.0.0.1:0")
        .with("server.workers", "2")
        .with("data_dir", "data")
        .with("admin.password", ADMIN_PASSWORD)
        .with("auth.bcrypt_cost", "4")
        .with("limits.enabled", "false")
        .with("metrics.address", "off");
        match url {
            Some(url) => program.with("database.url", url),
            None => program,
        }
    }

    /// Sets a setting (`auth.registration`) or a variable (`TIDEGATE_PROFILE`).
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.variables.insert(variable(key), value.to_owned());
        self
    }

    /// Lets it open so many files, unless it asks for more.
    pub fn with_open_files(mut self, number: u32) -> Self {
        self.open_files = Some(number);
        self
    }

    /// Takes one back.
    pub fn without(mut self, key: &str) -> Self {
        self.variables.remove(&variable(key));
        self
    }

    /// The production profile with secrets of its own, and the cheapest hashing it allows.
    pub fn in_production(self) -> Self {
        let program = self
            .with("TIDEGATE_PROFILE", "production")
            .with("auth.jwt_secret", "cc4b1b6cf2b7a1d4a1a7e1f5d0a93c7e")
            .with("auth.pepper", "0f83c2be67d14c5a92ee7a40b6d1f359")
            .with("auth.bcrypt_cost", "10");
        match program.variables.contains_key(&variable("database.url")) {
            true => program,
            false => program.with("database.url", "sqlite:"),
        }
    }

    /// Where the program keeps its data.
    pub fn data_dir(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Finished {
        self.run_with_input(arguments, "")
    }

    /// The same with a text on its standard input.
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Finished {
        let mut child = self.spawn(arguments, Stdio::piped());
        // A command that reads nothing may have closed its end.
        let _ = child
            .child
            .stdin
            .take()
            .expect("a standard input")
            .write_all(input.as_bytes());
        child.wait(PATIENCE)
    }

    /// Starts serving and waits for the address.
    pub fn serve(&self) -> Serving {
        let mut started = self.spawn(&["serve"], Stdio::null());
        let start = Instant::now();
        loop {
            let text = started.printed();
            if let Some(base) = text
                .stdout()
                .lines()
                .chain(text.stderr().lines())
                .find_map(address)
            {
                return Serving {
                    running: started,
                    base,
                };
            }
            if started.has_ended() || start.elapsed() > PATIENCE {
                panic!(
                    "the program does not serve: {:?}",
                    started.wait(Duration::ZERO)
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn spawn(&self, arguments: &[&str], input: Stdio) -> Running {
        let mut command = match self.open_files {
            None => Command::new(binary()),
            Some(number) => {
                let mut shell = Command::new("sh");
                let limited = format!("ulimit -Sn {number} && exec \"$0\" \"$@\"");
                shell.args(["-c", &limited]).arg(binary());
                shell
            }
        };
        let mut child = command
            .args(arguments)
            .current_dir(&self.directory)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(&self.variables)
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let streams = [
            Stream::read(child.stdout.take().expect("a standard output")),
            Stream::read(child.stderr.take().expect("a standard error")),
        ];
        Running { child, streams }
    }
}

/// What a program has printed, and how it ended.
#[derive(Debug, Clone)]
pub struct Finished {
    status: Option<ExitStatus>,
    stdout: String,
    stderr: String,
}

impl Finished {
    /// The exit code; `None` where a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.and_then(|status| status.code())
    }

    /// Asserts that it ended well, and gives its standard output.
    #[track_caller]
    pub fn success(&self) -> &str {
        assert_eq!(self.code(), Some(0), "{self:?}");
        &self.stdout
    }

    /// Asserts that it ended badly, and gives all it printed.
    #[track_caller]
    pub fn failure(&self) -> String {
        assert!(self.code().is_some_and(|code| code != 0), "{self:?}");
        self.text()
    }

    /// Its standard output.
    pub fn stdout(&self) -> &str {
        &self.stdout
    }

    /// Its standard error: the log.
    pub fn stderr(&self) -> &str {
        &self.stderr
    }

    /// Both, one after the other.
    pub fn text(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }
}

/// A program that serves. Dropping it kills it.
pub struct Serving {
    running: Running,
    base: String,
}

impl Serving {
    /// The base address, without a slash at the end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A client without credentials.
    pub fn anonymous(&self) -> Client {
        Client::anonymous(&self.base)
    }

    /// What it has printed so far.
    pub fn printed(&self) -> Finished {
        self.running.printed()
    }

    /// Tells it to stop, as a service manager does, and does not wait.
    pub fn terminate(&self) {
        let id = self.running.child.id().to_string();
        let status = Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .expect("kill");
        assert!(status.success(), "the program is gone");
    }

    /// Waits until it has ended; fails when that takes longer than `limit`.
    pub fn wait(mut self, limit: Duration) -> Finished {
        self.running.wait(limit)
    }

    /// Tells it to stop and asserts that it does, well.
    pub fn stop(self) -> Finished {
        self.terminate();
        let finished = self.wait(PATIENCE);
        finished.success();
        finished
    }
}

struct Running {
    child: Child,
    streams: [Stream; 2],
}

impl Running {
    fn has_ended(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("the state of the child")
            .is_some()
    }

    fn printed(&self) -> Finished {
        let [stdout, stderr] = [&self.streams[0], &self.streams[1]].map(Stream::text);
        Finished {
            status: None,
            stdout,
            stderr,
        }
    }

    fn wait(&mut self, limit: Duration) -> Finished {
        let start = Instant::now();
        while !self.has_ended() {
            if start.elapsed() > limit {
                let _ = self.child.kill();
                let _ = self.child.wait();
                panic!("still there after {limit:?}: {:?}", self.printed());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let status = self.child.wait().expect("the state of the child");
        // What it printed last may still be on its way.
        for stream in &mut self.streams {
            stream.finish();
        }
        Finished {
            status: Some(status),
            ..self.printed()
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A stream of a child, read as it comes so that the child never waits for a reader.
struct Stream {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Stream {
    fn read(mut from: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&bytes);
        let reader = std::thread::spawn(move || {
            let mut piece = [0; 8192];
            while let Ok(length @ 1..) = from.read(&mut piece) {
                sink.lock()
                    .expect("the lock")
                    .extend_from_slice(&piece[..length]);
            }
        });
        Self {
            bytes,
            reader: Some(reader),
        }
    }

    fn finish(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader");
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().expect("the lock")).into_owned()
    }
}

/// The variable of the environment for a setting; the name of a variable stays.
fn variable(key: &str) -> String {
    match key.starts_with("TIDEGATE_") || key == "PATH" {
        true => key.to_owned(),
        false => format!("TIDEGATE__{}", key.to_uppercase().replace('.', "__")),
    }
}

/// The address in a line such as `listening on http://127.0.0.1:40213`.
fn address(line: &str) -> Option<String> {
    let of = |scheme: &str| {
        let (_, port) = line.split_once(scheme)?;
        let digits = port.find(|c: char| !c.is_ascii_digit());
        let port = &port[..digits.unwrap_or(port.len())];
        (!port.is_empty() && port != "0").then(|| format!("{scheme}{port}"))
    };
    ["https://127.0.0.1:", "http://127.0.0.1:"]
        .into_iter()
        .find_map(of)
}

/// The password in the text that shows one: the last word of the line that speaks of it.
pub fn password_in(text: &str) -> Option<&str> {
    let line = text.lines().find(|line| {
        let line = line.to_lowercase();
        line.contains("password") && !line.contains("://")
    })?;
    let word = line.split_whitespace().next_back()?;
    Some(word.trim_matches(['"', '\'', '`', ',', '.', ')']))
        .filter(|word| word.len() >= 8 && !word.eq_ignore_ascii_case("password"))
}

/// The program: `TIDEGATE_TEST_BIN`, or built now beside the tests.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("TIDEGATE_TEST_BIN") {
            return path.into();
        }
        // The tests are in target/debug/deps. Without a build here an old program would be tested.
        let tests = std::env::current_exe().expect("the path of the tests");
        let profile = tests
            .parent()
            .and_then(Path::parent)
            .expect("a folder of the profile");
        let target = profile.parent().expect("a folder of the target");
        let status = Command::new(env!("CARGO"))
            .args([
                "build",
                "--quiet",
                "--locked",
                "--package",
                "tidegate",
                "--bin",
                "tidegate",
                "--target-dir",
            ])
            .arg(target)
            .args([
                "--manifest-path",
                concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"),
            ])
            .status()
            .expect("cargo");
        assert!(status.success(), "the program cannot be built");
        profile.join("tidegate")
    })
}

/// Waits until the condition holds, for `limit` at most.
pub async fn eventually<F: Future<Output = bool>>(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> F,
) {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < limit, "{what}: not within {limit:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
