//! The files of a TLS configuration that is followed while they change.

use std::path::{Path, PathBuf, absolute};

use zeroize::Zeroizing;

use crate::{
    access::private_file::{self, Secrecy},
    server::tls::{Tls, TlsError},
};

/// The files of the port's TLS configuration, for [`Admin::follow_tls`](crate::Admin::follow_tls): its
/// certificate, its private key, and the authorities of client certificates if those are required. Each
/// is in PEM.
///
/// ```no_run
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use chaos_http_admin::{Admin, TlsFiles};
///
/// let files = TlsFiles::new("/etc/chaos/tls/tls.crt", "/etc/chaos/tls/tls.key");
/// let admin = Admin::new(chaos_core::global().clone()).follow_tls(files)?;
/// # Ok(())
/// # }
/// ```
///
/// On Unix, the private key is refused if its mode allows every user to read or write it, and the other
/// files if it allows every user to write them. A mounted Kubernetes secret has such a mode unless its
/// `defaultMode` is `0400` or `0440`.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    certificate: PathBuf,
    key: PathBuf,
    authorities: Option<PathBuf>,
}

impl TlsFiles {
    /// Names the file of the certificate chain, the server's own certificate first, and that of its
    /// private key. Relative paths are resolved against the current directory of this moment.
    #[must_use]
    pub fn new(certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        Self {
            certificate: resolved(certificate.as_ref()),
            key: resolved(key.as_ref()),
            authorities: None,
        }
    }

    /// Requires client certificates that one of the authorities in this file has signed, as
    /// [`Tls::client_certificates`] does.
    #[must_use]
    pub fn client_certificates(self, authorities: impl AsRef<Path>) -> Self {
        Self {
            authorities: Some(resolved(authorities.as_ref())),
            ..self
        }
    }

    /// Returns the paths of all files, that of the certificate first.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        let files = [&self.certificate, &self.key].into_iter();
        files.chain(&self.authorities).cloned().collect()
    }

    /// Reads the files.
    pub(super) fn read(&self) -> Result<TlsPem, TlsError> {
        let read = |path: &Path, secrecy, problem| {
            private_file::read(path, secrecy).map_err(TlsError::of(problem))
        };
        let certificate = read(
            &self.certificate,
            Secrecy::Public,
            "the certificate cannot be read",
        )?;
        let key = read(&self.key, Secrecy::Secret, "the private key cannot be read")?;
        let authorities = self.authorities.as_deref().map(|path| {
            read(
                path,
                Secrecy::Public,
                "the certificates of the client authorities cannot be read",
            )
        });
        Ok(TlsPem {
            certificate,
            key,
            authorities: authorities.transpose()?,
        })
    }
}

fn resolved(path: &Path) -> PathBuf {
    absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// What the files contain.
#[derive(Clone, PartialEq)]
pub(super) struct TlsPem {
    certificate: Zeroizing<Vec<u8>>,
    key: Zeroizing<Vec<u8>>,
    authorities: Option<Zeroizing<Vec<u8>>>,
}

impl TlsPem {
    /// Returns the configuration.
    pub(super) fn tls(&self) -> Result<Tls, TlsError> {
        let tls = Tls::from_pem(&*self.certificate, &*self.key)?;
        match &self.authorities {
            Some(authorities) => tls.client_certificates(authorities),
            None => Ok(tls),
        }
    }

    /// Returns what is not as `before`, for the audit; `None` if nothing has changed.
    pub(super) fn changes_since(&self, before: &Self) -> Option<String> {
        let certificate = self.certificate != before.certificate || self.key != before.key;
        let changes = match (certificate, self.authorities != before.authorities) {
            (true, true) => "certificate and client authorities replaced",
            (true, false) => "certificate replaced",
            (false, true) => "client authorities replaced",
            (false, false) => return None,
        };
        Some(changes.to_owned())
    }
}
