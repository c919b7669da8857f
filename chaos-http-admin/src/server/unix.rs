//! The admin port on a Unix socket, access to which the file system controls.
//!
//! The socket's file belongs to its owner alone. On Linux, it is created with the mode of the
//! socket, which is set before. On other systems it may have a wider mode for a moment, in which
//! nobody can connect because the socket does not listen yet. The umask is not changed, since all
//! threads of the process share it.

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

/// The number of connections that may wait to be accepted.
const BACKLOG: i32 = 128;

/// The admin port on a Unix socket, as [`Admin::bind_unix`](crate::Admin::bind_unix) returns it. It
/// accepts no request until [`run`](Self::run) is polled.
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

    /// Returns the path of the socket.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// Serves requests until `shutdown` completes, then stops gracefully as
    /// [`Server::run`](crate::Server::run) does. The socket's file is removed before the listener
    /// is closed.
    ///
    /// # Cancel safety
    /// Dropping the future removes the socket's file and closes all connections at once.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) {
        let file = self.file;
        let shutdown = async {
            shutdown.await;
            // The file is removed while the listener is still open, so that a process that finds it
            // can connect.
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

/// Removes a socket on which no process listens.
async fn make_way(path: &Path) -> io::Result<()> {
    let kind = match fs::symlink_metadata(path) {
        Ok(found) => found.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !kind.is_socket() {
        let problem = "the path is a file other than a socket";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, problem));
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        // A process listens there, though it may be too busy to accept, or refuse us access.
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}

fn listen(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    // The mode of the socket has an effect on Linux only; elsewhere, `set_permissions` below sets
    // that of the file.
    let _ = rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR);
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile::at(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    socket.listen(BACKLOG)?;
    Ok((UnixListener::from_std(socket.into())?, file))
}

/// The socket's file, which is removed on drop if the path still leads to it.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    /// The device and the inode.
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
            // A file that cannot be removed is replaced by the next process that binds the path.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}
