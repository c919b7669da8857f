//! The admin port on a Unix socket, access to which the file system controls.
//!
//! The socket's file belongs to its owner alone. On Linux, it is created with the mode of the
//! socket, which is set before. On other systems it may have a wider mode for a moment, in which
//! nobody can connect because the socket does not listen yet. The umask is not changed, since all
//! threads of the process share it.

use std::{
    fs, io,
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt},
        net::{self, UnixStream},
    },
    path::{Path, PathBuf},
};

use rustix::fs::Mode;
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::UnixListener;

use crate::{
    error::ServeError,
    server::{
        Server,
        listener::Listener,
        port_thread::{PortThread, Served},
    },
};

/// The number of connections that may wait to be accepted.
const BACKLOG: i32 = 128;

/// The admin port on a Unix socket, as [`Admin::bind_unix`](crate::Admin::bind_unix) returns it.
///
/// ```no_run
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let admin = chaos_http_admin::Admin::new(chaos_core::global().clone());
/// let server = admin.bind_unix("/run/shop/chaos.sock")?;
/// // curl --unix-socket /run/shop/chaos.sock http://localhost/v1/status
/// # Ok(())
/// # }
/// ```
pub type UnixServer = Server<SocketFile>;

impl Server<SocketFile> {
    pub(crate) fn bind_unix(path: &Path, served: Served) -> Result<Self, ServeError> {
        let open = || {
            make_way(path)?;
            let (listener, place) = listen(path)?;
            let listen = || UnixListener::from_std(listener).map(Listener::Unix);
            let thread = PortThread::start(served, listen)?;
            Ok(Self { place, thread })
        };
        open().map_err(|error| ServeError::BindUnix(path.to_owned(), error))
    }

    /// Returns the path of the socket.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.place.path
    }
}

/// Removes a socket on which no process listens.
fn make_way(path: &Path) -> io::Result<()> {
    let kind = match fs::symlink_metadata(path) {
        Ok(found) => found.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !kind.is_socket() {
        let problem = "the path is a file other than a socket";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, problem));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        // A process listens there, though it may be too busy to accept, or refuse us access.
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}

fn listen(path: &Path) -> io::Result<(net::UnixListener, SocketFile)> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    // The mode of the socket has an effect on Linux only; elsewhere, `set_permissions` below sets
    // that of the file.
    let _ = rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR);
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile::at(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    socket.listen(BACKLOG)?;
    Ok((socket.into(), file))
}

/// The file of a Unix socket, which is removed on drop if the path still leads to it.
#[derive(Debug)]
pub struct SocketFile {
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
