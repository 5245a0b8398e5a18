//! `tidegate healthcheck`: asks a running server whether it is ready.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use crate::config::ServerSettings;

/// How long it waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a server is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A TCP socket, with TLS or without.
    Tcp {
        /// Its address.
        address: SocketAddr,
        /// Whether it has TLS.
        https: bool,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

impl Place {
    /// Where the settings say that the server listens.
    pub(crate) fn of(settings: &ServerSettings) -> Option<Self> {
        let tcp = settings.address.map(|address| Self::Tcp {
            address,
            https: settings.tls.is_some(),
        });
        tcp.or_else(|| settings.unix_socket.clone().map(Self::Unix))
    }
}

/// Asks.
///
/// # Errors
/// A server that is not there or not ready.
pub(crate) async fn ask(place: Place) -> anyhow::Result<()> {
    let (name, ready) = match place {
        Place::Unix(path) => {
            let name = path.display().to_string();
            let ask = async { plain(UnixStream::connect(path).await?).await };
            (name, within(ask).await)
        }
        Place::Tcp { address, https } => {
            // A server that listens on every address is asked on this machine's own.
            let ip = match address.ip() {
                ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
                ip => ip,
            };
            let ready = if https {
                within(encrypted(SocketAddr::new(ip, address.port()))).await
            } else {
                let ask = async { plain(TcpStream::connect((ip, address.port())).await?).await };
                within(ask).await
            };
            (address.to_string(), ready)
        }
    };
    let ready = ready
        .context("no answer in time")?
        .with_context(|| format!("nobody answers on {name}"))?;
    ensure!(ready, "not ready");
    Ok(())
}

async fn within<T>(
    ask: impl Future<Output = anyhow::Result<T>>,
) -> Result<anyhow::Result<T>, tokio::time::error::Elapsed> {
    tokio::time::timeout(PATIENCE, ask).await
}

async fn plain(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> anyhow::Result<bool> {
    stream
        .write_all(b"GET /health/ready HTTP/1.0\r\nHost: localhost\r\n\r\n")
        .await?;
    let mut head = [0_u8; 12];
    stream.read_exact(&mut head).await?;
    Ok(head.ends_with(b" 200"))
}

/// The certificate names the server as others call it, not as it is called here: who answers on
/// this machine's own address is not the question.
async fn encrypted(address: SocketAddr) -> anyhow::Result<bool> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_danger_accept_invalid_certs(true)
        .build()?;
    let url = format!("https://{address}/health/ready");
    Ok(client.get(url).send().await?.status() == reqwest::StatusCode::OK)
}
