//! The sockets that the settings name, opened.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use tidegate_http::listeners::Listeners;
use tokio::net::TcpSocket;

use crate::config::ServerSettings;
use crate::tls::Identity;

/// What is listened on.
pub(crate) struct Sockets {
    /// For requests.
    pub(crate) listeners: Listeners,
    /// Where the TCP socket is.
    pub(crate) address: Option<SocketAddr>,
    /// The certificate, to be followed.
    pub(crate) identity: Option<Arc<Identity>>,
    /// For those who still speak plain HTTP.
    pub(crate) redirect: Option<TcpListener>,
    /// The file of the Unix socket, which goes with this.
    pub(crate) file: Option<SocketFile>,
    /// All of them, for people.
    pub(crate) places: Vec<String>,
}

impl Sockets {
    /// The TCP sockets once more.
    ///
    /// # Errors
    /// When the process may not open more.
    pub(crate) fn tcp_clones(&self) -> std::io::Result<Vec<TcpListener>> {
        let tcp = self.listeners.tcp.iter().chain(&self.redirect);
        tcp.map(TcpListener::try_clone).collect()
    }
}

/// Lets the process open as many files as the system allows it at most. A connection is an open
/// file, and what a process may open without asking (1,024 on many systems) is soon used up.
pub(crate) fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "cannot raise the number of files that may be open");
    }
}

/// Opens them all.
///
/// # Errors
/// An address in use, a path that holds something else.
pub(crate) fn open(
    settings: &ServerSettings,
    identity: Option<Arc<Identity>>,
) -> anyhow::Result<Sockets> {
    let tcp = |address: SocketAddr| {
        listener(address, settings.backlog).with_context(|| format!("cannot listen on {address}"))
    };
    let main = settings.address.map(tcp).transpose()?;
    let redirect = settings.tls.as_ref();
    let redirect = redirect.and_then(|tls| tls.redirect_address);
    let redirect = redirect.map(tcp).transpose()?;
    let unix = match &settings.unix_socket {
        Some(path) => Some(
            unix(path, settings.unix_socket_mode)
                .with_context(|| format!("cannot listen on {}", path.display()))?,
        ),
        None => None,
    };
    let (unix, file) = unix.unzip();
    let bound =
        |listener: &Option<TcpListener>| listener.as_ref().map(TcpListener::local_addr).transpose();
    let (address, from) = (bound(&main)?, bound(&redirect)?);
    let scheme = if identity.is_some() { "https" } else { "http" };
    let places = [
        address.map(|address| format!("{scheme}://{address}")),
        from.map(|from| format!("http://{from}, which sends clients to https")),
        settings
            .unix_socket
            .as_ref()
            .map(|path| format!("unix:{}", path.display())),
    ];
    Ok(Sockets {
        address,
        redirect,
        places: places.into_iter().flatten().collect(),
        listeners: Listeners {
            tcp: main,
            tls: identity.as_ref().map(Identity::server_config).transpose()?,
            unix,
        },
        identity,
        file,
    })
}

fn listener(address: SocketAddr, backlog: u32) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Connections of a former process that are not quite over do not keep a new one out.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(backlog)?.into_std()
}

/// The file of a Unix socket. Dropping it removes the file, unless another process has put its
/// own there.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            // What cannot be removed is replaced by the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The socket is made beside its place and moved there, so that nobody finds it before its
/// permissions are right.
fn unix(path: &Path, mode: u32) -> anyhow::Result<(UnixListener, SocketFile)> {
    if let Ok(found) = fs::symlink_metadata(path) {
        ensure!(
            found.file_type().is_socket(),
            "something that is no socket is there"
        );
        ensure!(
            UnixStream::connect(path).is_err(),
            "another process listens there"
        );
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    let made = PathBuf::from(name);
    // One of a process of this number that did not get further.
    let _ = fs::remove_file(&made);
    let listener = UnixListener::bind(&made)?;
    let placed = fs::set_permissions(&made, fs::Permissions::from_mode(mode))
        .and_then(|()| fs::rename(&made, path))
        .and_then(|()| fs::symlink_metadata(path));
    match placed {
        Ok(file) => Ok((
            listener,
            SocketFile {
                path: path.to_owned(),
                inode: file.ino(),
            },
        )),
        Err(error) => {
            let _ = fs::remove_file(&made);
            Err(error.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_has_its_permissions_and_goes_with_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("http.sock");
        let (listener, file) = unix(&path, 0o600).unwrap();
        let mode = fs::symlink_metadata(&path).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
        let fault = unix(&path, 0o600).unwrap_err().to_string();
        assert!(fault.contains("another process"), "{fault}");
        drop((listener, file));
        assert!(!path.exists());
    }

    #[test]
    fn what_a_dead_process_left_is_replaced_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("http.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let (_listener, file) = unix(&path, 0o660).unwrap();
        // Another process came and took the place.
        fs::remove_file(&path).unwrap();
        fs::write(&path, "text").unwrap();
        drop(file);
        assert!(path.exists());
        let fault = unix(&path, 0o660).unwrap_err().to_string();
        assert!(fault.contains("no socket"), "{fault}");
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 1);
    }
}
