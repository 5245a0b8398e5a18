//! An HTTP/1.1 client that costs next to nothing: requests are bytes made beforehand.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection that is kept.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::new(),
        })
    }

    pub(crate) async fn send(&mut self, request: &[u8]) -> anyhow::Result<()> {
        Ok(self.stream.write_all(request).await?)
    }

    /// Reads the answer to what was sent.
    pub(crate) async fn answer(&mut self) -> anyhow::Result<Answer> {
        self.buffer.clear();
        let body_at = loop {
            if let Some(at) = self.buffer.windows(4).position(|end| end == b"\r\n\r\n") {
                break at + 4;
            }
            self.read().await?;
        };
        let head = std::str::from_utf8(&self.buffer[..body_at])?.to_ascii_lowercase();
        let status = head.split(' ').nth(1).context("no status")?.parse()?;
        let header = |name: &str| {
            let line = head.lines().find_map(|line| line.strip_prefix(name));
            line.map(|value| value.trim_start_matches(':').trim())
        };
        if header("transfer-encoding") == Some("chunked") {
            while !self.buffer.ends_with(b"\r\n0\r\n\r\n") {
                self.read().await?;
            }
        } else {
            let length: usize = header("content-length").unwrap_or("0").parse()?;
            while self.buffer.len() < body_at + length {
                self.read().await?;
            }
        }
        let body = self.buffer[body_at..].to_vec();
        Ok(Answer { status, body })
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => bail!("the server closed the connection"),
            _ => Ok(()),
        }
    }

    /// Sends JSON and gives the JSON of a good answer.
    pub(crate) async fn call(
        &mut self,
        path: &str,
        authorization: &str,
        body: &Value,
    ) -> anyhow::Result<Value> {
        let headers =
            format!("Authorization: {authorization}\r\nContent-Type: application/json\r\n");
        let body = body.to_string();
        self.send(&request("POST", path, &headers, body.as_bytes()))
            .await?;
        let answer = self.answer().await?;
        if !(200..300).contains(&answer.status) {
            bail!(
                "{path}: {} {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            );
        }
        Ok(serde_json::from_slice(&answer.body)?)
    }
}

/// The bytes of a request; `headers` are whole lines.
pub(crate) fn request(method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: bench\r\n{headers}Content-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}
