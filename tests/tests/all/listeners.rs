//! Where the server listens and whom it believes there: the Unix socket, many connections that say
//! nothing, and requests that are two at once.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tidegate::app::App;

use crate::support::app::{TestApp, test_settings};
use crate::support::engines::TestEngine;
use crate::support::process::{Program, eventually};

const PATIENCE: Duration = Duration::from_secs(30);

/// Sends one request on a connection, and reads the answer until the other end closes.
fn exchange(mut stream: impl std::io::Read + std::io::Write, request: &str) -> String {
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

fn by_socket(path: &Path, request: &str) -> String {
    let stream = UnixStream::connect(path).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    exchange(stream, request)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("its end")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unix_socket_is_for_a_proxy_on_this_machine() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("http.sock");
    let text = path.display().to_string();
    let settings = [
        ("server.unix_socket", text.as_str()),
        ("server.unix_socket_mode", "0600"),
    ];
    let app = TestApp::start_with(TestEngine::Sqlite, &settings).await;
    let mode = fs::metadata(&path).expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let head = "Host: inside\r\nConnection: close\r\nX-Forwarded-For: 198.51.100.7\r\n\
                X-Forwarded-Proto: https\r\nX-Forwarded-Host: api.example\r\n\r\n";
    let request = format!("GET / HTTP/1.1\r\n{head}");
    let socket = path.clone();
    let (by_unix, by_tcp) = {
        let address = app.base().trim_start_matches("http://").to_owned();
        blocking(move || {
            let tcp = TcpStream::connect(address).expect("a connection");
            (by_socket(&socket, &request), exchange(tcp, &request))
        })
        .await
    };
    // What the proxy says is believed there, and nowhere else.
    assert!(by_unix.contains("https://api.example/docs"), "{by_unix}");
    assert!(by_unix.contains("strict-transport-security"), "{by_unix}");
    assert!(by_tcp.contains("http://inside/docs"), "{by_tcp}");
    assert!(!by_tcp.contains("strict-transport-security"), "{by_tcp}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_behind_the_socket_are_counted_one_by_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("http.sock");
    let text = path.display().to_string();
    let settings = [
        ("server.unix_socket", text.as_str()),
        ("limits.enabled", "true"),
        ("limits.general_per_minute", "3"),
    ];
    let _app = TestApp::start_with(TestEngine::Sqlite, &settings).await;
    let statuses = blocking(move || {
        let ask = |client: &str| {
            let request = format!("GET /roles HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Forwarded-For: {client}\r\n\r\n");
            by_socket(&path, &request)[9..12].to_owned()
        };
        let one: Vec<String> = (0..4).map(|_| ask("198.51.100.7")).collect();
        (one, ask("198.51.100.8"))
    })
    .await;
    assert_eq!(statuses.0, ["200", "200", "200", "429"]);
    assert_eq!(statuses.1, "200");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_socket_may_be_the_only_place_and_goes_with_the_server() {
    let database = TestEngine::Sqlite.create_database().await;
    let path = database.data_dir().join("http.sock");
    // What a process left that was killed.
    drop(UnixListener::bind(&path).expect("a socket"));
    let text = path.display().to_string();
    let settings = [
        ("server.address", "off"),
        ("server.unix_socket", text.as_str()),
    ];
    let settings = test_settings(&database, &settings);
    let running = App::default()
        .start(settings.clone())
        .await
        .expect("a start");
    assert_eq!(running.address(), None);
    assert_eq!(running.places(), [format!("unix:{text}")]);
    let second = App::default()
        .start(settings)
        .await
        .map(drop)
        .expect_err("two of them");
    assert!(
        format!("{second:#}").contains("another process listens there"),
        "{second:#}"
    );
    let socket = path.clone();
    let request = "GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = blocking(move || by_socket(&socket, request)).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    running.shutdown();
    running.wait().await.expect("a good end");
    assert!(!path.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_leaves_takes_its_socket_away_first() {
    let database = TestEngine::Sqlite.create_database().await;
    let path = database.data_dir().join("http.sock");
    let text = path.display().to_string();
    let settings = [("server.unix_socket", text.as_str())];
    let settings = test_settings(&database, &settings);
    let running = App::default().start(settings).await.expect("a start");
    // A request whose second half comes when nobody can connect any more.
    let mut stream = UnixStream::connect(&path).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let body = "username=admin&password=wrong";
    let head = format!(
        "POST /auth/token HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\nuser",
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("half a request");
    // It is under way when another connection, later, was answered.
    let socket = path.clone();
    let live = "GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    blocking(move || by_socket(&socket, live)).await;
    running.shutdown();
    eventually("the socket is gone", PATIENCE, || async { !path.exists() }).await;
    let answer = blocking(move || exchange(stream, &body["user".len()..])).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    running.wait().await.expect("a good end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_health_check_asks_by_the_socket_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = Program::at(folder.path(), None).with("server.unix_socket", "http.sock");
    let serving = program.serve();
    let socket: PathBuf = folder.path().join("http.sock");
    assert!(serving.printed().stdout().contains("unix:http.sock") && socket.exists());
    let alone = program.clone().with("server.address", "off");
    eventually("readiness", PATIENCE, || {
        let alone = alone.clone();
        async move { blocking(move || alone.run(&["healthcheck"]).code() == Some(0)).await }
    })
    .await;
    serving.stop();
    assert!(!socket.exists());
    let text = alone.run(&["healthcheck"]).failure();
    assert!(text.contains("nobody answers on http.sock"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_silent_connections_keep_nobody_out() {
    let folder = tempfile::tempdir().expect("a folder");
    // As a system may have it that expects little; the program asks for more.
    let serving = Program::at(folder.path(), None)
        .with("server.request_header_timeout_seconds", "60")
        .with_open_files(300)
        .serve();
    let address = serving.base().trim_start_matches("http://").to_owned();
    // Half of them say nothing, half of them half a request.
    let silent = blocking(move || {
        let connect = |number: usize| {
            let mut stream = TcpStream::connect(&address).expect("a connection");
            if number.is_multiple_of(2) {
                let half = b"GET /health/live HTTP/1.1\r\nHost: a\r\nX-Slow: ";
                stream.write_all(half).expect("half a request");
            }
            stream
        };
        (0..1000).map(connect).collect::<Vec<_>>()
    })
    .await;
    for _ in 0..10 {
        for path in ["/health/live", "/health/ready", "/roles"] {
            serving.anonymous().get(path).await.expect(200);
        }
    }
    drop(silent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_whose_length_is_said_twice_is_refused() {
    let app = TestApp::start(TestEngine::Sqlite).await;
    for lengths in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Content-Length: +4\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
    ] {
        let address = app.base().trim_start_matches("http://").to_owned();
        // Where the first length is believed, a second request follows.
        let request = format!(
            "POST /roles HTTP/1.1\r\nHost: a\r\n{lengths}\r\n0\r\n\r\nGET /versions HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        );
        let answer = blocking(move || {
            let stream = TcpStream::connect(address).expect("a connection");
            stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
            exchange(stream, &request)
        })
        .await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{lengths}: {answer}");
        assert_eq!(
            answer.matches("HTTP/1.1 ").count(),
            1,
            "{lengths}: {answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_end_when_their_time_is_over() {
    let settings = [("server.keep_alive_seconds", "1")];
    let app = TestApp::start_with(TestEngine::Sqlite, &settings).await;
    let address = app.base().trim_start_matches("http://").to_owned();
    let answer = blocking(move || {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        // It ends when the server closes, which the client did not ask for.
        exchange(stream, "GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")
    })
    .await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
