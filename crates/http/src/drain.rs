//! Leaving without a failed request: what a server does between being told to stop and
//! stopping.
//!
//! A proxy keeps connections for its next requests. One that it sends on a connection at the
//! moment in which the server closes it is lost, and a proxy must not repeat a `POST`. So for
//! a while the server goes on answering and says with every answer that it is the
//! connection's last; a proxy that keeps idle connections for a shorter time has none left
//! afterwards. Only then does it stop to listen, and not in the midst of a new connection.

use std::io;
use std::net::TcpListener;
#[cfg(target_os = "linux")]
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long the connections that are there already are given to be accepted.
const SETTLE: Duration = Duration::from_millis(100);

/// Whether a server is about to leave; its clones say the same.
#[derive(Debug, Clone, Default)]
pub struct Leaving(Arc<AtomicBool>);

impl Leaving {
    /// Whether it is.
    pub fn begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Goes on for `patience` with `leaving` set, then lets no new connections come to
/// `listeners` until those that are there have been accepted. No patience: returns at once.
pub async fn drain(leaving: &Leaving, patience: Duration, listeners: &[TcpListener]) {
    if patience.is_zero() {
        return;
    }
    leaving.begin();
    tokio::time::sleep(patience).await;
    for listener in listeners {
        if let Err(error) = refuse_new(listener) {
            tracing::warn!(%error, "cannot refuse new connections before the listener closes");
        }
    }
    tokio::time::sleep(SETTLE).await;
}

/// Refuses new connections from now on, which a proxy answers by asking another node, and
/// keeps those that are there: the listener is bound to a network interface that does not
/// exist. Closing it instead would cut off who has connected and was not accepted yet, whose
/// request may have been sent.
#[cfg(target_os = "linux")]
fn refuse_new(listener: &TcpListener) -> io::Result<()> {
    // The same option for IPv6.
    socket2::SockRef::from(listener).bind_device_by_index_v4(Some(NOWHERE))
}

/// The number of no interface, the greatest there may be: they are counted from 1.
#[cfg(target_os = "linux")]
const NOWHERE: NonZeroU32 = NonZeroU32::MIN.saturating_add(i32::MAX.unsigned_abs() - 1);

/// Nothing to be done elsewhere: who connects at the last moment may be cut off.
#[cfg(not(target_os = "linux"))]
fn refuse_new(_: &TcpListener) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn without_patience_nothing_is_said() {
        let leaving = Leaving::default();
        drain(&leaving, Duration::ZERO, &[]).await;
        assert!(!leaving.begun());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn new_connections_are_refused_and_those_that_are_there_go_on() {
        for local in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(local) else {
                assert!(local.contains("::"), "no IPv4");
                continue;
            };
            let address = listener.local_addr().unwrap();
            let mut early = TcpStream::connect(address).unwrap();

            let leaving = Leaving::default();
            let clones = [listener.try_clone().unwrap()];
            drain(&leaving, Duration::from_millis(1), &clones).await;
            assert!(leaving.begun());
            let late = TcpStream::connect(address).unwrap_err();
            assert_eq!(late.kind(), io::ErrorKind::ConnectionRefused);

            early.write_all(b"still here").unwrap();
            let (mut accepted, _) = listener.accept().unwrap();
            let mut text = [0; 10];
            accepted.read_exact(&mut text).unwrap();
            assert_eq!(&text, b"still here");
        }
    }
}
