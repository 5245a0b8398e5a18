//! TLS: protocols, keys with a passphrase, certificates that change while it runs, what is told
//! when something is wrong, and the way from plain HTTP.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Certificate, StatusCode, Version};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::support::certificates::{Authority, Pair};
use crate::support::process::{Program, Serving, eventually};

const PATIENCE: Duration = Duration::from_secs(30);

/// A place for the program, with an authority.
struct Room {
    authority: Authority,
    folder: tempfile::TempDir,
}

impl Room {
    fn new() -> Self {
        Self {
            authority: Authority::new("an authority of this test"),
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, pair: &Pair) {
        fs::write(self.path("server.pem"), &pair.chain).expect("a file");
        fs::write(self.path("server.key"), &pair.key).expect("a file");
    }

    /// The program with the files that are there, whether or not they are any good.
    fn program(&self) -> Program {
        Program::at(self.folder.path(), None)
            .with("server.tls.certificate", "server.pem")
            .with("server.tls.key", "server.key")
    }

    /// A client that trusts the authority of this room.
    fn client(&self) -> reqwest::Client {
        let authority = Certificate::from_pem(self.authority.pem().as_bytes()).expect("PEM");
        reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .tls_certs_only([authority])
            .build()
            .expect("a client")
    }

    /// A connection of TLS alone, and what the server showed of itself.
    fn connect(
        &self,
        address: SocketAddr,
        versions: &[&'static rustls::SupportedProtocolVersion],
        protocols: &[&[u8]],
    ) -> StreamOwned<ClientConnection, TcpStream> {
        let mut roots = RootCertStore::empty();
        roots
            .add(self.authority.der().clone())
            .expect("an authority");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        let name = ServerName::try_from("localhost").expect("a name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
        let socket = TcpStream::connect(address).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let mut stream = StreamOwned::new(connection, socket);
        stream
            .conn
            .complete_io(&mut stream.sock)
            .expect("a handshake");
        stream
    }
}

fn address(serving: &Serving) -> SocketAddr {
    let base = serving.base().strip_prefix("https://").expect("https");
    base.parse().expect("an address")
}

fn shown(stream: &StreamOwned<ClientConnection, TcpStream>) -> CertificateDer<'static> {
    let chain = stream.conn.peer_certificates().expect("certificates");
    chain[0].clone().into_owned()
}

/// A request on an open connection; the status line of its answer.
fn ask(stream: &mut StreamOwned<ClientConnection, TcpStream>) -> String {
    stream
        .write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .expect("a request");
    let mut text = Vec::new();
    let mut piece = [0; 4096];
    while !String::from_utf8_lossy(&text).contains("\r\n\r\n") {
        let length = stream.read(&mut piece).expect("an answer");
        assert!(length > 0, "the connection was closed");
        text.extend_from_slice(&piece[..length]);
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    text.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_protocols_and_both_versions_are_spoken() {
    let room = Room::new();
    room.write(&room.authority.issue(&["localhost", "127.0.0.1"]));
    let serving = room.program().serve();
    assert!(
        serving
            .printed()
            .stdout()
            .contains("listens on https://127.0.0.1:")
    );
    let base = serving.base().to_owned();
    let answer = room
        .client()
        .get(format!("{base}/"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.version(), Version::HTTP_2);
    assert_eq!(
        answer.headers()["strict-transport-security"],
        "max-age=31536000"
    );
    let welcome: serde_json::Value = answer.json().await.expect("JSON");
    assert_eq!(welcome["docs"], format!("{base}/docs"), "links say https");

    // A body and many requests on one connection of HTTP/2.
    let body =
        serde_json::json!({"username": "admin", "password": crate::support::app::ADMIN_PASSWORD});
    let client = room.client();
    let sign_in = || client.post(format!("{base}/auth/token")).json(&body).send();
    for answer in futures_util::future::join_all((0..10).map(|_| sign_in())).await {
        let answer = answer.expect("an answer");
        assert_eq!(
            (answer.status(), answer.version()),
            (StatusCode::OK, Version::HTTP_2)
        );
    }

    for (versions, protocols, expected) in [
        (
            &[&rustls::version::TLS12],
            &[&b"http/1.1"[..]][..],
            Some(&b"http/1.1"[..]),
        ),
        (
            &[&rustls::version::TLS13],
            &[b"h2", b"http/1.1"],
            Some(b"h2"),
        ),
        (&[&rustls::version::TLS12], &[], None),
    ] {
        let stream = room.connect(address(&serving), versions, protocols);
        assert_eq!(stream.conn.alpn_protocol(), expected);
        assert_eq!(stream.conn.protocol_version(), Some(versions[0].version));
    }
    let mut plain = room.connect(address(&serving), &[&rustls::version::TLS12], &[]);
    assert!(ask(&mut plain).ends_with("200 OK"));

    let there = base.trim_start_matches("https://");
    let asked = room
        .program()
        .run(&["healthcheck", "--https", "--address", there]);
    asked.success();
    // The client keeps its connection, for which nobody waits.
    serving.terminate();
    serving.wait(Duration::from_secs(20)).success();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_http_on_the_port_of_tls_hurts_nobody() {
    let room = Room::new();
    room.write(&room.authority.issue(&["localhost", "127.0.0.1"]));
    let serving = room
        .program()
        .with("server.request_header_timeout_seconds", "2")
        .serve();
    let address = address(&serving);
    // More than there are workers; some say nothing at all.
    let mut silent: Vec<TcpStream> = (0..300)
        .map(|_| TcpStream::connect(address).expect("a socket"))
        .collect();
    let mut plain = TcpStream::connect(address).expect("a socket");
    plain.set_read_timeout(Some(PATIENCE)).expect("a limit");
    plain
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .expect("a request");
    let mut answer = Vec::new();
    // It ends with an alert of TLS, or without a word.
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/"), "{answer:?}");
    let client = room.client();
    let url = format!("{}/health/live", serving.base());
    assert_eq!(
        client.get(&url).send().await.expect("an answer").status(),
        200
    );
    // Whoever says nothing is sent away.
    let first = silent.remove(0);
    first.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let closed = tokio::task::spawn_blocking(move || (&first).read(&mut [0; 16]));
    assert!(matches!(closed.await.expect("a read"), Ok(0) | Err(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_certificate_is_served_and_a_bad_one_is_not() {
    let room = Room::new();
    let first = room.authority.issue(&["localhost", "127.0.0.1"]);
    room.write(&first);
    let serving = room.program().serve();
    let address = address(&serving);
    let versions: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];
    let mut old = room.connect(address, versions, &[]);
    assert_eq!(shown(&old), first.der);

    let second = room.authority.issue(&["localhost", "127.0.0.1"]);
    room.write(&second);
    let served = || async { shown(&room.connect(address, versions, &[])) == second.der };
    eventually("the new certificate", PATIENCE, served).await;
    assert!(
        ask(&mut old).ends_with("200 OK"),
        "the old connection goes on"
    );

    // A key of another certificate, then something that is none.
    let third = room.authority.issue(&["localhost", "127.0.0.1"]);
    fs::write(room.path("server.key"), &third.key).expect("a file");
    let told = |text: &'static str| {
        let serving = &serving;
        move || async move { serving.printed().stderr().contains(text) }
    };
    eventually(
        "a warning",
        PATIENCE,
        told("the key is not that of the first certificate"),
    )
    .await;
    fs::write(room.path("server.pem"), "no certificate").expect("a file");
    eventually("a warning", PATIENCE, told("holds no certificate")).await;
    assert_eq!(shown(&room.connect(address, versions, &[])), second.der);

    fs::write(room.path("server.pem"), &third.chain).expect("a file");
    let served = || async { shown(&room.connect(address, versions, &[])) == third.der };
    eventually("the certificate that fits", PATIENCE, served).await;
    assert!(
        ask(&mut old).ends_with("200 OK"),
        "the old connection goes on"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_encrypted_key_is_opened_by_its_passphrase_alone() {
    let room = Room::new();
    let pair = room.authority.issue(&["localhost", "127.0.0.1"]);
    room.write(&pair);
    fs::write(room.path("server.key"), pair.encrypted_key("a passphrase")).expect("a file");
    fs::write(room.path("passphrase"), "a passphrase\n").expect("a file");

    let serving = room
        .program()
        .with("server.tls.key_passphrase_file", "passphrase")
        .serve();
    let url = format!("{}/health/live", serving.base());
    assert_eq!(
        room.client()
            .get(&url)
            .send()
            .await
            .expect("an answer")
            .status(),
        200
    );
    serving.stop();

    let without = room.program().run(&["serve"]).failure();
    assert!(without.contains("server.tls.key_passphrase"), "{without}");
    let wrong = room
        .program()
        .with("server.tls.key_passphrase", "Another One")
        .run(&["serve"])
        .failure();
    assert!(wrong.contains("does not open the key"), "{wrong}");
    assert!(!wrong.contains("Another One"), "{wrong}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_the_files_is_told_at_the_start() {
    let room = Room::new();
    let (one, other) = (
        room.authority.issue(&["localhost"]),
        room.authority.issue(&["localhost"]),
    );
    let old =
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n-----END RSA PRIVATE KEY-----\n";
    for (chain, key, expected) in [
        (
            one.chain.as_str(),
            other.key.as_str(),
            "not that of the first certificate",
        ),
        ("", &one.key, "holds no certificate"),
        (&one.chain, &one.chain, "holds no private key"),
        (&one.chain, old, "openssl pkcs8 -topk8"),
    ] {
        fs::write(room.path("server.pem"), chain).expect("a file");
        fs::write(room.path("server.key"), key).expect("a file");
        let text = room.program().run(&["serve"]).failure();
        assert!(text.contains(expected), "{expected}: {text}");
        assert!(!text.contains("BEGIN CERTIFICATE-----\n"), "{text}");
    }
    fs::remove_file(room.path("server.pem")).expect("a file");
    let text = room.program().run(&["serve"]).failure();
    assert!(
        text.contains("server.tls.certificate") && text.contains("server.pem"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_http_is_sent_to_https() {
    let room = Room::new();
    room.write(&room.authority.issue(&["localhost", "127.0.0.1"]));
    // Free now; should another process take it, the start fails and says so.
    let free = TcpListener::bind("127.0.0.1:0")
        .and_then(|it| it.local_addr())
        .expect("a port");
    let serving = room
        .program()
        .with("server.tls.redirect_address", &free.to_string())
        .serve();
    let port = address(&serving).port();
    let client = room.client();
    for method in [reqwest::Method::GET, reqwest::Method::POST] {
        let asked = client.request(method, format!("http://{free}/items/7?x=%20y"));
        let answer = asked.send().await.expect("an answer");
        assert_eq!(answer.status(), 308);
        assert_eq!(
            answer.headers()["location"],
            format!("https://127.0.0.1:{port}/items/7?x=%20y")
        );
    }
    let evil = client
        .get(format!("http://{free}/"))
        .header("host", "a.example/b");
    assert_eq!(evil.send().await.expect("an answer").status(), 400);
    serving.stop();
}
