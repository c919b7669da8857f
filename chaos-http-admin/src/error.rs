//! Why the port could not be opened.

use std::{error::Error, fmt, io, net::SocketAddr, path::PathBuf};

/// Why an [`Admin`](crate::Admin) did not open the port.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// The address can be reached from other machines, and there are no access tokens: that would let
    /// anyone there break this service.
    NotLoopback(SocketAddr),
    /// The address can be reached from other machines, and there is no TLS: whoever listens on the way
    /// would have every access token that is used.
    Plaintext(SocketAddr),
    /// The system refused, for the reason in [`source`](Error::source).
    Bind(SocketAddr, io::Error),
    /// The same of a Unix socket; or its name is taken, by someone who listens or by another file.
    BindUnix(PathBuf, io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLoopback(address) => write!(
                f,
                "{address} can be reached from other machines; without access tokens, \
                 the admin port takes a loopback address, such as 127.0.0.1:9900"
            ),
            Self::Plaintext(address) => write!(
                f,
                "{address} can be reached from other machines, and without TLS, access tokens would \
                 cross the network for all to read; `Admin::tls` encrypts them, \
                 `Admin::allow_plaintext_access_tokens` takes the risk"
            ),
            Self::Bind(address, _) => write!(f, "the admin port cannot listen on {address}"),
            Self::BindUnix(path, _) => {
                write!(f, "the admin port cannot listen on {}", path.display())
            }
        }
    }
}

impl Error for ServeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NotLoopback(_) | Self::Plaintext(_) => None,
            Self::Bind(_, error) | Self::BindUnix(_, error) => Some(error),
        }
    }
}
