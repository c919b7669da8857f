//! A port that is a file: a Unix socket, which the file system guards.
//!
//! The file is its owner's alone from the moment it exists. Linux makes it with the mode that the socket
//! has, which is set before; elsewhere it may be anyone's for a moment, in which nobody is listening yet
//! and so nobody can connect. The process's umask is left alone: all its threads share it.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use axum::Router;
use rustix::fs::Mode;
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{UnixListener, UnixStream};

use crate::{
    error::ServeError,
    history::feed::Feed,
    server::{listener::Listener, serve_all},
};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// The open admin port on a Unix socket. It serves nothing until it is [`run`](Self::run).
#[derive(Debug)]
#[must_use = "the port serves nothing until it is run"]
pub struct UnixServer {
    listener: UnixListener,
    file: SocketFile,
    router: Router,
    feed: Feed,
}

impl UnixServer {
    pub(crate) async fn bind(path: &Path, router: Router, feed: Feed) -> Result<Self, ServeError> {
        let failed = |error| ServeError::BindUnix(path.to_owned(), error);
        make_way(path).await.map_err(failed)?;
        let (listener, file) = listen(path).map_err(failed)?;
        Ok(Self {
            listener,
            file,
            router,
            feed,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// Serves until `shutdown` is ready, then stops, as [`Server::run`](crate::Server::run) does; the
    /// socket's file is gone afterwards.
    ///
    /// Cancel-safe: dropping the future takes the file away and cuts all connections.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) {
        let file = self.file;
        let shutdown = async {
            shutdown.await;
            // Whoever finds the file finds someone who listens.
            drop(file);
        };
        serve_all(
            Listener::Unix(self.listener),
            self.router,
            self.feed,
            shutdown,
        )
        .await;
    }
}

/// Takes away a socket that nobody listens on any more.
async fn make_way(path: &Path) -> io::Result<()> {
    let kind = match fs::symlink_metadata(path) {
        Ok(found) => found.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !kind.is_socket() {
        let problem = "there is a file of that name, which is no socket";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, problem));
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        // Someone is there, even if too busy or not for us to talk to.
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}

fn listen(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    // Only Linux heeds this, and the next one is for all.
    let _ = rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR);
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile::at(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    socket.listen(BACKLOG)?;
    Ok((UnixListener::from_std(socket.into())?, file))
}

/// The file of a socket that is ours: it is taken away in the end, if it is still the same.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn at(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            identity: identity(path)?,
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            // What is left of it is taken away by the next one.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}
