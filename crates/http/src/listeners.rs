//! Where requests come in: a TCP socket, with TLS or without, and a Unix socket.

use std::any::Any;
use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use actix_web::dev::Extensions;
use actix_web::rt::net::UnixStream;
use rustls::ServerConfig;

/// The sockets of a server, open; at least one.
#[derive(Debug, Default)]
pub struct Listeners {
    /// Speaks HTTP, or HTTPS where `tls` is there.
    pub tcp: Option<TcpListener>,
    /// Certificates and protocols of the TCP socket.
    pub tls: Option<ServerConfig>,
    /// Speaks HTTP with a proxy on this machine.
    pub unix: Option<UnixListener>,
}

impl From<TcpListener> for Listeners {
    fn from(tcp: TcpListener) -> Self {
        Self {
            tcp: Some(tcp),
            ..Self::default()
        }
    }
}

impl Listeners {
    /// Whether there is any.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn check(&self) -> io::Result<()> {
        if self.tcp.is_none() && self.unix.is_none() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "there is no socket to listen on",
            ));
        }
        Ok(())
    }
}

/// Marks the connections of the Unix socket. A TCP connection whose address is not known, since
/// it is gone already, is not one of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnixPeer;

/// Looks at each connection before its first request.
pub(crate) fn connected(connection: &dyn Any, extensions: &mut Extensions) {
    if connection.is::<UnixStream>() {
        extensions.insert(UnixPeer);
    }
}
