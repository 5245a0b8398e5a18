//! The server on a socket: what only shows on the wire.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use futures_util::FutureExt as _;
use tokio::sync::oneshot;

use crate::app::{HttpOptions, Layer, run};
use crate::extract::Json;
use crate::route::{Access, RouteSpec};
use crate::testing::services;

async fn slow() -> &'static str {
    tokio::time::sleep(Duration::from_millis(400)).await;
    "done"
}

async fn panics() -> HttpResponse {
    panic!("in the handler")
}

async fn echo(Json(value): Json<serde_json::Value>) -> HttpResponse {
    HttpResponse::Ok().json(value)
}

struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start() -> Self {
        Self::with_patience(Duration::from_secs(60))
    }

    /// One that waits so long for a head, and for the next piece of a body.
    fn with_patience(patience: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let options = HttpOptions {
                    workers: Some(1),
                    request_header_timeout: patience,
                    body_idle_timeout: patience,
                    max_body_bytes: 1000,
                    limits_enabled: false,
                    ..HttpOptions::default()
                };
                let public = |route: crate::route::RouteBuilder| route.access(Access::Public);
                let routes = vec![
                    public(RouteSpec::get("/slow", "slow", "")).to(slow),
                    public(RouteSpec::get("/panics", "panics", "")).to(panics),
                    public(RouteSpec::post("/echo", "echo", "")).to(echo),
                ];
                let layer = Layer::with(options, services(true).await, routes.into()).unwrap();
                run(listener, layer, stopped.map(drop))
                    .unwrap()
                    .await
                    .unwrap();
            });
        });
        Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        stream
    }

    /// Sends a text and reads until the server closes.
    fn exchange(&self, text: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(text.as_bytes()).unwrap();
        read_all(&mut stream)
    }

    fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        if !std::thread::panicking() {
            self.join();
        }
    }
}

fn read_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A server that closes with unread input resets the connection after its answer.
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
}

#[test]
fn a_slow_head_or_body_is_408() {
    let server = Server::with_patience(Duration::from_secs(2));
    let answer = server.exchange("GET /slow HTTP/1.1\r\nHost: a\r\nX-Never");
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    let answer = server.exchange(
        "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 9\r\n\r\n{\"a\"",
    );
    assert!(
        answer.starts_with("HTTP/1.1 408") && answer.contains("request_timeout"),
        "{answer}"
    );
}

#[test]
fn a_body_over_the_limit_is_413_with_and_without_a_length() {
    let server = Server::start();
    let body = "x".repeat(2_000_000);
    let sized = format!(
        "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let chunked = format!(
        "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    for request in [sized, chunked] {
        let mut stream = server.connect();
        // The server need not read to the end.
        let _ = stream.write_all(request.as_bytes());
        let answer = read_all(&mut stream);
        assert!(
            answer.starts_with("HTTP/1.1 413") && answer.contains("payload_too_large"),
            "{answer}"
        );
    }
}

#[test]
fn a_panic_leaves_the_connection_and_the_worker_alive() {
    let server = Server::start();
    let both = format!("GET /panics HTTP/1.1\r\nHost: a\r\n\r\n{}", get("/slow"));
    let answer = server.exchange(&both);
    assert!(
        answer.starts_with("HTTP/1.1 500")
            && answer.contains("HTTP/1.1 200")
            && answer.ends_with("done"),
        "{answer}"
    );
}

#[test]
fn no_answer_names_the_server() {
    let answer = Server::start().exchange(&get("/slow")).to_lowercase();
    assert!(!answer.contains("\r\nserver:"), "{answer}");
}

#[test]
fn a_head_answer_has_no_body() {
    let answer =
        Server::start().exchange("HEAD /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(
        answer.contains("content-length: 4") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );
}

#[test]
fn both_length_and_chunks_are_refused() {
    let answer = Server::start().exchange(
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[test]
fn requests_under_way_are_answered_before_the_server_stops() {
    let mut server = Server::start();
    let mut idle = server.connect();
    idle.write_all(b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    let mut streams: Vec<_> = (0..20).map(|_| server.connect()).collect();
    for stream in &mut streams {
        stream
            .write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
    }
    std::thread::sleep(Duration::from_millis(150));
    let asked = Instant::now();
    server.stop();
    for mut stream in streams {
        let answer = read_all(&mut stream);
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"),
            "{answer}"
        );
    }
    assert!(read_all(&mut idle).starts_with("HTTP/1.1 404"));
    server.join();
    assert!(
        asked.elapsed() < HttpOptions::default().shutdown_timeout,
        "idle connections do not hold it up"
    );
}
