//! What a node says between being told to stop and stopping: it goes on answering, each
//! answer as the last of its connection, and is not ready any more.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::support::engines::TestEngine;
use crate::support::process::{Program, Serving, eventually};

const LIMIT: Duration = Duration::from_secs(30);

/// A connection that is kept between requests.
struct Kept(BufReader<TcpStream>);

impl Kept {
    fn open(serving: &Serving) -> Self {
        let address: SocketAddr = serving
            .base()
            .trim_start_matches("http://")
            .parse()
            .expect("an address");
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(LIMIT)).expect("a time limit");
        Self(BufReader::new(stream))
    }

    /// Status and headers of an answer, in lower case.
    fn ask(&mut self, path: &str) -> String {
        write!(self.0.get_mut(), "GET {path} HTTP/1.1\r\nHost: t\r\n\r\n").expect("sent");
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = self.0.read_line(&mut head).expect("an answer");
            assert!(read > 0, "the connection ended after: {head}");
        }
        let head = head.to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |it| it.parse().expect("a length"))];
        self.0.read_exact(&mut body).expect("a body");
        head
    }

    /// Whether the other side has closed it, without another word.
    fn ended(mut self) -> bool {
        self.0.fill_buf().is_ok_and(<[u8]>::is_empty)
    }
}

#[tokio::test]
async fn a_node_that_leaves_answers_until_its_time_is_over() {
    let room = TestEngine::Sqlite.create_database().await;
    let program = Program::on(&room).with("server.drain_seconds", "10");
    let serving = program.serve();
    let mut kept = Kept::open(&serving);
    let mut idle = Kept::open(&serving);
    for connection in [&mut kept, &mut idle] {
        let head = connection.ask("/health/ready");
        assert!(head.starts_with("http/1.1 200"), "{head}");
        assert!(!head.contains("connection: close"), "{head}");
    }

    serving.terminate();
    eventually("it is not ready", LIMIT, || async {
        let head = Kept::open(&serving).ask("/health/ready");
        head.starts_with("http/1.1 503") && head.contains("connection: close")
    })
    .await;
    // The connection that was there is answered, too, and that was its last time.
    let head = kept.ask("/health/live");
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(head.contains("connection: close"), "{head}");
    assert!(kept.ended());
    // So is a new one.
    let head = Kept::open(&serving).ask("/roles");
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(head.contains("connection: close"), "{head}");

    serving.wait(LIMIT).success();
    assert!(idle.ended());
}
