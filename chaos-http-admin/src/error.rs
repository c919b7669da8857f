//! Why the port could not be opened.

use std::{error::Error, fmt, io, net::SocketAddr};

/// Why [`Admin::bind`](crate::Admin::bind) did not open the port.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// The address can be reached from other machines. There is no authentication yet, so that
    /// would let anyone there break this service.
    NotLoopback(SocketAddr),
    /// The system refused, for the reason in [`source`](Error::source).
    Bind(SocketAddr, io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLoopback(address) => write!(
                f,
                "{address} can be reached from other machines; \
                 the admin port takes a loopback address, such as 127.0.0.1:9900"
            ),
            Self::Bind(address, _) => write!(f, "the admin port cannot listen on {address}"),
        }
    }
}

impl Error for ServeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NotLoopback(_) => None,
            Self::Bind(_, error) => Some(error),
        }
    }
}
