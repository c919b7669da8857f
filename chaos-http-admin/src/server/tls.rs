//! TLS for the port: the server's certificate and, if required, certificates of clients.
//!
//! The port accepts TLS 1.3 only, with the cryptography of `ring`. The process-wide default
//! provider of rustls is neither read nor set.

use std::{error::Error, fmt, io, sync::Arc};

use chaos_core::WithCauses;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
    server::{
        NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier,
        danger::ClientCertVerifier,
    },
    sign::{CertifiedKey, SingleCertAndKey},
    version::TLS13,
};
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use webpki::EndEntityCert;

use crate::server::validity::Validity;

/// The TLS configuration of the port, for [`Admin::tls`](crate::Admin::tls): its certificate, and
/// whether clients must have one. `Debug` shows none of it.
///
/// ```no_run
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use chaos_http_admin::{Admin, Tls};
///
/// let (certificate, key) = (std::fs::read("port.pem")?, std::fs::read("port.key")?);
/// let admin = Admin::new(chaos_core::global().clone()).tls(Tls::from_pem(certificate, key)?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Tls {
    key: Arc<dyn ResolvesServerCert>,
    config: Arc<ServerConfig>,
    /// When the server's own certificates are valid.
    pub(super) validity: Validity,
}

impl Tls {
    /// Creates a configuration from a certificate chain and its private key, both in PEM. The
    /// server's own certificate comes first, followed by the intermediate ones.
    ///
    /// # Errors
    /// Returns an error if the certificates or the key cannot be parsed, if there is no
    /// certificate, or if the key is not that of the certificate.
    pub fn from_pem(
        certificates: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Result<Self, TlsError> {
        let chain = certificates_in(certificates.as_ref())
            .map_err(TlsError::of("the certificate cannot be read"))?;
        let key = PrivateKeyDer::from_pem_slice(key.as_ref())
            .map_err(unquoted)
            .map_err(TlsError::of("the private key cannot be read"))?;
        let validity = Validity::of(&chain);
        let key = CertifiedKey::from_der(chain, key, &provider()).map_err(TlsError::of(
            "the private key is not that of the certificate",
        ))?;
        let key: Arc<dyn ResolvesServerCert> = Arc::new(SingleCertAndKey::from(key));
        let config = config(Arc::clone(&key), WebPkiClientVerifier::no_client_auth())?;
        Ok(Self {
            key,
            config,
            validity,
        })
    }

    /// Requires every client to present a certificate that one of `authorities` has signed.
    /// `authorities` are CA certificates in PEM.
    ///
    /// The audit then shows the DNS names in the client's certificate, or its SHA-256 fingerprint
    /// if it has none, besides the name of the access token. A certificate does not replace the
    /// access token. Each connection shows it: sessions are not resumed, so an expired certificate opens no
    /// further connection.
    ///
    /// # Errors
    /// Returns an error if the authorities cannot be parsed, or there is none.
    pub fn client_certificates(self, authorities: impl AsRef<[u8]>) -> Result<Self, TlsError> {
        const PROBLEM: &str = "the certificates of the client authorities cannot be read";
        let mut roots = RootCertStore::empty();
        for authority in certificates_in(authorities.as_ref()).map_err(TlsError::of(PROBLEM))? {
            roots.add(authority).map_err(TlsError::of(PROBLEM))?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider());
        let verifier = verifier.build().map_err(TlsError::of(PROBLEM))?;
        let config = config(Arc::clone(&self.key), verifier)?;
        Ok(Self { config, ..self })
    }

    /// Performs the TLS handshake on an accepted connection. Returns the name in the client's
    /// certificate, if one was required.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
    ) -> io::Result<(TlsStream<TcpStream>, Option<Arc<str>>)> {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.config));
        let stream = acceptor.accept(stream).await?;
        let (_, session) = stream.get_ref();
        let shown = session.peer_certificates().and_then(<[_]>::first);
        let name = shown.map(|certificate| name(certificate).into());
        Ok((stream, name))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn config(
    key: Arc<dyn ResolvesServerCert>,
    verifier: Arc<dyn ClientCertVerifier>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::of("TLS 1.3 is not available"))?;
    let asks = verifier.offer_client_auth();
    let mut config = config
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(key);
    if asks {
        // A session that is resumed is not asked for a certificate again, which may have expired.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
    }
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config.into())
}

fn certificates_in(
    text: &[u8],
) -> Result<Vec<CertificateDer<'static>>, Box<dyn Error + Send + Sync>> {
    let certificates = CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(unquoted)?;
    match certificates.is_empty() {
        true => Err(pem::Error::NoItemsFound.into()),
        false => Ok(certificates),
    }
}

/// Returns the error without what it quotes of the text: a key whose line breaks were lost is quoted as a
/// whole, as the line that begins a section.
fn unquoted(error: pem::Error) -> Box<dyn Error + Send + Sync> {
    match error {
        pem::Error::IllegalSectionStart { .. } => {
            "a line begins with `-----BEGIN` and does not end with `-----`".into()
        }
        pem::Error::MissingSectionEnd { .. } => "a section has no line that ends it".into(),
        other => other.into(),
    }
}

/// Returns the DNS names in the certificate, or its SHA-256 fingerprint if it has none.
fn name(certificate: &CertificateDer<'_>) -> String {
    let parsed = EndEntityCert::try_from(certificate);
    let names: Vec<_> = parsed
        .iter()
        .flat_map(|certificate| certificate.valid_dns_names())
        .collect();
    match names.is_empty() {
        true => format!("sha256:{:x}", Sha256::digest(certificate)),
        false => names.join(" "),
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// The reason why a certificate, a key or an authority was refused; [`source`](Error::source)
/// returns the cause.
///
/// `Debug` writes the sentences of the error and of its causes.
pub struct TlsError {
    problem: &'static str,
    cause: Box<dyn Error + Send + Sync>,
}

impl TlsError {
    pub(super) fn of<E>(problem: &'static str) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        move |cause| Self {
            problem,
            cause: cause.into(),
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.problem)
    }
}

impl fmt::Debug for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", WithCauses(self))
    }
}

impl Error for TlsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.cause)
    }
}
