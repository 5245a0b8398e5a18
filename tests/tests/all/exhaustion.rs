//! All connections of the pool are on loan: whoever comes next is told so in bounded time, and is
//! served once one is back.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::app::{ADMIN_PASSWORD, sign_in};
use crate::support::client::{Client, Reply};
use crate::support::engines::TestEngine;
use crate::support::process::{Program, Serving, eventually};

/// An answer that takes longer is none.
const LIMIT: Duration = Duration::from_secs(30);

/// Connections of the pool.
const CONNECTIONS: usize = 2;

/// Rows, and bytes of each: far more than sockets hold between two programs.
const ROWS: usize = 4000;
const WIDTH: usize = 4000;

/// Rows of one request.
const BATCH: usize = 200;

/// Somebody who asks for all rows and then does not read them.
struct Slow(TcpStream);

impl Slow {
    /// Returns when the first bytes of the answer are there, by which its connection is on loan.
    async fn ask(serving: &Serving, token: &str, path: &str) -> Self {
        let address = serving.base().trim_start_matches("http://");
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a small buffer");
        let address = address.parse().expect("an address");
        let mut stream = socket.connect(address).await.expect("a connection");
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {token}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut first = [0; 12];
        let read = tokio::time::timeout(LIMIT, stream.read_exact(&mut first)).await;
        read.expect("an answer").expect("a first byte");
        assert_eq!(&first, b"HTTP/1.1 200");
        Self(stream)
    }

    /// Reads the rest of the answer.
    async fn finish(mut self) {
        let mut end = [0; 5];
        let mut piece = vec![0; 64 * 1024];
        let read = async {
            while end != *b"0\r\n\r\n" {
                let got = self.0.read(&mut piece).await.expect("a piece");
                assert!(got > 0, "the answer was cut");
                let mut last = [&end[..], &piece[..got]].concat();
                end.copy_from_slice(&last.split_off(last.len() - 5));
            }
        };
        tokio::time::timeout(LIMIT, read).await.expect("the end");
    }
}

/// The answer for one row.
async fn ask(client: &Client, path: &str) -> Reply {
    let path = format!("{path}?id=eq.1&select=id");
    let answer = tokio::time::timeout(LIMIT, client.get(&path)).await;
    answer.expect("an answer in bounded time")
}

fn assert_exhausted(reply: &Reply) {
    assert_eq!(reply.status.as_u16(), 503, "{}", reply.body);
    let seconds = reply.header("retry-after").parse::<u64>();
    assert!(seconds.is_ok_and(|it| it > 0), "{:?}", reply.headers);
    let content = reply.header("content-type");
    assert!(content.starts_with("application/"), "{content}");
    assert!(reply.value().is_object(), "{}", reply.body);
}

on_every_engine! {
    async fn a_pool_without_a_free_connection_means_503_in_bounded_time(engine: TestEngine) {
        let room = engine.create_database().await;
        let serving = Program::on(&room)
            .with("database.max_connections", &CONNECTIONS.to_string())
            .with("database.acquire_timeout_seconds", "1")
            .serve();
        let anonymous = serving.anonymous();
        let token = sign_in(&anonymous, "admin", ADMIN_PASSWORD).await;
        let admin = anonymous.bearer(&token);
        let name = room.gateway_name("quay");
        let path = &format!("/rest/{name}/t");
        admin.post("/databases", &json!({"name": name})).await.expect(201);
        let table = json!({
            "name": "t",
            "columns": [{"name": "id", "type": "BIGINT", "nullable": false}, {"name": "note", "type": "TEXT"}],
            "primary_key": ["id"],
        });
        admin.post(&format!("/databases/{name}/tables"), &table).await.expect(201);
        let note = "x".repeat(WIDTH);
        for first in (0..ROWS).step_by(BATCH) {
            let rows: Vec<_> = (first..first + BATCH).map(|id| json!({"id": id, "note": note})).collect();
            admin.post(path, &json!(rows)).await.expect(201);
        }
        ask(&admin, path).await.expect(200);

        let mut slow = Vec::new();
        for _ in 0..CONNECTIONS {
            slow.push(Slow::ask(&serving, &token, path).await);
        }
        for _ in 0..2 {
            assert_exhausted(&ask(&admin, path).await);
        }
        // What needs no connection is answered as ever.
        anonymous.get("/health/live").await.expect(200);
        admin.get("/auth/me").await.expect(200);

        // One is read to its end, the other goes away: each gives its connection back.
        let gone = slow.pop();
        slow.pop().expect("a stream").finish().await;
        eventually("an answer", LIMIT, || async { ask(&admin, path).await.status.as_u16() == 200 }).await;
        let again = Slow::ask(&serving, &token, path).await;
        drop(gone);
        eventually("an answer", LIMIT, || async { ask(&admin, path).await.status.as_u16() == 200 }).await;
        drop(again);
        serving.stop();
    }
}
