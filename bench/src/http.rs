//! An HTTP/1.1 client that costs next to nothing: requests are bytes made beforehand, and bodies
//! are passed over where nobody asks for them.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Room for what one read may bring.
const PIECE: usize = 64 * 1024;

/// A connection that is kept.
pub(crate) struct Connection {
    stream: TcpStream,
    /// What was read; what lies before `at` was understood.
    buffer: Vec<u8>,
    at: usize,
}

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// How the end of a body is told.
enum Framing {
    Length(usize),
    Chunks,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::new(),
            at: 0,
        })
    }

    pub(crate) async fn send(&mut self, request: &[u8]) -> anyhow::Result<()> {
        Ok(self.stream.write_all(request).await?)
    }

    /// Reads the answer to what was sent.
    pub(crate) async fn answer(&mut self) -> anyhow::Result<Answer> {
        let mut body = Vec::new();
        let (status, _) = self.read_answer(Some(&mut body)).await?;
        Ok(Answer { status, body })
    }

    /// Reads the answer to what was sent, and gives its status and the length of its body alone.
    pub(crate) async fn skim(&mut self) -> anyhow::Result<(u16, usize)> {
        self.read_answer(None).await
    }

    async fn read_answer(
        &mut self,
        mut keep: Option<&mut Vec<u8>>,
    ) -> anyhow::Result<(u16, usize)> {
        let length = loop {
            if let Some(at) = self.rest().windows(4).position(|end| end == b"\r\n\r\n") {
                break at + 4;
            }
            self.fill().await?;
        };
        let (status, framing) = head(self.rest().get(..length).unwrap_or_default())?;
        self.at += length;
        let mut sum = 0;
        match framing {
            Framing::Length(length) => {
                self.take(length, keep).await?;
                sum = length;
            }
            Framing::Chunks => loop {
                let length = self.chunk_length().await?;
                self.take(length, keep.as_deref_mut()).await?;
                self.take(2, None).await?;
                sum += length;
                if length == 0 {
                    break;
                }
            },
        }
        Ok((status, sum))
    }

    /// Takes so many bytes.
    async fn take(
        &mut self,
        mut left: usize,
        mut keep: Option<&mut Vec<u8>>,
    ) -> anyhow::Result<()> {
        while left > 0 {
            if self.rest().is_empty() {
                self.fill().await?;
            }
            let piece = self.rest();
            let piece = piece.get(..left).unwrap_or(piece);
            if let Some(keep) = keep.as_deref_mut() {
                keep.extend_from_slice(piece);
            }
            let taken = piece.len();
            self.at += taken;
            left -= taken;
        }
        Ok(())
    }

    /// Takes the line before a chunk.
    async fn chunk_length(&mut self) -> anyhow::Result<usize> {
        loop {
            if let Some(end) = self.rest().windows(2).position(|end| end == b"\r\n") {
                let line = std::str::from_utf8(self.rest().get(..end).unwrap_or_default())?;
                let length = usize::from_str_radix(line.trim(), 16)?;
                self.at += end + 2;
                return Ok(length);
            }
            self.fill().await?;
        }
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.at..).unwrap_or_default()
    }

    /// Gives the memory back of a connection that is to be idle.
    pub(crate) fn forget_buffer(&mut self) {
        self.buffer = Vec::new();
        self.at = 0;
    }

    async fn fill(&mut self) -> anyhow::Result<()> {
        self.buffer.drain(..self.at);
        self.at = 0;
        self.buffer.reserve(PIECE);
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
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        Ok(serde_json::from_slice(&answer.body)?)
    }
}

/// The status of an answer, and how its body ends.
fn head(head: &[u8]) -> anyhow::Result<(u16, Framing)> {
    let mut lines = head.split(|byte| *byte == b'\n');
    let first = std::str::from_utf8(lines.next().unwrap_or_default())?;
    let status = first.split(' ').nth(1).context("no status")?.parse()?;
    let mut framing = Framing::Length(0);
    for line in lines {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = line.split_at(colon);
        if name.eq_ignore_ascii_case(b"content-length") {
            let value = std::str::from_utf8(value)?.trim_start_matches(':').trim();
            framing = Framing::Length(value.parse()?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            framing = Framing::Chunks;
        }
    }
    Ok((status, framing))
}

/// The bytes of a request; `headers` are whole lines.
pub(crate) fn request(method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_request(&mut bytes, method, path, headers, body);
    bytes
}

/// The same into bytes that are there.
pub(crate) fn write_request(
    out: &mut Vec<u8>,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) {
    for part in [
        method,
        " ",
        path,
        " HTTP/1.1\r\nHost: bench\r\n",
        headers,
        "Content-Length: ",
        &body.len().to_string(),
        "\r\n\r\n",
    ] {
        out.extend_from_slice(part.as_bytes());
    }
    out.extend_from_slice(body);
}
