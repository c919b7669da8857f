//! The reasons why the port could not be opened.

use std::{error::Error, fmt, io, net::SocketAddr, path::PathBuf};

use chaos_core::WithCauses;

/// The reason why an [`Admin`](crate::Admin) could not open its port.
///
/// New variants may be added. `Debug` writes the sentences of the error and of its cause.
#[non_exhaustive]
pub enum ServeError {
    /// Other machines can reach the address, and no access tokens are set: anyone on those machines
    /// could inject faults in this service.
    NotLoopback(SocketAddr),
    /// Other machines can reach the address, and TLS is not configured: access tokens would cross
    /// the network unencrypted.
    Plaintext(SocketAddr),
    /// The system could not open the TCP port; [`source`](Error::source) returns its error.
    Bind(SocketAddr, io::Error),
    /// The Unix socket could not be created, because a process listens at the path, the path is a
    /// file other than a socket, or the system refused; [`source`](Error::source) returns the
    /// error.
    BindUnix(PathBuf, io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLoopback(address) => write!(
                f,
                "other machines can reach {address}, and no access tokens are set; allowed: a loopback \
                 address such as 127.0.0.1:9900, or access tokens set with `Admin::access_tokens`"
            ),
            Self::Plaintext(address) => write!(
                f,
                "other machines can reach {address}, and access tokens would cross the network \
                 unencrypted; allowed: TLS set with `Admin::tls`, or \
                 `Admin::allow_plaintext_access_tokens`"
            ),
            Self::Bind(address, _) => write!(f, "the admin port cannot listen on {address}"),
            Self::BindUnix(path, _) => {
                write!(f, "the admin port cannot listen on {}", path.display())
            }
        }
    }
}

impl fmt::Debug for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", WithCauses(self))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A `main` that returned the error printed `Bind(127.0.0.1:9900, Os { code: 98, … })`.
    #[test]
    fn a_main_prints_a_sentence() {
        let address = ([127, 0, 0, 1], 9900).into();
        let error = ServeError::Bind(address, io::ErrorKind::AddrInUse.into());
        let printed = "the admin port cannot listen on 127.0.0.1:9900: address in use";
        assert_eq!(format!("{error:?}"), printed);
    }
}
